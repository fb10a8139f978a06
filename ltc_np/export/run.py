"""Compute a `Program` with NumPy: its definition, and the way to the ranges of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..base import checks
from ..base.activations import sigmoid
from .operations import OPERATIONS
from .program import (
    Apply,
    Constant,
    Expr,
    Linear,
    Map,
    Number,
    Program,
    Repeat,
    Stage,
    Statement,
    Synapses,
    Total,
    Vector,
    of_kind,
)

Observer = Callable[[object, np.ndarray], None]


class Sequences:
    """The variables of a program for B sequences at once, and the order of its stages.

    Attributes
    ----------
    program : Program
    values : dict
        name -> (size, n) array, of the n sequences that run.
    running : (n,) int array
        Which these are: all B, but behind a stage with a phase those in which an output falls due.
    due : (B,) bool array
        Which had an output in the last step.
    """

    def __init__(self, program: Program, B: int, dtype: type) -> None:
        self.program = program
        self.values: dict[str, np.ndarray] = {
            name: np.zeros((size, B), dtype) for name, size in program.variables.items()
        }
        self.values["state"][:] = program.start[:, None]
        self.running: np.ndarray = np.arange(B)
        self.due: np.ndarray = np.zeros(B, bool)

    def advance(self, x: np.ndarray, dt: np.ndarray | float) -> np.ndarray:
        """One step, as the variables hold numbers: x (B, I), dt a number or (B,); y (B, O)."""
        self.values["x"][:] = np.transpose(x)
        self.values["dt"][:] = dt
        self.due[:] = False
        self._advance(self.program.stages)
        return self.values["y"].T.copy()

    def _advance(self, stages: Sequence[Stage]) -> None:
        for k, stage in enumerate(stages):
            self.run(stage)
            if stage.phase is not None:
                place, values, running = stage.phase.start, self.values, self.running
                there = np.flatnonzero(values["state"][place] == 0)
                self.values = {name: own[:, there] for name, own in values.items()}
                self.running = running[there]
                self._advance(stages[k + 1 :])
                for name, own in values.items():
                    own[:, there] = self.values[name]
                self.values, self.running = values, running
                return
        self.due[self.running] = True

    def run(self, stage: Stage) -> None:
        """The statements of a stage, for the sequences that run."""
        raise NotImplementedError


class Machine(Sequences):
    """`Sequences` in real numbers.

    Parameters
    ----------
    program : Program
    B : int
    dtype : NumPy dtype
    observe : callable, optional
        ``observe(node, values)`` is told of all values (size, n) of every expression and every statement.
    """

    def __init__(self, program: Program, B: int, dtype: type = np.float64, observe: Observer | None = None) -> None:
        super().__init__(program, B, dtype)
        self.dtype, self.observe = dtype, observe

    def step(self, x: np.ndarray, dt: np.ndarray | float = 1.0) -> np.ndarray:
        """One step: x (B, I), dt a number or (B,); the outputs (B, O), NaN where none falls due."""
        y = self.advance(x, dt)
        y[~self.due] = np.nan
        return y

    def run(self, stage: Stage) -> None:
        self._run(stage.statements)

    def _run(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Repeat):
                for _ in range(statement.count):
                    self._run(statement.body)
                continue
            if isinstance(statement, Map):
                found = {statement.target: self.evaluate(statement.value)}
            elif isinstance(statement, Linear):
                product = statement.weights.astype(self.dtype) @ self.evaluate(statement.source)
                found = {statement.target: product + statement.bias[:, None].astype(self.dtype)}
            elif isinstance(statement, Synapses):
                found = self._synapses(statement)
            else:
                statement = of_kind(statement, Total)
                found = {statement.target: self.evaluate(statement.value).sum(0, keepdims=True)}
            for target, values in found.items():
                self.values[target.name][target.start : target.start + target.size] = values
                if self.observe is not None:
                    self.observe((statement, target), values)

    def _synapses(self, synapses: Synapses) -> dict[Vector, np.ndarray]:
        def column(values: np.ndarray) -> np.ndarray:
            return values[:, None].astype(self.dtype)

        sigma, weights = column(synapses.sigma), (column(synapses.first_weight), column(synapses.second_weight))
        difference = self.evaluate(synapses.source)[synapses.pre] - column(synapses.mu)
        s = sigmoid(sigma * difference)
        if self.observe is not None:
            self.observe((synapses, "difference"), difference)
            self.observe((synapses, "argument"), sigma * difference)
        found = {}
        starts = (synapses.first, synapses.first_start), (synapses.second, synapses.second_start)
        for (target, start), weight in zip(starts, weights, strict=True):
            sums = np.zeros((target.size, s.shape[1]), self.dtype) + self.evaluate(start)
            synapses.add(sums, weight * s)
            found[target] = sums
        return found

    def evaluate(self, expr: Expr) -> np.ndarray:
        """The values (size, B) of an expression."""
        values: np.ndarray
        if isinstance(expr, Number):
            values = np.full((1, 1), expr.value, self.dtype)
        elif isinstance(expr, Constant):
            values = expr.values[:, None].astype(self.dtype)
        elif isinstance(expr, Vector):
            values = self.values[expr.name][expr.start : expr.start + expr.size]
        else:
            applied = of_kind(expr, Apply)
            checks.must_know(__name__, "operation", applied.operation, OPERATIONS)
            values = OPERATIONS[applied.operation].compute(*map(self.evaluate, applied.arguments))
        if self.observe is not None:
            self.observe(expr, values)
        return values
