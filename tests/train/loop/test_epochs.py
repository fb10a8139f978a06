"""The epochs of a training: validation, callbacks, and what ends it."""

import numpy as np
import pytest
from support.sines import sines, small

from ltc_np import (
    SGD,
    Callback,
    Checkpoint,
    EarlyStopping,
    Validation,
)  # fmt: skip


def test_validation_every():
    history = small("numpy").fit(*sines(), epochs=5, validation=Validation(sines(seed=1), every=2), verbose=False)
    assert history.val_epoch == [1, 3, 4]
    assert len(history["val_loss"]) == 3


def test_early_stopping_callbacks_and_functions():
    x, y = sines()
    seen = []
    history = small("numpy").fit(
        x, y, epochs=50, optimizer=SGD(0.1), validation=(x, -y), verbose=False, seed=0,
        callbacks=[EarlyStopping(3), lambda epoch, logs: seen.append((epoch, set(logs)))],
    )  # fmt: skip
    assert len(history.epoch) == history.best_epoch + 1 + 3 < 50
    assert history.stopped == f"stopped by EarlyStopping after {len(history.epoch)} epochs"
    assert seen[0] == (0, {"loss", "val_loss"})
    history = small("numpy").fit(x, y, epochs=50, verbose=False, callbacks=lambda epoch, logs: epoch == 1)
    assert len(history.epoch) == 2
    with pytest.raises(ValueError, match="`monitor` must be one of loss"):
        small("numpy").fit(x, y, verbose=False, callbacks=EarlyStopping(1, monitor="val_loss"))

    rising = [{"val_accuracy": v} for v in (0.3, 0.4, 0.35, 0.5, 0.5, 0.45)]
    stopping = EarlyStopping(2, monitor="val_accuracy")
    stopping.measured = {"val_accuracy": "max"}
    stopping.on_train_begin()
    assert [bool(stopping.on_epoch_end(k, logs)) for k, logs in enumerate(rising)] == [False] * 5 + [True]
    assert repr(stopping) == "EarlyStopping(2, monitor='val_accuracy')"
    assert repr(EarlyStopping(2, min_delta=0.5, mode="max")) == "EarlyStopping(2, min_delta=0.5, mode='max')"
    assert repr(Checkpoint("{epoch}.npz", every=3)) == "Checkpoint('{epoch}.npz', every=3)"
    with pytest.raises(ValueError, match="`mode` must be"):
        EarlyStopping(2, mode="up")
    with pytest.raises(ValueError, match="`path` must have no braces"):
        Checkpoint("{epoc}.npz")

    class Steps(Callback):
        steps, ends = (), 0

        def on_batch_end(self, step, logs):
            self.steps += (step,)

        def on_train_end(self):
            self.ends += 1

    steps = Steps()
    small("numpy").fit(x, y, epochs=2, batch_size=16, verbose=False, callbacks=steps)
    assert steps.steps == tuple(range(6))
    assert steps.ends == 1


def test_truth_alone_does_not_stop_training():
    seen, model = {}, small("numpy")
    history = model.fit(*sines(), epochs=3, verbose=False, callbacks=lambda e, logs: seen.setdefault(e, logs["loss"]))
    assert len(history.epoch) == len(seen) == 3


def test_callbacks_that_began_are_told_of_the_end():
    told = []

    class Told(Callback):
        def __init__(self, name, fails=False):
            self.name, self.fails = name, fails

        def on_train_begin(self):
            if self.fails:
                raise RuntimeError("no disk")
            told.append(f"{self.name} begins")

        def on_train_end(self):
            told.append(f"{self.name} ends")

    x, y = sines()
    model = small("numpy")
    model.fit(x, y, epochs=2, validation=(x, -y), optimizer=SGD(0.1), verbose=False)
    model.theta = model.theta + 1  # since then somebody changed it
    before = model.theta.copy()
    with pytest.raises(RuntimeError, match="no disk"):
        model.fit(x, y, verbose=False, callbacks=[Told("a"), Told("b"), Told("c", fails=True), Told("d")])
    assert told == ["a begins", "b begins", "a ends", "b ends"]
    assert np.array_equal(model.theta, before)
    told.clear()
    with pytest.raises(ZeroDivisionError):
        model.fit(x, y, verbose=False, callbacks=[Told("a"), lambda epoch, logs: 1 / 0])
    assert told == ["a begins", "a ends"]


def test_divergence_leaves_the_last_good_parameters_not_the_best():
    """What is learned makes validation worse here, so that the best epoch is one of the first."""
    x, y = sines()
    model, optimizer = small("numpy"), SGD(0.05)

    def lift(epoch, logs):
        if epoch == 2:
            optimizer.lr = 1e18

    with pytest.raises(FloatingPointError, match="before the last step"):
        model.fit(x, y, epochs=9, optimizer=optimizer, validation=(x, -y), callbacks=lift, seed=0, verbose=False)
    assert model.best.epoch < 2
    assert np.isfinite(model.theta).all()
    assert not np.array_equal(model.theta, model.best.theta)


def test_a_validation_loss_that_is_not_finite_stops():
    x, y = sines()
    model = small("numpy")

    def own(outputs, target):
        bad = len(outputs) == 3  # a batch of the validation data
        return (np.inf if bad else float(np.mean((outputs - target) ** 2))), 2 * (outputs - target) / outputs.size

    with pytest.raises(FloatingPointError, match="^validation loss inf; the model keeps the parameters of before the"):
        model.fit(x, y, loss=own, validation=(x[:3], y[:3]), optimizer=SGD(0.1), epochs=2, verbose=False)
