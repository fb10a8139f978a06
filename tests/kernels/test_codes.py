"""What kernels know by number or by position."""

import math

import numpy as np
import pytest

from ltc_np import CTRNN, LRC, LTC, FullyConnected, LrcSSM, NeuralODE
from ltc_np.kernels.codes import (
    EXPONENTIAL_PART,
    FIRST_TABLEAU,
    LARGEST_DECAY,
    MOST_STAGES,
    NEURON,
    REACH,
    SENSORY,
    SOLVERS,
    SYNAPSE,
    TABLEAUS,
    WEIGHT,
    Rule,
)
from ltc_np.kernels.numpy.ltc_solvers import advance


def test_a_rule_says_how_often_a_step_evaluates_its_synapses():
    assert SOLVERS["rk4"].rule(3) == Rule(solver=SOLVERS["rk4"].number, stages=4, unfolds=3)
    assert SOLVERS["rk4"].rule(3).evaluations == 12
    assert sorted(solver.number for solver in SOLVERS.values()) == list(range(len(SOLVERS)))
    for name, solver in SOLVERS.items():
        assert solver.name == name
        assert (solver.number >= FIRST_TABLEAU) == (name in TABLEAUS)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_what_a_row_says_of_stability_is_true(solver):
    """One unfold of v' = -v from 1, by NumPy's stages: errors never grow, or up to the limit; the hull is 0..1."""

    def factor(r):
        h, one, v, total = np.array([[r]]), np.ones((1, 1)), np.ones((1, 1)), None
        for stage in range(solver.stages):
            v, total = advance(solver.number, stage, h, np.ones(1), 0 * one, one, one, v, total)
        return float(v[0, 0])

    short, long = np.linspace(0.01, 1.5, 30), np.geomspace(1.5, 1e9, 60)
    assert factor(0.0) == 1
    assert factor(1e-3) == pytest.approx(np.exp(-1e-3), rel=1e-3 ** (solver.order + 1))
    factors = np.array([factor(r) for r in (*short, *long)])
    assert (np.abs(factors) <= 1).all() == (solver.limit is None)
    assert (factors >= 0).all() or not solver.hull
    if solver.limit is not None:
        assert abs(factor(0.999 * solver.limit)) < 1 < abs(factor(1.001 * solver.limit))


explicit = pytest.mark.parametrize("solver", TABLEAUS.values(), ids=TABLEAUS)


@explicit
def test_a_tableau_integrates_polynomials_exactly(solver):
    """The stages stand at 0, then where the stage before reaches."""
    *reach, last = solver.reach
    assert last == 0 and min(reach) > 0 and len(solver.weight) == solver.stages
    at = np.array([0.0, *reach])
    for degree in range(solver.order):
        assert np.dot(solver.weight, at**degree) == pytest.approx(1 / (degree + 1), rel=1e-15)


@explicit
def test_errors_grow_beyond_the_limit_of_a_tableau(solver):
    """One unfold of v' = -v: by how much it multiplies a difference."""

    def factor(r):
        v = total = 1.0
        for reach, weight in zip(solver.reach, solver.weight, strict=True):
            total, v = total - weight * r * v, 1 - reach * r * v
        return total

    assert abs(factor(solver.limit)) <= 1 + 1e-3
    assert abs(factor(0.999 * solver.limit)) < 1
    assert abs(factor(1.001 * solver.limit)) > 1
    assert np.exp(-1e-3) == pytest.approx(factor(1e-3), rel=1e-3 ** (solver.order + 1))


@pytest.mark.parametrize(
    "solver", [row for row in TABLEAUS.values() if row.stages == row.order], ids=lambda row: row.name
)
def test_the_limit_of_a_tableau_is_that_of_a_series(solver):
    """With as many stages as its order a rule multiplies by the series of e**-r up to that power, whatever its numbers.

    The limit is where that leaves -1..1, cut to three digits: never beyond.
    """
    series = np.polynomial.Polynomial([(-1) ** k / math.factorial(k) for k in range(solver.order + 1)])
    ends = [root.real for end in (1, -1) for root in (series - end).roots() if abs(root.imag) < 1e-9 < root.real]
    assert solver.limit == math.floor(1000 * min(ends) + 1e-6) / 1000


def test_limits_that_were_computed_elsewhere():
    """2.5127453266 and 2.7852935634, by bisection."""
    limits = {name: row.limit for name, row in TABLEAUS.items()}
    assert limits | {"rk4": 2.785, "bogacki_shampine": 2.512, "ralston": 2.0} == limits


CELLS = {
    "LTC": lambda solver: LTC(FullyConnected(3), input_dim=2, solver=solver),
    "LRC": lambda solver: LRC(FullyConnected(3), input_dim=2, solver=solver),
    "LrcSSM": lambda solver: LrcSSM(3, solver=solver),
    "CTRNN": lambda solver: CTRNN(3, solver=solver),
    "NeuralODE": lambda solver: NeuralODE(3, solver=solver),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_that_kernels_have_not_is_refused(cell, monkeypatch):
    """One that is added or changed after the import: compiled kernels have the numbers that the file had."""
    tableau = {"stages": 2, "order": 2, "limit": 2.0, "reach": (1.0, 0.0), "weight": (0.5, 0.5)}
    heun = SOLVERS["rk4"]._replace(name="heun", **tableau)
    for name, row in {"heun": heun, "rk4": SOLVERS["rk4"]._replace(weight=(0.25,) * 4)}.items():
        monkeypatch.setitem(SOLVERS, name, row)
        with pytest.raises(
            ValueError, match="`solver` must be .*got 'heun'" if name == "heun" else "SOLVERS in ltc_np/"
        ):
            CELLS[cell](name)


@explicit
def test_compiled_kernels_find_a_tableau(solver):
    for stage in range(solver.stages):
        k = (solver.number - FIRST_TABLEAU) * MOST_STAGES + stage
        assert (REACH[k], WEIGHT[k]) == (solver.reach[stage], solver.weight[stage])


def test_coefficients_of_the_exponential_solver():
    assert EXPONENTIAL_PART == (0.5, 1.0)  # P and Q are frozen in the middle
    with np.errstate(under="ignore"):
        assert np.exp(np.float32(-LARGEST_DECAY)) == np.exp(np.float64(-LARGEST_DECAY)) == 0


def test_parameters_have_one_order():
    assert NEURON == ("cm", "gleak", "vleak")
    assert tuple("sensory_" + name for name in SYNAPSE) == SENSORY
