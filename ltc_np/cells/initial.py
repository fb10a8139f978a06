"""Initial values that several cells share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.layout import Entry, Layout
from ..base.types import Array, Init, Shape


def orthogonal(rng: np.random.Generator, shape: Shape) -> Array:
    """A (rows, columns) matrix, uniformly drawn, whose rows (columns, if there are more rows) are orthonormal."""
    rows, columns = shape
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q *= np.sign(np.diag(r))  # without it the draw is not uniform
    return q.T if rows < columns else q


class Orthogonal(Immutable):
    """Initial values of an entry: `orthogonal`, times ``gain``."""

    gain: float

    def __init__(self, gain: float) -> None:
        self.gain = gain

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return self.gain * orthogonal(rng, shape)


class Normal(Immutable):
    """Initial values of an entry: normal numbers of this standard deviation."""

    deviation: float

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return self.deviation * rng.standard_normal(shape)


def glorot(rows: int, columns: int, gain: float = 1.0) -> tuple[float, float]:
    """Uniform range of a (rows, columns) matrix by Glorot & Bengio, 2010, times ``gain``."""
    limit = gain * (6 / (rows + columns)) ** 0.5
    return -limit, limit


# What may be drawn for a matrix: word -> initial values of an entry, from its shape and a gain.
DRAWS: dict[str, Callable[[Shape, float], Any]] = {
    "orthogonal": lambda shape, gain: Orthogonal(gain),
    "glorot": lambda shape, gain: glorot(shape[0], shape[1], gain),
}


def with_init(entries: Iterable[Entry], init: Init) -> tuple[dict[str, Any], Layout]:
    """A layer's argument ``init`` checked, and the layout of the entries with its initial values."""
    init = initial_values(init, {e.name: e.shape for e in entries})

    def of(entry):
        value = init.get(entry.name, entry.init)
        if entry.name in init and _is_draw(value):
            word, gain = value
            return DRAWS[word](entry.shape, gain)
        return value

    return init, Layout(tuple(e.replace(init=of(e)) for e in entries))


def _is_draw(value: object) -> bool:
    """Whether this is a word and a gain."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _draw(name: str, value: Any, shape: Shape) -> tuple[str, float]:
    """``value`` of ``init[name]``, a word and a gain, checked."""
    word, gain = value
    checks.one_of(f"init[{name!r}]", word, tuple(DRAWS))
    if len(shape) != 2:
        raise ValueError(
            f"`init[{name!r}]` must be a range, a number or an array, got {value!r}, which is for matrices"
        )
    return word, checks.number(f"init[{name!r}]", gain, low_open=True)


def initial(name: str, value: object, shape: Shape) -> Any:
    """``value`` of ``init[name]``: a range (low, high), a word and a gain, or a float64 array of ``shape`` or ()."""
    if _is_draw(value):
        return _draw(name, value, shape)
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueError(f"`init[{name!r}]` must be (low, high) with low <= high, got {value!r}")
        low, high = (checks.number(f"init[{name!r}]", v, low=-np.inf) for v in value)
        if low > high:
            raise ValueError(f"`init[{name!r}]` must be (low, high) with low <= high, got {value!r}")
        return low, high
    array = checks.plain(f"init[{name!r}]", value)
    real = array.dtype.kind in "fiu"
    if not real or not np.isfinite(array).all() or array.shape not in ((), shape):
        got = f"shape {array.shape}, dtype {array.dtype}" if array.ndim else checks.brief(value)
        raise (ValueError if real else TypeError)(
            f"`init[{name!r}]` must be a (low, high) tuple, a finite number{_words(shape)} or an array of shape "
            f"{shape}, got {got}"
        )
    return array.astype(np.float64)


def _words(shape: Shape) -> str:
    """What else may be the initial values of an array of this shape, for errors."""
    return f", ({' or '.join(map(repr, DRAWS))}, gain)" if len(shape) == 2 else ""


TIME_CONSTANTS = "time_constants"  # what the ``init`` of an LTC may say besides names of parameters


def initial_values(init: Init, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """``init`` of a layer: a dict from names of parameters to (low, high), or float64 numbers and arrays."""
    if init is not None and not isinstance(init, dict):
        note = "; only an LTC has that" if isinstance(init, str) and init == TIME_CONSTANTS else ""
        raise TypeError(f"`init` must be a dict from parameter names, got {checks.brief(init)}{note}")
    for name in init or {}:
        if name not in shapes:
            note = "; only an LTC has that" if name == TIME_CONSTANTS else ""
            raise ValueError(f"`init` has an unknown parameter {name!r:.60}; there are {', '.join(shapes)}{note}")
    return {name: initial(name, value, shapes[name]) for name, value in (init or {}).items()}
