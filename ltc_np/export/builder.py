"""How a `Program` is made, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .program import (
    Apply,
    Expr,
    Linear,
    Map,
    Operand,
    Repeat,
    Stage,
    Statement,
    Synapses,
    Total,
    Vector,
    expression,
    leaves,
)


@dataclass
class Builder:
    """Collects the statements of a program while layers are lowered; ``stage`` names the layer that is."""

    stages: list[Stage] = field(default_factory=list)
    stage: str = ""
    kept: list[tuple[Vector, np.ndarray, np.ndarray]] = field(default_factory=list)
    _statements: list[list[Statement]] = field(default_factory=lambda: [[]])
    _variables: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def variable(self, size: int, name: str = "t") -> Vector:
        """A new temporary variable, whose name begins with ``name``."""
        name = f"{name}_{self._count}"
        self._count += 1
        self._variables[name] = size
        return Vector(name, 0, size)

    def store(self, value: Operand, name: str = "t") -> Expr:
        """An expression's values in a new variable; variables stay, and so does what the model knows."""
        value = expression(value)
        if isinstance(value, Apply):
            return self.assign(self.variable(value.size, name), value)
        return value

    def update(self, old: Expr, value: Operand, name: str = "t") -> Expr:
        """As `store`, but in the place of ``old``, which nobody reads any more, if that is a variable as long."""
        value = expression(value)
        if isinstance(value, Apply) and isinstance(old, Vector) and old.size == value.size:
            return self.assign(old, value)
        return self.store(value, name)

    def join(self, *parts: Expr) -> Vector:
        """Expressions one behind the other: in a new variable, unless they lie like this already."""
        joined: list[Expr] = []
        for part in parts:
            last = joined[-1] if joined else None
            if isinstance(last, Vector) and isinstance(part, Vector) and last.ends_at(part):
                joined[-1] = Vector(last.name, last.start, last.size + part.size)
            else:
                joined.append(part)
        if len(joined) == 1 and isinstance(joined[0], Vector):
            return joined[0]
        target, at = self.variable(sum(part.size for part in joined), "joined"), 0
        for part in joined:
            self.assign(target[at : at + part.size], part)
            at += part.size
        return target

    def assign(self, target: Vector, value: Operand) -> Vector:
        """target[i] = value[i], where value may read the target at i, but nowhere else."""
        value = expression(value)
        if value.size not in (1, target.size):
            raise ValueError(f"{target} must be assigned {target.size} numbers, got {value.size}")
        for leaf in leaves(value):
            if isinstance(leaf, Vector) and leaf.name == target.name and leaf != target:
                apart = leaf.start + leaf.size <= target.start or target.start + target.size <= leaf.start
                if not apart:
                    raise ValueError(f"{target} must not be assigned what reads other elements of it, {leaf}")
        self._statements[-1].append(Map(target, value))
        return target

    def gather(self, source: Vector, indices: np.ndarray) -> Vector:
        """Some elements of a variable: a part of it, or a new one of several parts."""
        ends = np.flatnonzero(np.diff(indices) != 1) + 1
        return self.join(*(source[run[0] : run[-1] + 1] for run in np.split(indices, ends)))

    def linear(
        self, weights: np.ndarray, source: Operand, bias: Any = 0.0, target: Vector | None = None, name: str = "t"
    ) -> Vector:
        """weights @ source + bias, in a new variable or in ``target``."""
        weights, source = np.asarray(weights, np.float64), self.store(source)
        if weights.shape[1] != source.size:
            raise ValueError(f"weights of shape {weights.shape} must have as many columns as {source.size} sources")
        target = self.variable(len(weights), name) if target is None else target
        bias = np.broadcast_to(np.asarray(bias, np.float64), len(weights))
        self._statements[-1].append(Linear(target, weights, bias, source))
        return target

    def synapses(
        self,
        lists: Any,
        source: Operand,
        first_start: Operand,
        second_start: Operand,
        *,
        mu: np.ndarray,
        sigma: np.ndarray,
        first_weight: np.ndarray,
        second_weight: np.ndarray,
        targets: tuple[Vector, Vector] | None = None,
    ) -> tuple[Vector, Vector]:
        """Both sums of `Synapses`, in new variables or ``targets``; ``lists``: `ltc_np.wirings.synapses.Synapses`."""
        if targets is None:
            targets = self.variable(lists.n_post, "p"), self.variable(lists.n_post, "q")
        arrays = (np.asarray(array, np.float64) for array in (mu, sigma, first_weight, second_weight))
        starts, source = (expression(first_start), expression(second_start)), self.store(source)
        self._statements[-1].append(Synapses(*targets, *starts, source, lists.pre, lists.start, *arrays))
        return targets

    def total(self, value: Operand) -> Vector:
        """The sum of the elements, in a new variable of one element."""
        target = self.variable(1, "sum")
        self._statements[-1].append(Total(target, expression(value)))
        return target

    @contextmanager
    def repeat(self, count: int) -> Iterator[None]:
        """``with b.repeat(6):`` what is added inside runs so many times."""
        self._statements.append([])
        yield
        body = tuple(self._statements.pop())
        self._statements[-1] += body if count == 1 else [Repeat(count, body)]

    def end_stage(self, name: str) -> None:
        """All that was added since the last stage is one."""
        self._end(name, None)

    def wait_for(self, phase: Vector) -> None:
        """What is added from now on runs only where ``phase``, an element of the state, is 0."""
        self._end(f"{self.stage} inputs", phase)

    def keeps(self, part: Vector, scale: np.ndarray, offset: np.ndarray) -> None:
        """A part of the state holds other numbers than the model's, which are scale * number + offset."""
        self.kept.append((part, scale, offset))

    def _end(self, name: str, phase: Vector | None) -> None:
        self.stages.append(Stage(name, tuple(self._statements[-1]), self._variables, phase))
        self._statements, self._variables = [[]], {}
