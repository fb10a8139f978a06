"""Files that are none, or damaged, or newer: an error that begins with the path, soon and in little memory."""

import json
import re

import numpy as np
import pytest
from support.files import attempt, edited, memory

from ltc_np import (
    CTGRU,
    GRU,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    BatchNorm,
    CfC,
    Dense,
    Dropout,
    EarlyStopping,
    FullyConnected,
    Layer,
    Model,
    Residual,
    Wiring,
    from_config,
    io,
    load,
    register,
    save,
)
from ltc_np.base.from_arguments import same
from ltc_np.layers import codec


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "bad.npz"
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError, match="`path` must be a file"):
        load(tmp_path)
    for write, words in (
        (lambda file: np.save(file, np.ones(3)), "not a model file, or a damaged one: its directory cannot be read"),
        (
            lambda file: np.savez(file, a=np.ones(3)),
            "no model file of ltc_np: it has no meta.npy that describes a model",
        ),
        (lambda file: np.savez(file, meta=np.ones(3)), "no model file of ltc_np: it has no meta.npy"),
        (lambda file: np.savez(file, meta=np.array(["a"])), "no model file of ltc_np: it has no meta.npy"),
        (lambda file: np.savez(file, meta=np.array("3")), "no model file of ltc_np: its meta.npy does not describe"),
        (lambda file: np.savez(file, meta=np.array("{}")), "no model file of ltc_np: its meta.npy does not describe"),
        (lambda file: np.savez(file, meta=np.array("{")), "damaged: its description is no JSON: "),
        (lambda file: np.savez(file, meta=np.array({"a": 1}, object)), "damaged: meta.npy has an unknown header"),
    ):
        with open(path, "wb") as file:
            write(file)
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {words}"):
            load(path)  # never unpickled


# ---------------------------------------------------------------------------------- one thing about a file is changed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With ``m.npz``: a model with an optimiser's state and a configuration."""
    folder = tmp_path_factory.mktemp("files")
    model, optimizer = from_config({"cell": "ltc", "units": 3, "input_dim": 2, "output_dim": 1}, seed=0), Adam(0.01)
    optimizer.step(model, np.ones_like(model.theta))
    save(folder / "m.npz", model, optimizer)
    return folder


def refused(folder, change, words, **options):
    """The file after ``change(meta, content)`` is refused in these words."""
    path = folder / "bad.npz"
    edited(folder / "m.npz", path, change)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {words}"):
        load(path, **options)


def put(*place, value):
    """Puts a value into the description, at this place."""

    def change(meta, content):
        for key in place[:-1]:
            meta = meta[key]
        meta[place[-1]] = value

    return change


def drop(name):
    def change(meta, content):
        del (meta if name in meta else content)[name]

    return change


def array(name, changed):
    """Puts a changed copy of an array in its place."""

    def change(meta, content):
        content[name] = changed(content[name].copy())

    return change


def best(changed, **places):
    """The best parameters of the file, one thing about them changed: shape, number or place."""

    def change(meta, content):
        number = sum(name.startswith("array") for name in content)
        content[f"array{number}"] = changed(content["theta"].copy())
        fields = {"value": 0.5, "epoch": 1, "loss": "mse", "monitor": "val_loss", "mode": "min"}
        meta["best"] = fields | {"theta": {"array": number}} | places

    return change


def trained(**places):
    return put("trained", value={"epochs": 1, "seed": 0, "number": 0, "callbacks": []} | places)


def with_first(value):
    """Changes the first element."""

    def changed(values):
        values[0] = value
        return values

    return changed


def arguments(meta):
    """Those of the LTC, which is the first layer."""
    return meta["layers"][0][1]["dict"]


def wiring(change):
    """Applies a change to the state of the wiring."""
    return lambda meta, content: change(arguments(meta)["wiring"]["wiring"])


def recipe(**values):
    """Changes the arguments of the wiring."""
    return wiring(lambda state: state.update(arguments=json.dumps(json.loads(state["arguments"]) | values)))


def nested(depth):
    """A layer in so many others."""
    form = ["Dense", {"dict": {"n_in": 2, "n_out": 2}}]
    for _ in range(depth):
        form = ["Residual", {"dict": {"layers": {"tuple": [{"layer": form}]}}}]
    return form


LARGE = {"units": 2**31, "input_dim": 1}
CHANGES = {
    # name: (change, words)
    "newer": (put("ltc_np", value=io.FORMAT + 1), f"format {io.FORMAT + 1} cannot be read, .*: update ltc_np$"),
    "older than all": (put("ltc_np", value=0), "format 0 cannot be read"),
    "a format that is true": (put("ltc_np", value=True), "format True cannot be read"),
    "no layers": (put("layers", value=[]), "damaged: `layers` must hold at least one layer"),
    "layers of text": (put("layers", value="LTC"), "damaged: "),
    "no entry of layers": (drop("layers"), "damaged: it lacks layers, and has nothing that it should not have"),
    "another entry": (put("more", value=3), "damaged: it lacks nothing, and has more that it should not have"),
    "another array": (
        lambda meta, content: content.update(more=np.ones(3)),
        "damaged: it lacks array10, and has more that",
    ),
    "one array too many": (
        lambda meta, content: content.update(array10=np.ones(3)),
        "damaged: nothing refers to array10$",
    ),
    "no array0": (drop("array0"), "damaged: it lacks array0, and has array9 that"),
    "no buffers": (drop("buffers"), "damaged: it lacks buffers, and has array9"),
    "an array before the first": (
        lambda meta, content: arguments(meta)["wiring"]["wiring"].update(pre={"array": -10}),
        "damaged: there must be an array for {'array': -10}, and there is none",
    ),
    "an unknown kind": (
        lambda meta, content: arguments(meta).update(epsilon={"set": [1]}),
        "damaged: it has a value of the unknown kind 'set'",
    ),
    "theta cut": (array("theta", lambda a: a[:-1]), r"damaged: theta must be float32 of shape \(83,\), got .*\(82,\)"),
    "theta of another dtype": (array("theta", lambda a: a.astype("f8")), "damaged: theta must be float32 .* float64"),
    "theta not finite": (array("theta", with_first(np.nan)), "damaged: theta must be .*, or is not finite"),
    "another dtype": (put("dtype", value="float64"), "damaged: theta must be float64"),
    "no dtype": (put("dtype", value="f4"), "damaged: `dtype` must be one of 'float32', 'float64', got 'f4'"),
    "buffers": (array("buffers", lambda a: np.ones(1, "f4")), "damaged: buffers must be"),
    "trainable too short": (array("trainable", lambda a: np.ones(3, bool)), "damaged: trainable must be bool of shape"),
    "trainable of numbers": (array("trainable", lambda a: np.ones(83)), "damaged: trainable must be bool"),
    "return_sequences": (put("return_sequences", value=1), "damaged: .*`return_sequences` must be a bool"),
    "an unknown layer": (put("layers", 0, 0, value="LTC9"), "has the layer 'LTC9', .*: for a layer of your own, call"),
    "a layer without a name": (put("layers", 0, 0, value=["LTC"]), "damaged: TypeError"),
    "an unknown argument": (lambda m, c: arguments(m).update(more=3), "damaged: TypeError: .*more"),
    "synapses of no neuron": (array("array0", lambda a: a + 1000), r"damaged: .*`pre` must hold ids in 0\.\.2"),
    # sizes
    "units": (
        put("layers", value=[["LSTM", {"dict": LARGE}]]),
        "damaged: `units` of LSTM must be <= .* where .* numbers are stored",
    ),
    "units in another layer": (
        put("layers", value=[["Bidirectional", {"dict": {"layer": {"layer": ["GRU", {"dict": LARGE}]}}}]]),
        "damaged: `units` of GRU must be <=",
    ),
    "units in the state of the optimiser": (
        put("optimizer", value=["Adam", {"dict": {"t": {"layer": ["GRU", {"dict": LARGE}]}}}]),
        "damaged: `units` of GRU must be <=",
    ),
    "dense layers": (
        put("layers", value=[["CfC", {"dict": {"units": 1, "input_dim": 1, "backbone_layers": 10**9}}]]),
        "damaged: `backbone_layers` of CfC must be <= .*, got 1000000000$",
    ),
    "scales": (
        put("layers", value=[["CTGRU", {"dict": {"units": 1, "input_dim": 1, "scales": 10**30}}]]),
        "damaged: `scales` of CTGRU must be <= .*, got one of many digits$",
    ),
    "more parameters than numbers": (
        put("layers", value=[["Dense", {"dict": {"n_in": 4000, "n_out": 4000}}]]),
        "damaged: its Dense has 16004000 parameters, and the file holds",
    ),
    "many layers": (
        put("layers", value=[["GRU", {"dict": {"units": 4000, "input_dim": 4000}}]] * 1000),
        "damaged: its GRU has 96016000 parameters",
    ),
    "unfolds": (
        lambda m, c: arguments(m).update(ode_unfolds=10**30),
        r"damaged: `ode_unfolds` must be an int in 1\.\.",
    ),
    "neurons of the wiring": (wiring(lambda s: s.update(units=2**31)), "damaged: a wiring has 2147483648 units, and"),
    "arguments of the wiring": (recipe(units=2**31), "damaged: `units` of FullyConnected must be <="),
    "inputs of the wiring": (
        wiring(lambda s: s.update(input_dim=2**40)),
        "damaged: `input_dim` of FullyConnected must",
    ),
    "a wiring without synapses": (
        wiring(lambda s: s.update(input_dim=0)),
        "damaged: the wiring of LTC has no synapses",
    ),
    "a wiring of another class": (wiring(lambda s: s.update({"class": "NCP"})), "damaged: "),
    # text
    "deep": (put("layers", value=[nested(60)]), "damaged: its description is .* levels deep, and may be"),
    "deep in a wiring": (
        wiring(lambda s: s.update(arguments="[" * 10**5)),
        "damaged: its description is 100000 levels",
    ),
    "more closed than open": (wiring(lambda s: s.update(arguments="]" * 10**5)), "damaged: its description is no JSON"),
    "digits": (put("layers", 0, 1, value={"dict": {"units": float("inf")}}), "damaged: "),
    # the configuration
    "configuration": (put("config", "input_mapping", value="linear"), "damaged: config does not describe the layers"),
    "units of the configuration": (put("config", "units", value=2**31), "damaged: `units` of config must be <="),
    "some more units": (put("config", "units", value=4000), "damaged: config does not describe the layers"),
    "inputs of the configuration": (put("config", "input_dim", value=4000), "damaged: config does not describe the"),
    "outputs of the configuration": (put("config", "output_dim", value=2), "damaged: config does not describe the"),
    "cell of the configuration": (put("config", "cell", value="GRU"), "damaged: config does not describe the layers"),
    "options of the configuration": (
        put("config", "options", value={"backbone_layers": 10**9}),
        "damaged: `backbone_layers` of config must be <=",
    ),
    "key of the configuration": (put("config", "more", value=1), "damaged: `config` has an unknown key 'more'"),
    "list of the configuration": (put("config", value=[3]), "damaged: AttributeError"),
    # how far a training has come
    "best too short": (best(lambda a: a[:-1]), "damaged: best must be float32 of shape"),
    "best not finite": (best(with_first(np.inf)), "damaged: best must be .*, or is not finite"),
    "best without an array": (best(np.copy, theta=None), "damaged: "),
    "best of format 1": (put("best", value=["x", -3, "mse", None]), "damaged: "),
    "epoch of best": (best(np.copy, epoch=-1), "damaged: best has value 0.5, epoch -1"),
    "value of best": (best(np.copy, value="x"), "damaged: best has value 'x'"),
    "NaN as value of best": (best(np.copy, value=np.nan), "damaged: best has value nan"),
    "mode of best": (best(np.copy, mode="up"), "damaged: best has .* mode 'up'"),
    "monitor of best": (best(np.copy, monitor=3), "damaged: best has .* monitor 3"),
    "more of best": (best(np.copy, more=3), "damaged: TypeError"),
    "epochs": (trained(epochs=-1), "damaged: trained has epochs"),
    "seed": (trained(seed=True), "damaged: trained has epochs"),
    "number": (trained(number=0.5), "damaged: trained has epochs"),
    "callback without a state": (trained(callbacks=[["EarlyStopping", 3]]), "damaged: trained has callbacks"),
    "callback without a name": (trained(callbacks=[[3, {"dict": {}}]]), "damaged: trained has callbacks"),
    "no callbacks": (trained(callbacks=3), "damaged: TypeError"),
    # the optimiser
    "optimiser without a name": (put("optimizer", 0, value=3), "damaged: its optimiser 3 has no state"),
    "optimiser without a state": (put("optimizer", 1, value=3), "damaged: its optimiser 'Adam' has no state"),
    "optimiser of three parts": (put("optimizer", value=["Adam", {"dict": {}}, 3]), "damaged: too many values"),
}


@pytest.mark.few(40)
@pytest.mark.parametrize("key", CHANGES)
def test_an_inconsistent_file(key, folder):
    change, words = CHANGES[key]
    load(folder / "m.npz")
    with memory() as most:
        refused(folder, change, words)
    # Far less than the 4 GB of 2**31 units; some MB are the editing and the interpreter's own.
    assert most() < 10 * (folder / "bad.npz").stat().st_size + 2**23
    assert attempt(folder / "bad.npz") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (array("array8", lambda a: a[:-1]), r"damaged: m of the optimiser must be float32 of shape \(83,\)"),
        (array("array9", lambda a: a.astype(np.float64)), "damaged: v of the optimiser must be float32"),
        (array("array9", lambda a: -a), "damaged: `state\\['v'\\]` must be finite and >= 0"),
        (put("optimizer", 1, "dict", "t", value=-1), "damaged: `state\\['t'\\]` must be an int >= 0"),
        (put("optimizer", 1, "dict", "m", value="x"), "damaged: nothing refers to array8$"),
        (put("optimizer", 1, "dict", "m", value={"tuple": [{"array": 8}]}), "damaged: AttributeError"),
        (put("optimizer", 1, "dict", "u", value=1), "damaged: `state` of Adam must have t, m, v, got"),
    ],
)
def test_an_inconsistent_state_of_the_optimiser(change, words, folder):
    optimizer = Adam(0.01)
    refused(folder, change, words, optimizer=optimizer)
    assert optimizer.t == 0 and optimizer.moments == {}


def test_a_reason_is_no_longer_than_a_line(folder):
    change = wiring(lambda s: s.update({"class": "X" * 10**4, "input_dim": 0}))
    refused(folder, change, r"damaged: `state` must describe a Wiring: the class 'X{150,230}\.\.\.$")
    assert attempt(folder / "bad.npz") is None


def test_a_reason_controls_no_terminal(folder):
    """What the file says is shown, and does nothing."""
    change = put("optimizer", 0, value="A\x1b[2J\u202e")
    refused(folder, change, r"holds the state of an optimiser of type A\\x1b\[2J\\u202e, ", optimizer=Adam(0.01))


def test_a_reason_of_several_lines_becomes_one(tmp_path, registry):
    register(Steps)
    Model(Steps(1)).save(tmp_path / "m.npz")
    edited(tmp_path / "m.npz", tmp_path / "bad.npz", put("layers", 0, 1, "dict", "period", value="long"))
    with pytest.raises(ValueError, match="bad.npz: damaged: `period` must be a number, got long$"):
        load(tmp_path / "bad.npz")


def test_equal_wirings_need_not_be_drawn_equally(folder):
    """Of the configuration the recipe counts: another version of NumPy may draw other synapses."""
    path = folder / "other.npz"
    edited(folder / "m.npz", path, array("array2", lambda polarity: -polarity))
    again = load(path)
    assert again.config.units == 3
    assert np.array_equal(again.wiring.polarity, -load(folder / "m.npz").wiring.polarity)


def test_nothing_is_drawn_for_a_file(folder, monkeypatch):
    """Initial values of 1,000 units, one orthogonal matrix of which takes seconds, are not needed."""
    from ltc_np.base.layout import Layout

    def drawn(layout, rng, dtype):
        raise AssertionError("initial values are drawn")

    monkeypatch.setattr(Layout, "initial", drawn)
    load(folder / "m.npz")


# --------------------------------------------------------------------------------------- what is saved can be loaded


class Steps(Layer):
    """A layer of one's own, with a number that is no size."""

    input_size = output_size = 2

    def __init__(self, period, wiring=None):
        if isinstance(period, str):
            raise ValueError(f"`period` must be a number,\n\tgot {period}")
        self.period, self.wiring = period, wiring


def test_numbers_of_layers_of_ones_own_may_be_of_any_size(tmp_path, registry):
    register(Steps)
    for layer in (Steps(10**12), Residual(Steps(2**40)), Steps(1, AutoNCP(8, 2))):
        Model(layer).save(tmp_path / "m.npz")
        assert load(tmp_path / "m.npz").layers == (layer,)


@pytest.mark.parametrize(
    "layer",
    [
        LTC(AutoNCP(8, 2, seed=2**32 - 1), input_dim=2, ode_unfolds=10**6),
        LTC(FullyConnected(1, erev_init_seed=10**30), input_dim=1),
        CTGRU(1, input_dim=1, scales=4096, tau_ratio=1.01),
        CfC(1, input_dim=1, backbone_units=4096, backbone_layers=0),
        Dropout(0.5, input_dim=4096),
    ],
    ids=repr,
)
def test_small_models_with_large_numbers(layer, tmp_path):
    Model(layer).save(tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").layers == (layer,)


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    layer = Dense(2, input_dim=2)
    for _ in range(100):
        layer = Residual(layer)
    lonely = Wiring.from_edges(1, [], [(0, 0, 1)], input_dim=10**6)
    for model, words in (
        (Model(Dropout(0.5, input_dim=10**6)), "`input_dim` of Dropout must be <= 4096 where 1 numbers are stored"),
        (Model(layer), "its description is .* levels deep, and may be"),
        (LTCRNN(lonely, input_mapping=None), "`input_dim` of Wiring must be <= 4096 where 14 numbers are stored"),
    ):
        with pytest.raises(ValueError, match=f"^`model` cannot be saved: {words}"):
            model.save(tmp_path / "bad.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_long_description_is_refused(monkeypatch):
    monkeypatch.setattr(codec, "MOST_TEXT", 100)
    assert codec.parse(json.dumps("a" * 98)) == "a" * 98
    with pytest.raises(ValueError, match="has 101 characters, and may have 100"):
        codec.parse(json.dumps("a" * 99))


def test_a_layer_has_as_many_parameters_as_there_are_numbers():
    """Trained ones and buffers; no file has fewer numbers than a layer of it has."""
    layer = BatchNorm(input_dim=3)
    form, size = codec.Encoder().layer(layer), 2 * 3 + 2 * 3 + 1
    assert codec.Decoder([], size).layer(form) == layer
    with pytest.raises(ValueError, match=f"its BatchNorm has {size} parameters, and the file holds {size - 1} numbers"):
        codec.Decoder([], size - 1).layer(form)


@pytest.mark.parametrize(
    ("text", "depth"), [("[[[]]]", 3), ('{"a": [1, {}], "b": {}}', 3), (r'["[[[", "\"[[", "\\", []]', 2), ("3", 0)]
)
def test_how_deep_a_description_is(text, depth, monkeypatch):
    monkeypatch.setattr(codec, "MOST_DEPTH", depth)
    assert codec.parse(text) == json.loads(text)
    monkeypatch.setattr(codec, "MOST_DEPTH", depth - 1)
    with pytest.raises(ValueError, match=f"is {depth} levels deep, and may be {depth - 1}"):
        codec.parse(text)


# --------------------------------------------------------------------------------------------------------- flipped bits


def small_model(path):
    Model(GRU(1, input_dim=1), seed=0, backend="numpy").save(path)


def checkpoint(path):
    """With everything that a file may hold."""
    model = from_config({"cell": "ctrnn", "units": 1, "input_dim": 1, "init": {"tau": 0.5}}, seed=0, backend="numpy")
    model.freeze("1.b")
    x, optimizer = np.random.default_rng(0).normal(size=(2, 3, 1)), SGD(0.1, momentum=0.5)
    model.fit(x, x, epochs=1, optimizer=optimizer, validation=(x, x), seed=0, verbose=False,
              callbacks=[EarlyStopping(3)])  # fmt: skip
    model.save(path, optimizer)


def state(model, optimizer):
    """All that a file says, to be compared."""
    vectors = model.theta, model.buffer_vector, model.trainable, optimizer and optimizer.state()
    described = model.layers, model.dtype, model.return_sequences, model.config
    return [*vectors, *described, model.best and [*model.best], model.trained and [*model.trained]]


def flip(path, bits, make):
    """Load the file with each of these bits flipped, one at a time: the same model or the promised error."""
    path, optimizer = str(path), SGD(0.1, momentum=0.5) if make is checkpoint else None
    want = state(attempt(path, optimizer=optimizer), optimizer)
    loaded = 0
    with open(path, "r+b", buffering=0) as file:
        whole = file.read()
        for bit in bits:
            at, mask = int(bit) // 8, 1 << int(bit) % 8
            file.seek(at)
            file.write(bytes([whole[at] ^ mask]))
            again = attempt(path, optimizer=optimizer)
            if again is not None:
                assert same(state(again, optimizer), want), f"bit {bit}"
                loaded += 1
            file.seek(at)
            file.write(whole[at : at + 1])
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("make", [small_model, checkpoint])
def test_some_flipped_bits(make, tmp_path):
    path = tmp_path / "m.npz"
    make(path)
    size = path.stat().st_size
    bits = np.random.default_rng(0).choice(8 * size, 400, replace=False)
    directory = path.read_bytes().index(b"PK\x01\x02")
    ends = 8 * directory + np.random.default_rng(1).choice(8 * (size - directory), 400, replace=False)
    with memory() as most:
        assert flip(path, bits, make) > 0  # dates and the like, which say nothing
        flip(path, ends, make)
        assert most() < 10 * size + 2**20


@pytest.mark.slow
@pytest.mark.parametrize("make", [small_model, pytest.param(checkpoint, marks=pytest.mark.sweep)])
def test_every_flipped_bit(make, tmp_path):
    path = tmp_path / "m.npz"
    make(path)
    flip(path, range(8 * path.stat().st_size), make)


def test_a_file_cut_anywhere(tmp_path):
    path = tmp_path / "m.npz"
    small_model(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert attempt(path) is None
