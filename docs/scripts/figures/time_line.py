"""What happens when: inputs, elapsed times, unfolds and outputs of three steps of a sequence."""

from itertools import pairwise

import numpy as np
from book import BLACK, BLUE, GREY, VERMILION, main, panels

DT, UNFOLDS = (1.0, 2.5, 0.5), 3
HEIGHTS = 3.2, 2.2, 1.2, 0.2  # of the inputs, the elapsed times, the unfolds and the outputs


def borders():
    """Times at which steps begin and end, and those of the unfolds of each step."""
    ends = np.cumsum((0.0, *DT))
    return ends, [np.linspace(a, b, UNFOLDS + 1) for a, b in pairwise(ends)]


def draw():
    figure, axes = panels(13, 6)
    ends, unfolds = borders()
    held, elapsed, solved, out = HEIGHTS
    for end in ends:
        axes.plot([end, end], [out - 0.1, held + 0.3], color=GREY, linewidth=0.6, linestyle=":")
    for t, (begin, end) in enumerate(pairwise(ends)):
        middle, way = (begin + end) / 2, {"color": BLACK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.plot([begin, end], [held, held], color=BLUE, linewidth=3, solid_capstyle="butt")
        axes.text(middle, held + 0.15, f"x[{t}]", ha="center", va="bottom", color=BLUE)
        axes.annotate(
            "", (end, elapsed), (begin, elapsed), arrowprops={**way, "arrowstyle": "<|-|>", "mutation_scale": 7}
        )
        axes.text(middle, elapsed + 0.12, f"dt[{t}]", ha="center", va="bottom")
        axes.plot(unfolds[t], np.full(UNFOLDS + 1, solved), color=GREY, marker="|", markersize=9, linewidth=0.9)
        axes.plot(end, out, "o", color=VERMILION, markersize=5)
        axes.text(end - 0.07, out - 0.15, f"y[{t}]", ha="right", va="top", color=VERMILION)
    rows = "the input is held", "elapsed time", f"{UNFOLDS} unfolds", "the output is read"
    for height, text in zip(HEIGHTS, rows, strict=True):
        axes.text(-0.15, height, text, ha="right", va="center", fontsize=8)
    axes.annotate("", (4.5, -0.6), (0, -0.6), arrowprops={"arrowstyle": "-|>", "color": BLACK, "linewidth": 0.9})
    axes.text(4.5, -0.75, "time", ha="right", va="top")
    axes.plot(0, out, "o", color=BLACK, markersize=5, fillstyle="none")
    axes.text(0.07, out - 0.15, "h0", va="top")
    axes.set(xlim=(-1.5, 4.6), ylim=(-1.2, 3.8))
    axes.axis("off")
    return figure


if __name__ == "__main__":
    main({"time_line": draw}, __doc__)
