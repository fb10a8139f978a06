"""What is monitored, and the best weights by it, when a training is resumed."""

import pytest

from ltc_np import Dense, Model
from ltc_np.train.loop.best_weights import BestWeights
from ltc_np.train.monitor import Monitor

MEASURED = {"loss": "min", "accuracy": "max"}


def states(name, mode):
    """Of a monitor and of best weights, after epoch 3 with a value of 0.25."""
    model, monitor = Model(Dense(1), input_dim=1, seed=0), Monitor(name, mode, MEASURED)
    best = BestWeights(model, monitor, True, "mse", 0)
    best.update(3, {name: 0.25})
    return monitor.state(), best.state()


def test_a_monitor_goes_on():
    monitor = Monitor("loss", "auto", MEASURED)
    monitor.load_state(states("loss", "min")[0])
    assert [monitor.improves({"loss": value}) for value in (0.3, 0.25, 0.2)] == [False, False, True]


@pytest.mark.parametrize(("name", "mode"), [("loss", "max"), ("accuracy", "min")])
def test_the_best_value_of_another_monitor_is_refused(name, mode):
    """That of the same quantity in the other mode too: the smallest value is not the largest one."""
    monitor = Monitor("loss", "min", MEASURED)
    with pytest.raises(ValueError, match=f"resumed, {mode} of '{name}', got min of 'loss'"):
        monitor.load_state(states(name, mode)[0])
    assert monitor.best is None


@pytest.mark.parametrize(
    ("name", "mode", "same"), [("loss", "min", True), ("loss", "max", False), ("accuracy", "min", False)]
)
def test_best_weights_of_another_monitor_are_left_aside(name, mode, same):
    model, monitor = Model(Dense(1), input_dim=1, seed=0), Monitor("loss", "min", MEASURED)
    best = BestWeights(model, monitor, True, "mse", 0)
    best.load_state(states(name, mode)[1])
    assert (best.epoch, monitor.best) == ((3, 0.25) if same else (None, None))
