"""CT-RNN and neural ODE on the CPU: whole sequences, a tile of them side by side, products kept in registers.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.cells.ode`, the definition.

Arrays of a tile are (feature, lane), flat, lanes innermost; a tile has the L lanes of a pair of vectors, and those
without a sequence have dt = 0.  Units are padded to M, a multiple of `POSTS`, by units without weights.  Sums are added
in an order that no batch, tile or thread changes.

Arguments of the kernels, everywhere:
    x (B, T, I), dt (B, T), steps (B,) valid steps, h0 (B, N)
    network: w_in (M/4, I + 1, 4), w (M/4, N, 4) the weights of four posts from every input, the bias last, and from
        every unit;  w_t (M/4, N, 4), w_in_t (-, N, 4) the same of the transposed matrices;  q (M,) leaks;  the number
        of the activation;  without feedback w and w_t have no rows
    solver: its number in `ltc_solvers`;  U unfolds a step of ``stages`` each, K = U*stages
    states (tiles, T, M, L), arguments (tiles, T, K, M, L): what is kept for the backward pass, the state before each
        step and what f was taken at; both may be empty, and the latter alone
    scratch: `forward_scratch` or `backward_scratch` numbers to work in
"""

import numpy as np

from ...base import threads
from ..codes import ACTIVATIONS
from .activations import activate
from .jit import helper, kernel
from .ltc_lanes import longest_of, read_step
from .ltc_solvers import CODES as SOLVERS
from .ltc_solvers import advance, d_advance, d_elapsed
from .simd import add_parts, add_sums, fma, load, load_pair, splat_like, store, vector_size, zeros

POSTS = 4
GRADIENT_ROWS = 16
# Below this many multiplications per call (about 0.3 ms) a second thread may cost more than it brings.
PARALLEL_PRODUCTS = 10_000_000
# Stages whose products are summed in registers before they go to the float64 row, and bytes of their states.
FLUSH_STAGES, FLUSH_BYTES = 96, 2**18


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
def _copy(source, target):
    for k in range(0, source.size, vector_size(source)):
        store(target, k, load(source, k))


@helper
def _stage(network, solver, stage, h, z, base, v, new, sums, f, slope):
    """One stage of all units, given the arguments z of f; f and its derivative are kept if there is room."""
    q, activation, L, one = network[4], network[5], h.size, h.dtype.type(1)
    hl = load_pair(h, 0)
    for i in range(q.size):
        k = i * L
        p, d = activate(activation, load_pair(z, k), one)
        if f.size > 0:
            store(f, k, p)
            store(slope, k, d)
        store(new, k, advance(solver, stage, k, hl, one, p, splat_like(q[i], p), base, v, sums))


@helper
def _step(network, solver, stages, K, inputs, h, z_x, sums, states, first, rows, known, arguments, f, slope):
    """All unfolds of one time step, from row ``first`` of states on, ``rows`` of them taken round; the last's number.

    arguments: K rows, or one that is used again; ``known``: they are there already.  f, slope: K rows or empty.
    """
    size = z_x.size
    if not known:
        z_x[:] = 0
        _product(network[0], inputs, z_x, z_x)
    now = first
    base = states[now * size : (now + 1) * size]
    for u in range(K):
        stage = u % stages
        after = now + 1 if now + 1 < rows else 0
        v = states[now * size : (now + 1) * size]
        new = states[after * size : (after + 1) * size]
        at = u * size if arguments.size > size else 0
        z = arguments[at : at + size]
        if stage == 0:
            base = v
        if not known:
            _product(network[1], v, z_x, z)
        _stage(
            network, solver, stage, h, z, base, v, new, sums, f[u * size : (u + 1) * size],
            slope[u * size : (u + 1) * size],
        )  # fmt: skip
        now = after
    return now


def forward_scratch(I, M, L, stages):
    """Numbers that `_forward` works in."""
    return (2 + I + (4 + stages) * M) * L


@kernel
def _forward(x, dt, steps, h0, network, solver, stages, unfolds, first, last, scratch, states, arguments, y, h_last):
    """Tiles first..last-1: y (B, T, N) the states after each step, h_last (B, N) the last."""
    (B, T, I), N, M, K = x.shape, h0.shape[1], network[4].size, unfolds * stages
    L = 2 * vector_size(x)
    h, size, rows = scratch[:L], M * L, stages + 1
    at = (1 + I + 1) * L
    inputs = scratch[L:at]
    z_x = scratch[at : at + size]
    sums = scratch[at + size : at + 2 * size]
    z = scratch[at + 2 * size : at + 3 * size]
    history = scratch[at + 3 * size : at + (3 + rows) * size]
    for tile in range(first, last):
        b0 = tile * L
        count = min(L, B - b0)
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
            read_step(x, dt, t, b0, count, L, unfolds, inputs, h)
            at = tile * T + t
            if states.size > 0:
                _copy(history[now * size : (now + 1) * size], states[at * size : (at + 1) * size])
            if arguments.size > 0:
                z = arguments[at * K * size : (at + 1) * K * size]
            now = _step(
                network, solver, stages, K, inputs, h, z_x, sums, history, now, rows, False, z, scratch[:0], scratch[:0]
            )
            for lane in range(count):
                for i in range(N):
                    y[b0 + lane, t, i] = history[now * size + i * L + lane]
        for lane in range(count):
            for i in range(N):
                h_last[b0 + lane, i] = history[now * size + i * L + lane]


@helper
def _d_stage(network, solver, stage, h, f, slope, base, v, new, g, g_base, g_end, d_z, d_z_x, d_q, d_step):
    """Adjoint of `_stage` as far as the arguments of f; adds to d_z_x, to the vectors d_q and, unless empty, d_step.

    ``g`` becomes the adjoint of the state before the stage, its part through f left out.
    """
    q, L, W, one = network[4], h.size, vector_size(h), h.dtype.type(1)
    hl = load_pair(h, 0)
    for i in range(q.size):
        k, leak = i * L, splat_like(q[i], hl)
        if d_step.size > 0:
            scaled, flow = d_elapsed(solver, stage, k, hl, one, load_pair(f, k), leak, base, v, new, g, g_end)
            store(d_step, 0, fma(scaled, flow, load_pair(d_step, 0)))
        d_p, d_leak, _, _ = d_advance(solver, stage, k, hl, one, leak, base, v, new, g, g_base, g_end)
        d = d_p * load_pair(slope, k)
        store(d_z, k, d)
        store(d_z_x, k, load_pair(d_z_x, k) + d)
        store(d_q, i * W, add_parts(load(d_q, i * W), d_leak))


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


def backward_scratch(I, M, L, K, slots):
    """Numbers that `_backward` works in."""
    d_inputs = _padded(I)
    inputs = slots * _padded(I + 1)
    return (2 + 2 * d_inputs + inputs + (6 + 2 * K + slots * (2 * K + 1) + 1) * M) * L


@kernel
def _backward(
    x, dt, steps, d_y, d_h, network, solver, stages, unfolds, slots, first, last, scratch, states, arguments, rows,
    d_x, d_h0, d_dt,
):  # fmt: skip
    """Adjoint of `_forward`: tiles r, r + R, ... into gradient row r, for r = first..last-1.

    rows (R, J*M + M*M + M) float64: of the inputs and the bias, J of them, of the units, if there is feedback, and of
    the leaks; d_x (B, T, I) or empty, d_h0 (B, N), d_dt (B, T) or empty; slots: time steps summed at once.
    """
    _, w, w_t, w_in_t, q, _ = network
    (B, T, I), N, M, K = x.shape, d_h.shape[1], q.size, unfolds * stages
    W = vector_size(x)
    L = 2 * W
    size, J, units = M * L, (I + 4) // 4 * 4, M if w.shape[1] else 0
    h, at = scratch[:L], 2 * L
    d_step = scratch[L:at] if d_dt.size > 0 else scratch[:0]
    d_inputs = scratch[at : at + 4 * w_in_t.shape[0] * L]
    at += d_inputs.size
    no_inputs = scratch[at : at + d_inputs.size]
    at += d_inputs.size
    inputs = scratch[at : at + slots * J * L]
    at += inputs.size
    work = scratch[at:]
    z_x = work[:size]
    sums = work[size : 2 * size]
    g = work[2 * size : 3 * size]  # adjoint of the state, after the stage and then before it
    g_base = work[3 * size : 4 * size]  # of solvers with several stages: adjoints of the unfold's first state
    g_end = work[4 * size : 5 * size]  # and of its last
    d_q = work[5 * size : 5 * size + M * W]
    at = 6 * size
    f = work[at : at + K * size]
    slope = work[at + K * size : at + 2 * K * size]
    at += 2 * K * size
    d_z_x = work[at : at + slots * size]
    at += slots * size
    d_z = work[at : at + slots * K * size]
    at += slots * K * size
    history = work[at : at + (slots * K + 1) * size]
    no_inputs[:] = 0
    for r in range(first, last):
        row = rows[r]
        d_q[:] = 0
        for tile in range(r, (B + L - 1) // L, rows.shape[0]):
            b0 = tile * L
            count = min(L, B - b0)
            h[:] = 0
            inputs[:] = 0
            for slot in range(slots):
                inputs[(slot * J + I) * L : (slot * J + I + 1) * L] = 1
            g[:] = 0
            for lane in range(count):
                for i in range(N):
                    g[i * L + lane] = d_h[b0 + lane, i]
            longest = longest_of(steps, b0, count)
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
                read_step(x, dt, t, b0, count, L, unfolds, step_inputs, h)
                at = tile * T + t
                _copy(states[at * size : (at + 1) * size], step_history[:size])
                known = arguments.size > 0
                z = arguments[at * K * size : (at + 1) * K * size] if known else step_d_z[:size]
                _step(network, solver, stages, K, step_inputs, h, z_x, sums, step_history, 0, K + 1, known, z, f, slope)
                for lane in range(count):
                    for i in range(N):
                        g[i * L + lane] += d_y[b0 + lane, t, i]
                step_d_z_x[:] = 0
                d_step[:] = 0
                for u in range(K - 1, -1, -1):
                    stage, here, after = u % stages, u * size, (u + 1) * size
                    stage_d_z = step_d_z[here:after]
                    _d_stage(
                        network, solver, stage, h, f[here:after], slope[here:after],
                        step_history[(u - stage) * size : (u - stage + 1) * size], step_history[here:after],
                        step_history[after : after + size], g, g_base, g_end, stage_d_z, step_d_z_x, d_q, d_step,
                    )  # fmt: skip
                    _product(w_t, stage_d_z, g, g)
                if slot == 0 or t == 0:
                    done = slots - slot
                    _add_products(inputs[slot * J * L :], J * L, J, d_z_x[slot * size :], size, M, done, row)
                    at = slot * K * size
                    _add_products(history[at:], size, units, d_z[at:], size, M, done * K, row[J * M :])
                    _add_leaks(d_q, M, row[(J + units) * M :])
                    slot = slots
                if d_x.size > 0:
                    _product(w_in_t, step_d_z_x, no_inputs, d_inputs)
                for lane in range(count):
                    if d_x.size > 0:
                        for i in range(I):
                            d_x[b0 + lane, t, i] = d_inputs[i * L + lane]
                    if d_dt.size > 0:
                        d_dt[b0 + lane, t] = d_step[lane] / x.dtype.type(unfolds)
            for lane in range(count):
                for i in range(N):
                    d_h0[b0 + lane, i] = g[i * L + lane]


# ------------------------------------------------------------------------------------------ called from Python


def _padded(n):
    return -(-n // POSTS) * POSTS


def _blocks(w):
    """(pre, posts) -> (posts/4, pre, 4), posts padded with zeros."""
    pre, posts = w.shape
    out = np.zeros((pre, _padded(posts)), w.dtype)
    out[:, :posts] = w
    return np.ascontiguousarray(out.reshape(pre, _padded(posts) // POSTS, POSTS).transpose(1, 0, 2))


class Network:
    """Effective parameters, packed for the kernels: see `ltc_np.cells.ode.Network`."""

    def __init__(self, w_x, w_h, b, Q, activation):
        self.feedback, self.units = w_h is not None, b.size
        w_h = np.zeros((0, b.size), b.dtype) if w_h is None else w_h
        w_h_t = w_h.T if self.feedback else w_h
        q = np.zeros(_padded(b.size), b.dtype)
        q[: b.size] = Q
        matrices = np.concatenate([w_x, b[None]]), w_h, w_h_t, w_x.T
        self.packed = *(_blocks(w) for w in matrices), q, ACTIVATIONS.index(activation)


class _Arrays:
    """What one shape of call works in, and how it is cut."""

    def __init__(self, network, shape, stages, unfolds, keep, n_threads, dtype, workspace):
        (B, T, I), N, K = shape, network.units, stages * unfolds
        M, L = _padded(N), 128 // dtype.itemsize
        self.tiles = -(-B // L)
        self.threads = min(self.tiles, n_threads)
        slot = self.tiles * T * M * L
        self.states = workspace.array("states", slot if keep else 0, dtype)
        self.arguments = workspace.array("arguments", slot * K if keep == "full" else 0, dtype)
        self.scratch = _scratch(workspace, self.threads, forward_scratch(I, M, L, stages), dtype)
        self.y = workspace.array("y", B * T * N, dtype).reshape(B, T, N)
        self.h_last = workspace.array("h_last", B * N, dtype).reshape(B, N)


class _BackwardArrays:
    """The same for the backward pass."""

    def __init__(self, network, shape, K, want_x, want_dt, n_threads, dtype, workspace):
        (B, T, I), N = shape, network.units
        M, L = _padded(N), 128 // dtype.itemsize
        self.slots = kept_steps(M, L, K, dtype.itemsize)
        R = min(-(-B // L), GRADIENT_ROWS)
        self.threads = min(R, n_threads)
        size = (_padded(I + 1) + (M if network.feedback else 0) + 1) * M
        self.rows = workspace.array("rows", R * size, np.dtype(np.float64)).reshape(R, size)
        self.scratch = _scratch(workspace, self.threads, backward_scratch(I, M, L, K, self.slots), dtype)
        self.d_x = workspace.array("d_x", B * T * I if want_x else 0, dtype).reshape(shape if want_x else (0, 0, 0))
        self.d_h0 = workspace.array("d_h0", B * N, dtype).reshape(B, N)
        self.d_dt = workspace.array("d_dt", B * T if want_dt else 0, dtype).reshape((B, T) if want_dt else (0, 0))


def _scratch(workspace, workers, size, dtype):
    """One array to work in for each thread, on cache lines of its own."""
    size = -(-size // 64) * 64
    return list(workspace.array("scratch", workers * size, dtype).reshape(workers, size))


def _threads(network, shape, K):
    (B, T, I), N = shape, network.units
    return threads.get_num_threads() if B * T * N * (I + K * N) > PARALLEL_PRODUCTS else 1


def forward(network, x, dt, lengths, h0, solver, unfolds, keep, workspace):
    """Run the sequences; see `ltc_np.cells.ode.forward`."""
    stages, dtype = solver.stages, x.dtype
    n = _threads(network, x.shape, stages * unfolds)
    a = workspace.kept(
        "forward",
        (x.shape, keep, n),
        lambda: _Arrays(network, x.shape, stages, unfolds, keep, n, dtype, workspace),
    )
    rule = SOLVERS[solver.name], stages, unfolds

    def run(first, last, worker):
        _forward(
            x, dt, lengths, h0, network.packed, *rule, first, last, a.scratch[worker], a.states, a.arguments, a.y,
            a.h_last,
        )  # fmt: skip

    threads.run(run, a.tiles, a.threads)
    return a.y, a.h_last, (x, dt, lengths, a.states, a.arguments) if keep else None


def backward(network, saved, d_y, d_h, solver, unfolds, want_x, want_dt, g, workspace):
    """Adjoint of `forward`; see `ltc_np.cells.ode.backward`."""
    x, dt, lengths, states, arguments = saved
    stages, dtype, N = solver.stages, x.dtype, network.units
    K = stages * unfolds
    n = _threads(network, x.shape, K)
    a = workspace.kept(
        "backward",
        (x.shape, want_x, want_dt, n),
        lambda: _BackwardArrays(network, x.shape, K, want_x, want_dt, n, dtype, workspace),
    )
    rule = SOLVERS[solver.name], stages, unfolds
    a.rows.fill(0)

    def run(first, last, worker):
        _backward(
            x, dt, lengths, d_y, d_h, network.packed, *rule, a.slots, first, last, a.scratch[worker], states, arguments,
            a.rows, a.d_x, a.d_h0, a.d_dt,
        )  # fmt: skip

    threads.run(run, len(a.rows), a.threads)
    I = x.shape[2]
    total = a.rows.sum(0).reshape(-1, _padded(N))[:, :N]  # row by row, in order
    g["w_x"] += total[:I]
    g["b"] += total[I]
    if network.feedback:
        g["w_h"] += total[_padded(I + 1) :][:N]
    return a.d_x if want_x else None, a.d_h0, a.d_dt if want_dt else None, total[-1]
