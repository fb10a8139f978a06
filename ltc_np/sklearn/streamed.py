"""Learning from sequences one after the other, each target once: by a learner of `ltc_np.online`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base.types import Array
from ..model import Model
from ..online import Learner, Rule
from ..optim import Optimizer
from .inputs import Inputs
from .targets import Targets


class Streamed(NamedTuple):
    """A learner, the rule or optimiser that it was asked to learn by, and the model that it has become."""

    learner: Learner
    rule: Rule | Optimizer
    model: Model


def learn(
    learner: Learner, data: Inputs, wanted: Targets, weight: Array | None, of_classes: Mapping[int, float] | None
) -> None:
    """Let a learner read each sequence from the start, and learn from the targets of its steps, or of its last one.

    Targets that are classes have their class's factor of ``of_classes``, which is 1 where there is none.
    """
    for b, T in enumerate(data.own_lengths):
        learner.reset()
        for t in range(T):
            learner.predict(np.asarray(data.x[b, t], float), dt=None if data.dt is None else data.dt[b, t])
            if wanted.every_step or t == T - 1:
                at: Any = (b, t) if wanted.every_step else (b,)
                counts = 1.0 if weight is None else weight[at[: weight.ndim]]
                if of_classes is not None:
                    counts = counts * of_classes.get(int(wanted.values[at]), 1.0)
                learner.learn(wanted.values[at], weight=counts)
