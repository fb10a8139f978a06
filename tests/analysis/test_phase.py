"""`ltc_np.analysis.phase` against exact formulas and short steps; `ltc_np.analysis.places` finds the layer."""

import numpy as np
import pytest

from ltc_np import (
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    AutoNCP,
    Dense,
    FullyConnected,
    LrcSSM,
    MixedMemory,
    Model,
    NeuralODE,
    Pooling,
    Residual,
    Standardize,
    analysis,
)

LAYERS = {
    "LTC": LTC(AutoNCP(8, 3), ode_unfolds=3),
    "LTC rk4": LTC(FullyConnected(5, 2), solver="rk4", init={"cm": 2.0}),
    "LRC": LRC(FullyConnected(5, 3), elastance="symmetric"),
    "LrcSSM": LrcSSM(4),
    "CTRNN": CTRNN(4, tau=0.7),
    "NeuralODE": NeuralODE(4, init={"w_h": ("orthogonal", 3.0)}),
}


@pytest.mark.slow
@pytest.mark.few(3)
@pytest.mark.parametrize("key", LAYERS)
def test_slopes_are_those_of_short_steps(key, rng):
    """Where the whole model goes in a moment, with the other neurons where they are: not the first layer, not alone."""
    model = Model(Standardize(mean=0.3), LAYERS[key], GRU(3), Dense(1), input_dim=2, seed=3, dtype="float64")
    x, state = rng.normal(size=2), 0.5 * rng.normal(size=model.state_size)
    plane = analysis.nullclines(model, (2, 0), x, state=state, low=-0.8, high=1.2, points=5)
    np.testing.assert_allclose(plane.first, np.linspace(-0.8, 1.2, 5))
    h = 1e-7
    for i in range(5):
        for j in range(5):
            start = state.copy()
            start[2], start[0] = plane.first[i], plane.second[j]
            _, after = model.step(x, dt=h, state=start)
            slopes = (after - start)[[2, 0]] / h
            np.testing.assert_allclose(plane.slopes[:, i, j], slopes, rtol=1e-5, atol=1e-5)


def test_nullclines_of_a_ctrnn(rng):
    """v' = -v / tau + tanh(x w_x + v w_h + b), which two neurons solve for each other in closed form."""
    model = Model(CTRNN(3, tau=2.0, init={"w_h": ("orthogonal", 2.0)}), input_dim=2, seed=1, dtype="float64")
    p, x, state = model.effective, 0.1 * rng.normal(size=2), 0.1 * rng.normal(size=3)
    plane = analysis.nullclines(model, (0, 2), x, state=state, low=-1.97, high=1.97)
    drive = x @ p["w_x"] + p["b"]
    for points, own, other in ((plane.first_still, 0, 1), (plane.second_still, 1, 0)):
        assert len(points) > 41
        neuron, another = (0, 2)[own], (0, 2)[other]
        held = drive[neuron] + state[1] * p["w_h"][1, neuron]
        v = points[:, own]
        argument = np.arctanh(v / p["tau"][neuron]) - held - v * p["w_h"][neuron, neuron]
        np.testing.assert_allclose(points[:, other], argument / p["w_h"][another, neuron], atol=1e-9)
    assert np.abs(plane.first_still).max() <= 1.97


def test_nullclines_of_an_ltc(rng):
    """On them the currents of the neuron add up to 0, by loops over its synapses; every change of sign has a point."""
    model = Model(LTC(FullyConnected(4, 2), epsilon=0.0), input_dim=2, seed=2, dtype="float64")
    p, wiring, x, state = model.effective, model.wiring, rng.normal(size=2), 0.2 * rng.normal(size=4)
    plane = analysis.nullclines(model, (1, 3), x, state=state)
    inputs = x * p["input_w"] + p["input_b"]
    for neuron, points in ((1, plane.first_still), (3, plane.second_still)):
        assert len(points)
        for point in points:
            v = state.copy()
            v[[1, 3]] = point
            total = p["gleak"][neuron] * (p["vleak"][neuron] - v[neuron])
            for kind, pre, post, source in (
                ("", wiring.pre, wiring.post, v),
                ("sensory_", wiring.sensory_pre, wiring.sensory_post, inputs),
            ):
                for s in np.flatnonzero(post == neuron):
                    opening = 1 / (1 + np.exp(-p[f"{kind}sigma"][s] * (source[pre[s]] - p[f"{kind}mu"][s])))
                    total += p[f"{kind}w"][s] * opening * (p[f"{kind}erev"][s] - v[neuron])
            assert abs(total) < 1e-9
    for field, points in zip(plane.slopes, (plane.first_still, plane.second_still), strict=True):
        signs = field < 0
        assert len(points) == (signs[1:] != signs[:-1]).sum() + (signs[:, 1:] != signs[:, :-1]).sum()


def test_a_neuron_that_never_stands_still():
    model = Model(NeuralODE(2, init={"b": 5.0}), input_dim=1, seed=0)
    plane = analysis.nullclines(model, (0, 1), [0.0], points=3)
    assert plane.first_still.shape == plane.second_still.shape == (0, 2)
    assert plane.slopes.dtype == np.float32 and (plane.slopes > 0.9).all()


def test_an_ltc_beside_an_lstm_is_no_plane(rng):
    """Its cell steps from, or by, what the LSTM says, so that slopes are no function of the potentials alone."""
    for topology in ("torch", "keras"):
        model = Model(MixedMemory(LTC(FullyConnected(3, 1)), topology=topology), input_dim=2, seed=0)
        for layer in (None, 0):
            with pytest.raises(ValueError, match="`layer` must be a differential equation, .* got MixedMemory"):
                analysis.nullclines(model, (0, 1), np.zeros(2), layer=layer)


def test_around_a_differential_equation_the_plane_is_the_same():
    inside, model = (Model(own, input_dim=2, seed=0) for own in (CTRNN(2), Residual(CTRNN(2))))
    for a, b in zip(*(analysis.nullclines(m, (0, 1), [0.3, -0.2], points=5) for m in (inside, model)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_before_it_have_a_state_of_their_own(rng):
    """Columns are those of the layer that is meant; layers before begin where the model does."""
    model = Model(CTRNN(3), CTRNN(2), Dense(1), input_dim=2, seed=0, dtype="float64")
    x, state = rng.normal(size=2), rng.normal(size=5)
    plane = analysis.nullclines(model, (1, 0), x, state=state, points=3, layer=1)
    p = model.effective
    for i in range(3):
        for j in range(3):
            v = np.array([plane.second[j], plane.first[i]])
            slope = np.tanh(state[:3] @ p["1.w_x"] + v @ p["1.w_h"] + p["1.b"]) - v / p["1.tau"]
            np.testing.assert_allclose(plane.slopes[:, i, j], slope[[1, 0]], rtol=1e-12, atol=1e-14)
    inside = Model(CTRNN(2), input_dim=2, seed=0)
    pooled = Model(Pooling("max"), CTRNN(2), input_dim=2, seed=0)
    x = [-0.7, -0.2]  # the largest so far, of a sequence that begins with it
    for a, b in zip(*(analysis.nullclines(m, (0, 1), x, points=3) for m in (inside, pooled)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_refused():
    model = Model(CTRNN(3), CTRNN(2), input_dim=2, seed=0)
    x = np.zeros(2)
    with pytest.raises(ValueError, match="`layer` must be given unless exactly one layer shows `slope`"):
        analysis.nullclines(model, (0, 1), x)
    with pytest.raises(ValueError, match="`layer` must be given unless exactly one layer shows `slope`"):
        analysis.nullclines(Model(LSTM(3), input_dim=2), (0, 1), x)
    with pytest.raises(ValueError, match="`layer` must be one that shows `slope` in a trace, got Dense"):
        analysis.nullclines(Model(CTRNN(3), Dense(1), input_dim=2), (0, 1), x, layer=1)
    for neurons in ((0, 0), (0,), (0, 1, 2), 1):
        with pytest.raises(ValueError, match="`neurons` must be two different ints"):
            analysis.nullclines(model, neurons, x, layer=0)
    with pytest.raises(ValueError, match=r"`neurons` must be an int in 0\.\.1, got 2"):
        analysis.nullclines(model, (0, 2), x, layer=1)
    with pytest.raises(ValueError, match=r"`x` must have shape \(2,\)"):
        analysis.nullclines(model, (0, 1), np.zeros(3), layer=1)
    with pytest.raises(ValueError, match=r"`state` must have shape \(5,\)"):
        analysis.nullclines(model, (0, 1), x, state=np.zeros(3), layer=1)
    with pytest.raises(ValueError, match="`high` must be"):
        analysis.nullclines(model, (0, 1), x, low=1, high=1, layer=1)
