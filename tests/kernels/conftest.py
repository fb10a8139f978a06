"""A library of compiled kernels, for the tests that load one and those that call it."""

import pytest
from support import libraries


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with a real library, for this processor."""
    folder = tmp_path_factory.mktemp("libraries")
    libraries.real(folder)
    return folder
