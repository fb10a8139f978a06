"""The functions of `ltc_np.kernels.cpu.simd` on all 2**32 float32 numbers and on a million float64: errors and rates.

    python tests/support/check_simd.py          # prints two tables; takes ten minutes on one core

Every test run measures a sample in the same way (tests/kernels/test_kernels.py).
"""

import time

import numba
import numpy as np

from ltc_np.kernels.cpu import simd
from ltc_np.kernels.cpu.simd import add_sums, load, zeros
from support.simd_probe import FUNCTIONS, vectors

CHUNK, OVERLAP = 2**20, 16
INTEGER = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def reference(name, x):
    """The function as documented, in the next wider type; x holds no NaN."""
    wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    saturation = 80 if x.dtype == np.float32 else 600
    if name == "exp2":
        limit = 126 if x.dtype == np.float32 else 1022
        return np.exp2(np.clip(wide, -limit, limit))
    if name == "sigmoid2":
        return 1 / (1 + np.exp2(np.clip(wide, -saturation, saturation)))
    if name == "sigmoid":
        limit = saturation * np.log(wide.dtype.type(2))
        return 1 / (1 + np.exp(-np.clip(wide, -limit, limit)))
    if name in ("sin", "cos"):
        limit = 2.0**17 if x.dtype == np.float32 else 2.0**46
        return getattr(np, name)(np.clip(wide, -limit, limit))
    if name == "softplus":
        return np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))
    return {"exp": np.exp, "tanh": np.tanh, "expm1": np.expm1}[name](wide)


def measure(name, x, y):
    """What is wrong with the results y of one function at ascending x, as a dictionary.

    ``absolute``, ``relative``: (largest error, x) where the reference is a normal number; ``drop``: (largest step
    against the direction of the function, in units in the last place, x); ``nan``: how many NaN came or went;
    ``denormal``: how many denormal results of other arguments; ``beyond``: how many results are neither infinite where
    the reference is larger than any number, nor 0 (or, of tanh, expm1 and sin, x) where it is smaller than a normal
    number.
    """
    info, real = np.finfo(x.dtype), ~np.isnan(x)
    found = {"nan": int((np.isnan(y) == real).sum())}
    if not real.all():
        x, y = x[real], y[real]
    nothing = (0.0, 0.0)
    if x.size == 0:
        return {**found, "absolute": nothing, "relative": nothing, "drop": nothing, "denormal": 0, "beyond": 0}
    with np.errstate(all="ignore"):
        want = reference(name, x)
        size, magnitude = np.abs(want), np.abs(y)
        large, small = want > info.max, size < info.tiny
        found["beyond"] = int(
            (large & (y != np.inf)).sum()
            + (small & (y != (x if name in ("tanh", "expm1", "sin") else 0)) & (x != 0)).sum()
        )
        found["denormal"] = int(((magnitude < info.tiny) & (y != 0) & (np.abs(x) >= info.tiny)).sum())
        error = np.abs(y - want)
        error[large | small] = 0
        i = int(np.argmax(error))
        found["absolute"] = float(error[i]), float(x[i])
        error /= size
        error[large | small] = 0
        i = int(np.argmax(error))
        found["relative"] = float(error[i]), float(x[i])
    if name in ("sin", "cos"):  # not monotone
        return found | {"drop": nothing}
    bits = y.view(INTEGER[y.dtype])
    order = np.where(bits < 0, np.iinfo(bits.dtype).min - bits, bits)  # counts the floats in between
    steps = np.diff(order) * (1 if name == "sigmoid2" else -1)
    i = int(np.argmax(steps)) if steps.size else 0
    found["drop"] = (max(float(steps[i]), 0.0), float(x[i])) if steps.size else nothing
    return found


def worse(a, b):
    """Two measurements of a function in one."""
    return {k: max(a[k], b[k], key=lambda v: v[0]) if isinstance(a[k], tuple) else a[k] + b[k] for k in a}


def float32_chunks():
    """All float32 numbers, ascending in each chunk; chunks overlap, so that every step lies in one."""
    for start in range(0, 2**31, CHUNK):
        x = np.arange(max(start - OVERLAP, 0), start + CHUNK, dtype=np.uint32).view(np.float32)
        yield x
        yield -x[::-1]


def float64_sample(count):
    """Ascending float64 numbers of every size, most of them where the functions change; a multiple of 8."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-40, 40, count), rng.uniform(-760, 760, count), 10 ** rng.uniform(-310, 4, count)])
    return np.sort(np.concatenate([x, -x[-count:], [0.0] * 8])[-(4 * count // 8 * 8) :])


def sample(dtype):
    """Ascending numbers of every size and kind, NaN with any payload last; a multiple of 64 bytes."""
    if dtype == np.float32:
        x, limits = np.arange(0, 2**32, 4001, dtype=np.uint32).view(dtype), simd.EXP_FLOAT32[2:]
    else:
        exponents = np.arange(0, 2**63, 2**63 // 100_000, dtype=np.int64).view(dtype)
        x, limits = np.concatenate([exponents, -exponents, float64_sample(50_000)]), simd.EXP_FLOAT64[2:]
    limits = np.array([*limits, 0, 1, np.inf], dtype)
    limits = np.concatenate([limits, np.nextafter(limits, dtype(np.inf)), np.nextafter(limits, dtype(-np.inf))])
    integer = INTEGER[x.dtype]
    nan = (np.array(np.inf, dtype).view(integer) + np.arange(1, 6000, 7, dtype=integer)).view(dtype)
    x = np.sort(np.concatenate([limits, -limits, x[~np.isnan(x)]]))  # `sort` would make all NaN alike
    x = np.concatenate([x, nan, -nan])
    return x[x.size % 16 :]


def measure_all(chunks):
    """{function: measurement} over arrays of numbers."""
    total = {}
    for x in chunks:
        y = np.empty((len(FUNCTIONS), x.size), x.dtype)
        vectors(np.ascontiguousarray(x), y.reshape(-1))
        for name, row in zip(FUNCTIONS, y, strict=True):
            found = measure(name, x, row)
            total[name] = worse(total[name], found) if name in total else found
    return total


def rates(name):
    """Evaluations per second, in 10**9: float32 and float64, for usual arguments, denormal ones and tiny results."""
    function = getattr(simd, name)

    @numba.njit(error_model="numpy")
    def total(x, row, repeats):  # as in kernels/cpu/rate.py
        W = 64 // x.itemsize
        for _ in range(repeats):
            a = b = c = d = zeros(x)
            for i in range(0, x.size, 4 * W):
                a = a + function(load(x, i))
                b = b + function(load(x, i + W))
                c = c + function(load(x, i + 2 * W))
                d = d + function(load(x, i + 3 * W))
            add_sums(row, 0, a, b, c, d)

    for dtype, low in ((np.float32, 80), (np.float64, 700)):
        usual, tiny = np.linspace(-8, 8, 4096), np.linspace(-low - 30, -low, 4096)
        denormal = np.full(4096, np.finfo(dtype).smallest_subnormal * 100, dtype)
        for x in (usual, denormal, -tiny if name == "sigmoid2" else tiny):
            x, row, times = x.astype(dtype), np.zeros(4), []
            total(x, row, 1)
            for _ in range(20):
                start = time.perf_counter()
                total(x, row, 1000)
                times.append(time.perf_counter() - start)
            yield x.size * 1000 / min(times) / 1e9


def main():
    print(
        "| function | type | absolute error, at | relative error, at | steps back (ulp), at | NaN | denormal | beyond |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind, chunks in (("float64", [float64_sample(300_000)]), ("float32", float32_chunks())):
        for name, found in measure_all(chunks).items():
            errors = " | ".join("{:.3g}, {:.9g}".format(*found[k]) for k in ("absolute", "relative", "drop"))
            print(
                f"| {name} | {kind} | {errors} | {found['nan']} | {found['denormal']} | {found['beyond']} |", flush=True
            )
    print("\n| G/s | float32 | denormal x | tiny result | float64 | denormal x | tiny result |")
    print("|---|---|---|---|---|---|---|")
    for name in FUNCTIONS:
        print(f"| {name} | " + " | ".join(f"{r:.2f}" for r in rates(name)) + " |", flush=True)


if __name__ == "__main__":
    main()
