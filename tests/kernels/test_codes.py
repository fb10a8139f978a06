"""What kernels know by number or by position."""

import numpy as np
import pytest

from ltc_np.kernels.codes import (
    EXPONENTIAL_PART,
    LARGEST_DECAY,
    NEURON,
    RK4_REACH,
    RK4_WEIGHT,
    SENSORY,
    SOLVERS,
    SYNAPSE,
    Rule,
)


def test_a_rule_says_how_often_a_step_evaluates_its_synapses():
    assert SOLVERS["rk4"].rule(3) == Rule(solver=2, stages=4, unfolds=3)
    assert SOLVERS["rk4"].rule(3).evaluations == 12
    assert [solver.number for solver in SOLVERS.values()] == [0, 1, 2, 3]


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_coefficients_of_rk4_integrate_polynomials_exactly(degree):
    """The stages stand at 0, then where the stage before reaches; weights are those of Simpson's rule."""
    at = np.array([0.0, *RK4_REACH[:3]])
    assert np.dot(RK4_WEIGHT, at**degree) == pytest.approx(1 / (degree + 1), rel=1e-15)


def test_coefficients_of_the_exponential_solver():
    assert EXPONENTIAL_PART == (0.5, 1.0)  # P and Q are frozen in the middle
    with np.errstate(under="ignore"):
        assert np.exp(np.float32(-LARGEST_DECAY)) == np.exp(np.float64(-LARGEST_DECAY)) == 0


def test_parameters_have_one_order():
    assert NEURON == ("cm", "gleak", "vleak")
    assert tuple("sensory_" + name for name in SYNAPSE) == SENSORY
