"""A wiring in a few lines of text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .base import Wiring

FLOW = ("inter", "command", "motor")  # the order in which types are named


def summary(wiring: Wiring) -> str:
    """Neurons by type, inputs, synapses and their share of dense, signs and fan-in."""
    N: int = wiring.units
    inputs: Any = wiring.input_dim
    types = Counter(wiring.get_type_of_neuron(i) for i in range(N))
    flow = [name for name in FLOW if name in types] + [name for name in types if name not in FLOW]
    lines = [repr(wiring), f"neurons   {N}: " + ", ".join(f"{types[name]} {name}" for name in flow)]
    if not wiring.is_built:
        return "\n".join([*lines, "inputs    not known before build(input_dim)"])
    S, S_in = wiring.synapse_count, wiring.sensory_synapse_count
    # What a synapse does is the sign of its reversal potential, which in RandomWiring is not the polarity's.
    positive = np.count_nonzero(wiring.erev > 0) + np.count_nonzero(wiring.sensory_erev > 0)
    fan_in = np.bincount(np.concatenate([wiring.post, wiring.sensory_post]), minlength=N)
    shares = f"{S} recurrent ({S / N**2:.1%} of dense), {S_in} sensory ({S_in / (inputs * N):.1%} of dense)"
    return "\n".join(
        [
            *lines,
            f"inputs    {inputs}",
            f"synapses  {shares}",
            f"polarity  {positive} excitatory, {S + S_in - positive} inhibitory",
            f"fan-in    {fan_in.min()} to {fan_in.max()} synapses per neuron",
        ]
    )
