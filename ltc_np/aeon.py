"""Liquid networks as estimators of aeon (extra ``aeon``): docs/aeon_sktime.md.

Collections are (case, channel, time) arrays, or lists of (channel, time) arrays of unequal length.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .base.optional import need

need("aeon", "aeon", "`ltc_np.aeon`")

from aeon.classification import BaseClassifier  # noqa: E402  # pyright: ignore[reportMissingImports]
from aeon.regression import BaseRegressor  # noqa: E402  # pyright: ignore[reportMissingImports]

from . import sklearn  # noqa: E402
from .sklearn.wrapped import Wrapped, WrappedClassifier, around  # noqa: E402

__all__ = ["CfCClassifier", "CfCRegressor", "LTCClassifier", "LTCRegressor"]

TAGS: dict[str, Any] = {
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "X_inner_type": ["np-list", "numpy3D"],
    "algorithm_type": "deeplearning",
}
# Answers at every step and going on with a network are not what aeon's estimators do, and `n_jobs` means threads there.
NOT_CHOSEN = ("every_step", "warm_start", "online", "n_jobs")
# Of the library's own check_estimator: what fails for a class, and why.  Nothing does.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}


class _Liquid(Wrapped):
    """What both kinds have in common."""

    _tags: ClassVar[dict[str, Any]] = TAGS

    @staticmethod
    def _sequences(X: Any) -> Any:
        """A collection as (case, time, channel) array, or as a list of (time, channel) arrays."""
        return [one.T for one in X] if isinstance(X, list) else X.transpose(0, 2, 1)

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> dict[str, Any]:
        return {"units": 4, "epochs": 2}


class _Classifier(WrappedClassifier, _Liquid, BaseClassifier):
    pass


class _Regressor(_Liquid, BaseRegressor):
    pass


@around(sklearn.LTCClassifier, NOT_CHOSEN)
class LTCClassifier(_Classifier):
    """Series to labels by a liquid time-constant network; hyperparameters are those of `ltc_np.sklearn.LTCClassifier`.

    Attributes
    ----------
    estimator_ : ltc_np.sklearn.LTCClassifier
        Its ``model_`` is the network.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.aeon import LTCClassifier
    >>> X = np.random.default_rng(0).normal(size=(20, 2, 30))  # (case, channel, time)
    >>> y = np.where(X[:, 0].mean(axis=-1) > 0, "up", "down")
    >>> LTCClassifier(units=4, epochs=2, random_state=0).fit(X, y).predict(X).shape
    (20,)
    """


@around(sklearn.CfCClassifier, NOT_CHOSEN)
class CfCClassifier(_Classifier):
    """Series to labels by a closed-form network; hyperparameters are those of `ltc_np.sklearn.CfCClassifier`."""


@around(sklearn.LTCRegressor, NOT_CHOSEN)
class LTCRegressor(_Regressor):
    """Series to numbers by a liquid time-constant network; hyperparameters: `ltc_np.sklearn.LTCRegressor`."""


@around(sklearn.CfCRegressor, NOT_CHOSEN)
class CfCRegressor(_Regressor):
    """Series to numbers by a closed-form network; hyperparameters are those of `ltc_np.sklearn.CfCRegressor`."""
