"""Cells: one file a model.  `CELLS` is the registry that saving, loading and the tests go by."""

from .base import Layer
from .cfc import CfC
from .ctgru import CTGRU
from .ctrnn import CTRNN
from .gru import GRU
from .linoss import LinOSS
from .liquid_s4 import LiquidS4
from .lrc import LRC
from .lrc_ssm import LrcSSM
from .lstm import LSTM
from .ltc import LTC
from .neural_ode import NeuralODE
from .s4d import S4D
from .spiking_lif import SpikingLIF
from .wired_cfc import WiredCfC

CELLS: dict[str, type[Layer]] = {
    cell.__name__: cell
    for cell in (LTC, LRC, CfC, WiredCfC, LSTM, GRU, CTRNN, NeuralODE, CTGRU, SpikingLIF, LrcSSM, S4D, LiquidS4, LinOSS)
}

__all__ = [
    "CTGRU",
    "CTRNN",
    "GRU",
    "LRC",
    "LSTM",
    "LTC",
    "S4D",
    "CfC",
    "Layer",
    "LinOSS",
    "LiquidS4",
    "LrcSSM",
    "NeuralODE",
    "SpikingLIF",
    "WiredCfC",
]
