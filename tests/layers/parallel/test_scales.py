"""Gradients in chunks of layers whose parts have very different sizes: every number is right by its own size."""

import pytest
from support.scales import CELLS, Case, worst

from ltc_np.cells import CELLS as REGISTERED

# Of these the borders that were judged by the largest adjoint beside them let a wrong number through.
KNOWN = (12, 26, *(pytest.param(number, marks=pytest.mark.single) for number in (5, 33)))
HUNDREDS = 20


def check(case):
    (name, excess, found, wanted, allowed), reports = worst(case)
    assert excess <= 1, f"{name} is {found}, must be {wanted} up to {allowed}, of {case}"
    return reports


def test_every_cell_that_is_cut_is_drawn():
    """A cell without a line in the table, which would change what a number draws, is tried as it is."""
    drawn = {name.split(",")[0] for name in CELLS}
    for name, cell in REGISTERED.items():
        if cell.contracting and name not in drawn:
            assert check(Case(KNOWN[0], cell=cell(3)))


@pytest.mark.parametrize("number", KNOWN)
def test_every_number_by_its_own_size(number):
    assert check(Case(number))


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("hundred", range(HUNDREDS))
def test_many_numbers_by_their_own_size(hundred):
    """Cut as is asked for; every tenth as a model does by itself."""
    few = given_up = 0
    for number in range(100 * hundred, 100 * hundred + 100):
        case = Case(number) if number % 10 else Case(number, T=(2100, 2600), way="auto", B=1)
        reports = check(case)
        few += bool(reports)
        given_up += any(report.as_it_stands for report in reports)
    assert few >= 80 and given_up <= 60
