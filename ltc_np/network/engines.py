"""Which engine a network gets."""

from .host import HostEngine


def make(network):
    """The engine for a network's backend."""
    if network.backend == "cuda":
        from .cuda.engine import CudaEngine  # loads Numba

        return CudaEngine(network)
    return HostEngine(network)
