"""Long tables of observations: their forms, and what is refused."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from ltc_np.sklearn import points

NAMES = ("id", "time", "channel", "value")
TABLE = {"id": ["a", "a", "b"], "time": [0.5, 1, 2], "channel": [0, 1, 0], "value": [3, 4.5, -1]}


def read(table, values=True, columns=NAMES):
    return points.read("past", table, columns, values=values)


def plain(found):
    return [None if part is None else list(part) for part in found[:4]]


def test_forms():
    wanted = [["a", "a", "b"], [0.5, 1.0, 2.0], [0, 1, 0], [3.0, 4.5, -1.0]]
    assert plain(read(TABLE)) == plain(read(tuple(TABLE.values()))) == wanted
    assert plain(read(TABLE, False)) == plain(read(tuple(TABLE.values())[:3], False)) == [*wanted[:3], None]
    assert plain(read({"time": [1, 2], "value": [3, 4]})) == [[0, 0], [1, 2], [0, 0], [3.0, 4.0]]
    assert plain(read({"t": [1], "v": [3]}, columns=("i", "t", "c", "v"))) == [[0], [1], [0], [3.0]]
    pd = pytest.importorskip("pandas")
    assert plain(read(pd.DataFrame(TABLE))) == wanted


def test_times():
    dates = read({"time": np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"), "value": [1, 2]})
    assert dates.dated and np.diff(dates.time).tolist() == [86400 * 10**9]
    whole = read({"time": [1_700_000_000_000_000_001, 1_700_000_000_000_000_003], "value": [1, 2]})
    assert not whole.dated and np.diff(whole.time).tolist() == [2]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (
            5,
            TypeError,
            r"`past` must be a frame or a dict of columns, or a tuple of arrays \(id, time, channel, value\)",
        ),
        (([1], [2]), TypeError, "`past` must be a frame"),
        ({"id": [1], "value": [2]}, ValueError, "`past` must have a column `time`, got id, value: `columns` says"),
        ({"time": [1], "val": [2]}, ValueError, "`past` must have a column `value`, got time, val"),
        ({"time": [], "value": []}, ValueError, "`past` must have at least one row, got none"),
        ({"time": [1, np.nan], "value": [2, 3]}, ValueError, r"`past\['time'\]` must be a finite number in .* row 1"),
        ({"time": [1, 2], "value": [2, np.nan]}, ValueError, r"`past\['value'\]` must be a finite number in .* row 1"),
        ({"time": [1, 2], "value": [2]}, ValueError, r"columns of one length, got shapes \(1,\) and \(2,\)"),
        ({"time": [1], "value": ["x"]}, TypeError, r"`past\['value'\]` must be real numbers"),
        ({"time": ["x"], "value": [1]}, TypeError, r"`past\['time'\]` must be numbers or dates, got the text 'x'"),
        ({"time": np.array(["NaT"], "datetime64[D]"), "value": [1]}, ValueError, r"`past\['time'\]` must be a date in"),
    ],
)
def test_refused(table, error, message):
    with pytest.raises(error, match=message):
        read(table)


def test_columns_that_only_one_table_has():
    past, asked = read(TABLE), read({"time": [1]}, False)
    with pytest.raises(ValueError, match="`asked` must have a column `id` as `past` has, got none: .* which series"):
        points.refuse_unlike(past, asked, NAMES)
    with pytest.raises(ValueError, match="`past` must have a column `id` as `asked` has"):
        points.refuse_unlike(asked, past, NAMES)
    with pytest.raises(ValueError, match="`asked` must have a column `channel` as `past` has"):
        points.refuse_unlike(past, read({"time": [1], "id": ["a"]}, False), NAMES)
    points.refuse_unlike(past, past.some([0]), NAMES)
    assert points.missing_in(past, read((["b", "z", "a"], [1, 2, 3], [0, 0, 0]), False)) == ["z"]


def test_how_late_a_question_is():
    past = read((["b", "a", "a"], [9, 2, 1], [0] * 3, [0.0] * 3))
    found = points.leads(past, read((["a", "z", "b"], [5, 5, 5], [0] * 3), False))
    assert found.tolist()[::2] == [3.0, -4.0] and np.isnan(found[1])
    assert (points.told(1.5, False), points.told(5.4e12, True)) == ("1.5", "1:30:00")
