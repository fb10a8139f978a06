"""The LTC on the CPU: packs a network for the kernels of both loop orders.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc`, the definition; they are
those of `tiles`.
"""

from operator import itemgetter

import numpy as np

from ..codes import LOG2E, NEURON, SENSORY, SYNAPSE
from . import ltc_batch_major, ltc_neuron_major
from .jit import helper, kernel
from .tiles import SynapticCircuit, backward, bind, forward

__all__ = ["Circuit", "backward", "bind", "forward"]

# Arrays of a dict by these names, in order.
_neuron, _synapse, _sensory = (itemgetter(*names) for names in (NEURON, SYNAPSE, SENSORY))


@helper
def _pack_synapses(w, mu, sigma, erev, gain, constants):
    """Columns of constants (S, 6) as `ltc_neuron_major.Synapses` names them."""
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


@kernel
def _pack(neuron_values, synapses, sensory_synapses, epsilon, neuron, constants, sensory):
    """The kernels' neuron (N, 3) and constants (S, 6) of effective values; gain (S,), or (0,) for all 1.

    Columns of neuron as `ltc_neuron_major.Packed` names them.
    """
    cm, gleak, vleak = neuron_values
    for i in range(neuron.shape[0]):
        neuron[i, 0] = cm[i]
        neuron[i, 1] = gleak[i] + epsilon
        neuron[i, 2] = gleak[i] * vleak[i]
    w, mu, sigma, erev, gain = synapses
    _pack_synapses(w, mu, sigma, erev, gain, constants)
    w, mu, sigma, erev, gain = sensory_synapses
    _pack_synapses(w, mu, sigma, erev, gain, sensory)


@helper
def _unpack_synapses(total, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev):
    """From the four sums of each synapse, in the order of `ltc_neuron_major._d_current`."""
    for s in range(sigma.size):
        k = 4 * s
        r, y_p, z, z_v = total[k], total[k + 1], total[k + 2], total[k + 3]
        m = gain[s] if gain.size else sigma.dtype.type(1)
        strength = w[s] * m
        d_w[s] += m * r
        d_erev[s] += strength * y_p
        d_sigma[s] += strength * (z_v - mu[s] * z)
        d_mu[s] -= strength * sigma[s] * z


@kernel
def _unpack(rows, neuron_values, synapses, sensory_synapses, d_neuron, d_synapses, d_sensory):
    """Gradients of the effective values, added to, from the sums of `ltc_neuron_major`; rows[0] becomes their sum.

    Of a neuron they are those at its ``NEURON_SUMS``.
    """
    total = rows[0]
    for r in range(1, rows.shape[0]):
        for k in range(total.size):
            total[k] += rows[r, k]
    w, mu, sigma, erev, gain = synapses
    d_w, d_mu, d_sigma, d_erev = d_synapses
    _unpack_synapses(total[:], w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at = 4 * sigma.size
    w, mu, sigma, erev, gain = sensory_synapses
    d_w, d_mu, d_sigma, d_erev = d_sensory
    _unpack_synapses(total[at:], w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at += 4 * sigma.size
    _, gleak, vleak = neuron_values
    d_cm, d_gleak, d_vleak = d_neuron
    for i in range(gleak.size):
        d_p, d_q = total[at + 4 * i], total[at + 4 * i + 1]
        d_cm[i] += total[at + 4 * i + 2]
        d_gleak[i] += vleak[i] * d_p + d_q
        d_vleak[i] += gleak[i] * d_p


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

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        super().__init__(recurrent, sensory, p["cm"].dtype)
        self.values = _neuron(p), (*_synapse(p), gains[0]), (*_sensory(p), gains[1])
        self.epsilon = self.dtype.type(epsilon)

    def _pack_neuron_major(self):
        recurrent, sensory = self.recurrent, self.sensory
        neuron = np.empty((recurrent.n_post, 3), self.dtype)
        constants = np.empty((recurrent.pre.size, 6), self.dtype)
        sensory_constants = np.empty((sensory.pre.size, 6), self.dtype)
        _pack(*self.values, self.epsilon, neuron, constants, sensory_constants)
        return neuron, recurrent.start, recurrent.pre, constants, sensory.start, sensory.pre, sensory_constants

    def _pack_batch_major(self):
        neuron, _, _, recurrent, _, _, sensory = self.packed(False)
        padded = np.zeros((3, self.padded), self.dtype)
        padded[0] = 1
        padded[:, : len(neuron)] = neuron.T
        return padded, self.planes(recurrent), self.planes(sensory)

    def unpack(self, rows, batch_major, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        if batch_major:  # (4, pre, post) -> (post, pre, 4), as neuron-major has it
            N, M, I = self.recurrent.n_post, self.padded, self.sensory.n_pre
            parts = np.split(rows.sum(axis=0), [4 * M * N, 4 * M * (N + I)])  # row by row, in order
            rows = np.concatenate([a.reshape(4, -1, M)[:, :, :N].transpose(2, 1, 0).ravel() for a in parts])[None]
        _unpack(rows, *self.values, _neuron(g), _synapse(g), _sensory(g))
