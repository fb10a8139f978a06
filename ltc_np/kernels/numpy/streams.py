"""Rows of many streams into the arrays of one step, and back: the definition in NumPy.

``marks`` (capacity,) says of every stream whether it is `CLOSED`, `OPEN`, or `BUSY` with a step.  Where something is
wrong, ``told`` becomes what it is and the first row where it is found, and nothing else has changed.
"""

import numpy as np

from ..codes import BAD_INPUT, BAD_STATE, BAD_TIME, BUSY, CLOSED, FINE, IN_USE, NO_STREAM, NOT_OPEN, OPEN, OVERFLOW


def take(ids, x, dt, marks, states, now, elapsed, state, largest, told):
    """Check one step of the streams ``ids`` (B,), copy what it needs, and mark them as busy.

    Parameters
    ----------
    x : (B, I)
    dt : (B,), or (1,) for all
    states : (capacity, K)
    now (R, I), elapsed (R, 1), state (R, K)
        Filled; rows from B on become those of no time: 0.
    largest : float
        The largest magnitude of inputs, elapsed times and states.
    told : (2,) int64
    """
    B = len(ids)
    times = np.broadcast_to(dt, B)
    there = (ids >= 0) & (ids < len(marks))
    found = np.where(there, marks[np.where(there, ids, 0)], CLOSED)
    first = np.zeros(B, bool)
    first[np.unique(ids, return_index=True)[1]] = True
    for what, wrong in (
        (NO_STREAM, ~there),
        (NOT_OPEN, there & (found == CLOSED)),
        (IN_USE, (found == BUSY) | ~first),
        (BAD_INPUT, ~(np.abs(x) <= largest).all(1)),
        (BAD_TIME, ~((times >= 0) & (times <= largest))),
        (BAD_STATE, ~(np.abs(states[np.where(there, ids, 0)]) <= largest).all(1)),
    ):
        if wrong.any():
            told[:] = what, wrong.argmax()
            return
    told[:] = FINE, 0
    marks[ids] = BUSY
    now[:B], elapsed[:B, 0], state[:B] = x, times, states[ids]
    for rows in (now, elapsed, state):
        rows[B:] = 0


def put(ids, y, state, marks, states, out, most, told):
    """Copy new states, and outputs to ``out`` (B, O), if no magnitude is above ``most``; streams are open again."""
    B = len(ids)
    marks[ids] = OPEN
    finite = (np.abs(y[:B]) <= most).all(1) & (np.abs(state[:B]) <= most).all(1)
    told[:] = (FINE, 0) if finite.all() else (OVERFLOW, finite.argmin())
    if told[0] == FINE:
        states[ids], out[...] = state[:B], y[:B]
