"""The weights of a strict WiredCfC by the synapse they belong to: every head has one for each synapse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..base.types import Array, Arrays, Ints
from ..cells import WiredCfC
from .result import Kept


def _columns(layer: WiredCfC) -> Ints:
    """The neuron of each column of the state."""
    return np.concatenate([cell.neurons for cell in layer.cells])


def sources(layer: WiredCfC, state: Array, kind: str, inputs: Array) -> Array:
    """What synapses of a kind read, with a column for each neuron, in the wiring's order, or for each input."""
    return inputs if kind else state[..., np.argsort(_columns(layer))]


def strengths(layer: WiredCfC, p: Arrays, kind: str) -> Array:
    """Of each synapse of a kind the sum of the magnitudes of its weights, (S,)."""
    wiring = layer.wiring
    pre, post = (wiring.sensory_pre, wiring.sensory_post) if kind else (wiring.pre, wiring.post)
    at = {pair: k for k, pair in enumerate(zip(pre.tolist(), post.tolist(), strict=True))}
    total = np.zeros(pre.size)
    for name, synapses in _synapses(layer):
        for value, (own, source, neuron) in zip(np.abs(p[name]).tolist(), synapses, strict=True):
            if own == kind:
                total[at[source, neuron]] += value
    return total


def places(layer: WiredCfC, smaller: WiredCfC, kept: Kept) -> dict[str, Ints]:
    """Where the parameters of a smaller layer stand in those of the larger one, by name; of what is gone nowhere."""
    found = {name: np.zeros(0, int) for name in layer.layout.slices}
    former, former_cells = dict(_synapses(layer)), {cell.name: cell.neurons for cell in layer.cells}
    for name, synapses in _synapses(smaller):
        at = {synapse: k for k, synapse in enumerate(former[name])}
        old = [(kind, pre if kind else int(kept.neurons[pre]), int(kept.neurons[post])) for kind, pre, post in synapses]
        found[name] = np.array([at[synapse] for synapse in old], int)
    for cell in smaller.cells:
        neurons = former_cells[cell.name].tolist()
        own = np.array([neurons.index(i) for i in kept.neurons[cell.neurons].tolist()], int)
        per_neuron = [f"{cell.name}_{rest}" for rest in (*(f"{head}_b" for head in cell.index), "w_tau", "a")]
        found |= {name: own for name in per_neuron if name in found}
    return found


def _synapses(layer: WiredCfC) -> Iterator[tuple[str, list[tuple[str, int, int]]]]:
    """Name of each weight, and of each of its numbers the kind of synapse, from what and to which neuron."""
    for cell in layer.cells:
        neurons = np.concatenate([layer.cells[j].neurons for j in cell.sources] + [cell.neurons]).tolist()
        read: list[Any] = [("sensory_", k) for k in range(layer.input_size if cell.reads_input else 0)]
        read += [("", j) for j in neurons]
        for head, index in cell.index.items():
            name = f"{cell.name}_{head}_w"
            if name in layer.layout.slices:
                rows, columns = index
                yield name, [(*read[r], int(cell.neurons[c])) for r, c in zip(rows, columns, strict=True)]
