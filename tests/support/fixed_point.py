"""Models in fixed point: sequences to calibrate them with, and their C run in this process."""

import ctypes

import numpy as np

from ltc_np import Model
from ltc_np.export.c.source import source
from ltc_np.export.fixed.arithmetic import integers
from ltc_np.export.fixed.c import Fixed

from . import compilers

# All steps of all sequences in one call.
LOOP = """
void net_run(int32_t B, int32_t T, const int32_t *x, const int32_t *dt, int32_t *y, int32_t *last);
void net_run(int32_t B, int32_t T, const int32_t *x, const int32_t *dt, int32_t *y, int32_t *last)
{
    for (int32_t b = 0; b < B; b++) {
        net_state state;
        net_reset(&state);
        for (int32_t k = b * T; k < (b + 1) * T; k++) {
            net_step(&state, x + k * NET_INPUTS@time, y + k * NET_OUTPUTS);
        }
        for (int32_t i = 0; i < (int32_t)(sizeof state / sizeof(int32_t)); i++) {
            *last++ = state.values[i];
        }
    }
    (void)dt;
}
"""
# What C leaves undefined ends the process.
UNDEFINED = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]


def made(layers, rng, scale=0.1, **options):
    """A model whose parameters, and statistics, are not all the same."""
    model = Model(*layers, input_dim=layers[0].input_size, seed=int(rng.integers(2**31)), dtype="float64", **options)
    model.theta += scale * rng.standard_normal(model.theta.size)
    for values in model.buffers.values():
        values *= rng.uniform(0.5, 2, values.shape)
    return model


def sequences(model, rng, B, T):
    """(x, arguments): random inputs and elapsed times, some of them 0."""
    x = rng.standard_normal((B, T, model.input_size))
    dt = 0.3 * rng.exponential(size=(B, T)) * (rng.random((B, T)) > 0.1)
    return x, {"dt": dt} if model.takes_dt else {}


def in_c(quantised, folder, compiler, x, dt=None, unroll=False):
    """Outputs (B, T, O) and last states (B, K), real and integer, as C computes them."""
    program = quantised.program
    text = source(program, "net", Fixed("net", {}), unroll, "")
    (folder / "net.h").write_text(text.header)
    (folder / "net.c").write_text(text.source + LOOP.replace("@time", ", dt[k]" if program.takes_dt else ""))
    library = folder / f"net_{compiler}.so"
    compilers.run(compiler, *compilers.WARNINGS, *UNDEFINED, "-O0", "-shared", "-fPIC", folder / "net.c", "-o", library)
    B, T, _ = x.shape
    y, last = np.zeros((B, T, program.output_size), np.int32), np.zeros((B, max(program.state_size, 1)), np.int32)
    dt = np.ones((B, T)) if dt is None else dt
    given = [integers(x, quantised.places["x"]), integers(dt, quantised.places.get("dt", 0))]
    arrays = [np.ascontiguousarray(array, np.int32) for array in given] + [y, last]
    pointers = (array.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)) for array in arrays)
    ctypes.CDLL(str(library)).net_run(ctypes.c_int32(B), ctypes.c_int32(T), *pointers)
    return y / 2.0 ** quantised.places["y"], last[:, : program.state_size]
