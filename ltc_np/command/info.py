"""``python -m ltc_np info``: what a model file holds, or what runs on this machine."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..base.checks import counted
from ..base.command_line import DONE, NO, Parser, digits, report, run
from ..kernels.versions import versions
from ..model import Model
from ..online.stored import load_learnt
from . import kept
from .task import KEY, Task, of_model

if TYPE_CHECKING:
    import argparse


ABOUT = """\
Say what a model file holds: layers, sizes, parameters, scales, and the columns of tables that the network reads.

Without a file: versions, and which kernels run on this machine, for reports of faults.  The exit status is 1 if
LTC_NP_KERNELS asks for kernels that cannot be had.

examples:
    python -m ltc_np info sunspots.npz
    python -m ltc_np info"""


def main(argv: Sequence[str] | None = None) -> int:
    """Describe; the exit status."""
    parser = Parser("info", ABOUT)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a file of `train` or of Model.save")
    parser.add_output()
    return run(parser, _info, argv)


def _info(args: argparse.Namespace) -> int:
    if args.model is None:
        found = versions()
        report(found, [f"{name}: {value}" for name, value in found.items()], args.json)
        return DONE if kernels.why_not_asked() is None else NO
    model = load_learnt(args.model, backend="numpy")
    task = of_model(model, args.model) if KEY in (model.notes or {}) else None
    report(_report(model, args.model), _text(model, task, args.model), args.json)
    return DONE


def _report(model: Model, path: str) -> dict[str, Any]:
    notes, rows = model.notes, None
    parts = kept.of_model(model, path)
    if notes is not None and parts is not None:  # digests say nothing to a reader
        notes = {name: value for name, value in notes.items() if name != kept.KEY}
        rows = {part: sum(count for _, count, _ in blocks) for part, blocks in parts.items()}
    return {
        "file": path,
        "bytes": os.path.getsize(path),
        "class": type(model).__name__,
        "dtype": model.dtype.name,
        "inputs": model.input_size,
        "outputs": model.output_size,
        "state": model.state_size,
        "parameters": int(model.theta.size),
        "trainable": int(model.theta.size if model.trainable is None else model.trainable.sum()),
        "return_sequences": model.return_sequences,
        "takes_dt": model.takes_dt,
        "layers": [
            {"layer": repr(layer), "outputs": layer.output_size, "state": layer.state_size,
             "parameters": layer.layout.size} for layer in model.layers
        ],
        "arrays": {name: list(values.shape) for name, values in model.params.items()},
        "buffers": {name: values.tolist() for name, values in model.buffers.items()},
        "epochs": None if model.trained is None else model.trained.epochs,
        "loss": None if model.trained is None else model.trained.loss,
        "notes": notes,
        "rows": rows,
    }  # fmt: skip


def _text(model: Model, task: Task | None, path: str) -> list[str]:
    model.summary(summary := io.StringIO())
    shown = summary.getvalue().replace(f", backend {model.backend}", "")  # a file has none; the one of this command
    lines = [f"{path}: {os.path.getsize(path)} bytes, {type(model).__name__}", *shown.splitlines()]
    answer = "at every step" if model.return_sequences else "for a whole sequence"
    times = "elapsed times" if model.takes_dt else "no elapsed times"
    sizes = f"{counted(model.input_size, 'input')}, {counted(model.output_size, 'output')}"
    lines.append(f"{sizes} {answer}; reads {times}")
    if model.trained is not None:
        best = "" if model.best is None else f", best {model.best.monitor} {model.best.value:.4g}"
        epochs = counted(model.trained.epochs, "epoch")
        lines.append(f"trained for {epochs} with {model.trained.loss}{best}")
    if task is not None:
        lines += ["", *_of_task(model, task)]
    return lines


def _of_task(model: Model, task: Task) -> list[str]:
    """What it is asked, with the scales of the columns."""
    kind = "numbers" if task.labels is None else f"classes {', '.join(task.labels)}"
    later = f", {task.horizon} rows later" if task.horizon else ""
    lines = [f"target: {', '.join(task.target)}{later} ({kind})"]
    if task.time is not None:
        unit = "s" if task.dates else f"of {task.time}"
        kind = "dates" if task.dates else "numbers"
        lines.append(f"time: {task.time} ({kind}), an elapsed time of 1 is {digits(task.unit)} {unit}")
    if task.dt is not None:
        lines.append(f"elapsed times: {task.dt}, of which {digits(task.unit)} is 1")
    if task.group is not None:
        lines.append(f"group: {task.group}")
    lines.append(f"missing values: {task.missing}")
    shares = f"{digits(task.validation)} for validation, {digits(task.test)} for the test"
    lines.append(f"split by {task.by}: {shares}, seed {task.seed}")
    scales = [values for name, values in model.buffers.items() if name.startswith("0.")]
    for k, name in enumerate(task.names):
        scale = "" if len(scales) != 2 else f": mean {scales[0][k]:.4g}, spread {scales[1][k]:.4g}"
        lines.append(f"feature: {name}{scale}")
    return lines
