"""One neuron with a constant input: the exact solution, and what the closed form makes of it."""

import numpy as np
from book import BLUE, DASHES, GREY, VERMILION, main, panels

from ltc_np import LTCRNN, CfC, Model, Wiring

LEAK, F, A, START, LONGEST = 1.0, 0.7, 1.0, 0.2, 6.0


def exact(t):
    """x' = -(LEAK + F) x + A F from START: a neuron whose only synapse is held open by a constant input."""
    model = LTCRNN(
        Wiring.from_edges(1, [], [(0, 0, 1)]), 1, solver="exponential", ode_unfolds=1, epsilon=0.0, positivity="clip",
        input_mapping=None, output_mapping=None, dtype="float64",
    )  # fmt: skip
    values = {"cm": 1.0, "gleak": LEAK, "vleak": 0.0, "sensory_w": 2 * F, "sensory_mu": 0.0, "sensory_erev": A}
    for name, value in values.items():
        model.params[name] = value
    return model(np.zeros((len(t), 1, 1)), dt=t[:, None], h0=np.full((len(t), 1), START))[:, 0, 0]


def formula(t):
    """The published closed form with the same numbers, as the mode "pure" of a CfC of the variant "paper" has it."""
    model = Model(CfC(1, backbone_layers=0, mode="pure", variant="paper"), input_dim=1, dtype="float64")
    values = {"ff1_w": 0.0, "ff1_b": np.log(F / (1 - F)), "w_tau": LEAK, "a": A}
    for name, value in values.items():
        model.params[name] = value
    return model(np.zeros((len(t), 1, 1)), dt=t[:, None], h0=np.full((len(t), 1), START))[:, 0, 0]


def draw():
    t = np.linspace(0, LONGEST, 300)
    figure, axes = panels(10, 6)
    axes.plot(t, exact(t), color=BLUE, label="exact solution")
    axes.plot(t, formula(t), color=VERMILION, linestyle=DASHES[1], label="closed form")
    axes.plot(0, START, "o", color=BLUE, markersize=4)
    axes.text(0.15, START - 0.01, f"x(0) = {START:g}", va="top")
    for value, name in ((A, "A"), (F * A / (LEAK + F), "f A / (w + f)")):
        axes.axhline(value, color=GREY, linewidth=0.6)
        axes.text(LONGEST, value + 0.015, name, ha="right", va="bottom")
    axes.set(xlabel="time", ylabel="state x", xlim=(-0.05, LONGEST), ylim=(0, 1.1))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=2)
    return figure


if __name__ == "__main__":
    main({"closed_form": draw}, __doc__)
