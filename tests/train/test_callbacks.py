"""Callbacks by themselves: when `EarlyStopping` stops, what it makes of the names of metrics."""

import pytest

from ltc_np import EarlyStopping


def epochs(stopping, values, name="val_loss"):
    """How many epochs a training with these values goes on for."""
    stopping.measured = [name]
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        if stopping.on_epoch_end(epoch, {name: value}):
            return epoch + 1
    return len(values)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("val_loss", "min"), ("r2", "max"), ("val_r2", "max"), ("val_accuracy", "max"), ("f1", "max"), ("mae", "min")],
)
def test_what_is_better_follows_from_the_name(monitor, mode):
    assert EarlyStopping(1, monitor).mode == mode
    rising, falling = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    better, worse = (rising, falling) if mode == "max" else (falling, rising)
    assert epochs(EarlyStopping(1, monitor), better, monitor) == 4
    assert epochs(EarlyStopping(1, monitor), worse, monitor) == 2


def test_patience_counts_epochs_without_an_improvement_in_a_row():
    assert epochs(EarlyStopping(2), [3.0, 4.0, 2.0, 3.0, 3.0, 1.0]) == 5
    assert epochs(EarlyStopping(3), [3.0, 4.0, 2.0, 3.0, 3.0, 1.0]) == 6


def test_an_improvement_by_no_more_than_min_delta_does_not_count():
    assert epochs(EarlyStopping(1, min_delta=0.5), [4.0, 3.5, 3.0]) == 2
    assert epochs(EarlyStopping(1, min_delta=0.5), [4.0, 3.25, 2.5]) == 3
    assert epochs(EarlyStopping(1, "r2", min_delta=0.5), [0.0, 0.5, 1.5], "r2") == 2


def test_a_second_training_begins_anew():
    """Neither the best value nor the epochs waited are those of the first one."""
    stopping = EarlyStopping(2)
    assert epochs(stopping, [1.0, 2.0]) == 2
    assert epochs(stopping, [9.0, 8.0, 7.0]) == 3


def test_epochs_in_which_nothing_was_measured_are_not_waited_for():
    stopping = EarlyStopping(1)
    stopping.measured = ["val_loss"]
    stopping.on_train_begin()
    assert not stopping.on_epoch_end(0, {"val_loss": 1.0})
    assert not stopping.on_epoch_end(1, {"loss": 1.0})
    assert stopping.on_epoch_end(2, {"val_loss": 1.0})
