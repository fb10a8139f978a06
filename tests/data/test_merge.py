"""Channels whose clocks differ, as one series: against pandas, and by hand."""

import numpy as np
import pytest

from ltc_np.data import forward_fill, merge

DAYS = np.array(["2024-01-03", "2024-01-01"], "datetime64[D]")


def drawn(rng, n):
    return rng.permutation(rng.choice(1000, n, replace=False)) / 8, rng.normal(size=n)


def test_what_was_seen_last_is_that_of_pandas(rng):
    pd = pytest.importorskip("pandas")
    channels = {name: drawn(rng, n) for name, n in (("a", 40), ("b", 25), ("c", 1))}
    channels["b"][1][3] = np.nan
    merged = merge(channels)
    filled = forward_fill(merged.values, np.diff(merged.times, prepend=merged.times[0]), first=-9.0)
    steps = pd.DataFrame({"time": merged.times})
    for k, (name, (times, values)) in enumerate(channels.items()):
        own = pd.DataFrame({"time": times, "value": values, "seen": times}).dropna().sort_values("time")
        found = pd.merge_asof(steps, own, on="time")
        np.testing.assert_array_equal(filled.values[:, k], found["value"].fillna(-9.0))
        np.testing.assert_array_equal(filled.mask[:, k], (found["seen"] == found["time"]).astype(float), name)


def test_by_hand():
    merged = merge({"x": (DAYS, [1, 2]), 7: (np.array(["2024-01-02T12"], "datetime64[h]"), [np.float32(5)])})
    assert [str(t) for t in merged.times] == ["2024-01-01T00:00:00", "2024-01-02T12:00:00", "2024-01-03T00:00:00"]
    np.testing.assert_array_equal(merged.values, [[2, np.nan], [np.nan, 5], [1, np.nan]])
    assert merged.names == ("x", 7) and merged.values.dtype == np.float64
    late = 1_700_000_000_000_000_001  # which a float64 does not hold
    assert merge({"a": ([late], [1.0]), "b": ([late + 1], [2.0])}).times.tolist() == [late, late + 1]


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [
        ({}, ValueError, "`channels` must be a mapping of at least one channel, got {}"),
        ([([1], [2])], ValueError, "`channels` must be a mapping"),
        ({"a": ([1, 1], [2, 3])}, ValueError, r"`channels\['a'\]` must have each time once, got 1 twice"),
        ({"a": ([1, np.nan], [2, 3])}, ValueError, "must have times that are all known and finite"),
        ({"a": (np.array(["NaT"], "datetime64[D]"), [2])}, ValueError, "must have times that are all known"),
        ({"a": ([1, 2], [2, np.inf])}, ValueError, "values that are finite or NaN"),
        ({"a": ([1], [2, 3])}, ValueError, r"equal length, got \(1,\) and \(2,\)"),
        ({"a": 5}, TypeError, r"must be \(times, values\), got 5"),
        ({"a": ([1], ["x"])}, TypeError, "must be real numbers"),
        ({"a": ([1], [2]), "b": (DAYS, [1, 2])}, TypeError, "dates as times, or all numbers, got both"),
    ],
)
def test_refused(channels, error, message):
    with pytest.raises(error, match=message):
        merge(channels)
