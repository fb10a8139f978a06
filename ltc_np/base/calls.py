"""Calls with arguments that do not fit: Python's own messages say neither the names nor the remedy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import foreign_names
from .checks import brief
from .types import F


def with_signature_hints(function: F) -> F:
    """A decorator: a call that does not fit the signature says which names there are, and which was meant."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            reason = misfit(function, args, kwargs)
            if reason is None:
                raise
        raise TypeError(reason)

    return call  # type: ignore[return-value]


def misfit(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call, in one sentence; None if they fit."""
    parameters = inspect.signature(function).parameters
    try:
        inspect.signature(function).bind(*args, **kwargs)
        return None
    except TypeError:
        pass
    name = function.__name__
    if name == "__init__":
        name = type(args[0]).__name__
    name = "a call of the model" if name == "__call__" else f"`{name}`"
    # A function may be the method of a class, and its first parameter then have another name than self.
    own_name = next(iter(parameters), "") in ("self", "cls")
    method = own_name or bool(args and hasattr(type(args[0]), function.__name__))
    own_kinds = list(parameters.values())[method:]
    by_position = [p.name for p in own_kinds if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = [p.name for p in own_kinds if p.kind is p.KEYWORD_ONLY]
    kinds, given, known = {p.kind for p in own_kinds}, args[method:], by_position + by_name
    for keyword in kwargs:
        if keyword not in known and inspect.Parameter.VAR_KEYWORD not in kinds:
            return f"{name} has no argument `{keyword}`: {foreign_names.argument(keyword, known)}"
    if len(given) > len(by_position) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        takes = f"only {_listed(by_position)}" if by_position else "nothing"
        got = ", ".join(map(brief, given[len(by_position) :]))
        rest = f": give {', '.join(by_name)} by name" if by_name else ""
        return f"{name} takes {takes} by position, got {got}{' as well' if by_position else ''}{rest}"
    missing = [
        p.name for p in own_kinds if p.default is p.empty and p.name in known[len(given) :] and p.name not in kwargs
    ]
    if missing:
        return f"{name} needs {_listed(missing)}, got no such argument"
    twice = next(p for p in by_position[: len(given)] if p in kwargs)
    return f"{name} got `{twice}` twice, by position and by name"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
