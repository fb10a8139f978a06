"""What layers declare: against the literal table, and by what they do."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from protocol.calls import whole
from protocol.layers import CASES, ROWS, each

from ltc_np import (
    CTRNN,
    LTC,
    BatchNorm,
    CfC,
    Conv1D,
    Dense,
    FullyConnected,
    InputMapping,
    LayerNorm,
    MixedMemory,
    MixtureDensity,
    Model,
)
from ltc_np.cells import CELLS
from ltc_np.cells.base import TRAITS
from ltc_np.layers import LAYERS


def test_every_registered_layer_has_a_row():
    assert set(LAYERS) == {name.split()[0] for name in ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_declared_traits(name):
    for layer in ROWS[name].examples:
        assert type(layer).__name__ == name.split()[0]
        assert [trait for trait in TRAITS if getattr(layer, trait)] == ROWS[name].traits.split()


def test_every_trait_is_declared_by_one_and_not_by_another():
    for trait in TRAITS:
        assert len({trait in row.traits.split() for row in ROWS.values()}) == 2, trait


def test_relu_is_not_smooth():
    assert not CfC(2, input_dim=3, backbone_activation="relu").smooth
    assert CfC(2, input_dim=3, backbone_activation="relu", backbone_layers=0).smooth
    assert not CTRNN(2, input_dim=3, activation="relu").smooth
    assert Dense(3, "gelu", input_dim=2).smooth


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_and_state(layer, backend, dtype):
    model = Model(layer, seed=0, dtype=dtype, backend=backend)
    x, dt, *_ = whole(layer)
    y, state = model(x, dt=dt, return_state=True)
    assert y.shape == (3, 5, layer.output_size)
    assert state.shape == (3, layer.state_size)
    assert y.dtype == state.dtype == dtype
    covered = [i for s in layer.state_slices.values() for i in range(*s.indices(layer.state_size))]
    assert sorted(covered) == list(range(layer.state_size))


def test_elapsed_time(layer, backend):
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x = whole(layer).x
    if not layer.takes_dt:
        with pytest.raises(ValueError, match="`dt` must be left out"):
            model(x, dt=1.0)
        return
    assert not np.array_equal(model(x, dt=1.0), model(x, dt=0.5))
    assert np.array_equal(model(x, dt=1.0), model(x))
    assert np.array_equal(model(x, dt=np.full((3, 5), 0.5)), model(x, dt=0.5))
    assert np.array_equal(model(x, dt=np.full(5, 0.5)), model(x, dt=0.5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dt_zero_leaves_the_state(layer, backend, dtype):
    """And its adjoint, exactly."""
    if not (layer.dt0_identity and layer.takes_dt):
        return
    model = Model(layer, seed=0, dtype=dtype, backend=backend)
    x, _, _, h0, d_y, d_state = whole(layer, dtype=dtype)
    assert np.array_equal(model(x, dt=0, h0=h0, return_state=True)[1], h0)
    _, tape = model.forward(x, dt=0, h0=h0)
    assert np.array_equal(model.backward(tape, 0 * d_y, d_state).h0, d_state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hull(layer, backend, dtype):
    """The state stays between the least and the largest of its start, 0 and the potentials; "a few ulp" of these."""
    if not layer.hull or layer.state_size == 0:
        return
    model = Model(layer, seed=0, dtype=dtype, backend=backend)
    x, _, _, h0, *_ = whole(layer, dtype=dtype)
    potentials = [v for name, v in model.params.items() if name.endswith(("vleak", "erev"))]
    assert potentials
    ends = np.concatenate([[0.0], h0.ravel(), *potentials])
    slack = 1e-6 if dtype == "float32" else 1e-14
    for dt in (1e-6, 1.0, 1e3, 1e12):
        _, state = model(10 * x, dt=dt, h0=h0, return_state=True)
        assert state.min() >= ends.min() - slack
        assert state.max() <= ends.max() + slack


def test_causal(layer, backend):
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt, *_ = whole(layer)
    later = x.copy()
    later[:, 3:] += 1
    y, y_later = model(x, dt=dt), model(later, dt=dt)
    assert np.array_equal(y[:, :3], y_later[:, :3]) == layer.causal
    assert not np.array_equal(y[:, 3:], y_later[:, 3:])
    if not layer.causal:
        with pytest.raises(ValueError, match="`step` needs layers whose outputs depend on no later input"):
            model.step(x[:, 0], dt=None if dt is None else dt[:, 0])
        with pytest.raises(ValueError, match="`tbptt` needs layers whose flag `causal` is True"):
            model.fit(x, y, dt=dt, tbptt=2, verbose=False)


def test_only_layers_that_drop_draw(layer, backend):
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt, *_ = whole(layer)
    y = model(x, dt=dt)
    one, again, other = (model.forward(x, dt=dt, dropout_seed=seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(model.forward(x, dt=dt)[0], y)
    assert np.array_equal(one, again)
    assert np.array_equal(one, other) == (not layer.drops)
    assert np.array_equal(one, y) == (not (layer.drops or layer.batch_statistics))


@each
def test_layers_are_immutable(layer):
    with pytest.raises(AttributeError, match="is immutable, `output_size` cannot be set"):
        layer.output_size = 7
    for again in (copy.deepcopy(layer), copy.copy(layer), pickle.loads(pickle.dumps(layer))):
        assert again == layer
        assert hash(again) == hash(layer)
        assert repr(again) == repr(layer)
        with pytest.raises(AttributeError, match="is immutable"):
            again.activation = None


@each
def test_config_rebuilds_the_layer(layer):
    again = type(layer).from_config(layer.config())
    assert again.layout.slices == layer.layout.slices
    assert again == layer
    assert repr(again) == repr(layer)
    assert np.array_equal(Model(again, seed=3).theta, Model(layer, seed=3).theta)


def test_layers_are_equal_only_with_equal_arguments():
    layers = [case.values[0] for case in CASES]
    for k, layer in enumerate(layers):
        assert [other == layer for other in layers] == [k == n for n in range(len(layers))], layer
        assert layer != repr(layer)


DEFAULTS = {
    "BatchNorm": {"epsilon": 1e-5, "momentum": 0.1},
    "Bidirectional": {"merge": "concat"},
    "Conv1D": {"stride": 1, "dilation": 1, "separable": False, "activation": None},
    "Dense": {"activation": None},
    "Ensemble": {"answers": "numbers"},
    "InputMapping": {"mapping": "affine"},
    "LayerNorm": {"epsilon": 1e-5},
    "Line": {"reads": 1, "weight": 0, "bias": 0, "before": 0},
    "Looped": {"times": 2},
    "MixedMemory": {"topology": "torch", "forget_bias": 1},
    "MixtureDensity": {"components": 5, "least_sigma": 1e-3, "mean": 0, "scale": 1},
    "RandomConvolutions": {
        "features": 1008, "length": 100, "differences": False, "seed": 0, "weight": 0, "bias": 0, "thresholds": 0,
    },
    "Residual": {"around": None},
    "Standardize": {"inverse": False, "mean": 0, "scale": 1, "clip": None},
}  # fmt: skip


def test_what_arguments_are_where_they_are_left_out():
    """Files leave out what is as usual, so another default would make another model of an old one."""
    for name, kind in LAYERS.items():
        given = {
            key: parameter.default
            for key, parameter in inspect.signature(kind).parameters.items()
            if parameter.default is not parameter.empty and key not in ("input_dim", "init")
        }
        assert name in CELLS or given == DEFAULTS.get(name, {}), name


@pytest.mark.parametrize(
    ("made", "numbers", "ranges"),
    [
        (Dense(40, input_dim=60), {"bias": 0}, {"weight": 6 / 100}),
        (Conv1D(40, 3, input_dim=60), {"bias": 0}, {"weight": 6 / (3 * 100)}),
        (Conv1D(40, 3, separable=True, input_dim=60), {"bias": 0}, {"taps": 1, "weight": 6 / 100}),
        (MixtureDensity(40, 1, input_dim=60), {}, {"weight": 0.01 * 6 / (60 + 81)}),
        (MixedMemory(LTC(FullyConnected(20), input_dim=30)), {}, {"lstm_w_x": 6 / (30 + 80), "lstm_w_h": None}),
        (MixedMemory(LTC(FullyConnected(20), input_dim=30), "keras"), {"lstm_b": 0}, {"lstm_w_x": 6 / (30 + 120)}),
        (LayerNorm(input_dim=9), {"scale": 1, "shift": 0}, {}),
        (BatchNorm(input_dim=9), {"scale": 1, "shift": 0}, {}),
        (InputMapping(input_dim=9), {"input_w": 1, "input_b": 0}, {}),
    ],
    ids=lambda one: one.__class__.__name__,
)
def test_where_parameters_begin_and_which_decay(made, numbers, ranges):
    """Weights uniformly up to a root, or as a part of an orthogonal matrix; nothing else decays."""
    model = Model(made, seed=0, dtype="float64", backend="numpy")
    for name, value in numbers.items():
        assert (model.params[name] == value).all(), name
        assert not model.layout.decay[model.layout.slices[name][0]].any(), name
    for name, square in ranges.items():
        values = model.params[name]
        assert model.layout.decay[model.layout.slices[name][0]].all(), name
        if square is None:
            np.testing.assert_allclose(values @ values.T, np.eye(len(values)), rtol=0, atol=1e-12)
            continue
        assert np.abs(values).max() <= square**0.5, name
        assert min(values.max(), -values.min()) > 0.95 * square**0.5 and abs(values.mean()) < 0.1 * square**0.5, name
    assert not any(
        model.layout.decay[model.layout.slices[name][0]].any() for name in model.params if name.endswith("b")
    )
