"""Layers that give fewer outputs than they take inputs: times, lengths, streams, training, and what is refused."""

import numpy as np
import pytest
from support.golden import check
from support.gradients import worst

from ltc_np import (
    CTRNN,
    GRU,
    LTC,
    SGD,
    AutoNCP,
    Bidirectional,
    Conv1D,
    Dense,
    Ensemble,
    Looped,
    LrcSSM,
    MixedMemory,
    Model,
    Patch,
    Residual,
    load,
    losses,
)
from ltc_np.analysis import gradient_by_lag, nullclines, saliency, solver_error
from ltc_np.layers.pace import thinning
from ltc_np.online import Learner
from ltc_np.train.data.batches import prepare_data

B, T, I = 4, 23, 3
LENGTHS = [T, 13, 5, 0]
CASES = [
    pytest.param({"kernel_size": 5, "stride": 2}, id="overlapping"),
    pytest.param({"kernel_size": 3, "stride": 3, "dilation": 2, "separable": True}, id="dilated"),
    pytest.param({"kernel_size": 1, "stride": 4}, id="every fourth"),
    pytest.param({"kernel_size": 2, "stride": 5}, id="with gaps"),
]
each = pytest.mark.parametrize("options", CASES)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def times(*shape, seed=1):
    return np.random.default_rng(seed).uniform(0.1, 1, shape)


def network(options, backend="numpy", **others):
    """Two strides in front of a cell with elapsed time, all parameters drawn."""
    layers = Conv1D(3, activation="tanh", **options), Conv1D(2, 3, stride=2), CTRNN(3, ode_unfolds=2), Dense(2)
    model = Model(*layers, input_dim=I, seed=0, dtype="float64", backend=backend, **others)
    model.theta = 0.5 * normal(model.theta.size, seed=2)
    return model


def alone(model, *numbers):
    """A model of some of a model's layers, with their parameters."""
    found = Model(*(model.layers[k] for k in numbers), seed=0, dtype="float64", backend=model.backend)
    kept = [values.ravel() for k in numbers for name, values in model.params.items() if name.startswith(f"{k}.")]
    found.theta = np.concatenate(kept)
    return found


def by_hand(model, x, dt):
    """Every s-th output of the convolution with stride 1, and the sums of the times in between."""
    (layer,) = model.layers
    every = Model(type(layer).from_config(layer.config() | {"stride": 1}), seed=0, dtype="float64", backend="numpy")
    every.theta, s = model.theta, layer.stride
    n = len(x) // s
    y = every(x)[s - 1 :: s] if n else np.zeros((0, layer.outputs))
    return y, dt[: n * s].reshape(n, s).sum(1)


@each
def test_outputs_and_times_by_hand(options, backend):
    model, x, dt = network(options, backend), normal(B, T, I), times(B, T)
    s = 2 * options["stride"]
    y, last = (model(x, dt=dt, lengths=LENGTHS, return_sequences=every) for every in (True, False))
    assert y.shape == (B, T // s, 2)
    for b, n in enumerate(LENGTHS):
        u, elapsed = by_hand(alone(model, 0), x[b, :n], dt[b, :n])
        u, elapsed = by_hand(alone(model, 1), u, elapsed)
        want = alone(model, 2, 3)(u, dt=elapsed) if len(u) else np.zeros((0, 2))
        np.testing.assert_allclose(y[b, : n // s], want, rtol=0, atol=1e-12)
        assert not y[b, n // s :].any()
        none = np.nan if n else 0.0  # steps without an output, or no step at all
        np.testing.assert_allclose(last[b], want[-1] if len(want) else [none] * 2, rtol=0, atol=1e-12)


@pytest.mark.few(6)
@each
@pytest.mark.parametrize("cuts", [[1, 4, 5, 17], [3], [10, 20]])
def test_pieces_are_the_whole(options, cuts, backend):
    """Also where a piece has no output, or ends between two."""
    model, x, dt = network(options, backend), normal(B, T, I), times(B, T)
    whole, last = model(x, dt=dt, return_state=True)
    state, found = None, []
    for start, stop in zip([0, *cuts], [*cuts, T], strict=True):
        y, state = model(x[:, start:stop], dt=dt[:, start:stop], h0=state, return_state=True)
        found.append(y)
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state, last, rtol=0, atol=1e-12)


@each
def test_sequences_that_go_on_after_unequal_parts(options):
    """In the second call the outputs of each sequence fall due at other steps."""
    model, x, dt, first = network(options), normal(B, T, I), times(B, T), np.array([11, 7, 4, 2])
    y, state = model(x[:, :11], dt=dt[:, :11], lengths=first, return_state=True)
    more, last = model(x[:, :9], dt=dt[:, :9], h0=state, return_state=True)
    for b, n in enumerate(first):
        joined = [np.concatenate([a[b, :n], a[b, :9]]) for a in (x, dt)]
        want, end = model(joined[0], dt=joined[1], return_state=True)
        before = n // model.layer_stack.stride
        np.testing.assert_allclose(y[b, :before], want[:before], rtol=0, atol=1e-12)
        np.testing.assert_allclose(more[b, : len(want) - before], want[before:], rtol=0, atol=1e-12)
        assert not more[b, len(want) - before :].any()
        np.testing.assert_allclose(last[b], end, rtol=0, atol=1e-12)


@each
def test_steps_are_the_sequence_and_nan_in_between(options, backend):
    model, x, dt = network(options, backend), normal(B, T, I), times(B, T)
    whole, last = model(x, dt=dt, return_state=True)
    state, s = None, model.layer_stack.stride
    for t in range(T):
        y, state = model.step(x[:, t], dt=dt[:, t], state=state)
        if (t + 1) % s:
            assert np.isnan(y).all()
        else:
            np.testing.assert_allclose(y, whole[:, t // s], rtol=0, atol=1e-12)
    np.testing.assert_allclose(state, last, rtol=0, atol=1e-12)


def test_a_step_of_a_batch_has_outputs_where_they_are_due():
    model, x = network({"kernel_size": 3, "stride": 2}), normal(2, 9, I)
    _, state = model(x, lengths=[3, 2], return_state=True)
    y, _ = model.step(x[:, 8], state=state)
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all()
    want = model(np.concatenate([x[0, :3], x[0, 8:]]))
    np.testing.assert_allclose(y[0], want[0], rtol=0, atol=1e-12)


def test_streams_have_nan_in_between():
    model, x = network({"kernel_size": 3, "stride": 2}), normal(3, 8, I)
    streams, whole = model.streams(5), model(x)
    ids = streams.open(3)
    for t in range(3):
        assert np.isnan(streams.step(ids, x[:, t])).all()
    np.testing.assert_allclose(streams.step(ids[:2], x[:2, 3]), whole[:2, 0], rtol=0, atol=1e-12)
    found = streams.step(ids, x[:, 3])
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], whole[2, 0], rtol=0, atol=1e-12)


@each
@pytest.mark.parametrize("steps", [11, 2])
def test_gradients(options, steps, backend):
    """Of everything that a call takes, from states in the midst of a window; 2 steps have no output."""
    model, x, dt = network(options), normal(B, T, I)[:, :steps], times(B, T)[:, :steps]
    h0, lengths = normal(B, model.state_size, seed=3), np.minimum(LENGTHS, steps)
    for name, where in model.layer_stack.state_slices.items():
        if name.endswith("phase"):
            h0[:, where] = [[0], [1], [1], [1]]  # the last has ended and keeps its own
        elif name.endswith("elapsed"):
            h0[:, where] = times(B, 1)
    if backend == "numpy":
        assert worst(model, x, dt=dt, lengths=lengths, h0=h0) < 1e-6
        return
    found = []
    for each_model in (model, network(options, backend)):
        y, tape = each_model.forward(x, dt=dt, lengths=lengths, h0=h0)
        found.append(each_model.backward(tape, normal(*y.shape, seed=5), normal(*h0.shape, seed=6))._asdict())
    check(found[1], found[0], 1e-12)


def test_padding_changes_nothing(backend):
    model, x, dt = network({"kernel_size": 5, "stride": 2}, backend), normal(B, T, I), times(B, T)
    y, longer = normal(B, T // 4, 2, seed=4), np.pad(x, ((0, 0), (0, 9), (0, 0)), constant_values=7.0)
    shape = (B, (T + 9) // 4, 2)
    targets = np.zeros(shape)
    targets[:, : T // 4] = y
    long_dt = np.pad(dt, ((0, 0), (0, 9)), constant_values=3.0)
    loss, gradient = model.loss_and_grad(x, y, dt=dt, lengths=LENGTHS)
    again, other = model.loss_and_grad(longer, targets, dt=long_dt, lengths=LENGTHS)
    assert again == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(other, gradient, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        model(longer, dt=long_dt, lengths=LENGTHS)[:, : T // 4], model(x, dt=dt, lengths=LENGTHS), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("lengths", [None, [9, 4, 2, 0]])
def test_patches_are_a_convolution_that_copies(lengths):
    """Also in their gradients, in pieces, and in front of a cell with elapsed times."""
    copies = np.zeros((3, I, 3 * I))
    for k in range(3):
        copies[k, :, k * I : (k + 1) * I] = np.eye(I)
    found = []
    for layer in (Patch(3), Conv1D(3 * I, 3, stride=3, init={"weight": copies})):
        model = Model(layer, CTRNN(4), input_dim=I, seed=0, dtype="float64", backend="numpy")
        cell = [name for name in model.params if name.startswith("1.")]
        for k, name in enumerate(cell):
            model.params[name] = 0.5 + 0.3 * np.abs(normal(*model.params[name].shape, seed=k))
        x, dt, h0 = normal(B, 9, I), times(B, 9), normal(B, model.state_size, seed=3)
        h0[:, model.layer_stack.state_slices["0.phase"]] = [[0], [1], [2], [1]]
        y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
        g = model.backward(tape, normal(*y.shape, seed=5), normal(*h0.shape, seed=6))
        of_cell = {name: values for name, values in model.views(g.theta).items() if name in cell}
        found.append({"y": y, "x": g.x, "h0": g.h0, "dt": g.dt} | of_cell)
        state, parts = h0, []
        for t in range(9) if lengths is None else ():
            y_t, state = model.step(x[:, t], dt=dt[:, t], state=state)
            parts.append(y_t)
        if parts:
            due = [[t for t in range(9) if np.isfinite(parts[t][b]).all()] for b in range(B)]
            for b in range(B):
                np.testing.assert_allclose([parts[t][b] for t in due[b]], y[b, : len(due[b])], rtol=0, atol=1e-12)
    check(found[0], found[1], 1e-12)


@pytest.mark.parametrize("steps", [1, 3])
def test_patches_are_the_caller_s(steps):
    """The tape does not hold them, so that they are not copied; nor are they a view of the inputs."""
    model, x = Model(Patch(steps), input_dim=I, seed=0, dtype="float64", backend="numpy"), normal(1, 9, I)
    y, tape = model.forward(x)
    found = tape.saved[0].saved if steps > 1 else tape.saved[0]
    assert not any(np.shares_memory(y, kept) for kept in (x, found.seen.x, found.seen.before, found.h))


def test_steps_left_over_behind_patches_change_nothing(backend):
    """Some kernels read what comes as if it had no gaps in memory, which what is left over would be."""
    model = Model(Patch(2), LrcSSM(2), input_dim=I, seed=0, dtype="float64", backend=backend)
    x = normal(3, 7, I)
    np.testing.assert_array_equal(model(x), model(x[:, :6]))


def test_chunks_have_their_own_targets():
    model = network({"kernel_size": 3, "stride": 2})
    x, y = normal(3, 17, I), normal(3, 4, 2)
    data = prepare_data(model, x, y, None, None, None, losses.get("mse"), "error")
    found = [data.take(slice(0, 3), steps) for steps in data.chunks(slice(0, 3), 8)]
    assert [batch.sequences.x.shape[1] for batch in found] == [8, 8, 1]
    for start, batch in zip((0, 2, 4), found, strict=True):
        np.testing.assert_array_equal(batch.target, y[:, start : start + 2])


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(lambda: (Patch(4), CTRNN(2)), id="patches"),
        pytest.param(lambda: (Conv1D(2, 3, stride=2), Conv1D(2, 2, stride=2), CTRNN(2)), id="twice"),
        pytest.param(lambda: (Conv1D(2, 5, stride=3, dilation=2), CTRNN(2)), id="thirds"),
    ],
)
def test_chunks_of_unequal_sequences_have_the_loss_of_the_whole(layers):
    """Also where a sequence ended between two outputs, in a chunk before; steps this small leave theta as it is."""
    rng = np.random.default_rng(7)
    for _ in range(8):
        model = Model(*layers(), input_dim=1, seed=0, dtype="float64", backend="numpy")
        s, T = model.layer_stack.stride, int(rng.integers(12, 26))
        lengths = np.append(rng.integers(0, T + 1, 3), T)
        x, y, dt = normal(4, T, 1, seed=rng), normal(4, T // s, 2, seed=rng), times(4, T, seed=rng)
        want = model.evaluate(x, y, dt=dt, lengths=lengths)["loss"]
        for chunks in (1, 2, 3):
            training = model.fit(
                x, y, dt=dt, lengths=lengths, tbptt=chunks * s, optimizer=SGD(1e-13), batch_size=4, verbose=0
            )
            assert training["loss"][0] == pytest.approx(want, rel=1e-10)


@each
def test_a_trace_is_the_call(options):
    """Each layer has its own steps, from a state in the midst of a window, and of sequences that end early."""
    model, x, dt = network(options), normal(B, T, I), times(B, T)
    _, h0 = model(x[:, :3], dt=dt[:, :3], lengths=[3, 1, 0, 2], return_state=True)
    y, last = model(x, dt=dt, lengths=LENGTHS, h0=h0, return_state=True)
    found = model.trace(x, dt=dt, lengths=LENGTHS, h0=h0)
    np.testing.assert_allclose(found.y, y, rtol=0, atol=1e-12)
    ends = []
    for k, layer in enumerate(found.layers):
        assert layer.dt.shape == layer.state.shape[:2] == layer.inputs.shape[:2]
        ends.append(np.where(layer.lengths[:, None] > 0, layer.state[np.arange(B), layer.lengths - 1], layer.h0))
        assert not layer.state[np.arange(layer.dt.shape[1]) >= layer.lengths[:, None]].any()
        for array in layer.arrays.values():
            assert array.shape[:2] == layer.outputs.shape[:2]
        behind = found.layers[k + 1].inputs if k + 1 < len(found.layers) else found.y
        np.testing.assert_array_equal(layer.outputs, behind)
    np.testing.assert_allclose(np.concatenate(ends, axis=1), last, rtol=0, atol=1e-12)
    first, second = found.layers[:2]
    there = np.arange(second.dt.shape[1]) < second.lengths[:, None]
    np.testing.assert_allclose(np.tanh(found["0.argument"])[there], first.outputs[there], rtol=0, atol=1e-12)
    elapsed = model.layer_stack.state_slices["0.elapsed"]
    total = h0[:, elapsed].ravel() + first.dt.sum(1) - last[:, elapsed].ravel()
    np.testing.assert_allclose(second.dt.sum(1), total, rtol=0, atol=1e-12)
    state = h0
    for t in range(5):  # the last sequence has no step, and the one before five
        _, state = model.step(x[:, t], dt=dt[:, t], state=state)
        np.testing.assert_allclose(first.state[:3, t], state[:3, model.layer_stack.states[0]], rtol=0, atol=1e-12)


def test_saliency_counts_outputs():
    model, x = network({"kernel_size": 3, "stride": 2}), normal(2, 17, I)
    found = saliency(model, x, lengths=[17, 9])  # of the fourth output, and of the second
    assert np.flatnonzero(found[0].any(1)).max() == 15 and np.flatnonzero(found[1].any(1)).max() == 7


def test_times_of_outputs():
    layer = Conv1D(1, 1, stride=3, input_dim=1)
    h0, dt = np.array([[1.0, 0.5], [0.0, 0.0]]), np.array([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 0.0]])
    thin = thinning(layer, h0, np.array([4, 3]), 4)
    assert thin.pace.T == 1 and thin.pace.lengths.tolist() == [1, 1] and thin.pace.valid is None
    found, after = thin.times(dt, h0[:, 1])
    np.testing.assert_array_equal(found, [[0.5 + 1 + 2], [7.0]])
    np.testing.assert_array_equal(after, [4.0 + 8.0, 0.0])
    assert thin.last.tolist() == [2, 0]


@pytest.mark.parametrize("stride", [2, 3, 20])
@pytest.mark.parametrize(
    ("phases", "lengths"),
    [([0, 0], [41, 41]), ([1, 1], [41, 41]), ([1, 1], [1, 1]), ([0, 1], [41, 40]), ([1, 0], [3, 0])],
)
def test_times_are_sums_step_by_step(stride, phases, lengths):
    layer, B, T = Conv1D(1, 1, stride=stride, input_dim=1), 2, max(lengths)
    dt, since, phases = times(B, T).astype(np.float32), np.array([0.25, 0.75], np.float32), np.array(phases)
    dt[np.arange(T) >= np.array(lengths)[:, None]] = 0
    thin = thinning(layer, np.stack([phases, since], axis=1), np.array(lengths), T)
    found, after = thin.times(dt, since)
    np.testing.assert_array_equal(after, thin.after(dt, since))
    for b, n in enumerate(lengths):
        sums, total, count = [], float(since[b]), phases[b]
        for step in dt[b, :n].tolist():
            total, count = total + step, count + 1
            if count == stride:
                sums.append(total)
                total, count = 0.0, 0
        want = sums + [0.0] * (thin.pace.T - len(sums))
        np.testing.assert_array_equal(found[b], np.float32(want))  # rounded once: sums are in float64
        np.testing.assert_array_equal(after[b], np.float32(total))
        assert thin.pace.lengths[b] == len(sums) and thin.last[b] == count


@pytest.mark.parametrize("steps", [1, 5])
def test_adjoint_of_the_elapsed_time_of_a_model_without_time(steps):
    """It is that of the state before where no output has fallen due since; there is no gradient of times."""
    model, x = Model(Conv1D(2, 1, stride=2), input_dim=1, seed=0, dtype="float64", backend="numpy"), normal(3, steps, 1)
    y, tape = model.forward(x)
    found = model.backward(tape, np.zeros_like(y), [[0.0, 1.0]] * 3)
    assert found.dt is None and not found.h0[:, 0].any()
    np.testing.assert_array_equal(found.h0[:, 1], [float(steps == 1)] * 3)


def test_learns_from_arrays_lists_and_chunks(tmp_path):
    model = Model(Conv1D(6, 5, stride=2, activation="relu"), GRU(8), Dense(1), input_dim=2, seed=0, backend="numpy")
    x, lengths = normal(40, 21, 2), np.random.default_rng(1).integers(2, 22, 40)
    y = x.mean(2, keepdims=True)[:, 1::2][:, :10]
    before = model.evaluate(x, y, lengths=lengths)["loss"]
    model.fit(x, y, lengths=lengths, epochs=20, batch_size=16, verbose=0, metrics=["mae"])
    after = model.evaluate(x, y, lengths=lengths)["loss"]
    assert after < 0.5 * before
    xs, ys = [x[b, :n] for b, n in enumerate(lengths)], [y[b, : n // 2] for b, n in enumerate(lengths)]
    assert model.evaluate(xs, ys)["loss"] == pytest.approx(after, rel=1e-5)
    found = model.predict(xs)
    assert [len(a) for a in found] == (lengths // 2).tolist()
    np.testing.assert_allclose(found[3], model(xs[3]), rtol=0, atol=1e-5)
    one, other = (load_copy(model, tmp_path) for _ in range(2))
    for each_model, tbptt in ((one, None), (other, 22)):
        each_model.fit(xs, ys, epochs=1, batch_size=40, shuffle=False, tbptt=tbptt, verbose=0)
    np.testing.assert_allclose(one.theta, other.theta, rtol=0, atol=1e-6)
    other.fit(x, y, lengths=lengths, epochs=1, batch_size=16, tbptt=4, verbose=0)


def load_copy(model, folder):
    model.save(folder / "m.npz")
    return load(folder / "m.npz", backend="numpy")


def test_a_classifier_of_last_outputs_and_of_short_sequences():
    model = Model(
        Conv1D(6, 5, stride=4), GRU(8), Dense(3), input_dim=2, seed=0, backend="numpy", return_sequences=False
    )
    x, lengths = normal(6, 21, 2), [21, 3, 4, 8, 0, 1]
    p = model.predict_proba(x, lengths=lengths)
    unknown = np.nan  # of less than four steps
    np.testing.assert_array_equal(p.sum(1).round(6), [1, unknown, 1, 1, 0, unknown])
    np.testing.assert_array_equal(model.predict_proba([x[b, :n] for b, n in enumerate(lengths)]).round(5), p.round(5))
    loss, _ = model.loss_and_grad(x, np.array([0, 1, 2, 0, 1, 2]), lengths=lengths, loss="cross_entropy")
    assert np.isfinite(loss)
    for found in (model(x[:1, :3]), model(x[0, :3]), model.predict([x[0, :3]]), model.predict_proba(x[:1, :3])):
        assert found.shape[-1] == 3 and np.isnan(found).all()
    y, tape = model.forward(x, lengths=lengths)
    gradients = model.backward(tape, np.ones_like(y))
    assert np.isfinite(gradients.theta).all() and not gradients.x[[1, 4, 5]].any()


def test_weights_of_lists_are_of_outputs():
    """As those of arrays, which `output_weight` reads: in training, in evaluation and in validation."""
    model = Model(Conv1D(2, 3, stride=4), input_dim=2, seed=0, dtype="float64", backend="numpy")
    lengths = [9, 12, 3, 4]
    x, y, weight = normal(4, 12, 2), normal(4, 3, 2), times(4, 3)
    lists = {name: [values[b, : n // 4] for b, n in enumerate(lengths)] for name, values in (("y", y), ("w", weight))}
    own = {"x": [x[b, :n] for b, n in enumerate(lengths)], "y": lists["y"], "sample_weight": lists["w"]}
    want = model.evaluate(x, y, lengths=lengths, sample_weight=weight)["loss"]
    assert want != model.evaluate(x, y, lengths=lengths)["loss"]
    assert model.evaluate(**own)["loss"] == pytest.approx(want, rel=1e-12)
    training = model.fit(**own, validation=own, optimizer=SGD(1e-13), verbose=0)
    for name in ("loss", "val_loss"):  # of a step this small
        assert training[name] == pytest.approx([want], rel=1e-10)
    steps = own | {"sample_weight": [np.ones(n) for n in lengths]}
    with pytest.raises(
        ValueError, match=r"`sample_weight\[0\]` must have 2 rows, one for each stride of 4 in the 9 st"
    ):
        model.fit(**steps, verbose=0)
    with pytest.raises(
        ValueError, match=r"`y\[0\]` must have 2 rows, one for each stride of 4 in the 9 steps of x\[0\]"
    ):
        model.fit(own["x"], [np.zeros((n, 2)) for n in lengths], verbose=0)


def test_sequences_of_which_none_has_an_output(tmp_path):
    model = Model(Conv1D(1, 3, stride=4), input_dim=1, seed=0, backend="numpy")
    last = Model(Conv1D(1, 3, stride=4), input_dim=1, seed=0, backend="numpy", return_sequences=False)
    x, y, short = normal(6, 8, 1), normal(6, 2, 1), np.full(6, 3)
    cut, none = x[:, :3], y[:, :0]
    np.save(tmp_path / "x.npy", x)
    file = np.load(tmp_path / "x.npy", mmap_mode="r")
    for ask in (
        lambda: model.fit(x, y, lengths=short, verbose=0),
        lambda: model.fit(file, y, lengths=short, verbose=0),
        lambda: model.fit(x, list(none), lengths=short, verbose=0),
        lambda: model.evaluate(x, y, lengths=short),
        lambda: model.fit(cut, none, verbose=0),
        lambda: model.fit(list(cut), list(none), verbose=0),
        lambda: model.fit(x, y, validation=(cut, none), verbose=0),
        lambda: model.fit(x, y, validation={"x": x, "y": y, "lengths": short}, verbose=0),
        lambda: model.fit(x, y, lengths=[3, 3, 3, 8, 8, 8], validation=0.5, tbptt=4, verbose=0),
        lambda: last.fit(x, y[:, 0], lengths=short, verbose=0),
        lambda: last.evaluate(x, y[:, 0], lengths=short),
    ):
        with pytest.raises(
            ValueError, match="`x` must have at least the 4 steps of an output, got 3 in the longest seq"
        ):
            ask()


def test_refused():
    strided = Conv1D(2, 3, stride=2, input_dim=2)
    for make in (
        lambda: Residual(strided),
        lambda: Bidirectional(strided),
        lambda: MixedMemory(strided),
        lambda: Ensemble(strided, Patch(2, input_dim=2)),
    ):
        with pytest.raises(ValueError, match="must give an output at every step, got"):
            make()
    model = Model(strided, LTC(AutoNCP(8, 2)), seed=0)
    with pytest.raises(ValueError, match="`x` must have at least the 2 steps of an output, got 1"):
        model.loss_and_grad(normal(3, 1, 2), normal(3, 0, 2))
    with pytest.raises(ValueError, match="`tbptt` must be a multiple of the 2 steps of an output, got 3"):
        model.fit(normal(3, 6, 2), normal(3, 3, 2), tbptt=3, verbose=0)
    with pytest.raises(ValueError, match=r"`y` must have 3 rows, one for each stride of 2 in the 6 steps of x, got 6"):
        model.loss_and_grad(normal(3, 6, 2), normal(3, 6, 2))
    with pytest.raises(ValueError, match="`x` must have at least the 2 steps of an output, got 1"):
        model.trace(normal(3, 1, 2))
    with pytest.raises(ValueError, match='`of` must be "input" for a model of which some layers have fewer steps'):
        gradient_by_lag(model, normal(6, 2), of="state")
    with pytest.raises(ValueError, match="`model` must be without strides"):
        nullclines(model, (0, 1), np.zeros(2))
    with pytest.raises(ValueError, match="`model` must give an output at every step, since an answer is learnt"):
        Learner(model, SGD(0.1))


# ---------------------------------------------- steps that explicit solvers refuse, since many become one of theirs


def explicit(*layers, backend="numpy", stride=3):
    """Behind patches a layer whose steps must be shorter than 2."""
    layers = layers or (CTRNN(2, solver="euler", ode_unfolds=1),)
    return Model(Patch(stride), *layers, input_dim=2, seed=0, dtype="float64", backend=backend)


REFUSED = r"`dt` must keep h/tau < 2 .*, got 2\.7 for dt = 2\.7: .* \(dt is that of 3 steps, which .* gets as one\)"
WAYS = {
    "a call": lambda model, x, y, dt: model(x, dt=dt),
    "a call in chunks": lambda model, x, y, dt: model(x, dt=dt, parallel_time=2),
    "a tape": lambda model, x, y, dt: model.backward(*model.forward(x, dt=dt)[::-1]),
    "a gradient": lambda model, x, y, dt: model.loss_and_grad(x, y, dt=dt),
    "predictions": lambda model, x, y, dt: model.predict(list(x), dt=dt),
    "a trace": lambda model, x, y, dt: model.trace(x, dt=dt),
    "an evaluation": lambda model, x, y, dt: model.evaluate(x, y, dt=dt),
    "training": lambda model, x, y, dt: model.fit(x, y, dt=dt, optimizer=SGD(1e-9), verbose=0),
    "training in chunks": lambda model, x, y, dt: model.fit(x, y, dt=dt, tbptt=3, optimizer=SGD(1e-9), verbose=0),
}


@pytest.mark.parametrize("way", WAYS)
def test_times_that_are_too_long_together_are_refused(way, backend):
    model, x, y = explicit(backend=backend), normal(2, 7, 2), normal(2, 2, 2)
    theta = model.theta.copy()
    with pytest.raises(ValueError, match=REFUSED):
        WAYS[way](model, x, y, 0.9)
    np.testing.assert_array_equal(model.theta, theta)
    WAYS[way](model, x, y, 0.66)  # 1.98 together


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda cell: Residual(cell), id="residual"),
        pytest.param(lambda cell: Residual(Dense(2), around=cell), id="around"),
        pytest.param(lambda cell: Looped(cell), id="looped"),
        pytest.param(lambda cell: Ensemble(Dense(2), (Dense(2), cell)), id="ensemble"),
        pytest.param(lambda cell: Bidirectional(cell), id="bidirectional"),
        pytest.param(lambda cell: MixedMemory(cell), id="mixed memory"),
    ],
)
def test_times_that_are_too_long_together_for_a_layer_inside(wrap):
    model, x = explicit(Dense(2), wrap(CTRNN(2, solver="euler", ode_unfolds=1, input_dim=2))), normal(2, 7, 2)
    with pytest.raises(ValueError, match=REFUSED):
        model(x, dt=0.9)
    model(x, dt=0.66)


def test_the_cell_of_the_other_limit_and_warnings():
    """With the rates of `LrcSSM`; what only warns, warns of the sums too."""
    model, x = explicit(LrcSSM(2, solver="euler")), normal(2, 7, 2)
    own = Model(*model.layers[1:], seed=0, backend="numpy")  # the same rates
    for dt in (1.9, 0.1):
        own(normal(2, 7, 6), dt=dt)
    with pytest.raises(ValueError, match=r"for dt = 5\.7: .*\(dt is that of 3 steps, which LrcSSM"):
        model(x, dt=1.9)
    model(x, dt=0.1)
    with pytest.warns(RuntimeWarning, match=r"got 2\.7 for dt = 2\.7"):
        explicit(CTRNN(2, solver="euler", ode_unfolds=1, check_stability="warn"))(x, dt=0.9)


def test_unfolds_for_times_that_are_too_long_together():
    """Also for what a state in the midst of a window has gathered, which makes 2.5 of 0.8."""
    model, x = explicit(CTRNN(2, solver="euler", ode_unfolds=2)), normal(3, 2)
    _, h0 = model(x[:1], dt=1.7, return_state=True)
    for arguments in ({"dt": 0.9}, {"dt": 0.4}, {"dt": [0.4, 0.4, 0.0], "h0": h0}):
        own = solver_error(model, x, tolerance=10.0, unfolds=(1,), **arguments)
        assert own.refused == ((1,) if arguments["dt"] != 0.4 else ())


def test_layers_in_front_of_a_stride_see_single_steps():
    cell, x = CTRNN(2, solver="euler", ode_unfolds=1), normal(2, 7, 2)
    model = Model(cell, Patch(3), Dense(2), input_dim=2, seed=0, backend="numpy")
    model(x, dt=1.9)
    with pytest.raises(ValueError, match=r"got 2\.1 for dt = 2\.1: .*\"off\"$"):
        model(x, dt=2.1)


@pytest.mark.parametrize("strides", [[3], [2, 2], [1, 4]])
def test_what_is_refused_is_what_a_loop_finds(strides):
    """Of sequences that end early, and from states in the midst of a window."""
    layers = *(Conv1D(2, 1, stride=s) for s in strides), CTRNN(2, solver="euler", ode_unfolds=1)
    model = Model(*layers, input_dim=2, seed=0, dtype="float64", backend="numpy")
    rng, every, found = np.random.default_rng(3), int(np.prod(strides)), []
    for _ in range(60):
        T, h0, longest = int(rng.integers(1, 14)), None, 5 / every * rng.random()
        lengths = rng.integers(1, T + 1, 3) if rng.random() < 0.5 else np.full(3, T)
        x, dt, past = normal(3, T, 2), longest * times(3, T, seed=rng), longest * times(3, every, seed=rng)
        gone, sums = rng.integers(0, every, 3) * int(rng.random() < 0.5), []  # of which none falls due
        if gone.any():
            _, h0 = model(normal(3, every, 2), dt=past, lengths=gone, return_state=True)
        for b in range(3):
            joined = [*past[b, : gone[b]], *dt[b, : lengths[b]]]
            sums += [sum(joined[end - every : end]) for end in range(every, len(joined) + 1, every)]
        found.append(max(sums, default=0) >= 2)
        if found[-1]:
            with pytest.raises(ValueError, match="steps, which CTRNN"):
                model(x, dt=dt, lengths=lengths, h0=h0)
        else:
            model(x, dt=dt, lengths=lengths, h0=h0)
    assert 10 < sum(found) < 50


def test_a_step_is_refused_when_an_output_falls_due(backend):
    """The state is that of before, and a shorter step goes on from it."""
    model, x = explicit(backend=backend), normal(3, 2)
    state = model.initial_state()
    for t in (0, 1):
        y, state = model.step(x[t], dt=1.3, state=state)
        assert np.isnan(y).all()
    kept, out = state.copy(), (np.full(2, 7.0), state)
    with pytest.raises(ValueError, match=r"got 2\.6 for dt = 2\.6"):
        model.step(x[2], dt=0.0, state=state, out=out)
    np.testing.assert_array_equal(state, kept)
    assert (out[0] == 7).all()
    short = explicit(backend=backend)
    state = None
    for t in (0, 1, 2):
        y, state = short.step(x[t], dt=0.66, state=state)
    np.testing.assert_allclose(y, short(x, dt=0.66)[0], rtol=0, atol=1e-12)


def test_a_step_of_a_batch_looks_at_those_that_are_due(backend):
    model, x, elapsed = explicit(backend=backend, stride=4), normal(2, 5, 2), slice(7, 8)
    assert model.layer_stack.state_slices["0.elapsed"] == elapsed
    _, state = model(x[:, :3], dt=[[0.5] * 3, [0.9] * 3], lengths=[3, 2], return_state=True)
    np.testing.assert_allclose(state[:, elapsed], [[1.5], [1.8]], rtol=0, atol=1e-12)
    y, after = model.step(x[:, 3], dt=[0.4, 0.9], state=state)  # 1.9, which is due, and 2.7, which is not
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all()
    kept = after.copy()
    with pytest.raises(ValueError, match=r"got 2\.7 for dt = 2\.7"):
        model.step(x[:, 4], dt=[0.4, 0.0], state=after)
    np.testing.assert_array_equal(after, kept)


def test_streams_refuse_a_step_in_which_an_output_falls_due(backend):
    """Nothing has changed then, and others go on; rows that only fill the buffer refuse nothing."""
    model, x = explicit(backend=backend), normal(3, 3, 2)
    streams = model.streams(4)
    ids = streams.open(3)
    for t in (0, 1):
        assert np.isnan(streams.step(ids, x[:, t], dt=[0.9, 0.6, 0.6])).all()
    kept = streams.states.copy()
    with pytest.raises(ValueError, match=r"got 2\.7 for dt = 2\.7"):
        streams.step(ids, x[:, 2], dt=[0.9, 0.6, 0.6])
    np.testing.assert_array_equal(streams.states[ids], kept[ids])
    found = streams.step(ids, x[:, 2], dt=[0.1, 0.6, 0.6])
    want = model(x, dt=[[0.9, 0.9, 0.1], [0.6] * 3, [0.6] * 3])[:, 0]
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-12)
