"""Exports of models that have no output at most steps: C in float and fixed point, what is beside it, scripts."""

import json

import numpy as np
import pytest
from support import compilers
from support.browser import NAMES, visit
from support.compilers import Compiled
from support.exported import LAYERS, made
from support.fixed_point import in_c, sequences

from ltc_np import CTRNN, LTC, SGD, AutoNCP, Conv1D, Dense, Model, Patch
from ltc_np.export import agreement, c, fixed, web
from ltc_np.export.lower import program
from ltc_np.export.program import reads, statements
from ltc_np.online import NLMS

NAMED = ["Conv1D strided, LTC", "Conv1D strided twice, GRU", "Conv1D every fourth, SpikingLIF", "Patch, CfC"]
COMPILERS = pytest.mark.tools("gcc clang")
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
PAGE = '<!DOCTYPE html>\n<html><head></head><body><script src="network.js"></script></body></html>\n'
T = 26


@COMPILERS
@pytest.mark.parametrize("dt", [None, 0.3])
@pytest.mark.parametrize("name", NAMED)
def test_c_says_where_outputs_are_new(name, dt, rng, tmp_path):
    model = made(LAYERS[name], rng)
    if dt is not None and not model.takes_dt:
        return
    export = c.write(model, tmp_path / "c", "net", dtype="float64", dt=dt, measure=False)
    compiled, state = Compiled(program(model, dt), export.folder, "net", compilers.HOST[0], "float64"), None
    for t in range(T):
        x, own = rng.standard_normal(model.input_size), 0.3 * rng.exponential() * (t % 5 > 0)
        own = own if dt is None else dt
        y, state = model.step(x, dt=own if model.takes_dt else None, state=state)
        np.testing.assert_allclose(compiled.step(x, own), y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(compiled.state, state, rtol=1e-12, atol=1e-12)


def test_drawn_times_are_short_enough_together():
    """Three of them are a step of an explicit solver, which takes less than 2; of several sequences the longest."""
    model = Model(Patch(3), CTRNN(2, solver="euler", ode_unfolds=1), input_dim=1, seed=0, dtype="float64")
    for drawn, halvings in (
        (np.full(7, 0.9), 1),
        (np.array([[0.1, 1.5]] * 6), 2),
        (np.array([0.1, 0.1, 0.1, 0.9, 0.9]), 0),  # the last two have no output
    ):
        np.testing.assert_array_equal(agreement.shortened(model, drawn), drawn / 2**halvings)


@COMPILERS
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_fixed_point_has_the_bits_of_its_c(name, rng, tmp_path):
    """Also of sequences that end early, and step by step; its numbers are the model's."""
    model = made(LAYERS[name], rng)
    x, arguments = sequences(model, rng, 6, T)
    lengths, s = [T, T - 1, 13, 3, 0, T], model.layer_stack.stride
    quantised = fixed.quantise(model, x, **arguments, lengths=lengths)
    run = quantised.run(x, **arguments)
    y, state = in_c(quantised, tmp_path, compilers.HOST[0], x, arguments.get("dt"))
    np.testing.assert_array_equal(y[:, s - 1 :: s], run.y)
    np.testing.assert_array_equal(state, run.state)
    assert not np.delete(y, np.s_[s - 1 :: s], axis=1).any()
    wanted = model(x, **arguments, lengths=lengths)
    found = quantised(x, **arguments, lengths=lengths)
    error = np.abs(found - wanted)
    assert found.shape == wanted.shape and error.max() < 1e-5 * np.abs(wanted).max()
    assert max(each.largest for each in quantised.report.errors) == pytest.approx(error.max(), rel=1e-3)
    after = None
    for t in range(T):
        now = {key: values[:, t] for key, values in arguments.items()}
        y_t, after = quantised.step(x[:, t], **now, state=after)
        want = run.y[:, t // s] if (t + 1) % s == 0 else np.full(y_t.shape, np.nan)
        np.testing.assert_array_equal(y_t, want)


def folders(model, path, rng):
    """In float and in fixed point."""
    x, arguments = sequences(model, rng, 3, 40)
    yield c.write(model, path / "float", "net", measure=False).folder
    yield fixed.write(fixed.quantise(model, x, **arguments), path / "fixed", "net", measure=False).folder


@COMPILERS
@pytest.mark.slow
def test_its_own_test_knows_the_steps_of_outputs(rng, tmp_path):
    """It passes, and fails where outputs come at other steps, or are others."""
    model = made(LAYERS["Conv1D strided, LTC"], rng)
    for folder in folders(model, tmp_path, rng):
        command = compilers.HOST[0], *compilers.WARNINGS, *SANITIZED, "net.c", "net_test.c", "-o", "test", "-lm"
        compilers.run(*command, cwd=folder)
        assert "largest error" in compilers.run(folder / "test")
        text = (folder / "net.c").read_text()
        for old, new in (
            ("> 0) {\n        return 0;", "< 0) {\n        return 0;"),
            ("return 1;", "y[0] += 1000; return 1;"),
        ):
            assert text.count(old) == 1
            (folder / "net.c").write_text(text.replace(old, new))
            compilers.run(*command, cwd=folder)
            assert compilers.status(folder / "test") == 1


def test_what_the_header_and_the_sketch_say(rng, tmp_path):
    for folder in folders(made(LAYERS["Patch, CfC"], rng), tmp_path, rng):
        header = (folder / "net.h").read_text()
        assert "#define NET_STRIDE 3\n" in header and "\nint net_step(" in header
        assert "Returns 1 where y is new, once in NET_STRIDE steps; else 0, and y is as it was. */" in header
        sketch = (folder / "arduino" / "net" / "net.ino").read_text()
        assert "const int is_new = net_step(" in sketch and "if (!is_new) {\n    return;" in sketch
    plain = c.write(Model(Dense(1), input_dim=2, seed=0), tmp_path / "plain", "net", measure=False).folder
    header = (plain / "net.h").read_text()
    assert "#define NET_STRIDE 1\n" in header and "\nvoid net_step(" in header and "Returns" not in header
    assert "is_new" not in (plain / "arduino" / "net" / "net.ino").read_text()


@pytest.mark.slow
@pytest.mark.tools(f"clang wasm-ld {' '.join(NAMES)}")
def test_a_script_gives_null_where_none_falls_due(tmp_path, rng):
    model = made(LAYERS["Conv1D strided, LTC"], rng, "float32")
    web.write(model, tmp_path / "network.js", "example")
    (tmp_path / "page.html").write_text(PAGE)
    x, dt = rng.normal(size=(9, 3)), rng.exponential(size=9)
    run = (
        f"const given = {json.dumps({'x': x.tolist(), 'dt': dt.tolist()})}; const network = await example.create();"
        "return given.x.map((x, t) => { const y = network.step(x, given.dt[t]); return y && Array.from(y); });"
    )
    state = None
    for t, found in enumerate(visit(tmp_path / "page.html", run, 5)):
        y, state = model.step(x[t], dt=dt[t], state=state)
        assert (found is None) == np.isnan(y).all() == ((t + 1) % 2 > 0)
        if found is not None:
            np.testing.assert_allclose(found, y, atol=1e-5)


def test_a_step_of_one_elapsed_time_computes_nothing_that_is_known(rng):
    """The times of outputs are so many times as long."""
    model = Model(Conv1D(2, 3, stride=5), LTC(AutoNCP(6, 2), ode_unfolds=2), input_dim=1, seed=0)
    found = program(model, 0.1)
    every = [own for stage in found.stages for own, _ in statements(stage.statements)]
    assert not {"dt"} & {vector.name for own in every for vector in reads(own)}
    assert found.stride == 5 and not found.takes_dt


def test_outputs_at_other_steps_are_refused():
    """Though each number that both have is right: a program without the wait has outputs at all steps."""
    model = Model(Conv1D(1, 1, stride=2), input_dim=1, seed=0)
    right = program(model)
    stages = tuple(stage._replace(phase=None) for stage in right.stages)
    agreement.prove(model, right)
    with pytest.raises(ValueError, match="but outputs would fall due in other steps: nothing was written"):
        agreement.prove(model, right._replace(stages=stages))


def test_refused(tmp_path, rng):
    model = Model(Conv1D(2, 3, stride=4), LTC(AutoNCP(6, 2)), Dense(1), input_dim=1, seed=0)
    for learn in (NLMS(0.1), SGD(0.01)):
        with pytest.raises(ValueError, match="`model` must give an output at every step to learn where it is exported"):
            c.write(model, tmp_path / "c", learn=learn)
    x = rng.standard_normal((2, 9, 1))
    with pytest.raises(ValueError, match="`model` must give an output at every step to learn where it is exported"):
        fixed.quantise(model, x, learn=NLMS(0.1))
    with pytest.raises(ValueError, match="`x` must have at least the 4 steps of an output, got 3"):
        fixed.quantise(model, x[:, :3])
    with pytest.raises(ValueError, match=r"`x` must have shape \(T, 1\) with T >= 4, got \(3, 1\)"):
        c.write(model, tmp_path / "c", x=x[0, :3])
    assert not list(tmp_path.iterdir())


def test_the_report_counts_a_step_with_an_output(tmp_path):
    report = c.write(Model(Patch(3), Dense(1), input_dim=1, seed=0), tmp_path / "c", measure=False).folder / "report.md"
    assert "## Operations of a step with an output, one of 3\n" in report.read_text()
