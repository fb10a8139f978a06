"""Physiome-ODE: what is observed and asked, how sets are made, what is compared, and that a run goes on."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

EQUATIONS = """
def initConsts():
    return [1.0, 0.0], [2.0]


def computeRates(at, states, constants):
    return [states[1], -constants[0] ** 2 * states[0]]
"""


@pytest.fixture
def physiome(example):
    return example("physiome")


def test_sets_are_solutions_that_begin_at_random(physiome, tmp_path):
    pytest.importorskip("scipy")
    (tmp_path / "model.py").write_text(EQUATIONS)
    settings = physiome.SETS["DUP01"]._replace(duration=6.0, d_constants=0.1, d_states=0.3)
    t, X = physiome.make(settings, tmp_path / "model.py", series=12)
    assert t.shape == (100,) and X.shape == (12, 100, 2) and t[1] == pytest.approx(6 / 199)
    sizes, speeds = [], []
    for x in X:
        position, speed = x.T
        best = min(  # the frequency that makes the energy constant
            np.linspace(1.7, 2.3, 601), key=lambda w: np.std(w**2 * position**2 + speed**2)
        )
        np.testing.assert_allclose(np.diff(position)[:-1] + np.diff(position)[1:], 0.06 * speed[1:-1], atol=0.01)
        sizes.append(np.sqrt(position[0] ** 2 + (speed[0] / best) ** 2))
        speeds.append(best)
    assert min(sizes) > 0.69 and max(sizes) < 1.31 and np.ptp(sizes) > 0.2
    assert min(speeds) > 1.79 and max(speeds) < 2.21 and np.ptp(speeds) > 0.1
    assert len({round(float(x[0, 0] / s), 2) for x, s in zip(X, sizes, strict=True)}) > 6  # other starts


def test_channels_are_standardised_and_outliers_left_out(physiome, tmp_path, rng):
    X = rng.normal(size=(400, 100, 2)) * [1, 50] + [0, 7]
    X[5, 3, 1] = 1e5
    np.savez(tmp_path / "DUP01.npz", t=np.arange(100), X=X)
    _, found = physiome.load("DUP01", tmp_path, None)
    wanted = np.delete((X - X.mean((0, 1))) / X.std((0, 1)), 5, axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    with pytest.raises(SystemExit, match="NEL01.npz is not there: --equations DIR makes it"):
        physiome.load("NEL01", tmp_path, None)


def test_a_series_that_fails_is_drawn_again(physiome, tmp_path):
    """By the number of the series and that of all series, so that no two are alike."""
    pytest.importorskip("scipy")
    text = "def initConsts():\n    return [1.0], [1.0]\n\ndef computeRates(t, y, c):\n    "
    (tmp_path / "model.py").write_text(text + "return [0.0 if y[0] < 1.1 else 1e30]\n")
    settings = physiome.SETS["DUP01"]._replace(duration=1.0, d_constants=0.0, d_states=0.5)
    _, X = physiome.make(settings, tmp_path / "model.py", series=8)

    def first(seed):
        return np.random.RandomState(seed).uniform(0.5, 1.5)

    again = [next(first(n + 8 * k) for k in range(99) if first(n + 8 * k) < 1.1) for n in range(8)]
    np.testing.assert_allclose(X[:, 0, 0], again)
    assert again != [first(n) for n in range(8)]


def test_what_is_observed_and_asked(physiome, rng):
    t, X = np.arange(100.0), rng.standard_normal((200, 100, 3))
    described = physiome.parts(t, X, 0, published=False)
    published = physiome.parts(t, X, 0, published=True)
    series = [set(np.concatenate([past[0], asked[0]]).tolist()) for past, asked in described]
    assert [len(own) for own in series] == [140, 40, 20] and len(set.union(*series)) == 200
    for found in (described, published):
        for past, asked in found:
            assert past[1].max() < 50 <= asked[1].min()
            assert set(past[2]) == {0, 1, 2}
    rows = sum(len(past[0]) + len(asked[0]) for past, asked in described)
    assert rows / X.size == pytest.approx(0.2, abs=0.01)
    kept = sum(len(past[0]) + len(asked[0]) for past, asked in published)
    assert kept / X.size == pytest.approx(0.2 * (0.8**2 + 0.2**2), abs=0.01)
    of_time = {}
    for past, asked in published:
        for own in (past, asked):
            for s, when in zip(own[0], own[1], strict=True):
                of_time[s, when] = of_time.get((s, when), 0) + 1
    assert set(of_time.values()) == {1, 3}
    order = np.random.default_rng(0).permutation(200)
    past, _ = described[0]
    noise = past[3] - X[order[past[0]], past[1].astype(int), past[2]]
    assert noise.std() == pytest.approx(physiome.NOISE, rel=0.05)
    assert physiome.parts(t, X, 1, published=False)[0][0][3][0] != past[3][0]


def test_a_run_goes_on_where_it_stopped(physiome, tmp_path, capsys, monkeypatch):
    phase = np.random.default_rng(0).uniform(0, 6, (60, 1, 2))
    t = np.linspace(0, 10, 100)
    np.savez(tmp_path / "LEN01.npz", t=t, X=np.sin(t[None, :, None] + phase))
    file = tmp_path / "found.json"
    calls = ["LEN01", "--data", str(tmp_path), "--quick", "--cells", "gru", "--jobs", "1", "--results", str(file)]
    physiome.main(calls)
    out = capsys.readouterr().out
    stored = json.loads(file.read_text())
    own = stored["LEN01 gru 0"]
    assert list(stored) == ["LEN01 gru 0"] and f"{own['mse']:.3f}, behind" in out and "LinODEnet 0.387 ± 0.071" in out
    assert 0.5 < own["covered"] < 1 and own[physiome.rivals.MEAN] == pytest.approx(1.0, abs=0.2)
    monkeypatch.setattr(physiome, "train", None)  # nothing is missing
    physiome.main(calls)
    assert capsys.readouterr().out == out
    with pytest.raises(SystemExit, match="WOD01.npz is not there: --equations DIR makes it"):
        physiome.main(["WOD01", "--data", str(tmp_path), "--quick"])


def test_level_is_within_the_published_deviation(physiome):
    of_set = physiome.SETS["LEN01"]  # .387 and .071
    assert [physiome.judged(mse, of_set) for mse in (0.31, 0.32, 0.45, 0.46)] == ["ahead", "level", "level", "behind"]
    assert len(physiome.SETS) == 35 and physiome.SETS["WOD01"][:3] == ("immunology/wodarz_hamer_2007_b", 3, 30.0)
