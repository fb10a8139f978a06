"""``python -m ltc_np export MODEL DIRECTORY``: a saved model as C99."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ...model import load
from .write import write

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Write an export and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m ltc_np export", description="Write a saved model as C99.")
    parser.add_argument("model", help="a file of Model.save")
    parser.add_argument("directory", help="a new folder, or a former export, which is replaced")
    parser.add_argument("--name", default="model", help="what files and names begin with; default: %(default)s")
    parser.add_argument("--double", action="store_true", help="numbers are double; default: float")
    parser.add_argument(
        "--no-libm", action="store_true", help="without math.h: its functions are written into the file"
    )
    parser.add_argument("--unroll", action="store_true", help="a line for each synapse and weight instead of tables")
    parser.add_argument("--dt", type=float, metavar="T", help="the elapsed time of every step, if it never changes")
    args = parser.parse_args(argv)
    try:
        export = write(
            load(args.model, backend="numpy"),
            args.directory,
            args.name,
            dtype="float64" if args.double else "float32",
            libm=not args.no_libm,
            unroll=args.unroll,
            dt=args.dt,
        )
    except (OSError, TypeError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    print(
        f"{export.folder}: {export.table_bytes} bytes of tables, {export.state_bytes} of state, {export.stack_bytes} "
        f"on the stack; error {export.error:.1e}"
    )
