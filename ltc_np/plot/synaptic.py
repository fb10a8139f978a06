"""Synaptic currents into one neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from .look import drawing
from .moments import draw_map, layer_of, moments

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..network.trace import Trace

KINDS = "sensory_currents", "currents", "leak"


def currents(trace: Trace, neuron: int, *, layer: int | None = None, sequence: int = 0, ax: Axes | None = None) -> Axes:
    """What drives one neuron when: the current through each of its synapses, and its leak.

    Parameters
    ----------
    trace : Trace
        What `Model.trace` gives, of a model with an `LTC`.
    neuron : int
        In 0..N-1.
    layer : int, optional
        Which layer; may be left out if only one is an LTC.
    sequence : int
        Which sequence of the batch.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each input ("in 0") and each neuron that has a synapse with this one, and the leak: blue is a current
        that raises the potential, vermilion one that lowers it.

    Raises
    ------
    TypeError, ValueError
        No trace, one without currents, or a layer, a neuron or a sequence that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> trace = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0).trace(np.ones((5, 2)), dt=0.5)
    >>> [label.get_text() for label in plot.currents(trace, 0).get_yticklabels()]
    ['1', '2', 'leak']
    """
    when = moments(trace, sequence)
    own = layer_of(trace, layer, lambda each: all(kind in each.arrays for kind in KINDS), "synaptic currents (LTC)")
    wiring: Any = own.layer.wiring  # type: ignore[attr-defined]
    neuron = checks.integer("neuron", neuron, 0, wiring.units - 1)
    sensory, recurrent, leak = (when.of(own.arrays[kind]) for kind in KINDS)
    from_inputs, from_neurons = wiring.sensory_post == neuron, wiring.post == neuron
    values = np.concatenate([sensory[:, from_inputs], recurrent[:, from_neurons], leak[:, [neuron]]], axis=1)
    names = [f"in {i}" for i in wiring.sensory_pre[from_inputs]] + [str(i) for i in wiring.pre[from_neurons]]
    with drawing(ax) as ax:
        draw_map(ax, when.edges, values, [*names, "leak"], f"current into neuron {neuron}", when.word)
        ax.set_ylabel("from")
    return ax
