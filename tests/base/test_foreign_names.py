"""Habits from other libraries: each gets an error of one line that says what to write here."""

import functools

import numpy as np
import pytest

import ltc_np as lib
from ltc_np.base import foreign_names
from ltc_np.network.foreign_attributes import FOREIGN_ATTRIBUTES
from ltc_np.online import NLMS, RLS, Learner

RNG = np.random.default_rng(0)
X, Y, LABELS = RNG.normal(size=(6, 4, 3)), RNG.normal(size=(6, 4, 2)), np.arange(6) % 4
MODEL = lib.LTCRNN(lib.AutoNCP(8, 2), input_dim=3, seed=0, backend="numpy")
CLASSES = functools.partial(
    lib.Model(lib.Dense(4, input_dim=3), seed=0, backend="numpy", return_sequences=False).evaluate, loss="cross_entropy"
)
EACH = functools.partial(
    lib.Model(lib.Dense(4, input_dim=3), seed=0, backend="numpy").evaluate, loss="cross_entropy"
)  # fmt: skip
MASK, TIMES = np.ones((6, 4), bool), np.arange(4).astype("datetime64[s]")
HABITS = {
    "LTCRNN(3, wiring)": (lambda: lib.LTCRNN(3, lib.AutoNCP(8, 2)), "got 3: 3 neurons, .* FullyConnected"),
    "LSTM(hidden_size=)": (lambda: lib.LSTM(hidden_size=4), "no argument `hidden_size`: did you mean `units`"),
    "Dense(units=)": (lambda: lib.Dense(units=4), "did you mean `outputs`"),
    "AutoNCP(output_dim=)": (lambda: lib.AutoNCP(8, output_dim=2), "`AutoNCP` .*: did you mean `output_size`"),
    "LSTM(num_layers=)": (lambda: lib.LSTM(4, num_layers=2), "a model has one layer after another"),
    "LSTM(input_size=)": (lambda: lib.LSTM(4, input_size=2), "did you mean `input_dim`"),
    "Learner(validation_data=)": (lambda: Learner(MODEL, NLMS(), validation_data=(X, Y)), "`fit` takes them"),
    "Learner(input_size=)": (lambda: Learner(MODEL, NLMS(), input_size=2), "it is read from the data"),
    "LSTM(batch_first=)": (lambda: lib.LSTM(4, batch_first=True), "arrays are always"),
    "LTCRNN(batch_first=)": (lambda: lib.LTCRNN(lib.AutoNCP(8, 2), 3, batch_first=True), "arrays are always"),
    "CfCRNN(activation=)": (lambda: lib.CfCRNN(8, input_dim=3, activation="silu"), "did you mean `backbone_act"),
    "fit(lr=)": (lambda: MODEL.fit(X, Y, lr=0.1), "the optimiser has it"),
    "NLMS(learning_rate=)": (lambda: NLMS(learning_rate=0.1), "`NLMS` has no argument .*: did you mean `rate`"),
    "ExponentialDecay(learning_rate=)": (lambda: lib.ExponentialDecay(learning_rate=0.1), "did you mean `lr`"),
    "RLS(forgetting_factor=)": (lambda: RLS(forgetting_factor=0.9), "did you mean `forgetting`"),
    "fit(timespans=)": (lambda: MODEL.fit(X, Y, timespans=0.1), "did you mean `dt`"),
    "fit(mask=)": (lambda: MODEL.fit(X, Y, mask=MASK), "did you mean `lengths`"),
    "EarlyStopping(restore_best_weights=)": (lambda: lib.EarlyStopping(restore_best_weights=True), "`fit` does it"),
    "Model([layers])": (lambda: lib.Model([lib.LSTM(3)], input_dim=3), r"got list: write Model\(\*layers"),
    "Model(LSTM)": (lambda: lib.Model(lib.LSTM, input_dim=3), "got the class LSTM: call it"),
    "lengths is a mask": (lambda: MODEL(X, lengths=MASK), r"take mask.sum\(axis=1\)"),
    "lengths (B, 1)": (lambda: MODEL(X, lengths=np.full((6, 1), 4)), r"take lengths\[:, 0\]"),
    "lengths are floats": (lambda: MODEL(X, lengths=np.full(6, 4.0)), r"take lengths.astype\(int\)"),
    "dt of dates": (lambda: MODEL(X, dt=TIMES), r"dtype datetime64\[s\]: ltc_np.data.dt_from_times"),
    "dt of durations": (lambda: MODEL(X, dt=TIMES - TIMES[0]), r"dtype timedelta64\[s\]: divide by a unit"),
    "dt_from_times of dates": (lambda: lib.dt_from_times(TIMES), "`unit` must be given with dates, such as unit=\"h\""),
    "one-hot": (lambda: CLASSES(X, np.eye(4)[LABELS]), r"of one-hot rows take y.argmax\(axis=-1\)"),
    "one-hot ints": (lambda: CLASSES(X, np.eye(4, dtype=int)[LABELS]), r"of one-hot rows take y.argmax\(axis=-1\)"),
    "labels (B, 1)": (lambda: CLASSES(X, LABELS[:, None]), r"take y\[..., 0\]"),
    "labels are floats": (lambda: CLASSES(X, LABELS + 0.0), r"take y.astype\(int\)"),
    "labels are words": (lambda: CLASSES(X, np.array(list("abcd"))[LABELS]), r"np.unique\(y, return_inverse=True\)"),
    "labels are objects": (lambda: CLASSES(X, np.array(list("abcd"), object)[LABELS]), r"np.unique\(y"),
    "labels 1..K": (lambda: CLASSES(X, LABELS + 1), "in 0..3, got 4: they count from 0"),
    "ignore_index": (lambda: CLASSES(X, np.where(LABELS == 2, -100, LABELS)), 'got -100: NaN is no class, with miss'),
    "labels of sequences": (lambda: EACH(X, LABELS), "return_sequences=False"),
    "classes and mse": (lambda: CLASSES(X, LABELS, loss="mse"), "classes are for the loss 'cross_entropy'"),
    "labels -1, 1": (lambda: MODEL.evaluate(X, np.sign(Y), loss="binary_cross_entropy"), "take 0 and 1"),
    "masked array": (lambda: MODEL.evaluate(X, np.ma.masked_less(Y, 0)), "`.filled"),
    "a list of batches": (lambda: MODEL.fit([(X, Y)]), "give `lambda epoch: batches`"),
    "batches of three": (
        lambda: MODEL.fit(lambda epoch: [(X, Y, LABELS)], batch_size=lib.Batching(steps_per_epoch=1)), "say in a dict",
    ),
    "padding of a convolution": (lambda: lib.Conv1D(4, 3, padding="same"), "zeros come before each sequence"),
    "groups": (lambda: lib.Conv1D(4, 3, groups=4), "with separable=True"),
    "no bias": (lambda: lib.Conv1D(4, 3, bias=False), r"model.freeze\('bias'\)"),
    "patch_size": (lambda: lib.Patch(patch_size=4), "did you mean `steps`"),
    "schedule (epoch, lr)": (lambda: lib.PerEpoch(lambda epoch, lr: lr), "a function of the epoch alone, got <f"),
    "step(gradient, model)": (lambda: lib.Adam(0.1).step(MODEL.theta, MODEL), r"step\(model, gradient\)"),
    "confusion matrix": (lambda: MODEL.evaluate(X, Y, metrics=lambda y, target: np.eye(2)), r"array of shape \(2, 2\)"),
    "loss": (lambda: MODEL.fit(X, Y, loss="mean_squared_error"), "did you mean 'mse'"),
    "loss of PyTorch": (lambda: MODEL.fit(X, Y, loss="SmoothL1Loss"), "did you mean 'huber'"),
    "metric": (lambda: MODEL.evaluate(X, Y, metrics=["r2_score"]), "`metrics` .*: did you mean 'r2'"),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_habits_are_answered(habit):
    call, remedy = HABITS[habit]
    with pytest.raises((TypeError, ValueError), match=remedy) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_attributes_of_other_models():
    for name, remedy in FOREIGN_ATTRIBUTES.items():
        with pytest.raises(AttributeError) as caught:
            getattr(MODEL, name)
        assert str(caught.value) == f"`{name}` is nothing that a model has: {remedy}"
    with pytest.raises(AttributeError, match="return True from the end of an epoch"):
        MODEL.stop_training = True
    with pytest.raises(AttributeError, match="'LTCRNN' object has no attribute 'banana'"):
        MODEL.banana  # noqa: B018
    assert not hasattr(MODEL, "score")


def test_a_model_of_ones_own_may_have_such_attributes():
    class Mine(lib.Model):
        pass

    mine = Mine(lib.Dense(2, input_dim=3), seed=0)
    mine.history = 3
    assert mine.history == 3


KINDS = {"loss": lib.losses.LOSSES, "metric": lib.metrics.METRICS}
GET = {"loss": lib.losses.get, "metric": lib.metrics.get}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_or_a_metric_has_other_names_elsewhere(kind):
    """Each of them leads to one that is called otherwise here."""
    for name, row in KINDS[kind].items():
        assert row.foreign_names, f"{name} has no name of another library"
        for other in row.foreign_names.split():
            with pytest.raises(ValueError, match=rf", got '{other.upper()}': did you mean '{name}'\?$"):
                GET[kind](other.upper())
    with pytest.raises(ValueError, match="or a callable, got 'banana'$"):
        GET[kind]("banana")


def test_what_is_meant_exists():
    assert not any(hasattr(lib.Model, name) for name in FOREIGN_ATTRIBUTES)
    for here, others in foreign_names.ARGUMENTS.items():
        assert here not in others.split()


def test_a_name_that_a_call_has_is_preferred():
    assert foreign_names.argument("units", ["outputs", "init"]) == "did you mean `outputs`?"
    assert foreign_names.argument("dropout", ["units"]) == foreign_names.INSTEAD["dropout"]
    assert foreign_names.argument("dropout", ["units", "backbone_dropout"]) == "did you mean `backbone_dropout`?"
    assert foreign_names.argument("epcohs", ["epochs"]) == "did you mean `epochs`?"
    assert foreign_names.argument("banana", ["epochs", "seed"]) == "there are epochs, seed"
    assert foreign_names.hint("Banana", {"apple": "pear", "fruit": "orange banana"}) == ": did you mean 'fruit'?"
    assert foreign_names.hint("pears", {"apple": "pear"}) == ""
