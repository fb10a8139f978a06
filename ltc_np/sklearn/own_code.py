"""Classes and functions of a user's own as text that changes when their code does, or what it reads."""

from __future__ import annotations

import pathlib
import pickle
import sys
import sysconfig
import types
from collections.abc import Iterator
from functools import partial
from typing import Any

import joblib
import numpy as np

from .. import losses

LIBRARIES = {pathlib.Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}
PACKAGE = __name__.partition(".")[0]


def told(value: Any) -> str:
    """A hash of what a value is, the same in every process.

    Of a function, a class or an object of a user's own it tells of the code, and of all that this code reads: other
    functions and classes of the user's, constants, lists, dicts, arrays.  What a library has counts by its name.
    """
    return str(joblib.hash(_told(value, ())))


def is_own(value: Any) -> bool:
    """Whether a function, a class or a module is of no library."""
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] == PACKAGE:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:  # a session, a notebook, or what Python has built in
        return name == "__main__" or name not in sys.modules
    return not any(folder in LIBRARIES for folder in pathlib.Path(file).resolve().parents)


def _told(value: Any, around: tuple[int, ...]) -> Any:
    value = getattr(value, "py_func", value)  # of a function that Numba has compiled
    if id(value) in around:
        return "itself"
    inner = (*around, id(value))
    if isinstance(value, partial):
        return "partial", [_told(part, inner) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.MethodType):
        return "method", _told(value.__func__, inner), _told(value.__self__, inner)
    if isinstance(value, property):
        return "property", [_told(part, inner) for part in (value.fget, value.fset)]
    if isinstance(value, (staticmethod, classmethod)):
        return type(value).__name__, _told(value.__func__, inner)
    if isinstance(value, types.FunctionType) and is_own(value):
        return losses.identity(value), [(name, _told(found, inner)) for name, found in _read(value)]
    if isinstance(value, type) and is_own(value):
        own = [each for each in value.__mro__ if is_own(each)]
        return (
            value.__qualname__,
            [_members(each, inner) for each in own],
            [base.__qualname__ for base in value.__mro__],
        )
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_told(part, inner) for part in value]
    if isinstance(value, dict):
        return "dict", [(_told(name, inner), _told(part, inner)) for name, part in value.items()]
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (np.random.Generator, np.random.RandomState)):  # which another process has in another state
        return type(value).__name__
    if is_own(type(value)):
        return _told(type(value), inner), _told(vars(value) if hasattr(value, "__dict__") else (), inner)
    try:
        return joblib.hash(value)
    except (TypeError, ValueError, AttributeError, pickle.PicklingError):
        return f"{type(value).__module__}.{type(value).__qualname__}"


def _members(kind: type, around: tuple[int, ...]) -> list[tuple[str, Any]]:
    """What stands in the body of a class; of names of Python's own the functions alone."""
    found = sorted(vars(kind).items())
    return [
        (name, _told(value, around))
        for name, value in found
        if isinstance(value, types.FunctionType) or not (name.startswith("__") or name == "_abc_impl")
    ]


def _read(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What the code of a function reads from modules of the user's own, by its names, and what it closes over."""
    names = sorted(set(_names(function.__code__)))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            if is_own(value):
                yield from ((f"{name}.{other}", vars(value)[other]) for other in names if other in vars(value))
        elif name in function.__globals__:
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _names(value)
