"""L1 and L2 penalties on effective parameter values."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Penalty:
    """l1 and l2 terms: (kind, slice of theta, factor)."""

    terms: tuple

    def add(self, model, gradient):
        """Add the terms' gradient in place (frozen parameters stay 0); return their value."""
        values = model.layout.effective(model.theta)
        d_values, total = np.zeros(values.size), 0.0
        for kind, where, factor in self.terms:
            v = values[where].astype(np.float64)
            total += factor * float(np.abs(v).sum() if kind == "l1" else (v * v).sum())
            d_values[where] += factor * (np.sign(v) if kind == "l1" else 2 * v)
        d_theta = model.layout.d_effective(values, d_values).astype(gradient.dtype)
        gradient += d_theta if model.trainable is None else d_theta * model.trainable
        return total
