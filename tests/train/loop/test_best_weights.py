"""The best weights: by what is monitored, of which epoch, and when they are forgotten."""

import numpy as np
import pytest
from support.sines import sines, small

from ltc_np import SGD, Adam, BestWeights, Checkpoint, Dense, Model, load
from ltc_np.metrics.base import MeanMetric
from ltc_np.train.loop.best_weights import BestKeeper
from ltc_np.train.monitor import Monitor


def test_best_weights_are_kept_and_can_be_declined():
    x, y = sines()
    grows = {"epochs": 6, "optimizer": SGD(0.1), "validation": (x, -y), "seed": 0, "verbose": False}
    kept, last = small(), small()
    history = kept.fit(x, y, **grows)  # learning y makes -y worse, so an early epoch is the best
    last.fit(x, y, keep_best=False, **{**grows, "optimizer": SGD(0.1)})
    assert history.best_epoch == int(np.argmin(history["val_loss"])) < 5
    assert kept.evaluate(x, -y)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)
    assert last.evaluate(x, -y)["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)


def test_best_of_another_training_is_forgotten():
    x, y = sines()
    model = small()
    model.fit(x, y, epochs=3, validation=(x, y), verbose=False, seed=0)
    words = "best weights so far, those of epoch 2, are forgotten: they have the min val_loss with the loss mse, and"
    with pytest.warns(RuntimeWarning, match=words):
        history = model.fit(x, y, epochs=range(3, 5), loss="mae", validation=(x, y), verbose=False, seed=0)
    assert history.best_epoch >= 3
    assert model.best.loss == "mae"
    with pytest.warns(RuntimeWarning, match="what is monitored now is nothing"):
        model.fit(x, y, epochs=range(5, 6), loss="mae", verbose=False, seed=0)
    assert model.best is None


def test_resuming_remembers_the_best_weights(tmp_path):
    x, y = sines()
    options = {"batch_size": 8, "seed": 3, "verbose": False, "validation": (x, -y)}
    whole, part = small(), small()
    history = whole.fit(x, y, epochs=6, optimizer=Adam(0.01), **options)
    part.fit(x, y, epochs=4, optimizer=Adam(0.01), callbacks=Checkpoint(tmp_path / "c.npz"), **options)
    optimizer = Adam(0.01)
    resumed = load(tmp_path / "c.npz", optimizer=optimizer)
    again = resumed.fit(x, y, epochs=range(4, 6), optimizer=optimizer, **options)
    assert history.best_epoch == again.best_epoch < 4
    assert np.array_equal(whole.theta, resumed.theta)


def test_the_best_of_an_epoch_that_is_trained_again_is_not_kept():
    x, y = sines()
    model = small()
    model.fit(x, y, epochs=3, validation=(x, y), optimizer=SGD(1e-3), seed=0, verbose=False)
    epoch = model.best.epoch
    model.best = model.best._replace(value=-1.0)
    options = {"validation": (x, y), "optimizer": SGD(1e-3), "seed": 0, "verbose": False}
    words = f"`epochs` begins with epoch {epoch}, but the model has been trained for 3 epochs"
    with pytest.warns(RuntimeWarning, match=words):
        model.fit(x, y, epochs=range(epoch, epoch + 2), **options)
    assert model.best.value > 0


def falling(y, target):
    """A metric of one's own that gets better as the outputs grow, and does not say so."""
    return float(np.mean(y))


class Mean(MeanMetric):
    """The same, and it says so."""

    name, mode = "mean", "max"

    def _elements(self, y, target):
        return y


@pytest.mark.parametrize(
    ("options", "name", "best"),
    [
        ({"keep_best": "val_r2"}, "val_r2", np.argmax),
        ({"keep_best": "val_mae"}, "val_mae", np.argmin),
        ({"keep_best": "loss"}, "loss", np.argmin),
        ({"keep_best": "r2"}, "r2", np.argmax),
        ({"keep_best": "val_mean"}, "val_mean", np.argmax),
        ({"keep_best": BestWeights("val_mean", mode="min")}, "val_mean", np.argmin),
        ({"keep_best": BestWeights("val_falling", mode="max")}, "val_falling", np.argmax),
        ({"keep_best": BestWeights("val_falling", mode="min")}, "val_falling", np.argmin),
        ({"keep_best": BestWeights(mode="max")}, "val_loss", np.argmax),
        ({}, "val_loss", np.argmin),
    ],
)
def test_the_best_weights_are_those_of_what_is_monitored(options, name, best):
    x, y = sines()
    model, thetas = small(), []
    fitted = {"epochs": 6, "optimizer": SGD(0.3), "metrics": ["mae", "r2", Mean(), falling], "seed": 0}
    history = model.fit(
        x, y, validation=(x, 0.4 - y), callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
        verbose=False, **fitted, **options,
    )  # fmt: skip
    epoch = int(best(history[name]))
    assert history.best_epoch == model.best.epoch == epoch
    assert np.array_equal(model.theta, thetas[epoch])
    assert (model.best.monitor, model.best.value) == (name, history[name][epoch])
    assert model.best.mode == ("max" if best is np.argmax else "min")


def test_monitors_lead_to_different_epochs():
    """Else the test above would see nothing."""
    x, y = sines()
    options = {"epochs": 6, "optimizer": SGD(0.3), "metrics": ["mae", "r2"], "verbose": False, "seed": 0}
    found = {
        small().fit(x, y, validation=(x, 0.4 - y), keep_best=name, **options | {"optimizer": SGD(0.3)}).best_epoch
        for name in ("val_loss", "loss")
    }
    assert len(found) == 2


def test_what_cannot_be_monitored_is_refused():
    x, y = sines()
    model = small()
    before = model.theta.copy()
    for options, words in (
        ({"keep_best": "val_loss"}, r"`keep_best` must be one of loss, got 'val_loss' \(val_\* need `validation`\)"),
        ({"keep_best": "acuracy", "metrics": "r2"}, "`keep_best` must be one of loss, r2, got 'acuracy'"),
        ({"keep_best": ""}, "`keep_best` must be one of loss, got ''"),
        ({"keep_best": "falling", "metrics": falling}, 'the mode must be "min" or "max" to monitor \'falling\', since'),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(x, y, verbose=False, **options)
    assert np.array_equal(model.theta, before)
    with pytest.raises(ValueError, match="`mode` must be one of 'auto', 'min', 'max', got 'up'"):
        BestWeights(mode="up")
    with pytest.raises(TypeError, match="`monitor` must be a str, got 3"):
        BestWeights(3)


def test_of_equal_epochs_the_first_is_the_best():
    x, y = sines()
    model, thetas = small(), []

    def constant(y, target):
        return 0.5

    history = model.fit(
        x, y, epochs=3, optimizer=SGD(0.1), metrics=constant, verbose=False,
        keep_best=BestWeights("constant", mode="max"), callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
    )  # fmt: skip
    assert history.best_epoch == 0
    assert np.array_equal(model.theta, thetas[0])


def test_without_keep_best_a_resumed_training_forgets_the_best():
    """It ends with its last weights, and the best epoch is one of its own."""
    x, y = sines()
    model, thetas = small(), []
    model.fit(x, y, epochs=3, validation=(x, -y), optimizer=SGD(0.1), seed=0, verbose=False)
    assert model.best.epoch < 3
    history = model.fit(
        x, y, epochs=range(3, 5), validation=(x, -y), optimizer=SGD(0.1), keep_best=False, seed=0,
        verbose=False, callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
    )  # fmt: skip
    assert model.best is None
    assert history.best_epoch >= 3
    assert np.array_equal(model.theta, thetas[-1])


@pytest.mark.parametrize(
    ("name", "mode", "same"), [("loss", "min", True), ("loss", "max", False), ("accuracy", "min", False)]
)
def test_best_weights_of_another_monitor_are_left_aside(name, mode, same):
    measured = {"loss": "min", "accuracy": "max"}
    model, monitor = Model(Dense(1), input_dim=1, seed=0), Monitor("loss", "min", measured)
    other = BestKeeper(model, Monitor(name, mode, measured), True, "mse", 0)
    other.update(3, {name: 0.25})
    model.best = None
    best = BestKeeper(model, monitor, True, "mse", 0)
    best.load_state(other.state())
    assert (best.epoch, monitor.best) == ((3, 0.25) if same else (None, None))
