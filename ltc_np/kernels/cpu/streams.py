"""Rows of many streams into the arrays of one step, and back: `ltc_np.kernels.numpy.streams`, in one call each."""

from ..codes import BAD_INPUT, BAD_STATE, BAD_TIME, BUSY, FINE, IN_USE, NO_STREAM, NOT_OPEN, OPEN, OVERFLOW
from .jit import helper, kernel


@helper
def _within(rows, k, largest):
    """Whether no magnitude in row k is larger, or NaN."""
    beyond = 0
    for i in range(rows.shape[1]):  # to the end, so that it is done by vectors
        beyond += not abs(rows[k, i]) <= largest
    return beyond == 0


@helper
def _copy(rows, k, to, j):
    """Row k becomes row j of ``to``."""
    for i in range(rows.shape[1]):
        to[j, i] = rows[k, i]


@helper
def _wrong(marks, stream, x, k, elapsed, states, largest):
    """What is wrong with row k of a step of a stream, or `FINE`."""
    if stream < 0 or stream >= marks.size:
        return NO_STREAM
    if marks[stream] != OPEN:
        return IN_USE if marks[stream] == BUSY else NOT_OPEN
    if not _within(x, k, largest):
        return BAD_INPUT
    if not 0 <= elapsed <= largest:
        return BAD_TIME
    return FINE if _within(states, stream, largest) else BAD_STATE


@kernel
def take(ids, x, dt, marks, states, now, elapsed, state, largest, told):
    """See `ltc_np.kernels.numpy.streams.take`."""
    told[0], told[1] = FINE, 0
    for k in range(ids.size):
        time = dt[k] if dt.size > 1 else dt[0]
        told[0] = _wrong(marks, ids[k], x, k, time, states, largest)
        if told[0] != FINE:
            told[1] = k
            for j in range(k):
                marks[ids[j]] = OPEN
            return
        marks[ids[k]] = BUSY
        elapsed[k, 0] = time
        _copy(x, k, now, k)
        _copy(states, ids[k], state, k)
    for k in range(ids.size, now.shape[0]):
        elapsed[k, 0] = 0
        for i in range(now.shape[1]):
            now[k, i] = 0
        for i in range(state.shape[1]):
            state[k, i] = 0


@kernel
def put(ids, y, state, marks, states, out, most, told):
    """See `ltc_np.kernels.numpy.streams.put`."""
    told[0], told[1] = FINE, 0
    for k in range(ids.size - 1, -1, -1):
        marks[ids[k]] = OPEN
        if not (_within(y, k, most) and _within(state, k, most)):
            told[0], told[1] = OVERFLOW, k
    if told[0] == FINE:
        for k in range(ids.size):
            _copy(state, k, states, ids[k])
            _copy(y, k, out, k)
