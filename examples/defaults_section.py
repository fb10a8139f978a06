"""What defaults.py writes to docs/results.md: who wins where, the search, cost and spread, and what was read before."""

import csv
import datetime
import textwrap

import numpy as np
from defaults_baselines import KERNELS, baselines
from defaults_results import NAMES, rank, shown, standing, table
from defaults_search import (
    BEFORE,
    CHOICES,
    COST,
    OWN,
    RUNGS,
    SMALLEST,
    after,
    candidates,
    changes,
    effects,
    jobs,
    judged,
    ranked,
)
from defaults_trainings import CELLS, Fit

from ltc_np.bench import host

TITLE = "Defaults that learn"
PLACES = "ahead", "level", "behind"
SPREAD = "scp1", "vowels", "power", "window", "oscillator"  # tasks of which the spread of seeds is told
MANY = tuple(range(10))  # its seeds
SHOWN = 4  # recipes of a rung
ENSEMBLE = {"ensemble": 5}


def before(cell):
    """The defaults before, as changes of those of today."""
    names = [*CHOICES, *OWN.get(cell, {}), "shortcut"]
    return {name: getattr(BEFORE, name) for name in names}


def filled(text):
    """A paragraph of the page."""
    return textwrap.fill(" ".join(text.split()), 120)


def tested(results, task, seeds):
    """By name of a network or a baseline: the lines of its results on a task."""
    found = {cell: [results.get(Fit(task, cell, seed)) for seed in seeds] for cell in CELLS}
    found |= {own.name: [results.get(own)] for own in baselines(task)}
    return {name: [line for line in lines if line] for name, lines in found.items()}


def standings(results, tasks, seeds):
    """Of each network: its tasks by where it stands against the better of the baselines."""
    found = {cell: {place: [] for place in PLACES} for cell in CELLS}
    for task in tasks:
        lines = tested(results, task, seeds)
        others = [lines[own.name] for own in baselines(task)]
        for cell in CELLS:
            if lines[cell] and any(others):
                found[cell][standing(task, lines[cell], others)].append(task.name)
    return found


def won(results, tasks, seeds):
    """The table of who wins where, and sentences on it."""
    names, rows, ranks = [*CELLS, "linear", "rocket"], [], []
    for task in tasks:
        lines = tested(results, task, seeds)
        means = {name: np.mean(rank(task, own)) for name, own in lines.items() if own}
        texts = {name: shown(task, own) for name, own in lines.items()}
        best = min(means.values(), default=None)
        own = [f"**{texts[name]}**" if means.get(name) == best else texts.get(name, "") for name in names]
        rows.append([task.name, *own])
        if all(cell in means for cell in CELLS):
            order = np.array([means[cell] for cell in CELLS])
            ranks.append([1 + (order < one).sum() + ((order == one).sum() - 1) / 2 for one in order])
    if ranks:
        rows.append(["mean rank of the networks", *(f"{one:.1f}" for one in np.mean(ranks, axis=0)), "", ""])
    counts = [
        f"{NAMES[cell]} is ahead on {len(own['ahead'])}, level on {len(own['level'])}, and behind on "
        f"{len(own['behind'])}{': ' * bool(own['behind'])}{', '.join(own['behind'])}"
        for cell, own in standings(results, tasks, seeds).items()
    ]
    said = "Against the better of ridge regression and random convolutions, of %d tasks: %s."
    return (
        table(["task", *(NAMES[name] for name in names)], rows)
        + "\n\n"
        + filled(said % (len(tasks), "; ".join(counts)))
    )


def searched(results, tasks):
    """Of the cells that were searched: rows of the best of each rung, and of ingredients in the first one."""
    rows, found = [], []
    for cell in OWN:
        if not all(map(results.get, jobs(candidates(cell, 1)[0], RUNGS[-1], tasks))):
            continue
        left = candidates(cell, RUNGS[0].count)
        for place, rung in enumerate(RUNGS):
            left = ranked(results, left, rung, tasks)
            for recipe in left[: SHOWN if place + 1 < len(RUNGS) else None]:
                ratio, cost = judged(results, recipe, rung, tasks)
                seeds = " ".join(map(str, rung.seeds))
                rows.append([NAMES[cell], rung.count, seeds, changes(recipe), f"{ratio:.2f}", f"{cost:.1f}"])
            if place + 1 < len(RUNGS):
                left = after(left, place)
        found += [
            [NAMES[cell], name.replace("_", " "), str(value), f"{ratio:.2f} ± {error:.2f}", f"{better} of {count}"]
            for name, value, ratio, error, better, count in effects(results, cell, tasks)
            if abs(ratio - 1) > error
        ]
    return rows, found


def write_files(results, tasks, new, folder):
    """The best recipes of each rung, its ingredients, and what each task is, as tables in files of a folder."""
    best, ingredients = searched(results, tasks)
    for name, header, rows in (
        ("search", ("network", "recipes", "seeds", "the best of them", "error", "processor time"), best),
        ("ingredients", ("network", "ingredient", "value", "error", "better on"), ingredients),
        ("tasks", ("task", "what it is"), [(own.name, own.about) for own in [*tasks, *new]]),
    ):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as own:
            csv.writer(own, lineterminator="\n").writerows([header, *rows])


def costs(results, tasks, seeds):
    """A table of processor time and of the networks' errors, today's defaults as shares of those before."""
    rows = []
    for cell in CELLS:
        pairs = [
            (results.get(Fit(task, cell, seed)), results.get(Fit(task, cell, seed, before(cell))))
            for task in tasks
            for seed in seeds[:1]
        ]
        pairs = [pair for pair in pairs if None not in pair]
        if pairs:
            time = sum(now["cpu"] for now, _ in pairs) / sum(then["cpu"] for _, then in pairs)
            logs = [np.log(max(SMALLEST, now["error"]) / max(SMALLEST, then["error"])) for now, then in pairs]
            rows.append([NAMES[cell], f"{len(pairs)}", f"{time:.2f}", f"{np.exp(np.mean(logs)):.2f}"])
    return table(["network", "tasks", "processor time", "error"], rows)


def spreads(results, tasks):
    """A table of ten seeds of the LTC, against an ensemble of five of one seed."""
    rows = []
    for task in tasks:
        if task.name not in SPREAD:
            continue
        lines = [results.get(Fit(task, "ltc", seed)) for seed in MANY]
        five = results.get(Fit(task, "ltc", 0, ENSEMBLE))
        if all(lines) and five:
            values = [line["error"] for line in lines]
            rows.append([
                task.name, f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}",
                f"{min(values):.3f} to {max(values):.3f}", f"{five['error']:.3f}",
            ])  # fmt: skip
    return table(["task", "ten seeds", "from the best to the worst", "one ensemble of five"], rows)


def section(results, tasks, new, seeds):
    """Heading and text for docs/results.md."""
    machine, hours = host.machine(), sum(line["cpu"] for line in results) / 3600
    today = datetime.date.today()
    return (
        TITLE,
        f"""## {TITLE}

An estimator with its defaults must not lose to a line. `examples/defaults.py` trains the estimators of four cells, all
with the same defaults, and two simple methods. "Ridge" is a linear function of all inputs of a sequence side by side
or, where every step has an answer, of the last 1 to 16 inputs. "Random convolutions" is a linear function of
{2 * KERNELS:,} features of {KERNELS:,} random convolutions (ROCKET's), where a whole sequence has one answer.
[Training liquid networks](training.md) says what follows for a task of your own.

### Who wins where

Of classes the tables have the share of right answers, of numbers the mean squared error as a share of that of the
best constant (0 is perfect, 1 has learnt nothing): mean ± standard deviation over the seeds {
            ", ".join(map(str, seeds))
        }. The best is bold. "Level" is behind by no more than one standard deviation.

{won(results, tasks, seeds)}

The hyperparameters were chosen by the validation sets of these tasks without ethanol, with the networks alone. The rule
that mixes a line and a network was chosen by the validation sets of these tasks and of the next ten. Nothing else was
chosen by those:

{won(results, new, seeds)}

### The tasks

Each is reduced until a training takes about a second, so do not compare these figures with published ones. [A
file](results/tasks.csv) says how, and what is asked. The test set is the data's own where there is one.

### The search

Recipes are drawn at random, and each rung trains those that are left on more tasks or with more seeds, and keeps the
best by validation sets. A recipe that takes more than {COST:g} times the processor time of the defaults before is out.
[A file](results/search.csv) has the best of each rung, and [another one](results/ingredients.csv) the first rung by
ingredient: errors as shares of those with the default's value (for classes of Brier's score), and on how many tasks the
value is better.

### What it costs, and how much is chance

The default estimators as shares of those before, which had no line beside the network, with one seed:

{costs(results, [*tasks, *new], seeds)}

Ten seeds of the LTC's estimator, test errors:

{spreads(results, tasks)}

### What was read before

The test sets were read six times before: three times with networks alone, and three times with other rules of mixing.
The rules were chosen by validation sets, but these tests, in which the LTC lost to lines more often, led to them.

By `python examples/defaults.py DATA --write-docs` on {today.day} {today:%B %Y}, from {len(results):,} trainings, which
took {hours:.1f} hours of the processor's time on a {machine["cpu"]}; the search is that of 30 November 2026.
""",
    )
