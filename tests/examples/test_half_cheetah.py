"""The half-cheetah example: its protocol, on made-up traces, and its command line."""

import re

import numpy as np
import pytest

from ltc_np import Model


@pytest.fixture
def cheetah(example):
    return example("half_cheetah")


@pytest.fixture(scope="module")
def traces():
    """Traces of the right shape that can be told apart: sines, and the number of the trace and of the step."""
    t = np.arange(1000)
    x = np.sin(0.3 * t[:, None] + np.arange(17)) * np.ones((31, 1, 1))
    x[:, :, 0], x[:, :, 1] = np.arange(31)[:, None], t
    return x.astype(np.float32)


def test_windows_are_those_of_the_protocol(cheetah, traces):
    for part, first, count in ((cheetah.VALIDATION, 0, 485), (cheetah.TEST, 5, 970), (cheetah.TRAINING, 15, 970)):
        x, y = cheetah.windows(traces[part])
        assert x.shape == y.shape == (count, 32, 17)
        assert x[:: count // len(traces[part]), 0, 0].tolist() == list(range(first, first + len(traces[part])))
        k = 0
        for trace in traces[part]:
            for start in range(0, 961, 10):
                assert (x[k] == trace[start : start + 32]).all()
                assert (y[k] == trace[start + 1 : start + 33]).all()
                k += 1
        assert k == count
    used = np.concatenate([np.arange(31)[part] for part in (cheetah.VALIDATION, cheetah.TEST, cheetah.TRAINING)])
    assert used.tolist() == list(range(25))


def test_traces_are_read_from_a_folder_or_an_archive(cheetah, traces, tmp_path):
    np.savez(tmp_path / "all.npz", x=traces)
    assert (cheetah.read(tmp_path / "all.npz") == traces).all()
    folder = tmp_path / "cheetah"
    folder.mkdir()
    for k, trace in enumerate(traces):
        np.save(folder / f"trace_{k:04}.npy", trace.astype(np.float64))
    assert (cheetah.read(folder) == traces).all()
    assert cheetah.read(folder).dtype == np.float32


def test_baselines(cheetah, traces):
    """A sine is a linear function of itself and its neighbour; what counts the steps is one of itself and 1."""
    errors = cheetah.baselines(traces)
    assert errors["linear in the last observation"] < 1e-6
    x, y = cheetah.windows(traces[cheetah.TEST])
    assert errors["zero"] == pytest.approx(np.mean(y.astype(float) ** 2), rel=1e-6)
    steps = np.mean((x[:, :, 1:] - y[:, :, 1:]).astype(float) ** 2) * 16 / 17  # the number of the trace stays
    assert errors["the last observation"] == pytest.approx(steps, rel=1e-6)


def test_the_paper_s_ltc_step(cheetah):
    """Six unfolds of v <- (cm v + P) / (cm + Q), cm not divided by the unfold's length, as in the published code."""
    setting = cheetah.MODELS["ltc"]
    model = Model(*setting.layers, seed=0, dtype="float64")
    p, x = model.effective, np.random.default_rng(0).normal(size=17)
    names = ("w", "mu", "sigma", "erev")
    w, mu, sigma, erev = (p[f"0.{name}"].reshape(32, 32) for name in names)  # (post, pre)
    sensory = (p[f"0.sensory_{name}"].reshape(32, 17) for name in names)
    mapped, v = x * p["0.input_w"] + p["0.input_b"], np.zeros(32)
    ws, mus, sigmas, erevs = sensory
    b = ws / (1 + np.exp(-sigmas * (mapped - mus)))
    for _ in range(6):
        a = w / (1 + np.exp(-sigma * (v - mu)))
        P = p["0.gleak"] * p["0.vleak"] + (a * erev).sum(1) + (b * erevs).sum(1)
        v = (p["0.cm"] * v + P) / (p["0.cm"] + p["0.gleak"] + a.sum(1) + b.sum(1))
    want = v @ p["1.weight"] + p["1.bias"]
    np.testing.assert_allclose(model(x[None], dt=setting.dt)[0], want, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_the_example_trains_prints_and_draws(run_example, traces, tmp_path):
    np.savez(tmp_path / "all.npz", x=traces)
    done = run_example("half_cheetah", "all.npz", "--quick", "--epochs", "1", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head, rule, *rows = done.stdout.splitlines()
    assert len({line.count("|") for line in (head, rule, *rows)}) == 1
    titles = ["LTC", "CfC", "LSTM", "CT-RNN", "Neural ODE", "CT-GRU", "CT-GRU, decay first"]
    assert [row.split(" | ")[0][2:] for row in rows[:7]] == titles
    assert all(re.search(r"\| \d+\.\d{3} \|", row) for row in rows[:6])
    assert "ctgru, seed 0: epoch 1/1, training " in done.stderr
    assert (tmp_path / "out/half_cheetah.png").read_bytes()[:4] == b"\x89PNG"


def test_the_example_refuses_nonsense(cheetah, traces, tmp_path, capsys):
    np.savez(tmp_path / "short.npz", x=traces[:3])
    np.savez(tmp_path / "other.npz", y=traces)
    np.savez(tmp_path / "text.npz", x=traces.astype(str)[:1])
    np.savez(tmp_path / "nan.npz", x=np.where(traces == 5, np.nan, traces))
    np.save(tmp_path / "trace_0000.npy", traces[0])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "short.npz").read_bytes()[:5000])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "readme.npz").write_text("# not an archive\n")
    neither = "must be a folder of trace_*.npy, or an .npz file with an array x"
    for args, words in (
        ([], "the following arguments are required: DATA"),
        (["nowhere.npz"], "DATA nowhere.npz: [Errno 2] No such file"),
        ([str(tmp_path)], "trace_0001.npy is missing"),
        ([str(tmp_path / "trace_0000.npy")], neither),
        ([str(tmp_path / "cut.npz")], neither),
        ([str(tmp_path / "empty.npz")], neither),
        ([str(tmp_path / "readme.npz")], neither),
        ([str(tmp_path / "other.npz")], "must hold numbers of shape (31, 1000, 17), got float64 of shape (0,)"),
        (
            [str(tmp_path / "short.npz")],
            "must hold numbers of shape (31, 1000, 17), got float32 of shape (3, 1000, 17)",
        ),
        ([str(tmp_path / "text.npz")], "must hold numbers of shape (31, 1000, 17), got <U"),
        ([str(tmp_path / "nan.npz")], "must hold finite numbers, got NaN or infinities"),
        (["data", "--models", "rnn"], "--models: invalid choice"),
    ):
        with pytest.raises(SystemExit) as stop:
            cheetah.main([*args, "--no-plot"])
        assert stop.value.code == 2
        assert words in capsys.readouterr().err.splitlines()[-1]
