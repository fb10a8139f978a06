"""What a kernel calls by its address: another kernel, and a loop of NumPy."""

import numpy as np
import pytest
from support.backends import NO_KERNELS

from ltc_np.base.layout import Entry, Layout

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np.kernels.cpu import effective, native, sgd
from ltc_np.kernels.cpu.jit import kernel

LAYOUT = Layout(
    (
        Entry("a", (3,)),
        Entry("b", (37,), positivity="softplus"),
        Entry("c", (5,), positivity="clip", bound=0.1),
        Entry("d", (2, 2), positivity="softplus"),
        Entry("e", (2,), positivity="clip", bound=-0.5),
    )
)


@kernel
def to_effective(theta, softplus, clipped, least, logaddexp, values):
    effective.to_effective(theta, softplus, clipped, least, logaddexp, values)


@kernel
def call_each(calls):
    for k in range(calls.shape[0]):
        native.call(calls[k])


@pytest.mark.numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_effective_values_have_the_bits_of_the_definition(dtype):
    theta = np.linspace(-120, 9, LAYOUT.size).astype(dtype)
    theta[[5, 20, 41]] = np.nan, np.inf, np.nan
    values = np.empty_like(theta)
    clipped, least = LAYOUT.clip_bounds
    loop = tuple(effective.Logaddexp.make(LAYOUT, theta, values))
    for raw in (theta.copy(), theta[::-1].copy()):
        theta[:] = raw
        to_effective(theta, LAYOUT.softplus_bounds, clipped, least.astype(dtype), loop, values)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(values, LAYOUT.effective(theta))


def test_a_loop_is_found_by_its_type():
    assert len({native.loop_of(function, np.dtype(t)) for function in (np.logaddexp, np.hypot) for t in "fd"}) == 4
    with pytest.raises(ValueError, match="unpack"):
        native.loop_of(np.logaddexp, np.dtype("int8"))


@pytest.mark.numba
def test_kernels_are_called_in_turn_and_address_0_is_none():
    values, none = np.ones(5, np.float32), np.empty((0, 2), np.int64)
    parts, found = np.arange(15.0).reshape(3, 5), np.zeros((3, 5), np.float32)
    calls = np.stack([native.words(effective._to_raw, (values, parts[k], none, found[k])) for k in range(3)])
    calls[1, 0] = 0
    call_each(calls)
    np.testing.assert_array_equal(found, parts * [[1], [0], [1]])


def test_what_is_no_word_is_refused():
    grad = np.zeros(5, np.float32)
    with pytest.raises(TypeError, match="float"):
        native.words(sgd.change, (grad, grad, grad, 0.5, 0.0, 0.0))
