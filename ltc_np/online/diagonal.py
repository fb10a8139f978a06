"""Exact traces of cells whose units do not read each other: a few numbers for each parameter (docs/online.md)."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from .. import kernels
from ..base.types import Array, Arrays, Backend, Float
from ..base.workspace import Workspace
from ..cells.base import Layer
from .traces import Traces


class DiagonalTraces(Traces):
    """Base of the traces of diagonal cells: the cell takes the step, and its traces follow.

    Outputs have the bits of `Model.step`.

    Parameters
    ----------
    cell : Layer
    dtype : float32 or float64
    backend : "numpy", "cpu" or "cuda"
        With ``"cuda"`` the CPU computes.

    Attributes
    ----------
    arrays : dict
        ``state`` (K,), and the traces, as a subclass says.
    """

    arrays: Arrays

    def __init__(self, cell: Layer, dtype: Float, backend: Backend) -> None:
        self._cell = cell
        self._backend: Any = kernels.on_host(backend)
        self._values = np.empty(cell.layout.size, dtype)
        self._x, self._dt = np.empty((1, 1, cell.input_size), dtype), np.empty((1, 1), dtype)
        self._one, self._workspace = np.ones(1, np.int64), Workspace()
        self._prepared: Any = None
        self.hold(self.shapes(cell), dtype)
        self.reset()

    @staticmethod
    @abc.abstractmethod
    def shapes(cell: Any) -> dict[str, tuple[int, ...]]:
        """Of ``arrays``, the state and the traces."""

    @abc.abstractmethod
    def _step(self, x: Array, dt: Array) -> Array:
        """Take the state and the traces through a step with inputs x (1, 1, I) and dt (1, 1), which is not too long;
        returns y (1, 1, O), in an array that the next step may write to."""

    @abc.abstractmethod
    def _by_effective(self, d_y: Array) -> Array:
        """The derivative of d_y . y by the effective parameters, a new array."""

    def prepare(self, theta: Array) -> None:
        values = self._cell.layout.effective(theta, out=self._values)
        self._prepared = self._cell.prepare(self._cell.layout.arrays(values), {}, self._backend)

    def _check(self, dt: Array) -> None:
        """Refuse a step that is too long for the parameters."""
        self._cell.check(self._prepared, dt)

    @np.errstate(over="ignore", invalid="ignore")  # who calls looks at the outputs
    def advance(self, x: Array, dt: float) -> Array:
        self._x[0, 0], self._dt[0, 0] = x, dt
        self._check(self._dt)
        return self._step(self._x, self._dt)[0, 0].copy()

    def gradient(self, d_y: Array) -> Array:
        return self._cell.layout.d_effective(self._values, self._by_effective(d_y))

    def reset(self) -> None:
        for array in self.arrays.values():
            array.fill(0)
        self.arrays["state"][:] = self._cell.initial_state(1, self._values.dtype)[0]
