"""Forecasts of a table: how good they were on its last part, beside baselines, and what comes after its end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.types import Array, Ints
from ..recipe import Recipe
from ..sklearn import LiquidForecaster, curves, differencing
from ..sklearn.forecaster import LEVELS
from ..sklearn.framing import frame_of, naive_steps
from ..sklearn.series import read as read_series
from . import calendar, options, used
from .used import LINE, MEAN, MIXED, NOW, SEASON, Used

if TYPE_CHECKING:
    import argparse

    from .continued import Series

DIGITS = 9  # that a float32 has, in which the network computes


class Judged(NamedTuple):
    """Forecasts of the last part of a table.

    Attributes
    ----------
    difference : int or None
        What the network reads; see `LiquidForecaster`.
    rows : (n,) int array
        The last row that was known to each of the n forecasts.
    actual : (n, H, F) array
    ends : (n, H, F, 2) array
        Of the network's intervals.
    guesses : list of dict
        For each target name -> (n, H) forecasts, the network's first.
    seasons : list of int
        Of each target; 0 for none.
    """

    difference: int | None
    rows: Ints
    actual: Array
    ends: Array
    guesses: list[dict[str, Array]]
    seasons: list[int]

    def errors(self, k: int) -> dict[str, Array]:
        """Mean absolute errors (H,) of each guess of a target."""
        return {who: np.nanmean(np.abs(guess - self.actual[..., k]), axis=0) for who, guess in self.guesses[k].items()}

    def used(self, k: int, use: str, target: str, coverage: float) -> Used:
        """What is written of a target, as --use says."""
        guesses, actual = self.guesses[k], self.actual[..., k]
        who = used.choose(use, guesses, actual, target)
        if who == next(iter(guesses)):
            return Used(who, guesses[who], self.ends[:, :, k])
        return Used(who, guesses[who], used.before(guesses[who], actual, self.rows, coverage))


class Forecasts:
    """The forecasters that the options describe."""

    def __init__(self, args: argparse.Namespace, recipe: Recipe) -> None:
        ends = [round(float(end), 9) for end in curves.ends("coverage", args.coverage)]
        self.args: argparse.Namespace = args
        self.name: str = f"{recipe.cell}, {recipe.units} units"
        self.given: dict[str, Any] = {
            **{name: getattr(recipe, name) for name in Recipe.names() if name not in options.NOT_OF_FORECASTS},
            "quantiles": tuple(sorted({*LEVELS, *ends})),  # what is promised is promised for learned ones
            "in_advance": False, "random_state": args.seed, "backend": args.backend,
            "verbose": 0 if args.quiet else "auto",
        }  # fmt: skip

    def judged(self, series: Series) -> Judged:
        """Learn from the first rows, and forecast from each of the others what came after it."""
        args, start, exogenous = self.args, series.start, series.exogenous()
        forecaster = LiquidForecaster(**self.given).fit(series.y[:start], args.horizon, series.exogenous(start))
        test = forecaster.backtest(series.y, start, exogenous, step=series.step, coverage=args.coverage)
        frame, rows = forecaster.network_.frame, test.origins[:, 1] - 1
        prepared = frame.prepare(read_series("series", series.y, exogenous, None).series[0])
        line = differencing.forecasts_of_a_line(frame, prepared, start, rows)
        seasons = [args.season or differencing.season_of(values) for values in prepared.values[:start].T]
        guesses = []
        for k, (values, season) in enumerate(zip(prepared.values.T, seasons, strict=True)):
            own = {self.name: test.forecasts[..., k], NOW: values[naive_steps(rows, args.horizon, 1)]}
            own |= {SEASON: values[naive_steps(rows, args.horizon, season)]} if season else {}
            own |= {MEAN: np.repeat(_means(values)[rows, None], args.horizon, axis=1)}
            if line is not None:
                own |= {LINE: line[..., k], MIXED: (own[self.name] + line[..., k]) / 2}
            guesses.append(own)
        assert test.intervals is not None, "quantiles are learned"
        return Judged(forecaster.difference_, rows, test.actual, test.intervals, guesses, seasons)

    def forecast(self, series: Series, judged: Judged, chosen: list[Used]) -> Array:
        """Learn from all rows: (H, F, 3), the forecast, and the lower and the upper end of its intervals.

        They have no more decimals than float32 gives to the network's part of them (see `rounded`).
        """
        H, coverage, F = self.args.horizon, self.args.coverage, len(chosen)
        data = read_series("series", series.y, series.exogenous(), None)
        frame = frame_of(data, H, judged.difference or 0, False)
        prepared, last = frame.prepare(data.series[0]), np.array([len(series.y) - 1])
        naive, found = frame.naive(prepared.values, last)[0], np.empty((H, F, 3))
        if any(one.who in (self.name, MIXED) for one in chosen):
            forecaster = LiquidForecaster(**self.given, difference=judged.difference)
            forecaster.fit(series.y, H, series.exogenous())
            ends = forecaster.predict_interval(coverage)
            found = np.concatenate([forecaster.predict()[..., None], ends], axis=-1)
        line = differencing.forecasts_of_a_line(frame, prepared, len(series.y), last)
        for k, one in enumerate(chosen):
            if one.who == self.name:
                continue
            if one.who in (NOW, SEASON):
                steps = naive_steps(last, H, 1 if one.who == NOW else judged.seasons[k])[0]
                ahead = prepared.values[steps, k]
            elif one.who == MEAN:
                ahead = np.full(H, _means(prepared.values[:, k])[-1])
            else:
                assert line is not None, "all rows are more than those of the backtest"
                ahead = line[0, :, k] if one.who == LINE else (line[0, :, k] + found[:, k, 0]) / 2
            found[:, k, 0] = ahead
            found[:, k, 1:] = ahead[:, None] + used.around(judged.actual[..., k] - one.guess, coverage)
        return rounded(found, naive[..., None])


def _means(values: Array) -> Array:
    """Of all values (T,) to each row, the mean; missing values count for nothing."""
    known = ~np.isnan(values)
    return np.cumsum(np.where(known, values, 0)) / np.maximum(np.cumsum(known), 1)


def rounded(found: Array, naive: Array) -> Array:
    """Forecasts (H, F, n), rounded to the last digit that the network can know.

    The network computes in float32 what is added to ``naive``.  Of the largest such part of a column it knows `DIGITS`
    digits, and all of the column keeps the decimals that these reach to.
    """
    found = found.copy()
    for values, own in zip(found.swapaxes(0, 1), np.abs(found - naive).max(axis=(0, 2)).tolist(), strict=True):
        if own:
            decimals = DIGITS - 1 - math.floor(math.log10(own))
            values[:] = [[round(value, decimals) for value in row] for row in values.tolist()]
    return found


def with_calendar(args: argparse.Namespace, series: Series) -> tuple[Series, str]:
    """The series with columns of a calendar if they help or are asked for; and what is said of it."""
    records, start = series.records, series.start
    clock = calendar.microseconds(records.times, records.dates) if records.dates and records.times is not None else None
    names = [] if clock is None else calendar.periods(clock[:start])
    if args.calendar and not names:
        raise ValueError(
            f"--calendar needs --time COL with dates, of which the first {start} see a day, a week or a year twice, in "
            "steps of at most half of it, got none of these"
        )
    if clock is None or not names or args.calendar is False:
        return series, "not read"
    longer = series._replace(others=np.concatenate([series.others, calendar.columns(clock, names)], axis=1))
    read = f"{', '.join(names)} read"
    if args.calendar:
        return longer, f"{read}, as --calendar says"
    without, by_it = _error_of_line(series), _error_of_line(longer)
    if without is None or by_it is None:
        return series, "not read, since there are too few rows to say whether it helps"
    why = f"since a linear function errs by {by_it:.3g} with it, and by {without:.3g} without, in units of the spread"
    return (longer, f"{read}, {why}") if by_it * differencing.EQUAL < without else (series, f"not read, {why}")


def _error_of_line(series: Series) -> float | None:
    """The least error for the last part of the training rows; None if they are too few."""
    data = read_series("series", series.y[: series.start], series.exogenous(series.start), None)
    return min(differencing.errors_of_lags(data, len(series.later), False).values(), default=None)
