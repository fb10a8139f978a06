"""Metrics: numbers that describe how good a prediction is, accumulated over batches without error.

A metric is an object with ``update(y, target, weight=None)``, ``result() -> float`` and ``reset()``; after
any cut of the data into batches, ``result`` is that of all elements at once (up to float64 rounding).  Sizes:
B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O).  ``weight`` has the shape ``y.shape[:-1]``, or y's where the
outputs of a step weigh differently; what has weight 0 is left out and may be NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import foreign_names
from .base import Metric
from .classification import F1, Accuracy, BalancedAccuracy, CalibrationError
from .own import OwnMetric
from .ranking import ROCAUC, AveragePrecision
from .regression import MAE, MSE, R2, RMSE

if TYPE_CHECKING:
    from .base import MetricLike

__all__ = [
    "F1", "MAE", "MSE", "R2", "RMSE", "ROCAUC", "Accuracy", "AveragePrecision", "BalancedAccuracy",
    "CalibrationError", "Metric", "get",
]  # fmt: skip

METRICS: dict[str, type[Metric]] = {
    c.name: c for c in (Accuracy, BalancedAccuracy, F1, ROCAUC, AveragePrecision, CalibrationError, MSE, RMSE, MAE, R2)
}


def get(metric: MetricLike, argument: str = "metric") -> Metric:
    """A metric object from a name, a class, an object or a function.

    Parameters
    ----------
    metric : str, Metric, class or callable
        ``"accuracy"``, ``"balanced_accuracy"``, ``"f1"``, ``"roc_auc"``, ``"average_precision"``,
        ``"calibration_error"``, ``"mse"``, ``"rmse"``, ``"mae"``, ``"r2"``, in any case: a new object.  A `Metric` is
        returned as it is.  A function of your own is called once per ``result`` with all valid elements; see Notes.
    argument : str
        What errors call the metric.

    Returns
    -------
    Metric
        Its ``name`` is the given one in lower case, or that of the function.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        None of the above, a function that does not take two arguments, or a metric object of Keras.

    Notes
    -----
    A function of your own is ``(y, target) -> float``, with y (n, O) and target (n,) or (n, O): outputs first, as for
    losses.  If the name of its first parameter says that it takes targets (``y_true``, ``labels_true``, ``target``), or
    that of the second alone that it takes predictions (``y, y_pred``), it gets the target first: this is the order of
    scikit-learn and Keras.  Where targets are classes, the names also say what it gets:

    - ``y_pred`` gets decisions, as scikit-learn calls it: the class of the largest output, or 0 or 1 by the sign of a
      single output (``accuracy_score``, ``f1_score``).
    - ``y_score``, ``y_prob`` or ``y_proba`` gets probabilities (``roc_auc_score``, ``log_loss``): those of
      class 1, (n,), for one or two outputs, else (n, O).
    - any other name gets the outputs as they are, logits.

    With one of these names, or with the target first, classes are whole numbers: (n,), or (n, O) with 0 and 1 where
    every output is a class for itself (a probability above 0.5 is a 1).  Targets are classes if the loss is
    cross_entropy or binary_cross_entropy; for a loss of your own, and without `fit` and `evaluate`, if their dtype is
    integer or bool.  All else are numbers: y_pred are then the outputs.

    A function with a parameter ``sample_weight`` gets the weights, where they differ; others take weights that are 0 or
    one number only.  Further arguments are set by `functools.partial`.  Every batch is kept in memory.

    Examples
    --------
    >>> get("R2")
    R2()
    >>> import numpy as np
    >>> def worst(y, target):
    ...     return np.abs(y - target).max()
    >>> metric = get(worst)
    >>> metric.update(np.array([[1.0], [np.nan]]), np.array([[3.0], [0.0]]), weight=np.array([1, 0]))
    >>> metric.name, metric.result()
    ('worst', 2.0)
    >>> def hits(y_true, y_pred):
    ...     return np.mean(y_true == y_pred)
    >>> metric = get(hits)
    >>> metric.update(np.array([[2.0, 1.0], [0.3, 0.4]]), np.array([0, 0]))
    >>> metric.result()
    0.5
    """
    known = f"one of {', '.join(METRICS)}, a Metric or a callable"
    if isinstance(metric, str):
        if metric.lower() not in METRICS:
            others = {name: kind.foreign_names for name, kind in METRICS.items()}
            raise ValueError(f"`{argument}` must be {known}, got {metric!r}{foreign_names.hint(metric, others)}")
        return METRICS[metric.lower()]()
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if not callable(metric):
        raise TypeError(f"`{argument}` must be {known}, got {metric!r}")
    return OwnMetric(metric, argument)  # type: ignore[arg-type]
