"""Calls with arguments that do not fit: Python's own messages say neither the names nor the remedy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import foreign_names
from .checks import brief
from .types import F

if TYPE_CHECKING:
    from typing_extensions import Self


def with_signature_hints(function: F) -> F:
    """A decorator: a call that does not fit the signature says which names there are, and which was meant."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            reason = describe_mismatch(function, args, kwargs)
            if reason is None:
                raise
        raise TypeError(reason)

    return call  # type: ignore[return-value]


class SignatureHints:
    """A base of classes whose calls, and those of their public methods, say what `with_signature_hints` says."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        found = super().__new__(cls)
        # A copy and pickle make an object without a call of `__init__`, and give nothing here.
        reason = describe_mismatch(cls.__init__, (found, *args), kwargs) if args or kwargs else None
        if reason is not None:
            raise TypeError(reason)
        return found

    def __init_subclass__(cls, **more: Any) -> None:
        for name, member in list(vars(cls).items()):
            if inspect.isfunction(member) and not name.startswith("_"):
                setattr(cls, name, with_signature_hints(member))
        super().__init_subclass__(**more)


def describe_mismatch(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call, in one sentence; None if they fit."""
    bound = _is_method(function, args)
    takes, given = _parameters(function, bound), args[1:] if bound else args
    try:
        found = inspect.signature(function).bind(*args, **kwargs).arguments
        if takes.needed <= found.keys():  # Python 3.13.0 takes a name in **kwargs for that of a parameter by position
            return None
    except TypeError:
        pass
    name = function.__name__
    if name == "__init__":
        name = type(args[0]).__name__
    name = "a call of the model" if name == "__call__" else f"`{name}`"
    reason = (
        _unknown(takes, kwargs, None if not bound or function.__name__ == "__init__" else type(args[0]))
        or _too_many(takes, given)
        or _missing(takes, given, kwargs)
        or _twice(takes, given, kwargs)
    )
    return None if reason is None else f"{name} {reason}"


class _Parameters(NamedTuple):
    """Names of what a function takes, without the object whose method it is."""

    only_by_position: list[str]
    by_position_or_name: list[str]
    only_by_name: list[str]
    needed: set[str]  # those without a default
    more_by_position: bool  # it has *args
    more_by_name: bool  # it has **kwargs

    @property
    def by_position(self) -> list[str]:
        return self.only_by_position + self.by_position_or_name

    @property
    def by_name(self) -> list[str]:
        return self.by_position_or_name + self.only_by_name


def _is_method(function: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    """Whether the first argument of a call is the object, or the class, whose method the function is."""
    if next(iter(inspect.signature(function).parameters), "") in ("self", "cls"):
        return True
    # Functions of a model, such as `fit(model, x)`, are methods of its class too, and there is no `self` in them.
    plain = inspect.unwrap(function)
    found = [vars(base).get(function.__name__) for base in type(args[0]).__mro__] if args else []
    return any(callable(method) and inspect.unwrap(method) is plain for method in found)


def _parameters(function: Callable[..., Any], bound: bool) -> _Parameters:
    parameters = list(inspect.signature(function).parameters.values())
    own = parameters[1:] if bound else parameters

    def names(kind: Any) -> list[str]:
        return [p.name for p in own if p.kind is kind]

    return _Parameters(
        only_by_position=names(inspect.Parameter.POSITIONAL_ONLY),
        by_position_or_name=names(inspect.Parameter.POSITIONAL_OR_KEYWORD),
        only_by_name=names(inspect.Parameter.KEYWORD_ONLY),
        needed={p.name for p in own if p.default is p.empty},
        more_by_position=bool(names(inspect.Parameter.VAR_POSITIONAL)),
        more_by_name=bool(names(inspect.Parameter.VAR_KEYWORD)),
    )


def _unknown(takes: _Parameters, kwargs: Mapping[str, Any], owner: type[Any] | None) -> str | None:
    """``owner`` is the class whose method is called, of which the argument may be one."""
    if takes.more_by_name:
        return None
    for keyword in kwargs:
        if keyword not in takes.by_name:
            if owner is not None and keyword in inspect.signature(owner.__init__).parameters:
                return f"has no argument `{keyword}`: it is one of the class, {owner.__name__}({keyword}=...)"
            return f"has no argument `{keyword}`: {foreign_names.argument(keyword, takes.by_name)}"
    return None


def _too_many(takes: _Parameters, given: tuple[Any, ...]) -> str | None:
    names = takes.by_position
    if takes.more_by_position or len(given) <= len(names):
        return None
    got = ", ".join(map(brief, given[len(names) :]))
    rest = f": give {', '.join(takes.only_by_name)} by name" if takes.only_by_name else ""
    if not names:
        return f"takes nothing by position, got {got}{rest}"
    return f"takes only {_listed(names)} by position, got {got} as well{rest}"


def _missing(takes: _Parameters, given: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    by_name = [name for name in kwargs if name in takes.by_name]
    left = takes.by_position[len(given) :] + takes.only_by_name
    missing = [name for name in left if name in takes.needed and name not in by_name]
    return f"needs {_listed(missing)}, got no such argument" if missing else None


def _twice(takes: _Parameters, given: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    twice = next((name for name in takes.by_position[: len(given)] if name in kwargs and name in takes.by_name), None)
    return None if twice is None else f"got `{twice}` twice, by position and by name"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
