"""`step`: what it refuses; that it is the sequence is in the battery."""

import numpy as np
import pytest

from ltc_np import LTCRNN, AutoNCP


@pytest.fixture
def model(backend):
    return LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_states_and_inputs_must_be_finite(model, bad):
    for b, (x, state) in enumerate((np.ones((2, 3)), np.zeros((2, 8))) for _ in range(2)):
        (state if b else x)[1, 2] = bad
        with pytest.raises(ValueError, match=f"`{'state' if b else 'x_t'}` must be finite"):
            model.step(x, dt=0.1, state=state)
        with pytest.raises(ValueError, match=f"`{'state' if b else 'x_t'}` must be finite"):
            model.step(x[1], dt=0.1, state=state[1])


@pytest.mark.parametrize("bad", [np.inf, np.nan, -0.1, -np.inf])
def test_elapsed_times_must_be_finite_and_not_negative(model, bad):
    x = np.ones((2, 3))
    for dt in (bad, np.float32(bad), np.array(bad), [0.1, bad], np.array([bad, 0.1])):
        with pytest.raises(ValueError, match="`dt` must be finite, >= 0 and "):
            model.step(x, dt=dt)
    with pytest.raises(ValueError, match="`dt` must be finite, >= 0 and "):
        model.step(x[0], dt=bad)
    model.step(x, dt=0.0)


def test_shapes_are_named(model):
    x = np.ones((2, 3))
    for arguments, message in (
        ({"x_t": x[:, :2]}, r"`x_t` must be \(3,\) or \(B, 3\), got shape \(2, 2\)"),
        ({"x_t": x, "dt": np.ones(3)}, r"`dt` must be a number or \(2,\), got shape \(3,\)"),
        ({"x_t": x[0], "dt": np.ones(1)}, r"`dt` must be a number, got shape \(1,\)"),
        ({"x_t": x, "state": np.zeros(8)}, r"`state` must have shape .*, got \(8,\)"),
        ({"x_t": x[0], "state": np.zeros((1, 8))}, r"`state` must have shape .*, got \(1, 8\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.step(**arguments)


def test_a_step_without_elapsed_time_is_one_of_1(model):
    """Also after others, whose elapsed times lie in buffers that are used again."""
    x, want = np.ones(3), model.step(np.ones(3), dt=1.0)
    for _ in range(2):
        y, state = model.step(x)
        np.testing.assert_array_equal(y, want[0])
        np.testing.assert_array_equal(state, want[1])
        assert not np.array_equal(model.step(x, dt=0.1)[1], want[1])
