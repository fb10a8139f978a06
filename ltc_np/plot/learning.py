"""Learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from .styling import BLUE, GREY, VERMILION, drawing, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DECADES = 30  # a quantity whose values differ by more than this factor has a logarithmic axis


class Measured(Protocol):
    """What `learning_curves` reads of a `History`."""

    epoch: list[int]
    val_epoch: list[int]
    best_epoch: int | None

    def __getitem__(self, name: str, /) -> list[float]: ...
    def __contains__(self, name: object, /) -> bool: ...


@with_signature_hints
def learning_curves(history: Measured, name: str = "loss", *, ax: Axes | None = None) -> Axes:
    """One quantity over the epochs of a training, with that of the validation data.

    Parameters
    ----------
    history : History
        What `Model.fit` has returned.
    name : str
        "loss", or a metric that was measured.  A quantity whose values are positive and differ by a factor of more than
        30 has a logarithmic axis.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A dot marks ``history.best_epoch``, whose weights the model has if ``keep_best``.

    Raises
    ------
    TypeError, ValueError
        No history, or a quantity that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> x = np.zeros((4, 5, 2))
    >>> history = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0).fit(x, x[:, :, :1], epochs=3)
    >>> ax = plot.learning_curves(history)
    >>> len(ax.get_lines()[0].get_ydata())
    3
    """
    if not all(hasattr(history, what) for what in ("epoch", "val_epoch", "best_epoch")):
        raise TypeError(f"`history` must be what `fit` has returned, got {checks.brief(history)}")
    checks.text("name", name)
    known: list[Any] = [quantity for quantity in history if not quantity.startswith("val_")]  # type: ignore[attr-defined]
    if name not in known:
        raise ValueError(f"`name` must be one of what was measured, {', '.join(map(repr, known))}, got {name!r}")
    curves: list[tuple[str, str, Any, list[int], list[float]]] = [("training", BLUE, "-", history.epoch, history[name])]
    if f"val_{name}" in history:
        curves.append(("validation", VERMILION, (0, (4, 1.5)), history.val_epoch, history[f"val_{name}"]))
    with drawing(ax) as ax:
        for label, color, dashes, epochs, values in curves:
            marker = "." if len(values) == 1 else ""  # a line through one point is not to be seen
            ax.plot(epochs, values, color=color, linestyle=dashes, label=label, marker=marker)
        _, color, _, epochs, values = curves[-1]
        if history.best_epoch in epochs:
            at = epochs.index(history.best_epoch)
            ax.plot(epochs[at], values[at], "o", color=color, markersize=4, label="best epoch", clip_on=False)
        if _spans_decades([v for curve in curves for v in curve[-1]]):
            ax.set_yscale("log")
        ax.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.4)
        ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="epoch", ylabel=plain(name))
        legend_above(ax)
    return ax


def _spans_decades(values: Sequence[float]) -> bool:
    """Whether positive numbers differ by more than `DECADES`; missing ones do not count."""
    array = np.array([v for v in values if np.isfinite(v)])
    return bool(array.size and array.min() > 0 and array.max() > DECADES * array.min())
