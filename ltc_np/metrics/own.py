"""A user's own function as a metric."""

import numpy as np

from .base import Metric


class OwnMetric(Metric):
    """A user's ``(y, target) -> float`` on all valid elements together: y (n, O), target (n,) or (n, O)."""

    def __init__(self, function):
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        super().__init__()

    def reset(self):
        super().reset()
        self._y, self._target = [], []

    def _add(self, y, target, weight):
        if (weight != 1).any():
            got = weight[weight != 1][0]
            raise ValueError(f"`weight` must be 0 or 1 with a metric of your own ({self.name}), got {got}")
        self._y.append(y)  # already copies: they were picked by a mask
        self._target.append(target)

    def _value(self):
        value = self.function(np.concatenate(self._y), np.concatenate(self._target))
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":
            kind = type(value).__name__
            raise TypeError(f"{self.name} must return a real number, got {kind} {value!r:.40}")
        return value

    def __repr__(self):
        return f"<metric {self.name}>"
