"""Where a model is cut for its sensitivities, and what a method leaves without a gradient."""

import numpy as np
import pytest

from ltc_np import (
    LRC,
    LSTM,
    LTC,
    AutoNCP,
    Dense,
    Dropout,
    FullyConnected,
    Model,
    Pooling,
    Residual,
    Standardize,
    Wiring,
)
from ltc_np.online import EProp, Exact, Immediate, Learner, SnAp, split
from ltc_np.online.generic import AnyTraces
from ltc_np.online.head import AnyHead, LinearHead, NoHead, head_of
from ltc_np.online.split import cut, look_first, places, traces_for, unseen

NCP = AutoNCP(8, 2)


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ((LTC(NCP),), (0, 1)),
        ((Standardize(), Dropout(0.1), LTC(NCP), Dense(3), Standardize(inverse=True)), (2, 3)),
        ((Dense(3), LTC(NCP), Dense(1)), (0, 2)),
        ((LTC(NCP), LSTM(3), Dense(1)), (0, 2)),
        ((LTC(NCP), Dense(2), Pooling("mean"), Dense(1)), (0, 3)),
        ((Standardize(), Dense(3), Dense(2)), (1, 2)),
        ((Residual(LTC(FullyConnected(2))), Dense(1)), (0, 1)),
    ],
)
def test_places(layers, wanted):
    assert places(Model(*layers, input_dim=2, seed=0)) == wanted


def test_a_cut_has_the_parameters_and_what_is_frozen():
    model = Model(Standardize(mean=2.0), LTC(NCP), Dense(3), input_dim=2, seed=0)
    model.freeze("1.w", "2.bias")
    first, middle, last = (cut(model, k, k + 1) for k in range(3))
    np.testing.assert_array_equal(np.concatenate([first.theta, middle.theta, last.theta]), model.theta)
    np.testing.assert_array_equal(np.concatenate([middle.trainable, last.trainable]), model.trainable)
    assert first.buffers["mean"].tolist() == [2.0, 2.0]
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_allclose(last(middle(first(x), dt=0.3)), model(x, dt=0.3), rtol=1e-6)
    middle.theta[:] = 0
    assert model.theta.any()


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ((Dense(3),), LinearHead),
        ((Dense(3), Standardize(inverse=True, mean=5.0, scale=3.0)), LinearHead),
        ((Dense(3, "tanh"), Dense(2)), AnyHead),
        ((Dense(3), Standardize(mean=5.0, scale=3.0)), AnyHead),
    ],
)
def test_heads_are_the_layers_and_their_adjoint(layers, kind):
    network = Model(*layers, input_dim=4, seed=0, dtype="float64")
    head, rng = head_of(network), np.random.default_rng(0)
    assert type(head) is kind
    f, d_y, theta = rng.normal(size=(5, 4)), rng.normal(size=(5, network.output_size)), network.theta + 0.1
    head.prepare(theta)
    network.theta = theta
    y, tape = network.forward(f[:, None])
    wanted = network.backward(tape, d_y[:, None])
    np.testing.assert_allclose(head.forward(f), y[:, 0], rtol=1e-13)
    d_theta, d_f = head.backward(f, d_y)
    np.testing.assert_allclose(d_theta, wanted.theta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(d_f, wanted.x[:, 0], rtol=1e-12, atol=1e-14)


def test_no_head_is_the_identity():
    head, f = head_of(None), np.ones((2, 3))
    head.prepare(np.empty(0))
    assert isinstance(head, NoHead) and head.forward(f) is f
    d_theta, d_f = head.backward(f, f)
    assert d_theta.shape == (0,) and d_f is f


# A chain 3 -> 2 -> 1 -> 0, of which 0 is read; neuron 4 is not heard.
CHAIN = Wiring.from_edges(5, [(3, 2, 1), (2, 1, 1), (1, 0, 1), (0, 4, 1)], [(0, 3, 1)], output_dim=1)


@pytest.mark.parametrize(
    ("method", "count"),
    [
        (Exact(), 0),
        (SnAp(1), 3),
        (SnAp(2), 2),
        (SnAp(4), 0),
        (Immediate(), 3),
        (EProp(), 3),
        (EProp("random"), 0),
    ],
    ids=repr,
)
def test_neurons_that_a_method_gives_no_gradient(method, count):
    assert unseen(LTC(CHAIN), method) == count
    assert unseen(LTC(FullyConnected(4)), method) == 0  # all are read
    assert unseen(LSTM(3), method) == 0


def test_a_layer_that_something_quicker_follows(monkeypatch):
    """It is asked for a layer alone, may decline, and a method that leaves neurons out is warned of, once."""
    asked = []

    def make(network, method):
        asked.append(method)
        return AnyTraces(network, Exact()) if isinstance(method, SnAp) else None

    monkeypatch.setitem(split.FAST, LRC, make)
    network = Model(LRC(CHAIN), input_dim=1, seed=0)
    assert isinstance(traces_for(network, Exact()), AnyTraces) and asked == [Exact()]
    with pytest.warns(
        RuntimeWarning, match=r"SnAp\(n=2\) gives 2 of the 5 neurons of LRC.* a gradient of exactly 0"
    ) as told:
        learner = Learner(Model(LRC(CHAIN), Dense(1), input_dim=1, seed=0), "adam", method=SnAp(2), streams=3)
    assert len(told) == 1 and learner.method == SnAp(2)
    look_first(network, SnAp(4), 3)  # says nothing
