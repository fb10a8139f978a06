"""The estimators of sktime: its own checks, and the estimators of scikit-learn that they hold."""

import numpy as np
import pytest

pytest.importorskip("sktime.base", reason='sktime is not installed: pip install "ltc-np[sktime]"')

import pandas as pd
from sktime.utils.estimator_checks import check_estimator

import ltc_np.sklearn
import ltc_np.sktime

NAMES = ltc_np.sktime.__all__
OF_COLLECTIONS = [name for name in NAMES if name != "LiquidForecaster"]
SMALL = {"units": 5, "epochs": 3, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2, 17))  # (case, channel, time)
LABELS = np.where(X[:, 1, :5].sum(axis=-1) > 0, "up", "down")
MONTHS = pd.period_range("2001-01", periods=60, freq="M")
Y = pd.DataFrame(np.cumsum(RNG.normal(size=(60, 2)), axis=0), index=MONTHS, columns=["a", "b"])
E = pd.DataFrame(RNG.normal(size=(60, 1)), index=MONTHS, columns=["price"])


@pytest.mark.filterwarnings("ignore")  # of the library's own, on its own data
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.sweep] * name.startswith("LTC")) for name in NAMES]
)
def test_the_library_s_own_checks(name):
    found = check_estimator(getattr(ltc_np.sktime, name), verbose=False)
    results = {check: result for check, result in found.items() if result != "PASSED"}
    failed = {check.partition("[")[0] for check in results}
    assert len(found) > 30 and failed == set(ltc_np.sktime.EXPECTED_FAILURES.get(name, ())), "\n".join(
        map(str, results.items())
    )


@pytest.mark.parametrize("name", OF_COLLECTIONS)
def test_it_answers_what_the_estimator_of_scikit_learn_answers(name):
    y = LABELS if "Classifier" in name else X[:, 0].sum(axis=-1)
    one, other = (getattr(module, name)(**SMALL) for module in (ltc_np.sktime, ltc_np.sklearn))
    frames = [pd.DataFrame(row[:, : 8 + k % 9].T) for k, row in enumerate(X)]
    for given, turned in ((X, X.transpose(0, 2, 1)), (frames, [frame.to_numpy() for frame in frames])):
        one.fit(given, y)
        other.fit(list(turned), y)
        np.testing.assert_array_equal(one.predict(given), other.predict(list(turned)))
        if "Classifier" in name:
            np.testing.assert_array_equal(one.predict_proba(given), other.predict_proba(list(turned)))


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_are_those_of_the_estimator_that_is_held(name):
    one, other = (getattr(module, name)() for module in (ltc_np.sktime, ltc_np.sklearn))
    without = ("in_advance",) if name == "LiquidForecaster" else ltc_np.sktime.NOT_CHOSEN
    own = {k: v for k, v in other.get_params().items() if k not in without}
    assert one.get_params() == own and len(own) > 15
    assert one.wrapped().get_params() == other.get_params()


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_the_forecaster_is_that_of_scikit_learn(strategy):
    """Steps of the horizon by their distance, months by their names, values by theirs."""
    options = SMALL | {"strategy": strategy, "paths": 20}
    one = ltc_np.sktime.LiquidForecaster(**options).fit(Y[:50], X=E[:50], fh=[2, 4])
    other = ltc_np.sklearn.LiquidForecaster(**options).fit(Y[:50].to_numpy(), 4, E[:50].to_numpy())
    ahead = {"exogenous": E[50:54].to_numpy()}
    found = one.predict(X=E[50:54])
    assert found.index.equals(MONTHS[[51, 53]]) and list(found.columns) == ["a", "b"]
    np.testing.assert_array_equal(found.to_numpy(), other.predict(**ahead)[[1, 3]])
    found = one.predict_quantiles(X=E[50:54], alpha=[0.1, 0.7])
    assert found.columns.tolist() == [("a", 0.1), ("a", 0.7), ("b", 0.1), ("b", 0.7)]
    wanted = other.predict_quantiles((0.1, 0.7), **ahead)[[1, 3]]
    np.testing.assert_array_equal(found.to_numpy().reshape(2, 2, 2), wanted)
    interval = one.predict_interval(X=E[50:54], coverage=0.8)
    ends = other.predict_interval(0.8, **ahead)[[1, 3]]
    np.testing.assert_allclose(interval["b"].to_numpy(), ends[:, 1], rtol=1e-12)


@pytest.mark.parametrize("update_params", [False, True])
def test_an_update_reads_what_has_come(update_params):
    """Two steps and then three more, as the forecast from all of them by the same network."""
    one = ltc_np.sktime.LiquidForecaster(**SMALL, difference=2).fit(Y[:50], X=E[:50], fh=[1, 3])
    other = ltc_np.sklearn.LiquidForecaster(**SMALL, difference=2).fit(Y[:50].to_numpy(), 3, E[:50].to_numpy())
    one.update(Y[50:52], X=E[50:52], update_params=update_params)
    one.update(Y[52:55], X=E[52:55], update_params=update_params)
    found = one.predict(X=E[55:58])
    assert found.index.equals(MONTHS[[55, 57]])
    past, ahead = {"past": Y[:55].to_numpy(), "past_exogenous": E[:55].to_numpy()}, E[55:58].to_numpy()
    np.testing.assert_array_equal(found.to_numpy(), other.predict(exogenous=ahead, **past)[[0, 2]])


def test_exogenous_values_of_steps_that_are_not_asked_for():
    """Each step has its own; what is missing before or between is that of the nearest step."""
    one = ltc_np.sktime.LiquidForecaster(**SMALL).fit(Y[:50], X=E[:50], fh=[2, 4])
    full = E[50:54].copy()
    full.iloc[[0, 2]] = full.iloc[[1, 1]].to_numpy()
    np.testing.assert_array_equal(one.predict(X=E.iloc[[51, 53]]), one.predict(X=full))
    changed = full.copy()
    changed.iloc[3] += 1
    assert not np.array_equal(one.predict(X=changed), one.predict(X=full))
