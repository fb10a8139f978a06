"""How all pictures look: legible at 8 cm, nothing over anything else, and nothing of a user's settings changed."""

import functools
import inspect
import re
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

from ltc_np import AutoNCP, Wiring, plot
from ltc_np.plot.styling import BLUE, LINES, VERMILION, plain
from ltc_np.train.history import History

pytestmark = pytest.mark.xdist_group("look")  # pictures are drawn once


def settings():
    return {name: value for name, value in matplotlib.rcParams.items() if not name.startswith("backend")}


BEFORE = settings()  # of any picture: tests are collected before the first one runs


@functools.cache
def own_figure(name):
    """A picture on a figure of its own, drawn once for all tests."""
    ax = CASES[name](None)
    ax.figure.canvas.draw()
    return ax


@pytest.mark.slow
@pytest.mark.few(4)
@pytest.mark.parametrize("name", CASES)
def test_pictures_are_legible_at_half_a_page(name):
    ax = own_figure(name)
    assert isinstance(ax, Axes)
    width, height = ax.figure.get_size_inches() * 2.54
    assert width == pytest.approx(8.0) and height < 9.5
    assert min(text.get_fontsize() for text, _ in written(ax.figure)) >= 6
    assert not cut_off(ax.figure)


@pytest.mark.few(5)
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


@pytest.mark.slow
def test_without_matplotlib_one_line_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from ltc_np import AutoNCP, plot\n"
        "try: plot.wiring(AutoNCP(8, 1).build(2))\n"
        "except ImportError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == '`ltc_np.plot` needs matplotlib: pip install "ltc-np[plot]"'


@pytest.mark.slow
def test_importing_loads_no_matplotlib():
    code = "import sys, ltc_np.plot; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "False"


ODD = "_$_2023_$\x1b[31m\n"  # mathematics that is none, a name that matplotlib hides, an escape sequence, a line's end


def with_odd_names(ax):
    """Of each function that is given texts, a picture; None where they are not drawn."""
    measured = History()
    measured.epoch, measured.val_epoch, measured.best_epoch = [0, 1], [], None
    measured[ODD] = [1.0, 2.0]
    ncp = AutoNCP(5, 1).build(2)
    t = np.arange(3.0)
    return {
        "gradient_by_lag": lambda: plot.gradient_by_lag({ODD: t + 1, f"a{ODD}": t + 2}, ax=ax),
        "learning_curves": lambda: plot.learning_curves(measured, ODD, ax=ax),
        "predictions": lambda: plot.predictions(t, *np.ones((2, 3, 2)), names=[ODD, f"a{ODD}"], ax=ax),
        "saliency": lambda: plot.saliency(np.ones((3, 2)), names=[ODD, f"a{ODD}"], ax=ax),
        "wiring": lambda: plot.wiring(ncp, input_names=["a", "$_$"], output_names=[ODD], ax=ax),
        "time_constants": None,  # which of a layer's arrays
    }


@pytest.mark.parametrize("name", with_odd_names(None))
def test_no_text_of_a_user_s_is_mathematics(name):
    """It would be an error when the picture is drawn.  What is shown are the letters, on axes of a user too."""
    if with_odd_names(None)[name] is None:
        return
    for given in (None, plt.subplots()[1]):
        ax = with_odd_names(given)[name]()
        ax.figure.canvas.draw()
        legend = [] if ax.get_legend() is None else ax.get_legend().get_texts()
        texts = [*legend, *ax.texts, ax.xaxis.label, ax.yaxis.label, *ax.get_yticklabels()]
        odd = [text.get_text() for text in texts if "2023" in text.get_text()]
        several = name in ("gradient_by_lag", "predictions", "saliency")
        assert len(odd) == 1 + several and all(r"_\$_2023_\$\x1b[31m\n" in text for text in odd)


def test_texts_of_all_functions_are_tried():
    """Whatever takes texts of a user is among the cases above."""
    takes = {name for name in plot.__all__ if re.search(r"\bstr\b", str(inspect.signature(getattr(plot, name))))}
    assert takes == set(with_odd_names(None))


def test_layers_of_a_wiring_may_have_any_names():
    layers = [(f"inter{ODD}", [1, 2]), (f"motor{ODD}", [0])]
    wiring = Wiring.from_matrix(np.ones((3, 3)), np.ones((2, 3)), output_dim=1, layers=layers)
    ax = plot.wiring(wiring)
    ax.figure.canvas.draw()
    assert r"2 inter_\$_2023_\$\x1b[31m\n" in [text.get_text() for text in ax.texts]


def test_plain_text_is_shown_letter_by_letter():
    """As matplotlib itself takes it: a text without mathematics has one reading."""
    for text in ("a", "$", "$$", "a_$x$_b", "\\$x$", "\\", "\\alpha $\\alpha$", "100 % & #"):
        shown, mathematics = plt.figure().text(0, 0, plain(text))._preprocess_math(plain(text))
        assert (shown, mathematics) == (text, False)


def test_a_user_s_tex_is_not_asked(monkeypatch):
    """`text.usetex` would read every name as LaTeX."""
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    monkeypatch.setitem(matplotlib.rcParams, "text.parse_math", False)
    ax = plot.predictions([0.0, 1], [1.0, 2], [1.0, 2], names=["a_b"])
    assert not ax.yaxis.label.get_usetex() and ax.yaxis.label.get_parse_math()
