"""The tutorial's calls, unchanged, and its example."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT

from ltc_np import LTCRNN, AutoNCP, LIFNeuronLayer, LTCCell, RandomWiring
from ltc_np.tutorial import generate_spiral_data

EXAMPLE = ROOT / "examples" / "spiral.py"
WIRING = RandomWiring(2, 2, 8, seed=0)


def by_hand(layer, x, v, elapsed, unfolds):
    """The tutorial's forward pass, line by line, dense, in float64."""

    def softplus(z):
        return np.log1p(np.exp(z))

    p = {name: np.asarray(values, np.float64) for name, values in layer.params.items()}
    dense, sensory = layer.wiring.dense, layer.wiring.sensory_dense

    def sigmoid(v, mu, sigma):
        return 1 / (1 + np.exp(-sigma * (v[..., None] - mu)))

    b = softplus(sensory(p["sensory_w"])) * sigmoid(x, sensory(p["sensory_mu"]), sensory(p["sensory_sigma"]))
    b = b * layer.wiring.sensory_adjacency_matrix
    cm_t = softplus(p["cm"]) / (elapsed / unfolds)
    for _ in range(unfolds):
        a = softplus(dense(p["w"])) * sigmoid(v, dense(p["mu"]), dense(p["sigma"])) * layer.wiring.adjacency_matrix
        top = cm_t * v + softplus(p["gleak"]) * p["vleak"]
        top = top + (a * dense(p["erev"])).sum(1) + (b * sensory(p["sensory_erev"])).sum(1)
        v = top / (cm_t + softplus(p["gleak"]) + a.sum(1) + b.sum(1) + 1e-8)
    return v


def test_lif_neuron_layer_computes_the_tutorial_s_formula(backend):
    layer = LIFNeuronLayer(WIRING, seed=0, dtype="float64", backend=backend)
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(5, 2)), rng.normal(size=(5, 8))
    np.testing.assert_allclose(layer(x, v), by_hand(layer, x, v, 1.0, 12), rtol=1e-12)
    elapsed = rng.uniform(0.1, 2, 5)
    want = by_hand(layer, x, v, elapsed[:, None], 12)
    np.testing.assert_allclose(layer(x, v, elapsed), want, rtol=1e-12)
    np.testing.assert_allclose(layer(x, v, elapsed_time=elapsed[:, None]), want, rtol=1e-12)
    assert np.array_equal(layer(x, v, 0.0), v)
    layer.params["w"] = 0.1
    np.testing.assert_allclose(layer(x, v), by_hand(layer, x, v, 1.0, 12), rtol=1e-12)


def test_cell_and_network_agree(backend):
    cell = LTCCell(WIRING, in_features=2, seed=3, backend=backend)
    model = LTCRNN(WIRING, 2, 8, 2, seed=3, backend=backend)
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    states, want = np.zeros((4, 8)), model(x)
    for t in range(3):
        outputs, states = cell(x[:, t], states)
        assert outputs.shape == (4, 2)
        assert np.array_equal(outputs, want[:, t])
        assert np.array_equal(outputs, states[:, :2])
    with pytest.raises(ValueError, match="`in_features` must agree"):
        LTCCell(WIRING, in_features=3)
    with pytest.raises(ValueError, match="`wiring` must be built"):
        LIFNeuronLayer(AutoNCP(8, 2))
    assert LTCCell(AutoNCP(8, 2).build(3), seed=0)(np.ones((4, 3)), np.zeros((4, 8)))[0].shape == (4, 2)


def test_generate_spiral_data():
    a = generate_spiral_data(500, 3, seed=1)
    assert a.shape == (500, 2)
    assert np.array_equal(a, generate_spiral_data(500, 3, seed=1))
    assert not np.array_equal(a, generate_spiral_data(500, 3))
    clean = generate_spiral_data(500, 3, noise=0)
    np.testing.assert_allclose(np.hypot(*clean.T), np.linspace(0, 1, 500), atol=1e-12)
    assert 1e-6 < np.mean((a - clean) ** 2) < 4e-5  # (2 / 500)**2 = 1.6e-5


def run_example(*args, cwd):
    command = [sys.executable, str(EXAMPLE), *args]
    env = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_example_runs_and_writes_its_pictures(tmp_path):
    done = run_example("--quick", "--animate", "--output", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Epoch \[100/100\], Total train loss: \d\.\d{4}, Total val loss: 0\.\d{6}$", done.stdout, re.M)
    for line in ("the path trained on", "a second spiral, fresh noise", "stretches it saw", "stretches left out"):
        assert line in done.stdout
    first, second, *_ = done.stdout.partition("fed with the true path:\n")[2].splitlines()
    kept = r"  the path trained on, weights that are kept \(epoch \d+\) +\d\.\d\de-0\d"
    assert re.fullmatch(kept, first) and re.match("  the same path, repeating the last point +2.70e-04", second)
    assert (tmp_path / "pictures/spiral.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "pictures/spiral.gif").read_bytes()[:4] == b"GIF8"
    again = run_example("--quick", "--no-plot", cwd=tmp_path)
    drop = re.compile(r"^(\d.* s|wrote .*)$", re.M)
    assert drop.sub("", done.stdout).split() == drop.sub("", again.stdout).split()  # same seed, same numbers


@pytest.mark.slow
def test_the_example_refuses_nonsense(tmp_path):
    for args, words in (
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--seed", "-1"], "--seed"),
        (["--no-plot", "--show"], "--no-plot excludes"),
        (["--schedule", "linear"], "invalid choice"),
    ):
        done = run_example(*args, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
    assert "--animate" in run_example("--help", cwd=tmp_path).stdout


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize(("schedule", "bar"), [("constant", 2e-4), ("cosine", 5e-5)])
def test_the_spiral_is_learned(schedule, bar):
    """The full 2000 epochs over 5 seeds; median error on the whole path, of the weights that the example keeps."""
    spec = importlib.util.spec_from_file_location("spiral", EXAMPLE)
    spiral = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spiral)
    errors = []
    for seed in range(5):
        args = spiral.argparse.Namespace(seed=seed, epochs=2000, schedule=schedule, progress=False)
        path = generate_spiral_data(500, 3, seed=seed)
        second = generate_spiral_data(500, 3, seed=seed + 1_000_000)
        model, _ = spiral.train(*spiral.spiral_windows(path), args, (), (second[None, :-1], second[None, 1:]))
        errors.append(spiral.path_error(model, path).mean())
    assert np.median(errors) <= bar, errors
