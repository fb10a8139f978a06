"""Continuous-time gated recurrent unit: the definition, matrix products by BLAS.

A unit holds M traces that fade with the time constants tau_0 < tau_1 < ...; its output is their sum.  At every event
gates choose a time scale to read from (retrieval) and one to write to (storage)::

    v_k = h_hat_k exp(-dt / tau_k)                       what the time since the last event has left
    m = sum_k v_k
    a = x w_x + m w_h + b                                (first and second block of N columns: ln tau^R, ln tau^S)
    r_k, s_k = softmax_k(-(a - ln tau_k)^2)              of either block
    c = sum_k r_k v_k
    q = tanh(x w_x + c w_c + b)                          (third block)
    h_hat_k = v_k + s_k (q - v_k)
    h = sum_k h_hat_k

Source: Mozer, Kazakov & Lindsey, "Discrete Event, Continuous Time RNNs", arXiv 1710.04110.  docs/maths/ctgru.md derives
every line and tells where published code departs from the paper.
"""

import math

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.layout import Entry, Layout
from .base import Layer, cell_sizes
from .gates import (
    add_product,
    add_sum,
    arrays,
    by_sequence,
    count_parts,
    d_project,
    d_sweep,
    glorot,
    orthogonal,
    project,
    sweep,
    transposes,
)

ORDERS = ("before", "after")
# ln(tau) of every scale lies within +-LARGEST, so that no rate or its product with a time constant overflows.
LARGEST = 60.0


class CTGRU(Layer):
    """A layer of continuous-time gated recurrent units.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    scales : int >= 1
        M: traces of a unit.
    tau_min : float > 0
        Their shortest time constant, in the unit of ``dt``.
    tau_ratio : float > 1
        From one time constant to the next: tau_k = tau_min * tau_ratio**k.
    decay : "before" or "after"
        Whether traces fade before a step's input is read or after it has been stored.  ``"before"``: ``dt`` is the
        time before the step, as everywhere else, and h is the output at the time of the event.  ``"after"``: the
        published order, in which ``dt[t]`` is the time from x[t] on to the next event, and h what is left then.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    In order ``"after"`` with ``dt = d`` a network has the same traces at every event as in order ``"before"`` with d
    one step later and 0 first; only outputs and the state at the end are taken one decay later.

    Parameters: ``w_x`` (I, 3N), in three blocks of columns: retrieval scale, storage scale, signal q; ``w_h`` (N, 2N)
    for the first two and ``w_c`` (N, N) for the third, all three subject to weight decay; ``b`` (3N,).  Initially w_x
    is uniform (Glorot), w_h and w_c orthogonal, b is ln(tau_min) for both scales and 0 for q (published: 0, the same
    at ``tau_min=1``).  State: ``h_hat_0`` ... (N,) each, M*N numbers.  A step with dt = 0 is not the identity: an event
    is stored whenever it comes.  Cost: 3*B*T*N*(I + N) multiplications and 2*M*B*T*N exponentials; three times and
    twice that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CTGRU, Dense, Model
    >>> model = Model(CTGRU(32, 3), Dense(32, 2), seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    takes_dt = smooth = causal = True

    def __init__(self, units, input_dim, *, scales=8, tau_min=1.0, tau_ratio=10**0.5, decay="before", init=None):
        N, I = cell_sizes(units, input_dim)
        self.scales = M = checks.integer("scales", scales)
        self.tau_min = checks.number("tau_min", tau_min, low_open=True)
        self.tau_ratio = checks.number("tau_ratio", tau_ratio, low=1.0, low_open=True)
        self.decay = checks.one_of("decay", decay, ORDERS)
        logs = math.log(self.tau_min), math.log(self.tau_min) + (M - 1) * math.log(self.tau_ratio)
        if not -LARGEST <= logs[0] <= logs[1] <= LARGEST:
            raise ValueError(
                f"`tau_min` and `tau_ratio` must give {M} time constants with |ln(tau)| <= {LARGEST:g}, "
                f"got ln(tau) from {logs[0]:.4g} to {logs[1]:.4g}"
            )
        self.units, self.input_dim = N, I
        self.input_size, self.output_size, self.state_size = I, N, M * N
        self.state_slices = {f"h_hat_{k}": slice(k * N, (k + 1) * N) for k in range(M)}
        shapes = {"w_x": (I, 3 * N), "w_h": (N, 2 * N), "w_c": (N, N), "b": (3 * N,)}
        self.init = checks.initial_values(init, shapes)
        b = np.repeat([logs[0], logs[0], 0.0], N)
        initial = {"w_x": glorot(I, 3 * N), "w_h": orthogonal, "w_c": orthogonal, "b": b} | self.init
        self.layout = Layout(
            tuple(Entry(name, shape, initial[name], decay=name != "b") for name, shape in shapes.items())
        )
        self._seal()

    def prepare(self, p, buffers, backend):
        N, M, b = self.output_size, self.scales, p["b"].copy()
        step = math.log(self.tau_ratio)
        # From the middle of the scales: squares are smaller, and rounded less.
        b[: 2 * N] -= b.dtype.type(math.log(self.tau_min) + step * (M - 1) / 2)
        offsets = (step * (np.arange(M) - (M - 1) / 2)).astype(b.dtype)
        rates = (1 / (self.tau_min * self.tau_ratio ** np.arange(M))).astype(b.dtype)
        return p, transposes(p, "w_x", "w_h", "w_c"), b, offsets, rates, pointwise(backend)

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        p, _, b, offsets, rates, (retrieve, store, _, _) = prepared
        (B, T, I), N, M, w_h, w_c = x.shape, self.output_size, self.scales, p["w_h"], p["w_c"]
        shapes = (T, B, I), (T, B, 3 * N), (B, 2 * N), (B, N), (B, M * N), (T, B, N), (T, B, N)
        shapes += (T + 1, B, N), (T + 1, B, M * N)
        made = workspace.kept("forward", (B, T), lambda: arrays(x.dtype, *shapes))
        inputs, gates, recurrent, product, weights, c, h, m, v = made
        inputs[:] = x.transpose(1, 0, 2)
        # Row t: what becomes of the traces just before step t, row T: after the last one.
        factors = np.ones((T + 1, B, M), x.dtype)
        decays = factors[:T] if self.decay == "before" else factors[1:]
        with np.errstate(over="ignore", under="ignore"):
            np.exp(-dt.T[:, :, None] * rates, out=decays)
        v[0] = h0
        by_scale = v[0].reshape(B, M, N)
        by_scale *= factors[0][:, :, None]
        m[0] = by_scale.sum(1)

        def steps(t, first, last):
            np.dot(m[t, first:last], w_h, out=recurrent[first:last])
            retrieve(t, first, last, gates, recurrent, b, offsets, v, weights, c)
            np.dot(c[t, first:last], w_c, out=product[first:last])
            store(t, first, last, gates, product, b, offsets, factors, v, weights, m, h)

        parts = count_parts(B, w_h.size + w_c.size)
        with blas.one_thread():
            project(inputs, p["w_x"], gates, parts)
            sweep(steps, lengths, T, parts, (v, m))
        y = by_sequence(h if self.decay == "before" else m[1:], workspace)
        saved = inputs, gates, c, m, v, factors, h0.copy(), lengths
        return y, v[T].copy(), saved if keep else None

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        _, turned, _, offsets, rates, (_, _, d_retrieve, d_store) = prepared
        inputs, gates, c, m, v, factors, h0, lengths = saved
        (T, B, _), N, M, w_h, w_c = inputs.shape, self.output_size, self.scales, turned["w_h"], turned["w_c"]
        shapes = inputs.shape, gates.shape, (T, B, N), (B, N), (B, N), (B, M * N), (B, M * N)
        made = workspace.kept("backward", (B, T), lambda: arrays(v.dtype, *shapes))
        d_inputs, d_z, d_hidden, d_c, d_m, d_v, weights = made
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_v[:], d_m[:] = d_h, 0
        d_factors = np.zeros(factors.shape if want_dt else (0, 0, 0), v.dtype)
        after = self.decay == "after"

        def steps(t, first, last):
            d_store(t, first, last, gates, offsets, factors, v, weights, d_hidden, after, d_m, d_v, d_z, d_factors)
            np.dot(d_z[t, first:last, 2 * N :], w_c, out=d_c[first:last])
            d_retrieve(t, first, last, gates, offsets, v, weights, c, d_c, d_v, d_z)
            np.dot(d_z[t, first:last, : 2 * N], w_h, out=d_m[first:last])

        parts = count_parts(B, w_h.size + w_c.size)
        with blas.one_thread():
            d_sweep(steps, lengths, T, parts, (d_v, d_m), (d_z,))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], m[:T], d_z[:, :, : 2 * N], parts)
            add_product(g["w_c"], c, d_z[:, :, 2 * N :], parts)
            add_sum(g["b"], d_z, parts)
            d_x = d_project(d_z, turned["w_x"], d_inputs, parts) if want_x else None
        d_traces = d_v.reshape(B, M, N) + d_m[:, None]
        d_dt = None
        if want_dt:
            d_factors[0] = (d_traces * h0.reshape(B, M, N)).sum(2)
            d_decays, decays = (d[1:] if after else d[:T] for d in (d_factors, factors))
            d_dt = np.ascontiguousarray((-(d_decays * decays) @ rates).T)
            d_dt[np.arange(T) >= lengths[:, None]] = 0
        return d_x, (d_traces * factors[0][:, :, None]).reshape(B, M * N), d_dt


def pointwise(backend):
    """`retrieve` and `store` of a backend, and their adjoints."""
    fast = kernels.load(backend, "ctgru")
    if fast:
        return fast.retrieve, fast.store, fast.d_retrieve, fast.d_store
    return retrieve, store, d_retrieve, d_store


# ------------------------------------------------------------------------------------------ NumPy backend


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
