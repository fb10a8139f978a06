"""Ensemble: the mean of what networks answer, of numbers and of classes, and what it refuses."""

import numpy as np
import pytest

from ltc_np import GRU, LTC, AutoNCP, BatchNorm, CfC, Dense, Ensemble, Model, ensemble, gradcheck, load, losses
from ltc_np.layers.ensemble import d_log_mean_probabilities, log_mean_probabilities


def networks(outputs=3, **options):
    """Of three kinds, which take elapsed times or not."""
    rows = (
        (LTC(AutoNCP(6, outputs)),),
        (GRU(4), Dense(outputs)),
        (CfC(3, backbone_units=5), BatchNorm(), Dense(outputs)),
    )
    return [
        Model(*row, input_dim=2, seed=seed, dtype="float64", backend="numpy", **options)
        for seed, row in enumerate(rows)
    ]


@pytest.fixture
def data(rng):
    return rng.normal(size=(4, 7, 2)), rng.exponential(size=(4, 7)), np.array([7, 2, 0, 5])


def answers(models, x, dt, lengths):
    return np.array([one(x, dt=dt if one.takes_dt else None, lengths=lengths) for one in models])


def test_numbers_are_the_mean_of_the_answers(data):
    x, dt, lengths = data
    models = networks()
    found = ensemble.join(models)(x, dt=dt, lengths=lengths)
    np.testing.assert_allclose(found, answers(models, x, dt, lengths).mean(axis=0), rtol=0, atol=1e-15)


def test_classes_have_the_mean_of_the_probabilities(data):
    x, dt, lengths = data
    models = networks()
    found = ensemble.join(models, answers="classes")(x, dt=dt, lengths=lengths)
    logits = answers(models, x, dt, lengths)
    wanted = (np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)).mean(axis=0)
    valid = np.arange(7) < lengths[:, None]
    np.testing.assert_allclose(np.exp(found[valid]), wanted[valid], rtol=0, atol=1e-15)
    np.testing.assert_allclose(losses.probabilities(found)[valid], wanted[valid], rtol=0, atol=1e-15)
    assert (found[~valid] == 0).all()


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_a_trace_has_the_answers_and_nothing_behind_the_end(kind, data):
    """Zeros of all members would be classes that are equally likely."""
    x, dt, lengths = data
    model = ensemble.join(networks(), answers=kind)
    answer = model(x, dt=dt, lengths=lengths)
    np.testing.assert_allclose(model.trace(x, dt=dt, lengths=lengths).y, answer, rtol=0, atol=1e-15)


def test_a_trace_has_the_arrays_of_every_member():
    model = Model(Ensemble(*[[Dense(2, "tanh"), Dense(1, "tanh")]] * 2), input_dim=2, seed=0, backend="numpy")
    found = model.trace(np.ones((1, 3, 2))).layers[0].arrays
    assert [*found] == ["0.0.argument", "0.1.argument", "1.0.argument", "1.1.argument"]
    assert (found["0.1.argument"] != found["1.1.argument"]).all()


def test_sure_members_do_not_overflow():
    """Far apart: log of (1 + exp(-2000)) / 2 is -log 2, and that of exp(-1000) / 2 is -1000 - log 2."""
    logits = np.array([[[[1000.0, 0.0, -1000.0]]], [[[0.0, 1000.0, -1000.0]]]])
    found = log_mean_probabilities(logits.copy())[0, 0]
    np.testing.assert_allclose(found, [-np.log(2), -np.log(2), -2000.0 + 0.0], rtol=1e-15)


def test_the_adjoint_of_the_mean_of_probabilities(rng):
    """By central differences: float64 leaves 1e-16 / 1e-5 of rounding, and (1e-5)**2 of the curve."""
    logits, d_y = rng.normal(size=(3, 2, 2, 4)), rng.normal(size=(2, 2, 4))
    own = logits.copy()
    mean = log_mean_probabilities(own)
    found = d_log_mean_probabilities(own, mean, d_y)
    step = 1e-5
    for place in np.ndindex(logits.shape):
        moved = [logits.copy(), logits.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (float((log_mean_probabilities(one) * d_y).sum()) for one in moved)
        assert found[place] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)


def test_gradients_through_a_stack(data):
    x, dt, lengths = data[0][:3, :3], data[1][:3, :3], np.array([3, 2, 0])
    models = networks()
    for kind in ("numbers", "classes"):
        model = Model(*ensemble.join(models, answers=kind).layers, Dense(2), seed=3, dtype="float64", backend="numpy")
        assert gradcheck.direction(model, x, dt=dt, lengths=lengths) < 1e-6  # as in the battery


def test_members_come_apart_as_they_were(data, tmp_path):
    x, dt, lengths = data
    models = networks(return_sequences=False)
    models[1].freeze("0")
    models[2].buffers["1.mean"] = np.array([1.0, 2.0, 3.0])
    joined = ensemble.join(models)
    joined.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz", backend="numpy")
    assert np.array_equal(again(x, dt=dt, lengths=lengths), joined(x, dt=dt, lengths=lengths))
    found = ensemble.members(again)
    for one, before in zip(found, models, strict=True):
        assert one.layers == before.layers and not one.return_sequences
        assert np.array_equal(one.theta, before.theta)
        assert np.array_equal(one.buffer_vector, before.buffer_vector)
    sizes = [model.theta.size for model in models]
    assert (~again.trainable).sum() == (~models[1].trainable).sum() > 0
    assert again.trainable[: sizes[0]].all() and again.trainable[sum(sizes[:2]) :].all()
    assert ensemble.members(models[0]) == [models[0]]
    found[0].theta[:] = 0  # copies
    assert again.theta[: sizes[0]].any()


def test_single_steps_are_the_sequence(data):
    x, dt, _ = data
    model, state, found = ensemble.join(networks(), answers="classes"), None, []
    for t in range(7):
        y, state = model.step(x[:, t], dt=dt[:, t], state=state)
        found.append(y)
    np.testing.assert_allclose(np.stack(found, axis=1), model(x, dt=dt), rtol=1e-13, atol=1e-14)


def test_seeds_of_members_begin_with_the_given_one():
    three, five = ensemble.seeds(7, 3), ensemble.seeds(7, 5)
    assert three[0] == 7 and five[:3] == three and len(set(five)) == 5
    assert ensemble.seeds(8, 3)[1:] != three[1:]
    assert ensemble.seeds(None, 2) == [None, None]
    drawn = ensemble.seeds(np.random.default_rng(0), 3)
    assert drawn == ensemble.seeds(np.random.default_rng(0), 3) and len(set(drawn)) == 3


def test_what_does_not_fit_together_is_refused():
    one, two = Dense(2, input_dim=3), Dense(2, input_dim=4)
    with pytest.raises(ValueError, match="`members` must be at least two networks, got 1"):
        Ensemble(one)
    with pytest.raises(ValueError, match="as many, got 3 in, 2 out, 4 in, 2 out"):
        Ensemble(one, two)
    with pytest.raises(ValueError, match='`answers` must be "numbers" for members with one output'):
        Ensemble(Dense(1, input_dim=3), Dense(1, input_dim=3), answers="classes")
    with pytest.raises(ValueError, match="`answers` must be one of 'numbers', 'classes', got 'labels'"):
        Ensemble(one, one, answers="labels")
    with pytest.raises(ValueError, match="`layers` must hold at least one layer"):
        Ensemble(one, ())
    with pytest.raises(TypeError, match=r"`models\[1\]` must be a Model, got 3"):
        ensemble.join([networks()[0], 3])
    with pytest.raises(ValueError, match="same dtype and return_sequences"):
        ensemble.join([networks()[0], networks(return_sequences=False)[0]])
    with pytest.raises(ValueError, match="`models` must be at least two models, got 0"):
        ensemble.join([])
