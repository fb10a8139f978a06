"""How a CT-GRU stores one event on the scales that it chooses, and how the traces fade."""

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import CTGRU, Model

SCALES, SIGNAL = 5, 0.8
CHOSEN = (0.0, 2.5)  # logarithms of the storage time scale of two events


def unit():
    """A CT-GRU of one unit whose input is the logarithm of the storage time scale, and whose signal is constant."""
    model = Model(CTGRU(1, scales=SCALES, tau_min=1.0, tau_ratio=10**0.5), input_dim=1, dtype="float64")
    for name in ("w_x", "w_h", "w_c", "b"):
        model.params[name] = 0.0
    model.params["w_x"][0, 1], model.params["b"][2] = 1.0, np.arctanh(SIGNAL)
    return model


def time_constants():
    return 10 ** (np.arange(SCALES) / 2)


def after_one_event(chosen, dt):
    """Shares of the scales (SCALES,) in what is stored, and the traces at times dt later, (dt, SCALES)."""
    x = np.full((len(dt), 2, 1), chosen)
    times = np.stack([0 * dt, dt], axis=1)
    trace = unit().trace(x, dt=times)
    return trace["storage"][0, 0, :, 0], trace["traces"][:, 1, :, 0]


def draw():
    dt = np.geomspace(0.05, 300, 200)
    tau = time_constants()
    figure, axes = panels(14, 9.5, rows=2, columns=2, width_ratios=(2, 3))
    for (left, right), chosen in zip(axes, CHOSEN, strict=True):
        shares, traces = after_one_event(chosen, dt)
        left.bar(range(SCALES), shares, color=LINES[:SCALES])
        left.set_xticks(range(SCALES), [f"{value:.3g}" for value in tau])
        left.set(
            ylabel="share stored, $s_k$", ylim=(0, 0.85), title=f"ln τ = {chosen:g} chosen, τ = {np.exp(chosen):.3g}"
        )
        for k in range(SCALES):
            right.plot(dt, traces[:, k], color=LINES[k], linestyle=DASHES[k], label=f"τ = {tau[k]:.3g}")
        right.plot(dt, traces.sum(axis=1), color="black", linewidth=1.6, label="sum")
        right.set(xscale="log", ylabel="trace", ylim=(0, 0.85))
        right.set_xticks((0.1, 1, 10, 100), ("0.1", "1", "10", "100"))
        right.margins(x=0)
    axes[0, 1].legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=3)
    axes[1, 0].set_xlabel("time constant of the scale")
    axes[1, 1].set_xlabel("time after the event")
    return figure


if __name__ == "__main__":
    main({"ctgru_traces": draw}, __doc__)
