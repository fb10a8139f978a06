"""Which hyperparameters are good on many tasks?  How the defaults of `ltc_np.recipe.Recipe` were chosen.

DATA is a folder with these files; the generated tasks (xor, adding, oscillator) need none.

  half_cheetah.npz                   as for half_cheetah.py
  ethanol.npz, scp1.npz              as for long_range.py
  sunspots.csv                       as for sunspots.py
  JapaneseVowels_TRAIN.ts, _TEST.ts  of the UEA archive (timeseriesclassification.com), and the same of BasicMotions,
                                     GunPoint and ItalyPowerDemand; the Python package `aeon` has them all, in folders
                                     of these names in aeon/datasets/data

    python examples/defaults.py --quick                 # seconds: a few trainings on what is generated, far too short
    python examples/defaults.py DATA --stages search    # variants of a recipe, judged by the validation sets
    python examples/defaults.py DATA --stages test      # the defaults, other cells, baselines: reads the test sets
    python examples/defaults.py DATA --write-docs       # both, and docs/results.md

Every finished training is written at once to a file of lines (--results), and what stands there is not trained again:
an interruption loses nothing, and the same command goes on.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context

from comparison import SHORTENED, number, put_section
from defaults_baselines import baselines
from defaults_readings import NOW
from defaults_section import section
from defaults_table import Results, search_table, test_table, tested
from defaults_tasks import TASKS
from defaults_variants import ROUNDS, job

from ltc_np.recipe import CELLS

STAGES = "search", "test"
SEEDS = 0, 1, 2  # of the test


def search(rounds, tasks):
    """The trainings of the search; all of the first seed first, so that what is there is comparable at any time."""
    for place in range(max(len(own.seeds) for own in rounds)):
        for own in rounds:
            for seed in own.seeds[place : place + 1]:
                for task in tasks:
                    yield from (job(task, variant, own.base, seed) for variant in (own.first, *own.variants))


def test(cells, tasks, seeds):
    """The trainings of the test, and the baselines."""
    for seed in seeds:
        for cell in cells:
            yield from (NOW.job(task, cell, seed) for task in tasks)
    for task in tasks:
        yield from baselines(task)


def read(file):
    """The results in a file of lines, and how many of its bytes they are: an unfinished last line is left out."""
    lines, whole = [], 0
    for line in file.read_bytes().splitlines(keepends=True) if file.exists() else []:
        if line.endswith(b"\n"):
            lines.append(json.loads(line))
            whole += len(line)
    return lines, whole


def train_all(planned, file, folder, jobs):
    """Train what is not in the file yet, and write each result to it when it is there."""
    lines, whole = read(file)
    results = Results(lines)
    missing = [own for own in dict.fromkeys(planned) if own and results.get(own) is None]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the processes to come
    start = time.perf_counter()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, file.open("ab") as out:
        out.truncate(whole)
        futures = [pool.submit(own.run, folder) for own in missing]
        for count, future in enumerate(as_completed(futures), 1):
            result = future.result()
            out.write(json.dumps(result).encode() + b"\n")
            out.flush()
            what = result.get("baseline") or f"{result['recipe']['cell']}, seed {result['seed']}"
            text = f"{count}/{len(futures)}, {time.perf_counter() - start:.0f} s: {result['task']}, {what}"
            print(f"{text}: {result['error']:.4f}", file=sys.stderr, flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [task.name for task in TASKS]
    parser.add_argument("data", nargs="?", type=pathlib.Path, metavar="DATA", help="folder of the data; see above")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES, help="default: both; none: the tables")
    parser.add_argument("--tasks", nargs="+", choices=names, default=names, help="default: all")
    parser.add_argument("--jobs", type=number(1), default=2, metavar="N", help="trainings at a time; default: 2")
    parser.add_argument(
        "--results", type=pathlib.Path, default=pathlib.Path("defaults.jsonl"), metavar="FILE",
        help="file of finished trainings; default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="what is generated, little of it; nothing is kept")
    parser.add_argument("--write-docs", action="store_true", help="write docs/results.md")
    args = parser.parse_args(argv)
    if args.write_docs and args.quick:
        parser.error("--write-docs excludes --quick")
    tasks = [task for task in TASKS if task.name in args.tasks]
    rounds, seeds = ROUNDS, SEEDS
    if args.quick:
        print(SHORTENED, file=sys.stderr)
        tasks = [replace(task, epochs=2, sizes=task.small) for task in tasks if task.small]
        rounds, seeds = [replace(own, variants=own.variants[:2], seeds=(0,)) for own in ROUNDS], (0,)
    for task in tasks:
        if not (task.sizes or args.data):
            parser.error(f"DATA is needed for {task.name}; the others are: --tasks xor adding oscillator")
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "quick.jsonl") if args.quick else args.results
        try:
            if "search" in args.stages:
                train_all(search(rounds, [task for task in tasks if task.searched]), file, args.data, args.jobs)
            if "test" in args.stages:
                train_all(test(CELLS, tasks, seeds), file, args.data, args.jobs)
            results = Results(read(file)[0])
        except (OSError, ValueError) as problem:
            parser.error(str(problem))
    for own in rounds:
        print(search_table(results, own, tasks), end="\n\n")
    print(test_table(tested(results, tasks, seeds), tasks))
    if args.write_docs:
        put_section(*section(results, tasks, rounds, seeds))


if __name__ == "__main__":
    main()
