"""A network's parameters on the device: raw and effective values, and their gradient."""

import numpy as np

from ...base.layout import LEAST, POSITIVITIES
from ...kernels.cuda import optim, sums
from ...kernels.cuda.device import empty, launch_over, overwrite, upload

u = np.uint64


class DeviceParameters:
    """Copies of a network's parameters; the host's are the authority.

    Attributes
    ----------
    theta, values, gradient : (P,) arrays on the device
        Raw and effective values; d(loss)/d(theta).
    d_values : (P,) float64
        d(loss)/d(values).
    fixed : array on the device
        The network's buffers: what is not trained.
    p, g, buffers : dicts of device arrays by name
        Parts of values, of d_values, and of fixed.
    positivity, bound, frozen : (P,)
        As the kernels of `ltc_np.kernels.cuda.optim` read them.
    """

    def __init__(self, network):
        layout, P, dtype = network.layout, network.layout.size, network.dtype
        self.network, self.size, self.dtype = network, P, dtype
        positivity, bound = np.zeros(P, np.int8), np.zeros(P, dtype)
        for entry in layout.entries:
            where, _ = layout.slices[entry.name]
            optim.must_know_positivity(number := POSITIVITIES.index(entry.positivity))
            positivity[where], bound[where] = number, entry.bound
        self.positivity, self.bound = upload(positivity), upload(bound)
        self.theta, self.values, self.gradient = (empty(P, dtype) for _ in range(3))
        self.d_values, self.frozen = empty(P, np.float64), upload(np.zeros(P, np.int8))
        self.no_rates = upload(np.zeros(0))
        self.fixed = upload(np.zeros(network.buffer_layout.size, dtype))
        self.p, self.g, self.buffers = (
            {name: array[where] for name, (where, _) in of.slices.items()}
            for array, of in ((self.values, layout), (self.d_values, layout), (self.fixed, network.buffer_layout))
        )

    def load(self, theta, fixed):
        """Take the parameters and the buffers of the host."""
        overwrite(self.theta, theta)
        overwrite(self.fixed, fixed)

    def freeze(self):
        """Take from the host what of theta is frozen: `differentiate` makes its gradient 0."""
        trainable = self.network.trainable
        frozen = np.zeros(self.size, np.int8) if trainable is None else (~trainable).view(np.int8)
        overwrite(self.frozen, frozen)

    def prepare(self):
        """Effective values."""
        least = LEAST[self.dtype.itemsize]
        launch_over(
            self.size, optim.effective, theta=self.theta, positivity=self.positivity, bound=self.bound, least=least,
            values=self.values,
        )  # fmt: skip

    def differentiate(self, l1=None, l2=None):
        """``gradient`` of ``d_values`` and of the penalties, whose rates (P,) are on the device."""
        none = self.no_rates
        launch_over(
            self.size, optim.d_effective, d_values=self.d_values, values=self.values, positivity=self.positivity,
            l1=none if l1 is None else l1, l2=none if l2 is None else l2, frozen=self.frozen, gradient=self.gradient,
        )  # fmt: skip

    def add_penalties(self, l1, l2, total, memory):
        """Adds the penalties' value to total (1,), float64."""
        elements = memory.array("penalties", self.size, np.float64)
        launch_over(self.size, optim.penalties, values=self.values, l1=l1, l2=l2, elements=elements)
        launch_over(1, sums.reduce, partial=elements, chunks=u(self.size), total=total)
