"""Averages of the weights: the mean itself, who sees it, with what the model is left, and what is resumed."""

import numpy as np
import pytest
from support import ranks as fake
from support.sines import sines, small

from ltc_np import (
    EMA,
    LTC,
    SGD,
    SWA,
    Adam,
    AutoNCP,
    BatchNorm,
    Callback,
    Checkpoint,
    Checkpoints,
    Dense,
    EarlyStopping,
    Model,
    WeightAverage,
    load,
)  # fmt: skip

OPTIONS = {"batch_size": 5, "seed": 3, "verbose": False}


class Recorded(Callback):
    """The weights and buffers after every step."""

    def __init__(self):
        self.steps = []

    def on_batch_end(self, step, logs):
        self.steps.append(np.concatenate([self.model.theta, self.model.buffer_vector]).astype(float))


def normed():
    return Model(LTC(AutoNCP(6, 3), positivity="clip"), BatchNorm(), Dense(1), input_dim=1, seed=0, backend="numpy")


def weights(model):
    return np.concatenate([model.theta, model.buffer_vector])


def naive_ema(steps, beta):
    """From 0, and divided by what is missing of 1: the formula of the docstring."""
    mean = np.zeros_like(steps[0])
    for step in steps:
        mean = beta * mean + (1 - beta) * step
    return mean / (1 - beta ** len(steps))


@pytest.mark.slow
@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("average", "of_steps"),
    [
        (EMA(0.9), lambda steps: naive_ema(steps, 0.9)),
        (EMA(), lambda steps: naive_ema(steps, 0.99)),
        # 24 sequences in batches of 5 are 5 steps an epoch
        (SWA(), lambda steps: sum(steps[35:]) / 10),
        (SWA(0.4), lambda steps: sum(steps[25:]) / 20),
        (SWA(1.0), lambda steps: sum(steps) / 45),
        (SWA(0.01), lambda steps: sum(steps[40:]) / 5),
    ],
)
def test_the_model_is_left_with_the_mean_of_recorded_weights(average, of_steps):
    x, y = sines(24, 5)
    model, recorded = normed(), Recorded()
    model.fit(x, y, epochs=9, optimizer=SGD(0.1), callbacks=[average, recorded], **OPTIONS)
    wanted = of_steps(recorded.steps)
    # float32 holds the mean to half an ulp; 45 sums in float64 add nothing that is seen there
    np.testing.assert_allclose(weights(model), wanted, rtol=2e-7, atol=1e-9)
    assert np.abs(wanted - recorded.steps[-1]).max() > 1e-4


def test_the_optimiser_does_not_see_the_mean():
    x, y = sines(24, 5)
    for average in (EMA(0.9), SWA(0.5)):
        alone, beside = Recorded(), Recorded()
        normed().fit(x, y, epochs=4, optimizer=Adam(0.02), callbacks=alone, validation=(x, y), **OPTIONS)
        averaged = [average, beside]
        normed().fit(x, y, epochs=4, optimizer=Adam(0.02), callbacks=averaged, validation=(x, y), **OPTIONS)
        assert np.array_equal(alone.steps, beside.steps)


@pytest.mark.slow
def test_validation_callbacks_and_best_weights_see_the_mean():
    x, y = sines(24, 5)
    model, recorded, seen = normed(), Recorded(), []
    history = model.fit(
        x, y, epochs=4, optimizer=SGD(0.3), validation=(x, 0.4 - y), **OPTIONS,
        callbacks=[EMA(0.8), recorded, lambda epoch, logs: seen.append((weights(model), model.evaluate(x, 0.4 - y)))],
    )  # fmt: skip
    for epoch, (had, measured) in enumerate(seen):
        np.testing.assert_allclose(had, naive_ema(recorded.steps[: 5 * (epoch + 1)], 0.8), rtol=2e-7, atol=1e-9)
        assert history["val_loss"][epoch] == pytest.approx(measured["loss"], rel=1e-6)
    assert np.array_equal(weights(model), seen[history.best_epoch][0])
    assert history.best_epoch < 3


def test_before_the_last_epochs_the_model_is_judged_by_its_own_weights():
    x, y = sines(24, 5)
    model, recorded, seen = normed(), Recorded(), []
    model.fit(
        x, y, epochs=4, optimizer=SGD(0.1), **OPTIONS,
        callbacks=[SWA(0.5), recorded, lambda epoch, logs: seen.append(weights(model).astype(float))],
    )  # fmt: skip
    assert np.array_equal(seen[0], recorded.steps[4]) and np.array_equal(seen[1], recorded.steps[9])
    np.testing.assert_allclose(seen[2], np.mean(recorded.steps[10:15], axis=0), rtol=2e-7, atol=1e-9)


def test_clipped_parameters_keep_to_their_bound_and_frozen_ones_stay():
    x, y = sines(24, 5)
    model = Model(LTC(AutoNCP(6, 1), positivity="clip"), input_dim=1, seed=0, backend="numpy")
    model.freeze("mu")
    frozen = model.params["mu"].copy()
    model.fit(x, y, epochs=3, optimizer=SGD(3.0), clip_norm=1.0, callbacks=EMA(0.9), **OPTIONS)
    before = model.theta.copy()
    model.project()
    assert np.array_equal(model.theta, before)
    assert np.array_equal(model.params["mu"], frozen)


class Stops(Callback):
    """Ctrl-C would come at any step; here it is an error, which a power cut is like."""

    def __init__(self, at):
        self.at = at

    def on_batch_end(self, step, logs):
        if step == self.at:
            raise OSError("cut off")


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize("average", [EMA(0.9), SWA(0.5)])
@pytest.mark.parametrize("validated", [False, True])
def test_a_resumed_training_has_the_same_bits(tmp_path, average, validated):
    x, y = sines(24, 5)
    options = OPTIONS | {"epochs": 3} | ({"validation": (x, 0.4 - y)} if validated else {})
    whole = normed()
    whole.fit(x, y, optimizer=Adam(0.02), callbacks=average, **options)
    for at in (3, 12):  # inside of an epoch
        part, again = normed(), normed()
        folder = tmp_path / str(at)
        with pytest.raises(OSError, match="cut off"):
            part.fit(
                x, y, optimizer=Adam(0.02), callbacks=[average, Stops(at)], checkpoint=Checkpoints(folder, every=1),
                **options,
            )  # fmt: skip
        resumed = Checkpoints(folder, every=1, resume=True)
        again.fit(x, y, optimizer=Adam(0.02), callbacks=average, checkpoint=resumed, **options)
        assert np.array_equal(weights(whole), weights(again))
        finished = normed()
        finished.fit(x, y, optimizer=Adam(0.02), callbacks=type(average)(), checkpoint=resumed, **options)
        assert np.array_equal(weights(whole), weights(finished))


def test_a_file_of_the_callback_checkpoint_has_the_mean_and_goes_on_with_the_weights(tmp_path):
    x, y = sines(24, 5)
    whole, part, average = small(), small(), EMA(0.9)
    whole.fit(x, y, epochs=5, optimizer=Adam(0.02), callbacks=average, **OPTIONS)
    part.fit(x, y, epochs=3, optimizer=Adam(0.02), callbacks=[average, Checkpoint(tmp_path / "c.npz")], **OPTIONS)
    optimizer = Adam(0.02)
    resumed = load(tmp_path / "c.npz", optimizer=optimizer)
    assert np.array_equal(resumed.theta, part.theta)  # which is the mean
    resumed.fit(x, y, epochs=range(3, 5), optimizer=optimizer, callbacks=EMA(0.9), **OPTIONS)
    assert np.array_equal(resumed.theta, whole.theta)


def test_a_finished_training_that_goes_on_averages_its_new_last_epochs(tmp_path):
    x, y = sines(24, 5)
    once, twice = normed(), normed()
    recorded = Recorded()
    once.fit(x, y, epochs=8, optimizer=SGD(0.1), callbacks=[SWA(0.25), recorded], **OPTIONS)
    for epochs in (4, 8):
        twice.fit(
            x, y, epochs=epochs, optimizer=SGD(0.1), callbacks=SWA(0.25),
            checkpoint=Checkpoints(tmp_path / "run", resume=True), **OPTIONS,
        )  # fmt: skip
    assert np.array_equal(weights(once), weights(twice))


def test_ranks_have_the_same_mean():
    x, y = sines(24, 5)

    def train(comm):
        model = small()
        options = OPTIONS | {"batch_size": 8, "validation": (x, 0.4 - y)}
        history = model.fit(x, y, epochs=3, optimizer=SGD(0.1), callbacks=EMA(0.8), comm=comm, **options)
        return model.theta.copy(), history["val_loss"]

    (alone, losses), *found = train(None), *fake.run(2, train)
    for theta, of_ranks in found:
        np.testing.assert_allclose(theta, alone, rtol=1e-5, atol=1e-6)  # gradients are summed in another order
        np.testing.assert_allclose(of_ranks, losses, rtol=1e-5)
    assert np.array_equal(found[0][0], found[1][0])


class Restarts(Callback):
    """Gives the model other weights after an epoch, as a guard does."""

    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            self.model.theta[:] = 0.25


def test_what_a_callback_changes_after_an_epoch_stays(tmp_path):
    x, y = sines(24, 5)
    model, recorded = small(), Recorded()
    options = OPTIONS | {"epochs": 4, "optimizer": SGD(1e-3)}
    file = Checkpoint(tmp_path / "{epoch}.npz", every=2)
    model.fit(x, y, callbacks=[EMA(0.9), recorded, Restarts(), file], **options)
    np.testing.assert_allclose(recorded.steps[10], 0.25, atol=0.01)  # a step of SGD with a gradient below 10
    np.testing.assert_allclose(weights(model), naive_ema(recorded.steps[10:], 0.9), rtol=2e-7, atol=1e-9)
    optimizer = SGD(1e-3)
    resumed = load(tmp_path / "2.npz", optimizer=optimizer)
    resumed.fit(x, y, callbacks=EMA(0.9), **options | {"epochs": range(2, 4), "optimizer": optimizer})
    assert np.array_equal(resumed.theta, model.theta)


class Breaks(Callback):
    """Spoils the weights after a step."""

    def __init__(self, at):
        self.at = at

    def on_batch_end(self, step, logs):
        if step == self.at:
            self.model.theta[:] = np.nan


def test_a_training_that_stops_or_fails_leaves_what_it_says():
    x, y = sines(24, 5)
    model, recorded = small(), Recorded()
    stops = [EMA(0.9), recorded, EarlyStopping(1, "val_loss")]
    history = model.fit(
        x, y, epochs=9, optimizer=SGD(0.3), validation=(x, -y), keep_best=False, callbacks=stops, **OPTIONS
    )
    assert len(history.epoch) < 9
    np.testing.assert_allclose(weights(model), naive_ema(recorded.steps, 0.9), rtol=2e-7, atol=1e-9)

    def fails(y, target):
        raise RuntimeError("no value")

    model = small()
    before = model.theta.copy()
    with pytest.raises(RuntimeError, match="no value"):
        model.fit(x, y, epochs=2, metrics=[fails], callbacks=EMA(0.9), **OPTIONS)
    assert np.array_equal(model.theta, before)

    model, recorded = small(), Recorded()
    with pytest.raises(FloatingPointError):
        model.fit(x, y, epochs=2, callbacks=[EMA(0.9), recorded, Breaks(6)], **OPTIONS)
    assert np.array_equal(model.theta, recorded.steps[5].astype(np.float32))  # the last good ones


class OnlyBase(WeightAverage):
    """Says nothing of its own."""


def test_what_does_not_fit_is_refused():
    x, y = sines(24, 5)
    with pytest.raises(ValueError, match=r"at most one average of the weights, got \[EMA\(\), SWA\(\)\]"):
        small().fit(x, y, callbacks=[EMA(), SWA()], **OPTIONS)
    with pytest.raises(NotImplementedError, match="OnlyBase must define `share`"):
        small().fit(x, y, callbacks=OnlyBase(), **OPTIONS)
    for wrong in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="`beta` must be"):
            EMA(wrong)
    for wrong in (0.0, 1.1):
        with pytest.raises(ValueError, match="`last` must be"):
            SWA(wrong)


def test_a_state_that_does_not_fit_is_refused():
    x, y = sines(24, 5)
    model, average = small(), EMA(0.9)
    model.fit(x, y, callbacks=average, **OPTIONS)
    state = average.state()
    good = state["mean"]
    for mean in ((good[0][:-1], good[1]), (good[0].astype(np.float32), good[1]), (good[0] * np.nan, good[1])):
        with pytest.raises(ValueError, match="must be of finite float64 of shape"):
            average.load_state(state | {"mean": mean})
