"""Wirings of every kind."""

import io

import numpy as np

from ltc_np.wirings import NCP, AutoNCP, FullyConnected, Random, RandomWiring, Wiring

RECIPES = [
    FullyConnected(5, 2),
    FullyConnected(4, self_connections=False),
    Random(7, 3, sparsity_level=0.4),
    NCP(5, 4, 3, 2, 2, 3, 2),
    AutoNCP(16, 4),
]


EDGES = [(2, 0, 1), (0, 2, -1), (3, 2, 1), (2, 2, -1), (2, 3, 1), (1, 0, 1)]


SENSORY_EDGES = [(1, 3, -1), (0, 3, 1), (1, 1, 1)]


def hand_made():
    return Wiring.from_edges(4, EDGES, SENSORY_EDGES, output_dim=2, input_dim=3)


def in_layers():
    layers = [("first", [3, 2]), ("motor", range(2))]
    return Wiring.from_edges(4, EDGES, SENSORY_EDGES, output_dim=2, input_dim=3, layers=layers)


def with_gains():
    return Wiring.from_edges(3, [(0, 1, -0.5), (1, 0, 2)], [(0, 0, 1), (0, 2, 0.25)])


BUILT = [recipe.build(3) for recipe in RECIPES] + [
    RandomWiring(2, 3, 5, seed=8),
    hand_made(),
    in_layers(),
    with_gains(),
]


def name_of(wiring):
    return repr(wiring)


def arrays(wiring):
    """All arrays of a built wiring, by name."""
    names = ("pre", "post", "polarity", "gain", "erev")
    found = {prefix + name: getattr(wiring, prefix + name) for prefix in ("", "sensory_") for name in names}
    return {name: array for name, array in found.items() if array is not None}


def through_npz(state):
    """`state` after writing and reading without pickle: texts and ints come back as 0-d arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **state)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
