"""Recurrent networks that are a differential equation: what `CTRNN` and `NeuralODE` share.

The state v of N units follows, while the input x is held::

    v' = f(x w_x + v w_h + b) - Q v

with a leak Q = 1/tau or without one.  That is cm v' = P - Q v with cm = 1 and P = f(...), so the solvers are those of
`ltc_np.kernels.numpy.ltc_solvers`: one elapsed time dt is cut into U unfolds of h = dt/U.  No solver moves v where
dt = 0.
"""

from typing import Any, NamedTuple

from .. import kernels
from ..base import activations, checks
from ..base.layout import Entry
from ..base.types import Activation, Array, Arrays, Backend, Init, Ints, Keep, Numbers
from ..base.workspace import Workspace
from ..kernels.codes import MOST_UNFOLDS, SOLVERS, Rule, Solver
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init


class _Prepared(NamedTuple):
    """What calls need of the parameters: the kernels' form of them, they themselves, the kernels."""

    field: Any
    p: Arrays
    kernels: Any


class OdeCell(Layer):
    """Base of the cells; a subclass adds its parameters and says what the leak is.

    Parameters
    ----------
    units, input_dim : int >= 1
    ode_unfolds : int in 1..`MOST_UNFOLDS`
    solver, activation : str
    solvers : tuple of str
        Those that the cell knows.
    feedback : bool
        Whether v itself is an argument of f; otherwise there is no ``w_h``.
    entries : tuple of Entry
        Further parameters.
    init : dict or None
        As for the cells.
    """

    units: int
    solver: str
    ode_unfolds: int
    activation: Activation
    method: Solver
    rule: Rule

    takes_dt = dt0_identity = causal = bitwise_batch = True
    reference_solver = "rk4"

    def __init__(
        self,
        units: int,
        input_dim: int | None,
        solver: str,
        solvers: tuple[str, ...],
        ode_unfolds: int,
        activation: Activation,
        feedback: bool,
        entries: tuple[Entry, ...],
        init: Init,
    ) -> None:
        N, I = cell_sizes(units, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds, most=MOST_UNFOLDS)
        checks.one_of("solver", solver, solvers)
        activations.get(activation)  # refuses what it does not know
        self.solver, self.method, self.activation = solver, SOLVERS[solver], activation
        self.rule = self.method.rule(self.ode_unfolds)
        self.smooth = activation not in activations.KINKED
        self.units, self.input_dim = N, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"v": slice(0, N)}
        entries = (
            Entry("w_x", (I, N), glorot(I, N), decay=True),
            *((Entry("w_h", (N, N), orthogonal, decay=True),) if feedback else ()),
            Entry("b", (N,)),
            *entries,
        )
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def leak(self, p: Arrays) -> Array:
        """Q (N,) of the effective parameters."""
        raise NotImplementedError

    def add_leak_gradient(self, p: Arrays, d_Q: Array, g: Arrays) -> None:
        """Adjoint of `leak`; d_Q (N,) is float64."""
        raise NotImplementedError

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        ode = kernels.load(backend, "ode")
        return _Prepared(ode.VectorField(p["w_x"], p.get("w_h"), p["b"], self.leak(p), self.activation), p, ode)

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        field, _, ode = prepared
        return ode.forward(field, x, dt, lengths, h0, self.rule, keep, workspace)

    def backward(
        self,
        prepared: _Prepared,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        field, p, ode = prepared
        d_x, d_h0, d_dt, d_Q = ode.backward(field, saved, d_y, d_h, self.rule, want_x, want_dt, g, workspace)
        self.add_leak_gradient(p, d_Q, g)
        return d_x, d_h0, d_dt

    def observe(self, prepared: _Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``potentials`` (n, U + 1, N) before each unfold and after the last; when the last begins ``drive`` (n, N), f,
        ``leak`` (n, N), -Q v, and their sum, ``slope``, v'.
        """
        field, _, ode = prepared
        return ode.observe(field, x, dt, state, self.rule)
