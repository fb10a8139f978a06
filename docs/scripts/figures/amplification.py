"""The factor by which one unfold of each solver multiplies the distance to rest, over r = h Q / c."""

import numpy as np
from book import BLACK, DASHES, GREY, LINES, main, panels

from ltc_np import LTCRNN, Wiring

LONGEST, LIMIT = 4.5, 2.785  # how far r goes, and where the factor of rk4 is 1 again


def factors(solver, r):
    """The potential after one unfold of a neuron with c = Q = 1 that rests at 0 and begins at 1: r is the time."""
    options = {"epsilon": 0.0, "positivity": "clip", "dtype": "float64", "check_stability": "off"}
    model = LTCRNN(
        Wiring.from_edges(1, [], [(0, 0, 1)]), 1, solver=solver, ode_unfolds=1, output_mapping=None, **options
    )
    for name, value in {"cm": 1.0, "gleak": 1.0, "vleak": 0.0, "sensory_w": 0.0}.items():
        model.params[name] = value
    return model(np.zeros((len(r), 1, 1)), dt=r[:, None], h0=np.ones((len(r), 1)))[:, 0, 0]


def draw():
    r = np.linspace(0, LONGEST, 400)
    figure, axes = panels(10, 6.5)
    axes.axhspan(1, 3, color=GREY, alpha=0.2, linewidth=0)
    axes.axhspan(-3, -1, color=GREY, alpha=0.2, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.6)
    names = {"exponential": "exponential, exact", "semi_implicit": "semi-implicit", "euler": "Euler", "rk4": "rk4"}
    for k, solver in enumerate(("exponential", "semi_implicit", "euler", "rk4")):
        axes.plot(r, factors(solver, r), color=LINES[k], linestyle=DASHES[k], label=names[solver], linewidth=1.3)
    axes.text(0.1, -1.3, "grey: an error grows", va="center")
    for bound, at in ((2, -1), (LIMIT, 1)):
        axes.plot(bound, at, "o", color=BLACK, markersize=3)
        axes.text(bound + 0.08, at * 0.93, f"r = {bound:g}", va="top" if at > 0 else "bottom")
    axes.set(xlabel="r = hQ/c", ylabel="factor of one unfold", xlim=(0, LONGEST), ylim=(-1.6, 1.6))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=2)
    return figure


if __name__ == "__main__":
    main({"amplification": draw}, __doc__)
