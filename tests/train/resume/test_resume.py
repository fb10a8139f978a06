"""Resuming: a new process goes on from a file with the same bits, as if training had never stopped."""

import numpy as np
import pytest
from support.processes import python

from ltc_np import (
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Callback,
    Checkpoint,
    Dense,
    Dropout,
    EarlyStopping,
    Model,
    ReduceLROnPlateau,
    load,
)  # fmt: skip
from ltc_np.network.trained import Times, Trained

SETUP = """
import sys, pathlib
from functools import partial
import numpy as np
from ltc_np import *
from ltc_np import losses

class MeanWeights(Callback):
    "The running mean of the weights: a state with an array."
    def on_train_begin(self):
        self.mean, self.epochs = np.zeros_like(self.model.theta), 0

    def on_epoch_end(self, epoch, logs):
        self.mean += (self.model.theta - self.mean) / (self.epochs + 1)
        self.epochs += 1

    def state(self):
        return {"mean": self.mean.copy(), "epochs": self.epochs}

    def load_state(self, state):
        self.mean, self.epochs = state["mean"].copy(), state["epochs"]

def scaled(scale):
    return lambda y, target: (scale * float(np.abs(y - target).mean()), scale * np.sign(y - target) / y.size)

LOSSES = {
    "name": "mse",
    "partial": partial(losses.huber, delta=0.1),
    "lambda": lambda y, target: (float(((y - target) ** 2).mean()), 2 * (y - target) / y.size),
    "closure": scaled(2.0),
}
rng = np.random.default_rng(0)
x = rng.normal(size=(20, 6, 2))
y = np.cumsum(x, axis=1) / 3
bad = y[:7] + rng.normal(size=(7, 6, 2)) - 0.4 * x[:7]  # soon learning y makes this worse
FOLDER = pathlib.Path(sys.argv[1])

def train(name, initial_epoch):
    "From the beginning, or from the file of an epoch; a text of everything that there is in the end."
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    optimizer, mean = Adam(0.05), MeanWeights()
    stopping = EarlyStopping(9)
    callbacks = [
        Checkpoint(folder / "{epoch}.npz"),  # first, but it saves what those behind it have become
        Checkpoint(folder / "best.npz", save_best_only=True),
        ReduceLROnPlateau(2, factor=0.5, cooldown=1),
        stopping, mean,
        EarlyStopping(100, "loss"),
        CSVLogger(folder / "log.csv"),
    ]
    if initial_epoch:
        model = load(folder / f"{initial_epoch}.npz", optimizer=optimizer)
    else:
        model = Model(LTC(AutoNCP(8, 4), input_dim=2), Dropout(0.2, input_dim=4), Dense(2, input_dim=4), seed=0)
    history = model.fit(
        x, y, validation=(x[:7], bad), loss=LOSSES[name], batch_size=6, epochs=range(initial_epoch, 60),
        seed=None if initial_epoch else 11,  # it is in the file
        optimizer=optimizer, callbacks=callbacks, clip_norm=1.0, verbose=0,
    )
    best = load(folder / "best.npz")
    return repr((
        model.theta.tobytes(), optimizer.lr, optimizer.state(), model.best.epoch, model.best.theta.tobytes(),
        mean.mean.tobytes(), mean.epochs, stopping.waited, history.stopped, history.best_epoch,
        {name: values[-1] for name, values in history.items()}, best.theta.tobytes(), best.trained.epochs,
        model.trained, (folder / "log.csv").read_bytes(),
    ))
"""


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 5, 9])
def test_a_new_process_goes_on_with_the_same_bits(epochs, tmp_path):
    """With every callback that has a state, dropout, no seed given, and losses that have no name."""
    run = SETUP + "\nprint({name: train(name, int(sys.argv[2])) for name in LOSSES})"
    whole = python(run, arguments=[str(tmp_path), "0"]).stdout
    assert python(run, arguments=[str(tmp_path), str(epochs)]).stdout == whole
    found = eval(whole)
    for name, text in found.items():
        assert "stopped by EarlyStopping after" in text, name
        assert "'lr'" in text and "0.05, {" not in text, name  # the learning rate has fallen


def sines(n=24, T=8):
    t = np.linspace(0, 3, n)[:, None] + 0.4 * np.arange(T + 1)
    return np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])


def small():
    return LTCRNN(AutoNCP(8, 1), 1, seed=0)


def test_the_same_process_goes_on_too():
    x, y = sines()
    options = {"batch_size": 8, "validation": (x, -y), "keep_best": False, "verbose": 0}
    whole, parts = small(), small()
    whole.trained = parts.trained = Trained(0, 0)
    stopping = [EarlyStopping(50), ReduceLROnPlateau(2, factor=0.5)]
    first = SGD(0.1)
    whole.fit(x, y, epochs=12, seed=5, optimizer=first, callbacks=stopping, **options)
    waited, optimizer = stopping[0].waited, SGD(0.1)
    for epochs in (3, 4, 9, 12):
        callbacks = [EarlyStopping(50), ReduceLROnPlateau(2, factor=0.5)]
        parts.fit(
            x, y, epochs=range(0 if epochs == 3 else parts.trained.epochs, epochs),
            seed=5 if epochs == 3 else None, optimizer=optimizer, callbacks=callbacks, **options,
        )  # fmt: skip
    assert np.array_equal(whole.theta, parts.theta)
    assert callbacks[0].waited == waited > 3
    assert first.lr == optimizer.lr < 0.1
    assert whole.trained == parts.trained


def test_a_learning_rate_that_was_changed_by_hand_is_kept():
    x, y = sines()
    model, options = small(), {"validation": (x, -y), "verbose": 0, "keep_best": False}
    model.fit(x, y, epochs=6, optimizer=SGD(0.1), callbacks=ReduceLROnPlateau(1, factor=0.5), **options)
    ((_, state),) = model.trained.callbacks
    assert state["lr"] < state["first_lr"] == 0.1
    by_hand = SGD(0.07)
    model.fit(x, y, epochs=range(6, 7), optimizer=by_hand, callbacks=ReduceLROnPlateau(50, factor=0.5), **options)
    assert by_hand.lr == 0.07


def test_states_go_to_callbacks_of_the_same_class_in_order():
    class Counts(Callback):
        def __init__(self, start):
            self.start = start

        def on_train_begin(self):
            self.count = self.start

        def on_epoch_end(self, epoch, logs):
            self.count += 1

        def state(self):
            return {"count": self.count}

        def load_state(self, state):
            self.count = state["count"]

    x, y = sines()
    model = small()
    model.fit(x, y, epochs=2, callbacks=[Counts(10), Counts(20)], verbose=0)
    assert model.trained.callbacks == (("Counts", {"count": 12}), ("Counts", {"count": 22}))
    more = [Counts(100), EarlyStopping(9, "loss"), Counts(200), Counts(300)]
    model.fit(x, y, epochs=range(2, 3), callbacks=more, verbose=0)
    assert [callback.count for callback in more if isinstance(callback, Counts)] == [13, 23, 301]
    with pytest.warns(
        RuntimeWarning, match="`epochs` begins with epoch 1, but the model has been trained for 3 epochs"
    ):
        model.fit(x, y, epochs=range(1, 2), callbacks=more[0], verbose=0)
    assert more[0].count == 101
    model.fit(x, y, epochs=1, callbacks=more[0], verbose=0)  # another training
    assert more[0].count == 101


def test_states_that_do_not_fit_are_refused():
    x, y = sines()
    model = small()
    model.fit(x, y, epochs=2, metrics="r2", callbacks=EarlyStopping(9, "loss"), verbose=0)
    for stopping, words in (
        (
            EarlyStopping(9, "r2"),
            "`monitor` must be as before .*, min of 'loss', got max of 'r2'",
        ),
        (EarlyStopping(9, "loss", mode="max"), "min of 'loss', got max of 'loss'"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(x, y, epochs=range(2, 3), metrics="r2", callbacks=stopping, verbose=0)
    for wrong in ({"best": np.nan}, {"best": "x"}, {"waited": -1}, {"waited": None}):
        model.trained = Trained(2, 0, 0, (("EarlyStopping", {"monitor": "loss", "mode": "min", "waited": 0} | wrong),))
        with pytest.raises((ValueError, TypeError), match=r"`state\['(best|waited)'\]` must be"):
            model.fit(x, y, epochs=range(2, 3), callbacks=EarlyStopping(9, "loss"), verbose=0)

    class Lists(Callback):
        def state(self):
            return [3]

    class Forgets(Callback):
        def state(self):
            return {"x": 3}

    with pytest.raises(TypeError, match=r"`state` of Lists must return a dict, got \[3\]"):
        model.fit(x, y, callbacks=Lists(), verbose=0)
    model.fit(x, y, callbacks=Forgets(), verbose=0)
    with pytest.raises(NotImplementedError, match="Forgets must define `load_state`, since it defines `state`"):
        model.fit(x, y, epochs=range(1, 2), callbacks=Forgets(), verbose=0)


def test_a_function_may_save(tmp_path):
    """It is called when all callbacks know the epoch, wherever it stands among them."""
    x, y = sines()
    optimizer, options = SGD(0.1), {"validation": (x, -y), "verbose": 0, "keep_best": False}
    model, stopping = small(), EarlyStopping(50)
    model.fit(
        x, y, epochs=6, optimizer=optimizer, seed=3, **options,
        callbacks=[lambda epoch, logs: model.save(tmp_path / f"{epoch}.npz", optimizer), stopping],
    )  # fmt: skip
    again, later = SGD(0.1), EarlyStopping(50)
    resumed = load(tmp_path / "2.npz", optimizer=again)
    assert resumed.trained.epochs == 3
    resumed.fit(x, y, epochs=range(3, 6), optimizer=again, callbacks=later, **options)
    assert np.array_equal(resumed.theta, model.theta)
    assert later.state() == stopping.state()


def test_a_file_without_training_is_a_beginning(tmp_path):
    """As files of former versions are: then nothing is known of callbacks or a seed."""
    x, y = sines()
    small().save(tmp_path / "m.npz")
    model, stopping = load(tmp_path / "m.npz"), EarlyStopping(9, "loss")
    model.fit(x, y, epochs=range(4, 6), callbacks=stopping, seed=3, verbose=0)
    assert model.trained == Trained(6, 3, 0, (("EarlyStopping", stopping.state()),), "mse", Times(1.0, 1.0, (1.0, 1.0)))


# ----------------------------------------------------------------------------------- repeated calls, no repetition


def test_repeated_trainings_repeat_neither_order_nor_dropout(monkeypatch):
    from ltc_np.network.host import HostEngine

    x, y = sines(n=12)
    seeds, orders, inner = [], [], HostEngine.loss_and_grad

    def watched(self, batch, objective, keep, workspace, dropout_seed=None, **options):
        seeds.append(dropout_seed)
        orders.append(batch.sequences.x[:, 0, 0].tobytes())
        return inner(self, batch, objective, keep, workspace, dropout_seed, **options)

    monkeypatch.setattr(HostEngine, "loss_and_grad", watched)
    options = {"batch_size": 6, "epochs": 2, "optimizer": SGD(0.1), "verbose": 0}
    for seed in (None, 7):
        model = Model(LTC(AutoNCP(8, 4), input_dim=1), Dropout(0.5), Dense(1), seed=0)
        seeds.clear(), orders.clear()
        for _ in range(3):
            model.fit(x, y, seed=seed, **options)
        assert len(set(seeds)) == len(seeds) == 3 * 2 * 2
        assert len(set(orders)) == len(orders)
        assert model.trained.number == 2
        if seed is not None:
            assert seeds[:4] == [(7, 0), (7, 1), (7, 2), (7, 3)]
            assert seeds[8:] == [(7, 0, 2), (7, 1, 2), (7, 2, 2), (7, 3, 2)]
    first = [list(seeds), list(orders)]
    model.trained = None  # on request everything is as in the first training
    seeds.clear(), orders.clear()
    model.fit(x, y, seed=7, **options)
    assert [seeds, orders] == [part[:4] for part in first]


def test_the_number_of_a_training_travels_with_the_file(tmp_path):
    x, y = sines()
    options = {"batch_size": 8, "seed": 3, "verbose": 0}
    whole = small()
    whole.fit(x, y, epochs=1, optimizer=Adam(0.01), **options)
    theta = whole.theta.copy()
    whole.fit(x, y, epochs=4, optimizer=Adam(0.01), callbacks=Checkpoint(tmp_path / "{epoch}.npz"), **options)
    optimizer = Adam(0.01)
    resumed = load(tmp_path / "2.npz", optimizer=optimizer)
    assert resumed.trained[:3] == (2, 3, 1)
    resumed.fit(x, y, epochs=range(2, 4), optimizer=optimizer, **options)
    assert np.array_equal(resumed.theta, whole.theta)
    again = small()
    again.theta = theta
    again.fit(x, y, epochs=4, optimizer=Adam(0.01), **options)
    assert not np.array_equal(again.theta, whole.theta)  # that was the order of a first training
