"""The scene of a network that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network.trace import Trace
from .moments import layer_of, moments
from .positions import positions
from .strokes import THIN, draw_neurons, draw_synapses, frame, synapses_of, write_titles
from .styling import BLACK, BLUE, CENTIMETRE, GREY, LINES, VERMILION, WIDTH, diverging, matplotlib_module

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LIGHT = 0.36  # how far colours go to either side of white, of 0.5: numbers stay legible
WIDEST = 3.0  # width of the strongest current of all steps, in points
STRIP = 2.2  # height of the inputs' and outputs' strip, in cm


def scene(trace: Trace, layer: int | None, sequence: int) -> tuple[Figure, int, Callable[[int], list[Any]]]:
    """The figure, how many frames it has, and what draws one of them: a frame is a step."""
    inputs = moments(trace, sequence)
    traced = layer_of(trace, layer, lambda each: each.layer.reads_wiring and hasattr(each.layer, "wiring"), "a wiring")
    when, last = inputs.at(traced), trace.layers[-1]
    built: Any = traced.layer.wiring  # type: ignore[attr-defined]
    state = when.of(traced.state)[:, : built.units]
    where = positions(built)
    flows = np.zeros((when.steps, built.sensory_synapse_count + built.synapse_count))
    has_currents = "currents" in traced.arrays
    if has_currents:
        flows = np.concatenate([when.of(traced.arrays[name]) for name in ("sensory_currents", "currents")], axis=1)
    low, high = where.limits
    tall = WIDTH * float((high - low)[1] / (high - low)[0])
    pyplot = matplotlib_module("pyplot")
    figure = pyplot.figure(figsize=(WIDTH * CENTIMETRE, (tall + STRIP) * CENTIMETRE))
    share = STRIP / (tall + STRIP)
    ax = figure.add_axes((0, share, 1, 1 - share))
    strip = figure.add_axes((0.11, 0.45 * share, 0.86, 0.52 * share))
    signs = np.concatenate([np.sign(built.sensory_erev), np.sign(built.erev)])
    lines = draw_synapses(ax, where, synapses_of(built, where, signs))
    neurons = draw_neurons(ax, built, where)
    neurons.set_linewidth([1.6 if i < built.output_dim else 0.5 for i in range(built.units)])
    for number in ax.texts:
        number.set_color("black")
    for marks in lines.marks if has_currents else ():
        marks.set_visible(False)  # colours are those of the currents, whose sign may change
    frame(ax, low, high)
    write_titles(ax, where, WIDTH / float((high - low)[0]))
    for k in range(trace.x.shape[-1]):
        strip.plot(inputs.edges[1:], inputs.of(trace.x)[:, k], color=GREY, linewidth=0.6)
    for k, column in enumerate(inputs.at(last).of(trace.y).T if last.layer.stride == 1 else ()):
        strip.plot(inputs.at(last).edges[1:], column, color=LINES[(k + 2) % len(LINES)], linewidth=1.0)
    now = strip.axvline(when.edges[1], color=BLACK, linewidth=0.8)
    strip.set(xlabel=when.word, xlim=(when.edges[0], when.edges[-1]))
    colors, largest, most = diverging(), np.abs(state).max() or 1.0, np.abs(flows).max() or 1.0
    to_rgba = matplotlib_module("colors").to_rgba_array([BLUE, VERMILION])

    def show(k: int) -> list[Any]:
        now.set_xdata([when.edges[k + 1]] * 2)
        neurons.set_facecolor(colors(0.5 + LIGHT * state[k] / largest))
        if has_currents:
            flow = flows[k][lines.order]
            rgba = to_rgba[(flow < 0).astype(int)]
            size = np.abs(flow) / most
            rgba[:, 3] = 0.2 + 0.75 * np.sqrt(size)
            lines.drawn.set_edgecolor(rgba)
            lines.drawn.set_linewidth(THIN + (WIDEST - THIN) * size)
        return [now, neurons, lines.drawn]

    show(0)
    return figure, when.steps, show
