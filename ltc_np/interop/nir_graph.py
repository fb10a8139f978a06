"""What a graph of NIR says, in the terms of this library: a chain of nodes, their numbers, and ways back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.optional import need
from ..base.types import Array
from ..base.visible import visible

nir: Any = need("nir", "nir", "`ltc_np.interop.nir`")


class Affine(NamedTuple):
    """W x + b of a node, float64: W (O, I), b (O,), and the node's name."""

    weight: Array
    bias: Array
    name: str


class Neurons(NamedTuple):
    """A LIF node as this library has it: v_leak = 0, R = 1, one threshold and one reset for all neurons.

    Attributes
    ----------
    tau : (N,) array
    gain : (N,) array
        Factors of the current: R, in units of the potential.
    threshold, reset : float
    """

    tau: Array
    gain: Array
    threshold: float
    reset: float


def chain_of(graph: Any) -> Iterator[tuple[str, Affine | None]]:
    """Names of nodes from the input to the output, each with what its spikes come back through."""
    edges = [(str(a), str(b)) for a, b in graph.edges]
    for name, node in graph.nodes.items():
        if not isinstance(node, (nir.Input, nir.Output, nir.Affine, nir.Linear, nir.LIF)):
            known = "ltc_np has layers for Affine, Linear and LIF"
            raise ValueError(f"`graph` must be of known nodes, but {name!r} is a {type(node).__name__}: {known}")
    back = loops_of(graph, edges)
    aside = {affine.name for affine in back.values()} - {*back}
    edges = [(a, b) for a, b in edges if a not in aside and b not in aside and a != b]
    inputs, outputs = ([n for n, node in graph.nodes.items() if isinstance(node, k)] for k in (nir.Input, nir.Output))
    follows = dict(edges)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"`graph` must have one Input and one Output, got {len(inputs)} and {len(outputs)}")
    chain: list[str] = []
    name = inputs[0]
    while (name := follows.get(name, "")) in graph.nodes and name not in (*chain, *outputs):
        chain.append(name)
    if len(edges) != len(chain) + 1 or name not in outputs or len(chain) + 2 + len(aside) != len(graph.nodes):
        rule = "a chain from its Input to its Output, besides what leads from a LIF back to it"
        raise ValueError(
            f"`graph` must be {rule}, got the edges {', '.join(f'{visible(a)} -> {visible(b)}' for a, b in edges)}"
        )
    if not chain:
        raise ValueError("`graph` must have nodes between its Input and its Output, got none")
    for name in chain:
        yield name, back.get(name)


def loops_of(graph: Any, edges: list[tuple[str, str]]) -> dict[str, Affine]:
    """What leads from a LIF straight back to it, by the name of the LIF."""
    found: dict[str, Affine] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.LIF) and (name, name) in edges:
            found[name] = identity(node.tau.size, name)
        elif isinstance(node, (nir.Affine, nir.Linear)):
            before, after = [a for a, b in edges if b == name], [b for a, b in edges if a == name]
            if before == after and len(before) == 1 and isinstance(graph.nodes[before[0]], nir.LIF):
                if before[0] in found:
                    raise ValueError(f"`graph` must lead back to a LIF once, but {before[0]!r} has two such ways")
                found[before[0]] = affine_of(name, node)
    return found


def affine_of(name: str, node: Any) -> Affine:
    weight = _real(name, "weight", node.weight, 2)
    bias = _real(name, "bias", node.bias, 1) if isinstance(node, nir.Affine) else np.zeros(len(weight))
    if bias.size != len(weight):
        raise ValueError(f"`graph` must fit together, but {name!r} has {len(weight)} rows and a bias of {bias.size}")
    return Affine(weight, bias, name)


def identity(N: int, name: str) -> Affine:
    return Affine(np.eye(N), np.zeros(N), name)


def _real(node: str, name: str, values: Any, axes: int) -> Array:
    """A parameter of a node, float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or array.ndim != axes or not np.isfinite(array).all():
        rule = f"finite numbers on {axes} {'axis' if axes == 1 else 'axes'}"
        raise ValueError(f"`graph` must have {rule} in {name} of {node!r}, got {checks.describe(array)}")
    return array.astype(np.float64)


def neurons_of(name: str, node: Any) -> Neurons:
    tau, r, leak, threshold, reset = (
        _real(name, part, getattr(node, part), 1) for part in ("tau", "r", "v_leak", "v_threshold", "v_reset")
    )
    if not (tau > 0).all():
        raise ValueError(f"`graph` must have time constants > 0, but tau of {name!r} has {tau.min():g}")
    height, low = threshold - leak, reset - leak
    if not (height > 0).all():
        raise ValueError(f"`graph` must have v_threshold > v_leak, but {name!r} has a neuron that spikes at rest")
    if (height == height[0]).all() and (low == low[0]).all():
        return Neurons(tau, r, float(height[0]), float(low[0]))
    share = low / height
    if not np.allclose(share, share[0], rtol=1e-6, atol=1e-9):  # of thresholds; float32 rounds to 6e-8
        rule = "(v_reset - v_leak) / (v_threshold - v_leak) that is the same for all neurons of a node"
        raise ValueError(f"`graph` must have a {rule}, but {name!r} has {share.min():g} to {share.max():g}")
    return Neurons(tau, r / height, 1.0, float(share[0]))
