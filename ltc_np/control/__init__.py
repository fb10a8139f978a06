"""Policies that learn by rewards or by examples, in environments of Gymnasium (extra ``control``): docs/control.md."""

from .acting import acting
from .advantages import gae
from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, SquashedGaussian
from .environments import Environments, Step
from .evaluate import Evaluation, evaluate
from .evolution import EvolutionStrategy
from .imitation import Lessons, clone, dagger
from .keep_best import KeepBest
from .ppo import PPO
from .record import record

__all__ = [
    "PPO",
    "Categorical",
    "Distribution",
    "Environments",
    "Evaluation",
    "EvolutionStrategy",
    "Gaussian",
    "KeepBest",
    "Lessons",
    "MixtureOfGaussians",
    "SquashedGaussian",
    "Step",
    "acting",
    "clone",
    "dagger",
    "evaluate",
    "gae",
    "record",
]
