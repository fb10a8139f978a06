"""Sines and a small network that learns their next value: what tests of a training train."""

import numpy as np

from ltc_np import LTCRNN, AutoNCP


def sines(n=40, T=12, seed=0):
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    t = phase + 0.4 * np.arange(T + 1)
    return np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])


def small(backend="auto", **options):
    return LTCRNN(AutoNCP(8, 1), 1, seed=0, backend=backend, **options)
