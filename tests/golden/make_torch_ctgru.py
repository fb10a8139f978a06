"""Write torch_ctgru.npz: outputs, states and gradients of a CT-GRU in float64.

No published package follows the paper (public code decays by exp(-1 / ln(tau)) or mixes up the order), so this is the
loop of the paper's equations, one matrix for each gate as there, with gradients by PyTorch::

    python tests/golden/make_torch_ctgru.py

The tests need only the file.  The keys are ``<case>/<name>``; N units, M scales, I inputs, B sequences of T steps:

options
    JSON: scales, tau_min, tau_ratio, decay.
w_R, w_Q, w_S (N, I), u_R, u_Q, u_S (N, N), b_R, b_Q, b_S (N,)
    The paper's parameters: W, U and b of retrieval scale, signal and storage scale.
x (B, T, I), dt (B, T), h0 (B, M, N)
y (B, T, N), hT (B, M, N)
a (B, T, N), b (B, M, N)
    loss = sum(y * a) + sum(hT * b).
d_<name>
    Gradient of the loss with respect to each parameter, to x, dt and h0.
"""

import json
from pathlib import Path

import numpy as np
import torch


def run(p, x, dt, traces, scales, tau_min, tau_ratio, decay):
    """Outputs (B, T, N) and the last traces (B, M, N)."""
    tau = tau_min * tau_ratio ** torch.arange(scales, dtype=torch.float64)

    def fade(traces, elapsed):
        return traces * torch.exp(-elapsed[:, None] / tau)[:, :, None]

    def gate(name, x, h):
        return x @ p["w_" + name].T + h @ p["u_" + name].T + p["b_" + name]

    def select(ln_tau):
        return torch.softmax(-((ln_tau[:, None] - torch.log(tau)[:, None]) ** 2), 1)

    outputs = []
    for t in range(x.shape[1]):
        if decay == "before":
            traces = fade(traces, dt[:, t])
        h = traces.sum(1)
        r = select(gate("R", x[:, t], h))
        q = torch.tanh(gate("Q", x[:, t], (r * traces).sum(1)))
        s = select(gate("S", x[:, t], h))
        traces = (1 - s) * traces + s * q[:, None]
        if decay == "after":  # the paper's step 4
            traces = fade(traces, dt[:, t])
        outputs.append(traces.sum(1))
    return torch.stack(outputs, 1), traces


def make_case(seed, N, I, B, T, dt=None, scales=8, tau_min=1.0, tau_ratio=10**0.5, decay="before"):
    rng = np.random.default_rng(seed)
    given = {"x": rng.normal(0, 1.5, (B, T, I)), "h0": rng.normal(0, 0.5, (B, scales, N))}
    given["dt"] = rng.uniform(0, 3, (B, T)) if dt is None else np.full((B, T), dt)
    for name in "RQS":
        given |= {f"w_{name}": rng.normal(size=(N, I)), f"u_{name}": rng.normal(0, N**-0.5, (N, N))}
        given[f"b_{name}"] = rng.normal(size=N)
    given = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    options = {"scales": scales, "tau_min": tau_min, "tau_ratio": tau_ratio, "decay": decay}
    y, hT = run(given, given["x"], given["dt"], given["h0"], **options)
    a, b = torch.tensor(rng.normal(size=y.shape)), torch.tensor(rng.normal(size=hT.shape))
    ((y * a).sum() + (hT * b).sum()).backward()
    values = given | {"y": y, "hT": hT, "a": a, "b": b} | {f"d_{name}": value.grad for name, value in given.items()}
    return {name: value.detach().numpy() for name, value in values.items()} | {"options": json.dumps(options)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = {
        "irregular": make_case(1, N=5, I=2, B=3, T=4),
        "square": make_case(2, N=4, I=4, B=4, T=4, scales=4, tau_min=0.02, tau_ratio=2.5),
        "one_step": make_case(3, N=3, I=2, B=5, T=1, scales=3),
        "one_scale": make_case(4, N=3, I=2, B=2, T=5, scales=1),
        "published": make_case(5, N=5, I=3, B=3, T=6, dt=1.0, decay="after"),
        "long": make_case(6, N=17, I=2, B=2, T=30, decay="after"),
    }
    path = Path(__file__).with_name("torch_ctgru.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
