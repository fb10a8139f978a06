"""Estimators with a line beside the network: what they learn, what they report, and when there is none."""

import pickle
import signal

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from ltc_np import analysis, load, plot
from ltc_np.ensemble import members
from ltc_np.shortcut import beside, network
from ltc_np.sklearn import CfCClassifier, CfCRegressor, LTCRegressor

SMALL = {"units": 6, "epochs": 10, "random_state": 0}


@pytest.fixture
def data(rng):
    """Sequences, numbers that are linear in all inputs, and labels of which is above the middle."""
    X = rng.normal(size=(80, 9, 2))
    y = 1000 + X.reshape(80, 18) @ rng.normal(size=18) + 0.1 * rng.normal(size=80)
    return X, y, np.where(y > np.median(y), "up", "down")


def test_the_line_alone_where_there_is_nothing_else(data):
    X, y, _ = data
    regressor = CfCRegressor(shortcut="ridge", **SMALL).fit(X[:60], y[:60])
    plain = CfCRegressor(shortcut=None, **SMALL).fit(X[:60], y[:60])
    line = Ridge(alpha=0.1).fit(X[:60].reshape(60, 18), y[:60])

    def error(found):
        return np.mean((found - y[60:]) ** 2)

    of_line = error(line.predict(X[60:].reshape(20, 18)))
    assert error(regressor.predict(X[60:])) < 1.5 * of_line < 0.01 * error(plain.predict(X[60:]))
    report = regressor.report_
    assert report["reads"] == 9 and report["held_out"] == 10 and len(report["penalty"]) == 1
    assert report["both"] <= report["line"] < 0.1 < 1 < report["network"] and report["share"] == 0
    assert plain.report_ == {}


@pytest.mark.slow
def test_the_network_alone_where_the_line_adds_nothing(rng):
    """And with the bits of a training without a line on the sequences that were not held out."""
    X = rng.normal(size=(200, 4, 1))
    y = np.abs(3 * X[:, -1, 0])
    regressor = CfCRegressor(shortcut="ridge", units=8, epochs=60, random_state=0).fit(X, y)
    report = regressor.report_
    assert report["share"] == 1 and report["network"] == report["both"] < 0.1 * report["line"]
    assert not any(type(layer).__name__ == "Residual" for layer in regressor.model_.layers[:2])


@pytest.mark.slow
def test_both_are_better_than_each(rng):
    """With so many sequences held out that these can tell it."""
    X = rng.normal(size=(500, 12, 1))
    y = 2 * X[:, :10, 0].sum(1) + np.abs(3 * X[:, -1, 0])
    more = {"shortcut": "ridge", "units": 8, "validation_fraction": 0.5, "random_state": 0}
    regressor = CfCRegressor(epochs=30, **more).fit(X[:400], y[:400])
    report = regressor.report_
    assert 0.1 < report["share"] < 0.9
    assert report["both"] < 0.95 * min(report["line"], report["network"])
    line = CfCRegressor(epochs=1, **more).fit(X[:400], y[:400])
    errors = [np.mean((each.predict(X[400:]) - y[400:]) ** 2) for each in (regressor, line)]
    assert line.report_["share"] == 0 and errors[0] < errors[1]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_labels(data, early_stopping, rng):
    X, _, labels = data
    lengths, weight = rng.integers(4, 10, 80), rng.uniform(0.5, 2, 80)
    classifier = CfCClassifier(shortcut="ridge", early_stopping=early_stopping, class_weight="balanced", **SMALL)
    classifier.fit(X, labels, lengths=lengths, sample_weight=weight)
    assert classifier.score(X, labels, lengths=lengths) > 0.7
    assert classifier.report_["both"] <= classifier.report_["line"] < np.log(2)
    assert classifier.model_.trained.loss == "cross_entropy"
    p = classifier.predict_proba(X, lengths=lengths)
    assert (pickle.loads(pickle.dumps(classifier)).predict_proba(X, lengths=lengths) == p).all()


def test_it_is_one_model(data, tmp_path):
    X, y, _ = data
    regressor = LTCRegressor(shortcut="ridge", **SMALL).fit(X, y)
    assert [type(layer).__name__ for layer in regressor.model_.layers] == ["Standardize", "Residual", "Standardize"]
    regressor.model_.save(tmp_path / "both.npz")
    assert (load(tmp_path / "both.npz").predict(X)[:, 0] == regressor.predict(X)).all()
    again = clone(regressor).fit(X, y)
    assert (again.predict(X) == regressor.predict(X)).all()


@pytest.mark.slow
def test_targets_at_every_step_and_missing_ones(data, rng):
    X, _, _ = data
    y = X[:, :, 0].copy()
    y[:, 1:] += X[:, :-1, 1]
    y[rng.random(y.shape) < 0.2] = np.nan
    regressor = CfCRegressor(shortcut="ridge", missing="ignore", every_step=True, **SMALL).fit(X, y)
    assert regressor.report_["reads"] == 2
    assert regressor.score(X, y) > 0.999


def test_auto_is_the_mean_where_no_line_says_anything(data, rng):
    X, y, _ = data
    noise = rng.normal(size=80)
    found, want = (CfCRegressor(shortcut=shortcut, **SMALL).fit(X, noise) for shortcut in ("auto", None))
    assert (found.report_["reads"], found.report_["share"], want.report_) == ("nothing", 0, {})
    np.testing.assert_allclose(found.predict(X), noise.mean(), rtol=1e-4)
    assert len(found.model_.layers) == len(want.model_.layers)
    assert CfCRegressor(shortcut="auto", **SMALL).fit(X, y).report_["reads"] == 9
    few = CfCRegressor(shortcut="auto", **SMALL).fit(X[:4], y[:4])
    assert few.report_ == {}


@pytest.mark.slow
def test_random_convolutions(rng, tmp_path):
    """Which of two patterns comes again and again: of no input a line, but of convolutions."""
    X = rng.normal(size=(90, 30, 2))
    up, lengths = np.arange(90) % 2 == 1, rng.integers(20, 31, 90)
    X[:, ::3, 1] += np.where(up, 2, -2)[:, None] * np.sign(X[:, ::3, 0])
    labels = np.where(up, "up", "down")
    few = {"units": 4, "epochs": 2, "random_state": 0}
    forced, auto, ridge = (
        CfCClassifier(shortcut=shortcut, **few).fit(X[:60], labels[:60], lengths=lengths[:60])
        for shortcut in ("convolutions", "auto", "ridge")
    )
    assert forced.report_["reads"] == auto.report_["reads"] == "convolutions" != ridge.report_["reads"]
    right = [each.score(X[60:], labels[60:], lengths=lengths[60:]) for each in (forced, auto, ridge)]
    assert right[0] == right[1] > 0.9 and right[0] > right[2]
    model = forced.model_
    assert "RandomConvolutions" in repr(model) and "array" not in repr(model)
    model.save(tmp_path / "both.npz")
    again = load(tmp_path / "both.npz")
    np.testing.assert_array_equal(again.predict(X, lengths=lengths), model.predict(X, lengths=lengths))
    state = None
    for t in range(20):
        y, state = again.step(X[:1, t], state=state)
    np.testing.assert_allclose(y, model.predict(X[:1, :20]), rtol=1e-4, atol=1e-4)
    own = CfCClassifier(shortcut="convolutions", **few).fit(
        X[:60], labels[:60], validation={"X": X[60:], "y": labels[60:]}
    )
    assert own.report_["held_out"] == 30 and own.report_["line"] < 0.5


def test_refused(data):
    X, y, labels = data
    with pytest.raises(ValueError, match="`shortcut` must be one of 'auto', 'ridge', 'convolutions', None, got 'line'"):
        CfCRegressor(shortcut="line").fit(X, y)
    with pytest.raises(ValueError, match="must be None, 'auto' or 'ridge' with targets at every step, got 'conv"):
        CfCRegressor(shortcut="convolutions", every_step=True, **SMALL).fit(X, X[:, :, 0])
    with pytest.raises(ValueError, match="`X` must have at least 5 sequences for shortcut='convolutions', got 4"):
        CfCRegressor(shortcut="convolutions", **SMALL).fit(X[:4], y[:4])
    with pytest.raises(ValueError, match="`X` must have at least 5 sequences for shortcut='ridge', got 4"):
        CfCRegressor(shortcut="ridge", **SMALL).fit(X[:4], y[:4])
    with pytest.raises(ValueError, match='`shortcut` must be None or "auto" where `partial_fit` begins, since it'):
        CfCClassifier(shortcut="ridge").partial_fit(X, labels, classes=["up", "down"])

    class Own(CfCRegressor):
        loss = "huber"

    with pytest.raises(ValueError, match="`shortcut` must be None or \"auto\" with loss='huber', got 'ridge'"):
        Own(shortcut="ridge", **SMALL).fit(X, y)
    assert Own(shortcut="auto", **SMALL).fit(X, y).report_ == {}


@pytest.mark.slow
def test_training_goes_on_with_the_line_that_is_there(data):
    """A warm start, or a part of the data more, trains the network beside it; partial data alone get no line."""
    X, y, labels = data
    partial = CfCClassifier(shortcut="auto", warm_start=True, **SMALL).partial_fit(X, labels, classes=["up", "down"])
    assert partial.every_step_ is False and partial.report_ == {}
    del partial.report_  # as of a pickle of an earlier version
    assert partial.fit(X, labels).report_ == {}
    regressor = CfCRegressor(shortcut="ridge", warm_start=True, **SMALL).fit(X, y)
    report, line = regressor.report_, dict(regressor.model_.buffers)["1.around_weight"].copy()
    before = np.square(regressor.predict(X) - y).mean()
    regressor.fit(X, y)
    assert regressor.report_ == report
    assert (regressor.model_.buffers["1.around_weight"] == line).all()
    assert np.square(regressor.predict(X) - y).mean() < before
    theta = regressor.model_.theta.copy()
    regressor.set_params(warm_start=False).partial_fit(X, y)
    assert (regressor.model_.theta != theta).any() and regressor.report_ == report
    assert (regressor.model_.buffers["1.around_weight"] == line).all()
    assert np.isfinite(regressor.set_params(shortcut="auto").fit(X, y).partial_fit(X, y).predict(X)).all()


@pytest.mark.parametrize("labels", [False, True])
def test_a_line_beside_an_ensemble(data, labels, monkeypatch):
    """Every network has the same line and share; the answer is the mean of what they say with it."""
    errors = iter((3.0, 7.0))  # of the line, and of the networks
    monkeypatch.setattr(beside.Judge, "loss", lambda judge, share: next(errors, 0.0))
    monkeypatch.setattr(beside.Judge, "share", lambda judge, usual: usual)
    X, y = data[0], data[2] if labels else data[1]
    kind = CfCClassifier if labels else CfCRegressor
    found = kind(shortcut="ridge", ensemble=2, **SMALL).fit(X, y)
    assert found.report_["share"] == 0.3
    parts = members(found.model_)
    assert [type(layer).__name__ for layer in parts[0].layers[:2]] == ["Standardize", "Residual"]
    lines = [dict(own.buffers)["1.around_weight"] for own in parts]
    assert (lines[0] == lines[1]).all() and lines[0].any()
    assert (parts[0].theta != parts[1].theta).any()
    own = [one.predict_proba(X)[:, 1] if labels else one.predict(X)[:, 0] for one in parts]
    said = found.predict_proba(X)[:, 1] if labels else found.predict(X)
    np.testing.assert_allclose(said, np.mean(own, axis=0), rtol=1e-5, atol=1e-5)
    assert found.spread(X).max() > 0


@pytest.mark.parametrize(("n", "classes", "held"), [(200, 2, 20), (80, 2, 10), (24, 2, 6), (24, 8, 8), (10, 8, 5)])
def test_how_many_are_held_out(n, classes, held, rng):
    """A tenth; of few ten, if that is a quarter at most; one for each class, if that is half at most."""
    X, y = rng.normal(size=(n, 3, 1)), np.arange(n) % classes
    assert CfCClassifier(shortcut="ridge", units=4, epochs=1, random_state=0).fit(X, y).report_["held_out"] == held


def test_data_of_ones_own_choose_the_share_and_nothing_else(data):
    """The line of the model is that of the training data alone."""
    X, y, _ = data
    own = CfCRegressor(shortcut="ridge", **SMALL).fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    assert own.report_["held_out"] == 20
    line = own.model_.buffers["1.around_weight"] * own.model_.buffers["2.scale"]
    shifted = np.where(np.arange(20) < 10, y[60:] - 30, y[60:] + 30)
    other = CfCRegressor(shortcut="ridge", **SMALL).fit(X[:60], y[:60], validation=(X[60:], shifted))
    share = (1 - own.report_["share"]) / (1 - other.report_["share"])
    again = other.model_.buffers["1.around_weight"] * other.model_.buffers["2.scale"]
    np.testing.assert_allclose(line, share * again, rtol=1e-4, atol=1e-5)


def test_sequences_without_all_targets_are_neither_counted_nor_held_out(data):
    """Of two outputs each has one, so there is nothing for a line; of few that have both, some choose the share."""
    X, y, _ = data
    both = np.stack([y, -y], axis=1)
    both[::2, 0] = both[1::2, 1] = np.nan
    regressor = CfCRegressor(missing="ignore", **SMALL).fit(X, both)
    assert regressor.report_ == {} and np.isfinite(regressor.predict(X)).all()
    with pytest.raises(ValueError, match="at least 5 sequences with targets of which no output is missing .* got 0"):
        CfCRegressor(missing="ignore", shortcut="ridge", **SMALL).fit(X, both)
    few = np.where(np.arange(80) % 8 == 0, y, np.nan)
    report = CfCRegressor(missing="ignore", shortcut="ridge", **SMALL).fit(X, few).report_
    assert report["held_out"] == 5 and report["line"] > 0 < report["network"]


def test_one_sequence_chooses_a_share(data, recwarn):
    X, y, _ = data
    report = CfCRegressor(shortcut="ridge", **SMALL).fit(X, y, validation=(X[:1], y[:1])).report_
    assert report["held_out"] == 1 and report["both"] <= min(report["line"], report["network"])
    assert not recwarn.list


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("epoch", "trained"), [(4, 4), (12, 12)])
def test_an_interrupt_ends_both_trainings(data, epoch, trained):
    """Before and while the network learns what was held out; `history_` says so, by which searches stop."""
    X, y, _ = data
    batches = []

    def augment(x, y, rng):
        batches.append(len(x))
        if sum(batches) == (70 * epoch if epoch <= 10 else 700 + 80 * (epoch - 10)):
            signal.raise_signal(signal.SIGINT)
        return x, y

    settings = SMALL | {"batch_size": 10, "augment": augment}
    found = CfCRegressor(shortcut="ridge", **settings).fit(X, y + np.abs(5 * X[:, -1, 0]))
    assert found.history_.stopped.startswith("interrupted") and found.n_iter_ == trained


def test_what_looks_into_a_network_says_how_to_take_it_out(data):
    X, y, _ = data
    model = LTCRegressor(shortcut="ridge", **SMALL).fit(X, y).model_
    with pytest.raises(ValueError, match="of a network beside a line take `ltc_np.shortcut.network"):
        analysis.lesion_study(model, X, y[:, None])
    with pytest.raises(ValueError, match="of a network beside a line that of `ltc_np.shortcut.network"):
        plot.wiring(model)
    assert analysis.lesion_study(network(model), X, y[:, None]) is not None


def test_weights_of_classes_are_those_of_their_sequences_in_both_trainings(rng, monkeypatch):
    """Where the network has a share, so that it is trained again."""
    share = beside.Judge.share
    monkeypatch.setattr(beside.Judge, "share", lambda judge, usual: (share(judge, usual) + 0.5) / 2)
    X = rng.normal(size=(60, 6, 1))
    labels = np.where(np.abs(X[:, -1, 0]) + 0.5 * rng.normal(size=60) > 0.7, "far", "near")
    weights, more = {"far": 3.0, "near": 0.5}, {"shortcut": "ridge", **SMALL}
    by_class = CfCClassifier(class_weight=weights, **more).fit(X, labels)
    by_sequence = CfCClassifier(**more).fit(X, labels, sample_weight=[weights[label] for label in labels])
    assert 0 < by_class.report_["share"] == pytest.approx(by_sequence.report_["share"], rel=1e-9)
    np.testing.assert_allclose(by_class.predict_proba(X), by_sequence.predict_proba(X), rtol=1e-9)
