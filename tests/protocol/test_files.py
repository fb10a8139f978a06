"""Files, copies and configurations: a model that comes back is the model."""

import copy
import json
import pickle
import sys

import numpy as np
import pytest
from protocol.calls import given, results, same_bits
from protocol.layers import each
from support.files import attempt, edited, memory
from support.signatures import unknown
from support.texts import summary

from ltc_np import Adam, Dense, Model, load
from ltc_np.kernels import library


def trained(layer, backend):
    """A model with parameters that are not its initial ones, one of them frozen."""
    model, some = Model(layer, Dense(2), seed=0, dtype="float64", backend=backend), given(layer, 4, 4, "float64")
    model.freeze(next(iter(model.params)))
    optimizer = Adam(1e-2)
    model.fit(some.x, some.d_y[:, :, :1].repeat(2, 2), dt=some.dt, lengths=some.lengths, epochs=1, optimizer=optimizer,
              seed=0, verbose=False)  # fmt: skip
    return model, optimizer, some._replace(d_y=some.d_y[:, :, :1].repeat(2, 2))


def same_model(again, model, some):
    assert type(again) is type(model)
    assert again.layers == model.layers
    assert repr(again) == repr(model)
    assert summary(again) == summary(model)
    assert np.array_equal(again.trainable, model.trainable)
    for name, values in model.buffers.items():
        assert np.array_equal(again.buffers[name], values)
    same_bits(results(again, some), results(model, some))


def test_files(layer, backend, tmp_path):
    model, optimizer, some = trained(layer, backend)
    model.save(tmp_path / "model.npz", optimizer)
    read = Adam(1e-2)
    again = load(tmp_path / "model.npz", backend=backend, optimizer=read)
    same_model(again, model, some)
    for name, values in optimizer.state().items():
        assert np.array_equal(read.state()[name], values), name


@pytest.mark.host
def test_copies(layer, backend):
    model, _, some = trained(layer, backend)
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same_model(again, model, some)
        before = model.theta[0]
        again.theta[0] = 7
        assert model.theta[0] == before


@pytest.mark.host
def test_an_answer_changes_nothing_that_is_pickled(layer, backend):
    """Libraries take an estimator whose pickle another call has changed for one that predicting changes."""
    model = Model(layer, Dense(2), seed=0, dtype="float64", backend=backend)
    some = given(layer, 4, 4, "float64")
    before = pickle.dumps(model)
    results(model, some._replace(d_y=some.d_y[:, :, :1].repeat(2, 2)))
    assert pickle.dumps(model) == before


@pytest.mark.host
def test_a_copy_in_memory_that_nobody_may_write_to(layer, backend):
    """As `joblib.load(path, mmap_mode="r")` and processes that share memory make it: it can be trained all the same."""
    model, _, some = trained(layer, backend)
    buffers = []
    data = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])
    same_model(again, model, some)
    for one in (model, again):
        one.fit(some.x, some.d_y, dt=some.dt, lengths=some.lengths, epochs=1, seed=0, verbose=False)
    assert np.array_equal(again.theta, model.theta)
    if backend == "cpu" and not library.chosen():
        assert unknown(sys.modules) == []  # no kernel was compiled again


@each
def test_resumed_training_has_the_same_bits(layer, tmp_path):
    some = given(layer, 7, 4, "float64")
    options = {"dt": some.dt, "lengths": some.lengths, "batch_size": 3, "seed": 4, "verbose": False}
    once = Model(layer, seed=0, dtype="float64")
    once.fit(some.x, some.d_y, epochs=2, optimizer=Adam(1e-2), **options)
    part, optimizer = Model(layer, seed=0, dtype="float64"), Adam(1e-2)
    part.fit(some.x, some.d_y, epochs=1, optimizer=optimizer, **options)
    part.save(tmp_path / "model.npz", optimizer)
    optimizer = Adam(1e-2)
    part = load(tmp_path / "model.npz", optimizer=optimizer)
    part.fit(some.x, some.d_y, epochs=range(1, 2), optimizer=optimizer, **options)
    assert np.array_equal(part.theta, once.theta)


# ------------------------------------------------------------------------------------------ what a file may say else

INSTEAD = (2**31, 10**30, -1, 0, 3, 0.5, True, None, "x", [], {}, [[]], {"array": 0}, {"tuple": []})
TEXTS = ("arguments", "layers")  # of a wiring: JSON in JSON


def places(form, place=()):
    """All places in JSON, and in the JSON texts of wirings: tuples of keys and positions."""
    yield place
    if place and place[-1] in TEXTS and isinstance(form, str):
        form = json.loads(form)
    if isinstance(form, (dict, list)):
        for key, value in form.items() if isinstance(form, dict) else enumerate(form):
            yield from places(value, (*place, key))


def replaced(form, place, value):
    """The JSON with another value at a place."""
    if not place:
        return value
    if isinstance(form, str):
        return json.dumps(replaced(json.loads(form), place, value))
    form = form.copy()
    form[place[0]] = replaced(form[place[0]], place[1:], value)
    return form


def check_edits(layer, folder, count):
    """Puts something else in the place of one thing that the file says, ``count`` times."""
    path, bad = folder / "model.npz", folder / "bad.npz"
    Model(layer, seed=0).save(path)
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
    every = [(place, value) for place in places(meta) for value in INSTEAD]
    attempt(path)
    for k in np.random.default_rng(0).permutation(len(every))[:count]:
        place, value = every[k]

        def change(meta, content, place=place, value=value):
            new = replaced(meta, place, value)
            meta.clear()
            meta.update(new if isinstance(new, dict) else {"ltc_np": new})

        edited(path, bad, change)
        with memory() as most:
            attempt(bad)
            assert most() < 10 * bad.stat().st_size + 2**20, (place, value)  # the latter: Python's own objects


@pytest.mark.few(12)
@each
def test_a_file_that_says_something_else(layer, tmp_path):
    check_edits(layer, tmp_path, 25)


@pytest.mark.few(4)
@each
@pytest.mark.slow
def test_a_file_that_says_many_other_things(layer, tmp_path):
    check_edits(layer, tmp_path, 100)
