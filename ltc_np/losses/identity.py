"""What a loss is, in words that another process finds again."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..base.types import LibraryLoss
from .own import OwnLoss
from .registry import name_of

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def identity(loss: LibraryLoss) -> str:
    """Words that are the same for the same loss in every process, and others for another loss.

    Parameters
    ----------
    loss : callable
        What `get` returned.

    Returns
    -------
    str
        The name of one of the library's losses, with the arguments of a partial.  Of a function of your own its module
        and name, and a hash of its code, its default values and what it closes over; of another object its class, and a
        hash of its attributes.  Numbers, text, tuples, arrays and functions count by what they are, all else (lists,
        dicts, models) by its type, since it may change from call to call.  What a function reads from its module does
        not count.  Another version of Python may make other code of a function.

    Examples
    --------
    >>> from functools import partial
    >>> from ltc_np.losses import huber, mse
    >>> identity(mse), identity(partial(huber, delta=0.1))
    ('mse', 'huber(delta=0.1)')
    """
    loss = loss.function if isinstance(loss, OwnLoss) else loss  # type: ignore[assignment]
    name = name_of(loss)
    if name is None:
        name = _name(loss.func if isinstance(loss, partial) else loss)
        return f"{name}#{_digest(_words(loss).encode())[:16]}"
    given = [*map(_words, loss.args), *_named(loss.keywords)] if isinstance(loss, partial) else []
    return f"{name}({', '.join(given)})" if given else name


def _digest(content: bytes) -> str:
    import hashlib  # loads OpenSSL, and only training needs it

    return hashlib.sha256(content).hexdigest()


def _words(value: Any, around: tuple[Any, ...] = ()) -> str:
    """What ``value`` is, in words; ``around`` has the ids of all that it is a part of.

    What is a part of itself, as a function that closes over itself, is "itself" there.  Of an object that is a part of
    another one only the type counts.
    """
    value = getattr(value, "py_func", value)  # of a function that Numba has compiled
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, np.generic):
        return f"{value.dtype} {value.item()!r}"
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return f"{value.dtype} {value.shape} {_digest(value.tobytes())}"
    if isinstance(value, tuple):
        return f"({', '.join(_words(v, around) for v in value)})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(_words(v, around) for v in value))}}}"
    if isinstance(value, types.CodeType):
        return _words((value.co_code, value.co_consts, value.co_names, value.co_varnames, value.co_freevars), around)
    if id(value) in around:
        return "itself"
    inner = (*around, id(value))
    if isinstance(value, partial):
        given = [*(_words(v, inner) for v in value.args), *_named(value.keywords, inner)]
        return f"{_words(value.func, inner)} with {given}"
    if isinstance(value, types.FunctionType):
        parts = value.__code__, value.__defaults__, *(_cell(cell, inner) for cell in value.__closure__ or ())
        return f"{_name(value)} {_words(parts, inner)} {_named(value.__kwdefaults__ or {}, inner)}"
    if isinstance(value, types.MethodType):
        return f"{_words(value.__func__, inner)} of {_words(value.__self__, around)}"
    if around or isinstance(value, type) or not hasattr(value, "__dict__"):
        return _name(value)
    return f"{_name(value)} {_words(type(value).__call__, inner)} {_named(vars(value), inner)}"


def _cell(cell: Any, around: tuple[Any, ...]) -> str:
    """What a variable holds that a function closes over."""
    try:
        return _words(cell.cell_contents, around)
    except ValueError:  # not filled yet
        return "empty"


def _named(values: Mapping[str, Any], around: tuple[Any, ...] = ()) -> list[str]:
    """``name=words`` of a dict, in the order of the names."""
    return [f"{name}={_words(value, around)}" for name, value in sorted(values.items())]


def _name(value: Any) -> str:
    """Module and name of a function or a class, those of its class for an object."""
    own = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(own, '__module__', None)}.{own.__qualname__}"
