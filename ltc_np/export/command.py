"""``python -m ltc_np export MODEL TARGET``: a saved model as C99, in float, double or fixed point, or for web pages."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..model import load
from . import c, fixed, web
from .fixed.calibration import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .c import Export


def main(argv: Sequence[str] | None = None) -> None:
    """Write an export and say where it is; what the target is called says which kind."""
    about = "Write a saved model as C99, or as a script for web pages."
    parser = argparse.ArgumentParser(prog="python -m ltc_np export", description=about)
    parser.add_argument("model", help="a file of Model.save")
    parser.add_argument("target", help="a new folder, or a former export, which is replaced; or a script, FILE.js")
    parser.add_argument("--name", default="model", help="what files and names begin with; default: %(default)s")
    parser.add_argument("--unroll", action="store_true", help="a line for each synapse and weight instead of tables")
    real = parser.add_argument_group("float and double")
    real.add_argument("--double", action="store_true", help="numbers are double; default: float")
    real.add_argument("--no-libm", action="store_true", help="without math.h: its functions are written into the file")
    real.add_argument("--dt", type=float, metavar="T", help="the elapsed time of every step, if it never changes")
    whole = parser.add_argument_group("fixed point")
    whole.add_argument("--fixed", action="store_true", help="numbers are integers of 32 bits; needs --calibration")
    whole.add_argument("--calibration", metavar="FILE", help="an .npz with x, and dt and lengths as for the model")
    whole.add_argument("--headroom", type=float, metavar="H", help="how much larger numbers may become; default: 2")
    whole.add_argument("--int16", action="store_true", help="weights have 16 bits")
    args = parser.parse_args(argv)
    try:
        _check(args)
        if _is_script(args):
            web.write(load(args.model, backend="numpy"), args.target, args.name)
            print(f"{args.target}: {os.path.getsize(args.target)} bytes")
            return
        export = _fixed(args) if args.fixed else _real(args)
    except (OSError, TypeError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    print(
        f"{export.folder}: {export.table_bytes} bytes of tables, {export.state_bytes} of state, {export.stack_bytes} "
        f"on the stack; error {export.error:.1e}"
    )


def _is_script(args: argparse.Namespace) -> bool:
    return str(args.target).endswith(".js")


def _check(args: argparse.Namespace) -> None:
    """Refuse options that have no effect on each other."""
    if _is_script(args) and (args.fixed or args.unroll or args.double or args.no_libm or args.dt is not None):
        raise ValueError(
            "a script, FILE.js, has one form: it goes without --fixed, --unroll, --double, --no-libm and --dt"
        )
    of_real = {"--double": args.double, "--no-libm": args.no_libm, "--dt": args.dt is not None}
    of_fixed = {"--calibration": args.calibration, "--headroom": args.headroom is not None, "--int16": args.int16}
    for option, given in (of_real if args.fixed else of_fixed).items():
        if given:
            raise ValueError(f"{option} goes {'without' if args.fixed else 'with'} --fixed only")
    if args.fixed and not args.calibration:
        raise ValueError("--fixed needs --calibration FILE, sequences like those that the model will see")


def _real(args: argparse.Namespace) -> Export:
    return c.write(
        load(args.model, backend="numpy"),
        args.target,
        args.name,
        dtype="float64" if args.double else "float32",
        libm=not args.no_libm,
        unroll=args.unroll,
        dt=args.dt,
    )


def _fixed(args: argparse.Namespace) -> Export:
    """Say the whole report, too."""
    found = fixed.quantise(
        load(args.model, backend="numpy"),
        **read(args.calibration),
        headroom=fixed.HEADROOM if args.headroom is None else args.headroom,
        weights="int16" if args.int16 else "int32",
    )
    export = fixed.write(found, args.target, args.name, unroll=args.unroll)
    print(found.report)
    return export
