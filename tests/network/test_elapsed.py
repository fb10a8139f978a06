"""Elapsed times of a call that are unlike those of the training: who is told, and by which numbers."""

import contextlib

import numpy as np
import pytest

from ltc_np import LTC, SGD, AutoNCP, Batching, Dense, Model, load
from ltc_np.network.elapsed import FAR, MANY, range_of
from ltc_np.network.trained import Times, together
from ltc_np.online import Learner

X, Y = np.ones((4, 5, 1)), np.zeros((4, 5, 1))
DT = np.random.default_rng(0).permutation(np.linspace(0.5, 2, 20)).reshape(4, 5)
WIDE = np.geomspace(0.001, 100, 20).reshape(4, 5)  # as of intervals drawn at random: the shortest says little
NO_TIMES = "trained with elapsed times `dt`, from 0.5 to 2, usually about 1.2, and gets none"
OTHER_TIMES = "trained without elapsed times"
USUAL = float(np.exp(np.log(DT).mean()))


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
        ({"dt": DT}, 0.99 * FAR * DT, ""),
        ({"dt": DT}, 0.0, "all elapsed times `dt` are 0"),
        (
            {"dt": DT},
            0 * DT,
            "all elapsed times `dt` are 0, so that no time passes; the training had them from 0.5 to 2",
        ),
        ({"dt": DT}, 1.01 * FAR * DT, "some of the elapsed times `dt` are more than 10 times longer than the longest"),
        ({"dt": DT}, DT / (5 * FAR), "all of the elapsed times `dt` are more than 10 times shorter than the shortest"),
        ({"dt": WIDE}, WIDE, ""),
        ({"dt": WIDE}, WIDE / 9, ""),
        ({"dt": WIDE}, WIDE / 11, "usually more than 10 times shorter than in the training"),
        ({"dt": WIDE[::-1]}, WIDE.clip(0.05), ""),
        ({"dt": WIDE}, np.full((4, 5), 9.0), "usually more than 10 times longer than in the training"),
        ({"dt": 1.0}, None, ""),
    ],
)
def test_who_is_told(given, dt, words):
    """`predict`, `predict_proba` and `evaluate`; a call of the model and a gradient take whatever comes."""
    model = trained(**given)
    with told(words):
        model.predict(X, dt=dt)
    with told(words):
        model.evaluate(X, Y, dt=dt)
    model(X, dt=dt)
    model.loss_and_grad(X, Y, dt=dt)


@pytest.mark.parametrize(("given", "words"), [({}, ""), ({"dt": 1.0}, ""), ({"dt": DT}, NO_TIMES)])
def test_steps_without_times_are_told_of(given, words):
    model = trained(**given)
    streams, learner, other = model.streams(2), Learner(model, SGD(0.1)), Learner(model, SGD(0.1))
    streams.open()
    for step in (model.step, learner.predict, lambda x, **dt: streams.step(0, x, **dt)):
        with pytest.warns(RuntimeWarning) if words else contextlib.nullcontext() as found:
            step(np.ones(1))
        if words:
            assert len(found) == 1 and words in str(found[0].message)
        step(np.ones(1), dt=0.7)
    for dt in (1.0, 0.7):
        other.predict(np.ones(1), dt=dt)
    np.testing.assert_array_equal(learner.state, other.state)


def test_a_file_and_a_training_that_goes_on_know_it(tmp_path):
    model = trained(dt=DT)
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz", backend="numpy")
    assert again.trained.dt == model.trained.dt == Times(0.5, 2.0, (USUAL, USUAL))
    with told(NO_TIMES):
        again.predict(X)
    again.fit(X, Y, dt=3 * DT, epochs=range(1, 2), seed=0, verbose=False)
    assert again.trained.dt == Times(0.5, 6.0, (USUAL, pytest.approx(3 * USUAL)))
    with told("trained with elapsed times `dt`, from 0.5 to 6, and gets none"):
        again.fit(X, Y, epochs=range(2, 3), seed=0, verbose=False)
    again.fit(X, Y, dt=DT, epochs=1, verbose=False)  # a new one
    assert again.trained.dt == Times(0.5, 2.0, (USUAL, USUAL))
    assert Model(Dense(1), input_dim=1, seed=0).trained is None


def test_validation_has_the_times_of_the_training():
    with told("`validation`: the network was trained with elapsed times"):
        trained(dt=DT, validation=(X, Y))
    trained(dt=DT, validation={"x": X, "y": Y, "dt": DT})


def test_batches_of_a_user_s_own_tell_their_times():
    model = Model(LTC(AutoNCP(6, 1)), input_dim=1, seed=0, backend="numpy")
    batches = [{"x": X, "y": Y, "dt": DT}, {"x": X, "y": Y, "dt": 2 * DT}]
    model.fit(lambda epoch: batches, epochs=1, batch_size=Batching(steps_per_epoch=2), verbose=False)
    assert model.trained.dt == Times(0.5, 4.0, (USUAL, pytest.approx(2 * USUAL)))


@pytest.mark.parametrize("kind", ["array", "list", "file"])
def test_what_is_padding_does_not_count(kind, tmp_path):
    dt = np.array([[0.0, 2.0, 99.0], [3.0, 99.0, 99.0]])
    if kind == "file":
        np.save(tmp_path / "dt.npy", dt)
        dt = np.load(tmp_path / "dt.npy", mmap_mode="r")
    given = ([dt[0, :2], dt[1, :1]], None) if kind == "list" else (dt, [2, 1])
    assert range_of(*given) == Times(2.0, 3.0)
    assert range_of(np.array([0.0, 2.0, 99.0]), [2, 1]) == Times(2.0, 2.0)  # (T,) for all
    assert range_of(None) == Times(1.0, 1.0, (1.0, 1.0)) and range_of(0.0) is None
    assert range_of(0.3) == Times(0.3, 0.3, (0.3, 0.3))
    ragged = range_of([np.full(4, 0.5), np.full(6, 2.0), [0.0]])
    assert ragged == Times(0.5, 2.0, (pytest.approx(0.5**0.4 * 2**0.6),) * 2)


def test_sequences_may_have_rates_of_their_own():
    """What was trained on is not told of, and other units of all of it are."""
    rng = np.random.default_rng(3)
    dt = np.repeat([1.0, 60.0, 3600.0], 14)[:, None] * rng.uniform(0.8, 1.2, (42, 20))
    dt[:, 0] = 0
    model = Model(LTC(AutoNCP(6, 1)), input_dim=1, seed=0, backend="numpy")
    model.fit(np.ones((42, 20, 1)), np.zeros((42, 20, 1)), dt=dt, epochs=1, verbose=False)
    for rows in (slice(0, 14), slice(14, 28), slice(28, 42), slice(None)):
        model.predict(np.ones((42, 20, 1))[rows], dt=dt[rows])
        model.predict([np.ones((20, 1))] * len(dt[rows]), dt=list(dt[rows]))
    model.predict(np.ones((42, 1, 1)), dt=dt[:, :1])  # first steps, all of them of 0
    for rows, by, word in ((slice(0, 14), 1 / 24, "shorter"), (slice(28, 42), 24, "longer")):
        with told(word):
            model.predict(np.ones((42, 20, 1))[rows], dt=by * dt[rows])


def test_a_few_times_say_nothing_of_what_is_usual():
    """Nor are a few of 0 told of: those of events of the same moment."""
    few = WIDE.ravel()[: MANY - 1]
    assert range_of(few).usual is None and range_of(WIDE.ravel()[:MANY]).usual is not None
    model = trained(dt=WIDE)
    model.predict(np.ones((1, MANY - 1, 1)), dt=np.full((1, MANY - 1), 0.001))
    model.predict(np.ones((1, MANY, 1)), dt=np.zeros((1, MANY)))  # all but the first
    with told("usually more than 10 times shorter"):
        model.predict(np.ones((1, MANY, 1)), dt=np.full((1, MANY), 0.001))
    with told("all elapsed times `dt` are 0"):
        model.predict(np.ones((1, MANY + 1, 1)), dt=np.zeros((1, MANY + 1)))


def test_a_file_of_before_what_is_usual_was_kept(tmp_path):
    model = trained(dt=WIDE)
    model.trained = model.trained._replace(dt=(0.001, 100.0))
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz", backend="numpy")
    assert again.trained.dt == Times(0.001, 100.0, None)
    again.predict(X, dt=WIDE / 11)
    model.trained = model.trained._replace(dt=Times(1.0, 1.0))
    with told(OTHER_TIMES):
        model.predict(X, dt=DT)


def test_ranges_together():
    assert together([None, Times(1.0, 2.0), Times(0.5, 1.5)]) == Times(0.5, 2.0) and together([None, None]) is None
    several = [Times(1.0, 2.0, (1.1, 1.7)), Times(0.5, 1.5), Times(1.0, 1.9, (1.3, 1.8))]
    assert together(several) == Times(0.5, 2.0, (1.1, 1.8))


@pytest.mark.parametrize(
    "dt",
    [
        (2.0, 1.0),
        (0.0, 1.0),
        (np.nan, 1.0),
        "often",
        (1.0,),
        (1.0, 2.0, (1.5,)),
        (1.0, 2.0, (1.5, 1.2)),
        (1.0, 2.0, (0.0, 1.2)),
        (1.0, 2.0, None, None),
    ],
)
def test_a_file_with_another_range_is_damaged(dt, tmp_path):
    model = trained(dt=DT)
    model.trained = model.trained._replace(dt=dt)
    with pytest.raises((ValueError, TypeError)):
        model.save(tmp_path / "model.npz")
        load(tmp_path / "model.npz")
