"""``python -m ltc_np forecast``: columns of a table continued, with intervals, beside baselines that may win."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..base.checks import counted
from ..base.command_line import DONE, Parser, check_least, check_shares, digits, report, run
from ..base.optional import need
from ..base.types import Array, Ints, Numbers
from . import continued, forecast_times, options, outputs, pictures, scores, tables, used
from .task import in_a_line
from .train import verdict

if TYPE_CHECKING:
    from .backtested import Judged
    from .continued import Series
    from .tables import Table
    from .used import Used

ABOUT = """\
Continue columns of a table by H rows, with an interval for each value, and say how good such forecasts were.

A row is a step.  The times in --time must be equally far apart, or whole months, quarters or years; without --time
every row counts as one step.  Empty cells are allowed.  A network is trained on the first four fifths of the rows, and
its forecasts of the last fifth are compared with baselines: the value now, the value one season before, a linear
function of the last rows, and the mean of that and the network's.  Who erred least learns from all rows, and forecasts;
--use names another one.

examples:
    python -m ltc_np forecast co2.csv --target co2 --time month --horizon 12 --out next_year.csv
    python -m ltc_np forecast sales.csv --target shop,web --time day --features price --horizon 14 --json

Where a row is one observation, made at any time, --irregular answers questions instead: a table of times, and of series
and channels where there are several.

    python -m ltc_np forecast seen.csv --irregular --group patient --time hour --channel what --target value \
        --questions asked.csv --out answers.csv"""


def main(argv: Sequence[str] | None = None) -> int:
    """Forecast; the exit status."""
    parser = Parser("forecast", ABOUT, "TABLE --target COLS (--horizon H | --irregular --questions FILE)")
    parser.add_argument("table", metavar="TABLE", help=tables.ABOUT)
    parser.add_argument("--target", required=True, metavar="COLS", help="what is forecast; several with commas between")
    parser.add_argument("--horizon", type=int, metavar="H", help="how many rows")
    parser.add_argument("--time", metavar="COL", help="when a row was observed: numbers, or dates such as 2024-12-31")
    parser.add_argument(
        "--features", metavar="COLS", help="what is read besides, up to the row before the forecast; default: nothing"
    )
    parser.add_argument(
        "--calendar",
        action=argparse.BooleanOptionalAction,
        help="read where a date stands in its day, week and year; default: if a linear function forecasts the last "
        "part of the training rows at least a tenth better with it",
    )
    parser.add_argument(
        "--season",
        type=int,
        metavar="M",
        help="rows of a season, for the baseline; default: found in the training rows",
    )
    parser.add_argument(
        "--use",
        choices=(used.BEST, used.NETWORK, *used.BY_WORD),
        default=used.BEST,
        help="whose forecast is written: of each target the one that erred least (best), or the one that is named",
    )
    parser.add_argument(
        "--coverage", type=float, default=0.9, metavar="SHARE", help="of the intervals; default: %(default)s"
    )
    parser.add_argument(
        "--irregular",
        action="store_true",
        help="a row is one observation, of the --target, at any --time; --questions says what is forecast",
    )
    parser.add_argument("--questions", metavar="FILE", help="a table with the columns --time, --group and --channel")
    parser.add_argument("--group", metavar="COL", help="which series a row is of; default: all rows are one series")
    parser.add_argument("--channel", metavar="COL", help="what was observed; default: there is one channel")
    parser.add_argument("--out", metavar="FILE", help=f"the forecast: {tables.WRITTEN}; default: none")
    pictures.add(parser, "that of --out with .png, with matplotlib")
    options.add_force(parser)
    parser.add_output()
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn; default: %(default)s")
    options.add_recipe(parser, without=options.NOT_OF_FORECASTS)
    options.add_backend(parser)
    return run(parser, _forecast, argv)


def _forecast(args: argparse.Namespace) -> int:
    need("sklearn", "sklearn", "`forecast`")
    from . import backtested, irregular

    recipe = options.of_recipe(args)
    if args.irregular:
        with _stopped_at_once():
            return irregular.forecast(args, recipe)
    for option in ("questions", "group", "channel"):
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} must be left out without --irregular")
    if args.horizon is None:
        raise ValueError("--horizon must say how many rows are forecast, got none")
    check_least(args, horizon=1, season=2, seed=0)
    check_shares(args, "coverage")
    if args.out is not None:
        tables.check_kind(args.out)
    picture = pictures.path(args)
    outputs.check({"--out": args.out, "--picture": picture}, [args.table], args.force)
    began, table = time.monotonic(), tables.read(args.table)
    series, calendar = backtested.with_calendar(args, continued.read(args, table))
    forecasts = backtested.Forecasts(args, recipe)
    with _stopped_at_once():
        try:
            judged = forecasts.judged(series)
            names = series.task.target
            chosen = [judged.used(k, args.use, name, args.coverage) for k, name in enumerate(names)]
            found = forecasts.forecast(series, judged, chosen)
        except FloatingPointError as error:
            raise options.diverged(error, recipe) from None
    columns = _columns(series, table, found)
    contents = {} if args.out is None else {args.out: tables.written(args.out, columns)}
    if picture is not None:
        contents[picture] = _drawn(picture, args, series, judged.rows, chosen, found)
    outputs.write(contents)
    said = {"table": args.table, "rows": len(series.y), "judged": len(judged.rows), "difference": judged.difference}
    said |= {"calendar": calendar, "seconds": round(time.monotonic() - began, 3), "file": args.out, "picture": picture}
    said |= _report(args, series, judged, chosen, columns) | {"roles": series.task.roles(table.columns)}
    report(said, _text(args, said, columns), args.json, outputs.channel(args.out))
    return DONE


@contextlib.contextmanager
def _stopped_at_once() -> Iterator[None]:
    """Ctrl-C ends all that a forecast needs, and not the present training alone, as `fit` does where nobody says it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(*signalled: Any) -> NoReturn:
    raise KeyboardInterrupt


def _columns(series: Series, table: Table, found: Array) -> dict[str, Numbers]:
    """The columns of the forecast (H, F, 3)."""
    name, records = series.task.time, series.records
    times = {"row": series.later}
    if name is not None:
        times = {name: forecast_times.shown(table.columns[name].cells, records.dates, series.later)}
    values = {
        f"{what}_{target}": found[:, k, i]
        for k, target in enumerate(series.task.target)
        for i, what in enumerate(("forecast", "lower", "upper"))
    }
    return times | values


def _drawn(
    path: str, args: argparse.Namespace, series: Series, origins: Ints, chosen: list[Used], found: Array
) -> bytes:
    """For each target the last values, the backtest as far ahead as it goes, and the forecast."""
    records, (T, H) = series.records, (len(series.y), len(series.later))
    known = np.arange(T) if records.times is None else records.times
    t = np.append(known, series.later.astype(known.dtype))
    rows = np.arange(origins[0] + H, origins[-1] + H + 1)  # where several rows lie between two forecasts, a line
    begins = {f"backtest, {counted(H, 'row')} ahead": int(rows[0]), "forecast": T}
    draw = []
    for k, name in enumerate(series.task.target[: pictures.MOST_TARGETS]):
        all_rows = np.full((T + H, 3), np.nan)
        last = np.concatenate([chosen[k].guess[..., None], chosen[k].ends], axis=-1)
        for column, values in zip(all_rows.T, last[:, -1].T, strict=True):
            column[rows] = np.interp(rows, origins + H, values)
        all_rows[T:] = found[:, k]
        label = series.task.time or "row"
        draw.append(pictures.forecast(t, series.y[:, k], all_rows, begins, name, label, records.dates, args.coverage))
    return pictures.drawn(path, draw)


def _report(
    args: argparse.Namespace, series: Series, judged: Judged, chosen: list[Used], columns: dict[str, Numbers]
) -> dict[str, Any]:
    """What was measured and forecast, in plain data."""
    targets = {}
    for k, name in enumerate(series.task.target):
        errors, covered = judged.errors(k), chosen[k].covered(judged.actual[..., k])
        mean: dict[str, list[scores.Scores | None]] = {  # the mean of both is no baseline
            who: [{"mae": float(e.mean())}] for who, e in errors.items() if who != used.MIXED
        }
        targets[name] = {
            "mae": {who: error.tolist() for who, error in errors.items()},
            "season": judged.seasons[k] or None,
            "used": chosen[k].who,
            "coverage": _shares(args.coverage, covered),
            "verdict": verdict(mean, "mae", False),
        }
    plain = {name: (v.astype(str) if v.dtype.kind == "M" else v).tolist() for name, v in columns.items()}
    return {"targets": targets, "forecast": plain}


def _shares(wanted: float, covered: Array) -> dict[str, Any]:
    """What intervals held, at each step ahead; None where there were too few errors to make them of."""
    known = covered[~np.isnan(covered)]
    steps = [None if share != share else share for share in covered.tolist()]
    return {"wanted": wanted, "mean": float(known.mean()) if len(known) else None, "steps": steps}


def _text(args: argparse.Namespace, said: dict[str, Any], columns: dict[str, Numbers]) -> list[str]:
    H = args.horizon
    steps, lines = sorted({1, (H + 1) // 2, H}), [in_a_line(said["roles"])]
    for name, found in said["targets"].items():
        head = [f"mean absolute error of {name}", *(f"{h} ahead" for h in steps), f"1 to {H}"]
        errors = {who: [*(error[h - 1] for h in steps), float(np.mean(error))] for who, error in found["mae"].items()}
        covered = found["coverage"]
        lines += [*scores.table(head, errors), "", found["verdict"]]
        wanted, who = digits(100 * covered["wanted"]), found["used"]
        named = "" if args.use != used.BEST or who == next(iter(errors)) else "; --use network writes the network's"
        lines.append(f"forecast of {name}: by {who}{named}")
        held = f"of the values were inside of its intervals for {wanted} %"
        lines.append(
            f"too few forecasts to say how many {held}"
            if covered["mean"] is None
            else f"{100 * covered['mean']:.1f} % {held}"
        )
        lines += [f"rows of a season: {found['season'] or 'none found'}", ""]
    lines.append(
        f"{counted(said['judged'], 'forecast')} judged, of the last fifth of {said['rows']} rows, in "
        f"{said['seconds']:.1f} s in all"
    )
    differences = {None: "none", 1: "to the row before"}.get(said["difference"], f"to {said['difference']} rows before")
    lines.append(f"differences: {differences}; calendar: {said['calendar']}")
    if args.out is None:
        rows = {str(t): [str(value) for value in row] for t, *row in zip(*columns.values(), strict=True)}
        lines += ["", *scores.table(list(columns), rows)]
    else:
        lines.append(f"{args.out}: {counted(H, 'row')} of {', '.join(columns)}")
    if said["picture"] is not None:
        first = f" of the first {pictures.MOST_TARGETS} targets" if len(said["targets"]) > pictures.MOST_TARGETS else ""
        lines.append(f"{said['picture']}: the last rows, the backtest, and the forecast{first}")
    return lines + pictures.missing(args)
