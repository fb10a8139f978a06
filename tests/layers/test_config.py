"""One configuration for every cell: what it makes, that it is plain data, that files keep it, what it refuses."""

import copy
import dataclasses
import inspect
import json
import pathlib
import pickle

import numpy as np
import pytest
from support.files import edited

from ltc_np import (
    CTRNN,
    LSTM,
    LTC,
    CellConfig,
    CfC,
    Dense,
    FullyConnected,
    InputMapping,
    Model,
    NeuralODE,
    WiredCfC,
    from_config,
    gradcheck,
    load,
)
from ltc_np.cells import CELLS
from ltc_np.kernels.codes import SOLVERS
from ltc_np.layers import config as configurations
from ltc_np.layers.config_words import words_of_setting

X = np.random.default_rng(0).normal(size=(3, 4, 2))
SIZES = {"units": 5, "input_dim": 2}


def sizes_of(cell):
    """Those, or an even number of units, which are modes in pairs."""
    return SIZES | ({"units": 6} if cell in ("S4D", "LiquidS4") else {})


def settings(name):
    return inspect.signature(CELLS[name]).parameters


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell(cell, tmp_path):
    """Made from plain words, with what was left out in its place, the same through JSON and files."""
    sizes = sizes_of(cell)
    given = {"cell": cell.lower(), **sizes, "output_dim": 3, "input_mapping": "linear"}
    model = from_config(given, seed=0, dtype="float64")
    config = model.config
    assert config == CellConfig(**given)
    assert (config.cell, config.units, config.input_dim, config.output_dim) == (cell, sizes["units"], 2, 3)
    assert (config.solver is None) == ("solver" not in settings(cell))
    assert (config.ode_unfolds is None) == ("ode_unfolds" not in settings(cell))
    assert (config.activation is None) == (not {"activation", "backbone_activation"} & set(settings(cell)))
    assert sum(name.endswith("input_w") for name in model.params) == 1
    assert model(X).shape == (3, 4, 3)
    plain = json.loads(json.dumps(config.to_dict()))
    assert plain == config.to_dict()
    again = from_config(plain, seed=0, dtype="float64")
    assert again.config == config
    assert np.array_equal(again.theta, model.theta)
    model.save(tmp_path / "model.npz")
    read = load(tmp_path / "model.npz")
    assert read.config == config
    assert repr(read) == repr(model)
    assert np.array_equal(read(X), model(X))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.config == config


@pytest.mark.parametrize("cell", [name for name in CELLS if "solver" in settings(name)])
def test_solvers_are_those_of_the_cell(cell):
    """What its class takes is taken here, by its names and the published ones, and nothing else."""
    taken = []
    for solver in SOLVERS:
        wiring = FullyConnected(5) if "wiring" in settings(cell) else 5
        try:
            layer = CELLS[cell](wiring, input_dim=2, solver=solver, ode_unfolds=3)
        except ValueError as error:
            with pytest.raises(ValueError, match="`solver` must be") as caught:
                CellConfig(cell, **SIZES, solver=solver)
            assert str(caught.value) == str(error)
            continue
        made = from_config({"cell": cell, **SIZES, "solver": solver, "ode_unfolds": 3, "input_mapping": "identity"})
        assert made.layers[0].config().keys() == layer.config().keys()
        assert (made.layers[0].solver, made.layers[0].ode_unfolds) == (solver, 3)
        taken.append(solver)
    for published, name in (
        ("Semi-Implicit", "semi_implicit"), ("explicit", "euler"), ("Runge-Kutta", "rk4"), ("RK4", "rk4"),
    ):  # fmt: skip
        if name in taken:
            assert CellConfig(cell, **SIZES, solver=published).solver == name
    assert len(taken) >= 2


@pytest.mark.parametrize("mapping", ["identity", "linear", "affine"])
def test_mappings(mapping):
    """The same weights before every cell: its own, or those of a layer."""
    ltc = from_config({"cell": "ltc", **SIZES, "input_mapping": mapping}, seed=0)
    lstm = from_config({"cell": "lstm", **SIZES, "input_mapping": mapping}, seed=0)
    own = None if mapping == "identity" else mapping
    assert ltc.layers[0].input_mapping == own
    assert [type(layer) for layer in lstm.layers] == [LSTM] if own is None else [InputMapping, LSTM]
    names = {"identity": [], "linear": ["input_w"], "affine": ["input_w", "input_b"]}[mapping]
    assert [name for name in ltc.params if name.startswith("input_")] == names
    assert [name.removeprefix("0.") for name in lstm.params if "input_" in name] == names


@pytest.mark.slow
@pytest.mark.parametrize("mapping", [None, "linear", "affine"])
def test_the_layer_is_the_mapping_of_the_ltc(mapping, backend):
    wiring = FullyConnected(5, 3)
    own = Model(LTC(wiring, input_dim=2, input_mapping=mapping), seed=0, dtype="float64", backend=backend)
    layers = InputMapping(mapping, input_dim=2), LTC(wiring, input_dim=2, input_mapping=None)
    apart = Model(*layers, seed=1, dtype="float64", backend=backend)
    for name in own.params:
        if name in ("input_w", "input_b"):
            own.params[name] = [1.5, -0.5] if name == "input_w" else [0.3, 0.7]
        apart.params[("0." if name.startswith("input_") else "1.") + name] = own.params[name]
    x, lengths = X.copy(), [4, 0, 2]
    y, tape = own.forward(x, dt=0.7, lengths=lengths)
    y_apart, tape_apart = apart.forward(x, dt=0.7, lengths=lengths)
    np.testing.assert_allclose(y_apart, y, rtol=0, atol=1e-14)
    g, g_apart = own.backward(tape, np.cos(y)), apart.backward(tape_apart, np.cos(y))
    np.testing.assert_allclose(g_apart.x, g.x, rtol=0, atol=1e-14)
    for name, value in own.views(g.theta).items():
        other = apart.views(g_apart.theta)[("0." if name.startswith("input_") else "1.") + name]
        np.testing.assert_allclose(other, value, rtol=0, atol=1e-13)
    assert apart(x, dt=0.7) is not x
    errors = gradcheck.check(apart, x, dt=0.7, lengths=lengths)
    assert max(errors.values()) < 1e-6, errors


def test_the_identity_returns_copies():
    model = Model(InputMapping(None, input_dim=2), seed=0, dtype="float64")
    x = X.copy()
    y, tape = model.forward(x)
    d_y = np.ones_like(x)
    assert np.array_equal(y, x)
    assert not np.shares_memory(model(x), x)
    assert not np.shares_memory(model.backward(tape, d_y).x, d_y)


def test_names_and_other_arguments():
    assert CellConfig("Cf-C", **SIZES).cell == "CfC"
    model = from_config(
        CellConfig("cfc", **SIZES, activation="tanh", options={"mode": "pure", "backbone_units": 7}),
        seed=3, dtype="float64", backend="numpy", return_sequences=False,
    )  # fmt: skip
    cell = model.layers[1]
    assert repr(cell) == repr(CfC(5, input_dim=2, mode="pure", backbone_units=7, backbone_activation="tanh"))
    assert (model.config.activation, model.dtype, model.backend) == ("tanh", np.float64, "numpy")
    assert model(X).shape == (3, 5)
    same = Model(*model.config.layers(), seed=3, dtype="float64")
    assert np.array_equal(same.theta, model.theta)
    assert same.config is None
    readout = from_config({"cell": "lstm", **SIZES, "output_dim": 4, "options": {"forget_bias": 2.0}}, seed=0)
    assert repr(readout.layers[2]) == repr(Dense(4, input_dim=5))
    assert readout.layers[1].forget_bias == 2.0
    assert CellConfig("ltc", **SIZES).activation is None
    options = {"forget_bias": 2.0}
    config = CellConfig("lstm", **SIZES, options=options)
    options["forget_bias"] = 3.0
    assert config.options == {"forget_bias": 2.0}


def test_a_model_is_trained_and_keeps_its_configuration(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 6, 1))
    model = from_config({"cell": "ltc", "units": 8, "input_dim": 1, "output_dim": 1, "solver": "exponential"}, seed=0)
    before = model.evaluate(x, x)["loss"]
    model.fit(x, x, epochs=20, optimizer="adam", seed=0, verbose=False)
    assert model.evaluate(x, x)["loss"] < before
    model.save(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz", backend="numpy").config.solver == "exponential"
    with pytest.raises(AttributeError, match="`config` belongs to a layer and cannot be set"):
        model.config = None


@pytest.mark.parametrize("spell", [str.upper, str.title, *(lambda w, c=c: w.replace("_", c) for c in ("", " ", "-"))])
def test_every_word_is_taken_in_any_spelling(spell):
    """All words, and what they are also called."""
    words = {name: (name, {}) for name in CELLS}
    words |= {"LIF": ("SpikingLIF", {}), "NODE": ("NeuralODE", {}), "LRCU": ("LRC", {})}
    for word, (cell, _) in words.items():
        assert CellConfig(spell(word), **sizes_of(cell)).cell == cell
    with_words = {
        field: [cell for cell in CELLS if words_of_setting(field, cell)] for field in ("solver", "activation")
    }
    for field, cell, word, meant in (
        *((f, c, word, word) for f, cells in with_words.items() for c in cells for word in words_of_setting(f, c)),
        *(("input_mapping", "lstm", word, word) for word in ("identity", "linear", "affine")),
        *(("solver", cell, "explicit", "euler") for cell in with_words["solver"]),
        *(("solver", cell, "runge_kutta", "rk4") for cell in with_words["solver"]),
        ("init", "ltc", "time_constants", "time_constants"),
    ):
        assert getattr(CellConfig(cell, **SIZES, **{field: spell(word)}), field) == meant


def test_words_are_those_of_the_cells():
    """A cell that has the argument has its words, and takes each of them."""
    for field in ("solver", "activation"):
        arguments = {field, f"backbone_{field}"}
        for cell in CELLS:
            known = words_of_setting(field, cell)
            assert bool(known) == bool(arguments & set(settings(cell)))
            for word in known:
                assert getattr(CellConfig(cell, **SIZES, **{field: word}), field) == word


@pytest.mark.parametrize(
    ("cell", "init", "layer"),
    [
        ("LTC", "time_constants", lambda init: LTC(FullyConnected(5), input_dim=2, input_mapping="affine", init=init)),
        ("LTC", {"time_constants": [1, 300]}, lambda init: LTC(FullyConnected(5), input_dim=2, init=init)),
        ("LTC", {"time_constants": [1, 9], "mu": 0.5}, lambda init: LTC(FullyConnected(5), input_dim=2, init=init)),
        ("CTRNN", {"tau": [2.0, 3.0]}, lambda init: CTRNN(5, input_dim=2, init=init)),
        ("NeuralODE", {"w_h": 0, "b": [-1, 1]}, lambda init: NeuralODE(5, input_dim=2, init=init)),
        ("LSTM", {"w_h": ["orthogonal", 0.5], "w_x": ["glorot", 2.0]}, lambda init: LSTM(5, input_dim=2, init=init)),
        ("WiredCfC", {"recurrent_ff1_b": [0, 1]}, lambda init: WiredCfC(FullyConnected(5), input_dim=2, init=init)),
    ],
)
def test_initial_values(cell, init, layer, tmp_path):
    """Plain data asks for what the cell's argument asks for, and files keep it."""
    values = {"cell": cell, **SIZES, "input_mapping": "affine" if cell == "LTC" else "identity", "init": init}
    model = from_config(json.loads(json.dumps(values)), seed=4)
    ranges = {k: tuple(v) if isinstance(v, list) else v for k, v in init.items()} if isinstance(init, dict) else init
    assert np.array_equal(model.theta, Model(layer(ranges), seed=4).theta)
    assert not np.array_equal(model.theta, Model(layer(None), seed=4).theta)
    assert model.config.to_dict()["init"] == init
    assert json.loads(json.dumps(model.config.to_dict())) == model.config.to_dict()
    model.save(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").config == model.config


def test_a_configuration_cannot_be_changed():
    init = {"time_constants": [1, 300], "mu": 0.5}
    config = CellConfig("ltc", **SIZES, init=init, options={"positivity": "clip"})
    with pytest.raises(AttributeError):
        config.units = 7
    for values in (config.options, config.init):
        with pytest.raises(TypeError, match="does not support item assignment"):
            values["positivity"] = "xx"
        with pytest.raises(TypeError, match="does not support item deletion"):
            del values["positivity"]
    init["mu"] = 0.6
    init["time_constants"][0] = -1
    plain = config.to_dict()
    plain["options"]["positivity"] = "xx"
    plain["init"]["time_constants"][0] = 7
    assert config.options == {"positivity": "clip"}
    assert config.init == {"time_constants": (1, 300), "mu": 0.5}
    assert config.to_dict()["init"] == {"time_constants": [1, 300], "mu": 0.5}


def test_configurations_are_values():
    """Equal ones have one hash, however they came about; different ones are different."""

    def made(**changed):
        values = {"init": {"tau": [1, 2], "b": 0.5}, "options": {"check_stability": "off", "global_feedback": False}}
        return CellConfig("ctrnn", **SIZES, **(values | changed))

    config = made()
    same = made(init={"b": 0.5, "tau": (1.0, 2.0)}, options={"global_feedback": False, "check_stability": "off"})
    copies = copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config)), dataclasses.replace(config)
    for other in (same, *copies, CellConfig.from_dict(config.to_dict())):
        assert other == config
        assert hash(other) == hash(config)
        assert repr(other) == repr(config) or other is same
        with pytest.raises(TypeError):
            other.options["check_stability"] = "warn"
    others = made(init=None), made(init={"b": 0.5}), made(options={}), dataclasses.replace(config, units=6)
    assert len({config, *others}) == 5


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"cell": "rnn"}, ValueError, "`cell` must be one of 'LTC', .*'NeuralODE' .or 'NODE'., .*, got 'rnn'"),
        ({"cell": None}, TypeError, "`cell` must be one of 'LTC', .*, got None"),
        ({"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        ({"input_dim": 2.0}, TypeError, "`input_dim` must be an int >= 1, got 2.0"),
        ({"output_dim": True}, TypeError, "`output_dim` must be an int >= 1, got True"),
        (
            {"cell": "ctrnn", "solver": "nystrom"},
            ValueError,
            "`solver` must be one of 'semi_implicit', 'euler' .or 'explicit'., 'rk4' .*, got 'nystrom'",
        ),
        (
            {"cell": "node", "solver": "nystrom"},
            ValueError,
            "one of 'rk4' .or 'runge_kutta'., .*'euler' .or 'explicit'., g",
        ),
        ({"solver": 3}, TypeError, "`solver` must be one of 'semi_implicit', .*, got 3"),
        ({"cell": "cfc", "solver": "rk4"}, ValueError, "`solver` must be left out: CfC has none, got 'rk4'"),
        ({"cell": "lstm", "ode_unfolds": 6}, ValueError, "`ode_unfolds` must be left out: LSTM has none, got 6"),
        ({"ode_unfolds": 0}, ValueError, "`ode_unfolds` must be an int in 1..1000000, got 0"),
        ({"activation": "tanh"}, ValueError, "`activation` must be left out: LTC has none, got 'tanh'"),
        ({"cell": "cfc", "activation": "swish"}, ValueError, "`activation` must be one of 'relu', .*, got 'swish'"),
        ({"cell": "cfc", "activation": "linear"}, ValueError, "`activation` must be one of 'relu', .*, got 'linear'"),
        ({"cell": "ctrnn", "activation": "cube"}, ValueError, "`activation` must be one of 'linear', .*, got 'cube'"),
        ({"cell": "node", "activation": 3}, TypeError, "`activation` must be one of 'linear', .*, got 3"),
        ({"init": "ones"}, ValueError, "`init` must be a dict or \"time_constants\", got 'ones'"),
        (
            {"cell": "gru", "init": "time_constants"},
            TypeError,
            "`init` must be a dict from parameter names, got .time_constants.; only an LTC has that",
        ),
        ({"init": [1, 2]}, TypeError, r"`init` must be a dict from names of parameters or .*, got \[1, 2\]"),
        ({"init": {"tau": 1}}, ValueError, "`init` has an unknown parameter 'tau'; there are vleak, gleak"),
        ({"init": {"mu": [1, 0]}}, ValueError, r"`init\['mu'\]` must be \(low, high\) with low <= high"),
        ({"init": {"mu": [1, 2, 3]}}, TypeError, r"`init\['mu'\]` must be a finite number, a range \[low, high\]"),
        ({"init": {"mu": np.ones(25)}}, TypeError, r"a range \[low, high\] of them, .*, got an array of shape \(25,\)"),
        ({"init": {"mu": [0, "1"]}}, TypeError, r"a range \[low, high\] of them, .*, got \[0, '1'\]"),
        ({"init": {"mu": float("nan")}}, ValueError, "must be a finite number, a range .* of them, .*, got nan"),
        ({"init": {"mu": ["orthogonal", 0]}}, ValueError, r"or a word and a gain, .*, got \['orthogonal', 0\]"),
        ({"init": {"mu": ["orthogonal", 1]}}, ValueError, r"`init\['mu'\]` must be a range, .*, which is for matrices"),
        ({"init": {"time_constants": 3}}, ValueError, r"`init\['time_constants'\]` must be \(low, high\) with 0 < low"),
        (
            {"input_mapping": None},
            TypeError,
            "`input_mapping` must be one of 'identity', 'linear', 'affine', got None",
        ),
        ({"input_mapping": ["affine"]}, TypeError, "`input_mapping` must be one of"),
        ({"options": [1]}, TypeError, "`options` must be a dict of the cell's arguments, got list"),
        ({"options": {"units": 3}}, ValueError, "`options` of LTC may have epsilon, positivity, .*, got 'units'"),
        ({"options": {"solver": "rk4"}}, ValueError, "`options` of LTC may have .*, got 'solver'"),
        ({"options": {"init": {}}}, ValueError, "`options` of LTC may have .*, got 'init'"),
        ({"options": {"epsilon": np.ones(2)}}, TypeError, r"`options\['epsilon'\]` must be a str, a number"),
        ({"options": {"epsilon": 2}}, ValueError, "`epsilon` must be a finite number"),
        # Sizes that would take all memory, before anything is made.
        ({"units": 2**31}, ValueError, r"`units` \* \(`units` \+ .*\) must be <= 67108864 in a .*, got 4611686"),
        ({"units": 10**400}, ValueError, "must be <= 67108864 in a configuration, got a number of many digits"),
        ({"input_dim": 2**40}, ValueError, r"`units` \* \(`units` \+ `input_dim` \+ `output_dim`\) must be <= "),
        ({"output_dim": 2**40}, ValueError, r"must be <= 67108864 in a configuration"),
        (
            {"cell": "cfc", "options": {"backbone_layers": 10**9}},
            ValueError,
            "`backbone_layers` .* must be <= 4096, got",
        ),
        (
            {"cell": "cfc", "options": {"backbone_layers": 99, "backbone_units": 4096}},
            ValueError,
            "`config` must describe at most 268435456 parameters, got",
        ),
        ({"x" * 500: 3}, ValueError, "`config` has an unknown key 'x{59}; there"),
        ({"cell": "x" * 500}, ValueError, "got 'x{56}[.]{3}$"),
        ({"init": {"x" * 500: 3}}, ValueError, "unknown parameter 'x{59}; there"),
        ({"size": 3}, ValueError, "`config` has an unknown key 'size'; there are cell, units, input_dim, output_dim"),
        (
            {"liquid": "kb"},
            ValueError,
            "unknown key 'liquid'; .*, options; further arguments of the cell belong in `opt",
        ),
    ],
)
def test_errors(values, error, message):
    with pytest.raises(error, match=message):
        from_config({"cell": "ltc", **SIZES} | values)


@pytest.mark.parametrize(
    ("name", "largest"), [("MOST_WEIGHTS", 5 * (5 + 2 + 3)), ("MOST_PARAMETERS", 4 * 5 * (5 + 2 + 1) + 3 * (5 + 1))]
)
def test_the_largest_configuration(name, largest, monkeypatch):
    """Of an LSTM of 5 units with 2 inputs and 3 outputs; one number less has no room for it."""
    given = {"cell": "lstm", **SIZES, "output_dim": 3, "input_mapping": "identity"}
    monkeypatch.setattr(configurations, name, largest)
    assert from_config(given).output_size == 3
    monkeypatch.setattr(configurations, name, largest - 1)
    with pytest.raises(ValueError, match=f"must .* {largest - 1} .*, got {largest}"):
        from_config(given)


def test_configurations_that_are_none():
    with pytest.raises(ValueError, match="`config` must have cell, units, input_dim, got no 'units'"):
        from_config({"cell": "ltc", "input_dim": 2})
    hint = r"; of a file, json.load\(open\(path\)\)"
    with pytest.raises(TypeError, match=f"`config` must be a CellConfig or a dict of its fields, got 'c.json'{hint}"):
        from_config("c.json")
    with pytest.raises(TypeError, match=f"dict of its fields, got .*Path.'c.json'.{hint}"):
        from_config(pathlib.Path("c.json"))
    with pytest.raises(TypeError, match=r"`config` must be a CellConfig or a dict of its fields, got \[1\]$"):
        from_config([1])


def test_a_damaged_configuration_in_a_file(tmp_path):
    from_config({"cell": "ltc", **SIZES}, seed=0).save(tmp_path / "m.npz")
    edited(tmp_path / "m.npz", tmp_path / "bad.npz", lambda meta, content: meta["config"].update(solver="nystrom"))
    with pytest.raises(ValueError, match="bad.npz: damaged: `solver` must be one of"):
        load(tmp_path / "bad.npz")
