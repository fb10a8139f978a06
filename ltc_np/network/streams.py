"""Many streams of one model, stepped by number: the method `streams`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Ints
from ..kernels.codes import BAD_STATE, BAD_TIME, CLOSED, FINE, IN_USE, NO_STREAM, NOT_OPEN, OPEN
from .elapsed import warn_of_none
from .network import Network
from .sequences import check_takes_dt
from .step import check_causal


@with_signature_hints
def streams(self: Network, capacity: int) -> Streams:
    """Room for the states of so many streams of this model, which are then stepped by number; see `Streams`.

    An error for models whose outputs depend on later inputs (`Bidirectional`).
    """
    return Streams(self, capacity)


class Streams:
    """The states of many streams of one model, in one array: a server's load, one call for all that have a measurement.

    Made by `Model.streams`.  Outputs and states are those of `Model.step` with one state for each stream: to the bit
    for layers with the flag ``bitwise_batch`` (`LTC`), else up to rounding.  Threads may step different streams at the
    same time; opening and closing are one thread's.  After `step` has raised an error no state has changed.

    Parameters
    ----------
    model : Model
        Its parameters may change; the states remain.
    capacity : int
        How many streams may be open at the same time.

    Attributes
    ----------
    states : (capacity, K) array
        Row k is the state of stream k.  You may read it, and write to it between steps.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> streams = LTCRNN(AutoNCP(8, 2), input_dim=3, seed=0).streams(1000)
    >>> ids = streams.open(3)
    >>> streams.step(ids[[2, 0]], np.zeros((2, 3)), dt=[0.1, 0.5]).shape
    (2, 2)
    >>> streams.close(ids[1])
    >>> len(streams)
    2
    """

    model: Network
    capacity: int
    states: Array
    _rows: Any

    def __init__(self, model: Network, capacity: int) -> None:
        check_causal(model)
        self.model, self.capacity = model, checks.integer("capacity", capacity)
        self.states = np.empty((self.capacity, model.state_size), model.dtype)
        self._marks: Ints = np.full(self.capacity, CLOSED)
        self._free: list[int] = [*range(self.capacity)[::-1]]
        self._once: Array = np.ones(1, model.dtype)
        self._largest, self._most = float(checks.largest(model.dtype)), float(np.finfo(model.dtype).max)
        self._load_rows()

    def _load_rows(self) -> None:
        self._rows = kernels.load("cpu" if self.model.backend == "cpu" else "numpy", "streams")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_rows"}  # a module is not pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._load_rows()

    def __len__(self) -> int:
        """How many are open."""
        return self.capacity - len(self._free)

    def __repr__(self) -> str:
        return f"Streams({len(self)} of {self.capacity} open)"

    @property
    def ids(self) -> Ints:
        """The numbers of those that are open, in ascending order."""
        return np.flatnonzero(self._marks != CLOSED)

    def open(self, count: int | None = None, state: ArrayLike | None = None) -> int | Ints:
        """Begin a stream, or ``count`` of them: its number, or their numbers (count,).

        ``state``, (K,) for all or (count, K), is where they begin; default: `Model.initial_state`.
        """
        n = 1 if count is None else checks.integer("count", count)
        if n > len(self._free):
            raise ValueError(
                f"{checks.counted(n, 'stream')} cannot be opened: {len(self)} of {self.capacity} are open; close some, "
                "or make streams with a larger `capacity`"
            )
        K = self.model.state_size
        if state is None:
            begin = self.model.initial_state()
        else:
            begin = checks.real("state", state, self.model.dtype, f"({K},) or ({n}, {K})")
            checks.finite("state", begin)
            if begin.shape not in ((K,), (n, K)):
                raise ValueError(f"`state` must have shape ({K},) or ({n}, {K}), got {begin.shape}")
        ids = np.array([self._free.pop() for _ in range(n)])
        self.states[ids], self._marks[ids] = begin, OPEN
        return int(ids[0]) if count is None else ids

    def close(self, ids: int | ArrayLike) -> None:
        """End these streams; their numbers may be given to others.  Where one is not open, none is closed: an error."""
        found = _numbers(ids)
        if found.size and (found.min() < 0 or found.max() >= self.capacity or (self._marks[found] != OPEN).any()):
            wrong = next(k for k in found if not 0 <= k < self.capacity or self._marks[k] != OPEN)
            raise ValueError(f"`ids` must be numbers of open streams, got {wrong}: none is closed; see `ids`")
        unique = np.unique(found)
        self._marks[unique] = CLOSED
        self._free += unique[::-1].tolist()

    @with_signature_hints
    def step(self, ids: int | ArrayLike, x_t: ArrayLike, *, dt: ArrayLike | None = None) -> Array:
        """One time step of some streams: the outputs, (B, O), or (O,) for one.

        Parameters
        ----------
        ids : int, or (B,) array of int
            Numbers of open streams, each once.
        x_t : (I,) array, or (B, I)
            Row k is the input of stream ``ids[k]``.
        dt : number, or (B,) array, optional
            Elapsed time since the stream's step before.  Default 1.
        """
        model, numbers = self.model, _numbers(ids)
        I, dtype, single = model.input_size, model.dtype, not np.ndim(ids)
        B = numbers.size
        x = x_t
        if type(x) is not np.ndarray or x.dtype != dtype or not x.flags.carray:
            x = checks.real("x_t", x_t, dtype, f"({I},) or (B, {I})", bools=True)
        if not B:
            raise ValueError("`ids` must be at least one number, got none: leave out a step without streams")
        if x.shape != ((I,) if single else (B, I)):
            expected = f"({I},) for one stream" if single else f"({B}, {I}) for {checks.counted(B, 'stream')}"
            raise ValueError(f"`x_t` must be {expected}, got shape {x.shape}")
        x = x.reshape(B, I)
        if dt is None and model.trained is not None:
            warn_of_none(model.trained)
        times = self._once if dt is None else self._times(dt, B)
        engine, told = model.engine, np.empty(2, np.int64)
        prepared, stream = engine.stream(step_size(B))
        stream.ones = False  # `Model.step` uses the same buffers
        rows, marks = self._rows, self._marks
        rows.take(numbers, x, times, marks, self.states, stream.now, stream.dt, stream.state, self._largest, told)
        if told[0] != FINE:
            self._refuse(told, numbers, x, times)
        try:
            engine.check(prepared, stream.sequences)
            due = None if model.layer_stack.stride == 1 else model.pace(stream.sequences).lengths[:B]
            y, state = stream.run()
        except BaseException:
            marks[numbers] = OPEN
            raise
        out = np.empty((B, model.output_size), dtype)
        rows.put(numbers, y[:, 0], state, marks, self.states, out, self._most, told)
        if told[0] != FINE:
            engine.check_outputs(y[:B], state[:B], stream.dt[:B])
        if due is not None:
            out[due == 0] = np.nan
        return out[0] if single else out

    def _times(self, dt: ArrayLike, B: int) -> Array:
        check_takes_dt(self.model, dt)
        found = dt
        if type(dt) is not np.ndarray or dt.dtype != self.model.dtype or not dt.flags.carray:
            found = checks.real("dt", dt, self.model.dtype, f"a number or ({B},)")
        if found.ndim and found.shape != (B,):
            raise ValueError(f"`dt` must be a number or ({B},), got shape {found.shape}")
        return found.reshape(-1)

    def _refuse(self, told: Ints, ids: Ints, x: Array, times: Array) -> None:
        """Raise what `take` has told."""
        what, k = told.tolist()
        if what == NO_STREAM:
            raise ValueError(
                f"`ids` must be numbers of open streams, 0 to {self.capacity - 1}, got {ids[k]} at index {k}"
            )
        if what == NOT_OPEN:
            raise ValueError(f"`ids` must be numbers of open streams, but {ids[k]} at index {k} is not open")
        if what == IN_USE:
            raise ValueError(
                f"`ids` must have each stream once, but {ids[k]} at index {k} is in another step, or here twice"
            )
        if what == BAD_TIME:
            checks.elapsed_range(times)
        if what == BAD_STATE:
            checks.finite("states", self.states, np.isin(np.arange(self.capacity), ids))
        checks.finite("x_t", x)


def _numbers(ids: int | ArrayLike) -> Ints:
    """Numbers of streams as a (B,) array of int64."""
    if type(ids) is np.ndarray and ids.dtype == np.int64 and ids.ndim == 1 and ids.flags.c_contiguous:
        return ids
    found = checks.plain("ids", ids, "an integer or a (B,) array of integers")
    if found.ndim > 1 or (found.dtype.kind not in "iu" and found.size):
        raise TypeError(f"`ids` must be an integer or a (B,) array of integers, got {checks.describe(ids)}")
    return np.ascontiguousarray(found.reshape(-1), np.int64)


def step_size(B: int) -> int:
    """Rows that a step of B streams computes: few different numbers, since each keeps buffers; at most 1/8 is spare.

    Up to 16 it is a power of 2.
    """
    unit = max(16, 1 << max(B.bit_length() - 4, 0))
    return 1 << (B - 1).bit_length() if B <= 16 else -(-B // unit) * unit
