"""Targets of answers: checked, the missing ones known; and the loss of one answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .. import losses
from ..base import checks
from ..base.sums import sum_of_squares
from ..base.types import Array, ArrayLike, Bools, LibraryLoss, Numbers
from ..losses.registry import kind_of


class Observed(NamedTuple):
    """Targets of an answer.

    Attributes
    ----------
    target : (B, O) array, or (B,) of classes
        0 where there is none.
    error : (B, O) array
        Targets - outputs, or - probabilities, NaN where there is no target.
    known : (B, O) bool array, or None
        Which targets there are; None: all.
    weight : (B,) array, or None
        How much each stream counts; None: 1.
    """

    target: Numbers
    error: Array
    known: Bools | None
    weight: Array | None

    def streams(self) -> Iterator[tuple[int, Bools | None, float]]:
        """Of each stream that has a target which counts: its number, (O,) which outputs have one, and its weight."""
        for b in range(len(self.error)):
            known = None if self.known is None or self.known[b].all() else self.known[b]
            weight = 1.0 if self.weight is None else float(self.weight[b])
            if weight > 0 and (known is None or known.any()):
                yield b, known, weight


def observed(loss: LibraryLoss, target: ArrayLike, weight: ArrayLike | None, y: Array, single: bool) -> Observed:
    """What a user gives for outputs y (B, O), whose axis B is not the user's if ``single``."""
    read = _classes if losses.has_classes(loss) else _numbers
    targets, error, known = read(loss, target, y, single)
    return Observed(targets, error, known, None if weight is None else _weights(weight, len(y), single))


def _numbers(loss: LibraryLoss, target: ArrayLike, y: Array, single: bool) -> tuple[Numbers, Array, Bools | None]:
    """Targets, errors, and which are known, of a loss of numbers."""
    kind = kind_of(loss)
    if kind is not None and kind.for_each_output is not None:
        several = checks.plain("target", target)
        target = losses.for_each_output(loss, y.shape, "target", several[None] if single else several)
        single = False
    shape = y.shape[1:] if single else y.shape
    given = target
    if not isinstance(target, np.ndarray) or target.dtype != y.dtype:
        given = checks.real("target", target, y.dtype, f"shape {shape}")
    if given.shape != shape:
        raise ValueError(f"`target` must have shape {shape}, got {given.shape}")
    targets = given.reshape(y.shape)
    error = targets - y
    if math.isfinite(sum_of_squares(error)):
        return targets, error, None
    missing = np.isnan(targets)
    checks.finite("target", targets[~missing])
    known = ~np.isnan(error)
    return np.where(known, targets, y.dtype.type(0)), error, None if known.all() else known


def _classes(loss: LibraryLoss, target: ArrayLike, y: Array, single: bool) -> tuple[Numbers, Array, Bools | None]:
    """Targets, what they say more than probabilities, and which are known, of a loss of classes."""
    several = checks.plain("target", target)
    found, known = losses.known_target(loss, "target", several[None] if single else several)
    found = losses.check_target(loss, y.shape, found, y.dtype, known)
    _, _, d_y = losses.trusted(loss)(y, found, None, None)
    error = -d_y
    if known is not None:
        error[~known.reshape(found.shape)] = np.nan
    all_known = ~np.isnan(error)
    return found, error, None if all_known.all() else all_known


def _weights(weight: ArrayLike, B: int, single: bool) -> Array:
    """(B,) weights, from one for all or for each."""
    expected = "a number" if single else f"a number or ({B},)"
    weights = checks.real("weight", weight, np.dtype(float), expected)
    if weights.shape not in ((), () if single else (B,)):
        raise ValueError(f"`weight` must be {expected}, got shape {weights.shape}")
    checks.finite("weight", weights)
    if (weights < 0).any():
        raise ValueError(f"`weight` must be >= 0, got {weights.min()}")
    return np.broadcast_to(weights, B)


def measure(loss: LibraryLoss, y: Array, target: Numbers, known: Bools | None) -> tuple[float, Array]:
    """The loss of outputs y (1, O), the mean of those with a target, and its derivative (1, O).

    ``loss`` is what `losses.trusted` gave, and ``known`` (O,) one that `Observed.streams` did.
    """
    weight = None if known is None else known[None].astype(y.dtype)
    total, weight_sum, d_y = loss(y, target, weight, None)
    return losses.normalise(total, weight_sum), d_y if weight_sum == 1 else d_y / y.dtype.type(weight_sum)
