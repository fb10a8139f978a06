"""The elastance of an LRC.  `ltc_np.kernels.numpy.elastance` has the equations."""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.types import Arrays, Elastance
from ..program import Expr, apply


def elastance_of(elastance: Elastance, p: Arrays, a: Expr) -> Expr:
    """Of its argument a, which is read twice if it is symmetric; not where there is none."""
    if elastance == "asymmetric":
        return apply("sigmoid", a)
    checks.must_know(__name__, "elastance", elastance, ("asymmetric", "symmetric"))
    shift = p["elastance_shift"]
    return apply("sigmoid", a + shift) * apply("sigmoid", shift - a) * -np.expm1(-2 * shift)
