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
form of its code.  docs/maths/ltc.md derives every line.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry, Layout, Together
from ..base.workspace import Fresh
from ..kernels.codes import MOST_UNFOLDS, SOLVERS
from ..wirings import RandomWiring
from ..wirings.synapses import Synapses
from . import time_constants
from .base import Layer, built
from .initial import initial_values
from .mapping import bound_step, check_mapping, mapping_shapes
from .stability import check_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import TypedDict

    from ..base.types import Array, Arrays, Backend, Init, Ints, Keep, LTCSolver, MappingKind, Numbers, Reaction
    from ..base.workspace import Workspace
    from ..kernels.codes import Rule, Solver
    from ..wirings import Wiring

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


# Uniform ranges of the raw initial values (the paper's code, ncps and the tutorial agree on them).
INIT: dict[str, float | tuple[float, float]] = {
    "gleak": (0.001, 1.0),
    "vleak": (-0.2, 0.2),
    "cm": (0.4, 0.6),
    "w": (0.001, 1.0),
    "mu": (0.3, 0.8),
    "sigma": (3.0, 8.0),
    "sensory_w": (0.001, 1.0),
    "sensory_mu": (0.3, 0.8),
    "sensory_sigma": (3.0, 8.0),
    "input_w": 1.0,
    "input_b": 0.0,
    "output_w": 1.0,
    "output_b": 0.0,
}
CM_MIN = 1e-6  # bound of cm under positivity "clip", as in the paper's code


def default_mapping(wiring: Wiring) -> Literal["affine"] | None:
    """The mapping of inputs and outputs unless another one is asked for."""
    return None if isinstance(wiring, RandomWiring) else "affine"


class _Prepared(NamedTuple):
    """What calls need of the parameters: the kernels' form of them, they themselves, the kernels.

    ``fastest`` is the largest Q / cm that any potentials and inputs can give, or None where nobody asks.
    """

    circuit: Any
    p: Arrays
    kernels: Any
    mapping: Any
    fastest: float | None


class _Saved(NamedTuple):
    """What `LTC.backward` needs of a call: its inputs, the outputs before their mapping, what the kernels saved."""

    x: np.ndarray
    motor: np.ndarray
    ltc: Any


class LTC(Layer):
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
    solver : "semi_implicit", "euler", "rk4" or "exponential"
        The rule of an unfold; part of the model, like ``ode_unfolds``.  ``"exponential"`` with 3 unfolds costs what the
        default costs with 6 and has 4 to 5 times less error; both are stable for every dt.  An unfold of them evaluates
        the synapses once and twice, of ``"euler"`` once and of ``"rk4"`` four times; their orders are 1, 2, 1 and 4.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver (euler, rk4) may amplify its errors: where the largest
        h (gleak + sum w + sum sensory_w + epsilon) / cm of all neurons is not below 2 (rk4: 2.785).
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

    wiring: Wiring
    input_dim: int | None
    ode_unfolds: int
    epsilon: float
    positivity: Literal["softplus", "clip"]
    solver: LTCSolver
    check_stability: Reaction
    input_mapping: MappingKind
    output_mapping: MappingKind
    init: Any
    method: Solver
    rule: Rule
    recurrent: Synapses
    sensory: Synapses

    takes_dt = dt0_identity = smooth = causal = reads_wiring = bitwise_batch = contracting = True
    lowering = "ltc.lower"
    reference_solver: str | None = "exponential"
    words: Mapping[str, tuple[str | None, ...]] = MappingProxyType({"solver": tuple(SOLVERS)})

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
        wiring = built(wiring, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds, most=MOST_UNFOLDS)
        self.epsilon = checks.number("epsilon", epsilon, high=1.0)
        for name, value, known in (
            ("positivity", positivity, ("softplus", "clip")),
            ("solver", solver, tuple(SOLVERS)),
            ("check_stability", check_stability, ("error", "warn", "off")),
        ):
            checks.one_of(name, value, known)
        default = default_mapping(wiring)
        for name, mapping in (("input_mapping", input_mapping), ("output_mapping", output_mapping)):
            check_mapping(name, mapping, "default")
        self.wiring, self.input_dim = wiring, wiring.input_dim
        self.positivity, self.solver, self.check_stability = positivity, solver, check_stability
        self.method = SOLVERS[solver]
        self.rule = self.method.rule(self.ode_unfolds)
        self.hull = self.method.hull
        self.input_mapping = default if input_mapping == "default" else input_mapping
        self.output_mapping = default if output_mapping == "default" else output_mapping
        if not wiring.is_built:
            return self._wait(init={} if init is None else init)
        self.init = init
        self.input_size, self.output_size = self.wiring.input_dim, self.wiring.output_dim
        self.state_size = self.wiring.units
        self.state_slices = {"v": slice(0, self.wiring.units)}
        self._build()
        self._seal()

    def _build(self) -> None:
        wiring, N = self.wiring, self.wiring.units
        self.recurrent = Synapses(wiring.pre, wiring.post, N, N)
        self.sensory = Synapses(wiring.sensory_pre, wiring.sensory_post, wiring.input_dim, N)
        S, S_sensory = (wiring.synapse_count,), (wiring.sensory_synapse_count,)
        shapes = {"vleak": (N,), "gleak": (N,), "cm": (N,), "w": S, "sensory_w": S_sensory}
        shapes |= dict.fromkeys(("mu", "sigma", "erev"), S)
        shapes |= dict.fromkeys(("sensory_mu", "sensory_sigma", "sensory_erev"), S_sensory)
        for side, mapping, size in (
            ("input", self.input_mapping, self.input_size),
            ("output", self.output_mapping, self.output_size),
        ):
            shapes |= mapping_shapes(mapping, side, size)
        span, init = time_constants.read(self.init)
        init = initial_values(init, shapes)
        self.init = init if span is None else {"time_constants": span, **init}
        initial = INIT | {"erev": wiring.erev, "sensory_erev": wiring.sensory_erev} | init
        positive = {"gleak": 0.0, "cm": CM_MIN, "w": 0.0, "sensory_w": 0.0}
        entries = {
            name: Entry(
                name,
                shape,
                initial[name],
                positivity=self.positivity if name in positive else None,
                bound=positive.get(name, 0.0),
            )
            for name, shape in shapes.items()
        }
        if span is not None:
            draw = partial(time_constants.draw, wiring, entries, span, self.epsilon)
            entries = entries | {k: entries[k].replace(init=Together(draw, k)) for k in time_constants.NAMES}
        self.layout = Layout(tuple(entries.values()))
        gains = {"gain": wiring.gain, "sensory_gain": wiring.sensory_gain}
        self.buffers = Layout(tuple(Entry(k, v.shape, v, trainable=False) for k, v in gains.items() if v is not None))

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        none = np.zeros(0, p["cm"].dtype)
        gains = buffers.get("gain", none), buffers.get("sensory_gain", none)
        kernels.check_known(backend, solver=self.method.name)
        ltc, mapping = kernels.load(backend, "ltc"), kernels.load(backend, "mapping")
        circuit = ltc.Circuit(self.recurrent, self.sensory, p, gains, self.epsilon)
        return _Prepared(circuit, p, ltc, mapping, self._fastest(p, gains))

    def _fastest(self, p: Arrays, gains: tuple[Array, Array]) -> float | None:
        if self.method.limit is None or self.check_stability == "off":
            return None
        Q = p["gleak"].astype(np.float64) + self.epsilon
        for synapses, w, gain in ((self.recurrent, p["w"], gains[0]), (self.sensory, p["sensory_w"], gains[1])):
            Q += np.bincount(synapses.post, w * gain if gain.size else w, synapses.n_post)
        return float((Q / p["cm"]).max())

    def check(self, prepared: _Prepared, dt: Array) -> None:
        if prepared.fastest is not None:
            ratio = "h*Q/cm", ", Q the sum of a neuron's conductances", prepared.fastest
            remedy = 'solver="exponential"'
            check_step(self.method, *ratio, dt, self.ode_unfolds, remedy, self.check_stability)

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, _Saved | None]:
        circuit, p, ltc, mapping, _ = prepared
        mapped = mapping.map_features(self.input_mapping, "input", x, p, workspace)
        motor, h, saved = ltc.forward(circuit, mapped, dt, lengths, h0, self.rule, self.output_size, keep, workspace)
        y = mapping.map_features(self.output_mapping, "output", motor, p, workspace)
        return y, h, _Saved(x, motor, saved) if keep else None

    def backward(
        self,
        prepared: _Prepared,
        saved: _Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        circuit, p, ltc, mapping, _ = prepared
        d_motor = mapping.d_map_features(self.output_mapping, "output", saved.motor, d_y, p, g, workspace)
        d_x, d_h0, d_dt = ltc.backward(circuit, saved.ltc, d_motor, d_h, self.rule, want_dt, g, workspace)
        return mapping.d_map_features(self.input_mapping, "input", saved.x, d_x, p, g, workspace), d_h0, d_dt

    def stepper(
        self, prepared: _Prepared, x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        arguments = prepared, x, dt, h0, workspace
        return bound_step(self, LTC, *arguments) or super().stepper(*arguments)

    def observe(self, prepared: _Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``potentials`` (n, U + 1, N) before each unfold and after the last; and as it is when the last one begins

        ``conductance`` (n, N), Q; ``tau``, cm / Q; ``slope``, dv/dt; ``leak``, gleak (vleak - v) - epsilon v;
        ``currents`` (n, S) and ``sensory_currents``, w sigmoid(...) (erev - v), and ``activations`` (n, S) and
        ``sensory_activations``, the sigmoids alone, of each synapse in the order of the wiring.
        """
        mapped = prepared.mapping.map_features(self.input_mapping, "input", x[:, None], prepared.p, Fresh())[:, 0]
        return prepared.kernels.observe(prepared.circuit, mapped, dt, state, self.rule)

    def defaults(self) -> dict[str, Any]:
        mapping = default_mapping(self.wiring)
        follow = {"input_dim": self.wiring.input_dim, "input_mapping": mapping, "output_mapping": mapping}
        return super().defaults() | follow
