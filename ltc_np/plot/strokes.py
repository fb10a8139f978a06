"""The lines and circles of a wiring's picture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.types import Array, Ints, Numbers
from ..wirings import Wiring
from .positions import Positions, curves
from .styling import BLUE, VERMILION, matplotlib_module, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FEW = 150  # synapses that are drawn in full; of more the strongest are, and the others are pale
THIN, THICK = 0.3, 1.8  # widths of the weakest and the strongest synapse, in points
INHIBITORY = (0, (3, 1.4))  # dashes, in points
FILLS = {"inputs": "#ffffff", "inter": "#d9d9d9", "command": "#a6a6a6", "motor": "#303030"}


class Synapses(NamedTuple):
    """All synapses of a wiring, sensory ones first: their signed values, where their ends lie, how they are bent, and
    whither a loop leads."""

    values: Numbers
    source: Array
    target: Array
    bend: Array
    outward: Array


class Lines(NamedTuple):
    """What `draw_synapses` has drawn: lines, what they end in, and which synapse each line is."""

    drawn: Any
    marks: tuple[Any, Any]
    order: Ints


def synapses_of(built: Wiring, where: Positions, strengths: Numbers) -> Synapses:
    """The ends of all synapses.  Those within a column leave the straight line, or they would run over neurons."""
    source = np.concatenate([where.inputs[built.sensory_pre], where.neurons[built.pre]])
    target = np.concatenate([where.neurons[built.sensory_post], where.neurons[built.post]])
    layer_of = np.zeros(built.units, int)
    for k, (_, ids) in enumerate(built.layers):
        layer_of[list(ids)] = k
    within = np.concatenate([np.zeros(built.sensory_synapse_count, bool), layer_of[built.pre] == layer_of[built.post]])
    up = target[:, 1] > source[:, 1]
    bend = np.where(within, 0.16 if len(built.layers) == 1 else np.where(up, 0.42, -0.28), 0.03)
    outward = np.concatenate([np.zeros_like(where.inputs[built.sensory_pre]), where.outward[built.post]])
    return Synapses(strengths, source, target, bend, outward)


def widths(values: Numbers) -> Array:
    """The width of each line in points: its share of the largest, between `THIN` and `THICK`; thinner if many."""
    size = np.abs(values)
    share = size / max(size.max(initial=0.0), np.finfo(float).tiny)
    return (THIN + (THICK - THIN) * share) * float(np.clip((FEW / max(size.size, 1)) ** 0.25, 0.4, 1.0))


def opacities(values: Numbers) -> Array:
    """How opaque each line is: of many the `FEW` strongest are, and the others are pale."""
    size = np.abs(values)
    if size.size <= FEW:
        return np.full(size.size, 0.9)
    strong = size > np.sort(size)[-FEW - 1]
    pale = 0.25 if strong.any() else 1.5
    return np.where(strong, 0.9, float(np.clip(pale * FEW / size.size, 0.02, 0.5)))


def draw_synapses(ax: Axes, where: Positions, synapses: Synapses) -> Lines:
    """One collection of lines, and two of what they end in: arrows and bars."""
    collections = matplotlib_module("collections")
    path = matplotlib_module("path").Path
    order: Ints = np.argsort(np.abs(synapses.values), kind="stable")  # the stronger lie on top
    values, source, target, bend, outward = (each[order] for each in synapses)
    mark = 0.5 * where.radius
    inhibits = values < 0
    lines = curves(source, target, where.radius, np.where(inhibits, 0.04, mark)[:, None], bend, outward)
    colors = matplotlib_module("colors").to_rgba_array([BLUE, VERMILION])[inhibits.astype(int)]
    colors[:, 3] = opacities(values)
    wide = widths(values)
    verts = np.stack([lines.start, lines.control, lines.end], axis=1)
    codes = [path.MOVETO, path.CURVE3, path.CURVE3]
    drawn = collections.PathCollection(
        [path(v, codes) for v in verts], facecolors="none", edgecolors=colors, linewidths=wide, label="synapses",
        linestyles=[INHIBITORY if inhibitory else "-" for inhibitory in inhibits], zorder=2,
    )  # fmt: skip
    ax.add_collection(drawn, autolim=False)
    across = np.stack([-lines.arrives[:, 1], lines.arrives[:, 0]], axis=1) * mark * 0.5
    heads = np.stack([lines.end - across, lines.end + across, lines.end + mark * lines.arrives], axis=1)
    bars = np.stack([lines.end - 1.25 * across, lines.end + 1.25 * across], axis=1)
    faces = {"facecolors": colors[~inhibits], "linewidths": 0, "label": "arrows"}
    arrows = collections.PolyCollection(heads[~inhibits], zorder=3, **faces)
    edges = {"colors": colors[inhibits], "linewidths": np.maximum(wide[inhibits], 0.7), "label": "bars"}
    marks = arrows, collections.LineCollection(bars[inhibits], zorder=3, **edges)
    for mark_collection in marks:
        ax.add_collection(mark_collection, autolim=False)
    return Lines(drawn, marks, order)


def draw_neurons(ax: Axes, built: Wiring, where: Positions) -> Any:
    """Inputs as squares, neurons as circles, darker from layer to layer; their numbers if there is room."""
    patches = matplotlib_module("patches")
    collections = matplotlib_module("collections")
    r, others = where.radius, iter(("#c4c4c4", "#8c8c8c", "#b0b0b0", "#767676"))
    line = 0.6 if where.numbered else 0.35
    shades = {g.name: FILLS[g.name] if g.name in FILLS else next(others, "#c4c4c4") for g in where.groups}
    squares = [patches.Rectangle((x - r, y - r), 2 * r, 2 * r) for x, y in where.inputs]
    fills = [""] * built.units
    for group in where.groups[1:]:
        for i in group.members:
            fills[i] = shades[group.name]
    circles = [patches.Circle((x, y), r) for x, y in where.neurons]
    ax.add_collection(
        collections.PatchCollection(squares, facecolor="white", edgecolor="black", linewidth=line, zorder=4),
        autolim=False,
    )
    drawn = collections.PatchCollection(circles, facecolor=fills, edgecolor="black", linewidth=line, zorder=4)
    ax.add_collection(drawn, autolim=False)
    if where.numbered:
        for i, (x, y) in enumerate(where.neurons):
            dark = fills[i] == FILLS["motor"]
            color = "white" if dark else "black"
            ax.text(x, y, str(i), color=color, fontsize=6, ha="center", va="center_baseline", zorder=5)
    return drawn


def crowded(where: Positions, scale: float) -> bool:
    """Whether titles would touch each other, where a unit of `Positions` is ``scale`` cm of the picture."""
    ends = [(scale * x, 0.08 * len(words) + 0.05) for x, _, words in where.titles]
    return any(x + half > other - its for (x, half), (other, its) in pairwise(ends))


def write_titles(ax: Axes, where: Positions, scale: float) -> None:
    """The titles of the groups; every second one a line higher if they would touch each other."""
    higher = 0.24 / scale if crowded(where, scale) else 0.0
    for k, (x, y, words) in enumerate(where.titles):
        ax.text(x, y + k % 2 * higher, plain(words), ha="center", va="bottom")


def frame(ax: Axes, low: Array, high: Array) -> None:
    """Nothing but the picture, circles round."""
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
