"""The same pulse into a neuron with a liquid leak, one with a fixed leak, and one without a leak."""

import numpy as np
from book import BLACK, DASHES, GREY, LINES, main, panels
from pulse import neuron

from ltc_np import CTRNN, Model, NeuralODE

BEGINS, ENDS, LASTS = 4.0, 8.0, 24.0
TAU, DRIVE = 5.0, 0.2  # of the fixed leak, which is that of the liquid one at rest; what drives both others while x = 1


def models():
    """Units by name; a CT-RNN's and a neural ODE's are driven by tanh of the input times a weight."""
    found = {"LTC": neuron()}
    for name, cell in {"CT-RNN": CTRNN(1, tau=TAU, solver="rk4"), "neural ODE": NeuralODE(1)}.items():
        found[name] = Model(cell, input_dim=1, dtype="float64")
        found[name].params["w_x"], found[name].params["w_h"] = np.arctanh(DRIVE), 0.0
    return found


def responses(dt):
    """Times at the ends of the steps, the input, and potentials by name."""
    t = np.arange(1, round(LASTS / dt) + 1) * dt
    x = ((t > BEGINS + dt / 2) & (t < ENDS + dt / 2)).astype(float)
    states = {name: model.trace(x[:, None], dt=dt).layers[0].state[:, 0] for name, model in models().items()}
    return t, x, states


def draw():
    t, x, states = responses(0.02)
    figure, (above, below) = panels(10, 7, rows=2, sharex=True, height_ratios=(1, 4))
    above.plot(t, x, color=BLACK)
    above.set(ylabel="input", yticks=(0, 1), ylim=(-0.15, 1.15))
    for k, (name, v) in enumerate(states.items()):
        below.plot(t, v, color=LINES[k], linestyle=DASHES[k], label=name)
    below.set(xlabel="time", ylabel="potential", xlim=(0, LASTS), ylim=(-0.02, 1.0))
    below.legend(loc="upper right", bbox_to_anchor=(1, 0.72))
    for axes in (above, below):
        axes.axvspan(BEGINS, ENDS, color=GREY, alpha=0.15, linewidth=0)
    return figure


if __name__ == "__main__":
    main({"three_leaks": draw}, __doc__)
