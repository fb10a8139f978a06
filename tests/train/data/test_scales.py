"""Standardize and the statistics of data: against NumPy's, masked, constant features, files, the warning."""

import functools
import warnings

import numpy as np
import pytest

from ltc_np import (
    L1L2,
    LRC,
    LSTM,
    LTC,
    Adam,
    AutoNCP,
    Bidirectional,
    Dense,
    FullyConnected,
    MixedMemory,
    Model,
    Residual,
    Standardize,
    load,
    losses,
)
from ltc_np.train.data.scales import loss_unit, statistics


def network(**options):
    return Model(Standardize(), LTC(AutoNCP(8, 2)), Standardize(inverse=True), input_dim=3, seed=0, **options)


def data(n=40, T=9, seed=0):
    rng = np.random.default_rng(seed)
    x = np.array([400.0, -3.0, 0.0]) + np.array([200.0, 1e-3, 5.0]) * rng.normal(size=(n, T, 3))
    return x, np.array([1e4, 0.5]) + np.array([300.0, 1e-4]) * rng.normal(size=(n, T, 2))


def test_mean_and_spread_are_those_of_all_valid_steps(tmp_path):
    x, y = data()
    lengths = np.random.default_rng(1).integers(1, 10, 40)
    valid = np.arange(9) < lengths[:, None]
    model = network(dtype="float64")
    model.adapt(np.where(valid[:, :, None], x, np.nan), np.where(valid[:, :, None], y, np.nan), lengths=lengths)
    for k, values in ((0, x[valid]), (2, y[valid])):
        np.testing.assert_allclose(model.buffers[f"{k}.mean"], values.mean(0), rtol=1e-12)
        np.testing.assert_allclose(model.buffers[f"{k}.scale"], values.std(0), rtol=1e-9)
    lists = network(dtype="float64")
    lists.adapt([a[:n] for a, n in zip(x, lengths, strict=True)], [a[:n] for a, n in zip(y, lengths, strict=True)])
    assert np.array_equal(lists.buffer_vector, model.buffer_vector)
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert np.array_equal(again.buffer_vector, model.buffer_vector)
    assert np.array_equal(again(x), model(x))


READERS = {
    "residual": (lambda inner: Residual(inner, LSTM(4), Dense(3)), ["0.0."]),
    "residual of one": (lambda inner: Residual(inner), ["0."]),
    "both directions": (lambda inner: Bidirectional(Residual(inner, Dense(3))), ["0.forward_0.", "0.backward_0."]),
    "beside an LSTM": (lambda inner: MixedMemory(Residual(inner, LRC(FullyConnected(4, 3)))), ["0.0."]),
    "deep": (lambda inner: Residual(Residual(inner, Dense(3)), Dense(3)), ["0.0.0."]),
}


@pytest.mark.parametrize("name", READERS)
def test_a_layer_inside_the_first_one_reads_the_data_too(name):
    x, _ = data()
    make, prefixes = READERS[name]
    model = Model(make(Standardize()), Dense(2), input_dim=3, seed=0, dtype="float64")
    model.fit(x, np.zeros((40, 9, 2)), epochs=1, standardize=True, verbose=False)
    assert {key for key in model.buffers if key.endswith("mean")} == {f"{prefix}mean" for prefix in prefixes}
    for prefix in prefixes:
        np.testing.assert_allclose(model.buffers[f"{prefix}mean"], x.mean((0, 1)), rtol=1e-12)
        np.testing.assert_allclose(model.buffers[f"{prefix}scale"], x.std((0, 1)), rtol=1e-9)


def test_layers_that_read_something_else_are_left():
    """A later one, one behind the LSTM that keras' form has before the cell, and one that brings back."""
    x, _ = data()
    for inner in (
        Residual(Dense(3), Standardize()),
        Residual(Dense(3), Residual(Standardize(), Dense(3))),
        MixedMemory(Residual(Standardize(input_dim=3), LRC(FullyConnected(4, 3))), "keras"),
        Residual(Standardize(inverse=True), Dense(3)),
    ):
        model = Model(inner, Dense(2), input_dim=3, seed=0)
        with pytest.raises(ValueError, match="`model` must begin with Standardize"):
            model.adapt(x)


@pytest.mark.parametrize("every_step", [True, False])
def test_a_residual_of_all_has_to_give_the_difference(every_step):
    """y = x + network, where targets are the next inputs: the last layer brings back what is to be added."""
    x, _ = data()
    lengths = np.random.default_rng(1).integers(2, 10, 40)
    last = x[np.arange(40), lengths - 1]
    added = np.array([5.0, -1e-4, 0.3]) + np.array([2.0, 1e-5, 0.1]) * np.random.default_rng(3).normal(size=x.shape)
    y = x + added if every_step else last + added[:, 0]
    layers = Residual(Standardize(), LSTM(4), Dense(3), Standardize(inverse=True))
    model = Model(layers, input_dim=3, seed=0, dtype="float64", return_sequences=every_step)
    model.adapt(x, y, lengths=lengths)
    wanted = added[np.arange(9) < lengths[:, None]] if every_step else added[:, 0]
    # Of numbers near 400 about 13 digits are left of what was added.
    np.testing.assert_allclose(model.buffers["3.mean"], wanted.mean(0), rtol=1e-9)
    np.testing.assert_allclose(model.buffers["3.scale"], wanted.std(0), rtol=1e-7)
    assert loss_unit(model, losses.get("mse")) == pytest.approx(1 / np.mean(wanted.var(0)), rel=1e-7)


def test_missing_targets_are_left_out():
    x, y = data()
    gone = np.random.default_rng(2).random(y.shape) < 0.3
    model = network(dtype="float64")
    model.adapt(x, np.where(gone, np.nan, y))
    for feature in range(2):
        values = y[..., feature][~gone[..., feature]]
        assert model.buffers["2.mean"][feature] == pytest.approx(values.mean(), rel=1e-12)
        assert model.buffers["2.scale"][feature] == pytest.approx(values.std(), rel=1e-9)


def test_numbers_whose_squares_overflow():
    mean, spread = statistics(np.array([[1e200], [3e200]]), None)
    assert mean[0] == pytest.approx(2e200) and spread[0] == pytest.approx(1e200)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_feature_keeps_the_spread_1(dtype):
    mean, spread = statistics(np.full((7, 5, 1), 0.1, dtype), None)
    assert mean[0] == pytest.approx(0.1) and spread[0] == 0
    model = Model(Standardize(), Dense(1), input_dim=2, seed=0, dtype=dtype)
    x = np.stack([np.full((6, 4), 123.4), np.arange(24.0).reshape(6, 4)], 2)
    model.adapt(x)
    assert model.buffers["0.scale"][0] == 1
    assert np.isfinite(model(x)).all()


def test_training_in_the_units_of_the_data_is_that_of_unit_data():
    """Numbers are a little different, because both are rounded; losses and metrics are in the data's units."""
    x, y = data(60)
    runs = []
    for a, b in ((1.0, 0.0), (128.0, 1024.0)):
        model = network(dtype="float64")
        history = model.fit(
            a * x + b,
            a * y + b,
            epochs=3,
            optimizer=Adam(1e-2),
            seed=0,
            standardize=True,
            metrics=["r2"],
            verbose=False,
        )
        runs.append((model(a * x + b), np.array(history["loss"]), np.array(history["r2"])))
    (plain, loss, r2), (scaled, scaled_loss, scaled_r2) = runs
    np.testing.assert_allclose(scaled, 128 * plain + 1024, rtol=1e-9)
    np.testing.assert_allclose(scaled_loss, 128**2 * loss, rtol=1e-9)
    np.testing.assert_allclose(scaled_r2, r2, rtol=1e-7)


def test_outliers_are_clipped_and_have_no_gradient():
    """In standard deviations; by finite differences, away from the bounds, in the battery of all layers."""
    x = np.random.default_rng(0).normal(size=(20, 5, 2))
    x[3, 2, 1], x[4, 1, 0] = 220.0, -220.0
    model = Model(Standardize(clip=4.0), input_dim=2, seed=0, dtype="float64")
    model.adapt(x)
    z = (x - x.mean((0, 1))) / x.std((0, 1))
    y, tape = model.forward(x)
    np.testing.assert_allclose(y, np.where(np.abs(z) > 4, 4 * np.sign(z), z), rtol=1e-12)
    d_x = model.backward(tape, np.ones_like(y)).x
    np.testing.assert_allclose(d_x, np.where(np.abs(z) > 4, 0.0, 1 / x.std((0, 1))), rtol=1e-12)
    assert (d_x == 0).sum() == 2


def test_the_unit_of_a_loss_of_outputs_with_different_scales():
    """Scales 1 and 3: the mean of the squares is 5 and not 2 * 2, the mean 2."""
    model = Model(Dense(2), Standardize(inverse=True), input_dim=3, seed=0)
    model.buffers["1.scale"] = [1.0, 3.0]
    names = ("mse", "mae", "huber", "cross_entropy", "mixture_density")
    found = {name: loss_unit(model, losses.get(name)) for name in names}
    found["quantile"] = loss_unit(model, functools.partial(losses.quantile, quantiles=(0.5,)))
    wanted = {
        "mse": 1 / 5,
        "mae": 1 / 2,
        "huber": 1 / 2,
        "quantile": 1 / 2,
        "cross_entropy": 1.0,
        "mixture_density": 1.0,
    }
    assert found == pytest.approx(wanted, rel=1e-12)


def test_step_and_predict_are_the_call():
    x, y = data()
    model = network()
    model.adapt(x, y)
    want, state = model(x, dt=0.5), None
    for t in range(9):
        got, state = model.step(x[:, t], dt=0.5, state=state)
        assert np.array_equal(got, want[:, t])
    assert np.array_equal(model.predict(x, dt=0.5, batch_size=7), want)


def test_a_training_that_goes_on_keeps_its_statistics(tmp_path):
    x, y = data()
    model = network()
    model.fit(x, y, epochs=1, seed=0, standardize=True, verbose=False)
    before = model.buffer_vector.copy()
    model.fit(2 * x, y, epochs=range(1, 2), seed=0, standardize=True, verbose=False)
    assert np.array_equal(model.buffer_vector, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Model(Dense(1), input_dim=2, seed=0).adapt(np.ones((2, 3, 2))),
            "`model` must begin with Standardize()",
        ),
        (
            lambda: Model(Dense(1), input_dim=2, seed=0).fit(np.ones((2, 3, 2)), np.ones((2, 3, 1)), standardize=True),
            "`standardize` needs a model that begins with Standardize()",
        ),
        (lambda: network().adapt(np.ones((2, 3, 3))), "`y` must be given, since the last layer is Standardize"),
        (lambda: Standardize(scale=0), "`scale` must be > 0, got 0"),
        (lambda: Standardize(scale=[1.0, -2.0]), "`scale` must be > 0, got -2"),
        (lambda: Standardize(mean=[1.0, 2.0], input_dim=3), "`mean` must be a number or (3,), got shape (2,)"),
        (lambda: Standardize(mean=np.ones((2, 2))), "`mean` must be a number or (I,), got shape (2, 2)"),
        (lambda: Standardize(mean=np.nan), "`mean` must be a finite number"),
        (lambda: Standardize(clip=0.0), "`clip` must be a finite number > 0, got 0"),
        (lambda: Standardize(inverse=True, clip=3.0), "`clip` must be None with inverse=True"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def warned(model, x, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, epochs=1, verbose=False, **options)
    return [str(w.message) for w in caught if "standard deviation" in str(w.message)], caught


def test_data_far_from_unit_scale_is_warned_of_once():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5, 2)), rng.normal(size=(30, 5, 1))

    def plain():
        return Model(LSTM(4), Dense(1), input_dim=2, seed=0, backend="numpy")

    assert warned(plain(), x, y)[0] == []
    (one,), caught = warned(plain(), 200 * x + 400, y)
    assert one.startswith("ltc_np: `x` (feature ")
    assert "Standardize() as the first layer" in one and "fit(..., standardize=True)" in one and "inverse" not in one
    assert caught[0].filename == __file__
    (one,), _ = warned(plain(), x, y * 1e-3)
    assert one.startswith("ltc_np: `y` has mean ")
    assert "Standardize(inverse=True) as the last layer" in one
    (both,), _ = warned(plain(), x + 11, y * 11)
    assert "`x`" in both and "`y`" in both
    for a, b in ((9.0, 0.0), (1.0, 9.0), (0.02, 0.0)):  # within the bounds
        assert warned(plain(), a * x + b, a * y + b)[0] == []
    assert warned(plain(), np.zeros_like(x), np.zeros_like(y))[0] == []  # constant, near 0


def test_border_pixels_are_not_warned_of():
    """Features that are 0 but for a few faint values; a feature that is small everywhere is warned of."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(30, 50, 3)), rng.normal(size=(30, 50, 1))
    x[..., 1] = 0
    x[3, 7, 1], x[20, 40, 1] = 0.02, 0.05
    assert 0 < x[..., 1].std() < 0.01 / 5
    lengths = np.array([50] + [49] * 29)
    padded = x.copy()
    padded[1:, 49] = np.nan
    for given, options in ((x, {}), (padded, {"lengths": lengths})):
        assert warned(Model(LSTM(4), Dense(1), input_dim=3, seed=0), given, y, **options)[0] == []
    x[..., 1] = 1e-3 * rng.normal(size=(30, 50))
    for given, options in ((x, {}), (x + 0.5, {"lengths": lengths})):  # padding is 0, and counts nowhere
        (one,), _ = warned(Model(LSTM(4), Dense(1), input_dim=3, seed=0), given, y, **options)
        assert one.startswith("ltc_np: `x` (feature 1) has mean ")
    x[..., 1] = 400 + x[..., 1]  # far from 0, so it drowns the others
    assert warned(Model(LSTM(4), Dense(1), input_dim=3, seed=0), x, y)[0]


def test_who_standardizes_is_not_warned():
    x, y = data()
    assert warned(network(), x, y, standardize=True)[0] == []
    (one,), _ = warned(network(), x, y)  # made with the layers, but they do not know the data yet
    assert "fit(..., standardize=True)" in one
    labels = np.arange(40) % 2
    classifier = Model(Standardize(), LSTM(4), Dense(2), input_dim=3, seed=0, return_sequences=False)
    assert warned(classifier, x, labels, standardize=True, loss="cross_entropy")[0] == []


def test_classes_are_no_numbers_to_standardize():
    x, _ = data()
    model = Model(Standardize(), Dense(2), Standardize(inverse=True), input_dim=3, seed=0)
    with pytest.raises(ValueError, match="`y` must be real numbers, 2 at a time, for a model that ends with Stand"):
        model.fit(x, np.zeros((40, 9), int), loss="cross_entropy", standardize=True, verbose=False)


def test_padding_is_not_looked_at():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6, 1)), rng.normal(size=(20, 6, 1))
    x[:, 3:], y[:, 3:] = 1e6, 1e6
    model = Model(LSTM(3), Dense(1), input_dim=1, seed=0)
    assert warned(model, x, y, lengths=np.full(20, 3))[0] == []


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", functools.partial(losses.quantile, quantiles=(0.3,))])
def test_small_targets_are_learned_as_well_as_those_of_unit_scale(loss):
    """Their gradients would be smaller than the epsilon of Adam, and a penalty would be all that counts."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6, 1))
    outputs = []
    for a in (1.0, 2.0**-20):
        model = Model(LSTM(4), Dense(1), Standardize(inverse=True), input_dim=1, seed=0, dtype="float64")
        model.fit(
            x,
            a * x,
            epochs=4,
            optimizer=Adam(1e-2),
            seed=0,
            loss=loss,
            penalty=L1L2(l2=1e-3),
            standardize=True,
            verbose=False,
        )
        outputs.append(model(x) / a)
    if loss == "huber":  # whose kink is in the units of the data: far below it is half the squared error
        assert np.abs(outputs[1] - x).mean() < 1.1 * np.abs(outputs[0] - x).mean()
    else:
        np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-6)


def test_the_reported_loss_is_what_is_minimised():
    """unit * loss + penalty is minimised; loss + penalty / unit is reported, whose gradient has the same direction."""
    x = np.random.default_rng(0).normal(size=(10, 5, 1))
    model = Model(Dense(1), Standardize(inverse=True, scale=50.0), input_dim=1, seed=0, dtype="float64")
    history = model.fit(
        x, 50 * x + 3, epochs=1, batch_size=10, optimizer="sgd", penalty=L1L2(l2=0.1), seed=0, verbose=False
    )
    before = Model(Dense(1), Standardize(inverse=True, scale=50.0), input_dim=1, seed=0, dtype="float64")
    value, gradient = before.loss_and_grad(x, 50 * x + 3)
    weights = before.theta
    assert history["loss"][0] == pytest.approx(value + 0.1 * np.sum(weights**2) * 2500, rel=1e-12)
    change = (model.theta - before.theta) / -1e-2
    np.testing.assert_allclose(change, gradient / 2500 + 0.2 * weights, rtol=1e-9)


def test_differences_that_the_dtype_does_not_hold_are_warned_of():
    """Seconds since 1970: float32 knows multiples of 128 of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 10, 2))
    x[..., 1] = 1.7e9 + 1000 * x[..., 1]
    y = 1.7e9 + 1000 * rng.normal(size=(20, 10, 1))
    layers = Standardize(), LTC(AutoNCP(8, 1)), Standardize(inverse=True)
    with pytest.warns(RuntimeWarning, match=r'`x` \(feature 1\) has mean 1.7e\+09 .* steps of float32.*"float64"'):
        Model(*layers, input_dim=2, seed=0).adapt(x, y - 1.7e9)
    with pytest.warns(RuntimeWarning, match=r"`y` \(feature 0\) has mean 1.7e\+09 .* steps of float32"):
        Model(*layers, input_dim=2, seed=0).fit(x - [0, 1.7e9], y, standardize=True, verbose=False)
    y = 1.7e9 + rng.normal(size=(20, 10, 1))  # all of them are one number in float32
    with pytest.warns(RuntimeWarning, match=r"`y` \(feature 0\) has mean 1.7e\+09 and standard deviation 0, less"):
        Model(*layers, input_dim=2, seed=0).adapt(x - [0, 1.7e9], y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Model(*layers, input_dim=2, seed=0, dtype="float64").adapt(x, y)
        Model(*layers, input_dim=2, seed=0).adapt(x - [0, 1.699e9], y - 1.7e9)


@pytest.mark.parametrize(("loss", "spread"), [("mse", 1e-20), ("huber", 1e-20), ("mae", 1e-39)])
def test_a_spread_whose_losses_are_nothing_is_refused(loss, spread, rng):
    """Squares of 1e-20 are 0 in float32; what is larger trains, and in float64 so does this."""
    x, y = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 1))
    for dtype, size, refused in (
        ("float32", spread, True),
        ("float32", 1e3 * spread, False),
        ("float64", spread, False),
    ):
        model = Model(Dense(1, input_dim=2), Standardize(inverse=True), seed=0, dtype=dtype, backend="numpy")
        options = {"epochs": 1, "standardize": True, "verbose": False, "loss": loss}
        if refused:
            words = f"`y` must have a standard deviation of at least 1.*e-.* for the loss {loss} in float32, .*, got "
            with pytest.raises(ValueError, match=words):
                model.fit(x, size * y, **options)
        else:
            assert 0 < model.fit(x, size * y, **options)["loss"][0] < 100 * size
