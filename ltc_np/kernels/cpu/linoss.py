"""Oscillators on the CPU, side by side in lanes; `ltc_np.kernels.numpy.linoss` defines the functions and arguments.

What a step multiplies by is kept: where steps last equally long it is made once for a block.
"""

from ..codes import VECTOR_BYTES
from .arguments import cut
from .jit import helper, kernel
from .linoss_flow import d_flow, flow
from .simd import fma, fnma, lane_sum, load, load_part, store, store_part, vector_size, zeros

# Rows of M numbers that kernels work in: m, l, g and psi; their adjoints; sums of gradients.
HELD, SUMS = 4, 5


def work_size(P, itemsize):
    """Numbers that `forward_steps` and `backward_steps` work in."""
    W = VECTOR_BYTES // itemsize
    return (HELD + HELD + SUMS) * -(-P // W) * W


@helper
def _hold(own, now, held):
    """m, l, g and psi of a step of the exact form with dt = now."""
    M, W, number, single = own.shape[1], vector_size(own), own.dtype.type, own.itemsize == 4
    for k in range(0, M, W):
        m, l, g, psi = flow(number, single, own, M, k, load(own, 2 * M + k) * now)
        store(held, k, m)
        store(held, M + k, l)
        store(held, 2 * M + k, g)
        store(held, 3 * M + k, psi)


@helper
def _settle(own, now, held, gathered, sums):
    """Adjoint of `_hold`: adds to the sums of A and G what was gathered, which becomes 0."""
    M, W, number, single = own.shape[1], vector_size(own), own.dtype.type, own.itemsize == 4
    for k in range(0, M, W):
        h, g, psi = load(own, 2 * M + k) * now, load(held, 2 * M + k), load(held, 3 * M + k)
        d_m, d_l = load(gathered, k), load(gathered, M + k)
        d_g, d_psi = load(gathered, 2 * M + k), load(gathered, 3 * M + k)
        d_A, d_G = d_flow(number, single, own, M, k, h, g, psi, d_m, d_l, d_g, d_psi)
        store(sums, k, load(sums, k) + d_A)
        store(sums, M + k, load(sums, M + k) + d_G)
    gathered[:] = 0


@helper
def _copy(source, target):
    for i in range(source.size):
        target[i] = source[i]


@helper
def _constant(own, held):
    """m, l, g and psi where they do not depend on dt."""
    M = own.shape[1]
    for j in range(HELD):
        _copy(own[3 + j], held[j * M : (j + 1) * M])


@kernel
def forward_steps(exact, own, first, last, begin, end, dt, lengths, drives, state, states, work):
    """own (7, M), dt (B, T), lengths (B,), drives (rows, 2 * P), state (B, 4 * P), states (2, rows, 2 * P)."""
    M, W, P, now = own.shape[1], vector_size(own), states.shape[2] // 2, dt.dtype.type(-1)
    held = work[: HELD * M]
    if not exact:
        _constant(own, held)
    for row in range(first, last):
        z_before, x_before, at = state[row, : 2 * P], state[row, 2 * P :], (row - first) * (end - begin)
        for t in range(begin, end):
            z_after, x_after = states[0, at], states[1, at]
            if t >= lengths[row]:
                _copy(z_before, z_after)
                _copy(x_before, x_after)
            else:
                if exact and dt[row, t] != now:
                    now = dt[row, t]
                    _hold(own, now, held)
                for k in range(0, P, W):
                    m, l, g, psi = load(held, k), load(held, M + k), load(held, 2 * M + k), load(held, 3 * M + k)
                    A, n = load(own, k), P - k
                    for part in range(0, 2 * P, P):
                        i = part + k
                        z, x = load_part(z_before, i, n), load_part(x_before, i, n)
                        f = load_part(drives, at * 2 * P + i, n)
                        store_part(z_after, i, z + fma(m, z, g * fnma(A, x, f)), n)
                        store_part(x_after, i, x + fma(l, x, fma(g, z, psi * f)), n)
            z_before, x_before = z_after, x_after
            at += 1
        if end > begin:
            _copy(z_before, state[row, : 2 * P])
            _copy(x_before, state[row, 2 * P :])


@kernel
def backward_steps(
    exact, own, first, last, begin, end, dt, lengths, drives, start, states, d_state, d_drives, d_dt, row_sums, work
):  # fmt: skip
    """Shapes as above; start, d_state (B, 4 * P), d_drives as drives, d_dt (B, T) or empty, row_sums (4, P) float64."""
    M, W, P, now = own.shape[1], vector_size(own), states.shape[2] // 2, dt.dtype.type(-1)
    held, rest = cut(work, HELD * M)
    gathered, rest = cut(rest, HELD * M)
    sums = rest[: SUMS * M]
    gathered[:] = 0
    sums[:] = 0
    if not exact:
        _constant(own, held)
    for row in range(first, last):
        d_now = d_state[row]
        for t in range(end - 1, begin - 1, -1):
            at = (row - first) * (end - begin) + t - begin
            if t >= lengths[row]:
                d_drives[at] = 0
                if exact and d_dt.size > 0:
                    d_dt[row, t] = 0
                continue
            if exact and dt[row, t] != now:
                if now >= 0:
                    _settle(own, now, held, gathered, sums)
                now = dt[row, t]
                _hold(own, now, held)
            z_before, x_before = start[row, : 2 * P], start[row, 2 * P :]
            if t > begin:
                z_before, x_before = states[0, at - 1], states[1, at - 1]
            d_length = zeros(own)
            for k in range(0, P, W):
                m, l, g, psi = load(held, k), load(held, M + k), load(held, 2 * M + k), load(held, 3 * M + k)
                A, G, step, n = load(own, k), load(own, M + k), load(own, 2 * M + k), P - k
                d_m, d_l = load(gathered, k), load(gathered, M + k)
                d_g, d_psi = load(gathered, 2 * M + k), load(gathered, 3 * M + k)
                d_A, d_h = zeros(own), zeros(own)
                for part in range(0, 2 * P, P):
                    i, j, force = part + k, 2 * P + part + k, at * 2 * P + part + k
                    f, z, x = load_part(drives, force, n), load_part(z_before, i, n), load_part(x_before, i, n)
                    r, d_z = fnma(A, x, f), load_part(d_now, i, n)
                    d_x = load_part(d_now, j, n) + load_part(d_drives, force, n)
                    impulse = g * d_z
                    d_m, d_l, d_psi = fma(d_z, z, d_m), fma(d_x, x, d_l), fma(d_x, f, d_psi)
                    d_g, d_A = fma(d_z, r, fma(d_x, z, d_g)), fnma(impulse, x, d_A)
                    past_z, past_x = d_z + fma(m, d_z, g * d_x), d_x + fnma(A, impulse, l * d_x)
                    if exact:
                        d_h = fma(past_z, fnma(G, z, r), fma(past_x, z, d_h))
                    store_part(d_drives, force, fma(psi, d_x, impulse), n)
                    store_part(d_now, i, past_z, n)
                    store_part(d_now, j, past_x, n)
                store(gathered, k, d_m)
                store(gathered, M + k, d_l)
                store(gathered, 2 * M + k, d_g)
                store(gathered, 3 * M + k, d_psi)
                store(sums, k, load(sums, k) + d_A)
                if exact:
                    store(sums, 2 * M + k, fma(d_h, now, load(sums, 2 * M + k)))
                    d_length = fma(d_h, step, d_length)
            if exact and d_dt.size > 0:
                d_dt[row, t] = lane_sum(d_length)
    if exact:
        if now >= 0:
            _settle(own, now, held, gathered, sums)
    else:
        _copy(gathered, sums[M:])
    for j in range(SUMS):
        for i in range(P):
            row_sums[j, i] += sums[j * M + i]
