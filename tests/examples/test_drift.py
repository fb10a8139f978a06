"""Streams that drift: the ride against a loop over one cart, errors and steps against a search, and the page's bars."""

import re

import numpy as np
import pytest
from support import ROOT

from ltc_np import LTC, AutoNCP, Dense, Model
from ltc_np.online import NLMS, Learner


@pytest.fixture
def drift(example):
    return example("drift")


def test_a_ride_is_what_sensors_and_motor_say(drift, example, monkeypatch):
    """Without noise: targets are the changes of both speeds under the force, the mass and the time that inputs name."""
    plant = example("cart_pole")
    monkeypatch.setattr(drift, "NOISE", np.zeros(3))
    masses = {"mass": lambda t: 1.0 if t < 5 else 1.7, "gain": lambda t: 1.0 if t < 8 else 1.3}
    x, y, dt = drift.ride(3, 12, np.random.default_rng(0), **masses)
    plain, _, _ = drift.ride(3, 12, np.random.default_rng(0), mass=masses["mass"])
    np.testing.assert_allclose(x[:, :, 1] / plain[:, :, 1], np.where(np.arange(12) < 8, 1.0, 1.3)[None].repeat(3, 0))
    np.testing.assert_array_equal(x[:, :, [0, 2, 3]], plain[:, :, [0, 2, 3]])  # the expert looks at the cart itself
    speed, angle, turn = (plain[:, :, k] * drift.SCALE[k] for k in range(3))
    state = np.stack([np.zeros_like(speed), speed, angle, turn], axis=-1)
    for t in range(12):
        moved = plant.move(state[:, t], x[:, t, 3] * plant.FORCE, dt[:, t] * drift.MEAN, masses["mass"](t))
        np.testing.assert_allclose(y[:, t], (moved - state[:, t])[:, [1, 3]], rtol=1e-9, atol=1e-12)
    assert 0 < dt.min() < 0.5 < dt.max()
    with pytest.raises(ValueError, match="must stay on the track, got one that does not at sample"):
        drift.ride(3, 400, np.random.default_rng(0), mass=lambda t: 9.0)


def test_a_heavier_cart_follows_lagrange_s_equations(example, rng):
    """The force on both masses is their momentum's change, and the rod's turning that of the moments about its end."""
    plant, mass = example("cart_pole"), 1.7
    for _ in range(20):
        state, force = rng.normal(size=4) * [1, 1, 2, 3], rng.normal() * 5
        _, a, _, turn = plant.motion(state, force, mass)
        sin, cos, w = np.sin(state[2]), np.cos(state[2]), state[3]
        momentum = (mass + plant.POLE) * a + plant.POLE * plant.HALF * (turn * cos - w**2 * sin)
        assert momentum == pytest.approx(force, rel=1e-9, abs=1e-9)
        assert 4 / 3 * plant.HALF * turn + a * cos == pytest.approx(plant.GRAVITY * sin, rel=1e-9, abs=1e-9)


def test_to_follow_is_to_answer_before_it_learns(drift):
    model = Model(LTC(AutoNCP(6, 2)), Dense(2), input_dim=4, seed=0)
    rng = np.random.default_rng(0)
    x, y, dt = rng.normal(size=(9, 4)), rng.normal(size=(9, 2)), rng.uniform(0, 2, 9)
    found, learner = drift.follow(model, x, y, dt, rule=NLMS(0.5)), Learner(model, NLMS(0.5))
    for t in range(9):
        np.testing.assert_allclose(found[t], (y[t] - learner.predict(x[t], dt=dt[t])) ** 2, rtol=1e-5)
        learner.learn(y[t])


def test_an_error_is_back_after_the_first_window_that_is_small_enough(drift):
    phase, rng = 1500, np.random.default_rng(0)
    errors = rng.uniform(0.5, 1.5, (2, 3 * phase))
    errors[:, phase : phase + 400] *= 5
    errors[:, 2 * phase - 400 : 2 * phase] *= 4  # which is not the error to come back to
    limit = 1.2**2 * errors[:, 1000:1500].mean()
    slow = next(n for n in range(250, phase) if errors[:, phase + n - 250 : phase + n].mean() <= limit)
    assert drift.steps_back(errors, phase, phase) == slow > 400
    assert drift.steps_back(errors, 2 * phase, phase) == 250
    errors[:, 2 * phase :] *= 1.5
    assert drift.steps_back(errors, 2 * phase, phase) is None
    assert drift.rms(np.array([0.01, 0.03])) == pytest.approx(100 * 0.02**0.5)


def test_devices_are_cut_where_the_next_one_begins(drift):
    errors = np.zeros(11532)
    errors[:1000], errors[1000:1090], errors[1090:4436], errors[7923:] = 99, 1, 4, 9
    assert drift.by_device(errors)[:-1] == [1, 2, 0, 0, 3]
    assert drift.by_device(errors)[-1] == pytest.approx(errors[1000:].mean() ** 0.5)


def test_lines_forecast_what_is_linear(drift):
    """Two waves are a linear function of the steps before; the season of ten steps is exact where there is one."""
    t = np.arange(1500)
    found = drift.without_networks(np.sin(0.7 * t) + np.cos(0.2 * t))
    line, season = (next(own for title, own in found.items() if word in title) for word in ("RLS", "the value"))
    assert line[1000:].max() < 1e-6 < season[1000:].mean()
    assert drift.without_networks(np.cos(2 * np.pi * t / 10))[next(iter(found))][10:].max() < 1e-20


def test_files_that_are_none_are_named(drift, tmp_path):
    file = tmp_path / "devices.csv"
    for text, message in (("1,x\n", 'must have lines "step,power"'), ("1,2\n2,3\n", "more than 7,923 steps, got 2")):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            drift.read(file)


@pytest.mark.slow
def test_it_runs(run_example, tmp_path):
    file = tmp_path / "devices.csv"
    file.write_text("".join(f"{k},{np.sin(0.6 * k):.6f}\n" for k in range(8000)))
    done = run_example("drift", str(file), "--quick", "--epochs", "2", "--output", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| the readout, RLS |") == 2
    assert (tmp_path / "out" / "drift.png").read_bytes()[:4] == b"\x89PNG"


def of_the_page():
    """{who: cells} of the table of the cart in docs/results.md."""
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    own = re.search(r"^## Drift\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]
    rows = re.findall(r"^\| (\w[^|]*) \|(.*)\|$", own.split("The readout learns by")[0], re.M)
    return {title: [cell.strip() for cell in cells.split("|")] for title, cells in rows}


def test_what_the_page_says_holds_the_bars(drift):
    """Of ten seeds: back at 1.2 times the error before, in the steps that the story names, and never 5 % worse."""
    rows = of_the_page()
    assert list(rows) == [drift.FROZEN, *drift.LEARNERS, drift.AGAIN]
    story = (ROOT / "docs" / "online.md").read_text(encoding="utf-8")
    _, whole = drift.LEARNERS
    backs = [int(rows[whole][k].replace(",", "")) for k in (3, 6)]
    assert max(backs) == int(re.search(r"is back within\s(\d+)\ssamples", story)[1])
    assert all(float(rows[title][7]) <= 1.05 for title in drift.LEARNERS)
    assert rows[drift.FROZEN][3] == rows[drift.FROZEN][6] == "never"


def test_numbers_of_the_story_are_those_of_the_results(drift):
    story = (ROOT / "docs" / "online.md").read_text(encoding="utf-8")
    told = re.search(r"^## When to adapt.*?(?=^## )", story, re.M | re.S)[0]
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").split("## Drift\n")[1]
    numbers = re.findall(r"(\d+\.\d+ %|0\.\d+)", told)
    assert len(numbers) > 6
    for number in numbers:
        assert number in results or f"1.{round(float(number[:-2]) * 10):03d} times" in results, number
