"""Looped: the same as so many layers with the same parameters, whose gradients are added up."""

import numpy as np
import pytest

from ltc_np import LSTM, BatchNorm, Dense, LinOSS, Looped, Model, Residual, load

X = np.random.default_rng(0).normal(size=(3, 6, 4))
LENGTHS = [6, 2, 4]
BLOCK = Residual(LinOSS(4, 3, input_dim=4, discretization="exact"), Dense(4, "tanh"))


def pair(times, backend):
    """A loop, and a model of as many blocks with its parameters."""
    loop = Model(Looped(BLOCK, times=times), seed=0, dtype="float64", backend=backend)
    row = Model(*[BLOCK] * times, seed=1, dtype="float64", backend=backend)
    for name in row.params:
        row.params[name] = loop.params[name.partition(".")[2] if times > 1 else name]
    return loop, row


@pytest.mark.parametrize("times", [1, 3])
def test_as_many_layers_in_a_row(times, backend):
    """Outputs, states, and gradients of parameters (their sum), inputs, the state before and elapsed times."""
    loop, row = pair(times, backend)
    rng = np.random.default_rng(1)
    dt, h0 = rng.uniform(0.1, 1, (3, 6)), rng.normal(size=(3, loop.state_size))
    c, d = rng.normal(size=(3, 6, 4)), rng.normal(size=h0.shape)
    found = []
    for model in (loop, row):
        y, state = model(X, dt=dt, h0=h0, lengths=LENGTHS, return_state=True)
        _, tape = model.forward(X, dt=dt, h0=h0, lengths=LENGTHS)
        found.append((y, state, model.backward(tape, c, d)))
    (y, state, g), (y_row, state_row, g_row) = found
    for one, other in ((y, y_row), (state, state_row), (g.x, g_row.x), (g.h0, g_row.h0), (g.dt, g_row.dt)):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    each = g_row.theta.reshape(times, -1)
    np.testing.assert_allclose(g.theta, each.sum(0), rtol=1e-12, atol=1e-13)
    assert times == 1 or np.abs(each[0] - each[1]).max() > 0.01  # the uses do differ


def test_statistics_move_on_by_every_use():
    """Those of the first use, of which nothing was known, then those of the second, which reads what that has made."""
    model = Model(Looped(BatchNorm(momentum=0.5, input_dim=4), Dense(4)), seed=0, dtype="float64", backend="numpy")
    model.params["1.bias"] = [0.3, -0.2, 0.5, 1.0]
    weight, bias = model.params["1.weight"].copy(), model.params["1.bias"].copy()

    def normed(x):
        return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + model.layers[0].layers[0].epsilon)

    first, second = X, normed(X) @ weight + bias
    mean = 0.5 * first.mean((0, 1)) + 0.5 * second.mean((0, 1))
    model.fit(X, np.zeros((3, 6, 4)), epochs=1, batch_size=3, verbose=False, seed=0)
    name = next(name for name in model.buffers if name.endswith("mean"))
    np.testing.assert_allclose(model.buffers[name], mean, rtol=1e-10)


def test_each_use_has_a_state_and_a_trace():
    model = Model(Looped(LSTM(4), times=2), input_dim=4, seed=0)
    assert list(model.layers[0].state_slices) == ["use0.h", "use0.c", "use1.h", "use1.c"]
    trace = model.trace(X)
    assert np.abs(trace["use0.forget_gate"] - trace["use1.forget_gate"]).max() > 1e-3


def test_a_file_keeps_the_number_of_uses(tmp_path):
    model = Model(Looped(LSTM(4), times=3), input_dim=4, seed=0)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.layers == model.layers and again.layers[0].times == 3
    np.testing.assert_array_equal(again(X), model(X))


def test_refused():
    with pytest.raises(ValueError, match="`times` must be"):
        Looped(LSTM(4), times=0)
    with pytest.raises(ValueError, match="`layers` must give as many features as they take"):
        Looped(LSTM(3, input_dim=4))
