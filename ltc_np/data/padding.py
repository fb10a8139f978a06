"""Sequences of unequal length: lists of them, and one array for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from ..base import checks, frames
from ..base.calls import with_signature_hints
from ..base.types import Ints, Numbers, Targets
from .arrays import same_features


@with_signature_hints
def pad(
    sequences: Targets, value: float = 0.0, name: str = "sequences", steps: int | None = None
) -> tuple[Numbers, Ints]:
    """One array from sequences of unequal length, filled up at the end.

    Parameters
    ----------
    sequences : list of B arrays (T_i, I), or of B arrays (T_i,)
        Real numbers or bools: inputs or targets; classes or elapsed times.  Some may have length 0, not all.
    value : number
        What to fill with; must be a value of the arrays' dtype.
    name : str
        What errors call the sequences.
    steps : int, optional
        Tmax; default the longest of them.

    Returns
    -------
    x : (B, Tmax, I) or (B, Tmax) array
        In the common dtype of ``sequences``.
    lengths : (B,) int array

    Raises
    ------
    TypeError
        Values that are not real numbers.
    ValueError
        No sequence, only empty ones, shapes that do not go together, a ``value`` the dtype cannot hold.

    Examples
    --------
    >>> x, lengths = pad([[1, 2, 3], [4]])
    >>> x.tolist(), lengths.tolist()
    ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    if not isinstance(sequences, (list, tuple, np.ndarray)):
        raise TypeError(f"`{name}` must be a list of arrays, got {checks.describe(sequences)}")
    if isinstance(sequences, np.ndarray) and sequences.ndim < 2:
        raise ValueError(f"`{name}` must be a list of arrays, got an array of shape {sequences.shape}")
    sequences = same_features(name, list(sequences), (1, 2))
    lengths = np.array([len(values) for values in sequences], dtype=np.intp)
    if not lengths.any():
        what = f"{len(sequences)} of length 0" if sequences else "no sequence"
        raise ValueError(f"`{name}` must have at least one element, got {what}")
    # an empty list becomes float64: it must not decide the dtype of integers
    dtype = np.result_type(*(values.dtype for values in sequences if len(values)))
    fill = checks.plain("value", value, "one real number")
    if fill.ndim != 0 or fill.dtype.kind not in "biuf":
        raise ValueError(f"`value` must be one real number, got {value!r}")
    if dtype.kind != "f" and not (np.isfinite(fill) and fill.astype(dtype) == fill):
        raise ValueError(f"`value` must be a value of dtype {dtype}, got {value!r}")
    longest = int(lengths.max())
    if steps is not None and checks.integer("steps", steps) < longest:
        raise ValueError(f"`steps` must be at least the length of the longest, {longest}, got {steps}")
    x = np.full((len(sequences), steps or longest, *sequences[0].shape[1:]), fill, dtype=dtype)
    for row, values in zip(x, sequences, strict=True):
        row[: len(values)] = values
    return x, lengths


def is_list_of_sequences(values: object) -> TypeGuard[Sequence[Any]]:
    """Whether these are several (T_i, I) arrays in a list, which may differ in length."""
    if not isinstance(values, (list, tuple)) or len(values) == 0:
        return False
    series = all(frames.is_pandas(v) and v.ndim == 1 for v in values)
    flat = all(isinstance(v, np.ndarray) and v.ndim == 1 for v in values)
    if series or (flat and len({v.size for v in values}) > 1):
        remedy = "a.to_frame()" if series else "a[:, None]"
        raise ValueError(
            f"`x` must be a list of (T_i, I) arrays, got one of shape {values[0].shape}; of one feature it is "
            f"[{remedy} for a in x]"
        )
    try:
        return all(np.ndim(v) == 2 for v in values)
    except ValueError:  # an element is ragged itself
        return False


def check_same_lengths(name: str, values: Any, lengths: Sequence[int], stride: int = 1) -> None:
    """Refuse ``values`` unless it is a list of sequences of these lengths, or of a row for each ``stride`` steps."""
    if not isinstance(values, (list, tuple)) or len(values) != len(lengths):
        got = f"{type(values).__name__} of {len(values)}" if hasattr(values, "__len__") else type(values).__name__
        raise ValueError(f"`{name}` must be a list of {len(lengths)} sequences as x is, got {got}")
    for k, (value, n) in enumerate(zip(values, lengths, strict=True)):
        rows = n // stride
        if np.ndim(value) == 0 or len(value) != rows:
            got = f"{value!r}" if np.ndim(value) == 0 else f"{len(value)}"
            due = f"{rows} rows, one for each stride of {stride} in" if stride > 1 else "the"
            raise ValueError(
                f"`{name}[{k}]` must have {due} {'the ' if stride > 1 else ''}{n} steps of x[{k}], got {got}"
            )
