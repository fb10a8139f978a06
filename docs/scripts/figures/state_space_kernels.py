"""Poles of an S4D channel in its three beginnings, and the kernels by which it weighs the past."""

import numpy as np
from book import BLUE, GREY, main, panels

from ltc_np import S4D, Model

STATES, STEP, LENGTH = 16, 0.04, 160
KINDS = ("lin", "inv", "legs")


def channel(modes):
    """One channel, without what of the input goes to the output directly."""
    model = Model(S4D(STATES, modes=modes, step_min=STEP, step_max=STEP), input_dim=1, dtype="float64", seed=3)
    model.params["d"] = 0.0
    return model


def poles_and_kernel(modes, length):
    """What a step multiplies each mode with, (STATES / 2,), and the outputs after an impulse, (length,)."""
    x = np.zeros((length, 1))
    x[0] = 1.0
    trace = channel(modes).trace(x, dt=1.0)
    return trace["multiplier"][0, :, 0], trace.y[:, 0]


def draw():
    length = LENGTH
    figure, axes = panels(14, 8.4, rows=2, columns=3)
    circle = np.exp(1j * np.linspace(0, np.pi, 200))
    for (above, below), modes in zip(axes.T, KINDS, strict=True):
        poles, kernel = poles_and_kernel(modes, length)
        above.plot(circle.real, circle.imag, color=GREY, linewidth=0.8)
        above.plot(poles.real, np.abs(poles.imag), "x", color=BLUE, markersize=4)
        above.set(title=f'modes="{modes}"', aspect="equal", xlim=(-1.1, 1.1), ylim=(-0.05, 1.1), xlabel="real part")
        below.axhline(0, color=GREY, linewidth=0.6)
        below.plot(kernel, color=BLUE)
        below.set(xlabel="steps back, l")
        below.margins(x=0)
    axes[0, 0].set_ylabel("imaginary part")
    axes[1, 0].set_ylabel("kernel $K_l$")
    return figure


if __name__ == "__main__":
    main({"state_space_kernels": draw}, __doc__)
