"""The bucket of docs/tutorial.md: its level, and the pipes to two lakes, one of them with a valve."""

from book import BLACK, BLUE, GREY, SKY, VERMILION, main, panels
from matplotlib.patches import Rectangle

LAKE, LEVEL, E = 0.0, 0.2, 1.0  # of the page's first example
G, A = 0.4, 0.6
BOTTOM, TOP = -0.7, 1.35
PIPES = ((3.0, 4.5, G / 4), (7.5, 9.0, A / 4))  # from, to, and the width of its drawing
UNDER = (
    (1.5, "lake"),
    (3.75, "leak:\n$g$"),
    (6.0, "bucket:\narea of the bottom $c$"),
    (8.25, "synapse:\n$a$"),
    (10.5, "lake"),
)


def water(axes, left, right, low, high):
    axes.add_patch(Rectangle((left, low), right - left, high - low, color=SKY, alpha=0.45, linewidth=0))


def vessel(axes, left, right, level, name, walls):
    """Water up to a level, with walls at these places; a lake goes on beyond the figure."""
    water(axes, left, right, BOTTOM, level)
    axes.plot((left, right), (level, level), color=BLUE, linewidth=1)
    axes.plot((left, right), (BOTTOM, BOTTOM), color=BLACK, linewidth=1)
    for x in walls:
        axes.plot((x, x), (BOTTOM, TOP), color=BLACK, linewidth=1)
    axes.text((left + right) / 2, level + 0.05, f"level ${name}$", ha="center", va="bottom")


def pipe(axes, left, right, width):
    """A pipe at the bottom, and below it an arrow of the flow, which is to the left in both."""
    low, high = BOTTOM + 0.1, BOTTOM + 0.1 + width
    water(axes, left, right, low, high)
    for y in (low, high):
        axes.plot((left, right), (y, y), color=BLACK, linewidth=1)
    way = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (left, BOTTOM - 0.08), (right, BOTTOM - 0.08), arrowprops=way)


def draw():
    figure, axes = panels(13, 6)
    vessel(axes, 0.0, 3.0, LAKE, "\\ell", (3.0,))
    vessel(axes, 4.5, 7.5, LEVEL, "v", (4.5, 7.5))
    vessel(axes, 9.0, 12.0, E, "E", (9.0,))
    for one in PIPES:
        pipe(axes, *one)
    axes.plot((8.25, 8.25), (BOTTOM + 0.02, BOTTOM + 0.55), color=VERMILION, linewidth=1.5)
    axes.plot((7.95, 8.55), (BOTTOM + 0.55, BOTTOM + 0.55), color=VERMILION, linewidth=1.5)
    axes.text(8.25, BOTTOM + 0.62, "valve", color=VERMILION, ha="center", va="bottom")
    for x, text in UNDER:
        axes.text(x, BOTTOM - 0.2, text, ha="center", va="top")
    axes.set(xlim=(0, 12), ylim=(-1.5, TOP + 0.1))
    axes.axis("off")
    return figure


if __name__ == "__main__":
    main({"bucket": draw}, __doc__)
