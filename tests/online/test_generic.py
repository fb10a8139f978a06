"""The generic sensitivities: real-time recurrent learning is backpropagation through time, for every layer."""

import numpy as np
import pytest

from ltc_np import (
    CTGRU,
    CTRNN,
    GRU,
    LRC,
    LSTM,
    LTC,
    S4D,
    AutoNCP,
    CfC,
    Dense,
    FullyConnected,
    Layer,
    LinOSS,
    LiquidS4,
    LrcSSM,
    MixedMemory,
    Model,
    NeuralODE,
    Residual,
    SpikingLIF,
    Standardize,
    WiredCfC,
)
from ltc_np.base.layout import Entry, Layout
from ltc_np.cells import CELLS
from ltc_np.online import Exact, Immediate, Learner, generic
from ltc_np.online.generic import AnyTraces, Cost, cost, say_cost

NCP = AutoNCP(8, 3)
RECURRENT = {
    "LTC": (LTC(NCP),),
    "LRC": (LRC(NCP),),
    "CfC": (CfC(5, backbone_units=6),),
    "WiredCfC": (WiredCfC(NCP),),
    "LSTM": (LSTM(3),),
    "GRU": (GRU(4),),
    "GRU that decays": (GRU(4, decay=True),),
    "CTRNN": (CTRNN(5),),
    "NeuralODE": (NeuralODE(4),),
    "CTGRU": (CTGRU(2),),
    "SpikingLIF": (SpikingLIF(4),),
    "LrcSSM": (LrcSSM(4),),
    "S4D": (S4D(2),),
    "LiquidS4": (LiquidS4(2),),
    "LinOSS": (LinOSS(2, 3, discretization="exact"),),
    "mixed memory": (MixedMemory(LTC(AutoNCP(6, 2))),),
    "a stack": (Dense(3, "tanh"), LTC(AutoNCP(6, 2)), LSTM(3), Dense(2)),
    "around": (
        Residual(LTC(FullyConnected(2))),
        CfC(3, backbone_units=4),
        Dense(1),
        Standardize(inverse=True, scale=3.0),
    ),
}


def sequence(model, steps, seed):
    """Inputs, elapsed times, of which a fifth is 0, or None, and targets."""
    rng = np.random.default_rng(seed)
    x, dt = rng.normal(size=(steps, model.input_size)), rng.uniform(0, 2, steps)
    dt[rng.random(steps) < 0.2] = 0
    return x, dt if model.takes_dt else None, rng.normal(size=(steps, model.output_size))


def summed(model, traces, x, dt, target):
    """The gradient of the mean squared error, one step after another."""
    found = np.zeros(model.layout.size)
    for t, (x_t, wanted) in enumerate(zip(x, target, strict=True)):
        y = traces.advance(x_t, 1.0 if dt is None else dt[t])
        found += traces.gradient(2 * (y - wanted) / target.size)
    return found


def check_parts(model, found, wanted, most=1e-10):
    """Each parameter's array by its own size."""
    for name, array in model.views(wanted).items():
        np.testing.assert_allclose(
            model.views(found)[name], array, rtol=0, atol=most * np.abs(array).max(), err_msg=name
        )


def test_every_recurrent_layer_is_among_them():
    assert RECURRENT.keys() >= CELLS.keys()


@pytest.mark.few(4)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layers", RECURRENT.values(), ids=RECURRENT.keys())
def test_online_gradients_sum_to_those_through_time(layers, seed):
    model = Model(*layers, input_dim=2, seed=seed, dtype="float64", backend="numpy")
    x, dt, target = sequence(model, 15, seed)
    _, wanted = model.loss_and_grad(x, target, dt=dt)
    check_parts(model, summed(model, AnyTraces(model, Exact()), x, dt, target), wanted)


class Tanh(Layer):
    """h+ = tanh(W h + U x + b): the network of the golden case."""

    causal = True

    def __init__(self, units, *, input_dim):
        self.units, self.input_dim = units, input_dim
        self.input_size, self.state_size, self.output_size = input_dim, units, units
        entries = Entry("W", (units, units)), Entry("U", (units, input_dim)), Entry("b", (units,))
        self.layout = Layout(entries)
        self._freeze()

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        y = np.empty((*x.shape[:2], self.units))
        h = [h0]
        for t in range(x.shape[1]):
            h.append(np.tanh(h[t] @ prepared["W"].T + x[:, t] @ prepared["U"].T + prepared["b"]))
            y[:, t] = h[-1]
        return y, h[-1], (x, h)

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        x, h = saved
        for t in range(x.shape[1] - 1, -1, -1):
            d_z = (d_h + d_y[:, t]) * (1 - h[t + 1] ** 2)
            g["W"] += d_z.T @ h[t]
            g["U"] += d_z.T @ x[:, t]
            g["b"] += d_z.sum(0)
            d_h = d_z @ prepared["W"]
        return None, d_h, None


# Loss, then W, U, b: exact, and by the last steps alone.  The second component of the state is what is wanted.
GOLDEN = {
    Exact(): (0.38252588, -0.22082697, 0.43614042, 0.20038683, -0.02670614, -0.86791407, 0.69008276, 0.24857136),
    Immediate(): (0, 0, 0.38149267, 0.23193424, 0, -0.79022306, 0, 0.22386171),
}


@pytest.mark.parametrize(("method", "wanted"), GOLDEN.items(), ids=repr)
def test_golden_case(method, wanted):
    model = Model(Tanh(2, input_dim=1), seed=0, dtype="float64", backend="numpy")
    model.params["W"], model.params["U"], model.params["b"] = [[0.5, -0.3], [0.8, 0.2]], [[1.0], [-0.5]], [0.1, 0.0]
    traces, loss, found = AnyTraces(model, method), 0.0, np.zeros(8)
    for x, y in ((1.0, 0.5), (-0.5, 0.0), (0.25, -0.5)):
        error = traces.advance(np.array([x]), 1.0)[1] - y
        loss += 0.5 * error**2
        found += traces.gradient(np.array([0.0, error]))
    assert loss == pytest.approx(0.87316840, abs=5e-9)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5.001e-9)  # to all eight digits


@pytest.mark.sweep
@pytest.mark.parametrize("layer", CELLS)
def test_two_thousand_steps(layer):
    model = Model(*RECURRENT[layer], input_dim=2, seed=3, dtype="float64", backend="numpy")
    x, dt, target = sequence(model, 2000, 3)
    _, wanted = model.loss_and_grad(x, target, dt=dt)
    check_parts(model, summed(model, AnyTraces(model, Exact()), x, dt, target), wanted)


@pytest.mark.few(1)
@pytest.mark.parametrize("layers", RECURRENT.values(), ids=RECURRENT.keys())
def test_without_time_nothing_changes(layers):
    """A step with dt = 0 leaves state and sensitivities as they are, exactly, where layers say that of the state."""
    model = Model(*layers, input_dim=2, seed=0, backend="numpy")
    traces, K = AnyTraces(model, Exact()), model.state_size
    rng = np.random.default_rng(0)
    for _ in range(3):
        traces.advance(rng.normal(size=2).astype(np.float32), 0.7)
    before = {name: array[:K].copy() for name, array in traces.arrays.items()}
    traces.advance(rng.normal(size=2).astype(np.float32), 0.0)
    same = [np.array_equal(traces.arrays[name][:K], array) for name, array in before.items()]
    assert all(same) == model.layer_stack.dt0_identity


def test_frozen_parameters_have_none():
    """Neither a gradient nor a place; those of others stay as they are."""
    whole = Model(LSTM(3), input_dim=2, seed=0, dtype="float64", backend="numpy")
    part = Model(LSTM(3), input_dim=2, seed=0, dtype="float64", backend="numpy")
    part.freeze("w_x")
    all_traces, traces = AnyTraces(whole, Exact()), AnyTraces(part, Exact())
    for x in np.random.default_rng(0).normal(size=(5, 2)):
        np.testing.assert_array_equal(traces.advance(x, 1.0), all_traces.advance(x, 1.0))
        found, wanted = traces.gradient(np.ones(3)), all_traces.gradient(np.ones(3))
    np.testing.assert_allclose(found[part.trainable], wanted[part.trainable], rtol=1e-12)
    assert not found[~part.trainable].any()
    assert cost(part, Exact()).numbers < 0.8 * cost(whole, Exact()).numbers


def test_new_parameters_are_taken_and_a_reset_forgets():
    model = Model(LSTM(3), input_dim=2, seed=0, dtype="float64", backend="numpy")
    other = Model(LSTM(3), input_dim=2, seed=1, dtype="float64", backend="numpy")
    traces, x = AnyTraces(model, Exact()), np.array([1.0, -2.0])
    traces.advance(x, 1.0)
    traces.prepare(other.theta)
    traces.reset()
    fresh = AnyTraces(other, Exact())
    np.testing.assert_array_equal(traces.advance(x, 1.0), fresh.advance(x, 1.0))
    np.testing.assert_array_equal(traces.gradient(np.ones(3)), fresh.gradient(np.ones(3)))


def test_the_cost_is_said_before_it_starts(monkeypatch):
    model = Model(LSTM(60), input_dim=2, seed=0, backend="numpy")
    K, P, O = 120, 15120, 60
    assert cost(model, Exact()) == (K + (K + O) * P, (K + O) * P * (K + 2))
    assert cost(model, Immediate()) == (K + O * P, 2 * O * P)
    assert sum(a.size for a in AnyTraces(model, Exact()).arrays.values()) == cost(model, Exact()).numbers
    numbers, multiplications = (3 * each for each in cost(model, Exact()))
    words = f"carries {numbers:,} numbers for LSTM.* and takes {multiplications:,} multiplications a step, which is"
    with pytest.warns(RuntimeWarning, match=words) as told:
        Learner(model, "adam", streams=3, shared=False)
    assert len(told) == 1
    say_cost(model, Exact(), 4, Cost(10**6, generic.SLOW // 4))  # says nothing
    monkeypatch.setattr(generic, "memory", lambda: 2**20)
    with pytest.raises(MemoryError, match=r"but this machine has 0.000977 GiB of memory: take a layer on a sparse wir"):
        Learner(model, "adam")


def test_memory_of_this_machine():
    assert 2**28 < generic.memory() < 2**50
