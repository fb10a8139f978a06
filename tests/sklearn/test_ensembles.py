"""Ensembles of the estimators: the mean of networks, side by side, one file, and how far they are from each other."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.base import clone

from ltc_np import SGD, Model, ensemble, load, losses, metrics
from ltc_np.analysis import temperature
from ltc_np.recipe import Recipe
from ltc_np.simplify import distil
from ltc_np.sklearn import CfCClassifier, CfCRegressor, LiquidForecaster, LTCClassifier, LTCRegressor

FEW = {"units": 5, "epochs": 2, "random_state": 0, "backend": "numpy"}
SMALL = FEW | {"shortcut": None}  # the networks alone


@pytest.fixture
def data(rng):
    """Sequences (20, 6, 2), the sum of each, and which of three classes it is in."""
    X = rng.normal(size=(20, 6, 2))
    y = X.sum((1, 2))
    return X, y, np.digitize(y, [-1.5, 1.5])


def alone(kind, X, y, model_seed, seed):
    """One network of the recipe with these seeds, trained as an estimator does it."""
    recipe = Recipe(cell=kind.cell, units=5, epochs=2)
    numbers, outputs = kind.numbers, 1 if kind.numbers else 3
    model = recipe.model(
        2, outputs, steps=6.0, every_step=False, numbers=numbers, seed=model_seed, backend="numpy"
    )  # fmt: skip
    loss = "mse" if numbers else "cross_entropy"
    recipe.fit(model, X, y, sequences=20, seed=seed, loss=loss, verbose=False)
    return model


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", [LTCRegressor, CfCRegressor, LTCClassifier, CfCClassifier])
def test_it_is_the_mean_of_the_recipe_s_networks(kind, data):
    X, y, labels = data
    y = y if kind.numbers else labels
    estimator = kind(ensemble=3, **SMALL).fit(X, y)
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    several = zip(*(ensemble.seeds(int(seed), 3) for seed in seeds), strict=True)
    models = [alone(kind, X, y, *own) for own in several]
    for own, one in zip(ensemble.members(estimator.model_), models, strict=True):
        assert np.array_equal(own.theta, one.theta)
    outputs = [model.predict(X).astype(float) for model in models]
    if kind.numbers:
        answers, found = [out[:, 0] for out in outputs], estimator.predict(X)
    else:
        answers, found = [losses.probabilities(out) for out in outputs], estimator.predict_proba(X)
        np.testing.assert_array_equal(estimator.predict(X), np.mean(answers, axis=0).argmax(axis=1))
    np.testing.assert_allclose(found, np.mean(answers, axis=0), rtol=1e-5, atol=1e-6)  # the model's mean is float32
    spread = np.sqrt(sum((one - np.mean(answers, axis=0)) ** 2 for one in answers) / 2)
    np.testing.assert_allclose(estimator.spread(X), spread, rtol=1e-9, atol=1e-12)
    assert spread.min() >= 0 and spread.max() > 1e-3


def test_the_first_network_is_the_estimator_without_the_others(data):
    X, y, _ = data
    one, several = LTCRegressor(**SMALL).fit(X, y), LTCRegressor(ensemble=2, **SMALL).fit(X, y)
    first, second = ensemble.members(several.model_)
    assert np.array_equal(one.model_.theta, first.theta) and not np.array_equal(first.theta, second.theta)
    assert one.history_ == several.history_
    assert "Ensemble" not in repr(one.model_) and one.model_.theta.size * 2 == several.model_.theta.size


@pytest.mark.slow
def test_networks_side_by_side_have_the_same_bits(data):
    """In other processes, which get copies of everything."""
    X, y, _ = data
    found = [
        CfCRegressor(ensemble=3, n_jobs=n_jobs, early_stopping=True, **SMALL).fit(X, y).model_.theta
        for n_jobs in (None, 2)
    ]
    assert np.array_equal(*found)


def test_targets_at_every_step_and_unequal_lengths(data, rng):
    X = [rng.normal(size=(T, 2)) for T in (4, 6, 3, 5)]
    numbers, labels = [x[:, 0] for x in X], [(x[:, 0] > 0).astype(int) for x in X]
    regressor = LTCRegressor(ensemble=2, **SMALL).fit(X, numbers)
    assert [one.shape for one in regressor.spread(X)] == [(4,), (6,), (3,), (5,)]
    classifier = CfCClassifier(ensemble=2, **SMALL).fit(X, labels)
    assert [one.shape for one in classifier.spread(X)] == [(4, 2), (6, 2), (3, 2), (5, 2)]
    for one in classifier.predict_proba(X):
        np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-12)


def test_one_file_has_all_networks(data, tmp_path):
    X, _, labels = data
    classifier = CfCClassifier(ensemble=2, **SMALL).fit(X, labels)
    classifier.model_.save(tmp_path / "model.npz")
    model = load(tmp_path / "model.npz", backend="numpy")
    assert np.array_equal(model.predict_proba(X), classifier.model_.predict_proba(X))
    assert len(ensemble.members(model)) == 2
    # The loss is that of the training, and of the mean of probabilities.
    p = classifier.predict_proba(X)[np.arange(20), labels]
    assert model.evaluate(X, labels)["loss"] == pytest.approx(-np.log(p).mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the student's outputs are:RuntimeWarning")  # 20 sequences teach little
def test_an_ensemble_becomes_one_network(data):
    """On request, by what is there for any two models."""
    X, y, _ = data
    teacher = CfCRegressor(ensemble=3, **SMALL | {"units": 4, "epochs": 20}).fit(X, y).model_
    student = ensemble.members(teacher)[0]
    before = np.abs(student.predict(X) - teacher.predict(X)).mean()
    result = distil(teacher, student, X, epochs=20, batch_size=8, optimizer="adam", seed=0, verbose=False)
    assert isinstance(result.model, Model) and result.model.theta.size * 3 == teacher.theta.size
    assert np.abs(result.model.predict(X) - teacher.predict(X)).mean() < before


def test_warm_start_goes_on_with_every_network(data):
    X, y, _ = data
    regressor = LTCRegressor(ensemble=2, warm_start=True, **SMALL).fit(X, y)
    before = [one.theta.copy() for one in ensemble.members(regressor.model_)]
    regressor.fit(X, y)
    after = [one.theta for one in ensemble.members(regressor.model_)]
    assert all((a != b).mean() > 0.5 for a, b in zip(before, after, strict=True))
    assert regressor.model_.trained.number == 1
    with pytest.raises(ValueError, match="`ensemble` must stay 2"):
        clone(regressor).set_params(ensemble=2).fit(X, y).set_params(ensemble=3).fit(X, y)


@pytest.mark.slow
def test_forecasters_are_ensembles_too():
    series = np.sin(np.arange(60) * 0.3)
    options = FEW | {"window": 8, "quantiles": None, "validation_fraction": 0}
    forecaster = LiquidForecaster(ensemble=2, **options).fit(series, horizon=3)
    assert len(ensemble.members(forecaster.model_)) == 2
    one = LiquidForecaster(**options).fit(series, horizon=3)
    assert np.array_equal(ensemble.members(forecaster.model_)[0].theta, one.model_.theta)
    assert forecaster.predict().shape == (3,) and not np.array_equal(forecaster.predict(), one.predict())


def test_what_an_ensemble_cannot_do_is_refused(data):
    X, y, _ = data
    with pytest.raises(
        ValueError, match="`spread` needs an ensemble of several networks, got one: fit with ensemble=5"
    ):
        LTCRegressor(**SMALL).fit(X, y).spread(X)
    with pytest.raises(ValueError, match="`ensemble` must be 1 for `partial_fit`, which trains one network, got 2"):
        LTCRegressor(ensemble=2, **SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match="`ensemble` must be an int >= 1, got 0"):
        LTCRegressor(ensemble=0, **SMALL).fit(X, y)
    recipe = Recipe(units=3, ensemble=2)
    model = recipe.model(2, 1, steps=6, every_step=False, numbers=True, seed=0, backend="numpy")
    for name, value in (("checkpoint", "run"), ("optimizer", "adam")):
        with pytest.raises(ValueError, match=f"`{name}` must be None for an ensemble"):
            recipe.fit(model, X, y, sequences=20, **{name: value})
    with pytest.raises(ValueError, match="`model` must be of 2 networks"):
        recipe.fit(ensemble.members(model)[0], X, y, sequences=20)


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("networks", [1, 2])
def test_a_classifier_is_calibrated_on_other_sequences(data, rng, networks):
    X, _, labels = data
    words = np.array(["low", "middle", "high"])[labels]
    classifier = CfCClassifier(ensemble=networks, units=8, epochs=60, random_state=0, backend="numpy").fit(X, words)
    other = rng.normal(size=(60, 6, 2))
    y = np.array(["low", "middle", "high"])[np.digitize(other.sum((1, 2)), [-1.5, 1.5])]
    weight = rng.uniform(0.5, 2, 60)
    p, decided, before = (
        classifier.predict_proba(other),
        classifier.predict(other),
        classifier.calibration_error(other, y),
    )
    numbers = np.searchsorted(classifier.classes_, y)
    metric = metrics.get("calibration_error")
    metric.update(np.log(p), numbers)
    assert before == pytest.approx(metric.result(), rel=1e-9)
    assert classifier.calibrate(other, y, sample_weight=weight) is classifier
    T = classifier.temperature_
    assert pytest.approx(temperature(np.log(p), numbers, weight), rel=1e-6) == T > 1.05
    wanted = p ** (1 / T) / (p ** (1 / T)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(other), wanted, rtol=1e-4)
    np.testing.assert_array_equal(classifier.predict(other), decided)
    calibrated = classifier.predict_proba(other)
    assert classifier.calibrate(other, y, sample_weight=weight).temperature_ == pytest.approx(T, rel=1e-5)
    np.testing.assert_allclose(classifier.predict_proba(other), calibrated, rtol=1e-4)
    wrong, softened = classifier.classes_[p.argmin(axis=1)], p**0.01 / (p**0.01).sum(axis=1, keepdims=True)
    for _ in range(2):  # 100 in all, and not each time
        with pytest.warns(RuntimeWarning, match="the best temperature is beyond 100"):
            classifier.calibrate(other, wrong)
        assert classifier.temperature_ == 100
        np.testing.assert_allclose(classifier.predict_proba(other), softened, rtol=1e-4)
    if networks > 1:
        assert classifier.spread(other).shape == (60, 3)
    assert not hasattr(classifier.set_params(epochs=1).fit(X, words), "temperature_")


@pytest.mark.parametrize("how", ["partial_fit", "warm_start", "online"])
def test_a_calibrated_classifier_learns_on(how, rng):
    """From the answers that it gives, so the first gradient is of the calibrated logits; and it is calibrated again."""
    X = rng.normal(size=(30, 4, 1))
    y = (X.sum((1, 2)) + rng.normal(size=30) > 0).astype(int)
    classifier = CfCClassifier(units=4, epochs=10, random_state=0, backend="numpy", shortcut=None).fit(X, y)
    classifier.set_params(learning_rate=1e-9, warm_start=True, online=SGD(1e-9) if how == "online" else None)
    before = classifier.predict_proba(X)
    T = classifier.calibrate(X, y).temperature_
    p = classifier.predict_proba(X)
    assert abs(T - 1) > 0.01 and np.abs(p - before).max() > 1e-3
    np.testing.assert_allclose(classifier.model_.predict_proba(X), p, rtol=1e-6)
    (classifier.fit if how == "warm_start" else classifier.partial_fit)(X, y)
    assert not hasattr(classifier, "temperature_")
    np.testing.assert_allclose(classifier.predict_proba(X), p, rtol=1e-5)
    assert classifier.calibrate(X, y).temperature_ == pytest.approx(1, abs=1e-3)


def test_steps_are_calibrated_too(rng):
    X = [rng.normal(size=(T, 1)) for T in (4, 6, 3, 5)]
    labels = [(x[:, 0] + rng.normal(size=len(x)) > 0).astype(int) for x in X]
    classifier = CfCClassifier(units=4, epochs=30, random_state=0, backend="numpy").fit(X, labels)
    p, flat = np.concatenate(classifier.predict_proba(X)), np.concatenate(labels)
    classifier.calibrate(X, labels)
    assert classifier.temperature_ == pytest.approx(temperature(np.log(p), flat), rel=1e-5)
