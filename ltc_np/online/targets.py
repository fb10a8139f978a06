"""Targets of answers: checked, the missing ones known; and the loss of one answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import losses
from ..base import checks
from ..base.sums import sum_of_squares
from ..base.types import Array, ArrayLike, Bools, LibraryLoss, Numbers
from ..losses.registry import kind_of
from ..model import Model
from ..network import answer_loss
from ..network.answer_loss import AnswerLoss

PLACES = "these are places in `classes_` of an estimator"


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

    def counts(self) -> Bools:
        """(B, O): whether there is a target that counts."""
        known = np.ones(self.error.shape, bool) if self.known is None else self.known
        return known if self.weight is None else known & (self.weight > 0)[:, None]

    def stream(self, b: int) -> tuple[Bools | None, float] | None:
        """(O,) which outputs of a stream have a target, None for all, and its weight; None where no target counts."""
        if self.known is None and self.weight is None:
            return None, 1.0
        known = None if self.known is None or self.known[b].all() else self.known[b]
        weight = 1.0 if self.weight is None else float(self.weight[b])
        return (known, weight) if weight > 0 and (known is None or known.any()) else None

    def streams(self) -> Iterator[tuple[int, Bools | None, float]]:
        """The number of each stream that has a target which counts, and what `stream` says of it."""
        for b in range(len(self.error)):
            if (found := self.stream(b)) is not None:
                yield b, *found


def wrong_shape(name: str, got: Numbers, shape: tuple[int, ...], each: str, more: str = "") -> ValueError:
    """What to say of an array with another shape than ``shape``, which has a number for ``each``."""
    same = got.size == math.prod(shape)
    remedy = f"np.reshape({name}, {shape}) has it" if same else f"one number for each {each}{more}"
    return ValueError(f"`{name}` must have shape {shape}, got {got.shape}: {remedy}")


class Targets:
    """How targets are read, and what an answer loses by them.

    Parameters
    ----------
    loss : function
        From `ltc_np.losses.get`.
    model : Model
        Which gives the answers.
    """

    def __init__(self, loss: LibraryLoss, model: Model) -> None:
        kind = kind_of(loss)
        self._all_known = answer_loss.made_for(loss, model)
        self._given, self._loss = loss, losses.trusted(loss)
        self._repeats = kind is not None and kind.for_each_output is not None
        self._whole = kind is not None and kind.integer_targets
        self._read = self._classes if losses.has_classes(loss) else self._numbers

    def observed(self, target: ArrayLike, weight: ArrayLike | None, y: Array, single: bool) -> Observed:
        """What a user gives for outputs y (B, O), whose axis B is not the user's if ``single``."""
        targets, error, known = self._read(target, y, single)
        return Observed(targets, error, known, None if weight is None else _weights(weight, len(y), single))

    def _numbers(self, target: Any, y: Array, single: bool) -> tuple[Numbers, Array, Bools | None]:
        """Targets, errors, and which are known, of a loss of numbers."""
        if self._repeats:
            several = checks.plain("target", target)
            target = losses.for_each_output(self._given, y.shape, "target", several[None] if single else several)
            single = False
        shape = y.shape[1:] if single else y.shape
        # Also where only a flag is wrong, for which kernels would be compiled again.
        if type(target) is not np.ndarray or target.dtype != y.dtype or not target.flags.carray:
            target = checks.real("target", target, y.dtype, f"shape {shape}")
        if target.shape != shape:
            one = target.size == 1 < y.shape[-1]
            raise wrong_shape(
                "target", target, shape, "output", ", or a class with loss='cross_entropy'" if one else ""
            )
        targets = target.reshape(y.shape)
        error = targets - y
        if math.isfinite(sum_of_squares(error)):
            return targets, error, None
        missing = np.isnan(targets)
        checks.finite("target", targets[~missing])
        known = ~np.isnan(error)
        return np.where(known, targets, y.dtype.type(0)), error, None if known.all() else known

    def _classes(self, target: Any, y: Array, single: bool) -> tuple[Numbers, Array, Bools | None]:
        """Targets, what they say more than probabilities, and which are known, of a loss of classes."""
        several = checks.plain("target", target)
        if several.dtype.kind in "OSU":
            raise TypeError(f"`target` must be numbers of classes, got {checks.brief(target)}: {PLACES}")
        if self._whole and single and several.ndim:
            remedy = "target.argmax() of a one-hot row" if several.shape == y.shape[1:] else "target[0]"
            raise ValueError(f"`target` must be the number of one class, got shape {several.shape}: take {remedy}")
        found, known = losses.known_target(self._given, "target", several[None] if single else several)
        found = losses.check_target(self._given, y.shape, found, y.dtype, known)
        _, _, d_y = self._loss(y, found, None, None)
        error = -d_y
        if known is not None:
            error[~known.reshape(found.shape)] = np.nan
        all_known = ~np.isnan(error)
        return found, error, None if all_known.all() else all_known

    def for_kernels(self, model: Model) -> AnswerLoss | None:
        """Another `AnswerLoss` of the same kind; None of a loss that has none."""
        return answer_loss.made_for(self._given, model)

    def measure(self, y: Array, target: Numbers, known: Bools | None) -> tuple[float, Array]:
        """The loss of outputs y (1, O), the mean of those with a target, and its derivative (1, O); ``known`` is of
        `Observed.stream`."""
        if known is None and self._all_known is not None:
            return self._all_known(y, target)
        weight = None if known is None else known[None].astype(y.dtype)
        total, weight_sum, d_y = self._loss(y, target, weight, None)
        return total / weight_sum, d_y if weight_sum == 1 else d_y / y.dtype.type(weight_sum)


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
