"""Continuous-time gated recurrent unit, matrix products by BLAS.

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
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace, arrays
from ..kernels.gates import (
    add_product,
    add_sum,
    by_sequence,
    count_parts,
    d_project,
    d_sweep,
    project,
    sweep,
    transposes,
)
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init

ORDERS = ("before", "after")
# ln(tau) of every scale lies within +-LARGEST, so that no rate or its product with a time constant overflows.
LARGEST = 60.0


class Prepared(NamedTuple):
    """What a call needs of the parameters.

    Attributes
    ----------
    p : dict
        Effective values by name.
    transposed : dict
        Transposes of the matrices among them.
    b : (3*N,) array
        With both scales from the middle of all scales.
    middle : number
        The logarithm of that time constant.
    offsets, rates : (M,) arrays
        ln(tau_k) from their middle, and 1 / tau_k.
    kernels : module
        With the pointwise parts of a step and their adjoints.
    """

    p: Arrays
    transposed: Arrays
    b: np.ndarray
    middle: np.floating[Any]
    offsets: np.ndarray
    rates: np.ndarray
    kernels: ModuleType


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    inputs (T, B, I), gates (T, B, 3*N), c (T, B, N), m (T + 1, B, N), v (T + 1, B, M*N) : arrays
        As in `ltc_np.kernels.numpy.ctgru`.
    factors : (T + 1, B, M) array
        By which the traces fade before each step, row T: after the last one.
    h0 : (B, M*N) array
    lengths : (B,) array
    """

    inputs: np.ndarray
    gates: np.ndarray
    c: np.ndarray
    m: np.ndarray
    v: np.ndarray
    factors: np.ndarray
    h0: np.ndarray
    lengths: np.ndarray


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
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

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
    >>> model = Model(CTGRU(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    units: int
    scales: int
    tau_min: float
    tau_ratio: float
    decay: Literal["before", "after"]

    takes_dt = smooth = causal = contracting = True
    lowering = "ctgru.lower"

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        scales: int = 8,
        tau_min: float = 1.0,
        tau_ratio: float = 10**0.5,
        decay: Literal["before", "after"] = "before",
        init: Init = None,
    ) -> None:
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
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, M * N
        self.state_slices = {f"h_hat_{k}": slice(k * N, (k + 1) * N) for k in range(M)}
        entries = (
            Entry("w_x", (I, 3 * N), glorot(I, 3 * N), decay=True),
            Entry("w_h", (N, 2 * N), orthogonal, decay=True),
            Entry("w_c", (N, N), orthogonal, decay=True),
            Entry("b", (3 * N,), np.repeat([logs[0], logs[0], 0.0], N)),
        )
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        N, M, b = self.output_size, self.scales, p["b"].copy()
        step = math.log(self.tau_ratio)
        # From the middle of the scales: squares are smaller, and rounded less.
        middle = b.dtype.type(math.log(self.tau_min) + step * (M - 1) / 2)
        b[: 2 * N] -= middle
        offsets = (step * (np.arange(M) - (M - 1) / 2)).astype(b.dtype)
        rates = (1 / (self.tau_min * self.tau_ratio ** np.arange(M))).astype(b.dtype)
        return Prepared(
            p, transposes(p, "w_x", "w_h", "w_c"), b, middle, offsets, rates, kernels.load(backend, "ctgru")
        )

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        p, b, offsets, retrieve, store = (
            prepared.p, prepared.b, prepared.offsets, prepared.kernels.retrieve, prepared.kernels.store,
        )  # fmt: skip
        (B, T, I), N, M, w_h, w_c = x.shape, self.output_size, self.scales, p["w_h"], p["w_c"]
        scratch = workspace.kept(
            "forward",
            (B, T),
            lambda: arrays(
                x.dtype,
                inputs=(T, B, I),
                gates=(T, B, 3 * N),
                recurrent=(B, 2 * N),
                product=(B, N),
                weights=(B, M * N),
                c=(T, B, N),
                h=(T, B, N),
                m=(T + 1, B, N),
                v=(T + 1, B, M * N),
            ),
        )
        inputs, gates, c, h, m, v = scratch.inputs, scratch.gates, scratch.c, scratch.h, scratch.m, scratch.v
        recurrent, product, weights = scratch.recurrent, scratch.product, scratch.weights
        inputs[:] = x.transpose(1, 0, 2)
        # Row t: what becomes of the traces just before step t, row T: after the last one.
        factors = np.ones((T + 1, B, M), x.dtype)
        decays = factors[:T] if self.decay == "before" else factors[1:]
        with np.errstate(over="ignore", under="ignore"):
            np.exp(-dt.T[:, :, None] * prepared.rates, out=decays)
        v[0] = h0
        by_scale = v[0].reshape(B, M, N)
        by_scale *= factors[0][:, :, None]
        m[0] = by_scale.sum(1)

        def step(t, first, last):
            np.dot(m[t, first:last], w_h, out=recurrent[first:last])
            retrieve(t, first, last, gates, recurrent, b, offsets, v, weights, c)
            np.dot(c[t, first:last], w_c, out=product[first:last])
            store(t, first, last, gates, product, b, offsets, factors, v, weights, m, h)

        parts = count_parts(B, w_h.size + w_c.size)
        with blas.one_thread():
            project(inputs, p["w_x"], gates, parts)
            sweep(step, lengths, T, parts, (v, m))
        y = by_sequence(h if self.decay == "before" else m[1:], workspace)
        saved = Saved(inputs, gates, c, m, v, factors, h0.copy(), lengths) if keep else None
        return y, v[T].copy(), saved

    def backward(
        self,
        prepared: Prepared,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        inputs, gates, c, m, v, factors, h0, lengths = saved
        transposed, offsets, d_retrieve, d_store = (
            prepared.transposed, prepared.offsets, prepared.kernels.d_retrieve, prepared.kernels.d_store,
        )  # fmt: skip
        (T, B, _), N, M, w_h, w_c = inputs.shape, self.output_size, self.scales, transposed["w_h"], transposed["w_c"]
        scratch = workspace.kept(
            "backward",
            (B, T),
            lambda: arrays(
                v.dtype,
                inputs=inputs.shape,
                z=gates.shape,
                hidden=(T, B, N),
                c=(B, N),
                m=(B, N),
                v=(B, M * N),
                weights=(B, M * N),
            ),
        )
        d_z, d_hidden, d_c, d_m, d_v = scratch.z, scratch.hidden, scratch.c, scratch.m, scratch.v
        weights = scratch.weights
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_v[:], d_m[:] = d_h, 0
        d_factors = np.zeros(factors.shape if want_dt else (0, 0, 0), v.dtype)
        after = self.decay == "after"

        def d_step(t, first, last):
            d_store(t, first, last, gates, offsets, factors, v, weights, d_hidden, after, d_m, d_v, d_z, d_factors)
            np.dot(d_z[t, first:last, 2 * N :], w_c, out=d_c[first:last])
            d_retrieve(t, first, last, gates, offsets, v, weights, c, d_c, d_v, d_z)
            np.dot(d_z[t, first:last, : 2 * N], w_h, out=d_m[first:last])

        parts = count_parts(B, w_h.size + w_c.size)
        with blas.one_thread():
            d_sweep(d_step, lengths, T, parts, (d_v, d_m), (d_z,))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], m[:T], d_z[:, :, : 2 * N], parts)
            add_product(g["w_c"], c, d_z[:, :, 2 * N :], parts)
            add_sum(g["b"], d_z, parts)
            d_x = d_project(d_z, transposed["w_x"], scratch.inputs, parts) if want_x else None
        d_traces = d_v.reshape(B, M, N) + d_m[:, None]
        d_dt = None
        if want_dt:
            d_factors[0] = (d_traces * h0.reshape(B, M, N)).sum(2)
            d_decays, decays = (d[1:] if after else d[:T] for d in (d_factors, factors))
            d_dt = np.ascontiguousarray((-(d_decays * decays) @ prepared.rates).T)
            d_dt[np.arange(T) >= lengths[:, None]] = 0
        return d_x, (d_traces * factors[0][:, :, None]).reshape(B, M * N), d_dt

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``traces`` (n, M, N) before a step's input is read, v; ``retrieval`` and ``storage`` (n, M, N), r and s, with
        the time constants ``retrieval_tau`` and ``storage_tau`` (n, N) that they choose; ``read`` (n, N), c;
        ``signal`` (n, N), q; ``decay`` (n, M), exp(-dt / tau) of each scale.
        """
        one = x[:, None], dt[:, None], np.ones(len(x), np.int64), state
        found: Any = self.forward(prepared, *one, "full", Fresh())
        _, gates, c, _, v, factors, *_ = found[2]
        seen = prepared.kernels.observe(gates[0], prepared.middle, prepared.offsets)
        traces = v[0].reshape(len(x), self.scales, self.units)
        decay = factors[0 if self.decay == "before" else 1]
        return {"traces": traces, **seen, "read": c[0], "decay": decay}
