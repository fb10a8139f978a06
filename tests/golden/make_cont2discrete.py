"""Discrete forms of some modes by SciPy, for tests/cells/test_s4d.py; needs scipy, the tests do not.

    python tests/golden/make_cont2discrete.py

A mode is a real system of two states: its real and its imaginary part.
"""

import pathlib

import numpy as np
from scipy.signal import cont2discrete

rng = np.random.default_rng(0)
n = 12
a = -rng.uniform(0.05, 3, n) + 1j * rng.uniform(0, 40, n)
b = rng.normal(size=n) + 1j * rng.normal(size=n)
delta = 10 ** rng.uniform(-3, 0, n)
found = {}
for kind in ("zoh", "bilinear"):
    A, B = np.zeros((2, n), complex)
    for k in range(n):
        real = np.array([[a[k].real, -a[k].imag], [a[k].imag, a[k].real]])
        system = real, np.array([[b[k].real], [b[k].imag]]), np.eye(2), np.zeros((2, 1))
        d_a, d_b, *_ = cont2discrete(system, delta[k], method=kind)
        A[k], B[k] = d_a[0, 0] + 1j * d_a[1, 0], d_b[0, 0] + 1j * d_b[1, 0]
    found |= {f"{kind}_a": A, f"{kind}_b": B}
np.savez_compressed(pathlib.Path(__file__).with_name("cont2discrete.npz"), a=a, b=b, delta=delta, **found)
