"""What remains of one observation in the neurons of two LTCs while nothing is observed."""

import numpy as np
from book import BLUE, GREY, VERMILION, main, panels

from ltc_np import LTCRNN, FullyConnected

UNITS, LASTS, PULSE = 8, 40.0, 2.0
INITS = {"initial values of ncps": None, "time constants from 0.5 to 40": {"time_constants": (0.5, 40.0)}}


def remains(dt):
    """Times, and by network (T, N): the difference of its states with and without the observation."""
    t = np.arange(1, round(LASTS / dt) + 1) * dt
    seen = (t < PULSE + dt / 2).astype(float)[:, None]
    found = {}
    for name, init in INITS.items():
        model = LTCRNN(FullyConnected(UNITS), 1, init=init, seed=1, dtype="float64")
        with_it, without = (model.trace(x, dt=dt).layers[0].state for x in (seen, 0 * seen))
        found[name] = with_it - without
    return t, found


def draw():
    t, found = remains(0.1)
    figure, each = panels(14, 6, columns=2, sharey=True)
    for axes, (name, states), colour in zip(each, found.items(), (VERMILION, BLUE), strict=True):
        axes.plot(t, states / np.abs(states).max(), color=colour, linewidth=1)
        axes.axvspan(0, PULSE, color=GREY, alpha=0.2, linewidth=0)
        axes.set(xlabel="time", title=name, xlim=(0, LASTS))
    each[0].set(ylabel="effect on each neuron\n(1: the largest)")
    return figure


if __name__ == "__main__":
    main({"gap": draw}, __doc__)
