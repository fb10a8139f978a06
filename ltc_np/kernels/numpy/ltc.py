"""The LTC: the definition in NumPy.

`ltc_np.cells.ltc` has the equations; docs/maths/ltc.md derives every line.  The loops over time steps and unfolds are
those of `synaptic`; what the synapses add up to are P and Q.
"""

import numpy as np

from ...base.activations import sigmoid
from ..codes import SENSORY, SYNAPSE
from .ltc_solvers import advance, d_advance
from .synaptic import backward, forward, take_step, unfold_length

__all__ = ["Circuit", "backward", "forward", "observe"]


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

    def from_inputs(self, x):
        """The sigmoids of the sensory synapses, and [P, Q] of the leak and of these."""
        s, *sums = _currents(self.sensory, x, self.leak_p, self.leak_q)
        return s, sums

    def advance(self, solver, stage, h, v, base, total, sensory):
        """One stage of the solver; see `synaptic`."""
        _, P, Q = _currents(self.recurrent, v, *sensory)
        return advance(solver, stage, h, self.cm, P, Q, base, v, total)

    def d_advance(self, solver, stage, h, base, v, new, d_new, d_base, d_end, sensory, g):
        """Adjoint of `advance`."""
        s, P, Q = _currents(self.recurrent, v, *sensory)
        d_P, d_Q, d_cm, d_length, d_v, d_base, d_end = d_advance(
            solver, stage, h, self.cm, P, Q, base, v, new, d_new, d_base, d_end
        )
        g["cm"] += d_cm.sum(0)
        d_v = d_v + _d_currents(self.recurrent, v, s, d_P, d_Q, g)
        return [d_P, d_Q], d_length, d_v, d_base, d_end

    def d_from_inputs(self, x, s, d_sums, g):
        """Adjoint of `from_inputs`."""
        d_P, d_Q = d_sums
        g["gleak"] += (d_P * self.vleak + d_Q).sum(0)
        g["vleak"] += (d_P * self.gleak).sum(0)
        return _d_currents(self.sensory, x, s, d_P, d_Q, g)


def _currents(synapses, source, P, Q):
    """s = sigmoid(sigma * (source - mu)), and P and Q with a * erev and a = w * s of every synapse added."""
    lists = synapses.lists
    s = sigmoid(synapses.sigma * (source[:, lists.pre] - synapses.mu))
    a = synapses.w * s
    return s, P + lists.sum_to_post(a * synapses.erev), Q + lists.sum_to_post(a)


def _d_currents(synapses, source, s, d_P, d_Q, g):
    """Adjoint of `_currents`: d_source; the gradients of the synapses are added to ``g``."""
    lists = synapses.lists
    w, mu, sigma, erev = synapses.names
    a, d_P, d_Q = synapses.w * s, d_P[:, lists.post], d_Q[:, lists.post]
    d_a = d_P * synapses.erev + d_Q
    d_w = (d_a * s).sum(0)
    d_z = d_a * a * (1 - s)
    g[erev] += (d_P * a).sum(0)
    g[w] += d_w * synapses.gain if synapses.gain.size else d_w
    g[sigma] += (d_z * (source[:, lists.pre] - synapses.mu)).sum(0)
    g[mu] -= d_z.sum(0) * synapses.sigma
    return lists.sum_to_pre(d_z * synapses.sigma)


def observe(circuit, x, dt, v, rule):
    """What happens inside of n steps, from their inputs (n, I), elapsed times (n,) and the potentials before (n, N).

    All but the potentials is as it is at the beginning of the last unfold, potentials[:, -2].  The sum of a neuron's
    currents and its leak is cm dv/dt there, and slope is dv/dt.
    """
    s_sensory, sensory = circuit.from_inputs(x)
    history = take_step(circuit, rule, v, unfold_length(dt[:, None], 0, rule), sensory)
    potentials = np.stack(history[:: rule.stages], axis=1)
    v = potentials[:, -2]
    s, P, Q = _currents(circuit.recurrent, v, *sensory)

    def current(synapses, s):
        return synapses.w * s * (synapses.erev - v[:, synapses.lists.post])

    return {
        "potentials": potentials,
        "conductance": Q,
        "tau": circuit.cm / Q,
        "slope": (P - Q * v) / circuit.cm,
        "leak": circuit.leak_p - circuit.leak_q * v,
        "currents": current(circuit.recurrent, s),
        "sensory_currents": current(circuit.sensory, s_sensory),
        "activations": s,
        "sensory_activations": s_sensory,
    }
