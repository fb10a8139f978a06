"""Standardize: features of the data brought near 0 with spread 1, or outputs brought back to the data's units.

docs/maths/around.md#standardize tells where its numbers come from.
"""

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry, Layout
from ..base.types import Array, ArrayLike, Arrays, Backend, Bools, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features


class Prepared(NamedTuple):
    """The buffers, (I,) each."""

    mean: np.ndarray
    scale: np.ndarray


class Standardize(Layer):
    """``(x - mean) / scale``, feature by feature; with ``inverse=True`` the way back, ``x * scale + mean``.

    Parameters
    ----------
    inverse : bool
        As the last layer: the network then learns targets near 0 with spread 1, while outputs, losses and metrics are
        in the data's units.
    mean, scale : number or (I,) array
        Used until `Model.adapt`, or ``fit(standardize=True)``, takes those of the data; scale > 0.
    clip : float > 0, optional
        Largest absolute value that comes out, in standard deviations, so that a few wild inputs cannot drown all
        others: 5 leaves about one of two million normal numbers.  Not with ``inverse=True``.
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.

    Notes
    -----
    Mean and scale are buffers (``mean`` and ``scale``, (I,) each): saved with the model, not trained.  It has no
    parameters, no state and no time.  Cost: two operations for each number.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Model, Standardize
    >>> model = Model(Standardize(), LTC(AutoNCP(16, 1)), Standardize(inverse=True), input_dim=2, seed=0)
    >>> x, y = 400 + 200 * np.random.default_rng(0).standard_normal((50, 20, 2)), np.full((50, 20, 1), 7.0)
    >>> model.adapt(x, y)
    >>> model.buffers["0.scale"].round(-1).tolist(), model.buffers["2.mean"].tolist()
    ([200.0, 200.0], [7.0])
    """

    inverse: bool
    mean: float | Array
    scale: float | Array
    clip: float | None

    dt0_identity = hull = True  # of a state that is empty
    causal = bitwise_batch = True
    lowering = "around.standardize"

    def __init__(
        self,
        *,
        inverse: bool = False,
        mean: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        clip: float | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.inverse, self.input_dim = checks.boolean("inverse", inverse), input_features(input_dim)
        self.mean, self.scale = as_statistics(mean, scale, self.input_dim)
        self.clip = None if clip is None else checks.number("clip", clip, low_open=True)
        if clip is not None and inverse:
            raise ValueError(f"`clip` must be None with inverse=True, whose outputs are no inputs, got {clip:g}")
        self.smooth = clip is None
        if self.input_dim is None:
            return self._defer()
        self.input_size = self.output_size = I = self.input_dim
        self.buffers = Layout(
            tuple(Entry(name, (I,), getattr(self, name), trainable=False) for name in ("mean", "scale"))
        )
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        return Prepared(buffers["mean"], buffers["scale"])

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Bools | None]:
        mean, scale = prepared
        y = workspace.array("y", x.size, x.dtype).reshape(x.shape)
        if self.inverse:
            np.multiply(x, scale, out=y)
            y += mean
        else:
            np.subtract(x, mean, out=y)
            y /= scale
        if self.clip is None:
            return y, h0, None
        inside = np.abs(y) <= self.clip if keep else None
        return np.clip(y, -self.clip, self.clip, out=y), h0, inside

    def backward(
        self,
        prepared: Prepared,
        saved: Bools | None,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        if not want_x:
            return None, d_h, None
        d_x = workspace.array("d_x", d_y.size, d_y.dtype).reshape(d_y.shape)
        (np.multiply if self.inverse else np.divide)(d_y, prepared.scale, out=d_x)
        if saved is not None:
            d_x[~saved] = 0
        return d_x, d_h, None


def as_statistics(mean: ArrayLike, scale: ArrayLike, features: int | None) -> tuple[float | Array, float | Array]:
    """The arguments ``mean`` and ``scale`` of a layer, checked."""
    mean, scale = _numbers("mean", mean, features), _numbers("scale", scale, features)
    if not (np.asarray(scale) > 0).all():
        raise ValueError(f"`scale` must be > 0, got {np.min(scale):g}")
    return mean, scale


def _numbers(name: str, values: ArrayLike, features: int | None) -> float | Array:
    """A number or (I,) array of numbers, as an argument of the layer."""
    if checks.plain(name, values, "a number or (I,)").ndim == 0:
        return checks.number(name, values, low=-np.inf)
    array = checks.real(name, values, np.dtype(np.float64), "a number or (I,)")
    if array.ndim != 1 or (features is not None and array.size != features):
        raise ValueError(f"`{name}` must be a number or ({features or 'I'},), got shape {array.shape}")
    checks.finite(name, array)
    return array
