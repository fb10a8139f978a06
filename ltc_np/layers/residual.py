"""Residual: a way around some layers.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385), equation 1.
docs/maths/around.md has the gradients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Arrays, Backend, Float, Ints, Keep, Numbers
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import Traced, combine
from ..cells.dropping import own_rng
from ..wirings import Wiring
from .stack import Stack, connected


class Saved(NamedTuple):
    """What the adjoint needs: which steps are no padding (B, T), None for all, and what the layers saved."""

    valid: np.ndarray | None
    layers: tuple[Any, ...]


class Residual(Layer):
    """``y = x + f(x)``, f one layer or several in a row.

    Parameters
    ----------
    *layers : Layer
        Applied in order.  The last must give as many features as the first takes.

    Notes
    -----
    Parameters, states and buffers are those of the layers; with several, the names of layer k become ``"k.name"``, as
    in a `Model`.  What is true of all layers is true of it.  Cost: that of the layers.

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

    lowering = "nested.residual"

    def __init__(self, *layers: Layer) -> None:
        if layers and isinstance(layers[0], Layer) and layers[0].open:
            self.layers = layers
            return self._defer()
        stack = self._stack = Stack(layers)
        if stack.output_size != stack.input_size:
            raise ValueError(
                f"`layers` must give as many features as they take, to be added to them, got {stack.input_size} in, "
                f"{stack.output_size} out"
            )
        self.layers = stack.layers
        for name in ("input_size", "output_size", "state_size", "state_slices", "layout", "buffers"):
            setattr(self, name, getattr(stack, name))
        vars(self).update(combine(stack.layers))
        self._freeze()

    def with_input(self, features: int) -> Residual:
        return Residual(*connected(self.layers, features)) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self._stack.wiring

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        return self._stack.prepare(p, buffers, backend)

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        return ((self._stack.prefixes[0], self.layers[0]),)

    @property
    def end(self) -> tuple[str, Layer]:
        """The layer that gives what is added to the inputs, with the prefix of its buffers' names."""
        return self._stack.prefixes[-1], self.layers[-1]

    def check(self, prepared: Any, dt: Array) -> None:
        self._stack.check(prepared, dt)

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
        f, h, saved = self._stack.forward(prepared, x, dt, lengths, valid, h0, keep, workspace, lambda k: own_rng(rng))
        # An array of its own: a layer may need its output again.
        y = workspace.array("y", x.size, x.dtype).reshape(x.shape)
        return np.add(x, f, out=y), h, Saved(valid, saved) if keep else None

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
        d_f, d_h0, d_dt = self._stack.backward(
            prepared, saved.layers, saved.valid, d_y, d_h, g, want_x, want_dt, workspace
        )
        return d_y + d_f if want_x else None, d_h0, d_dt

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """The layers', with the names that their parameters have: ``"1.tau"`` of the second of several."""
        passed = [each.traced for each in self._stack.trace(prepared, x, dt, lengths, h0)]
        arrays = {
            name: array
            for prefix, each in zip(self._stack.prefixes, passed, strict=True)
            for name, array in each.prefixed(prefix).items()
        }
        return Traced(x + passed[-1].y, np.concatenate([each.states for each in passed], axis=2), arrays)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """`trace` of sequences of one step: of a residual inside of a layer that goes step by step."""
        traced = self.trace(prepared, x[:, None], dt[:, None], np.ones(len(x), np.int64), state)
        return {name: array[:, 0] for name, array in traced.arrays.items()}

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        return self._stack.new_buffers(buffers, saved.layers)

    def initial_state(self, B: int, dtype: Float) -> Array:
        return self._stack.initial_state(B, dtype)
