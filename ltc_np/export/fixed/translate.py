"""From a program of real numbers to one of integers: each expression gets a format, each operation its shifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...base import checks
from ...base.types import Numbers
from ..program import (
    Apply,
    Constant,
    Expr,
    Linear,
    Map,
    Number,
    Program,
    Repeat,
    Statement,
    Synapses,
    Total,
    Vector,
    of_kind,
)
from . import functions
from .arithmetic import integers, shift
from .curves import ONE_BITS
from .formats import Formats, places_for
from .primitives import integer
from .ranges import Ranges

LIFT = 30  # at most so many places finer than its result is a sum computed


@dataclass(frozen=True, eq=False)
class FixedLinear(Linear):
    """target = rescaled(weights @ source, shift) + rescaled(bias, bias_shift), integers; the sum has 64 bits, and
    cannot need more.  ``bias_shift`` is negative where the bias is too large for the format of the target, else 0."""

    shift: int
    bias_shift: int


@dataclass(frozen=True, eq=False)
class FixedSynapses(Synapses):
    """s = sigmoid(sigma * (source[pre] - mu)), and sums of 64 bits.

    Attributes
    ----------
    source_shift : int
        By which the source is shifted before mu is taken from it.
    argument_shift : int
        By which the product with sigma is shifted.
    first_shift, second_shift : int
        By which a sum is shifted before its start is added, which has the format of the result.
    """

    source_shift: int
    argument_shift: int
    first_shift: int
    second_shift: int


@dataclass(frozen=True, eq=False)
class FixedTotal(Total):
    """target[0] = the sum, of 64 bits, rescaled by ``shift``."""

    shift: int


class Value(NamedTuple):
    """An expression of integers, and its binary places."""

    expr: Expr
    places: int


class Translator:
    """Makes the integer program of a program.

    Parameters
    ----------
    program : Program
    ranges : Ranges
    formats : Formats
    headroom : float
        As that of ``formats``, for expressions.
    weight_bits : int
        Of the weights of matrices and synapses, without the sign.
    """

    def __init__(
        self, program: Program, ranges: Ranges, formats: Formats, headroom: float, weight_bits: int = 31
    ) -> None:
        self._ranges, self._formats, self._headroom, self._weight_bits = ranges, formats, headroom, weight_bits
        stages = tuple(
            stage._replace(statements=tuple(map(self._statement, stage.statements))) for stage in program.stages
        )
        self.program = program._replace(stages=stages, start=integers(program.start, formats.elements("state")))

    # ------------------------------------------------------------------------------------------------------- statements

    def _statement(self, statement: Statement) -> Statement:
        if isinstance(statement, Repeat):
            return Repeat(statement.count, tuple(map(self._statement, statement.body)))
        if isinstance(statement, Map):
            return Map(statement.target, self.at(statement.value, self._formats.of(statement.target)).expr)
        if isinstance(statement, Linear):
            return self._linear(statement)
        if isinstance(statement, Synapses):
            return self._synapses(statement)
        statement = of_kind(statement, Total)
        value = self.value(statement.value)
        places = self._formats.of(statement.target)
        return FixedTotal(statement.target, value.expr, shift(value.places - places))

    def _weights(self, weights: Numbers, sums: Numbers) -> Value:
        """Weights in the finest format in which the sums of their magnitudes, too, fit."""
        whole = places_for(float(np.max(sums, initial=0)))
        largest = float(np.abs(weights).max(initial=0))
        places = min(whole - 1, places_for(largest, self._weight_bits))  # 1: what rounding adds
        return Value(Constant(integers(weights, places), "weights"), places)

    def _linear(self, statement: Linear) -> FixedLinear:
        source, out = self.value(statement.source), self._formats.of(statement.target)
        weights = self._weights(statement.weights, np.abs(statement.weights).sum(1))
        assert isinstance(weights.expr, Constant)
        bias_places = min(out, places_for(float(np.abs(statement.bias).max(initial=0))))
        bias, shift_of_bias = integers(statement.bias, bias_places), shift(bias_places - out)
        places = weights.places + source.places
        return FixedLinear(statement.target, weights.expr.values, bias, source.expr, shift(places - out), shift_of_bias)

    def _synapses(self, synapses: Synapses) -> FixedSynapses:
        source = self.value(synapses.source)
        # Both terms fit, too.
        largest = self._ranges.of((synapses, "difference")) + float(np.abs(synapses.mu).max(initial=0))
        places = places_for(largest * self._headroom)
        sigma_places = places_for(float(np.abs(synapses.sigma).max(initial=0)), self._weight_bits)
        fields: dict[str, Any] = {
            "mu": integers(synapses.mu, places),
            "sigma": integers(synapses.sigma, sigma_places),
        }
        starts = []
        for which in ("first", "second"):
            values = getattr(synapses, f"{which}_weight")
            sums = np.bincount(synapses.neuron, np.abs(values), synapses.first.size)
            weights = self._weights(values, sums)
            assert isinstance(weights.expr, Constant)
            out = self._formats.of(getattr(synapses, which))
            fields[f"{which}_weight"] = weights.expr.values
            starts.append(self.at(getattr(synapses, f"{which}_start"), out).expr)
            fields[f"{which}_shift"] = shift(weights.places + ONE_BITS - out)
        return FixedSynapses(
            synapses.first,
            synapses.second,
            starts[0],
            starts[1],
            source.expr,
            synapses.pre,
            synapses.start,
            **fields,
            source_shift=shift(source.places - places),
            argument_shift=shift(places + sigma_places - functions.SIGMOID_BITS),
        )

    # ------------------------------------------------------------------------------------------------------ expressions

    def at(self, expr: Expr, places: int, limits: bool = False) -> Value:
        """An expression with so many binary places; ``limits``: what is beyond 32 bits has no further effect."""
        if isinstance(expr, Number):
            return Value(Number(int(integers(expr.value, places))), places)
        if isinstance(expr, Constant):
            return Value(Constant(integers(expr.values, places), expr.name), places)
        if _is_arithmetic(expr):
            assert isinstance(expr, Apply)
            return ARITHMETIC[expr.operation](self, expr, places, limits)
        found = self.value(expr)
        if found.places == places:
            return found
        return Value(integer("rescale", (found.expr,), (shift(found.places - places),), places, limits), places)

    def value(self, expr: Expr) -> Value:
        """An expression in the format that suits its range."""
        if isinstance(expr, Vector):
            return Value(expr, self._formats.of(expr))
        if isinstance(expr, Number):
            return self.at(expr, places_for(abs(expr.value)))
        if isinstance(expr, Constant):
            return self.at(expr, places_for(float(np.abs(expr.values).max())))
        expr = of_kind(expr, Apply)
        if expr.operation in FUNCTIONS:
            return FUNCTIONS[expr.operation](self, expr, self.suited(expr))
        checks.must_know(__name__, "operation", expr.operation, (*ARITHMETIC, *FUNCTIONS))
        return self.at(expr, self.suited(expr))

    def largest(self, expr: Expr) -> float:
        """The largest magnitude of an expression on the calibration data."""
        return self._ranges.of(expr)

    def suited(self, expr: Expr) -> int:
        """Binary places that suit the range of an expression, with the headroom."""
        return places_for(self.largest(expr) * self._headroom)


def _is_arithmetic(expr: Expr) -> bool:
    return isinstance(expr, Apply) and expr.operation in ARITHMETIC


def _sum(t: Translator, expr: Apply, places: int, limits: bool) -> Value:
    """Both terms in the finer of their formats, or `LIFT` places finer than the result."""
    a, b = (t.value(argument) for argument in expr.arguments)
    common = min(max(a.places, b.places), places + LIFT)
    shifts = shift(a.places - common), shift(b.places - common), shift(common - places)
    return Value(integer(expr.operation, (a.expr, b.expr), shifts, places, limits), places)


def _product(t: Translator, expr: Apply, places: int, limits: bool) -> Value:
    a, b = (t.value(argument) for argument in expr.arguments)
    return Value(integer("multiply", (a.expr, b.expr), (shift(a.places + b.places - places),), places, limits), places)


def _quotient(t: Translator, expr: Apply, places: int, limits: bool) -> Value:
    a, b = (t.value(argument) for argument in expr.arguments)
    return Value(
        integer("divide", (a.expr, b.expr), (max(-31, shift(places - a.places + b.places)),), places, limits), places
    )


def _one(t: Translator, expr: Apply, places: int, limits: bool) -> Value:
    a = t.value(expr.arguments[0])
    return Value(integer(expr.operation, (a.expr,), (shift(a.places - places),), places, limits), places)


def _chosen(t: Translator, expr: Apply, places: int, limits: bool) -> Value:
    """One of two, both in the format of the result: what does not fit may be the one that is not taken."""
    condition = [t.value(argument) for argument in expr.arguments[:-2]]
    a, b = (
        t.at(argument, places, limits=True) if _is_arithmetic(argument) else t.value(argument)
        for argument in expr.arguments[-2:]
    )
    shifts = shift(a.places - places), shift(b.places - places)
    arguments = (*(value.expr for value in condition), a.expr, b.expr)
    return Value(integer(expr.operation, arguments, shifts, places, limits), places)


# What gives its result in any format.
ARITHMETIC: dict[str, Callable[[Translator, Apply, int, bool], Value]] = {
    "add": _sum,
    "subtract": _sum,
    "multiply": _product,
    "divide": _quotient,
    "negative": _one,
    "absolute": _one,
    "minimum": _chosen,
    "maximum": _chosen,
    "select": _chosen,
}


def _curve(t: Translator, expr: Apply, places: int) -> Value:
    """A function of a number with a fixed format."""
    bits = {"sigmoid": functions.SIGMOID_BITS, "tanh": functions.TANH_BITS, "normal_cdf": functions.NORMAL_BITS}
    a = t.at(expr.arguments[0], bits[expr.operation], limits=True)
    return Value(integer(expr.operation, (a.expr,), (), ONE_BITS), ONE_BITS)


def _exp(t: Translator, expr: Apply, places: int) -> Value:
    a = t.at(expr.arguments[0], functions.EXP_BITS, limits=True)
    return Value(integer("exp", (a.expr,), (places,), places), places)


def _root(t: Translator, expr: Apply, places: int) -> Value:
    """Within what `rooted` takes: 2 places - (places of the argument) <= 31."""
    a = t.value(expr.arguments[0])
    places = min(places, (a.places + 31) // 2)
    return Value(integer("sqrt", (a.expr,), (shift(2 * places - a.places),), places), places)


def _within(t: Translator, expr: Expr, fewest: int, most: int) -> Value:
    """An expression in the format that suits its range, with at least and at most so many places."""
    return t.at(expr, max(fewest, min(t.value(expr).places, most)))


def _relaxed(t: Translator, expr: Apply, places: int) -> Value:
    """Of positive numbers at most 1, which 30 places can hold and some more."""
    a = _within(t, expr.arguments[0], 0, 30)
    out = ONE_BITS if t.largest(expr) <= 1 else min(places, ONE_BITS)
    return Value(integer("relaxed", (a.expr,), (a.places, out), out), out)


def _of_its_format(fewest: int, most: int) -> Callable[[Translator, Apply, int], Value]:
    """A function that is told how many places its argument has, within limits, and gives 30."""

    def made(t: Translator, expr: Apply, places: int) -> Value:
        a = _within(t, expr.arguments[0], fewest, most)
        return Value(integer(expr.operation, (a.expr,), (a.places,), ONE_BITS), ONE_BITS)

    return made


# What gives its result in a format of its own, or in that which suits its range.
FUNCTIONS: dict[str, Callable[[Translator, Apply, int], Value]] = {
    "sigmoid": _curve,
    "tanh": _curve,
    "normal_cdf": _curve,
    "exp": _exp,
    "sqrt": _root,
    "relaxed": _relaxed,
    "sin": _of_its_format(-1, 30),
    "cos": _of_its_format(-1, 30),
}
