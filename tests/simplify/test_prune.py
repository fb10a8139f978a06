"""Pruning: which synapses go, and that the smaller model is the one with w = 0 and an ordinary model."""

import numpy as np
import pytest
from protocol.layers import ROWS
from support import compilers
from support.compilers import Compiled
from support.ltc_networks import WIRINGS, make

from ltc_np import (
    GRU,
    LRC,
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    Bidirectional,
    Dense,
    FullyConnected,
    Model,
    RandomWiring,
    Standardize,
    WiredCfC,
    Wiring,
    load,
)
from ltc_np.cells import CELLS
from ltc_np.cells.synaptic import SynapticCell
from ltc_np.export import c
from ltc_np.export.lower import program
from ltc_np.simplify import prune
from ltc_np.simplify.result import Data
from ltc_np.simplify.shrink import can_shrink, shrink
from ltc_np.simplify.use import uses
from ltc_np.simplify.wired_cfc import strengths

NO_INPUT = pytest.mark.filterwarnings("ignore:no input reaches:UserWarning")


def gone(kept, wiring):
    """Numbers of the synapses that are not kept, recurrent and sensory."""
    return (
        np.setdiff1d(np.arange(wiring.synapse_count), kept.synapses),
        np.setdiff1d(np.arange(wiring.sensory_synapse_count), kept.sensory_synapses),
    )


def silenced(model, kept, prefix="", strengths=("w",)):
    """The model as it was, with the strengths of what is not kept at 0, or so near that nothing of them is left."""
    other = Model(*model.layers, seed=3, dtype=model.dtype, backend=model.backend)
    other.theta, other.buffer_vector[:] = model.theta, model.buffer_vector
    layer = model.layers[int(prefix[:-1] or 0)]
    for kind, places in zip(("", "sensory_"), gone(kept, layer.wiring), strict=True):
        for name in strengths:
            softplus = name == "w" and layer.positivity == "softplus"
            if prefix + kind + name in other.params:
                other.params[prefix + kind + name][places] = -1e4 if softplus else 0
    return other


@NO_INPUT
@pytest.mark.parametrize("keep", [0.3, 0.7])
@pytest.mark.parametrize("key", WIRINGS)
def test_equals_the_model_with_w_0(key, keep, backend):
    for positivity in ("softplus", "clip"):
        model, x, dt, lengths = make(key, backend, positivity=positivity)
        data = {"dt": dt, "lengths": lengths}
        result = prune(model, x, keep=keep, compensate=False, **data)
        kept, wiring = result.kept[0], result.model.wiring
        assert wiring.synapse_count + wiring.sensory_synapse_count <= max(round(keep * result.before.synapses), 1)
        assert result.before.synapses == model.wiring.synapse_count + model.wiring.sensory_synapse_count
        other = silenced(model, kept)
        y, state = result.model(x, return_state=True, **data)
        wanted, wanted_state = other(x, return_state=True, **data)
        # The same terms but for zeros, whose place changes the order of a sum: some roundings in each of 24 unfolds.
        np.testing.assert_allclose(y, wanted, rtol=0, atol=3e-15 * max(np.abs(wanted).max(), 1))
        np.testing.assert_allclose(state, wanted_state[:, kept.neurons], rtol=0, atol=1e-14)
        # What is left is what there was.
        old, before = result.model.params, model.params
        assert (old["gleak"] == before["gleak"][kept.neurons]).all()
        for name in ("w", "mu", "sigma", "erev"):
            assert (old[name] == before[name][kept.synapses]).all()
            assert (old[f"sensory_{name}"] == before[f"sensory_{name}"][kept.sensory_synapses]).all()
        for new, pre in zip((wiring.pre, wiring.post), (model.wiring.pre, model.wiring.post), strict=True):
            assert (kept.neurons[new] == pre[kept.synapses]).all()
        assert (wiring.sensory_pre == model.wiring.sensory_pre[kept.sensory_synapses]).all()
        assert (wiring.polarity == model.wiring.polarity[kept.synapses]).all()


@NO_INPUT
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"elastance_by": "state"},
        {"elastance": "symmetric", "elastance_by": "state_and_inputs"},
        {"elastance": None},
    ],
)
@pytest.mark.parametrize("wiring", [AutoNCP(9, 2), FullyConnected(5, 2), RandomWiring(3, 2, 8, seed=0)], ids=repr)
def test_lrc_equals_the_model_with_weights_of_0(wiring, options, backend):
    model = Model(LRC(wiring, **options), input_dim=3, seed=1, dtype="float64", backend=backend)
    x = np.random.default_rng(0).normal(size=(4, 7, 3))
    result = prune(model, x, keep=0.4, dt=0.6)
    other = silenced(model, result.kept[0], strengths=("w", "h", "elastance_w"))
    wanted = other(x, dt=0.6)
    np.testing.assert_allclose(result.model(x, dt=0.6), wanted, rtol=0, atol=1e-14)
    assert result.after.synapses <= round(0.4 * result.before.synapses)


@NO_INPUT
@pytest.mark.parametrize("mode", ["default", "no_gate", "pure"])
@pytest.mark.parametrize("wiring", [AutoNCP(12, 3), FullyConnected(5, 2)], ids=repr)
def test_wired_cfc_loses_what_has_no_weight(wiring, mode, backend):
    """The same places of all heads belong to one synapse: those that are 0 there go first, and nothing changes."""
    model = Model(WiredCfC(wiring, strict=True, mode=mode), input_dim=3, seed=1, dtype="float64", backend=backend)
    layer, rng, zeros, total = model.layers[0], np.random.default_rng(3), 0, 0
    for cell in layer.cells:
        heads = [name for name in model.params if name.startswith(cell.name) and name.endswith("_w")]
        size = model.params[heads[0]].size
        at = rng.permutation(size)[: size // 3]
        zeros, total = zeros + at.size, total + size
        for name in heads:
            model.params[name][at] = 0
    x, dt = rng.normal(size=(4, 7, 3)), rng.uniform(0, 2, (4, 7))
    result = prune(model, x, dt=dt, keep=1 - zeros / total, step=1)
    assert result.before.synapses == total
    assert result.after.synapses <= total - zeros
    assert len(result.table) == 1
    # Products of matrices of other sizes, by BLAS.
    np.testing.assert_allclose(result.model(x, dt=dt), model(x, dt=dt), rtol=0, atol=1e-14)
    weights = [name for name in result.model.params if name.endswith("_w")]
    assert all((result.model.params[name] != 0).all() for name in weights)
    dead = prune(model, x, dt=dt, keep=0.2)
    assert dead.after.state < dead.before.state


def test_wired_cfc_that_falls_apart_keeps_its_order():
    """Layers that a synapse leads back to read the step before; they still do when that synapse is gone."""
    wiring = Wiring.from_edges(
        4, [(3, 2, 1), (2, 1, 1), (1, 0, 1), (2, 3, 1)], [(0, 3, 1)], output_dim=1,
        layers=[("a", [3]), ("b", [2]), ("c", [1]), ("out", [0])],
    )  # fmt: skip
    model = Model(WiredCfC(wiring, strict=True), seed=1, dtype="float64")
    assert [cell.name for cell in model.layers[0].cells] == ["a_b", "c", "out"]
    for head in ("ff1", "ff2", "time_a", "time_b"):
        layer = model.layers[0]
        matrix = layer.dense(f"a_b_{head}_w", model.params[f"a_b_{head}_w"])
        rows, columns = layer.weights(f"a_b_{head}_w")
        back = (rows == 2) & (columns == 0)  # rows: the input, neurons 3 and 2; columns: neurons 3 and 2
        assert back.sum() == 1
        assert matrix[2, 0] != 0
        model.params[f"a_b_{head}_w"][back] = 0
    x = np.random.default_rng(0).normal(size=(2, 6, 1))
    result = prune(model, x, keep=0.8)
    assert result.after.synapses == 4
    assert [cell.name for cell in result.model.layers[0].cells] == ["a_b", "c", "out"]
    np.testing.assert_allclose(result.model(x), model(x), rtol=0, atol=1e-15)


# ------------------------------------------------------------------------------------------------ what goes first


def naive_currents(model, x, dt, lengths):
    """Per synapse its current and opening at all valid steps, by single steps of a model of one unfold."""
    layer, p = model.layers[0], model.effective
    wiring, found = layer.wiring, {"": [], "sensory_": []}
    lists = {"": (wiring.pre, wiring.post), "sensory_": (wiring.sensory_pre, wiring.sensory_post)}
    for b, n in enumerate(lengths):
        state = model.initial_state()
        for t in range(n):
            sources = {"": state, "sensory_": x[b, t] * p["input_w"] + p["input_b"]}
            for kind, (pre, post) in lists.items():
                opening = 1 / (1 + np.exp(-p[kind + "sigma"] * (sources[kind][pre] - p[kind + "mu"])))
                current = p[kind + "w"] * opening * (p[kind + "erev"] - state[post])
                found[kind].append((current, opening))
            _, state = model.step(x[b, t], dt=dt[b, t], state=state)
    return {kind: tuple(map(np.array, zip(*rows, strict=True))) for kind, rows in found.items()}


@pytest.mark.parametrize("compensate", [False, True])
def test_what_is_lost_by_loops(compensate):
    model = LTCRNN(FullyConnected(5), 2, seed=0, dtype="float64", ode_unfolds=1)  # all motor: no neuron goes
    _, x, dt, lengths = make("dense", "numpy")
    model.params["input_b"] = 0.3
    model.params["erev"] *= 0.1  # so that currents change their direction
    found = naive_currents(model, x, dt, lengths)
    assert ((found[""][0].min(0) < 0) & (found[""][0].max(0) > 0)).any()
    loss = {kind: current.std(0) if compensate else np.abs(current).mean(0) for kind, (current, _) in found.items()}
    mean = np.concatenate([*loss.values()]).mean()
    use = uses(model, [0], Data(x, dt, lengths), compensate)[0]
    for kind, own, conductance in zip(("", "sensory_"), use.loss, use.conductance, strict=True):
        np.testing.assert_allclose(own, loss[kind] / mean, rtol=1e-11)
        np.testing.assert_allclose(conductance, found[kind][1].mean(0) * model.effective[kind + "w"], rtol=1e-11)
    # The weakest go.
    every = np.concatenate([*loss.values()])
    result = prune(model, x, keep=0.5, step=1, compensate=compensate, dt=dt, lengths=lengths)
    S = model.wiring.synapse_count
    stays = np.concatenate([result.kept[0].synapses, S + result.kept[0].sensory_synapses])
    assert set(stays) == set(np.argsort(every)[every.size - round(0.5 * every.size) :])


@pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if issubclass(cell, SynapticCell)])
def test_of_every_cell_with_synapses_it_is_known_which_arrays_are_of_them(name):
    """Where nothing goes, every number stays in its place; an array of synapses is longer than one of neurons."""
    for example in ROWS[name].examples:
        own = {"wiring": FullyConnected(5, 2), "input_dim": 3, "init": None}
        layer = type(example).from_config(example.config() | own)
        smaller = shrink(layer, np.ones(25, bool), np.ones(15, bool))
        assert (smaller.theta == np.arange(layer.layout.size)).all()
        model = Model(layer, seed=0, dtype="float64")
        use = uses(model, [0], Data(np.ones((1, 2, 3)), 0.1, None), compensate=True)[0]
        assert [loss.shape for loss in use.loss] == [(25,), (15,)]


def test_what_is_lost_of_an_lrc_and_of_a_wired_cfc_by_hand():
    x = np.array([[[0.5], [-1.5]]])
    lrc = Model(LRC(Wiring.from_edges(1, [(0, 0, 1)], [(0, 0, -1)])), seed=0, dtype="float64")
    lrc.params["input_w"], lrc.params["input_b"] = 2.0, 4.0  # without the 4 the magnitudes have another mean
    p = lrc.effective
    y = lrc(x, return_sequences=True)[0, :, 0]
    before = np.array([0.0, (y[0] - p["output_b"][0]) / p["output_w"][0]])
    after = (y - p["output_b"]) / p["output_w"]
    mapped = 2 * x[0, :, 0] + 4.0
    wanted = [
        (1 / (1 + np.exp(-p[k + "sigma"] * (source - p[k + "mu"])))).mean() * (p[k + "w"] + abs(p[k + "h"]))
        + abs(p[k + "elastance_w"]) * np.abs(read).mean()
        for k, source, read in (("", before, after), ("sensory_", mapped, mapped))
    ]
    use = uses(lrc, [0], Data(x, None, None), True)[0]
    assert use.conductance is None
    np.testing.assert_allclose(np.ravel(use.loss), np.ravel(wanted) / np.mean(wanted), rtol=1e-12)

    cfc = Model(WiredCfC(Wiring.from_edges(1, [(0, 0, 1)], [(0, 0, -1)]), strict=True), seed=0, dtype="float64")
    heads = [cfc.params[f"recurrent_{head}_w"] for head in ("ff1", "ff2", "time_a", "time_b")]
    sensory, recurrent = np.abs(heads).sum(0)  # rows: the input, then the neuron itself
    wanted = np.array([recurrent * np.abs(cfc(x)).mean(), sensory * 1.0])
    assert (strengths(cfc.layers[0], dict(cfc.params), "") == recurrent).all()
    np.testing.assert_allclose(np.ravel(uses(cfc, [0], Data(x, None, None), True)[0].loss), wanted / wanted.mean())


def test_what_is_lost_of_an_lrc_counts_its_gains():
    """A gain multiplies what a synapse adds to both sums, and not its part of the elastance."""
    found = []
    for gain in (1.0, 0.25):
        wiring = Wiring.from_edges(1, [], [(0, 0, -gain), (1, 0, 1)])
        model = Model(LRC(wiring, elastance="asymmetric"), seed=0, dtype="float64")
        model.params["sensory_elastance_w"] = [0.0, -0.7]
        model.params["sensory_h"] = [-0.3, 0.4]
        x = np.random.default_rng(0).normal(size=(2, 6, 2))
        loss = uses(model, [0], Data(x, None, None), True)[0].loss[1]
        found.append(loss[0] / loss[1])
    assert found[1] == pytest.approx(found[0] / 4, rel=1e-12)


def test_what_is_lost_of_a_wired_cfc_in_layers():
    """The state has the layers in the order of flow, and the wiring numbers the motor neurons first."""
    model = Model(WiredCfC(AutoNCP(12, 3), strict=True), input_dim=3, seed=0, dtype="float64")
    layer, wiring = model.layers[0], model.layers[0].wiring
    x = np.random.default_rng(0).normal(size=(4, 6, 3))
    loss = uses(model, [0], Data(x, None, None), True)[0].loss[0]
    command = wiring.layers[1][1]
    weights = [
        layer.dense(f"motor_{head}_w", model.params[f"motor_{head}_w"]) for head in ("ff1", "ff2", "time_a", "time_b")
    ]
    total = np.abs(weights).sum(0)[: len(command)]  # rows: command neurons, then the motor neurons themselves
    state = np.abs(model.trace(x).layers[0].state[:, :, layer.state_slices["command"]]).mean((0, 1))
    wanted = {
        (neuron, motor): state[k] * total[k, motor]
        for k, neuron in enumerate(command)
        for motor in range(3)
        if total[k, motor]
    }
    found = {
        (int(pre), int(post)): value
        for pre, post, value in zip(wiring.pre, wiring.post, loss, strict=True)
        if post < 3 and pre in command
    }
    assert found.keys() == wanted.keys()
    ratio = np.array([found[key] / wanted[key] for key in found])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)


def test_neurons_without_a_way_to_an_output_go():
    """2 -> 1 -> 0 (motor); 3 <-> 4 lead nowhere once 3 -> 1 is gone."""
    edges = [(2, 1, 1), (1, 0, 1), (3, 4, 1), (4, 3, 1), (3, 1, 1)]
    sensory = [(0, 2, 1), (0, 3, 1), (1, 4, -1)]
    model = LTCRNN(Wiring.from_edges(5, edges, sensory, output_dim=1), seed=0, dtype="float64", positivity="clip")
    at = int(np.flatnonzero((model.wiring.pre == 3) & (model.wiring.post == 1))[0])
    model.params["w"][at] = 0
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    result = prune(model, x, keep=7 / 8)
    kept = result.kept[0]
    alone = shrink(model.layers[0], np.arange(5) != at, np.ones(3, bool))
    assert alone.layer == result.model.layers[0]
    assert (model.theta[alone.theta] == result.model.theta).all()
    assert kept.neurons.tolist() == [0, 1, 2]
    wiring = result.model.wiring
    assert sorted(zip(wiring.pre.tolist(), wiring.post.tolist(), strict=True)) == [(1, 0), (2, 1)]
    assert list(zip(wiring.sensory_pre.tolist(), wiring.sensory_post.tolist(), strict=True)) == [(0, 2)]
    assert wiring.input_dim == 2
    assert (result.before.state, result.after.state) == (5, 3)
    np.testing.assert_allclose(result.model(x), model(x), rtol=0, atol=1e-15)
    assert result.error.largest < 1e-15


# ------------------------------------------------------------------------------------------- leaks that take over


def test_a_constant_conductance_is_not_lost():
    wiring = Wiring.from_edges(1, [], [(0, 0, -0.5), (1, 0, 1)])  # one with a gain
    for positivity in ("softplus", "clip"):
        model = LTCRNN(wiring, seed=0, dtype="float64", positivity=positivity)
        model.params["sensory_w"][0] = 0.05
        x = np.stack([np.full((4, 9), 0.7), np.random.default_rng(0).normal(size=(4, 9))], axis=2)
        result = prune(model, x, keep=0.5, dt=0.8)
        assert result.kept[0].sensory_synapses.tolist() == [1]
        assert result.error.largest < 1e-15
        assert prune(model, x, keep=0.5, dt=0.8, compensate=False).error.largest > 1e-3


@pytest.mark.filterwarnings("error")
def test_a_neuron_without_a_leak_that_loses_nothing_stays():
    """Synapses of strength 0 go first, and there is no mean of what they pulled to."""
    model = LTCRNN(FullyConnected(3), 2, seed=0, dtype="float64", positivity="clip", backend="numpy")
    model.params["gleak"] = 0.0
    model.params["w"] = 0.0
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    result = prune(model, x, keep=6 / 15, step=1)
    assert result.kept[0].synapses.size == 0 and result.kept[0].sensory_synapses.size == 6
    for name in ("gleak", "vleak"):
        assert (result.model.params[name] == model.params[name]).all()
    assert (result.model(x) == model(x)).all()


def test_leaks_by_loops():
    model, x, dt, lengths = make("dense", "numpy", ode_unfolds=1)
    result = prune(model, x, keep=0.6, step=1, dt=dt, lengths=lengths)
    kept, found, p = result.kept[0], naive_currents(model, x, dt, lengths), model.effective
    g, pull = p["gleak"].copy(), p["gleak"] * p["vleak"]
    wiring = model.wiring
    for kind, post, places in zip(
        ("", "sensory_"), (wiring.post, wiring.sensory_post), gone(kept, wiring), strict=True
    ):
        for k in places:
            a = found[kind][1][:, k].mean() * p[kind + "w"][k]
            g[post[k]] += a
            pull[post[k]] += a * p[kind + "erev"][k]
    np.testing.assert_allclose(result.model.effective["gleak"], g[kept.neurons], rtol=1e-12)
    np.testing.assert_allclose(result.model.effective["vleak"], (pull / g)[kept.neurons], rtol=1e-12)
    for name in ("cm", "w", "mu"):
        places = kept.neurons if name == "cm" else kept.synapses
        assert (result.model.params[name] == model.params[name][places]).all()


# --------------------------------------------------------------------------------------------------------- the rest


def smooth(n=48, seed=0):
    """What the readme's example learns: a feature, smoothed."""
    x = np.random.default_rng(seed).normal(size=(n, 15, 2))
    y = np.zeros((n, 15, 1))
    for t in range(15):
        y[:, t] = 0.7 * y[:, t - 1] + 0.3 * x[:, t, :1]
    return x, y


@pytest.fixture(scope="module")
def trained():
    x, y = smooth()
    model = Model(Standardize(), LTC(FullyConnected(8, 3)), Dense(1), input_dim=2, seed=0)
    model.fit(x, y, epochs=60, batch_size=16, optimizer=Adam(0.02), standardize=True, seed=0, verbose=False)
    return model


def test_tolerance_and_table(trained):
    x, _ = smooth()
    result = prune(trained, x, tolerance=0.1)
    errors = [row.error for row in result.table]
    assert max(errors[:-1]) <= 0.1 < errors[-1]  # one went too far, and is not what comes out
    assert result.error.relative == pytest.approx(errors[-2], rel=1e-5)
    assert result.after == result.table[-2].size
    assert result.after.synapses < 0.8 * result.before.synapses
    assert [row.what for row in result.table] == [f"cut {k + 1}" for k in range(len(errors))]
    cuts = -np.diff([result.before.synapses, *(row.size.synapses for row in result.table)])
    assert cuts.min() >= round(0.1 * result.before.synapses)
    half = prune(trained, x, keep=0.5, tolerance=1e9)
    assert half.after.synapses <= round(0.5 * half.before.synapses)
    none = prune(trained, x, tolerance=0.0)
    assert none.model is trained
    assert len(none.kept[1].synapses) == 64


@pytest.mark.filterwarnings("error")
def test_of_synapses_that_do_alike_the_first_go():
    """In one step of one sequence no current changes: all losses are 0, and there is no mean to measure them by."""
    options = {"ode_unfolds": 1, "seed": 0, "dtype": "float64", "backend": "numpy"}
    model = LTCRNN(FullyConnected(9), 3, **options)  # all motor: no neuron goes
    x = np.random.default_rng(0).normal(size=(1, 1, 3))
    assert not any(values.any() for values in uses(model, [0], Data(x, None, None), True)[0].loss)
    result = prune(model, x, keep=68 / 108, step=1)
    assert result.kept[0].synapses.tolist() == list(range(40, 81))
    assert result.kept[0].sensory_synapses.tolist() == list(range(27))
    assert result.error.largest < 1e-14  # and the leak takes over all of what they did


@NO_INPUT
def test_a_cut_removes_a_share_of_the_whole_model():
    model = LTCRNN(FullyConnected(5), 3, seed=0, dtype="float64", backend="numpy")  # all motor: no neuron goes
    x = np.random.default_rng(0).normal(size=(4, 6, 3))
    result = prune(model, x, keep=0.05, step=0.3)
    assert [row.size.synapses for row in result.table] == [28, 16, 4, 2]
    assert prune(model, x, keep=1e-9, step=1).after.synapses == 1


def test_other_layers_stay(trained):
    x, _ = smooth()
    theta = trained.theta.copy()
    result = prune(trained, x, keep=0.5)
    other = result.model
    assert (other.layers[0], other.layers[2]) == (trained.layers[0], trained.layers[2])
    assert (other.buffers["0.mean"] == trained.buffers["0.mean"]).all()
    assert (other.params["2.weight"] == trained.params["2.weight"]).all()
    assert (other.params["1.output_w"] == trained.params["1.output_w"]).all()
    assert (trained.theta == theta).all()
    assert result.original is trained


def test_frozen_parameters_stay_frozen(trained):
    x, _ = smooth()
    model = Model(*trained.layers, seed=0)
    model.freeze("1.w", "2")
    other = prune(model, x, keep=0.5).model
    frozen = {name for name, values in other.views(np.asarray(other.trainable)).items() if not values.any()}
    assert frozen == {"1.w", "2.weight", "2.bias"}


@NO_INPUT
def test_gains_of_a_wiring_stay_with_their_synapses():
    model = LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    result = prune(model, x, keep=0.4, compensate=False)
    kept = result.kept[0]
    assert (result.model.buffers["gain"] == model.buffers["gain"][kept.synapses]).all()
    assert (result.model.buffers["sensory_gain"] == model.buffers["sensory_gain"][kept.sensory_synapses]).all()
    assert (result.model.wiring.gain == model.wiring.gain[kept.synapses]).all()
    assert result.model.layers[0].input_mapping is None


@NO_INPUT
@pytest.mark.parametrize("kind", [LTC, LRC])
def test_gains_are_gone_where_all_that_is_kept_have_1(kind):
    """A wiring without other gains has none, and neither has its layer a buffer for them."""
    edges, sensory = [(0, 0, 1), (1, 0, -0.5), (0, 1, 1), (1, 1, -1)], [(0, 0, 0.25), (0, 1, 1)]
    model = Model(kind(Wiring.from_edges(2, edges, sensory, output_dim=2)), seed=0, dtype="float64")
    assert model.buffers.keys() == {"gain", "sensory_gain"}
    names = ("w", "h", "elastance_w") if kind is LRC else ("w",)
    for name in names:
        softplus = name == "w" and model.layers[0].positivity == "softplus"
        for prefix, at in (("", int(np.argmin(model.wiring.gain))), ("sensory_", 0)):
            model.params[prefix + name][at] = -1e4 if softplus else 0
    x = np.random.default_rng(0).normal(size=(2, 5, 1))
    result = prune(model, x, keep=4 / 6, step=1)
    assert not result.model.buffers and result.model.wiring.gain is None
    assert len(result.kept[0].synapses) == 3 and result.kept[0].sensory_synapses.tolist() == [1]
    np.testing.assert_allclose(result.model(x), model(x), rtol=0, atol=1e-15)


@NO_INPUT
def test_buffers_of_all_layers_stay_with_them():
    layers = (
        Standardize(mean=0.1),
        LTC(RandomWiring(2, 2, 6, seed=0)),
        Standardize(mean=0.2),
        LTC(RandomWiring(2, 2, 7, seed=1)),
    )
    model = Model(*layers, input_dim=2, seed=0, dtype="float64", backend="numpy")
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    result = prune(model, x, keep=0.5)
    for name, values in result.model.buffers.items():
        place, own = name.split(".")
        kept = result.kept.get(int(place))
        at = {"gain": kept.synapses, "sensory_gain": kept.sensory_synapses}[own] if kept else slice(None)
        np.testing.assert_array_equal(values, model.buffers[name][at])
    assert "3.gain" in result.model.buffers


def test_two_layers_are_cut_alike():
    """Whatever the units of their currents: each is measured by its own mean."""
    layers = [LTC(FullyConnected(6, 3)), LTC(FullyConnected(6, 2))]
    model = Model(*layers, input_dim=2, seed=0, dtype="float64", backend="numpy")
    x = np.random.default_rng(0).normal(size=(3, 8, 2))
    first = prune(model, x, keep=0.6, step=1, compensate=False)
    for name in ("0.gleak", "0.cm", "0.w", "0.sensory_w"):  # the same equation, in another unit of current
        effective = 1000 * model.effective[name]
        model.params[name] = effective + np.log(-np.expm1(-effective))
    second = prune(model, x, keep=0.6, step=1, compensate=False)
    for k in (0, 1):
        for a, b in zip(first.kept[k], second.kept[k], strict=True):
            assert (a == b).all()
    other = silenced(silenced(model, second.kept[0], "0."), second.kept[1], "1.")
    np.testing.assert_allclose(second.model(x), other(x), rtol=0, atol=1e-13)


def test_fine_tuning_and_errors_of_ones_own(trained):
    x, y = smooth()
    x_val, y_val = smooth(seed=1)
    seen = []

    def tune(model):
        seen.append(model)
        model.fit(x, y, epochs=20, batch_size=16, optimizer=Adam(0.01), seed=0, verbose=False)

    def loss(model):
        return model.evaluate(x_val, y_val)["loss"]

    plain = prune(trained, x, keep=0.15, step=0.3, error=loss)
    result = prune(trained, x, keep=0.15, step=0.3, error=loss, fine_tune=tune)
    assert len(seen) == len(result.table) > 2
    assert seen[-1] is result.model
    assert result.table[-1].error == loss(result.model) < plain.table[-1].error == loss(plain.model)
    assert result.error.relative != result.table[-1].error


@NO_INPUT
def test_of_the_data_only_valid_steps_count():
    model, x, dt, lengths = make("sparse", "numpy")
    longer = np.concatenate([x, np.full_like(x, 7)], axis=1)
    times = np.concatenate([dt, np.ones_like(dt)], axis=1)
    a = prune(model, x, dt=dt, lengths=lengths, keep=0.5)
    b = prune(model, longer, dt=times, lengths=lengths, keep=0.5)
    assert (a.model.theta == b.model.theta).all()
    assert a.error == b.error
    single = prune(model, x[0], dt=dt[0], keep=0.5)
    whole = prune(model, x[:1], dt=dt[:1], keep=0.5)
    assert (single.model.theta == whole.model.theta).all()


@NO_INPUT
@pytest.mark.parametrize("layer", [LTC(AutoNCP(12, 2)), LRC(AutoNCP(12, 2)), WiredCfC(AutoNCP(12, 2), strict=True)])
def test_is_saved_trained_and_exported(layer, tmp_path):
    model = Model(Standardize(mean=0.3), layer, Dense(2), input_dim=3, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(4, 6, 3))
    small = prune(model, x, keep=0.5).model
    small.save(tmp_path / "small.npz")
    again = load(tmp_path / "small.npz")
    assert (again(x, dt=0.5) == small(x, dt=0.5)).all()
    assert again.layers == small.layers
    export = c.write(small, tmp_path / "c", "net", dtype="float64", measure=False)
    for compiler in compilers.HOST[:1]:
        compiled, state = Compiled(program(small), export.folder, "net", compiler, "float64"), None
        for t in range(6):
            inputs = x[0, t].astype("float32")
            y, state = small.step(inputs, dt=0.5, state=state)
            np.testing.assert_allclose(compiled.step(inputs, np.float32(0.5)), y, rtol=1e-13, atol=1e-13)
    before = small.evaluate(x, np.zeros((4, 6, 2)))["loss"]
    small.fit(x, np.zeros((4, 6, 2)), epochs=5, optimizer=Adam(0.01), seed=0, verbose=False)
    assert small.evaluate(x, np.zeros((4, 6, 2)))["loss"] < before


def test_refusals(trained):
    x, _ = smooth()
    assert can_shrink(trained.layers[1])
    assert not can_shrink(trained.layers[2])
    inside = Model(Bidirectional(LTC(AutoNCP(8, 2))), input_dim=2, seed=0)
    loose = Model(WiredCfC(AutoNCP(8, 2)), input_dim=2, seed=0)
    for model, options, error, text in (
        (trained, {}, ValueError, "`keep` or `tolerance` must be given"),
        (trained, {"keep": 0}, ValueError, "`keep` must be"),
        (trained, {"keep": 1.5}, ValueError, "`keep` must be"),
        (trained, {"tolerance": -1}, ValueError, "`tolerance` must be"),
        (trained, {"keep": 0.5, "step": 0}, ValueError, "`step` must be"),
        (trained, {"keep": 0.5, "compensate": 1}, TypeError, "`compensate` must be"),
        (trained, {"keep": 0.5, "error": lambda _: None}, TypeError, "`result of error` must be"),
        (trained, {"keep": 0.5, "error": lambda _: np.nan}, ValueError, "`result of error` must be"),
        (trained, {"keep": 0.5, "error": 0.1}, TypeError, "`error` must be a function of a model, or None, got 0.1"),
        (
            trained,
            {"keep": 0.5, "fine_tune": 3},
            TypeError,
            "`fine_tune` must be a function of a model, or None, got 3",
        ),
        (trained, {"keep": 0.5, "fraction": 2}, TypeError, "no argument `fraction`"),
        (inside, {"keep": 0.5}, ValueError, "`model` must have an LTC, an LRC or a WiredCfC"),
        (loose, {"keep": 0.5}, ValueError, "`model` must have an LTC, an LRC or a WiredCfC"),
        (Model(GRU(3), input_dim=2, seed=0), {"keep": 0.5}, ValueError, "`model` must have an LTC"),
        (trained.layers[1], {"keep": 0.5}, TypeError, "`model` must be a Model, got"),
    ):
        with pytest.raises(error, match=text):
            prune(model, x, **options)
    with pytest.raises(ValueError, match="`x` must be"):
        prune(trained, x[..., :1], keep=0.5)
