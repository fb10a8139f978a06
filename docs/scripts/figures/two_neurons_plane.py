"""The plane of the two neurons of docs/maths/ltc_example.md: nullclines, directions, and the way from three places."""

import numpy as np
from book import BLACK, main, panels, two_neurons

from ltc_np import analysis, plot

INPUT, STARTS = 0.5, ((0.5, -0.5), (-0.9, 0.9), (-0.9, -0.9))


def way(start, steps, dt=0.05):
    """The trace of a network that is left alone with a held input; unfolds are short, so that it is the equation's."""
    return two_neurons(4, "exponential").trace(np.full((steps, 1), INPUT), dt=dt, h0=start)


def plane(points):
    return analysis.nullclines(two_neurons(), (0, 1), [INPUT], low=-1.0, high=1.0, points=points)


def draw():
    steps = 400
    figure, axes = panels(9, 8)
    plot.phase_portrait(plane(61), (0, 1), trace=way(STARTS[0], steps), ax=axes)
    for start in STARTS[1:]:
        states = np.concatenate([[start], way(start, steps).layers[0].state])
        axes.plot(*states.T, color=BLACK, linewidth=0.9, linestyle=(0, (4, 1.5)))
        axes.plot(*start, color=BLACK, marker="o", markersize=3)
    axes.set(xlabel="potential of neuron 0", ylabel="potential of neuron 1")
    return figure


if __name__ == "__main__":
    main({"two_neurons_plane": draw}, __doc__)
