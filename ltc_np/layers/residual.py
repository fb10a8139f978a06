"""Residual: a way around some layers.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385), equations 1 and 2.
docs/maths/around.md#residual has the gradients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Layout, part
from ..base.types import Array, Arrays, Backend, Float, Ints, Keep, Numbers
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import Traced, combine
from ..cells.dropping import own_rng
from ..wirings import Wiring
from .pace import refuse_strides
from .stack import Stack, connected


class Way(NamedTuple):
    """From the inputs to the sum: its layers, what stands before their names, and which part of the state is theirs."""

    stack: Stack
    prefix: str
    columns: slice


class Saved(NamedTuple):
    """What the adjoint needs: which steps are no padding (B, T), None for all, and what each way saved."""

    valid: np.ndarray | None
    ways: list[tuple[Any, ...]]


class Residual(Layer):
    """``y = x + f(x)``, f one layer or several in a row; or ``y = g(x) + f(x)``, g another layer.

    Parameters
    ----------
    *layers : Layer
        Applied in order.  The last must give as many features as the first takes, or as ``around`` gives.
    around : Layer, optional
        g, such as a `Line`; default: the input itself.

    Notes
    -----
    Parameters, states and buffers are those of the layers; with several, the names of layer k become ``"k.name"``, as
    in a `Model`.  With ``around`` they have ``layers_`` before them, and those of g, which come behind, ``around_``.
    What is true of all layers is true of it.  Cost: that of the layers.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model, Residual
    >>> block = Residual(LTC(AutoNCP(16, 4)), Dense(8, "tanh"))
    >>> model = Model(Dense(8), block, Residual(Dense(8, "relu")), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    layers: tuple[Layer, ...]
    around: Layer | None
    ways: list[Way]

    lowering = "nested.residual"

    def __init__(self, *layers: Layer, around: Layer | None = None) -> None:
        if not (around is None or isinstance(around, Layer)):
            raise TypeError(f"`around` must be a layer such as Line(...) or None, got {type(around).__name__}")
        self.layers, self.around = layers, around
        if layers and isinstance(layers[0], Layer) and layers[0].open:
            return self._defer()
        stack = Stack(layers)
        stacks, given, what = [stack], stack.input_size, "as they take"
        if around is not None:
            stacks.append(Stack((around,), stack.input_size))
            given, what = stacks[1].output_size, "as `around` gives"
            (self.around,) = stacks[1].layers
        refuse_strides(self, [layer for own in stacks for layer in own.layers])
        if stack.output_size != given:
            raise ValueError(
                f"`layers` must give as many features {what}, to be added to them, got {given} in, "
                f"{stack.output_size} out"
            )
        self.layers, self.input_size, self.output_size = stack.layers, stack.input_size, stack.output_size
        prefixes = ("",) if around is None else ("layers_", "around_")
        ends = np.cumsum([0, *(own.state_size for own in stacks)]).tolist()
        self.ways = [Way(*way) for way in zip(stacks, prefixes, map(slice, ends, ends[1:]), strict=True)]
        self.state_size = ends[-1]
        self.state_slices = {
            prefix + name: slice(columns.start + where.start, columns.start + where.stop)
            for own, prefix, columns in self.ways
            for name, where in own.state_slices.items()
        }
        self.layout, self.buffers = (
            Layout(tuple(entry for way in self.ways for entry in getattr(way.stack, kind).prefixed(way.prefix)))
            for kind in ("layout", "buffers")
        )
        self.reach = max(own.reach for own in stacks)
        vars(self).update(combine([layer for own in stacks for layer in own.layers]))
        self._freeze()

    def config(self) -> dict[str, Any]:
        """The arguments; without ``around`` as in files from before it was one."""
        return {"layers": self.layers} | ({} if self.around is None else {"around": self.around})

    def with_input(self, features: int) -> Residual:
        return Residual(*connected(self.layers, features), around=self.around) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self.ways[0].stack.wiring

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        return [way.stack.prepare(part(p, way.prefix), part(buffers, way.prefix), backend) for way in self.ways]

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        return tuple((way.prefix + way.stack.prefixes[0], way.stack.layers[0]) for way in self.ways)

    @property
    def end(self) -> tuple[str, Layer]:
        """The layer that gives what is added to the inputs, with the prefix of its buffers' names."""
        stack = self.ways[0].stack
        return stack.prefixes[-1], stack.layers[-1]

    def check(self, prepared: Any, dt: Array) -> None:
        for way, own in zip(self.ways, prepared, strict=True):
            way.stack.check(own, dt)

    def _parts(self, h: Array) -> list[Array]:
        """What belongs to each way of a state (B, K), or of its adjoint."""
        return [h] if self.around is None else [np.ascontiguousarray(h[:, way.columns]) for way in self.ways]

    def forward(
        self,
        prepared: Any,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Saved | None]:
        T = x.shape[1]
        valid = None if (lengths == T).all() else checks.before_end(lengths, T)
        outputs, states, saved = [], [], []
        for way, own, start in zip(self.ways, prepared, self._parts(h0), strict=True):
            place = workspace.child(way.prefix) if way.prefix else workspace
            f, h, kept = way.stack.forward(own, x, dt, lengths, valid, start, keep, place, lambda k: own_rng(rng))
            outputs.append(f)
            states.append(h)
            saved.append(kept)
        # An array of its own: a layer may need its output again.
        y = workspace.array("y", outputs[0].size, x.dtype).reshape(outputs[0].shape)
        np.add(x if self.around is None else outputs[1], outputs[0], out=y)
        return y, _together(states), Saved(valid, saved) if keep else None

    def backward(
        self,
        prepared: Any,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        d_x, d_dt, d_states = d_y if self.around is None else None, None, []
        for way, own, kept, d_end in zip(self.ways, prepared, saved.ways, self._parts(d_h), strict=True):
            place = workspace.child(way.prefix) if way.prefix else workspace
            d_own_x, d_start, d_own_dt = way.stack.backward(
                own, kept, saved.valid, d_y, d_end, part(g, way.prefix), want_x, want_dt, place
            )
            d_states.append(d_start)
            d_x, d_dt = _sum(d_x, d_own_x), _sum(d_dt, d_own_dt)
        return d_x if want_x else None, _together(d_states), d_dt

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """The layers', with the names that their parameters have: ``"1.tau"`` of the second of several."""
        y, states, arrays = x if self.around is None else None, [], {}
        for way, own, start in zip(self.ways, prepared, self._parts(h0), strict=True):
            passed = [each.traced for each in way.stack.trace(own, x, dt, lengths, start)]
            for prefix, each in zip(way.stack.prefixes, passed, strict=True):
                arrays |= each.prefixed(way.prefix + prefix)
                states.append(each.states)
            y = _sum(y, passed[-1].y)
        return Traced(y, np.concatenate(states, axis=2), arrays)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """`trace` of sequences of one step: of a residual inside of a layer that goes step by step."""
        traced = self.trace(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state)
        return {name: array[:, 0] for name, array in traced.arrays.items()}

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        return {
            way.prefix + name: values
            for way, own in zip(self.ways, saved.ways, strict=True)
            for name, values in way.stack.new_buffers(part(buffers, way.prefix), own).items()
        }

    def initial_state(self, B: int, dtype: Float) -> Array:
        return _together([way.stack.initial_state(B, dtype) for way in self.ways])


def _together(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def _sum(one: Array | None, other: Array | None) -> Array | None:
    return other if one is None else one if other is None else one + other
