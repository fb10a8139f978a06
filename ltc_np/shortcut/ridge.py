"""Ridge regression whose penalty is chosen by exact leave-one-out errors.

With centred rows X = U S V^T and the penalty a, fitted values are H y with H = 1/n + U diag(s^2 / (s^2 + a)) U^T.
Without the rows B the errors at these rows would be (I - H_BB)^-1 (y - H y)_B: no second fit is needed.  Hastie,
Tibshirani and Friedman, "The Elements of Statistical Learning", sections 3.4.1 and 7.10.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Ints

PENALTIES = 10.0 ** np.arange(-3, 6)


class Ridge(NamedTuple):
    """A fitted line, ``rows @ weight + bias``.

    Attributes
    ----------
    weight : (p, O) array
    bias : (O,) array
    penalty : (O,) array
        Of each output, on columns with spread 1.
    left_out : (n, O) array
        Predictions of every row by the line that is fitted, with the same penalty, to all rows outside its group.
    error : (O,) array
        Weighted mean squared error of ``left_out``.
    """

    weight: Array
    bias: Array
    penalty: Array
    left_out: Array
    error: Array

    def predict(self, rows: Array) -> Array:
        """The line at ``rows`` (..., p): (..., O)."""
        return rows @ self.weight + self.bias


def ridge(
    rows: Array, y: Array, weight: Array | None = None, groups: Ints | None = None, least: float | Array = 0.0
) -> Ridge:
    """Fit ``y`` by a line, with the penalty of `PENALTIES` that has the least leave-one-out error, output by output.

    Parameters
    ----------
    rows : (n, p) array
        Finite.  Columns are brought to mean 0 and spread 1 first; one that is constant says nothing.
    y : (n, O) array
    weight : (n,) array > 0, optional
        Of the squared errors; only ratios matter.
    groups : (n,) integers, optional
        Rows that are left out together, at least two groups; default: every row by itself.
    least : number or (p,) array, optional
        Spreads from which a column says something; smaller ones are rounding.

    Notes
    -----
    Cost: n p min(n, p) operations, and for groups of m rows those of solving systems of size min(m, p).
    """
    n = len(rows)
    rows, y = np.asarray(rows, np.float64), np.asarray(y, np.float64)
    share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    root = np.sqrt(share * n)[:, None]
    center, mean = share @ rows, share @ y
    scale = np.sqrt(share @ (rows - center) ** 2)
    scale = np.where(scale > np.maximum(least, 1e-9 * np.abs(center) + 1e-30), scale, np.inf)
    a, b = root * ((rows - center) / scale), root * (y - mean)
    # Of the smaller Gram matrix; `turned` is U S in both cases, and no small number is divided by.
    wide = n < a.shape[1]
    squares, vectors = np.linalg.eigh(a @ a.T if wide else a.T @ a)
    # What is 0 but for rounding would be seen where a row's errors are divided by little.
    squares = np.where(squares > len(squares) * np.finfo(float).eps * squares[-1], squares, 0)
    turned = vectors * np.sqrt(squares) if wide else a @ vectors
    onto = turned.T @ b
    best: list[tuple[float, float, Array]] = [(np.inf, 0.0, mean)] * y.shape[1]
    for penalty in PENALTIES:
        gain = 1 / (squares + penalty)
        left = _left_out(b - turned @ (gain[:, None] * onto), turned * np.sqrt(gain), root / np.sqrt(n), groups) / root
        for k, error in enumerate(share @ left**2):
            if error < best[k][0]:
                best[k] = error, penalty, left[:, k]
    errors, penalties, left_out = (np.array(column) for column in zip(*best, strict=True))
    gain = 1 / (squares[:, None] + penalties)
    found = a.T @ (vectors @ (gain * (vectors.T @ b))) if wide else vectors @ (gain * onto)
    slope = found / scale[:, None]
    return Ridge(slope, mean - center @ slope, penalties, y - left_out.T, errors)


def _left_out(residuals: Array, half: Array, ones: Array, groups: Ints | None) -> Array:
    """(I - H_BB)^-1 r_B of every group B, H = half half^T + ones ones^T: (n, O)."""
    half = np.concatenate([half, ones], axis=1)
    if groups is None:
        # Of a row that outweighs all others by far nothing but rounding is left.
        return residuals / np.maximum(1 - np.einsum("nk,nk->n", half, half), np.finfo(float).eps)[:, None]
    found, order = np.empty_like(residuals), np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        own, left = half[rows], residuals[rows]
        if len(rows) <= own.shape[1]:
            found[rows] = np.linalg.solve(np.eye(len(rows)) - own @ own.T, left)
        else:  # Woodbury's identity
            found[rows] = left + own @ np.linalg.solve(np.eye(own.shape[1]) - own.T @ own, own.T @ left)
    return found
