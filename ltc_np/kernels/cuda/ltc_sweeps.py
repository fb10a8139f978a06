"""The LTC on the GPU: sweeps over time, in which a block owns a tile of sequences.

A block is (N, G) threads: thread (j, group) is neuron j of the R sequences that its group owns, so a tile has G*R.
Their potentials pass between neurons through shared memory, held twice: a stage reads one copy and writes the other,
with one barrier between.  Everything else of a neuron stays in registers.  A sequence's result does not depend on its
tile, and no thread adds to what another has written.

Arguments, everywhere; all arrays flat and contiguous, time first, and all sizes uint64:
    x (T, B, I), dt (T, B), steps (B,) int64 valid steps; dt is 0 behind them
    neuron (3, N) [cm, g + epsilon, g*l]
    pre, constants: the synapses onto each neuron, as (fan, N) and (4, fan, N) [-sigma*log2(e), sigma*mu*log2(e), w,
        w*erev]; lists of fewer end with synapses of w = 0; pre is empty where it would count 0, 1, 2, ...
    post, d_constants: those from each neuron, likewise [-sigma*log2(e), sigma*mu*log2(e), erev, w*sigma]
    solver: its number in `ltc_np.kernels.codes`;  U unfolds a step of ``stages`` each, K = U*stages
    first, last: the time steps to run;  what is kept of these T' = last - first steps:
    states (T'*K + 1, B, N) the potentials before each stage and the last, totals (T'*K, B, N) conductances Q
"""

import functools

import numpy as np

from .device import cuda, exp2, helper, kernel, reciprocal
from .ltc_solvers import advance, d_advance, d_elapsed_flow, d_elapsed_scale

u = np.uint64  # of offsets: with signed ones every access tests for an index from the end, 23 instructions, not 8
THREADS = 512  # most of a block, and so the largest N


@helper
def sigmoid2(z):
    """1 / (1 + 2**z)"""
    return reciprocal(type(z)(1) + exp2(z))


@helper
def _longest(steps, b, n, B, first, last):
    """The step behind the last one of sequences b..b+n-1, between first and last."""
    end = first
    for k in range(n):
        if b + k < B and u(steps[b + k]) > end:
            end = u(steps[b + k])
    return last if end > last else end


@helper
def _currents(pre, constants, fan, n, j, source, at, stride, p, q):
    """Adds the sums of w*erev*s and w*s over the synapses onto j to p and q; potentials at ``at[r] + pre*stride``."""
    k, f = j, u(0)
    plane = fan * n
    while f < fan:
        i = u(pre[k]) if pre.size > 0 else f
        a, c = constants[k], constants[k + plane]
        w, we = constants[k + u(2) * plane], constants[k + u(3) * plane]
        for r in range(p.size):
            y = sigmoid2(a * source[at[r] + i * stride] + c)
            q[r] += w * y
            p[r] += we * y
        k += n
        f += u(1)


@functools.cache
def forward(R):
    """The kernel that runs the sequences, R of them in a thread."""
    room = 2 * THREADS * R

    @kernel(threads=THREADS)
    def ltc_forward(
        x, dt, steps, v0, neuron, pre, constants, sensory_pre, sensory, B, I, O, fan, sensory_fan, first, last, every,
        solver, stages, unfolds, states, totals, out, v_last,
    ):  # fmt: skip
        """v0, v_last (B, N): potentials before step ``first`` and behind step ``last - 1``; out (T, B, O) or empty.

        Without totals, states holds the potentials before every ``every``-th step, or is empty.
        """
        shared = cuda.shared.array(room, x.dtype)
        v = cuda.local.array(R, x.dtype)
        base = cuda.local.array(R, x.dtype)
        total = cuda.local.array(R, x.dtype)
        p = cuda.local.array(R, x.dtype)
        q = cuda.local.array(R, x.dtype)
        sensory_p = cuda.local.array(R, x.dtype)
        sensory_q = cuda.local.array(R, x.dtype)
        h = cuda.local.array(R, x.dtype)
        at = cuda.local.array(R, np.uint64)
        j, N = u(cuda.threadIdx.x), u(cuda.blockDim.x)
        lane, lanes = u(cuda.threadIdx.y) * u(R), u(cuda.blockDim.y) * u(R)
        tile = u(cuda.blockIdx.x) * lanes
        b0 = tile + lane
        cm, leak_q, leak_p = neuron[j], neuron[N + j], neuron[u(2) * N + j]
        longest = _longest(steps, tile, lanes, B, first, last)
        now = u(0)
        for r in range(R):
            v[r] = v0[min(b0 + u(r), B - u(1)) * N + j]
            base[r] = total[r] = v[r]
            shared[j * lanes + lane + u(r)] = v[r]
        cuda.syncthreads()
        row = u(0)
        t = first
        while t < longest:
            for r in range(R):
                b = min(b0 + u(r), B - u(1))
                h[r] = dt[t * B + b] / x.dtype.type(unfolds)
                at[r] = (t * B + b) * I
                sensory_p[r] = leak_p
                sensory_q[r] = leak_q
                if every > u(0) and t % every == u(0) and b0 + u(r) < B:
                    states[(t // every * B + b) * N + j] = v[r]
            _currents(sensory_pre, sensory, sensory_fan, N, j, x, at, u(1), sensory_p, sensory_q)
            for k in range(unfolds * stages):
                stage = k % stages
                for r in range(R):
                    p[r] = sensory_p[r]
                    q[r] = sensory_q[r]
                    at[r] = now + lane + u(r)
                _currents(pre, constants, fan, N, j, shared, at, lanes, p, q)
                now = N * lanes - now
                for r in range(R):
                    if totals.size > 0 and b0 + u(r) < B:
                        states[(row * B + b0 + u(r)) * N + j] = v[r]
                        totals[(row * B + b0 + u(r)) * N + j] = q[r]
                    if stage == 0:
                        base[r] = v[r]
                    v[r], total[r] = advance(solver, stage, h[r], cm, p[r], q[r], base[r], v[r], total[r])
                    shared[now + j * lanes + lane + u(r)] = v[r]
                row += u(1)
                cuda.syncthreads()
            if out.size > 0 and j < O:
                for r in range(R):
                    if b0 + u(r) < B:
                        out[(t * B + b0 + u(r)) * O + j] = v[r]
            t += u(1)
        rows = (last - first) * u(unfolds * stages)
        for r in range(R):
            if b0 + u(r) < B:
                v_last[(b0 + u(r)) * N + j] = v[r]
                # Behind the tile's last step nothing changes; what is summed over samples reads these too.
                if totals.size > 0:
                    for k in range(row, rows + u(1)):
                        states[(u(k) * B + b0 + u(r)) * N + j] = v[r]
                if every > u(0):
                    for k in range((longest + every - u(1)) // every, (last + every - u(1)) // every):
                        states[(u(k) * B + b0 + u(r)) * N + j] = v[r]
        if out.size > 0 and j < O:
            for b in range(b0, min(b0 + u(R), B)):
                for k in range(longest, last):
                    out[(u(k) * B + u(b)) * O + j] = x.dtype.type(0)

    return ltc_forward


@helper
def _d_currents(post, d_constants, fan, n, i, v, at_p, at_q, stride, d_p, d_q, d_v):
    """Adjoint of `_currents` for the neuron i that has potentials v (R,): adds to d_v (R,) over its synapses.

    d_p and d_q of a synapse's end lie at ``at_p[r] + post*stride`` and ``at_q[r] + post*stride``.
    """
    k, f = i, u(0)
    plane = fan * n
    while f < fan:
        j = u(post[k]) if post.size > 0 else f
        a, c = d_constants[k], d_constants[k + plane]
        erev, ws = d_constants[k + u(2) * plane], d_constants[k + u(3) * plane]
        for r in range(v.size):
            y = sigmoid2(a * v[r] + c)
            d = y * (d_p[at_p[r] + j * stride] * erev + d_q[at_q[r] + j * stride])
            d_v[r] += (d - d * y) * ws
        k += n
        f += u(1)


@functools.cache
def adjoint(R):
    """The kernel that runs the adjoint of `forward` backwards in time, R sequences in a thread."""
    room = 4 * THREADS * R

    @kernel(threads=THREADS)
    def ltc_adjoint(
        dt, steps, neuron, post, d_constants, B, O, fan, first, last, solver, stages, unfolds, states, totals,
        d_out, d_v, d_p, d_q, step_d_p, step_d_q, step_d_cm, scales,
    ):  # fmt: skip
        """d_v (B, N): adjoint of the potentials behind step ``last - 1``, becomes that of those before step ``first``.

        d_out (T, B, O).  Written: d_p, d_q (T'*K, B, N), adjoints of every stage's sums P and Q; step_d_* (T', B, N),
        sums over the stages of a step of d_p, d_q and the adjoint of cm; scales (T'*K, B, N), or empty: of every stage
        what `elapsed` needs.  The others become 0 where no sequence of a tile goes on.
        """
        shared = cuda.shared.array(room, dt.dtype)
        v = cuda.local.array(R, dt.dtype)
        new = cuda.local.array(R, dt.dtype)
        g = cuda.local.array(R, dt.dtype)
        g_base = cuda.local.array(R, dt.dtype)
        g_end = cuda.local.array(R, dt.dtype)
        d_synapses = cuda.local.array(R, dt.dtype)
        sum_p = cuda.local.array(R, dt.dtype)
        sum_q = cuda.local.array(R, dt.dtype)
        sum_cm = cuda.local.array(R, dt.dtype)
        h = cuda.local.array(R, dt.dtype)
        at_p = cuda.local.array(R, np.uint64)
        at_q = cuda.local.array(R, np.uint64)
        zero = dt.dtype.type(0)
        j, N = u(cuda.threadIdx.x), u(cuda.blockDim.x)
        lane, lanes = u(cuda.threadIdx.y) * u(R), u(cuda.blockDim.y) * u(R)
        tile = u(cuda.blockIdx.x) * lanes
        b0 = tile + lane
        cm, plane = neuron[j], N * lanes
        longest = _longest(steps, tile, lanes, B, first, last)
        K = u(unfolds * stages)
        rows, row = (last - first) * K, (longest - first) * K
        now = u(0)
        for r in range(R):
            b = min(b0 + u(r), B - u(1))
            g[r] = d_v[b * N + j]
            g_base[r] = g_end[r] = zero
            v[r] = states[(row * B + b) * N + j]
        for b in range(b0, min(b0 + u(R), B)):
            for k in range(row, rows):
                d_p[(u(k) * B + u(b)) * N + j] = zero
                d_q[(u(k) * B + u(b)) * N + j] = zero
            for k in range(longest - first, last - first):
                at = (u(k) * B + u(b)) * N + j
                step_d_p[at] = step_d_q[at] = step_d_cm[at] = zero
        t = longest
        while t > first:
            t -= u(1)
            for r in range(R):
                b = min(b0 + u(r), B - u(1))
                h[r] = dt[t * B + b] / dt.dtype.type(unfolds)
                sum_p[r] = sum_q[r] = sum_cm[r] = zero
                if j < O:
                    g[r] += d_out[(t * B + b) * O + j]
            k = unfolds * stages
            while k > 0:
                k -= 1
                row -= u(1)
                stage = k % stages
                for r in range(R):
                    b = min(b0 + u(r), B - u(1))
                    here = (row * B + b) * N + j
                    new[r] = v[r]
                    v[r] = states[here]
                    q = totals[here]
                    base = states[((row - u(stage)) * B + b) * N + j] if stages > 1 else v[r]
                    d_new = g[r]
                    dp, dq, d_cm, g[r], g_base[r], g_end[r] = d_advance(
                        solver, stage, h[r], cm, q, base, v[r], new[r], d_new, g_base[r], g_end[r]
                    )
                    sum_p[r] += dp
                    sum_q[r] += dq
                    sum_cm[r] += d_cm
                    d_synapses[r] = zero
                    at_p[r] = now + lane + u(r)
                    at_q[r] = at_p[r] + plane
                    shared[at_p[r] + j * lanes] = dp
                    shared[at_q[r] + j * lanes] = dq
                    if b0 + u(r) < B:
                        d_p[here] = dp
                        d_q[here] = dq
                        if scales.size > 0:
                            scales[here] = d_elapsed_scale(solver, stage, h[r], cm, q, d_new, g_end[r])
                cuda.syncthreads()
                now = u(2) * plane - now
                # Summed by themselves: one by one beside the larger adjoint they would lose their low bits.
                _d_currents(post, d_constants, fan, N, j, v, at_p, at_q, lanes, shared, shared, d_synapses)
                for r in range(R):
                    g[r] += d_synapses[r]
            for r in range(R):
                if b0 + u(r) < B:
                    at = ((t - first) * B + b0 + u(r)) * N + j
                    step_d_p[at] = sum_p[r]
                    step_d_q[at] = sum_q[r]
                    step_d_cm[at] = sum_cm[r]
        for r in range(R):
            if b0 + u(r) < B:
                d_v[(b0 + u(r)) * N + j] = g[r]

    return ltc_adjoint


@kernel
def inputs_adjoint(x, post, d_constants, I, N, fan, samples, step_d_p, step_d_q, d_x):
    """d_x (samples, I) of step_d_p, step_d_q (samples, N); a thread owns an input of a sample, a step of a sequence."""
    v = cuda.local.array(1, x.dtype)
    d_v = cuda.local.array(1, x.dtype)
    at = cuda.local.array(1, np.uint64)
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < samples * I:
        v[0] = x[k]
        d_v[0] = x.dtype.type(0)
        at[0] = k // I * N
        _d_currents(post, d_constants, fan, I, k % I, v, at, at, u(1), step_d_p, step_d_q, d_v)
        d_x[k] = d_v[0]


@kernel(threads=THREADS)
def elapsed(
    x, dt, steps, neuron, pre, constants, sensory_pre, sensory, B, I, fan, sensory_fan, first, last, solver, stages,
    unfolds, states, totals, scales, step_d_h,
):  # fmt: skip
    """step_d_h (T', B, N): each neuron's share of the adjoint of h.

    A thread owns a neuron in one step of a sequence.
    """
    p = cuda.local.array(1, x.dtype)
    q = cuda.local.array(1, x.dtype)
    at = cuda.local.array(1, np.uint64)
    N = u(cuda.blockDim.x)
    j, n = u(cuda.threadIdx.x), u(cuda.blockIdx.x) * u(cuda.blockDim.y) + u(cuda.threadIdx.y)
    if n < (last - first) * B and first + n // B >= u(steps[n % B]):
        step_d_h[n * N + j] = x.dtype.type(0)
    elif n < (last - first) * B:
        cm, h = neuron[j], dt[first * B + n] / x.dtype.type(unfolds)
        q[0] = x.dtype.type(0)
        p[0] = neuron[u(2) * N + j]
        at[0] = (first * B + n) * I
        _currents(sensory_pre, sensory, sensory_fan, N, j, x, at, u(1), p, q)
        sensory_p = p[0]
        d_h = x.dtype.type(0)
        row, b = n // B * u(unfolds * stages), n % B
        for k in range(unfolds * stages):
            stage = k % stages
            here = (row * B + b) * N
            p[0] = sensory_p
            at[0] = here
            _currents(pre, constants, fan, N, j, states, at, u(1), p, q)
            here += j
            base = states[here - u(stage) * B * N]
            d_h += scales[here] * d_elapsed_flow(
                solver, stage, h, cm, p[0], totals[here], base, states[here], states[here + B * N]
            )
            row += u(1)
        step_d_h[n * N + j] = d_h
