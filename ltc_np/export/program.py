"""One time step of a model as a short list of vector operations: what every way out of the library begins with.

A `Program` has variables, vectors of numbers by name: the inputs ``x``, the elapsed time ``dt``, the ``state``, which a
step changes, the outputs ``y``, and temporary ones.  Its statements run in order:

    Map         each element of a target is an expression of the same element of other vectors
    Linear      a matrix times an expression, plus a constant
    Synapses    two weighted sums of sigmoids over the synapses of every neuron
    Total       the sum of the elements of an expression
    Repeat      statements that run several times

An expression (`Expr`) is a tree of `Number`, `Constant` (a vector of the model's), `Vector` (a variable or a part of
one) and `Apply` (an operation of `ltc_np.export.operations`); vectors of one element stand beside longer ones, as in
NumPy.  Nothing allocates, and nothing branches but where a `Stage` says so, so that the list can be written in any
language, in fixed point too.
`ltc_np.export.run` computes a program, and is its definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from ..base import checks
from .operations import OPERATIONS

Operand: TypeAlias = "Expr | float | np.ndarray"


class Expr:
    """A vector of ``size`` numbers that is computed element by element; Python's operators make larger ones."""

    size: int

    def __add__(self, other: Operand) -> Expr:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Expr:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Expr:
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> Expr:
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> Expr:
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> Expr:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Expr:
        return apply("divide", other, self)

    def __neg__(self) -> Expr:
        return apply("negative", self)

    # NumPy's arrays leave the operators to this class.
    __array_ufunc__ = None


@dataclass(frozen=True, eq=False)
class Number(Expr):
    """One number that the model knows."""

    value: float
    size = 1


@dataclass(frozen=True, eq=False)
class Constant(Expr):
    """A vector of numbers that the model knows, (n,) float64, and how a reader of the output may call it."""

    values: np.ndarray
    name: str

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.values.size


@dataclass(frozen=True)
class Vector(Expr):
    """Elements ``start .. start + size - 1`` of the variable ``name``."""

    name: str
    start: int
    size: int

    def __getitem__(self, part: slice) -> Vector:
        """A part of this one, of step 1."""
        start, stop, _ = part.indices(self.size)
        return Vector(self.name, self.start + start, stop - start)

    def ends_at(self, other: Vector) -> bool:
        """Whether the other one begins where this one ends."""
        return self.name == other.name and self.start + self.size == other.start


@dataclass(frozen=True, eq=False)
class Apply(Expr):
    """An operation of `OPERATIONS` on expressions."""

    operation: str
    arguments: tuple[Expr, ...]
    size: int


def expression(value: Operand) -> Expr:
    """A number or an array (n,) as an `Expr`; those stay.  An array of equal numbers is one `Number`."""
    if isinstance(value, Expr):
        return value
    values = np.array(value, np.float64).ravel()
    if (values == values[0]).all():
        return Number(float(values[0]))
    return Constant(values, "constant")


def apply(operation: str, *arguments: Operand) -> Expr:
    """An operation on expressions, numbers and arrays; what is known already is computed now."""
    checks.must_know(__name__, "operation", operation, OPERATIONS)
    operands = tuple(expression(value) for value in arguments)
    needed, compute = OPERATIONS[operation]
    if len(operands) != needed:
        raise ValueError(f"`{operation}` takes {needed} arguments, got {len(operands)}")
    sizes = {operand.size for operand in operands} - {1}
    if len(sizes) > 1:
        raise ValueError(f"`{operation}` must have operands of one size, got {sorted(sizes)}")
    values = [known(operand) for operand in operands]
    if all(value is not None for value in values):
        return expression(compute(*values))
    if operation == "select" and values[0] is not None and values[0].size == 1:
        return operands[1] if values[0] > 0 else operands[2]
    left_alone = NEUTRAL.get(operation)
    if left_alone is not None and values[1] is not None and values[1].size == 1 and values[1] == left_alone:
        return operands[0]
    if operation in COMMUTATIVE and values[0] is not None and values[0].size == 1 and values[0] == left_alone:
        return operands[1]
    return Apply(operation, operands, max(sizes, default=1))


# What a number may be added to, taken from, multiplied or divided by and stay what it is.
NEUTRAL = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0}
COMMUTATIVE = ("add", "multiply")


def known(expr: Expr) -> np.ndarray | None:
    """The values of an expression that the model knows, (1,) or (n,); None of others."""
    if isinstance(expr, Number):
        return np.array([expr.value])
    return expr.values if isinstance(expr, Constant) else None


def elements(expr: Expr, count: int) -> list[Expr]:
    """Each of so many elements of a variable, or of what the model knows."""
    if isinstance(expr, Vector):
        return [expr[k : k + 1] for k in range(count)]
    values = known(expr)
    assert values is not None
    return [Number(float(value)) for value in np.broadcast_to(values, count)]


def nodes(expr: Expr) -> Iterator[Expr]:
    """An expression and all those inside it, in order."""
    yield expr
    if isinstance(expr, Apply):
        for argument in expr.arguments:
            yield from nodes(argument)


def leaves(expr: Expr) -> Iterator[Expr]:
    """The numbers, constants and vectors of an expression, in order."""
    return (node for node in nodes(expr) if not isinstance(node, Apply))


@dataclass(frozen=True, eq=False)
class Map:
    """target[i] = value[i]."""

    target: Vector
    value: Expr


@dataclass(frozen=True, eq=False)
class Linear:
    """target = weights @ source + bias: ``weights`` (n, k), ``bias`` (n,), ``source`` of size k."""

    target: Vector
    weights: np.ndarray
    bias: np.ndarray
    source: Expr


@dataclass(frozen=True, eq=False)
class Synapses:
    """Of each neuron n: first[n] = first_start[n] + sum over its synapses of first_weight s, and ``second`` likewise.

    s = sigmoid(sigma (source[pre] - mu)).  The synapses of neuron n are ``start[n] .. start[n + 1] - 1``.

    Attributes
    ----------
    first, second : Vector
        Of N elements each, other variables than those of ``source``.
    first_start, second_start : Expr
        Of N elements, or of 1.
    source : Expr
    pre, start : (S,) and (N + 1,) int arrays
    mu, sigma, first_weight, second_weight : (S,) arrays
    """

    first: Vector
    second: Vector
    first_start: Expr
    second_start: Expr
    source: Expr
    pre: np.ndarray
    start: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    first_weight: np.ndarray
    second_weight: np.ndarray

    @property
    def neuron(self) -> np.ndarray:
        """(S,): to which neuron each synapse leads."""
        return np.repeat(np.arange(self.first.size), np.diff(self.start))

    def add(self, sums: np.ndarray, terms: np.ndarray) -> None:
        """Add the ``terms`` (S, B) of synapses to the ``sums`` (N, B) of their neurons, one after the other."""
        counts = np.diff(self.start)
        for k in range(counts.max(initial=0)):  # the k-th synapse of all neurons; `np.add.at` takes four times as long
            there = np.flatnonzero(counts > k)
            sums[there] += terms[self.start[there] + k]


@dataclass(frozen=True, eq=False)
class Total:
    """target[0] = the sum of the elements of ``value``."""

    target: Vector
    value: Expr


@dataclass(frozen=True, eq=False)
class Repeat:
    """``body`` so many times."""

    count: int
    body: tuple[Statement, ...]


K = TypeVar("K")


def of_kind(part: object, kind: type[K]) -> K:
    """A part of a program, of the last kind that is left: what a reader does not know is never taken for it."""
    if not isinstance(part, kind):
        raise TypeError(
            f"`program` must have statements and expressions that are known here, got {type(part).__name__}"
        )
    return part


Statement = Map | Linear | Synapses | Total | Repeat


class Stage(NamedTuple):
    """What one layer does, or the part of it that takes each input of a layer with a stride.

    Attributes
    ----------
    name : str
    statements : tuple
    variables : dict
        Sizes of its temporary variables, by name.
    phase : Vector, optional
        An element of the state.  The stages behind this one run only where it is 0: there an output falls due.
    """

    name: str
    statements: tuple[Statement, ...]
    variables: dict[str, int]
    phase: Vector | None = None


class Program(NamedTuple):
    """A step of a model.

    Attributes
    ----------
    input_size, output_size, state_size : int
        Of the variables ``x``, ``y`` and ``state``.
    takes_dt : bool
        Whether the variable ``dt``, of one element, is read.
    start : (K,) array
        The state at the start of a sequence.
    stages : tuple of Stage
        In order.  Temporary variables have names of their own and are seen by all stages behind, too.
    stride : int
        Steps for each output; where none falls due, ``y`` is not set.
    scale, offset : (K,) arrays, or numbers
        A number of the model's state is scale * number of this state + offset.
    """

    input_size: int
    output_size: int
    state_size: int
    takes_dt: bool
    start: np.ndarray
    stages: tuple[Stage, ...]
    stride: int = 1
    scale: np.ndarray | float = 1.0
    offset: np.ndarray | float = 0.0

    def from_model(self, states: np.ndarray) -> np.ndarray:
        """States (..., K) of the model as those of the program."""
        return (states - self.offset) / self.scale

    def to_model(self, states: np.ndarray) -> np.ndarray:
        """States (..., K) of the program as those of the model."""
        return states * self.scale + self.offset

    @property
    def variables(self) -> dict[str, int]:
        """Sizes of all variables, by name."""
        sizes = {"x": self.input_size, "dt": 1, "state": self.state_size, "y": self.output_size}
        for stage in self.stages:
            sizes |= stage.variables
        return sizes


def statements(of: Sequence[Statement]) -> Iterator[tuple[Map | Linear | Synapses | Total, int]]:
    """All statements, those inside others too, each with the number of times that it runs in a step."""
    for statement in of:
        if isinstance(statement, Repeat):
            for inner, count in statements(statement.body):
                yield inner, count * statement.count
        else:
            yield statement, 1


def targets(statement: Statement) -> tuple[Vector, ...]:
    """What a statement changes; a `Repeat` has none of its own."""
    if isinstance(statement, Synapses):
        return statement.first, statement.second
    return (statement.target if isinstance(statement, (Map, Linear)) else of_kind(statement, Total).target,)


def expressions(statement: Statement) -> tuple[Expr, ...]:
    """What a statement reads."""
    if isinstance(statement, Synapses):
        return statement.source, statement.first_start, statement.second_start
    if isinstance(statement, Linear):
        return (statement.source,)
    return (statement.value if isinstance(statement, Map) else of_kind(statement, Total).value,)


def reads(statement: Statement) -> Iterator[Vector]:
    """The variables that a statement reads."""
    for expr in expressions(statement):
        for leaf in leaves(expr):
            if isinstance(leaf, Vector):
                yield leaf


def written(of: Sequence[Statement]) -> list[str]:
    """Names of the variables that statements write, in order, each once."""
    return list(dict.fromkeys(target.name for statement, _ in statements(of) for target in targets(statement)))
