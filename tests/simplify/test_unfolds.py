"""Fewer unfolds: what is found is the cheapest, its error is what it says, and everything else stays."""

import numpy as np
import pytest
from support.solvers import EXPLICIT, cases

from ltc_np import CTRNN, LTC, LTCRNN, AutoNCP, Bidirectional, Dense, Model, NeuralODE, Standardize, solver_error
from ltc_np.kernels.codes import SOLVERS, TABLEAUS
from ltc_np.simplify import fewer_unfolds
from ltc_np.simplify.unfolds import STABLE

X = np.random.default_rng(0).normal(size=(4, 12, 3))


def with_solver(model, solver, unfolds):
    """The same parameters with another solver, made anew."""
    layer = model.layers[0]
    other = LTCRNN(
        layer.wiring, 3, seed=1, solver=solver, ode_unfolds=unfolds, dtype=model.dtype, check_stability="off"
    )
    other.theta = model.theta
    return other


def relative(y, wanted):
    return np.sqrt(np.mean((y - wanted) ** 2)) / np.sqrt(np.mean(wanted.reshape(-1, wanted.shape[-1]).var(0)))


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.5, 2.0])
def test_the_cheapest_within_the_tolerance(tolerance):
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, dtype="float64")
    result = fewer_unfolds(model, X, tolerance, dt=0.7)
    wanted = model(X, dt=0.7)
    every = {
        (solver, n): relative(with_solver(model, solver, n)(X, dt=0.7), wanted)
        for solver in STABLE
        for n in range(1, 6 // SOLVERS[solver].stages + 1)
    }
    assert len(result.table) == len(every)
    for row in result.table:
        solver, n, _ = row.what.replace(",", "").split()
        assert row.error == pytest.approx(every[solver, int(n)], rel=1e-12, abs=1e-15)
        exact = solver_error(with_solver(model, solver, int(n)), X, dt=0.7)
        # The two references are settled to some 1e-5 each.
        assert row.others["solver_error"] == pytest.approx(exact.error, abs=1e-4)
    cost = {key: SOLVERS[key[0]].stages * key[1] for key in every}
    good = [key for key, error in every.items() if error <= tolerance]
    best = min(good, key=lambda key: (cost[key], every[key]))
    layer = result.model.layers[0]
    assert (layer.solver, layer.ode_unfolds) == best
    assert (result.model.theta == model.theta).all()
    assert result.error.relative == pytest.approx(every[best], rel=1e-12, abs=1e-15)
    wiring = model.wiring
    assert result.after.evaluations == wiring.sensory_synapse_count + wiring.synapse_count * cost[best]
    assert [row.size.evaluations for row in result.table] == sorted(row.size.evaluations for row in result.table)


def test_the_tolerance_itself_is_within_it_and_the_better_of_equal_cost_wins():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, dtype="float64")
    for solvers in (["semi_implicit", "exponential"], ["exponential", "semi_implicit"]):
        table = fewer_unfolds(model, X, 0.0, dt=0.7, solvers=solvers).table
        one, two = (row for row in table if row.what in ("exponential, 1 unfold", "semi_implicit, 2 unfolds"))
        assert one.size.evaluations == two.size.evaluations and one.error < two.error
        assert one.error < min(row.error for row in table if row.size.evaluations < one.size.evaluations)
        for tolerance in (one.error, 2 * two.error):
            cheapest = next(row for row in table if row.error <= tolerance)
            layer = fewer_unfolds(model, X, tolerance, dt=0.7, solvers=solvers).model.layers[0]
            assert cheapest.what.startswith(f"{layer.solver}, {layer.ode_unfolds} unfold")
        layer = fewer_unfolds(model, X, one.error, dt=0.7, solvers=solvers).model.layers[0]
        assert one.what == f"{layer.solver}, {layer.ode_unfolds} unfold"


def test_default_solvers_are_the_stable_ones():
    """tests/kernels/test_codes.py proves which are."""
    assert {"semi_implicit", "exponential"} <= {*STABLE} <= {*SOLVERS} - {*EXPLICIT} - {"euler", *TABLEAUS}
    assert [SOLVERS[name].limit for name in STABLE] == [None] * len(STABLE)


@pytest.mark.parametrize("solver", cases())
def test_every_solver_is_tried_if_it_is_asked_for(solver):
    model = LTCRNN(AutoNCP(5, 2), 3, seed=0, dtype="float64", ode_unfolds=SOLVERS[solver].stages, backend="numpy")
    wanted, (row,) = model(X, dt=0.1), fewer_unfolds(model, X, 10.0, dt=0.1, solvers=[solver]).table
    assert row.what == f"{solver}, 1 unfold"
    other = with_solver(model, solver, 1)
    assert row.error == pytest.approx(relative(other(X, dt=0.1), wanted), rel=1e-9, abs=1e-15)
    exact = with_solver(model, "rk4", 50)(X, dt=0.1)
    assert row.others["solver_error"] == pytest.approx(np.abs(other(X, dt=0.1) - exact).max(), rel=0.1, abs=1e-6)


def test_inside_stacks():
    model = Model(
        Standardize(mean=1.0), LTC(AutoNCP(8, 2)), Bidirectional(CTRNN(4, solver="rk4", ode_unfolds=2)), Dense(2),
        input_dim=3, seed=0, dtype="float64",
    )  # fmt: skip
    model.freeze("1")
    result = fewer_unfolds(model, X, 10.0, lengths=[12, 3, 0, 7])
    other = result.model.layers
    assert (other[1].solver, other[1].ode_unfolds) == ("semi_implicit", 1)
    assert (other[2].layer.solver, other[2].layer.ode_unfolds) == ("semi_implicit", 1)
    assert (other[0], other[3]) == (model.layers[0], model.layers[3])
    assert (result.model.trainable == model.trainable).all()
    assert len(result.table) == 8  # as many evaluations as the CTRNN has; exponential is nothing that it knows


def test_none_is_good_enough():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    result = fewer_unfolds(model, X, 1e-9, solvers=["exponential"])
    assert result.model is model
    assert result.error == (0, 0, 0)
    assert len(result.table) == 3


def test_what_check_stability_refuses_is_left_out():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, solver="rk4", ode_unfolds=3)
    found = fewer_unfolds(model, X, 10.0, solvers=["euler"])
    least = int(found.table[0].what.split()[1])
    with pytest.raises(ValueError, match="ode_unfolds"):
        LTCRNN(model.wiring, 3, seed=0, solver="euler", ode_unfolds=least - 1)(X)
    LTCRNN(model.wiring, 3, seed=0, solver="euler", ode_unfolds=least)(X)


def test_an_error_of_ones_own():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    y = with_solver(model, "exponential", 2)(X)
    result = fewer_unfolds(model, X, 1e-9, error=lambda other: other.evaluate(X, y)["loss"])
    layer = result.model.layers[0]
    assert (layer.solver, layer.ode_unfolds) == ("exponential", 2)
    assert result.error.relative > 0.01


def test_refusals():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    for arguments, options, error, text in (
        ((model, X, -1), {}, ValueError, "`tolerance` must be"),
        ((model, X, 0.1), {"solvers": "rk4"}, TypeError, "`solvers` must be a sequence of names"),
        ((model, X, 0.1), {"solvers": ["nystrom"]}, ValueError, "`solvers` must be .* got 'nystrom'"),
        ((model, X, 0.1), {"error": lambda _: "low"}, TypeError, "`result of error` must be"),
        ((Model(Dense(2), input_dim=3, seed=0), X, 0.1), {}, ValueError, "`model` must have a layer with a solver"),
        ((Model(NeuralODE(4), input_dim=3, seed=0), X, 0.1), {}, ValueError, r"all layers know \(euler, rk4"),
        (("ltc.npz", X, 0.1), {}, TypeError, "`model` must be a Model, got"),
        ((model, X), {}, TypeError, "needs `tolerance`"),
    ):
        with pytest.raises(error, match=text):
            fewer_unfolds(*arguments, **options)
