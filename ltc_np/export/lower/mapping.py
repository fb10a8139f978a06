"""Feature-wise mappings of inputs and outputs."""

from __future__ import annotations

from ...base import checks
from ...base.types import Arrays, MappingKind
from ..program import Expr


def mapped(mapping: MappingKind, side: str, p: Arrays, x: Expr) -> Expr:
    """x, x * w or x * w + b."""
    if mapping is None:
        return x
    checks.must_know(__name__, "mapping", mapping, (None, "linear", "affine"))
    y = x * p[f"{side}_w"]
    return y + p[f"{side}_b"] if mapping == "affine" else y
