"""How far back a network reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from .styling import DASHES, GREY, LINES, drawing, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..base.types import ArrayLike

SPAN = 1e-16  # of the largest number, where the axis ends: less is nothing to an update in float64


def gradient_by_lag(norms: ArrayLike | Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """The size of a gradient over the number of steps that it has gone back, of one network or of several.

    Parameters
    ----------
    norms : (T,) array, or mapping of str to (T,) arrays
        What `ltc_np.analysis.gradient_by_lag` gives for one sequence; or several by name, at most seven.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axis is logarithmic and ends at 1e-16 of the largest number; zeros are left out.

    Raises
    ------
    TypeError, ValueError
        Arrays that do not fit, negative numbers, or nothing but zeros.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, analysis, plot
    >>> models = {
    ...     "default": LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0),
    ...     "time constants": LTCRNN(AutoNCP(8, 1), input_dim=2, init="time_constants", seed=0),
    ... }
    >>> x = np.ones((30, 2))
    >>> ax = plot.gradient_by_lag({name: analysis.gradient_by_lag(model, x) for name, model in models.items()})
    """
    several: Mapping[Any, Any] = norms if isinstance(norms, Mapping) else {"": norms}
    if not 1 <= len(several) <= len(LINES):
        raise ValueError(f"`norms` must be of 1..{len(LINES)} networks in one picture, got {len(several)}")
    curves = {}
    for name, values in several.items():
        label = f"norms[{name!r}]" if isinstance(norms, Mapping) else "norms"
        array = checks.real(label, values, np.dtype(float), "(T,) of one sequence")
        if array.ndim != 1 or not array.size:
            hint = f": choose a sequence, {label}[0]" if array.ndim == 2 else ""
            raise ValueError(f"`{label}` must have shape (T,), got {array.shape}{hint}")
        wrong = array[~(array >= 0) | ~np.isfinite(array)]
        if wrong.size:
            raise ValueError(f"`{label}` must be finite and at least 0, got {wrong[0]}")
        curves[str(name)] = array
    every = np.concatenate(list(curves.values()))
    if not every.any():
        raise ValueError("`norms` must not be all 0: a logarithmic axis shows no zeros")
    handles = []
    with drawing(ax) as ax:
        for k, (name, array) in enumerate(curves.items()):
            dashes = DASHES[k % len(DASHES)]
            seen = np.where(array > 0, array, np.nan)
            handles += ax.plot(np.arange(array.size), seen, color=LINES[k], linestyle=dashes, label=plain(name))
        ax.set_yscale("log")
        ax.set_ylim(max(every[every > 0].min() / 2, every.max() * SPAN), every.max() * 2)
        ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.4)
        ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="steps back", ylabel="size of the gradient")
        ax.margins(x=0.01)
        if isinstance(norms, Mapping):
            legend_above(ax, handles)
    return ax
