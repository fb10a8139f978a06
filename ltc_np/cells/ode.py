"""Recurrent networks that are a differential equation: what `CTRNN` and `NeuralODE` share, in NumPy.

The state v of N units follows, while the input x is held::

    v' = f(x w_x + v w_h + b) - Q v

with a leak Q = 1/tau or without one.  That is cm v' = P - Q v with cm = 1 and P = f(...), so the solvers are those of
`ltc_np.cells.ltc_solvers`: one elapsed time dt is cut into U unfolds of h = dt/U.  No solver moves v where dt = 0.
"""

import numpy as np

from .. import kernels
from ..base import activations, blas, checks
from ..base.layout import Entry
from .base import Layer, cell_sizes
from .initial import glorot, orthogonal, with_init
from .ltc_solvers import SOLVERS, advance, d_advance

BOUNDED = ("tanh", "sigmoid", "lecun_tanh")  # activations with which a state grows with time at most


class OdeCell(Layer):
    """Base of the cells; a subclass adds its parameters and says what the leak is.

    Parameters
    ----------
    units, input_dim, ode_unfolds : int >= 1
    solver, activation : str
    solvers : tuple of str
        Those that the cell knows.
    feedback : bool
        Whether v itself is an argument of f; otherwise there is no ``w_h``.
    entries : tuple of Entry
        Further parameters.
    init : dict or None
        As for the cells.
    unchecked : bool
        Steps too long for an explicit solver are not refused.
    """

    takes_dt = dt0_identity = causal = bitwise_batch = True
    reference_solver = "rk4"

    def __init__(
        self, units, input_dim, solver, solvers, ode_unfolds, activation, feedback, entries, init, unchecked=False
    ):
        N, I = cell_sizes(units, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds)
        checks.one_of("solver", solver, solvers)
        activations.get(activation)  # refuses what it does not know
        self.solver, self.method, self.activation = solver, SOLVERS[solver], activation
        self.smooth = activation != "relu"
        self.may_overflow = activation not in BOUNDED or (unchecked and self.method.limit is not None)
        self.units, self.input_dim = N, I
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"v": slice(0, N)}
        entries = (
            Entry("w_x", (I, N), glorot(I, N), decay=True),
            *((Entry("w_h", (N, N), orthogonal, decay=True),) if feedback else ()),
            Entry("b", (N,)),
            *entries,
        )
        self.init, self.layout = with_init(entries, init)
        self._seal()

    def leak(self, p):
        """Q (N,) of the effective parameters."""
        raise NotImplementedError

    def add_leak_gradient(self, p, d_Q, g):
        """Adjoint of `leak`; d_Q (N,) is float64."""
        raise NotImplementedError

    def prepare(self, p, buffers, backend):
        fast = kernels.load(backend, "ode")
        network = fast.Network if fast else Network
        return network(p["w_x"], p.get("w_h"), p["b"], self.leak(p), self.activation), p, fast

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        network, _, fast = prepared
        run = fast.forward if fast else forward
        return run(network, x, dt, lengths, h0, self.method, self.ode_unfolds, keep, workspace)

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        network, p, fast = prepared
        run = fast.backward if fast else backward
        rule = self.method, self.ode_unfolds
        d_x, d_h0, d_dt, d_Q = run(network, saved, d_y, d_h, *rule, want_x, want_dt, g, workspace)
        self.add_leak_gradient(p, d_Q, g)
        return d_x, d_h0, d_dt


# ------------------------------------------------------------------------------------------ NumPy backend


class Network:
    """Effective parameters: w_x (I, N), w_h (N, N) or None, b and Q (N,), and the activation's name."""

    def __init__(self, w_x, w_h, b, Q, activation):
        self.w_x, self.w_h, self.b, self.Q = w_x, w_h, b, Q
        self.f, self.d_f = activations.get(activation)


def _product(a, w):
    """a @ w as one product a row, so that a row's bits do not depend on the others."""
    return np.matmul(a[:, None], w)[:, 0]


def forward(network, x, dt, lengths, h0, solver, unfolds, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    network : Network
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    solver : Solver
    unfolds : int
    keep : None, "full" or "low"
        What to store for `backward`: nothing, what every stage begins with (2*T*U*stages*N values a sequence), or the
        state before every step (T*N), from which it runs the unfolds again.

    Returns
    -------
    y (B, T, N), h_last (B, N), saved
    """
    (B, T, _), v = x.shape, h0
    y = np.empty((B, T, v.shape[1]), x.dtype)
    steps = []
    with blas.one_thread():
        for t in range(T):
            history, zs = _step(network, x, dt, t, solver, unfolds, v)
            steps += {None: [], "low": [v], "full": [(history, zs)]}[keep]
            v = history[-1]
            y[:, t] = v
    return y, v, (x, dt, steps, keep) if keep else None


def _step(net, x, dt, t, solver, unfolds, v):
    """Time step t: the states from which its stages begin, and the last one; and the stages' arguments of f."""
    h, one = (dt[:, t] / x.dtype.type(unfolds))[:, None], x.dtype.type(1)
    z_x = _product(x[:, t], net.w_x) + net.b
    history, zs = [v], []
    for k in range(unfolds * solver.stages):
        stage = k % solver.stages
        if stage == 0:
            base, total = v, None
        z = z_x if net.w_h is None else z_x + _product(v, net.w_h)
        v, total = advance(solver.name, stage, h, one, net.f(z), net.Q, base, v, total)
        history.append(v)
        zs.append(z)
    return history, zs


def backward(network, saved, d_y, d_v, solver, unfolds, want_x, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T), d_Q (N,); gradients are added to ``g``."""
    net = network
    x, dt, steps, keep = saved
    d_x, d_dt, one = np.empty_like(x), np.zeros_like(dt), x.dtype.type(1)
    d_Q_sum = np.zeros(d_v.shape[1])
    with blas.one_thread():
        for t in range(x.shape[1] - 1, -1, -1):
            h = (dt[:, t] / x.dtype.type(unfolds))[:, None]
            history, zs = steps[t] if keep == "full" else _step(net, x, dt, t, solver, unfolds, steps[t])
            d_v, d_z_x = d_v + d_y[:, t], 0
            d_base = d_end = None
            for k in range(unfolds * solver.stages - 1, -1, -1):
                stage, z, v, v_new = k % solver.stages, zs[k], history[k], history[k + 1]
                base, P = history[k - stage], net.f(z)
                d_P, d_Q, _, d_h, d_v, d_base, d_end = d_advance(
                    solver.name, stage, h, one, P, net.Q, base, v, v_new, d_v, d_base, d_end
                )
                d_Q_sum += d_Q.sum(0)
                d_dt[:, t] += d_h.sum(1) / x.dtype.type(unfolds)
                d_z = d_P * net.d_f(z, P)
                d_z_x = d_z_x + d_z
                if net.w_h is not None:
                    d_v = d_v + d_z @ net.w_h.T
                    g["w_h"] += v.T @ d_z
            d_x[:, t] = d_z_x @ net.w_x.T
            g["w_x"] += x[:, t].T @ d_z_x
            g["b"] += d_z_x.sum(0)
    return d_x, d_v, d_dt, d_Q_sum
