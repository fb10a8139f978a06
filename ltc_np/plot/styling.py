"""How pictures look, and the Axes that they are drawn on.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people with any kind of colour blindness
tell apart, and no difference is told by colour alone.  Sizes are those of print: a picture is 8 cm wide, half a page,
and no letter is smaller than 6 points.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.optional import need
from ..base.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, BLACK, GREY = "#e69f00", "#56b4e9", "#000000", "#808080"
LINES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)), (0, (7, 1.5)))
SEQUENTIAL = "viridis"
CENTIMETRE = 1 / 2.54  # in inches, in which matplotlib measures figures
WIDTH, HEIGHT = 8.0, 5.2  # of a picture, in cm
ENTRIES = 7.2  # cm that a legend may be wide, of which an entry takes 0.96 and 0.125 a letter

STYLE = MappingProxyType(
    {
        "axes.formatter.useoffset": False,
        "axes.labelsize": 7,
        "axes.linewidth": 0.6,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 7.5,
        "figure.dpi": 200,
        "font.family": "DejaVu Sans",  # comes with matplotlib, and is the same everywhere
        "font.size": 7,
        "image.cmap": SEQUENTIAL,
        "legend.borderaxespad": 0,
        "legend.columnspacing": 1.4,
        "legend.fontsize": 6.5,
        "legend.frameon": False,
        "legend.handlelength": 1.9,
        "lines.linewidth": 1.0,
        "lines.scale_dashes": False,
        "savefig.dpi": "figure",
        "text.parse_math": True,  # of the numbers of logarithmic axes; `plain` says what is no mathematics
        "text.usetex": False,
        "xtick.labelsize": 6.5,
        "xtick.major.size": 2.5,
        "xtick.major.width": 0.6,
        "xtick.minor.size": 1.5,
        "ytick.labelsize": 6.5,
        "ytick.major.size": 2.5,
        "ytick.major.width": 0.6,
        "ytick.minor.size": 1.5,
    }
)


def matplotlib_module(name: str) -> Any:
    """A module of matplotlib, which the first picture loads; an error says how to install it."""
    return need(f"matplotlib.{name}", "plot", "`ltc_np.plot`")


@contextmanager
def style() -> Iterator[None]:
    """The look of this package's pictures, for figures that you make inside: ``with style(): ...``.

    Nothing outside of the block changes.  Every picture draws inside of it; you need it for figures of your own, whose
    axes you hand over.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from ltc_np import plot
    >>> with plot.style():
    ...     figure, axes = plt.subplots(1, 2, figsize=(6.3, 2), layout="constrained")
    >>> plt.close(figure)
    """
    matplotlib = need("matplotlib", "plot", "`ltc_np.plot`")
    cycle = matplotlib.cycler(color=LINES)
    with matplotlib.rc_context({**STYLE, "axes.prop_cycle": cycle}):
        yield


@contextmanager
def drawing(ax: Axes | None, height: float = HEIGHT, whole: bool = False) -> Iterator[Axes]:
    """The style, and inside of it ``ax``, or the axes of a new figure ``height`` cm high: all of it if ``whole``."""
    with style():
        if ax is None:
            pyplot = matplotlib_module("pyplot")
            size = WIDTH * CENTIMETRE, height * CENTIMETRE
            if whole:
                ax = pyplot.figure(figsize=size).add_axes((0, 0, 1, 1))
            else:
                ax = pyplot.subplots(figsize=size, layout="constrained")[1]
        else:
            kind = matplotlib_module("axes").Axes
            if not isinstance(ax, kind):
                hint = ": give one of its axes" if hasattr(ax, "gca") or hasattr(ax, "flat") else ""
                raise TypeError(f"`ax` must be one Axes of matplotlib or None, got {checks.brief(ax)}{hint}")
        assert ax is not None
        yield ax


def plain(text: object) -> str:
    r"""A user's text, for matplotlib: shown letter by letter, and what lies between two $ is no mathematics.

    All names that a picture is given (of columns, classes, outputs, metrics, networks, layers) go through here.
    """
    return visible(text).replace("$", r"\$")  # an escaped $ is one, and what lies between two of them is text


def legend(ax: Axes, handles: list[Any], **place: Any) -> None:
    """A legend of these, also of those whose names begin with "_", which matplotlib leaves out by itself."""
    drawn = ax.legend(handles, [str(k) for k in range(len(handles))], **place)
    for entry, handle in zip(drawn.get_texts(), handles, strict=True):
        entry.set_text(handle.get_label())


def legend_above(ax: Axes, handles: list[Any] | None = None) -> None:
    """A legend between the axes and the top of the figure, where it covers nothing; in as many rows as it needs."""
    if handles is None:
        handles = list(ax.get_legend_handles_labels()[0])
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = int(np.clip(ENTRIES // (0.96 + 0.125 * longest), 1, 4))
    legend(ax, handles, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=columns)


def diverging() -> Colormap:
    """Vermilion for less than 0, white, blue for more."""
    colors = matplotlib_module("colors")
    dark_low, dark_high = "#7a3300", "#003a5c"
    ramp = [dark_low, VERMILION, "#f6c9a6", "#ffffff", "#a9d3ec", BLUE, dark_high]
    return colors.LinearSegmentedColormap.from_list("ltc_np", ramp)
