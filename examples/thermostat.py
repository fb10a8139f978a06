"""A thermostat, seen at irregular times: it switches by a rule that needs a memory; and its linear rival.

The heating goes on when a room is more than BAND colder than wanted, and off when it is more than BAND warmer.  In
between, in the dead band, it stays as it was: what it does there cannot be read off the present temperatures.
"""

from typing import NamedTuple

import numpy as np

BAND = 0.4  # degrees to either side of the wanted temperature
LEAST, MEAN = 0.25, 1.0  # minutes between two samples
OUTSIDE, ROOM = 6.0, 4.0  # minutes: time constants of the weather, and of the room that follows it
CHANGE = 0.03  # how often somebody turns the knob, for each sample
SPREAD = 0.5  # degrees, of the wanted temperature
LAGS, PENALTY = 32, 0.01  # of the linear rival


class Recorded(NamedTuple):
    """Recordings: temperature and wanted temperature, in degrees from their mean, x (n, T, 2); minutes before each
    sample, dt (n, T); whether the heating is on, on (n, T, 1), 0 or 1."""

    x: np.ndarray
    dt: np.ndarray
    on: np.ndarray

    def in_band(self):
        """Where the present temperatures do not tell whether the heating is on, (n, T)."""
        return np.abs(self.x[:, :, 0] - self.x[:, :, 1]) <= BAND


def switched(on, difference):
    """Whether the heating is on after a sample, from whether it was and how much warmer than wanted it is."""
    return np.where(difference < -BAND, True, np.where(difference > BAND, False, on))


def record(n, steps, seed):
    """``n`` recordings of so many samples; at the first one the heating is on where it is too cold."""
    rng = np.random.default_rng(seed)
    dt = LEAST + rng.exponential(MEAN - LEAST, (n, steps))
    x, on = np.empty((n, steps, 2)), np.empty((n, steps, 1))
    weather, room, wanted = rng.normal(0, 1, n), rng.normal(0, 0.7, n), rng.normal(0, SPREAD, n)
    for k in range(steps):
        kept = np.exp(-dt[:, k] / OUTSIDE)
        weather = kept * weather + np.sqrt(1 - kept**2) * rng.normal(size=n)
        room = weather + (room - weather) * np.exp(-dt[:, k] / ROOM)
        wanted = np.where(rng.random(n) < CHANGE, rng.normal(0, SPREAD, n), wanted)
        state = switched(on[:, k - 1, 0] > 0 if k else room < wanted, room - wanted)
        x[:, k, 0], x[:, k, 1], on[:, k, 0] = room, wanted, state
    return Recorded(x, dt, on)


def lagged(x):
    """The last LAGS samples of x (n, T, 2) and a 1, (n, T, 2 LAGS + 1); before the first they are the first."""
    padded = np.concatenate([np.repeat(x[:, :1], LAGS - 1, axis=1), x], axis=1)
    rows = [padded[:, LAGS - 1 - k : padded.shape[1] - k] for k in range(LAGS)]
    return np.concatenate([*rows, np.ones((*x.shape[:2], 1))], axis=2)


def linear(known, x):
    """Logits (n, T, 1) by ridge regression on the last LAGS samples, fitted to ``known``."""
    rows = lagged(known.x).reshape(-1, 2 * LAGS + 1)
    target = 2 * known.on.reshape(-1, 1) - 1
    return lagged(x) @ np.linalg.solve(rows.T @ rows + PENALTY * np.eye(rows.shape[1]), rows.T @ target)


def right(logits, recorded, where=True):
    """In percent, how often the sign of ``logits`` (n, T, 1) says whether the heating is on, ``where`` it counts."""
    found = (logits > 0) == (recorded.on > 0.5)
    return 100 * found[:, :, 0][np.broadcast_to(where, found.shape[:2])].mean()
