"""fit and evaluate: what is learned, kept, reported, resumed and refused."""

import builtins
import sys
import tracemalloc

import numpy as np
import pytest

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Callback,
    CfC,
    Checkpoint,
    CosineDecay,
    Dense,
    Dropout,
    EarlyStopping,
    MixedMemory,
    Model,
    clip_by_global_norm,
    load,
    metrics,
    pad,
    set_num_threads,
)  # fmt: skip
from ltc_np.metrics.base import MeanMetric
from ltc_np.network.host import HostEngine


def sines(n=40, T=12, seed=0):
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    t = phase + 0.4 * np.arange(T + 1)
    return np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])


def small(backend="auto", **options):
    return LTCRNN(AutoNCP(8, 1), 1, seed=0, backend=backend, **options)


@pytest.mark.slow
def test_it_learns_and_reports(backend):
    x, y = sines()
    model = small(backend)
    before = model.evaluate(x, y)["loss"]
    history = model.fit(
        x, y, epochs=30, batch_size=8, optimizer=Adam(0.02), metrics=["mae", "r2"], validation_data=sines(seed=1),
        seed=0, verbose=False,
    )  # fmt: skip
    assert set(history) == {"loss", "mae", "r2", "val_loss", "val_mae", "val_r2"}
    assert all(len(values) == 30 for values in history.values())
    assert history["val_loss"][-1] < before / 5
    assert history.best_epoch == int(np.argmin(history["val_loss"]))
    assert history.stopped == "all epochs done"
    measured = model.evaluate(*sines(seed=1), metrics=["mae", "r2", "mse"])
    assert measured["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)
    y_hat, target = model(sines(seed=1)[0]), sines(seed=1)[1]
    assert measured["mse"] == pytest.approx(np.mean((y_hat - target) ** 2), rel=1e-5)
    assert measured["mae"] == pytest.approx(np.mean(np.abs(y_hat - target)), rel=1e-5)
    assert repr(history).startswith("<History: 30 epochs")


def test_drop_last_is_training_without_the_smaller_batch(backend):
    x, y = sines(n=19)
    kwargs = {"epochs": 3, "batch_size": 8, "optimizer": "sgd", "seed": 5, "verbose": False}
    by_fit, by_hand = small(backend), small(backend)
    seen = Steps()
    by_fit.fit(x, y, drop_last=True, callbacks=seen, **kwargs)
    assert seen.steps == list(range(6))
    optimizer = SGD(0.01)
    for epoch in range(3):
        order = np.random.default_rng([5, epoch]).permutation(19)
        for rows in (order[:8], order[8:16]):
            optimizer.step(by_hand, by_hand.loss_and_grad(x[rows], y[rows])[1])
    assert np.array_equal(by_fit.theta, by_hand.theta)
    unordered, first = small(backend), small(backend)
    unordered.fit(x, y, drop_last=True, shuffle=False, **kwargs)
    first.fit(x[:16], y[:16], shuffle=False, **kwargs)
    assert np.array_equal(unordered.theta, first.theta)
    with pytest.raises(ValueError, match="`batch_size` must be at most the 19 sequences with `drop_last`, got 20"):
        small(backend).fit(x, y, batch_size=20, drop_last=True, verbose=False)


def test_epoch_is_the_naive_loop(backend):
    """fit against loss_and_grad and step by hand: same order of batches, same numbers to the bit."""
    x, y = sines(n=20)
    by_fit, by_hand = small(backend), small(backend)
    history = by_fit.fit(x, y, epochs=3, batch_size=8, optimizer=SGD(0.1), seed=5, verbose=False)
    optimizer, losses = SGD(0.1), []
    for epoch in range(3):
        order, total = np.random.default_rng([5, epoch]).permutation(20), 0.0
        for first in range(0, 20, 8):
            rows = order[first : first + 8]
            loss, grad = by_hand.loss_and_grad(x[rows], y[rows])
            optimizer.step(by_hand, grad)
            total += loss * len(rows)
        losses.append(total / 20)
    assert np.array_equal(by_fit.theta, by_hand.theta)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)


def test_unequal_sequences_weights_and_irregular_time(backend):
    rng = np.random.default_rng(0)
    lengths = [5, 3, 7, 1]
    xs = [rng.normal(size=(n, 2)) for n in lengths]
    ys = [rng.normal(size=(n, 3)) for n in lengths]
    dts = [rng.uniform(0.1, 2, n) for n in lengths]
    kwargs = {"epochs": 2, "batch_size": 3, "shuffle": False, "verbose": False, "seed": 0}
    model = LTCRNN(AutoNCP(8, 3), 2, seed=0, backend=backend)
    model.fit(xs, ys, dt=dts, **kwargs)
    padded = LTCRNN(AutoNCP(8, 3), 2, seed=0, backend=backend)
    x, y, dt = np.full((4, 7, 2), np.nan), np.full((4, 7, 3), np.nan), np.full((4, 7), np.nan)
    for b, n in enumerate(lengths):
        x[b, :n], y[b, :n], dt[b, :n] = xs[b], ys[b], dts[b]
    padded.fit(x, y, dt=dt, lengths=lengths, **kwargs)
    assert np.array_equal(model.theta, padded.theta)
    assert model.evaluate(xs, ys, dt=dts)["loss"] == pytest.approx(
        sum(((model(a, dt=d) - b) ** 2).sum() for a, b, d in zip(xs, ys, dts, strict=True)) / (16 * 3), rel=1e-5
    )
    classes = LTCRNN(AutoNCP(8, 3), 2, seed=0, return_sequences=False, backend=backend)
    history = classes.fit(xs, [0, 2, 1, 2], loss="cross_entropy", metrics=["accuracy", "f1"], **kwargs)
    assert set(history) == {"loss", "accuracy", "f1"}


def test_lists_and_padded_arrays_go_together():
    """x may be one and y the other."""
    rng, lengths = np.random.default_rng(0), [5, 3, 7, 1]
    xs, ys = ([rng.normal(size=(n, I)) for n in lengths] for I in (2, 3))
    (x, _), (y, _) = pad(xs), pad(ys, value=np.nan)
    wide = np.pad(x, ((0, 0), (0, 2), (0, 0)))  # padding that no sequence needs
    forms = [(xs, ys, {}), (xs, y, {}), (x, ys, {"lengths": lengths}), (x, y, {"lengths": lengths})]
    forms += [(wide, ys, {"lengths": np.array(lengths)}), (wide, tuple(ys), {"lengths": lengths})]
    thetas = []
    for inputs, targets, options in forms:
        model = LTCRNN(AutoNCP(8, 3), input_dim=2, seed=0)
        model.fit(inputs, targets, **options, batch_size=3, seed=0, verbose=False)
        thetas.append(model.theta.tobytes())
    assert len(set(thetas)) == 1
    model = LTCRNN(AutoNCP(8, 3), input_dim=2, seed=0)
    for inputs, targets, options, words in (
        (x, ys[:3], {"lengths": lengths}, "`y` must be a list of 4 sequences as x is, got list of 3"),
        (x, ys, {"lengths": [5, 3, 6, 1]}, r"`y\[2\]` must have the 6 steps of x\[2\], got 7"),
        (x, ys, {}, "`y` must be .*, got a ragged list"),
        (xs, y[:, :5], {}, "`y` must be a list of 4 sequences as x is, got ndarray of 4|must have the 3 steps"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(inputs, targets, **options, verbose=False)


def test_inputs_may_be_bools(backend):
    rng = np.random.default_rng(0)
    events, y = rng.random((4, 5, 1)) < 0.5, rng.normal(size=(4, 5, 1))
    models = small(backend), small(backend)
    for model, x in zip(models, (events, events.astype(float)), strict=True):
        model.fit(x, y, seed=0, verbose=False)
    model, as_numbers = models[0], events.astype(np.float32)
    assert np.array_equal(models[0].theta, models[1].theta)
    assert np.array_equal(model(events), model(as_numbers))
    assert np.array_equal(model.predict(list(events))[1], model.predict(list(as_numbers))[1])
    assert np.array_equal(model.step(events[0, 0])[0], model.step(as_numbers[0, 0])[0])
    with pytest.raises(TypeError, match="`dt` must be real numbers .*, got dtype bool"):
        model(as_numbers, dt=events[..., 0])


def test_a_generator_is_a_seed():
    """It gives another one every time, the same as long as it is in the same state."""
    x, y = sines(n=6, T=5)
    wirings = [AutoNCP(8, 1, seed=np.random.default_rng(5)) for _ in range(2)]
    assert wirings[0] == wirings[1] != AutoNCP(8, 1, seed=np.random.default_rng(6))
    thetas = []
    for rng in (np.random.default_rng(0), np.random.default_rng(0), np.random.default_rng(1)):
        for _ in range(2):
            model = LTCRNN(wirings[0], input_dim=1, seed=rng)
            first = model.theta.tobytes()
            model.fit(x, y, batch_size=2, seed=rng, verbose=False)
            thetas.append((first, model.theta.tobytes()))
    assert thetas[:2] == thetas[2:4] and len({theta for pair in thetas for theta in pair}) == 8


@pytest.mark.parametrize("return_sequences", [True, False])
def test_batches_end_with_their_longest_sequence(return_sequences, backend, monkeypatch):
    """An LSTM would go through the padding of the others as well, with the same result; losses of one's own see it."""
    rng, T, lengths = np.random.default_rng(0), 9, np.array([3, 1, 6, 5, 0, 0, 2])
    shape = (7, T) if return_sequences else (7,)
    x, y, dt, weight = (rng.uniform(0.1, 2, s) for s in ((7, T, 2), (*shape, 3), (7, T), shape))
    forward, seen = HostEngine.forward, []

    def new():
        layers = MixedMemory(LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2)), LSTM(3, input_dim=3)
        return Model(*layers, seed=0, dtype="float64", backend=backend, return_sequences=return_sequences)

    def watched(self, prepared, sequences, *args):
        assert sequences.x.shape[:2] == sequences.dt.shape == sequences.valid.shape
        seen.append(sequences.x.shape[1])
        return forward(self, prepared, sequences, *args)

    by_fit, by_hand, optimizer = new(), new(), SGD(0.1)
    options = {"batch_size": 2, "shuffle": False, "optimizer": SGD(0.1), "verbose": False}
    with monkeypatch.context() as patch:
        patch.setattr(HostEngine, "forward", watched)
        by_fit.fit(x, y, dt=dt, lengths=lengths, sample_weight=weight, metrics=["mae"], **options)
        assert seen == [3, 6, 2, 3]  # none for [0, 0]; the first again, to look at the last step's loss
        seen.clear()
        measured = by_fit.evaluate(x, y, dt=dt, lengths=lengths, sample_weight=weight, batch_size=2)["loss"]
        assert seen == [3, 6, 2]
    for rows in ([0, 1], [2, 3], [6]):
        part = {"lengths": lengths[rows], "sample_weight": weight[rows]}
        _, gradient = by_hand.loss_and_grad(x[rows], y[rows], dt=dt[rows], **part)
        optimizer.step(by_hand, gradient)
    np.testing.assert_allclose(by_fit.theta, by_hand.theta, rtol=0, atol=1e-13)
    loss, _ = by_hand.loss_and_grad(x, y, dt=dt, lengths=lengths, sample_weight=weight)
    assert measured == pytest.approx(loss, rel=1e-12)
    shapes = []

    def own(outputs, target):
        shapes.append(outputs.shape)
        return float(np.mean((outputs - target) ** 2)), 2 * (outputs - target) / outputs.size

    by_fit.fit(x, y, dt=dt, lengths=lengths, loss=own, **options)
    assert {s[1] for s in shapes} == {T if return_sequences else 3}


def test_a_batch_without_weight_is_passed_over(backend):
    x, y = sines(n=6)
    weights = np.array([1.0, 1, 0, 0, 1, 1])
    model, without = small(backend), small(backend)
    kwargs = {"epochs": 2, "batch_size": 2, "shuffle": False, "verbose": False}
    model.fit(x, y, sample_weight=weights, **kwargs)
    without.fit(x[[0, 1, 4, 5]], y[[0, 1, 4, 5]], **kwargs)
    assert np.abs(model.theta - without.theta).max() < 1e-5


def test_best_weights_are_kept_and_can_be_declined():
    x, y = sines()
    grows = {"epochs": 6, "optimizer": SGD(0.1), "validation_data": (x, -y), "seed": 0, "verbose": False}
    kept, last = small(), small()
    history = kept.fit(x, y, **grows)  # learning y makes -y worse, so an early epoch is the best
    last.fit(x, y, keep_best=False, **{**grows, "optimizer": SGD(0.1)})
    assert history.best_epoch == int(np.argmin(history["val_loss"])) < 5
    assert kept.evaluate(x, -y)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)
    assert last.evaluate(x, -y)["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)


def test_validation_every():
    history = small().fit(*sines(), epochs=5, validation_data=sines(seed=1), validation_every=2, verbose=False)
    assert history.val_epoch == [1, 3, 4]
    assert len(history["val_loss"]) == 3


def test_early_stopping_callbacks_and_functions():
    x, y = sines()
    seen = []
    history = small().fit(
        x, y, epochs=50, optimizer=SGD(0.1), validation_data=(x, -y), verbose=False, seed=0,
        callbacks=[EarlyStopping(3), lambda epoch, logs: seen.append((epoch, set(logs)))],
    )  # fmt: skip
    assert len(history.epoch) == history.best_epoch + 1 + 3 < 50
    assert history.stopped == f"stopped by EarlyStopping after {len(history.epoch)} epochs"
    assert seen[0] == (0, {"loss", "val_loss"})
    history = small().fit(x, y, epochs=50, verbose=False, callbacks=lambda epoch, logs: epoch == 1)
    assert len(history.epoch) == 2
    with pytest.raises(ValueError, match="`monitor` must be one of loss"):
        small().fit(x, y, verbose=False, callbacks=EarlyStopping(1, monitor="val_loss"))

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
    small().fit(x, y, epochs=2, batch_size=16, verbose=False, callbacks=steps)
    assert steps.steps == tuple(range(6))
    assert steps.ends == 1


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_interrupted_and_resumed_training_has_the_same_bits(optimizer, tmp_path, backend):
    x, y = sines()
    kwargs = {"batch_size": 8, "seed": 3, "verbose": False, "clip_norm": 0.5}
    layers = LTC(AutoNCP(8, 2), input_dim=1), Dense(1, input_dim=2)
    whole, part = Model(*layers, seed=0, backend=backend), Model(*layers, seed=0, backend=backend)
    whole.fit(x, y, epochs=4, optimizer=optimizer(CosineDecay(0.01, 20)), **kwargs)
    part.fit(
        x,
        y,
        epochs=2,
        optimizer=optimizer(CosineDecay(0.01, 20)),
        callbacks=Checkpoint(tmp_path / "{epoch}.npz"),
        **kwargs,
    )
    again = optimizer(CosineDecay(0.01, 20))
    resumed = load(tmp_path / "2.npz", backend=backend, optimizer=again)
    resumed.fit(x, y, epochs=4, initial_epoch=2, optimizer=again, **kwargs)
    assert np.array_equal(resumed.theta, whole.theta)
    assert (tmp_path / "1.npz").exists()


def test_training_has_the_same_bits_for_any_number_of_threads():
    x, y = sines(n=128, T=60)
    thetas = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        model = LTCRNN(AutoNCP(24, 1), 1, seed=0)
        model.fit(x, y, epochs=2, batch_size=128, seed=0, verbose=False)
        thetas.append(model.theta.copy())
    set_num_threads(None)
    assert np.array_equal(thetas[0], thetas[1])
    assert np.array_equal(thetas[0], thetas[2])


def test_a_loss_that_is_not_finite_stops_with_the_last_good_parameters(backend):
    x, y = sines()
    model = small(backend)
    good = []

    class Watch(Callback):
        def on_batch_end(self, step, logs):
            good.append(self.model.theta.copy())

    def explode(y, target):
        d_y = y - target
        return (np.nan if len(good) == 3 else float((d_y**2).sum())), d_y

    with pytest.raises(FloatingPointError, match=r"loss nan with gradient norm .* at step 3 \(epoch 0, batch 3\)"):
        model.fit(x, y, loss=explode, batch_size=8, callbacks=Watch(), verbose=False, optimizer=SGD(0.01))
    # The step before the NaN led to it; the parameters with the last finite loss are those before that step.
    assert np.array_equal(model.theta, good[1])


def test_a_last_step_that_diverges_is_seen(backend):
    x, y = sines()
    for options in ({}, {"validation_data": sines(seed=1)}):
        model = small(backend)
        before = model.theta.copy()
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="nan|inf"):
            model.fit(x, y, batch_size=40, optimizer=SGD(1e30), verbose=False, **options)
        assert np.array_equal(model.theta, before)


@pytest.mark.filterwarnings("ignore:ltc_np. .y. has mean")
def test_what_is_not_finite_before_any_step_is_not_blamed_on_the_learning_rate():
    x, y = sines(n=6, T=5)
    model = Model(Dense(1, input_dim=1), seed=0)
    words = "loss inf .*; no step has been made yet, so the forward pass or the loss overflows .*: take inputs"
    with pytest.raises(FloatingPointError, match=words) as error, np.errstate(over="ignore"):
        model.fit(x, np.full_like(y, 1e30), verbose=False)
    assert "learning rate" not in str(error.value)
    with pytest.raises(FloatingPointError, match="learning rate"), np.errstate(all="ignore"):
        model.fit(x, y, batch_size=2, optimizer=SGD(1e25), verbose=False)


def test_divergence_is_seen_behind_empty_sequences_and_in_the_loss_alone():
    x, y = sines(n=6, T=5)
    model = small()
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="after the last step"):
        model.fit(x, y, lengths=[0, 0, 5, 5, 0, 0], batch_size=2, shuffle=False, optimizer=SGD(1e38), verbose=False)
    assert np.isfinite(model(x)).all()
    dense = Model(Dense(1, input_dim=1), seed=0)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="loss inf"):
        dense.fit(x, y, optimizer=SGD(1e25), verbose=False)
    large = Model(Dense(1, input_dim=1), seed=0)  # a mean absolute error stays finite
    history = large.fit(x, y, optimizer=SGD(1e25), loss="mae", validation_data=(x, y), verbose=False)
    assert history.best_epoch == 0


def test_batches_without_class_weight_count_in_metrics():
    x, labels = np.zeros((6, 5, 2)), np.repeat([[0], [1]], 3, axis=0) * np.ones((1, 5), int)
    found = []
    for batch_size in (3, 6):
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0)
        options = {"loss": "cross_entropy", "class_weight": [1, 0], "metrics": ["accuracy"], "verbose": False}
        found.append(model.fit(x, labels, batch_size=batch_size, shuffle=False, optimizer=SGD(1e-30), **options))
    assert found[0]["accuracy"] == found[1]["accuracy"] == [0.5]


def test_best_of_another_training_is_forgotten():
    x, y = sines()
    model = small()
    model.fit(x, y, epochs=3, validation_data=(x, y), verbose=False, seed=0)
    words = "best weights so far, those of epoch 2, are forgotten: they have the min val_loss with the loss mse, and"
    with pytest.warns(RuntimeWarning, match=words):
        history = model.fit(x, y, epochs=5, initial_epoch=3, loss="mae", validation_data=(x, y), verbose=False, seed=0)
    assert history.best_epoch >= 3
    assert model.best.loss == "mae"
    with pytest.warns(RuntimeWarning, match="what is monitored now is nothing"):
        model.fit(x, y, epochs=6, initial_epoch=5, loss="mae", verbose=False, seed=0)
    assert model.best is None


def test_truth_alone_does_not_stop_training():
    seen = {}
    history = small().fit(*sines(), epochs=3, verbose=False, callbacks=lambda e, logs: seen.setdefault(e, logs["loss"]))
    assert len(history.epoch) == len(seen) == 3


def test_classes_without_weight_and_no_weight_at_all(backend):
    x, labels = np.zeros((20, 6, 2)), np.zeros((20, 6), int)
    labels[10:] = 1
    model = LTCRNN(AutoNCP(8, 2), 2, seed=0, backend=backend)
    options = {"loss": "cross_entropy", "batch_size": 5, "shuffle": False, "verbose": False}
    assert len(model.fit(x, labels, class_weight=[0, 1], **options)["loss"]) == 1
    with pytest.raises(ValueError, match="must not be 0 for every valid element"):
        model.fit(x, labels, sample_weight=np.zeros(20), **options)


def test_own_loss_counts_for_its_outputs():
    x, y = sines(n=20)
    model = small()

    def mean_square(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    want = model.evaluate(x, y)["loss"]
    for batch_size in (16, 20, 7):
        assert model.evaluate(x, y, loss=mean_square, batch_size=batch_size)["loss"] == pytest.approx(want, rel=1e-6)
    assert small().fit(x, y, loss=mean_square, batch_size=7, optimizer=SGD(1e-9), verbose=False)["loss"][
        0
    ] == pytest.approx(want, rel=1e-4)


def test_metrics_begin_anew_and_have_different_names():
    x, y = sines()
    used = metrics.get("mse")
    used.update(np.ones((3, 1)), np.zeros((3, 1)))
    assert small().evaluate(x, y, metrics=[used])["mse"] == pytest.approx(small().evaluate(x, y)["loss"], rel=1e-5)
    with pytest.raises(ValueError, match="`metrics` must have different names"):
        small().evaluate(x, y, metrics=["mse", "mse"])


def test_metrics_are_those_of_one_epoch_and_of_no_padding():
    """The mean square is also the loss: of each epoch, and of what `evaluate` is shown."""
    x, y = sines(n=6, T=8)
    lengths = [8, 3, 5, 1, 8, 2]
    model = small("numpy")
    history = model.fit(
        x, y, lengths=lengths, epochs=3, batch_size=6, optimizer=SGD(0.1), metrics=["mse"], seed=0, verbose=False
    )  # fmt: skip
    assert history["mse"] == pytest.approx(history["loss"], rel=1e-5)
    assert history["mse"][2] < 0.99 * history["mse"][0]
    found = model.evaluate(x, y, lengths=lengths, metrics=["mse"], batch_size=4)
    assert found["mse"] == pytest.approx(found["loss"], rel=1e-5)


def test_resuming_remembers_the_best_weights(tmp_path):
    x, y = sines()
    options = {"batch_size": 8, "seed": 3, "verbose": False, "validation_data": (x, -y)}
    whole, part = small(), small()
    history = whole.fit(x, y, epochs=6, optimizer=Adam(0.01), **options)
    part.fit(x, y, epochs=4, optimizer=Adam(0.01), callbacks=Checkpoint(tmp_path / "c.npz"), **options)
    optimizer = Adam(0.01)
    resumed = load(tmp_path / "c.npz", optimizer=optimizer)
    again = resumed.fit(x, y, epochs=6, initial_epoch=4, optimizer=optimizer, **options)
    assert history.best_epoch == again.best_epoch < 4
    assert np.array_equal(whole.theta, resumed.theta)


class Steps(Callback):
    """Remembers the steps of a training."""

    def __init__(self):
        self.steps = []

    def on_batch_end(self, step, logs):
        self.steps.append(step)


def ragged(T=11, n=5, dtype="float64", backend="auto"):
    """A stack of two layers, irregular data for it, and options of a training without surprises."""
    rng = np.random.default_rng(4)
    data = {"x": rng.normal(size=(n, T, 2)), "y": rng.normal(size=(n, T, 3)), "dt": rng.uniform(0.1, 2, (n, T))}
    lengths = np.array([T, 3, 0, T - 1, 5])[:n]
    model = Model(LTC(AutoNCP(8, 4), input_dim=2), Dense(3), seed=0, dtype=dtype, backend=backend)
    return model, data, lengths


def chunks_by_hand(model, data, lengths, order, batch_size, K, optimizer, clip_norm, weight=None):
    """One epoch as a plain loop over public calls; the mean loss."""
    total = weights = 0.0
    for first in range(0, len(order), batch_size):
        rows, h0 = order[first : first + batch_size], None
        for a in range(0, data["x"].shape[1], K):
            x, y, dt = (data[name][rows, a : a + K] for name in ("x", "y", "dt"))
            left = np.minimum(np.maximum(lengths[rows] - a, 0), x.shape[1])
            if not left.any():
                break
            w = None if weight is None else weight[rows, a : a + K]
            counts = np.where(np.arange(x.shape[1]) < left[:, None], 1.0 if w is None else w, 0.0)
            _, state = model(x, dt=dt, lengths=left, h0=h0, return_state=True)
            if counts.any():
                loss, grad = model.loss_and_grad(x, y, dt=dt, lengths=left, h0=h0, sample_weight=w)
                clip_by_global_norm(grad, clip_norm)
                optimizer.step(model, grad)
                total += loss * counts.sum()
                weights += counts.sum()
            h0 = state
    return total / weights


@pytest.mark.parametrize("K", [1, 4, 10])
def test_chunks_are_the_naive_loop(K, backend):
    """Same states, gradients and steps as the loop over `loss_and_grad` with h0, to the bit."""
    by_fit, data, lengths = ragged(backend=backend)
    by_hand, _, _ = ragged(backend=backend)
    history = by_fit.fit(
        **data, lengths=lengths, tbptt=K, epochs=2, batch_size=2, optimizer=Adam(0.01), clip_norm=0.1, seed=3,
        verbose=False,
    )  # fmt: skip
    optimizer, losses = Adam(0.01), []
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(5)
        losses.append(chunks_by_hand(by_hand, data, lengths, order, 2, K, optimizer, 0.1))
    assert np.array_equal(by_fit.theta, by_hand.theta)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)  # sums in another order
    whole, _, _ = ragged(backend=backend)
    whole.fit(**data, lengths=lengths, epochs=2, batch_size=2, optimizer=Adam(0.01), seed=3, verbose=False)
    assert not np.array_equal(whole.theta, by_hand.theta)


def test_chunks_without_weight_carry_the_state(backend):
    """Warming up, a pause, and nothing at the end: steps are made where something weighs, from the right states."""
    weight = np.zeros((5, 11))
    weight[:, 3:6] = 1.0
    weight[[0, 3], 8:10] = 2.0
    by_fit, data, _ = ragged(backend=backend)
    by_hand, _, _ = ragged(backend=backend)
    lengths, steps = np.array([11, 8, 9, 10, 11]), Steps()
    history = by_fit.fit(
        **data, lengths=lengths, sample_weight=weight, tbptt=2, batch_size=5, optimizer=SGD(0.1), shuffle=False,
        verbose=False, callbacks=steps,
    )  # fmt: skip
    loss = chunks_by_hand(by_hand, data, lengths, np.arange(5), 5, 2, SGD(0.1), 1e9, weight)
    assert steps.steps == [1, 2, 4]
    assert np.abs(by_fit.theta - by_hand.theta).max() < 1e-14  # weights are scaled by a power of two
    assert history["loss"][0] == pytest.approx(loss, rel=1e-12)
    without, _, _ = ragged(backend=backend)  # the state of the first chunk matters
    later = {name: values[:, 2:] for name, values in data.items()}
    chunks_by_hand(without, later, lengths - 2, np.arange(5), 5, 2, SGD(0.1), 1e9, weight[:, 2:])
    assert np.abs(by_fit.theta - without.theta).max() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("K", [11, 100])
def test_one_chunk_is_the_whole_sequence(K, backend):
    def own(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    _, data, lengths = ragged()
    weight = np.random.default_rng(0).uniform(0, 1, (5, 11))
    for more in (
        {},
        {"lengths": lengths},
        {"lengths": lengths, "sample_weight": weight, "metrics": ["mae"]},
        {"lengths": lengths, "loss": own, "metrics": ["r2"], "validation_data": (data["x"], data["y"])},
    ):
        results = []
        for tbptt in (None, K):
            model, _, _ = ragged(dtype="float32", backend=backend)
            steps = Steps()
            history = model.fit(
                **data, **more, tbptt=tbptt, epochs=3, batch_size=2, seed=1, verbose=False, callbacks=steps
            )
            results.append((model.theta.tobytes(), dict(history), steps.steps))
        assert results[0] == results[1]


def test_loss_and_metrics_of_chunks_are_those_of_all_steps(backend):
    """With a learning rate of next to nothing an epoch measures what `evaluate` does."""

    def own(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    model, data, lengths = ragged(backend=backend)
    weight = np.random.default_rng(0).choice([0.0, 0.5, 2.0], (5, 11))
    for more in (
        {"lengths": lengths, "metrics": ["mae", "r2"]},
        {"lengths": lengths, "sample_weight": weight, "metrics": ["mse"]},
        {"loss": own},
    ):
        history = model.fit(**data, **more, tbptt=3, batch_size=2, optimizer=SGD(1e-30), verbose=False)
        for name, value in model.evaluate(**data, **more).items():
            assert history[name] == pytest.approx([value], rel=1e-12)


def test_steps_of_chunks_end_with_the_sequences(monkeypatch):
    x, y = sines(n=6, T=10)
    model, steps, forward, calls = small(), Steps(), HostEngine.forward, []

    def counted(self, *args):
        calls.append(args[1].x.shape)
        return forward(self, *args)

    monkeypatch.setattr(HostEngine, "forward", counted)
    model.fit(
        x, y, lengths=[10, 3, 4, 2, 0, 7], tbptt=4, batch_size=2, epochs=2, shuffle=False, verbose=False,
        callbacks=steps,
    )  # fmt: skip
    first = [0, 1, 2, 3, 6, 7]  # three chunks a batch: all, one of the second, two of the third
    assert steps.steps == first + [step + 9 for step in first]
    assert calls == [(2, 4, 1), (2, 4, 1), (2, 2, 1), (2, 4, 1), (2, 4, 1), (2, 3, 1)] * 2 + [(2, 4, 1)]


def test_every_chunk_drops_its_own():
    seen = []

    def loss(y, target):
        seen.append(np.abs(y) > 1e-6)  # the bias moves by less
        return float(y.sum()), np.ones_like(y)

    model = Model(Dropout(0.5), Dense(1), input_dim=1, seed=0, backend="numpy")
    model.params["1.bias"] = 0
    x = np.ones((1, 60, 1))
    model.fit(x, x, tbptt=20, loss=loss, optimizer=SGD(1e-30), seed=0, verbose=False)
    masks = [mask.tobytes() for mask in seen if 0 < mask.sum() < mask.size]
    assert len(masks) == len(set(masks)) == 3


def test_chunks_without_class_weight_carry_the_state_and_count_in_metrics(backend):
    x, labels = np.random.default_rng(0).normal(size=(3, 6, 2)), np.ones((3, 6), int)
    labels[:, :3] = 0
    by_fit = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", backend=backend)
    by_hand = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", backend=backend)
    options = {"loss": "cross_entropy", "class_weight": [0, 1]}
    history = by_fit.fit(x, labels, tbptt=3, optimizer=SGD(0.1), metrics=["accuracy"], verbose=False, **options)
    y, state = by_hand(x[:, :3], return_state=True)
    right = [y.argmax(2) == 0, by_hand(x[:, 3:], h0=state).argmax(2) == 1]
    loss, grad = by_hand.loss_and_grad(x[:, 3:], labels[:, 3:], h0=state, **options)
    SGD(0.1).step(by_hand, grad)
    assert np.abs(by_fit.theta - by_hand.theta).max() < 1e-14  # sequences in another order
    assert history["loss"][0] == pytest.approx(loss, rel=1e-12)
    assert history["accuracy"][0] == np.mean(right)


def test_a_chunk_in_the_middle_without_class_weight_starts_from_the_state_before_it(backend):
    """Its forward pass runs twice, for want of a loss; the state may lie where the first of them wrote its own."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(3, 6, 2)), np.ones((3, 6), int)
    labels[:, 2:4] = 0
    options = {"loss": "cross_entropy", "class_weight": [0, 1]}
    by_fit, by_hand = (Model(CfC(2, input_dim=2), seed=0, dtype="float64", backend=backend) for _ in range(2))
    by_fit.fit(x, labels, tbptt=2, optimizer=SGD(0.5), shuffle=False, metrics=["accuracy"], verbose=False, **options)
    optimizer, state = SGD(0.5), None
    for first in (0, 2, 4):
        part = x[:, first : first + 2]
        _, after = by_hand(part, h0=state, return_state=True)
        if first != 2:
            _, grad = by_hand.loss_and_grad(part, labels[:, first : first + 2], h0=state, **options)
            optimizer.step(by_hand, grad)
        state = after
    np.testing.assert_allclose(by_fit.theta, by_hand.theta, rtol=0, atol=1e-14)  # the same sums, in BLAS


def test_resumed_training_in_chunks_has_the_same_bits(tmp_path, backend):
    _, data, lengths = ragged()
    options = {
        **data, "lengths": lengths, "tbptt": 3, "batch_size": 2, "seed": 3, "verbose": False, "clip_norm": 0.5,
        "validation_data": (data["x"], data["y"]),
    }  # fmt: skip
    whole, part, steps, later = ragged(backend=backend)[0], ragged(backend=backend)[0], Steps(), Steps()
    whole.fit(epochs=4, optimizer=Adam(CosineDecay(0.01, 40)), callbacks=steps, **options)
    optimizer = Adam(CosineDecay(0.01, 40))
    part.fit(epochs=2, optimizer=optimizer, callbacks=Checkpoint(tmp_path / "c.npz"), **options)
    again = Adam(CosineDecay(0.01, 40))
    resumed = load(tmp_path / "c.npz", backend=backend, optimizer=again)
    resumed.fit(epochs=4, initial_epoch=2, optimizer=again, callbacks=later, **options)
    assert np.array_equal(resumed.theta, whole.theta)
    assert later.steps == [step for step in steps.steps if step >= 2 * 3 * 4]


def test_the_memory_of_chunks_does_not_grow_with_the_sequences():
    def peak(T, tbptt):
        x = np.zeros((16, T, 1), np.float32)
        model = LTCRNN(AutoNCP(24, 1), 1, seed=0)
        model.fit(x, x, tbptt=tbptt, verbose=False)  # compiles what is missing
        tracemalloc.start()
        model.fit(x, x, tbptt=tbptt, verbose=False)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    tape = 16 * 6 * 24 * 4  # bytes a step: sequences, unfolds, neurons, a number
    data = 16 * 4
    assert peak(300, None) > 300 * tape
    # A checked copy of dt, and passing arrays of checks; in no way the 9 kB of a step's tape.
    assert peak(300, 20) - peak(100, 20) < 200 * 10 * data < 200 * tape / 10


def test_chunks_that_are_not_finite_are_named_and_the_last_step_is_looked_at(backend):
    x, y = sines(n=6, T=10)
    calls = []

    def explode(y, target):
        calls.append(y.shape)
        return (np.nan if len(calls) == 6 else 1.0), y - target

    with pytest.raises(FloatingPointError, match=r"at step 5 \(epoch 0, batch 1, chunk 2\)"):
        small(backend).fit(x, y, loss=explode, batch_size=3, tbptt=4, optimizer=SGD(1e-3), verbose=False)
    assert calls == [(3, 4, 1), (3, 4, 1), (3, 2, 1)] * 2
    good = []

    class Watch(Callback):
        def on_batch_end(self, step, logs):
            good.append(self.model.theta.copy())

    weight = np.ones((6, 10))
    weight[:, :4] = 0  # of what is looked at
    model = small(backend)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="after the last step"):
        model.fit(
            x, y, sample_weight=weight, tbptt=4, optimizer=SGD(lambda k: 1e30 if k else 1e-3), verbose=False,
            callbacks=Watch(),
        )  # fmt: skip
    assert len(good) == 2
    assert np.array_equal(model.theta, good[0])


def test_what_cannot_be_cut_into_chunks_is_refused():
    class Looks(Dense):
        causal = False

    x, y = sines()
    for K in (0, -1, 2.5, True, "4"):
        with pytest.raises(
            ValueError if type(K) is int else TypeError, match=f"`tbptt` must be an int >= 1, got {K!r}"
        ):
            small().fit(x, y, tbptt=K, verbose=False)
    with pytest.raises(ValueError, match="`tbptt` needs a model that gives an output at every step, got one of ret"):
        small(return_sequences=False).fit(x, y[:, -1], tbptt=4, verbose=False)
    with pytest.raises(
        ValueError, match=r"`tbptt` needs layers whose flag `causal` is True, got Looks\(1, input_dim=1\)"
    ):
        Model(LTC(AutoNCP(8, 1), input_dim=1), Looks(1), seed=0).fit(x, y, tbptt=4, verbose=False)
    with pytest.raises(
        ValueError, match=r"`y` must be \(B, T, ...\) = \(40, 12, ...\) with `tbptt`, got shape \(40, 3"
    ):
        small().fit(x, np.zeros((40, 3)), loss=lambda y, target: (0.0, 0 * y), tbptt=4, verbose=False)


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
    model = small()
    model.fit(x, y, epochs=2, validation_data=(x, -y), optimizer=SGD(0.1), verbose=False)
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


def test_one_metric_object_in_a_training_and_in_its_callbacks():
    class Largest(metrics.Metric):
        name = "largest"

        def reset(self):
            super().reset()
            self.errors = []

        def _add(self, y, target, weight):
            self.errors.append(np.abs(y - target).max())

        def _value(self):
            return max(self.errors)

    x, y = sines()
    used, results = [metrics.get("mse"), Largest()], []

    class Evaluates(Callback):
        def on_batch_end(self, step, logs):
            results.append(self.model.evaluate(x, 2 * y, metrics=used))

    options = {"epochs": 2, "batch_size": 16, "metrics": used, "seed": 0, "optimizer": SGD(1e-30), "verbose": False}
    model = small()
    nested, plain = model.fit(x, y, callbacks=Evaluates(), **options), small().fit(x, y, **options)
    assert nested == plain
    want = model.evaluate(x, y, metrics=["mse"])["mse"], np.abs(model(x) - y).max()
    assert (nested["mse"][1], nested["largest"][1]) == pytest.approx(want, rel=1e-6)  # float32
    want = model.evaluate(x, 2 * y, metrics=["mse"])["mse"], np.abs(model(x) - 2 * y).max()
    assert [(r["mse"], r["largest"]) for r in results] == [pytest.approx(want, rel=1e-6)] * 6


def test_progress_is_shown_plainly_without_tqdm_or_not_at_all(capfd, monkeypatch):
    x, y = sines()
    small().fit(x, y, epochs=2, verbose=False)
    assert capfd.readouterr() == ("", "")
    small().fit(x, y, epochs=2)
    assert "2/2" in capfd.readouterr().err
    real_import = builtins.__import__

    def no_tqdm(name, *args, **kwargs):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_tqdm)
    monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    small().fit(x, y, epochs=2)
    err = capfd.readouterr().err
    assert "epoch 2/2  loss 0." in err
    assert err.count("\n") <= 2


def loss(y, target):
    """A metric with a reserved name."""
    return 0.0


def test_bad_arguments():
    x, y = sines()
    for options, words in (
        ({"epochs": 0}, "`epochs` must be an int >= 1, got 0"),
        ({"epochs": 3, "initial_epoch": 3}, "`epochs` must be larger than `initial_epoch` = 3"),
        ({"shuffle": "yes"}, "`shuffle` must be a bool"),
        ({"verbose": "no"}, "`verbose` must be a bool, 0 .nothing., .*, got 'no'"),
        ({"verbose": 3}, "`verbose` must be a bool, 0 .nothing., .*, got 3"),
        ({"verbose": None}, "`verbose` must be a bool, 0 .nothing., .*, got None"),
        ({"batch_size": 2.5}, "`batch_size`"),
        ({"optimizer": "adamax"}, "`optimizer`"),
        ({"loss": "l3"}, "`loss`"),
        ({"metrics": ["auc"]}, "`metrics` must be one of accuracy, .*, got 'auc'"),
        ({"metrics": [3]}, "`metrics` must be one of accuracy, .*, got 3"),
        ({"metrics": [loss]}, "`metrics` must not be named loss"),
        ({"sample_weight": [1.0] * 39 + [1e-41]}, "`sample_weight` must be 0 or at least 1e-30 of the largest"),
        ({"clip_norm": -1}, "`clip_norm`"),
        ({"seed": "a"}, "`seed`"),
        ({"validation_data": (x,)}, r"`validation_data` must be \(x, y\), or a dict .*, got a tuple of 1$"),
        ({"validation_data": (x, y, np.ones(40))}, "got a tuple of 3: say in a dict what the third one is"),
        ({"validation_data": {"x": x, "z": y}}, "`validation_data` must be .*, got a dict with x, z"),
        ({"validation_data": {}}, "`validation_data` must be .*, got a dict with nothing"),
        ({"validation_data": 0.2}, "`validation_data` must be .*, got 0.2"),
        ({"validation_data": x}, "`validation_data` must be .*, got an array of shape"),
        ({"validation_data": (x, y[:3])}, "must have shape"),
        ({"callbacks": [3]}, "`callbacks` must be Callback objects or functions .epoch, logs., got 3"),
        ({"callbacks": 5}, "`callbacks` must be Callback objects or functions .epoch, logs., got 5"),
        ({"callbacks": EarlyStopping}, "`callbacks` must be .*, got <class .*; call the class"),
        ({"metrics": 5}, "`metrics` must be a sequence of names, functions and Metric objects, got 5"),
        ({"validation_every": 0}, "`validation_every`"),
        ({"l1": {"v": 1.0}}, "`l1` must name parameters"),
        ({"lengths": [3]}, "`lengths`"),
    ):
        model = small()
        before = model.theta.copy()
        with pytest.raises((ValueError, TypeError), match=words) as caught:
            model.fit(x, y, **({"verbose": False} | options))
        assert "\n" not in str(caught.value)
        assert np.array_equal(model.theta, before)
    for args, words in (
        ((x[0], y[0]), r"use x\[None\]|x\[None\] is a batch"),
        ((x, y[:, :5]), "must have shape"),
        ((list(x), list(y)[:3]), "`y` must be a list of 40"),
        (([x[0], x[1, :3]], [y[0], y[1]]), r"`y\[1\]` must have the 3 steps"),
        (([], []), "`x` must be"),
        (([x[0], x[1]], [y[0], np.zeros((12, 2))]), r"`y\[1\]` must be \(T, 1\)"),
        (([x[0], np.ma.array(x[1])], [y[0], y[1]]), r"`x\[1\]` must be a plain array|`x` must be a plain array"),
        (([x[0][:0]], [y[0][:0]]), "`x` must have at least one element"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            small().fit(*args, verbose=False)


def test_a_newcomer_s_mistakes_get_a_line():
    x, y = sines()
    with pytest.raises(TypeError, match=r"`path` must be a str or Path, got 3"):
        Checkpoint(3)
    with pytest.raises(TypeError, match=r"`callbacks` must be functions \(epoch, logs\), got .*too many positional"):
        small().fit(x, y, callbacks=[lambda epoch: None], verbose=False)
    small().fit(x, y, callbacks=print, verbose=False)
    flat = [x[0, :5, 0], x[1, :3, 0]]
    for call in (lambda: small().predict(flat), lambda: small().fit(flat, flat, verbose=False)):
        with pytest.raises(ValueError, match=r"`x` must be a list of \(T_i, I\) arrays, got one of shape \(5,\)"):
            call()


def test_a_loss_of_ones_own_weighs_batches_by_the_outputs_that_it_sees():
    """In `evaluate`, with unequal batches of ragged sequences: padding too, as in one batch of them all."""
    x, y = sines(n=5, T=6)
    lengths, model = np.array([6, 1, 2, 5, 3]), small()
    seen = []

    def own(outputs, target):
        value = float(np.mean((outputs - target) ** 2))
        seen.append(value)
        return value, 2 * (outputs - target) / outputs.size

    found = model.evaluate(x, y, lengths=lengths, loss=own, batch_size=2)["loss"]
    assert found == pytest.approx(np.average(seen, weights=[12, 12, 6]), rel=1e-6)
    assert found == pytest.approx(model.evaluate(x, y, lengths=lengths, loss=own)["loss"], rel=1e-6)


def test_divergence_leaves_the_last_good_parameters_not_the_best():
    """What is learned makes validation worse here, so that the best epoch is one of the first."""
    x, y = sines()
    model, optimizer = small(), SGD(0.05)

    def lift(epoch, logs):
        if epoch == 2:
            optimizer.lr = 1e18

    with pytest.raises(FloatingPointError, match="before the last step"):
        model.fit(x, y, epochs=9, optimizer=optimizer, validation_data=(x, -y), callbacks=lift, seed=0, verbose=False)
    assert model.best.epoch < 2
    assert np.isfinite(model.theta).all()
    assert not np.array_equal(model.theta, model.best.theta)


def test_the_best_of_an_epoch_that_is_trained_again_is_not_kept():
    x, y = sines()
    model = small()
    model.fit(x, y, epochs=3, validation_data=(x, y), optimizer=SGD(1e-3), seed=0, verbose=False)
    epoch = model.best.epoch
    model.best = model.best._replace(value=-1.0)
    options = {"validation_data": (x, y), "optimizer": SGD(1e-3), "seed": 0, "verbose": False}
    with pytest.warns(RuntimeWarning, match=f"`initial_epoch` is {epoch}, but the model has been trained for 3 epochs"):
        model.fit(x, y, epochs=epoch + 2, initial_epoch=epoch, **options)
    assert model.best.value > 0


# ------------------------------------------------------------------------------------------------- the best weights


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
        ({"monitor": "val_r2"}, "val_r2", np.argmax),
        ({"monitor": "val_mae"}, "val_mae", np.argmin),
        ({"monitor": "loss"}, "loss", np.argmin),
        ({"monitor": "r2"}, "r2", np.argmax),
        ({"monitor": "val_mean"}, "val_mean", np.argmax),
        ({"monitor": "val_mean", "monitor_mode": "min"}, "val_mean", np.argmin),
        ({"monitor": "val_falling", "monitor_mode": "max"}, "val_falling", np.argmax),
        ({"monitor": "val_falling", "monitor_mode": "min"}, "val_falling", np.argmin),
        ({"monitor_mode": "max"}, "val_loss", np.argmax),
        ({}, "val_loss", np.argmin),
    ],
)
def test_the_best_weights_are_those_of_what_is_monitored(options, name, best):
    x, y = sines()
    model, thetas = small(), []
    fitted = {"epochs": 6, "optimizer": SGD(0.3), "metrics": ["mae", "r2", Mean(), falling], "seed": 0}
    history = model.fit(
        x, y, validation_data=(x, 0.4 - y), callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
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
        small().fit(x, y, validation_data=(x, 0.4 - y), monitor=name, **options | {"optimizer": SGD(0.3)}).best_epoch
        for name in ("val_loss", "loss")
    }
    assert len(found) == 2


def test_what_cannot_be_monitored_is_refused():
    x, y = sines()
    model = small()
    before = model.theta.copy()
    for options, words in (
        ({"monitor": "val_loss"}, r"`monitor` must be one of loss, got 'val_loss' \(val_\* need `validation_data`\)"),
        ({"monitor": "acuracy", "metrics": "r2"}, "`monitor` must be one of loss, r2, got 'acuracy'"),
        ({"monitor": 3}, "`monitor` must be one of loss, got 3"),
        ({"monitor": "falling", "metrics": falling}, 'the mode must be "min" or "max" to monitor \'falling\', since'),
        ({"monitor_mode": "up"}, "`monitor_mode` must be one of 'auto', 'min', 'max', got 'up'"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(x, y, verbose=False, **options)
    assert np.array_equal(model.theta, before)


def test_of_equal_epochs_the_first_is_the_best():
    x, y = sines()
    model, thetas = small(), []

    def constant(y, target):
        return 0.5

    history = model.fit(
        x, y, epochs=3, optimizer=SGD(0.1), metrics=constant, monitor="constant", monitor_mode="max", verbose=False,
        callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
    )  # fmt: skip
    assert history.best_epoch == 0
    assert np.array_equal(model.theta, thetas[0])


def test_without_keep_best_a_resumed_training_forgets_the_best():
    """It ends with its last weights, and the best epoch is one of its own."""
    x, y = sines()
    model, thetas = small(), []
    model.fit(x, y, epochs=3, validation_data=(x, -y), optimizer=SGD(0.1), seed=0, verbose=False)
    assert model.best.epoch < 3
    history = model.fit(
        x, y, epochs=5, initial_epoch=3, validation_data=(x, -y), optimizer=SGD(0.1), keep_best=False, seed=0,
        verbose=False, callbacks=lambda epoch, logs: thetas.append(model.theta.copy()),
    )  # fmt: skip
    assert model.best is None
    assert history.best_epoch >= 3
    assert np.array_equal(model.theta, thetas[-1])


def test_a_validation_loss_that_is_not_finite_stops():
    x, y = sines()
    model = small()

    def own(outputs, target):
        bad = len(outputs) == 3  # a batch of the validation data
        return (np.inf if bad else float(np.mean((outputs - target) ** 2))), 2 * (outputs - target) / outputs.size

    with pytest.raises(FloatingPointError, match="^validation loss inf; the model keeps the parameters of before the"):
        model.fit(x, y, loss=own, validation_data=(x[:3], y[:3]), optimizer=SGD(0.1), epochs=2, verbose=False)
