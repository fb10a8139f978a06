"""Distributions of actions: what a policy's outputs say about them, and what learning needs of that.

Rows are steps: outputs y (N, O) of a policy, and for each a *draw*, which is what likelihoods are of; `actions` makes
of draws what an environment takes.  Numbers are float64.  Every derivative stands below its function: given ``d`` (N,),
that of a loss by the function's value, it returns that by the outputs, and by the distribution's own parameters.
docs/control.md derives them.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Array, ArrayLike, Numbers
from ..losses.mixture import Mixture
from ..losses.mixture_density import LOG_NORMAL, log_softmax, parts, unchecked

# Nodes and weights of E f(xi) for a standard normal xi.  Entropies here have errors below 1e-6 for deviations up to 1,
# of 2e-3 at 2.7 and of 0.08 at 7.4; derivatives are those of what is computed.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
ROUNDING = 1e-6  # of actions with 32 bits, in units of half the distance of their bounds


class Adjoint(NamedTuple):
    """Derivatives of a loss by a policy's outputs (N, O), and by the distribution's own parameters (own,)."""

    y: Array
    own: Array


class Distribution(Immutable, abc.ABC):
    """What the outputs of a policy say about the actions of one step.

    Attributes
    ----------
    outputs : int
        O, numbers that the policy must give.
    own : int
        Parameters of its own, which are learnt, and the same for every observation.
    """

    outputs: int
    own: int = 0

    def initial(self) -> Array:
        """Its own parameters (own,) to begin with."""
        return np.zeros(0)

    @abc.abstractmethod
    def sample(self, y: Array, own: Array, rng: np.random.Generator) -> Numbers:
        """A random draw for each row of y (N, O)."""

    @abc.abstractmethod
    def mode(self, y: Array) -> Numbers:
        """The draw of a policy that does not explore."""

    @abc.abstractmethod
    def actions(self, draws: Numbers) -> Numbers:
        """What an environment takes: (N,) integers, or (N, A) numbers within its bounds."""

    @abc.abstractmethod
    def draws(self, actions: ArrayLike) -> Numbers:
        """Draws that give these actions: inverse of `actions`, for learning from actions of others."""

    @abc.abstractmethod
    def log_probability(self, y: Array, own: Array, draws: Numbers) -> Array:
        """ln p (N,) of draws; of numbers it is that of a density."""

    @abc.abstractmethod
    def d_log_probability(self, y: Array, own: Array, draws: Numbers, d: Array) -> Adjoint:
        """Adjoint of `log_probability`."""

    @abc.abstractmethod
    def entropy(self, y: Array, own: Array) -> Array:
        """How far the policy is from certain, (N,): the mean of -ln p."""

    @abc.abstractmethod
    def d_entropy(self, y: Array, own: Array, d: Array) -> Adjoint:
        """Adjoint of `entropy`."""


class Categorical(Distribution):
    """One of ``choices`` actions; the outputs a are logits, p = exp(a) / sum(exp(a)).

    Parameters
    ----------
    choices : int >= 1
    start : int
        The number of the first action.

    Examples
    --------
    >>> import numpy as np
    >>> both = Categorical(2)
    >>> y = np.log([[0.25, 0.75]])
    >>> both.log_probability(y, both.initial(), np.array([1])).round(6).tolist(), both.mode(y).tolist()
    ([-0.287682], [1])
    >>> both.entropy(y, both.initial()).round(6).tolist()
    [0.562335]
    """

    choices: int
    start: int

    def __init__(self, choices: int, start: int = 0) -> None:
        self.choices = self.outputs = checks.integer("choices", choices)
        self.start = checks.integer("start", start, least=-(2**31))

    def sample(self, y: Array, own: Array, rng: np.random.Generator) -> Numbers:
        ends = np.exp(log_softmax(y)).cumsum(axis=1)
        at = rng.random((len(y), 1)) * ends[:, -1:]
        return np.minimum((at >= ends).sum(axis=1), self.choices - 1)

    def mode(self, y: Array) -> Numbers:
        return y.argmax(axis=1)

    def actions(self, draws: Numbers) -> Numbers:
        return draws + self.start

    def draws(self, actions: ArrayLike) -> Numbers:
        given = checks.plain("actions", actions, "integers")
        found = given - self.start
        if given.dtype.kind not in "iu" or (found.size and not (found.min() >= 0 and found.max() < self.choices)):
            most = self.start + self.choices - 1
            raise ValueError(f"`actions` must be integers in {self.start}..{most}, got {checks.describe(actions)}")
        return found

    def log_probability(self, y: Array, own: Array, draws: Numbers) -> Array:
        return log_softmax(y)[np.arange(len(y)), draws]

    def d_log_probability(self, y: Array, own: Array, draws: Numbers, d: Array) -> Adjoint:
        d_y = -np.exp(log_softmax(y))
        d_y[np.arange(len(y)), draws] += 1
        return Adjoint(d_y * d[:, None], own)

    def entropy(self, y: Array, own: Array) -> Array:
        log_p = log_softmax(y)
        return -(np.exp(log_p) * log_p).sum(axis=1)

    def d_entropy(self, y: Array, own: Array, d: Array) -> Adjoint:
        log_p = log_softmax(y)
        p = np.exp(log_p)
        entropy = -(p * log_p).sum(axis=1, keepdims=True)
        return Adjoint(-p * (log_p + entropy) * d[:, None], own)


class _Bounded(Distribution):
    """Of actions (A,) between bounds: draws are in units in which these are -1 and 1; where one is infinite they are in
    the environment's own."""

    low: Array
    high: Array

    def _bound(self, low: ArrayLike, high: ArrayLike) -> int:
        """Keep the bounds; A."""
        low, high = (checks.real(n, v, np.dtype(np.float64), "(A,)") for n, v in (("low", low), ("high", high)))
        if low.ndim != 1 or low.shape != high.shape or not low.size or not (low < high).all():
            raise ValueError(f"`low` and `high` must be (A,) with low < high, got {low} and {high}")
        self.low, self.high = low, high
        self._finite = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore"):
            self._middle = np.where(self._finite, low / 2 + high / 2, 0.0)  # twice as much may overflow
            self._half = np.where(self._finite, high / 2 - low / 2, 1.0)
        return low.size

    @property
    def units(self) -> tuple[Array, Array]:
        """The middle of the bounds and half of their distance, (A,) each: actions are middle + half * unit."""
        return self._middle, self._half

    def beyond(self, actions: Array) -> bool:
        """Whether some of the actions (..., A) lie outside the bounds, by more than they are rounded."""
        with np.errstate(invalid="ignore"):  # of bounds that are both infinite, which are the same
            apart = np.maximum(self.low - actions, actions - self.high)
        return bool((apart > ROUNDING * self._half).any())

    def actions(self, draws: Numbers) -> Numbers:
        return np.clip(self._middle + self._half * draws, self.low, self.high)

    def draws(self, actions: ArrayLike) -> Numbers:
        found = checks.real("actions", actions, np.dtype(np.float64), f"(N, {self.low.size})")
        if found.ndim != 2 or found.shape[1] != self.low.size:
            raise ValueError(f"`actions` must have shape (N, {self.low.size}), got {found.shape}")
        checks.finite("actions", found)
        if self.beyond(found):
            raise ValueError(
                f"`actions` must lie in {self.low} to {self.high}, got some in {found.min(axis=0)} to "
                f"{found.max(axis=0)}: np.clip(actions, low, high)"
            )
        return (found - self._middle) / self._half

    def _squared(self, y: Array, log_sigma: Array, draws: Numbers) -> tuple[Array, Array]:
        """(draws - y) / sigma, and 1 / sigma."""
        rate = np.exp(-log_sigma)
        return (draws - y) * rate, rate


class Gaussian(_Bounded):
    """Numbers with normal densities: the outputs are means mu, and the logarithms of the deviations are its own.

    Draws beyond the bounds are clipped on their way to the environment; their likelihood is that of the draw.

    Parameters
    ----------
    low, high : (A,) arrays
        Bounds of the actions.  The outputs are in units in which they are -1 and 1, or where one is infinite in the
        environment's own.
    log_deviation : float
        To begin with.

    Examples
    --------
    >>> import numpy as np
    >>> torque = Gaussian([-2.0], [2.0])
    >>> torque.actions(np.array([[0.25], [3.0]])).tolist()
    [[0.5], [2.0]]
    >>> torque.log_probability(np.array([[0.5]]), torque.initial(), np.array([[1.5]])).round(6).tolist()
    [-1.418939]
    """

    log_deviation: float

    def __init__(self, low: ArrayLike, high: ArrayLike, log_deviation: float = 0.0) -> None:
        self.outputs = self.own = self._bound(low, high)
        self.log_deviation = checks.number("log_deviation", log_deviation, low=-20, high=20)

    def initial(self) -> Array:
        return np.full(self.own, self.log_deviation)

    def sample(self, y: Array, own: Array, rng: np.random.Generator) -> Numbers:
        return self.at(y, own, rng.standard_normal(y.shape))

    def at(self, y: Array, own: Array, noise: Array) -> Array:
        """The draws for standard normal numbers (N, A), which may be those of steps before in part."""
        return y + np.exp(own) * noise

    def mode(self, y: Array) -> Numbers:
        return np.asarray(y, np.float64)

    def log_probability(self, y: Array, own: Array, draws: Numbers) -> Array:
        z, _ = self._squared(y, own, draws)
        return -(own + LOG_NORMAL + z * z / 2).sum(axis=1)

    def d_log_probability(self, y: Array, own: Array, draws: Numbers, d: Array) -> Adjoint:
        z, rate = self._squared(y, own, draws)
        return Adjoint(z * rate * d[:, None], ((z * z - 1) * d[:, None]).sum(axis=0))

    def entropy(self, y: Array, own: Array) -> Array:
        return np.full(len(y), (own + LOG_NORMAL + 0.5).sum())

    def d_entropy(self, y: Array, own: Array, d: Array) -> Adjoint:
        return Adjoint(np.zeros_like(y), np.full(self.own, d.sum()))


class SquashedGaussian(Gaussian):
    """Numbers strictly within bounds: tanh(u) of a draw u with a normal density, whose means the outputs are.

    ln p = ln N(u) - sum ln(1 - tanh(u)**2), with ln(1 - tanh(u)**2) = 2 (ln 2 - u - ln(1 + exp(-2 u))), which is exact
    for any u.  The entropy is that of the normal density, plus the mean of the second term, by 32 Gauss-Hermite nodes.

    Parameters
    ----------
    low, high : (A,) arrays
        Bounds of the actions, all finite.
    log_deviation : float
        To begin with.
    """

    def __init__(self, low: ArrayLike, high: ArrayLike, log_deviation: float = 0.0) -> None:
        super().__init__(low, high, log_deviation)
        if not self._finite.all():
            raise ValueError(f"`low` and `high` must be finite for a squashed density, got {self.low} and {self.high}")

    def actions(self, draws: Numbers) -> Numbers:
        return super().actions(np.tanh(draws))

    def draws(self, actions: ArrayLike) -> Numbers:
        # What lies at an edge would be infinitely far away.
        return np.arctanh(np.clip(super().draws(actions), -1 + 1e-6, 1 - 1e-6))

    def log_probability(self, y: Array, own: Array, draws: Numbers) -> Array:
        return super().log_probability(y, own, draws) - _log_slope(draws).sum(axis=1)

    def entropy(self, y: Array, own: Array) -> Array:
        return super().entropy(y, own) + (_log_slope(self._spread(y, own)) @ WEIGHTS).sum(axis=1)

    def d_entropy(self, y: Array, own: Array, d: Array) -> Adjoint:
        d_u = -2 * np.tanh(self._spread(y, own))
        plain = super().d_entropy(y, own, d)
        d_own = (d_u * NODES) @ WEIGHTS * np.exp(own) * d[:, None]
        return Adjoint(d_u @ WEIGHTS * d[:, None], plain.own + d_own.sum(axis=0))

    def _spread(self, y: Array, own: Array) -> Array:
        """u (N, A, nodes)."""
        return y[..., None] + np.exp(own)[:, None] * NODES


def _log_slope(u: Array) -> Array:
    """ln(1 - tanh(u)**2)."""
    return 2 * (np.log(2.0) - u - np.logaddexp(0.0, -2 * u))


class MixtureOfGaussians(_Bounded):
    """Several right answers: the outputs are those of a policy that ends with `MixtureDensity`.

    Draws beyond the bounds are clipped on their way to the environment.  The entropy of a mixture has no closed form:
    `entropy` is that of component and action together, the most that it can be, and at most ln K more than it is.

    Parameters
    ----------
    low, high : (A,) arrays
        Bounds of the actions; units as for `Gaussian`.
    components : int >= 1
        K, as of the policy's `MixtureDensity`.
    """

    components: int

    def __init__(self, low: ArrayLike, high: ArrayLike, components: int = 5) -> None:
        self._size = self._bound(low, high)
        self.components = checks.integer("components", components)
        self.outputs = self.components * (1 + 2 * self._size)

    def sample(self, y: Array, own: Array, rng: np.random.Generator) -> Numbers:
        return Mixture.of(y, self._size).sample(rng)

    def mode(self, y: Array) -> Numbers:
        """The mean of the component whose density at its mean is largest."""
        log_pi, mu, log_sigma = Mixture.of(y, self._size)
        best = (log_pi - log_sigma.sum(axis=-1)).argmax(axis=1)
        return mu[np.arange(len(y)), best]

    def log_probability(self, y: Array, own: Array, draws: Numbers) -> Array:
        return Mixture.of(y, self._size).log_likelihood(draws)

    def d_log_probability(self, y: Array, own: Array, draws: Numbers, d: Array) -> Adjoint:
        _, _, d_y = unchecked(np.asarray(y, np.float64), draws)
        return Adjoint(-d_y * d[:, None], own)

    def entropy(self, y: Array, own: Array) -> Array:
        log_pi, _, log_sigma = Mixture.of(y, self._size)
        return (np.exp(log_pi) * ((log_sigma + LOG_NORMAL + 0.5).sum(axis=-1) - log_pi)).sum(axis=1)

    def d_entropy(self, y: Array, own: Array, d: Array) -> Adjoint:
        log_pi, _, log_sigma = Mixture.of(y, self._size)
        pi, d_y = np.exp(log_pi), np.zeros(y.shape)
        d_logits, _, d_log_sigma = parts(d_y, self._size)
        each = (log_sigma + LOG_NORMAL + 0.5).sum(axis=-1) - log_pi
        d_logits[...] = pi * (each - (pi * each).sum(axis=1, keepdims=True)) * d[:, None]
        d_log_sigma[...] = (pi * d[:, None])[..., None]
        return Adjoint(d_y, own)


def check_outputs(distribution: Distribution, outputs: int) -> None:
    """Refuse a policy whose outputs are not the parameters of this distribution."""
    if outputs == distribution.outputs:
        return
    raise ValueError(
        f"`policy` must have the {distribution.outputs} outputs of {distribution!r}, got {outputs}: let it end with "
        + (
            f"MixtureDensity({distribution.low.size}, components={distribution.components})"
            if isinstance(distribution, MixtureOfGaussians)
            else f"Dense({distribution.outputs})"
        )
    )


def check_actions(distribution: Distribution, wanted: Distribution) -> None:
    """Refuse a distribution that gives actions which are not among those of ``wanted``; of others' classes none."""
    fits, rule = not isinstance(distribution, (Categorical, _Bounded)), ""
    if isinstance(wanted, Categorical):
        end = wanted.start + wanted.choices
        rule = f"choices in {wanted.start}..{end - 1}"
        if isinstance(distribution, Categorical):
            fits = wanted.start <= distribution.start and distribution.start + distribution.choices <= end
    elif isinstance(wanted, _Bounded):
        rule = f"numbers in {wanted.low} to {wanted.high}"
        if isinstance(distribution, _Bounded) and distribution.low.shape == wanted.low.shape:
            fits = not wanted.beyond(np.stack([distribution.low, distribution.high]))
    if not fits:
        raise ValueError(
            f"`distribution` must give actions that these environments take, {rule}, got {_said(distribution)}: "
            "'auto' makes one that does"
        )


def _said(distribution: Distribution) -> str:
    """With its bounds, which a repr leaves out."""
    if isinstance(distribution, _Bounded):
        return f"{type(distribution).__name__}({distribution.low}, {distribution.high})"
    return repr(distribution)
