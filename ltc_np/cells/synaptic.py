"""What cells have in common whose neurons are driven by synapses, along a wiring: `LTC` and `LRC`.

Such a cell has a solver, one parameter for each synapse and neuron, and feature-wise mappings of its inputs and
outputs.  It says in its own file

* which parameters it has: `_shapes`, `_initial` and ``positive``;
* how its kernels take them: `prepare`;
* how fast its neurons can be: `_largest_rates`, ``ratio`` and ``remedy``;
* how a step of it is exported: ``lowering``;
* where its state can be: ``hull`` is true of an LTC with a solver that keeps it there.  An LRC leaves it False, since
  its potentials may go beyond vleak: they tend to vleak tanh(z) / sigmoid(f), which may be nearly twice as large.

Its constructor does this, in this order: `_keep` checks and keeps the arguments that all these cells have; those of
its own are checked and kept; where the wiring is not built, so that sizes are not known yet, `_defer` ends it; else
`_build` and, last, `_freeze`.

All calls are the same and stand here.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Entry, Layout
from ..base.types import Array, Arrays, Init, Ints, Keep, LTCSolver, MappingKind, Numbers, Reaction, Shape
from ..base.workspace import Fresh, Workspace
from ..kernels.codes import MOST_UNFOLDS, SOLVERS, Rule, Solver
from ..wirings import RandomWiring, Wiring
from ..wirings.synapses import Synapses
from .base import Layer, built
from .initial import initial_values
from .mapping import bound_step, check_mapping, mapping_shapes
from .stability import check_step

# Uniform ranges of the raw initial values (the paper's code, ncps and the tutorial agree on them).
INIT: dict[str, float | tuple[float, float]] = {
    "gleak": (0.001, 1.0),
    "vleak": (-0.2, 0.2),
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


def default_mapping(wiring: Wiring) -> Literal["affine"] | None:
    """The mapping of inputs and outputs unless another one is asked for."""
    return None if isinstance(wiring, RandomWiring) else "affine"


class Prepared(NamedTuple):
    """What calls need of the parameters: the kernels' form of them, they themselves, the kernels.

    ``fastest`` is the largest of `_largest_rates`, or None where nobody asks.  ``gains`` are the fixed gains, by the
    names of the parameters that were multiplied by them before the kernels got them.  So does the LRC, and a new cell
    should: then no kernel knows of gains, and the chain rule for them is here.  The LTC, which is older, has none here:
    its kernels of all backends multiply, in the pass that packs the parameters anyway.
    """

    circuit: Any
    p: Arrays
    kernels: Any
    mapping: Any
    fastest: float | None
    gains: Mapping[str, Array] = MappingProxyType({})


class Saved(NamedTuple):
    """What `backward` needs of a call: its inputs, the outputs before their mapping, what the kernels saved."""

    x: np.ndarray
    motor: np.ndarray
    kernels: Any


class SynapticCell(Layer):
    """A layer of neurons on a wiring, with a solver and mappings; base of `LTC` and `LRC`."""

    wiring: Wiring
    input_dim: int | None
    ode_unfolds: int
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
    positive: Mapping[str, float] = MappingProxyType({})  # parameters that stay positive: least value under "clip"
    # For the error of `check_step`: name and meaning of what an explicit solver has a limit of.
    ratio: tuple[str, str] = ("", "")
    remedy: str = ""  # what to do where that limit is passed

    takes_dt = dt0_identity = smooth = causal = reads_wiring = bitwise_batch = contracting = True
    reference_solver: str | None = "exponential"
    words: Mapping[str, tuple[str | None, ...]] = MappingProxyType({"solver": tuple(SOLVERS)})

    def _keep(
        self,
        wiring: Wiring,
        input_dim: int | None,
        ode_unfolds: int,
        positivity: Literal["softplus", "clip"],
        solver: LTCSolver,
        check_stability: Reaction,
        input_mapping: MappingKind | Literal["default"],
        output_mapping: MappingKind | Literal["default"],
    ) -> None:
        """Check and keep the arguments that all these cells have, but ``init``."""
        self.wiring = built(wiring, input_dim)
        self.input_dim = self.wiring.input_dim
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds, most=MOST_UNFOLDS)
        self.positivity = checks.one_of("positivity", positivity, ("softplus", "clip"))
        self.solver = checks.one_of("solver", solver, tuple(SOLVERS))
        self.check_stability = checks.one_of("check_stability", check_stability, ("error", "warn", "off"))
        self.method = SOLVERS[solver]
        self.rule = self.method.rule(self.ode_unfolds)
        default = default_mapping(self.wiring)
        input_mapping = check_mapping("input_mapping", input_mapping, "default")
        output_mapping = check_mapping("output_mapping", output_mapping, "default")
        self.input_mapping = default if input_mapping == "default" else input_mapping
        self.output_mapping = default if output_mapping == "default" else output_mapping

    def _shapes(self) -> dict[str, Shape]:
        """Shapes of the parameters of neurons and synapses, by name, in the order of the layout."""
        raise NotImplementedError

    def _initial(self) -> dict[str, Any]:
        """Initial values of those of them that are not in `INIT`."""
        raise NotImplementedError

    def _largest_rates(self, p: Arrays, buffers: Arrays) -> Array:
        """(N,) the largest rate of every neuron that any potentials and inputs can give."""
        raise NotImplementedError

    def _build(self, init: Init) -> None:
        """Sizes, synapses and the layout, of a built wiring."""
        wiring, N = self.wiring, self.wiring.units
        self.input_size, self.output_size, self.state_size = wiring.input_dim, wiring.output_dim, N
        self.state_slices = {"v": slice(0, N)}
        self.recurrent = Synapses(wiring.pre, wiring.post, N, N)
        self.sensory = Synapses(wiring.sensory_pre, wiring.sensory_post, wiring.input_dim, N)
        shapes = self._shapes()
        shapes |= mapping_shapes(self.input_mapping, "input", self.input_size)
        shapes |= mapping_shapes(self.output_mapping, "output", self.output_size)
        self.init = initial_values(init, shapes)
        initial = INIT | self._initial() | self.init
        self.layout = Layout(
            tuple(
                Entry(
                    name,
                    shape,
                    initial[name],
                    positivity=self.positivity if name in self.positive else None,
                    bound=self.positive.get(name, 0.0),
                )
                for name, shape in shapes.items()
            )
        )
        gains = {"gain": wiring.gain, "sensory_gain": wiring.sensory_gain}
        self.buffers = Layout(tuple(Entry(k, v.shape, v, trainable=False) for k, v in gains.items() if v is not None))

    def _fastest(self, p: Arrays, buffers: Arrays) -> float | None:
        if self.method.limit is None or self.check_stability == "off":
            return None
        return float(self._largest_rates(p, buffers).max())

    def _all_open(self, leak: Array, p: Arrays, buffers: Arrays) -> Array:
        """(N,) float64: a neuron's leak and the strengths of all its synapses."""
        total = leak.astype(np.float64)
        for kind, synapses in (("", self.recurrent), ("sensory_", self.sensory)):
            w, gain = p[f"{kind}w"], buffers.get(f"{kind}gain")
            total += np.bincount(synapses.post, w if gain is None else w * gain, synapses.n_post)
        return total

    def check(self, prepared: Prepared, dt: Array) -> None:
        if prepared.fastest is not None:
            limited = *self.ratio, prepared.fastest
            check_step(self.method, *limited, dt, self.ode_unfolds, self.remedy, self.check_stability)

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        circuit, p, kernels, mapping, _, _ = prepared
        mapped = mapping.map_features(self.input_mapping, "input", x, p, workspace)
        motor, h, saved = kernels.forward(
            circuit, mapped, dt, lengths, h0, self.rule, self.output_size, keep, workspace
        )
        y = mapping.map_features(self.output_mapping, "output", motor, p, workspace)
        return y, h, Saved(x, motor, saved) if keep else None

    def backward(
        self,
        prepared: Prepared,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        circuit, p, kernels, mapping, _, gains = prepared
        d_motor = mapping.d_map_features(self.output_mapping, "output", saved.motor, d_y, p, g, workspace)
        scaled = g | {name: np.zeros_like(g[name]) for name in gains} if gains else g
        d_x, d_h0, d_dt = kernels.backward(circuit, saved.kernels, d_motor, d_h, self.rule, want_dt, scaled, workspace)
        for name, gain in gains.items():
            g[name] += scaled[name] * gain
        return mapping.d_map_features(self.input_mapping, "input", saved.x, d_x, p, g, workspace), d_h0, d_dt

    def stepper(
        self, prepared: Prepared, x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        arguments = prepared, x, dt, h0, workspace
        return bound_step(self, SynapticCell, *arguments) or super().stepper(*arguments)

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        mapped = prepared.mapping.map_features(self.input_mapping, "input", x[:, None], prepared.p, Fresh())[:, 0]
        return prepared.kernels.observe(prepared.circuit, mapped, dt, state, self.rule)

    def defaults(self) -> dict[str, Any]:
        mapping = default_mapping(self.wiring)
        follow = {"input_dim": self.wiring.input_dim, "input_mapping": mapping, "output_mapping": mapping}
        return super().defaults() | follow
