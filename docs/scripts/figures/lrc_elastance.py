"""The elastance of an LRC over its argument, and the time constant that it makes."""

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import LRC, Model, Wiring

KINDS = (("asymmetric", None), ("symmetric", 1.0), ("symmetric", 3.0))
CONDUCTANCE = 2.0  # f, before its sigmoid


def neuron(kind, shift, a):
    """Elastance and time constant of one neuron whose elastance's argument is its potential, for each of them."""
    wiring = Wiring.from_edges(1, [], [(0, 0, 1)])
    model = Model(
        LRC(wiring, elastance=kind, elastance_by="state", positivity="clip", input_mapping=None, output_mapping=None),
        input_dim=1, dtype="float64",
    )  # fmt: skip
    values = {"gleak": CONDUCTANCE, "sensory_w": 0.0, "elastance_v": 1.0, "elastance_b": 0.0}
    if shift is not None:
        values["elastance_shift"] = shift
    for name, value in values.items():
        model.params[name] = value
    trace = model.trace(np.zeros((len(a), 1, 1)), dt=0.0, h0=a[:, None])
    return trace["elastance"][:, 0, 0], trace["tau"][:, 0, 0]


def draw():
    a = np.linspace(-6, 6, 301)
    figure, (left, right) = panels(14, 6, columns=2)
    for k, (kind, shift) in enumerate(KINDS):
        elastance, tau = neuron(kind, shift, a)
        name = kind if shift is None else f"{kind}, δ = {shift:g}"
        left.plot(a, elastance, color=LINES[k], linestyle=DASHES[k], label=name)
        right.plot(a, tau, color=LINES[k], linestyle=DASHES[k])
    left.set(xlabel="argument a", ylabel="elastance ε", ylim=(0, 1.02))
    right.set(xlabel="argument a", ylabel="time constant 1/(εR)", yscale="log", ylim=(0.8, 1000))
    right.set_yticks((1, 10, 100, 1000), ("1", "10", "100", "1000"))
    for axes in (left, right):
        axes.margins(x=0)
        axes.grid(alpha=0.3, linewidth=0.4)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main({"lrc_elastance": draw}, __doc__)
