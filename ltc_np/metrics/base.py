"""What all metrics have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias

import numpy as np

from ..base.from_arguments import FromArguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import Array, ArrayLike, Mode, Numbers, OwnMetricFunction, State


class Metric(FromArguments):
    """Base of all metrics; a new one defines ``reset``, ``_add(y, target, weight)`` and ``_value()``, and for
    `fit` with ``comm`` also ``_merge(state)``.

    ``_add`` gets what has a positive weight, without batch and time axes: y (n, O), target (n,) or (n, O), weight (n,)
    float64.  ``_value`` is called after at least one element; ``_merge`` takes the `state` of another object; it may be
    called before any element.  ``reset`` makes new arrays and lists instead of emptying the old ones: `fit` and
    `evaluate` count with shallow copies, so that one object may serve several calls at once.

    Attributes
    ----------
    name : str
    foreign_names : str
        What other libraries call it, in lower case, with spaces between: errors about a name say which was meant.
    mode : "min", "max" or None
        Whether the smaller or the larger value is better, for whoever monitors it; None where nobody has said.
    takes_outputs : bool
        ``_add`` also takes weights (n, O), those of single outputs; where one is 0, y and target are 0 too.
    takes_logits : bool
        Outputs that are probabilities would be decided wrongly.
    takes_any_targets : bool
        The targets of a step may have another number than its outputs, as those of the loss `mixture_density`.
    """

    name: str = "metric"
    foreign_names: str = ""
    mode: Mode | None = None
    takes_outputs: bool = False
    takes_logits: bool = False
    takes_any_targets: bool = False

    if TYPE_CHECKING:  # what a new one defines

        def _add(self, y: Numbers, target: Numbers, weight: Array) -> None: ...
        def _value(self) -> SupportsFloat: ...

    def __init__(self) -> None:
        self.reset()

    def update(self, y: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> None:
        """Take in one batch.

        Parameters
        ----------
        y : (B, T, O) or (B, O) array
            Predictions; logits for the metrics with classes.
        target : array of shape y.shape or y.shape[:-1]
            As the metric's class says.
        weight : array of shape y.shape[:-1] or, with targets of y's shape, y.shape; >= 0; or None
            Of all outputs of a step, or of each output; None is 1 everywhere.

        Raises
        ------
        TypeError, ValueError
            A shape, dtype or class that does not fit.
        """
        y, target = np.asarray(y), np.asarray(target)
        if y.ndim < 2:
            raise ValueError(f"`y` must be (B, T, O) or (B, O), got shape {y.shape}")
        other = self.takes_any_targets and target.shape[:-1] == y.shape[:-1]
        if target.shape not in (y.shape, y.shape[:-1]) and not other:
            raise ValueError(f"`target` must have shape {y.shape} or {y.shape[:-1]}, got {target.shape}")
        for name, values in (("y", y), ("target", target)):
            if values.dtype.kind not in "biuf":
                raise TypeError(f"`{name}` must be real numbers, got dtype {values.dtype}")
        weight = np.ones(y.shape[:-1]) if weight is None else np.asarray(weight, dtype=np.float64)
        if weight.shape != y.shape[:-1] and not (weight.ndim == y.ndim and weight.shape == target.shape):
            raise ValueError(f"`weight` must have shape {y.shape[:-1]}, got {weight.shape}")
        if not (weight >= 0).all():
            raise ValueError(f"`weight` must be >= 0, got {weight[~(weight >= 0)].flat[0]}")
        if weight.ndim == y.ndim:
            y, target, weight = self._of_outputs(y, target, weight)
        valid: Any = weight > 0
        if weight.ndim == y.ndim:
            valid = valid.any(axis=-1)
        if valid.any():
            self._seen = True
            self._add(y[valid], target[valid], weight[valid])

    def _of_outputs(self, y: Numbers, target: Numbers, weight: Array) -> tuple[Numbers, Numbers, Array]:
        """Weights of single outputs: those of steps where they are, else nothing is left where they are 0."""
        if (weight == weight[..., :1]).all():
            return y, target, weight[..., 0]
        if not self.takes_outputs:
            raise ValueError(
                f"`weight` of {self.name} must be the same for all outputs of a step: it cannot leave out some of them "
                "(because their targets are missing)"
            )
        zero = weight == 0
        return np.where(zero, y.dtype.type(0), y), np.where(zero, target.dtype.type(0), target), weight

    def result(self) -> float:
        """The metric of everything since the last ``reset``.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If no element with a positive weight came yet.
        """
        if not self._seen:
            raise ValueError(f"`{self.name}` must see an element of positive weight before result, got none")
        return float(self._value())

    def reset(self) -> None:
        """Forget everything."""
        self._seen = False

    def state(self) -> State:
        """What it has seen since the last ``reset``, for `load_state`; `fit` saves it in checkpoints inside an epoch.

        Returns
        -------
        dict of str to plain data
            All attributes except the arguments of the constructor.  If the attributes of a metric are not plain data
            (None, bools, numbers, text, arrays, and lists, tuples and dicts of these), it must define this method and
            `load_state`.
        """
        return {name: value for name, value in vars(self).items() if name not in self.arguments()}

    def load_state(self, state: State) -> None:
        """Go on from a `state`; if it comes from a file, lists have become tuples."""
        self.reset()
        for name, value in state.items():
            is_list = isinstance(getattr(self, name, None), list)
            setattr(self, name, list(value) if is_list else value)

    @property
    def mergeable(self) -> bool:
        """Whether `merge` may be called."""
        return type(self)._merge is not Metric._merge

    def merge(self, state: State) -> None:
        """Add what another object of this class has seen (its `state`), as if this one had seen it too."""
        if state["_seen"]:
            self._merge(state)
            self._seen = True

    def _merge(self, state: State) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define `_merge` to be merged")


if TYPE_CHECKING:
    MetricLike: TypeAlias = str | Metric | type[Metric] | OwnMetricFunction
    Metrics: TypeAlias = MetricLike | Sequence[MetricLike] | None


def joined(kept: list[Any]) -> list[Any]:
    """All batches that a metric has kept, each a tuple of arrays, joined to one, so that a file has few arrays."""
    return [tuple(map(np.concatenate, zip(*kept, strict=True)))] if kept else []


def columns(weight: Array) -> Array:
    """Weights (n,) or (n, O) as (n, 1) or (n, O)."""
    return weight[:, None] if weight.ndim == 1 else weight


class MeanMetric(Metric):
    """Weighted mean of ``_elements(y, target)``, (n, O) or (n, 1)."""

    takes_outputs = True
    _sum: Any
    _weight: Any

    if TYPE_CHECKING:

        def _elements(self, y: Numbers, target: Numbers) -> Numbers: ...

    def reset(self) -> None:
        super().reset()
        self._sum = self._weight = 0.0

    def _add(self, y: Numbers, target: Numbers, weight: Array) -> None:
        elements = self._elements(y, target)
        self._sum += np.sum(columns(weight) * elements)
        self._weight += (elements.shape[1] if weight.ndim == 1 else 1) * np.sum(weight)

    def _value(self) -> float:
        return self._sum / self._weight

    def _merge(self, state: State) -> None:
        self._sum, self._weight = self._sum + state["_sum"], self._weight + state["_weight"]
