"""Where the modes of a diagonal state space begin: the decay, frequency and input weight of each.

Source: Gu et al., "On the Parameterization and Initialization of Diagonal State Space Models", arXiv 2206.11893 (S4D);
LegS after Gu et al., "HiPPO: Recurrent Memory with Optimal Polynomial Projections", arXiv 2008.07669.  All decay by
1/2; of each pair of conjugate modes the one of positive frequency is kept.  docs/maths/s4d.md has the derivation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.types import Array

DECAY = 0.5
# The imaginary parts of LegS' input weights grow with the frequency; the published code limits them so.
LARGEST_IMAGINARY = 2.0


def legs(N: int) -> tuple[Array, Array]:
    """Those of the normal part of HiPPO-LegS: frequencies (N/2,) and input weights (N/2,), complex.

    ``A = V diag(-1/2 + i frequency) V* - P P^T`` and ``B = V b``.  An eigenvector has no phase of its own, and with a
    liquid term that of b matters: here the last component of each is positive, whatever LAPACK returns.
    """
    n = np.arange(N)
    root = np.sqrt(2 * n + 1)
    lower = np.tril(np.outer(root, root), -1)
    skew = (lower.T - lower) / 2  # A + P P^T + 1/2, P = root / sqrt(2)
    frequency, V = np.linalg.eigh(-1j * skew)
    V = V * np.exp(-1j * np.angle(V[-1]))
    b = V.conj().T @ root
    kept = frequency > 0
    b = b.real + 1j * np.clip(b.imag, -LARGEST_IMAGINARY, LARGEST_IMAGINARY)
    return frequency[kept], b[kept]


def lin(N: int) -> tuple[Array, Array]:
    """The frequencies pi n of a Fourier series; b = 1."""
    return np.pi * np.arange(N // 2), np.ones(N // 2, complex)


def inv(N: int) -> tuple[Array, Array]:
    """The law that LegS' frequencies follow, (N/pi) (N/(2n + 1) - 1); b = 1."""
    n = np.arange(N // 2)
    return N / np.pi * (N / (2 * n + 1) - 1), np.ones(N // 2, complex)


MODES: dict[str, Callable[[int], tuple[Array, Array]]] = {"legs": legs, "lin": lin, "inv": inv}
