"""Functions as cubic polynomials on short pieces: the tables of fixed point.

A piece has four coefficients with 30 binary places, of powers of t = 0 .. 1 within the piece.  The first one is the
function's value where the piece begins, rounded, so that what is exact there (exp(0) = 1, cos(0) = 1) stays so; the
polynomial also goes through the values at 1/4, 3/4 and the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...base.activations import normal_cdf, sigmoid
from ...base.types import Numbers
from ..operations import relaxed

ONE_BITS = 30  # binary places of the values of all functions
ONE = 1 << ONE_BITS
PART_BITS = 31  # binary places of t
NODES = np.array([0, 0.25, 0.75, 1])


class Pieces(NamedTuple):
    """So many pieces of one width, 2**log_width, from ``start`` on."""

    start: float
    log_width: int
    number: int


class Curve(NamedTuple):
    """A function, and the pieces on which it is a table, from 0 on without gaps.

    Attributes
    ----------
    function : callable
    runs : tuple of Pieces
    """

    function: Callable[[np.ndarray], np.ndarray]
    runs: tuple[Pieces, ...]


def _sine(turn: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * turn)


CURVES = {
    # Of |z|: wider pieces where the function is nearly flat.
    "sigmoid": Curve(sigmoid, (Pieces(0, -3, 32), Pieces(4, -2, 16), Pieces(8, -1, 16), Pieces(16, 2, 4))),
    "normal_cdf": Curve(normal_cdf, (Pieces(0, -3, 48), Pieces(6, 0, 2))),
    # 2**(t - 1), which stays below 1 for t < 1.
    "power": Curve(lambda t: np.exp2(t - 1), (Pieces(0, -4, 16),)),
    "relaxed": Curve(relaxed, (Pieces(0, -3, 8),)),
    # A quarter of a turn, and the value at its end.
    "sine": Curve(_sine, (Pieces(0, -7, 32),)),
}


@functools.cache
def table(name: str) -> Numbers:
    """The coefficients of a curve, (pieces, 4) int64 within 32 bits, the constant ones first."""
    function, runs = CURVES[name]
    rows = []
    inverse = np.linalg.inv(np.vander(NODES, increasing=True))
    for run in runs:
        width = 2.0**run.log_width
        starts = run.start + width * np.arange(run.number)
        values = function(starts[:, None] + width * NODES)
        rows.append(values @ inverse.T)
    found = np.rint(np.concatenate(rows) * ONE).astype(np.int64)
    found.setflags(write=False)
    return found


def bits_of_width(name: str, run: int, places: int) -> int:
    """How many low bits of an argument with ``places`` binary places say where in a piece of a run it is."""
    return places + CURVES[name].runs[run].log_width


def on_piece(name: str, piece: Numbers, t: Numbers) -> Numbers:
    """The polynomial of each ``piece`` at t, which has 31 binary places."""
    c = table(name)[piece]
    half = 1 << (PART_BITS - 1)
    value = c[..., 3]
    for k in (2, 1, 0):
        value = c[..., k] + ((value * t + half) >> PART_BITS)
    return value
