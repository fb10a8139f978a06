"""Data: the tutorial's formula, naive loops, and every rule that refuses an argument."""

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ltc_np import data
from ltc_np.data import dt_from_times, generate_spiral_data, pad, windows


def test_spiral_formula():
    """Point by point in Python floats, with the noise in the tutorial's order: all of x, then all of y."""
    noise = np.random.default_rng(7).standard_normal((2, 50))
    points = generate_spiral_data(50, 3, noise=0.5, seed=7)
    assert points.shape == (50, 2) and points.dtype == np.float64
    for k in range(50):
        r, angle = k / 49, 2 * math.pi * 3 * k / 49
        x, y = r * math.sin(angle) + 0.5 * noise[0, k] / 50, r * math.cos(angle) + 0.5 * noise[1, k] / 50
        # the angle reaches 19, with an error of its last digit
        assert points[k] == pytest.approx((x, y), abs=1e-14)


def test_spiral_seeds():
    a, b = generate_spiral_data(20, 1, seed=0), generate_spiral_data(20, 1, seed=0)
    np.testing.assert_array_equal(a, b)
    assert (generate_spiral_data(20, 1) != generate_spiral_data(20, 1)).all()  # fresh entropy
    assert (generate_spiral_data(20, 1, seed=1) != a).all()
    np.testing.assert_array_equal(generate_spiral_data(20, 1, seed=np.random.default_rng(0)), a)
    np.testing.assert_array_equal(generate_spiral_data(20, 1, 2, 0), a)  # the tutorial's noise is the default
    np.testing.assert_array_equal(generate_spiral_data(1, 3, noise=0), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 1), ValueError, "`num_points` must be an int >= 1, got 0"),
        ((1.5, 1), TypeError, "`num_points` must be an int >= 1, got 1.5"),
        ((5, math.nan), ValueError, "`num_turns` must be a finite number, got nan"),
        ((5, "3"), TypeError, "`num_turns` must be a finite number, got '3'"),
        ((5, 1, -1), ValueError, "`noise` must be a finite number >= 0, got -1"),
        ((5, 1, 2, -1), ValueError, "`seed` must be an int >= 0, a Generator or None, got -1"),
        ((5, 1, 2, "a"), ValueError, "`seed` must be an int >= 0, a Generator or None, got 'a'"),
    ],
)
def test_spiral_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        generate_spiral_data(*arguments)


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 3),
    st.sampled_from([np.float64, np.float32, np.int16, bool]),
)
def test_windows_against_a_loop(extra, length, hop, horizon, dtype):
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(length + horizon + e, 2)).astype(dtype) for e in extra]
    expected_x, expected_y = [], []
    for values in series:
        start = 0
        while start + horizon + length <= len(values):
            expected_x.append(values[start : start + length])
            expected_y.append(values[start + horizon : start + horizon + length])
            start += hop
    x, y = windows(series, length, hop, horizon)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)
    assert x.dtype == y.dtype == dtype
    for array in (x, y):
        assert array.flags.c_contiguous and not any(np.shares_memory(array, values) for values in series)


def test_windows_of_one_and_of_several():
    series = np.arange(24.0).reshape(2, 6, 2)
    one, several, listed = windows(series[0], 3), windows(series, 3), windows(list(series), 3)
    assert one[0].shape == (3, 3, 2) and several[0].shape == (6, 3, 2)
    for k in range(2):
        np.testing.assert_array_equal(several[k][:3], one[k])
        np.testing.assert_array_equal(several[k], listed[k])


def test_windows_of_the_tutorial():
    """Its 496 training windows are ours but the last."""
    points = generate_spiral_data(500, 3, seed=0)
    inputs, targets = points[:-1], points[1:]
    count = max(1, len(inputs) - 3)
    x, y = windows(points, 3)
    assert len(x) == count + 1 == 497
    np.testing.assert_array_equal(x[:-1], [inputs[i : i + 3] for i in range(count)])
    np.testing.assert_array_equal(y[:-1], [targets[i : i + 3] for i in range(count)])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((3, 1)), 3), ValueError, r"at least length \+ horizon = 4 points each, got 3 in series 0"),
        (([np.ones((4, 1)), np.ones((2, 1))], 3), ValueError, "= 4 points each, got 2 in series 1"),
        (
            ([np.ones((4, 1)), np.ones((4, 2))], 3),
            ValueError,
            r"`series\[1\]` must be \(T, 1\) like the first, got shape",
        ),
        (([np.ones((4, 1)), np.ones(4)], 3), ValueError, r"`series\[1\]` must be \(T, I\), got shape \(4,\)"),
        (
            (np.ones(5), 3),
            ValueError,
            r"`series` must be \(T, I\), \(n, T, I\) or a list .*, got shape \(5,\)",
        ),
        ((np.ones((0, 5, 1)), 3), ValueError, "`series` must have at least one series, got none"),
        ((np.ones((5, 1)), 0), ValueError, "`length` must be an int >= 1, got 0"),
        ((np.ones((5, 1)), 2.0), TypeError, "`length` must be an int >= 1, got 2.0"),
        ((np.ones((5, 1)), 2, 0), ValueError, "`hop` must be an int >= 1, got 0"),
        ((np.ones((5, 1)), 2, 1, -1), ValueError, "`horizon` must be an int >= 0, got -1"),
        ((np.full((5, 1), "a"), 2), TypeError, "`series` must be real numbers, got dtype <U1"),
        (([np.ones((5, 1)) * 1j], 2), TypeError, r"`series\[0\]` must be real numbers, got dtype complex128"),
    ],
)
def test_windows_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        windows(*arguments)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any),
    st.booleans(),
    st.sampled_from([0.0, -1, 7]),
)
def test_pad_against_a_loop(lengths, flat, value):
    shape = () if flat else (3,)
    sequences = [np.full((n, *shape), k + 10) for k, n in enumerate(lengths)]
    x, got_lengths = pad(sequences, value)
    assert got_lengths.tolist() == lengths and got_lengths.dtype == np.intp
    assert x.shape == (len(lengths), max(lengths), *shape) and x.dtype == sequences[0].dtype
    for b, n in enumerate(lengths):
        assert (x[b, :n] == b + 10).all() and (x[b, n:] == value).all()


def test_pad_dtypes():
    assert pad([np.ones((2, 1), np.float32), np.ones((1, 1), np.float32)])[0].dtype == np.float32
    assert pad([np.ones(2, np.float32), np.ones(1)])[0].dtype == np.float64
    assert pad([[1, 2], []])[0].dtype.kind == "i"  # the empty list, float64 to NumPy, decides nothing
    assert pad([[True], [False, True]])[0].dtype == bool
    x, _ = pad([np.ones((1, 2)), np.ones((2, 2))], value=np.nan)
    assert np.isnan(x[0, 1]).all()


@pytest.mark.parametrize(
    ("sequences", "value", "error", "message"),
    [
        (None, 0, TypeError, "`sequences` must be a list of arrays, got NoneType None"),
        (3, 0, TypeError, "`sequences` must be a list of arrays, got int 3"),
        ("ab", 0, TypeError, "`sequences` must be a list of arrays, got str 'ab'"),
        ([], 0, ValueError, "`sequences` must have at least one element, got no sequence"),
        ([[], []], 0, ValueError, "`sequences` must have at least one element, got 2 of length 0"),
        (np.ones(3), 0, ValueError, r"`sequences` must be a list of arrays, got an array of shape \(3,\)"),
        (
            [np.ones((2, 3)), np.ones((2, 4))],
            0,
            ValueError,
            r"`sequences\[1\]` must be \(T, 3\) like the first",
        ),
        ([np.ones((2, 3)), np.ones(2)], 0, ValueError, r"`sequences\[1\]` must be \(T, 3\) like the first"),
        (
            [np.ones((2, 3, 4))],
            0,
            ValueError,
            r"`sequences\[0\]` must be \(T,\) or \(T, I\), got shape \(2, 3, 4\)",
        ),
        ([1.0, 2.0], 0, ValueError, r"`sequences\[0\]` must be \(T,\) or \(T, I\), got shape \(\)"),
        ([[[1, 2], [3]]], 0, ValueError, r"`sequences\[0\]` must be a regular array of real numbers, got a ragged"),
        ([["a"]], 0, TypeError, r"`sequences\[0\]` must be real numbers, got dtype <U1"),
        ([[1, 2]], 0.5, ValueError, "`value` must be a value of dtype int.*, got 0.5"),
        ([[1, 2]], np.nan, ValueError, "`value` must be a value of dtype int.*, got nan"),
        ([np.array([1], np.uint8)], -1, ValueError, "`value` must be a value of dtype uint8, got -1"),
        ([[1.0]], "a", ValueError, "`value` must be one real number, got 'a'"),
    ],
)
def test_pad_refuses(sequences, value, error, message):
    with pytest.raises(error, match=message):
        pad(sequences, value)


def test_pad_to_a_number_of_steps():
    x, lengths = pad([[1, 2], [3]], steps=4)
    assert x.tolist() == [[1, 2, 0, 0], [3, 0, 0, 0]] and lengths.tolist() == [2, 1]
    for steps, error, words in (
        (1, ValueError, "`steps` must be at least the length of the longest, 2, got 1"),
        (2.0, TypeError, "`steps` must be an int >= 1, got 2.0"),
    ):
        with pytest.raises(error, match=words):
            pad([[1, 2], [3]], steps=steps)


@pytest.mark.filterwarnings("ignore:ltc_np. .times.* has equal times")  # beside steps as small as a rounding
@example([[0.0, 0.0, 5e-324]], False)
@given(st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=5), min_size=1, max_size=4), st.booleans())
def test_dt_adds_up_to_the_times(steps, given_start):
    times = [np.cumsum(row) for row in steps]
    t0 = np.arange(len(times)) - 20.0 if given_start else None
    dt = dt_from_times(times, t0)
    assert dt.dtype == np.float64 and dt.shape == (len(times), max(map(len, times))) and (dt >= 0).all()
    for b, row in enumerate(times):
        n = len(row)
        start = t0[b] if given_start else row[0] - (row[1] - row[0] if n > 1 else 1.0)
        # times up to 50, six roundings
        np.testing.assert_allclose(start + np.cumsum(dt[b, :n]), row, rtol=0, atol=1e-13)
        assert not dt[b, n:].any()
        np.testing.assert_array_equal(dt_from_times(row, None if t0 is None else t0[b]), dt[b, :n])


def test_dt_of_a_batch():
    times = np.array([[0.0, 1.0, 3.0], [5.0, 5.0, 5.5]])
    assert dt_from_times(times).tolist() == [[1.0, 1.0, 2.0], [0.0, 0.0, 0.5]]
    assert dt_from_times(times, t0=-1).tolist() == [[1.0, 1.0, 2.0], [6.0, 0.0, 0.5]]
    assert dt_from_times(times, t0=[0, 2]).tolist() == [[0.0, 1.0, 2.0], [3.0, 0.0, 0.5]]
    assert dt_from_times(np.array([[3.0], [4.0]])).tolist() == [[1.0], [1.0]]
    assert dt_from_times([[1.0, 2.0], []]).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert dt_from_times(np.array([7])).tolist() == [1.0]


def test_dt_keeps_digits():
    stamps = 1_700_000_000_000_000_000 + np.array([0, 1, 3])  # nanoseconds: float64 knows multiples of 256
    assert dt_from_times(stamps).tolist() == [1.0, 1.0, 2.0]
    assert dt_from_times(stamps, t0=1_699_999_999_999_999_995).tolist() == [5.0, 1.0, 2.0]
    assert dt_from_times(stamps + 1, t0=1.7e18).tolist() == [1.0, 1.0, 2.0]  # a float that is whole, too
    small = np.array([0.1, 16.0], np.float32)  # the difference is no float32
    assert dt_from_times(small).tolist() == [float(small[1]) - float(small[0])] * 2


def test_dt_of_times_that_were_rounded():
    seconds = 1_700_000_000 + np.arange(0, 600, 30)
    with pytest.warns(
        RuntimeWarning, match="`times` has equal times, and numbers of this dtype and size are 128 apart"
    ):
        assert dt_from_times(seconds.astype(np.float32)).max() == 128
    assert (dt_from_times(seconds.astype(float)) == 30).all()
    assert dt_from_times(np.array([0, 1, 1, 2.5], np.float32)).tolist() == [1, 1, 0, 1.5]  # two at once are no mistake
    assert dt_from_times(np.full(3, 5, np.float32)).tolist() == [0, 0, 0]
    far = np.float32(2**30) + 128 * np.array([0, 0, 64], np.float32)  # steps of 64 roundings are the longest suspected
    with pytest.warns(RuntimeWarning, match="has equal times"):
        assert dt_from_times(far)[-1] == 64 * 128
    assert dt_from_times(far + np.array([0, 0, 128], np.float32))[-1] == 65 * 128


def test_integers_of_64_bits_do_not_wrap_around():
    widest = np.array([-(2**63), 2**63 - 1])
    assert dt_from_times(widest).tolist() == [2.0**64, 2.0**64]
    unsigned = np.array([2, 2**63 + 2048, 2**64 - 2048], np.uint64)
    assert dt_from_times(unsigned, t0=np.uint64(1)).tolist() == [1.0, 2.0**63 + 2046, 2.0**63 - 4096]
    assert dt_from_times(unsigned[1:], t0=unsigned[1] - np.uint64(5)).tolist() == [5.0, 2.0**63 - 4096]


@pytest.mark.parametrize(
    ("times", "t0", "error", "message"),
    [
        ([1.0, 3.0, 2.0], None, ValueError, "`times` must not decrease, got 2.0 after 3.0 at 2"),
        (
            [[0.0, 1.0], [2.0, 1.0]],
            None,
            ValueError,
            r"`times\[1\]` must not decrease, got 1.0 after 2.0 at 1",
        ),
        (np.array([3, 2], np.uint8), None, ValueError, "`times` must not decrease, got 2 after 3 at 1"),
        (
            [0.0, -1.5e308, 1.5e308],
            None,
            ValueError,
            "`times` must not decrease, got -1.5e.308 after 0.0 at 1",
        ),
        (
            [-1.5e308, 1.5e308],
            None,
            ValueError,
            r"`times` must have differences that float64 holds, got 1.5e\+308 after -1.5e\+308: take a coarser unit",
        ),
        ([1.5e308], -1.5e308, ValueError, r"`times` must have differences that float64 holds, got 1.5e\+308 after -1"),
        ([1.0, np.nan, np.inf], None, ValueError, "`times` must be finite, got nan at 1"),
        ([[1.0], [1.0, np.inf]], None, ValueError, r"`times\[1\]` must be finite, got inf at 1"),
        ([1.0, 2.0], 1.5, ValueError, r"`t0` must be at most `times\[0\]` = 1.0, got 1.5"),
        ([1.0, 2.0], np.nan, ValueError, "`t0` must be finite, got nan"),
        ([1.0, 2.0], [1.0], ValueError, r"`t0` must be a number, got shape \(1,\)"),
        (np.ones((2, 3)), np.ones(3), ValueError, r"`t0` must be a number or \(2,\), got shape \(3,\)"),
        ([], None, ValueError, "`times` must have at least one observation, got none"),
        (np.ones((2, 0)), None, ValueError, "`times` must have at least one observation, got none"),
        ([[], []], None, ValueError, "`times` must have at least one observation, got none"),
        (
            np.ones((2, 3, 1)),
            None,
            ValueError,
            r"`times` must be \(T,\), \(B, T\) or a list .*, got shape \(2, 3, 1\)",
        ),
        ([[[1.0]], [[1.0]]], None, ValueError, r"`times\[0\]` must be \(T,\), got shape \(1, 1\)"),
        (
            np.array(["2020-01-01"], "M8[D]"),
            None,
            TypeError,
            '`unit` must be given with dates, such as unit="h"',
        ),
        ([1.0], "now", TypeError, "`t0` must be real numbers, got dtype <U3"),
    ],
)
def test_dt_refuses(times, t0, error, message):
    with pytest.raises(error, match=message):
        dt_from_times(times, t0)


DAY = datetime(2024, 2, 28, 6)
DAYS = ["2024-02-28T06:00:00", "2024-02-29T00:00:00", "2024-03-01T12:00:00.5"]
HOURS = [18.0, 18.0, 36 + 0.5 / 3600]


def dated(form):
    """The same times in a form of NumPy, Python or pandas."""
    if form.startswith("pandas"):
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        index = pandas.DatetimeIndex(np.array(DAYS, "M8[ns]"))
        zoned = index.tz_localize("UTC").tz_convert("Asia/Tokyo")
        forms = {"index": index, "series": pandas.Series(index), "zoned": zoned, "zoned series": pandas.Series(zoned)}
        forms |= {"stamps": list(index), "durations": index - index[0]}
        return forms[form.removeprefix("pandas ")]
    python = [datetime.fromisoformat(day.ljust(26, "0") if "." in day else day) for day in DAYS]
    away = timezone(timedelta(hours=-5))
    forms = {
        "numpy": np.array(DAYS, "M8[ms]"),
        "durations": np.array(DAYS, "M8[us]") - np.datetime64("1600-01-01"),
        "list": python,
        "objects": np.array(python),
        "zoned": [
            python[0].replace(tzinfo=timezone.utc),
            *(t.replace(tzinfo=timezone.utc).astimezone(away) for t in python[1:]),
        ],
        "timedeltas": [t - python[0] for t in python],
    }
    return forms[form]


FORMS = ["numpy", "durations", "list", "objects", "zoned", "timedeltas"]
FORMS += [f"pandas {form}" for form in ("index", "series", "zoned", "zoned series", "stamps", "durations")]


@pytest.mark.parametrize("form", FORMS)
def test_dt_from_dates(form):
    times = dated(form)
    assert dt_from_times(times, unit="h").tolist() == HOURS
    assert dt_from_times(times, unit=timedelta(days=2)).tolist() == pytest.approx([h / 48 for h in HOURS], rel=1e-15)
    assert dt_from_times([times, times[:1]], unit="s").tolist() == [[64800.0, 64800.0, 129600.5], [1.0, 0, 0]]
    assert dt_from_times(times, t0=times[0], unit=np.timedelta64(90, "m"))[0] == 0.0


def test_dt_from_dates_is_exact():
    """Nanoseconds since 1970 are subtracted as whole numbers, and a batch may begin at times of its own."""
    times = np.array([["2024-01-01T00:00:00.000000001", "2024-01-01T00:00:00.000000004"]] * 2, "M8[ns]")
    t0 = [np.datetime64("2024-01-01"), np.datetime64("2023-12-31")]
    wanted = [[1.0, 3.0], [86400e9 + 1, 3.0]]
    assert dt_from_times(times, t0=t0, unit=np.timedelta64(1, "ns")).tolist() == wanted


def test_dt_from_dates_of_pandas_keeps_nanoseconds():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    one = np.timedelta64(1, "ns")
    for of in (pandas.Timestamp, pandas.Timedelta):
        assert dt_from_times([of(1), of(900)], unit=one).tolist() == [899.0, 899.0]
    far = pandas.Series(np.array(["2262-04-11", "2262-04-13"], "M8[s]"))  # nanoseconds end between these
    assert dt_from_times(far, np.datetime64("1600-01-01"), unit="d").tolist() == [241891.0, 2.0]
    assert dt_from_times(far.dt.tz_localize("Asia/Tokyo"), unit="d").tolist() == [2.0, 2.0]
    for known, gone in ((pandas.Timestamp(0), pandas.NaT), (pandas.Timedelta(0), pandas.NaT), (DAY, None)):
        with pytest.raises(ValueError, match="`times` must be finite, got NaT"):
            dt_from_times([known, gone], unit="h")


def test_dt_of_dates_refuses():
    days = np.array(DAYS, "M8[s]")
    nat = days.copy()
    nat[1] = "NaT"
    for times, t0, unit, message in (
        (days[::-1], None, "h", "`times` must not decrease, got 2024-02-29T00:00:00 after 2024-03-01T12:00:00 at 1: s"),
        (days, days[1], "h", r"`times\[0\]` = 2024-02-28T06:00:00, got 2024-02-29T00:00:00$"),
        (days - days[2], days[1] - days[2], "h", r"`times\[0\]` = -194400 seconds, got -129600 seconds$"),
        (nat, None, "h", "`times` must be finite, got NaT: leave out observations without a time"),
        (days, np.datetime64("NaT", "s"), "h", "`t0` must be finite, got NaT: give a date"),
        (days, None, "week", "`unit` must be 's', 'min', 'h', 'd', or a duration > 0 .* got 'week'"),
        (days, None, 3600, "`unit` must be .* got 3600"),
        (days, None, -np.timedelta64(1, "h"), "`unit` must be"),
        ([1.0, 2.0], None, "h", "`unit` must be left out of times that are numbers, got 'h'"),
        ([days, [1.0, 2.0]], None, "h", "`unit` must be left out of times that are numbers"),
        (days.reshape(1, 1, 3), None, "h", "`times` must be"),
        (days, None, np.timedelta64(1, "M"), r"`unit` must be .* got (np|numpy)\.timedelta64"),
        (np.array([1, 2], "m8[M]"), None, "h", r"durations must be in weeks or shorter units, .* got timedelta64\[M\]"),
        (np.array(DAYS, "M8[ns]"), np.datetime64("1400"), "h", r"must fit into datetime64\[ns\], got 1400-01-01"),
        ([DAY, DAY.replace(tzinfo=timezone.utc)], None, "h", "dates must all have a time zone, or none of them"),
    ):
        with pytest.raises(ValueError, match=message):
            dt_from_times(times, t0, unit)
    for times, t0 in ((days, 0.0), (days, np.timedelta64(1, "h"))):
        with pytest.raises(TypeError, match="must be"):
            dt_from_times(times, t0, "h")
    for zone, other in ((timezone.utc, None), (None, timezone.utc)):
        with pytest.raises(TypeError, match="`times` and `t0` must both have a time zone, or both have none"):
            dt_from_times([DAY.replace(tzinfo=zone)], DAY.replace(tzinfo=other), "h")
    with pytest.raises(TypeError, match="got '2024-01-01' for `t0`: pandas.Timestamp"):
        dt_from_times(days, "2024-01-01", "h")


@pytest.mark.parametrize("unit", [None, "h"])
def test_dt_of_text_and_periods_says_what_makes_dates(unit):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    periods = pandas.period_range("2024-01", periods=3, freq="M")
    for times, got in (
        (DAYS, "text: pandas.to_datetime"),
        ([DAYS, DAYS[:1]], "text: pandas.to_datetime"),
        (np.array(DAYS, object), "text: pandas.to_datetime"),
        (pandas.Series(DAYS), "text: pandas.to_datetime"),
        (periods, "periods: times.to_timestamp"),
    ):
        with pytest.raises(TypeError, match=f"`times` must be real numbers, dates or durations, got {got}"):
            dt_from_times(times, unit=unit)


def test_dt_of_a_frame_of_one_column():
    """Its rows are sequences, as those of an array are; whoever has taken ``frame[["time"]]`` for a series hears it."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"time": pandas.to_datetime(DAYS, format="ISO8601")})
    with pytest.warns(RuntimeWarning, match=r"each row of the frame `times` is .*: give .* times.iloc\[:, 0\]"):
        assert dt_from_times(frame, unit="h").tolist() == [[1.0]] * 3
    assert dt_from_times(frame.iloc[:, 0], unit="h").tolist() == HOURS
    assert dt_from_times(frame.to_numpy(), unit="h").tolist() == [[1.0]] * 3
    assert dt_from_times(frame.iloc[:1], unit="h").tolist() == [[1.0]]
    assert dt_from_times(frame.T, unit="h").tolist() == [HOURS]


def test_all_public_names_exist():
    assert all(hasattr(data, name) for name in data.__all__)
