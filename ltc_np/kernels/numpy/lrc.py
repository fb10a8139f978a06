"""The LRC: the definition in NumPy.

`ltc_np.cells.lrc` has the equations; docs/maths/lrc.md derives every line.  Each unfold is a step of the solvers of
`ltc_np.kernels.numpy.ltc_solvers` with P = vleak tanh(z), Q = sigmoid(f), a capacity of 1 and the length h epsilon.
The loops over time steps and unfolds are those of `synaptic`; what the synapses add up to are f, z and a.
"""

import numpy as np

from ...base.activations import sigmoid
from ..codes import CONSTANT
from .elastance import d_elastance_of, elastance_of, named_rates
from .ltc_solvers import advance, d_advance
from .synaptic import backward, forward, take_step, unfold_length

__all__ = ["Circuit", "backward", "forward", "observe"]


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

    def from_inputs(self, x):
        """s of the sensory synapses, and [f, z, a] of the leak, the bias and these."""
        s, *sums = _drives(self.sensory, x, *self.leak)
        return s, sums

    def rates(self, v, sensory):
        """s of the recurrent synapses; R = sigmoid(f), U = tanh(z), a and epsilon at the potentials v.

        ``sensory`` has f, z and a without what comes from the neurons.
        """
        s, f, z, a = _drives(self.recurrent, v, *sensory)
        if self.elastance_v is not None:
            a = a + self.elastance_v * v
        return s, sigmoid(f), np.tanh(z), a, elastance_of(self.elastance, a, self.shift)

    def advance(self, solver, stage, h, v, base, total, sensory):
        """One stage of the solver; see `synaptic`."""
        _, R, U, _, epsilon = self.rates(v, sensory)
        return advance(solver, stage, h * epsilon, v.dtype.type(1), U * self.vleak, R, base, v, total)

    def d_advance(self, solver, stage, h, base, v, new, d_new, d_base, d_end, sensory, g):
        """Adjoint of `advance`."""
        s, R, U, a, epsilon = self.rates(v, sensory)
        d_P, d_R, _, d_length, d_v, d_base, d_end = d_advance(
            solver, stage, h * epsilon, v.dtype.type(1), U * self.vleak, R, base, v, new, d_new, d_base, d_end
        )
        d_a, d_shift = d_elastance_of(self.elastance, a, self.shift, d_length * h)
        d_f, d_z = d_R * R * (1 - R), d_P * self.vleak * (1 - U * U)
        g["vleak"] += (d_P * U).sum(0)
        if self.shift is not None:
            g["elastance_shift"] += d_shift.sum(0)
        if self.elastance_v is not None:
            g["elastance_v"] += (d_a * v).sum(0)
            d_v = d_v + d_a * self.elastance_v
        d_v = d_v + _d_drives(self.recurrent, v, s, d_f, d_z, d_a, g)
        return [d_f, d_z, d_a], d_length * epsilon, d_v, d_base, d_end

    def d_from_inputs(self, x, s, d_sums, g):
        """Adjoint of `from_inputs`."""
        d_f, d_z, d_a = d_sums
        g["gleak"] += (d_f + d_z).sum(0)
        if self.elastance != CONSTANT:
            g["elastance_b"] += d_a.sum(0)
        return _d_drives(self.sensory, x, s, d_f, d_z, d_a, g)


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


def observe(circuit, x, dt, v, rule):
    """What happens inside of n steps, from their inputs (n, I), elapsed times (n,) and the potentials before (n, N).

    All but the potentials is as it is at the beginning of the last unfold, potentials[:, -2].
    """
    s_sensory, sensory = circuit.from_inputs(x)
    history = take_step(circuit, rule, v, unfold_length(dt[:, None], 0, rule), sensory)
    potentials = np.stack(history[:: rule.stages], axis=1)
    v = potentials[:, -2]
    _, f, z, _ = _drives(circuit.recurrent, v, *sensory)
    s, R, U, a, epsilon = circuit.rates(v, sensory)
    rates = named_rates(circuit.elastance, v, f, z, a, R, U, epsilon, circuit.vleak)
    return {"potentials": potentials} | rates | {"activations": s, "sensory_activations": s_sensory}
