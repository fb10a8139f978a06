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
from ltc_np.cells import CELLS
from ltc_np.online import Exact
from ltc_np.online.generic import AnyTraces

NCP = AutoNCP(8, 3)
RECURRENT = {
    "LTC": (LTC(NCP),),
    "LRC": (LRC(NCP),),
    "CfC": (CfC(5, backbone_units=6),),
    "WiredCfC": (WiredCfC(NCP),),
    "LSTM": (LSTM(3),),
    "GRU": (GRU(4),),
    "CTRNN": (CTRNN(5),),
    "NeuralODE": (NeuralODE(4),),
    "CTGRU": (CTGRU(2),),
    "SpikingLIF": (SpikingLIF(4),),
    "LrcSSM": (LrcSSM(4),),
    "S4D": (S4D(2),),
    "LiquidS4": (LiquidS4(2),),
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


@pytest.mark.few(1)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layers", RECURRENT.values(), ids=RECURRENT.keys())
def test_online_gradients_sum_to_those_through_time(layers, seed):
    model = Model(*layers, input_dim=2, seed=seed, dtype="float64", backend="numpy")
    x, dt, target = sequence(model, 15, seed)
    _, wanted = model.loss_and_grad(x, target, dt=dt)
    check_parts(model, summed(model, AnyTraces(model, Exact()), x, dt, target), wanted)
