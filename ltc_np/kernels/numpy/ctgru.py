"""The pointwise parts of a step of the CT-GRU: the definition.  `ltc_np.cells.ctgru` has the equations."""

import numpy as np


def scale_weights(a, offsets):
    """Softmax over k of -(a - offsets[k])**2: (B, M, N) from (B, N)."""
    # a**2 is the same for all k.
    z = offsets[:, None] * (2 * a[:, None] - offsets[:, None])
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def d_scale_weights(weights, offsets, d_weights):
    """Adjoint of `scale_weights`, from what it returned: (B, N)."""
    d = weights * d_weights
    lever = offsets[:, None]
    return 2 * ((lever * d).sum(1) - (lever * weights).sum(1) * d.sum(1))


def observe(gates, middle, offsets):
    """Names for the gates (n, 3*N) of n steps: time constants from the logarithm of the ``middle`` one, and weights."""
    retrieval, storage, q = np.split(gates, 3, axis=1)
    with np.errstate(over="ignore"):
        taus = {"retrieval_tau": np.exp(retrieval + middle), "storage_tau": np.exp(storage + middle)}
    weights = {"retrieval": scale_weights(retrieval, offsets), "storage": scale_weights(storage, offsets)}
    return weights | taus | {"signal": q}


def retrieve(t, first, last, gates, recurrent, b, offsets, v, weights, c):
    """First half of step t of the sequences first..last-1, but for the products: what is read from the traces.

    Parameters
    ----------
    gates : (T, B, 3*N) array
        In: x w_x; out: the logarithms of both time scales, from the middle of all scales.
    recurrent : (B, 2*N) array
        m w_h.
    b : (3*N,) array
    offsets : (M,) array
        ln tau_k from their middle.
    v : (T + 1, B, M*N) array
        The traces just before every step.
    weights : (B, M*N) array
        For kernels to work in.
    c : (T, B, N) array
        What is read is written to row t.
    """
    N, rows = c.shape[2], slice(first, last)
    a = gates[t, rows, : 2 * N]
    a += recurrent[rows] + b[: 2 * N]
    r = scale_weights(a[:, :N], offsets)
    c[t, rows] = (r * v[t, rows].reshape(r.shape)).sum(1)


def d_retrieve(t, first, last, gates, offsets, v, weights, c, d_c, d_v, d_z):
    """Adjoint of `retrieve`: writes the first block of row t of d_z, adds to d_v (B, M*N); ``d_c`` (B, N)."""
    N, rows = c.shape[2], slice(first, last)
    r = scale_weights(gates[t, rows, :N], offsets)
    d = d_c[rows, None]
    traces, d_traces = v[t, rows].reshape(r.shape), d_v[rows].reshape(r.shape)
    d_traces += d * r
    d_z[t, rows, :N] = d_scale_weights(r, offsets, d * traces)


def store(t, first, last, gates, product, b, offsets, factors, v, weights, m, h):
    """Second half of step t: what is written to the traces, and what is left of them just before the next step.

    Parameters
    ----------
    gates : (T, B, 3*N) array
        In: `retrieve`'s, and x w_x; out: also q.
    product : (B, N) array
        c w_c.
    factors : (T + 1, B, M) array
        By which the traces fade before each step, row T: after the last one.
    v, weights
        As in `retrieve`; row t + 1 of v is written.
    m : (T + 1, B, N) array
        Sums of ``v`` over scales; row t + 1 is written.
    h : (T, B, N) array
        Sums of the traces right after the step; row t is written.
    """
    N, rows = h.shape[2], slice(first, last)
    q = gates[t, rows, 2 * N :]
    q[:] = np.tanh(q + product[rows] + b[2 * N :])
    s = scale_weights(gates[t, rows, N : 2 * N], offsets)
    traces = v[t, rows].reshape(s.shape)
    new = traces + s * (q[:, None] - traces)
    h[t, rows] = new.sum(1)
    new *= factors[t + 1, rows, :, None]
    m[t + 1, rows] = new.sum(1)
    v[t + 1, rows] = new.reshape(len(new), -1)


def d_store(t, first, last, gates, offsets, factors, v, weights, d_y, after, d_m, d_v, d_z, d_factors):
    """Adjoint of `store`: writes the second and third block of row t of d_z, and row t + 1 of d_factors if it has one.

    ``d_m`` (B, N) and ``d_v`` (B, M*N) are the adjoints of what is left of the traces before the next step; ``d_v``
    becomes that of the traces before this one.  Row t of ``d_y`` (T, B, N) belongs to h, or, ``after`` the decay, to m.
    """
    N, rows = d_y.shape[2], slice(first, last)
    s = scale_weights(gates[t, rows, N : 2 * N], offsets)
    q = gates[t, rows, 2 * N :]
    traces, d_traces, d_out = v[t, rows].reshape(s.shape), d_v[rows].reshape(s.shape), d_y[t, rows]
    d_faded = d_traces + (d_m[rows] + d_out if after else d_m[rows])[:, None]
    change = q[:, None] - traces
    if d_factors.size:
        d_factors[t + 1, rows] = (d_faded * (traces + s * change)).sum(2)
    d_new = d_faded * factors[t + 1, rows, :, None]
    if not after:
        d_new += d_out[:, None]
    d_traces[:] = d_new * (1 - s)
    d_z[t, rows, N : 2 * N] = d_scale_weights(s, offsets, d_new * change)
    d_z[t, rows, 2 * N :] = (d_new * s).sum(1) * (1 - q * q)
