"""The optimisers' kernels: `ltc_np.kernels.cpu` has the names, parameters and bits of `ltc_np.kernels.numpy`."""

import inspect

import numpy as np
import pytest
from support import libraries
from support.backends import NO_KERNELS

from ltc_np import SGD, Adam, RMSprop, optim
from ltc_np.kernels.numpy import adam, rmsprop, sgd

TWINS = {
    "adam": (adam, Adam()),
    "sgd": (sgd, SGD(0.1)),
    "momentum": (sgd, SGD(0.1, 0.9)),
    "nesterov": (sgd, SGD(0.1, 0.9, nesterov=True)),
    "rmsprop": (rmsprop, RMSprop()),
    "rmsprop, momentum": (rmsprop, RMSprop(momentum=0.5)),
}


def cpu_twin(module):
    if NO_KERNELS:
        pytest.skip(NO_KERNELS)
    from ltc_np.kernels.cpu import adam as cpu_adam
    from ltc_np.kernels.cpu import rmsprop as cpu_rmsprop
    from ltc_np.kernels.cpu import sgd as cpu_sgd

    return {adam: cpu_adam, rmsprop: cpu_rmsprop, sgd: cpu_sgd}[module]


def test_every_kernel_is_compared():
    kernels = {optimizer.kernel for optimizer in optim.OPTIMIZERS.values()} - {None}
    assert kernels == {optimizer.kernel for _, optimizer in TWINS.values()}


@pytest.mark.parametrize("name", TWINS)
def test_parameters_are_moments_and_numbers(name):
    """In the order in which the optimiser hands them out."""
    module, optimizer = TWINS[name]
    optimizer.t = 1
    numbers = optimizer.numbers(0.1)
    wanted = ["grad", *optimizer.moment_names, "delta", *numbers._asdict()]
    assert list(inspect.signature(module.change).parameters) == wanted
    assert type(numbers) is module.Numbers
    assert inspect.signature(libraries.body(cpu_twin(module).change)) == inspect.signature(module.change)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TWINS)
def test_twins_have_the_same_bits(name, dtype):
    module, optimizer = TWINS[name]
    optimizer.t = 3
    rng = np.random.default_rng(0)
    grad = rng.normal(size=1001).astype(dtype)
    moments = [np.abs(rng.normal(size=1001)).astype(dtype) for _ in optimizer.moment_names]
    found = []
    for one in (module, cpu_twin(module)):
        arrays = [*(m.copy() for m in moments), np.full(1001, np.nan, dtype)]
        one.change(grad, *arrays, *optimizer.numbers(0.1))
        found.append(arrays)
    for a, b in zip(*found, strict=True):
        assert a.dtype == dtype and a.tobytes() == b.tobytes()
    assert (found[0][-1] != 0).all(), "everything moves"
