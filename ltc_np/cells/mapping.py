"""Feature-wise mappings of a cell's inputs and outputs: x itself, x * w, or x * w + b."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import checks

if TYPE_CHECKING:
    from ..base.types import A, MappingKind, Shape

MAPPINGS = (None, "linear", "affine")


def check_mapping(name: str, mapping: A, *more: str) -> A:
    """``mapping`` if it is one of `MAPPINGS`, or of the words ``more``."""
    return checks.one_of(name, mapping, (*MAPPINGS, *more))


def mapping_shapes(mapping: MappingKind, side: str, size: int) -> dict[str, Shape]:
    """Shapes of a mapping's parameters by name; w starts at 1, b at 0."""
    names = {None: (), "linear": ("w",), "affine": ("w", "b")}[mapping]
    return {f"{side}_{name}": (size,) for name in names}
