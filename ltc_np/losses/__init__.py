"""Losses: sum, weight and derivative over the elements of a batch.

A loss is a function ``loss(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)`` with

    total = sum_i w_i l_i        weight_sum = sum_i w_i        d_y = d(total) / d(y)

so that the loss of a batch is ``total / weight_sum`` (`normalise`), its gradient ``d_y / weight_sum``, and
shards of a batch combine exactly by adding.  Sizes: B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O),
float.  Elements are computed in the dtype of ``y`` and summed in float64, in an order that does not depend on
the number of threads.

`check_target` validates a whole target array once; the losses themselves, called for every batch, check
shapes only.
"""

from .binary_cross_entropy import binary_cross_entropy
from .cross_entropy import cross_entropy
from .huber import huber
from .identity import identity
from .mae import mae
from .mse import mse
from .registry import LOSSES, class_count, get, name_of, numbers, takes_weight, weight_sum
from .targets import check_target
from .weights import NoWeightError, check_class_weight, normalise

__all__ = [
    "LOSSES",
    "NoWeightError",
    "binary_cross_entropy",
    "check_class_weight",
    "check_target",
    "class_count",
    "cross_entropy",
    "get",
    "huber",
    "identity",
    "mae",
    "mse",
    "name_of",
    "normalise",
    "numbers",
    "takes_weight",
    "weight_sum",
]
