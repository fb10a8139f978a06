"""Adam, and with weight decay."""

import math

import numpy as np

from ..base import checks
from ..kernels.numpy.adam import Numbers
from .base import SMALLEST_EPSILON, Optimizer


class Adam(Optimizer):
    """Adaptive moment estimation:

        m_t = beta1 * m_{t-1} + (1 - beta1) * g_t               m_0 = 0
        v_t = beta2 * v_{t-1} + (1 - beta2) * g_t**2            v_0 = 0
        theta_t = theta_{t-1} - lr * (m_t / (1 - beta1**t)) / (sqrt(v_t / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    lr : float > 0 or schedule
    beta1, beta2 : float in [0, 1)
    epsilon : float >= 1e-30
        Added outside the root and after the correction of v, as in the paper's algorithm 1 and in PyTorch;
        TensorFlow adds it before the correction.

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

    moment_names = ("m", "v")
    kernel = "adam"

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.beta1 = checks.number("beta1", beta1, high=1, high_open=True)
        self.beta2 = checks.number("beta2", beta2, high=1, high_open=True)
        self.epsilon = checks.number("epsilon", epsilon, low=SMALLEST_EPSILON)
        super().__init__(lr)

    def numbers(self, lr):
        # both sides of the quotient times sqrt(1 - beta2**t): the corrections cost no pass over the arrays
        root = math.sqrt(1 - self.beta2**self.t)
        rate = lr * root / (1 - self.beta1**self.t)
        return Numbers(rate, 1 - self.beta1, self.beta2, 1 - self.beta2, self.epsilon * root)


class AdamW(Adam):
    """`Adam` with decoupled weight decay: Adam's update of theta_{t-1}, minus

        lr * weight_decay * theta_{t-1}        where ``model.layout.decay``

    Parameters
    ----------
    lr, beta1, beta2, epsilon
        Those of `Adam`.
    weight_decay : float >= 0
        Multiplied by the learning rate, scheduled or not, as in PyTorch (the paper multiplies by the schedule
        only).

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, arXiv:1711.05101, algorithm 2.

    Examples
    --------
    >>> AdamW(3e-3)
    AdamW(lr=0.003, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)
    """

    kernel = "adam"
    decays = True

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
        self.weight_decay = checks.number("weight_decay", weight_decay)
        super().__init__(lr, beta1, beta2, epsilon)

    def decay_rate(self, lr):
        return lr * self.weight_decay

    def change(self, model, grad, lr, delta):
        super().change(model, grad, lr, delta)
        decay = model.layout.decay
        if decay is not self._decay_of:
            self._decay, self._decay_of, self._work = decay.astype(delta.dtype), decay, np.empty_like(delta)
        work = self._work
        np.multiply(model.theta, self._decay, out=work)
        work *= delta.dtype.type(self.decay_rate(lr))
        delta += work

    def reset(self):
        super().reset()
        self._decay = self._decay_of = self._work = None
