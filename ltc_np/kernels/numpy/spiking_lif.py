"""Steps of leaky integrate-and-fire neurons: the definition.  `ltc_np.cells.spiking_lif` has the equations."""

import numpy as np

from ...base import checks
from ..codes import ARCTAN, FAST_SIGMOID


def integrate(v, rest, drive, rate, dt):
    """One step without a spike: time integrated, rest left, 1 - exp(-active * rate), potential."""
    wait = np.minimum(np.maximum(rest, 0), dt)
    active = dt - wait
    e = -np.expm1(-active * rate)
    return active, rest - wait, e, v + (drive - v) * e


def observe(neuron, time, current, v, rest):
    """Names for what happens in n steps of ``time`` (n,), from what they begin with, (n, N) each, and the current."""
    drive = current + neuron[0]
    active, _, _, V = integrate(v, rest, drive, neuron[1], time[:, None])
    return {"current": drive, "potential": V, "active": active}


def spike(u):
    """1 where u >= 0, else 0."""
    return np.heaviside(u, u.dtype.type(1))


def relaxed_spike(surrogate, u):
    """The antiderivative of the surrogate in place of the step from 0 to 1."""
    kind, _, sharpness = surrogate
    checks.must_know(__name__, "surrogate", kind, (ARCTAN, FAST_SIGMOID))
    u = sharpness * u
    return 0.5 + (np.arctan(u) / np.pi if kind == ARCTAN else u / sharpness / (1 + np.abs(u)))


def relaxed_steps(surrogate, *arguments):
    """`forward_steps` of these arguments with relaxed spikes, which `backward_steps` is the derivative of."""
    _steps(lambda u: relaxed_spike(surrogate, u), *arguments)


def forward_steps(time_major, begin, end, first, last, time, current, neuron, v, rest, spikes, y):
    """Steps begin..end-1 of the sequences first..last-1.

    Parameters
    ----------
    time_major : bool
        The three-dimensional arrays have their first two axes the other way round than it stands here.
    time : (B, T) array
        Elapsed time before each step.
    current : (B, T, N) array
        All of the current but b.
    neuron : tuple
        A `ltc_np.kernels.codes.SpikingNeuron`.
    v, rest, spikes : (B, T + 1, N) arrays
        Potential, what is left of the refractory time, and the last spikes (not written if it is empty); those after
        step t are written to row t + 1.
    y : (B, T, N) array
        Out: the spikes.
    """
    _steps(spike, time_major, begin, end, first, last, time, current, neuron, v, rest, spikes, y)


def _steps(fire, time_major, begin, end, first, last, time, current, neuron, v, rest, spikes, y):
    """`forward_steps`; ``fire`` makes spikes of potentials above the threshold."""
    rows = slice(first, last)
    b, rate, threshold, keep, offset, refractory = neuron
    if time_major:
        current, v, rest, spikes, y = (a.swapaxes(0, 1) for a in (current, v, rest, spikes, y))
    for t in range(begin, end):
        active, left, _, V = integrate(v[rows, t], rest[rows, t], current[rows, t] + b, rate, time[rows, t, None])
        s = y[rows, t] = np.where(active > 0, fire(V - threshold), 0)
        v[rows, t + 1] = (1 - s) * V + s * (keep * V + offset)
        rest[rows, t + 1] = (1 - s) * left + s * refractory
        if spikes.size > 0:
            spikes[rows, t + 1] = np.where(time[rows, t, None] > 0, s, spikes[rows, t])


def backward_steps(
    time_major, begin, end, first, last, time, current, neuron, surrogate, v, rest, y,
    d_y, d_v, d_rest, d_spikes, d_current, d_rate, d_dt,
):  # fmt: skip
    """Adjoint of `forward_steps`, with the surrogate's derivative for that of a spike.

    Parameters
    ----------
    time_major, begin, end, first, last, time, current, neuron, v, rest, y
        As in `forward_steps`.
    surrogate : tuple
        A `ltc_np.kernels.codes.Surrogate`.
    d_y : (B, T, N) array
        Adjoint of the spikes.
    d_v, d_rest, d_spikes : (B, N) arrays
        In: adjoints of v, rest and, if it is not empty, spikes after the last of these steps; out: before the first.
    d_current : (B, T, N) array
        Out.
    d_rate : (B, N) array
        The gradients of each sequence are added to it.
    d_dt : (B, T) array
        Out; not written if it is empty.
    """
    rows = slice(first, last)
    b, rate, threshold, keep, offset, refractory = neuron
    kind, peak, sharpness = surrogate
    checks.must_know(__name__, "surrogate", kind, (ARCTAN, FAST_SIGMOID))
    if time_major:
        current, v, rest, y, d_y, d_current = (a.swapaxes(0, 1) for a in (current, v, rest, y, d_y, d_current))
    for t in range(end - 1, begin - 1, -1):
        dt, before, drive, s = time[rows, t, None], v[rows, t], current[rows, t] + b, y[rows, t]
        active, left, e, V = integrate(before, rest[rows, t], drive, rate, dt)
        u, d_v_new, d_rest_new = V - threshold, d_v[rows], d_rest[rows]
        slope = peak / (1 + (sharpness * u) ** 2 if kind == ARCTAN else (1 + sharpness * np.abs(u)) ** 2)
        d_s = d_y[rows, t]
        if d_spikes.size > 0:
            d_s = d_s + np.where(dt > 0, d_spikes[rows], 0)
            d_spikes[rows] = np.where(dt > 0, 0, d_spikes[rows])
        d_s = d_s + d_v_new * (keep * V + offset - V) + d_rest_new * (refractory - left)
        d_V = d_v_new * (1 - s + s * keep) + np.where(active > 0, d_s * slope, 0)
        d_left = d_rest_new * (1 - s)
        # integrate
        decay = d_V * (drive - before) * (1 - e)
        d_active = decay * rate
        d_current[rows, t] = d_V * e
        d_rate[rows] += decay * active
        d_v[rows] = d_V * (1 - e)
        # Where the refractory time ends in the step, wait is rest; else it is 0 or dt.  Nothing cancels: d_active is
        # large where tau is small.
        ends = (rest[rows, t] >= 0) & (rest[rows, t] < dt)
        d_rest[rows] = np.where(ends, -d_active, d_left)
        if d_dt.size > 0:
            d_dt[rows, t] = np.where(rest[rows, t] > dt, -d_left, d_active).sum(1)
