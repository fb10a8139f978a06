"""CTRNN and NeuralODE: against PyTorch (golden/make_torch_ode.py), exact solutions, finite differences, stability."""

import numpy as np
import pytest
from support import golden
from support.solvers import EXPLICIT, cases

import ltc_np
from ltc_np import (
    CTRNN,
    LTC,
    Adam,
    AutoNCP,
    Bidirectional,
    Dense,
    MixedMemory,
    Model,
    NeuralODE,
    Residual,
    gradcheck,
    load,
    solver_error,
)
from ltc_np.kernels.codes import SOLVERS

CASES = golden.cases("torch_ode")
# Every solver of both cells.
RULES = [(CTRNN, case) for case in cases([name for name in SOLVERS if name != "exponential"])]
RULES += [(NeuralODE, case) for case in cases(EXPLICIT)]
each_rule = pytest.mark.parametrize(
    ("cell", "solver"), [pytest.param(cell, *case.values, marks=case.marks) for cell, case in RULES]
)


def drawn(layer, seed=0, **settings):
    """A model of one layer with drawn parameters, time constants between about 0.7 and 2.1."""
    model, rng = Model(layer, seed=0, **settings), np.random.default_rng(seed)
    N = layer.output_size
    for name, values in model.params.items():
        spread = {"w_h": 0.8 / np.sqrt(N)}.get(name, 0.7)
        model.params[name] = rng.uniform(0, 2, N) if name == "tau" else rng.normal(0, spread, values.shape)
    return model


def data(B=3, T=4, I=2, seed=0):
    """x, dt with zeros among them, and lengths."""
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0.1, 1.5, (B, T)) * (rng.uniform(size=(B, T)) < 0.8)
    lengths = rng.integers(0, T + 1, B)
    lengths[-1] = T
    return rng.normal(size=(B, T, I)), dt, lengths


# -------------------------------------------------------------------------------------------------- numbers


def test_the_published_steps_are_among_the_cases():
    assert len(CASES) == 9
    assert {"ctrnn_published", "neural_ode_published"} <= set(CASES)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_pytorch(case, dtype, backend):
    file, recipe = golden.read("torch_ode", case, "case")
    cell = getattr(ltc_np, recipe.pop("cell"))
    model = Model(
        cell(file["h0"].shape[1], input_dim=file["x"].shape[2], **recipe), seed=0, dtype=dtype, backend=backend
    )
    for name in model.params:
        model.params[name] = file[name]
    given = {"x": file["x"], "dt": file["dt"], "h0": file["h0"]}
    y, state = model(**given, return_state=True)
    outputs, gradients = golden.tolerances(dtype, (1e-13, 1e-12))
    scale = np.abs(file["y"]).max()
    assert np.abs(y - file["y"]).max() <= outputs * scale
    assert np.abs(state - file["hT"]).max() <= outputs * scale
    _, tape = model.forward(**given)
    g = model.backward(tape, file["c"], file["d"])
    for name, value in {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}.items():
        want = file[f"d_{name}"]
        assert np.abs(want).max() > 0
        assert np.abs(value - want).max() <= gradients * np.abs(want).max(), name


def exponential(A):
    """exp(A) by its series, of A / 1024."""
    term = total = np.eye(len(A))
    for k in range(1, 15):
        term = term @ A / (1024 * k)
        total = total + term
    return np.linalg.matrix_power(total, 1024)


@each_rule
def test_order_against_the_exact_solution_of_the_linear_equation(cell, solver, backend):
    """Without an activation v' = A v + c, and v(dt) is an exponential: the error falls by 2**order a doubling."""
    order, errors = SOLVERS[solver].order, []
    x, dt, _ = data(I=3)
    for unfolds in (16, 32):
        layer = cell(5, input_dim=3, solver=solver, ode_unfolds=unfolds, activation=None)
        model = drawn(layer, dtype="float64", backend=backend)
        p, h0 = model.effective, np.random.default_rng(1).normal(size=(3, 5))
        v, want = h0, []
        for t in range(4):
            v_next = []
            for b in range(3):
                A = p["w_h"].T - np.diag(1 / p["tau"] if cell is CTRNN else np.zeros(5))
                c = x[b, t] @ p["w_x"] + p["b"]
                M = np.zeros((6, 6))
                M[:5, :5], M[:5, 5] = dt[b, t] * A, dt[b, t] * c
                v_next.append((exponential(M) @ np.append(v[b], 1))[:5])
            v = np.array(v_next)
            want.append(v)
        want = np.stack(want, 1)
        errors.append(np.abs(model(x, dt=dt, h0=h0) - want).max() / np.abs(want).max())
    # Next to the leading term stands one smaller by h, of up to 0.1 here: a tenth of the exponent.
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.1
    assert errors[1] < (1e-6 if order == 4 else 0.1)


@each_rule
def test_order_with_an_activation(cell, solver):
    """Against the classical rule with 64 times the unfolds, whose own error is some 10**-7 of the ones compared."""
    x, dt, _ = data()
    rule = {} if cell is NeuralODE else {"check_stability": "off"}
    fine = drawn(cell(5, input_dim=2, solver="rk4", ode_unfolds=512, **rule), dtype="float64")
    want = fine(x, dt=dt)
    errors = [
        np.abs(
            drawn(cell(5, input_dim=2, solver=solver, ode_unfolds=n, **rule), dtype="float64")(x, dt=dt) - want
        ).max()
        for n in (8, 16)
    ]
    assert abs(np.log2(errors[0] / errors[1]) - SOLVERS[solver].order) < 0.35


def test_one_unfold_by_hand(backend):
    """One unit, one input, numbers that can be followed on paper: f = relu(2*1 + 0.5*3 - 0.5) = 3."""
    values = {"w_x": 2.0, "w_h": 0.5, "b": -0.5}
    steps = {
        (CTRNN, "euler"): 3 + 0.4 * (3 - 3 / 2),
        (CTRNN, "semi_implicit"): 3 + 0.4 * (3 - 3 / 2) / (1 + 0.4 / 2),
        (NeuralODE, "euler"): 3 + 0.4 * 3,
    }
    for (cell, solver), want in steps.items():
        model = Model(
            cell(1, input_dim=1, solver=solver, ode_unfolds=1, activation="relu"), dtype="float64", backend=backend
        )
        for name, value in values.items():
            model.params[name] = value
        if cell is CTRNN:
            model.params["tau"] = np.log(np.expm1(2.0))
        assert model(np.ones((1, 1, 1)), dt=0.4, h0=[[3.0]])[0, 0, 0] == pytest.approx(want, rel=1e-15)


@pytest.mark.single
@each_rule
@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_no_time_no_change(cell, solver, activation, backend):
    model = drawn(cell(5, input_dim=2, solver=solver, activation=activation), backend=backend)
    h0 = np.random.default_rng(1).normal(0, 1e3, (3, 5)).astype(np.float32)
    x = data()[0]
    y, state = model(x, dt=0.0, h0=h0, return_state=True)
    assert (y == h0[:, None]).all()
    assert (state == h0).all()


def test_units_on_their_own(backend):
    """Without feedback no unit's state reaches another, and there are no recurrent weights."""
    model = drawn(CTRNN(5, input_dim=2, global_feedback=False), dtype="float64", backend=backend)
    assert list(model.params) == ["w_x", "b", "tau"]
    x, dt, _ = data()
    h0 = np.zeros((3, 5))
    moved = h0.copy()
    moved[:, 2] = 1
    differ = (model(x, dt=dt, h0=h0) != model(x, dt=dt, h0=moved)).any((0, 1))
    assert differ.tolist() == [False, False, True, False, False]


@pytest.mark.slow
@each_rule
def test_solver_error_is_the_distance_to_a_fine_solution(cell, solver, backend):
    x, dt, lengths = data(T=6)

    def make(solver, n):
        return drawn(cell(5, input_dim=2, solver=solver, ode_unfolds=n), dtype="float64", backend=backend)

    want, end = make("rk4", 1000)(x, dt=dt, lengths=lengths, return_state=True)
    model = make(solver, 4)
    y, state = model(x, dt=dt, lengths=lengths, return_state=True)
    found = solver_error(model, x, dt=dt, lengths=lengths, tolerance=1e-3, unfolds=(4, 8))
    # The reference's own error is below a hundredth of the tolerance.
    assert found.error == found.errors[4] == pytest.approx(np.abs(y - want).max(), abs=1e-5)
    assert found.state_error == pytest.approx(np.abs(state - end).max(), abs=1e-5)
    n = found.suggested
    assert np.abs(make(solver, n)(x, dt=dt, lengths=lengths) - want).max() <= 1.01e-3
    if n > 1 and found.refused == ():
        assert np.abs(make(solver, n - 1)(x, dt=dt, lengths=lengths) - want).max() > 0.99e-3
    assert (found.solver, found.ode_unfolds, found.reference_solver) == (solver, 4, "rk4")


@pytest.mark.slow
def test_solver_error_of_layers_within_others_and_of_several_kinds():
    x, dt, _ = data()
    layers = (
        Residual(CTRNN(2, input_dim=2, ode_unfolds=3)),
        Bidirectional(NeuralODE(4, input_dim=2)),
        MixedMemory(LTC(AutoNCP(6, 2), input_dim=8)),
    )
    model = Model(*layers, seed=0)
    found = solver_error(model, x, dt=dt, tolerance=0.01, unfolds=(1, 3))
    assert (found.solver, found.ode_unfolds) == ("semi_implicit, rk4", (3, 6, 6))
    assert found.reference_solver == "rk4, exponential"
    assert "(reference: rk4, exponential, " in repr(found)
    assert found.errors[1] > found.errors[3] > 0
    assert found.errors[found.suggested] <= 0.01


def test_suggested_unfolds_of_an_explicit_solver_are_allowed():
    x, _, _ = data()
    model = Model(CTRNN(5, input_dim=2, solver="euler", ode_unfolds=20, tau=0.3), seed=0)
    found = solver_error(model, x, dt=1.0, tolerance=0.5, unfolds=(1, 2))
    assert found.refused == (1,)  # 1 / 0.3 is 3.3
    assert found.suggested == 2


@pytest.mark.single
def test_what_overflows_is_refused(backend):
    model = Model(NeuralODE(4, input_dim=2, activation="relu"), Dense(1), seed=0, backend=backend)
    x, y = np.ones((3, 20, 2)), np.zeros((3, 20, 1))
    assert np.isfinite(model(x, dt=0.5)).all()

    calls = [
        lambda: model.step(x[:, 0], dt=2000.0),
        lambda: model(x, dt=50.0),
        lambda: model.forward(x, dt=50.0),
        lambda: model.predict(x, dt=50.0, batch_size=2),
        lambda: model.loss_and_grad(x, y, dt=50.0),
        lambda: model.evaluate(x, y, dt=50.0),
        lambda: Model(Residual(NeuralODE(2, input_dim=2, activation=None)), seed=0, backend=backend)(x, dt=50.0),
    ]
    with np.errstate(all="ignore"):
        for call in calls:
            with pytest.raises(FloatingPointError, match=r"the state of .*NeuralODE\(.* overflows, for `dt` up to "):
                call()
        words = r"at step 0 .*; no step has been made yet, so the forward pass .*: take shorter elapsed times `dt`"
        with pytest.raises(FloatingPointError, match=words) as error:
            model.fit(x, y, dt=50.0, verbose=False)
    assert "learning rate" not in str(error.value)


@pytest.mark.single
def test_large_but_finite_outputs_are_not_refused(backend):
    model = Model(NeuralODE(2, input_dim=1, activation=None, solver="euler", ode_unfolds=1), seed=0, backend=backend)
    model.params["w_h"], model.params["w_x"] = 0.0, 1.0
    assert (model(np.full((1, 1, 1), 1e10), dt=1e18) > 9e27).all()  # whose square is infinite in float32


def test_initial_values():
    model = Model(CTRNN(6, input_dim=3), seed=0, dtype="float64")
    np.testing.assert_allclose(model.params["w_h"] @ model.params["w_h"].T, np.eye(6), atol=1e-14)
    assert 0.4 < np.abs(model.params["w_x"]).max() <= np.sqrt(6 / 9)
    assert (model.params["b"] == 0).all()
    np.testing.assert_allclose(model.effective["tau"], 1, rtol=1e-15)
    for tau in (1e-4, 2.0, 1e4):  # in the unit of dt
        model = Model(CTRNN(6, input_dim=3, tau=tau), seed=0, dtype="float64")
        np.testing.assert_allclose(model.effective["tau"], tau, rtol=1e-11)
    own = np.arange(1.0, 7)
    model = Model(CTRNN(6, input_dim=3, tau=2.0, init={"tau": np.log(np.expm1(own))}), seed=0, dtype="float64")
    np.testing.assert_allclose(model.effective["tau"], own, rtol=1e-14)
    assert list(Model(NeuralODE(6, input_dim=3), seed=0).params) == ["w_x", "w_h", "b"]
    assert (Model(NeuralODE(6, input_dim=3, init={"b": 0.5}), seed=0).params["b"] == 0.5).all()


# ------------------------------------------------------------------------------------------------ gradients

ACTIVATIONS = (None, "tanh", "sigmoid", "silu", "gelu", "lecun_tanh")


@each_rule
@pytest.mark.parametrize(("B", "T", "I", "N"), [(3, 4, 2, 5), (5, 4, 2, 5), (4, 4, 3, 5), (3, 2, 4, 4), (2, 1, 3, 4)])
def test_gradients(cell, solver, B, T, I, N, backend):
    x, dt, lengths = data(B, T, I)
    activation = ACTIVATIONS[(B + N + len(solver)) % 6]
    model = drawn(
        cell(N, input_dim=I, solver=solver, ode_unfolds=3, activation=activation), dtype="float64", backend=backend
    )
    errors = gradcheck.check(model, x, dt=dt, lengths=lengths)
    assert set(errors) == {*model.params, "x", "h0", "dt"}
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_every_activation(activation, backend):
    x, dt, lengths = data()
    for layer in (
        NeuralODE(5, input_dim=2, ode_unfolds=2, activation=activation),
        CTRNN(5, input_dim=2, ode_unfolds=2, activation=activation, global_feedback=False),
    ):
        errors = gradcheck.check(drawn(layer, dtype="float64", backend=backend), x, dt=dt, lengths=lengths)
        assert max(errors.values()) < 1e-6, errors


def test_gradients_with_relu_away_from_the_kink(backend):
    x, dt, _ = data()
    model = drawn(CTRNN(5, input_dim=2, activation="relu", ode_unfolds=2), dtype="float64", backend=backend)
    assert max(gradcheck.check(model, x, dt=dt).values()) < 1e-6


@pytest.mark.slow
def test_gradients_beside_an_lstm(backend):
    x, dt, lengths = data(T=3)
    model = Model(MixedMemory(CTRNN(4, input_dim=2, ode_unfolds=2)), seed=1, dtype="float64", backend=backend)
    assert max(gradcheck.check(model, x, dt=dt, lengths=lengths).values()) < 1e-6


@pytest.mark.parametrize("layer", [CTRNN(41, input_dim=3), NeuralODE(41, input_dim=3, ode_unfolds=2)])
def test_gradient_along_a_direction_at_a_realistic_size(layer):
    """Several tiles, and so many steps that sums are flushed more than once."""
    x, dt, lengths = data(70, 30, 3)
    model = Model(layer, Dense(2), seed=1, dtype="float64")
    assert gradcheck.direction(model, x, dt=dt, lengths=lengths) < 1e-6


def test_the_time_constants_are_trained_or_frozen():
    """The published code computes a trainable time constant and then uses another."""
    x, dt, _ = data(16, 10)
    y = np.random.default_rng(2).normal(size=(16, 10, 5))
    model = Model(CTRNN(5, input_dim=2), seed=0, dtype="float64")
    assert np.abs(model.views(model.loss_and_grad(x, y, dt=dt)[1])["tau"]).min() > 1e-5
    model.freeze("tau")
    before = {name: values.copy() for name, values in model.params.items()}
    assert not model.views(model.loss_and_grad(x, y, dt=dt)[1])["tau"].any()
    model.fit(x, y, dt=dt, epochs=2, verbose=False)
    for name, values in model.params.items():
        assert np.array_equal(values, before[name]) == (name == "tau")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "law"),
    [(CTRNN(12, input_dim=1), lambda s: np.exp(-s)), (NeuralODE(12, input_dim=1, ode_unfolds=2), lambda s: s)],
)
def test_they_learn_a_law_of_the_elapsed_time(layer, law, tmp_path):
    """What the first input said decays, or grows, with the time that goes by between irregular steps."""
    rng = np.random.default_rng(0)
    dt = rng.uniform(0.05, 0.6, (128, 8))
    x = np.zeros((128, 8, 1))
    x[:, 0] = rng.choice([-1.0, 1.0], (128, 1))
    y = x[:, :1] * law(np.cumsum(dt, 1))[:, :, None]
    model = Model(layer, Dense(1), seed=0)
    model.fit(x, y, dt=dt, epochs=80, optimizer=Adam(0.02), seed=0, verbose=False)
    assert model.evaluate(x, y, dt=dt, metrics=["r2"])["r2"] > 0.95
    model.save(tmp_path / "model.npz")
    assert np.array_equal(load(tmp_path / "model.npz")(x, dt=dt), model(x, dt=dt))


# ------------------------------------------------------------------------------------------ stability, errors


@pytest.mark.parametrize("solver", cases(EXPLICIT))
def test_steps_too_long_for_an_explicit_solver_are_refused(solver, backend):
    limit = SOLVERS[solver].limit
    model = drawn(CTRNN(5, input_dim=2, solver=solver, ode_unfolds=5), dtype="float64", backend=backend)
    x, longest = np.ones((2, 4, 2)), 5 * limit * model.effective["tau"].min()
    dt = np.full((2, 4), 0.1)
    dt[1, 2] = longest * (1 - 1e-9)
    model(x, dt=dt)
    dt[1, 2] = longest * (1 + 1e-9)
    model(x, dt=dt, lengths=[4, 2])  # behind the end it does not count
    dt[1, 2] = 3.1 * longest
    with pytest.raises(ValueError, match=f'`dt` must keep h/tau < {limit:g} with solver="{solver}"') as error:
        model.loss_and_grad(x, np.ones((2, 4, 5)), dt=dt)
    assert f"(h = dt/ode_unfolds), got {3.1 * limit:.4g} for dt = {3.1 * longest:.4g}" in str(error.value)
    assert 'solver="semi_implicit", or check_stability="off"' in str(error.value)
    # The remedy works, and one unfold less would not.
    n = int(str(error.value).split("ode_unfolds=")[1].split(",")[0])
    drawn(CTRNN(5, input_dim=2, solver=solver, ode_unfolds=n), dtype="float64", backend=backend)(x, dt=dt)
    with pytest.raises(ValueError, match="`dt` must keep h/tau"):
        drawn(CTRNN(5, input_dim=2, solver=solver, ode_unfolds=n - 1), dtype="float64", backend=backend)(x, dt=dt)


def test_stability_may_be_a_warning_or_nobody_s_business():
    x = np.ones((2, 4, 2))
    warned = drawn(CTRNN(5, input_dim=2, solver="euler", ode_unfolds=1, check_stability="warn"), dtype="float64")
    with pytest.warns(RuntimeWarning, match="`dt` must keep h/tau") as caught:
        y = warned(x, dt=9.0)
    assert caught[0].filename == __file__
    quiet = drawn(CTRNN(5, input_dim=2, solver="euler", ode_unfolds=1, check_stability="off"), dtype="float64")
    assert (quiet(x, dt=9.0) == y).all()
    drawn(CTRNN(5, input_dim=2, ode_unfolds=1), dtype="float64")(x, dt=1e6)
    drawn(NeuralODE(5, input_dim=2, ode_unfolds=1), dtype="float64")(x, dt=1e6)


def test_the_semi_implicit_rule_is_stable(backend):
    """For ever larger steps the state goes to tau f, from wherever it comes."""
    model = drawn(CTRNN(5, input_dim=2, ode_unfolds=1, global_feedback=False), dtype="float64", backend=backend)
    x, p = np.ones((1, 1, 2)), model.effective
    y = model(x, dt=1e12, h0=np.full((1, 5), 1e3))  # 1e3 * tau / 1e12 is what is left of it
    np.testing.assert_allclose(y[0, 0], p["tau"] * np.tanh(x[0, 0] @ p["w_x"] + p["b"]), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("cell", "arguments", "error", "message"),
    [
        (CTRNN, {"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        (CTRNN, {"input_dim": True}, TypeError, "`input_dim` must be an int >= 1, got True"),
        (CTRNN, {"ode_unfolds": 0}, ValueError, "`ode_unfolds` must be an int in 1..1000000, got 0"),
        (
            CTRNN,
            {"solver": "exponential"},
            ValueError,
            "`solver` must be one of 'semi_implicit', 'euler', 'rk4'.*, got 'exponential'",
        ),
        (CTRNN, {"activation": "softmax"}, ValueError, "`activation` must be one of .*, got 'softmax'"),
        (CTRNN, {"activation": ["tanh"]}, TypeError, r"`activation` must be one of .*, got \['tanh'\]"),
        (CTRNN, {"activation": {}}, TypeError, "`activation` must be one of .*, got {}"),
        (
            CTRNN,
            {"check_stability": None},
            TypeError,
            "`check_stability` must be one of 'error', 'warn', 'off', got None",
        ),
        (CTRNN, {"tau": 0.0}, ValueError, "`tau` must be a finite number > 0, got 0.0"),
        (CTRNN, {"tau": (1.0, 2.0)}, TypeError, r"`tau` must be a finite number > 0, got \(1.0, 2.0\)"),
        (CTRNN, {"init": {"w": 1.0}}, ValueError, "`init` has an unknown parameter 'w'; there are w_x, w_h, b, tau"),
        (CTRNN, {"init": {"w_h": 1.0}, "global_feedback": False}, ValueError, "`init` has an unknown parameter 'w_h'"),
        (NeuralODE, {"units": 2.0}, TypeError, "`units` must be an int >= 1, got 2.0"),
        (
            NeuralODE,
            {"solver": "semi_implicit"},
            ValueError,
            "got 'semi_implicit', which is implicit in the leak: a NeuralODE has",
        ),
        (NeuralODE, {"solver": "nystrom"}, ValueError, "`solver` must be one of 'rk4'.*, 'euler', got 'nystrom'"),
        (NeuralODE, {"init": {"tau": 1.0}}, ValueError, "`init` has an unknown parameter 'tau'; there are w_x, w_h, b"),
    ],
)
def test_errors(cell, arguments, error, message):
    with pytest.raises(error, match=message):
        cell(**({"units": 5, "input_dim": 2} | arguments))


def test_repr_and_config_have_the_time_constant():
    layer = CTRNN(5, input_dim=2, tau=2)
    assert repr(layer) == "CTRNN(5, input_dim=2, tau=2.0)"
    assert CTRNN.from_config(layer.config()).tau == 2.0
    older = {name: value for name, value in CTRNN(5, input_dim=2).config().items() if name != "tau"}
    assert repr(CTRNN.from_config(older)) == "CTRNN(5, input_dim=2)"
    model = ltc_np.from_config({"cell": "ctrnn", "units": 5, "input_dim": 2, "options": {"tau": 3.0}}, dtype="float64")
    np.testing.assert_allclose(model.effective["1.tau"], 3, rtol=1e-14)


def test_feedback_is_a_bool():
    with pytest.raises(TypeError, match="`global_feedback` must be a bool, got 1"):
        CTRNN(5, input_dim=2, global_feedback=1)


@pytest.mark.slow
@pytest.mark.single
def test_long_float32_gradients(backend):
    """All sums go to float64 after some steps; a constant input is the worst case, all terms have one sign.

    6,000 unfolds in float32 alone would be off by some 1e-5.
    """
    T = 3000 if backend == "cpu" else 1000
    x, gradients = np.full((1, T, 2), 0.3, np.float32), {}
    cell = CTRNN(4, input_dim=2, ode_unfolds=2, init={"b": 0.5})
    for dtype in ("float64", "float32"):
        model = Model(cell, seed=1, dtype=dtype, backend=backend)
        model.theta = Model(cell, seed=1).theta
        gradients[dtype] = model.views(model.loss_and_grad(x, np.zeros((1, T, 4)), dt=0.5)[1])
    for name, exact in gradients["float64"].items():
        assert np.abs(gradients["float32"][name] - exact).max() < 2e-6 * np.abs(exact).max(), name
