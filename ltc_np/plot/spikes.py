"""When which neuron has spiked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .look import BLACK, drawing
from .moments import LABELS, chosen, layer_of, moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from ..network.trace import Trace


def spike_raster(
    trace: Trace,
    *,
    layer: int | None = None,
    neurons: Iterable[int] | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """The spikes of a layer of spiking neurons: a row for each neuron, and a mark at the end of each step with a spike.

    Parameters
    ----------
    trace : Trace
        What `Model.trace` gives, of a model with `SpikingLIF`.
    layer : int, optional
        Which layer; may be left out if only one spikes.
    neurons : iterable of int, optional
        Default all.
    sequence : int
        Which sequence of the batch.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        No trace, one without spikes, or a layer, a neuron or a sequence that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Model, SpikingLIF, plot
    >>> trace = Model(SpikingLIF(10), input_dim=3, seed=0).trace(np.ones((20, 3)))
    >>> ax = plot.spike_raster(trace)
    """
    when = moments(trace, sequence)
    own = layer_of(trace, layer, lambda each: "spikes" in each.arrays, "spikes")
    fired = when.of(own.arrays["spikes"]) > 0
    rows = chosen("neurons", neurons, fired.shape[1])
    step, row = np.nonzero(fired[:, rows])
    with drawing(ax) as ax:
        ax.vlines(when.edges[1:][step], row - 0.4, row + 0.4, color=BLACK, linewidth=0.8)
        every = -(-len(rows) // LABELS)
        ax.set_yticks(range(0, len(rows), every), [str(i) for i in rows[::every]])
        ax.set(xlim=(when.edges[0], 1.01 * when.edges[-1]), ylim=(len(rows) - 0.5, -0.5))
        ax.set(xlabel=when.word, ylabel="neuron")
    return ax
