"""How the defaults are chosen: tasks and their cuts, what is compared, baselines, tables, and the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ltc_np.recipe import Recipe


@pytest.fixture
def tasks(example):
    return example("defaults_tasks")


@pytest.fixture
def trainings(example):
    return example("defaults_trainings")


@pytest.fixture
def search(example):
    return example("defaults_search")


@pytest.fixture
def baselines(example):
    return example("defaults_baselines")


@pytest.fixture
def results(example):
    return example("defaults_results")


def named(tasks, name):
    return next(task for task in tasks.TASKS if task.name == name)


@pytest.mark.parametrize("name", ["xor", "adding", "oscillator"])
def test_generated_sets_are_cut_once(tasks, name):
    split = named(tasks, name).make(None, 0, (7, 4, 5))
    again = named(tasks, name).make(None, 3, (7, 4, 5))
    sizes = [len(known["x"]) for known in split]
    assert sizes == [7, 4, 11, 5]
    for k, known in enumerate(split):
        assert all(np.array_equal(array, again[k][part]) for part, array in known.items())
    for part, array in split.whole.items():
        assert np.array_equal(array, np.concatenate([split.train[part], split.valid[part]]))
    assert not np.isin(split.test["x"][:, :3].sum((1, 2)), split.whole["x"][:, :3].sum((1, 2))).all()


def test_the_oscillator_obeys_its_equation(tasks, rng):
    """Against 2,000 midpoint steps in each interval; their error falls with the square of the step."""
    force, dt = rng.uniform(-1, 1, (2, 6)), rng.exponential(size=(2, 6))
    w, z = tasks.FREQUENCY, tasks.DAMPING

    def slope(state, push):
        return np.stack([state[1], w**2 * (push - state[0]) - 2 * z * w * state[1]])

    state, want = np.zeros((2, 2)), []
    for t in range(6):
        h = dt[:, t] / 2000
        for _ in range(2000):
            state = state + h * slope(state + h / 2 * slope(state, force[:, t]), force[:, t])
        want.append(state[0])
    np.testing.assert_allclose(tasks.positions(force, dt), np.stack(want, 1), atol=1e-6)


def test_the_force_of_the_oscillator_is_held(tasks):
    split = named(tasks, "oscillator").make(None, 0, (200, 10, 10))
    force, dt = split.train["x"].transpose(2, 0, 1)
    assert np.array_equal(dt, split.train["dt"])
    changes = (np.diff(force, axis=1) != 0).mean()
    assert abs(changes - tasks.CHANGES) < 0.03  # six standard deviations of 12,600 draws are 0.025


@pytest.fixture
def archive(tmp_path):
    """A set of the archive's form: 18 and 4 series of unequal length, two channels, three classes."""

    def write(part, count, first):
        lines = ["#", "@problemName Toy", "@data"]
        for k in range(first, first + count):
            steps = 3 + k % 3
            channels = [",".join(str(k + 0.5 * t + 100 * c) for t in range(steps)) for c in range(2)]
            lines.append(":".join([*channels, "abc"[k % 3]]))
        (tmp_path / f"Toy_{part}.ts").write_text("\n".join(lines) + "\n")

    write("TRAIN", 18, 0)
    write("TEST", 4, 18)
    return tmp_path


def test_folds_of_the_archive(tasks, archive):
    held = []
    for fold in range(tasks.FOLDS):
        split = tasks.archived("Toy", 1, archive, fold, ())
        assert [len(known["y"]) for known in split] == [12, 6, 18, 4]
        first = [known["x"][:, 0, 0] for known in split]
        assert np.array_equal(first[3], [18, 19, 20, 21])  # the archive's own test set
        assert set(first[0]) | set(first[1]) == set(range(18))
        held += list(first[1])
        for known in split:
            own = known["x"][:, 0, 0].astype(int)
            assert np.array_equal(known["y"], own % 3)
            assert np.array_equal(known["lengths"], 3 + own % 3)
            assert np.array_equal(known["x"][:, 1, 1], own + 100.5)
    assert sorted(held) == list(range(18))
    thinned = tasks.archived("Toy", 2, archive, 0, ())
    assert np.array_equal(thinned.test["lengths"], [2, 2, 3, 2])


def test_bad_files_of_the_archive(tasks, tmp_path):
    path = tmp_path / "bad.ts"
    path.write_text("@data\n1,2:3,4:a\n1,x:3,4:b\n")
    with pytest.raises(ValueError, match=r"bad\.ts, line 3: must be channels and a class"):
        tasks.read_ts(path)
    path.write_text("1,2:3,4:a\n")
    with pytest.raises(ValueError, match="after @data"):
        tasks.read_ts(path)


def test_scores(trainings, tasks):
    numbers = replace(named(tasks, "oscillator"), name="toy")
    y = np.array([[[1.0], [3.0], [100.0]]])
    known = {"y": y, "sample_weight": np.array([[1.0, 1.0, 0.0]])}
    assert trainings.scores(np.full(y.shape, 2.0), known, numbers) == (1.0, None)  # the best constant
    assert trainings.scores(y * [[[1], [1], [0]]], known, numbers) == (0.0, None)
    classes = replace(named(tasks, "xor"), classes=2)
    known = {"y": np.array([0, 1, 1, 1])}
    share = np.tile([0.25, 0.75], (4, 1))
    assert trainings.scores(share, known, classes) == (1.0, 0.75)
    sure = np.eye(2)[[0, 1, 1, 0]]
    assert trainings.scores(sure, known, classes) == (2 / (4 * 2 * 0.25 * 0.75), 0.75)


def only(task, **parts):
    """A task that has these sets and no others."""
    split = task.make(None, 0, (8, 4, 4))
    return replace(task, make=lambda folder, fold, sizes: split._replace(**parts), epochs=1)


def test_the_search_never_sees_the_test_set_nor_the_test_what_is_one(trainings, tasks):
    task = named(tasks, "oscillator")
    found = trainings.Job(only(task, test=None, whole=None), Recipe(cell="lstm"), 0).run(None)
    assert found["error"] > 0 and found["recipe"]["cell"] == "lstm"
    found = trainings.Fit(only(task, train=None, valid=None), "lstm", 0, {"units": 4}).run(None)
    assert found["error"] > 0 and found["defaults"]["units"] == 4


def test_every_planned_training_has_an_estimator(example, trainings, tasks):
    """Also where recipes get another cell."""
    planned = [own for own in example("defaults").test([named(tasks, "xor")], (0, 1)) if isinstance(own, trainings.Fit)]
    cells = [own.key()["defaults"]["cell"] for own in planned]
    assert cells == [*trainings.CELLS] * 3


def test_answers_of_estimators_are_judged_as_they_are(trainings, tasks):
    """One class and one number each, by hand."""
    for name, right in (("xor", True), ("adding", False)):
        task = replace(named(tasks, name), epochs=2, sizes=(24, 8, 16), most_steps=8)
        found = trainings.Fit(task, "gru", 3, {"units": 4}).run(None)
        split = task.make(None, 0, task.sizes)
        x, y, more = trainings.arguments(split.whole, "gru")
        kind = trainings.estimators.GRUClassifier if right else trainings.estimators.GRURegressor
        epochs = trainings.trained_for(task, Recipe(cell="gru"), len(x))
        own = kind(units=4, epochs=epochs, random_state=3).fit(x, y, **more)
        x, y, more = trainings.arguments(split.test, "gru")
        if right:
            assert found["right"] == own.score(x, y, **more)
        else:
            assert found["error"] == pytest.approx(1 - own.score(x, y, **more), rel=1e-6)


def test_how_long_is_trained(trainings, tasks):
    """1,000 steps at least where a sequence has one answer, but not where the task says otherwise."""
    recipe = Recipe(batch_size=16)
    assert trainings.trained_for(named(tasks, "gunpoint"), recipe, 33) == 334
    assert trainings.trained_for(named(tasks, "power"), recipe, 800) == 100
    assert trainings.trained_for(named(tasks, "adding"), recipe, 320) == 20
    assert trainings.trained_for(named(tasks, "sunspots"), recipe, 33) == 100
    assert trainings.trained_for(named(tasks, "xor"), recipe, 33) == 25


@pytest.mark.parametrize("cell", ["ltc", "cfc"])
def test_recipes_of_the_search(search, cell):
    """The default before comes first; every value is drawn, and only those."""
    found = search.candidates(cell, 200)
    assert found[:40] == search.candidates(cell, 40) and len({repr(own) for own in found}) == 200
    assert found[0] == replace(search.BEFORE, cell=cell) and search.changes(found[0]) == "the default before"
    for name, values in (search.CHOICES | search.OWN[cell]).items():
        assert {getattr(own, name) for own in found} == set(values)
        assert values[0] == getattr(search.BEFORE, name)


class Invented:
    """Results whose errors are products of factors of the recipe, of the task and of the seed."""

    def __init__(self, factors):
        self.factors, self.asked = factors, []

    def train(self, jobs):
        self.asked.append(jobs)
        return self

    def get(self, job):
        error = 0.1 * (2 if job.task.name == "xor" else 1) * (1 + job.seed)
        for name, values in self.factors.items():
            error *= values.get(getattr(job.recipe, name), 1.0)
        return {"error": error, "cpu": 3.0 if job.recipe.units == 64 else 1.0}


def test_halving(search, tasks):
    """The best by all that was trained so far stay; what takes more than twice the time of the first does not."""
    some = [named(tasks, name) for name in ("xor", "scp1", "ethanol", "oscillator")]
    rungs = search.Rung(12, ("xor", "scp1")), search.Rung(4), search.Rung(2, seeds=(0, 1))
    own = Invented({"units": {16: 2.0, 64: 0.5}, "learning_rate": {0.02: 0.7, 0.03: 0.8, 0.005: 1.5}})
    found = [left for left, _ in search.halving(own.train, "ltc", some, rungs)]
    first = replace(search.BEFORE, cell="ltc")
    assert [len(left) - (first in left) for left in found] in ([11, 4, 2], [11, 3, 2], [11, 4, 1], [11, 3, 1])
    assert {job.task.name for job in own.asked[0]} == {"xor", "scp1"}
    assert {job.task.name for job in own.asked[1]} == {"xor", "scp1", "oscillator"}  # ethanol takes no part
    assert {job.seed for job in own.asked[2]} == {0, 1}
    for left in found[1:]:
        assert all(recipe.units != 64 and first in left for recipe in left)
    rates = [recipe.learning_rate for recipe in found[-1] if recipe.units != 16]
    assert rates[0] in (0.02, 0.03) and search.judged(own, found[-1][0], rungs[-1], some)[0] < 1
    assert search.judged(own, first, rungs[-1], some) == (1.0, 1.0)


def test_effects(search, tasks, monkeypatch):
    """Means over those that have a value, and over those of the default before; the other factor is a disturbance."""
    monkeypatch.setattr(search, "RUNGS", (search.Rung(150, search.QUICK),))
    some = [task for task in tasks.TASKS if task.name in search.QUICK]
    own = Invented({"units": {16: 2.0, 64: 0.5}, "readout": {"max": 1.5}})
    found = {(name, value): rest for name, value, *rest in search.effects(own, "ltc", some)}
    recipes = search.candidates("ltc", search.RUNGS[0].count)
    for value, factor in ((16, 2.0), (64, 0.5)):
        parts = [
            np.array([1.5 if one.readout == "max" else 1.0 for one in recipes if one.units == k]) for k in (value, 32)
        ]
        want = factor * np.exp(np.log(parts[0]).mean() - np.log(parts[1]).mean())
        ratio, error, better, count = found["units", value]
        assert ratio == pytest.approx(want, rel=1e-6)
        variances = [np.log(part).var(ddof=1) / part.size for part in parts]
        assert error == pytest.approx(want * np.sqrt(sum(variances)), rel=1e-6)
        assert (better, count) == (7 if want < 1 else 0, 7)


def test_where_a_network_stands(results, tasks):
    """By the share of right classes, or by the error of numbers; level is within a standard deviation of its seeds."""
    classes, numbers = named(tasks, "xor"), named(tasks, "adding")

    def lines(name, *values):
        return [{name: value} for value in values]

    own = lines("right", 0.8, 0.9)
    assert results.standing(classes, own, [lines("right", 0.84), []]) == "ahead"
    assert results.standing(classes, own, [lines("right", 0.84), lines("right", 0.9)]) == "level"
    assert results.standing(classes, own, [lines("right", 0.93)]) == "behind"
    assert results.standing(numbers, lines("error", 0.2), [lines("error", 0.1)]) == "behind"
    assert results.standing(numbers, lines("error", 0.1), [lines("error", 0.2)]) == "ahead"
    assert results.shown(classes, own) == "85.0 ± 7.1 %"
    assert results.shown(numbers, lines("error", 0.1234)) == "0.123"


def test_what_is_finished_is_found_again(tmp_path, tasks, trainings, results):
    file = tmp_path / "some.jsonl"
    task = named(tasks, "xor")
    base = Recipe(time_constants=(1.0, 5.0))  # a list in JSON
    own = trainings.Job(task, base, 1), trainings.Fit(task, "gru", 1), trainings.Fit(task, "gru", 1, {"units": 4})
    lines = [json.dumps(one.key() | {"error": 0.5 + k}) for k, one in enumerate(own)]
    file.write_text("\n".join([*lines, lines[0][: len(lines[0]) // 2]]))  # interrupted in the last
    read, whole = results.read(file)
    assert whole == sum(len(line) + 1 for line in lines)
    found = results.Results(read)
    assert [found.get(one)["error"] for one in own] == [0.5, 1.5, 2.5]
    for other in (replace(own[0], seed=2), replace(own[1], cell="lstm"), replace(own[2], changes={"units": 5})):
        assert found.get(other) is None


@pytest.mark.parametrize("shape", [(30, 5), (5, 30)])
def test_ridge_solves_the_normal_equations(baselines, rng, shape):
    rows, wanted, new = (
        rng.standard_normal(shape),
        rng.standard_normal((shape[0], 2)),
        rng.standard_normal((4, shape[1])),
    )
    rows[:, 1] = 7  # says nothing
    (predict,) = baselines.ridge(rows, wanted, [0.3])
    kept = np.arange(shape[1]) != 1
    center, scale = rows[:, kept].mean(0), rows[:, kept].std(0)
    a = (rows[:, kept] - center) / scale
    weights = np.linalg.solve(a.T @ a + 0.3 * np.eye(kept.sum()), a.T @ (wanted - wanted.mean(0)))
    want = (new[:, kept] - center) / scale @ weights + wanted.mean(0)
    np.testing.assert_allclose(predict(new), want, rtol=1e-8, atol=1e-10)


def test_last_inputs(baselines, rng):
    x = rng.standard_normal((2, 5, 3))
    found = baselines.last_inputs({"x": x}, 2)
    assert found.shape == (2, 5, 6)
    np.testing.assert_array_equal(found[:, 3], np.concatenate([x[:, 2], x[:, 3]], axis=1))
    np.testing.assert_array_equal(found[:, 0], np.concatenate([0 * x[:, 0], x[:, 0]], axis=1))


def test_series_of_unequal_length_are_stretched(baselines):
    x = np.zeros((2, 5, 1))
    x[0, :, 0], x[1, :3, 0] = [0, 1, 2, 3, 4], [0, 2, 4]
    found = baselines.side_by_side({"x": x, "lengths": np.array([5, 3])})
    np.testing.assert_allclose(found, [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]])


def test_convolutions_are_of_one_series(baselines, rng):
    x = rng.standard_normal((5, 40, 2))
    found = baselines.convolved({"x": x}, 30)
    assert found.shape == (5, 60)
    assert ((found[:, 1::2] >= 0) & (found[:, 1::2] <= 1)).all()
    np.testing.assert_allclose(baselines.convolved({"x": 3 * x[2:3] + 1}, 30)[0], found[2], rtol=1e-3, atol=1e-3)


def test_convolutions_tell_frequencies_apart(baselines, rng):
    """Sines of random phase, of which the mean and the spread are the same."""
    y = np.arange(60) % 2
    t = np.arange(64)
    x = np.sin((0.3 + 0.15 * y)[:, None] * t + rng.uniform(0, 6, (60, 1)))[:, :, None]
    rows = baselines.convolved({"x": x}, 50)
    (predict,) = baselines.ridge(rows[:40], np.eye(2)[y[:40]], [1.0])
    assert (predict(rows[40:]).argmax(1) == y[40:]).all()


@pytest.mark.slow
@pytest.mark.sweep
def test_quick_run(run_example, tmp_path):
    done = run_example("defaults", "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and "%" in line]
    assert rows, done.stdout


def test_data_are_asked_for(run_example, tmp_path):
    done = run_example("defaults", cwd=tmp_path)
    assert done.returncode == 2
    assert "DATA is needed for cheetah" in done.stderr
