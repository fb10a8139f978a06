"""The search over defaults: recipes drawn at random, all ingredients together, and successive halving.

Every rung trains the recipes that are left on more tasks or with one seed more, and keeps the best.  Only validation
sets judge.  The first recipe is the default that there was before, so all figures are ratios to it.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from defaults_trainings import Job

from ltc_np.recipe import Recipe

# What a recipe may have; the first value is that of the default before.  An LSTM beside the cell (`mixed_memory`) is
# not there, since it takes more than `COST` by itself.
CHOICES = {
    "units": (32, 16, 48, 64),
    "readout": ("auto", "last+mean", "max"),
    "readout_units": (0, 32, 64, 128),
    "dropout": (0.0, 0.1, 0.2),
    "input_dropout": (0.0, 0.1),
    "clip_inputs": (None, 5.0),
    "learning_rate": (0.01, 0.005, 0.015, 0.02, 0.03),
    "schedule": ("cosine", "constant"),
    "weight_decay": (0.01, 0.1),
    "clip_norm": (1.0, 0.3, None),
    "batch_size": (16, 8, 32),
}
OWN = {"ltc": {"ode_unfolds": (3, 1, 2)}, "cfc": {"backbone_units": (0, 16, 32, 64)}}
OTHERWISE = 0.25  # how likely it is that an ingredient is not that of the default before
# Spelled out, so that the search stays what it is when the library's defaults change.
BEFORE = Recipe(
    units=32, wiring="full", ode_unfolds=3, time_constants="auto", backbone_units=0, readout="auto", readout_units=0,
    shortcut=None, standardize=True, clip_inputs=None, learning_rate=0.01, schedule="cosine", weight_decay=0.01,
    clip_norm=1.0, batch_size=16,
)  # fmt: skip
SMALLEST = 0.02  # errors below count as this: a ratio of two that are almost 0 says nothing
COST = 2.0  # processor time that a recipe may take, as a share of the first one's
QUICK = "xor", "scp1", "vowels", "power", "sunspots", "window", "oscillator"  # tasks of the first rung


@dataclass(frozen=True)
class Rung:
    """So many recipes, on which tasks (all if empty), with which seeds."""

    count: int
    tasks: tuple = ()
    seeds: tuple = (0,)


RUNGS = Rung(28, QUICK), Rung(9), Rung(5, seeds=(0, 1)), Rung(3, seeds=(0, 1, 2))


def candidates(cell, count):
    """The default before, and recipes of the cell drawn at random."""
    rng, first = np.random.default_rng(0), replace(BEFORE, cell=cell)
    choices = CHOICES | OWN[cell]
    found = [first]
    while len(found) < count:
        changed = {name: values[1:] for name, values in choices.items() if rng.random() < OTHERWISE}
        recipe = replace(first, **{name: values[rng.integers(len(values))] for name, values in changed.items()})
        found += [recipe] if recipe not in found else []
    return found


def changes(recipe):
    """What a recipe has otherwise than the first one, in words."""
    first = replace(BEFORE, cell=recipe.cell)
    names = [own.name for own in fields(recipe) if getattr(recipe, own.name) != getattr(first, own.name)]
    return ", ".join(f"{name.replace('_', ' ')} {getattr(recipe, name)}" for name in names) or "the default before"


def of_rung(rung, tasks):
    """The tasks of a rung that take part in the search."""
    return [task for task in tasks if task.searched and (not rung.tasks or task.name in rung.tasks)]


def jobs(recipe, rung, tasks):
    """The trainings of a recipe in a rung."""
    return [Job(task, recipe, seed) for task in of_rung(rung, tasks) for seed in rung.seeds]


def judged(results, recipe, rung, tasks):
    """(ratio of errors, ratio of processor times) of a recipe to the first one: geometric mean and sum over tasks."""
    logs, times = [], [0.0, 0.0]
    for task in of_rung(rung, tasks):
        errors = []
        for k, own in enumerate((recipe, replace(BEFORE, cell=recipe.cell))):
            found = [results.get(Job(task, own, seed)) for seed in rung.seeds]
            errors.append(max(SMALLEST, float(np.mean([one["error"] for one in found]))))
            times[k] += sum(one["cpu"] for one in found)
        logs.append(math.log(errors[0] / errors[1]))
    return math.exp(np.mean(logs)), times[0] / times[1]


def ranked(results, recipes, rung, tasks):
    """The recipes from best to worst, last those that cost too much; None where trainings are missing."""
    missing = [own for recipe in recipes for own in jobs(recipe, rung, tasks) if results.get(own) is None]
    if missing:
        return None
    found = {recipe: judged(results, recipe, rung, tasks) for recipe in recipes}
    return sorted(recipes, key=lambda recipe: (found[recipe][1] > COST, found[recipe][0]))


def after(left, place, rungs=RUNGS):
    """The recipes that are trained in the rung behind that of this place: the best, and the first one beside them."""
    first = replace(BEFORE, cell=left[0].cell)
    kept = left[: rungs[place + 1].count]
    return kept if first in kept else [*kept, first]


def halving(train, cell, tasks, rungs=RUNGS):
    """Yields the recipes from best to worst after each rung, and the results.

    ``train(trainings)`` trains what is missing, and gives all results.
    """
    left = candidates(cell, rungs[0].count)
    for place, rung in enumerate(rungs):
        results = train([own for recipe in left for own in jobs(recipe, rung, tasks)])
        left = ranked(results, left, rung, tasks)
        yield left, results
        if place + 1 < len(rungs):
            left = after(left, place, rungs)


def effects(results, cell, tasks):
    """What each ingredient makes in the first rung: (name, value, ratio, standard error, better on, tasks).

    The geometric mean of the errors of the recipes that have the value, as a share of that of those which have the
    value of the default before, whatever else they have.
    """
    rung, recipes = RUNGS[0], candidates(cell, RUNGS[0].count)
    if ranked(results, recipes, rung, tasks) is None:
        return []
    errors = [[results.get(own)["error"] for own in jobs(recipe, rung, tasks)] for recipe in recipes]
    logs, found = np.log(np.maximum(errors, SMALLEST)), []
    for name, values in (CHOICES | OWN[cell]).items():
        having = {value: logs[[getattr(recipe, name) == value for recipe in recipes]] for value in values}
        before = having.pop(values[0])
        for value, own in having.items():
            if len(own) < 2:
                continue
            gaps = own.mean(0) - before.mean(0)
            spread = math.sqrt(sum(part.mean(1).var(ddof=1) / len(part) for part in (own, before)))
            ratio = math.exp(gaps.mean())
            found.append((name, value, ratio, ratio * spread, int((gaps < 0).sum()), gaps.size))
    return found
