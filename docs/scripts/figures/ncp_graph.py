"""A neural circuit policy of 19 neurons, beside the same neurons with all synapses."""

import matplotlib.pyplot as plt
from book import main, size

from ltc_np import NCP, FullyConnected, plot

INPUTS = 5
LAYERS = {"inter_neurons": 12, "command_neurons": 6, "motor_neurons": 1}
DRAWS = {"sensory_fanout": 4, "inter_fanout": 2, "recurrent_command_synapses": 4, "motor_fanin": 4}


def sparse():
    return NCP(**LAYERS, **DRAWS).build(INPUTS)


def dense():
    return FullyConnected(sum(LAYERS.values()), 1).build(INPUTS)


def synapses(wiring):
    return wiring.synapse_count + wiring.sensory_synapse_count


def draw():
    figure, (left, right) = plt.subplots(1, 2, figsize=size(13.8, 7.2), layout="constrained")
    for axes, wiring, name in ((left, sparse(), "NCP"), (right, dense(), "all connected")):
        plot.wiring(wiring, ax=axes)
        axes.set_title(f"{name}: {synapses(wiring)} synapses")
    return figure


if __name__ == "__main__":
    main({"ncp_graph": draw}, __doc__)
