"""Sensitivities of any layers, by their own hand-derived backward pass over one step: the definition.

docs/online.md derives it.  One step makes of the state h before it, of K numbers, and of P parameters the state h+ and
the outputs y.  Its backward pass with a 1 for one number of (h+, y), and 0 for all others, gives the row of that number
in the derivatives by h, D of K columns, and by the parameters, I of P columns.  So the sensitivities of (h+, y) are
D J + I, where J are those of h.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from ..base import blas, checks
from ..base.types import Array
from ..base.workspace import Fresh, Workspace
from ..network.network import Network
from ..network.sequences import Sequences
from .methods import Exact, Immediate, Method
from .traces import Traces

SLOW = 10**8  # multiplications a step that take about a tenth of a second
USUAL_BYTES = 2**34  # of a machine that does not tell its memory


class Cost(NamedTuple):
    """What carrying sensitivities takes, for one stream.

    Attributes
    ----------
    numbers : int
        That are kept between steps.
    multiplications : int
        Of one step.
    """

    numbers: int
    multiplications: int


class AnyTraces(Traces):
    """`Traces` of all layers of a network at once: right for every layer, and slow; their parameters are theta.

    Parameters
    ----------
    network : Network
        Its parameters follow `prepare`; several traces may share it.
    method : Exact or Immediate

    Raises
    ------
    ValueError
        Another method.
    """

    def __init__(self, network: Network, method: Method) -> None:
        check_method(network, method)
        self._network, self._exact = network, isinstance(method, Exact)
        K, O, dtype = network.state_size, network.output_size, network.dtype
        trained = np.arange(network.layout.size)
        self._trained = trained if network.trainable is None else trained[network.trainable]
        P, self._K = self._trained.size, K
        # Of the state and the outputs: the first rows are those that the next step needs, the others answer `gradient`.
        self._rows = np.eye(K + O, dtype=dtype)[0 if self._exact else K :]
        self.hold({"state": (K,), "sensitivities": (len(self._rows), P)}, dtype)
        self._x, self._dt = np.empty((1, 1, network.input_size), dtype), np.empty((1, 1), dtype)
        self._lengths, self._workspace = np.ones(1, np.int64), Workspace()
        self.prepare(network.theta)
        self.reset()

    def prepare(self, theta: Array) -> None:
        self._network.theta[:] = theta
        self._prepared = self._network.engine.prepare(Fresh())

    def reset(self) -> None:
        self.arrays["state"][:] = self._network.starting_state(1)[0]
        self.arrays["sensitivities"].fill(0)

    def advance(self, x: Array, dt: float) -> Array:
        engine, K, held = self._network.engine, self._K, self.arrays
        self._x[0, 0], self._dt[0, 0] = x, dt
        given = Sequences(self._x, self._dt, self._lengths, None, held["state"][None].copy())
        engine.check(self._prepared, given)
        y, state, saved = engine.forward(self._prepared, given, "full", Fresh())
        if self._trained.size:
            D, I = (np.empty((len(self._rows), size), held["state"].dtype) for size in (K, self._trained.size))
            for k, row in enumerate(self._rows):
                d_h, d_y = row[:K].reshape(1, K).copy(), row[K:].reshape(y.shape).copy()
                adjoints = engine.backward(self._prepared, saved, None, d_y, d_h, False, False, self._workspace)
                D[k], I[k] = adjoints.h0[0], adjoints.theta[self._trained]
            if self._exact:
                I += blas.product(D, held["sensitivities"][:K])
            held["sensitivities"][...] = I
        held["state"][:] = state[0]
        return y[0, 0].copy()

    def gradient(self, d_y: Array) -> Array:
        found = np.zeros(self._network.layout.size, d_y.dtype)
        found[self._trained] = d_y @ self.arrays["sensitivities"][-len(d_y) :]
        return found


def check_method(network: Network, method: Method) -> None:
    """Refuse a method that is not for all layers."""
    if not isinstance(method, (Exact, Immediate)):
        layers = ", ".join(map(repr, network.layers))
        raise ValueError(
            f"`method` must be Exact() or Immediate() for {layers}, got {method!r}: other methods follow the synapses "
            "of one LTC or LRC with a solver without a tableau, which is the only layer with a state, behind none with "
            "parameters"
        )


def cost(network: Network, method: Method) -> Cost:
    """What `AnyTraces` takes; it is known before anything is made."""
    check_method(network, method)
    K, P = network.state_size, network.layout.size if network.trainable is None else int(network.trainable.sum())
    rows = network.output_size + (K if isinstance(method, Exact) else 0)
    return Cost(K + rows * P, rows * P * (K + 2 if isinstance(method, Exact) else 2))


def say_cost(network: Network, method: Method, streams: int, found: Cost, late: int = 0) -> None:
    """Refuse or warn of traces for so many streams where they cost much, before they are made; answers that wait for
    their targets keep ``late`` more numbers a stream."""
    numbers, multiplications = (streams * each for each in found)
    what = f"{method!r} carries {numbers:,} numbers for {', '.join(map(repr, network.layers))} and takes "
    what += f"{multiplications:,} multiplications a step"
    remedy = "take a layer on a sparse wiring, a diagonal one such as LrcSSM, a smaller one, or Immediate()"
    if late:
        numbers += streams * late
        what += f", answers that wait for their targets keep {streams * late:,} numbers more"
        remedy += ", or a smaller `delay`"
    if numbers * network.dtype.itemsize > (most := memory()):
        raise MemoryError(f"{what}, but this machine has {most / 2**30:.3g} GiB of memory: {remedy}")
    if multiplications > SLOW:
        checks.warn(f"{what}, which is slow: {remedy}")


def memory() -> int:
    """Bytes of this machine, or a usual number where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return USUAL_BYTES
