"""LinOSS: golden numbers, loops with matrices, the matrix exponential, every gradient and border, stability."""

import numpy as np
import pytest
from support.backends import NO_KERNELS
from support.gradients import worst

from ltc_np import Dense, LinOSS, Model, from_config, set_num_threads
from ltc_np.cells.oscillators import MOST, most_stiffness
from ltc_np.kernels.codes import GRADIENT_ROWS

RULES = ("im", "imex", "damped", "exact")
# Of one oscillator with B = 1 + i/2, C = 0.8 - i/5, D = 0, A = 1/2, G = 0.3, d = h = 0.4, from rest; computed in other
# code, for x = 1, -1/2, 1/4, 0.
GOLDEN = {
    "im": "0.13333333 0.18024691 0.24366712 0.28434012",
    "imex": "0.14400000 0.20448000 0.28460160 0.34195507",
    "damped": "0.12857143 0.16989796 0.22680394 0.26141256",
    "exact": "0.06874795 0.15624524 0.20631214 0.25177914",
}
each = pytest.mark.parametrize("rule", RULES)
needs_kernels = pytest.mark.skipif(NO_KERNELS is not None, reason=f"compares the kernels of the CPU: {NO_KERNELS}")
# Steps of three blocks, and sequences of which several short ones are in a block, more than rows of gradients.
LONG, MANY = 261, 70
# Integrators, slow ones, critical ones and some on either side, overdamped ones, fast ones.
STIFFNESS = np.array([0, 0, 1e-9, 1e-5, 0.01, 0.0225, 0.0225000001, 0.0224999999, 0.0225001, 1, 30, 1e-3, 4])
DAMPING = np.array([0, 0.3, 0.3, 0, 0.2, 0.3, 0.3, 0.3, 0.3, 0.1, 1e-9, 50, 4])


def time(rule, dt):
    return {"dt": dt} if rule == "exact" else {}


def made(rule, N=3, P=5, I=2, backend="numpy", dtype="float64", seed=1):
    """A model with B, C and D of about 1."""
    model = Model(LinOSS(N, P, discretization=rule), input_dim=I, seed=seed, dtype=dtype, backend=backend)
    rng = np.random.default_rng(seed)
    for name in ("b_re", "b_im", "c_re", "c_im"):
        model.params[name] = rng.normal(size=model.params[name].shape)
    return model


def of_borders(backend, dtype="float64"):
    model = made("exact", P=len(STIFFNESS), backend=backend, dtype=dtype)
    model.params["stiffness"], model.params["damping"], model.params["log_step"] = STIFFNESS, DAMPING, 0.0
    return model


# ------------------------------------------------------------------------------------- what it computes


@each
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_golden_numbers(rule, dtype, backend):
    model = Model(LinOSS(1, 1, discretization=rule), input_dim=1, seed=0, dtype=dtype, backend=backend)
    values = {"stiffness": 0.5, "log_step": np.log(0.4), "b_re": 1, "b_im": 0.5, "c_re": 0.8, "c_im": -0.2, "d": 0}
    for name, value in (values | ({"damping": 0.3} if rule in ("damped", "exact") else {})).items():
        model.params[name] = value
    y = model(np.array([[1], [-0.5], [0.25], [0]]), **time(rule, 1.0))
    want = np.array(GOLDEN[rule].split(), float)
    # To all digits, half a unit of the last one; in float32 to its rounding.
    np.testing.assert_allclose(y[:, 0], want, rtol=0, atol=5.1e-9 if dtype == "float64" else 3e-7)


def exponential(K):
    """exp(K), by the power series of a part of it."""
    E = term = np.eye(len(K))
    halvings = max(0, int(np.ceil(np.log2(np.abs(K).max() + 1e-9))) + 3)
    small = K / 2**halvings
    for n in range(1, 20):
        term = term @ small / n
        E = E + term
    for _ in range(halvings):
        E = E @ E
    return E


def by_matrices(model, rule, x, dt, w):
    """y (T, N) of one sequence x (T, I), and the last state, by a matrix for each oscillator; w (4 * P,) before."""
    p = {name: np.asarray(value, float) for name, value in model.effective.items()}
    A, d = p["stiffness"], np.exp(p["log_step"])
    G, P = p.get("damping", 0 * A), len(A)
    B, C = p["b_re"] + 1j * p["b_im"], p["c_re"] + 1j * p["c_im"]
    z, at, out = w[:P] + 1j * w[P : 2 * P], w[2 * P : 3 * P] + 1j * w[3 * P :], []
    for u, elapsed in zip(x, dt, strict=True):
        force = u @ B
        for k in range(P):
            s, step = 1 + d[k] * G[k], d[k]
            if rule == "im":
                S = 1 / (1 + step**2 * A[k])
                M, F = S * np.array([[1, -step * A[k]], [step, 1]]), S * np.array([step, step**2])
            elif rule == "exact":
                E = exponential(step * elapsed * np.array([[-G[k], -A[k], 1], [1, 0, 0], [0, 0, 0]]))
                M, F = E[:2, :2], E[:2, 2]
            else:
                M = np.array([[1 / s, -step * A[k] / s], [step / s, 1 - step**2 * A[k] / s]])
                F = np.array([step, step**2]) / s
            z[k], at[k] = M @ [z[k], at[k]] + F * force[k]
        out.append((at @ C).real + (p["d"] * u if "d" in p else 0))
    return np.array(out), np.concatenate([z.real, z.imag, at.real, at.imag])


@each
@pytest.mark.parametrize("N", [2, 3])
def test_equal_to_matrices_whatever_the_lengths(rule, N, backend):
    model, rng = made(rule, N=N, backend=backend), np.random.default_rng(0)
    x, dt, h0 = rng.normal(size=(4, 6, 2)), rng.choice([0.0, 0.3, 1.7], (4, 6)), rng.normal(size=(4, 20))
    lengths = np.array([6, 0, 3, 5])
    y, state = model(x, h0=h0, lengths=lengths, return_state=True, **time(rule, dt))
    assert ("d" in model.params) == (N == 2)
    for b, length in enumerate(lengths):
        want, last = by_matrices(model, rule, x[b, :length], dt[b, :length], h0[b])
        np.testing.assert_allclose(y[b, :length], want.reshape(length, N), rtol=0, atol=1e-12)
        np.testing.assert_allclose(state[b], last, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1e-6, 0.02, 0.7, 3.0, 40.0])
def test_exact_at_every_border(length, backend):
    """Of a kind of roots, and between the power series and the functions; each number by its own size."""
    model, rng = of_borders(backend), np.random.default_rng(0)
    P = len(STIFFNESS)
    x, h0 = rng.normal(size=(1, 2, 2)), np.zeros((1, 4 * P))
    _, state = model(x, dt=length, h0=h0, return_state=True)
    _, want = by_matrices(model, "exact", x[0], [length] * 2, h0[0])
    np.testing.assert_allclose(state[0], want, rtol=1e-10, atol=1e-15)


@pytest.mark.single
@pytest.mark.parametrize("length", [1e-6, 0.02, 0.7, 3.0])
def test_single_precision_at_every_border(length, backend):
    found, exact = (of_borders(own, dtype) for own, dtype in ((backend, "float32"), ("numpy", "float64")))
    x, dt = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("f"), np.float32(length)
    # Near critical roots A is not the same number in float32, in which the state is 1e-6 away.
    for one in (found, exact):
        one.params["stiffness"] = STIFFNESS.astype("f")
        one.params["damping"] = DAMPING.astype("f")
    results = []
    for model in (found, exact):
        y, tape = model.forward(x, dt=dt)
        g = model.backward(tape, np.ones(y.shape))
        _, state = model(x, dt=dt, return_state=True)
        results.append({"y": y, "state": state, "dt": g.dt, **model.views(g.theta)})
    for name, want in results[1].items():
        np.testing.assert_allclose(results[0][name], want, rtol=0, atol=2e-5 * np.abs(want).max(), err_msg=name)


def test_a_held_input_may_be_cut_anywhere(backend):
    model = of_borders(backend)
    _, once = model(np.ones((1, 1, 2)), dt=2.0, return_state=True)
    _, thrice = model(np.ones((1, 3, 2)), dt=[0.3, 0.0, 1.7], return_state=True)
    np.testing.assert_allclose(thrice, once, rtol=1e-11)


def test_blocks_go_on_where_the_last_one_ended(backend):
    """Longer than a block, and so many short sequences that several are in one."""
    T = LONG
    model, rng = made("damped", P=3, backend=backend), np.random.default_rng(0)
    x = rng.normal(size=(1, T, 2))
    y, state = model(x, return_state=True)
    want, last = by_matrices(model, "damped", x[0], np.ones(T), np.zeros(12))
    np.testing.assert_allclose(y[0], want, rtol=0, atol=1e-11)
    np.testing.assert_allclose(state[0], last, rtol=0, atol=1e-11)
    for steps in (5, 66):
        many, h0 = rng.normal(size=(MANY, steps, 2)), rng.normal(size=(MANY, 12))
        want = [model(x, h0=h) for x, h in zip(many, h0, strict=True)]
        np.testing.assert_allclose(model(many, h0=h0), want, rtol=1e-12, atol=1e-12)


@needs_kernels
def test_sizes_are_those_of_blocks():
    from ltc_np.kernels.cpu.linoss import ROWS, Cut

    assert 2 * ROWS < LONG < 3 * ROWS
    assert Cut.make(1, LONG) == (87, 1, 1)
    assert Cut.make(MANY, 5).several == ROWS // 5 < MANY
    assert Cut.make(MANY, 66).parts == GRADIENT_ROWS < MANY


@needs_kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("I", "N", "P"), [(18, 18, 17), (3, 33, 16), (40, 1, 35)])
def test_any_sizes(I, N, P, dtype):
    """Rows of products that are no whole vectors, against NumPy: outputs, and gradients by their own size."""
    rng, lengths = np.random.default_rng(0), [20, 7, 0]
    x, d_y, found = rng.normal(size=(3, 20, I)), rng.normal(size=(3, 20, N)), []
    for backend in ("numpy", "cpu"):
        model = made("exact", N, P, I, backend, dtype)
        y, tape = model.forward(x, dt=0.5, lengths=lengths)
        g = model.backward(tape, d_y)
        found.append({"y": y, "x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)})
    for name, want in found[0].items():
        digits = 1e-13 if dtype == "float64" else 1e-5  # of sums of some hundred terms
        np.testing.assert_allclose(found[1][name], want, rtol=0, atol=digits * np.abs(want).max(), err_msg=name)


def test_outputs_are_the_caller_s(backend):
    """The tape does not need them, so that they are not copied."""
    model, x = made("imex", backend=backend), np.random.default_rng(0).normal(size=(2, 4, 2))
    y, tape = model.forward(x)
    want = model.backward(tape, np.ones(y.shape)).theta
    y[:] = 7
    assert np.array_equal(model.backward(tape, np.ones(y.shape)).theta, want)


# ------------------------------------------------------------------------------------------- gradients


@each
def test_gradients(rule, backend):
    model, rng = made(rule, N=2, backend=backend), np.random.default_rng(0)
    dt = rng.choice([0.0, 0.3, 0.3, 1.7], (3, 5))
    assert worst(model, rng.normal(size=(3, 5, 2)), lengths=[5, 2, 0], **time(rule, dt)) < 1e-6


@pytest.mark.slow
@each
def test_gradients_over_blocks(rule):
    model, rng = made(rule, backend="cpu"), np.random.default_rng(0)
    assert worst(model, rng.normal(size=(1, 30, 2)), **time(rule, rng.uniform(0.1, 1, (1, 30)))) < 1e-6
    for B, T, lengths in ((3, LONG, [LONG, 87, 88]), (MANY, 5, rng.integers(0, 6, MANY))):
        x, d_y, h0 = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 3)), rng.normal(size=(B, 20))
        found, dt = [], rng.choice([0.2, 0.7], (B, T))
        for backend in ("numpy", "cpu"):
            other = made(rule, backend=backend)
            _, tape = other.forward(x, h0=h0, lengths=lengths, **time(rule, dt))
            g = other.backward(tape, d_y, h0)
            found.append({"x": g.x, "h0": g.h0, **other.views(g.theta)} | ({} if g.dt is None else {"dt": g.dt}))
        for name, want in found[0].items():
            np.testing.assert_allclose(found[1][name], want, rtol=0, atol=1e-10 * np.abs(want).max(), err_msg=name)


def difference(f, at, size):
    """f' by differences of one side: at 0 there is no other."""
    return (-25 * f(at) + 48 * f(at + size) - 36 * f(at + 2 * size) + 16 * f(at + 3 * size) - 3 * f(at + 4 * size)) / (
        12 * size
    )


@pytest.mark.parametrize("length", [0.02, 0.5, 3.0])
@pytest.mark.parametrize("name", ["stiffness", "damping"])
def test_gradients_at_every_border(name, length, backend):
    """Also at A = 0 and G = 0, whose other side does not exist; each by its own size."""
    model, rng = of_borders(backend), np.random.default_rng(0)
    x, dt, c = rng.normal(size=(2, 3, 2)), length * rng.uniform(0.5, 1.5, (2, 3)), rng.normal(size=(2, 52))

    def of(values):
        model.params[name] = values
        _, state = model(x, dt=dt, return_state=True)
        return (c * state).sum()

    values = np.array(model.params[name])
    y, tape = model.forward(x, dt=dt)
    found = model.views(model.backward(tape, 0 * y, c).theta)[name].copy()
    # So large a change moves a root by 1/1000 of 1 / length; the error of the rule is its 4th power.
    size = 1e-3 / length ** (2 if name == "stiffness" else 1)
    for k in range(len(values)):
        want = difference(lambda one, k=k: of(np.where(np.arange(len(values)) == k, one, values)), values[k], size)
        assert abs(found[k] - want) <= 1e-6 * abs(want), k
    model.params[name] = values


def test_an_integrator_by_hand(backend):
    """From rest a force f makes x = f h^2 / 2, and a stiffness takes f h^4 / 24 of it away, a damping f h^3 / 6."""
    model, h = made("exact", N=1, P=1, I=1, backend=backend), 3.0
    for name, value in {"stiffness": 0, "damping": 0, "log_step": 0, "b_re": 1, "b_im": 0, "c_re": 1, "d": 0}.items():
        model.params[name] = value
    y, tape = model.forward([[2.0]], dt=h)
    g = model.views(model.backward(tape, [[1.0]]).theta)
    found = y.item(), g["stiffness"].item(), g["damping"].item()
    np.testing.assert_allclose(found, [h**2, -(h**4) / 12, -(h**3) / 3], rtol=1e-14)


# ------------------------------------------------------------------------------------------- stability


def magnitudes(rule, A, G, d):
    """Of the eigenvalues of a step, from the steps of a model."""
    model = Model(LinOSS(1, len(A), discretization=rule), input_dim=1, seed=0, dtype="float64", backend="numpy")
    for name, value in {"stiffness": A, "damping": G, "log_step": np.log(d)}.items():
        if name in model.params:
            model.params[name] = value
    P, found = len(A), np.empty((len(A), 2, 2))
    for column, of in enumerate(("velocity", "position")):
        h0 = np.zeros((1, 4 * P))
        h0[0, {"velocity": 0, "position": 2 * P}[of] :][:P] = 1
        _, state = model(np.zeros((1, 1, 1)), h0=h0, return_state=True)
        found[:, 0, column], found[:, 1, column] = state[0, :P], state[0, 2 * P : 3 * P]
    return np.abs(np.linalg.eigvals(found))


@pytest.mark.parametrize("rule", ["im", "imex", "damped"])
def test_no_parameters_are_unstable(rule):
    rng = np.random.default_rng(0)
    A, G, d = 10 ** rng.uniform(-6, 6, 500), 10 ** rng.uniform(-6, 3, 500), 10 ** rng.uniform(-3, 2, 500)
    found = magnitudes(rule, A, G, d)
    assert found.max() <= 1 + 1e-9
    if rule == "im":  # the published magnitude
        np.testing.assert_allclose(found.max(1), 1 / np.sqrt(1 + d * d * A), rtol=1e-6)
    else:  # just beyond the bound a root is: the region is no smaller than it must be
        limit = most_stiffness(0 * G if rule == "imex" else G, d) / MOST
        s = 1 + (d * G if rule == "damped" else 0)
        trace = (1 + s - 1.01 * limit * d * d) / s
        assert (np.abs((trace - np.sqrt(trace**2 - 4 / s)) / 2) > 1).all()


def test_beyond_the_border_the_stiffness_has_no_gradient(backend):
    """But damping and step, which move the border, have theirs: by finite differences as everywhere."""
    model = made("damped", backend=backend)
    model.params["stiffness"] = [0.5, 1e3, 2.0, 1e4, 0.1]
    x = np.random.default_rng(0).normal(size=(2, 4, 2))
    assert worst(model, x) < 1e-6
    y, tape = model.forward(x)
    g = model.views(model.backward(tape, np.ones(y.shape)).theta)
    assert (g["stiffness"] == 0).tolist() == [False, True, False, True, False]
    assert (g["damping"] != 0).all()


# ------------------------------------------------------------------------------------------- and the rest


@pytest.mark.parametrize("rule", ["damped", "exact"])
def test_initial_multipliers_lie_on_the_ring(rule):
    model = Model(LinOSS(1, 4000, discretization=rule), input_dim=1, seed=0, dtype="float64", backend="numpy")
    A, G, d = model.params["stiffness"], model.params["damping"], np.exp(model.params["log_step"])
    if rule == "damped":
        square = 1 / (1 + d * G)
        angle = np.arccos((2 + d * G - d * d * A) * np.sqrt(square) / 2)
    else:
        square = np.exp(-d * G)
        angle = d * np.sqrt(A - G * G / 4)
    assert 0.81 <= square.min() < 0.8102 and 0.9998 < square.max() <= 1
    np.testing.assert_allclose(np.quantile(square, [0.25, 0.5, 0.75]), [0.8575, 0.905, 0.9525], atol=0.01)
    np.testing.assert_allclose(np.quantile(angle, [0.1, 0.5, 0.9]) / np.pi, [0.1, 0.5, 0.9], atol=0.03)
    np.testing.assert_allclose(np.std(np.log(d / (1 - d))), 0.5, atol=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_stiffness_counts(dtype):
    """Of all oscillators, also where the ring would be beyond the border: there gradients have two values."""
    model = Model(LinOSS(1, 4000, discretization="damped"), input_dim=1, seed=0, dtype=dtype, backend="numpy")
    A, G, s = (model.params[name].astype(np.float64) for name in ("stiffness", "damping", "log_step"))
    share = A / most_stiffness(G, np.exp(s))
    assert 0.999 < share.max() < 0.9991  # steps of finite differences are shorter


def test_published_initial_values():
    model = Model(LinOSS(16, 900), input_dim=16, seed=0, dtype="float64", backend="numpy")
    found = {name: (values.min(), values.max()) for name, values in model.params.items()}
    for name, (low, high) in {
        "stiffness": (0, 1), "log_step": (np.log(0.5), -np.log1p(np.exp(-1))), "b_re": (-0.25, 0.25),
        "b_im": (-0.25, 0.25), "c_re": (-1 / 30, 1 / 30), "c_im": (-1 / 30, 1 / 30),
    }.items():  # fmt: skip
        width = high - low
        assert low <= found[name][0] < low + 0.01 * width and high - 0.01 * width < found[name][1] <= high, name
    assert 0.3 < model.params["d"].std() < 2


def test_elapsed_time_is_for_the_exact_form():
    assert LinOSS(2, discretization="exact").takes_dt
    with pytest.raises(ValueError, match="dt"):
        Model(LinOSS(2), input_dim=1, seed=0)(np.zeros((1, 3, 1)), dt=0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"units": 0}, ValueError, "`units` must be"),
        ({"units": 2, "states": 0}, ValueError, "`states` must be"),
        ({"units": 2, "discretization": "zoh"}, ValueError, "`discretization` must be"),
    ],
)
def test_refused_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        LinOSS(**arguments)


def test_a_configuration_names_it():
    model = from_config({"cell": "LinOSS", "units": 4, "input_dim": 2, "output_dim": 1})
    assert any(isinstance(layer, LinOSS) for layer in model.layers)


def test_a_trace_shows_oscillators():
    model = made("exact")
    x = np.random.default_rng(0).normal(size=(1, 4, 2))
    trace, (_, state) = model.trace(x, dt=0.5), model(x, dt=0.5, return_state=True)
    p = model.effective
    np.testing.assert_allclose(trace["force"], x @ (p["b_re"] + 1j * p["b_im"]), rtol=1e-12)
    parts = [part for name in ("velocity", "position") for part in (trace[name][0, -1].real, trace[name][0, -1].imag)]
    last = np.concatenate(parts)
    np.testing.assert_allclose(last, state[0], rtol=1e-12)


def test_threads_have_no_say():
    x = np.random.default_rng(0).normal(size=(5, 300, 8)).astype("f")
    model = Model(Dense(32), LinOSS(32, 64, discretization="exact"), input_dim=8, seed=0)
    found = []
    for n in (1, 3):
        set_num_threads(n)
        try:
            found.append(model.loss_and_grad(x, np.zeros((5, 300, 32), "f"), dt=0.3)[1])
        finally:
            set_num_threads(None)
    assert np.array_equal(*found)
