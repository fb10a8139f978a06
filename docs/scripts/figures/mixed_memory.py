"""The two circuits that have been published as mixed memory."""

from book import BLACK, BLUE, VERMILION, main, panels
from matplotlib.patches import FancyBboxPatch

# What leads where, and as what.  c is the memory of the LSTM and s the state of the cell; a plus marks new ones.
BOTH = [
    ("x", "LSTM", ""), ("s", "LSTM", ""), ("c", "LSTM", ""), ("LSTM", "c⁺", ""), ("cell", "s⁺", ""), ("cell", "p", ""),
]  # fmt: skip
CIRCUITS = {
    "torch": [*BOTH, ("LSTM", "cell", "y, as its state"), ("x", "cell", "as its input")],
    "keras": [*BOTH, ("LSTM", "cell", "y, as its input"), ("s", "cell", "as its state")],
}
PLACES = {
    "x": (0.0, -1.7), "c": (-2.3, 0.0), "LSTM": (0.0, 0.0), "c⁺": (2.3, 0.0),
    "s": (-2.3, 2.4), "cell": (0.0, 2.4), "s⁺": (2.3, 2.4), "p": (0.0, 4.0),
}  # fmt: skip
BOXES, HALF_WIDE, HALF_TALL = ("LSTM", "cell"), 0.85, 0.42


def ways(source, target):
    """Corners of the line from one to the other."""
    (x, y), (u, v) = PLACES[source], PLACES[target]
    if (source, target) == ("s", "LSTM"):
        return [(x + 0.25, y - 0.25), (-HALF_WIDE, v + 0.25)]
    if (source, target) == ("x", "cell"):  # around the LSTM
        return [(x + 0.2, y + 0.1), (1.45, y + 0.1), (1.45, 1.55), (0.5, 1.55), (0.5, v - HALF_TALL)]
    wide, tall = ([half if name in BOXES else 0.25 for name in (source, target)] for half in (HALF_WIDE, HALF_TALL))
    if x == u:
        return [(x, y + tall[0]), (u, v - tall[1])]
    return [(x + wide[0], y), (u - wide[1], v)]


def panel(axes, topology):
    for name in BOXES:
        x, y = PLACES[name]
        corner = x - HALF_WIDE, y - HALF_TALL
        look = {
            "boxstyle": "round,pad=0,rounding_size=0.12",
            "facecolor": "white",
            "edgecolor": BLACK,
            "linewidth": 0.9,
        }
        axes.add_patch(FancyBboxPatch(corner, 2 * HALF_WIDE, 2 * HALF_TALL, **look))
        axes.text(x, y, name, ha="center", va="center", fontsize=7.5)
    for name in ("x", "c", "c⁺", "s", "s⁺", "p"):
        axes.text(*PLACES[name], name, ha="center", va="center", fontsize=8)
    for source, target, role in CIRCUITS[topology]:
        colour, width = (VERMILION, 1.4) if role else (BLUE, 0.9)
        corners = ways(source, target)
        axes.plot(*zip(*corners[:-1], strict=True), color=colour, linewidth=width, solid_capstyle="butt")
        look = {
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": width,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 8,
        }
        axes.annotate("", corners[-1], corners[-2], arrowprops=look)
    notes = {
        "torch": (("y, as\nits state", (-0.1, 1.2), "right"), ("x, as its\ninput", (1.6, 0.9), "left")),
        "keras": (("y, as its input", (0.1, 1.2), "left"), ("s, as its\nstate", (-1.5, 2.6), "center")),
    }[topology]
    for text, (x, y), side in notes:
        axes.text(x, y, text, ha=side, va="bottom" if topology == "keras" and side == "center" else "center")
    axes.set(xlim=(-2.7, 2.7), ylim=(-2.0, 4.3), aspect="equal", title=f'topology="{topology}"')
    axes.axis("off")


def draw():
    figure, both = panels(14, 8.4, columns=2)
    for axes, topology in zip(both, CIRCUITS, strict=True):
        panel(axes, topology)
    return figure


if __name__ == "__main__":
    main({"mixed_memory": draw}, __doc__)
