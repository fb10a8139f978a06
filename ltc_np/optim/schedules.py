"""Learning rates that change with the number of steps done."""

import math
from dataclasses import dataclass

from ..base import checks


@dataclass(frozen=True)
class ExponentialDecay:
    """Learning rate ``lr * rate**(step / steps)``: multiplied by ``rate`` every ``steps`` steps, smoothly.

    Parameters
    ----------
    lr : float > 0
    rate : float in (0, 1]
    steps : int >= 1

    Examples
    --------
    >>> schedule = ExponentialDecay(0.1, rate=0.5, steps=100)
    >>> schedule(0), schedule(200)
    (0.1, 0.025)
    """

    lr: float
    rate: float
    steps: int

    def __post_init__(self):
        checks.number("lr", self.lr, low_open=True)
        checks.number("rate", self.rate, high=1, low_open=True)
        checks.integer("steps", self.steps)

    def __call__(self, step):
        return self.lr * self.rate ** (step / self.steps)


@dataclass(frozen=True)
class CosineDecay:
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
    final: float = 0.0

    def __post_init__(self):
        checks.number("lr", self.lr, low_open=True)
        checks.number("final", self.final)
        checks.integer("steps", self.steps)

    def __call__(self, step):
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * min(step / self.steps, 1))) / 2


@dataclass(frozen=True)
class WarmUp:
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

    schedule: object
    steps: int

    def __post_init__(self):
        if not callable(self.schedule):
            checks.number("schedule", self.schedule, low_open=True)
        checks.integer("steps", self.steps)

    def __call__(self, step):
        after = max(step - self.steps, 0)
        lr = self.schedule(after) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1)
