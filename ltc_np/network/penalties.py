"""L1 and L2 penalties on effective parameter values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Layout
from ..base.types import Array, Penalties
from .parameters import Parameters


class Penalty(NamedTuple):
    """l1 and l2 terms: (kind, slice of theta, factor)."""

    terms: tuple[tuple[str, slice, float], ...]

    @classmethod
    def read(cls, layout: Layout, l1: Penalties, l2: Penalties) -> Penalty | None:
        """Those that a user asked for: numbers, or dicts from names of parameters to numbers; None for none."""
        if l1 is None and l2 is None:
            return None
        terms = []
        for name, spec in (("l1", l1), ("l2", l2)):
            if spec is None:
                continue
            if not isinstance(spec, dict):
                spec = dict.fromkeys(layout.slices, checks.number(name, spec))
            for key, factor in spec.items():
                if key not in layout.slices:
                    raise ValueError(f"`{name}` must name parameters ({', '.join(layout.slices)}), got {key!r}")
                terms.append((name, layout.slices[key][0], checks.number(f"{name}[{key!r}]", factor)))
        return cls(tuple(terms)) if terms else None

    def rates(self, size: int) -> Array:
        """Factors of |p| and of p**2, (2, size)."""
        rates = np.zeros((2, size))
        for kind, where, factor in self.terms:
            rates[("l1", "l2").index(kind), where] += factor
        return rates

    def add(self, model: Parameters, gradient: Array) -> float:
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
