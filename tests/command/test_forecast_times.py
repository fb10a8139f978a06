"""For which time a forecast is."""

import numpy as np
import pytest
from support.tables import SMALL, waves, write_csv

from ltc_np.command import forecast_times, records, tables
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
        ([1, 2, 4], 1, ["2", "4", ""]),
        ([7], 1, [""]),
        ([5, 10], 3, ["20", "25"]),  # of no row
        (["2024-02-27", "2024-02-28"], 2, ["2024-02-29", "2024-03-01"]),
        (["2024-01-31", "2024-02-29", "2024-03-31"], 1, ["2024-02-29", "2024-03-31", ""]),
        (["2024-12-31 12:00:00Z", "2025-01-01 00:00:00Z"], 1, ["2025-01-01 00:00:00Z", "2025-01-01 12:00:00Z"]),
        (["2024-12-31T23:59:59.5", "2025-01-01T00:00:00"], 1, ["2025-01-01T00:00:00", "2025-01-01T00:00:00.500000"]),
    ],
    ids=str,
)
def test_times(here, times, horizon, wanted):
    write(here / "t.csv", times)
    assert later_of("t.csv", horizon) == wanted


def test_groups_have_steps_of_their_own(here):
    write(here / "t.csv", [0, 0, 1, 5, 2, 10, 3], who=list("abababa"))
    assert later_of("t.csv", 2, "who") == ["2", "10", "3", "15", "4", "20", "5"]


def test_numbers_and_dates_in_arrays(here):
    np.savez("t.npz", time=np.array([1.0, 2.0, 4.0]), power=np.zeros(3), heat=np.zeros(3))
    np.testing.assert_array_equal(later_of("t.npz", 1), [2.0, 4.0, np.nan])
    days = np.array(["2024-02-28", "2024-02-29"], "datetime64[D]")
    np.savez("t.npz", time=days, power=np.zeros(2), heat=np.zeros(2))
    assert [str(day) for day in later_of("t.npz", 1)] == ["2024-02-29 00:00:00", "2024-03-01 00:00:00"]


def test_predict_writes_it(here, ltc):
    write_csv(here / "t.csv", waves() | {"time": range(80)})
    assert (
        ltc("train", "t.csv", "--target", "heat", "--time", "time", "--horizon", "2", "--out", "m.npz", *SMALL)[0] == 0
    )
    assert ltc("predict", "m.npz", "t.csv", "--out", "p.csv")[0] == 0
    rows = [line.split(",") for line in (here / "p.csv").read_text().splitlines()]
    assert rows[0] == ["time", "time_of_target", "predicted_heat"]
    assert [row[:2] for row in rows[1:]] == [[str(t), str(t + 2)] for t in range(80)]
