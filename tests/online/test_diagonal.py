"""Exact traces of diagonal cells: against backpropagation over the whole stream, and against recursions by hand."""

import tracemalloc

import numpy as np
import pytest

from ltc_np import S4D, LiquidS4, LrcSSM, Model
from ltc_np.base.activations import sigmoid
from ltc_np.online import lrc_ssm, state_space
from ltc_np.online.diagonal import DiagonalTraces
from ltc_np.online.traces import Traces

# Steps so long that the bound holds in some of them, as `test_bounds_hold_in_some_steps` says.
LONG = {"step_min": 0.5, "step_max": 1.0, "liquid_scale": 1.0}
CELLS = {
    "LrcSSM": LrcSSM(5, input_dim=3),
    "LrcSSM symmetric": LrcSSM(5, input_dim=3, elastance="symmetric", ode_unfolds=3),
    "LrcSSM constant": LrcSSM(4, input_dim=1, elastance=None),
    "LrcSSM semi-implicit": LrcSSM(19, input_dim=3, solver="semi_implicit", ode_unfolds=2),
    "LrcSSM rk4": LrcSSM(5, input_dim=2, solver="rk4", elastance="symmetric", ode_unfolds=2),
    "LrcSSM exponential": LrcSSM(5, input_dim=3, solver="exponential", ode_unfolds=2),
    "S4D": S4D(6, input_dim=3),
    "S4D bilinear": S4D(6, input_dim=19, discretization="bilinear"),
    "S4D parallel": S4D(6, input_dim=2, method="parallel"),
    "S4D fft": S4D(6, input_dim=2, method="fft"),
    "LiquidS4": LiquidS4(6, input_dim=19),
    "LiquidS4 bounded": LiquidS4(6, input_dim=3, liquid_bound=1.1, **LONG),
    "LiquidS4 never growing": LiquidS4(6, input_dim=3, liquid_bound=1.0, **LONG),
    "LiquidS4 discrete": LiquidS4(6, input_dim=3, liquid="discrete"),
    "LiquidS4 discrete bounded": LiquidS4(6, input_dim=3, liquid="discrete", liquid_bound=1.0, **LONG),
    "LiquidS4 kb": LiquidS4(6, input_dim=3, liquid="kb", liquid_degree=4, discretization="bilinear", **LONG),
    "LiquidS4 pb": LiquidS4(6, input_dim=3, liquid="pb", liquid_degree=3, **LONG),
}
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (1, 2))]  # the others in the long job
EVERY = pytest.mark.parametrize("name", CELLS)
FEW = pytest.mark.parametrize("name", ["LrcSSM symmetric", "S4D", "LiquidS4 pb"])


def model_of(cell, backend, seed=0, dtype="float64"):
    """A model of the cell alone, away from the symmetries of initial values."""
    model = Model(cell, seed=seed, dtype=dtype, backend=backend)
    model.theta = model.theta + 0.1 * np.random.default_rng(seed).normal(size=model.theta.size)
    return model


def traces_of(model) -> Traces:
    """New traces of the model's only layer."""
    (cell,) = model.layers
    kind: type[DiagonalTraces] = lrc_ssm.LrcSSMTraces if isinstance(cell, LrcSSM) else state_space.StateSpaceTraces
    traces = kind(cell, model.dtype, model.backend)
    traces.prepare(model.theta)
    return traces


def stream(cell, T, seed=0):
    """Inputs (T, I), uneven elapsed times, a fifth of them 0, and targets (T, O)."""
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0, 1, T) * (rng.random(T) > 0.2)
    return rng.normal(size=(T, cell.input_size)), dt, rng.normal(size=(T, cell.output_size))


def close(model, found, wanted, relative):
    """Every array by its own size; none is 0."""
    for name, want in model.views(wanted).items():
        size = np.abs(want).max()
        assert size > 0, name
        np.testing.assert_allclose(model.views(found)[name], want, rtol=0, atol=relative * size, err_msg=name)


def compare(name, backend, T, seed):
    """The sum over a stream with frozen weights, with the gradient of the sequence; outputs with those of steps."""
    cell = CELLS[name]
    model, (x, dt, target) = model_of(cell, backend, seed), stream(cell, T, seed)
    traces, total, state = traces_of(model), 0, None
    for t in range(T):
        y = traces.advance(x[t], dt[t])
        want, state = model.step(x[t], dt=dt[t], state=state)
        np.testing.assert_array_equal(y, want)
        np.testing.assert_array_equal(traces.arrays["state"], state)
        total = total + traces.gradient(2 * (y - target[t]) / target.size)
    _, gradient = model.loss_and_grad(x[None], target[None], dt=dt[None], loss="mse")
    close(model, total, gradient, 1e-10)


@pytest.mark.few(4)
@EVERY
def test_the_sum_over_a_stream_is_the_gradient_of_the_sequence(name, backend):
    compare(name, backend, 30, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@EVERY
def test_the_sum_over_a_long_stream_is_the_gradient_of_the_sequence(name, backend, seed):
    compare(name, backend, 300 if backend == "numpy" else 2000, seed)


def test_bounds_hold_in_some_steps():
    """Else the two bounded forms above would be those without a bound."""
    for name in ("LiquidS4 bounded", "LiquidS4 never growing", "LiquidS4 discrete bounded"):
        cell = CELLS[name]
        model, (x, dt, _) = model_of(cell, "numpy"), stream(cell, 30)
        factors = np.abs(model.trace(x, dt=dt)["multiplier"][dt > 0])
        held = np.isclose(factors, cell.liquid_bound, rtol=1e-12)
        assert 0.02 < held.mean() < 0.9, name


@pytest.mark.few(1)
@pytest.mark.compiled
@pytest.mark.parametrize(
    ("dtype", "relative"), [("float64", 1e-12), pytest.param("float32", 2e-4, marks=pytest.mark.single)]
)
@EVERY
def test_compiled_traces_are_the_definition(name, dtype, relative):
    """After thirty steps; in float32 also that nothing is computed in another precision."""
    cell = CELLS[name]
    x, dt, _ = stream(cell, 30)
    both = [traces_of(model_of(cell, backend, dtype=dtype)) for backend in ("numpy", "cpu")]
    for now, elapsed in zip(x.astype(dtype), dt, strict=True):
        for traces in both:
            assert traces.advance(now, elapsed).dtype == dtype
    for key, want in both[0].arrays.items():
        assert want.dtype == both[1].arrays[key].dtype == dtype
        np.testing.assert_allclose(both[1].arrays[key], want, rtol=0, atol=relative * np.abs(want).max(), err_msg=key)
    d_y = np.ones(cell.output_size, dtype)
    found, wanted = both[1].gradient(d_y), both[0].gradient(d_y)
    assert found.dtype == wanted.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=0, atol=relative * np.abs(wanted).max())


def test_traces_of_a_unit_are_the_recursion_by_hand(backend):
    """Of Euler's rule, with what a step multiplies and adds written out; docs/online.md."""
    cell = CELLS["LrcSSM"]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 12)
    p, traces, e, v = dict(model.effective), traces_of(model), 0, np.zeros(5)
    for now, h in zip(x, dt, strict=True):
        s_k = sigmoid(p["sensory_sigma"] * (now - p["sensory_mu"]))
        s = sigmoid(p["sigma"] * (v - p["mu"]))
        R = sigmoid(p["gleak"] + s_k @ p["sensory_w"] + p["w"] * s)
        u = np.tanh(p["gleak"] + s_k @ p["sensory_h"] + p["h"] * s)
        epsilon = sigmoid(p["elastance_v"] * v + p["elastance_b"])
        length, slope = h * epsilon, p["vleak"] * u - R * v
        by_f, by_z = -length * v * R * (1 - R), length * p["vleak"] * (1 - u**2)
        by_a, by_y = h * slope * epsilon * (1 - epsilon), (by_f * p["w"] + by_z * p["h"]) * s * (1 - s)
        by_k = (by_f * p["sensory_w"] + by_z * p["sensory_h"]) * (s_k * (1 - s_k))[:, None]
        own = [by_f + by_z, length * u, by_f * s, by_z * s, -by_y * p["sigma"], by_y * (v - p["mu"]), by_a * v, by_a]
        direct = [-by_k * p["sensory_sigma"][:, None], by_k * (now - p["sensory_mu"])[:, None]]
        direct += [np.outer(s_k, by_f), np.outer(s_k, by_z), np.stack(own)]
        e = (1 - length * R + by_y * p["sigma"] + by_a * p["elastance_v"]) * e + np.concatenate(direct)
        v = v + length * slope
        traces.advance(now, h)
    np.testing.assert_allclose(traces.arrays["traces"], e, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["S4D", "LiquidS4"])
def test_traces_of_a_mode_are_the_recursion_by_hand(name, backend):
    """Without a bound a mode is an analytic function of A, B and the step: three complex traces say all."""
    cell = CELLS[name]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 12)
    p, traces = dict(model.effective), traces_of(model)
    A, B, pace = p["frequency"] * 1j - p["decay"], p["b_re"] + p["b_im"] * 1j, np.exp(p["log_step"])
    mode = e_A = e_B = e_step = np.zeros_like(A)
    for u, elapsed in zip(x, dt, strict=True):
        h, w = elapsed * pace, A + B * u if name == "LiquidS4" else A
        z = h * w
        grown, phi = np.exp(z), np.expm1(z) / np.where(z == 0, 1, z) + (z == 0)
        slope = np.where(np.abs(z) < 1e-3, 0.5 + z / 3 + z**2 / 8 + z**3 / 30, (grown - phi) / np.where(z == 0, 1, z))
        by_w = h * grown * mode + h**2 * slope * B * u
        e_A, e_B = grown * e_A + by_w, grown * e_B + h * phi * u + (u * by_w if name == "LiquidS4" else 0)
        e_step = grown * e_step + h * grown * (w * mode + B * u)
        mode = grown * mode + h * phi * B * u
        traces.advance(u, elapsed)
    found = traces.arrays["traces"]
    for k, want in enumerate((-e_A, 1j * e_A, e_B, 1j * e_B, e_step)):
        np.testing.assert_allclose(found[k, 0] + 1j * found[k, 1], want, rtol=0, atol=1e-11 * np.abs(want).max())


@FEW
def test_what_is_kept_goes_on_elsewhere(name, backend):
    cell = CELLS[name]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 20)
    whole = traces_of(model)
    for t in range(12):
        whole.advance(x[t], dt[t])
    other, d_y = traces_of(model), np.arange(1.0, cell.output_size + 1)
    for key, array in other.arrays.items():
        array[...] = whole.arrays[key]
    np.testing.assert_array_equal(other.gradient(d_y), whole.gradient(d_y))
    for t in range(12, 20):
        np.testing.assert_array_equal(other.advance(x[t], dt[t]), whole.advance(x[t], dt[t]))
        np.testing.assert_array_equal(other.gradient(d_y), whole.gradient(d_y))


@FEW
def test_no_time_changes_nothing_and_a_new_stream_begins_at_the_start(name, backend):
    cell = CELLS[name]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 10)
    traces, new = traces_of(model), traces_of(model)
    for t in range(10):
        traces.advance(x[t], dt[t])
    before = {key: array.copy() for key, array in traces.arrays.items()}
    traces.advance(x[0], 0.0)
    for key in ("state", "traces"):
        np.testing.assert_array_equal(traces.arrays[key], before[key])
    traces.reset()
    for key, array in new.arrays.items():
        np.testing.assert_array_equal(traces.arrays[key], array)
        assert not array.any()


@pytest.mark.few(1)
@FEW
def test_new_parameters_count_from_the_next_step_on(name, backend):
    """What the old ones have left in the traces stays, and the raw values are those that were given last."""
    cell = CELLS[name]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 10)
    traces = traces_of(model)
    for t in range(10):
        traces.advance(x[t], dt[t])
    kept = {key: array.copy() for key, array in traces.arrays.items()}
    model.theta = 1.1 * model.theta
    traces.prepare(model.theta)
    for key, array in traces.arrays.items():
        np.testing.assert_array_equal(array, kept[key])
    want, _ = model.step(x[0], dt=0.5, state=kept["state"])
    np.testing.assert_array_equal(traces.advance(x[0], 0.5), want)


@pytest.mark.few(1)
@FEW
def test_memory_does_not_grow_with_the_steps(name, backend):
    cell = CELLS[name]
    model, (x, dt, _) = model_of(cell, backend), stream(cell, 10)
    traces, d_y = traces_of(model), np.ones(cell.output_size)

    def run(rounds):
        for _ in range(rounds):
            for t in range(10):
                traces.advance(x[t], dt[t])
                traces.gradient(d_y)

    run(1)
    tracemalloc.start()
    try:
        run(1)
        before = tracemalloc.get_traced_memory()[0]
        run(5)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2000  # bytes; 50 steps would keep twenty times as much of the smallest traces


def test_memory_is_linear_in_the_parameters():
    """4 I + 9 numbers for a unit of an LrcSSM and 16 for a mode, beside the state."""
    for units, inputs in ((8, 2), (64, 16)):
        cell = LrcSSM(units, input_dim=inputs, elastance="symmetric")
        arrays = traces_of(model_of(cell, "numpy")).arrays
        assert {key: array.size for key, array in arrays.items()} == {
            "state": units,
            "traces": units * (4 * inputs + 9),
        }
    cell = S4D(64, input_dim=8)
    arrays = traces_of(model_of(cell, "numpy")).arrays
    modes = 32 * 8
    assert {key: array.size for key, array in arrays.items()} == {
        "state": 2 * modes, "traces": 10 * modes, "slopes": 6 * modes + 2 * 8,
    }  # fmt: skip


def test_a_step_that_would_amplify_errors_is_refused_and_changes_nothing(backend):
    """As by `Model.step`: here learning may have made the cell faster."""
    cell = LrcSSM(3, input_dim=2, init={"gleak": 3.0})
    model = model_of(cell, backend)
    traces = traces_of(model)
    traces.advance(np.ones(2), 0.5)
    before = {key: array.copy() for key, array in traces.arrays.items()}
    with pytest.raises(ValueError, match="semi_implicit"):
        traces.advance(np.ones(2), 5.0)
    for key, array in before.items():
        np.testing.assert_array_equal(traces.arrays[key], array)


def test_a_step_of_exactly_the_limit_is_refused(backend):
    """2 for Euler, with units whose rate is 1 in float64, as `Model.step` does."""
    cell = LrcSSM(3, input_dim=2, ode_unfolds=2, init={"gleak": 100.0})
    model = Model(cell, seed=0, dtype="float64", backend=backend)
    for step in (traces_of(model).advance, lambda x, dt: model.step(x, dt=dt)):
        step(np.ones(2), np.nextafter(4.0, 0))
        with pytest.raises(ValueError, match='< 2 with solver="euler".*got 2 for dt = 4'):
            step(np.ones(2), 4.0)


@pytest.mark.parametrize(("gleak", "longest"), [(10.0, 1.99), (-3.0, 10.0)])
def test_steps_are_as_long_as_the_fastest_unit_allows(backend, gleak, longest):
    """Below the limit for any parameters, and above it where these have made no unit so fast."""
    cell = LrcSSM(3, input_dim=2)
    model = model_of(cell, backend)
    traces = traces_of(model)
    model.params["gleak"][:] = gleak
    traces.prepare(model.theta)
    want, _ = model.step(np.ones(2), dt=longest)
    np.testing.assert_array_equal(traces.advance(np.ones(2), longest), want)
