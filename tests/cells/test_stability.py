"""The longest unfolds that an explicit solver can take."""

import re

import numpy as np
import pytest
from support.solvers import EXPLICIT

from ltc_np.cells.stability import check_step
from ltc_np.kernels.codes import SOLVERS

DT = np.array([[0.5, 1.5], [3.0, 0.0]])


@pytest.mark.parametrize("solver", EXPLICIT)
def test_the_unfolds_of_the_message_are_enough_and_the_fewest(solver):
    method, fastest = SOLVERS[solver], 7.3

    def check(unfolds):
        check_step(method, "h/tau", "", fastest, DT, unfolds, 'solver="other"', "error")

    with pytest.raises(ValueError, match=f'must keep h/tau < {method.limit:g} with solver="{solver}"') as error:
        check(1)
    (unfolds,) = map(int, re.findall(r"use ode_unfolds=(\d+), solver=\"other\"", str(error.value)))
    check(unfolds)
    with pytest.raises(ValueError, match="got "):
        check(unfolds - 1)


def test_the_limit_itself_is_too_long():
    def check(name, fastest, unfolds):
        check_step(SOLVERS[name], "h/tau", "", fastest, np.ones((1, 1)), unfolds, "", "error")

    check("euler", np.nextafter(6.0, 0), 3)
    with pytest.raises(ValueError, match="got 2 for dt = 1: use ode_unfolds=4"):
        check("euler", 6.0, 3)
    # 2.785 * 51 / 2.785 is rounded to less than 51, and 2.785 * 51 / 51 to 2.785.
    with pytest.raises(ValueError, match="use ode_unfolds=52"):
        check("rk4", 2.785 * 51, 51)


def test_a_warning_where_it_is_asked_for():
    with pytest.warns(RuntimeWarning, match=r"h\*Q/cm < 2 .*got 3 for dt = 3"):
        check_step(SOLVERS["euler"], "h*Q/cm", "", 1.0, DT, 1, "", "warn")
