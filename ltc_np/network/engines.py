"""Which engine a network gets."""

from __future__ import annotations

from .engine import Engine
from .host import HostEngine
from .structure import Structure


def make(network: Structure) -> Engine:
    """The engine for a network's backend."""
    if network.backend == "cuda":
        from .cuda.engine import CudaEngine  # loads Numba

        return CudaEngine(network)
    return HostEngine(network)
