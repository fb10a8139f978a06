"""A call whose arrays already lie on the device, such as those of CuPy and PyTorch.

They are of the network's dtype and contiguous; what comes back lies on the device too and is the caller's.
"""

from typing import NamedTuple

import numpy as np

from ...base import checks
from ...kernels.cuda import moves
from ...kernels.cuda.checks import finite
from ...kernels.cuda.device import adopt, download, empty, launch_over, upload, wait
from ...kernels.cuda.sequences import DeviceSequences
from ..sequences import check_shape, check_state, check_takes_dt, state_shape

u = np.uint64


def on_device(array):
    return hasattr(array, "__cuda_array_interface__")


def _flat(name, array, shape, dtype):
    """An array of the caller's, flat; not copied."""
    if not on_device(array):
        raise TypeError(f"`{name}` must lie on the GPU, as the others do, got an array of the host")
    flat, own_shape = adopt(array)
    if flat is None or flat.dtype != dtype or own_shape != shape:
        got = "one that is not contiguous" if flat is None else f"{flat.dtype} of shape {own_shape}"
        raise ValueError(f"`{name}` must be a contiguous {dtype} array of shape {shape} on the GPU, got {got}")
    return flat


class DeviceCall(NamedTuple):
    """The arguments of a call, as far as they can be looked at on the host; the rest is looked at in `put`.

    Attributes
    ----------
    x, dt, h0 : flat arrays of the caller's
        dt and h0 may also be arrays of the host, (B, T) and (B, K).
    lengths : (B,) array of the host
    T : int
    ragged : bool
        Whether some sequences may end before T.
    form : DeviceForm
    check_steps : callable
        Looks at elapsed times that are on the host.
    """

    x: object
    dt: object
    h0: object
    lengths: np.ndarray
    T: int
    ragged: bool
    form: object
    check_steps: object

    @classmethod
    def read(cls, engine, x, dt, lengths, h0, return_sequences):
        """See `ltc_np.network.engine.Engine.read`."""
        network, dtype = engine.network, engine.network.dtype
        if engine.unknown is not None:
            raise TypeError(f"arrays on the GPU need layers that run there (LTC, Dense), got {engine.unknown!r}")
        shape = adopt(x)[1]
        B, T, single = check_shape(shape, network.input_size, lengths)
        x = _flat("x", x, shape, dtype)
        lengths, valid = checks.lengths(lengths, B, T)
        check_takes_dt(network, dt)
        if on_device(dt):
            dt_shape, dt = adopt(dt)[1], _flat("dt", dt, shape[:-1], dtype)
        else:
            dt_shape = () if dt is None else np.shape(dt)
            dt = checks.elapsed(dt, B, T, dtype, valid, single)
            engine.check_steps(dt)
        if not on_device(h0):
            h0 = check_state(network, "h0", h0, B, single)
        elif len(network.layers) > 1:
            raise ValueError("`h0` of a stack of layers must lie on the host, got one on the GPU")
        else:
            h0 = _flat("h0", h0, state_shape(network.state_size, B, single)[0], dtype)
        form = DeviceForm(dt_shape, return_sequences, single)
        return cls(x, dt, h0, lengths, T, valid is not None, form, engine.check_steps)

    @property
    def size(self):
        """As of a `HostCall`."""
        return self.lengths.size, self.T, self.ragged

    def put(self, stack, memory):
        """As of a `HostCall`."""
        B, T = self.lengths.size, self.T
        x = moves.time_first(self.x, B, T, self.x.size // (B * T), memory, "x")
        sequences = DeviceSequences(x, None, upload(self.lengths), T, B, self.ragged)
        sequences.blank(x)
        finite("x", x)
        if isinstance(self.dt, np.ndarray):
            dt = upload(np.ascontiguousarray(self.dt.T))
        else:
            dt = moves.time_first(self.dt, B, T, 1, memory, "dt")
            sequences.blank(dt)
            finite("dt", dt, 0)
            self.check_steps(download(dt).reshape(T, B))
        if isinstance(self.h0, np.ndarray):
            h0 = stack.put_states("h", self.h0, memory)
        else:
            finite("h0", self.h0)
            h0 = [self.h0]
        return sequences._replace(dt=dt), h0


class DeviceForm(NamedTuple):
    """The form in which a caller gave arrays and gets some; see `ltc_np.network.sequences.CallArguments`."""

    dt_shape: tuple
    return_sequences: bool
    single: bool

    def wait(self):
        """Until nobody else writes what a caller gave, or until he may read what he gets."""
        wait()

    def shape(self, B, *own):
        """That of an array, by its shape for one sequence."""
        return own if self.single else (B, *own)

    def steps(self, T, n):
        """The shape of outputs of one sequence."""
        return (T, n) if self.return_sequences else (n,)

    def take(self, y, states, saved, memory):
        """Outputs and last states, on the device, of what `DeviceStack.forward` gave."""
        stack, sequences = saved.stack, saved.sequences
        B, T, O = sequences.B, sequences.T, stack.network.output_size
        if self.return_sequences:
            y = moves.batch_first(y, B, T, O, memory, "outputs")
        else:
            every, y = y, memory.array("outputs", B * O, y.dtype)
            launch_over(B * O, moves.last_outputs, y=every, steps=sequences.steps, B=u(B), n=u(O), last=y)
        return y.reshape(self.shape(B, *self.steps(T, O))), self._joined(stack, states, B)

    def _joined(self, stack, states, B):
        """States, or their adjoints, as one array."""
        h = states[0] if len(states) == 1 else upload(stack.take_states(states, B))
        return h.reshape(self.shape(B, stack.network.state_size))

    def like(self, y, state):
        """In a rehearsal, their adjoints, which are the caller's."""
        return empty(y.size, y.dtype), empty(state.size, state.dtype)

    def check_adjoints(self, saved, d_y, d_state):
        """Those of outputs and states, flat, as far as they can be looked at on the host."""
        network, B = saved.stack.network, saved.sequences.B
        shape = self.shape(B, *self.steps(saved.sequences.T, network.output_size))
        d_y = _flat("d_y", d_y, shape, network.dtype)
        if d_state is not None:
            d_state = _flat("d_state", d_state, self.shape(B, network.state_size), network.dtype)
        return d_y, d_state

    def put_adjoints(self, saved, d_y, d_state, memory):
        """Those of outputs (T, B, O), 0 behind a sequence's end, and of each layer's states."""
        stack, sequences, n = saved.stack, saved.sequences, saved.stack.network.output_size
        B, T = sequences.B, sequences.T
        if self.return_sequences:
            d_y = moves.time_first(d_y, B, T, n, memory, "d_y")
            sequences.blank(d_y)
        else:
            d_last, d_y = d_y, memory.zeros("d_y", T * B * n, d_y.dtype)
            launch_over(B * n, moves.d_last_outputs, d_last=d_last, steps=sequences.steps, B=u(B), n=u(n), d_y=d_y)
        finite("d_y", d_y)
        d_h = stack.zero_states(B, memory)
        if d_state is not None:
            finite("d_state", d_state)
            d_h = stack.put_states("d_h", download(d_state).reshape(B, -1), memory)
        return d_y, d_h

    def take_adjoints(self, saved, d_x, d_h, d_dt, memory):
        """d_x and d_h0 on the device, and d_dt, which is on the host unless it is of every step."""
        stack, sequences = saved.stack, saved.sequences
        B, T, I, dtype = sequences.B, sequences.T, stack.network.input_size, stack.dtype
        if d_x is not None:
            d_x = moves.batch_first(d_x, B, T, I, memory, "d_x").reshape(self.shape(B, T, I))
        if d_dt is not None and len(self.dt_shape) < 2:
            d_dt = download(d_dt).reshape(T, B).sum(1, dtype=np.float64)
            d_dt = d_dt.astype(dtype) if self.dt_shape else dtype.type(d_dt.sum())
        elif d_dt is not None:
            d_dt = moves.batch_first(d_dt, B, T, 1, memory, "d_dt").reshape(self.dt_shape)
        return d_x, self._joined(stack, d_h, B), d_dt
