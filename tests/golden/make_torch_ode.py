"""Write torch_ode.npz: outputs, states and gradients of CT-RNNs and neural ODEs by plain PyTorch loops, in float64.

Run it with an environment that has torch; the tests need only the file::

    python tests/golden/make_torch_ode.py

The loops follow the papers' equations, with autograd: v' = -v/tau + f([x, v] W + b), without the leak for the neural
ODE; the two cases "published" are the steps of the LTC paper's code (Hasani et al., AAAI 2021), six of 0.1, tau = 1.

The keys are ``<case>/<name>``; N units, I inputs, B sequences of T steps:

case
    JSON: the cell's name and its arguments.
w_x (I, N), w_h (N, N), b, tau (N,)
    Parameters; w_h only with feedback, tau only of a CTRNN, raw: the time constant is softplus of it.
x (B, T, I), dt (B, T), h0 (B, N)
y (B, T, N), hT (B, N)
c (B, T, N), d (B, N)
    loss = sum(y * c) + sum(hT * d).
d_<name>
    Gradient of the loss with respect to each parameter, to x, h0 and dt.
"""

import json
from pathlib import Path

import numpy as np
import torch

F = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
}


def integrate(x, v, dt, p, cell, solver, unfolds, f, feedback):
    """One time step of elapsed time dt (B,)."""
    W = torch.cat([p["w_x"], p["w_h"]]) if feedback else p["w_x"]
    tau = torch.nn.functional.softplus(p["tau"]) if cell == "CTRNN" else None
    h = dt[:, None] / unfolds

    def drive(v):
        return f((torch.cat([x, v], 1) if feedback else x) @ W + p["b"])

    def field(v):
        return drive(v) if tau is None else drive(v) - v / tau

    for _ in range(unfolds):
        if solver == "semi_implicit":
            v = (v + h * drive(v)) / (1 + h / tau)
        elif solver == "euler":
            v = v + h * field(v)
        else:
            k1 = field(v)
            k2 = field(v + h / 2 * k1)
            k3 = field(v + h / 2 * k2)
            k4 = field(v + h * k3)
            v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return v


def published(x, v, dt, p, cell, solver, unfolds, f, feedback):
    """The step of the LTC paper's code; it knows no dt, so dt's gradient is that of a factor on the step, dt / 0.6."""
    W, h = torch.cat([p["w_x"], p["w_h"]]), 0.1 * (dt[:, None] / 0.6)
    tau = torch.nn.functional.softplus(p["tau"]) if cell == "CTRNN" else None
    for _ in range(6):
        if cell == "CTRNN":
            v = v + h * (-v / tau + torch.tanh(torch.cat([x, v], 1) @ W + p["b"]))
        else:
            k = [torch.zeros_like(v)]
            for reach in (0, 0.5, 0.5, 1):
                k.append(h * torch.tanh(torch.cat([x, v + reach * k[-1]], 1) @ W + p["b"]))
            v = v + (k[1] + 2 * k[2] + 2 * k[3] + k[4]) / 6
    return v


def make_case(seed, N, I, B, T, cell, step=integrate, **arguments):
    rng = np.random.default_rng(seed)
    feedback = arguments.get("global_feedback", True)
    parameters = {"w_x": rng.normal(0, 0.8, (I, N)), "b": rng.normal(0, 0.5, N)}
    if feedback:
        parameters["w_h"] = rng.normal(0, 0.6, (N, N))
    inputs = {"x": rng.normal(0, 1.2, (B, T, I)), "h0": rng.normal(0, 0.5, (B, N))}
    if step is published:
        inputs["dt"] = np.full((B, T), 0.6)
        tau = np.full(N, np.log(np.expm1(1.0)))
    else:
        inputs["dt"] = rng.exponential(0.7, (B, T)) * (rng.uniform(size=(B, T)) < 0.9)  # some are 0
        tau = rng.uniform(0.0, 2.0, N)
    if cell == "CTRNN":
        parameters["tau"] = tau
    given = {name: torch.tensor(value, requires_grad=True) for name, value in (parameters | inputs).items()}
    rule = arguments["solver"], arguments["ode_unfolds"], F[arguments["activation"]], feedback
    v, outputs = given["h0"], []
    for t in range(T):
        v = step(given["x"][:, t], v, given["dt"][:, t], given, cell, *rule)
        outputs.append(v)
    factors = {"c": torch.tensor(rng.normal(size=(B, T, N))), "d": torch.tensor(rng.normal(size=(B, N)))}
    results = {"y": torch.stack(outputs, 1), "hT": v}
    ((results["y"] * factors["c"]).sum() + (results["hT"] * factors["d"]).sum()).backward()
    gradients = {f"d_{name}": value.grad for name, value in given.items()}
    arrays = {name: value.detach().numpy() for name, value in (given | factors | results | gradients).items()}
    return {"case": np.array(json.dumps({"cell": cell, **arguments}))} | arrays


def arguments(solver, ode_unfolds, activation="tanh", **more):
    return {"solver": solver, "ode_unfolds": ode_unfolds, "activation": activation, **more}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sizes = {"N": 5, "I": 2, "B": 3, "T": 4}
    cases = {
        "ctrnn_published": make_case(1, 7, 3, 2, 20, "CTRNN", published, **arguments("euler", 6)),
        "ctrnn_semi_implicit": make_case(2, **sizes, cell="CTRNN", **arguments("semi_implicit", 6)),
        "ctrnn_euler": make_case(3, 4, 4, 4, 4, "CTRNN", **arguments("euler", 9, "sigmoid")),
        "ctrnn_rk4": make_case(4, **sizes, cell="CTRNN", **arguments("rk4", 4, "silu")),
        "ctrnn_alone": make_case(
            5, **sizes, cell="CTRNN", **arguments("semi_implicit", 3, global_feedback=False)
        ),
        "ctrnn_long": make_case(6, 17, 3, 2, 60, "CTRNN", **arguments("semi_implicit", 6)),
        "neural_ode_published": make_case(7, 7, 3, 2, 20, "NeuralODE", published, **arguments("rk4", 6)),
        "neural_ode_rk4": make_case(8, **sizes, cell="NeuralODE", **arguments("rk4", 3, "gelu")),
        "neural_ode_euler": make_case(9, 4, 4, 4, 4, "NeuralODE", **arguments("euler", 6)),
    }  # fmt: skip
    path = Path(__file__).with_name("torch_ode.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
