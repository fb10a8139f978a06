"""The wiring of the tutorial: dense, with fixed random gains."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from .base import Wiring, seed_of
from .synapses import all_pairs


class RandomWiring(Wiring):
    """The tutorial's wiring: dense, with random fixed gains and random initial reversal potentials.

    Built from the start.  All polarities are +1; the sign of a synapse is that of its reversal potential,
    which the tutorial draws independently and trains.

    Parameters
    ----------
    input_dim : int
        Number of inputs I, >= 1.
    output_dim : int
        Number of motor neurons, in 1..neuron_count.
    neuron_count : int
        Number of neurons N, >= 1.
    seed : int or None
        Seed, >= 0; None draws a seed once and keeps it (the repr shows it).

    Attributes
    ----------
    neuron_count : int
        The same as `units`; the tutorial's name.

    Notes
    -----
    Drawn in this order, each as a matrix [pre, post]: gains U(0, 1) recurrent, then sensory; reversal
    potentials U(-0.2, 0.2) recurrent, then sensory.  The tutorial calls the gains adjacency matrices.
    """

    def __init__(self, input_dim: int, output_dim: int, neuron_count: int, seed: int | None = None) -> None:
        neuron_count = checks.integer("neuron_count", neuron_count, 1)
        arguments = {
            "input_dim": checks.integer("input_dim", input_dim, 1),
            "output_dim": checks.integer("output_dim", output_dim, 1, neuron_count),
            "neuron_count": neuron_count,
            "seed": seed_of("seed", seed),
        }
        super().__init__(neuron_count, output_dim, arguments=arguments)
        self._set(input_dim=arguments["input_dim"])

    @property
    def neuron_count(self) -> int:
        return self.units

    def _draw(self, input_dim: int | None) -> tuple[Any, Any]:
        N: int = self.units
        rows: Any = (self.units, self.input_dim)
        if input_dim != self.input_dim:
            raise ValueError(f"`input_dim` must be {self.input_dim}, as {self!r} is fixed, got {input_dim}")
        rng = np.random.default_rng(self.arguments["seed"])
        gains = [rng.uniform(0, 1, (pre_count, N)).ravel() for pre_count in rows]
        erevs = [rng.uniform(-0.2, 0.2, (pre_count, N)).ravel() for pre_count in rows]
        recurrent, sensory = ((*all_pairs(rows[k], N), gains[k], erevs[k]) for k in range(2))
        return recurrent, sensory
