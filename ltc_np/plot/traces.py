"""Pictures of a trace: states, spikes, the currents into a neuron, and time constants, over time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Numbers
from ..network.trace import Trace
from .moments import FEW, chosen, draw_lines, draw_map, layer_of, moments, name_rows
from .styling import BLACK, drawing, matplotlib_module

if TYPE_CHECKING:
    from matplotlib.axes import Axes


CURRENTS = "sensory_currents", "currents", "leak"


@with_signature_hints
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
    traced = layer_of(trace, layer, lambda each: each.state.shape[-1] > 0, "a state")
    when = when.at(traced)
    columns = chosen("neurons", neurons, traced.state.shape[-1])
    values = when.of(traced.state)[:, columns]
    names = [str(i) for i in columns]
    with drawing(ax) as ax:
        if len(columns) <= FEW:
            draw_lines(ax, when, values, [f"neuron {name}" for name in names])
            ax.set_ylabel("state")
        else:
            draw_map(ax, when.edges, values, names, "state", when.word)
            ax.set_ylabel("neuron")
    return ax


@with_signature_hints
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
    traced = layer_of(trace, layer, lambda each: "spikes" in each.arrays, "spikes")
    when = when.at(traced)
    fired = when.of(traced.arrays["spikes"]) > 0
    rows = chosen("neurons", neurons, fired.shape[1])
    step, row = np.nonzero(fired[:, rows])
    with drawing(ax) as ax:
        ax.vlines(when.edges[1:][step], row - 0.4, row + 0.4, color=BLACK, linewidth=0.8)
        name_rows(ax, [str(i) for i in rows])
        ax.set(xlim=(when.edges[0], 1.01 * when.edges[-1]), xlabel=when.word, ylabel="neuron")
    return ax


@with_signature_hints
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
    traced = layer_of(
        trace, layer, lambda each: all(kind in each.arrays for kind in CURRENTS), "synaptic currents (LTC)"
    )
    when = when.at(traced)
    wiring: Any = traced.layer.wiring  # type: ignore[attr-defined]
    neuron = checks.integer("neuron", neuron, 0, wiring.units - 1)
    sensory, recurrent, leak = (when.of(traced.arrays[kind]) for kind in CURRENTS)
    from_inputs, from_neurons = wiring.sensory_post == neuron, wiring.post == neuron
    values = np.concatenate([sensory[:, from_inputs], recurrent[:, from_neurons], leak[:, [neuron]]], axis=1)
    names = [f"in {i}" for i in wiring.sensory_pre[from_inputs]] + [str(i) for i in wiring.pre[from_neurons]]
    with drawing(ax) as ax:
        draw_map(ax, when.edges, values, [*names, "leak"], f"current into neuron {neuron}", when.word)
        ax.set_ylabel("from")
    return ax


@with_signature_hints
def time_constants(
    trace: Trace,
    *,
    layer: int | None = None,
    name: str = "tau",
    neurons: Iterable[int] | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """How quickly each neuron follows its drive at each step: its time constant as a map of logarithmic colours.

    Parameters
    ----------
    trace : Trace
        What `Model.trace` gives, of a model with `LTC`, `LRC`, `CfC` or another layer that has time constants.
    layer : int, optional
        Which layer; may be left out if only one has them.
    name : str
        The array of the layer: "tau"; of a `CTGRU` "retrieval_tau" or "storage_tau", of a `Bidirectional`
        "forward_tau" or "backward_tau".
    neurons : iterable of int, optional
        Default all.
    sequence : int
        Which sequence of the batch.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        In the unit of ``dt``.  What is not finite is left white.

    Raises
    ------
    TypeError, ValueError
        No trace, one without time constants, or a layer, a neuron or a sequence that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> trace = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0).trace(np.ones((5, 2)), dt=0.5)
    >>> plot.time_constants(trace).collections[0].get_array().size  # 8 neurons, 5 steps
    40
    """
    when = moments(trace, sequence)
    checks.text("name", name)
    traced = layer_of(trace, layer, lambda each: name in each.arrays, f"time constants {name!r}")
    when = when.at(traced)
    values = np.asarray(when.of(traced.arrays[name]), float)
    if values.ndim != 2:
        raise ValueError(f"`name` must be of an array with one number a neuron, got {name!r} with {values.shape[1:]}")
    columns = chosen("neurons", neurons, values.shape[1])
    values = np.ma.masked_invalid(values[:, columns])
    with drawing(ax) as ax:
        drawn = draw_map(ax, when.edges, values, [str(i) for i in columns], "time constant", when.word, _norm(values))
        _ticks(drawn)
        ax.set_ylabel("neuron")
    return ax


def _norm(values: Numbers) -> Any:
    """Logarithmic colours from the least to the largest of all."""
    positive = values[values > 0].compressed()  # type: ignore[attr-defined]
    if not positive.size:
        raise ValueError("`trace` must have time constants that are finite and more than 0, it has none")
    low, high = positive.min(), positive.max()
    if high < 1.01 * low:  # they never change, and a scale needs a width
        low, high = low / 1.1, high * 1.1
    return matplotlib_module("colors").LogNorm(low, high)


def _ticks(drawn: Any) -> None:
    """Plain numbers beside the bar: powers of ten if it spans two of them, else a few numbers of two digits."""
    ticker = matplotlib_module("ticker")
    low, high, axis = drawn.norm.vmin, drawn.norm.vmax, drawn.colorbar.ax.yaxis
    if high < 100 * low:
        axis.set_major_locator(ticker.FixedLocator([float(f"{v:.2g}") for v in np.geomspace(low, high, 6)[1:-1]]))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())
