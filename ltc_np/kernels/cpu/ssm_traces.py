"""The traces of a state space on the CPU; `ltc_np.kernels.numpy.ssm_traces` defines the function and its arguments."""

import numpy as np

from ..codes import DISCRETE, EXACT, KB, PB, VECTOR_BYTES, Discretization
from .jit import kernel
from .simd import fma, load, load_part, neg, store, store_part, vector_size, zeros
from .ssm import Space, must_know_rule
from .ssm_steps import conjugate_product, d_factors, d_shrink, factors, moved, product, shrink

TRACED = 5  # parameters of a mode that have traces


@kernel
def _carry(space, u, dt, h0, traces, slopes, work):
    """work (4 * TRACED * W,)."""
    space = Space(*space)
    modes, channels, rule, limits = space.modes, space.channels, Discretization(*space.rule), space.limits
    must_know_rule(rule)
    (blocks, M), H, W, number = modes.shape[:2], u.shape[1], vector_size(u), u.dtype.type
    zero, one, bound, single = number(0), number(1), number(rule.bound), u.itemsize == 4
    rows = TRACED * W
    for block in range(blocks):
        channel = block * W
        n = H - channel
        v, delta, of_step = load_part(u, channel, n), load(channels[block, 0], 0) * dt[0], zeros(u)
        for m in range(M):
            own = modes[block, m]
            ar, ai, br, bi = load(own, 0), load(own, W), load(own, 2 * W), load(own, 3 * W)
            cr, ci = load(own, 4 * W), load(own, 5 * W)
            xr, xi = load_part(h0, m * H + channel, n), load_part(h0, (M + m) * H + channel, n)
            if rule.liquid == EXACT:
                ar, ai = fma(br, v, ar), fma(bi, v, ai)
            er, ei, phi_r, phi_i, fr, fi = factors(number, rule.kind, limits, delta, ar, ai, br, bi)
            pr, pi = fr * v, fi * v
            mr, mi, by = er, ei, zeros(u) + one  # the factor on the mode, less 1
            if rule.liquid == DISCRETE:
                mr, mi = er + pr, ei + pi
                if bound > zero:
                    by, mr, mi = shrink(number, bound, limits[1:], mr, mi)
            # What products of inputs add, and its derivative by F.
            gr, gi, d_gr, d_gi, total = zeros(u), zeros(u), zeros(u), zeros(u), v
            qr, qi = fr, fi
            for p in range(2, rule.degree + 1):
                total = total * load_part(h0, (2 * M + p - 2) * H + channel, n)
                d_gr, d_gi = fma(number(p) * total, qr, d_gr), fma(number(p) * total, qi, d_gi)
                qr, qi = product(qr, qi, fr, fi)
                gr, gi = fma(total, qr, gr), fma(total, qi, gi)
            # Adjoints of real and imaginary parts; then of what is read out alone.
            for half in range(2 if rule.liquid == PB else 1):
                kept, added = number(1 - half), number(rule.liquid == KB or half == 1)
                for part in range(2):
                    dr, di = number(1 - part), number(part)
                    d_er, d_ei = conjugate_product(kept * xr, kept * xi, dr, di)
                    d_fr, d_fi = conjugate_product(added * d_gr, added * d_gi, dr, di)
                    d_fr, d_fi = fma(kept * dr, v, d_fr), fma(kept * di, v, d_fi)
                    if rule.liquid == DISCRETE:
                        if bound > zero:
                            d_er, d_ei = d_shrink(number, limits[1:], er + pr, ei + pi, by, d_er, d_ei)
                        d_fr, d_fi = fma(v, d_er, d_fr), fma(v, d_ei, d_fi)
                    d_wr, d_wi, d_br, d_bi, d_delta = d_factors(
                        number, single, rule.kind, limits, delta, ar, ai, br, bi,
                        er, ei, phi_r, phi_i, d_er, d_ei, d_fr, d_fi,
                    )  # fmt: skip
                    if rule.liquid == EXACT:
                        d_br, d_bi = fma(v, d_wr, d_br), fma(v, d_wi, d_bi)
                    at = (2 * half + part) * rows
                    store(work, at, neg(d_wr))
                    store(work, at + W, d_wi)
                    store(work, at + 2 * W, d_br)
                    store(work, at + 3 * W, d_bi)
                    store(work, at + 4 * W, d_delta * delta)
            for r in range(TRACED):
                re, im, at = (2 * r * M + m) * H + channel, ((2 * r + 1) * M + m) * H + channel, r * W
                tr, ti = load_part(traces, re, n), load_part(traces, im, n)
                tr, ti = moved(tr, ti, mr, mi, load(work, at), load(work, at + rows))
                store_part(traces, re, tr, n)
                store_part(traces, im, ti, n)
                if rule.liquid == PB:
                    tr, ti = tr + load(work, at + 2 * rows), ti + load(work, at + 3 * rows)
                of_output = fma(cr, tr, neg(ci * ti))
                if r == TRACED - 1:
                    of_step = of_step + of_output
                else:
                    store_part(slopes, (r * M + m) * H + channel, of_output, n)
            xr, xi = moved(xr, xi, mr, mi, pr, pi)
            xr, xi = xr + gr, xi + gi  # of the read-out modes; 0 but for products of inputs
            store_part(slopes, (4 * M + m) * H + channel, xr + xr, n)
            store_part(slopes, (5 * M + m) * H + channel, neg(xi + xi), n)
        store_part(slopes, 6 * M * H + channel, of_step, n)
        store_part(slopes, (6 * M + 1) * H + channel, v, n)


def carry(space, u, dt, h0, traces, slopes):
    """Take the traces through one step; see `ltc_np.kernels.numpy.ssm_traces.carry`."""
    work = np.empty(4 * TRACED * VECTOR_BYTES // u.itemsize, u.dtype)
    _carry(space.packed, u, dt, h0, traces, slopes, work)
