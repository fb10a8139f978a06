"""The ways of four optimisers over a valley, and the loss over the steps."""

from types import SimpleNamespace

import numpy as np
from book import DASHES, GREY, LINES, main, panels

from ltc_np import SGD, Adam, RMSprop

CURVATURES = np.array([1.0, 20.0])  # along the valley, and across it
START = np.array([-4.0, 0.9])
ROOT = (np.sqrt(20) - 1) / (np.sqrt(20) + 1)  # of the best momentum
KINDS = {
    "gradient descent": lambda: SGD(2 / CURVATURES.sum()),
    "momentum": lambda: SGD((1 + ROOT) ** 2 / CURVATURES[1], momentum=ROOT**2),
    "RMSprop": lambda: RMSprop(0.1),
    "Adam": lambda: Adam(0.3),
}


def way(kind, steps):
    """Parameters before the first step and after each, (steps + 1, 2)."""
    layout = SimpleNamespace(lr_scale=None)
    model = SimpleNamespace(theta=START.copy(), trainable=None, layout=layout, project=lambda: None)
    optimizer, found = KINDS[kind](), [START]
    for _ in range(steps):
        optimizer.step(model, CURVATURES * model.theta)
        found.append(model.theta.copy())
    return np.array(found)


def valley(theta):
    """The loss of parameters (..., 2)."""
    return (CURVATURES * theta**2).sum(axis=-1) / 2


def draw():
    figure, (left, right) = panels(14, 6.5, columns=2)
    first, second = np.meshgrid(np.linspace(-4.5, 1.5, 80), np.linspace(-1.8, 1.8, 60))
    levels = 10.0 ** np.arange(-2, 2, 0.5)
    left.contour(first, second, valley(np.stack([first, second], axis=-1)), levels, colors=GREY, linewidths=0.5)
    for k, kind in enumerate(KINDS):
        found = way(kind, 60)
        look = {"color": LINES[k], "linestyle": DASHES[k], "label": kind}
        left.plot(*found[:25].T, marker="o", markersize=1.8, linewidth=1, **look)
        right.semilogy(valley(found), **look)
    left.plot(0, 0, "k+")
    left.set(xlabel=r"$\theta_1$, curvature 1", ylabel=r"$\theta_2$, curvature 20")
    right.set(xlabel="steps", ylabel="loss", ylim=(1e-10, 30))
    right.grid(alpha=0.3, linewidth=0.4)
    right.margins(x=0)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


if __name__ == "__main__":
    main({"optimiser_paths": draw}, __doc__)
