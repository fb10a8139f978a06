"""fit and evaluate: what is learned, kept, reported, resumed and refused."""

import builtins
import sys

import numpy as np
import pytest
from support.sines import sines, small

from ltc_np import (
    L1L2,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Callback,
    Checkpoint,
    CosineDecay,
    Dense,
    EarlyStopping,
    Model,
    load,
    metrics,
    pad,
    set_num_threads,
)  # fmt: skip


@pytest.mark.slow
def test_it_learns_and_reports(backend):
    x, y = sines()
    model = small(backend)
    before = model.evaluate(x, y)["loss"]
    history = model.fit(
        x, y, epochs=30, batch_size=8, optimizer=Adam(0.02), metrics=["mae", "r2"], validation=sines(seed=1),
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
    resumed.fit(x, y, epochs=range(2, 4), optimizer=again, **kwargs)
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
        (
            {"epochs": range(3, 3)},
            r"`epochs` must be a number, or a range .* not empty, got range\(3, 3\)",
        ),
        ({"epochs": range(0, 4, 2)}, r"`epochs` must be .*, got range\(0, 4, 2\)"),
        ({"epochs": range(-1, 4)}, r"`epochs` must be .*, got range\(-1, 4\)"),
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
        ({"validation": (x,)}, r"`validation` must be a share in \(0, 1\), \(x, y\), or a dict .*, got a tuple of 1$"),
        ({"validation": (x, y, np.ones(40))}, "got a tuple of 3: say in a dict what the third one is"),
        ({"validation": {"x": x, "z": y}}, "`validation` must be .*, got a dict with x, z"),
        ({"validation": {}}, "`validation` must be .*, got a dict with nothing"),
        ({"validation": 1.2}, r"`validation` must be a finite number in \(0, 1\), got 1.2"),
        ({"validation": x}, "`validation` must be .*, got an array of shape"),
        ({"validation": (x, y[:3])}, "must have shape"),
        ({"callbacks": [3]}, "`callbacks` must be Callback objects or functions .epoch, logs., got 3"),
        ({"callbacks": 5}, "`callbacks` must be Callback objects or functions .epoch, logs., got 5"),
        ({"callbacks": EarlyStopping}, "`callbacks` must be .*, got <class .*; call the class"),
        ({"metrics": 5}, "`metrics` must be a sequence of names, functions and Metric objects, got 5"),
        ({"penalty": L1L2(l1={"v": 1.0})}, "`l1` must name parameters"),
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
