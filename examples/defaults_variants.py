"""What defaults.py compares: recipes that differ from one recipe in one thing, and what a training of one gives."""

import time
import warnings
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from defaults_tasks import Task

from ltc_np import AdamW, CosineDecay, WarmUp, set_num_threads
from ltc_np.recipe import CELLS, STEPS, Recipe, enough_epochs


@dataclass(frozen=True)
class Variant:
    """One thing that is different.

    Attributes
    ----------
    title : str
    changes : dict
        Hyperparameters of the recipe.
    extra : str
        What no recipe has: "each", every step is asked for the answer, and answers are averaged; "warm-up", the
        learning rate rises in the first tenth of the training; "fast", time constants from a tenth of a step; a
        number: so many epochs that the optimiser makes as many steps, and at least 20; "auto": by the recipe's rule,
        but with the task's epochs in the place of 100; "auto, kept": and a CfC starts by `remember`.
    of_ltc : bool
        Only an LTC has it.
    of_whole : bool
        Only where a whole sequence has one answer.
    """

    title: str
    changes: dict = field(default_factory=dict)
    extra: str = ""
    of_ltc: bool = False
    of_whole: bool = False


def one(name, *values, **options):
    """A variant for each value of a hyperparameter."""
    shown = [name.replace("_", " ") + f" {value}" for value in values]
    return [Variant(title, {name: value}, **options) for title, value in zip(shown, values, strict=True)]


FIRST = Variant("the recipe itself")
TIMES = [
    *one("time_constants", None, of_ltc=True),
    Variant("time constants from a tenth of a step", extra="fast", of_ltc=True),
]
READOUTS = one("readout", "last", "mean", "max", "last+mean", of_whole=True)
RATES = one("learning_rate", 0.003, 0.03)
# What made no difference, or was worse, in the first look.
MINOR = [
    *one("ode_unfolds", 1, 6, of_ltc=True),
    *one("wiring", "ncp", of_ltc=True),
    *one("units", 16),
    Variant("every step is asked", extra="each", of_whole=True),
    *one("dropout", 0.3),
    Variant("warm-up", extra="warm-up"),
    *one("weight_decay", 0.1),
    *one("clip_norm", None),
]
MAJOR = [
    *TIMES,
    *READOUTS,
    Variant("bidirectional, mean", {"bidirectional": True, "readout": "mean"}, of_whole=True),
    *one("mixed_memory", True),
    *one("dropout", 0.1),
    *one("standardize", False),
    *RATES,
    *one("schedule", "constant"),
    *one("batch_size", 8, 16, 32),
]
SHORTEST = 20  # epochs of what follows
# How long, and how fast: together, since a smaller rate needs more steps.
LENGTHS = [
    Variant(f"{steps:,} steps, learning rate {rate}", {"learning_rate": rate}, extra=str(steps))
    for steps in (1000, 2000)
    for rate in (0.01, 0.003)
]


LONGER = Variant(FIRST.title, extra=f"auto, {STEPS} steps")


def without_backbone(title="", kept=False, **changes):
    """A variant of a CfC whose heads read input and state, trained as long as the recipe's rule says."""
    extra = LONGER.extra + ", kept" * kept
    return Variant(f"no backbone{title and ', '}{title}", {"backbone_units": 0, **changes}, extra=extra)


BACKBONES = [
    *(replace(own, extra=LONGER.extra) for own in one("learning_rate", 0.003)),
    *(replace(own, extra=LONGER.extra) for own in one("backbone_units", 32, 16)),
    without_backbone(),
    *(without_backbone(f"learning rate {rate}", learning_rate=rate) for rate in (0.005, 0.02)),
    *(replace(without_backbone(f"readout {kind}", readout=kind), of_whole=True) for kind in ("max", "last+mean")),
    without_backbone("dropout 0.1", dropout=0.1),
    without_backbone("batch size 8", batch_size=8),
    without_backbone("units 64", units=64),
    without_backbone("state kept", kept=True),
    without_backbone("mixed memory", mixed_memory=True),
]


@dataclass(frozen=True)
class Round:
    """A recipe, and what is tried in its place.

    Attributes
    ----------
    base : Recipe
    variants : tuple of Variant
    seeds : tuple of int
    first : Variant
        The recipe itself, and how long it is trained.
    """

    base: Recipe
    variants: tuple
    seeds: tuple
    first: Variant = FIRST


# Spelled out, so that the comparison stays what it is when the library's defaults change.
START = Recipe(
    cell="ltc", units=32, wiring="full", ode_unfolds=3, time_constants="auto", backbone_units=128, mixed_memory=False,
    bidirectional=False, readout="last", dropout=0.0, standardize=True, learning_rate=0.01, schedule="cosine",
    weight_decay=0.01, clip_norm=1.0, batch_size=32,
)  # fmt: skip
BETTER = replace(START, batch_size=16)
ROUNDS = [
    Round(START, (*MAJOR, *MINOR), (0,)),
    Round(BETTER, tuple(MAJOR), (0, 1, 2)),
    Round(replace(BETTER, cell="cfc", readout="mean"), tuple(MAJOR), (0, 1, 2)),
    # There for comparison: each with the rate and the readout that suit it.
    Round(replace(BETTER, cell="lstm", readout="mean"), (*READOUTS, *RATES), (0, 1)),
    Round(replace(BETTER, cell="gru", readout="mean"), (*READOUTS, *RATES), (0, 1)),
    *(
        Round(replace(BETTER, cell=cell, readout="last" if cell == "ltc" else "auto"), LENGTHS, (0, 1, 2))
        for cell in CELLS
    ),
    Round(replace(BETTER, cell="cfc", readout="auto"), BACKBONES, (0, 1, 2), LONGER),
]


LONG = ("xor",)  # its own epochs make more steps than the recipe's rule asks for


@dataclass(frozen=True)
class Job:
    """One training: of which recipe, on what, judged by which set ("valid" or "test")."""

    task: Task
    recipe: Recipe
    seed: int
    judge: str = "valid"
    extra: str = ""

    def key(self):
        """What is written beside its result, and by which that is found again."""
        own = {"task": self.task.name, "judge": self.judge, "seed": self.seed, "extra": self.extra}
        return own | {"recipe": asdict(self.recipe)}

    def run(self, folder):
        """Train, judge, and say what it took: a line of results.

        A training whose loss becomes infinite has the error of a constant: it has not learnt anything.
        """
        set_num_threads(1)
        start, cpu = time.perf_counter(), time.process_time()
        split = self.task.make(folder, self.seed, self.task.sizes)
        known = split.valid if self.judge == "valid" else split.test
        try:
            model = learn(self, split.train if self.judge == "valid" else split.whole)
        except FloatingPointError:
            found = {"error": 1.0, "right": None, "parameters": None, "diverged": True}
        else:
            error, right = scores(answer(model, known, self.task, self.extra == "each"), known, self.task)
            found = {"error": error, "right": right, "parameters": model.theta.size}
        return self.key() | found | {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}


def job(task, variant, base, seed, judge="valid"):
    """The training of a variant of a recipe, or None where it would be no other."""
    if (variant.of_ltc and base.cell != "ltc") or (variant.of_whole and task.every_step):
        return None
    recipe = replace(base, **variant.changes | {"epochs": task.epochs})
    if variant is not FIRST and recipe == replace(base, epochs=recipe.epochs) and not variant.extra:
        return None
    extra = variant.extra
    if extra.startswith("auto") and (task.every_step or task.name in LONG):  # which the rule does not make longer
        extra = extra.removeprefix(LONGER.extra).removeprefix(", ")
    if extra.isdigit():
        extra = str(min(int(extra), task.most_steps))
    return Job(task, recipe, seed, judge, extra)


def trained_for(job, sequences):
    """The epochs of a training on so many sequences."""
    size, most = job.recipe.batch_size, job.task.most_steps
    if job.extra.isdigit():
        return enough_epochs(sequences, size, int(job.extra), SHORTEST)
    if job.extra.startswith("auto"):
        return min(enough_epochs(sequences, size, fewest=job.recipe.epochs), most // -(-sequences // size))
    return job.recipe.epochs


def usual(known):
    """Steps and elapsed time of a sequence of a set, on the average."""
    steps = known["lengths"].mean() if "lengths" in known else known["x"].shape[1]
    return float(steps), float(known["dt"].sum(1).mean()) if "dt" in known else float(steps)


def targets(known, task):
    """What an answer is compared with, in the shape of answers: numbers, or 1 for the class and 0 for others."""
    return np.eye(task.classes)[known["y"]] if task.classes else known["y"]


def scores(answers, known, task):
    """Two numbers: the squared error as a share of that of the best constant, and the share of right classes or None.

    Of classes the answers are probabilities, and the squared error is Brier's score.
    """
    wanted = targets(known, task).astype(float)
    counts = known.get("sample_weight", np.ones(wanted.shape[:-1]))[..., None]
    mean = (counts * wanted).sum(tuple(range(wanted.ndim - 1))) / counts.sum()
    error = (counts * (answers - wanted) ** 2).sum() / (counts * (wanted - mean) ** 2).sum()
    right = float((answers.argmax(1) == known["y"]).mean()) if task.classes else None
    return float(error), right


def network(job, known):
    """The untrained network of a job."""
    task, recipe, each = job.task, job.recipe, job.extra == "each"
    steps, duration = usual(known)
    if job.extra == "fast":
        recipe = replace(recipe, time_constants=(0.1 * duration / steps, duration))
    model = recipe.model(
        known["x"].shape[2],
        task.classes or known["y"].shape[-1],
        steps=steps,
        duration=duration,
        every_step=task.every_step or each,
        numbers=not task.classes,
        seed=job.seed,
    )
    if job.extra.endswith("kept"):
        remember(model, duration / steps, duration)
    return model


def remember(model, step, duration):
    """Let a CfC of a recipe without a backbone begin with neurons that keep their state, as long as tau each.

    The argument of g1 is the state before the step and what the input adds; g2 is new, and the gate lets in 1 - exp(-
    step / tau) of it, but 9 / 10 at most.  tau is from ``step`` to ``duration`` in equal ratios.
    """
    values = model.params
    units = values["1.ff1_b"].size
    values["1.ff1_w"][-units:] = np.eye(units)
    values["1.ff1_b"][:] = 0
    share = np.minimum(1 - np.exp(-step / np.geomspace(step, max(step, duration), units)), 0.9)
    values["1.time_b_b"][:] = np.log(share / (1 - share))


def learn(job, known):
    """A trained network."""
    task, model = job.task, network(job, known)
    recipe = replace(job.recipe, epochs=trained_for(job, len(known["x"])))
    known = {name: array for name, array in known.items() if name != "dt" or model.takes_dt}
    if job.extra == "each":
        steps = known["x"].shape[1]
        known["y"] = np.repeat(known["y"][:, None], steps, axis=1)
    more = {}
    if job.extra == "warm-up":
        steps = recipe.epochs * -(-len(known["x"]) // recipe.batch_size)
        rate = WarmUp(CosineDecay(recipe.learning_rate, steps), max(1, steps // 10))
        more["optimizer"] = AdamW(rate, weight_decay=recipe.weight_decay)
    loss = "cross_entropy" if task.classes else "mse"
    x, y = known.pop("x"), known.pop("y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what `fit` says of data that are not near unit scale: that is measured here
        recipe.fit(model, x, y, sequences=len(x), loss=loss, seed=job.seed, verbose=False, **known, **more)
    return model


def answer(model, known, task, each=False):
    """Numbers, or probabilities of the classes."""
    given = {name: known[name] for name in ("dt", "lengths") if name in known and (name != "dt" or model.takes_dt)}
    found = model.predict_proba(known["x"], **given) if task.classes else model(known["x"], **given)
    if not each:
        return found
    steps = np.arange(found.shape[1])
    inside = (steps < known.get("lengths", np.full(len(found), len(steps)))[:, None])[:, :, None]
    if not task.classes:
        return (inside * found).sum(1) / inside.sum(1)
    found = (np.log(found + 1e-12) * inside).sum(1) / inside.sum(1)
    found = np.exp(found - found.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)
