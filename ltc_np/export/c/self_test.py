"""NAME_test.c: a program that runs an export over golden vectors and says how far it is from the model."""

from __future__ import annotations

import textwrap

import numpy as np

from ..golden import Golden
from .arithmetic import Arithmetic
from .templates import filled

TEXT = """\
/* Runs @name over @steps steps and compares its outputs with the model's; returns 0 if all are near enough. */
#include "@name.h"@math
#include <stdio.h>

#define STEPS @steps

@tables

int main(void)
{
    const double bound = @bound;
    double largest = 0;
    @name_state state;
    @real y[@NAME_OUTPUTS];@deploy
    @name_reset(&state);
    for (int t = 0; t < STEPS; t++) {
        @stepped
        for (int i = 0; i < @NAME_OUTPUTS; i++) {
            const double difference = (double)y[i] - (double)outputs[@row][i];
            const double error = difference < 0 ? -difference : difference;
            if (!(error <= largest)) { /* not a number, too */
                largest = error;
            }
        }@learn
    }
    printf("@name: largest error %g, allowed %g\\n", largest, bound);
    return largest <= bound ? 0 : 1;
}
"""
STEP = "@name_step(&state@by, inputs[t]@dt, y);"
DUE_STEP = """\
const int is_new = @name_step(&state, inputs[t]@dt, y);
        if (is_new != ((t + 1) % @NAME_STRIDE == 0)) {
            printf("@name: step %d must return %d\\n", t, !is_new);
            return 1;
        }
        if (!is_new) {
            continue;
        }"""
DEPLOY = """
    static @name_@word @word;
    @name_deploy(&@word);"""
LEARN = """
        if (@name_learn(&@word, &state, targets[t]) != 0) {
            printf("@name: nothing was learnt in step %d\\n", t);
            return 1;
        }"""


def self_test(name: str, arithmetic: Arithmetic, golden: Golden, bound: float, word: str | None) -> str:
    """The text of NAME_test.c; ``bound`` is the largest error that is allowed, in units of the outputs' numbers, and
    ``word`` what learns, or None."""
    strided = golden.stride > 1
    rows = f"STEPS / {name.upper()}_STRIDE" if strided else "STEPS"
    tables = [
        _table(arithmetic, "inputs", "x", golden.x, f"[STEPS][{name.upper()}_INPUTS]"),
        _table(arithmetic, "outputs", "y", golden.y, f"[{rows}][{name.upper()}_OUTPUTS]"),
    ]
    if golden.target is not None:
        tables.append(_table(arithmetic, "targets", "target", golden.target, f"[STEPS][{name.upper()}_OUTPUTS]"))
    if golden.dt is not None:
        tables.insert(1, _table(arithmetic, "times", "dt", golden.dt, "[STEPS]"))
    values = {
        "name": name,
        "NAME": name.upper(),
        "real": arithmetic.c_type,
        "steps": len(golden.x),
        "bound": f"{bound:.9g}",
        "dt": "" if golden.dt is None else ", times[t]",
        "tables": "\n".join(tables),
        "by": f", &{word}" if word else "",
        "word": word,
        "row": f"t / {name.upper()}_STRIDE" if strided else "t",
    }
    values |= {
        "stepped": filled(DUE_STEP if strided else STEP, values),
        "deploy": "" if golden.target is None else filled(DEPLOY, values),
        "math": "" if golden.target is None or not np.isnan(golden.target).any() else "\n#include <math.h>",
        "learn": "" if golden.target is None else filled(LEARN, values),
    }
    return filled(TEXT, values)


def _table(arithmetic: Arithmetic, table: str, variable: str, values: np.ndarray, shape: str) -> str:
    """``values`` as those of a variable, one row a step."""
    rows = values if values.ndim == 2 else values[None]
    texts = [", ".join(_elements(arithmetic, variable, row)) for row in rows]
    if values.ndim == 2:
        texts = [f"{{{text}}}," for text in texts]
    body = "\n".join(textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="     ") for text in texts)
    return f"static const {arithmetic.c_type} {table}{shape} = {{\n{body}\n}};\n"


def _elements(arithmetic: Arithmetic, variable: str, row: np.ndarray) -> list[str]:
    """Numbers of C; NAN, which math.h defines, for a target that is missing."""
    missing = np.isnan(row)
    texts = arithmetic.literals(variable, np.where(missing, 0, row))[1]
    nan = f"({arithmetic.c_type})NAN"
    return [nan if none else text for none, text in zip(missing, texts, strict=True)]
