"""The engine of a card.

A network whose layers all run there runs as a whole, from arrays of the host or of the card; one that has others goes
layer by layer through the host, with the kernels that the loader finds for each.
"""

from ...base import checks
from ..engine import Adjoints, Answer, Ran
from ..host import HostEngine
from ..tape import Tape
from .calls import DeviceCall, Form, differentiate, on_device
from .stack import Stack, missing
from .training import CudaTrainer, why_not


class CudaEngine(HostEngine):
    """See `Engine`."""

    most_numbers = 64 * HostEngine.most_numbers  # a card has work for many, and the memory

    def __init__(self, network):
        super().__init__(network)
        self.unknown = missing(network.layers)  # the first layer that the card does not know

    def stack(self):
        """The network as it is now, on the card.

        Each thread keeps it while parameters and buffers stay the same; tapes keep theirs.
        """
        version, held = self.network.version(), getattr(self._local, "stack", None)
        if held is None or held[0] != version:
            held = self._local.stack = None  # given back before its successor is made
            stack = Stack(self.network)
            stack.load()
            stack.prepare()
            held = self._local.stack = version, stack
        return held[1]

    def read(self, x, dt, lengths, h0, return_sequences, own=False):
        if on_device(x):
            return DeviceCall(self, x, dt, lengths, h0, return_sequences)
        return super().read(x, dt, lengths, h0, return_sequences, own)

    def call(self, given, keep=None, dropout_seed=None):
        if not isinstance(given, DeviceCall):
            return super().call(given, keep, dropout_seed)
        y, state, saved = given.planned(keep)
        tape = None if keep is None else Tape(self.network, given.form, None, saved, tuple(y.shape))
        return Answer(y, state, tape)

    def differentiate(self, tape, d_y, d_state):
        if not isinstance(tape.given, Form):
            if on_device(d_y):
                raise ValueError(
                    "`tape` must come from this model's own `forward` of arrays on the GPU, as `d_y` is one, got one "
                    "of arrays of the host"
                )
            return super().differentiate(tape, d_y, d_state)
        if not on_device(d_y):
            raise TypeError("`d_y` must lie on the GPU, as the arrays of the tape's `forward` did, got one of the host")
        return differentiate(self.network, tape.given, tape.saved, d_y, d_state)

    def forward(self, prepared, sequences, keep, workspace, dropout_seed=None):
        if self.unknown is not None:
            return super().forward(prepared, sequences, keep, workspace, dropout_seed)
        return Ran(*self.stack().run(*sequences, keep, workspace))

    def backward(self, prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace):
        if self.unknown is not None:
            return super().backward(prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace)
        gradient, *others = saved.stack.run_back(saved, d_y, d_h, want_x, want_dt, workspace)
        return Adjoints(self._unfrozen(gradient), *others)

    def trainer(self, objective, optimizer, clip_norm, keep, workspace):
        reason = why_not(self.network, objective, optimizer)
        if reason is None:
            return CudaTrainer(self.network, objective, optimizer, clip_norm, keep, workspace)
        checks.warn(f"ltc_np: a training step on the GPU does not know {reason}; every batch goes through the host")
        return super().trainer(objective, optimizer, clip_norm, keep, workspace)
