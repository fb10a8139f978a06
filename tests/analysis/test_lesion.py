"""`ltc_np.analysis.lesion`: the same as a network made without these synapses; what is silent is heard by nobody."""

import numpy as np
import pytest

from ltc_np import (
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    CfC,
    Dense,
    FullyConnected,
    Model,
    NeuralODE,
    RandomWiring,
    Standardize,
    WiredCfC,
    Wiring,
    analysis,
)

LEAST = {"float32": 1.1e-19, "float64": 1.5e-154}  # what softplus gives at least


def rebuilt(model, layer, place, keep, keep_sensory):
    """A model of the same parameters whose wiring has these synapses only."""
    old = layer.wiring

    def edges(pre, post, polarity, some):
        return [(int(pre[k]), int(post[k]), float(polarity[k])) for k in some]

    wiring = Wiring.from_edges(
        old.units,
        edges(old.pre, old.post, old.polarity, keep),
        edges(old.sensory_pre, old.sensory_post, old.sensory_polarity, keep_sensory),
        input_dim=old.input_dim,
        output_dim=old.output_dim,
    )
    layers = list(model.layers)
    layers[place] = type(layer)(wiring, **{k: v for k, v in layer.config().items() if k not in ("wiring", "input_dim")})
    new = Model(*layers, dtype=model.dtype, backend="numpy")
    prefix = model.layer_stack.prefixes[place]
    for name, values in model.params.items():
        own = name.removeprefix(prefix)
        if values.shape == (len(old.pre),) and own in layer.layout.slices and not own.startswith(("sensory", "output")):
            new.params[name] = values[keep]
        elif own.startswith("sensory"):
            new.params[name] = values[keep_sensory]
        else:
            new.params[name] = values
    return new


@pytest.fixture
def data(rng):
    return rng.normal(size=(3, 7, 2)), rng.uniform(0.1, 1, (3, 7))


@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("kind", [LTC, LRC])
@pytest.mark.parametrize("positivity", ["softplus", "clip"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_synapses_that_are_not_there(kind, positivity, dtype, data):
    """Exactly their strength is 0: the result is that of a smaller wiring, but for the order of sums."""
    x, dt = data
    cell = kind(AutoNCP(11, 3), positivity=positivity, ode_unfolds=3)
    model = Model(Standardize(mean=0.2), cell, Dense(2), input_dim=2, seed=0, dtype=dtype)
    layer = model.layers[1]
    S, S_sensory = len(layer.wiring.pre), len(layer.wiring.sensory_pre)
    assert len({S, S_sensory, layer.wiring.units}) == 3
    found = analysis.lesion(model, synapses=[1, S - 1], sensory_synapses=2)
    small = rebuilt(model, layer, 1, np.delete(np.arange(S), [1, S - 1]), np.delete(np.arange(S_sensory), 2))
    np.testing.assert_allclose(found(x, dt=dt), small(x, dt=dt), rtol=0, atol=2e-6 if dtype == "float32" else 1e-13)
    assert np.abs(found(x, dt=dt) - model(x, dt=dt)).max() > 1e-4
    for name in ("w",) if kind is LTC else ("w", "h", "elastance_w"):
        least = LEAST[dtype] if (name, positivity) == ("w", "softplus") else 0
        assert (found.effective[f"1.{name}"][[1, S - 1]] <= least).all()
        assert found.effective[f"1.sensory_{name}"][2] <= least


@pytest.mark.parametrize("kind", [LTC, LRC])
def test_neurons_that_are_not_heard(kind, data):
    """All synapses from them are gone, that to itself too; a motor neuron's output is the mapping's constant."""
    x, dt = data
    model = Model(kind(FullyConnected(6, 2), ode_unfolds=3), input_dim=2, seed=1, dtype="float64")
    model.params["output_b"] = [0.3, -0.2]
    wiring, (layer,) = model.wiring, model.layers
    found = analysis.lesion(model, neurons=[1, 4])
    keep = np.flatnonzero((wiring.pre != 1) & (wiring.pre != 4))
    small = rebuilt(model, layer, 0, keep, np.arange(len(wiring.sensory_pre)))
    np.testing.assert_allclose(found(x, dt=dt)[:, :, 0], small(x, dt=dt)[:, :, 0], rtol=0, atol=1e-13)
    np.testing.assert_array_equal(found(x, dt=dt)[:, :, 1], -0.2)
    states = [one.trace(x, dt).layers[0].state for one in (found, small)]
    np.testing.assert_allclose(*states, rtol=0, atol=1e-13)  # they still hear the others


def test_neurons_and_synapses_at_once():
    """All of both are silent, in whatever order they are asked for."""
    model = Model(LTC(FullyConnected(4, 1)), input_dim=2, seed=1, dtype="float64")
    found = analysis.lesion(model, neurons=2, synapses=[0, 1])
    twice = analysis.lesion(analysis.lesion(model, synapses=[0, 1]), neurons=2)
    np.testing.assert_array_equal(found.theta, twice.theta)
    silent = np.flatnonzero(found.params["w"] != model.params["w"])
    assert silent.tolist() == sorted({0, 1, *np.flatnonzero(model.wiring.pre == 2).tolist()})


CELLS = {
    "LTC": (LTC(AutoNCP(8, 3), ode_unfolds=2), 8),
    "LTC, no mapping": (LTC(RandomWiring(2, 3, 6, seed=0), ode_unfolds=2), 6),
    "LRC": (LRC(FullyConnected(5, 3), ode_unfolds=2), 5),
    "CfC": (CfC(5, backbone_units=7, backbone_layers=2), 5),
    "CfC, one layer": (CfC(5, backbone_units=7, backbone_layers=1), 5),
    "CfC without backbone": (CfC(5, backbone_layers=0), 5),
    "CTRNN": (CTRNN(5), 5),
    "NeuralODE": (NeuralODE(5, ode_unfolds=2), 5),
    "LSTM": (LSTM(5), 5),
    "GRU": (GRU(5), 5),
}


@pytest.mark.parametrize("key", CELLS)
def test_nobody_hears_a_silent_neuron(key, data):
    """Whatever its state is, no other neuron's state and no output changes; without the lesion they do."""
    x = data[0]
    cell, N = CELLS[key]
    model = Model(cell, Dense(2), input_dim=2, seed=0, dtype="float64")
    h0 = np.zeros((3, model.state_size))
    for neuron in (0, N - 1):
        silent, moved = analysis.lesion(model, neurons=neuron), h0.copy()
        moved[:, neuron] = 0.7
        others = np.arange(model.state_size) % N != neuron
        ends = [silent.trace(x, h0=h) for h in (h0, moved)]
        np.testing.assert_array_equal(ends[0].y, ends[1].y)
        np.testing.assert_array_equal(*(end.layers[0].state[:, :, others] for end in ends))
        assert np.abs(model(x, h0=moved) - model(x, h0=h0)).max() > 1e-9
        changed = silent.theta != model.theta
        assert changed.any() and np.array_equal(silent.buffer_vector, model.buffer_vector)


def test_the_model_is_as_before(data):
    model = LTCRNN(AutoNCP(8, 2), 2, seed=0)
    model.freeze("cm")
    theta = model.theta.copy()
    twin = analysis.lesion(model, neurons=3)
    assert type(twin) is LTCRNN and twin.layers == model.layers and twin.backend == model.backend
    np.testing.assert_array_equal(twin.trainable, model.trainable)
    twin.theta = twin.theta * 0
    np.testing.assert_array_equal(model.theta, theta)
    np.testing.assert_array_equal(analysis.lesion(model).theta, theta)


def test_what_is_silent_stays_so_in_training(data):
    x, dt = data
    twin = analysis.lesion(LTCRNN(AutoNCP(8, 2), 2, seed=0), neurons=3, sensory_synapses=[0, 1])
    twin.fit(x, np.ones((3, 7, 2)), dt=dt, epochs=3, optimizer=Adam(0.1), verbose=False)
    assert (twin.effective["w"][twin.wiring.pre == 3] <= LEAST["float32"]).all() and (twin.wiring.pre == 3).any()
    assert (twin.effective["sensory_w"][:2] <= LEAST["float32"]).all() and (
        twin.effective["sensory_w"][2:] > 0.01
    ).all()


@pytest.mark.parametrize("of", ["neurons", "synapses", "sensory_synapses"])
def test_a_study_is_one_lesion_after_the_other(of, data):
    x, dt = data
    model = Model(LTC(AutoNCP(8, 2), ode_unfolds=2), Dense(1), input_dim=2, seed=0, dtype="float64")
    y, lengths = np.sin(x[:, :, :1]), [7, 4, 2]
    study = analysis.lesion_study(model, x, y, of=of, dt=dt, lengths=lengths, loss="mae")
    valid = np.arange(7) < np.array(lengths)[:, None]

    def error(one):
        return np.abs(one(x, dt=dt) - y)[valid].mean()

    count = {"neurons": 8, "synapses": model.wiring.synapse_count, "sensory_synapses": len(model.wiring.sensory_pre)}
    expected = [error(analysis.lesion(model, **{of: k})) for k in range(count[of])]
    np.testing.assert_allclose(study.losses, expected, rtol=1e-12)
    assert study.intact == pytest.approx(error(model)) and study.of == of
    lines = repr(study).splitlines()
    assert len(lines) == 2 + count[of] and lines[2].split()[0] == str(np.argmax(expected))


def test_a_study_takes_the_loss_of_training(data):
    x, dt = data
    model = LTCRNN(AutoNCP(8, 1), 2, seed=0)
    y = np.sin(x[:, :, :1])
    model.fit(x, y, dt=dt, epochs=1, loss="mae", verbose=False)
    study = analysis.lesion_study(model, x, y, dt=dt)
    assert study.intact == pytest.approx(np.abs(model(x, dt=dt) - y).mean(), rel=1e-5)


def test_what_is_refused(data):
    model = Model(LTC(AutoNCP(8, 2)), LTC(AutoNCP(7, 2)), input_dim=2, seed=0)
    with pytest.raises(ValueError, match="`layer` must be given unless exactly one layer is one of LTC, LRC, CfC"):
        analysis.lesion(model, neurons=1)
    with pytest.raises(ValueError, match=r"`neurons` must be an int in 0\.\.6, got 7"):
        analysis.lesion(model, neurons=7, layer=1)
    with pytest.raises(ValueError, match=r"`layer` must be an int in 0\.\.1, got 2"):
        analysis.lesion(model, neurons=7, layer=2)
    with pytest.raises(TypeError, match="`synapses` must be an int"):
        analysis.lesion(model, synapses=[0.5], layer=1)
    with pytest.raises(ValueError, match="`layer` must be given unless exactly one layer"):
        analysis.lesion(Model(WiredCfC(AutoNCP(7, 2)), input_dim=2), neurons=1)
    with pytest.raises(ValueError, match="`layer` must be the place of one of LTC"):
        analysis.lesion(Model(LTC(AutoNCP(7, 2)), Dense(2), input_dim=2), neurons=1, layer=1)
    with pytest.raises(ValueError, match="`synapses` must be left out for a layer without a list of synapses"):
        analysis.lesion(Model(CTRNN(3), Dense(1), input_dim=2), synapses=1)
    with pytest.raises(ValueError, match=r"`neurons` must not be among those that the layer gives out, 0\.\.2"):
        analysis.lesion(Model(CTRNN(3), input_dim=2), neurons=1)
    with pytest.raises(ValueError, match='`of` must be "neurons" for a layer without'):
        analysis.lesion_study(Model(CTRNN(3), Dense(1), input_dim=2), data[0], data[0], of="synapses")
