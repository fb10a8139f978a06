"""Missing hours: what the meter shows, what forecasts know, and what a forecast is judged by."""

import numpy as np
import pytest


@pytest.fixture
def demand(example):
    return example("demand")


@pytest.fixture
def hours(example):
    return example("missing_hours")


@pytest.fixture
def some(demand, rng):
    """Twelve days of a meter that fails."""
    true = rng.standard_normal((12, 24))
    return demand.Days(true, np.where(demand.failing(12, rng), np.nan, true))


@pytest.fixture
def files(tmp_path, rng):
    """800 days, each a sine that begins where it likes, in two files."""
    paths = []
    for name, n in (("train.ts", 100), ("test.ts", 700)):
        days = np.sin(2 * np.pi * (np.arange(24) / 24 + rng.random((n, 1))))
        lines = ["#", "@data", *(",".join(f"{v:.6f}" for v in day) + ":1" for day in days)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        paths.append(str(tmp_path / name))
    return paths


def test_the_meter_fails_as_often_as_it_should(demand, rng):
    failed = demand.failing(20_000, rng)
    assert not failed[:, 0].any()
    works = ~failed[:, :-1]
    assert failed[:, 1:][works].mean() == pytest.approx(demand.FAILS, abs=0.002)  # 300,000: 4 standard deviations
    assert failed[:, 1:][~works].mean() == pytest.approx(1 - demand.WORKS, abs=0.006)


def test_targets_lie_ahead(demand):
    later = demand.ahead(np.arange(24.0)[None])
    assert later[0, 5].tolist() == [6, 7, 8]
    np.testing.assert_array_equal(later[0, 21:], [[22, 23, np.nan], [23, np.nan, np.nan], [np.nan] * 3])


def test_errors_count_forecasts_of_seen_hours_against_the_truth(demand):
    true = np.zeros((1, 24))
    true[0, 3] = 2.0
    seen = np.full((1, 24), np.nan)
    seen[0, [1, 2]] = 0.0  # forecasts at 1 and 2; the third hour, which was lost, is judged nevertheless
    found = demand.errors(np.zeros((1, 24, 3)), demand.Days(true, seen))
    np.testing.assert_allclose(found, [2 / 2**0.5, 2 / 2**0.5, 0])


def test_the_last_value_and_the_mean_day(demand):
    seen = np.full((2, 24), np.nan)
    seen[:, 0], seen[0, 2], seen[1, 2] = [1.0, 5.0], 3.0, 5.0
    seen[:, 3:] = 0.0
    days = demand.Days(seen, seen)
    assert demand.last_value(days)[:, :3].tolist() == [[[1] * 3, [1] * 3, [3] * 3], [[5] * 3, [5] * 3, [5] * 3]]
    seen[:, 1] = [np.nan, 7.0]
    assert demand.mean_day(days, days)[0, 0].tolist() == [7, 4, 0]


def test_linear_forecasts_learn_a_linear_thing_and_know_only_what_was(demand, rng):
    """Each hour is 0.5 of that before and 0.2 of that before it: without failures, exactly."""
    true = rng.standard_normal((200, 24))
    for hour in range(2, 24):
        true[:, hour] = 0.5 * true[:, hour - 1] + 0.2 * true[:, hour - 2]
    days = demand.Days(true, true)
    assert demand.errors(demand.linear(days, days, 1e-9), days).max() < 0.4  # the second hour is random
    np.testing.assert_allclose(demand.linear(days, days, 1e-9)[:, 1:-1, 0], true[:, 2:], atol=1e-5)
    other = true.copy()
    other[:, 10:] = 9
    a, b = (demand.linear(days, demand.Days(own, own), 1.0) for own in (true, other))
    assert np.array_equal(a[:, :10], b[:, :10], equal_nan=True)
    assert not np.allclose(a[:, 10:-1, 0], b[:, 10:-1, 0])


def test_nobody_is_taught_what_was_lost(demand, hours, some):
    """What is not seen may be anything: targets and inputs are the same, and so are linear forecasts."""
    other = demand.Days(np.where(np.isnan(some.seen), 1e6, some.true), some.seen)
    for setting in hours.MODELS.values():
        for key, own in hours.taught(setting, some).items():
            for a, b in zip(own, hours.taught(setting, other)[key], strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(demand.linear(some, some, 1.0), demand.linear(other, other, 1.0))


def test_hours_that_are_left_out_are_in_dt(hours, some):
    found = hours.taught(hours.MODELS["ltc_dt"], some)
    for day, (x, dt, y) in enumerate(zip(found["x"], found["dt"], found["y"], strict=True)):
        at = np.cumsum(dt).astype(int) - 1
        np.testing.assert_array_equal(at, np.flatnonzero(~np.isnan(some.seen[day])))
        np.testing.assert_array_equal(x[:, 0], some.seen[day, at])
        np.testing.assert_allclose(x[:, 1] ** 2 + x[:, 2] ** 2, 1)
        for step, hour in enumerate(at):
            for k in (1, 2, 3):
                want = some.seen[day, hour + k] if hour + k < 24 else np.nan
                np.testing.assert_array_equal(y[step, k - 1], want)


def test_both_ways_forecast_the_same_hours(hours, some):
    for name in ("cfc_filled", "cfc_dt"):
        model = hours.trained(hours.MODELS[name], some, some, 0, 1)
        found = hours.forecast(model, hours.MODELS[name], some)
        assert found.shape == (12, 24, 3)
        assert np.isfinite(found[~np.isnan(some.seen)]).all()


def test_who_wins_is_said(hours):
    found = {"ltc_dt": [([0.2, 0.2, 0.2], 10)], "cfc_dt": [([0.3, 0.3, 0.3], 20)]}
    said = hours.verdict(found, {"ridge regression": np.array([0.25] * 3)})
    assert said == "Least errors: **LTC, left out, dt**, over the three hours 20 % less than ridge."
    assert "**Ridge regression wins**" in hours.verdict(found, {"ridge regression": np.array([0.1] * 3)})


@pytest.mark.slow
def test_the_example_forecasts_sines(run_example, files, tmp_path):
    done = run_example("missing_hours", *files, "--seeds", "0", "--models", "gru_filled", "--output", "o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in row.split("|")] for row in done.stdout.splitlines()[2:6]]
    rows = {title: float(one_hour) for _, title, _, one_hour, *_ in cells}
    assert rows["GRU, filled in"] < 0.5 * rows["the last value"] < rows["the mean day"]
    assert (tmp_path / "o/missing_hours.png").read_bytes()[:4] == b"\x89PNG"


def test_the_example_refuses_nonsense(hours, files, tmp_path, capsys):
    (tmp_path / "empty.ts").write_text("1,2:1\n")
    (tmp_path / "text.ts").write_text("@data\none:1\n")
    (tmp_path / "short.ts").write_text("@data\n1,2:1\n")
    for args, words in (
        (files[:1], "give the paths of all 2 files"),
        ([files[0], "nowhere.ts"], "No such file or directory: 'nowhere.ts'"),
        ([files[0], str(tmp_path / "empty.ts")], "must have lines of days after @data"),
        ([files[0], str(tmp_path / "text.ts")], "line 2 must have numbers"),
        ([files[0], str(tmp_path / "short.ts")], "line 2 must have 24 hours, got 2"),
        ([files[0], files[0]], "must have more than 750 days in all, got 200"),
    ):
        with pytest.raises(SystemExit) as stop:
            hours.main([*args, "--no-plot"])
        assert stop.value.code == 2
        assert words in capsys.readouterr().err.splitlines()[-1]
