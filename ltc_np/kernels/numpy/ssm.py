"""Diagonal state spaces, with and without a liquid term: the definition in NumPy.

`ltc_np.cells.s4d` and `ltc_np.cells.liquid_s4` have the equations; docs/maths/s4d.md and docs/maths/liquid_s4.md derive
every line.  Arrays of modes are complex, (B, M, H): M modes of each of H channels.  An adjoint of a complex number is
that of its real part plus i times that of its imaginary part.
"""

import math
from typing import NamedTuple

import numpy as np

from ...base import checks
from ..codes import BILINEAR, DISCRETE, EXACT, KB, PB, PLAIN, ZOH

# Steps between two states that are kept for the backward pass.
CHUNK = 64
# A liquid mode may grow beyond all numbers: who calls looks at the outputs.
QUIET = {"over": "ignore", "invalid": "ignore"}
# Of numbers by their size in bytes.  What is divided by the square of z, beyond the first |z|, takes z in another unit,
# the second, a power of two: then no square overflows, and nothing that is divided by one is lost as a denormal number.
LARGE = {4: (2.0**40, 2.0**-84), 8: (2.0**300, 2.0**-660)}
# Below this |z| the derivative of (exp(z) - 1) / z is a sum of this many powers of z: relative error below 1e-17.
SERIES_RADIUS, SERIES_TERMS = 0.3, 13


class StateSpace:
    """Effective parameters of the modes, as complex numbers.

    Parameters
    ----------
    p : dict
        decay, frequency, b_re, b_im, c_re, c_im (M, H), log_step, d (H,).
    rule : Discretization
    """

    def __init__(self, p, rule):
        checks.must_know(__name__, "discretization", rule.kind, (ZOH, BILINEAR))
        checks.must_know(__name__, "liquid", rule.liquid, (PLAIN, EXACT, DISCRETE, KB, PB))
        self.rule = rule
        self.a = p["frequency"] * 1j - p["decay"]
        self.b = p["b_re"] + p["b_im"] * 1j
        self.c = p["c_re"] + p["c_im"] * 1j
        self.step, self.d = np.exp(p["log_step"]), p["d"]


class State(NamedTuple):
    """modes (B, M, H) complex, and of KB and PB the last inputs, past (B, degree - 1, H), the youngest first."""

    modes: np.ndarray
    past: np.ndarray

    @classmethod
    def of(cls, h, space):
        """From the columns of a layer's state (B, K)."""
        (B, _), (M, H) = h.shape, space.a.shape
        re, im, past = np.split(h, [M * H, 2 * M * H], axis=1)
        return cls((re + im * 1j).reshape(B, M, H), past.reshape(B, -1, H))

    def columns(self):
        """Back to (B, K)."""
        B = len(self.modes)
        return np.concatenate([a.reshape(B, -1) for a in (self.modes.real, self.modes.imag, self.past)], axis=1)


def _growth(z):
    """(E, phi): exp(z) - 1, and that divided by z.

    E is put together so that it is exactly -1 where nothing is left of exp(z): gradients have factors 1 + E.
    """
    p, sine, cosine = np.expm1(z.real), np.sin(z.imag / 2), np.cos(z.imag / 2)
    turned = 2 * sine * (p + 1)
    E = p - sine * turned + cosine * turned * 1j
    limits = np.finfo(z.real.dtype)
    here = np.abs(z) > limits.tiny / limits.eps  # 1 / z would overflow for a denormal z, and phi is 1 + z/2
    return E, np.where(here, E / np.where(here, z, 1), 1)


def _unit(z):
    """What z is multiplied by where its square is needed: 1, or see `LARGE`."""
    large, unit = LARGE[z.real.itemsize]
    return np.where(np.abs(z) > large, z.real.dtype.type(unit), z.real.dtype.type(1))


def _slope(z, E, phi, unit):
    """The derivative of phi, (exp(z) - phi) / z, divided by ``unit`` twice; by a power series where it would cancel."""
    near = np.abs(z) < SERIES_RADIUS
    small, series = np.where(near, z, 0), 0
    for k in range(SERIES_TERMS - 1, -1, -1):
        series = series * small + z.real.dtype.type(1 / (math.factorial(k) * (k + 2)))
    return np.where(near, series, (1 + E - phi) / unit / np.where(near, 1, z * unit))


def highest_rate(rule, real):
    """The largest Re z that the exact form's bound allows, as a number of the type ``real``."""
    return real(np.log(rule.bound) if rule.bound and rule.liquid == EXACT else np.inf)


def _limited(rule, z):
    """z, whose real part a bound may limit."""
    most = highest_rate(rule, z.real.dtype.type)
    return z if np.isinf(most) else np.minimum(z.real, most) + z.imag * 1j


def factors(space, delta, w):
    """(E, phi, F) of steps of length ``delta`` at the rates w: the growth less 1, phi, and the factor on the input."""
    z = delta * w
    if space.rule.kind == BILINEAR:
        phi = 1 / (1 - z / 2)
        E = z * phi
    else:
        E, phi = _growth(_limited(space.rule, z))
    return E, phi, delta * phi * space.b


def d_factors(space, delta, w, E, phi, d_E, d_F):
    """Adjoint of `factors`: d_w, d_b, d_delta, of every mode.

    With q = exp(z), or phi**2, dE/d_delta = w q and dF/d_delta = b q; the bound of the exact form takes part of both.
    """
    z = delta * w
    limited = z if space.rule.kind == BILINEAR else _limited(space.rule, z)
    unit = _unit(limited)
    short = delta * unit
    d_phi = short * np.conj(space.b) * d_F  # times unit
    if space.rule.kind == BILINEAR:
        q = (phi / unit) ** 2
        d_z = np.conj(q) * (d_E * unit + d_phi / 2)  # divided by unit
        d_delta = np.conj(q) * unit * (np.conj(w) * d_E + np.conj(space.b) * d_F) * unit
    else:
        q, slope = 1 + E, np.conj(_slope(limited, E, phi, unit))
        d_z = np.conj(q) * d_E / unit + slope * d_phi
        # Where both are 0 (delta and the logarithm of a bound of 1), the bound holds from now on if w grows.
        most = highest_rate(space.rule, z.real.dtype.type)
        held = (z.real >= most) & (w.real > 0)
        d_z = np.where(held, 0, d_z.real) + d_z.imag * 1j
        rate = np.where(held, 0, w.real) - w.imag * 1j
        d_delta = np.conj(q) * (rate * d_E + np.conj(space.b) * d_F)
        d_delta = d_delta - np.where(held, most, 0) * slope * unit * np.conj(space.b) * d_F * unit
    return short * d_z, delta * np.conj(phi) * d_F, d_delta.real


class Step(NamedTuple):
    """What a step is made of: its length in the channels' own time, the rate w, `factors`, the factor on the state
    less 1, products of inputs and what they add."""

    delta: np.ndarray
    w: np.ndarray
    E: np.ndarray
    phi: np.ndarray
    F: np.ndarray
    factor: np.ndarray
    products: list
    added: object


def _inputs(rule, u, past):
    """u and the inputs before it, the youngest first."""
    return [u, *(past[:, k] for k in range(rule.degree - 1))]


def step_of(space, dt, u, past):
    """The step of ``dt`` (B,) under the inputs u (B, H)."""
    rule = space.rule
    delta = (dt[:, None] * space.step)[:, None]
    u1 = u[:, None]
    w = space.a + space.b * u1 if rule.liquid == EXACT else space.a
    E, phi, F = factors(space, delta, w)
    factor = E
    if rule.liquid == DISCRETE:
        factor = E + F * u1
        if rule.bound:
            by = _shrink(rule, 1 + factor)
            factor = np.where(by < 1, (1 + factor) * by - 1, factor)
    products, added, total = [], 0, u
    inputs = _inputs(rule, u, past)
    for p in range(2, rule.degree + 1):
        total = total * inputs[p - 1]
        products.append(total)
        added = added + F**p * total[:, None]
    return Step(delta, w, E, phi, F, factor, products, added)


@np.errstate(**QUIET)
def observe(space, x, dt, h):
    """What happens in n steps, from their inputs (n, H), elapsed times (n,) and the states before, columns (n, K)."""
    state = State.of(h, space)
    step = step_of(space, dt, x, state.past)
    after, seen = advance(space, step, dt, x, state)
    return {"modes": after.modes, "multiplier": 1 + step.factor, "input_factor": step.F, "seen": space.c * seen}


def largest_factor(space, x, dt, lengths):
    """The largest magnitude of the factor on a mode, of the steps of x (B, T, H), dt (B, T) that ``lengths`` count."""
    past = np.zeros((x.shape[0], space.rule.degree - 1, x.shape[2]), x.dtype)
    steps = ((t < lengths, step_of(space, dt[:, t], x[:, t], past)) for t in range(lengths.max()))
    return max((float(np.abs(1 + step.factor[valid]).max()) for valid, step in steps), default=0.0)


def _shrink(rule, m):
    """What the factors m are multiplied by so that none is larger than the bound."""
    return np.minimum(1, rule.bound / np.maximum(np.abs(m), rule.bound)).astype(m.real.dtype)


def advance(space, step, dt, u, state):
    """The state after a step, and the modes that are read out."""
    modes = state.modes + (step.factor * state.modes + step.F * u[:, None])
    if space.rule.liquid == KB:
        modes = modes + step.added
    seen = modes + step.added if space.rule.liquid == PB else modes
    past = state.past
    if past.shape[1]:
        younger = np.concatenate([u[:, None], past[:, :-1]], axis=1)
        past = np.where(dt[:, None, None] > 0, younger, past)
    return State(modes, past), seen


def d_parameters(space, step, u, state, d_modes, d_added):
    """A part of `_d_advance`: what each mode of each sequence gives to its rate w, to E, to b and to delta.

    ``d_modes`` is the adjoint of the modes after the step, ``d_added`` that of what products of inputs add.  That of w
    is that of a, too.
    """
    rule, u1, F = space.rule, u[:, None], step.F
    d_F = d_modes * u1
    for p, product in enumerate(step.products, start=2):
        d_F = d_F + np.conj(p * F ** (p - 1)) * product[:, None] * d_added
    d_E = d_factor = np.conj(state.modes) * d_modes
    if rule.liquid == DISCRETE:
        if rule.bound:
            m = 1 + step.E + F * u1
            shrink, unit = _shrink(rule, m), _unit(m)
            m = m * unit
            along = (np.conj(m) * d_factor).real / np.maximum(np.abs(m), rule.bound * unit) ** 2
            d_E = shrink * (d_factor - np.where(shrink < 1, m * along, 0))
        d_F = d_F + u1 * d_E
    d_w, d_b, d_delta = d_factors(space, step.delta, step.w, step.E, step.phi, d_E, d_F)
    return d_w, d_E, (d_b + u1 * d_w if rule.liquid == EXACT else d_b), d_delta


def _d_advance(space, step, dt, u, state, d_state, d_seen, g):
    """Adjoint of `step_of` and `advance`: d_u (B, H), d_delta (B, H), and the adjoint of the state before.

    ``d_state`` contains what the modes that are read out give it.  Gradients are added to ``g``, a dict of a, b (M, H).
    """
    rule, F = space.rule, step.F
    d_modes, d_younger = d_state
    d_added = d_modes if rule.liquid == KB else d_seen
    d_w, d_E, d_b, d_delta = d_parameters(space, step, u, state, d_modes, d_added)
    g["a"] += d_w.sum(0)
    g["b"] += d_b.sum(0)
    inputs = _inputs(rule, u, state.past)
    d_inputs = [0 * u for _ in inputs]
    d_inputs[0] = d_inputs[0] + (np.conj(F) * d_modes).real.sum(1)
    for p in range(2, rule.degree + 1):
        d_product = (np.conj(F**p) * d_added).real.sum(1)
        for k in range(p):
            others = [inputs[j] for j in range(p) if j != k]
            d_inputs[k] = d_inputs[k] + d_product * np.prod(others, axis=0)
    if rule.liquid == DISCRETE:
        d_inputs[0] = d_inputs[0] + (np.conj(F) * d_E).real.sum(1)
    if rule.liquid == EXACT:
        d_inputs[0] = d_inputs[0] + (np.conj(space.b) * d_w).real.sum(1)
    d_before = d_modes + np.conj(step.factor) * d_modes
    d_past = d_younger
    if d_past.shape[1]:
        moved = dt[:, None] > 0
        d_inputs[0] = d_inputs[0] + np.where(moved, d_younger[:, 0], 0)
        shifted = np.concatenate([d_younger[:, 1:], 0 * d_younger[:, :1]], axis=1)
        d_past = np.where(moved[:, None], shifted, d_younger) + np.stack(d_inputs[1:], axis=1)
    return d_inputs[0], d_delta.sum(1), State(d_before, d_past)


@np.errstate(**QUIET)
def forward(space, x, dt, lengths, h0, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    space : StateSpace
    x (B, T, H), dt (B, T), lengths (B,), h0 (B, K)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    keep : None, "full" or "low"
        Whether to keep for `backward` the state before every `CHUNK` steps; it makes the others again.
    workspace : Workspace

    Returns
    -------
    y (B, T, H), h_last (B, K), saved
    """
    y, starts, state = np.empty_like(x), [], State.of(h0, space)
    for t in range(x.shape[1]):
        if t % CHUNK == 0:
            starts.append(state)
        step = step_of(space, dt[:, t], x[:, t], state.past)
        state, seen = advance(space, step, dt[:, t], x[:, t], state)
        y[:, t] = 2 * (space.c * seen).real.sum(1) + space.d * x[:, t]
    return y, state.columns(), (x, dt, starts) if keep else None


@np.errstate(**QUIET)
def backward(space, saved, d_y, d_h, want_x, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, H), d_h0 (B, K), d_dt (B, T); gradients are added to ``g``."""
    x, dt, starts = saved
    T = x.shape[1]
    d_x, d_dt, d_state = np.empty_like(x), np.empty_like(dt), State.of(d_h, space)
    sums = {name: np.zeros(space.a.shape, complex) for name in ("a", "b", "c")}
    for begin in range((T - 1) // CHUNK * CHUNK, -1, -CHUNK):
        run, state = [], starts[begin // CHUNK]
        for t in range(begin, min(begin + CHUNK, T)):
            step = step_of(space, dt[:, t], x[:, t], state.past)
            after, seen = advance(space, step, dt[:, t], x[:, t], state)
            run.append((t, step, state, seen))
            state = after
        for t, step, state, seen in run[::-1]:
            d_seen = 2 * np.conj(space.c) * d_y[:, t, None]
            sums["c"] += (2 * np.conj(seen) * d_y[:, t, None]).sum(0)
            d_state = State(d_state.modes + d_seen, d_state.past)
            d_u, d_delta, d_state = _d_advance(space, step, dt[:, t], x[:, t], state, d_state, d_seen, sums)
            d_x[:, t] = d_u + space.d * d_y[:, t]
            d_dt[:, t] = (d_delta * space.step).sum(1)
            g["log_step"] += (d_delta * step.delta[:, 0]).sum(0)
            g["d"] += (x[:, t] * d_y[:, t]).sum(0)
    g["decay"] -= sums["a"].real
    g["frequency"] += sums["a"].imag
    for name in ("b", "c"):
        g[f"{name}_re"] += sums[name].real
        g[f"{name}_im"] += sums[name].imag
    return d_x, d_state.columns(), d_dt
