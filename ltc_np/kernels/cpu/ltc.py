"""The LTC on the CPU: packs a network for the kernels of both loop orders.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc`, the definition; they are
those of `tiles`.
"""

from operator import itemgetter

import numpy as np

from ..codes import LOG2E, NEURON, SENSORY, SYNAPSE
from . import ltc_batch_major, ltc_neuron_major
from . import ltc_memory as with_memory
from .jit import helper, kernel
from .tiles import SynapticCircuit, backward, bind, forward

__all__ = ["Circuit", "backward", "bind", "forward", "with_memory"]

# Arrays of a dict by these names, in order.
_neuron, _synapse, _sensory = (itemgetter(*names) for names in (NEURON, SYNAPSE, SENSORY))


@helper
def _pack_synapses(w, mu, sigma, erev, gain, order, both):
    """Constants (S, 6) as `ltc_neuron_major.Synapses` names them: both[0]; and the same rows in that order: both[1]."""
    constants, outgoing = both[0], both[1]
    log2e = sigma.dtype.type(LOG2E)
    for s in range(sigma.size):
        strength = w[s] * gain[s] if gain.size else w[s]
        scaled = sigma[s] * log2e
        constants[s, 0] = -scaled
        constants[s, 1] = scaled * mu[s]
        constants[s, 2] = strength
        constants[s, 3] = strength * erev[s]
        constants[s, 4] = erev[s]
        constants[s, 5] = strength * sigma[s]
    for at in range(order.size):
        for k in range(constants.shape[1]):
            outgoing[at, k] = constants[order[at], k]


@helper
def pack(neuron_values, synapses, sensory_synapses, epsilon, orders, neuron, constants, sensory):
    """The kernels' neuron (N, 3) and constants of effective values; gain (S,), or (0,) for all 1.

    Columns of neuron as `ltc_neuron_major.Packed` names them; constants and sensory are what `_pack_synapses` fills.
    """
    cm, gleak, vleak = neuron_values
    for i in range(neuron.shape[0]):
        neuron[i, 0] = cm[i]
        neuron[i, 1] = gleak[i] + epsilon
        neuron[i, 2] = gleak[i] * vleak[i]
    w, mu, sigma, erev, gain = synapses
    _pack_synapses(w, mu, sigma, erev, gain, orders[0], constants)
    w, mu, sigma, erev, gain = sensory_synapses
    _pack_synapses(w, mu, sigma, erev, gain, orders[1], sensory)


@kernel
def _pack(neuron_values, synapses, sensory_synapses, epsilon, orders, neuron, constants, sensory):
    """`pack`."""
    pack(neuron_values, synapses, sensory_synapses, epsilon, orders, neuron, constants, sensory)


@helper
def _unpack_synapses(total, order, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev):
    """From the four sums of each synapse, as `ltc_neuron_major._d_current` has them."""
    for at in range(order.size):
        s, k = order[at], 4 * at
        r, y_p, z, z_v = total[k], total[k + 1], total[k + 2], total[k + 3]
        m = gain[s] if gain.size else sigma.dtype.type(1)
        strength = w[s] * m
        d_w[s] += m * r
        d_erev[s] += strength * y_p
        d_sigma[s] += strength * (z_v - mu[s] * z)
        d_mu[s] -= strength * sigma[s] * z


@helper
def unpack(rows, orders, neuron_values, synapses, sensory_synapses, d_neuron, d_synapses, d_sensory):
    """Gradients of the effective values, added to, from the sums of `ltc_neuron_major`; rows[0] becomes their sum.

    Of a neuron they are those at its ``NEURON_SUMS``.
    """
    total = rows[0]
    for r in range(1, rows.shape[0]):
        for k in range(total.size):
            total[k] += rows[r, k]
    w, mu, sigma, erev, gain = synapses
    d_w, d_mu, d_sigma, d_erev = d_synapses
    _unpack_synapses(total[:], orders[0], w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at = 4 * sigma.size
    w, mu, sigma, erev, gain = sensory_synapses
    d_w, d_mu, d_sigma, d_erev = d_sensory
    _unpack_synapses(total[at:], orders[1], w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at += 4 * sigma.size
    _, gleak, vleak = neuron_values
    d_cm, d_gleak, d_vleak = d_neuron
    for i in range(gleak.size):
        d_p, d_q = total[at + 4 * i], total[at + 4 * i + 1]
        d_cm[i] += total[at + 4 * i + 2]
        d_gleak[i] += vleak[i] * d_p + d_q
        d_vleak[i] += gleak[i] * d_p


@kernel
def _unpack(rows, orders, neuron_values, synapses, sensory_synapses, d_neuron, d_synapses, d_sensory):
    """`unpack`."""
    unpack(rows, orders, neuron_values, synapses, sensory_synapses, d_neuron, d_synapses, d_sensory)


@helper
def parts(vector, places):
    """The parameters of neurons, synapses and sensory synapses, as `pack` and `unpack` take them, of a vector of all.

    places (11, 2): from and to, as `Circuit.places` finds them.  A call with all parts would take 1 us longer.
    """
    at, to = places[:, 0], places[:, 1]
    neuron = vector[at[0] : to[0]], vector[at[1] : to[1]], vector[at[2] : to[2]]
    synapses = vector[at[3] : to[3]], vector[at[4] : to[4]], vector[at[5] : to[5]], vector[at[6] : to[6]]
    sensory = vector[at[7] : to[7]], vector[at[8] : to[8]], vector[at[9] : to[9]], vector[at[10] : to[10]]
    return neuron, synapses, sensory


class Circuit(SynapticCircuit):
    """Effective parameters of one LTC, packed on demand for either loop order.

    Parameters
    ----------
    recurrent, sensory : Synapses
        Sorted index lists.
    p : dict
        Effective values by name.
    gains : (gain, sensory_gain)
        Fixed gains, (S,) each, or (0,) for none.
    epsilon : float
    """

    neuron_major, batch_major, batch_major_for_few_lanes = ltc_neuron_major, ltc_batch_major, True
    has_sigmoids = True

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        super().__init__(recurrent, sensory, p["cm"].dtype)
        self.values, self.gains = (_neuron(p), (*_synapse(p), gains[0]), (*_sensory(p), gains[1])), gains
        self.epsilon = self.dtype.type(epsilon)

    def _pack_neuron_major(self):
        recurrent, sensory = self.recurrent, self.sensory
        neuron = np.empty((recurrent.n_post, 3), self.dtype)
        constants = np.empty((2, recurrent.pre.size, 6), self.dtype)
        of_sensory = np.empty((2, sensory.pre.size, 6), self.dtype)
        self._into = self.orders, neuron, constants, of_sensory
        self.pack_again()
        forward = neuron, recurrent.start, recurrent.pre, constants[0], sensory.start, sensory.pre, of_sensory[0]
        return forward, (forward, (*recurrent.outgoing, constants[1], *sensory.outgoing, of_sensory[1]))

    def pack_again(self):
        """Take what the arrays of effective values hold now into what ``packed(False)`` has returned."""
        _pack(*self.values, self.epsilon, *self._into)

    def _pack_batch_major(self):
        (neuron, _, _, recurrent, _, _, sensory), _ = self.packed(False)
        padded = np.zeros((3, self.padded), self.dtype)
        padded[0] = 1
        padded[:, : len(neuron)] = neuron.T
        packed = padded, self.by_source(recurrent), self.by_source(sensory)
        return packed, packed

    def pack_batch_major_again(self):
        """Take what ``packed(False)`` holds now into what ``packed(True)`` has returned."""
        for array, values in zip(self.packed(True)[0], self._pack_batch_major()[0], strict=True):
            array[:] = values

    def neuron_major_row(self, rows):
        """The sum of batch-major rows, (1, -) as neuron-major has it: (pre, 4, post) and of neurons (4, post) become
        (pre, post, 4)."""
        N, M, I = self.recurrent.n_post, self.padded, self.sensory.n_pre
        sums = rows.sum(axis=0).reshape(N + I + 1, 4, M)  # row by row, in order
        return sums[:, :, :N].transpose(0, 2, 1).reshape(1, -1)

    def unpack(self, rows, batch_major, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        if batch_major:
            rows = self.neuron_major_row(rows)
        _unpack(rows, self.orders, *self.values, _neuron(g), _synapse(g), _sensory(g))

    @staticmethod
    def places(layout):
        """Where `parts` finds a vector's parts."""
        found = [layout.slices[name][0] for name in NEURON + SYNAPSE + SENSORY]
        return np.array([(place.start, place.stop) for place in found], np.int64)
