"""MixtureDensity: at every step a mixture of normal densities of what comes out, instead of one number.

Source: Bishop, "Mixture density networks", Technical Report NCRG/94/004, Aston University, 1994.
docs/maths/mixtures.md#the-density-and-its-gradients derives the bound of sigma, the initial values and the gradients.
"""

import math
from typing import NamedTuple

import numpy as np

from ..base import blas, checks
from ..base.layout import Entry, Layout
from ..base.levels import scores
from ..base.types import Array, ArrayLike, Arrays, Backend, Init, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import glorot, with_init
from .standardize import as_statistics


class Prepared(NamedTuple):
    """Weight (I, S) and bias (S,); of each component and target (K O,) the buffers, and the logarithm of the least
    sigma."""

    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    least: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs: x (B, T, I), and the slope of ln sigma (B T, K O)."""

    x: np.ndarray
    slope: np.ndarray


class MixtureDensity(Layer):
    """Logits, means and ln sigma of K normal densities for O targets: the last layer for the loss `mixture_density`.

    With z = x @ weight + bias, whose parts are z_a (K) and z_mu, z_s (K, O)::

        a = z_a        mu = scale z_mu + mean        ln sigma = ln(scale) + ln(least_sigma) + (u + sqrt(u**2 + 4)) / 2
                                                     u = z_s - ln(least_sigma)

    so that sigma is always larger than ``least_sigma * scale``, and close to ``scale * exp(z_s)`` far above it.

    Parameters
    ----------
    outputs : int >= 1
        O, targets of a step.
    components : int >= 1
        K.  More than the targets have answers do no harm: their shares vanish.
    least_sigma : float in (0, 1)
        Of the spread of the targets.  Without a bound the likelihood has none: a component upon a single target with
        sigma = 0 would have all of it.
    mean, scale : number or (O,) array
        Used until `Model.adapt`, or ``fit(standardize=True)``, takes those of the targets; scale > 0.
    input_dim : int >= 1, optional
        Features per step coming in; left out, those of the layer before.
    init : dict, optional
        Overrides initial values, as of `Dense`.

    Notes
    -----
    It gives S = K + 2 K O features, which `ltc_np.losses.Mixture` reads: means, samples, quantiles.

    Parameters: ``weight`` (I, S), uniform in a tenth of the range of `Dense`, and subject to weight decay; ``bias``
    (S,): the means begin at the middles of K equally likely parts of a standard normal distribution, with the sigma
    that makes the variance of the mixture 1.  Buffers: ``mean`` and ``scale`` (O,), saved and not trained.  It has no
    state and no time.  Cost: one matrix product, and a square root for each sigma.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, MixtureDensity, Model
    >>> from ltc_np.losses import Mixture
    >>> model = Model(LTC(AutoNCP(16, 8)), MixtureDensity(1, components=2), input_dim=3, seed=0)
    >>> y = model(np.zeros((5, 7, 3)))
    >>> y.shape, Mixture.of(y).quantiles([0.1, 0.9]).shape
    ((5, 7, 6), (5, 7, 1, 2))
    """

    outputs: int
    components: int
    least_sigma: float
    mean: float | Array
    scale: float | Array

    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = True
    lowering = "dense.mixture_density"

    def __init__(
        self,
        outputs: int,
        components: int = 5,
        *,
        least_sigma: float = 1e-3,
        mean: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        input_dim: int | None = None,
        init: Init = None,
    ) -> None:
        self.outputs, self.components = checks.integer("outputs", outputs), checks.integer("components", components)
        self.input_dim = input_features(input_dim)
        self.least_sigma = checks.number("least_sigma", least_sigma, high=1, low_open=True, high_open=True)
        self.mean, self.scale = as_statistics(mean, scale, self.outputs)
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size, O = self.input_dim, self.outputs
        self.output_size = S = self.components * (1 + 2 * O)
        gain = 0.1  # the first steps then find the components where the bias has put them
        entries = (
            Entry("weight", (self.input_size, S), glorot(self.input_size, S, gain), decay=True),
            Entry("bias", (S,), _first_bias(self.components, O, self.least_sigma)),
        )
        self.init, self.layout = with_init(entries, init)
        self.buffers = Layout(
            tuple(Entry(name, (O,), getattr(self, name), trainable=False) for name in ("mean", "scale"))
        )
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        mean, scale = (np.tile(buffers[name], self.components) for name in ("mean", "scale"))
        return Prepared(p["weight"], p["bias"], mean, scale, np.log(self.least_sigma * scale))

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        weight, bias, mean, scale, least = prepared
        y = blas.product(x.reshape(-1, self.input_size), weight)
        y += bias
        mu, log_sigma = self._columns(y)
        mu *= scale
        mu += mean
        above, slope = soft_positive(log_sigma - math.log(self.least_sigma))
        np.add(above, least, out=log_sigma)
        return y.reshape(*x.shape[:2], self.output_size), h0, Saved(x, slope) if keep else None

    def backward(
        self,
        prepared: Prepared,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        flat = d_y.reshape(-1, self.output_size).copy()
        d_mu, d_log_sigma = self._columns(flat)
        d_mu *= prepared.scale
        d_log_sigma *= saved.slope
        with blas.one_thread():
            g["weight"] += np.dot(saved.x.reshape(-1, self.input_size).T, flat)
        g["bias"] += flat.sum(0, np.float64)
        d_x = blas.product(flat, prepared.weight.T).reshape(saved.x.shape) if want_x else None
        return d_x, d_h, None

    def _columns(self, rows: Array) -> tuple[Array, Array]:
        """mu and ln sigma, (n, K O) each, of rows (n, S); views."""
        K = self.components
        end = K + K * self.outputs
        return rows[:, K:end], rows[:, end:]


def soft_positive(u: Array) -> tuple[Array, Array]:
    """f(u) = (u + sqrt(u**2 + 4)) / 2 and its slope, which is this over the root."""
    root = np.hypot(u, 2)
    value = (np.abs(u) + root) / 2
    np.divide(1, value, out=value, where=u < 0)  # f(-u) f(u) = 1, where the sum would cancel
    return value, value / root


def _first_bias(K: int, O: int, least_sigma: float) -> Array:
    """The bias (S,) that puts K components on a standard normal distribution; see docs/maths/mixtures.md."""
    centres = scores((np.arange(K) + 0.5) / K)
    sigma = math.sqrt(1 - np.mean(centres**2))
    above = max(math.log(sigma / least_sigma), 1.0)  # of a wide bound it begins at e times that
    raw = above - 1 / above + math.log(least_sigma)  # the inverse of `soft_positive`
    return np.concatenate([np.zeros(K), np.repeat(centres, O), np.full(K * O, raw)])
