"""Naive losses, and problems for them."""

import math
import re
from functools import partial

import numpy as np

from ltc_np.losses import LOSSES, get, has_classes

# Every loss of the library, but for those whose targets have another shape than the outputs, and some with an option.
ALL = {name: get(name) for name in LOSSES if name not in ("quantile", "mixture_density")}
ALL["huber0.3"] = partial(get("huber"), delta=0.3)
ALL["quantile0.3"] = partial(get("quantile"), quantiles=(0.3,))
# Losses of numbers, of the error of one output and of what stands behind the name, in plain Python floats.
FORMULAS = {
    "mse": lambda e, _: e * e,
    "mae": lambda e, _: abs(e),
    "huber": lambda e, delta: e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2),
    "quantile": lambda e, level: max(level * -e, (1 - level) * e),
}


def word_and_number(name):
    """The parts of a name in `ALL`: of huber0.3 these are huber and 0.3; the number is 1 where none is given."""
    word, number = re.fullmatch(r"(.*?)([\d.]*)", name).groups()
    return word, float(number or 1)


def naive_element(name, y, target, a, b):
    """(l, element weight) of one output, or of one step for cross_entropy, in plain Python floats."""
    if name == "cross_entropy":
        return b[target] * (math.log(sum(math.exp(v) for v in y)) - y[target]), b[target]
    if name == "binary_cross_entropy":
        p = 1 / (1 + math.exp(-y))
        positive, negative = b[1] * target, b[0] * (1 - target)
        return -positive * math.log(p) - negative * math.log(1 - p), positive + negative
    word, number = word_and_number(name)
    return FORMULAS[word](y - target, number), 1.0


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
    if has_classes(ALL[name]):
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
