"""Tables of numbers in the C text: `static const` arrays, each written once."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

WIDTH = 100  # characters of a line
BYTES = {"uint8_t": 1, "int8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4, "float": 4, "double": 8}


class Table(NamedTuple):
    """A `static const` array: its name, C type and elements as text."""

    name: str
    c_type: str
    elements: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return BYTES[self.c_type] * len(self.elements)

    @property
    def text(self) -> str:
        """The definition."""
        lines = textwrap.wrap(", ".join(self.elements), WIDTH - 4)
        body = "\n".join(f"    {line}" for line in lines)
        return f"static const {self.c_type} {self.name}[{len(self.elements)}] = {{\n{body}\n}};\n"


def index_type(largest: int) -> str:
    """The smallest C type for indices 0 .. ``largest``."""
    for c_type in ("uint8_t", "uint16_t"):
        if largest <= np.iinfo(c_type[:-2]).max:
            return c_type
    return "int32_t"  # loops count in int, and what they compare it with is as signed: smaller types become int


class Tables:
    """Collects tables; equal ones are one.

    Parameters
    ----------
    prefix : str
        What their names begin with.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._found: dict[tuple[str, tuple[str, ...]], Table] = {}

    def add(self, c_type: str, elements: Sequence[str], meaning: str) -> str:
        """The name of a table with these elements; ``meaning`` becomes a part of it."""
        key = c_type, tuple(elements)
        if key not in self._found:
            self._found[key] = Table(f"{self.prefix}_{meaning}_{len(self._found)}", *key)
        return self._found[key].name

    def indices(self, values: np.ndarray | Sequence[int], meaning: str) -> str:
        """The name of a table of indices, in the smallest type."""
        return self.add(index_type(int(np.max(values))), [str(int(value)) for value in values], meaning)

    @property
    def text(self) -> str:
        """All definitions."""
        return "\n".join(table.text for table in self._found.values())

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(table.size for table in self._found.values())

    @property
    def needs_stdint(self) -> bool:
        """Whether there are types of stdint.h among theirs."""
        return any(table.c_type.endswith("_t") for table in self._found.values())
