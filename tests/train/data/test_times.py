"""Time stamps in the place of elapsed times."""

import warnings

import numpy as np
import pytest

from ltc_np import LTCRNN, AutoNCP, Batching, dt_from_times
from ltc_np.train.data import times

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 8, 2)), RNG.normal(size=(6, 8, 1))
TIMES = np.cumsum(RNG.exponential(1.0, (6, 8)), axis=1)
LENGTHS = np.array([8, 7, 6, 5, 2, 1])


def fit(dt, **options):
    model = LTCRNN(AutoNCP(6, 1), 2, seed=0, backend="numpy")
    return model.fit(X, Y, dt=dt, epochs=1, verbose=0, seed=0, **options)


@pytest.mark.parametrize("stamps", [TIMES, np.arange(8.0), TIMES + 1.7e9, np.floor(3 * TIMES)])
def test_time_stamps_are_warned_of(stamps):
    for lengths in (None, LENGTHS):
        with pytest.warns(RuntimeWarning, match=r"`dt` looks like time stamps, from .*, which dt_from_times\(times\)"):
            fit(stamps, lengths=lengths)
    with pytest.warns(RuntimeWarning, match="looks like time stamps"):
        model = LTCRNN(AutoNCP(6, 1), 2, seed=0, backend="numpy")
        model.fit(
            lambda epoch: [{"x": X, "y": Y, "dt": stamps}], batch_size=Batching(steps_per_epoch=1), epochs=1, verbose=0
        )


def test_elapsed_times_are_not():
    one_that_falls = np.sort(RNG.uniform(size=(6, 8)), axis=1)
    one_that_falls[3] = one_that_falls[3, ::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dt in (0.5, 1000.0, np.ones(8), dt_from_times(TIMES), np.geomspace(0.01, 10, 8), one_that_falls):
            fit(dt)
        fit(TIMES, lengths=np.arange(6) % times.LEAST)  # too short to tell
