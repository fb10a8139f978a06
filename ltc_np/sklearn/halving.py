"""Successive halving: many candidates are trained for a short time, few for long, all judged on the same folds."""

from __future__ import annotations

import json
import pathlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

import joblib
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier

from .. import losses
from ..base import files
from ..train.loop.interrupt import BY_SIGINT
from . import own_code
from .space import slowness

ETA = 3  # a rung trains so many times as long as the one before, and one candidate in so many goes on to it
RUNGS = 4  # at most
EPOCHS, STEPS, SEQUENCES = 10, 300, 1000  # what a short training still has; before, networks have hardly begun
CHANGES = 3  # of a candidate, at most
clock: Callable[[], float] = time.perf_counter


def known(value: Any) -> str:
    """Text for the value of a hyperparameter in a file of results; of what is the user's own it tells of the code."""
    of_own = isinstance(value, partial) and own_code.is_own(value.func)
    nested = isinstance(value, (list, tuple, dict)) and "<" in repr(value)  # maybe an address
    if own_code.is_own(value) or own_code.is_own(type(value)) or of_own or nested:
        name = getattr(value, "__qualname__", type(value).__qualname__)
        return f"{name}#{own_code.told(value)}"
    return losses.identity(cast("Any", value)) if callable(value) else repr(value)


as_text: Callable[..., str] = partial(json.dumps, default=known)


class Data(NamedTuple):
    """What `fit` takes, by its names."""

    X: Any
    y: Any
    sample_weight: Any
    dt: Any
    lengths: Any

    def part(self, rows: Any) -> dict[str, Any]:
        """The arguments of `fit` for some of the sequences."""
        return {name: _some(values, rows) for name, values in self._asdict().items()}


def _some(values: Any, rows: Any) -> Any:
    if isinstance(values, (list, tuple)):
        return [values[k] for k in rows]
    return None if values is None else np.asarray(values)[rows]


def changed(estimator: Any, changes: Mapping[str, Any]) -> Any:
    """An untrained copy with other hyperparameters."""
    copy: Any = clone(estimator)
    return copy.set_params(**changes)


def had(estimator: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of hyperparameters that an estimator has; a class of the user's own may have fewer than its base."""
    own = estimator.get_params(deep=False)
    return {name: value for name, value in values.items() if name in own}


class Task(NamedTuple):
    """A candidate on a rung: so many epochs of so many sequences of each fold."""

    candidate: int
    rung: int
    epochs: int
    sequences: int


def trial(estimator: Any, data: Data, train: Any, test: Any) -> dict[str, float]:
    """Train on some sequences, judge on others; a training that diverges has an infinite error."""
    began = time.perf_counter()
    error, score = np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the chosen estimator come when it is fitted
        try:
            estimator.fit(**data.part(train))
        except FloatingPointError:
            return {"error": error, "score": score, "seconds": time.perf_counter() - began}
        if estimator.history_.stopped.startswith(BY_SIGINT):  # which is of all trials
            raise KeyboardInterrupt(estimator.history_.stopped)
        held = data.part(test)
        score = estimator.score(**held)
        error = estimator.brier_score(**held) if is_classifier(estimator) else 1 - score
    return {"error": error, "score": score, "seconds": time.perf_counter() - began}


class Journal:
    """Results of trials, also in a file of JSON lines if there is a path: a head, then a line for each task."""

    def __init__(self, path: Any, head: Mapping[str, Any]) -> None:
        self.path: pathlib.Path | None = None if path is None else pathlib.Path(path)
        self.lines: list[str] = [as_text(head)]
        self.found: dict[str, list[dict[str, float]]] = {}
        if self.path is not None:
            files.check_writable(self.path)
            if self.path.exists():
                self._read(self.path, head)

    def _read(self, path: pathlib.Path, head: Mapping[str, Any]) -> None:
        try:
            before, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            self.found = {as_text(line["task"]): line["folds"] for line in others}
            changed = [name for name in head if before[name] != head[name]]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"`resume` must be a file that `tune` has written, got {path}") from None
        if changed:
            raise ValueError(f"`resume` must be of the same {' and '.join(changed)}, got {path}: take another file")
        self.lines += map(as_text, others)

    def add(self, task: str, folds: list[dict[str, float]]) -> None:
        """Keep the results of one task, by its key."""
        self.found[task] = folds
        self.lines.append(as_text({"task": json.loads(task), "folds": folds}))
        if self.path is not None:
            files.write(self.path, partial(files.put, ("\n".join(self.lines) + "\n").encode()))


@dataclass
class Search:
    """Candidates, and what became of them; number 0 is the estimator as it was given.

    Each of ``folds`` has rows to learn from and rows to be judged by; ``space`` has values by the names of
    hyperparameters; ``tried`` are the changes of each candidate, and ``rows`` is the table, by candidate and rung.
    """

    given: Any
    data: Data
    folds: Sequence[tuple[Any, Any]]
    every_step: bool
    space: Mapping[str, Sequence[Any]]
    seed: int
    journal: Journal
    n_jobs: Any
    verbose: bool
    deadline: float
    tried: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    rows: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parallel: Any = Parallel(n_jobs=self.n_jobs)
        self.jobs: int = joblib.effective_n_jobs(self.n_jobs)
        self.rng: np.random.RandomState = np.random.RandomState(self.seed)
        self.learnt: int = round(np.mean([len(train) for train, _ in self.folds]))
        full = self.full_epochs(0)
        steps = full * -(-self.learnt // self.given.batch_size)
        room = min(full / EPOCHS, steps / STEPS) * max(1.0, self.learnt / SEQUENCES)
        self.last: int = sum(room >= ETA**k for k in range(1, RUNGS))  # the number of the rung of whole trainings

    def estimator(self, candidate: int) -> Any:
        """A candidate, untrained."""
        return changed(self.given, self.tried[candidate])

    def full_epochs(self, candidate: int) -> int:
        """Epochs of its whole training."""
        return self.estimator(candidate).recipe().epochs_for(self.learnt, every_step=self.every_step)

    def task(self, candidate: int, rung: int) -> Task:
        """A share of the epochs, and where there are many sequences rather of these than too few epochs."""
        full = self.full_epochs(candidate)
        share = full / ETA ** (self.last - rung)
        epochs = max(1, round(share))
        if epochs >= EPOCHS or rung == self.last or self.learnt <= SEQUENCES:
            return Task(candidate, rung, epochs, self.learnt)
        epochs = min(full, EPOCHS)
        return Task(candidate, rung, epochs, max(SEQUENCES, round(self.learnt * min(1.0, share / epochs))))

    # ---------------------------------------------------------------------------------------------------- search

    def run(self) -> None:
        """Halve, with new candidates each time, while there are time and candidates."""
        self.judge([0], 0)
        while self.seconds(0, 0) <= self.left(0) and (alive := self.draw(self.affordable())):
            for rung in range(self.last + 1):
                if self.cost(0, rung) + self.cost(alive[0], rung) > self.left(alive[0]):
                    break
                self.judge([0, *alive], rung)
                better = [c for c in alive if self.error(c, rung) < self.error(0, rung)]
                alive = sorted(better, key=lambda c: self.error(c, rung))[: max(1, len(alive) // ETA)]
                if not alive:
                    break

    def draw(self, count: int) -> list[int]:
        """So many new candidates, the quickest first, or fewer where there are no others."""
        table, new = list(self.space.items()), []
        for _ in range(100 * count if table else 0):
            some = self.rng.permutation(len(table))[: self.rng.randint(1, min(CHANGES, len(table)) + 1)]
            changes = {name: values[self.rng.randint(len(values))] for name, values in (table[k] for k in sorted(some))}
            if changes not in self.tried:
                new.append(len(self.tried))
                self.tried.append(changes)
            if len(new) == count:
                break
        return sorted(new, key=lambda c: slowness(self.given, self.tried[c]))

    def error(self, candidate: int, rung: int) -> float:
        """Infinite where it has not been judged."""
        return self.rows.get((candidate, rung), {"error": np.inf})["error"]

    def best(self) -> int:
        """The candidate with the least error on the highest rung where one was judged beside the given estimator."""
        for rung in range(self.last, -1, -1):
            judged = sorted(c for c, own in self.rows if own == rung)
            if judged[:1] == [0] and judged[1:]:
                better = [c for c in judged if self.is_better(c, rung)]
                return min(better, key=lambda c: self.error(c, rung), default=0)
        return 0

    def is_better(self, candidate: int, rung: int) -> bool:
        """Than the given estimator, by more than the standard error of the mean difference on the same folds."""
        if not np.isfinite(self.error(candidate, rung) + self.error(0, rung)):
            return self.error(candidate, rung) < self.error(0, rung)
        by = np.subtract(self.rows[0, rung]["errors"], self.rows[candidate, rung]["errors"])
        return bool(by.mean() > (by.std(ddof=1) / len(by) ** 0.5 if len(by) > 1 else 0))

    def table(self) -> list[dict[str, Any]]:
        """What was tried, a row for each candidate on each rung."""
        return [row | {"chosen": c == self.best()} for (c, _), row in sorted(self.rows.items())]

    # ------------------------------------------------------------------------------------------------------ time

    def seconds(self, candidate: int, rung: int, side_by_side: int = 1) -> float:
        """How long it takes to judge it, or so many like it."""
        task, rounds = self.task(candidate, rung), -(-side_by_side * len(self.folds) // self.jobs)
        return self.rate(candidate) * task.epochs * task.sequences * rounds

    def cost(self, candidate: int, rung: int, side_by_side: int = 1) -> float:
        """The same of what is not known yet."""
        known = self.key(self.task(candidate, rung)) in self.journal.found
        return 0.0 if known else self.seconds(candidate, rung, side_by_side)

    def rate(self, candidate: int) -> float:
        """Seconds for a sequence in an epoch, of the usual fold: the first one may have compiled kernels."""
        known = [row for (own, _), row in self.rows.items() if own == candidate]
        if known:
            return float(np.mean([np.median(row["seconds"]) / row["epochs"] / row["sequences"] for row in known]))
        return self.rate(0) * slowness(self.given, self.tried[candidate]) if self.rows else 0.0

    def left(self, candidate: int) -> float:
        """Seconds until its fit to all data must begin."""
        whole = self.rate(candidate) * self.full_epochs(candidate) * len(self.data.X)
        return self.deadline - clock() - whole

    def affordable(self) -> int:
        """How many new candidates there is time for if one of them reaches the last rung; a few if none would."""
        rungs = range(self.last + 1)
        left = self.left(0) - sum(self.cost(0, rung) for rung in rungs)
        for count in range(ETA**self.last, 0, -1):
            if sum(self.seconds(0, rung) * max(1, count // ETA**rung) for rung in rungs) <= left:
                return count
        return ETA

    # --------------------------------------------------------------------------------------------------- trials

    def judge(self, candidates: list[int], rung: int) -> None:
        """Judge these, as far as there is time, so many at once as there are jobs."""
        at_once = -(-self.jobs // len(self.folds))
        todo = [c for c in candidates if (c, rung) not in self.rows]
        for k in range(0, len(todo), at_once):
            part = todo[k : k + at_once]
            in_time = [c for c in part if not self.rows or self.cost(c, rung, len(part)) <= self.left(c)]
            self._judge([self.task(c, rung) for c in in_time])

    def key(self, task: Task) -> str:
        """By which a file knows it."""
        return as_text({"changes": self.tried[task.candidate], "epochs": task.epochs, "sequences": task.sequences})

    def _judge(self, tasks: list[Task]) -> None:
        new = [task for task in tasks if self.key(task) not in self.journal.found]
        trials: list[Any] = list(
            self.parallel(
                delayed(trial)(self._quiet(task), self.data, self._rows(train, task.sequences), test)
                for task in new
                for train, test in self.folds
            )
        )
        for k, task in enumerate(new):
            self.journal.add(self.key(task), trials[k * len(self.folds) : (k + 1) * len(self.folds)])
        for task in tasks:
            self._keep(task, self.journal.found[self.key(task)])

    def _quiet(self, task: Task) -> Any:
        own = self.estimator(task.candidate)
        quiet = own.set_params(**had(own, {"random_state": self.seed, "n_jobs": 1, "verbose": False}))
        return quiet if task.rung == self.last else quiet.set_params(epochs=task.epochs)

    def _rows(self, train: Any, count: int) -> Any:
        """So many sequences of a fold, the same for all candidates; all, if folds have so many on average."""
        return train if count == self.learnt else np.sort(np.random.RandomState(self.seed).permutation(train)[:count])

    def _keep(self, task: Task, folds: list[dict[str, float]]) -> None:
        errors, scores, seconds = ([fold[name] for fold in folds] for name in ("error", "score", "seconds"))
        error, score = float(np.mean(errors)), float(np.mean(scores))
        found = {"error": error, "score": score, "errors": errors, "scores": scores, "seconds": seconds}
        self.rows[task.candidate, task.rung] = task._asdict() | found | {"params": self.tried[task.candidate]}
        if self.verbose:
            done = f"rung {task.rung + 1} of {self.last + 1}, candidate {task.candidate}: error {error:.4g}"
            left = max(0.0, self.deadline - clock())
            print(f"tune: {done}; the best is candidate {self.best()}; {left:.0f} s left", flush=True)
