"""The cases that are measured: networks, their data, and the step of a training."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ..cells import CTGRU, CTRNN, GRU, LRC, LSTM, LTC, S4D, CfC, LinOSS, LiquidS4, LrcSSM, NeuralODE, SpikingLIF
from ..model import Model
from ..optim import Adam, clip_by_global_norm
from ..wirings import AutoNCP, FullyConnected


class Case(NamedTuple):
    """A layer of N units (of a state space: states) and I inputs, called with these, and B sequences of T steps."""

    layer: Callable
    N: int
    I: int
    T: int
    B: int


def _dense(N, input_dim, outputs=None):
    return LTC(FullyConnected(N, outputs), input_dim=input_dim, input_mapping=None, output_mapping=None)


def _sparse(N, input_dim):
    return LTC(AutoNCP(N, 8, sparsity_level=0.9), input_dim=input_dim, input_mapping=None, output_mapping=None)


def _lrc(N, input_dim):
    return LRC(FullyConnected(N), input_dim=input_dim, input_mapping=None, output_mapping=None)


def _ctrnn(N, input_dim):
    return CTRNN(N, input_dim=input_dim, solver="euler")


def _neural_ode(N, input_dim):
    # Weights so small that rounding does not grow over 100 units of time: the usual ones make the dynamics chaotic.
    return NeuralODE(N, input_dim=input_dim, init={"w_h": (-0.05, 0.05)})


CASES = {
    "tutorial": Case(_dense, 8, 2, 3, 32),
    "small": Case(_dense, 32, 4, 100, 64),
    "medium": Case(_dense, 64, 8, 64, 64),
    "large": Case(_dense, 128, 16, 32, 32),
    "sparse": Case(_sparse, 64, 8, 64, 64),
    "ltc-cuda": Case(_dense, 64, 128, 8, 24),  # for which times of a GTX 1080 are known: 1.7 ms forward, 11 ms backward
    "cfc": Case(CfC, 32, 4, 100, 64),
    "lrc": Case(_lrc, 32, 4, 100, 64),
    "lrc_ssm": Case(LrcSSM, 32, 4, 100, 64),
    "s4d": Case(S4D, 32, 64, 256, 16),
    "linoss": Case(LinOSS, 32, 64, 256, 16),
    "liquid_s4": Case(LiquidS4, 32, 64, 256, 16),
    "lif": Case(SpikingLIF, 32, 4, 100, 64),
    "lstm32": Case(LSTM, 32, 4, 100, 64),
    "lstm64": Case(LSTM, 64, 8, 64, 64),
    "lstm128": Case(LSTM, 128, 16, 32, 32),
    "gru": Case(GRU, 32, 4, 100, 64),
    "ctgru": Case(CTGRU, 32, 4, 100, 64),
    "ctrnn": Case(_ctrnn, 32, 4, 100, 64),
    "neural_ode": Case(_neural_ode, 32, 4, 100, 64),
}
_dense_8 = partial(_dense, outputs=8)
CARD_CASES = {  # of a GPU
    "long": Case(_dense_8, 64, 8, 1000, 1024),
    "batch": Case(_dense_8, 64, 8, 64, 1024),
    "small": Case(_dense_8, 32, 4, 100, 4096),
    "large": Case(_dense_8, 128, 16, 100, 1024),
    "sparse": Case(_sparse, 64, 8, 1000, 1024),
}


def problem(case, dtype, backend="auto"):
    """A case's network, new, and its data: model, x (B, T, I), y (B, T, O)."""
    _, N, I, T, B = case
    model = Model(case.layer(N, input_dim=I), seed=0, dtype=dtype, backend=backend)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((B, T, I)).astype(dtype)
    return model, x, rng.standard_normal((B, T, model.output_size)).astype(dtype)


def training_step(model, x, y):
    """A function that trains one step through the public calls."""
    optimizer = Adam(1e-3)

    def step():
        _, grad = model.loss_and_grad(x, y)
        clip_by_global_norm(grad, 1.0)
        optimizer.step(model, grad)

    return step


def evaluations(layer, case):
    """Synapses that a forward call evaluates: one sigmoid each."""
    wiring = layer.wiring
    return case.B * case.T * (layer.ode_unfolds * wiring.synapse_count + wiring.sensory_synapse_count)
