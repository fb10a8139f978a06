"""Mixture: what a model says that ends with `MixtureDensity`, as means, samples, likelihoods and quantiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.activations import normal_cdf
from ..base.levels import check_levels, scores
from ..base.types import Array, ArrayLike, Numbers, Shape
from .mixture_density import components, distances, far, log_joint, log_softmax, log_sum, parts
from .shapes import of_one_output

# Halvings of a bracket of quantiles: as many as float64 has digits, and some for one that reaches far from 0.
HALVINGS = 64


class Mixture(NamedTuple):
    """A mixture of K normal densities for O targets, at every step; float64.

    Attributes
    ----------
    log_pi : (..., K) array
        Logarithms of the components' shares.
    mu, log_sigma : (..., K, O) arrays
        Their means, and the logarithms of their standard deviations, in the units of the targets; a standard deviation
        outside 1e-100 ... 1e100 counts as at that limit.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.losses import Mixture
    >>> mixture = Mixture.of(np.array([0.0, 0.0, -1.0, 3.0, np.log(0.5), np.log(0.5)]))
    >>> mixture.mean().tolist(), mixture.std().round(6).tolist()
    ([1.0], [2.061553])
    >>> mixture.quantiles([0.25, 0.5]).round(6).tolist()
    [[-1.0, 1.0]]
    >>> round(float(mixture.log_likelihood([-1.0])), 6)
    -0.918939
    """

    log_pi: Array
    mu: Array
    log_sigma: Array

    @classmethod
    def of(cls, y: ArrayLike, outputs: int = 1) -> Mixture:
        """The mixture of a model's outputs.

        Parameters
        ----------
        y : (..., K + 2 K O) array
            As `mixture_density` takes them.
        outputs : int >= 1
            O, how many targets a step has; K follows.

        Raises
        ------
        ValueError, TypeError
            What are no finite numbers, or not 1 + 2 O for each component.
        """
        outputs = checks.integer("outputs", outputs)
        array = checks.real("y", y, np.dtype(np.float64), "(..., K + 2 K O)")
        if array.ndim == 0:
            raise ValueError(f"`y` must be (..., K + 2 K O), got a number, {array}")
        components(outputs, array.shape[-1])
        checks.finite("y", array)
        found = parts(array, outputs)
        edge = np.log(far(array.dtype))
        return cls(log_softmax(found.logits), found.mu, np.clip(found.log_sigma, -edge, edge))

    @property
    def shape(self) -> Shape:
        """(..., O): that of targets."""
        return (*self.mu.shape[:-2], self.mu.shape[-1])

    def mean(self) -> Array:
        """The mean (..., O): where targets lie on average, which may be where none lies."""
        return (np.exp(self.log_pi)[..., None] * self.mu).sum(axis=-2)

    def std(self) -> Array:
        """The standard deviation (..., O), of the components and between them."""
        variance = np.exp(2 * self.log_sigma) + (self.mu - self.mean()[..., None, :]) ** 2
        return np.sqrt((np.exp(self.log_pi)[..., None] * variance).sum(axis=-2))

    def sample(self, rng: np.random.Generator, n: int | None = None) -> Array:
        """Random targets: of each step a component by its share, then a value of that.

        Parameters
        ----------
        rng : numpy.random.Generator
        n : int >= 1, optional
            How many of each step.

        Returns
        -------
        (..., O) array, or (n, ..., O)
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"`rng` must be a numpy.random.Generator, got {checks.brief(rng)}: np.random.default_rng()")
        first = () if n is None else (checks.integer("n", n),)
        ends = np.exp(self.log_pi).cumsum(axis=-1)
        at = rng.random((*first, *ends.shape[:-1], 1)) * ends[..., -1:]
        chosen = np.minimum((at >= ends).sum(axis=-1), ends.shape[-1] - 1)[..., None, None]
        mu, log_sigma = (
            np.take_along_axis(np.broadcast_to(values, (*first, *values.shape)), chosen, axis=-2)[..., 0, :]
            for values in (self.mu, self.log_sigma)
        )
        return mu + np.exp(log_sigma) * rng.standard_normal(mu.shape)

    def log_likelihood(self, target: ArrayLike) -> Array:
        """ln p (...) of targets, all O of a step together: minus the loss `mixture_density`, step by step.

        Parameters
        ----------
        target : (..., O) array
            For O = 1 the last axis may be missing.
        """
        z, _ = distances(self._targets("target", target)[..., None, :], self.mu, self.log_sigma)
        return log_sum(log_joint(self.log_pi, self.log_sigma, z))[0][..., 0]

    def cdf(self, target: ArrayLike) -> Array:
        """The probability (..., O) that a target is at most this, each of the O by itself.

        For targets of data that the mixture describes these numbers are uniform in [0, 1].
        """
        return self._cdf(self._targets("target", target)[..., None])[..., 0]

    def quantiles(self, levels: ArrayLike) -> Array:
        """Where targets stay below with these probabilities, each of the O by itself.

        Parameters
        ----------
        levels : number or (Q,) array, in (0, 1)

        Returns
        -------
        (..., O, Q) array
            Where `cdf` is the level: a bracket from the smallest quantile of a component to the largest, halved 64
            times.  Cost: as many times K Q O exponentials for each step.
        """
        wanted = check_levels("levels", levels)
        ends = self.mu[..., None] + np.exp(self.log_sigma)[..., None] * scores(wanted)
        low, high = ends.min(axis=-3), ends.max(axis=-3)
        for _ in range(HALVINGS):
            middle = low + (high - low) / 2
            below = self._cdf(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return low + (high - low) / 2

    def _cdf(self, values: Array) -> Array:
        """Of values (..., O, Q)."""
        z, _ = distances(values[..., None, :, :], self.mu[..., None], self.log_sigma[..., None])
        return (np.exp(self.log_pi)[..., None, None] * normal_cdf(z)).sum(axis=-3)

    def _targets(self, name: str, target: Any) -> Numbers:
        """Checked targets of `shape`."""
        found = of_one_output(checks.real(name, target, np.dtype(np.float64), f"{self.shape}"), self.shape)
        if found.shape != self.shape:
            raise ValueError(f"`{name}` must have shape {self.shape}, got {found.shape}")
        checks.finite(name, found)
        return found
