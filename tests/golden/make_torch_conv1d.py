"""Write torch_conv1d.npz: outputs and gradients of PyTorch's nn.Conv1d, behind zeros on the left, in float64.

Run it with an environment that has torch; the tests need only the file::

    python tests/golden/make_torch_conv1d.py

The keys are ``<case>/<name>``; K taps, I inputs, O outputs, B sequences of T steps:

stride, dilation
weight (O, I, K), bias (O,); separable: weight (O, I, 1), and taps (I, 1, K) of a first one with groups=I
x (B, I, T), y and a (B, O, T)
    loss = sum(y * a).
d_<name>
    Gradient of the loss with respect to each parameter, and to x.
"""

from pathlib import Path

import numpy as np
import torch


def make_case(seed, K, I, O, B, T, dilation=1, stride=1, separable=False):
    rng = np.random.default_rng(seed)
    options = {"dilation": dilation, "stride": stride}
    last = torch.nn.Conv1d(I, O, 1 if separable else K, **{} if separable else options).double()
    given, layers = {"weight": last.weight, "bias": last.bias}, [last]
    if separable:
        first = torch.nn.Conv1d(I, I, K, groups=I, bias=False, **options).double()
        given, layers = given | {"taps": first.weight}, [first, last]
    x = torch.tensor(rng.normal(size=(B, I, T)), requires_grad=True)
    # The first output belongs to input ``stride - 1``: so many zeros less, or inputs that none reads.
    y = torch.nn.functional.pad(x, ((K - 1) * dilation - (stride - 1), 0))
    for layer in layers:
        y = layer(y)
    y = y[:, :, : T // stride]
    a = torch.tensor(rng.normal(size=y.shape))
    (y * a).sum().backward()
    given |= {"x": x}
    values = given | {"y": y, "a": a} | {name: torch.tensor(value) for name, value in options.items()}
    values |= {f"d_{name}": value.grad for name, value in given.items()}
    return {name: value.detach().numpy() for name, value in values.items()}


if __name__ == "__main__":
    torch.manual_seed(0)
    cases = {
        "plain": make_case(1, K=3, I=2, O=5, B=3, T=7),
        "dilated": make_case(2, K=4, I=3, O=2, B=2, T=11, dilation=3),
        "separable": make_case(3, K=5, I=4, O=3, B=2, T=6, dilation=2, separable=True),
        "strided": make_case(5, K=5, I=3, O=4, B=2, T=12, stride=3),
        "strided, dilated": make_case(6, K=2, I=3, O=4, B=2, T=13, stride=4, dilation=2),
        "strided, separable": make_case(7, K=3, I=3, O=4, B=2, T=11, stride=2, separable=True),
        "wide": make_case(4, K=9, I=5, O=18, B=1, T=70),
    }
    path = Path(__file__).with_name("torch_conv1d.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
