"""Looped: the same layers several times in a row.

Source: "Looped" state spaces, arXiv 2605.16048, whose blocks used L times match as many blocks of their own.
docs/maths/around.md#looped has the gradients.
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
from .pace import refuse_strides
from .stack import Stack, connected


class _Saved(NamedTuple):
    """What the adjoint needs: which steps are no padding (B, T), None for all, and what each use saved."""

    valid: Bools | None
    uses: list[tuple[Any, ...]]


class Looped(Layer):
    """``y = f(...f(f(x)))``: one layer f or several in a row, applied ``times`` times with the same parameters.

    Parameters
    ----------
    *layers : Layer
        f.  The last must give as many features as the first takes.
    times : int >= 1
        How often f is applied.

    Notes
    -----
    Parameters and buffers are those of f, with its names; gradients are the sums over the uses.  Each use has a state
    of its own; the names of use k begin with ``"use{k}."``.  A `BatchNorm` in it has one mean and one variance for all
    uses, which move on by each of them in turn.  What is true of f is true of it.  Cost: ``times`` that of f.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, LinOSS, Looped, Model, Residual
    >>> block = Residual(LinOSS(8, 16), Dense(8, "tanh"))
    >>> model = Model(Dense(8), Looped(block, times=3), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    layers: tuple[Layer, ...]
    times: int
    stack: Stack

    lowering = "nested.looped"

    def __init__(self, *layers: Layer, times: int = 2) -> None:
        self.layers, self.times = layers, checks.integer("times", times)
        if layers and isinstance(layers[0], Layer) and layers[0].open:
            return self._defer()
        self.stack = stack = Stack(layers)
        refuse_strides(self, stack.layers)
        if stack.output_size != stack.input_size:
            raise ValueError(
                "`layers` must give as many features as they take, to be applied again, got "
                f"{stack.input_size} in, {stack.output_size} out"
            )
        self.layers, self.input_size, self.output_size = stack.layers, stack.input_size, stack.output_size
        self.state_size, self.reach = self.times * stack.state_size, self.times * stack.reach
        self.state_slices = {
            f"use{k}.{name}": slice(k * stack.state_size + where.start, k * stack.state_size + where.stop)
            for k in range(self.times)
            for name, where in stack.state_slices.items()
        }
        self.layout, self.buffers = stack.layout, stack.buffers
        vars(self).update(combine(stack.layers))
        self._freeze()

    def with_input(self, features: int) -> Looped:
        return Looped(*connected(self.layers, features), times=self.times) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self.stack.wiring

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        return self.stack.prepare(p, buffers, backend)

    def check(self, prepared: Any, dt: Array) -> None:
        self.stack.check(prepared, dt)

    def _of_uses(self, h: Array) -> list[Array]:
        """What belongs to each use of a state (B, K), or of its adjoint."""
        return [np.ascontiguousarray(each) for each in np.split(h, self.times, axis=1)]

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
    ) -> tuple[Array, Array, _Saved | None]:
        T = x.shape[1]
        valid = None if (lengths == T).all() else checks.before_end(lengths, T)
        states, saved = [], []
        for k, start in enumerate(self._of_uses(h0)):
            place = workspace.child(f"use {k}")
            x, h, kept = self.stack.forward(
                prepared, x, dt, lengths, valid, start, keep, place, lambda _: own_rng(rng)
            )  # fmt: skip
            states.append(h)
            saved.append(kept)
        return x, np.concatenate(states, axis=1), _Saved(valid, saved) if keep else None

    def backward(
        self,
        prepared: Any,
        saved: _Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        d_dt, d_states = None, self._of_uses(d_h)
        for k in range(self.times - 1, -1, -1):
            d_y, d_states[k], d_own_dt = self.stack.backward(
                prepared, saved.uses[k], saved.valid, d_y, d_states[k], g, want_x or k > 0, want_dt,
                workspace.child(f"use {k}"),
            )  # fmt: skip
            if d_own_dt is not None:
                d_dt = d_own_dt if d_dt is None else d_dt + d_own_dt
        return d_y if want_x else None, np.concatenate(d_states, axis=1), d_dt

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """The layers', with the names that their parameters have, and before them that of the use."""
        states, arrays = [], {}
        for k, start in enumerate(self._of_uses(h0)):
            passed = [each.traced for each in self.stack.trace(prepared, x, dt, lengths, start)]
            for prefix, each in zip(self.stack.prefixes, passed, strict=True):
                arrays |= each.prefixed(f"use{k}.{prefix}")
                states.append(each.states)
            x = passed[-1].y
        return Traced(x, np.concatenate(states, axis=2), arrays)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """`trace` of sequences of one step: of a loop inside of a layer that goes step by step."""
        traced = self.trace(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state)
        return {name: array[:, 0] for name, array in traced.arrays.items()}

    def new_buffers(self, buffers: Arrays, saved: _Saved) -> Arrays:
        now = buffers
        for own in saved.uses:
            now = now | self.stack.new_buffers(now, own)
        return {name: values for name, values in now.items() if values is not buffers[name]}

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.concatenate([self.stack.initial_state(B, dtype)] * self.times, axis=1)
