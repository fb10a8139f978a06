"""The loss of single answers, by the kernel that computes that of batches: NumPy takes twice as long for one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels, losses
from ..base.types import Array, LibraryLoss, Numbers
from ..kernels.losses import KNOWN
from .network import Network


class AnswerLoss:
    """The loss of outputs (1, O) that all have a target, and its derivative (1, O).

    Parameters
    ----------
    loss : function
        One that `made_for` takes.
    network : Network

    Attributes
    ----------
    kernel : function
        With ``arguments`` it takes the (1, 1, O) arrays ``y`` and ``target``, and leaves the loss of all outputs
        together in ``total`` (1,), and its derivative in ``d_y``.
    """

    kernel: Any
    arguments: tuple[Any, ...]
    y: Array
    target: Array
    d_y: Array
    total: Numbers

    def __init__(self, loss: LibraryLoss, network: Network) -> None:
        O, dtype = network.output_size, network.dtype
        numbers = losses.numbers(loss, None, O, dtype)
        self.kernel, before = kernels.load("cpu", "losses").call(losses.name_of(loss), numbers, dtype)
        self.y, self.target, self.d_y = (np.zeros((1, 1, O), dtype) for _ in range(3))
        self.total, self._outputs = np.zeros(1), O
        one_step, once = np.ones(1, np.int64), np.ones(1)
        self.arguments = *before, self.y, self.target, one_step, once, self.d_y, self.total

    def __call__(self, y: Array, target: Numbers) -> tuple[float, Array]:
        self.y[0], self.target[0] = y, target
        self.kernel(*self.arguments)
        loss, d_y = float(self.total[0]), self.d_y[0].copy()
        return (loss, d_y) if self._outputs == 1 else (loss / self._outputs, d_y / y.dtype.type(self._outputs))


def made_for(loss: LibraryLoss, network: Network) -> AnswerLoss | None:
    """That of a loss of errors and a network of the CPU's; None of others."""
    if kernels.on_host(network.backend) != "cpu" or losses.name_of(loss) not in KNOWN or losses.has_classes(loss):
        return None
    return AnswerLoss(loss, network)
