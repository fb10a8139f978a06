"""Elapsed times and inputs as far apart as numbers are: results are right, or one error says what is too large."""

import numpy as np
import pytest

from ltc_np import GRU, LRC, LSTM, LTC, S4D, CfC, Dense, FullyConnected, LinOSS, LiquidS4, LrcSSM, Model

B, T, I = 3, 4, 2
RTOL = {"float32": 2e-4, "float64": 1e-9}  # sums of 12 steps lose a few digits of 6 and 15
LONGEST = {"float32": 1e18, "float64": 1e150}
STATE_SPACES = {
    "zoh": S4D(6, input_dim=I),
    "bilinear": S4D(6, input_dim=I, discretization="bilinear"),
    "fft": S4D(6, input_dim=I, method="fft"),
    "kb": LiquidS4(6, input_dim=I, liquid="kb"),
    "liquid": LiquidS4(6, input_dim=I),
    "bounded": LiquidS4(6, input_dim=I, liquid_bound=2.0),
    "oscillators": LinOSS(2, 6, input_dim=I, discretization="exact"),
    "overdamped": LinOSS(2, 6, input_dim=I, discretization="exact", init={"damping": 9.0, "stiffness": (0.1, 2.0)}),
    "discrete": LiquidS4(6, input_dim=I, liquid="discrete", discretization="bilinear"),
}
SATURATED = {
    "LTC": LTC(FullyConnected(5, 3), input_dim=I, ode_unfolds=2),
    "LRC": LRC(FullyConnected(5, 3), input_dim=I),
    "LrcSSM": LrcSSM(5, input_dim=I),
    "GRU": GRU(5, input_dim=I),
    "LSTM": LSTM(5, input_dim=I),
    "CfC": CfC(5, input_dim=I),
}


def results(model, x, dt):
    """Outputs, state and gradients by name, of a fixed sum of the outputs and the last state."""
    rng = np.random.default_rng(5)
    time = {"dt": np.full((B, T), dt)} if model.takes_dt else {}
    h0 = rng.normal(size=(B, model.state_size)).astype("f")
    y, state = model(x, h0=h0, return_state=True, **time)
    _, tape = model.forward(x, h0=h0, **time)
    g = model.backward(tape, rng.normal(size=y.shape), rng.normal(size=state.shape))
    found = dict(model.views(g.theta).items()) | {"d_x": g.x, "d_h0": g.h0, "y": y, "state": state}
    return found | ({"d_dt": g.dt} if model.takes_dt else {})


def in_float64(model):
    """The same parameters, rounded to float32 before, in the definition."""
    exact = Model(*model.layers, seed=0, dtype="float64", backend="numpy")
    exact.theta[:] = model.theta
    return exact


def compare(found, expected, rtol, least):
    for name, array in found.items():
        want = np.asarray(expected[name], np.float64)
        size = np.abs(want).max(initial=0)
        np.testing.assert_allclose(array, want, rtol=0, atol=rtol * size + least, err_msg=name)


@pytest.mark.single
@pytest.mark.parametrize("size", [1e-30, 1.0])
@pytest.mark.parametrize("dt", [1e-44, 1e-38, 1e-30, 1e-10, 1e10, 1e18, 1.8e19])
@pytest.mark.parametrize("name", STATE_SPACES)
def test_state_spaces_in_float32(name, dt, size, backend):
    """Every result by its own size: the squares of z = rate times length overflow, those of lengths are 0."""
    model = Model(STATE_SPACES[name], seed=1, backend=backend)
    x = (size * np.random.default_rng(0).normal(size=(B, T, I))).astype("f")
    dt = np.float32(dt)
    # What is denormal in float32 counts as 0: the smallest length, and what is a product with it.
    least = 1e-36 if dt > 1e-36 else 1e-30
    compare(results(model, x, dt), results(in_float64(model), x, float(dt)), RTOL["float32"], least)


@pytest.mark.parametrize("dtype", LONGEST)
@pytest.mark.parametrize("name", ["zoh", "bilinear"])
def test_state_spaces_after_very_long_times(name, backend, dtype):
    """A step without end: the exact rule forgets all, and the mode is -B u / A; the other one reflects."""
    model = Model(STATE_SPACES[name], seed=1, dtype=dtype, backend=backend)
    x, p = np.random.default_rng(0).normal(size=(B, 1, I)), model.effective
    _, state = model(x, dt=LONGEST[dtype], return_state=True)
    a, b = 1j * p["frequency"].astype(float) - p["decay"], p["b_re"].astype(float) + 1j * p["b_im"]
    mode = -(1 if name == "zoh" else 2) * (b / a) * x  # E is -1, or -2
    want = np.concatenate([mode.real.reshape(B, -1), mode.imag.reshape(B, -1)], axis=1)
    np.testing.assert_allclose(state, want, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e18), ("float64", 1e150)])
@pytest.mark.parametrize("name", SATURATED)
def test_saturated_gates_have_no_gradient(name, dtype, size, backend):
    """The smallest sigmoid times the largest input must be small too: the definition's is 0."""
    model = Model(SATURATED[name], seed=1, dtype=dtype, backend=backend)
    x = size * np.sign(np.random.default_rng(0).normal(size=(B, T, I)))
    exact = Model(*model.layers, seed=1, dtype=dtype, backend="numpy")
    exact.theta[:] = model.theta
    compare(results(model, x, 0.5), results(exact, x, 0.5), RTOL[dtype], 1e-4)


CALLS = {
    "call": lambda model, x: model(x),
    "predict": lambda model, x: model.predict(x),
    "step": lambda model, x: model.step(x[:, 0]),
    "evaluate": lambda model, x: model.evaluate(x, np.zeros((B, T, 2))),
    "trace": lambda model, x: model.trace(x),
}


# A step of a stream does not turn NumPy's own warnings off: that would take a tenth of its time.
@pytest.mark.single
@pytest.mark.filterwarnings("ignore:overflow encountered in dot:RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_what_overflows_is_said_by_every_call(name, backend):
    """Of any layer: a state, or outputs of a layer that has none."""
    x = np.full((B, T, I), 1.8e19)
    space, dense = (Model(layer, input_dim=I, seed=0, backend=backend) for layer in (S4D(4), Dense(2)))
    space.params["decay"], space.params["frequency"] = -40.0, 0.0
    space.params["log_step"] = 3.0
    space.params["b_re"] = dense.params["weight"] = 1.8e19
    for model, words in (
        (space, "the state of S4D.* overflows, for `dt` up to 1"),
        (dense, "an output of Dense"),
    ):
        with pytest.raises(FloatingPointError, match=f"outputs and states must be finite in float32, but {words}"):
            CALLS[name](model, x)


def test_gradients_that_overflow_are_said(backend):
    """Outputs may be finite all the same."""
    model = Model(Dense(2), Dense(2), input_dim=I, seed=0, backend=backend)
    y, tape = model.forward(np.full((B, T, I), 1e19))
    with pytest.raises(FloatingPointError, match=r"gradients must be finite in float32, but that of `theta` overflows"):
        model.backward(tape, np.full(y.shape, 1.8e19))
    model.params["0.weight"] = 1.0
    model.params["1.weight"] = np.array([[1e19, 1e19], [-1e19, -1e19]])  # outputs stay small
    with pytest.raises(FloatingPointError, match=r"gradients must be finite in float32, but that of `theta` overflows"):
        model.loss_and_grad(np.full((B, T, I), 1e3), np.full((B, T, 2), 1e18), loss="mse")
