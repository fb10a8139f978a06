"""Frames and series of pandas: a stand-in of what is used of them, and pandas itself where it is installed."""

import numpy as np
import pytest

from ltc_np import LTCRNN, AutoNCP
from ltc_np.base import checks, frames
from ltc_np.data import pad, windows


class Dtype:
    """One that NumPy does not have; of numbers if it has a kind of them."""

    def __init__(self, name, kind="O", numpy_dtype=None):
        self.name, self.kind, self.numpy_dtype = name, kind, numpy_dtype

    def __repr__(self):
        return self.name


class Series:
    """What is asked of a series of pandas, of a list in which None is a missing value."""

    ndim = 1

    def __init__(self, values, name=None, dtype=None):
        self.list, self.name = values, name
        self.dtype = self.dtypes = np.array(values).dtype if dtype is None else dtype
        self.iloc = None
        self.shape, self.size = (len(values),), len(values)

    def __len__(self):
        return len(self.list)

    def isna(self):
        return np.array([value is None for value in self.list])

    def to_numpy(self, dtype=None, na_value=None):
        return np.array([na_value if value is None else value for value in self.list], dtype)


class Frame:
    """What is asked of a frame."""

    ndim = 2

    def __init__(self, columns):
        self.columns, self.series = list(columns), list(columns.values())
        self.dtypes = [series.dtype for series in self.series]
        self.shape = len(self), len(self.series)

    @property
    def iloc(self):
        return self

    def __getitem__(self, where):
        rows, k = where
        assert rows == slice(None)
        return self.series[k]

    def __len__(self):
        return len(self.series[0])


def stand_ins():
    numbers, bools = Dtype("Float64", "f", np.dtype("float64")), Dtype("boolean", "b", np.dtype(bool))
    gaps = {"a": Series([1.0, None, 3.0], dtype=numbers), "b": Series([True, False, True], dtype=bools)}
    return {
        "frame": Frame({"a": Series([1.0, 2.0, 3.0]), "b": Series([4, 5, 6])}),
        "turned": Frame({"b": Series([4, 5, 6]), "a": Series([1.0, 2.0, 3.0])}),
        "gaps": Frame(gaps),
        "words": Frame({"a": Series([1.0, 2.0]), "city": Series(["Rome", "Oslo"], dtype=Dtype("str"))}),
        "dates": Frame({"when": Series(np.array(["2020-01-01"], "M8[ns]"))}),
        "series": Series([1, 2, 3], "ages"),
        "texts": Series(["1", "2"], "ages", dtype=Dtype("str")),
    }


def of_pandas():
    pandas = pytest.importorskip("pandas")
    return {
        "frame": pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]}, index=[7, 3, 5]),
        "turned": pandas.DataFrame({"b": [4, 5, 6], "a": [1.0, 2.0, 3.0]}),
        "gaps": pandas.DataFrame(
            {"a": pandas.array([1.0, None, 3.0], "Float64"), "b": pandas.array([True, False, True], "boolean")}
        ),
        "words": pandas.DataFrame({"a": [1.0, 2.0], "city": ["Rome", "Oslo"]}),
        "dates": pandas.DataFrame({"when": pandas.to_datetime(["2020-01-01"])}),
        "series": pandas.Series([1, 2, 3], name="ages"),
        "texts": pandas.Series(["1", "2"], name="ages"),
    }


def test_a_series_without_a_name_is_called_nothing():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"`dt` must be real numbers, got datetime64\[\w+\]: dates are no feature"):
        frames.array("dt", pandas.Series(pandas.to_datetime(["2020-01-01"])))


@pytest.fixture(params=[stand_ins, of_pandas])
def given(request):
    return request.param()


ARRAY = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])


def test_frames_are_arrays(given):
    np.testing.assert_array_equal(checks.plain("x", given["frame"]), ARRAY)
    np.testing.assert_array_equal(checks.plain("x", given["gaps"]), [[1, 1], [np.nan, 0], [3, 1]])
    assert checks.plain("x", given["gaps"]).dtype == np.float64
    found = checks.plain("x", given["series"])
    assert found.tolist() == [1, 2, 3] and found.dtype.kind == "i"
    assert frames.columns(given["frame"]) == frames.columns([given["frame"]]) == ["a", "b"]
    assert (
        frames.columns(given["series"])
        is frames.columns(ARRAY)
        is frames.columns([ARRAY])
        is frames.columns([])
        is None
    )


def test_sparse_columns_are_columns():
    pandas = pytest.importorskip("pandas")
    columns = [[0.0, 1.5, 0.0], [np.nan, 2.0, np.nan], [True, False, False], [0, 7, 0]]
    found = frames.array("x", pandas.DataFrame({k: pandas.arrays.SparseArray(v) for k, v in enumerate(columns)}))
    np.testing.assert_array_equal(found, np.array(columns, np.float64).T)


def test_models_take_frames(given):
    """A frame is one sequence, a list of them several; a series may be elapsed times or weights."""
    model, frame = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0, dtype="float64"), given["frame"]
    np.testing.assert_array_equal(model(frame, dt=given["series"]), model(ARRAY, dt=[1, 2, 3]))
    np.testing.assert_array_equal(model.predict([frame, frame])[1], model(ARRAY))
    other = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0, dtype="float64")
    model.fit([frame] * 3, [frame] * 3, sample_weight=given["series"], seed=0, verbose=False)
    other.fit([ARRAY] * 3, [ARRAY] * 3, sample_weight=[1, 2, 3], seed=0, verbose=False)
    assert np.array_equal(model.theta, other.theta)
    np.testing.assert_array_equal(windows(frame, length=2)[0], [ARRAY[:2]])
    np.testing.assert_array_equal(pad([frame, frame])[0], [ARRAY, ARRAY])


def test_columns_are_named(given):
    model = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0)
    frame, gaps = given["frame"], given["gaps"]
    for call, error, words in (
        (
            lambda: model(given["words"]),
            TypeError,
            r"`x` must be real numbers, got \w+, column 'city': of words pandas.get_dummies",
        ),
        (
            lambda: model.predict([given["words"]]),
            TypeError,
            r"`x\[0\]` must be real numbers, got \w+, column 'city': of words pandas.get_dummies",
        ),
        (
            lambda: model(given["dates"]),
            TypeError,
            "`x` must be real .*, got datetime64.*, column 'when': .*dt_from_times",
        ),
        (lambda: model(frame, dt=given["texts"]), TypeError, r"`dt` must be real numbers, got \w+ in series 'ages'"),
        (
            lambda: model(gaps),
            ValueError,
            r"`x` must be .*, got nan at index \(0, 1, 0\), column 'a'; .*forward_fill",
        ),
        (
            lambda: model.predict([frame, gaps]),
            ValueError,
            r"`x\[1\]` must .* nan at index \(1, 0\), column 'a'; ",
        ),
        (lambda: model.fit([frame, gaps], [ARRAY] * 2, verbose=False), ValueError, r"got nan at .*, column 'a'; where"),
        (lambda: model.fit(frame, ARRAY, verbose=False), ValueError, r"`x` must be .*, got .*; \[x\] is a list of one"),
        (
            lambda: LTCRNN(AutoNCP(8, 2), input_dim=3, seed=0)(frame),
            ValueError,
            r"`x` must be .*, got shape \(3, 2\), columns 'a', 'b'",
        ),
        (
            lambda: model.fit([given["series"]] * 2, [ARRAY] * 2, verbose=False),
            ValueError,
            r"\[a.to_frame\(\) for a in x",
        ),
    ):
        with pytest.raises(error, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_columns_in_another_order_are_refused(given):
    model, both = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0), [given["frame"], given["turned"]]
    for call in (
        lambda: model.predict(both),
        lambda: model.fit(both, [ARRAY] * 2, verbose=False),
        lambda: model.evaluate(both, [ARRAY] * 2),
        lambda: windows(both, length=2),
    ):
        with pytest.raises(
            ValueError, match=r"`\w+\[1\]` must have the columns of \w+\[0\], \['a', 'b'\], got \['b', 'a'\]"
        ):
            call()
    with pytest.raises(ValueError, match=r"`y\[1\]` must have the columns of y\[0\]"):
        model.fit([ARRAY] * 2, both, verbose=False)
