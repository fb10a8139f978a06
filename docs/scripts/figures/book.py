"""What the figures of the mathematics share: their style, their width, the network of two neurons, and their files.

A figure is a script of this folder with a function ``draw()`` that gives a matplotlib Figure, and becomes
docs/images/maths/NAME.png.  Its numbers come from functions beside ``draw``, which tests/docs/test_figures.py compares
with formulas of their own.
"""

import argparse
import json
import pathlib

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ltc_np import LTCRNN, Wiring, plot
from ltc_np.plot.styling import BLACK, BLUE, CENTIMETRE, DASHES, GREEN, GREY, LINES, ORANGE, PURPLE, SKY, VERMILION

__all__ = [
    "BLACK", "BLUE", "DASHES", "GREEN", "GREY", "LINES", "ORANGE", "PURPLE", "SKY", "VERMILION",
    "main", "make", "panels", "sample", "save", "signed", "size", "two_neurons",
]  # fmt: skip

IMAGES = pathlib.Path(__file__).parents[2] / "images" / "maths"
COLOURS = 96  # of a file: enough for lines with soft edges, in a third of the space


def size(width, height):
    """A figure's size in the inches that matplotlib wants, from centimetres.

    A page shows a figure 700 pixels wide, 18.5 cm of 96 pixels to the inch, so that letters of 6.5 points in one of at
    most 15 cm are shown with 8 points or more.
    """
    assert width <= 15, width
    return width * CENTIMETRE, height * CENTIMETRE


def panels(width, height, rows=1, columns=1, **options):
    """A figure and its Axes, as `matplotlib.pyplot.subplots` gives them."""
    return plt.subplots(rows, columns, figsize=size(width, height), layout="constrained", **options)


def make(draw):
    """The Figure of a script's ``draw``, in the style of `ltc_np.plot`."""
    matplotlib.use("Agg")
    with plot.style():
        figure = draw()
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # inches: a dark page begins at the edge
    return figure


def sample(figure):
    """What a figure says: seven points of each line, to five digits, and the texts that are not those of ticks."""
    lines, texts = [], []
    for axes in figure.axes:
        for line in axes.lines:
            points = np.asarray(line.get_xydata(), float)
            some = points[np.linspace(0, len(points) - 1, min(7, len(points))).round().astype(int)]
            lines.append([[float(f"{value:.5g}") for value in point] for point in some])
        texts += [text.get_text() for text in (*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label)]
    return {"lines": lines, "texts": texts}


def save(figure, file):
    """Write a figure on white, which a dark page shows as a card, with its `sample` in the file, and close it."""
    figure.canvas.draw()
    said = PngInfo()
    said.add_itxt("sample", json.dumps(sample(figure)), zip=True)
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True, pnginfo=said)
    plt.close(figure)


def main(draws, description):
    """The command of a script: ``draws`` has its functions by the name of the file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=pathlib.Path, default=IMAGES, metavar="DIR", help="default: %(default)s")
    args = parser.parse_args()
    for name, draw in draws.items():
        file = args.output / f"{name}.png"
        save(make(draw), file)
        print("wrote", file, flush=True)


def signed(value, digits="g"):
    """A number as text, with a minus sign as long as a plus."""
    return f"{value:{digits}}".replace("-", "\N{MINUS SIGN}")


def two_neurons(unfolds=1, solver="semi_implicit"):
    """The network of docs/maths/ltc_example.md, with its parameters."""
    wiring = Wiring.from_edges(2, edges=[(1, 0, -1), (0, 1, +1)], sensory_edges=[(0, 0, +1)])
    options = {"epsilon": 0.0, "positivity": "clip", "dtype": "float64", "check_stability": "off"}
    model = LTCRNN(wiring, 1, ode_unfolds=unfolds, solver=solver, **options)
    values = {
        "cm": [1.0, 0.5], "gleak": [0.5, 0.25], "vleak": [0.2, -0.4],
        "w": [1.0, 0.5], "mu": [0.0, 0.25], "sigma": [2.0, 4.0], "erev": [-1.0, 1.0],
        "sensory_w": [0.5], "sensory_mu": [1.0], "sensory_sigma": [4.0], "sensory_erev": [1.0],
        "input_w": [2.0], "input_b": [0.5], "output_w": [2.0, 0.5], "output_b": [0.0, 1.0],
    }  # fmt: skip
    for name, value in values.items():
        model.params[name] = value
    return model
