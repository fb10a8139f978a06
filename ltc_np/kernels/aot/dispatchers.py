"""All kernels by the names that they have in a library."""

import importlib
import pkgutil

from numba.core.registry import CPUDispatcher

from .. import cpu
from ..library import symbol


def dispatchers():
    """Numba's dispatcher of every kernel, by its symbol, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(cpu.__path__):
        for value in vars(importlib.import_module(f"{cpu.__name__}.{module.name}")).values():
            if type(value) is CPUDispatcher:  # a helper has a class of its own
                found[symbol(value.py_func)] = value
    return dict(sorted(found.items()))
