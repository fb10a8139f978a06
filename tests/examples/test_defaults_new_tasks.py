"""Tasks on which no default was chosen: they are what they say, and are cut once."""

import numpy as np
import pytest

from ltc_np.recipe import Recipe

GENERATED = "order", "tones", "spring", "lorenz", "narma"


@pytest.fixture
def new(example):
    return example("defaults_new_tasks")


@pytest.fixture
def folder(example, tmp_path, monkeypatch):
    """A folder in the place of all packages; the function makes a path in it."""
    monkeypatch.setattr(example("data_files"), "found", lambda places: tmp_path / places[0][1])

    def path(name):
        file = tmp_path / "datasets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    return path


def named(new, name):
    return next(task for task in new.NEW if task.name == name)


def rows_of(known):
    return {row.tobytes() for row in known["x"]}


def integrated(slope, state, times, steps=2000):
    """``state`` (k, n) a time (n,) later by midpoint steps, whose error falls with the square of the step."""
    h = times / steps
    for _ in range(steps):
        state = state + h * slope(state + h / 2 * slope(state))
    return state


def test_they_are_others_and_are_trained_as_a_recipe_says(example, new):
    names = [task.name for task in (*example("defaults_tasks").TASKS, *new.NEW)]
    assert len(set(names)) == len(names)
    assert len(new.NEW) == 10
    assert {task.name for task in new.NEW if task.sizes} == {task.name for task in new.NEW if task.small}
    trained_for, recipe = example("defaults_trainings").trained_for, Recipe()
    for task in new.NEW:
        for sequences in (36, 160, 600):
            assert trained_for(task, recipe, sequences) == recipe.epochs_for(sequences, every_step=task.every_step)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_sets_are_cut_once(new, name):
    task = named(new, name)
    assert task.sizes
    split, again = (task.make(None, fold, (60, 40, 50)) for fold in (0, 3))
    assert [len(known["x"]) for known in split] == [60, 40, 100, 50]
    for known, same in zip(split, again, strict=True):
        assert all(np.array_equal(array, same[part]) for part, array in known.items())
        assert all(np.isfinite(array).all() for array in known.values())
        assert known["y"].shape[1:] == (() if task.classes else (*known["x"].shape[1 : 1 + task.every_step], 1))
        assert not task.classes or set(known["y"]) == set(range(task.classes))
    for part, array in split.whole.items():
        assert np.array_equal(array, np.concatenate([split.train[part], split.valid[part]]))
    parts = [rows_of(known) for known in (split.train, split.valid, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 150


def test_symbols_that_count(new):
    known = named(new, "order").make(None, 0, (50, 5, 5)).train
    for x, y, length in zip(known["x"], known["y"], known["lengths"], strict=True):
        assert (x[:length].sum(1) == 1).all()
        assert not x[length:].any()
        symbols = x[:length].argmax(1)
        assert 100 <= length <= 110
        assert symbols[0] == 6
        assert symbols[-1] == 7
        first, second = np.flatnonzero(symbols < 2)
        assert 10 <= first <= 20
        assert 50 <= second <= 60
        assert y == 2 * symbols[first] + symbols[second]
        assert set(np.delete(symbols, [0, first, second, length - 1])) <= {2, 3, 4, 5}


def test_phases_are_the_integral_of_the_frequency(new):
    middles = (np.arange(4000) + 0.5) / 4000
    frequency = 5 * (1 + 0.4 * (2 * middles - 1))
    want = 2 * np.pi * np.cumsum(frequency) / 4000
    np.testing.assert_allclose(new.phases(np.arange(1, 4001) / 4000, 5, 0.4), want, atol=1e-9)


def test_tones_rise_where_they_say_so(new, monkeypatch):
    """Without noise, by how often a tone changes its sign in each half; a missing sample may hide a change or two."""
    monkeypatch.setattr(new, "TONE_NOISE", 0)
    known = named(new, "tones").make(None, 0, (300, 1, 1)).train
    assert np.array_equal(known["x"][:, :, 1], known["dt"])
    places = known["dt"].cumsum(1) - 1
    assert (known["dt"] >= 1).all()
    assert places.max() == new.GRID - 1
    tone = np.array([np.interp(np.arange(new.GRID), *row) for row in zip(places, known["x"][:, :, 0], strict=True)])
    assert np.abs(tone).max() <= 1
    changes = np.diff(np.sign(tone), axis=1) != 0
    half = new.GRID // 2
    more = changes[:, half:].sum(1) - changes[:, : half - 1].sum(1)
    means = [more[known["y"] == kind].mean() for kind in range(3)]
    np.testing.assert_allclose(means, [-2.7, 0, 2.7], atol=1)  # 2 of 6 cycles, which 0.45 moves from half to half


def test_the_spring_obeys_its_equation(new, rng):
    stiffness, friction = rng.uniform([[0.04], [0]], [[1], [0.1]], (2, 4))
    place, speed = rng.uniform(-1, 1, (2, 4))
    times = rng.uniform(1, 8, 4)
    want = integrated(
        lambda own: np.stack([own[1], -stiffness * own[0] - friction * own[1]]), np.stack([place, speed]), times
    )
    np.testing.assert_allclose(new.swing(times, stiffness, friction, place, speed), want[0], atol=1e-5)


def test_the_stiffness_is_that_of_the_samples(new, monkeypatch):
    """The two solutions of the equation with this stiffness fit what is seen, and with another one they do not."""
    monkeypatch.setattr(new, "SPRING_NOISE", 0)
    known = named(new, "spring").make(None, 0, (10, 1, 1)).train
    assert np.array_equal(known["x"][:, :, 1], known["dt"])

    def missed(seen, times, stiffness, friction):
        both = np.stack([new.swing(times, stiffness, friction, *start) for start in np.eye(2)], axis=1)
        return np.square(seen - both @ np.linalg.lstsq(both, seen, rcond=None)[0]).mean() / np.square(seen).mean()

    for x, (y,), dt in zip(*(known[part].astype(float) for part in ("x", "y", "dt")), strict=True):
        errors = [
            min(missed(x[:, 0], dt.cumsum(), factor * y, friction) for friction in np.linspace(0, 0.1, 101))
            for factor in (1, 1.2)
        ]
        assert errors[0] < 1e-4
        assert errors[1] > 1e-2


def test_lorenz_obeys_its_equations(new, rng):
    state, times = rng.uniform([[-10], [-10], [15]], [[10], [10], [35]], (3, 5)), rng.exponential(0.05, 5)

    def slope(own):
        x, y, z = own
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 * z / 3])

    np.testing.assert_allclose(new.lorenz_after(state, times), integrated(slope, state, times), rtol=2e-5)
    ahead = np.full(5, new.AHEAD)
    np.testing.assert_allclose(new.lorenz_after(state, ahead), integrated(slope, state, ahead), rtol=1e-4)


def test_when_lorenz_is_seen_and_asked(new, monkeypatch):
    """In the place of the system a clock, of which the time can be read."""
    monkeypatch.setattr(new, "lorenz_after", lambda state, times: state + times)
    known = named(new, "lorenz").make(None, 0, (4, 1, 1)).train
    x, dt = known["x"].transpose(2, 0, 1)
    assert np.array_equal(dt, known["dt"])
    np.testing.assert_allclose(np.diff(x, axis=1), new.MEAN_GAP * dt[:, 1:], atol=1e-5)
    np.testing.assert_allclose(known["y"][:, :, 0] - x, new.AHEAD, atol=1e-5)


def test_narma_by_its_formula(new):
    known = named(new, "narma").make(None, 0, (3, 1, 1)).train
    for u, found in zip(known["x"][:, :, 0].astype(float), known["y"][:, :, 0], strict=True):
        y = [0.0]
        for t in range(len(u)):
            before = sum(y[t - i] for i in range(10) if i <= t)
            early = u[t - 9] if t >= 9 else 0
            y.append(0.3 * y[t] + 0.05 * y[t] * before + 1.5 * early * u[t] + 0.1)
        np.testing.assert_allclose(found, y[1:], rtol=1e-6)
    assert named(new, "narma").make(None, 0, named(new, "narma").sizes).whole["y"].max() < 2  # none runs away


@pytest.mark.parametrize(("name", "file"), [("arrowhead", "ArrowHead"), ("gestures", "PickupGestureWiimoteZ")])
def test_sets_of_the_archive(new, folder, name, file):
    for part, first, count in (("TRAIN", 0, 30), ("TEST", 30, 10)):
        lines = [",".join(str(k + t) for t in range(4 + k % 4)) + f":{k % 2}" for k in range(first, first + count)]
        folder(f"data/{file}/{file}_{part}.ts").write_text("\n".join(["@data", *lines]))
    split = named(new, name).make(None, 0, ())
    assert np.array_equal(split.test["x"][:, 0, 0], np.arange(30, 40))
    assert np.array_equal(np.sort(split.whole["x"][:, 0, 0]), np.arange(30))
    assert np.array_equal(split.test["x"][3, : split.test["lengths"][3], 0], [33, 36])  # one step in three
    assert not rows_of(split.train) & rows_of(split.valid)
    assert rows_of(split.valid) != rows_of(named(new, name).make(None, 1, ()).valid)  # for another seed another third


def test_spectra(new, folder):
    """What the training has in common with itself and with the test is learnt once, and not at all."""
    numbers = {"TRAIN": [*range(110), 3, 105, 160, *range(110, 150)], "TEST": range(150, 193)}
    for part, own in numbers.items():
        lines = [f"{-k},{k + 0.5},{k + 1},{k + 1.5}:{k / 4}" for k in own]
        folder(f"data/Tecator/Tecator_{part}.ts").write_text("\n".join(["@data", *lines]))
    split = named(new, "tecator").make(None, 0, ())
    for known, want in zip(split, ((0, 100), (100, 150), (0, 150), (150, 193)), strict=True):
        assert np.array_equal(known["y"][:, 0], np.arange(*want) / 4)
        assert np.array_equal(known["x"][:, :, 0], known["y"] * 4 * [-1, 1] + [0, 1])


def test_rows_of_digits(new, folder):
    table = np.concatenate([np.arange(640 * 64).reshape(640, 64), np.arange(640)[:, None] % 10], axis=1)
    np.savetxt(folder("data/digits.csv.gz"), table, fmt="%d", delimiter=",")
    split = named(new, "digits").make(None, 0, ())
    assert [len(known["x"]) for known in split] == [400, 200, 600, 40]
    assert np.array_equal(split.test["x"][0, 2], 600 * 64 + 16 + np.arange(8))  # the third row of pixels
    assert np.array_equal(split.test["y"], np.arange(600, 640) % 10)


def test_months_that_count(new, folder):
    """Numbers of months in the place of temperatures: what is asked is the next one, and no part has another's."""
    months = np.arange(61 * 12).reshape(61, 12)
    table = np.concatenate([1950 + np.arange(61)[:, None], months], axis=1)
    np.savetxt(folder("elnino/elnino.csv"), table, fmt="%d", delimiter=",", header='"YEAR","JAN"', comments="")
    split = named(new, "elnino").make(None, 0, ())
    for known in split:
        assert np.array_equal(known["y"], known["x"] + 1)
    counted = [known["y"][known["sample_weight"] > 0].ravel() for known in split]
    assert split.train["y"].max() < 360
    assert np.array_equal(counted[1], np.arange(360, 480))
    assert 470 < split.whole["y"].max() < 480
    assert np.array_equal(counted[3], np.arange(480, 732))
    assert split.whole["x"].shape[1] == 60
    assert counted[0].min() == 13  # the first twelve answers of a window do not count
