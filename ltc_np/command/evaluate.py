"""``python -m ltc_np evaluate``: how good a trained model is on a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base.checks import counted, warn
from ..base.command_line import DONE, Parser, report, run
from ..ensemble import members
from ..network.clipped import warn_of_clipped
from ..online.stored import load_learnt
from . import kept, options, scores, split, tables, task_data
from .split import PARTS, TEST
from .task import of_model
from .task_data import TaskData

if TYPE_CHECKING:
    import argparse


ABOUT = """\
Measure how good a trained network is on a table, which has the columns of training and the target.

Of numbers: rmse, the root of the mean squared error, and mae, the mean absolute error, in the unit of the target; r2,
the share of the variance that is explained; of densities (--components of `train`) these of their means, and the mean
log_likelihood of all targets of a row together, in nats.  Of classes: accuracy, its mean over the classes, and
cross-entropy.

examples:
    python -m ltc_np evaluate oven.npz another_day.csv
    python -m ltc_np evaluate oven.npz oven.csv --part test     # the rows that `train` has kept for the test"""


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate; the exit status."""
    parser = Parser("evaluate", ABOUT, "MODEL TABLE")
    parser.add_argument("model", metavar="MODEL", help="a file of `train`")
    parser.add_argument("table", metavar="TABLE", help=tables.ABOUT)
    parser.add_argument(
        "--part", choices=("all", *PARTS), default="all", help="of the table that it was trained on; default: all rows"
    )
    parser.add_output()
    options.add_backend(parser)
    return run(parser, _evaluate, argv)


def _evaluate(args: argparse.Namespace) -> int:
    model = load_learnt(args.model, backend=args.backend)
    task = of_model(model, args.model)
    blocks = kept.of_model(model, args.model)
    table, rows = tables.read(args.table), None
    told: list[str] = []
    if args.part == "all":
        read = task_data.read(task, table, parts=False)
    elif blocks is not None:
        read, rows, told = _as_in_training(args, task_data.read(task, table, parts=False), blocks)
    else:
        read = task_data.read(task, table, parts=True)
        warn(
            f"{args.model} does not say which rows of its table were for which part (a former version wrote it, or it "
            f"was too large a table): {args.table} was split anew, which is right only if it is that table, in the "
            "same order and without new rows"
        )
    y = read.flat(read.y)
    chosen = read.flat_parts() == (TEST if args.part == "all" else PARTS.index(args.part))
    warn_of_clipped(members(model)[0], read.x)
    found = scores.score(task, read.flat(task_data.outputs(model, read.x, read.dt)), y, chosen)
    if found is None:
        raise ValueError(f"{args.table}: no row of it has an answer to compare with")
    said = {"model": args.model, "table": args.table, "part": args.part, "scores": found, "rows": rows}
    lines = scores.table([args.part, ""], {name: [value] for name, value in found.items()})
    report(said, [*lines, *told], args.json)
    return DONE


def _as_in_training(
    args: argparse.Namespace, read: TaskData, blocks: dict[str, list[kept.Block]]
) -> tuple[TaskData, dict[str, int], list[str]]:
    """A table with the parts that its rows had in training, how many there are of each, and what is to be told."""
    parts = kept.find(blocks, read)
    flat = np.concatenate(parts)
    counts = np.bincount(np.where(flat == split.NO_PART, len(PARTS), flat), minlength=len(PARTS) + 1)
    rows: dict[str, int] = {**dict(zip(PARTS, counts.tolist(), strict=False)), "new": int(counts[-1])}
    wanted = sum(count for _, count, _ in blocks[args.part])
    rows["missing"] = wanted - rows[args.part]
    if not rows[args.part]:
        of = f"the {counted(wanted, 'row')} that were the {args.part} part when {args.model}"
        raise ValueError(
            f"{args.table}: holds none of {of} was trained: give the table of the training, with the rows of each "
            "group in the same order, or measure all rows with --part all"
        )
    told = []
    if rows["new"]:
        told.append(f"{counted(rows['new'], 'row')} of {args.table} are in no part: new since the training, or changed")
    if rows["missing"]:
        told.append(
            f"{rows['missing']} of the {counted(wanted, 'row')} of the {args.part} part are missing, or changed"
        )
    return read._replace(part_of_row=parts, part_of_answer=split.of_answers(read.task, parts)), rows, told
