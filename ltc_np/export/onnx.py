"""ONNX: a model as a graph that onnxruntime and others run, a whole sequence (Scan) or one step.

A graph is made of the model's `Program`, operation by operation; its variables are (B, size) tensors, and what a step
changes is carried by ONNX's Scan.  Opset 17.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import checks, files
from ..base.optional import need
from ..base.types import PathLike
from ..model import Model, check_model
from .agreement import proved
from .identity import identity
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
    leaves,
    of_kind,
    written,
)

OPSET = 17
IR_VERSION = 8  # the one that came with this opset: older runtimes read it
MOST_COPIES = 16  # of what repeats: more of them become a loop of the graph
# Operations that are one node of ONNX.
NODES = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "absolute": "Abs",
    "minimum": "Min", "maximum": "Max", "sqrt": "Sqrt", "exp": "Exp", "sin": "Sin", "cos": "Cos", "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}  # fmt: skip


def to_onnx(model: Model, *, kind: Literal["sequence", "step"] = "sequence") -> Any:
    """A model as an ``onnx.ModelProto``, in float32.

    Parameters
    ----------
    model : Model
    kind : "sequence" or "step"
        The inputs of a sequence are ``x`` (B, T, I), ``dt`` (B, T), where the model takes elapsed times, and ``state``
        (B, K), where it has one; its outputs are ``y`` (B, T, O) and ``last_state`` (B, K).  A step's have no T.
        Batch and time may be of any size.  With a stride ``y`` has the rows of a call, and NaN in a step of none.

    Returns
    -------
    onnx.ModelProto
        It has passed ``onnx.checker`` with ``full_check``.

    Raises
    ------
    ImportError
        Without the package onnx (the extra ``onnx``).
    TypeError, ValueError
        A layer that cannot be exported, or that reads the future.

    Notes
    -----
    There are no ``lengths``: in padding give dt = 0, where cells with elapsed time keep their state, or read the
    outputs at the steps that count.  The state at the start of a sequence is ``initial_state`` of the graph's metadata:
    numbers separated by spaces, usually zeros.
    """
    check_model("model", model)
    onnx = need("onnx", "onnx", "to_onnx")
    checks.one_of("kind", kind, ("sequence", "step"))
    step = proved(model)
    graph = _sequence(onnx, step, _strides(model)) if kind == "sequence" else _step(onnx, step)
    proto = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ltc_np"
    )
    known = {**identity(model), "initial_state": " ".join(map(str, step.start.tolist()))}
    onnx.helper.set_model_props(proto, known)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def write(model: Model, path: PathLike, *, kind: Literal["sequence", "step"] = "sequence") -> None:
    """Write `to_onnx` of a model to the file ``path``, whole or not at all."""
    path = pathlib.Path(path)
    files.check_path(path)
    content = to_onnx(model, kind=kind).SerializeToString()
    files.write(path, lambda file: file.write(content))


def _strides(model: Model) -> list[tuple[int, int]]:
    """Where in the state the phase of each layer with a stride is, and of how many of the model's steps."""
    stack, found, steps = model.layer_stack, list[tuple[int, int]](), 1
    for layer, where in zip(stack.layers, stack.states, strict=True):
        if layer.stride > 1:
            found.append((where.start + layer.state_slices["phase"].start, steps))
            steps *= layer.stride
    return found


class _Side(NamedTuple):
    """An input or output of a graph: its name, its shape but for batch and time, and the variable it belongs to."""

    name: str
    shape: tuple[int, ...]
    variable: str


class _Sides(NamedTuple):
    """What comes in and goes out, the state apart."""

    inputs: list[_Side]
    before: list[_Side]
    outputs: list[_Side]
    after: list[_Side]


def _sides(step: Program) -> _Sides:
    inputs = [_Side("x", (step.input_size,), "x")] + [_Side("dt", (), "dt")] * step.takes_dt
    before, after = (
        [_Side(name, (step.state_size,), "state")] * (step.state_size > 0) for name in ("state", "last_state")
    )
    return _Sides(inputs, before, [_Side("y", (step.output_size,), "y")], after)


def _tensors(onnx: Any, sides: Sequence[_Side], *leading: str) -> list[Any]:
    return [
        onnx.helper.make_tensor_value_info(side.name, onnx.TensorProto.FLOAT, [*leading, *side.shape]) for side in sides
    ]


def _step(onnx: Any, step: Program) -> Any:
    """The graph of a step."""
    inputs, before, outputs, after = _sides(step)
    writer = _Writer(onnx, step)
    nodes = writer.step([*inputs, *before], [*outputs, *after])
    sides = _tensors(onnx, [*inputs, *before], "batch"), _tensors(onnx, [*outputs, *after], "batch")
    return onnx.helper.make_graph(nodes, "step", *sides, writer.initializers)


def _sequence(onnx: Any, step: Program, strides: Sequence[tuple[int, int]]) -> Any:
    """The graph of a sequence: a Scan over the second axis, whose body is a step; of a stride, what falls due of it."""
    inputs, before, outputs, after = _sides(step)
    writer = _Writer(onnx, step)
    now = [side._replace(name=f"{side.name}_now") for side in (*before, *inputs)]
    then = [side._replace(name=f"{side.name}_then") for side in (*after, *outputs)]
    nodes = writer.step(now, then)
    body = onnx.helper.make_graph(nodes, "step", _tensors(onnx, now, "batch"), _tensors(onnx, then, "batch"))
    writer.nodes = []
    every = [f"{side.name}_every" if strides else side.name for side in outputs]
    scan = onnx.helper.make_node(
        "Scan",
        [side.name for side in (*before, *inputs)],
        [*(side.name for side in after), *every],
        body=body,
        num_scan_inputs=len(inputs),
        scan_input_axes=[1] * len(inputs),
        scan_output_axes=[1] * len(outputs),
    )
    sides = (
        _tensors(onnx, inputs, "batch", "time") + _tensors(onnx, before, "batch"),
        _tensors(onnx, outputs, "batch", "outputs" if strides else "time") + _tensors(onnx, after, "batch"),
    )
    if strides:
        writer.due_rows("x", "state", every[0], outputs[0].name, strides)
    return onnx.helper.make_graph([scan, *writer.nodes], "sequence", *sides, writer.initializers)


class _Writer:
    """Writes nodes; ``values`` says which tensor holds a variable now."""

    def __init__(self, onnx: Any, step: Program) -> None:
        self.onnx, self.program = onnx, step
        self.initializers: list[Any] = []
        self.nodes: list[Any] = []
        self.values: dict[str, str] = {}
        self.count = 0
        self.known: dict[bytes, str] = {}

    def name(self, stem: str = "v") -> str:
        self.count += 1
        return f"{stem}.{self.count}"

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node: the name of its output, or a list of several."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, kind: type = np.float32) -> str:
        """The name of a tensor that the model knows; equal ones are kept once."""
        array: np.ndarray = np.asarray(values, kind)
        key = repr((array.dtype.str, array.shape)).encode() + array.tobytes()
        if key not in self.known:
            self.known[key] = name = self.name("c")
            self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return self.known[key]

    def step(self, inputs: Sequence[_Side], outputs: Sequence[_Side]) -> list[Any]:
        """The nodes of one step, from tensors (B, size) or, of dt, (B,)."""
        for side in inputs:
            column = [] if side.shape else [self.constant([1], np.int64)]
            self.values[side.variable] = self.node("Unsqueeze", side.name, *column) if column else side.name
        if self.program.stride > 1:
            none = self.constant(np.full((1, self.program.output_size), np.nan))
            self.values["y"] = self.node("Add", self.zeros(self.program.output_size), none)
        self.stages(self.program.stages)
        for side in outputs:
            self.nodes.append(self.onnx.helper.make_node("Identity", [self.values[side.variable]], [side.name]))
        return self.nodes

    def stages(self, stages: Sequence[Stage]) -> None:
        """All of them; behind one with a phase a branch of the graph, whose results count for sequences in phase 0."""
        for k, stage in enumerate(stages):
            self.run(stage.statements)
            if stage.phase is None:
                continue
            behind = stages[k + 1 :]
            due = self.node("Equal", self.read(stage.phase), self.constant([[0.0]]))
            axes = self.constant([0, 1], np.int64)
            some = self.node("ReduceSum", self.node("Cast", due, to=self.onnx.TensorProto.FLOAT), axes, keepdims=0)
            changed = [
                name for name in written([s for own in behind for s in own.statements]) if name in ("state", "y")
            ]
            outer_nodes, outer_values = self.nodes, dict(self.values)
            self.nodes = []
            self.stages(behind)
            new = [self.node("Where", due, self.values[name], outer_values[name]) for name in changed]
            then = self.branch(new, changed)
            self.nodes, self.values = [], dict(outer_values)
            otherwise = self.branch([self.node("Identity", outer_values[name]) for name in changed], changed)
            self.nodes = outer_nodes
            going = self.node("Greater", some, self.constant(0.0))
            found = self.node("If", going, outputs=len(changed), then_branch=then, else_branch=otherwise)
            self.values.update(zip(changed, [found] if len(changed) == 1 else found, strict=True))
            return

    def branch(self, names: Sequence[str], variables: Sequence[str]) -> Any:
        """The nodes so far as a graph that gives these values of variables."""
        sizes = [["batch", self.program.variables[variable]] for variable in variables]
        given = [
            self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, size)
            for name, size in zip(names, sizes, strict=True)
        ]
        return self.onnx.helper.make_graph(self.nodes, "branch", [], given)

    def due_rows(self, x: str, state: str, every: str, y: str, strides: Sequence[tuple[int, int]]) -> None:
        """y (B, n, O): of ``every`` (B, T, O), what each step gives, the rows with outputs, 0 behind the last of each
        sequence; from the inputs ``x`` (B, T, I) and the state before them, (B, K)."""
        stride, INT = self.program.stride, self.onnx.TensorProto.INT64
        passed = self.node("Gather", state, self.constant([k for k, _ in strides], np.int64), axis=1)
        passed = self.node("Mul", self.node("Cast", passed, to=INT), self.constant([[n for _, n in strides]], np.int64))
        passed = self.node("ReduceSum", passed, self.constant([1], np.int64), keepdims=1)  # (B, 1), since an output
        T = self.node("Gather", self.node("Shape", x), self.constant(1, np.int64))
        counts = self.node("Div", self.node("Add", passed, T), self.constant(stride, np.int64))
        most = self.node("ReduceMax", counts, keepdims=0)
        numbers = self.node("Range", self.constant(0, np.int64), most, self.constant(1, np.int64))
        first = self.node("Sub", self.constant(stride - 1, np.int64), passed)
        steps = self.node("Add", self.node("Mul", numbers, self.constant(stride, np.int64)), first)  # (B, n)
        last = self.node("Sub", T, self.constant(1, np.int64))
        inside, column = self.node("LessOrEqual", steps, last), self.constant([2], np.int64)
        places = self.node("Unsqueeze", self.node("Min", steps, last), column)
        rows = self.node("GatherND", every, places, batch_dims=1)
        there = self.node("Unsqueeze", inside, column)
        self.nodes.append(self.onnx.helper.make_node("Where", [there, rows, self.constant([[[0.0]]])], [y]))

    # ------------------------------------------------------------------------------------------------- statements

    def run(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Map):
                self.put(statement.target, self.full(statement.target, self.read(statement.value), statement.value))
            elif isinstance(statement, Linear):
                product = self.node("MatMul", self.read(statement.source), self.constant(statement.weights.T))
                self.put(statement.target, self.node("Add", product, self.constant(statement.bias[None])))
            elif isinstance(statement, Synapses):
                self.synapses(statement)
            elif isinstance(statement, Total):
                self.put(statement.target, self.total(statement))
            else:
                statement = of_kind(statement, Repeat)
                self.repeat(statement)

    def synapses(self, synapses: Synapses) -> None:
        """Every neuron gets as many synapses as the one that has the most; those that are not there weigh nothing."""
        N, counts = synapses.first.size, np.diff(synapses.start)
        most = max(1, int(counts.max()))
        there = np.arange(most) < counts[:, None]

        def square(values: np.ndarray) -> np.ndarray:
            filled = np.zeros((N, most), values.dtype)
            filled[there] = values
            return filled

        source = self.node("Gather", self.read(synapses.source), self.constant(square(synapses.pre), np.int64), axis=1)
        difference = self.node("Sub", source, self.constant(square(synapses.mu)))
        s = self.node("Sigmoid", self.node("Mul", difference, self.constant(square(synapses.sigma))))
        sums = []
        for start, weight in (
            (synapses.first_start, synapses.first_weight),
            (synapses.second_start, synapses.second_weight),
        ):
            weighed = self.node("Mul", s, self.constant(square(weight)))
            added = self.node("ReduceSum", weighed, self.constant([2], np.int64), keepdims=0)
            sums.append(self.node("Add", added, self.read(start)))
        self.put(synapses.first, sums[0])
        self.put(synapses.second, sums[1])

    def total(self, statement: Total) -> str:
        values = self.full(Vector("", 0, statement.value.size), self.read(statement.value), statement.value)
        return self.node("ReduceSum", values, self.constant([1], np.int64), keepdims=1)

    def repeat(self, statement: Repeat) -> None:
        """Copies of the body, or a Loop that carries what the body writes."""
        if statement.count <= MOST_COPIES:
            for _ in range(statement.count):
                self.run(statement.body)
            return
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        carried = written(statement.body)
        for name in carried:
            self.values.setdefault(name, self.zeros(self.program.variables[name]))
        outer_nodes, outer_values = self.nodes, dict(self.values)
        self.nodes, inside = [], {name: self.name("loop") for name in carried}
        self.values.update(inside)
        self.run(statement.body)
        going, go_on = self.name("go"), self.name("go")
        self.nodes.append(helper.make_node("Identity", [going], [go_on]))
        after = [self.node("Identity", self.values[name]) for name in carried]

        def tensors(names: Sequence[str]) -> list[Any]:
            sizes = self.program.variables
            return [
                helper.make_tensor_value_info(name, kinds.FLOAT, ["batch", sizes[variable]])
                for name, variable in zip(names, carried, strict=True)
            ]

        body = helper.make_graph(
            self.nodes,
            "repeated",
            [
                helper.make_tensor_value_info(self.name("iteration"), kinds.INT64, []),
                helper.make_tensor_value_info(going, kinds.BOOL, []),
                *tensors([inside[name] for name in carried]),
            ],
            [helper.make_tensor_value_info(go_on, kinds.BOOL, []), *tensors(after)],
        )
        self.nodes, self.values = outer_nodes, outer_values
        count, true = self.constant(statement.count, np.int64), self.constant(True, np.bool_)
        before = [self.values[name] for name in carried]
        outputs = self.node("Loop", count, true, *before, outputs=len(carried), body=body)
        self.values.update(zip(carried, outputs if len(carried) > 1 else [outputs], strict=True))

    # -------------------------------------------------------------------------------------------------- variables

    def put(self, target: Vector, values: str) -> None:
        """Values (B, size) become those of a variable or of a part of it."""
        size = self.program.variables[target.name]
        if target.size != size:
            self.values.setdefault(target.name, self.zeros(size))
            parts = [Vector(target.name, 0, target.start)] if target.start else []
            end = target.start + target.size
            rest = [Vector(target.name, end, size - end)] if end < size else []
            around = [self.read(part) for part in parts], [self.read(part) for part in rest]
            values = self.node("Concat", *around[0], values, *around[1], axis=1)
        self.values[target.name] = values

    def full(self, target: Vector, values: str, expr: Expr) -> str:
        """Values of an expression as (B, size), also where it is of one element or of constants only."""
        if expr.size == target.size and any(
            isinstance(leaf, Vector) and leaf.size == expr.size for leaf in leaves(expr)
        ):
            return values
        return self.node("Add", values, self.zeros(target.size))

    def zeros(self, size: int) -> str:
        """Zeros (B, size), for a batch of this size."""
        first = self.node("Slice", self.values["x"], *(self.constant([k], np.int64) for k in (0, 1, 1)))
        return self.node("Mul", first, self.constant(np.zeros((1, size))))

    # ------------------------------------------------------------------------------------------------ expressions

    def read(self, expr: Expr) -> str:
        """The tensor of an expression's values, (B, size) or what broadcasts to it."""
        if isinstance(expr, Number):
            return self.constant([[expr.value]])
        if isinstance(expr, Constant):
            return self.constant(expr.values[None])
        if isinstance(expr, Vector):
            whole = self.values[expr.name]
            if expr.size == self.program.variables[expr.name]:
                return whole
            bounds = (self.constant([k], np.int64) for k in (expr.start, expr.start + expr.size, 1))
            return self.node("Slice", whole, *bounds)
        applied = of_kind(expr, Apply)
        return self.apply(applied.operation, [self.read(argument) for argument in applied.arguments])

    def apply(self, operation: str, of: Sequence[str]) -> str:
        if operation in NODES:
            return self.node(NODES[operation], *of)
        if operation == "select":
            return self.node("Where", self.node("Greater", of[0], self.constant([[0.0]])), of[1], of[2])
        one, half = self.constant([[1.0]]), self.constant([[0.5]])
        if operation == "normal_cdf":
            z = self.node("Mul", of[0], self.constant([[np.sqrt(0.5)]]))
            return self.node("Mul", self.node("Add", self.node("Erf", z), one), half)
        checks.must_know(__name__, "operation", operation, (*NODES, "select", "normal_cdf", "relaxed"))
        # 1 - exp(-r) is 2 t / (1 + t) with t = tanh(r / 2), without loss near 0.
        t = self.node("Tanh", self.node("Mul", of[0], half))
        rise = self.node("Div", self.node("Add", t, t), self.node("Add", one, t))
        none = self.node("Equal", of[0], self.constant([[0.0]]))
        return self.node("Where", none, one, self.node("Div", rise, self.node("Where", none, one, of[0])))
