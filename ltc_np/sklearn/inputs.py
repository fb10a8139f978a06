"""Sequences as users of scikit-learn give them: one array with elapsed times and lengths, whatever came."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import check_array

from ..base import checks, frames
from ..base.types import Array, Bools, Ints
from ..data import padding
from ..network.sequences import MISSING

Form = Literal["sequences", "table", "list"]
OF_AEON = "of (case, channel, time), as aeon has it, give X.transpose(0, 2, 1), or take the estimators of ltc_np.aeon"
FEWEST_ROWS, ALIKE = 30, 0.5  # to say whether rows are the steps of one series: rows, and a correlation
as_array: Any = check_array  # type checkers take its defaults for the only types that it takes


class Inputs(NamedTuple):
    """Sequences in one array.

    Attributes
    ----------
    x : (B, T, I) array
    dt : (B, T) array of float64, 0 behind the end of a sequence; or None
    lengths : (B,) int array, or None where all sequences are full
    form : "sequences", "table" or "list"
        How they came: of "list" answers at every step are a list too; "table" is (n, T), of one feature.
    """

    x: Array
    dt: Array | None
    lengths: Ints | None
    form: Form

    @property
    def valid(self) -> Bools | None:
        """(B, T): which steps lie before the end of their sequence; None for all."""
        return None if self.lengths is None else checks.before_end(self.lengths, self.x.shape[1])

    @property
    def own_lengths(self) -> list[int]:
        """The length of every sequence."""
        B, T, _ = self.x.shape
        return [T] * B if self.lengths is None else [int(n) for n in self.lengths]

    @property
    def steps(self) -> float:
        """The usual length of a sequence."""
        return float(self.x.shape[1] if self.lengths is None else self.lengths.mean())

    @property
    def duration(self) -> float | None:
        """The usual elapsed time of a sequence; None where none was given, or all is 0."""
        return None if self.dt is None else float(self.dt.sum() / len(self.dt)) or None

    def part(self, rows: Any) -> Inputs:
        """Some of the sequences, by their numbers or by a mask."""
        dt, lengths = (None if values is None else values[rows] for values in (self.dt, self.lengths))
        return self._replace(x=self.x[rows], dt=dt, lengths=lengths)

    def unpadded(self, values: Any) -> Any:
        """Values of every step, (B, T, ...), as the sequences came: a list where these were one."""
        return [row[:n] for row, n in zip(values, self.own_lengths, strict=True)] if self.form == "list" else values


def is_plain(values: Any, kinds: str) -> bool:
    """Whether this is an array of dtypes of such kinds, in whose form `check_array` would find nothing to refuse.

    That function takes 0.15 ms to say so after a training, as long as the check of 200,000 numbers for NaN.
    """
    return type(values) is np.ndarray and values.ndim > 0 and len(values) > 0 and values.dtype.kind in kinds


def is_list(values: Any) -> bool:
    """Whether these are sequences in a list, or in an array of objects, which is what a search makes of one."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and values.ndim == 1 and values.size > 0 and _axes(values[0]) > 0
    if not isinstance(values, (list, tuple)) or not len(values):
        return False
    axes = _axes(values[0])
    return axes == 2 or (axes == 1 and len({len(row) for row in values if hasattr(row, "__len__")}) > 1)


def _axes(value: Any) -> int:
    try:
        return np.ndim(value)
    except ValueError:  # ragged itself: `pad` says so
        return 2


def read(estimator: Any, X: Any, dt: Any, lengths: Any) -> Inputs:
    """`Inputs` of an (n, T, features) array, an (n, T) table of one feature, or a list of sequences."""
    if is_list(X):
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        return _read_list(X, dt)
    if is_plain(X, "fiu") and X.ndim == 3:
        x = X
    else:
        try:
            x = as_array(X, allow_nd=True, ensure_all_finite=False, estimator=estimator, input_name="X")
            checks.real("X", x, bools=True)  # scikit-learn lets dates through, and frames with categories
        except (ValueError, TypeError):
            if frames.is_pandas(X):
                frames.array("X", X)  # its error names the column that does not hold numbers
            raise
    if x.ndim > 3:
        raise ValueError(f"`X` must be (n, T, features), (n, T) or a list of (T_i, features), got shape {x.shape}")
    form: Form = "table" if x.ndim == 2 else "sequences"
    x = x[:, :, None] if form == "table" else x
    B, T, _ = x.shape
    if lengths is not None:
        lengths = checks.lengths(lengths, B, T)[0]
    if isinstance(dt, np.ndarray) and dt.dtype == object and dt.ndim == 1:  # what a search makes of a list
        dt = list(dt)
    return _checked(x, dt, lengths, form)


def warn_of_form(X: Any, data: Inputs) -> None:
    """Say how sequences are read that look as if another form were meant."""
    B, T, features = data.x.shape
    if data.form == "sequences" and T == 1 and features > 1:
        checks.warn(
            f"ltc_np: `X` of shape {data.x.shape} is read as sequences of one step with {features} features: {OF_AEON}"
        )
    elif T == 1 and B > 1:
        checks.warn(
            f"ltc_np: `X` is read as {B} sequences of one step, of which no memory is used.  If they are the steps of "
            "one series, cut it by ltc_np.data.windows, or give X[None] and y[None] with a target at every step"
        )
    elif data.form == "table" and _rows_follow_each_other(data.x[:, :, 0]):
        checks.warn(
            f"ltc_np: each row of `X` is read as a sequence of {T} steps of one feature, but rows are like the rows "
            "before them, and columns unlike the columns before.  If rows are steps and columns are features, give "
            "X[None] and y[None] with a target at every step, or cut it by ltc_np.data.windows"
        )
    if data.form == "table" and T > 1 and frames.rows_are_steps(X):
        checks.warn(
            f"ltc_np: each row of the frame `X` is read as a sequence of {T} steps of one feature.  If rows are steps "
            "and columns are features, give a list of frames, one for each sequence, or cut one long frame by "
            "ltc_np.data.windows; if it is as it should be, X.to_numpy() says so"
        )


def _rows_follow_each_other(x: Array) -> bool:
    """Whether a table (n, k) looks like the steps of one series with k features: each column is like itself one row
    before, and unlike the column before it.  In windows that begin one step after the other both are the same numbers.
    """
    n, k = x.shape
    if k < 2 or n < max(FEWEST_ROWS, 2 * k):
        return False
    own = [_alike(x[1:, c], x[:-1, c]) for c in range(k)]
    beside = [_alike(x[:, c], x[:, c - 1]) for c in range(1, k)]
    return bool(np.median(own) > ALIKE > np.median(beside))


def _alike(a: Array, b: Array) -> float:
    """The magnitude of the correlation; 0 for what is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(abs(a @ b) / size) if size > 0 else 0.0


def _checked(x: Array, dt: Any, lengths: Ints | None, form: Form) -> Inputs:
    """`Inputs` of an array and elapsed times: a number, (T,) or (B, T), or None."""
    B, T, _ = x.shape
    found = Inputs(x, None, None if lengths is None or (lengths == T).all() else lengths, form)
    valid = found.valid
    if not checks.surely_finite(x):  # scikit-learn's own check looks into padding, and its advice is no help here
        wrong = ~np.isfinite(x) if valid is None else ~np.isfinite(x) & valid[:, :, None]
        if wrong.any():
            where = tuple(int(k) for k in np.argwhere(wrong)[0])
            where, got = where[:2] if form == "table" else where, x[where]
            raise ValueError(f"`X` must have no NaN and no inf, got {got} at index {where}{MISSING}")
    if dt is None:
        return found
    return found._replace(dt=checks.elapsed(dt, B, T, np.dtype(np.float64), valid, False))


def _read_list(X: Any, dt: Any) -> Inputs:
    sequences = list(X)
    frames.check_same_columns("X", sequences)
    x, lengths = padding.pad(sequences, name="X")
    x = x[:, :, None] if x.ndim == 2 else x
    if isinstance(dt, (list, tuple)) or (isinstance(dt, np.ndarray) and dt.ndim > 0):
        dt = list(dt)
        padding.check_same_lengths("dt", dt, [int(n) for n in lengths])
        dt = padding.pad(dt, name="dt")[0]
    return _checked(x, dt, lengths, "list")
