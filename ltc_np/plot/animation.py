"""Moving pictures: a network that runs, and one that learns."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks, files
from ..base.calls import with_signature_hints
from ..base.optional import need
from ..base.types import ArrayLike, PathLike
from ..network.trace import Trace
from . import filmed_network, filmed_training
from .learning import Measured
from .styling import matplotlib_module, style

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation


DPI = 100  # of the frames, 8 cm wide
OF_A_TRACE = "layer", "sequence"
OF_A_TRAINING = "y", "t", "history"


@with_signature_hints
def animate(
    source: Trace | Sequence[ArrayLike],
    *,
    file: PathLike | None = None,
    frames: int = 60,
    per_second: float = 12.0,
    layer: int | None = None,
    sequence: int | None = None,
    y: ArrayLike | None = None,
    t: ArrayLike | None = None,
    history: Measured | None = None,
) -> FuncAnimation:
    """A network that runs, or one that learns, as a moving picture.

    Of a `Trace` it shows the wiring while a sequence is read: the colour of a neuron is its state, and a synapse is as
    wide as its current is strong (blue raises the potential, vermilion lowers it; layers other than the LTC show no
    currents).  Of a list of predictions it shows how they come closer to the truth while a network learns.

    Parameters
    ----------
    source : Trace, or sequence of (T,) or (T, O) arrays
        What `Model.trace` gives; or what a model has predicted after each epoch, collected by a callback.
    file : str or Path, optional
        Write a GIF, whole or not at all (needs pillow, which comes with matplotlib).
    frames : int
        How many at most; steps or epochs are then left out evenly.
    per_second : number
        Frames a second.
    layer, sequence : int, optional
        Of a trace: which layer, may be left out if only one has a wiring; and which sequence, by default the first.
    y : array of the shape of a prediction, optional
        Of predictions: what is true.
    t : (T,) array, optional
        Of predictions: times, by default the steps.
    history : History, optional
        Of predictions: what `fit` has returned, whose losses stand below.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        In a notebook ``HTML(animation.to_jshtml())`` shows it.  Its figure is 8 cm wide.

    Raises
    ------
    TypeError, ValueError
        An argument that does not fit the source.
    OSError
        The file cannot be written.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> x = np.sin(np.arange(20.0))[:, None]
    >>> model = LTCRNN(AutoNCP(8, 1), input_dim=1, seed=0)
    >>> running = plot.animate(model.trace(x), file="running.gif", frames=3)
    >>> predicted = []
    >>> history = model.fit(x[None, :-1], x[None, 1:], epochs=4, callbacks=lambda *_: predicted.append(model(x[:-1])))
    >>> learning = plot.animate(predicted, y=x[1:], history=history, file="learning.gif", frames=3)
    """
    frames = checks.integer("frames", frames, 2)
    per_second = checks.number("per_second", per_second, low_open=True)
    path = None
    if file is not None:
        if not isinstance(file, (str, os.PathLike)):
            raise TypeError(f"`file` must be a str or Path, got {checks.brief(file)}")
        path = pathlib.Path(file)
        if path.suffix.lower() != ".gif":
            raise ValueError(f"`file` must end in .gif, got {path}")
        files.check_path(path)
    given: dict[str, Any] = {"layer": layer, "sequence": sequence, "y": y, "t": t, "history": history}
    running = isinstance(source, Trace)
    for name in OF_A_TRAINING if running else OF_A_TRACE:
        if given[name] is not None:
            goes = f"predictions: the {'trace' if running else 'list'} has none" if running else "a trace"
            raise ValueError(f"`{name}` must be left out here, it goes with {goes}")
    with style():
        if isinstance(source, Trace):
            figure, count, show = filmed_network.scene(source, layer, sequence or 0)
        else:
            figure, count, show = filmed_training.scene(source, y, t, history)
        figure.set_dpi(DPI)
        chosen = np.unique(np.linspace(0, count - 1, min(frames, count)).round().astype(int))
        module = matplotlib_module("animation")

        def frame(k: int) -> list[Any]:
            with style():
                return show(int(k))

        moving = module.FuncAnimation(figure, frame, frames=chosen, interval=1000 / per_second, blit=False)
        if path is not None:
            _write(moving, path, per_second)
    return moving


def _write(moving: FuncAnimation, path: pathlib.Path, per_second: float) -> None:
    """A GIF of few colours, whole or not at all; matplotlib's own writer takes more room, and writes bit by bit."""
    image = need("PIL.Image", "plot", "`animate(..., file=...)`")
    pictures: list[Any] = []

    class Film(matplotlib_module("animation").AbstractMovieWriter):  # type: ignore[misc]
        """Keeps the frames."""

        def setup(self, fig: Any, outfile: Any, dpi: Any = None) -> None:
            self.fig, self.outfile, self.dpi = fig, outfile, dpi

        def grab_frame(self, **keywords: Any) -> None:
            self.fig.canvas.draw()
            pixels = np.asarray(self.fig.canvas.buffer_rgba())[:, :, :3]
            pictures.append(image.fromarray(pixels).quantize(128, dither=image.Dither.NONE))

        def finish(self) -> None:
            """All is in memory."""

    moving.save(path, writer=Film(fps=per_second))
    first, *others = pictures
    options: dict[str, Any] = {"duration": 1000 / per_second, "loop": 0, "optimize": True}
    files.write(path, lambda file: first.save(file, format="GIF", save_all=True, append_images=others, **options))
