"""Layers without a state behind a recurrent one, over single steps of n streams, with their adjoint."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..base.types import Array, Float
from ..base.workspace import Fresh, Workspace
from ..layers import Dense, Standardize
from ..model import Model
from ..network.sequences import Sequences


class Head(Protocol):
    """What `head_of` gives."""

    def prepare(self, theta: Array) -> None:
        """Take the raw parameters (P,) of the layers."""

    def forward(self, f: Array) -> Array:
        """Outputs (n, O) of features (n, F)."""
        ...

    def backward(self, f: Array, d_y: Array) -> tuple[Array, Array]:
        """Adjoint of `forward`: of the parameters, summed over the streams, and of the features."""
        ...


def head_of(network: Model | None) -> Head:
    """The `Head` of some layers; None is none."""
    if network is None:
        return NoHead()
    dense, *others = network.layers
    # Of these alone: what is derived from them may compute something else.
    inverse = all(type(layer) is Standardize and layer.inverse for layer in others)
    if type(dense) is Dense and dense.activation is None and len(others) < 2 and inverse:
        return LinearHead(network)
    return AnyHead(network)


class NoHead:
    """The identity."""

    def arrays(self, dtype: Float) -> tuple[Array, Array, Array]:
        """What `LinearHead.arrays` has, empty."""
        nothing = np.empty(0, dtype)
        return nothing.reshape(0, 0), nothing, nothing

    def prepare(self, theta: Array) -> None:
        pass

    def forward(self, f: Array) -> Array:
        return f

    def backward(self, f: Array, d_y: Array) -> tuple[Array, Array]:
        return np.empty(0, f.dtype), d_y


class LinearHead:
    """A `Dense` without an activation, and ``Standardize(inverse=True)`` behind it or not: products with [f, 1].

    In the layout of a `Dense` the bias follows the weights (F, O) like one more row of them.
    """

    def __init__(self, network: Model) -> None:
        (F, O), dtype = (network.input_size, network.output_size), network.dtype
        self._scaled = len(network.layers) == 2
        self._scale, self._mean = (
            network.buffers[f"1.{name}"].copy() if self._scaled else np.empty(0, dtype) for name in ("scale", "mean")
        )
        self._weights, self._f = np.empty((F + 1, O), dtype), np.ones((0, F + 1), dtype)
        self._to_features = self._weights[:-1].T

    def prepare(self, theta: Array) -> None:
        self._weights[:] = theta.reshape(self._weights.shape)
        if self._scaled:
            self._weights *= self._scale
            self._weights[-1] += self._mean

    def arrays(self, dtype: Float) -> tuple[Array, Array, Array]:
        """Weights (F + 1, O), in which the outputs' scale and mean (O,) are contained, and these, (0,) for none."""
        return self._weights, self._scale, self._mean

    def _with_one(self, f: Array) -> Array:
        if len(self._f) != len(f):
            self._f = np.ones((len(f), len(self._weights)), f.dtype)
        self._f[:, :-1] = f
        return self._f

    def forward(self, f: Array) -> Array:
        return self._with_one(f) @ self._weights

    def backward(self, f: Array, d_y: Array) -> tuple[Array, Array]:
        d_f = d_y @ self._to_features
        if self._scaled:
            d_y = d_y * self._scale
        f = self._with_one(f)
        d_weights = f[0, :, None] * d_y[0] if len(f) == 1 else f.T @ d_y
        return d_weights.reshape(-1), d_f


class AnyHead:
    """By the layers' own passes."""

    def __init__(self, network: Model) -> None:
        self._network, self._workspace = network, Workspace()

    def prepare(self, theta: Array) -> None:
        self._network.theta[:] = theta
        self._prepared = self._network.engine.prepare(Fresh())

    def _run(self, f: Array) -> tuple[Array, Any]:
        n, dtype = len(f), f.dtype
        given = Sequences(f[:, None], np.ones((n, 1), dtype), np.ones(n, np.int64), None, np.zeros((n, 0), dtype))
        y, _, saved = self._network.engine.forward(self._prepared, given, "full", Fresh())
        return y[:, 0], saved

    def forward(self, f: Array) -> Array:
        return self._run(f)[0]

    def backward(self, f: Array, d_y: Array) -> tuple[Array, Array]:
        engine, (_, saved), d_h = self._network.engine, self._run(f), np.zeros((len(f), 0), f.dtype)
        found = engine.backward(self._prepared, saved, None, d_y[:, None].copy(), d_h, True, False, self._workspace)
        if found.x is None:
            raise ValueError(
                f"backward of layer {self._network.layers[0]!r} must return d_x where it is wanted, got None"
            )
        return found.theta, found.x[:, 0].copy()
