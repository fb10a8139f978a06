"""Public calls with arrays that already lie on the device."""

from ...base.workspace import Fresh
from ..engine import Answer, Gradients, PublicCalls, Tape
from . import calls
from .device_arrays import DeviceCall, on_device


class DeviceCalls(PublicCalls):
    """See `PublicCalls`; all layers of the engine's network must run on the device."""

    def __init__(self, engine):
        super().__init__(engine.network)
        self.engine = engine

    def read(self, x, dt, lengths, h0, return_sequences, own=False):
        return DeviceCall.read(self.engine, x, dt, lengths, h0, return_sequences)

    def call(self, given, keep=None, dropout_seed=None, parallel_time=None):
        self.network.note_parallel(())  # the card runs them as they stand
        y, state, saved = calls.forward(given, self.engine.stack(), keep, Fresh())
        tape = None if keep is None else Tape(self, given.form, None, saved, tuple(y.shape))
        return Answer(y, state, tape)

    def differentiate(self, tape, d_y, d_state, want_x=True, want_dt=True):
        if not on_device(d_y):
            raise TypeError("`d_y` must lie on the GPU, as the arrays of the tape's `forward` did, got one of the host")
        adjoints = tape.given.check_adjoints(tape.saved, d_y, d_state)
        want_dt = want_dt and self.network.takes_dt
        theta, *others = calls.backward(tape.given, tape.saved, *adjoints, want_x, want_dt, Fresh())
        return Gradients(self.engine.unfrozen(theta), *others)
