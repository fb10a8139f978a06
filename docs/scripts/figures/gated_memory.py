"""How long an LSTM and a GRU keep one event, for several values of the gate that keeps."""

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import GRU, LSTM, Model

GATES, STEPS, EVENT, STORED = (0.5, 0.9, 0.98, 0.998), 60, 5, 0.8
OPEN = 20.0  # an argument at which a sigmoid is 1, and at minus that 0, for the eye


def course(cell, gate):
    """The LSTM's memory or the GRU's state after each step; one event stores a number, and then the gate stays.

    In all other steps the input is 0, and the input gate of the LSTM and the candidate of the GRU are 0 then.
    """
    kept = np.log(gate / (1 - gate))
    model = Model(LSTM(1) if cell == "LSTM" else GRU(1), input_dim=1, dtype="float64")
    for name in model.params:
        model.params[name] = 0.0
    candidate = np.arctanh(STORED)
    if cell == "LSTM":  # input gate, forget gate, candidate, output gate
        model.params["w_x"], model.params["b"] = [[2 * OPEN, 0, candidate, 0]], [-OPEN, kept, 0, 0]
    else:  # reset gate, update gate, candidate
        model.params["w_x"], model.params["b"] = [[0, -OPEN - kept, candidate]], [0, kept, 0]
    x = np.zeros((STEPS, 1))
    x[EVENT] = 1.0
    return model.trace(x).layers[0].state[:, -1]


def draw():
    figure, both = panels(14, 5.8, columns=2, sharey=True)
    titles = {"LSTM": "LSTM: memory c, forget gate f", "GRU": "GRU: state h, update gate z"}
    for axes, cell in zip(both, titles, strict=True):
        for k, gate in enumerate(GATES):
            axes.plot(course(cell, gate), color=LINES[k], linestyle=DASHES[k], label=f"{gate:g}")
        axes.set(title=titles[cell], xlabel="step", ylim=(-0.02, 0.9), xlim=(0, STEPS - 1))
        axes.grid(alpha=0.3, linewidth=0.4)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, title="value of the gate")
    return figure


if __name__ == "__main__":
    main({"gated_memory": draw}, __doc__)
