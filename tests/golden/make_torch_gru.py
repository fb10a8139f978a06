"""Write torch_gru.npz: outputs, states and gradients of PyTorch's nn.GRU, in float64.

Run it with an environment that has torch; the tests need only the file::

    python tests/golden/make_torch_gru.py

The keys are ``<case>/<name>``; N units, I inputs, B sequences of T steps:

weight_ih (3N, I), weight_hh (3N, N), bias_ih, bias_hh (3N,)
    PyTorch's parameters, drawn wider than it draws them, so that gates open and close.
x (B, T, I), h0 (B, N)
y (B, T, N), hT (B, N)
a (B, T, N), b (B, N)
    loss = sum(y * a) + sum(hT * b).
d_<name>
    Gradient of the loss with respect to each parameter, to x and h0.
"""

from pathlib import Path

import numpy as np
import torch

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def make_case(seed, N, I, B, T):
    rng = np.random.default_rng(seed)
    net = torch.nn.GRU(I, N, batch_first=True).double()
    parameters = {name: getattr(net, f"{name}_l0") for name in PARAMETERS}
    for p in parameters.values():
        p.data.copy_(torch.from_numpy(rng.normal(0, 0.8, tuple(p.shape))))
    x, h0 = rng.normal(0, 1.5, (B, T, I)), rng.uniform(-1, 1, (B, N))
    inputs = {name: torch.tensor(value, requires_grad=True) for name, value in (("x", x), ("h0", h0))}
    a, b = (torch.tensor(rng.normal(size=shape)) for shape in ((B, T, N), (B, N)))
    y, hT = net(inputs["x"], dt=inputs["h0"][None])
    ((y * a).sum() + (hT[0] * b).sum()).backward()
    given = parameters | inputs
    values = given | {"y": y, "hT": hT[0], "a": a, "b": b} | {f"d_{name}": value.grad for name, value in given.items()}
    return {name: value.detach().numpy() for name, value in values.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = {
        "plain": make_case(1, N=5, I=2, B=3, T=4),
        "square": make_case(2, N=4, I=4, B=4, T=4),
        "one_step": make_case(3, N=3, I=2, B=5, T=1),
        "long": make_case(4, N=17, I=3, B=2, T=40),
    }
    path = Path(__file__).with_name("torch_gru.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
