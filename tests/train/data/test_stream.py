"""Batches from iterators, iterables and functions of the epoch."""

import numpy as np
import pytest

from ltc_np import LTC, LTCRNN, SGD, AutoNCP, Batching, Callback, Checkpoint, Dense, Dropout, Model, load, losses
from ltc_np.train.data.stream import Stream, is_stream


def small(backend="auto", **options):
    return LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0, backend=backend, **options)


def made(epoch, batches=3):
    """(x, y) of other numbers of sequences and steps each time."""
    for k in range(batches):
        rng = np.random.default_rng([epoch, k])
        B, T = 2 + k, 3 + k
        yield rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 1))


class Steps(Callback):
    def __init__(self):
        self.steps = []

    def on_batch_end(self, step, logs):
        self.steps.append(step)


def test_every_batch_is_a_step(backend):
    by_fit, by_hand, steps = small(backend), small(backend), Steps()
    history = by_fit.fit(
        made, batch_size=Batching(steps_per_epoch=3), epochs=2, optimizer=SGD(0.1), metrics=["mae"], callbacks=steps,
        verbose=False,
    )  # fmt: skip
    optimizer, losses, errors = SGD(0.1), [], []
    for epoch in range(2):
        total = weight = error = 0
        for x, y in made(epoch):
            error += np.abs(by_hand(x) - y).sum()
            loss, grad = by_hand.loss_and_grad(x, y)
            optimizer.step(by_hand, grad)
            total, weight = total + loss * y.size, weight + y.size
        losses.append(total / weight)
        errors.append(error / weight)
    assert np.array_equal(by_fit.theta, by_hand.theta)
    assert history["loss"] == pytest.approx(losses, rel=1e-12) and set(history) == {"loss", "mae"}
    assert history["mae"] == pytest.approx(errors, rel=1e-6)  # of float32
    assert steps.steps == list(range(6))


class Again:
    """An iterable, which begins anew."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Sized(Again):
    def __len__(self):
        return len(self.batches)


def test_iterators_go_on_and_iterables_begin_anew():
    batches = [*made(0), *made(1)]
    forms = {
        "iterator": (iter(batches), 3, [0, 1, 2, 3, 4, 5]),
        "iterable": (Again(batches), 2, [0, 1, 0, 1]),
        "iterable with a len": (Sized(batches[:2]), None, [0, 1, 0, 1]),
        "function": (lambda epoch: batches[2 * epoch : 2 * epoch + 2], 2, [0, 1, 2, 3]),
        "function of a generator": (lambda epoch: (batches[k] for k in (epoch, 3)), 2, [0, 3, 1, 3]),
        "lists": (Sized([list(batch) for batch in batches[:1]]), None, [0, 0]),
        "dicts": (Again([{"x": x, "y": y, "dt": None} for x, y in batches]), 1, [0, 0]),
    }
    for name, (given, steps, taken) in forms.items():
        by_fit, by_hand, optimizer = small(), small(), SGD(0.1)
        by_fit.fit(given, batch_size=Batching(steps_per_epoch=steps), epochs=2, optimizer=SGD(0.1), verbose=False)
        for k in taken:
            optimizer.step(by_hand, by_hand.loss_and_grad(*batches[k])[1])
        assert np.array_equal(by_fit.theta, by_hand.theta), name


def test_dicts_say_what_else_there_is():
    rng = np.random.default_rng(0)
    batch = {
        "x": rng.normal(size=(4, 5, 2)),
        "y": rng.normal(size=(4, 5, 1)),
        "dt": rng.uniform(0, 1, (4, 5)),
        "lengths": [5, 3, 0, 2],
        "sample_weight": rng.uniform(0, 1, 4),
    }
    lists = {"x": [a[:n] for a, n in zip(batch["x"], (5, 3, 1, 2), strict=True)]}
    lists["y"] = [a[:n] for a, n in zip(batch["y"], (5, 3, 1, 2), strict=True)]
    for given in (batch, lists):
        by_stream, by_array = small(), small()
        options = {"optimizer": SGD(0.1), "verbose": False}
        by_stream.fit(Again([given]), batch_size=Batching(steps_per_epoch=1), **options)
        by_array.fit(**given, shuffle=False, **options)
        assert np.array_equal(by_stream.theta, by_array.theta)


def test_weights_of_batches_are_of_one_scale():
    """The reported loss is that of all batches by their weights, however small those of one are."""
    batches = [
        {"x": x, "y": y, "sample_weight": np.full(len(x), w)} for (x, y), w in zip(made(0), (1e-3, 1, 64), strict=True)
    ]
    model = small(dtype="float64")
    history = model.fit(Again(batches), batch_size=Batching(steps_per_epoch=3), optimizer=SGD(1e-30), verbose=False)
    parts = [(model.evaluate(b["x"], b["y"])["loss"], b["sample_weight"][0] * b["y"].size) for b in batches]
    assert history["loss"][0] == pytest.approx(sum(loss * w for loss, w in parts) / sum(w for _, w in parts), rel=1e-12)
    batches[1]["sample_weight"] = np.full(len(batches[1]["x"]), 1e12)  # which would be scaled, those of others not
    with pytest.raises(ValueError, match=r"batch 1 of epoch 0: `sample_weight` must be 0 or in \[1e-10, 1e10\]"):
        model.fit(Again(batches), batch_size=Batching(steps_per_epoch=3), verbose=False)


def test_resumed_training_has_the_same_bits(tmp_path):
    """With dropout, whose masks go by the number of the step."""

    def model():
        return Model(LTC(AutoNCP(8, 4), input_dim=2), Dropout(0.5), Dense(1), seed=0)

    held = next(made(9))
    options = {"batch_size": Batching(steps_per_epoch=3), "validation": held, "keep_best": False, "verbose": False}
    whole, part, steps = model(), model(), Steps()
    whole.fit(made, epochs=4, seed=5, optimizer=SGD(0.1), **options)
    part.fit(made, epochs=2, seed=5, optimizer=SGD(0.1), callbacks=Checkpoint(tmp_path / "m.npz"), **options)
    resumed = load(tmp_path / "m.npz")
    resumed.fit(made, epochs=range(2, 4), optimizer=SGD(0.1), callbacks=steps, **options)
    assert np.array_equal(resumed.theta, whole.theta)
    assert steps.steps == list(range(6, 12))


def test_best_weights_and_divergence():
    held = next(made(9))
    model = small()
    history = model.fit(
        made, batch_size=Batching(steps_per_epoch=3), epochs=4, validation=held, optimizer=SGD(0.5), verbose=False
    )
    assert model.evaluate(*held)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)
    with pytest.raises(FloatingPointError, match="after the last step"), np.errstate(all="ignore"):
        small().fit(
            Again(list(made(0))[:1]), batch_size=Batching(steps_per_epoch=1), optimizer=SGD(1e30), verbose=False
        )


def test_batches_without_a_target_are_passed_over():
    x, y = next(made(0))
    nothing = np.full_like(y, np.nan)
    by_stream, without = small(), small()
    options = {"missing": "ignore", "optimizer": SGD(0.1), "verbose": False}
    by_stream.fit(Again([(x, nothing), (x, y)]), batch_size=Batching(steps_per_epoch=2), **options)
    without.fit(Again([(x, y)]), batch_size=Batching(steps_per_epoch=1), **options)
    assert np.array_equal(by_stream.theta, without.theta)


def test_each_batch_is_checked():
    x, y = next(made(0))
    good = x, y
    for batch, error, words in (
        ((x, y[:1]), ValueError, "`x`, batch 1 of epoch 0: `y` of mse must have shape"),
        ((x * np.nan, y), ValueError, "`x`, batch 1 of epoch 0: `x` must be finite .*forward_fill"),
        ((x, y, None), ValueError, r"`x`, batch 1 of epoch 0: a batch must be \(x, y\), .*, got a tuple of 3"),
        (x, TypeError, r"a batch must be \(x, y\), .*, got an array of shape \(2, 3, 2\)$"),
        ({"x": x}, ValueError, "a batch must be .*, got a dict with x$"),
        ({"x": x, "y": y, "z": 1}, ValueError, "a batch must be .*, got a dict with x, y, z"),
        (("a", y), TypeError, "`x`, batch 1 of epoch 0: `x` must be"),
        (None, TypeError, "a batch must be .*, got None$"),
    ):
        model = small()
        with pytest.raises(error, match=words) as caught:
            model.fit(Again([good, batch]), batch_size=Batching(steps_per_epoch=2), verbose=False)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="`x` must give `steps_per_epoch` = 4 batches an epoch, got 3 in epoch 0$"):
        small().fit(made, batch_size=Batching(steps_per_epoch=4), verbose=False)
    once = r"got 1 in epoch 1; an iterator can be gone through once: give a function of the epoch"
    with pytest.raises(ValueError, match=once):
        small().fit(iter(list(made(0))), batch_size=Batching(steps_per_epoch=2), epochs=2, verbose=False)


def test_functions_must_take_the_epoch_and_return_batches():
    for given, words in (
        (lambda: [], "`x` must be a function of the epoch, .* got <function .*: too many positional"),
        (lambda a, b: [], "`x` must be a function of the epoch, .* got <function .*: missing a required"),
        (lambda epoch: None, "`x` must return the batches of an epoch, got NoneType None for epoch 0"),
        (len, "`x` must be a function of the epoch|has no len"),
    ):
        with pytest.raises(TypeError, match=words):
            small().fit(given, batch_size=Batching(steps_per_epoch=1), verbose=False)


def test_metrics_are_checked_with_the_first_batch():
    model, classes = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0), np.zeros((2, 3, 2))
    before = model.theta.copy()
    x, _ = next(made(0))
    with pytest.raises(ValueError, match="batch 0 of epoch 0"):
        model.fit(
            Again([(x, classes + 1.3)]), batch_size=Batching(steps_per_epoch=1), metrics=["roc_auc"], verbose=False
        )
    assert np.array_equal(model.theta, before)


def test_the_scale_of_the_first_batch_is_looked_at():
    x, y = next(made(0))
    with pytest.warns(RuntimeWarning, match="`x` .* has mean .*: make the model with Standardize"):
        small().fit(Again([(x + 100, y)] * 2), batch_size=Batching(steps_per_epoch=2), epochs=2, verbose=False)


def test_only_the_first_batch_is_looked_at():
    """Metrics are shown zeros then, and would begin anew in the middle of an epoch."""
    seen, batches = [], list(made(0))
    source = Stream(small("numpy"), batches, None, losses.get("mse"), "error", seen.append)
    for epoch in range(2):
        assert [drawn.data.count for drawn in source.epoch(epoch, None)] == [2, 3, 4]
    assert [data.count for data in seen] == [2]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"y": np.ones(3)}, ValueError, r"`y` must be left out where `x` gives batches, .*: a batch is \(x, y\) or"),
        ({"dt": 1.0}, ValueError, "`dt` must be left out .*, got 1.0: a batch is .*, which may have dt"),
        ({"lengths": [1]}, ValueError, "`lengths` must be left out"),
        ({"sample_weight": [1]}, ValueError, "`sample_weight` must be left out"),
        ({"tbptt": 2}, ValueError, "`tbptt` must be left out where `x` gives batches, got 2$"),
        ({"validation": 0.2}, ValueError, "`validation` must be left out .*, got 0.2$"),
        ({"batch_size": Batching(drop_last=True)}, ValueError, "`Batching.drop_last` must be left out .*, got True"),
        ({"batch_size": Batching(group_by_length=True)}, ValueError, "`Batching.group_by_length` must be left out"),
        ({"class_weight": "balanced", "loss": "cross_entropy"}, ValueError, "`class_weight` must be numbers"),
        ({"batch_size": Batching()}, ValueError, "`steps_per_epoch` must be given .*, got None"),
    ],
)
def test_what_is_for_whole_data_is_refused(options, error, words):
    with pytest.raises(error, match=words):
        small().fit(made, **({"batch_size": Batching(steps_per_epoch=3), "verbose": False} | options))


def test_arrays_are_no_batches():
    x, y = next(made(0))
    with pytest.raises(ValueError, match="`steps_per_epoch` is for an `x` that gives batches, got 3"):
        small().fit(x, y, batch_size=Batching(steps_per_epoch=3), verbose=False)
    with pytest.raises(ValueError, match="got 1; a list is data: of batches give `lambda epoch: batches`"):
        small().fit([(x, y)], batch_size=Batching(steps_per_epoch=1), verbose=False)
    with pytest.raises(TypeError, match="`y` must be given with an `x` that gives no batches, got None"):
        small().fit(x, verbose=False)
    for data in (x, list(x), "abc", None, 3, {"x": x}):
        assert not is_stream(data)
    for given in (made, made(0), Again([]), iter([]), range(3)):
        assert is_stream(given)
