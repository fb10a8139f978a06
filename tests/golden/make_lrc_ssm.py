"""Write lrc_ssm.npz: outputs and gradients of an LrcSSM cell as its authors' JAX code computes it, in float64.

NumPy alone, one step after the other, written from the equations and sharing nothing with the library; gradients by
complex steps, f'(x) = Im f(x + ih) / h with h = 1e-30, which are exact up to rounding.  Needs NumPy only::

    python tests/golden/make_lrc_ssm.py

Each file holds several cases; the keys are ``<case>/<name>``.  B=3, T=6, I=2, N=4.

case
    JSON text: "elastance" ("symmetric" is the code's ``use_symmetric``) and "dt", a number for all steps, as there.
x (B, T, I), h0 (B, N), dt (), y (B, T, N), hT (B, N), c (B, T, N), d (B, N)
    loss = sum(y * c) + sum(hT * d).
sensory_mu, sensory_sigma (I,), sensory_w, sensory_h (I, N)
mu, sigma, w, h, gleak, vleak, elastance_v, elastance_b (N,)
    Parameters; the code's weight_elastance_kernel is elastance_v, its sensory matrices are transposed.
elastance_shift (N,)
    With "symmetric", positive.
d_<name>
    Gradient of the loss with respect to x, h0, dt and each parameter.
"""

import json
from pathlib import Path

import numpy as np

B, T, I, N = 3, 6, 2, 4
CASES = {
    "published": {"elastance": "asymmetric", "dt": 1.0},
    "short": {"elastance": "asymmetric", "dt": 0.3},
    "symmetric": {"elastance": "symmetric", "dt": 1.0},
    "long_symmetric": {"elastance": "symmetric", "dt": 1.7},
}


def logistic(z):
    return 1 / (1 + np.exp(-z))


def run(recipe, p):
    y = []
    for b in range(B):
        v, outputs = p["h0"][b], []
        for t in range(T):
            inputs = logistic(p["sensory_sigma"] * (p["x"][b, t] - p["sensory_mu"]))
            own = logistic(p["sigma"] * (v - p["mu"]))
            rate = -logistic(p["gleak"] + inputs @ p["sensory_w"] + p["w"] * own)
            drive = p["vleak"] * np.tanh(p["gleak"] + inputs @ p["sensory_h"] + p["h"] * own)
            a = p["elastance_v"] * v + p["elastance_b"]
            if recipe["elastance"] == "symmetric":
                elastance = logistic(a + p["elastance_shift"]) - logistic(a - p["elastance_shift"])
            else:
                elastance = logistic(a)
            v = v + elastance * p["dt"] * (v * rate + drive)
            outputs.append(v)
        y.append(outputs)
    return np.array(y)


def loss(recipe, p):
    y = run(recipe, p)
    return (y * p["c"]).sum() + (y[:, -1] * p["d"]).sum()


def make_case(seed, recipe):
    rng = np.random.default_rng(seed)
    p = {"x": rng.normal(size=(B, T, I)), "h0": rng.normal(size=(B, N)), "dt": np.array(recipe["dt"])}
    p |= {name: rng.normal(size=I) for name in ("sensory_mu", "sensory_sigma")}
    p |= {name: rng.normal(size=(I, N)) for name in ("sensory_w", "sensory_h")}
    names = "mu", "sigma", "w", "h", "gleak", "vleak", "elastance_v", "elastance_b"
    p |= {name: rng.normal(size=N) for name in names}
    if recipe["elastance"] == "symmetric":
        p["elastance_shift"] = rng.uniform(0.2, 2, N)
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
    np.savez_compressed(Path(__file__).with_name("lrc_ssm.npz"), **content)
    print(len(CASES), "cases")
