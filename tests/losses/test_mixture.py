"""What users ask of a mixture: moments, samples, likelihoods and quantiles, against each other and against the loss."""

import statistics

import numpy as np
import pytest

from ltc_np.losses import Mixture, mixture_density


def outputs(shape=(3, 4), K=3, O=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1.5, (*shape, K + 2 * K * O))
    y[..., K + K * O :] = rng.uniform(-2, 0.5, (*shape, K * O))
    return y


def density(mixture, values):
    """p of one output at values (n,), for a mixture of a single step."""
    return np.exp(
        Mixture(*(np.broadcast_to(part, (len(values), *part.shape)) for part in mixture)).log_likelihood(values)
    )


@pytest.mark.parametrize("O", [1, 3])
def test_the_likelihood_is_minus_the_loss(O):
    y, target = outputs(O=O), np.random.default_rng(1).normal(size=(3, 4, O))
    found = Mixture.of(y, O).log_likelihood(target)
    assert found.shape == (3, 4)
    assert -found.sum() == pytest.approx(mixture_density(y, target)[0], rel=1e-14)
    single = mixture_density(y[1, 2][None], target[1, 2][None])[0]
    assert -found[1, 2] == pytest.approx(single, rel=1e-14)
    if O == 1:
        np.testing.assert_array_equal(Mixture.of(y, O).log_likelihood(target[..., 0]), found)


def test_moments_are_integrals_of_the_density():
    mixture = Mixture.of(outputs((), O=1))
    values, width = np.linspace(-30, 30, 60001, retstep=True)
    p = density(mixture, values)
    # The trapezoidal rule of what is smooth and vanishes at both ends is exact to rounding.
    assert width * p.sum() == pytest.approx(1, rel=1e-13)
    mean = width * (p * values).sum()
    assert mixture.mean() == pytest.approx([mean], rel=1e-12)
    assert mixture.std() == pytest.approx([np.sqrt(width * (p * (values - mean) ** 2).sum())], rel=1e-12)
    assert mixture.cdf([1.0]) == pytest.approx(
        [width * (p[values < 1 - width / 2].sum() + density(mixture, [1.0])[0] / 2)], rel=1e-6
    )


def test_samples_have_the_moments_and_the_shares():
    """Means, covariances and shares of 200,000 samples lie within five of their standard errors."""
    y = np.array([0.3, -0.5, 4.0, 3.0, -5.0, 2.0, -0.5, 0.2, -1.0, 0.0])
    mixture, n = Mixture.of(y, 2), 200_000
    draws = mixture.sample(np.random.default_rng(0), n)
    assert draws.shape == (n, 2)
    error = mixture.std() / np.sqrt(n)
    assert (np.abs(draws.mean(0) - mixture.mean()) < 5 * error).all()
    assert (np.abs(draws.std(0) - mixture.std()) < 5 * error).all()
    pi, mu = np.exp(mixture.log_pi), mixture.mu
    between = (pi[:, None] * (mu - mixture.mean())).T @ (mu - mixture.mean())
    assert abs(np.cov(draws.T)[0, 1] - between[0, 1]) < 5 * np.prod(mixture.std()) / np.sqrt(n) * 2
    first = (draws[:, 0] > 0.5).mean()  # the components lie 17 standard deviations apart there
    assert abs(first - pi[0]) < 5 * np.sqrt(pi[0] * pi[1] / n)


def test_samples_come_from_the_generator_alone():
    mixture = Mixture.of(outputs(), 2)
    assert mixture.sample(np.random.default_rng(0)).shape == (3, 4, 2)
    assert mixture.sample(np.random.default_rng(0), 5).shape == (5, 3, 4, 2)
    twice = [mixture.sample(np.random.default_rng(7), 5) for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    with pytest.raises(TypeError, match=r"`rng` must be a numpy.random.Generator, got 7: np.random.default_rng\(\)"):
        mixture.sample(7)


def test_quantiles_invert_the_distribution():
    levels = [1e-6, 0.05, 0.5, 0.95, 1 - 1e-6]
    mixture = Mixture.of(outputs(), 2)
    found = mixture.quantiles(levels)
    assert found.shape == (3, 4, 2, 5) and (np.diff(found) > 0).all()
    for q, level in enumerate(levels):
        # a quantile is rounded to 2e-16 of its size, times a density of at most 4
        np.testing.assert_allclose(mixture.cdf(found[..., q]), level, rtol=1e-9, atol=1e-15)
    assert mixture.quantiles(0.5).shape == (3, 4, 2, 1)


def test_one_component_is_the_normal_distribution():
    wanted = statistics.NormalDist(2.0, 0.5)
    mixture = Mixture.of([7.0, 2.0, np.log(0.5)])
    assert mixture.quantiles([0.1, 0.9]).tolist() == [
        pytest.approx([wanted.inv_cdf(0.1), wanted.inv_cdf(0.9)], rel=1e-14)
    ]
    assert mixture.cdf([2.3]) == pytest.approx([wanted.cdf(2.3)], rel=1e-14)
    assert np.exp(mixture.log_likelihood([2.3])) == pytest.approx(wanted.pdf(2.3), rel=1e-14)
    assert (mixture.mean().tolist(), mixture.std().tolist()) == ([2.0], pytest.approx([0.5], rel=1e-15))


def test_hostile_outputs_have_quantiles_and_samples():
    """Of 10,000 steps with numbers up to the largest of float32 nothing becomes NaN."""
    values = np.array([0, 1e-30, 1, 50, 1e5, 1e25, np.finfo(np.float32).max], np.float32)
    y = np.random.default_rng(0).choice([*values, *-values], (10_000, 9)).astype(np.float32)
    mixture = Mixture.of(y)
    found = [mixture.mean(), mixture.quantiles([0.1, 0.9]), mixture.sample(np.random.default_rng(0))]
    found += [mixture.cdf(np.ones(10_000)), mixture.log_likelihood(np.ones(10_000)), mixture.std()]
    assert all(np.isfinite(values).all() for values in found)


def test_what_is_no_mixture_is_refused():
    for y, outputs, message in (
        (np.zeros(7), 1, "a multiple of 3 with O = 1 targets, got 7"),
        (np.zeros((2, 0)), 1, "a multiple of 3 with O = 1 targets, got 0"),
        ([np.nan] * 3, 1, "`y` must be finite"),
        (3.0, 1, r"`y` must be \(..., K \+ 2 K O\), got a number, 3.0"),
        (np.zeros(3), 0, "`outputs` must be an int >= 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Mixture.of(y, outputs)
    mixture = Mixture.of(np.zeros((4, 5)), 2)
    for ask in (mixture.log_likelihood, mixture.cdf):
        with pytest.raises(ValueError, match=r"`target` must have shape \(4, 2\), got \(4,\)"):
            ask(np.zeros(4))
    with pytest.raises(ValueError, match=r"`levels\[0\]` must be a finite number in \(0, 1\), got 1"):
        mixture.quantiles([1.0])
