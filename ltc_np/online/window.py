"""Exact gradients of a layer whose state holds inputs alone, such as `Conv1D` (docs/online.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..base.types import Array, Arrays, Backend, Float
from ..base.workspace import Workspace
from ..cells.base import Layer
from .traces import Traces


class WindowTraces(Traces):
    """No parameter moves such a state, so all that an answer's gradient needs is that answer's own step.

    Outputs have the bits of `Model.step`.

    Parameters
    ----------
    layer : Layer
    dtype : float32 or float64
    backend : "numpy", "cpu" or "cuda"
        With ``"cuda"`` the CPU computes.

    Attributes
    ----------
    arrays : dict
        ``state`` (K,), and of the last step: ``before`` (K,), the state before it, ``x`` (I,) and ``theta`` (P,).
    """

    arrays: Arrays

    def __init__(self, layer: Layer, dtype: Float, backend: Backend) -> None:
        self._layer = layer
        self._backend: Any = kernels.on_host(backend)
        self._one, self._workspace = np.ones(1, np.int64), Workspace()
        self.hold({name: (size,) for name, size in self.sizes(layer).items()}, dtype)
        self._theta = np.zeros(layer.layout.size, dtype)
        self._prepared: Any = None
        self.reset()

    @staticmethod
    def sizes(layer: Layer) -> dict[str, int]:
        """Of ``arrays``."""
        return {
            "state": layer.state_size,
            "before": layer.state_size,
            "x": layer.input_size,
            "theta": layer.layout.size,
        }

    def prepare(self, theta: Array) -> None:
        self._theta[:] = theta
        self._prepared = self._ready(theta)

    def _ready(self, theta: Array) -> Any:
        layout = self._layer.layout
        return self._layer.prepare(layout.arrays(layout.effective(theta)), {}, self._backend)

    def reset(self) -> None:
        for array in self.arrays.values():
            array.fill(0)
        self.arrays["state"][:] = self._layer.initial_state(1, self._theta.dtype)[0]

    @np.errstate(over="ignore", invalid="ignore")  # who calls looks at the outputs
    def advance(self, x: Array, dt: float) -> Array:
        held = self.arrays
        held["before"][:], held["x"][:], held["theta"][:] = held["state"], x, self._theta
        y, after, _ = self._forward(self._prepared)
        held["state"][:] = after[0]
        return y[0, 0].copy()

    def _forward(self, prepared: Any) -> tuple[Array, Array, Any]:
        """The last step."""
        x, before = self.arrays["x"].reshape(1, 1, -1), self.arrays["before"][None]
        elapsed = np.ones((1, 1), x.dtype)
        return self._layer.forward(prepared, x, elapsed, self._one, before, "full", self._workspace)

    @np.errstate(over="ignore", invalid="ignore")
    def gradient(self, d_y: Array) -> Array:
        layout, theta = self._layer.layout, self.arrays["theta"]
        prepared = self._prepared if np.array_equal(theta, self._theta) else self._ready(theta)
        _, after, saved = self._forward(prepared)
        by_effective = np.zeros(layout.size)
        self._layer.backward(
            prepared, saved, d_y.reshape(1, 1, -1), np.zeros_like(after), layout.arrays(by_effective), False, False,
            self._workspace,
        )  # fmt: skip
        return layout.d_effective(layout.effective(theta), by_effective).astype(theta.dtype, copy=False)
