"""Write torch_lstm.npz: outputs, states and gradients of PyTorch's nn.LSTM, in float64.

Run it with an environment that has torch; the tests need only the file::

    python tests/golden/make_torch_lstm.py

The keys are ``<case>/<name>``; N units, I inputs, B sequences of T steps:

weight_ih (4N, I), weight_hh (4N, N), bias_ih, bias_hh (4N,)
    PyTorch's parameters, drawn wider than it draws them, so that gates open and close.
x (B, T, I), h0, c0 (B, N)
y (B, T, N), hT, cT (B, N)
a (B, T, N), b, c (B, N)
    loss = sum(y * a) + sum(hT * b) + sum(cT * c).
d_<name>
    Gradient of the loss with respect to each parameter, to x, h0 and c0.
"""

from pathlib import Path

import numpy as np
import torch

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def make_case(seed, N, I, B, T):
    rng = np.random.default_rng(seed)
    net = torch.nn.LSTM(I, N, batch_first=True).double()
    parameters = {name: getattr(net, f"{name}_l0") for name in PARAMETERS}
    for p in parameters.values():
        p.data.copy_(torch.from_numpy(rng.normal(0, 0.8, tuple(p.shape))))
    inputs = {"x": rng.normal(0, 1.5, (B, T, I)), "h0": rng.uniform(-1, 1, (B, N)), "c0": rng.normal(size=(B, N))}
    inputs = {name: torch.tensor(value, requires_grad=True) for name, value in inputs.items()}
    factors = {"a": (B, T, N), "b": (B, N), "c": (B, N)}
    factors = {name: torch.tensor(rng.normal(size=shape)) for name, shape in factors.items()}
    y, (hT, cT) = net(inputs["x"], dt=(inputs["h0"][None], inputs["c0"][None]))
    outputs = {"y": y, "hT": hT[0], "cT": cT[0]}
    sum((u * v).sum() for u, v in zip(outputs.values(), factors.values(), strict=True)).backward()
    given = parameters | inputs
    gradients = {f"d_{name}": value.grad for name, value in given.items()}
    return {name: value.detach().numpy() for name, value in (given | factors | outputs | gradients).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = {
        "plain": make_case(1, N=5, I=2, B=3, T=4),
        "square": make_case(2, N=4, I=4, B=4, T=4),
        "one_step": make_case(3, N=3, I=2, B=5, T=1),
        "long": make_case(4, N=17, I=3, B=2, T=60),
    }
    path = Path(__file__).with_name("torch_lstm.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
