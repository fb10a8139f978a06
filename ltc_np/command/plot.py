"""``python -m ltc_np plot``: pictures of a model, of its training, and of what it does on a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import plot
from ..base.command_line import DONE, Parser, check_least, digits, report, run
from ..ensemble import members
from ..model import Model
from ..online.stored import load_learnt
from ..plot.styling import plain
from ..shortcut import network
from . import options, outputs, pictures, tables, task_data
from .task import KEY, history_of, of_model
from .task_data import TaskData

if TYPE_CHECKING:
    import argparse

    from matplotlib.axes import Axes


ABOUT = """\
Draw a picture of a network: of what it does on a table, of itself, or of its training.

  predictions      answers beside the truth (default with TABLE); of classes, which was taken for which
  states           the state of every neuron over time
  time-constants   how quickly every neuron follows its drive, over time
  wiring           which neuron drives which, and how strongly (default without TABLE)
  learning         the loss over the epochs of the training

examples:
    python -m ltc_np plot sunspots.npz sunspots.csv --out forecast.png
    python -m ltc_np plot sunspots.npz --what learning --out learning.svg
    python -m ltc_np plot vowels.npz vowels.csv --what states --group 7 --out states.png"""
OF_A_TABLE, OF_ITSELF = ("predictions", "states", "time-constants"), ("wiring", "learning")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; the exit status."""
    parser = Parser("plot", ABOUT, "MODEL [TABLE] --out FILE")
    parser.add_argument("model", metavar="MODEL", help="a file of `train`; a wiring also of Model.save")
    parser.add_argument("table", metavar="TABLE", nargs="?", help=tables.ABOUT)
    parser.add_argument("--what", choices=(*OF_A_TABLE, *OF_ITSELF), help="which picture; see above")
    parser.add_argument("--out", required=True, metavar="FILE", help=f"the picture: a file {', '.join(pictures.KINDS)}")
    parser.add_argument("--group", metavar="NAME", help="which sequence of the table; default: the first one")
    parser.add_argument(
        "--last", type=int, metavar="N", help=f"draw the last N rows of it; default: {pictures.LAST}, or fewer"
    )
    options.add_force(parser)
    parser.add_output()
    return run(parser, _plot, argv)


def _plot(args: argparse.Namespace) -> int:
    what = args.what or ("wiring" if args.table is None else "predictions")
    if what in OF_A_TABLE and args.table is None:
        raise ValueError(f"--what {what} needs TABLE, on which the network runs")
    if what in OF_ITSELF:
        for name, value in (("TABLE", args.table), ("--group", args.group), ("--last", args.last)):
            if value is not None:
                raise ValueError(f"{name} has no effect on --what {what}, got {value}")
    check_least(args, last=2)
    pictures.check_kind("--out", args.out)
    outputs.check({"--out": args.out}, [path for path in (args.model, args.table) if path], args.force)
    model = load_learnt(args.model, backend="auto" if what == "predictions" else "numpy")
    draw = _of_itself(what, model, args.model) if what in OF_ITSELF else _of_a_table(what, model, args)
    outputs.write({args.out: pictures.drawn(args.out, [draw])})
    report({"file": args.out, "what": what}, [f"{args.out}: {what} of {args.model}"], args.json)
    return DONE


def _of_itself(what: str, model: Model, path: str) -> Callable[..., Any]:
    if what == "learning":
        return pictures.learning(history_of(model, path))
    names = of_model(model, path).names if KEY in (model.notes or {}) else None
    if names is not None and len(names) != model.input_size:  # of a mask every feature stands there three times
        names = None
    alone = _network(model)
    return lambda ax: plot.wiring(alone, input_names=names, ax=ax)


def _network(model: Model) -> Model:
    """The network alone, of an ensemble the first one: a line beside it has no neurons."""
    return network(members(model)[0])


def _of_a_table(what: str, model: Model, args: argparse.Namespace) -> Callable[..., Any]:
    task = of_model(model, args.model)
    read = task_data.read(task, tables.read(args.table), parts=False)
    last = args.last or pictures.LAST
    if what == "predictions":
        found = task_data.means(task, task_data.outputs(model, read.x, read.dt))
        return pictures.answers(read, found, args.group, last)
    model = _network(model)
    traced = trace(model, read, pictures.sequence(read, args.group), last)
    layer = max(range(len(model.layers)), key=lambda k: model.layers[k].state_size)
    draw = plot.states if what == "states" else plot.time_constants

    def drawn(ax: Axes) -> None:
        draw(traced, layer=layer, ax=ax)
        if (task.time or task.dt) and traced.dt is not None:
            unit = digits(task.unit) + " s" * task.dates
            clock = plain(task.time or f"sum of {task.dt}")
            ax.set_xlabel(f"{clock} since the row before the first one drawn, in units of {unit}")

    return drawn


def trace(model: Model, read: TaskData, k: int, last: int) -> Any:
    """What happens on the last rows of a sequence, from the state in which those before leave the network."""
    x, dt = read.x[k], None if read.dt is None or not model.takes_dt else read.dt[k]
    first = max(0, len(x) - last)
    h0 = None
    if first:
        _, h0 = model(x[:first], dt=None if dt is None else dt[:first], return_state=True)
    return model.trace(x[first:], None if dt is None else dt[first:], h0=h0)
