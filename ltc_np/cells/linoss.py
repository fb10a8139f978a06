"""Linear oscillators (LinOSS): P of them, each driven by all inputs, and outputs that read all of them.

    x'' = -A x - G x' + B u,    y = Re(C x) + D u

with A, G >= 0 of each oscillator, B and C complex.  With z = x', f = B u, r = f - A x, and a learned step d::

    im        z+ = (z + d r) / (1 + d^2 A),   x+ = x + d z+        G = 0
    imex      z+ = z + d r,                   x+ = x + d z+        G = 0
    damped    z+ = (z + d r) / (1 + d G),     x+ = x + d z+
    exact     the solution after the time d dt, while the input is held

Source: Rusch & Rus, "Oscillatory State-Space Models" (ICLR 2025, arXiv 2410.03943), and Boyer, Rusch & Rus, "Learning
to Dissipate Energy in Oscillatory State-Space Models" (arXiv 2505.12171); the exact form is this library's.
docs/maths/linoss.md derives every line; `ltc_np.kernels.numpy.linoss` has the steps and, below, their adjoint.
"""

from __future__ import annotations

from types import MappingProxyType, ModuleType
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import blas, checks, threads
from ..base.layout import Entry, JointInit
from ..base.types import Array, Arrays, Backend, Float, Init, Ints, Keep, Numbers, OscillatorName
from ..base.workspace import Workspace
from ..kernels.codes import VECTOR_BYTES
from .base import Layer, cell_sizes
from .blocks import Block, blocks, cuts, rows_of, widest
from .initial import Normal, with_init
from .oscillators import BOUNDED, DAMPED, DISCRETIZATIONS, LogSigmoid, Ring, d_constants, packed

# Steps times sequences whose products are one, and as few as are worth one.
CHUNK, FEW = 512, 64
# Multiplications of a call (about 0.3 ms) from which a second thread brings more than it costs.
PARALLEL_PRODUCTS = 10_000_000


class _Prepared(NamedTuple):
    """What calls need of the parameters.

    Attributes
    ----------
    p : dict
        Effective parameters by name.
    own : (7, M) array
        The kernels' `Oscillators`, M the next multiple of a vector's numbers.
    inputs, d_inputs : (I, 2 * P) and (2 * P, I) arrays
        B, real and imaginary parts side by side, and the transpose.
    outputs, d_outputs : (2 * P, N) and (N, 2 * P) arrays
        C of the real parts of positions, and of the imaginary ones, and the transpose.
    kernels : module
    """

    p: Arrays
    own: Array
    inputs: Array
    d_inputs: Array
    outputs: Array
    d_outputs: Array
    kernels: ModuleType


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, the states before every block, (B, blocks, 4 * P), and the
    forces, or nothing.
    """

    x: Array
    dt: Array
    lengths: Ints
    starts: Array
    drives: Array


class _Sums(NamedTuple):
    """Gradients, in float64: of the oscillators (5, P), of B (I, 2 * P), of C (2 * P, N), and of D (N,)."""

    own: Array
    inputs: Array
    outputs: Array
    skip: Array


class _Scratch(NamedTuple):
    """What a thread works in: flat arrays for forces, states, outputs or adjoints of inputs, and the kernels'."""

    drives: Array
    d_drives: Array
    states: Array
    out: Array
    more: Array
    work: Array


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
    gradients.  Memory for gradients: 2 * P numbers a step, with ``memory="low"`` one state every 512 steps.  Threads
    share sequences, so that one long sequence runs on one of them.

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
        vector = VECTOR_BYTES // inputs.itemsize
        return _Prepared(
            p,
            packed(self.discretization, *self._oscillators(p), -(-self.states // vector) * vector),
            inputs,
            np.ascontiguousarray(inputs.T),
            outputs,
            np.ascontiguousarray(outputs.T),
            kernels.load(backend, "linoss"),
        )

    @staticmethod
    def _oscillators(p: Arrays) -> tuple[Array, Array, Array]:
        """A, G and step."""
        return p["stiffness"], p.get("damping", np.zeros_like(p["stiffness"])), np.exp(p["log_step"])

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, _Saved | None]:
        (B, T, _), K, N = x.shape, self.state_size, self.units
        y = workspace.array("y", B * T * N, x.dtype).reshape(B, T, N)
        state = workspace.array("state", B * K, x.dtype).reshape(B, K)
        state[:] = h0
        parts, scratch = self._plan(prepared, B, T, workspace, x.dtype)
        count = -(-T // max(1, CHUNK // widest(parts))) if keep else 0
        starts = workspace.array("starts", B * count * K, x.dtype).reshape(B, count, K)
        kept = workspace.array("forces", B * T * K // 2 if keep == "full" else 0, x.dtype)

        def run(first, last, worker):
            own = scratch[worker]
            for cut in parts[first:last]:
                for k, block in enumerate(blocks(cut, lengths, T, CHUNK)):
                    if count:
                        starts[block.first : block.last, k] = state[block.first : block.last]
                    u = _of_block(x, block)
                    drives = np.dot(u, prepared.inputs, out=self._forces(kept, own, block))
                    _, positions = self._states(prepared, own, block, drives, dt, lengths, state)
                    out = np.dot(positions, prepared.outputs, out=rows_of(own.out, block, N))
                    if "d" in prepared.p:
                        out += np.multiply(u, prepared.p["d"], out=rows_of(own.more, block, N))
                    y[block.first : block.last, block.begin : block.end] = out.reshape(-1, block.end - block.begin, N)

        with blas.one_thread():
            threads.run(run, len(parts), len(scratch))
        return y, state, _Saved(x, dt, lengths, starts, kept) if keep else None

    def _forces(self, kept: Array, own: _Scratch, block: Block) -> Array:
        """Where the forces of a block stand."""
        width = 2 * self.states
        return rows_of(kept, block, width, block.at) if kept.size else rows_of(own.drives, block, width)

    def _states(
        self, prepared: _Prepared, own: _Scratch, block: Block, drives: Array, dt: Array, lengths: Ints, state: Array
    ) -> Array:
        """Velocities and positions after each step of a block, through which ``state`` goes."""
        states = own.states[: block.rows * self.state_size].reshape(2, block.rows, 2 * self.states)
        prepared.kernels.forward_steps(
            self.takes_dt, prepared.own, *block[:4], dt, lengths, drives, state, states, own.work
        )
        return states

    def backward(
        self,
        prepared: _Prepared,
        saved: _Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        x, dt, lengths, starts, kept = saved
        (B, T, I), K, N, P, dtype = x.shape, self.state_size, self.units, self.states, x.dtype
        d_x = workspace.array("d_x", B * T * I if want_x else 0, dtype).reshape(-1, T, I)
        d_dt = workspace.array("d_dt", B * T if want_dt and self.takes_dt else 0, dtype).reshape(-1, T)
        d_state = d_h.copy()
        start, state = workspace.array("again", 2 * B * K, dtype).reshape(2, B, K)
        parts, scratch = self._plan(prepared, B, T, workspace, dtype)
        sums = [_Sums(np.zeros((5, P)), np.zeros((I, 2 * P)), np.zeros((2 * P, N)), np.zeros(N)) for _ in parts]

        def run(first, last, worker):
            own = scratch[worker]
            for cut, total in zip(parts[first:last], sums[first:last], strict=True):
                found = blocks(cut, lengths, T, CHUNK)
                for k in range(len(found) - 1, -1, -1):
                    block, rows = found[k], slice(*cut)
                    start[rows] = state[rows] = starts[rows, k]
                    u, d_out = _of_block(x, block), _of_block(d_y, block)
                    drives, d_drives = self._forces(kept, own, block), rows_of(own.d_drives, block, 2 * P)
                    if not kept.size:
                        np.dot(u, prepared.inputs, out=drives)
                    states = self._states(prepared, own, block, drives, dt, lengths, state)
                    np.dot(d_out, prepared.d_outputs, out=d_drives)
                    total.outputs[:] += np.dot(states[1].T, d_out)
                    prepared.kernels.backward_steps(
                        self.takes_dt, prepared.own, *block[:4], dt, lengths, drives, start, states, d_state, d_drives,
                        d_dt, total.own, own.work,
                    )  # fmt: skip
                    total.inputs[:] += np.dot(u.T, d_drives)
                    if "d" in g:
                        total.skip[:] += np.multiply(u, d_out, out=rows_of(own.more, block, N)).sum(0)
                    if want_x:
                        d_u = np.dot(d_drives, prepared.d_inputs, out=rows_of(own.out, block, I))
                        if "d" in g:
                            d_u += np.multiply(d_out, prepared.p["d"], out=rows_of(own.more, block, I))
                        d_x[rows, block.begin : block.end] = d_u.reshape(-1, block.end - block.begin, I)

        with blas.one_thread():
            threads.run(run, len(parts), len(scratch))
        self._add(prepared, _Sums(*(sum(each) for each in zip(*sums, strict=True))), g)
        return d_x if want_x else None, d_state, d_dt if want_dt and self.takes_dt else None

    def _add(self, prepared: _Prepared, total: _Sums, g: Arrays) -> None:
        """Gradients of the parameters from those of what kernels and products take."""
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
        n, P = len(x), self.states
        force, states = np.dot(x, prepared.inputs), np.empty((2, n, 2 * P), x.dtype)
        one = dt[:, None], np.ones(n, np.int64)
        work = np.empty(prepared.kernels.work_size(P, x.itemsize), x.dtype)
        prepared.kernels.forward_steps(
            self.takes_dt, prepared.own, 0, n, 0, 1, *one, force, state.copy(), states, work
        )  # fmt: skip
        named = {"force": force, "velocity": states[0], "position": states[1]}
        return {name: a[:, :P] + 1j * a[:, P:] for name, a in named.items()}

    def _plan(
        self, prepared: _Prepared, B: int, T: int, workspace: Workspace, dtype: Float
    ) -> tuple[list[tuple[int, int]], list[_Scratch]]:
        """How the sequences are cut, and what each thread works in."""
        P, parts = self.states, cuts(B, -(-FEW // T))
        products = B * T * 2 * P * (self.input_size + self.units)
        workers = threads.share(len(parts), products > PARALLEL_PRODUCTS)

        def make():
            rows = min(max(CHUNK, widest(parts)), widest(parts) * T)
            wide, work = rows * max(self.input_size, self.units), prepared.kernels.work_size(P, dtype.itemsize)
            sizes = _Scratch(rows * 2 * P, rows * 2 * P, rows * 4 * P, wide, wide, work)
            return [
                _Scratch(*(workspace.array(f"{name} {k}", size, dtype) for name, size in sizes._asdict().items()))
                for k in range(workers)
            ]

        return parts, workspace.kept("scratch", (B, T, workers), make)


def _of_block(array: Array, block: Block) -> Array:
    """The (rows, -) array of a block of one that is (B, T, -)."""
    return array[block.first : block.last, block.begin : block.end].reshape(block.rows, -1)
