"""How the gradient of a recurrent layer is carried along a stream: docs/online.md#the-whole-network."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from ..base import checks
from ..base.from_arguments import Immutable

Feedback: TypeAlias = Literal["symmetric", "random"]


class Method(Immutable):
    """Base of the methods; they have hyperparameters only.

    Attributes
    ----------
    reach : float
        How many synapses before the neurons that are read a neuron may be, to have a gradient at all.
    """

    reach: float = math.inf


class Exact(Method):
    """Real-time recurrent learning: the gradient that backpropagation through all steps since the start would give.

    References
    ----------
    Williams & Zipser, "A learning algorithm for continually running fully recurrent neural networks", 1989.
    """

    def __init__(self) -> None:
        pass


class SnAp(Method):
    """The sensitivities of those neurons alone that a parameter reaches within ``n`` unfolds.

    Parameters
    ----------
    n : int >= 1
        1: those of its own neuron.  From the longest path of the wiring on it is exact.

    References
    ----------
    Menick et al., "Practical real time recurrent learning with a sparse approximation", ICLR 2021.
    """

    n: int

    def __init__(self, n: int = 1) -> None:
        self.n = checks.integer("n", n)
        self.reach = self.n - 1


class EProp(Method):
    """Each neuron's own eligibility, times a signal of learning that comes from the outputs.

    Parameters
    ----------
    feedback : "symmetric" or "random"
        Signals come to the neurons that are read, by the weights that read them; or to all, by random weights.
    seed : int
        Of the random ones.

    References
    ----------
    Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", 2020.
    """

    feedback: Feedback
    seed: int

    def __init__(self, feedback: Feedback = "symmetric", seed: int = 0) -> None:
        self.feedback = checks.one_of("feedback", feedback, ("symmetric", "random"))
        self.seed = checks.integer("seed", seed, 0)
        self.reach = 0 if feedback == "symmetric" else math.inf


class Immediate(Method):
    """What the last step alone says: no sensitivities are carried.

    Of LTC and LRC it is the last stage of the solver, an unfold, of all other layers the whole step.
    """

    reach = 0

    def __init__(self) -> None:
        pass


METHODS: dict[str, type[Method]] = {method.__name__: method for method in (Exact, SnAp, EProp, Immediate)}
