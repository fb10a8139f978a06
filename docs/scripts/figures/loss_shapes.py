"""The losses of numbers over the error, and those of classes over the logit, with their derivatives."""

from functools import partial

import numpy as np
from book import DASHES, LINES, main, panels

from ltc_np import losses

OF_NUMBERS = {
    "mse": losses.mse,
    "mae": losses.mae,
    r"huber, $\delta$ = 1": losses.huber,
    "quantile, p = 0.9": partial(losses.quantile, quantiles=(0.9,)),
}


def elements(loss, y, target):
    """The loss of each output for one target, and its derivative: each element is a batch of its own."""
    found = [loss(np.array([[value]]), np.array([[target]])) for value in y]
    return np.array([total for total, _, _ in found]), np.array([d_y[0, 0] for _, _, d_y in found])


def squared(y):
    """The squared error of the probability sigmoid(y) against 1, and its derivative."""
    p = 1 / (1 + np.exp(-y))
    return (p - 1) ** 2, 2 * (p - 1) * p * (1 - p)


def draw():
    y = np.linspace(-2.5, 2.5, 501)
    figure, ((left, right), (left_slope, right_slope)) = panels(14, 9, rows=2, columns=2, sharex="col")
    for k, (name, loss) in enumerate(OF_NUMBERS.items()):
        value, slope = elements(loss, y, 0.0)
        left.plot(y, value, color=LINES[k], linestyle=DASHES[k], label=name)
        left_slope.plot(y, slope, color=LINES[k], linestyle=DASHES[k])
    logit = np.linspace(-8, 4, 501)
    found = {"cross-entropy": elements(losses.binary_cross_entropy, logit, 1.0), "squared error of p": squared(logit)}
    for k, (name, (value, slope)) in enumerate(found.items()):
        right.plot(logit, value, color=LINES[k], linestyle=DASHES[k], label=name)
        right_slope.plot(logit, slope, color=LINES[k], linestyle=DASHES[k])
    left.set(title="numbers", ylabel="loss", ylim=(0, 3))
    left_slope.set(xlabel="error, $y - y^*$", ylabel="derivative", ylim=(-3, 3))
    right.set(title="two classes, the target is yes")
    right_slope.set(xlabel="logit y", ylim=(-1.1, 0.1))
    for axes in (left, right, left_slope, right_slope):
        axes.grid(alpha=0.3, linewidth=0.4)
        axes.margins(x=0)
    left.legend(loc="upper center")
    right.legend(loc="upper right")
    return figure


if __name__ == "__main__":
    main({"loss_shapes": draw}, __doc__)
