"""The LTC on the GPU: packs a network for the kernels, cuts time into segments, launches.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc`, the definition.  On the
device time comes first, (T, B, ...): a stretch of time is a stretch of memory, and neighbouring threads read
neighbouring numbers.

The adjoint goes through time in segments of a length that depends on the problem only.  The sums of a segment are added
to those of the segments behind it, so the gradient has the same bits whether the states of all stages were kept or only
those before every segment, from which a segment is run again.
"""

import weakref
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..codes import NEURON, SENSORY, SYNAPSE
from . import ltc_sweeps, sums
from .dense import Mapping
from .device import download, empty, launch, launch_over, upload
from .ltc_packing import pack_neurons, pack_synapses, unpack_neurons, unpack_synapses
from .memory import forget, memory_of
from .moves import batch_first, time_first
from .plan import choose

u = np.uint64
# Threads of a block, about; and of all blocks before one takes more than one sequence: two warps for each scheduler of
# a large card, so that one works while the other waits for memory.
BLOCK, ENOUGH_THREADS = 128, 2**15
# Numbers of one array that holds something of every stage of a segment.
SEGMENT_NUMBERS = 2**26


class _Lists:
    """Index lists of one kind of synapse on the device: by post for the forward, by pre for the adjoint."""

    def __init__(self, synapses):
        pre, post, n_pre, n_post = synapses.pre, synapses.post, synapses.n_pre, synapses.n_post
        rank = np.arange(pre.size) - synapses.start[post]
        order = np.argsort(pre, kind="stable")
        begin = np.searchsorted(pre[order], np.arange(n_pre))
        d_rank = np.empty_like(rank)
        d_rank[order] = np.arange(pre.size) - begin[pre[order]]
        self.n_pre, self.n_post, self.count = n_pre, n_post, pre.size
        self.fan, self.d_fan = (int(r.max(initial=-1)) + 1 for r in (rank, d_rank))
        slot, d_slot = rank * n_post + post, d_rank * n_pre + pre
        self.slot, self.d_slot = (upload(a.astype(np.int32)) for a in (slot, d_slot))
        self.pre, self.post = (upload(a.astype(np.int32)) for a in (pre, post))

        def table(at, size, values):  # empty where it would count 0, 1, 2, ...
            listed = np.zeros(0 if synapses.dense else size, np.int32)
            if listed.size:
                listed[at] = values
            return upload(listed)

        self.pre_table = table(slot, self.fan * n_post, pre)
        self.post_table = table(d_slot, self.d_fan * n_pre, post)


_lists = weakref.WeakKeyDictionary()  # of Synapses, which live as long as their layer


def _lists_of(synapses):
    if synapses not in _lists:
        _lists[synapses] = _Lists(synapses)
    return _lists[synapses]


class _Constants:
    """One kind of synapse, its lists and effective values, packed for the sweeps."""

    def __init__(self, synapses, values, gain):
        self.lists, self.values, self.gain = _lists_of(synapses), values, gain
        dtype = values[0].dtype
        self.forward = upload(np.zeros(4 * self.lists.fan * self.lists.n_post, dtype))
        self.adjoint = upload(np.zeros(4 * self.lists.d_fan * self.lists.n_pre, dtype))

    def pack(self):
        lists = self.lists
        launch_over(
            lists.count, pack_synapses, *self.values, self.gain, lists.slot, lists.d_slot, self.forward, self.adjoint
        )  # fmt: skip


class DeviceCircuit:
    """Effective parameters of one LTC on the device, as the sweeps read them.

    Parameters
    ----------
    recurrent, sensory : Synapses
    neuron, synapse, sensory_synapse : tuples of device arrays
        Effective values, in the order of `NEURON` and `SYNAPSE`; `pack` reads them again.
    gains : two device arrays
    epsilon : float
    """

    def __init__(self, recurrent, sensory, neuron, synapse, sensory_synapse, gains, epsilon):
        self.N, self.I, self.dtype = recurrent.n_post, sensory.n_pre, neuron[0].dtype
        if ltc_sweeps.THREADS < self.N:
            raise ValueError(
                f'`backend="cuda"` takes at most {ltc_sweeps.THREADS} units in a layer, got {self.N}; use backend="cpu"'
            )
        self.values, self.epsilon = neuron, self.dtype.type(epsilon)
        self.neuron = empty(3 * self.N, self.dtype)
        self.recurrent = _Constants(recurrent, synapse, gains[0])
        self.sensory = _Constants(sensory, sensory_synapse, gains[1])

    def pack(self):
        """Make the sweeps' constants of the effective values."""
        launch_over(self.N, pack_neurons, *self.values, self.epsilon, self.neuron)
        self.recurrent.pack()
        self.sensory.pack()
        return self


class Circuit:
    """Effective parameters of one LTC; host arrays, uploaded on demand."""

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.arguments = recurrent, sensory, p, gains, epsilon

    @cached_property
    def on_device(self):
        recurrent, sensory, p, gains, epsilon = self.arguments
        values = [tuple(upload(p[name]) for name in names) for names in (NEURON, SYNAPSE, SENSORY)]
        return DeviceCircuit(recurrent, sensory, *values, tuple(map(upload, gains)), epsilon).pack()


@dataclass(frozen=True)
class _Cut:
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


def run_forward(net, x, dt, steps, v0, T, B, rule, n_out, keep, memory):
    """`forward` of arrays on the device: x (T, B, I), dt (T, B), steps (B,), v0 (B, N); flat.

    Returns out (T, B, n_out), v_last (B, N), saved.
    """
    N, K = net.N, rule.evaluations
    cut, everything = _Cut.make(N, B, T, K, net.dtype), keep == "full"
    rows = T * K + 1 if everything else -(-T // cut.segment) if keep else 0
    states = memory.array("states", rows * B * N, net.dtype)
    totals = memory.array("totals", T * K * B * N if everything else 0, net.dtype)
    out = memory.array("out", T * B * n_out, net.dtype)
    v_last = memory.array("v_last", B * N, net.dtype)
    every = 0 if everything or not keep else cut.segment
    _sweep(net, cut, x, dt, steps, v0, B, n_out, 0, T, every, rule, states, totals, out, v_last)
    return out, v_last, (x, dt, steps, states, totals, T, B, n_out) if keep else None


def _sweep(net, cut, x, dt, steps, v0, B, n_out, first, last, every, rule, states, totals, out, v_last):
    recurrent, sensory = net.recurrent, net.sensory
    launch(
        ltc_sweeps.forward(cut.R), cut.blocks, (net.N, cut.groups), x, dt, steps, v0, net.neuron,
        recurrent.lists.pre_table, recurrent.forward, sensory.lists.pre_table, sensory.forward, u(B), u(net.I),
        u(n_out), u(recurrent.lists.fan), u(sensory.lists.fan), u(first), u(last), u(every), *rule, states,
        totals, out, v_last,
    )  # fmt: skip


def run_backward(net, saved, d_out, d_v, rule, want_x, want_dt, memory):
    """Adjoint of `run_forward`: d_x (T, B, I) and d_dt (T, B) or None, and the sums for `unpack`.

    d_v becomes the adjoint of v0.
    """
    x, dt, steps, states, totals, T, B, n_out = saved
    N, I, K, dtype = net.N, net.I, rule.evaluations, net.dtype
    cut = _Cut.make(N, B, T, K, dtype)
    L, everything, nothing = cut.segment, totals.size > 0, states[:0]
    recurrent, sensory = net.recurrent, net.sensory
    stage_numbers, step_numbers = L * K * B * N, L * B * N
    d_p, d_q = (memory.array(name, stage_numbers, dtype) for name in ("d_p", "d_q"))
    step_p, step_q, step_cm = (memory.array(name, step_numbers, dtype) for name in ("step_p", "step_q", "step_cm"))
    scales = memory.array("scales", stage_numbers if want_dt else 0, dtype)
    step_h = memory.array("step_h", step_numbers if want_dt else 0, dtype)
    d_x = memory.array("d_x", T * B * I if want_x else 0, dtype)
    d_dt = memory.array("d_dt", T * B if want_dt else 0, dtype)
    if not everything:
        own_states = memory.array("segment_states", stage_numbers + B * N, dtype)
        own_totals = memory.array("segment_totals", stage_numbers, dtype)
        v_last = memory.array("segment_last", B * N, dtype)
    total = [
        memory.zeros(name, size, np.float64)
        for name, size in (("n", 3 * N), ("r", 4 * recurrent.lists.count), ("s", 4 * sensory.lists.count))
    ]
    for first in range((T - 1) // L * L, -1, -L):
        last = min(first + L, T)
        samples = (last - first) * B
        if everything:
            own_states = states[first * K * B * N : (last * K + 1) * B * N]
            own_totals = totals[first * K * B * N : last * K * B * N]
        else:
            v0 = states[first // L * B * N : (first // L + 1) * B * N]
            _sweep(
                net, cut, x, dt, steps, v0, B, 0, first, last, 0, rule, own_states, own_totals, nothing,
                v_last,
            )  # fmt: skip
        launch(
            ltc_sweeps.adjoint(cut.R), cut.blocks, (N, cut.groups), dt, steps, net.neuron,
            recurrent.lists.post_table, recurrent.adjoint, u(B), u(n_out), u(recurrent.lists.d_fan), u(first), u(last),
            *rule, own_states, own_totals, d_out, d_v, d_p, d_q, step_p, step_q, step_cm, scales,
        )  # fmt: skip
        own_x = x[first * B * I : last * B * I]
        if want_x:
            launch_over(
                samples * I, ltc_sweeps.inputs_adjoint, own_x, sensory.lists.post_table, sensory.adjoint, u(I), u(N),
                u(sensory.lists.d_fan), u(samples), step_p, step_q, d_x[first * B * I : last * B * I],
            )  # fmt: skip
        if want_dt:
            launch(
                ltc_sweeps.elapsed, -(-samples // cut.groups), (N, cut.groups), x, dt, steps, net.neuron,
                recurrent.lists.pre_table, recurrent.forward, sensory.lists.pre_table, sensory.forward, u(B), u(I),
                u(recurrent.lists.fan), u(sensory.lists.fan), u(first), u(last), *rule, own_states, own_totals,
                scales, step_h,
            )  # fmt: skip
            own_d_dt = d_dt[first * B : last * B]
            launch_over(samples, sums.row_sums, step_h, u(N), u(samples), rule.unfolds, own_d_dt)
        for k, values in enumerate((step_p, step_q, step_cm)):
            sums.add_columns(values, None, N, samples, total[0][k * N : (k + 1) * N], memory)
        sums.add_synapses(own_states, d_p, d_q, samples * K, recurrent, total[1], memory)
        sums.add_synapses(own_x, step_p, step_q, samples, sensory, total[2], memory)
    return d_x if want_x else None, d_dt if want_dt else None, total


def unpack(net, total, d_neuron, d_synapse, d_sensory):
    """Gradients of the effective values, float64 device arrays in the order of `NEURON` and `SYNAPSE`."""
    launch_over(net.N, unpack_neurons, total[0], *net.values[1:], *d_neuron)
    for constants, sums_, d_values in ((net.recurrent, total[1], d_synapse), (net.sensory, total[2], d_sensory)):
        launch_over(constants.lists.count, unpack_synapses, sums_, *constants.values[:3], constants.gain, *d_values)


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences; host arrays.  See `ltc_np.kernels.numpy.ltc.forward`."""
    net, memory = circuit.on_device, memory_of(workspace)
    (B, T, I), N = x.shape, net.N

    def call(keep, memory):
        at = (time_first(upload(a), B, T, k, memory, name) for a, k, name in ((x, I, "x"), (dt, 1, "dt")))
        out, v_last, saved = run_forward(net, *at, upload(lengths), upload(h0), T, B, rule, n_out, keep, memory)
        y = batch_first(out, B, T, n_out, memory, "y")
        return download(y).reshape(B, T, n_out), download(v_last).reshape(B, N), saved

    def both(keep, memory):
        y, v_last, saved = call(keep, memory)
        if keep is not None:
            forget(workspace, memory)
            _back(net, saved, y, v_last, rule, not workspace.keeps, memory)

    keep = choose(both, keep, B, T, (N, I, n_out, rule), memory)
    return call(keep, memory)


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    memory = memory_of(workspace)
    d_x, d_h0, d_dt, gradients = _back(circuit.on_device, saved, d_motor, d_h, rule, want_dt, memory)
    for name, value in zip(NEURON + SYNAPSE + SENSORY, gradients, strict=True):
        g[name] += download(value)
    return d_x, d_h0, d_dt


def _back(net, saved, d_out, d_v, rule, want_dt, memory):
    """`backward`, whose parameter gradients stay on the device."""
    B, T, O = d_out.shape
    d_v, d_out = upload(d_v), time_first(upload(d_out), B, T, O, memory, "d_out")
    d_x, d_dt, total = run_backward(net, saved, d_out, d_v, rule, True, want_dt, memory)
    sizes = (net.N, len(NEURON)), (net.recurrent.lists.count, len(SYNAPSE)), (net.sensory.lists.count, len(SENSORY))
    gradients = [tuple(empty(size, np.float64) for _ in range(n)) for size, n in sizes]
    unpack(net, total, *gradients)
    d_x = download(batch_first(d_x, B, T, net.I, memory, "d_x_batch")).reshape(B, T, net.I)
    if want_dt:
        d_dt = download(batch_first(d_dt, B, T, 1, memory, "d_dt_batch")).reshape(B, T)
    return d_x, download(d_v).reshape(B, net.N), d_dt, [value for values in gradients for value in values]


class DeviceLTC:
    """`ltc_np.LTC` on the device.

    Parameters
    ----------
    layer : LTC
    p, buffers, g : dicts of device arrays by name
        Effective values and gains; float64 gradients, 0 before `backward`.
    """

    def __init__(self, layer, p, buffers, g):
        values, self.gradients = ([tuple(a[k] for k in names) for names in (NEURON, SYNAPSE, SENSORY)] for a in (p, g))
        gains = tuple(buffers.get(name, p["cm"][:0]) for name in ("gain", "sensory_gain"))
        self.net = DeviceCircuit(layer.recurrent, layer.sensory, *values, gains, layer.epsilon)
        self.pack = self.net.pack
        self.input = Mapping(layer.input_mapping, "input", layer.input_size, p, g)
        self.output = Mapping(layer.output_mapping, "output", layer.output_size, p, g)
        self.rule, self.n_out = layer.rule, layer.output_size

    def forward(self, x, dt, steps, h0, T, B, keep, memory):
        mapped = self.input.forward(x, memory)
        motor, v, saved = run_forward(self.net, mapped, dt, steps, h0, T, B, self.rule, self.n_out, keep, memory)
        return self.output.forward(motor, memory), v, (x, motor, saved)

    def backward(self, saved, d_y, d_h, T, B, want_x, want_dt, memory):
        x, motor, saved = saved
        d_motor = self.output.backward(motor, d_y, True, memory)
        need_x = want_x or self.input.kind is not None
        d_x, d_dt, total = run_backward(self.net, saved, d_motor, d_h, self.rule, need_x, want_dt, memory)
        unpack(self.net, total, *self.gradients)
        return self.input.backward(x, d_x, want_x, memory), d_dt
