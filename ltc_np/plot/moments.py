"""One sequence of a trace: its steps, when they happen, and how an array of it becomes a map of colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, Ints, Numbers
from ..network.trace import LayerTrace, Trace
from .styling import DASHES, LINES, diverging, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FEW = 6  # neurons that are drawn as lines
LABELS = 12  # rows of a map that are named, at most


class Moments(NamedTuple):
    """Which sequence of a trace (None: it has only one), its T steps, and the times (T + 1,) between which they lie."""

    sequence: int | None
    steps: int
    edges: Array
    word: str

    def of(self, array: Numbers) -> Numbers:
        """The steps of this sequence: (T, ...) of (B, T, ...)."""
        return array[: self.steps] if self.sequence is None else array[self.sequence, : self.steps]

    def at(self, layer: LayerTrace) -> Moments:
        """Those of a layer, which has fewer behind a stride."""
        steps = int(layer.lengths if self.sequence is None else layer.lengths[self.sequence])
        own = self._replace(steps=steps)
        return own._replace(edges=np.concatenate([[0.0], np.cumsum(own.of(layer.dt), dtype=float)]))


def moments(trace: Any, sequence: int) -> Moments:
    """The steps of one sequence of a trace."""
    if not isinstance(trace, Trace):
        raise TypeError(f"`trace` must be what `model.trace(x)` gives, got {checks.brief(trace)}")
    single = trace.x.ndim == 2
    sequence = checks.integer("sequence", sequence, 0, 0 if single else len(trace.x) - 1)
    which = None if single else sequence
    steps = int(trace.lengths if single else trace.lengths[sequence])
    if not steps:
        raise ValueError(f"`sequence` must be one with steps, got {sequence} of length 0")
    if trace.dt is None:
        return Moments(which, steps, np.arange(steps + 1.0), "step")
    dt = Moments(which, steps, np.zeros(0), "").of(trace.dt)
    edges = np.concatenate([[0.0], np.cumsum(dt, dtype=float)])
    if edges[-1] == 0:
        raise ValueError(f"`sequence` must be one in which time passes, got {sequence} with dt = 0 at every step")
    return Moments(which, steps, edges, "time")


def layer_of(trace: Trace, layer: int | None, has: Any, what: str) -> LayerTrace:
    """The layer that is asked for, or the only one of which ``has`` is true; errors say ``what`` it must have."""
    fit = [k for k, each in enumerate(trace.layers) if has(each)]
    if layer is None:
        if len(fit) != 1:
            names = ", ".join(type(each.layer).__name__ for each in trace.layers)
            there = f"layers {fit} have: choose one by `layer`" if fit else f"no layer has, of a model of {names}"
            raise ValueError(f"`trace` must have one layer with {what}, {there}")
        return trace.layers[fit[0]]
    if checks.integer("layer", layer, 0, len(trace.layers) - 1) not in fit:
        raise ValueError(f"`layer` must be one with {what}, of {fit}, got {layer}")
    return trace.layers[layer]


def chosen(name: str, which: Iterable[int] | None, count: int) -> Ints:
    """Numbers of neurons, all by default."""
    if which is None:
        return np.arange(count)
    if isinstance(which, (str, bytes)) or not hasattr(which, "__iter__"):
        raise TypeError(f"`{name}` must be a list of numbers, got {checks.brief(which)}")
    found = [checks.integer(f"{name}[{k}]", i, 0, count - 1) for k, i in enumerate(which)]
    if not found:
        raise ValueError(f"`{name}` must hold at least one number, got none")
    return np.array(found)


def draw_lines(ax: Axes, when: Moments, values: Numbers, names: Sequence[str]) -> None:
    """A line for each column of ``values`` (T, n), which holds after each step."""
    for k, name in enumerate(names):
        ax.plot(when.edges[1:], values[:, k], color=LINES[k], linestyle=DASHES[k % len(DASHES)], label=name)
    ax.set_xlabel(when.word)
    ax.margins(x=0.01)
    legend_above(ax)


def draw_map(
    ax: Axes, edges: Array, values: Numbers, names: Sequence[str], label: str, word: str, norm: Any = None
) -> Any:
    """A map of ``values`` (T, n): a row for each of n, a column for each step, as wide as the step is long.

    Without a ``norm`` colours are those of a number's sign, and 0 is white.
    """
    rows = np.arange(len(names) + 1) - 0.5
    if norm is None:
        largest = float(np.abs(values).max(initial=0.0)) or 1.0
        look: dict[str, Any] = {"cmap": diverging(), "vmin": -largest, "vmax": largest}
    else:
        look = {"norm": norm}
    drawn = ax.pcolormesh(edges, rows, values.T, rasterized=True, **look)
    name_rows(ax, names)
    ax.set(xlim=(edges[0], edges[-1]), xlabel=word)
    ax.tick_params(axis="y", length=0)
    bar = ax.figure.colorbar(drawn, ax=ax, label=label, pad=0.02, aspect=25)
    bar.outline.set_visible(False)
    return drawn


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Names of rows from the top down, of many every second, third, ... one, so that at most `LABELS` are shown."""
    every = -(-len(names) // LABELS)
    ax.set_yticks(range(0, len(names), every), names[::every])
    ax.set_ylim(len(names) - 0.5, -0.5)
