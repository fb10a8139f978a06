"""The LrcSSM: the definition in NumPy.  `ltc_np.cells.lrc_ssm` has the equations; docs/maths/lrc_ssm.md derives it.

A step is that of the solvers of `ltc_np.kernels.numpy.ltc_solvers` with P = vleak tanh(z), Q = sigmoid(f), a capacity
of 1 and the length h epsilon.  The kernels take a block, some steps of some sequences: first..last-1 of them, steps
begin..end-1.  Arrays of a block have its sequences one below the other, (b * steps, -).
"""

import numpy as np

from ...base.activations import sigmoid
from ..codes import Rule
from .elastance import d_elastance_of, elastance_of, named_rates
from .ltc_solvers import advance, d_advance


def work_size(rule, N, itemsize):
    """Numbers that `forward_steps` and `backward_steps` work in."""
    return 0


def synapses(mu, sigma, first, last, begin, end, x, s):
    """s = sigmoid(sigma * (x - mu)) of a block.

    Parameters
    ----------
    mu, sigma : (I,) arrays
    x : (B, T, I) array
    s : (b * steps, I) array
        Out.
    """
    s[:] = sigmoid(sigma * (x[first:last, begin:end] - mu)).reshape(s.shape)


def d_synapses(mu, sigma, first, last, begin, end, x, s, d_s, d_x, g_mu, g_sigma, work):
    """Adjoint of `synapses`.

    Parameters
    ----------
    d_s : (b * steps, I) array
    d_x : (B, T, I) array
        Out; not written if it is empty.
    g_mu, g_sigma : (I,) float64 arrays
        The gradients of the block are added.
    """
    at = x[first:last, begin:end]
    d_y = (d_s * s * (1 - s)).reshape(at.shape)
    g_mu -= sigma * d_y.sum((0, 1), np.float64)
    g_sigma += (d_y * (at - mu)).sum((0, 1), np.float64)
    if d_x.size:
        d_x[first:last, begin:end] = d_y * sigma


def _sums(unit, v, f, z):
    """s, f and z with what is the unit's own, and the argument of the elastance, at the potentials v."""
    gleak, _, w, h, mu, sigma, elastance_v, elastance_b, _ = unit
    s = sigmoid(sigma * (v - mu))
    return s, f + gleak + w * s, z + gleak + h * s, elastance_v * v + elastance_b


def _rates(unit, kind, v, f, z):
    """s, sigmoid(f), tanh(z), the argument of the elastance and the elastance, at the potentials v.

    f and z come without what is the unit's own.
    """
    s, f, z, a = _sums(unit, v, f, z)
    return s, sigmoid(f), np.tanh(z), a, elastance_of(kind, a, unit[-1])


def _d_rates(unit, kind, v, s, R, U, a, d_R, d_U, d_epsilon, row_sums):
    """Adjoint of `_rates`: d_v, d_f and d_z; the gradients of the unit are added to ``row_sums``."""
    _, _, w, h, mu, sigma, elastance_v, _, shift = unit
    d_f, d_z = d_R * R * (1 - R), d_U * (1 - U * U)
    d_y = (d_f * w + d_z * h) * s * (1 - s)
    d_a, d_shift = d_elastance_of(kind, a, shift, d_epsilon)
    terms = d_f + d_z, None, d_f * s, d_z * s, -d_y * sigma, d_y * (v - mu), d_a * v, d_a, d_shift
    for sums, term in zip(row_sums, terms, strict=True):
        if term is not None:
            sums += term.sum(0, np.float64)
    return d_y * sigma + d_a * elastance_v, d_f, d_z


def _drives_at(drives, first, last, t, begin, end):
    """f and z (b, N) of step t, without what is the units' own."""
    now = drives.reshape(last - first, end - begin, -1)[:, t - begin]
    return now[:, : now.shape[1] // 2], now[:, now.shape[1] // 2 :]


def _step(unit, kind, rule, h, v, f, z):
    """All unfolds of one time step: the potentials from which each stage begins, and the last ones."""
    history, one, vleak = [v], v.dtype.type(1), unit[1]
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base, total = v, None
        _, R, U, _, epsilon = _rates(unit, kind, v, f, z)
        v, total = advance(rule.solver, stage, h * epsilon, one, U * vleak, R, base, v, total)
        history.append(v)
    return history


def observe(unit, kind, rule, dt, drives, v):
    """What happens inside of n steps of dt (n,), from the sums over the inputs (n, 2*N) and the potentials before.

    All but the potentials is as it is at the beginning of the last unfold, potentials[:, -2].
    """
    rule, (f, z) = Rule(*rule), np.split(drives, 2, axis=1)
    history = _step(unit, kind, rule, (dt / dt.dtype.type(rule.unfolds))[:, None], v, f, z)
    potentials = np.stack(history[:: rule.stages], axis=1)
    v = potentials[:, -2]
    s, sum_f, sum_z, a = _sums(unit, v, f, z)
    _, R, U, _, epsilon = _rates(unit, kind, v, f, z)
    rates = named_rates(kind, v, sum_f, sum_z, a, R, U, epsilon, unit[1])
    return {"potentials": potentials} | rates | {"activations": s}


def forward_steps(unit, kind, rule, first, last, begin, end, dt, drives, v, y, work):
    """Take a block through its steps.

    Parameters
    ----------
    unit : (9, N) array
        Parameters in the order of `ltc_np.kernels.codes.LRC_SSM_UNIT`.
    kind : int
        Of the elastance.
    rule : tuple
        A `ltc_np.kernels.codes.Rule`.
    dt : (B, T) array
        0 after a sequence's end, where the step is the identity.
    drives : (b * steps, 2 * N) array
        f and z, side by side, as far as they come from the inputs.
    v : (B, N) array
        The potentials: before these steps, then after them.
    y : (B, T, N) array
        Out: the potentials after each step.
    work : (work_size,) array
    """
    rule = Rule(*rule)
    for t in range(begin, end):
        h = (dt[first:last, t] / dt.dtype.type(rule.unfolds))[:, None]
        v[first:last] = _step(unit, kind, rule, h, v[first:last], *_drives_at(drives, first, last, t, begin, end))[-1]
        y[first:last, t] = v[first:last]


def backward_steps(
    unit, kind, rule, first, last, begin, end, dt, drives, h0, y, d_y, d_v, d_drives, d_dt, row_sums, work
):  # fmt: skip
    """Adjoint of `forward_steps`.

    Parameters
    ----------
    h0 : (B, N) array
        The potentials before step 0.
    d_y : (B, T, N) array
    d_v : (B, N) array
        Adjoint of the potentials: after these steps, then before them.
    d_drives : (b * steps, 2 * N) array
        Out.
    d_dt : (B, T) array
        Out; not written if it is empty.
    row_sums : (9, N) float64 array
        The gradients of the parameters are added.
    """
    rule, one, vleak = Rule(*rule), dt.dtype.type(1), unit[1]
    for t in range(end - 1, begin - 1, -1):
        h = (dt[first:last, t] / dt.dtype.type(rule.unfolds))[:, None]
        f, z = _drives_at(drives, first, last, t, begin, end)
        d_f, d_z = _drives_at(d_drives, first, last, t, begin, end)
        history = _step(unit, kind, rule, h, y[first:last, t - 1] if t else h0[first:last], f, z)
        d_now, d_base, d_end = d_v[first:last] + d_y[first:last, t], None, None
        d_f[:], d_z[:], d_h = 0, 0, 0
        for k in range(rule.evaluations - 1, -1, -1):
            stage, v, new = k % rule.stages, history[k], history[k + 1]
            s, R, U, a, epsilon = _rates(unit, kind, v, f, z)
            d_P, d_R, _, d_length, d_now, d_base, d_end = d_advance(
                rule.solver, stage, h * epsilon, one, U * vleak, R, history[k - stage], v, new, d_now, d_base, d_end
            )
            row_sums[1] += (d_P * U).sum(0, np.float64)
            d_h += (d_length * epsilon).sum(1)
            d_own, d_f_now, d_z_now = _d_rates(unit, kind, v, s, R, U, a, d_R, d_P * vleak, d_length * h, row_sums)
            d_now, d_f[:], d_z[:] = d_now + d_own, d_f + d_f_now, d_z + d_z_now
        d_v[first:last] = d_now
        if d_dt.size:
            d_dt[first:last, t] = d_h / dt.dtype.type(rule.unfolds)
