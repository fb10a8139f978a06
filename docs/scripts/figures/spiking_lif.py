"""A leaky integrate-and-fire neuron's potential, the spikes of several, and both surrogates."""

import matplotlib.pyplot as plt
import numpy as np
from book import BLUE, DASHES, GREY, LINES, main, size

from ltc_np import Model, SpikingLIF, plot
from ltc_np.kernels.codes import SURROGATES

TAU, CURRENT, REFRACTORY, LASTS, NEURONS = 1.0, 1.5, 0.4, 6.0, 16
BEGINS, ENDS = 0.5, 4.5  # of the current


def potential(dt):
    """Times and potentials of one neuron, with a point before and one after the reset of each spike; spikes' times."""
    model = Model(SpikingLIF(1, tau=TAU, refractory=REFRACTORY), input_dim=1, dtype="float64")
    model.params["w_x"], model.params["b"] = 1.0, 0.0
    t = np.arange(1, round(LASTS / dt) + 1) * dt
    x = np.where((t > BEGINS) & (t < ENDS), CURRENT, 0.0)
    trace = model.trace(x[:, None], dt=dt)
    after = trace.layers[0].state[:, model.layers[0].state_slices["v"]][:, 0]
    both = np.stack([trace["potential"][:, 0], after], axis=1)
    return np.repeat(t, 2), both.reshape(-1), t[trace["spikes"][:, 0] > 0]


def population(dt):
    """A trace of neurons that the same current drives, each more strongly than the one before."""
    model = Model(SpikingLIF(NEURONS, tau=TAU, refractory=REFRACTORY), input_dim=1, dtype="float64")
    model.params["w_x"], model.params["b"] = np.linspace(0.8, 3, NEURONS)[None], 0.0
    t = np.arange(1, round(LASTS / dt) + 1) * dt
    return model.trace(np.where((t > BEGINS) & (t < ENDS), 1.0, 0.0)[:, None], dt=dt)


def surrogate(name, u):
    """What stands in the place of the derivative of a spike where the potential is u above the threshold.

    Over a step that is much longer than tau the potential becomes the current, so it is the derivative by the bias.
    """
    model = Model(SpikingLIF(1, tau=1e-3, surrogate=name), input_dim=1, dtype="float64")
    model.params["w_x"], model.params["b"] = 1.0, 0.0
    _, tape = model.forward((u + model.layers[0].threshold)[:, None, None], dt=1.0)
    return model.backward(tape, np.ones((len(u), 1, 1))).x[:, 0, 0]


def draw():
    figure, axes = plt.subplot_mosaic("tt;rs", figsize=size(14, 9.5), layout="constrained")
    t, v, spikes = potential(0.01)
    above, raster, shapes = axes["t"], axes["r"], axes["s"]
    above.axvspan(BEGINS, ENDS, color=GREY, alpha=0.15, linewidth=0)
    above.plot(t, v, color=BLUE)
    above.axhline(1, color=GREY, linestyle=(0, (4, 1.5)), linewidth=0.8)
    above.text(LASTS, 1.03, "threshold", ha="right", va="bottom")
    above.vlines(spikes, 1.12, 1.3, color=LINES[1])
    above.text(BEGINS, 1.34, "spikes", color=LINES[1], va="bottom")
    above.set(xlabel="time", ylabel="potential", xlim=(0, LASTS), ylim=(-0.05, 1.5), title="one neuron")
    plot.spike_raster(population(0.02), ax=raster)
    raster.set_title(f"{NEURONS} neurons, the last one driven most")
    u = np.linspace(-1, 1, 401)
    for k, name in enumerate(SURROGATES):
        shapes.plot(u, surrogate(name, u), color=LINES[k], linestyle=DASHES[k], label=name.replace("_", " "))
    shapes.set(xlabel="potential above the threshold, u", title="surrogate derivatives", xlim=(-1, 1))
    shapes.legend(loc="upper right")
    return figure


if __name__ == "__main__":
    main({"spiking_lif": draw}, __doc__)
