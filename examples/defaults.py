"""Which hyperparameters are good on many tasks, and do the default estimators lose to a line?

DATA is a folder with these files; the generated tasks (xor, adding, oscillator) need none.

  half_cheetah.npz                   as for half_cheetah.py
  ethanol.npz, scp1.npz              as for long_range.py
  sunspots.csv                       as for sunspots.py
  JapaneseVowels_TRAIN.ts, _TEST.ts  of the UEA archive (timeseriesclassification.com), and the same of BasicMotions,
                                     GunPoint and ItalyPowerDemand; the Python package `aeon` has them all, in folders
                                     of these names in aeon/datasets/data

The new tasks, on which no hyperparameter was chosen, are read from packages: pip install "ltc-np[examples,aeon]".

    python examples/defaults.py --quick                 # seconds: a few trainings on what is generated, far too short
    python examples/defaults.py DATA --stages search    # recipes drawn at random, judged by the validation sets
    python examples/defaults.py DATA --stages test      # the default estimators and baselines: reads the test sets
    python examples/defaults.py DATA --write-docs       # both, and docs/results.md; or some of the stages

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

from comparison import DOCS, SHORTENED, number, put_section
from defaults_baselines import baselines
from defaults_new_tasks import NEW
from defaults_results import Results, read
from defaults_search import OWN, RUNGS, Rung, halving
from defaults_section import ENSEMBLE, MANY, SPREAD, before, section, won, write_files
from defaults_tasks import TASKS
from defaults_trainings import CELLS, Fit

STAGES = "search", "test"
SEEDS = 0, 1, 2  # of the test


def test(tasks, seeds):
    """The trainings of the test, and the baselines; then those that tell cost and spread."""
    for seed in seeds:
        yield from (Fit(task, cell, seed) for task in tasks for cell in CELLS)
    for task in tasks:
        yield from baselines(task)
        yield from (Fit(task, cell, seeds[0], before(cell)) for cell in CELLS)
        if task.name in SPREAD and len(seeds) > 1:
            yield from (Fit(task, "ltc", seed) for seed in MANY)
            yield Fit(task, "ltc", seeds[0], ENSEMBLE)


def train_all(planned, file, folder, jobs):
    """Train what is not in the file yet, write each result to it when it is there, and give all results."""
    lines, whole = read(file)
    results = Results(lines)
    missing = list({json.dumps(own.key()): own for own in planned if results.get(own) is None}.values())
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the processes to come
    start = time.perf_counter()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, file.open("ab") as out:
        out.truncate(whole)
        futures = [pool.submit(own.run, folder) for own in missing]
        for count, future in enumerate(as_completed(futures), 1):
            result = future.result()
            out.write(json.dumps(result).encode() + b"\n")
            out.flush()
            what = result.get("baseline") or result.get("fit") or result["recipe"]["cell"]
            text = f"{count}/{len(futures)}, {time.perf_counter() - start:.0f} s: {result['task']}, {what}"
            print(f"{text}: {result['error']:.4f}", file=sys.stderr, flush=True)
    return Results(read(file)[0])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [task.name for task in (*TASKS, *NEW)]
    parser.add_argument("data", nargs="?", type=pathlib.Path, metavar="DATA", help="folder of the data; see above")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES, help="default: both; none: the table")
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
    new, rungs, seeds = [task for task in NEW if task.name in args.tasks], RUNGS, SEEDS
    if args.quick:
        print(SHORTENED, file=sys.stderr)
        tasks = [replace(task, epochs=2, sizes=task.small) for task in tasks if task.small]
        new, rungs, seeds = [], (Rung(3), Rung(1)), (0,)
    for task in tasks:
        if not (task.sizes or args.data):
            parser.error(f"DATA is needed for {task.name}; the others are: --tasks xor adding oscillator")
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "quick.jsonl") if args.quick else args.results

        def train(planned):
            return train_all(planned, file, args.data, args.jobs)

        try:
            for cell in OWN if "search" in args.stages else ():
                for left, _ in halving(train, cell, tasks, rungs):
                    print(left[0])
            if "test" in args.stages:
                train(test([*tasks, *new], seeds))
            results = Results(read(file)[0])
        except (OSError, ValueError) as problem:
            parser.error(str(problem))
    print(won(results, [*tasks, *new], seeds))
    if args.write_docs:
        put_section(*section(results, tasks, new, seeds))
        if "search" in args.stages:
            write_files(results, tasks, new, DOCS / "results")


if __name__ == "__main__":
    main()
