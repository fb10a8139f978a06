"""Arrays that one caller reuses from call to call."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .layout import Layout
from .types import Numbers, Shape


def aligned(size: int, dtype: np.dtype[Any]) -> Numbers:
    """An uninitialised flat array that begins at a multiple of 64 bytes: no vector straddles cache lines."""
    room = np.empty(size * dtype.itemsize + 64, np.uint8)
    skip = -room.__array_interface__["data"][0] % 64
    return room[skip : skip + size * dtype.itemsize].view(dtype)


def arrays(dtype: np.dtype[Any], **shapes: Shape) -> SimpleNamespace:
    """Uninitialised arrays of these shapes, as attributes by name; for `Workspace.kept`."""
    return SimpleNamespace(**{name: aligned(math.prod(shape), dtype).reshape(shape) for name, shape in shapes.items()})


class Workspace:
    """Arrays that one caller reuses from call to call (a training loop, a stream); never shared between threads."""

    keeps: bool = True

    def __init__(self) -> None:
        self._arrays, self._kept = {}, {}

    def array(self, name: Hashable, size: int, dtype: np.dtype[Any]) -> Numbers:
        """An uninitialised flat array; the next call with this name may hand out the same memory."""
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = aligned(size, dtype)
        return held if held.size == size else held[:size]

    def views(self, name: Hashable, layout: Layout, dtype: np.dtype[Any]) -> tuple[Numbers, dict[str, Numbers]]:
        """An uninitialised vector of a layout, and its named arrays in a dict."""
        held = self._arrays.get(name)
        if held is None:
            vector = np.empty(layout.size, dtype)
            held = self._arrays[name] = vector, layout.arrays(vector)
        return held

    def kept(self, name: Hashable, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make()`` returned when this name last came with this key: arrays that fit one shape of call."""
        held = self._kept.get(name)
        if held is None or held[0] != key:
            held = self._kept[name] = key, make()
        return held[1]

    def child(self, key: Hashable) -> Workspace:
        """The workspace of one layer of a stack."""
        held = self._arrays.get(key)
        if held is None:
            held = self._arrays[key] = Workspace()
        return held


class Fresh(Workspace):
    """A workspace that keeps nothing: every array is new."""

    keeps = False

    def array(self, name: Hashable, size: int, dtype: np.dtype[Any]) -> Numbers:
        return aligned(size, dtype)

    def views(self, name: Hashable, layout: Layout, dtype: np.dtype[Any]) -> tuple[Numbers, dict[str, Numbers]]:
        vector = np.empty(layout.size, dtype)
        return vector, layout.arrays(vector)

    def kept(self, name: Hashable, key: Hashable, make: Callable[[], Any]) -> Any:
        return make()

    def child(self, key: Hashable) -> Workspace:
        return self
