"""What defaults.py trains: recipes for the search, judged by validation, and estimators for the test."""

import time
import warnings
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from defaults_tasks import Task

from ltc_np import set_num_threads
from ltc_np import sklearn as estimators
from ltc_np.recipe import Recipe, enough_epochs

CELLS = "ltc", "cfc", "lstm", "gru"  # most tasks have no elapsed times, so that a decay in them tells nothing
NAMES = {"ltc": "LTC", "cfc": "CfC", "lstm": "LSTM", "gru": "GRU"}


@dataclass(frozen=True)
class Job:
    """One training of a recipe, judged by the validation set."""

    task: Task
    recipe: Recipe
    seed: int

    def key(self):
        """What is written beside its result, and by which that is found again."""
        return {"task": self.task.name, "seed": self.seed, "recipe": asdict(replace(self.recipe, epochs="auto"))}

    def run(self, folder):
        """Train, judge, and say what it took: a line of results.

        A training whose loss becomes infinite has the error of a constant: it has not learnt anything.
        """
        set_num_threads(1)
        start, cpu = time.perf_counter(), time.process_time()
        split = self.task.make(folder, self.seed, self.task.sizes)
        try:
            model = learn(self, split.train)
        except FloatingPointError:
            found = {"error": 1.0, "right": None, "parameters": None, "diverged": True}
        else:
            error, right = scores(answer(model, split.valid, self.task), split.valid, self.task)
            found = {"error": error, "right": right, "parameters": model.theta.size}
        return self.key() | found | {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}


@dataclass(frozen=True)
class Fit:
    """An estimator that is fitted to training and validation set, and judged by the test.

    Attributes
    ----------
    task : Task
    cell : str
    seed : int
    changes : dict
        Hyperparameters that are not the defaults.
    """

    task: Task
    cell: str
    seed: int
    changes: dict = field(default_factory=dict)

    def key(self):
        """What is written beside its result; other defaults are another training."""
        defaults = asdict(self.estimator().recipe())
        return {"task": self.task.name, "fit": self.cell, "seed": self.seed, "defaults": defaults}

    def estimator(self, **more):
        """The estimator, not yet fitted."""
        kind = getattr(estimators, NAMES[self.cell] + ("Classifier" if self.task.classes else "Regressor"))
        return kind(random_state=self.seed, **self.changes, **more)

    def run(self, folder):
        """Fit, judge, and say what it took: a line of results."""
        set_num_threads(1)
        start, cpu = time.perf_counter(), time.process_time()
        task, split = self.task, self.task.make(folder, 0, self.task.sizes)
        x, y, more = arguments(split.whole, self.cell)
        epochs = trained_for(task, self.estimator().recipe(), len(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what `fit` says of data that are not near unit scale
            estimator = self.estimator(epochs=epochs).fit(x, y, **more)
        x, _, more = arguments(split.test, self.cell)
        more.pop("sample_weight", None)
        ask = estimator.predict_proba if task.classes else estimator.predict
        wanted = targets(split.test, task)
        error, right = scores(np.reshape(ask(x, **more), wanted.shape), split.test, task)
        report = {name: estimator.report_.get(name) for name in ("reads", "share")}
        took = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}
        return self.key() | {"error": error, "right": right, "parameters": estimator.model_.theta.size} | report | took


def arguments(known, cell):
    """What `fit` of an estimator takes: X, y, and the others by name; of elapsed times LSTM and GRU know nothing."""
    names = ("dt", "lengths", "sample_weight") if cell in ("ltc", "cfc") else ("lengths", "sample_weight")
    more = {name: known[name] for name in names if name in known}
    return known["x"], known["y"], more


def trained_for(task, recipe, sequences):
    """The epochs of a training on so many sequences: by the rule of `epochs="auto"`, with the task's in place of 100.

    xor has more steps by itself, and with an answer at every step the rule adds none.
    """
    batches = -(-sequences // recipe.batch_size)
    if task.every_step or task.name == "xor":
        return task.epochs
    return min(enough_epochs(sequences, recipe.batch_size, fewest=task.epochs), task.most_steps // batches)


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


def learn(job, known):
    """A trained network."""
    task, recipe = job.task, replace(job.recipe, epochs=trained_for(job.task, job.recipe, len(known["x"])))
    steps, duration = usual(known)
    outputs = task.classes or known["y"].shape[-1]
    model = recipe.model(
        known["x"].shape[2], outputs, steps=steps, duration=duration, every_step=task.every_step,
        numbers=not task.classes, seed=job.seed,
    )  # fmt: skip
    known = {name: array for name, array in known.items() if name != "dt" or model.takes_dt}
    loss = "cross_entropy" if task.classes else "mse"
    x, y = known.pop("x"), known.pop("y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what `fit` says of data that are not near unit scale: that is measured here
        recipe.fit(model, x, y, sequences=len(x), loss=loss, seed=job.seed, verbose=False, **known)
    return model


def answer(model, known, task):
    """Numbers, or probabilities of the classes."""
    given = {name: known[name] for name in ("dt", "lengths") if name in known and (name != "dt" or model.takes_dt)}
    return model.predict_proba(known["x"], **given) if task.classes else model(known["x"], **given)
