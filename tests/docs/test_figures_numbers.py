"""The numbers of the figures, by formulas that are written here from the pages, not those of the library."""

import importlib
import math
import re

import numpy as np
import pytest
from support import ROOT

from ltc_np import LTCRNN, FullyConnected, Wiring

pytest.importorskip("matplotlib")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_sigmoids(figure):
    v, mu, sigma = np.linspace(-1, 1, 9), np.array([0.0, 0.3]), np.array([8.0, -3.0])
    np.testing.assert_allclose(
        figure("sigmoids").openings(v, mu, sigma), sigmoid(sigma * (v[:, None] - mu)), rtol=1e-12
    )


def test_pulse(figure):
    """tau is c / Q and lies between its bounds; the potential follows the exact solution of each step."""
    script = figure("pulse")
    _, x, v, tau = script.course(0.1)
    p = script.VALUES
    a = p["sensory_w"] * sigmoid(p["sensory_sigma"] * (x - p["sensory_mu"]))
    np.testing.assert_allclose(tau, p["cm"] / (p["gleak"] + a), rtol=1e-12)
    rest = (p["gleak"] * p["vleak"] + a * p["sensory_erev"]) / (p["gleak"] + a)
    before = np.concatenate([[0.0], v[:-1]])
    np.testing.assert_allclose(v, rest + (before - rest) * np.exp(-0.1 / tau), rtol=1e-12)
    low, high = script.bounds()
    assert low < tau.min() < 1.02 * low and 0.9 * high < tau.max() < high


def slopes(v, x):
    """dv/dt of the two neurons, by the numbers in docs/maths/ltc_example.md."""
    b = 0.5 * sigmoid(4 * (2 * x + 0.5 - 1))
    a = 1.0 * sigmoid(2 * v[1]), 0.5 * sigmoid(4 * (v[0] - 0.25))
    flow = 0.5 * (0.2 - v[0]) + b * (1 - v[0]) + a[0] * (-1 - v[0]), 0.25 * (-0.4 - v[1]) + a[1] * (1 - v[1])
    return np.array([flow[0] / 1.0, flow[1] / 0.5])


def runge_kutta(f, v, time, steps):
    h = time / steps
    for _ in range(steps):
        k1 = f(v)
        k2 = f(v + h / 2 * k1)
        k3 = f(v + h / 2 * k2)
        v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(v + h * k3))
    return v


def test_two_neurons_plane(figure):
    """Nullclines are where the slopes are 0, and ways are the solution and end where both meet."""
    script = figure("two_neurons_plane")
    plane = script.plane(21)
    for k, still in enumerate((plane.first_still, plane.second_still)):
        assert len(still) > 15
        np.testing.assert_allclose(slopes(still.T, script.INPUT)[k], 0, atol=1e-10)
    for start in script.STARTS:
        states = script.way(start, 400).layers[0].state
        want = runge_kutta(lambda v: slopes(v, script.INPUT), np.array(start), 1.0, 200)
        np.testing.assert_allclose(states[19], want, atol=1e-4)  # 20 steps of 0.05
        np.testing.assert_allclose(slopes(states[-1], script.INPUT), 0, atol=1e-6)


def test_step_graph(figure):
    """Values and adjoints are those of the model, whose loss is the new potential of neuron 0."""
    script, model = figure("step_graph"), figure("book").two_neurons()
    values, h0 = script.forward(), list(script.START)
    y, tape = model.forward([[script.INPUT]], dt=script.TIME, h0=h0)
    adjoints = script.backward(values)
    g = model.backward(tape, [[1 / model.params["output_w"][0], 0.0]])
    np.testing.assert_allclose(values["v_0^+"] * model.params["output_w"][0], y[0, 0], rtol=1e-14)
    found = [adjoints[name] for name in ("x", "v_0", "v_1", "h", "c")]
    want = [g.x[0, 0], *g.h0, g.dt, model.views(g.theta)["cm"][0]]
    np.testing.assert_allclose(found, want, rtol=1e-12)
    d_P = script.TIME / values["D"]  # the page's formulas for one unfold backwards
    np.testing.assert_allclose([adjoints["P"], adjoints["Q"]], [d_P, -d_P * values["v_0^+"]], rtol=1e-12)


@pytest.mark.compiled  # NumPy's backend takes more than a minute
def test_gradient_flow(figure):
    """Against finite differences of the last outputs; and what the caption says of long lags."""
    script = figure("gradient_flow")
    x = np.random.default_rng(1).standard_normal((6, script.INPUTS))
    lag, step = 4, 1e-6
    for name, model in script.models(300).items():
        columns = []
        for k in range(script.INPUTS):
            moved = np.zeros_like(x)
            moved[-1 - lag, k] = step
            columns.append((model(x + moved)[-1] - model(x - moved)[-1]) / (2 * step))
        want = np.linalg.norm(np.stack(columns, axis=1), ord=2)
        found = importlib.import_module("ltc_np.analysis").gradient_by_lag(model, x)[lag]
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-10, err_msg=name)
    reach = script.reach(script.LAG)
    assert reach["LTC, default"][10] < 1e-12
    assert reach["LSTM"][200] < 1e-14
    assert reach["LTC, time constants"][-10:].mean() > 1e-5


def test_amplification(figure):
    script = figure("amplification")
    r = np.linspace(0, script.LONGEST, 19)
    series = 1 - r + r**2 / 2 - r**3 / 6 + r**4 / 24
    for solver, want in {
        "exponential": np.exp(-r),
        "semi_implicit": 1 / (1 + r),
        "euler": 1 - r,
        "rk4": series,
    }.items():
        np.testing.assert_allclose(script.factors(solver, r), want, rtol=1e-12, atol=1e-14, err_msg=solver)
    roots = np.roots([1 / 24, -1 / 6, 1 / 2, -1])  # of (factor of rk4 - 1) / r
    assert round(float(roots[abs(roots.imag) < 1e-9].real[0]), 3) == script.LIMIT


def test_convergence(figure):
    """Errors are those to a solution of our own and its differences, and fall with the slopes that are drawn."""
    script = figure("convergence")
    unfolds = np.array([32, 64])
    exact = runge_kutta(lambda v: slopes(v, script.INPUT), np.array(script.START), script.TIME, 2000)
    potentials, gradient = script.end("rk4", 4096)
    np.testing.assert_allclose(potentials, exact, atol=1e-13)
    for k in range(2):
        moved = 1e-5 * np.eye(2)[k]
        more, less = (
            runge_kutta(lambda v: slopes(v, script.INPUT), np.array(script.START) + sign * moved, script.TIME, 2000)
            for sign in (1, -1)
        )
        assert gradient[k] == pytest.approx((more - less).sum() / 2e-5, abs=1e-9)
    for solver, (first, second) in script.errors(unfolds).items():
        np.testing.assert_allclose(np.log2(first / second), script.ORDERS[solver], atol=0.15, err_msg=solver)


def test_stability_regions(figure):
    """On the real axis the factors are those of the library's solvers; eigenvalues are those of the page's Jacobian."""
    script, solver = figure("stability_regions"), figure("amplification").factors
    r = np.linspace(0, 4, 9)
    for name, factor in script.FACTORS.items():
        np.testing.assert_allclose(factor(-r), solver(name.lower().replace("-", "_"), r), rtol=1e-12, atol=1e-14)
    for N in (8, 32):
        own = {"dtype": "float64", "epsilon": 0.0, "input_mapping": None, "output_mapping": None}
        model = LTCRNN(FullyConnected(N), 2, solver="exponential", ode_unfolds=1, seed=0, **own)
        x = np.random.default_rng(0).normal(size=(20, 2))
        v, p, wiring = model(x)[-1], model.effective, model.wiring
        s = sigmoid(p["sigma"] * (v[wiring.pre] - p["mu"]))
        b = p["sensory_w"] * sigmoid(p["sensory_sigma"] * (x[-1][wiring.sensory_pre] - p["sensory_mu"]))
        Q = p["gleak"] + np.bincount(wiring.post, p["w"] * s, N) + np.bincount(wiring.sensory_post, b, N)
        M = np.zeros((N, N))
        M[wiring.post, wiring.pre] = p["w"] * p["sigma"] * s * (1 - s) * (p["erev"] - v[wiring.post])
        want = np.linalg.eigvals((M - np.diag(Q)) / p["cm"][:, None])
        found = script.eigenvalues(N)
        distance = np.abs(found[:, None] - want).min(axis=0)
        assert distance.max() < 1e-3
    small, large = (script.eigenvalues(N) / script.UNFOLDS for N in (8, 128))
    for name, factor in script.FACTORS.items():  # what the caption says
        assert np.abs(factor(small)).max() < 1, name
        assert (np.abs(factor(large)).max() < 1) == (name in ("exponential", "semi-implicit")), name


def test_cfc_gate(figure):
    script = figure("cfc_gate")
    dt = np.array([0.0, 0.5, 3.0, 8.0])
    gates, states = script.steps(dt)
    want = np.stack([sigmoid(a * dt + b) for a, b in script.GATES], axis=1)
    np.testing.assert_allclose(gates, want, rtol=1e-12)
    np.testing.assert_allclose(states, (1 - want) * script.FROM + want * script.TO, rtol=1e-12)


def test_closed_form(figure):
    """Of x' = -(1 + 0.7) x + 0.7 from 0.2, and of the published formula, by hand."""
    script = figure("closed_form")
    t = np.array([0.0, 0.3, 2.0, 40.0])
    rest = 0.7 / 1.7
    exact, formula = script.exact(t), script.formula(t)
    np.testing.assert_allclose(exact, rest + (0.2 - rest) * np.exp(-1.7 * t), rtol=1e-12)
    np.testing.assert_allclose(formula, (0.2 - 1) * np.exp(-1.7 * t) * 0.3 + 1, rtol=1e-12)
    np.testing.assert_allclose([exact[0], exact[-1], formula[0], formula[-1]], [0.2, 0.412, 0.76, 1.0], atol=5e-4)


def test_spiking_lif(figure):
    """The first spike and the distance of two, by the formula of the rate; and the surrogates of the page's table."""
    script = figure("spiking_lif")
    dt = 0.001
    _, v, spikes = script.potential(dt)
    rise = script.TAU * np.log(script.CURRENT / (script.CURRENT - 1))
    assert spikes[0] - script.BEGINS == pytest.approx(rise, abs=3 * dt)
    np.testing.assert_allclose(np.diff(spikes), rise + script.REFRACTORY, atol=3 * dt)
    assert 1 <= v.max() < 1.01
    u = np.linspace(-1, 1, 21) + 0.003
    np.testing.assert_allclose(script.surrogate("fast_sigmoid", u), (1 + 25 * np.abs(u)) ** -2, rtol=1e-9)
    np.testing.assert_allclose(script.surrogate("arctan", u), 1 / (1 + (np.pi / 2 * 2 * u) ** 2), rtol=1e-9)
    counts = script.population(0.02)["spikes"].sum(axis=0)
    assert (np.diff(counts) >= 0).all() and counts[0] == 0 and counts[-1] > 3


def test_ctgru_traces(figure):
    script = figure("ctgru_traces")
    dt, tau = np.array([0.0, 1.0, 20.0]), 10 ** (np.arange(5) / 2)
    for chosen in script.CHOSEN:
        shares, traces = script.after_one_event(chosen, dt)
        want = np.exp(-((chosen - np.log(tau)) ** 2))
        np.testing.assert_allclose(shares, want / want.sum(), rtol=1e-12)
        np.testing.assert_allclose(traces, shares * 0.8 * np.exp(-dt[:, None] / tau), rtol=1e-12)
    np.testing.assert_allclose(script.time_constants(), tau, rtol=1e-12)


def test_lrc_elastance(figure):
    script = figure("lrc_elastance")
    a = np.linspace(-4, 4, 9)
    for kind, shift in script.KINDS:
        want = sigmoid(a) if shift is None else sigmoid(a + shift) - sigmoid(a - shift)
        elastance, tau = script.neuron(kind, shift, a)
        np.testing.assert_allclose(elastance, want, rtol=1e-12)
        np.testing.assert_allclose(tau, 1 / (want * sigmoid(script.CONDUCTANCE)), rtol=1e-12)


@pytest.mark.parametrize("modes", ["lin", "inv", "legs"])
def test_state_space_kernels(figure, modes):
    """Poles are exp of the step times the page's frequencies, and the kernel is the sum over them."""
    script, n = figure("state_space_kernels"), np.arange(8)
    N = script.STATES
    if modes == "legs":
        k = np.arange(N)
        low = np.tril(np.sqrt((2 * k[:, None] + 1) * (2 * k + 1)), -1)
        frequencies = np.linalg.eigvals((low.T - low) / 2).imag
        frequencies = np.sort(frequencies[frequencies > 0])
    else:
        frequencies = np.sort({"lin": np.pi * n, "inv": N / np.pi * (N / (2 * n + 1) - 1)}[modes])
    poles, kernel = script.poles_and_kernel(modes, 30)
    A = -0.5 + 1j * frequencies
    key = np.sort_complex
    np.testing.assert_allclose(key(poles), key(np.exp(A * script.STEP)), rtol=1e-9)
    p = {name: values[:, 0] for name, values in script.channel(modes).effective.items() if values.ndim == 2}
    A, B, C = -p["decay"] + 1j * p["frequency"], p["b_re"] + 1j * p["b_im"], p["c_re"] + 1j * p["c_im"]
    powers = np.exp(A * script.STEP)[:, None] ** np.arange(30)
    want = 2 * (C * B * (np.exp(A * script.STEP) - 1) / A @ powers).real
    np.testing.assert_allclose(kernel, want, atol=1e-12)


@pytest.mark.parametrize("topology", ["torch", "keras"])
def test_mixed_memory(figure, topology):
    """What the picture connects with the cell directly is what its output depends on when the LSTM is deaf."""
    from ltc_np import CTRNN, MixedMemory, Model

    model = Model(MixedMemory(CTRNN(3), topology=topology), input_dim=3, dtype="float64", seed=0)
    layer, drawn = (
        model.layers[0],
        {(source, target) for source, target, _ in figure("mixed_memory").CIRCUITS[topology]},
    )
    model.params["lstm_w_x"], model.params["lstm_w_h"] = 0.0, 0.0
    rng = np.random.default_rng(0)
    _, tape = model.forward(rng.normal(size=(1, 3)), h0=rng.normal(size=layer.state_size))
    g = model.backward(tape, np.ones((1, 3)))
    assert g.x.any() == (("x", "cell") in drawn)
    assert g.h0[:3].any() == (("s", "cell") in drawn)
    assert g.h0[3:].any() and ("LSTM", "cell") in drawn  # through the memory


def test_ncp_graph(figure):
    """The titles' numbers, counted from matrices; every layer leads to the next."""
    script = figure("ncp_graph")
    sparse, dense = script.sparse(), script.dense()
    assert script.synapses(dense) == 19 * 19 + script.INPUTS * 19
    assert script.synapses(sparse) == len(set(zip(sparse.pre, sparse.post, strict=True))) + len(
        set(zip(sparse.sensory_pre, sparse.sensory_post, strict=True))
    )
    layer = {int(i): name for name, ids in sparse.layers for i in ids}
    assert {layer[int(i)] for i in sparse.sensory_post} == {"inter"}
    ways = {(layer[int(i)], layer[int(j)]) for i, j in zip(sparse.pre, sparse.post, strict=True)}
    assert ways == {("inter", "command"), ("command", "command"), ("command", "motor")}
    gallery = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert f"with {script.synapses(sparse)} synapses, and with {script.synapses(dense)}." in gallery


def test_loss_shapes(figure):
    """Values and slopes by the formulas of docs/maths/losses.md."""
    script = figure("loss_shapes")
    e = np.linspace(-2.5, 2.5, 11) + 0.01
    clipped = np.clip(e, -1, 1)
    pinball = np.where(e > 0, 0.1, -0.9)
    want = (e**2, 2 * e), (np.abs(e), np.sign(e)), (clipped * (e - clipped / 2), clipped), (pinball * e, pinball)
    for loss, (value, slope) in zip(script.OF_NUMBERS.values(), want, strict=True):
        np.testing.assert_allclose(script.elements(loss, e, 0.0), (value, slope), rtol=1e-12)
    found = script.elements(importlib.import_module("ltc_np.losses").binary_cross_entropy, e, 1.0)
    np.testing.assert_allclose(found, (-np.log(sigmoid(e)), sigmoid(e) - 1), rtol=1e-12)
    value, slope = script.squared(e)
    np.testing.assert_allclose(slope, (script.squared(e + 1e-6)[0] - script.squared(e - 1e-6)[0]) / 2e-6, atol=1e-9)


def test_optimiser_paths(figure):
    """Ways by the formulas of docs/maths/optimisers.md; what the caption says of their order."""
    script, steps = figure("optimiser_paths"), 60
    ways = {kind: script.way(kind, steps) for kind in script.KINDS}
    factor = (1 - 2 / 21 * np.array([1.0, 20.0])) ** np.arange(steps + 1)[:, None]
    np.testing.assert_allclose(ways["gradient descent"], script.START * factor, rtol=1e-9)
    theta, b, m, v = script.START.copy(), 0.0, 0.0, 0.0
    root = (20**0.5 - 1) / (20**0.5 + 1)
    for t in range(1, steps + 1):
        b = root**2 * b + np.array([1.0, 20.0]) * theta
        theta = theta - (1 + root) ** 2 / 20 * b
        np.testing.assert_allclose(ways["momentum"][t], theta, rtol=1e-7, atol=1e-12)
        g = np.array([1.0, 20.0]) * ways["Adam"][t - 1]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        change = 0.3 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(ways["Adam"][t], ways["Adam"][t - 1] - change, atol=1e-9)
    end = {kind: script.valley(way[-1]) for kind, way in ways.items()}
    assert end["momentum"] < 1e-9 * end["gradient descent"] and end["Adam"] > end["gradient descent"]


def test_three_leaks(figure):
    """The three exact solutions while the input is 1, and after it."""
    script, dt = figure("three_leaks"), 0.1
    p = figure("pulse").VALUES
    t, x, states = script.responses(dt)
    assert (t[x > 0].min(), t[x > 0].max()) == (pytest.approx(script.BEGINS + dt), pytest.approx(script.ENDS))
    during = x > 0
    since = (t - script.BEGINS)[during]
    np.testing.assert_allclose(states["neural ODE"][during], 0.2 * since, rtol=1e-10)
    np.testing.assert_allclose(states["neural ODE"][t > script.ENDS], 0.2 * 4, rtol=1e-10)
    np.testing.assert_allclose(states["CT-RNN"][during], 0.2 * 5 * (1 - np.exp(-since / 5)), rtol=1e-8)
    after = t > script.ENDS + dt / 2
    peak = states["CT-RNN"][during][-1]
    np.testing.assert_allclose(states["CT-RNN"][after], peak * np.exp(-(t[after] - script.ENDS) / 5), rtol=1e-8)
    for which, level in ((during, 1.0), (after, 0.0)):
        a = p["sensory_w"] * sigmoid(p["sensory_sigma"] * (level - p["sensory_mu"]))
        rest, v = a / (p["gleak"] + a), states["LTC"][which]
        np.testing.assert_allclose(v[1:], rest + (v[:-1] - rest) * np.exp(-dt * (p["gleak"] + a)), rtol=1e-10)


def test_gap(figure):
    """Stepped by hand; at the end slow neurons fade by their slowest time constant."""
    script, dt = figure("gap"), 0.1
    t, found = script.remains(dt)
    short, long = found.values()
    model = LTCRNN(FullyConnected(8), 1, init=script.INITS["time constants from 0.5 to 40"], seed=1, dtype="float64")
    states = []
    for level in (1.0, 0.0):
        state, own = None, []
        for now in t:
            _, state = model.step(np.array([level * (now < 2.05)]), dt=dt, state=state)
            own.append(state)
        states.append(np.array(own))
    np.testing.assert_allclose(states[0] - states[1], long, rtol=1e-9, atol=1e-14)
    later = np.searchsorted(t, 10)
    assert np.abs(short[later]).max() < 1e-3 * np.abs(short).max()
    assert np.abs(long[later]).max() > 0.2 * np.abs(long).max()


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gated_memory(figure, cell):
    """What is stored fades by the gate's value in each step."""
    script = figure("gated_memory")
    for gate in script.GATES:
        found = script.course(cell, gate)
        steps = np.arange(script.STEPS)
        want = np.where(steps >= script.EVENT, 0.8 * float(gate) ** (steps - script.EVENT), 0.0)
        np.testing.assert_allclose(found, want, atol=1e-7)


def test_activations(figure):
    """Values by formulas, derivatives by differences."""
    function, a = figure("activations").function, np.array([-3.1, -0.7, 0.2, 1.9])
    phi = np.array([(1 + math.erf(z / math.sqrt(2))) / 2 for z in a])
    want = {
        "tanh": np.tanh(a), "lecun_tanh": 1.7159 * np.tanh(0.666 * a), "relu": np.maximum(a, 0), "silu": a * sigmoid(a),
        "gelu": a * phi,
    }  # fmt: skip
    assert set(figure("activations").NAMES) == set(want)
    for name, values in want.items():
        np.testing.assert_allclose(function(name, a)[0], values, rtol=1e-12, err_msg=name)
        difference = (function(name, a + 1e-6)[0] - function(name, a - 1e-6)[0]) / 2e-6
        np.testing.assert_allclose(function(name, a)[1], difference, rtol=1e-8, err_msg=name)


def test_liquid_modes(figure):
    """By the page's formulas for the three forms; only in the exact one the fast mode feels the input."""
    script, u = figure("liquid_modes"), np.array([-2.0, 0.0, 1.5])
    h = script.STEP
    for form in script.FORMS:
        found, A, B = script.multipliers(form, u)
        z, bu = h * A, u[:, None] * B
        want = {
            "exact": np.exp(h * (A + bu)),
            "discrete, zero-order hold": np.exp(z) + h * (np.exp(z) - 1) / z * bu,
            "discrete, bilinear": (1 + z / 2 + h * bu) / (1 - z / 2),
        }[form]
        np.testing.assert_allclose(found, np.abs(want), rtol=1e-9, err_msg=form)
        assert np.ptp(found[:, 0]) > 0.1
        assert np.ptp(found[:, 1]) > 0.1 if form == "exact" else np.ptp(found[:, 1]) < 0.05


def test_time_line(figure):
    """Each unfold of the picture, as a step by itself with the input held, leads to the same outputs."""
    script, x = figure("time_line"), np.random.default_rng(0).normal(size=(3, 2))
    whole, single = (
        LTCRNN(FullyConnected(4), 2, ode_unfolds=unfolds, seed=0, dtype="float64") for unfolds in (script.UNFOLDS, 1)
    )
    ends, unfolds = script.borders()
    y = single(np.repeat(x, script.UNFOLDS, axis=0), dt=np.concatenate([np.diff(times) for times in unfolds]))
    np.testing.assert_allclose(y[script.UNFOLDS - 1 :: script.UNFOLDS], whole(x, dt=script.DT), rtol=1e-12)
    np.testing.assert_allclose(ends, [0, 1, 3.5, 4])


def test_bucket(figure):
    """The levels and the flows' directions are those of the tutorial's first example."""
    script, page = figure("bucket"), (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (numbers,) = re.findall(r"^>>> c, g, lake, a, E = ([\d., ]+)  #", page, re.MULTILINE)
    (level, leak, synapse) = re.search(
        r"^>>> v = ([\d.]+)\n(?:>>> .*\n)+leak = (\S+), synapse = (\S+),", page, re.MULTILINE
    ).groups()
    _, *wanted = map(float, numbers.split(","))
    assert wanted == [script.G, script.LAKE, script.A, script.E] and float(level) == script.LEVEL
    assert float(leak) < 0 < float(synapse)  # both to the left, where the bucket is between the lakes
    assert float(leak) == pytest.approx(script.G * (script.LAKE - script.LEVEL))
    assert float(synapse) == pytest.approx(script.A * (script.E - script.LEVEL))


@pytest.mark.parametrize("solver, drawn", [("euler", "euler"), ("semi_implicit", "implicit"), ("exponential", None)])
def test_long_step(figure, solver, drawn):
    """One neuron of the library, whose leak has the conductance Q and the potential P / Q; its synapses are shut."""
    script, wiring = figure("long_step"), Wiring.from_edges(1, edges=[(0, 0, +1)], sensory_edges=[(0, 0, +1)])
    own = {"epsilon": 0.0, "positivity": "clip", "dtype": "float64", "check_stability": "off", "ode_unfolds": 1}
    model = LTCRNN(wiring, 1, solver=solver, input_mapping=None, output_mapping=None, **own)
    model.params["cm"], model.params["w"], model.params["sensory_w"] = script.C, 0.0, 0.0
    model.params["gleak"], model.params["vleak"] = script.Q, script.P / script.Q
    want = model(np.zeros((script.STEPS, 1)), dt=script.H, h0=[script.BEGIN])[:, 0]
    found = script.levels(getattr(script, drawn))[1:] if drawn else script.exact(script.H * np.arange(1, 5))
    np.testing.assert_allclose(found, want, rtol=1e-12)
