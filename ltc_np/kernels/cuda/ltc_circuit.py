"""An LTC's circuit on the device: index lists, effective values, and what the sweeps make of both."""

import weakref
from typing import NamedTuple

import numpy as np

from ..codes import NEURON, SENSORY, SYNAPSE
from .device import empty, launch_over, upload
from .ltc_packing import pack_neurons, pack_synapses, unpack_neurons, unpack_synapses
from .ltc_sweeps import THREADS

u = np.uint64


class Lists:
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
        _lists[synapses] = Lists(synapses)
    return _lists[synapses]


class _Synapses:
    """One kind of synapse: its lists, and its effective values packed for the sweeps."""

    def __init__(self, synapses, names, p, gain):
        self.lists, self.names, self.gain = _lists_of(synapses), names, gain
        self.values = {own: p[name] for own, name in zip(SYNAPSE, names, strict=True)}
        dtype = self.values["w"].dtype
        self.constants = upload(np.zeros(4 * self.lists.fan * self.lists.n_post, dtype))
        self.d_constants = upload(np.zeros(4 * self.lists.d_fan * self.lists.n_pre, dtype))

    def pack(self):
        lists = self.lists
        launch_over(
            lists.count, pack_synapses, **self.values, gain=self.gain, slot=lists.slot, d_slot=lists.d_slot,
            constants=self.constants, d_constants=self.d_constants,
        )  # fmt: skip

    def unpack(self, total, g):
        d = {f"d_{own}": g[name] for own, name in zip(SYNAPSE, self.names, strict=True)}
        read = {name: self.values[name] for name in ("w", "mu", "sigma")}
        launch_over(self.lists.count, unpack_synapses, total=total, **read, gain=self.gain, **d)


class Totals(NamedTuple):
    """Sums over all samples, float64: (3, N) of neurons, (4, S) of both kinds of synapse."""

    neuron: object
    recurrent: object
    sensory: object


class DeviceCircuit:
    """Effective parameters of one LTC on the device, as the sweeps read them.

    Parameters
    ----------
    recurrent, sensory : Synapses
    p : dict of device arrays by name
        Effective values; `pack` reads them again.
    gains : two device arrays
    epsilon : float
    """

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.N, self.I, self.dtype = recurrent.n_post, sensory.n_pre, p["cm"].dtype
        if THREADS < self.N:
            raise ValueError(
                f'`backend="cuda"` takes at most {THREADS} units in a layer, got {self.N}; use backend="cpu"'
            )
        self.values, self.epsilon = {name: p[name] for name in NEURON}, self.dtype.type(epsilon)
        self.neuron = empty(3 * self.N, self.dtype)
        self.recurrent = _Synapses(recurrent, SYNAPSE, p, gains[0])
        self.sensory = _Synapses(sensory, SENSORY, p, gains[1])

    def pack(self):
        """Make the sweeps' constants of the effective values."""
        launch_over(self.N, pack_neurons, **self.values, epsilon=self.epsilon, neuron=self.neuron)
        self.recurrent.pack()
        self.sensory.pack()
        return self

    def sizes(self):
        """Name of a parameter -> how many numbers it has."""
        kinds = (NEURON, self.N), (SYNAPSE, self.recurrent.lists.count), (SENSORY, self.sensory.lists.count)
        return {name: size for names, size in kinds for name in names}

    def unpack(self, totals, g):
        """Gradients of the effective values of `Totals`: written to float64 device arrays, by name."""
        read, d = {name: self.values[name] for name in ("gleak", "vleak")}, {f"d_{name}": g[name] for name in NEURON}
        launch_over(self.N, unpack_neurons, total=totals.neuron, **read, **d)
        self.recurrent.unpack(totals.recurrent, g)
        self.sensory.unpack(totals.sensory, g)

    def onto(self):
        """What kernels that add up currents read: the neurons, and the synapses onto them."""
        recurrent, sensory = self.recurrent, self.sensory
        return {
            "neuron": self.neuron,
            "pre": recurrent.lists.pre_table,
            "constants": recurrent.constants,
            "fan": u(recurrent.lists.fan),
            "sensory_pre": sensory.lists.pre_table,
            "sensory": sensory.constants,
            "sensory_fan": u(sensory.lists.fan),
        }
