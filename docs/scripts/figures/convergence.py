"""The error of the four solvers over the number of unfolds, on the two neurons of docs/maths/ltc_example.md."""

import numpy as np
from book import DASHES, GREY, LINES, main, panels, signed, two_neurons

ORDERS = {"semi_implicit": 1, "euler": 1, "exponential": 2, "rk4": 4}
NAMES = {"semi_implicit": "semi-implicit", "euler": "Euler", "exponential": "exponential", "rk4": "rk4"}
START, INPUT, TIME = (0.5, -0.5), 0.5, 2.0
MARKS = "osD^"


def end(solver, unfolds):
    """Both potentials after one time step."""
    return two_neurons(unfolds, solver)([[INPUT]], dt=TIME, h0=START, return_state=True)[1]


def errors(unfolds):
    """The largest error of a potential, by solver, against 4096 unfolds of rk4."""
    exact = end("rk4", 4096)
    return {solver: np.array([np.abs(end(solver, U) - exact).max() for U in unfolds]) for solver in ORDERS}


def draw():
    unfolds = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
    found = errors(unfolds)
    figure, axes = panels(10, 7.5)
    for k, (solver, order) in enumerate(ORDERS.items()):
        error = found[solver]
        axes.plot(unfolds, error, MARKS[k], color=LINES[k], markersize=3.5, label=NAMES[solver])
        last = np.flatnonzero(error > 1e-13)[-1]
        line = error[last] * (unfolds / unfolds[last]) ** -float(order)
        axes.plot(unfolds, line, color=LINES[k], linestyle=DASHES[k], linewidth=0.8)
        if solver != "euler":
            axes.text(unfolds[-1] * 1.15, line[-1], f"slope {signed(-order)}", va="center")
    axes.set(xscale="log", yscale="log", xlabel="unfolds of one time step", ylabel="largest error of a potential")
    axes.set_xticks(unfolds, [str(U) for U in unfolds])
    axes.minorticks_off()
    axes.set_ylim(1e-12, 2)
    axes.grid(color=GREY, alpha=0.3, linewidth=0.4)
    axes.legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main({"convergence": draw}, __doc__)
