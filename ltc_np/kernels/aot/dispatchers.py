"""All kernels by the names that they have in a library."""

import importlib
import pkgutil
import types

from numba.core.registry import CPUDispatcher

from .. import cpu
from ..library import symbol


def _modules():
    return [importlib.import_module(f"{cpu.__name__}.{module.name}") for module in pkgutil.iter_modules(cpu.__path__)]


def forget_folders():
    """Let all functions of kernels say only where in the package they stand.

    Machine code that can raise an error has the name of its file inside: with the folder in it, a library would tell
    where it was made, and would be another one in every folder.
    """
    house, known = cpu.__name__.partition(".")[0], set()
    namespaces = [vars(module) for module in _modules()]
    while namespaces:
        for value in namespaces.pop().values():
            function = getattr(value, "py_func", value)
            if isinstance(function, types.FunctionType) and function not in known:
                known.add(function)
                if function.__module__.partition(".")[0] == house:
                    file = f"{function.__module__.replace('.', '/')}.py"
                    function.__code__ = function.__code__.replace(co_filename=file)
                    namespaces.append(function.__globals__)  # copies for a cell have their own


def dispatchers():
    """Numba's dispatcher of every kernel, by its symbol, in alphabetical order."""
    found = {}
    for module in _modules():
        for value in vars(module).values():
            if type(value) is CPUDispatcher:  # a helper has a class of its own
                found[symbol(value.py_func)] = value
    return dict(sorted(found.items()))
