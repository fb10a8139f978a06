"""What checkpoints hold: all kinds of data, metrics, callbacks, optimisers and layers go on with the same bits."""

import re

import numpy as np
import pytest
from support.trainings import Cut, Cuts, left_behind

from ltc_np import (
    L1L2,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Batching,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    CosineDecay,
    CSVLogger,
    Dense,
    EarlyStopping,
    ExponentialDecay,
    Model,
    PerEpoch,
    RMSprop,
    Standardize,
    load,
)
from ltc_np.metrics import Metric
from ltc_np.train.resume.saved import Rates

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 6, 2))
Y = np.cumsum(X, axis=1) / 3
CLASSES = rng.integers(0, 2, (20, 6))
OPTIONS = {"epochs": 3, "batch_size": 6, "seed": 3, "verbose": 0}


def small(outputs=2, **options):
    return LTCRNN(AutoNCP(7, outputs), 2, ode_unfolds=2, seed=0, backend="numpy", **options)


def parted(folder, make=small, cuts=(4, 6), optimizer=lambda: Adam(0.05), every=1, **options):
    """What a training without interruptions leaves behind, and one that was cut off after some steps and resumed.

    Values of ``options`` that begin with ``make_`` are called for every part.
    """
    found = []
    for where in ([None], [*cuts, None]):
        for cut in where:
            model, now = make(), optimizer()
            own = {name.removeprefix("make_"): value() if name.startswith("make_") else value
                   for name, value in options.items()}  # fmt: skip
            x, y = own.pop("x", X), own.pop("y", Y)
            own["callbacks"] = [*own.pop("callbacks", ()), *([] if cut is None else [Cuts(cut)])]
            if len(where) > 1:
                own |= {"checkpoint": Checkpoints(folder, resume=True, every=every)}
            try:
                history = model.fit(x, y, optimizer=now, **OPTIONS | own)
            except Cut:
                continue
            found.append(left_behind(model, now, history))
    return found


def test_classes_and_all_their_metrics(tmp_path):
    """Also metrics that keep all elements.  In the middle of an epoch they have seen some batches."""

    def own_score(y_true, y_pred):
        return float((y_true == y_pred).mean())

    def weighted(y_true, y_pred, sample_weight=None):
        return float(np.average(y_true == y_pred, weights=sample_weight))

    metrics = ["accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", own_score, weighted]
    whole, parts = parted(
        tmp_path, y=CLASSES, loss="cross_entropy", metrics=metrics, validation=0.2, batch_size=4,
        class_weight="balanced",
    )  # fmt: skip
    assert parts == whole


def test_numbers_missing_targets_and_weights(tmp_path):
    y = np.where(rng.uniform(size=Y.shape) < 0.2, np.nan, Y)
    whole, parts = parted(
        tmp_path, y=y, missing="ignore", metrics=["mse", "mae", "r2"], sample_weight=rng.uniform(0.5, 2, 20),
        lengths=rng.integers(1, 7, 20), tbptt=2, penalty=L1L2(l2=1e-3), clip_norm=0.5,
        batch_size=Batching(6, group_by_length=True, drop_last=True),
    )  # fmt: skip
    assert parts == whole


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["function", "iterable", "iterator"])
def test_batches_of_a_user_s_own(kind, tmp_path):
    """An iterator must stand at the next batch, whose number is in the name of the file."""

    def batches(epoch):
        return [(X[5 * k : 5 * k + 5] + epoch, Y[5 * k : 5 * k + 5]) for k in range(4)]

    def at_its_place():
        done = max((int(path.stem[5:]) for path in tmp_path.glob("step-*")), default=0)
        return iter([batch for epoch in range(3) for batch in batches(epoch)][done:])

    given = {
        "function": {"x": batches}, "iterable": {"x": Again(batches(0))}, "iterator": {"make_x": at_its_place},
    }[kind]  # fmt: skip
    whole = parted(tmp_path, cuts=(), y=None, batch_size=Batching(steps_per_epoch=4), metrics="mae", **given)[0]
    for path in tmp_path.iterdir():
        path.unlink()
    parts = parted(tmp_path, y=None, batch_size=Batching(steps_per_epoch=4), metrics="mae", **given)[1]
    assert parts == whole


@pytest.mark.parametrize("given", [0, 1, 2])
def test_fewer_batches_than_were_done_are_counted(given, tmp_path):
    def batches(count):
        return lambda epoch: [(X[:5], Y[:5])] * count

    options = OPTIONS | {"batch_size": Batching(steps_per_epoch=4)}
    options["checkpoint"] = Checkpoints(tmp_path, every=1, resume=True)
    with pytest.raises(Cut):
        small().fit(batches(4), optimizer=Adam(0.05), callbacks=Cuts(6), **options)
    with pytest.raises(ValueError, match=f"`steps_per_epoch` = 4 batches an epoch, got {given} in epoch 1"):
        small().fit(batches(given), optimizer=Adam(0.05), **options)


class Again:
    """An iterable that is not a list, since a list would be taken for data."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("tbptt", [None, 4])
def test_arrays_in_files(tbptt, tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    whole, parts = parted(tmp_path / "run", x=x, metrics="mae", validation=(x, Y), tbptt=tbptt)
    assert parts == whole


@pytest.mark.slow
def test_layers_with_statistics_of_batches_and_of_data(tmp_path):
    def make():
        layers = Standardize(), LTC(AutoNCP(7, 3)), BatchNorm(), Dense(2), Standardize(inverse=True)
        return Model(*layers, input_dim=2, seed=0, backend="numpy")

    whole, parts = parted(tmp_path, make, standardize=True, validation=(X[:5], -Y[:5]))
    assert parts == whole


def test_frozen_parameters(tmp_path):
    def make():
        model = small()
        model.freeze("w")
        return model

    whole, parts = parted(tmp_path, make)
    assert parts == whole
    assert load(max(tmp_path.iterdir())).trainable.sum() < small().theta.size


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: SGD(0.1, momentum=0.9),
        lambda: RMSprop(0.01),
        lambda: Adam(CosineDecay(0.05, 10)),
        lambda: Adam(PerEpoch(ExponentialDecay(0.05, 0.5, 1))),
    ],
    ids=["momentum", "rmsprop", "schedule", "per epoch"],
)
def test_optimisers(optimizer, tmp_path):
    whole, parts = parted(tmp_path, optimizer=optimizer)
    assert re.sub("0x[0-9a-f]+", "", parts) == re.sub("0x[0-9a-f]+", "", whole)


class Mean(Callback):
    """The running mean of the weights over steps, which sets the learning rate too."""

    def on_train_begin(self):
        self.mean, self.steps = np.zeros_like(self.model.theta), 0

    def on_batch_end(self, step, logs):
        self.steps += 1
        self.mean += (self.model.theta - self.mean) / self.steps
        self.optimizer.lr = 0.05 / self.steps

    def state(self):
        return {"mean": self.mean.copy(), "steps": self.steps}

    def load_state(self, state):
        self.mean, self.steps = state["mean"], state["steps"]


@pytest.mark.parametrize("every", [1, 3, None])
def test_callbacks_that_count_steps(every, tmp_path):
    whole, parts = parted(tmp_path, every=every, callbacks=[Mean(), EarlyStopping(9, "loss")])
    assert parts == whole


def test_a_table_of_epochs_goes_on(tmp_path):
    folder, files = tmp_path / "run", [tmp_path / "whole.csv", tmp_path / "parts.csv"]
    small().fit(X, Y, optimizer=Adam(0.05), callbacks=CSVLogger(files[0]), **OPTIONS)
    for cut in (6, 9, None):
        callbacks = [CSVLogger(files[1]), *([] if cut is None else [Cuts(cut)])]
        try:
            small().fit(
                X, Y, optimizer=Adam(0.05), callbacks=callbacks, checkpoint=Checkpoints(folder, resume=True), **OPTIONS
            )
        except Cut:
            continue
    assert files[0].read_text() == files[1].read_text()


@pytest.mark.parametrize("seed", [None, "generator"])
def test_the_seed_is_in_the_file(seed, tmp_path):
    def given():
        return None if seed is None else np.random.default_rng(5)

    with pytest.raises(Cut):
        small().fit(X, Y, optimizer=Adam(0.05), callbacks=Cuts(5), checkpoint=Checkpoints(tmp_path, every=1),
                    **OPTIONS | {"seed": given()})  # fmt: skip
    first = small()
    drawn = load(max(tmp_path.iterdir())).trained.seed
    first.fit(X, Y, optimizer=Adam(0.05), **OPTIONS | {"seed": drawn})
    again = small()
    again.fit(X, Y, optimizer=Adam(0.05), checkpoint=Checkpoints(tmp_path, resume=True), **OPTIONS | {"seed": given()})
    assert np.array_equal(again.theta, first.theta) and again.trained.seed == drawn


def test_repeated_trainings_keep_their_number(tmp_path):
    def make():
        model = small()
        model.fit(X, Y, optimizer=Adam(0.01), **OPTIONS | {"epochs": 1})
        return model

    whole, parts = parted(tmp_path, make)
    assert parts == whole and "number=1" in whole


def test_more_epochs_go_on_unless_a_callback_has_ended_it(tmp_path):
    whole = small()
    expected = whole.fit(X, Y, optimizer=Adam(0.05), **OPTIONS | {"epochs": 5})
    for epochs in (2, 5):
        model = small()
        kept = Checkpoints(tmp_path / "a", resume=True)
        history = model.fit(X, Y, optimizer=Adam(0.05), checkpoint=kept, **OPTIONS | {"epochs": epochs})
    assert history == expected and np.array_equal(model.theta, whole.theta)
    for epochs in (3, 9):
        model = small()
        kept = Checkpoints(tmp_path / "b", resume=True)
        history = model.fit(
            X, Y, optimizer=SGD(0.1), checkpoint=kept, callbacks=lambda epoch, logs: epoch == 1,
            **OPTIONS | {"epochs": epochs},
        )  # fmt: skip
        assert (history.epoch, history.stopped) == ([0, 1], "stopped by FunctionCallback after 2 epochs")


def test_seconds_are_those_of_all_parts(tmp_path):
    with pytest.raises(Cut):
        small().fit(X, Y, callbacks=Cuts(6), checkpoint=tmp_path, **OPTIONS)
    part = load_seconds(tmp_path)
    history = small().fit(X, Y, checkpoint=Checkpoints(tmp_path, resume=True), **OPTIONS)
    assert history.seconds > part > 0
    assert load_seconds(tmp_path) > part


def load_seconds(folder):
    from ltc_np import io
    from ltc_np.model import Model as kind

    path = max(folder.iterdir())
    return io.load_checkpoint(path, io.read_checkpoint(path), kind, "numpy").training["history"]["seconds"]


@pytest.mark.parametrize(
    ("now", "given", "wanted"),
    [(0.02, 0.1, 0.02), (0.02, 0.07, 0.07), (0.02, 0.02, 0.02)],
    ids=["as at the beginning", "set by hand", "as it was reached"],
)
def test_a_learning_rate_that_was_changed_by_hand_is_kept(now, given, wanted):
    optimizer = SGD(given)
    Rates(2, now, 0.1).give(optimizer)
    assert (optimizer.lr, optimizer.epoch) == (wanted, 2)


# ------------------------------------------------------------------------------------------------- what does not fit


class Odd(Metric):
    """A metric whose state is not plain data."""

    name, mode = "odd", "min"

    def reset(self):
        super().reset()
        self.seen = {1, 2}

    def _add(self, y, target, weight):
        pass

    def _value(self):
        return 0.0


class Lists(Odd):
    """A metric whose state is no dict."""

    def state(self):
        return [3]


class OddCallback(Callback):
    def state(self):
        return {"a": {1, 2}}


def test_states_that_are_no_plain_data_are_refused_before_the_first_step(tmp_path):
    for options, words in (
        ({"metrics": Odd()}, "`state` of the metric odd: what is saved must be plain data"),
        ({"metrics": Lists()}, r"`state` of the metric odd must return a dict, got \[3\]"),
        ({"callbacks": OddCallback()}, "`state` of the callback OddCallback: what is saved must be plain data"),
    ):
        model = small()
        theta = model.theta.copy()
        with pytest.raises(TypeError, match=words):
            model.fit(X, Y, checkpoint=tmp_path, **OPTIONS | options)
        assert np.array_equal(model.theta, theta)
        assert not list(tmp_path.iterdir())


def test_a_step_that_diverges_is_not_written(tmp_path):
    """A checkpoint that could not be read again is not written.  The next step says what is wrong, and the folder keeps
    the checkpoint before."""
    optimizer, model = SGD(0.1), small()

    class Lifts(Callback):
        def on_batch_end(self, step, logs):
            if step == 2:
                optimizer.lr = 1e38
            if step == 3:
                self.model.theta[:] = np.inf

    with (
        pytest.warns(RuntimeWarning, match="no checkpoint is written at step 4, since parameters, buffers or moments"),
        pytest.raises(FloatingPointError, match="at step 4"),
        np.errstate(all="ignore"),
    ):
        model.fit(X, Y, optimizer=optimizer, callbacks=Lifts(), checkpoint=Checkpoints(tmp_path, every=1), **OPTIONS)
    assert max(path.name for path in tmp_path.iterdir()) == "step-00000003.npz"


def test_buffers_that_are_not_finite_are_not_written(tmp_path):
    model = Model(Standardize(), Dense(2), input_dim=2, seed=0, backend="numpy")

    class Breaks(Callback):
        def on_batch_end(self, step, logs):
            if step == 2:
                self.model.buffer_vector[0] = np.inf

    warned = pytest.warns(RuntimeWarning, match="no checkpoint is written at step 3, since parameters, buffers or")
    with warned, pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        model.fit(X, Y, callbacks=Breaks(), checkpoint=Checkpoints(tmp_path, every=1), **OPTIONS)
    assert max(path.name for path in tmp_path.iterdir()) == "step-00000002.npz"


def test_another_monitor_begins_anew(tmp_path):
    options = {"validation": (X[:5], Y[:5]), "metrics": "mae", "checkpoint": Checkpoints(tmp_path, resume=True)}
    small().fit(X, Y, **OPTIONS | options)
    with pytest.warns(RuntimeWarning, match="best weights so far, those of epoch .*, are forgotten"):
        history = small().fit(X, Y, keep_best="val_mae", **OPTIONS | options | {"epochs": 4})
    assert history.best_epoch == 3


def test_without_best_weights_the_best_epoch_is_known(tmp_path):
    """The first epoch is the best one, since the monitored value only falls."""
    whole, parts = parted(tmp_path, keep_best=BestWeights("loss", mode="max", keep=False))
    assert parts == whole
    assert whole.endswith("0, 'all epochs done')")


# ------------------------------------------------------------------------------------------------------- on a card


def test_on_a_card(tmp_path, emulator):
    """Parameters and moments are brought back from the card before a file is written, even if no callback looks at
    steps."""
    options = {"batch_size": 2, "epochs": 2, "tbptt": 2}

    def part(**more):
        layers = LTC(AutoNCP(6, 2, seed=1), ode_unfolds=1), Dense(2)
        model, optimizer = Model(*layers, input_dim=2, seed=0, backend="cuda"), Adam(0.05)
        history = model.fit(X[:4, :4], Y[:4, :4], optimizer=optimizer, **OPTIONS | options | more)
        return left_behind(model, optimizer, history)

    whole = part()
    assert part(checkpoint=Checkpoints(tmp_path, every=1, keep_last=9)) == whole
    for path in sorted(tmp_path.iterdir())[3:]:  # as if it had been killed after three steps, between two chunks
        path.unlink()
    assert part(checkpoint=Checkpoints(tmp_path, every=1, resume=True)) == whole
