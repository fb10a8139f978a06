"""Each operation in C against the same in NumPy, bit for bit, at random and extreme numbers, with UBSan."""

import ctypes

import numpy as np
import pytest
from support import compilers

from ltc_np.export.c.source import source
from ltc_np.export.fixed.arithmetic import HIGHEST, LONGEST_LEFT, LONGEST_RIGHT, LOWEST
from ltc_np.export.fixed.c import Fixed
from ltc_np.export.fixed.primitives import PRIMITIVES, integer
from ltc_np.export.fixed.run import FixedMachine
from ltc_np.export.program import Map, Program, Stage, Vector

pytestmark = pytest.mark.tools("gcc clang")

CASES, VARIANTS = 3000, 40
EDGES = np.array([LOWEST, LOWEST + 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30, HIGHEST - 1, HIGHEST])
# What constants may be, where that is not all shifts.
LEAST_MOST = {
    "divide": (-31, 61),
    "sqrt": (-62, 31),
    "exp": (-24, 60),
    "relaxed": (0, 30),
    "sin": (-1, 31),
    "cos": (-1, 31),
}


def numbers(rng, size):
    """Of all magnitudes, a part of them at the limits."""
    found = (rng.uniform(-1, 1, size) * 2.0 ** rng.uniform(0, 31, size)).astype(np.int64)
    edge = rng.random(size) < 0.2
    found[edge] = rng.choice(EDGES, edge.sum())
    return found


def calls(operation, rng):
    """A program whose outputs are one operation with several constants."""
    primitive = PRIMITIVES[operation]
    least, most = LEAST_MOST.get(operation, (-LONGEST_LEFT, LONGEST_RIGHT))
    count = VARIANTS if primitive.constants else 1
    constants = rng.integers(least, most + 1, (count, primitive.constants))
    if operation == "relaxed":
        constants[:, 1] = rng.integers(-24, 31, count)
    usual = constants[: count // 2]
    usual[:] = np.clip(rng.integers(-6, 40, usual.shape), least, most)
    x = [Vector("x", k, 1) for k in range(primitive.arguments)]
    maps = [
        Map(Vector("y", k, 1), integer(operation, tuple(x), tuple(map(int, row)), 0)) for k, row in enumerate(constants)
    ]
    return Program(len(x), count, 0, False, np.zeros(0, np.int64), (Stage("0", tuple(maps), {}),))


@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize("operation", PRIMITIVES)
def test_c_has_the_bits_of_numpy(operation, compiler, rng, tmp_path):
    program = calls(operation, rng)
    text = source(program, "net", Fixed("net", {}), False, "")
    (tmp_path / "net.h").write_text(text.header)
    # A loop around the step, so that one call is enough.
    loop = (
        "\nvoid each(int32_t count, const int32_t *x, int32_t *y);\n"
        "void each(int32_t count, const int32_t *x, int32_t *y)\n{\n    net_state state;\n    net_reset(&state);\n"
        "    for (int32_t k = 0; k < count; k++) {\n"
        "        net_step(&state, x + k * NET_INPUTS, y + k * NET_OUTPUTS);\n    }\n}\n"
    )
    (tmp_path / "net.c").write_text(text.source + loop)
    library = tmp_path / "net.so"
    undefined = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    compilers.run(
        compiler, *compilers.WARNINGS, *undefined, "-O1", "-shared", "-fPIC", tmp_path / "net.c", "-o", library
    )
    x = numbers(rng, (CASES, program.input_size))
    given, found = x.astype(np.int32), np.zeros((CASES, program.output_size), np.int32)
    pointers = (array.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)) for array in (given, found))
    ctypes.CDLL(str(library)).each(ctypes.c_int32(CASES), *pointers)
    np.testing.assert_array_equal(found, FixedMachine(program, CASES).step(x, np.zeros(CASES, np.int64)))
    assert len(np.unique(found)) > 2
