"""Linear oscillators (LinOSS): P of them, each driven by all inputs, and outputs that read all of them.

    x'' = -A x - G x' + B u,    y = Re(C x) + D u

with A, G >= 0 of each oscillator, B and C complex.  With z = x', f = B u, r = f - A x, and a learned step d::

    im        z+ = (z + d r) / (1 + d^2 A),   x+ = x + d z+        G = 0
    imex      z+ = z + d r,                   x+ = x + d z+        G = 0
    damped    z+ = (z + d r) / (1 + d G),     x+ = x + d z+
    exact     the solution after the time d dt, while the input is held

Source: Rusch & Rus, "Oscillatory State-Space Models" (ICLR 2025, arXiv 2410.03943), and Boyer, Rusch & Rus, "Learning
to Dissipate Energy in Oscillatory State-Space Models" (arXiv 2505.12171); the exact form is this library's.
docs/maths/linoss.md#the-gradients derives every line; `ltc_np.kernels.numpy.linoss` has the steps and their adjoint.
"""

from __future__ import annotations

from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry, JointInit
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers, OscillatorName
from ..base.workspace import Fresh, Workspace
from ..kernels.codes import VECTOR_BYTES
from .base import Layer, cell_sizes
from .initial import Normal, with_init
from .oscillators import BOUNDED, DAMPED, DISCRETIZATIONS, LogSigmoid, Ring, d_constants, packed


class _Prepared(NamedTuple):
    """What calls need of the parameters: effective ones by name, and the `Weights` and the module of kernels."""

    p: Arrays
    weights: Any
    kernels: ModuleType


class LinOSS(Layer):
    """Linear oscillators that read all inputs; outputs read all oscillators: a linear state space.

    Parameters
    ----------
    units : int >= 1
        N, outputs.
    states : int >= 1
        P, complex oscillators.
    input_dim : int >= 1
    discretization : "im", "imex", "damped" or "exact"
        ``"im"`` forgets, ``"imex"`` does not; ``"damped"`` learns how fast each oscillator does.  These three go on by
        the learned step whatever time has passed: a model of them takes no ``dt``.  ``"exact"`` is damped and goes on
        by step * dt: for elapsed times that differ.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("glorot", gain)`` or ``("orthogonal", gain)``.

    Notes
    -----
    Parameters: ``stiffness`` A >= 0, ``damping`` G >= 0 (damped and exact), ``log_step`` (P,); ``b_re b_im`` (I, P) and
    ``c_re c_im`` (P, N), subject to weight decay; ``d`` (N,), only where as many features go out as come in.  A and G
    are clipped at 0.  imex and damped are stable below A = 2 (2 + step G) / step^2, where A stops to count.
    Initially B is uniform in +-1/sqrt(I), C in +-1/sqrt(P), d normal; im and imex: A uniform in 0..1, steps in
    1/2..0.73; damped and exact: what a step (of dt = 1) multiplies by is spread over the ring of magnitudes 0.9 to 1,
    steps are about 1/2.  For another unit of time set ``init={"log_step": -log(usual dt) - 0.7}``.
    exact: an undamped oscillator that turns by more than 2^17 (float64: 2^46) radians in a step has a wrong phase.
    State: ``velocity`` and ``position`` (2 * P), real parts before imaginary ones.
    Cost: 2*B*T*P*(I + N) multiplications in products, 12 per step and oscillator beside; three times that with
    gradients.  Memory for gradients: one state every 128 steps (NumPy: all, and the forces).  Threads share sequences,
    so that one long sequence runs on one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, LinOSS, Model
    >>> model = Model(Dense(16), LinOSS(16, 32, discretization="exact"), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    units: int
    states: int
    discretization: OscillatorName

    causal = True
    keeps_outputs = False
    lowering = "linoss.lower"
    words = MappingProxyType({"discretization": DISCRETIZATIONS})

    def __init__(
        self,
        units: int,
        states: int = 64,
        *,
        input_dim: int | None = None,
        discretization: OscillatorName = "imex",
        init: Init = None,
    ) -> None:
        N, I = cell_sizes(units, input_dim)
        P = checks.integer("states", states)
        self.discretization = checks.one_of("discretization", discretization, DISCRETIZATIONS)
        self.takes_dt = self.dt0_identity = discretization == "exact"
        self.smooth = discretization not in BOUNDED
        self.units, self.states, self.input_dim = N, P, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, 4 * P
        self.state_slices = {"velocity": slice(0, 2 * P), "position": slice(2 * P, 4 * P)}
        entries = [
            Entry("stiffness", (P,), (0.0, 1.0), positivity="clip"),
            Entry("log_step", (P,), LogSigmoid()),
        ]
        if discretization in DAMPED:
            ring = Ring(discretization, P)
            entries.insert(1, Entry("damping", (P,), positivity="clip"))
            entries = [entry.replace(init=JointInit(ring, entry.name)) for entry in entries]
        limit = I**-0.5, P**-0.5
        entries += [Entry(name, (I, P), (-limit[0], limit[0]), decay=True) for name in ("b_re", "b_im")]
        entries += [Entry(name, (P, N), (-limit[1], limit[1]), decay=True) for name in ("c_re", "c_im")]
        entries += [Entry("d", (N,), Normal(1.0))] * (I == N)
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        inputs = np.concatenate([p["b_re"], p["b_im"]], axis=1)
        outputs = np.concatenate([p["c_re"], -p["c_im"]], axis=0)
        vector, module = VECTOR_BYTES // inputs.itemsize, kernels.load(backend, "linoss")
        own = packed(self.discretization, *self._oscillators(p), -(-self.states // vector) * vector)
        d = p.get("d", inputs[0, :0])
        return _Prepared(p, module.Weights(self.takes_dt, own, inputs, outputs, d), module)

    @staticmethod
    def _oscillators(p: Arrays) -> tuple[Array, Array, Array]:
        """A, G and step."""
        return p["stiffness"], p.get("damping", np.zeros_like(p["stiffness"])), np.exp(p["log_step"])

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        return prepared.kernels.forward(prepared.weights, x, dt, lengths, h0, keep is not None, workspace)

    def backward(
        self,
        prepared: _Prepared,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        *found, total = prepared.kernels.backward(
            prepared.weights, saved, d_y, d_h, want_x, want_dt and self.takes_dt, workspace
        )
        self._add(prepared, total, g)
        return found

    def _add(self, prepared: _Prepared, total: Any, g: Arrays) -> None:
        """Gradients of the parameters from ``total``, the kernels' `Sums`."""
        P, (A, G, d) = self.states, (a.astype(np.float64) for a in self._oscillators(prepared.p))
        if self.discretization == "exact":
            d_A, d_G, d_d = total.own[:3]
        else:
            d_A, d_G, d_d = d_constants(self.discretization, A, G, d, total.own)
        found = {"stiffness": d_A, "damping": d_G, "log_step": d * d_d, "d": total.skip}
        found |= {"b_re": total.inputs[:, :P], "b_im": total.inputs[:, P:]}
        found |= {"c_re": total.outputs[:P], "c_im": -total.outputs[P:]}
        for name in g:
            g[name] += found[name]

    def observe(self, prepared: _Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """Complex, of each of the P oscillators, (n, P): ``force``, B u; ``velocity``, ``position`` after it."""
        n = np.ones(len(x), np.int64)
        *_, seen = prepared.kernels.forward(prepared.weights, x[:, None], dt[:, None], n, state, True, Fresh())
        named = {"force": seen.forces[:, 0], "velocity": seen.states[:, 1, 0], "position": seen.states[:, 1, 1]}
        return {name: a[:, 0] + 1j * a[:, 1] for name, a in named.items()}
