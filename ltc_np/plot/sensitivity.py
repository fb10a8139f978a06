"""What an output depends on, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from .moments import draw_map
from .styling import BLACK, drawing, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..base.types import ArrayLike


def saliency(
    values: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    step: int | None = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The derivative of one output with respect to every input at every step, as a map of colours.

    Parameters
    ----------
    values : (T, I) array
        What `ltc_np.analysis.saliency` gives for one sequence.
    dt : number or (T,) array, optional
        Elapsed times, which make the columns of the map as wide as the steps are long; default steps of 1.
    step : int, optional
        The step of the output; a line marks its end.  A negative one counts from the end.
    names : sequence of str, optional
        Of the inputs.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Blue: a larger input makes the output larger; vermilion: smaller.

    Raises
    ------
    TypeError, ValueError
        Arrays that do not fit, or not one sequence.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, analysis, plot
    >>> model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0)
    >>> ax = plot.saliency(analysis.saliency(model, np.ones((5, 2))), names=["speed", "angle"])
    """
    array = checks.real("values", values, np.dtype(float), "(T, I) of one sequence")
    if array.ndim != 2 or not array.size:
        hint = ": choose a sequence, values[0]" if array.ndim == 3 else ""
        raise ValueError(f"`values` must have shape (T, I), got {array.shape}{hint}")
    checks.finite("values", array)
    (T, I), edges, word = array.shape, np.arange(len(array) + 1.0), "step"
    if dt is not None:
        elapsed = checks.elapsed(dt, 1, T, array.dtype, None, True)[0]
        edges, word = np.concatenate([[0.0], np.cumsum(elapsed)]), "time"
    if names is not None and (isinstance(names, str) or len(names) != I):
        raise ValueError(f"`names` must be {I} texts, one for each input, got {checks.brief(names)}")
    at = None if step is None else float(edges[checks.integer("step", step, -T, T - 1) % T + 1])
    with drawing(ax) as ax:
        draw_map(
            ax, edges, array, [str(i) for i in range(I)] if names is None else [*map(plain, names)], "dy / dx", word
        )
        if at is not None:
            ax.axvline(at, color=BLACK, linewidth=0.8, linestyle=(0, (2, 1.5)))
        ax.set_ylabel("input" if names is None else "")
    return ax
