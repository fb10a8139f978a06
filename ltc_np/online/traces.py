"""What follows one recurrent layer along one stream, with the derivatives of its state by its parameters."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping

from ..base.types import Array, Arrays, Float, Shape
from ..base.workspace import aligned

LINE = 64  # bytes of a cache line: arrays begin with one


class Traces(abc.ABC):
    """The state of one recurrent layer along one stream, and the derivatives of that state by the layer's parameters.

    Attributes
    ----------
    arrays : dict
        All that is kept between steps, by name: ``"state"`` (K,), as the layer's own step has it, and the
        sensitivities, each of which is 0 at the start.  Learners copy them into files and back, in place.
    whole : array
        Flat, of which ``arrays`` are parts, with zeros between them: what is copied and looked at in one go.
    """

    arrays: Arrays
    whole: Array

    def hold(self, shapes: Mapping[str, Shape], dtype: Float) -> None:
        """Make ``arrays`` of these shapes."""
        per_line = LINE // dtype.itemsize
        sizes = [-(-math.prod(shape) // per_line) * per_line for shape in shapes.values()]
        self.whole, self.arrays, at = aligned(sum(sizes), dtype), {}, 0
        self.whole.fill(0)
        for (name, shape), size in zip(shapes.items(), sizes, strict=True):
            self.arrays[name] = self.whole[at : at + math.prod(shape)].reshape(shape)
            at += size

    @abc.abstractmethod
    def prepare(self, theta: Array) -> None:
        """Take the layer's raw parameters (P,), flat as in its `Layout`: at the start, and whenever they changed."""

    @abc.abstractmethod
    def advance(self, x: Array, dt: float) -> Array:
        """One step with inputs x (I,), which are checked; returns the layer's output (O,)."""

    @abc.abstractmethod
    def gradient(self, d_y: Array) -> Array:
        """The derivative (P,) by the raw parameters of d_y . y, with y (O,) the last output: as the method has it."""

    @abc.abstractmethod
    def reset(self) -> None:
        """State at the start (the layer's initial state), no sensitivities."""
