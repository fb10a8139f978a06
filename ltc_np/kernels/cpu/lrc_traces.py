"""The LRC's parts of `synaptic_traces`: those of `neuron_major`, and how its sums become gradients."""

import sys

from . import lrc
from .jit import helper
from .lrc_neuron_major import (
    DRIVES,
    KEPT,
    NEURON_SUMS,
    advance,
    d_advance,
    d_leak,
    d_synapse,
    from_inputs,
    named,
    named_outgoing,
    synapse_sums,
)
from .synaptic_traces import bound, sweep

__all__ = [
    "DRIVES",
    "KEPT",
    "NEURON_SUMS",
    "advance",
    "bind",
    "d_advance",
    "d_leak",
    "d_synapse",
    "follow",
    "from_inputs",
    "named",
    "named_outgoing",
    "sizes_of",
    "synapse_sums",
]


@helper
def unpack(rows, given, values, g):
    """`lrc.unpack`; given: the orders of the synapses, and `lrc.Circuit.places`."""
    orders, places = given
    _, synapses, _, sensory, _ = lrc.parts(values, places)
    d_neuron, d_synapses, d_weights, d_sensory, d_sensory_weights = lrc.parts(g, places)
    lrc.unpack(rows, orders, synapses, sensory, d_neuron, d_synapses, d_weights, d_sensory, d_sensory_weights)


def bind(circuit, layout, values, factor, plan, arrays):
    """See `ltc_np.kernels.numpy.synaptic_traces`."""
    given = circuit.orders, circuit.places(layout)
    return bound(sys.modules[__name__], given, circuit, layout, values, factor, plan, arrays)


# The last line, since it needs all parts above.
sizes_of, follow = sweep(sys.modules[__name__])
