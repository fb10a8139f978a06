"""Q formats: how many binary places the numbers of each variable have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..program import Apply, Expr, Map, Program, Vector, reads, statements, targets
from .arithmetic import HIGHEST
from .ranges import Ranges

FEWEST, MOST = -24, 60  # binary places: shifts between two formats stay within what 64 bits can do


def places_for(largest: float, bits: int = 31) -> int:
    """Most binary places with which numbers up to ``largest`` fit into ``bits`` bits and a sign."""
    if largest == 0:
        return bits - 1
    highest = HIGHEST >> (31 - bits)
    # Of a value that is thrown away it may be infinite; a tiny one would be too small to divide by.
    largest = min(max(largest, 2.0**-MOST), 2.0 ** (bits - FEWEST))
    places = math.floor(math.log2(highest / largest))
    while round(largest * 2.0**places) > highest:  # the logarithm was rounded
        places -= 1
    return max(FEWEST, min(places, MOST))


class Format(NamedTuple):
    """The format of some elements of a variable.

    Attributes
    ----------
    name : str
    elements : tuple of (start, stop)
    largest : float
        The largest magnitude on the calibration data.
    places : int
        Binary places: a number is an integer of 32 bits times 2**-places.
    """

    name: str
    elements: tuple[tuple[int, int], ...]
    largest: float
    places: int

    @property
    def limit(self) -> float:
        """The largest magnitude that fits."""
        return 2.0 ** (31 - self.places)


class Formats:
    """Binary places of all variables.

    Elements that are read or set together have one format.  Whatever a state becomes, but for what is added, has the
    state's format, too, so that state + 0 is the state, bit by bit.

    Parameters
    ----------
    program : Program
    ranges : Ranges
    headroom : float
        How many times larger than on the calibration data numbers may be.
    """

    def __init__(self, program: Program, ranges: Ranges, headroom: float) -> None:
        sizes = program.variables
        self._first = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
        self._group = np.arange(sum(sizes.values()))
        for name in ("x", "dt", "y"):
            if sizes[name]:
                self._join(Vector(name, 0, sizes[name]))
        chains = []
        for stage in program.stages:
            for statement, _ in statements(stage.statements):
                for vector in (*targets(statement), *reads(statement)):
                    self._join(vector)
                if isinstance(statement, Map):
                    chains += [(statement.target, term) for term in _terms(statement.value)]
        self._join_chains(chains, Vector("state", 0, sizes["state"]))
        largest = np.concatenate([ranges.elements[name] for name in sizes])
        self._places = np.zeros(len(self._group), int)
        self._largest = np.zeros(len(self._group))
        for group in np.unique(self._group):
            here = self._group == group
            self._largest[here] = largest[here].max()
            self._places[here] = places_for(largest[here].max() * headroom)
        self._sizes = sizes

    def _where(self, vector: Vector) -> slice:
        first = int(self._first[vector.name]) + vector.start
        return slice(first, first + vector.size)

    def _join(self, *vectors: Vector) -> None:
        """One group of the groups of all their elements."""
        members = np.unique(np.concatenate([self._group[self._where(vector)] for vector in vectors]))
        self._group[np.isin(self._group, members)] = members[0]

    def _join_chains(self, chains: list[tuple[Vector, Vector]], state: Vector) -> None:
        carried = np.zeros(len(self._group), bool)
        carried[self._where(state)] = True
        changed = True
        while changed:
            changed = False
            carried = np.isin(self._group, self._group[carried])
            for target, term in chains:
                both = self._where(target), self._where(term)
                if carried[both[0]].any():
                    groups = {*self._group[both[0]], *self._group[both[1]]}
                    if len(groups) > 1:
                        self._join(target, term)
                        changed = True

    def of(self, vector: Vector) -> int:
        """Binary places of a variable, or of a part of one whose elements have one format."""
        return int(self._places[self._where(vector)][0])

    def elements(self, name: str) -> np.ndarray:
        """Binary places of each element of a variable."""
        return self._places[self._where(Vector(name, 0, self._sizes[name]))]

    def listed(self) -> Iterator[Format]:
        """All formats, by variable."""
        for name, size in self._sizes.items():
            where = self._where(Vector(name, 0, size))
            for group in dict.fromkeys(self._group[where]):
                here = np.flatnonzero(self._group[where] == group)
                runs = np.split(here, np.flatnonzero(np.diff(here) > 1) + 1)
                first = where.start + here[0]
                elements = tuple((int(run[0]), int(run[-1]) + 1) for run in runs)
                yield Format(name, elements, float(self._largest[first]), int(self._places[first]))


def _terms(expr: Expr) -> Iterator[Vector]:
    """Variables that an expression is equal to, but for what is added to them, in some case."""
    if isinstance(expr, Vector):
        yield expr
    elif isinstance(expr, Apply):
        of = {"add": slice(0, 2), "subtract": slice(0, 1), "select": slice(1, 3)}
        of |= dict.fromkeys(("minimum", "maximum"), slice(0, 2))
        for argument in expr.arguments[of.get(expr.operation, slice(0))]:
            yield from _terms(argument)
