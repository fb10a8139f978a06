"""Gradients of a convolution along a stream: those of the whole sequence, by the last step alone."""

import numpy as np
import pytest

from ltc_np import SGD, Conv1D, Dense, Model
from ltc_np.online import Exact, Immediate, Learner, generic, quick
from ltc_np.online.generic import AnyTraces
from ltc_np.online.window import WindowTraces

LAYERS = {
    "plain": Conv1D(4, 3, dilation=2, input_dim=3),
    "tanh": Conv1D(2, 5, activation="tanh", input_dim=1),
    "separable": Conv1D(4, 3, separable=True, activation="silu", input_dim=3),
    "no past": Conv1D(4, 1, input_dim=3),
}


def model_of(name, backend="numpy", dtype="float64"):
    model = Model(LAYERS[name], seed=0, dtype=dtype, backend=backend)
    model.theta = np.random.default_rng(1).normal(size=model.theta.size)
    return model


def traces_of(model):
    traces = WindowTraces(model.layers[0], model.dtype, model.backend)
    traces.prepare(model.theta)
    return traces


@pytest.mark.parametrize("name", list(LAYERS))
def test_a_stream_has_the_gradient_of_its_sequence(name, backend):
    model, rng = model_of(name, backend), np.random.default_rng(2)
    x, d_y = rng.normal(size=(9, model.input_size)), rng.normal(size=(9, model.output_size))
    traces, every, found, state = traces_of(model), AnyTraces(model, Exact()), 0, None
    for x_t, d_t in zip(x, d_y, strict=True):
        y = traces.advance(x_t, 1.0)
        want, state = model.step(x_t, state=state)
        np.testing.assert_array_equal(y, want)
        np.testing.assert_array_equal(traces.arrays["state"], state)
        every.advance(x_t, 1.0)
        np.testing.assert_allclose(traces.gradient(d_t), every.gradient(d_t), rtol=0, atol=1e-13)
        found = found + traces.gradient(d_t)
    _, tape = model.forward(x)
    np.testing.assert_allclose(found, model.backward(tape, d_y).theta, rtol=0, atol=1e-12)


def test_the_gradient_is_that_of_the_weights_that_answered():
    """A target may come in parts, and the first one moves the weights."""
    model = model_of("separable")
    traces, other = traces_of(model), traces_of(model)
    for x_t in np.random.default_rng(2).normal(size=(4, 3)):
        traces.advance(x_t, 1.0), other.advance(x_t, 1.0)
    d_y = np.array([1.0, -1.0, 2.0, 0.5])
    other.prepare(2 * model.theta)
    np.testing.assert_array_equal(other.gradient(d_y), traces.gradient(d_y))
    other.reset()
    assert not any(array.any() for array in other.arrays.values())


@pytest.mark.parametrize("method", [Exact(), Immediate()])
def test_a_filter_adapts(method, tmp_path):
    """A learner of a convolution finds a filter, and goes on from its file."""
    taps, rng = np.array([0.5, -1.0, 2.0, 0.3]), np.random.default_rng(0)
    learner = Learner(Model(Conv1D(1, 4), input_dim=1, seed=0, dtype="float64"), SGD(0.05), method=method)
    x = rng.normal(size=300)
    for t in range(3, 300):
        learner.predict(x[t : t + 1])
        if t == 200:
            learner.save(tmp_path / "l.npz")
            learner = Learner.load(tmp_path / "l.npz")
        learner.learn([taps @ x[t - 3 : t + 1]])
    np.testing.assert_allclose(learner.network().params["weight"].ravel(), taps, rtol=0, atol=1e-3)


def test_what_it_costs():
    model = model_of("plain")
    way = quick.QUICK[Conv1D]
    found = way.cost(model, Exact())
    assert found.numbers == sum(array.size for array in traces_of(model).arrays.values())
    assert found.multiplications < generic.cost(model, Exact()).multiplications / 5
    assert type(way.traces(model, Immediate())) is WindowTraces


def test_streams_that_share_a_filter():
    """Four streams at once have the mean of their gradients."""
    model = Model(Conv1D(2, 3), Dense(1), input_dim=2, seed=0, dtype="float64")
    learner, x = Learner(model, SGD(0.1), streams=4), np.random.default_rng(0).normal(size=(4, 2))
    y = learner.predict(x)
    learner.learn(np.zeros((4, 1)))
    loss, gradient = model.loss_and_grad(x[:, None], np.zeros((4, 1, 1)), loss="mse")
    assert loss == pytest.approx((y**2).mean())
    np.testing.assert_allclose(learner.weights, model.theta - 0.1 * gradient, rtol=0, atol=1e-13)
