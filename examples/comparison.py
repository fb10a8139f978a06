"""What the examples share: trainings side by side, tables, files written whole, sections of docs/results.md."""

import argparse
import datetime
import os
import pathlib
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from ltc_np import get_num_threads
from ltc_np.bench import host

SHORTENED = "--quick: this run is shortened; its results show that the example works, not how good the networks are"
DOCS = pathlib.Path(__file__).parents[1] / "docs"
VERSIONS = "Python 3.11.7, NumPy 2.4.6 and Numba 0.68.1"  # that docs/results.md names for all tables


def number(low, most=None):
    """A type for argparse: an int from ``low`` to ``most``, without an upper limit for None."""

    def parse(text):
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}, got {value}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, got {value}")
        return value

    parse.__name__ = "int"  # what argparse calls it
    return parse


def add_arguments(parser, models, default, seeds):
    """The options that comparisons of models have."""
    parser.add_argument("--models", nargs="+", choices=models, default=default, help=f"default: {' '.join(default)}")
    parser.add_argument(
        "--seeds", nargs="+", type=number(0), default=seeds, metavar="N",
        help=f"of weights and order; default: {' '.join(map(str, seeds))}",
    )  # fmt: skip
    parser.add_argument("--epochs", type=number(1), metavar="N", help="default: each model's own")
    parser.add_argument("--jobs", type=number(1), default=2, metavar="N", help="trainings at a time; default: 2")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", help="folder of the picture; default: this one")
    parser.add_argument("--no-plot", action="store_true", help="write no picture")
    parser.add_argument("--write-docs", action="store_true", help="write docs/results.md and its picture")


def check_arguments(parser, args):
    """What argparse cannot see; ``args.output`` becomes the folder of the picture, which then exists."""
    if args.write_docs and (args.quick or args.no_plot or args.output):
        parser.error("--write-docs excludes --quick, --no-plot and --output")
    for name in ("models", "seeds"):
        if len(set(getattr(args, name))) < len(getattr(args, name)):
            parser.error(f"--{name} must not name one twice")
    if args.quick:
        print(SHORTENED, file=sys.stderr)
    args.jobs = min(args.jobs, len(args.models) * len(args.seeds))
    args.output = DOCS / "images" if args.write_docs else args.output or pathlib.Path()
    if args.no_plot:
        return
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        import matplotlib  # before the training, in case it is missing
    except OSError as error:
        parser.error(f"--output must be a folder: {error}")
    except ImportError:
        parser.error('pictures need matplotlib: pip install ".[plot]", or --no-plot')
    matplotlib.use("Agg")


def threads_of(args):
    """Threads of each training."""
    return max(1, get_num_threads() // args.jobs)


def train_all(args, train, *own):
    """``train(name, seed, threads, *own)`` of all models and seeds, each in a process of its own.

    Returns the results by model, a list over the seeds for each.
    """
    threads = threads_of(args)
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)  # of the processes to come
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        futures = {name: [pool.submit(train, name, seed, threads, *own) for seed in args.seeds] for name in args.models}
        return {name: [future.result() for future in own] for name, own in futures.items()}


def reporter(name, seed, epochs, figures):
    """A callback that prints 25 times in a training what ``figures(logs)`` says."""
    start = time.perf_counter()

    def report(epoch, logs):
        if (epoch + 1) % max(1, epochs // 25) == 0 or epoch + 1 == epochs:
            seconds = time.perf_counter() - start
            text = f"{name}, seed {seed}: epoch {epoch + 1}/{epochs}, {figures(logs)}, {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)

    return report


def write(file, save):
    """``save(path)`` to a temporary file that then takes the place of ``file``, so that it is there whole or not."""
    part = file.with_name(f".{file.name}.part")
    try:
        save(part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    print(f"wrote {file}", file=sys.stderr)


def mean_sd(values, digits):
    """``"mean ± sd"``, or the value where there is one."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return f"{mean:.{digits}f} ± {variance**0.5:.{digits}f}"


def written(args, seconds):
    """A sentence for the end of a section: by which command and when it was written, and how long that took on what."""
    about, day = host.machine(), datetime.date.today()
    versions = f"Python {about['python']}, NumPy {about['numpy']} and Numba {about['numba']}"
    return (
        f"By `{args.command}` on {day:%d %B %Y} ({seconds / 60:.0f} min, {about['threads']} "
        f"core{'s' * (about['threads'] > 1)} of a {about['cpu']}{'' if versions == VERSIONS else f', {versions}'})."
    )


def put_section(title, text):
    """Write ``text`` to docs/results.md, in the place of the section of that heading or at the end."""
    file = DOCS / "results.md"
    page = file.read_text(encoding="utf-8") if file.exists() else "# Results\n"
    page = with_section(page, title, text)
    write(file, lambda part: part.write_text(page, encoding="utf-8"))


def with_section(page, title, text):
    """``page`` with ``text`` in the place of its section of that heading, or at the end."""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if found is None:
        return f"{page.rstrip()}\n\n{text}"
    after = page[found.end() :]
    return page[: found.start()] + text + ("\n" + after if after else "")
