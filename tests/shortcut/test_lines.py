"""Which line is chosen, what it says of sequences that it is fitted without, and that a model says the same."""

import numpy as np
import pytest

from ltc_np import Line, Model, RandomConvolutions
from ltc_np.shortcut import lines
from ltc_np.shortcut.lines import Sequences


def data(B=30, T=7, every_step=False, seed=0):
    """Sequences of unequal lengths; targets of two numbers with noise."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, T + 1, B)
    x = np.where((np.arange(T) < lengths[:, None])[:, :, None], rng.normal(size=(B, T, 2)), 0)
    y = rng.normal(size=(B, T, 2) if every_step else (B, 2)) + (x if every_step else x.sum(1))
    return Sequences(x, lengths), y


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("reads", [1, 3, "summaries"])
def test_a_model_says_what_the_line_says(reads, every_step, monkeypatch):
    (x, lengths, _), y = sequences, _ = data(every_step=every_step)
    monkeypatch.setattr(lines, "MOST", 500)  # several pieces, and not all sequences in the regression
    found = lines.fit(sequences, y, None, every_step, reads)
    line = Line(2, reads, weight=found.ridge.weight, bias=found.ridge.bias)
    model = Model(line, input_dim=2, dtype="float64", return_sequences=every_step)
    said, want = found.predict(sequences, every_step), model(x, lengths=lengths)
    valid = np.arange(x.shape[1]) < lengths[:, None] if every_step else ...
    np.testing.assert_allclose(said[valid], want[valid], rtol=0, atol=1e-11)


def test_a_model_says_what_convolutions_say(monkeypatch):
    """Their distances are for the longest sequence, their thresholds those of all, and rows are its shares."""
    (x, lengths, _), y = sequences, _ = data(T=20)
    found = lines.fit(sequences, y, None, False, "convolutions")
    longest = RandomConvolutions(2, length=20, input_dim=2)
    assert found.layer == longest and lengths.max() == 20 and found.ridge.weight.shape == (1008, 2)
    np.testing.assert_array_equal(found.thresholds, longest.find_thresholds(x, lengths))
    line = RandomConvolutions(2, length=20, weight=found.ridge.weight, bias=found.ridge.bias)
    model = Model(line, input_dim=2, dtype="float64", return_sequences=False)
    model.buffers["thresholds"] = found.thresholds
    said = found.predict(sequences, False)
    np.testing.assert_allclose(said, model(x, lengths=lengths), rtol=0, atol=1e-11)
    other = y.copy()
    other[4] += 0.01
    apart = np.abs(lines.fit(sequences, other, None, False, "convolutions").left_out - found.left_out).max(1)
    assert apart[4] < 1e-12 and (np.delete(apart, 4) > 1e-7).all()
    monkeypatch.setattr(lines, "MOST", 15 * 1008)  # one in three sequences in the regression
    some = lines.fit(sequences, y, None, False, "convolutions")
    few = lines.fit(sequences.part(slice(None, None, 3)), y[::3], None, False, "convolutions")
    np.testing.assert_array_equal(some.thresholds, found.thresholds)
    assert some.ridge.left_out.shape == few.ridge.left_out.shape == (10, 2)


@pytest.mark.slow
def test_convolutions_are_of_differences_too_where_these_err_less(monkeypatch):
    """The target is made of their shares; of many sequences there are none, which would take long."""
    (x, lengths, _), _ = sequences, _ = data(B=60, T=20)
    both = RandomConvolutions(1, 2016, length=20, differences=True, input_dim=2)
    thresholds = both.find_thresholds(x, lengths)
    y = both.shares(x, lengths, thresholds)[:, 1008:1092].sum(1, keepdims=True)
    found = lines.fit(sequences, y, None, False, "convolutions")
    assert found.layer == both
    np.testing.assert_array_equal(found.thresholds, thresholds)
    line = RandomConvolutions(
        1, 2016, length=20, differences=True, weight=found.ridge.weight, bias=found.ridge.bias, thresholds=thresholds
    )
    model = Model(line, input_dim=2, dtype="float64", return_sequences=False)
    np.testing.assert_allclose(found.predict(sequences, False), model(x, lengths=lengths), rtol=0, atol=1e-11)
    monkeypatch.setattr(lines, "FEW_ENOUGH", 59)
    plain = lines.fit(sequences, y, None, False, "convolutions")
    assert not plain.layer.differences and plain.error > found.error


@pytest.mark.parametrize("rest", [0.0, np.array([-3.0, 2.0])])
def test_inputs_before_the_first_step_are_those_at_rest_if_that_errs_less(rest):
    """Of a sequence that begins at rest, and of one that is cut out of a longer one."""
    x, full = np.random.default_rng(0).normal(size=(20, 8, 2)), np.full(20, 8)
    begins = np.concatenate([np.broadcast_to(rest, (20, 2, 2)), x], axis=1)
    at_rest = (begins[:, 2:] + begins[:, :-2]).sum(2, keepdims=True)
    sequences = Sequences(x, full, rest)
    found = lines.fit(sequences, at_rest, None, True, 3)
    np.testing.assert_array_equal(found.layer.before, rest)
    assert found.error < 1e-6 * found.constant
    line = Line(1, 3, before=rest, weight=found.ridge.weight, bias=found.ridge.bias)
    model = Model(line, input_dim=2, dtype="float64")
    np.testing.assert_allclose(model(x), at_rest, rtol=0, atol=1e-2)
    np.testing.assert_allclose(found.predict(sequences, True), model(x), rtol=0, atol=1e-12)
    cut = x[:, :, :1] + np.pad(x[:, :-2, 1:], ((0, 0), (2, 0), (0, 0)))
    assert not np.any(lines.fit(sequences, cut, None, True, 3).layer.before)
    assert lines.fit(sequences, at_rest, None, True, 1).layer == Line(1, 1, input_dim=2)
    assert lines.fit(sequences, at_rest, None, True, "summaries").layer == Line(1, "summaries", input_dim=2)


@pytest.mark.parametrize("every_step", [False, True])
def test_what_it_says_of_a_sequence_does_not_know_its_targets(every_step):
    sequences, y = data(every_step=every_step)
    found, other = lines.fit(sequences, y, None, every_step, 2), y.copy()
    other[4] += 0.01
    again = lines.fit(sequences, other, None, every_step, 2)
    np.testing.assert_array_equal(again.ridge.penalty, found.ridge.penalty)
    apart = np.abs(again.left_out - found.left_out)
    if every_step:
        apart = np.where(np.arange(apart.shape[1]) < sequences.lengths[:, None], apart.max(2), 0)
    apart = apart.max(1)
    assert apart[4] < 1e-12 and (np.delete(apart, 4) > 1e-6).all()


def test_one_long_sequence_is_left_out_in_blocks():
    """Of three sequences there are four blocks each, so that no fewer than ten are left out."""
    (x, _, _), y = data(3, 60, every_step=True)
    sequences = Sequences(x, np.array([60, 60, 60]))
    found, other = lines.fit(sequences, y, None, True, 2), y.copy()
    other[0, 15:30] += 0.01
    again = lines.fit(sequences, other, None, True, 2)
    np.testing.assert_array_equal(again.ridge.penalty, found.ridge.penalty)
    apart = np.abs(again.left_out - found.left_out).max(2)
    assert apart[0, 15:30].max() < 1e-12 < apart[0, :15].min()


def test_missing_targets_and_weights_of_0():
    sequences, y = data()
    weight = np.where(np.arange(30) % 3 == 0, 0.0, 1.0 + np.arange(30) % 2)
    y[1, 0] = np.nan
    found = lines.fit(sequences, y, weight, False, 2)
    rows = np.flatnonzero((weight > 0) & (np.arange(30) != 1))
    part = lines.fit(sequences.part(rows), y[rows], weight[rows], False, 2)
    np.testing.assert_allclose(found.ridge.weight, part.ridge.weight, rtol=1e-12)
    np.testing.assert_allclose(found.left_out[rows], part.left_out, rtol=1e-12)
    others = np.setdiff1d(np.arange(30), rows)
    np.testing.assert_allclose(found.left_out[others], part.predict(sequences.part(others), False), rtol=1e-12)
    assert found.error == pytest.approx(part.error, rel=1e-12)
    share = weight[rows] / weight[rows].sum()
    assert found.constant == pytest.approx((share @ (y[rows] - share @ y[rows]) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("every_step", [False, True])
def test_of_many_sequences_some_that_count_are_fitted(every_step, monkeypatch):
    (x, _, _), y = sequences, _ = data(every_step=every_step)
    odd, T = np.arange(1, 30, 2), x.shape[1]
    weights = [np.isin(np.arange(30), rows).astype(float) for rows in (odd, odd[::2])]
    weight, less = (np.repeat(one[:, None], T, axis=1) if every_step else one for one in weights)
    want = lines.fit(sequences, y, less, every_step, 2)
    monkeypatch.setattr(
        lines, "MOST", len(odd) * (T if every_step else 1) * 4
    )  # of which half are too many, but for one
    found = lines.fit(sequences, y, weight, every_step, 2)
    np.testing.assert_allclose(found.ridge.weight, want.ridge.weight, rtol=1e-12)
    np.testing.assert_allclose(found.left_out, want.left_out, rtol=1e-12)


def test_rounding_is_no_feature():
    """The differences of a feature that ends where it began have the mean 0, but for rounding."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 40, 1))
    x[:, -1] = x[:, 0]
    found = lines.fit(Sequences(x, np.full(50, 40)), rng.normal(size=(50, 1)), None, False, "summaries")
    assert found.ridge.weight[2] == 0 and np.abs(found.ridge.weight).max() < 100


def test_what_hardly_differs_says_nothing():
    """A ten-thousandth of the spread of its own feature does, of whatever size that is; less is rounding."""
    rng = np.random.default_rng(0)
    for part, known in ((0.5e-4, False), (2e-4, True)):
        x = rng.normal(size=(50, 2, 2))
        x[:, 1] *= part
        sequences = Sequences(x * [1e5, 1e-5], np.full(50, 2))
        for k in range(2):
            found = lines.fit(sequences, x[:, 1, [k]], None, False, 2)
            assert (found.error < 1e-3 * found.constant) == (found.ridge.weight[:2] != 0).all() == known


@pytest.mark.parametrize(("B", "longest"), [(1000, 7), (1001, 7), (3, 0)])
def test_differences_are_tried_of_few_sequences(B, longest):
    """And convolutions have distances for the longest sequence."""
    lengths = np.full(B, longest)
    lengths[1:] = 0
    found = [*lines._layers(Sequences(np.zeros((B, 9, 2)), lengths), 3, False, "convolutions")]
    wanted = [RandomConvolutions(3, 1008, length=longest or 1, differences=False, input_dim=2)]
    wanted += [RandomConvolutions(3, 2016, length=longest or 1, differences=True, input_dim=2)] * (B <= 1000)
    assert found == wanted


@pytest.mark.parametrize(("B", "each"), [(1, 10), (3, 4), (10, 1), (11, 1)])
def test_ten_stretches_at_least_are_left_out(B, each):
    """Of as many sequences or more each as a whole, with those of its steps that count."""
    fitted = np.random.default_rng(0).random((B, 40)) < 0.5
    wanted = [row * each + step // (40 // each) for row in range(B) for step in range(40) if fitted[row, step]]
    assert lines._groups(fitted).tolist() == wanted


def test_a_line_reads_no_more_inputs_than_the_shortest_sequence_has():
    """What is added up here are all of them, so a line of more would err less: by the zeros before the first."""
    rng, lengths = np.random.default_rng(0), np.repeat([3, 5], 20)
    x = np.where((np.arange(5) < lengths[:, None])[:, :, None], rng.normal(size=(40, 5, 1)), 0)
    assert lines.choose(Sequences(x, lengths), x.sum(1), None, False).reads in ("summaries", 3)
    assert lines.choose(Sequences(x[20:], lengths[20:]), x[20:].sum(1), None, False).reads == 5


def test_padding_does_not_say_what_rounding_is():
    """The spread of a feature is that of its steps: beside zeros behind the ends, one far from 0 would be constant."""
    rng, lengths = np.random.default_rng(0), np.repeat([2, 8], 15)
    x = np.where((np.arange(8) < lengths[:, None])[:, :, None], 1000 + 0.01 * rng.normal(size=(30, 8, 1)), 0)
    y = 100 * (x[np.arange(30), lengths - 1] - 1000)
    found = lines.fit(Sequences(x, lengths), y, None, False, 1)
    assert found.error < 1e-3 * found.constant


def test_the_least_error_chooses():
    rng = np.random.default_rng(0)
    x, full = rng.normal(size=(60, 12, 1)), np.full(60, 12)
    steps, summary = x[:, ::5].sum(1), np.abs(x).mean(1)
    assert lines.choose(Sequences(x, full), steps, None, False).reads == 12
    assert lines.choose(Sequences(x, full), summary, None, False).reads == "summaries"
    delayed = np.pad(x, ((0, 0), (3, 0), (0, 0)))[:, :12] + 0.01 * rng.normal(size=x.shape)
    found = lines.choose(Sequences(x, full), delayed, None, True)
    assert found.reads == 4
    assert found.error < 2e-4 < 0.5 < found.constant


@pytest.mark.parametrize(
    ("T", "shortest", "every_step", "shortcut", "reads"),
    [
        (40, 3, True, "ridge", [1, 2, 4, 8, 16]), (5, 3, True, "auto", [1, 2, 4, 5]), (1, 1, True, "ridge", [1]),
        (40, 20, False, "ridge", ["summaries", 8, 20]), (40, 8, False, "ridge", ["summaries", 8]),
        (40, 3, False, "auto", ["summaries", 3, "convolutions"]), (5, 0, False, "ridge", ["summaries"]),
        (40, 20, False, "convolutions", ["convolutions"]),
    ],
)  # fmt: skip
def test_what_is_tried(T, shortest, every_step, shortcut, reads, monkeypatch):
    """Of every step some of the last inputs, of whole sequences as many as the shortest has, or a few."""
    tried, sequences = [], Sequences(np.zeros((3, T, 1)), np.array([T, max(T - 1, shortest), shortest]))

    def fit(*given, **more):
        tried.append(given[-1])
        assert given[0] is sequences and given[1:4] == ("targets", "weights", every_step) and more == {}
        return lines.Fitted(given[-1], None, None, None, None, float(len(tried) != 1), 1.0)

    monkeypatch.setattr(lines, "fit", fit)
    assert lines.choose(sequences, "targets", "weights", every_step, shortcut).reads == reads[0] and tried == reads


@pytest.mark.parametrize(
    ("alone", "apart", "reads"),
    [
        ((3, 2, 4, 1), (2, 2, 2, 1), "convolutions"), ((3, 2, 4, 1), (9, 9, 3, 4), 8),
        ((3, 5, 4, 1), (2, 9, 9, 4), "summaries"),
        ((3, 1, 4, 2), None, 8), ((1, 1, 1, 1), None, "summaries"),
    ],
)  # fmt: skip
def test_what_is_chosen(alone, apart, reads, monkeypatch):
    """Convolutions if they err least both ways; else who errs least of the others, neighbours or not."""
    asked = []

    def fit(sequences, y, weight, every_step, each, neighbours=False):
        at = ["summaries", 8, 9, "convolutions"].index(each)
        asked.append(neighbours)
        return lines.Fitted(each, neighbours, None, None, None, (apart if neighbours else alone)[at], 1.0)

    monkeypatch.setattr(lines, "fit", fit)
    found = lines.choose(Sequences(np.zeros((2, 9, 1)), np.array([9, 9])), None, None, False, "auto")
    assert (
        found.reads == (reads or "summaries")
        and found.layer is False
        and found.error == min(alone if reads == "convolutions" or apart is None else alone[:3])
    )
    assert asked == [False] * 4 + [True] * (0 if apart is None else 4)


@pytest.mark.slow
def test_convolutions_are_chosen_where_they_err_least():
    """Of the products of inputs that are four steps apart, of which neither inputs nor their summaries know."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 40, 1))
    steps, echo = x[:, ::7].sum(1), (x[:, 4:] * x[:, :-4]).mean(1)
    sequences = Sequences(x, np.full(100, 40))
    found = {kind: lines.choose(sequences, echo, None, False, kind) for kind in ("ridge", "auto", "convolutions")}
    assert (found["auto"].reads, found["convolutions"].reads) == ("convolutions", "convolutions")
    assert found["ridge"].reads != "convolutions"
    assert found["auto"].error == found["convolutions"].error < 0.5 * found["ridge"].error
    linear = [lines.choose(sequences, steps, None, False, kind) for kind in ("auto", "convolutions")]
    assert linear[0].reads == 40 and linear[0].error < 0.1 * linear[1].error
    assert lines.choose(sequences, x, None, True, "auto").reads == 1


def test_convolutions_must_not_know_their_neighbours():
    """Windows of one series overlap: convolutions find the nearest one, and what its target has that is of its time."""
    series = np.random.default_rng(1).normal(size=160).cumsum() / 4
    x = np.lib.stride_tricks.sliding_window_view(series, 20)[:140]
    y = (x.sum(1) / 4 + 0.3 * np.sin(np.arange(140) / 9))[:, None]
    sequences = Sequences(x[:, :, None], np.full(140, 20))
    alone, apart = (
        {
            each: lines.fit(sequences, y, None, False, each, neighbours=together).error
            for each in ("summaries", 8, 20, "convolutions")
        }
        for together in (False, True)
    )
    assert min(alone, key=alone.get) == "convolutions" != min(apart, key=apart.get)
    found = lines.choose(sequences, y, None, False, "auto")
    del alone["convolutions"]
    assert found.reads == min(alone, key=alone.get) and found.error == alone[found.reads]


def test_neighbours_are_left_out_together():
    sequences, y = data(B=40)
    found, other = lines.fit(sequences, y, None, False, 2, neighbours=True), y.copy()
    other[8:12] += 0.01 * np.arange(1, 5)[:, None]
    again = lines.fit(sequences, other, None, False, 2, neighbours=True)
    apart = np.abs(again.left_out - found.left_out).max(1)
    assert apart[8:12].max() < 1e-12 and (np.delete(apart, range(8, 12)) > 1e-7).all()


@pytest.mark.slow
def test_convolutions_are_taken_in_whatever_order_the_classes_come():
    """One class after the other, a tenth of all sequences is a whole class, of which no line would know anything."""
    rng, t = np.random.default_rng(0), np.arange(40)
    labels = np.repeat(np.arange(10), 10)
    phases = rng.uniform(0, 2 * np.pi, (100, 1))
    x = np.sin(phases + 2 * np.pi * (0.05 + 0.02 * labels[:, None]) * t) + 0.3 * rng.normal(size=(100, 40))
    for order in (np.arange(100), rng.permutation(100)):
        sequences = Sequences(x[order, :, None], np.full(100, 40))
        found = lines.choose(sequences, np.eye(10)[labels[order]], None, False, "auto")
        assert found.reads == "convolutions" and found.error < 0.1


def test_neighbours_of_a_class_are_left_out_together():
    """Of a class of twenty two at a time, of one of five each by itself; one that is alone goes with its place."""
    y = np.eye(3)[np.repeat([0, 1, 2], [20, 5, 1])]
    groups = [*np.repeat(np.arange(10), 2), 0, 2, 4, 6, 8, 9]
    np.testing.assert_array_equal(lines._tenths(y), groups)
    np.testing.assert_array_equal(lines._tenths(np.arange(20.0)[:, None]), np.repeat(np.arange(10), 2))
