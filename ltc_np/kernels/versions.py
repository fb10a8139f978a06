"""What runs here, for reports of faults."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.calls import with_signature_hints
from ..base.threads import get_num_threads
from ..base.version import __version__
from . import in_words

# Packages that change what the library does, or that it is used with.
OTHERS = (
    *("numba", "scikit-learn", "pandas", "matplotlib", "torch", "jax", "ncps"),
    *("aeon", "sktime", "onnx", "mpi4py", "distributed", "tqdm"),
)


def versions() -> dict[str, Any]:
    """Versions of Python and of packages, and which kernels run on this machine."""
    import platform  # both are slow to import, and only this needs them
    from importlib import metadata

    found = {each.name.lower(): each.version for each in metadata.distributions()}
    return {
        "ltc_np": __version__,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "NumPy": np.__version__,
        "machine": platform.platform(),
        "threads": get_num_threads(),
        "kernels": in_words("auto"),
        "packages": ", ".join(f"{name} {found[name]}" for name in OTHERS if name in found) or "none",
    }


@with_signature_hints
def show_versions() -> None:
    """Print what reports of faults need: versions, the machine, and which kernels run on it.

    ``python -m ltc_np info`` prints the same.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    ltc_np: ...
    Python: ...
    """
    for name, value in versions().items():
        print(f"{name}: {value}")
