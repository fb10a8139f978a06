"""The network as one layer, so that the card can run long sequences in chunks; see `ltc_np.layers.parallel`.

Layer by layer, as on the host, all that goes from one layer to the next would be copied to the host and back.
"""

from ...base import checks
from ..sequences import Sequences
from . import calls
from .host_arrays import HostCall, HostForm


class WholeNetwork:
    """What `ltc_np.layers.parallel` needs of a layer; ``prepared`` is the `DeviceStack`.

    Gradients are with respect to theta, not to effective values.
    """

    def __init__(self, network):
        stack = network.layer_stack
        self.layout, self.bitwise_batch, self.contracting = network.layout, stack.bitwise_batch, stack.contracting
        self.state_size, self.state_slices, self.untrained = stack.state_size, stack.state_slices, {}

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        T = dt.shape[1]
        valid = None if (lengths == T).all() else checks.before_end(lengths, T)
        return calls.forward(HostCall(Sequences(x, dt, lengths, valid, h0)), prepared, keep, workspace)

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        theta, d_x, d_h0, d_dt = calls.backward(HostForm(), saved, d_y, d_h, want_x, want_dt, workspace)
        for name, gradient in self.layout.arrays(theta).items():
            g[name] += gradient
        return d_x, d_h0, d_dt
