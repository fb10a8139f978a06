"""Oscillators of a LinOSS: the definition in NumPy.  `ltc_np.cells.linoss` has the equations.

Whatever the discretisation, a step of an oscillator with the force f is, with the rest r = f - A x of it::

    z+ = z + m z + g r,    x+ = x + l x + g z + psi f,    l = -A psi

m, g and psi are constants (im, imex, damped), or, of the exact one, functions of the length h of the step: g(h) is what
an impulse leaves of the position, psi its integral, and m = -G g - A psi.  Where all is forgotten m and l are exactly
-1, or the gradient of a very long time would be a rounding error, multiplied by it.  With the roots -r1, -r2 of
s^2 + G s + A they are divided differences of the exponential function, exp[-r1, -r2] h and exp[0, -r1, -r2] h^2, whose
limits power series give.  docs/maths/linoss.md derives every line.

The real and the imaginary part of an oscillator are two copies of it: P columns, then P.
"""

import math
from typing import Any, NamedTuple

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


class Weights:
    """What steps and products need of the parameters.

    Parameters
    ----------
    exact : bool
        Whether dt counts, and the rows of ``own`` are those of the exact form.
    own : (7, M) array
        `Oscillators`, M >= P.
    inputs, outputs : (I, 2 * P) and (2 * P, N) arrays
        B, real and imaginary parts side by side; C of the real parts of positions, and of the imaginary ones.
    d : (N,) array, or an empty one
    """

    def __init__(self, exact, own, inputs, outputs, d):
        self.exact, self.own, self.inputs, self.outputs, self.d = exact, own, inputs, outputs, d
        (self.I, width), self.N = inputs.shape, outputs.shape[1]
        self.P = width // 2

    def held(self, h):
        """`Oscillators`, and m, l, g and psi of steps as long as h (B, 1), which only the exact one looks at."""
        own = Oscillators(*self.own[:, : self.P])
        return own, [a.reshape(-1, 1, self.P) for a in (flow(own, own.step * h) if self.exact else own[3:])]


class Saved(NamedTuple):
    """What the adjoint needs: x, dt, lengths, forces (B, T, 2, P), and the states before all steps and after each,
    (B, T + 1, 2, 2, P): velocity and position, real and imaginary part.
    """

    x: Any
    dt: Any
    lengths: Any
    forces: Any
    states: Any


class Sums(NamedTuple):
    """Gradients: ``own`` (5, P) float64, of A, G and step (exact) or of A, m, l, g and psi (others); of matrices; and
    ``skip`` (N,), which means nothing where there is no d.
    """

    own: Any
    inputs: Any
    outputs: Any
    skip: Any


def forward(weights, x, dt, lengths, h0, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    weights : Weights
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, 4 * P) : arrays
        Velocities and positions, real parts and imaginary parts of each.  After a sequence's end its state stays.
    keep : bool
        Whether `backward` will follow.

    Returns
    -------
    y (B, T, N), h_last (B, 4 * P), and `Saved` or None
    """
    (B, T, I), P = x.shape, weights.P
    forces = np.dot(x.reshape(B * T, I), weights.inputs).reshape(B, T, 2, P)
    states = np.empty((B, T + 1, 2, 2, P), x.dtype)
    states[:, 0] = h0.reshape(B, 2, 2, P)
    for t in range(T):
        own, (m, l, g, psi) = weights.held(dt[:, t, None])
        f, z, at = forces[:, t], states[:, t, 0], states[:, t, 1]
        r = f - own.stiffness * at
        after = np.stack([z + (m * z + g * r), at + (l * at + g * z + psi * f)], axis=1)
        states[:, t + 1] = np.where((t < lengths)[:, None, None, None], after, states[:, t])
    y = np.dot(states[:, 1:, 1].reshape(B * T, 2 * P), weights.outputs).reshape(B, T, -1)
    if weights.d.size:
        y += x * weights.d
    return y, states[:, T].reshape(B, 4 * P), Saved(x, dt, lengths, forces, states) if keep else None


def backward(weights, saved, d_y, d_h, want_x, want_dt, workspace):
    """Adjoint of `forward`: d_x (B, T, I) and d_dt (B, T), or None, d_h0 between them, and `Sums`.

    d_y is 0 after a sequence's end.
    """
    (x, dt, lengths, forces, states), P = saved, weights.P
    (B, T, N), I = d_y.shape, weights.I
    d_forces = np.dot(d_y.reshape(B * T, N), weights.outputs.T).reshape(B, T, 2, P)  # those of positions at first
    d_now, d_dt, d_own = d_h.reshape(B, 2, 2, P), np.zeros((B, T), x.dtype), np.zeros((5, P))
    d_A, *d_others = d_own
    for t in range(T - 1, -1, -1):
        alive, elapsed = (t < lengths)[:, None, None], dt[:, t, None]
        own, (m, l, g, psi) = weights.held(elapsed)
        A, G, f, z, at = own.stiffness, own.damping, forces[:, t], states[:, t, 0], states[:, t, 1]
        r = f - A * at
        d_z, d_at = np.where(alive, d_now[:, 0], 0), np.where(alive, d_now[:, 1] + d_forces[:, t], 0)
        d_held = d_z * z, d_at * at, d_z * r + d_at * z, d_at * f
        past = d_z + (m * d_z + g * d_at), d_at + (l * d_at - A * g * d_z)
        d_A -= (g * d_z * at).sum((0, 1), np.float64)
        if weights.exact:
            d_h = (past[0] * (r - G * z) + past[1] * z).sum(1)
            d_dt[:, t] = (d_h * own.step).sum(1)
            flown = own.step * elapsed, g[:, 0], psi[:, 0]
            d_stiffness, d_damping = d_flow(own, *flown, *(each.sum(1) for each in d_held))
            d_A += d_stiffness.sum(0, np.float64)
            d_others[0] += d_damping.sum(0, np.float64)
            d_others[1] += (d_h * elapsed).sum(0, np.float64)
        else:
            for total, each in zip(d_others, d_held, strict=True):
                total += each.sum((0, 1), np.float64)
        d_now, d_forces[:, t] = np.where(alive[..., None], np.stack(past, axis=1), d_now), g * d_z + psi * d_at
    u, d_u, d_out = x.reshape(B * T, I), d_forces.reshape(B * T, 2 * P), d_y.reshape(B * T, N)
    positions = states[:, 1:, 1].reshape(B * T, 2 * P)
    skip = (u * d_out).sum(0, np.float64) if weights.d.size else np.zeros(N)
    total = Sums(d_own, np.dot(u.T, d_u), np.dot(positions.T, d_out), skip)
    d_x = None
    if want_x:
        d_x = np.dot(d_u, weights.inputs.T).reshape(B, T, I)
        if weights.d.size:
            d_x += d_y * weights.d
    return d_x, d_now.reshape(B, 4 * P), d_dt if want_dt else None, total
