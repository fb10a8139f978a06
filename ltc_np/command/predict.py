"""``python -m ltc_np predict``: a model's answers to a table, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.checks import counted
from ..base.command_line import DONE, Parser, report, run
from ..base.types import Numbers
from ..ensemble import members
from ..losses.probabilities import probabilities
from ..network.clipped import warn_of_clipped
from ..online.stored import load_learnt
from . import forecast_times, options, outputs, records, tables, task_data
from .records import Records
from .tables import Table
from .task import Task, in_a_line, of_model

if TYPE_CHECKING:
    import argparse

ENDS = 0.05, 0.95  # of a density, the quantiles that are written


ABOUT = """\
Write the answers of a trained network to the rows of a table.

TABLE has the columns that the network reads; the target may be missing.  The answers are a table: at every row, or one
row for each group.  `predicted_NAME` stands for the target, H rows later where the network was trained with
--horizon H, at the time in the column TIME_of_target; of classes there are also their probabilities.  Of a network
with --components it is the mean, which may lie where no target does; 5%_NAME and 95%_NAME are between which nine in
ten targets lie; and of each component there are share_K, mean_K_NAME and deviation_K_NAME.

examples:
    python -m ltc_np predict sunspots.npz sunspots.csv --out next.csv
    python -m ltc_np predict vowels.npz new.parquet --out speakers.npz
    python -m ltc_np predict oven.npz - --out - < another_day.csv > answers.csv"""


def main(argv: Sequence[str] | None = None) -> int:
    """Predict; the exit status."""
    parser = Parser("predict", ABOUT, "MODEL TABLE --out FILE")
    parser.add_argument("model", metavar="MODEL", help="a file of `train`")
    parser.add_argument("table", metavar="TABLE", help=tables.ABOUT)
    parser.add_argument(
        "--out", required=True, metavar="FILE", help=f"the answers: {tables.WRITTEN} to standard output"
    )
    options.add_force(parser)
    parser.add_output()
    options.add_backend(parser)
    return run(parser, _predict, argv)


def _predict(args: argparse.Namespace) -> int:
    tables.check_kind(args.out)
    outputs.check({"--out": args.out}, [args.model, args.table], args.force)
    model = load_learnt(args.model, backend=args.backend)
    task = of_model(model, args.model)
    table = tables.read(args.table)
    rows = records.read(table, task)
    x, dt = records.inputs(task, table, rows)
    warn_of_clipped(members(model)[0], x)
    found = task_data.outputs(model, x, dt)
    columns = answers(task, table, rows, found)
    outputs.write({args.out: tables.written(args.out, columns)})
    count = len(next(iter(columns.values())))
    roles = task.roles(table.columns)
    said = {"file": args.out, "rows": count, "columns": list(columns), "roles": roles}
    lines = [in_a_line(roles), f"{args.out}: {counted(count, 'row')} of {', '.join(columns)}"]
    report(said, lines, args.json, outputs.channel(args.out))
    return DONE


def answers(task: Task, table: Table, rows: Records, found: list[Any]) -> dict[str, Numbers]:
    """The columns of the answers, in the order of the table's rows or of its groups."""
    if task.every_step:
        y = np.empty((table.rows, found[0].shape[-1]), found[0].dtype)
        for sequence, values in zip(rows.rows, found, strict=True):
            y[sequence] = values
        kept = [name for name in (task.group, task.time, task.dt) if name is not None]
        columns: dict[str, Numbers] = {name: table.columns[name].cells for name in kept}
        columns = columns or {"row": np.arange(table.rows)}
        if task.horizon and task.time is not None:
            columns[f"{task.time}_of_target"] = forecast_times.times(table.columns[task.time], rows, task.horizon)
    else:
        y, first = np.stack(found), [int(sequence[0]) for sequence in rows.rows]
        columns = {str(task.group): table.columns[str(task.group)].cells[first]}
    mixture = None if task.labels is not None else task_data.density(task, y)
    if mixture is not None:
        y, ends = (values.astype(y.dtype) for values in (mixture.mean(), mixture.quantiles(ENDS)))
        for k, name in enumerate(task.target):
            columns[f"predicted_{name}"] = y[:, k]
            for q, level in enumerate(ENDS):
                columns[f"{100 * level:g}%_{name}"] = ends[:, k, q]
        for one in range(mixture.mu.shape[-2]):
            columns[f"share_{one + 1}"] = np.exp(mixture.log_pi[:, one]).astype(y.dtype)
            for k, name in enumerate(task.target):
                columns[f"mean_{one + 1}_{name}"] = mixture.mu[:, one, k].astype(y.dtype)
                columns[f"deviation_{one + 1}_{name}"] = np.exp(mixture.log_sigma[:, one, k]).astype(y.dtype)
        return columns
    if task.labels is None:
        return columns | {f"predicted_{name}": y[:, k] for k, name in enumerate(task.target)}
    chances = probabilities(y)
    columns[f"predicted_{task.target[0]}"] = np.array(task.labels, object)[y.argmax(1)]
    return columns | {f"probability_{label}": chances[:, k] for k, label in enumerate(task.labels)}
