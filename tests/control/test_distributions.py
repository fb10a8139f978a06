"""Distributions of actions: normal, right by quadrature, and their derivatives by finite differences."""

import numpy as np
import pytest

from ltc_np import Dense, MixtureDensity, Model
from ltc_np.control import Categorical, Gaussian, MixtureOfGaussians, SquashedGaussian
from ltc_np.control.distributions import check_outputs

LOW, HIGH = np.array([-2.0, 0.0]), np.array([2.0, 3.0])
KINDS = {
    "categorical": Categorical(4, start=1),
    "gaussian": Gaussian(LOW, HIGH, log_deviation=-0.4),
    "squashed": SquashedGaussian(LOW, HIGH, log_deviation=-0.2),
    "mixture": MixtureOfGaussians(LOW, HIGH, components=3),
}


def case(kind, N=5):
    rng = np.random.default_rng(3)
    y = rng.normal(0, 0.8, (N, kind.outputs))
    own = kind.initial() + rng.normal(0, 0.3, kind.own)
    return y, own, kind.sample(y, own, rng), rng.normal(0, 1, N)


def difference(f, at, step=1e-6):
    """d(sum f) / d(at) by central differences."""
    found = np.zeros(at.size)
    for k in range(at.size):
        ahead, back = (at.copy() for _ in range(2))
        ahead.flat[k] += step
        back.flat[k] -= step
        found[k] = (f(ahead) - f(back)) / (2 * step)
    return found.reshape(at.shape)


@pytest.mark.parametrize("name", KINDS)
def test_derivatives(name):
    kind = KINDS[name]
    y, own, draws, d = case(kind)
    for what, adjoint in (
        (lambda y, own: kind.log_probability(y, own, draws), kind.d_log_probability(y, own, draws, d)),
        (kind.entropy, kind.d_entropy(y, own, d)),
    ):
        assert np.abs(adjoint.y - difference(lambda v, f=what: f(v, own) @ d, y)).max() < 1e-8
        assert np.abs(adjoint.own - difference(lambda v, f=what: f(y, v) @ d, own)).max(initial=0) < 1e-8


@pytest.mark.parametrize("name", ["gaussian", "squashed", "mixture"])
def test_densities_have_mass_1_and_the_entropy_that_is_said(name):
    """By a grid of 20,001 points of one action.  A squashed density is one of tanh(u), of slope 1 - tanh(u)**2."""
    kind = type(KINDS[name])(LOW[:1], HIGH[:1])
    y = np.random.default_rng(1).normal(0, 0.7, (1, kind.outputs))
    own, u = kind.initial() - 0.3 * np.ones(kind.own), np.linspace(-12, 12, 20_001)
    log_p = kind.log_probability(np.repeat(y, len(u), axis=0), own, u[:, None])
    mass = np.exp(log_p) * (u[1] - u[0]) * ((1 / np.cosh(u) ** 2) if name == "squashed" else 1)
    assert abs(mass.sum() - 1) < 1e-9
    entropy, said = -(mass * log_p).sum(), kind.entropy(y, own)[0]
    if name == "mixture":  # that of component and action together
        assert entropy < said < entropy + np.log(kind.components)
    else:
        assert abs(entropy - said) < 1e-6


def test_draws_come_as_often_as_they_are_likely():
    """20,000 draws: the share of a choice is right to 4 standard errors."""
    kind, rng = KINDS["categorical"], np.random.default_rng(0)
    y = np.array([[0.3, -1.0, 0.8, 0.0]])
    p = np.exp(kind.log_probability(np.repeat(y, 4, axis=0), kind.initial(), np.arange(4)))
    drawn = np.bincount(kind.sample(np.repeat(y, 20_000, axis=0), kind.initial(), rng), minlength=4) / 20_000
    assert (np.abs(drawn - p) < 4 * np.sqrt(p * (1 - p) / 20_000)).all()


@pytest.mark.parametrize("name", ["gaussian", "squashed", "mixture"])
def test_draws_have_the_mean_and_deviation_of_the_density(name):
    kind, rng = KINDS[name], np.random.default_rng(0)
    y, own, _, _ = case(kind, 1)
    draws = kind.sample(np.repeat(y, 20_000, axis=0), own, rng)
    wanted, deviation = (y[0], np.exp(own)) if name != "mixture" else mixture_moments(kind, y)
    assert (np.abs(draws.mean(axis=0) - wanted) < 4 * deviation / np.sqrt(20_000)).all()
    assert np.allclose(draws.std(axis=0), deviation, rtol=0.03)


def mixture_moments(kind, y):
    from ltc_np.losses import Mixture

    found = Mixture.of(y, 2)
    return found.mean()[0], found.std()[0]


def test_the_mode_of_a_mixture_is_where_the_density_of_a_component_is_largest(rng):
    """At its own mean, by a product over the actions."""
    y = rng.normal(0, 1, (200, KINDS["mixture"].outputs))
    pi, mu, sigma = y[:, :3], y[:, 3:9].reshape(-1, 3, 2), np.exp(y[:, 9:]).reshape(-1, 3, 2)
    heights = np.exp(pi) / (sigma[..., 0] * sigma[..., 1])
    assert np.array_equal(KINDS["mixture"].mode(y), mu[np.arange(200), heights.argmax(axis=1)])


def test_actions_keep_to_the_bounds_and_come_back():
    far = np.array([[-50.0, 0.25], [0.5, 40.0]])
    for name in ("gaussian", "squashed", "mixture"):
        kind = KINDS[name]
        found = kind.actions(far)
        assert (found >= LOW).all() and (found <= HIGH).all() and found[0, 0] == -2 and found[1, 1] == 3
        inside = np.array([[0.3, -0.6]])
        assert np.allclose(kind.draws(kind.actions(inside)), inside, atol=1e-12)
    assert KINDS["categorical"].actions(np.array([0, 3])).tolist() == [1, 4]
    assert KINDS["categorical"].draws([1, 4]).tolist() == [0, 3]
    most = np.finfo(float).max  # of which twice as much is infinite
    assert Gaussian([-most, most / 2], [most, most]).actions(np.zeros((1, 2))).tolist() == [[0.0, 0.75 * most]]
    unbounded = Gaussian([-np.inf], [np.inf])
    assert unbounded.actions(np.array([[7.5]])).tolist() == [[7.5]]


def test_the_entropy_of_a_mixture_is_that_of_component_and_action():
    """The mean over components of their normal entropy, and the entropy of the choice among them."""
    kind = KINDS["mixture"]
    y, own, _, _ = case(kind)
    log_pi, log_sigma = y[:, :3] - np.log(np.exp(y[:, :3]).sum(axis=1, keepdims=True)), y[:, 9:].reshape(-1, 3, 2)
    normal = (0.5 * np.log(2 * np.pi * np.e) + log_sigma).sum(axis=2)
    assert np.allclose(kind.entropy(y, own), (np.exp(log_pi) * (normal - log_pi)).sum(axis=1), rtol=1e-12)


def test_usual_arguments():
    """Are those of the documentation; draws of squashed bounds are as far out as rounding lets them."""
    assert Categorical(3) == Categorical(3, start=0) and Gaussian(LOW, HIGH) == Gaussian(LOW, HIGH, 0.0)
    assert MixtureOfGaussians(LOW, HIGH).outputs == 5 * (1 + 2 * 2) and MixtureOfGaussians(LOW, HIGH).own == 0
    assert KINDS["gaussian"].initial().tolist() == [-0.4, -0.4] and KINDS["squashed"].initial().tolist() == [-0.2, -0.2]
    assert SquashedGaussian(LOW, HIGH).draws([[-2.0, 3.0]]) == pytest.approx(np.arctanh([[1e-6 - 1, 1 - 1e-6]]))
    y = np.array([[0.3, -4.0]])
    assert np.array_equal(KINDS["squashed"].mode(y), y) and KINDS["squashed"].mode(y.astype("f")).dtype == np.float64


def test_extremes_are_finite():
    """A squashed draw of 400 has a slope below the smallest number, and a logarithm of it."""
    kind = SquashedGaussian(LOW, HIGH)
    y, draws = np.zeros((1, 2)), np.array([[400.0, -400.0]])
    wanted = -(400.0**2) - np.log(2 * np.pi) - 2 * 2 * (np.log(2) - 400)
    assert kind.log_probability(y, kind.initial(), draws) == pytest.approx(wanted, rel=1e-12)
    assert np.isfinite(kind.draws(np.array([[-2.0, 3.0]]))).all()
    sure = np.array([[900.0, -900.0]])
    assert Categorical(2).entropy(sure, np.zeros(0)) == 0
    assert Categorical(2).log_probability(sure, np.zeros(0), np.array([1])) == -1800


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="low < high"):
        Gaussian([0.0], [0.0])
    for low, high in (([-np.inf], [1.0]), ([-1.0, -1.0], [1.0, np.inf])):
        with pytest.raises(ValueError, match="finite for a squashed"):
            SquashedGaussian(low, high)
    for wrong in ([0], [5], [1, 4, 5], [2.0], [True]):
        with pytest.raises((TypeError, ValueError), match=r"`actions` must be integers( in 1\.\.4)?"):
            KINDS["categorical"].draws(wrong)
    assert KINDS["categorical"].draws(np.zeros(0, int)).tolist() == []
    for low, high in (([0.0, 0.0], [1.0]), ([[0.0]], [[1.0]]), ([], []), ([1.0, 0.0], [2.0, 0.0])):
        with pytest.raises(ValueError, match="`low` and `high` must be"):
            Gaussian(low, high)
    for wrong in (-20.5, 20.5):
        with pytest.raises(ValueError, match="`log_deviation` must be"):
            Gaussian([0.0], [1.0], wrong)
    for wrong in (np.zeros(2), np.zeros((1, 3))):
        with pytest.raises(ValueError, match=r"`actions` must have shape \(N, 2\)"):
            KINDS["gaussian"].draws(wrong)
    with pytest.raises(ValueError, match="`actions` must be finite"):
        KINDS["gaussian"].draws([[np.nan, 0.0]])
    with pytest.raises(ValueError, match=r"end with Dense\(4\)"):
        check_outputs(KINDS["categorical"], 3)
    with pytest.raises(ValueError, match=r"MixtureDensity\(2, components=3\)"):
        check_outputs(KINDS["mixture"], 3)
    check_outputs(KINDS["mixture"], Model(MixtureDensity(2, components=3), input_dim=1).output_size)
    check_outputs(KINDS["gaussian"], Model(Dense(2), input_dim=1).output_size)


@pytest.mark.parametrize("name", ["gaussian", "squashed", "mixture"])
def test_actions_beyond_the_bounds_have_no_draw(name):
    """But for the rounding of numbers with 32 bits."""
    kind = KINDS[name]
    for wrong in ([[-2.1, 1.0]], [[0.0, 3.0000075]], [[0.0, -1e-4]]):
        with pytest.raises(ValueError, match="`actions` must lie in"):
            kind.draws(wrong)
    assert np.isfinite(kind.draws([[-2.0000001, 3.0000002]])).all()
    wide, narrow = ([factor * LOW, factor * HIGH] for factor in (1e6, 1e-3))  # rounding is relative to them
    assert np.isfinite(type(kind)(*wide).draws([[-2.0000001e6, 3.0000002e6]])).all()
    with pytest.raises(ValueError, match="`actions` must lie in"):
        type(kind)(*narrow).draws([[-2.0001e-3, 1e-3]])
    assert Gaussian([0.0], [np.inf]).draws([[1e9]]).tolist() == [[1e9]]
