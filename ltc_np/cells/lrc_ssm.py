"""The diagonal liquid-resistance liquid-capacitance network: units that read the inputs and themselves, not each other.

With s(v) = sigmoid(sigma (v - mu)) of a unit's own potential, and s_k = sigmoid(sensory_sigma_k (x_k - sensory_mu_k))
of the inputs, the same for all units::

    f = gleak + sum_k sensory_w_k s_k + w s(v)
    z = gleak + sum_k sensory_h_k s_k + h s(v)
    dv/dt = epsilon (vleak tanh(z) - sigmoid(f) v)

    epsilon = sigmoid(a)                                      "asymmetric"
    epsilon = sigmoid(a + shift) - sigmoid(a - shift)         "symmetric"
    epsilon = 1                                               None
    with a = elastance_v v + elastance_b

With P = vleak tanh(z), Q = sigmoid(f) and an unfold of length h epsilon this is the equation of an LTC of capacity 1,
and the rules of `ltc_np.kernels.numpy.ltc_solvers` solve it.  The sums over the inputs, which need no state, are one
product for many steps; the rest is a scan in which units lie side by side.

Source: Farsang, Hasani, Rus & Grosu, "Scaling Up Liquid-Resistance Liquid-Capacitance Networks for Efficient Sequence
Modeling" (NeurIPS 2025, arXiv 2505.21717), and its code.  docs/maths/lrc_ssm.md#the-gradients derives every line.
"""

from types import MappingProxyType, ModuleType
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..base import blas, checks, threads
from ..base.activations import sigmoid
from ..base.layout import Entry, raw
from ..base.types import Array, Arrays, Backend, Elastance, Float, Init, Ints, Keep, LTCSolver, Numbers, Reaction
from ..base.workspace import Workspace
from ..kernels.codes import ELASTANCES, LRC_SSM_UNIT, MOST_UNFOLDS, SOLVERS, Rule, Solver
from .base import Layer, cell_sizes
from .blocks import Block, blocks, cuts, rows_of, widest
from .initial import with_init
from .stability import check_step

# A block has so many sequences that the vectors of a step, of 16 units, are about eight: the processor works on them
# at once, and on one alone it would wait for each function.
BLOCK_UNITS, MOST_SEQUENCES = 128, 8
# Steps times sequences whose sums over the inputs are one product.
CHUNK = 512
# Steps of units in a call (0.3 ms) from which a second thread brings more than it costs.
PARALLEL_STEPS = 2**17
SHIFT = 1.0  # of the symmetric elastance, initially


class _Prepared(NamedTuple):
    """What calls need of the parameters.

    Attributes
    ----------
    unit : (9, N) array
        Those of the units, in the order of `LRC_SSM_UNIT`; 0 where there is none.
    mu, sigma : (I,) arrays
        Of the inputs' synapses.
    weights, transposed : (I, 2 * N) and (2 * N, I) arrays
        ``sensory_w`` and ``sensory_h`` side by side, and the transpose.
    kernels : module
    kind : int
        The number of the elastance.
    rule : tuple
        A `Rule`, as kernels take it.
    fastest : float or None
        The largest that epsilon sigmoid(f) can be; None where nobody asks.
    """

    unit: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    weights: np.ndarray
    transposed: np.ndarray
    kernels: ModuleType
    kind: int
    rule: tuple[int, ...]
    fastest: float | None


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, the outputs, and the sums over the inputs, or nothing."""

    x: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    h0: np.ndarray
    y: np.ndarray
    drives: np.ndarray


class _Sums(NamedTuple):
    """Gradients, in float64, of the units (9, N), of the inputs' synapses (I,), and of their weights (I, 2 * N)."""

    unit: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    weights: np.ndarray


class _Scratch(NamedTuple):
    """What a thread works in: flat arrays for s, the sums over the inputs, the adjoints of both, and the kernels'."""

    s: np.ndarray
    drives: np.ndarray
    d_s: np.ndarray
    d_drives: np.ndarray
    work: np.ndarray


class LrcSSM(Layer):
    """A layer of liquid-resistance liquid-capacitance units, each on its own: a nonlinear, diagonal state space.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    ode_unfolds : int in 1..1,000,000
        Solver steps per elapsed time; part of the model.  One is published.
    elastance : "asymmetric", "symmetric" or None
        The inverse capacitance: sigmoid(a), or sigmoid(a + shift) - sigmoid(a - shift), which also falls where a is
        large, or 1.
    solver : str
        The rule of an unfold; part of the model, one of those of `LTC`.  ``"euler"`` is published, for elapsed times
        below 2; ``"semi_implicit"``, at the same cost, is stable for every dt.  All leave the state where it is at
        dt = 0, exactly.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver may amplify its errors: where h times the largest that epsilon sigmoid(f)
        can be is not below its limit, which is 2 for euler.  It is always less than h, the length of an unfold.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    Parameters: ``sensory_mu sensory_sigma`` (I,), shared by all units; ``sensory_w sensory_h`` (I, N), subject to
    weight decay; ``gleak vleak w h mu sigma`` (N,), ``elastance_v elastance_b`` (N,), and ``elastance_shift`` (N,) if
    it is symmetric, positive by softplus.  Initially that is 1, and all others are uniform in +-1/sqrt(units), as
    published.  The time constant of a unit is 1 / (epsilon sigmoid(f)), initially about 4, so that it forgets within
    some steps of dt = 1; ``init={"elastance_b": (-6.0, 0.0)}`` covers 4 to 800.
    State: the N potentials ``v``, which are the output.  With euler up to dt = 1, and with the stable solvers, they are
    at most max(abs(h0), abs(vleak) / sigmoid(f)) for the least f that inputs can make, gleak plus the negative weights
    sensory_w and w; there is no smaller bound, as there is for an `LRC`, whose weights are positive.
    Cost: 2*B*T*N*I multiplications, and 4 sigmoids a step, unit and stage (5 if symmetric, 3 without elastance); three
    times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, LrcSSM, Model
    >>> model = Model(Dense(16), LrcSSM(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    units: int
    ode_unfolds: int
    elastance: Elastance
    solver: LTCSolver
    check_stability: Reaction
    method: Solver
    rule: Rule

    takes_dt = dt0_identity = smooth = causal = True
    lowering = "lrc_ssm.lower"
    reference_solver = "exponential"
    words = MappingProxyType({"solver": tuple(SOLVERS)})

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        ode_unfolds: int = 1,
        elastance: Elastance = "asymmetric",
        solver: LTCSolver = "euler",
        check_stability: Reaction = "error",
        init: Init = None,
    ) -> None:
        N, I = cell_sizes(units, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds, most=MOST_UNFOLDS)
        self.elastance = checks.one_of("elastance", elastance, ELASTANCES)
        self.solver = checks.one_of("solver", solver, tuple(SOLVERS))
        self.check_stability = checks.one_of("check_stability", check_stability, ("error", "warn", "off"))
        self.method = SOLVERS[solver]
        self.rule = self.method.rule(self.ode_unfolds)
        self.units, self.input_dim = N, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"v": slice(0, N)}
        names = LRC_SSM_UNIT[:6] if elastance is None else LRC_SSM_UNIT[:8]
        limits = -(N**-0.5), N**-0.5
        entries = [Entry(name, (I,), limits) for name in ("sensory_mu", "sensory_sigma")]
        entries += [Entry(name, (I, N), limits, decay=True) for name in ("sensory_w", "sensory_h")]
        entries += [Entry(name, (N,), limits) for name in names]
        if elastance == "symmetric":
            entries += [Entry("elastance_shift", (N,), raw(SHIFT, "softplus"), positivity="softplus")]
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        weights = np.concatenate([p["sensory_w"], p["sensory_h"]], axis=1)
        none = np.zeros_like(p["w"])
        unit = np.stack([p.get(name, none) for name in LRC_SSM_UNIT])
        return _Prepared(
            unit,
            p["sensory_mu"],
            p["sensory_sigma"],
            weights,
            np.ascontiguousarray(weights.T),
            kernels.load(backend, "lrc_ssm"),
            ELASTANCES.index(self.elastance),
            tuple(self.rule),
            self.fastest(p),
        )

    def fastest(self, p: Arrays) -> float | None:
        """The largest that epsilon sigmoid(f) can be, at most 1; None where nobody asks."""
        if self.method.limit is None or self.check_stability == "off":
            return None
        most = p["gleak"] + np.maximum(p["sensory_w"], 0).sum(0, np.float64) + np.maximum(p["w"], 0)
        elastance = np.tanh(0.5 * p["elastance_shift"]) if self.elastance == "symmetric" else 1.0
        return float((elastance * sigmoid(most)).max())

    def check(self, prepared: _Prepared, dt: Array) -> None:
        if prepared.fastest is not None:
            ratio = "h*rate", ", rate the most that elastance times sigmoid(f) can be", prepared.fastest
            remedy = 'solver="semi_implicit"'
            check_step(self.method, *ratio, dt, self.ode_unfolds, remedy, self.check_stability)

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, _Saved | None]:
        (B, T, I), N, dtype = x.shape, self.units, x.dtype
        y = workspace.array("y", B * T * N, dtype).reshape(B, T, N)
        v = workspace.array("v", B * N, dtype).reshape(B, N)
        kept = workspace.array("drives", B * T * 2 * N if keep == "full" else 0, dtype)
        v[:] = h0
        forward_steps, unit, kind, rule = prepared.kernels.forward_steps, prepared.unit, prepared.kind, prepared.rule
        parts, scratch = self._plan(prepared, B, T, workspace, dtype)

        def run(first, last, worker):
            own = scratch[worker]
            for cut in parts[first:last]:
                for block in blocks(cut, lengths, T, CHUNK):
                    drives = rows_of(kept, block, 2 * N, block.at) if kept.size else rows_of(own.drives, block, 2 * N)
                    drive(prepared, block, x, rows_of(own.s, block, I), drives)
                    forward_steps(unit, kind, rule, *block[:4], dt, drives, v, y, own.work)

        with blas.one_thread():
            threads.run(run, len(parts), len(scratch))
        return y, v, _Saved(x, dt, lengths, h0, y, kept) if keep else None

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
        x, dt, lengths, h0, y, kept = saved
        (B, T, I), N, dtype = x.shape, self.units, x.dtype
        d_x = workspace.array("d_x", B * T * I if want_x else 0, dtype).reshape(-1, T, I)
        d_dt = workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape(-1, T)
        d_v = d_h.copy()
        backward_steps, unit, kind, rule = prepared.kernels.backward_steps, prepared.unit, prepared.kind, prepared.rule
        parts, scratch = self._plan(prepared, B, T, workspace, dtype)
        sums = [_Sums(np.zeros((9, N)), np.zeros(I), np.zeros(I), np.zeros((I, 2 * N))) for _ in parts]

        def run(first, last, worker):
            own = scratch[worker]
            for cut, total in zip(parts[first:last], sums[first:last], strict=True):
                for block in reversed(blocks(cut, lengths, T, CHUNK)):
                    s, d_s = rows_of(own.s, block, I), rows_of(own.d_s, block, I)
                    d_drives = rows_of(own.d_drives, block, 2 * N)
                    drives = rows_of(kept, block, 2 * N, block.at) if kept.size else rows_of(own.drives, block, 2 * N)
                    drive(prepared, block, x, s, None if kept.size else drives)
                    backward_steps(
                        unit, kind, rule, *block[:4], dt, drives, h0, y, d_y, d_v, d_drives, d_dt, total.unit, own.work
                    )
                    _d_drive(prepared, block, x, s, d_drives, d_s, d_x, total, own.work)

        with blas.one_thread():
            threads.run(run, len(parts), len(scratch))
        ours, mu, sigma, weights = (sum(each) for each in zip(*sums, strict=True))
        found = dict(zip(LRC_SSM_UNIT, ours, strict=True)) | {"sensory_mu": mu, "sensory_sigma": sigma}
        found |= {"sensory_w": weights[:, :N], "sensory_h": weights[:, N:]}
        for name in g:
            g[name] += found[name]
        return d_x if want_x else None, d_v, d_dt if want_dt else None

    def observe(self, prepared: _Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """As an `LRC` has it; ``activations`` (n, N) are those of the units' own synapses, s(v), and
        ``sensory_activations`` (n, I) those of the inputs, s_k.
        """
        n, I, N = len(x), self.input_size, self.units
        s, drives = np.empty((n, I), x.dtype), np.empty((n, 2 * N), x.dtype)
        drive(prepared, Block(0, n, 0, 1, 0), x[:, None], s, drives)
        seen = prepared.kernels.observe(prepared.unit, prepared.kind, prepared.rule, dt, drives, state)
        return seen | {"sensory_activations": s}

    def _plan(
        self, prepared: _Prepared, B: int, T: int, workspace: Workspace, dtype: Float
    ) -> tuple[list[tuple[int, int]], list[_Scratch]]:
        """How the sequences are cut, and what each thread works in."""
        I, N = self.input_size, self.units
        parts = cuts(B, max(1, min(MOST_SEQUENCES, BLOCK_UNITS // N)))
        workers = threads.share(len(parts), B * T * N * self.rule.evaluations > PARALLEL_STEPS)

        def make():
            most = widest(parts)
            rows, work = (
                min(max(CHUNK, most), most * T),
                prepared.kernels.work_size(prepared.rule, N, dtype.itemsize),
            )
            sizes = _Scratch(rows * I, rows * 2 * N, rows * I, rows * 2 * N, work)
            return [
                _Scratch(*(workspace.array(f"{name} {k}", size, dtype) for name, size in sizes._asdict().items()))
                for k in range(workers)
            ]

        return parts, workspace.kept("scratch", (B, T, workers), make)


def drive(prepared: _Prepared, block: Block, x: Array, s: Array, out: Array | None) -> None:
    """The open synapses s of the inputs, and, where they are asked for, the sums over them: f and z, side by side."""
    prepared.kernels.synapses(prepared.mu, prepared.sigma, *block[:4], x, s)
    if out is not None:
        np.dot(s, prepared.weights, out=out)


def _d_drive(
    prepared: _Prepared,
    block: Block,
    x: Array,
    s: Array,
    d_out: Array,
    d_s: Array,
    d_x: Array,
    sums: _Sums,
    work: Array,
) -> None:
    """Adjoint of `drive`; d_s and work are worked in, d_x may be empty."""
    sums.weights[:] += np.dot(s.T, d_out)
    np.dot(d_out, prepared.transposed, out=d_s)
    prepared.kernels.d_synapses(prepared.mu, prepared.sigma, *block[:4], x, s, d_s, d_x, sums.mu, sums.sigma, work)
