"""The temperature of logits, and a model that has it."""

import numpy as np
import pytest

from ltc_np import GRU, BatchNorm, Dense, Model, Standardize, ensemble, load, losses, metrics
from ltc_np.analysis import calibrated, temperature


def problem(rng, classes=3, n=200, sure=1.0):
    """Logits that are ``sure`` times those by which the classes were drawn."""
    logits = rng.normal(size=(n, classes)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits * sure, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def cross_entropy(logits, target, weight):
    """Plainly."""
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -(weight * np.log(p[np.arange(len(p)), target])).sum() / weight.sum()


@pytest.mark.parametrize("sure", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_temperature_is_better(rng, sure, weighted):
    """By a search on a grid, which knows no derivative; it halves its step until it has nine digits."""
    logits, target = problem(rng, sure=sure)
    weight = rng.choice([0.0, 0.5, 2.0], len(target)) if weighted else np.ones(len(target))
    best, step = 1.0, 2.0
    while step > 1 + 1e-10:
        best = min((best / step, best, best * step), key=lambda T: cross_entropy(logits / T, target, weight))
        step = step**0.9
    found = temperature(logits, target, weight if weighted else None)
    # where the loss differs by less than 1e-16 of itself: its curve hides sqrt(1e-16) of T from the search
    assert found == pytest.approx(best, rel=1e-6)


@pytest.mark.slow
def test_what_was_too_sure_becomes_calibrated(rng):
    logits, target = problem(rng, n=20000, sure=3.0)
    T = temperature(logits, target)
    assert pytest.approx(3, rel=0.05) == T  # the standard error for 20,000 elements is about 1 %
    errors = []
    for values in (logits, logits / T):
        metric = metrics.get("calibration_error")
        metric.update(values, target)
        errors.append(metric.result())
    assert errors[0] > 0.1 > 0.02 > errors[1]


def test_it_scales_with_the_logits_and_knows_one_output(rng):
    logits, target = problem(rng, classes=2)
    T = temperature(logits, target)
    assert temperature(5 * logits, target) == pytest.approx(5 * T, rel=1e-9)
    assert temperature(logits[:, 1:] - logits[:, :1], target) == pytest.approx(T, rel=1e-9)
    assert temperature(logits + rng.normal(size=(len(target), 1)), target) == pytest.approx(T, rel=1e-9)


def test_beyond_the_bounds_is_a_warning(rng):
    logits, _ = problem(rng)
    with pytest.warns(RuntimeWarning, match="beyond 0.01, which is taken: every decision is right"):
        assert temperature(logits, logits.argmax(axis=1)) == 0.01
    with pytest.warns(RuntimeWarning, match="beyond 100, which is taken: the logits say nothing of the classes"):
        assert temperature(logits, logits.argmin(axis=1)) == 100


def networks(**options):
    return [
        Model(GRU(3), BatchNorm(), Dense(2), input_dim=2, seed=seed, backend="numpy", dtype="float64", **options)
        for seed in range(2)
    ]


def test_a_calibrated_model_divides_its_outputs(rng, tmp_path):
    x = rng.normal(size=(3, 5, 2))
    for model in (networks()[0], ensemble.join(networks(return_sequences=False), answers="classes")):
        model.freeze("0")
        found = calibrated(model, 4.0)
        np.testing.assert_allclose(found(x), model(x) / 4, rtol=1e-15)
        twice = calibrated(found, 0.5)
        assert len(twice.layers) == len(found.layers) == len(model.layers) + 1
        np.testing.assert_allclose(twice(x), model(x) / 2, rtol=1e-15)
        assert np.array_equal(found.theta, model.theta) and np.array_equal(found.trainable, model.trainable)
        found.save(tmp_path / "model.npz")
        assert np.array_equal(load(tmp_path / "model.npz", backend="numpy")(x), found(x))
    shifted = Model(Dense(2, input_dim=2), Standardize(inverse=True, mean=3.0, scale=2.0), seed=0, backend="numpy")
    np.testing.assert_allclose(calibrated(shifted, 4.0)(x), shifted(x) / 4, rtol=1e-6)


def test_a_calibrated_model_is_one_of_logits(rng):
    """For losses, metrics and probabilities; one number for all outputs moves no decision."""
    x, y = rng.normal(size=(4, 5, 2)), rng.integers(0, 3, (4, 5))
    model = Model(Dense(3), input_dim=2, seed=0, backend="numpy")
    found = calibrated(model, 2.0)
    np.testing.assert_allclose(found.predict_proba(x), losses.probabilities(model(x) / 2), rtol=1e-6)
    loss, _ = found.loss_and_grad(x, y, loss="cross_entropy")
    assert loss == pytest.approx(losses.cross_entropy(model(x) / 2, y)[0] / y.size, rel=1e-6)
    measured = found.evaluate(x, y, loss="cross_entropy", metrics=["accuracy"])
    assert measured["accuracy"] == (model(x).argmax(-1) == y).mean()
    for same in (calibrated(model, 1.0), calibrated(found, 0.5)):
        assert same.layers == model.layers and np.array_equal(same(x), model(x))
        same.predict_proba(x)
    for last in ({"mean": 1.0, "scale": 2.0}, {"scale": [1.0, 2.0, 2.0]}, {}):
        with pytest.raises(ValueError, match="needs a model of logits, got Standardize"):
            Model(Dense(3), Standardize(inverse=True, **last), input_dim=2, seed=0).predict_proba(x)


def test_an_ensemble_that_is_calibrated_comes_apart(rng):
    x, models = rng.normal(size=(3, 5, 2)), networks()
    model = calibrated(ensemble.join(models, answers="classes"), 2.0)
    mean = np.mean([losses.probabilities(one(x)) for one in models], axis=0)
    wanted = np.sqrt(mean) / np.sqrt(mean).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(losses.probabilities(model(x)), wanted, rtol=1e-12)
    found = ensemble.members(model)
    for one, before in zip(found, models, strict=True):
        np.testing.assert_allclose(one(x), before(x) / 2, rtol=1e-15)
        one.theta *= 2
        one.buffer_vector[:3] = 7
    ensemble.take(model, found)
    for one, before in zip(ensemble.members(model), models, strict=True):
        assert np.array_equal(one.theta, 2 * before.theta)
        assert np.array_equal(one.buffer_vector, [7, 7, 7, *before.buffer_vector[3:], 0, 0, 0.5, 0.5])


def test_what_does_not_fit_is_refused(rng):
    logits, target = problem(rng)
    for wrong in (target[:-1], target.astype(float), target[:, None]):
        with pytest.raises(ValueError, match="`target` must be the class"):
            temperature(logits, wrong)
    with pytest.raises(ValueError, match=r"`target` must be classes in 0..2, got 1 to 3"):
        temperature(logits, target + 1)
    with pytest.raises(ValueError, match="`weight` must be"):
        temperature(logits, target, -np.ones(len(target)))
    with pytest.raises(ValueError, match="`weight` must be"):
        temperature(logits, target, np.zeros(len(target)))
    with pytest.raises(ValueError, match="`logits` must be finite"):
        temperature(np.where(logits > 3, np.nan, logits), target)
    with pytest.raises(ValueError, match="`temperature` must be"):
        calibrated(networks()[0], 0.0)
