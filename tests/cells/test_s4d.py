"""Diagonal state spaces: against loops, SciPy, published figures, FFT; time, precision, what they refuse."""

import numpy as np
import pytest
from support import TESTS
from support.state_space import run

from ltc_np import S4D, Adam, Dense, LiquidS4, Model, gradcheck
from ltc_np.base import blas
from ltc_np.base.workspace import Fresh
from ltc_np.cells import modes
from ltc_np.cells.modes import MODES
from ltc_np.kernels.codes import GRADIENT_ROWS
from ltc_np.kernels.numpy.ssm import CHUNK, StateSpace, factors

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_numbers():
    """The numbers of a test do not depend on which ones have run before."""
    global rng
    rng = np.random.default_rng(0)


def made(layer, backend="numpy", dtype="float64", seed=1):
    return Model(layer, seed=seed, dtype=dtype, backend=backend)


def effective(model):
    return model.layout.arrays(model.layout.effective(model.theta))


# ------------------------------------------------------------------------------------------------ initial values


def test_frequencies_of_legs_and_inv():
    """Published figures (docs/maths/s4d.md)."""
    for N, want in ((4, [0.556501, 4.603293]), (8, [0.427489, 1.957794, 5.354209, 19.85741])):
        np.testing.assert_allclose(np.sort(MODES["legs"](N)[0]), want, atol=1e-5)
    assert MODES["legs"](64)[0].max() == pytest.approx(1303.273843, abs=1e-5)
    assert MODES["inv"](64)[0].max() == pytest.approx(1283.42546, abs=1e-5)
    np.testing.assert_allclose(MODES["lin"](6)[0], [0, np.pi, 2 * np.pi])


def test_legs_is_the_normal_part_of_hippo(monkeypatch):
    """From the eigenvectors back to the matrix, and to B."""
    N = 6
    n = np.arange(N)
    frequency, b = MODES["legs"](N)
    root = np.sqrt(2 * n + 1)
    A = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    P = np.sqrt(n + 0.5)
    values = np.linalg.eigvals(A + np.outer(P, P))
    want = np.sort(values.imag[values.imag > 0])
    np.testing.assert_allclose(np.sort(frequency), want, rtol=1e-12)
    np.testing.assert_allclose(values.real, -0.5, atol=1e-12)
    # With the phases that are promised, eigenvectors (of positive last components) and b make B again.
    values, vectors = np.linalg.eig(A + np.outer(P, P))
    kept = [np.argmin(np.abs(values.imag - f)) for f in frequency]
    vectors = vectors[:, kept] / (vectors[-1, kept] / np.abs(vectors[-1, kept]))
    assert np.abs(b.imag).max() == 2  # some are limited
    monkeypatch.setattr(modes, "LARGEST_IMAGINARY", np.inf)
    np.testing.assert_allclose(2 * (vectors @ MODES["legs"](N)[1]).real, root, rtol=1e-12)


def test_initial_values():
    model = made(S4D(8, input_dim=400, step_min=0.01, step_max=0.3), dtype="float64")
    p = effective(model)
    np.testing.assert_allclose(p["decay"], 0.5, rtol=1e-12)
    np.testing.assert_allclose(p["frequency"], np.repeat(MODES["legs"](8)[0][:, None], 400, 1))
    step = np.exp(p["log_step"])
    assert 0.01 <= step.min() < 0.012
    assert 0.25 < step.max() <= 0.3
    for name in ("c_re", "c_im"):  # 1,600 numbers of variance 1/2
        assert p[name].var() == pytest.approx(0.5, rel=0.15)
    assert p["d"].var() == pytest.approx(1, rel=0.25)


def test_the_state_space_learns_slower_and_does_not_shrink():
    layout = S4D(4, input_dim=3, lr_scale=0.25).layout
    scales = layout.views(layout.lr_scale)
    assert {name for name in scales if (scales[name] == 0.25).all()} == {
        "decay", "frequency", "b_re", "b_im", "log_step",
    }  # fmt: skip
    assert all((scales[name] == 1).all() for name in ("c_re", "c_im", "d"))
    assert not layout.decay.any()


# ------------------------------------------------------------------------------------------------------- one step


@pytest.mark.parametrize("kind", ["zoh", "bilinear"])
def test_discrete_forms_are_those_of_scipy(kind):
    file = np.load(TESTS / "golden" / "cont2discrete.npz")
    rule = S4D(4, input_dim=1, discretization=kind).rule

    class Space:
        b = file["b"]

    space = Space()
    space.rule = rule
    E, _, F = factors(space, file["delta"], file["a"])
    np.testing.assert_allclose(1 + E, file[f"{kind}_a"], rtol=1e-12)
    np.testing.assert_allclose(F, file[f"{kind}_b"], rtol=1e-11)


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        ("zoh", [0.37194088, 0.3084991, 0.23891433, 0.16957323, 0.1062725, 0.05371949]),
        ("bilinear", [0.3711586, 0.3087865, 0.2402013, 0.1716038, 0.10865988, 0.05601502]),
    ],
)
def test_the_published_kernel(kind, want, backend):
    """A = -1/2 + i pi (0, 1), C = 1 + i/2, B = 1, a step of 0.1: the answer to one input of 1."""
    init = {"c_re": 1.0, "c_im": 0.5, "d": 0.0, "log_step": np.log(0.1)}
    model = made(S4D(4, input_dim=1, modes="lin", discretization=kind, init=init), backend)
    x = np.zeros((6, 1))
    x[0] = 1
    np.testing.assert_allclose(model(x)[:, 0], want, atol=5e-9)


@pytest.mark.parametrize("kind", ["zoh", "bilinear"])
def test_equal_to_loops(kind, backend):
    """Of sequences whose steps have all lengths, 0 included."""
    model = made(S4D(6, input_dim=3, discretization=kind, modes="inv", step_min=0.05, step_max=0.5), backend)
    x, dt = rng.normal(size=(2, 90, 3)), rng.exponential(size=(2, 90))
    dt[:, ::7] = 0
    dt[1, 20:60] = 0.3
    y = model(x, dt=dt)
    for b in range(2):
        np.testing.assert_allclose(y[b], run(effective(model), x[b], dt[b], kind), rtol=0, atol=1e-12)


def test_a_step_is_the_two_steps_that_it_consists_of(backend):
    """While the input is held; that of the trapezoidal rule is not."""
    x, dt = rng.normal(size=(20, 3)), rng.exponential(size=20)
    halves = np.repeat(x, 2, axis=0), np.stack([0.3 * dt, 0.7 * dt], axis=1).ravel()
    for kind in ("zoh", "bilinear"):
        model = made(S4D(8, input_dim=3, discretization=kind, step_min=0.1), backend)
        apart = np.abs(model(halves[0], dt=halves[1])[1::2] - model(x, dt=dt)).max()
        assert (apart < 1e-12) == (kind == "zoh")


def test_dt_multiplies_the_pace(backend):
    """A channel that is twice as fast, in half the time."""
    slow = made(S4D(6, input_dim=3), backend)
    fast = made(S4D(6, input_dim=3), backend)
    fast.params["log_step"] = slow.params["log_step"] + np.log(2)
    x = rng.normal(size=(30, 3))
    np.testing.assert_allclose(fast(x, dt=0.35), slow(x, dt=0.7), rtol=0, atol=1e-13)


# ------------------------------------------------------------------------------------------------------------ FFT


@pytest.mark.parametrize("kind", ["zoh", "bilinear"])
@pytest.mark.parametrize("lengths", [None, [300, 0, 1, 177]])
def test_the_scan_is_the_convolution(kind, lengths, backend):
    """Outputs, last states and every gradient, from a first state too; 1e-10 is the promise."""
    options = {"input_dim": 3, "discretization": kind, "step_min": 0.02, "step_max": 0.4}
    scan, fft = (made(S4D(8, **options, method=c), backend) for c in ("scan", "fft"))
    x, h0 = rng.normal(size=(4, 300, 3)), rng.normal(size=(4, scan.state_size))
    d_y, d_state = rng.normal(size=x.shape), rng.normal(size=h0.shape)
    results = []
    for model in (scan, fft):
        given = {"dt": 0.7, "lengths": lengths, "h0": h0}
        y, tape = model.forward(x, **given)
        g = model.backward(tape, d_y, d_state)
        results.append([y, model(x, **given, return_state=True)[1], g.theta, g.x, g.h0, g.dt])
    for a, b in zip(*results, strict=True):
        assert np.abs(a - b).max() <= 1e-10 * np.abs(a).max()


def test_products_of_the_convolution_run_on_one_thread(backend, monkeypatch):
    """Of BLAS, in the forward and in the backward pass, whatever the caller has set."""
    if blas._openblas is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    (get, set_, _), seen, rfft = blas._openblas, [], np.fft.rfft

    def looking(*args):
        seen.append(get())
        return rfft(*args)

    monkeypatch.setattr(np.fft, "rfft", looking)
    before = get()
    try:
        set_(2)
        made(S4D(4, input_dim=1, method="fft"), backend).loss_and_grad(np.ones((1, 5, 1)), np.ones((1, 5, 1)))
        assert get() == 2
    finally:
        set_(before)
    assert len(seen) > 2
    assert set(seen) == {1}


@pytest.mark.single
def test_training_by_fft(backend):
    """Gradients of a training step go through spectra; those of `backward`, with dt, step by step."""
    scan, fft = (made(S4D(6, input_dim=2, method=c), backend) for c in ("scan", "fft"))
    x, y = rng.normal(size=(2, 5, 40, 2))
    lengths = [40, 3, 17, 40, 1]
    (a, g), (b, h) = (m.loss_and_grad(x, y, dt=0.3, lengths=lengths) for m in (scan, fft))
    assert a == pytest.approx(b, rel=1e-12)
    assert np.abs(g - h).max() <= 1e-11 * np.abs(g).max()
    irregular = rng.exponential(size=(5, 40))
    np.testing.assert_array_equal(scan(x, dt=irregular), fft(x, dt=irregular))
    scan, fft = (made(S4D(6, input_dim=2, method=c), backend, "float32") for c in ("scan", "fft"))
    (a, g), (b, h) = (m.loss_and_grad(x, y, dt=0.3, lengths=lengths) for m in (scan, fft))
    assert a == pytest.approx(b, rel=1e-5)
    assert np.abs(g - h).max() <= 1e-4 * np.abs(g).max()


# --------------------------------------------------------------------------------------------------------- pieces


@pytest.mark.slow
@pytest.mark.parametrize("cell", [S4D, LiquidS4])
@pytest.mark.parametrize("T", [512, 1103])  # 4 pieces of 275 steps, and 3 steps
def test_pieces_are_the_scan(cell, T, backend):
    """Outputs, last states and every gradient, from a first state; with steps that are left over, and with dt."""
    scan, pieces = (made(cell(6, input_dim=3, step_max=0.05, method=m), backend) for m in ("scan", "parallel"))
    x, h0 = rng.normal(size=(2, T, 3)), rng.normal(size=(2, scan.state_size))
    d_y, d_state = rng.normal(size=x.shape), rng.normal(size=h0.shape)
    results = []
    for model in (scan, pieces):
        y, tape = model.forward(x, dt=0.7, h0=h0)
        g = model.backward(tape, d_y, d_state)
        trained = model.loss_and_grad(x, d_y, dt=0.7)[1]
        results.append([y, model(x, dt=0.7, h0=h0, return_state=True)[1], g.theta, g.x, g.h0, g.dt, trained])
    for a, b in zip(*results, strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max()
    assert not np.array_equal(results[0][0], results[1][0])  # that it was another way


@pytest.mark.parametrize(
    ("method", "kind", "lengths"),
    [
        ("parallel", "zoh", [600, 600]),
        ("fft", "zoh", [600, 600]),
        ("fft", "zoh", [1, 417]),
        ("fft", "bilinear", [600, 0]),
    ],
)
def test_whole_sequences_pass_their_adjoints_on(method, kind, lengths, backend):
    """Of the layer itself: gradients from a first state and of a last one, without dt, where only `whole` is used."""
    layer = S4D(4, input_dim=2, method=method, discretization=kind)
    model = made(layer, backend)
    prepared = layer.prepare(effective(model), {}, backend)
    lengths = np.array(lengths)
    valid = np.arange(600) < lengths[:, None]
    x, dt = rng.normal(size=(2, 600, 2)) * valid[:, :, None], 0.5 * valid
    h0, d_y, d_h = rng.normal(size=(2, 8)), rng.normal(size=(2, 600, 2)) * valid[:, :, None], rng.normal(size=(2, 8))
    _, _, saved = layer.forward(prepared, x, dt, lengths, h0, "full", Fresh())
    found = []
    for want_dt in (False, True):  # with dt it goes step by step
        g = layer.layout.arrays(np.zeros(layer.layout.size))
        d_x, d_h0, _ = layer.backward(prepared, saved, d_y, d_h, g, True, want_dt, Fresh())
        found.append([d_x.copy(), d_h0.copy(), *g.values()])
    for a, b in zip(*found, strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.parametrize("dt", [(0.5, 0.2), (0.2, 0.5)])
def test_steps_of_two_lengths_are_no_convolution(dt):
    """Neither those that become shorter nor those that become longer."""
    scan, fft = (made(S4D(4, input_dim=2, method=m), "numpy") for m in ("scan", "fft"))
    x, times = rng.normal(size=(2, 20, 2)), np.repeat(dt, 10)
    assert np.array_equal(scan(x, dt=times), fft(x, dt=times))


@pytest.mark.slow
def test_where_pieces_do_not_fit_it_is_the_scan(backend):
    scan, pieces, fft = (made(S4D(4, input_dim=2, method=m), backend) for m in ("scan", "parallel", "fft"))
    x = rng.normal(size=(2, 600, 2))
    own = np.repeat([[0.5], [0.7]], 600, axis=1)  # regular, but not alike
    for given in ({"dt": rng.exponential(size=(2, 600))}, {"dt": own}, {"dt": 0.5, "lengths": [600, 599]}):
        assert np.array_equal(scan(x, **given), pieces(x, **given))
    assert np.array_equal(scan(x, dt=own), fft(x, dt=own))
    assert np.array_equal(scan(x[:, :511], dt=0.5), pieces(x[:, :511], dt=0.5))


# ------------------------------------------------------------------------------------------------ tiles of kernels


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("cell", "options"), [(S4D, {}), (LiquidS4, {}), (LiquidS4, {"liquid": "kb", "liquid_degree": 3})]
)
def test_many_channels_and_sequences_are_those_of_numpy(cell, options):
    """Vectors of channels and a part of one, more sequences than rows of gradients, more than a chunk of steps."""
    B, T, H = GRADIENT_ROWS + 2, CHUNK + 6, 19
    x = rng.normal(size=(B, T, H))
    dt, lengths = rng.exponential(size=(B, T)), rng.integers(0, T + 1, B)
    dt[: B // 2, : T // 2] = 0.7
    results = []
    for backend in ("numpy", "cpu"):
        model = made(cell(4, input_dim=H, step_max=0.5, **options), backend)
        h0 = np.random.default_rng(1).normal(size=(B, model.state_size))
        y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
        g = model.backward(tape, np.cos(x), h0)
        results.append([y, g.x, g.h0, g.dt, *model.views(g.theta).values()])
    for a, b in zip(*results, strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max()


def test_whole_chunks_of_steps(backend):
    """A sequence that ends where a chunk of steps ends has no further one."""
    model = made(S4D(4, input_dim=2), backend)
    assert gradcheck.direction(model, rng.normal(size=(2, 2 * CHUNK, 2)), dt=0.3) < 1e-6


# ----------------------------------------------------------------------------------------------------- precision


@pytest.mark.single
@pytest.mark.compiled
@pytest.mark.parametrize("irregular", [False, True])
def test_float32_over_20_000_steps(irregular):
    """Slow modes: their factors are nearer to 1 than float32 tells apart."""
    T = 20_000
    layer = S4D(16, input_dim=16, modes="lin", step_min=1e-4, step_max=1e-2)
    single, double = made(layer, "cpu", "float32"), made(layer, "cpu")
    double.theta = single.theta
    x = rng.normal(size=(1, T, 16)).astype(np.float32)
    dt = rng.uniform(0.5, 1.5, (1, T)).astype(np.float32) if irregular else 1.0
    y = double(x, dt=dt)
    assert np.abs(single(x, dt=dt) - y).max() <= 1e-4 * np.abs(y).max()
    (a, g), (b, h) = (m.loss_and_grad(x, 0 * x, dt=dt) for m in (single, double))
    assert a == pytest.approx(b, rel=1e-4)
    for name, want in double.views(h).items():
        assert np.abs(single.views(g)[name] - want).max() <= 1e-4 * np.abs(want).max(), name


def test_the_growth_of_short_and_long_steps_keeps_its_digits():
    """E = exp(z) - 1 and E / z, against more digits: within 16 roundings of what they are, for small and large z."""
    from ltc_np.kernels.numpy import ssm

    angle = np.exp(1j * np.linspace(0, 2 * np.pi, 50))
    for radius in (1e-9, 1e-3, 0.3, 2.0):
        z = radius * angle
        wide = z.astype(np.clongdouble)
        phi = sum(wide**k / np.longdouble(_factorial(k + 1)) for k in range(40))
        for found, exact in zip(ssm._growth(z), (wide * phi, phi), strict=True):
            assert np.abs(found / exact - 1).max() < 16 * np.finfo(float).eps, radius


def test_the_derivative_of_phi_where_the_series_ends():
    """On both sides of the radius, against more digits."""
    from ltc_np.kernels.numpy import ssm

    angle = np.exp(1j * np.linspace(0, 2 * np.pi, 50))
    for radius in (0, 1e-9, 1e-3, 0.29, 0.31, 2.0):
        z = radius * angle
        E, phi = ssm._growth(z)
        wide = z.astype(np.clongdouble)
        exact = sum(wide**k / (np.longdouble(_factorial(k)) * (k + 2)) for k in range(40))
        assert np.abs(ssm._slope(z, E, phi, 1) - exact).max() < 1e-14


@pytest.mark.compiled
@pytest.mark.parametrize("length", [0.28, 0.32])
def test_gradients_near_the_radius_of_the_series_are_those_of_numpy(length):
    """|z| = 0.28 and 0.32: the compiled series' later terms count there, from 1e-10 of it on."""
    init = {"decay": np.log(np.expm1(0.6)), "frequency": [[0.8], [-0.8]], "log_step": 0.0}
    models = [made(S4D(4, input_dim=1, init=init), backend) for backend in ("numpy", "cpu")]
    x, y = rng.normal(size=(2, 3, 20, 1))
    want, found = (model.views(model.loss_and_grad(x, y, dt=length)[1]) for model in models)
    for name in want:
        assert np.abs(found[name] - want[name]).max() <= 2e-14 * np.abs(want[name]).max(), name


def _factorial(k):
    return float(np.prod(np.arange(1, k + 1, dtype=float)))


# -------------------------------------------------------------------------------------------------- use, refusals


@pytest.mark.slow
def test_learns_to_repeat_from_a_distance(backend):
    """The input of 10 steps ago; a linear memory of 16 modes can."""
    x = np.random.default_rng(0).normal(size=(32, 80, 1))
    y = np.roll(x, 10, axis=1)
    weight = np.broadcast_to(1.0 * (np.arange(80) >= 10), (32, 80))
    model = Model(Dense(4), S4D(32, step_min=0.02, method="fft"), Dense(1), input_dim=1, seed=0, backend=backend)
    model.fit(x, y, sample_weight=weight, epochs=60, batch_size=8, optimizer=Adam(1e-2), seed=0, verbose=False)
    assert model.evaluate(x, y, sample_weight=weight)["loss"] < 0.2  # of a variance of 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": 5}, "`states` must be even, since modes come in conjugate pairs, got 5"),
        ({"states": 0}, "`states` must be an int >= 2, got 0"),
        ({"modes": "hippo"}, "`modes` must be one of 'legs', 'lin', 'inv', got 'hippo'"),
        ({"discretization": "euler"}, "`discretization` must be one of 'zoh', 'bilinear', got 'euler'"),
        ({"method": "fast"}, "`method` must be one of 'scan', 'parallel', 'fft', got 'fast'"),
        (
            {"method": "parallel", "discretization": "bilinear"},
            '`discretization` must be "zoh" with method="parallel", whose pieces',
        ),
        ({"step_min": 0.2}, "`step_min` must be at most `step_max` = 0.1, got 0.2"),
        ({"step_min": 0.0}, "`step_min` must be a finite number > 0, got 0.0"),
        ({"lr_scale": -1}, "`lr_scale` must be a finite number >= 0, got -1"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError) as found:
        S4D(**{"states": 4, **options}, input_dim=2)
    assert message in str(found.value)


def test_parameters_are_packed_as_they_are():
    """`StateSpace` of NumPy, which the oracles of other tests begin with."""
    model = made(S4D(4, input_dim=3))
    p = effective(model)
    space = StateSpace(p, S4D(4, input_dim=3).rule)
    np.testing.assert_array_equal(space.a, -p["decay"] + 1j * p["frequency"])
    np.testing.assert_array_equal(space.step, np.exp(p["log_step"]))
