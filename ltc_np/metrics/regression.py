"""Metrics of numbers."""

from __future__ import annotations

from typing import Any, SupportsFloat

import numpy as np

from ..base.types import Array, Mode, Numbers, State
from .base import MeanMetric, Metric, columns


def _errors(name: str, y: Numbers, target: Numbers) -> tuple[Array, Numbers]:
    """y - target, (n, O), in float64, and target (n, O)."""
    if y.shape[1] == 1:
        target = target.reshape(y.shape)
    if target.shape != y.shape:
        raise ValueError(f"`target` of {name} must have y's shape, got one number for {y.shape[1]} outputs")
    return y.astype(np.float64) - target, target


class MSE(MeanMetric):
    """Mean squared error, sum_i w_i (y_i - target_i)**2 / sum_i w_i over all elements (b, t, o).

    ``target`` has y's shape; the axis of one output may be missing.

    Examples
    --------
    >>> metric = MSE()
    >>> metric.update(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]]))
    >>> metric.update(np.array([[3.0, 5.0]]), np.array([[3.0, 4.0]]))
    >>> metric.result()
    1.25
    """

    name = "mse"
    foreign_names = "mean_squared_error neg_mean_squared_error"
    mode: Mode | None = "min"

    def _elements(self, y: Numbers, target: Numbers) -> Array:
        return _errors(self.name, y, target)[0] ** 2


class RMSE(MSE):
    """Root of the mean squared error, the square root of `MSE`: in the unit of the targets.

    Examples
    --------
    >>> metric = RMSE()
    >>> metric.update(np.array([[1.0], [2.0]]), np.array([[2.0], [9.0]]))
    >>> metric.result() == ((1**2 + 7**2) / 2) ** 0.5
    True
    """

    name = "rmse"
    foreign_names = "root_mean_squared_error neg_root_mean_squared_error"

    def _value(self) -> float:
        return np.sqrt(super()._value())


class MAE(MeanMetric):
    """Mean absolute error, sum_i w_i abs(y_i - target_i) / sum_i w_i over all elements (b, t, o).

    ``target`` has y's shape; the axis of one output may be missing.

    Examples
    --------
    >>> metric = MAE()
    >>> metric.update(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0, 0.0], [3.0, 4.0]]))
    >>> metric.result()
    0.75
    """

    name = "mae"
    foreign_names = "mean_absolute_error neg_mean_absolute_error"
    mode: Mode | None = "min"

    def _elements(self, y: Numbers, target: Numbers) -> Array:
        return np.abs(_errors(self.name, y, target)[0])


class R2(Metric):
    """Coefficient of determination, averaged over the outputs with equal shares; for each output o

        R2_o = 1 - sum_i w_i (target_io - y_io)**2 / sum_i w_i (target_io - mean_o)**2

    with mean_o the weighted mean of all targets.  1 is perfect, 0 is as good as the mean.  For a constant
    target, where the quotient is not defined, R2_o is 1 if every prediction is exact and 0 otherwise, as in
    scikit-learn.  An output without any target (where those of single outputs are missing) has no share.

    ``target`` has y's shape; the axis of one output may be missing.  The spread of the targets is merged batch by batch
    (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979), so
    that a mean much larger than the spread costs no digits.

    Examples
    --------
    >>> metric = R2()
    >>> metric.update(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    >>> metric.update(np.array([[3.0], [3.0]]), np.array([[3.0], [4.0]]))
    >>> metric.result()
    0.8
    """

    name = "r2"
    foreign_names = "r2_score r2score"
    mode: Mode | None = "max"
    takes_outputs = True
    _origin: Any

    def reset(self) -> None:
        super().reset()
        self._origin = None

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        error, target = _errors(self.name, y, target)
        weight = columns(weight)
        self._begin(y.shape[1])
        if y.shape[1] != self._mean.size:
            raise ValueError(f"`y` must have {self._mean.size} outputs as before, got {y.shape[1]}")
        batch_weight = np.broadcast_to(np.sum(weight, axis=0), self._mean.shape)
        there = batch_weight > 0
        # offsets from an output's first target, not values: a constant target then has exactly no spread
        first = target[np.argmax(weight > 0, axis=0), np.arange(y.shape[1])]
        self._origin = np.where(np.isnan(self._origin) & there, first, self._origin)
        offset = target - np.where(np.isnan(self._origin), 0.0, self._origin)
        batch_mean = np.sum(weight * offset, axis=0) / np.where(there, batch_weight, 1.0)
        self._residual += np.sum(weight * error**2, axis=0)
        self._merge_spread(batch_weight, batch_mean, np.sum(weight * (offset - batch_mean) ** 2, axis=0))

    def _begin(self, outputs: int) -> None:
        """Before the first batch: sums of 0, (O,) each, and no origin of any output."""
        if self._origin is None:
            self._origin = np.full(outputs, np.nan)
            self._weight, self._mean, self._spread, self._residual = np.zeros((4, outputs))

    def _merge_spread(self, weight: Array, mean: Array, spread: Array) -> None:
        """Take in a sum of weights, a mean from the origin and a spread around it, (O,) each."""
        between = mean - self._mean
        total = self._weight + weight
        share = weight / np.where(total > 0, total, 1.0)
        self._spread += spread
        self._spread += between**2 * (self._weight * share)
        self._mean += between * share
        self._weight = total

    def _merge(self, state: State) -> None:
        origin, weight, mean, spread, residual = (
            state[name] for name in ("_origin", "_weight", "_mean", "_spread", "_residual")
        )
        self._begin(origin.size)
        self._origin = np.where(np.isnan(self._origin), origin, self._origin)
        shift = np.where(np.isnan(origin), 0.0, origin - self._origin)
        self._residual += residual
        self._merge_spread(weight, mean + shift, spread)

    def _value(self) -> SupportsFloat:
        constant = self._spread == 0
        share = self._residual / np.where(constant, 1.0, self._spread)
        return np.mean(np.where(constant, self._residual == 0, 1.0 - share)[self._weight > 0])
