"""Numbers of the forecaster, each made again by hand: backtests, recursive forecasts, windows and what is held out."""

from statistics import NormalDist

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')

from ltc_np import losses
from ltc_np.sklearn import LiquidForecaster, backtest, rollout, windows
from ltc_np.sklearn.framing import Frame, Prepared
from ltc_np.sklearn.series import Series

SMALL = {"units": 4, "epochs": 1, "window": 10, "random_state": 0, "dtype": "float64", "validation_fraction": 0.0}
LEVELS = (0.1, 0.5, 0.9)


def filled(y, first):
    """Where a value is missing, the last one that is known; ``first`` before there is one."""
    out = y.copy()
    for t, f in np.argwhere(np.isnan(y)):
        out[t, f] = out[t - 1, f] if t else first[f]
    return out


def plain(values, lag=0, ahead=1):
    """A series of one value a step, which is all there, and its frame."""
    values = np.asarray(values, float)[:, None]
    frame = Frame(ahead, lag, False, False, False, np.zeros(1), 0)
    return frame, Prepared(values, np.ones(values.shape, bool), np.zeros((len(values), 0)), None)


# ------------------------------------------------------------------------------------------------------ backtests


def test_a_backtest_of_series_with_gaps(rng):
    """Missing values count nowhere, units are those of each series, and a unit of 0 is none."""
    many = [np.cumsum(rng.normal(size=(T, 2)), axis=0) * k for T, k in ((30, 1), (26, 20))]
    many[0][[3, 7, 8, 21, 24], 0] = np.nan
    many[1][[10, 23], 1] = np.nan
    many[1][:20, 0] = 5.0  # does not change before the first forecast
    forecaster = LiquidForecaster(**SMALL).fit([one[:20] for one in many], 3)
    found = forecaster.backtest(many, 20, season=4, step=2)
    errors = {name: [[], [], []] for name in ("mae", "rmse", "mase", "naive_mae", "seasonal_mae")}
    for y in many:
        full = filled(y, (np.nan, np.nan))
        for T in range(20, len(y) - 2, 2):
            forecast = forecaster.predict(past=y[:T])
            for h, f in np.ndindex(3, 2):
                true = y[T + h, f]
                if np.isnan(true):
                    continue
                error = abs(forecast[h, f] - true)
                errors["mae"][h].append(error)
                errors["rmse"][h].append(error**2)
                errors["naive_mae"][h].append(abs(full[T - 1, f] - true))
                errors["seasonal_mae"][h].append(abs(full[T + h - 4, f] - true))
                unit = np.nanmean([abs(y[t, f] - y[t - 4, f]) for t in range(4, 20)])
                if unit > 0:
                    errors["mase"][h].append(error / unit)
    for name, values in errors.items():
        wanted = np.array([np.mean(own) for own in values])
        np.testing.assert_allclose(getattr(found, name), np.sqrt(wanted) if name == "rmse" else wanted, rtol=1e-12)


def test_a_scaled_error_without_a_unit_is_nan():
    y = np.r_[np.ones(20), 2.0, 3.0, 4.0]
    found = LiquidForecaster(**SMALL).fit(y[:20], 2).backtest(y, 20)
    assert np.isnan(found.mase).all() and np.isfinite(found.mae).all()


def test_a_backtest_begins_after_the_lag(rng):
    forecaster = LiquidForecaster(difference=5, **SMALL).fit(rng.normal(size=30), 2)
    with pytest.raises(ValueError, match="`start` must be at least 6, so that there is a past, got 5"):
        forecaster.backtest(np.arange(30.0), 5)
    assert np.isfinite(forecaster.backtest(np.arange(30.0), 6).mae).all()


def test_the_last_forecast_of_a_backtest_ends_with_its_series():
    """Forecasts of 3 steps, of 10 and of 8; one every two steps from 4 on."""
    _, ten = plain(np.zeros(10))
    _, eight = plain(np.zeros(8))
    assert backtest.origins([ten, eight], 5, 3, 1, 1) == [(0, 5), (0, 6), (0, 7), (1, 5)]
    assert backtest.origins([ten, eight], 4, 3, 2, 1) == [(0, 4), (0, 6), (1, 4)]
    with pytest.raises(ValueError, match="must leave 3 steps of a series, of which the longest has 10, got 8"):
        backtest.origins([ten, eight], 8, 3, 1, 1)


def test_coverage_by_hand():
    """Ends belong to the interval, and what is missing is neither inside nor outside; three forecasts of 2 steps."""
    _, series = plain([0, 0, 1, 2, np.nan, 4])
    series = series._replace(known=~np.isnan(series.values), values=np.nan_to_num(series.values, nan=2.0))
    intervals = np.array([[[1, 3], [2.5, 9]], [[0, 2], [0, 9]], [[0, 9], [4, 4]]], float)[:, :, None]
    found = backtest.measure([series], [(0, 2), (0, 3), (0, 4)], np.zeros((3, 2, 1)), intervals, 2, 1)
    assert found.coverage.tolist() == [1.0, 0.5]  # 1 and 2 inside, 2 outside and 4 inside


def test_a_backtest_needs_a_value_at_every_step(rng):
    y = np.r_[rng.normal(size=20), 1.0, np.nan, 3.0]
    forecaster = LiquidForecaster(**SMALL).fit(y[:20], 3)
    with pytest.raises(ValueError, match="`series` must have values that are known at every step ahead, got NaN only"):
        forecaster.backtest(y, 20)


# ------------------------------------------------------------------------------------------------------ forecasts


@pytest.mark.parametrize("lag", [0, 3])
def test_recursive_with_all_that_there_is(lag, rng):
    """Differences, gaps, exogenous values and elapsed times, by one step after the other."""
    T, H = 30, 6
    y, e, dt = rng.normal(size=(T, 2)), rng.normal(size=T + H), rng.uniform(0.5, 2, T + H)
    y[[0, 9, 28], 1] = np.nan
    settings = SMALL | {"strategy": "recursive", "quantiles": LEVELS, "difference": lag or None}
    forecaster = LiquidForecaster(**settings).fit(y, 2, e[:T], dt=dt[:T])
    values, known = list(filled(y, np.nanmean(y, axis=0))), [*~np.isnan(y), *np.ones((H, 2), bool)]
    out = state = None
    for t in range(T - 10, T + H):
        if t >= T:
            values.append(np.sort(out.reshape(2, 3))[:, 1] + (values[t - lag] if lag else 0))
        if t + 1 < T + H:
            seen = known[t] & known[t - lag]
            d = values[t] - (values[t - lag] if lag else 0)
            out, state = forecaster.model_.step(np.r_[d, seen, e[t + 1], dt[t + 1]], dt=dt[t], state=state)
    found = forecaster.predict(H, exogenous=e[T:], dt=dt[T:])
    np.testing.assert_allclose(found, values[T:], rtol=1e-9)  # the same sums in another order


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_a_past_shorter_than_the_window_is_read_from_the_lag_on(strategy, rng):
    """Of 8 steps, with differences to 5 before, three can be read; those before the first are not the last ones."""
    settings = SMALL | {"quantiles": LEVELS, "difference": 5, "strategy": strategy}
    forecaster = LiquidForecaster(**settings).fit(rng.normal(size=30), 2)
    past = rng.normal(size=8)
    out, state = forecaster.model_((past[5:] - past[:3])[:, None], return_state=True)
    if strategy == "direct":
        wanted = np.sort(out[-1].reshape(2, 3))[:, 1] + past[3:5]
    else:
        first = np.sort(out[-1])[1]
        wanted = np.array([first, np.sort(forecaster.model_.step(np.array([first]), state=state)[0])[1]]) + past[3:5]
    np.testing.assert_allclose(forecaster.predict(past=past), wanted, rtol=1e-9)


def test_paths_of_several_series_are_their_own(rng):
    """Copies of each stand one after the other, and go on from the state of their series."""
    many = [rng.normal(size=(T, 2)) for T in (20, 13)]
    forecaster = LiquidForecaster(**SMALL | {"strategy": "recursive", "quantiles": LEVELS}).fit(many, 1)
    network = forecaster.network_
    ends = [(network.frame.prepare(Series(y, np.zeros((len(y), 0)), None)), len(y)) for y in many]
    found = rollout.recursive(network, ends, 4, rollout.median(network), 3)
    np.testing.assert_allclose(found, np.repeat(forecaster.predict(4), 3, axis=0), rtol=1e-9)


def test_values_of_a_step_are_drawn_each_by_itself(rng):
    frame = plain([0.0])[0]._replace(first=np.zeros(2))
    network = rollout.Network(None, frame, 2, LEVELS, np.zeros(()), None, True)
    found = rollout.drawn(network, np.random.RandomState(0))(np.tile([-1.0, 0.0, 1.0], (3, 2)))
    assert found.shape == (3, 2) and len(np.unique(found)) == 6


def test_values_of_a_density_are_drawn_together():
    """Both at 1 or both at -1, and none between; moved as the quantiles are, linearly in their normal scores."""
    frame = plain([0.0])[0]._replace(first=np.zeros(2))
    y = np.tile([0.0, 0.0, 1.0, 1.0, -1.0, -1.0, *[np.log(0.05)] * 4], (2000, 1))
    found = []
    for shifts in (np.zeros(()), np.full((1, 2, 3), 0.25), np.tile([-1.0, 0.0, 1.0], (1, 2, 1))):
        network = rollout.Network(None, frame, 2, LEVELS, shifts, None, True, True)
        found.append(rollout.drawn(network, np.random.RandomState(0))(y))
    plainly, along, apart = found
    assert (np.abs(np.abs(plainly) - 1) < 0.3).all() and (plainly[:, 0] * plainly[:, 1] > 0).all()
    assert abs((plainly > 0).mean() - 0.5) < 0.05  # 2000 draws: a standard error of 0.011
    np.testing.assert_allclose(along, plainly + 0.25, rtol=0, atol=1e-14)
    z = [NormalDist().inv_cdf(float(u)) for u in losses.Mixture.of(y, 2).cdf(plainly)[:9].ravel()]
    np.testing.assert_allclose((apart - plainly)[:9].ravel(), np.array(z) / NormalDist().inv_cdf(0.9), rtol=1e-9)


def test_paths_are_drawn_with_the_random_state(rng):
    y = rng.normal(size=30)
    found = []
    for state in (0, 0, 1):
        forecaster = LiquidForecaster(**SMALL | {"strategy": "recursive", "paths": 5}).fit(y, 1)
        other = LiquidForecaster(**SMALL | {"strategy": "recursive", "paths": 5, "random_state": state}).fit(y, 1)
        other.network_ = forecaster.network_  # the same network: only what is drawn may differ
        found.append(other.predict_quantiles(horizon=3))
    assert np.array_equal(found[0], found[1]) and not np.allclose(found[0], found[2])


def test_a_forecast_has_the_form_of_its_past(rng):
    y = rng.normal(size=30)
    for own in (y, y[:, None]):
        forecaster = LiquidForecaster(**SMALL).fit(own, 2)
        assert forecaster.predict(past=y).shape == (2,) and forecaster.predict(past=y[:, None]).shape == (2, 1)


def test_the_order_of_windows_is_drawn_with_the_random_state(rng):
    """The same initial values, and batches in another order."""

    class Chosen(np.random.RandomState):
        order = 1

        def randint(self, *args, **kwargs):
            return np.array([1, self.order, 3])

    y, found, state = rng.normal(size=30), [], Chosen()
    for state.order in (1, 1, 2):
        options = SMALL | {"random_state": state, "batch_size": 4}
        found.append(LiquidForecaster(**options).fit(y, 2).model_.theta)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_quantiles_are_put_in_order_after_they_are_moved():
    frame, _ = plain([0.0])
    network = rollout.Network(None, frame, 2, LEVELS, np.array([[[3.0, 0.0, -1.0]]]), None, False)
    assert network.curves(np.array([[0.0, 1.0, 5.0], [-9.0, 1.0, 0.0]])).tolist() == [[[[1, 3, 4]]], [[[-6, -1, 1]]]]


def test_training_takes_as_many_epochs_as_were_best():
    """Each number of epochs is tried by itself, and the quantiles of the end are judged one by one."""
    y = np.random.default_rng(0).normal(size=50)
    settings = SMALL | {
        "units": 8,
        "difference": None,
        "quantiles": LEVELS,
        "schedule": "constant",
        "learning_rate": 0.05,
    }
    settings["batch_size"] = 8
    loss = []
    for epochs in range(1, 7):
        network = LiquidForecaster(**settings | {"epochs": epochs}).fit(y[:40], 1).network_
        prepared = network.frame.prepare(Series(y[:, None], np.zeros((50, 0)), None))
        curves = rollout.direct(network, [(prepared, T) for T in range(40, 50)])[:, 0, 0]
        error = y[40:, None] - curves
        loss.append(np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error).mean())
    best = int(np.argmin(loss)) + 1
    assert best < 6  # else it would be the last one too
    fitted = LiquidForecaster(**settings | {"epochs": 6, "validation_fraction": 0.2}).fit(y, 1)
    assert fitted.n_iter_ == best


@pytest.mark.parametrize("timed", [False, True])
def test_time_constants_are_those_of_the_windows(timed, rng):
    """From one step to a whole window, of the usual length: all but the last of 25 and of 9 steps."""
    lengths, dts = (25, 9), [rng.uniform(0.5, 2, T) for T in (25, 9)]
    many = [rng.normal(size=T) for T in lengths]
    forecaster = LiquidForecaster(**SMALL | {"window": 40}).fit(many, 1, dt=dts if timed else None)
    constants = forecaster.model_.layers[1].config()["init"]["time_constants"]
    duration = (dts[0][:24].sum() + dts[1][:8].sum()) / 2 if timed else 16.0
    np.testing.assert_allclose(constants, (duration / 16, duration), rtol=1e-12)


def test_where_no_time_passes_steps_count(rng):
    forecaster = LiquidForecaster(**SMALL | {"window": 40}).fit(rng.normal(size=25), 1, dt=0.0)
    assert forecaster.model_.layers[1].config()["init"]["time_constants"] == pytest.approx((1, 24), rel=1e-12)


# -------------------------------------------------------------------------------------------------------- windows


def test_lengths_of_windows_and_how_far_apart_they_are():
    """Twice the horizon and the lag, at least 64, at most half of the longest series; about 512 windows in all."""
    frame, long = plain(np.zeros(2003), lag=3)
    _, short = plain(np.zeros(103), lag=3)
    assert windows.window_and_hop(frame, [long], 40, None) == (86, 1 + 1914 // 512)
    assert windows.window_and_hop(frame, [long, short], 5, None) == (64, 1 + (1936 + 36) // 512)
    assert windows.window_and_hop(frame, [short], 60, None) == (50, 1)
    assert windows.window_and_hop(frame, [long, short], 40, 1500) == (1500, 1)


def test_windows_reach_the_end():
    """One every four steps back from it; the last step has no target."""
    frame, series = plain(np.arange(23))
    found = windows.training(frame, [series], 11, 4)
    assert found.x[:, 0, 0].tolist() == [11, 7, 3] and (found.lengths == 11).all()
    np.testing.assert_array_equal(found.x[:, :, 0] + 1, found.y[:, :, 0])


def test_what_is_held_out_is_taken_from_all_of_it():
    """Not more than 256 windows, of targets from the cut to the end."""
    frame, series = plain(np.arange(600))
    found = windows.held_out(frame, [series], [100], 5)
    assert found.y[:, -1, 0].tolist() == list(range(100, 600, 2))


def test_what_is_held_out_is_of_all_series():
    """Of two with 300 windows each, one in three, and not the first ones of all."""
    (frame, first), (_, second) = plain(np.arange(310)), plain(1000 + np.arange(310))
    last = windows.held_out(frame, [first, second], [10, 10], 5).y[:, -1, 0]
    assert len(last) == 200 and ((last < 1000).sum(), (last >= 1000).sum()) == (100, 100)


def test_what_is_held_out_is_read_from_the_lag_on():
    """Squares, with differences to 5 before, from the step 8 on: windows of at most 4 begin at the step 5."""
    frame, series = plain(np.arange(12) ** 2, lag=5)
    found = windows.held_out(frame, [series], [8], 4)
    assert found.lengths.tolist() == [3, 4, 4, 4]
    assert found.x[:, 0, 0].tolist() == [25, 25, 36 - 1, 49 - 4]
    last = found.y[np.arange(4), found.lengths - 1, 0]
    assert last.tolist() == [t**2 - (t - 5) ** 2 for t in (8, 9, 10, 11)]


def test_series_are_cut_where_enough_is_left_to_learn_from():
    """A lag of 2, a step, and 3 steps ahead."""
    frame, eight = plain(np.zeros(8), lag=2, ahead=3)
    _, nine = plain(np.zeros(9), lag=2, ahead=3)
    assert windows.cuts(frame, [eight, nine], 0.25) == [8, 7]
    assert windows.cuts(frame, [nine], 0.12) == [8]  # one step is enough to judge by


def test_what_is_not_known_cannot_be_held_out():
    frame, series = plain(np.arange(20))
    series.known[15:] = False
    assert windows.held_out(frame, [series], [15], 5) is None
    series.known[18] = True
    assert np.nansum(windows.held_out(frame, [series], [15], 5).y) == 18


# --------------------------------------------------------------------------------------------------------- series


def test_what_stands_for_a_value_before_there_is_one():
    """The mean of all that are known, in all series."""
    many = [np.array([np.nan, 1.0, 2.0, 12.0, 1.0, 0.0]), np.array([np.nan, np.nan, 3.0, 2.0, 0.0, 0.0])]
    forecaster = LiquidForecaster(**SMALL).fit(many, 1)
    assert forecaster.network_.frame.first.tolist() == [21 / 9]
    out = forecaster.model_(np.array([[21 / 9, 0], [21 / 9, 0], [3, 1]]))[-1]
    np.testing.assert_allclose(forecaster.predict(past=many[1][:3]), np.sort(out)[2], rtol=1e-9)


def test_an_array_of_series_is_a_list_of_them(rng):
    many = rng.normal(size=(3, 20, 2))
    array, listed = (LiquidForecaster(**SMALL).fit(own, 2) for own in (many, list(many)))
    np.testing.assert_array_equal(array.model_.theta, listed.model_.theta)
    found = array.predict()
    assert isinstance(found, list) and [one.shape for one in found] == [(2, 2)] * 3
    np.testing.assert_array_equal(array.predict(past=many[:, :15]), listed.predict(past=list(many[:, :15])))
