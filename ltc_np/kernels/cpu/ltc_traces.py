"""The LTC's parts of `synaptic_traces`: those of `neuron_major`, and how its sums become gradients."""

import sys

from . import ltc
from .jit import helper
from .ltc_neuron_major import (
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
    """`ltc.unpack`; given: the orders of the synapses, `ltc.Circuit.places`, and the fixed gains."""
    orders, places, (gain, sensory_gain) = given
    neuron, synapses, sensory = ltc.parts(values, places)
    d_neuron, d_synapses, d_sensory = ltc.parts(g, places)
    ltc.unpack(rows, orders, neuron, (*synapses, gain), (*sensory, sensory_gain), d_neuron, d_synapses, d_sensory)


def bind(circuit, layout, values, factor, plan, arrays):
    """See `ltc_np.kernels.numpy.synaptic_traces`."""
    given = circuit.orders, circuit.places(layout), circuit.gains
    return bound(sys.modules[__name__], given, circuit, layout, values, factor, plan, arrays)


# The last line, since it needs all parts above.
sizes_of, follow = sweep(sys.modules[__name__])
