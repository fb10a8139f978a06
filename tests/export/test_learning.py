"""C that goes on learning, in float and double: against the learner in Python, its bytes, and what it refuses."""

import pathlib
import re

import numpy as np
import pytest
from support import ROOT, compilers
from support.learning_c import Learns

from ltc_np import GRU, LTC, AutoNCP, Dense, LrcSSM, Model, Standardize
from ltc_np.export import c
from ltc_np.export.learning import Readout, targets_for
from ltc_np.online import LMS, NLMS, RLS, Learner

needs_compiler = pytest.mark.tools("gcc clang")
RULES = {"NLMS": NLMS(0.5), "RLS": RLS(0.98), "RLS that never forgets": RLS(1.0, 1.0)}
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
BODIES = {
    "NCP": [LTC(AutoNCP(9, 4))],
    "stack": [Standardize(), LrcSSM(6), Dense(5, "tanh")],
    "GRU": [GRU(4)],
}


def made(layers, outputs, dtype="float64", scaled=True, seed=1):
    """A model with a readout; its scale and mean, if it has them, are not 1 and 0."""
    behind = [Standardize(inverse=True)] if scaled else []
    model = Model(*layers, Dense(outputs), *behind, input_dim=3, seed=seed, dtype=dtype, backend="numpy")
    rng = np.random.default_rng(seed)
    for name, values in model.buffers.items():
        values[:] = rng.standard_normal(values.shape) if name.endswith("mean") else rng.uniform(0.5, 2, values.shape)
    return model


def in_float32(model):
    """The same model."""
    theta, buffers = model.theta.astype("float32"), model.buffer_vector.astype("float32")
    return Model.restored(model.layer_stack, theta, buffers, "numpy", True)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("body", BODIES)
def test_it_learns_what_the_learner_in_python_learns(body, rule, dtype, tmp_path):
    """Two sequences that share a readout, uneven times, targets that are missing or come late, a gain that drifts.

    Answers within 1e-5.  The weights of RLS depend on roundings more than answers do: they may differ, besides, by four
    times what those of float32 change in Python.
    """
    model, rng = made(BODIES[body], 2), np.random.default_rng(5)
    learns = Learns(
        c.write(model, tmp_path / "c", "net", dtype=dtype, learn=RULES[rule], measure=False).folder, None, dtype
    )
    learner, rough = (Learner(each, RULES[rule], streams=2, delay=1) for each in (model, in_float32(model)))
    states, scale, deployed = [learns.begin(), learns.begin()], 0.0, None
    tolerance, rounding = 1e-5 if dtype == "float32" else 1e-11, 0.0
    for t in range(200):
        x = rng.standard_normal((2, 3)).astype("float32").astype(float)
        dt = float(np.float32(rng.uniform(0, 2) * (t % 5 > 0)))
        late = [state.copy() for state in states]
        time = {"dt": dt} if model.takes_dt else {}
        rough.predict(x, **time)
        y, (drifts, deployed) = learner.predict(x, **time), model.step(x, state=deployed, **time)
        found = np.array([learns.step(state, x[b], dt) for b, state in enumerate(states)])
        scale = max(scale, np.abs(y).max())
        np.testing.assert_allclose(found, y, rtol=0, atol=tolerance * scale)
        if t % 6 == 4:
            continue  # its target comes late
        target = (drifts * (1 + t / 100) + 0.3 * rng.standard_normal(2)).astype("float32").astype(float)
        if t % 7 == 3:
            target[1] = np.nan
        if t % 4 == 1 and t >= 100:  # until then what RLS keeps is of both outputs
            target[0, 1] = np.nan
        ago = int(t % 6 == 5)
        for each in (learner, rough):
            each.learn(target, ago=ago)
        answered = late if ago else states
        assert [learns.learn(state, target[b]) for b, state in enumerate(answered)] == [0, 0]
        size = np.abs(learner.weights).max()
        rounding = max(rounding, np.abs(rough.weights - learner.weights).max()) if dtype == "float32" else 0.0
        np.testing.assert_allclose(learns.weights, learner.weights, rtol=0, atol=tolerance * size + 4 * rounding)
    assert np.abs(learner.weights - learner.deployed).max() > 0.1  # it did learn


@needs_compiler
def test_a_readout_is_deployed_anew(tmp_path):
    model = made(BODIES["NCP"], 1)
    learns = Learns(c.write(model, tmp_path / "c", "net", learn=RLS(0.9), measure=False).folder)
    first, state = learns.learnt.copy(), learns.begin()
    assert np.isfinite(first).all()
    np.testing.assert_allclose(learns.weights, Learner(model, RLS()).deployed, rtol=1e-6)
    np.testing.assert_array_equal(first[5:].reshape(5, 5), np.eye(5, dtype="float32") * 10)
    learns.step(state, [1, 2, 3], 0.5)
    assert learns.learn(state, [3.0]) == 0
    assert (learns.learnt != first).sum() > 25
    learns.deploy()
    np.testing.assert_array_equal(learns.learnt, first)


@needs_compiler
@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize("options", [{"libm": False}, {"dtype": "float64", "unroll": True}, {"dt": 0.3}], ids=str)
@pytest.mark.parametrize("rule", ["NLMS", "RLS"])
def test_its_own_test_passes_and_can_fail(rule, options, compiler, tmp_path):
    """It learns in the test, so a rule that is wrong is found; with sanitizers."""
    folder = c.write(made(BODIES["NCP"], 2), tmp_path / "c", "net", learn=RULES[rule], measure=False, **options).folder
    link = [] if options.get("libm") is False else ["-lm"]
    command = compiler, *compilers.WARNINGS, *SANITIZED, "net.c", "net_test.c", "-o", tmp_path / "test", *link
    compilers.run(*command, cwd=folder)
    assert "largest error" in compilers.run(tmp_path / "test")
    text = (folder / "net.c").read_text()
    change = {"NLMS": "+= step[o] * f[i];", "RLS": "* seen[k * 5 + j]) * scale[k]"}[rule]
    assert text.count(change) == 1
    (folder / "net.c").write_text(text.replace(change, change.replace("*", "* (1 - 1 / (1 << 10)) *", 1)))
    compilers.run(*command, cwd=folder)  # integers: 1 / 1024 is 0
    assert compilers.status(tmp_path / "test") == 0
    real = "1024.0" if "dtype" in options else "1024.0f"
    (folder / "net.c").write_text(text.replace(change, change.replace("*", f"* (1 - 1 / {real}) *", 1)))
    compilers.run(*command, cwd=folder)
    assert compilers.status(tmp_path / "test") == 1


@needs_compiler
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", ["NLMS", "RLS"])
def test_the_report_s_sizes_are_the_compiler_s(rule, dtype, outputs, tmp_path):
    export = c.write(
        made(BODIES["stack"], outputs), tmp_path / "c", "net", dtype=dtype, learn=RULES[rule], measure=False
    )
    learns = Learns(export.folder, None, dtype)
    assert (learns.state_bytes, learns.learnt_bytes) == (export.state_bytes, export.learnt_bytes)
    compilers.run(compilers.HOST[0], "-std=c99", "-O0", "-c", "net.c", "-o", tmp_path / "net.o", cwd=export.folder)
    symbols = [line.split() for line in compilers.run("nm", "-S", tmp_path / "net.o").splitlines()]
    tables = sum(int(symbol[1], 16) for symbol in symbols if len(symbol) == 4 and symbol[2] == "r")
    assert tables == export.table_bytes


def test_sizes_are_those_of_the_model(tmp_path):
    """By hand: 9 neurons, 4 features and a 1, 2 outputs.

    RLS keeps 5 x 5 numbers of each output and 1 more, and needs 2 + 2 x 5 of each for a while.
    """
    model = made(BODIES["NCP"], 2)
    plain = c.write(model, tmp_path / "a", measure=False)
    nlms = c.write(model, tmp_path / "b", learn=NLMS(), measure=False)
    rls = c.write(model, tmp_path / "c", learn=RLS(), measure=False)
    assert (plain.state_bytes, plain.learnt_bytes, plain.learn_stack_bytes) == (4 * 9, 0, 0)
    assert (nlms.state_bytes, nlms.learnt_bytes, nlms.learn_stack_bytes) == (4 * (9 + 5), 4 * 2 * 5, 4 * 2)
    assert (rls.state_bytes, rls.learnt_bytes) == (nlms.state_bytes, 4 * (2 * 5 + 2 * 5 * 5 + 1))
    assert rls.learn_stack_bytes == 4 * 2 * (2 + 2 * 5)
    report = (rls.folder / "report.md").read_text()
    assert f"one for all sequences or one for each: {rls.learnt_bytes} bytes" in report
    assert f"of learning, on the stack: {rls.learn_stack_bytes} bytes" in report
    assert f"one for each sequence that runs: {rls.state_bytes} bytes" in report
    # A step multiplies the readout's weights, of which the bias has a feature too; the scale behind it is folded in.
    counts = {
        folder: dict(line.strip("| ").split(" | ") for line in report.splitlines() if line.startswith("| "))
        for folder, report in ((e.folder.name, (e.folder / "report.md").read_text()) for e in (plain, nlms))
    }
    assert int(counts["b"]["multiply"]) == int(counts["a"]["multiply"]) - 2 * 4 - 2 + 2 * 5


@needs_compiler
@pytest.mark.parametrize("rule", ["NLMS", "RLS"])
def test_what_nothing_can_be_learnt_from(rule, tmp_path):
    """Each is told by what it returns, and not a bit of the readout changes."""
    learns = Learns(c.write(made(BODIES["NCP"], 2), tmp_path / "c", "net", learn=RULES[rule], measure=False).folder)
    state = learns.begin()
    before = learns.learnt.copy()

    def refused(target, code):
        assert learns.learn(state, target) == code
        np.testing.assert_array_equal(learns.learnt.view("uint32"), before.view("uint32"))

    refused([1, 2], 1)  # there is no answer yet
    learns.step(state, [0.5, -1, 2], 0.5)
    refused([np.nan, np.nan], 0)
    refused([np.inf, 0], 2)
    refused([0, -np.inf], 2)
    learns.learnt[4] = before[4] = 3e38
    refused([-3e38, 0], 2)  # the error overflows
    learns.learnt[4] = before[4] = 1.0
    refused([np.nan, np.inf], 2)
    state[9] = 1e25  # a feature: its square overflows, the answer does not
    refused([0, 0], 2)
    state[9] = np.nan
    refused([1, 1], 2)
    learns.reset(state)
    refused([1, 2], 1)


@needs_compiler
@pytest.mark.parametrize("rule", RULES)
def test_hostile_streams(rule, tmp_path):
    """Whatever comes, all stays finite, and what is refused changes no bit."""
    learns = Learns(c.write(made([GRU(4)], 2), tmp_path / "c", "net", learn=RULES[rule], measure=False).folder)
    rng, state, codes = np.random.default_rng(2), learns.begin(), set()
    hostile = np.array([np.nan, np.inf, -np.inf, 0, 1e6, -1e6, 1e18, -1e25, 3e38, 1e-38], "float32")
    for stream in range(1000):
        learns.deploy()
        share = rng.choice([0.02, 0.2, 1.0])
        for _ in range(5):
            state[4:-1], state[-1] = rng.normal(size=4), 1
            target = rng.normal(size=2).astype("float32")
            for array in (state[4:-1], target):
                where = rng.random(array.shape) < share
                array[where] = rng.choice(hostile, where.sum())
            before = learns.learnt.copy()
            codes.add(code := learns.learn(state, target))
            assert np.isfinite(learns.learnt).all(), stream
            if code:
                np.testing.assert_array_equal(learns.learnt, before)
    assert codes == {0, 2}


@needs_compiler
def test_nlms_learns_what_is_known(tmp_path):
    """A row whose target is missing keeps its bits; the other is right about the observation, with a rate of 1."""
    learns = Learns(c.write(made(BODIES["NCP"], 2), tmp_path / "c", "net", learn=NLMS(1.0), measure=False).folder)
    state, before = learns.begin(), learns.weights.copy()
    learns.step(state, [0.5, -1, 2], 0.5)
    assert learns.learn(state, [np.nan, 7]) == 0
    np.testing.assert_array_equal(learns.weights[0], before[0])
    values = state[9:].copy()
    assert learns.weights[1] @ values == pytest.approx(7, rel=1e-5)
    assert values[-1] == 1


@needs_compiler
def test_rls_parts_the_outputs_where_one_has_no_target(tmp_path):
    """Each then has what `RLS.update` keeps for it; what is refused in between parts nothing."""
    rule = RLS(0.9, 0.5)
    folder = c.write(made([GRU(4)], 3), tmp_path / "c", "net", dtype="float64", learn=rule, measure=False).folder
    learns, rng = Learns(folder, None, "float64"), np.random.default_rng(3)
    state, W = learns.begin(), learns.weights.copy()
    kept = rule.begin(5, 3, np.dtype(float))
    for missing in ([], [], [1], [], [0, 1], [2], [0, 1, 2], [0]):
        state[4:], target = np.append(rng.normal(size=4), 1), rng.normal(size=3)
        target[missing] = np.nan
        before = learns.learnt.copy()
        assert learns.learn(state, np.append(np.nan, [np.inf, 1])) == 2
        np.testing.assert_array_equal(learns.learnt, before)
        assert learns.learn(state, target) == 0
        known = ~np.isnan(target)
        if known.any():
            error = np.where(known, target - W @ state[4:], 0)
            W, kept = rule.update(W, kept, state[4:], error, None if known.all() else known, 1.0)
        np.testing.assert_allclose(learns.weights, W, rtol=0, atol=1e-12)
        roots = len(kept["S"])
        np.testing.assert_allclose(learns.learnt[15:-1].reshape(3, 5, 5)[:roots], kept["S"], rtol=0, atol=1e-12)
        assert learns.learnt[-1] == roots


@needs_compiler
@pytest.mark.parametrize("steps", [3000, pytest.param(1_000_000, marks=pytest.mark.sweep)])
def test_rls_in_float_follows_float64(steps, tmp_path):
    """Badly scaled features: those of the network are replaced by ones from 1e-2 to 1e2."""
    learns = Learns(c.write(made([GRU(19)], 1), tmp_path / "c", "net", learn=RLS(0.999, 1.0), measure=False).folder)
    rng, rule, scales = np.random.default_rng(1), RLS(0.999, 1.0), np.append(np.logspace(-2, 2, 19), 1)
    W, true, state = learns.weights.astype(float), rng.normal(size=20), learns.begin()
    kept = rule.begin(20, 1, np.dtype(float))
    for _ in range(steps):
        f = (rng.normal(size=20) * scales).astype("float32")
        f[-1] = 1
        target = np.float32(true @ (f / scales) + 0.1 * rng.normal())
        state[19:] = f
        assert learns.learn(state, [target]) == 0
        W, kept = rule.update(W, kept, f.astype(float), target - W @ f, None, 1.0)
    assert np.linalg.norm((learns.weights - W) * scales) <= 1e-3 * np.linalg.norm(W * scales)
    root = learns.learnt[20:].reshape(20, 20).astype(float)
    assert (root**2).sum() <= 20 / 1.0 * (1 + 1e-5)


MAIN = """
#include <stdio.h>
int main(void)
{
    const float x[CONTROLLER_INPUTS] = {1, -1}, target[] = {0.5f};
    float y[CONTROLLER_OUTPUTS];
    int failed = 0;
    controller_reset(&state);
    controller_deploy(&readout);
    for (int t = 0; t < 20; t++) {
        failed |= observe(x, 0.5f, y, target);
    }
    printf("%.9g", (double)y[0]);
    return failed;
}
"""


@needs_compiler
def test_the_page_s_program(tmp_path):
    """What docs/export_c.md tells callers to write."""
    page = (ROOT / "docs" / "export_c.md").read_text(encoding="utf-8")
    _, code = re.findall(r"^```c\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    model = Model(LTC(AutoNCP(9, 4)), Dense(1), input_dim=2, seed=0)
    folder = c.write(model, tmp_path / "controller", "controller", learn=NLMS(0.1), measure=False).folder
    (tmp_path / "main.c").write_text(code + MAIN)
    sources = tmp_path / "main.c", folder / "controller.c"
    compilers.run(compilers.HOST[0], "-std=c99", f"-I{folder}", *sources, "-lm", "-o", tmp_path / "main")
    learner = Learner(model, NLMS(0.1))
    for _ in range(20):
        y = learner.predict([1.0, -1.0], dt=0.5)
        learner.learn([0.5])
    assert float(compilers.run(tmp_path / "main")) == pytest.approx(y[0], abs=1e-5)
    assert 0 < abs(y[0] - 0.5) < 0.1


@needs_compiler
def test_rls_does_not_wind_up(tmp_path):
    """A thousand times the same, then a surprise: as in Python, where the trace of what is kept is limited."""
    rule = RLS(0.9, 0.5)
    learns = Learns(c.write(made([GRU(4)], 1), tmp_path / "c", "net", learn=rule, measure=False).folder)
    state, f = learns.begin(), np.array([1, 0, 0, 1, 1], "float32")
    state[4:], W, kept = f, learns.weights.astype(float), rule.begin(5, 1, np.dtype(float))
    for k in range(1001):
        if k == 1000:
            state[5] = f[1] = 0.01
        assert learns.learn(state, [2]) == 0
        W, kept = rule.update(W, kept, f.astype(float), 2 - W @ f, None, 1.0)
        assert (learns.learnt[5:] ** 2).sum() <= 5 / 0.5 * (1 + 1e-5)
    np.testing.assert_allclose(learns.weights, W, rtol=1e-5)


# ------------------------------------------------------------------------------------------------ without a compiler


@pytest.mark.parametrize("rule", ["NLMS", "RLS"])
def test_golden_vectors_are_those_of_the_learner(rule):
    """What NAME_test.c compares with: computed by the rule alone, and here by the learner."""
    model, rng = made(BODIES["NCP"], 2), np.random.default_rng(0)
    x, readout = rng.standard_normal((40, 3)), Readout.of(model, RULES[rule])
    features = readout.body(x, dt=0.3)
    target = targets_for(readout.deployed(features), partly=True)
    assert np.isnan(target).all(axis=1).sum() == 5 and np.isnan(target).any(axis=1).sum() == 5 + 2
    learner, found = Learner(model, RULES[rule]), []
    for row, wanted in zip(x, target, strict=True):
        found.append(learner.predict(row, dt=0.3))
        learner.learn(wanted)
    np.testing.assert_allclose(readout.answers(features, target, np.float64), found, rtol=0, atol=1e-11)


def test_the_files_say_that_they_learn(tmp_path):
    folder = c.write(made(BODIES["NCP"], 2), tmp_path / "c", "net", learn=RLS(0.9), measure=False).folder
    header = " ".join((folder / "net.h").read_text().split())
    for said in (
        "The readout learns by RLS(forgetting=0.9)",
        "#define NET_FEATURES 4",
        "#define NET_OUTPUTS 2",
        "void net_step(net_state *state, const net_readout *readout, const float *x, float dt, float *y);",
        "int net_learn(net_readout *readout, const net_state *state, const float *target);",
        "NET_OUTPUTS numbers, NaN where none is known.",
        "2 if the target or what would come of it is not finite. */",
        "float roots; /* in use: 1 for all outputs, or",
    ):
        assert said in header
    sketch = (folder / "arduino" / "net" / "net.ino").read_text()
    assert "net_deploy(&readout);" in sketch and "net_step(&state, &readout, x, " in sketch
    one = c.write(made(BODIES["NCP"], 1), tmp_path / "c", "net", learn=RLS(0.9), measure=False).folder
    assert "roots;" not in (one / "net.h").read_text()  # there is only one


BAD = [
    ("nlms", TypeError, r"`learn` must be an NLMS, RLS, Adam or SGD, such as Adam\(1e-3\), or None, got 'nlms'"),
    (LMS(), TypeError, "`learn` must be an NLMS, RLS"),
    (NLMS, TypeError, "`learn` must be an NLMS, RLS"),
]


@pytest.mark.parametrize(("learn", "error", "message"), BAD, ids=[str(row[0]) for row in BAD])
def test_rules_that_are_refused(learn, error, message, tmp_path):
    with pytest.raises(error, match=message):
        c.write(made(BODIES["NCP"], 1), tmp_path / "c", learn=learn)
    assert not any(pathlib.Path(tmp_path).iterdir())


def test_a_model_without_a_readout(tmp_path):
    with pytest.raises(ValueError, match="`model` must end with a Dense without activation"):
        c.write(Model(LTC(AutoNCP(9, 2)), input_dim=3), tmp_path / "c", learn=NLMS())
    assert not any(tmp_path.iterdir())
