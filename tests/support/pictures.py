"""Pictures compared with stored ones, in a way that other versions of matplotlib and of its fonts pass."""

import numpy as np

SIZE, DPI = (3.15, 2.1), 80  # of stored pictures, in inches


def render(draw):
    """The picture that ``draw(ax)`` makes, without letters and ticks: an (H, W, 3) array of 0..255.

    Letters differ between versions of FreeType, and so does where a layout that makes room for them puts the axes.
    So these have a fixed place, and what is written is tested where the numbers are.  Where ticks stand, matplotlib
    decides anew from time to time.
    """
    import matplotlib.pyplot as plt
    from matplotlib.text import Text

    from ltc_np import plot

    with plot.style():
        figure = plt.figure(figsize=SIZE, dpi=DPI)
        draw(figure.add_axes((0.1, 0.12, 0.86, 0.8)))
    for found in figure.findobj(Text):
        found.set_visible(False)
    for axes in figure.axes:
        axes.tick_params(which="both", length=0)
        axes.grid(False)
        if axes.get_legend() is not None:
            axes.get_legend().set_visible(False)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].astype(float)
    plt.close(figure)
    return pixels


def _windows(pixels, size):
    padded = np.pad(pixels, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))


def difference(pixels, stored):
    """How far a picture is from another one, 0..255, at the place where it is most.

    Both are blurred (means of 3 by 3), and a pixel may have any value between the least and the largest of the 3 by 3
    pixels around the same place of the other: what has moved by one pixel, as lines do that another version rounds
    otherwise, is no difference.
    """
    if pixels.shape != stored.shape:
        return 255.0
    first, second = (_windows(each, 3).mean((-1, -2)) for each in (pixels, stored))
    most = 0.0
    for own, other in ((first, second), (second, first)):
        around = _windows(other, 3)
        outside = np.maximum(own - around.max((-1, -2)), around.min((-1, -2)) - own)
        most = max(most, float(outside.max()))
    return most


def read(path):
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def write(path, pixels):
    from PIL import Image

    Image.fromarray(pixels.astype(np.uint8)).save(path, optimize=True)


def written(figure):
    """(text, box in pixels) of all that is written in a figure that has been drawn."""
    from matplotlib.text import Text

    out_of_view = set()  # ticks that matplotlib knows and does not draw
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not axes.axison or not low <= tick.get_loc() <= high:
                    out_of_view |= {tick.label1, tick.label2}
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in out_of_view]
    return [(t, t.get_window_extent()) for t in found]


def cut_off(figure):
    """Texts that do not lie within the figure."""
    canvas = figure.bbox.padded(1)
    return [t for t, box in written(figure) if not (canvas.contains(*box.min) and canvas.contains(*box.max))]


def overlaps(figure, least=1):
    """Pairs of texts that lie over each other, by so many pixels each way."""
    texts = written(figure)
    for k, (one, box) in enumerate(texts):
        for other, its in texts[k + 1 :]:
            sides = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
            if min(sides) >= least:
                yield one, other


def under_legend(ax):
    """Lines and other shapes of the data that an Axes' legend lies over."""
    if (legend := ax.get_legend()) is None:
        return
    box = legend.get_window_extent()
    for collection in ax.collections:
        for path in collection.get_paths():
            if box.count_contains(path.cleaned(transform=collection.get_transform(), curves=False).vertices):
                yield collection
    for line in ax.get_lines():
        points = line.get_transform().transform(line.get_xydata())
        seen = [point for point in points if ax.bbox.contains(*point) or not line.get_clip_on()]
        if box.count_contains(seen or [(-1, -1)]):
            yield line
