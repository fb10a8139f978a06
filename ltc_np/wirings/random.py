"""A share of all possible synapses, drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Ints
from .base import Wiring, seed_of


class Random(Wiring):
    """A given share of all possible synapses, drawn at random; two thirds of them excitatory on average.

    Parameters
    ----------
    units : int
        Number of neurons N, >= 1.
    output_dim : int, optional
        Number of motor neurons, in 1..N; default N.
    sparsity_level : float
        Share of the possible synapses that is left out, in [0, 1); 1 would leave none.
    random_seed : int or None
        Seed, >= 0; None draws a seed once and keeps it.

    Notes
    -----
    round(N*N*(1 - sparsity_level)) recurrent and round(I*N*(1 - sparsity_level)) sensory synapses.
    Nothing ensures that inputs reach the motor neurons; `build` warns if they do not.  Equal to ncps 1.0.1
    for equal arguments and numpy's same ``default_rng`` streams.  The recurrent synapses are known before
    `build`.

    Examples
    --------
    >>> Random(10, 2, sparsity_level=0.75).build(4).synapse_count
    25
    """

    def __init__(
        self, units: int, output_dim: int | None = None, sparsity_level: float = 0.0, random_seed: int | None = 1111
    ) -> None:
        units = checks.integer("units", units, 1)
        sparsity_level = checks.number("sparsity_level", sparsity_level, 0, 1, high_open=True)
        arguments = {
            "units": units,
            "output_dim": units if output_dim is None else checks.integer("output_dim", output_dim, 1, units),
            "sparsity_level": sparsity_level,
            "random_seed": seed_of("random_seed", random_seed),
        }
        super().__init__(units, output_dim, arguments=arguments)

    def _draw(self, input_dim: int | None) -> tuple[Any, Any]:
        arguments = self.arguments
        rng = np.random.default_rng(arguments["random_seed"])

        def draw(pre_count: int, times: int) -> tuple[Ints, Ints, Ints]:
            # ncps draws the polarity of each sensory synapse twice and keeps the second (`times` = 2).
            count = round(pre_count * self.units * (1 - arguments["sparsity_level"]))
            pre, post = np.divmod(rng.choice(pre_count * self.units, count, replace=False), self.units)
            return pre, post, rng.choice([-1, 1, 1], times * count)[times - 1 :: times]

        return draw(self.units, 1), None if input_dim is None else draw(input_dim, 2)
