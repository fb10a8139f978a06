"""The LRC: against the paper's equations (golden/make_lrc.py), by hand, bounds, exactness at the edges."""

import math

import numpy as np
import pytest
from support import golden
from support.gradients import worst
from support.ltc_networks import WIRINGS
from support.solvers import cases

from ltc_np import (
    LRC,
    AutoNCP,
    CellConfig,
    FullyConnected,
    Model,
    RandomWiring,
    Wiring,
    from_config,
    gradcheck,
    load,
    solver_error,
)
from ltc_np.kernels.codes import SOLVERS

CASES = golden.cases("lrc")
KINDS = [
    {},
    {"elastance": "symmetric", "solver": "semi_implicit"},
    {"elastance": "symmetric", "elastance_by": "state_and_inputs", "solver": "exponential", "ode_unfolds": 2},
    {"elastance": None, "solver": "rk4"},
]
each_kind = pytest.mark.parametrize("options", KINDS)


def lively(wiring, backend="numpy", dtype="float64", seed=1, inputs=2, **options):
    """A model whose states are of the size of 1: the published initial ones are some hundredths, as vleak is."""
    init = {"vleak": (-1.0, 1.0), "mu": (-0.5, 0.5), "sigma": (1.0, 4.0)}
    return Model(LRC(wiring, init=init, **options), input_dim=inputs, seed=seed, dtype=dtype, backend=backend)


def data(B=3, T=4, I=2, longest=1.9, seed=7):
    """x, dt with a 0, lengths with T and 0."""
    rng = np.random.default_rng(seed)
    x, dt = rng.normal(size=(B, T, I)), rng.uniform(0, longest, (B, T))
    if T > 1:
        dt[0, 1] = 0
    lengths = rng.integers(1, T + 1, B)
    lengths[0] = T
    if B > 2:
        lengths[1] = 0
    return x, dt, lengths


def test_there_are_golden_cases():
    assert len(CASES) == 8


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_paper(case, dtype, backend):
    file, options = golden.read("lrc", case, "options")
    N, I = file["w"].shape[0], file["sensory_w"].shape[0]
    given = options | {"input_mapping": None, "output_mapping": None, "positivity": "clip"}
    layer = LRC(FullyConnected(N), input_dim=I, **given)
    model = Model(layer, seed=0, dtype=dtype, backend=backend)

    def values(name, array):
        """Matrices [from, to] become lists of synapses."""
        if array.ndim < 2 or name in ("x", "dt", "h0"):
            return array
        kind = layer.sensory if name.startswith("sensory_") else layer.recurrent
        return array[kind.pre, kind.post]

    for name in model.params:
        model.params[name] = values(name, file[name])
    outputs, gradients = golden.tolerances(dtype)
    y, state = model(file["x"], dt=file["dt"], h0=file["h0"], return_state=True)
    golden.check({"y": y, "hT": state}, file, outputs)
    _, tape = model.forward(file["x"], dt=file["dt"], h0=file["h0"])
    g = model.backward(tape, file["c"], file["d"])
    found = {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}
    golden.check(found, {name: values(name, file[f"d_{name}"]) for name in found}, gradients)


def test_naive_loop(backend):
    """The LRCU on a sparse wiring against the equations written with Python floats."""
    wiring = AutoNCP(8, 2).build(3)
    model = Model(LRC(wiring), seed=4, dtype="float64", backend=backend)
    p, x, elapsed = model.params, np.random.default_rng(0).normal(size=(5, 3)), [0.3, 1.0, 1.9, 0.1, 0.0]

    def softplus(z):
        return math.log1p(math.exp(z))

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    v = [0.1 * i for i in range(8)]
    h0 = np.array(v)
    for t in range(5):
        inputs = [x[t, k] * p["input_w"][k] + p["input_b"][k] for k in range(3)]
        new = []
        for i in range(8):
            f = z = softplus(p["gleak"][i])
            a = p["elastance_b"][i]
            for prefix, pre, post, source in (
                ("", wiring.pre, wiring.post, v),
                ("sensory_", wiring.sensory_pre, wiring.sensory_post, inputs),
            ):
                for s in range(len(pre)):
                    if post[s] == i:
                        open_ = sigmoid(p[prefix + "sigma"][s] * (source[pre[s]] - p[prefix + "mu"][s]))
                        f += softplus(p[prefix + "w"][s]) * open_
                        z += p[prefix + "h"][s] * open_
                        a += p[prefix + "elastance_w"][s] * source[pre[s]]
            slope = sigmoid(a) * (-sigmoid(f) * v[i] + math.tanh(z) * p["vleak"][i])
            new.append(v[i] + elapsed[t] * slope)
        v = new
    _, state = model(x, dt=elapsed, h0=h0, return_state=True)
    np.testing.assert_allclose(state, v, rtol=1e-13)  # about 100 roundings


@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("key", WIRINGS)
@each_kind
def test_gradients_of_wirings_of_all_kinds(key, options, backend):
    # 1e-6 is the promise; central differences at this step reach 1e-8 here.
    wiring, I, B, T = WIRINGS[key]
    # The seed of the one neuron is one whose gradients, a single number each, are not nearly 0.
    model = lively(wiring, backend, seed=6 if key == "one of everything" else 1, inputs=I, **options)
    x, dt, lengths = data(B, T, I)
    h0 = np.random.default_rng(3).normal(size=(B, model.state_size))
    if backend == "numpy":
        given = {"dt": dt, "lengths": lengths, "h0": h0, "step": 1e-5}
        assert max(gradcheck.direction(model, x, seed=seed, **given) for seed in range(3)) < 1e-6
        return
    errors = gradcheck.check(model, x, dt=dt, lengths=lengths, h0=h0, step=1e-5)
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("wiring", [FullyConnected(40, 8), AutoNCP(40, 8), RandomWiring(8, 4, 24, seed=1)])
@each_kind
def test_gradient_along_a_direction_at_a_realistic_size(wiring, options, backend):
    model = lively(wiring, backend, inputs=8, **options)
    x, dt, lengths = data(20, 12, 8)
    assert gradcheck.direction(model, x, dt=dt, lengths=lengths, step=1e-5) < 1e-6


def test_a_fixed_gain_is_a_factor_of_both_strengths(backend):
    """A synapse with the gain 2 is one with w and h twice as large; gradients follow, and the largest rate."""
    found = []
    for gain in (2.0, 1.0):
        wiring = Wiring.from_edges(2, [(0, 1, -gain), (1, 0, gain)], [(0, 0, 1), (0, 1, gain)], input_dim=1)
        model = Model(LRC(wiring, positivity="clip"), seed=0, dtype="float64", backend=backend)
        for name in ("w", "h"):
            model.params[name] = 0.6 / gain
            model.params[f"sensory_{name}"] = [0.3, 0.6 / gain]  # the first has no gain
        y, tape = model.forward(np.ones((1, 3, 1)))
        g = model.views(model.backward(tape, np.ones_like(y)).theta)
        fastest = model.layers[0].prepare(dict(model.effective), dict(model.buffers), backend).fastest
        found.append((y, g["w"] / gain, g["h"] / gain, g["sensory_h"][1] / gain, g["sensory_h"][0], fastest))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_initial_values_are_those_published():
    """Ranges, orthogonal h, Glorot weights of the elastance with bias 0, a shift of 1; and the wiring's signs."""
    layer = LRC(FullyConnected(40), input_dim=3, elastance="symmetric", positivity="softplus")
    model = Model(layer, seed=0, dtype="float64")
    p = model.params
    for name, low, high in (("gleak", 0.001, 1), ("vleak", -0.2, 0.2), ("w", 0.001, 1), ("mu", 0.3, 0.8)):
        assert low <= p[name].min() < p[name].max() <= high
    h = np.abs(layer.wiring.dense(p["h"]))
    np.testing.assert_allclose((h**2).sum(0), 1, rtol=1e-12)  # as of an orthogonal matrix
    np.testing.assert_allclose((layer.wiring.sensory_dense(p["sensory_h"]) ** 2).sum(1), 1, rtol=1e-12)
    assert np.array_equal(np.sign(p["h"]), layer.wiring.polarity)
    assert np.array_equal(np.sign(p["sensory_h"]), layer.wiring.sensory_polarity)
    limit = (6 / (43 + 40)) ** 0.5
    assert 0.99 * limit < np.abs(p["elastance_w"]).max() <= limit
    assert not p["elastance_b"].any()
    np.testing.assert_allclose(model.effective["elastance_shift"], 1, rtol=1e-14)
    sparse = Model(LRC(AutoNCP(60, 4)), input_dim=3, seed=0, dtype="float64")
    squares = np.bincount(sparse.layers[0].recurrent.post, sparse.params["h"] ** 2, 60)
    assert 0.5 < squares[squares > 0].mean() < 2  # as much as of a dense one, whatever the number of synapses
    assert set(Model(LRC(FullyConnected(3), elastance=None), input_dim=1).params).isdisjoint(
        {"elastance_b", "elastance_w", "elastance_v", "elastance_shift"}
    )


@pytest.mark.slow
@pytest.mark.single
@each_kind
def test_step_is_the_sequence_and_bits_do_not_depend_on_the_batch(options, backend):
    rng = np.random.default_rng(0)
    x, dt = rng.normal(size=(70, 5, 4)), rng.uniform(0, 1.9, (70, 5))
    for wiring in (FullyConnected(33, 3), AutoNCP(21, 3)):
        for dtype in ("float32", "float64"):
            model = lively(wiring, backend, dtype, inputs=4, **options)
            y, state = model(x, dt=dt, return_state=True)
            for cut in (1, 2, 11, 17, 40):  # one and two of 33 neurons go batch-major
                parts = [model(x[a : a + cut], dt=dt[a : a + cut]) for a in range(0, 70, cut)]
                assert (np.concatenate(parts) == y).all(), cut
            streamed = model.initial_state()
            for t in range(5):
                out, streamed = model.step(x[3, t], dt=dt[3, t], state=streamed)
                assert (out == y[3, t]).all()
            assert (streamed == state[3]).all()


@pytest.mark.parametrize("solver", cases())
def test_gradients_of_every_solver(solver, backend):
    x, dt, lengths = data()
    model = lively(FullyConnected(5, 2), backend, solver=solver, ode_unfolds=2, elastance="symmetric")
    assert worst(model, x, dt=dt, lengths=lengths) < 1e-6


@pytest.mark.parametrize("solver", cases())
def test_every_solver_is_of_its_order(solver, backend):
    """The error against a fine solution falls by 2**order with the step, also with a liquid capacitance."""
    errors = []
    for unfolds in (8, 16, 256):
        model = lively(FullyConnected(5, 2), backend, solver=solver, ode_unfolds=unfolds)
        errors.append(model(data()[0][:1], dt=0.7))
    first, second, fine = errors
    ratio = np.abs(first - fine).max() / np.abs(second - fine).max()
    assert ratio == pytest.approx(2 ** SOLVERS[solver].order, rel=0.25)


def test_solver_error_compares_with_the_fine_solution(backend):
    model = lively(FullyConnected(5, 2), backend)
    found = solver_error(model, data()[0], dt=0.5, tolerance=1e-3, unfolds=(1, 4))
    assert found.reference_solver == "exponential"
    assert found.errors[4] < found.errors[1] / 3
    assert found.errors[found.suggested] <= 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", cases())
def test_states_are_bounded_by_twice_the_potentials(solver, dtype, backend):
    """v goes towards vleak tanh(z) / sigmoid(f), and f is at least 0: at most 2 vleak; for any dt if stable."""
    stable = SOLVERS[solver].hull
    if not stable and solver != "euler":  # no convex combination, not even of short steps
        return
    for elastance in ("asymmetric", "symmetric", None):
        model = lively(AutoNCP(8, 3), backend, dtype, solver=solver, elastance=elastance)
        vleak = np.abs(model.params["vleak"]).max()
        for dt in (0.1, 1.0, *((30.0, 1e6, 1e12) if stable else ())):
            x = 5 * np.random.default_rng(0).normal(size=(3, 40, 2))
            _, state = model(x, dt=dt, return_state=True)
            assert np.isfinite(state).all()
            assert np.abs(state).max() <= 2 * vleak * (1 + 1e-6)


@each_kind
def test_dt_zero_is_the_identity_of_some_and_not_of_others(options, backend):
    """Lanes side by side; and the derivative with respect to dt is the slope itself there."""
    model = lively(AutoNCP(8, 3), backend, **options)
    x, h0 = data(3, 1)[0], np.random.default_rng(1).normal(size=(3, 8))
    dt = np.array([[0.0], [0.5], [0.0]])
    _, state = model(x, dt=dt, h0=h0, return_state=True)
    assert (state[[0, 2]] == h0[[0, 2]]).all()
    assert (state[1] != h0[1]).any()
    y, tape = model.forward(x, dt=dt, h0=h0)
    g = model.backward(tape, np.ones_like(y))
    slope = (model(x, dt=1e-7, h0=h0) - h0[:, None, :3]).sum((1, 2)) / 1e-7
    np.testing.assert_allclose(g.dt[[0, 2], 0], slope[[0, 2]], rtol=1e-5)


def test_steps_too_long_for_an_explicit_solver_are_refused(backend):
    """The limit is that of the largest rate, which no potential or input can pass."""
    for elastance in ("asymmetric", "symmetric"):
        model = lively(FullyConnected(9, 2), backend, elastance=elastance, ode_unfolds=3)
        p = model.effective
        wiring = model.layers[0].wiring
        f = p["gleak"] + wiring.dense(p["w"]).sum(0) + wiring.sensory_dense(p["sensory_w"]).sum(0)
        epsilon = np.tanh(p["elastance_shift"] / 2) if elastance == "symmetric" else 1
        longest = 3 * 2 / (epsilon / (1 + np.exp(-f))).max()
        x = np.ones((2, 4, 2))
        model(x, dt=longest * (1 - 1e-9))
        with pytest.raises(ValueError, match=r'`dt` must keep h\*rate < 2 .*solver="semi_implicit"'):
            model(x, dt=longest * (1 + 1e-9))
    for option in ({"check_stability": "off"}, {"solver": "semi_implicit"}, {"solver": "exponential"}):
        lively(FullyConnected(9, 2), backend, **option)(x, dt=50.0)
    lively(FullyConnected(9, 2), backend)(x, dt=2.0)  # the rate is less than 1


def test_the_largest_rate_is_never_passed():
    """The bound of `check_stability` against the slope's own coefficient, over many states."""
    model = lively(FullyConnected(4, 4), elastance="symmetric", output_mapping=None)
    h0 = 50 * np.random.default_rng(0).normal(size=(500, 4))
    fastest = model.layers[0].prepare(dict(model.effective), {}, "numpy").fastest
    p = model.effective
    x = np.zeros((500, 1, 2))
    change = (model(x, dt=1.0, h0=h0, return_state=True)[1] - h0) / h0
    # dv = epsilon (P - Q v) with |P| <= |vleak|: -epsilon Q, but for what P adds
    slack = np.abs(p["vleak"] / h0)
    assert (-change <= fastest + slack).all()


def test_options_are_checked():
    for options, words in (
        ({"elastance": "linear"}, "`elastance` must be one of 'asymmetric', 'symmetric', None"),
        ({"elastance_by": "inputs"}, "`elastance_by` must be one of"),
        ({"solver": "hybrid"}, "`solver` must be one of"),
        ({"ode_unfolds": 0}, "`ode_unfolds`"),
        ({"init": {"erev": 1.0}}, "unknown parameter 'erev'"),
    ):
        with pytest.raises(ValueError, match=words):
            LRC(AutoNCP(8, 2), input_dim=2, **options)
    with pytest.raises(TypeError, match="`wiring` must be a Wiring"):
        LRC(8, input_dim=2)


def test_saved_and_configured(tmp_path):
    model = Model(LRC(AutoNCP(8, 2), elastance="symmetric", solver="exponential"), input_dim=2, seed=0, dtype="float64")
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert again.layers == model.layers
    x = data()[0]
    assert (again(x) == model(x)).all()
    config = CellConfig("LRCU", 5, 2, solver="semi_implicit", options={"elastance": "symmetric"})
    assert config.cell == "LRC"
    (layer,) = from_config(config).layers
    assert layer == LRC(FullyConnected(5), input_dim=2, solver="semi_implicit", elastance="symmetric")


@pytest.mark.compiled
@pytest.mark.parametrize("wiring", [AutoNCP(8, 2), FullyConnected(4, 2)], ids=["lanes", "posts"])
def test_a_small_drive_keeps_its_digits(wiring):
    """From rest a neuron goes where tanh of its drive leads, which is right to a relative error."""
    x, y = np.ones((1, 3, 2)), []
    for backend in ("numpy", "cpu"):
        model = Model(LRC(wiring, input_dim=2), seed=0, dtype="float64", backend=backend)
        for name in ("gleak", "h", "sensory_h"):
            model.params[name] = model.params[name] - 20 if name == "gleak" else model.params[name] * 1e-9
        y.append(model(x, h0=np.zeros((1, model.state_size))))
    assert 0 < np.abs(y[0]).max() < 1e-7
    np.testing.assert_allclose(y[1], y[0], rtol=1e-12)  # 1 - 2 sigmoid(-2z) is off by 1e-16, here 1e-8 of it


@pytest.mark.compiled
@pytest.mark.single
@pytest.mark.parametrize(
    ("wiring", "steps", "options"),
    [(FullyConnected(8, 2), 4_608, {"solver": "exponential", "ode_unfolds": 48}), (AutoNCP(8, 2), 20_000, {})],
    ids=["posts", "lanes"],
)
def test_long_float32_gradients_follow_float64(wiring, steps, options):
    """In either order of loops sums go to float64 before they are long: after so many terms, not so many steps.

    The target lies far off, so that most sums have terms of one sign.
    """
    x = np.random.default_rng(0).normal(size=(1, steps, 2)).astype(np.float32)
    target = (np.random.default_rng(1).normal(size=(1, steps, 2)) + 3).astype(np.float32)
    found = []
    for dtype in ("float64", "float32"):
        model = Model(LRC(wiring, **options), input_dim=2, seed=0, dtype=dtype, backend="cpu")
        model.theta = model.theta.astype(np.float32)  # the same values for both
        model.parallel_time = False
        found.append(model.views(model.loss_and_grad(x, target)[1]))
    for name, exact in found[0].items():
        # An elastance multiplies the slope of the state, which is positive as often as negative: digits cancel.
        allowed = 2e-5 if "elastance" in name else 2e-6
        assert np.abs(found[1][name] - exact).max() <= allowed * np.abs(exact).max(), name
