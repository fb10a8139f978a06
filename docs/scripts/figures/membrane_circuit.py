"""The circuit of one neuron: a capacitor, and a channel each for the leak, a synapse and an input."""

from book import BLACK, BLUE, GREY, VERMILION, main, panels

INSIDE, OUTSIDE = 4.0, 0.0
CHANNELS = (  # where, its conductance and reversal potential, its colour, what opens it
    (3.0, "$g_i$", "$\\ell_i$", GREY, "leak:\nalways open"),
    (6.0, "$a_{ji}$", "$E_{ji}$", BLUE, "synapse:\nopened by $v_j$"),
    (9.0, "$b_{ki}$", "$E_{ki}^s$", VERMILION, "synapse of an input:\nopened by $x_k$"),
)


def wire(axes, *points, colour=BLACK):
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1)


def capacitor(axes, x):
    wire(axes, (x, INSIDE), (x, 2.15))
    wire(axes, (x, 1.85), (x, OUTSIDE))
    for y in (1.85, 2.15):
        wire(axes, (x - 0.4, y), (x + 0.4, y))
    axes.text(x + 0.55, 2, "$c_i$", va="center")


def channel(axes, x, conductance, reversal, colour, opened):
    """A resistor, with an arrow through it where its conductance changes, above a battery."""
    top, bottom = 3.3, 2.1
    wire(axes, (x, INSIDE), (x, top), colour=colour)
    box = (x - 0.2, top), (x + 0.2, top), (x + 0.2, bottom), (x - 0.2, bottom), (x - 0.2, top)
    wire(axes, *box, colour=colour)
    wire(axes, (x, bottom), (x, 1.3), colour=colour)
    wire(axes, (x - 0.4, 1.3), (x + 0.4, 1.3), colour=colour)
    wire(axes, (x - 0.2, 1.05), (x + 0.2, 1.05), colour=colour)
    wire(axes, (x, 1.05), (x, OUTSIDE), colour=colour)
    if colour != GREY:
        way = {"arrowstyle": "-|>", "color": colour, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x + 0.55, 3.2), (x - 0.55, 2.2), arrowprops=way)
    axes.text(x + 0.65, 2.55, conductance, va="center")
    axes.text(x + 0.55, 1.17, reversal, va="center")
    axes.text(x, -0.35, opened, ha="center", va="top", fontsize=7.5)


def draw():
    figure, axes = panels(13, 6.5)
    wire(axes, (0.5, INSIDE), (9.0, INSIDE))
    wire(axes, (0.5, OUTSIDE), (9.0, OUTSIDE))
    capacitor(axes, 0.5)
    for one in CHANNELS:
        channel(axes, *one)
    axes.plot(0.5, INSIDE, "o", color=BLACK, markersize=4)
    axes.text(0.5, INSIDE + 0.25, "inside: the potential $v_i$", va="bottom")
    axes.text(0.5, -0.35, "outside: 0", ha="center", va="top", fontsize=7.5)
    axes.set(xlim=(-0.6, 10.6), ylim=(-1.5, 4.8), aspect="equal")
    axes.axis("off")
    return figure


if __name__ == "__main__":
    main({"membrane_circuit": draw}, __doc__)
