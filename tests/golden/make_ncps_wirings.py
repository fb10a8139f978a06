"""Write ncps_wirings.json: graphs of ncps 1.0.1, for tests/wirings/test_ncps.py.

Run it with an environment that has ncps==1.0.1 and torch (which ncps imports); the tests need only the file::

    python tests/golden/make_ncps_wirings.py

The file is a JSON object: "ncps" and "numpy" (versions) and "wirings", a list of objects with the keys

class, arguments
    Name and keyword arguments of the constructor, the same in ncps and here.
input_dim
    Argument of ``build``.
units, output_dim
    As ncps gives them.
adjacency, sensory_adjacency
    Lists of rows [pre], one character per postsynaptic neuron: "+" excitatory, "-" inhibitory, "." none.
unbuilt_adjacency
    Whether the recurrent matrix is that already before ``build``.
layers
    ``get_neurons_of_layer`` for each of the ``num_layers`` layers.
types
    ``get_type_of_neuron`` for each neuron, the first letter only.
"""

import json
from importlib.metadata import version
from pathlib import Path

import ncps.wirings
import numpy as np

NCP_ARGUMENTS = (
    "inter_neurons",
    "command_neurons",
    "motor_neurons",
    "sensory_fanout",
    "inter_fanout",
    "recurrent_command_synapses",
    "motor_fanin",
    "seed",
)
CASES = [
    *[
        ("FullyConnected", {"units": n, **extra}, inputs)
        for n, extra, inputs in [
            (1, {}, 1),
            (1, {"self_connections": False}, 2),
            (2, {"output_dim": 1}, 3),
            (5, {"output_dim": 2}, 3),
            (5, {"output_dim": 2, "self_connections": False}, 3),
            (5, {"output_dim": 2, "erev_init_seed": 0}, 5),
            (8, {"output_dim": 8, "erev_init_seed": 7, "self_connections": False}, 1),
            (19, {"erev_init_seed": 123456789}, 32),
            (32, {"output_dim": 4, "erev_init_seed": 2**40 + 3}, 2),
        ]
    ],
    *[
        ("Random", {"units": n, **extra}, inputs)
        for n, extra, inputs in [
            (1, {}, 1),
            (4, {}, 2),
            (7, {"output_dim": 3, "sparsity_level": 0.4}, 3),
            (7, {"output_dim": 3, "sparsity_level": 0.4, "random_seed": 5}, 7),
            (5, {"sparsity_level": 0.5}, 1),
            (3, {"sparsity_level": 0.5}, 1),
            (10, {"output_dim": 2, "sparsity_level": 0.75}, 4),
            (16, {"output_dim": 1, "sparsity_level": 0.1, "random_seed": 99}, 5),
            (3, {"sparsity_level": 0.99}, 2),
            (40, {"output_dim": 4, "sparsity_level": 0.9, "random_seed": 2}, 20),
            # More than 10000 pairs of which few are drawn: numpy samples by another algorithm.
            (101, {"output_dim": 4, "sparsity_level": 0.99}, 8),
        ]
    ],
    *[
        (
            "NCP",
            dict(zip(NCP_ARGUMENTS[: len(numbers)], numbers, strict=True)),
            inputs,
        )
        for numbers, inputs in [
            ((10, 10, 8, 6, 6, 4, 6), 20),
            ((12, 6, 1, 4, 4, 4, 6), 32),
            ((3, 2, 1, 1, 1, 0, 1), 1),
            ((3, 2, 1, 3, 2, 6, 2, 0), 4),
            ((1, 1, 1, 1, 1, 1, 1, 3), 1),
            ((20, 3, 2, 2, 1, 5, 1, 1), 2),
            ((4, 9, 3, 1, 1, 20, 1, 8), 6),
            ((9, 7, 5, 2, 3, 3, 2, 2**32 - 1), 3),
            ((5, 4, 6, 0, 0, 2, 0, 11), 3),
            # No draw reaches one of the command neurons, and the mean fan-in is cut to their number.
            ((8, 2, 2, 2, 1, 2, 1, 113), 3),
        ]
    ],
    *[
        ("AutoNCP", {"units": n, "output_size": out, **extra}, inputs)
        for n, out, extra, inputs in [
            (16, 4, {}, 3),
            (16, 2, {}, 1),
            (4, 1, {}, 1),
            (4, 1, {"sparsity_level": 1.0}, 2),
            (16, 4, {"sparsity_level": 0.1}, 3),
            (16, 4, {"sparsity_level": 0.9}, 3),
            (16, 12, {"seed": 1}, 4),
            (28, 4, {"sparsity_level": 0.5, "seed": 42}, 20),
            (28, 4, {"sparsity_level": 0.75, "seed": 0}, 8),
            (32, 8, {"sparsity_level": 0.3, "seed": 123}, 5),
            (64, 8, {"sparsity_level": 0.9}, 16),
            (19, 1, {"sparsity_level": 1, "seed": 7}, 32),
        ]
    ],
]


def rows(matrix):
    assert set(np.unique(matrix)) <= {-1, 0, 1}
    return ["".join(".+-"[entry] for entry in row) for row in matrix]


def record(name, arguments, input_dim):
    wiring = getattr(ncps.wirings, name)(**arguments)
    before = wiring.adjacency_matrix.copy()
    wiring.build(input_dim)
    return {
        "class": name,
        "arguments": arguments,
        "input_dim": input_dim,
        "units": wiring.units,
        "output_dim": wiring.output_dim,
        "adjacency": rows(wiring.adjacency_matrix),
        "sensory_adjacency": rows(wiring.sensory_adjacency_matrix),
        "unbuilt_adjacency": bool((before == wiring.adjacency_matrix).all()),
        "layers": [list(wiring.get_neurons_of_layer(i)) for i in range(wiring.num_layers)],
        "types": "".join(wiring.get_type_of_neuron(i)[0] for i in range(wiring.units)),
    }


if __name__ == "__main__":
    assert version("ncps") == "1.0.1", version("ncps")
    golden = {"ncps": "1.0.1", "numpy": np.__version__}
    lines = ",\n".join(json.dumps(record(*case), separators=(",", ":")) for case in CASES)
    path = Path(__file__).with_name("ncps_wirings.json")
    path.write_text(json.dumps(golden)[:-1] + ', "wirings": [\n' + lines + "\n]}\n")
    print(f"{path.name}: {len(CASES)} wirings, {path.stat().st_size} bytes")
