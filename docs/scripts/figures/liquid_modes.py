"""What one step of a liquid state space multiplies a slow and a fast mode with, over the input."""

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import LiquidS4, Model

STATES, STEP, WIDEST = 64, 0.1, 3.0
FORMS = {
    "exact": {"liquid": "exact"},
    "discrete, zero-order hold": {"liquid": "discrete", "discretization": "zoh"},
    "discrete, bilinear": {"liquid": "discrete", "discretization": "bilinear"},
}


def channel(form):
    options = {"modes": "legs", "step_min": STEP, "step_max": STEP, "liquid_scale": 1.0}
    return Model(LiquidS4(STATES, **options, **FORMS[form]), input_dim=1, dtype="float64", seed=0)


def multipliers(form, u):
    """Magnitudes for the slowest and the fastest mode, (inputs, 2), and their A and B."""
    model = channel(form)
    p = model.effective
    two = np.argsort(p["frequency"][:, 0])[[0, -1]]
    found = np.abs(model.trace(u[:, None, None], dt=1.0)["multiplier"][:, 0, two, 0])
    return found, -p["decay"][two, 0] + 1j * p["frequency"][two, 0], p["b_re"][two, 0] + 1j * p["b_im"][two, 0]


def draw():
    u = np.linspace(-WIDEST, WIDEST, 201)
    figure, both = panels(14, 5.8, columns=2, sharey=True)
    for k, form in enumerate(FORMS):
        found, A, _ = multipliers(form, u)
        for mode, axes in enumerate(both):
            axes.plot(u, found[:, mode], color=LINES[k], linestyle=DASHES[k], label=form)
            axes.set(title=f"mode that turns by {A[mode].imag * STEP:.3g} radians a step", xlabel="input u")
            axes.margins(x=0)
    both[0].set_ylabel("factor of one step, |x⁺/x|")
    for axes in both:
        axes.grid(alpha=0.3, linewidth=0.4)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    main({"liquid_modes": draw}, __doc__)
