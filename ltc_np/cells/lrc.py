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

Source: Farsang, Lechner, Lung, Hasani, Rus & Grosu, "Liquid Resistance Liquid Capacitance Networks" (arXiv
2403.08791), and its code.  docs/maths/lrc.md derives every line.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.activations import sigmoid
from ..base.layout import Entry, Layout, raw
from ..base.workspace import Fresh
from ..kernels.codes import ELASTANCES, MOST_UNFOLDS, SOLVERS
from ..wirings.synapses import Synapses
from .base import Layer, built
from .initial import glorot, initial_values, orthogonal
from .ltc import INIT, default_mapping
from .mapping import bound_step, check_mapping, mapping_shapes
from .stability import check_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..base.types import (
        Array,
        Arrays,
        Backend,
        Elastance,
        ElastanceBy,
        Init,
        Ints,
        Keep,
        LTCSolver,
        MappingKind,
        Numbers,
        Reaction,
        Shape,
    )
    from ..base.workspace import Workspace
    from ..kernels.codes import Rule, Solver
    from ..wirings import Wiring

# What the argument of the elastance is summed over.
ELASTANCE_BY = ("synapses", "state", "state_and_inputs")
SHIFT = 1.0  # of the symmetric elastance, initially (the published code)
POSITIVE = ("gleak", "w", "sensory_w", "elastance_shift")


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


class _Prepared(NamedTuple):
    """What calls need of the parameters: the kernels' form of them, they themselves, the kernels.

    ``fastest`` is the largest that epsilon sigmoid(f) can be, or None where nobody asks.
    """

    circuit: Any
    p: Arrays
    gains: dict[str, Array]
    kernels: Any
    mapping: Any
    fastest: float | None


class _Saved(NamedTuple):
    """What `LRC.backward` needs of a call: its inputs, the outputs before their mapping, what the kernels saved."""

    x: np.ndarray
    motor: np.ndarray
    lrc: Any


class LRC(Layer):
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
    solver : "euler", "semi_implicit", "rk4" or "exponential"
        The rule of an unfold; part of the model.  ``"euler"`` is published as LRCU, for elapsed times below 2;
        ``"semi_implicit"``, at the same cost, is stable for every dt (the published code calls it "hybrid").  They
        evaluate the synapses once an unfold, ``"exponential"`` twice and ``"rk4"`` four times; orders 1, 1, 2 and 4.
        All leave the state where it is at dt = 0, exactly.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver (euler, rk4) may amplify its errors: where h times the largest that epsilon
        sigmoid(f) can be is not below 2 (rk4: 2.785).  It is always less than h, the length of an unfold.
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

    wiring: Wiring
    input_dim: int | None
    ode_unfolds: int
    elastance: Elastance
    elastance_by: ElastanceBy
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
    lowering = "lrc.lower"
    reference_solver: str | None = "exponential"
    words: Mapping[str, tuple[str | None, ...]] = MappingProxyType({"solver": tuple(SOLVERS)})
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
        wiring = built(wiring, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds, most=MOST_UNFOLDS)
        for name, value, known in (
            ("elastance", elastance, ELASTANCES),
            ("elastance_by", elastance_by, ELASTANCE_BY),
            ("positivity", positivity, ("softplus", "clip")),
            ("solver", solver, tuple(SOLVERS)),
            ("check_stability", check_stability, ("error", "warn", "off")),
        ):
            checks.one_of(name, value, known)
        default = default_mapping(wiring)
        for name, mapping in (("input_mapping", input_mapping), ("output_mapping", output_mapping)):
            check_mapping(name, mapping, "default")
        self.wiring, self.input_dim = wiring, wiring.input_dim
        self.elastance, self.elastance_by = elastance, elastance_by
        self.positivity, self.solver, self.check_stability = positivity, solver, check_stability
        self.method = SOLVERS[solver]
        self.rule = self.method.rule(self.ode_unfolds)
        self.input_mapping = default if input_mapping == "default" else input_mapping
        self.output_mapping = default if output_mapping == "default" else output_mapping
        if not wiring.is_built:
            return self._wait(init={} if init is None else init)
        self.input_size, self.output_size = self.wiring.input_dim, self.wiring.output_dim
        self.state_size = self.wiring.units
        self.state_slices = {"v": slice(0, self.wiring.units)}
        self._build(init)
        self._seal()

    def _build(self, init: Init) -> None:
        wiring, N = self.wiring, self.wiring.units
        self.recurrent = Synapses(wiring.pre, wiring.post, N, N)
        self.sensory = Synapses(wiring.sensory_pre, wiring.sensory_post, wiring.input_dim, N)
        kinds = {"": self.recurrent, "sensory_": self.sensory}
        signs = {"": wiring.polarity, "sensory_": wiring.sensory_polarity}
        limits = glorot(N + wiring.input_dim, N)
        shapes: dict[str, Shape] = {"vleak": (N,), "gleak": (N,)}
        initial = INIT | {"elastance_b": 0.0, "elastance_v": limits, "elastance_shift": raw(SHIFT, self.positivity)}
        weighted = {"synapses": ("", "sensory_"), "state": (), "state_and_inputs": ("sensory_",)}[self.elastance_by]
        for prefix, synapses in kinds.items():
            shapes |= {prefix + name: synapses.pre.shape for name in ("w", "h", "mu", "sigma")}
            initial[prefix + "h"] = partial(_draw, orthogonal, synapses, signs[prefix])
            if self.elastance is not None and prefix in weighted:
                shapes[prefix + "elastance_w"] = synapses.pre.shape
                initial[prefix + "elastance_w"] = partial(_draw, partial(_uniform, limits), synapses, None)
        if self.elastance is not None:
            shapes["elastance_b"] = (N,)
            if self.elastance_by != "synapses":
                shapes["elastance_v"] = (N,)
            if self.elastance == "symmetric":
                shapes["elastance_shift"] = (N,)
        for side, mapping, size in (
            ("input", self.input_mapping, self.input_size),
            ("output", self.output_mapping, self.output_size),
        ):
            shapes |= mapping_shapes(mapping, side, size)
        self.init = initial_values(init, shapes)
        initial |= self.init
        self.layout = Layout(
            tuple(
                Entry(name, shape, initial[name], positivity=self.positivity if name in POSITIVE else None)
                for name, shape in shapes.items()
            )
        )
        gains = {"gain": wiring.gain, "sensory_gain": wiring.sensory_gain}
        self.buffers = Layout(tuple(Entry(k, v.shape, v, trainable=False) for k, v in gains.items() if v is not None))

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        kernels.check_known(backend, solver=self.method.name, elastance=self.elastance)
        lrc, mapping = kernels.load(backend, "lrc"), kernels.load(backend, "mapping")
        gains = {name: buffers[f"{kind}gain"] for kind in ("", "sensory_") if f"{kind}gain" in buffers
                 for name in (f"{kind}w", f"{kind}h")}  # fmt: skip
        scaled = p | {name: p[name] * gain for name, gain in gains.items()}
        circuit = lrc.Circuit(self.recurrent, self.sensory, scaled, ELASTANCES.index(self.elastance))
        return _Prepared(circuit, p, gains, lrc, mapping, self._fastest(scaled))

    def _fastest(self, p: Arrays) -> float | None:
        if self.method.limit is None or self.check_stability == "off":
            return None
        f = p["gleak"].astype(np.float64)
        for synapses, w in ((self.recurrent, p["w"]), (self.sensory, p["sensory_w"])):
            f += np.bincount(synapses.post, w, synapses.n_post)
        most = np.tanh(0.5 * p["elastance_shift"]) if self.elastance == "symmetric" else 1.0
        return float((most * sigmoid(f)).max())

    def check(self, prepared: _Prepared, dt: Array) -> None:
        if prepared.fastest is not None:
            ratio = "h*rate", ", rate the most that elastance times sigmoid(f) can be", prepared.fastest
            remedy = 'solver="semi_implicit"'
            check_step(self.method, *ratio, dt, self.ode_unfolds, remedy, self.check_stability)

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, _Saved | None]:
        circuit, p, _, lrc, mapping, _ = prepared
        mapped = mapping.map_features(self.input_mapping, "input", x, p, workspace)
        motor, h, saved = lrc.forward(circuit, mapped, dt, lengths, h0, self.rule, self.output_size, keep, workspace)
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
        circuit, p, gains, lrc, mapping, _ = prepared
        d_motor = mapping.d_map_features(self.output_mapping, "output", saved.motor, d_y, p, g, workspace)
        scaled = g | {name: np.zeros_like(g[name]) for name in gains}
        d_x, d_h0, d_dt = lrc.backward(circuit, saved.lrc, d_motor, d_h, self.rule, want_dt, scaled, workspace)
        for name, gain in gains.items():
            g[name] += scaled[name] * gain
        return mapping.d_map_features(self.input_mapping, "input", saved.x, d_x, p, g, workspace), d_h0, d_dt

    def stepper(
        self, prepared: _Prepared, x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        arguments = prepared, x, dt, h0, workspace
        return bound_step(self, LRC, *arguments) or super().stepper(*arguments)

    def observe(self, prepared: _Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``potentials`` (n, U + 1, N) before each unfold and after the last; and as it is when the last one begins

        the sums ``sum_f`` and ``sum_z`` (n, N), and ``sum_a`` where there is an elastance; what the equation v' =
        elastance (drive - conductance v) has, ``elastance``, ``drive``, vleak tanh(z), ``conductance``, sigmoid(f), and
        ``slope``, v'; ``tau`` (n, N), 1 / (elastance conductance); ``activations`` (n, S) and ``sensory_activations``,
        s of each synapse in the order of the wiring.
        """
        mapped = prepared.mapping.map_features(self.input_mapping, "input", x[:, None], prepared.p, Fresh())[:, 0]
        return prepared.kernels.observe(prepared.circuit, mapped, dt, state, self.rule)

    def defaults(self) -> dict[str, Any]:
        mapping = default_mapping(self.wiring)
        follow = {"input_dim": self.wiring.input_dim, "input_mapping": mapping, "output_mapping": mapping}
        return super().defaults() | follow
