"""Programs against the models that they were made of."""

import re

import numpy as np
import pytest
from support.exported import LAYERS, MAKERS, WITHOUT, I, features, made, random_model

from ltc_np import (
    GRU,
    LTC,
    S4D,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    LiquidS4,
    LrcSSM,
    Model,
    RandomConvolutions,
    SpikingLIF,
    Standardize,
)
from ltc_np.base.layout import raw
from ltc_np.export.lower import declared, program
from ltc_np.export.lower.layers import LOWERINGS
from ltc_np.export.program import Apply, Map, Number, Total, statements
from ltc_np.export.run import Machine
from ltc_np.layers.registry import LAYERS as REGISTRY

STEPS, B = 12, 4


def compare(model, rng, dt=None, error=1e-12):
    """Outputs and states of both by other orders of the same operations in float64, so within some roundings."""
    found, state = program(model, dt), None
    machine = Machine(found, B)
    for t in range(STEPS):
        x, own = rng.standard_normal((B, model.input_size)), 0.3 * rng.exponential(size=B) * (t % 3 > 0)
        own = np.full(B, dt) if dt is not None else own
        y, state = model.step(x, dt=own if model.takes_dt else None, state=state)
        np.testing.assert_allclose(machine.step(x, own), y, rtol=error, atol=error)
        np.testing.assert_allclose(found.to_model(machine.values["state"].T), state, rtol=error, atol=error)


STACKS = {name: Model(*layers, input_dim=features(layers)).layer_stack for name, layers in LAYERS.items()}
TIMED = [name for name, stack in STACKS.items() if stack.takes_dt]
STAY = [name for name in TIMED if STACKS[name].dt0_identity and STACKS[name].state_size]


@pytest.mark.few(100)
@pytest.mark.parametrize("name", LAYERS)
def test_a_program_computes_the_steps_of_its_model(name, rng):
    compare(made(LAYERS[name], rng), rng)


@pytest.mark.parametrize("liquid", [None, "exact", "discrete", "kb", "pb"])
def test_small_inputs_keep_their_digits(liquid, rng):
    """What they do is not found again as a difference of numbers that are much larger."""
    layer = S4D(4) if liquid is None else LiquidS4(4, liquid=liquid)
    model, size = Model(layer, input_dim=2, seed=0, dtype="float64"), 1e-9
    machine, state = Machine(program(model), B), None
    for _ in range(STEPS):
        x, dt = size * rng.standard_normal((B, 2)), rng.uniform(size=B)
        y, state = model.step(x, dt=dt, state=state)
        np.testing.assert_allclose(machine.step(x, dt), y, rtol=0, atol=1e-13 * size)


@pytest.mark.few(50)
@pytest.mark.parametrize("name", LAYERS)
def test_a_program_computes_the_steps_of_a_model_as_it_begins(name, rng):
    """Many parameters are all the same then, and are one number in the program."""
    compare(Model(*LAYERS[name], input_dim=features(LAYERS[name]), seed=1, dtype="float64", backend="numpy"), rng)


@pytest.mark.few(50)
@pytest.mark.parametrize("name", TIMED)
def test_a_program_of_one_elapsed_time_computes_them_too(name, rng):
    model = made(LAYERS[name], rng)
    compare(model, rng, dt=0.05)
    assert not program(model, 0.05).takes_dt


@pytest.mark.few(30)
@pytest.mark.parametrize("seed", range(250))
def test_random_stacks(seed):
    """Each layer passes the roundings of those before it on, and may make them larger."""
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    compare(model, rng, 0.1 if model.takes_dt and seed % 4 == 0 else None, error=1e-10)


# One or two of each kind of cell, with states that do not grow.
ORDINARY = """
    LTC 0, LTC exponential 0, LTC explicit 1, LRC 0, LRC 2, CfC 0, CfC 3, CfC pure 1, WiredCfC 0, WiredCfC pure 0,
    LSTM 0, GRU 0, CTGRU 0, CTGRU 1, CTRNN 0, CTRNN unbounded 1, LrcSSM 1, S4D 0, S4D 1, LiquidS4 0, LiquidS4 1,
    LiquidS4 kernels 0, LiquidS4 kernels 1, LiquidS4 bounded 0, LiquidS4 bounded 1, MixedMemory 0, MixedMemory 1,
    Residual block 0, Standardize 1
"""


@pytest.mark.slow
@pytest.mark.few(6)
@pytest.mark.parametrize("name", re.split(r",\s+", ORDINARY.strip()))
def test_single_precision_is_enough(name, rng):
    """Over 1,000 steps, some of no time: a state that forgets forgets its roundings too."""
    found = program(Model(*LAYERS[name], input_dim=features(LAYERS[name]), seed=1, dtype="float32", backend="numpy"))
    single, double = Machine(found, 2, np.float32), Machine(found, 2)
    for t in range(1000):
        x = rng.standard_normal((2, found.input_size)).astype(np.float32)
        dt = (0.3 * rng.exponential(size=2) * (t % 10 > 0)).astype(np.float32)
        y = double.step(x, dt)
        np.testing.assert_allclose(single.step(x, dt), y, rtol=0, atol=1e-5 * max(1, np.abs(y).max()))


def test_a_narrow_symmetric_elastance_keeps_its_digits(rng):
    """In steps as long as it makes the units slow.  A difference of sigmoids would be noise."""
    model = Model(LrcSSM(5, elastance="symmetric", check_stability="off"), input_dim=I, seed=1, dtype="float32")
    model.params["elastance_shift"] = raw(np.full(5, 1e-6), "softplus")
    found = program(model)
    single, double = Machine(found, 2, np.float32), Machine(found, 2)
    for _ in range(3):
        x, dt = rng.standard_normal((2, I)).astype(np.float32), np.full(2, 1e6, np.float32)
        np.testing.assert_allclose(single.step(x, dt), double.step(x, dt), rtol=1e-5)


def keys(expr):
    """All operations in an expression, as what two equal ones have in common; and each one's size."""
    if not isinstance(expr, Apply):
        return getattr(expr, "value", None) if isinstance(expr, Number) else expr, []
    own, inner = zip(*map(keys, expr.arguments), strict=True)
    key = expr.operation, own
    return key, [*(found for each in inner for found in each), (key, expr.size)]


def values(found):
    """What the statements of a program compute, but for products with matrices and synapses."""
    for stage in found.stages:
        for statement, _ in statements(stage.statements):
            if isinstance(statement, (Map, Total)):
                yield statement.value


@pytest.mark.few(60)
@pytest.mark.parametrize("name", LAYERS)
def test_a_statement_computes_nothing_twice(name, rng):
    """Neither the same operation of an element, nor for each element what all have in common."""
    model = made(LAYERS[name], rng)
    for dt in (None, 0.1) if model.takes_dt else (None,):
        for value in values(program(model, dt)):
            found = keys(value)[1]
            twice = {key for k, (key, _) in enumerate(found) if key in [other for other, _ in found[:k]]}
            assert not twice, f"store this before, which is computed twice: {twice}"
            common = [key for key, size in found if size == 1]
            assert value.size == 1 or not common, f"store this before, which all elements have in common: {common}"


def operations(model, dt=None):
    """The names of all operations of a program."""
    return {key[0] for value in values(program(model, dt)) for key, _ in keys(value)[1]}


def test_what_is_known_is_not_computed():
    space = Model(S4D(4), input_dim=2, seed=0)
    assert {"relaxed", "sin", "cos"} <= operations(space)
    assert operations(space, dt=0.1) == {"add", "subtract", "multiply"}
    cfc = Model(CfC(5), input_dim=2, seed=0)
    heads = [size for dt in (None, 0.1) for name, size in program(cfc, dt).variables.items() if "heads" in name]
    assert heads == [4 * 5, 3 * 5]
    assert operations(Model(Dense(2), Standardize(), input_dim=2)) == set()  # a mean of 0 and a scale of 1


def test_every_layer_has_a_lowering_or_cannot_have_one():
    assert {kind.__name__ for kind in LOWERINGS} | set(WITHOUT) == set(REGISTRY)
    assert not {kind.__name__ for kind in LOWERINGS} & set(WITHOUT)
    assert set(MAKERS) == {kind.__name__ for kind in LOWERINGS}  # so random stacks have all of them


@pytest.mark.parametrize("name", ["nothing.lower", "gru.nothing", "gru"])
def test_a_lowering_that_is_not_there_is_an_error(name):
    kind = type("Cell", (GRU,), {"lowering": name})
    with pytest.raises(ValueError, match=f"`lowering` of Cell must be a file .* and a function in it, got '{name}'"):
        declared(kind)


@pytest.mark.few(60)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STAY)
def test_a_step_of_no_time_changes_no_state_that_it_must_not(name, dtype, rng):
    """To the bit, for layers that say so."""
    model = made(LAYERS[name], rng)
    machine = Machine(program(model), B, dtype)
    for dt in (0.3, 0.1):
        machine.step(rng.standard_normal((B, model.input_size)), dt)
    before = machine.values["state"].copy()
    machine.step(rng.standard_normal((B, model.input_size)), 0.0)
    np.testing.assert_array_equal(machine.values["state"], before)


def test_what_cannot_be_exported_says_so():
    class Own(Dense):
        pass

    with pytest.raises(TypeError, match=r"`model` must consist of layers that can be exported \(.*LTC.*\), got Own"):
        program(Model(Own(2), input_dim=I))
    with pytest.raises(TypeError, match=r"got RandomConvolutions.*: fit with shortcut=\"ridge\" or None"):
        program(Model(RandomConvolutions(2), input_dim=I))
    with pytest.raises(ValueError, match="`model` must be causal"):
        program(Model(Bidirectional(LTC(AutoNCP(9, 2))), input_dim=I))
    with pytest.raises(TypeError, match="`model` must not have relaxed spikes, which are for tests, got SpikingLIF"):
        program(Model(SpikingLIF(2, relaxed=True), input_dim=I))
    with pytest.raises(ValueError, match="`dt` must be a finite number >= 0, got -1"):
        program(Model(LTC(AutoNCP(9, 2)), input_dim=I), dt=-1.0)
    with pytest.raises(ValueError, match="`dt` must be None, since no layer of the model takes elapsed times"):
        program(Model(GRU(2), input_dim=I), dt=1.0)
