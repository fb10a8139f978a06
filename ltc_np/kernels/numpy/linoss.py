"""Oscillators of a LinOSS: the definition in NumPy.  `ltc_np.cells.linoss` has the equations.

Whatever the discretisation, a step of an oscillator with the force f is, with the rest r = f - A x of it::

    z+ = z + m z + g r,    x+ = x + l x + g z + psi f,    l = -A psi

m, g and psi are constants (im, imex, damped), or, of the exact one, functions of the length h of the step: g(h) is what
an impulse leaves of the position, psi its integral, and m = -G g - A psi.  Where all is forgotten m and l are exactly
-1, or the gradient of a very long time would be a rounding error, multiplied by it.  With the roots -r1, -r2 of
s^2 + G s + A they are divided differences of the exponential function, exp[-r1, -r2] h and exp[0, -r1, -r2] h^2, whose
limits power series give.  docs/maths/linoss.md derives every line.

A block has some steps of some sequences: first..last-1 of them, steps begin..end-1; its rows lie one below the other,
sequence after sequence.  The real and the imaginary part of an oscillator are two copies of it: P columns, then P.
"""

import math

import numpy as np

from ..codes import Oscillators

# Roots times the length of a step up to which functions of them are power series, of so many terms by the size of a
# number.  (c_n = 1 / (n + 2)!, / (n + 3)!, / (n + 4)! and (n + 1) / (2 n + 3)!.)
NEAR, TERMS = 1.0, {4: 12, 8: 20}
BALANCED_TERMS = {4: 6, 8: 9}


def series(offset, terms):
    """1 / offset!, 1 / (offset + 1)!, ..."""
    return [1 / math.factorial(n + offset) for n in range(terms)]


def balanced_series(terms):
    """Of (sin(w) / w - cos(w)) / (2 w^2) in -w^2."""
    return [(n + 1) / math.factorial(2 * n + 3) for n in range(terms)]


def work_size(P, itemsize):
    """Numbers that `forward_steps` and `backward_steps` work in."""
    return 0


def _once(coefficients, twice, square):
    """sum (-1)^n c_n times the sums of products of n roots, of which both add up to ``twice``, their product is
    ``square``: Clenshaw's rule."""
    now = last = np.zeros_like(twice)
    for c in coefficients[::-1]:
        now, last = c - twice * now - square * last, now
    return now


def _twice(coefficients, twice, square):
    """As `_once`, where each root is there twice."""
    now = last = total = before = np.zeros_like(twice)
    for c in coefficients[::-1]:
        now, last = c - twice * now - square * last, now
        total, before = now - twice * total - square * before, total
    return total


def flow(own, h):
    """m, l, g and psi after the time h, an array as long as the oscillators'."""
    number, terms = h.dtype.type, TERMS[h.itemsize]
    with np.errstate(all="ignore"):  # of two values that are computed one is taken
        decayed = np.expm1(-own.slow * h)
        left, angle = decayed + number(1), own.turn * h
        parted = np.expm1(-number(2) * angle)
        real = own.real > 0
        g = left * np.where(real, -parted / 2, np.sin(angle)) / own.turn
        even, odd = left * np.where(real, number(1) + parted / 2, np.cos(angle)), own.damping / 2 * g
        far = np.where(real, (-decayed / own.slow - g) / own.fast, (number(1) - even - odd) / own.stiffness)
        near = h * h * _once(series(2, terms), own.damping * h, own.stiffness * h * h)
        psi = np.where(own.fast * h > NEAR, far, near)
        m = np.where(np.abs(even - odd) < 0.5, even - odd - 1, -own.damping * g - own.stiffness * psi)
        return m, np.where(np.abs(even + odd) < 0.5, even + odd - 1, -own.stiffness * psi), g, psi


def d_flow(own, h, g, psi, d_m, d_l, d_g, d_psi):
    """Adjoint of `flow`: d_A, d_G.  (That of h is simple: the state moves on along its equation.)

    d_psi/dA = -mu, d_psi/dG = d_g/dA = -kappa, d_g/dG = -kappa', with kappa the convolution of g with itself, and mu
    its integral; 1 + m is g', and l is g' + G g - 1.
    """
    number, size = h.dtype.type, h.itemsize
    terms, one, two = TERMS[size], number(1), number(2)
    with np.errstate(all="ignore"):
        (A, G, _, turn, slow, fast, real), alpha = own, own.damping / 2
        decayed, angle, real = np.expm1(-slow * h), turn * h, own.real > 0
        left = decayed + one
        parted = np.expm1(-two * angle)
        square = np.where(real, -one, one) * turn * turn
        even = left * np.where(real, one + parted / 2, np.cos(angle))
        # Roots that are far from 0, and from each other; or close to each other.
        kappa = (g - h * even) / (two * square)
        slope = np.where(
            real,
            left * (one - h * slow + slow / turn + (one + parted) * (one - h * fast - fast / turn))
            / (4 * turn * turn),
            h * g / 2 - alpha * kappa,
        )  # fmt: skip
        close = angle < one
        balanced, q = np.zeros_like(h), square * h * h
        for c in balanced_series(BALANCED_TERMS[size])[::-1]:
            balanced = c - q * balanced
        kappa = np.where(close, np.exp(-alpha * h) * h * h * h * balanced, kappa)
        slope = np.where(close, h * g / 2 - alpha * kappa, slope)
        step = slow * h
        small = h * h * _once(series(2, terms), two * step, step * step)
        moment = np.where(step > NEAR, (one - left * (one + step)) / (slow * slow), small)
        mu = np.where(
            real, (moment - slope - two * fast * kappa) / (fast * fast), (psi - alpha * kappa - h * g / 2) / A
        )
        # Roots that are close to 0.
        near = fast * h <= NEAR
        twice, product = G * h, A * h * h
        kappa = np.where(near, h * h * h * _twice(series(3, terms), twice, product), kappa)
        mu = np.where(near, h * h * h * h * _twice(series(4, terms), twice, product), mu)
        slope = np.where(near, h * g / 2 - alpha * kappa, slope)
    d_A = slope * d_m + (slope + G * kappa) * d_l + kappa * d_g + mu * d_psi
    d_G = (g - G * slope - A * kappa) * d_m - A * kappa * d_l + slope * d_g + kappa * d_psi
    return -d_A, -d_G


def _held(exact, own, P, h):
    """(m, l, g, psi) of steps as long as h, which the others than the exact one do not look at."""
    own = Oscillators(*own[:, :P])
    return flow(own, own.step * h) if exact else own[3:]


def _step(own, held, f, now):
    """z and x (b, 2, P) side by side, (b, 2, 2, P), after a step; f (b, 2, P); and the rest of the force."""
    (m, l, g, psi), (z, x) = (a.reshape(-1, 1, a.shape[-1]) for a in held), (now[:, 0], now[:, 1])
    r = f - own.stiffness * x
    return np.stack([z + (m * z + g * r), x + (l * x + g * z + psi * f)], axis=1), r


def _by_step(states, b):
    """A view of states (2, b * steps, 2 * P) as (b, steps, 2, 2, P)."""
    return np.moveaxis(states.reshape(2, b, -1, 2, states.shape[2] // 2), 0, 2)


def forward_steps(exact, own, first, last, begin, end, dt, lengths, drives, state, states, work):
    """Take a block through its steps.

    Parameters
    ----------
    exact : bool
        Whether dt counts, and the rows of ``own`` are those of the exact form.
    own : (7, M) array
        `Oscillators`, M >= P.
    dt : (B, T) array
        Only looked at by the exact form.
    lengths : (B,) int64 array
        After a sequence's end its state stays.
    drives : (b * steps, 2 * P) array
        The forces.
    state : (B, 4 * P) array
        Velocities and positions, real parts and imaginary parts of each: before these steps, then after them.
    states : (2, b * steps, 2 * P) array
        Out: the velocities and the positions after each step.
    work : (work_size,) array
    """
    b, steps, P = last - first, end - begin, states.shape[2] // 2
    found, forces = _by_step(states, b), drives.reshape(b, steps, 2, P)
    now, rows = state[first:last].reshape(b, 2, 2, P), Oscillators(*own[:, :P])
    for t in range(steps):
        held = _held(exact, own, P, dt[first:last, begin + t, None])
        after, _ = _step(rows, held, forces[:, t], now)
        found[:, t] = now = np.where((begin + t < lengths[first:last])[:, None, None, None], after, now)
    state[first:last] = now.reshape(b, -1)


def backward_steps(
    exact, own, first, last, begin, end, dt, lengths, drives, start, states, d_state, d_drives, d_dt, row_sums, work
):  # fmt: skip
    """Adjoint of `forward_steps`.

    Parameters
    ----------
    start : (B, 4 * P) array
        The states before these steps.
    d_state : (B, 4 * P) array
        Adjoint of the state: after these steps, then before them.
    d_drives : (b * steps, 2 * P) array
        Adjoint of the positions after each step, as far as they are read out, 0 after a sequence's end; then of the
        forces.
    d_dt : (B, T) array
        Out, of the exact form; not written if it is empty.
    row_sums : (5, P) float64 array
        The gradients are added: of A, G and step (exact), or of A, m, l, g and psi (others).
    """
    b, steps, P = last - first, end - begin, states.shape[2] // 2
    found, forces = _by_step(states, b), drives.reshape(b, steps, 2, P)
    d_forces, first_state = d_drives.reshape(b, steps, 2, P), start[first:last].reshape(b, 2, 2, P)
    d_now, rows = d_state[first:last].reshape(b, 2, 2, P), Oscillators(*own[:, :P])
    A, G, (d_A, *d_others) = rows.stiffness, rows.damping, row_sums
    for t in range(steps - 1, -1, -1):
        alive = (begin + t < lengths[first:last])[:, None, None]
        elapsed = dt[first:last, begin + t, None]
        held = _held(exact, own, P, elapsed)
        before, f = found[:, t - 1] if t else first_state, forces[:, t]
        _, r = _step(rows, held, f, before)
        (m, l, g, psi), (z, x) = (a.reshape(-1, 1, P) for a in held), (before[:, 0], before[:, 1])
        d_z, d_x = np.where(alive, d_now[:, 0], 0), np.where(alive, d_now[:, 1] + d_forces[:, t], 0)
        d_r = g * d_z + psi * d_x
        d_held = d_z * z, d_x * x, d_z * r + d_x * z, d_x * f
        past = d_z + (m * d_z + g * d_x), d_x + (l * d_x - A * g * d_z)
        d_A -= (g * d_z * x).sum((0, 1), np.float64)
        if exact:
            d_h = (past[0] * (r - G * z) + past[1] * z).sum(1)
            if d_dt.size:
                d_dt[first:last, begin + t] = (d_h * rows.step).sum(1)
            d_stiffness, d_damping = d_flow(rows, rows.step * elapsed, *held[2:], *(each.sum(1) for each in d_held))
            d_A += d_stiffness.sum(0, np.float64)
            d_others[0] += d_damping.sum(0, np.float64)
            d_others[1] += (d_h * elapsed).sum(0, np.float64)
        else:
            for total, each in zip(d_others, d_held, strict=True):
                total += each.sum((0, 1), np.float64)
        d_now, d_forces[:, t] = np.where(alive[..., None], np.stack(past, axis=1), d_now), d_r
    d_state[first:last] = d_now.reshape(b, -1)
