"""Liquid-resistance liquid-capacitance networks: neurons whose capacitance is liquid like their resistance.

The synapses of an LTC, each open by s_ji = sigmoid(sigma_ji (v_j - mu_ji)), feed three sums of neuron i::

    f_i = gleak_i + sum_j w_ji s_ji + (the same over the inputs)
    z_i = gleak_i + sum_j h_ji s_ji + ...
    a_i = elastance_b_i + sum_j elastance_w_ji v_j + ...      or of its own state alone

and the elastance epsilon_i, the inverse of the capacitance, is a function of the third::

    dv_i/dt = epsilon_i (vleak_i tanh(z_i) - sigmoid(f_i) v_i)
    epsilon = sigmoid(a)                                      "asymmetric"
    epsilon = sigmoid(a + shift) - sigmoid(a - shift)         "symmetric"
    epsilon = 1                                               None

With P = vleak tanh(z), Q = sigmoid(f) and an unfold of length h epsilon this is the equation of an LTC of capacity 1,
and the rules of `ltc_np.kernels.numpy.ltc_solvers` solve it.  One explicit Euler step per elapsed time is the published
unit, the LRCU.

Source: Farsang, Neubauer & Grosu, "Liquid Resistance Liquid Capacitance Networks" (arXiv 2403.08791), and its code.
docs/maths/lrc.md#the-gradients derives every line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from .. import kernels
from ..base import checks
from ..base.activations import sigmoid
from ..base.layout import raw
from ..base.types import (
    Array,
    Arrays,
    Backend,
    Elastance,
    ElastanceBy,
    Init,
    LTCSolver,
    MappingKind,
    Numbers,
    Reaction,
    Shape,
)
from ..kernels.codes import ELASTANCES
from ..wirings import Wiring
from ..wirings.synapses import Synapses
from .initial import glorot, orthogonal
from .synaptic import Prepared, SynapticCell

# What the argument of the elastance is summed over.
ELASTANCE_BY = ("synapses", "state", "state_and_inputs")
SHIFT = 1.0  # of the symmetric elastance, initially (the published code)


def _draw(
    matrix: Callable[[np.random.Generator, Shape], Array],
    synapses: Synapses,
    polarity: Array | None,
    rng: np.random.Generator,
    shape: Shape,
) -> Array:
    """Values (S,) for synapses: the entries of a (pre, post) matrix, drawn whole, which these synapses have.

    Where a neuron has only some of the sources, its values are so much larger that their squares add up to as much on
    average.  With ``polarity`` they have its signs.
    """
    values = matrix(rng, (synapses.n_pre, synapses.n_post))[synapses.pre, synapses.post]
    values = values * np.sqrt(synapses.n_pre / np.diff(synapses.start)[synapses.post])
    return values if polarity is None else np.abs(values) * polarity


def _uniform(limits: tuple[float, float], rng: np.random.Generator, shape: Shape) -> Array:
    return rng.uniform(*limits, shape)


class LRC(SynapticCell):
    """A layer of neurons with liquid resistance and liquid capacitance on a wiring; by default the LRCU.

    Parameters
    ----------
    wiring : Wiring
        Recipe or built; the layer keeps ``wiring.build(input_dim)``.
    input_dim : int, optional
        Features per step; may be left out if the wiring is built.
    ode_unfolds : int in 1..1,000,000
        Solver steps per elapsed time; part of the model.  One is what the unit was made for; then an input moves on by
        one synapse a step, and reaches the last neurons of an `AutoNCP` three steps later.
    elastance : "asymmetric", "symmetric" or None
        The inverse capacitance: sigmoid(a), or sigmoid(a + shift) - sigmoid(a - shift), which also falls where a is
        large, or 1.
    elastance_by : "synapses", "state" or "state_and_inputs"
        What its argument a is a weighted sum of: as published all that has a synapse to the neuron, states and inputs;
        the neuron's own state; this and the inputs that have a synapse to it.  Not looked at with ``elastance=None``.
    positivity : "softplus" or "clip"
        How gleak, the strengths w and the shift stay positive (`ltc_np.base.layout`); published is ``"clip"``.
    solver : str
        The rule of an unfold; part of the model, one of those of `LTC`.  ``"euler"`` is published as LRCU, for elapsed
        times below 2; ``"semi_implicit"``, at the same cost, is stable for every dt (the published code calls it
        "hybrid").  All leave the state where it is at dt = 0, exactly.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver may amplify its errors: where h times the largest that epsilon sigmoid(f)
        can be is not below its limit, which is 2 for euler.  It is always less than h, the length of an unfold.
    input_mapping, output_mapping : None, "linear" or "affine"
        As those of `LTC`.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.  They are raw values, as
        in ``model.theta``.

    Notes
    -----
    Parameters: ``gleak vleak`` (N,), ``w h mu sigma`` (S,), one per recurrent synapse in the order of ``wiring.pre,
    wiring.post``, ``sensory_*`` likewise; of the elastance ``elastance_b`` (N,), and ``elastance_w`` (S,) with
    ``sensory_elastance_w``, or ``elastance_v`` (N,), the weights of a neuron's own state; ``elastance_shift`` (N,) if
    it is symmetric; ``input_w input_b`` (I,), ``output_w output_b`` (O,).  A wiring's fixed gains multiply w and h; its
    polarity is the sign of h, initially.
    State: the N potentials v, at most max(abs(h0), 2 abs(vleak)) with euler below dt = 1, and with the stable solvers.
    Cost: B*T*(U*S*stages + S_sensory) sigmoids; twice that with gradients, that of dt included.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LRC, AutoNCP, Dense, Model
    >>> model = Model(LRC(AutoNCP(16, 4), elastance="symmetric"), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    elastance: Elastance
    elastance_by: ElastanceBy
    positive: Mapping[str, float] = MappingProxyType(dict.fromkeys(("gleak", "w", "sensory_w", "elastance_shift"), 0.0))
    ratio = ("h*rate", ", rate the most that elastance times sigmoid(f) can be")
    remedy = 'solver="semi_implicit"'
    lowering = "lrc.lower"
    also_called = ("LRCU",)

    def __init__(
        self,
        wiring: Wiring,
        *,
        input_dim: int | None = None,
        ode_unfolds: int = 1,
        elastance: Elastance = "asymmetric",
        elastance_by: ElastanceBy = "synapses",
        positivity: Literal["softplus", "clip"] = "softplus",
        solver: LTCSolver = "euler",
        check_stability: Reaction = "error",
        input_mapping: MappingKind | Literal["default"] = "default",
        output_mapping: MappingKind | Literal["default"] = "default",
        init: Init = None,
    ) -> None:
        self._keep(wiring, input_dim, ode_unfolds, positivity, solver, check_stability, input_mapping, output_mapping)
        self.elastance = checks.one_of("elastance", elastance, ELASTANCES)
        self.elastance_by = checks.one_of("elastance_by", elastance_by, ELASTANCE_BY)
        if not self.wiring.is_built:
            return self._defer(init={} if init is None else init)
        self._build(init)
        self._freeze()

    def _weighted(self) -> tuple[str, ...]:
        """Prefixes of the kinds of synapses that the elastance's argument has weights for."""
        if self.elastance is None:
            return ()
        return {"synapses": ("", "sensory_"), "state": (), "state_and_inputs": ("sensory_",)}[self.elastance_by]

    def _shapes(self) -> dict[str, Shape]:
        N = (self.wiring.units,)
        shapes: dict[str, Shape] = {"vleak": N, "gleak": N}
        for prefix, synapses in (("", self.recurrent), ("sensory_", self.sensory)):
            names = ("w", "h", "mu", "sigma") + ("elastance_w",) * (prefix in self._weighted())
            shapes |= {prefix + name: synapses.pre.shape for name in names}
        if self.elastance is not None:
            shapes["elastance_b"] = N
            if self.elastance_by != "synapses":
                shapes["elastance_v"] = N
            if self.elastance == "symmetric":
                shapes["elastance_shift"] = N
        return shapes

    def _initial(self) -> dict[str, Any]:
        wiring = self.wiring
        limits = glorot(wiring.units + wiring.input_dim, wiring.units)
        initial = {"elastance_b": 0.0, "elastance_v": limits, "elastance_shift": raw(SHIFT, self.positivity)}
        for prefix, synapses, polarity in (
            ("", self.recurrent, wiring.polarity),
            ("sensory_", self.sensory, wiring.sensory_polarity),
        ):
            initial[prefix + "h"] = partial(_draw, orthogonal, synapses, polarity)
            initial[prefix + "elastance_w"] = partial(_draw, partial(_uniform, limits), synapses, None)
        return initial

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        lrc, mapping = kernels.load(backend, "lrc"), kernels.load(backend, "mapping")
        gains = {name: buffers[f"{kind}gain"] for kind in ("", "sensory_") if f"{kind}gain" in buffers
                 for name in (f"{kind}w", f"{kind}h")}  # fmt: skip
        scaled = p | {name: p[name] * gain for name, gain in gains.items()}
        circuit = lrc.Circuit(self.recurrent, self.sensory, scaled, ELASTANCES.index(self.elastance))
        return Prepared(circuit, p, lrc, mapping, self._fastest(p, buffers), gains)

    def _largest_rates(self, p: Arrays, buffers: Arrays) -> Array:
        most = np.tanh(0.5 * p["elastance_shift"]) if self.elastance == "symmetric" else 1.0
        return most * sigmoid(self._all_open(p["gleak"], p, buffers))

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``potentials`` (n, U + 1, N) before each unfold and after the last; and as it is when the last one begins

        the sums ``sum_f`` and ``sum_z`` (n, N), and ``sum_a`` where there is an elastance; what the equation v' =
        elastance (drive - conductance v) has, ``elastance``, ``drive``, vleak tanh(z), ``conductance``, sigmoid(f), and
        ``slope``, v'; ``tau`` (n, N), 1 / (elastance conductance); ``activations`` (n, S) and ``sensory_activations``,
        s of each synapse in the order of the wiring.
        """
        return super().observe(prepared, x, dt, state)
