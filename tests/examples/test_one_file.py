"""The file to read beside the tutorial: it computes what the library computes, and its gradients are right."""

import ast
import re

import numpy as np
import pytest
from support import ROOT

from ltc_np import LTC, Adam, CfC, Dense, FullyConnected, Model, generate_spiral_data, windows

B, T, I, N, O = 3, 4, 2, 5, 6
WIRING = FullyConnected(N).build(I)
NAMES = {"0.backbone_w0": "backbone_w", "0.backbone_b0": "backbone_b", "1.weight": "out_w", "1.bias": "out_b"}

both = pytest.mark.parametrize("cell", ["LTC", "CfC"])


@pytest.fixture
def one_file(example):
    return example("one_file")


def library(cell):
    if cell == "LTC":
        first = LTC(WIRING, epsilon=0.0, input_mapping=None, output_mapping=None)
    else:
        first = CfC(N, input_dim=I, backbone_units=32, backbone_activation="tanh")
    return Model(first, Dense(O), dtype="float64", seed=0, backend="numpy")


def in_the_file_s_form(views):
    """The library's parameters, or their gradients, with the names and the shapes of the file."""
    found = {}
    for name, values in views.items():
        if values.size == N * N and values.ndim == 1:
            values = WIRING.dense(values)
        elif values.size == I * N and values.ndim == 1:
            values = WIRING.sensory_dense(values)
        found[NAMES.get(name, name.removeprefix("0."))] = np.array(values)
    return found


def data(rng):
    """Inputs, elapsed times that differ and are 0 in one place, and a derivative for every output."""
    dt = rng.uniform(0.1, 2.0, (B, T))
    dt[1, 2] = 0.0
    return rng.uniform(-1, 1, (B, T, I)), dt, rng.normal(size=(B, T, O))


@both
def test_outputs_and_gradients_are_the_library_s(one_file, cell, rng):
    model = library(cell)
    x, dt, d_y = data(rng)
    want, tape = model.forward(x, dt=dt)
    p = in_the_file_s_form(model.params)
    assert list(map(np.shape, p.values())) == [np.shape(one_file.parameters(cell, rng, I, N, O)[name]) for name in p]
    found, own_tape = one_file.forward(cell, p, x, dt)
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-13)
    gradients = in_the_file_s_form(model.views(model.backward(tape, d_y).theta))
    own = one_file.backward(cell, p, own_tape, d_y)
    assert set(own) == set(gradients)
    for name, values in own.items():
        scale = np.abs(gradients[name]).max()
        np.testing.assert_allclose(values, gradients[name], rtol=0, atol=1e-12 * scale, err_msg=name)


@both
def test_gradients_are_those_of_finite_differences(one_file, cell, rng):
    p = one_file.parameters(cell, rng, 1, 2, 1)
    x, dt, d_y = rng.uniform(-1, 1, (3, 2, 1)), rng.uniform(0.1, 2.0, (3, 2)), rng.normal(size=(3, 2, 1))
    found = one_file.backward(cell, p, one_file.forward(cell, p, x, dt)[1], d_y)
    step = 1e-5
    for name, values in p.items():
        want = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            there = values[place]
            values[place] = there + step
            above = (one_file.forward(cell, p, x, dt)[0] * d_y).sum()
            values[place] = there - step
            below = (one_file.forward(cell, p, x, dt)[0] * d_y).sum()
            values[place] = there
            want[place] = (above - below) / (2 * step)
        np.testing.assert_allclose(found[name], want, rtol=0, atol=1e-8 * np.abs(want).max(), err_msg=name)


def test_adam_is_the_library_s(one_file, rng):
    model = library("CfC")
    p = {"theta": model.theta.copy()}
    ours, theirs = one_file.Adam(p), Adam(0.02)
    for _ in range(3):
        gradient = rng.normal(size=model.theta.size) * 10.0 ** rng.integers(-6, 3, model.theta.size)
        ours.step(p, {"theta": gradient}, 0.02)
        theirs.step(model, gradient)
        np.testing.assert_allclose(p["theta"], model.theta, rtol=1e-12)


def test_the_task_is_that_of_the_spiral_example(one_file, monkeypatch):
    """The same path and the same windows, and a loss that is the mean over them."""
    path = one_file.spiral(np.random.default_rng(3))
    np.testing.assert_allclose(path, generate_spiral_data(500, 3, seed=3), rtol=1e-12, atol=1e-15)
    seen = []

    def forward(cell, p, x, dt):
        seen.append(x)
        return np.zeros((*x.shape[:2], 2)), None

    monkeypatch.setattr(one_file, "forward", forward)
    monkeypatch.setattr(one_file, "backward", lambda cell, p, tape, d_y: {name: 0 * p[name] for name in p})
    one_file.train("LTC", path, 1, np.random.default_rng(0))
    x, _ = windows(path, 3)
    assert [len(some) for some in seen] == [32] * 15 + [17]
    assert np.array_equal(np.sort(np.concatenate(seen)[:, 0, 0]), np.sort(x[:, 0, 0]))


def test_it_is_short_and_needs_numpy_alone():
    text = (ROOT / "examples" / "one_file.py").read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name.name for node in imports for name in node.names}
    assert names == {"argparse", "time", "numpy"}


@pytest.mark.slow
def test_both_networks_do_better_than_repeating_the_last_point(run_example, tmp_path):
    done = run_example("one_file", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^  (LTC|CfC|repeat the last point) +(\S+) +(\S+)$", done.stdout, re.MULTILINE)
    assert [name for name, *_ in rows] == ["LTC", "CfC", "repeat the last point"]
    errors = np.array([[float(value) for value in row[1:]] for row in rows])
    assert (errors[:2] < 0.75 * errors[2]).all()
    assert len(re.findall(r"^(LTC|CfC)  epoch +\d+/60  mean squared error \d\.\d\de-\d\d$", done.stdout, re.M)) == 14


def test_it_refuses_nonsense(one_file, capsys):
    for args in (["--epochs", "0"], ["--seed", "-1"]):
        with pytest.raises(SystemExit) as stop:
            one_file.main(args)
        assert stop.value.code == 2
        assert "--epochs must be at least 1 and --seed at least 0" in capsys.readouterr().err
