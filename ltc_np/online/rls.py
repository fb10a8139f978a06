"""Recursive least squares: the weights that are best for all observations so far, the latest counting most.

docs/online.md#which-rule derives them.
"""

from __future__ import annotations

import math

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Float
from .rule import Kept, Rule


class RLS(Rule):
    """Recursive least squares with forgetting, in square-root form.

    After n observations W has the least

        sum_i forgetting^(n - i) weight_i |y_i - W f_i|^2  +  forgetting^n regularization |W - W_0|^2,

    with W_0 the weights at the beginning.  A fixed amount of work, some F^2 multiplications an observation, does it:
    the inverse of the features' second moments is kept as S S^T, and S, which can never stand for a matrix that is not
    positive definite, is changed by one column and one row (Potter).

    Parameters
    ----------
    forgetting : float, 0 < forgetting <= 1
        An observation counts less by this factor with each one after it; about the last 1 / (1 - forgetting) count.
    regularization : float > 0
        How much the weights at the beginning count: as one observation with features of this squared size.

    Notes
    -----
    Where nothing new comes, as while a machine stands still, forgetting alone would let S grow without bound, and the
    first observation afterwards would throw the weights about (*wind-up*).  So the trace of S S^T is never more than at
    the beginning: where it would be more, less is forgotten.  The formula above is exact as long as that limit is not
    reached.  With F features and a forgetting below 1 - 1 / F, the first observations reach it already.

    Once some outputs have a target and others have none, each output has an S of its own, and forgets with its own
    observations only.  Then memory, time and files grow by the number of outputs.

    References
    ----------
    Potter's form: Kaminski, Bryson & Schmidt, "Discrete square root filtering", IEEE Trans. Automatic Control, 1971.
    """

    forgetting: float
    regularization: float

    def __init__(self, forgetting: float = 0.999, regularization: float = 0.01) -> None:
        self.forgetting = checks.number("forgetting", forgetting, high=1, low_open=True)
        self.regularization = checks.number("regularization", regularization, low_open=True)

    def begin(self, features: int, outputs: int, dtype: Float) -> Kept:
        return {"S": (np.eye(features) / math.sqrt(self.regularization)).astype(dtype)[None]}

    def update(
        self, W: Array, kept: Kept, f: Array, error: Array, known: Bools | None, weight: float
    ) -> tuple[Array, Kept]:
        S = kept["S"]
        if known is not None and len(S) == 1 < len(W):  # from here on every output has observations of its own
            S = np.repeat(S, len(W), axis=0)
        root = f.dtype.type(math.sqrt(weight))
        changed, W = S.copy(), W.copy()
        for k, own in enumerate(S):
            rows = slice(None) if len(S) == 1 else slice(k, k + 1)
            if known is None or known[rows].any():
                changed[k], gain = self._observe(own, root * f)
                W[rows] += np.multiply.outer(root * error[rows], gain)
        return W, {"S": changed}

    def _observe(self, S: Array, f: Array) -> tuple[Array, Array]:
        """S (F, F) after an observation of features f, and its gain (F,), what an error of 1 adds to the weights."""
        seen = f @ S
        b = self.forgetting + float(seen @ seen)
        gain = S @ seen / b
        S = (S - np.multiply.outer(gain, seen / (1 + math.sqrt(self.forgetting / b)))) / math.sqrt(self.forgetting)
        trace, most = float(np.vdot(S, S)), len(f) / self.regularization
        return (S if trace <= most else S * math.sqrt(most / trace)), gain
