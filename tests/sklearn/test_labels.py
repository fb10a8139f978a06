"""Forecasts with the index and the names of pandas, and their pictures."""

import numpy as np
import pytest

pandas = pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')

from ltc_np.sklearn import LiquidForecaster, labels  # noqa: E402

SMALL = {"units": 4, "epochs": 1, "validation_fraction": 0, "backend": "numpy", "random_state": 0, "difference": None}
T, H = 40, 3
VALUES = np.random.default_rng(0).normal(size=(T, 2))
STAMPS = pandas.Timestamp
INDICES = {
    "months": (
        pandas.date_range("2021-01-31", periods=T, freq="ME"),
        pandas.to_datetime(["2024-05-31", "2024-06-30", "2024-07-31"]),
    ),
    "without a frequency": (
        pandas.DatetimeIndex(list(pandas.date_range("2021-03-01", periods=T, freq="36h")), name="when"),
        pandas.to_datetime(["2021-04-30 00:00", "2021-05-01 12:00", "2021-05-03 00:00"]),
    ),
    "of a zone": (
        pandas.date_range("2021-03-01", periods=T, freq="D", tz="Asia/Tokyo"),
        [STAMPS(f"2021-04-{day}", tz="Asia/Tokyo") for day in (10, 11, 12)],
    ),
    "periods": (pandas.period_range("2021Q1", periods=T, freq="Q"), pandas.period_range("2031Q1", periods=H, freq="Q")),
    "durations": (pandas.timedelta_range("1h", periods=T, freq="1h"), pandas.to_timedelta(["41h", "42h", "43h"])),
    "years": (pandas.Index(range(1980, 1980 + T)), [2020, 2021, 2022]),
    "small whole numbers": (pandas.Index(np.arange(256 - T, 256), dtype="uint8"), [256, 257, 258]),
    "equal numbers": (pandas.Index([7] * T), [T, T + 1, T + 2]),
    "a number that is missing": (pandas.Index([1.0, np.nan]), [2, 3, 4]),
    "irregular": (
        pandas.DatetimeIndex(["2021-01-01", *pandas.date_range("2021-01-03", periods=T - 1)]),
        [T, T + 1, T + 2],
    ),
    "two": (pandas.to_datetime(["2021-01-01", "2021-01-02"]), [2, 3, 4]),
    "words": (pandas.Index([f"s{k}" for k in range(T)]), [T, T + 1, T + 2]),
}


@pytest.fixture(scope="module")
def networks():
    """One trained on (T,), one on (T, 2)."""
    return [LiquidForecaster(**SMALL).fit(values, H) for values in (VALUES[:, 0], VALUES)]


@pytest.mark.parametrize("name", INDICES)
def test_an_index_goes_on(name, networks):
    index, later = INDICES[name]
    values = VALUES[: len(index)]
    flat, deep = networks
    past = pandas.Series(values[:, 0], index, name="load")
    found = flat.predict(past=past)
    assert isinstance(found, pandas.Series) and found.name == "load"
    assert found.index.name == (index.name if later[0] != len(index) else None)
    assert list(found.index) == list(pandas.Index(later))
    np.testing.assert_array_equal(found, flat.predict(past=values[:, 0]))
    ends = flat.predict_interval(past=past)
    assert list(ends.columns) == ["lower", "upper"] and (ends.index == found.index).all()
    frame = pandas.DataFrame(values, index, ["load", "wind"])
    found, plain = deep.predict(2, past=frame), deep.predict(2, past=values)
    assert list(found.columns) == ["load", "wind"] and list(found.index) == list(pandas.Index(later))[:2]
    np.testing.assert_array_equal(found, plain)
    quantiles, plain = (deep.predict_quantiles((0.1, 0.5), past=of) for of in (frame, values))
    assert list(quantiles.columns) == [("load", 0.1), ("load", 0.5), ("wind", 0.1), ("wind", 0.5)]
    np.testing.assert_array_equal(quantiles["wind"], plain[:, 1])


def test_the_series_of_fit_and_lists():
    months = pandas.date_range("2021-01-01", periods=T, freq="MS")
    forecaster = LiquidForecaster(**SMALL).fit(pandas.Series(VALUES[:, 0], months), H)
    assert [str(when.date()) for when in forecaster.predict().index] == ["2024-05-01", "2024-06-01", "2024-07-01"]
    one, other = forecaster.predict(past=[pandas.Series(VALUES[:, 0], months), VALUES[:, 1]])
    assert isinstance(one, pandas.Series) and isinstance(other, np.ndarray)
    assert isinstance(forecaster.predict(past=VALUES[:, 0]), np.ndarray)


def test_columns_of_several_levels(networks):
    columns = pandas.MultiIndex.from_tuples([("load", "north"), ("wind", "sea")], names=["what", "where"])
    past = pandas.DataFrame(VALUES, columns=columns)
    assert networks[1].predict(past=past).columns.equals(columns)
    ends = networks[1].predict_interval(past=past).columns
    assert list(ends) == [(*name, end) for name in columns for end in ("lower", "upper")]
    assert list(ends.names) == ["what", "where", None]


def test_what_has_no_labels():
    for values in (VALUES, [1.0], list(VALUES)):
        assert labels.of(values) is None


def test_a_forecast_is_drawn(networks):
    """Lines and the band have the numbers of `predict`; what is missing is a gap."""
    flat, deep = networks
    values = VALUES.copy()
    values[-2] = np.nan
    months = pandas.date_range("2021-01-01", periods=T, freq="MS")
    frame = pandas.DataFrame(values, months, ["load", "wind"])
    ax = deep.plot(past=frame, feature=1, coverage=0.8)
    true, drawn = ax.get_lines()
    dates = np.append(months.to_numpy(), deep.predict(past=frame).index.to_numpy()).astype("M8[s]")
    np.testing.assert_array_equal(drawn.get_xdata(), dates)
    np.testing.assert_array_equal(true.get_ydata(), np.append(values[:, 1], [np.nan] * H))
    np.testing.assert_array_equal(drawn.get_ydata()[-H:], deep.predict(past=values)[:, 1])
    assert np.isnan(drawn.get_ydata()[:-H]).all() and ax.get_ylabel() == "wind"
    (band,) = ax.collections
    low, high = deep.predict_interval(0.8, past=values)[:, 1].T
    assert {*band.get_paths()[0].vertices[:, 1]} == {*low, *high}
    ax = flat.plot(2)
    assert (ax.get_xlabel(), ax.get_lines()[0].get_xdata()[-2:].tolist()) == ("steps after the last value", [1, 2])
    assert flat.plot(past=[VALUES[:, 0], VALUES[:, 1]], series=1).get_lines()[0].get_ydata()[-1 - H] == VALUES[-1, 1]
    periods = pandas.Series(VALUES[:, 0], pandas.period_range("2021-01", periods=T, freq="M"))
    np.testing.assert_array_equal(flat.plot(past=periods).get_lines()[0].get_xdata(), dates)
    for argument in ({"series": 1}, {"feature": 1}, {"series": -1}):
        with pytest.raises(ValueError, match=f"`{next(iter(argument))}` must be"):
            flat.plot(**argument)


def test_a_picture_has_no_name_that_there_is_not(networks):
    months = pandas.date_range("2021-01-01", periods=T, freq="MS")
    assert networks[0].plot(past=pandas.Series(VALUES[:, 0], months)).get_ylabel() == ""
    assert networks[0].plot(past=pandas.Series(VALUES[:, 0], months, name=0)).get_ylabel() == "0"


def test_what_a_picture_refuses(networks):
    drawn = networks[0].plot()
    for ax in (drawn.figure, np.array([drawn, drawn])):
        with pytest.raises(
            TypeError, match="`ax` must be one Axes of matplotlib or None, got .*: give one of its axes$"
        ):
            networks[0].plot(ax=ax)
    with pytest.raises(TypeError, match=r"`horizon` must be an int >= 1, got an array .*: give values as past=\.\.\."):
        networks[0].plot(VALUES[:, 0])


def test_a_backtest_is_drawn(networks):
    found = networks[0].backtest(VALUES[:, 0], 30, season=7)
    drawn = {line.get_label(): line.get_ydata() for line in found.plot().get_lines()}
    assert list(drawn) == ["network", "last value", "one season before"]
    for name, errors in zip(drawn, (found.mae, found.naive_mae, found.seasonal_mae), strict=True):
        np.testing.assert_array_equal(drawn[name], errors)
    assert len(networks[0].backtest(VALUES[:, 0], 30).plot().get_lines()) == 2
