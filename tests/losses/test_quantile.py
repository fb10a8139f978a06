"""Quantiles: several outputs of each target, of which the best are the quantiles of the data."""

from functools import partial

import numpy as np
import pytest
from support.losses import naive, problem

from ltc_np import Dense, Model, Standardize, losses
from ltc_np.losses import check_target, get, quantile

QUANTILES = (0.1, 0.4, 0.95)


@pytest.mark.parametrize("weighted", [None, "steps", "outputs"])
def test_each_output_is_the_loss_of_its_quantile(weighted):
    """O = 2 targets with Q = 3 quantiles, beside single losses of one quantile, and of finite differences."""
    rng = np.random.default_rng(0)
    y, target = rng.normal(size=(3, 4, 6)), rng.normal(size=(3, 4, 2))
    weight = {None: None, "steps": rng.uniform(size=(3, 4)), "outputs": rng.uniform(size=(3, 4, 6))}[weighted]
    total, weight_sum, d_y = quantile(y, target, weight, quantiles=QUANTILES)
    sums = np.zeros(2)
    for o in range(2):
        for q, level in enumerate(QUANTILES):
            k = 3 * o + q
            own = weight[..., k] if weighted == "outputs" else weight
            sums += naive(f"quantile{level}", y[..., k : k + 1], target[..., o : o + 1], own, None)
    # 72 elements, each a few roundings of numbers near 1
    assert (total, weight_sum) == pytest.approx(tuple(sums), rel=1e-13)
    step = 1e-6  # the loss is linear on both sides of its kink, from which no element here is as near as that
    assert np.abs(y - np.repeat(target, 3, -1)).min() > 2 * step
    for where in np.ndindex(y.shape):
        moved = y.copy()
        moved[where] += step
        difference = quantile(moved, target, weight, quantiles=QUANTILES)[0] - total
        assert difference / step == pytest.approx(d_y[where], abs=1e-8)  # 1e-16 * total / step


def test_the_best_constants_are_the_quantiles_of_the_data():
    """No constant on a grid is better than NumPy's quantile, for each of them."""
    values = np.random.default_rng(0).exponential(size=(501, 1))
    levels = (0.05, 0.5, 0.9)
    best = np.quantile(values, levels)

    def loss(y):
        return quantile(np.broadcast_to(y, (501, 3)).copy(), values, quantiles=levels)[0]

    for k in range(3):
        for other in np.linspace(0, 5, 400):
            y = best.copy()
            y[k] = other
            assert loss(y) >= loss(best) - 1e-12  # rounding of sums of a few hundred


def test_half_of_mae_at_one_half_and_zero_at_the_kink():
    y, target = problem("mae")
    found, wanted = quantile(y, target, quantiles=(0.5,)), losses.mae(y, target)
    assert found[0] == pytest.approx(wanted[0] / 2, rel=1e-14)
    np.testing.assert_array_equal(found[2], wanted[2] / 2)
    assert quantile(np.ones((1, 3)), np.ones((1, 1)))[2].tolist() == [[0, 0, 0]]


def test_targets_come_once_for_all_quantiles():
    target = np.array([[1.0, 2.0]])
    wanted = [[1, 1, 1, 2, 2, 2]]
    assert check_target("quantile", (1, 6), target, np.float32).tolist() == wanted
    assert check_target("quantile", (1, 6), np.array(wanted), np.float32).tolist() == wanted
    assert check_target("quantile", (2, 3), [1, 2], np.float32).tolist() == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(ValueError, match=r"`y` must have shape \(1, 2\), got \(1, 3\)"):
        check_target("quantile", (1, 6), np.ones((1, 3)), np.float32, argument="y")
    with pytest.raises(ValueError, match=r"`target` must have shape \(2, 5, 1\) or \(2, 5\), got \(2, 4\)"):
        quantile(np.zeros((2, 5, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="`quantiles` must divide the outputs, 3 of each target, got 4 outputs"):
        quantile(np.zeros((2, 4)), np.zeros((2, 1)))


def test_what_is_no_list_of_quantiles_is_refused():
    for bad in ((), [0.1, 0.5], 0.5, None, "0.5"):
        with pytest.raises(TypeError, match="`quantiles` must be a tuple of increasing numbers between 0 and 1, got"):
            get(partial(quantile, quantiles=bad))
    for bad in ((0.5, 0.5), (0.9, 0.1)):
        with pytest.raises(ValueError, match="`quantiles` must be a tuple of increasing numbers between 0 and 1, got"):
            get(partial(quantile, quantiles=bad))
    for bad in (0.0, 1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match=r"`quantiles\[1\]` must be a finite number in \(0, 1\), got"):
            quantile(np.zeros((1, 2)), np.zeros((1, 1)), quantiles=(0.1, bad))


@pytest.mark.parametrize("last", [False, True])
def test_missing_targets_weigh_nothing(last):
    """A target that is missing is missing for all of its quantiles, whatever stands there instead."""
    rng = np.random.default_rng(1)
    model = Model(Dense(6), input_dim=2, seed=0, dtype="float64", return_sequences=not last)
    x, y = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 2) if last else (4, 5, 2))
    gone = rng.random(y.shape) < 0.4
    loss = partial(quantile, quantiles=QUANTILES)
    value, gradient = model.loss_and_grad(x, np.where(gone, np.nan, y), loss=loss, missing="ignore")
    outputs, tape = model.forward(x)
    total, weight_sum, d_y = quantile(outputs, y, np.repeat(~gone, 3, -1), quantiles=QUANTILES)
    assert value == pytest.approx(total / weight_sum, rel=1e-13)
    np.testing.assert_allclose(gradient, model.backward(tape, d_y / weight_sum).theta, rtol=1e-11)


@pytest.mark.slow
def test_a_network_learns_the_quantiles_of_noise_that_grows():
    """Of uniform noise as wide as x they are known; outputs and targets have a scale of their own."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (4000, 1, 1))
    y = 100 + 50 * x + 20 * x * rng.uniform(-1, 1, x.shape)
    levels = (0.1, 0.5, 0.9)
    model = Model(Standardize(), Dense(3), Standardize(inverse=True), input_dim=1, seed=0)
    model.fit(
        x, y, loss=partial(quantile, quantiles=levels), optimizer="adam", epochs=120, batch_size=100, standardize=True,
        seed=0, verbose=False,
    )  # fmt: skip
    at = np.array([0.2, 0.5, 0.8])
    wanted = 100 + 50 * at[:, None] + 20 * at[:, None] * (2 * np.array(levels) - 1)
    # 4000 samples: a quantile is uncertain by about sqrt(0.25 / 1000) of the width, 32, times a constant near 1
    np.testing.assert_allclose(model(at[:, None, None])[:, 0], wanted, atol=1.0)
