"""Statements of a `Program` as C: loops, tables, functions; what the type of numbers decides is its arithmetic's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..program import Linear, Map, Program, Stage, Synapses, Total, Vector, of_kind, reads, targets
from .arithmetic import Arithmetic, Sum
from .groups import Group, Loop, grouped, local_variables, walk
from .lines import Lines
from .names import part_of_name
from .rows import Rows
from .storage import offsets
from .tables import Tables

# The variables of a `Program` that a caller of NAME_step hands over: as parameters, in this order, and as arguments.
PARAMETERS = {"state": "@real *state", "x": "const @real *x", "dt": "@real dt", "y": "@real *y"}
ARGUMENTS = {"state": "state->values", "x": "x", "dt": "dt", "t": "t"}


class Writer:
    """Writes the steps of a program.

    Parameters
    ----------
    program : Program
        As `prepared` gives it.
    name : str
        What all names of the file begin with.
    arithmetic : Arithmetic
    unroll : bool
        Whether each synapse and each weight of a matrix is a line of its own, without tables.
    y : str
        Where NAME_step wants the outputs.

    Attributes
    ----------
    tables : Tables
    scratch : int
        Numbers on the stack.
    functions : str
        A static function for each stage.
    calls : list of str
        What NAME_step does.
    """

    program: Program
    name: str
    arithmetic: Arithmetic
    unroll: bool
    tables: Tables
    scratch: int
    functions: str

    def __init__(self, program: Program, name: str, arithmetic: Arithmetic, unroll: bool, y: str = "y") -> None:
        self.program, self.name, self.arithmetic, self.unroll = program, name, arithmetic, unroll
        self._arguments = ARGUMENTS | {"y": y}
        self.tables = Tables(name)
        stages = [grouped(stage.statements) for stage in program.stages]
        self._locals = local_variables(program, stages)
        self._offsets, self.scratch = offsets(program, stages, self._locals)
        self._sizes = program.variables
        self._depth = 0
        self._declared: set[str] = set()  # local variables, in the present loop
        self._written: dict[object, tuple[str, Sequence[str]]] = {}  # what an arithmetic made of tables, by owner
        self._lines = Lines()
        self.calls: list[str] = []
        self.functions = "\n".join(
            self._function(k, stage, loops) for k, (stage, loops) in enumerate(zip(program.stages, stages, strict=True))
        )

    # ------------------------------------------------------------------------------------- what an arithmetic asks for

    def element(self, vector: Vector, i: str) -> str:
        """Element ``i`` of a variable."""
        if vector.name == "dt" or vector.name in self._locals:
            return vector.name
        i = i if vector.size > 1 else "0"
        return f"{vector.name}[{vector.start + int(i) if i.isdigit() else _sum(i, vector.start)}]"

    def table(self, owner: object, values: np.ndarray, meaning: str, i: str) -> str:
        """Element ``i`` of a table; a literal where ``i`` is a number, or where all elements are equal."""
        if owner not in self._written:  # once, however often: unrolled, every element is asked for by itself
            self._written[owner] = self.arithmetic.literals(owner, values)
        c_type, elements = self._written[owner]
        if i.isdigit() or len({*elements}) == 1:
            element = elements[int(i) if i.isdigit() and len(elements) > 1 else 0]
            return f"({element})" if element.startswith("-") else element
        return f"{self.tables.add(c_type, elements, meaning)}[{i}]"

    # -------------------------------------------------------------------------------------------------------- functions

    def _function(self, number: int, stage: Stage, parts: Sequence[Group | Loop]) -> str:
        """The static function of a stage; its call is added to `calls`, and the end of a step that has no output."""
        self._lines = Lines()
        self._parts(parts)
        used = _used(parts)
        own = sorted((name for name in used if name in self._offsets), key=lambda name: (self._offsets[name], name))
        names = [name for name in PARAMETERS if name in used]
        c_type = self.arithmetic.c_type
        parameters = [PARAMETERS[name].replace("@real", c_type) for name in names]
        if own:
            names, parameters = [*names, "t"], [*parameters, f"{c_type} *t"]
        function = f"{self.name}_{number}_{part_of_name(stage.name.rpartition('.')[2])}"
        self.calls.append(f"{function}({', '.join(self._arguments[name] for name in names)});")
        if stage.phase is not None:
            self.calls += [f"if (state->values[{stage.phase.start}] > 0) {{", "    return 0;", "}"]
        pointers = Lines()
        for name in own:
            pointers.add(f"{c_type} *const {name} = {_sum('t', self._offsets[name])}; /* {self._sizes[name]} */")
        head = f"/* {stage.name} */\nstatic void {function}({', '.join(parameters)})"
        return f"{head}\n{{\n{pointers.text}{self._lines.text}}}\n"

    # ------------------------------------------------------------------------------------------------------- statements

    def _parts(self, parts: Sequence[Group | Loop]) -> None:
        for part in parts:
            if isinstance(part, Loop):
                turn = f"u{self._depth}"
                self._depth += 1
                with self._lines.block(f"for (int {turn} = 0; {turn} < {part.turns}; {turn}++)"):
                    self._parts(part.body)
                self._depth -= 1
                continue
            self._declared.clear()
            head, *rest = part.statements
            maps = [statement for statement in rest if isinstance(statement, Map)]
            if isinstance(head, Map):
                self._maps([head, *maps])
            elif isinstance(head, Linear):
                self._linear(head, maps)
            elif isinstance(head, Synapses):
                self._synapses(head, maps)
            else:
                self._total(of_kind(head, Total))

    def _each(self, size: int, i: str) -> Iterator[str]:
        """The index of each of ``size`` elements: a loop over ``i``, or 0 where there is one."""
        if size == 1:
            yield "0"
        else:
            with self._lines.block(f"for (int {i} = 0; {i} < {size}; {i}++)"):
                yield i

    def _set(self, target: Vector, i: str, value: str) -> None:
        """target[i] = value, which declares the target where it is a local variable."""
        new = target.name in self._locals and target.name not in self._declared
        self._declared.add(target.name)
        self._lines.add(f"{f'{self.arithmetic.c_type} ' if new else ''}{self.element(target, i)} = {value};")

    def _maps(self, statements: Sequence[Map]) -> None:
        for i in self._each(statements[0].target.size, "i"):
            self._map(statements, i)

    def _map(self, statements: Sequence[Map], i: str) -> None:
        for statement in statements:
            self._set(statement.target, i, self.arithmetic.value(statement.value, i, self))

    def _declare(self, name: str, sum: Sum) -> None:
        self._lines.add(f"{sum.c_type} {name} = {sum.start};")

    def _linear(self, statement: Linear, then: Sequence[Map]) -> None:
        """A row's sum at a time, and what is made of it."""

        def term(i: str, k: str) -> None:
            weight = self.table((statement, "weights"), rows.values, "weights", k)
            self._lines.add(f"sum += {self.arithmetic.linear_term(statement, weight, i, self)};")

        rows = Rows.of_matrix(statement.weights)
        for n in self._rows(rows):
            bias = self.table((statement, "bias"), statement.bias, "bias", n)
            sum = self.arithmetic.linear_sum(statement, bias)
            self._declare("sum", sum)
            self._terms(rows, n, term)
            self._set(statement.target, n, sum.end.format(sum="sum"))
            self._map(then, n)

    def _synapses(self, statement: Synapses, then: Sequence[Map]) -> None:
        """A neuron's two sums at a time, and what is made of them."""
        both = {"first": statement.first, "second": statement.second}

        def part(field: str, k: str) -> str:
            return self.table((statement, field), getattr(statement, field), field, k)

        def term(i: str, k: str) -> None:
            c_type, sigmoid = self.arithmetic.synapse_sigmoid(statement, part("sigma", k), part("mu", k), i, self)
            lines = [f"const {c_type} s = {sigmoid};"]
            for which in both:
                weight = part(f"{which}_weight", k)
                lines.append(f"{which} += {self.arithmetic.synapse_term(weight, 's')};")
            if self.unroll:
                lines = [f"{{ {' '.join(lines)} }}"]
            self._lines.add(*lines)

        rows = Rows.of_lists(statement.pre, statement.start, statement.source.size)
        for n in self._rows(rows):
            sums = {which: self.arithmetic.synapse_sum(statement, which, n, self) for which in both}
            for which, sum in sums.items():
                self._declare(which, sum)
            self._terms(rows, n, term)
            for which, sum in sums.items():
                self._set(both[which], n, sum.end.format(sum=which))
            self._map(then, n)

    def _total(self, statement: Total) -> None:
        """The sum, from element 0 on."""
        sum = self.arithmetic.total_sum(statement)
        with self._lines.block(""):
            self._declare("sum", sum)
            for i in self._each(statement.value.size, "i"):
                self._lines.add(f"sum += {self.arithmetic.total_term(statement, i, self)};")
            self._set(statement.target, "0", sum.end.format(sum="sum"))

    # ------------------------------------------------------------------------------------------------------------- rows

    def _rows(self, rows: Rows) -> Iterator[str]:
        """The number of each row, in a loop or, unrolled, one block after the other."""
        if self.unroll or rows.count == 1:
            for n in range(rows.count):
                self._declared.clear()
                with self._lines.block(""):
                    yield str(n)
        else:
            first = "int n = 0" if rows.is_full else "int n = 0, k = 0"
            with self._lines.block(f"for ({first}; n < {rows.count}; n++)"):
                yield "n"

    def _terms(self, rows: Rows, n: str, term: Callable[[str, str], None]) -> None:
        """``term(i, k)`` for each element of row n, the k-th of the list, which stands at column i."""
        if len(rows.columns) == 0:
            return
        if self.unroll:
            for k in range(rows.start[int(n)], rows.start[int(n) + 1]):
                term(str(rows.columns[k]), str(k))
        elif rows.is_full:
            with self._lines.block(f"for (int i = 0; i < {rows.width}; i++)"):
                term("i", "i" if n == "0" else f"{n} * {rows.width} + i")
        else:
            column = "0" if rows.width == 1 else f"{self.tables.indices(rows.columns, 'source')}[k]"
            if n == "0":
                head = f"for (int k = 0; k < {len(rows.columns)}; k++)"
            else:
                head = f"for (; k < {self.tables.indices(rows.start[1:], 'end')}[n]; k++)"
            with self._lines.block(head):
                term(column, "k")


def _used(parts: Sequence[Group | Loop]) -> set[str]:
    """Names of the variables that statements read or set."""
    statements = [statement for group in walk(parts) for statement in group.statements]
    return {vector.name for statement in statements for vector in (*reads(statement), *targets(statement))}


def _sum(text: str, number: int) -> str:
    """text + number."""
    return f"{text} + {number}" if number else text
