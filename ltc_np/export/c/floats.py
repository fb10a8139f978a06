"""float and double: expressions and sums as C writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..program import Apply, Constant, Expr, Linear, Number, Synapses, Total, Vector, of_kind
from .arithmetic import Scope, Sum
from .functions import Functions

# C's operators: the text, and how strongly it binds.
OPERATORS = {"add": ("+", 1), "subtract": ("-", 1), "multiply": ("*", 2), "divide": ("/", 2)}
UNARY, PRIMARY = 3, 4


class Floats:
    """`Arithmetic` of float or double.

    Parameters
    ----------
    c_type : "float" or "double"
    libm : bool
        Whether functions are those of math.h; else they are written into the text.
    """

    def __init__(self, c_type: Literal["float", "double"], libm: bool) -> None:
        self.c_type: str = c_type
        self.dtype: np.dtype[Any] = np.dtype({"float": np.float32, "double": np.float64}[c_type])
        self.used: Functions = Functions(c_type, libm)

    table_bytes = 0

    @property
    def described(self) -> str:
        """What the head of the files says about numbers."""
        functions = "those of math.h" if self.used.libm else "in the file"
        return f"Numbers are {self.c_type}, functions {functions}."

    def literal(self, value: float) -> str:
        """A number, such that C reads the same bits."""
        with np.errstate(over="ignore"):
            number = float(self.dtype.type(value))
        if not np.isfinite(number):
            raise ValueError(f"`model` must have numbers that {self.c_type} can hold, got {value!r}")
        write = np.format_float_scientific if _is_long(number) else np.format_float_positional
        text = write(self.dtype.type(number), trim="0")
        return f"{text}f" if self.c_type == "float" else text

    def literals(self, owner: object, values: np.ndarray) -> tuple[str, Sequence[str]]:
        return self.c_type, [self.literal(value) for value in values.ravel()]

    def value(self, expr: Expr, i: str, scope: Scope) -> str:
        return self._text(expr, i, scope)[0]

    def _text(self, expr: Expr, i: str, scope: Scope) -> tuple[str, int]:
        """Element i of an expression, and how strongly what holds it together binds."""
        if isinstance(expr, Number):
            text = self.literal(expr.value)
            return text, UNARY if text.startswith("-") else PRIMARY
        if isinstance(expr, Constant):
            return scope.table(expr, expr.values, expr.name, i), PRIMARY
        if isinstance(expr, Vector):
            return scope.element(expr, i), PRIMARY
        applied = of_kind(expr, Apply)
        parts = [self._text(argument, i, scope) for argument in applied.arguments]
        if applied.operation in OPERATORS:
            sign, level = OPERATORS[applied.operation]
            left, right = (_bound(*part, least) for part, least in zip(parts, (level, level + 1), strict=True))
            return f"{left} {sign} {right}", level
        if applied.operation == "negative":
            return f"-{_bound(*parts[0], PRIMARY)}", UNARY
        return self.used.call(applied.operation, scope.name, *(text for text, _ in parts)), PRIMARY

    def linear_sum(self, statement: Linear, bias: str) -> Sum:
        return Sum(self.c_type, bias, "{sum}")

    def linear_term(self, statement: Linear, weight: str, i: str, scope: Scope) -> str:
        return f"{weight} * {_bound(*self._text(statement.source, i, scope), UNARY)}"

    def synapse_sum(self, statement: Synapses, which: str, n: str, scope: Scope) -> Sum:
        return Sum(self.c_type, self.value(getattr(statement, f"{which}_start"), n, scope), "{sum}")

    def synapse_sigmoid(self, statement: Synapses, sigma: str, mu: str, i: str, scope: Scope) -> tuple[str, str]:
        source = _bound(*self._text(statement.source, i, scope), 1)
        mu = f"({mu})" if mu.startswith("-") else mu
        return self.c_type, self.used.call("sigmoid", scope.name, f"{sigma} * ({source} - {mu})")

    def synapse_term(self, weight: str, s: str) -> str:
        return f"{weight} * {s}"

    def total_sum(self, statement: Total) -> Sum:
        return Sum(self.c_type, self.literal(0.0), "{sum}")

    def total_term(self, statement: Total, i: str, scope: Scope) -> str:
        return self.value(statement.value, i, scope)

    def interface(self, name: str) -> str:
        return ""

    def from_real(self, name: str, variable: str, text: str) -> str:
        return text

    def to_real(self, name: str, text: str) -> str:
        return text

    def header_includes(self) -> Sequence[str]:
        return []

    def includes(self) -> Sequence[str]:
        return self.used.includes()

    def functions(self, name: str) -> str:
        return self.used.text(name)


def _is_long(number: float) -> bool:
    """Whether a number is shorter with an exponent."""
    return number != 0 and not 1e-4 <= abs(number) < 1e7


def _bound(text: str, level: int, least: int) -> str:
    """A text, in parentheses where what is around it binds more strongly than ``least``."""
    return text if level >= least else f"({text})"
