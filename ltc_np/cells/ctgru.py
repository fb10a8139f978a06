"""Continuous-time gated recurrent unit.

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

Source: Mozer, Kazakov & Lindsey, "Discrete Event, Continuous Time RNNs", arXiv 1710.04110.
docs/maths/ctgru.md#the-gradients derives every line and tells where published code departs from the paper.
"""

import math
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry
from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init

ORDERS = ("before", "after")
# ln(tau) of every scale lies within +-LARGEST, so that no rate or its product with a time constant overflows.
LARGEST = 60.0


class Prepared(NamedTuple):
    """What a call needs of the parameters.

    Attributes
    ----------
    matrices, kernels : object
        Kernels that take sequences through all steps, and the parameters as they read them.
    middle : number
        The logarithm of the time constant in the middle of all scales.
    rates : (M,) array
        1 / tau_k.
    """

    matrices: Any
    kernels: ModuleType
    middle: np.floating[Any]
    rates: np.ndarray


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    kernels : object
        What they saved.
    factors : (T + 1, B, M) array
        By which the traces fade before each step, row T: after the last one.
    h0 : (B, M*N) array
    lengths : (B,) array
    """

    kernels: Any
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
        ctgru = kernels.load(backend, "ctgru")
        return Prepared(ctgru.Matrices(p["w_x"], p["w_h"], p["w_c"], b, offsets), ctgru, middle, rates)

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        (B, T, _), N, M = x.shape, self.output_size, self.scales
        # Row t: what becomes of the traces just before step t, row T: after the last one.
        factors, after = np.ones((T + 1, B, M), x.dtype), self.decay == "after"
        with np.errstate(over="ignore", under="ignore"):
            np.exp(-dt.T[:, :, None] * prepared.rates, out=factors[1:] if after else factors[:T])
        v0 = (h0.reshape(B, M, N) * factors[0][:, :, None]).reshape(B, M * N)
        given = prepared.matrices, x, factors, lengths, v0, after, keep, workspace
        y, v_last, saved = prepared.kernels.forward(*given)
        return y, v_last, Saved(saved, factors, h0.copy(), lengths) if keep else None

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
        kept, factors, h0, lengths = saved
        (B, T, N), M, after = d_y.shape, self.scales, self.decay == "after"
        given = prepared.matrices, kept, d_y, d_h, g, want_x, want_dt, workspace
        d_x, d_v0, d_factors = prepared.kernels.backward(*given)
        d_traces, d_dt = d_v0.reshape(B, M, N), None
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
        kept, factors, *_ = found[2]
        seen = prepared.kernels.observe(kept.gates[0], prepared.middle, prepared.matrices.offsets)
        traces = kept.v[0].reshape(len(x), self.scales, self.units)
        decay = factors[0 if self.decay == "before" else 1]
        return {"traces": traces, **seen, "read": kept.c[0], "decay": decay}
