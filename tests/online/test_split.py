"""Where a model is cut for its sensitivities, and what a method leaves without a gradient."""

import numpy as np
import pytest

from ltc_np import (
    LRC,
    LSTM,
    LTC,
    S4D,
    AutoNCP,
    Conv1D,
    Dense,
    Dropout,
    FullyConnected,
    LiquidS4,
    LrcSSM,
    Model,
    Pooling,
    Residual,
    Standardize,
    Wiring,
)
from ltc_np.kernels.codes import TABLEAUS
from ltc_np.online import EProp, Exact, Immediate, Learner, SnAp, synaptic
from ltc_np.online.generic import AnyTraces
from ltc_np.online.head import AnyHead, LinearHead, NoHead, head_of
from ltc_np.online.lrc_ssm import LrcSSMTraces
from ltc_np.online.quick import QUICK
from ltc_np.online.split import cut, look_first, places, traces_for, unseen
from ltc_np.online.state_space import StateSpaceTraces
from ltc_np.online.synaptic import SynapticTraces

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
        ((Dense(3), *(Standardize(inverse=True, mean=5.0, scale=3.0),) * 2), AnyHead),
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


class Own(LrcSSM):
    """It may compute something else."""


@pytest.mark.parametrize(
    ("layers", "method", "kind"),
    [
        ((LTC(NCP),), Exact(), SynapticTraces),
        ((LRC(NCP),), EProp(), SynapticTraces),
        *(((LTC(NCP, solver=solver),), Exact(), AnyTraces) for solver in TABLEAUS),
        ((LrcSSM(3),), Exact(), LrcSSMTraces),
        ((LrcSSM(3),), Immediate(), AnyTraces),
        ((Own(3),), Exact(), AnyTraces),
        ((S4D(2),), Exact(), StateSpaceTraces),
        ((LiquidS4(2),), Exact(), StateSpaceTraces),
        ((LSTM(2),), Exact(), AnyTraces),
        ((LTC(NCP), LTC(NCP)), Exact(), AnyTraces),
    ],
)
def test_what_follows_a_layer(layers, method, kind):
    network = Model(*layers, input_dim=2, seed=0, backend="numpy")
    assert type(traces_for(network, method)) is kind


def test_neurons_without_a_gradient_are_warned_of_once():
    words = r"SnAp\(n=2\) gives 2 of the 5 neurons of LRC.* a gradient of exactly 0"
    model = Model(LRC(CHAIN), Dense(1), input_dim=1, seed=0, backend="numpy")
    with pytest.warns(RuntimeWarning, match=words) as told:
        assert Learner(model, "adam", method=SnAp(2), streams=2).method == SnAp(2)
    assert len(told) == 1
    look_first(cut(model, 0, 1), SnAp(4), 3)  # says nothing


def test_those_neurons_have_none():
    """0 is read and 1 leads to it, 2 and 3 are too far away, 4 is not heard."""
    network = Model(LTC(CHAIN), input_dim=1, seed=0, dtype="float64", backend="numpy")
    traces, rng = traces_for(network, SnAp(2)), np.random.default_rng(0)
    traces.prepare(network.theta)
    for _ in range(5):
        traces.advance(rng.normal(size=1), 1.0)
    has = network.views(traces.gradient(np.ones(1)))["gleak"] != 0
    assert has.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("method", [Exact(), SnAp(1), SnAp(2), EProp(), Immediate()], ids=repr)
@pytest.mark.parametrize("wiring", [NCP, CHAIN, FullyConnected(4)], ids=["NCP", "chain", "full"])
def test_the_cost_of_a_wiring_is_known_before(method, wiring):
    network = Model(LTC(wiring), input_dim=1, seed=0, dtype="float64", backend="numpy")
    numbers, multiplications = synaptic.cost_of(network, method)
    plan = synaptic.traces_of(network, method).plan
    assert numbers == len(plan.entries()[0])
    # Without the padding to whole vectors, but as if every source had what its target has.
    assert (multiplications > 0) == plan.carried and multiplications <= 2 * plan.rule.evaluations * plan.size * 5


@pytest.mark.parametrize("layer", [LrcSSM(3), S4D(2), LiquidS4(2)])
def test_the_cost_of_a_diagonal_cell(layer):
    network, way = Model(layer, input_dim=2, seed=0, backend="numpy"), QUICK[type(layer)]
    kept = sum(array.size for array in traces_for(network, Exact()).arrays.values())
    assert way.cost(network, Exact()).numbers == kept < 15 * (network.layout.size + network.state_size)
    assert way.cost(network, Immediate()) is None and way.traces(network, Immediate()) is None


def test_a_dense_wiring_says_its_cost():
    model = Model(LTC(FullyConnected(70)), input_dim=2, seed=0, backend="numpy")
    with pytest.warns(
        RuntimeWarning, match=r"Exact\(\) carries [\d,]+ numbers for LTC.* and takes [\d,]+ multiplications a"
    ):
        look_first(model, Exact(), 1)
    look_first(model, SnAp(1), 1)  # says nothing


FOLLOWED = pytest.mark.parametrize(
    "layer", [LTC(NCP), LRC(NCP), LrcSSM(3), S4D(4), LSTM(3), Conv1D(2, 3, activation="tanh")], ids=repr
)


@FOLLOWED
def test_traces_have_arrays_of_their_own(layer):
    """What is written into the weights that they were given, into inputs, outputs or gradients changes nothing."""
    model = Model(layer, input_dim=2, seed=0, dtype="float64", backend="numpy")
    plain, traces = (traces_for(model, Exact()) for _ in range(2))
    rng, theta = np.random.default_rng(0), model.theta.copy()
    plain.prepare(model.theta)
    traces.prepare(theta)
    theta.fill(7)
    last = np.zeros(0)
    for x in rng.normal(size=(4, 2)):
        given, d_y = x.copy(), rng.normal(size=model.output_size)
        y, found = plain.advance(x, 0.5), traces.advance(given, 0.5)
        given.fill(7)
        np.testing.assert_array_equal(found, y)
        assert (last == 7).all()
        (last := found).fill(7)
        gradient, mine = plain.gradient(d_y), traces.gradient(own := d_y.copy())
        np.testing.assert_array_equal(own, d_y)
        np.testing.assert_array_equal(mine, gradient)
        mine.fill(7)
        np.testing.assert_array_equal(traces.gradient(d_y), gradient)  # asked for once more, it is the same
    for each in (plain, traces):
        each.prepare(1.5 * model.theta)
    np.testing.assert_array_equal(traces.gradient(d_y), plain.gradient(d_y))


@FOLLOWED
def test_traces_keep_the_precision(layer):
    model = Model(layer, input_dim=2, seed=0, backend="numpy")
    traces = traces_for(model, Exact())
    traces.prepare(model.theta)
    y = traces.advance(np.ones(2, np.float32), 0.5)
    assert y.dtype == traces.gradient(np.ones_like(y)).dtype == traces.whole.dtype == np.float32


@FOLLOWED
def test_all_that_traces_keep_lies_in_one_array(layer):
    """So that a copy of it is enough to take a step back."""
    model = Model(layer, input_dim=2, seed=0)
    traces = traces_for(model, Exact())
    sizes = sum(array.size for array in traces.arrays.values())
    assert sizes <= traces.whole.size <= sizes + 16 * len(traces.arrays)
    traces.whole.fill(7)
    for array in traces.arrays.values():
        assert (array == 7).all()
