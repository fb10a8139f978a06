"""A user's own function as a metric."""

from __future__ import annotations

from typing import Any, NoReturn, SupportsFloat

import numpy as np

from .. import losses
from ..base.types import Array, LibraryLoss, Numbers, OwnMetricFunction, State
from ..losses import loss_signature
from .base import Metric, joined
from .classification import decide

# What a parameter of these names gets where the target has classes; others get the outputs, logits.
DECISIONS, PROBABILITIES = {"y_pred", "labels_pred"}, {"y_score", "y_prob", "y_proba"}


class Decisions(np.ndarray):
    """Classes that were decided; to decide again, as one would with scores, is an error."""

    def argmax(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ValueError(
            "`y_pred` of a metric must be taken as it is, decided classes, got argmax of it: call it y_score to get "
            "probabilities, or take (y, target) to get the outputs"
        )


class OwnMetric(Metric):
    """A user's function on all valid elements together: ``(y, target) -> float`` or ``(y_true, y_pred) -> float``.

    `ltc_np.metrics.get` says what it is given.  Whether targets are classes, of which the outputs are logits, follows
    from ``loss``, what `ltc_np.losses.get` returned, or from their dtype where that is None or not the library's.
    """

    loss: LibraryLoss | None = None
    _kept: list[Any]
    _weight: Any

    @property
    def takes_any_targets(self) -> bool:  # type: ignore[override]
        return self.loss is not None and losses.is_joint(self.loss)

    def __init__(self, function: OwnMetricFunction, argument: str = "metric") -> None:
        self.function: OwnMetricFunction = function
        self.signature: loss_signature.LossSignature = loss_signature.read(argument, function)
        self.name = loss_signature.name_of(function)
        mode: Any
        for mode, ends in (("max", "_score"), ("min", ("_error", "_loss"))):  # so scikit-learn calls them
            self.mode = mode if self.name.endswith(ends) else self.mode
        super().__init__()

    def reset(self) -> None:
        super().reset()
        self._kept, self._weight = [], None

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        self._check_weight(weight)
        self._kept.append((y, target, weight))  # already copies: they were picked by a mask

    def _merge(self, state: State) -> None:
        for y, target, weight in state["_kept"]:
            self._add(y, target, weight)

    def _check_weight(self, weight: Array) -> None:
        """Refuse weights that differ, for a function that takes none."""
        if not self.signature.takes_weight:
            first = weight[0] if self._weight is None else self._weight
            if (weight != first).any():
                got = f"{first:g} and {weight[weight != first][0]:g}"
                raise ValueError(
                    f"`weight` must be 0 or one number for {self.name}, which takes no `sample_weight`, got {got}"
                )
            self._weight = first

    def _value(self) -> SupportsFloat:
        y, target, weight = map(np.concatenate, zip(*self._kept, strict=True))
        named = self.signature.target_first or self.signature.prediction in DECISIONS | PROBABILITIES
        if named and self._has_classes(target):
            y, target = self._of_classes(y, target)
        options = {"sample_weight": weight} if self.signature.takes_weight and (weight != weight[0]).any() else {}
        value: Any = self.function(*self.signature.arguments(y, target), **options)
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":
            kind = type(value).__name__
            got = f"an array of shape {np.shape(value)}" if np.ndim(value) else f"{kind} {value!r:.40}"
            raise TypeError(f"{self.name} must return a real number, got {got}")
        return value

    def state(self) -> State:
        return {"_seen": self._seen, "_kept": joined(self._kept), "_weight": self._weight}

    def _has_classes(self, target: Numbers) -> bool:
        if self.loss is None or not losses.takes_weight(self.loss):
            return target.dtype.kind in "biu"
        return losses.has_classes(self.loss)

    def _of_classes(self, y: Numbers, target: Numbers) -> tuple[Numbers, Numbers]:
        """Outputs as the name of their parameter asks for, and targets as whole numbers; (n,) where one column is."""
        decision, target, classes = decide(self.name, y, target)
        if self.signature.prediction in DECISIONS:
            y = decision.astype(np.intp).view(Decisions)
        elif self.signature.prediction in PROBABILITIES:
            y = losses.probabilities(y.astype(np.float64), multilabel=classes == 1)
            y = y[:, 1] if classes == 2 else y
        return _column(y), _column(target.astype(np.intp))

    def __repr__(self) -> str:
        return f"<metric {self.name}>"


def _column(values: Numbers) -> Numbers:
    """(n, 1) as (n,)."""
    return values[:, 0] if values.shape[1:] == (1,) else values
