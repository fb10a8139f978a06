"""Irregular series, and questions about them at times of their own: docs/guides/time.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from ..base import checks
from ..base.checks import counted
from ..base.types import Array, Ints
from ..model import Model
from ..recipe import Recipe, auto
from ..train.callbacks import EarlyStopping
from ..train.history import History
from . import conformal, pieces, points, rivals
from .asked import Frame, Steps, frame_of
from .base import DEFAULT, CfCFields, LTCFields, RecipeEstimator, generator
from .pieces import Both
from .points import Points

if TYPE_CHECKING:
    from typing_extensions import Self


COLUMNS = "id", "time", "channel", "value"
PATIENCE = 20
# What "auto" is.  A CfC keeps nothing over dozens of steps, since each step mixes two new candidates; the LSTM beside
# it does, and learns at a lower rate only.
OF_CFC: dict[str, Any] = {"mixed_memory": True, "learning_rate": 0.003, "ensemble": 1}
OF_OTHERS: dict[str, Any] = {"mixed_memory": False, "learning_rate": DEFAULT.learning_rate, "ensemble": 3}
PAST = 4  # times `horizon`, the default of `history` where series are cut
BINS = 4  # of how far ahead a question is, each with errors of its own
FEWEST = 5  # series whose errors say how large those of others are
BEYOND = 1.1  # times how late the training asked at most: a question that is later is told of
NETWORK = "the network"


class _Learned(NamedTuple):
    """Steps, and the answers at them (n,), standardised."""

    steps: Steps
    truth: Array

    @classmethod
    def of(cls, frame: Frame, past: Points, asked: Points) -> _Learned:
        return cls(frame.steps(past, asked), frame.standardised(asked))


class Errors(NamedTuple):
    """Errors of answers to questions that were held out, by channel and by how far ahead they are.

    Attributes
    ----------
    ends : (BINS - 1,) array
        Where the bins of ``lead`` end.
    of : list of lists of arrays
        Sorted absolute errors, standardised, of each channel and bin.
    series : int
        They are errors of so many new series; 0: of later times of those that were learned from.
    """

    ends: Array
    of: list[list[Array]]
    series: int = 0


@dataclass(kw_only=True, eq=False, repr=False)
class IrregularForecaster(LTCFields, CfCFields, RecipeEstimator):
    """Answers about irregular series at any time: "what will channel 2 be at t = 7.3?"

    Series are long tables, a row for each single observation: of which series, when, of which channel, what.  Channels
    have clocks of their own, and nothing is filled in or binned by hand.  A network with one liquid cell reads a series
    step by step, with a step at each time that is observed or asked, and answers by what was observed until then.

    Parameters
    ----------
    columns : tuple of four names
        Of the series, the time, the channel and the value, in tables that have names; a table without the first is one
        series, one without the third has one channel.  Times are numbers, or dates.
    validation_fraction : float in [0, 1)
        Share of the series that is held out at first: it says after how many epochs to stop, and how large errors are,
        for `predict_interval`.  Then the network is trained anew with all.  0: nothing is held out, all epochs are
        trained, and there are no intervals.
    copies : int >= 0
        So many copies of each series are trained beside it, in which less is seen: a part of the observations is
        hidden, and the past ends earlier.  An epoch is of all of them, and ``epochs="auto"`` makes as many steps as
        without.
    horizon : number, or timedelta of dates, optional
        How long after the last observation questions are asked; needed where `fit` gets no questions.
    history : the same, optional
        How long before the last observation of a series others are read.  Default: all; where `fit` gets no questions
        four times ``horizon``.
    cell, units, wiring, ode_unfolds, time_constants, backbone_units, readout_units, dropout
        The network, as for `Recipe`.
    mixed_memory : bool or "auto"
        "auto": of a CfC alone, which else forgets within some steps.
    input_dropout, standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate : float or "auto"
        "auto" is 0.003 of a CfC, and 0.01 of others.
    schedule, weight_decay, clip_norm, epochs, batch_size, n_jobs
        Its training, as for `Recipe` and `LiquidEstimator`.
    ensemble : int or "auto"
        So many networks, whose mean answers; "auto" is 3, and of a CfC 1.  Three LTCs with one unfold cost what one
        with three unfolds does.
    random_state : int, RandomState or None
        Of what is held out, of initial values, of the order of series, and of what is dropped.
    dtype, backend
        As for `Model`.
    verbose : bool, 0, 1 or 2
        As for `fit` of `Model`.

    Attributes
    ----------
    model_ : Model
        The network.  `steps` gives what it reads, so that it can be stepped by hand.
    history_ : History
        Of the training.
    n_iter_ : int
        Epochs of the training.
    channels_ : list
        Names of the channels, in the order of the network's outputs.
    frame_ : Frame
        How points become steps.
    report_ : dict
        ``errors``, mean squared errors, standardised, of the answers to the ``held_out`` questions that were held out,
        by "the network" and by the simplest rivals: the value seen last, the mean of the channel, and a line through
        each series.  ``{}`` where nothing is held out.  `fit` warns where one of them is better than the network.

    Notes
    -----
    At a step the network reads, of each channel, the value observed last, whether it comes now, and the logarithm of
    its age; whether all observations are over, and for how long.  The squared error counts at the steps that are asked
    for alone.  Where times lie far apart there are steps between them, of half the usual distance.  A question about a
    time before the last observation is answered by what was observed until then.  Questions about one series are
    answered in one pass, so that others change an answer a little: they add steps.  Where more is asked than 2.5 times
    as densely as is usual in the training, there are several passes.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.sklearn import IrregularForecaster
    >>> rng = np.random.default_rng(0)
    >>> phase, times = rng.uniform(0, 6, 80), np.sort(rng.uniform(0, 10, (80, 30)))
    >>> table = {
    ...     "id": np.repeat(np.arange(80), 30), "time": times.ravel(), "channel": np.zeros(2400, int),
    ...     "value": np.sin(times + phase[:, None]).ravel(),
    ... }
    >>> late = table["time"] > 7
    >>> past, asked = ({name: column[rows] for name, column in table.items()} for rows in (~late, late))
    >>> forecaster = IrregularForecaster(units=16, epochs=30, random_state=0).fit(past, asked)
    >>> question = {"id": [3], "time": [8.25], "channel": [0]}
    >>> forecaster.predict(past, question).shape, forecaster.predict_interval(past, question).shape
    ((1,), (1, 2))
    >>> bool(forecaster.score(past, asked) > 0.5)
    True
    """

    columns: tuple[str, ...] = COLUMNS
    validation_fraction: float = 0.2
    copies: int = 2
    horizon: Any = None
    history: Any = None
    cell: str = DEFAULT.cell
    ode_unfolds: int = 1
    mixed_memory: bool | str = "auto"  # type: ignore[assignment]
    learning_rate: float | str = "auto"  # type: ignore[assignment]
    ensemble: int | str = "auto"  # type: ignore[assignment]

    def recipe(self) -> Recipe:
        """The `Recipe` of these hyperparameters, with numbers for "auto"."""
        own = {name: getattr(self, name) for name in Recipe.names() if hasattr(self, name)}
        usual = OF_CFC if self.cell == "cfc" else OF_OTHERS
        return Recipe(**own | {name: value for name, value in usual.items() if auto(name, own[name])})

    def fit(self, past: Any, asked: Any = None, *, validation: Any = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        past : frame, dict of columns, or tuple of four arrays
            What is observed before answers are given.
        asked : the same, optional
            The questions of the training, with their answers as values.  Series are known by their names in both.  Left
            out, series are cut at random times, and what comes within ``horizon`` after is asked.
        validation : (past, asked), optional
            Data of your own that say when to stop, and how wide intervals are; then no series is held out, and the
            weights of the best epoch are kept.

        Returns
        -------
        self
        """
        checks.number("validation_fraction", self.validation_fraction, high=1, high_open=True)
        checks.integer("copies", self.copies, 0)
        given = self._read_past(past)
        wanted = None if asked is None else self._read_past(asked, "asked")
        if wanted is not None:
            self._check_series(given, wanted, learning=True)
        held: Both | None = None if validation is None else self._read_validation(validation)
        horizon, history = self._spans(given.dated, wanted is None)
        frame = frame_of(given, given if wanted is None else wanted, history)
        rng = generator(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=2)
        if held is None and self.validation_fraction:
            rest, held = self._apart(given, wanted, horizon, rng)
        else:
            rest = given, wanted
        errors, epochs, report = None, self._epochs(), dict[str, Any]()
        learn = self._learned(*rest, horizon, rng)
        if held is None:
            model, history_ = self._train(frame, learn, seeds, epochs)
        else:
            of_held = _Learned.of(frame, *held)
            model, history_ = self._train(frame, learn, seeds, epochs, of_held)
            answers = _answers(model, of_held.steps)
            errors = _errors(of_held.steps, np.abs(answers - of_held.truth), _new_series(rest[0], held[1]))
            report = _report(frame, rest[0], held, answers)
            epochs = int(np.argmin(history_["val_loss"])) + 1
            if validation is None:
                learn = self._learned(given, wanted, horizon, rng)
                model, history_ = self._train(frame, learn, seeds, epochs)
        self.model_: Model = model
        self.history_: History = history_
        self.n_iter_: int = epochs
        self.frame_: Frame = frame
        self.channels_: list[Any] = list(frame.channels)
        self.report_: dict[str, Any] = report
        self._errors: Errors | None = errors
        self._latest: float = float(np.nanmax([horizon, *points.leads(*learn)]))  # how late questions were asked
        return self

    def _apart(
        self, past: Points, asked: Points | None, horizon: float, rng: np.random.RandomState
    ) -> tuple[tuple[Points, Points | None], Both | None]:
        """What is learned from, and what is held out."""
        share = self.validation_fraction
        if asked is not None:
            return _split(past, asked, share, rng)
        rest, held = pieces.held_out(past, horizon, share, rng)
        self._check_pieces(held)
        return rest, held

    def _learned(self, past: Points, asked: Points | None, horizon: float, rng: np.random.RandomState) -> Both:
        """Series with questions, and copies of them."""
        if asked is None:
            found = pieces.cut(past, horizon, self.copies, rng)
            self._check_pieces(found)
            return found
        return pieces.with_copies(past, asked, self.copies, rng)

    def _check_pieces(self, found: Both) -> None:
        if not len(found[1].time):
            raise ValueError(
                f"`past` must have series in which an observation comes within `horizon`, {self.horizon}, after "
                "another one, got none among those that are learned from or held out: give longer series, or a larger "
                "horizon"
            )

    def _epochs(self) -> int:
        """Of all copies: "auto" makes as many steps with them as without."""
        recipe = self.recipe()
        if isinstance(recipe.epochs, str):
            return -(-recipe.epochs_for(1, every_step=True) // (1 + self.copies))
        return recipe.epochs

    def _spans(self, dated: bool, needed: bool) -> tuple[float, float | None]:
        """``horizon`` and ``history`` in the unit of times; the first is 0 where it is not needed."""
        if needed and self.horizon is None:
            raise ValueError("`horizon` must say how far ahead questions will be where `asked` is left out, got None")
        horizon = None if self.horizon is None else points.span("horizon", self.horizon, dated)
        history = None if self.history is None else points.span("history", self.history, dated)
        if history is None and needed and horizon is not None:
            history = PAST * horizon
        return horizon or 0.0, history

    def _read(self, name: str, table: Any, values: bool) -> Points:
        columns = self.columns
        if not isinstance(columns, (tuple, list)) or len(columns) != 4:
            raise ValueError(f"`columns` must be four names, such as {COLUMNS}, got {checks.brief(columns)}")
        return points.read(name, table, columns, values=values)

    def _read_past(self, table: Any, name: str = "past") -> Points:  # or questions with their answers
        found = self._read(name, table, True)
        points.refuse_twice(name, found)
        return found

    def _read_validation(self, given: Any) -> Both:
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise ValueError(f"`validation` must be (past, asked), got {checks.brief(given)}")
        past, asked = given
        found = self._read_past(past, "validation[0]"), self._read_past(asked, "validation[1]")
        self._check_series(*found, learning=True)
        return found

    def _check_series(self, past: Points, asked: Points, *, learning: bool = False) -> None:
        """Both name series alike; questions about what has no past are told of."""
        points.refuse_unlike(past, asked, self.columns)
        early = int((points.leads(past, asked, first=True) < 0).sum())
        if 2 * early > len(asked.time):
            checks.warn(
                f"ltc_np: {early} of {counted(len(asked.time), 'question')} come before the first observation of "
                "their series, and nothing that is observed later is used: are `past` and `asked` exchanged?"
            )
        missing = points.missing_in(past, asked)
        if not missing:
            return
        count, known = len(set(asked.series)), past.series[0]
        words = (
            f"{len(missing)} of the {count} series that are asked about have no row in `past`, such as {missing[0]!r}; "
            f"there are series such as {known!r}, and names must be equal, also in their type"
        )
        if learning and len(missing) == count:
            raise ValueError(f"`asked` must be about series of `past`: {words}")
        checks.warn(f"ltc_np: {words}: what is said about them is only what is usual")

    def _train(
        self, frame: Frame, learn: Both, seeds: Ints, epochs: int, held: _Learned | None = None
    ) -> tuple[Model, History]:
        """A network that has learned answers; with ``held`` that of the epoch which is best for them."""
        recipe, (steps, truth) = self.recipe(), _Learned.of(frame, *learn)
        model = recipe.model(
            frame.features, len(frame.channels), steps=float(np.mean([len(dt) for dt in steps.dt])),
            duration=float(np.mean([dt.sum() for dt in steps.dt])), every_step=True, numbers=True, seed=int(seeds[0]),
            dtype=self.dtype, backend=self.backend,
        )  # fmt: skip
        settings: dict[str, Any] = {
            "loss": "mse", "missing": "ignore", "seed": int(seeds[1]), "verbose": self.verbose,
        }  # fmt: skip
        if held is not None:
            own, y = held
            settings |= {
                "validation": {"x": own.x, "y": own.targets(y), "dt": _times(model, own)},
                "callbacks": [EarlyStopping(-(-PATIENCE // (1 + self.copies)))],
            }
        history = recipe.fit(
            model,
            steps.x,
            steps.targets(truth),
            dt=_times(model, steps),
            sequences=len(steps.x),
            each=self._each,
            epochs=epochs,
            **settings,
        )
        return model, history

    # -------------------------------------------------------------------------------------------------- answers

    def steps(self, past: Any, asked: Any) -> Steps:
        """What the network reads to answer, and at which steps the answers stand: see `ltc_np.sklearn.asked.Steps`."""
        check_is_fitted(self)
        return self._steps(self._read_past(past), self._read("asked", asked, False))

    def _steps(self, past: Points, asked: Points) -> Steps:
        self._check_series(past, asked)
        found = self.frame_.steps(past, asked, share_out=True)
        late = points.leads(past, asked)
        beyond = late > BEYOND * self._latest
        if beyond.any():
            said, learned = (points.told(own, asked.dated) for own in (late[beyond].max(), self._latest))
            checks.warn(
                f"ltc_np: {int(beyond.sum())} of {counted(len(late), 'question')} come later after the last "
                f"observation of their series, by up to {said}, than any of the training, {learned}: nobody knows how "
                "large errors are there, and intervals are too narrow; give questions so late as `asked` of fit, or "
                "a larger `horizon`"
            )
        return found

    def predict(self, past: Any, asked: Any) -> Array:
        """The answers, (n,) in the order of the questions.

        Parameters
        ----------
        past : frame, dict of columns, or tuple of four arrays
            What is observed; of each series all of it, since the network remembers nothing of `fit`.
        asked : frame, dict of columns, or tuple of three arrays
            Series, time and channel of each question; a column of values is not read.
        """
        steps = self.steps(past, asked)
        return self.frame_.unscaled(_answers(self.model_, steps), steps.channel)

    def predict_interval(self, past: Any, asked: Any, coverage: float = 0.9) -> Array:
        """Intervals (n, 2) that hold a share ``coverage`` of the true values.

        Their half widths are errors of the series that were held out, of the same channel and about as far ahead: split
        conformal prediction, which holds for series like these (docs/forecasting.md has the proof).
        """
        checks.number("coverage", coverage, low_open=True, high=1, high_open=True)
        steps = self.steps(past, asked)
        if self._errors is None:
            raise ValueError(
                "`predict_interval` needs errors of series that were held out, and nothing was: fit with a larger "
                f"`validation_fraction`, got {self.validation_fraction}, with more series, or with `validation`"
            )
        found = _answers(self.model_, steps)
        half = _half_widths(self._errors, steps, coverage)
        ends = [self.frame_.unscaled(found + sign * half, steps.channel) for sign in (-1, 1)]
        return np.stack(ends, axis=1)

    def score(self, past: Any, asked: Any) -> float:
        """The coefficient of determination R² of all answers, each standardised as its channel was in the training.

        Parameters
        ----------
        past, asked
            As for `fit`.
        """
        check_is_fitted(self)
        wanted = self._read("asked", asked, True)
        steps = self._steps(self._read_past(past), wanted)
        return float(r2_score(self.frame_.standardised(wanted), _answers(self.model_, steps)))


def _split(past: Points, asked: Points, share: float, rng: np.random.RandomState) -> tuple[Both, Both | None]:
    """All but a share of the series that are asked about, and that share."""
    names = list(dict.fromkeys(asked.series))
    count = round(share * len(names))
    if not count:
        return (past, asked), None
    chosen = {names[k] for k in rng.permutation(len(names))[:count]}
    parts = []
    for within in (False, True):
        rows = [np.array([(name in chosen) == within for name in each.series], bool) for each in (past, asked)]
        parts.append((past.some(rows[0]), asked.some(rows[1])))
    return parts[0], parts[1]


def _answers(model: Model, steps: Steps) -> Array:
    """(n,) standardised answers."""
    found: Any = model.predict(steps.x, dt=_times(model, steps))
    ends = np.cumsum([0, *(len(dt) for dt in steps.dt)])
    return np.concatenate(found).astype(np.float64)[ends[steps.sequence] + steps.step, steps.channel]


def _times(model: Model, steps: Steps) -> list[Array] | None:
    """Elapsed times, of a network that knows them; others have the ages of observations alone."""
    return steps.dt if model.takes_dt else None


def _new_series(known: Points, asked: Points) -> int:
    """So many series with questions are not among those that were learned from."""
    own, learned = (dict.fromkeys(pieces.original(name) for name in each.series) for each in (asked, known))
    return sum(name not in learned for name in own)


def _report(frame: Frame, known: Points, held: Both, answers: Array) -> dict[str, Any]:
    """Errors of the network and of the simplest answers; a warning where one of these is better."""
    past, asked = held
    truth = frame.standardised(asked)
    found = {NETWORK: answers - truth} | {
        who: frame.standardised(asked._replace(value=own)) - truth
        for who, own in rivals.answers(known, past, asked).items()
    }
    squared = {who: float((own**2).mean()) for who, own in found.items()}
    best = rivals.better(found, [pieces.original(name) for name in asked.series], NETWORK)
    if best is not None:
        checks.warn(
            f"ltc_np: to {counted(len(truth), 'question')} that were held out `{best}` gives better answers, with a "
            f"squared error of {squared[best]:.3g}, than {NETWORK}, with {squared[NETWORK]:.3g} (`report_`): give more "
            "series or epochs, or take the best answers, by `python -m ltc_np forecast --irregular`"
        )
    return {"held_out": len(truth), "errors": squared}


def _errors(steps: Steps, error: Array, series: int) -> Errors:
    ends = np.quantile(steps.lead, np.arange(1, BINS) / BINS)
    of_bin, channels = np.searchsorted(ends, steps.lead), 1 + int(steps.channel.max())
    of = [[np.sort(error[(steps.channel == c) & (of_bin == k)]) for k in range(BINS)] for c in range(channels)]
    return Errors(ends, of, series)


def _half_widths(errors: Errors, steps: Steps, coverage: float) -> Array:
    """(n,) half widths of intervals; where a bin has too few errors those of the whole channel, or of all."""
    level, found = (1 - coverage) / 2, np.empty(len(steps.channel))
    everything = np.sort(np.concatenate([one for channel in errors.of for one in channel]))
    of_bin, few = np.searchsorted(errors.ends, steps.lead), False
    for c in np.unique(steps.channel):
        channel = errors.of[c] if c < len(errors.of) else []
        for k in range(BINS):
            rows = (steps.channel == c) & (of_bin == k)
            if not rows.any():
                continue
            choices = [*(channel[k : k + 1]), np.sort(np.concatenate(channel)) if channel else everything, everything]
            own = next((one for one in choices if len(one) >= conformal.needed(level)), everything)
            rank = int(conformal.ranks(level, np.array(len(own))))
            few |= rank > len(own)
            found[rows] = own[min(rank, len(own)) - 1]
    if few:
        checks.warn(
            f"ltc_np: intervals for {coverage:.0%} need {conformal.needed(level)} errors of series that were held out, "
            f"but there are {len(everything)}: they may hold less than they should; give more series, or a larger "
            "`validation_fraction`"
        )
    if 0 < errors.series < FEWEST:
        checks.warn(
            f"ltc_np: intervals come from errors of {errors.series} series that were held out: those of others may be "
            f"larger; give {FEWEST} at least, by a larger `validation_fraction` or more series"
        )
    return found
