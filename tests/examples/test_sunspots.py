"""The example of sunspots: its linear forecasts, what a forecast knows, and its command line."""

import pathlib

import numpy as np
import pytest


@pytest.fixture
def sunspots(example):
    return example("sunspots")


@pytest.fixture
def file(tmp_path):
    """A cycle of eleven years, 1700 to 2008."""
    years = np.arange(1700, 2009)
    numbers = 60 + 50 * np.sin(2 * np.pi * years / 11)
    path = tmp_path / "cycle.csv"
    path.write_text("YEAR,NUMBER\n" + "".join(f"{y},{v:.3f}\n" for y, v in zip(years, numbers, strict=True)))
    return str(path)


def test_files_are_read_with_and_without_names(sunspots, file, tmp_path):
    years, numbers = sunspots.read(file)
    assert (years[0], years[-1], numbers.size) == (1700, 2008, 309)
    np.testing.assert_allclose(numbers, 60 + 50 * np.sin(2 * np.pi * years / 11), atol=6e-4)  # three digits
    (tmp_path / "bare.csv").write_text("\n".join(pathlib.Path(file).read_text().splitlines()[1:]))
    assert np.array_equal(sunspots.read(tmp_path / "bare.csv")[1], numbers)


def test_an_autoregression_finds_its_own_coefficients(sunspots, rng):
    """v(t) = 3 + 1.2 v(t-1) - 0.5 v(t-2), exactly; and what comes later takes no part in the fit."""
    v = [1.0, 2.0]
    for _ in range(60):
        v.append(3 + 1.2 * v[-1] - 0.5 * v[-2])
    v = np.array(v)
    np.testing.assert_allclose(sunspots.autoregression(v, 2, 40), v[40:], atol=1e-9)
    other = v.copy()
    other[50:] += rng.standard_normal(12)
    np.testing.assert_allclose(sunspots.autoregression(other, 2, 40)[:11], v[40:51], atol=1e-9)


def test_a_forecast_knows_nothing_of_its_year(sunspots, file):
    _, numbers = sunspots.read(file)
    other = numbers.copy()
    other[280:] = 0
    a, b = (sunspots.forecasts("ltc", 0, 1, values, 240, 1) for values in (numbers, other))
    assert a.shape == (69,)
    assert np.array_equal(a[:41], b[:41])  # to 280, which knows 279
    assert not np.allclose(a[41:], b[41:])


def test_numbers_are_the_squares_of_their_roots(sunspots):
    np.testing.assert_array_equal(sunspots.squared(np.array([-3.0, 0.0, 1.5, 12.0])), [0, 0, 2.25, 144])


@pytest.mark.slow
def test_the_example_forecasts_a_cycle(run_example, file, tmp_path):
    done = run_example("sunspots", file, "--seeds", "0", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row.split(" | ")[0][2:]: float(row.split(" | ")[1]) for row in done.stdout.splitlines()[2:]}
    titles = ["AR(9), roots", "5 LTCs, roots", "mean of AR(9) and the LTCs, roots"]
    assert list(rows) == ["the number of the year before", "AR(2)", "AR(9)", *titles]
    assert rows["AR(2)"] == rows["AR(9)"] == 0  # a sine is linear in its last two values; one digit
    assert max(rows[title] for title in titles) < 5 < 15 < rows["the number of the year before"]
    assert (tmp_path / "out/sunspots.png").read_bytes()[:4] == b"\x89PNG"


def test_the_example_refuses_nonsense(sunspots, file, tmp_path, capsys):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "text.csv").write_text("year,number\n1700,many\n")
    lines = pathlib.Path(file).read_text().splitlines()
    (tmp_path / "hole.csv").write_text("\n".join(lines[:100] + lines[101:]))
    (tmp_path / "old.csv").write_text("\n".join(lines[:200]))
    for args, words in (
        (["nowhere.csv"], "FILE nowhere.csv: [Errno 2] No such file"),
        ([str(tmp_path / "empty.csv")], 'must have lines "year,number"'),
        ([str(tmp_path / "text.csv")], 'must have lines "year,number"'),
        ([str(tmp_path / "hole.csv")], "must have every year"),
        ([str(tmp_path / "old.csv")], "must have every year, from 100 before 1940 to some after, got [1700. 1898.]"),
        ([file, "--write-docs", "--quick"], "--write-docs excludes --quick"),
    ):
        with pytest.raises(SystemExit) as stop:
            sunspots.main([*args, *([] if "--write-docs" in args else ["--no-plot"])])
        assert stop.value.code == 2
        assert words in capsys.readouterr().err
