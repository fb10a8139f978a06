"""The LTC cell: gradients, agreement of backends, bits, exactness at the edges."""

import tracemalloc

import numpy as np
import pytest
from support.gradients import worst
from support.ltc_networks import WIRINGS, make

from ltc_np import LTC, LTCRNN, AutoNCP, FullyConnected, RandomWiring, gradcheck


@pytest.mark.few(5)
@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("key", WIRINGS)
def test_gradients_of_every_coordinate(key, backend):
    # 1e-6 is the promise; central differences at step 1e-6 reach about 1e-9 here.
    positivity = ["softplus", "clip"][(list(WIRINGS).index(key) + (backend == "cpu")) % 2]
    model, x, dt, lengths = make(key, backend, positivity=positivity)
    assert worst(model, x, dt=dt, lengths=lengths) < 1e-6


@pytest.mark.parametrize("mapping", [None, "linear", "affine"])
def test_gradients_with_mappings_and_scalar_or_shared_dt(mapping, backend):
    wiring = AutoNCP(8, 2)
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    model = LTCRNN(wiring, 2, input_mapping=mapping, output_mapping=mapping, seed=0, dtype="float64", backend=backend)
    names = {f"{side}_{k}" for side in ("input", "output") for k in {None: "", "linear": "w", "affine": "wb"}[mapping]}
    assert {n for n in model.params if n.startswith(("input", "output"))} == names
    for dt in (0.7, [0.0, 0.5, 2.0]):
        errors = gradcheck.check(model, x, dt=dt)
        assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("wiring", [FullyConnected(40, 8), AutoNCP(40, 8), RandomWiring(8, 4, 24, seed=1)])
def test_gradient_along_a_direction_at_a_realistic_size(wiring, backend):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 12, 8))
    model = LTCRNN(wiring, 8, seed=0, dtype="float64", backend=backend)
    assert gradcheck.direction(model, x, dt=rng.uniform(0, 2, (20, 12)), lengths=rng.integers(1, 13, 20)) < 1e-6


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("key", WIRINGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_backends_agree(key, dtype, tolerance):
    results = []
    for backend in ("numpy", "cpu"):
        model, x, dt, lengths = make(key, backend, dtype)
        y, tape = model.forward(x, dt=dt, lengths=lengths)
        rng = np.random.default_rng(5)
        g = model.backward(tape, rng.normal(size=y.shape), rng.normal(size=(x.shape[0], model.state_size)))
        assert {a.dtype for a in (y, g.theta, g.x, g.h0, g.dt)} == {model.dtype}
        results.append({"y": y, "x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)})
    for name, a in results[0].items():
        b = results[1][name]
        assert np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0), name


def test_naive_loop():
    """Against the equation written with Python floats, no vectorisation and no rearrangement."""
    import math

    wiring = AutoNCP(8, 2).build(3)
    model = LTCRNN(wiring, 3, seed=4, dtype="float64", backend="numpy")
    p, x, elapsed = model.params, np.random.default_rng(0).normal(size=(5, 3)), [0.3, 1.0, 2.0, 0.1, 5.0]

    def softplus(z):
        return math.log1p(math.exp(z))

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    v = [0.0] * 8
    for t in range(5):
        inputs = [x[t, k] * p["input_w"][k] + p["input_b"][k] for k in range(3)]
        for _ in range(6):
            new = []
            for i in range(8):
                c = softplus(p["cm"][i]) * 6 / elapsed[t]
                g = softplus(p["gleak"][i])
                top, bottom = c * v[i] + g * p["vleak"][i], c + g + 1e-8
                for prefix, pre, post, source in (
                    ("", wiring.pre, wiring.post, v),
                    ("sensory_", wiring.sensory_pre, wiring.sensory_post, inputs),
                ):
                    for s in range(len(pre)):
                        if post[s] == i:
                            z = p[prefix + "sigma"][s] * (source[pre[s]] - p[prefix + "mu"][s])
                            a = softplus(p[prefix + "w"][s]) * sigmoid(z)
                            top += a * p[prefix + "erev"][s]
                            bottom += a
                new.append(top / bottom)
            v = new
    _, state = model(x, dt=elapsed, return_state=True)
    np.testing.assert_allclose(state, v, rtol=1e-13)  # about 200 roundings


@pytest.mark.slow
@pytest.mark.parametrize("wiring", [FullyConnected(33, 3), AutoNCP(33, 3), RandomWiring(4, 3, 12, seed=0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_batch(wiring, dtype, backend):
    """Both loop orders, every tile width, and streaming."""
    model = LTCRNN(wiring, 4, seed=0, dtype=dtype, backend=backend)
    rng = np.random.default_rng(0)
    x, dt = rng.normal(size=(70, 5, 4)), rng.uniform(0, 3, (70, 5))
    y, state = model(x, dt=dt, return_state=True)
    for cut in (1, 2, 11, 16, 17, 40):
        parts = [model(x[a : a + cut], dt=dt[a : a + cut]) for a in range(0, 70, cut)]
        assert (np.concatenate(parts) == y).all(), cut
    streamed = model.initial_state()
    for t in range(5):
        out, streamed = model.step(x[3, t], dt=dt[3, t], state=streamed)
        assert (out == y[3, t]).all()
    assert (streamed == state[3]).all()


@pytest.mark.slow
def test_low_memory_follows_steps_and_not_unfolds(backend):
    peaks = {}
    x = np.zeros((8, 200 if backend == "cpu" else 60, 2))
    for memory in ("full", "low"):
        model = LTCRNN(AutoNCP(20, 2), 2, seed=0, ode_unfolds=10, backend=backend)
        tracemalloc.start()
        model.loss_and_grad(x, x, memory=memory)
        peaks[memory] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # On cpu 20 N against N numbers a step, on numpy 10 N; beside them x, dt, y, d_y and what numba needs to load.
    assert peaks["low"] < 0.4 * peaks["full"], peaks


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize(
    ("wiring", "n"), [(AutoNCP(8, 2), 70), (FullyConnected(201, 2), 9), (FullyConnected(3, 2), 40)]
)
def test_gradients_of_tiles_of_any_width(wiring, n, width, monkeypatch):
    # Whole and partial tiles, pairs of vectors and single ones; 40,401 synapses are more than FEW_SYNAPSES.
    from ltc_np.kernels.cpu import tiles

    monkeypatch.setattr(tiles, "tile_width", lambda *_: width)
    rng = np.random.default_rng(1)
    x, dt, lengths = rng.normal(size=(n, 3, 2)), rng.uniform(0, 2, (n, 3)), rng.integers(0, 4, n)
    gradients = []
    for backend in ("numpy", "cpu"):
        model = LTCRNN(wiring, 2, seed=0, dtype="float64", backend=backend)
        y, tape = model.forward(x, dt=dt, lengths=lengths)
        g = model.backward(tape, np.cos(y))
        gradients.append((g.theta, g.x, g.h0, g.dt))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.abs(a).max())


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("backend", "wiring", "steps"),
    [
        pytest.param("cpu", FullyConnected(8, 2), 20_000, id="posts", marks=pytest.mark.slow),  # compiled for it alone
        pytest.param("cpu", AutoNCP(8, 2), 20_000, id="lanes"),
        pytest.param("numpy", AutoNCP(8, 2), 1_000, id="numpy"),
    ],
)
def test_long_float32_gradients_follow_float64(backend, wiring, steps):
    """In either order of loops sums go to float64 before they are long, also those whose terms have all one sign."""
    x = np.random.default_rng(0).normal(size=(1, steps, 2))
    target = np.random.default_rng(1).normal(size=(1, steps, 2)) + 3
    grads = []
    for dtype in ("float64", "float32"):
        model = LTCRNN(wiring, 2, seed=0, dtype=dtype, backend=backend)
        model.theta = LTCRNN(wiring, 2, seed=0).theta  # the same float32 values for both
        model.parallel_time = False
        grads.append(model.views(model.loss_and_grad(x.astype(np.float32), target.astype(np.float32))[1]))
    for name in grads[0]:
        a, b = grads[0][name], grads[1][name]
        assert np.abs(a - b).max() <= 2e-6 * np.abs(a).max(), name


@pytest.mark.single
@pytest.mark.compiled
def test_float32_adjoints_keep_their_digits():
    """Small steps: N tiny adjoints against one large one. Large steps: P - Q v cancels near the fixed point."""
    t = np.arange(200)
    slow = np.stack([np.sin(t * 0.01), np.cos(t * 0.013)], -1)[None].repeat(32, 0)
    noise = np.random.default_rng(0).normal(size=(5, 20, 2))
    for wiring, x, dt in (
        (RandomWiring(2, 2, 32, seed=0), slow, 0.01),
        (FullyConnected(32, 4), noise, np.full((5, 20), 10.0)),
        (FullyConnected(32, 4), noise, np.full((5, 20), 100.0)),
    ):
        found = []
        for backend in ("numpy", "cpu"):
            model = LTCRNN(wiring, 2, seed=1, backend=backend)
            y, tape = model.forward(x, dt=dt)
            found.append(model.backward(tape, np.full_like(y, 1 / 200)))
        for name in ("theta", "x", "dt"):
            a, b = getattr(found[0], name), getattr(found[1], name)
            assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max(), name


def test_float64_gradient_of_a_large_dt(backend):
    """One neuron without synapses among neurons: v(h) = v + h(P - Qv)/(cm + hQ).

    So dv(h)/dh = cm (P - Qv)/(cm + hQ)^2 and dv(h)/dv = cm/(cm + hQ).
    """
    wiring = FullyConnected(1, self_connections=False)
    model = LTCRNN(wiring, 1, seed=0, dtype="float64", ode_unfolds=1, backend=backend)
    for dt in (0.0, 1e-8, 1.0, 1e4, 1e8):
        y, tape = model.forward(np.ones((1, 1)), dt=dt)
        g = model.backward(tape, np.ones_like(y))
        p = model.layout.arrays(model.layout.effective(model.theta))
        b = p["sensory_w"] / (1 + np.exp(-p["sensory_sigma"] * (1 - p["sensory_mu"])))
        P, Q = p["gleak"] * p["vleak"] + b * p["sensory_erev"], p["gleak"] + b + 1e-8
        assert g.dt == pytest.approx(float((p["cm"] * P / (p["cm"] + dt * Q) ** 2)[0]), rel=1e-9, abs=0)
        assert g.h0 == pytest.approx(float((p["cm"] / (p["cm"] + dt * Q))[0]), rel=1e-9, abs=0)


def test_clip_is_projected_by_the_optimiser_and_passes_gradients(backend):
    from ltc_np import Adam

    model = LTCRNN(AutoNCP(8, 2), 2, seed=0, positivity="clip", backend=backend)
    model.params["w"] = -1.0
    model.params["cm"] = -1.0
    x = np.ones((2, 3, 2))
    assert np.isfinite(model(x)).all()
    Adam(0.01).step(model, np.zeros_like(model.theta))
    assert (model.params["w"] == 0).all()
    assert (model.params["cm"] == np.float32(1e-6)).all()


def test_softplus_that_underflows_leaves_dt_zero_exact(backend):
    model = LTCRNN(AutoNCP(8, 2), 2, seed=0, backend=backend)
    model.params["cm"] = -200.0  # softplus(-200) is 0 in float32
    h0 = np.ones((2, 8), np.float32)
    assert (model(np.ones((2, 1, 2)), dt=0.0, h0=h0, return_state=True)[1] == h0).all()
    assert np.isfinite(model(np.ones((2, 3, 2)), dt=1.0)).all()


def test_init_overrides_and_layer_errors():
    layer = LTC(AutoNCP(8, 2), input_dim=2, init={"w": 0.5, "mu": (1.0, 1.5), "vleak": np.arange(8.0)})
    p = LTCRNN(AutoNCP(8, 2), 2, seed=0, init=layer.init).params
    assert (p["w"] == 0.5).all()
    assert ((p["mu"] >= 1) & (p["mu"] <= 1.5)).all()
    assert (p["vleak"] == np.arange(8)).all()
    with pytest.raises(TypeError, match="`ode_unfolds` must be an int in 1..1000000, got 2.0"):
        LTC(AutoNCP(8, 2), input_dim=2, ode_unfolds=2.0)
    for options, words in (
        ({"ode_unfolds": 0}, "`ode_unfolds`"),
        ({"epsilon": -1}, "`epsilon`"),
        ({"epsilon": np.nan}, "`epsilon`"),
        ({"positivity": "relu"}, "`positivity`"),
        ({"input_mapping": "quadratic"}, "`input_mapping`"),
        ({"init": {"W": 1}}, "unknown parameter 'W'"),
        ({"init": {"w": (1, 0)}}, "low <= high"),
        ({"init": {"w": [1.0, 2.0]}}, "array of shape"),
        ({"init": {"w": np.nan}}, "finite"),
    ):
        with pytest.raises(ValueError, match=words):
            LTC(AutoNCP(8, 2), input_dim=2, **options)
    with pytest.raises(TypeError, match="`wiring`"):
        LTC(8, input_dim=2)
    with pytest.raises(ValueError, match="`input_dim` must be given"):
        LTCRNN(AutoNCP(8, 2))


def test_repr_shows_mappings_that_are_not_the_default():
    wired, random = AutoNCP(8, 2), RandomWiring(3, 2, 4, seed=0)
    assert repr(LTC(wired, input_dim=3, input_mapping="affine")) == f"LTC({wired.build(3)!r})"
    assert repr(LTC(wired, input_dim=3, input_mapping=None, output_mapping="linear")) == (
        f"LTC({wired.build(3)!r}, input_mapping=None, output_mapping='linear')"
    )
    assert repr(LTC(random, output_mapping=None)) == f"LTC({random!r})"
    assert repr(LTC(random, output_mapping="affine")) == f"LTC({random!r}, output_mapping='affine')"
