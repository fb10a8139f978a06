"""Properties that are computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class once(Generic[T]):
    """A property whose value is computed when it is first asked for, and kept in the instance's ``__dict__``.

    It is `functools.cached_property` without the lock that this has before Python 3.12, one for all instances: a fork
    while another thread computes leaves it taken, and the child waits for ever.  Threads that ask at the same time may
    each compute the value.
    """

    function: Callable[[Any], T]
    name: str

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.function(instance)
        return value
