"""Gradient over the root of its mean square: docs/maths/optimisers.md#rmsprop."""

from __future__ import annotations

from ..base import checks
from ..base.types import Array, Rate
from ..kernels.numpy.rmsprop import Numbers
from .base import SMALLEST_EPSILON, Optimizer


class RMSprop(Optimizer):
    """Gradient over the root of its running mean square, as in PyTorch:

        v_t = alpha * v_{t-1} + (1 - alpha) * g_t**2            v_0 = 0
        u_t = g_t / (sqrt(v_t) + epsilon)
        b_t = momentum * b_{t-1} + u_t                          b_0 = 0
        theta_t = theta_{t-1} - lr * b_t

    Parameters
    ----------
    lr : float > 0 or schedule
        Default 0.01.
    alpha : float in [0, 1)
    epsilon : float >= 1e-30
    momentum : float in [0, 1)
    learning_rate : float > 0 or schedule
        Another name of ``lr``; give one of the two.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural networks for machine learning, 2012.
    TensorFlow adds epsilon under the root: results differ.

    Examples
    --------
    >>> RMSprop()
    RMSprop(lr=0.01, alpha=0.99, epsilon=1e-08, momentum=0.0)
    """

    alpha: float
    epsilon: float
    momentum: float
    v: Array | None
    b: Array | None

    usual_lr: float | None = 0.01
    moment_names: tuple[str, ...] = ("v", "b")
    kernel: str | None = "rmsprop"

    def __init__(
        self,
        lr: Rate | None = None,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        *,
        learning_rate: Rate | None = None,
    ) -> None:
        self.alpha = checks.number("alpha", alpha, high=1, high_open=True)
        self.epsilon = checks.number("epsilon", epsilon, low=SMALLEST_EPSILON)
        self.momentum = checks.number("momentum", momentum, high=1, high_open=True)
        super().__init__(lr, learning_rate)

    def numbers(self, lr: float) -> Numbers:
        return Numbers(lr, self.alpha, 1 - self.alpha, self.epsilon, self.momentum)
