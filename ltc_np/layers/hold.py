"""Hold: layers with a stride, whose last output stands until the next one comes.

docs/maths/around.md#hold has the gradients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Arrays, Backend, Bools, Float, Ints, Keep, Numbers
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import Traced, combine
from ..cells.dropping import own_rng
from ..wirings import Wiring
from .pace import Pace
from .stack import Stack, connected


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    valid : (B, T) bool array, or None
        Which steps are no padding; None for all.
    stack : tuple
        What the layers saved.
    since : (B,) int array
        Steps since the last output, before the first step.
    outputs : (B,) int array
        How many outputs each sequence has.
    """

    valid: Bools | None
    stack: tuple[Any, ...]
    since: Ints
    outputs: Ints


class Hold(Layer):
    """An output at every step of layers that give one for several: their last one, held until the next falls due.

    Parameters
    ----------
    *layers : Layer
        Applied in order.  One of them or several have a stride, such as ``Conv1D(8, 7, stride=2)`` or ``Patch(4)``.

    Notes
    -----
    This is a zero-order hold.  Before the first output there are zeros, so a sequence that is shorter than the stride
    has only these.  With it layers with a stride can stand where each step must have an output: beside others in a
    `Residual`, or before a layer that reads all steps.  Parameters and buffers are those of the layers; with several,
    the names of layer k become ``"k.name"``, as in a `Model`.  The state is theirs and ``held``, the last output.  Of
    times that are too long together for an explicit solver inside it knows those of sequences from their beginning.
    Cost: that of the layers, and a copy.

    Examples
    --------
    >>> from ltc_np import Hold, Model, Patch
    >>> Model(Hold(Patch(2)), input_dim=1)([[1.0], [2.0], [3.0], [4.0], [5.0]]).tolist()
    [[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [3.0, 4.0]]
    """

    layers: tuple[Layer, ...]
    stack: Stack

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        if layers and isinstance(layers[0], Layer) and layers[0].open:
            return self._defer()
        self.stack = stack = Stack(layers)
        self.layers, self.input_size, self.output_size = stack.layers, stack.input_size, stack.output_size
        self.state_size = stack.state_size + stack.output_size
        self.state_slices = stack.state_slices | {"held": slice(stack.state_size, self.state_size)}
        self.layout, self.buffers = stack.layout, stack.buffers
        self.reach = stack.reach * stack.stride
        vars(self).update(combine(stack.layers, dt0_identity=False, hull=False))  # what is held is no potential
        self._freeze()

    def with_input(self, features: int) -> Hold:
        return Hold(*connected(self.layers, features)) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self.stack.wiring

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        return self.stack.prepare(p, buffers, backend)

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        return ((self.stack.prefixes[0], self.stack.layers[0]),)

    def check(self, prepared: Any, dt: Array) -> None:
        B, T = dt.shape
        self.stack.check(prepared, dt, np.full(B, T), self.stack.initial_state(B, dt.dtype))

    def _paces(self, h: Array) -> list[tuple[int, Ints]]:
        """For each layer how many steps have one output, and (B,) how many there were since the last one, of states
        (B, K)."""
        found: list[tuple[int, Ints]] = []
        stride, since = 1, np.zeros(len(h), np.int64)
        for layer, columns in zip(self.layers, self.stack.states, strict=True):
            if layer.stride > 1:
                phase = h[:, columns][:, layer.state_slices["phase"]]
                passed = np.rint(phase[:, 0]).astype(np.int64) % layer.stride
                since, stride = since + stride * passed, stride * layer.stride
            found.append((stride, since))
        return found

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
        T, K = x.shape[1], self.stack.state_size
        valid = None if (lengths == T).all() else checks.before_end(lengths, T)
        start, (stride, since) = np.ascontiguousarray(h0[:, :K]), self._paces(h0)[-1]
        z, h, kept = self.stack.forward(
            prepared, x, dt, lengths, valid, start, keep, workspace, lambda _: own_rng(rng)
        )  # fmt: skip
        outputs = self.stack.pace_of(kept, Pace(T, lengths, valid)).lengths
        steps = np.concatenate([h0[:, None, K:], z], axis=1)
        y = _held(steps, since, stride, outputs, T)
        last = np.take_along_axis(steps, outputs[:, None, None], 1)[:, 0]
        return y, np.concatenate([h, last], axis=1), Saved(valid, kept, since, outputs) if keep else None

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
        (B, T, O), K, S = d_y.shape, self.stack.state_size, self.stack.stride
        n = int(saved.outputs.max())
        d_steps = np.zeros((B, n + 1, O), d_y.dtype)
        for since in np.unique(saved.since).tolist():
            rows, places = saved.since == since, since + 1 + T
            each = np.zeros((int(rows.sum()), -(-places // S) * S, O), d_y.dtype)
            each[:, since + 1 : places] = d_y[rows]
            sums = each.reshape(len(each), -1, S, O).sum(2)[:, : n + 1]  # of the steps that hold each output
            d_steps[rows, : sums.shape[1]] = sums
        d_steps[np.arange(B), saved.outputs] += d_h[:, K:]
        d_z, d_own = np.ascontiguousarray(d_steps[:, 1:]), np.ascontiguousarray(d_h[:, :K])
        d_x, d_start, d_dt = self.stack.backward(
            prepared, saved.stack, saved.valid, d_z, d_own, g, want_x, want_dt, workspace
        )  # fmt: skip
        return d_x, np.concatenate([d_start, d_steps[:, 0]], axis=1), d_dt

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """What happens inside the layers is held like their outputs, and 0 before the first one."""
        (B, T, _), K, paces = x.shape, self.stack.state_size, self._paces(h0)
        if (paces[-1][1] + lengths).max() < paces[-1][0]:  # no output
            return super().trace(prepared, x, dt, lengths, h0)
        past, arrays, states = ~checks.before_end(lengths, T), {}, []

        def held(before: Numbers, found: Numbers, pace: tuple[int, Ints]) -> Numbers:
            stride, since = pace
            steps = np.concatenate([before[:, None], found], axis=1)
            array = _held(steps, since, stride, (since + lengths) // stride, T)
            array[past] = 0
            return array

        passed, given = self.stack.trace(prepared, x, dt, lengths, np.ascontiguousarray(h0[:, :K])), (1, 0 * lengths)
        for prefix, each, pace in zip(self.stack.prefixes, passed, paces, strict=True):
            for name, seen in each.traced.prefixed(prefix).items():
                arrays[name] = held(np.zeros_like(seen, shape=(B, *seen.shape[2:])), seen, pace)
            states.append(held(each.h0, each.traced.states, given))
            given = pace
        y = held(h0[:, K:], passed[-1].traced.y, paces[-1])
        return Traced(y, np.concatenate([*states, y], axis=2), arrays)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """As `trace`, of sequences of one step: 0 where no output falls due, and nothing where none does."""
        due = self._paces(state)[-1][1] + 1 == self.stack.stride
        if not due.any():
            return {}
        traced = self.trace(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state)
        return {name: array[:, 0] for name, array in traced.arrays.items()}

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        return self.stack.new_buffers(buffers, saved.stack)

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.concatenate([self.stack.initial_state(B, dtype), np.zeros((B, self.output_size), dtype)], axis=1)


def _held(steps: Numbers, since: Ints, stride: int, outputs: Ints, T: int) -> Numbers:
    """(B, T, ...): of ``steps`` (B, 1 + n, ...), what was held before and n outputs, the one that each step holds.

    ``since`` (B,) is the number of steps since the last output, before the first step; of ``outputs`` (B,) there are
    some, and no later ones are taken.
    """
    count = np.minimum((since[:, None] + np.arange(1, T + 1)) // stride, outputs[:, None])
    return steps[np.arange(len(steps))[:, None], count]
