"""``python -m ltc_np evaluate``: how good a trained model is on a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..base.command_line import DONE, Parser, run
from ..model import load
from . import asked, options, scores, tables
from .split import PARTS, TEST
from .task import of_model

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

ABOUT = """\
Measure how good a trained network is on a table, which has the columns of training and the target.

Of numbers: rmse, the root of the mean squared error, and mae, the mean absolute error, in the unit of the target; r2,
the share of the variance that is explained.  Of classes: accuracy, its mean over the classes, and cross-entropy.

examples:
    python -m ltc_np evaluate oven.npz another_day.csv
    python -m ltc_np evaluate oven.npz oven.csv --part test     # the rows that `train` has kept for the test"""


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate; the exit status."""
    parser = Parser("evaluate", ABOUT, "MODEL TABLE")
    parser.add_argument("model", metavar="MODEL", help="a file of `train`")
    parser.add_argument("table", metavar="TABLE", help="a file .csv, .npz or .parquet")
    parser.add_argument(
        "--part", choices=("all", *PARTS), default="all", help="of the table that it was trained on; default: all rows"
    )
    options.add_json(parser)
    options.add_backend(parser)
    return run(parser, _evaluate, argv)


def _evaluate(args: argparse.Namespace) -> int:
    model = load(args.model, backend=args.backend)
    task = of_model(model, args.model)
    read = asked.read(task, tables.read(args.table), parts=args.part != "all")
    y, where = read.flat(read.y), read.flat(read.where)
    chosen = where == (TEST if args.part == "all" else PARTS.index(args.part))
    found = scores.score(task, read.flat(asked.outputs(model, read.x, read.dt)), y, chosen)
    if found is None:
        raise ValueError(f"{args.table}: no row of it has an answer to compare with")
    if args.json:
        print(json.dumps({"model": args.model, "table": args.table, "part": args.part, "scores": found}, indent=1))
    else:
        print(scores.table([args.part, ""], {name: [value] for name, value in found.items()}))
    return DONE
