"""``python -m ltc_np bench``: what this machine makes of the standard cases, against the limit of its processor."""

import sys
from functools import partial

from .. import kernels
from ..base import threads
from ..base.command_line import DONE, Parser, check_least, report, run
from . import cuda, host, streams
from .cases import CARD_CASES, CASES
from .peers import compare
from .rates import RUNS

ABOUT = """\
What this machine makes of the standard cases, against the limit of its processor.

examples:
    python -m ltc_np bench
    python -m ltc_np bench --cases tutorial cfc --dtypes float32
    python -m ltc_np bench --cases streams --threads 4"""

HOST_CASES = (*CASES, host.STREAMS)


def main(argv=None):
    """Run the benchmark and print it; the exit status."""
    parser = Parser("bench", ABOUT)
    parser.add_argument("--threads", type=int, metavar="N", help="threads to use; default: all cores")
    parser.add_argument("--backend", choices=("cpu", "cuda"), default="cpu", help="default: %(default)s")
    kinds = f"{' '.join(HOST_CASES)}, of which the first five are LTCs and the last is the latency of "
    kinds += f"{streams.STREAMS:,} streams; of cuda: {' '.join(CARD_CASES)}; default: all"
    parser.add_argument("--cases", nargs="+", choices={*HOST_CASES, *CARD_CASES}, metavar="CASE", help=kinds)
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "float64"), default=["float32", "float64"], help="default: both"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=RUNS,
        metavar="N",
        help="runs behind each figure, which is their median; default: %(default)s",
    )
    parser.add_argument(
        "--peers", action="store_true", help="time ncps, JAX and PyTorch as well, those that are installed"
    )
    parser.add_output()
    return run(parser, partial(_bench, parser), argv)


def _bench(parser, args):
    """Measure, and report; the exit status."""
    say = (lambda text: None) if args.quiet else partial(print, file=sys.stderr, flush=True)
    check_least(args, runs=1, threads=1)
    known = CARD_CASES if args.backend == "cuda" else HOST_CASES
    cases = args.cases or list(known)
    if not set(cases) <= set(known):
        parser.error(f"--cases of {args.backend} are {' '.join(known)}, got {' '.join(cases)}")
    if args.backend == "cuda":
        reason = cuda.why_not()
        if reason is not None:
            parser.error(reason)
        result = cuda.run(cases, args.dtypes, args.runs, args.peers, say)
        text = cuda.table(result)
    else:
        if kernels.resolve("auto") != "cpu":
            parser.error("the benchmark is of the cpu backend, which needs compiled kernels or a working numba")
        threads.set_num_threads(args.threads)
        result = host.run(cases, args.dtypes, args.runs, say)
        text = host.table(result)
        if args.peers:
            result["peers"] = compare.compare(cases, threads.get_num_threads(), args.runs, say)
            text += "\n\n" + compare.table(result["peers"])
    report(result, text.split("\n"), args.json)
    return DONE
