"""`LTC(init="time_constants")`: time constants at rest against a naive sum, and what becomes of gradients."""

import copy
import pickle

import numpy as np
import pytest

from ltc_np import (
    LTC,
    LTCRNN,
    NCP,
    Adam,
    AutoNCP,
    Dense,
    FullyConnected,
    MixedMemory,
    Model,
    Random,
    RandomWiring,
    Wiring,
    load,
)

# Neuron 0 has synapses of both kinds, 1 only a recurrent one, 2 only sensory ones, 3 none at all.
SPARSE = Wiring.from_edges(4, [(0, 1, -1), (1, 0, 2.5)], [(0, 2, 1), (1, 2, -0.5), (0, 0, 1)], 1)
WIRINGS = {
    "fan-in 1": FullyConnected(1).build(1),
    "fan-in 8": FullyConnected(8).build(3),
    "fan-in 128": FullyConnected(128).build(2),
    "NCP": NCP(12, 8, 3, 4, 4, 5, 4, seed=3).build(5),
    "AutoNCP": AutoNCP(32, 4).build(6),
    "sparse": Random(40, sparsity_level=0.9).build(2),
    "with gains": RandomWiring(3, 2, 20, seed=0),
    "without partners": SPARSE,
}


def time_constants(model):
    """Of every neuron at rest, synapse by synapse."""
    p, layer = model.effective, model.layers[0]
    wiring, Q = layer.wiring, p["gleak"].astype(np.float64) + layer.epsilon
    for kind in ("", "sensory_"):
        post, gain = getattr(wiring, kind + "post"), getattr(wiring, kind + "gain")
        for k, i in enumerate(post):
            z = p[kind + "sigma"][k] * (0 - p[kind + "mu"][k])
            Q[i] += p[kind + "w"][k] * (1 if gain is None else gain[k]) / (1 + np.exp(-z))
    return p["cm"] / Q


def positions(model, low, high):
    """Where in the logarithmic range, sorted: 0 is low, 1 is high."""
    return np.sort(np.log(time_constants(model) / low) / np.log(high / low))


@pytest.mark.parametrize("positivity", ["softplus", "clip"])
@pytest.mark.parametrize("name", WIRINGS)
def test_time_constants_cover_the_range(name, positivity):
    """One in each of N equal parts: their distribution is never further than 1/N from the uniform one."""
    wiring = WIRINGS[name]
    for (low, high), epsilon, dtype in (((1, 100), 1e-8, "float64"), ((0.05, 2000.0), 0.7, "float32")):
        init = {"time_constants": (low, high)}
        model = LTCRNN(wiring, positivity=positivity, epsilon=epsilon, init=init, seed=1, dtype=dtype)
        u, parts = positions(model, low, high), np.arange(wiring.units) / wiring.units
        # Rounding: raw values of down to -20 in float32 are conductances with errors of some 20 * 6e-8.
        slack = 1e-12 if dtype == "float64" else 1e-5
        assert (u > parts - slack).all()
        assert (u < parts + 1 / wiring.units + slack).all()
        p = model.effective
        for values in (p["gleak"], p["cm"], p["w"], p["sensory_w"]):
            assert (values > 0).all()


def test_neurons_relax_with_these_time_constants():
    """Behaviour, not parameters: dv+/dv of a neuron without a synapse onto itself is exp(-dt / tau) for short dt."""
    wiring = FullyConnected(6, self_connections=False)
    model = LTCRNN(
        wiring, 2, init={"time_constants": (0.5, 50)}, solver="exponential", dtype="float64", seed=0, backend="numpy"
    )
    dt, eye = 1e-3, np.eye(6)[:, None]
    _, tape = model.forward(np.zeros((6, 1, 2)), dt=dt)
    tau = -dt / np.log(np.diag(model.backward(tape, eye).h0))
    np.testing.assert_allclose(tau, time_constants(model), rtol=1e-3)  # the potentials leave 0 within dt


@pytest.mark.parametrize("fan_in", [1, 8, 128])
def test_strengths_follow_the_fan_in(fan_in):
    """The synapses of a kind, all open, make ten leaks together, whatever their number and their gains."""
    gains = np.random.default_rng(0).uniform(0.5, 2, (fan_in, fan_in))
    wiring = Wiring.from_matrix(gains, np.ones((3, fan_in)), fan_in)
    p = LTCRNN(wiring, init="time_constants", dtype="float64", seed=0).effective
    recurrent = np.bincount(wiring.post, p["w"] * (1 if wiring.gain is None else wiring.gain))
    np.testing.assert_allclose(recurrent, 10 * p["gleak"], rtol=1e-12)
    np.testing.assert_allclose(np.bincount(wiring.sensory_post, p["sensory_w"]), 10 * p["gleak"], rtol=1e-12)


def test_other_initial_values_are_respected():
    """Where mu and sigma are given, the time constants are right for these."""
    others = {"mu": (-1.0, 0.0), "sensory_sigma": 2.0, "vleak": 0.25}
    model = LTCRNN(AutoNCP(16, 2), 3, init={"time_constants": [2, 20]} | others, dtype="float64", seed=0)
    assert (model.params["mu"] < 0).all()
    assert (model.params["sensory_sigma"] == 2).all()
    assert (model.params["vleak"] == 0.25).all()
    u = positions(model, 2, 20)
    assert np.abs(u - (np.arange(16) + 0.5) / 16).max() < 0.5 / 16 + 1e-12
    equal = LTCRNN(AutoNCP(16, 2), 3, init={"time_constants": (7, 7)}, dtype="float64", seed=0)
    np.testing.assert_allclose(time_constants(equal), 7, rtol=1e-12)


def test_draws_depend_on_the_seed_alone():
    a, b, c = (LTCRNN(AutoNCP(8, 2), 2, init="time_constants", seed=s) for s in (3, 3, 4))
    assert np.array_equal(a.theta, b.theta)
    assert not np.array_equal(a.params["cm"] / a.params["gleak"], c.params["cm"] / c.params["gleak"])
    double = LTCRNN(AutoNCP(8, 2), 2, init="time_constants", seed=3, dtype="float64")
    assert np.array_equal(double.theta.astype(np.float32), a.theta)
    # A layer that stands twice in a stack is drawn twice, each time as a whole.
    layer = LTC(FullyConnected(5), input_dim=5, init="time_constants")
    twice = Model(layer, layer, seed=0, dtype="float64").params
    one = Model(layer, seed=0, dtype="float64").params
    for name in ("gleak", "w", "mu"):
        assert np.array_equal(twice[f"0.{name}"], one[name])
        assert not np.array_equal(twice[f"1.{name}"], one[name])


def test_it_is_part_of_the_layer(tmp_path):
    init = {"time_constants": (1, 500), "mu": (0.0, 0.5)}
    layer = LTC(AutoNCP(8, 2), input_dim=3, init=init)
    assert layer.init == {"time_constants": (1.0, 500.0), "mu": (0.0, 0.5)}
    assert repr(layer).endswith("init={'time_constants': (1.0, 500.0), 'mu': (0.0, 0.5)})")
    short = LTC(AutoNCP(8, 2), input_dim=3, init="time_constants")
    assert repr(short).endswith("init={'time_constants': (1.0, 100.0)})")
    for described in (layer, short):
        again = LTC.from_config(described.config())
        assert repr(again) == repr(described)
        assert np.array_equal(Model(again, seed=0).theta, Model(described, seed=0).theta)
    model = LTCRNN(AutoNCP(8, 2), 3, init=init, seed=0)
    model.save(tmp_path / "model.npz")
    for other in (load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.theta, model.theta)
        assert other.layers[0].init == layer.init
        assert np.array_equal(Model(*other.layers, seed=0).theta, model.theta)
    mixed = Model(MixedMemory(layer), seed=0)
    assert np.array_equal(mixed.params["cm"], model.params["cm"])


def test_wrong_ranges_are_refused():
    for init, words in (
        ("chrono", "`init` must be a dict or \"time_constants\", got 'chrono'"),
        ({"time_constants": 5}, r"`init\['time_constants'\]` must be \(low, high\) with 0 < low <= high, got 5"),
        ({"time_constants": (1, 2, 3)}, "must be .low, high. with 0 < low <= high"),
        ({"time_constants": (0, 2)}, r"`init\['time_constants'\]` must be a finite number > 0, got 0"),
        ({"time_constants": (2, 1)}, "must be .low, high. with 0 < low <= high, got .2, 1."),
        ({"time_constants": (1, np.inf)}, "must be a finite number > 0, got inf"),
        ({"time_constants": (1, 2), "cm": 1.0}, "`init` must not give 'cm' beside"),
        ({"time_constants": (1, 2), "W": 1.0}, "unknown parameter 'W'"),
    ):
        with pytest.raises(ValueError, match=words):
            LTC(AutoNCP(8, 2), input_dim=2, init=init)
    with pytest.raises(TypeError, match="must be a finite number > 0, got 'a'"):
        LTC(AutoNCP(8, 2), input_dim=2, init={"time_constants": ("a", 2)})
    with pytest.raises(TypeError, match="`init` must be a dict"):
        LTC(AutoNCP(8, 2), input_dim=2, init=["time_constants"])


LAG = 300


@pytest.mark.parametrize("solver, unfolds", [("semi_implicit", 6), ("exponential", 3)])
@pytest.mark.parametrize("N", [8, 32])
def test_gradients_survive_hundreds_of_steps(N, solver, unfolds):
    """From the last potentials to the first ones and the first input, under normal inputs.

    At rest the slowest neuron keeps exp(-1) of a potential over its time constant.  Inputs and neighbours open its
    synapses and make it faster, at most (1 + 10 + 10) / 2.4 times and on the average some 3 times; exp(-9) is 1e-4,
    and of the output's direction, a unit vector, a share of 1/N falls on slow neurons.  One input moves a potential
    by 1/tau of a step's worth, so its gradient is smaller again by 1/300 and by how far that input opens synapses.
    """
    x = np.random.default_rng(N).standard_normal((1 + LAG, 4))

    def gradients(init):
        model = LTCRNN(
            FullyConnected(N), 4, solver=solver, ode_unfolds=unfolds, init=init, dtype="float64", seed=N,
            output_mapping=None,
        )  # fmt: skip
        y, tape = model.forward(x)
        assert np.isfinite(y).all()
        d_y = np.zeros_like(y)
        d_y[-1] = N**-0.5
        g = model.backward(tape, d_y)
        assert np.isfinite(g.theta).all()
        return np.linalg.norm(g.h0), np.linalg.norm(g.x, axis=-1)

    first, inputs = gradients({"time_constants": (1.0, LAG)})
    assert first > 1e-6
    assert inputs[:10].max() > 1e-8
    assert max(first, inputs.max()) < 10  # and nothing explodes
    first, inputs = gradients(None)
    assert first < 1e-30
    assert inputs[:10].max() < 1e-30


@pytest.mark.slow
def test_a_network_learns_to_remember():
    """The sign of the first input, 100 steps and as many noisy inputs later: certain, where the default guesses."""
    rng = np.random.default_rng(0)
    x = np.zeros((1000, 100, 2))
    sign = rng.integers(0, 2, 1000)
    x[:, 0, 0], x[:, :, 1] = 2 * sign - 1, rng.standard_normal((1000, 100))

    def accuracy(init):
        layer = LTC(FullyConnected(16), input_dim=2, solver="exponential", ode_unfolds=1, init=init)
        model = Model(layer, Dense(2), seed=0, return_sequences=False)
        model.fit(
            x[:800], sign[:800], epochs=10, batch_size=32, optimizer=Adam(0.02), loss="cross_entropy", clip_norm=1.0,
            seed=0, verbose=False,
        )  # fmt: skip
        return model.evaluate(x[800:], sign[800:], loss="cross_entropy", metrics=["accuracy"])["accuracy"]

    assert accuracy({"time_constants": (1, 100)}) > 0.99
    with pytest.warns(RuntimeWarning, match="the longest time constant of LTC"):
        guessing = accuracy(None)
    assert guessing < 0.65  # 200 guesses: 0.5 with a standard deviation of 0.035
