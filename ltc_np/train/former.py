"""Former arguments of `fit`, which this version takes with a warning that shows the new line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import MonitorMode
from ..optim.clip import Clip
from .bptt import BPTT
from .data.batching import Batching
from .data.validation import Validation, ValidationData
from .loop.best_weights import BestWeights
from .parts import GROUPS
from .penalty import L1L2
from .ranks.communication import ShardedData
from .resume.folder import Checkpoints

NEVER_ARGUMENTS: tuple[str, ...] = ("augment",)  # parts that have come since


def translate(given: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Replace former arguments of a call, by name, by what is to be written now; one warning shows all of that."""
    names: list[str] = []
    now: dict[str, Any] = {}
    for option, join in JOIN.items():
        kind, parts = GROUPS[option]
        old = {name: given.pop(name) for name in parts if name in given and name not in (option, *NEVER_ARGUMENTS)}
        if not old:
            continue
        names += old
        beside = given.get(option, defaults[option])
        if beside is not None and isinstance(beside, (kind, ALSO_NEW.get(option, kind))):
            got = _written(option, beside)
            raise TypeError(f"{_listed(old)} must be given to `{kind.__name__}`, not beside it, got {got}")
        now[option] = join(beside, **old)
    if not now:
        return
    given.update(now)
    lines = ", ".join(_written(option, value) for option, value in now.items())
    kinds = ", ".join(type(value).__name__ for value in now.values() if isinstance(value, Immutable))
    message = f"ltc_np: {_listed(names)} of `fit` will be refused by the next version: give {lines}"
    message += f" (from ltc_np import {kinds})" if kinds else ""
    checks.warn(message, FutureWarning)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _written(option: str, value: object) -> str:
    """An argument as users write it, with "..." for data."""
    plain = value is None or isinstance(value, (Immutable, range, str, int, float))
    return f"{option}={value!r}" if plain else f"{option}=..."


def _validation(
    none: None,
    validation_data: ValidationData | None = None,
    validation_split: float | None = None,
    validation_every: int = 1,
) -> Validation | ValidationData | None:
    if validation_data is not None and validation_split is not None:
        raise ValueError("`validation_split` and `validation_data` must not be given both: choose one")
    data = validation_data if validation_split is None else validation_split
    every = checks.integer("validation_every", validation_every)
    return data if data is None or every == 1 else Validation(data, every=every)


def _clip(clip_norm: float | None, clip_array_norm: float | None) -> Clip | float | None:
    if clip_array_norm is None:
        return clip_norm
    if clip_norm is None:
        return Clip(clip_array_norm, per_array=True)
    got = f"{checks.brief(clip_norm)} and {checks.brief(clip_array_norm)}"
    raise ValueError(f"`clip_norm` and `clip_array_norm` must not be given both, got {got}: choose one")


def _keep_best(keep: bool, monitor: str | None = None, monitor_mode: MonitorMode = "auto") -> BestWeights:
    return BestWeights(monitor, mode=monitor_mode, keep=keep)


def _checkpoints(folder: Any, **parts: Any) -> Checkpoints | None:
    if folder is not None:
        return Checkpoints(folder, **parts)
    for name, value in parts.items():
        if value != {"every": None, "keep_last": 3, "resume": False}[name]:
            raise ValueError(f"`{name}` must be left out without a folder `checkpoint`, got {value}")
    return None


# What an option takes now, of what it was given beside former arguments, and of these.
JOIN: dict[str, Callable[..., Any]] = {
    "epochs": lambda epochs, initial_epoch: range(
        checks.integer("initial_epoch", initial_epoch, 0), checks.integer("epochs", epochs)
    ),
    "batch_size": Batching,
    "tbptt": BPTT,
    "validation": _validation,
    "penalty": lambda none, **parts: L1L2(**parts),
    "clip_norm": _clip,
    "keep_best": _keep_best,
    "comm": lambda comm, shares: ShardedData(comm) if checks.boolean("shares", shares) else comm,
    "checkpoint": _checkpoints,
}
# Besides the class: what an option did not take when it had these arguments beside it.
ALSO_NEW: dict[str, type] = {"validation": object, "penalty": object, "keep_best": str}
