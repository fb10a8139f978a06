"""InputMapping: a weight and a bias for each feature, as an `LTC` has them before its synapses.

docs/maths/blocks.md#dense-and-inputmapping has the gradients.
"""

from __future__ import annotations

from types import MappingProxyType, ModuleType
from typing import Any

from .. import kernels
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, MappingKind
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import with_init
from ..cells.mapping import check_mapping, mapping_shapes


class InputMapping(Layer):
    """``x * input_w + input_b``, feature by feature, before cells that have no mapping of their own.

    Parameters
    ----------
    mapping : "affine", "linear" or None
        ``"linear"``: without ``input_b``; None: the identity.
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    Parameters: ``input_w`` (I,), 1, and ``input_b`` (I,), 0.  It has no state and no time.
    """

    mapping: MappingKind

    former_names = MappingProxyType({"n": "input_dim"})
    dt0_identity = hull = True  # of a state that is empty
    smooth = causal = bitwise_batch = True
    lowering = "around.input_mapping"

    def __init__(self, mapping: MappingKind = "affine", *, input_dim: int | None = None, init: Init = None) -> None:
        self.mapping, self.input_dim = check_mapping("mapping", mapping), input_features(input_dim)
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size = self.output_size = self.input_dim
        shapes = mapping_shapes(mapping, "input", self.input_size)
        entries = tuple(Entry(name, shape, float(name == "input_w")) for name, shape in shapes.items())
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> tuple[Arrays, ModuleType]:
        return p, kernels.load(backend, "mapping")

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Array | None]:
        p, kernel = prepared
        y = kernel.map_features(self.mapping, "input", x, p, workspace)
        return y if self.mapping else x.copy(), h0, x if keep else None  # not x itself, which may be the caller's

    def backward(
        self,
        prepared: Any,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        p, kernel = prepared
        d_x = kernel.d_map_features(self.mapping, "input", saved, d_y, p, g, workspace)
        return d_x if self.mapping else d_x.copy(), d_h, None
