"""Functions of exports that use no library, over floats of all magnitudes, against the host's in double."""

import ctypes
import re

import numpy as np
import pytest
from support import ROOT, compilers

from ltc_np.export.c.floats import OPERATORS
from ltc_np.export.c.functions import OF_LIBM, Functions
from ltc_np.export.operations import OPERATIONS

pytestmark = pytest.mark.tools("gcc clang")

# The true values, by the host's functions of double, whose own error is below a millionth of a float's last place.
TRUE = {
    "exp": "exp(x)",
    "expm1": "expm1(x)",
    "tanh": "tanh(x)",
    "sigmoid": "x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x))",
    "relaxed": "x == 0 ? 1 : -expm1(-x) / x",
    "sqrt": "sqrt(x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "absolute": "fabs(x)",
    "softplus": "isnan(x) ? x : fmax(log1p(exp(-fabs(x))) + (x > 0 ? x : 0), 0x1p-63)",
}
# Where exp(-x) overflows, so does the definition of relaxed in float; programs have arguments of at least 0.
LOWEST = {"relaxed": "-88"}
LIMIT = 2.0  # units in the last place
PAGE = (ROOT / "docs" / "export_c.md").read_text(encoding="utf-8")
PRINTED = {name: float(error) for name, error in re.findall(r"^\| (\w+) \| (\d\.\d\d) \|$", PAGE, re.MULTILINE)}
PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
@functions

/* Units in the last place of a float between what was found and the true value. */
static double units(float found, double truth)
{
    int exponent;
    if (isnan(truth) || isnan(found)) {
        return isnan(truth) && isnan(found) ? 0 : HUGE_VAL;
    }
    if (fabs(truth) >= 0x1.ffffffp127) {
        return isinf(found) && (found > 0) == (truth > 0) ? 0 : HUGE_VAL;
    }
    if (isinf(found)) {
        return HUGE_VAL;
    }
    frexp(truth, &exponent);
    return fabs((double)found - truth) / ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

int main(int count, char **arguments)
{
    const uint64_t stride = (uint64_t)atoi(arguments[count - 1]);
    double largest = 0;
    float where = 0;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += stride) {
        const union { uint32_t bits; float number; } word = {(uint32_t)bits};
        const double x = (double)word.number;
        const double error = x < @lowest ? 0 : units(t_@function(word.number), @truth);
        if (!(error <= largest)) {
            largest = error;
            where = word.number;
        }
    }
    printf("%.3f %.9g\\n", largest, (double)where);
    return 0;
}
"""


def measured(function, stride, compiler, tmp_path, *flags):
    """(largest error in units in the last place, its argument) over every ``stride``-th float."""
    functions = Functions("float", libm=False)
    functions.call(function, "t")
    lowest = LOWEST.get(function, "-HUGE_VAL")
    text = PROGRAM.replace("@lowest", lowest).replace("@functions", functions.text("t"))
    (tmp_path / "f.c").write_text(text.replace("@function", function).replace("@truth", TRUE[function]))
    compilers.run(compiler, *compilers.WARNINGS, "-O2", *flags, "f.c", "-o", "f", "-lm", cwd=tmp_path)
    return tuple(map(float, compilers.run(tmp_path / "f", stride, timeout=900).split()))


@pytest.mark.parametrize("function", TRUE)
def test_errors_of_ten_million_floats(function, tmp_path):
    """Of all magnitudes, infinities and NaN too."""
    error, where = measured(function, 397, compilers.HOST[0], tmp_path)
    assert 0 <= error <= LIMIT, f"{error} at {where}"
    assert abs(error - PRINTED.get(function, 0.0)) <= 0.02, f"{error} at {where}, the page has {PRINTED[function]}"


@pytest.mark.slow
@pytest.mark.parametrize("function", TRUE)
def test_errors_of_fifty_million_more_without_undefined_behaviour(function, tmp_path):
    sanitizer = "-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"
    error, where = measured(function, 83, compilers.HOST[-1], tmp_path, *sanitizer)
    assert 0 <= error <= LIMIT, f"{error} at {where}"


def test_the_page_has_every_function():
    assert set(PRINTED) == set(TRUE) - {"absolute"}


def test_every_operation_has_a_function():
    """Of this table, or an operator of C; and none is defined twice."""
    for libm in (True, False):
        functions = Functions("float", libm)
        others = [name for name in OPERATIONS if name not in OPERATORS and name != "negative"]
        calls = [functions.call(name, "t", *"xyz"[: OPERATIONS[name].arguments]) for name in others]
        text = functions.text("t")
        for operation, call in zip(others, calls, strict=True):
            name = call.partition("(")[0]
            assert text.count(f" {name}(float") == (0 if libm and operation in OF_LIBM else 1), operation


@pytest.mark.parametrize("libm", [True, False])
@pytest.mark.parametrize("operation", ["minimum", "maximum", "select", "normal_cdf"])
def test_what_has_no_last_place_to_count(operation, libm, rng, tmp_path):
    """Against the definition in float64: exact choices; the normal distribution to its error of 2e-7."""
    functions = Functions("float", libm)
    arguments = OPERATIONS[operation].arguments
    call = functions.call(operation, "t", *[f"x[3 * i + {k}]" for k in range(arguments)])
    include = "".join(f"#include {name}\n" for name in functions.includes())
    body = f"void all(int n, const float *x, float *y)\n{{\n    for (int i = 0; i < n; i++) y[i] = {call};\n}}\n"
    (tmp_path / "f.c").write_text(include + functions.text("t") + "void all(int n, const float *x, float *y);\n" + body)
    compilers.run(compilers.HOST[0], *compilers.WARNINGS, "-shared", "-fPIC", "f.c", "-o", "f.so", "-lm", cwd=tmp_path)
    x = np.concatenate([rng.normal(0, scale, (5000, 3)) for scale in (1e-30, 0.1, 1, 5, 1e3)]).astype(np.float32)
    x[:20] = 0
    y = np.full(len(x), np.nan, np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    ctypes.CDLL(str(tmp_path / "f.so")).all(len(x), x.ctypes.data_as(pointer), y.ctypes.data_as(pointer))
    truth = OPERATIONS[operation].compute(*x[:, :arguments].T.astype(np.float64))
    np.testing.assert_allclose(y, truth, rtol=0, atol=2e-7 if operation == "normal_cdf" else 0)
