"""A mass on a spring that stiffens, driven by a force, and seen at irregular times; and its linear rival.

    s'' = -w^2 (s + s^3) - 2 z w s' + a f(t)

The force f is a sum of three sines of random frequencies.  It is recorded, with the place s, at random times; whoever
forecasts is given the force so far and asked for the place now, at each of these times.
"""

from typing import NamedTuple

import numpy as np

OMEGA, DAMPING, DRIVE = 2 * np.pi * 0.3, 0.2, 3.0  # w in rad/s, z, a
FREQUENCIES = 0.05, 0.5  # Hz, of the force
STEPS = 100  # of a recording
LEAST = 0.01  # s between two of them
FINE = 0.05  # s, the longest step of the simulation
GRID, LAGS = 0.1, 100  # s; what the linear forecast sees of the force: so many values, so far apart
PENALTY = 10.0


class Recorded(NamedTuple):
    """Recordings: time stamps (n, T) in s, force and place (n, T, 1)."""

    seconds: np.ndarray
    force: np.ndarray
    place: np.ndarray


def record(n, mean, seed):
    """``n`` recordings with random times, on average ``mean`` seconds apart, of a mass that begins at rest."""
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(np.maximum(rng.exponential(mean, (n, STEPS)), LEAST), axis=1)
    size, phase = rng.uniform(0.3, 1, (n, 3)), rng.uniform(0, 2 * np.pi, (n, 3))
    turns = 2 * np.pi * rng.uniform(*FREQUENCIES, (n, 3))

    def force(t):
        return (size * np.sin(turns * t[:, None] + phase)).sum(axis=1)

    state, now = np.zeros((2, n)), np.zeros(n)
    forces, places = np.empty((2, n, STEPS, 1))
    for k in range(STEPS):
        state, now = move(state, now, seconds[:, k], force), seconds[:, k]
        forces[:, k, 0], places[:, k, 0] = force(now), state[0]
    return Recorded(seconds, forces, places)


def slope(state, force):
    """Time derivative of place and speed, (2, n)."""
    place, speed = state
    return np.stack([speed, -(OMEGA**2) * (place + place**3) - 2 * DAMPING * OMEGA * speed + DRIVE * force])


def move(state, now, then, force):
    """Place and speed (2, n) at the times ``then`` (n,), by Runge and Kutta's method in steps of at most FINE."""
    steps = max(1, int(np.ceil((then - now).max() / FINE)))
    h = (then - now) / steps
    for k in range(steps):
        t = now + k * h
        middle = force(t + h / 2)
        a = slope(state, force(t))
        b = slope(state + h / 2 * a, middle)
        c = slope(state + h / 2 * b, middle)
        d = slope(state + h * c, force(t + h))
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state


def resampled(recorded):
    """The force so far on a regular grid, (n, T, LAGS): at each time stamp, and then GRID earlier each.

    Between two records it lies on the straight line, before the first it is that of the first, and before 0 it is 0.
    """
    asked = recorded.seconds[:, :, None] - GRID * np.arange(LAGS)
    lines = [
        np.interp(own, t, f[:, 0]) for own, t, f in zip(asked, recorded.seconds, recorded.force, strict=True)
    ]  # fmt: skip
    return np.where(asked >= 0, lines, 0)


def linear(known, asked):
    """Places (n, T, 1) that ridge regression on `resampled` forces forecasts for ``asked``, fitted to ``known``."""
    x = resampled(known).reshape(-1, LAGS)
    weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(LAGS), x.T @ known.place.reshape(-1, 1))
    return resampled(asked) @ weights


def error(forecast, recorded):
    """Root mean square of what is off, as a share of the places' own: 1 is as good as always saying 0."""
    return np.sqrt(((forecast - recorded.place) ** 2).mean() / (recorded.place**2).mean())
