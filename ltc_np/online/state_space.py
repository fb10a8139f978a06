"""Exact traces of `S4D` and `LiquidS4`: ten numbers for each mode, and a slope for each parameter."""

from __future__ import annotations

from .. import kernels
from ..base.types import Array, Backend, Float
from ..cells.state_space import StateSpaceCell
from .diagonal import DiagonalTraces


class StateSpaceTraces(DiagonalTraces):
    """See `DiagonalTraces`.  All discretizations, liquid terms, degrees and bounds have them.

    Notes
    -----
    ``traces`` (5, 2, M, H) are those of `ltc_np.kernels.numpy.ssm_traces.carry`.  A parameter belongs to one channel,
    so what it does to the outputs is one number: ``slopes`` (6 * M + 2, H) has them in the order of the layout.
    """

    def __init__(self, cell: StateSpaceCell, dtype: Float, backend: Backend) -> None:
        self._kernels = kernels.load(kernels.on_host(backend), "ssm_traces")
        super().__init__(cell, dtype, backend)

    @staticmethod
    def shapes(cell: StateSpaceCell) -> dict[str, tuple[int, ...]]:
        M, H = cell.layout.slices["decay"][1]
        return {"state": (cell.state_size,), "traces": (5, 2, M, H), "slopes": (6 * M + 2, H)}

    def _step(self, x: Array, dt: Array) -> Array:
        state, p = self.arrays["state"], self._prepared
        y, after, _ = self._cell.forward(p, x, dt, self._one, state[None], None, self._workspace)
        self._kernels.carry(p.space, x[0], dt[0], state[None], self.arrays["traces"], self.arrays["slopes"])
        state[:] = after[0]
        return y

    def _by_effective(self, d_y: Array) -> Array:
        return (self.arrays["slopes"] * d_y).ravel()
