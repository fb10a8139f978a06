"""How far quantiles are moved: ranks by hand, the promise by counting, each step ahead and each value by itself."""

import copy
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')

from ltc_np.sklearn import LiquidForecaster, conformal
from ltc_np.sklearn.curves import at_scores, ends, scores

LEVELS = (0.05, 0.5, 0.95)


@pytest.mark.parametrize(
    ("coverage", "count", "rank"),
    [
        (0.9, 8, 9), (0.9, 9, 9), (0.9, 10, 10), (0.9, 18, 18), (0.9, 19, 18), (0.9, 20, 19), (0.9, 29, 27),
        (0.5, 0, 1), (0.5, 1, 1), (0.5, 2, 2), (0.5, 3, 2), (0.5, 4, 3), (0.7, 9, 7), (0.8, 3, 4), (0.8, 4, 4),
        (0.99, 98, 99), (0.99, 99, 99), (0.99, 199, 198), (1e-6, 5, 1), (1 - 1e-12, 5, 6),
    ],
)  # fmt: skip
def test_ranks_by_hand(coverage, count, rank):
    """(n + 1) coverage, rounded up, of coverages as they are written: 10 * 0.7 is 7, and 20 * 0.9 is 18."""
    for level in ends("coverage", coverage):
        assert conformal.ranks(level, np.array([[count]])) == [[rank]]
        assert (conformal.needed(level) > count) == (rank > count)


def test_as_many_as_are_needed():
    assert [conformal.needed(level) for level in (0.05, 0.95, 0.1, 0.25, 0.005, 0.5, 1 / 3)] == [9, 9, 4, 1, 99, 0, 1]


@pytest.mark.few(2)
@pytest.mark.parametrize("level", [0.05, 0.1, 0.2, 0.75, 0.9])
def test_the_next_of_exchangeable_errors_is_covered_as_often_as_promised(level):
    """Each of n + 1 errors is the next one in turn: at least the share lies inside, and less than one more of them."""
    share = abs(1 - 2 * level)
    for n in range(conformal.needed(level), 30):
        errors = np.random.default_rng(n).normal(size=n + 1)
        inside = 0
        for k, last in enumerate(errors):
            others = np.delete(errors, k)[:, None, None]
            # quantiles at 0: an error is outside of the interval by its size
            moved, _ = conformal.shifts((level, 0.5), np.zeros((n, 1, 1, 2)), np.abs(others))
            inside += abs(last) <= abs(moved[0, 0, 0])
        assert share - 1e-12 <= inside / (n + 1) < share + 1 / (n + 1)


def test_each_step_and_each_value_has_its_own_errors(rng):
    """By loops; quantiles without a mirror among the learned ones get it by interpolation; the median stays."""
    learned, n = (0.1, 0.5, 0.7), 12
    values = np.sort(rng.normal(size=(n, 3, 2, 3)), axis=-1)
    truth = rng.normal(size=(n, 3, 2)) * [[1, 20], [3, 0.1], [0.5, 7]]
    truth[3, 1, 0] = truth[7, 1, 0] = truth[0, 2, 1] = np.nan
    found, count = conformal.shifts(learned, values, truth)
    assert count.tolist() == [[12, 12], [10, 12], [12, 11]]
    for a, f in np.ndindex(3, 2):
        known = ~np.isnan(truth[:, a, f])
        curve, true = values[known, a, f], truth[known, a, f]
        middle = at_scores(learned, curve, scores([0.3, 0.9]))
        errors = (
            np.maximum(curve[:, 0] - true, true - middle[:, 1]),
            np.maximum(middle[:, 0] - true, true - curve[:, 2]),
        )
        # ceil(13 * 0.8), ceil(13 * 0.4), and the same of 11 and 12
        ranks = {12: (11, 6), 10: (9, 5), 11: (10, 5)}[known.sum()]
        wanted = [-np.sort(errors[0])[ranks[0] - 1], 0, np.sort(errors[1])[ranks[1] - 1]]
        np.testing.assert_allclose(found[a, f], wanted, rtol=1e-12)


def test_too_few_errors_give_the_largest_and_no_less_than_the_step_before():
    """Nine errors one step ahead, three of them two steps, none three steps ahead; of the second value none at all."""
    values, truth = np.zeros((9, 3, 2, 3)), np.full((9, 3, 2), np.nan)
    truth[:, 0, 0] = [4, 9, 2, 7, 1, 8, 3, 6, 5]
    truth[:3, 1, 0] = [4, 5, 2]
    found, count = conformal.shifts(LEVELS, values, truth)
    assert count.tolist() == [[9, 0], [3, 0], [0, 0]]
    assert found[:, 0].tolist() == [[-9, 0, 9]] * 3 and not found[:, 1].any()
    truth[0, 1, 0] = 40
    assert conformal.shifts(LEVELS, values, truth)[0][:, 0].tolist() == [[-9, 0, 9], [-40, 0, 40], [-40, 0, 40]]


def test_what_is_enough_is_not_wider_than_its_own_errors():
    """A step with enough errors is what these say, also where the step before has larger ones."""
    truth = np.stack([10 * np.arange(1.0, 21), np.arange(1.0, 21)], axis=1)[..., None]
    found, _ = conformal.shifts(LEVELS, np.zeros((20, 2, 1, 3)), truth)
    assert found[:, 0, 2].tolist() == [190, 19]


# -------------------------------------------------------------------------------------------------- the forecaster

SMALL = {"units": 3, "epochs": 1, "window": 8, "random_state": 0, "quantiles": LEVELS}


@pytest.fixture(scope="module")
def fitted():
    """Of 60 values, 12 are held out: 12 of them one step ahead, 9 four steps and 8 five steps ahead."""
    y = np.random.default_rng(0).normal(size=60)
    return y, LiquidForecaster(**SMALL).fit(y, 5)


def test_more_errors_than_were_held_out_are_asked_for(fitted):
    y, forecaster = fitted
    assert forecaster.network_.errors.tolist() == [[12], [11], [10], [9], [8]]
    for call in (
        lambda: forecaster.predict_interval(0.9),
        lambda: forecaster.predict_quantiles((0.5, 0.95)),
        lambda: forecaster.backtest(y, 50),
    ):
        with pytest.warns(RuntimeWarning, match="need 9 values held out at every step ahead, but step 5 has 8"):
            call()
    with pytest.warns(RuntimeWarning, match="need 19 values .* step 2 has 11"):
        forecaster.predict_interval(0.95, horizon=2)


def test_enough_errors_are_no_reason_to_warn(fitted):
    """Neither those of steps that are not asked for, nor a forecast without an interval."""
    y, forecaster = fitted
    forecaster.predict_interval(0.9, horizon=4)
    forecaster.predict_interval(0.8)
    forecaster.predict()
    forecaster.backtest(y, 50, coverage=0.5)


def test_series_of_which_nothing_can_be_held_out_warn_unless_that_was_wished():
    y = np.arange(4.0)
    forecaster = LiquidForecaster(**SMALL).fit(y, 2)
    assert forecaster.network_.errors.tolist() == [[0], [0]]
    with pytest.warns(RuntimeWarning, match="need 9 values .* step 1 has 0"):
        forecaster.predict_interval()
    wished = LiquidForecaster(**SMALL, validation_fraction=0.0).fit(y, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(wished.predict_interval(), np.sort(wished.model_(y[-8:, None])[-1].reshape(2, 3))[:, ::2])


def test_a_backtest_counts_with_the_ends_that_were_moved(fitted):
    """Its intervals are those of a forecast from each past, and their coverage is counted by hand."""
    y, forecaster = fitted
    wide = forecaster.network_._replace(shifts=forecaster.network_.shifts * 3)
    shares = []
    for network in (forecaster.network_, wide):
        own = copy.copy(forecaster)
        own.network_ = network
        found = own.backtest(y, 50, coverage=0.8)
        lower, upper = np.stack([own.predict_interval(0.8, past=y[:T]) for T in range(50, 56)]).transpose(2, 0, 1)
        np.testing.assert_allclose(found.intervals[:, :, 0], np.stack([lower, upper], axis=-1), rtol=1e-12)
        true = np.stack([y[T : T + 5] for T in range(50, 56)])
        shares.append(((lower <= true) & (true <= upper)).mean(axis=0))
        np.testing.assert_array_equal(found.coverage, shares[-1])
    assert (shares[0] < shares[1]).any() and (shares[0] <= shares[1]).all()
