"""What a user gave, as arrays of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from ..base import checks, frames
from ..base.types import Numbers


def is_list_of_arrays(values: object) -> TypeGuard[Sequence[Any]]:
    """Whether this is a list of several series, not one written as a list of numbers."""
    return isinstance(values, (list, tuple)) and not all(np.isscalar(v) for v in values)


def same_features(name: str, sequences: Sequence[Any], ndims: tuple[int, ...]) -> list[Numbers]:
    """The sequences as arrays of real numbers, all (T_i, I) or, if ``ndims`` has 1, all (T_i,).

    Frames must have the same columns in the same order.
    """
    frames.check_same_columns(name, sequences)
    arrays = [real(f"{name}[{k}]", values) for k, values in enumerate(sequences)]
    for k, values in enumerate(arrays):
        if values.ndim not in ndims:
            rule = " or ".join({1: "(T,)", 2: "(T, I)"}[n] for n in ndims)
            raise ValueError(f"`{name}[{k}]` must be {rule}, got shape {values.shape}")
        if values.shape[1:] != arrays[0].shape[1:]:
            want = "(T, {})".format(*arrays[0].shape[1:]) if arrays[0].ndim == 2 else "(T,)"
            raise ValueError(f"`{name}[{k}]` must be {want} like the first, got shape {values.shape}")
    return arrays


def real(name: str, values: object) -> Numbers:
    """``values`` as an array of real numbers or bools."""
    array = checks.plain(name, values, "a regular array of real numbers")
    if array.dtype.kind not in "biuf":
        hint = f": subtract the first one, then {checks.UNIT}" if array.dtype.kind == "M" else ""
        raise TypeError(f"`{name}` must be real numbers, got dtype {array.dtype}{hint}")
    return array
