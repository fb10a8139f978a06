"""The cell protocol: every registered layer does what it declares."""

import copy
import pickle

import numpy as np
import pytest

from ltc_np import (
    CTGRU,
    CTRNN,
    GRU,
    LSTM,
    LTC,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    Dropout,
    FullyConnected,
    InputMapping,
    MixedMemory,
    Model,
    NeuralODE,
    Random,
    RandomWiring,
    Residual,
    SpikingLIF,
    WiredCfC,
    gradcheck,
)
from ltc_np.layers import LAYERS

FLAGS = ("takes_dt", "dt0_identity", "hull", "smooth", "causal", "reads_wiring", "bitwise_batch")

# The expected flags stand here a second time, so that nobody turns one off quietly.  Where they depend on a layer's
# arguments, it stands here several times, with a word behind its name.
EXPECTED = {
    "LTC": (True, True, True, True, True, True, True),
    "LTC exponential": (True, True, True, True, True, True, True),
    "LTC explicit": (True, True, False, True, True, True, True),
    "CfC": (True, False, False, True, True, False, False),
    "CfC pure": (True, False, False, False, True, False, False),  # |w_tau|
    "WiredCfC": (True, False, False, True, True, True, False),
    "WiredCfC pure": (True, False, False, False, True, True, False),
    "LSTM": (False, False, False, True, True, False, False),
    "GRU": (False, False, False, True, True, False, False),
    "CTGRU": (True, False, False, True, True, False, False),
    "CTRNN": (True, True, False, True, True, False, True),
    "NeuralODE": (True, True, False, True, True, False, True),
    "SpikingLIF": (True, True, False, False, True, False, False),
    "MixedMemory": (True, False, False, True, True, True, False),
    "Bidirectional": (True, True, True, True, False, True, True),
    "Bidirectional CfC": (True, False, False, True, False, False, False),
    "Bidirectional LSTM": (False, False, False, True, False, False, False),
    "Bidirectional memory": (True, False, False, True, False, True, False),
    "Residual": (True, True, True, True, True, True, False),
    "Residual LTC": (True, True, True, True, True, True, True),
    "Residual Dense": (False, True, True, True, True, False, False),
    "Residual both ways": (True, False, False, True, False, False, False),
    "InputMapping": (False, True, True, True, True, False, True),
    "Dropout": (False, True, True, True, True, False, True),
    "Dense": (False, True, True, True, True, False, False),
}
EXAMPLES = {
    "LTC": [
        LTC(AutoNCP(8, 3), 2),
        LTC(FullyConnected(5, 3), 2, ode_unfolds=3, positivity="clip", input_mapping=None, output_mapping="linear"),
        LTC(RandomWiring(2, 3, 6, seed=0), epsilon=0.0),
    ],
    "LTC exponential": [LTC(AutoNCP(8, 3), 2, ode_unfolds=3, solver="exponential")],
    "LTC explicit": [
        LTC(AutoNCP(8, 3), 2, ode_unfolds=5, solver="euler", init={"cm": 3.0}),
        LTC(AutoNCP(8, 3), 2, ode_unfolds=4, solver="rk4", init={"cm": 3.0}),
    ],
    "CfC": [
        CfC(5, 2, backbone_units=17),
        CfC(2, 2, mode="no_gate", variant="keras", backbone_units=7, backbone_layers=2, backbone_activation="silu"),
        CfC(18, 2, variant="paper", backbone_layers=0),
        CfC(4, 2, backbone_units=5, backbone_layers=2, backbone_activation="gelu", backbone_dropout=0.5),
    ],
    "CfC pure": [
        CfC(3, 2, mode="pure", backbone_units=6, backbone_activation="tanh", init={"w_tau": (0.2, 0.5)}),
        CfC(17, 2, mode="pure", variant="paper", backbone_units=6, init={"w_tau": (-0.5, -0.2)}),
    ],
    "WiredCfC": [
        WiredCfC(AutoNCP(8, 3), 2),
        WiredCfC(AutoNCP(8, 2), 2, strict=True, variant="paper"),
        WiredCfC(FullyConnected(5, 3), 2, mode="no_gate", variant="keras"),
    ],
    "WiredCfC pure": [WiredCfC(Random(5, 2, 0.5), 2, strict=True, mode="pure", init={"recurrent_w_tau": 0.3})],
    "LSTM": [LSTM(5, 2), LSTM(3, 2, forget_bias=0.0), LSTM(20, 2, init={"b": (-0.5, 0.5)})],
    "GRU": [GRU(5, 2), GRU(3, 2, init={"b_hn": (-0.5, 0.5)}), GRU(20, 2)],
    "CTGRU": [
        CTGRU(5, 2),
        CTGRU(3, 2, scales=1, decay="after"),
        CTGRU(18, 2, scales=3, tau_min=0.1, tau_ratio=2.0, init={"b": (-0.5, 0.5)}),
    ],
    "CTRNN": [
        CTRNN(5, 2),
        CTRNN(2, 2, solver="euler", ode_unfolds=3, activation="sigmoid", check_stability="warn", tau=2.0),
        CTRNN(17, 2, solver="rk4", ode_unfolds=2, activation="gelu", init={"tau": (0.5, 2.0)}),
        CTRNN(4, 2, global_feedback=False, activation="silu"),
    ],
    "NeuralODE": [NeuralODE(5, 2, ode_unfolds=2), NeuralODE(3, 2, solver="euler", activation="lecun_tanh")],
    "SpikingLIF": [
        SpikingLIF(5, 2, tau=3.0, slope=5.0, init={"b": (1.0, 3.0)}),
        SpikingLIF(18, 2, tau=2.0, refractory=0.7, surrogate="arctan", init={"b": (1.0, 3.0)}),
        SpikingLIF(3, 2, recurrent=True, reset="subtract", refractory=0.4, tau=2.0, slope=3.0, init={"b": (2.0, 4.0)}),
        SpikingLIF(4, 2, recurrent=True, reset=-0.2, threshold=0.8, surrogate="arctan", relaxed=True),
    ],
    "MixedMemory": [
        MixedMemory(LTC(FullyConnected(5, 3), 2, ode_unfolds=2)),
        MixedMemory(LTC(AutoNCP(6, 2), 6, ode_unfolds=3, solver="exponential"), "keras", 0.5, input_dim=2),
        MixedMemory(LTC(RandomWiring(3, 2, 4, seed=0), ode_unfolds=1), "keras", input_dim=2),
    ],
    "Bidirectional": [
        Bidirectional(LTC(AutoNCP(6, 2), 2, ode_unfolds=2)),
        Bidirectional(LTC(RandomWiring(2, 2, 4, seed=0), ode_unfolds=2), "sum"),
    ],
    "Bidirectional CfC": [
        Bidirectional(CfC(3, 2, backbone_units=5, backbone_layers=2, backbone_dropout=0.5), "sum"),
    ],
    "Bidirectional LSTM": [Bidirectional(LSTM(3, 2))],
    "Bidirectional memory": [Bidirectional(MixedMemory(LTC(FullyConnected(3, 2), 2, ode_unfolds=1)))],
    "Residual": [Residual(LTC(AutoNCP(6, 3), 2, ode_unfolds=2), Dense(3, 2, "tanh"))],
    "Residual LTC": [Residual(LTC(FullyConnected(4, 2), 2, ode_unfolds=3), Dropout(2, 0.5))],
    "Residual Dense": [Residual(Dense(2, 2, "silu")), Residual(Residual(Dense(2, 2)), Dropout(2, 0.2), Dense(2, 2))],
    "Residual both ways": [Residual(Bidirectional(CfC(2, 2, backbone_units=5), "sum"), LSTM(2, 2))],
    "InputMapping": [InputMapping(2), InputMapping(2, "linear"), InputMapping(2, None)],
    "Dropout": [Dropout(2, 0.5), Dropout(2, 0.0)],
    "Dense": [Dense(2, 3), Dense(2, 3, "tanh"), Dense(2, 3, "sigmoid"), Dense(2, 3, "silu")],
}
CASES = [pytest.param(layer, id=f"{name}-{k}") for name, layers in EXAMPLES.items() for k, layer in enumerate(layers)]
each = pytest.mark.parametrize("layer", CASES)


def data(B=3, T=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, 2)), rng.uniform(0.1, 2, (B, T))


def dt_of(layer, dt):
    return dt if layer.takes_dt else None


def test_every_registered_layer_is_tested_here():
    assert set(EXPECTED) == set(EXAMPLES)
    assert set(LAYERS) == {name.split()[0] for name in EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_declared_flags(name):
    for layer in EXAMPLES[name]:
        assert type(layer).__name__ == name.split()[0]
        assert tuple(bool(getattr(layer, flag)) for flag in FLAGS) == EXPECTED[name]


def test_relu_is_not_smooth():
    assert not Dense(2, 3, "relu").smooth
    assert not CfC(2, 3, backbone_activation="relu").smooth
    assert CfC(2, 3, backbone_activation="relu", backbone_layers=0).smooth
    assert not CTRNN(2, 3, activation="relu").smooth


@each
def test_gradients(layer, backend):
    if layer.surrogate_gradient:  # a spike has no derivative; the relaxed layer has the same backward pass
        layer = SpikingLIF(**layer.config() | {"relaxed": True})
    x, dt = data()
    errors = gradcheck.check(
        Model(layer, seed=1, dtype="float64", backend=backend), x, dt_of(layer, dt), lengths=[5, 0, 2]
    )
    assert max(errors.values()) < 1e-6, errors


SPIKES = SpikingLIF(2, 2)


@pytest.mark.parametrize(
    "layers",
    [
        (SPIKES,),
        (Dense(2, 2), SPIKES),
        (Residual(Dense(2, 2), SPIKES),),
        (Bidirectional(MixedMemory(SPIKES)),),
    ],
)
def test_surrogate_gradients_are_not_checked_by_differences(layers):
    x, _ = data()
    for check in (gradcheck.check, gradcheck.direction):
        with pytest.raises(ValueError, match="cannot confirm a surrogate gradient, got .*SpikingLIF.*relaxed=True"):
            check(Model(*layers, seed=0, dtype="float64"), x)


def test_which_gradients_are_surrogates():
    for name, layers in EXAMPLES.items():
        for layer in layers:
            assert layer.surrogate_gradient == (name == "SpikingLIF" and not layer.relaxed)


def test_relu_gradients_away_from_the_kink(backend):
    x, _ = data()
    assert max(gradcheck.check(Model(Dense(2, 3, "relu"), seed=1, dtype="float64", backend=backend), x).values()) < 1e-6


@each
def test_sizes_and_state(layer, backend):
    model = Model(layer, seed=0, backend=backend)
    x, dt = data()
    y, state = model(x, dt_of(layer, dt), return_state=True)
    assert y.shape == (3, 5, layer.output_size)
    assert state.shape == (3, layer.state_size)
    assert y.dtype == state.dtype == np.float32
    covered = [i for s in layer.state_slices.values() for i in range(*s.indices(layer.state_size))]
    assert sorted(covered) == list(range(layer.state_size))


@each
def test_elapsed_time(layer, backend):
    model = Model(layer, seed=0, backend=backend)
    x, _ = data()
    if not layer.takes_dt:
        with pytest.raises(ValueError, match="`dt` must be left out"):
            model(x, 1.0)
        return
    assert not np.array_equal(model(x, 1.0), model(x, 0.5))
    assert np.array_equal(model(x, 1.0), model(x))
    assert np.array_equal(model(x, np.full((3, 5), 0.5)), model(x, 0.5))
    assert np.array_equal(model(x, np.full(5, 0.5)), model(x, 0.5))


@each
def test_dt_zero_leaves_the_state(layer, backend):
    if layer.dt0_identity and layer.takes_dt:
        model = Model(layer, seed=0, backend=backend)
        h0 = np.random.default_rng(1).normal(size=(3, layer.state_size)).astype(np.float32)
        assert (model(data()[0], 0, h0=h0, return_state=True)[1] == h0).all()


@each
def test_causal(layer, backend):
    model = Model(layer, seed=0, backend=backend)
    x, dt = data()
    later = x.copy()
    later[:, 3:] += 1
    y, y_later = model(x, dt_of(layer, dt)), model(later, dt_of(layer, dt))
    assert np.array_equal(y[:, :3], y_later[:, :3]) == layer.causal
    assert not np.array_equal(y[:, 3:], y_later[:, 3:])


@each
def test_a_sequence_in_two_parts_is_the_whole(layer, backend):
    """But not where outputs depend on later inputs: `step` and truncated backpropagation refuse these."""
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt = data()
    y, state = model(x, dt_of(layer, dt), return_state=True)
    first, middle = model(x[:, :2], dt_of(layer, dt[:, :2]), return_state=True)
    second, end = model(x[:, 2:], dt_of(layer, dt[:, 2:]), h0=middle, return_state=True)
    if not layer.causal:
        assert np.abs(first - y[:, :2]).max() > 1e-6
        with pytest.raises(ValueError, match="`tbptt` needs layers whose flag `causal` is True"):
            model.fit(x, y, dt=dt_of(layer, dt), tbptt=2, verbose=False)
        return
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), y, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(end, state, rtol=1e-14, atol=1e-14)


@each
def test_padding_changes_nothing(layer, backend):
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt = data()
    lengths = np.array([5, 2, 0])
    garbage, garbage_dt = x.copy(), dt.copy()
    for b, n in enumerate(lengths):
        garbage[b, n:] = np.nan
        garbage_dt[b, n:] = -1
    h0 = np.random.default_rng(1).normal(size=(3, layer.state_size))
    y, state = model(garbage, dt_of(layer, garbage_dt), lengths=lengths, h0=h0, return_state=True)
    last = model(garbage, dt_of(layer, garbage_dt), lengths=lengths, h0=h0, return_sequences=False)
    for b, n in enumerate(lengths):
        assert (y[b, n:] == 0).all()
        if n:
            alone, end = model(x[b, :n], dt_of(layer, dt[b, :n]), h0=h0[b], return_state=True)
            np.testing.assert_allclose(y[b, :n], alone, rtol=1e-14, atol=1e-14)
            np.testing.assert_allclose(state[b], end, rtol=1e-14, atol=1e-14)
            np.testing.assert_allclose(last[b], alone[-1], rtol=1e-14, atol=1e-14)
    assert (state[2] == h0[2]).all()
    assert (last[2] == 0).all()


@each
def test_streaming(layer, backend):
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt = data()
    y, state = model(x, dt_of(layer, dt), return_state=True)
    streamed = None
    if not layer.causal:
        with pytest.raises(ValueError, match="`step` needs layers whose outputs depend on no later input"):
            model.step(x[:, 0], dt_of(layer, dt[:, 0]))
        return
    for t in range(5):
        out, streamed = model.step(x[:, t], dt_of(layer, dt[:, t]), streamed)
        if layer.bitwise_batch:
            assert (out == y[:, t]).all()
        np.testing.assert_allclose(out, y[:, t], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(streamed, state, rtol=1e-14, atol=1e-14)


@each
def test_nothing_given_is_changed(layer, backend):
    """With one sequence too, of which parts are contiguous and therefore easily taken for copies."""
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    rng = np.random.default_rng(0)
    for B, T in ((1, 4), (3, 1), (3, 4)):
        x, dt = data(B, T)
        given = [x, dt, rng.normal(size=(B, layer.state_size)), rng.normal(size=(B, T, layer.output_size))]
        given.append(rng.normal(size=(B, layer.state_size)))
        before = [a.copy() for a in given]
        x, dt, h0, d_y, d_state = given
        _, tape = model.forward(x, dt_of(layer, dt), h0=h0)
        first, second = model.backward(tape, d_y, d_state), model.backward(tape, d_y, d_state)
        assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
        assert np.array_equal(first.theta, second.theta)
        assert np.array_equal(first.h0, second.h0)


@each
def test_bits_whatever_the_batch(layer, backend):
    if layer.bitwise_batch:
        model = Model(layer, seed=0, backend=backend)
        x, dt = data(B=37)
        y = model(x, dt_of(layer, dt))
        for b in (0, 36):
            assert (model(x[b], None if dt_of(layer, dt) is None else dt[b]) == y[b]).all()


@pytest.mark.parametrize("cell", [LSTM, GRU, CTGRU, CTRNN, NeuralODE, SpikingLIF, CfC])
def test_what_belongs_to_wired_cells(cell):
    """People who come from an LTC give these arguments to other cells."""
    with pytest.raises(TypeError, match=r"`units` must be an int >= 1, got a wiring, AutoNCP.* for LTC and WiredCfC"):
        cell(AutoNCP(8, 2), 3)
    with pytest.raises(TypeError, match="`init` must be a dict .*, got 'time_constants'; only an LTC has that"):
        cell(4, 3, init="time_constants")
    with pytest.raises(ValueError, match="unknown parameter 'time_constants'; .*; only an LTC has that"):
        cell(4, 3, init={"time_constants": (1, 10)})
    name = next(iter(cell(4, 3).layout.slices))
    for value, got in (("a", "'a'"), (None, "None"), ([1.0, 2.0], "shape \\(2,\\)")):
        with pytest.raises(ValueError, match=rf"`init\['{name}'\]` must be a \(low, high\) tuple.*, got {got}"):
            cell(4, 3, init={name: value})


def test_layers_are_not_called():
    with pytest.raises(TypeError, match=r"^LSTM is a description without .*: Model\(LSTM\(4, 3\)\)$"):
        LSTM(4, 3)(np.zeros((1, 2, 3)))


@each
def test_layers_are_immutable(layer):
    with pytest.raises(AttributeError, match="is immutable, `output_size` cannot be set"):
        layer.output_size = 7
    again = copy.deepcopy(pickle.loads(pickle.dumps(layer)))
    assert repr(again) == repr(layer)
    with pytest.raises(AttributeError, match="is immutable"):
        again.activation = None


@each
def test_config_rebuilds_the_layer(layer, backend):
    again = type(layer).from_config(layer.config())
    assert again.layout.slices == layer.layout.slices
    assert repr(again) == repr(layer)
    x, dt = data()
    a, b = (Model(one, seed=3, backend=backend)(x, dt_of(layer, dt)) for one in (layer, again))
    assert (a == b).all()
