"""Gradient descent, also with momentum: docs/maths/optimisers.md#momentum."""

from __future__ import annotations

from ..base import checks
from ..base.types import Array, Rate
from ..kernels.numpy.sgd import Numbers
from .base import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum as in PyTorch:

        b_t = momentum * b_{t-1} + g_t                          b_0 = 0
        theta_t = theta_{t-1} - lr * b_t
        theta_t = theta_{t-1} - lr * (g_t + momentum * b_t)     with nesterov

    Parameters
    ----------
    lr : float > 0 or schedule
        Must be given.
    momentum : float in [0, 1)
    nesterov : bool
        Needs momentum > 0.
    learning_rate : float > 0 or schedule
        Another name of ``lr``; give one of the two.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.  Sutskever et al., "On
    the importance of initialization and momentum in deep learning", ICML 2013 (where b contains lr: the two
    differ while the learning rate changes).

    Examples
    --------
    >>> SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9, nesterov=False)
    """

    momentum: float
    nesterov: bool
    b: Array | None

    moment_names: tuple[str, ...] = ("b",)
    kernel: str | None = "sgd"

    def __init__(
        self,
        lr: Rate | None = None,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        learning_rate: Rate | None = None,
    ) -> None:
        self.momentum = checks.number("momentum", momentum, high=1, high_open=True)
        self.nesterov = checks.boolean("nesterov", nesterov)
        if nesterov and self.momentum == 0:
            raise ValueError(f"`momentum` must be > 0 with nesterov, got {momentum}")
        super().__init__(lr, learning_rate)

    def numbers(self, lr: float) -> Numbers:
        return Numbers(lr, self.momentum, float(self.nesterov))
