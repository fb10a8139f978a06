"""A user's own loss, with the signature of the library's."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.types import Array, Numbers, OwnLossFunction
from . import loss_signature


class OwnLoss:
    """A user's ``(y, target) -> (value, d_y)``, or one of ``(y_true, y_pred)``, with the signature of the others.

    One with a parameter ``class_weight`` is given the weights of classes, (C,), where there are some.
    """

    def __init__(self, function: OwnLossFunction) -> None:
        self.function: OwnLossFunction = function
        self.signature: loss_signature.LossSignature = loss_signature.read("loss", function)
        self.takes_class_weight: bool = loss_signature.has_parameter(function, "class_weight")
        self.__name__: str = loss_signature.name_of(function)

    def check_takes_class_weight(self) -> None:
        """Refuse weights of classes that the function has no parameter for."""
        if not self.takes_class_weight:
            raise ValueError(
                f"`class_weight` must be None with a loss of your own ({self.__name__}), got one: it is for a function "
                "with a parameter `class_weight=None`, which weighs its elements itself"
            )

    def __call__(
        self, y: Array, target: Numbers, weight: Array | None = None, class_weight: Array | None = None
    ) -> tuple[float, float, Array]:
        if weight is not None:
            raise ValueError(f"`weight` must be None with a loss of your own ({self.__name__}), got one")
        more = {}
        if class_weight is not None:
            self.check_takes_class_weight()
            more["class_weight"] = class_weight.copy()
        result = self.function(*self.signature.arguments(y.copy(), target.copy()), **more)  # yours may work in place
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
