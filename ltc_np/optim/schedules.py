"""Learning rates that change with the number of steps or of epochs done."""

from __future__ import annotations

import contextlib
import inspect
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, NoReturn

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Numbers, Rate
from .base import by_name, counts_epochs


class Schedule(Immutable):
    """A learning rate as a function of the number of steps done; it cannot be changed.

    A function of your own serves as a schedule too.

    Attributes
    ----------
    per : "step" or "epoch"
        What is counted.  Optimisers ask a schedule per epoch with the number of epochs done.
    """

    per: Literal["step", "epoch"] = "step"

    def __init__(self, **arguments: Any) -> None:
        vars(self).update(arguments)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a schedule is immutable, `{name}` cannot be set; make a new one instead")

    def __repr__(self) -> str:
        return by_name(self)


def _inner(schedule: Rate) -> Rate:
    """The argument of a schedule around another one, checked."""
    if not callable(schedule):
        return checks.number("schedule", schedule, low_open=True)
    if counts_epochs(schedule):
        raise ValueError(
            f"`schedule` must count steps, got one per epoch, {schedule!r}: put `PerEpoch` around the whole"
        )
    return schedule


def _check_takes_one(schedule: Callable[[int], float]) -> None:
    """Refuse a function that cannot be asked with an epoch alone, such as one of (epoch, lr)."""
    with contextlib.suppress(ValueError):  # of a builtin that does not tell its arguments
        try:
            inspect.signature(schedule).bind(0)
        except TypeError as error:
            got = checks.brief(schedule)
            raise TypeError(f"`schedule` must be a function of the epoch alone, got {got}: {error}") from None


class PerEpoch(Schedule):
    """A schedule that counts epochs instead of optimiser steps: all steps of an epoch have one learning rate.

    Parameters
    ----------
    schedule : schedule, or function from an int to a float
        It is asked with the number of epochs done, 0 in the first epoch.  Where its arguments speak of steps, they
        mean epochs now.

    Notes
    -----
    `fit` counts epochs from 0, or from where its range ``epochs`` begins, so a second call of `fit` begins the schedule
    again; steps are counted on.  In a training loop of your own, write ``optimizer.epoch = epoch`` at the start of
    every epoch.

    Examples
    --------
    >>> from ltc_np import Adam
    >>> optimizer = Adam(PerEpoch(ExponentialDecay(0.1, rate=0.5, steps=10, staircase=True)))
    >>> for epoch in (0, 9, 10):
    ...     optimizer.epoch = epoch
    ...     print(optimizer.learning_rate)
    0.1
    0.1
    0.05
    """

    schedule: Callable[[int], float]

    per: Literal["step", "epoch"] = "epoch"

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if not callable(schedule):
            raise TypeError(f"`schedule` must be a schedule or a function, got {checks.brief(schedule)}")
        _check_takes_one(schedule)
        super().__init__(schedule=_inner(schedule))

    def __call__(self, epoch: int) -> float:
        return self.schedule(epoch)


class PiecewiseConstant(Schedule):
    """Learning rates that stay the same for a while:

        values[0]                      for step < boundaries[0]
        values[k]                      for boundaries[k - 1] <= step < boundaries[k]
        values[-1]                     from boundaries[-1] on

    Parameters
    ----------
    boundaries : sequence of K ints >= 1
        Increasing.  (In Keras the step that is a boundary still has the value before it.)
    values : sequence of K + 1 floats >= 0
        Learning rates.

    Examples
    --------
    >>> schedule = PiecewiseConstant([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(99), schedule(100), schedule(1000)
    (0.1, 0.01, 0.001)
    """

    boundaries: tuple[int, ...]
    values: tuple[float, ...]

    def __init__(self, boundaries: Sequence[int] | Numbers, values: Sequence[float] | Numbers) -> None:
        for name, given in (("boundaries", boundaries), ("values", values)):
            if not isinstance(given, (list, tuple, np.ndarray)) or len(given) == 0 or any(map(np.ndim, given)):
                raise TypeError(f"`{name}` must be a list of one number or more, got {checks.brief(given)}")
        boundaries = tuple(checks.integer(f"boundaries[{k}]", step) for k, step in enumerate(boundaries))
        values = tuple(checks.number(f"values[{k}]", value) for k, value in enumerate(values))
        if any(after <= before for before, after in pairwise(boundaries)):
            raise ValueError(f"`boundaries` must increase, got {list(boundaries)}")
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"`values` must be one more than the {len(boundaries)} boundaries, got {len(values)}: one for the time "
                "before each boundary and one for the rest"
            )
        super().__init__(boundaries=boundaries, values=values)

    def __call__(self, step: int) -> float:
        return self.values[bisect_right(self.boundaries, step)]


class ExponentialDecay(Schedule):
    """Learning rate ``lr * rate**(step / steps)``: multiplied by ``rate`` every ``steps`` steps.

    Parameters
    ----------
    lr : float > 0
    rate : float in (0, 1]
    steps : int >= 1
    staircase : bool
        Change it only every ``steps`` steps, in one go (the quotient is rounded down), instead of a little each step.

    Examples
    --------
    >>> schedule = ExponentialDecay(0.1, rate=0.5, steps=100)
    >>> schedule(0), schedule(200)
    (0.1, 0.025)
    >>> schedule = ExponentialDecay(0.1, rate=0.5, steps=100, staircase=True)
    >>> schedule(99), schedule(100)
    (0.1, 0.05)
    """

    lr: float
    rate: float
    steps: int
    staircase: bool

    def __init__(self, lr: float, rate: float, steps: int, staircase: bool = False) -> None:
        checks.number("lr", lr, low_open=True)
        checks.number("rate", rate, high=1, low_open=True)
        checks.integer("steps", steps)
        super().__init__(lr=lr, rate=rate, steps=steps, staircase=checks.boolean("staircase", staircase))

    def __call__(self, step: int) -> float:
        return self.lr * self.rate ** (step // self.steps if self.staircase else step / self.steps)


class CosineDecay(Schedule):
    """Learning rate that falls from ``lr`` to ``final`` along half a cosine, and stays there:

        final + (lr - final) * (1 + cos(pi * min(step, steps) / steps)) / 2

    Parameters
    ----------
    lr : float > 0
    steps : int >= 1
    final : float >= 0
        A learning rate, not a share of ``lr``.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983, equation 5, without restarts.

    Examples
    --------
    >>> schedule = CosineDecay(0.1, steps=100)
    >>> schedule(0), round(schedule(50), 6), schedule(100), schedule(1000)
    (0.1, 0.05, 0.0, 0.0)
    """

    lr: float
    steps: int
    final: float

    def __init__(self, lr: float, steps: int, final: float = 0.0) -> None:
        checks.number("lr", lr, low_open=True)
        checks.number("final", final)
        checks.integer("steps", steps)
        super().__init__(lr=lr, steps=steps, final=final)

    def __call__(self, step: int) -> float:
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * min(step / self.steps, 1))) / 2


class WarmUp(Schedule):
    """Learning rate that rises in a straight line during the first ``steps`` steps, before a schedule starts:

        schedule(0) * (step + 1) / steps    for step < steps
        schedule(step - steps)              from then on

    so that the first step already counts, and the last of the rise has the full rate.

    Parameters
    ----------
    schedule : float > 0 or schedule
        A number is a constant learning rate.
    steps : int >= 1

    Examples
    --------
    >>> schedule = WarmUp(CosineDecay(0.5, steps=100), steps=4)
    >>> schedule(0), schedule(3), schedule(4), schedule(104)
    (0.125, 0.5, 0.5, 0.0)
    """

    schedule: Rate
    steps: int

    def __init__(self, schedule: Rate, steps: int) -> None:
        checks.integer("steps", steps)
        super().__init__(schedule=_inner(schedule), steps=steps)

    def __call__(self, step: int) -> float:
        after = max(step - self.steps, 0)
        lr = self.schedule(after) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1)


SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (PerEpoch, PiecewiseConstant, ExponentialDecay, CosineDecay, WarmUp)
}
