"""The LTC on the GPU: cuts time into segments, launches.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc`, the definition;
`run_forward` and `run_backward` are the same of arrays that lie on the device.  There time comes first, (T, B, ...): a
stretch of time is a stretch of memory, and neighbouring threads read neighbouring numbers.

The adjoint goes through time in segments of a length that depends on the problem only.  The sums of a segment are added
to those of the segments behind it, so the gradient has the same bits whether the states of all stages were kept or only
those before every segment, from which a segment is run again.
"""

from typing import NamedTuple

import numpy as np

from ...base import checks
from ...base.once import once
from ..codes import NEURON, SENSORY, SYNAPSE
from . import ltc_solvers, ltc_sweeps, sums
from .device import download, empty, launch, launch_over, upload
from .ltc_circuit import DeviceCircuit, Totals
from .memory import forget, memory_of
from .moves import batch_first, time_first
from .plan import choose
from .sequences import DeviceSequences

u = np.uint64
# Threads of a block, about; and of all blocks before one takes more than one sequence: two warps for each scheduler of
# a large card, so that one works while the other waits for memory.
BLOCK, ENOUGH_THREADS = 128, 2**15
# Numbers of one array that holds something of every stage of a segment.
SEGMENT_NUMBERS = 2**26


class Circuit:
    """Effective parameters of one LTC; host arrays, uploaded on demand."""

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.recurrent, self.sensory, self.p, self.gains, self.epsilon = recurrent, sensory, p, gains, epsilon

    @once
    def on_device(self):
        p = {name: upload(self.p[name]) for name in NEURON + SYNAPSE + SENSORY}
        gains = tuple(map(upload, self.gains))
        return DeviceCircuit(self.recurrent, self.sensory, p, gains, self.epsilon).pack()


class _Cut(NamedTuple):
    """How a call is cut: sequences of a thread, groups of a block, blocks, steps of a segment."""

    R: int
    groups: int
    blocks: int
    segment: int

    @classmethod
    def make(cls, N, B, T, K, dtype):
        most = 4 if dtype.itemsize == 4 else 2  # of float64, twice as many bytes of shared memory
        R = next(R for R in (4, 2, 1) if most >= R and (R == 1 or R * ENOUGH_THREADS <= N * B))
        groups = max(1, min(BLOCK // N, -(-B // R)))
        segment = max(1, min(T, SEGMENT_NUMBERS // (K * B * N)))
        return cls(R, groups, -(-B // (groups * R)), segment)


class Stages(NamedTuple):
    """What a sweep leaves: states and totals of `ltc_sweeps`, of every stage; or states of some steps and no totals."""

    states: object
    totals: object


class Saved(NamedTuple):
    """What `run_backward` needs of one `run_forward`."""

    sequences: DeviceSequences
    stages: Stages
    n_out: int


def run_forward(circuit, sequences, v0, rule, n_out, keep, memory):
    """`forward` of arrays on the device: `DeviceSequences`, v0 (B, N).

    Returns out (T, B, n_out), v_last (B, N), `Saved` or None.
    """
    checks.must_know(ltc_solvers.__name__, "solver", rule.solver, ltc_solvers.KNOWN)
    T, B, N, K, dtype = sequences.T, sequences.B, circuit.N, rule.evaluations, circuit.dtype
    cut, full = _Cut.make(N, B, T, K, dtype), keep == "full"
    rows = T * K + 1 if full else -(-T // cut.segment) if keep else 0
    states = memory.array("states", rows * B * N, dtype)
    stages = Stages(states, memory.array("totals", T * K * B * N if full else 0, dtype))
    out = memory.array("out", T * B * n_out, dtype)
    v_last = memory.array("v_last", B * N, dtype)
    every = 0 if full or not keep else cut.segment
    given = {"first": 0, "last": T, "every": every, "n_out": n_out, "out": out}
    _sweep(circuit, cut, sequences, v0, rule, stages, v_last, **given)
    return out, v_last, Saved(sequences, stages, n_out) if keep else None


def _sweep(circuit, cut, sequences, v0, rule, stages, v_last, *, first, last, every, n_out, out):
    """`ltc_sweeps.forward` of the time steps first..last-1, which fills stages, v_last and out."""
    launch(
        ltc_sweeps.forward(cut.R), cut.blocks, (circuit.N, cut.groups), x=sequences.x, dt=sequences.dt,
        steps=sequences.steps, v0=v0, **circuit.onto(), B=u(sequences.B), I=u(circuit.I), O=u(n_out), first=u(first),
        last=u(last), every=u(every), **rule._asdict(), **stages._asdict(), out=out, v_last=v_last,
    )  # fmt: skip


class _Adjoint:
    """The adjoint of one stretch of time after the other, all in the same arrays; see `ltc_sweeps`."""

    def __init__(self, circuit, saved, rule, want_x, want_dt, memory):
        checks.must_know(ltc_solvers.__name__, "solver", rule.solver, ltc_solvers.KNOWN)
        self.circuit, self.saved, self.rule, self.memory = circuit, saved, rule, memory
        T, B, N, K, dtype = saved.sequences.T, saved.sequences.B, circuit.N, rule.evaluations, circuit.dtype
        self.cut = _Cut.make(N, B, T, K, dtype)
        of_stages, of_steps = self.cut.segment * K * B * N, self.cut.segment * B * N
        self.d_p, self.d_q = (memory.array(name, of_stages, dtype) for name in ("d_p", "d_q"))
        self.step_p, self.step_q, self.step_cm = (
            memory.array(name, of_steps, dtype) for name in ("step_p", "step_q", "step_cm")
        )
        self.scales = memory.array("scales", of_stages if want_dt else 0, dtype)
        self.step_h = memory.array("step_h", of_steps if want_dt else 0, dtype)
        self.d_x = memory.array("d_x", T * B * circuit.I, dtype) if want_x else None
        self.d_dt = memory.array("d_dt", T * B, dtype) if want_dt else None
        self.again = None
        if not saved.stages.totals.size:
            states = memory.array("segment_states", of_stages + B * N, dtype)
            self.again = Stages(states, memory.array("segment_totals", of_stages, dtype))
            self.v_last = memory.array("segment_last", B * N, dtype)

    def stages(self, first, last):
        """`Stages` of every stage of the steps: what was kept, or else they are run again."""
        (states, totals), step = self.saved.stages, self.saved.sequences.B * self.circuit.N
        if self.again is None:
            first, last = (t * self.rule.evaluations for t in (first, last))
            return Stages(states[first * step : (last + 1) * step], totals[first * step : last * step])
        at, nothing = first // self.cut.segment, states[:0]
        v0 = states[at * step : (at + 1) * step]
        given = {"first": first, "last": last, "every": 0, "n_out": 0, "out": nothing}
        _sweep(self.circuit, self.cut, self.saved.sequences, v0, self.rule, self.again, self.v_last, **given)
        return self.again

    def segment(self, first, last, d_out, d_v, totals):
        """The adjoint of the steps first..last-1; what it sums over samples is added to `Totals`."""
        circuit, cut, memory, stages = self.circuit, self.cut, self.memory, self.stages(first, last)
        recurrent, sensory, N, I, K = circuit.recurrent, circuit.sensory, circuit.N, circuit.I, self.rule.evaluations
        sequences, n_out = self.saved.sequences, self.saved.n_out
        B, samples = sequences.B, (last - first) * sequences.B
        lengths = {"dt": sequences.dt, "steps": sequences.steps, "B": u(B)}
        part = {"first": u(first), "last": u(last), **self.rule._asdict(), **stages._asdict()}
        launch(
            ltc_sweeps.adjoint(cut.R), cut.blocks, (N, cut.groups), **lengths, **part, neuron=circuit.neuron,
            post=recurrent.lists.post_table, d_constants=recurrent.d_constants, fan=u(recurrent.lists.d_fan),
            O=u(n_out), d_out=d_out, d_v=d_v, d_p=self.d_p, d_q=self.d_q, step_d_p=self.step_p, step_d_q=self.step_q,
            step_d_cm=self.step_cm, scales=self.scales,
        )  # fmt: skip
        x = sequences.x[first * B * I : last * B * I]
        if self.d_x is not None:
            launch_over(
                samples * I, ltc_sweeps.inputs_adjoint, x=x, post=sensory.lists.post_table,
                d_constants=sensory.d_constants, I=u(I), N=u(N), fan=u(sensory.lists.d_fan), samples=u(samples),
                step_d_p=self.step_p, step_d_q=self.step_q, d_x=self.d_x[first * B * I : last * B * I],
            )  # fmt: skip
        if self.d_dt is not None:
            launch(
                ltc_sweeps.elapsed, -(-samples // cut.groups), (N, cut.groups), x=sequences.x, I=u(I), **lengths,
                **part, **circuit.onto(), scales=self.scales, step_d_h=self.step_h,
            )  # fmt: skip
            launch_over(
                samples, sums.row_sums, values=self.step_h, n_columns=u(N), rows=u(samples), divisor=self.rule.unfolds,
                out=self.d_dt[first * B : last * B],
            )  # fmt: skip
        for k, values in enumerate((self.step_p, self.step_q, self.step_cm)):
            sums.add_columns(values, None, N, samples, totals.neuron[k * N : (k + 1) * N], memory)
        sums.add_synapses(stages.states, self.d_p, self.d_q, samples * K, recurrent, totals.recurrent, memory)
        sums.add_synapses(x, self.step_p, self.step_q, samples, sensory, totals.sensory, memory)


def run_backward(circuit, saved, d_out, d_v, rule, want_x, want_dt, memory):
    """Adjoint of `run_forward`: d_x (T, B, I) and d_dt (T, B) or None, and `Totals`; d_v becomes the adjoint of v0."""
    adjoint = _Adjoint(circuit, saved, rule, want_x, want_dt, memory)
    totals = Totals(
        memory.zeros("n", 3 * circuit.N, np.float64),
        memory.zeros("r", 4 * circuit.recurrent.lists.count, np.float64),
        memory.zeros("s", 4 * circuit.sensory.lists.count, np.float64),
    )
    T, L = saved.sequences.T, adjoint.cut.segment
    for first in range((T - 1) // L * L, -1, -L):
        adjoint.segment(first, min(first + L, T), d_out, d_v, totals)
    return adjoint.d_x, adjoint.d_dt, totals


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences; host arrays.  See `ltc_np.kernels.numpy.ltc.forward`."""
    on_device, memory = circuit.on_device, memory_of(workspace)
    (B, T, I), N, ragged = x.shape, on_device.N, bool(lengths.min() < x.shape[1])

    def call(keep, memory):
        by_time = (time_first(upload(a), B, T, k, memory, name) for a, k, name in ((x, I, "x"), (dt, 1, "dt")))
        sequences = DeviceSequences(*by_time, upload(lengths), T, B, ragged)
        out, v_last, saved = run_forward(on_device, sequences, upload(h0), rule, n_out, keep, memory)
        y = batch_first(out, B, T, n_out, memory, "y")
        return download(y).reshape(B, T, n_out), download(v_last).reshape(B, N), saved

    def both(keep, memory):
        y, v_last, saved = call(keep, memory)
        if keep is not None:
            forget(workspace, memory)
            _back(on_device, saved, y, v_last, rule, not workspace.keeps, memory)

    keep = choose(both, keep, B, T, (N, I, n_out, rule), memory)
    return call(keep, memory)


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    memory = memory_of(workspace)
    d_x, d_h0, d_dt, gradients = _back(circuit.on_device, saved, d_motor, d_h, rule, want_dt, memory)
    for name, values in gradients.items():
        g[name] += download(values)
    return d_x, d_h0, d_dt


def _back(on_device, saved, d_motor, d_h, rule, want_dt, memory):
    """`backward`, whose parameter gradients, by name, stay on the device."""
    B, T, O = d_motor.shape
    d_v, d_out = upload(d_h), time_first(upload(d_motor), B, T, O, memory, "d_out")
    d_x, d_dt, totals = run_backward(on_device, saved, d_out, d_v, rule, True, want_dt, memory)
    gradients = {name: empty(size, np.float64) for name, size in on_device.sizes().items()}
    on_device.unpack(totals, gradients)
    d_x = download(batch_first(d_x, B, T, on_device.I, memory, "d_x_batch")).reshape(B, T, on_device.I)
    if want_dt:
        d_dt = download(batch_first(d_dt, B, T, 1, memory, "d_dt_batch")).reshape(B, T)
    return d_x, download(d_v).reshape(B, on_device.N), d_dt, gradients
