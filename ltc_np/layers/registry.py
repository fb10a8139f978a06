"""Which layers there are, by name: `LAYERS` of files, filled by the package, and of these `CELLS` of configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..base.from_arguments import signature
from ..cells import CELLS, Layer

if TYPE_CHECKING:
    L = TypeVar("L", bound=type[Layer])

LAYERS: dict[str, type[Layer]] = dict(CELLS)
SIZES = ("units", "wiring")  # the first argument of what `CellConfig` can make: a wiring is then fully connected


def register(cls: L) -> L:
    """Let files, and configurations if it is a cell, name a layer of your own; a decorator of its class.

    The name is that of the class.  Models with such layers can be saved; for loading the class must be registered too.

    Parameters
    ----------
    cls : class derived from Layer
        If its first argument is ``units`` (or ``wiring``) and it has ``input_dim``, `from_config` knows it as a cell.

    Returns
    -------
    cls

    Raises
    ------
    TypeError
        It is no class of a layer.
    ValueError
        Another class has this name.  (A class that is defined once more in the same place, as in a notebook, takes the
        place of the former one.)

    Examples
    --------
    >>> from ltc_np import Dense, Layer, register
    >>> register(Dense) is Dense
    True
    """
    if not (isinstance(cls, type) and issubclass(cls, Layer)):
        raise TypeError(f"`cls` must be a class derived from Layer, got {cls!r}")
    name = cls.__name__
    held = LAYERS.get(name, cls)
    if (held.__module__, held.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"`cls` must have a name that no other layer has, got {name!r}, which is {held.__module__}'s")
    LAYERS[name] = cls
    first, *others = signature(cls) or [None]
    if first in SIZES and "input_dim" in others:
        CELLS[name] = cls
    return cls
