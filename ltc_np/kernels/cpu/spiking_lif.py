"""Steps of leaky integrate-and-fire neurons; `ltc_np.kernels.numpy.spiking_lif` defines them and their arguments."""

from ..codes import ARCTAN, FAST_SIGMOID
from ..numpy.spiking_lif import relaxed_steps as relaxed_steps  # for tests alone, so nobody waits for it
from .jit import helper, kernel
from .simd import expm1, fma, fnma, lane_sum, load_part, neg, store_part, vector_size, where_greater, zeros


@helper
def _integrate(like, waits, v, rest, drive, rate, dt, zero):
    """One step without a spike: time integrated, rest left, 1 - exp(-active * rate), potential.

    Without a refractory time (``waits``) nothing slow lies between the potential and that of the next step: twice as
    fast.
    """
    wait = zeros(like)
    if waits:
        wait = where_greater(rest, zero, rest, zero)
        wait = where_greater(wait, dt, dt, wait)
    active = dt - wait
    e = neg(expm1(neg(active * rate)))
    return active, rest - wait, e, fma(drive - v, e, v)


@helper
def _strides(time_major, shape, N):
    """From row to row of a batch, the same with T + 1 steps, from step to step."""
    B, T = shape
    if time_major:
        return N, N, B * N
    return T * N, (T + 1) * N, N


@kernel
def forward_steps(time_major, begin, end, first, last, time, current, neuron, v, rest, spikes, y):
    """time (B, T), current, y (B, T, N), v, rest (B, T + 1, N), spikes (B, T + 1, N) or empty.

    With ``time_major`` (T, B, N) and (T + 1, B, N).
    """
    b, rate, threshold, keep, offset, refractory = neuron
    N = current.shape[2]
    rows, state_rows, steps = _strides(time_major, time.shape, N)
    W, one = vector_size(current), current.dtype.type(1)
    zero = one - one
    for row in range(first, last):
        for k in range(0, N, W):
            n, at, old = N - k, row * rows + begin * steps + k, row * state_rows + begin * steps + k
            bias, rates = load_part(b, k, n), load_part(rate, k, n)
            V, r = load_part(v, old, n), load_part(rest, old, n)
            for t in range(begin, end):
                drive = load_part(current, at, n) + bias
                active, left, _, V = _integrate(current, refractory > zero, V, r, drive, rates, time[row, t], zero)
                s = where_greater(active, zero, where_greater(threshold, V, zero, one), zero)
                store_part(y, at, s, n)
                V, r = (one - s) * V + s * fma(keep, V, offset), (one - s) * left + s * refractory
                if spikes.size > 0:
                    store_part(spikes, old + steps, where_greater(time[row, t], zero, s, load_part(spikes, old, n)), n)
                at, old = at + steps, old + steps
                store_part(v, old, V, n)
                store_part(rest, old, r, n)


@kernel
def backward_steps(
    time_major, begin, end, first, last, time, current, neuron, surrogate, v, rest, y,
    d_y, d_v, d_rest, d_spikes, d_current, d_rate, d_dt,
):  # fmt: skip
    """Shapes as above; d_y, d_current (B, T, N), d_v, d_rest, d_rate (B, N), d_spikes (B, N) and d_dt (B, T) or
    empty."""
    b, rate, threshold, keep, offset, refractory = neuron
    kind, peak, sharpness = surrogate
    if kind not in (ARCTAN, FAST_SIGMOID):
        raise ValueError("`surrogate` must be a number that ltc_np.kernels.cpu.spiking_lif knows")
    N = current.shape[2]
    rows, state_rows, steps = _strides(time_major, time.shape, N)
    W, one = vector_size(current), current.dtype.type(1)
    zero = one - one
    for row in range(first, last):
        if d_dt.size > 0:
            for t in range(begin, end):
                d_dt[row, t] = zero
        for k in range(0, N, W):
            n, at, old, state = N - k, row * rows + end * steps + k, row * state_rows + end * steps + k, row * N + k
            bias, rates = load_part(b, k, n), load_part(rate, k, n)
            d_V, d_r = load_part(d_v, state, n), load_part(d_rest, state, n)
            sum_rate = load_part(d_rate, state, n)
            for t in range(end - 1, begin - 1, -1):
                at, old, dt = at - steps, old - steps, time[row, t]
                before, r, s = load_part(v, old, n), load_part(rest, old, n), load_part(y, at, n)
                drive = load_part(current, at, n) + bias
                active, left, e, V = _integrate(current, refractory > zero, before, r, drive, rates, dt, zero)
                u = V - threshold
                if kind == ARCTAN:
                    q = fma(sharpness * u, sharpness * u, one)
                else:
                    q = fma(sharpness, where_greater(u, zero, u, neg(u)), one)
                    q = q * q
                d_s = load_part(d_y, at, n)
                if d_spikes.size > 0:
                    d_z = load_part(d_spikes, state, n)
                    d_s = d_s + where_greater(dt, zero, d_z, zero)
                    store_part(d_spikes, state, where_greater(dt, zero, zero, d_z), n)
                d_s = d_s + d_V * (fma(keep, V, offset) - V) + d_r * (refractory - left)
                d_V = d_V * (one - s + s * keep) + where_greater(active, zero, d_s * peak / q, zero)
                d_left = d_r * (one - s)
                # _integrate
                decay, d_drive = d_V * (drive - before) * (one - e), d_V * e
                d_active = decay * rates
                sum_rate = fma(decay, active, sum_rate)
                store_part(d_current, at, d_drive, n)
                d_V = fnma(d_V, e, d_V)
                d_r = where_greater(dt, r, where_greater(zero, r, d_left, neg(d_active)), d_left)
                if d_dt.size > 0:
                    d_dt[row, t] += lane_sum(where_greater(r, dt, neg(d_left), d_active))
            store_part(d_v, state, d_V, n)
            store_part(d_rest, state, d_r, n)
            store_part(d_rate, state, sum_rate, n)
