"""One time step at a time: what `Network.step` keeps between its calls, so that a call allocates nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base import checks
from ..base.workspace import Workspace
from .sequences import Sequences, check_takes_dt, state_shape

GAP = ": give the last value that is known"


class Stream:
    """A thread's buffers for steps of B sequences of one network.

    Attributes
    ----------
    sequences : Sequences
        The step that was read last.
    ones : bool
        Whether all elapsed times in the buffer are 1, as they are for a step without any.
    run : function
        Computes it: y (B, 1, O) and the state (B, K), in arrays that the next step may write to.  Made by the engine.
    """

    run: Callable[[], tuple[np.ndarray, np.ndarray]]

    def __init__(self, network, B):
        self.network, self.B, self.dtype = network, B, network.dtype
        self.K = K = network.state_size
        I = network.input_size
        self.both = np.empty(B * (I + K), self.dtype)  # one array, so that one check serves x and state
        self.x = self.both[: B * I].reshape(B, 1, I)
        self.state = self.both[B * I :].reshape(B, K)
        self.now = self.x[:, 0]
        self.dt, self.ones = np.ones((B, 1), self.dtype), True
        self.start = network.starting_state(B)
        self.sequences = Sequences(self.x, self.dt, np.ones(B, np.int64), None, self.state)
        self.workspace = Workspace()
        self.largest = float(checks.largest(self.dtype))

    def read(self, x_t, dt, state, single):
        """Check the arguments of a step and copy them to the buffers."""
        if dt is not None:
            self.ones = False
            self._read_dt(dt, single)
        elif not self.ones:
            self.dt.fill(1)
            self.ones = True  # not before: Ctrl-C may come in between
        if state is None:
            state = self.start[0] if single else self.start
        elif type(state) is not np.ndarray or state.dtype != self.dtype:
            state = checks.real("state", state, self.dtype, state_shape(self.K, self.B, single)[1])
        if state.shape != ((self.K,) if single else (self.B, self.K)):
            raise ValueError(f"`state` must have shape {state_shape(self.K, self.B, single)[1]}, got {state.shape}")
        self.now[...] = x_t
        self.state[...] = state
        if not checks.surely_finite(self.both):
            checks.finite("x_t", self.x.reshape(x_t.shape), missing=GAP)
            checks.finite("state", self.state)

    def _read_dt(self, dt, single):
        check_takes_dt(self.network, dt)
        if type(dt) is float and 0 <= dt <= self.largest:
            self.dt.fill(dt)
            return
        if type(dt) is not float:
            expected = "a number" if single else f"a number or ({self.B},)"
            dt = checks.real("dt", dt, self.dtype, expected)
            if dt.ndim and (single or dt.shape != (self.B,)):
                raise ValueError(f"`dt` must be {expected}, got shape {dt.shape}")
            dt = dt.reshape(-1, 1)
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            self.dt[...] = dt
        checks.elapsed_range(self.dt)

    def write(self, y, state, out, single):
        """The result of a step as fresh arrays, or in ``out``."""
        y, state = (y[0, 0], state[0]) if single else (y[:, 0], state)
        if out is None:
            return y.copy(), state.copy()
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(f"`out` must be a tuple (y_t, state) of arrays, got {type(out).__name__}")
        for name, array, given in (("y_t", y, out[0]), ("state", state, out[1])):
            if not isinstance(given, np.ndarray) or given.dtype != self.dtype or given.shape != array.shape:
                got = f"{given.dtype} of shape {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
                raise ValueError(f"`out` must hold {name} as {self.dtype} of shape {array.shape}, got {got}")
        out[0][...], out[1][...] = y, state
        return out
