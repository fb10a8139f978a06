"""What was predicted, and what was true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks, dates
from ..base.calls import with_signature_hints
from ..base.types import ArrayLike, Numbers
from .styling import BLACK, BLUE, DASHES, LINES, drawing, legend_above, matplotlib_module, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MOST = len(LINES) - 1  # outputs in one picture, each in a colour of its own
TRUE: dict[str, Any] = {"marker": ".", "markersize": 2.5, "linewidth": 0.5, "alpha": 0.6, "zorder": 2}


@with_signature_hints
def predictions(
    t: ArrayLike,
    y: ArrayLike,
    predicted: ArrayLike,
    *,
    intervals: Mapping[float, tuple[ArrayLike, ArrayLike]] | None = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Predicted against true values over time, with intervals.

    Parameters
    ----------
    t : (T,) array
        Times, which do not fall: numbers or dates.
    y : (T,) or (T, O) array
        True values; NaN where they are not known.
    predicted : array of the shape of ``y``
        NaN where nothing was predicted.
    intervals : mapping of number to (low, high), optional
        For each share in (0, 1) the interval in which so many of the true values are to lie, two arrays (T,):
        ``{0.5: (low, high), 0.9: (lower, higher)}``.  Of one output only.
    names : sequence of str, optional
        Of the outputs.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        True values are dots joined by a thin line, in black if there is one output; predicted ones are lines.  Of
        intervals the widest is the palest.

    Raises
    ------
    TypeError, ValueError
        Arrays that do not fit, or more than six outputs.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import plot
    >>> t = np.linspace(0, 6, 40)
    >>> ax = plot.predictions(t, np.sin(t), 0.9 * np.sin(t), intervals={0.9: (np.sin(t) - 0.3, np.sin(t) + 0.3)})
    """
    dated = dates.array(t)
    t = checks.real("t", t, np.dtype(float)) if dated is None or dated.dtype.kind != "M" else dated
    if t.ndim != 1 or not t.size or not (t[1:] >= t[:-1]).all():
        raise ValueError(f"`t` must be times (T,), which do not fall, got {checks.brief(t)}")
    y, predicted = checks.real("y", y, np.dtype(float)), checks.real("predicted", predicted, np.dtype(float))
    if y.ndim not in (1, 2) or len(y) != len(t):
        raise ValueError(f"`y` must have shape (T,) or (T, O) with T = {len(t)}, got {y.shape}")
    if predicted.shape != y.shape:
        raise ValueError(f"`predicted` must have the shape of `y`, {y.shape}, got {predicted.shape}")
    y, predicted = y.reshape(len(t), -1), predicted.reshape(len(t), -1)
    O = y.shape[1]
    if not 1 <= O <= MOST:
        raise ValueError(f"`y` must have 1..{MOST} outputs in one picture, got {O}: choose some of them, y[:, :3]")
    if names is not None and len(names) != O:
        raise ValueError(f"`names` must be as many as the outputs, {O}, got {len(names)}")
    bands = _bands(intervals, len(t), O)
    line = matplotlib_module("lines").Line2D
    with drawing(ax) as ax:
        for k, (share, low, high) in enumerate(bands):
            color = _paler(BLUE, 0.2 + 0.22 * k)
            ax.fill_between(t, low, high, color=color, linewidth=0, label=f"{100 * share:g} % interval")
        handles = ax.get_legend_handles_labels()[0][-len(bands) :] if bands else []
        for k in range(O):
            color, dark = LINES[k], BLACK if O == 1 else LINES[k]
            name = plain(names[k]) if names is not None else f"output {k}" if O > 1 else "output"
            ax.plot(t, y[:, k], color=dark, **TRUE, label=f"true {name}")
            ax.plot(t, predicted[:, k], color=color, linestyle=DASHES[k % 5], zorder=3, label=f"predicted {name}")
            if O > 1:
                handles.append(line([], [], color=color, linestyle=DASHES[k % 5], label=name))
        handles.insert(0, line([], [], color=BLACK, **TRUE, label="true"))
        if O == 1:
            handles.insert(1, line([], [], color=BLUE, label="predicted"))
        ax.set_xlabel("time")
        if O == 1 and names is not None:
            ax.set_ylabel(plain(names[0]))
        if t.dtype.kind == "M":
            locator = ax.xaxis.get_major_locator()
            ax.xaxis.set_major_formatter(matplotlib_module("dates").ConciseDateFormatter(locator))
        ax.margins(x=0.01)
        legend_above(ax, handles)
    return ax


def _paler(color: str, share: float) -> Any:
    """A share of a colour, the rest white."""
    rgb = matplotlib_module("colors").to_rgb(color)
    return tuple(1 - share * (1 - part) for part in rgb)


def _bands(intervals: Any, T: int, O: int) -> list[tuple[float, Numbers, Numbers]]:
    """(share, low, high) of each interval, the widest share first."""
    if intervals is None:
        return []
    if not hasattr(intervals, "items"):
        raise TypeError(f"`intervals` must be a mapping such as {{0.9: (low, high)}}, got {checks.brief(intervals)}")
    if O > 1:
        raise ValueError(f"`intervals` must be of one output, got them with {O} outputs: draw each on its own")
    bands = []
    for share, pair in intervals.items():
        share = checks.number("share of intervals", share, 0, 1, low_open=True, high_open=True)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"`intervals[{share:g}]` must be a pair (low, high), got {checks.brief(pair)}")
        low, high = (checks.real(f"intervals[{share:g}]", side, np.dtype(float)) for side in pair)
        if low.shape != (T,) or high.shape != (T,):
            raise ValueError(f"`intervals[{share:g}]` must be two arrays ({T},), got {low.shape} and {high.shape}")
        if (low > high).any():
            raise ValueError(f"`intervals[{share:g}]` must be (low, high), got low > high at {np.argmax(low > high)}")
        bands.append((share, low, high))
    return sorted(bands, key=lambda band: -band[0])
