"""Effective values to the sweeps' constants, and the sums of the adjoint to gradients of effective values."""

import numpy as np

from ..codes import LOG2E
from .device import cuda, kernel

u = np.uint64


@kernel
def pack_neurons(cm, gleak, vleak, epsilon, neuron):
    """neuron (3, N) of `ltc_sweeps`."""
    i, N = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x), u(cm.size)
    if i < N:
        neuron[i] = cm[i]
        neuron[i + N] = gleak[i] + epsilon
        neuron[i + u(2) * N] = gleak[i] * vleak[i]


@kernel
def pack_synapses(w, mu, sigma, erev, gain, slot, d_slot, constants, d_constants):
    """constants and d_constants of `ltc_sweeps`, synapse s at slot[s] and d_slot[s]; gain (S,), or (0,) for all 1."""
    s = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if s < u(w.size):
        scaled = sigma[s] * sigma.dtype.type(LOG2E)
        strength = w[s] * gain[s] if gain.size > 0 else w[s]
        k, plane = u(slot[s]), u(constants.size) // u(4)
        constants[k] = -scaled
        constants[k + plane] = scaled * mu[s]
        constants[k + u(2) * plane] = strength
        constants[k + u(3) * plane] = strength * erev[s]
        k, plane = u(d_slot[s]), u(d_constants.size) // u(4)
        d_constants[k] = -scaled
        d_constants[k + plane] = scaled * mu[s]
        d_constants[k + u(2) * plane] = erev[s]
        d_constants[k + u(3) * plane] = strength * sigma[s]


@kernel
def unpack_neurons(total, gleak, vleak, d_cm, d_gleak, d_vleak):
    """Gradients (float64) of the sums over all samples, total (3, N), of d_p, d_q and d_cm."""
    i, N = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x), u(gleak.size)
    if i < N:
        d_p, d_q = total[i], total[i + N]
        d_cm[i] = total[i + u(2) * N]
        d_gleak[i] = vleak[i] * d_p + d_q
        d_vleak[i] = gleak[i] * d_p


@kernel
def unpack_synapses(total, w, mu, sigma, gain, d_w, d_mu, d_sigma, d_erev):
    """Gradients (float64) of the sums of `sums.synapse_sums`, total (4, S)."""
    s, S = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x), u(w.size)
    if s < S:
        r, y, z, z_v = total[s], total[s + S], total[s + u(2) * S], total[s + u(3) * S]
        m = gain[s] if gain.size > 0 else w.dtype.type(1)
        strength = w[s] * m
        d_w[s] = m * r
        d_erev[s] = strength * y
        d_sigma[s] = strength * (z_v - mu[s] * z)
        d_mu[s] = -strength * sigma[s] * z
