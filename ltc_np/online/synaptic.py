"""Sensitivities of LTC and LRC, along their wirings: exact, or cut as `SnAp`, `EProp` and `Immediate` say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.types import Array, Arrays, Backend, Float
from ..cells import LRC, LTC
from ..cells.base import Layer
from ..cells.synaptic import SynapticCell
from ..kernels.numpy.synaptic_traces import Followed
from ..model import Model
from . import synaptic_plan
from .generic import Cost
from .methods import EProp, Exact, Immediate, Method, SnAp
from .traces import Traces

if TYPE_CHECKING:
    from typing_extensions import Self

KERNELS: dict[type[Layer], Callable[[Backend], Any]] = {
    LTC: lambda backend: kernels.load(backend, "ltc_traces"),
    LRC: lambda backend: kernels.load(backend, "lrc_traces"),
}


class Parts(NamedTuple):
    """What `SynapticTraces` work with: two kernels with their arguments, but for d_state and the gradient of
    ``collect``, the layer packed for them, and arrays that stay the same."""

    follow: Any
    collect: Any
    circuit: Any
    x: Array
    dt: Array
    whole: Array
    state: Array
    y: Array
    d_state: Array
    raw: Array
    values: Array
    factor: Array


class SynapticTraces(Traces):
    """One stream of a layer of LTC or LRC neurons, with sensitivities as a method has them.

    A step of the core, of which `SnAp` counts n and by which `EProp` and `Immediate` cut, is one stage of the solver:
    one unfold, or half of one of the solver ``"exponential"``.

    Parameters
    ----------
    layer : LTC or LRC
    method : Exact, SnAp, EProp or Immediate
    buffers : dict
        The layer's buffers by name: the fixed gains of its wiring.
    backend : "numpy" or "cpu"
    dtype : numpy.dtype

    Attributes
    ----------
    arrays : dict
        ``state`` (N,) and ``sensitivities``, as `plan` says.  They stay the same arrays: to go on from a copy, write
        its values into them.
    plan : Plan
        What is followed; ``plan.multiplications`` of a step are for it.

    Notes
    -----
    Sensitivities are those by raw parameters.  The potentials have the bits of `Model.step`.  For memory and time see
    ``plan.size`` and ``plan.multiplications``.
    """

    arrays: Arrays
    layer: SynapticCell
    method: Method
    plan: synaptic_plan.Plan

    def __init__(self, layer: SynapticCell, method: Method, *, buffers: Arrays, backend: Backend, dtype: Float) -> None:
        if not fits(layer):
            raise ValueError(
                "`layer` must be an LTC or LRC with a built wiring and a solver without a tableau (`reach` in "
                f"ltc_np.kernels.codes.SOLVERS), got {checks.brief(layer)}"
            )
        self.layer, self.method, self._buffers = layer, method, buffers
        self._backend: Backend = backend
        self._kernels = KERNELS[type(layer)](backend)
        self.plan = synaptic_plan.make(layer, *_followed(method), dtype)
        self._x, self._dt = np.zeros(layer.input_size, dtype), np.zeros(1, dtype)
        self._y, self._d_state = np.zeros(layer.output_size, dtype), np.zeros(layer.state_size, dtype)
        self.hold({"state": (layer.state_size,), "sensitivities": (3, self.plan.size)}, dtype)
        J = self.arrays["sensitivities"]
        self.arrays["sensitivities"] = J[0]  # the other two rows, which come last, are to work in
        self.whole = self.whole[: self.whole.size - 2 * self.plan.size]
        self._theta = np.zeros(layer.layout.size, dtype)
        self._values, self._factor = np.empty(layer.layout.size, dtype), np.empty(self.plan.own.size, dtype)
        self._p, self._ones = layer.layout.arrays(self._values), np.ones(layer.layout.size)
        self._effective = kernels.load(backend, "effective")
        self._again: Callable[[], None] | None = None
        self._circuit: Any = None
        self._followed = Followed(self._x, self._dt, self.arrays["state"], self._y, J)
        none, slices = (slice(0), ()), layer.layout.slices
        self._output_w, self._output_b = slices.get("output_w", none)[0], slices.get("output_b", none)[0]
        self._motor = self.arrays["state"][: layer.output_size]
        self._feedback: Array | None = None
        if isinstance(method, EProp) and method.feedback == "random":
            rng = np.random.default_rng(method.seed)
            shape = layer.state_size, layer.output_size
            self._feedback = (rng.standard_normal(shape) / shape[1] ** 0.5).astype(dtype)
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        # The kernels are bound to the arrays, so a copy is made anew and gets their values.
        return type(self)._made_again, (self.layer, self.method, self._buffers, self._backend, self._theta, self.arrays)

    @classmethod
    def _made_again(
        cls, layer: SynapticCell, method: Method, buffers: Arrays, backend: Backend, theta: Array, arrays: Arrays
    ) -> Self:
        made = cls(layer, method, buffers=buffers, backend=backend, dtype=theta.dtype)
        made.prepare(theta)
        for name, values in arrays.items():
            made.arrays[name][:] = values
        return made

    def prepare(self, theta: Array) -> None:
        layout = self.layer.layout
        self._theta[:] = theta
        layout.effective(self._theta, out=self._values)
        self._ones.fill(1)  # NumPy works in it
        self._factor[:] = self._effective.d_effective(layout, self._values, self._ones)[: self._factor.size]
        if self._again is None:
            self._bind()
        else:
            self._again()

    def _bind(self) -> None:
        """Have the kernels take what the arrays of effective values and factors hold now."""
        layer, layout = self.layer, self.layer.layout
        prepared = layer.prepare(self._p, self._buffers, self._backend)
        for name, gain in prepared.gains.items():
            self._factor[layout.slices[name][0]] *= gain
        self._checks = None if prepared.fastest is None else prepared
        arguments = prepared.circuit, layout, self._values, self._factor, self.plan, self._followed
        self._run, self._collect = self._kernels.bind(*arguments)
        if self._checks is None:
            self._again = getattr(prepared.circuit, "pack_again", None)
        self._circuit = prepared.circuit

    def parts(self) -> Parts | None:
        """What a kernel needs that does all of this in one call; None of a layer that none does it for."""
        if self._again is None or self._feedback is not None:
            return None
        return Parts(
            self._run, self._collect, self._circuit, self._x, self._dt, self.whole, self.arrays["state"], self._y,
            self._d_state, self._theta, self._values, self._factor,
        )  # fmt: skip

    def advance(self, x: Array, dt: float) -> Array:
        self._x[:], self._dt[0] = x, dt
        if self._checks is not None:
            self.layer.check(self._checks, self._dt)
        self._run()
        return self._y.copy()

    def gradient(self, d_y: Array) -> Array:
        gradient = np.zeros(self._values.size, self._values.dtype)
        d_motor, mapping = d_y, self.layer.output_mapping
        if mapping is not None:
            gradient[self._output_w] = d_y * self._motor
            if mapping == "affine":
                gradient[self._output_b] = d_y
            d_motor = d_y * self._values[self._output_w]
        if self._feedback is None:
            self._d_state[: len(d_y)] = d_motor
        else:
            np.dot(self._feedback, d_y, out=self._d_state)
        self._collect(self._d_state, gradient)
        return gradient

    def reset(self) -> None:
        self.arrays["state"][:] = self.layer.initial_state(1, self._theta.dtype)[0]
        self.arrays["sensitivities"].fill(0)


def fits(layer: Layer) -> bool:
    """Whether `SynapticTraces` can follow a layer: not one derived from these, which may compute something else.

    Nor one whose solver has a tableau: what its last stage adds up depends on all stages before, of which only the one
    before and the unfold's begin are followed.
    """
    return type(layer) in KERNELS and isinstance(layer, SynapticCell) and not (layer.open or layer.method.reach)


def _followed(method: Method) -> tuple[int | None, bool, bool]:
    """Of a plan: how many stages, whether along neurons' own potentials only, and whether from step to step at all."""
    if not isinstance(method, Exact | SnAp | EProp | Immediate):
        raise TypeError(f"`method` must be Exact, SnAp, EProp or Immediate, got {checks.brief(method)}")
    alone = isinstance(method, EProp | Immediate)
    hops = 1 if alone else method.n if isinstance(method, SnAp) else None
    return hops, alone, not isinstance(method, Immediate)


def cost_of(network: Model, method: Method) -> Cost | None:
    """What `traces_of` would take, before it is made; None where that does not fit."""
    layer = network.layers[0]
    if not (isinstance(layer, SynapticCell) and fits(layer)):
        return None
    return Cost(*synaptic_plan.count(layer, *_followed(method)))


def traces_of(network: Model, method: Method) -> SynapticTraces | None:
    """Those of a network of one layer, None where it does not fit."""
    layer = network.layers[0]
    if not (isinstance(layer, SynapticCell) and fits(layer)):
        return None
    return SynapticTraces(layer, method, buffers=dict(network.buffers), backend=network.backend, dtype=network.dtype)
