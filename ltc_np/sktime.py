"""Liquid networks as estimators of sktime (extra ``sktime``): docs/aeon_sktime.md.

Collections are of any kind that sktime knows, such as (case, channel, time) arrays or frames with an index of cases and
times, of unequal length too; series are those of pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .base.optional import need

need("sktime", "sktime", "`ltc_np.sktime`")

import pandas as pd  # noqa: E402
from sktime.classification.base import BaseClassifier  # noqa: E402  # pyright: ignore[reportMissingImports]
from sktime.forecasting.base import BaseForecaster  # noqa: E402  # pyright: ignore[reportMissingImports]
from sktime.regression.base import BaseRegressor  # noqa: E402  # pyright: ignore[reportMissingImports]

from . import sklearn  # noqa: E402
from .base.types import Numbers  # noqa: E402
from .sklearn.wrapped import Wrapped, WrappedClassifier, around  # noqa: E402

if TYPE_CHECKING:
    from typing_extensions import Self


__all__ = ["CfCClassifier", "CfCRegressor", "LTCClassifier", "LTCRegressor", "LiquidForecaster"]

# Answers at every step and going on with a network are not what sktime's estimators do.
NOT_CHOSEN = ("every_step", "warm_start", "online")
SMALL: dict[str, Any] = {"units": 4, "epochs": 2}  # for the library's tests
SMALL_MIXED: dict[str, Any] = SMALL | {"mixed_memory": True, "random_state": 0}


class _Liquid(Wrapped):
    """What classifiers and regressors have in common."""

    _tags: ClassVar[dict[str, Any]] = {
        "X_inner_mtype": "df-list",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:categorical_in_X": False,
        "capability:random_state": True,
    }

    @staticmethod
    def _sequences(X: list[pd.DataFrame]) -> list[Numbers]:
        """A collection, a list of frames (time, channel), as arrays."""
        return [one.to_numpy(dtype=np.float64) for one in X]

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Hyperparameters for sktime's tests."""
        return [SMALL, SMALL_MIXED]


class _Classifier(WrappedClassifier, _Liquid, BaseClassifier):
    _tags: ClassVar[dict[str, Any]] = _Liquid._tags | {"capability:predict_proba": True}


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
    >>> from ltc_np.sktime import LTCClassifier
    >>> X = np.random.default_rng(0).normal(size=(20, 2, 30))  # (case, channel, time)
    >>> y = np.where(X[:, 0].mean(axis=-1) > 0, "up", "down")
    >>> LTCClassifier(units=4, epochs=2, random_state=0).fit(X, y).predict(X).shape
    (20,)
    """


@around(sklearn.CfCClassifier, NOT_CHOSEN)
class CfCClassifier(_Classifier):
    """Series to labels by a closed-form network; hyperparameters are those of `ltc_np.sklearn.CfCClassifier`.

    Examples
    --------
    >>> from ltc_np.sktime import CfCClassifier
    >>> CfCClassifier(units=4).get_params()["units"]
    4
    """


@around(sklearn.LTCRegressor, NOT_CHOSEN)
class LTCRegressor(_Regressor):
    """Series to numbers by a liquid time-constant network; hyperparameters are those of `ltc_np.sklearn.LTCRegressor`.

    Examples
    --------
    >>> from ltc_np.sktime import LTCRegressor
    >>> LTCRegressor(units=4).get_params()["units"]
    4
    """


@around(sklearn.CfCRegressor, NOT_CHOSEN)
class CfCRegressor(_Regressor):
    """Series to numbers by a closed-form network; hyperparameters are those of `ltc_np.sklearn.CfCRegressor`.

    Examples
    --------
    >>> from ltc_np.sktime import CfCRegressor
    >>> CfCRegressor(units=4).get_params()["units"]
    4
    """


@around(sklearn.LiquidForecaster, ("in_advance",))
class LiquidForecaster(BaseForecaster):
    """Series continued by a liquid network; hyperparameters are those of `ltc_np.sklearn.LiquidForecaster`.

    The forecasting horizon must be given to `fit`, and lie after the series.  Exogenous values are those of the steps
    that are forecast; steps of the horizon for which there are none get those of the nearest step before, or after.
    `update` reads what has come since, and forecasts what comes then; it does not train anew, `fit` does.

    Attributes
    ----------
    estimator_ : ltc_np.sklearn.LiquidForecaster
        Its ``model_`` is the network.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ltc_np.sktime import LiquidForecaster
    >>> y = pd.Series(np.sin(np.arange(60) * 0.5))
    >>> forecaster = LiquidForecaster(units=4, epochs=2, random_state=0).fit(y, fh=[1, 2, 3])
    >>> forecaster.predict().shape, forecaster.predict_interval(coverage=0.9).shape
    ((3,), (3, 2))
    """

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:missing_values": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:categorical_in_X": False,
        "capability:random_state": True,
        "capability:update": True,
        "requires-fh-in-fit": True,
    }
    estimator_: sklearn.LiquidForecaster
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # what is read for a forecast is kept here

    def _fit(self, y: Any, X: Any, fh: Any) -> Self:
        self._names, last = y.columns, int(np.asarray(fh.to_relative(self.cutoff)).max())
        X = None if X is None or not X.shape[1] else X
        self.estimator_ = self.wrapped().fit(_numbers(y), last, _numbers(X))
        self._keep(y, X)
        return self

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        past, more = self._past
        self._keep(_joined(past, y), None if more is None else _joined(more, X.loc[y.index]))
        return self

    def _keep(self, y: pd.DataFrame, X: pd.DataFrame | None) -> None:
        """Remember what is read for a forecast: the last steps."""
        network = self.estimator_.network_
        rows = slice(-(network.window + network.frame.lag), None)
        self._past = y.iloc[rows], None if X is None else X.iloc[rows]

    def _ahead(self, fh: Any, X: Any) -> tuple[Any, dict[str, Any]]:
        """The steps that are asked for, from 0, and what is known before and of all steps up to the last."""
        steps, (y, more) = np.asarray(fh.to_relative(self.cutoff), int), self._past
        known: dict[str, Any] = {"past": _numbers(y), "past_exogenous": _numbers(more)}
        if more is not None:
            horizon = np.arange(1, self.estimator_.horizon_ + 1)
            index = fh.__class__(horizon, is_relative=True).to_absolute_index(self.cutoff)
            known["exogenous"] = _numbers(X.reindex(index).ffill().bfill())
        return steps - 1, known

    def _predict(self, fh: Any, X: Any) -> pd.DataFrame:
        steps, known = self._ahead(fh, X)
        found = self.estimator_.predict(**known)[steps]
        return pd.DataFrame(found, index=fh.to_absolute_index(self.cutoff), columns=self._names)

    def _predict_quantiles(self, fh: Any, X: Any, alpha: Any) -> pd.DataFrame:
        steps, known = self._ahead(fh, X)
        found = self.estimator_.predict_quantiles(alpha, **known)[steps]
        columns = pd.MultiIndex.from_product([self._get_varnames(), alpha])
        return pd.DataFrame(found.reshape(len(steps), -1), index=fh.to_absolute_index(self.cutoff), columns=columns)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Hyperparameters for sktime's tests."""
        small = SMALL | {"random_state": 0}
        return [small, small | {"cell": "cfc", "strategy": "recursive", "paths": 20, "difference": 1}]


# Of the library's own check_estimator: what fails for a class, and why.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {
    LiquidForecaster.__name__: {
        "test__y_remember_data": "it keeps the last steps, which it reads for a forecast, and not the whole series",
    }
}


def _numbers(frame: pd.DataFrame | None) -> Numbers | None:
    return None if frame is None else frame.to_numpy(dtype=np.float64)


def _joined(before: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Rows of both, in order; of steps that are in both, those of the later one."""
    return pd.concat([before.loc[~before.index.isin(later.index)], later]).sort_index()
