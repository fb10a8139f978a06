"""Compute an integer program with NumPy, bit for bit as its C does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base import checks
from ...base.types import Numbers
from ..program import Constant, Expr, Map, Number, Program, Repeat, Stage, Statement, Vector, of_kind
from ..run import Sequences
from .arithmetic import HIGHEST, LOWEST, rescaled, saturated
from .functions import sigmoid
from .primitives import PRIMITIVES, Integer
from .translate import FixedLinear, FixedSynapses, FixedTotal

CHOSEN = {"minimum", "maximum", "select"}


class FixedMachine(Sequences):
    """`Sequences` in integers.

    Parameters
    ----------
    program : Program
        Of integers, as `ltc_np.export.fixed.translate.Translator` makes it.
    B : int

    Attributes
    ----------
    saturated : dict
        "layer, what was computed" -> how many of its numbers did not fit into 32 bits so far.
    counted : (B,) bool array
        Of which sequences they are counted.
    touched : (B,) bool array
        Of which sequences some were.
    """

    def __init__(self, program: Program, B: int) -> None:
        super().__init__(program, B, np.int64)
        self.saturated: dict[str, int] = {}
        self.counted = np.ones(B, bool)
        self.touched = np.zeros(B, bool)

    def step(self, x: Numbers, dt: Numbers) -> Numbers:
        """One step: x (B, I), dt (B,), int64 in the program's formats; the outputs (B, O), or those before where none
        falls due."""
        return self.advance(x, dt)

    def run(self, stage: Stage) -> None:
        self._stage = stage.name
        self._run(stage.statements)

    def _run(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Repeat):
                for _ in range(statement.count):
                    self._run(statement.body)
            elif isinstance(statement, Map):
                self._set(statement.target, self.evaluate(statement.value))
            elif isinstance(statement, FixedLinear):
                total = statement.weights @ self.evaluate(statement.source)
                bias = rescaled(statement.bias[:, None], statement.bias_shift)
                self._set(statement.target, rescaled(total, statement.shift) + bias)
            elif isinstance(statement, FixedSynapses):
                self._synapses(statement)
            else:
                statement = of_kind(statement, FixedTotal)
                total = self.evaluate(statement.value).sum(0, keepdims=True)
                self._set(statement.target, rescaled(total, statement.shift))

    def _synapses(self, synapses: FixedSynapses) -> None:
        source = saturated(rescaled(self.evaluate(synapses.source)[synapses.pre], synapses.source_shift))
        difference = self.limited("source - mu", source - synapses.mu[:, None])
        s = sigmoid(saturated(rescaled(synapses.sigma[:, None] * difference, synapses.argument_shift)))
        results = []
        for which in ("first", "second"):
            sums = np.zeros((synapses.first.size, s.shape[1]), np.int64)
            synapses.add(sums, getattr(synapses, f"{which}_weight")[:, None] * s)
            start = self.evaluate(getattr(synapses, f"{which}_start"))
            results.append(rescaled(sums, getattr(synapses, f"{which}_shift")) + start)
        for target, values in zip((synapses.first, synapses.second), results, strict=True):
            self._set(target, values)

    def _set(self, target: Vector, wide: Numbers) -> None:
        where = slice(target.start, target.start + target.size)
        self.values[target.name][where] = self.limited(target.name, wide)

    def limited(self, what: str, wide: Numbers, within: int = 0) -> Numbers:
        """Limited to 32 bits; what is beyond, or so close to a limit, is counted."""
        over = (wide < LOWEST + within) | (wide > HIGHEST - within)
        if not over.any():
            return wide
        over = over & self.counted[self.running]
        self.touched[self.running] |= over.any(axis=0)
        key = f"{self._stage}, {what}"
        self.saturated[key] = self.saturated.get(key, 0) + int(over.sum())
        return saturated(wide)

    def evaluate(self, expr: Expr) -> Numbers:
        """The values (size, B) of an expression."""
        if isinstance(expr, Number):
            return np.full((1, 1), int(expr.value), np.int64)
        if isinstance(expr, Constant):
            return expr.values[:, None]
        if isinstance(expr, Vector):
            return self.values[expr.name][expr.start : expr.start + expr.size]
        expr = of_kind(expr, Integer)
        arguments = [self.evaluate(argument) for argument in expr.arguments]
        checks.must_know(__name__, "operation", expr.operation, PRIMITIVES)
        wide = PRIMITIVES[expr.operation].compute(*arguments, *expr.constants)
        if expr.limits:
            return saturated(wide)
        # What was taken may have reached a limit before.
        return self.limited(expr.operation, wide, within=int(expr.operation in CHOSEN))
