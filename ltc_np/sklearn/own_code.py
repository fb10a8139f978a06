"""Classes and functions of a user's own as text that changes when their code does, or what it reads."""

from __future__ import annotations

import dis
import functools
import importlib.util
import pathlib
import pickle
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from typing import Any

import joblib
import numpy as np

LIBRARIES = {pathlib.Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
PACKAGE = __name__.partition(".")[0]
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def told(value: Any) -> str:
    """A hash of what a value is, the same in every process.

    Of a function, a class or an object of a user's own it tells of the code, and of all that this code reads: other
    functions and classes of the user's, defaults, constants, lists, dicts, arrays.  Of a module that is imported within
    a function it is the file.  What a library has counts by its name.
    """
    try:
        return str(joblib.hash(_Walk().told(value)))
    except RecursionError:
        words = f"since what {_name(value)} reads is nested too deeply to be known"
        raise ValueError(f"`resume` must be left out, {words}") from None


def is_own(value: Any) -> bool:
    """Whether a function, a class or a module is of no library."""
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] == PACKAGE:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:  # a session, a notebook, or what Python has built in
        return name == "__main__" or name not in sys.modules
    return _is_own_file(file)


def _is_own_file(file: str) -> bool:
    return not any(folder in LIBRARIES for folder in pathlib.Path(file).resolve().parents)


class _Walk:
    """Goes through all that a value holds, and through each object once."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, Any]] = {}  # by address; the object is kept, so that no other gets the address

    def told(self, value: Any) -> Any:
        """Nested lists and text."""
        if isinstance(value, PLAIN) and not is_own(type(value)):
            return f"{type(value).__name__} {value!r}"
        # Constants in code may be one object or several equal ones, by how it was compiled; they are never cyclic.
        if isinstance(value, (types.FunctionType, type, list, dict, set)) or is_own(type(value)):
            if id(value) in self.known:
                return f"that of number {self.known[id(value)][0]}"
            self.known[id(value)] = len(self.known), value
        for attribute in ("py_func", "_dispatcher", "__wrapped__"):  # of Numba, of its ufuncs, of functools
            inner = getattr(value, attribute, None)
            if inner is not None and not isinstance(value, (type, types.ModuleType, types.FunctionType)):
                return [attribute, self.told(inner)]
        if isinstance(value, types.FunctionType):
            return self._function(value) if is_own(value) else _name(value)
        if isinstance(value, type):
            return self._class(value) if is_own(value) else _name(value)
        if isinstance(value, types.CodeType):
            return self._code(value)
        parts = _parts(value)
        if parts is not None:
            return [type(value).__name__, self._all(parts)]
        if is_own(type(value)):
            return [self.told(type(value)), self._all(_contents(value)), self._all(_state(value))]
        if isinstance(value, (list, tuple, dict, set, frozenset)):
            return [type(value).__name__, self._all(_contents(value))]
        if isinstance(value, types.ModuleType | np.random.Generator | np.random.RandomState):
            return _name(value)  # another process has a generator in another state
        try:
            return joblib.hash(value)
        except (TypeError, ValueError, AttributeError, pickle.PicklingError):
            return _name(value)

    def _all(self, values: Iterable[Any]) -> list[Any]:
        return [self.told(value) for value in values]

    def _function(self, function: types.FunctionType) -> list[Any]:
        code, given = function.__code__, function.__kwdefaults__ or {}
        found = [function.__qualname__, self._code(code), self._all(function.__defaults__ or ())]
        found += sorted(given), self._all(given[name] for name in sorted(given))
        for name, value in _read(function):
            found.append([name, self.told(value)])
        return found

    def _code(self, code: types.CodeType) -> list[Any]:
        return [code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, self._all(code.co_consts)]

    def _class(self, kind: type) -> list[Any]:
        own = [each for each in kind.__mro__ if is_own(each)]
        members = [[name, self.told(value)] for each in own for name, value in _members(each)]
        return [kind.__qualname__, [_name(base) for base in kind.__mro__], members]


def _parts(value: Any) -> list[Any] | None:
    """What some objects of Python's own are made of."""
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, property):
        return [value.fget, value.fset]
    if isinstance(value, functools.cached_property):
        return [value.func]
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    return None


def _contents(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return list(value) if isinstance(value, (list, tuple)) else []


def _state(value: Any) -> list[Any]:
    """Attributes of an object, by name."""
    slots = {name for kind in type(value).__mro__ for name in np.atleast_1d(vars(kind).get("__slots__", ())).tolist()}
    found = {name: getattr(value, name) for name in slots if hasattr(value, name) and not name.startswith("__")}
    found |= vars(value) if hasattr(value, "__dict__") else {}
    return [part for name in sorted(found) for part in (name, found[name])]


def _members(kind: type) -> list[tuple[str, Any]]:
    """What stands in the body of a class; of names of Python's own the functions alone."""
    return [
        (name, value)
        for name, value in sorted(vars(kind).items())
        if isinstance(value, types.FunctionType) or not (name.startswith("__") or name == "_abc_impl")
        if not isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType))
    ]


def _read(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What the code of a function reads of a user's own: by names of its module, by closures, and by imports."""
    names, imported = set[str](), set[str]()
    _look(function.__code__, names, imported)
    for name in sorted(names):
        if name in function.__globals__:
            yield from _found(name, function.__globals__[name], names, ())
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in sorted(imported):
        yield from _file(name)


def _found(name: str, value: Any, names: set[str], within: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """A value; of a module of the user's own what the same code may read of it."""
    if not isinstance(value, types.ModuleType):
        yield name, value
    elif is_own(value) and value not in within:
        for other in sorted(names):
            if other in vars(value):
                yield from _found(f"{name}.{other}", vars(value)[other], names, (*within, value))


def _file(name: str) -> Iterator[tuple[str, Any]]:
    """The content of a module of the user's own that a function imports."""
    try:
        found = sys.modules.get(name) or importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return
    file = getattr(found, "__file__", None) or getattr(found, "origin", None)
    if name.partition(".")[0] != PACKAGE and file and pathlib.Path(file).is_file() and _is_own_file(file):
        yield name, pathlib.Path(file).read_bytes()


def _look(code: types.CodeType, names: set[str], imported: set[str]) -> None:
    """Names that code reads, and modules that it imports; with all code within."""
    names.update(code.co_names)
    imported.update(one.argval for one in dis.get_instructions(code) if one.opname == "IMPORT_NAME")
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            _look(value, names, imported)


def _name(value: Any) -> str:
    own = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(own, '__module__', None)}.{own.__qualname__}"
