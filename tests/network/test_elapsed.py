"""Elapsed times of a call that are unlike those of the training: who is told, and by which numbers."""

import contextlib

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Batching, Dense, Model, load
from ltc_np.network.elapsed import FAR, range_of
from ltc_np.network.trained import together

X, Y = np.ones((4, 5, 1)), np.zeros((4, 5, 1))
DT = np.random.default_rng(0).permutation(np.linspace(0.5, 2, 20)).reshape(4, 5)
NO_TIMES, OTHER_TIMES = "trained with elapsed times `dt`, from 0.5 to 2, and gets none", "trained without elapsed times"


def trained(**given):
    model = Model(LTC(AutoNCP(6, 1)), input_dim=1, seed=0, backend="numpy")
    model.fit(X, Y, epochs=1, verbose=False, **given)
    return model


def told(words):
    return pytest.warns(RuntimeWarning, match=words) if words else contextlib.nullcontext()


@pytest.mark.parametrize(
    ("given", "dt", "words"),
    [
        ({}, None, ""),
        ({}, 1.0, ""),
        ({}, DT, OTHER_TIMES),
        ({"dt": DT}, None, NO_TIMES),
        ({"dt": DT}, DT, ""),
        ({"dt": DT}, FAR * DT, ""),
        ({"dt": DT}, 0.0, ""),
        ({"dt": DT}, 1.01 * FAR * DT, "some of the elapsed times `dt` are more than 10 times longer than the longest"),
        ({"dt": DT}, DT / (5 * FAR), "all of the elapsed times `dt` are more than 10 times shorter than the shortest"),
        ({"dt": 1.0}, None, ""),
    ],
)
def test_who_is_told(given, dt, words):
    """`predict`, `predict_proba` and `evaluate`; a call of the model, a step and a gradient take whatever comes."""
    model = trained(**given)
    with told(words):
        model.predict(X, dt=dt)
    with told(words):
        model.evaluate(X, Y, dt=dt)
    model(X, dt=dt)
    model.loss_and_grad(X, Y, dt=dt)


def test_a_file_and_a_training_that_goes_on_know_it(tmp_path):
    model = trained(dt=DT)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz", backend="numpy")
    assert again.trained.dt == model.trained.dt == (0.5, 2.0)
    with told(NO_TIMES):
        again.predict(X)
    again.fit(X, Y, dt=3 * DT, epochs=range(1, 2), seed=0, verbose=False)
    assert again.trained.dt == (0.5, 6.0)
    with told("trained with elapsed times `dt`, from 0.5 to 6, and gets none"):
        again.fit(X, Y, epochs=range(2, 3), seed=0, verbose=False)
    again.fit(X, Y, dt=DT, epochs=1, verbose=False)  # a new one
    assert again.trained.dt == (0.5, 2.0)
    assert Model(Dense(1), input_dim=1, seed=0).trained is None


def test_validation_has_the_times_of_the_training():
    with told("`validation`: the network was trained with elapsed times"):
        trained(dt=DT, validation=(X, Y))
    trained(dt=DT, validation={"x": X, "y": Y, "dt": DT})


def test_batches_of_a_user_s_own_tell_their_times():
    model = Model(LTC(AutoNCP(6, 1)), input_dim=1, seed=0, backend="numpy")
    batches = [{"x": X, "y": Y, "dt": DT}, {"x": X, "y": Y, "dt": 2 * DT}]
    model.fit(lambda epoch: batches, epochs=1, batch_size=Batching(steps_per_epoch=2), verbose=False)
    assert model.trained.dt == (0.5, 4.0)


@pytest.mark.parametrize("kind", ["array", "list", "file"])
def test_what_is_padding_does_not_count(kind, tmp_path):
    dt = np.array([[0.0, 2.0, 99.0], [3.0, 99.0, 99.0]])
    if kind == "file":
        np.save(tmp_path / "dt.npy", dt)
        dt = np.load(tmp_path / "dt.npy", mmap_mode="r")
    given = ([dt[0, :2], dt[1, :1]], None) if kind == "list" else (dt, [2, 1])
    assert range_of(*given) == (2.0, 3.0)
    assert range_of(np.array([0.0, 2.0, 99.0]), [2, 1]) == (2.0, 2.0)  # (T,) for all
    assert range_of(None) == (1.0, 1.0) and range_of(0.0) is None and range_of(0.3) == (0.3, 0.3)


def test_ranges_together():
    assert together([None, (1.0, 2.0), (0.5, 1.5)]) == (0.5, 2.0) and together([None, None]) is None


@pytest.mark.parametrize("dt", [(2.0, 1.0), (0.0, 1.0), (np.nan, 1.0), "often", (1.0,)])
def test_a_file_with_another_range_is_damaged(dt, tmp_path):
    model = trained(dt=DT)
    model.trained = model.trained._replace(dt=dt)
    with pytest.raises((ValueError, TypeError)):
        model.save(tmp_path / "model.npz")
        load(tmp_path / "model.npz")
