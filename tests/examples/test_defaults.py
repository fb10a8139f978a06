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
def variants(example):
    return example("defaults_variants")


@pytest.fixture
def baselines(example):
    return example("defaults_baselines")


@pytest.fixture
def table(example):
    return example("defaults_table")


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


def test_scores(variants, tasks):
    numbers = replace(named(tasks, "oscillator"), name="toy")
    y = np.array([[[1.0], [3.0], [100.0]]])
    known = {"y": y, "sample_weight": np.array([[1.0, 1.0, 0.0]])}
    assert variants.scores(np.full(y.shape, 2.0), known, numbers) == (1.0, None)  # the best constant
    assert variants.scores(y * [[[1], [1], [0]]], known, numbers) == (0.0, None)
    classes = replace(named(tasks, "xor"), classes=2)
    known = {"y": np.array([0, 1, 1, 1])}
    share = np.tile([0.25, 0.75], (4, 1))
    assert variants.scores(share, known, classes) == (1.0, 0.75)
    sure = np.eye(2)[[0, 1, 1, 0]]
    assert variants.scores(sure, known, classes) == (2 / (4 * 2 * 0.25 * 0.75), 0.75)


def test_the_search_never_sees_the_test_set(variants, tasks):
    task = named(tasks, "oscillator")
    split = task.make(None, 0, (8, 4, 4))

    def job(judge, **parts):
        own = replace(task, make=lambda folder, fold, sizes: split._replace(**parts), epochs=1)
        return variants.job(own, variants.FIRST, replace(variants.BETTER, cell="lstm"), 0, judge)

    found = job("valid", test=None, whole=None).run(None)
    assert found["error"] > 0
    assert found["recipe"]["epochs"] == 1
    assert job("test", train=None, valid=None).run(None)["error"] > 0


def test_variants_that_would_be_no_other_training(variants, tasks):
    def known(title, cell, task):
        (variant,) = (own for own in (*variants.MAJOR, *variants.MINOR) if own.title == title)
        return variants.job(named(tasks, task), variant, replace(variants.START, cell=cell), 0)

    assert known("ode unfolds 1", "cfc", "xor") is None
    assert known("ode unfolds 1", "ltc", "xor").recipe.ode_unfolds == 1
    assert known("readout max", "cfc", "oscillator") is None
    assert known("readout last", "cfc", "xor") is None  # which it has already
    for own in variants.ROUNDS:
        jobs = [variants.job(named(tasks, "xor"), variant, own.base, 0) for variant in (variants.FIRST, *own.variants)]
        jobs = [job for job in jobs if job]
        assert len({repr(job.key()) for job in jobs}) == len(jobs) > 3


@pytest.mark.parametrize("extra", ["each", "warm-up", "fast"])
def test_what_no_recipe_has_is_trained_too(variants, tasks, extra):
    task = replace(named(tasks, "xor"), epochs=4, sizes=(160, 8, 8))
    (variant,) = (own for own in (*variants.MAJOR, *variants.MINOR) if own.extra == extra)
    plain = variants.job(task, variants.FIRST, variants.BETTER, 0).run(None)
    other = variants.job(task, variant, variants.BETTER, 0).run(None)
    assert plain["error"] != other["error"]
    assert plain["parameters"] == other["parameters"]


def test_a_cfc_that_starts_with_a_state_that_is_kept(variants, tasks):
    """After an impulse, without inputs: neurons of long time constants hold most of it, a usual start nothing."""
    task, base = replace(named(tasks, "xor"), epochs=1), replace(variants.BETTER, cell="cfc", backbone_units=0)
    x = np.zeros((1, 30, 2), np.float32)
    known = {"x": np.concatenate([x, x]), "y": np.zeros(2, int)}
    known["x"][0, 0] = 1

    def left(extra):
        model = variants.network(variants.Job(task, base, 0, extra=extra), known)
        state = model.trace(known["x"]).layers[1].state
        gap = np.abs(state[0] - state[1])
        return gap[-1, -8:].mean() / gap[0, -8:].mean()

    assert left("kept") > 0.3
    assert left("") < 1e-3


def test_answers_of_all_steps_are_averaged_within_lengths(variants, tasks, rng):
    task = replace(named(tasks, "xor"), classes=3)
    model = Recipe(cell="lstm", units=4).model(2, 3, steps=5, every_step=True, numbers=False, seed=0)
    known = {"x": rng.standard_normal((2, 5, 2)), "lengths": np.array([5, 2])}
    found = variants.answer(model, known, task, each=True)
    for k, length in enumerate(known["lengths"]):
        mean = np.log(model.predict_proba(known["x"][k, :length])).mean(0)
        np.testing.assert_allclose(found[k], np.exp(mean) / np.exp(mean).sum(), rtol=1e-5)


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


def test_effects(table):
    assert table.effect(np.array([[0.5, 1.0], [0.6, 1.0]])) == (pytest.approx(0.55), -1)
    assert table.effect(np.array([[2.0, 1.0], [1.5, 1.0]])) == (pytest.approx(1.75), 1)
    assert table.effect(np.array([[0.1, 1.0], [1.2, 1.0]]))[1] == 0  # not in both seeds
    assert table.effect(np.array([[0.98, 1.0]]))[1] == 0  # too little


def test_what_is_finished_is_found_again(example, tmp_path, tasks, variants, table):
    file = tmp_path / "some.jsonl"
    task = named(tasks, "xor")
    base = replace(variants.BETTER, time_constants=(1.0, 5.0))  # a list in JSON
    own = variants.job(task, variants.FIRST, base, 1)
    line = json.dumps(own.key() | {"error": 0.5})
    file.write_text(f"{line}\n{line[: len(line) // 2]}")  # interrupted in the second
    lines, whole = example("defaults").read(file)
    assert whole == len(line) + 1
    results = table.Results(lines)
    assert results.get(own)["error"] == 0.5
    for other in (replace(own, seed=2), replace(own, extra="each"), replace(own, judge="test")):
        assert results.get(other) is None


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
