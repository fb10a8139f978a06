"""The battery: every layer of the table with every backend; where the card has kernels, an emulated card."""

import pytest
from protocol.calls import parts
from protocol.layers import CASES

from ltc_np import LTC

# What a model says of parts that have no kernel of the backend's: a new cell begins with NumPy's alone.
FALLS_BACK = "ltc_np. no (cpu|cuda) kernel for", ".*every batch goes through the host"


def on_card(layer):
    """Whether the card has kernels for a part of it."""
    return any(isinstance(part, LTC) for part in parts(layer))


def pytest_generate_tests(metafunc):
    """``layer`` with each ``backend``; a test that does not take the emulated card has a mark: ``host``."""
    if not {"layer", "backend"} <= set(metafunc.fixturenames):
        return
    host = metafunc.definition.get_closest_marker("host") is not None
    cases = []
    for case in CASES:
        (layer,) = case.values
        for backend in ("numpy", "cpu", "cuda"):
            if backend == "cuda" and (host or not on_card(layer)):
                continue
            marks = [*case.marks, *(pytest.mark.filterwarnings(f"ignore:{known}") for known in FALLS_BACK)]
            cases.append(pytest.param(layer, backend, id=f"{case.id}-{backend}", marks=marks))
    metafunc.parametrize(("layer", "backend"), cases)


@pytest.fixture
def backend():
    """Given by `pytest_generate_tests`, beside the layer."""
    raise NotImplementedError


@pytest.fixture(autouse=True)
def card(request):
    """The emulated card, for tests that run on it."""
    params = getattr(request.node, "callspec", None)
    if params is not None and params.params.get("backend") == "cuda":
        request.getfixturevalue("emulator")
