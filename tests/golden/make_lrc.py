"""Write lrc.npz: outputs, states and gradients of LRCs, written from the paper's equations, in float64.

Dense matrices and one loop over time, as the paper and its published code have them (Farsang et al., arXiv 2403.08791):
the elastance's argument is a linear map of inputs and states, or of a neuron's own state; the step is explicit Euler or
the "hybrid" one of the code, with v implicit in the leak.  Derivatives are those of complex steps, f(x + ih) / h, which
do not cancel: the whole network is analytic.  Nothing but NumPy is needed, nothing of ltc_np is used::

    python tests/golden/make_lrc.py

The keys are ``<case>/<name>``; N units, I inputs, B sequences of T steps:

options
    JSON: the arguments of LRC beside the wiring, which is fully connected.
gleak, vleak (N,), w, h, mu, sigma (N, N), sensory_* (I, N), [from, to]
elastance_b (N,), elastance_w (N, N), sensory_elastance_w (I, N), elastance_v (N,), elastance_shift (N,)
    Those that the elastance has.
x (B, T, I), dt (B, T), h0 (B, N), y (B, T, N), hT (B, N)
c (B, T, N), d (B, N)
    loss = sum(y * c) + sum(hT * d).
d_<name>
    Gradient of the loss with respect to each parameter, to x, dt and h0.
"""

import json
from pathlib import Path

import numpy as np

STEP = 1e-40


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def elastance(p, options, x, v):
    """epsilon (B, N)."""
    if options["elastance"] is None:
        return 1.0
    a = p["elastance_b"]
    if options["elastance_by"] == "synapses":
        a = a + v @ p["elastance_w"]
    else:
        a = a + p["elastance_v"] * v
    if options["elastance_by"] != "state":
        a = a + x @ p["sensory_elastance_w"]
    if options["elastance"] == "asymmetric":
        return sigmoid(a)
    return sigmoid(a + p["elastance_shift"]) - sigmoid(a - p["elastance_shift"])


def run(p, options):
    """y (B, T, N)."""
    v, outputs = p["h0"], []
    for t in range(p["x"].shape[1]):
        x, h = p["x"][:, t], (p["dt"][:, t] / options["ode_unfolds"])[:, None]
        s_x = sigmoid(p["sensory_sigma"] * (x[:, :, None] - p["sensory_mu"]))
        for _ in range(options["ode_unfolds"]):
            s = sigmoid(p["sigma"] * (v[:, :, None] - p["mu"]))
            f = p["gleak"] + (p["w"] * s).sum(1) + (p["sensory_w"] * s_x).sum(1)
            z = p["gleak"] + (p["h"] * s).sum(1) + (p["sensory_h"] * s_x).sum(1)
            e = h * elastance(p, options, x, v)
            if options["solver"] == "euler":
                v = v + e * (-sigmoid(f) * v + np.tanh(z) * p["vleak"])
            else:
                v = (v + e * np.tanh(z) * p["vleak"]) / (1 + e * sigmoid(f))
        outputs.append(v)
    return np.stack(outputs, 1)


def case(seed, N=5, I=2, B=3, T=6, **given):
    options = {"elastance": "asymmetric", "elastance_by": "synapses", "solver": "euler", "ode_unfolds": 1} | given
    rng = np.random.default_rng(seed)
    p = {"gleak": rng.uniform(0.1, 1, N), "vleak": rng.normal(0, 1, N)}
    for prefix, n in (("", N), ("sensory_", I)):
        p[prefix + "w"] = rng.uniform(0.1, 1, (n, N))
        p[prefix + "h"] = rng.normal(0, 1, (n, N))
        p[prefix + "mu"], p[prefix + "sigma"] = rng.uniform(-0.5, 0.8, (n, N)), rng.uniform(1, 4, (n, N))
    by = options["elastance_by"]
    if options["elastance"] is not None:
        p["elastance_b"] = rng.normal(0, 1, N)
        if by == "synapses":
            p["elastance_w"] = rng.normal(0, 1, (N, N))
        else:
            p["elastance_v"] = rng.normal(0, 1, N)
        if by != "state":
            p["sensory_elastance_w"] = rng.normal(0, 1, (I, N))
    if options["elastance"] == "symmetric":
        p["elastance_shift"] = rng.uniform(0.5, 2, N)
    p |= {"x": rng.normal(size=(B, T, I)), "dt": rng.uniform(0.1, 1.8, (B, T)), "h0": rng.normal(0, 0.5, (B, N))}
    p["dt"][1, 2] = 0
    c, d = rng.normal(size=(B, T, N)), rng.normal(size=(B, N))

    def loss(values):
        y = run(values, options)
        return (y * c).sum() + (y[:, -1] * d).sum()

    gradients = {}
    for name, value in p.items():
        gradient = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            shifted = value.astype(complex)
            shifted[at] += 1j * STEP
            gradient[at] = loss(p | {name: shifted}).imag / STEP
        gradients[f"d_{name}"] = gradient
    y = run(p, options)
    return p | gradients | {"y": y, "hT": y[:, -1], "c": c, "d": d, "options": np.array(json.dumps(options))}


CASES = {
    "asymmetric": case(0),
    "symmetric": case(1, elastance="symmetric"),
    "constant": case(2, elastance=None),
    "state": case(3, elastance_by="state"),
    "symmetric_state_and_inputs": case(4, elastance="symmetric", elastance_by="state_and_inputs", ode_unfolds=2),
    "hybrid": case(5, solver="semi_implicit", elastance="symmetric"),
    "hybrid_unfolds": case(6, solver="semi_implicit", ode_unfolds=3),
    "posts": case(7, N=17, B=2, T=3),
}

if __name__ == "__main__":
    path = Path(__file__).with_name("lrc.npz")
    np.savez_compressed(path, **{f"{k}/{name}": value for k, found in CASES.items() for name, value in found.items()})
    print(f"{path}: {', '.join(CASES)}")
