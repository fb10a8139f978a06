"""What files hold of a learner: its arrays, and its settings as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from .. import losses, optim
from ..base import checks
from ..base.types import Array, LibraryLoss
from ..losses.registry import option_of
from ..optim import Optimizer
from ..optim.schedules import CosineDecay, ExponentialDecay, PiecewiseConstant, Schedule, WarmUp
from .lms import LMS, NLMS
from .methods import METHODS, Method
from .rls import RLS
from .rule import Rule

RULES: dict[str, type[Rule | Optimizer]] = {
    kind.__name__: kind for kind in (LMS, NLMS, RLS, *optim.OPTIMIZERS.values())
}
SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (PiecewiseConstant, ExponentialDecay, CosineDecay, WarmUp)
}


def copied(held: Any, like: Array) -> Array:
    """An array of a file, which must have the form of another one."""
    if not isinstance(held, np.ndarray) or held.shape != like.shape or held.dtype != like.dtype:
        got = checks.describe(held)
        raise ValueError(f"an array must be {like.dtype} of shape {like.shape}, got {got}")
    return held.copy()


def rule_form(rule: Rule | Optimizer) -> list[Any]:
    """The name of a rule or an optimiser, and its arguments."""
    return _form("rule", rule, RULES)


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
    return made(form["schedule"], SCHEDULES) if isinstance(form, dict) else form


def made(form: Any, known: Mapping[str, type[Any]]) -> Any:
    """Inverse of `_form`."""
    name, arguments = form
    return known[name](**{key: _value(one) for key, one in arguments.items()})


def rule_of(form: Any) -> Rule | Optimizer:
    """Inverse of `rule_form`."""
    return made(form, RULES)


def method_form(method: Method | None) -> list[Any] | None:
    """The name of a method, and its arguments."""
    return None if method is None else _form("method", method, METHODS)


def method_of(form: Any) -> Method | None:
    """Inverse of `method_form`."""
    return None if form is None else made(form, METHODS)


def loss_form(loss: LibraryLoss) -> list[Any]:
    """The name of a loss, and its option."""
    name = losses.name_of(loss)
    if name is None:
        raise TypeError(f"`loss` must be one of {', '.join(losses.LOSSES)} to be saved, got {loss!r}")
    return [name, option_of(loss)]


def loss_of(form: Any) -> LibraryLoss:
    """Inverse of `loss_form`."""
    name, option = form
    loss = losses.get(name)
    return partial(loss, **option) if option else loss
