"""Indented lines of C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Lines:
    """A text that grows line by line."""

    def __init__(self, depth: int = 1) -> None:
        self.depth, self._lines = depth, list[str]()

    def add(self, *lines: str) -> None:
        """Lines at the present depth."""
        self._lines += [("    " * self.depth + line).rstrip() for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head {``, what is added inside, ``}``."""
        self.add(f"{head} {{")
        self.depth += 1
        yield
        self.depth -= 1
        self.add("}")

    @property
    def text(self) -> str:
        """All lines."""
        return "".join(f"{line}\n" for line in self._lines)
