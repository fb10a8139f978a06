"""One unfold of neuron 0 of docs/maths/ltc_example.md as a graph: its numbers, and their adjoints on the way back."""

import numpy as np
from book import BLACK, BLUE, VERMILION, main, panels, signed, two_neurons
from matplotlib.patches import Rectangle

START, INPUT, TIME = (0.5, -0.5), 0.5, 0.5
PLACES = {
    "x": (0, 3), "\\tilde{x}": (1.1, 3), "s^s": (2.2, 3), "b": (3.3, 3), "P": (4.6, 3),
    "v_1": (0, 1.8), "s": (2.2, 1.8), "a": (3.3, 1.8), "Q": (4.6, 1.8),
    "v_0": (4.6, 4.1), "c": (4.6, 0.6), "D": (5.8, 1.2), "h": (5.8, 0), "v_0^+": (7, 3),
}  # fmt: skip
WIDE, TALL = 0.36, 0.36  # half the size of a node


def rules():
    """{name: (what it is made of, how)} of the nodes that are computed, in the order of the forward pass."""
    p = two_neurons().effective

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    return {
        "\\tilde{x}": (["x"], lambda x: p["input_w"][0] * x + p["input_b"][0]),
        "s^s": (["\\tilde{x}"], lambda x: sigmoid(p["sensory_sigma"][0] * (x - p["sensory_mu"][0]))),
        "b": (["s^s"], lambda s: p["sensory_w"][0] * s),
        "s": (["v_1"], lambda v: sigmoid(p["sigma"][0] * (v - p["mu"][0]))),
        "a": (["s"], lambda s: p["w"][0] * s),
        "P": (["b", "a"], lambda b, a: p["gleak"][0] * p["vleak"][0] + b * p["sensory_erev"][0] + a * p["erev"][0]),
        "Q": (["b", "a"], lambda b, a: p["gleak"][0] + b + a),
        "D": (["c", "h", "Q"], lambda c, h, Q: c + h * Q),
        "v_0^+": (["v_0", "h", "P", "Q", "D"], lambda v, h, P, Q, D: v + h * (P - Q * v) / D),
    }


def forward():
    """Values of all nodes by name."""
    values = {"x": INPUT, "v_1": START[1], "v_0": START[0], "c": two_neurons().effective["cm"][0], "h": TIME}
    for name, (sources, rule) in rules().items():
        values[name] = rule(*(values[source] for source in sources))
    return values


def backward(values):
    """Adjoints of all nodes by name, where that of the new potential is 1.

    A node gives each of its sources its own adjoint times a derivative, which a complex step takes to rounding.
    """
    adjoints = dict.fromkeys(values, 0.0) | {"v_0^+": 1.0}
    for name, (sources, rule) in reversed(rules().items()):
        for k, source in enumerate(sources):
            moved = [complex(values[other]) for other in sources]
            moved[k] += 1e-30j
            adjoints[source] += adjoints[name] * rule(*moved).imag / 1e-30
    return adjoints


def arrow(axes, source, target, colour, dashes):
    """From the rim of one node to that of another."""
    begin, end = np.array(PLACES[source]), np.array(PLACES[target])
    way = end - begin
    rim = way * min(WIDE / max(abs(way[0]), 1e-9), TALL / max(abs(way[1]), 1e-9))
    look = {"arrowstyle": "-|>", "color": colour, "linestyle": dashes, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end - 1.08 * rim, begin + rim, arrowprops={**look, "mutation_scale": 7})


def label(name, back):
    """A name as a formula; on the way back with a bar over its letter."""
    letter, rest = (name, "") if name.startswith("\\") else (name[0], name[1:])
    return f"$\\bar{{{letter}}}{rest}$" if back else f"${name}$"


def panel(axes, numbers, colour, back):
    for name, (sources, _) in rules().items():
        for source in sources:
            ends = (name, source) if back else (source, name)
            arrow(axes, *ends, colour, (0, (4, 1.5)) if back else "-")
    for name, (x, y) in PLACES.items():
        edge = colour if name in rules() else BLACK
        corner = x - WIDE, y - TALL
        axes.add_patch(Rectangle(corner, 2 * WIDE, 2 * TALL, facecolor="white", edgecolor=edge, linewidth=0.8))
        axes.text(x, y + 0.13, label(name, back), ha="center", va="center", fontsize=8.5)
        axes.text(x, y - 0.16, signed(numbers[name], ".3f"), ha="center", va="center", fontsize=6.5)
    axes.set(xlim=(-0.5, 7.5), ylim=(-0.5, 4.6), aspect="equal")
    axes.axis("off")


def draw():
    figure, (above, below) = panels(11.5, 15.6, rows=2)
    values = forward()
    panel(above, values, BLUE, False)
    panel(below, backward(values), VERMILION, True)
    above.set_title("forward: values", loc="left")
    below.set_title("backward: adjoints, for the loss $L = v_0^+$", loc="left")
    return figure


if __name__ == "__main__":
    main({"step_graph": draw}, __doc__)
