"""What all optimisers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import numpy as np

from .. import kernels
from ..base import checks
from ..base.from_arguments import FromArguments, known
from ..base.types import Array, Bools, Float, Rate, Shape


class Trainable(Protocol):
    """What optimisers read of a model; a `Model` is one."""

    @property
    def theta(self) -> Array: ...
    @property
    def trainable(self) -> Bools | None: ...
    @property
    def layout(self) -> Any: ...
    def project(self) -> None: ...


# float32 must hold epsilon * sqrt(1 - beta2**t) at t = 1: it is all that keeps 0 / 0 away where g is 0
SMALLEST_EPSILON = 1e-30


class Optimizer(FromArguments):
    """Base of all optimisers.

    The state is the step count ``t`` and ``moments``, a dict with one (P,) array for every name in
    ``moment_names``, empty before the first step.  That step binds it to the size and dtype of a model; it can be
    used with another one only after `reset`.  A moment can also be read as an attribute.

    An optimiser of your own names its moments and defines `change`; it keeps the arguments of its constructor as
    attributes of the same names, for its repr, and calls ``super().__init__(lr)``.  Those of the library name a
    ``kernel`` instead, and hand out its `numbers`.

    Parameters
    ----------
    lr : float > 0 or schedule
    learning_rate : float > 0 or schedule
        Another name of ``lr``, for those who are used to it.  Give one of the two.

    Attributes
    ----------
    epoch : int or None
        What a schedule per epoch (`PerEpoch`) is asked with: the number of epochs done.  `fit` sets it before every
        epoch; in a training loop of your own, do the same: ``optimizer.epoch = epoch``.
    usual_lr : float or None
        The learning rate where none is given; None: one must be given.
    moment_names : tuple of str
        ``"v"`` is the name of one that is never negative.
    kernel : str or None
        Name of the kernels by which `change` makes the change, for every backend; None where it is done otherwise.
    kernel_is_all : bool
        Whether a step is nothing else than that, so that a card may make it: not in a class that overrides `change` or
        `step`, unless it names a kernel too.
    decays : bool
        Whether `decay_rate` is more than 0 sometimes.

    Examples
    --------
    >>> class Signs(Optimizer):
    ...     moment_names = ("m",)
    ...
    ...     def __init__(self, lr=1e-3, beta=0.9):
    ...         self.beta = beta
    ...         super().__init__(lr)
    ...
    ...     def change(self, model, grad, lr, delta):
    ...         m = self.moments["m"]
    ...         m[:] = self.beta * m + (1 - self.beta) * grad
    ...         delta[:] = lr * np.sign(m)
    >>> Signs(0.1)
    Signs(lr=0.1, beta=0.9)
    """

    t: int
    epoch: int | None
    moments: dict[str, Array]
    _shape: Shape | None
    _dtype: Float | None
    _grad: Array
    _delta: Array
    _lr_scale: Any
    _lr_scale_of: Any

    usual_lr: float | None = None
    moment_names: tuple[str, ...] = ()
    kernel: str | None = None
    kernel_is_all: bool = True
    decays: bool = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in vars(cls).get("moment_names", ()):
            setattr(cls, name, _moment(name))
        for base in cls.__mro__:  # also of classes that are no optimisers, from which something is taken
            if "kernel" in vars(base) or {"change", "step"} & vars(base).keys():
                cls.kernel_is_all = "kernel" in vars(base)
                break

    def __init__(self, lr: Rate | None = None, learning_rate: Rate | None = None) -> None:
        if lr is not None and learning_rate is not None:
            raise TypeError(
                "`lr` and `learning_rate` are two names of one argument: give one of them, got "
                f"{checks.brief(lr)} and {checks.brief(learning_rate)}"
            )
        if learning_rate is not None:
            self.learning_rate = learning_rate
        else:
            self.lr = self.usual_lr if lr is None else lr  # type: ignore[assignment]  # refused where there is none
        self.reset()

    @classmethod
    def arguments(cls) -> list[str]:
        names = super().arguments()
        return [name for name in names if name != "learning_rate" or "lr" not in names]

    @property
    def lr(self) -> Rate:
        """Learning rate: a float > 0 or a schedule, a callable from the steps (or epochs) done, an int, to a float."""
        return self._lr

    @lr.setter
    def lr(self, value: Rate) -> None:
        self._lr = value if callable(value) else checks.number("lr", value, low_open=True)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step, a float.  Setting it sets ``lr``.

        Raises
        ------
        ValueError
            If the schedule returns something that is not a finite number >= 0, or counts epochs and ``epoch`` has not
            been set.
        """
        rate = self._lr
        return checks.number("lr", rate(self._done(rate))) if callable(rate) else rate

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        self._lr = value if callable(value) else checks.number("learning_rate", value, low_open=True)

    def _done(self, schedule: Callable[[int], float]) -> int:
        """What a schedule is asked with: steps or epochs done."""
        if not counts_epochs(schedule):
            return self.t
        if self.epoch is None:
            raise ValueError(
                "`optimizer.epoch` must be set for a schedule per epoch, got None: `fit` does it; in a loop of your "
                "own, write `optimizer.epoch = epoch` at the start of every epoch"
            )
        return checks.integer("optimizer.epoch", self.epoch, 0)

    def step(self, model: Trainable, grad: Array) -> None:
        """Change ``model.theta`` in place by one update.

        Parameters
        ----------
        model : object
            What is read of it stands in the description of `ltc_np.optim`.
        grad : (P,) array of theta's dtype
            Gradient of the loss with respect to theta.

        Raises
        ------
        TypeError, ValueError
            If theta's size or dtype is not that of the steps before, or grad's is not that of theta.  Nothing
            has been changed then.
        """
        if not hasattr(model, "theta"):
            raise TypeError(f"`model` must be a model: step(model, gradient), got {checks.describe(model)}")
        theta, trainable, lr_scale = model.theta, model.trainable, model.layout.lr_scale
        if not isinstance(grad, np.ndarray):
            raise TypeError(f"`grad` must be an array, got {type(grad).__name__}")
        if grad.shape != theta.shape or grad.dtype != theta.dtype:
            raise ValueError(f"`grad` must be {checks.describe(theta)} like theta, got {checks.describe(grad)}")
        lr = self.learning_rate
        if theta.shape != self._shape or theta.dtype != self._dtype:
            self.bind(theta)
        if trainable is not None:
            self._grad.fill(0)  # where= below, not a product: 0 * nan is nan
            np.copyto(self._grad, grad, where=trainable)
            grad = self._grad
        elif not grad.flags.carray:  # for which a kernel would be compiled again
            np.copyto(self._grad, grad)
            grad = self._grad
        self.t += 1
        delta = self._delta
        if cast("Any", self.change(model, grad, lr, delta)) is not None:
            self.t -= 1
            raise TypeError(
                f"`change` of {type(self).__name__} must write into `delta`, and return nothing: delta[:] = ..."
            )
        if lr_scale is not None:
            if lr_scale is not self._lr_scale_of:
                self._lr_scale, self._lr_scale_of = lr_scale.astype(self._dtype), lr_scale
            delta *= self._lr_scale
        if trainable is None:
            theta -= delta
        else:
            np.subtract(theta, delta, out=theta, where=trainable)
        model.project()

    def numbers(self, lr: float) -> Any:
        """What the kernel needs of this step, ``t`` counting it already: a NamedTuple of numbers."""
        raise NotImplementedError(f"{type(self).__name__} must define `change`, or `kernel` and `numbers`")

    def numbers_ahead(self, rates: Array) -> Array:
        """`numbers` of the next steps, with these learning rates: float64, a row for each."""
        now = self.t
        try:
            found = []
            for k, lr in enumerate(rates.tolist(), now + 1):
                self.t = k
                found.append(self.numbers(lr))
        finally:
            self.t = now
        return np.array(found, np.float64)

    def rates_ahead(self, count: int) -> Array:
        """Learning rates of the next steps, float64: ``count`` of them, or those before a schedule raises an error.

        The error of the first one is raised.
        """
        rates, now = np.empty(count), self.t
        if not callable(self._lr):
            rates[:] = self._lr
            return rates
        try:
            for k in range(count):
                self.t = now + k
                rates[k] = self.learning_rate
        except Exception:
            if self.t == now:
                raise
            return rates[:k]  # whoever makes these steps comes to it again
        finally:
            self.t = now
        return rates

    def decay_rate(self, lr: float) -> float:
        """The share of a parameter that is subtracted as well where `decayed` says, before ``lr_scale``."""
        return 0.0

    def decayed(self, layout: Any) -> Bools:
        """Which parameters `decay_rate` is for: (P,) bool array."""
        return layout.decay

    def change(self, model: Trainable, grad: Array, lr: float, delta: Array) -> None:
        """Update the moments and say what is to be subtracted from theta.

        Parameters
        ----------
        model : object
            Not to be changed.
        grad : (P,) array
            0 where theta is frozen.
        lr : float
            Learning rate of this step.
        delta : (P,) array
            For the result, before ``lr_scale``; what is in it has no meaning.
        """
        numbers, backend = self.numbers(lr), kernels.on_host(getattr(model, "backend", "numpy"))
        kernels.load(backend, self.kernel).change(grad, *self.moments.values(), delta, *numbers)

    def state(self) -> dict[str, Any]:
        """All that a later `load_state` needs to go on with the same bits.

        Returns
        -------
        dict
            ``"t"``, the number of steps done (int), and copies of the moments, (P,) arrays, once there are
            any.
        """
        return {"t": self.t, **{name: values.copy() for name, values in self.moments.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
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
        if names != set(self.moment_names) and (names or t > 0):
            rule = f"must have t, {', '.join(self.moment_names)}"
            raise ValueError(f"`state` of {type(self).__name__} {rule}, got {', '.join(map(str, state))}")
        moments = {name: np.array(state[name]) for name in self.moment_names if name in names}
        first: Any = next(iter(moments.values()), None)
        for name, values in moments.items():
            if values.dtype not in (np.float32, np.float64) or values.ndim != 1:
                got = checks.describe(values)
                raise ValueError(f"`state[{name!r}]` must be a flat float32 or float64 array, got {got}")
            if values.shape != first.shape or values.dtype != first.dtype:
                raise ValueError(f"`state[{name!r}]` must be {checks.describe(first)}, got {checks.describe(values)}")
            bad = ~np.isfinite(values) | (values < 0 if name == "v" else False)  # v goes under a root
            if bad.any():
                rule = "finite and >= 0" if name == "v" else "finite"
                raise ValueError(f"`state[{name!r}]` must be {rule}, got {values[bad][0]}")
        self.reset()
        if first is not None:
            self._allocate(first.shape, first.dtype)
        self.moments = moments
        self.t = int(t)

    def reset(self) -> None:
        """Forget all steps and epochs, and the size and dtype of the model."""
        self.t, self.epoch = 0, None
        self._shape = self._dtype = None
        self.moments = {}

    def bind(self, theta: Array) -> None:
        """Take the size and dtype of ``theta``, and make the moments, unless it is done.

        Raises
        ------
        TypeError, ValueError
            If they are not those of the steps before, or theta is no flat float array.
        """
        if theta.shape == self._shape and theta.dtype == self._dtype:
            return
        if self._shape is not None:
            rule = f"must be {self._dtype} of shape {self._shape} as in the steps before"
            raise ValueError(f"`model.theta` {rule}, got {checks.describe(theta)}: take a fresh optimiser")
        if theta.dtype not in (np.float32, np.float64) or theta.ndim != 1:
            raise TypeError(f"`model.theta` must be a flat float32 or float64 array, got {checks.describe(theta)}")
        self._allocate(theta.shape, theta.dtype)

    def _allocate(self, shape: Shape, dtype: Float) -> None:
        self._shape, self._dtype = shape, dtype
        self.moments = {name: np.zeros(shape, dtype) for name in self.moment_names}
        self._grad, self._delta = (np.zeros(shape, dtype) for _ in range(2))
        self._lr_scale = self._lr_scale_of = None

    def __repr__(self) -> str:
        return by_name(self)


def counts_epochs(schedule: object) -> bool:
    """Whether a schedule, or a function in its place, is to be asked with epochs instead of steps."""
    return getattr(schedule, "per", "step") == "epoch"


def _moment(name: str) -> property:
    """A moment as an attribute, None before the first step."""
    return property(lambda self: self.moments.get(name), lambda self, values: self.moments.update({name: values}))


def by_name(described: FromArguments) -> str:
    """The repr with all arguments, by their names."""
    config = known(described)
    arguments = ", ".join(f"{name}={value!r}" for name, value in config.items()) if config is not None else "..."
    return f"{type(described).__name__}({arguments})"
