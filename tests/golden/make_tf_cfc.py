"""Write tf_cfc.npz: outputs and gradients of a CfC as the TensorFlow code of its paper computes it, in float64.

NumPy alone, one number after the other, written from the equations and sharing nothing with the library; gradients by
complex steps, f'(x) = Im f(x + ih) / h with h = 1e-30, which are exact up to rounding.  Needs NumPy only::

    python tests/golden/make_tf_cfc.py

Each file holds several cases; the keys are ``<case>/<name>``.  B=3, T=5, I=2.

case
    JSON text: "mode" ("pure" is the code's ``minimal``), "units", "backbone_units", "backbone_layers" and
    "backbone_activation" (the code's "lecun" is "lecun_tanh").
x (B, T, I), h0 (B, N), dt (B, T), y (B, T, N), hT (B, N), c (B, T, N), d (B, N)
    loss = sum(y * c) + sum(hT * d).
backbone_w0, backbone_b0, ff1_w, ff1_b, ff2_w, ..., w_tau, a
    Parameters: those of the code, in its layout, rows [input; state].
d_<name>
    Gradient of the loss with respect to x, h0, dt and each parameter.
"""

import json
from pathlib import Path

import numpy as np

B, T, I = 3, 5, 2
CASES = {
    f"{mode}_{activation}_{layers}": {
        "mode": mode, "units": 4, "backbone_units": 6, "backbone_layers": layers, "backbone_activation": activation
    }
    for mode, activation, layers in (
        ("default", "lecun_tanh", 1), ("default", "silu", 2), ("default", "tanh", 0), ("no_gate", "lecun_tanh", 2),
        ("no_gate", "relu", 1), ("pure", "silu", 1), ("pure", "lecun_tanh", 2),
    )
}  # fmt: skip


def lecun(z):
    return 1.7159 * np.tanh(0.666 * z)


def logistic(z):
    return 1 / (1 + np.exp(-z))


def magnitude(z):  # |z|, along the real line
    return np.where(z.real < 0, -z, z)


ACTIVATIONS = {
    "lecun_tanh": lecun,
    "tanh": np.tanh,
    "silu": lambda z: z * logistic(z),
    "relu": lambda z: np.where(z.real > 0, z, 0),
}


def run(recipe, p):
    """Outputs of every sequence, step by step."""
    activation, y = ACTIVATIONS[recipe["backbone_activation"]], []
    for b in range(B):
        h, outputs = p["h0"][b], []
        for t in range(T):
            u = np.concatenate([p["x"][b, t], h])
            for k in range(recipe["backbone_layers"]):
                u = activation(u @ p[f"backbone_w{k}"] + p[f"backbone_b{k}"])
            z = {name[:-2]: u @ p[name] + p[f"{name[:-2]}_b"] for name in p if name.endswith("_w")}
            dt = p["dt"][b, t]
            if recipe["mode"] == "pure":
                h = -p["a"] * np.exp(-dt * (magnitude(p["w_tau"]) + magnitude(z["ff1"]))) * z["ff1"] + p["a"]
            else:
                between = logistic(-z["time_a"] * dt + z["time_b"])
                one, two = lecun(z["ff1"]), lecun(z["ff2"])
                h = one + between * two if recipe["mode"] == "no_gate" else one * (1 - between) + between * two
            outputs.append(h)
        y.append(outputs)
    return np.array(y)


def loss(recipe, p):
    y = run(recipe, p)
    return (y * p["c"]).sum() + (y[:, -1] * p["d"]).sum()


def make_case(seed, recipe):
    rng, N = np.random.default_rng(seed), recipe["units"]
    p = {"x": rng.normal(size=(B, T, I)), "h0": rng.uniform(-1, 1, (B, N)), "dt": rng.uniform(0.05, 2, (B, T))}
    sizes = [I + N] + [recipe["backbone_units"]] * recipe["backbone_layers"]
    for k in range(recipe["backbone_layers"]):
        p[f"backbone_w{k}"], p[f"backbone_b{k}"] = (
            rng.normal(0, 0.6, sizes[k : k + 2]),
            rng.normal(0, 0.6, sizes[k + 1]),
        )
    for head in ("ff1",) if recipe["mode"] == "pure" else ("ff1", "ff2", "time_a", "time_b"):
        p[f"{head}_w"], p[f"{head}_b"] = rng.normal(0, 0.6, (sizes[-1], N)), rng.normal(0, 0.6, N)
    if recipe["mode"] == "pure":
        p["w_tau"], p["a"] = rng.normal(0, 0.6, N), rng.normal(0, 0.6, N)
    of = list(p)
    p |= {"c": rng.normal(size=(B, T, N)), "d": rng.normal(size=(B, N))}
    g = {}
    for name in of:
        g[f"d_{name}"] = np.empty(p[name].shape)
        for index in np.ndindex(p[name].shape):
            moved = p[name].astype(complex)
            moved[index] += 1e-30j
            g[f"d_{name}"][index] = loss(recipe, p | {name: moved}).imag / 1e-30
    y = run(recipe, p)
    return {"case": np.array(json.dumps(recipe)), **p, **g, "y": y, "hT": y[:, -1]}


if __name__ == "__main__":
    content = {}
    for seed, (case, recipe) in enumerate(CASES.items()):
        content |= {f"{case}/{key}": value for key, value in make_case(seed, recipe).items()}
    np.savez_compressed(Path(__file__).with_name("tf_cfc.npz"), **content)
    print(len(CASES), "cases")
