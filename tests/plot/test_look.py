"""How all pictures look: legible at 8 cm, nothing over anything else, and nothing of a user's settings changed."""

import functools
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from support import ROOT
from support.picture_cases import CASES
from support.pictures import cut_off, overlaps, under_legend, written

from ltc_np import AutoNCP, plot
from ltc_np.plot.look import BLUE, LINES, VERMILION


def settings():
    return {name: value for name, value in matplotlib.rcParams.items() if not name.startswith("backend")}


BEFORE = settings()  # of any picture: tests are collected before the first one runs


@functools.cache
def own_figure(name):
    """A picture on a figure of its own, drawn once for all tests."""
    ax = CASES[name](None)
    ax.figure.canvas.draw()
    return ax


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_legible_at_half_a_page(name):
    ax = own_figure(name)
    assert isinstance(ax, Axes)
    width, height = ax.figure.get_size_inches() * 2.54
    assert width == pytest.approx(8.0) and height < 9.5
    assert min(text.get_fontsize() for text, _ in written(ax.figure)) >= 6
    assert not cut_off(ax.figure)


@pytest.mark.parametrize("name", CASES)
def test_no_text_lies_over_another(name):
    assert not list(overlaps(own_figure(name).figure))


@pytest.mark.parametrize("name", CASES)
def test_no_legend_lies_over_the_data(name):
    assert not list(under_legend(own_figure(name)))


@pytest.mark.parametrize("name", CASES)
def test_given_axes_come_back_and_settings_stay(name):
    _, (ax, other) = plt.subplots(1, 2)
    assert CASES[name](ax) is ax
    assert not other.has_data()
    assert settings() == BEFORE


def test_long_names_and_titles_of_a_wiring_have_room():
    wiring = AutoNCP(40, 3).build(20)
    names = {"input_names": [f"feature {i}" for i in range(20)], "output_names": ["a long name", "b", "c"]}
    ax = plot.wiring(wiring, **names)
    ax.figure.canvas.draw()
    assert not cut_off(ax.figure)
    assert not list(overlaps(ax.figure, least=3))  # boxes have the height of a line, letters less


def test_style_ends_with_its_block():
    with plot.style():
        assert matplotlib.rcParams["font.size"] == 7
    assert settings() == BEFORE


def luminance(color):
    """Relative luminance of sRGB, as WCAG 2 defines it."""
    linear = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722], linear


# Linear RGB as those without M cones and without L cones see it: Machado, Oliveira, Fernandes, "A Physiologically-based
# Model for Simulation of Color Vision Deficiency" (2009), severity 1.
BLINDNESS = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("matrix", BLINDNESS.values(), ids=BLINDNESS)
def test_both_signs_are_told_apart_by_the_colour_blind(matrix):
    blue, vermilion, green = (np.clip(np.array(matrix) @ luminance(c)[1], 0, 1) for c in (BLUE, VERMILION, LINES[2]))
    assert np.abs(blue - vermilion).max() > 0.3
    assert np.abs(blue - green).max() > 0.15
    red, lime = (np.clip(np.array(matrix) @ luminance(c)[1], 0, 1) for c in ("#c00000", "#407000"))
    assert np.abs(red - lime).max() < 0.15, "red and green are not, so the simulation sees what it is to see"


def test_without_matplotlib_one_line_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from ltc_np import AutoNCP, plot\n"
        "try: plot.wiring(AutoNCP(8, 1).build(2))\n"
        "except ImportError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == '`ltc_np.plot` needs matplotlib: pip install "ltc-np[plot]"'


def test_importing_loads_no_matplotlib():
    code = "import sys, ltc_np.plot; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "False"
