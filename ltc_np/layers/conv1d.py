"""Conv1D: weighted sums of the last inputs, whose weights are trained.

With K taps that are d steps apart::

    y_t = activation(b + sum over k of x_(t - (K - 1 - k) d) weight_k)

docs/maths/convolution.md#the-gradients has the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import activations, checks
from ..base.layout import Entry
from ..base.types import Activation, Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..cells import Layer
from ..cells.base import input_features
from ..cells.initial import glorot, with_init
from ..kernels.windows import Seen, Window
from .pace import Thinning, thinning
from .recent import Recent, d_look_back, look_back, state_slices


class Prepared(NamedTuple):
    """Kernels, their ``Taps``, and of a separable layer the weights (K, I) that come before these."""

    kernels: Any
    taps: Any
    each: np.ndarray | None


POINT = Window(1, 1, 1)  # reads the present input alone


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    recent : Recent
    read : Seen
        What is multiplied by the weights (K, I, O): the inputs, or, if separable, the sums over each feature's taps.
    z, y : (B, n, O) arrays, or None
        Before and after the activation; None where there is none.
    """

    recent: Recent
    read: Seen
    z: np.ndarray | None
    y: np.ndarray | None


class Conv1D(Layer):
    """A convolution over time, ``activation(bias + sum of weights times the last inputs)``, at every step.

    It is causal: an output depends on its own input and those before it, and before the first step inputs are 0.

    Parameters
    ----------
    outputs : int >= 1
        Features per step going out.
    kernel_size : int >= 1
        How many inputs an output reads, the present one among them.
    stride : int >= 1
        Steps for each output, which belongs to the last of them: n steps have n // stride outputs, and the elapsed time
        of an output is the sum of theirs.
    dilation : int >= 1
        Steps between the inputs that it reads: the farthest is ``(kernel_size - 1) * dilation`` steps back.
    separable : bool
        Each feature has its own weights over time, and one matrix then mixes the features: with K taps K I + I O
        weights instead of K I O.
    activation : None, "relu", "tanh", "sigmoid", "silu", "gelu" or "lecun_tanh"
    input_dim : int >= 1, optional
        Features per step coming in; left out, those of the layer before.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``.

    Notes
    -----
    Parameters: ``weight`` (K, I, O), of which ``weight[-1]`` weighs the present input, uniform in
    +-sqrt(6 / (K I + K O)) (Glorot & Bengio 2010); ``bias`` (O,), 0.  Separable: ``taps`` (K, I), uniform in
    +-sqrt(3 / K), and ``weight`` (I, O), uniform in +-sqrt(6 / (I + O)).  Weight decay is for all but the bias.  State:
    ``past``, the last ``(kernel_size - 1) * dilation`` inputs, the latest last.

    The distances are steps, whatever the time between them: where it varies, give it as a feature.  Cost of a step: K I
    O products, or K I + I O of a separable one.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Conv1D, Model
    >>> model = Model(Conv1D(16, 5, activation="relu"), LTC(AutoNCP(16, 2)), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.1).shape
    (5, 7, 2)
    >>> change = Conv1D(1, 2, input_dim=1, init={"weight": np.reshape([-1.0, 1.0], (2, 1, 1))})
    >>> Model(change, seed=0)([[5.0], [7.0], [4.0]]).ravel().tolist()
    [5.0, 2.0, -3.0]
    """

    outputs: int
    kernel_size: int
    stride: int
    dilation: int
    separable: bool
    activation: Activation
    window: Window
    f: Callable[[Array], Array]
    d_f: Callable[[Array, Array], Array]

    causal = True
    lowering = "conv1d.lower"

    def __init__(
        self,
        outputs: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        separable: bool = False,
        activation: Activation = None,
        input_dim: int | None = None,
        init: Init = None,
    ) -> None:
        self.outputs, self.input_dim = checks.integer("outputs", outputs), input_features(input_dim)
        self.stride = checks.integer("stride", stride)
        self.kernel_size, self.dilation = (
            checks.integer("kernel_size", kernel_size),
            checks.integer("dilation", dilation),
        )
        self.separable = checks.boolean("separable", separable)
        self.f, self.d_f = activations.get(activation)
        self.activation = activation
        self.keeps_outputs = activation is not None
        self.smooth = activation not in activations.KINKED
        self.contracting = self.kernel_size > 1 and self.stride == 1  # chunks have as many outputs as inputs
        self.dt0_identity = self.hull = self.kernel_size == 1 and self.stride == 1  # of a state that is empty
        if self.input_dim is None:
            return self._defer(init={} if init is None else init)
        K, I, O = self.kernel_size, self.input_dim, self.outputs
        self.input_size, self.output_size = I, O
        self.window = Window(K, self.dilation, self.stride)
        self.reach = self.window.more
        self.state_slices = state_slices(self.reach * I, self.stride)
        self.state_size = sum(where.stop - where.start for where in self.state_slices.values())
        if self.separable:
            entries = [
                Entry("taps", (K, I), glorot(K, K), decay=True),
                Entry("weight", (I, O), glorot(I, O), decay=True),
            ]
        else:
            entries = [Entry("weight", (K, I, O), glorot(K * I, K * O), decay=True)]
        self.init, self.layout = with_init((*entries, Entry("bias", (O,))), init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        found = kernels.load(backend, "convolution")
        if self.separable:
            return Prepared(found, found.Taps(POINT, p["weight"][None], p["bias"]), p["taps"])
        return Prepared(found, found.Taps(self.window, p["weight"], p["bias"]), None)

    def forward(
        self,
        prepared: Prepared,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        thin: Thinning | None = None,
    ) -> tuple[Array, Array, Saved | None]:
        (found, taps, each), recent = prepared, look_back(self, x, lengths, h0, thin)
        if not recent.n:
            y = np.empty((len(x), 0, self.output_size), x.dtype)
            return y, recent.h, Saved(recent, recent.seen, None, None) if keep else None
        read = recent.seen if each is None else Seen.all_of(found.depthwise(self.window, each, recent.seen))
        z = found.correlate(taps, read)
        if self.activation is None:
            return z, recent.h, Saved(recent, read, None, None) if keep else None
        y = self.f(z)
        return y, recent.h, Saved(recent, read, z, y) if keep else None

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
        n, more = d_y.shape[1], self.reach
        d_seen = None
        if n:
            # The inputs before the first step are read by the first outputs alone.
            d_seen = self._d_seen(prepared, saved, d_y, g, n if want_x else min(n, -(-more // self.stride)))
        return *d_look_back(self, saved.recent, d_seen, d_h, want_x), None

    def _d_seen(self, prepared: Prepared, saved: Saved, d_y: Array, g: Arrays, n: int) -> tuple[Array, Array]:
        """Adjoint of what the first n windows read, in two parts; the gradients are added to g."""
        found, taps, each = prepared
        d_z = d_y if self.activation is None else d_y * self.d_f(saved.z, saved.y)
        d_read, d_weight, d_bias = found.d_correlate(taps, saved.read, d_z, n if each is None else d_y.shape[1])
        g["bias"] += d_bias
        g["weight"] += d_weight.reshape(g["weight"].shape)
        if each is None:
            return d_read
        d_seen, d_taps = found.d_depthwise(self.window, each, saved.recent.seen, d_read[1])
        g["taps"] += d_taps
        return d_seen

    def observe(self, prepared: Arrays, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``argument`` (n, O) of the activation, where there is one."""
        if self.activation is None:
            return {}
        lengths = np.ones(len(x), np.int64)
        thin = thinning(self, state, lengths, 1) if self.stride > 1 else None
        _, _, saved = self.forward(prepared, x[:, None], dt[:, None], lengths, state, "full", Fresh(), thin)
        return {"argument": saved.z[:, 0]}
