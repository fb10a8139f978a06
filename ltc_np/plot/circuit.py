"""The wiring of a network as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Numbers
from ..base.visible import visible
from ..network.network import Network
from ..wirings import Wiring
from .positions import Positions, positions
from .strokes import INHIBITORY, crowded, draw_neurons, draw_synapses, frame, synapses_of, widths, write_titles
from .styling import BLUE, GREY, VERMILION, WIDTH, drawing, legend, matplotlib_module, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LETTER, LINE = 0.135, 0.24  # what a letter and a line of the names take, in cm
NAMES = 0.55  # of the width, that names may take


@with_signature_hints
def wiring(
    network: Wiring | Network,
    *,
    layer: int | None = None,
    values: ArrayLike | None = None,
    sensory_values: ArrayLike | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Who drives whom: inputs and neurons by layer, and a line for each synapse, as wide as it is strong.

    Parameters
    ----------
    network : Wiring or Model
        A built wiring, or a model with one.  Strengths are a wiring's fixed gains (1 if it has none), and of a model
        the trained ones: of an `LTC` w, with the sign of the reversal potential erev and times the gain; of an `LRC`
        h, times the gain.
    layer : int, optional
        Which layer of a model with several wired ones.
    values, sensory_values : (S,) and (S_in,) arrays, optional
        Signed strengths to draw instead of these, in the order of ``wiring.pre`` and ``wiring.sensory_pre``: mean
        currents, a gradient.  Both or none of them.
    input_names, output_names : sequence of str, optional
        What inputs and motor neurons mean.
    ax : matplotlib.axes.Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Excitatory synapses are blue and end in an arrow; inhibitory ones are vermilion, dashed, and end in a bar.
        Several layers are columns; a wiring of one layer is a ring, whose dark neurons are the motor neurons.  Of more
        than 150 synapses the strongest 150 stand out, and the others are pale.

    Raises
    ------
    TypeError, ValueError
        No wiring, one that is not built, or a layer whose synapses have no single strength.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> from ltc_np import LTCRNN, AutoNCP, plot
    >>> ax = plot.wiring(LTCRNN(AutoNCP(19, 2), input_dim=4, seed=0))
    >>> len(ax.collections[0].get_paths())  # the synapses
    67
    """
    built, strengths = _read(network, layer, values, sensory_values)
    where = positions(built)
    left = _check_names("input_names", input_names, where.inputs)
    right = _check_names("output_names", output_names, where.neurons[: built.output_dim])
    low, high = _with_room(where, left, right)
    synapses = synapses_of(built, where, strengths)
    with drawing(ax, WIDTH * float((high - low)[1] / (high - low)[0]), whole=True) as ax:
        frame(ax, low, high)
        draw_synapses(ax, where, synapses)
        draw_neurons(ax, built, where)
        _write(ax, built, where, input_names or (), output_names or ())
        _legend(ax, strengths)
    return ax


# ------------------------------------------------------------------------------------------------ what is drawn


def _read(network: Any, layer: int | None, values: Any, sensory_values: Any) -> tuple[Wiring, Numbers]:
    """A built wiring, and the signed strengths of its synapses, sensory ones first."""
    if (values is None) != (sensory_values is None):
        raise ValueError("`values` and `sensory_values` must be given together, got only one of them")
    if isinstance(network, Wiring):
        if layer is not None:
            raise ValueError(f"`layer` must be None for a wiring, got {checks.brief(layer)}")
        built, prefix = network, None
    elif isinstance(network, Network):
        built, prefix = _of_layer(network, layer)
    else:
        raise TypeError(f"`network` must be a Wiring or a Model with one, got {checks.brief(network)}")
    if not built.is_built:
        raise ValueError(f"`network` must be built, got {built!r}: call its build(input_dim)")
    counts = built.sensory_synapse_count, built.synapse_count
    if values is not None:
        both = []
        for name, given, count in (("sensory_values", sensory_values, counts[0]), ("values", values, counts[1])):
            array = checks.real(name, given, np.dtype(float))
            if array.shape != (count,):
                raise ValueError(f"`{name}` must have one number a synapse, shape ({count},), got {array.shape}")
            checks.finite(name, array)
            both.append(array)
        return built, np.concatenate(both)
    if prefix is None:
        gains = [np.ones(n) if g is None else g for n, g in zip(counts, (built.sensory_gain, built.gain), strict=True)]
        signs = np.sign(built.sensory_erev), np.sign(built.erev)
        return built, np.concatenate([sign * gain for sign, gain in zip(signs, gains, strict=True)])
    assert isinstance(network, Network)
    return built, np.concatenate([_trained(network, prefix + kind) for kind in ("sensory_", "")])


def _of_layer(network: Network, layer: int | None) -> tuple[Wiring, str]:
    """The wiring of a model's layer, and what the names of its parameters begin with."""
    wired = [k for k, each in enumerate(network.layers) if each.reads_wiring]
    if layer is None:
        if len(wired) != 1:
            which = f"it has {wired}: choose one by `layer`" if wired else "it has none"
            raise ValueError(f"`network` must have one wired layer, such as LTC(AutoNCP(19, 2)); {which}")
        (layer,) = wired
    elif checks.integer("layer", layer, 0, len(network.layers) - 1) not in wired:
        raise ValueError(f"`layer` must be one with a wiring, of {wired}, got {layer}")
    built: Wiring = network.layers[layer].wiring  # type: ignore[attr-defined]
    return built, network.layer_stack.prefixes[layer]


def _trained(network: Network, start: str) -> Numbers:
    """Signed strengths of synapses, from the parameters of a model whose names begin with ``start``."""
    found = network.effective
    gain = network.buffers.get(f"{start}gain", 1.0)
    if f"{start}erev" in found:
        return np.asarray(found[f"{start}w"] * np.sign(found[f"{start}erev"]) * gain, float)
    if f"{start}h" in found:
        return np.asarray(found[f"{start}h"] * gain, float)
    raise ValueError(
        f"`network` must have one strength for each synapse, as LTC and LRC have, got {network!r}: "
        "give `values` and `sensory_values`, or draw its wiring, plot.wiring(model.wiring), of a network beside a line "
        "that of `ltc_np.shortcut.network(model)`"
    )


# ------------------------------------------------------------------------------------------------------ drawing


def _check_names(name: str, given: Any, spots: Array) -> float:
    """What the names take beside the neurons, in cm."""
    if given is None:
        return 0.0
    if isinstance(given, str) or len(given) != len(spots):
        raise ValueError(f"`{name}` must be {len(spots)} texts, one for each, got {checks.brief(given)}")
    if np.diff(np.sort(spots[:, 1])).min(initial=LINE) < LINE:
        raise ValueError(f"`{name}` must be left out here: {len(spots)} names beside each other have no room")
    return LETTER * max(len(visible(text)) for text in given)


def _with_room(where: Positions, left: float, right: float) -> tuple[Array, Array]:
    """The corners of the picture with names of so many cm at both sides, which do not shrink with what they are at."""
    if left + right > NAMES * WIDTH:
        most, got = int(NAMES * WIDTH / LETTER), round((left + right) / LETTER)
        raise ValueError(f"`input_names` and `output_names` must together be at most {most} letters wide, got {got}")
    low, high = where.limits
    scale = (high - low)[0] / (1 - (left + right) / WIDTH) / WIDTH
    low[0] -= left * scale
    high[0] += right * scale
    high[1] += scale * (LINE if crowded(where, 1 / scale) else 0)
    return low, high


def _write(ax: Axes, built: Wiring, where: Positions, input_names: Sequence[str], output_names: Sequence[str]) -> None:
    """Titles of the layers, and the names of inputs and motor neurons."""
    low, high = ax.get_xlim()
    write_titles(ax, where, WIDTH / (high - low))
    for (x, y), name in zip(where.inputs, input_names, strict=False):
        ax.text(x - 1.5 * where.radius, y, plain(name), fontsize=6.5, va="center", ha="right")
    for (x, y), name in zip(where.neurons[: built.output_dim], output_names, strict=False):
        ax.text(x + 1.5 * where.radius, y, plain(name), fontsize=6.5, va="center", ha="left")


def _legend(ax: Axes, strengths: Numbers) -> None:
    line = matplotlib_module("lines").Line2D
    more, less = np.count_nonzero(strengths > 0), np.count_nonzero(strengths < 0)
    handles = [
        line([], [], color=BLUE, marker=">", markersize=3, label=f"{more} excitatory"),
        line([], [], color=VERMILION, linestyle=INHIBITORY, marker="|", markersize=5, label=f"{less} inhibitory"),
    ]
    if strengths.size and np.ptp(np.abs(strengths)) > 0:
        handles.append(
            line([], [], color=GREY, linewidth=widths(strengths).max(), label=f"widest: {np.abs(strengths).max():.3g}")
        )
    legend(ax, handles, loc="lower center", bbox_to_anchor=(0.5, 0.0), ncols=3)
