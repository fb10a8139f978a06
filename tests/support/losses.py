"""Naive losses, and problems for them."""

import math
from functools import partial

import numpy as np

from ltc_np.losses import get

REGRESSION = {
    "mse": get("mse"),
    "mae": get("mae"),
    "huber": get("huber"),
    "huber0.3": partial(get("huber"), delta=0.3),
    "quantile0.3": partial(get("quantile"), quantiles=(0.3,)),
}


ALL = {
    **REGRESSION,
    "cross_entropy": get("cross_entropy"),
    "binary_cross_entropy": get("binary_cross_entropy"),
}


def naive_element(name, y, target, a, b):
    """(l, element weight) of one output, or of one step for cross_entropy, in plain Python floats."""
    if name == "cross_entropy":
        return b[target] * (math.log(sum(math.exp(v) for v in y)) - y[target]), b[target]
    e = y - target
    if name == "mse":
        return e * e, 1.0
    if name == "mae":
        return abs(e), 1.0
    if name.startswith("huber"):
        delta = float(name[5:] or 1)
        return (e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)), 1.0
    if name.startswith("quantile"):
        level = float(name[8:])
        return max(level * -e, (1 - level) * e), 1.0
    p = 1 / (1 + math.exp(-y))
    positive, negative = b[1] * target, b[0] * (1 - target)
    return -positive * math.log(p) - negative * math.log(1 - p), positive + negative


def naive(name, y, target, weight, class_weight):
    """total and weight_sum by a loop over everything."""
    total = weight_sum = 0.0
    size = y.shape[-1]
    classes = class_weight if class_weight is not None else np.ones(max(size, 2))
    for where in np.ndindex(y.shape[:-1]):
        w = 1.0 if weight is None else float(weight[where])
        columns = y[where], target[where]
        for one, t in [columns] if name == "cross_entropy" else zip(*columns, strict=True):
            value, share = naive_element(name, one, t, size, classes)
            total += w * value
            weight_sum += w * share
    return total, weight_sum


def problem(name, shape=(3, 4, 5), seed=0):
    """y and target without ties or kinks within the step of a finite difference."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 2, shape)
    if name == "cross_entropy":
        return y, rng.integers(0, shape[-1], shape[:-1])
    if name == "binary_cross_entropy":
        return y, rng.uniform(0, 1, shape)
    error = rng.choice([-1, 1], shape) * rng.uniform(0.01, 2, shape)
    for kink in (0.3, 1.0):
        error[np.abs(np.abs(error) - kink) < 0.01] *= 1.1
    return y, y - error


def class_weights(name, size):
    table = {"cross_entropy": np.linspace(0.5, 2, size), "binary_cross_entropy": np.array([0.4, 1.7])}
    return table.get(name)


def user(y, target):
    return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size
