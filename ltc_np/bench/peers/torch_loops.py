"""Cells as loops over time in eager PyTorch, as people write them; `bench --peers` compares with these.

Each function takes a model of one cell and returns a module with parameters of the model's names and transposed
shapes.  Elapsed time is 1 everywhere.
"""

import numpy as np
import torch
from torch.nn.functional import linear, softplus

from ...cells import CTGRU, CTRNN, NeuralODE, SpikingLIF


class Loop(torch.nn.Module):
    """Parameters as the model has them."""

    def __init__(self, model):
        super().__init__()
        for name, (_, shape) in model.layout.slices.items():
            setattr(self, name, torch.nn.Parameter(torch.empty(shape[::-1])))


def ctgru_loop(model):
    """Over steps of a `CTGRU`, all scales at once; inputs are projected ahead."""
    layer, N = model.layers[0], model.layers[0].output_size
    tau = torch.tensor(layer.tau_min * layer.tau_ratio ** np.arange(layer.scales), dtype=torch.float32)
    ln_tau, left = torch.log(tau), torch.exp(-1 / tau)

    def select(a):
        return torch.softmax(-((a.unsqueeze(2) - ln_tau) ** 2), 2)

    class Steps(Loop):
        def forward(self, x):
            traces, outputs = torch.zeros(x.shape[0], N, layer.scales), []
            for z in linear(x, self.w_x, self.b).unbind(1):
                traces = traces * left
                read, write = (z[:, : 2 * N] + linear(traces.sum(2), self.w_h)).chunk(2, 1)
                signal = torch.tanh(z[:, 2 * N :] + linear((select(read) * traces).sum(2), self.w_c))
                traces = torch.lerp(traces, signal.unsqueeze(2), select(write))
                outputs.append(traces.sum(2))
            return torch.stack(outputs, 1), traces

    return Steps(model)


def ode_loop(model):
    """Over steps, unfolds and stages of a `CTRNN` (euler) or `NeuralODE` (rk4); inputs are projected ahead."""
    layer = model.layers[0]
    h, leaks = 1 / layer.ode_unfolds, "tau" in model.params

    class Steps(Loop):
        def forward(self, x):
            w_h, driven = self.w_h.T, linear(x, self.w_x, self.b)
            rate = 1 / softplus(self.tau) if leaks else None
            v, outputs = torch.zeros(x.shape[0], layer.output_size), []
            for z in driven.unbind(1):

                def f(v, z=z):
                    return torch.tanh(torch.addmm(z, v, w_h))

                for _ in range(layer.ode_unfolds):
                    if leaks:
                        v = v + h * (f(v) - rate * v)
                    else:
                        k1 = f(v)
                        k2 = f(v + (h / 2) * k1)
                        k3 = f(v + (h / 2) * k2)
                        k4 = f(v + h * k3)
                        v = v + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
                outputs.append(v)
            return torch.stack(outputs, 1), v

    return Steps(model)


class Spike(torch.autograd.Function):
    """A step at 0 with the derivative of a fast sigmoid."""

    @staticmethod
    def forward(ctx, u, slope):
        ctx.save_for_backward(u)
        ctx.slope = slope
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, d_s):
        return d_s / (1 + ctx.slope * ctx.saved_tensors[0].abs()) ** 2, None


def lif_loop(model):
    """Over steps of a `SpikingLIF` that is not recurrent; inputs are projected ahead."""
    layer = model.layers[0]

    class Steps(Loop):
        def forward(self, x):
            e = -torch.expm1(-1 / softplus(self.tau))
            v, spikes = torch.zeros(x.shape[0], layer.output_size), []
            for current in linear(x, self.w_x, self.b).unbind(1):
                v = v + (current - v) * e
                s = Spike.apply(v - layer.threshold, layer.slope)
                v = v * (1 - s)
                spikes.append(s)
            return torch.stack(spikes, 1), v

    return Steps(model)


LOOPS = {CTGRU: ctgru_loop, CTRNN: ode_loop, NeuralODE: ode_loop, SpikingLIF: lif_loop}
