"""Liquid state spaces: against loops and sums over products, faults of the published code, growth and its bound."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.state_space import discretized, run

from ltc_np import S4D, BatchNorm, Dense, LayerNorm, LiquidS4, Model, Residual, gradcheck, largest_multiplier, load

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_numbers():
    """The numbers of a test do not depend on which ones have run before."""
    global rng
    rng = np.random.default_rng(0)


FORMS = [
    {"liquid": "exact"},
    {"liquid": "exact", "liquid_bound": 1.01, "modes": "lin"},
    {"liquid": "discrete"},
    {"liquid": "discrete", "discretization": "bilinear", "modes": "lin"},
    {"liquid": "discrete", "liquid_bound": 1.0, "modes": "lin"},
    {"liquid": "kb", "liquid_degree": 4},
    {"liquid": "kb", "discretization": "bilinear"},
    {"liquid": "pb", "liquid_degree": 3, "modes": "inv"},
]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda f: "-".join(map(str, f.values())))


def made(form, states=6, H=3, backend="numpy", dtype="float64", seed=1):
    layer = LiquidS4(states, input_dim=H, step_min=0.05, step_max=0.5, **{"liquid_scale": 1.0} | form)
    return Model(layer, seed=seed, dtype=dtype, backend=backend)


def effective(model):
    return model.layout.arrays(model.layout.effective(model.theta))


@pytest.mark.parametrize("form", [form for form in FORMS if "liquid_bound" not in form])
def test_equal_to_loops(form, backend):
    """Over Python's complex numbers; steps of all lengths, those with dt = 0 at the end, where loops count them."""
    model = made(form, backend=backend)
    x, dt = rng.normal(size=(2, 70, 3)), rng.exponential(size=(2, 70))
    dt[1, 60:] = 0
    y = model(x, dt=dt)
    keywords = {k: form[k] for k in ("liquid",)} | {"kind": form.get("discretization", "zoh")}
    for b in range(2):
        last = 60 if b else 70
        want = run(effective(model), x[b], dt[b], degree=form.get("liquid_degree", 2), **keywords)[:last]
        np.testing.assert_allclose(y[b, :last], want, rtol=0, atol=1e-12 * np.abs(want).max())


def test_without_a_liquid_term_it_is_the_linear_one(backend):
    """B of the liquid term only: inputs so small that their squares are nothing, or no products at all."""
    x = 1e-9 * rng.normal(size=(2, 40, 3))
    linear = Model(S4D(6, input_dim=3, step_min=0.05, step_max=0.5), seed=1, dtype="float64", backend=backend)
    want = linear(x, dt=0.5)
    for form in FORMS[0], FORMS[2], FORMS[5]:
        model = made(form, backend=backend)
        model.theta = linear.theta
        assert np.abs(model(x, dt=0.5) - want).max() < 1e-7 * np.abs(want).max()


def unrolled(model, x, dt, chosen):
    """y (T,) of one channel from the sum over products of inputs whose indices ``chosen`` allows."""
    p, T = effective(model), len(x)
    delta = np.exp(p["log_step"][0]) * dt
    y = p["d"][0] * x
    for m in range(len(p["decay"])):
        a, b, c = (
            complex(re, im)
            for re, im in (
                (-p["decay"][m, 0], p["frequency"][m, 0]),
                (p["b_re"][m, 0], p["b_im"][m, 0]),
                (p["c_re"][m, 0], p["c_im"][m, 0]),
            )
        )
        A, B = discretized(a, b, delta, "zoh")
        for t in range(T):
            total = 0
            for n in range(1, t + 2):
                for indices in itertools.combinations(range(t + 1), n):
                    if chosen(indices):
                        total += A ** (t - indices[0] - (n - 1)) * B**n * np.prod(x[list(indices)])
            y[t] += 2 * (c * total).real
    return y


def test_the_recurrence_is_the_sum_over_all_products(backend):
    model, x = made({"liquid": "discrete"}, H=1, backend=backend), rng.normal(size=7)
    want = unrolled(model, x, 0.8, lambda indices: True)
    np.testing.assert_allclose(model(x[:, None], dt=0.8)[:, 0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_kb_is_the_sum_over_neighbours(degree, backend):
    model = made({"liquid": "kb", "liquid_degree": degree}, H=1, backend=backend)
    x = rng.normal(size=7)
    neighbours = lambda i: len(i) <= degree and i[-1] - i[0] == len(i) - 1  # noqa: E731
    np.testing.assert_allclose(model(x[:, None], dt=0.8)[:, 0], unrolled(model, x, 0.8, neighbours), rtol=0, atol=1e-12)


def test_exact_steps_compose(backend):
    """Two steps with one input are one step, as long as both; that of the discrete form is not."""
    x, dt = rng.normal(size=(20, 3)), rng.exponential(size=20)
    halves = np.repeat(x, 2, axis=0), np.stack([0.3 * dt, 0.7 * dt], axis=1).ravel()
    for form in FORMS[0], FORMS[2]:
        model = made(form, backend=backend)
        y = model(x, dt=dt)
        apart = np.abs(model(halves[0], dt=halves[1])[1::2] - y).max() / np.abs(y).max()
        assert (apart < 1e-12) == (form["liquid"] == "exact")


def test_how_much_an_input_changes_the_fastest_mode(backend):
    """The page has these figures: the logarithm of the factor on it in a step of 0.1, over normal inputs."""
    u, found = np.random.default_rng(0).normal(size=(4000, 1, 1)), {}
    for liquid, rule in (("exact", "zoh"), ("discrete", "zoh"), ("discrete", "bilinear")):
        layer = LiquidS4(
            64, input_dim=1, liquid=liquid, discretization=rule, liquid_scale=1.0, step_min=0.1, step_max=0.1
        )
        model = Model(layer, seed=0, dtype="float64", backend=backend)
        fastest, h0 = np.argmax(model.params["frequency"]), np.zeros((len(u), 64))
        without = model(u, h0=h0, return_state=True)[1]
        h0[:, model.layers[0].state_slices["re"]][:, fastest] = 1
        both = (model(u, h0=h0, return_state=True)[1] - without).reshape(len(u), 2, 32)[:, :, fastest]
        logarithm = np.log(np.hypot(*both.T))
        found[liquid, rule] = logarithm.mean(), logarithm.std()
    # The mean of 4000 normal numbers of deviation s is off by about s / 63, and their deviation by s / 90.
    assert found["exact", "zoh"] == pytest.approx((-0.05, 0.2), abs=0.01)
    assert found["discrete", "zoh"] == pytest.approx((-0.05, 2e-5), abs=5e-6)
    assert found["discrete", "bilinear"][0] == pytest.approx(-1e-5, abs=2e-4)
    assert found["discrete", "bilinear"][1] == pytest.approx(3e-3, abs=2e-4)


def test_where_the_rate_is_zero(backend):
    """A + B u = 0: nothing is divided by it, and the state grows by B u delta."""
    init = {"decay": np.log(np.expm1(0.5)), "frequency": 0.0, "b_re": 0.5, "b_im": 0.0, "d": 0.0, "log_step": 0.0}
    model = Model(
        LiquidS4(2, input_dim=1, init=init | {"c_re": 0.5, "c_im": 0.0}), seed=0, dtype="float64", backend=backend
    )
    x = np.array([[1.0], [1.0 + 1e-12], [1.0 + 1e-5], [1.0]])
    np.testing.assert_allclose(model(x, dt=2.0)[:, 0], [1.0, 2.0, 3.0, 4.0], rtol=3e-5)
    assert max(gradcheck.check(model, x, dt=2.0).values()) < 1e-6
    assert model(x[:1], dt=2.0)[0, 0] == 1.0


@pytest.mark.single
def test_gradients_of_a_step_after_which_nothing_is_left(backend):
    """1 + E and 1 + E - phi are then almost nothing, and the gradient has them times the length of the step."""
    init = {"decay": -13.8, "frequency": -0.11, "b_re": 3.0, "b_im": 1.4, "log_step": 5.3, "d": 1.3}
    x = np.linspace(-0.3, -0.1, 40, dtype="f4")[:, None, None]
    h0, d_y = np.tile(np.array([-0.9, 0.5, 0.4, -0.1], "f4"), (40, 1)), np.ones((40, 1, 1), "f4")
    found = []
    for dtype in ("float32", "float64"):
        model = Model(LiquidS4(2, input_dim=1, init=init), seed=0, dtype=dtype, backend=backend)
        _, tape = model.forward(x.astype(dtype), dt=15.7, h0=h0[:, : model.state_size].astype(dtype))
        found.append(model.backward(tape, d_y.astype(dtype)).x)
    single, double = found
    # Some tens of roundings; as sums in which -1 and 1 met after a rounding they were off by 1e-4 to 1e-3.
    np.testing.assert_allclose(single, double, rtol=2e-5)


def test_a_weaker_liquid_term_begins_with_the_same_linear_part(backend):
    x = rng.normal(size=(2, 40, 3))
    linear = Model(S4D(6, input_dim=3, step_min=0.05, step_max=0.5), seed=1, dtype="float64", backend=backend)
    apart = []
    for scale in (1.0, 0.1, 1e-6):
        model = made({"liquid_scale": scale}, backend=backend)
        apart.append(np.abs(model(x, dt=0.5) - linear(x, dt=0.5)).max())
    assert apart[0] > 5 * apart[1] > 100 * apart[2]
    assert apart[2] < 1e-5


# ----------------------------------------------------------------------------- what the published code does wrong


@each_form
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), t=st.integers(0, 11))
def test_no_output_knows_a_later_input(form, seed, t):
    """L1: bit for bit, of numbers of any size."""
    r = np.random.default_rng(seed)
    model = made(form, states=4, H=2, seed=seed)
    x = r.normal(size=(12, 2)) * 10 ** r.uniform(-3, 1)
    dt = r.exponential(size=12)
    other = x.copy()
    other[t:] = r.normal(size=other[t:].shape)
    with np.errstate(all="ignore"):
        a, b = model(x[: t + 1], dt=dt[: t + 1])[:t], model(np.concatenate([other]), dt=dt)[:t]
    assert np.array_equal(a, b)


@each_form
def test_every_parameter_feels_the_liquid_term(form, backend):
    """L2: gradients are those of the whole output, as the battery shows, and not those of the linear part."""
    x, y = rng.normal(size=(2, 3, 20, 3))
    model = made(form, backend=backend)
    linear = S4D(6, input_dim=3, step_min=0.05, step_max=0.5, discretization=form.get("discretization", "zoh"))
    plain = Model(linear, seed=1, dtype="float64", backend=backend)
    plain.theta = model.theta
    g, h = (m.views(m.loss_and_grad(x, y, dt=0.5)[1]) for m in (model, plain))
    for name in set(g) - {"d"}:
        assert np.abs(g[name] - h[name]).max() > 1e-5 * np.abs(h[name]).max(), name


@each_form
def test_a_loaded_model_has_the_same_bits(form, tmp_path):
    """L3."""
    model = made(form)
    model.save(tmp_path / "model.npz")
    x = rng.normal(size=(2, 9, 3))
    assert np.array_equal(load(tmp_path / "model.npz", backend="numpy")(x, dt=0.5), model(x, dt=0.5))


@each_form
def test_streams_with_the_liquid_term(form, backend):
    """L4, L8: step by step, and a sequence shorter than the degree."""
    model = made(form, backend=backend)
    x, state = rng.normal(size=(6, 3)), None
    y = model(x, dt=0.5)
    for t in range(6):
        out, state = model.step(x[t], dt=0.5, state=state)
        assert np.array_equal(out, y[t])
    assert np.array_equal(model(x[:1], dt=0.5), y[:1])
    plain = Model(S4D(6, input_dim=3, step_min=0.05, step_max=0.5), seed=1, dtype="float64", backend=backend)
    plain.theta = model.theta
    if form.get("modes") is form.get("discretization") is None:
        assert np.abs(model(x[:2], dt=0.5)[1] - plain(x[:2], dt=0.5)[1]).max() > 1e-4


def test_channels_and_sequences_do_not_mix(backend):
    """L5."""
    for form in FORMS:
        model = made(form, backend=backend)
        x = rng.normal(size=(2, 10, 3))
        other = x.copy()
        other[1, :, 0] += 1
        apart = np.abs(model(x, dt=0.5) - model(other, dt=0.5)).max(axis=1) > 0
        assert apart.tolist() == [[False] * 3, [True, False, False]]


def test_a_step_without_time_is_no_neighbour(backend):
    """Of KB and PB: with dt = 0 in between, as if it were not there."""
    for form in FORMS[5], FORMS[7]:
        model = made(form, backend=backend)
        x = rng.normal(size=(5, 3))
        between = np.insert(x, [2, 2, 4], 7.0, axis=0)
        dt = np.array([1, 1, 0, 0, 1, 1, 0, 1]) * 0.6
        assert np.array_equal(model(between, dt=dt)[dt > 0], model(x, dt=0.6))


@pytest.mark.parametrize("form", [FORMS[5], FORMS[7]], ids=["kb", "pb"])
def test_gradients_past_a_step_without_time(form, backend):
    """Nor does its input get a gradient from later products."""
    model = made(form, backend=backend)
    x, dt = rng.normal(size=(1, 6, 3)), np.array([0.6, 0, 0.6, 0, 0, 0.9])
    assert gradcheck.check(model, x, dt=dt[None])["x"] < 1e-6


# --------------------------------------------------------------------------------------------------------- growth


@pytest.mark.parametrize("liquid", ["exact", "discrete"])
def test_bound(liquid, backend):
    """Inputs that would multiply modes by hundreds; a bound of 1, and one that only some steps meet."""
    x = rng.normal(size=(2, 60, 3)) * 20
    free = made({"liquid": liquid, "modes": "lin"}, backend=backend)
    assert largest_multiplier(free, x, dt=0.5)[0] > 3
    for bound in (1.0, 1.5):
        model = made({"liquid": liquid, "modes": "lin", "liquid_bound": bound}, backend=backend)
        assert largest_multiplier(model, x, dt=0.5) == [pytest.approx(bound, rel=1e-12)]
        y = model(x, dt=0.5)
        assert np.isfinite(y).all()
        assert np.abs(y - free(x, dt=0.5)).max() > 1
    # A bound that no step meets changes nothing.
    quiet = 0.01 * x
    wide = made({"liquid": liquid, "modes": "lin", "liquid_bound": 50.0}, backend=backend)
    assert np.array_equal(wide(quiet, dt=0.5), free(quiet, dt=0.5))


@pytest.mark.parametrize("liquid", ["exact", "discrete"])
def test_gradients_where_the_bound_holds(liquid, backend):
    """Many steps on either side of the bound, none near it."""
    model = made({"liquid": liquid, "modes": "lin", "liquid_bound": 1.2}, states=4, H=2, backend=backend, seed=3)
    x = np.sign(rng.normal(size=(2, 9, 2))) * rng.uniform(3, 5, (2, 9, 2))
    dt = rng.uniform(0.5, 1, (2, 9))
    h0 = rng.normal(size=(2, model.state_size))
    assert max(gradcheck.check(model, x, dt=dt, h0=h0).values()) < 1e-6


def test_the_gradient_of_no_time_where_the_bound_begins_to_hold(backend):
    """At dt = 0 a bound of 1 holds of every longer step, for modes that would grow: it is a right derivative."""
    model = made({"liquid_bound": 1.0, "modes": "lin"}, states=4, H=2, backend=backend)
    x, dt = rng.normal(size=(2, 6, 2)) * 2, np.array([[0.0, 0.5, 0.0, 0.0, 0.3, 0.0], [0.2, 0.0, 0.4, 0.6, 0.0, 0.1]])
    h0 = rng.normal(size=(2, model.state_size))
    p = effective(model)
    rates = p["b_re"] * x[dt == 0][:, None] - p["decay"]
    assert 0.2 < (rates > 0).mean() < 0.8  # both kinds
    assert gradcheck.check(model, x, dt=dt, h0=h0)["dt"] < 1e-6


def test_the_largest_multiplier_is_that_of_the_loops():
    layers = Dense(2), Residual(LayerNorm(), LiquidS4(4), Dense(2)), LiquidS4(4)
    model = Model(*layers, input_dim=3, seed=0, dtype="float64")
    x = rng.normal(size=(2, 8, 3))
    found = largest_multiplier(model, x, dt=3.0)
    assert len(found) == 2
    layer = model.layers[2]
    u = Model(*model.layers[:2], seed=0, dtype="float64")
    u.theta = model.theta[: u.theta.size]
    inner = u(x, dt=3.0).astype(float)
    last = Model(layer, seed=0)
    last.theta = model.theta[u.theta.size :]
    p = {name: value.astype(float) for name, value in effective(last).items()}
    rate = -p["decay"] + p["b_re"] * inner[:, :, None]
    assert found[1] == pytest.approx(np.exp((3.0 * np.exp(p["log_step"]) * rate).max()), rel=1e-5)


def test_padding_is_no_step_of_the_largest_multiplier():
    """Modes that only shrink: a step of no time, as padding is, would say 1."""
    model = Model(LiquidS4(4, input_dim=2, liquid_scale=1e-3, step_min=0.5, step_max=0.5), seed=0, dtype="float64")
    x, lengths = rng.normal(size=(3, 8, 2)), [8, 3, 0]
    (found,) = largest_multiplier(model, x, lengths=lengths)
    alone = [largest_multiplier(model, x[b, :n])[0] for b, n in enumerate(lengths) if n]
    assert found == max(alone) < 0.9


@pytest.mark.single
@pytest.mark.parametrize("liquid", ["kb", "pb"])
def test_an_overflow_of_products_is_said(liquid, backend):
    """Of four inputs, each of which float32 holds; in the state, and in the output alone."""
    layer = LiquidS4(4, input_dim=2, liquid=liquid, liquid_degree=4, step_max=1.0)
    model = Model(layer, seed=0, backend=backend)
    with pytest.raises(FloatingPointError, match="inputs of a smaller scale"):
        model(np.full((1, 9, 2), 1e11))
    assert np.isfinite(model(np.full((1, 9, 2), 1e6))).all()


def test_the_largest_multiplier_sees_the_statistics_of_layers_before():
    model = Model(BatchNorm(), LiquidS4(4), input_dim=2, seed=0, dtype="float64")
    x = rng.normal(size=(2, 8, 2))
    (before,) = largest_multiplier(model, x, dt=3.0)
    model.buffers["0.variance"] = 1e-4  # inputs become a hundred times as large
    assert largest_multiplier(model, x, dt=3.0)[0] > 2 * before


@pytest.mark.single
@pytest.mark.parametrize("bound", [None, 3.0, 1.5])
def test_an_overflow_is_said(bound):
    """Any bound above 1 lets states grow without an end."""
    model = made({"liquid": "exact", "modes": "lin", "liquid_bound": bound}, dtype="float32")
    with pytest.raises(FloatingPointError, match="finite"):
        model(np.full((400, 3), 100.0), dt=10.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"liquid": "cubic"}, "`liquid` must be one of 'exact', 'discrete', 'kb', 'pb', got 'cubic'"),
        ({"liquid_degree": 5}, "`liquid_degree` must be an int in 2..4, got 5"),
        ({"liquid_bound": 0.9}, "`liquid_bound` must be a finite number >= 1, got 0.9"),
        ({"liquid_bound": 2.0, "liquid": "kb"}, '`liquid_bound` must be None with liquid="kb"'),
        ({"method": "parallel", "liquid": "discrete"}, '`method` must be "scan" unless liquid="exact"'),
        ({"discretization": "bilinear"}, '`discretization` must be "zoh" with liquid="exact"'),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError) as found:
        LiquidS4(4, input_dim=2, **options)
    assert message in str(found.value)


def test_largest_multiplier_refuses():
    with pytest.raises(ValueError, match="`model` must have a layer LiquidS4"):
        largest_multiplier(Model(S4D(4), input_dim=2, seed=0), np.zeros((3, 2)))
    with pytest.raises(TypeError, match="`model` must be a Model, got S4D"):
        largest_multiplier(S4D(4, input_dim=2), np.zeros((3, 2)))


@pytest.mark.single
@pytest.mark.compiled
@pytest.mark.parametrize("form", [FORMS[0], FORMS[2], FORMS[5]], ids=["exact", "discrete", "kb"])
def test_float32_over_20_000_steps(form):
    T = 20_000
    layer = LiquidS4(16, input_dim=16, modes="lin", step_min=1e-4, step_max=1e-2, liquid_scale=1.0, **form)
    single, double = (Model(layer, seed=1, dtype=dtype, backend="cpu") for dtype in ("float32", "float64"))
    double.theta = single.theta
    x = (0.3 * rng.normal(size=(1, T, 16))).astype(np.float32)
    y = double(x)
    assert np.abs(single(x) - y).max() <= 1e-4 * np.abs(y).max()
    (a, g), (b, h) = (m.loss_and_grad(x, 0 * x) for m in (single, double))
    assert a == pytest.approx(b, rel=1e-4)
    for name, want in double.views(h).items():
        assert np.abs(single.views(g)[name] - want).max() <= 1e-4 * np.abs(want).max(), name
