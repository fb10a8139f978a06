"""Data as a user gave them: how many sequences there are, and those of some rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...base import checks
from ...base.types import ArrayLike, Ints, Targets
from ...data.padding import is_list_of_sequences


class DataArguments(NamedTuple):
    """The arguments of `fit` that are data, not yet checked but for the number of sequences, see `checked`."""

    x: Targets
    y: Targets
    dt: Targets | None = None
    lengths: ArrayLike | None = None
    sample_weight: Targets | None = None

    @property
    def count(self) -> int:  # type: ignore[override]  # a tuple has one too, which nobody needs here
        """Sequences in all."""
        return len(self.x)

    def is_empty(self) -> bool:
        """Whether there is no sequence, or none that has a step."""
        return not self.count or (self.lengths is not None and not np.any(self.lengths))

    def checked(self) -> DataArguments:
        """These, or an error where x is no batch of sequences, or others are not as many as x has."""
        x, count = self.x, None
        if is_list_of_sequences(x):
            count = len(x)
        elif (array := checks.plain("x", x, "(B, T, I) or a list of (T_i, I)")).ndim == 3:
            count = len(array)
        if not count:
            raise ValueError(f"`x` must be (B, T, I) or a list of (T_i, I), got shape {np.shape(x)}")
        for name in ("y", "lengths", "sample_weight", *(["dt"] if self._own_times() else [])):
            values = getattr(self, name)
            if values is None and name != "y":
                continue
            found = len(values) if isinstance(values, (list, tuple)) else (*np.shape(checks.plain(name, values)), 0)[0]
            if found != count:
                raise ValueError(f"`{name}` must be of the {count} sequences of x, got {found}")
        return self

    def part(self, rows: slice | Ints) -> DataArguments:
        """`DataArguments` of some of the sequences, by a slice or indices; of arrays in a file only these are read."""
        shared = () if self._own_times() else ("dt",)  # a number or (T,), which is that of all sequences
        return DataArguments(*(
            values if values is None or name in shared else _rows(name, values, rows)
            for name, values in self._asdict().items()
        ))  # fmt: skip

    def _own_times(self) -> bool:
        """Whether each sequence has elapsed times of its own."""
        if isinstance(self.dt, (list, tuple)):
            return isinstance(self.x, (list, tuple)) or any(np.ndim(row) for row in self.dt)
        return np.ndim(self.dt) == 2


def arguments_of(what: str, given: Any, instead: str = "") -> DataArguments:
    """`DataArguments` that a user gave as (x, y), or as a dict; errors call them ``what``.

    ``instead`` is what else they may be, for errors.
    """
    known = DataArguments._fields
    rule, hint = f"{what} must be {instead}(x, y), or a dict with x, y and maybe {', '.join(known[2:])}", ""
    if isinstance(given, (tuple, list)):
        if len(given) == 2:
            return DataArguments(*given)
        got = f"a {type(given).__name__} of {len(given)}"
        hint = ": say in a dict what the third one is" if len(given) > 2 else ""
    elif isinstance(given, dict):
        if {"x", "y"} <= set(given) <= set(known):
            return DataArguments(**given)
        got = f"a dict with {', '.join(map(str, given)) or 'nothing'}"
    else:
        raise TypeError(f"{rule}, got {checks.brief(given)}")
    raise ValueError(f"{rule}, got {got}{hint}")


def _rows(name: str, values: Any, rows: slice | Ints) -> Any:
    if isinstance(values, (list, tuple)):
        return [values[k] for k in np.arange(len(values))[rows]]
    array = values if isinstance(values, np.memmap) else checks.plain(name, values)  # which would forget the file
    return array[rows] if array.ndim else values


def split(arguments: DataArguments, fraction: float) -> tuple[DataArguments, DataArguments]:
    """`DataArguments` for training and for validation: the last sequences, ``fraction`` of all."""
    fraction = checks.number("validation", fraction, high=1, low_open=True, high_open=True)
    count = arguments.checked().count
    first = int(count * (1 - fraction))
    if first == 0:
        raise ValueError(f"`validation` must leave sequences for training, got {fraction} of {count}")
    return arguments.part(slice(0, first)), arguments.part(slice(first, count))
