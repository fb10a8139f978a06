"""What is held out for validation, and when it is looked at: an option of `fit`."""

from __future__ import annotations

from numbers import Real
from typing import Any, TypeAlias

from ...base import checks
from ...base.from_arguments import Immutable
from ...base.types import Targets
from .arguments import DataArguments, arguments_of

ValidationData: TypeAlias = float | tuple[Targets, Targets] | list[Targets] | dict[str, Any]


class Validation(Immutable):
    """Data on which `fit` measures loss and metrics, but learns nothing, and how often.

    ``fit(validation=(x, y))`` means ``fit(validation=Validation((x, y)))``.

    Parameters
    ----------
    data : tuple (x, y), dict, or float in (0, 1)
        Anything else than x and y goes into a dict, which may have x, y, dt, lengths, sample_weight.  A number: this
        share of the sequences, the last ones before any shuffling, is held out, as by ``validation_split`` of Keras.
        Windows of one series that overlap share what they overlap in.
    every : int >= 1
        Epochs between validations; the last epoch is always validated.
    """

    data: ValidationData
    every: int

    def __init__(self, data: ValidationData, *, every: int = 1) -> None:
        if is_share(data):
            checks.number("data", data, high=1, low_open=True, high_open=True)
        else:
            read_validation("data", data)
        self.data, self.every = data, checks.integer("every", every)

    def __repr__(self) -> str:
        data = repr(self.data) if is_share(self.data) else "..."
        return f"Validation({data})" if self.every == 1 else f"Validation({data}, every={self.every})"


def is_share(data: object) -> bool:
    """Whether validation is a share of the sequences, and not data of its own."""
    return isinstance(data, Real) and not isinstance(data, bool)


def read_validation(name: str, data: Any) -> DataArguments:
    """`DataArguments` of data for validation; errors call them ``name``."""
    return arguments_of(f"`{name}`", data, "a share in (0, 1), ")
