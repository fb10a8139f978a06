"""Metrics: against formulas over all elements at once, whatever the batches, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_np import metrics
from ltc_np.metrics import get, regression


def direct_mse(y, target, weight):
    return np.average(((y - target) ** 2).mean(axis=1), weights=weight)


def direct_rmse(y, target, weight):
    return direct_mse(y, target, weight) ** 0.5


def direct_mae(y, target, weight):
    return np.average(np.abs(y - target).mean(axis=1), weights=weight)


def direct_r2(y, target, weight):
    scores = []
    for o in range(y.shape[1]):
        mean = np.average(target[:, o], weights=weight)
        total = np.sum(weight * (target[:, o] - mean) ** 2)
        scores.append(1 - np.sum(weight * (target[:, o] - y[:, o]) ** 2) / total)
    return np.mean(scores)


def direct_accuracy(y, target, weight):
    if target.ndim == 1:
        correct = (y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0] > 0) == target
    else:
        correct = ((y > 0) == (target > 0.5)).mean(axis=1)
    return np.average(correct, weights=weight)


def direct_f1(y, target, weight):
    if target.ndim == 1 and y.shape[1] > 1:
        tables = [(y.argmax(axis=1) == k, target == k) for k in range(y.shape[1])]
    elif target.ndim == 1:
        tables = [(y[:, 0] > 0, target == 1)]
    else:
        tables = [(y[:, o] > 0, target[:, o] > 0.5) for o in range(y.shape[1])]
    scores = []
    for said, true in tables:
        if not weight[said | true].any():
            continue
        precision = np.sum(weight[said & true]) / max(np.sum(weight[said]), 1e-300)
        recall = np.sum(weight[said & true]) / max(np.sum(weight[true]), 1e-300)
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return np.mean(scores) if scores else 0.0


def direct_balanced_accuracy(y, target, weight):
    if target.ndim == 1:
        said, true = direct_said(y), target
        return np.mean([np.average((said == k)[true == k], weights=weight[true == k]) for k in present(true, weight)])
    return np.mean([direct_balanced_accuracy(y[:, [o]], target[:, o] > 0.5, weight) for o in range(y.shape[1])])


def direct_said(y):
    return y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0] > 0


def present(true, weight):
    return np.unique(true[weight > 0])


def one_against_rest(y, target):
    """(score, positive) of every class or output that a ranking averages over."""
    if target.ndim == 2:
        return [(y[:, o], target[:, o] > 0.5) for o in range(y.shape[1])]
    if y.shape[1] == 1:
        return [(y[:, 0], target == 1)]
    if y.shape[1] == 2:
        return [(y[:, 1] - y[:, 0], target == 1)]
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return [(p[:, k], target == k) for k in range(y.shape[1])]


def direct_roc_auc(y, target, weight):
    """By all pairs."""
    areas = []
    for score, positive in one_against_rest(y, target):
        won = all_pairs = 0.0
        for i in np.flatnonzero(positive):
            for j in np.flatnonzero(~positive):
                pair = weight[i] * weight[j]
                won += pair * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
                all_pairs += pair
        if all_pairs:
            areas.append(won / all_pairs)
    return np.mean(areas) if areas else None


def direct_average_precision(y, target, weight):
    """By the confusion at every threshold."""
    means = []
    for score, positive in one_against_rest(y, target):
        everything = np.sum(weight[positive])
        if not everything:
            continue
        recall, mean = 0.0, 0.0
        for threshold in sorted(set(score), reverse=True):
            said = score >= threshold
            found = np.sum(weight[said & positive])
            if np.sum(weight[said]):
                mean += (found / everything - recall) * found / np.sum(weight[said])
            recall = found / everything
        means.append(mean)
    return np.mean(means) if means else None


def direct_calibration_error(y, target, weight):
    """Bin by bin."""
    if target.ndim == 2:
        y, target, weight = y.reshape(-1, 1), (target > 0.5).ravel().astype(int), weight.repeat(y.shape[1])
    y = np.concatenate([np.zeros_like(y), y], axis=1) if y.shape[1] == 1 else y
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    sure, right = p.max(axis=1), (y.argmax(axis=1) == target).astype(float)
    error = 0.0
    for k in range(15):
        inside = (weight > 0) & (sure * 15 >= k) & ((sure * 15 < k + 1) | (k == 14))
        if inside.any():
            accuracy, confidence = (np.average(a[inside], weights=weight[inside]) for a in (right, sure))
            error += np.sum(weight[inside]) / np.sum(weight) * abs(accuracy - confidence)
    return error


DIRECT = {name.removeprefix("direct_"): value for name, value in dict(globals()).items() if name.startswith("direct_")}
del DIRECT["said"]
# Those of numbers stand in a file of their own; all others take classes, in all the ways in which these are given.
OF_NUMBERS = [name for name, metric in metrics.METRICS.items() if metric.__module__ == regression.__name__]
KINDS = [(name, "real") for name in OF_NUMBERS]
KINDS += [
    (name, kind)
    for name in metrics.METRICS
    if name not in OF_NUMBERS
    for kind in ("classes", "two classes", "binary", "labels")
]


def test_all_metrics_are_tried():
    assert {"mse", "rmse", "mae", "r2"} <= set(OF_NUMBERS)
    assert {"accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision"} <= {name for name, _ in KINDS[4:]}
    assert set(DIRECT) <= set(metrics.METRICS)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_metric_is_shown_by_hand(name):
    """Its docstring has an example, which tests/docs/test_docs.py runs."""
    kind = metrics.METRICS[name]
    assert f">>> metric = {kind.__name__}()" in kind.__doc__ and "metric.result()" in kind.__doc__


def at_once(name):
    """What a metric without a formula of its own makes of all elements in one batch."""

    def result(y, target, weight):
        metric = get(name)
        metric.update(y, target, weight)
        return metric.result()

    return result


def problem(kind, n, rng):
    size = {"binary": 1, "two classes": 2}.get(kind, 4)
    y = rng.normal(size=(n, size))
    if kind != "classes":  # whose probabilities would be equal but for rounding
        y = np.round(4 * y) / 4
    if kind == "real":
        return y, y + rng.normal(size=(n, size)) + 3
    if kind == "labels":
        return y, rng.integers(0, 2, (n, size)).astype(float)
    return y, rng.integers(0, max(size, 2), n)


@pytest.mark.few(12)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=4),
    st.booleans(),
)
@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_any_batches_give_the_direct_formula(name, kind, seed, shapes, weighted):
    """Batches (B, T, O) of any sizes; elements of weight 0 hold NaN and never count."""
    rng = np.random.default_rng(seed)
    metric, parts = get(name), []
    for shape in (*shapes, (2, 3)):  # at least six elements, so that there is a spread
        n = shape[0] * shape[1]
        y, target = problem(kind, n, rng)
        weight = rng.choice([0.0, 0.5, 2.0], n) if weighted else np.ones(n)
        weight[-1] = 1.0
        parts.append((y, target, weight))
        y = np.where(weight[:, None] > 0, y, np.nan)
        if target.dtype.kind == "f":
            target = np.where(weight[:, None] > 0, target, np.nan)
        metric.update(
            y.reshape(*shape, -1),
            target.reshape(*shape, *target.shape[1:]),
            weight.reshape(shape) if weighted else None,
        )
    expected = DIRECT.get(name, at_once(name))(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    if expected is None:
        with pytest.raises(
            ValueError, match=f"`{name}` must see a positive .*target of some class before result, got none"
        ):
            metric.result()
        return
    result = metric.result()
    assert type(result) is float
    # sums of at most 54 elements; R2 near a small spread divides by a small number
    assert result == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_weights_count_repetitions():
    rng = np.random.default_rng(0)
    counts = np.array([3, 0, 1, 2, 1])
    for name, kind in KINDS:
        y, target = problem(kind, 5, rng)
        target[[0, 2]] = target[[2, 3]] = 1  # there is a positive and a negative one
        target[3] = 0
        weighted, repeated = get(name), get(name)
        weighted.update(y, target, counts)
        repeated.update(np.repeat(y, counts, axis=0), np.repeat(target, counts, axis=0))
        assert weighted.result() == pytest.approx(repeated.result(), rel=1e-13)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_reset_and_empty(name):
    metric = get(name)
    y, target = problem(dict(KINDS)[name], 6, np.random.default_rng(0))
    for _ in range(2):
        with pytest.raises(ValueError, match=f"`{name}` must see an element of positive weight"):
            metric.result()
        metric.update(y, target, np.zeros(6))  # nothing valid is nothing
    metric.update(y, target)
    first = metric.result()
    metric.update(y[:2], target[:2])
    metric.reset()
    with pytest.raises(ValueError, match="must see an element"):
        metric.result()
    metric.update(y, target)
    assert metric.result() == first


@pytest.mark.parametrize("name", metrics.METRICS)
def test_what_is_better_is_said(name):
    """A perfect prediction is better than its opposite, in the direction that the metric names."""
    target = np.array([[1.0], [0.0], [1.0], [0.0]])
    values = {}
    for kind, y in (("right", 2 * target - 1), ("wrong", 1 - 2 * target)):
        metric = get(name)
        metric.update(y, target if name in OF_NUMBERS else target[:, 0].astype(int))
        values[kind] = metric.result()
    better = max if get(name).mode == "max" else min
    assert values["right"] == better(values.values()) != values["wrong"]
    assert get(lambda y, target: 0.0).mode is None


def test_nan_predictions_are_not_hidden():
    for metric in map(get, OF_NUMBERS):
        metric.update(np.array([[1.0], [np.nan], [2.0]]), np.array([[1.0], [2.0], [3.0]]))
        assert math.isnan(metric.result())


@pytest.mark.parametrize(
    ("name", "y", "target", "weight", "error", "message"),
    [
        (
            "mse",
            np.ones(3),
            np.ones(3),
            None,
            ValueError,
            r"`y` must be \(B, T, O\) or \(B, O\), got shape \(3,\)",
        ),
        (
            "mse",
            np.ones((3, 2)),
            np.ones((3, 1)),
            None,
            ValueError,
            r"must have shape \(3, 2\) or \(3,\), got \(3, 1\)",
        ),
        ("mae", np.ones((3, 2)), np.ones(3), None, ValueError, "`target` of mae must have y's shape"),
        ("r2", np.ones((3, 2)), np.ones(3), None, ValueError, "`target` of r2 must have y's shape"),
        (
            "mse",
            np.ones((3, 2)),
            np.ones((3, 2)),
            np.ones((3, 1)),
            ValueError,
            r"`weight` must have shape \(3,\), got \(3, 1\)",
        ),
        (
            "accuracy",
            np.ones((3, 2)),
            np.ones(3, int),
            np.ones((3, 2)),
            ValueError,
            r"`weight` must have shape \(3,\), got \(3, 2\)",
        ),
        ("roc_auc", np.ones((2, 3)), [0, 3], None, ValueError, r"roc_auc must be classes in 0\.\.2, got 3"),
        ("mse", np.ones((1, 1)), [["a"]], None, TypeError, "`target` must be real numbers, got dtype <U1"),
        (
            "mse",
            1j * np.ones((1, 1)),
            [[1]],
            None,
            TypeError,
            "`y` must be real numbers, got dtype complex128",
        ),
        (
            "mse",
            np.ones((3, 1)),
            np.ones((3, 1)),
            np.ones(1),
            ValueError,
            r"`weight` must have shape \(3,\), got \(1,\)",
        ),
        ("mse", np.ones((2, 1)), np.ones((2, 1)), [1, -1], ValueError, "`weight` must be >= 0, got -1.0"),
        ("mse", np.ones((2, 1)), np.ones((2, 1)), [1, np.nan], ValueError, "`weight` must be >= 0, got nan"),
        ("accuracy", np.ones((2, 3)), [0, 3], None, ValueError, r"accuracy must be classes in 0\.\.2, got 3"),
        ("accuracy", np.ones((2, 1)), [0, 2], None, ValueError, r"accuracy must be classes in 0\.\.1, got 2"),
        ("f1", np.ones((2, 3)), [0, -1], None, ValueError, r"f1 must be classes in 0\.\.2, got -1"),
        ("f1", np.ones((2, 3)), [0.0, 1.0], None, TypeError, "f1 must be integer classes, got dtype float64"),
        ("f1", np.ones((1, 2)), [[0.5, 1.5]], None, ValueError, r"f1 must be in \[0, 1\], got 1.5"),
        ("accuracy", np.ones((1, 1)), [[np.nan]], None, ValueError, r"accuracy must be in \[0, 1\], got nan"),
    ],
)
def test_update_refuses(name, y, target, weight, error, message):
    with pytest.raises(error, match=message):
        get(name).update(y, target, weight)


def test_a_state_takes_the_place_of_all_that_was_seen():
    """Also one that does not name everything, such as that of a metric of a user's own which has seen nothing."""

    class Count(metrics.Metric):
        name = "count"

        def reset(self):
            super().reset()
            self.count = 0

        def _add(self, y, target, weight):
            self.count += len(y)

        def _value(self):
            return self.count

        def state(self):
            return super().state() if self.count else {}

    metric, other = Count(), Count()
    nothing = metric.state()
    metric.update(np.zeros((3, 1)), np.zeros(3))
    other.load_state(metric.state())
    assert other.result() == 3
    other.load_state(nothing)
    with pytest.raises(ValueError, match="must see an element"):
        other.result()


@pytest.mark.parametrize("name", ["r2", "f1", "balanced_accuracy", "roc_auc", "average_precision"])
def test_outputs_may_not_change(name):
    metric = get(name)
    metric.update(np.zeros((3, 2)), np.eye(3)[:, :2])
    with pytest.raises(ValueError, match="`y` must have 2 outputs as before, got 3"):
        metric.update(np.zeros((3, 3)), np.eye(3))


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "roc_auc", "average_precision"])
def test_kinds_of_targets_may_not_change(name):
    """Counts of classes and of outputs that decide by themselves have one shape, and mean different things."""
    y, kinds = np.array([[1.0, -1.0], [-1.0, 2.0], [0.5, 0.0]]), (np.array([0, 1, 1]), np.eye(3)[:, :2])
    rules = "one class for all outputs", "a value for every output"
    for first in (0, 1):
        metric, other = get(name), get(name)
        metric.update(y, kinds[first])
        other.update(y, kinds[1 - first])
        for call in (lambda m=metric, t=kinds[1 - first]: m.update(y, t), lambda m=metric, o=other: m.merge(o.state())):
            with pytest.raises(ValueError, match=f"`target` must be {rules[first]} as before, got {rules[1 - first]}"):
                call()


def test_get():
    for name in metrics.METRICS:
        metric = get(name)
        assert type(get(name.upper())) is type(get(name.title())) is type(metric)
        assert metric.name == name and metric is not get(name) and type(get(type(metric))) is type(metric)
        assert get(metric) is metric and repr(metric) == f"{type(metric).__name__}()"
    with pytest.raises(ValueError, match=f"one of {', '.join(metrics.METRICS)}, a Metric or a callable, got 'auc'"):
        get("auc")
    with pytest.raises(TypeError, match=r"`metric` must be one of .*, got 3"):
        get(3)
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    assert {type(get(name)).__name__ for name in metrics.METRICS} < set(metrics.__all__)
    listed = ", ".join(f'``"{name}"``' for name in metrics.METRICS)
    assert f"{listed}, in any case" in " ".join(get.__doc__.split())


@pytest.mark.parametrize(("name", "kind"), [case for case in KINDS if case[1] in ("real", "labels")])
def test_weights_of_single_outputs(name, kind):
    """What is missing in one output is left out there alone: the mean of the outputs, or of all their elements."""
    rng = np.random.default_rng(0)
    y, target = problem(kind, 12, rng)
    weight = rng.choice([0.0, 0.5, 2.0], y.shape)
    target[0], target[1], weight[:2] = 1, 0, 1.0
    weight[:, 3] = 0  # never there
    target[weight == 0] = y[weight == 0] = np.nan
    together = get(name)
    if not together.takes_outputs:
        with pytest.raises(ValueError, match=f"`weight` of {name} must be the same for all outputs of a step"):
            together.update(y, target, weight)
        return
    for cut in (slice(0, 5), slice(5, 12)):
        together.update(y[cut], target[cut], weight[cut])
    alone, sums = [], []
    for o in range(3):
        metric = get(name)
        metric.update(y[:, [o]], target[:, [o]], weight[:, o])
        alone.append(metric.result())
        sums.append(weight[:, o].sum())
    mean, pooled = np.mean(alone), at_once(name)(y.reshape(-1, 1), target.reshape(-1, 1), weight.ravel())
    if name in ("mse", "mae", "accuracy"):  # means over elements
        assert together.result() == pytest.approx(np.average(alone, weights=sums), rel=1e-13)
    elif name in ("r2", "f1", "balanced_accuracy", "roc_auc", "average_precision"):
        assert together.result() == pytest.approx(mean, rel=1e-13)
    else:  # one of the two, whichever the metric means
        assert together.result() in (pytest.approx(mean, rel=1e-13), pytest.approx(pooled, rel=1e-13))


def test_a_target_without_the_axis_of_one_output():
    rng = np.random.default_rng(0)
    y, target = rng.normal(size=(2, 3, 1)), rng.normal(size=(2, 3, 1))
    for name in OF_NUMBERS:
        values = []
        for given_ in (target, target[..., 0]):
            metric = get(name)
            metric.update(y, given_)
            values.append(metric.result())
        assert values[0] == values[1]


def test_nan_scores_are_not_hidden():
    for name in ("roc_auc", "average_precision"):
        metric = get(name)
        metric.update(np.array([[0.3], [np.nan], [0.1]]), np.array([1, 0, 0]))
        assert math.isnan(metric.result())
