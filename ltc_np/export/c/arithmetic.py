"""What depends on the type of numbers in the C text: the interface between the writer and `floats` or a fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..program import Expr, Linear, Synapses, Total, Vector


class Scope(Protocol):
    """What the writer knows and an arithmetic asks for."""

    name: str

    def element(self, vector: Vector, i: str) -> str:
        """The C text of element ``i`` (an index expression in C) of a variable."""
        ...

    def table(self, owner: object, values: np.ndarray, meaning: str, i: str) -> str:
        """The C text of element ``i`` of a table of ``values``; a literal where ``i`` is a number.

        ``owner`` is handed to `Arithmetic.literals`: a `Constant`, or (statement, name of its field).
        """
        ...


class Sum(NamedTuple):
    """A sum in C: the type of its variable, its first value, and what is done behind the last term.

    ``end`` is an expression of `{sum}`, which the writer replaces by the variable's name.
    """

    c_type: str
    start: str
    end: str


class Arithmetic(Protocol):
    """The type of numbers and what is done with them.

    Attributes
    ----------
    c_type : str
        Of x, dt, the state, y and temporary variables.
    described : str
        What the head of the files says about numbers, in a sentence.
    """

    c_type: str

    @property
    def described(self) -> str: ...

    @property
    def table_bytes(self) -> int:
        """Of the tables in `functions`."""
        ...

    def literals(self, owner: object, values: np.ndarray) -> tuple[str, Sequence[str]]:
        """The C type of a table and its elements as text.

        ``owner`` is a `Constant`, (statement, name of its field), "start" for the first state, or the name of a
        variable, "x", "dt" or "y", for golden vectors.
        """
        ...

    def value(self, expr: Expr, i: str, scope: Scope) -> str:
        """Element ``i`` of an expression."""
        ...

    def linear_sum(self, statement: Linear, bias: str) -> Sum:
        """The sum of a row, which begins with ``bias``, an element of the owner (statement, "bias")."""
        ...

    def linear_term(self, statement: Linear, weight: str, i: str, scope: Scope) -> str:
        """weight * source[i], what is added to that sum."""
        ...

    def synapse_sum(self, statement: Synapses, which: str, n: str, scope: Scope) -> Sum:
        """The sum ``which`` ("first" or "second") of neuron ``n``."""
        ...

    def synapse_sigmoid(self, statement: Synapses, sigma: str, mu: str, i: str, scope: Scope) -> tuple[str, str]:
        """C type and text of sigmoid(sigma * (source[i] - mu))."""
        ...

    def synapse_term(self, weight: str, s: str) -> str:
        """weight * s, what is added to a sum; ``s`` names the variable that holds the sigmoid."""
        ...

    def total_sum(self, statement: Total) -> Sum:
        """The sum of all elements."""
        ...

    def total_term(self, statement: Total, i: str, scope: Scope) -> str:
        """Element ``i``, which is added to that sum."""
        ...

    def interface(self, name: str) -> str:
        """What a caller must know of the numbers, in NAME.h behind its other constants."""
        ...

    def from_real(self, name: str, variable: str, text: str) -> str:
        """A number of C, ``text``, as one of the variable "x" or "dt", in the sketch."""
        ...

    def to_real(self, name: str, text: str) -> str:
        """An element of "y" as a number that can be printed, in the sketch."""
        ...

    def header_includes(self) -> Sequence[str]:
        """What NAME.h includes, as `"<stdint.h>"`."""
        ...

    def includes(self) -> Sequence[str]:
        """What NAME.c includes for what the text written so far calls; for tables of indices the writer does."""
        ...

    def functions(self, name: str) -> str:
        """Definitions of what the text written so far calls, beginning with ``name``."""
        ...
