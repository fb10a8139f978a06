"""The LTC on the CPU: packs a network for the kernels, chooses loop order and tile width, spreads tiles on threads.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ltc`, the definition.
"""

from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from ...base import threads
from ..codes import GRADIENT_ROWS, LOG2E, NEURON, SENSORY, SYNAPSE
from . import ltc_lanes, ltc_posts
from .arguments import Gradients, Results, scratch
from .jit import helper, kernel

# Below this many synapse evaluations per call (about 0.3 ms forward) a second thread may cost more than it brings.
PARALLEL_EVALUATIONS = 2_000_000

# Arrays of a dict by these names, in order.
_neuron, _synapse, _sensory = (itemgetter(*names) for names in (NEURON, SYNAPSE, SENSORY))


def uses_posts(N, dense, B):
    """Posts order for dense wirings and few sequences, lanes order otherwise; the thread count has no say.

    Measured: docs/decisions.md, "Loop orders".
    """
    return dense and min(N // 4, 8 if N <= 128 else 4) >= B


def tile_width(N, B):
    """Sequences in a tile of the lanes order: wide tiles amortise the gradient sums, narrow ones feed threads."""
    if B > 256:
        return 64
    return 32 if B > 32 or N < 32 else 16


@helper
def _pack_synapses(w, mu, sigma, erev, gain, constants):
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


class Circuit:
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
        self.values = _neuron(p), (*_synapse(p), gains[0]), (*_sensory(p), gains[1])
        self.epsilon = self.dtype.type(epsilon)
        self._sizes = recurrent.pre.size, sensory.pre.size
        self._packed = {}

    def evaluations(self, shape, rule):
        """Synapses evaluated by a call with an x of this shape."""
        (B, T, _), (S, S_sensory) = shape, self._sizes
        return B * T * (rule.stages * rule.unfolds * S + S_sensory)

    def packed(self, posts):
        """The kernels' form, for posts or for lanes order."""
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
        _unpack(rows, *self.values, _neuron(g), _synapse(g), _sensory(g))


def _padded_units(N, dtype):
    W = 64 // dtype.itemsize
    return (N + W - 1) // W * W


class _Cut(NamedTuple):
    """How calls of one shape are cut: loop order, kernels, sequences in a tile, tiles, threads; what is kept.

    That is ``slot`` values of all states; narrowed: whether padding of what is worked on is left out.
    """

    posts: bool
    kernels: Any
    width: int
    tiles: int
    slot: int
    narrowed: bool
    threads: int

    @classmethod
    def make(cls, circuit, B, n_threads):
        recurrent, sensory = circuit.recurrent, circuit.sensory
        N, W = recurrent.n_post, 64 // circuit.dtype.itemsize
        if uses_posts(N, recurrent.dense and sensory.dense, B):
            return cls(True, ltc_posts, 1, B, B * N, N % W > 0, min(B, n_threads))
        width = tile_width(N, B)
        tiles = -(-B // width)
        last = B - (tiles - 1) * width
        lanes = (tiles - 1) * width + ltc_lanes.kept_lanes(last, W)
        return cls(False, ltc_lanes, width, tiles, lanes * N, last < W, min(tiles, n_threads))


class _Forward(NamedTuple):
    """How calls of one shape are cut, and what they write: arrays to work in, one a thread, `Kept` and `Results`.

    Tuples are plain, as kernels take them.
    """

    cut: _Cut
    rule: tuple
    scratch: np.ndarray
    kept: tuple
    results: tuple

    @classmethod
    def make(cls, circuit, shape, rule, n_out, keep, n_threads, workspace):
        (B, T, I), N, dtype, K = shape, circuit.recurrent.n_post, circuit.dtype, rule.evaluations
        cut = _Cut.make(circuit, B, n_threads)
        rows = {None: 0, "low": T, "full": T * K + 1}[keep]
        narrowed = K if keep == "full" and cut.narrowed else 0
        if cut.posts:
            sizes = ltc_posts.forward_sizes(_padded_units(N, dtype), rule.stages, narrowed)
        else:
            sizes = ltc_lanes.forward_sizes(N, I, cut.width, rule.stages, narrowed)
        kept = ltc_lanes.Kept(
            states=workspace.array("states", cut.slot * rows, dtype),
            totals=workspace.array("totals", cut.slot * T * K if keep == "full" else 0, dtype),
        )
        results = Results(
            out=workspace.array("out", B * T * n_out, dtype).reshape(B, T, n_out),
            h_last=workspace.array("h_last", B * N, dtype).reshape(B, N),
        )
        work = scratch(workspace, cut.threads, sizes, dtype)
        return cls(cut, tuple(rule), work, tuple(kept), tuple(results))


class _Backward(NamedTuple):
    """The same for the adjoint: threads, arrays to work in, one each, and `Gradients`."""

    threads: int
    scratch: np.ndarray
    gradients: tuple

    @classmethod
    def make(cls, circuit, shape, rule, keep, cut, want_dt, workspace):
        (B, T, I), N, dtype = shape, circuit.recurrent.n_post, circuit.dtype
        S, S_sensory, W = circuit.recurrent.pre.size, circuit.sensory.pre.size, 64 // dtype.itemsize
        recomputed = rule.evaluations if keep == "low" or cut.narrowed else 0
        if cut.posts:
            M = _padded_units(N, dtype)
            sums, sizes = 4 * M * (N + I + 1), ltc_posts.backward_sizes(N, I, M, recomputed)
        else:
            sums = 4 * (S + S_sensory + N)
            sizes = ltc_lanes.backward_sizes(N, I, cut.width, S, S_sensory, W, recomputed)
        rows = min(cut.tiles, GRADIENT_ROWS)
        workers = min(cut.threads, rows)
        gradients = Gradients(
            rows=workspace.array("rows", rows * sums, np.dtype(np.float64)).reshape(rows, sums),
            d_x=workspace.array("d_x", B * T * I, dtype).reshape(shape),
            d_h0=workspace.array("d_h0", B * N, dtype).reshape(B, N),
            d_dt=workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape((B, T) if want_dt else (0, 0)),
        )
        return cls(workers, scratch(workspace, workers, sizes, dtype), tuple(gradients))


class _Saved(NamedTuple):
    """What `backward` needs of a call: the kernels' `Sequences` and `Kept`, and how the call was cut."""

    sequences: tuple
    kept: tuple
    keep: str
    cut: _Cut


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.ltc.forward`.

    Parameters
    ----------
    circuit : Circuit
    x (B, T, I), dt (B, T), lengths (B,) int64, h0 (B, N) : contiguous arrays of one float type
    rule : Rule
    n_out : int
    keep : None, "full" or "low"
        What to store for `backward`: nothing, (2*T*U*stages + 1)*N or T*N values a sequence.

    Returns
    -------
    out (B, T, n_out), h_last (B, N), saved
    """
    n_threads = threads.get_num_threads() if circuit.evaluations(x.shape, rule) > PARALLEL_EVALUATIONS else 1
    cut, numbers, work, kept, results = workspace.kept(
        "forward",
        (x.shape, rule, keep, n_threads),
        lambda: _Forward.make(circuit, x.shape, rule, n_out, keep, n_threads, workspace),
    )
    sequences, packed = (x, dt, lengths), circuit.packed(cut.posts)
    tiles = partial(cut.kernels.forward, sequences, h0, packed, numbers, cut.width, work, kept, results)
    threads.run(tiles, cut.tiles, cut.threads)
    return *results, _Saved(sequences, kept, keep, cut) if keep else None


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T) or None; parameter gradients are added to ``g``."""
    sequences, kept, keep, cut = saved
    shape = sequences[0].shape
    workers, work, gradients = workspace.kept(
        "backward",
        (shape, rule, keep, cut, want_dt),
        lambda: _Backward.make(circuit, shape, rule, keep, cut, want_dt, workspace),
    )
    rows, d_x, d_h0, d_dt = gradients
    adjoints, packed, numbers = (d_motor, d_h), circuit.packed(cut.posts), tuple(rule)
    rows.fill(0)
    parts = partial(cut.kernels.backward, sequences, adjoints, packed, numbers, cut.width, work, kept, gradients)
    threads.run(parts, len(rows), workers)
    circuit.unpack(rows, cut.posts, g)
    return d_x, d_h0, d_dt if want_dt else None
