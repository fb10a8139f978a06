"""What the C text of a cell that is followed with its sensitivities consists of, and what its solvers are in C."""

from __future__ import annotations

from typing import NamedTuple


class CellText(NamedTuple):
    """Of a cell.

    Attributes
    ----------
    functions : str
        Definitions, the last of which takes a step: `NAME_k_cell(network, state, x, dt)`.
    feature : str
        Output number i of the cell.
    gradient : str
        Statements that set g, the gradient of the cell's parameters, from d_f, that of its outputs.
    sensitivities : int
        Numbers.
    scratch, gradient_scratch : int
        Numbers on the stack of a step, and of what sets the gradient.
    terms : int
        Products that a step adds up for the sensitivities.
    """

    functions: str
    feature: str
    gradient: str
    sensitivities: int
    scratch: int
    gradient_scratch: int
    terms: int


class Solver(NamedTuple):
    """An unfold v' = v + (P - Q v) h / den, h being the length of it, and of it in C

    Attributes
    ----------
    den : str
        Of the capacity cm.
    end : str
        The potential by which Q is multiplied in the derivative by it: dv' = h / den (dP - end dQ) + ...
    keep : str
        dv' / dv with P and Q held, of den and gain = h / den.
    by_length : str
        The factor, written with den, that turns P - Q v into the derivative dv' / dh of a cell whose cm is 1.
    """

    den: str
    end: str
    keep: str
    by_length: str


# Those with one evaluation in an unfold, by name.  The semi-implicit rule has v' itself as end, and
# dv' / dv = cm / den, both without cancellation.
SOLVERS = {
    "semi_implicit": Solver("{cm} + {h} * {Q}", "{new}", "{cm} / {den}", " / {den} / {den}"),
    "euler": Solver("{cm}", "{v}", "1 - {gain} * {Q}", ""),
}
