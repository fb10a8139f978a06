"""Which numbers of a program share a format."""

from types import SimpleNamespace

import numpy as np
import pytest

from ltc_np import Dense, Model
from ltc_np.export.builder import Builder
from ltc_np.export.fixed import quantise
from ltc_np.export.fixed.bound import bound
from ltc_np.export.fixed.formats import Formats
from ltc_np.export.fixed.ranges import Ranges
from ltc_np.export.program import Linear, Program, Vector, apply, statements

X, STATE = Vector("x", 0, 1), Vector("state", 0, 1)
# What the state becomes of a variable that is far larger: it may be that variable, but for what is added.
WAYS = {
    "subtract": lambda between: between - 999.0 * X,
    "second of select": lambda between: apply("select", -X, between, 1.0 * X),
    "third of select": lambda between: apply("select", X, 1.0 * X, between),
    "minimum": lambda between: apply("minimum", 1.0 * X, between),
    "maximum": lambda between: apply("maximum", between - 2000.0 * X, 1.0 * X),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_state_becomes_has_its_format(way):
    """So that state + 0 is the state, bit by bit, by whatever way."""
    b = Builder()
    between = b.store(STATE + 1000.0 * X, "between")
    b.assign(STATE, WAYS[way](between))
    b.assign(Vector("y", 0, 1), STATE)
    b.end_stage("one")
    program = Program(1, 1, 1, False, np.zeros(1), tuple(b.stages))
    data = SimpleNamespace(x=np.ones((1, 2, 1)), dt=np.ones((1, 2)), lengths=np.array([2]))
    ranges = Ranges(program, data)
    assert ranges.elements[between.name] > 100 * ranges.elements["state"]
    formats = Formats(program, ranges, 2.0)
    assert formats.of(between) == formats.of(STATE)


def test_a_chain_of_variables_has_one_format():
    """What a state becomes is found from its end: the first of the chain only when the second is known."""
    b = Builder()
    first = b.store(STATE + 1000.0 * X, "first")
    second = b.store(first - 500.0 * X, "second")
    b.assign(STATE, second - 499.0 * X)
    b.assign(Vector("y", 0, 1), STATE)
    b.end_stage("one")
    program = Program(1, 1, 1, False, np.zeros(1), tuple(b.stages))
    data = SimpleNamespace(x=np.ones((1, 2, 1)), dt=np.ones((1, 2)), lengths=np.array([2]))
    formats = Formats(program, Ranges(program, data), 2.0)
    assert formats.of(first) == formats.of(second) == formats.of(STATE)


def test_what_no_state_becomes_has_a_format_of_its_own():
    b = Builder()
    large = b.store(1000.0 * X, "large")
    b.assign(STATE, large * 0.001)
    b.assign(Vector("y", 0, 1), STATE)
    b.end_stage("one")
    program = Program(1, 1, 1, False, np.zeros(1), tuple(b.stages))
    data = SimpleNamespace(x=np.ones((1, 2, 1)), dt=np.ones((1, 2)), lengths=np.array([2]))
    formats = Formats(program, Ranges(program, data), 2.0)
    assert formats.of(STATE) > formats.of(large)


def test_sums_of_products_fit_into_64_bits(rng):
    """Sources have 31 bits, and rounding adds to the sum."""
    model = Model(Dense(2), input_dim=64, seed=0, dtype="float64")
    model.theta[:] = 1
    program = quantise(model, rng.standard_normal((2, 3, 64))).program
    own = [each for stage in program.stages for each, _ in statements(stage.statements) if isinstance(each, Linear)]
    assert [2**28 < np.abs(each.weights).sum(1).max() <= 2**30 for each in own] == [True]


def test_each_sequence_is_a_stretch_of_its_own():
    """By hand: 32 sequences of one step, whose logarithms are 0 and -1 in turn; two at a time are all alike."""
    error = np.array([1.0, 0.5] * 16)[:, None]
    assert bound(error, 32, 1e-9) == 2.0 ** (2 + 4 * 0.5)
    assert bound(error, 1, 1e-9) == 2.0**2
