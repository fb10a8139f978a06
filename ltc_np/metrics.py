"""Metrics: numbers that describe how good a prediction is, accumulated over batches without error.

A metric is an object with ``update(y, target, weight=None)``, ``result() -> float`` and ``reset()``; after
any cut of the data into batches, ``result`` is that of all elements at once (up to float64 rounding).  Sizes:
B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O).  ``weight`` has the shape ``y.shape[:-1]``; what has
weight 0 is left out and may be NaN.
"""

import numpy as np

__all__ = ["F1", "MAE", "MSE", "R2", "Accuracy", "Metric", "get"]


class Metric:
    """Base of all metrics; a new one defines ``reset``, ``_add(y, target, weight)`` and ``_value()``.

    ``_add`` gets what has a positive weight, without batch and time axes: y (n, O), target (n,) or (n, O),
    weight (n,) float64.  ``_value`` is called after at least one element.  ``reset`` makes new arrays and lists instead
    of emptying the old ones: `fit` and `evaluate` count with shallow copies, so that one object may serve several calls
    at once.
    """

    name = "metric"

    def __init__(self):
        self.reset()

    def update(self, y, target, weight=None):
        """Take in one batch.

        Parameters
        ----------
        y : (B, T, O) or (B, O) array
            Predictions; logits for the metrics with classes.
        target : array of shape y.shape or y.shape[:-1]
            As the metric's class says.
        weight : array of shape y.shape[:-1], >= 0, or None
            None is 1 everywhere.

        Raises
        ------
        TypeError, ValueError
            A shape, dtype or class that does not fit.
        """
        y, target = np.asarray(y), np.asarray(target)
        if y.ndim < 2:
            raise ValueError(f"`y` must be (B, T, O) or (B, O), got shape {y.shape}")
        if target.shape not in (y.shape, y.shape[:-1]):
            raise ValueError(f"`target` must have shape {y.shape} or {y.shape[:-1]}, got {target.shape}")
        for name, values in (("y", y), ("target", target)):
            if values.dtype.kind not in "biuf":
                raise TypeError(f"`{name}` must be real numbers, got dtype {values.dtype}")
        weight = np.ones(y.shape[:-1]) if weight is None else np.asarray(weight, dtype=np.float64)
        if weight.shape != y.shape[:-1]:
            raise ValueError(f"`weight` must have shape {y.shape[:-1]}, got {weight.shape}")
        if not (weight >= 0).all():
            raise ValueError(f"`weight` must be >= 0, got {weight[~(weight >= 0)].flat[0]}")
        valid = weight > 0
        if valid.any():
            self._seen = True
            self._add(y[valid], target[valid], weight[valid])

    def result(self):
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

    def reset(self):
        """Forget everything."""
        self._seen = False

    def __repr__(self):
        return f"{type(self).__name__}()"


class _Mean(Metric):
    """Weighted mean of ``_elements(y, target)``, (n, O) or (n, 1)."""

    def reset(self):
        super().reset()
        self._sum = self._weight = 0.0

    def _add(self, y, target, weight):
        elements = self._elements(y, target)
        self._sum += np.sum(weight[:, None] * elements)
        self._weight += elements.shape[1] * np.sum(weight)

    def _value(self):
        return self._sum / self._weight


class MSE(_Mean):
    """Mean squared error, sum_i w_i (y_i - target_i)**2 / sum_i w_i over all elements (b, t, o).

    ``target`` has y's shape.

    Examples
    --------
    >>> metric = MSE()
    >>> metric.update(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]]))
    >>> metric.update(np.array([[3.0, 5.0]]), np.array([[3.0, 4.0]]))
    >>> metric.result()
    1.25
    """

    name = "mse"

    def _elements(self, y, target):
        return _errors(self.name, y, target) ** 2


class MAE(_Mean):
    """Mean absolute error, sum_i w_i abs(y_i - target_i) / sum_i w_i over all elements (b, t, o).

    ``target`` has y's shape.
    """

    name = "mae"

    def _elements(self, y, target):
        return np.abs(_errors(self.name, y, target))


class R2(Metric):
    """Coefficient of determination, averaged over the outputs with equal shares; for each output o

        R2_o = 1 - sum_i w_i (target_io - y_io)**2 / sum_i w_i (target_io - mean_o)**2

    with mean_o the weighted mean of all targets.  1 is perfect, 0 is as good as the mean.  For a constant
    target, where the quotient is not defined, R2_o is 1 if every prediction is exact and 0 otherwise, as in
    scikit-learn.

    ``target`` has y's shape.  The spread of the targets is merged batch by batch (Chan, Golub and LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances", 1979), so that a mean much
    larger than the spread costs no digits.

    Examples
    --------
    >>> metric = R2()
    >>> metric.update(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    >>> metric.update(np.array([[3.0], [3.0]]), np.array([[3.0], [4.0]]))
    >>> metric.result()
    0.8
    """

    name = "r2"

    def reset(self):
        super().reset()
        self._origin = None

    def _add(self, y, target, weight):
        error = _errors(self.name, y, target)
        if self._origin is None:
            # offsets from the first target, not values: a constant target then has exactly no spread
            self._origin = target[0].astype(np.float64)
            self._weight = 0.0
            self._mean, self._spread, self._residual = np.zeros((3, y.shape[1]))
        if y.shape[1] != self._mean.size:
            raise ValueError(f"`y` must have {self._mean.size} outputs as before, got {y.shape[1]}")
        offset = target - self._origin
        batch_weight = np.sum(weight)
        weight = weight[:, None]
        batch_mean = np.sum(weight * offset, axis=0) / batch_weight
        between = batch_mean - self._mean
        total = self._weight + batch_weight
        self._spread += np.sum(weight * (offset - batch_mean) ** 2, axis=0)
        self._spread += between**2 * (self._weight * batch_weight / total)
        self._mean += between * (batch_weight / total)
        self._weight = total
        self._residual += np.sum(weight * error**2, axis=0)

    def _value(self):
        constant = self._spread == 0
        share = self._residual / np.where(constant, 1.0, self._spread)
        return np.mean(np.where(constant, self._residual == 0, 1.0 - share))


class Accuracy(_Mean):
    """Share of correct decisions, sum_i w_i [decision_i == target_i] / sum_i w_i.

    - Several outputs and integer targets of shape y.shape[:-1]: the decision is the largest logit (the first
    of
      equal ones).
    - One output, integer or bool targets 0 or 1 of shape y.shape[:-1]: the decision is logit > 0.
    - Targets of y's shape, values in [0, 1]: every output decides by itself, logit > 0 against target > 0.5.

    Examples
    --------
    >>> metric = Accuracy()
    >>> metric.update(np.array([[0.1, 0.9], [0.8, 0.3], [0.4, 0.6]]), np.array([1, 0, 0]))
    >>> round(metric.result(), 6)
    0.666667
    """

    name = "accuracy"

    def _elements(self, y, target):
        decision, target, _ = _decide(self.name, y, target)
        return decision == target


class F1(Metric):
    """F1 score, 2 TP / (2 TP + FP + FN) with weighted counts.

    One output: the score of the positive class.  Several: the mean over the classes (macro), or over the
    outputs when targets have y's shape.  Decisions and targets are those of `Accuracy`.

    Zero division: a class that is neither a target nor predicted anywhere has no score and is left out of the
    mean; if none is left, the result is 0.  A class that is a target and never predicted scores 0 and counts.

    Examples
    --------
    >>> metric = F1()
    >>> metric.update(np.array([[2.0], [-1.0], [3.0]]), np.array([1, 1, 1]))
    >>> metric.result()
    0.8
    """

    name = "f1"

    def reset(self):
        super().reset()
        self._counts = None

    def _add(self, y, target, weight):
        decision, target, classes = _decide(self.name, y, target)
        if classes > 1:  # one column per class
            decision, target = (k == np.arange(classes) for k in (decision, target))
        cases = decision & target, decision & ~target, ~decision & target
        counts = np.stack([np.sum(weight[:, None] * case, axis=0) for case in cases])
        if self._counts is None:
            self._counts = np.zeros_like(counts)
        if counts.shape != self._counts.shape:
            before = self._counts.shape[1]
            raise ValueError(f"`y` must have {before} outputs as before, got {counts.shape[1]}")
        self._counts += counts

    def _value(self):
        hits, false_alarms, misses = self._counts
        size = 2 * hits + false_alarms + misses
        seen = size > 0
        return np.mean(2 * hits[seen] / size[seen]) if seen.any() else 0.0


class _UserMetric(Metric):
    """A user's ``(y, target) -> float`` on all valid elements together: y (n, O), target (n,) or (n, O)."""

    def __init__(self, function):
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        super().__init__()

    def reset(self):
        super().reset()
        self._y, self._target = [], []

    def _add(self, y, target, weight):
        if (weight != 1).any():
            got = weight[weight != 1][0]
            raise ValueError(f"`weight` must be 0 or 1 with a metric of your own ({self.name}), got {got}")
        self._y.append(y)  # already copies: they were picked by a mask
        self._target.append(target)

    def _value(self):
        value = self.function(np.concatenate(self._y), np.concatenate(self._target))
        if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":
            kind = type(value).__name__
            raise TypeError(f"{self.name} must return a real number, got {kind} {value!r:.40}")
        return value

    def __repr__(self):
        return f"<metric {self.name}>"


_CLASSES = {c.name: c for c in (Accuracy, MSE, MAE, R2, F1)}


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
    >>> def worst(y, target):
    ...     return np.abs(y - target).max()
    >>> metric = get(worst)
    >>> metric.update(np.array([[1.0], [np.nan]]), np.array([[3.0], [0.0]]), weight=np.array([1, 0]))
    >>> metric.name, metric.result()
    ('worst', 2.0)
    """
    known = f"one of {', '.join(_CLASSES)}, a Metric or a callable"
    if isinstance(metric, str):
        if metric not in _CLASSES:
            raise ValueError(f"`{argument}` must be {known}, got {metric!r}")
        return _CLASSES[metric]()
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if not callable(metric):
        raise TypeError(f"`{argument}` must be {known}, got {metric!r}")
    return _UserMetric(metric)


def _errors(name, y, target):
    """y - target, (n, O), in float64."""
    if target.shape != y.shape:
        raise ValueError(f"`target` of {name} must have y's shape, got one number for {y.shape[1]} outputs")
    return y.astype(np.float64) - target


def _decide(name, y, target):
    """Decisions and targets, both (n, 1) classes or (n, O) bools, and the number of classes (1 for bools)."""
    classes, top = 1, 1
    rule = "in [0, 1]"
    if target.ndim == 1:
        if target.dtype.kind not in "biu":
            raise TypeError(f"`target` of {name} must be integer classes, got dtype {target.dtype}")
        target, classes = target[:, None], y.shape[1]
        top = max(classes - 1, 1)
        rule = f"classes in 0..{top}"
    outside = ~((target >= 0) & (target <= top))  # also true for NaN
    if outside.any():
        raise ValueError(f"`target` of {name} must be {rule}, got {target[outside].flat[0]}")
    if classes > 1:
        return y.argmax(axis=1)[:, None], target, classes
    return y > 0, target > 0.5, 1
