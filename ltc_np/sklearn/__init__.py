"""Liquid networks as estimators of scikit-learn (extra ``sklearn``): docs/sklearn.md."""

from ..base.optional import need

need("sklearn", "sklearn", "`ltc_np.sklearn`")

from .base import LiquidEstimator  # noqa: E402
from .classifier import CfCClassifier, GRUClassifier, LSTMClassifier, LTCClassifier  # noqa: E402
from .expected import expected_failed_checks  # noqa: E402
from .forecaster import LiquidForecaster  # noqa: E402
from .irregular import IrregularForecaster  # noqa: E402
from .regressor import CfCRegressor, GRURegressor, LSTMRegressor, LTCRegressor  # noqa: E402
from .tune import tune  # noqa: E402

__all__ = [
    "CfCClassifier",
    "CfCRegressor",
    "GRUClassifier",
    "GRURegressor",
    "IrregularForecaster",
    "LSTMClassifier",
    "LSTMRegressor",
    "LTCClassifier",
    "LTCRegressor",
    "LiquidEstimator",
    "LiquidForecaster",
    "expected_failed_checks",
    "tune",
]
