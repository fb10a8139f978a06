"""Arrays in files, and a part of the data held out for validation."""

import tracemalloc

import numpy as np
import pytest

from ltc_np import LTC, LTCRNN, SGD, AutoNCP, Batching, Dense, Model, losses
from ltc_np.train.data.arguments import DataArguments
from ltc_np.train.data.sources import Mapped, data_of


def small(**options):
    return LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0, **options)


def problem(B=11, T=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, 2)).astype(np.float32), rng.normal(size=(B, T, 1)).astype(np.float32)


@pytest.fixture
def in_file(tmp_path):
    """An array as one that lies in a file and may only be read."""

    def make(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return make


# ------------------------------------------------------------------------------------------- arrays in files


@pytest.mark.slow
def test_training_from_files_is_training_from_arrays(in_file, backend):
    """To the bit, in the same order, with validation; also where only the targets lie in a file."""
    x, y = problem()
    weight, dt = np.random.default_rng(1).uniform(0.5, 2, 11), np.random.default_rng(2).uniform(0, 1, (11, 5))
    options = {"epochs": 3, "batch_size": 4, "seed": 1, "verbose": False, "metrics": ["mae"], "sample_weight": weight}
    found = []
    for inputs, targets, times in ((x, y, dt), (in_file(x), in_file(y), in_file(dt)), (x, in_file(y), dt)):
        model = small(backend=backend)
        held = {"x": inputs[:5], "y": targets[:5], "dt": times[:5]}
        history = model.fit(inputs, targets, dt=times, optimizer=SGD(0.1), validation=held, **options)
        found.append((model.theta.tobytes(), dict(history), model.evaluate(inputs, targets, dt=times, batch_size=3)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": Batching(2, group_by_length=True)},
        {"tbptt": 2},
        {"shuffle": False, "batch_size": Batching(2, drop_last=True)},
        {"dt": np.array([0.5, 2, 0, 1, 0.3])},  # of all sequences, of which there are more than steps
    ],
)
def test_padded_sequences_from_files(options, in_file):
    """Empty ones too, a whole batch of them; sums of the loss are in another order where a batch has no padding."""
    x, y = problem(12)
    lengths = np.array([5, 3, 0, 0, 5, 2, 5, 5, 1, 4, 0, 3])
    thetas = []
    for inputs, targets in ((x, y), (in_file(x), in_file(y))):
        model = small(dtype="float64")
        history = model.fit(
            inputs,
            targets,
            lengths=lengths,
            epochs=2,
            seed=0,
            verbose=False,
            optimizer=SGD(0.1),
            **{"batch_size": 2} | options,
        )
        thetas.append((model.theta.copy(), history["loss"]))
    np.testing.assert_allclose(thetas[0][0], thetas[1][0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(thetas[0][1], thetas[1][1], rtol=1e-12)


@pytest.mark.slow
def test_files_are_never_copied_as_a_whole(in_file):
    """What is allocated at once is a small part of them, in training, evaluation and prediction."""
    B, T, size = 4000, 25, 4000 * 25 * 2 * 4
    rng = np.random.default_rng(0)
    x, y = (in_file(rng.normal(size=(B, T, n)).astype(np.float32)) for n in (2, 2))
    model = Model(Dense(2, input_dim=2), seed=0, backend="numpy")
    calls = {
        "fit": lambda: model.fit(x, y, batch_size=Batching(50, group_by_length=True), validation=0.2, verbose=False),
        "evaluate": lambda: model.evaluate(x, y, batch_size=50),
        "predict": lambda: model.predict(x, batch_size=50),
    }
    assert x.nbytes == size
    for name, call in calls.items():
        call()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # the outputs themselves, as large as the inputs, and the parts that are put together
        allowed = 2 * size + size / 2 if name == "predict" else size / 2
        assert peak < allowed, name


def test_predictions_from_files(in_file):
    x, _ = problem()
    model, mapped = small(), in_file(x)
    np.testing.assert_array_equal(model.predict(mapped, batch_size=3), model(x))
    dt, h0, lengths = np.linspace(0, 1, 55).reshape(11, 5), np.full((11, 8), 0.1), [5, 0, 0, 0, 1, 2, 3, 4, 5, 0, 5]
    for return_sequences in (True, False):
        model = small(return_sequences=return_sequences)
        np.testing.assert_array_equal(
            model.predict(mapped, dt=dt, lengths=lengths, h0=h0, batch_size=2)[[0, 1, 4, 5]],
            model.predict(x, dt=dt, lengths=lengths, h0=h0)[[0, 1, 4, 5]],
        )
        assert model.predict(mapped, lengths=lengths, batch_size=1).shape == model(x).shape
    for options, words in (
        ({"dt": dt[:3]}, "`dt` must be of the 11 sequences of x, got 3"),
        ({"lengths": [1]}, "`lengths` must be"),
        ({"h0": h0[:2]}, "`h0` must be of the 11 sequences of x, got 2"),
        ({"batch_size": 0}, "`batch_size` must be an int >= 1, got 0"),
    ):
        with pytest.raises(ValueError, match=words):
            model.predict(mapped, **options)


def test_each_batch_from_a_file_is_checked(in_file):
    x, y = problem(40)
    x[37, 2, 1] = np.nan
    model = small()
    with pytest.raises(ValueError, match=r"`x` must be finite .*, got nan at index \(1, 2, 1\); .*forward_fill"):
        model.fit(in_file(x), y, batch_size=2, shuffle=False, verbose=False)
    x, y = problem()
    for arguments, words in (
        ((in_file(x), y[:5]), "`y` must be of the 11 sequences of x, got 5"),
        ((in_file(x[0]), y), r"`x` must be \(B, T, I\) or a list of \(T_i, I\), got shape \(5, 2\)"),
        ((in_file(x[..., :1]), y), r"`x` must be \(B, T, 2\)"),
        ((in_file(x), y[:, :3]), "`y` of mse must have shape"),
    ):
        before = model.theta.copy()
        with pytest.raises(ValueError, match=words):
            model.fit(*arguments, verbose=False)
        assert np.array_equal(model.theta, before)
    mapped = in_file(x)
    for options, words in (
        ({"lengths": [5] * 10}, "`lengths` must be"),
        ({"sample_weight": np.ones(3)}, "`sample_weight` must be of the 11 sequences of x, got 3"),
        ({"sample_weight": np.r_[np.ones(10), 1e-12]}, r"must be 0 or in \[1e-10, 1e10\] for data that are read"),
        ({"dt": np.ones((3, 5))}, "`dt` must be of the 11 sequences of x, got 3"),
        ({"batch_size": Batching(12, drop_last=True)}, "`batch_size` must be at most the 11 sequences with `drop_"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(mapped, y, **({"verbose": False} | options))


def test_targets_that_are_missing_in_a_whole_batch(in_file):
    x, y = problem()
    y[:4] = np.nan
    thetas = []
    for inputs in (x, in_file(x)):
        model = small(dtype="float64")
        model.fit(inputs, y, missing="ignore", batch_size=2, shuffle=False, optimizer=SGD(0.1), verbose=False)
        thetas.append(model.theta)
    np.testing.assert_allclose(*thetas, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="`y` must have at least one target that counts, got NaN for all of them"):
        model.fit(in_file(x), np.full_like(y, np.nan), missing="ignore", verbose=False)


def test_balanced_classes_need_all_targets(in_file):
    x, _ = problem()
    model = LTCRNN(AutoNCP(8, 2), input_dim=2, seed=0, return_sequences=False)
    classes, options = np.arange(11) % 2, {"loss": "cross_entropy", "class_weight": "balanced"}
    for call in (model.evaluate, lambda *data, **more: model.fit(*data, verbose=False, **more)):
        with pytest.raises(ValueError, match="`class_weight` must be numbers, .*, got 'balanced': it would need all"):
            call(in_file(x), classes, **options)
    model.fit(in_file(x), classes, loss="cross_entropy", class_weight={1: 2.0}, metrics=["accuracy"], verbose=False)


def test_divergence_in_the_last_step_is_seen(in_file):
    x, y = problem()
    model = small()
    with pytest.raises(FloatingPointError, match="after the last step"), np.errstate(all="ignore"):
        model.fit(in_file(x), y, batch_size=11, optimizer=SGD(1e30), verbose=False)


def test_what_a_mapped_sample_is(in_file):
    x, y = problem(40)
    lengths = np.array([0] * 35 + [5] * 5)
    data = data_of(small(), DataArguments(in_file(x), y, None, lengths), losses.get("mse"), "error")
    assert isinstance(data, Mapped) and data.count == 40
    assert data.sample().lengths.tolist() == [0, 0, 0, 5, 5, 5, 5, 5], "the second 32"
    assert data.at(slice(0, 3)) is None


# ------------------------------------------------------------------------------------------ validation_split


@pytest.mark.slow
def test_the_last_sequences_are_held_out(backend, in_file):
    """As if they had been given by themselves, in every form of the data."""
    x, y = problem()
    dt, lengths = np.random.default_rng(0).uniform(0, 1, (11, 5)), np.arange(1, 12) % 5 + 1
    weight = np.arange(1.0, 12)
    lists = [[a[:n] for a, n in zip(array, lengths, strict=True)] for array in (x, y, dt)]
    forms = [
        (x, y, {"dt": dt, "lengths": lengths, "sample_weight": weight}),
        (lists[0], lists[1], {"dt": lists[2], "sample_weight": list(weight)}),
        (list(x), list(y), {"dt": 0.5}),
        (x, y, {"dt": dt[0]}),
        (x, y, {"dt": list(dt[0])}),
        (in_file(x), in_file(y), {"dt": in_file(dt)}),
    ]
    for inputs, targets, more in forms:
        own = {k: v for k, v in more.items() if isinstance(v, float) or len(v) != 11}
        first, last = ({k: v[part] for k, v in more.items() if k not in own} for part in (slice(0, 7), slice(7, None)))
        by_split, by_hand = small(backend=backend), small(backend=backend)
        options = {"epochs": 2, "batch_size": 3, "seed": 0, "optimizer": "sgd", "verbose": False}
        history = by_split.fit(inputs, targets, **more, validation=0.3, **options)
        held = {"x": inputs[7:], "y": targets[7:]} | own | last
        expected = by_hand.fit(inputs[:7], targets[:7], **own, **first, validation=held, **options)
        assert np.array_equal(by_split.theta, by_hand.theta) and dict(history) == dict(expected)


@pytest.mark.parametrize(("count", "fraction", "training"), [(10, 0.25, 7), (10, 0.1, 9), (3, 0.5, 1), (100, 0.29, 71)])
def test_how_many_are_held_out(count, fraction, training):
    """floor(count (1 - fraction)) are left, as in Keras."""
    seen = []
    model = Model(LTC(AutoNCP(8, 1), input_dim=2), seed=0)

    def own(y, target):
        seen.append(len(y))
        return 1.0, 0 * y

    x, y = problem(count, 2)
    model.fit(x, y, batch_size=1000, validation=fraction, loss=own, verbose=False)
    assert seen[:2] == [training, count - training]


def test_bad_splits():
    x, y = problem()
    for options, error, words in (
        ({"validation": 0}, ValueError, r"`validation` must be a finite number in \(0, 1\), got 0"),
        ({"validation": 1.0}, ValueError, r"`validation` must be a finite number in \(0, 1\), got 1.0"),
        (
            {"validation": "0.2"},
            TypeError,
            r"`validation` must be a share in \(0, 1\), .*, got '0.2'",
        ),
        ({"validation": 0.95}, ValueError, "`validation` must leave sequences for training, got 0.95 of 11"),
        ({"validation": 0.2, "lengths": [5] * 8 + [0] * 3}, ValueError, "`validation`: `lengths` must not be"),
        ({"validation": 0.2, "sample_weight": np.ones(4)}, ValueError, "`sample_weight` must be of the 11 seq"),
    ):
        with pytest.raises(error, match=words):
            small().fit(x, y, **options, verbose=False)
    with pytest.raises(ValueError, match="`y` must be of the 11 sequences of x, got 3"):
        small().fit(x, y[:3], validation=0.2, verbose=False)
    with pytest.raises(ValueError, match=r"`x` must be \(B, T, I\) or a list of .*, got shape \(5, 2\)"):
        small().fit(x[0], y[0], validation=0.2, verbose=False)
