"""Files, copies and configurations: a model that comes back is the model."""

import copy
import pickle

import numpy as np
import pytest
from protocol.calls import given, results, same_bits
from protocol.layers import each

from ltc_np import Adam, Dense, Model, load


def trained(layer, backend):
    """A model with parameters that are not its initial ones, one of them frozen."""
    model, some = Model(layer, Dense(layer.output_size, 2), seed=0, backend=backend), given(layer, 4, 4, "float32")
    model.freeze(next(iter(model.params)))
    optimizer = Adam(1e-2)
    model.fit(some.x, some.d_y[:, :, :1].repeat(2, 2), dt=some.dt, lengths=some.lengths, epochs=1, optimizer=optimizer,
              seed=0, verbose=False)  # fmt: skip
    return model, optimizer, some._replace(d_y=some.d_y[:, :, :1].repeat(2, 2))


def same_model(again, model, some):
    assert type(again) is type(model)
    assert again.layers == model.layers
    assert repr(again) == repr(model)
    assert again.summary() == model.summary()
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


@each
def test_resumed_training_has_the_same_bits(layer, tmp_path):
    some = given(layer, 7, 4, "float32")
    options = {"dt": some.dt, "lengths": some.lengths, "batch_size": 3, "seed": 4, "verbose": False}
    once = Model(layer, seed=0)
    once.fit(some.x, some.d_y, epochs=2, optimizer=Adam(1e-2), **options)
    part, optimizer = Model(layer, seed=0), Adam(1e-2)
    part.fit(some.x, some.d_y, epochs=1, optimizer=optimizer, **options)
    part.save(tmp_path / "model.npz", optimizer)
    optimizer = Adam(1e-2)
    part = load(tmp_path / "model.npz", optimizer=optimizer)
    part.fit(some.x, some.d_y, epochs=2, initial_epoch=1, optimizer=optimizer, **options)
    assert np.array_equal(part.theta, once.theta)
