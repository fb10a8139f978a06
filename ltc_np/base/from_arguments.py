"""Objects that are described by the arguments of their constructor, which they keep under the same names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .calls import with_signature_hints

if TYPE_CHECKING:
    from typing_extensions import Self


@cache
def signature(cls: Any) -> dict[str, inspect.Parameter]:
    """The parameters of a class's constructor by name, without ``self``.

    A constructor with ``**keywords`` hands on to that of the next class, whose parameters follow; they are given by
    name, unless there is ``*arguments`` too.
    """
    found: dict[str, inspect.Parameter] = {}
    by_name = False
    for maker in (base.__dict__["__init__"] for base in cls.__mro__ if "__init__" in base.__dict__):
        _, *parameters = inspect.signature(maker).parameters.values()
        kinds = {p.kind for p in parameters}
        hands_on = inspect.Parameter.VAR_KEYWORD in kinds
        for p in parameters:
            if p.kind is p.VAR_KEYWORD or (hands_on and p.kind is p.VAR_POSITIONAL):
                continue
            found.setdefault(p.name, p.replace(kind=p.KEYWORD_ONLY) if by_name else p)
        if not hands_on:
            break
        by_name |= inspect.Parameter.VAR_POSITIONAL not in kinds
    return found


class FromArguments:
    """Base of what is rebuilt from its arguments: each is kept as the attribute of its name.

    A class whose attributes are called otherwise defines `config` itself.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not TYPE_CHECKING and "__init__" in vars(cls):  # for checkers the signature stays as it stands
            cls.__init__ = with_signature_hints(cls.__init__)

    def config(self) -> dict[str, Any]:
        """Arguments that make an equal object: a dict of str, numbers, None, lists, dicts, arrays and the like."""
        names = self.arguments()
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise NotImplementedError(
                f"{type(self).__name__} must keep its argument as `self.{missing[0]}`, or define `config`"
            )
        return {name: getattr(self, name) for name in names}

    @classmethod
    def arguments(cls) -> list[str]:
        """Names of the arguments: those of the signature.  A class where one has two names leaves out the second."""
        return list(signature(cls))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Inverse of `config`."""
        several = [name for name, p in signature(cls).items() if p.kind is p.VAR_POSITIONAL and name in config]
        if not several:
            return cls(**config)
        ((name),) = several
        return cls(*config[name], **{key: value for key, value in config.items() if key != name})

    def defaults(self) -> dict[str, Any]:
        """The values of arguments that `repr` leaves out, by name; of arguments without one it shows the value alone.

        They are those of the signature.  A class where a default follows from other arguments says so here.
        """
        return {name: p.default for name, p in signature(type(self)).items() if p.default is not p.empty}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(_arguments(self))})"


class Immutable(FromArguments):
    """What never changes after it is made: equal if the class and the arguments are."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        own = known(self)
        return self is other or (own is not None and same(own, other.config()))

    def __hash__(self) -> int:
        return hash(type(self))  # what is equal may have another repr: a dict in another order, 0.0 and -0.0


def known(described: FromArguments) -> dict[str, Any] | None:
    """Its `config`, or None where it has none: errors show any object by its repr."""
    try:
        return type(described).config(described)  # not what somebody has put in its place on the object
    except NotImplementedError:
        return None


def _arguments(described: FromArguments) -> list[str]:
    """The arguments that the repr shows, as text."""
    config = known(described)
    if config is None:
        return ["..."]
    cls = type(described)
    defaults, parameters, alone, named = cls.defaults(described), signature(cls), [], []
    for name, value in config.items():
        kind = parameters[name].kind if name in parameters else inspect.Parameter.KEYWORD_ONLY
        if kind is inspect.Parameter.VAR_POSITIONAL:
            alone += map(_shown, value)
        elif name not in defaults and kind is not inspect.Parameter.KEYWORD_ONLY:
            alone.append(_shown(value))
        elif name not in defaults or not same(value, defaults[name]):
            named.append(f"{name}={_shown(value)}")
    return alone + named


def _shown(value: object) -> str:
    """The repr of an argument; arrays in a few words."""
    if isinstance(value, np.ndarray):
        return repr(value.item()) if value.ndim == 0 else f"<array of shape {value.shape}>"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(inner)}" for key, inner in value.items()) + "}"
    return repr(value)


def same(a: Any, b: Any) -> bool:
    """Whether two arguments are equal: arrays by value, shape and dtype, dicts, lists and tuples by what they hold."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        return both and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
