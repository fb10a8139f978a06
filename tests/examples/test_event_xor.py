"""The event-based XOR example: its data against a naive reading of them, and its command line."""

import re

import numpy as np
import pytest
from support import ROOT

from ltc_np import LSTM, CfC, Dense, Model


@pytest.fixture
def xor(example):
    return example("event_xor")


def decode(events, k):
    """The bits of stream k, from what a network sees of it."""
    bits = []
    for t in range(events.lengths[k]):
        bits += [int(events.x[k, t, 0])] * int(events.dt[k, t])
    return bits


def test_events_decode_to_streams_of_that_parity(xor):
    events = xor.generate(3000, seed=0)
    assert events.x.shape == (3000, 32, 2)
    assert events.x.dtype == events.dt.dtype == np.float32
    for k in range(3000):
        bits = decode(events, k)
        assert len(bits) == events.streams[k]
        odd = False
        for bit in bits:
            odd = not odd if bit else odd
        assert events.y[k] == odd
        n = events.lengths[k]
        assert all(a != b for a, b in zip(events.x[k, : n - 1, 0], events.x[k, 1:n, 0], strict=True))  # whole runs
        assert np.array_equal(events.x[k, :n, 1] * 32, events.dt[k, :n])
        assert (events.dt[k, :n] >= 1).all()
        assert not events.x[k, n:].any()
        assert not events.dt[k, n:].any()


def test_short_streams_are_made_too(xor):
    sizes = np.unique(xor.generate(500, seed=0, most_bits=6).streams)
    assert sizes.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.slow
@pytest.mark.sweep
def test_quick_training_ends_above_chance(run_example, tmp_path):
    """10,000 guesses are right in 50 % +- 0.5: all models have learnt something."""
    done = run_example("event_xor", "--quick", "--no-plot", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [float(value) for value in re.findall(r" \| 8 \| (\d+\.\d\d) \| - \|", done.stdout)]
    assert len(found) == 4
    assert min(found) > 60, found
    assert max(found) > 90, found


def test_streams_are_random(xor):
    """Five standard deviations of counts that are binomial."""

    def near(count, p, n):
        return abs(count - n * p) < 5 * np.sqrt(n * p * (1 - p))

    S = 30_000
    events = xor.generate(S, seed=1)
    sizes, counts = np.unique(events.streams, return_counts=True)
    assert sizes.tolist() == list(range(2, 32))
    assert all(near(count, 1 / 30, S) for count in counts)
    assert near(events.y.sum(), 1 / 2, S)
    total = events.streams.sum()
    assert near((events.x[:, :, 0] * events.dt).sum(), 1 / 2, total)  # ones
    assert near((events.lengths - 1).sum(), 1 / 2, total - S)  # changes from a bit to the next
    first = np.array([decode(events, k)[:2] for k in range(2000)])
    assert near((first == 1).all(axis=1).sum(), 1 / 4, 2000)


def test_data_depend_on_the_seed_alone(xor):
    a, b, c = xor.generate(50, 3), xor.generate(50, 3), xor.generate(50, 4)
    for name in ("x", "dt", "lengths", "y", "streams"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
        assert not np.array_equal(getattr(a, name), getattr(c, name))
        assert np.array_equal(getattr(a[10:20], name), getattr(a, name)[10:20])
    assert xor.TRAIN_SEED != xor.TEST_SEED


def test_models_are_given_runs_and_elapsed_time(xor):
    events = xor.generate(500, 0)
    for layer in (CfC(5, input_dim=2), LSTM(5, input_dim=2)):
        model = Model(layer, Dense(2), seed=0, return_sequences=False)
        known = xor.inputs(model, events)
        assert known["x"].dtype == np.float32
        assert ("dt" in known) == layer.takes_dt
        T = known["x"].shape[1]
        assert T == events.lengths.max() < 32
        valid = np.arange(T) < events.lengths[:, None]
        runs = known["x"][valid][:, 1]
        np.testing.assert_allclose(runs * 2**0.5 + 2, events.dt[:, :T][valid], rtol=1e-5)
        assert abs(runs.mean()) < 0.2  # the ends of the streams cut some runs short
        assert abs(runs.std() - 1) < 0.2
        assert np.array_equal(known["x"][valid][:, 0], events.x[:, :T][valid][:, 0])
        want = model(**known)
        assert want.shape == (500, 2)
        assert np.array_equal(model(**(known | {"x": np.where(valid[:, :, None], known["x"], 7)})), want)
        if layer.takes_dt:
            np.testing.assert_allclose(known["dt"] * xor.TIME_UNIT, events.dt[:, :T])
            assert not np.allclose(model(**(known | {"dt": known["dt"] + 1})), want)


@pytest.mark.slow
def test_the_example_trains_prints_and_draws(run_example, tmp_path):
    docs = [ROOT / "docs" / "results.md", ROOT / "docs" / "images" / "event_xor.png"]
    before = [path.read_bytes() if path.exists() else None for path in docs]
    tiny = ["--quick", "--train-size", "200", "--epochs", "1"]
    done = run_example("event_xor", *tiny, "--seeds", "0", "1", "--output", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head, rule, *rows = done.stdout.splitlines()
    assert head.startswith("| model | units | parameters |")
    assert len({line.count("|") for line in (head, rule, *rows)}) == 1
    assert [row.split(" | ")[0] for row in rows] == ["| CfC", "| CfC, mixed memory", "| LTC", "| LSTM"]
    assert all(re.search(r" \| 1 \| \d\d\.\d\d ± \d\.\d\d \| - \|", row) for row in rows)
    assert "lstm, seed 1: epoch 1/1, loss 0." in done.stderr
    assert (tmp_path / "pictures/event_xor.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.rglob("*")] == ["pictures", "event_xor.png"]
    assert [path.read_bytes() if path.exists() else None for path in docs] == before
    again = run_example("event_xor", *tiny, "--models", "lstm", "--no-plot", cwd=tmp_path)
    one = run_example("event_xor", *tiny, "--models", "lstm", "--no-plot", "--jobs", "1", cwd=tmp_path)
    drop = re.compile(r"\| \d+ \|$", re.M)  # seconds
    assert drop.sub("", again.stdout) == drop.sub("", one.stdout)


def test_the_example_refuses_nonsense(xor, capsys):
    for args, words in (
        (["--bits", "1"], "--bits: must be at least 2, got 1"),
        (["--bits", "32"], "--bits: must be at most 31, got 32"),
        (["--epochs", "0"], "--epochs: must be at least 1, got 0"),
        (["--epochs", "few"], "--epochs: invalid int value: 'few'"),
        (["--train-size", "99"], "--train-size: must be at least 100, got 99"),
        (["--seeds", "-1"], "--seeds: must be at least 0, got -1"),
        (["--seeds", "1", "1"], "--seeds must not name one twice"),
        (["--models", "rnn"], "--models: invalid choice"),
        (["--jobs", "0"], "--jobs: must be at least 1"),
        (["--write-docs", "--quick"], "--write-docs excludes --quick"),
        (["--write-docs", "--output", "pictures"], "--write-docs excludes --quick, --no-plot and --output"),
        (["--output", __file__], "--output must be a folder"),
    ):
        with pytest.raises(SystemExit) as stop:
            xor.main(args)
        assert stop.value.code == 2
        out, err = capsys.readouterr()
        assert not out
        assert words in err.splitlines()[-1]
    with pytest.raises(SystemExit) as stop:
        xor.main(["--help"])
    assert stop.value.code == 0
    assert "--write-docs" in capsys.readouterr().out
