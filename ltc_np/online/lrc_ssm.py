"""Exact traces of an `LrcSSM`: 4 I + 9 numbers for each of its units, with I inputs."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..base import blas
from ..base.types import Array, Backend, Float
from ..cells import LrcSSM
from ..cells.blocks import Block
from ..cells.lrc_ssm import drive
from .diagonal import DiagonalTraces

STEP = Block(0, 1, 0, 1, 0)  # of one sequence


class LrcSSMTraces(DiagonalTraces):
    """See `DiagonalTraces`.

    Every solver, number of unfolds and elastance has them, since the cell's own adjoint says what a step does.  That of
    a 1 for each unit has all derivatives at once.

    Notes
    -----
    ``traces`` (4 * I + U, N) has the rows of `ltc_np.kernels.numpy.lrc_ssm_traces.carry`, in the order of the layout.
    """

    def __init__(self, cell: LrcSSM, dtype: Float, backend: Backend) -> None:
        I, N, backend = cell.input_size, cell.units, kernels.on_host(backend)
        self._kernels, self._layer = kernels.load(backend, "lrc_ssm_traces"), cell
        self._packed: tuple[tuple[Array, Array], ...] = ()
        self._scratch = self._kernels.scratch(cell.rule, I, N, dtype)
        work = kernels.load(backend, "lrc_ssm").work_size(tuple(cell.rule), N, dtype.itemsize)
        # Of a step: the open synapses, the sums over them, the potentials before and after, and the kernel's own.
        self._work = [np.empty(shape, dtype) for shape in ((1, I), (1, 2 * N), (1, N), (1, 1, N), (work,))]
        super().__init__(cell, dtype, backend)
        self._parts = self.arrays["traces"][: 2 * I], self.arrays["traces"][2 * I :]  # of mu and sigma, and the rest

    @staticmethod
    def shapes(cell: LrcSSM) -> dict[str, tuple[int, ...]]:
        I, N, P = cell.input_size, cell.state_size, cell.layout.size
        # A row for each of the layout, and N more numbers for each of mu and sigma, of which it has one.
        return {"state": (N,), "traces": ((P - 2 * I) // N + 2 * I, N)}

    def prepare(self, theta: Array) -> None:
        if self._packed:
            self._cell.layout.effective(theta, out=self._values)
            for taken, given in self._packed:
                taken[...] = given
            return
        super().prepare(theta)
        I, N, values, p = self._layer.input_size, self._layer.units, self._values, self._prepared
        weights, units = values[2 * I : 2 * I * (1 + N)].reshape(2, I, N), values[2 * I * (1 + N) :].reshape(-1, N)
        # What has to follow the effective values, of which mu and sigma are views; a step reads nothing else of p.
        self._packed = (p.weights.reshape(I, 2, N), weights.transpose(1, 0, 2)), (p.unit[: len(units)], units)

    def _check(self, dt: Array) -> None:
        cell, limit = self._layer, self._layer.method.limit
        # No rate is above 1, so the largest, which takes longer than a step, says nothing of shorter unfolds.
        if limit is not None and float(dt[0, 0]) / cell.ode_unfolds >= limit:
            fastest = cell.fastest(cell.layout.arrays(self._values))
            cell.check(self._prepared._replace(fastest=fastest), dt)

    def _step(self, x: Array, dt: Array) -> Array:
        p, (s, drives, before, y, work), state = self._prepared, self._work, self.arrays["state"][None]
        before[:] = state
        if drives.size * len(p.mu) > blas.SERIAL_PRODUCTS:
            with blas.one_thread():
                drive(p, STEP, x, s, drives)
        else:
            drive(p, STEP, x, s, drives)
        p.kernels.forward_steps(p.unit, p.kind, p.rule, *STEP[:4], dt, drives, state, y, work)
        self._kernels.carry(
            p.unit, p.kind, p.rule, p.mu, p.sigma, p.weights, x, dt, drives, before, y,
            self.arrays["traces"], self._scratch,
        )  # fmt: skip
        return y

    def _by_effective(self, d_y: Array) -> Array:
        shared, own = self._parts
        found = np.empty_like(self._values)
        np.matmul(shared, d_y, out=found[: len(shared)])
        np.multiply(own, d_y, out=found[len(shared) :].reshape(own.shape))
        return found
