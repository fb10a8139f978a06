"""Spiking neurons: against snnTorch and a PyTorch loop (golden/make_spiking_lif.py), by hand, physics, gradients."""

import numpy as np
import pytest
from support import golden

from ltc_np import Adam, Dense, Model, SpikingLIF, gradcheck, load, set_num_threads
from ltc_np.cells.spiking_lif import FLUSH_STEPS

CASES = golden.cases("spiking_lif")
OPTIONS = [
    {},
    {"refractory": 1.3, "surrogate": "arctan"},
    {"recurrent": True, "reset": -0.3},
    {"recurrent": True, "refractory": 0.7, "reset": "subtract", "surrogate": "arctan"},
]
each_option = pytest.mark.parametrize("options", OPTIONS)


def raw(tau):
    """What softplus makes tau of."""
    return np.log(np.expm1(tau))


def lively(N=5, I=2, backend="numpy", dtype="float64", **options):
    """A model whose neurons spike at a fifth of the steps or so."""
    model = Model(SpikingLIF(N, input_dim=I, tau=3.0, slope=4.0, **options), seed=1, dtype=dtype, backend=backend)
    model.params["w_x"] = 2 * model.params["w_x"]
    return model


def test_there_are_golden_cases():
    assert len(CASES) == 7


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_other_implementations(case, dtype, backend):
    file, options = golden.read("spiking_lif", case, "options")
    I, N = file["w_x"].shape
    model = Model(SpikingLIF(N, input_dim=I, **options), seed=0, dtype=dtype, backend=backend)
    for name in model.params:
        model.params[name] = raw(file[name]) if name == "tau" else file[name]
    given = {"dt": file["dt"], "h0": file["h0"]}
    y, state = model(file["x"], **given, return_state=True)
    # No potential is nearer to the threshold than 1e-5, so roundings change no spike.
    assert file["margin"] > 1e-5
    assert np.array_equal(y, file["y"])
    outputs, gradients = golden.tolerances(dtype, (1e-13, 1e-12))
    assert np.abs(state - file["hT"]).max() <= outputs
    _, tape = model.forward(file["x"], **given)
    g = model.backward(tape, file["c"], file["d"])
    found = {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}
    found["tau"] = found["tau"] / -np.expm1(-file["tau"])  # of tau, not of its raw value
    for name, value in found.items():
        want = file[f"d_{name}"]
        if name == "dt":  # the loop skips steps with dt = 0
            value = value * (file["dt"] > 0)
        assert np.abs(value - want).max() <= gradients * np.abs(want).max(), name


def test_two_steps_by_hand(backend):
    """One neuron that is silent, then spikes; dt = tau, so that a step goes 1 - 1/e of the way to the current."""
    e, slope = 1 - np.exp(-1), 3.0
    model = Model(
        SpikingLIF(1, input_dim=1, tau=2.0, slope=slope, reset=0.25), seed=0, dtype="float64", backend=backend
    )
    model.params["w_x"], model.params["b"] = 1.5, 0.1
    x = np.array([[0.4], [1.9]])
    y, tape = model.forward(x, dt=2.0)
    V1 = 0.7 * e
    V2 = V1 + (2.95 - V1) * e
    assert V1 < 1 < V2
    assert y.ravel().tolist() == [0, 1]
    d1, d2 = (1 / (1 + slope * abs(V - 1)) ** 2 for V in (V1, V2))
    # loss = a y1 + b y2 + c v2
    a, b, c = 0.5, -1.2, 0.7
    g = model.backward(tape, np.array([[a], [b]]), np.array([c]))
    # v2 = (1 - y2) V2 + 0.25 y2 with y2 = 1, and v1 = (1 - y1) V1 + 0.25 y1 with y1 = 0
    d_V2 = d2 * (b + c * (0.25 - V2))
    d_v1 = d_V2 * (1 - e)
    d_V1 = d_v1 + d1 * (a + d_v1 * (0.25 - V1))
    np.testing.assert_allclose(g.x.ravel(), [1.5 * d_V1 * e, 1.5 * d_V2 * e], rtol=1e-14)
    d = model.views(g.theta)
    np.testing.assert_allclose(d["b"], (d_V1 + d_V2) * e, rtol=1e-14)
    # 1 - exp(-dt / tau) falls with tau by dt / tau**2 exp(-dt / tau); the last factor is softplus'
    d_tau = -(d_V1 * 0.7 + d_V2 * (2.95 - V1)) * np.exp(-1) / 2
    np.testing.assert_allclose(d["tau"], d_tau * -np.expm1(-2), rtol=1e-14)


@pytest.mark.few(4)
@each_option
@pytest.mark.parametrize(("B", "T", "I", "N"), [(3, 4, 2, 5), (5, 4, 2, 5), (4, 4, 3, 5), (3, 4, 5, 5), (2, 1, 3, 17)])
def test_gradients_of_the_relaxed_layer(B, T, I, N, options, backend):
    rng = np.random.default_rng(B + T)
    model = lively(N, I, backend, relaxed=True, **options)
    lengths = np.array([T, 0, *[1] * (B - 2)])
    x, dt = rng.normal(size=(B, T, I)), rng.uniform(0.1, 2, (B, T))
    h0 = rng.normal(size=(B, model.state_size))
    errors = gradcheck.check(model, x, dt=dt, lengths=lengths, h0=h0)
    assert max(errors.values()) < 1e-6, errors


@each_option
def test_the_relaxed_layer_becomes_the_real_one(options):
    """The steeper its step, the nearer; where the real layer's potentials keep away from the threshold."""
    x, dt = np.random.default_rng(0).normal(size=(3, 6, 2)), 0.8
    want = lively(**options)(x, dt=dt)
    assert 0.05 < want.mean() < 0.5
    layer, errors = lively(**options).layers[0], []
    for slope in (1e3, 1e5):
        # The fast sigmoid's antiderivative goes from 1/2 - 1/slope to 1/2 + 1/slope, so it is never a step.
        model = Model(
            SpikingLIF(**layer.config() | {"relaxed": True, "surrogate": "arctan", "slope": slope}), dtype="float64"
        )
        model.theta = lively(**options).theta
        errors.append(np.abs(model(x, dt=dt) - want).max())
    assert errors[1] < 0.02 * errors[0]
    assert errors[1] < 1e-3


@each_option
def test_gradient_along_a_direction_at_a_realistic_size(options):
    rng = np.random.default_rng(0)
    model = Model(
        SpikingLIF(40, input_dim=3, tau=3.0, slope=2.0, relaxed=True, **options),
        Dense(2),
        seed=1,
        dtype="float64",
    )
    x, dt = rng.normal(size=(33, 20, 3)), rng.uniform(0.1, 1, (33, 20))
    assert gradcheck.direction(model, x, dt=dt, lengths=rng.integers(0, 21, 33)) < 1e-6


def test_gradients_of_more_steps_than_are_summed_at_once():
    model = Model(SpikingLIF(3, input_dim=2, relaxed=True), seed=0, dtype="float64", backend="numpy")
    x = np.random.default_rng(0).normal(size=(2, FLUSH_STEPS + 44, 2))
    assert gradcheck.direction(model, x, dt=0.5) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("reset", [0.0, "subtract"])
@pytest.mark.parametrize("refractory", [0.0, 1.5])
def test_firing_rate_is_the_exact_one_as_steps_become_small(refractory, reset, backend):
    """Under a constant current I a spike comes every refractory + tau ln(I / (I - threshold))."""
    tau, currents = 4.0, np.array([0.5, 0.99, 1.2, 2.0, 5.0])
    layer = SpikingLIF(5, input_dim=1, tau=tau, refractory=refractory, reset=reset)
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    model.params["w_x"], model.params["b"] = 0.0, currents
    silent, period = currents < 1, refractory + tau * np.log(currents[2:] / (currents[2:] - 1))
    errors = []
    for dt in (0.1, 0.01):
        y = model(np.zeros((1, int(100 / dt), 1)), dt=dt)[0]
        assert (y[:, silent] == 0).all()
        times = [dt * (1 + np.flatnonzero(spikes)) for spikes in y[:, ~silent].T]
        found = np.array([np.diff(t).mean() for t in times])
        assert (found >= period * (1 - 1e-12)).all()  # a spike is seen at the end of the step it falls into
        assert (found <= period + 2 * dt).all()  # the refractory time, too, ends within a step
        errors.append(np.abs(found - period).max())
    assert errors[1] < errors[0] / 3


def test_the_first_spike_comes_when_the_potential_reaches_the_threshold(backend):
    model = Model(SpikingLIF(1, input_dim=1, tau=5.0), seed=0, dtype="float64", backend=backend)
    model.params["w_x"], model.params["b"] = 0.0, 3.0
    first = 5 * np.log(3 / 2)
    for dt, spike in ((first - 1e-9, 0), (first + 1e-9, 1)):
        for cuts in ([1.0], [0.3, 0.7], [0.5, 0.0, 0.2, 0.3]):  # the steps are exact, however they are cut
            y = model(np.zeros((len(cuts), 1)), dt=dt * np.array(cuts))
            assert y.ravel().tolist() == [0] * (len(cuts) - 1) + [spike]


def test_a_potential_at_the_threshold_spikes(backend):
    """Exactly at it, where the current holds it."""
    model = Model(SpikingLIF(2, input_dim=1), seed=0, dtype="float64", backend=backend)
    model.params["w_x"], model.params["b"] = 0.0, [1.0, np.nextafter(1, 0)]
    assert model(np.zeros((1, 1)), dt=0.5, h0=[1.0, np.nextafter(1, 0)]).tolist() == [[1, 0]]


@pytest.mark.parametrize("reset", [0.0, 0.4, "subtract"])
def test_the_potential_waits_and_a_step_beyond_the_refractory_time_goes_on(reset, backend):
    """A spike, then steps within the refractory time, then one that is longer than what is left of it."""
    model = Model(
        SpikingLIF(1, input_dim=1, tau=5.0, reset=reset, refractory=2.0), seed=0, dtype="float64", backend=backend
    )
    model.params["w_x"], model.params["b"] = 1.0, 0.0
    x, h0 = np.array([[30.0], [40.0], [50.0], [0.8]]), np.zeros(2)
    y, state = model(x[:1], dt=1.0, h0=h0, return_state=True)
    V = 30 * -np.expm1(-0.2)
    after = V - 1 if reset == "subtract" else reset
    assert y == 1
    np.testing.assert_allclose(state, [after, 2.0], rtol=1e-14)
    y, later = model(x[1:3], dt=[0.5, 0.75], h0=state, return_state=True)
    assert (y == 0).all()  # although, lowered by the threshold, it is above it
    assert later[0] == state[0]
    assert later[1] == 0.75
    y, end = model(x[3:], dt=1.75, h0=later, return_state=True)
    np.testing.assert_allclose(end[0] + (reset == "subtract") * y[0, 0], 0.8 + (after - 0.8) * np.exp(-0.2), rtol=1e-14)


def test_gradient_of_an_elapsed_time_of_zero(backend):
    """Of the potential: its slope, (I - v) / tau; nothing while the neuron is refractory."""
    model = Model(SpikingLIF(2, input_dim=1, tau=5.0, refractory=1.0), seed=0, dtype="float64", backend=backend)
    model.params["w_x"], model.params["b"] = 0.0, [0.7, 0.2]
    for rest, slope in (([0.0, 0.0], [0.4 / 5, -0.3 / 5]), ([0.0, 0.5], [0.4 / 5, 0])):
        h0 = np.array([0.3, 0.5, *rest])
        _, tape = model.forward(np.zeros((1, 1)), dt=0.0, h0=h0)
        g = model.backward(tape, np.zeros((1, 2)), np.array([1.0, 2.0, 0, 0]))
        np.testing.assert_allclose(g.dt, slope @ np.array([1, 2]), rtol=1e-13)
        assert g.h0.tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize(("dtype", "tau"), [("float32", 1e-6), ("float64", 1e-15)])
def test_a_waiting_neuron_hands_its_adjoint_on_exactly(dtype, tau, backend):
    """Longer refractory than the step, it does nothing but wait; a small tau does not drown that."""
    model = Model(SpikingLIF(1, input_dim=1, tau=tau, refractory=1.0), seed=0, dtype=dtype, backend=backend)
    model.params["b"] = 0.7
    d_rest = np.dtype(dtype).type(0.003)
    for dt in (0.25, 0.5, 1.0):
        _, tape = model.forward(np.zeros((1, 1)), dt=dt, h0=[0.3, 0.75])
        g = model.backward(tape, np.ones((1, 1)), [1.0, d_rest])
        assert g.dt == (-d_rest if dt < 0.75 else -g.h0[1])  # a longer wait is a shorter time to be active
        assert (g.h0[1] == d_rest) == (dt < 0.75)


def test_recurrent_spikes_wait_for_elapsed_time(backend):
    """A step with dt = 0 gives no spike and does not use up those that are on their way."""
    model = lively(backend=backend, recurrent=True, refractory=0.3)
    model.params["w_h"] = 4 * model.params["w_h"]
    x, dt = np.random.default_rng(3).normal(size=(2, 9, 2)), np.full(9, 0.8)
    dt[[2, 5, 6]] = 0
    y, state = model(x, dt=dt, return_state=True)
    kept = dt > 0
    want, end = model(x[:, kept], dt=dt[kept], return_state=True)
    assert want[:, :-1].any()
    assert np.array_equal(y[:, kept], want)
    assert not y[:, ~kept].any()
    assert np.array_equal(state, end)


@pytest.mark.slow
@pytest.mark.few(2)
@each_option
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_for_every_number_of_threads(dtype, options, backend):
    """The batch is cut by its size alone, and is cut here."""
    rng = np.random.default_rng(0)
    B, T, N = 70, 90, 96
    layer = SpikingLIF(N, input_dim=3, **options)
    assert layer._parts(B, T) > 1
    assert layer._parts(15, T) == 1
    x, y, lengths = rng.normal(size=(B, T, 3)), rng.normal(size=(B, T, N)), rng.integers(0, T + 1, B)
    model, results = Model(layer, seed=0, dtype=dtype, backend=backend), []
    try:
        for n in (1, 2, 5):
            set_num_threads(n)
            results.append((model(x, lengths=lengths), model.loss_and_grad(x, y, lengths=lengths)[1]))
    finally:
        set_num_threads(None)
    for outputs, gradient in results[1:]:
        assert np.array_equal(outputs, results[0][0])
        assert np.array_equal(gradient, results[0][1])


def test_initial_values():
    layer = SpikingLIF(50, input_dim=8, recurrent=True, threshold=2.0, tau=0.02)
    model = Model(layer, seed=0, dtype="float64")
    np.testing.assert_allclose(model.effective["tau"], 0.02, rtol=1e-12)
    for name, rows in (("w_x", 8), ("w_h", 50)):
        limit = 2 * np.sqrt(30 / rows)
        assert 0.9 * limit < np.abs(model.params[name]).max() <= limit
    assert (model.params["b"] == 0).all()
    # White input of unit variance: fluctuations of 0.7 thresholds, and neither silence nor a storm.
    model = Model(SpikingLIF(100, input_dim=8), seed=0, dtype="float64")
    rate = model(np.random.default_rng(0).normal(size=(8, 200, 8))).mean()
    assert 0.005 < rate < 0.1


@pytest.mark.parametrize(
    "shown",
    [
        "SpikingLIF(5, input_dim=2)",
        "SpikingLIF(5, input_dim=2, recurrent=True, threshold=2.0, reset=-0.5, refractory=1.5)",
        "SpikingLIF(5, input_dim=2, reset='subtract', surrogate='arctan', slope=25.0, tau=3.0, relaxed=True)",
    ],
)
def test_repr_shows_what_is_not_the_default(shown):
    assert repr(eval(shown)) == shown


def test_repr_does_not_show_the_defaults_that_were_given():
    assert (
        repr(SpikingLIF(5, input_dim=2, surrogate="arctan", slope=2, tau=10))
        == "SpikingLIF(5, input_dim=2, surrogate='arctan')"
    )


@pytest.mark.slow
def test_it_learns_which_input_came_first(tmp_path):
    """Two channels of events; the label is the one whose events lead."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 128)
    x = rng.random((128, 20, 2)) < 0.1
    for b, k in enumerate(label):
        x[b, 2:6, k] = x[b, 10:14, 1 - k] = True
    model = Model(
        SpikingLIF(24, input_dim=2, recurrent=True, tau=8.0, slope=5.0),
        Dense(2),
        seed=0,
        return_sequences=False,
    )
    x = x.astype(np.float32)
    first = model.evaluate(x, label, loss="cross_entropy")["loss"]
    model.fit(x, label, loss="cross_entropy", epochs=40, batch_size=32, optimizer=Adam(0.01), seed=0, verbose=False)
    assert model.evaluate(x, label, loss="cross_entropy")["loss"] < first / 4
    model.save(tmp_path / "lif.npz")
    assert np.array_equal(load(tmp_path / "lif.npz")(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        ({"input_dim": 2.5}, TypeError, "`input_dim` must be an int >= 1, got 2.5"),
        ({"recurrent": 1}, TypeError, "`recurrent` must be a bool, got 1"),
        ({"threshold": 0}, ValueError, "`threshold` must be a finite number > 0, got 0"),
        ({"reset": "zero"}, ValueError, "`reset` must be a number or \"subtract\", got 'zero'"),
        ({"reset": 1.0}, ValueError, "`reset` must be < `threshold` = 1, got 1.0"),
        ({"reset": np.nan}, ValueError, "`reset` must be a finite number, got nan"),
        ({"refractory": -1}, ValueError, "`refractory` must be a finite number >= 0, got -1"),
        ({"surrogate": "atan"}, ValueError, "`surrogate` must be one of 'fast_sigmoid', 'arctan', got 'atan'"),
        ({"slope": 0}, ValueError, "`slope` must be a finite number > 0, got 0"),
        ({"tau": 0.0}, ValueError, "`tau` must be a finite number > 0, got 0.0"),
        ({"relaxed": None}, TypeError, "`relaxed` must be a bool, got None"),
        ({"init": {"w_h": 1.0}}, ValueError, "`init` has an unknown parameter 'w_h'; there are w_x, b, tau"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        SpikingLIF(**({"units": 5, "input_dim": 2} | arguments))


@pytest.mark.single
def test_long_float32_gradients(backend):
    """The gradients of b and tau go to float64 after some steps: constant input gives terms of one sign.

    Potentials and spikes are of float32, so the terms differ by some 1e-7, those of tau by some 1e-6.
    """
    T = 20_000 if backend == "cpu" else 2000
    x, gradients = np.full((1, T, 2), 0.3, np.float32), {}
    layer = SpikingLIF(4, input_dim=2, tau=3.0, threshold=0.3, init={"b": 0.5, "w_x": 0.1})
    for dtype in ("float64", "float32"):
        model = Model(layer, seed=1, dtype=dtype, backend=backend)
        model.theta = Model(layer, seed=1).theta
        _, tape = model.forward(x)
        gradients[dtype] = model.views(model.backward(tape, np.ones((1, T, 4))).theta)
    for name, tolerance in (("b", 1e-6), ("tau", 1e-5)):
        exact = gradients["float64"][name]
        assert np.abs(gradients["float32"][name] - exact).max() < tolerance * np.abs(exact).max(), name
