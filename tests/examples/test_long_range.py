"""The example of long sequences: its data, what it makes of them, its models, its command line."""

import argparse

import numpy as np
import pytest

from ltc_np import Conv1D, Dense, LayerNorm, Looped, Pooling, Residual


@pytest.fixture
def long_range(example):
    return example("long_range")


@pytest.fixture
def folder(rng, tmp_path):
    """Files of the form of the recordings, of few cases and of as many samples: labels lie in one wavelength."""
    y = np.arange(24) % 4
    rows = {"train": np.arange(12), "valid": np.arange(12, 18), "test": np.arange(18, 24)}
    spectra = 100 + rng.standard_normal((24, 1751, 3))
    np.savez(tmp_path / "ethanol.npz", x=spectra.astype(np.float32), y=y, **rows)
    eeg = 5 * rng.standard_normal((24, 896, 6))
    np.savez(tmp_path / "scp1.npz", x=eeg.astype(np.float32), y=y % 2, **rows)
    return tmp_path


def test_what_is_recalled_is_in_the_cue(long_range):
    data = long_range.recall((50, 10, 40), 200, False)
    assert data.x.shape == (100, 220, 3)
    signs = data.x[:, :20].mean(1) > 0
    assert np.array_equal(signs @ [1, 2, 4], data.y)
    assert set(data.y) == set(range(8))
    assert np.abs(data.x[:, 20:].mean()) < 0.01  # noise knows nothing of them
    assert (data.dt == 1).all()
    assert [rows.size for rows in (data.train, data.valid, data.test)] == [50, 10, 40]
    assert np.array_equal(np.concatenate([data.train, data.valid, data.test]), np.arange(100))


def test_what_is_added_is_shown_once_in_each_half(long_range):
    data = long_range.adding((50, 10, 40), 200, True)
    marks = data.x[:, :, 1]
    assert set(np.unique(marks)) == {0, 1}
    assert (marks[:, :100].sum(1) == 20).all()
    assert (marks[:, 100:].sum(1) == 20).all()
    shown = (data.x[:, :, 0] * marks).sum(1) / 20
    assert np.abs(shown - data.y).max() < 0.15  # four standard deviations of the noise's mean
    assert np.abs(data.x[:, :, 0] * (1 - marks)).max() < 0.6
    assert data.dt.mean() == pytest.approx(1, abs=0.05)
    assert data.dt.std() == pytest.approx(1, abs=0.1)


def test_recordings_are_normalised_by_the_training_set(long_range, folder):
    data = long_range.ethanol(folder / "ethanol.npz")
    assert data.x.shape == (24, 175, 7)
    np.testing.assert_allclose(data.x[data.train, :, :3].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(data.x[data.train, :, :3].std(0), 1, rtol=1e-5)
    assert not np.allclose(data.x[data.test, :, :3].mean(0), 0, atol=1e-2)
    assert np.array_equal(data.x[0, :, 3], np.linspace(-1, 1, 175, dtype=np.float32))
    data = long_range.scp1(folder / "scp1.npz")
    assert data.x.shape == (24, 112, 1)
    assert data.x[data.train].mean() == pytest.approx(0, abs=1e-5)
    with np.load(folder / "scp1.npz") as file:
        means = file["x"][:, :8, 0].mean(1)
    assert np.corrcoef(means, data.x[:, 0, 0])[0, 1] == pytest.approx(1, abs=1e-6)


def test_bottles_are_mixed_with_their_concentrations(long_range, rng):
    """An input whose mean is the target keeps it; what says the place stays where it is."""
    target = rng.standard_normal((10, 1)).astype(np.float32)
    spectra = target[:, None] + np.array([-1, 0, 1]) * np.ones((10, 5, 1))
    x = np.concatenate([spectra, np.ones((10, 5, 4))], axis=2).astype(np.float32)
    seen = 0
    for given, wanted in long_range.mixed(x, target, 4, rng):
        np.testing.assert_allclose(given[:, :, :3].mean((1, 2)), wanted[:, 0], atol=1e-6)
        np.testing.assert_allclose(given[:, :, 3:], 1, rtol=1e-6)
        assert np.abs(wanted - target.T).min(1).max() > 1e-3  # none is as it was
        seen += len(given)
    assert seen == 10


def test_scores(long_range):
    ethanol, recall, adding = (long_range.TASKS[name] for name in ("ethanol", "recall", "adding"))
    y = np.array([0, 1, 2, 3])
    target = ethanol.target(y)
    assert target.mean() == pytest.approx(0, abs=1e-6)
    assert ethanol.score(target + 0.1, y) == 100
    assert ethanol.score(target[::-1], y) == 0
    assert recall.score(np.eye(8)[[0, 1, 2, 4]], y) == 75
    values = np.array([0.5, -1.0, 1.5])
    assert adding.score(values[:, None], values) == 100
    assert adding.score(np.full((3, 1), values.mean()), values) == pytest.approx(0)


def test_the_linear_readout(long_range, folder):
    """What lies in a straight line is found, whatever else there is."""
    args = argparse.Namespace(data=folder)
    with np.load(folder / "scp1.npz") as file:
        content = dict(file)
    assert 0 <= long_range.linear(long_range.TASKS["scp1"], args) <= 100
    content["x"][:, 100:108, 0] += 1000 * (2 * content["y"][:, None] - 1)
    np.savez(folder / "scp1.npz", **content)
    assert long_range.linear(long_range.TASKS["scp1"], args) == 100


def test_patches_are_neighbouring_means(long_range, folder):
    """A patch of the EEG is 8 means of 8 samples; one of the spectra 5 differences of 3 normalised channels."""
    x, target, y, known, asked = long_range.patches("scp1", folder / "scp1.npz")
    with np.load(folder / "scp1.npz") as file:
        raw = {name: file[name] for name in file}
    assert sorted([*known, *asked]) == list(range(len(y))) and set(asked) == set(raw["test"])
    np.testing.assert_allclose(x[3, 1, 2], raw["x"][3, 80:88, 0].mean(), rtol=1e-4)
    x, target, y, known, asked = long_range.patches("ethanol", folder / "ethanol.npz")
    full = raw_differences(folder / "ethanol.npz")
    np.testing.assert_allclose(x[2, 1, 3:6], full[2, 6], rtol=1e-4, atol=1e-5)
    assert abs(x).max() <= 5 and target.shape == (len(y), 1)


def raw_differences(path):
    """By loops: means of ten of normalised spectra, their differences, and these normalised by the training set."""
    with np.load(path) as file:
        x, train = file["x"].astype(float), file["train"]
    x = np.array([(own - own.mean(0)) / own.std(0) for own in x])
    means = np.array([[own[10 * k : 10 * k + 10].mean(0) for k in range(x.shape[1] // 10)] for own in x])
    found = np.array([[own[k + 1] - own[k] for k in range(len(own) - 1)] for own in means])
    return np.clip((found - found[train].mean(0)) / found[train].std(0), -5, 5)


def test_what_the_table_says_in_words(long_range, monkeypatch):
    monkeypatch.setattr(long_range, "linear", lambda task, args: 50.0)
    args = argparse.Namespace(models=["s4d", "lstm"])

    def found(patches, beside, **tests):
        monkeypatch.setattr(long_range, "line_of_patches", lambda name, args: patches)
        results = {("ethanol", name): [argparse.Namespace(test=test)] for name, test in tests.items()}
        return long_range.findings(results, ["ethanol"], args, {"ethanol": [beside]})

    beside, line = "LTC of patches, beside a line", "ridge regression on the same patches"
    assert found(60.0, 59.0, s4d=49.0, lstm=47.0) == (
        "**On EthanolConcentration a linear function wins**:\n"
        f"{line} 60.0 %; {beside} 59.0 %; ridge regression on all steps 50.0 %; S4D 49.0 %.\n"
        "Networks without a line that beat ridge regression on all steps: none."
    )
    assert found(60.0, 89.0, s4d=20.0, lstm=90.0) == (
        "**On EthanolConcentration LSTM wins**:\n"
        f"LSTM 90.0 %; {beside} 89.0 %; {line} 60.0 %; ridge regression on all steps 50.0 %.\n"
        "Networks without a line that beat ridge regression on all steps: LSTM.\n"
        "S4D learns nothing there."
    )
    text = found(60.0, 90.0, s4d=49.0, lstm=40.0)
    assert text.startswith(f"**On EthanolConcentration {beside} wins**")
    assert text.endswith("Networks without a line that beat ridge regression on all steps: none.")


def test_ridge_regression_leaves_one_out(long_range, rng):
    features, y = rng.standard_normal((9, 4)) + 3, rng.standard_normal(7)
    out, error = long_range.ridge(features, np.arange(7), y, 0.5)

    def solved(rows):
        """By the normal equations in the weights."""
        known, mean = features[rows] - features[rows].mean(0), y[rows].mean()
        weights = np.linalg.solve(known.T @ known + 0.5 * np.eye(4), known.T @ (y[rows] - mean))
        return (features - features[rows].mean(0)) @ weights + mean

    np.testing.assert_allclose(out, solved(np.arange(7)), rtol=1e-10)
    alone = [solved(np.delete(np.arange(7), k))[k] for k in range(7)]
    np.testing.assert_allclose(error, ((alone - y) ** 2).mean(), rtol=1e-10)


def test_the_line_of_patches_learns_from_training_and_validation(long_range, folder, rng):
    """A class that is in the first patches of the cases for training and validation alone is found in none of the test;
    one that is in all is found."""
    with np.load(folder / "scp1.npz") as file:
        arrays = dict(file)
    args, x, y = argparse.Namespace(data=folder), arrays["x"], arrays["y"]
    x[:, :64, 0] += 50 * (2 * y - 1)[:, None]
    np.savez(folder / "scp1.npz", **arrays | {"x": x})
    assert long_range.line_of_patches("scp1", args) == 100
    wrong = arrays | {"y": np.where(np.isin(np.arange(24), arrays["test"]), 1 - y, y)}
    np.savez(folder / "scp1.npz", **wrong)
    assert long_range.line_of_patches("scp1", args) == 0


def test_models_have_as_many_parameters(long_range):
    for name, setting in long_range.MODELS.items():
        for task, features, steps in (("recall", 3, 2020), ("ethanol", 7, 175), ("scp1", 1, 112)):
            model = long_range.make_model(name, long_range.TASKS[task], features, steps, 0)
            assert abs(model.layout.size - long_range.PARAMETERS) < 700, (name, task)
            (pool,) = (layer for layer in model.layers if isinstance(layer, Pooling))
            last = task == "recall" or (task == "ethanol" and setting.state_space)
            assert pool.kind == ("last" if last else "mean")
            found = [type(layer) for layer in model.layers]
            front = [Conv1D] * 3 if name.startswith("conv") else [Dense]
            middle = [Looped] if name == "looped" else [Residual, LayerNorm]
            assert found == [*front, *middle, Pooling, Dense], name
            assert all(layer.stride == 2 for layer in model.layers[:3] if isinstance(layer, Conv1D))
            block = model.layers[len(front)]
            if name == "looped":
                block, norm = block.layers
                assert isinstance(norm, LayerNorm)
            assert len(block.layers) == (6 if task != "recall" and not setting.state_space else 5)


@pytest.mark.slow
def test_the_example_recalls_and_reads_files(run_example, folder):
    done = run_example("long_range", "--quick", "--output", "pictures", cwd=folder)
    assert done.returncode == 0, done.stderr
    title, _, head, rule, *rows, _ = done.stdout.splitlines()
    assert title == "Memory over 200 steps"
    assert len({line.count("|") for line in (head, rule, *rows)}) == 1
    assert [row.split(" | ")[0] for row in rows] == ["| Liquid-S4", "| S4D"]
    assert all(float(row.split(" | ")[3]) > 90 for row in rows)  # of eight classes
    assert (folder / "pictures/long_range_generated.png").read_bytes()[:4] == b"\x89PNG"
    tiny = "--tasks", "ethanol", "scp1", "--models", "lstm", "--epochs", "1", "--seeds", "0", "1", "--no-plot"
    done = run_example("long_range", str(folder), *tiny, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Long recordings\n\n| model | units | parameters | EthanolConcentration |")
    assert "ethanol, lstm, seed 1: epoch 1/1, loss " in done.stderr


def test_the_example_refuses_nonsense(long_range, folder, capsys):
    np.savez(folder / "part.npz", x=np.zeros((2, 30, 3)))
    for args, words in (
        (["--tasks", "ethanol"], "DATA must be given for ethanol"),
        ([str(folder / "nowhere"), "--tasks", "scp1"], "No such file"),
        (["--tasks", "sums"], "--tasks: invalid choice"),
        (["--tasks", "recall", "recall"], "--tasks must not name one twice"),
        (["--steps", "5"], "--steps: must be at least 10, got 5"),
        (["--models", "rnn"], "--models: invalid choice"),
        (["--write-docs", "--quick"], "--write-docs excludes --quick"),
    ):
        with pytest.raises(SystemExit) as stop:
            long_range.main(args)
        assert stop.value.code == 2
        out, err = capsys.readouterr()
        assert not out
        assert words in err.splitlines()[-1]


def test_the_example_says_what_is_wrong_with_a_file(long_range, folder, capsys):
    file = folder / "ethanol.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    whole = file.read_bytes()
    np.save(folder / "x.npy", arrays["x"])
    damaged = "is no whole .npz file of arrays x, y, train, valid, test"
    missing = "must have arrays x, y, train, valid, test, got no y, train, valid, test"
    for write, words in (
        (lambda: file.write_bytes(whole[:3000]), damaged),
        (lambda: file.write_text("spectra"), damaged),
        (lambda: (folder / "x.npy").replace(file), damaged),
        (lambda: np.savez(file, x=arrays["x"]), missing),
        (
            lambda: np.savez(file, **arrays | {"x": arrays["x"][:, :, :2]}),
            "C >= 3, and y (n,), got x (24, 1751, 2) and ",
        ),
        (lambda: np.savez(file, **arrays | {"x": arrays["x"][:, :, 0]}), "got x (24, 1751) and y (24,)"),
    ):
        write()
        with pytest.raises(SystemExit):
            long_range.main([str(folder), "--tasks", "ethanol"])
        message = capsys.readouterr().err.splitlines()[-1]
        assert f"DATA {folder}: ethanol.npz " in message
        assert words in message
