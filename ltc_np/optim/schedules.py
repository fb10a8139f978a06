"""Learning rates that change with the number of steps done."""

import math

from ..base import checks
from ..base.described import Value
from .base import by_name


class Schedule(Value):
    """A learning rate as a function of the number of steps done; it cannot be changed."""

    def __init__(self, **arguments):
        vars(self).update(arguments)

    def __setattr__(self, name, value):
        raise AttributeError(f"a schedule is immutable, `{name}` cannot be set; make a new one instead")

    def __repr__(self):
        return by_name(self)


class ExponentialDecay(Schedule):
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

    def __init__(self, lr, rate, steps):
        checks.number("lr", lr, low_open=True)
        checks.number("rate", rate, high=1, low_open=True)
        checks.integer("steps", steps)
        super().__init__(lr=lr, rate=rate, steps=steps)

    def __call__(self, step):
        return self.lr * self.rate ** (step / self.steps)


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

    def __init__(self, lr, steps, final=0.0):
        checks.number("lr", lr, low_open=True)
        checks.number("final", final)
        checks.integer("steps", steps)
        super().__init__(lr=lr, steps=steps, final=final)

    def __call__(self, step):
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

    def __init__(self, schedule, steps):
        if not callable(schedule):
            checks.number("schedule", schedule, low_open=True)
        checks.integer("steps", steps)
        super().__init__(schedule=schedule, steps=steps)

    def __call__(self, step):
        after = max(step - self.steps, 0)
        lr = self.schedule(after) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1)
