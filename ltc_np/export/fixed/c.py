"""Integers of 32 bits in C: what the writer of `ltc_np.export.c` asks an arithmetic for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...base import checks
from ..c.arithmetic import Scope, Sum
from ..c.templates import filled
from ..program import Constant, Expr, Linear, Number, Synapses, Total, Vector, of_kind
from .arithmetic import LOWEST
from .c_text import definitions, table_bytes
from .primitives import Integer
from .translate import FixedLinear, FixedSynapses, FixedTotal

# What is an operator of C between numbers of 64 bits.
SIGNS = {"add": "+", "subtract": "-"}
COMPARED = {"minimum": "<", "maximum": ">"}
CALLED = {"divide", "sqrt", "sigmoid", "tanh", "normal_cdf", "exp", "relaxed", "sin", "cos"}


INTERFACE = """\

/* An integer at x stands for itself times 2**-@NAME_X_PLACES; the others likewise. */
@places

#ifdef @NAME_REAL
/* Conversions, for callers that have real numbers: to the nearest integer, and what is too large to the largest. */
static inline int32_t @name_nearest(double v)
{
    v += v < 0 ? -0.5 : 0.5;
    return v > -2147483648.0 ? (v < 2147483647.0 ? (int32_t)v : INT32_MAX) : INT32_MIN;
}
@conversions#endif
"""
FROM_REAL = """
static inline int32_t @name_@variable_from_real(double v)
{
    return @name_nearest(v * @factor);
}
"""
TO_REAL = """
static inline double @name_y_to_real(int32_t y)
{
    return (double)y * @factor;
}
"""
TARGET_FROM_REAL = """
/* What is no number becomes INT32_MIN: a target that is not known. */
static inline int32_t @name_target_from_real(double v)
{
    const int32_t whole = @name_nearest(v * @factor);
    return v == v && whole < -INT32_MAX ? -INT32_MAX : whole;
}
"""
CONVERSIONS = {"x": FROM_REAL, "dt": FROM_REAL, "y": TO_REAL, "target": TARGET_FROM_REAL}


class Fixed:
    """`ltc_np.export.c.arithmetic.Arithmetic` of an integer program.

    Parameters
    ----------
    name : str
        What all names begin with.
    places : dict
        Binary places of those of "x", "dt", "y" and "target" that there are.
    """

    c_type = "int32_t"

    def __init__(self, name: str, places: Mapping[str, int]) -> None:
        self._name, self._places = name, places
        self._called: set[str] = set()

    @property
    def described(self) -> str:
        """What the head of the files says about numbers."""
        return "Numbers are integers of 32 bits times a power of 2."

    def literals(self, owner: object, values: np.ndarray) -> tuple[str, Sequence[str]]:
        """Tables have 16 bits where that is enough."""
        small = np.abs(values).max(initial=0) < 2**15
        return "int16_t" if small else "int32_t", [_literal(int(value)) for value in values.ravel()]

    def value(self, expr: Expr, i: str, scope: Scope) -> str:
        if isinstance(expr, Number):
            return f"({_literal(int(expr.value))})" if expr.value < 0 else _literal(int(expr.value))
        if isinstance(expr, Constant):
            return scope.table(expr, expr.values, expr.name, i)
        if isinstance(expr, Vector):
            return scope.element(expr, i)
        expr = of_kind(expr, Integer)
        a, *others = (self.value(argument, i, scope) for argument in expr.arguments)
        n = expr.constants
        if expr.operation in CALLED:
            return self.call(expr.operation, a, *others, *map(str, n))
        wide = f"(int64_t){a}"
        if expr.operation == "rescale":
            text = self.rescaled(a, n[0])
        elif expr.operation in SIGNS:
            left, right = self.rescaled(a, n[0]), self.rescaled(others[0], n[1])
            text = self.rescaled(f"(int64_t){left} {SIGNS[expr.operation]} {right}", n[2])
        elif expr.operation == "multiply":
            text = self.rescaled(f"{wide} * {others[0]}", n[0])
        elif expr.operation == "negative":
            text = self.rescaled(f"-{wide}", n[0])
        elif expr.operation == "absolute":
            text = self.rescaled(f"{a} < 0 ? -{wide} : {a}", n[0])
        elif expr.operation in COMPARED:
            left, right = self.rescaled(a, n[0]), self.rescaled(others[0], n[1])
            text = f"{left} {COMPARED[expr.operation]} {right} ? {left} : {right}"
        else:
            checks.must_know(__name__, "operation", expr.operation, ("select",))
            text = f"{a} > 0 ? {self.rescaled(others[0], n[0])} : {self.rescaled(others[1], n[1])}"
        return self.call("saturated", text)

    def linear_sum(self, statement: Linear, bias: str) -> Sum:
        assert isinstance(statement, FixedLinear)
        added = "" if bias == "0" else f" + {self.rescaled(bias, statement.bias_shift)}"
        return self._sum(statement.shift, added)

    def linear_term(self, statement: Linear, weight: str, i: str, scope: Scope) -> str:
        return f"(int64_t){weight} * {self.value(statement.source, i, scope)}"

    def synapse_sum(self, statement: Synapses, which: str, n: str, scope: Scope) -> Sum:
        start = self.value(getattr(statement, f"{which}_start"), n, scope)
        return self._sum(getattr(statement, f"{which}_shift"), "" if start == "0" else f" + {start}")

    def synapse_sigmoid(self, statement: Synapses, sigma: str, mu: str, i: str, scope: Scope) -> tuple[str, str]:
        assert isinstance(statement, FixedSynapses)
        source = self.value(statement.source, i, scope)
        if statement.source_shift:
            source = self.call("saturated", self.rescaled(source, statement.source_shift))
        difference = self.call("saturated", f"(int64_t){source} - {mu}")
        argument = self.rescaled(f"(int64_t){sigma} * {difference}", statement.argument_shift)
        return "int32_t", self.call("sigmoid", self.call("saturated", argument))

    def synapse_term(self, weight: str, s: str) -> str:
        return f"(int64_t){weight} * {s}"

    def total_sum(self, statement: Total) -> Sum:
        assert isinstance(statement, FixedTotal)
        return self._sum(statement.shift, "")

    def total_term(self, statement: Total, i: str, scope: Scope) -> str:
        return self.value(statement.value, i, scope)

    def interface(self, name: str) -> str:
        values = {"name": name, "NAME": name.upper()}
        macros = [f"#define {name.upper()}_{each.upper()}_PLACES {n}" for each, n in self._places.items()]
        conversions = []
        for variable, n in self._places.items():
            factor = repr(2.0 ** (-n if variable == "y" else n))
            conversions.append(filled(CONVERSIONS[variable], values | {"variable": variable, "factor": factor}))
        return filled(INTERFACE, values | {"places": "\n".join(macros), "conversions": "".join(conversions)})

    def from_real(self, name: str, variable: str, text: str) -> str:
        return f"{name}_{variable}_from_real({text})"

    def to_real(self, name: str, text: str) -> str:
        return f"{name}_y_to_real({text})"

    def header_includes(self) -> Sequence[str]:
        return ["<stdint.h>"]

    def includes(self) -> Sequence[str]:
        return []

    def functions(self, name: str) -> str:
        return definitions(self._called, name)

    @property
    def table_bytes(self) -> int:
        """Of the tables of functions that the text calls."""
        return table_bytes(self._called, self._name)

    def _sum(self, shift: int, added: str) -> Sum:
        return Sum("int64_t", "0", self.call("saturated", f"{self.rescaled('{sum}', shift)}{added}"))

    def rescaled(self, text: str, n: int) -> str:
        """What `ltc_np.export.fixed.arithmetic.rescaled` gives."""
        if n == 0:
            return text
        return self.call("right" if n > 0 else "left", text, str(abs(n)))

    def call(self, function: str, *arguments: str) -> str:
        """A call of one of `ltc_np.export.fixed.c_text`."""
        self._called.add(function)
        return f"{self._name}_{function}({', '.join(arguments)})"


def _literal(value: int) -> str:
    """C has no literal of the lowest number."""
    return "INT32_MIN" if value == LOWEST else str(value)
