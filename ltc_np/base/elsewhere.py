"""Attributes that objects of other libraries have: errors say what to write here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar


class Elsewhere:
    """A base of classes in which users of others look for what there is not."""

    _elsewhere: ClassVar[Mapping[str, str]] = {}  # these names, and what to write instead
    _in_words: ClassVar[str]

    if not TYPE_CHECKING:  # for which an object with `__getattr__` would have every attribute

        def __getattr__(self, name: str) -> Any:
            if name in self._elsewhere:
                raise AttributeError(self._nothing(name))
            return super().__getattribute__(name)  # again, for its error: it may be that of a property

    def _nothing(self, name: str) -> str:
        return f"`{name}` is nothing that {self._in_words} has: {self._elsewhere[name]}"
