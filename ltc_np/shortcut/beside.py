"""A network and a line, mixed by sequences that neither has seen.

Where no line is good, the mean of the targets is the line: a network that has learned nothing is then drawn towards it.
The network learns the targets as it would alone.  The answer is share times the network's and 1 - share times the
line's, of classes in logits.  The share is the one that errs least on sequences which were held out.  Few of them do
not tell it well, so it is drawn to another rule, as if `USUAL` more had been best answered by that: both in inverse
proportion to their errors, as is best of errors that have nothing to do with each other (Bates and Granger, "The
Combination of Forecasts", Operational Research Quarterly 20, 1969), that of the line from all sequences, each left
out in turn.  Then the line is fitted again, to all sequences, and the network is trained on all for a while.
docs/decisions/recipe.md says why it does not learn what the line leaves, and how this rule compares with others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .. import losses
from ..base import checks
from ..base.layout import part
from ..base.types import Array, Bools, Numbers, ShortcutReads
from ..data.padding import pad
from ..ensemble import join, members
from ..layers import Standardize
from ..losses import read_class_weight
from ..losses.probabilities import softmax
from ..model import Model
from ..recipe import Recipe
from ..train.history import History
from ..train.loop.interrupt import BY_SIGNAL
from . import lines
from .lines import Sequences
from .mixture import mixed

LOSSES = "mse", "cross_entropy"
FEWEST = 5  # sequences of which some can be held out
ENOUGH = 10  # sequences to choose a share by, where these are no more than a quarter
STEEPEST = 1000.0  # what makes logits of answers near 0 and 1
USEFUL = 0.9  # share of the constant's error that a line may leave to be taken by "auto"
LEAST = 0.1  # of a share: less is nothing
USUAL = 20  # sequences that say the usual share
SURE = 2.0  # standard errors by which a network must be better than the mean to have all of its best share
# How the network learns what was held out: in so many of its epochs, and from such a part of its rate.
ADDED_EPOCHS, ADDED_RATE = 0.5, 0.5


class Data(NamedTuple):
    """Sequences with targets, as for `fit` of a model; those of classes are their numbers."""

    x: Array
    y: Numbers
    dt: Array | None = None
    lengths: Numbers | None = None
    sample_weight: Array | None = None

    @classmethod
    def of_lists(cls, x: Any, y: Any, dt: Any, *, every_step: bool, classes: int) -> Data:
        """Of sequences in lists; y, at every step a list too, has NaN where a target is missing."""
        padded, lengths = pad(x, name="x")
        y = np.asarray(pad(y, np.nan, name="y")[0] if every_step else y, np.float64)
        times = None if dt is None else pad(dt, name="dt")[0]
        if classes:
            known = np.isfinite(y)
            return cls(padded, np.where(known, y, 0).astype(np.intp), times, lengths, known.astype(np.float64))
        y = y if y.ndim == 2 + every_step else y[..., None]
        return cls(padded, y, times, lengths)

    def sequences(self, model: Model) -> Sequences:
        """What a line beside ``model`` reads: standardised inputs, 0 behind the ends; and what 0 is in that scale."""
        B, T, _ = self.x.shape
        lengths = np.full(B, T) if self.lengths is None else np.asarray(self.lengths)
        x = np.where(checks.before_end(lengths, T)[:, :, None], self.x, 0)
        rest: Array = np.zeros((1, 1, x.shape[2]))
        model = members(model)[0]  # all of an ensemble have the same scale
        if isinstance(model.layers[0], Standardize):
            first = Model(model.layers[0], dtype="float64", backend=model.backend)
            for name, values in part(dict(model.buffers), model.layer_stack.prefixes[0]).items():
                first.buffers[name] = values
            x, rest = first.predict(x, lengths=lengths), first.predict(rest)
        return Sequences(x, lengths, rest[0, 0])

    def weights(self, every_step: bool) -> Array:
        """(B,), or (B, T) with targets at every step: 0 behind the ends."""
        B, T, _ = self.x.shape
        found = np.ones(B) if self.sample_weight is None else np.asarray(self.sample_weight, np.float64)
        if not every_step:
            return found
        found = np.broadcast_to(found if found.ndim == 2 else found[:, None], (B, T))
        return found if self.lengths is None else found * checks.before_end(np.asarray(self.lengths), T)

    def known(self, every_step: bool) -> Bools:
        """(B,): which sequences say how good a line is, by a target of which no output is missing."""
        counts: Bools = np.isfinite(self.y)
        if counts.ndim > 1 + every_step:
            counts = np.asarray(counts.all(-1))
        counts = counts & (self.weights(every_step) > 0)
        return np.asarray(counts.any(1)) if every_step else counts

    def part(self, rows: Any) -> Data:
        """Some of the sequences, by their numbers."""
        return self._replace(**{name: own[rows] for name, own in self._asdict().items() if own is not None})


class Beside(NamedTuple):
    """A network that is mixed with a line.

    Attributes
    ----------
    model : Model
        Without a line if the share of the network is 1.
    history : History
        Of the network's training, with the seconds of what it learned of the held sequences, and with what stopped
        either.
    report : dict
        ``reads`` and ``penalty`` of the line; ``line``, ``network`` and ``both``: the losses of each alone and of the
        mixture on the ``held_out`` sequences (their number), of classes with the logits that are mixed; ``training``:
        the network's in the last epoch before it learns what was held out; ``share``: that of the network.
    """

    model: Model
    history: History
    report: dict[str, Any]


def choose(recipe: Recipe, model: Model, data: Data, classes: int) -> ShortcutReads | None:
    """What a line beside ``model`` reads (`Line`), or "convolutions"; "nothing", which "auto" is where no line is much
    better: it is the mean; None: there is no line, since there are too few sequences.

    Parameters
    ----------
    recipe : Recipe
    model : Model
        Untrained; its first layer takes the scale of the inputs.
    data : Data
    classes : int
        0 for numbers.
    """
    shortcut, every_step = recipe.shortcut, model.return_sequences
    if shortcut == "convolutions" and every_step:
        raise ValueError("`shortcut` must be None, 'auto' or 'ridge' with targets at every step, got 'convolutions'")
    known = int(data.known(every_step).sum())
    if known < FEWEST:
        if shortcut != "auto":
            what = "sequences" if known == len(data.x) else "sequences with targets of which no output is missing"
            raise ValueError(f"`X` must have at least {FEWEST} {what} for shortcut={shortcut!r}, got {known}")
        return None
    model = members(model)[0]
    _adapt(model, data, classes)
    y, weight = _numbers(data.y, classes), data.sample_weight
    found = lines.choose(data.sequences(model), y, weight, every_step, shortcut)
    useful = shortcut != "auto" or found.error < USEFUL * found.constant
    return found.reads if useful else "nothing"


def fit(
    recipe: Recipe, model: Model, reads: ShortcutReads, data: Data, held: Data, classes: int, *,
    whole: Data | None = None, class_weight: Any = None, **settings: Any,
) -> Beside:  # fmt: skip
    """Train ``model``, an untrained one of ``recipe``, and mix its answers with those of a line.

    Parameters
    ----------
    recipe : Recipe
    model : Model
    reads : int, "summaries", "convolutions" or "nothing"
        Of the line, from `choose`.
    data, held : Data
        For learning, and for choosing the share of the network.
    classes : int
        0 for numbers.
    whole : Data, optional
        All sequences: in the end the line is fitted to them, and the network learns them in half of its epochs and with
        half of its rate, unless those held out are the ``validation`` that chooses its weights.  Default: ``data``, and
        the network learns no more.
    class_weight
        As for `fit` of a model.
    **settings
        Of `fit` of the model.
    """
    plain, every_step = replace(recipe, shortcut=None), model.return_sequences
    settings |= {} if class_weight is None else {"class_weight": class_weight}
    history = plain.fit(model, sequences=len(data.x), **data._asdict(), **settings)
    found = np.asarray(model.predict(held.x, dt=held.dt, lengths=held.lengths), np.float64)
    if class_weight is not None:
        mask, dtype = data.weights(every_step), np.dtype(np.float64)
        of_classes = read_class_weight(losses.cross_entropy, class_weight, classes, dtype, data.y, mask)
        data, held = (_weighed(own, of_classes) for own in (data, held))
        whole = None if whole is None else _weighed(whole, of_classes)
    line = lines.fit(data.sequences(model), _numbers(data.y, classes), data.sample_weight, every_step, reads)
    scale, calm = _scale(line.left_out, data, classes), min(1.0, _scale(found, held, classes))
    judge = Judge(held, scale * line.predict(held.sequences(model), every_step), calm * found, classes)
    errors = [
        Judge(known, np.zeros_like(said), said, classes, _doubt(known, every_step)).loss(1.0)
        for known, said in ((data, scale * line.left_out), (held, judge.found))
    ]
    judged = bool(held.known(every_step).any())  # by targets of all outputs, of classes that weigh something
    share = errors[0] / sum(errors) if any(errors) else 0.5
    best = judge.share_beside_mean() if reads == "nothing" else judge.share(share)
    share = best if judged else 0.5
    share = round(share) if abs(share - round(share)) < LEAST else share
    refit, whole = whole is not None, data if whole is None else whole
    if refit and share > 0 and "validation" not in settings and not history.stopped.startswith(BY_SIGNAL):
        epochs = math.ceil(ADDED_EPOCHS * len(history.epoch))
        added = replace(plain, epochs=epochs, learning_rate=ADDED_RATE * plain.learning_rate)
        more = settings | {"epochs": range(len(history.epoch), len(history.epoch) + epochs), "standardize": False}
        more.pop("class_weight", None)  # the data have these weights already
        again = added.fit(model, sequences=len(whole.x), **whole._asdict(), **more)
        history.seconds += again.seconds
        history.stopped = again.stopped if again.stopped.startswith(BY_SIGNAL) else history.stopped
    line = lines.fit(whole.sequences(model), _numbers(whole.y, classes), whole.sample_weight, every_step, reads)
    training = (history.get("loss") or [math.nan])[-1]
    report = {
        "reads": reads, "penalty": line.ridge.penalty.tolist(), "held_out": len(held.x), "line": judge.loss(0.0),
        "network": judge.loss(1.0), "training": training * (1 if classes else found.shape[-1]),
        "both": judge.loss(share), "share": float(share),
    }  # fmt: skip
    if share < 1:
        scale = (1 - share) * _scale(line.left_out, whole, classes)
        parts = [mixed(network, line, scale, calm * share) for network in members(model)]
        notes = model.notes
        model = parts[0] if len(parts) == 1 else join(parts, "classes" if classes else "numbers")
        model.notes = notes
    return Beside(model, history, report)


def least(slope: Callable[[float], float], high: float) -> float:
    """Where a convex function with this derivative is least between 0 and ``high``."""
    low = 0.0
    if slope(high) <= 0:
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return low


class Judge(NamedTuple):
    """The loss of ``(1 - share) said + share found`` on sequences; of classes these are logits.

    ``doubt`` is the share of the targets that belongs to all classes alike.
    """

    data: Data
    said: Array
    found: Array
    classes: int
    doubt: float = 0.0

    def _rows(self, share: float) -> tuple[Array, Array, Array, Array]:
        """Of rows that count: weights that add up to 1, losses, derivatives by the answers, and ``found - said``."""
        said, found = (values.reshape(-1, values.shape[-1]) for values in (self.said, self.found))
        y, answers = _numbers(self.data.y, self.classes).reshape(said.shape), said + share * (found - said)
        weight, known = self.data.weights(self.said.ndim == 3).ravel(), self._known()
        y, answers, weight = y[known], answers[known], weight[known] / weight[known].sum()
        if not self.classes:
            return weight, ((answers - y) ** 2).sum(1), 2 * (answers - y), (found - said)[known]
        y = (1 - self.doubt) * y + self.doubt / self.classes
        answers = answers - answers.max(1, keepdims=True)
        p, norm = softmax(answers.copy())
        return weight, np.log(norm[:, 0]) - (answers * y).sum(1), p - y, (found - said)[known]

    def loss(self, share: float) -> float:
        """Mean squared error summed over outputs, or cross-entropy."""
        weight, loss, _, _ = self._rows(share)
        return float(weight @ loss)

    def share(self, usual: float) -> float:
        """The share that errs least, if ``USUAL`` sequences more are answered best by the ``usual`` one.

        They are as sharp about it as those that there are: the second derivative of their loss is the same.
        """
        slope, known = self._doubtful().slope, int(self.data.known(self.said.ndim == 3).sum())
        pull = (slope(1.0) - slope(0.0)) * USUAL / max(known, 1)
        return least(lambda share: slope(share) + pull * (share - usual), 1.0)

    def share_beside_mean(self) -> float:
        """The share that errs least, or the less of it the less surely it is better than none: from two standard errors
        all of it."""
        best = self._best()
        return best * min(1.0, self._standard_errors(best, 0.0) / SURE)

    def _best(self) -> float:
        return least(self._doubtful().slope, 1.0)

    def _doubtful(self) -> Judge:
        return self._replace(doubt=_doubt(self.data, self.said.ndim == 3))

    def _standard_errors(self, best: float, other: float) -> float:
        """By so many standard errors over the sequences one share is better than the other."""
        more = self._of_sequences(other) - self._of_sequences(best)
        gain, error = float(more.mean()), float(more.std(ddof=1)) / len(more) ** 0.5 if len(more) > 1 else np.inf
        return gain / error if error > 0 else np.inf if gain > 0 else 0.0

    def _of_sequences(self, share: float) -> Array:
        """Of each of the B sequences its part of the loss, times B."""
        B = len(self.said)
        weight, loss, _, _ = self._rows(share)
        of = np.repeat(np.arange(B), self._known().size // B)[self._known()]
        return B * np.bincount(of, weight * loss, B).astype(np.float64)

    def _known(self) -> Bools:
        """Which rows of all sequences count."""
        weight, y = self.data.weights(self.said.ndim == 3).ravel(), _numbers(self.data.y, self.classes)
        known: Bools = (weight > 0) & np.isfinite(y.reshape(-1, self.said.shape[-1])).all(1)
        return known

    def slope(self, share: float) -> float:
        """Its derivative by ``share``."""
        weight, _, d, apart = self._rows(share)
        return float(weight @ (d * apart).sum(1))


def _adapt(model: Model, data: Data, classes: int) -> None:
    """Let the layers that standardise take the scale of data."""
    if isinstance(model.layers[0], Standardize):
        model.adapt(data.x, None if classes else data.y, lengths=data.lengths)


def _numbers(y: Numbers, classes: int) -> Array:
    """Targets of a line: numbers as they are, of classes 1 for the own and 0 for the others."""
    return np.eye(classes)[y] if classes else np.asarray(y, np.float64)


def _weighed(data: Data, of_classes: Any) -> Data:
    """Data whose weights have those of their classes as factors."""
    return data._replace(sample_weight=data.weights(np.ndim(data.y) == 2) * of_classes[data.y])


def _scale(said: Array, data: Data, classes: int) -> float:
    """What makes logits of answers that are certain enough: with it the cross-entropy is least; 1 for numbers."""
    if not classes:
        return 1.0
    doubt = _doubt(data, said.ndim == 3)
    return least(Judge(data, np.zeros_like(said), said, classes, doubt).slope, STEEPEST)


def _doubt(data: Data, every_step: bool) -> float:
    """Of one answer more, which says nothing (Laplace's rule): a few that are all right prove no certainty."""
    return 1 / (1 + int((data.weights(every_step) > 0).sum()))
