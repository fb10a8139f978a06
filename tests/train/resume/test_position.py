"""Where a training is, and going on from there."""

import pytest

from ltc_np import LTCRNN, AutoNCP, losses
from ltc_np.train.data.stream import Stream
from ltc_np.train.resume.position import Position


@pytest.mark.parametrize(("batch", "chunk", "inside"), [(0, 0, False), (0, 1, True), (2, 0, True)])
def test_an_epoch_that_has_begun(batch, chunk, inside):
    assert Position(3, batch, chunk).is_inside is inside


def given(epoch):
    return [([[[epoch + k / 10]]], [[[0.0]]]) for k in range(4)]


@pytest.mark.parametrize("kind", ["function", "iterable", "iterator"])
def test_batches_that_are_done_are_not_taken_again(kind):
    """An iterator stands where it is: it has been brought there."""
    model = LTCRNN(AutoNCP(8, 1), 1, seed=0, backend="numpy")
    x = {"function": given, "iterable": given(2), "iterator": iter(given(2)[1:])}[kind]
    stream = Stream(model, x, 4, losses.get("mse"), "error", None)
    found = [(batch, round(data.whole.sequences.x.item(), 6)) for batch, data, _, _ in stream.epoch(2, None, first=1)]
    assert found == [(1, 2.1), (2, 2.2), (3, 2.3)]
