"""Times of a training step inside PyTorch and JAX, beside the same step without them: docs/frameworks.md.

    python docs/scripts/frameworks.py

Needs the extras ``torch`` and ``jax``; takes a minute.  Gradients are compared first.
"""

import time

import jax
import numpy as np
import torch

from ltc_np import LTCRNN, AutoNCP
from ltc_np.interop.jax import jax_function
from ltc_np.interop.torch import TorchModel

SHAPES = {"small": (16, 1, 4, 32, 32), "large": (64, 8, 32, 256, 200)}  # neurons, outputs, inputs, sequences, steps


def ways(units, outputs, inputs, B, T):
    """Functions that give the gradient of a mean square, by name."""
    model = LTCRNN(AutoNCP(units, outputs), input_dim=inputs, seed=0)
    x = np.random.default_rng(0).normal(size=(B, T, inputs)).astype(np.float32)
    zeros, module, x_torch = np.zeros((B, T, outputs), np.float32), TorchModel(model), torch.from_numpy(x)
    function, x_jax = jax_function(model), jax.numpy.asarray(x)
    of_jax = jax.jit(jax.grad(lambda theta: (function(theta, x_jax) ** 2).mean()))

    def of_torch():
        module.zero_grad()
        module(x_torch).square().mean().backward()
        return module.theta.grad.numpy()

    return {
        "ltc_np": lambda: model.loss_and_grad(x, zeros)[1],
        "PyTorch": of_torch,
        "JAX": lambda: np.asarray(of_jax(model.theta)),
    }


for shape, sizes in SHAPES.items():
    found = ways(*sizes)
    first = {name: way() for name, way in found.items()}
    for name, gradient in first.items():
        np.testing.assert_allclose(gradient, first["ltc_np"], rtol=1e-3, atol=1e-6, err_msg=name)
    times = {name: [] for name in found}
    for _ in range(15):
        for name, way in found.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    print(shape, sizes, ", ".join(f"{name} {1e3 * min(t):.2f} ms" for name, t in times.items()))
