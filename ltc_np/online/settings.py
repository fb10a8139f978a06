"""The settings of a learner as plain data, for files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import losses, optim
from ..base.types import LibraryLoss
from ..losses.registry import option_of
from ..optim import Clip, Optimizer
from ..optim.schedules import CosineDecay, ExponentialDecay, PiecewiseConstant, Schedule, WarmUp
from .guard import Guard
from .lms import LMS, NLMS
from .methods import METHODS
from .rls import RLS
from .rule import Rule

_KINDS: tuple[type[Rule | Optimizer], ...] = (LMS, NLMS, RLS, *optim.OPTIMIZERS.values())
RULES = {kind.__name__: kind for kind in _KINDS}
SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (PiecewiseConstant, ExponentialDecay, CosineDecay, WarmUp)
}


def _form(name: str, value: Any, known: Mapping[str, type[Any]]) -> list[Any]:
    """Class and arguments of an object, as plain data."""
    kind = type(value)
    if known.get(kind.__name__) is not kind:
        raise TypeError(f"`{name}` must be one of {', '.join(known)} to be saved, got {value!r}")
    arguments = value.config()
    return [kind.__name__, {key: _plain(f"{name}.{key}", one) for key, one in arguments.items()}]


def _plain(name: str, value: Any) -> Any:
    """An argument as plain data: itself, or a schedule's class and arguments."""
    if callable(value):
        return {"schedule": _form(name, value, SCHEDULES)}
    return value


def _value(form: Any) -> Any:
    """Inverse of `_plain`."""
    return _made(form["schedule"], SCHEDULES) if isinstance(form, dict) else form


def _made(form: Any, known: Mapping[str, type[Any]]) -> Any:
    """Inverse of `_form`."""
    name, arguments = form
    return known[name](**{key: _value(one) for key, one in arguments.items()})


def settings_form(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a learner as plain data."""
    method, clip, guard = (settings[name] for name in ("method", "clip_norm", "guard"))
    return {
        **settings,
        "rule": _form("rule", settings["rule"], RULES),
        "method": None if method is None else _form("method", method, METHODS),
        "loss": _loss_form(settings["loss"]),
        "clip_norm": None if clip is None else clip.config(),
        "guard": None if guard is None else guard.config(),
    }


def settings_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `settings_form`."""
    method, clip, guard = (form[name] for name in ("method", "clip_norm", "guard"))
    return {
        **form,
        "rule": _made(form["rule"], RULES),
        "method": None if method is None else _made(method, METHODS),
        "loss": _loss_of(form["loss"]),
        "clip_norm": None if clip is None else Clip(**clip),
        "guard": None if guard is None else Guard(**guard),
    }


def _loss_form(loss: LibraryLoss) -> tuple[str, dict[str, Any]]:
    """The name of a loss, and its option."""
    name = losses.name_of(loss)
    if name is None:
        raise TypeError(f"`loss` must be one of {', '.join(losses.LOSSES)} to be saved, got {loss!r}")
    return name, option_of(loss)


def _loss_of(form: Any) -> LibraryLoss:
    """Inverse of `_loss_form`."""
    name, option = form
    loss = losses.get(name)
    return partial(loss, **option) if option else loss
