"""Losses: sum, weight and derivative over the elements of a batch.

A loss is a function ``loss(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)`` with

    total = sum_i w_i l_i        weight_sum = sum_i w_i        d_y = d(total) / d(y)

so that the loss of a batch is ``total / weight_sum`` (`normalise`), its gradient ``d_y / weight_sum``, and
shards of a batch combine exactly by adding.  Sizes: B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O),
float.  Elements are computed in the dtype of ``y`` and summed in float64, in an order that does not depend on
the number of threads.

A loss checks its arguments.  Training does so once, for whole arrays (`check_target`, `read_class_weight`), and calls
for every batch what `trusted` gives, which checks nothing.
"""

from .binary_cross_entropy import BINARY_CROSS_ENTROPY, binary_cross_entropy
from .class_weight import read_class_weight
from .cross_entropy import CROSS_ENTROPY, cross_entropy
from .huber import HUBER, huber
from .identity import identity
from .mae import MAE, mae
from .mixture import Mixture
from .mixture_density import MIXTURE_DENSITY, mixture_density
from .mse import MSE, mse
from .probabilities import probabilities
from .quantile import QUANTILE, quantile
from .registry import (
    LOSSES,
    class_count,
    get,
    has_classes,
    is_joint,
    is_of_numbers,
    is_of_one_class,
    name_of,
    numbers,
    scale_powers,
    takes_weight,
    trusted,
    weight_sum,
)
from .targets import check_target, for_each_output, known_target
from .weights import NoWeightError, normalise

LOSSES.update(
    (kind.name, kind) for kind in (MSE, MAE, HUBER, QUANTILE, CROSS_ENTROPY, BINARY_CROSS_ENTROPY, MIXTURE_DENSITY)
)

__all__ = [
    "LOSSES",
    "Mixture",
    "NoWeightError",
    "binary_cross_entropy",
    "check_target",
    "class_count",
    "cross_entropy",
    "for_each_output",
    "get",
    "has_classes",
    "huber",
    "identity",
    "is_joint",
    "is_of_numbers",
    "is_of_one_class",
    "known_target",
    "mae",
    "mixture_density",
    "mse",
    "name_of",
    "normalise",
    "numbers",
    "probabilities",
    "quantile",
    "read_class_weight",
    "scale_powers",
    "takes_weight",
    "trusted",
    "weight_sum",
]
