"""Which differences a forecaster reads where nobody has said it."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from ltc_np.sklearn import LiquidForecaster
from ltc_np.sklearn.differencing import chosen_lag, errors_of_lags, season_of
from ltc_np.sklearn.series import read

T = np.arange(240)


def noise(scale=1.0, size=240, seed=0):
    return scale * np.random.default_rng(seed).normal(size=size)


def walk(season, seed=0):
    """A pattern of so many steps that changes at random, without a trend."""
    rows = np.cumsum(noise(size=(240 // season + 1) * season, seed=seed).reshape(-1, season), axis=0)
    return rows.ravel()[:240]


def lag(values, horizon=6, exogenous=None, dt=None):
    return chosen_lag(read("series", values, exogenous, dt), horizon, True)


@pytest.mark.parametrize(
    ("values", "season"),
    [
        (np.sin(2 * np.pi * T / 12) + 0.1 * T + noise(0.1), 12),
        (np.tile(noise(size=7), 40)[:240] + 1e-3 * T**2, 7),
        (np.tile([0, 2, 3, 3, 5, 9, 7.0], 40)[:240] + noise(seed=5), 7),  # 14 is as good, by chance even better
        (1e9 + 1e6 * np.cos(2 * np.pi * T / 30) + noise(1e4), 30),
        (np.sin(2 * np.pi * T / 40) + noise(0.05), 40),  # whose changes are more like those two steps before
        (np.tile([1.0, -1.0], 120) + noise(0.1), 2),
        (noise(), 0),
        (np.cumsum(noise()), 0),
        (0.5 * T, 0),
        (np.zeros(240), 0),
        (np.zeros(1), 0),
        (np.arange(3.0) ** 2, 0),
    ],
)
def test_seasons_are_found_beside_trends_and_noise(values, season):
    assert season_of(values) == season


CASES = {
    "a trend": (0.1 * T + noise(), 1),
    "a trend and a season": (0.1 * T + np.sin(2 * np.pi * T / 12) + noise(0.1), 1),
    "a season that changes": (walk(8), 8),
    "noise": (10 + noise(), 0),
    "a season alone": (10 + np.sin(2 * np.pi * T / 12) + noise(0.1), 0),
    "one value": (np.full(240, 3.0), 0),
    "too short to say": (np.arange(8.0), 0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_lag_that_a_line_forecasts_best_with(case):
    values, wanted = CASES[case]
    assert lag(values) == wanted
    assert lag(1e6 + 1e3 * values) == wanted  # units and level do not matter


def test_as_few_forecasts_as_say_something():
    """Eight: those of the last fifth of 40 values, the first of which is made at the last value before it."""
    assert 0 in errors_of_lags(read("series", noise(size=40), None, None), 1, True)
    assert errors_of_lags(read("series", noise(size=39), None, None), 1, True) == {}


def test_several_series_are_judged_together():
    trend = 0.1 * T + noise()
    assert lag([trend, noise(), trend[:100]]) == 1
    assert lag([noise(), noise(seed=1), noise(size=100, seed=2)]) == 0


@pytest.mark.slow
def test_values_that_are_missing_exogenous_or_uneven_do_not_matter():
    values = 0.1 * T + noise()
    values[::9] = np.nan
    dt = 1 + 0.1 * np.abs(noise(seed=1))
    assert lag(values) == lag(values, exogenous=noise(seed=2)) == lag(values, dt=dt) == 1


@pytest.mark.slow
def test_what_is_chosen_is_used_and_told():
    values, small = 0.1 * T + noise(), {"units": 4, "epochs": 2, "random_state": 0}
    chosen, given = LiquidForecaster(**small).fit(values, 3), LiquidForecaster(difference=1, **small).fit(values, 3)
    assert chosen.difference_ == given.difference_ == 1
    np.testing.assert_array_equal(chosen.predict(), given.predict())
    assert LiquidForecaster(difference=None, **small).fit(values, 3).difference_ is None
    assert LiquidForecaster(**small).fit(noise(), 3).difference_ is None
    with pytest.raises(ValueError, match="`difference` must be a number or \"auto\", got 'best'"):
        LiquidForecaster(difference="best").fit(values, 3)
