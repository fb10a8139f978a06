"""The LTC: the definition in NumPy.

`ltc_np.cells.ltc` has the equations; docs/maths/ltc.md derives every line.
"""

from typing import NamedTuple

import numpy as np

from ...base.activations import sigmoid
from ..codes import SENSORY, SYNAPSE
from .ltc_solvers import advance, d_advance


class _Synapses:
    """One kind of synapse: index lists, effective values, fixed gains, strengths with the gains."""

    def __init__(self, lists, names, p, gain):
        self.lists, self.names, self.gain = lists, names, gain
        w, self.mu, self.sigma, self.erev = (p[name] for name in names)
        self.w = w * gain if gain.size else w


class Circuit:
    """Effective parameters of an LTC as `forward` and `backward` read them.

    Parameters
    ----------
    recurrent, sensory : Synapses
        Sorted index lists.
    p : dict
        Effective values by name.
    gains : (gain, sensory_gain)
        Fixed gains, (S,) each, or (0,) for none.
    epsilon : float
    """

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.recurrent = _Synapses(recurrent, SYNAPSE, p, gains[0])
        self.sensory = _Synapses(sensory, SENSORY, p, gains[1])
        self.cm, self.gleak, self.vleak = p["cm"], p["gleak"], p["vleak"]
        self.leak_p, self.leak_q = self.gleak * self.vleak, self.gleak + self.cm.dtype.type(epsilon)


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, the potentials that it kept, and the last ones."""

    x: np.ndarray
    dt: np.ndarray
    states: list
    h_last: np.ndarray
    keep: str


def _currents(synapses, source, P, Q):
    """s = sigmoid(sigma * (source - mu)), a = w * s, and P and Q with a * erev and a of every synapse added."""
    lists = synapses.lists
    s = sigmoid(synapses.sigma * (source[:, lists.pre] - synapses.mu))
    a = synapses.w * s
    return s, a, P + lists.sum_to_post(a * synapses.erev), Q + lists.sum_to_post(a)


def _d_currents(synapses, source, s, a, d_P, d_Q, g):
    """Adjoint of `_currents`: d_source; the gradients of the synapses are added to ``g``."""
    lists = synapses.lists
    w, mu, sigma, erev = synapses.names
    d_P, d_Q = d_P[:, lists.post], d_Q[:, lists.post]
    d_a = d_P * synapses.erev + d_Q
    d_w = (d_a * s).sum(0)
    d_z = d_a * a * (1 - s)
    g[erev] += (d_P * a).sum(0)
    g[w] += d_w * synapses.gain if synapses.gain.size else d_w
    g[sigma] += (d_z * (source[:, lists.pre] - synapses.mu)).sum(0)
    g[mu] -= d_z.sum(0) * synapses.sigma
    return lists.sum_to_pre(d_z * synapses.sigma)


def _unfold_length(dt, t, rule):
    """h (B, 1) of time step t."""
    return (dt[:, t] / dt.dtype.type(rule.unfolds))[:, None]


def _step(circuit, rule, v, h, P_sensory, Q_sensory):
    """All unfolds of one time step: the potentials from which each stage begins, and the last ones.

    ``P_sensory`` and ``Q_sensory`` are P and Q without the recurrent synapses.
    """
    history = [v]
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base, total = v, None
        _, _, P, Q = _currents(circuit.recurrent, v, P_sensory, Q_sensory)
        v, total = advance(rule.solver, stage, h, circuit.cm, P, Q, base, v, total)
        history.append(v)
    return history


def observe(circuit, x, dt, v, rule):
    """What happens inside of n steps, from their inputs (n, I), elapsed times (n,) and the potentials before (n, N).

    All but the potentials is as it is at the beginning of the last unfold, potentials[:, -2].  The sum of a neuron's
    currents and its leak is cm dv/dt there, and slope is dv/dt.
    """
    s_sensory, a_sensory, P_sensory, Q_sensory = _currents(circuit.sensory, x, circuit.leak_p, circuit.leak_q)
    history = _step(circuit, rule, v, _unfold_length(dt[:, None], 0, rule), P_sensory, Q_sensory)
    potentials = np.stack(history[:: rule.stages], axis=1)
    v = potentials[:, -2]
    s, a, P, Q = _currents(circuit.recurrent, v, P_sensory, Q_sensory)

    def current(synapses, a):
        return a * (synapses.erev - v[:, synapses.lists.post])

    return {
        "potentials": potentials,
        "conductance": Q,
        "tau": circuit.cm / Q,
        "slope": (P - Q * v) / circuit.cm,
        "leak": circuit.leak_p - circuit.leak_q * v,
        "currents": current(circuit.recurrent, a),
        "sensory_currents": current(circuit.sensory, a_sensory),
        "activations": s,
        "sensory_activations": s_sensory,
    }


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
        _, _, P_sensory, Q_sensory = _currents(circuit.sensory, x[:, t], circuit.leak_p, circuit.leak_q)
        *before, last = _step(circuit, rule, v, _unfold_length(dt, t, rule), P_sensory, Q_sensory)
        states += {None: [], "low": [v], "full": before}[keep]
        v = last
        motor[:, t] = v[:, :n_out]
    return motor, v, _Saved(x, dt, states, v, keep) if keep else None


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T); parameter gradients are added to ``g``."""
    x, dt, states, h_last, keep = saved
    (_, T, _), K, d_v = x.shape, rule.evaluations, d_h
    d_x = np.zeros_like(x)
    d_dt = np.zeros_like(dt)
    for t in range(T - 1, -1, -1):
        h = _unfold_length(dt, t, rule)
        s_sensory, a_sensory, P_sensory, Q_sensory = _currents(circuit.sensory, x[:, t], circuit.leak_p, circuit.leak_q)
        if keep == "full":
            after = states[(t + 1) * K] if t + 1 < T else h_last
            history = [*states[t * K : (t + 1) * K], after]
        else:
            history = _step(circuit, rule, states[t], h, P_sensory, Q_sensory)
        d_P_sensory = d_Q_sensory = 0
        d_v = d_v.copy()
        d_v[:, : d_motor.shape[2]] += d_motor[:, t]
        d_base = d_end = None
        for k in range(K - 1, -1, -1):
            stage = k % rule.stages
            base, v, v_new = history[k - stage], history[k], history[k + 1]
            s, a, P, Q = _currents(circuit.recurrent, v, P_sensory, Q_sensory)
            d_P, d_Q, d_cm, d_length, d_v, d_base, d_end = d_advance(
                rule.solver, stage, h, circuit.cm, P, Q, base, v, v_new, d_v, d_base, d_end
            )
            g["cm"] += d_cm.sum(0)
            d_dt[:, t] += d_length.sum(1) / x.dtype.type(rule.unfolds)
            d_v = d_v + _d_currents(circuit.recurrent, v, s, a, d_P, d_Q, g)
            d_P_sensory = d_P_sensory + d_P
            d_Q_sensory = d_Q_sensory + d_Q
        d_x[:, t] = _d_currents(circuit.sensory, x[:, t], s_sensory, a_sensory, d_P_sensory, d_Q_sensory, g)
        g["gleak"] += (d_P_sensory * circuit.vleak + d_Q_sensory).sum(0)
        g["vleak"] += (d_P_sensory * circuit.gleak).sum(0)
    return d_x, d_v, d_dt
