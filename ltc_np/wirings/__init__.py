"""Wirings: which neuron drives which, as lists of synapses.

A wiring is an immutable recipe.  `Wiring.build` gives it the number of inputs and returns a new, built
wiring, which holds two lists of synapses: recurrent ones (neuron to neuron) and sensory ones (input to
neuron).  Each list is sorted by (post, pre), so that the synapses of one postsynaptic neuron lie together,
and models keep one parameter per synapse, in that order: cost and memory follow the number of synapses, not
the square of the neurons.  Matrices, indexed [pre, post], are copies made for plots and exchange.

Neurons are numbered from 0; the first ``output_dim`` of them are the motor neurons, whose states are the
outputs.

`FullyConnected`, `Random`, `NCP` and `AutoNCP` give, for equal arguments, the graphs and polarities of ncps
1.0.1, bit for bit: they make the same random calls in the same order.  `NCP` and `AutoNCP` draw from numpy's
frozen ``RandomState``; the others from ``default_rng``, whose streams numpy may change between versions,
which is one reason why saved models store the synapses and not the seed alone.  `RandomWiring` is the
tutorial's dense wiring with random fixed gains.  Wirings of one's own come from `Wiring.from_edges` and
`Wiring.from_matrix`, or from a subclass.
"""

from .base import NotBuiltError, Wiring
from .fully_connected import FullyConnected
from .ncp import NCP, AutoNCP
from .random import Random
from .tutorial import RandomWiring

__all__ = ["NCP", "AutoNCP", "FullyConnected", "NotBuiltError", "Random", "RandomWiring", "Wiring"]
