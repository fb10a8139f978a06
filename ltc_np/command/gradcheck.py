"""``python -m ltc_np gradcheck``: whether the gradients of a saved model are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.gradcheck import check
from ..base.command_line import DONE, NO, Parser, check_least, digits, report, run
from ..model import Model, load
from . import scores

if TYPE_CHECKING:
    import argparse

TOLERANCE = 1e-5  # differences of float64 with steps of 1e-6 are right to about 1e-8; this leaves room for stiff cells
MOST = 20000  # coordinates

ABOUT = """\
Compare the hand-derived gradients of a saved model with finite differences, in float64, on a small random sequence:
those of every parameter, of the inputs, of the initial state and of the elapsed times.  Every number costs two calls.
Exit code 1 means that an error is larger than --tolerance.

example:
    python -m ltc_np gradcheck sunspots.npz"""


def main(argv: Sequence[str] | None = None) -> int:
    """Check; the exit status."""
    parser = Parser("gradcheck", ABOUT)
    parser.add_argument("model", metavar="MODEL", help="a file of `train` or of Model.save")
    parser.add_argument("--steps", type=int, default=4, metavar="T", help="of the sequence; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, metavar="X", help="largest relative error; default: %(default)s"
    )
    parser.add_output()
    return run(parser, _check, argv)


def _check(args: argparse.Namespace) -> int:
    check_least(args, steps=1, seed=0)
    if not 0 < args.tolerance < 1:
        raise ValueError(f"--tolerance must be a number between 0 and 1, got {args.tolerance}")
    saved = load(args.model, backend="numpy")
    if saved.theta.size > MOST:
        raise ValueError(f"{args.model}: has {saved.theta.size} parameters, and at most {MOST} can be checked")
    sequences = saved.return_sequences
    model = Model(*saved.layers, dtype="float64", backend="numpy", seed=0, return_sequences=sequences)
    model.theta = saved.theta.astype(np.float64)
    for name, values in saved.buffers.items():
        model.buffers[name] = values
    rng = np.random.default_rng(args.seed)
    x = rng.standard_normal((1, args.steps, model.input_size))
    dt = rng.uniform(0.5, 1.5, (1, args.steps)) if model.takes_dt else None
    found = {name: float(error) for name, error in check(model, x, dt=dt, seed=args.seed).items()}
    worst = max(found.values())
    right = worst <= args.tolerance
    said = {"model": args.model, "tolerance": args.tolerance, "right": right, "errors": found}
    told = f"largest {worst:.1e}, {'within' if right else 'LARGER THAN'} the tolerance {digits(args.tolerance)}"
    rows = scores.table(["gradient", "relative error"], {name: [error] for name, error in found.items()})
    report(said, [*rows, told], args.json)
    return DONE if right else NO
