"""Metrics in training and evaluation: what does not fit is refused before anything has changed."""

import functools

import numpy as np
import pytest
from support import ranks

from ltc_np import LTCRNN, SGD, AutoNCP, Batching, Callback, Dense, Model, load, losses, metrics
from ltc_np.train import measures

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4, 2))
REAL, LABELS = RNG.normal(size=(12, 4, 1)) + 3, RNG.integers(0, 3, (12, 4))


def network(outputs=1, return_sequences=True):
    return LTCRNN(AutoNCP(8, outputs), input_dim=2, seed=0, return_sequences=return_sequences)


class Steps(Callback):
    """Counts the steps of a training."""

    count = 0

    def on_batch_end(self, step, logs):
        self.count += 1


def unchanged(model, error, words, *args, steps=0, **options):
    """The fit raises after so many steps, and the model is as it was."""
    before, counter = model.theta.copy(), Steps()
    with pytest.raises(error, match=words):
        model.fit(*args, batch_size=4, optimizer=SGD(0.1), verbose=False, callbacks=counter, **options)
    np.testing.assert_array_equal(model.theta, before)
    assert counter.count == steps


def no_weights(y, target):
    return 0.0


def own(y, target):
    return 0.0, np.zeros_like(y)


@pytest.mark.parametrize("name", ["accuracy", "f1", "balanced_accuracy", "roc_auc", "average_precision"])
def test_classes_of_real_targets(name):
    last = REAL.copy()
    last[:-1] = 1.0  # the first batches would not show it
    loss = "mae" if name in ("roc_auc", "average_precision") else own
    for y in (REAL, last):
        unchanged(network(), ValueError, f"`target` of {name} must be in ", X, y, metrics=[name], loss=loss)
    unchanged(
        network(), ValueError, f"`validation`: `target` of {name} must be in ", X, 1.0 * (LABELS[..., None] > 0),
        metrics=["mse", name], validation=(X, last), loss=loss,
    )  # fmt: skip


def test_numbers_of_classes():
    for name in ("mse", "mae", "r2"):
        words = f"`target` of {name} must have y's shape"
        unchanged(network(3), ValueError, words, X, LABELS, loss="cross_entropy", metrics=[name])


def test_one_class_has_no_area():
    options = {"loss": "cross_entropy", "metrics": ["roc_auc"]}
    words = "`roc_auc` must see a positive and a negative target of some class"
    unchanged(network(3), ValueError, words, X, np.ones((12, 4), int), **options)
    unchanged(network(3), ValueError, f"`validation`: {words}", X, LABELS, validation=(X, 0 * LABELS), **options)
    network(3).fit(X, LABELS, lengths=[4] * 11 + [0], verbose=False, **options)


def test_weights_that_a_function_does_not_take():
    words = "`weight` must be 0 or one number for no_weights, which takes no `sample_weight`, got 1 and 0.5"
    for weight in (np.array([1.0] * 11 + [0.5]), np.where(np.arange(48).reshape(12, 4) == 47, 0.5, 1.0)):
        unchanged(network(), ValueError, words, X, REAL, metrics=[no_weights], sample_weight=weight)
    weight = np.array([2.0] * 8 + [0.0] * 4)  # `fit` scales them
    assert network().fit(X, REAL, metrics=[no_weights], sample_weight=weight, verbose=False)["no_weights"] == [0.0]


def test_targets_missing_in_some_outputs():
    y = RNG.normal(size=(12, 4, 2))
    y[11, 3, 0] = np.nan
    words = "`weight` of no_weights must be the same for all outputs of a step: .*targets are missing"
    unchanged(network(2), ValueError, words, X, y, metrics=[no_weights], missing="ignore")
    network(2).fit(X, y, metrics=["r2", "mae"], missing="ignore", verbose=False)


@pytest.mark.parametrize("wrong", ["result", "raises", "update"])
def test_a_metric_of_ones_own_that_fails_at_first(wrong):
    """Only by a call it shows that it does not fit: then the parameters of before the training are there again."""

    def result(y, target):
        return "good"

    def raises(y_true, y_pred):
        raise ZeroDivisionError("continuous is not supported")

    class Update(metrics.Metric):
        name = "update"

        def _add(self, y, target, weight):
            raise ZeroDivisionError("no")

    metric = {"result": result, "raises": raises, "update": Update()}[wrong]
    words = "result must return a real number|continuous is not supported|^no$"
    steps = 0 if wrong == "update" else 3
    unchanged(network(), (TypeError, ZeroDivisionError), words, X, REAL, metrics=[metric], steps=steps)


def test_a_metric_that_fails_later_leaves_the_model_as_it_is():
    calls = []

    def later(y, target):
        calls.append(y.shape)
        return 1 / (2 - len(calls))

    model, other = network(), network()
    options = {"batch_size": 4, "optimizer": "sgd", "seed": 0, "verbose": False}
    with pytest.raises(ZeroDivisionError):
        model.fit(X, REAL, metrics=[later], epochs=3, **options)
    assert calls == [(48, 1)] * 2  # a function is not tried beforehand
    other.fit(X, REAL, epochs=2, **options)
    np.testing.assert_array_equal(model.theta, other.theta)


def test_what_metrics_may_be():
    model = network()
    for given in (5, {"mse": 1}, 0.2):
        with pytest.raises(TypeError, match="`metrics` must be a sequence of names, functions and Metric objects, got"):
            model.evaluate(X, REAL, metrics=given)
    for given in ("mse", "MSE", metrics.MSE, metrics.MSE(), ["Mse"], (metrics.MSE(),)):
        assert set(model.evaluate(X, REAL, metrics=given)) == {"loss", "mse"}
    assert set(model.evaluate(X, REAL, metrics=no_weights)) == {"loss", "no_weights"}
    assert set(model.evaluate(X, REAL, metrics=None)) == {"loss"}
    with pytest.raises(
        TypeError, match=r"`metrics` must be a function .*, got <lambda>: too many positional arguments"
    ):
        model.evaluate(X, REAL, metrics=[lambda y: 0.0])


def test_metrics_of_decisions_need_logits():
    """Of probabilities every one is above 0."""
    model = Model(Dense(1, "sigmoid", input_dim=2), seed=0)
    y = np.ones((12, 4, 1))
    for name in ("accuracy", "f1", "balanced_accuracy"):
        with pytest.raises(ValueError, match=f"the metric {name} needs a model of logits, got Dense"):
            model.evaluate(X, y, metrics=[name])
    assert model.evaluate(X, y, metrics=["average_precision"])["average_precision"] == 1.0


def test_metrics_of_decisions_need_a_loss_of_classes():
    """An output that mse has brought near 0 or 1 is above 0 in either case; what is ranked needs no such border."""
    labels = X[..., 0] > 0
    for name in ("accuracy", "f1", "balanced_accuracy"):
        for loss in ("mse", "huber"):
            words = f"`loss` must be one of classes for the metric {name}, which decides by logits, got {loss}: give"
            unchanged(network(), ValueError, words, X, labels, metrics=[name], loss=loss)
            with pytest.raises(ValueError, match=words):
                network().evaluate(X, labels, metrics=[name], loss=loss)
        found = network().evaluate(X, labels, metrics=[name], loss=own)
        assert found[name] == network().evaluate(X, labels, metrics=[name], loss="binary_cross_entropy")[name]
    assert 0 <= network().evaluate(X, labels, metrics=["roc_auc"])["roc_auc"] <= 1


def test_metrics_of_ones_own_in_training_know_the_loss():
    """Targets of binary_cross_entropy are floats, and classes nevertheless."""
    labels, seen = X[..., 0] > 0, []

    def accuracy_score(y_true, y_pred):
        seen.append((y_true, y_pred))
        return np.mean(y_true == y_pred)

    model = network()
    found = model.evaluate(X, labels, loss="binary_cross_entropy", metrics=["accuracy", accuracy_score], batch_size=5)
    assert found["accuracy"] == found["accuracy_score"]
    assert seen[0][0].tolist() == labels.ravel().astype(int).tolist()
    assert seen[0][1].tolist() == (model(X).ravel() > 0).astype(int).tolist()
    given = metrics.get(accuracy_score)
    assert (
        model.evaluate(X, labels, loss="binary_cross_entropy", metrics=[given])["accuracy_score"] == found["accuracy"]
    )
    assert given.loss is None  # it is a copy that knows the loss


def test_all_targets_are_looked_at_in_parts(monkeypatch):
    """With any size of a part, and outputs of a last step."""
    for size in (1, 5, 1 << 18):
        monkeypatch.setattr(measures, "CHECKED", size)
        y = REAL.copy()
        y[:-1] = 0.5
        unchanged(network(), ValueError, "`target` of roc_auc must be in", X, y, metrics=["roc_auc"])
        last, words = network(1, return_sequences=False), "`target` of average_precision must be in"
        unchanged(last, ValueError, words, X, y[:, 0], metrics=["average_precision"])


def test_a_loss_of_ones_own_that_is_not_finite_is_named():
    """It is not told to take shorter steps: outputs are finite."""
    x, y = X, REAL

    def mine(outputs, target):
        return np.nan, 0 * outputs

    def slope(outputs, target):
        return 1.0, np.full_like(outputs, np.inf)

    words = (
        r"loss nan .*step 0 .*; no step has been made yet, and the outputs have not .*: look at your loss mine, which"
    )
    unchanged(network(), FloatingPointError, words, x, y, loss=mine)
    words = r"loss 1 with .* nan .*; no step .*: look at your loss slope, whose `d_y` may not be finite"
    with np.errstate(invalid="ignore"):
        unchanged(network(), FloatingPointError, words, x, y, loss=slope)
    calls = []

    def later(outputs, target):
        calls.append(1)
        return np.nan if len(calls) == 3 else 1.0, 0.01 * outputs

    words = "the model keeps the parameters of before the last step, and the outputs have not overflown: .* loss later"
    with pytest.raises(FloatingPointError, match=words):
        network().fit(x, y, loss=later, batch_size=4, verbose=False)


def test_outputs_that_overflow_are_not_blamed_on_a_loss_of_ones_own():
    def mine(outputs, target):
        return float(np.mean((outputs - target) ** 2)), 2 * (outputs - target) / outputs.size

    model = Model(Dense(1), input_dim=2, seed=0)
    with pytest.raises(FloatingPointError, match="lower the learning rate") as error, np.errstate(all="ignore"):
        model.fit(X, REAL, loss=mine, epochs=9, optimizer=SGD(1e25), verbose=False)
    assert "mine" not in str(error.value)


def test_a_metric_may_keep_what_it_is_shown():
    """Outputs lie in a workspace, which the next batch writes to."""

    class Keeps(metrics.Metric):
        name = "keeps"

        def reset(self):
            self.kept = []

        def update(self, y, target, weight=None):
            self.kept.append((y, target))

        def result(self):
            return float(np.mean([np.mean((y - target) ** 2) for y, target in self.kept]))

    found = network().evaluate(X, REAL, metrics=["mse", Keeps()], batch_size=4)
    assert found["keeps"] == pytest.approx(found["mse"], rel=1e-6)  # float32


def test_the_first_of_many_batches_need_not_have_every_class(tmp_path):
    """Where data are read batch by batch only shapes and values are looked at beforehand."""
    labels = np.sort(X[..., 0] > 0, axis=0)
    options = {"loss": "cross_entropy", "metrics": ["roc_auc"], "verbose": False}
    batches = [(X[:2], labels[:2]), (X[2:], labels[2:])]
    assert not labels[:2].any()
    history = network(2).fit(lambda epoch: batches, batch_size=Batching(steps_per_epoch=2), **options)
    assert 0 < history["roc_auc"][0] < 1
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", shape=(40, 4, 2))
    mapped[:] = RNG.normal(size=mapped.shape)
    y = np.repeat([False, True], [36, 4])[:, None] & np.ones((40, 4), bool)
    model = network(2)
    assert model.fit(mapped, y, validation=(mapped, y), **options)["val_roc_auc"][0] > 0
    with pytest.raises(ValueError, match=r"`target` of roc_auc must be in \[0, 1\]"):
        network().fit(mapped, RNG.normal(size=(40, 4)), metrics=["roc_auc"], verbose=False)


def test_a_loss_of_ones_own_counts_for_the_outputs_whose_targets_are_there():
    """Also where in one batch whole steps are missing, and in another single outputs."""

    def own(outputs, target):
        there = ~np.isnan(target)
        error = np.where(there, outputs - target, 0.0)
        return float((error**2).sum() / there.sum()), 2 * error / there.sum()

    model, y = network(2), RNG.normal(size=(12, 4, 2))
    y[0, :3] = y[5, 1, 0] = y[6, 3, 1] = np.nan
    batches = [(X[k : k + 4], y[k : k + 4]) for k in (0, 4, 8)]
    options = {"missing": "ignore", "optimizer": SGD(1e-30), "verbose": False}
    want = model.evaluate(X, y, missing="ignore")["loss"]
    assert model.evaluate(X, y, missing="ignore", loss=own, batch_size=4)["loss"] == pytest.approx(want, rel=1e-6)
    history = model.fit(lambda epoch: batches, batch_size=Batching(steps_per_epoch=3), loss=own, **options)
    assert history["loss"][0] == pytest.approx(want, rel=1e-6)


def test_a_loss_of_ones_own_counts_for_the_padding_that_it_sees():
    """A mean over all elements is then the same whatever the batches are, in one process and on several ranks."""

    def own(outputs, target):
        return float(np.mean((outputs - target) ** 2)), 2 * (outputs - target) / outputs.size

    lengths, y = np.array([4, 1, 1, 1, 2, 3, 1, 4, 1, 1, 1, 1]), np.concatenate([REAL, REAL], axis=-1)
    model = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0, backend="numpy")
    outputs = model(X, lengths=lengths)
    there = (np.arange(4) < lengths[:, None])[..., None]
    want = np.sum(there * (outputs - y) ** 2) / y.size
    options = {"lengths": lengths, "loss": own, "batch_size": 5}
    assert model.evaluate(X, y, **options)["loss"] == pytest.approx(want, rel=1e-6)

    def trained(comm):
        return model.fit(X, y, shuffle=False, optimizer=SGD(1e-30), comm=comm, verbose=False, **options)["loss"]

    assert trained(None) == pytest.approx([want], rel=1e-6)
    for found in ranks.run(2, trained):
        assert found == pytest.approx([want], rel=1e-6)


def test_evaluate_takes_the_loss_of_the_training(tmp_path):
    """Also of a file; a loss that has no name must be given, and a model that was never trained has squared errors."""
    model = network(3)
    before = model.evaluate(X, np.eye(3)[LABELS])
    assert before == model.evaluate(X, np.eye(3)[LABELS], loss="mse")
    model.fit(X, LABELS, epochs=1, loss="cross_entropy", verbose=False)
    want = model.evaluate(X, LABELS, loss="cross_entropy", metrics=["accuracy"])
    assert model.evaluate(X, LABELS, metrics=["accuracy"]) == want
    model.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").evaluate(X, LABELS, metrics=["accuracy"]) == want
    model.fit(X, np.eye(3)[LABELS], epochs=1, loss=own, verbose=False)
    with pytest.raises(ValueError, match=r"`loss` must be given for a model that was trained with .*own.*, got None"):
        model.evaluate(X, np.eye(3)[LABELS])
    assert model.evaluate(X, np.eye(3)[LABELS], loss=own)["loss"] == 0
    model.fit(X, np.eye(3)[LABELS], epochs=1, loss=functools.partial(losses.huber, delta=0.1), verbose=False)
    with pytest.raises(ValueError, match=r"trained with huber.*0\.1"):
        model.evaluate(X, np.eye(3)[LABELS])
