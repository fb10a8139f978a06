"""ONNX graphs, run by onnxruntime, against the models that they were made of."""

import re

import numpy as np
import pytest
from support import ROOT
from support.exported import LAYERS, made

from ltc_np import LTC, AutoNCP, Conv1D, Dense, FullyConnected, Model, Patch, RandomWiring
from ltc_np.export import command
from ltc_np.export import onnx as export
from ltc_np.export.builder import Builder
from ltc_np.export.lower import program
from ltc_np.export.program import Program, Vector
from ltc_np.export.run import Machine
from ltc_np.kernels.codes import SOLVERS

onnx = pytest.importorskip("onnx", reason="needs the package onnx")
ort = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")

B, T, I = 3, 7, 4
SLOW = {"time_constants": (5, 50)}  # so that explicit solvers are stable
STACKS = {
    f"LTC {solver} {unfolds} {type(wiring).__name__}": [LTC(wiring, solver=solver, ode_unfolds=unfolds, init=SLOW)]
    for solver in SOLVERS
    for unfolds in (1, 2, 20)
    for wiring in (AutoNCP(9, 2), FullyConnected(6, 2), RandomWiring(I, 2, 8, seed=0))
} | {
    "two layers": [LTC(AutoNCP(9, 4)), Dense(3, "gelu"), LTC(FullyConnected(5, 3)), Dense(2)],
    "no state": [Dense(5, "silu"), Dense(2)],
}


def session(proto):
    return ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def run(graph, **feeds):
    names = [one.name for one in graph.get_outputs()]
    return dict(zip(names, graph.run(names, {k: np.asarray(v, np.float32) for k, v in feeds.items()}), strict=True))


def close(found, wanted):
    """In float32 both, in other orders: some roundings of the largest number."""
    assert found.shape == wanted.shape
    largest = np.nanmax(np.abs(wanted), initial=1)  # NaN where no output falls due
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("name", [*LAYERS, *STACKS])
def test_a_graph_computes_what_the_model_does(name, rng):
    model = made((LAYERS | STACKS)[name], rng, "float32")
    own = program(model)  # whose state may have other units
    whole, single = session(export.to_onnx(model)), session(export.to_onnx(model, kind="step"))
    for batch, steps in ((B, T), (1, 2), (2, 1)):  # of any size, by the same graph
        x = rng.standard_normal((batch, 1 + steps, model.input_size))
        dt = 0.3 * rng.exponential(size=(batch, 1 + steps)) * (rng.random((batch, 1 + steps)) > 0.2)
        times = {"dt": dt} if model.takes_dt else {}
        now = [{name: values[:, t] for name, values in times.items()} for t in range(1 + steps)]
        _, h0 = model.step(x[:, 0], **now[0])
        later = {name: values[:, 1:] for name, values in times.items()}
        wanted = model(x[:, 1:], **later, h0=h0, return_state=True)
        state = {"state": own.from_model(h0)} if model.state_size else {}
        found = run(whole, x=x[:, 1:], **later, **state)
        if state:
            found["last_state"] = own.to_model(found["last_state"])
        for name, value in zip(("y", "last_state"), wanted, strict=True):
            if model.state_size or name == "y":
                close(found[name], value)
        after = h0
        for t in range(1, 1 + steps):
            y, after = model.step(x[:, t], **now[t], state=after)
            one = run(single, x=x[:, t], **now[t], **state)
            state = {"state": one["last_state"]} if state else {}
            close(one["y"], y)


@pytest.mark.parametrize("steps", [1, 5, 11])
def test_sequences_in_other_phases_have_outputs_at_other_steps(steps, rng):
    """The rows of a call: of each sequence those that fall due, from the left, and zeros behind them."""
    layers = [Conv1D(3, 3, stride=2, activation="tanh"), Patch(3), LTC(AutoNCP(6, 2))]
    model = made(layers, rng, "float32")
    x, dt = rng.standard_normal((6, 5 + steps, 3)), rng.exponential(size=(6, 5 + steps))
    _, h0 = model(x[:, :5], dt=dt[:, :5], lengths=range(6), return_state=True)
    assert len(np.unique(h0[:, model.layer_stack.state_slices["1.phase"]])) == 3
    y, last = model(x[:, 5:], dt=dt[:, 5:], h0=h0, return_state=True)
    found = run(session(export.to_onnx(model)), x=x[:, 5:], dt=dt[:, 5:], state=h0)
    assert y.shape[1] == (5 + steps) // 6 and (steps != 5 or not y[0].any())
    close(found["y"], y)
    close(found["last_state"], last)


def test_one_number_fills_a_vector_and_parts_become_a_whole(monkeypatch, rng):
    """No layer of the library needs it today, and other writers do it."""
    b, x, y = Builder(), Vector("x", 0, I), Vector("y", 0, 3)
    b.assign(y[1:], 2.0)
    b.assign(y[:1], x[1:2] * x[3:4])
    total = b.total(b.assign(b.variable(3), x[:1]))
    whole = b.variable(4)
    b.assign(whole[1:3], y[:2])  # what is not set is 0
    b.linear(rng.standard_normal((3, 4)), b.store(whole + total), target=y)
    b.end_stage("own")
    step = Program(I, 3, 0, False, np.zeros(0), tuple(b.stages))
    monkeypatch.setattr(export, "proved", lambda model: step)  # though it is not the model's
    given = rng.standard_normal((B, I))
    found = run(session(export.to_onnx(Model(Dense(3), input_dim=I), kind="step")), x=given)
    close(found["y"], Machine(step, B).step(given))


def test_no_time_no_change(rng):
    model = Model(LTC(AutoNCP(9, 2)), input_dim=I, seed=1)
    state = rng.uniform(-0.5, 0.5, (B, 9)).astype(np.float32)
    found = run(session(export.to_onnx(model)), x=rng.standard_normal((B, T, I)), dt=np.zeros((B, T)), state=state)
    assert (found["last_state"] == state).all()


def test_what_a_file_says(tmp_path):
    """The checker's whole check, the opset, and which model it is."""
    model = Model(LTC(AutoNCP(9, 2)), input_dim=I, seed=1)
    export.write(model, tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 17)]
    known = {one.key: one.value for one in proto.metadata_props}
    assert known["initial_state"].split() == ["0.0"] * 9
    assert known["layers"] == repr(model.layers[0])
    model.theta[3] += 1
    other = {one.key: one.value for one in export.to_onnx(model).metadata_props}
    assert {key for key in known if known[key] != other[key]} == {"sha256"}


def test_mistakes(tmp_path):
    model = Model(LTC(AutoNCP(9, 2)), input_dim=I, seed=1)
    with pytest.raises(ValueError, match="`kind` must be one of 'sequence', 'step', got 'graph'"):
        export.to_onnx(model, kind="graph")
    with pytest.raises(IsADirectoryError, match="`path` must be a file"):
        export.write(model, tmp_path)
    with pytest.raises(FileNotFoundError, match="`path` must lie in an existing folder"):
        export.write(model, tmp_path / "none" / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "onnx.md").read_text("utf-8"), re.M | re.S)
    exec(compile(code, "onnx.md", "exec"), {})


def test_the_command_writes_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Model(LTC(AutoNCP(9, 2)), input_dim=I, seed=1)
    model.save("model.npz")
    for options, kind in (([], "sequence"), (["--step"], "step")):
        command.main(["model.npz", "model.onnx", *options])
        written = (tmp_path / "model.onnx").read_bytes()
        assert written == export.to_onnx(model, kind=kind).SerializeToString()
        assert capsys.readouterr().out == f"model.onnx: {len(written)} bytes\n"
    for options in (["--unroll"], ["--name", "net"], ["--dt", "0.1"], ["--fixed"]):
        assert command.main(["model.npz", "other.onnx", *options]) == 2
        assert f"{options[0]} has no effect on a graph, FILE.onnx" in capsys.readouterr().err
    assert command.main(["model.npz", "folder", "--step"]) == 2
    assert "--step has no effect on C in float or double" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "model.onnx"]


def test_nothing_is_kept_that_nobody_reads(rng):
    """Runtimes warn of constants without a reader."""
    graph = export.to_onnx(Model(LTC(AutoNCP(9, 2), solver="exponential"), Dense(2, "gelu"), input_dim=I)).graph
    body = graph.node[0].attribute[0].g
    read = {name for node in (*graph.node, *body.node) for name in node.input}
    assert {one.name for one in graph.initializer} <= read
