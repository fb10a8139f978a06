"""The order of sequences: batches of like length."""

import numpy as np
import pytest

from ltc_np import LSTM, SGD, Batching, Checkpoint, Dense, Model, load
from ltc_np.network.host import HostEngine
from ltc_np.train.data import shuffling
from ltc_np.train.data.batches import prepare_data
from ltc_np.train.data.sources import ArraySource
from ltc_np.train.ranks.communication import ALONE
from ltc_np.train.ranks.division import Division


def by_loop(lengths, batch_size, rng):
    """`grouped`, batch by batch."""
    drawn = rng.permutation(len(lengths)).tolist()
    rest = len(drawn) % batch_size
    full, last = (drawn[:-rest], drawn[-rest:]) if rest else (drawn, [])
    pool, batches = shuffling.POOL * batch_size, []
    for first in range(0, len(full), pool):
        sorted_pool = sorted(full[first : first + pool], key=lambda k: lengths[k])
        batches += [sorted_pool[k : k + batch_size] for k in range(0, len(sorted_pool), batch_size)]
    return [k for b in rng.permutation(len(batches)) for k in batches[b]] + last


@pytest.mark.parametrize(("count", "batch_size"), [(1, 1), (7, 3), (5, 8), (640, 8), (1000, 3), (1001, 4)])
def test_grouped_is_the_loop(count, batch_size):
    lengths = np.random.default_rng(count).integers(0, 20, count)
    found = shuffling.grouped(lengths, batch_size, np.random.default_rng(1))
    assert sorted(found) == list(range(count))
    assert found.tolist() == by_loop(lengths.tolist(), batch_size, np.random.default_rng(1))


def test_what_a_smaller_last_batch_holds_is_drawn_from_all():
    """With `drop_last` no sequence is left out more often than others."""
    lengths, left = np.arange(10), np.zeros(10)
    for seed in range(600):
        left[shuffling.grouped(lengths, 4, np.random.default_rng(seed))[8:]] += 1
    # 120 times each, with a standard deviation of 10
    assert left.sum() == 1200 and np.abs(left - 120).max() < 45


def data(rng, count=64, longest=40):
    lengths = rng.integers(1, longest + 1, count)
    return rng.normal(size=(count, longest, 2)), rng.normal(size=(count, longest, 1)), lengths


def model(backend="auto"):
    return Model(LSTM(4, input_dim=2), Dense(1, input_dim=4), seed=0, backend=backend)


def test_padding_is_spared(monkeypatch):
    """Of the steps that are computed, how many are real: measured in `fit` itself."""
    x, y, lengths = data(np.random.default_rng(0))
    forward, seen = HostEngine.forward, []

    def watched(self, prepared, sequences, *args):
        seen.append((int(sequences.lengths.sum()), sequences.x[..., 0].size))
        return forward(self, prepared, sequences, *args)

    monkeypatch.setattr(HostEngine, "forward", watched)
    shares = {}
    for by_length in (False, True):
        seen.clear()
        model("numpy").fit(
            x, y, lengths=lengths, batch_size=Batching(8, group_by_length=by_length), epochs=5, seed=0, verbose=False
        )
        steps = seen[:-1]  # without the look at the loss after the last step
        assert len(steps) == 40 and sum(real for real, _ in steps) == 5 * lengths.sum()
        shares[by_length] = sum(real for real, _ in steps) / sum(size for _, size in steps)
    assert shares[False] == pytest.approx(0.57, abs=0.02)
    assert shares[True] == pytest.approx(0.91, abs=0.02)


def test_batches_of_like_length_are_those_of_the_seed_and_the_epoch(backend):
    """The loop by hand, and every epoch has other batches."""
    x, y, lengths = data(np.random.default_rng(0), 19, 9)
    by_fit, by_hand, batches = model(backend), model(backend), []

    batching = Batching(4, group_by_length=True, drop_last=True)
    options = {"batch_size": batching, "optimizer": SGD(0.1), "seed": 5, "verbose": False}
    by_fit.fit(x, y, lengths=lengths, epochs=3, **options)
    optimizer = SGD(0.1)
    for epoch in range(3):
        taken = by_loop(lengths.tolist(), 4, np.random.default_rng([5, epoch]))[:16]
        for first in range(0, 16, 4):
            rows = taken[first : first + 4]
            longest = lengths[rows].max()
            batches.append(tuple(sorted(rows)))
            _, grad = by_hand.loss_and_grad(x[rows, :longest], y[rows, :longest], lengths=lengths[rows])
            optimizer.step(by_hand, grad)
    np.testing.assert_array_equal(by_fit.theta, by_hand.theta)
    assert len(set(batches)) > 8


def test_resumed_training_has_the_same_bits(tmp_path):
    x, y, lengths = data(np.random.default_rng(0), 19, 9)
    batching = Batching(4, group_by_length=True)
    options = {"lengths": lengths, "batch_size": batching, "optimizer": "sgd", "verbose": False}
    whole, part = model(), model()
    whole.fit(x, y, epochs=4, seed=3, **options)
    part.fit(x, y, epochs=2, seed=3, callbacks=Checkpoint(tmp_path / "m.npz"), **options)
    resumed = load(tmp_path / "m.npz")
    resumed.fit(x, y, epochs=range(2, 4), **options)
    assert np.array_equal(resumed.theta, whole.theta)


def test_only_what_is_shuffled_is_grouped():
    x, y, lengths = data(np.random.default_rng(0), 5, 4)
    with pytest.raises(ValueError, match="`shuffle` must be True with `group_by_length`, .*, got False"):
        model().fit(x, y, lengths=lengths, batch_size=Batching(group_by_length=True), shuffle=False, verbose=False)
    with pytest.raises(TypeError, match="`group_by_length` must be a bool, got 1"):
        model().fit(x, y, lengths=lengths, batch_size=Batching(group_by_length=1), verbose=False)


@pytest.mark.parametrize(("drop_last", "batches"), [(False, 3), (True, 2)])
def test_batches_are_counted(drop_last, batches):
    x, y, _ = data(np.random.default_rng(0), 5, 4)
    data_of_five = prepare_data(model(), x, y, None, None, None, "mse", "error")
    source = ArraySource(data_of_five, Division(ALONE, 5, 2, drop_last), True, False)
    taken = [drawn.rows for drawn in source.epoch(0, np.random.default_rng(0))]
    assert source.batches == len(taken) == batches
    assert np.concatenate(taken).tolist() == np.random.default_rng(0).permutation(5)[: 4 if drop_last else 5].tolist()
