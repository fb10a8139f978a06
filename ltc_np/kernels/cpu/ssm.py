"""Diagonal state spaces on the CPU: a tile is one sequence and a vector of channels, and runs through all its steps.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.ssm`, the definition.

Time is cut into chunks.  Within one the modes come one after another, each through all steps of the chunk, so that its
constants and its state stay in registers; what the modes share, inputs and outputs, stays in the first cache.  The
state before every chunk is kept for the backward pass, which makes the others of a chunk again.  What does not depend
on the input is made when dt changes, so a regular sequence needs it once a chunk.

W channels make a vector; P is the longest product of inputs.  Arguments of the kernels beside those of `arguments`:
    modes (blocks, M, 6, W): A, B and 2 C;  channels (blocks, 2, W): step and D;  h0 (B, K)
    starts (blocks, B, chunks, 2 M + P - 1, W): states, before every chunk; or empty
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...base import threads
from ..codes import BILINEAR, DISCRETE, EXACT, GRADIENT_ROWS, KB, PB, PLAIN, VECTOR_BYTES, ZOH, Discretization
from ..numpy.ssm import CHUNK, LARGE, highest_rate
from .arguments import Adjoints, Gradients, Results, Sequences, cut, scratch
from .jit import helper, inlined, kernel, table
from .simd import add_wide, fma, fnma, lane_sum, load, neg, store, vector_size, zeros
from .ssm_steps import (
    conjugate_product,
    d_factors,
    d_moved,
    d_shrink,
    elapsed,
    factors,
    moved,
    product,
    shrink,
    unit_of,
)

# Below this many steps of modes per call (about 0.3 ms) a second thread may cost more than it brings; and how many
# of them the exact form's exponentials are worth.
PARALLEL_STEPS, EXACT_STEPS = 2_000_000, 8
# Numbers of a mode: A, B, 2 C.
CONSTANTS = 6


class Limits(NamedTuple):
    """Of z, the rate of a mode times the length of a step: the largest Re z of the exact form; the square of the |z|
    beyond which it is squared in another unit; that unit."""

    highest: float
    square: float
    unit: float


class Space(NamedTuple):
    """modes and channels, as above; the rule; the `Limits`."""

    modes: np.ndarray
    channels: np.ndarray
    rule: tuple
    limits: tuple


class ForwardSizes(NamedTuple):
    """Of what `_forward` works in: a chunk's inputs, products of them and outputs; the state."""

    u: int
    products: int
    y: int
    state: int


@table
def forward_sizes(M, degree, W):
    C = CHUNK * W
    return ForwardSizes(C, (degree - 1) * C, C, (2 * M + degree - 1) * W)


class BackwardSizes(NamedTuple):
    """Of what `_backward` works in: as in `ForwardSizes`, adjoints, the last inputs of every step, a mode's
    states, growths and what its steps give to E and F, sums over a chunk."""

    u: int
    products: int
    d_y: int
    state: int
    d_u: int
    d_products: int
    recent: int
    d_time: int
    d_state: int
    states: int
    grown: int
    d_held: int
    sums: int


@table
def backward_sizes(M, degree, W):
    C, K = CHUNK * W, (2 * M + degree - 1) * W
    P = degree - 1
    return BackwardSizes(C, P * C, C, K, C, P * C, P * C, C, K, 2 * (C + W), 4 * C, 4 * C, 7 * W)


@helper
def must_know_rule(rule):
    """Refuse numbers that have no branch here."""
    if rule.kind not in (ZOH, BILINEAR):
        raise ValueError("`discretization` must be a number that ltc_np.kernels.cpu.ssm knows")
    if rule.liquid not in (PLAIN, EXACT, DISCRETE, KB, PB):
        raise ValueError("`liquid` must be a number that ltc_np.kernels.cpu.ssm knows")


@inlined
def _read(x, b, begin, count, channel, lanes, out):
    """out (count, W): those channels of x (B, T, H); other lanes are left as they are, 0."""
    W = vector_size(x)
    for t in range(count):
        if lanes == W:
            store(out, t * W, load(x[b, begin + t], channel))
        else:
            for k in range(lanes):
                out[t * W + k] = x[b, begin + t, channel + k]


@inlined
def _read_state(h, b, H, channel, lanes, out):
    """out (rows, W) from the columns h (B, rows * H)."""
    W = vector_size(out)
    for r in range(out.size // W):
        for k in range(lanes):
            out[r * W + k] = h[b, r * H + channel + k]


@inlined
def _write_state(state, b, H, channel, lanes, h):
    """`_read_state`, the other way."""
    W = vector_size(state)
    for r in range(state.size // W):
        for k in range(lanes):
            h[b, r * H + channel + k] = state[r * W + k]


@inlined
def _copy(source, target):
    for k in range(0, source.size, vector_size(source)):
        store(target, k, load(source, k))


@inlined
def _multiply_inputs(degree, dt, b, begin, count, u, past, recent, products):
    """products (degree - 1, C, W) of each step's input with those before it; past moves on, where time does.

    recent (C, degree - 1, W), unless empty, gets the past of every step.
    """
    W, P = vector_size(u), degree - 1
    for t in range(count):
        total = load(u, t * W)
        for k in range(P):
            total = total * load(past, k * W)
            store(products, (k * CHUNK + t) * W, total)
            if recent.size > 0:
                store(recent, (t * P + k) * W, load(past, k * W))
        if dt[b, begin + t] > 0:
            for k in range(P - 1, 0, -1):
                store(past, k * W, load(past, (k - 1) * W))
            store(past, 0, load(u, t * W))


@inlined
def _d_multiply_inputs(degree, dt, b, begin, count, u, recent, d_products, d_past, d_u):
    """Adjoint of `_multiply_inputs`: adds to d_u, and takes d_past back to before the chunk."""
    W, P = vector_size(u), degree - 1
    for t in range(count - 1, -1, -1):
        if dt[b, begin + t] > 0:
            store(d_u, t * W, load(d_u, t * W) + load(d_past, 0))
            for k in range(P - 1):
                store(d_past, k * W, load(d_past, (k + 1) * W))
            store(d_past, (P - 1) * W, zeros(u))
        for p in range(P):  # of the product of p + 2 inputs
            d = load(d_products, (p * CHUNK + t) * W)
            for j in range(-1, p + 1):
                rest = d if j < 0 else d * load(u, t * W)
                for k in range(p + 1):
                    if k != j:
                        rest = rest * load(recent, (t * P + k) * W)
                if j < 0:
                    store(d_u, t * W, load(d_u, t * W) + rest)
                else:
                    store(d_past, j * W, load(d_past, j * W) + rest)


@inlined
def _add_powers(degree, fr, fi, products, k):
    """sum of F**p times the product of p inputs, p = 2, 3, ..., of the step that begins at k."""
    size = CHUNK * vector_size(products)
    gr, gi = zeros(products), zeros(products)
    for p in range(degree - 2, -1, -1):
        gr = gr + load(products, p * size + k)
        gr, gi = product(fr, fi, gr, gi)
    return product(fr, fi, gr, gi)


@inlined
def _d_add_powers(degree, fr, fi, products, k, dr, di, d_products):
    """Adjoint of `_add_powers`: d_F; adds to d_products."""
    size, number = CHUNK * vector_size(products), products.dtype.type
    pr, pi = fr, fi  # F**p
    d_fr, d_fi = zeros(products), zeros(products)
    for p in range(degree - 1):
        at = p * size + k
        v = load(products, at) * number(p + 2)
        sr, si = conjugate_product(pr, pi, dr, di)
        d_fr, d_fi = fma(v, sr, d_fr), fma(v, si, d_fi)
        pr, pi = product(pr, pi, fr, fi)
        store(d_products, at, load(d_products, at) + fma(pr, dr, pi * di))
    return d_fr, d_fi


@inlined
def _same(dt, b, begin, t, count):
    """The end of the steps from t on that have the same dt."""
    end = t + 1
    while end < count and dt[b, begin + end] == dt[b, begin + t]:
        end += 1
    return end


@inlined
def _steps(t, end, held, c, x, u, y, states):
    """Steps t..end-1 of a mode whose E and F are ``held``: the state x after them.

    y (C, W), unless empty, is added to; states (C + 1, 2, W), unless empty, gets the states before each step.
    """
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (xr, xi) = held, c, x
    for k in range(t * W, end * W, W):
        v = load(u, k)
        if states.size > 0:
            store(states, 2 * k, xr)
            store(states, 2 * k + W, xi)
        xr, xi = moved(xr, xi, er, ei, fr * v, fi * v)
        if y.size > 0:
            store(y, k, fma(cr, xr, fnma(xi, ci, load(y, k))))
    return xr, xi


@inlined
def _d_steps(t, end, held, c, l, u, d_y, states, d_u, d_held):
    """Adjoint of `_steps`: l before them; d_u is added to, d_held (C, 4, W) gets what each step gives to E and F."""
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (lr, li) = held, c, l
    for k in range((end - 1) * W, (t - 1) * W, -W):
        v, d = load(u, k), load(d_y, k)
        lr, li = fma(cr, d, lr), fnma(d, ci, li)
        store(d_u, k, fma(fr, lr, fma(fi, li, load(d_u, k))))
        d_er, d_ei = conjugate_product(load(states, 2 * k), load(states, 2 * k + W), lr, li)
        store(d_held, 4 * k, d_er)
        store(d_held, 4 * k + W, d_ei)
        store(d_held, 4 * k + 2 * W, v * lr)
        store(d_held, 4 * k + 3 * W, v * li)
        lr, li = d_moved(lr, li, er, ei)
    return lr, li


@inlined
def _discrete_steps(number, bound, limits, t, end, held, c, x, u, y, states):
    """`_steps` with the liquid term: E + F u multiplies the state."""
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (xr, xi) = held, c, x
    for k in range(t * W, end * W, W):
        v = load(u, k)
        if states.size > 0:
            store(states, 2 * k, xr)
            store(states, 2 * k + W, xi)
        pr, pi = fr * v, fi * v
        mr, mi = er + pr, ei + pi
        if bound > number(0):
            _, mr, mi = shrink(number, bound, limits[1:], mr, mi)
        xr, xi = moved(xr, xi, mr, mi, pr, pi)
        if y.size > 0:
            store(y, k, fma(cr, xr, fnma(xi, ci, load(y, k))))
    return xr, xi


@inlined
def _d_discrete_steps(number, bound, limits, t, end, held, c, l, u, d_y, states, d_u, d_held):
    """Adjoint of `_discrete_steps`, like `_d_steps`."""
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (lr, li) = held, c, l
    for k in range((end - 1) * W, (t - 1) * W, -W):
        v, d = load(u, k), load(d_y, k)
        lr, li = fma(cr, d, lr), fnma(d, ci, li)
        mr, mi = fma(fr, v, er), fma(fi, v, ei)
        d_er, d_ei = conjugate_product(load(states, 2 * k), load(states, 2 * k + W), lr, li)
        if bound > number(0):
            by, sr, si = shrink(number, bound, limits[1:], mr, mi)
            d_er, d_ei = d_shrink(number, limits[1:], mr, mi, by, d_er, d_ei)
            mr, mi = sr, si
        sr, si = lr + d_er, li + d_ei
        store(d_u, k, fma(fr, sr, fma(fi, si, load(d_u, k))))
        store(d_held, 4 * k, d_er)
        store(d_held, 4 * k + W, d_ei)
        store(d_held, 4 * k + 2 * W, v * sr)
        store(d_held, 4 * k + 3 * W, v * si)
        lr, li = d_moved(lr, li, mr, mi)
    return lr, li


@inlined
def _kernel_steps(rule, t, end, held, c, x, u, products, y, states):
    """`_steps` with the products of inputs: in the state (KB) or only read out (PB)."""
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (xr, xi) = held, c, x
    for k in range(t * W, end * W, W):
        v = load(u, k)
        if states.size > 0:
            store(states, 2 * k, xr)
            store(states, 2 * k + W, xi)
        xr, xi = moved(xr, xi, er, ei, fr * v, fi * v)
        gr, gi = _add_powers(rule.degree, fr, fi, products, k)
        seen_r, seen_i = xr + gr, xi + gi
        if rule.liquid == KB:
            xr, xi = seen_r, seen_i
        if y.size > 0:
            store(y, k, fma(cr, seen_r, fnma(seen_i, ci, load(y, k))))
    return xr, xi


@inlined
def _d_kernel_steps(rule, t, end, held, c, l, u, products, d_y, states, d_u, d_products, d_held, sums):
    """Adjoint of `_kernel_steps`, like `_d_steps`; d_products and, of PB, the sums of C are added to."""
    W = vector_size(u)
    (er, ei, fr, fi), (cr, ci), (lr, li) = held, c, l
    for k in range((end - 1) * W, (t - 1) * W, -W):
        v, d = load(u, k), load(d_y, k)
        gr, gi = cr * d, neg(ci * d)
        lr, li = lr + gr, li + gi
        if rule.liquid == KB:
            gr, gi = lr, li
        else:
            seen_r, seen_i = _add_powers(rule.degree, fr, fi, products, k)
            store(sums, 5 * W, fma(d, seen_r, load(sums, 5 * W)))
            store(sums, 6 * W, fnma(d, seen_i, load(sums, 6 * W)))
        d_fr, d_fi = _d_add_powers(rule.degree, fr, fi, products, k, gr, gi, d_products)
        store(d_u, k, fma(fr, lr, fma(fi, li, load(d_u, k))))
        d_er, d_ei = conjugate_product(load(states, 2 * k), load(states, 2 * k + W), lr, li)
        store(d_held, 4 * k, d_er)
        store(d_held, 4 * k + W, d_ei)
        store(d_held, 4 * k + 2 * W, fma(v, lr, d_fr))
        store(d_held, 4 * k + 3 * W, fma(v, li, d_fi))
        lr, li = d_moved(lr, li, er, ei)
    return lr, li


@inlined
def _step_by_step(rule, dt, b, begin, count):
    """Whether E and F are made for every step: they depend on u, or on a dt that changes more often than not.

    What is made is the same; only the sums of gradients are added in another order.
    """
    if rule.liquid != PLAIN:
        return rule.liquid == EXACT
    changes = 0
    for t in range(begin + 1, begin + count):
        changes += dt[b, t] != dt[b, t - 1]
    return 2 * changes > count


@inlined
def _exact_steps(rule, limits, pace, dt, b, begin, count, a_b, c, x, u, y, states, grown):
    """Steps 0..count-1 of a mode, each with E and F of its own: of the exact form, or plain.

    grown (C, 4, W), unless empty, gets E and phi of each.
    """
    W, number = vector_size(u), u.dtype.type
    (ar, ai, br, bi), (cr, ci), (xr, xi) = a_b, c, x
    liquid = number(rule.liquid == EXACT)
    sr, si = liquid * br, liquid * bi  # what u does to the rate
    for t in range(count):
        k = t * W
        v = load(u, k)
        if states.size > 0:
            store(states, 2 * k, xr)
            store(states, 2 * k + W, xi)
        wr, wi, delta = fma(sr, v, ar), fma(si, v, ai), pace * dt[b, begin + t]
        er, ei, phi_r, phi_i, fr, fi = factors(number, rule.kind, limits, delta, wr, wi, br, bi)
        if grown.size > 0:
            store(grown, 4 * k, er)
            store(grown, 4 * k + W, ei)
            store(grown, 4 * k + 2 * W, phi_r)
            store(grown, 4 * k + 3 * W, phi_i)
        xr, xi = moved(xr, xi, er, ei, fr * v, fi * v)
        if y.size > 0:
            store(y, k, fma(cr, xr, fnma(xi, ci, load(y, k))))
    return xr, xi


@inlined
def _d_exact_steps(
    rule, limits, single, pace, dt, b, begin, count, a_b, c, l, u, d_y, states, grown, d_u, d_time, sums
):  # fmt: skip
    """Adjoint of `_exact_steps`: l before them; d_u, unless empty d_time (C, W), and the sums are added to."""
    W, number = vector_size(u), u.dtype.type
    (ar, ai, br, bi), (cr, ci), (lr, li) = a_b, c, l
    liquid = number(rule.liquid == EXACT)
    sr, si = liquid * br, liquid * bi
    for t in range(count - 1, -1, -1):
        k, now = t * W, dt[b, begin + t]
        v, d, delta = load(u, k), load(d_y, k), pace * now
        er, ei = load(grown, 4 * k), load(grown, 4 * k + W)
        phi_r, phi_i = load(grown, 4 * k + 2 * W), load(grown, 4 * k + 3 * W)
        fr, fi = product(phi_r, phi_i, br, bi)
        lr, li = fma(cr, d, lr), fnma(d, ci, li)
        d_v = fma(delta * fr, lr, fma(delta * fi, li, load(d_u, k)))
        d_er, d_ei = conjugate_product(load(states, 2 * k), load(states, 2 * k + W), lr, li)
        wr, wi = fma(sr, v, ar), fma(si, v, ai)
        d_wr, d_wi, d_br, d_bi, d_delta = d_factors(
            number, single, rule.kind, limits, delta, wr, wi, br, bi,
            er, ei, phi_r, phi_i, d_er, d_ei, v * lr, v * li,
        )  # fmt: skip
        store(d_u, k, fma(sr, d_wr, fma(si, d_wi, d_v)))
        store(sums, 0, load(sums, 0) + d_wr)
        store(sums, W, load(sums, W) + d_wi)
        lv = liquid * v
        store(sums, 2 * W, load(sums, 2 * W) + fma(lv, d_wr, d_br))
        store(sums, 3 * W, load(sums, 3 * W) + fma(lv, d_wi, d_bi))
        store(sums, 4 * W, fma(d_delta, now, load(sums, 4 * W)))
        if d_time.size > 0:
            store(d_time, k, fma(d_delta, pace, load(d_time, k)))
        lr, li = d_moved(lr, li, er, ei)
    return lr, li


@inlined
def _settle(rule, limits, single, pace, now, t, end, a_b, grown, d_held, d_time, sums):
    """Add to the sums, and unless empty to d_time (C, W), what comes of E and F of the steps t..end-1 of length now."""
    W, number = vector_size(sums), sums.dtype.type
    (ar, ai, br, bi), (er, ei, phi_r, phi_i) = a_b, grown
    d_er = d_ei = d_fr = d_fi = zeros(sums)
    for k in range(4 * t * W, 4 * end * W, 4 * W):
        d_er, d_ei = d_er + load(d_held, k), d_ei + load(d_held, k + W)
        d_fr, d_fi = d_fr + load(d_held, k + 2 * W), d_fi + load(d_held, k + 3 * W)
    d_ar, d_ai, d_br, d_bi, d_delta = d_factors(
        number, single, rule.kind, limits, pace * now, ar, ai, br, bi, er, ei, phi_r, phi_i, d_er, d_ei, d_fr, d_fi
    )
    store(sums, 0, load(sums, 0) + d_ar)
    store(sums, W, load(sums, W) + d_ai)
    store(sums, 2 * W, load(sums, 2 * W) + d_br)
    store(sums, 3 * W, load(sums, 3 * W) + d_bi)
    store(sums, 4 * W, fma(d_delta, now, load(sums, 4 * W)))
    if d_time.size > 0:
        unit = unit_of(number, limits[1:], pace * now * ar, pace * now * ai)
        for k in range(t * W, end * W, W):
            d_er, d_ei = load(d_held, 4 * k), load(d_held, 4 * k + W)
            d_fr, d_fi = load(d_held, 4 * k + 2 * W), load(d_held, 4 * k + 3 * W)
            d_delta = elapsed(number, rule.kind, unit, er, ei, phi_r, phi_i, ar, ai, br, bi, d_er, d_ei, d_fr, d_fi)
            store(d_time, k, fma(d_delta, pace, load(d_time, k)))


@inlined
def _run(rule, limits, constants, step, dt, b, begin, count, u, products, state, m, M, y, states, grown):
    """Mode m through a chunk: its part of ``state`` moves on; y, states and grown as in `_steps` and `_exact_steps`.

    states gets the last one too.
    """
    W, number = vector_size(u), u.dtype.type
    a_b = load(constants, 0), load(constants, W), load(constants, 2 * W), load(constants, 3 * W)
    c, pace = (load(constants, 4 * W), load(constants, 5 * W)), load(step, 0)
    re, im, t = m * W, (M + m) * W, 0
    x = load(state, re), load(state, im)
    if _step_by_step(rule, dt, b, begin, count):
        x = _exact_steps(rule, limits, pace, dt, b, begin, count, a_b, c, x, u, y, states, grown)
        t = count
    while t < count:
        end = _same(dt, b, begin, t, count)
        ar, ai, br, bi = a_b
        er, ei, _, _, fr, fi = factors(number, rule.kind, limits, pace * dt[b, begin + t], ar, ai, br, bi)
        held = er, ei, fr, fi
        if rule.liquid == DISCRETE:
            x = _discrete_steps(number, number(rule.bound), limits, t, end, held, c, x, u, y, states)
        elif rule.degree > 1:
            x = _kernel_steps(rule, t, end, held, c, x, u, products, y, states)
        else:
            x = _steps(t, end, held, c, x, u, y, states)
        t = end
    store(state, re, x[0])
    store(state, im, x[1])
    if states.size > 0:
        store(states, 2 * count * W, x[0])
        store(states, (2 * count + 1) * W, x[1])


@inlined
def _d_run(
    rule, limits, single, constants, step, dt, b, begin, count, u, products, states, grown,
    d_y, d_state, m, M, d_u, d_products, d_held, d_time, sums, row, row_step,
):  # fmt: skip
    """Adjoint of `_run`: d_state moves back; d_u, d_products and, unless empty, d_time (C, W) are added to.

    row (6, W) and row_step (W,) get the gradients of the constants and, but for the factor step, of log_step.
    """
    W, number = vector_size(u), u.dtype.type
    a_b = load(constants, 0), load(constants, W), load(constants, 2 * W), load(constants, 3 * W)
    c, pace = (load(constants, 4 * W), load(constants, 5 * W)), load(step, 0)
    re, im, end = m * W, (M + m) * W, count
    l = load(d_state, re), load(d_state, im)
    for k in range(7):
        store(sums, k * W, zeros(u))
    if _step_by_step(rule, dt, b, begin, count):
        l = _d_exact_steps(
            rule, limits, single, pace, dt, b, begin, count, a_b, c, l, u, d_y, states, grown, d_u, d_time, sums
        )
        end = 0
    while end > 0:
        now = dt[b, begin + end - 1]
        t = end - 1
        while t > 0 and dt[b, begin + t - 1] == now:
            t -= 1
        ar, ai, br, bi = a_b
        er, ei, phi_r, phi_i, fr, fi = factors(number, rule.kind, limits, pace * now, ar, ai, br, bi)
        held = er, ei, fr, fi
        if rule.liquid == DISCRETE:
            l = _d_discrete_steps(number, number(rule.bound), limits, t, end, held, c, l, u, d_y, states, d_u, d_held)
        elif rule.degree > 1:
            l = _d_kernel_steps(
                rule, t, end, held, c, l, u, products, d_y, states, d_u, d_products, d_held, sums
            )  # fmt: skip
        else:
            l = _d_steps(t, end, held, c, l, u, d_y, states, d_u, d_held)
        _settle(rule, limits, single, pace, now, t, end, a_b, (er, ei, phi_r, phi_i), d_held, d_time, sums)
        end = t
    store(d_state, re, l[0])
    store(d_state, im, l[1])
    d_cr, d_ci = load(sums, 5 * W), load(sums, 6 * W)
    for k in range(0, count * W, W):
        d = load(d_y, k)
        d_cr = fma(d, load(states, 2 * (k + W)), d_cr)
        d_ci = fnma(d, load(states, 2 * (k + W) + W), d_ci)
    for k in range(4):
        add_wide(row, k * W, load(sums, k * W))
    add_wide(row, 4 * W, d_cr)
    add_wide(row, 5 * W, d_ci)
    add_wide(row_step, 0, load(sums, 4 * W))


@kernel
def _forward(sequences, h0, space, work, starts, results, first, last, worker):
    """Tiles first..last-1: tile k is block k % blocks of sequence k // blocks."""
    x, dt, steps = Sequences(*sequences)
    space, results = Space(*space), Results(*results)
    modes, channels, rule, limits = space.modes, space.channels, Discretization(*space.rule), space.limits
    must_know_rule(rule)
    blocks, M, H, W = modes.shape[0], modes.shape[1], x.shape[2], vector_size(x)
    sizes = forward_sizes(M, rule.degree, W)
    u, rest = cut(work[worker], sizes.u)
    products, rest = cut(rest, sizes.products)
    y, rest = cut(rest, sizes.y)
    state, rest = cut(rest, sizes.state)
    past, none = state[2 * M * W :], rest[:0]
    for tile in range(first, last):
        b, block = tile // blocks, tile % blocks
        channel = block * W
        lanes = min(W, H - channel)
        u[:] = 0
        state[:] = 0
        _read_state(h0, b, H, channel, lanes, state)
        for begin in range(0, steps[b], CHUNK):
            count = min(CHUNK, steps[b] - begin)
            if starts.size > 0:
                _copy(state, starts[block, b, begin // CHUNK])
            _read(x, b, begin, count, channel, lanes, u)
            if rule.degree > 1:
                _multiply_inputs(rule.degree, dt, b, begin, count, u, past, none, products)
            for t in range(count):
                store(y, t * W, load(channels[block, 1], 0) * load(u, t * W))
            for m in range(M):
                _run(
                    rule, limits, modes[block, m], channels[block, 0], dt, b, begin, count, u, products,
                    state, m, M, y, none, none,
                )  # fmt: skip
            for t in range(count):
                if lanes == W:
                    store(results.out[b, begin + t], channel, load(y, t * W))
                else:
                    for k in range(lanes):
                        results.out[b, begin + t, channel + k] = y[t * W + k]
        _write_state(state, b, H, channel, lanes, results.h_last)


@kernel
def _backward(sequences, adjoints, space, work, starts, d_dt, gradients, first, last, worker):
    """Adjoint of `_forward`: units first..last-1 of R * blocks; unit r * blocks + k is block k of sequences r, r + R...

    rows (R, blocks * (6 M + 2) * W): of the modes, then of step and D;  d_dt (blocks, B, T) or empty
    """
    x, dt, steps = Sequences(*sequences)
    d_out, d_h = Adjoints(*adjoints)
    space = Space(*space)
    modes, channels, rule, limits = space.modes, space.channels, Discretization(*space.rule), space.limits
    must_know_rule(rule)
    rows, d_x, d_h0, _ = Gradients(*gradients)
    blocks, M, B, H, W = modes.shape[0], modes.shape[1], x.shape[0], x.shape[2], vector_size(x)
    single = x.itemsize == 4
    sizes = backward_sizes(M, rule.degree, W)
    u, rest = cut(work[worker], sizes.u)
    products, rest = cut(rest, sizes.products)
    d_y, rest = cut(rest, sizes.d_y)
    state, rest = cut(rest, sizes.state)
    d_u, rest = cut(rest, sizes.d_u)
    d_products, rest = cut(rest, sizes.d_products)
    recent, rest = cut(rest, sizes.recent)
    d_time, rest = cut(rest, sizes.d_time)
    d_state, rest = cut(rest, sizes.d_state)
    states, rest = cut(rest, sizes.states)
    grown, rest = cut(rest, sizes.grown)
    d_held, rest = cut(rest, sizes.d_held)
    sums, rest = cut(rest, sizes.sums)
    past, d_past, none = state[2 * M * W :], d_state[2 * M * W :], rest[:0]
    d_times = d_time if d_dt.size > 0 else none
    size = (CONSTANTS * M + 2) * W
    for unit in range(first, last):
        r, block = unit // blocks, unit % blocks
        channel = block * W
        lanes = min(W, H - channel)
        row = rows[r, block * size : (block + 1) * size]
        u[:] = 0
        d_y[:] = 0
        for b in range(r, B, rows.shape[0]):
            d_state[:] = 0
            _read_state(d_h, b, H, channel, lanes, d_state)
            if d_x.size > 0:
                d_x[b, steps[b] :, channel : channel + lanes] = 0
            if d_dt.size > 0:
                d_dt[block, b, steps[b] :] = 0
            for begin in range((steps[b] - 1) // CHUNK * CHUNK, -1, -CHUNK):
                count = min(CHUNK, steps[b] - begin)
                _copy(starts[block, b, begin // CHUNK], state)
                _read(x, b, begin, count, channel, lanes, u)
                _read(d_out, b, begin, count, channel, lanes, d_y)
                d_time[:] = 0
                d_products[:] = 0
                if rule.degree > 1:
                    _multiply_inputs(rule.degree, dt, b, begin, count, u, past, recent, products)
                d_skip = zeros(u)
                for t in range(count):
                    d = load(d_y, t * W)
                    store(d_u, t * W, load(channels[block, 1], 0) * d)
                    d_skip = fma(d, load(u, t * W), d_skip)
                add_wide(row, (CONSTANTS * M + 1) * W, d_skip)
                for m in range(M):
                    constants = modes[block, m]
                    _run(
                        rule, limits, constants, channels[block, 0], dt, b, begin, count, u, products,
                        state, m, M, none, states, grown,
                    )  # fmt: skip
                    _d_run(
                        rule, limits, single, constants, channels[block, 0], dt, b, begin, count, u, products,
                        states, grown, d_y, d_state, m, M, d_u, d_products, d_held, d_times, sums,
                        row[CONSTANTS * m * W :], row[CONSTANTS * M * W :],
                    )  # fmt: skip
                if rule.degree > 1:
                    _d_multiply_inputs(rule.degree, dt, b, begin, count, u, recent, d_products, d_past, d_u)
                for t in range(count):
                    if d_dt.size > 0:
                        d_dt[block, b, begin + t] = lane_sum(load(d_time, t * W))
                    if d_x.size > 0:
                        for k in range(lanes):
                            d_x[b, begin + t, channel + k] = d_u[t * W + k]
            _write_state(d_state, b, H, channel, lanes, d_h0)


# ------------------------------------------------------------------------------------------ called from Python


class StateSpace:
    """Effective parameters, packed for the kernels: see `ltc_np.kernels.numpy.ssm.StateSpace`."""

    def __init__(self, p, rule):
        self.rule, (self.M, self.H), self.dtype = rule, p["decay"].shape, p["decay"].dtype
        self.step = np.exp(p["log_step"])
        W = self.W = VECTOR_BYTES // self.dtype.itemsize
        blocks = self.blocks = -(-self.H // W)
        modes = np.zeros((CONSTANTS, self.M, blocks * W), self.dtype)
        for k, values in enumerate(
            (-p["decay"], p["frequency"], p["b_re"], p["b_im"], 2 * p["c_re"], 2 * p["c_im"])
        ):  # fmt: skip
            modes[k, :, : self.H] = values
        channels = np.zeros((2, blocks * W), self.dtype)
        channels[0, : self.H], channels[1, : self.H] = self.step, p["d"]
        large, unit = LARGE[self.dtype.itemsize]
        self.packed = (
            np.ascontiguousarray(modes.reshape(CONSTANTS, self.M, blocks, W).transpose(2, 1, 0, 3)),
            np.ascontiguousarray(channels.reshape(2, blocks, W).transpose(1, 0, 2)),
            tuple(rule),
            tuple(Limits(*map(self.dtype.type, (highest_rate(rule, float), large**2, unit)))),
        )

    def unpack(self, rows, g):
        """Add the gradients in ``rows`` to g."""
        total = rows.sum(0).reshape(self.blocks, CONSTANTS * self.M + 2, self.W)  # row by row, in order
        total = total.transpose(1, 0, 2).reshape(-1, self.blocks * self.W)[:, : self.H]
        modes = total[:-2].reshape(self.M, CONSTANTS, self.H)
        g["decay"] -= modes[:, 0]
        for k, name in enumerate(("frequency", "b_re", "b_im"), start=1):
            g[name] += modes[:, k]
        g["c_re"] += 2 * modes[:, 4]
        g["c_im"] += 2 * modes[:, 5]
        g["log_step"] += total[-2] * self.step
        g["d"] += total[-1]


class _Saved(NamedTuple):
    """What `backward` needs of a call: the kernels' `Sequences` and ``starts``."""

    sequences: tuple
    starts: np.ndarray


def _parallel(space, B, T):
    weight = EXACT_STEPS if space.rule.liquid == EXACT else 1
    return B * T * space.H * space.M * weight > PARALLEL_STEPS


def forward(space, x, dt, lengths, h0, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.ssm.forward`."""
    (B, T, H), K = x.shape, h0.shape[1]
    y = workspace.array("y", B * T * H, x.dtype).reshape(B, T, H)
    h_last = workspace.array("h_last", B * K, x.dtype).reshape(B, K)
    chunks, rows = -(-T // CHUNK) if keep else 0, 2 * space.M + space.rule.degree - 1
    shape = (space.blocks, B, chunks, rows * space.W)
    starts = workspace.array("starts", np.prod(shape), x.dtype).reshape(shape)
    tiles = B * space.blocks
    workers = threads.share(tiles, _parallel(space, B, T))
    work = scratch(workspace, workers, forward_sizes(space.M, space.rule.degree, space.W), x.dtype)
    sequences = tuple(Sequences(x, dt, lengths))
    run = partial(_forward, sequences, h0, space.packed, work, starts, tuple(Results(y, h_last)))
    threads.run(run, tiles, workers)
    return y, h_last, _Saved(sequences, starts) if keep else None


def backward(space, saved, d_y, d_h, want_x, want_dt, g, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.ssm.backward`."""
    sequences, starts = saved
    (B, T, H), dtype, blocks = sequences[0].shape, d_y.dtype, space.blocks
    R = min(B, GRADIENT_ROWS)
    size = blocks * (CONSTANTS * space.M + 2) * space.W
    rows = workspace.array("rows", R * size, np.dtype(np.float64)).reshape(R, size)
    rows.fill(0)
    d_x = workspace.array("d_x", B * T * H if want_x else 0, dtype).reshape((B, T, H) if want_x else (0, 0, 0))
    d_h0 = workspace.array("d_h0", d_h.size, dtype).reshape(d_h.shape)
    shape = (blocks, B, T) if want_dt else (0, 0, 0)
    d_dt = workspace.array("d_dt", np.prod(shape), dtype).reshape(shape)
    workers = threads.share(R * blocks, _parallel(space, B, T))
    work = scratch(workspace, workers, backward_sizes(space.M, space.rule.degree, space.W), dtype)
    gradients = tuple(Gradients(rows, d_x, d_h0, d_dt[0] if want_dt else d_dt.reshape(0, 0)))
    adjoints = tuple(Adjoints(d_y, d_h))
    run = partial(_backward, sequences, adjoints, space.packed, work, starts, d_dt, gradients)
    threads.run(run, R * blocks, workers)
    space.unpack(rows, g)
    return d_x if want_x else None, d_h0, d_dt.sum(0) if want_dt else None
