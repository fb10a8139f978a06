"""What is monitored, when a training is resumed."""

import pytest

from ltc_np.train.monitor import Monitor

MEASURED = {"loss": "min", "accuracy": "max"}


def state(name, mode):
    """Of a monitor, after a value of 0.25."""
    monitor = Monitor(name, mode, MEASURED)
    assert monitor.improves({name: 0.25})
    return monitor.state()


def test_a_monitor_goes_on():
    monitor = Monitor("loss", "auto", MEASURED)
    monitor.load_state(state("loss", "min"))
    assert [monitor.improves({"loss": value}) for value in (0.3, 0.25, 0.2)] == [False, False, True]


@pytest.mark.parametrize(("name", "mode"), [("loss", "max"), ("accuracy", "min")])
def test_the_best_value_of_another_monitor_is_refused(name, mode):
    """That of the same quantity in the other mode too: the smallest value is not the largest one."""
    monitor = Monitor("loss", "min", MEASURED)
    with pytest.raises(ValueError, match=f"resumed, {mode} of '{name}', got min of 'loss'"):
        monitor.load_state(state(name, mode))
    assert monitor.best is None
