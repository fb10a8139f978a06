"""The solvers of the LTC: order, gradients, agreement of backends, edges, stability, `solver_error`."""

import functools
import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.backends import BACKENDS
from support.gradients import worst
from support.ltc_networks import WIRINGS, make
from support.solvers import EXPLICIT, cases

import ltc_np
from ltc_np import (
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    Dense,
    FullyConnected,
    LIFNeuronLayer,
    LTCCell,
    MixedMemory,
    Model,
    RandomWiring,
    Wiring,
    gradcheck,
    set_num_threads,
    solver_error,
)
from ltc_np.base.checks import largest
from ltc_np.kernels.codes import SOLVERS

NEW = [name for name in SOLVERS if name != "semi_implicit"]
every = pytest.mark.parametrize("solver", cases())
new = pytest.mark.parametrize("solver", cases(NEW))
# So many unfolds keep the explicit solvers of the networks below near, not far beyond, their bound.
UNFOLDS = {"semi_implicit": 3, "euler": 8, "exponential": 3}


def options(solver):
    return {"solver": solver, "ode_unfolds": UNFOLDS.get(solver, 4), "check_stability": "off"}


# ------------------------------------------------------------------------------------------------------ order


def solution(model, x, dt, v, steps):
    """The states after each x, by ``steps`` classical steps of Runge and Kutta for each, with Python floats."""
    wiring, p = model.wiring, {k: list(map(float, a)) for k, a in model.params.items()}
    N = wiring.units
    synapses = [
        (prefix, s, int(pre[s]), int(post[s]))
        for prefix, pre, post in (
            ("", wiring.pre, wiring.post),
            ("sensory_", wiring.sensory_pre, wiring.sensory_post),
        )
        for s in range(len(pre))
    ]

    def slope(v, inputs):
        current = [p["gleak"][i] * (p["vleak"][i] - v[i]) for i in range(N)]
        for prefix, s, j, i in synapses:
            source = v if prefix == "" else inputs
            z = p[prefix + "sigma"][s] * (source[j] - p[prefix + "mu"][s])
            current[i] += p[prefix + "w"][s] / (1 + math.exp(-z)) * (p[prefix + "erev"][s] - v[i])
        return [current[i] / p["cm"][i] for i in range(N)]

    def ahead(v, k, h):
        return [a + h * b for a, b in zip(v, k, strict=True)]

    states = []
    for inputs, elapsed in zip(x, dt, strict=True):
        h = elapsed / steps
        for _ in range(steps):
            k1 = slope(v, inputs)
            k2 = slope(ahead(v, k1, h / 2), inputs)
            k3 = slope(ahead(v, k2, h / 2), inputs)
            k4 = slope(ahead(v, k3, h), inputs)
            v = [a + h / 6 * (b + 2 * c + 2 * d + e) for a, b, c, d, e in zip(v, k1, k2, k3, k4, strict=True)]
        states.append(v)
    return np.array(states)


def plain(solver, unfolds, backend="numpy"):
    """A network whose parameters are what they say: no mappings, epsilon 0, raw values effective."""
    model = LTCRNN(
        FullyConnected(4), 2, seed=5, solver=solver, ode_unfolds=unfolds, epsilon=0.0, positivity="clip",
        input_mapping=None, output_mapping=None, dtype="float64", backend=backend, check_stability="off",
    )  # fmt: skip
    return model


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(1)
    x, dt, v = rng.normal(size=(3, 2)), [0.5, 1.2, 0.3], rng.normal(size=4)
    return x, dt, v, solution(plain("rk4", 1), x.tolist(), dt, v.tolist(), 400)


@every
def test_order_of_convergence(solver, reference, backend):
    x, dt, v, want = reference
    order = SOLVERS[solver].order
    errors = [np.abs(plain(solver, n, backend)(x, dt=dt, h0=v) - want).max() for n in (20, 40, 80)]
    # Each doubling shows the order but for the next term of the series, which doubling halves.
    orders = np.log2([errors[0] / errors[1], errors[1] / errors[2]])
    assert np.abs(orders - order).max() < 0.2, orders
    assert abs(orders[1] - order) <= abs(orders[0] - order) + 0.01, orders


@pytest.mark.slow
def test_all_solve_the_same_equation(reference):
    x, dt, v, want = reference
    for solver in SOLVERS:
        assert np.abs(plain(solver, 2000)(x, dt=dt, h0=v) - want).max() < 1e-3, solver


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exponential_is_exact_where_conductances_stand_still(dtype, backend):
    """sigma = 0: every synapse is half open, and v = v_inf + (v0 - v_inf) exp(-dt Q / cm), with its derivatives."""
    model = LTCRNN(FullyConnected(3), 2, seed=0, solver="exponential", ode_unfolds=1, dtype=dtype, backend=backend)
    model.params["sigma"] = 0.0
    model.params["sensory_sigma"] = 0.0
    p = model.layout.arrays(model.layout.effective(model.theta).astype(np.float64))
    Q, P = p["gleak"] + 1e-8, p["gleak"] * p["vleak"]
    for w, erev, post in (
        (p["w"], p["erev"], model.wiring.post),
        (p["sensory_w"], p["sensory_erev"], model.wiring.sensory_post),
    ):
        Q = Q + np.bincount(post, w / 2, 3)
        P = P + np.bincount(post, w * erev / 2, 3)
    v0 = np.array([0.3, -0.8, 1.5])
    tolerance = 1e-13 if dtype == "float64" else 2e-6
    for dt in (0.0, 1e-9, 1e-3, 0.5, 3.0, 10.0, 1e8):
        y, tape = model.forward(np.ones((1, 2)), dt=dt, h0=v0)
        decay = np.exp(-dt * Q / p["cm"])
        gap = v0 - P / Q
        np.testing.assert_allclose(y[0], P / Q + gap * decay, atol=tolerance * 2)
        g = model.backward(tape, np.ones_like(y))
        np.testing.assert_allclose(g.h0, decay, rtol=tolerance * 40, atol=1e-40)
        slope = -gap * Q / p["cm"] * decay
        assert abs(g.dt - slope.sum()) <= tolerance * 40 * np.abs(slope).sum() + 1e-38
        # Through v+ - v, which has the rounding of v; 1 - exp(-cm) is the derivative of softplus.
        want = gap * decay * dt * Q / p["cm"] ** 2 * (1 - np.exp(-p["cm"]))
        np.testing.assert_allclose(model.views(g.theta)["cm"], want, rtol=0, atol=tolerance * 4)


@pytest.mark.parametrize(("dtype", "dt", "tolerance"), [("float32", 1e-10, 1e-5), ("float64", 1e-18, 1e-13)])
def test_exponential_has_the_leak_s_gradient_after_next_to_no_time(dtype, dt, tolerance, backend):
    """From 0, with a leak that pulls to 0, v+ = P h/cm (1 - Q h/cm / 2): what a leak does is of second order.

    The steps are so short that 1 + h Q / cm is 1.  P has terms of either sign, so that it loses a digit or two.
    """
    model = LTCRNN(FullyConnected(3), 2, seed=0, solver="exponential", ode_unfolds=1, dtype=dtype, backend=backend,
                   positivity="clip", epsilon=0.0, input_mapping=None, output_mapping=None)  # fmt: skip
    for name in ("sigma", "sensory_sigma", "vleak"):
        model.params[name] = 0.0
    p, wiring = {name: values.astype(np.float64) for name, values in model.params.items()}, model.wiring
    P = np.bincount(wiring.post, p["w"] * p["erev"] / 2, 3)
    P += np.bincount(wiring.sensory_post, p["sensory_w"] * p["sensory_erev"] / 2, 3)
    y, tape = model.forward(np.ones((1, 2)), dt=dt)
    found = model.views(model.backward(tape, np.ones_like(y)).theta)["gleak"]
    np.testing.assert_allclose(found, -P * (dt / p["cm"]) ** 2 / 2, rtol=tolerance)


# -------------------------------------------------------------------------------------------------- gradients


CASES = [("numpy", "dense")]  # the battery has the others
CASES += [("cpu", key) for key in ("dense", "sparse", "tutorial", "batch-major", "B == N", "one of everything")]


@pytest.mark.few(5)
@pytest.mark.parametrize(("backend", "key"), CASES)
@new
def test_gradients_of_every_coordinate(key, solver, backend):
    # Irregular dt with a 0, lengths with a 0; 1e-6 is the promise, central differences reach about 1e-8.
    positivity = ["softplus", "clip"][(len(key) + len(solver)) % 2]
    model, x, dt, lengths = make(key, backend, positivity=positivity, **options(solver))
    assert worst(model, x, dt=dt, lengths=lengths) < 1e-6


@pytest.mark.slow
@new
@pytest.mark.parametrize("dt", [0.0, 0.05, 5.0])
def test_gradients_of_small_and_large_steps(solver, dt, backend):
    """Both forms of each of the adjoint's lines, and the change from one to the other."""
    model = LTCRNN(AutoNCP(8, 2), 2, dtype="float64", seed=1, backend=backend, **options(solver) | {"ode_unfolds": 4})
    if solver != "exponential" and dt > 1:
        model.params["cm"] = 12.0  # within the bound
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    errors = gradcheck.check(model, x, dt=np.full(3, dt))
    assert max(v for k, v in errors.items() if dt or k != "theta") < 1e-6, errors


@pytest.mark.slow
@new
@pytest.mark.parametrize("wiring", [FullyConnected(40, 8), AutoNCP(40, 8), RandomWiring(8, 4, 24, seed=1)])
def test_gradient_along_a_direction_at_a_realistic_size(solver, wiring, backend):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 6, 8))
    model = LTCRNN(wiring, 8, seed=0, dtype="float64", backend=backend, **options(solver) | {"ode_unfolds": 12})
    dt = rng.uniform(0, 0.7, (20, 6))
    assert gradcheck.direction(model, x, dt=dt, lengths=rng.integers(1, 7, 20)) < 1e-6


@every
def test_gradients_know_that_only_ratios_of_conductance_and_capacity_count(solver, backend):
    """Scaling cm, gleak, w and sensory_w together changes nothing, so the sum of value * gradient is 0."""
    rng = np.random.default_rng(0)
    model = LTCRNN(FullyConnected(33, 4), 5, seed=0, positivity="clip", epsilon=0.0, dtype="float64", backend=backend,
                   **options(solver) | {"ode_unfolds": 20})  # fmt: skip
    x, dt = rng.normal(size=(11, 7, 5)), rng.uniform(0, 1, (11, 7))
    y, tape = model.forward(x, dt=dt)
    g = model.views(model.backward(tape, np.cos(y)).theta)
    parts = [(g[name] * model.params[name]).sum() for name in ("cm", "gleak", "w", "sensory_w")]
    assert abs(sum(parts)) < 1e-12 * sum(map(abs, parts))


@pytest.mark.few(1)
@pytest.mark.compiled
@new
def test_gradients_of_tiles_of_any_width_and_many_synapses(solver, monkeypatch):
    from ltc_np.kernels.cpu import tiles

    rng = np.random.default_rng(1)
    for wiring, n in ((AutoNCP(8, 2), 70), (FullyConnected(201, 2), 5)):  # four go batch-major
        x, dt, lengths = rng.normal(size=(n, 3, 2)), rng.uniform(0, 0.1, (n, 3)), rng.integers(0, 4, n)
        for width in (16, 64):
            monkeypatch.setattr(tiles, "tile_width", lambda *_, width=width: width)
            found = []
            for backend in ("numpy", "cpu"):
                model = LTCRNN(wiring, 2, seed=0, dtype="float64", backend=backend, **options(solver))
                y, tape = model.forward(x, dt=dt, lengths=lengths)
                g = model.backward(tape, np.cos(y))
                found.append((g.theta, g.x, g.h0, g.dt))
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.abs(a).max())


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("key", WIRINGS)
@new
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_backends_agree(key, solver, dtype, tolerance):
    results = []
    for backend in ("numpy", "cpu"):
        model, x, dt, lengths = make(key, backend, dtype, **options(solver))
        y, tape = model.forward(x, dt=dt, lengths=lengths)
        rng = np.random.default_rng(5)
        g = model.backward(tape, rng.normal(size=y.shape), rng.normal(size=(x.shape[0], model.state_size)))
        assert {a.dtype for a in (y, g.theta, g.x, g.h0, g.dt)} == {model.dtype}
        results.append({"y": y, "x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)})
    for name, a in results[0].items():
        b = results[1][name]
        assert np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0), name


@pytest.mark.single
@pytest.mark.compiled
@pytest.mark.parametrize(("dt", "tolerance"), [(0.01, 1e-5), (10.0, 2e-5), (100.0, 1e-4)])
def test_float32_adjoints_of_the_exponential_keep_their_digits(dt, tolerance):
    """Against float64: small steps, where 1 - exp(-r) cancels, and large ones, where P - Q v does.

    At dt = 100 r is about 60, and exp(-r) has r times the rounding of r.
    """
    x = np.random.default_rng(0).normal(size=(5, 20, 2)).astype(np.float32)
    found = []
    for dtype, backend in (("float64", "cpu"), ("float32", "cpu"), ("float32", "numpy")):
        model = LTCRNN(FullyConnected(32, 4), 2, dtype=dtype, backend=backend, **options("exponential"))
        model.theta = LTCRNN(FullyConnected(32, 4), 2, seed=1).theta
        y, tape = model.forward(x, dt=np.full((5, 20), dt, np.float32))
        found.append(model.backward(tape, np.full_like(y, 1 / 200)))
    for g in found[1:]:
        for name in ("theta", "x", "dt"):
            a, b = getattr(g, name), getattr(found[0], name)
            assert np.abs(a - b).max() <= tolerance * np.abs(b).max(), name


@pytest.mark.slow
@new
def test_long_float32_gradients_follow_float64(solver, backend):
    steps = 10_000 if backend == "cpu" else 300
    x = np.random.default_rng(0).normal(size=(1, steps, 2)).astype(np.float32)
    target = np.random.default_rng(1).normal(size=(1, steps, 2)).astype(np.float32)
    grads = []
    for dtype in ("float64", "float32"):
        model = LTCRNN(FullyConnected(8, 2), 2, seed=0, dtype=dtype, backend=backend, **options(solver))
        model.theta = LTCRNN(FullyConnected(8, 2), 2, seed=0).theta
        grads.append(model.views(model.loss_and_grad(x, target, dt=0.6)[1]))
    for name in grads[0]:
        a, b = grads[0][name], grads[1][name]
        assert np.abs(a - b).max() <= 4e-6 * np.abs(a).max(), name


# ------------------------------------------------------------------------------------------------- edges, bits


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_conductance_at_all(solver, dtype, backend):
    """Q = 0 where everything is clipped to 0: the state stands still, and gradients are those of a tiny Q."""
    found = []
    for least in (0.0, 1e-30):
        model = LTCRNN(FullyConnected(5, 2), 2, seed=0, positivity="clip", epsilon=0.0, dtype=dtype, backend=backend,
                       **options(solver))  # fmt: skip
        for name in ("gleak", "w", "sensory_w"):
            model.params[name] = least
        h0 = np.linspace(-1, 1, 15).reshape(3, 5).astype(dtype)
        y, tape = model.forward(np.ones((3, 4, 2)), dt=0.5, h0=h0)
        if least == 0:
            assert (model(np.ones((3, 4, 2)), dt=0.5, h0=h0, return_state=True)[1] == h0).all()
        g = model.backward(tape, np.cos(y))
        found.append((g.theta, g.x, g.h0, g.dt))
    for a, b in zip(*found, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-25)


def test_extreme_capacities_and_times(backend):
    """Softplus that underflows, the least capacity, and the longest time: finite, and exact at dt = 0."""
    for dtype in ("float32", "float64"):
        given = options("exponential") | {"ode_unfolds": 1}
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype=dtype, backend=backend, **given)
        model.params["sensory_w"] = 9.0  # with the longest time and the least capacity h Q / cm is infinite
        h0 = np.ones((2, 8), dtype)
        for value in (-1000.0, 0.5):
            model.params["cm"] = value
            for dt in (0.0, 1e-18, 1.0, 1e18, largest(dtype)):
                y, tape = model.forward(np.ones((2, 3, 2)), dt=dt, h0=h0)
                g = model.backward(tape, np.ones_like(y))
                assert all(np.isfinite(a).all() for a in (y, *g))
        assert (model(np.ones((2, 1, 2)), dt=0.0, h0=h0, return_state=True)[1] == h0).all()


@given(
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from(["float32", "float64"]),
    dt=st.sampled_from([1e-9, 1e-3, 0.3, 1.0, 30.0, 1e6, 1e12]),
    unfolds=st.integers(1, 4),
    backend=st.sampled_from(BACKENDS),
)
def test_hull_of_the_exponential(seed, dtype, dt, unfolds, backend):
    rng = np.random.default_rng(seed)
    N = int(rng.integers(1, 7))
    recurrent = rng.normal(size=(N, N)) * (rng.random((N, N)) < 0.6)
    sensory = np.vstack([np.ones(N), rng.normal(size=N)])
    wiring = Wiring.from_matrix(recurrent, sensory)
    model = LTCRNN(wiring, solver="exponential", ode_unfolds=unfolds, dtype=dtype, backend=backend, seed=0)
    model.theta = model.theta + rng.normal(size=model.theta.size)
    h0 = rng.normal(size=(3, N))
    _, state = model(5 * rng.normal(size=(3, 4, 2)), dt=dt, h0=h0, return_state=True)
    p = model.params
    ends = np.concatenate([[0.0], p["vleak"], p["erev"], p["sensory_erev"], h0.ravel()])
    slack = (1e-6 if dtype == "float32" else 1e-14) * max(1, np.abs(ends).max())  # a few roundings
    assert state.min() >= ends.min() - slack
    assert state.max() <= ends.max() + slack


@pytest.mark.slow
@new
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_batch_order_tile_or_threads(solver, dtype, backend, monkeypatch):
    rng = np.random.default_rng(0)
    x, dt = rng.normal(size=(70, 5, 4)), rng.uniform(0, 0.4, (70, 5))
    for wiring in (FullyConnected(33, 3), AutoNCP(21, 3))[backend == "numpy" :]:
        model = LTCRNN(wiring, 4, seed=0, dtype=dtype, backend=backend, **options(solver))
        y, state = model(x, dt=dt, return_state=True)
        _, grad = model.loss_and_grad(x, y + 1, dt=dt)
        for cut in (1, 2, 11, 17):  # one and two of 33 neurons go batch-major
            assert (np.concatenate([model(x[a : a + cut], dt=dt[a : a + cut]) for a in range(0, 70, cut)]) == y).all()
        streamed = model.initial_state()
        for t in range(5):
            out, streamed = model.step(x[3, t], dt=dt[3, t], state=streamed)
            assert (out == y[3, t]).all()
        assert (streamed == state[3]).all()
        if backend == "numpy":  # which has neither tiles nor threads
            continue
        from ltc_np.kernels.cpu import tiles

        monkeypatch.setattr(tiles, "PARALLEL_EVALUATIONS", 0)
        for threads in (1, 3):
            set_num_threads(threads)
            again = LTCRNN(wiring, 4, seed=0, dtype=dtype, backend=backend, **options(solver))
            assert (again(x, dt=dt) == y).all()
            assert (again.loss_and_grad(x, y + 1, dt=dt)[1] == grad).all()
        set_num_threads(None)
        for width in (16, 64):
            monkeypatch.setattr(tiles, "tile_width", lambda *_, width=width: width)
            assert (LTCRNN(wiring, 4, seed=0, dtype=dtype, backend=backend, **options(solver))(x, dt=dt) == y).all()
        monkeypatch.undo()


# ------------------------------------------------------------------------------------------ the layer's options


@every
def test_solver_is_part_of_the_model(solver, tmp_path):
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, solver=solver, ode_unfolds=30, check_stability="warn")
    model.save(tmp_path / "m.npz")
    again = ltc_np.load(tmp_path / "m.npz")
    assert (again.layers[0].solver, again.layers[0].check_stability) == (solver, "warn")
    x = np.ones((2, 3, 3))
    assert (again(x) == model(x)).all()
    assert (f"solver='{solver}'" in repr(model)) == (solver != "semi_implicit")
    assert model.layers[0].hull == SOLVERS[solver].hull


def test_files_from_before_the_solvers_are_semi_implicit(tmp_path):
    path = tmp_path / "m.npz"
    LTCRNN(AutoNCP(8, 2), 3, seed=0).save(path)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files if name != "digest"}
    meta = json.loads(str(content["meta"]))
    config = meta["layers"][0][1]["dict"]
    del config["solver"], config["check_stability"]
    content["meta"] = np.array(json.dumps(meta))
    np.savez(path, **content)
    assert ltc_np.load(path).layers[0].solver == "semi_implicit"


def test_options_are_checked_and_passed_on():
    for name in ("solver", "check_stability"):
        for bad in ("nystrom", None, 3, ["euler"]):
            with pytest.raises(ValueError if bad == "nystrom" else TypeError, match=f"`{name}` must be one of '"):
                LTC(AutoNCP(8, 2), input_dim=2, **{name: bad})
    wiring = RandomWiring(2, 2, 8, seed=0)
    x, v = np.ones((3, 2)), np.zeros((3, 8))
    want = LTCRNN(wiring, 2, seed=0, solver="exponential", ode_unfolds=4).step(x, dt=0.5, state=v)[1]
    layer = LIFNeuronLayer(wiring, 4, solver="exponential", seed=0)
    cell = LTCCell(wiring, ode_unfolds=4, solver="exponential", check_stability="warn", seed=0)
    assert (layer(x, v, 0.5) == want).all()
    assert (cell(x, v, 0.5)[1] == want).all()
    assert cell.neuron.model.layers[0].check_stability == "warn"


# -------------------------------------------------------------------------------------------------- stability


def fastest(model):
    """Largest conductance over capacity, neuron by neuron, from the dense matrices."""
    p = model.layout.arrays(model.layout.effective(model.theta).astype(np.float64))
    wiring, eps = model.wiring, model.layers[0].epsilon
    gain, sensory_gain = (1 if a is None else a for a in (wiring.gain, wiring.sensory_gain))
    Q = (
        p["gleak"]
        + eps
        + wiring.dense(p["w"] * gain).sum(0)
        + wiring.sensory_dense(p["sensory_w"] * sensory_gain).sum(0)
    )
    return (Q / p["cm"]).max()


@pytest.mark.parametrize("solver", cases(EXPLICIT))
@pytest.mark.parametrize("wiring", [FullyConnected(9, 2), RandomWiring(3, 2, 8, seed=0), AutoNCP(8, 2)])
def test_steps_too_long_for_an_explicit_solver_are_refused(solver, wiring, backend):
    bound = SOLVERS[solver].limit
    model = LTCRNN(wiring, 3, seed=0, solver=solver, ode_unfolds=5, epsilon=0.1, dtype="float64", backend=backend)
    x = np.ones((2, 4, 3))
    longest = 5 * bound / fastest(model)
    dt = np.full((2, 4), 0.1)
    dt[1, 2] = longest * (1 - 1e-9)
    model(x, dt=dt)
    dt[1, 2] = longest * (1 + 1e-9)
    calls = (
        lambda dt: model(x, dt=dt),
        lambda dt: model.forward(x, dt=dt),
        lambda dt: model.loss_and_grad(x, np.ones((2, 4, 2)), dt=dt),
        lambda dt: model.predict(x, dt=dt),
        lambda dt: model.evaluate(x, np.ones((2, 4, 2)), dt=dt),
        lambda dt: model.step(x[0, 0], dt=float(dt.max())),
    )
    for call in calls:
        with pytest.raises(ValueError, match=f'`dt` must keep h\\*Q/cm < {bound:g} with solver="{solver}"'):
            call(dt)
    model(x, dt=dt, lengths=[4, 2])  # behind the end it does not count
    dt[1, 2] = 3.1 * longest
    with pytest.raises(ValueError) as error:
        model(x, dt=dt)
    assert f"got {3.1 * bound:.4g} for dt = {3.1 * longest:.4g}" in str(error.value)
    assert 'solver="exponential", or check_stability="off"' in str(error.value)
    # The remedy works, and one unfold less would not.
    n = int(str(error.value).split("ode_unfolds=")[1].split(",")[0])
    LTCRNN(wiring, 3, seed=0, solver=solver, ode_unfolds=n, epsilon=0.1, dtype="float64", backend=backend)(x, dt=dt)
    with pytest.raises(ValueError, match="`dt`"):
        LTCRNN(wiring, 3, seed=0, solver=solver, ode_unfolds=n - 1, epsilon=0.1, dtype="float64", backend=backend)(
            x, dt=dt
        )


@pytest.mark.slow
def test_stability_may_be_a_warning_or_nobody_s_business():
    x = np.ones((2, 4, 3))
    for solver in EXPLICIT:
        model = LTCRNN(FullyConnected(16, 2), 3, seed=0, solver=solver, check_stability="warn", ode_unfolds=2)
        with pytest.warns(RuntimeWarning, match="`dt` must keep") as caught:
            y = model(x)
        assert caught[0].filename == __file__
        off = LTCRNN(FullyConnected(16, 2), 3, seed=0, solver=solver, check_stability="off", ode_unfolds=2)
        assert (off(x) == y).all()
    for solver in SOLVERS.keys() - EXPLICIT:
        LTCRNN(FullyConnected(16, 2), 3, seed=0, solver=solver)(x, dt=1e6)


def test_fit_looks_at_stability_once_an_epoch(monkeypatch):
    x, y = np.ones((12, 4, 3)), np.zeros((12, 4, 2))
    asked = []
    check = LTC.check
    monkeypatch.setattr(LTC, "check", lambda self, prepared, dt: (asked.append(dt.max()), check(self, prepared, dt)))
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, solver="euler", ode_unfolds=20)
    dt = np.full((12, 4), 0.2)
    dt[7, 1] = 0.4
    model.fit(x, y, dt=dt, epochs=3, batch_size=4, verbose=False)
    assert asked == [np.float32(0.4)] * 3
    model.fit(x, y, dt=dt, epochs=2, batch_size=4, validation={"x": x, "y": y, "dt": dt}, verbose=False)
    assert len(asked) == 7
    # Training that drives the conductances beyond the bound is stopped at the next epoch.
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, solver="euler", ode_unfolds=4)
    grow = {"optimizer": Adam(1.0), "loss": lambda y, target: (float(-y.sum()), -np.ones_like(y))}
    with warnings.catch_warnings(), pytest.raises((ValueError, FloatingPointError), match="`dt` must keep"):
        model.fit(x, y, epochs=60, verbose=False, **grow)


@pytest.mark.parametrize("around", [lambda cell: cell, MixedMemory])
def test_every_layer_of_a_stack_is_asked(around):
    model = Model(Dense(4, input_dim=3), around(LTC(AutoNCP(8, 2), input_dim=4, solver="rk4")), seed=0, dtype="float64")
    model(np.ones((2, 3, 3)), dt=0.1)
    with pytest.raises(ValueError, match='solver="rk4"'):
        model(np.ones((2, 3, 3)), dt=50.0)


# ------------------------------------------------------------------------------------------------ solver_error


@pytest.mark.slow
@every
def test_solver_error_is_the_distance_to_the_solution(solver, reference, backend):
    x, dt, v, want = reference
    model = plain(solver, 6, backend)
    found = solver_error(model, x, dt=dt, h0=v, tolerance=1e-3, unfolds=(6, 12))
    y, state = model(x, dt=dt, h0=v, return_state=True)
    # The reference's own error is below a hundredth of the tolerance.
    assert found.error == found.errors[6] == pytest.approx(np.abs(y - want).max(), abs=1e-5)
    assert found.state_error == pytest.approx(np.abs(state - want[-1]).max(), abs=1e-5)
    assert found.errors[12] == pytest.approx(np.abs(plain(solver, 12)(x, dt=dt, h0=v) - want).max(), abs=1e-5)
    assert found.reference_error <= 1e-5
    n = found.suggested
    assert np.abs(plain(solver, n)(x, dt=dt, h0=v) - want).max() <= 1.01e-3
    assert np.abs(plain(solver, n - 1)(x, dt=dt, h0=v) - want).max() > 0.99e-3
    assert set(found.errors) == {6, 12, n}
    assert (found.solver, found.ode_unfolds, found.tolerance) == (solver, 6, 1e-3)


def test_solver_error_leaves_the_model_alone_and_reads_like_a_table():
    inner = LTC(FullyConnected(6, 2), input_dim=5, solver="rk4")
    layers = LTC(AutoNCP(9, 4), input_dim=3, ode_unfolds=4), Dense(5, input_dim=4), MixedMemory(inner)
    model = Model(*layers, seed=0)
    theta = model.theta.copy()
    x = np.random.default_rng(0).normal(size=(3, 5, 3))
    found = solver_error(model, x, dt=0.5, lengths=[5, 2, 0], tolerance=0.01, unfolds=[1, 3])
    assert (model.theta == theta).all()
    assert (found.solver, found.ode_unfolds) == ("semi_implicit, rk4", (4, 6))
    text = repr(found)
    assert f"outputs are off by {found.error:.2e}" in text
    assert f"for 0.01: ode_unfolds={found.suggested} " in text
    assert len(text.splitlines()) == 3 + len(found.errors)
    assert found.errors[1] > found.errors[3] > 0


def test_solver_error_of_a_diverging_solver_is_infinite():
    x = np.ones((1, 140, 3))
    model = LTCRNN(FullyConnected(4, 2), 3, seed=0, solver="euler", ode_unfolds=2)
    found = solver_error(model, x, dt=30.0, tolerance=0.1, unfolds=(1, 2))
    assert found.error > 1e6
    assert found.errors[1] == np.inf
    assert found.suggested > 30


def test_solver_error_checks_its_arguments():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    x = np.ones((1, 2, 3))
    with pytest.raises(TypeError, match="`model` must be a Model"):
        solver_error(model.layers[0], x)
    with pytest.raises(ValueError, match="`model` must have a layer with a solver"):
        solver_error(Model(Dense(2, input_dim=3)), x)
    with pytest.raises(TypeError, match="`unfolds` must be an int >= 1, got 2.5"):
        solver_error(model, x, unfolds=(2.5,))
    for name, bad in (("tolerance", 0), ("tolerance", np.nan), ("unfolds", (0,))):
        with pytest.raises(ValueError, match=f"`{name}`"):
            solver_error(model, x, **{name: bad})
    with pytest.raises(ValueError, match="`x` must be"):
        solver_error(model, np.ones((1, 2, 4)))


@pytest.mark.parametrize("solver", cases(EXPLICIT))
def test_suggested_unfolds_are_those_that_the_check_allows(solver):
    x = np.random.default_rng(0).normal(size=(3, 6, 3))
    make = functools.partial(LTCRNN, AutoNCP(12, 2), 3, solver=solver, seed=0)
    found = solver_error(make(ode_unfolds=30), x, dt=2.0, tolerance=0.1)
    make(ode_unfolds=found.suggested)(x, dt=2.0)
    assert 1 in found.refused
    assert found.suggested not in found.refused
    assert "refused by check_stability" in repr(found)
    for n in found.refused:
        with pytest.raises(ValueError, match="check_stability"):
            make(ode_unfolds=n)(x, dt=2.0)
    free = solver_error(make(ode_unfolds=30, check_stability="off"), x, dt=2.0, tolerance=0.1)
    assert free.refused == ()
    assert free.suggested <= found.suggested


@pytest.mark.slow
def test_steps_that_become_too_long_stop_a_training():
    x = np.random.default_rng(0).normal(size=(8, 6, 3))
    model = LTCRNN(AutoNCP(12, 2), 3, solver="euler", ode_unfolds=10, seed=0, dtype="float64")
    with pytest.raises(ValueError, match=r"before epoch \d+; the model has the parameters of then"):
        model.fit(x, np.full((8, 6, 2), 5.0), epochs=200, optimizer=Adam(1.0), seed=0, verbose=False)
    assert np.isfinite(model.theta).all()
