"""Estimators: what they learn, in which forms sequences and targets come, and what they refuse."""

import copy
import inspect
import pickle
import re
import subprocess
import sys
from dataclasses import dataclass, fields

import numpy as np
import pytest
from support import ROOT

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split

from ltc_np import Model, load
from ltc_np.recipe import Recipe
from ltc_np.sklearn import (
    CfCClassifier,
    CfCRegressor,
    GRUClassifier,
    GRURegressor,
    LiquidEstimator,
    LiquidForecaster,
    LSTMClassifier,
    LSTMRegressor,
    LTCClassifier,
    LTCRegressor,
)
from ltc_np.sklearn.targets import read_numbers

REGRESSORS = LTCRegressor, CfCRegressor, GRURegressor, LSTMRegressor
CLASSIFIERS = LTCClassifier, CfCClassifier, GRUClassifier, LSTMClassifier
SMALL = {"units": 6, "epochs": 3, "shortcut": None, "random_state": 0}  # the network alone
DEFAULTS = vars(Recipe()) | {"shortcut": "auto"}  # which `fit` of a recipe cannot: it holds nothing out


@pytest.fixture
def data(rng):
    """Sequences (40, 9, 2), the sum of each, and whether it is more than 0."""
    X = rng.normal(size=(40, 9, 2))
    y = X.sum((1, 2))
    return X, y, np.where(y > 0, "up", "down")


@pytest.mark.slow
@pytest.mark.parametrize("kind", REGRESSORS)
def test_numbers_are_learned(kind, data):
    X, y, _ = data
    regressor = kind(units=8, epochs=100, random_state=0).fit(X, 1e3 * y + 5e4)
    assert regressor.score(X, 1e3 * y + 5e4) > 0.8
    assert regressor.predict(X).shape == (40,)
    assert regressor.predict(X).dtype == np.float64


@pytest.mark.parametrize("kind", [*REGRESSORS, *CLASSIFIERS, LiquidEstimator, LiquidForecaster])
def test_every_hyperparameter_is_described(kind):
    """In the class itself, where `help` and the site look; those of a recipe have its defaults."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n|\Z)", inspect.getdoc(kind), re.MULTILINE | re.DOTALL)[1]
    groups = re.findall(r"^(\w[\w, ]*\w)(?: :.*)?$", section, re.MULTILINE)
    assert sorted(", ".join(groups).split(", ")) == sorted(field.name for field in fields(kind))
    for field in fields(kind):
        if field.name in Recipe.names():
            assert field.default == DEFAULTS[field.name]


@pytest.mark.parametrize("kind", [*REGRESSORS, *CLASSIFIERS])
def test_the_network_has_the_cell_of_the_name(kind, data):
    X, y, labels = data
    found = kind(units=4, epochs=1, shortcut=None).fit(X, labels if kind in CLASSIFIERS else y)
    assert {type(layer).__name__ for layer in found.model_.layers} & {"LTC", "CfC", "GRU", "LSTM"} == {
        kind.__name__.removesuffix("Classifier").removesuffix("Regressor")
    }


def test_callbacks_see_every_epoch_and_the_loss_curve_has_its_losses(data):
    """Also those in which the network learns what was held out, and those of `partial_fit`."""
    X, y, _ = data
    seen = []
    beside = SMALL | {"shortcut": "ridge", "epochs": 20}
    regressor = LTCRegressor(**beside, callbacks=lambda epoch, logs: seen.append((epoch, logs))).fit(X, np.abs(y))
    assert regressor.report_["share"] > 0
    assert [epoch for epoch, _ in seen] == [*range(30)]
    assert regressor.loss_curve_ == [logs["loss"] for _, logs in seen[:20]]
    alone = LTCRegressor(**SMALL, early_stopping=True, callbacks=[lambda epoch, logs: seen.append((epoch, logs))])
    alone.fit(X, y).partial_fit(X, y)
    assert [epoch for epoch, _ in seen[30:]] == [0, 1, 2, 3]
    assert alone.loss_curve_ == [seen[-1][1]["loss"]]


@pytest.mark.parametrize("every_step", [False, True])
def test_logarithms_of_probabilities(every_step, data):
    """Exact also where a probability is too small for a number."""
    X, _, labels = data
    classifier = LTCClassifier(**SMALL).fit(X, np.where(X[:, :, 0] > 0, "up", "down") if every_step else labels)
    lengths = np.arange(40) % 9 + 1
    p = classifier.predict_proba(X, lengths=lengths)
    log_p = classifier.predict_log_proba(X, lengths=lengths)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(log_p, np.log(p), rtol=1e-12, atol=1e-14)
    assert np.isneginf(log_p).any() == every_step
    name = [name for name in classifier.model_.params if name.endswith("weight")][-1]
    classifier.model_.params[name] *= 1e5
    assert np.isfinite(classifier.predict_log_proba(X)).all()
    assert classifier.predict_log_proba(X).min() < -1000


@dataclass(kw_only=True, eq=False, repr=False)
class Own(LiquidEstimator):
    """An estimator of another kind, as the beginning of `ltc_np.sklearn.base` says."""

    cell, loss, numbers = "gru", "huber", True

    def _targets(self, y, data, classes=None):
        return read_numbers(y, data, self.every_step, "error")

    def predict(self, X, dt=None, lengths=None):
        return self._answers(X, dt, lengths)[1][:, 0]


@pytest.mark.slow
def test_an_estimator_of_another_kind(data):
    X, y, _ = data
    own = clone(Own(units=8, epochs=60, random_state=0, backend="numpy")).fit(X, y)
    assert np.corrcoef(own.predict(X), y)[0, 1] > 0.9
    assert own.model_.trained.loss == "huber" and type(own.model_.layers[1]).__name__ == "GRU"


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_labels_are_learned(kind, data):
    X, _, labels = data
    classifier = kind(units=16, epochs=60, learning_rate=0.03, random_state=0).fit(X, labels)
    assert classifier.score(X, labels) > 0.9
    assert classifier.classes_.tolist() == ["down", "up"]
    p = classifier.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (classifier.classes_[p.argmax(axis=1)] == classifier.predict(X)).all()


def test_it_is_the_recipe_s_network(data):
    """The estimator adds nothing to what `Recipe` and `Model` give."""
    X, y, _ = data
    regressor = LTCRegressor(**SMALL).fit(X, y)
    model_seed, seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    recipe = Recipe(units=6, epochs=3)
    model = recipe.model(2, 1, steps=9.0, every_step=False, numbers=True, seed=int(model_seed))
    recipe.fit(model, X, y, sequences=40, seed=int(seed), verbose=False)
    assert (model.theta == regressor.model_.theta).all()
    assert (model.predict(X)[:, 0] == regressor.predict(X)).all()


@pytest.mark.slow
def test_convolutions_of_raw_signals(rng):
    """Of labels that a frequency decides; beside it is a line as always, and what is too short has its answer."""
    X = np.sin(rng.uniform(0, 6, (60, 1)) + rng.permuted(np.repeat([0.5, 0.9], 30))[:, None] * np.arange(40))
    y = np.where(np.abs(np.diff(X)).mean(1) > 0.45, "fast", "slow")
    settings = {"units": 6, "epochs": 30, "conv_layers": 2, "random_state": 0}
    classifier = CfCClassifier(**settings).fit(X + 0.1 * rng.normal(size=X.shape), y)
    assert classifier.score(X, y) > 0.9 and classifier.report_["reads"] != "nothing"
    assert len(classifier.predict([X[0, :9, None], X[1, :3, None]])) == 2
    alone = CfCClassifier(shortcut=None, **settings | {"epochs": 1}).fit(X, y)
    assert alone.model_.layer_stack.stride == 4
    with pytest.raises(ValueError, match="`X` must be sequences of at least 4 steps, those of an output, got 3"):
        alone.predict([X[0, :9, None], X[1, :3, None]])
    every = CfCClassifier(**settings | {"epochs": 1}).fit(X[:, :, None], np.tile(y[:, None], 40))
    assert every.predict(X[:, :, None]).shape == (60, 40)


def test_a_table_is_sequences_of_one_feature(data):
    X, y, _ = data
    table = LTCRegressor(**SMALL).fit(X[:, :, 0], y)
    sequences = LTCRegressor(**SMALL).fit(X[:, :, :1], y)
    assert (table.predict(X[:, :, 0]) == sequences.predict(X[:, :, :1])).all()
    assert (table.n_features_in_, sequences.n_features_in_) == (9, 1)
    with pytest.raises(ValueError, match="X has 5 features, but LTCRegressor is expecting 9 features"):
        table.predict(X[:, :5, 0])
    assert (table.predict(X[:, :5, :1]) == sequences.predict(X[:, :5, 0])).all()


def test_frames_keep_the_names_of_their_columns(data):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y, _ = data
    names = [f"t{k}" for k in range(9)]
    frame = pandas.DataFrame(X[:, :, 0], columns=names)
    regressor = LTCRegressor(**SMALL).fit(frame, pandas.Series(y))
    assert regressor.feature_names_in_.tolist() == names
    assert (regressor.predict(frame) == LTCRegressor(**SMALL).fit(X[:, :, :1], y).predict(X[:, :, :1])).all()
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        regressor.predict(frame[names[::-1]])
    with pytest.raises(TypeError, match="`X` must be real numbers, got .*, column 'day'"):
        regressor.fit(frame.assign(day="Monday"), y)
    listed = [pandas.DataFrame(x, columns=["a", "b"]) for x in X]
    assert (LTCRegressor(**SMALL).fit(listed, y).predict(listed) == LTCRegressor(**SMALL).fit(X, y).predict(X)).all()
    assert not hasattr(regressor.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("every_step", [False, True])
def test_lists_are_padded_arrays(every_step, data, rng):
    X, y, _ = data
    lengths = rng.integers(2, 10, 40)
    listed = [x[:n] for x, n in zip(X, lengths, strict=True)]
    dt = rng.uniform(0.5, 1.5, (40, 9))
    dts = [d[:n] for d, n in zip(dt, lengths, strict=True)]
    if every_step:
        y = X.cumsum(axis=1)
        own = [row[:n] for row, n in zip(y, lengths, strict=True)]
    else:
        own = y
    X[np.arange(9) >= lengths[:, None]] = np.nan  # what lies behind the end is not read
    one = LTCRegressor(**SMALL).fit(X, y, dt=dt, lengths=lengths)
    other = LTCRegressor(**SMALL).fit(listed, own, dt=dts)
    assert (one.model_.theta == other.model_.theta).all()
    assert one.score(X, y, dt=dt, lengths=lengths) == other.score(listed, own, dt=dts)
    got, expected = other.predict(listed, dt=dts), one.predict(X, dt=dt, lengths=lengths)
    if every_step:
        assert [g.shape for g in got] == [(n, 2) for n in lengths]
        assert all((g == e[:n]).all() for g, e, n in zip(got, expected, lengths, strict=True))
    else:
        assert (got == expected).all()


@pytest.mark.slow
def test_labels_at_every_step(data, rng):
    X, _, _ = data
    y = np.where(X.sum(axis=2) > 0, "up", "down")
    lengths = rng.integers(2, 10, 40)
    classifier = LTCClassifier(units=8, epochs=40, learning_rate=0.05, random_state=0).fit(X, y, lengths=lengths)
    assert classifier.every_step_
    assert classifier.score(X, y, lengths=lengths) > 0.9
    valid = np.arange(9) < lengths[:, None]
    p = classifier.predict_proba(X, lengths=lengths)
    np.testing.assert_allclose(p.sum(axis=2), valid, rtol=1e-12)
    right = (classifier.predict(X, lengths=lengths) == y)[valid].mean()
    assert classifier.score(X, y, lengths=lengths) == pytest.approx(right, rel=1e-12)
    listed = [x[:n] for x, n in zip(X, lengths, strict=True)]
    own = [row[:n] for row, n in zip(y, lengths, strict=True)]
    assert classifier.score(listed, own) == classifier.score(X, y, lengths=lengths)
    assert [len(row) for row in classifier.predict(listed)] == lengths.tolist()


def test_one_number_at_every_step_must_be_said(data):
    X, _, _ = data
    y = X[:, :, 0].cumsum(axis=1)
    with pytest.raises(ValueError, match="`every_step` must be True"):
        LTCRegressor(every_step=False, **SMALL).fit(X, y[:, :, None])
    with pytest.warns(RuntimeWarning, match="is read as 9 numbers for each sequence"):
        assert LTCRegressor(**SMALL).fit(X, y).predict(X).shape == (40, 9)  # nine answers for each sequence
    one = LTCRegressor(every_step=True, **SMALL).fit(X, y)
    assert one.model_.return_sequences
    assert one.predict(X).shape == (40, 9)
    assert (one.predict(X) == LTCRegressor(**SMALL).fit(X, y[:, :, None]).predict(X)[:, :, 0]).all()


def test_missing_targets(data):
    X, _, _ = data
    y = X.cumsum(axis=1)
    y[::3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LTCRegressor(**SMALL).fit(X, y)
    regressor = LTCRegressor(missing="ignore", **SMALL).fit(X, y)
    assert np.isfinite(regressor.predict(X)).all()
    assert np.isfinite(regressor.score(X, y))


def test_class_weights(data):
    X, _, labels = data
    heavy = LTCClassifier(class_weight={"down": 1000.0}, **SMALL).fit(X, labels)
    assert (heavy.predict(X) == "down").mean() > 0.9
    rows = np.r_[np.flatnonzero(labels == "up")[:3], np.flatnonzero(labels == "down")]
    X, labels = X[rows], labels[rows]
    n = len(rows)
    counted = {label: n / (2 * (labels == label).sum()) for label in ("up", "down")}
    one = LTCClassifier(class_weight="balanced", **SMALL).fit(X, labels)
    other = LTCClassifier(class_weight=counted, **SMALL).fit(X, labels)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-5)
    with pytest.raises(ValueError, match=r"`class_weight` must name labels of y, \['down', 'up'\], got 'left'"):
        LTCClassifier(class_weight={"left": 2.0}, **SMALL).fit(X, labels)


def test_sequences_of_weight_0_are_not_there(data):
    X, y, _ = data
    weight = np.arange(40) % 3 * 1.0
    rows = weight > 0
    one = LTCRegressor(**SMALL).fit(X, y, sample_weight=weight)
    other = LTCRegressor(**SMALL).fit(X[rows], y[rows], sample_weight=weight[rows])
    assert (one.predict(X) == other.predict(X)).all()
    assert one.score(X, y, sample_weight=weight) != one.score(X, y)


@pytest.mark.slow
def test_early_stopping_keeps_the_best(data):
    X, _, labels = data
    noise = np.random.default_rng(1).normal(size=40)
    changes = {"epochs": 300, "units": 16, "early_stopping": True, "n_iter_no_change": 4, "validation_fraction": 0.25}
    regressor = LTCRegressor(**SMALL | changes).fit(X, noise)
    history = regressor.history_
    assert regressor.n_iter_ == len(history.epoch) < 300
    assert history.best_epoch == regressor.n_iter_ - 5
    classifier = LTCClassifier(**SMALL | changes).fit(X, labels)
    assert "val_loss" in classifier.history_
    patient = LTCRegressor(**SMALL | changes | {"n_iter_no_change": "auto"}).fit(X, noise)
    assert patient.history_.best_epoch == patient.n_iter_ - 31  # a tenth of 300, and the best one itself


@pytest.mark.slow
def test_automatic_hyperparameters(data, monkeypatch):
    """Epochs are those of the rule (here a quicker one) without sequences that are held out; `clone` keeps "auto"."""
    X, y, _ = data
    monkeypatch.setattr("ltc_np.recipe.enough_epochs", lambda sequences, batch_size: sequences // batch_size)
    regressor = CfCRegressor(units=4, batch_size=4, shortcut=None, random_state=0)
    assert clone(regressor).get_params()["epochs"] == "auto"
    assert regressor.fit(X, y).n_iter_ == 10
    explicit = clone(regressor).set_params(epochs=10).fit(X, y)
    np.testing.assert_array_equal(regressor.predict(X), explicit.predict(X))
    held = clone(regressor).set_params(early_stopping=True, validation_fraction=0.5).fit(X, y)
    assert held.n_iter_ == 5
    one, other = (clone(own).partial_fit(X, y) for own in (regressor, explicit))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def held_out(labels=None, state=0):
    """Numbers of the sequences that are held out of 40: a quarter, of classes in equal shares."""
    rng = np.random.RandomState(state)
    rng.randint(np.iinfo(np.int32).max, size=2)  # the seeds of the network and of its training
    return train_test_split(np.arange(40), test_size=0.25, random_state=rng, stratify=labels)[1]


@pytest.mark.parametrize("state", [0, 3])
@pytest.mark.parametrize("kind", [LTCRegressor, LTCClassifier])
def test_nothing_is_learned_from_what_is_held_out(kind, state, data, rng):
    """Neither weights nor scales: the network is that of a training without it, judged by it, weights and all."""
    X, y, labels = data
    numbers = kind is LTCRegressor
    y, weight, lengths = y if numbers else labels, rng.uniform(0.5, 2, 40), rng.integers(3, 10, 40)
    settings = SMALL | {"random_state": state, "schedule": "constant", "dtype": "float64"}
    held = held_out(None if numbers else labels, state)
    rows = np.setdiff1d(np.arange(40), held)
    stopping = kind(early_stopping=True, validation_fraction=0.25, **settings)
    stopping.fit(X, y, sample_weight=weight, lengths=lengths)
    judged = stopping.history_["val_loss"]
    best = int(np.argmin(judged))
    alone = kind(**settings | {"epochs": best + 1})
    alone.fit(X[rows], y[rows], sample_weight=weight[rows], lengths=lengths[rows])
    np.testing.assert_array_equal(stopping.history_["loss"][: best + 1], alone.history_["loss"])
    np.testing.assert_array_equal(stopping.model_.theta, alone.model_.theta)
    outputs = alone.model_.predict(X[held], lengths=lengths[held])
    if numbers:
        each = (outputs[:, 0] - y[held]) ** 2
    else:
        each = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(10), (y[held] == "up").astype(int)]
    assert judged[best] == pytest.approx((weight[held] * each).sum() / weight[held].sum(), rel=1e-12)


def test_a_warm_start_keeps_its_scales(data):
    """And goes on with other data in other units."""
    X, y, _ = data
    regressor = LTCRegressor(warm_start=True, **SMALL).fit(X, y)
    scales = {name: np.copy(values) for name, values in regressor.model_.buffers.items()}
    assert scales
    regressor.fit(5 * X + 3, 7 * y - 1)
    for name, values in regressor.model_.buffers.items():
        np.testing.assert_array_equal(values, scales[name])


@pytest.mark.slow
def test_partial_fit_goes_on(data):
    X, y, labels = data
    regressor = LTCRegressor(units=8, learning_rate=0.03, random_state=0)
    for _ in range(40):
        regressor.partial_fit(X, y)
    assert regressor.n_iter_ == 40
    assert regressor.score(X, y) > 0.7
    classifier = LTCClassifier(units=8, learning_rate=0.03, batch_size=40, random_state=0)
    with pytest.raises(ValueError, match="`classes` must be passed on the first call"):
        classifier.partial_fit(X, labels)
    half = labels == "up"
    for _ in range(20):
        classifier.partial_fit(X[half], labels[half], classes=["up", "down"])
        classifier.partial_fit(X[~half], labels[~half])
    assert classifier.classes_.tolist() == ["down", "up"]
    with pytest.raises(ValueError, match="`y` must have labels of the classes"):
        classifier.partial_fit(X, np.full(40, "left"))
    after_fit = LTCRegressor(early_stopping=True, **SMALL).fit(X, y)
    assert after_fit.model_.best is not None
    after_fit.partial_fit(X, y)
    assert after_fit.n_iter_ == 4
    assert after_fit.model_.best is None  # which was that of the training before


def test_partial_fit_leaves_out_what_weighs_nothing(data):
    """Of its scales too."""
    X, y, _ = data
    X[:5], y[:5], weight = 1e3, -1e4, np.ones(40)
    weight[:5] = 0
    one = LTCRegressor(**SMALL).partial_fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(one.predict(X[5:]), LTCRegressor(**SMALL).partial_fit(X[5:], y[5:]).predict(X[5:]))


@pytest.mark.parametrize("given", [(), ("dt",), ("lengths",), ("dt", "lengths")], ids="-".join)
@pytest.mark.parametrize("kind", [LTCRegressor, LTCClassifier])
def test_partial_fit_is_training_resumed(data, kind, given):
    """The same bits as `fit` with a constant learning rate and one epoch after another."""
    X, y, labels = data
    rng, (n, T, _) = np.random.default_rng(1), X.shape
    arguments = {"dt": rng.uniform(0, 2, (n, T)), "lengths": rng.integers(2, T + 1, n)}
    arguments = {name: arguments[name] for name in given}
    first = {} if kind is LTCRegressor else {"classes": ["down", "up"]}
    y = y if kind is LTCRegressor else labels
    one, other = (kind(schedule="constant", **SMALL) for _ in range(2))
    one.fit(X, y, **arguments)
    for _ in range(3):
        other.partial_fit(X, y, **first, **arguments)
    assert (one.model_.theta == other.model_.theta).all()


def test_partial_fit_takes_a_new_learning_rate(data):
    """Also one that was set after the first call; what AdamW has gathered stays."""
    X, y, _ = data
    regressor = LTCRegressor(**SMALL, dtype="float64").partial_fit(X, y)
    before = regressor.model_.theta.copy()
    regressor.set_params(learning_rate=1e-9, weight_decay=0.5).partial_fit(X, y)
    assert np.abs(regressor.model_.theta - before).max() < 1e-7  # three steps of Adam, each of about the rate
    assert regressor._optimizer.t == 6
    assert regressor._optimizer.weight_decay == 0.5


@pytest.mark.slow
@pytest.mark.few(3)
@pytest.mark.parametrize("name", [name for name in Recipe().of_network() if name != "cell"] + ["dtype", "backend"])
def test_a_network_that_goes_on_stays_as_it_was_made(data, name):
    """Its own hyperparameters are refused if they have changed; those of the training may change."""
    X, y = data[:2]
    other = {"units": 5, "wiring": "ncp", "ode_unfolds": 7, "time_constants": None, "readout": "mean", "dropout": 0.5,
             "input_dropout": 0.5, "clip_inputs": 2.0, "readout_units": 3, "dtype": "float64", "backend": "auto",
             "backbone_units": 8, "conv_layers": 2, "ensemble": 2, "shortcut": "ridge"}  # fmt: skip
    small, kind = SMALL | {"backend": "numpy"}, CfCRegressor if name == "backbone_units" else LTCRegressor
    for regressor, method in ((kind(**small), "partial_fit"), (kind(warm_start=True, **small), "fit")):
        own = getattr(getattr(regressor, method)(X, y).set_params(learning_rate=1e-3), method)(X, y)
        network, before = own.model_, getattr(own, name)
        changed = own.set_params(**{name: other.get(name, not before)})
        with pytest.raises(ValueError, match=f"`{name}` must stay {before!r}, .*: for a new network call `fit`"):
            getattr(changed, method)(X, y)
        assert changed.model_ is network
        assert changed.set_params(warm_start=False, backend="numpy").fit(X, y).model_ is not network


def test_warm_start(data):
    X, y, _ = data
    regressor = LTCRegressor(warm_start=True, **SMALL).fit(X, y)
    first, loss = regressor.model_, regressor.history_["loss"]
    regressor.fit(X, y)
    assert regressor.model_ is first
    assert regressor.history_["loss"][0] < loss[0]
    with pytest.raises(ValueError, match="`warm_start` must be False"):
        regressor.fit(X, np.stack([y, y], axis=1))


def test_pickles_and_files(data, tmp_path):
    X, y, labels = data
    for estimator in (LTCRegressor(**SMALL).fit(X, y), CfCClassifier(**SMALL).fit(X, labels)):
        again = pickle.loads(pickle.dumps(estimator))
        assert (again.predict(X) == estimator.predict(X)).all()
        again.partial_fit(X, y if isinstance(again, LTCRegressor) else labels)
        assert len(pickle.dumps(estimator)) < 100_000  # no scratch memory of the calls before
        estimator.model_.save(tmp_path / "model.npz")
        assert isinstance(load(tmp_path / "model.npz"), Model)


def test_a_score_is_of_the_targets_that_are_there(data):
    """Of each output those of its own; and NaN is an error where it is one in `fit`."""
    X, y, _ = data
    wanted, weight = np.stack([y, y**2], axis=1), np.linspace(1, 2, 40)
    wanted[::2, 0], wanted[1::2, 1] = np.nan, np.nan  # never both
    regressor = LTCRegressor(missing="ignore", **SMALL).fit(X, wanted)
    found, own = regressor.predict(X), []
    for k, rows in enumerate((slice(1, None, 2), slice(0, None, 2))):
        true, w = wanted[rows, k], weight[rows]
        center = (w * true).sum() / w.sum()
        own.append(1 - (w * (true - found[rows, k]) ** 2).sum() / (w * (true - center) ** 2).sum())
    assert regressor.score(X, wanted, sample_weight=weight) == pytest.approx(np.mean(own), rel=1e-12)
    steps, lengths = X.cumsum(axis=1), np.full(40, 7)
    steps[:, 7:] = np.nan
    regressor = LTCRegressor(**SMALL).fit(X, steps, lengths=lengths)
    assert np.isfinite(regressor.score(X, steps, lengths=lengths))
    steps[3, 2] = np.nan
    with pytest.raises(ValueError, match="`y` must be finite, got NaN: for targets that are missing give missing="):
        regressor.score(X, steps, lengths=lengths)


def test_hyperparameters_are_the_recipe_s():
    for kind in (*REGRESSORS, *CLASSIFIERS):
        parameters = kind().get_params()
        for name, value in parameters.items():
            if name in Recipe.names():
                assert value == DEFAULTS[name], name
        of_one = {"ltc": {"wiring", "ode_unfolds", "time_constants"}, "cfc": {"backbone_units"}}
        of_others = set().union(*(names for cell, names in of_one.items() if cell != kind.cell))
        assert set(Recipe.names()) - set(parameters) == {"cell"} | of_others
        assert clone(kind(units=7)).units == 7
        assert kind(units=7).recipe().units == 7
        assert repr(kind(units=7)) == f"{kind.__name__}(units=7)"
        missing = [name for name in parameters if name not in kind.__doc__]
        assert not missing, f"{kind.__name__} does not describe {missing}"


def test_random_state(data):
    X, y, _ = data

    def fitted(state):
        return LTCRegressor(**SMALL | {"random_state": state}).fit(X, y).predict(X)

    assert (fitted(0) == fitted(0)).all()
    assert (fitted(0) == fitted(np.random.RandomState(0))).all()
    assert (fitted(0) != fitted(1)).any()
    assert (fitted(None) != fitted(None)).any()


def test_no_dt_where_there_was_one(data, rng):
    X, y, _ = data
    dt = rng.uniform(0.5, 1.5, (40, 9))
    regressor = LTCRegressor(**SMALL).fit(X, y, dt=dt)
    with pytest.warns(RuntimeWarning, match="was trained with elapsed times `dt`, from .* and gets none here"):
        regressor.predict(X)
    constants = regressor.model_.layers[1].config()["init"]["time_constants"]
    np.testing.assert_allclose(constants, (dt.sum() / 360, dt.sum() / 40), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"X": np.zeros((40, 3, 2, 2))}, r"`X` must be \(n, T, features\), \(n, T\) or a list"),
        ({"y": None}, "requires y to be passed, but the target y is None"),
        ({"y": np.zeros(39)}, "`y` must be of the 40 sequences of X, got 39"),
        ({"sample_weight": np.zeros(40)}, "got only zeros"),
        ({"sample_weight": np.zeros((40, 9))}, r"`sample_weight` must be \(n,\) = \(40,\), got shape \(40, 9\)"),
        ({"sample_weight": -np.ones(40)}, "`sample_weight` must be >= 0"),
        ({"lengths": np.full(40, 10)}, r"`lengths` must lie in 0\.\.T = 0\.\.9"),
        ({"dt": np.ones((40, 8))}, "`dt` must be a number"),
        ({"dt": -1.0}, "`dt` must be finite, >= 0"),
        (
            {"X": np.full((40, 9), np.nan)},
            r"`X` must have no NaN and no inf, got nan at index \(0, 0\); .*forward_fill",
        ),
        ({"y": np.full(40, "up")}, "`y` must be numbers, got text: for labels take LTCClassifier or CfCClassifier"),
        ({"y": np.full(40, np.nan)}, 'contains NaN. For targets that are missing give missing="ignore"'),
        ({"y": [np.ones(2 + k % 3) for k in range(40)]}, "`y` must have one target for each sequence, or be a list"),
    ],
)
def test_refuses(change, match, data):
    X, y, _ = data
    regressor = LTCRegressor(**SMALL).fit(X, y)
    before = regressor.predict(X)
    with pytest.raises(ValueError, match=match):
        regressor.fit(**{"X": X, "y": y} | change)
    assert (regressor.predict(X) == before).all()  # nothing is lost


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0),
        ("readout", "first"),
        ("early_stopping", 1),
        ("warm_start", "yes"),
        ("dtype", "f2"),
        ("every_step", "yes"),
        ("random_state", "x"),
    ],
)
def test_refuses_hyperparameters_in_fit(name, value, data):
    X, y, _ = data
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be"):
        LTCRegressor(**SMALL | {name: value}).fit(X, y)


def test_one_sequence_needs_an_axis(data):
    X, y, _ = data
    regressor = LTCRegressor(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"`X` must have the 2 features .* got 1: one sequence is X\[None\]"):
        regressor.predict(X[0])
    assert (regressor.predict(X[:1]) == regressor.predict(X)[:1]).all()


def test_one_class_and_untrained(data):
    X, _, _ = data
    with pytest.raises(ValueError, match="`y` must have at least 2 classes, got 1 class"):
        LTCClassifier().fit(X, np.ones(40))
    with pytest.raises(ValueError, match="`y` must have labels of one kind, all text or all numbers, got int and str"):
        LTCClassifier().fit(X, np.array(["up", 1] * 20, dtype=object))
    with pytest.raises(NotFittedError):
        LTCClassifier().predict(X)


def test_a_weight_is_a_repetition_in_one_batch(data, rng):
    """With all sequences in one batch, and scales that do not depend on them."""
    X, y, labels = data
    weight = rng.integers(0, 4, 40)
    rows = np.repeat(np.arange(40), weight)
    settings = SMALL | {"batch_size": 200, "standardize": False, "dtype": "float64"}
    for kind, wanted, answer in ((LTCRegressor, y, "predict"), (LTCClassifier, labels, "predict_proba")):
        one = kind(**settings).fit(X, wanted, sample_weight=weight)
        other = kind(**settings).fit(X[rows], wanted[rows])
        # rounding of sums in another order, through three steps of Adam
        np.testing.assert_allclose(getattr(one, answer)(X), getattr(other, answer)(X), rtol=1e-9)


@pytest.mark.slow
def test_without_scikit_learn_one_line_says_how_to_get_it():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import ltc_np\n"
        "try:\n    import ltc_np.sklearn\n"
        "except ImportError as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == '`ltc_np.sklearn` needs sklearn: pip install "ltc-np[sklearn]"'


def test_scores_of_labels_count_weights(data, rng):
    """Of sequences, of padded steps, and of steps in lists."""
    X, _, labels = data
    weight, lengths = rng.uniform(0, 1, (40, 9)), rng.integers(2, 10, 40)
    one = LTCClassifier(**SMALL).fit(X, labels)
    right = one.predict(X) == labels
    expected = weight[right, 0].sum() / weight[:, 0].sum()
    assert one.score(X, labels, sample_weight=weight[:, 0]) == pytest.approx(expected, rel=1e-12)
    labels, valid = np.where(X.sum(axis=2) > 0, "up", "down"), np.arange(9) < lengths[:, None]
    one = LTCClassifier(**SMALL).fit(X, labels, lengths=lengths)
    right = (one.predict(X, lengths=lengths) == labels) & valid
    expected = weight[right].sum() / weight[valid].sum()
    assert one.score(X, labels, sample_weight=weight, lengths=lengths) == pytest.approx(expected, rel=1e-12)
    parts = [[a[:n] for a, n in zip(values, lengths, strict=True)] for values in (X, labels, weight)]
    assert one.score(parts[0], parts[1], sample_weight=parts[2]) == pytest.approx(expected, rel=1e-12)


def test_what_goes_on_needs_the_same_labels(data):
    X, _, labels = data
    with pytest.raises(ValueError, match="`warm_start` must be False for other classes than"):
        LTCClassifier(warm_start=True, **SMALL).fit(X, labels).fit(X, np.where(labels == "up", "left", "down"))
    classifier = LTCClassifier(**SMALL).partial_fit(X, labels, classes=["down", "up"])
    with pytest.raises(ValueError, match="`classes` must be those of the first call"):
        classifier.partial_fit(X, labels, classes=["down", "left"])
    with pytest.raises(ValueError, match="`y` must be of the form of the first call"):
        classifier.partial_fit(X, np.where(X.sum(axis=2) > 0, "up", "down"))


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("kind", [LTCRegressor, CfCRegressor])
def test_both_directions_with_a_target_at_every_step(kind, rng):
    """The next input, which no step has read yet, of new sequences; such a network does not go step by step."""
    X = rng.normal(size=(160, 8, 1))
    y = np.roll(X, -1, axis=1)
    y[:, -1] = 0
    ahead, both = (
        kind(units=8, epochs=40, random_state=0, learning_rate=0.03, bidirectional=way).fit(X[:80], y[:80])
        for way in (False, True)
    )
    assert ahead.score(X[80:], y[80:]) < 0.1
    assert both.score(X[80:], y[80:]) > 0.6
    with pytest.raises(ValueError, match="causal"):
        both.model_.step(X[0, 0])


@pytest.mark.parametrize("stops", [False, True])
def test_data_of_ones_own_for_validation(stops, data):
    """What is measured after an epoch, by scikit-learn's log loss; all sequences of X are trained."""
    from sklearn.metrics import log_loss

    X, _, labels = data
    options = {**SMALL, "epochs": 12, "learning_rate": 0.3, "n_iter_no_change": 2, "early_stopping": stops}
    held = {"X": X[30:], "y": labels[30:], "sample_weight": np.arange(1.0, 11.0), "dt": 0.5}
    one = LTCClassifier(**options).fit(X[:30], labels[:30], dt=0.5, validation=held)
    best = one.history_.best_epoch
    measured = log_loss(labels[30:], one.predict_proba(X[30:], dt=0.5), sample_weight=held["sample_weight"])
    assert measured == pytest.approx(min(one.history_["val_loss"]), rel=1e-5)
    assert one.n_iter_ == (best + 3 if stops else 12) and best < 9
    whole = LTCClassifier(**options | {"early_stopping": False}).fit(X[:30], labels[:30], dt=0.5)
    assert one.history_["loss"] == whole.history_["loss"][: one.n_iter_]
    pair = LTCClassifier(**SMALL).fit(X[:30], labels[:30], validation=(X[30:], labels[30:]))
    assert len(pair.history_["val_loss"]) == 3
    numbers = LTCRegressor(**SMALL).fit(
        list(X[:30]), list(X[:30].sum(2)), validation=(list(X[30:]), list(X[30:].sum(2)))
    )
    assert len(numbers.history_["val_loss"]) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((4, 9, 3))}, "`validation`: `X` must have 2 features of a step, got 3"),
        ({"y": np.array(["up", "left"] * 2)}, "`validation`: `y` must have labels of the classes .* got 'left'"),
        ({"y": np.full((4, 9), "up")}, "`validation`: `y` must be of the form of that for training"),
        ({"y": np.array(["up"] * 3)}, "`validation`: "),
        ({"dt": 2.0}, "`validation`: `dt` must be given for training too, got None"),
        (
            {"weight": 1},
            r"`validation` must be \(X, y\), or a dict with X, y and maybe .* got a dict with X, y, weight",
        ),
    ],
)
def test_data_for_validation_that_do_not_fit(changes, message, data):
    X, _, labels = data
    held = {"X": X[:4], "y": labels[:4]} | changes
    with pytest.raises(ValueError, match=message):
        LTCClassifier(**SMALL).fit(X, labels, validation=held)
    with pytest.raises(ValueError, match="`validation` must be .* got "):
        LTCClassifier(**SMALL).fit(X, labels, validation=0.2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda one: one.fit([[1]], [1], epochs=3),
            r"no argument `epochs`: it is one of the class, LTCRegressor\(epochs=\.\.\.\)",
        ),
        (lambda one: one.fit([[1]], [1], callbacks=[]), "no argument `callbacks`: it is one of the class"),
        (lambda one: one.fit([[1]], [1], validation_data=[]), "`validation_data`: did you mean `validation`?"),
        (lambda one: one.fit([[1]], [1], eval_set=[]), "`eval_set`: did you mean `validation`?"),
        (lambda one: one.fit([[1]]), "`fit` needs `y`, got no such argument"),
        (lambda one: one.predict([[1]], batch_size=3), "`predict` has no argument `batch_size`: it is one of the"),
        (lambda one: type(one)(hidden_size=3), "`LTCRegressor` has no .* `hidden_size`: did you mean `units`?"),
        (lambda one: type(one)(lr=0.1), "`lr`: did you mean `learning_rate`?"),
        (lambda one: type(one)(n_estimators=3), "`n_estimators`: did you mean `ensemble`?"),
        (lambda one: type(one)(seed=3), "`seed`: did you mean `random_state`?"),
        (lambda one: type(one)(8), "`LTCRegressor` takes nothing by position, got 8: give units, "),
        (lambda one: LiquidForecaster().fit([1.0], 1, lag=2), "`fit` has no argument `lag`: there are "),
        (lambda one: Recipe(hidden_size=3), "`Recipe` has no argument `hidden_size`: did you mean `units`?"),
    ],
)
def test_arguments_that_there_are_not_are_told_with_the_remedy(call, words):
    with pytest.raises(TypeError, match=words):
        call(LTCRegressor())


class WithARequiredArgument(LTCRegressor):
    """A class of a user's own."""

    def __init__(self, rule, units=4):
        super().__init__(units=units)
        self.rule = rule


def test_a_class_with_a_required_argument_is_copied_and_pickled():
    one = WithARequiredArgument("a")
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), clone(one)):
        assert (other.rule, other.units) == ("a", 4)
    with pytest.raises(TypeError, match="`WithARequiredArgument` needs `rule`"):
        WithARequiredArgument(units=3)
    with pytest.raises(TypeError, match="rule"):
        WithARequiredArgument()


def test_what_models_have_and_estimators_have_not():
    """Python's own words for all else, also for what a fit brings, which scikit-learn asks for."""
    one = LTCRegressor()
    with pytest.raises(AttributeError, match="`evaluate` is nothing that an estimator has: `score` does it"):
        one.evaluate()
    with pytest.raises(AttributeError, match="`save` is nothing that an estimator has: `model_.save"):
        LiquidForecaster().save("x.npz")
    with pytest.raises(AttributeError, match="has no attribute 'model_'"):
        _ = one.model_
    assert not [name for name in one._elsewhere if name in dir(one)]
    assert list(inspect.signature(LTCRegressor.fit).parameters)[:3] == ["self", "X", "y"]
    assert clone(one.set_params(units=3)).units == 3 and "units" in one.get_params()
