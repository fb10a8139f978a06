"""LrcSSM: its authors' cell (golden/make_lrc_ssm.py), plain loops, physics, every gradient, long sequences."""

import math

import numpy as np
import pytest
from support import golden
from support.gradients import worst
from support.solvers import cases

from ltc_np import Dense, LrcSSM, Model, dt_from_times, from_config, gradcheck, set_num_threads, solver_error
from ltc_np.cells.blocks import blocks, cuts
from ltc_np.cells.lrc_ssm import CHUNK, MOST_SEQUENCES
from ltc_np.kernels.codes import ELASTANCES, GRADIENT_ROWS, SOLVERS
from ltc_np.kernels.numpy.elastance import elastance_of

CASES = golden.cases("lrc_ssm")


def logistic(z):
    return 1 / (1 + math.exp(-z))


def lively(N=5, I=2, backend="numpy", dtype="float64", seed=1, **options):
    """A model whose parameters are so large that everything matters."""
    model = Model(LrcSSM(N, input_dim=I, **options), seed=0, dtype=dtype, backend=backend)
    model.theta = np.random.default_rng(seed).normal(0, 0.8, model.theta.size)
    return model


def data(B, T, I, N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, I)), rng.choice([0.0, 0.3, 1.0, 1.6], (B, T)), rng.normal(size=(B, N))


# ------------------------------------------------------------------------------------- what it computes


def test_there_are_golden_cases():
    assert len(CASES) == 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_published_cell(case, dtype, backend):
    file, recipe = golden.read("lrc_ssm", case, "case")
    I, N = file["sensory_w"].shape
    model = Model(LrcSSM(N, input_dim=I, elastance=recipe["elastance"]), seed=0, dtype=dtype, backend=backend)
    for name in model.params:
        model.params[name] = np.log(np.expm1(file[name])) if name == "elastance_shift" else file[name]
    y, state = model(file["x"], dt=recipe["dt"], h0=file["h0"], return_state=True)
    outputs, gradients = golden.tolerances(dtype)
    assert np.abs(y - file["y"]).max() <= outputs
    assert np.abs(state - file["hT"]).max() <= outputs
    _, tape = model.forward(file["x"], dt=recipe["dt"], h0=file["h0"])
    g = model.backward(tape, file["c"], file["d"])
    found = {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}
    if "elastance_shift" in found:  # of the shift, not of its raw value
        found["elastance_shift"] = found["elastance_shift"] / -np.expm1(-file["elastance_shift"])
    golden.check(found, {name: file[f"d_{name}"] for name in found}, gradients)


def loop(layer, p, x, dt, lengths, h0):
    """Outputs and last states by loops over numbers, for the solvers of one stage."""
    (B, T, I), N = x.shape, layer.units
    y, last = np.zeros((B, T, N)), h0.copy()
    for b in range(B):
        for i in range(N):
            v = h0[b, i]
            for t in range(lengths[b]):
                s = [logistic(p["sensory_sigma"][k] * (x[b, t, k] - p["sensory_mu"][k])) for k in range(I)]
                h = dt[b, t] / layer.ode_unfolds
                for _ in range(layer.ode_unfolds):
                    own = logistic(p["sigma"][i] * (v - p["mu"][i]))
                    f = p["gleak"][i] + p["w"][i] * own + sum(s[k] * p["sensory_w"][k, i] for k in range(I))
                    z = p["gleak"][i] + p["h"][i] * own + sum(s[k] * p["sensory_h"][k, i] for k in range(I))
                    epsilon = 1.0
                    if layer.elastance is not None:
                        a = p["elastance_v"][i] * v + p["elastance_b"][i]
                        epsilon = logistic(a)
                    if layer.elastance == "symmetric":
                        shift = p["elastance_shift"][i]
                        epsilon = logistic(a + shift) - logistic(a - shift)
                    P, Q, length = p["vleak"][i] * math.tanh(z), logistic(f), h * epsilon
                    v = v + length * (P - Q * v) / (1 + length * Q if layer.solver == "semi_implicit" else 1)
                y[b, t, i] = v
            last[b, i] = v
    return y, last


@pytest.mark.parametrize("elastance", ELASTANCES)
@pytest.mark.parametrize(("solver", "unfolds"), [("euler", 1), ("semi_implicit", 1), ("euler", 3)])
def test_it_is_its_equations(elastance, solver, unfolds, backend):
    # Traps: B == N, a vector and a bit, one step, sequences of length 0, more inputs than units.
    for B, T, I, N in ((3, 4, 2, 5), (4, 2, 3, 4), (2, 1, 18, 17)):
        model = lively(N, I, backend, elastance=elastance, solver=solver, ode_unfolds=unfolds)
        x, dt, h0 = data(B, T, I, N)
        lengths = np.array([T, 0, max(T - 1, 1), 1])[:B]
        y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
        expected, last = loop(model.layers[0], model.effective, x, dt, lengths, h0)
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(state, last, rtol=1e-12, atol=1e-13)
        assert (state[1] == h0[1]).all()


def test_units_do_not_see_each_other(backend):
    model = lively(19, 3, backend)
    x, dt, h0 = data(2, 6, 3, 19)
    y = model(x, dt=dt, h0=h0)
    moved = h0.copy()
    moved[:, 7] += 1
    other = model(x, dt=dt, h0=moved)
    assert (other[:, :, 7] != y[:, :, 7]).all()
    assert np.array_equal(np.delete(other, 7, axis=2), np.delete(y, 7, axis=2))


def test_the_exact_solution_where_there_is_one(backend):
    """Without its own synapse and elastance a unit is linear; the exponential solver is exact for any dt."""
    model = lively(4, 2, backend, elastance=None, solver="exponential")
    model.params["w"] = model.params["h"] = 0.0
    x, dt, h0 = data(3, 1, 2, 4)
    dt[:] = [[0.0], [2.5], [1e6]]
    p = model.params
    s = 1 / (1 + np.exp(-p["sensory_sigma"] * (x[:, 0] - p["sensory_mu"])))
    P, Q = p["vleak"] * np.tanh(p["gleak"] + s @ p["sensory_h"]), 1 / (1 + np.exp(-p["gleak"] - s @ p["sensory_w"]))
    y = model(x, dt=dt, h0=h0)[:, 0]
    np.testing.assert_allclose(y, P / Q + (h0 - P / Q) * np.exp(-Q * dt), rtol=1e-13)
    assert np.array_equal(y[0], h0[0])


@pytest.mark.parametrize("solver", cases())
def test_orders_of_convergence(solver, backend):
    """Errors against a fine solution fall with the order of the solver."""
    x, dt, h0 = data(3, 3, 2, 5)
    fine = lively(backend=backend, solver="rk4", ode_unfolds=200)(x, dt=dt, h0=h0)
    coarse, half = (
        np.abs(lively(backend=backend, solver=solver, ode_unfolds=U)(x, dt=dt, h0=h0) - fine).max() for U in (8, 16)
    )
    order = SOLVERS[solver].order
    assert 0.8 * 2**order < coarse / half < 1.25 * 2**order


@pytest.mark.slow
def test_solver_error_measures_it():
    found = solver_error(lively(solver="semi_implicit"), data(3, 4, 2, 5)[0], tolerance=1e-3)
    assert found.reference_solver == "exponential"
    assert found.errors[24] < found.errors[1] / 10


# --------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("elastance", ELASTANCES)
@pytest.mark.parametrize(
    ("solver", "unfolds"),
    [
        ("semi_implicit", 3),
        *(pytest.param(*case.values, 1 + (SOLVERS[case.values[0]].stages > 1), marks=case.marks) for case in cases()),
    ],
)
def test_gradients(elastance, solver, unfolds, backend):
    for B, T, I, N in ((3, 4, 2, 5), (2, 3, 3, 17)):
        model = lively(N, I, backend, elastance=elastance, solver=solver, ode_unfolds=unfolds, seed=T)
        x, dt, h0 = data(B, T, I, N)
        assert worst(model, x, dt=dt, h0=h0, lengths=[T, 0, 2][:B]) < 1e-6


@pytest.mark.few(1)
@pytest.mark.parametrize("memory", ["full", "low"])
def test_gradient_along_a_direction_at_a_realistic_size(memory, backend):
    """Several blocks of sequences and several of steps, more sequences than a block has by its size."""
    B, T, I, N = 2 * MOST_SEQUENCES + 3, 2 * CHUNK // MOST_SEQUENCES + 5, 3, 21
    model = lively(N, I, backend, elastance="symmetric", solver="semi_implicit")
    x, dt, h0 = data(B, T, I, N)
    lengths = np.random.default_rng(0).integers(0, T + 1, B)
    lengths[:5], lengths[-1] = 0, T
    assert gradcheck.direction(model, x, dt=dt, lengths=lengths, h0=h0) < 1e-6
    y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, memory=memory)
    full = model.forward(x, dt=dt, lengths=lengths, h0=h0)[1]
    d_y = np.cos(y)
    a, b, again = (model.backward(t, d_y, h0) for t in (tape, full, tape))
    for name in ("theta", "x", "h0", "dt"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
        assert np.array_equal(getattr(a, name), getattr(again, name))
    assert (a.h0[:5] == h0[:5]).all()
    assert (a.x[:5] == 0).all()


def test_more_sequences_than_rows_of_a_block(backend):
    B, T = GRADIENT_ROWS * (CHUNK + 3), 2
    model = lively(3, 1, backend)
    x, dt, h0 = data(B, T, 1, 3)
    y, tape = model.forward(x, dt=dt, h0=h0)
    g = model.backward(tape, np.cos(y))
    some = np.arange(0, B, 997)
    few, tape = model.forward(x[some], dt=dt[some], h0=h0[some])
    np.testing.assert_allclose(y[some], few, rtol=1e-13)
    np.testing.assert_allclose(g.x[some], model.backward(tape, np.cos(few)).x, rtol=1e-9, atol=1e-13)


@pytest.mark.compiled
def test_threads_change_no_bit():
    model = lively(64, 3, "cpu")
    x, dt, h0 = data(12, 400, 3, 64)
    found = []
    for n in (1, 2):
        set_num_threads(n)
        try:
            y, tape = model.forward(x, dt=dt, h0=h0)
            g = model.backward(tape, np.cos(y))
        finally:
            set_num_threads(None)
        found.append((y, g.theta, g.x, g.h0, g.dt))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.single
@pytest.mark.compiled
@pytest.mark.parametrize("elastance", ["asymmetric", "symmetric"])
def test_float32_over_20000_steps(elastance):
    """Units that remember 4 to 800 steps; roundings fade like everything else."""
    T, N, I = 20_000, 16, 3
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(1, T, I)), rng.normal(size=(1, T, N))
    dt = dt_from_times(np.cumsum(rng.uniform(0.1, 1.5, T)))[None]
    found = []
    for dtype in ("float32", "float64"):
        model = Model(
            LrcSSM(N, input_dim=I, elastance=elastance, init={"elastance_b": (-6.0, 0.0)}), seed=0, dtype=dtype,
            backend="cpu",
        )  # fmt: skip
        model.theta = model.theta.astype(np.float32)  # the same values
        y, tape = model.forward(x.astype(np.float32), dt=dt.astype(np.float32))
        g = model.backward(tape, c)
        found.append({"y": y, "x": g.x, "dt": g.dt, "h0": g.h0, **model.views(g.theta)})
    golden.check(*found, 1e-4)


# ------------------------------------------------------------------------------------------------- traits


def test_long_steps_need_a_stable_solver(backend):
    x, _, h0 = data(3, 4, 2, 5)
    model = lively(backend=backend)
    with pytest.raises(ValueError, match=r'`dt` must keep h\*rate < 2 with solver="euler".*solver="semi_implicit"'):
        model(x, dt=50.0)
    model(x, dt=1.99)  # a rate is below 1
    with pytest.warns(RuntimeWarning, match="must keep"):
        lively(backend=backend, check_stability="warn")(x, dt=50.0)
    for elastance in ELASTANCES:
        for solver in ("semi_implicit", "exponential"):
            stable = lively(backend=backend, solver=solver, elastance=elastance)
            y = stable(x, dt=1e9, h0=h0)
            # Between 0, h0 and P/Q: sigmoid(f) > 0.004 with these parameters.
            assert np.isfinite(y).all()
            assert np.abs(y).max() < 300


@pytest.mark.parametrize(("solver", "dt"), [("euler", 1.0), ("semi_implicit", 50.0), ("exponential", 50.0)])
def test_the_bound_of_the_potentials(solver, dt, backend):
    """That of the docstring holds, and twice vleak, which is that of an LRC, does not."""
    x, _, h0 = data(6, 100, 3, 5)
    above = 0
    for seed in range(5):
        model = lively(I=3, backend=backend, seed=seed, solver=solver, ode_unfolds=1)
        p = model.effective
        least = p["gleak"] + np.minimum(p["sensory_w"], 0).sum(0) + np.minimum(p["w"], 0)
        y = np.abs(model(3 * x, dt=dt, h0=h0))
        bound = np.maximum(np.abs(h0), np.abs(p["vleak"]) * (1 + np.exp(-least)))
        assert (y <= bound[:, None] * (1 + 1e-12)).all()
        above = max(above, (y / np.maximum(np.abs(h0), 2 * np.abs(p["vleak"]))[:, None]).max())
    assert above > 1.5


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_of_the_rate_is_one(sign):
    """The largest rate at any state and input that the check allows for; a synapse that closes takes nothing off it."""
    model = lively(6, 2, elastance="symmetric", check_stability="error")
    for name in ("w", "sensory_w"):
        model.params[name] = sign * np.abs(model.params[name])
    layer, p = model.layers[0], model.effective
    bound = layer.prepare(p, {}, "numpy").fastest
    v = np.linspace(-30, 30, 2001)[:, None]
    shift = p["elastance_shift"]
    epsilon = elastance_of(ELASTANCES.index("symmetric"), p["elastance_v"] * v + p["elastance_b"], shift)
    assert (epsilon >= 0).all()
    assert (epsilon <= np.tanh(shift / 2) * (1 + 1e-12)).all()
    open_ = np.maximum(p["sensory_w"], 0).sum(0) + np.maximum(p["w"], 0) + p["gleak"]
    rates = epsilon / (1 + np.exp(-open_))
    assert 0.9 * bound < rates.max() <= bound


def test_initial_values_and_names():
    model = Model(LrcSSM(16, input_dim=3, elastance="symmetric"), seed=0, dtype="float64")
    names = ["sensory_mu", "sensory_sigma", "sensory_w", "sensory_h", "gleak", "vleak", "w", "h", "mu", "sigma"]
    assert list(model.params) == [*names, "elastance_v", "elastance_b", "elastance_shift"]
    for name in (*names, "elastance_v", "elastance_b"):
        assert np.abs(model.params[name]).max() <= 0.25, name
    assert np.abs(model.params["sensory_w"]).max() > 0.2
    np.testing.assert_allclose(model.effective["elastance_shift"], 1.0)
    assert list(Model(LrcSSM(4, input_dim=2, elastance=None), seed=0).params) == names
    assert {e.name for e in model.layout.entries if e.decay} == {"sensory_w", "sensory_h"}


def test_a_configuration_names_it():
    model = from_config({"cell": "LrcSSM", "units": 6, "input_dim": 3, "output_dim": 2, "solver": "explicit"}, seed=0)
    assert model.layers[-2].solver == "euler"
    assert isinstance(model.layers[-2], LrcSSM)
    assert isinstance(model.layers[-1], Dense)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "`units` must be an int >= 1, got 0"),
        ({"elastance": "both"}, "`elastance` must be one of 'asymmetric', 'symmetric', None, got 'both'"),
        ({"solver": "nystrom"}, f"`solver` must be one of {str([*SOLVERS])[1:-1]}, got 'nystrom'"),
        ({"ode_unfolds": 0}, "`ode_unfolds` must be an int in"),
        ({"check_stability": True}, "`check_stability` must be one of"),
        ({"init": {"elastance_shift": 1.0}}, "`init` has an unknown parameter 'elastance_shift'"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises((ValueError, TypeError)) as error:
        LrcSSM(**{"units": 3, "input_dim": 2} | options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("B", "together"), [(1, 1), (5, 3), (40, 2), (16, 16)])
def test_every_step_is_in_one_block(B, together):
    lengths = np.random.default_rng(0).integers(0, 9, B)
    seen = np.zeros((B, 9), int)
    for cut in cuts(B, together):
        for block in blocks(cut, lengths, 9, 8):
            seen[block.first : block.last, block.begin : block.end] += 1
    assert (seen[np.arange(9) < lengths[:, None]] == 1).all() and seen.max(initial=0) <= 1
