"""C that learns whole, by exact gradients: against backpropagation, the learner in Python, and its bytes."""

import itertools
import re
import sys

import numpy as np
import pytest
from support import ROOT, compilers
from support.learning_c import Learns

from ltc_np import (
    GRU,
    LTC,
    SGD,
    Adam,
    AutoNCP,
    Clip,
    Dense,
    Dropout,
    FullyConnected,
    LrcSSM,
    Model,
    RandomWiring,
    RMSprop,
    Standardize,
    Wiring,
)
from ltc_np.export import c, command
from ltc_np.export.c.exact import cell
from ltc_np.kernels.codes import SOLVERS
from ltc_np.online import NLMS, Learner, synaptic_plan
from ltc_np.optim import CosineDecay

needs_compiler = pytest.mark.tools("gcc clang")
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
SCALED = [Standardize(mean=0.3, scale=2.0, clip=1.0)]
NETWORKS = {
    "LrcSSM": [LrcSSM(6), Dense(2)],
    "NCP": [*SCALED, LTC(AutoNCP(9, 4)), Dropout(0.5), Dense(2), Standardize(inverse=True, mean=0.5, scale=3.0)],
    "symmetric": [*SCALED, LrcSSM(5, elastance="symmetric", solver="semi_implicit", ode_unfolds=3), Dense(2)],
    "LTC alone": [LTC(AutoNCP(9, 2), solver="euler", ode_unfolds=12, input_mapping="linear", output_mapping="linear")],
    "LrcSSM alone": [LrcSSM(2, elastance=None, ode_unfolds=2), Standardize(inverse=True, scale=0.5)],
    "dense LTC": [LTC(FullyConnected(4, 2), input_mapping=None, output_mapping=None, ode_unfolds=2), Dense(2)],
}
WAYS = {
    "Adam": (Adam(0.01), {"clip_norm": 0.3, "pull": 0.05}),
    "Adam without bias": (Adam(0.003, beta1=0.0, beta2=0.9), {}),
    "SGD": (SGD(0.05), {"pull": 0.1}),
    "momentum": (SGD(0.02, momentum=0.8), {"clip_norm": 0.5}),
    "Nesterov": (SGD(0.02, momentum=0.8, nesterov=True), {"clip_norm": Clip(0.2)}),
}


def made(network, dtype="float64"):
    return Model(*NETWORKS[network], input_dim=3, seed=1, dtype=dtype, backend="numpy")


def exported(model, folder, dtype="float32", learn=None, **options):
    """A `Learns` of it."""
    learn = learn or SGD(0.01)
    return Learns(c.write(model, folder, "net", dtype=dtype, learn=learn, measure=False, **options).folder, None, dtype)


def stream(T, seed=5):
    """Inputs (T, 3), elapsed times (T,), of which every fifth is 0, and targets (T, 2), as numbers of float."""
    rng = np.random.default_rng(seed)
    x, dt, target = (
        rng.standard_normal((T, 3)),
        rng.uniform(0, 1.5, T) * (np.arange(T) % 5 > 0),
        rng.normal(size=(T, 2)),
    )
    return tuple(array.astype("float32").astype(float) for array in (x, dt, target))


@needs_compiler
@pytest.mark.few(2)
@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_of_a_stream_are_those_of_backpropagation(network, tmp_path):
    """While the weights stay: each parameter's, in double, by its own size; and from a late target, the same bits."""
    model, T = made(network), 60
    x, dt, target = stream(T)
    learns = exported(model, tmp_path / "c", "float64")
    state, total, late, last = learns.begin(), np.zeros(model.theta.size), None, None
    for t in range(T):
        if late is not None:
            assert learns.learn(late, target[t - 1]) == 0
            np.testing.assert_array_equal(learns.gradient, last)
            assert learns.set(model.theta) == 0
        learns.step(state, x[t], dt[t])
        late = state.copy()
        assert learns.learn(state, target[t]) == 0
        last = learns.gradient.copy()
        total += last / T
        assert learns.set(model.theta) == 0
    _, wanted = model.loss_and_grad(x[None], target[None], dt=dt[None], loss="mse")
    for name, found in model.views(total).items():
        size = np.abs(model.views(wanted)[name]).max()
        assert size > 0
        np.testing.assert_allclose(found, model.views(wanted)[name], rtol=0, atol=1e-10 * size, err_msg=name)


CASES = [
    ("NCP", "Adam", "float32"),
    ("LrcSSM", "Adam", "float32"),
    *((network, "Adam", "float64") for network in NETWORKS),
    *(("LrcSSM", way, "float64") for way in WAYS if way != "Adam"),
    *((network, way, "float32") for network, way in zip(NETWORKS, WAYS, strict=False) if way != "Adam"),
]


@needs_compiler
@pytest.mark.few(3)
@pytest.mark.parametrize(("network", "way", "dtype"), CASES)
def test_it_learns_what_the_learner_in_python_learns(network, way, dtype, tmp_path):
    """200 steps with uneven times, targets that are missing, in part too, and a gain that drifts.

    Answers within 1e-5.  Weights may differ besides by four times what the roundings of float32 change in Python.
    """
    model, (optimizer, options) = made(network), WAYS[way]
    x, dt, noise = stream(200)
    learns = exported(model, tmp_path / "c", dtype, optimizer, **options)
    learner, rough = (Learner(each, optimizer, **options) for each in (model, made(network, "float32")))
    state, scale, rounding, tolerance = learns.begin(), 0.0, 0.0, 1e-5 if dtype == "float32" else 1e-11
    for t in range(200):
        y, found = learner.predict(x[t], dt=dt[t]), learns.step(state, x[t], dt[t])
        rough.predict(x[t], dt=dt[t])
        scale = max(scale, np.abs(y).max())
        np.testing.assert_allclose(found, y, rtol=0, atol=tolerance * scale)
        target = (np.sin(t / 9) * np.array([1, 0.5]) * (1 + t / 100) + 0.1 * noise[t]).astype("float32").astype(float)
        target[: 2 if t % 7 == 3 else t % 4 == 1] = np.nan
        for each in (learner, rough):
            each.learn(target)
        assert learns.learn(state, target) == 0
        rounding = max(rounding, np.abs(rough.weights - learner.weights).max()) if dtype == "float32" else 0.0
        size = np.abs(learner.weights).max()
        np.testing.assert_allclose(learns.theta, learner.weights, rtol=0, atol=tolerance * size + 4 * rounding)
    assert np.abs(learner.weights - learner.deployed).max() > 0.1  # it did learn


def test_the_bytes_of_an_lrc_ssm(tmp_path):
    """By hand: 6 units with 4 * 3 + 8 traces each, 3 inputs; 42 + 12 + 48 parameters and those of the Dense."""
    P = 2 * 3 + 2 * 3 * 6 + 8 * 6 + 6 * 2 + 2
    for optimizer, kept in ((SGD(0.1), 0), (SGD(0.1, momentum=0.5), P), (Adam(), 2 * P + 1)):
        export = c.write(made("LrcSSM"), tmp_path / "c", learn=optimizer, measure=False)
        assert export.state_bytes == 4 * (6 + (2 + 1) + 6 * 20)
        assert export.learnt_bytes == 4 * (2 * P + kept)
        assert (export.stack_bytes, export.learn_stack_bytes) == (4 * (3 + 8), 4 * (2 + 6))
        assert export.table_bytes == 4 * P


@pytest.mark.slow
def test_the_bytes_of_an_ncp(tmp_path):
    """As many sensitivities as the plan of the learner has, and zeros up to four columns in a block."""
    model = Model(LTC(AutoNCP(19, 8)), Dense(2), input_dim=32, seed=0)
    (cell, _), P = model.layers, model.theta.size
    export = c.write(model, tmp_path / "c", learn=Adam(), measure=False)
    sensitivities = export.state_bytes // 4 - 19 - 3
    exact, _ = synaptic_plan.count(cell, None, False, True)
    assert (exact, sensitivities) == (6010, 6780)
    positive = 2 * 19 + cell.recurrent.pre.size + cell.sensory.pre.size
    assert export.learnt_bytes == 4 * (4 * P + 1 + 2 * positive)
    report = (export.folder / "report.md").read_text()
    assert f"The network, which learns, one for all sequences or one for each: {export.learnt_bytes} bytes" in report
    assert f"one for each sequence that runs: {export.state_bytes} bytes" in report
    page = " ".join((ROOT / "docs" / "export_c.md").read_text(encoding="utf-8").split())
    assert f"has {export.state_bytes:,} bytes instead of 76, and what learns {export.learnt_bytes:,}." in page


@needs_compiler
@pytest.mark.few(2)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_report_s_sizes_are_the_compiler_s(network, dtype, tmp_path):
    export = c.write(made(network), tmp_path / "c", "net", dtype=dtype, learn=Adam(), measure=False)
    learns = Learns(export.folder, None, dtype)
    assert (learns.state_bytes, learns.learnt_bytes) == (export.state_bytes, export.learnt_bytes)
    compilers.run(compilers.HOST[0], "-std=c99", "-O0", "-c", "net.c", "-o", tmp_path / "net.o", cwd=export.folder)
    symbols = [line.split() for line in compilers.run("nm", "-S", tmp_path / "net.o").splitlines()]
    tables = sum(int(symbol[1], 16) for symbol in symbols if len(symbol) == 4 and symbol[2] == "r")
    assert tables == export.table_bytes
    assert learns.get().size == learns.macros["PARAMETERS"] == made(network).theta.size


@pytest.mark.few(2)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_stack_of_the_report_is_that_of_the_text(network, tmp_path):
    """All arrays that functions declare, in NAME_learn and in all others."""
    export = c.write(made(network), tmp_path / "c", "net", learn=Adam(), measure=False)
    stacks = {True: 0, False: 0}
    for function in re.findall(r"^[a-z].*\)\n\{\n(?:.*\n)*?\}", (export.folder / "net.c").read_text(), re.M):
        declared = " ".join(f",{line}," for line in re.findall(r"^ +float (.*);", function, re.M))
        sizes = re.findall(r", ?\w+\[(4 \* )?(\d+)\](?: = \{0\})?(?=,)", declared)
        stacks[function.startswith("int net_learn")] += sum(4 * int(size) * (4 if four else 1) for four, size in sizes)
    assert (export.learn_stack_bytes, export.stack_bytes) == (stacks[True], stacks[False])
    assert min(stacks.values()) > 0


EDGES = {
    "nothing is sensed": (lambda: LTC(Wiring.from_matrix(np.ones((2, 2)), np.zeros((3, 2)))), Adam()),
    "no synapses between neurons": (lambda: LTC(Wiring.from_matrix(np.zeros((2, 2)), np.ones((3, 2)))), Adam()),
    "Adam without memory": (lambda: LrcSSM(2), Adam(beta1=0.0, beta2=0.0)),
}


@needs_compiler
@pytest.mark.few(2)
@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("edge", EDGES)
def test_no_compiler_warns_where_something_is_missing(edge, tmp_path):
    """Nor does it learn anything else then, in double."""
    cell, optimizer = EDGES[edge]
    model = Model(cell(), input_dim=3, seed=1, dtype="float64", backend="numpy")
    learns = exported(model, tmp_path / "c", "float64", optimizer)
    for compiler, level in itertools.product(compilers.HOST, ("-Os", "-O2")):
        options = *compilers.WARNINGS, level, "-c", "net.c", "-o", tmp_path / "net.o"
        compilers.run(compiler, *options, cwd=tmp_path / "c")
    learner, state, (x, dt, target) = Learner(model, optimizer), learns.begin(), stream(10)
    for t in range(10):
        np.testing.assert_allclose(learns.step(state, x[t], dt[t]), learner.predict(x[t], dt=dt[t]), rtol=0, atol=1e-12)
        learner.learn(target[t])
        assert learns.learn(state, target[t]) == 0
    np.testing.assert_allclose(learns.theta, learner.weights, rtol=0, atol=1e-11)
    assert (learns.theta != model.theta).any()


@needs_compiler
@pytest.mark.few(1)
@pytest.mark.parametrize("network", ["NCP", "LrcSSM"])
def test_what_nothing_can_be_learnt_from(network, tmp_path):
    """Each is told by what it returns, and not a bit of the network changes, but for the gradient."""
    learns = exported(made(network), tmp_path / "c", learn=Adam(0.1))
    P, state = learns.theta.size, learns.begin()
    x, dt, target = stream(4)
    before = learns.learnt.copy()

    def refused(target, code):
        assert learns.learn(state, target) == code
        np.testing.assert_array_equal(learns.learnt[:-P].view("uint32"), before[:-P].view("uint32"))

    refused([1, 2], 1)  # there is no answer yet
    for t in range(4):
        learns.step(state, x[t], dt[t])
    refused([np.nan, np.nan], 0)
    refused([np.inf, 0], 2)
    refused([np.nan, -np.inf], 2)
    refused([-3e38, 3e38], 2)  # the gradient overflows
    refused([1e25, 0], 2)  # its square, in the moments
    sound = state.copy()
    state[-learns.macros["SENSITIVITIES"] :] = np.nan
    refused(target[3], 2)
    learns.step(state, [np.nan, 0, 0], 1.0)
    refused(target[3], 2)
    learns.reset(state)
    assert np.isfinite(state).all()
    refused([1, 2], 1)
    assert learns.learn(sound, target[3]) == 0
    assert (learns.theta != before[:P]).mean() > 0.8


@needs_compiler
def test_what_is_written_is_finite_as_what_was_checked(tmp_path):
    """A moment over an epsilon of 1e-30 overflows, that times the rate does not; against the learner in double."""
    model = Model(LrcSSM(2), input_dim=3, seed=0, dtype="float64", backend="numpy")
    optimizer, x = Adam(1e-3, beta2=0.0, epsilon=1e-30), [1, 2, 3]
    learns, learner = exported(model, tmp_path / "c", learn=optimizer), Learner(model, optimizer)
    state = learns.begin()
    for moved in (1e12, 0):
        y, wanted = learns.step(state, x, 0.5), learner.predict(x, dt=0.5)
        learner.learn(wanted + moved)
        assert learns.learn(state, y + moved) == 0
    np.testing.assert_allclose(learns.theta, learner.weights, rtol=1e-4)


@needs_compiler
@pytest.mark.few(1)
@pytest.mark.parametrize("network", ["NCP", "LrcSSM"])
def test_no_time_changes_nothing(network, tmp_path):
    """Of the values and the sensitivities, not a bit."""
    learns = exported(made(network), tmp_path / "c")
    state, (x, dt, _) = learns.begin(), stream(3)
    for t in range(3):
        learns.step(state, x[t], dt[t])
    before = state.copy()
    assert (before != 0).mean() > 0.7
    learns.step(state, x[0], 0.0)
    np.testing.assert_array_equal(state.view("uint32"), before.view("uint32"))


@needs_compiler
def test_parameters_are_read_and_written(tmp_path):
    """As the model has them; what is not finite is refused."""
    model = made("NCP")
    learns = exported(model, tmp_path / "c", learn=Adam(0.1))
    np.testing.assert_array_equal(learns.get(), model.theta.astype("float32"))
    first, state, (x, dt, target) = learns.learnt.copy(), learns.begin(), stream(20)
    for t in range(20):
        learns.step(state, x[t], dt[t])
        assert learns.learn(state, target[t]) == 0
    learnt = learns.get()
    assert (learnt != first[: learnt.size]).mean() > 0.9
    learns.deploy()
    np.testing.assert_array_equal(learns.learnt, first)
    assert learns.set(learnt) == 0
    np.testing.assert_array_equal(learns.get(), learnt)
    one, other = (
        learns.begin(),
        Model.restored(model.layer_stack, learnt.astype(float), model.buffer_vector, "numpy", True),
    )
    np.testing.assert_allclose(learns.step(one, x[0], 1.0), other.step(x[0], dt=1.0)[0], rtol=0, atol=1e-5)
    for wrong in (np.nan, np.inf):
        assert learns.set(np.where(np.arange(learnt.size) == 7, wrong, learnt)) == 2
        np.testing.assert_array_equal(learns.get(), learnt)


@needs_compiler
@pytest.mark.parametrize("way", ["Adam", "momentum"])
def test_what_is_frozen_stays(way, tmp_path):
    optimizer, options = WAYS[way]
    model = made("NCP")
    model.freeze("1.sigma", "3.bias")
    learns = exported(model, tmp_path / "c", "float64", optimizer, **options)
    learner = Learner(model, optimizer, **options)
    state, (x, dt, target) = learns.begin(), stream(20)
    for t in range(20):
        learns.step(state, x[t], dt[t])
        learner.predict(x[t], dt=dt[t])
        learner.learn(target[t])
        assert learns.learn(state, target[t]) == 0
    np.testing.assert_allclose(learns.theta, learner.weights, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(learns.theta == model.theta, ~model.trainable)


@needs_compiler
def test_what_is_frozen_stays_where_it_was_written(tmp_path):
    """Far from where it was deployed, neither the pull moves it nor does the norm of a gradient count it."""
    model = made("NCP")
    model.freeze("1.sigma", "3.bias")
    learns = exported(model, tmp_path / "c", "float64", SGD(0.01), clip_norm=0.3, pull=2.0)
    written = np.where(model.trainable, model.theta, model.theta + 1)
    assert learns.set(written) == 0
    state, (x, dt, target) = learns.begin(), stream(5)
    for t in range(5):
        learns.step(state, x[t], dt[t])
        assert learns.learn(state, 100 + target[t]) == 0
        assert np.linalg.norm(learns.gradient[model.trainable]) == pytest.approx(0.3, rel=1e-12)
    np.testing.assert_array_equal(learns.theta == written, ~model.trainable)


@needs_compiler
@pytest.mark.few(1)
@pytest.mark.parametrize("network", ["NCP", "LrcSSM"])
def test_hostile_streams(network, tmp_path):
    """Whatever comes, parameters stay finite, what is refused changes no bit, and a reset helps."""
    learns = exported(made(network), tmp_path / "c", learn=Adam(0.01), clip_norm=1.0)
    rng, P, codes = np.random.default_rng(2), learns.theta.size, set()
    hostile = np.array([np.nan, np.inf, -np.inf, 0, 1e6, -1e6, 1e18, -1e25, 3e38, 1e-38], "float32")
    for number in range(500):
        learns.deploy()
        state, share = learns.begin(), rng.choice([0.02, 0.2, 1.0])
        for _ in range(5):
            x, target, dt = rng.normal(size=3), rng.normal(size=2), rng.choice([0, 1e-3, 1, 1e3, 1e30])
            for array in (x, target):
                where = rng.random(array.shape) < share
                array[where] = rng.choice(hostile, where.sum())
            learns.step(state, x, dt if network == "NCP" else min(dt, 1.0))
            before = learns.learnt.copy()
            codes.add(code := learns.learn(state, target))
            assert np.isfinite(learns.learnt[:-P]).all(), number
            if code:
                np.testing.assert_array_equal(learns.learnt[:-P], before[:-P])
        learns.reset(state)
        learns.step(state, [0.5, -1, 2], 0.5)
        assert learns.learn(state, [0.1, 0.2]) == 0
    assert codes == {0, 2}


@needs_compiler
@pytest.mark.few(2)
@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize("options", [{"libm": False}, {"dtype": "float64"}, {"dt": 0.3}], ids=str)
@pytest.mark.parametrize("network", ["NCP", "symmetric"])
def test_its_own_test_passes_and_can_fail(network, options, compiler, tmp_path):
    """It learns in the test, so a step of learning that is wrong is found; with sanitizers."""
    options = {"learn": Adam(0.01), "clip_norm": 1.0, "pull": 0.01} | options
    folder = c.write(made(network), tmp_path / "c", "net", measure=False, **options).folder
    command_line = compiler, *compilers.WARNINGS, *SANITIZED, "net.c", "net_test.c", "-o", tmp_path / "test", "-lm"
    compilers.run(*command_line, cwd=folder)
    assert "largest error" in compilers.run(tmp_path / "test")
    text, right = (folder / "net.c").read_text(), "e[2] += q" if network == "NCP" else "(1 - U * U)"
    minus = "-1.0" if "dtype" in options else "-1.0f"
    assert text.count(right) >= 1
    (folder / "net.c").write_text(text.replace(right, f"{right} * {minus}"))
    compilers.run(*command_line, cwd=folder)
    assert compilers.status(tmp_path / "test") == 1


# ------------------------------------------------------------------------------------------------ without a compiler


@pytest.mark.parametrize("apart", [0.01, 3e-8])
def test_its_own_test_compares_the_steps_that_rounding_leaves_alike(apart, tmp_path, monkeypatch):
    """Where learning has enlarged roundings to any size, it would pass whatever the C computes."""
    monkeypatch.setattr(sys.modules[c.write.__module__], "APART", apart)
    model = Model(LTC(AutoNCP(6, 2)), Dense(1), input_dim=1, seed=0)
    x = np.random.default_rng(0).normal(size=(60, 1))
    folder = c.write(model, tmp_path / "c", "net", learn=Adam(0.3), x=x, measure=False).folder
    test = (folder / "net_test.c").read_text()
    steps = int(re.search(r"#define STEPS (\d+)", test)[1])
    said = f"It compares the first {steps} of 60 steps" in " ".join((folder / "net.h").read_text().split())
    assert (steps == 60 and not said) if apart == 0.01 else (0 < steps < 60 and said)


def test_the_files_say_that_all_learns(tmp_path):
    learn = {"learn": Adam(0.01), "clip_norm": 1.0, "pull": 0.5}
    folder = c.write(made("NCP"), tmp_path / "c", "net", measure=False, **learn).folder
    header = " ".join((folder / "net.h").read_text().split())
    for said in (
        "exact gradients and Adam(lr=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08) with clip_norm=1 and pull=0.5",
        "void net_step(net_state *state, const net_network *network, const float *x, float dt, float *y);",
        "int net_learn(net_network *network, const net_state *state, const float *target);",
        "int net_set(net_network *network, const float *theta);",
        "Each call learns, however many targets an answer gets. The gradient is by the weights of now",
    ):
        assert said in header
    sketch = (folder / "arduino" / "net" / "net.ino").read_text()
    assert "net_deploy(&network);" in sketch and "net_step(&state, &network, x, " in sketch


def used(optimizer):
    """One that has taken a step."""
    model = made("LrcSSM")
    optimizer.step(model, np.zeros_like(model.theta))
    return optimizer


def test_solvers_of_one_evaluation_are_in_c():
    assert [*cell.SOLVERS] == [name for name, row in SOLVERS.items() if row.stages == 1]


RULE = "`model` must have layers without parameters, one LTC or LrcSSM, and behind it a Dense without activation"
BAD = {
    "another cell": ([GRU(4), Dense(2)], {}, f"{RULE} or nothing, for exact gradients in C, got GRU"),
    "a Dense before": ([Dense(4), LrcSSM(4), Dense(2)], {}, f"{RULE} or nothing, for exact gradients in C, got Dense"),
    "two cells": ([LrcSSM(4), LrcSSM(4)], {}, r"got LrcSSM\(4, input_dim=4\) behind LrcSSM"),
    "an activation": ([LrcSSM(4), Dense(2, "tanh")], {}, "got Dense.* behind LrcSSM"),
    "two Dense": ([LrcSSM(4), Dense(2), Dense(2)], {}, r"got Dense\(2, input_dim=2\) behind"),
    "no inverse": ([LrcSSM(4), Dense(2), Standardize()], {}, "got Standardize.* behind"),
    **{
        f"solver {name}": ([layer], {}, f"`solver` of LrcSSM must be one of semi_implicit, euler .* got '{name}'")
        for name, row in SOLVERS.items()
        for layer in [LrcSSM(4, solver=name)]
        if row.stages > 1
    },
    "a solver of an LTC": ([LTC(AutoNCP(9, 2), solver="rk4")], {}, "`solver` of LTC must be one of semi_implicit, eul"),
    "clipped": ([LTC(AutoNCP(9, 2), positivity="clip")], {}, '`model` must have positivity="softplus" for exact'),
    "gains": ([LTC(RandomWiring(3, 2, 8))], {}, "must have a wiring without fixed gains for exact gradients in C"),
    "no parameters": ([Standardize()], {}, "`model` must have parameters that learn"),
    "an optimiser": ([LrcSSM(4)], {"learn": RMSprop()}, "`learn` must be an Adam or an SGD for exact gradients in C"),
    "a schedule": ([LrcSSM(4)], {"learn": SGD(CosineDecay(0.1, 9))}, "must have a learning rate that is a number in C"),
    "unrolled": ([LrcSSM(4)], {"unroll": True}, "`unroll` must be False with exact gradients"),
    "a norm of each": (
        [LrcSSM(4)],
        {"clip_norm": Clip(1.0, per_array=True)},
        "`clip_norm` must be of the whole",
    ),
    "a norm": ([LrcSSM(4)], {"clip_norm": -1.0}, "`clip_norm` must be"),
    "a pull": ([LrcSSM(4)], {"pull": -1.0}, "`pull` must be"),
    "a norm for a rule": (
        [LrcSSM(4), Dense(1)],
        {"learn": NLMS(), "clip_norm": 1.0},
        "`clip_norm` is for an optimiser",
    ),
    "a pull of nothing": ([LrcSSM(4)], {"learn": None, "pull": 1.0}, "`pull` is for an optimiser such as Adam"),
    "a rate that is too large": (
        [LrcSSM(4)],
        {"learn": SGD(1e30)},
        r"`learn` must have a rate with which .* got SGD\(lr=1e\+30,.* number 0: errors.* must stay finite",
    ),
    "a rate for the solver": (
        [LTC(AutoNCP(9, 2), solver="euler", ode_unfolds=12), Dense(1)],
        {"learn": Adam(0.3)},
        r"`learn` must have a rate with which .* got Adam\(lr=0.3,.* number \d+: `dt` must keep",
    ),
    "a rate beyond float": (
        [LrcSSM(4)],
        {"learn": SGD(1e39)},
        r"`lr` must be a number that float can hold, got 1e\+39",
    ),
    "a norm beyond float": ([LrcSSM(4)], {"clip_norm": 1e50}, "`clip_norm` must be a number that float can hold"),
    "a class": ([LrcSSM(4)], {"learn": Adam}, "`learn` must be an NLMS, RLS, Adam or SGD, such as Adam"),
    "an optimiser of before": (
        [LrcSSM(4)],
        {"learn": used(Adam(0.1))},
        r"must be an optimiser that has taken no step, .* got one of 1 steps: give a new Adam\(lr=0.1,",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case, tmp_path):
    layers, options, message = BAD[case]
    model = Model(*layers, input_dim=3, seed=0)
    with pytest.raises((TypeError, ValueError), match=message):
        c.write(model, tmp_path / "c", **({"learn": Adam()} | options))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], {"learn": Adam()}),
        (["--optimizer", "sgd", "--rate", "0.5", "--clip-norm", "2", "--pull", "0.1"],
         {"learn": SGD(0.5), "clip_norm": 2.0, "pull": 0.1}),
    ],
    ids=str,
)  # fmt: skip
def test_command(options, asked, tmp_path, capsys):
    model = made("LrcSSM")
    model.save(tmp_path / "model.npz")
    expected = c.write(model, tmp_path / "expected", **asked, measure=False)
    assert command.main([str(tmp_path / "model.npz"), str(tmp_path / "a"), "--learn", "exact", *options]) == 0
    for name in ("model.h", "model.c", "model_test.c"):
        assert (tmp_path / "a" / name).read_text() == (expected.folder / name).read_text()
    assert f"{expected.learnt_bytes} of what learns" in capsys.readouterr().out
