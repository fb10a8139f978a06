"""Models in fixed point: their formats, errors and bounds, and that C has their bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import compilers
from support.exported import WITHOUT
from support.fixed_point import in_c, made, sequences
from support.solvers import cases

from ltc_np import GRU, LSTM, LTC, AutoNCP, CfC, Dense, FullyConnected, LinOSS, LiquidS4, Model, Standardize, WiredCfC
from ltc_np.export.fixed import quantise
from ltc_np.export.fixed.bound import bound
from ltc_np.export.fixed.formats import FEWEST, MOST, places_for
from tests.protocol.layers import ROWS

LAYERS = {
    f"{name} {k}": layer
    for name, row in ROWS.items()
    for k, layer in enumerate(row.examples)
    if layer.causal and name != "SpikingLIF relaxed" and type(layer).__name__ not in WITHOUT
}
STAY = [name for name, layer in LAYERS.items() if layer.dt0_identity and layer.takes_dt and layer.state_size]
B, T = 6, 12


def reference(model, x, dt=None):
    """What the model gives, step by step, in its own type."""
    state, y = None, []
    for t in range(x.shape[1]):
        out, state = model.step(x[:, t], dt=None if dt is None else dt[:, t], state=state)
        y.append(out)
    return np.stack(y, axis=1)


# ------------------------------------------------------------------------------------------------------------- layers


@pytest.mark.tools("gcc clang")
@pytest.mark.parametrize("name", LAYERS)
def test_c_has_the_bits_of_numpy(name, rng, tmp_path):
    """Also far beyond the calibration data, where numbers saturate; with UBSan."""
    which = list(LAYERS).index(name)
    model = made([LAYERS[name]], rng)
    x, arguments = sequences(model, rng, B, T)
    quantised = quantise(model, x, **arguments, weights=("int32", "int16")[which % 2])
    x *= np.array([0.3, 1, 1, 2, 10, 1e6])[:, None, None]
    run = quantised.run(x, **arguments)
    compiler = compilers.HOST[which // 2 % len(compilers.HOST)]
    y, state = in_c(quantised, tmp_path, compiler, x, arguments.get("dt"), unroll=which % 3 == 0)
    np.testing.assert_array_equal(y, run.y)
    np.testing.assert_array_equal(state, run.state)
    assert run.saturated[-1]


@pytest.mark.slow
@pytest.mark.few(7)
@pytest.mark.parametrize("name", LAYERS)
def test_the_error_is_that_against_the_model(name, rng):
    """And small: each layer computes with 31 bits and tables of 1e-7."""
    model = made([LAYERS[name]], rng, backend="numpy")
    x, arguments = sequences(model, rng, B, T)
    quantised = quantise(model, x, **arguments)
    wanted = reference(model, x, **arguments)
    error = np.abs(quantised(x, **arguments) - wanted)
    errors = quantised.report.errors
    np.testing.assert_allclose([each.largest for each in errors], error.max((0, 1)), rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose([each.rms for each in errors], np.sqrt((error**2).mean((0, 1))), rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose([each.high for each in errors], wanted.max((0, 1)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([each.low for each in errors], wanted.min((0, 1)), rtol=1e-9, atol=1e-12)
    assert max(each.relative for each in errors) < 1e-4
    span = np.maximum(wanted.max((0, 1)) - wanted.min((0, 1)), 1e-30)  # 0 of a constant output
    rms = [each.relative_rms for each in errors] * span
    np.testing.assert_allclose(rms, [each.rms for each in errors], rtol=1e-9, atol=1e-12)
    assert all(quantised.report.headroom * each.largest <= each.limit for each in quantised.report.formats)
    assert not quantised.report.saturated


@pytest.mark.slow
@pytest.mark.few(6)
@pytest.mark.parametrize("name", STAY)
def test_a_step_of_no_time_changes_no_state(name, rng):
    model = made([LAYERS[name]], rng)
    x, arguments = sequences(model, rng, B, T)
    quantised = quantise(model, x, **arguments)
    before = quantised.run(x, **arguments).state
    _, after = quantised.step(x[:, 0], dt=0, state=before)
    np.testing.assert_array_equal(after, before)
    _, moved = quantised.step(x[:, 0], dt=0.5, state=before)
    assert (moved != before).any()


def test_oscillators_that_hardly_move_take_no_digits_from_others(rng):
    """Numbers of all oscillators share formats; one without stiffness and damping has no rate at all."""
    model = Model(LinOSS(1, 4, discretization="exact"), input_dim=2, seed=0, dtype="float64", backend="numpy")
    model.params["stiffness"], model.params["damping"] = [0, 1e-9, 0.2, 1.5], [0, 0.3, 0.8, 2.4]
    x, arguments = sequences(model, rng, B, T)
    assert max(each.relative for each in quantise(model, x, **arguments).report.errors) < 1e-6


# -------------------------------------------------------------------------------------------------------- random models


def random_layers(rng):
    """One or two layers of a random kind and size, stable for any input."""

    def one():
        N, seed = int(rng.integers(6, 13)), int(rng.integers(1000))
        kinds = [
            lambda: LTC(AutoNCP(N, 2, seed=seed), ode_unfolds=int(rng.integers(1, 7))),
            lambda: LTC(FullyConnected(N, 2), solver="exponential", ode_unfolds=2),
            lambda: CfC(N, mode=rng.choice(["default", "no_gate", "pure"]), backbone_units=9),
            lambda: WiredCfC(AutoNCP(N, 2, seed=seed)),
            lambda: LSTM(N),
            lambda: GRU(N),
        ]
        return kinds[rng.integers(len(kinds))]()

    layers = [one() for _ in range(rng.integers(1, 3))]
    return [*layers, Dense(2, rng.choice(["tanh", "silu", "gelu"]))] if rng.random() < 0.3 else layers


def random_model(rng):
    model = Model(
        *random_layers(rng), input_dim=int(rng.integers(1, 5)), seed=int(rng.integers(2**31)), dtype="float64"
    )
    model.theta *= rng.uniform(0.5, 1.5)
    return model


def check_bound(seed):
    """Other sequences than those of the calibration stay within the bound, unless they leave its range."""
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    x, arguments = sequences(model, rng, 16, 25)
    quantised = quantise(model, x, **arguments)
    x, arguments = sequences(model, rng, 8, 25)
    run = quantised.run(x, **arguments)
    error = np.abs(run.y - reference(model, x, **arguments)).max(1)[~run.saturated]
    assert (error <= [each.bound for each in quantised.report.errors]).all(), (seed, model)
    assert run.saturated.sum() <= 2
    return quantised, run, x, arguments


@pytest.mark.slow
@pytest.mark.few(3)
@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_for_other_sequences(seed):
    check_bound(seed)


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.tools("gcc clang")
@pytest.mark.parametrize("hundred", range(1, 11))
def test_the_bound_and_the_bits_hold_for_a_thousand_models(hundred, tmp_path):
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        quantised, run, x, arguments = check_bound(seed)
        compiler = compilers.HOST[seed % len(compilers.HOST)]
        folder = tmp_path / str(seed)
        folder.mkdir()
        y, state = in_c(quantised, folder, compiler, x, arguments.get("dt"))
        np.testing.assert_array_equal(y, run.y)
        np.testing.assert_array_equal(state, run.state)


# ----------------------------------------------------------------------------------------------------- what is promised


@given(st.floats(5e-324, 1.7e308), st.sampled_from([15, 31]))
def test_places_are_as_many_as_fit(largest, bits):
    places = places_for(largest, bits)
    assert FEWEST <= places <= MOST
    if places > FEWEST:
        assert round(largest * 2.0**places) <= 2**bits - 1
    if places < MOST:
        assert largest * 2.0 ** (places + 1) > 2**bits - 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 8))
def test_headroom_is_kept(seed, headroom):
    """Inputs larger by the headroom are within the format of the inputs."""
    rng = np.random.default_rng(seed)
    model = Model(Dense(2), input_dim=3, seed=0)
    x = rng.standard_normal((4, 5, 3))
    quantised = quantise(model, x, headroom=headroom)
    limit = 2.0 ** (31 - quantised.places["x"])
    largest = np.abs(x.astype("float32")).max() * headroom
    assert largest <= limit <= 2 * largest * 1.001


def test_a_state_of_two_parts_has_two_formats(rng):
    """The memory of an LSTM may be larger than what it shows."""
    model = Model(LSTM(5), input_dim=2, seed=0)
    model.theta *= 3
    quantised = quantise(model, *[rng.standard_normal((8, 60, 2))])
    formats = [each for each in quantised.report.formats if each.name == "state"]
    assert [each.elements for each in formats] == [((0, 5),), ((5, 10),)]
    assert formats[0].places > formats[1].places


@pytest.mark.slow
def test_sixteen_bits_are_smaller_and_worse(rng):
    model = Model(CfC(12), input_dim=2, seed=0)
    x = rng.standard_normal((8, 20, 2))
    wide, narrow = (quantise(model, x, weights=weights).report for weights in ("int32", "int16"))
    assert narrow.memory.tables < 0.6 * wide.memory.tables
    assert max(each.relative for each in narrow.errors) > 10 * max(each.relative for each in wide.errors)
    assert max(each.relative for each in narrow.errors) < 1e-3


def test_steps_are_the_sequence_and_lengths_end_it(rng):
    model = Model(LTC(AutoNCP(9, 2)), input_dim=3, seed=0)
    x, dt, lengths = rng.standard_normal((3, 7, 3)), rng.exponential(size=(3, 7)), np.array([7, 3, 0])
    quantised = quantise(model, x, dt=dt)
    whole, state = quantised.run(x, dt=dt), None
    padded = quantised.run(x, dt=dt, lengths=lengths)
    for t in range(7):
        y, state = quantised.step(x[:, t], dt=dt[:, t], state=state)
        np.testing.assert_array_equal(y, whole.y[:, t])
        np.testing.assert_array_equal(padded.y[:, t], np.where((t < lengths)[:, None], y, 0))
        ended = lengths == t + 1
        np.testing.assert_array_equal(padded.state[ended], state[ended])
    np.testing.assert_array_equal(state, whole.state)
    np.testing.assert_array_equal(quantised(x[0], dt=dt[0]), whole.y[0])
    one, single = quantised.step(x[0, 0], dt=dt[0, 0])
    assert one.shape == (2,)
    assert single.shape == (model.state_size,)


@pytest.mark.slow
def test_one_elapsed_time_is_a_constant(rng):
    """With it the program takes none, and the numbers are those of the model at that time."""
    model = Model(LTC(AutoNCP(9, 2)), input_dim=3, seed=0, dtype="float64")
    x = rng.standard_normal((4, 20, 3))
    quantised = quantise(model, x, every_dt=0.25)
    assert set(quantised.places) == {"x", "y"}
    assert quantised.golden.dt is None
    np.testing.assert_allclose(quantised(x), model(x, dt=0.25), rtol=0, atol=1e-7)
    assert np.abs(quantised(x) - model(x)).max() > 1e-3
    with pytest.raises(ValueError, match="`dt` must be left out with `every_dt`"):
        quantise(model, x, dt=0.25, every_dt=0.25)
    for bad in (lambda: quantised.step(x[:, 0], dt=0.25), lambda: quantised(x, dt=0.25)):
        with pytest.raises(ValueError, match="`dt` must be left out"):
            bad()


def test_padding_is_not_calibrated(rng):
    model = Model(Standardize(mean=[0.5], scale=[2.0]), Dense(1), input_dim=1, seed=0)
    x = rng.standard_normal((2, 6, 1))
    x[1, 3:] = 1e9
    report = quantise(model, x, lengths=[6, 3]).report
    assert next(each for each in report.formats if each.name == "x").largest < 10
    assert report.steps == 9


def test_saturated_numbers_are_counted(rng):
    model = Model(Dense(2, "tanh"), input_dim=2, seed=0)
    x = rng.uniform(-1, 1, (4, 5, 2))
    quantised = quantise(model, x, headroom=1)
    assert not quantised.report.saturated
    assert not quantised.run(x).saturated.any()
    x[2, 3] = 4
    run = quantised.run(x)
    np.testing.assert_array_equal(run.saturated, [False, False, True, False])


@pytest.mark.tools("gcc clang")
@pytest.mark.parametrize("size", [1.0, 1000.0, 1e5])
def test_a_bias_may_be_larger_than_the_outputs(size, rng, tmp_path):
    """As where inputs are all near 1 and hardly differ: the bias takes away what the weights make of 1."""
    model = Model(Dense(2), input_dim=2, seed=0, dtype="float64", backend="numpy")
    model.params["weight"][:], model.params["bias"][:] = [[size, 1], [0.5, -size]], [-size, size]
    x = 1 + 0.5 / size * rng.uniform(-1, 1, (4, 50, 2))
    quantised = quantise(model, x)
    run = quantised.run(x)
    assert not run.saturated.any() and not quantised.report.saturated
    # Half a unit each of a weight, 2**-30 size, of an input times its weight, 2**-30 size, of the bias, and of y.
    assert np.abs(run.y - model(x)).max() < 4 * size * 2.0**-30
    y, _ = in_c(quantised, tmp_path, compilers.HOST[0], x)
    np.testing.assert_array_equal(y, run.y)


def test_what_a_model_makes_of_padding_counts_nowhere(rng):
    """Of the 0 that stands there it makes a number far outside of the others: in no format, and not as saturated."""
    model = Model(Standardize(mean=[1000.0]), Dense(1), input_dim=1, seed=0)
    x = 1000 + rng.uniform(-1, 1, (2, 6, 1))
    quantised = quantise(model, x, lengths=[6, 3])
    assert next(each for each in quantised.report.formats if each.name == "y").largest < 10
    assert not any(quantised.report.saturated.values())
    assert not quantised.run(x, lengths=[6, 3]).saturated.any()


def test_a_bound_grows_with_the_spread():
    even, uneven = np.full((64, 1), 1e-6), np.full((64, 1), 1e-6)
    uneven[:4] = 1e-4
    unit = 2.0**-30
    assert bound(even, 4, unit)[0] == pytest.approx(4e-6)
    assert bound(uneven, 4, unit)[0] > 10 * 4e-4
    assert bound(np.zeros((3, 1)), 1, unit)[0] == 4 * unit


@pytest.mark.slow
@pytest.mark.parametrize("solver", cases())
def test_every_solver_of_the_ltc_is_exact_to_seven_places(solver, rng):
    model = Model(LTC(AutoNCP(19, 3), solver=solver, check_stability="off"), input_dim=4, seed=0)
    x, arguments = sequences(model, rng, 8, 50)
    assert max(each.relative for each in quantise(model, x, **arguments).report.errors) < 1e-6


def test_the_report_can_be_read(rng):
    text = str(quantise(Model(GRU(3), input_dim=2, seed=0), rng.standard_normal((4, 9, 2))).report)
    assert "calibrated on 4 sequences, 36 steps; headroom 2" in text
    assert "bytes: tables" in text
    assert len(text.splitlines()) > 8


def test_what_is_thrown_away_may_be_no_number(rng):
    """A bound makes 1 of infinity / infinity, so that the outputs are finite."""
    model = Model(LiquidS4(8, liquid_bound=1.0), input_dim=1, seed=0, dtype="float64")
    model.params["b_re"][0] = 1e100
    x = 1e6 * rng.standard_normal((2, 9, 1))
    with np.errstate(all="ignore"):
        found = quantise(model, x)
    assert np.isfinite(found(x)).all()


def test_what_cannot_be_done_says_so(rng):
    model = Model(GRU(3), input_dim=2, seed=0)
    x = rng.standard_normal((2, 3, 2))
    with pytest.raises(ValueError, match="`headroom` must be a finite number >= 1, got 0.5"):
        quantise(model, x, headroom=0.5)
    with pytest.raises(ValueError, match="`weights` must be one of 'int32', 'int16', got 'int8'"):
        quantise(model, x, weights="int8")
    with pytest.raises(ValueError, match="`dt` must be left out"):
        quantise(model, x, dt=1.0)
    with pytest.raises(ValueError, match="`x` must be"):
        quantise(model, x[..., :1])
    model.theta[:] = np.inf
    with pytest.raises(ValueError, match="`model` must have numbers with which its export can be compared: outputs"):
        quantise(model, x)
    model = Model(Dense(2), input_dim=2, seed=0, dtype="float64")
    model.params["weight"][:] = 1e200
    with pytest.raises(ValueError, match="`x` must be sequences on which the outputs of `model` are finite"):
        quantise(model, 1e150 * x)
