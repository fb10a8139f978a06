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


def test_no_time_changes_beside_others():
    """Nothing wraps around, and no two times become one."""
    early, late = 1_700_000_000_000_000_001, 2**63 - 1
    found = merge({"a": (np.array([early, late], np.uint64), [1, 2]), "b": ([early + 1], [3])})
    assert found.times.tolist() == [early, early + 1, late] and found.values[:, 0].tolist()[::2] == [1, 2]
    assert merge({"a": ([1, 2], [1, 2]), "b": ([0.5], [3])}).times.tolist() == [0.5, 1, 2]
    for channels in (
        {"a": ([2**53, 2**53 + 1], [1, 2]), "b": ([0.5], [3])},
        {"a": (np.array([2**64 - 1], np.uint64), [1]), "b": ([-1], [3])},
    ):
        with pytest.raises(
            ValueError, match=r"`channels\['a'\]\[0\]` must hold times that (float|int)64 holds as they"
        ):
            merge(channels)
    years = np.array(["3000-01-01"], "datetime64[D]"), [1]
    with pytest.raises(ValueError, match=r"must fit into datetime64\[ns\], got 3000-01-01.*: take coarser units"):
        merge({"a": years, "b": (np.array(["2024-01-01"], "datetime64[ns]"), [2])})


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
