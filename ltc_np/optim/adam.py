"""Adam (docs/maths/optimisers.md#adam), and with weight decay (docs/maths/optimisers.md#weight-decay)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import checks
from ..base.layout import shrinkage
from ..base.types import Array, Bools, Float, Rate
from ..kernels.numpy.adam import Numbers
from .base import SMALLEST_EPSILON, Optimizer, Trainable


class Adam(Optimizer):
    """Adaptive moment estimation:

        m_t = beta1 * m_{t-1} + (1 - beta1) * g_t               m_0 = 0
        v_t = beta2 * v_{t-1} + (1 - beta2) * g_t**2            v_0 = 0
        theta_t = theta_{t-1} - lr * (m_t / (1 - beta1**t)) / (sqrt(v_t / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    lr : float > 0 or schedule
        Default 1e-3.
    beta1, beta2 : float in [0, 1)
    epsilon : float >= 1e-30
        Added outside the root and after the correction of v, as in the paper's algorithm 1 and in PyTorch;
        TensorFlow adds it before the correction.
    learning_rate : float > 0 or schedule
        Another name of ``lr``; give one of the two.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980, algorithm 1.

    Examples
    --------
    Any object with the attributes named at the top will do as a model:

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(theta=np.array([3.0, -2.0]), trainable=None, project=lambda: None)
    >>> model.layout = SimpleNamespace(lr_scale=None)
    >>> optimizer = Adam(0.1)
    >>> for k in range(300):
    ...     if k % 100 == 0:
    ...         print(f"{np.sum(model.theta**2):.1e}")
    ...     optimizer.step(model, 2 * model.theta)
    1.3e+01
    4.5e-04
    6.1e-09
    """

    beta1: float
    beta2: float
    epsilon: float
    m: Array | None
    v: Array | None

    usual_lr: float | None = 1e-3
    moment_names: tuple[str, ...] = ("m", "v")
    kernel: str | None = "adam"

    def __init__(
        self,
        lr: Rate | None = None,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        learning_rate: Rate | None = None,
    ) -> None:
        self.beta1 = checks.number("beta1", beta1, high=1, high_open=True)
        self.beta2 = checks.number("beta2", beta2, high=1, high_open=True)
        self.epsilon = checks.number("epsilon", epsilon, low=SMALLEST_EPSILON)
        super().__init__(lr, learning_rate)

    def numbers(self, lr: float) -> Numbers:
        return self._numbers(lr, self.beta1**self.t, self.beta2**self.t, math.sqrt)

    def numbers_ahead(self, rates: Array) -> Array:
        if type(self).numbers is not Adam.numbers:
            return super().numbers_ahead(rates)
        steps = range(self.t + 1, self.t + 1 + len(rates))
        first, second = (np.array([beta**t for t in steps]) for beta in (self.beta1, self.beta2))
        found = np.empty((len(rates), len(Numbers._fields)))
        for column, values in zip(found.T, self._numbers(rates, first, second, np.sqrt), strict=True):
            column[:] = values
        return found

    def _numbers(self, lr: Any, first: Any, second: Any, sqrt: Callable[[Any], Any]) -> Numbers:
        """Of steps with these learning rates, by the powers of beta1 and beta2."""
        # both sides of the quotient times sqrt(1 - beta2**t): the corrections cost no pass over the arrays
        root = sqrt(1 - second)
        return Numbers(lr * root / (1 - first), 1 - self.beta1, self.beta2, 1 - self.beta2, self.epsilon * root)


class AdamW(Adam):
    """`Adam` with decoupled weight decay: Adam's update of theta_{t-1}, minus

        lr * weight_decay * theta_{t-1}        of the parameters that ``decay`` names

    Parameters
    ----------
    lr, beta1, beta2, epsilon, learning_rate
        Those of `Adam`.
    weight_decay : float >= 0
        Multiplied by the learning rate, scheduled or not, as in PyTorch (the paper multiplies by the schedule
        only).
    decay : None, "all", or names of parameters
        Which parameters decay.  None: the matrices of `Dense` and of the cells made of matrices (CfC, LSTM, GRU, ...),
        and nothing of an LTC, which has none.  ``"all"``: every parameter.  Else a name or several, as for
        `Model.freeze`: ``decay=("w", "sensory_w")`` for an LTC alone, ``decay="0"`` for all of the first layer of a
        stack.  Frozen parameters never decay.

    Notes
    -----
    What decays is the *effective* value.  A parameter that is kept positive by softplus, such as ``w`` of an LTC, has
    an effective value p(theta), and theta loses lr * weight_decay * p / p'(theta): so p itself loses the share
    lr * weight_decay, to first order, and tends to 0.  (Without it, theta would tend to 0 and p to log 2 = 0.69, from
    below as well.)  In an LTC, ``w`` and ``sensory_w`` are the strengths of synapses and ``erev`` the potentials that
    these pull to; the decay of ``cm`` shortens the time constants, that of ``gleak`` makes them longer, and that of
    ``mu`` and ``sigma`` moves and flattens the sigmoids.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, arXiv:1711.05101, algorithm 2.

    Examples
    --------
    >>> AdamW(3e-3, decay=("w", "sensory_w"))
    AdamW(lr=0.003, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01, decay=('w', 'sensory_w'))
    """

    weight_decay: float
    _mask: Any
    _mask_of: Any

    kernel: str | None = "adam"
    decays = True

    def __init__(
        self,
        lr: Rate | None = None,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        decay: str | Sequence[str] | None = None,
        learning_rate: Rate | None = None,
    ) -> None:
        self.weight_decay = checks.number("weight_decay", weight_decay)
        self.decay = decay
        super().__init__(lr, beta1, beta2, epsilon, learning_rate=learning_rate)

    @property
    def decay(self) -> str | tuple[str, ...] | None:
        """Which parameters decay: None, ``"all"`` or names."""
        return self._decay

    @decay.setter
    def decay(self, names: str | Sequence[str] | None) -> None:
        names = list(names) if isinstance(names, (list, tuple)) else names
        several = names if isinstance(names, list) else [] if names is None else [names]
        if names == [] or not all(isinstance(name, str) for name in several):
            rule = '`decay` must be None, "all", or a name or several names of parameters'
            raise TypeError(f"{rule}, got {checks.brief(names)}")
        self._decay: Any = tuple(names) if isinstance(names, list) else names
        self._mask = self._mask_of = None

    def decay_rate(self, lr: float) -> float:
        return lr * self.weight_decay

    def decayed(self, layout: Any) -> Bools:
        if self.decay is None:
            return layout.decay
        if self.decay == "all":
            return np.ones(layout.decay.shape, bool)
        return layout.select("decay", (self.decay,) if isinstance(self.decay, str) else self.decay)

    def step(self, model: Trainable, grad: Array) -> None:
        self._look_up(model.layout, model.theta.dtype)  # names that are wrong raise before anything has changed
        super().step(model, grad)

    def _look_up(self, layout: Any, dtype: Float) -> None:
        """What decays of a model of this layout, unless it is known: the mask as numbers, and where it is softplus."""
        if layout is self._mask_of and self._mask.dtype == dtype:
            return
        mask = self.decayed(layout)
        self._positive = [where for where in layout.softplus if mask[where].any()]
        self._mask, self._mask_of, self._work = mask.astype(dtype), layout, np.empty(mask.shape, dtype)

    def change(self, model: Trainable, grad: Array, lr: float, delta: Array) -> None:
        super().change(model, grad, lr, delta)
        self._look_up(model.layout, delta.dtype)
        work = self._work
        np.multiply(model.theta, self._mask, out=work)
        for where in self._positive:
            work[where] = shrinkage(model.theta[where]) * self._mask[where]
        work *= delta.dtype.type(self.decay_rate(lr))
        delta += work

    def reset(self) -> None:
        super().reset()
        self._mask = self._mask_of = None
