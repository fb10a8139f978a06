"""The scene of a network that learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.types import Array
from .forecast import MOST, TRUE
from .learning import learning_curves
from .styling import BLACK, CENTIMETRE, DASHES, GREY, HEIGHT, LINES, WIDTH, matplotlib_module

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LOSSES = 3.4  # height of the learning curves, in cm


def scene(source: Any, y: Any, t: Any, history: Any) -> tuple[Figure, int, Callable[[int], list[Any]]]:
    """The figure, how many frames it has, and what draws one of them: a frame is an epoch."""
    predicted = _stacked(source)
    F, T, O = predicted.shape
    true = None if y is None else checks.real("y", y, np.dtype(float))
    if true is not None and true.reshape(len(true) if true.ndim else 1, -1).shape != (T, O):
        raise ValueError(f"`y` must have the shape of a prediction, {np.shape(source[0])}, got {true.shape}")
    times = np.arange(float(T)) if t is None else checks.real("t", t, np.dtype(float))
    if times.shape != (T,):
        raise ValueError(f"`t` must be times (T,) = ({T},), got {times.shape}")
    if history is not None and len(getattr(history, "epoch", ())) != F:
        got = len(getattr(history, "epoch", ()))
        raise ValueError(f"`history` must have an epoch for each of the {F} predictions, got {got}")
    pyplot = matplotlib_module("pyplot")
    heights = [HEIGHT] if history is None else [HEIGHT, LOSSES]
    size = WIDTH * CENTIMETRE, sum(heights) * CENTIMETRE
    figure, axes = pyplot.subplots(
        len(heights), 1, figsize=size, height_ratios=heights, squeeze=False, layout="constrained"
    )
    ax = axes[0, 0]
    lines = []
    for k in range(O):
        if true is not None:
            color = BLACK if O == 1 else LINES[k]
            ax.plot(times, true.reshape(T, O)[:, k], color=color, **TRUE)
        lines += ax.plot(times, predicted[0, :, k], color=LINES[k], linestyle=DASHES[k % len(DASHES)])
    every = predicted if true is None else np.concatenate([predicted.ravel(), true.ravel()])
    low, high = np.nanmin(every), np.nanmax(every)
    edge = 0.05 * (high - low) or 1.0
    ax.set(ylim=(low - edge, high + edge), xlabel="time" if t is not None else "step")
    ax.margins(x=0.01)
    epochs = list(range(F)) if history is None else list(history.epoch)
    title = ax.set_title(f"epoch {epochs[0]}")
    moving = [*lines, title]
    if history is not None:
        learning_curves(history, ax=axes[1, 0])
        now = axes[1, 0].axvline(epochs[0], color=GREY, linewidth=0.8)
        moving.append(now)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # the axes stay where they are

    def show(k: int) -> list[Any]:
        for line, values in zip(lines, predicted[k].T, strict=True):
            line.set_ydata(values)
        title.set_text(f"epoch {epochs[k]}")
        if history is not None:
            now.set_xdata([epochs[k]] * 2)
        return moving

    return figure, F, show


def _stacked(source: Any) -> Array:
    """The predictions as one array (F, T, O)."""
    if isinstance(source, (str, bytes)) or not hasattr(source, "__len__"):
        raise TypeError(f"`source` must be a Trace or a list of predictions, got {checks.brief(source)}")
    array = checks.real("source", source, np.dtype(float), "predictions of one shape, (T,) or (T, O)")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not array.size or array.shape[2] > MOST:
        rule = f"at least one prediction (T,) or (T, O) of 1..{MOST} outputs"
        raise ValueError(f"`source` must be a Trace or hold {rule}, got an array {array.shape}")
    return array
