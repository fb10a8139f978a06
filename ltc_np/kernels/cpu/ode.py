"""CT-RNN and neural ODE on the CPU: whole sequences, a tile of them side by side, products kept in registers.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ode`, the definition.

Arrays of a tile are (feature, lane), flat, lanes innermost; a tile has the L lanes of a pair of vectors, and those
without a sequence have dt = 0.  Units are padded to M, a multiple of `POSTS`, by units without weights.  Sums are added
in an order that no batch, tile or thread changes.

Arguments of the kernels beside those of `arguments`, everywhere:
    h0 (B, N);  field: `Packed`;  rule: `ltc_np.kernels.codes.Rule`, K = U*stages
    work: the numbers of `forward_sizes` or `backward_sizes`, to work in
    kept: `Kept`
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...base import threads
from ..codes import ACTIVATIONS, GRADIENT_ROWS, Rule
from .activations import activate, must_know_activation
from .arguments import Adjoints, Gradients, Results, Sequences, cut, scratch
from .jit import helper, kernel, table
from .ltc_solvers import advance, d_advance, d_elapsed, must_know_solver
from .neuron_major import kept_lanes, longest_of, read_step
from .padding import narrow, widen
from .simd import add_parts, add_sums, fma, load, load_pair, splat_like, store, vector_size, zeros

POSTS = 4
# Below this many multiplications per call (about 0.3 ms) a second thread may cost more than it brings.
PARALLEL_PRODUCTS = 10_000_000
# Stages whose products are summed in registers before they go to the float64 row, and bytes of their states.
FLUSH_STAGES, FLUSH_BYTES = 96, 2**18


@table
def padded(n):
    """A whole number of blocks of `POSTS`."""
    return (n + POSTS - 1) // POSTS * POSTS


class Packed(NamedTuple):
    """A vector field.

    w_in (M/4, I + 1, 4), w (M/4, N, 4) the weights of four posts from every input, the bias last, and from every unit;
    w_t (M/4, N, 4), w_in_t (-, N, 4) the same of the transposed matrices; q (M,) leaks; the number of the activation.
    Without feedback w and w_t have no rows.
    """

    w_in: np.ndarray
    w: np.ndarray
    w_t: np.ndarray
    w_in_t: np.ndarray
    q: np.ndarray
    activation: int


class Kept(NamedTuple):
    """What is kept for the backward pass, flat: the states before each step, and what f was taken at.

    states (tiles, T, M, lanes), arguments (tiles, T, K, M, lanes), the last tile's by `kept_lanes`; both may be
    empty, and the latter alone.
    """

    states: np.ndarray
    arguments: np.ndarray


class Slopes(NamedTuple):
    """f and its derivative at every stage of a step (K, M, L), or empty."""

    f: np.ndarray
    slope: np.ndarray


class ForwardSizes(NamedTuple):
    """Of what `_forward` works in.

    Length and inputs of a step, its part of f's argument, the solver's sums, the states of an unfold, an argument or,
    where they are kept narrow, those of a step.
    """

    h: int
    inputs: int
    z_x: int
    sums: int
    history: int
    z: int


@table
def forward_sizes(I, M, L, stages, narrowed):
    """``stages``: of an unfold; narrowed: those of a step if all are kept, but not their padding lanes; else 0."""
    return ForwardSizes(L, (I + 1) * L, M * L, M * L, (stages + 1) * M * L, max(1, narrowed) * M * L)


class BackwardSizes(NamedTuple):
    """Of what `_backward` works in: as in `ForwardSizes`, adjoints, ``slots`` steps whose gradients are summed."""

    h: int
    d_step: int
    d_inputs: int
    no_inputs: int
    inputs: int
    z_x: int
    sums: int
    d_v: int
    d_base: int
    d_end: int
    d_q: int
    f: int
    slope: int
    d_z_x: int
    d_z: int
    history: int


@table
def backward_sizes(I, M, L, K, slots):
    """``slots``: time steps whose gradients are summed at once."""
    size, J = M * L, padded(I + 1)
    return BackwardSizes(
        L, L, padded(I) * L, padded(I) * L, slots * J * L,
        size, size, size, size, size, size, K * size, K * size,
        slots * size, slots * K * size, (slots * K + 1) * size,
    )  # fmt: skip


@helper
def _product(w, source, start, out):
    """out (posts, L) = start + w source, for w (posts/4, pre, 4); out may be start."""
    L = 2 * vector_size(out)
    for block in range(w.shape[0]):
        k = POSTS * block * L
        a = load_pair(start, k)
        a = a - a
        b, c, d = a, a, a
        for j in range(w.shape[1]):
            v = load_pair(source, j * L)
            a = fma(w[block, j, 0], v, a)
            b = fma(w[block, j, 1], v, b)
            c = fma(w[block, j, 2], v, c)
            d = fma(w[block, j, 3], v, d)
        store(out, k, load_pair(start, k) + a)
        store(out, k + L, load_pair(start, k + L) + b)
        store(out, k + 2 * L, load_pair(start, k + 2 * L) + c)
        store(out, k + 3 * L, load_pair(start, k + 3 * L) + d)


@helper
def _stage(field, solver, stage, h, z, base, v, new, sums, f, slope):
    """One stage of all units, given the arguments z of f; f and its derivative are kept if there is room."""
    L, one = h.size, h.dtype.type(1)
    hl = load_pair(h, 0)
    for i in range(field.q.size):
        k = i * L
        p, d = activate(field.activation, load_pair(z, k), one)
        if f.size > 0:
            store(f, k, p)
            store(slope, k, d)
        store(new, k, advance(solver, stage, k, hl, one, p, splat_like(field.q[i], p), base, v, sums))


@helper
def _d_stage(field, solver, stage, h, f, slope, base, v, new, d_v, d_base, d_end, d_z, d_z_x, d_q, d_step):
    """Adjoint of `_stage` as far as the arguments of f; adds to d_z_x, to the vectors d_q and, unless empty, d_step.

    ``d_v`` becomes the adjoint of the state before the stage, its part through f left out.
    """
    L, W, one = h.size, vector_size(h), h.dtype.type(1)
    hl = load_pair(h, 0)
    for i in range(field.q.size):
        k, leak = i * L, splat_like(field.q[i], hl)
        if d_step.size > 0:
            scaled, flow = d_elapsed(solver, stage, k, hl, one, load_pair(f, k), leak, base, v, new, d_v, d_end)
            store(d_step, 0, fma(scaled, flow, load_pair(d_step, 0)))
        d_p, d_leak, _, _ = d_advance(solver, stage, k, hl, one, leak, base, v, new, d_v, d_base, d_end)
        d = d_p * load_pair(slope, k)
        store(d_z, k, d)
        store(d_z_x, k, load_pair(d_z_x, k) + d)
        store(d_q, i * W, add_parts(load(d_q, i * W), d_leak))


@helper
def _step(field, rule, K, inputs, h, z_x, sums, states, first, rows, known, arguments, slopes):
    """All unfolds of one time step, from row ``first`` of states on, ``rows`` of them taken round; the last's number.

    arguments: K rows, or one that is used again; ``known``: they are there already.
    """
    size = z_x.size
    if not known:
        z_x[:] = 0
        _product(field.w_in, inputs, z_x, z_x)
    now = first
    base = states[now * size : (now + 1) * size]
    for u in range(K):
        stage = u % rule.stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * size : (now + 1) * size]
        new = states[after * size : (after + 1) * size]
        at = u * size if arguments.size > size else 0
        z = arguments[at : at + size]
        if stage == 0:
            base = v
        if not known:
            _product(field.w, v, z_x, z)
        f, slope = slopes.f[u * size : (u + 1) * size], slopes.slope[u * size : (u + 1) * size]
        _stage(field, rule.solver, stage, h, z, base, v, new, sums, f, slope)
        now = after
    return now


@helper
def _add_products(source, stride, J, d_z, size, M, rows, row):
    """row (J, M) += sum over rows and lanes of source (J, L) times d_z (M, L); J, M multiples of 4.

    The ``rows`` arrays follow each other by ``stride`` and by ``size``.
    """
    W = vector_size(d_z)
    L = 2 * W
    for j in range(0, J, 4):
        for i in range(0, M, 4):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros(d_z)
            c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zeros(d_z)
            for r in range(rows):
                for lane in range(0, L, W):
                    k, at = r * size + i * L + lane, r * stride + j * L + lane
                    z0, z1, z2, z3 = load(d_z, k), load(d_z, k + L), load(d_z, k + 2 * L), load(d_z, k + 3 * L)
                    v = load(source, at)
                    a0, a1, a2, a3 = fma(v, z0, a0), fma(v, z1, a1), fma(v, z2, a2), fma(v, z3, a3)
                    v = load(source, at + L)
                    b0, b1, b2, b3 = fma(v, z0, b0), fma(v, z1, b1), fma(v, z2, b2), fma(v, z3, b3)
                    v = load(source, at + 2 * L)
                    c0, c1, c2, c3 = fma(v, z0, c0), fma(v, z1, c1), fma(v, z2, c2), fma(v, z3, c3)
                    v = load(source, at + 3 * L)
                    d0, d1, d2, d3 = fma(v, z0, d0), fma(v, z1, d1), fma(v, z2, d2), fma(v, z3, d3)
            add_sums(row, j * M + i, a0, a1, a2, a3)
            add_sums(row, (j + 1) * M + i, b0, b1, b2, b3)
            add_sums(row, (j + 2) * M + i, c0, c1, c2, c3)
            add_sums(row, (j + 3) * M + i, d0, d1, d2, d3)


@helper
def _add_leaks(d_q, M, row):
    """Add the vectors d_q, over their lanes, to the float64 row, and begin again at 0."""
    W = vector_size(d_q)
    for i in range(0, M, 4):
        k = i * W
        add_sums(row, i, load(d_q, k), load(d_q, k + W), load(d_q, k + 2 * W), load(d_q, k + 3 * W))
    d_q[:] = 0


def kept_steps(M, L, K, itemsize):
    """Time steps whose parameter gradients are summed at once."""
    return max(1, min(FLUSH_STAGES, FLUSH_BYTES // (M * L * itemsize)) // K)


@kernel
def _forward(sequences, h0, field, rule, work, kept, results, first, last, worker):
    """Tiles first..last-1: ``results.out`` (B, T, N) are the states after each step."""
    x, dt, steps = Sequences(*sequences)
    field, rule, kept, results = Packed(*field), Rule(*rule), Kept(*kept), Results(*results)
    must_know_solver(rule.solver)
    must_know_activation(field.activation)
    y, h_last = results.out, results.h_last
    (B, T, I), N, M, K = x.shape, h0.shape[1], field.q.size, rule.unfolds * rule.stages
    W = vector_size(x)
    L = 2 * W
    size, rows, full = M * L, rule.stages + 1, kept.arguments.size > 0
    sizes = forward_sizes(I, M, L, rule.stages, 0)
    h, rest = cut(work[worker], sizes.h)
    inputs, rest = cut(rest, sizes.inputs)
    z_x, rest = cut(rest, sizes.z_x)
    sums, rest = cut(rest, sizes.sums)
    history, rest = cut(rest, sizes.history)
    no_slopes = Slopes(rest[:0], rest[:0])
    for tile in range(first, last):
        b0 = tile * L
        count = min(L, B - b0)
        lanes = kept_lanes(count, W, L)
        narrowed = full and lanes < L
        z = rest[: forward_sizes(I, M, L, rule.stages, K if narrowed else 0).z]
        h[:] = 0
        inputs[:] = 0
        inputs[I * L :] = 1
        history[:size] = 0
        for lane in range(count):
            for i in range(N):
                history[i * L + lane] = h0[b0 + lane, i]
        now, longest = 0, longest_of(steps, b0, count)
        y[b0 : b0 + count, longest:] = 0
        for t in range(longest):
            read_step(x, dt, t, b0, count, L, rule.unfolds, inputs, h)
            begin, end = tile * T * size + t * M * lanes, tile * T * size + (t + 1) * M * lanes
            if kept.states.size > 0:
                narrow(history[now * size : (now + 1) * size], L, kept.states[begin:end], lanes)
            if full and not narrowed:
                z = kept.arguments[begin * K : end * K]
            now = _step(field, rule, K, inputs, h, z_x, sums, history, now, rows, False, z, no_slopes)
            if narrowed:
                narrow(z, L, kept.arguments[begin * K : end * K], lanes)
            for lane in range(count):
                for i in range(N):
                    y[b0 + lane, t, i] = history[now * size + i * L + lane]
        for lane in range(count):
            for i in range(N):
                h_last[b0 + lane, i] = history[now * size + i * L + lane]


@kernel
def _backward(sequences, adjoints, field, rule, slots, work, kept, gradients, first, last, worker):
    """Adjoint of `_forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, J*M + M*M + M): of the inputs and the bias, J of them, of the units, if there is feedback, and of the
    leaks; slots: time steps summed at once.
    """
    x, dt, steps = Sequences(*sequences)
    field, rule, kept = Packed(*field), Rule(*rule), Kept(*kept)
    must_know_solver(rule.solver)
    must_know_activation(field.activation)
    d_y, d_h = Adjoints(*adjoints)
    rows, d_x, d_h0, d_dt = Gradients(*gradients)
    (B, T, I), N, M, K = x.shape, d_h.shape[1], field.q.size, rule.unfolds * rule.stages
    W = vector_size(x)
    L = 2 * W
    size, J, units = M * L, padded(I + 1), M if field.w.shape[1] else 0
    sizes = backward_sizes(I, M, L, K, slots)
    h, rest = cut(work[worker], sizes.h)
    d_step, rest = cut(rest, sizes.d_step if d_dt.size > 0 else 0)
    d_inputs, rest = cut(rest, sizes.d_inputs)
    no_inputs, rest = cut(rest, sizes.no_inputs)
    inputs, rest = cut(rest, sizes.inputs)
    z_x, rest = cut(rest, sizes.z_x)
    sums, rest = cut(rest, sizes.sums)
    d_v, rest = cut(rest, sizes.d_v)  # adjoint of the state, after the stage and then before it
    d_base, rest = cut(rest, sizes.d_base)  # of solvers with several stages: of the unfold's first state
    d_end, rest = cut(rest, sizes.d_end)  # and of its last
    d_q, rest = cut(rest, sizes.d_q)
    f, rest = cut(rest, sizes.f)
    slope, rest = cut(rest, sizes.slope)
    d_z_x, rest = cut(rest, sizes.d_z_x)
    d_z, rest = cut(rest, sizes.d_z)
    history, rest = cut(rest, sizes.history)
    slopes = Slopes(f, slope)
    no_inputs[:] = 0
    for r in range(first, last):
        row = rows[r]
        d_q[:] = 0
        for tile in range(r, (B + L - 1) // L, rows.shape[0]):
            b0 = tile * L
            count = min(L, B - b0)
            lanes = kept_lanes(count, W, L)
            longest = longest_of(steps, b0, count)
            if lanes < L:  # what is made wide again begins with 0 as padding
                unused = max(0, slots - longest) * K * size
                history[unused:] = 0
                d_z[unused:] = 0
            h[:] = 0
            inputs[:] = 0
            for slot in range(slots):
                inputs[(slot * J + I) * L : (slot * J + I + 1) * L] = 1
            d_v[:] = 0
            for lane in range(count):
                for i in range(N):
                    d_v[i * L + lane] = d_h[b0 + lane, i]
            if d_x.size > 0:
                d_x[b0 : b0 + count, longest:] = 0
            if d_dt.size > 0:
                d_dt[b0 : b0 + count, longest:] = 0
            slot = slots
            for t in range(longest - 1, -1, -1):
                slot -= 1
                step_inputs = inputs[slot * J * L : (slot + 1) * J * L]
                step_d_z_x = d_z_x[slot * size : (slot + 1) * size]
                step_d_z = d_z[slot * K * size : (slot + 1) * K * size]
                step_history = history[slot * K * size : ((slot + 1) * K + 1) * size]
                read_step(x, dt, t, b0, count, L, rule.unfolds, step_inputs, h)
                begin, end = tile * T * size + t * M * lanes, tile * T * size + (t + 1) * M * lanes
                widen(kept.states[begin:end], lanes, step_history, L)
                known = kept.arguments.size > 0
                z = step_d_z[: K * size if known else size]
                if known and lanes == L:
                    z = kept.arguments[begin * K : end * K]
                elif known:
                    widen(kept.arguments[begin * K : end * K], lanes, z, L)
                _step(field, rule, K, step_inputs, h, z_x, sums, step_history, 0, K + 1, known, z, slopes)
                for lane in range(count):
                    for i in range(N):
                        d_v[i * L + lane] += d_y[b0 + lane, t, i]
                step_d_z_x[:] = 0
                d_step[:] = 0
                for u in range(K - 1, -1, -1):
                    stage, here, after = u % rule.stages, u * size, (u + 1) * size
                    stage_d_z = step_d_z[here:after]
                    _d_stage(
                        field, rule.solver, stage, h, f[here:after], slope[here:after],
                        step_history[(u - stage) * size : (u - stage + 1) * size], step_history[here:after],
                        step_history[after : after + size], d_v, d_base, d_end, stage_d_z, step_d_z_x, d_q, d_step,
                    )  # fmt: skip
                    _product(field.w_t, stage_d_z, d_v, d_v)
                if slot == 0 or t == 0:
                    done = slots - slot
                    _add_products(inputs[slot * J * L :], J * L, J, d_z_x[slot * size :], size, M, done, row)
                    at = slot * K * size
                    _add_products(history[at:], size, units, d_z[at:], size, M, done * K, row[J * M :])
                    _add_leaks(d_q, M, row[(J + units) * M :])
                    slot = slots
                if d_x.size > 0:
                    _product(field.w_in_t, step_d_z_x, no_inputs, d_inputs)
                for lane in range(count):
                    if d_x.size > 0:
                        for i in range(I):
                            d_x[b0 + lane, t, i] = d_inputs[i * L + lane]
                    if d_dt.size > 0:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(rule.unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = d_v[i * L + lane]


# ------------------------------------------------------------------------------------------ called from Python


def _blocks(w):
    """(pre, posts) -> (posts/4, pre, 4), posts padded with zeros."""
    pre, posts = w.shape
    out = np.zeros((pre, padded(posts)), w.dtype)
    out[:, :posts] = w
    return np.ascontiguousarray(out.reshape(pre, padded(posts) // POSTS, POSTS).transpose(1, 0, 2))


class VectorField:
    """Effective parameters, packed for the kernels: see `ltc_np.kernels.numpy.ode.VectorField`."""

    def __init__(self, w_x, w_h, b, Q, activation):
        self.feedback, self.units = w_h is not None, b.size
        w_h = np.zeros((0, b.size), b.dtype) if w_h is None else w_h
        w_h_t = w_h.T if self.feedback else w_h
        q = np.zeros(padded(b.size), b.dtype)
        q[: b.size] = Q
        matrices = np.concatenate([w_x, b[None]]), w_h, w_h_t, w_x.T
        self.packed = *(_blocks(w) for w in matrices), q, ACTIVATIONS.index(activation)


class _Forward(NamedTuple):
    """How calls of one shape are cut, and what they write: arrays to work in, one a thread, `Kept` and `Results`.

    Tuples are plain, as kernels take them.
    """

    tiles: int
    threads: int
    rule: tuple
    work: np.ndarray
    kept: tuple
    results: tuple

    @classmethod
    def make(cls, field, shape, rule, keep, n_threads, dtype, workspace):
        (B, T, I), N, K = shape, field.units, rule.evaluations
        M, L = padded(N), 128 // dtype.itemsize
        tiles = -(-B // L)
        workers = min(tiles, n_threads)
        lanes = kept_lanes(B - (tiles - 1) * L, L // 2, L)
        slot = ((tiles - 1) * L + lanes) * T * M
        narrowed = K if keep == "full" and lanes < L else 0
        kept = Kept(
            states=workspace.array("states", slot if keep else 0, dtype),
            arguments=workspace.array("arguments", slot * K if keep == "full" else 0, dtype),
        )
        results = Results(
            out=workspace.array("y", B * T * N, dtype).reshape(B, T, N),
            h_last=workspace.array("h_last", B * N, dtype).reshape(B, N),
        )
        work = scratch(workspace, workers, forward_sizes(I, M, L, rule.stages, narrowed), dtype)
        return cls(tiles, workers, tuple(rule), work, tuple(kept), tuple(results))


class _Backward(NamedTuple):
    """The same for the adjoint: threads, arrays to work in, one each, time steps summed at once, `Gradients`."""

    threads: int
    work: np.ndarray
    slots: int
    gradients: tuple

    @classmethod
    def make(cls, field, shape, rule, want_x, want_dt, n_threads, dtype, workspace):
        (B, T, I), N, K = shape, field.units, rule.evaluations
        M, L = padded(N), 128 // dtype.itemsize
        slots = kept_steps(M, L, K, dtype.itemsize)
        R = min(-(-B // L), GRADIENT_ROWS)
        workers = min(R, n_threads)
        size = (padded(I + 1) + (M if field.feedback else 0) + 1) * M
        gradients = Gradients(
            rows=workspace.array("rows", R * size, np.dtype(np.float64)).reshape(R, size),
            d_x=workspace.array("d_x", B * T * I if want_x else 0, dtype).reshape(shape if want_x else (0, 0, 0)),
            d_h0=workspace.array("d_h0", B * N, dtype).reshape(B, N),
            d_dt=workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape((B, T) if want_dt else (0, 0)),
        )
        work = scratch(workspace, workers, backward_sizes(I, M, L, K, slots), dtype)
        return cls(workers, work, slots, tuple(gradients))


class _Saved(NamedTuple):
    """What `backward` needs of a call: the kernels' `Sequences` and `Kept`."""

    sequences: tuple
    kept: tuple


def _threads(field, shape, rule):
    (B, T, I), N = shape, field.units
    return threads.get_num_threads() if B * T * N * (I + rule.evaluations * N) > PARALLEL_PRODUCTS else 1


def forward(field, x, dt, lengths, h0, rule, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.ode.forward`."""
    n_threads = _threads(field, x.shape, rule)
    tiles, workers, numbers, work, kept, results = workspace.kept(
        "forward",
        (x.shape, rule, keep, n_threads),
        lambda: _Forward.make(field, x.shape, rule, keep, n_threads, x.dtype, workspace),
    )
    sequences, packed = (x, dt, lengths), field.packed
    threads.run(partial(_forward, sequences, h0, packed, numbers, work, kept, results), tiles, workers)
    return *results, _Saved(sequences, kept) if keep else None


def backward(field, saved, d_y, d_h, rule, want_x, want_dt, g, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.ode.backward`."""
    sequences, kept = saved
    shape = sequences[0].shape
    n_threads = _threads(field, shape, rule)
    workers, work, slots, gradients = workspace.kept(
        "backward",
        (shape, rule, want_x, want_dt, n_threads),
        lambda: _Backward.make(field, shape, rule, want_x, want_dt, n_threads, d_y.dtype, workspace),
    )
    rows, d_x, d_h0, d_dt = gradients
    adjoints, packed, numbers = (d_y, d_h), field.packed, tuple(rule)
    rows.fill(0)
    parts = partial(_backward, sequences, adjoints, packed, numbers, slots, work, kept, gradients)
    threads.run(parts, len(rows), workers)
    I, N = shape[2], field.units
    total = rows.sum(0).reshape(-1, padded(N))[:, :N]  # row by row, in order
    g["w_x"] += total[:I]
    g["b"] += total[I]
    if field.feedback:
        g["w_h"] += total[padded(I + 1) :][:N]
    return d_x if want_x else None, d_h0, d_dt if want_dt else None, total[-1]
