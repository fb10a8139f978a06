"""Learning curves, and predicted against true: lines have the numbers that were given."""

import numpy as np
import pytest
from support.picture_cases import bands, forecast, history, three_outputs

from ltc_np.plot import learning_curves, predictions


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_learning_curves_are_what_was_measured():
    made = history()
    found = lines(learning_curves(made))
    assert found["training"].get_xdata().tolist() == made.epoch
    assert found["training"].get_ydata().tolist() == made["loss"]
    assert found["validation"].get_xdata().tolist() == [1, 3, 5]
    assert found["validation"].get_ydata().tolist() == made["val_loss"]
    assert (found["best epoch"].get_xdata()[0], found["best epoch"].get_ydata()[0]) == (3, made["val_loss"][1])


def test_learning_curves_of_a_metric():
    made = history()
    ax = learning_curves(made, "mae")
    assert lines(ax)["training"].get_ydata().tolist() == made["mae"]
    assert set(lines(ax)) == {"training", "best epoch"}
    assert (ax.get_yscale(), ax.get_ylabel()) == ("linear", "mae")


def test_learning_curves_are_logarithmic_where_they_span_decades():
    made = history()
    assert learning_curves(made).get_yscale() == "log"
    made["loss"][0] = 0.0
    assert learning_curves(made).get_yscale() == "linear"


def test_learning_curves_of_one_epoch_are_seen():
    made = type(history())()
    made.add(0, {"loss": 1.0})
    (line,) = learning_curves(made).get_lines()
    assert line.get_marker() == "."


def test_learning_curves_refuse():
    for bad in (None, [1, 2], {"loss": [1.0]}):
        with pytest.raises(TypeError, match="`history` must be what `fit` has returned, got"):
            learning_curves(bad)
    with pytest.raises(ValueError, match="`name` must be one of what was measured, 'loss', 'mae', got 'accuracy'"):
        learning_curves(history(), "accuracy")
    with pytest.raises(ValueError, match="`name` must be one of what was measured, , got 'loss'"):
        learning_curves(type(history())())


def test_predictions_are_what_was_given():
    t, y, predicted = forecast()
    ax = predictions(t, y, predicted, intervals=bands())
    found = lines(ax)
    for label, values in (("true output", y), ("predicted output", predicted)):
        np.testing.assert_array_equal(found[label].get_xdata(), t)
        np.testing.assert_array_equal(found[label].get_ydata(), values)
    wide, narrow = ax.collections
    assert (wide.get_label(), narrow.get_label()) == ("90 % interval", "50 % interval")
    for band, (low, high) in ((wide, bands()[0.9]), (narrow, bands()[0.5])):
        corners = band.get_paths()[0].vertices
        for k in range(len(t)):
            ys = corners[corners[:, 0] == t[k], 1]
            np.testing.assert_allclose((ys.min(), ys.max()), (low[k], high[k]), rtol=1e-12)


def test_predictions_over_dates():
    """Are lines over matplotlib's days; what pandas has is taken as it is."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    days, y = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]"), np.sin(np.arange(60) / 9)
    for t in (
        days,
        list(days.astype("M8[s]").astype(object)),
        pandas.DatetimeIndex(days),
        pandas.DatetimeIndex(days, tz="UTC"),
    ):
        ax = predictions(t, y, y, intervals={0.9: (y - 1, y + 1)})
        (true, _) = ax.get_lines()
        np.testing.assert_array_equal(ax.convert_xunits(true.get_xdata()), days.astype(float))
        assert type(ax.xaxis.get_major_formatter()).__name__ == "ConciseDateFormatter"
    with pytest.raises(ValueError, match="`t` must be times"):
        predictions(days[::-1], y, y)
    with pytest.raises(ValueError, match="`t` must be times"):
        predictions(np.where(np.arange(60) == 3, np.datetime64("NaT", "s"), days), y, y)
    with pytest.raises(TypeError, match="`t` must be real numbers"):
        predictions(days - days[0], y, y)


def test_predictions_of_several_outputs():
    t, y, predicted = forecast()
    ax = predictions(t, three_outputs(y), three_outputs(predicted), names=["a", "b", "c"])
    found = lines(ax)
    for k, name in enumerate("abc"):
        np.testing.assert_array_equal(found[f"true {name}"].get_ydata(), three_outputs(y)[:, k])
        np.testing.assert_array_equal(found[f"predicted {name}"].get_ydata(), three_outputs(predicted)[:, k])
        assert found[f"true {name}"].get_color() == found[f"predicted {name}"].get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["true", "a", "b", "c"]


def test_predictions_refuse():
    t, y, predicted = forecast()
    low = predicted - 1
    for arguments, error, message in (
        ((t[::-1], y, predicted), ValueError, "`t` must be times"),
        ((t, y[:3], predicted), ValueError, r"`y` must have shape \(T,\) or \(T, O\) with T = 10, got \(3,\)"),
        ((t, y, predicted[:3]), ValueError, r"`predicted` must have the shape of `y`, \(10,\), got \(3,\)"),
        ((t, np.ones((10, 7)), np.ones((10, 7))), ValueError, r"1..6 outputs in one picture, got 7: choose"),
        ((t, y, ["a"] * 10), TypeError, "`predicted` must be real numbers"),
    ):
        with pytest.raises(error, match=message):
            predictions(*arguments)
    for intervals, error, message in (
        ((low, predicted), TypeError, r"must be a mapping such as \{0.9: \(low, high\)\}, got"),
        ({90: (low, predicted)}, ValueError, r"`share of intervals` must be a finite number in \(0, 1\), got 90"),
        ({0.9: low}, TypeError, r"`intervals\[0.9\]` must be a pair \(low, high\)"),
        ({0.9: (predicted, low)}, ValueError, "got low > high at 0"),
        ({0.9: (low[1:], predicted[1:])}, ValueError, r"must be two arrays \(10,\), got \(9,\) and \(9,\)"),
    ):
        with pytest.raises(error, match=message):
            predictions(t, y, predicted, intervals=intervals)
    with pytest.raises(ValueError, match="`intervals` must be of one output, got them with 3"):
        predictions(t, three_outputs(y), three_outputs(predicted), intervals=bands())
    with pytest.raises(ValueError, match="`names` must be as many as the outputs, 1, got 2"):
        predictions(t, y, predicted, names=["a", "b"])
