"""How much a model's liquid state spaces multiply a state by, on some data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Arrays, Backend, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer, LiquidS4
from ..cells.base import replaced
from ..kernels.numpy.ssm import StateSpace, largest_factor
from ..network.network import Network


class _Watched(LiquidS4):
    """A `LiquidS4` that notes the largest factor on one of its modes."""

    largest: list[float]

    def _freeze(self) -> None:
        self.largest = []
        super()._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Any:
        return super().prepare(p, buffers, backend), StateSpace(p, self.rule)

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        own, space = prepared
        self.largest.append(largest_factor(space, x, dt, lengths))
        return super().forward(own, x, dt, lengths, h0, keep, workspace)


@with_signature_hints
def largest_multiplier(
    model: Network, x: ArrayLike, *, dt: ArrayLike | None = None, lengths: ArrayLike | None = None
) -> list[float]:
    """The largest factor by which a step multiplies a mode, for every `LiquidS4` layer of a model.

    Above 1 a mode grows in that step, which is no harm if others shrink it; far above, states may overflow:
    ``LiquidS4(liquid_bound=...)`` limits it.

    Parameters
    ----------
    model : Model
        With at least one layer `LiquidS4`, also inside other layers.
    x, dt, lengths
        As for a call.

    Returns
    -------
    list of float
        For each of those layers, in order, max over steps, channels and modes of the factor's magnitude.  With
        ``liquid="kb"`` and ``"pb"``, where inputs multiply no state, it is that of a plain state space.

    Notes
    -----
    Cost: that of a call with ``backend="numpy"``.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LiquidS4, Model, largest_multiplier
    >>> model = Model(LiquidS4(8, input_dim=2, liquid_scale=1.0), seed=0)
    >>> x = np.random.default_rng(0).normal(size=(3, 50, 2))
    >>> [round(value, 2) for value in largest_multiplier(model, x)]
    [1.27]
    """
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a Model, got {type(model).__name__}")
    watched: list[_Watched] = []

    def watch(layer: Layer) -> Layer | None:
        if not isinstance(layer, LiquidS4):
            return None
        watched.append(_Watched(**layer.config()))
        return watched[-1]

    layers = [replaced(layer, watch) for layer in model.layers]
    if not watched:
        raise ValueError(f"`model` must have a layer LiquidS4, got {model!r}")
    other = Network(*layers, seed=0, dtype=model.dtype, backend=model.backend)
    other.theta = model.theta
    other.buffer_vector[:] = model.buffer_vector
    other(x, dt=dt, lengths=lengths)
    return [float(np.max(one.largest)) for one in watched]
