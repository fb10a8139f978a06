"""Targets and weights: one for each sequence, or one for each of its steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ..base import checks, dates
from ..base.types import Array, Numbers
from ..data import padding
from .inputs import Inputs, as_array, is_plain

TEXT = "`y` must be numbers, got text: for labels take LTCClassifier or CfCClassifier"


class Targets(NamedTuple):
    """Checked targets.

    Attributes
    ----------
    values : (B, O) or (B, T, O) numbers; (B,) or (B, T) numbers of classes
    every_step : bool
        One for each step of a sequence.
    outputs : int
        What the network must give for them: O, or the classes.
    flat : bool
        Numbers that came without the axis O, which is 1.
    classes : (outputs,) array, or None
        The labels that the numbers of classes stand for.
    """

    values: Numbers
    every_step: bool
    outputs: int
    flat: bool = False
    classes: Numbers | None = None

    def of_classes(self) -> dict[Any, int]:
        """How many sequences each class has, where a sequence has one; otherwise nothing."""
        if self.classes is None or self.every_step:
            return {}
        counts = np.bincount(self.values.ravel(), minlength=len(self.classes))
        return dict(zip(self.classes.tolist(), counts.tolist(), strict=True))

    def part(self, rows: Any) -> Targets:
        """Those of some of the sequences, by their numbers or by a mask."""
        return self._replace(values=self.values[rows])


def as_list(values: Any) -> Any:
    """An array of objects, as a search makes of a list, as that list; anything else as it is."""
    of_objects = isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1 and values.size > 0
    return list(values) if of_objects and np.ndim(values[0]) > 0 else values


def _said(every_step: bool | None) -> bool | None:
    return None if every_step is None else checks.boolean("every_step", every_step)


def _refuse_ragged(y: Any) -> None:
    """A plain sentence about a list of arrays of unequal length that are not those of the sequences."""
    if isinstance(y, (list, tuple)) and len({np.shape(row)[:1] for row in y}) > 1:
        raise ValueError(
            "`y` must have one target for each sequence, or be a list of arrays as long as the sequences of a list X, "
            "got a list of arrays of other lengths"
        )


def _refuse_dates(y: Any) -> None:
    """A plain sentence about dates and durations, which scikit-learn takes for numbers of nanoseconds."""
    values = np.asarray(y)
    if values.dtype.kind not in "biuf" and dates.array(values) is not None:
        raise TypeError(
            "`y` must be numbers, got dates or durations: give the time since a date in a unit, such as "
            "(dates - dates[0]) / numpy.timedelta64(1, 'h')"
        )


def _of_steps(y: Any, data: Inputs) -> bool:
    """Whether ``y`` is a list with one array for each sequence, as long as that."""
    if data.form != "list" or not isinstance(y, (list, tuple)) or len(y) != len(data.x):
        return False
    return all(np.ndim(row) > 0 and len(row) == n for row, n in zip(y, data.own_lengths, strict=True))


def check_count(name: str, values: Any, data: Inputs) -> None:
    """Refuse values that are not as many as the sequences."""
    if len(values) != len(data.x):
        raise ValueError(f"`{name}` must be of the {len(data.x)} sequences of X, got {len(values)}")


def read_numbers(y: Any, data: Inputs, every_step: bool | None, missing: str) -> Targets:
    """`Targets` that are numbers; ``every_step`` None: what their form says."""
    y, every_step = as_list(y), _said(every_step)
    if _of_steps(y, data) and every_step is not False:
        values = padding.pad(y, name="y")[0]
        values = values.astype(np.float64, copy=False)
        return _with_outputs(values, data, True)
    _refuse_ragged(y)
    if np.asarray(y).dtype.kind in "SU":
        raise ValueError(TEXT)
    _refuse_dates(y)
    looked_at = missing == "error" and data.lengths is None
    if is_plain(y, "f") and y.dtype == np.float64 and checks.surely_finite(y):
        values = y
    else:
        try:
            values = as_array(
                y, ensure_2d=False, allow_nd=True, ensure_all_finite=looked_at or "allow-nan", dtype=np.float64,
                ensure_min_features=0, input_name="y",
            )  # fmt: skip
        except ValueError as error:
            if "convert string" in str(error):  # of objects or of a frame
                raise ValueError(TEXT) from None
            if "NaN" not in str(error):
                raise
            raise ValueError(f'{error} For targets that are missing give missing="ignore".') from None
    check_count("y", values, data)
    if every_step is None:
        every_step = bool(values.ndim == 3)
        n, T = data.x.shape[:2]
        if values.shape == (n, T) and T > 1:
            checks.warn(
                f"ltc_np: `y` of shape {(n, T)} is read as {T} numbers for each sequence, which are as many as its "
                "steps: if each is of one step, give every_step=True; if it is as it should be, every_step=False"
            )
    return _with_outputs(values, data, every_step)


def _with_outputs(values: Array, data: Inputs, every_step: bool) -> Targets:
    """Numbers as `Targets`, with the axis of the outputs."""
    B, T, _ = data.x.shape
    least = 1 + every_step
    forms = f"(n, T) or (n, T, outputs), n = {B} and T = {T}" if every_step else f"(n,) or (n, outputs), n = {B}"
    fits = values.ndim in (least, least + 1) and values.shape[:least] == (B, T)[:least]
    if not fits or values.shape[-1] == 0:
        hint = "" if every_step or values.ndim != 3 else ": `every_step` must be True for targets at every step"
        raise ValueError(f"`y` must be {forms}, got shape {values.shape}{hint}")
    flat = values.ndim == least
    values = values[..., None] if flat else values
    return Targets(values, every_step, values.shape[-1], flat)


def read_labels(y: Any, data: Inputs, every_step: bool | None) -> tuple[Numbers, bool]:
    """Labels, one after another, of all sequences or of all steps that count; and which of both.

    ``every_step`` None: what their form says.
    """
    y, every_step = as_list(y), _said(every_step)
    if _of_steps(y, data) and every_step is not False:
        labels, every_step = np.concatenate([np.asarray(row) for row in y]), True
    else:
        _refuse_ragged(y)
        if is_plain(y, "biuU"):
            labels = y
        else:
            labels = as_array(
                y, ensure_2d=False, allow_nd=True, ensure_all_finite=data.lengths is None, dtype=None, input_name="y",
                ensure_min_features=0,
            )  # fmt: skip
        check_count("y", labels, data)
        if every_step is None:
            every_step = bool(labels.ndim == 2 and labels.shape[1] > 1)
        if every_step:
            B, T, _ = data.x.shape
            if labels.shape != (B, T):
                raise ValueError(
                    f"`y` must be (n,) = ({B},), or (n, T) = ({B}, {T}) with a label at every step, got shape "
                    f"{labels.shape}: of indicators take y.argmax(axis=1)"
                )
            labels = labels.ravel() if data.valid is None else labels[data.valid]
        else:
            labels = labels if labels.ndim == 1 else column_or_1d(labels, warn=True)
    if labels.dtype.kind not in "biuSU":  # which are classes whatever they hold; looking takes time
        try:
            check_classification_targets(labels)
        except TypeError:  # from sorting them
            kinds = " and ".join(sorted({type(label).__name__ for label in labels.tolist()}))
            raise ValueError(f"`y` must have labels of one kind, all text or all numbers, got {kinds}") from None
    return labels, every_step


def as_targets(numbers: Numbers, classes: Numbers, data: Inputs, every_step: bool) -> Targets:
    """`Targets` of the numbers of classes, in the order of `read_labels`; 0 behind the end of a sequence."""
    if every_step:
        full = np.zeros(data.x.shape[:2], np.intp)
        full[... if data.valid is None else data.valid] = numbers.reshape(full.shape) if data.valid is None else numbers
        numbers = full
    return Targets(numbers, every_step, len(classes), classes=classes)


def read_weight(sample_weight: Any, data: Inputs, every_step: bool) -> Array | None:
    """Weights (B,), or (B, T) where targets are of every step; None for none."""
    if sample_weight is None:
        return None
    weight = as_list(sample_weight)
    if every_step and _of_steps(weight, data):
        weight = padding.pad(weight, name="sample_weight")[0]
    weight = checks.real("sample_weight", weight, np.dtype(np.float64))
    B, T, _ = data.x.shape
    if weight.shape != (B,) and not (every_step and weight.shape == (B, T)):
        forms = f"(n,) or (n, T) = ({B}, {T})" if every_step else f"(n,) = ({B},)"
        raise ValueError(f"`sample_weight` must be {forms}, got shape {weight.shape}")
    if not (weight >= 0).all():
        raise ValueError(f"`sample_weight` must be >= 0, got {weight.min()}")
    if not weight.any():
        raise ValueError("`sample_weight` must have a weight that is not zero, got only zeros")
    return weight


def in_rows(values: Numbers, weight: Array | None, data: Inputs, every_step: bool) -> tuple[Numbers, Array | None]:
    """What counts, a sequence or a step a row: values (rows, ...) of (B, ...) or (B, T, ...), and weights (rows,)."""
    if not every_step:
        return values, weight
    B, T, _ = data.x.shape
    if weight is not None:
        weight = np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], (B, T))
    if data.valid is None:
        return values.reshape(B * T, *values.shape[2:]), None if weight is None else weight.ravel()
    return values[data.valid], None if weight is None else weight[data.valid]


def required(estimator: Any, y: Any) -> Any:
    """``y``, which must be there; the sentence is scikit-learn's."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    return y
