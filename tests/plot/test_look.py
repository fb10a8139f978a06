"""How all pictures look: legible at 8 cm, nothing over anything else, and nothing of a user's settings changed."""

import functools
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from support import ROOT
from support.picture_cases import CASES

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


def boxes(ax):
    """(text, box in pixels) of all that is written."""
    out_of_view = set()  # ticks that matplotlib knows and does not draw
    for axes in ax.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not axes.axison or not low <= tick.get_loc() <= high:
                    out_of_view |= {tick.label1, tick.label2}
    found = [t for t in ax.figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in out_of_view]
    return [(t, t.get_window_extent()) for t in found]


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_legible_at_half_a_page(name):
    ax = own_figure(name)
    assert isinstance(ax, Axes)
    width, height = ax.figure.get_size_inches() * 2.54
    assert width == pytest.approx(8.0) and height < 9.5
    written = boxes(ax)
    assert min(text.get_fontsize() for text, _ in written) >= 6
    canvas = ax.figure.bbox
    for text, box in written:
        assert box.x0 >= canvas.x0 - 1 and box.x1 <= canvas.x1 + 1, text
        assert box.y0 >= canvas.y0 - 1 and box.y1 <= canvas.y1 + 1, text


@pytest.mark.parametrize("name", CASES)
def test_no_text_lies_over_another(name):
    written = boxes(own_figure(name))
    for k, (one, box) in enumerate(written):
        for other, its in written[k + 1 :]:
            overlap = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
            assert min(overlap) < 1, (one, other)


@pytest.mark.parametrize("name", CASES)
def test_no_legend_lies_over_the_data(name):
    ax = own_figure(name)
    legend = ax.get_legend()
    if legend is None:
        return
    box = legend.get_window_extent()
    for collection in ax.collections:
        for path in collection.get_paths():
            points = path.cleaned(transform=collection.get_transform(), curves=False).vertices
            assert not box.count_contains(points), collection
    for line in ax.get_lines():
        points = line.get_transform().transform(line.get_xydata())
        seen = [point for point in points if ax.bbox.contains(*point) or not line.get_clip_on()]
        assert not box.count_contains(seen or [(-1, -1)]), line


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
    written, canvas = boxes(ax), ax.figure.bbox
    for k, (one, box) in enumerate(written):
        assert box.x0 >= canvas.x0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1, one
        for other, its in written[k + 1 :]:
            # Boxes have the height of a line, letters less.
            assert not box.overlaps(its) or min(box.y1, its.y1) - max(box.y0, its.y0) < 3, (one, other)


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
