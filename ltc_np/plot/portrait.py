"""Two neurons against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..base import checks
from .moments import layer_of, moments
from .styling import BLACK, BLUE, GREY, VERMILION, drawing, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..base.types import Array
    from ..network.trace import Trace

ARROWS = 14  # each way, at most


class Plane(Protocol):
    """What `phase_portrait` reads of `ltc_np.analysis.Nullclines`."""

    @property
    def first(self) -> Array: ...
    @property
    def second(self) -> Array: ...
    @property
    def slopes(self) -> Array: ...
    @property
    def first_still(self) -> Array: ...
    @property
    def second_still(self) -> Array: ...


def phase_portrait(
    plane: Plane,
    neurons: tuple[int, int],
    *,
    trace: Trace | None = None,
    layer: int | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Where two neurons go from each pair of potentials, where either stands still, and the way that a trace took.

    Parameters
    ----------
    plane : Nullclines
        What `ltc_np.analysis.nullclines` gives for these neurons.
    neurons : (int, int)
        Their numbers, as they were given to it.
    trace : Trace, optional
        What `Model.trace` gives: its way through the plane, from a dot to an arrow.  The plane is that of one input,
        held; under other inputs a trace need not follow its arrows.
    layer : int, optional
        Which layer of the trace; may be left out if only one has a state.
    sequence : int
        Which sequence of the trace.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Arrows have one length and show directions.  Where dots of both kinds meet, both neurons stand still.

    Raises
    ------
    TypeError, ValueError
        No such plane or trace, or neurons that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> from ltc_np import CTRNN, Model, analysis, plot
    >>> model = Model(CTRNN(3), input_dim=1, seed=0)
    >>> ax = plot.phase_portrait(analysis.nullclines(model, (0, 2), [0.5]), (0, 2))
    """
    parts = "first", "second", "slopes", "first_still", "second_still"
    if not all(hasattr(plane, part) for part in parts):
        raise TypeError(f"`plane` must be what `analysis.nullclines` gives, got {checks.brief(plane)}")
    if not isinstance(neurons, (tuple, list)) or len(neurons) != 2:
        raise TypeError(f"`neurons` must be two ints, got {checks.brief(neurons)}")
    way = None
    if trace is not None:
        when = moments(trace, sequence)
        traced = layer_of(trace, layer, lambda each: each.state.shape[-1] > 0, "a state")
        width = traced.state.shape[-1]
        columns = [checks.integer("neurons", i, 0, width - 1) for i in neurons]
        start = traced.h0 if when.sequence is None else traced.h0[when.sequence]
        way = np.concatenate([start[None, columns], when.of(traced.state)[:, columns]])
    with drawing(ax, 6.6) as ax:
        x, y = (slice((len(line) - 1) % _every(line) // 2, None, _every(line)) for line in (plane.first, plane.second))
        along, up = np.asarray(plane.slopes, float)[:, x, y]
        size = np.hypot(along, up)
        size[size == 0] = 1.0
        ax.quiver(
            plane.first[x], plane.second[y], (along / size).T, (up / size).T, color=GREY, alpha=0.7, pivot="mid",
            angles="xy", scale=ARROWS * 1.7, width=0.003,
        )  # fmt: skip
        for name, points, color, marker in (
            (f"neuron {neurons[0]} still", plane.first_still, BLUE, "o"),
            (f"neuron {neurons[1]} still", plane.second_still, VERMILION, "x"),
        ):
            along, up = np.asarray(points).T
            ax.plot(along, up, marker, color=color, markersize=1.8, markeredgewidth=0.5, label=name)
        if way is not None:
            ax.plot(*way.T, color=BLACK, linewidth=0.9, label="trace")
            ax.plot(*way[0], color=BLACK, marker="o", markersize=3)
            ax.annotate("", way[-1], way[-2], arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 0.9})
        ax.set(xlim=(plane.first[0], plane.first[-1]), ylim=(plane.second[0], plane.second[-1]))
        ax.set(xlabel=f"neuron {neurons[0]}", ylabel=f"neuron {neurons[1]}")
        legend_above(ax)
    return ax


def _every(line: Array) -> int:
    """Which lines of a grid have arrows: every so many, evenly from end to end."""
    return -(-len(line) // ARROWS)
