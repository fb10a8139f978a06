"""Probabilities of classes: `predict_proba`."""

import contextlib
from functools import partial

import numpy as np
import pytest

from ltc_np import GELU, LTC, AutoNCP, Conv1D, Dense, Dropout, Model, Pooling, Standardize, ensemble, losses
from ltc_np.analysis import calibrated
from ltc_np.interop import functional
from ltc_np.network.trained import Trained
from ltc_np.online import Learner
from ltc_np.simplify.rebuilt import rebuilt

X = np.random.default_rng(0).normal(size=(4, 5, 2))
LENGTHS = [5, 2, 0, 4]


def network(outputs, last=False, activation=None, behind=()):
    layers = LTC(AutoNCP(8, 3), input_dim=2), Dense(outputs, activation), *behind
    return Model(*layers, seed=0, dtype="float64", return_sequences=not last)


def naive(y, multilabel):
    if multilabel:
        return 1 / (1 + np.exp(-y))
    if y.shape[-1] == 1:
        return np.concatenate([1 / (1 + np.exp(y)), 1 / (1 + np.exp(-y))], axis=-1)
    return np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_all_forms(outputs, last, multilabel):
    """Batches, padded or not, one sequence and lists: those of the outputs, and 0 behind the end."""
    model = network(outputs, last)
    options = {"multilabel": multilabel}
    p = model.predict_proba(X, dt=0.5, batch_size=3, **options)
    np.testing.assert_allclose(p, naive(model.predict(X, dt=0.5), multilabel), rtol=1e-13)
    np.testing.assert_allclose(model.predict_proba(X[0], **options), naive(model(X[0]), multilabel), rtol=1e-13)
    want = naive(model.predict(X, lengths=LENGTHS), multilabel)
    valid = np.array(LENGTHS) > 0 if last else np.arange(5) < np.array(LENGTHS)[:, None]
    padded = model.predict_proba(X, lengths=LENGTHS, **options)
    np.testing.assert_allclose(padded, np.where(valid[..., None], want, 0), rtol=1e-13)
    found = model.predict_proba([x[:n] for x, n in zip(X, LENGTHS, strict=True)], **options)
    assert isinstance(found, np.ndarray) == last
    for b, n in enumerate(LENGTHS):
        np.testing.assert_allclose(found[b], padded[b] if last else padded[b, :n], rtol=1e-12)


@pytest.mark.slow
def test_it_learns_the_share_of_a_class():
    """With inputs that say nothing, the probability is the share of the class in the data."""
    x, labels = np.zeros((40, 1, 2)), np.arange(40) % 4 == 0
    for outputs, loss in ((1, "binary_cross_entropy"), (2, "cross_entropy")):
        model = network(outputs, last=True)
        model.fit(x, labels, loss=loss, epochs=300, optimizer="adam", batch_size=40, verbose=False, seed=0)
        model.fit(x, labels, loss=loss, epochs=500, optimizer="adam", batch_size=40, verbose=False, seed=0)
        np.testing.assert_allclose(model.predict_proba(x[:1]), [[0.75, 0.25]], atol=0.02)


def own(y, target):
    return float(((y - target) ** 2).mean()), 2 * (y - target) / y.size


@pytest.mark.parametrize("learn", ["fit", "Learner"])
def test_an_activation_before_a_loss_of_logits_is_told_of(learn):
    """With it no class can be as likely as it should; where nothing learns nobody is told."""
    for activation, behind, told in (
        ("relu", [], "relu of Dense"), ("tanh", [Dropout(0.1)], "tanh of Dense"), (None, [GELU()], "gelu of GELU"),
        (None, [Conv1D(3, 2, activation="silu"), Dropout(0.1), Pooling("mean")], "silu of Conv1D"),
        (None, [], None), (None, [Dropout(0.1)], None), ("relu", [Dense(3), Pooling("max")], None),
    ):  # fmt: skip
        model = network(3, activation=activation, behind=behind)
        words = rf"the loss cross_entropy takes logits, .* and {told}\(.*\), at the end of the model, does not give all"
        with pytest.warns(RuntimeWarning, match=words) if told else contextlib.nullcontext():
            if learn == "fit":
                model.fit(X, np.zeros((4, 5), int), loss="cross_entropy", epochs=1, verbose=False)
            else:
                Learner(model, "adam", loss="cross_entropy")
        model.loss_and_grad(X, np.zeros((4, 5), int), loss="cross_entropy")


def test_outputs_that_are_no_logits_are_refused():
    """Also as the input of a loss that takes logits: the habit of Keras would train a sigmoid of a sigmoid."""
    model = network(1, activation="sigmoid")
    with pytest.raises(
        ValueError, match=r"`predict_proba` needs a model of logits, got Dense\(.*\) as the last layer: "
    ):
        model.predict_proba(X)
    for call in (model.fit, model.evaluate, model.loss_and_grad):
        with pytest.raises(ValueError, match="the loss binary_cross_entropy needs a model of logits, got Dense"):
            call(X, np.zeros((4, 5), int), loss="binary_cross_entropy")
    model.evaluate(X, np.zeros((4, 5)))
    numbers = Model(Dense(1), Standardize(inverse=True), input_dim=2)
    with pytest.raises(
        ValueError, match=r"needs a model of logits, got Standardize\(.* as the last layer: leave out this"
    ):
        numbers.predict_proba(X)
    Model(Standardize(), Dense(1), input_dim=2).predict_proba(X)
    learnt = network(1)
    for loss in ("mse", partial(losses.huber, delta=0.3), "binary_cross_entropy", own):
        y = np.zeros((4, 5, 1), int if loss == "binary_cross_entropy" else float)
        learnt.fit(X, y, loss=loss, epochs=1, verbose=False)
        if loss in ("binary_cross_entropy", own):  # of one of your own nobody knows
            learnt.predict_proba(X)
            continue
        with pytest.raises(ValueError, match=r"needs a model that has learnt classes, .* the loss (mse|hu)"):
            learnt.predict_proba(X)
    network(3, activation="tanh").predict_proba(X)
    with pytest.raises(TypeError, match="`multilabel` must be a bool, got 'yes'"):
        network(3).predict_proba(X, multilabel="yes")


def learnt(loss, outputs=3):
    """As `fit` leaves a model."""
    model = network(outputs)
    model.trained = Trained(3, 0, loss=loss)
    return model


@pytest.mark.parametrize("loss", ["mse", "huber(delta=0.3)"])
def test_what_makes_probabilities_of_outputs_refuses_a_model_of_numbers(loss):
    words = r"needs a model that has learnt classes, got one that was trained with the loss (mse|huber\(delta=0.3\)):"
    with pytest.raises(ValueError, match=f"^`calibrated` {words}"):
        calibrated(learnt(loss), 2.0)
    with pytest.raises(ValueError, match=rf"^`answers='classes'` of `models\[1\]` {words}"):
        ensemble.join([network(3), learnt(loss)], answers="classes")
    ensemble.join([learnt(loss), learnt(loss)])


def test_how_probabilities_of_several_outputs_belong_together_is_that_of_the_loss():
    """The softmax of independent logits, and the logistic function of those of a softmax, are no probabilities."""
    for loss, multilabel in (("cross_entropy", False), ("binary_cross_entropy", True)):
        for model in learnt(loss), calibrated(learnt(loss), 2.0), ensemble.join([learnt(loss)] * 2):
            assert model.predict_proba(X, multilabel=multilabel).shape == (4, 5, 3)
            words = rf"^`predict_proba\(multilabel={not multilabel}\)` makes .*, got .* with the loss {loss}, whose "
            with pytest.raises(ValueError, match=words):
                model.predict_proba(X, multilabel=not multilabel)
        for either in (False, True):  # one output means the same in both forms
            assert learnt(loss, 1).predict_proba(X, multilabel=either).shape == (4, 5, 2 - either)
    ensemble.join([learnt("cross_entropy")] * 2, "classes")
    with pytest.raises(ValueError, match=r"^`answers=.*` of `models\[0\]` makes .* one class of several, .* own$"):
        ensemble.join([learnt("binary_cross_entropy")] * 2, "classes")


def test_models_that_others_are_made_of_keep_what_they_have_learnt():
    model = learnt("mse")
    model.notes = {"of": "a user"}
    others = [
        rebuilt(model, model.layers),
        functional.at(model, model.theta, model.buffer_vector),
    ]
    for other in others:
        assert (other.trained, other.notes) == (model.trained, model.notes)
