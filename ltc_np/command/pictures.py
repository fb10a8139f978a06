"""Pictures of a training, and of what a model does on a table."""

from __future__ import annotations

import importlib.util
import io
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plot
from ..base.optional import need
from ..base.types import Array, Ints, Numbers
from ..plot.styling import legend, plain
from ..train.history import History
from . import calendar
from .split import PARTS, TEST, TRAIN, VALIDATION
from .tables import STANDARD

if TYPE_CHECKING:
    import argparse

    from matplotlib.axes import Axes

    from .task_data import TaskData

KINDS = (".png", ".svg", ".pdf")
SIZE = 16.0, 6.5  # cm of one picture, the width of a page
DOTS = 200  # an inch
MOST_TARGETS = 6
LAST = 200  # rows of a series that are to be told apart


def add(parser: Any, default: str) -> None:
    """The options about the picture."""
    parser.add_argument("--picture", metavar="FILE", help=f"a .png, .svg or .pdf; default: {default}")
    parser.add_argument("--no-picture", action="store_true", help="draw none")


def path(args: argparse.Namespace) -> str | None:
    """Where the picture goes, beside --out; None without matplotlib, or without --out, if nobody has asked for it."""
    if args.no_picture:
        if args.picture is not None:
            raise ValueError("--picture and --no-picture must not be given both: choose one")
        return None
    if args.picture is not None:
        check_kind("--picture", args.picture)
        return str(args.picture)
    if args.out in (None, STANDARD) or not importlib.util.find_spec("matplotlib"):
        return None
    return str(pathlib.Path(args.out).with_suffix(".png"))


def missing(args: argparse.Namespace) -> list[str]:
    """The line about a picture that is not drawn, since there is no matplotlib."""
    if args.no_picture or args.out in (None, STANDARD) or importlib.util.find_spec("matplotlib"):
        return []
    return ['no picture without matplotlib: pip install "ltc-np[cli]"']


def check_kind(option: str, path: str) -> None:
    """Refuse a name that is none of a picture, and pictures without matplotlib."""
    if pathlib.Path(path).suffix.lower() not in KINDS:
        raise ValueError(f"{option} must end in {', '.join(KINDS)}, got {path}")
    need("matplotlib", "cli", "drawing")


def drawn(path: str, draw: Sequence[Callable[[Axes], Any]]) -> bytes:
    """The content of a file with pictures one above the other."""
    figure = need("matplotlib.figure", "cli", "drawing").Figure
    width, height = SIZE
    with plot.style():
        page = figure(figsize=(width / 2.54, height * len(draw) / 2.54), layout="constrained", dpi=DOTS)
        for ax, draw_one in zip(np.ravel(page.subplots(len(draw), 1)), draw, strict=True):
            draw_one(ax)
        content = io.BytesIO()
        page.savefig(content, format=pathlib.Path(path).suffix[1:].lower())
    return content.getvalue()


def noted(history: History) -> dict[str, Any]:
    """A history in plain data, for the notes of a model."""
    return {"epoch": history.epoch, "val_epoch": history.val_epoch, "best_epoch": history.best_epoch,
            "measured": dict(history)}  # fmt: skip


def learning(saved: dict[str, Any]) -> Callable[[Axes], Any]:
    """Draws the learning curves of `noted`."""
    history = History()
    history.epoch, history.val_epoch, history.best_epoch = saved["epoch"], saved["val_epoch"], saved["best_epoch"]
    history.update(saved["measured"])
    return lambda ax: plot.learning_curves(history, ax=ax)


def answers(data: TaskData, outputs: list[Array], group: str | None = None, last: int = LAST) -> Callable[[Axes], Any]:
    """Draws answers beside the truth: over time, or all in one picture where a sequence has one answer."""
    task = data.task
    if task.labels is not None:
        return lambda ax: _confusion(data, outputs, ax)
    if not task.every_step:
        return lambda ax: _scatter(data, outputs, ax)
    k = sequence(data, group)
    rows, H = data.records.rows[k], task.horizon
    if len(task.target) > MOST_TARGETS:
        raise ValueError(f"at most {MOST_TARGETS} targets fit into one picture, got {len(task.target)}")
    beyond = np.full((H, len(task.target)), np.nan)  # before the first forecast, and after the last true value
    truth, guess = np.concatenate([data.now[rows], beyond]), np.concatenate([beyond, outputs[k]])
    t = _times(data, k)
    if H:
        t = np.concatenate([t, t[-1] + np.arange(1, H + 1) * (np.median(np.diff(t)) if len(t) > 1 else 1)])
    begins = {part: when for part, when in _begins(data.part_of_answer[k], t, H).items() if when >= t[-last - H :][0]}
    truth, guess, t = truth[-last - H :], guess[-last - H :], t[-last - H :]
    one = len(task.target) == 1

    def draw(ax: Axes) -> None:
        flat = (truth[:, 0], guess[:, 0]) if one else (truth, guess)
        plot.predictions(t, *flat, names=task.target, ax=ax)
        name = f", {task.group} {data.records.names[k]}" if task.group else ""
        _mark_times(ax, (task.time or (f"sum of {task.dt}" if task.dt else "row")) + name, data.records.dates, begins)

    return draw


def forecast(
    t: Numbers, y: Array, found: Array, begins: Mapping[str, int], name: str, label: str, dates: str, share: float
) -> Callable[[Axes], Any]:
    """Draws values (T,), and beside them forecasts with their intervals.

    Parameters
    ----------
    t : (T + H,) array
        Times of the table's rows and of the forecast; of dates in microseconds.
    found : (T + H, 3) array
        Forecast, lower and upper end; NaN where there is none.
    begins : Mapping
        What begins at which of the T + H rows.
    """
    t = calendar.days(t, dates) if dates else t.astype(float)
    H = len(t) - len(y)
    first = max(0, len(y) - LAST)
    marks = {what: t[max(row, first)] for what, row in begins.items()}
    t, truth, found = t[first:], np.append(y, np.full(H, np.nan))[first:], found[first:]

    def draw(ax: Axes) -> None:
        guess, low, high = found.T
        plot.predictions(t, truth, guess, intervals={share: (low, high)}, names=[name], ax=ax)
        _mark_times(ax, label, dates, marks)

    return draw


def _mark_times(ax: Axes, label: str, dates: str, begins: Mapping[str, float]) -> None:
    """The axis of time, and where parts begin."""
    if dates:
        ax.xaxis_date()
    ax.set_xlabel(plain(label))
    for part, when in begins.items():
        ax.axvline(when, color="gray", linestyle=":", linewidth=0.8)
        ax.text(when, 1, f" {part}", transform=ax.get_xaxis_transform(), va="top", color="gray", fontsize="small")


def _begins(parts: Ints, t: Numbers, H: int) -> dict[str, Any]:
    """When the targets of the validation and of the test begin, if the table was split by time."""
    if not (parts == TRAIN).any() or not (parts == TEST).any():
        return {}
    return {PARTS[part]: t[H:][parts == part][0] for part in (VALIDATION, TEST)}


def sequence(data: TaskData, group: str | None) -> int:
    """Which sequence a group is; the first one for None."""
    names = data.records.names
    if group is None:
        return 0
    if group not in names or data.task.group is None:
        known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ValueError(f"--group must be a group of the table ({known or 'it has none'}), got {group}")
    return names.index(group)


def _times(data: TaskData, k: int) -> Numbers:
    """When the rows were observed; of dates, in matplotlib's days."""
    rows, times = data.records.rows[k], data.records.times
    if data.records.steps is not None:
        return np.cumsum(data.records.steps[rows])
    if times is None:
        return np.arange(len(rows), dtype=float)
    dates = data.records.dates
    return calendar.days(times[rows], dates) if dates else times[rows].astype(float)


def _confusion(data: TaskData, outputs: list[Array], ax: Axes) -> None:
    """How often each class was taken for each."""
    labels, y = data.task.labels or (), data.flat(data.y)
    known = ~np.isnan(y)
    guess = data.flat(outputs).argmax(1)[known]
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (y[known].astype(int), guess), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks, words, name = np.arange(len(labels)), [plain(label) for label in labels], plain(data.task.target[0])
    ax.set_xticks(ticks, words, rotation=90 if max(map(len, labels)) > 3 else 0)
    ax.set_yticks(ticks, words)
    ax.set(xlabel=f"predicted {name}", ylabel=f"true {name}")
    if len(labels) <= 12:
        for at in np.ndindex(counts.shape):
            dark = share[at] > 0.5
            ax.text(at[1], at[0], str(counts[at]), ha="center", va="center", color="white" if dark else "black")


def _scatter(data: TaskData, outputs: list[Array], ax: Axes) -> None:
    """Each answer over the truth."""
    y, guess = data.flat(data.y), data.flat(outputs)
    handles = []
    for k, name in enumerate(data.task.target):
        handles += ax.plot(y[:, k], guess[:, k], ".", label=plain(name))
    ends = [np.nanmin(y), np.nanmax(y)]
    handles += ax.plot(ends, ends, color="black", linewidth=0.6, label="as it is")
    ax.set(xlabel="true", ylabel="predicted")
    legend(ax, handles)
