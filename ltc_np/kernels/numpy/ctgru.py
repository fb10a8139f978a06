"""The CT-GRU: the definition.  `ltc_np.cells.ctgru` has the equations, docs/maths/ctgru.md derives every line."""

from typing import NamedTuple

import numpy as np

from ...base import blas
from ...base import workspace as spaces
from .. import gates as sweeps


class Matrices:
    """Effective parameters: w_x (I, 3*N), w_h (N, 2*N), w_c (N, N), the transposes of these, b (3*N,); offsets (M,).

    ``offsets``: ln tau_k from the middle of all scales, as are both scales' b.
    """

    def __init__(self, w_x, w_h, w_c, b, offsets):
        self.w_x, self.w_h, self.w_c, self.b, self.offsets = w_x, w_h, w_c, b, offsets
        self.w_x_turned, self.w_h_turned, self.w_c_turned = (np.ascontiguousarray(w.T) for w in (w_x, w_h, w_c))


class _Saved(NamedTuple):
    """What the adjoint needs.

    inputs (T, B, I), gates (T, B, 3*N), c (T, B, N), m (T + 1, B, N), v (T + 1, B, M*N), factors, lengths (B,), decayed
    """

    inputs: np.ndarray
    gates: np.ndarray
    c: np.ndarray
    m: np.ndarray
    v: np.ndarray
    factors: np.ndarray
    lengths: np.ndarray
    decayed: bool


def forward(matrices, x, factors, lengths, v0, decayed, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    matrices : Matrices
    x (B, T, I), lengths (B,), v0 (B, M*N)
        ``v0``: the traces just before the first step.
    factors : (T + 1, B, M) array
        By which the traces fade before each step, row T: after the last one.
    decayed : bool
        Whether outputs are what is left of the traces just before the next step, instead of right after the step.
    keep : None, "full" or "low"

    Returns
    -------
    y (B, T, N), the traces after the last step and the decay behind it (B, M*N), saved
    """
    (B, T, I), (N, M), b, offsets = x.shape, (len(matrices.w_h), len(matrices.offsets)), matrices.b, matrices.offsets
    scratch = workspace.kept(
        "forward",
        (B, T),
        lambda: spaces.arrays(
            x.dtype, inputs=(T, B, I), gates=(T, B, 3 * N), recurrent=(B, 2 * N), product=(B, N), c=(T, B, N),
            h=(T, B, N), m=(T + 1, B, N), v=(T + 1, B, M * N),
        ),
    )  # fmt: skip
    inputs, gates, c, h, m, v = scratch.inputs, scratch.gates, scratch.c, scratch.h, scratch.m, scratch.v
    recurrent, product = scratch.recurrent, scratch.product
    inputs[:] = x.transpose(1, 0, 2)
    v[0] = v0
    m[0] = v0.reshape(B, M, N).sum(1)

    def step(t, first, last):
        np.dot(m[t, first:last], matrices.w_h, out=recurrent[first:last])
        retrieve(t, first, last, gates, recurrent, b, offsets, v, c)
        np.dot(c[t, first:last], matrices.w_c, out=product[first:last])
        store(t, first, last, gates, product, b, offsets, factors, v, m, h)

    parts = sweeps.count_parts(B, matrices.w_h.size + matrices.w_c.size)
    with blas.one_thread():
        sweeps.project(inputs, matrices.w_x, gates, parts)
        sweeps.sweep(step, lengths, T, parts, (v, m))
    y = sweeps.by_sequence(m[1:] if decayed else h, workspace)
    return y, v[T].copy(), _Saved(inputs, gates, c, m, v, factors, lengths, decayed) if keep else None


def backward(matrices, saved, d_y, d_v, g, want_x, want_factors, workspace):
    """Adjoint of `forward`: d_x (B, T, I) or None, d_v0 (B, M*N), and d_factors, whose row 0 is 0, or (0, 0, 0).

    Gradients are added to ``g``; ``d_v``: of the last traces.
    """
    inputs, gates, c, m, v, factors, lengths, decayed = saved
    (T, B, _), (N, M), offsets = inputs.shape, (len(matrices.w_h), len(matrices.offsets)), matrices.offsets
    scratch = workspace.kept(
        "backward",
        (B, T),
        lambda: spaces.arrays(
            v.dtype, inputs=inputs.shape, z=gates.shape, hidden=(T, B, N), c=(B, N), m=(B, N), v=(B, M * N)
        ),
    )
    d_z, d_hidden, d_c, d_m, d_traces = scratch.z, scratch.hidden, scratch.c, scratch.m, scratch.v
    d_hidden[:] = d_y.transpose(1, 0, 2)
    d_traces[:], d_m[:] = d_v, 0
    d_factors = np.zeros(factors.shape if want_factors else (0, 0, 0), v.dtype)

    def d_step(t, first, last):
        d_store(t, first, last, gates, offsets, factors, v, d_hidden, decayed, d_m, d_traces, d_z, d_factors)
        np.dot(d_z[t, first:last, 2 * N :], matrices.w_c_turned, out=d_c[first:last])
        d_retrieve(t, first, last, gates, offsets, v, d_c, d_traces, d_z)
        np.dot(d_z[t, first:last, : 2 * N], matrices.w_h_turned, out=d_m[first:last])

    parts = sweeps.count_parts(B, matrices.w_h.size + matrices.w_c.size)
    with blas.one_thread():
        sweeps.d_sweep(d_step, lengths, T, parts, (d_traces, d_m), (d_z,))
        sweeps.add_product(g["w_x"], inputs, d_z, parts)
        sweeps.add_product(g["w_h"], m[:T], d_z[:, :, : 2 * N], parts)
        sweeps.add_product(g["w_c"], c, d_z[:, :, 2 * N :], parts)
        sweeps.add_sum(g["b"], d_z, parts)
        d_x = sweeps.d_project(d_z, matrices.w_x_turned, scratch.inputs, parts) if want_x else None
    return d_x, (d_traces.reshape(B, M, N) + d_m[:, None]).reshape(B, M * N), d_factors


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


def retrieve(t, first, last, gates, recurrent, b, offsets, v, c):
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
    c : (T, B, N) array
        What is read is written to row t.
    """
    N, rows = c.shape[2], slice(first, last)
    a = gates[t, rows, : 2 * N]
    a += recurrent[rows] + b[: 2 * N]
    r = scale_weights(a[:, :N], offsets)
    c[t, rows] = (r * v[t, rows].reshape(r.shape)).sum(1)


def d_retrieve(t, first, last, gates, offsets, v, d_c, d_v, d_z):
    """Adjoint of `retrieve`: writes the first block of row t of d_z, adds to d_v (B, M*N); ``d_c`` (B, N)."""
    N, rows = d_c.shape[1], slice(first, last)
    r = scale_weights(gates[t, rows, :N], offsets)
    d = d_c[rows, None]
    traces, d_traces = v[t, rows].reshape(r.shape), d_v[rows].reshape(r.shape)
    d_traces += d * r
    d_z[t, rows, :N] = d_scale_weights(r, offsets, d * traces)


def store(t, first, last, gates, product, b, offsets, factors, v, m, h):
    """Second half of step t: what is written to the traces, and what is left of them just before the next step.

    Parameters
    ----------
    gates : (T, B, 3*N) array
        In: `retrieve`'s, and x w_x; out: also q.
    product : (B, N) array
        c w_c.
    factors : (T + 1, B, M) array
        By which the traces fade before each step, row T: after the last one.
    v
        As in `retrieve`; row t + 1 is written.
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


def d_store(t, first, last, gates, offsets, factors, v, d_y, decayed, d_m, d_v, d_z, d_factors):
    """Adjoint of `store`: writes the second and third block of row t of d_z, and row t + 1 of d_factors if it has one.

    ``d_m`` (B, N) and ``d_v`` (B, M*N) are the adjoints of what is left of the traces before the next step; ``d_v``
    becomes that of the traces before this one.  Row t of ``d_y`` (T, B, N) belongs to h, or to
    m where it is ``decayed``.
    """
    N, rows = d_y.shape[2], slice(first, last)
    s = scale_weights(gates[t, rows, N : 2 * N], offsets)
    q = gates[t, rows, 2 * N :]
    traces, d_traces, d_out = v[t, rows].reshape(s.shape), d_v[rows].reshape(s.shape), d_y[t, rows]
    d_faded = d_traces + (d_m[rows] + d_out if decayed else d_m[rows])[:, None]
    change = q[:, None] - traces
    if d_factors.size:
        d_factors[t + 1, rows] = (d_faded * (traces + s * change)).sum(2)
    d_new = d_faded * factors[t + 1, rows, :, None]
    if not decayed:
        d_new += d_out[:, None]
    d_traces[:] = d_new * (1 - s)
    d_z[t, rows, N : 2 * N] = d_scale_weights(s, offsets, d_new * change)
    d_z[t, rows, 2 * N :] = (d_new * s).sum(1) * (1 - q * q)
