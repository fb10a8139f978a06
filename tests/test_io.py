"""Files: round trips, atomic writes, and a clear error for whatever is not a model file."""

import pathlib

import numpy as np
import pytest
from support import GOLDEN, golden
from support.texts import summary

from ltc_np import (
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Dense,
    FullyConnected,
    Layer,
    Model,
    RandomWiring,
    Wiring,
    load,
    save,
)
from ltc_np.network.best import Best
from ltc_np.network.trained import Trained
from ltc_np.online import Learner

X = np.random.default_rng(0).normal(size=(3, 4, 2))
MODELS = {
    "tutorial": lambda: LTCRNN(RandomWiring(2, 2, 8), 2, 8, 2, seed=0),
    "ncp": lambda: LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", ode_unfolds=3, epsilon=0.0, positivity="clip"),
    "stack": lambda: Model(
        LTC(FullyConnected(5, 3), input_dim=2, init={"w": (0.1, 0.2), "mu": 0.5}), Dense(1, "tanh"), seed=1
    ),
    "edges": lambda: LTCRNN(Wiring.from_edges(3, [(0, 1, -2.5)], [(0, 0, 1), (1, 1, 1)], output_dim=2), seed=1),
    "last": lambda: LTCRNN(AutoNCP(8, 2), 2, seed=0, return_sequences=False, init={"vleak": np.arange(8.0)}),
}


def test_init_given_as_lists(tmp_path):
    model = LTCRNN(FullyConnected(3, 2), 2, seed=0, init={"vleak": [0.1, 0.2, 0.3], "output_b": [0.1, 0.2]})
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz").layers[0]
    assert again.init["vleak"].tolist() == [0.1, 0.2, 0.3]
    assert (LTCRNN(again.wiring, init=again.init).params["output_b"] == np.float32([0.1, 0.2])).all()


def test_parameters_that_are_not_finite_are_not_saved(tmp_path):
    model = MODELS["ncp"]()
    model.theta[0] = np.nan
    with pytest.raises(ValueError, match="`model` must have finite parameters"):
        model.save(tmp_path / "m.npz")


@pytest.mark.parametrize("key", MODELS)
def test_round_trip(key, tmp_path):
    model = MODELS[key]()
    model.freeze(next(iter(model.params)))
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    assert summary(again) == summary(model)
    assert np.array_equal(again.theta, model.theta)
    assert np.array_equal(again.trainable, model.trainable)
    assert np.array_equal(again(X), model(X))
    assert again.return_sequences == model.return_sequences
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    again.save(tmp_path / "again.npz")
    assert np.array_equal(load(tmp_path / "again.npz", backend="numpy").theta, model.theta)


def test_gains_travel_with_the_file(tmp_path):
    """The tutorial's own state_dict loses its masks: a reloaded network there computes something else."""
    model = LTCRNN(RandomWiring(2, 2, 8), 2, 8, 2, seed=0)
    model.buffers["gain"] = model.buffers["gain"] * 2
    model.save(tmp_path / "m.npz")
    assert np.array_equal(load(tmp_path / "m.npz")(X), model(X))


def test_optimizer_state(tmp_path):
    model, optimizer = MODELS["ncp"](), Adam(0.01)
    optimizer.step(model, np.ones_like(model.theta))
    save(tmp_path / "m.npz", model, optimizer)
    again = Adam(0.01)
    load(tmp_path / "m.npz", optimizer=again)
    a, b = optimizer.state(), again.state()
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[k], b[k]) for k in a)
    with pytest.raises(ValueError, match="m.npz: holds the state of an optimiser of type Adam, .* is of type SGD$"):
        load(tmp_path / "m.npz", optimizer=SGD(0.1))
    model.save(tmp_path / "bare.npz")
    with pytest.raises(ValueError, match="bare.npz: holds no state of an optimiser: leave out `optimizer`$"):
        load(tmp_path / "bare.npz", optimizer=Adam(0.1))
    for wrong in ("adam", Adam, 0.1):
        with pytest.raises(TypeError, match="^`optimizer` must be an Optimizer or None, got"):
            load(tmp_path / "m.npz", optimizer=wrong)


def test_how_far_a_model_is_trained_travels_with_the_file(tmp_path):
    model = MODELS["ncp"]()
    state = {"best": 0.25, "waited": 3, "since": None, "mean": np.arange(3.0), "names": ("a", "b"), "in": {"x": True}}
    model.trained = Trained(7, 2**62, 1, (("EarlyStopping", {"best": -np.inf}), ("Mine", state)))
    model.best = Best(0.75, 2, "mse", model.theta + 1, "val_accuracy", "max")
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert again.best._replace(theta=None) == model.best._replace(theta=None)
    assert np.array_equal(again.best.theta, model.best.theta)
    assert again.trained[:3] == model.trained[:3]
    assert again.trained.callbacks[0] == model.trained.callbacks[0]
    name, found = again.trained.callbacks[1]
    assert name == "Mine" and np.array_equal(found.pop("mean"), state.pop("mean")) and found == state
    for wrong, words in (({"a": {1, 2}}, "plain data .*, got {1, 2}"), ({"a": {3: 4}}, r"keys of text, got .*3")):
        model.trained = Trained(7, 0, 1, (("Mine", wrong),))
        with pytest.raises(TypeError, match=f"^`state` of the callback Mine: what is saved must be .*{words}"):
            model.save(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("model", "optimizer", "words"),
    [
        ("adam", None, "`model` must be a model of ltc_np, got 'adam'"),
        (Adam, None, "`model` must be a model of ltc_np, got <class"),
        (None, None, "`model` must be a model of ltc_np, got None"),
        ("stack", "adam", "`optimizer` must be an Optimizer or None, got 'adam': give the object that made the steps"),
        ("stack", Adam, "`optimizer` must be an Optimizer or None, got <class .*: give the object"),
        ("stack", 0.1, "`optimizer` must be an Optimizer or None, got 0.1"),
    ],
)
def test_what_is_no_model_and_no_optimiser_is_not_saved(model, optimizer, words, tmp_path):
    with pytest.raises(TypeError, match=words):
        save(tmp_path / "m.npz", MODELS[model]() if model == "stack" else model, optimizer)
    assert not list(tmp_path.iterdir())


def test_layers_of_ones_own_need_the_registry(tmp_path):
    class Mine(Layer):
        input_size = output_size = 2

    with pytest.raises(ValueError, match="registered layers"):
        save(tmp_path / "m.npz", Model(Mine()))
    assert not list(pathlib.Path(tmp_path).iterdir())


@pytest.mark.parametrize("name", golden.cases("files/outputs"))
def test_files_of_before(name, backend):
    """Written by 0.1.0, before the package was rebuilt (golden/files/make_files.py): every later version reads them."""
    want, path = golden.read("files/outputs", name), GOLDEN / "files" / f"{name}.npz"
    model = load(path, backend=backend)
    assert np.array_equal(model.theta, want["theta"])
    assert np.array_equal(model.trainable, want["trainable"])
    assert model.best.value > 0
    assert model.best[4:] == ("val_loss", "min", None)
    assert model.trained is None
    assert model.best.theta.shape == model.theta.shape
    y, state = model(want["x"], dt=want["dt"], return_state=True)
    for found, wanted in ((y, want["y"]), (state, want["state"])):
        assert np.abs(found - wanted).max() <= (1e-6 if model.dtype == np.float32 else 1e-13) * np.abs(wanted).max()
    states = {key.removeprefix("optimizer/"): a for key, a in want.items() if key.startswith("optimizer/")}
    if states:
        optimizer = {"gains": Adam(1e-2), "stack": SGD(1e-2, momentum=0.9)}[name]
        load(path, backend=backend, optimizer=optimizer)
        found = optimizer.state()
        assert found.keys() == states.keys()
        assert all(np.array_equal(found[key], states[key]) for key in states)
    assert (model.config is not None) == (name == "config")


NOTES = {"features": ["a", "b"], "unit": 0.5, "answer": "step", "known": True, "none": None, "inner": {"n": [1, [2]]}}


def test_notes_travel_with_the_file(tmp_path):
    model = MODELS["ncp"]()
    model.save(tmp_path / "without.npz")
    assert load(tmp_path / "without.npz").notes is None
    assert "notes" not in str(np.load(tmp_path / "without.npz")["meta"])  # files without are as they were
    model.notes = NOTES
    model.save(tmp_path / "with.npz")
    again = load(tmp_path / "with.npz")
    assert again.notes == NOTES and (again.theta == model.theta).all()
    again.save(tmp_path / "again.npz")
    assert load(tmp_path / "again.npz").notes == NOTES


@pytest.mark.parametrize("notes", [[1], "text", {1: 2}, {"a": np.ones(2)}, {"a": np.nan}, {"a": (1, 2)}, {"a": MODELS}])
def test_notes_that_are_no_plain_data_are_not_saved(notes, tmp_path):
    model = MODELS["ncp"]()
    model.notes = notes
    with pytest.raises(TypeError, match="`notes` must be a dict of text"):
        model.save(tmp_path / "m.npz")
    assert not [*tmp_path.iterdir()]


def test_a_file_whose_notes_are_no_dict_is_damaged(tmp_path):
    model = MODELS["ncp"]()
    model.notes = {}
    model.save(tmp_path / "m.npz")
    content = dict(np.load(tmp_path / "m.npz"))
    del content["digest"]
    content["meta"] = np.array(str(content["meta"]).replace('"notes": {}', '"notes": [1]'))
    np.savez(tmp_path / "m.npz", **content)
    with pytest.raises(ValueError, match="damaged: its notes are"):
        load(tmp_path / "m.npz")
    content["meta"] = np.array(str(content["meta"]).replace('"notes": [1]', '"notes": {"a": NaN}'))
    np.savez(tmp_path / "m.npz", **content)
    with pytest.raises(ValueError, match="m.npz: damaged: .*finite numbers"):
        load(tmp_path / "m.npz")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz"])
def test_a_state_dict_is_no_model_file_and_who_reads_it_is_named(tmp_path, suffix):
    """Whatever is in it; a model of ours may have any name."""
    path = tmp_path / f"x{suffix}"
    np.savez(path.with_suffix(".npz"), weight=np.zeros(2))
    path.with_suffix(".npz").rename(path)
    with pytest.raises(ValueError, match="no model file of ltc_np") as caught:
        load(path)
    assert str(caught.value).endswith("from_ncps(path) reads networks of ncps for PyTorch") == (suffix != ".npz")


@pytest.mark.parametrize("suffix", [".pkl", ".keras", ""])
def test_of_a_file_of_others_is_said_which_are_read(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"other" * 20)
    with pytest.raises(ValueError, match="not a model file, .*: give a file that `save` of a model has written$"):
        load(path)


@pytest.mark.parametrize("name", ["model", "model.npz", "model.v2", "model.bin"])
def test_the_name_of_a_file_is_taken_as_it_is(tmp_path, name):
    LTCRNN(AutoNCP(8, 2), 3, seed=0, backend="numpy").save(tmp_path / name)
    assert load(tmp_path / name, backend="numpy").input_size == 3


@pytest.mark.parametrize("name", ["model.h5", "model.PT", "model.onnx"])
def test_a_name_that_says_another_format_is_refused(tmp_path, name):
    """No other program could read it; a file that is there stays."""
    (tmp_path / name).write_bytes(b"other")
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend="numpy")
    for write in (model.save, Learner(model, "adam").save):
        with pytest.raises(ValueError, match=r"`path` must not end in \.\w+, which is another format: .* model\.npz"):
            write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"other"
