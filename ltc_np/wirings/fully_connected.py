"""Every neuron drives every neuron."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from .base import Wiring, seed_of
from .synapses import all_pairs


class FullyConnected(Wiring):
    """Every neuron and every input drives every neuron; two thirds of the synapses are excitatory.

    Parameters
    ----------
    units : int
        Number of neurons N, >= 1.
    output_dim : int, optional
        Number of motor neurons, in 1..N; default N.
    erev_init_seed : int or None
        Seed of the polarities, >= 0; None draws a seed once and keeps it.
    self_connections : bool
        Whether neurons drive themselves.

    Notes
    -----
    Equal to ncps 1.0.1 for equal arguments and numpy's same ``default_rng`` streams.  The recurrent
    synapses are known before `build`.

    Examples
    --------
    >>> FullyConnected(5, 2).build(3).synapse_count
    25
    """

    def __init__(
        self,
        units: int,
        output_dim: int | None = None,
        erev_init_seed: int | None = 1111,
        self_connections: bool = True,
    ) -> None:
        self_connections = checks.boolean("self_connections", self_connections)
        units = checks.integer("units", units, 1)
        arguments = {
            "units": units,
            "output_dim": units if output_dim is None else checks.integer("output_dim", output_dim, 1, units),
            "erev_init_seed": seed_of("erev_init_seed", erev_init_seed),
            "self_connections": self_connections,
        }
        super().__init__(units, output_dim, arguments=arguments)

    def _draw(self, input_dim: int | None) -> tuple[Any, Any]:
        arguments = self.arguments
        rng = np.random.default_rng(arguments["erev_init_seed"])
        pre, post = all_pairs(self.units, self.units)
        if not arguments["self_connections"]:
            pre, post = pre[pre != post], post[pre != post]
        recurrent = pre, post, rng.choice([-1, 1, 1], pre.size)
        if input_dim is None:
            return recurrent, None
        pre, post = all_pairs(input_dim, self.units)
        return recurrent, (pre, post, rng.choice([-1, 1, 1], pre.size))
