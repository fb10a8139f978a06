"""What the library knows of one of its losses: a row, which stands in the loss's own file."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, LibraryLoss, Numbers, Shape
from .shapes import read_arguments
from .weights import check_class_weight, sum_of_weights, weigh_errors


class Option(NamedTuple):
    """What users give a loss by `functools.partial`: a keyword, which has a default, and the check of its value."""

    name: str
    check: Callable[[Any], Any]


def _weight_of_steps(target: Numbers, weight: Array | None, class_weight: Array | None) -> float:
    return sum_of_weights(weight, target.shape)


class LossKind(NamedTuple):
    """One of the library's losses."""

    function: LibraryLoss  # what users call; its name is that of the loss
    unchecked: LibraryLoss  # the same for arrays that are checked already, with targets of y's dtype, or intp
    scale_powers: tuple[int, int] | None  # see `ltc_np.losses.scale_powers`; None for a loss of classes
    on_card: bool  # whether `ltc_np.kernels.cuda.losses` computes it; otherwise a training with it runs on the host
    foreign_names: str  # what other libraries call it, in lower case, with spaces between; errors say which was meant
    note: str = ""  # what docs/guides/arguments.md says beside the name
    option: Option | None = None
    class_count: Callable[[int], int] = lambda outputs: 0  # of so many outputs; 0 for a loss without classes
    integer_targets: bool = False  # a target is one class for all outputs of a step, not a number for each output
    # (argument, target, O): refuses a target that has the right shape and is finite, but other values than it may.
    check_values: Callable[[str, Numbers, int], None] | None = None
    # (target, weight, class_weight): the `weight_sum` that `unchecked` returns.
    weight_sum: Callable[[Any, Array | None, Array | None], float] = _weight_of_steps
    # (option, argument, target, y_shape): a target as often as outputs belong to it; the option is a dict.
    for_each_output: Callable[[dict[str, Any], str, ArrayLike, Shape], ArrayLike] | None = None
    # (argument, target, y_shape): a target (..., O) that all outputs of a step tell of together, of another number than
    # these, or an error; None where each output has its own.
    fit_target: Callable[[str, Numbers, Shape], Numbers] | None = None

    @property
    def name(self) -> str:
        return self.function.__name__

    def checked(
        self, y: ArrayLike, target: ArrayLike, weight: ArrayLike | None, class_weight: ArrayLike | None, **option: Any
    ) -> tuple[float, float, Array]:
        """The loss of what a user gives."""
        y = checks.plain("y", y)
        if self.option is not None:
            option = {name: self.option.check(value) for name, value in option.items()}
        if self.for_each_output is not None and y.dtype.kind == "f" and y.ndim in (2, 3):  # else what follows says so
            target = self.for_each_output(option, "target", target, y.shape)
        y, target, weight = read_arguments(y, target, weight, self.integer_targets, self.fit_target)
        if self.check_values is not None:
            self.check_values("target", target, y.shape[-1])
        target = target.astype(np.intp if self.integer_targets else y.dtype, copy=False)
        if class_weight is not None:
            class_weight = check_class_weight(class_weight, self.class_count(y.shape[-1]), y.dtype)
        return self.unchecked(y, target, weight, class_weight, **option)


def kind_of_errors(function: LibraryLoss, elements: Callable[..., tuple[Array, Array]], **more: Any) -> LossKind:
    """The row of a loss of numbers, a function of errors y - target that returns l and dl/dy of each.

    ``more`` are attributes of `LossKind`.
    """
    return LossKind(function, partial(weigh_errors, elements), **more)
