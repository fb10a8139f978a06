"""Functions in the C text of float and double: calls of math.h, or definitions that need no library."""

from __future__ import annotations

from collections.abc import Sequence

from ...base import checks
from ...base.layout import LEAST
from . import freestanding
from .templates import filled

# What math.h calls them.
OF_LIBM = {
    "sqrt": "sqrt",
    "exp": "exp",
    "sin": "sin",
    "cos": "cos",
    "tanh": "tanh",
    "absolute": "fabs",
    "expm1": "expm1",
}

# Definitions in terms of math.h.  @real is the type, @name what names begin with, @f an f behind functions of float.
WITH_LIBM = {
    "minimum": "static @real @name_minimum(@real a, @real b)\n{\n    return a < b ? a : b;\n}\n",
    "maximum": "static @real @name_maximum(@real a, @real b)\n{\n    return a > b ? a : b;\n}\n",
    "select": "static @real @name_select(@real c, @real a, @real b)\n{\n    return c > 0 ? a : b;\n}\n",
    "sigmoid": "static @real @name_sigmoid(@real z)\n{\n    return 1 / (1 + exp@f(-z));\n}\n",
    "relaxed": """\
/* (1 - exp(-r)) / r, which is 1 at r = 0. */
static @real @name_relaxed(@real r)
{
    return r != 0 ? -expm1@f(-r) / r : 1;
}
""",
    "normal_cdf": """\
/* The normal distribution function. */
static @real @name_normal_cdf(@real z)
{
    return erfc@f(z * @minus_sqrt_half) / 2;
}
""",
    "softplus": """\
/* log(1 + exp(x)), as `ltc_np.base.layout` has it. */
static @real @name_softplus(@real x)
{
    const @real p = log1p@f(exp@f(x < 0 ? x : -x)) + (x > 0 ? x : 0);
    return p < @least ? @least : p;
}
""",
}
NUMBERS = {
    "float": {"minus_sqrt_half": "-0.70710678f", "least": f"{LEAST[4]:.9g}f"},
    "double": {"minus_sqrt_half": "-0.70710678118654752", "least": f"{LEAST[8]:.17g}"},
}


class Functions:
    """Remembers which functions a text calls, and defines them.

    Parameters
    ----------
    c_type : "float" or "double"
    libm : bool
        Whether math.h is used; without it there are functions of float only.
    """

    def __init__(self, c_type: str, libm: bool) -> None:
        if not libm and c_type != "float":
            raise ValueError("`libm` must be True with numbers of type double: functions of its own are in float only")
        self.c_type: str = c_type
        self.libm: bool = libm
        self._known = (*OF_LIBM, *WITH_LIBM, *(() if libm else freestanding.DEFINITIONS))
        self._called: set[str] = set()

    def call(self, operation: str, name: str, *arguments: str) -> str:
        """A call of an operation of `ltc_np.export.operations`."""
        checks.must_know(__name__, "operation", operation, self._known)
        self._called.add(operation)
        if self.libm and operation in OF_LIBM:
            function = OF_LIBM[operation] + ("f" if self.c_type == "float" else "")
        else:
            function = f"{name}_{operation}"
        return f"{function}({', '.join(arguments)})"

    def includes(self) -> Sequence[str]:
        """math.h where it is used, or stdint.h for what takes its place."""
        calls = self._called - {"minimum", "maximum", "select"}
        return ["<math.h>" if self.libm else "<stdint.h>"] if calls else []

    def text(self, name: str) -> str:
        """Definitions of what was called, and of what they call."""
        table = WITH_LIBM if self.libm else WITH_LIBM | freestanding.DEFINITIONS
        needs = {} if self.libm else freestanding.NEEDS
        wanted = set(self._called)
        while more := {other for one in wanted for other in needs.get(one, ())} - wanted:
            wanted |= more
        order = dict.fromkeys((*freestanding.ORDER, *table))
        values = {"real": self.c_type, "name": name, "f": "f" if self.c_type == "float" else ""}
        values |= NUMBERS[self.c_type]
        return "\n".join(filled(table[one], values) for one in order if one in wanted and one in table)
