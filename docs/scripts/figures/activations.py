"""The activation functions of the library and their derivatives."""

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import Dense, Model

NAMES = ("tanh", "lecun_tanh", "relu", "silu", "gelu")


def function(name, a):
    """Values and derivatives at numbers a, of a layer of one unit with weight 1."""
    model = Model(Dense(1, activation=name), input_dim=1, dtype="float64")
    model.params["weight"], model.params["bias"] = 1.0, 0.0
    y, tape = model.forward(a[None, :, None])
    return y[0, :, 0], model.backward(tape, np.ones_like(y)).x[0, :, 0]


def draw():
    a = np.linspace(-4, 4, 400)
    figure, (left, right) = panels(14, 5.8, columns=2)
    for k, name in enumerate(NAMES):
        value, slope = function(name, a)
        left.plot(a, value, color=LINES[k], linestyle=DASHES[k], label=name)
        right.plot(a, slope, color=LINES[k], linestyle=DASHES[k])
    left.set(title="value", xlabel="argument a", ylim=(-2, 4))
    right.set(title="derivative", xlabel="argument a", ylim=(-0.2, 1.2))
    for axes in (left, right):
        axes.margins(x=0)
        axes.grid(alpha=0.3, linewidth=0.4)
    figure.legend(loc="outside upper center", ncols=5)
    return figure


if __name__ == "__main__":
    main({"activations": draw}, __doc__)
