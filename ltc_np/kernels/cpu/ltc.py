"""The LTC on the CPU: packs a network for the kernels, chooses loop order and tile width, spreads tiles on threads.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.cells.ltc`, the definition.
"""

import numpy as np

from ... import threads
from . import ltc_lanes, ltc_posts
from .jit import kernel

GRADIENT_ROWS = 16
# Below this many synapse evaluations per call (about 0.3 ms forward) a second thread may cost more than it brings.
PARALLEL_EVALUATIONS = 2_000_000


def uses_posts(N, dense, B):
    """Posts order for dense wirings and few sequences, lanes order otherwise; the thread count has no say.

    Measured: docs/architecture.md, "Loop orders".
    """
    return dense and min(N // 4, 8) >= B


def tile_width(N, B):
    """Sequences in a tile of the lanes order: wide tiles amortise the gradient sums, narrow ones feed threads."""
    if B > 256:
        return 64
    return 32 if B > 32 or N < 32 else 16


@kernel
def _pack(cm, gleak, vleak, epsilon, w, mu, sigma, erev, gain, neuron, constants):
    """The kernels' neuron (N, 3) and constants (S, 6); gain (S,), or (0,) for all 1."""
    for i in range(neuron.shape[0]):
        neuron[i, 0] = cm[i]
        neuron[i, 1] = gleak[i] + epsilon
        neuron[i, 2] = gleak[i] * vleak[i]
    log2e = sigma.dtype.type(1.4426950408889634)
    for s in range(sigma.size):
        strength = w[s] * gain[s] if gain.size else w[s]
        scaled = sigma[s] * log2e
        constants[s, 0] = -scaled
        constants[s, 1] = scaled * mu[s]
        constants[s, 2] = strength
        constants[s, 3] = strength * erev[s]
        constants[s, 4] = erev[s]
        constants[s, 5] = sigma[s]


@kernel
def _unpack(total, neuron_at, gleak, vleak, d_cm, d_gleak, d_vleak):
    """Neuron gradients from the kernels' sums, which begin at ``neuron_at``."""
    for i in range(gleak.size):
        d_p, d_q = total[neuron_at + 4 * i], total[neuron_at + 4 * i + 1]
        d_cm[i] += total[neuron_at + 4 * i + 2]
        d_gleak[i] += vleak[i] * d_p + d_q
        d_vleak[i] += gleak[i] * d_p


@kernel
def _unpack_synapses(total, at, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev):
    """Synapse gradients from the kernels' sums, which begin at ``at``."""
    for s in range(sigma.size):
        y_p, y_q, z, z_v = total[at + 4 * s], total[at + 4 * s + 1], total[at + 4 * s + 2], total[at + 4 * s + 3]
        m = gain[s] if gain.size else sigma.dtype.type(1)
        d_w[s] += m * (erev[s] * y_p + y_q)
        d_erev[s] += w[s] * m * y_p
        d_sigma[s] += z_v - mu[s] * z
        d_mu[s] -= sigma[s] * z


class Network:
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

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.recurrent, self.sensory, self.p, self.epsilon = recurrent, sensory, p, epsilon
        names = ("w", "mu", "sigma", "erev")
        self.groups = (
            (names, recurrent, gains[0]),
            (tuple(f"sensory_{name}" for name in names), sensory, gains[1]),
        )
        self._packed = {}

    def packed(self, posts):
        """The kernels' ``network`` argument for posts or for lanes order."""
        if posts not in self._packed:
            self._packed[posts] = self._pack_posts() if posts else self._pack_lanes()
        return self._packed[posts]

    def _pack_lanes(self):
        p, dtype = self.p, self.p["cm"].dtype
        neuron = np.empty((self.recurrent.n_post, 3), dtype)
        parts = [neuron]
        for names, synapses, gain in self.groups:
            constants = np.empty((synapses.pre.size, 6), dtype)
            values = [p[name] for name in names]
            _pack(p["cm"], p["gleak"], p["vleak"], dtype.type(self.epsilon), *values, gain, neuron, constants)
            parts += [synapses.start, synapses.pre, constants]
        return tuple(parts)

    def _pack_posts(self):
        neuron, _, _, recurrent, _, _, sensory = self.packed(False)
        N, dtype = len(neuron), neuron.dtype
        M = _padded_units(N, dtype)

        def planes(constants):  # (post, pre, 6) -> (6, pre, post), posts padded
            dense = constants.reshape(N, -1, 6).transpose(2, 1, 0)
            out = np.zeros((6, dense.shape[1], M), dtype)
            out[:, :, :N] = dense
            return out

        padded = np.zeros((3, M), dtype)
        padded[0] = 1
        padded[:, :N] = neuron.T
        return padded, planes(recurrent), planes(sensory)

    def unpack(self, rows, posts, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        p, N = self.p, self.recurrent.n_post
        total = rows[0] if len(rows) == 1 else rows.sum(axis=0)  # row by row, in order
        if posts:  # (4, pre, post) -> (post, pre, 4), as lanes order has it
            M, I = _padded_units(N, p["cm"].dtype), self.sensory.n_pre
            parts = np.split(total, [4 * M * N, 4 * M * (N + I)])
            total = np.concatenate([a.reshape(4, -1, M)[:, :, :N].transpose(2, 1, 0).ravel() for a in parts])
        at = 0
        for names, synapses, gain in self.groups:
            _unpack_synapses(total, at, *(p[n] for n in names), gain, *(g[n] for n in names))
            at += 4 * synapses.pre.size
        _unpack(total, at, p["gleak"], p["vleak"], g["cm"], g["gleak"], g["vleak"])


def _padded_units(N, dtype):
    W = 64 // dtype.itemsize
    return (N + W - 1) // W * W


def _plan(network, B, T, unfolds, dtype):
    """(posts?, kernels, tile width, tiles, state values of one slot, whether threads pay)."""
    recurrent, sensory = network.recurrent, network.sensory
    N = recurrent.n_post
    parallel = B * T * (unfolds * recurrent.pre.size + sensory.pre.size) > PARALLEL_EVALUATIONS
    if uses_posts(N, recurrent.dense and sensory.dense, B):
        return True, ltc_posts, 1, B, B * _padded_units(N, dtype), parallel
    width = tile_width(N, B)
    tiles = -(-B // width)
    W = 64 // dtype.itemsize
    lanes = (tiles - 1) * width + -(-(B - (tiles - 1) * width) // W) * W
    return False, ltc_lanes, width, tiles, lanes * N, parallel


def forward(network, x, dt, lengths, h0, unfolds, n_out, keep, workspace):
    """Run the sequences; see `ltc_np.cells.ltc.forward`.

    Parameters
    ----------
    network : Network
    x (B, T, I), dt (B, T), lengths (B,) int64, h0 (B, N) : contiguous arrays of one float type
    unfolds, n_out : int
    keep : bool
        Store what `backward` needs: 2*T*U*N values a sequence.

    Returns
    -------
    out (B, T, n_out), h_last (B, N), saved
    """
    (B, T, _), N = x.shape, h0.shape[1]
    plan = posts, kernels, width, tiles, slot, parallel = _plan(network, B, T, unfolds, x.dtype)
    packed = network.packed(posts)
    states = workspace.array("states", slot * (T * unfolds + 1 if keep else 2), x.dtype)
    totals = workspace.array("totals", slot * T * unfolds if keep else 0, x.dtype)
    out = np.zeros((B, T, n_out), x.dtype)
    h_last = np.empty((B, N), x.dtype)

    def tile_range(first, last):
        kernels.forward(x, dt, lengths, h0, packed, unfolds, width, first, last, states, totals, out, h_last)

    threads.run(tile_range, tiles, parallel)
    return out, h_last, (x, dt, lengths, states, totals, plan)


def backward(network, saved, d_out, d_h, unfolds, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    x, dt, lengths, states, totals, (posts, kernels, width, tiles, _, parallel) = saved
    (B, T, I), N = x.shape, d_h.shape[1]
    packed = network.packed(posts)
    if posts:
        sums = 4 * _padded_units(N, x.dtype) * (N + I + 1)
    else:
        sums = 4 * (network.recurrent.pre.size + network.sensory.pre.size + N)
    rows = workspace.array("rows", min(tiles, GRADIENT_ROWS) * sums, np.dtype(np.float64)).reshape(-1, sums)
    rows[:] = 0
    d_x = np.zeros((B, T, I), x.dtype)
    d_h0 = np.empty((B, N), x.dtype)
    d_dt = np.zeros((B, T) if want_dt else (0, 0), x.dtype)

    def row_range(first, last):
        kernels.backward(
            x, dt, lengths, d_out, d_h, packed, unfolds, width, first, last, states, totals, rows, d_x, d_h0, d_dt
        )

    threads.run(row_range, rows.shape[0], parallel)
    network.unpack(rows, posts, g)
    return d_x, d_h0, d_dt if want_dt else None
