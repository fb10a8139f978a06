"""BatchNorm in front of a Conv1D or behind it becomes part of its weights: with kept statistics it is u = a x + c.

Behind: a (W z + b) + c.  In front: W (a x + c) + b, where the past then holds x instead of u, and begins with the x
that makes u = 0, as the convolution assumes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...base.layout import part
from ...base.types import Arrays, Numbers
from ...cells import Layer
from ...layers import BatchNorm, Conv1D, Stack
from ..builder import Builder
from ..program import Vector

# In front x is weighed before it is centred, and the past begins with -c / a.  Of sums up to so many deviations, and
# where that is so many from the mean, 4 bits are lost, of larger ones more.
FARTHEST = 16.0


class Item(NamedTuple):
    """A layer with its name, parameters, buffers and part of the state, as its lowering takes them."""

    layer: Layer
    name: str
    p: Arrays
    buffers: Arrays
    state: Vector


def items(stack: Stack, p: Arrays, buffers: Arrays, b: Builder, state: Vector) -> list[Item]:
    """The layers of a stack that are left; ``b`` is told which states are others than the model's."""
    found: list[Item] = []
    for layer, prefix, where in zip(stack.layers, stack.prefixes, stack.states, strict=True):
        own = Item(layer, f"{prefix}{type(layer).__name__}", part(p, prefix), part(buffers, prefix), state[where])
        last = found[-1] if found else None
        if type(layer) is BatchNorm and last and type(last.layer) is Conv1D and last.layer.activation is None:
            found[-1] = last._replace(p=_behind(last.layer, last.p, *affine(layer, own.p, own.buffers)))
        elif type(layer) is Conv1D and last and type(last.layer) is BatchNorm:
            a, c = affine(last.layer, last.p, last.buffers)
            farthest = FARTHEST * np.minimum(np.abs(last.p["scale"]), 1)
            if np.all(a != 0) and np.all(np.abs(c) <= farthest):
                b.keeps(own.state[: layer.reach * layer.input_size], np.tile(a, layer.reach), np.tile(c, layer.reach))
                found[-1] = own._replace(p=_in_front(layer, own.p, a, c))
            else:
                found.append(own)
        else:
            found.append(own)
    return found


def affine(layer: BatchNorm, p: Arrays, buffers: Arrays) -> tuple[Numbers, Numbers]:
    """a and c of a x + c, (I,) each."""
    a = p["scale"] / np.sqrt(buffers["variance"] + layer.epsilon)
    return a, p["shift"] - a * buffers["mean"]


def _behind(layer: Conv1D, p: Arrays, a: Numbers, c: Numbers) -> dict[str, Any]:
    return dict(p) | {"weight": p["weight"] * a, "bias": p["bias"] * a + c}


def _in_front(layer: Conv1D, p: Arrays, a: Numbers, c: Numbers) -> dict[str, Any]:
    if layer.separable:
        return dict(p) | {"taps": p["taps"] * a, "bias": p["bias"] + (p["taps"].sum(0) * c) @ p["weight"]}
    return dict(p) | {"weight": p["weight"] * a[:, None], "bias": p["bias"] + c @ p["weight"].sum(0)}
