"""Mixture density: against a reference of 50 digits and its differences, and what hostile numbers cannot break."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from ltc_np import Dense, Model, losses
from ltc_np.losses import check_target, mixture_density

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
STEP = Decimal(10) ** -18  # central differences of 60 digits: off by 1e-36 of the third derivative


def reference(y, target):
    """-ln p of one step in Decimal, by the plain formula: exponents of Decimal do not overflow."""
    O = len(target)
    K = len(y) // (1 + 2 * O)
    a, mu, log_sigma = y[:K], y[K : K + K * O], y[K + K * O :]
    p = Decimal(0)
    for k in range(K):
        density = a[k].exp() / sum(value.exp() for value in a)
        for o in range(O):
            sigma = log_sigma[k * O + o].exp()
            density *= (-(((target[o] - mu[k * O + o]) / sigma) ** 2) / 2).exp() / (sigma * (2 * PI).sqrt())
        p += density
    return -p.ln()


def exactly(y, target):
    """Loss and slopes of one step, from floats, to 30 digits."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**9), 10**9
        y, target = [Decimal(float(v)) for v in y], [Decimal(float(v)) for v in target]
        slopes = []
        for k in range(len(y)):
            ends = [reference([*y[:k], y[k] + move, *y[k + 1 :]], target) for move in (STEP, -STEP)]
            slopes.append(float((ends[0] - ends[1]) / (2 * STEP)))
        return float(reference(y, target)), slopes


def problem(shape, K, O, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    y, target = rng.normal(0, 1.5, (*shape, K + 2 * K * O)), rng.normal(0, 2, (*shape, O))
    return y.astype(dtype), target.astype(dtype)


def test_golden_numbers():
    total, weight_sum, d_y = mixture_density(np.array([[0.2, -0.4, -0.5, 1, -0.3, 0.1]]), np.array([[0.3]]))
    wanted = [-0.00399595, 0.00399595, -0.94699487, 0.20078833, -0.10794364, 0.20979591]
    assert round(total, 8) == 1.20818645 and weight_sum == 1.0
    assert d_y[0].round(8).tolist() == wanted


@pytest.mark.parametrize(("K", "O"), [(1, 1), (2, 1), (3, 2), (2, 4)])
def test_fifty_digits(K, O):
    """Also where the plain formula would overflow or vanish in float64: logits of 900, 60 sigmas away."""
    y, target = problem((4,), K, O)
    y[1, 0] += 900
    target[2] += 60
    y[3, -1] -= 8
    for one, aim in zip(y, target, strict=True):
        value, slopes = exactly(one, aim)
        total, _, d_y = mixture_density(one[None], aim[None])
        # z is rounded once and squared: 4e-16 of a sum whose terms are as large as the largest of them
        size = 1 + np.abs(d_y).max()
        assert total == pytest.approx(value, rel=4e-15, abs=4e-15)
        np.testing.assert_allclose(d_y[0], slopes, rtol=1e-13, atol=2e-15 * size)


@pytest.mark.parametrize("weighted", [None, "steps", "targets"])
def test_steps_weights_and_shards(weighted):
    """A loop over steps; and two shards add up to the whole."""
    y, target = problem((3, 4), 3, 2)
    rng = np.random.default_rng(1)
    weight = {None: None, "steps": rng.uniform(size=(3, 4)), "targets": None}[weighted]
    if weighted == "targets":
        weight = rng.uniform(0.5, 2, (3, 4, 1)) * rng.integers(0, 2, (3, 4, 2))
    total, weight_sum, d_y = mixture_density(y, target, weight)
    sums = np.zeros(2)
    for where in np.ndindex(3, 4):
        w = 1.0 if weight is None else weight[where]
        own = float(np.max(w))
        kept = np.flatnonzero(np.broadcast_to(w, 2))
        # What is left out is integrated out: of normal densities side by side the others stay as they are.
        columns = [*range(3), *(3 + 2 * k + o for k in range(6) for o in kept)]
        value, _, slopes = (
            (0.0, 0.0, 0.0) if not kept.size else mixture_density(y[where][columns][None], target[where][kept][None])
        )
        sums += own * value, own
        full = np.zeros(15)
        full[columns] = own * np.ravel(slopes) if kept.size else 0.0
        np.testing.assert_allclose(d_y[where], full, rtol=1e-13, atol=1e-15)
    assert (total, weight_sum) == pytest.approx(tuple(sums), rel=1e-13)
    parts = [
        mixture_density(y[cut], target[cut], None if weight is None else weight[cut]) for cut in (slice(1), slice(1, 3))
    ]
    assert (total, weight_sum) == pytest.approx(tuple(np.sum([part[:2] for part in parts], axis=0)), rel=1e-14)
    np.testing.assert_array_equal(d_y, np.concatenate([part[2] for part in parts]))
    assert losses.weight_sum(mixture_density, target, weight, None) == pytest.approx(weight_sum, rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hostile_numbers_give_no_nan(dtype):
    """10,000 steps of numbers from 0 and the smallest to the largest of the dtype, in any combination."""
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    values = np.array([0, 1e-30, 1e-3, 1, 3, 50, 700, 1e5, 1e15, 1e25, info.tiny, info.max / 4, info.max])
    values = np.concatenate([values, -values]).astype(dtype)
    for O, K in ((1, 1), (1, 3), (3, 2), (7, 5)):
        y, target = rng.choice(values, (2500, K + 2 * K * O)), rng.choice(values, (2500, O))
        y[:500, K : K + K * O] = np.tile(target[:500], (1, K))  # a component upon the target, however narrow
        for weight in (None, rng.integers(0, 2, (2500, O)).astype(dtype)):
            total, _, d_y = mixture_density(y, target, weight)
            assert np.isfinite(total) and np.isfinite(d_y).all()
            assert d_y.dtype == dtype


def test_far_targets_still_pull():
    """Beyond what is told apart slopes keep their signs: mu goes to the target, sigma grows."""
    _, _, d_y = mixture_density(np.array([[0.0, 0.0, -80.0]], np.float32), np.array([[5.0]], np.float32))
    assert d_y[0, 1] < -1e20 and d_y[0, 2] < -1e20


def test_float32_is_as_exact_as_it_can_be():
    y, target = problem((200,), 3, 2, dtype=np.float32)
    total, weight_sum, d_y = mixture_density(y, target, np.ones(200))
    assert d_y.dtype == np.float32 and weight_sum == 200.0
    wanted, _, slopes = mixture_density(y.astype(float), target.astype(float))
    # 200 elements of up to 40, each a sum of terms that are rounded to 6e-8 of them
    assert total == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(d_y, slopes, rtol=2e-4, atol=1e-6 * np.abs(slopes).max())


def test_what_does_not_fit_is_refused():
    y = np.zeros((3, 4, 10))
    assert check_target("mixture_density", (3, 4, 10), np.zeros((3, 4, 2)), np.float32).shape == (3, 4, 2)
    assert check_target("mixture_density", (3, 4, 9), np.zeros((3, 4)), np.float32).shape == (3, 4, 1)
    assert check_target("mixture_density", (3, 9), [1, 2, 3], np.float32).tolist() == [[1], [2], [3]]
    with pytest.raises(ValueError, match=r"a multiple of 3 with O = 1 targets, got 10: let it end with MixtureDensity"):
        mixture_density(y, np.zeros((3, 4)))
    for target in (np.zeros((3, 1)), np.zeros((1, 4, 2)), np.zeros(3), np.zeros((3, 4, 2, 1))):
        with pytest.raises(
            ValueError, match=r"`target` of mixture_density must have shape \(3, 4, O\), or \(3, 4\) for"
        ):
            mixture_density(y, target)
    with pytest.raises(ValueError, match=r"`weight` must have shape \(3, 4\) or \(3, 4, 2\), got \(3, 4, 10\)"):
        mixture_density(y, np.zeros((3, 4, 2)), np.ones((3, 4, 10)))
    with pytest.raises(ValueError, match="`class_weight` must be None for a loss without classes"):
        mixture_density(y, np.zeros((3, 4, 2)), class_weight=np.ones(2))
    with pytest.raises(
        ValueError, match=r"`y` must be finite in float64, got nan at \(0, 0\): for targets that are miss"
    ):
        check_target("mixture_density", (1, 9), [[np.nan]], np.float64, argument="y")


@pytest.mark.parametrize("last", [False, True])
def test_training_sees_lengths_weights_and_missing_targets(last):
    """`loss_and_grad` beside the loss of the outputs that count; a step without any target weighs nothing."""
    rng = np.random.default_rng(1)
    model = Model(Dense(10), input_dim=2, seed=0, dtype="float64", return_sequences=not last)
    x, y = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 2) if last else (4, 5, 2))
    lengths, sample_weight = [5, 3, 1, 4], rng.uniform(0.5, 2, 4)
    gone = rng.random(y.shape) < 0.4
    gone[0], gone[1], gone[2, ..., 0] = True, False, True
    value, gradient = model.loss_and_grad(
        x,
        np.where(gone, np.nan, y),
        lengths=lengths,
        loss="mixture_density",
        sample_weight=sample_weight,
        missing="ignore",
    )
    outputs, tape = model.forward(x, lengths=lengths)
    counts = ~gone
    if not last:
        counts &= (np.arange(5) < np.array(lengths)[:, None])[..., None]
    weight = counts * sample_weight.reshape(-1, *[1] * (y.ndim - 1))
    total, weight_sum, d_y = mixture_density(outputs, y, weight)
    assert value == pytest.approx(total / weight_sum, rel=1e-13)
    np.testing.assert_allclose(gradient, model.backward(tape, d_y / weight_sum).theta, rtol=1e-11)


def test_training_and_evaluation_by_name():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5, 2))
    y = np.stack([x[:, :, 0] * 2 - 1, x[:, :, 1] ** 2], axis=-1)
    model = Model(Dense(10), input_dim=2, seed=0, dtype="float64")
    before = model.evaluate(x, y, loss="mixture_density")["loss"]
    outputs = model(x)
    assert before == pytest.approx(mixture_density(outputs, y)[0] / 30, rel=1e-13)
    model.fit(x, y, loss="mixture_density", epochs=30, batch_size=2, optimizer="adam", seed=0, verbose=False)
    assert model.evaluate(x, y)["loss"] < before - 0.5  # the loss that it was trained with

    def mean_error(y, target):
        return float(np.abs(losses.Mixture.of(y, 2).mean() - target).mean())

    found = model.evaluate(x, y, metrics=[mean_error], batch_size=4)["mean_error"]
    assert found == pytest.approx(np.abs(losses.Mixture.of(model(x), 2).mean() - y).mean(), rel=1e-12)
    with pytest.raises(
        ValueError, match="`metrics` must be functions for the loss mixture_density, .* got mse: take one"
    ):
        model.evaluate(x, y, metrics=["mse"])
    half = y.copy()
    half[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="`weight` of mean_error must be the same for all outputs of a step"):
        model.evaluate(x, half, metrics=[mean_error], missing="ignore")
