"""The gate of a CfC and the state that it blends, over the elapsed time of one step."""

import numpy as np
from book import DASHES, GREY, LINES, main, panels, signed

from ltc_np import CfC, Model

LONGEST = 8.0
GATES = ((2.0, -6.0), (1.0, 0.0), (-1.0, 4.0))  # time_a and time_b of three units
FROM, TO = -0.5, 0.9  # what the gate 0 and the gate 1 stand for


def steps(dt):
    """Gates and states of the three units after one step of each length, (dt, 3) both."""
    n = len(GATES)
    model = Model(CfC(n, backbone_layers=0, variant="torch"), input_dim=1, dtype="float64")
    for name in ("ff1", "ff2", "time_a", "time_b"):
        model.params[f"{name}_w"] = 0.0
    values = {"time_a_b": [a for a, _ in GATES], "time_b_b": [b for _, b in GATES]}
    values |= {"ff1_b": np.arctanh(FROM), "ff2_b": np.arctanh(TO)}
    for name, value in values.items():
        model.params[name] = value
    trace = model.trace(np.zeros((len(dt), 1, 1)), dt=dt[:, None])
    return trace["gate"][:, 0], trace.y[:, 0]


def draw():
    dt = np.linspace(0, LONGEST, 300)
    gates, states = steps(dt)
    figure, (left, right) = panels(14, 6, columns=2)
    for k, (a, b) in enumerate(GATES):
        name = f"$t_a$ = {signed(a)}, $t_b$ = {signed(b)}"
        left.plot(dt, gates[:, k], color=LINES[k], linestyle=DASHES[k], label=name)
        right.plot(dt, states[:, k], color=LINES[k], linestyle=DASHES[k])
    for value, name in ((FROM, "$g_1$"), (TO, "$g_2$")):
        right.axhline(value, color=GREY, linewidth=0.6)
        right.text(LONGEST, value + 0.03, name, ha="right", va="bottom")
    left.set(xlabel="elapsed time Δ", ylabel="gate s", ylim=(-0.03, 1.03))
    right.set(xlabel="elapsed time Δ", ylabel="state after the step", ylim=(-0.65, 1.1))
    for axes in (left, right):
        axes.margins(x=0)
        axes.grid(alpha=0.3, linewidth=0.4)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main({"cfc_gate": draw}, __doc__)
