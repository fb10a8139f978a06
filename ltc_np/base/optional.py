"""Packages that are needed for one thing only."""

from __future__ import annotations

import importlib
from types import ModuleType


def need(package: str, extra: str, purpose: str) -> ModuleType:
    """The module ``package``, or an ImportError that says by which extra of this package it is installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if error.name is None or not package.startswith(error.name):
            raise  # it is there, and something else is missing
        top = package.partition(".")[0]
        raise ImportError(f'{purpose} needs {top}: pip install "ltc-np[{extra}]"', name=error.name) from None
