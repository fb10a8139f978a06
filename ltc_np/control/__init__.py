"""Policies that learn by rewards or by examples, in environments of Gymnasium (extra ``control``): docs/control.md."""

from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, SquashedGaussian
from .environments import Environments, Step
from .evaluate import Evaluation, evaluate

__all__ = [
    "Categorical",
    "Distribution",
    "Environments",
    "Evaluation",
    "Gaussian",
    "MixtureOfGaussians",
    "SquashedGaussian",
    "Step",
    "evaluate",
]
