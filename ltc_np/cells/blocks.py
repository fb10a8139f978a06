"""How cells cut sequences into blocks whose sums over inputs are one product; the number of threads has no say."""

from typing import NamedTuple

from ..base.types import Array, Ints
from ..kernels.codes import GRADIENT_ROWS


class Block(NamedTuple):
    """Some steps of some sequences, and where its part begins in an array that has the blocks one after the other."""

    first: int
    last: int
    begin: int
    end: int
    at: int

    @property
    def rows(self) -> int:
        return (self.last - self.first) * (self.end - self.begin)


def cuts(B: int, together: int) -> list[tuple[int, int]]:
    """(first, last) of the sequences that are worked on together, at least ``together`` where there are so many."""
    count = min(-(-B // together), GRADIENT_ROWS)
    return [(B * k // count, B * (k + 1) // count) for k in range(count)]


def widest(found: list[tuple[int, int]]) -> int:
    """Of how many sequences the largest part consists."""
    return max(last - first for first, last in found)


def blocks(cut: tuple[int, int], lengths: Ints, T: int, rows: int) -> list[Block]:
    """The blocks of some sequences, of about ``rows`` steps in all, up to the end of the longest."""
    (first, last), steps = cut, int(lengths[cut[0] : cut[1]].max())
    size, count = max(1, rows // (last - first)), last - first
    return [
        Block(first, last, begin, min(begin + size, steps), first * T + count * begin)
        for begin in range(0, steps, size)
    ]


def rows_of(array: Array, block: Block, width: int, at: int = 0) -> Array:
    """The (rows, width) array of a block, from row ``at`` of a flat one on."""
    return array[at * width : (at + block.rows) * width].reshape(block.rows, width)
