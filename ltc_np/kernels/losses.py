"""What kernels of every processor know of the losses in `ltc_np.losses`, written once: each backend compiles it."""

import math

from .codes import MAE, MSE, QUANTILE

# The losses that kernels have a branch for; another number would be taken for that of huber.
KNOWN = ("mse", "mae", "huber", "binary_cross_entropy", "cross_entropy", "quantile")


def of_error(kind, parameters, error, o):
    """Loss of the error of output o and its derivative; parameters: of huber delta, of quantile the quantiles."""
    real = type(error)
    zero, one = real(0), real(1)
    if kind == MSE:
        return error * error, error + error
    if kind == MAE:
        return abs(error), one if error > zero else (-one if error < zero else zero)
    if kind == QUANTILE:
        level = parameters[o % parameters.size]
        slope = one - level if error > zero else (-level if error < zero else zero)
        return slope * error, slope
    delta = parameters[0]
    slope = min(max(error, -delta), delta)
    return slope * (error - slope * real(0.5)), slope


def of_logit(class_weight, y, target):
    """Binary cross-entropy of a logit and its derivative; class_weight (2,), or empty."""
    zero, one = type(y)(0), type(y)(1)
    a, b = target, one - target
    if class_weight.size > 0:
        a, b = a * class_weight[1], b * class_weight[0]
    small = math.exp(-abs(y))
    value = (a + b) * math.log1p(small) + (b * y if y > zero else -a * y)
    p, q = (one, small) if y >= zero else (small, one)
    return value, (b * p - a * q) / (one + small)
