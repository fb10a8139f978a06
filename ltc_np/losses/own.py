"""A user's own loss, with the signature of the library's."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.types import Array, Numbers, OwnLossFunction
from . import loss_signature


class OwnLoss:
    """A user's ``(y, target) -> (value, d_y)``, or one of ``(y_true, y_pred)``, with the signature of the others."""

    def __init__(self, function: OwnLossFunction) -> None:
        self.function: OwnLossFunction = function
        self.signature: loss_signature.LossSignature = loss_signature.read("loss", function)
        self.__name__: str = loss_signature.name_of(function)

    def __call__(
        self, y: Array, target: Numbers, weight: Array | None = None, class_weight: Array | None = None
    ) -> tuple[float, float, Array]:
        if weight is not None or class_weight is not None:
            given = "weight" if weight is not None else "class_weight"
            raise ValueError(f"`{given}` must be None with a loss of your own ({self.__name__}), got one")
        result = self.function(*self.signature.arguments(y.copy(), target.copy()))  # yours may work in place
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.__name__} must return a tuple (value, d_y), got {checks.describe(result)}")
        value, d_y = np.asarray(result[0]), np.asarray(result[1])
        if value.size != 1 or value.dtype.kind not in "fiu":
            got = checks.describe(result[0])
            raise TypeError(f"{self.__name__} must return one real number as value, got {got}")
        if d_y.shape != y.shape or d_y.dtype.kind not in "fiu":
            got = checks.describe(result[1])
            raise ValueError(f"{self.__name__} must return a real d_y of shape {y.shape}, got {got}")
        return float(value.item()), 1.0, d_y.astype(y.dtype)  # a copy: the caller scales it in place
