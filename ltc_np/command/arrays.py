"""Sequences in a file of NumPy, (B, T, I) as models take them, as the rows of a table.

Every valid step of every sequence is a row.  A column `SEQUENCE` says which sequence it belongs to, so that the rest is
what it is for a table with groups.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..base.types import Ints, Numbers

INPUTS, STEPS, LENGTHS = "x", "dt", "lengths"  # arrays
SEQUENCE = "sequence"  # the column that is added


def are_sequences(arrays: Mapping[str, Numbers]) -> bool:
    """Whether `x` is (B, T, I), or is (B, T) with `dt` of the same shape or `lengths` beside it; else it is a table."""
    x = arrays.get(INPUTS)
    if x is None or x.ndim not in (2, 3):
        return False
    return x.ndim == 3 or LENGTHS in arrays or (STEPS in arrays and arrays[STEPS].shape == x.shape)


def rows_of(arrays: Mapping[str, Numbers]) -> tuple[dict[str, Numbers], Ints, Ints]:
    """The arrays of a table, (rows,) or (rows, k), and of each row its sequence and its step.

    Parameters
    ----------
    arrays : Mapping
        Name -> (B, T, k) or (B, T), a value at every step, or (B, k) or (B,), which is repeated at every step.
        `lengths`, (B,), says how many steps of each sequence are valid.
    """
    B, T = arrays[INPUTS].shape[:2]
    wrong = {name: array.shape for name, array in arrays.items() if array.ndim not in (1, 2, 3) or len(array) != B}
    if wrong:
        rule = f"the arrays must be ({B}, ...), the sequences of `{INPUTS}`"
        raise ValueError(f"{rule}, got {', '.join(f'`{name}` of shape {shape}' for name, shape in wrong.items())}")
    if SEQUENCE in arrays:
        raise ValueError(f"no array may be named `{SEQUENCE}`, which is the column of the numbers of sequences")
    sequence, step = np.nonzero(np.arange(T) < _lengths(arrays, B, T)[:, None])
    found: dict[str, Numbers] = {SEQUENCE: sequence}
    for name, array in arrays.items():
        if array.ndim == 3 and array.shape[1] != T:
            raise ValueError(f"`{name}` must be ({B}, {T}, k), the steps of `{INPUTS}`, got shape {array.shape}")
        if name != LENGTHS:
            at_every_step = array.ndim > 1 and array.shape[1] == T
            found[name] = array[sequence, step] if at_every_step else array[sequence]
    return found, sequence, step


def _lengths(arrays: Mapping[str, Numbers], B: int, T: int) -> Numbers:
    lengths = arrays.get(LENGTHS, np.full(B, T))
    if lengths.shape != (B,) or lengths.dtype.kind not in "iu":
        raise ValueError(f"`{LENGTHS}` must be ({B},) whole numbers, got shape {lengths.shape}, dtype {lengths.dtype}")
    wrong = np.flatnonzero((lengths < 1) | (lengths > T))
    if wrong.size:
        k = wrong[0]
        raise ValueError(
            f"`{LENGTHS}` must be from 1 to {T}, the steps of `{INPUTS}`, got {lengths[k]} of sequence {k}"
        )
    return lengths
