"""Exact traces of an `LrcSSM`: 4 I + 9 numbers for each of its units, with I inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..base.types import Array, Backend, Float
from ..cells import LrcSSM
from .diagonal import DiagonalTraces


class LrcSSMTraces(DiagonalTraces):
    """See `DiagonalTraces`.

    Every solver, number of unfolds and elastance has them, since the cell's own adjoint says what a step does.  That of
    a 1 for each unit has all derivatives at once.

    Notes
    -----
    ``traces`` (4 * I + U, N) has the rows of `ltc_np.kernels.numpy.lrc_ssm_traces.carry`, in the order of the layout.
    """

    def __init__(self, cell: LrcSSM, dtype: Float, backend: Backend) -> None:
        self._kernels = kernels.load(kernels.on_host(backend), "lrc_ssm_traces")
        self._scratch = self._kernels.scratch(cell.rule, cell.input_size, cell.units, dtype)
        super().__init__(cell, dtype, backend)

    @staticmethod
    def shapes(cell: LrcSSM) -> dict[str, tuple[int, ...]]:
        I, N, P = cell.input_size, cell.state_size, cell.layout.size
        # A row for each of the layout, and N more numbers for each of mu and sigma, of which it has one.
        return {"state": (N,), "traces": ((P - 2 * I) // N + 2 * I, N)}

    def _carry(self, x: Array, dt: Array, before: Array, y: Array, saved: Any) -> None:
        p, drives = self._prepared, saved.drives.reshape(1, -1)
        self._kernels.carry(
            p.unit, p.kind, p.rule, p.mu, p.sigma, p.weights, x, dt, drives, before, y,
            self.arrays["traces"], self._scratch,
        )  # fmt: skip

    def _by_effective(self, d_y: Array) -> Array:
        traces, shared = self.arrays["traces"], 2 * self._cell.input_size
        return np.concatenate([traces[:shared] @ d_y, (traces[shared:] * d_y).ravel()])
