"""For which time a forecast is."""

import numpy as np
import pytest
from support.tables import SMALL, waves, write_csv

from ltc_np.command import forecast_times, records, tables
from ltc_np.command.columns import Column
from ltc_np.command.task import Task


def later_of(path, horizon, group=None):
    table = tables.read(str(path))
    task = Task(features=("power",), target=("heat",), time="time", group=group, horizon=horizon)
    return forecast_times.times(table.columns["time"], records.read(table, task), horizon).tolist()


def write(path, times, **more):
    write_csv(path, {"time": times, "power": range(len(times)), "heat": range(len(times))} | more)


@pytest.mark.parametrize(
    ("times", "horizon", "wanted"),
    [
        ([1700, 1701, 1702], 1, ["1701", "1702", "1703"]),
        ([0.1, 0.2, 0.3], 2, ["0.3", "0.4", "0.5"]),  # 0.3 is no multiple of 0.1 in binary
        (["1700000014.625", "1700000014.875"], 2, ["1700000015.125", "1700000015.375"]),
        ([1700000000000, 1700000060000], 2, ["1700000120000", "1700000180000"]),
        (["1700000000000.0", "1700000060000.0"], 1, ["1700000060000.0", "1700000120000.0"]),
        (["0.0", "0.125", "0.25"], 3, ["0.375", "0.5", "0.625"]),
        (
            [0.1 * k for k in range(6)],
            1,
            ["0.1", "0.2", "0.30000000000000004", "0.4", "0.5", "0.6"],
        ),  # as Python writes
        ([0, 1 / 3, 2 / 3], 3, ["0.9999999999999999", "1.3333333333333332", "1.6666666666666665"]),
        (["1.00", "1.50"], 1, ["1.50", "2.00"]),
        (["1e3", "2e3"], 1, ["2e3", "3000"]),
        (["0e-99999", "1"], 1, ["1", "2"]),
        (["1700000000000000001", "1700000000000000003"], 1, ["1700000000000000003", "1700000000000000005"]),
        ([1, 2, 4], 1, ["2", "4", ""]),
        ([7], 1, [""]),
        ([5, 10], 3, ["20", "25"]),  # of no row
        (["2024-02-27T23:30", "2024-02-27T23:45"], 2, ["2024-02-28T00:00", "2024-02-28T00:15"]),
        (
            ["2024-02-27T12:00:00.750", "2024-02-27T12:00:00.875"],
            1,
            ["2024-02-27T12:00:00.875", "2024-02-27T12:00:01.000"],
        ),
        (["2024-02-27", "2024-02-28"], 2, ["2024-02-29", "2024-03-01"]),
        (["2024-01-31", "2024-02-29", "2024-03-31"], 1, ["2024-02-29", "2024-03-31", "2024-04-30"]),
        (["2024-12-31 12:00:00Z", "2025-01-01 00:00:00Z"], 1, ["2025-01-01 00:00:00Z", "2025-01-01 12:00:00Z"]),
        (["2024-12-31T23:59:59.5", "2025-01-01T00:00:00"], 1, ["2025-01-01T00:00:00", "2025-01-01T00:00:00.5"]),
    ],
    ids=str,
)
def test_times(here, times, horizon, wanted):
    write(here / "t.csv", times)
    assert later_of("t.csv", horizon) == wanted


# Dates at equal steps, or whole months apart, and the three that follow.
CONTINUED = {
    "months of 31 days": (["2023-07-01", "2023-08-01"], ["2023-09-01", "2023-10-01", "2023-11-01"]),
    "month ends": (["2023-04-30", "2023-05-31", "2023-06-30"], ["2023-07-31", "2023-08-31", "2023-09-30"]),
    "ends of short months": (["2023-11-30", "2024-02-29"], ["2024-05-31", "2024-08-31", "2024-11-30"]),
    "the 30th": (["2023-12-30", "2024-01-30", "2024-02-29"], ["2024-03-30", "2024-04-30", "2024-05-30"]),
    "the 29th": (["2023-12-29", "2024-01-29", "2024-02-29"], ["2024-03-29", "2024-04-29", "2024-05-29"]),
    "quarters": (["2023-01-15", "2023-04-15", "2023-07-15"], ["2023-10-15", "2024-01-15", "2024-04-15"]),
    "years": (["2021-03-01", "2022-03-01", "2023-03-01"], ["2024-03-01", "2025-03-01", "2026-03-01"]),
    "ends of February": (["2022-02-28", "2023-02-28"], ["2024-02-29", "2025-02-28", "2026-02-28"]),
    "before 1970": (["1969-11-30", "1969-12-31"], ["1970-01-31", "1970-02-28", "1970-03-31"]),
    "at noon": (["2023-01-31T12:00", "2023-02-28T12:00"], ["2023-03-31T12:00", "2023-04-30T12:00", "2023-05-31T12:00"]),
    "weeks": (["2024-02-19", "2024-02-26"], ["2024-03-04", "2024-03-11", "2024-03-18"]),
    "days": (["2023-12-30", "2023-12-31"], ["2024-01-01", "2024-01-02", "2024-01-03"]),
    "hours": (["2023-12-31T22:00", "2023-12-31T23:00"], ["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T02:00"]),
    "a month and two": (["2023-01-01", "2023-02-01", "2023-04-01"], None),
    "another day": (["2023-01-15", "2023-02-15", "2023-03-16"], None),
    "another day of a long month": (["2023-01-31", "2023-02-28", "2023-03-30"], None),
    "another hour": (["2023-01-15T12:00", "2023-02-15T12:00", "2023-03-15T13:00"], None),
    "workdays": (["2024-01-04", "2024-01-05", "2024-01-08"], None),
    "one": (["2024-01-04"], None),
}


def dates(texts):
    return np.array(texts, "datetime64[us]").astype(np.int64)


@pytest.mark.parametrize("name", CONTINUED)
def test_dates_are_continued(name):
    given, wanted = CONTINUED[name]
    found = forecast_times.continued(dates(given), "us", 3)
    assert (found is None) == (wanted is None)
    if wanted is not None:
        assert found.tolist() == dates(wanted).tolist()


def test_numbers_are_no_months():
    """As numbers the same are microseconds at equal steps, or at none."""
    assert forecast_times.continued(dates(["2023-07-01", "2023-08-01"]), "", 1) == dates(["2023-09-01"])
    assert forecast_times.continued(dates(["2023-01-31", "2023-02-28", "2023-03-31"]), "", 1) is None


def test_a_time_has_the_form_of_the_last_one_of_its_group(here):
    write(here / "t.csv", ["2024-01-01", "2024-01-01T00:00:00", "2024-02-01", "2024-02-01T00:00:00"], who=list("abab"))
    assert later_of("t.csv", 1, "who") == ["2024-02-01", "2024-02-01T00:00:00", "2024-03-01", "2024-03-01T00:00:00"]


def test_dates_with_nine_decimals(here):
    """As NumPy and pandas write them; zeros at the end of all of them are left out."""
    texts = [f"2024-01-01 00:00:00.00000{k}" for k in (1500, 3000, 4500)]
    write(here / "t.csv", texts)
    assert later_of("t.csv", 1) == [*texts[1:], "2024-01-01 00:00:00.000006000"]
    write(here / "t.csv", ["2024-01-01T00:00:00.000000000", "2024-01-01T12:00:00.000000000"])
    assert later_of("t.csv", 1) == ["2024-01-01T12:00:00.000000000", "2024-01-02T00:00:00.000000000"]
    write(here / "t.csv", ["2024-01-01T00:00:00.000000001", "2324-01-01T12:00:00"])
    with pytest.raises(ValueError, match=r"from 1678 to 2261 where one of them has nine decimals, got '2324.*line 3"):
        later_of("t.csv", 1)


def test_dates_that_64_bits_do_not_hold_are_refused():
    column = Column("t", np.array(["300000-01-01", "300001-01-01"], "datetime64[D]"), "in row {}".format)
    with pytest.raises(ValueError, match="must hold dates from -290000 to 290000, got '300000-01-01' in row 0"):
        column.times()


def test_groups_have_steps_of_their_own(here):
    write(here / "t.csv", [0, 0, 1, 5, 2, 10, 3], who=list("abababa"))
    assert later_of("t.csv", 2, "who") == ["2", "10", "3", "15", "4", "20", "5"]


def test_numbers_and_dates_in_arrays(here):
    np.savez("t.npz", time=np.array([1.0, 2.0, 4.0]), power=np.zeros(3), heat=np.zeros(3))
    np.testing.assert_array_equal(later_of("t.npz", 1), [2.0, 4.0, np.nan])
    days = np.array(["2024-02-28", "2024-02-29"], "datetime64[D]")
    np.savez("t.npz", time=days, power=np.zeros(2), heat=np.zeros(2))
    assert [str(day) for day in later_of("t.npz", 1)] == ["2024-02-29", "2024-03-01"]


LATE = 1_700_000_000_000_000_001  # nanoseconds since 1970, of which a float64 has no more than every 256th
DATE = np.datetime64("2023-11-14T22:13:20.123456789")
FAR = np.array(["3000-01-01", "3000-01-02"], "datetime64[D]")
PICOSECONDS = ["1970-01-01T00:00:00.000000003", "1970-01-01T00:00:00.000000006"]
LATEST = np.array(["2260-06-01T00:00:00.000000001", "2261-06-01T00:00:00.000000001"], "datetime64[ns]")
MONTHS = np.array(["2024-01-01T00:00:00.000000001", "2024-02-01T00:00:00.000000001"], "datetime64[ns]")

ARRAYS = {
    "nanoseconds": (np.array([LATE, LATE + 101]), [LATE + 101, LATE + 202]),
    "some nanoseconds": (np.array([LATE, LATE + 101, LATE + 203]), [str(LATE + 101), str(LATE + 203), ""]),
    "some small numbers": (np.array([1, 2, 4], np.int8), [2.0, 4.0, np.nan]),
    "one that its dtype has not": (np.array([254, 255], np.uint8), [255, 256]),
    "float64": (np.array([0.6, 0.7]), [0.7, 0.8]),  # and not 0.7999999999999999
    "float32": (np.array([0.6, 0.7, 0.8], np.float32), [np.float32(0.7), np.float32(0.8), np.float32(0.9)]),
    "dates to the nanosecond": (DATE + 1500 * np.arange(2), [str(DATE + 1500), str(DATE + 3000)]),
    "dates at unequal steps": (DATE + np.array([0, 700, 1500]), [str(DATE + 700), str(DATE + 1500), "NaT"]),
    "dates far away": (FAR, ["3000-01-02", "3000-01-03"]),
    "no later nanoseconds": (LATEST, [str(LATEST[1]), "NaT"]),
    "whole nanoseconds in smaller units": (np.array([0, 3000], "datetime64[ps]"), PICOSECONDS),
    "months to the nanosecond": (MONTHS, [str(MONTHS[1]), "2024-03-01T00:00:00.000000001"]),
    "months": (np.array(["2024-01", "2024-02"], "datetime64[M]"), ["2024-02-01", "2024-03-01"]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_numbers_of_arrays_lose_no_digit(here, name):
    given, wanted = ARRAYS[name]
    np.savez("t.npz", time=given, power=np.zeros(len(given)), heat=np.zeros(len(given)))
    column = tables.read("t.npz").columns["time"]
    task = Task(features=("power",), target=("heat",), time="time", horizon=1)
    found = forecast_times.times(column, records.read(tables.read("t.npz"), task), 1)
    assert [str(t) for t in found] == [str(t) for t in wanted]


def test_predict_writes_it(here, ltc):
    write_csv(here / "t.csv", waves() | {"time": range(80)})
    assert (
        ltc("train", "t.csv", "--target", "heat", "--time", "time", "--horizon", "2", "--out", "m.npz", *SMALL)[0] == 0
    )
    assert ltc("predict", "m.npz", "t.csv", "--out", "p.csv")[0] == 0
    rows = [line.split(",") for line in (here / "p.csv").read_text().splitlines()]
    assert rows[0] == ["time", "time_of_target", "predicted_heat"]
    assert [row[:2] for row in rows[1:]] == [[str(t), str(t + 2)] for t in range(80)]
