"""Steps of `ltc_np.optim.SGD` and `Adam` in C, on the gradient g of the parameters theta."""

from __future__ import annotations

import math
from typing import NamedTuple

from ....optim import SGD, Adam
from ..floats import Floats
from ..templates import filled


class OptimiserText(NamedTuple):
    """An optimiser.

    Attributes
    ----------
    moments : tuple of str
        Arrays as long as theta, 0 at the start.
    counts : bool
        Whether it needs ``network->steps``, how many it has taken.
    before : str
        Statements in front of the loop over the parameters p.
    change : str
        Statements of the loop: they set ``change``, what is subtracted from theta[p], and ``new_M`` for each moment M.
    """

    moments: tuple[str, ...]
    counts: bool
    before: str
    change: str


# Roots are taken of what is written only.  What is checked is at least as large, as rounded too, so what is written is
# finite; it refuses more than that only where epsilon / rate is below the inverse of what a moment may be, some 1e-20.
ADAM = """\
            const @real new_m = network->m[p] + (g[p] - network->m[p]) * @take1;
            const @real new_v = network->v[p] * @keep2 + g[p] * g[p] * @take2;
            const @real change = new_m * (write ? rate / (@root_of_v + epsilon) : most);
"""
MOMENTUM = """\
            const @real new_b = network->b[p] * @momentum + g[p];
            const @real change = @direction * @lr;
"""
PLAIN = """\
            const @real change = g[p] * @lr;
"""
# The corrections of the bias, 1 - beta**t, without cancellation.
BEFORE_ADAM = """\
    const @real @countedroot = @correction;
    const @real rate = @lr * root / @first, epsilon = @epsilon * root, most = rate / epsilon;
"""


def text(optimizer: Adam | SGD, name: str, arithmetic: Floats) -> OptimiserText:
    """That of an optimiser whose rate is a number."""
    literal = arithmetic.literal
    values: dict[str, object] = {"real": arithmetic.c_type, "lr": literal(optimizer.learning_rate)}
    if isinstance(optimizer, Adam):

        def call(function: str, argument: str) -> str:
            return arithmetic.used.call(function, name, argument)

        def corrected(beta: float) -> str:
            """1 - beta**t."""
            return f"-{call('expm1', f't * {literal(math.log(beta))}')}" if beta > 0 else "1"

        counts = optimizer.beta1 > 0 or optimizer.beta2 > 0
        values |= {
            "root_of_v": call("sqrt", "new_v"),
            "correction": call("sqrt", corrected(optimizer.beta2)),
            "first": corrected(optimizer.beta1),
            "epsilon": literal(optimizer.epsilon),
            "take1": literal(1 - optimizer.beta1),
            "keep2": literal(optimizer.beta2),
            "take2": literal(1 - optimizer.beta2),
            "counted": "t = network->steps + 1, " if counts else "",
        }
        return OptimiserText(("m", "v"), counts, filled(BEFORE_ADAM, values), filled(ADAM, values))
    if optimizer.momentum == 0:
        return OptimiserText((), False, "", filled(PLAIN, values))
    values |= {"momentum": literal(optimizer.momentum)}
    values |= {"direction": filled("(new_b * @momentum + g[p])", values) if optimizer.nesterov else "new_b"}
    return OptimiserText(("b",), False, "", filled(MOMENTUM, values))
