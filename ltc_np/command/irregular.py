"""``forecast --irregular``: questions about series whose observations are rows of a long table, at any times."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.checks import counted
from ..base.command_line import DONE, check_least, check_shares, digits, report
from ..base.types import Array, Numbers
from . import options, outputs, scores, tables, used
from .columns import some

if TYPE_CHECKING:
    import argparse

    from ..recipe import Recipe
    from .tables import Table

TESTED = 0.2  # share of the series that judges, or of the time of few
ROLES = "group", "time", "channel", "target"
OTHERS = "horizon", "features", "season", "picture"  # options of regular tables
ALL = "all, in spreads"


class Judged(NamedTuple):
    """Answers to questions that were held out.

    Attributes
    ----------
    errors : dict
        Who answers -> absolute errors (n,), the network first.
    series, channel : (n,) object arrays
    spread : dict
        Channel -> standard deviation of its values.
    inside : float
        Share of the values within intervals of the network.
    """

    errors: dict[str, Array]
    series: Numbers
    channel: Numbers
    spread: dict[Any, float]
    inside: float

    def means(self) -> dict[str, dict[str, float]]:
        """Mean absolute errors by channel, and those of all in units of their spreads where there are several."""
        names = list(dict.fromkeys(self.channel))
        found = {}
        for who, errors in self.errors.items():
            own = {str(name): float(errors[self.channel == name].mean()) for name in names}
            if len(names) > 1:
                scale = np.array([self.spread[name] for name in self.channel])
                own = {ALL: float((errors / scale).mean())} | own
            found[who] = own
        return found

    def best(self) -> str:
        """Who errs least."""
        return min(means := self.means(), key=lambda who: next(iter(means[who].values())))

    def widths(self, who: str, coverage: float, rows: Any = slice(None)) -> dict[Any, float]:
        """Of each channel how far the ends of an interval lie from an answer: an error of those in the judgement.

        Where a channel has too few, errors of all channels stand for them, in units of their spreads.
        """
        from ..sklearn import conformal

        level = (1 - coverage) / 2
        need, errors, channel = conformal.needed(level), self.errors[who][rows], self.channel[rows]
        units = errors / np.array([self.spread[one] for one in channel])
        found = {}
        for one, spread in self.spread.items():
            own = errors[channel == one]
            own = np.sort(own if len(own) >= need else units * spread)
            found[one] = float(own[min(int(conformal.ranks(level, np.array(len(own)))), len(own)) - 1])
        return found

    def covered(self, who: str, coverage: float) -> float | None:
        """The share of the values within intervals; of a rival those of each series by the errors of the others.  None
        of a single series."""
        if who == next(iter(self.errors)):
            return self.inside
        names = list(dict.fromkeys(self.series))
        if len(names) < 2:
            return None
        inside = np.empty(len(self.series), bool)
        for name in names:
            own = self.series == name
            width = self.widths(who, coverage, ~own)
            inside[own] = self.errors[who][own] <= [width[one] for one in self.channel[own]]
        return float(inside.mean())

    def warn_of_few(self, coverage: float) -> None:
        """Say that there are too few errors for such intervals."""
        from ..sklearn import conformal

        need, count = conformal.needed((1 - coverage) / 2), len(self.series)
        if count < need:
            checks.warn(
                f"ltc_np: intervals for {coverage:.0%} need {need} errors of what was held out, but there are "
                f"{count}: they may hold less than they should; give more series"
            )


def forecast(args: argparse.Namespace, recipe: Recipe) -> int:
    """Judge, learn from all, and answer; the exit status."""
    from ..sklearn import IrregularForecaster, pieces, points, rivals

    _check(args)
    if args.out is not None:
        tables.check_kind(args.out)
    outputs.check({"--out": args.out}, [args.table, args.questions], args.force)
    began, table, questions = time.monotonic(), tables.read(args.table), tables.read(args.questions)
    names = _names(args)
    columns = [name or "" for name in names]
    past = points.read("TABLE", _columns(table, args, values=True), columns, values=True)
    points.refuse_twice("TABLE", past)
    asked = points.read("--questions", _columns(questions, args, values=False), columns, values=False)
    if args.channel is None:
        past.channel[:] = asked.channel[:] = args.target
    unknown = [channel for channel in asked.channel if channel not in set(past.channel)]
    if unknown:
        raise ValueError(f"--questions must name channels of the table ({some(_words(past))}), got {unknown[0]!r}")
    horizon = _horizon(past, asked)
    given = {name: getattr(args, name) for name in recipe.names() if getattr(args, name, None) is not None}
    verbose: Any = 0 if args.quiet else "auto"
    network = IrregularForecaster(
        **{name: getattr(recipe, name) for name in given}, history=None, random_state=args.seed, backend=args.backend,
        verbose=verbose, horizon=np.timedelta64(round(horizon), "ns") if past.dated else horizon,
    )  # fmt: skip
    name = f"{network.cell}, {network.units} units"

    def judged() -> Judged:
        (rest, _), (early, late) = pieces.held_out(past, horizon, TESTED, np.random.RandomState(args.seed))
        if not len(late.time):
            raise ValueError("no series has two observations of which one could be asked: give longer series")
        _learn(network, rest)
        low, high = network.predict_interval(early, late, args.coverage).T
        truth = np.asarray(late.value)
        answers = {name: network.predict(early, late)} | rivals.answers(rest, early, late)
        errors = {who: np.abs(own - truth) for who, own in answers.items()}
        values = np.asarray(past.value)
        spread = {one: float(values[past.channel == one].std()) or 1.0 for one in dict.fromkeys(past.channel)}
        series = np.empty(len(truth), object)
        series[:] = [pieces.original(one) for one in late.series]
        return Judged(errors, series, late.channel, spread, float(((low <= truth) & (truth <= high)).mean()))

    def answered(found: Judged) -> dict[str, Numbers]:
        best = name if args.use == used.NETWORK else found.best()
        if best == name:
            _learn(network, past)
            own = network.predict(past, asked)
            low, high = network.predict_interval(past, asked, args.coverage).T
        else:
            own = rivals.answers(past, past, asked)[best]
            width = found.widths(best, args.coverage)
            found.warn_of_few(args.coverage)
            half = np.array([width[one] for one in asked.channel])
            low, high = own - half, own + half
        digits_ = _float32 if best == name else _short
        target = names[3]
        values = {f"forecast_{target}": own, f"lower_{target}": low, f"upper_{target}": high}
        read = {one: questions.columns[one].cells for one in names[:3] if one is not None}
        return read | {name: digits_(values_) for name, values_ in values.items()}

    try:
        test = judged()
        found = answered(test)
    except FloatingPointError as error:
        raise options.diverged(error, recipe) from None
    outputs.write({} if args.out is None else {args.out: tables.written(args.out, found)})
    means, best = test.means(), test.best()
    answering = name if args.use == used.NETWORK else best
    said: dict[str, Any] = {
        "table": args.table, "rows": len(past.time), "series": len(set(past.series)),
        "channels": _words(past), "questions": len(asked.time),
        "judged": len(test.channel), "mae": means,
        "coverage": {"wanted": args.coverage, "found": test.covered(answering, args.coverage)},
        "best": best, "answers_of": answering,
        "seconds": round(time.monotonic() - began, 3), "file": args.out,
        "forecast": {key: (v.astype(str) if v.dtype.kind in "MO" else v).tolist() for key, v in found.items()},
    }  # fmt: skip
    report(said, _text(args, said, found, name), args.json, outputs.channel(args.out))
    return DONE


def _check(args: argparse.Namespace) -> None:
    check_least(args, seed=0)
    check_shares(args, "coverage")
    for option in ("time", "questions"):
        if getattr(args, option) is None:
            raise ValueError(f"--irregular needs --{option}: {_NEEDED[option]}")
    for option in OTHERS:
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} must be left out with --irregular: it is of tables whose rows are steps")
    if args.use not in (used.BEST, used.NETWORK):
        raise ValueError(f"--use must be {used.BEST} or {used.NETWORK} with --irregular, got {args.use}")
    if args.calendar is not None:
        raise ValueError("--calendar must be left out with --irregular: it is of tables whose rows are steps")


_NEEDED = {
    "time": "the column that says when a row was observed",
    "questions": "a table of the series, times and channels that are asked for",
}


def _names(args: argparse.Namespace) -> list[str | None]:
    """Columns of series, times, channels and values; None for one that there is not."""
    names = [getattr(args, role) for role in ROLES]
    given = [name for name in names if name is not None]
    if len(set(given)) < len(given):
        raise ValueError(f"{', '.join(f'--{role}' for role in ROLES)} must be different columns, got {given}")
    return names


def _columns(table: Table, args: argparse.Namespace, *, values: bool) -> dict[str, Any]:
    """The columns of a long table by their names, without rows that hold no value."""
    group, when, channel, target = _names(args)
    assert when is not None
    found: dict[str, Any] = {}
    times, dates = table.column(when, "--time, which --irregular needs").times()
    found[when] = times.astype(f"datetime64[{dates}]") if dates else times
    for name, option in ((group, "--group"), (channel, "--channel")):
        if name is not None:
            words = table.column(name, option).words()
            if None in words:
                row = table.columns[name].place(words.index(None))
                raise ValueError(f"column `{name}` must hold a name in every row, got none {row}")
            found[name] = np.array(words, object)
    if values:
        if target is None or target not in table.columns:
            table.column(str(target), "--target")
        numbers = table.column(str(target), "--target").numbers()
        known = ~np.isnan(numbers)
        if not known.all():
            checks.warn(f"{counted(int((~known).sum()), 'row')} of {table.path} without a value in `{target}` left out")
        found[str(target)] = numbers
        found = {name: column[known] for name, column in found.items()}
    return found


def _horizon(past: Any, asked: Any) -> float:
    """How long after the last observation of its series a question is asked, at most."""
    from ..sklearn import points

    if past.dated != asked.dated:
        kinds = ["dates" if each.dated else "numbers" for each in (past, asked)]
        raise ValueError(f"--questions must have {kinds[0]} as times, as the table, got {kinds[1]}")
    leads = points.leads(past, asked)
    if np.isnan(leads).all():
        names = some([str(name) for name in dict.fromkeys(past.series)])
        raise ValueError(f"--questions must ask about series of the table ({names}), got {asked.series[0]!r} first")
    horizon = float(np.nanmax(leads))
    if horizon <= 0:
        raise ValueError("--questions must ask for a time after the last observation of a series, got none")
    return horizon


def _words(past: Any) -> list[str]:
    """Names of channels."""
    return [str(name) for name in dict.fromkeys(past.channel)]


def _learn(network: Any, past: Any) -> None:
    """Without a word on who answers better: that is in the report."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ltc_np: to .* gives better answers")
        network.fit(past)


def _short(values: Array) -> Array:
    """Without digits that are rounding."""
    return np.array([float(f"{value:.12g}") for value in values])


def _float32(values: Array) -> Array:
    """Networks compute in float32: no more digits are known."""
    return np.array([float(str(np.float32(value))) for value in values])


def _text(args: argparse.Namespace, said: dict[str, Any], found: dict[str, Numbers], network: str) -> list[str]:
    means, best = said["mae"], said["best"]
    shown = list(next(iter(means.values())))[:7]
    head = ["mean absolute error of", *shown]
    lines = scores.table(head, {who: [own[name] for name in shown] for who, own in means.items()})
    whose = f"whose answers are given; --use {used.NETWORK} gives the network's"
    worse = f"{network} is WORSE than `{best}`, {whose if said['answers_of'] == best else 'and answers all the same'}"
    verdict = f"{network} is better than all of them, and answers" if best == network else worse
    wanted, held = digits(100 * said["coverage"]["wanted"]), said["coverage"]["found"]
    inside = f"the intervals for {wanted} % are errors of a single series, so that nothing judges them"
    if held is not None:
        inside = f"{100 * held:.1f} % of the values were inside of its intervals for {wanted} %"
    lines += ["", verdict, inside]
    channels = counted(len(said["channels"]), "channel")
    lines.append(
        f"{counted(said['rows'], 'observation')} of {said['series']} series and {channels}"
        f"; judged by {counted(said['judged'], 'question')} held out, in {said['seconds']:.1f} s in all"
    )
    if args.out is None:
        rows = {str(k): [str(value) for value in row] for k, row in enumerate(zip(*found.values(), strict=True))}
        lines += ["", *scores.table(["question", *found], rows)]
    else:
        lines.append(f"{args.out}: {counted(said['questions'], 'answer')} of {', '.join(found)}")
    return lines
