"""``python -m ltc_np train``: from a table to a judged model."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.checks import counted
from ..base.command_line import DONE, MISTAKES, STOPPED, Parser, line, report, run
from ..base.optional import need
from ..model import Model, load
from ..recipe import Recipe
from ..shortcut import beside
from ..shortcut.advice import advice
from ..train.callbacks import EarlyStopping
from ..train.history import History
from ..train.loop.interrupt import BY_SIGINT, BY_SIGTERM
from ..train.resume.folder import Checkpoints, folder_of, numbered
from . import baselines, kept, options, outputs, pictures, pieces, records, roles, scores, split, tables, task_data
from .split import PARTS, TEST, TRAIN
from .tables import Table
from .task import HISTORY, KEY, Task, in_a_line
from .task_data import TaskData

if TYPE_CHECKING:
    import argparse


ABOUT = """\
Train a network on a table and say how good it is, beside baselines that may win.

TABLE is a file of CSV with names in its first line, of NumPy (.npz, one array a column; or sequences x (B, T, I),
y, dt, lengths) or of Parquet.  A row is what
was observed at one time; rows of a sequence stand in the order of time.  The last rows, or some groups, are kept for
the test; others choose the best weights.  The model remembers which columns it reads, so that `predict`, `evaluate`
and `plot` need nothing but its file and a table.

examples:
  next year's number of sunspots, from all numbers before:
    python -m ltc_np train sunspots.csv --target number --time year --horizon 1 --out sunspots.npz
  a temperature from other sensors, at irregular times:
    python -m ltc_np train oven.csv --target temperature --time seconds --features power,fan --out oven.npz
  who speaks, one answer for each utterance:
    python -m ltc_np train vowels.csv --target speaker --group utterance --model cfc --out vowels.npz
  sequences in arrays as `fit` takes them, with labels y (B,):
    python -m ltc_np train sequences.npz --target y --task classes --out model.npz"""


def main(argv: Sequence[str] | None = None) -> int:
    """Train; the exit status."""
    parser = Parser("train", ABOUT, "TABLE --target COLS --out MODEL.npz")
    parser.add_argument("table", metavar="TABLE", help=tables.ABOUT)
    parser.add_argument("--out", required=True, metavar="MODEL.npz", help="the model's file")
    pictures.add(parser, "MODEL.png with matplotlib")
    options.add_force(parser)
    parser.add_output()
    roles.add(parser)
    parser.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop when the loss of the validation part has not fallen for N epochs; default: train for all --epochs; "
        "the weights of the best epoch are kept either way",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="a folder for checkpoints of the training, one at the end of each epoch",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint in DIR; where there is none, begin"
    )
    parser.add_argument(
        "--components",
        type=int,
        metavar="K",
        help="answer with a density of so many components and not with a number: where there are several right answers",
    )
    parser.add_argument("--balanced", action="store_true", help="every class weighs the same, however rare it is")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes that train the networks of an --ensemble side by side",
    )
    options.add_recipe(parser)
    options.add_backend(parser)
    return run(parser, _train, argv)


def _has_checkpoints(folder: str | None) -> bool:
    return folder is not None and bool(numbered(folder_of(folder)))


def _left(args: argparse.Namespace) -> str:
    """What a training leaves that has ended without a model."""
    if _has_checkpoints(args.checkpoint):
        return f"no model was written, and --resume goes on from {args.checkpoint}"
    return "nothing was written"


def _check_checkpoint(args: argparse.Namespace) -> None:
    """Refuse what `fit` would refuse, in the words of the command line."""
    if args.resume and args.checkpoint is None:
        raise ValueError("--resume needs the folder to go on from: --checkpoint DIR")
    if args.checkpoint == "":
        raise ValueError("--checkpoint must be a folder, got ''")
    if not args.resume and _has_checkpoints(args.checkpoint):
        raise ValueError(f"--checkpoint {args.checkpoint} holds checkpoints: give --resume, or another folder")


BEYOND = 0.05  # of the range of a target in the training
Measured = dict[str, list[scores.Scores | None]]  # of the network and of each baseline, for each part


def _check_resumed(folder: str, notes: dict[str, Any]) -> None:
    """Refuse to go on with another question about the table, or with other rows; `fit` compares the rest."""
    for _, path in reversed(numbered(folder_of(folder))):
        try:
            saved = load(path, backend="numpy").notes or {}
        except (OSError, ValueError):  # `fit` says what is wrong with it, and takes the one before
            continue
        before, now = saved.get(KEY) or {}, notes[KEY]
        told = [f"{name} {before[name]!r} (now {now[name]!r})" for name in before if before[name] != now.get(name)]
        if kept.KEY in saved and saved[kept.KEY] != notes.get(kept.KEY):
            told.append("other rows, or rows in another order or part")
        if told:
            raise ValueError(f"--resume must go on with the same question and table, got {path} with {', '.join(told)}")
        return


class Trained(NamedTuple):
    """A model whose file has been written, and what it was made of.

    ``columns`` are those of the table, and ``picture`` is the path of a picture that is still to be drawn.
    """

    model: Model
    data: TaskData
    history: History
    recipe: Recipe
    picture: str | None
    shortcut: dict[str, Any]
    columns: list[str]


def _train(args: argparse.Namespace) -> int:
    """Train and write the model; then, whatever may fail, there is the model."""
    try:
        trained = _trained(args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_left(args)) from None
    if trained is None:
        return STOPPED
    try:
        return _judged(trained, args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{args.out} is written") from None


def _trained(args: argparse.Namespace) -> Trained | None:
    """Train and write the model; None if the training was stopped and there is none."""
    recipe = options.of_recipe(args)
    if args.shortcut is None and not args.components:  # as estimators do
        recipe = dataclasses.replace(recipe, shortcut="auto")
    if pathlib.Path(args.out).suffix.lower() != ".npz":
        raise ValueError(f"--out must be a file MODEL.npz, got {args.out}")
    _check_checkpoint(args)
    checks.integer("--jobs", args.jobs)
    if recipe.ensemble > 1 and args.checkpoint is not None:
        raise ValueError("--checkpoint must be left out for an --ensemble, whose networks are trained one by one")
    picture = pictures.path(args)
    outputs.check({"--out": args.out, "--picture": picture}, [args.table], args.force)
    table = tables.read(args.table)
    task = roles.task(args, table)
    if args.balanced and task.labels is None:
        raise ValueError("--balanced needs classes, got a target that is numbers (--task classes)")
    if args.components is not None:
        checks.integer("--components", args.components)
        for name, alone in (("--ensemble", recipe.ensemble == 1), ("--shortcut", recipe.shortcut in (None, "auto"))):
            if not alone:
                raise ValueError(f"{name} must be left out with --components, since a density is of one network")
        if task.labels is not None:
            raise ValueError("--components needs a target that is numbers, got classes (--task numbers)")
    if recipe.bidirectional and task.horizon:
        raise ValueError("--bidirectional reads later rows, which a forecast does not have: leave out --horizon, or it")
    data = prepare(task, table, args.time_unit)
    model, history, shortcut = _fitted(data, recipe, args)
    if history.stopped.startswith(BY_SIGTERM):  # whoever did it waits for the end, not for scores
        print(f"{history.stopped}; {_left(args)}", file=sys.stderr)
        return None
    if not history.epoch:  # nothing was measured that a report could show
        print(f"{BY_SIGINT} before the first epoch was done; {_left(args)}", file=sys.stderr)
        return None
    model.notes = (model.notes or {}) | {HISTORY: pictures.noted(history)}
    outputs.write({args.out: outputs.saved(model)})
    return Trained(model, data, history, recipe, picture, shortcut, [*table.columns])


def _judged(trained: Trained, args: argparse.Namespace) -> int:
    """Judge a model, draw, and report; the exit status."""
    data, failed = trained.data, None
    try:
        found = task_data.outputs(trained.model, data.x, data.dt)
        measured = _scores(data, trained.recipe, trained.shortcut.get("share", 1.0), found)
    except MISTAKES as error:
        raise ValueError(f"{args.out} is written, but was not judged: {line(error)}") from error
    picture = trained.picture
    if picture is not None:
        try:
            outputs.write({picture: _drawn(picture, trained, found)})
        except MISTAKES as error:
            picture, failed = None, error
    told = _report(trained, measured, args) | {"picture": picture}
    report(told, _text(data.task, measured, told, args), args.json)
    if failed is not None:
        why = line(failed).removesuffix("; nothing was written")  # the model was
        raise ValueError(f"{args.out} is written, but without its picture: {why}")
    return DONE


def prepare(task: Task, table: Table, time_unit: str | None) -> TaskData:
    """Read the table, split it, and complete the task by what the training part says."""
    rows = records.read(table, task)
    part_of_row = task_data.parts_of_rows(task, table, rows)
    part_of_answer = split.of_answers(task, part_of_row)
    read = [
        sequence[: split.training_rows(task, parts, len(sequence))]
        for sequence, parts in zip(rows.rows, part_of_answer, strict=True)
    ]
    if task.words:
        task = task.replace(words=roles.words(table, task, np.concatenate(read)))
        rows = records.read(table, task)
    if task.missing == "error":
        records.check_complete(table, task.columns, rows.x)
    if task.labels is not None:
        known = np.concatenate(read) if task.every_step else [int(sequence[-1]) for sequence in read if len(sequence)]
        words = table.columns[task.target[0]].words()
        task = task.replace(labels=roles.labels(words, np.array(known), task.target[0]))
    dt = records.elapsed(rows)
    if dt is not None:
        seen = [steps[: len(sequence)] for steps, sequence in zip(dt, read, strict=True)]
        task = task.replace(
            dates=bool(rows.dates),
            unit=roles.unit(time_unit or ("1" if task.dt is not None else None), bool(rows.dates), seen),
        )
    if task.missing != "error":
        task = task.replace(first=_means(task, rows.x[np.concatenate(read)]))
    return task_data.of_records(task, table, rows, part_of_row)


def _means(task: Task, x: Any) -> tuple[float, ...]:
    """The mean of each feature over the training part."""
    for name, column in zip(task.columns, x.T, strict=True):
        if np.isnan(column).all():
            raise ValueError(f"column `{name}` must hold a value in the training part, got none: --ignore {name}")
    return tuple(float(mean) for mean in np.nanmean(x, axis=0))


def _fitted(data: TaskData, recipe: Recipe, args: argparse.Namespace) -> beside.Beside:
    task = data.task
    window, hop = pieces.choose_windows(pieces.training_rows_of_each(data), args.window, args.hop)
    train = pieces.training(data, window, hop)
    warm_up = window or max(map(len, train.x))
    held = pieces.validation(data, warm_up)
    steps = float(np.mean([len(x) for x in train.x]))
    duration = None if train.dt is None else float(np.mean([dt.sum() for dt in train.dt]))
    model = recipe.model(
        task.inputs,
        task.outputs,
        steps=steps,
        every_step=task.every_step,
        numbers=task.labels is None,
        duration=duration,
        components=args.components,
        seed=args.seed,
        backend=args.backend,
    )
    task_data.refuse_short(model, data.x)
    if train.dt is not None and not model.takes_dt:
        train, held = train._replace(dt=None), held._replace(dt=None)
        if not args.quiet:
            print(f"{recipe.cell} takes no elapsed times: they only say that rows are in order", file=sys.stderr)
    model.notes = task.notes() | kept.noted(data)  # before the training, so that its checkpoints have them too
    if args.resume:
        _check_resumed(args.checkpoint, model.notes)
    settings: dict[str, Any] = {
        "validation": {"x": held.x, "y": held.y} | ({} if held.dt is None else {"dt": held.dt}),
        "loss": "mixture_density" if args.components else "mse" if task.labels is None else "cross_entropy",
        "class_weight": "balanced" if args.balanced else None,
        "missing": "ignore",
        "callbacks": [] if args.patience is None else [EarlyStopping(args.patience)],
        "seed": args.seed,
        "checkpoint": None if args.checkpoint is None else Checkpoints(args.checkpoint, resume=args.resume),
        "verbose": 0 if args.quiet or args.jobs > 1 else "auto",
    }
    try:
        if recipe.shortcut is not None and not args.components:
            classes = 0 if task.labels is None else task.outputs
            kind: dict[str, Any] = {"every_step": task.every_step, "classes": classes}
            learnt, asked = (beside.Data.of_lists(own.x, own.y, own.dt, **kind) for own in (train, held))
            reads = beside.choose(recipe, model, learnt, classes)
            if reads is not None:
                each = _each(args.jobs)
                return beside.fit(recipe, model, reads, learnt, asked, classes, each=each, **settings)
        history = dataclasses.replace(recipe, shortcut=None).fit(
            model, train.x, train.y, sequences=len(train.x), each=_each(args.jobs), dt=train.dt, **settings
        )
    except FloatingPointError as error:
        raise options.diverged(error, recipe) from None
    return beside.Beside(model, history, {})


def _each(jobs: int) -> Callable[..., Any]:
    """`map`, or the same by so many processes."""
    if jobs == 1:
        return map
    joblib: Any = need("joblib", "sklearn", "--jobs")
    return lambda function, given: joblib.Parallel(n_jobs=jobs)(joblib.delayed(function)(one) for one in given)


def _scores(data: TaskData, recipe: Recipe, share: float, found: list[Any]) -> Measured:
    """Measures of the answers, of which ``share`` is the network's, and of baselines, for each part."""
    y, part_of_answer = data.flat(data.y), data.flat_parts()
    x = data.x
    if data.dt is not None:  # a baseline may know elapsed times too
        x = [np.concatenate([values, dt[:, None]], axis=1) for values, dt in zip(data.x, data.dt, strict=True)]
    given = baselines.of(data.task, data.records, x, y, part_of_answer, data.now)
    if data.flat(found).shape[1:] != data.flat(data.y).shape[1:] and data.task.labels is None:
        given = baselines.densities(given, y, part_of_answer)
    several = f", {recipe.ensemble} networks" if recipe.ensemble > 1 else ""
    line = " and a line" if share < 1 else ""
    guesses = {f"{recipe.cell}, {recipe.units} units{several}{line}": data.flat(found)} | given
    return {
        name: [
            scores.score(data.task, guess, y, part_of_answer == part, name not in given) for part in range(len(PARTS))
        ]
        for name, guess in guesses.items()
    }


def _drawn(path: str, trained: Trained, found: list[Any]) -> bytes:
    """The learning curve, and answers of the test part beside the truth."""
    read, part_of_answer = trained.data, trained.data.part_of_answer
    found = task_data.means(read.task, found)
    drawn = [pictures.learning((trained.model.notes or {})[HISTORY])]
    if read.task.labels is not None or not read.task.every_step:
        chosen = [k for k, part in enumerate(part_of_answer) if (part == TEST).any()]
        y = [read.y[k] for k in chosen]
        if read.task.every_step:
            y = [np.where(part_of_answer[k] == TEST, values, np.nan) for k, values in zip(chosen, y, strict=True)]
        read = read._replace(y=y)
        drawn.append(pictures.answers(read, [found[k] for k in chosen]))
    elif len(read.task.target) <= pictures.MOST_TARGETS:
        k = next(k for k, part in enumerate(part_of_answer) if (part == TEST).any())
        drawn.append(pictures.answers(read, found, read.records.names[k] if read.task.group else None))
    return pictures.drawn(path, drawn)


def _report(trained: Trained, measured: Measured, args: argparse.Namespace) -> dict[str, Any]:
    history, part_of_answer = trained.history, trained.data.flat_parts()
    interrupted = history.stopped.startswith(BY_SIGINT)
    return {
        "model": args.out,
        "network": repr(trained.model),
        "parameters": int(trained.model.theta.size),
        "epochs": len(history.epoch),
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "shortcut": trained.shortcut,
        "advice": advice(history, trained.shortcut, _of_classes(trained.data)),
        "resume": args.checkpoint if interrupted and _has_checkpoints(args.checkpoint) else None,
        "seconds": round(history.seconds, 3),
        "answers": {name: int((part_of_answer == PARTS.index(name)).sum()) for name in PARTS},
        "scores": {name: dict(zip(PARTS, found, strict=True)) for name, found in measured.items()},
        "beyond_range": beyond_range(trained.data),
        "roles": trained.data.task.roles(trained.columns),
        "words": trained.data.task.words,
    }


def _of_classes(data: TaskData) -> dict[str, int]:
    """How many answers of the training part each class has."""
    task, y, part_of_answer = data.task, data.flat(data.y), data.flat_parts()
    if task.labels is None:
        return {}
    known = y[(part_of_answer == TRAIN) & np.isfinite(y)].astype(np.int64)
    return dict(zip(task.labels, np.bincount(known, minlength=len(task.labels)).tolist(), strict=True))


def beyond_range(data: TaskData) -> dict[str, int]:
    """Of each target how many values of the test part leave the range of the training by more than 5 % of it."""
    if data.task.labels is not None:
        return {}
    y, part_of_answer = data.flat(data.y), data.flat_parts()
    low, high = (end(y[part_of_answer == TRAIN], axis=0) for end in (np.nanmin, np.nanmax))
    test, margin = y[part_of_answer == TEST], BEYOND * (high - low)
    outside = ((test < low - margin) | (test > high + margin)).sum(axis=0)
    return {name: int(count) for name, count in zip(data.task.target, outside, strict=True) if count}


def _text(task: Task, measured: Measured, report: dict[str, Any], args: argparse.Namespace) -> list[str]:
    densities = args.components is not None
    what = scores.names(task, densities)
    one = task.labels is not None or densities
    shown = what[:1] if one else what[: len(task.target)]
    lines = [in_a_line(report["roles"])]
    for name in shown:
        head = name if " of " in name or one else f"{name} of {task.target[0]}"
        rows = {who: [None if s is None else s.get(name) for s in found] for who, found in measured.items()}
        lines += [*scores.table([head, *PARTS], rows), ""]
    lines.append(verdict(measured, shown[0], one))
    for name, words in report["words"].items():
        read = f"{counted(len(words), 'input')}, 1 where it is the word and else 0: {', '.join(words)}"
        lines.append(f"column {name} is text, read as {read}")
    for name, count in report["beyond_range"].items():
        remedy = "take `forecast`, which reads differences" if task.horizon else "train with such values"
        leave = f"{counted(count, 'value')} of {name} in the test part {'leaves' if count == 1 else 'leave'} the range"
        lines.append(f"{leave} of the training, which a network does not: {remedy}, or make differences the target")
    answers = ", ".join(f"{n} {name}" for name, n in report["answers"].items())
    seconds = f"{counted(report['epochs'], 'epoch')} in {report['seconds']:.1f} s"
    if report["best_epoch"] is not None:  # counted from 0
        seconds += f", best after {report['best_epoch'] + 1}"
    lines.append(f"answers: {answers}; {seconds}")
    if report["shortcut"]:
        line_of, share = report["shortcut"]["reads"], report["shortcut"]["share"]
        other = f"that of a line of {line_of if isinstance(line_of, str) else counted(line_of, 'row')}"
        if line_of == "nothing":
            other = "the mean of the training" if task.labels is None else "the shares of the classes in the training"
        told = {1: "the network's alone", 0: other}
        mixed = f"{share:.0%} the network's and {1 - share:.0%} {other}"
        lines.append(f"the answer is {told.get(share, mixed)}")
        if share < 1 and line_of == "convolutions":
            lines.append("random convolutions cannot be exported: --shortcut ridge or none for C, ONNX or a web page")
    lines += report["advice"]
    if report["stopped"].startswith(BY_SIGINT):
        more = "" if report["resume"] is None else f"; --resume --force goes on from {report['resume']}"
        lines.append(f"{report['stopped']}{more}")
    lines.append(f"{args.out}: {report['parameters']} parameters")
    if report["picture"] is not None:
        lines.append(f"{report['picture']}: learning curve, and answers beside the truth")
    return lines + pictures.missing(args)


def verdict(measured: Measured, name: str, larger: bool) -> str:
    """Whether the network, the first of those who were measured, is better than the best baseline on the test part."""
    found = {who: parts[-1][name] for who, parts in measured.items() if parts[-1] is not None and name in parts[-1]}
    if len(found) < 2:
        return "the test part has no answers to judge by"
    (network, score), *others = found.items()
    best, value = (max if larger else min)(others, key=lambda item: item[1])
    if score == value:
        return f"on the test part {network} is as good as `{best}`"
    better = score > value if larger else score < value
    return f"on the test part {network} is {'better' if better else 'WORSE'} than the best baseline, `{best}`"
