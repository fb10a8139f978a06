"""What is a date or a duration; tests/data/test_data.py goes through all forms of them."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from ltc_np.base import dates


@pytest.mark.parametrize(
    "values",
    [
        1.0,
        [1, 2],
        np.arange(3),
        ["2024-01-01"],
        [date(2024, 1, 1), 1.0],
        [timedelta(1), date(2024, 1, 1)],
        [],
        [[1], [2, 3]],
        None,
    ],
)
def test_what_is_none(values):
    assert dates.array(values) is None


def test_days_are_midnights():
    found = dates.array([date(2024, 2, 29), datetime(2024, 3, 1, 12)])
    assert found.astype(str).tolist() == ["2024-02-29T00:00:00.000000", "2024-03-01T12:00:00.000000"]
    assert dates.array(np.datetime64("2024-02-29")).dtype == "M8[s]"
    assert dates.array([[timedelta(seconds=1)]]).tolist() == [[timedelta(seconds=1)]]


def test_units():
    for word, seconds in (("s", 1), ("min", 60), ("h", 3600), ("d", 86400)):
        assert dates.duration("unit", word) == np.timedelta64(seconds, "s") and dates.UNITS[word] == seconds
    for wrong in ("H", None, 1.0, timedelta(0), np.timedelta64("NaT", "s"), [timedelta(1)], date(2024, 1, 1)):
        with pytest.raises(ValueError, match="`unit` must be 's', 'min', 'h', 'd', or a duration > 0"):
            dates.duration("unit", wrong)
