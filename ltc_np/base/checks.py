"""Input checks, made once at the public boundary.

Every error is one line that names the argument, the rule and what came: a TypeError for something of the wrong kind,
such as a bool for a number, a ValueError for what is out of range.
"""

from __future__ import annotations

import datetime
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from types import FrameType
from typing import Any

import numpy as np

from . import frames
from .arrays import filled
from .sums import sum_of_squares
from .types import A, Array, ArrayLike, Bools, Float, Ints, Numbers
from .visible import visible

UNIT = "divide by a unit such as np.timedelta64(1, 's')"
DATES = "ltc_np.data.dt_from_times(dates, unit='h') makes elapsed times of dates, in hours"


def warn(message: str, category: type[Warning] = RuntimeWarning) -> None:
    """A warning that points to the user's line: the first one outside of this package."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").startswith("ltc_np."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def text(name: str, value: object) -> str:
    """``value`` if it is a str."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a str, got {brief(value)}")
    return value


def one_line(error: BaseException) -> str:
    """An exception in one line."""
    return visible(" ".join(f"{type(error).__name__}: {error}".split()))


def plain(name: str, values: object, expected: str = "an array of real numbers") -> Numbers:
    """``values`` as an array; masked and ragged ones are refused, and columns of a frame that hold no numbers."""
    if type(values) is np.ndarray:  # none of what follows
        return values
    if frames.is_pandas(values):
        return frames.array(name, values)
    inside = values if isinstance(values, (list, tuple)) else ()
    if any(isinstance(v, np.ma.MaskedArray) for v in (values, *inside)):
        raise TypeError(
            f"`{name}` must be a plain array, got a masked array (use `lengths` for padding, and `.filled(np.nan)` for "
            "what is missing)"
        )
    if hasattr(values, "__cuda_array_interface__"):  # some libraries would copy it, others refuse
        raise TypeError(
            f"`{name}` must be an array of the host here, got one on a GPU: copy it (`.get()` of CuPy, `.cpu()` of "
            "PyTorch, `.copy_to_host()` of Numba)"
        )
    try:
        return np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ValueError(f"`{name}` must be {expected}, got a ragged list (`ltc_np.data.pad` helps)") from None
    except (TypeError, RuntimeError) as error:  # tensors that lie elsewhere, or that others want gradients of
        kind = f"{type(values).__module__.split('.')[0]}.{type(values).__name__}"
        raise TypeError(
            f"`{name}` must be {expected}, got a {kind} that NumPy cannot read: {one_line(error)}"
        ) from None


def real(
    name: str,
    values: object,
    dtype: np.dtype[Any] | None = None,
    expected: str = "an array of real numbers",
    bools: bool = False,
) -> Numbers:
    """``values`` as a contiguous array of real numbers, cast to ``dtype``; object, complex, text are refused.

    With ``bools`` these are numbers too, 0 and 1.
    """
    array = plain(name, values, expected)
    if dtype is not None and array.dtype == dtype and array.flags.carray:  # soonest: so most calls have it
        return array
    if array.dtype.kind not in ("biuf" if bools else "fiu"):
        hint = {"M": f": {DATES}", "m": f": {UNIT}", "U": ": this is text"}.get(array.dtype.kind, "")
        if array.dtype == object:
            hint = _about_objects(array)
        raise TypeError(f"`{name}` must be real numbers ({expected}), got dtype {array.dtype}{hint}")
    if dtype is None:
        return array
    # A copy also where only a flag is wrong: Numba would compile its kernels again for a read-only array.
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused by `finite`
        return np.array(array, dtype=dtype, order="C")


def _about_objects(array: Array) -> str:
    """The remedy for what is no number."""
    if any(isinstance(one, datetime.timedelta) for one in array.flat):
        return f": {UNIT}"
    return ": a number that is missing is np.nan" if None in array.flat else ""


def surely_finite(array: Numbers) -> bool:
    """Quick, and true of every array that `finite` takes, but for extreme ones."""
    return math.isfinite(sum_of_squares(array))


def all_finite(array: Numbers) -> bool:
    """Whether all elements are, also where their squares overflow."""
    return surely_finite(array) or bool(np.isfinite(array).all())


def finite(
    name: str,
    array: Numbers,
    valid: Bools | None = None,
    names: Sequence[object] | None = None,
    missing: str = "",
    quick: Callable[[Numbers], bool] = surely_finite,
) -> None:
    """Refuse NaN, infinities, and magnitudes whose square overflows, of valid elements.

    Errors say the column, by its place in ``names`` if there are any, and add ``missing`` where it is a NaN; ``quick``
    is `surely_finite`, or a kernel that does the same.
    """
    if quick(array):
        return
    limit = largest(array.dtype)
    ok = np.abs(array) <= limit
    if valid is not None:
        ok |= ~valid.reshape(valid.shape + (1,) * (array.ndim - valid.ndim))
    if not ok.all():
        where = tuple(int(i) for i in np.argwhere(~ok)[0])
        rule = f"finite in {array.dtype} (at most {limit:.1e})"
        named = frames.column(names, where[-1]) if where else ""
        hint = missing if np.isnan(array[where]) else ""
        raise ValueError(f"`{name}` must be {rule}, got {array[where]} at index {where}{named}{hint}")


def largest(dtype: np.dtype[Any]) -> Any:
    """The largest magnitude that may be multiplied by another one."""
    return np.finfo(dtype).max ** 0.5


def must_know(where: str, name: str, value: object, known: Iterable[object]) -> None:
    """Refuse what the code in the module ``where`` has no form of; it must never take one that it has instead.

    ``known`` is written out there, so that a word or number which the library learns elsewhere is not taken for known.
    """
    if value not in (known := tuple(known)):
        words = ", ".join(map(repr, known))
        raise ValueError(
            f"`{name}` must be one of {words}, which are all that {where} knows, got {brief(value)}: "
            f"use one of them, or write that one there"
        )


def brief(value: object) -> str:
    """``value`` in a few words, for errors."""
    shape = getattr(value, "shape", ())
    return f"an array of shape {shape}" if shape else _in_one_line(value, 60)


def _in_one_line(value: object, length: int) -> str:
    """Its repr in one line; of a longer one the first words, and three dots."""
    text = " ".join(repr(value).split())
    if len(text) <= length:
        return text
    text = text[: length - 3]
    words = text.rpartition(" ")[0].rstrip(",")
    return f"{words if 2 * len(words) > length else text}..."


def counted(count: int, what: str) -> str:
    """A number of things, of which ``what`` is one: 1 step, 2 steps."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def describe(value: object) -> str:
    """What ``value`` is, in a few words: an array's dtype and shape, a tuple's length, else type and value."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"{type(value).__name__} {_in_one_line(value, 40)}"


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """``value`` as an int in least..most, without an upper limit for None."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        rule = f">= {least}" if most is None else f"in {least}..{most}"
        raise (ValueError if whole else TypeError)(f"`{name}` must be an int {rule}, got {brief(value)}")
    return int(value)


def seed(name: str, value: object) -> int | None:
    """A seed as an int >= 0: the one given, or one drawn from a `numpy.random.Generator`; None for None."""
    if isinstance(value, np.random.Generator):
        return int(value.integers(2**32))  # as wide as the narrowest that takes seeds
    return None if value is None else integer(name, value, 0)


def number(
    name: str, value: Any, low: float = 0.0, high: float = math.inf, low_open: bool = False, high_open: bool = False
) -> float:
    """``value`` as a finite float in [low, high]; ``low_open``: greater than low, ``high_open``: less than high."""
    if type(value) is float and low < value < high:  # as it comes in every step of training
        return value
    scalar = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiu"
    real = scalar or (isinstance(value, Real) and not isinstance(value, bool))
    try:
        found = float(value) if real else math.nan
    except OverflowError:  # of an int
        found = math.inf
    inside = (low < found if low_open else low <= found) and (found < high if high_open else found <= high)
    if not inside or not math.isfinite(found):
        if high < math.inf:
            rule = f" in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
        else:
            rule = "" if low == -math.inf else f" {'>' if low_open else '>='} {low:g}"
        raise (ValueError if real else TypeError)(f"`{name}` must be a finite number{rule}, got {brief(value)}")
    return found


def one_of(name: str, value: A, known: Iterable[object]) -> A:
    """``value``, one of the words ``known``, of which None may be one."""
    if not (value is None or isinstance(value, str)) or value not in known:
        wrong = ValueError if isinstance(value, str) else TypeError
        raise wrong(f"`{name}` must be one of {', '.join(map(repr, known))}, got {brief(value)}")
    return value


def boolean(name: str, value: object) -> bool:
    """``value`` as a bool; nothing else is taken for one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be a bool, got {value!r}")
    return bool(value)


def function(name: str, value: object, of: str) -> None:
    """Refuse a ``value`` that cannot be called; ``of`` says with what it will be."""
    if not callable(value):
        raise TypeError(f"`{name}` must be a function of {of}, got {brief(value)}")


def lengths(values: ArrayLike | None, B: int, T: int) -> tuple[Ints, Bools | None]:
    """(lengths (B,) int64, valid (B, T) bool or None when every sequence is full)."""
    if values is None:
        return filled(B, T, np.int64), None
    array = plain("lengths", values, f"integers of shape (B,) = ({B},)")
    whole = array.dtype.kind in "iu"
    if not whole or array.shape != (B,):
        got = f"{array.dtype} of shape {array.shape}"
        error = ValueError if whole else TypeError
        hint = {(B, T): ": of a mask take mask.sum(axis=1)", (B, 1): ": take lengths[:, 0]"}.get(array.shape, "")
        if array.shape == (B,) and array.dtype.kind == "f" and (array == np.rint(array)).all():
            hint = ": take lengths.astype(int)"
        raise error(f"`lengths` must be integers of shape (B,) = ({B},), got {got}{hint}")
    if (array < 0).any() or (array > T).any():
        raise ValueError(f"`lengths` must lie in 0..T = 0..{T}, got {int(array.min())}..{int(array.max())}")
    if not array.any():
        raise ValueError("`lengths` must not be all 0, got only empty sequences")
    array = array.astype(np.int64)
    return array, None if (array == T).all() else before_end(array, T)


def before_end(lengths: Ints, T: int) -> Bools:
    """(B, T): which steps lie before the end of their sequence, of lengths (B,) from 0 to T."""
    narrow = np.min_scalar_type(T)  # which NumPy compares several times as fast
    return np.arange(T, dtype=narrow) < lengths.astype(narrow)[:, None]


def elapsed(values: ArrayLike | None, B: int, T: int, dtype: Float, valid: Bools | None, single: bool) -> Array:
    """dt as (B, T) of ``dtype``, 0 in padding; scalar, (T,) or, for a batch, (B, T); None means 1."""
    if values is None and valid is None:
        return filled((B, T), 1, dtype)
    shapes = f"a number or ({T},)" if single else f"a number, (T,) or (B, T) = ({B}, {T})"
    dt = real("dt", 1.0 if values is None else values, dtype, shapes)
    allowed = ((), (T,)) if single else ((), (T,), (B, T))
    if dt.shape not in allowed:
        raise ValueError(f"`dt` must be {shapes}, got shape {dt.shape}")
    full = np.empty((B, T), dtype)
    full[:] = dt
    if valid is not None:
        full[~valid] = 0
    elapsed_range(full)
    return full


def elapsed_range(dt: Array) -> None:
    """Refuse elapsed times that are negative, NaN, or so large that their products overflow."""
    # Beyond this, dt times a conductance overflows and the state would freeze instead of settling.
    limit = largest(dt.dtype)
    low, high = dt.min(), dt.max()
    if not (low >= 0 and high <= limit):  # NaN fails too
        bad = dt[~((dt >= 0) & (dt <= limit))][0]
        raise ValueError(f"`dt` must be finite, >= 0 and <= {limit:.1e} in {dt.dtype}, got {bad}")
