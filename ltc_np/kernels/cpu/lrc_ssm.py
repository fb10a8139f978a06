"""The LrcSSM on the CPU: units in lanes; `ltc_np.kernels.numpy.lrc_ssm` defines the functions and their arguments.

A block goes through a step, all its sequences and all vectors of units, before it goes on to the next: they need
nothing of each other, so that the processor works on several while one waits for its functions.
"""

from typing import NamedTuple

from ..codes import VECTOR_BYTES, Rule
from .activations import clean_sigmoid
from .arguments import cut
from .elastance import d_elastance_of, elastance_of, gap, must_know_elastance
from .jit import helper, kernel, table
from .ltc_solvers import advance, d_advance, d_elapsed, must_know_solver
from .simd import fma, fnma, lane_sum, load, load_part, sigmoid, store, store_part, tanh, vector_size, zeros


class _Sizes(NamedTuple):
    """Of what the kernels work in, in numbers.

    Potentials at the begin of each stage and the last one; what the rates consist of, by stage; sums of tableaus;
    adjoints of the potential and, of solvers with several stages, of an unfold's first and last; sums of gradients, and
    the parameters (10, M).
    """

    history: int
    rates: int
    total: int
    d_v: int
    d_base: int
    d_end: int
    sums: int
    unit: int


@table
def _sizes(K, M, W):
    """K: stages of a step; M: units, whole vectors of them."""
    return _Sizes((K + 1) * W, 6 * K * W, W, W, W, W, 9 * M, 10 * M)


def work_size(rule, N, itemsize):
    """Numbers that `forward_steps` and `backward_steps` work in."""
    W = VECTOR_BYTES // itemsize
    return sum(_sizes(Rule(*rule).evaluations, -(-N // W) * W, W))


@helper
def _add(sums, at, n, row):
    """Add the first n of sums[at:] to the float64 row."""
    for i in range(n):
        row[i] += sums[at + i]


@kernel
def synapses(mu, sigma, first, last, begin, end, x, s):
    """x (B, T, I), s (b * steps, I)."""
    T, I = x.shape[1:]
    W, at = vector_size(x), 0
    for row in range(first, last):
        for t in range(begin, end):
            start = (row * T + t) * I
            for k in range(0, I, W):
                n = I - k
                store_part(
                    s, at + k, sigmoid(load_part(sigma, k, n) * (load_part(x, start + k, n) - load_part(mu, k, n))), n
                )
            at += I


@kernel
def d_synapses(mu, sigma, first, last, begin, end, x, s, d_s, d_x, g_mu, g_sigma, work):
    """Shapes as above; d_s (b * steps, I), d_x (B, T, I) or empty, g_mu, g_sigma (I,) float64."""
    T, I = x.shape[1:]
    W = vector_size(x)
    for k in range(0, I, W):
        n, at = I - k, k
        m, q = load_part(mu, k, n), load_part(sigma, k, n)
        sum_mu, sum_sigma = zeros(x), zeros(x)
        for row in range(first, last):
            for t in range(begin, end):
                start, y = (row * T + t) * I + k, load_part(s, at, n)
                d_y = load_part(d_s, at, n) * fnma(y, y, y)
                if d_x.size > 0:
                    store_part(d_x, start, d_y * q, n)
                sum_mu = fnma(d_y, q, sum_mu)
                sum_sigma = fma(d_y, load_part(x, start, n) - m, sum_sigma)
                at += I
        store(work, 0, sum_mu)
        store(work, W, sum_sigma)
        _add(work, 0, min(n, W), g_mu[k:])
        _add(work, W, min(n, W), g_sigma[k:])


@helper
def _pack(unit, M, own):
    """own (10, M) becomes unit (9, N) and the `gap` of its last row, and 0 behind them: whole vectors are read."""
    own[:] = 0
    for j in range(9):
        for i in range(unit.shape[1]):
            own[j * M + i] = unit[j, i]
    for i in range(unit.shape[1]):
        own[9 * M + i] = gap(unit[8, i])


@helper
def _rates(unit, kind, k, M, v, f, z):
    """s, sigmoid(f), tanh(z), the elastance and the sigmoids that it consists of, at the potentials v.

    f and z come with gleak, without what comes from the potential.
    """
    one = unit.dtype.type(1)
    s = sigmoid(load(unit, 5 * M + k) * (v - load(unit, 4 * M + k)))
    a = fma(load(unit, 6 * M + k), v, load(unit, 7 * M + k))
    epsilon, e_s, e_r = elastance_of(kind, a, load(unit, 8 * M + k), load(unit, 9 * M + k), one)
    R = clean_sigmoid(fma(load(unit, 2 * M + k), s, f), one)
    return s, R, tanh(fma(load(unit, 3 * M + k), s, z)), epsilon, e_s, e_r


@helper
def _d_rates(unit, k, M, v, s, R, U, epsilon, e_s, e_r, d_R, d_U, d_epsilon, sums):
    """Adjoint of `_rates`: d_v, d_f and d_z; the gradients of the unit are added to sums (9, M)."""
    one = unit.dtype.type(1)
    d_f, d_z = d_R * fnma(R, R, R), d_U * fnma(U, U, one)
    sigma = load(unit, 5 * M + k)
    d_y = fma(d_f, load(unit, 2 * M + k), d_z * load(unit, 3 * M + k)) * fnma(s, s, s)
    d_a, d_shift = d_elastance_of(epsilon, e_s, e_r, load(unit, 9 * M + k), one, d_epsilon)
    store(sums, k, load(sums, k) + (d_f + d_z))
    at = k + 2 * M
    store(sums, at, fma(d_f, s, load(sums, at)))
    at += M
    store(sums, at, fma(d_z, s, load(sums, at)))
    at += M
    store(sums, at, fnma(d_y, sigma, load(sums, at)))
    at += M
    store(sums, at, fma(d_y, v - load(unit, 4 * M + k), load(sums, at)))
    at += M
    store(sums, at, fma(d_a, v, load(sums, at)))
    at += M
    store(sums, at, load(sums, at) + d_a)
    at += M
    store(sums, at, load(sums, at) + d_shift)
    return fma(d_y, sigma, d_a * load(unit, 6 * M + k)), d_f, d_z


@kernel
def forward_steps(unit, kind, rule, first, last, begin, end, dt, drives, v, y, work):
    """unit (9, N), dt (B, T), drives (b * steps, 2 * N), v (B, N), y (B, T, N)."""
    rule = Rule(*rule)
    must_know_solver(rule.solver)
    must_know_elastance(kind)
    T, N = y.shape[1:]
    W, one, unfolds = vector_size(v), v.dtype.type(1), v.dtype.type(rule.unfolds)
    M = (N + W - 1) // W * W
    now, base, total, own = work[:W], work[W : 2 * W], work[2 * W : 3 * W], work[3 * W : 3 * W + 10 * M]
    _pack(unit, M, own)
    for t in range(begin, end):
        for row in range(first, last):
            h, at = dt[row, t] / unfolds, ((row - first) * (end - begin) + t - begin) * 2 * N
            for k in range(0, N, W):
                n = N - k
                gleak, vleak = load(own, k), load(own, M + k)
                f, z = load_part(drives, at + k, n) + gleak, load_part(drives, at + N + k, n) + gleak
                potential = load_part(v, row * N + k, n)
                for _ in range(rule.unfolds):
                    store(base, 0, potential)
                    for stage in range(rule.stages):
                        store(now, 0, potential)
                        _, R, U, epsilon, _, _ = _rates(own, kind, k, M, potential, f, z)
                        potential = advance(rule.solver, stage, 0, h * epsilon, one, U * vleak, R, base, now, total)
                store_part(v, row * N + k, potential, n)
                store_part(y, (row * T + t) * N + k, potential, n)


@kernel
def backward_steps(
    unit, kind, rule, first, last, begin, end, dt, drives, h0, y, d_y, d_v, d_drives, d_dt, row_sums, work
):  # fmt: skip
    """Shapes as above; h0, d_v (B, N), d_y (B, T, N), d_dt (B, T) or empty, row_sums (9, N) float64."""
    rule = Rule(*rule)
    must_know_solver(rule.solver)
    must_know_elastance(kind)
    T, N = y.shape[1:]
    K = rule.unfolds * rule.stages
    W, one, unfolds = vector_size(h0), h0.dtype.type(1), h0.dtype.type(rule.unfolds)
    M = (N + W - 1) // W * W
    sizes = _sizes(K, M, W)
    history, rest = cut(work, sizes.history)
    rates, rest = cut(rest, sizes.rates)
    total, rest = cut(rest, sizes.total)
    d_now, rest = cut(rest, sizes.d_v)
    d_base, rest = cut(rest, sizes.d_base)
    d_end, rest = cut(rest, sizes.d_end)
    sums, rest = cut(rest, sizes.sums)
    own = rest[: sizes.unit]
    _pack(unit, M, own)
    sums[:] = 0
    for t in range(end - 1, begin - 1, -1):
        for row in range(first, last):
            h, at = dt[row, t] / unfolds, ((row - first) * (end - begin) + t - begin) * 2 * N
            d_length = zeros(h0)
            for k in range(0, N, W):
                n = N - k
                gleak, vleak = load(own, k), load(own, M + k)
                f, z = load_part(drives, at + k, n) + gleak, load_part(drives, at + N + k, n) + gleak
                v = load_part(y, (row * T + t - 1) * N + k, n) if t > 0 else load_part(h0, row * N + k, n)
                store(history, 0, v)
                for u in range(K):
                    stage, i = u % rule.stages, u * W
                    s, R, U, epsilon, e_s, e_r = _rates(own, kind, k, M, v, f, z)
                    store(rates, 6 * i, s)
                    store(rates, 6 * i + W, R)
                    store(rates, 6 * i + 2 * W, U)
                    store(rates, 6 * i + 3 * W, epsilon)
                    store(rates, 6 * i + 4 * W, e_s)
                    store(rates, 6 * i + 5 * W, e_r)
                    v = advance(
                        rule.solver,
                        stage,
                        0,
                        h * epsilon,
                        one,
                        U * vleak,
                        R,
                        history[i - stage * W :],
                        history[i:],
                        total,
                    )
                    store(history, i + W, v)
                store(d_now, 0, load_part(d_v, row * N + k, n) + load_part(d_y, (row * T + t) * N + k, n))
                d_f, d_z = zeros(h0), zeros(h0)
                for u in range(K - 1, -1, -1):
                    stage, i = u % rule.stages, u * W
                    s, R, U = load(rates, 6 * i), load(rates, 6 * i + W), load(rates, 6 * i + 2 * W)
                    epsilon, e_s = load(rates, 6 * i + 3 * W), load(rates, 6 * i + 4 * W)
                    e_r = load(rates, 6 * i + 5 * W)
                    base, before, after = history[i - stage * W :], history[i:], history[i + W :]
                    length, P = h * epsilon, U * vleak
                    scaled, flow = d_elapsed(
                        rule.solver, stage, 0, length, one, P, R, base, before, after, d_now, d_end
                    )
                    d_P, d_R, _, _ = d_advance(
                        rule.solver, stage, 0, length, one, R, base, before, after, d_now, d_base, d_end
                    )
                    d_h = scaled * flow
                    d_length = fma(d_h, epsilon, d_length)
                    store(sums, M + k, fma(d_P, U, load(sums, M + k)))
                    d_potential, d_f_now, d_z_now = _d_rates(
                        own, k, M, load(before, 0), s, R, U, epsilon, e_s, e_r, d_R, d_P * vleak, d_h * h, sums
                    )
                    store(d_now, 0, load(d_now, 0) + d_potential)
                    d_f, d_z = d_f + d_f_now, d_z + d_z_now
                store_part(d_v, row * N + k, load(d_now, 0), n)
                store_part(d_drives, at + k, d_f, n)
                store_part(d_drives, at + N + k, d_z, n)
            if d_dt.size > 0:
                d_dt[row, t] = lane_sum(d_length) / unfolds
    for j in range(9):
        _add(sums, j * M, N, row_sums[j])
