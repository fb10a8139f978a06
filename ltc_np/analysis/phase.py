"""Two neurons of a network that is a differential equation: where they go, and where they stand still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike
from ..model import Model
from .places import layer_of

# How often the way between two lines of the grid is halved: what is left of it is near the rounding of float64.
BISECTIONS = 40


class Nullclines(NamedTuple):
    """The plane of two potentials; result of `nullclines`.

    Attributes
    ----------
    first, second : (n,) arrays
        Potentials of the first and of the second neuron: the grid's lines.
    slopes : (2, n, n) array
        dv/dt of both where the first has ``first[i]`` and the second ``second[j]``: ``slopes[:, i, j]``.
    first_still, second_still : (points, 2) arrays
        Points (v of the first, v of the second) of the nullclines: where the first neuron stands still, and where the
        second does.  They lie on the grid's lines, one for each change of sign between two neighbours.
    """

    first: Array
    second: Array
    slopes: Array
    first_still: Array
    second_still: Array


@with_signature_hints
def nullclines(
    model: Model,
    neurons: Sequence[int],
    x: ArrayLike,
    *,
    state: ArrayLike | None = None,
    low: float = -1.0,
    high: float = 1.0,
    points: int = 41,
    layer: int | None = None,
) -> Nullclines:
    """The vector field of two neurons, and the curves on which either stands still, all else held.

    Parameters
    ----------
    model : Model
    neurons : two ints
        Of the layer; the first goes along the first axis.
    x : (I,) array
        The model's inputs, held.
    state : (K,) array, optional
        The model's state: potentials of the other neurons.  Default `Model.initial_state`.
    low, high : number
        The range of both potentials.
    points : int >= 2
        Lines of the grid each way.
    layer : int, optional
        Which of ``model.layers``; default: the only one that has slopes.

    Returns
    -------
    Nullclines

    Raises
    ------
    ValueError, TypeError
        An argument that does not fit; the layer is no differential equation, as an `LTC` or a `CTRNN` is: its trace has
        no ``slope``, or a step of dt = 0 changes its state.

    Notes
    -----
    Slopes are those of the equation, not of the solver: ``slope`` of a `Model.trace` of steps that last 0.  Layers
    before this one pass on what they make of x in such a step.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CTRNN, Model, analysis
    >>> model = Model(CTRNN(2), input_dim=1, seed=0)
    >>> plane = analysis.nullclines(model, (0, 1), [0.5])
    >>> plane.slopes.shape, plane.first_still.shape[1]
    ((2, 41, 41), 2)
    """
    if model.layer_stack.stride > 1:
        raise ValueError(f"`model` must be without strides, take the layers behind them, got {model!r}")
    place, width = layer_of(model, layer, "slope")
    if not (own := model.layers[place]).dt0_identity:  # an LSTM beside it goes on in no time
        raise ValueError(f"`layer` must be a differential equation, whose steps of dt = 0 change nothing, got {own!r}")
    two = [checks.integer("neurons", k, 0, width - 1) for k in _pair(neurons)]
    points = checks.integer("points", points, 2)
    low = checks.number("low", low, low=-np.inf)
    high = checks.number("high", high, low=low, low_open=True)
    size = model.state_size
    start = model.initial_state() if state is None else _vector(model, "state", state, size)
    columns = [model.layer_stack.states[place].start + k for k in two]
    held = _vector(model, "x", x, model.input_size)

    def slopes(first: Array, second: Array) -> Array:
        """dv/dt (2, n) of both neurons at n points."""
        h0 = np.tile(start, (first.size, 1))
        h0[:, columns[0]], h0[:, columns[1]] = first, second
        trace = model.trace(np.broadcast_to(held, (first.size, 1, held.size)), 0.0, h0=h0)
        return trace.layers[place].arrays["slope"][:, 0][:, two].T

    grid = np.linspace(low, high, points).astype(model.dtype)
    both = [a.reshape(-1) for a in np.meshgrid(grid, grid, indexing="ij")]
    field = slopes(*both).reshape(2, points, points)
    return Nullclines(grid, grid.copy(), field, _still(0, field, grid, slopes), _still(1, field, grid, slopes))


def _vector(model: Model, name: str, values: ArrayLike, size: int) -> Array:
    array = checks.real(name, values, model.dtype, f"({size},)")
    if array.shape != (size,):
        raise ValueError(f"`{name}` must have shape ({size},), got {array.shape}")
    return array


def _pair(neurons: Any) -> tuple[int, int]:
    if np.ndim(neurons) != 1 or len(neurons) != 2 or neurons[0] == neurons[1]:
        raise ValueError(f"`neurons` must be two different ints, got {checks.brief(neurons)}")
    return tuple(neurons)


def _still(k: int, fields: Array, grid: Array, slopes: Callable[[Array, Array], Array]) -> Array:
    """Where slope k is 0 on the lines of the grid, (points, 2): the way between neighbours of other signs is halved."""
    field, ends = fields[k], []
    for axis in range(2):
        one, other = np.nonzero(np.diff(np.signbit(field), axis=axis))
        low = np.stack([grid[one], grid[other]])
        high = np.stack([grid[one + (axis == 0)], grid[other + (axis == 1)]])
        ends.append((low, high, field[one, other]))
    low, high, at_low = (np.concatenate(parts, axis=-1) for parts in zip(*ends, strict=True))
    if not low.size:
        return low.T
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        same = np.signbit(slopes(*middle)[k]) == np.signbit(at_low)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return ((low + high) / 2).T
