"""Closed-form continuous-time networks.

A backbone of dense layers turns the input and the state, side by side, into features u; a few heads, linear in u, say
where to go and how fast.  With the elapsed time dt and the heads f1, f2, t_a, t_b the state becomes::

    default   h' = (1 - s) g1 + s g2        s = sigmoid(t_a dt + t_b),  g1 = tanh(f1),  g2 = tanh(f2)
    no_gate   h' = g1 + s g2
    pure      h' = a - a exp(-dt (|w_tau| + |f1|)) f1

in the convention of ncps for PyTorch; `CfC` lists the other three.  No step is the identity, not even at dt = 0.

Source: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 4 (2022).
`ltc_np.cells.cfc_sweep` runs them; docs/maths/cfc.md#the-gradients derives every line.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import kernels
from ..base import checks
from ..base.activations import KINKED
from ..base.layout import Entry
from ..base.types import (
    Array,
    Arrays,
    BackboneActivation,
    Backend,
    CfCMode,
    CfCVariant,
    Float,
    Init,
    Ints,
    Keep,
    Numbers,
    Shape,
)
from ..base.workspace import Workspace
from . import cfc_sweep
from .base import Layer, cell_sizes
from .cfc_variants import CONVENTIONS
from .dropping import dropout_mask
from .initial import glorot, with_init

MODES = ("default", "no_gate", "pure")
BACKBONE_ACTIVATIONS = ("relu", "silu", "tanh", "gelu", "lecun_tanh")


class CfC(Layer):
    """A layer of closed-form continuous-time neurons, fully connected.

    Parameters
    ----------
    units : int >= 1
        N: size of the state and of the output.
    input_dim : int >= 1
    mode : "default", "no_gate" or "pure"
        See the equations below.
    variant : "torch", "keras", "tf" or "paper"
        Four conventions have been published, and weights of one mean nothing in another: those of ncps for PyTorch,
        of ncps for Keras, of the TensorFlow code that most of the paper's results are from, and of the paper's text.
    backbone_units : int >= 1
        H: width of the backbone.
    backbone_layers : int >= 0
        Its dense layers; 0: the heads read the input and the state themselves.
    backbone_activation : "lecun_tanh", "tanh", "relu", "silu" or "gelu"
    backbone_dropout : float in [0, 1)
        Share of the backbone's outputs that training drops, anew at every step: after each layer, in variant
        ``"torch"`` after each but the first.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    With u the backbone's output, f1 = u @ ff1_w + ff1_b and so on, and g = tanh(f), but g = f in variant ``"keras"``
    and g = 1.7159 tanh(0.666 f) in ``"tf"``:

    =========  =========================  =========================  =====================================
    mode       torch                      keras, tf                  paper
    =========  =========================  =========================  =====================================
    default    (1 - s) g1 + s g2          (1 - s) g1 + s g2          (1 - s) g1 + s g2
    no_gate    g1 + s g2                  g1 + s g2                  g1 + s g2
    with s     sigmoid(t_a dt + t_b)      sigmoid(-t_a dt + t_b)     sigmoid(-t_a dt)
    pure       a - a e f1                 a - a e f1                 a + (h - a) e sigmoid(-f1)
    with e     exp(-dt (|w_tau| + |f1|))  exp(-dt (|w_tau| + |f1|))  exp(-dt (|w_tau| + sigmoid(f1)))
    =========  =========================  =========================  =====================================

    Parameters: ``backbone_w0`` (I + N, H), rows of the input before rows of the state, ``backbone_b0`` (H,),
    ``backbone_w1`` (H, H) and so on; ``ff1_w ff2_w time_a_w time_b_w`` (H, N) and ``*_b`` (N,); in pure mode ``ff1_w
    ff1_b``, ``w_tau`` and ``a`` (N,), which start at 0 and 1.  Matrices are uniform in +-sqrt(6 / (rows + columns))
    (Glorot & Bengio 2010) and subject to weight decay; biases are 0 in ``"keras"`` and ``"tf"``, else uniform in
    +-1/sqrt(rows), as in PyTorch.
    State: h.  Cost: B*T*((I + N)*H + 4*H*N) multiplications for one backbone layer, three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CfC, Dense, Model
    >>> model = Model(CfC(32), Dense(2), input_dim=3, seed=0)  # or CfCRNN(32, input_dim=3, proj_size=2, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    units: int
    mode: CfCMode
    variant: CfCVariant
    backbone_units: int
    backbone_layers: int
    backbone_activation: BackboneActivation
    backbone_dropout: float
    dropped: range

    takes_dt = causal = contracting = True
    lowering = "cfc.lower"
    words = MappingProxyType({"backbone_activation": BACKBONE_ACTIVATIONS})

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        mode: CfCMode = "default",
        variant: CfCVariant = "torch",
        backbone_units: int = 128,
        backbone_layers: int = 1,
        backbone_activation: BackboneActivation = "lecun_tanh",
        backbone_dropout: float = 0.0,
        init: Init = None,
    ) -> None:
        self.units, self.input_dim = cell_sizes(units, input_dim)
        self.mode, self.variant = checks.one_of("mode", mode, MODES), checks.one_of("variant", variant, CONVENTIONS)
        self.backbone_units = checks.integer("backbone_units", backbone_units)
        self.backbone_layers = checks.integer("backbone_layers", backbone_layers, 0)
        self.backbone_activation = checks.one_of("backbone_activation", backbone_activation, BACKBONE_ACTIVATIONS)
        self.backbone_dropout = checks.number("backbone_dropout", backbone_dropout, high=1, high_open=True)
        convention = CONVENTIONS[variant]
        first = convention.undropped
        self.dropped = range(first, self.backbone_layers) if self.backbone_dropout else range(0)
        if self.backbone_dropout and not self.dropped:
            raise ValueError(
                f"`backbone_dropout` acts after backbone layers ({'from the second on ' if first else ''}in variant "
                f"{variant!r}) and there is none: it must be 0 with `backbone_layers` = {backbone_layers}, "
                f"got {backbone_dropout!r}"
            )
        self.drops = bool(self.dropped)
        self.smooth = mode != "pure" and (backbone_activation not in KINKED or backbone_layers == 0)
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = self.input_dim, self.units, self.units
        self.state_slices = {"h": slice(0, self.units)}
        sizes = [self.input_size + self.units] + [self.backbone_units] * self.backbone_layers
        entries = []
        for k in range(self.backbone_layers):
            entries += dense_entries(f"backbone_{{}}{k}", sizes[k], sizes[k + 1], convention.zero_biases)
        for head in heads(mode, variant):
            entries += dense_entries(f"{head}_{{}}", sizes[-1], self.units, convention.zero_biases)
        self.init, self.layout = with_init(entries + decay_entries(mode, self.units), init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Any:
        backbone = [(p[f"backbone_w{k}"], p[f"backbone_b{k}"]) for k in range(self.backbone_layers)]
        return cfc_sweep.Prepared(
            self.mode,
            self.variant,
            self.backbone_activation,
            backbone,
            [(p[f"{head}_w"], p[f"{head}_b"]) for head in heads(self.mode, self.variant)],
            p.get("w_tau"),
            p.get("a"),
            kernels.load(backend, "cfc"),
        )

    def forward(
        self,
        prepared: Any,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Any]:
        masks = dropout_masks(rng, self.backbone_dropout, self.dropped, x.shape, self.backbone_units, x.dtype)
        return cfc_sweep.forward(prepared, x, dt, lengths, h0, masks, keep, workspace)

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
        d_x, d_h0, d_dt, gradients = cfc_sweep.backward(prepared, saved, d_y, d_h, want_x, want_dt, workspace)
        for k in range(self.backbone_layers):
            g[f"backbone_w{k}"] += gradients.weights[k]
            g[f"backbone_b{k}"] += gradients.biases[k]
        add_head_gradients(self, prepared, gradients, g)
        return d_x, d_h0, d_dt

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``ff1`` and ``ff2`` (n, N), g1 and g2 of the table, or in pure mode ``ff1``, f1 itself; ``gate`` (n, N), s.

        ``tau`` (n, N) is in pure mode the time constant, 1 / (abs(w_tau) + abs(f1)) or, in variant ``"paper"``, 1 /
        (abs(w_tau) + sigmoid(f1)); else 1 / abs(t_a), the time in which the argument of the gate changes by 1, with
        ``time_a`` (n, N), t_a.  ``backbone_0`` (n, H) and so on are the outputs of the backbone's layers.
        """
        return cfc_sweep.observe(prepared, x, dt, state)[1]


# --------------------------------------------------------------------- parts of the layer that WiredCfC shares


def heads(mode: CfCMode, variant: CfCVariant) -> tuple[str, ...]:
    """Names of the heads."""
    if mode == "pure":
        return ("ff1",)
    return ("ff1", "ff2", "time_a", "time_b") if CONVENTIONS[variant].time_b else ("ff1", "ff2", "time_a")


def dense_entries(name: str, rows: int, columns: int, zero_biases: bool, shape: Shape | None = None) -> list[Entry]:
    """A matrix and a bias, by ``name.format("w")`` and ``"b"``; ``shape``: of what is trained of the matrix."""
    b = 0.0 if zero_biases else rows**-0.5
    return [
        Entry(name.format("w"), (rows, columns) if shape is None else shape, glorot(rows, columns), decay=True),
        Entry(name.format("b"), (columns,), (-b, b)),
    ]


def decay_entries(mode: CfCMode, units: int, prefix: str = "") -> list[Entry]:
    """The parameters of pure mode that are no head's."""
    return [Entry(f"{prefix}w_tau", (units,)), Entry(f"{prefix}a", (units,), 1.0)] if mode == "pure" else []


def dropout_masks(
    rng: np.random.Generator | None, rate: float, dropped: range, shape: Shape, units: int, dtype: Float
) -> dict[int, Array]:
    """For each layer that drops, its `dropout_mask` (T, B, H)."""
    if rng is None:
        return {}
    B, T, _ = shape
    return {k: dropout_mask(rng, rate, (T, B, units), dtype) for k in dropped}


def add_head_gradients(
    layer: Any, prepared: Any, gradients: Any, g: Arrays, prefix: str = "", index: Mapping[str, Any] | None = None
) -> None:
    """Split the gradients of all heads, side by side, among ``g``; ``index``: head -> weights there are, None: all."""
    N, product, total = prepared.N, gradients.weights[-1], gradients.biases[-1]
    for k, head in enumerate(heads(layer.mode, layer.variant)):
        own, chosen = product[:, k * N : (k + 1) * N], None if index is None else index[head]
        g[f"{prefix}{head}_w"] += own if chosen is None else own[chosen]
        g[f"{prefix}{head}_b"] += total[k * N : (k + 1) * N]
    if layer.mode == "pure":
        g[f"{prefix}w_tau"] += total[N : 2 * N] * prepared.sign_tau
        g[f"{prefix}a"] += total[2 * N :]
