"""The pointwise parts of a step of a CfC: the definition.  `ltc_np.cells.cfc` has the equations."""

import numpy as np

from ...base import activations, checks
from ...base.activations import sigmoid
from ..codes import ACTIVATIONS, DECAY, DECAY_OF_STATE, GATE, NO_GATE

RELEASES_GIL = False  # not for long enough that threads would gain


def activate(activation, u, bias, mask, d_u, keep):
    """u (b, H) becomes f(u + bias) * mask, and d_u its derivative if it is kept; without a mask that is (0, H)."""
    f, d_f = activations.get(ACTIVATIONS[activation])
    u += bias
    y = f(u)
    if keep:
        d_u[:] = d_f(u, y) * mask if mask.size else d_f(u, y)
    u[:] = y * mask if mask.size else y


FORMS = GATE, NO_GATE, DECAY, DECAY_OF_STATE  # that the functions below know


def pull(form, f):
    """Of the forms of pure mode: how much the argument f adds to the rate, and the factor on what decays."""
    return (np.abs(f), f) if form == DECAY else (sigmoid(f), sigmoid(-f))


def observe(form, q, tau):
    """Names for what `blend` has made of the heads; ``tau`` is the time constant, or that of the gate's argument."""
    if form >= DECAY:
        rate, _ = pull(form, q)
        with np.errstate(divide="ignore"):
            return {"ff1": q, "tau": 1 / (tau + rate)}
    g1, g2, time_a, s = np.split(q, 4, axis=1)
    with np.errstate(divide="ignore"):
        return {"ff1": g1, "ff2": g2, "gate": s, "time_a": time_a, "tau": 1 / np.abs(time_a)}


def blend(form, squash, q, bias, tau, a, time, lengths, t, x, z, z_next, y):
    """The new state, from the heads; a sequence that has ended keeps its own.

    Parameters
    ----------
    form, squash, tau, a
        As in `ltc_np.cells.cfc_sweep.Prepared`.
    q : (b, 4 * N) or, in pure mode, (b, N)
        f1 | f2 | time_a | time_b or f1, without bias; becomes g1 | g2 | time_a | s or f1.
    time : (b, T)
        dt, or -dt where the variant wants it so.
    x : (b, T, I)
        Of which the next step's goes to ``z_next``.
    z, z_next : (b, I + N)
        Inputs and states before this step, and after it.
    y : (b, T, N), or empty
        Row t is filled.
    """
    checks.must_know(__name__, "form", form, FORMS)
    I, d = x.shape[2], time[:, t, None]
    h, N = z[:, I:], z.shape[1] - I
    q += bias
    if form >= DECAY:
        rate, factor = pull(form, q)
        new = a + (-a if form == DECAY else h - a) * np.exp(-d * (tau + rate)) * factor
    else:
        g1, g2, time_a, s = (q[:, k * N : (k + 1) * N] for k in range(4))
        q[:, : 2 * N] = activations.get(ACTIVATIONS[squash])[0](q[:, : 2 * N])
        s[:] = sigmoid(time_a * d + s)
        new = g1 + s * (g2 - g1) if form == GATE else g1 + s * g2
    z_next[:, I:] = np.where((t < lengths)[:, None], new, h)
    if y.size:
        y[:, t] = z_next[:, I:]
    if t + 1 < x.shape[1]:
        z_next[:, :I] = x[:, t + 1]


def d_blend(form, squash, q, tau, a, time, lengths, t, z, d_y, d_h, d_next, direct, d_q, d_dt):
    """Adjoint of `blend`, without the inputs.

    Parameters
    ----------
    d_y : (b, T, N)
    d_h : (b, N)
        Adjoint of the last state of each sequence.
    d_next, direct : (b, N)
        Their sum is the adjoint of the state after this step; direct becomes the part of that of the state before
        which does not come through q.
    d_q : (b, 4 * N), (b, 3 * N), or in pure mode (b, 3 * N)
        Becomes the adjoint of the heads, where it is narrow that of time_a * dt + time_b in place of the last two; in
        pure mode followed by the terms of the gradients of tau and a.
    d_dt : (b, T) or empty
        Column t becomes the adjoint of ``time``.
    """
    checks.must_know(__name__, "form", form, FORMS)
    N, d = d_h.shape[1], time[:, t, None]
    G = d_y[:, t] + np.where((t + 1 < lengths)[:, None], d_next + direct, d_h)
    G = np.where((t < lengths)[:, None], G, 0)
    direct[:] = 0
    if form >= DECAY:
        h = z[:, z.shape[1] - N :]
        f = q
        rate, factor = pull(form, f)
        if form == DECAY:
            d_rate, d_factor, base = np.sign(f), 1, -a
        else:
            d_rate, d_factor, base = rate * factor, -rate * factor, h - a
        e = np.exp(-d * (tau + rate))
        # new = a + base * e * factor
        d_e = G * base * factor * e
        d_q[:, :N] = G * base * e * d_factor - d_e * d * d_rate
        d_q[:, N : 2 * N] = -d_e * d
        d_q[:, 2 * N :] = G * (1 - e * factor)
        if form == DECAY_OF_STATE:
            direct[:] = G * e * factor
        d_time = -d_e * (tau + rate)
    else:
        g1, g2, time_a, s = (q[:, k * N : (k + 1) * N] for k in range(4))
        d_s = G * (g2 - g1 if form == GATE else g2)
        d_q[:, :N] = G * (1 - s) if form == GATE else G
        d_q[:, N : 2 * N] = G * s
        g = q[:, : 2 * N]
        d_q[:, : 2 * N] *= activations.get(ACTIVATIONS[squash])[1](g, g)  # all that may stand here need g only
        d_q[:, -N:] = d_z = d_s * s * (1 - s)
        if d_q.shape[1] > 3 * N:
            d_q[:, 2 * N : 3 * N] = d_z * d
        d_time = d_z * time_a
    if d_dt.size:
        d_dt[:, t] = d_time.sum(1)


class Packed:
    """Nothing: here products are as they are."""

    def __init__(self, products):
        pass

    def columns(self, n, dtype):
        """Of gradients of n columns."""
        return n


def steps(prepared, z, features, chunk, block, y, keep):
    """Some steps of a block of sequences; arguments as in `ltc_np.cells.cfc_sweep`.

    ``z``: (b, I + N) inputs and states before each step, taken in turn.
    """
    form, squash, tau, a, activation = prepared.form, prepared.squash, prepared.tau, prepared.a, prepared.activation
    x, time, lengths, masks = block
    none, states, rows, keeps = x[0, :0], len(z), len(features.q), keep and features.d_u.size > 0
    *products, (heads_weight, heads_bias, _) = prepared.products
    for t in chunk:
        before, row = z[t % states], t % rows
        source = before
        for k, (weight, bias, _) in enumerate(products):
            u = np.dot(source, weight, out=features.u[k, row])
            slope = features.d_u[k, row] if keeps else none
            activate(activation, u, bias, masks[k][t] if k in masks else none, slope, keeps)
            source = u
        q = np.dot(source, heads_weight, out=features.q[row])
        blend(form, squash, q, heads_bias, tau, a, time, lengths, t, x, before, z[(t + 1) % states], y)


def turned(products):
    """Transposes of the products as `d_steps` takes them."""
    return [product.transposed for product in products]


def d_steps(prepared, turned, adjoints, z, features, chunk, block, d_y, d_h, d_dt):
    """Adjoint of `steps`: fills ``adjoints.products`` and adds the gradients of weights and biases.

    The adjoint of the state before the chunk is d_next + direct.
    """
    form, squash, tau, a = prepared.form, prepared.squash, prepared.tau, prepared.a
    time, lengths, d_next, direct = block.time, block.lengths, adjoints.d_next, adjoints.direct
    rows, (first_transposed, *transposed) = len(features.q), turned
    m, d_f = len(turned[-1]), activations.get(ACTIVATIONS[prepared.activation])[1]
    for t in reversed(chunk):
        row, at = t % rows, t - chunk.start
        d = adjoints.products[-1][at]
        d_blend(form, squash, features.q[row], tau, a, time, lengths, t, z[t], d_y, d_h, d_next, direct, d, d_dt)
        d = d[:, :m]
        for k in reversed(range(len(transposed))):
            d = np.dot(d, transposed[k], out=adjoints.inner[k, at])
            u = features.u[k, row]
            d *= features.d_u[k, row] if features.d_u.size else d_f(u, u)
        np.dot(d, first_transposed, out=d_next)
    _add_products(adjoints, z, features, chunk)


def _add_products(adjoints, z, features, chunk):
    """Add the gradients of weights and biases from the adjoints of a chunk, one product each."""
    count = len(chunk)
    first = chunk.start % len(features.q)
    for k, adjoint in enumerate(adjoints.products):
        source = features.u[k - 1, first : first + count] if k else z[chunk.start : chunk.stop]
        d = adjoint[:count].reshape(-1, adjoint.shape[2])
        adjoints.biases[k] += np.dot(adjoints.ones[: len(d)], d)
        weights = adjoints.weights[k]
        weights += np.dot(source.reshape(len(d), -1).T, d[:, : weights.shape[1]])
