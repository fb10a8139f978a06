"""The time constant of one neuron under a pulse of its input."""

import numpy as np
from book import BLACK, BLUE, GREY, VERMILION, main, panels

from ltc_np import LTCRNN, Wiring

BEGINS, RISES, ENDS, LASTS = 4.0, 3.0, 12.0, 28.0
VALUES = {
    "cm": 1.0, "gleak": 0.2, "vleak": 0.0,
    "sensory_w": 2.0, "sensory_mu": 0.5, "sensory_sigma": 10.0, "sensory_erev": 1.0,
}  # fmt: skip


def neuron():
    model = LTCRNN(
        Wiring.from_edges(1, [], [(0, 0, 1)]), 1, solver="exponential", ode_unfolds=1, epsilon=0.0, positivity="clip",
        input_mapping=None, dtype="float64",
    )  # fmt: skip
    for name, value in VALUES.items():
        model.params[name] = value
    return model


def course(dt):
    """Times at the ends of the steps, input, potential and time constant."""
    t = np.arange(1, round(LASTS / dt) + 1) * dt
    x = np.clip(np.minimum(t - BEGINS, ENDS - t) / RISES, 0, 1)
    trace = neuron().trace(x[:, None], dt=dt)
    return t, x, trace.layers[0].state[:, 0], trace["tau"][:, 0]


def bounds():
    """The shortest and the longest time constant that the parameters allow."""
    c, g, w = VALUES["cm"], VALUES["gleak"], VALUES["sensory_w"]
    return c / (g + w), c / g


def draw():
    t, x, v, tau = course(0.02)
    figure, (top, middle, bottom) = panels(10, 8.4, rows=3, sharex=True, height_ratios=(1, 2, 2))
    top.plot(t, x, color=BLACK)
    top.set(ylabel="input x", yticks=(0, 1), ylim=(-0.15, 1.15))
    middle.plot(t, v, color=BLUE)
    middle.set(ylabel="potential v", ylim=(0, 1))
    bottom.plot(t, tau, color=VERMILION)
    bottom.set(ylabel="time constant τ", xlabel="time", yscale="log", yticks=(0.5, 1, 2, 5), ylim=(0.38, 7))
    bottom.set_yticklabels(("0.5", "1", "2", "5"))
    bottom.minorticks_off()
    for bound, word in zip(bounds(), ("shortest", "longest"), strict=True):
        bottom.axhline(bound, color=GREY, linestyle=(0, (4, 1.5)), linewidth=0.8)
        bottom.text(LASTS, bound * 1.04, word, ha="right", va="bottom")
    bottom.set_xlim(0, LASTS)
    for axes in (top, middle, bottom):
        axes.axvspan(BEGINS, ENDS, color=GREY, alpha=0.15, linewidth=0)
    return figure


if __name__ == "__main__":
    main({"pulse": draw}, __doc__)
