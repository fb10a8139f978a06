"""Feature-wise mappings of a cell's inputs and outputs: x itself, x * w, or x * w + b."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import checks
from ..base.types import A, Array, MappingKind, Shape
from ..base.workspace import Workspace
from .base import Layer

MAPPINGS = (None, "linear", "affine")


def check_mapping(name: str, mapping: A, *more: str) -> A:
    """``mapping`` if it is one of `MAPPINGS`, or of the words ``more``."""
    return checks.one_of(name, mapping, (*MAPPINGS, *more))


def mapping_shapes(mapping: MappingKind, side: str, size: int) -> dict[str, Shape]:
    """Shapes of a mapping's parameters by name; w starts at 1, b at 0."""
    names = {None: (), "linear": ("w",), "affine": ("w", "b")}[mapping]
    return {f"{side}_{name}": (size,) for name in names}


def bound_step(
    layer: Any, kind: type[Layer], prepared: Any, x: Array, dt: Array, h0: Array, workspace: Workspace
) -> Callable[[], tuple[Array, Array]] | None:
    """`Layer.stepper` of a cell of this kind between two mappings; None where its kernels cannot be bound.

    Those of the CPU alone can.  A class derived from ``kind`` with a `forward` of its own may compute something else.
    """
    if type(layer).forward is not kind.forward or not hasattr(prepared.kernels, "bind"):
        return None
    bind, p = prepared.mapping.bind, prepared.p
    mapped, before = bind(layer.input_mapping, "input", x, p, workspace)
    bound = prepared.kernels.bind(prepared.circuit, mapped, dt, h0, layer.rule, layer.output_size, workspace)
    if bound is None:
        return None
    motor, h, run = bound
    y, after = bind(layer.output_mapping, "output", motor, p, workspace)
    calls = (*before, *run, *after)

    def step() -> tuple[Array, Array]:
        for call in calls:
            call()
        return y, h

    return step
