"""Liquid time-constant networks.

A neuron i with capacity cm, leak conductance gleak and leak potential vleak is driven by conductances: every
synapse from j opens with a = w * sigmoid(sigma * (v_j - mu)) and pulls towards its reversal potential erev::

    cm_i dv_i/dt = gleak_i (vleak_i - v_i) + sum_j a_ji (erev_ji - v_i) + (the same over the inputs)
                 = P_i - Q_i v_i
    P_i = gleak_i vleak_i + sum_j a_ji erev_ji + ...        Q_i = gleak_i + sum_j a_ji + ... + epsilon

One elapsed time dt is cut into U unfolds of h = dt/U, each solved by one of the rules of
`ltc_np.kernels.numpy.ltc_solvers`.  The usual one takes P and Q at the old v and v implicitly::

    v+ = v + h (P - Q v) / (cm + h Q)

which is exact at dt = 0, stable for every dt, and ncps' and the tutorial's "fused" step rearranged.

Source: Hasani et al., "Liquid Time-constant Networks", AAAI 2021 (arXiv 2006.04439), Algorithm 1, in the synaptic
form of its code.  docs/maths/ltc.md#the-gradients derives every line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import JointInit, Layout
from ..base.types import Array, Arrays, Backend, Init, LTCSolver, MappingKind, Numbers, Reaction, Shape
from ..wirings import Wiring
from . import synaptic, time_constants
from .synaptic import Prepared, SynapticCell

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class LTCOptions(TypedDict, total=False):
        """The arguments of an `LTC` that models of one hand on: those of its constructor; a test compares the two."""

        ode_unfolds: int
        epsilon: float
        positivity: Literal["softplus", "clip"]
        solver: LTCSolver
        check_stability: Reaction
        input_mapping: MappingKind | Literal["default"]
        output_mapping: MappingKind | Literal["default"]
        init: Init | Literal["time_constants"]


INIT: dict[str, float | tuple[float, float]] = synaptic.INIT | {"cm": (0.4, 0.6)}
CM_MIN = 1e-6  # bound of cm under positivity "clip", as in the paper's code


class LTC(SynapticCell):
    """A layer of liquid time-constant neurons on a wiring.

    Parameters
    ----------
    wiring : Wiring
        Recipe or built; the layer keeps ``wiring.build(input_dim)``.
    input_dim : int, optional
        Features per step; may be left out if the wiring is built.
    ode_unfolds : int in 1..1,000,000
        Solver steps per elapsed time.  It is part of the model: a network trained with 6 means 6.  `solver_error` says
        how many are enough on your data.
    epsilon : float in [0, 1]
        Added to every neuron's total conductance.
    positivity : "softplus" or "clip"
        How gleak, cm and the synaptic strengths stay positive (`ltc_np.base.layout`).
    solver : str
        The rule of an unfold; part of the model, like ``ode_unfolds``.  ``"exponential"`` with 3 unfolds costs what the
        default costs with 6 and has 4 to 5 times less error; both are stable for every dt.  Others,
        such as ``"euler"`` and ``"rk4"``, are explicit.  docs/maths/ltc_solvers.md has a table of all, with costs,
        orders and limits.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver may amplify its errors: where the largest
        h (gleak + sum w + sum sensory_w + epsilon) / cm of all neurons is not below its limit, which is 2 for euler.
    input_mapping, output_mapping : None, "linear" or "affine"
        Feature-wise ``x * input_w + input_b`` before the synapses and ``v * output_w + output_b`` after the first
        O neurons.  Default ``"affine"`` as in ncps, None for the tutorial's `RandomWiring`.
    init : dict or "time_constants", optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.  They are raw values, as
        in ``model.theta``: with softplus, ``{"cm": -1.0}`` is a capacity of log(1 + exp(-1)) = 0.31.
        ``{"time_constants": (low, high)}``, alone or with others, sets gleak, cm, w and sensory_w so that the neurons'
        time constants at rest, cm / Q with v = 0 and inputs of 0, cover this range evenly by their logarithms; 0 < low
        <= high, in the unit of ``dt``.  From one step to the length of the sequences is a good range; the word alone
        means (1, 100).  By default they are some tenths of 1 and less, and gradients vanish within a few steps.

    Notes
    -----
    Parameters: ``gleak vleak cm`` (N,), ``w mu sigma erev`` (S,), one per recurrent synapse in the order of
    ``wiring.pre, wiring.post``, ``sensory_*`` likewise, ``input_w input_b`` (I,), ``output_w output_b`` (O,).
    State: the N potentials v.  Cost: B*T*(U*S*stages + S_sensory) sigmoids; twice that with gradients, three times with
    that of dt.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> model = Model(LTC(AutoNCP(16, 4), solver="exponential", ode_unfolds=3), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    epsilon: float
    positive: Mapping[str, float] = MappingProxyType({"gleak": 0.0, "cm": CM_MIN, "w": 0.0, "sensory_w": 0.0})
    ratio = ("h*Q/cm", ", Q the sum of a neuron's conductances")
    remedy = 'solver="exponential"'
    lowering = "ltc.lower"

    def __init__(
        self,
        wiring: Wiring,
        *,
        input_dim: int | None = None,
        ode_unfolds: int = 6,
        epsilon: float = 1e-8,
        positivity: Literal["softplus", "clip"] = "softplus",
        solver: LTCSolver = "semi_implicit",
        check_stability: Reaction = "error",
        input_mapping: MappingKind | Literal["default"] = "default",
        output_mapping: MappingKind | Literal["default"] = "default",
        init: Init | Literal["time_constants"] = None,
    ) -> None:
        self._keep(wiring, input_dim, ode_unfolds, positivity, solver, check_stability, input_mapping, output_mapping)
        self.epsilon = checks.number("epsilon", epsilon, high=1.0)
        self.hull = self.method.hull
        if not self.wiring.is_built:
            return self._defer(init={} if init is None else init)
        self._build(init)
        self._freeze()

    def _shapes(self) -> dict[str, Shape]:
        N, S, S_sensory = (self.wiring.units,), self.recurrent.pre.shape, self.sensory.pre.shape
        shapes = {"vleak": N, "gleak": N, "cm": N, "w": S, "sensory_w": S_sensory}
        shapes |= dict.fromkeys(("mu", "sigma", "erev"), S)
        return shapes | dict.fromkeys(("sensory_mu", "sensory_sigma", "sensory_erev"), S_sensory)

    def _initial(self) -> dict[str, Any]:
        return {"cm": INIT["cm"], "erev": self.wiring.erev, "sensory_erev": self.wiring.sensory_erev}

    def _build(self, init: Any) -> None:
        span, init = time_constants.read(init)
        super()._build(init)
        if span is not None:
            self.init = {"time_constants": span, **self.init}
            entries = {entry.name: entry for entry in self.layout.entries}
            draw = partial(time_constants.draw, self.wiring, entries, span, self.epsilon)
            together = {name: entries[name].replace(init=JointInit(draw, name)) for name in time_constants.NAMES}
            self.layout = Layout(tuple((entries | together).values()))

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        none = np.zeros(0, p["cm"].dtype)
        gains = buffers.get("gain", none), buffers.get("sensory_gain", none)
        ltc, mapping = kernels.load(backend, "ltc"), kernels.load(backend, "mapping")
        circuit = ltc.Circuit(self.recurrent, self.sensory, p, gains, self.epsilon)
        return Prepared(circuit, p, ltc, mapping, self._fastest(p, buffers))

    def _largest_rates(self, p: Arrays, buffers: Arrays) -> Array:
        return self._all_open(p["gleak"].astype(np.float64) + self.epsilon, p, buffers) / p["cm"]

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``potentials`` (n, U + 1, N) before each unfold and after the last; and as it is when the last one begins

        ``conductance`` (n, N), Q; ``tau``, cm / Q; ``slope``, dv/dt; ``leak``, gleak (vleak - v) - epsilon v;
        ``currents`` (n, S) and ``sensory_currents``, w sigmoid(...) (erev - v), and ``activations`` (n, S) and
        ``sensory_activations``, the sigmoids alone, of each synapse in the order of the wiring.
        """
        return super().observe(prepared, x, dt, state)
