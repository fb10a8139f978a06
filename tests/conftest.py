"""Shared fixtures: the backends, and one example of everything in the layer registry."""

import numpy as np
import pytest

BACKENDS = ("numpy", "cpu")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20210202)
