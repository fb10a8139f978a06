"""The command line: which commands there are; one file a command, and what they share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from ..base.version import __version__

Main = Callable[[Sequence[str]], "int | None"]

USAGE = """usage: python -m ltc_np COMMAND [options]

from a table to a judged network:
  train      train a network on a table: CSV, NumPy's .npz, or Parquet
  evaluate   how good a trained network is on a table
  predict    its answers to a table, as a table
  forecast   a table's columns continued, with intervals, and how good that was
  info       what a model file holds; without a file, which kernels run on this machine
  plot       pictures of a network, of its training, and of what it does on a table

  export     a saved model as C99, as a script for web pages, or as ONNX
  convert    files of ncps' state dicts to model files, and back
  gradcheck  whether the gradients of a saved model are right, by finite differences
  bench      speed of the standard cases on this machine, against the limit of its processor
  warmup     compiles kernels before they are needed, for containers
  build-kernels  compiles all kernels once, so that no first call waits for that and Numba is not needed
  completion  a script by which bash, zsh or fish completes commands and options

  help COMMAND, --version

example:
  python -m ltc_np train sunspots.csv --target number --time year --horizon 1 --out sunspots.npz
  python -m ltc_np predict sunspots.npz sunspots.csv --out next.csv
  python -m ltc_np forecast sunspots.csv --target number --time year --horizon 10 --out decade.csv

`python -m ltc_np COMMAND --help` has more examples.  Exit codes: 0, done; 1, done, and the answer is no; 2, a mistake,
said in one line, and nothing was written.
"""


COMMANDS = (
    *("train", "evaluate", "predict", "forecast", "info", "plot", "export", "convert", "gradcheck", "bench"),
    *("warmup", "build-kernels", "completion"),
)


def main_of(command: str) -> Main:
    """The function that runs a command, which alone is loaded."""
    main: Main
    match command:
        case "train":
            from .train import main
        case "evaluate":
            from .evaluate import main
        case "predict":
            from .predict import main
        case "forecast":
            from .forecast import main
        case "info":
            from .info import main
        case "plot":
            from .plot import main
        case "export":
            from ..export.command import main
        case "convert":
            from ..interop.ncps.command import main
        case "gradcheck":
            from .gradcheck import main
        case "bench":
            from ..bench.command import main
        case "warmup":
            from .warmup import main
        case "build-kernels":
            from ..kernels.aot.command import main
        case "completion":
            from functools import partial

            from . import completion

            main = partial(completion.main, COMMANDS, main_of)
        case _:
            raise ValueError(f"`command` must be one of {', '.join(COMMANDS)}, got {command!r}")
    return main


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if list(argv) in (["-h"], ["--help"], ["help"]):
        print(USAGE, end="")
        return 0
    if list(argv) == ["--version"]:
        print(f"ltc_np {__version__}")
        return 0
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    if not argv:
        print(USAGE, end="", file=sys.stderr)
        return 2
    name, *rest = argv
    if name not in COMMANDS:
        import difflib

        close = difflib.get_close_matches(name, COMMANDS, 1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
        print(f"python -m ltc_np: unknown command {name!r}: {meant}", file=sys.stderr)
        return 2
    try:
        return main_of(name)(rest) or 0
    except BrokenPipeError:  # who reads, such as `head`, has enough
        sys.stderr.close()
        return 0
