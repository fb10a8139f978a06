"""``python -m ltc_np warmup``: compiles kernels before they are needed, for who builds containers."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.checks import counted
from ..base.command_line import DONE, NO, Parser, report, run
from ..cells import GRU, LRC, LSTM, LTC, CfC
from ..cells.base import Layer
from ..kernels import library
from ..model import Model, load
from ..optim import AdamW
from ..wirings import AutoNCP, FullyConnected

if TYPE_CHECKING:
    import argparse

# An LTC has one kernel for lists of synapses and one for all of them.
CELLS: dict[str, list[Callable[[], Layer]]] = {
    "ltc": [lambda: LTC(AutoNCP(8, 2), input_dim=2), lambda: LTC(FullyConnected(32, 2), input_dim=2)],
    "lrc": [lambda: LRC(AutoNCP(8, 2), input_dim=2), lambda: LRC(FullyConnected(32, 2), input_dim=2)],
    "cfc": [lambda: CfC(8, input_dim=2)],
    "lstm": [lambda: LSTM(8, input_dim=2)],
    "gru": [lambda: GRU(8, input_dim=2)],
}
STEPS = 4
BATCHES = (1, 16, 64)  # sequences; kernels for one, for a few and for many may be different ones

ABOUT = """\
Compile the kernels that models need, and keep them on disk, where later processes of this machine find them: then the
first call of each of them does not wait.  Kernels are kept in the folder NUMBA_CACHE_DIR, or else beside the package.
They fit this processor, this version of the package and of Numba.

examples:
    python -m ltc_np warmup oven.npz
    python -m ltc_np warmup --cells ltc cfc --dtypes float32"""


def main(argv: Sequence[str] | None = None) -> int:
    """Compile; the exit status."""
    parser = Parser("warmup", ABOUT)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="files of `train` or of Model.save")
    parser.add_argument(
        "--cells",
        nargs="+",
        choices=tuple(CELLS),
        metavar="CELL",
        help=f"of {', '.join(CELLS)}; default: without MODEL all",
    )
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "float64"), default=["float32"], help="of --cells; default: float32"
    )
    parser.add_output()
    return run(parser, _warm_up, argv)


def _warm_up(args: argparse.Namespace) -> int:
    if kernels.resolve("auto") != "cpu":
        raise ValueError(f"there is nothing to compile; kernels: {kernels.in_words('auto')}")
    found = library.chosen()
    if found is not None:
        for path in args.models:  # a file that is missing or damaged is a mistake here, too
            load(path, backend="cpu")
        told = f"nothing to compile: kernels came compiled, in {found.path.parent}"
        report({"compiled": [], "seconds": 0.0, "folder": str(found.path.parent)}, [told], args.json)
        return DONE
    compiler = kernels.load("cpu", "compiler")
    compiled: list[tuple[str, float]] = []
    for about, model in _models(args):
        if not args.quiet:
            print(f"ltc_np: {about}", file=sys.stderr, flush=True)
        with _noting(compiled, args.quiet):
            _use(model)
    folder = compiler.cache_folder()
    kept = f"in {folder}" if folder else "NOWHERE: no folder can be written to; set NUMBA_CACHE_DIR"
    seconds = sum(taken for _, taken in compiled)
    told = f"{counted(len(compiled), 'kernel')} compiled in {seconds:.1f} s; all are kept {kept}"
    report(
        {
            "compiled": [{"kernel": name, "seconds": taken} for name, taken in compiled],
            "seconds": seconds,
            "folder": folder,
        },
        [told],
        args.json,
    )
    return DONE if folder else NO


def _models(args: argparse.Namespace) -> Iterator[tuple[str, Model]]:
    """Those that were asked for, with what to call them."""
    for path in args.models:
        yield path, load(path, backend="cpu")
    for cell in args.cells or ([] if args.models else CELLS):
        for dtype in args.dtypes:
            for make in CELLS[cell]:
                model = Model(make(), backend="cpu", dtype=dtype, seed=0)
                yield f"{model.layers[0]!r}, {dtype}", model


@contextlib.contextmanager
def _noting(compiled: list[tuple[str, float]], quiet: bool) -> Iterator[None]:
    """A context in which the seconds of every kernel that Numba compiles are noted by its name, and told."""
    from numba.core import event as events

    class Listener(events.Listener):
        def on_start(self, event: Any) -> None:
            began[event.data["dispatcher"]] = time.monotonic()

        def on_end(self, event: Any) -> None:
            dispatcher = event.data["dispatcher"]
            seconds = time.monotonic() - began.pop(dispatcher)
            if dispatcher.targetoptions.get("no_cpython_wrapper"):  # a helper, a part of the kernel that calls it
                return
            name = library.symbol(dispatcher.py_func)
            compiled.append((name, seconds))
            if not quiet:
                print(f"  {name}: {seconds:.1f} s", file=sys.stderr, flush=True)

    began: dict[Any, float] = {}
    with events.install_listener("numba:compile", Listener()):
        yield


def _use(model: Model) -> None:
    """Call what a user calls: predictions, streams, gradients and an optimiser."""
    rng = np.random.default_rng(0)
    if model.layer_stack.causal:
        model.step(np.zeros((1, model.input_size)))
    for B in BATCHES:
        x = rng.standard_normal((B, STEPS, model.input_size))
        y = model(x)
        _, gradient, *_ = model.loss_and_grad(x, y)
        AdamW(1e-3).step(model, gradient)
