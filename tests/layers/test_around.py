"""Bidirectional, Residual, Dropout: against loops over the layers inside, finite differences, padding, errors."""

import numpy as np
import pytest
from support.gradients import worst

from ltc_np import (
    LSTM,
    LTC,
    Adam,
    AutoNCP,
    BatchNorm,
    Bidirectional,
    CfC,
    Dense,
    Dropout,
    Ensemble,
    FullyConnected,
    Looped,
    MixedMemory,
    Model,
    RandomWiring,
    Residual,
    gradcheck,
    load,
    solver_error,
)
from ltc_np.layers.bidirectional import mirrored


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def times(*shape, seed=1):
    return np.random.default_rng(seed).uniform(0.1, 2, shape)


def single(layer, model, prefix):
    """A model of the layer alone with the parameters and buffers that ``model`` has under a prefix."""
    alone = Model(layer, seed=99, dtype=model.dtype.name, backend=model.backend)
    for name in alone.params:
        alone.params[name] = model.params[prefix + name]
    for name in alone.buffers:
        alone.buffers[name] = model.buffers[prefix + name]
    return alone


# -------------------------------------------------------------------------------------------- Bidirectional

INSIDE = {
    "ltc": LTC(AutoNCP(7, 2), input_dim=3, ode_unfolds=2),
    "gains": LTC(RandomWiring(3, 2, 4, seed=0), ode_unfolds=2),
    "cfc": CfC(5, input_dim=3, backbone_units=6),
    "lstm": LSTM(5, input_dim=3),
    "memory": MixedMemory(LTC(FullyConnected(4, 2), input_dim=3, ode_unfolds=2)),
    "dense": Dense(2, "tanh", input_dim=3),
}


@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("key", INSIDE)
def test_both_directions_by_hand(key, merge, backend):
    """Each sequence alone, turned around in Python, its elapsed times put between the samples one by one."""
    layer, (B, T) = INSIDE[key], (4, 6)
    model = Model(Bidirectional(layer, merge), seed=0, dtype="float64", backend=backend)
    ahead, back = (single(layer, model, prefix) for prefix in ("forward_", "backward_"))
    assert layer.layout.size == 0 or not np.array_equal(ahead.theta, back.theta)
    x, dt, lengths, K, O = normal(B, T, 3), times(B, T), [6, 1, 3, 0], layer.state_size, layer.output_size
    h0 = 0.3 * normal(B, 2 * K, seed=2)
    y, state = model(x, dt=dt if layer.takes_dt else None, lengths=lengths, h0=h0, return_state=True)
    assert y.shape == (B, T, 2 * O if merge == "concat" else O)
    for b, n in enumerate(lengths):
        assert (y[b, n:] == 0).all()
        if n == 0:
            assert np.array_equal(state[b], h0[b])
            continue
        clock = np.cumsum(dt[b, :n])  # when each sample was taken
        gaps = [dt[b, 0]] + [clock[t + 1] - clock[t] for t in range(n - 2, -1, -1)]
        own, reversed_dt = (dt[b, :n], np.array(gaps)) if layer.takes_dt else (None, None)
        first, end = ahead(x[b, :n], dt=own, h0=h0[b, :K], return_state=True)
        second, end_back = back(x[b, :n][::-1], dt=reversed_dt, h0=h0[b, K:], return_state=True)
        second = second[::-1]
        want = np.concatenate([first, second], axis=1) if merge == "concat" else first + second
        np.testing.assert_allclose(y[b, :n], want, rtol=0, atol=1e-13)
        np.testing.assert_allclose(state[b], np.concatenate([end, end_back]), rtol=0, atol=1e-13)


def test_reversing_dt_alone_is_another_function():
    """What peers do: dt[0] then stands before x[0] once more, and every gap is at the wrong sample."""
    layer = INSIDE["ltc"]
    model = Model(Bidirectional(layer), seed=0, dtype="float64", backend="numpy")
    back, x, dt = single(layer, model, "backward_"), normal(5, 3), times(5)
    ours = model(x, dt=dt)[:, 2:]
    assert np.abs(back(x[::-1], dt=dt[::-1])[::-1] - ours).max() > 1e-3
    np.testing.assert_allclose(back(x[::-1], dt=np.full(5, 0.7))[::-1], model(x, dt=0.7)[:, 2:], rtol=0, atol=1e-14)


def test_swapping_places():
    x_from, dt_from = (places.reshape(3, 5) for places in mirrored(np.array([5, 0, 3]), 5))
    assert x_from.tolist() == [[4, 3, 2, 1, 0], [5, 6, 7, 8, 9], [12, 11, 10, 13, 14]]
    assert dt_from.tolist() == [[0, 4, 3, 2, 1], [5, 6, 7, 8, 9], [10, 12, 11, 13, 14]]
    for places in (x_from, dt_from):
        assert np.array_equal(places.reshape(-1)[places], np.arange(15).reshape(3, 5))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "merge", "B", "T"),
    [
        *(("ltc", merge, B, T) for merge in ("concat", "sum") for B, T in ((3, 4), (4, 4), (2, 1))),
        *((key, "concat", 3, 4) for key in ("cfc", "lstm", "memory")),
    ],
)
def test_gradients_of_both_directions(key, merge, B, T, backend):
    layer = INSIDE[key]
    model = Model(Bidirectional(layer, merge), seed=1, dtype="float64", backend=backend)
    dt = times(B, T)
    dt[0, -1] = 0  # between the last two samples
    lengths = np.full(B, T)
    lengths[-1] = T // 2
    # Steps of 1e-5, since the smallest arrays of gradients are 1e-4 of the largest and differences round alike.
    assert worst(model, normal(B, T, 3), dt=dt if layer.takes_dt else None, lengths=lengths, step=1e-5) < 1e-6


def test_names_sizes_and_wiring():
    layer = Bidirectional(MixedMemory(LTC(AutoNCP(7, 2), input_dim=3)))
    assert layer.state_slices == {
        "forward_v": slice(0, 7), "forward_c": slice(7, 14), "backward_v": slice(14, 21), "backward_c": slice(21, 28),
    }  # fmt: skip
    assert [n for n in layer.layout.slices if n.endswith("gleak")] == ["forward_gleak", "backward_gleak"]
    model = Model(layer, Dense(2), seed=0)
    assert model.wiring is layer.wiring is layer.layer.wiring
    assert not hasattr(Bidirectional(LSTM(2, input_dim=3)), "wiring")
    assert repr(Bidirectional(LSTM(2, input_dim=3), "sum")) == "Bidirectional(LSTM(2, input_dim=3), merge='sum')"
    model.freeze("0.backward_w")
    assert not model.trainable[model.layout.slices["0.backward_w"][0]].any()


def test_steps_too_long_for_a_solver_are_refused():
    layer = LTC(AutoNCP(7, 2), input_dim=3, ode_unfolds=1, solver="euler")
    for around in (Bidirectional(layer), Residual(layer, Dense(3))):
        with pytest.raises(ValueError, match="`dt` must keep h"):
            Model(around, seed=0)(normal(2, 3, 3), dt=50.0)


def test_either_direction_may_be_the_unstable_one():
    """Both layers have parameters of their own, and both are asked."""
    layer = LTC(AutoNCP(7, 2), input_dim=3, ode_unfolds=20, solver="euler")
    for prefix in ("forward_", "backward_"):
        model = Model(Bidirectional(layer), seed=0)
        model(normal(2, 3, 3), dt=0.1)
        model.params[prefix + "cm"] = -6.0
        with pytest.raises(ValueError, match="`dt` must keep h"):
            model(normal(2, 3, 3), dt=0.1)


# --------------------------------------------------------------------------------------------------- Residual


def test_a_way_around(backend):
    layers = LTC(AutoNCP(7, 2), input_dim=3, ode_unfolds=2), Dense(3, "tanh", input_dim=2)
    x, dt, lengths, h0 = normal(4, 5, 3), times(4, 5), [5, 2, 0, 3], normal(4, 7, seed=2)
    stack = Model(*layers, seed=0, dtype="float64", backend=backend)
    model = Model(Residual(*layers), seed=0, dtype="float64", backend=backend)
    assert list(model.params) == list(stack.params)
    assert np.array_equal(model.theta, stack.theta)
    valid = (np.arange(5) < np.array(lengths)[:, None])[:, :, None]
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    f, state_f = stack(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    assert np.array_equal(y, np.where(valid, x, 0) + f)
    assert np.array_equal(state, state_f)
    _, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
    d_y, d_state = normal(*y.shape, seed=3), normal(*state.shape, seed=4)
    g = model.backward(tape, d_y, d_state)
    g_f = stack.backward(stack.forward(x, dt=dt, lengths=lengths, h0=h0)[1], d_y, d_state)
    assert np.array_equal(g.theta, g_f.theta)
    assert np.array_equal(g.h0, g_f.h0)
    assert np.array_equal(g.dt, g_f.dt)
    np.testing.assert_allclose(g.x, g_f.x + np.where(valid, d_y, 0), rtol=0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers",
    [
        (Dense(3, "tanh", input_dim=3),),  # whose backward needs the output, to which x must not be added in place
        (LSTM(4, input_dim=3), Dense(5, "gelu", input_dim=4), Dense(3, input_dim=5)),
        (
            Bidirectional(CfC(3, input_dim=3, backbone_units=5), "sum"),
            Residual(Dense(2, "sigmoid", input_dim=3), LSTM(3)),
        ),
        (LTC(AutoNCP(6, 3), input_dim=3, ode_unfolds=2), LTC(AutoNCP(6, 3), input_dim=3, ode_unfolds=3)),
    ],
    ids=repr,
)
def test_gradients_of_a_way_around(layers, backend):
    model = Model(Residual(*layers), Dense(2), seed=1, dtype="float64", backend=backend)
    dt = times(3, 4) if model.takes_dt else None
    assert worst(model, normal(3, 4, 3), dt=dt, lengths=[4, 0, 2], step=1e-5) < 1e-6


def test_padding_inside_of_a_way_around():
    """Layers within see 0 there, as in a stack: the statistics of a batch are those of its steps alone."""
    model = Model(Residual(Dense(2), BatchNorm()), input_dim=2, seed=0, dtype="float64")
    model.params["0.bias"] = 1.0
    x, lengths = normal(3, 4, 2), [4, 2, 1]
    y = model.forward(x, lengths=lengths, dropout_seed=0)[0]
    wide = model.forward(np.pad(x, ((0, 0), (0, 3), (0, 0))), lengths=lengths, dropout_seed=0)[0]
    np.testing.assert_allclose(wide[:, :4], y, rtol=1e-12)


def test_names_states_and_wiring_of_a_way_around():
    wired = LTC(AutoNCP(6, 3), input_dim=3)
    block = Residual(wired, Residual(LSTM(4, input_dim=3), Dense(3)))
    assert block.state_slices == {"0.v": slice(0, 6), "1.0.h": slice(6, 10), "1.0.c": slice(10, 14)}
    assert "1.0.w_x" in block.layout.slices
    assert Residual(wired).state_slices == wired.state_slices
    assert Model(block, seed=0).wiring is wired.wiring
    two = Residual(wired, LTC(AutoNCP(6, 3)))
    with pytest.raises(AttributeError, match="`wiring` needs exactly one wired layer, there are 2"):
        _ = two.wiring
    assert MixedMemory(two).state_size == 24
    assert Model(Residual(LTC(RandomWiring(2, 2, 4, seed=0))), seed=0).buffers["gain"].size == 16


def test_a_layer_used_twice_has_parameters_of_its_own():
    layer = Dense(3, input_dim=3)
    model = Model(Residual(layer, layer), seed=0)
    assert model.layout.size == 2 * layer.layout.size
    assert not np.array_equal(model.params["0.weight"], model.params["1.weight"])


@pytest.mark.slow
def test_mixed_memory_takes_a_way_around_a_cell(backend):
    layer = MixedMemory(Residual(LTC(FullyConnected(3, 3), input_dim=3, ode_unfolds=2)))
    errors = gradcheck.check(Model(layer, seed=1, dtype="float64", backend=backend), normal(2, 3, 3), dt=times(2, 3))
    assert max(errors.values()) < 1e-6, errors


def test_solvers_inside_are_found():
    model = Model(
        Residual(Bidirectional(LTC(AutoNCP(6, 3), input_dim=3, ode_unfolds=2), "sum"), Dense(3)),
        seed=0,
        dtype="float64",
    )
    found = solver_error(model, normal(2, 4, 3), dt=times(2, 4), tolerance=1e-2)
    assert found.errors[24] < found.errors[1]
    assert found.ode_unfolds == 2


# ---------------------------------------------------------------------------------------------------- Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_what_is_dropped(rate):
    B, T, n = 40, 30, 50
    model, x = Model(Dropout(rate, input_dim=n), seed=0), np.ones((B, T, n))
    assert np.array_equal(model(x), x)
    assert np.array_equal(model.forward(x)[0], x)
    assert np.array_equal(model.step(x[:, 0])[0], x[:, 0])
    y = model.forward(x, dropout_seed=1)[0]
    dropped = y == 0
    np.testing.assert_allclose(y[~dropped], 1 / (1 - rate), rtol=1e-6)
    # Each number by itself: the share of the whole, of any step, sequence or feature, within 5 standard deviations.
    spread = (rate * (1 - rate)) ** 0.5
    assert abs(dropped.mean() - rate) < 5 * spread / (B * T * n) ** 0.5
    for axes in ((1, 2), (0, 2), (0, 1)):
        means = dropped.mean(axes)
        assert np.abs(means - rate).max() < 5 * spread / (dropped.size / means.size) ** 0.5
    assert np.array_equal(y, model.forward(x, dropout_seed=1)[0])
    assert not np.array_equal(y, model.forward(x, dropout_seed=2)[0])


def test_a_rate_of_zero_drops_nothing():
    x = normal(3, 4, 2)
    model = Model(Dropout(0, input_dim=2), seed=0, dtype="float64")
    y, tape = model.forward(x, dropout_seed=1)
    assert np.array_equal(y, x)
    assert np.array_equal(model.backward(tape, x).x, x)
    assert not Dropout(0, input_dim=2).drops


def frozen_dropout(layers, step=1e-5):
    """(analytic, numeric) slope of the outputs, with dropout, in one random direction of theta and x."""
    model = Model(*layers, seed=1, dtype="float64", backend="numpy")
    B, T, I = 3, 4, model.input_size
    x, dt = normal(B, T, I), times(B, T) if model.takes_dt else None
    c = normal(B, T, model.output_size, seed=2)

    def f(theta, x):
        model.theta = theta
        return float((c * model.forward(x, dt=dt, lengths=[4, 0, 2], dropout_seed=5)[0]).sum())

    theta, way, way_x = model.theta.copy(), normal(model.theta.size, seed=3), normal(B, T, I, seed=4)
    _, tape = model.forward(x, dt=dt, lengths=[4, 0, 2], dropout_seed=5)
    g = model.backward(tape, c)
    up, down = (f(theta + s * step * way, x + s * step * way_x) for s in (1, -1))
    return float((g.theta * way).sum() + (g.x * way_x).sum()), (up - down) / (2 * step)


@pytest.mark.parametrize(
    "layers",
    [
        (Dropout(0.5, input_dim=3),),
        (Dense(5, "tanh", input_dim=3), Dropout(0.3, input_dim=5), Dense(2, input_dim=5)),
        (Residual(Dense(5, input_dim=3), Dropout(0.3), Dense(3), Dropout(0.5)),),
        (
            Bidirectional(CfC(4, input_dim=3, backbone_units=6, backbone_layers=2, backbone_dropout=0.4)),
            Dropout(0.2, input_dim=8),
        ),
        (Bidirectional(Residual(LSTM(3, input_dim=3), Dropout(0.5))),),
    ],
    ids=repr,
)
def test_gradients_with_frozen_dropout(layers):
    analytic, numeric = frozen_dropout(layers)
    assert abs(analytic - numeric) < 1e-7 * abs(numeric)


def test_layers_in_a_row_drop_other_numbers():
    """Also inside of one layer, where they draw from the same stream."""
    x = np.ones((8, 5, 20))
    for model in (
        Model(Dropout(0.5, input_dim=20), Dropout(0.5), seed=0),
        Model(Residual(Dropout(0.5, input_dim=20), Dropout(0.5)), seed=0),
    ):
        y = model.forward(x, dropout_seed=3)[0] - (1 if len(model.layers) == 1 else 0)
        assert set(np.unique(y)) == {0, 4}  # with the same mask twice, as many would be left as after one
        assert 0.2 < (y > 0).mean() < 0.3
    both = Model(Bidirectional(Dropout(0.5, input_dim=20)), seed=0).forward(x, dropout_seed=3)[0]
    assert not np.array_equal(both[:, :, :20], both[:, :, 20:])
    assert not np.array_equal(both[:, :, :20], both[:, ::-1, 20:])


@pytest.mark.parametrize(
    "layers",
    [
        (Dropout(0.5, input_dim=3), Dropout(0.5, input_dim=3)),
        (
            Residual(Dropout(0.5, input_dim=3), Dense(3), Dropout(0.5)),
            Dropout(0.5, input_dim=3),
        ),
        (Bidirectional(Residual(LSTM(3, input_dim=3), Dropout(0.5))), Dropout(0.5, input_dim=6)),
        (CfC(4, input_dim=3, backbone_units=6, backbone_layers=3, backbone_dropout=0.4),),
        (Residual(MixedMemory(CfC(3, input_dim=3, backbone_layers=3, backbone_dropout=0.4)), Dropout(0.5)),),
        (Looped(Dropout(0.5, input_dim=3), Dense(3), Dropout(0.5)),),
        (Ensemble((Dropout(0.5, input_dim=3), Dense(3), Dropout(0.5)), (Dropout(0.5, input_dim=3), Dense(3))),),
    ],
    ids=repr,
)
def test_padding_does_not_change_what_is_dropped(layers):
    """So `fit`, which cuts batches, drops what `loss_and_grad` drops."""
    model = Model(*layers, seed=0, dtype="float64")
    x, dt, lengths = normal(3, 5, 3), times(3, 5) if model.takes_dt else None, [3, 2, 0]
    whole = model.forward(x, dt=dt, lengths=lengths, dropout_seed=4)[0]
    cut = model.forward(x[:, :3], dt=None if dt is None else dt[:, :3], lengths=lengths, dropout_seed=4)[0]
    np.testing.assert_allclose(whole[:, :3], cut, rtol=1e-14, atol=1e-14)
    other = model.forward(x, dt=dt, lengths=lengths, dropout_seed=5)[0]
    assert not np.allclose(whole, other)


def test_backends_drop_the_same(backend):
    layers = (
        Bidirectional(CfC(4, input_dim=3, backbone_units=6, backbone_layers=2, backbone_dropout=0.4)),
        Dropout(0.2, input_dim=8),
    )
    a, b = (Model(*layers, seed=0, dtype="float64", backend=name) for name in ("numpy", backend))
    x, dt = normal(3, 4, 3), times(3, 4)
    np.testing.assert_allclose(
        a.forward(x, dt=dt, dropout_seed=3)[0], b.forward(x, dt=dt, dropout_seed=3)[0], rtol=0, atol=1e-14
    )


# ------------------------------------------------------------------------------------------------- altogether


def test_training_files_and_resuming(tmp_path, backend):
    """What needs both directions, at every step: the sum of the first and the last sample."""
    rng = np.random.default_rng(0)
    x, lengths = rng.choice([-1.0, 1.0], (96, 6, 1)), rng.integers(2, 7, 96)
    y = np.repeat((x[:, :1] + x[np.arange(96), lengths - 1][:, None]), 6, axis=1)
    model = Model(
        Bidirectional(LSTM(8, input_dim=1)), Residual(Dense(16, "tanh", input_dim=16), Dropout(0.1)), Dense(1),
        seed=0, dtype="float64", backend=backend,
    )  # fmt: skip
    options = {"lengths": lengths, "seed": 0, "verbose": False}
    model.fit(x, y, epochs=30, optimizer=Adam(0.02), **options)
    assert model.evaluate(x, y, lengths=lengths, metrics=["r2"])["r2"] > 0.95
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz", backend=backend)
    assert repr(again) == repr(model)
    assert np.array_equal(again(x, lengths=lengths), model(x, lengths=lengths))
    optimizers = Adam(0.02), Adam(0.02)
    for one, optimizer in zip((model, again), optimizers, strict=True):
        one.fit(x, y, epochs=2, optimizer=optimizer, **options)
    assert np.array_equal(model.theta, again.theta)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Bidirectional(LTC), TypeError, r"`layer` must be a layer such as LTC\(...\), got type"),
        (
            lambda: Bidirectional(LSTM(2, input_dim=3), "mul"),
            ValueError,
            "`merge` must be one of 'concat', 'sum', got 'mul'",
        ),
        (
            lambda: Bidirectional(LSTM(2, input_dim=3), None),
            TypeError,
            "`merge` must be one of 'concat', 'sum', got None",
        ),
        (
            lambda: Bidirectional(Bidirectional(LSTM(2, input_dim=3))),
            ValueError,
            "`layer` must be one whose outputs depend on no",
        ),
        (lambda: MixedMemory(Bidirectional(LSTM(2, input_dim=3))), ValueError, "`cell` must be a causal layer"),
        (lambda: Residual(), ValueError, "`layers` must hold at least one layer, got none"),
        (lambda: Residual(3), TypeError, r"`layers\[0\]` must be a layer such as LTC\(...\), got int"),
        (lambda: Residual([Dense(2, input_dim=2)]), TypeError, r"`layers\[0\]` must be a layer .*, got list"),
        (lambda: Residual(Dense(3, input_dim=2)), ValueError, "as many features as they take, .*, got 2 in, 3 out"),
        (
            lambda: Residual(Dense(3, input_dim=2), Dense(2, input_dim=2)),
            ValueError,
            r"`layers\[1\]` takes 2 features, but .* gives 3",
        ),
        (lambda: Dropout(0.5, input_dim=0), ValueError, "`input_dim` must be an int >= 1, got 0"),
        (lambda: Dropout(), TypeError, "`Dropout` needs `rate`"),
        (
            lambda: Dropout(*(4, 0.5)),
            TypeError,
            "`Dropout` takes only `rate` by position, got 0.5 as well: give input_dim by name",
        ),
        (lambda: Dropout(2), ValueError, r"`rate` must be a finite number in \[0, 1\), got 2"),
        (lambda: Dropout(1, input_dim=2), ValueError, r"`rate` must be a finite number in \[0, 1\), got 1"),
        (lambda: Dropout(1.5, input_dim=2), ValueError, r"`rate` must be a finite number in \[0, 1\), got 1\.5"),
        (lambda: Dropout(-0.1, input_dim=2), ValueError, r"`rate` must be a finite number in \[0, 1\), got -0\.1"),
        (lambda: Dropout(np.nan, input_dim=2), ValueError, r"`rate` must be a finite number in \[0, 1\), got nan"),
        (lambda: Dropout("half", input_dim=2), TypeError, r"`rate` must be a finite number in \[0, 1\), got 'half'"),
        (
            lambda: Model(Dense(3, input_dim=2), Bidirectional(LSTM(2, input_dim=3)), seed=0).step(np.zeros(2)),
            ValueError,
            r"`step` needs layers whose outputs depend on no later input .*, got Bidirectional\(LSTM",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_last_output_and_the_state():
    """Backwards, the last output has seen one sample, and the state all of them."""
    model = Model(Bidirectional(LSTM(4, input_dim=2)), seed=0, dtype="float64", return_sequences=False)
    x = normal(3, 5, 2)
    other = x.copy()
    other[:, 0] += 1
    (y, state), (y_other, state_other) = (model(given, return_state=True) for given in (x, other))
    assert np.array_equal(y[:, 4:], y_other[:, 4:])
    assert np.abs(y[:, :4] - y_other[:, :4]).min() > 0
    back = model.layers[0].state_slices["backward_h"]
    assert np.abs(state[:, back] - state_other[:, back]).min() > 1e-6
