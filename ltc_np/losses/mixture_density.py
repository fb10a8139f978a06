"""How unlikely targets are under a mixture of densities: docs/maths/mixtures.md#the-density-and-its-gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array, ArrayLike, Bools, Float, Numbers, Shape
from .kind import LossKind
from .shapes import of_one_output
from .weights import weigh

LOG_NORMAL = float(np.log(2 * np.pi)) / 2  # -ln of the standard normal density at 0


def mixture_density(
    y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, class_weight: ArrayLike | None = None
) -> tuple[float, float, Array]:
    """Negative log-likelihood of the targets of a step, all O together, under K normal densities; with the outputs
    a (K), mu and ln sigma (K, O) each, and z = (target - mu) / sigma,

        c_k = ln pi_k - sum_o (ln sigma_ko + ln(2 pi) / 2 + z_ko**2 / 2)        ln pi = a - ln sum_k exp(a_k)
        l = -ln sum_k exp(c_k)                    r_k = exp(c_k + l): how much component k has to do with this target
        dl/da = pi - r        dl/dmu = -r z / sigma        dl/d(ln sigma) = r (1 - z**2)

    Exponents are at most 0, as in `cross_entropy`.  The loss is not bounded below where sigma is not: let a model end
    with `MixtureDensity`, which bounds it.  `Mixture` reads such outputs: means, samples, quantiles.

    Parameters
    ----------
    y : (B, T, K + 2 K O) or (B, K + 2 K O) float array
        Side by side a, the K rows of mu, and the K rows of ln sigma.  K follows from y and the targets.
    target : (B, T, O) or (B, O) array
        For one target the last axis may be missing.
    weight : array of shape y.shape[:-1] or of the target's, >= 0, or None
        Weight of a step; None is 1 everywhere.  Of single targets those of weight 0 are left out, which leaves the
        exact density of the others; the step has the largest of its weights.
    class_weight : None
        There are no classes here; anything else is a ValueError.

    Returns
    -------
    total : float
        Sum of w l over all (b, t).
    weight_sum : float
        Sum of w over all (b, t).
    d_y : array of y's shape and dtype
        Where a target is farther than 1e15 sigmas away (float32; 1e100 in float64), or sigma is outside
        1e-15 ... 1e15 (1e-100 ... 1e100), as at that limit: large, and finite.

    Raises
    ------
    TypeError
        A y that is no float array, a target or a weight that is not made of real numbers.
    ValueError
        Outputs that are not 1 + 2 O for each of K components, a shape that differs, a weight that is negative or not
        finite, or a ``class_weight``.

    References
    ----------
    Bishop, "Mixture density networks", Technical Report NCRG/94/004, Aston University, 1994.

    Examples
    --------
    Two components, a = (0, 0), mu = (-1, 1), sigma = 1, and a target in the middle:

    >>> total, weight_sum, d_y = mixture_density(np.array([[0.0, 0.0, -1.0, 1.0, 0.0, 0.0]]), np.array([[0.0]]))
    >>> round(total, 6), weight_sum, (d_y + 0.0).round(6).tolist()
    (1.418939, 1.0, [[0.0, 0.0, -0.5, 0.5, 0.0, 0.0]])
    """
    return MIXTURE_DENSITY.checked(y, target, weight, class_weight)


class Parts(NamedTuple):
    """Outputs (..., K + 2 K O) of a mixture, as views: logits (..., K), mu and ln sigma (..., K, O)."""

    logits: Array
    mu: Array
    log_sigma: Array


def parts(y: Array, O: int) -> Parts:
    """`Parts` of outputs for O targets."""
    K = y.shape[-1] // (1 + 2 * O)
    rest = y[..., K:].reshape(*y.shape[:-1], 2, K, O)
    return Parts(y[..., :K], rest[..., 0, :, :], rest[..., 1, :, :])


def log_softmax(logits: Array) -> Array:
    """ln pi (..., K) of logits."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def far(dtype: Float) -> np.floating[Any]:
    """The largest distance in sigmas that is told from others: products of two such numbers are no infinities, which
    would make NaN of differences."""
    return dtype.type(1e15 if dtype.itemsize < 8 else 1e100)


def distances(target: Array, mu: Array, log_sigma: Array) -> tuple[Array, Array]:
    """z = (target - mu) / sigma and 1 / sigma, both at most `far`."""
    most = far(mu.dtype)
    edge = np.log(most)
    rate = np.exp(np.clip(-log_sigma, -edge, edge))
    return np.clip((target - mu) * rate, -most, most), rate


def log_joint(log_pi: Array, log_sigma: Array, z: Array, known: Bools | None = None) -> Array:
    """c (..., K): how likely a component and its targets are; ``known`` (..., O) are the targets that there are."""
    most = far(z.dtype)
    log_density = -(np.clip(log_sigma, -most, most) + LOG_NORMAL + z * z / 2)
    if known is not None:
        log_density *= known[..., None, :]
    return log_pi + log_density.sum(axis=-1)


def log_sum(joint: Array) -> tuple[Array, Array]:
    """ln sum_k exp(c_k) (..., 1), and the shares exp(c_k) / sum (..., K)."""
    largest = joint.max(axis=-1, keepdims=True)
    shares = np.exp(joint - largest)
    norm = shares.sum(axis=-1, keepdims=True)
    return largest + np.log(norm), shares / norm


def unchecked(
    y: Array, target: Array, weight: Array | None = None, class_weight: None = None
) -> tuple[float, float, Array]:
    """`mixture_density` of checked arrays; target is (..., O), of y's dtype."""
    known = None
    if weight is not None and weight.ndim == y.ndim:
        known, weight = weight > 0, weight.max(axis=-1)
    logits, mu, log_sigma = parts(y, target.shape[-1])
    d_y = np.empty_like(y)
    d_logits, d_mu, d_log_sigma = parts(d_y, target.shape[-1])
    with np.errstate(over="ignore", under="ignore"):
        log_pi = log_softmax(logits)
        z, rate = distances(target[..., None, :], mu, log_sigma)
        log_p, r = log_sum(log_joint(log_pi, log_sigma, z, known))
        np.subtract(np.exp(log_pi), r, out=d_logits)
        share = r[..., None] if known is None else r[..., None] * known[..., None, :]
        np.multiply(-share, z * rate, out=d_mu)
        np.multiply(share, 1 - z * z, out=d_log_sigma)
    return weigh(-log_p, d_y, weight)


def weight_sum(target: Array, weight: Array | None, class_weight: Array | None) -> float:
    """The ``weight_sum`` of `unchecked` alone."""
    if weight is None:
        return float(target[..., 0].size)
    return float(np.sum(weight if weight.ndim < target.ndim else weight.max(axis=-1), dtype=np.float64))


def components(targets: int, outputs: int) -> int:
    """How many components so many outputs are of, for each step's targets; an error where it is no whole number."""
    each = 1 + 2 * targets
    if not targets or outputs % each or not outputs:
        raise ValueError(
            f"a model for mixture_density must have 1 + 2 O outputs for each component, a multiple of {each} with "
            f"O = {targets} targets, got {outputs}: let it end with MixtureDensity({max(targets, 1)}, components=5)"
        )
    return outputs // each


def fit_target(argument: str, target: Numbers, shape: Shape) -> Numbers:
    """A target as (..., O), of which each step's numbers have one likelihood, for outputs of this shape."""
    found = of_one_output(target, (*shape[:-1], 1))
    if found.ndim != len(shape) or found.shape[:-1] != shape[:-1]:
        steps = ", ".join(map(str, shape[:-1]))
        raise ValueError(
            f"`{argument}` of mixture_density must have shape ({steps}, O), or ({steps}) for one target, "
            f"got {target.shape}"
        )
    components(found.shape[-1], shape[-1])
    return found


MIXTURE_DENSITY = LossKind(
    mixture_density,
    unchecked,
    scale_powers=(0, 0),
    on_card=False,
    weight_sum=weight_sum,
    fit_target=fit_target,
    foreign_names="mdn mdn_loss mixture_density_loss gaussian_mixture gaussiannllloss gaussian_nll_loss",
    note="negative log-likelihood; the model ends with `MixtureDensity`",
)
