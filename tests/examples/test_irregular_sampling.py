"""Irregular sampling: the spring against its equation, the linear rival, and what networks are told."""

import numpy as np
import pytest


@pytest.fixture
def spring(example):
    return example("stiff_spring")


@pytest.fixture
def sampling(example):
    return example("irregular_sampling")


def test_the_mass_follows_its_equation(spring):
    """Central differences of a fine trajectory: second ones with h = 1e-3 have errors of h^2 s'''' / 12 < 1e-4."""
    h, n = 1e-3, 3
    state, places = np.array([[0.5, -1.0, 0.2], [1.0, 0.0, -2.0]]), []
    for k in range(400):
        places.append(state[0])
        state = spring.move(state, np.full(n, k * h), np.full(n, (k + 1) * h), np.sin)
    s, t = np.array(places), h * np.arange(400)[:, None]
    speed, acceleration = (s[2:] - s[:-2]) / (2 * h), (s[2:] - 2 * s[1:-1] + s[:-2]) / h**2
    w, z, a = spring.OMEGA, spring.DAMPING, spring.DRIVE
    wanted = -(w**2) * (s + s**3)[1:-1] - 2 * z * w * speed + a * np.sin(t[1:-1])
    np.testing.assert_allclose(acceleration, wanted, atol=1e-3)


def test_long_steps_are_divided(spring):
    """Runge and Kutta's error over a second in steps of 0.05 s is some 1e-4 here; that of one step is much more."""
    state = np.array([[0.5, -1.0], [1.0, 0.0]])
    once = spring.move(state, np.zeros(2), np.ones(2), np.sin)
    for k in range(1000):
        state = spring.move(state, np.full(2, k / 1000), np.full(2, (k + 1) / 1000), np.sin)
    np.testing.assert_allclose(once, state, atol=1e-3)


def test_records_have_random_times(spring):
    recorded = spring.record(200, 0.3, 5)
    gaps = np.diff(recorded.seconds, axis=1, prepend=0)
    assert gaps.min() >= spring.LEAST - 1e-9
    assert gaps.mean() == pytest.approx(0.3, rel=0.02)  # of 20,000 numbers, 3 standard deviations
    assert gaps.std() == pytest.approx(0.3, rel=0.05)
    assert recorded.force.shape == recorded.place.shape == (200, spring.STEPS, 1)
    assert np.array_equal(spring.record(200, 0.3, 5).place, recorded.place)
    assert not np.array_equal(spring.record(200, 0.3, 6).place, recorded.place)


def test_records_are_those_of_one_motion(spring, monkeypatch):
    """Fine steps change the places by the error of the method only; so a sample is where the mass then is."""
    rough = spring.record(20, 0.3, 5)
    monkeypatch.setattr(spring, "FINE", 0.005)
    np.testing.assert_allclose(spring.record(20, 0.3, 5).place, rough.place, atol=5e-3)


def test_the_force_is_put_on_a_grid(spring, monkeypatch):
    monkeypatch.setattr(spring, "LAGS", 6)
    recorded = spring.Recorded(np.array([[0.25, 0.45]]), np.array([[[1.0], [3.0]]]), np.zeros((1, 2, 1)))
    found = spring.resampled(recorded)
    np.testing.assert_allclose(found[0, 1], [3, 2, 1, 1, 1, 0], atol=1e-12)  # at .45, .35, .25, .15, .05, -.05
    np.testing.assert_allclose(found[0, 0], [1, 1, 1, 0, 0, 0], atol=1e-12)


def test_the_linear_forecast_knows_only_what_was(spring):
    known, asked = spring.record(30, 0.3, 1), spring.record(4, 0.3, 2)
    found = spring.linear(known, asked)
    later = asked.force.copy()
    later[:, 60:] = 7
    other = spring.linear(known, asked._replace(force=later, place=asked.place * 0))
    assert np.array_equal(found[:, :60], other[:, :60])
    assert not np.allclose(found[:, 60:], other[:, 60:])


def test_the_linear_forecast_learns_a_linear_thing(spring):
    """A mean of the force over 0.5 s, which lies on the grid."""
    known, asked = (spring.record(n, 0.3, seed) for n, seed in ((60, 1), (10, 2)))
    known, asked = (
        own._replace(place=spring.resampled(own)[:, :, :5].mean(2, keepdims=True)) for own in (known, asked)
    )
    assert spring.error(spring.linear(known, asked), asked) < 0.01  # the penalty's part
    assert spring.error(0 * asked.place, asked) == 1


def test_what_networks_are_told(sampling, spring):
    recorded = spring.record(3, 0.3, 1)
    gaps = np.diff(recorded.seconds, axis=1, prepend=0) / 0.3
    for name, setting in sampling.MODELS.items():
        x, dt = sampling.inputs(setting, recorded)
        assert np.array_equal(x[:, :, :1], recorded.force)
        way = name.split("_")[1]
        assert x.shape[2] == (2 if way in ("input", "both") else 1)
        assert (dt is not None) == (way in ("dt", "both"))
        if x.shape[2] == 2:
            np.testing.assert_allclose(x[:, :, 1], gaps, atol=1e-12)
        if dt is not None:
            np.testing.assert_allclose(dt, gaps, atol=1e-12)
    assert len(sampling.MODELS) == 10


def test_tests_are_no_part_of_the_training(sampling):
    known, tests = sampling.data(1)
    for own in (*tests.values(), sampling.data(0)[0]):
        assert not np.isin(own.force[:, -1], known.force[:, -1]).any()


def test_who_is_best_is_said(sampling):
    found = {"ltc_dt": [([0.1, 0.2, 0.5], 10), ([0.3, 0.2, 0.5], 10)], "gru_input": [([0.15, 0.3, 0.4], 10)]}
    said = sampling.verdict(found, [0.3, 0.3, 0.2])
    assert said.endswith("GRU, times as an input at 150 ms; LTC, dt at 300 ms; ridge regression at 600 ms.")
    rows = sampling.table(found, [0.3, 0.3, 0.2]).splitlines()
    assert rows[2] == "| LTC, dt | 10 | 20.0 ± 14.1 | 20.0 ± 0.0 | 50.0 ± 0.0 |"
    assert rows[4] == "| ridge regression on the resampled force | 100 | 30.0 | 30.0 | 20.0 |"


@pytest.mark.slow
@pytest.mark.sweep
def test_the_example_shows_what_time_is_good_for(run_example, tmp_path):
    done = run_example("irregular_sampling", "--quick", "--epochs", "20", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row.split(" | ")[0][2:]: float(row.split(" | ")[3]) for row in done.stdout.splitlines()[2:6]}
    assert rows["LTC, dt"] < 0.8 * rows["LTC, no times"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["irregular_sampling.png"]
