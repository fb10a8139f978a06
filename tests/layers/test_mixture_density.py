"""MixtureDensity: its formula, its bound, the units of the data, and two right answers of which no mean is made."""

import math
from fractions import Fraction

import numpy as np
import pytest

from ltc_np import Adam, Dense, Ensemble, MixtureDensity, Model, Standardize, load
from ltc_np.layers.mixture_density import soft_positive
from ltc_np.losses import Mixture
from ltc_np.recipe import Recipe


def two_answers(n=400, seed=0, offset=0.0, unit=1.0):
    """Of x the target is x or -x, with a little noise: (n, 1, 1) each."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 1.5, (n, 1, 1))
    y = np.where(rng.random(x.shape) < 0.5, x, -x) + 0.05 * rng.standard_normal(x.shape)
    return x, offset + unit * y


def test_the_formula():
    layer = MixtureDensity(2, components=3, least_sigma=0.02, mean=[3.0, -1.0], scale=[0.5, 4.0], input_dim=4)
    model = Model(layer, dtype="float64", seed=0)
    model.theta += np.random.default_rng(0).normal(size=model.theta.size)
    x = np.random.default_rng(1).normal(size=(5, 4))
    z = x @ model.params["weight"] + model.params["bias"]
    u = z[:, 9:].reshape(5, 3, 2) - math.log(0.02)
    found = Mixture.of(model(x), 2)
    shares = np.exp(z[:, :3]) / np.exp(z[:, :3]).sum(1, keepdims=True)
    # a few roundings of numbers below 20
    np.testing.assert_allclose(np.exp(found.log_pi), shares, rtol=1e-13)
    np.testing.assert_allclose(found.mu, z[:, 3:9].reshape(5, 3, 2) * [0.5, 4.0] + [3.0, -1.0], rtol=1e-13)
    sigma = np.exp((u + np.sqrt(u * u + 4)) / 2) * 0.02 * np.array([0.5, 4.0])
    np.testing.assert_allclose(np.exp(found.log_sigma), sigma, rtol=1e-13)


@pytest.mark.parametrize(("components", "least"), [(1, 1e-3), (2, 1e-3), (9, 1e-3), (5, 0.01)])
def test_it_begins_as_the_spread_of_the_targets(components, least):
    """Without inputs: mean 0, variance 1, and as much below each centre as there should be."""
    model = Model(MixtureDensity(3, components, least_sigma=least, input_dim=2), dtype="float64", seed=0)
    first = Mixture.of(model(np.zeros((1, 2))), 3)
    np.testing.assert_allclose(first.mean(), 0, atol=1e-14)
    np.testing.assert_allclose(first.std(), 1, rtol=1e-12)
    assert np.exp(first.log_pi[0]).tolist() == pytest.approx([1 / components] * components)
    assert (np.diff(first.mu[0], axis=0) > 0.2).all()


def test_a_wide_bound_begins_above_itself():
    first = Mixture.of(
        Model(MixtureDensity(1, 9, least_sigma=0.9, input_dim=1), dtype="float64", seed=0)(np.zeros((1, 1)))
    )
    np.testing.assert_allclose(np.exp(first.log_sigma), 0.9 * math.e, rtol=1e-12)


@pytest.mark.parametrize("u", [-1e9, -1e4, -30.0, -1.0, 0.0, 0.7, 25.0, 1e6])
def test_the_bound_keeps_its_digits(u):
    """Beside the root in whole numbers of 100 digits."""
    square, scale = Fraction(u) ** 2 + 4, 10**100
    root = Fraction(math.isqrt(int(square * scale**2)), scale)
    value, slope = soft_positive(np.array([u]))
    assert value[0] == pytest.approx(float((Fraction(u) + root) / 2), rel=5e-16)
    assert slope[0] == pytest.approx(float((1 + Fraction(u) / root) / 2), rel=1e-15)
    assert value[0] > 0 and slope[0] > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_parameters_get_below_the_bound(dtype):
    """Nor above what the loss can read: sigma and the likelihood of the best targets are bounded."""
    model = Model(MixtureDensity(2, 3, least_sigma=0.01, scale=[2.0, 5.0], input_dim=4), dtype=dtype, seed=0)
    rng = np.random.default_rng(0)
    for size in (1.0, 1e3, 1e6):
        model.theta[:] = size * rng.standard_normal(model.theta.size)
        x = rng.standard_normal((50, 4)).astype(dtype)
        y = model(x)
        found = Mixture.of(y, 2)
        assert (np.exp(found.log_sigma) >= np.array([0.02, 0.05]) * (1 - 1e-6)).all()
        likely = found.log_likelihood(found.mu[np.arange(50), found.log_sigma.sum(-1).argmin(-1)])
        assert likely.max() <= -np.log(2 * np.pi * 0.02 * 0.05) + 1e-5
    # of such parameters some are at the bound, in both targets
    assert np.exp(found.log_sigma).min((0, 1)) == pytest.approx([0.02, 0.05], rel=1e-4)


def test_outputs_losses_and_quantiles_are_in_the_units_of_the_data():
    """The same training of y and of 5000 + 1000 y: the density is 1000 times as wide, its logarithm less by ln 1000."""
    found = []
    for offset, unit in ((0.0, 1.0), (5000.0, 1000.0)):
        x, y = two_answers(100, offset=offset, unit=unit)
        model = Model(Standardize(), Dense(8, "tanh"), MixtureDensity(1, 2), input_dim=1, dtype="float64", seed=0)
        model.fit(
            x,
            y,
            loss="mixture_density",
            optimizer="adam",
            epochs=3,
            batch_size=20,
            standardize=True,
            seed=0,
            verbose=False,
        )
        quantiles = Mixture.of(model(x)).quantiles([0.1, 0.5, 0.9])
        found.append((model.theta.copy(), model.evaluate(x, y)["loss"] - math.log(unit), (quantiles - offset) / unit))
        assert model.buffers["2.mean"] == pytest.approx(y.mean()) and model.buffers["2.scale"] == pytest.approx(y.std())
    for one, two in zip(*found, strict=True):  # rounding of 5000 beside spreads of 1000, over 15 steps
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9)


def test_adapt_leaves_out_what_is_missing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 5, 2)), rng.normal([10, -3], [2, 0.1], (6, 5, 2))
    y[0, :, 0] = y[3, 2] = np.nan
    model = Model(MixtureDensity(2, 3), input_dim=2, dtype="float64", seed=0)
    model.adapt(x, y)
    np.testing.assert_allclose(model.buffers["mean"], np.nanmean(y, (0, 1)), rtol=1e-13)
    np.testing.assert_allclose(model.buffers["scale"], np.nanstd(y, (0, 1)), rtol=1e-12)
    with pytest.raises(ValueError, match=r"`y` must be given, since the last layer is MixtureDensity\(2, components=3"):
        model.adapt(x)


def test_targets_far_from_unit_scale_are_warned_of():
    x, y = two_answers(20, offset=1e4)
    model = Model(Dense(4, "tanh"), MixtureDensity(1, 2), input_dim=1, seed=0)
    with pytest.warns(
        RuntimeWarning, match=r"`y` has mean 1e\+04 .* make the model with MixtureDensity\(...\) as the last"
    ):
        model.fit(x, y, loss="mixture_density", epochs=1, batch_size=20, verbose=False)


def test_other_losses_metrics_and_means_of_densities_are_refused(tmp_path):
    x, y = two_answers(20)
    model = Model(Dense(4, "tanh"), MixtureDensity(1, 2), input_dim=1, seed=0)
    for ask in (model.evaluate, model.loss_and_grad, model.fit):
        with pytest.raises(
            ValueError, match=r"`loss` must be 'mixture_density' for a model that ends with MixtureDens"
        ):
            ask(x, y, loss="mse")
    with pytest.raises(ValueError, match="`loss` must be 'mixture_density' .*, got 'cross_entropy'"):
        model.loss_and_grad(x, np.zeros((20, 1), int), loss="cross_entropy")
    with pytest.raises(ValueError, match="`predict_proba` needs a model of logits, got MixtureDensity"):
        model.predict_proba(x)
    with pytest.raises(ValueError, match="`members` must give numbers or logits, got MixtureDensity"):
        Ensemble(MixtureDensity(1, 2, input_dim=1), (Dense(4, input_dim=1), MixtureDensity(1, 2)))
    with pytest.raises(ValueError, match="`members` must give numbers or logits, got MixtureDensity"):
        Recipe(ensemble=2).model(1, 1, steps=5.0, every_step=True, numbers=True, components=2)
    own, _ = model.loss_and_grad(x, y, loss=lambda outputs, target: (0.0, np.zeros_like(outputs)))
    assert own == 0.0  # of a loss of one's own nobody knows what it reads

    model.fit(x, y, loss="mixture_density", epochs=1, batch_size=20, verbose=False)
    model.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").evaluate(x, y) == model.evaluate(x, y)  # the file knows the loss, too


def test_another_number_of_targets_is_refused():
    """15 outputs are 5 components of one target, and 3 of two, or 1 of seven."""
    x = np.random.default_rng(0).normal(size=(6, 3, 2))
    for O, wrong in ((1, x), (1, np.zeros((6, 3, 7))), (2, x[..., 0]), (7, x)):
        model = Model(MixtureDensity(O, 15 // (1 + 2 * O) or 1), input_dim=2, seed=0)
        for ask in (model.loss_and_grad, model.evaluate, model.fit):
            options = [{"standardize": True, "verbose": 0}, {"verbose": 0}] if ask == model.fit else [{}]
            for each in options:
                with pytest.raises(ValueError, match=rf"`y` must have the {O} `outputs` of MixtureDensity\({O}"):
                    ask(x, wrong, loss="mixture_density", **each)
    right = x[..., :1], x[..., 0]
    found = [Model(MixtureDensity(1), input_dim=2, seed=0).evaluate(x, y, loss="mixture_density") for y in right]
    assert found[0] == found[1]
    model = Model(MixtureDensity(1), input_dim=2, seed=0)
    own = lambda outputs, target: (0.0, np.zeros_like(outputs))  # noqa: E731
    with pytest.raises(ValueError, match=r"real numbers, 1 at a time, for a model .*MixtureDensity\(1.*, got shape"):
        model.fit(x, x, loss=own, standardize=True, verbose=0)


def test_a_scale_that_is_not_positive_is_refused():
    for arguments, message in (
        ({"scale": [1.0, 0.0]}, "`scale` must be > 0, got 0"),
        ({"mean": [1.0] * 3}, r"`mean` must be a number or \(2,\), got shape \(3,\)"),
        ({"least_sigma": 0.0}, r"`least_sigma` must be a finite number in \(0, 1\), got 0"),
        ({"components": 0}, "`components` must be an int >= 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            MixtureDensity(2, **arguments)


def test_of_two_right_answers_the_mean_is_none():
    """Half of the targets are x, half are -x: least squares answer 0, and the mixture either, with its share."""
    x, y = two_answers()
    options = {"epochs": 20, "batch_size": 20, "seed": 0, "verbose": False}
    averages = Model(Dense(8, "tanh"), Dense(1), input_dim=1, seed=0)
    averages.fit(x, y, loss="mse", optimizer=Adam(0.01), **options)
    model = Model(Dense(8, "tanh"), MixtureDensity(1, 2), input_dim=1, seed=0)
    model.fit(x, y, loss="mixture_density", optimizer=Adam(0.01), **options)
    at = np.array([[[0.7]], [[1.2]]])
    assert np.abs(averages(at)).max() < 0.2  # 400 targets of +-1: a mean is uncertain by 0.05
    found = Mixture.of(model(at))
    assert np.sort(found.mu[:, 0, :, 0]) == pytest.approx(np.array([[-0.7, 0.7], [-1.2, 1.2]]), abs=0.1)
    assert np.exp(found.log_pi) == pytest.approx(0.5, abs=0.15)
    draws = found.sample(np.random.default_rng(0), 1000)[:, :, 0, 0]
    assert (np.abs(np.abs(draws) - [0.7, 1.2]) < 0.4).mean() > 0.99
    # With sigma 0.05 known and shares of one half nothing is better than this, a mean with the right variance is worse.
    best = -math.log(0.5) + 0.5 * math.log(2 * math.pi * math.e * 0.05**2)
    wide = 0.5 * math.log(2 * math.pi * math.e * np.mean(y**2))
    assert best - 0.1 < model.evaluate(x, y)["loss"] < best + 0.5 < wide
