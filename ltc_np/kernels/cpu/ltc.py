"""The LTC on the CPU: packs a network for the kernels, chooses loop order and tile width, spreads tiles on threads.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.cells.ltc`, the definition.
"""

from dataclasses import dataclass

import numpy as np

from ...base import threads
from . import ltc_lanes, ltc_posts
from .jit import helper, kernel
from .ltc_solvers import CODES

GRADIENT_ROWS = 16
# Below this many synapse evaluations per call (about 0.3 ms forward) a second thread may cost more than it brings.
PARALLEL_EVALUATIONS = 2_000_000


def uses_posts(N, dense, B):
    """Posts order for dense wirings and few sequences, lanes order otherwise; the thread count has no say.

    Measured: docs/architecture.md, "Loop orders".
    """
    return dense and min(N // 4, 8 if N <= 128 else 4) >= B


def tile_width(N, B):
    """Sequences in a tile of the lanes order: wide tiles amortise the gradient sums, narrow ones feed threads."""
    if B > 256:
        return 64
    return 32 if B > 32 or N < 32 else 16


@helper
def _pack_synapses(w, mu, sigma, erev, gain, constants):
    log2e = sigma.dtype.type(1.4426950408889634)
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
    """The kernels' neuron (N, 3) and constants (S, 6) of effective values; gain (S,), or (0,) for all 1."""
    cm, gleak, vleak = neuron_values
    for i in range(neuron.shape[0]):
        neuron[i, 0] = cm[i]
        neuron[i, 1] = gleak[i] + epsilon
        neuron[i, 2] = gleak[i] * vleak[i]
    w, mu, sigma, erev, gain = synapses
    _pack_synapses(w, mu, sigma, erev, gain, constants)
    w, mu, sigma, erev, gain = sensory_synapses
    _pack_synapses(w, mu, sigma, erev, gain, sensory)


@kernel
def map_features(x, w, b, y):
    """y = x * w + b, (rows, features) by (features,); b may be empty."""
    for r in range(x.shape[0]):
        for k in range(x.shape[1]):
            y[r, k] = x[r, k] * w[k] + b[k] if b.size else x[r, k] * w[k]


@helper
def _unpack_synapses(total, at, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev):
    for s in range(sigma.size):
        k = at + 4 * s
        r, y_p, z, z_v = total[k], total[k + 1], total[k + 2], total[k + 3]
        m = gain[s] if gain.size else sigma.dtype.type(1)
        strength = w[s] * m
        d_w[s] += m * r
        d_erev[s] += strength * y_p
        d_sigma[s] += strength * (z_v - mu[s] * z)
        d_mu[s] -= strength * sigma[s] * z


@kernel
def _unpack(rows, neuron_values, synapses, sensory_synapses, d_neuron, d_synapses, d_sensory):
    """Gradients of the effective values, added to, from the sums of `ltc_lanes.backward`; rows[0] becomes their sum."""
    total = rows[0]
    for r in range(1, rows.shape[0]):
        for k in range(total.size):
            total[k] += rows[r, k]
    w, mu, sigma, erev, gain = synapses
    d_w, d_mu, d_sigma, d_erev = d_synapses
    _unpack_synapses(total, 0, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at = 4 * sigma.size
    w, mu, sigma, erev, gain = sensory_synapses
    d_w, d_mu, d_sigma, d_erev = d_sensory
    _unpack_synapses(total, at, w, mu, sigma, erev, gain, d_w, d_mu, d_sigma, d_erev)
    at += 4 * sigma.size
    _, gleak, vleak = neuron_values
    d_cm, d_gleak, d_vleak = d_neuron
    for i in range(gleak.size):
        d_p, d_q = total[at + 4 * i], total[at + 4 * i + 1]
        d_cm[i] += total[at + 4 * i + 2]
        d_gleak[i] += vleak[i] * d_p + d_q
        d_vleak[i] += gleak[i] * d_p


NEURON = ("cm", "gleak", "vleak")
SYNAPSE = ("w", "mu", "sigma", "erev")
SENSORY = tuple(f"sensory_{name}" for name in SYNAPSE)


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
        self.recurrent, self.sensory, self.dtype = recurrent, sensory, p["cm"].dtype
        self.values = (
            tuple(p[name] for name in NEURON),
            (*(p[name] for name in SYNAPSE), gains[0]),
            (*(p[name] for name in SENSORY), gains[1]),
        )
        self.epsilon = self.dtype.type(epsilon)
        self._packed = {}

    def packed(self, posts):
        """The kernels' ``network`` argument for posts or for lanes order."""
        if posts not in self._packed:
            self._packed[posts] = self._pack_posts() if posts else self._pack_lanes()
        return self._packed[posts]

    def _pack_lanes(self):
        recurrent, sensory = self.recurrent, self.sensory
        neuron = np.empty((recurrent.n_post, 3), self.dtype)
        constants = np.empty((recurrent.pre.size, 6), self.dtype)
        sensory_constants = np.empty((sensory.pre.size, 6), self.dtype)
        _pack(*self.values, self.epsilon, neuron, constants, sensory_constants)
        return neuron, recurrent.start, recurrent.pre, constants, sensory.start, sensory.pre, sensory_constants

    def _pack_posts(self):
        neuron, _, _, recurrent, _, _, sensory = self.packed(False)
        N, M = len(neuron), _padded_units(len(neuron), self.dtype)

        def planes(constants):  # (post, pre, 6) -> (6, pre, post), posts padded
            dense = constants.reshape(N, -1, 6).transpose(2, 1, 0)
            out = np.zeros((6, dense.shape[1], M), self.dtype)
            out[:, :, :N] = dense
            return out

        padded = np.zeros((3, M), self.dtype)
        padded[0] = 1
        padded[:, :N] = neuron.T
        return padded, planes(recurrent), planes(sensory)

    def unpack(self, rows, posts, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        if posts:  # (4, pre, post) -> (post, pre, 4), as lanes order has it
            N, M, I = self.recurrent.n_post, _padded_units(self.recurrent.n_post, self.dtype), self.sensory.n_pre
            parts = np.split(rows.sum(axis=0), [4 * M * N, 4 * M * (N + I)])  # row by row, in order
            rows = np.concatenate([a.reshape(4, -1, M)[:, :, :N].transpose(2, 1, 0).ravel() for a in parts])[None]
        _unpack(rows, *self.values, *(tuple(g[name] for name in names) for names in (NEURON, SYNAPSE, SENSORY)))


def _padded_units(N, dtype):
    W = 64 // dtype.itemsize
    return (N + W - 1) // W * W


@dataclass(frozen=True)
class _Plan:
    """How calls of one shape are cut: loop order, kernels, sequences in a tile, tiles, state values of all, threads."""

    posts: bool
    kernels: object
    width: int
    tiles: int
    slot: int
    threads: int

    @classmethod
    def make(cls, network, B, n_threads):
        recurrent, sensory = network.recurrent, network.sensory
        N, W = recurrent.n_post, 64 // network.dtype.itemsize
        if uses_posts(N, recurrent.dense and sensory.dense, B):
            return cls(True, ltc_posts, 1, B, B * _padded_units(N, network.dtype), min(B, n_threads))
        width = tile_width(N, B)
        tiles = -(-B // width)
        last = B - (tiles - 1) * width
        lanes = (tiles - 1) * width + -(-last // W) * W
        return cls(False, ltc_lanes, width, tiles, lanes * N, min(tiles, n_threads))


class _Arrays:
    """What the kernels of one shape of call read and write, beside its arguments."""

    def __init__(self, network, shape, stages, unfolds, n_out, keep, n_threads, workspace):
        (B, T, I), N, dtype, K = shape, network.recurrent.n_post, network.dtype, unfolds * stages
        self.plan = plan = _Plan.make(network, B, n_threads)
        rows = {None: 0, "low": T, "full": T * K + 1}[keep]
        self.states = workspace.array("states", plan.slot * rows, dtype)
        self.totals = workspace.array("totals", plan.slot * T * K if keep == "full" else 0, dtype)
        if plan.posts:
            size = ltc_posts.forward_scratch(plan.slot // B, stages)
        else:
            size = ltc_lanes.forward_scratch(N, I, plan.width, stages)
        self.scratch = _scratch(workspace, plan.threads, size, dtype)
        self.out = workspace.array("out", B * T * n_out, dtype).reshape(B, T, n_out)
        self.h_last = workspace.array("h_last", B * N, dtype).reshape(B, N)


class _BackwardArrays:
    """The same for the backward kernels."""

    def __init__(self, network, shape, K, keep, plan, want_dt, workspace):
        (B, T, I), N, dtype = shape, network.recurrent.n_post, network.dtype
        S, S_sensory, W = network.recurrent.pre.size, network.sensory.pre.size, 64 // dtype.itemsize
        recomputed = 0 if keep == "full" else K
        if plan.posts:
            M = plan.slot // B
            sums, size = 4 * M * (N + I + 1), ltc_posts.backward_scratch(N, I, M, recomputed)
        else:
            sums = 4 * (S + S_sensory + N)
            size = ltc_lanes.backward_scratch(N, I, plan.width, S, S_sensory, W, recomputed)
        rows = min(plan.tiles, GRADIENT_ROWS)
        self.workers = min(plan.threads, rows)
        self.rows = workspace.array("rows", rows * sums, np.dtype(np.float64)).reshape(rows, sums)
        self.scratch = _scratch(workspace, self.workers, size, dtype)
        self.d_x = workspace.array("d_x", B * T * I, dtype).reshape(shape)
        self.d_h0 = workspace.array("d_h0", B * N, dtype).reshape(B, N)
        self.d_dt = workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape((B, T) if want_dt else (0, 0))


def _scratch(workspace, workers, size, dtype):
    """One array to work in for each thread, on cache lines of its own."""
    size = -(-size // 64) * 64
    return list(workspace.array("scratch", workers * size, dtype).reshape(workers, size))


def forward(network, x, dt, lengths, h0, solver, unfolds, n_out, keep, workspace):
    """Run the sequences; see `ltc_np.cells.ltc.forward`.

    Parameters
    ----------
    network : Network
    x (B, T, I), dt (B, T), lengths (B,) int64, h0 (B, N) : contiguous arrays of one float type
    solver : Solver
    unfolds, n_out : int
    keep : None, "full" or "low"
        What to store for `backward`: nothing, 2*T*U*stages*N or T*N values a sequence.

    Returns
    -------
    out (B, T, n_out), h_last (B, N), saved
    """
    B, T, _ = x.shape
    K, code = unfolds * solver.stages, CODES[solver.name]
    evaluations = B * T * (K * network.recurrent.pre.size + network.sensory.pre.size)
    n = threads.get_num_threads() if evaluations > PARALLEL_EVALUATIONS else 1
    a = workspace.kept(
        "forward",
        (x.shape, keep, n),
        lambda: _Arrays(network, x.shape, solver.stages, unfolds, n_out, keep, n, workspace),
    )
    plan, packed = a.plan, network.packed(a.plan.posts)

    def run(first, last, worker):
        plan.kernels.forward(
            x, dt, lengths, h0, packed, code, solver.stages, unfolds, plan.width, first, last, a.scratch[worker],
            a.states, a.totals, a.out, a.h_last,
        )  # fmt: skip

    threads.run(run, plan.tiles, plan.threads)
    return a.out, a.h_last, (x, dt, lengths, a.states, a.totals, keep, plan) if keep else None


def backward(network, saved, d_out, d_h, solver, unfolds, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    x, dt, lengths, states, totals, keep, plan = saved
    key = x.shape, keep, plan, want_dt
    K, code = unfolds * solver.stages, CODES[solver.name]
    a = workspace.kept("backward", key, lambda: _BackwardArrays(network, x.shape, K, keep, plan, want_dt, workspace))
    packed = network.packed(plan.posts)
    a.rows.fill(0)

    def run(first, last, worker):
        plan.kernels.backward(
            x, dt, lengths, d_out, d_h, packed, code, solver.stages, unfolds, plan.width, first, last,
            a.scratch[worker], states, totals, a.rows, a.d_x, a.d_h0, a.d_dt,
        )  # fmt: skip

    threads.run(run, len(a.rows), a.workers)
    network.unpack(a.rows, plan.posts, g)
    return a.d_x, a.d_h0, a.d_dt if want_dt else None
