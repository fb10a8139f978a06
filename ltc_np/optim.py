"""Optimisers on one flat parameter vector, learning rate schedules and clipping of the gradient.

``optimizer.step(model, grad)`` changes ``model.theta`` in place.  Of the model it reads

- ``theta``: (P,) contiguous float32 or float64 array,
- ``trainable``: (P,) bool array, or None when all are trainable,
- ``layout.lr_scale``: (P,) array, or None when all are 1,
- ``layout.decay``: (P,) bool array (`AdamW` only),
- ``backend``: ``"cpu"`` for Numba's kernels (`Adam` only; the same bits), ``"numpy"`` if it has none,

and it ends with ``model.project()``, which restores bounds.  P is the number of parameters, t counts the
steps from 1, g is the gradient, lr the learning rate times ``lr_scale``.  Where ``trainable`` is False, theta
keeps its bits and g counts as 0, whatever is in it.  All arithmetic is done in the dtype of theta, without
allocating.

The gradient is not searched for NaN: a non-finite one makes theta non-finite, as in other libraries.  The
norm that `clip_by_global_norm` returns, or the loss, tells before it is too late.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from . import kernels
from .base.blas import sum_of_squares

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "ExponentialDecay",
    "Optimizer",
    "RMSprop",
    "WarmUp",
    "clip_by_global_norm",
    "get",
]


class Optimizer:
    """Base of all optimisers; a new one defines ``_arguments``, ``_moments`` and ``_change``.

    The state is the step count ``t`` and one (P,) array for every name in ``_moments``.  The first step binds
    it to the size and dtype of a model; it can be used with another one only after ``reset``.

    ``_arguments`` are the constructor's, for ``repr``.  ``_change(theta, grad, lr)`` updates the moments and
    writes what is to be subtracted from theta, before ``lr_scale``, into ``_delta``; ``_work`` is another
    (P,) array to use, and ``_scalars`` are 0-d arrays, views of ``_numbers``: a ufunc takes one of theta's dtype
    twice as fast as a Python float, and they follow when somebody changes a hyperparameter between steps.
    """

    _arguments = ("lr",)
    _moments = ()

    def __init__(self, lr):
        self.lr = lr
        self.reset()

    @property
    def lr(self):
        """Learning rate: a float > 0 or a schedule, a callable from the steps done (int) to a float."""
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value if callable(value) else _number("lr", value, low=0, open_low=True)

    @property
    def learning_rate(self):
        """The learning rate of the next step, a float.

        Raises
        ------
        ValueError
            If the schedule returns something that is not a finite number >= 0.
        """
        return _number("lr", self._lr(self.t), low=0) if callable(self._lr) else self._lr

    def step(self, model, grad):
        """Change ``model.theta`` in place by one update.

        Parameters
        ----------
        model : object
            See the module's description.
        grad : (P,) array of theta's dtype
            Gradient of the loss with respect to theta.

        Raises
        ------
        TypeError, ValueError
            If theta's size or dtype is not that of the steps before, or grad's is not that of theta.  Nothing
            has been changed then.
        """
        theta, trainable, lr_scale = model.theta, model.trainable, model.layout.lr_scale
        if not isinstance(grad, np.ndarray):
            raise TypeError(f"`grad` must be an array, got {type(grad).__name__}")
        if grad.shape != theta.shape or grad.dtype != theta.dtype:
            raise ValueError(f"`grad` must be {_describe(theta)} like theta, got {_describe(grad)}")
        lr = self.learning_rate
        if theta.shape != self._shape or theta.dtype != self._dtype:
            self._bind(theta)
        if trainable is not None:
            self._grad.fill(0)  # where= below, not a product: 0 * nan is nan
            np.copyto(self._grad, grad, where=trainable)
            grad = self._grad
        elif not grad.flags.carray:  # for which a kernel would be compiled again
            np.copyto(self._grad, grad)
            grad = self._grad
        self._prepare(model)
        self.t += 1
        self._change(theta, grad, lr)
        delta = self._delta
        if lr_scale is not None:
            if lr_scale is not self._lr_scale_of:
                self._lr_scale, self._lr_scale_of = lr_scale.astype(self._dtype), lr_scale
            np.multiply(delta, self._lr_scale, out=delta)
        if trainable is None:
            np.subtract(theta, delta, out=theta)
        else:
            np.subtract(theta, delta, out=theta, where=trainable)
        model.project()

    def _prepare(self, model):
        """Read what ``_change`` needs of the model."""

    def state(self):
        """All that a later `load_state` needs to go on with the same bits.

        Returns
        -------
        dict
            ``"t"``, the number of steps done (int), and copies of the moments, (P,) arrays, once there are
            any.
        """
        moments = {} if self._shape is None else {name: getattr(self, name).copy() for name in self._moments}
        return {"t": self.t, **moments}

    def load_state(self, state):
        """Go on from a `state` of an optimiser of the same class.

        Parameters
        ----------
        state : mapping
            Copied.  The hyperparameters are not part of it.

        Raises
        ------
        TypeError, ValueError
            Missing or unknown names, a negative ``t``, arrays that are not finite or differ in shape or
            dtype.  Nothing has been changed then.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"`state` must be a mapping, got {type(state).__name__}")
        t = np.asarray(state.get("t", -1))
        if t.ndim != 0 or t.dtype.kind not in "iu" or t < 0:
            raise ValueError(f"`state['t']` must be an int >= 0, got {state.get('t')!r}")
        names = set(state) - {"t"}
        if names != set(self._moments) and (names or t > 0):
            rule = f"must have t, {', '.join(self._moments)}"
            raise ValueError(f"`state` of {type(self).__name__} {rule}, got {', '.join(map(str, state))}")
        moments = {name: np.array(state[name]) for name in self._moments if name in names}
        first = next(iter(moments.values()), None)
        for name, values in moments.items():
            if values.dtype not in (np.float32, np.float64) or values.ndim != 1:
                got = _describe(values)
                raise ValueError(f"`state[{name!r}]` must be a flat float32 or float64 array, got {got}")
            if values.shape != first.shape or values.dtype != first.dtype:
                raise ValueError(f"`state[{name!r}]` must be {_describe(first)}, got {_describe(values)}")
            bad = ~np.isfinite(values) | (values < 0 if name == "v" else False)  # v goes under a root
            if bad.any():
                rule = "finite and >= 0" if name == "v" else "finite"
                raise ValueError(f"`state[{name!r}]` must be {rule}, got {values[bad][0]}")
        self.reset()
        if first is not None:
            self._allocate(first.shape, first.dtype)
        for name, values in moments.items():
            setattr(self, name, values)
        self.t = int(t)

    def reset(self):
        """Forget all steps, and the size and dtype of the model."""
        self.t = 0
        self._shape = self._dtype = None
        for name in self._moments:
            setattr(self, name, None)

    def _bind(self, theta):
        if self._shape is not None:
            rule = f"must be {self._dtype} of shape {self._shape} as in the steps before"
            raise ValueError(f"`model.theta` {rule}, got {_describe(theta)}: take a fresh optimiser")
        if theta.dtype not in (np.float32, np.float64) or theta.ndim != 1:
            raise TypeError(f"`model.theta` must be a flat float32 or float64 array, got {_describe(theta)}")
        self._allocate(theta.shape, theta.dtype)

    def _allocate(self, shape, dtype):
        self._shape, self._dtype = shape, dtype
        for name in self._moments:
            setattr(self, name, np.zeros(shape, dtype))
        self._grad, self._delta, self._work = (np.zeros(shape, dtype) for _ in range(3))
        self._numbers = np.zeros(6, dtype)
        self._view_numbers()
        self._lr_scale = self._lr_scale_of = None

    def _view_numbers(self):
        self._scalars = tuple(self._numbers[k : k + 1].reshape(()) for k in range(6))

    def __setstate__(self, state):
        vars(self).update(state)
        if self._shape is not None:
            self._view_numbers()  # copies and pickles of views are arrays of their own

    def __repr__(self):
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._arguments)
        return f"{type(self).__name__}({arguments})"


class SGD(Optimizer):
    """Gradient descent, with momentum as in PyTorch:

        b_t = momentum * b_{t-1} + g_t                          b_0 = 0
        theta_t = theta_{t-1} - lr * b_t
        theta_t = theta_{t-1} - lr * (g_t + momentum * b_t)     with nesterov

    Parameters
    ----------
    lr : float > 0 or schedule
    momentum : float in [0, 1)
    nesterov : bool
        Needs momentum > 0.

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

    _arguments = ("lr", "momentum", "nesterov")
    _moments = ("b",)

    def __init__(self, lr, momentum=0.0, nesterov=False):
        self.momentum = _number("momentum", momentum, low=0, high=1)
        if not isinstance(nesterov, (bool, np.bool_)):
            raise TypeError(f"`nesterov` must be a bool, got {nesterov!r}")
        if nesterov and self.momentum == 0:
            raise ValueError(f"`momentum` must be > 0 with nesterov, got {momentum}")
        self.nesterov = bool(nesterov)
        super().__init__(lr)

    def _change(self, theta, grad, lr):
        b, delta = self.b, self._delta
        rate, decay = self._scalars[:2]
        rate[()], decay[()] = lr, self.momentum
        direction = grad
        if self.momentum:
            np.multiply(b, decay, out=b)
            np.add(b, grad, out=b)
            direction = b
        if self.nesterov:
            np.multiply(b, decay, out=delta)
            np.add(delta, grad, out=delta)
            direction = delta
        np.multiply(direction, rate, out=delta)


class RMSprop(Optimizer):
    """Gradient over the root of its running mean square, as in PyTorch:

        v_t = alpha * v_{t-1} + (1 - alpha) * g_t**2            v_0 = 0
        u_t = g_t / (sqrt(v_t) + epsilon)
        b_t = momentum * b_{t-1} + u_t                          b_0 = 0
        theta_t = theta_{t-1} - lr * b_t

    Parameters
    ----------
    lr : float > 0 or schedule
    alpha : float in [0, 1)
    epsilon : float >= 1e-30
    momentum : float in [0, 1)

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural networks for machine learning, 2012.
    TensorFlow adds epsilon under the root: results differ.

    Examples
    --------
    >>> RMSprop()
    RMSprop(lr=0.01, alpha=0.99, epsilon=1e-08, momentum=0.0)
    """

    _arguments = ("lr", "alpha", "epsilon", "momentum")
    _moments = ("v", "b")

    def __init__(self, lr=0.01, alpha=0.99, epsilon=1e-8, momentum=0.0):
        self.alpha = _number("alpha", alpha, low=0, high=1)
        self.epsilon = _number("epsilon", epsilon, low=_SMALLEST_EPSILON)
        self.momentum = _number("momentum", momentum, low=0, high=1)
        super().__init__(lr)

    def _change(self, theta, grad, lr):
        v, b, delta, work = self.v, self.b, self._delta, self._work
        rate, keep, take, epsilon, decay = self._scalars[:5]
        rate[()], keep[()], take[()] = lr, self.alpha, 1 - self.alpha
        epsilon[()], decay[()] = self.epsilon, self.momentum
        np.multiply(v, keep, out=v)
        np.multiply(grad, grad, out=work)
        np.multiply(work, take, out=work)
        np.add(v, work, out=v)
        np.sqrt(v, out=work)
        np.add(work, epsilon, out=work)
        np.divide(grad, work, out=delta)
        direction = delta
        if self.momentum:
            np.multiply(b, decay, out=b)
            np.add(b, delta, out=b)
            direction = b
        np.multiply(direction, rate, out=delta)


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

    _arguments = ("lr", "beta1", "beta2", "epsilon")
    _moments = ("m", "v")

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.beta1 = _number("beta1", beta1, low=0, high=1)
        self.beta2 = _number("beta2", beta2, low=0, high=1)
        self.epsilon = _number("epsilon", epsilon, low=_SMALLEST_EPSILON)
        super().__init__(lr)

    def _prepare(self, model):
        backend = getattr(model, "backend", "numpy")
        self._backend = "cpu" if backend == "cuda" else backend  # of what a GPU's model leaves to the host

    def _change(self, theta, grad, lr):
        m, v, delta, work = self.m, self.v, self._delta, self._work
        rate, take1, keep2, take2, epsilon = self._scalars[:5]
        # both sides of the quotient times sqrt(1 - beta2**t): the corrections cost no pass over the arrays
        root = math.sqrt(1 - self.beta2**self.t)
        rate[()] = lr * root / (1 - self.beta1**self.t)
        epsilon[()] = self.epsilon * root
        take1[()], keep2[()], take2[()] = 1 - self.beta1, self.beta2, 1 - self.beta2
        fast = kernels.load(self._backend, "adam")
        if fast:
            fast.change(grad, m, v, delta, self._numbers)
            return
        np.subtract(grad, m, out=work)
        np.multiply(work, take1, out=work)
        np.add(m, work, out=m)
        np.multiply(v, keep2, out=v)
        np.multiply(grad, grad, out=work)
        np.multiply(work, take2, out=work)
        np.add(v, work, out=v)
        np.sqrt(v, out=work)
        np.add(work, epsilon, out=work)
        np.divide(m, work, out=delta)
        np.multiply(delta, rate, out=delta)


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

    _arguments = (*Adam._arguments, "weight_decay")

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
        self.weight_decay = _number("weight_decay", weight_decay, low=0)
        super().__init__(lr, beta1, beta2, epsilon)

    def _allocate(self, shape, dtype):
        super()._allocate(shape, dtype)
        self._decay = self._decay_of = None

    def _prepare(self, model):
        super()._prepare(model)
        decay = model.layout.decay
        if decay is not self._decay_of:
            self._decay, self._decay_of = decay.astype(self._dtype), decay

    def _change(self, theta, grad, lr):
        super()._change(theta, grad, lr)
        rate = self._scalars[5]
        rate[()] = lr * self.weight_decay
        np.multiply(theta, self._decay, out=self._work)
        np.multiply(self._work, rate, out=self._work)
        np.add(self._delta, self._work, out=self._delta)


_CLASSES = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD}


def get(optimizer):
    """An optimiser from a name or an optimiser.

    Parameters
    ----------
    optimizer : str or Optimizer
        ``"adam"``, ``"adamw"``, ``"rmsprop"`` or ``"sgd"``: a new one with default arguments (lr = 0.01 for
        ``"sgd"``, whose class has no default).  An `Optimizer` is returned as it is, with its state.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        Anything else.

    Examples
    --------
    >>> get("adam")
    Adam(lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    rule = f"`optimizer` must be an Optimizer or one of {', '.join(_CLASSES)}"
    if not isinstance(optimizer, str):
        raise TypeError(f"{rule}, got {optimizer!r}")
    if optimizer not in _CLASSES:
        raise ValueError(f"{rule}, got {optimizer!r}")
    return SGD(0.01) if optimizer == "sgd" else _CLASSES[optimizer]()


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
        _number("lr", self.lr, low=0, open_low=True)
        _number("rate", self.rate, low=0, high=1, open_low=True, open_high=False)
        _steps(self.steps)

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
        _number("lr", self.lr, low=0, open_low=True)
        _number("final", self.final, low=0)
        _steps(self.steps)

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
            _number("schedule", self.schedule, low=0, open_low=True)
        _steps(self.steps)

    def __call__(self, step):
        after = max(step - self.steps, 0)
        lr = self.schedule(after) if callable(self.schedule) else self.schedule
        return lr * min((step + 1) / self.steps, 1)


def clip_by_global_norm(grad, max_norm):
    """Scale a gradient in place so that its Euclidean norm is at most ``max_norm``.

    Parameters
    ----------
    grad : float array
        Changed only if its norm is finite and larger than ``max_norm``.
    max_norm : float > 0

    Returns
    -------
    float
        The norm before, computed in float64 without overflow; inf or nan if ``grad`` has such elements.

    Raises
    ------
    TypeError
        A gradient that is not a float array.
    ValueError
        A ``max_norm`` that is not a number > 0.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1.

    Examples
    --------
    >>> grad = np.array([3.0, 4.0])
    >>> clip_by_global_norm(grad, 2.5), grad.tolist()
    (5.0, [1.5, 2.0])
    """
    if not isinstance(grad, np.ndarray) or grad.dtype.kind != "f":
        raise TypeError(f"`grad` must be a float array, got {getattr(grad, 'dtype', type(grad).__name__)}")
    max_norm = _number("max_norm", max_norm, low=0, open_low=True)
    largest = 1.0  # squares of narrower floats do not overflow in float64
    if grad.dtype.itemsize >= 8:
        largest = float(np.abs(grad).max(initial=0.0))
        if largest == 0 or not math.isfinite(largest):
            return largest
    norm = largest * math.sqrt(sum_of_squares(np.divide(grad, largest, dtype=np.float64)))
    if max_norm < norm < math.inf:
        np.multiply(grad, max_norm / norm, out=grad, dtype=np.float64, casting="same_kind")
    return norm


# float32 must hold epsilon * sqrt(1 - beta2**t) at t = 1: it is all that keeps 0 / 0 away where g is 0
_SMALLEST_EPSILON = 1e-30


def _number(name, value, low, high=math.inf, open_low=False, open_high=True):
    """``value`` as a float, if it is a real number between ``low`` and ``high``; infinity never is."""
    if type(value) is float and low < value < high:  # as it comes in every step
        return value
    number = isinstance(value, (Real, np.ndarray)) and np.ndim(value) == 0 and not isinstance(value, bool)
    above = number and (low < value if open_low else low <= value)
    if not above or not (value < high if open_high else value <= high):
        rule = f"{'>' if open_low else '>='} {low}"
        if high < math.inf:
            rule = f"in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
        error = ValueError if number else TypeError
        raise error(f"`{name}` must be a finite number {rule}, got {value!r}")
    return float(value)


def _steps(value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`steps` must be an int >= 1, got {value!r}")


def _describe(array):
    return f"{array.dtype} of shape {array.shape}"
