"""scikit-learn's own checks of an estimator."""

import re
import warnings

import pytest
from support import ROOT

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
from sklearn.utils.estimator_checks import check_estimator

from ltc_np.online import RLS
from ltc_np.sklearn import (
    CfCClassifier,
    CfCRegressor,
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    LSTMRegressor,
    LTCClassifier,
    LTCRegressor,
    expected_failed_checks,
)
from ltc_np.sklearn.expected import ALWAYS, IN_FLOAT32

# Small, so that a check takes little time, and large enough for those that ask for a good score: one of ten steps of a
# table says the number, and two steps the class.
REGRESSOR = {"readout": "last", "batch_size": 32, "dtype": "float64"}  # whatever the defaults become
CLASSIFIER = {"units": 8, "epochs": 20, "learning_rate": 0.05, "batch_size": 32, "dtype": "float64"}
ESTIMATORS = [
    LTCRegressor(units=8, epochs=40, learning_rate=0.03, mixed_memory=True, **REGRESSOR),
    LTCClassifier(**CLASSIFIER),
    CfCRegressor(units=16, epochs=60, learning_rate=0.01, **REGRESSOR),
    CfCClassifier(**CLASSIFIER),
    LTCRegressor(units=8, epochs=40, learning_rate=0.03, mixed_memory=True, online=RLS(), **REGRESSOR),
]
SKIPPED = {"check_array_api_input"}  # it needs an environment variable, and an estimator that says it takes such arrays


def results(estimator):
    """The names of checks by what became of them."""
    found = {"passed": set(), "failed": set(), "xfail": set(), "skipped": set()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks give data on purpose that estimators warn of
        expected = expected_failed_checks(estimator)
        for result in check_estimator(estimator, expected_failed_checks=expected, on_fail=None, on_skip=None):
            found[result["status"]].add(result["check_name"])
    return found


@pytest.mark.slow
@pytest.mark.compiled  # NumPy's backend takes minutes for hundreds of trainings
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_check_estimator(estimator):
    found = results(estimator)
    assert len(found["passed"]) > 40
    assert found["failed"] == set()
    assert found["xfail"] == set(ALWAYS)  # what does not fail any more must not stay in the list
    assert found["skipped"] <= SKIPPED


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.compiled
@pytest.mark.parametrize(
    "kind",
    [
        LTCClassifier, CfCClassifier, GRUClassifier, LSTMClassifier, LTCRegressor, CfCRegressor, GRURegressor,
        LSTMRegressor,
    ],
)  # fmt: skip
def test_check_estimator_of_defaults(kind):
    found = results(kind())
    assert found["failed"] == set()
    assert set(ALWAYS) <= found["xfail"] <= set(ALWAYS | IN_FLOAT32)


def test_expected_failures_are_in_the_docs():
    page = (ROOT / "docs" / "sklearn.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(check_\w+)`", page)) == {*ALWAYS, *IN_FLOAT32, "check_estimator"}
    assert expected_failed_checks(LTCRegressor()) == ALWAYS | IN_FLOAT32
    assert expected_failed_checks(LTCRegressor(dtype="float64")) == ALWAYS
