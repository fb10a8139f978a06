"""What the forms of sequences, targets and weights mean for the numbers of the estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
from sklearn.exceptions import DataConversionWarning

from ltc_np.sklearn import LTCClassifier, LTCRegressor

SMALL = {"units": 4, "epochs": 1, "shortcut": None, "random_state": 0, "dtype": "float64"}
STILL = SMALL | {"learning_rate": 1e-12, "batch_size": 100}  # the network of before the training, in one batch


@pytest.fixture
def data(rng):
    """Sequences (12, 5, 2), a number and a label for each step of them."""
    X = rng.normal(size=(12, 5, 2))
    y = X.sum(axis=2).cumsum(axis=1)
    return X, y, np.where(y > 0, "up", "down")


def constants(estimator):
    return estimator.model_.layers[1].config()["init"]["time_constants"]


# ------------------------------------------------------------------------------------------------------ sequences


def test_the_usual_length_is_the_mean(data):
    X, y, _ = data
    lengths = np.array([1, 2, 3, 4, 5, 5] * 2)
    assert constants(LTCRegressor(**SMALL).fit(X, y[:, 0], lengths=lengths)) == pytest.approx((1, 20 / 6), rel=1e-12)


def test_where_no_time_passes_steps_count(data):
    X, y, _ = data
    assert constants(LTCRegressor(**SMALL).fit(X, y[:, 0], dt=0.0)) == pytest.approx((1, 5), rel=1e-12)


def test_a_list_of_numbers_in_rows_of_other_lengths(data):
    """Is sequences of one feature; of one length it is a table."""
    X, y, _ = data
    lengths = np.arange(12) % 4 + 2
    rows = [x[:n, 0] for x, n in zip(X, lengths, strict=True)]
    one = LTCRegressor(**SMALL).fit(rows, y[:, 0])
    other = LTCRegressor(**SMALL).fit(X[:, :, :1], y[:, 0], lengths=lengths)
    np.testing.assert_array_equal(one.model_.theta, other.model_.theta)
    np.testing.assert_array_equal(one.predict(rows), other.predict(X[:, :, :1], lengths=lengths))
    assert LTCRegressor(**SMALL).fit(list(X[:, :, 0]), y[:, 0]).n_features_in_ == 5


@pytest.mark.parametrize("looks", ["dates", "timedeltas", "periods", "names", "dtypes"])
def test_a_frame_whose_rows_look_like_steps(data, looks):
    """Each row is read as a sequence, in silence until version 0.2."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y, _ = data
    table = X[:, :3, 0]
    plain = pandas.DataFrame(table, columns=["t0", "t1", "t2"])
    index = np.arange(12) * np.timedelta64(1, "D")
    odd = {
        "dates": plain.set_index(pandas.DatetimeIndex(index.astype("M8[ns]"))),
        "timedeltas": plain.set_index(pandas.TimedeltaIndex(index)),
        "periods": plain.set_index(pandas.period_range("2024-01", periods=12, freq="M")),
        "names": plain.set_axis(["power", "fan", "load"], axis=1),
        "dtypes": plain.assign(t1=np.arange(12)),
    }[looks]
    for method in ("fit", "partial_fit"):
        with pytest.warns(RuntimeWarning, match="each row of the frame `X` is read as a sequence of 3 steps"):
            one = getattr(LTCRegressor(**SMALL), method)(odd, y[:, 0])
        one.predict(odd)  # and says it no more
    for fine in (plain, odd.to_numpy()):
        LTCRegressor(**SMALL).fit(fine, y[:, 0])


def test_a_column_of_dates_is_refused_with_the_remedy(data):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y, _ = data
    frame = pandas.DataFrame({"t": pandas.date_range("2024-01-01", periods=12), "t1": X[:, 0, 0]})
    with pytest.raises(TypeError, match=r"`X` must be real numbers, got datetime64.*, column 't': .*dt_from_times"):
        LTCRegressor(**SMALL).fit(frame, y[:, 0])


def test_columns_that_are_no_numbers_are_named_with_the_remedy(data):
    """Of a zone and of categories, which scikit-learn lets through."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y, _ = data
    frame = pandas.DataFrame({"t1": X[:, 0, 0]})
    zone = frame.assign(t=pandas.date_range("2024-01-01", periods=12, tz="UTC"))
    kinds = frame.assign(kind=pandas.Categorical(["a", "b"] * 6))
    for odd, rule in (
        (zone, r"got datetime64.*UTC\], column 't': dates are no feature: .*dt_from_times"),
        (kinds, r"got category, column 'kind': of words pandas.get_dummies"),
        ([kinds] * 12, r"got category, column 'kind': of words pandas.get_dummies"),
        (np.zeros((12, 5, 1), "M8[s]"), r"got dtype datetime64\[s\]: ltc_np.data.dt_from_times"),
    ):
        with pytest.raises(TypeError, match=f"must be real numbers.* {rule}"):
            LTCRegressor(**SMALL).fit(odd, y[:, 0])


def test_series_of_aeon_in_predict(data):
    X, y, _ = data
    model = LTCRegressor(**SMALL).fit(X[:, :, :1], y[:, 0])
    with pytest.raises(ValueError, match=r"`X` must have the 1 features .* got 5: .* give X.transpose\(0, 2, 1\)"):
        model.predict(X[:, :, :1].transpose(0, 2, 1))
    with pytest.raises(ValueError, match=r"`X` must have the 1 features .* got 2$"):
        model.predict(X[:, :, [0, 0]])


def test_series_of_aeon_are_sequences_of_one_step(data):
    X, y, _ = data
    for method in ("fit", "partial_fit"):
        with pytest.warns(
            RuntimeWarning, match=r"`X` of shape \(12, 1, 5\) is read as sequences of one step.*ltc_np.aeon"
        ):
            getattr(LTCRegressor(**SMALL), method)(X[:, :, :1].transpose(0, 2, 1), y[:, 0])


def test_one_step_is_no_sequence(data):
    """It is read as one, but nothing is remembered then."""
    X, y, _ = data
    for table in (X[:, :1, :1], X[:, :1, 0], list(X[:, :1, :1])):
        with pytest.warns(RuntimeWarning, match="`X` is read as 12 sequences of one step, of which no memory is used"):
            fitted = LTCRegressor(**SMALL).fit(table, y[:, 0])
        fitted.predict(table[:1])


def test_a_table_whose_rows_are_steps(rng):
    """Each column goes on from row to row, and none is like the next one; sequences, windows and noise are not so."""
    t = np.arange(60)[:, None]
    series = np.concatenate([np.sin(t / 5), np.cos(t / 5), np.sin(t / 3)], axis=1)
    with pytest.warns(
        RuntimeWarning, match="each row of `X` is read as a sequence of 3 steps of one feature, but rows"
    ):
        LTCRegressor(**SMALL).fit(series, series[:, 0])
    waves = np.sin(np.arange(8) / 3 + rng.uniform(0, 6, (60, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(rng.normal(size=67).cumsum(), 8)
    ordered = waves + np.repeat([0.0, 5.0], 30)[:, None]  # one class after the other
    for fine in (waves, windows, ordered, rng.normal(size=(60, 8)), series[:29], np.ones((60, 3))):
        LTCRegressor(**SMALL).fit(fine, fine[:, 0])


# -------------------------------------------------------------------------------------------------------- targets


def test_text_and_dates_are_no_targets(data):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = data[0]
    words, dates = pandas.Series(["up", "down"] * 6), pandas.Series(pandas.date_range("2024-01-01", periods=12))
    for text in (words, words.to_numpy(object), words.astype("category"), words.to_frame()):
        with pytest.raises(ValueError, match="`y` must be numbers, got text: for labels take LTCClassifier"):
            LTCRegressor(**SMALL).fit(X, text)
    for times in (dates, dates.to_numpy(), dates.dt.tz_localize("UTC"), dates - dates[0], list(dates)):
        with pytest.raises(TypeError, match="`y` must be numbers, got dates or durations: give the time since"):
            LTCRegressor(**SMALL).fit(X, times)


def test_as_many_numbers_as_steps(data):
    """Are numbers of each sequence, as the error of such a network shows; who says which is meant hears nothing."""
    X, y, _ = data
    with pytest.warns(RuntimeWarning, match=r"`y` of shape \(12, 5\) is read as 5 numbers .* give every_step=True; if"):
        read = LTCRegressor(**SMALL).fit(X, y)
    same = LTCRegressor(**SMALL, every_step=False).fit(X, y)
    assert not read.every_step_
    np.testing.assert_array_equal(read.model_.theta, same.model_.theta)
    assert LTCRegressor(**SMALL, every_step=True).fit(X, y).every_step_
    LTCRegressor(**SMALL).fit(X, y[:, :4])


def test_a_column_of_labels_is_one_for_each_sequence(data):
    X, _, labels = data
    flat = LTCClassifier(**SMALL).fit(X, labels[:, -1])
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        column = LTCClassifier(**SMALL).fit(X, labels[:, -1:])
    assert not column.every_step_
    np.testing.assert_array_equal(column.predict_proba(X), flat.predict_proba(X))


def test_a_score_is_of_the_answers_that_were_trained(data):
    """Whatever `every_step` is set for the next training."""
    X, y, labels = data
    for kind, wanted in ((LTCRegressor, y), (LTCClassifier, labels)):
        one = kind(every_step=True, **SMALL).fit(X, wanted)
        score = one.score(X, wanted)
        for every_step in (None, False):
            assert one.set_params(every_step=every_step).score(X, wanted) == score


def test_what_goes_on_needs_targets_of_the_same_form(data):
    X, y, _ = data
    regressor = LTCRegressor(**SMALL).partial_fit(X, y[:, 0])
    for other in (y[:, :, None], y[:, :2]):
        with pytest.raises(ValueError, match="`y` must be of the form of the first call"):
            regressor.partial_fit(X, other)
    assert regressor.n_iter_ == 1


def test_classes_cannot_be_balanced_part_by_part(data):
    X, _, labels = data
    classifier = LTCClassifier(class_weight="balanced", **SMALL)
    with pytest.raises(ValueError, match="`class_weight` must be a dict or None for `partial_fit`"):
        classifier.partial_fit(X, labels[:, -1], classes=["down", "up"])


def test_a_warm_start_needs_the_same_features(data):
    X, y, _ = data
    regressor = LTCRegressor(warm_start=True, **SMALL).fit(X, y[:, 0])
    with pytest.raises(ValueError, match=r"are \(1, 1, False\), those of the network \(2, 1, False\)"):
        regressor.fit(X[:, :, :1], y[:, 0])


# -------------------------------------------------------------------------------------------------------- weights


def test_a_weight_of_a_sequence_is_that_of_its_steps(data, rng):
    X, y, labels = data
    weight = rng.uniform(0, 1, 12)
    each = np.repeat(weight[:, None], 5, axis=1)
    regressor = LTCRegressor(every_step=True, **SMALL).fit(X, y)
    error, center = (y - regressor.predict(X)) ** 2, (each * y).sum() / each.sum()
    wanted = 1 - (each * error).sum() / (each * (y - center) ** 2).sum()
    assert regressor.score(X, y, sample_weight=weight) == pytest.approx(wanted, rel=1e-12)
    classifier = LTCClassifier(**SMALL).fit(X, labels)
    wanted = each[classifier.predict(X) == labels].sum() / each.sum()
    assert classifier.score(X, labels, sample_weight=weight) == pytest.approx(wanted, rel=1e-12)


def test_a_sequence_counts_while_one_of_its_steps_does(data, rng):
    """In the loss and in the scales; one of weight 0 at all steps is not there."""
    X, y, _ = data
    weight = rng.uniform(0.5, 1, (12, 5))
    weight[np.arange(12), np.arange(12) % 5] = 0
    weight[3] = 0
    regressor = LTCRegressor(every_step=True, **STILL).fit(X, y, sample_weight=weight)
    wanted = (weight * (regressor.predict(X) - y) ** 2).sum() / weight.sum()
    assert regressor.history_["loss"][0] == pytest.approx(wanted, rel=1e-8)  # a step of 1e-12 was made
    rows = np.arange(12) != 3
    without = LTCRegressor(every_step=True, **STILL).fit(X[rows], y[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(regressor.model_.theta, without.model_.theta)
