"""The same steps with explicit and with implicit Euler, too long for the first, beside the exact solution."""

import numpy as np
from book import BLACK, BLUE, GREY, VERMILION, main, panels

C, P, Q, BEGIN, H, STEPS = 0.5, 0.6, 1.0, 0.2, 1.2, 4  # the neuron of docs/tutorial.md: c dv/dt = P - Q v


def euler(v):
    return v + H * (P - Q * v) / C


def implicit(v):
    return v + H * (P - Q * v) / (C + H * Q)


def levels(step):
    """The level at the beginning and after each step."""
    found = [BEGIN]
    for _ in range(STEPS):
        found.append(step(found[-1]))
    return np.array(found)


def exact(t):
    return P / Q + (BEGIN - P / Q) * np.exp(-Q * t / C)


def draw():
    figure, axes = panels(11, 6)
    ends, fine = np.arange(STEPS + 1) * H, np.linspace(0, STEPS * H, 200)
    axes.axhline(P / Q, color=GREY, linewidth=0.6, linestyle=":")
    axes.plot(fine, exact(fine), color=BLACK, label="exact")
    axes.plot(ends, levels(euler), "s--", color=VERMILION, markersize=4, label="explicit Euler")
    axes.plot(ends, levels(implicit), "o-.", color=BLUE, markersize=4, label="implicit Euler")
    axes.set(xlabel="time", ylabel="level v", xticks=ends)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=3)
    return figure


if __name__ == "__main__":
    main({"long_step": draw}, __doc__)
