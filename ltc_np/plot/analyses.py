"""Pictures of what `ltc_np.analysis` finds: saliency, gradients by lag, and two neurons against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike
from ..network.trace import Trace
from .moments import draw_map, layer_of, moments
from .styling import BLACK, BLUE, DASHES, GREY, LINES, VERMILION, drawing, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


SPAN = 1e-16  # of the largest gradient, where the axis ends: less is nothing to an update in float64
ARROWS = 14  # of a phase portrait each way, at most


@with_signature_hints
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


@with_signature_hints
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


class Plane(Protocol):
    """What `phase_portrait` reads of `ltc_np.analysis.Nullclines`."""

    @property
    def first(self) -> Array: ...
    @property
    def second(self) -> Array: ...
    @property
    def slopes(self) -> Array: ...
    @property
    def first_still(self) -> Array: ...
    @property
    def second_still(self) -> Array: ...


@with_signature_hints
def phase_portrait(
    plane: Plane,
    neurons: tuple[int, int],
    *,
    trace: Trace | None = None,
    layer: int | None = None,
    sequence: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Where two neurons go from each pair of potentials, where either stands still, and the way that a trace took.

    Parameters
    ----------
    plane : Nullclines
        What `ltc_np.analysis.nullclines` gives for these neurons.
    neurons : (int, int)
        Their numbers, as they were given to it.
    trace : Trace, optional
        What `Model.trace` gives: its way through the plane, from a dot to an arrow.  The plane is that of one input,
        held; under other inputs a trace need not follow its arrows.
    layer : int, optional
        Which layer of the trace; may be left out if only one has a state.
    sequence : int
        Which sequence of the trace.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Arrows have one length and show directions.  Where dots of both kinds meet, both neurons stand still.

    Raises
    ------
    TypeError, ValueError
        No such plane or trace, or neurons that it does not have.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> from ltc_np import CTRNN, Model, analysis, plot
    >>> model = Model(CTRNN(3), input_dim=1, seed=0)
    >>> ax = plot.phase_portrait(analysis.nullclines(model, (0, 2), [0.5]), (0, 2))
    """
    parts = "first", "second", "slopes", "first_still", "second_still"
    if not all(hasattr(plane, part) for part in parts):
        raise TypeError(f"`plane` must be what `analysis.nullclines` gives, got {checks.brief(plane)}")
    if not isinstance(neurons, (tuple, list)) or len(neurons) != 2:
        raise TypeError(f"`neurons` must be two ints, got {checks.brief(neurons)}")
    way = None
    if trace is not None:
        when = moments(trace, sequence)
        traced = layer_of(trace, layer, lambda each: each.state.shape[-1] > 0, "a state")
        when = when.at(traced)
        width = traced.state.shape[-1]
        columns = [checks.integer("neurons", i, 0, width - 1) for i in neurons]
        start = traced.h0 if when.sequence is None else traced.h0[when.sequence]
        way = np.concatenate([start[None, columns], when.of(traced.state)[:, columns]])
    with drawing(ax, 6.6) as ax:
        x, y = (slice((len(line) - 1) % _every(line) // 2, None, _every(line)) for line in (plane.first, plane.second))
        along, up = np.asarray(plane.slopes, float)[:, x, y]
        size = np.hypot(along, up)
        size[size == 0] = 1.0
        ax.quiver(
            plane.first[x], plane.second[y], (along / size).T, (up / size).T, color=GREY, alpha=0.7, pivot="mid",
            angles="xy", scale=ARROWS * 1.7, width=0.003,
        )  # fmt: skip
        for name, points, color, marker in (
            (f"neuron {neurons[0]} still", plane.first_still, BLUE, "o"),
            (f"neuron {neurons[1]} still", plane.second_still, VERMILION, "x"),
        ):
            along, up = np.asarray(points).T
            ax.plot(along, up, marker, color=color, markersize=1.8, markeredgewidth=0.5, label=name)
        if way is not None:
            ax.plot(*way.T, color=BLACK, linewidth=0.9, label="trace")
            ax.plot(*way[0], color=BLACK, marker="o", markersize=3)
            ax.annotate("", way[-1], way[-2], arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 0.9})
        ax.set(xlim=(plane.first[0], plane.first[-1]), ylim=(plane.second[0], plane.second[-1]))
        ax.set(xlabel=f"neuron {neurons[0]}", ylabel=f"neuron {neurons[1]}")
        legend_above(ax)
    return ax


def _every(line: Array) -> int:
    """Which lines of a grid have arrows: every so many, evenly from end to end."""
    return -(-len(line) // ARROWS)
