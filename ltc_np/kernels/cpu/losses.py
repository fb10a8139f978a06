"""The losses of `ltc_np.losses` and their derivatives in one pass.

`errors`, `logits` and `classes` are those of batches in arrays that stay the same, and are called by their addresses:
    y (B, T, O), d_y its derivative, times now[0];  steps (B,): valid steps;  total (1,): the sum of the losses
    target (B, T, O), of classes (B, T, 1); or (B, 1, -), of the last valid step of each sequence alone
Where a batch is looked at in NumPy, `PIECES` are the pieces of losses whose bits are these kernels' own.
"""

import math

import numpy as np

from ...base import checks
from .. import losses
from ..codes import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, LOSSES
from .jit import helper, inlined, kernel

of_error, of_logit = inlined(losses.of_error), helper(losses.of_logit)


@helper
def _of_class(y, c, d_y):
    """Loss of the logits y (O,) where the class is c; d_y (O,) is its derivative then."""
    most, norm = y[0], y.dtype.type(0)
    for o in range(y.size):
        most = max(most, y[o])
    for o in range(y.size):
        d_y[o] = math.exp(y[o] - most)
        norm += d_y[o]
    for o in range(y.size):
        d_y[o] /= norm
    d_y[c] -= y.dtype.type(1)
    return math.log(norm) - (y[c] - most)


@helper
def _with_target(target, T, steps):
    """From and to: the steps that have a target, of a sequence of so many."""
    return 0 if target.shape[1] == T else steps - 1, steps


@kernel
def errors(kind, parameters, y, target, steps, now, d_y, total):
    """The loss of errors with this number; see `of_error`."""
    (B, T, O), scale, found = y.shape, y.dtype.type(now[0]), 0.0
    for s in range(B):
        first, end = _with_target(target, T, steps[s])
        d_y[s] = 0
        for t in range(first, end):
            for o in range(O):
                value, slope = of_error(kind, parameters, y[s, t, o] - target[s, t - first, o], o)
                found += value
                d_y[s, t, o] = slope * scale
    total[0] = found


@kernel
def logits(class_weight, y, target, steps, now, d_y, total):
    """Binary cross-entropy."""
    (B, T, O), scale, found = y.shape, y.dtype.type(now[0]), 0.0
    for s in range(B):
        first, end = _with_target(target, T, steps[s])
        d_y[s] = 0
        for t in range(first, end):
            for o in range(O):
                value, slope = of_logit(class_weight, y[s, t, o], target[s, t - first, o])
                found += value
                d_y[s, t, o] = slope * scale
    total[0] = found


@kernel
def classes(y, target, steps, now, d_y, total):
    """Cross-entropy."""
    (B, T, O), scale, found = y.shape, y.dtype.type(now[0]), 0.0
    for s in range(B):
        first, end = _with_target(target, T, steps[s])
        d_y[s] = 0
        for t in range(first, end):
            found += _of_class(y[s, t], int(target[s, t - first, 0]), d_y[s, t])
            for o in range(O):
                d_y[s, t, o] *= scale
    total[0] = found


def call(name, parameters, dtype):
    """A kernel, and its arguments before y, for the loss of this name; ``parameters`` are those of `of_error`."""
    checks.must_know(__name__, "loss", name, losses.KNOWN)
    kind, parameters = LOSSES.index(name), np.array(parameters, dtype)
    if kind == CROSS_ENTROPY:
        return classes, ()
    if kind == BINARY_CROSS_ENTROPY:
        return logits, (parameters,)
    return errors, (kind, parameters)


@kernel
def _elements_of_logits(class_weight, y, target, values, d_y):
    """`of_logit` of arrays (n,)."""
    for k in range(y.size):
        values[k], d_y[k] = of_logit(class_weight, y[k], target[k])


@kernel
def _elements_of_classes(y, target, values, d_y):
    """Losses (n,) and their derivatives (n, O) of logits y (n, O) and classes."""
    for k in range(target.size):
        values[k] = _of_class(y[k], target[k], d_y[k])


def binary_elements(y, target, class_weight):
    """As in `ltc_np.losses.binary_cross_entropy`."""
    values, d_y = np.empty_like(y, order="C"), np.empty_like(y, order="C")
    weights = np.empty(0, y.dtype) if class_weight is None else class_weight
    flat = (np.ascontiguousarray(a).reshape(-1) for a in (y, target))
    _elements_of_logits(weights, *flat, values.reshape(-1), d_y.reshape(-1))
    return values, d_y


def class_elements(logits, classes):
    """As in `ltc_np.losses.cross_entropy`."""
    values, d_y = np.empty(len(logits), logits.dtype), np.empty_like(logits, order="C")
    _elements_of_classes(np.ascontiguousarray(logits), np.ascontiguousarray(classes), values, d_y)
    return values, d_y


PIECES = {"binary_cross_entropy": binary_elements, "cross_entropy": class_elements}
