"""Long sequences in chunks on a card: the network is cut as a whole."""

import numpy as np
import pytest

pytest.importorskip("numba")

from support.card import pair
from support.cuda_uses import OnDevice

from ltc_np import BPTT, L1L2, LTC, SGD, AutoNCP, Dense, FullyConnected, Model, ParallelTime, Residual, losses
from ltc_np.base.workspace import Fresh, Workspace
from ltc_np.layers import parallel
from ltc_np.layers.parallel import Chunked
from ltc_np.network.cuda.whole import WholeNetwork
from ltc_np.network.engine import Objective

pytestmark = [pytest.mark.card, pytest.mark.usefixtures("emulator")]
T, CHUNKS = 60, 4


def networks(time_constants=(1, 3), dtype="float64", **options):
    """Two LTCs, a layer without a state between them."""
    init = {"time_constants": time_constants}
    layers = (
        LTC(AutoNCP(6, 2, seed=1), input_dim=2, ode_unfolds=2, init=init),
        Dense(3, "tanh", input_dim=2),
        LTC(FullyConnected(3, 2), input_dim=3, ode_unfolds=1, init=init),
    )
    return pair(*layers, dtype=dtype, **options)


def sequences(B, rng):
    return rng.normal(size=(B, T, 2)), rng.uniform(0.5, 1.5, (B, T)), rng.normal(size=(B, T, 2))


def answers(model, x, dt, d_y, d_state, **more):
    y, state = model(x, dt=dt, return_state=True, **more)
    again, tape = model.forward(x, dt=dt, **more)
    assert np.array_equal(y, again)
    return y, state, *model.backward(tape, d_y, d_state)


@pytest.mark.parametrize(("lengths", "memory"), [(None, "full"), ([60, 0, 31, 16], "low")])
def test_chunks_on_a_card_are_the_sequence(lengths, memory, rng):
    """Outputs, states and gradients: those of the card without chunks, and of the definition on the host."""
    definition, model = networks()
    x, dt, d_y = sequences(4, rng)
    d_state, options = rng.normal(size=(4, model.state_size)), {"lengths": lengths}
    want = answers(definition, x, dt, d_y, d_state, **options, parallel_time=False)
    whole = answers(model, x, dt, d_y, d_state, **options, parallel_time=False)
    found = answers(model, x, dt, d_y, d_state, **options, parallel_time=CHUNKS)
    (report,) = model.last_parallel
    assert (report.layer, report.chunks, report.steps) == (None, CHUNKS, T // CHUNKS)
    assert not report.as_it_stands
    for a, b, c in zip(found, whole, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12 * np.abs(b).max())
        np.testing.assert_allclose(a, c, atol=1e-9 * np.abs(c).max())
    _, tape = model.forward(x, dt=dt, **options, memory=memory, parallel_time=CHUNKS)
    assert isinstance(tape.saved, Chunked)
    for a, b in zip(model.backward(tape, d_y, d_state), found[2:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * np.abs(b).max())


def test_the_same_bits_with_layers_that_know_no_batch(rng):
    model = pair(LTC(AutoNCP(6, 2, seed=1), input_dim=2, ode_unfolds=2), dtype="float32")[1]
    assert model.layer_stack.bitwise_batch
    x, dt, _ = sequences(2, rng)
    found = [model(x, dt=dt, parallel_time=way, return_state=True) for way in (False, 5)]
    for a, b in zip(*found, strict=True):
        assert np.array_equal(a, b)
    assert model.last_parallel[0].chunks == 5


def test_a_model_cuts_on_the_card_by_itself(rng, monkeypatch):
    """Once its sequences are long enough; with more chunks than on the host, for which a card has room."""
    monkeypatch.setattr(parallel.settings, "SHORTEST", 1000)
    layer = LTC(FullyConnected(2, 1), input_dim=1, ode_unfolds=1)
    model, x = pair(layer)[1], rng.normal(size=(1, 1000, 1))
    y = model(x)
    (report,) = model.last_parallel
    assert report.chunks >= 4
    assert report.chunks == parallel.chunks.most_useful(1, 1000, report.early, parallel.CARD)
    assert np.array_equal(y, model(x, parallel_time=False)) and model.last_parallel == ()
    assert model.engine.width == parallel.CARD
    assert Model(Residual(LTC(FullyConnected(1), input_dim=1)), backend="cuda").engine.width == parallel.PROCESSOR


def test_a_long_memory_is_computed_again_and_in_the_end_as_it_stands(rng):
    definition, model = networks((300, 300))
    x, dt, d_y = sequences(1, rng)
    d_state = rng.normal(size=(1, model.state_size))
    want = answers(definition, x, dt, d_y, d_state, parallel_time=False)
    found = answers(model, x, dt, d_y, d_state, parallel_time=10)
    (report,) = model.last_parallel
    assert report.repeated >= 9 and report.as_it_stands
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9 * np.abs(b).max())


def test_a_layer_that_does_not_forget_is_never_cut(rng):
    model = pair(Dense(2, "tanh", input_dim=2))[1]
    model(sequences(1, rng)[0], parallel_time=3)
    assert model.last_parallel == ()


def test_arrays_on_the_card_stay_whole(rng):
    model = networks()[1]
    x, _, _ = sequences(2, rng)
    want = model(x, parallel_time=CHUNKS)
    assert len(model.last_parallel) == 1
    found = np.asarray(model(OnDevice(x), parallel_time=CHUNKS))
    assert model.last_parallel == ()
    np.testing.assert_allclose(found, want, atol=1e-12)


def test_frozen_parameters_get_no_gradient(rng):
    model = networks()[1]
    x, dt, d_y = sequences(1, rng)
    model.freeze("0.w")
    _, tape = model.forward(x, dt=dt, parallel_time=CHUNKS)
    gradient = model.views(model.backward(tape, d_y).theta)
    assert not gradient["0.w"].any() and gradient["2.w"].any()


def test_the_gradient_of_a_whole_network_is_added(rng):
    """As that of a layer is; it is what a call gives."""
    model = networks()[1]
    x, dt, d_y = sequences(2, rng)
    whole, stack, lengths, h0 = WholeNetwork(model), model.engine.stack(), np.full(2, T), model.initial_state(2)
    _, h, saved = whole.forward(stack, x, dt, lengths, h0, "full", Fresh())
    found = np.ones(model.theta.size)
    whole.backward(stack, saved, d_y, np.zeros_like(h), model.layout.arrays(found), False, False, Fresh())
    _, tape = model.forward(x, dt=dt, parallel_time=False)
    np.testing.assert_allclose(found, 1 + model.backward(tape, d_y).theta, rtol=1e-12)


@pytest.mark.parametrize("lengths", [None, [60, 33, 17]])
def test_training_in_chunks_is_training(lengths, rng, monkeypatch):
    """Two epochs of two batches, with everything that a step has: as on the host, and as without chunks."""
    in_chunks, backward = [], parallel.backward
    monkeypatch.setattr(parallel, "backward", lambda *given: in_chunks.append(given[0]) or backward(*given))
    definition, model = networks()
    whole = networks()[1]
    x, dt, y = sequences(3, rng)
    before = model.theta.copy()
    options = {
        "dt": dt,
        "lengths": lengths,
        "penalty": L1L2(l2=1e-3),
        "clip_norm": 0.05,
        "batch_size": 2,
        "epochs": 2,
        "seed": 0,
    }
    ways = ((definition, False), (whole, False), (model, ParallelTime(CHUNKS)))
    histories = [
        each.fit(
            x,
            y,
            optimizer=SGD(0.1, momentum=0.5),
            tbptt=BPTT(parallel_time=way),
            metrics=["mae"],
            verbose=False,
            **options,
        )
        for each, way in ways
    ]
    assert len(model.last_parallel) == 1 and in_chunks == [model.engine.whole] * 4
    assert whole.last_parallel == ()
    assert np.abs(model.theta - before).max() > 1e-4
    for other, history in zip((definition, whole), histories[:2], strict=True):
        np.testing.assert_allclose(model.theta, other.theta, rtol=1e-8, atol=1e-11)
        for name, values in history.items():
            np.testing.assert_allclose(histories[2][name], values, rtol=1e-8, err_msg=name)


def test_gradients_are_those_of_the_parameters_of_their_forward(rng):
    """Where chunks are given up backwards, all runs once more; the parameters have changed since."""
    model = networks((300, 300))[1]
    x, dt, d_y = sequences(1, rng)
    _, tape = model.forward(x, dt=dt, parallel_time=10)
    want = model.backward(tape, d_y).theta
    assert model.last_parallel[0].as_it_stands
    model.theta *= 1.1
    assert np.array_equal(model.backward(tape, d_y).theta, want)


def test_a_gradient_in_chunks_that_is_not_finite_is_told(rng):
    model = networks()[1]
    x, dt, y = sequences(1, rng)
    model.parallel_time, objective = CHUNKS, Objective(losses.get("mse"), None, None)
    trainer = model.engine.trainer(objective, SGD(0.1), None, "full", Workspace())
    trainer.load()
    for factor, finite in ((1.0, True), (1.1e154, False)):  # whose squares overflow in the sum
        given = model.engine.read(x, dt, None, None, True).sequences
        batch = model.make_batch(given, factor * y, "mse", None)
        with np.errstate(all="ignore"):
            assert trainer.gradient(batch, None, False, False).finite is finite


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_training_in_chunks_that_diverges_says_so(rng):
    model = networks()[1]
    x, dt, y = sequences(1, rng)
    with pytest.raises(FloatingPointError, match="nan|inf"):
        model.fit(x, 1e150 * y, dt=dt, optimizer=SGD(1e300), epochs=3, tbptt=BPTT(parallel_time=CHUNKS), verbose=False)


def test_small_adjoints_of_one_layer_are_not_hidden_by_those_of_another(rng):
    """The network is cut as a whole; what each of its layers has is judged by itself."""
    first = LTC(FullyConnected(3, 2), input_dim=2, ode_unfolds=1, init={"time_constants": (50, 50)})
    second = LTC(FullyConnected(3, 2), input_dim=2, ode_unfolds=1, init={"time_constants": (1, 2)})
    model = pair(first, Dense(2, "tanh", input_dim=2), second, dtype="float32")[1]
    model.params["1.weight"][...] *= 0.01
    x, found = rng.normal(size=(1, 600, 2)), []
    for way in (False, 12):
        y, tape = model.forward(x, parallel_time=way)
        found.append(model.views(model.backward(tape, np.cos(y)).theta)["0.w"])
    np.testing.assert_allclose(found[1], found[0], atol=1e-5 * np.abs(found[0]).max())  # 3e-4 if they are
