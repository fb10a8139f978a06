"""The LRC: the definition in NumPy.

`ltc_np.cells.lrc` has the equations; docs/maths/lrc.md derives every line.  Each unfold is a step of the solvers of
`ltc_np.kernels.numpy.ltc_solvers` with P = vleak tanh(z), Q = sigmoid(f), a capacity of 1 and the length h epsilon.
"""

from typing import NamedTuple

import numpy as np

from ...base.activations import sigmoid
from ..codes import CONSTANT
from .elastance import d_elastance_of, elastance_of, named_rates
from .ltc_solvers import advance, d_advance


class _Synapses:
    """One kind of synapse: index lists, prefix of the names, effective values; no ``elastance_w``: None."""

    def __init__(self, lists, prefix, p):
        self.lists, self.prefix = lists, prefix
        self.w, self.h, self.mu, self.sigma = (p[prefix + name] for name in ("w", "h", "mu", "sigma"))
        self.elastance_w = p.get(prefix + "elastance_w")


class Circuit:
    """Effective parameters of an LRC as `forward` and `backward` read them.

    Parameters
    ----------
    recurrent, sensory : Synapses
        Sorted index lists.
    p : dict
        Effective values by name; what the elastance does not have is missing.
    elastance : int
        Its number in `ltc_np.kernels.codes`.
    """

    def __init__(self, recurrent, sensory, p, elastance):
        self.recurrent, self.sensory = _Synapses(recurrent, "", p), _Synapses(sensory, "sensory_", p)
        self.gleak, self.vleak, self.elastance = p["gleak"], p["vleak"], elastance
        self.elastance_v, self.shift = p.get("elastance_v"), p.get("elastance_shift")
        bias = p.get("elastance_b")
        self.leak = self.gleak, self.gleak, np.zeros_like(self.gleak) if bias is None else bias


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, the potentials that it kept, and the last ones."""

    x: np.ndarray
    dt: np.ndarray
    states: list
    h_last: np.ndarray
    keep: str


def _drives(synapses, source, f, z, a):
    """s = sigmoid(sigma * (source - mu)), and f, z and a with what every synapse adds to them."""
    lists = synapses.lists
    source = source[:, lists.pre]
    s = sigmoid(synapses.sigma * (source - synapses.mu))
    f, z = f + lists.sum_to_post(synapses.w * s), z + lists.sum_to_post(synapses.h * s)
    return s, f, z, a if synapses.elastance_w is None else a + lists.sum_to_post(synapses.elastance_w * source)


def _d_drives(synapses, source, s, d_f, d_z, d_a, g):
    """Adjoint of `_drives`: d_source; the gradients of the synapses are added to ``g``."""
    lists, prefix = synapses.lists, synapses.prefix
    source, d_f, d_z = source[:, lists.pre], d_f[:, lists.post], d_z[:, lists.post]
    d_y = (d_f * synapses.w + d_z * synapses.h) * s * (1 - s)
    g[prefix + "w"] += (d_f * s).sum(0)
    g[prefix + "h"] += (d_z * s).sum(0)
    g[prefix + "sigma"] += (d_y * (source - synapses.mu)).sum(0)
    g[prefix + "mu"] -= d_y.sum(0) * synapses.sigma
    d_source = d_y * synapses.sigma
    if synapses.elastance_w is not None:
        d_a = d_a[:, lists.post]
        g[prefix + "elastance_w"] += (d_a * source).sum(0)
        d_source = d_source + d_a * synapses.elastance_w
    return lists.sum_to_pre(d_source)


def _unfold_length(dt, t, rule):
    """h (B, 1) of time step t."""
    return (dt[:, t] / dt.dtype.type(rule.unfolds))[:, None]


def _rates(circuit, v, sensory):
    """s of the recurrent synapses; R = sigmoid(f), U = tanh(z), a and epsilon at the potentials v.

    ``sensory`` has f, z and a without what comes from the neurons.
    """
    s, f, z, a = _drives(circuit.recurrent, v, *sensory)
    if circuit.elastance_v is not None:
        a = a + circuit.elastance_v * v
    return s, sigmoid(f), np.tanh(z), a, elastance_of(circuit.elastance, a, circuit.shift)


def _step(circuit, rule, v, h, sensory):
    """All unfolds of one time step: the potentials from which each stage begins, and the last ones."""
    history, one = [v], v.dtype.type(1)
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base, total = v, None
        _, R, U, _, epsilon = _rates(circuit, v, sensory)
        v, total = advance(rule.solver, stage, h * epsilon, one, U * circuit.vleak, R, base, v, total)
        history.append(v)
    return history


def observe(circuit, x, dt, v, rule):
    """What happens inside of n steps, from their inputs (n, I), elapsed times (n,) and the potentials before (n, N).

    All but the potentials is as it is at the beginning of the last unfold, potentials[:, -2].
    """
    s_sensory, *sensory = _drives(circuit.sensory, x, *circuit.leak)
    history = _step(circuit, rule, v, _unfold_length(dt[:, None], 0, rule), sensory)
    potentials = np.stack(history[:: rule.stages], axis=1)
    v = potentials[:, -2]
    _, f, z, _ = _drives(circuit.recurrent, v, *sensory)
    s, R, U, a, epsilon = _rates(circuit, v, sensory)
    rates = named_rates(circuit.elastance, v, f, z, a, R, U, epsilon, circuit.vleak)
    return {"potentials": potentials} | rates | {"activations": s, "sensory_activations": s_sensory}


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    circuit : Circuit
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    rule : Rule
    n_out : int
    keep : None, "full" or "low"
        States to store for `backward`: none, those of every stage (T*U*stages*N values a sequence), or those before
        every step (T*N), from which it runs the unfolds again.
    workspace : Workspace

    Returns
    -------
    motor (B, T, n_out), h_last (B, N), saved
    """
    (B, T, _), v = x.shape, h0
    motor = np.empty((B, T, n_out), x.dtype)
    states = []
    for t in range(T):
        _, *sensory = _drives(circuit.sensory, x[:, t], *circuit.leak)
        *before, last = _step(circuit, rule, v, _unfold_length(dt, t, rule), sensory)
        states += {None: [], "low": [v], "full": before}[keep]
        v = last
        motor[:, t] = v[:, :n_out]
    return motor, v, _Saved(x, dt, states, v, keep) if keep else None


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T); parameter gradients are added to ``g``."""
    x, dt, states, h_last, keep = saved
    (_, T, _), K, d_v = x.shape, rule.evaluations, d_h
    one = x.dtype.type(1)
    d_x = np.zeros_like(x)
    d_dt = np.zeros_like(dt)
    for t in range(T - 1, -1, -1):
        h = _unfold_length(dt, t, rule)
        s_sensory, *sensory = _drives(circuit.sensory, x[:, t], *circuit.leak)
        if keep == "full":
            after = states[(t + 1) * K] if t + 1 < T else h_last
            history = [*states[t * K : (t + 1) * K], after]
        else:
            history = _step(circuit, rule, states[t], h, sensory)
        step_d_f = step_d_z = step_d_a = 0
        d_v = d_v.copy()
        d_v[:, : d_motor.shape[2]] += d_motor[:, t]
        d_base = d_end = None
        for k in range(K - 1, -1, -1):
            stage = k % rule.stages
            base, v, v_new = history[k - stage], history[k], history[k + 1]
            s, R, U, a, epsilon = _rates(circuit, v, sensory)
            d_P, d_R, _, d_length, d_v, d_base, d_end = d_advance(
                rule.solver, stage, h * epsilon, one, U * circuit.vleak, R, base, v, v_new, d_v, d_base, d_end
            )
            d_dt[:, t] += (d_length * epsilon).sum(1) / x.dtype.type(rule.unfolds)
            d_a, d_shift = d_elastance_of(circuit.elastance, a, circuit.shift, d_length * h)
            d_f, d_z = d_R * R * (1 - R), d_P * circuit.vleak * (1 - U * U)
            g["vleak"] += (d_P * U).sum(0)
            if circuit.shift is not None:
                g["elastance_shift"] += d_shift.sum(0)
            if circuit.elastance_v is not None:
                g["elastance_v"] += (d_a * v).sum(0)
                d_v = d_v + d_a * circuit.elastance_v
            d_v = d_v + _d_drives(circuit.recurrent, v, s, d_f, d_z, d_a, g)
            step_d_f, step_d_z, step_d_a = step_d_f + d_f, step_d_z + d_z, step_d_a + d_a
        d_x[:, t] = _d_drives(circuit.sensory, x[:, t], s_sensory, step_d_f, step_d_z, step_d_a, g)
        g["gleak"] += (step_d_f + step_d_z).sum(0)
        if circuit.elastance != CONSTANT:
            g["elastance_b"] += step_d_a.sum(0)
    return d_x, d_v, d_dt
