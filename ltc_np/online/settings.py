"""The settings of a learner as plain data, for files."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import losses, optim
from ..base import checks
from ..base.types import LibraryLoss, OwnLossFunction
from ..losses.loss_signature import name_of
from ..losses.registry import option_of
from ..optim import Clip, Optimizer
from ..optim.base import counts_epochs
from ..optim.schedules import SCHEDULES
from .guard import Guard
from .methods import METHODS
from .rule import Rule
from .rules import RULES

KNOWN: Mapping[str, type[Any]] = ChainMap(RULES, {kind.__name__: kind for kind in optim.OPTIMIZERS.values()})


def _form(value: Any, known: Mapping[str, type[Any]]) -> list[Any] | None:
    """Class and arguments of an object as plain data; None of what a file has no words for, such as your own class."""
    kind = type(value)
    if known.get(kind.__name__) is not kind or counts_epochs(value):  # no learner counts epochs
        return None
    arguments = value.config()
    for name, one in arguments.items():
        if callable(one):
            if (schedule := _form(one, SCHEDULES)) is None:
                return None
            arguments[name] = {"schedule": schedule}
    return [kind.__name__, arguments]


def _made(form: Any, known: Mapping[str, type[Any]]) -> Any:
    """Inverse of `_form`."""
    name, arguments = form
    made = {key: _made(one["schedule"], SCHEDULES) if isinstance(one, dict) else one for key, one in arguments.items()}
    return known[name](**made)


def settings_form(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a learner as plain data: of a rule or a loss that a file has no words for, the name."""
    rule, method, clip, guard = (settings[name] for name in ("rule", "method", "clip_norm", "guard"))
    return {
        **settings,
        "rule": _form(rule, KNOWN) or type(rule).__name__,
        "method": None if method is None else _form(method, METHODS),
        "loss": _loss_form(settings["loss"]),
        "clip_norm": None if clip is None else clip.config(),
        "guard": None if guard is None else guard.config(),
    }


def settings_of(form: Mapping[str, Any], rule: Rule | Optimizer | None, loss: OwnLossFunction | None) -> dict[str, Any]:
    """Inverse of `settings_form`, with the rule and the loss of which the form has the name alone."""
    method, clip, guard = (form[name] for name in ("method", "clip_norm", "guard"))
    given_rule = _given("rule", rule, None if rule is None else type(rule).__name__, form["rule"])
    given_loss = _given("loss", loss, None if loss is None else name_of(loss), form["loss"])
    return {
        **form,
        "rule": _made(form["rule"], KNOWN) if given_rule is None else given_rule,
        "method": None if method is None else _made(method, METHODS),
        "loss": _loss_of(form["loss"]) if given_loss is None else given_loss,
        "clip_norm": None if clip is None else Clip(**clip),
        "guard": None if guard is None else Guard(**guard),
    }


def _given(argument: str, value: Any, name: str | None, form: Any) -> Any:
    """What a user gives for a form that is a name; None for one that says all."""
    own = form if isinstance(form, str) else None
    if name == own:
        return value
    if own is None:
        raise ValueError(f"`{argument}` must be None, since the file says all of it, got {checks.brief(value)}")
    raise ValueError(
        f"`{argument}` must be that of the learner, {own}, since something of it is your own (a class, a schedule) "
        f"and a file holds no code, got {checks.brief(value)}: `Learner.load(path, {argument}=...)`"
    )


def _loss_form(loss: LibraryLoss) -> tuple[str, dict[str, Any]] | str:
    """The name of a loss, and its option; of one of yours the name."""
    name = losses.name_of(loss)
    return name_of(loss) if name is None else (name, option_of(loss))


def _loss_of(form: Any) -> LibraryLoss:
    """Inverse of `_loss_form`."""
    name, option = form
    loss = losses.get(name)
    return partial(loss, **option) if option else loss
