"""What a model that is trained on a table is asked: which columns it reads, and what its answers mean.

It is kept with the model's file, as `Model.notes`, so that a new table needs no options.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from ..layers import MixtureDensity
from ..model import Model
from .columns import some

KEY, HISTORY = "table", "history"  # in the notes of a model
MISSING = ("error", "fill", "mask")
SPLITS = ("time", "group")


@dataclasses.dataclass(frozen=True)
class Task:
    """A question about the rows of a table.

    Attributes
    ----------
    features, target : tuple of str
        Columns.
    words : dict, str -> list of str
        Of features that are text the words of the training part, each of which is an input, 1 where the cell is this
        word, else 0.
    time, dt, group : str or None
        Columns: when a row was observed, or else the time since the row before; and to which sequence it belongs.
    horizon : int >= 0
        How many rows later the target is.
    every_step : bool
        An answer at every row, or else one for each sequence.
    labels : tuple of str or None
        The classes, in the order of the outputs; None where the target is numbers.
    missing : "error", "fill" or "mask"
        What is done about features without a value.
    first : tuple of float
        What stands for each feature until it is observed: its mean over the training part.
    dates : bool
        Times are dates.
    unit : float
        What an elapsed time of 1 is: in the unit of the column, or, of dates, in seconds.
    by, validation, test, seed
        How the table was split: "time" or "group", the shares of the two parts, and the seed.
    """

    features: tuple[str, ...]
    target: tuple[str, ...]
    words: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    time: str | None = None
    dt: str | None = None
    group: str | None = None
    horizon: int = 0
    every_step: bool = True
    labels: tuple[str, ...] | None = None
    missing: str = "error"
    first: tuple[float, ...] = ()
    dates: bool = False
    unit: float = 1.0
    by: str = "time"
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of each number that is read of a row."""
        return tuple(name for name in self.features for _ in self.words.get(name, (name,)))

    @property
    def names(self) -> tuple[str, ...]:
        """What these numbers are called."""
        named = ([f"{name} = {word}" for word in self.words.get(name, ())] or [name] for name in self.features)
        return tuple(name for names in named for name in names)

    @property
    def inputs(self) -> int:
        """Features per step of the network."""
        return len(self.columns) * (3 if self.missing == "mask" else 1)

    @property
    def outputs(self) -> int:
        """Numbers per answer of the network."""
        return len(self.target) if self.labels is None else len(self.labels)

    def notes(self) -> dict[str, Any]:
        """In plain data, for `Model.notes`; ``words`` only where there are some, as former versions read it."""
        values = dataclasses.asdict(self)
        if not self.words:
            del values["words"]
        return {KEY: {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}}

    def roles(self, columns: Iterable[str]) -> dict[str, list[str]]:
        """What each column of a table is taken for: role -> names."""
        roles = {
            "target" if self.labels is None else "target of classes": self.target,
            "features": [name for name in self.features if name not in self.words],
            "categories": self.words, "time": [self.time], "elapsed time": [self.dt], "group": [self.group],
        }  # fmt: skip
        taken = {role: [name for name in names if name is not None] for role, names in roles.items()}
        taken["not read"] = [name for name in columns if not any(name in names for names in taken.values())]
        return {role: names for role, names in taken.items() if names}

    def replace(self, **changes: Any) -> Task:
        """The same but for some attributes."""
        return dataclasses.replace(self, **changes)


def in_a_line(roles: dict[str, list[str]]) -> str:
    """The roles of columns in one line."""
    parts = [f"{role} {some(names)}" for role, names in roles.items()]
    if not roles.keys() & {"time", "elapsed time"}:
        parts.append("no time, so every row comes one step after the one before")
    return f"columns: {'; '.join(parts)}"


def of_model(model: Model, path: str) -> Task:
    """The task that a model was trained for, or a ValueError that names its file."""
    saved = None if model.notes is None else model.notes.get(KEY)
    if saved is None:
        raise ValueError(
            f"{path}: was not trained by `python -m ltc_np train`, so it does not say which columns it reads"
        )
    try:
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in saved.items()}
        task = Task(**given)
        fits = _is_a_task(task) and _is_of(task, model)
    except (TypeError, AttributeError):
        fits = False
    if not fits:
        raise ValueError(f"{path}: its notes do not say which columns the model reads, or are of another model")
    return task


def _is_a_task(task: Task) -> bool:
    """Whether every attribute is what `Task` says; notes may come from anywhere."""
    classes = task.labels is None or (_are_names(task.labels) and len(task.labels) > 1 and len(task.target) == 1)
    groups = task.group is not None or (task.every_step and task.by == "time")
    return (
        _are_names(task.features)
        and _are_names(task.target)
        and type(task.words) is dict
        and all(name in task.features and _are_names(tuple(words)) for name, words in task.words.items())
        and all(name is None or type(name) is str for name in (task.time, task.dt, task.group))
        and (task.time is None or task.dt is None)
        and all(type(number) is int and number >= 0 for number in (task.horizon, task.seed))
        and all(type(answer) is bool for answer in (task.every_step, task.dates))
        and all(type(share) is float and 0 < share < 1 for share in (task.validation, task.test))
        and task.validation + task.test < 1
        and type(task.unit) is float
        and 0 < task.unit < math.inf
        and task.missing in MISSING
        and type(task.first) is tuple
        and all(type(mean) is float and math.isfinite(mean) for mean in task.first)
        and len(task.first) == (0 if task.missing == "error" else len(task.columns))
        and task.by in SPLITS
        and classes
        and groups
        and (task.every_step or not task.horizon)
    )


def _are_names(values: object) -> bool:
    return type(values) is tuple and len(values) > 0 and all(type(name) is str for name in values)


def _is_of(task: Task, model: Model) -> bool:
    """Whether a model has the inputs and answers of a task."""
    last = model.layers[-1]
    answers = last.outputs if isinstance(last, MixtureDensity) and task.labels is None else model.output_size
    sizes = (model.input_size, answers) == (task.inputs, task.outputs)
    return sizes and model.return_sequences == task.every_step


def history_of(model: Model, path: str) -> dict[str, Any]:
    """The learning curves that `train` has kept with a model, or a ValueError that names its file."""
    notes = model.notes or {}
    saved = notes.get(HISTORY)
    if saved is None and KEY in notes:
        raise ValueError(
            f"{path}: is a checkpoint, which holds no learning curve: take the file that `train` --out names"
        )
    if saved is None:
        raise ValueError(f"{path}: was not trained by `python -m ltc_np train`, so it has no learning curve")
    try:
        epochs = [saved["epoch"], saved["val_epoch"]]
        curves = saved["measured"].items()
        fits = all(type(k) is int for k in epochs[0] + epochs[1]) and type(saved["best_epoch"]) in (int, type(None))
        fits = fits and "loss" in saved["measured"] and saved["best_epoch"] in (None, *saved["epoch"])
        fits = fits and all(
            len(values) == len(epochs[name.startswith("val_")]) and all(type(v) in (int, float) for v in values)
            for name, values in curves
        )
    except (TypeError, KeyError, AttributeError):
        fits = False
    if not fits:
        raise ValueError(f"{path}: its notes hold no learning curve")
    return dict(saved)
