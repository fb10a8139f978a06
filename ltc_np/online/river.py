"""A learner in the pipelines of River, or of whatever else calls `learn_one` and `predict_one` (docs/online.md).

Without River the classes are the same, derived from nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.types import Array
from ..cells import LTC
from ..layers import Dense
from ..losses import has_classes, name_of, probabilities
from ..model import Model
from ..optim import SGD
from ..wirings import AutoNCP
from .beside import Asked, Beside
from .learner import Learner
from .lms import NLMS

if TYPE_CHECKING:

    class BaseRegressor: ...

    class BaseClassifier: ...

else:
    try:
        from river.base import Classifier as BaseClassifier
        from river.base import Regressor as BaseRegressor
    except ImportError:
        BaseClassifier = BaseRegressor = object

__all__ = ["RiverClassifier", "RiverRegressor"]


class Observations:
    """A learner that is given observations as mappings from the names of features to numbers."""

    learner: Learner
    features: Sequence[Hashable]
    dt: Hashable | None
    learning: Learner

    def __init__(self, learner: Learner, features: Sequence[Hashable], dt: Hashable | None) -> None:
        if not isinstance(learner, Learner):
            raise TypeError(f"`learner` must be a Learner, got {checks.brief(learner)}")
        if learner.streams is not None:
            raise ValueError(f"`learner` must be of one stream, streams=None, got {learner.streams} streams")
        if isinstance(features, str) or len(set(features)) != len(features):
            raise ValueError(f"`features` must be a list of different names, got {checks.brief(features)}")
        if len(features) != learner.input_size:
            raise ValueError(
                f"`features` must name the {learner.input_size} inputs of the model in their order, got {len(features)}"
            )
        if dt in features:
            raise ValueError(f"`dt` must be no feature, got {dt!r}")
        # River makes others of the same arguments, so they stay as they are.
        self.learner, self.features, self.dt = learner, features, dt
        self.learning = copy.deepcopy(learner)
        self._seen: list[Any]
        # Observations of the answers kept, and what was noted of them; None: learnt from.
        self._waiting: list[tuple[Mapping[Hashable, Any], Asked | None] | None]
        self.reset()

    def reset(self) -> None:
        """Begin a new sequence; what is learnt stays."""
        self.learning.reset()
        self._seen, self._waiting = [0.0] * len(self.features), []

    def _inputs(self, x: Mapping[Hashable, Any]) -> tuple[list[float], Any]:
        """Numbers in the order of the model, and the elapsed time."""
        found = [x.get(name) for name in self.features]
        dt = None if self.dt is None else x.get(self.dt)
        if self.dt is not None and dt is None:
            raise ValueError(f"`x` must have the elapsed time {self.dt!r}, got {', '.join(map(repr, x))}")
        return [before if now is None else now for now, before in zip(found, self._seen, strict=True)], dt

    def _note(self, inputs: list[float], dt: Any, y: Array) -> Asked | None:
        """What is kept of an answer of the network until its target comes."""

    def _move(self, x: Mapping[Hashable, Any]) -> tuple[Array, Asked | None]:
        """The answer to the next observation, at which the state goes on, and what is noted of it."""
        inputs, dt = self._inputs(x)
        y = self.learning.predict(inputs, dt=dt)
        self._seen, noted = inputs, self._note(inputs, dt, y)
        self._waiting = [*self._waiting, (dict(x), noted)][-1 - self.learning.delay :]
        return y, noted

    def _answer(self, x: Mapping[Hashable, Any]) -> tuple[Array, Asked | None]:
        if self.learning.delay:
            return self._move(x)
        inputs, dt = self._inputs(x)
        y = self.learning.peek(inputs, dt=dt)
        return y, self._note(inputs, dt, y)

    def _learn(self, x: Mapping[Hashable, Any], target: Any, weight: float) -> Asked | None:
        """Of the answer to this observation; else, as where a scaler has learnt meanwhile, of the oldest that waits.
        What was noted of it."""
        if not self.learning.delay or all(one is None for one in self._waiting):
            self._move(x)
        kept = {k: one for k, one in enumerate(self._waiting) if one is not None}
        k = next((k for k, (seen, _) in kept.items() if seen == x), min(kept))
        self.learning.learn(target, ago=len(self._waiting) - 1 - k, weight=weight)
        self._waiting[k] = None
        return kept[k][1]


class RiverRegressor(Observations, BaseRegressor):
    """A `Learner` as a regressor of River.

    Parameters
    ----------
    learner : Learner
        Of one stream and one output.  It is copied, and stays as it is.
    features : list of names
        The keys of the model's inputs, in their order.  A feature that is missing, or None, keeps the value that it had
        in the observation before, at first 0; others are not read.
    dt : name, optional
        The key of the time since the observation before.  Default: it is 1.
    line : bool
        Whether three simple answers stand beside the network's: the last target, a line of the inputs and the last
        target, and a line that reads the network's answer, too.  The one whose faded squared error is least answers
        (docs/online.md#in-river).  False: the network alone.

    Attributes
    ----------
    learning : Learner
        The copy that learns; `learning.network()` is the model that it has become.
    beside : Beside or None
        With ``line``: ``beside.answering`` is the name of what answers, ``beside.errors`` has the error of each.

    Notes
    -----
    The network moves on by one step with each call of `learn_one`, and `predict_one` changes nothing.  For an
    observation that has no target, call ``learn_one(x, None)``.

    Targets that come later than the next observation need a learner with a `delay`, at least that of
    ``progressive_val_score(delay=...)``.  Then the network moves on with each call of `predict_one`, and `learn_one`
    learns from the answer that was given to these features.  If there is none, since a scaler before it has learnt
    meanwhile, it is the oldest one that still waits for its target.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> from ltc_np.online import NLMS, Learner
    >>> from ltc_np.online.river import RiverRegressor
    >>> model = Model(LTC(AutoNCP(12, 4)), Dense(1), input_dim=1, seed=0)
    >>> regressor = RiverRegressor(Learner(model, NLMS(0.5)), features=["level"])
    >>> for t in range(300):
    ...     x, y = {"level": np.sin(0.1 * t)}, np.sin(0.1 * (t + 1))
    ...     answer = regressor.predict_one(x)
    ...     regressor.learn_one(x, y)
    >>> bool(abs(answer - y) < 0.05)
    True
    """

    line: bool
    beside: Beside | None

    def __init__(
        self, learner: Learner, features: Sequence[Hashable], dt: Hashable | None = None, line: bool = True
    ) -> None:
        self.line, self.beside = checks.boolean("line", line), None
        super().__init__(learner, features, dt)
        if has_classes(learner.loss):
            raise ValueError("`learner` must learn numbers, got one with a loss of classes: take RiverClassifier")
        if learner.output_size != 1:
            raise ValueError(f"`learner` must be of a model with one output, got {learner.output_size}")
        if line:
            self.beside = Beside(len(features) + (dt is not None))

    def reset(self) -> None:
        super().reset()
        if self.beside is not None:
            self.beside.reset()

    def _note(self, inputs: list[float], dt: Any, y: Array) -> Asked | None:
        if self.beside is None:
            return None
        return self.beside.ask(np.array(inputs if dt is None else [*inputs, dt], float), float(y[0]))

    def predict_one(self, x: Mapping[Hashable, Any]) -> float:
        """The answer to one observation."""
        y, asked = self._answer(x)
        return float(y[0]) if asked is None else asked.answer

    def learn_one(self, x: Mapping[Hashable, Any], y: float | None, w: float = 1.0) -> None:
        """Learn from the target of an observation, None where there is none; w is its weight."""
        asked = self._learn(x, np.array([np.nan if y is None else y], float), w)
        if self.beside is not None and asked is not None and y is not None and w > 0:
            self.beside.learn(asked, float(y), float(w))

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        """Arguments for River's own checks, whose stream these are the features of."""
        features = ["ordinal_date", "gallup", "ipsos", "morning_consult", "rasmussen", "you_gov"]
        model = Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=len(features), seed=0)
        yield {"learner": Learner(model, NLMS()), "features": features}


class RiverClassifier(Observations, BaseClassifier):
    """A `Learner` as a classifier of River.

    Parameters
    ----------
    learner : Learner
        Of one stream, with ``loss="cross_entropy"`` and an output for each class.  It is copied, and stays as it is.
    features, dt
        As for `RiverRegressor`.
    classes : list of labels
        Of the model's outputs, in their order.  Default: False and True.

    Attributes
    ----------
    learning : Learner
        The copy that learns.
    """

    def __init__(
        self,
        learner: Learner,
        features: Sequence[Hashable],
        dt: Hashable | None = None,
        classes: Sequence[Hashable] = (False, True),
    ) -> None:
        super().__init__(learner, features, dt)
        if name_of(learner.loss) != "cross_entropy":
            raise ValueError('`learner` must have loss="cross_entropy", got one that learns numbers')
        if len(set(classes)) != len(classes) or len(classes) != learner.output_size:
            raise ValueError(
                f"`classes` must be {learner.output_size} different labels, one for each output, got {list(classes)}"
            )
        self.classes = classes

    @property
    def _multiclass(self) -> bool:
        return len(self.classes) > 2

    def predict_proba_one(self, x: Mapping[Hashable, Any]) -> dict[Hashable, float]:
        """The probability of each class for one observation."""
        p = probabilities(self._answer(x)[0][None].astype(float))[0]
        return dict(zip(self.classes, p.tolist(), strict=True))

    def predict_one(self, x: Mapping[Hashable, Any]) -> Hashable:
        """The most probable class."""
        p = self.predict_proba_one(x)
        return max(p, key=p.__getitem__)

    def learn_one(self, x: Mapping[Hashable, Any], y: Hashable | None, w: float = 1.0) -> None:
        """Learn from the label of an observation, None where there is none; w is its weight."""
        if y is not None and y not in self.classes:
            raise ValueError(f"`y` must be one of the classes {list(self.classes)}, got {y!r}")
        self._learn(x, np.nan if y is None else list(self.classes).index(y), w)

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        """Arguments for River's own checks, whose stream these are the features of."""
        features = [
            "age_of_domain", "anchor_from_other_domain", "empty_server_form_handler", "https", "ip_in_url",
            "is_popular", "long_url", "popup_window", "request_from_other_domain",
        ]  # fmt: skip
        model = Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=len(features), seed=0)
        yield {"learner": Learner(model, SGD(0.01), loss="cross_entropy"), "features": features}
