"""What the options of `train` say about a table's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.command_line import check_least, check_shares
from ..base.dates import UNITS
from ..base.types import Array, Ints
from .arrays import SEQUENCE, STEPS
from .task import MISSING, SPLITS, Task

if TYPE_CHECKING:
    import argparse

    from .tables import Table

MOST_CLASSES, MOST_INPUTS = 1000, 50  # the second of a column of text
OFTEN_TIMES = "time", "date", "datetime", "timestamp"
DEFAULTS_OF_A_TASK = "horizon", "missing", "validation", "test", "seed"


def add(parser: Any) -> None:
    """The options about columns, sequences and parts."""
    group = parser.add_argument_group("the table", "names of columns; several have commas between them")
    group.add_argument("--target", required=True, metavar="COLS", help="what is to be answered; text means classes")
    group.add_argument("--time", metavar="COL", help="when a row was observed: numbers, or dates such as 2024-12-31")
    group.add_argument("--dt", metavar="COL", help="instead of --time: the time since the row before, >= 0")
    group.add_argument("--group", metavar="COL", help="which sequence a row belongs to; default: all rows are one")
    group.add_argument("--features", metavar="COLS", help="what the network reads; default: all other columns")
    group.add_argument("--ignore", metavar="COLS", help="columns that --features leaves out of all others")
    kinds = ("auto", "numbers", "classes")
    group.add_argument(
        "--task", choices=kinds, default="auto", help="what the target is; default: classes if it is text, else numbers"
    )
    group.add_argument(
        "--answer",
        choices=("auto", "step", "sequence"),
        default="auto",
        help="an answer at every row, or one for each group; default: one for each group if the target never changes "
        "in a group",
    )
    group.add_argument(
        "--horizon",
        type=int,
        metavar="H",
        help="the target is H rows later: a forecast, for which the features are all other columns and the target "
        "itself if it is numbers; default: %(default)s, the same row",
    )
    group.add_argument(
        "--missing",
        choices=MISSING,
        help="empty cells: an error (default); fill, the last value before it; mask, this, and features that say "
        "which values are filled and how old they are",
    )
    group.add_argument(
        "--time-unit",
        metavar="UNIT",
        help=f"an elapsed time of 1: {', '.join(UNITS)} for dates, or a number; default: the median of training, but 1 "
        "of --dt",
    )
    group = parser.add_argument_group("the parts, and windows for training")
    group.add_argument(
        "--split",
        choices=SPLITS,
        help="test and validate on the last rows, or on whole groups; default: group if there are any, else time",
    )
    group.add_argument("--validation", type=float, metavar="SHARE", help="default: %(default)s")
    group.add_argument("--test", type=float, metavar="SHARE", help="default: %(default)s")
    group.add_argument(
        "--window",
        type=int,
        metavar="W",
        help="train on windows of W rows; default: whole sequences if they are several and not longer than 512 rows, "
        "else 64 rows, or a quarter of the sequence",
    )
    group.add_argument(
        "--hop", type=int, metavar="N", help="a window begins every N rows; default: so that they are many"
    )
    group.add_argument("--seed", type=int, metavar="N", help="of all that is drawn; default: %(default)s")
    parser.set_defaults(**{name: getattr(Task, name) for name in DEFAULTS_OF_A_TASK})


def task(args: argparse.Namespace, table: Table) -> Task:
    """The task, but for what depends on the training part."""
    _check_numbers(args)
    target = table.named(args.target, "--target")
    group, dt = args.group, args.dt
    if table.sequences:
        if group is not None:
            raise ValueError(f"--group must not be given for {table.path}, whose arrays are sequences, got {group}")
        group, dt = SEQUENCE, dt or (STEPS if args.time is None and STEPS in table.columns else None)
    if args.time is not None and dt is not None:
        raise ValueError(f"--time and --dt must not be given both, got {args.time} and {dt}")
    given = {"--time": args.time, "--dt": dt, "--group": group}
    for option, name in given.items():
        if name is not None:
            table.column(name, option)
            if name in target:
                raise ValueError(f"{option} must be another column than --target, got `{name}` for both")
    for option, name in (("--time", args.time), ("--dt", dt)):
        if name is not None and name == group:
            raise ValueError(f"--group must be another column than {option}, got `{name}` for both")
    if args.time_unit is not None and args.time is None and dt is None:
        raise ValueError("--time-unit needs --time COL or --dt COL")
    special = {name for name in given.values() if name is not None}
    if table.sequences:
        special |= {STEPS} & table.columns.keys()  # beside --time
    features = _features(args, table, target, special)
    if args.time is None and dt is None:
        for name in features:
            if name in target:  # which a forecast reads, and --time cannot be
                continue
            if name.lower() in OFTEN_TIMES:
                checks.warn(f"column `{name}` was read as a feature: --time {name} if it says when rows were observed")
            elif args.features is None and _rises(table, name, group):
                checks.warn(
                    f"column `{name}` rises from row to row and was read as a feature: --time {name} if it says when "
                    f"rows were observed, --ignore {name} if it numbers them"
                )
    classes = _is_classes(args, table, target)
    every_step = _every_step(args.answer, bool(args.horizon), group, table, target)
    if not every_step and args.horizon:
        raise ValueError("--horizon needs an answer at every row (--answer step), got one for each group")
    by = args.split or ("time" if group is None else "group")
    if by == "group" and group is None:
        raise ValueError("--split group needs --group COL, which says what the groups are")
    if by == "time" and not every_step:
        raise ValueError("--split time needs an answer at every row (--answer step), got one for each group")
    return Task(
        features=features,
        target=target,
        words={name: [] for name in features if table.columns[name].is_words()},
        time=args.time,
        dt=dt,
        group=group,
        horizon=args.horizon,
        every_step=every_step,
        labels=() if classes else None,
        missing=args.missing,
        by=by,
        validation=args.validation,
        test=args.test,
        seed=args.seed,
    )


def _rises(table: Table, name: str, group: str | None) -> bool:
    """Whether a column of numbers is larger in every row than in the row before of the same group."""
    column = table.columns[name]
    if column.is_text() or column.cells.dtype.kind in "mM":
        return False
    values, follows = column.numbers(), np.ones(table.rows - 1, bool)
    if group is not None:
        of_group = np.unique([word or "" for word in table.columns[group].words()], return_inverse=True)[1]
        order = np.argsort(of_group, kind="stable")
        values, follows = values[order], np.diff(of_group[order]) == 0
    steps = np.diff(values)[follows]
    return bool(steps.size and (steps > 0).all())


def _check_numbers(args: argparse.Namespace) -> None:
    check_least(args, window=2, hop=1, horizon=0, seed=0, patience=1)
    check_shares(args, "validation", "test")
    if args.validation + args.test >= 1:
        got = f"{args.validation} and {args.test}"
        raise ValueError(f"--validation and --test must leave something for the training, got {got}")
    if args.hop is not None and args.window is None:
        raise ValueError("--hop needs --window W")


def _features(args: argparse.Namespace, table: Table, target: tuple[str, ...], special: set[str]) -> tuple[str, ...]:
    if args.features is not None:
        if args.ignore is not None:
            raise ValueError("--ignore leaves columns out of all others, and --features names those to read: give one")
        features = table.named(args.features, "--features")
        wrong = [name for name in features if name in special]
        if wrong:
            raise ValueError(f"--features must not name --time, --dt or --group, got `{wrong[0]}`")
        if not args.horizon and set(features) & set(target):
            both = min(set(features) & set(target))
            raise ValueError(
                f"--features must not name the target of the same row, got `{both}`: --horizon H forecasts it"
            )
        return features
    ignored = table.named(args.ignore, "--ignore") if args.ignore is not None else ()
    left_out = special | set(ignored)
    left_out |= {name for name in target if not args.horizon or table.columns[name].is_text()}
    features = tuple(name for name in table.columns if name not in left_out)
    if not features:
        raise ValueError(
            f"{table.path}: no column is left for --features beside target, time and group: --horizon H reads the "
            "target too"
        )
    for name in features:
        column = table.columns[name]
        if column.holds_dates() or (column.is_text() and not column.is_words()):
            other = ", or empty the cell if its value is missing"
            if column.holds_dates():
                other = f", or --time {name} if these are the times" if args.time is None else ""
            raise ValueError(column.no_numbers(f"leave it out with --ignore {name}{other}"))
    return features


def _is_classes(args: argparse.Namespace, table: Table, target: tuple[str, ...]) -> bool:
    text = [name for name in target if table.columns[name].is_text()]
    classes = args.task == "classes" or (args.task == "auto" and bool(text))
    if text and (args.task == "numbers" or (args.task == "auto" and table.columns[text[0]].has_commas())):
        raise ValueError(table.columns[text[0]].no_numbers())
    if classes and len(target) > 1:
        raise ValueError(
            f"--target must be one column where it is classes, got {len(target)}, of which `{text[0]}` is text"
            if text
            else f"--target must be one column where it is classes, got {len(target)}"
        )
    return classes


def _every_step(answer: str, forecast: bool, group: str | None, table: Table, target: tuple[str, ...]) -> bool:
    if answer == "step":
        return True
    if group is None:
        if answer == "sequence":
            raise ValueError("--answer sequence needs --group COL, which says what the sequences are")
        return True
    groups = table.columns[group].words()
    changes = _changing(groups, [table.columns[name].words() for name in target])
    if answer == "sequence" and changes is not None:
        got = f"several in group {changes}: --answer step answers every row"
        raise ValueError(f"--answer sequence needs one value of the target in each group, got {got}")
    if answer == "sequence":
        return False
    return changes is not None or forecast or len(set(groups)) == len(groups)


def _changing(groups: list[str | None], columns: list[list[str | None]]) -> str | None:
    """The first group in which a column has several values."""
    seen: dict[str | None, tuple[str | None, ...]] = {}
    for group, *values in zip(groups, *columns, strict=True):
        if seen.setdefault(group, tuple(values)) != tuple(values):
            return group
    return None


def labels(words: list[str | None], training: Ints, name: str) -> tuple[str, ...]:
    """The classes of the training rows, in the order of numbers if they are all numbers, else of text."""
    found = {word for row in training if (word := words[row]) is not None}
    if not 2 <= len(found) <= MOST_CLASSES:
        raise ValueError(
            f"column `{name}` must hold 2 to {MOST_CLASSES} classes in the training part, got {len(found)}"
        )
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(sorted(found))


def words(table: Table, task: Task, training: Ints) -> dict[str, list[str]]:
    """The words of the training rows in each feature that is text, in the order of text."""
    found = {}
    for name in task.words:
        cells = table.columns[name].words()
        found[name] = sorted({word for row in training if (word := cells[row]) is not None})
        if not 1 <= len(found[name]) <= MOST_INPUTS:
            rule = f"column `{name}` must hold numbers, or 1 to {MOST_INPUTS} words in the training part"
            raise ValueError(f"{rule}, got {len(found[name])} of them: leave it out with --ignore {name}")
    return found


def unit(text: str | None, dates: bool, dt: list[Array]) -> float:
    """The elapsed time that counts as 1."""
    if text is None:
        steps = np.concatenate(dt)
        return float(np.median(steps if np.median(steps) else steps[steps > 0])) if steps.any() else 1.0
    if dates and text in UNITS:
        return UNITS[text]
    try:
        return checks.number("--time-unit", float(text), low_open=True)
    except ValueError:
        kinds = f"{', '.join(UNITS)}, or a number of seconds > 0" if dates else "a number > 0"
        raise ValueError(f"--time-unit must be {kinds}, got {text}") from None
