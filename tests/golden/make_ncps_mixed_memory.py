"""Write mixed_memory_ltc.npz and mixed_memory_cfc.npz: ncps 1.0.1's torch LTC and CfC with mixed memory.

Run it with an environment that has ncps==1.0.1 and torch; the tests need only the files::

    python tests/golden/make_ncps_mixed_memory.py

The keys are ``<case>/<name>``, numbers float64; I=3 inputs, N units, B sequences of T steps:

case
    JSON text: of an LTC the wiring's "class" and "arguments"; of a CfC its arguments.
x (B, T, I), h0, c0 (B, N)
dt
    () for all sequences and steps, or (B, T).  ncps mixes up batch and units when timespans are given for B > 1, so
    there each sequence was run alone.
y (B, T, O), hT, cT (B, N)
a (B, T, O), b, c (B, N)
    loss = sum(y * a) + sum(hT * b) + sum(cT * c).
p/<name>
    Parameters by ncps' names without "rnn_cell.", as ncps holds them (an LTC's in full matrices): all that are
    trained, drawn wider than ncps draws them.
d/<name>
    Gradients of the loss with respect to these parameters, x, h0, c0 and dt; where dt is one number, that of dt is
    (T,), summed over the batch.
"""

import json
from importlib.metadata import version
from pathlib import Path

import ncps.torch
import ncps.wirings
import numpy as np
import torch

INPUT_DIM = 3


def run(net, seed, dt, B, T, positive=()):
    """One golden dict of a net in float64; ``positive`` names parameters that keep their sign."""
    rng = np.random.default_rng(seed)
    net = net.double()
    parameters = {name.removeprefix("rnn_cell."): p for name, p in net.named_parameters() if p.requires_grad}
    for name, p in parameters.items():
        if name not in positive:
            p.data += torch.from_numpy(rng.normal(0, 0.3, tuple(p.shape)))
    N, O = net.state_size, net.output_size
    given = {"x": rng.normal(0, 1, (B, T, INPUT_DIM)), "h0": rng.uniform(-1, 1, (B, N)), "c0": rng.normal(size=(B, N))}
    given = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    times = torch.tensor(rng.uniform(0.05, 2.0, (B, T)) if dt is None else np.full((1, T), dt), requires_grad=True)
    state = given["h0"], given["c0"]
    if dt is None:
        rows = [slice(b, b + 1) for b in range(B)]
        runs = [net(given["x"][r], (state[0][r], state[1][r]), times[r]) for r in rows]
    else:
        runs = [net(given["x"], state, times)]
    outputs = {"y": [y for y, _ in runs], "hT": [h for _, (h, _) in runs], "cT": [c for _, (_, c) in runs]}
    outputs = {name: torch.cat(parts) for name, parts in outputs.items()}
    factors = {"a": (B, T, O), "b": (B, N), "c": (B, N)}
    factors = {name: torch.tensor(rng.normal(size=shape)) for name, shape in factors.items()}
    sum((u * v).sum() for u, v in zip(outputs.values(), factors.values(), strict=True)).backward()
    g = {name: value.detach().numpy() for name, value in (given | factors | outputs).items()}
    g["dt"] = times.detach().numpy() if dt is None else np.array(dt)
    g |= {f"p/{name}": p.detach().numpy() for name, p in parameters.items()}
    g |= {f"d/{name}": p.grad.numpy() for name, p in (parameters | given).items()}
    g["d/dt"] = times.grad.numpy() if dt is None else times.grad.numpy()[0]
    assert all(value.dtype == np.float64 for value in g.values())
    return g


def ltc_case(seed, wiring_class, arguments, dt, B=3, T=5):
    wiring = getattr(ncps.wirings, wiring_class)(**arguments)
    torch.manual_seed(seed)
    net = ncps.torch.LTC(INPUT_DIM, wiring, mixed_memory=True)
    g = run(net, seed, dt, B, T, positive=("cm", "gleak", "w", "sensory_w"))
    return {"case": np.array(json.dumps({"class": wiring_class, "arguments": arguments})), **g}


def cfc_case(seed, arguments, dt, B=3, T=5):
    torch.manual_seed(seed)
    net = ncps.torch.CfC(INPUT_DIM, mixed_memory=True, **arguments)
    return {"case": np.array(json.dumps(arguments)), **run(net, seed, dt, B, T)}


def write(name, cases):
    path = Path(__file__).with_name(f"mixed_memory_{name}.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    assert version("ncps") == "1.0.1", version("ncps")
    torch.set_num_threads(1)
    full, sparse = ("FullyConnected", {"units": 4, "output_dim": 2}), ("AutoNCP", {"units": 9, "output_size": 2})
    cases = {
        "full": ltc_case(1, *full, 1.0),
        "full-short": ltc_case(2, *full, 0.3),
        "full-irregular": ltc_case(3, *full, None, B=4),
        "sparse": ltc_case(4, *sparse, 1.0),
        "sparse-long": ltc_case(5, *sparse, 0.5, B=2, T=40),
    }
    write("ltc", cases)
    small = {"units": 5, "backbone_units": 7, "backbone_layers": 1}
    cases = {
        "default": cfc_case(11, small | {"mode": "default"}, 1.0),
        "default-irregular": cfc_case(12, small | {"mode": "default"}, None, B=5),
        "no_gate": cfc_case(13, small | {"mode": "no_gate", "activation": "silu"}, 0.4),
        "pure": cfc_case(14, small | {"mode": "pure"}, 0.7),
        "deep": cfc_case(15, {"units": 4, "backbone_units": 6, "backbone_layers": 2, "mode": "default"}, None),
        "bare": cfc_case(16, {"units": 4, "backbone_layers": 0, "backbone_units": 1, "mode": "default"}, 1.3, T=30),
    }
    write("cfc", cases)
