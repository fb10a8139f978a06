"""The traces of an LrcSSM on the CPU; `ltc_np.kernels.numpy.lrc_ssm_traces` defines the functions and arguments."""

import numpy as np

from .jit import helper, kernel
from .lrc_ssm import backward_steps, synapses, work_size
from .simd import fma, load_part, store_part, vector_size


def scratch(rule, I, N, dtype):
    """Arrays for s (1, I), the adjoints of y (1, 1, N), v (1, N), the drives (1, 2 * N) and no dt (0, 0), the sums
    (9, N) of the units' parameters in float64, the kernels' work, and those sums in the working precision."""
    shapes = (1, I), (1, 1, N), (1, N), (1, 2 * N), (0, 0)
    work = np.zeros(work_size(rule, N, dtype.itemsize), dtype)
    return *(np.zeros(shape, dtype) for shape in shapes), np.zeros((9, N)), work, np.zeros((9, N), dtype)


@helper
def _carry(traces, row, k, n, D, direct):
    """e becomes D e + direct, for the units k..k+n-1 of a row."""
    at = row * traces.shape[1] + k
    store_part(traces, at, fma(D, load_part(traces, at, n), direct), n)


@kernel
def carry(unit, kind, rule, mu, sigma, weights, x, dt, drives, h0, y, traces, scratch):
    s, d_y, d_v, d_drives, d_dt, sums, work, own = scratch
    (I, W), N = (mu.size, vector_size(traces)), h0.shape[1]
    one, end = traces.dtype.type(1), dt.size
    begin = end - 1  # that is 0; for a literal 0 Numba would compile the two kernels once more
    d_v[:] = 1
    sums[:] = 0
    synapses(mu, sigma, begin, end, begin, end, x, s)
    backward_steps(unit, kind, rule, begin, end, begin, end, dt, drives, h0, y, d_y, d_v, d_drives, d_dt, sums, work)
    for j in range(9):
        for i in range(N):
            own[j, i] = sums[j, i]
    for k in range(0, N, W):
        n = N - k
        D, d_f, d_z = load_part(d_v, k, n), load_part(d_drives, k, n), load_part(d_drives, N + k, n)
        for i in range(I):
            at, open_ = 2 * i * N + k, s[0, i]
            d_s = fma(d_f, load_part(weights, at, n), d_z * load_part(weights, at + N, n)) * (open_ * (one - open_))
            _carry(traces, i, k, n, D, -sigma[i] * d_s)
            _carry(traces, I + i, k, n, D, (x[0, 0, i] - mu[i]) * d_s)
            _carry(traces, 2 * I + i, k, n, D, open_ * d_f)
            _carry(traces, 3 * I + i, k, n, D, open_ * d_z)
        for j in range(traces.shape[0] - 4 * I):
            _carry(traces, 4 * I + j, k, n, D, load_part(own, j * N + k, n))
