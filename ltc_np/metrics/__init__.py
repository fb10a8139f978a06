"""Metrics: numbers that describe how good a prediction is, accumulated over batches without error.

A metric is an object with ``update(y, target, weight=None)``, ``result() -> float`` and ``reset()``; after
any cut of the data into batches, ``result`` is that of all elements at once (up to float64 rounding).  Sizes:
B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O).  ``weight`` has the shape ``y.shape[:-1]``; what has
weight 0 is left out and may be NaN.
"""

from .base import Metric
from .classification import F1, Accuracy
from .own import OwnMetric
from .regression import MAE, MSE, R2

__all__ = ["F1", "MAE", "MSE", "R2", "Accuracy", "Metric", "get"]

METRICS = {c.name: c for c in (Accuracy, MSE, MAE, R2, F1)}


def get(metric, argument="metric"):
    """A metric object from a name, a class, an object or a function.

    Parameters
    ----------
    metric : str, Metric, class or callable
        ``"accuracy"``, ``"mse"``, ``"mae"``, ``"r2"``, ``"f1"``: a new object.  A `Metric` is returned as it
        is.  A function of your own, ``(y, target) -> float``, is called once per ``result`` with all valid
        elements: y (n, O), target (n,) or (n, O).  It keeps every batch in memory, and takes weights 0 and 1
        only.
    argument : str
        What errors call the metric.

    Returns
    -------
    Metric
        Its ``name`` is the given one, or that of the function.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        None of the above.

    Examples
    --------
    >>> get("r2")
    R2()
    >>> import numpy as np
    >>> def worst(y, target):
    ...     return np.abs(y - target).max()
    >>> metric = get(worst)
    >>> metric.update(np.array([[1.0], [np.nan]]), np.array([[3.0], [0.0]]), weight=np.array([1, 0]))
    >>> metric.name, metric.result()
    ('worst', 2.0)
    """
    known = f"one of {', '.join(METRICS)}, a Metric or a callable"
    if isinstance(metric, str):
        if metric not in METRICS:
            raise ValueError(f"`{argument}` must be {known}, got {metric!r}")
        return METRICS[metric]()
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if not callable(metric):
        raise TypeError(f"`{argument}` must be {known}, got {metric!r}")
    return OwnMetric(metric)
