"""Files of estimators: the model's own, with the hyperparameters and what `fit` has found beside it, and no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import io
from ..base import checks
from ..base.types import Backend, PathLike
from ..layers.codec import check_plain
from ..model import KINDS
from ..train.history import History

# Attributes of a fitted estimator besides `model_`, where it has them.  An optimiser's moments and a learner are left.
FITTED = (
    "n_features_in_", "feature_names_in_", "classes_", "every_step_", "n_iter_", "history_", "loss_curve_", "report_",
    "advice_", "temperature_", "tuned_", "_table", "_flat", "_made_by",
)  # fmt: skip
LISTS = "loss_curve_", "report_", "advice_", "tuned_"  # whose tuples, as a file has them, are lists


def save(estimator: Any, path: PathLike) -> None:
    """Write a fitted estimator, whole or not at all."""
    check_is_fitted(estimator)
    chosen = {}
    for name, value in estimator.get_params(deep=False).items():
        try:
            chosen[name] = _form(name, value)
        except TypeError as error:
            raise TypeError(
                f"`{name}` must be plain data to be saved, since a file holds no code and no generator, got "
                f"{checks.brief(value)}: `set_params({name}=None)` before, as answers do not need it, or "
                "joblib.dump(estimator, path)"
            ) from error
    fitted = {name: _form(name, getattr(estimator, name)) for name in FITTED if hasattr(estimator, name)}
    found = {"estimator": type(estimator).__name__, "params": chosen, "fitted": fitted}
    io.save_with(path, estimator.model_, found)


def load(cls: type[Any], path: PathLike, backend: Backend | None) -> Any:
    """The estimator of a file that `save` wrote, which must be of this class; it has no optimiser."""
    model, found = io.load_with(path, KINDS, backend or "numpy")
    kind = found.get("estimator")
    if kind != cls.__name__:
        remedy = f"{kind}.load reads it" if kind else "ltc_np.load reads a model, and Learner.load a learner"
        raise ValueError(f"{path} must be a file of {cls.__name__}.save, got one of {kind or 'no estimator'}: {remedy}")
    try:
        estimator = cls(**{name: _value(form) for name, form in found["params"].items()})
        for name in found["fitted"]:
            value = _value(found["fitted"][checks.one_of("fitted", name, FITTED)])
            setattr(estimator, name, _lists(value) if name in LISTS else value)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} has a damaged estimator, or one of another version: {checks.one_line(error)}"
        ) from None
    if backend is None:  # which one it had is known only now
        model, _ = io.load_with(path, KINDS, estimator.backend)
    else:
        estimator.backend = backend
    estimator.model_ = model
    return estimator


def _form(name: str, value: Any) -> Any:
    """Plain data and arrays for a hyperparameter or an attribute."""
    if isinstance(value, History):
        return value.state()
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":  # labels and names: text, or of several kinds
        value = {"labels": value.tolist(), "dtype": value.dtype.str if value.dtype.kind == "U" else "object"}
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):  # of classes that are numbers
        value = {"pairs": list(value.items())}
    check_plain(f"`{name}`", value)
    return value


def _value(form: Any) -> Any:
    """Inverse of `_form`."""
    if isinstance(form, Mapping) and set(form) == {"labels", "dtype"}:
        return np.array(list(form["labels"]), object if form["dtype"] == "object" else np.dtype(form["dtype"]))
    if isinstance(form, Mapping) and set(form) == {"pairs"}:
        return dict(form["pairs"])
    if isinstance(form, Mapping) and "columns" in form:
        return History.restored(form)
    return form


def _lists(value: Any) -> Any:
    """The same with lists for tuples."""
    if isinstance(value, Mapping):
        return {name: _lists(one) for name, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, (tuple, list)) else value
