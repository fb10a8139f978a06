"""The emulator of CUDA kernels: what it is there to find, it finds, in a kernel small enough to be seen through."""

import numpy as np
import pytest

pytest.importorskip("numba")

from support.emulator import ORDERS, ROUGH, Divergence, Race, barriers, kept_in, run

from ltc_np.kernels.cuda.device import cuda, exp2, helper, kernel, reciprocal

pytestmark = pytest.mark.card

ROOM = 64


@helper
def twice(x):
    return x + x


@kernel
def reduction(x, total):
    """total (blocks,): twice the sum of x; each block adds the halves of what it holds, a power of 2."""
    shared = cuda.shared.array(ROOM, x.dtype)
    own = cuda.local.array(1, x.dtype)
    k, n = cuda.threadIdx.x, cuda.blockDim.x
    own[0] = twice(x[cuda.blockIdx.x * n + k])
    shared[k] = own[0]
    cuda.syncthreads()
    n //= 2
    while n > 0:
        if k < n:
            shared[k] += shared[k + n]
        cuda.syncthreads()
        n //= 2
    if k == 0:
        total[cuda.blockIdx.x] = shared[0]


@kernel
def uneven(x):
    """Threads with x > 0 wait, the others do not."""
    if x[cuda.threadIdx.x] > x.dtype.type(0):
        cuda.syncthreads()


@kernel
def two_places(x):
    if x[cuda.threadIdx.x] > x.dtype.type(0):
        cuda.syncthreads()
    else:
        cuda.syncthreads()


@kernel
def unwritten(y):
    """Copies what nobody wrote."""
    shared = cuda.shared.array(4, y.dtype)
    local = cuda.local.array(4, np.uint64)
    cuda.syncthreads()
    y[cuda.threadIdx.x] = shared[0]
    y[cuda.threadIdx.x + cuda.blockDim.x] = local[0]


@kernel
def last_one_wins(y):
    """Blocks write to one number."""
    y[0] = cuda.blockIdx.x


@kernel
def beyond(x, y, shift):
    y[cuda.threadIdx.x] = x[np.uint64(cuda.threadIdx.x) - shift]


@kernel
def places(y):
    """y (z, y, x): who wrote it."""
    x = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    row = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.y
    n = cuda.gridDim.x * cuda.blockDim.x
    y[row * n + x] = row * 100 + x


def sums(order, compiled=True, without=None):
    x = np.random.default_rng(0).normal(size=3 * 16).astype(np.float32)
    total = np.zeros(3, np.float32)
    run(reduction, 3, 16, (x, total), order, without_barrier=without, compiled=compiled)
    return total, 2 * x.reshape(3, 16).astype(np.float64).sum(axis=1)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_right_kernel_is_right_in_every_order(compiled):
    totals = [sums(order, compiled)[0] for order in ORDERS]
    np.testing.assert_allclose(totals[0], sums("forward")[1], rtol=1e-5)
    assert all(np.array_equal(total, totals[0]) for total in totals)


def test_a_missing_barrier_is_seen_in_the_results_and_by_the_watch():
    first, second = barriers(reduction)
    assert second > first
    for line in (first, second):
        totals = [sums(order, True, line)[0] for order in ORDERS]
        assert not all(np.array_equal(total, totals[0]) for total in totals)
        for order in ORDERS:
            with pytest.raises(Race, match="block, thread, interval"):
                sums(order, False, line)
    with pytest.raises(ValueError, match="no barrier in line 1 of reduction"):
        sums("forward", True, 1)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("function", [uneven, two_places])
def test_divergent_barriers_are_errors(function, compiled):
    same = np.ones(4, np.float32)
    run(function, 2, 4, (same,), compiled=compiled)
    for order in ORDERS:
        with pytest.raises(Divergence, match="stopped at"):
            run(function, 2, 4, (np.array([1, 1, -1, 1], np.float32),), order, compiled=compiled)


@pytest.mark.parametrize("compiled", [True, False])
def test_what_nobody_wrote_is_poison(compiled):
    y = np.zeros(8)
    run(unwritten, 1, 4, (y,), compiled=compiled)
    assert np.isnan(y[:4]).all()
    assert (y[4:] == 2.0**64).all()


def test_blocks_race():
    results = []
    for order in ORDERS[:2]:
        y = np.zeros(1)
        run(last_one_wins, 3, 1, (y,), order)
        results.append(y[0])
    assert results == [2, 0]
    with pytest.raises(Race):
        run(last_one_wins, 3, 1, (np.zeros(1),), compiled=False)


@pytest.mark.parametrize("compiled", [True, False])
def test_accesses_out_of_bounds_are_errors(compiled):
    x, y = np.ones(4), np.zeros(4)
    run(beyond, 1, 4, (x, y, np.uint64(0)), compiled=compiled)
    assert (y == 1).all()
    with pytest.raises(IndexError):
        run(beyond, 1, 4, (x, y, np.uint64(1)), compiled=compiled)
    with pytest.raises(IndexError):
        run(beyond, 1, 5, (x, y, np.uint64(0)), compiled=compiled)


@pytest.mark.parametrize("compiled", [True, False])
def test_grids_and_blocks_have_three_axes(compiled):
    y = np.full(6 * 6, -1)
    run(places, (2, 3), (3, 2), (y,), compiled=compiled)
    assert y.reshape(6, 6).tolist() == [[100 * row + x for x in range(6)] for row in range(6)]


@kernel
def functions(x, y):
    k = cuda.threadIdx.x
    y[k] = exp2(x[k])
    y[k + cuda.blockDim.x] = reciprocal(x[k])


@pytest.mark.parametrize("compiled", [True, False])
def test_instructions_are_as_rough_as_the_hardware_may_be(compiled):
    for dtype, rounding, rough in ((np.float32, 1.2e-7, 1), (np.float64, 2.3e-16, 0)):
        x = np.linspace(-9, 9, 62).astype(dtype)
        y = np.zeros(2 * x.size, dtype)
        run(functions, 1, x.size, (x, y), compiled=compiled)
        wide = x.astype(np.float64)
        errors = [np.abs(got / want - 1).max() for got, want in zip(y.reshape(2, -1), (2**wide, 1 / wide), strict=True)]
        for error, most in zip(errors, ROUGH.values(), strict=True):
            assert rough * 0.5 * most <= error < rough * most + rounding
    x = np.array([-np.inf, np.inf, np.nan], np.float32)
    y = np.zeros(6, np.float32)
    run(functions, 1, 3, (x, y), compiled=compiled)
    np.testing.assert_array_equal(y, [0, np.inf, np.nan, 0, 0, np.nan])


def test_every_form_is_kept_in_a_file_of_its_own():
    """A process must never find another form, or what another Numba made, under the name that it looks for."""
    first, _ = barriers(reduction)
    sums("forward"), sums("forward", without=first)
    ((whole,), (without,)) = kept_in(reduction), kept_in(reduction, first)
    assert whole != without
    assert whole.is_file() and without.is_file()
