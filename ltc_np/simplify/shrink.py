"""A wired layer with fewer synapses, and which of the larger one's parameters it has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.types import Bools, Ints
from ..cells import Layer, WiredCfC
from ..cells.synaptic import SynapticCell
from ..wirings import Wiring
from . import wired_cfc
from .result import Kept

# Parameters and buffers of all `SynapticCell` that have one number for each synapse; sensory ones have a prefix.
SYNAPTIC = ("w", "mu", "sigma", "erev", "h", "elastance_w", "gain")
ALL = slice(None)


class Smaller(NamedTuple):
    """A smaller layer, the places in the larger one's parameters and buffers of its own, and what it has kept."""

    layer: Layer
    theta: Ints
    buffers: Ints
    kept: Kept


def can_shrink(layer: Layer) -> bool:
    """Whether a layer's synapses can be removed: each stands for itself alone."""
    return isinstance(layer, SynapticCell) or (isinstance(layer, WiredCfC) and layer.strict)


def shrink(layer: Any, recurrent: Bools, sensory: Bools) -> Smaller:
    """The layer with these synapses, (S,) and (S_sensory,) bools, and without neurons that no output depends on."""
    wiring: Wiring = layer.wiring
    alive = np.arange(wiring.units) < wiring.output_dim
    count = 0
    while count != alive.sum():
        count = alive.sum()
        alive[wiring.pre[recurrent & alive[wiring.post]]] = True
    kept = Kept(
        np.flatnonzero(alive),
        np.flatnonzero(recurrent & alive[wiring.post]),
        np.flatnonzero(sensory & alive[wiring.sensory_post]),
    )
    is_cfc = isinstance(layer, WiredCfC)
    # Cells of a WiredCfC are layers that synapses lead back to, together; without those they would fall apart.
    groups = [(cell.name, cell.neurons) for cell in layer.cells] if is_cfc else wiring.layers
    smaller = type(layer).from_config(
        layer.config() | {"wiring": _wiring(wiring, kept, alive, groups), "init": None, "input_dim": None}
    )
    if is_cfc:
        places: dict[str, Any] = wired_cfc.places(layer, smaller, kept)
    else:
        places = {entry.name: _places(entry.name, kept) for entry in (*layer.layout.entries, *layer.buffers.entries)}
    # Gains of which only those of 1 are kept are gone: a wiring has none where all are 1.
    return Smaller(smaller, _flat(layer.layout, places), _flat(layer.buffers, places, smaller.buffers.slices), kept)


def _wiring(wiring: Wiring, kept: Kept, alive: Bools, groups: Any) -> Wiring:
    """The wiring of what is kept, its neurons numbered anew in the same order."""
    number = np.cumsum(alive) - 1
    edges = [
        np.stack([pre, number[post[k]], polarity[k] if gain is None else polarity[k] * gain[k]], axis=1)
        for pre, post, polarity, gain, k in (
            (number[wiring.pre[kept.synapses]], wiring.post, wiring.polarity, wiring.gain, kept.synapses),
            (
                wiring.sensory_pre[kept.sensory_synapses], wiring.sensory_post, wiring.sensory_polarity,
                wiring.sensory_gain, kept.sensory_synapses,
            ),
        )
    ]  # fmt: skip
    recurrent, sensory = ([(int(pre), int(post), value) for pre, post, value in rows.tolist()] for rows in edges)
    layers = [(name, [int(number[i]) for i in ids if alive[i]]) for name, ids in groups]
    layers = [(name, ids) for name, ids in layers if ids]
    return Wiring.from_edges(kept.neurons.size, recurrent, sensory, wiring.output_dim, wiring.input_dim, layers)


def _places(name: str, kept: Kept) -> Any:
    """Where an array of a `SynapticCell` is kept."""
    if name.startswith(("input_", "output_")):
        return ALL
    if name.startswith("sensory_"):
        return kept.sensory_synapses
    return kept.synapses if name in SYNAPTIC else kept.neurons


def _flat(layout: Any, places: dict[str, Any], names: Any = None) -> Ints:
    """Places in the flat vector of a layout, of all its arrays or of those with these names."""
    parts = [
        np.arange(where.start, where.stop)[places[name]]
        for name, (where, _) in layout.slices.items()
        if names is None or name in names
    ]
    return np.concatenate([*parts, np.zeros(0, int)]).astype(int)
