"""Pieces of irregular series: what is seen, hidden and asked in each, and what is held out."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from ltc_np.sklearn import IrregularForecaster, pieces, points, rivals
from ltc_np.sklearn.irregular import COLUMNS


def observed(rng, series, n=40, dates=False):
    time = np.sort(rng.uniform(0, 10, (series, n)), axis=1)
    if dates:
        time = np.datetime64("2024-01-01", "ns") + (time * 3.6e12).astype(np.int64)
    ids = np.repeat(np.arange(series), n)
    rows = ids, time.ravel(), rng.integers(0, 2, series * n), rng.normal(size=series * n)
    return points.read("past", rows, COLUMNS, values=True)


def rows_of(table):
    return list(zip(table.series, table.time, table.channel, table.value, strict=True))


def by_series(table):
    found = {}
    for name, *row in rows_of(table):
        found.setdefault(name, []).append(tuple(row))
    return found


def test_copies_see_less_and_are_asked_what_comes_after(rng):
    every = observed(rng, 30)
    late = every.time > 7
    past, asked = every.some(~late), every.some(late)
    seen, wanted = pieces.with_copies(past, asked, 2, np.random.RandomState(0))
    n, m = len(past.time), len(asked.time)
    assert rows_of(seen)[:n] == rows_of(past) and rows_of(wanted)[:m] == rows_of(asked)
    own_past, own_asked = by_series(past), by_series(asked)
    of_seen, of_wanted = by_series(seen), by_series(wanted)
    shares = []
    for name in own_asked:
        for k in (1, 2):
            here, questions = of_seen.get((pieces.COPY, name, k), []), of_wanted[pieces.COPY, name, k]
            assert set(here) <= set(own_past[name]) and set(questions) <= {*own_past[name], *own_asked[name]}
            assert set(own_asked[name]) <= set(questions) and not set(here) & set(questions)
            added = [row[0] for row in set(questions) - set(own_asked[name])]
            first, last = own_past[name][0][0], own_past[name][-1][0]
            assert added and min(added) > first + (last - first) * pieces.EARLIEST
            assert not here or max(row[0] for row in here) < min(added)
            before = [row for row in own_past[name] if row[0] < min(added)]
            shares.append(1 - len(here) / len(before))
    assert 0.15 < np.mean(shares) < 0.35 and max(shares) < 0.75  # a share that is uniform up to a half, and chance
    assert pieces.with_copies(past, asked, 0, np.random.RandomState(0))[0].time.tolist() == past.time.tolist()


@pytest.mark.parametrize(("series", "dates"), [(30, False), (3, False), (30, True)])
def test_pieces_end_at_an_observation_and_ask_for_the_horizon(rng, series, dates):
    past = observed(rng, series, dates=dates)
    horizon = 2 * 3.6e12 if dates else 2.0
    own = by_series(past)
    seen, asked = pieces.cut(past, horizon, 2, np.random.RandomState(0))
    of_seen, of_asked = by_series(seen), by_series(asked)
    assert len(of_asked) >= 0.8 * pieces.PIECES
    ends, whole = [], 0
    for (_, name, k), questions in of_asked.items():
        here = of_seen.get((pieces.COPY, name, k), [])
        first = min(row[0] for row in questions)
        end = max(row[0] for row in own[name] if row[0] < first)
        assert set(questions) == {row for row in own[name] if end < row[0] <= end + horizon}
        before = {row for row in own[name] if row[0] <= end}
        assert set(here) <= before
        whole += set(here) == before
        if k % pieces.WHOLE == 0:
            assert set(here) == before
            ends.append(float(end - own[name][0][0]) / float(own[name][-1][0] - own[name][0][0]))
    assert np.ptp(ends) > 0.7 and 0.3 < whole / len(of_asked) < 0.6


def test_what_is_held_out_is_of_other_series_or_of_a_later_time(rng):
    past = observed(rng, 30)
    (rest, none), (seen, asked) = pieces.held_out(past, 2.0, 0.2, np.random.RandomState(0))
    assert none is None and len(set(rest.series)) == 24
    others = {name for _, name, _ in asked.series} | {name for _, name, _ in seen.series}
    assert others == set(past.series) - set(rest.series)
    counts = np.bincount([k for _, _, k in by_series(asked)])
    assert len(counts) == -(-pieces.PIECES // 30) and counts.max() == 6  # as many of each as are learned from
    few = observed(rng, 3)
    (rest, _), (seen, asked) = pieces.held_out(few, 2.0, 0.2, np.random.RandomState(0))
    for name, rows in by_series(few).items():
        border = rows[0][0] + 0.8 * (rows[-1][0] - rows[0][0])
        assert by_series(rest)[name] == [row for row in rows if row[0] <= border]
        assert min(row[0] for (_, own, _), q in by_series(asked).items() if own == name for row in q) > border
        assert max(row[0] for (_, own, _), q in by_series(seen).items() if own == name for row in q) > border


@pytest.mark.parametrize("series", [1, 9, 10, 19, 20, 24, 133, 134, 500])
def test_the_number_of_pieces_has_no_jump(series):
    assert pieces.PIECES <= series * pieces._count(series, 2) <= pieces.PIECES + 3 * series
    assert pieces._count(series, 2) == (3 if series > 133 else -(-400 // series))


def test_names_of_copies_are_no_names_of_series(rng):
    """Whatever the names of a user's series are."""
    past = observed(rng, 3)
    names = np.empty(len(past.series), object)
    names[:] = [{0: "a", 1: ("a", 1), 2: ("a", 2)}[name] for name in past.series]
    past = past._replace(series=names)
    late = past.time > 7
    seen, wanted = pieces.with_copies(past.some(~late), past.some(late), 2, np.random.RandomState(0))
    assert len({*seen.series, *wanted.series}) == 9


@pytest.mark.slow
def test_a_forecaster_without_questions(rng):
    """One long series; what is older than four horizons is not read."""
    time = np.cumsum(rng.exponential(1, 600))
    table = {"time": time, "value": np.sin(time / 3)}
    forecaster = IrregularForecaster(horizon=5.0, units=16, random_state=0, epochs=20).fit(
        {name: column[:500] for name, column in table.items()}
    )
    past = {name: column[:540] for name, column in table.items()}
    question = {"time": time[540:][time[540:] < time[539] + 5]}
    found = forecaster.predict(past, question)
    assert np.abs(found - np.sin(question["time"] / 3)).mean() < 0.3
    assert forecaster.predict_interval(past, question).shape == (len(found), 2)
    recent = time[:540] >= time[539] - 20
    assert forecaster.frame_.history == 20
    np.testing.assert_array_equal(
        forecaster.predict({name: column[recent] for name, column in past.items()}, question), found
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "`horizon` must say how far ahead questions will be where `asked` is left out, got None"),
        ({"horizon": 0}, "`horizon` must be > 0|`horizon` must"),
        ({"horizon": 1.0, "copies": -1}, "`copies` must"),
        ({"horizon": 1.0, "history": 0}, "`history` must"),
    ],
)
def test_errors(rng, settings, words):
    past = observed(rng, 3)
    with pytest.raises(ValueError, match=words):
        IrregularForecaster(**settings).fit(past)
    with pytest.raises(TypeError, match="`horizon` must be a timedelta where times are dates"):
        IrregularForecaster(horizon=3).fit(observed(rng, 3, dates=True))
    assert points.span("horizon", np.timedelta64(2, "h"), True) == 7.2e12


@pytest.mark.parametrize("series", [1, 3, 30])
def test_series_without_a_pair_of_observations(series):
    """All at one time, or one observation in each: there is no question."""
    ids, time = np.repeat(np.arange(series), 2), np.tile([0.0, 99.0], series)
    with pytest.raises(ValueError, match="`past` must have series in which an observation comes within `horizon`, 1"):
        IrregularForecaster(horizon=1).fit((ids, time, np.zeros(2 * series), time))


def test_rivals_know_no_more_than_a_network():
    """What comes after a question is not known to its answer; nor need rows be in order."""
    past = points.read("p", ([0] * 3, [2.0, 0.0, 1.0], [0] * 3, [30.0, 1.0, 2.0]), COLUMNS, values=True)
    known = points.read("k", ([9], [0.0], [0], [5.0]), COLUMNS, values=True)
    asked = points.read("q", ([0] * 3, [1.5, 1.0, 3.0], [0] * 3), COLUMNS, values=False)
    found = rivals.answers(known, past, asked)
    assert found[rivals.LAST].tolist() == [2.0, 2.0, 30.0] and found[rivals.MEAN].tolist() == [5.0] * 3
    assert found[rivals.LINE].tolist() == pytest.approx([2.5, 2.0, 40.0])


def test_rivals_by_hand():
    known = points.read("k", (["a", "a", "b"], [0.0, 1.0, 0.0], ["x", "x", "y"], [1.0, 3.0, 7.0]), COLUMNS, values=True)
    asked = points.read("q", (["a", "b", "a"], [3.0, 1.0, 1.0], ["x", "x", "y"]), COLUMNS, values=False)
    found = rivals.answers(known, known, asked)
    assert {who: own.tolist() for who, own in found.items()} == {
        rivals.LAST: [3.0, 2.0, 7.0], rivals.MEAN: [2.0, 2.0, 7.0], rivals.LINE: [7.0, 2.0, 7.0],
    }  # fmt: skip


def test_better_is_by_more_than_a_standard_error_over_series():
    """Differences of three series: 1, 1, -1 have the mean 1/3, and its standard error is 2/3; of 1, 1, 0 it is 1/3."""
    series = np.repeat(["a", "b", "c"], 2)
    own = np.array([2.0, 2.0, 2.0, 2.0, 1.0, 1.0])
    for last, wanted in ((2.0, None), (0.9, "rival")):
        rival = np.sqrt(own**2 - [1, 1, 1, 1, 1 - last**2, 1 - last**2])
        found = rivals.squared({"own": own, "rival": rival}, series)
        assert found["rival"].tolist() == pytest.approx([3.0, 3.0, last**2])
        assert rivals.better({"own": own, "rival": rival}, series, "own") == wanted
    assert rivals.better({"own": own, "rival": 2 * own}, series, "own") is None
    assert rivals.better({"own": own, "rival": own / 2}, ["a"] * 6, "own") is None  # of one series nobody knows
