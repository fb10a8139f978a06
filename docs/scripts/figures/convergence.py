"""Errors of the four solvers over the number of unfolds, on the two neurons of docs/maths/ltc_example.md."""

import numpy as np
from book import DASHES, GREY, LINES, main, panels, signed, two_neurons

ORDERS = {"semi_implicit": 1, "euler": 1, "exponential": 2, "rk4": 4}
NAMES = {"semi_implicit": "semi-implicit", "euler": "Euler", "exponential": "exponential", "rk4": "rk4"}
START, INPUT, TIME = (0.5, -0.5), 0.5, 2.0
UNFOLDS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])


def end(solver, unfolds):
    """Both potentials after one time step, and the gradient of their sum by those before it: (2, 2)."""
    model = two_neurons(unfolds, solver)
    x, h0 = [[INPUT]], list(START)
    y, tape = model.forward(x, dt=TIME, h0=h0)
    gradient = model.backward(tape, 0 * y, d_state=np.ones(2)).h0
    return np.stack([model(x, dt=TIME, h0=h0, return_state=True)[1], gradient])


def errors(unfolds):
    """The largest error of a potential and of its gradient, (unfolds, 2) by solver, against 4096 unfolds of rk4."""
    exact = end("rk4", 4096)
    return {solver: np.array([np.abs(end(solver, U) - exact).max(1) for U in unfolds]) for solver in ORDERS}


def draw():
    found = errors(UNFOLDS)
    figure, both = panels(14.5, 7.5, columns=2, sharey=True)
    for which, (axes, title) in enumerate(
        zip(both, ("error of the potentials", "error of their gradient"), strict=True)
    ):
        for k, (solver, order) in enumerate(ORDERS.items()):
            error = found[solver][:, which]
            axes.plot(UNFOLDS, error, "osD^"[k], color=LINES[k], markersize=3.5, label=NAMES[solver])
            line = error[-1] * (UNFOLDS / UNFOLDS[-1]) ** -float(order)
            axes.plot(UNFOLDS, line, color=LINES[k], linestyle=DASHES[k], linewidth=0.8)
            if solver != "euler":
                axes.text(UNFOLDS[-2], line[-2] * 2, f"slope {signed(-order)}", va="bottom", ha="center")
        axes.set(xscale="log", yscale="log", xlabel="unfolds of one time step", title=title)
        axes.set_xticks(UNFOLDS, [str(U) for U in UNFOLDS])
        axes.minorticks_off()
        axes.set_ylim(1e-12, 3)
        axes.grid(color=GREY, alpha=0.3, linewidth=0.4)
    both[0].legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main({"convergence": draw}, __doc__)
