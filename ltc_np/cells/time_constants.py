"""Initial values of an LTC whose time constants cover a given range.

At rest, with potentials and mapped inputs of 0, a synapse is open by s = sigmoid(-sigma mu), and neuron i relaxes with
the time constant ::

    tau_i = cm_i / Q_i        Q_i = gleak_i + sum_j w_ji s_ji + (the same over the inputs) + epsilon

Here tau_i is drawn first, and the others are made to fit.  docs/memory.md says why, and shows what becomes of the
gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.activations import sigmoid
from ..base.layout import Entry, raw
from ..base.types import Arrays
from ..wirings import Wiring

SPAN = (1.0, 100.0)
SET = ("gleak", "cm", "w", "sensory_w")  # what follows from the time constants
NAMES = (*SET, "mu", "sigma", "sensory_mu", "sensory_sigma")
# A neuron's recurrent strengths together, and its sensory ones, in units of its leak.  Smaller: inputs hardly move slow
# neurons, and training takes longer to begin; larger: open synapses shorten the time constants more.
STRENGTH = 10.0


def read(init: Any) -> tuple[tuple[float, float] | None, Any]:
    """(range of the time constants or None, the rest) of an LTC's ``init``."""
    if isinstance(init, str):
        if init != "time_constants":
            raise ValueError(f'`init` must be a dict or "time_constants", got {init!r}')
        return SPAN, None
    if not isinstance(init, dict) or "time_constants" not in init:
        return None, init
    span, rest = init["time_constants"], {name: value for name, value in init.items() if name != "time_constants"}
    name = "init['time_constants']"
    if not isinstance(span, (tuple, list)) or len(span) != 2:
        raise ValueError(f"`{name}` must be (low, high) with 0 < low <= high, got {span!r}")
    low, high = (checks.number(name, value, low_open=True) for value in span)
    if low > high:
        raise ValueError(f"`{name}` must be (low, high) with 0 < low <= high, got {span!r}")
    for key in SET:
        if key in rest:
            raise ValueError(f'`init` must not give {key!r} beside "time_constants", which sets {", ".join(SET)}')
    return (low, high), rest


def draw(
    wiring: Wiring, entries: Mapping[str, Entry], span: tuple[float, float], epsilon: float, rng: np.random.Generator
) -> Arrays:
    """Raw initial values of the parameters `NAMES`, by name.

    Parameters
    ----------
    wiring : Wiring
        Built.
    entries : dict
        name -> `Entry`; those of mu and sigma say how these are drawn.
    span : (low, high)
        Of the time constants, in the unit of dt.
    epsilon : float
    rng : numpy.random.Generator
    """
    values = {name: entries[name].initial(rng) for name in NAMES if name not in SET}
    N = wiring.units
    # One in each of N equal parts of the logarithmic range, so that no draw leaves a gap.
    tau = span[0] * (span[1] / span[0]) ** (rng.permutation(np.arange(N) + rng.uniform(size=N)) / N)
    Q = np.ones(N)  # in units of the leak
    for kind, post, gain in (
        ("", wiring.post, wiring.gain),
        ("sensory_", wiring.sensory_post, wiring.sensory_gain),
    ):
        gain = np.ones(post.size) if gain is None else gain
        w = rng.uniform(0.5, 1.5, post.size)
        w *= STRENGTH / np.bincount(post, w * gain, N)[post]
        Q += np.bincount(post, w * gain * sigmoid(-values[kind + "sigma"] * values[kind + "mu"]), N)
        values[kind + "w"] = w
    leak = 1 / (tau * Q)  # conductances of 1 / tau in all, for a capacity of 1
    values |= {"w": values["w"] * leak[wiring.post], "sensory_w": values["sensory_w"] * leak[wiring.sensory_post]}
    values |= {"gleak": leak, "cm": 1 + tau * epsilon}
    return {name: raw(value, entries[name].positivity) for name, value in values.items()}
