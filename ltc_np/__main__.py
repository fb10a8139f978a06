"""``python -m ltc_np COMMAND``."""

import sys

USAGE = """usage: python -m ltc_np COMMAND [options]

commands:
  bench    speed of the standard cases on this machine, against the limit of its processor
  export   a saved model as C99, as a script for web pages, or as ONNX
  convert  files of ncps' state dicts to model files, and back
"""


def main(argv):
    """Run one command; the exit status."""
    if argv[:1] == ["bench"]:
        from .bench.command import main as bench

        bench(argv[1:])
        return 0
    if argv[:1] == ["export"]:
        from .export.command import main as export

        export(argv[1:])
        return 0
    if argv[:1] == ["convert"]:
        from .interop.ncps.command import main as convert

        return convert(argv[1:])
    wanted_help = argv in (["-h"], ["--help"])
    if argv and not wanted_help:
        print(f"python -m ltc_np: unknown command {argv[0]!r}", file=sys.stderr)
    print(USAGE, end="", file=sys.stdout if wanted_help else sys.stderr)
    return 0 if wanted_help else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
