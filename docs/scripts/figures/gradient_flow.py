"""How far back the gradients of an LTC reach, with both kinds of initial values, and those of an LSTM."""

import numpy as np
from book import main, panels

from ltc_np import LSTM, LTCRNN, FullyConnected, Model, analysis, plot

LAG, N, INPUTS, SEQUENCES = 300, 32, 2, 8


def models(lag):
    options = {"dtype": "float64", "seed": 0, "input_mapping": None, "output_mapping": None}
    return {
        "LTC, default": LTCRNN(FullyConnected(N), INPUTS, **options),
        "LTC, time constants": LTCRNN(FullyConnected(N), INPUTS, init={"time_constants": (1.0, float(lag))}, **options),
        "LSTM": Model(LSTM(N), input_dim=INPUTS, dtype="float64", seed=0),
    }


def reach(lag):
    """Sizes of the derivative of the last outputs by the inputs, over the lag: medians over sequences, by model."""
    x = np.random.default_rng(0).standard_normal((SEQUENCES, lag + 1, INPUTS))
    return {name: np.median(analysis.gradient_by_lag(model, x), axis=0) for name, model in models(lag).items()}


def draw():
    figure, axes = panels(10, 6.5)
    plot.gradient_by_lag(reach(LAG), ax=axes)
    axes.set(xlabel="steps back (lag)", ylabel="size of the derivative of\nthe last state by an input")
    return figure


if __name__ == "__main__":
    main({"gradient_flow": draw}, __doc__)
