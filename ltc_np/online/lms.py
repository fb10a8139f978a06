"""Least mean squares, a step down the gradient of the last error: docs/online.md#which-rule."""

from __future__ import annotations

from typing import NamedTuple

from ..base import checks
from ..base.types import Array, Bools, Float
from .rule import Kept, Rule


class Size(NamedTuple):
    """The size of a step ``W += rate / (epsilon + share |f|^2) error f``."""

    rate: float
    epsilon: float
    share: float


class LMS(Rule):
    """Least mean squares: ``W += rate * error f``, gradient descent on half the squared error of each observation.

    Parameters
    ----------
    rate : float > 0
        It is stable on average below 2 / (mean of |f|^2), so it belongs to the scale of the features: `NLMS` does not.

    References
    ----------
    Widrow & Hoff, "Adaptive switching circuits", 1960.
    """

    rate: float

    def __init__(self, rate: float = 0.01) -> None:
        self.rate = checks.number("rate", rate, low_open=True)

    def begin(self, features: int, outputs: int, dtype: Float) -> Kept:
        return {}

    def update(
        self, W: Array, kept: Kept, f: Array, error: Array, known: Bools | None, weight: float
    ) -> tuple[Array, Kept]:
        rate = f.dtype.type(self.rate * weight)  # with NumPy 1 a larger number would make all of it float64
        return W + rate * error[:, None] * f, kept

    def size(self, weight: float) -> Size:
        """Of a step, for the kernel that makes it."""
        return Size(self.rate * weight, 1.0, 0.0)


class NLMS(Rule):
    """Normalised least mean squares: ``W += rate * error f / (epsilon + |f|^2)``.

    With rate 1 the readout is right about this observation afterwards; a smaller rate takes the mean of more of them.

    Parameters
    ----------
    rate : float, 0 < rate < 2
        Times the observation's weight it is at most 1, or ``rate`` where that is more.
    epsilon : float > 0
        Keeps steps small where all features are.

    References
    ----------
    Nagumo & Noda, "A learning method for system identification", 1967.
    """

    rate: float
    epsilon: float

    def __init__(self, rate: float = 0.1, epsilon: float = 1e-6) -> None:
        self.rate = checks.number("rate", rate, high=2, low_open=True, high_open=True)
        self.epsilon = checks.number("epsilon", epsilon, low_open=True)

    def begin(self, features: int, outputs: int, dtype: Float) -> Kept:
        return {}

    def update(
        self, W: Array, kept: Kept, f: Array, error: Array, known: Bools | None, weight: float
    ) -> tuple[Array, Kept]:
        rate, epsilon, _ = self.size(weight)
        return W + error[:, None] * (rate / (epsilon + float(f.dot(f))) * f), kept

    def size(self, weight: float) -> Size:
        """Of a step, for the kernel that makes it."""
        return Size(self.rate if weight == 1 else min(self.rate * weight, max(self.rate, 1.0)), self.epsilon, 1.0)
