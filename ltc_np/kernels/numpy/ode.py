"""CT-RNN and neural ODE: the definition in NumPy.

`ltc_np.cells.ode` has the equation; docs/maths/ctrnn.md and docs/maths/neural_ode.md derive every line.
"""

from typing import NamedTuple

import numpy as np

from ...base import activations, blas
from .ltc_solvers import advance, d_advance


class VectorField:
    """Effective parameters: w_x (I, N), w_h (N, N) or None, b and Q (N,), and the activation's name."""

    def __init__(self, w_x, w_h, b, Q, activation):
        self.w_x, self.w_h, self.b, self.Q = w_x, w_h, b, Q
        self.f, self.d_f = activations.get(activation)


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, and of every step its states and arguments of f, or its start."""

    x: np.ndarray
    dt: np.ndarray
    steps: list
    keep: str


def _product(a, w):
    """a @ w as one product a row, so that a row's bits do not depend on the others."""
    return np.matmul(a[:, None], w)[:, 0]


def _unfold_length(dt, t, rule):
    """h (B, 1) of time step t."""
    return (dt[:, t] / dt.dtype.type(rule.unfolds))[:, None]


def _step(field, x, h, rule, v):
    """One time step: the states from which its stages begin, and the last one; and the stages' arguments of f."""
    one = x.dtype.type(1)
    z_x = _product(x, field.w_x) + field.b
    history, zs = [v], []
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base, total = v, None
        z = z_x if field.w_h is None else z_x + _product(v, field.w_h)
        v, total = advance(rule.solver, stage, h, one, field.f(z), field.Q, base, v, total)
        history.append(v)
        zs.append(z)
    return history, zs


def observe(field, x, dt, v, rule):
    """What happens inside of n steps, from their inputs (n, I), elapsed times (n,) and the states before (n, N).

    Drive and leak, and their sum, the slope v', are those at the beginning of the last unfold, potentials[:, -2].
    """
    history, zs = _step(field, x, _unfold_length(dt[:, None], 0, rule), rule, v)
    potentials = np.stack(history[:: rule.stages], axis=1)
    drive, leak = field.f(zs[-rule.stages]), -field.Q * potentials[:, -2]
    return {"potentials": potentials, "drive": drive, "leak": leak, "slope": drive + leak}


def forward(field, x, dt, lengths, h0, rule, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    field : VectorField
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    rule : Rule
    keep : None, "full" or "low"
        What to store for `backward`: nothing, what every stage begins with (2*T*U*stages*N values a sequence), or the
        state before every step (T*N), from which it runs the unfolds again.
    workspace : Workspace

    Returns
    -------
    y (B, T, N), h_last (B, N), saved
    """
    (B, T, _), v = x.shape, h0
    y = np.empty((B, T, v.shape[1]), x.dtype)
    steps = []
    with blas.one_thread():
        for t in range(T):
            history, zs = _step(field, x[:, t], _unfold_length(dt, t, rule), rule, v)
            steps += {None: [], "low": [v], "full": [(history, zs)]}[keep]
            v = history[-1]
            y[:, t] = v
    return y, v, _Saved(x, dt, steps, keep) if keep else None


def backward(field, saved, d_y, d_h, rule, want_x, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T), d_Q (N,); gradients are added to ``g``."""
    x, dt, steps, keep = saved
    d_x, d_dt, one, d_v = np.empty_like(x), np.zeros_like(dt), x.dtype.type(1), d_h
    d_Q_sum = np.zeros(d_v.shape[1])
    with blas.one_thread():
        for t in range(x.shape[1] - 1, -1, -1):
            h = _unfold_length(dt, t, rule)
            history, zs = steps[t] if keep == "full" else _step(field, x[:, t], h, rule, steps[t])
            d_v, d_z_x = d_v + d_y[:, t], 0
            d_base = d_end = None
            for k in range(rule.evaluations - 1, -1, -1):
                stage, z, v, v_new = k % rule.stages, zs[k], history[k], history[k + 1]
                base, P = history[k - stage], field.f(z)
                d_P, d_Q, _, d_length, d_v, d_base, d_end = d_advance(
                    rule.solver, stage, h, one, P, field.Q, base, v, v_new, d_v, d_base, d_end
                )
                d_Q_sum += d_Q.sum(0)
                d_dt[:, t] += d_length.sum(1) / x.dtype.type(rule.unfolds)
                d_z = d_P * field.d_f(z, P)
                d_z_x = d_z_x + d_z
                if field.w_h is not None:
                    d_v = d_v + d_z @ field.w_h.T
                    g["w_h"] += v.T @ d_z
            d_x[:, t] = d_z_x @ field.w_x.T
            g["w_x"] += x[:, t].T @ d_z_x
            g["b"] += d_z_x.sum(0)
    return d_x, d_v, d_dt, d_Q_sum
