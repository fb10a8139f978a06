"""States over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .look import drawing
from .moments import FEW, chosen, draw_lines, draw_map, layer_of, moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from ..network.trace import Trace


def states(
    trace: Trace,
    *,
    layer: int | None = None,
    neurons: Iterable[int] | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """The state of a layer after each step: a line for each neuron, or a map of colours if there are more than six.

    Parameters
    ----------
    trace : Trace
        What `Model.trace` gives.
    layer : int, optional
        Which layer; may be left out if only one has a state.
    neurons : iterable of int, optional
        Columns of the state; default all.
    sequence : int
        Which sequence of the batch.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Over the elapsed time, where the model knows it; else over the steps.  In a map blue is more than 0, vermilion
        less.

    Raises
    ------
    TypeError, ValueError
        No trace, or a layer, a neuron or a sequence that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> trace = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0).trace(np.ones((5, 2)))
    >>> ax = plot.states(trace, neurons=[0, 3])
    >>> len(ax.get_lines())
    2
    """
    when = moments(trace, sequence)
    own = layer_of(trace, layer, lambda each: each.state.shape[-1] > 0, "a state")
    columns = chosen("neurons", neurons, own.state.shape[-1])
    values = when.of(own.state)[:, columns]
    names = [str(i) for i in columns]
    with drawing(ax) as ax:
        if len(columns) <= FEW:
            draw_lines(ax, when, values, [f"neuron {name}" for name in names])
            ax.set_ylabel("state")
        else:
            draw_map(ax, when.edges, values, names, "state", when.word)
            ax.set_ylabel("neuron")
    return ax
