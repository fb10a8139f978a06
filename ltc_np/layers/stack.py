"""Layers applied in order: what `Model` and `Residual` share."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..base.layout import Layout, part
from ..base.types import Array, Arrays, Backend, Bools, Float, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import Declared, Traced, check_results, combine, input_features
from ..wirings import Wiring
from . import pace, parallel
from .pace import Pace, Thinning
from .parallel import Parallel


def connected(layers: Sequence[Layer], input_dim: int | None = None) -> tuple[Layer, ...]:
    """A tuple of the layers, each for as many features as the one before gives; the first for ``input_dim``."""
    if not layers:
        raise ValueError("`layers` must hold at least one layer, got none")
    found, features = [], input_features(input_dim)
    for k, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            many = ": write Model(*layers, ...)" if isinstance(layer, (list, tuple)) else ""
            got = f"the class {layer.__name__}: call it" if isinstance(layer, type) else type(layer).__name__
            raise TypeError(f"`layers[{k}]` must be a layer such as LTC(...), got {got}{many}")
        if layer.open and features is None:
            raise ValueError(
                f"`input_dim` must be given, since {layer!r} does not tell how many features come in: "
                "Model(..., input_dim=3)"
            )
        layer = layer.with_input(features)
        if layer.input_size < 1 or layer.output_size < 1:
            raise ValueError(f"`layers[{k}]` must have an input_size and an output_size >= 1, got {layer!r}")
        if features is not None and layer.input_size != features:
            giver = f"layers[{k - 1}] gives {features}" if k else f"`input_dim` is {features}"
            raise ValueError(f"`layers[{k}]` takes {layer.input_size} features, but {giver}")
        found.append(layer)
        features = layer.output_size
    return tuple(found)


class Passed(NamedTuple):
    """Of one layer of a stack: its inputs (B, T, I) with their elapsed times (B, T) and lengths (B,), its part of the
    state at the start (B, K), and what it made."""

    inputs: Array
    dt: Array
    lengths: Ints
    h0: Array
    traced: Traced


class Thinned(NamedTuple):
    """What `Stack.backward` needs of a layer with a stride: what it saved itself, and its `Thinning`."""

    saved: Any
    thinning: Thinning


class NothingCame(NamedTuple):
    """In place of what a layer saves: it has had no step, since no output of a layer before fell due."""


class Stack(Declared):
    """Layers in order, each of which takes what the one before gives.

    Attributes are those of a `Layer`: sizes and layouts (names of layer k become ``"k.name"``, those of a single layer
    stay), ``state_slices`` likewise, and the traits of its layers together.
    """

    layers: tuple[Layer, ...]
    prefixes: list[str]
    layout: Layout
    buffers: Layout
    input_size: int
    output_size: int
    states: list[slice]
    state_size: int
    state_slices: dict[str, slice]
    reach: int
    stride: int

    def __init__(self, layers: Sequence[Layer], input_dim: int | None = None) -> None:
        self.layers = layers = connected(layers, input_dim)
        self.prefixes = [""] if len(layers) == 1 else [f"{k}." for k in range(len(layers))]
        self.layout = Layout.join(layer.layout for layer in layers)
        self.buffers = Layout.join(layer.buffers for layer in layers)
        self.input_size, self.output_size = layers[0].input_size, layers[-1].output_size
        ends = np.cumsum([0, *(layer.state_size for layer in layers)]).tolist()
        self.states, self.state_size = [slice(a, b) for a, b in pairwise(ends)], ends[-1]
        self.state_slices = {
            prefix + name: slice(start + where.start, start + where.stop)
            for prefix, start, layer in zip(self.prefixes, ends, layers, strict=False)
            for name, where in layer.state_slices.items()
        }
        self.reach = sum(layer.reach for layer in layers)
        self.stride = math.prod(layer.stride for layer in layers)
        vars(self).update(combine(layers))

    @property
    def wiring(self) -> Wiring:
        """The built wiring of the only layer that has one."""
        layers: tuple[Any, ...] = self.layers
        wirings = [layer.wiring for layer in layers if layer.reads_wiring]
        if len(wirings) != 1:
            raise AttributeError(f"`wiring` needs exactly one wired layer, there are {len(wirings)}; see `layers`")
        return wirings[0]

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        """What each layer needs of the parameters."""
        return [
            layer.prepare(part(p, prefix), part(buffers, prefix), backend)
            for layer, prefix in zip(self.layers, self.prefixes, strict=True)
        ]

    def check(self, prepared: list[Any], dt: Array, lengths: Ints | None = None, h0: Array | None = None) -> None:
        """Let every layer look at the elapsed times (B, T) that are to come.

        Those of layers behind a stride follow from the lengths (B,) and the state at the start (B, K), so that they are
        known before anything is computed; a stack without strides needs neither.
        """
        together = 1  # steps that one has the time of
        for k, layer in enumerate(self.layers):
            try:
                layer.check(prepared[k], dt)
            except ValueError as error:
                if together == 1:
                    raise
                raise ValueError(f"{error} (dt is that of {together} steps, which {layer!r} gets as one)") from None
            if layer.stride > 1 and k + 1 < len(self.layers):
                assert lengths is not None and h0 is not None
                start = h0[:, self.states[k]]
                thin = pace.thinning(layer, start, lengths, dt.shape[1])
                if not thin.pace.T:
                    return
                dt, _ = thin.times(dt, start[:, layer.state_slices["elapsed"]].ravel())
                lengths, together = thin.pace.lengths, together * layer.stride

    def forward(
        self,
        prepared: list[Any],
        x: Array,
        dt: Array,
        lengths: Ints,
        valid: Bools | None,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: Callable[[int], np.random.Generator | None],
        cutting: Parallel | None = None,
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """All layers: y (B, T, O), 0 in padding; state (B, K); what backward needs.

        ``valid`` is (B, T) bool, None where there is no padding; ``rng(k)`` gives layer k, if it computes otherwise in
        training, what it draws from; by ``cutting``, if it is given, long sequences are cut into chunks.
        """
        states, saved = [], []
        for k, layer in enumerate(self.layers):
            own = workspace.child(k)
            start = h0 if len(self.layers) == 1 else np.ascontiguousarray(h0[:, self.states[k]])
            arguments = prepared[k], x, dt, lengths, start, keep, own
            options: dict[str, Any] = {"rng": rng(k)} if layer.drops or layer.batch_statistics else {}
            run = layer.forward
            if cutting is not None and options.get("rng") is None:
                cut = partial(parallel.forward, k, cutting)
                if parallel.wants(layer):
                    run, options = partial(cut, layer), {}
                elif layer.cuts_inside:
                    options = {"cut": cut}
            steps, thin = x.shape[1], None
            if layer.stride > 1 and steps:
                options["thin"] = thin = pace.thinning(layer, start, lengths, steps)
            if not steps:
                x, h, layer_saved = np.empty((len(x), 0, layer.output_size), x.dtype), start, NothingCame()
            else:
                x, h, layer_saved = run(*arguments, **options)
                if thin is not None:
                    dt = pace.thinned(layer, thin, start, h, dt, k + 1 < len(self.layers))
                    layer_saved = Thinned(layer_saved, thin)
                    steps, lengths, valid = thin.pace
                check_results(layer, x, h, len(h0), steps)
            if valid is not None:
                x[~valid] = 0
            states.append(h)
            saved.append(layer_saved)
        return x, states[0] if len(states) == 1 else np.concatenate(states, axis=1), tuple(saved)

    def backward(
        self,
        prepared: list[Any],
        saved: tuple[Any, ...],
        valid: Bools | None,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        """Adjoint of `forward`: d_x, d_h0, d_dt, 0 in padding; parameter gradients are added to ``g``."""
        d_h0: list[Any] = [None] * len(self.layers)
        d_dt, before = None, [valid]  # which steps each layer has
        for own in saved[:-1]:
            before.append(own.thinning.pace.valid if isinstance(own, Thinned) else before[-1])
        for k in range(len(self.layers) - 1, -1, -1):
            d_state = d_h if len(self.layers) == 1 else np.ascontiguousarray(d_h[:, self.states[k]])
            layer, own = self.layers[k], saved[k]
            if isinstance(own, NothingCame):
                d_y, d_h0[k] = np.empty((len(d_y), 0, layer.input_size), d_y.dtype), d_state
                continue
            if isinstance(own, Thinned):
                thin, own = own.thinning, own.saved
            run = parallel.adjoint(layer, own)
            d_y, d_h0[k], d_layer_dt = run(
                prepared[k], own, d_y, d_state, part(g, self.prefixes[k]), want_x or k > 0, want_dt,
                workspace.child(k),
            )  # fmt: skip
            if layer.stride > 1:
                elapsed = layer.state_slices["elapsed"]
                d_dt, d_elapsed = thin.d_times(d_dt, d_state[:, elapsed].ravel(), want_dt)
                d_h0[k][:, elapsed] = d_elapsed[:, None]
            if d_layer_dt is not None:
                d_dt = d_layer_dt if d_dt is None else d_dt + d_layer_dt
            if before[k] is not None and d_y is not None:
                d_y[~before[k]] = 0
        if valid is not None and d_dt is not None:
            d_dt[~valid] = 0
        return d_y, d_h0[0] if len(d_h0) == 1 else np.concatenate(d_h0, axis=1), d_dt

    def stepper(
        self, prepared: list[Any], x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        """Of all layers; see `Layer.stepper`.  Outputs that have not fallen due are 0."""
        if self.stride > 1:
            return self._strided_stepper(prepared, x, dt, h0, workspace)
        if len(self.layers) == 1:
            return self.layers[0].stepper(prepared[0], x, dt, h0, workspace.child(0))
        B, state, passed = len(x), np.empty_like(h0), []
        for k, (layer, columns) in enumerate(zip(self.layers, self.states, strict=True)):
            start = np.empty((B, layer.state_size), h0.dtype)
            given = np.empty((B, 1, layer.output_size), x.dtype)
            passed.append((layer.stepper(prepared[k], x, dt, start, workspace.child(k)), columns, start, given))
            x = given

        def step() -> tuple[Array, Array]:
            for run, columns, start, given in passed:
                start[...] = h0[:, columns]
                given[...], state[:, columns] = run()
            return given, state

        return step

    def _strided_stepper(
        self, prepared: list[Any], x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        """As `stepper`, by sequences of one step."""
        lengths = np.ones(len(x), np.int64)

        def step() -> tuple[Array, Array]:
            y, state, _ = self.forward(prepared, x, dt, lengths, None, h0, None, workspace, lambda k: None)
            return y if y.shape[1] else np.zeros((len(x), 1, self.output_size), x.dtype), state

        return step

    def pace(self, steps: Pace, h0: Array) -> Pace:
        """Which outputs sequences of these steps have, from a state h0 (B, K)."""
        for layer, columns in zip(self.layers, self.states, strict=True):
            if layer.stride > 1:
                steps = pace.thinning(layer, h0[:, columns], steps.lengths, steps.T).pace
        return steps

    def pace_of(self, saved: tuple[Any, ...], steps: Pace) -> Pace:
        """The same, of what a `forward` has saved."""
        for own in saved:
            if isinstance(own, Thinned):
                steps = own.thinning.pace
        return steps

    def trace(self, prepared: list[Any], x: Array, dt: Array, lengths: Ints, h0: Array) -> list[Passed]:
        """What goes through each layer, with its states and what happens inside it; see `Layer.trace`.

        There must be at least one output.
        """
        found: list[Passed] = []
        for layer, own, columns in zip(self.layers, prepared, self.states, strict=True):
            start = np.ascontiguousarray(h0[:, columns])
            if layer.stride > 1:
                traced, thin, times = pace.trace(layer, own, x, dt, lengths, start)
                found.append(Passed(x, dt, lengths, start, traced))
                dt, lengths = times, thin.pace.lengths
            else:
                found.append(Passed(x, dt, lengths, start, layer.trace(own, x, dt, lengths, start)))
            x = found[-1].traced.y
        return found

    def new_buffers(self, buffers: Arrays, saved: tuple[Any, ...]) -> Arrays:
        """Those that an optimiser step changes, after a `forward` in training that saved this."""
        return {
            prefix + name: values
            for layer, prefix, own in zip(self.layers, self.prefixes, saved, strict=True)
            if layer.batch_statistics and not isinstance(own, NothingCame)
            for name, values in layer.new_buffers(part(buffers, prefix), own).items()
        }

    def initial_state(self, B: int, dtype: Float) -> Array:
        """(B, K) state at the start of a sequence."""
        parts = [layer.initial_state(B, dtype) for layer in self.layers]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
