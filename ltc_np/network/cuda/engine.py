"""The engine of a card.

A network whose layers all run there runs as a whole, from arrays of the host or of the card; one that has others goes
layer by layer through the host, with the kernels that the loader finds for each.
"""

from typing import NamedTuple

import numpy as np

from ...base import checks
from ...layers import parallel
from ..engine import Adjoints
from ..host import HostEngine
from . import calls
from .device_arrays import on_device
from .device_calls import DeviceCalls
from .host_arrays import HostCall, HostForm
from .layers import unknown
from .stack import DeviceStack
from .training import CudaTrainer, why_not
from .whole import WholeNetwork


class _Held(NamedTuple):
    """A stack, and of which parameters and buffers it is."""

    version: tuple
    stack: DeviceStack


class CudaEngine(HostEngine):
    """See `Engine`."""

    most_numbers = 64 * HostEngine.most_numbers  # a card has work for many, and the memory

    def __init__(self, network):
        super().__init__(network)
        self.unknown = unknown(network.layers)  # the first layer that the card does not know
        self.whole = WholeNetwork(network)
        if self.unknown is None:
            self.width = parallel.CARD

    def stack(self):
        """The network as it is now, on the card.

        Each thread keeps it while parameters and buffers stay the same; tapes keep theirs.
        """
        version, held = self.network.parameter_version(), getattr(self._local, "stack", None)
        if held is None or held.version != version:
            held = self._local.stack = None  # given back before its successor is made
            stack = DeviceStack(self.network)
            stack.parameters.load(*self.arrays_of(version))
            stack.prepare()
            held = self._local.stack = _Held(version, stack)
        return held.stack

    def calls_for(self, x):
        return DeviceCalls(self) if on_device(x) else self

    def refuse_device(self, array):
        if on_device(array):
            raise ValueError(
                "`tape` must come from this model's own `forward` of arrays on the GPU, as `d_y` is one, got one of "
                "arrays of the host"
            )

    def check_steps(self, dt):
        """Let every layer look at the elapsed times, on the host, that are to come: none on the card has a stride."""
        self.network.layer_stack.check(self.remembered().prepared.layers, dt)

    def forward(self, prepared, sequences, keep, workspace, dropout_seed=None, parallel_time=None):
        if self.unknown is not None:
            return super().forward(prepared, sequences, keep, workspace, dropout_seed, parallel_time)
        x, dt, lengths, _, h0 = sequences
        stack, cutting = self.stack(), self.cutting(sequences, parallel_time)
        if cutting is None:
            found, reports = calls.forward(HostCall(sequences), stack, keep, workspace), ()
        else:
            found = parallel.forward(None, cutting, self.whole, stack, x, dt, lengths, h0, keep, workspace)
            reports = tuple(cutting.reports)
        self.network.note_parallel(reports)
        return found

    def stepper(self, prepared, sequences, workspace):
        if self.unknown is not None:
            return super().stepper(prepared, sequences, workspace)
        return lambda: calls.forward(HostCall(sequences), self.stack(), None, workspace)[:2]

    def cutting(self, sequences, parallel_time):
        may_be_cut = self.unknown is not None or parallel.wants(self.whole)
        return super().cutting(sequences, parallel_time) if may_be_cut else None

    def backward(self, prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace):
        if self.unknown is not None:
            return super().backward(prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace)
        if isinstance(saved, parallel.Chunked):
            layout, stack = self.network.layout, saved.layer.stack
            theta = np.zeros(layout.size)
            d_x, d_h0, d_dt = parallel.backward(
                self.whole, stack, saved, d_y, d_h, layout.arrays(theta), want_x, want_dt, workspace
            )
            found = Adjoints(theta.astype(self.network.dtype), d_x, d_h0, d_dt)
        else:
            found = calls.backward(HostForm(), saved, d_y, d_h, want_x, want_dt, workspace)
        return found._replace(theta=self.unfrozen(found.theta))

    def trainer(self, objective, optimizer, clip, keep, workspace):
        reason = why_not(self.network, objective, optimizer)
        if reason is None:
            return CudaTrainer(self.network, objective, optimizer, clip, keep, workspace)
        checks.warn(f"ltc_np: a training step on the GPU does not know {reason}; every batch goes through the host")
        return super().trainer(objective, optimizer, clip, keep, workspace)
