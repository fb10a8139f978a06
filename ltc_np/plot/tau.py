"""Effective time constants over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.optional import need
from .look import drawing
from .moments import chosen, draw_map, layer_of, moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from ..base.types import Numbers
    from ..network.trace import Trace


def time_constants(
    trace: Trace,
    *,
    layer: int | None = None,
    name: str = "tau",
    neurons: Iterable[int] | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """How quickly each neuron follows its drive at each step: its time constant as a map of logarithmic colours.

    Parameters
    ----------
    trace : Trace
        What `Model.trace` gives, of a model with `LTC`, `LRC`, `CfC` or another layer that has time constants.
    layer : int, optional
        Which layer; may be left out if only one has them.
    name : str
        The array of the layer: "tau"; of a `CTGRU` "retrieval_tau" or "storage_tau", of a `Bidirectional`
        "forward_tau" or "backward_tau".
    neurons : iterable of int, optional
        Default all.
    sequence : int
        Which sequence of the batch.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        In the unit of ``dt``.  What is not finite is left white.

    Raises
    ------
    TypeError, ValueError
        No trace, one without time constants, or a layer, a neuron or a sequence that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> trace = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0).trace(np.ones((5, 2)), dt=0.5)
    >>> plot.time_constants(trace).collections[0].get_array().size  # 8 neurons, 5 steps
    40
    """
    when = moments(trace, sequence)
    checks.text("name", name)
    own = layer_of(trace, layer, lambda each: name in each.arrays, f"time constants {name!r}")
    values = np.asarray(when.of(own.arrays[name]), float)
    if values.ndim != 2:
        raise ValueError(f"`name` must be of an array with one number a neuron, got {name!r} with {values.shape[1:]}")
    columns = chosen("neurons", neurons, values.shape[1])
    values = np.ma.masked_invalid(values[:, columns])
    with drawing(ax) as ax:
        drawn = draw_map(ax, when.edges, values, [str(i) for i in columns], "time constant", when.word, _norm(values))
        _ticks(drawn)
        ax.set_ylabel("neuron")
    return ax


def _norm(values: Numbers) -> Any:
    """Logarithmic colours from the least to the largest of all."""
    positive = values[values > 0].compressed()  # type: ignore[attr-defined]
    if not positive.size:
        raise ValueError("`trace` must have time constants that are finite and more than 0, it has none")
    low, high = positive.min(), positive.max()
    if high < 1.01 * low:  # they never change, and a scale needs a width
        low, high = low / 1.1, high * 1.1
    return need("matplotlib.colors", "plot", "`ltc_np.plot`").LogNorm(low, high)


def _ticks(drawn: Any) -> None:
    """Plain numbers beside the bar: powers of ten if it spans two of them, else a few numbers of two digits."""
    ticker = need("matplotlib.ticker", "plot", "`ltc_np.plot`")
    low, high, axis = drawn.norm.vmin, drawn.norm.vmax, drawn.colorbar.ax.yaxis
    if high < 100 * low:
        axis.set_major_locator(ticker.FixedLocator([float(f"{v:.2g}") for v in np.geomspace(low, high, 6)[1:-1]]))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())
