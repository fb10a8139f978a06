"""A call whose arrays are those of the host: on their way to the device and back."""

from typing import NamedTuple

from ...kernels.cuda.moves import put, put_steps, take_steps
from ...kernels.cuda.sequences import DeviceSequences
from ..sequences import Sequences


class HostCall(NamedTuple):
    """`Sequences`, on their way to the device."""

    sequences: Sequences

    @property
    def size(self):
        """Numbers of sequences and of steps, and what else the sizes of the call's arrays depend on."""
        B, T, I = self.sequences.x.shape
        return B, T, (I, self.sequences.valid is not None)

    @property
    def form(self):
        return HostForm()

    def put(self, stack, memory):
        """`DeviceSequences`, and the states that they start from, one for each layer."""
        x, dt, lengths, valid, h0 = self.sequences
        B, T = dt.shape
        given = put_steps("x", x, memory), put_steps("dt", dt, memory), put("steps", lengths, memory)
        return DeviceSequences(*given, T, B, valid is not None), stack.put_states("h", h0, memory)


class HostForm:
    """Arrays (B, T, ...), and (B, K) of states, whatever a caller wants to get."""

    def wait(self):
        """Nothing: whoever copies to or from the device waits for it."""

    def take(self, y, states, saved, memory):
        """Outputs (B, T, O) and last states (B, K) of what `DeviceStack.forward` gave."""
        sequences = saved.sequences
        y = take_steps(y, sequences.B, sequences.T, memory)
        return y, saved.stack.take_states(states, sequences.B)

    def like(self, y, state):
        """In a rehearsal, their adjoints."""
        return y, state

    def put_adjoints(self, saved, d_y, d_h, memory):
        """Those of outputs and states on the device."""
        d_h = saved.stack.put_states("d_h", d_h, memory)
        return put_steps("d_y", d_y, memory), d_h

    def take_adjoints(self, saved, d_x, d_h, d_dt, memory):
        """d_x (B, T, I), d_h0 (B, K) and d_dt (B, T), where there are any."""
        sequences = saved.sequences
        B, T = sequences.B, sequences.T
        d_x = None if d_x is None else take_steps(d_x, B, T, memory)
        d_dt = None if d_dt is None else take_steps(d_dt, B, T, memory).reshape(B, T)
        return d_x, saved.stack.take_states(d_h, B), d_dt
