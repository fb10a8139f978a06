"""The LRC on the CPU: packs a network for the kernels of both loop orders.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.lrc`, the definition; they are
those of `tiles`.
"""

import numpy as np

from ...base import checks
from ..codes import LOG2E
from . import elastance as elastances
from . import lrc_batch_major, lrc_neuron_major
from .elastance import gap
from .jit import helper, kernel
from .lrc_neuron_major import NEURON_SUMS, synapse_sums
from .tiles import SynapticCircuit, backward, bind, forward

__all__ = ["Circuit", "backward", "bind", "forward"]

# Parameters of a neuron and of a synapse, in the order in which kernels take them and their gradients: that of
# `lrc_neuron.Neuron`, where a neuron's last one is followed by its `gap`.
NEURON = ("gleak", "vleak", "elastance_b", "elastance_v", "elastance_shift")
SYNAPSE = ("w", "h", "mu", "sigma")
WEIGHT = "elastance_w"


@helper
def _pack_synapses(values, order, both):
    """Constants (S, 5) as `lrc_neuron_major.Synapses` names them: both[0]; and the same rows in that order: both[1]."""
    constants, outgoing = both[0], both[1]
    w, h, mu, sigma = values
    log2e = sigma.dtype.type(LOG2E)
    for s in range(sigma.size):
        scaled = sigma[s] * log2e
        constants[s, 0] = -scaled
        constants[s, 1] = scaled * mu[s]
        constants[s, 2] = w[s]
        constants[s, 3] = h[s]
        constants[s, 4] = sigma[s]
    for at in range(order.size):
        for k in range(constants.shape[1]):
            outgoing[at, k] = constants[order[at], k]


@kernel
def _pack(neuron_values, synapses, sensory_synapses, orders, neuron, constants, sensory):
    """The kernels' neuron (N, 6) and constants of effective values; the latter are what `_pack_synapses` fills."""
    count = len(neuron_values)
    for k in range(count):
        for i in range(neuron.shape[0]):
            neuron[i, k] = neuron_values[k][i]
    for i in range(neuron.shape[0]):
        neuron[i, count] = gap(neuron[i, count - 1])
    _pack_synapses(synapses, orders[0], constants)
    _pack_synapses(sensory_synapses, orders[1], sensory)


@helper
def _unpack_synapses(total, order, values, d_values, d_weights):
    """From the sums of each synapse, as `lrc_neuron_major._d_drive` has them; how many there are."""
    _, _, mu, sigma = values
    d_w, d_h, d_mu, d_sigma = d_values
    S = sigma.size
    for at in range(S):
        s, k = order[at], 4 * at
        z, z_v = total[k + 2], total[k + 3]
        d_w[s] += total[k]
        d_h[s] += total[k + 1]
        d_mu[s] -= sigma[s] * z
        d_sigma[s] += z_v - mu[s] * z
    for at in range(d_weights.size):
        d_weights[order[at]] += total[4 * S + at]
    return synapse_sums(S)


@helper
def unpack(rows, orders, synapses, sensory_synapses, d_neuron, d_synapses, d_weights, d_sensory, d_sensory_weights):
    """Gradients of the effective values, added to, from the sums of `lrc_neuron_major`; rows[0] becomes their sum."""
    total = rows[0]
    for r in range(1, rows.shape[0]):
        for k in range(total.size):
            total[k] += rows[r, k]
    at = _unpack_synapses(total[:], orders[0], synapses, d_synapses, d_weights)
    at += _unpack_synapses(total[at:], orders[1], sensory_synapses, d_sensory, d_sensory_weights)
    for k in range(len(d_neuron)):
        for i in range(d_neuron[k].size):
            d_neuron[k][i] += total[at + NEURON_SUMS * i + k]


@kernel
def _unpack(rows, orders, synapses, sensory_synapses, d_neuron, d_synapses, d_weights, d_sensory, d_sensory_weights):
    """`unpack`."""
    unpack(rows, orders, synapses, sensory_synapses, d_neuron, d_synapses, d_weights, d_sensory, d_sensory_weights)


@helper
def parts(vector, places):
    """The parameters of neurons and of either kind of synapses with their weights, as `unpack` takes them, of a vector.

    places (15, 2): from and to, as `Circuit.places` finds them.
    """
    at, to = places[:, 0], places[:, 1]
    own = vector[at[0] : to[0]], vector[at[1] : to[1]], vector[at[2] : to[2]], vector[at[3] : to[3]]
    neuron = *own, vector[at[4] : to[4]]
    synapses = vector[at[5] : to[5]], vector[at[6] : to[6]], vector[at[7] : to[7]], vector[at[8] : to[8]]
    sensory = vector[at[10] : to[10]], vector[at[11] : to[11]], vector[at[12] : to[12]], vector[at[13] : to[13]]
    return neuron, synapses, vector[at[9] : to[9]], sensory, vector[at[14] : to[14]]


class Circuit(SynapticCircuit):
    """Effective parameters of one LRC, packed on demand for either loop order.

    Parameters
    ----------
    recurrent, sensory : Synapses
        Sorted index lists.
    p : dict
        Effective values by name; what the elastance does not have is missing.
    elastance : int
        Its number in `ltc_np.kernels.codes`.
    """

    neuron_major, batch_major = lrc_neuron_major, lrc_batch_major

    def __init__(self, recurrent, sensory, p, elastance):
        checks.must_know(elastances.__name__, "elastance", elastance, elastances.KNOWN)
        super().__init__(recurrent, sensory, p["gleak"].dtype)
        self.elastance = elastance
        none, no_weights = np.zeros_like(p["gleak"]), np.zeros(0, self.dtype)
        self._neuron = tuple(p.get(name, none) for name in NEURON)
        self._synapses, self._sensory = (tuple(p[kind + name] for name in SYNAPSE) for kind in ("", "sensory_"))
        self._weights = [p.get(kind + WEIGHT, no_weights) for kind in ("", "sensory_")]

    def _pack_neuron_major(self):
        recurrent, sensory, (weights, sensory_weights) = self.recurrent, self.sensory, self._weights
        neuron = np.empty((recurrent.n_post, len(NEURON) + 1), self.dtype)
        constants = np.empty((2, recurrent.pre.size, 5), self.dtype)
        of_sensory = np.empty((2, sensory.pre.size, 5), self.dtype)
        _pack(self._neuron, self._synapses, self._sensory, self.orders, neuron, constants, of_sensory)
        lists = recurrent.start, recurrent.pre, constants[0], weights
        sensory_lists = sensory.start, sensory.pre, of_sensory[0], sensory_weights
        forward = self.elastance, neuron, *lists, *sensory_lists
        moved = [w[order] if w.size else w for w, order in zip(self._weights, self.orders, strict=True)]
        (start, post, _), (sensory_start, sensory_post, _) = recurrent.outgoing, sensory.outgoing
        outgoing = start, post, constants[1], moved[0], sensory_start, sensory_post, of_sensory[1], moved[1]
        return forward, (forward, outgoing)

    def _pack_batch_major(self):
        (_, neuron, _, _, recurrent, weights, _, _, sensory, sensory_weights), _ = self.packed(False)
        padded = np.zeros((len(NEURON) + 1, self.padded), self.dtype)
        padded[:, : len(neuron)] = neuron.T
        own = self.by_source(recurrent), self.by_source(weights[:, None])[:, 0]
        packed = self.elastance, padded, *own, self.by_source(sensory), self.by_source(sensory_weights[:, None])[:, 0]
        return packed, packed

    def unpack(self, rows, batch_major, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        if batch_major:
            rows = self._as_neuron_major(rows.sum(axis=0))[None]  # row by row, in order
        none = np.zeros(0)
        d = [(tuple(g[kind + name] for name in SYNAPSE), g.get(kind + WEIGHT, none)) for kind in ("", "sensory_")]
        d_neuron = tuple(g.get(name, none) for name in NEURON)
        _unpack(rows, self.orders, self._synapses, self._sensory, d_neuron, *d[0], *d[1])

    def _as_neuron_major(self, sums):
        """Of batch-major, (pre, 5, post) of either kind and (5, post), what neuron-major has."""
        N, M = self.recurrent.n_post, self.padded
        parts, at = [], 0
        for kind in (self.recurrent, self.sensory):
            S, size = kind.pre.size, 5 * kind.n_pre * M
            dense = sums[at : at + size].reshape(-1, 5, M)[:, :, :N].transpose(0, 2, 1).reshape(S, 5)
            parts += [dense[:, :4].ravel(), dense[:, 4], np.zeros(synapse_sums(S) - 5 * S)]
            at += size
        neuron = np.zeros((N, NEURON_SUMS))
        neuron[:, :5] = sums[at:].reshape(5, M)[:, :N].T
        return np.concatenate([*parts, neuron.ravel()])

    @staticmethod
    def places(layout):
        """Where `parts` finds a vector's parts; from 0 to 0 what a cell does not have."""
        synapses = [kind + name for kind in ("", "sensory_") for name in (*SYNAPSE, WEIGHT)]
        found = [layout.slices.get(name, (slice(0, 0), ()))[0] for name in (*NEURON, *synapses)]
        return np.array([(place.start, place.stop) for place in found], np.int64)
