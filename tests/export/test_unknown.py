"""What reads programs refuses statements, expressions and operations that it does not know."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from ltc_np import LTCRNN, AutoNCP
from ltc_np.export import c, counts, fixed, onnx, web
from ltc_np.export.c.floats import Floats
from ltc_np.export.c.prepare import prepared
from ltc_np.export.c.source import source
from ltc_np.export.fixed.c import Fixed
from ltc_np.export.fixed.formats import Formats
from ltc_np.export.fixed.primitives import Integer, integer
from ltc_np.export.fixed.ranges import Ranges
from ltc_np.export.fixed.run import FixedMachine
from ltc_np.export.fixed.translate import Translator
from ltc_np.export.operations import OPERATIONS
from ltc_np.export.program import Apply, Expr, Map, Number, Program, Stage, Vector, apply
from ltc_np.export.run import Machine
from ltc_np.online import Learner
from ltc_np.sklearn import LTCRegressor

X, Y = Vector("x", 0, 2), Vector("y", 0, 2)
KNOWN = X + 1.0


@dataclass(frozen=True, eq=False)
class Other(Expr):
    size: int = 2


@dataclass(frozen=True, eq=False)
class Sorted:
    target: Vector
    value: Expr


def one(statement):
    """A program of one statement."""
    return Program(2, 2, 0, False, np.zeros(0), (Stage("own", (statement,), {}),))


def translated(program):
    """By the ranges of a program that is known."""
    data = SimpleNamespace(x=np.ones((1, 1, 2)), dt=np.ones((1, 1)), lengths=np.ones(1, int))
    known = one(Map(Y, KNOWN))
    ranges = Ranges(known, data)
    return Translator(program, ranges, Formats(known, ranges, 2.0), 2.0).program


def graph(program):
    writer = onnx._Writer(pytest.importorskip("onnx"), program)
    return writer.step([onnx._Side("x", (2,), "x")], [onnx._Side("y", (2,), "y")])


INTEGERS = {
    "fixed point": lambda program: FixedMachine(program, 1).step(np.ones((1, 2), int), np.ones(1, int)),
    "C of fixed point": lambda program: source(program, "p", Fixed("p", {"x": 9, "y": 9}), False, ""),
}
READERS = {
    "NumPy": lambda program: Machine(program, 1).step(np.ones((1, 2))),
    "prepared": lambda program: prepared(program),
    "C with math.h": lambda program: source(program, "p", Floats("double", True), False, ""),
    "C of its own": lambda program: source(program, "p", Floats("float", False), True, ""),
    "ONNX": graph,
    "translated": translated,
    **INTEGERS,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_statement_that_nobody_knows(reader):
    if reader != "prepared":
        READERS[reader](one(Map(Y, number(reader) if reader in INTEGERS else KNOWN)))
    with pytest.raises(
        TypeError, match="`program` must have statements and expressions that are known here, got Sorted"
    ):
        READERS[reader](one(Sorted(Y, number(reader))))


def number(reader):
    return Number(3) if reader in INTEGERS else X


@pytest.mark.parametrize("reader", sorted(READERS.keys() - {"prepared"}))
@pytest.mark.parametrize("inside", [False, True])
def test_an_expression_that_nobody_knows(reader, inside):
    value = Other()
    if inside:
        value = Integer("negative", (value,), 2, (0,)) if reader in INTEGERS else Apply("negative", (value,), 2)
    with pytest.raises(
        TypeError, match="`program` must have statements and expressions that are known here, got Other"
    ):
        READERS[reader](one(Map(Y, value)))


@pytest.mark.parametrize("reader", sorted(READERS.keys() - {"prepared"}))
def test_an_operation_that_nobody_knows(reader):
    value = Integer("cbrt", (X,), 2) if reader in INTEGERS else Apply("cbrt", (X,), 2)
    with pytest.raises(ValueError, match="`operation` must be one of .* which are all that ltc_np.* knows, got 'cbrt'"):
        READERS[reader](one(Map(Y, value)))


@pytest.mark.parametrize("make", [lambda: apply("cbrt", X), lambda: integer("cbrt", (X,), (), 0)])
def test_none_is_made(make):
    with pytest.raises(ValueError, match="`operation` must be one of .* which are all that ltc_np.* knows, got 'cbrt'"):
        make()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("reader", ["NumPy", "C with math.h", "C of its own", "ONNX", "translated"])
def test_every_operation_is_known_to_every_reader(reader, operation):
    READERS[reader](one(Map(Y, Apply(operation, (X,) * OPERATIONS[operation].arguments, 2))))


def test_operations_are_counted_by_their_names():
    assert counts.operations(one(Map(Y, apply("tanh", KNOWN)))) == {"tanh": 2, "add": 2}
    with pytest.raises(TypeError, match="known here, got Sorted"):
        counts.operations(one(Sorted(Y, X)))


def test_numbers_of_c_are_float_or_double():
    with pytest.raises(KeyError, match="half"):
        Floats("half", True)


def test_what_is_no_model_is_refused_by_every_export(tmp_path):
    learner = Learner(LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0), "adam")
    for model, message in (
        ("model.npz", "`ltc_np.load` reads one from a file$"),
        (LTCRegressor(), "of an estimator that is fitted give its `model_`$"),
        (learner, r"give what its `network\(\)` returns$"),
        (None, "`model` must be a Model, got None$"),
    ):
        for write in (
            lambda model: c.write(model, tmp_path / "c"),
            lambda model: fixed.quantise(model, np.zeros((3, 2))),
            lambda model: onnx.write(model, tmp_path / "a.onnx"),
            lambda model: web.write(model, tmp_path / "a.js"),
        ):
            with pytest.raises(TypeError, match=message):
                write(model)
    assert list(tmp_path.iterdir()) == []
