"""What kernels are called with, and what they work in.

A kernel takes plain tuples and gives their elements names at its top: Numba needs 3 microseconds more to read the named
tuples of a call than plain ones (docs/decisions/kernels.md).
"""

from typing import NamedTuple

import numpy as np

from .jit import helper


class Sequences(NamedTuple):
    """x (B, T, I), dt (B, T), steps (B,) valid steps."""

    x: np.ndarray
    dt: np.ndarray
    steps: np.ndarray


class Results(NamedTuple):
    """out (B, T, O), h_last (B, N)."""

    out: np.ndarray
    h_last: np.ndarray


class Adjoints(NamedTuple):
    """Those of the results: d_out (B, T, O), d_h (B, N)."""

    d_out: np.ndarray
    d_h: np.ndarray


class Gradients(NamedTuple):
    """rows (R, -) float64, the parameters' in R parts; d_x (B, T, I), d_h0 (B, N), d_dt (B, T), or empty."""

    rows: np.ndarray
    d_x: np.ndarray
    d_h0: np.ndarray
    d_dt: np.ndarray


class Kept(NamedTuple):
    """What synaptic cells keep for the backward pass: (rows, N) or (rows, N, lanes), tile after tile, flat.

    "full": T*K + 1 states, before each stage and the last, and T*K times the rates (KEPT, N), what a cell keeps of each
    stage beside: the LTC's conductance Q, or `lrc_neuron.KEPT` numbers.  "low": T states, before each step.
    sigmoids: of short neuron-major calls T*K times (S, lanes with padding), of the LTC's recurrent synapses in order
    of (post, pre); else empty.
    """

    states: np.ndarray
    rates: np.ndarray
    sigmoids: np.ndarray


class Stage(NamedTuple):
    """A stage of a solver: its number, the states before the unfold, before and after it; rates, sigmoids, or empty."""

    number: int
    base: np.ndarray
    v: np.ndarray
    new: np.ndarray
    rates: np.ndarray
    sigmoids: np.ndarray


@helper
def cut(rest, size):
    """The first numbers of an array, and the rest."""
    return rest[:size], rest[size:]


def scratch(workspace, workers, sizes, dtype):
    """A row of that many numbers for each thread, on cache lines of its own."""
    size = -(-sum(sizes) // 64) * 64
    return workspace.array("scratch", workers * size, dtype).reshape(workers, size)


def of_mapping(mapping, side, p):
    """w and b of a feature-wise mapping among named arrays, empty where it has none."""
    if mapping is None:
        return (next(iter(p.values())).reshape(-1)[:0],) * 2
    w = p[f"{side}_w"]
    return w, p[f"{side}_b"] if mapping == "affine" else w[:0]
