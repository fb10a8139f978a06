"""`Model.trace`: for every layer the states and outputs of calls; of an LTC what the equation says of every synapse."""

import math

import numpy as np
import pytest
from protocol.calls import given
from protocol.layers import CASES, each
from support.backends import BACKENDS
from support.ltc_networks import WIRINGS, make
from support.solvers import cases

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    AutoNCP,
    CfC,
    Dense,
    Entry,
    FullyConnected,
    Layer,
    Layout,
    Model,
    Standardize,
    Trace,
)
from ltc_np.kernels.codes import SOLVERS
from ltc_np.network.trace import LayerTrace

# Sums of a few numbers in another order.
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}


def alike(a, b, dtype="float64", times=1):
    """Equal up to rounding, by the largest of them: modes and gates may cancel."""
    assert a.shape == b.shape
    assert np.abs(a - b).max(initial=0) <= times * TOLERANCE[dtype] * max(1, np.abs(b).max(initial=0))


def arrays_of(trace):
    """Every array of a trace by name, those of its layers with the layer's."""
    found = {"x": trace.x, "y": trace.y} | ({} if trace.dt is None else {"dt": trace.dt})
    for layer in trace.layers:
        own = {"inputs": layer.inputs, "outputs": layer.outputs, "state": layer.state} | dict(layer.arrays)
        found |= {f"{layer.name}.{name}": array for name, array in own.items()}
    return found


# ----------------------------------------------------------------------------------------------- every layer


@pytest.mark.parametrize("dtype", TOLERANCE)
@each
def test_outputs_and_states_are_those_of_calls(layer, dtype):
    """Of the compiled backend, too: padding, elapsed times, initial states; seven sequences, one of length 0."""
    data = given(layer, B=7, dtype=dtype)
    options = {"dt": data.dt, "lengths": data.lengths, "h0": data.h0}
    for backend in BACKENDS:
        model = Model(layer, seed=0, dtype=dtype, backend=backend)
        trace = model.trace(data.x, **options)
        y, state = model(data.x, return_state=True, return_sequences=True, **options)
        alike(trace.y, y, dtype)
        (own,) = trace.layers
        assert own.layer is layer and own.name == "0"
        np.testing.assert_array_equal(own.h0, data.h0)
        np.testing.assert_array_equal(own.outputs, trace.y)
        if layer.causal:
            last = np.where((data.lengths > 0)[:, None], own.state[np.arange(7), data.lengths - 1], data.h0)
            alike(last, state, dtype)


@pytest.mark.parametrize("layer", [case for case in CASES if case.values[0].causal])
def test_states_are_those_of_step(layer):
    """To the bit where the layer promises that a sequence's bits do not depend on its batch."""
    data = given(layer)
    model = Model(layer, seed=0, dtype="float64", backend="numpy")
    trace = model.trace(data.x, data.dt, lengths=data.lengths, h0=data.h0)
    for b, length in enumerate(data.lengths):
        state = data.h0[b]
        for t in range(length):
            y, state = model.step(data.x[b, t], dt=None if data.dt is None else data.dt[b, t], state=state)
            same = np.testing.assert_array_equal if layer.bitwise_batch else alike
            same(trace.layers[0].state[b, t], state)
            same(trace.y[b, t], y)


@each
def test_shapes_dtypes_and_padding(layer):
    for dtype in TOLERANCE:
        data = given(layer, B=7, dtype=dtype)
        trace = Model(layer, seed=0, dtype=dtype, backend="numpy").trace(
            data.x, dt=data.dt, lengths=data.lengths, h0=data.h0
        )
        np.testing.assert_array_equal(trace.lengths, data.lengths)
        assert (trace.dt is None) == (not layer.takes_dt)
        for name, array in arrays_of(trace).items():
            assert array.shape[:2] == (7, 5), name
            assert array.dtype in (np.dtype(dtype), np.result_type(dtype, np.complex64)), name
            for b, length in enumerate(data.lengths):
                assert not array[b, length:].any(), name


@each
def test_a_sequence_alone(layer):
    """The same as in a batch, without its axis; and no array is one of the caller's."""
    data = given(layer)
    model = Model(layer, seed=0, dtype="float64", backend="numpy")
    whole = arrays_of(model.trace(data.x, data.dt, lengths=data.lengths, h0=data.h0))
    one = model.trace(data.x[0], **({} if data.dt is None else {"dt": data.dt[0]}), h0=data.h0[0])
    assert np.shape(one.lengths) == () and one.lengths == 5 and one.layers[0].h0.shape == (layer.state_size,)
    for name, array in arrays_of(one).items():
        # A time constant may be large, where what it is the inverse of is rounded near 0.
        alike(*(1 / a for a in (array, whole[name][0])) if name.endswith("tau") else (array, whole[name][0]))
        assert not np.may_share_memory(array, data.x) and not np.may_share_memory(array, data.h0), name


# ------------------------------------------------------------------------------------------- names and errors


def stack(**options):
    return Model(Standardize(), LTC(AutoNCP(8, 3)), CfC(5), Dense(2), input_dim=2, seed=0, dtype="float64", **options)


def test_names(rng):
    trace = stack().trace(rng.normal(size=(4, 6, 2)), dt=0.3)
    assert isinstance(trace, Trace) and all(isinstance(layer, LayerTrace) for layer in trace.layers)
    assert [layer.name for layer in trace.layers] == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(trace["gate"], trace.layers[2].arrays["gate"])
    np.testing.assert_array_equal(trace["1.tau"], trace.layers[1].arrays["tau"])
    with pytest.raises(KeyError, match=r"'tau' is of several layers: 1\.tau, 2\.tau"):
        trace["tau"]
    with pytest.raises(KeyError, match=r"no array 'Q'; there are 1\.potentials"):
        trace["Q"]
    with pytest.raises(KeyError, match=r"no array 'tau'; there are none"):
        Model(Dense(2, input_dim=2)).trace(np.zeros((1, 2)))["tau"]
    assert "potentials (4, 6, 7, 8)" in repr(trace)


def test_each_layer_gets_what_the_one_before_gives(rng):
    trace = stack().trace(rng.normal(size=(4, 6, 2)), dt=0.3)
    np.testing.assert_array_equal(trace.layers[0].inputs, trace.x)
    for one, following in zip(trace.layers, trace.layers[1:], strict=False):
        np.testing.assert_array_equal(one.outputs, following.inputs)
    np.testing.assert_array_equal(trace.layers[-1].outputs, trace.y)


def test_arguments_are_checked():
    model = stack()
    with pytest.raises(ValueError, match="`x` must be"):
        model.trace(np.zeros((3, 4, 5)))
    with pytest.raises(ValueError, match="`dt` must be"):
        model.trace(np.zeros((3, 4, 2)), -1.0)
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(LSTM(3, input_dim=2)).trace(np.zeros((3, 4, 2)), 0.5)
    with pytest.raises(ValueError, match="`h0` must have shape"):
        model.trace(np.zeros((3, 4, 2)), h0=np.zeros(2))
    with pytest.raises(TypeError, match="no argument `h_0`"):
        model.trace(np.zeros((3, 4, 2)), h_0=np.zeros(2))
    explicit = LTCRNN(AutoNCP(8, 3), 2, solver="euler", ode_unfolds=1, seed=0)
    with pytest.raises(ValueError, match="`dt` must keep"):
        explicit.trace(np.zeros((3, 4, 2)), 50.0)


def test_an_overflow_is_reported_as_by_a_call(rng):
    options = {"solver": "euler", "ode_unfolds": 1, "check_stability": "off", "seed": 0, "dtype": "float64"}
    model, x = LTCRNN(AutoNCP(8, 3), 2, backend="numpy", **options), rng.normal(size=(3, 300, 2))
    for run in (model, model.trace):
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError):
            run(x, dt=50.0)


def test_what_is_given_is_not_what_is_kept(rng):
    x, dt, lengths = rng.normal(size=(3, 4, 2)), rng.uniform(0, 1, (3, 4)), np.array([4, 2, 3])
    for more in ({"lengths": lengths}, {}):
        trace = stack().trace(x, dt, **more)
        for mine, kept in ((x, trace.x), (dt, trace.dt), (lengths, trace.lengths)):
            assert not np.may_share_memory(mine, kept)


def test_the_model_is_as_before(rng):
    """Also one that gives the last outputs only: a trace has those of every step."""
    model = stack(return_sequences=False, backend="numpy")
    theta, x = model.theta.copy(), rng.normal(size=(3, 4, 2))
    trace = model.trace(x)
    np.testing.assert_array_equal(trace.y[:, -1], model(x))
    np.testing.assert_array_equal(model.theta, theta)
    assert model.return_sequences is False


def test_it_follows_the_parameters(rng):
    model, x = stack(backend="numpy"), rng.normal(size=(3, 4, 2))
    before = model.trace(x).y
    model.theta = model.theta * 1.1
    np.testing.assert_array_equal(model.trace(x).y, model(x))
    assert not np.array_equal(before, model(x))


class Leaky(Layer):
    """A layer of a user's own, without anything for traces: a leak that does not look at its workspace."""

    takes_dt = causal = True

    def __init__(self):
        self.input_size = self.output_size = self.state_size = 2
        self.layout = Layout((Entry("rate", (2,), 0.3),))

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        y, h = np.empty_like(x), h0
        for t in range(x.shape[1]):
            h = h + (x[:, t] - h) * (1 - np.exp(-prepared["rate"] * dt[:, t, None]))
            y[:, t] = h
        return y, h, None


def test_a_layer_of_your_own(rng):
    """It shows its states without a line for that."""
    model = Model(Leaky(), Dense(1), seed=0, dtype="float64")
    x, dt = rng.normal(size=(3, 5, 2)), rng.uniform(0, 1, (3, 5))
    trace = model.trace(x, dt, lengths=[5, 0, 2])
    alike(trace.y, model(x, dt=dt, lengths=[5, 0, 2]))
    np.testing.assert_array_equal(trace.layers[0].state, trace.layers[0].outputs)
    assert not trace.layers[0].arrays


def test_a_model_of_a_card(emulator, rng):
    """Whatever the backend: the definition on the host, to the bit.  An array that lies on a card is refused."""
    models = [LTCRNN(AutoNCP(8, 3), 2, seed=0, backend=backend) for backend in ("cuda", "numpy")]
    x = rng.normal(size=(3, 4, 2)).astype(np.float32)
    a, b = (model.trace(x, 0.5)["currents"] for model in models)
    np.testing.assert_array_equal(a, b)

    class OnCard:
        __cuda_array_interface__ = None

    with pytest.raises(TypeError, match="`x` must lie on the host for a trace"):
        models[0].trace(OnCard())


# --------------------------------------------------------------------------------------------------- the LTC


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


@pytest.mark.filterwarnings("ignore:no input reaches")
@pytest.mark.parametrize("key", WIRINGS)
@pytest.mark.parametrize("solver", cases())
def test_an_ltc_synapse_by_synapse(key, solver):
    """Q, tau, leak, openings and currents by loops over Python's floats, from the potentials before the last unfold."""
    options = {} if SOLVERS[solver].limit is None else {"check_stability": "off"}
    model, x, dt, lengths = make(key, "numpy", solver=solver, ode_unfolds=3, **options)
    trace, wiring, p = model.trace(x, dt, lengths=lengths), model.wiring, model.effective
    gains = {"": wiring.gain, "sensory_": wiring.sensory_gain}
    for b in range(len(x)):
        for t in range(lengths[b]):
            v = trace["potentials"][b, t, -2]
            inputs = x[b, t]
            if "input_w" in p:
                inputs = [value * w + c for value, w, c in zip(inputs, p["input_w"], p["input_b"], strict=True)]
            Q = [g + model.layers[0].epsilon for g in p["gleak"]]
            flow = [0.0] * len(v)
            for prefix, pre, post, source in (
                ("", wiring.pre, wiring.post, v),
                ("sensory_", wiring.sensory_pre, wiring.sensory_post, inputs),
            ):
                for s, (j, i) in enumerate(zip(pre, post, strict=True)):
                    opening = sigmoid(p[f"{prefix}sigma"][s] * (source[j] - p[f"{prefix}mu"][s]))
                    a = p[f"{prefix}w"][s] * opening * (1 if gains[prefix] is None else gains[prefix][s])
                    current = a * (p[f"{prefix}erev"][s] - v[i])
                    assert trace[f"{prefix}activations"][b, t, s] == pytest.approx(opening, rel=1e-13)
                    assert trace[f"{prefix}currents"][b, t, s] == pytest.approx(current, rel=1e-12, abs=1e-15)
                    Q[i] += a
                    flow[i] += current
            for i in range(len(v)):
                leak = p["gleak"][i] * (p["vleak"][i] - v[i]) - model.layers[0].epsilon * v[i]
                assert trace["leak"][b, t, i] == pytest.approx(leak, rel=1e-12, abs=1e-15)
                assert trace["conductance"][b, t, i] == pytest.approx(Q[i], rel=1e-13)
                assert trace["tau"][b, t, i] == pytest.approx(p["cm"][i] / Q[i], rel=1e-13)
                assert trace["slope"][b, t, i] == pytest.approx((leak + flow[i]) / p["cm"][i], rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("solver", cases())
def test_potentials_at_every_unfold(solver, rng):
    """They begin with the state before the step and end with that after it; between them lie shorter steps."""
    wiring = AutoNCP(9, 2)
    model = LTCRNN(wiring, 3, solver=solver, ode_unfolds=4, seed=0, dtype="float64", backend="numpy")
    one = LTCRNN(wiring, 3, solver=solver, ode_unfolds=1, seed=0, dtype="float64", backend="numpy")
    one.theta = model.theta
    x, dt, h0 = rng.normal(size=(2, 5, 3)), rng.uniform(0, 0.4, (2, 5)), rng.normal(size=(2, 9))
    trace = model.trace(x, dt, h0=h0)
    potentials, (layer,) = trace["potentials"], trace.layers
    assert potentials.shape == (2, 5, 5, 9)
    np.testing.assert_array_equal(potentials[:, 0, 0], h0)
    np.testing.assert_array_equal(potentials[:, 1:, 0], layer.state[:, :-1])
    np.testing.assert_array_equal(potentials[:, :, -1], layer.state)
    for b in range(2):
        for t in range(5):
            for u in range(4):
                _, after = one.step(x[b, t], dt=dt[b, t] / 4, state=potentials[b, t, u])
                np.testing.assert_allclose(potentials[b, t, u + 1], after, rtol=0, atol=1e-14)


@pytest.mark.parametrize("solver", cases())
def test_currents_explain_the_change_of_potential(solver, rng):
    """cm dv/dt is the sum of a neuron's currents and its leak: the error of one short step falls with its square."""
    model = LTCRNN(AutoNCP(9, 2), 3, solver=solver, ode_unfolds=1, seed=0, dtype="float64")
    wiring, x, h0 = model.wiring, rng.normal(size=(4, 1, 3)), rng.normal(size=(4, 9))
    errors = []
    for dt in (1e-3, 1e-4):
        trace = model.trace(x, dt, h0=h0)
        total = trace["leak"].copy()
        for name, post in (("currents", wiring.post), ("sensory_currents", wiring.sensory_post)):
            for s, i in enumerate(post):
                total[..., i] += trace[name][..., s]
        change = trace["potentials"][:, :, -1] - trace["potentials"][:, :, 0]
        errors.append(np.abs(change - total * dt / model.effective["cm"]).max())
    if solver == "euler":  # which is that sum
        assert max(errors) < 1e-15
    else:
        assert 0 < errors[0] < 1e-3
        assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)


def test_time_constants_of_a_leak_alone():
    """A neuron without open synapses relaxes with tau = cm / gleak: after a step of tau 1/e of the way is left."""
    options = {"solver": "exponential", "ode_unfolds": 1, "seed": 0, "dtype": "float64"}
    model = LTCRNN(FullyConnected(3, 1), 1, init={"mu": 1e3, "sensory_mu": 1e3, "sigma": 5.0}, **options)
    tau, rest = model.trace(np.zeros((1, 1)))["tau"][0], model.effective["vleak"]
    for i in range(3):
        potentials = model.trace(np.zeros((1, 1)), tau[i], h0=np.ones(3))["potentials"][0]
        assert (potentials[-1, i] - rest[i]) / (1 - rest[i]) == pytest.approx(math.exp(-1), rel=1e-6)


# --------------------------------------------------------------------------------------------------- the CfC


@pytest.mark.parametrize("variant", ["torch", "keras", "tf", "paper"])
@pytest.mark.parametrize("mode", ["default", "no_gate", "pure"])
def test_gates_of_a_cfc_make_its_state(mode, variant, rng):
    """The table of the class, from the named arrays; the heads from the backbone and the parameters."""
    init = {"w_tau": (0.2, 0.5), "a": (0.5, 1.5)} if mode == "pure" else None
    model = Model(
        CfC(4, input_dim=3, mode=mode, variant=variant, backbone_units=6, backbone_layers=2, init=init),
        seed=0,
        dtype="float64",
    )
    x, dt, h0 = rng.normal(size=(3, 5, 3)), rng.uniform(0, 2, (3, 5)), rng.normal(size=(3, 4))
    trace, p = model.trace(x, dt, h0=h0), model.effective
    (layer,) = trace.layers
    before, d = np.concatenate([h0[:, None], layer.state[:, :-1]], axis=1), dt[:, :, None]
    u = trace["backbone_1"]
    f = {k: u @ p[f"{k}_w"] + p[f"{k}_b"] for k in ("ff1", "ff2", "time_a", "time_b") if f"{k}_w" in p}
    if mode == "pure":
        rate = np.abs(p["w_tau"]) + (1 / (1 + np.exp(-f["ff1"])) if variant == "paper" else np.abs(f["ff1"]))
        alike(trace["ff1"], f["ff1"])
        alike(trace["tau"], 1 / rate)
        decay = np.exp(-d / trace["tau"])
        if variant == "paper":
            new = p["a"] + (before - p["a"]) * decay / (1 + np.exp(f["ff1"]))
        else:
            new = p["a"] - p["a"] * decay * f["ff1"]
    else:
        squash = {"keras": lambda a: a, "tf": lambda a: 1.7159 * np.tanh(0.666 * a)}.get(variant, np.tanh)
        argument = f["time_a"] * (d if variant == "torch" else -d) + f.get("time_b", 0)
        alike(trace["gate"], 1 / (1 + np.exp(-argument)))
        alike(trace["time_a"], f["time_a"])
        alike(trace["tau"], 1 / np.abs(f["time_a"]), times=100)  # a t_a near 0 magnifies its rounding
        alike(trace["ff1"], squash(f["ff1"]), times=100 if variant == "tf" else 1)
        alike(trace["ff2"], squash(f["ff2"]), times=100 if variant == "tf" else 1)
        s = trace["gate"]
        new = (1 - s if mode == "default" else 1) * trace["ff1"] + s * trace["ff2"]
    alike(layer.state, new)
    z = np.concatenate([x, before], axis=2) @ p["backbone_w0"] + p["backbone_b0"]
    alike(trace["backbone_0"], 1.7159 * np.tanh(0.666 * z))
