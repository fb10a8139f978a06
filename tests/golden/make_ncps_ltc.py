"""Write ncps_ltc_*.npz: outputs and gradients of ncps 1.0.1's torch LTC, in float64.

Run it with an environment that has ncps==1.0.1 and torch; the tests need only the files::

    python tests/golden/make_ncps_ltc.py

Files: ``fully_connected``, ``auto_ncp``, ``random`` (T=5, B=3: both positivities x three mappings x two dt),
``long`` (T=200, B=3, both positivities) and ``irregular`` (T=6, B == N == 4, both positivities, a dt for each
sequence and step).  Each holds several cases; the keys are ``<case>/<name>``.  Numbers are float64, ids
int64.  I=3 always, N neurons, O motor neurons, S recurrent and S_in sensory synapses, in the order of
`ltc_np.wirings`: sorted by (post, pre).

case
    JSON text: "class" and "arguments" of the wiring, "input_dim", "positivity" ("softplus": ncps'
    implicit_param_constraints=True; "clip": False, every parameter well inside the allowed range, so that
    nothing is clipped), "mapping" (of input and output: "affine", "linear" or null), "ode_unfolds" and
    "epsilon".
pre, post (S,), sensory_pre, sensory_post (S_in,)
    The live synapses.  Their polarity is not stored: it is no longer of use once `erev` is given.
gleak, vleak, cm (N,); w, mu, sigma, erev (S,); sensory_w, sensory_mu, sensory_sigma, sensory_erev (S_in,)
    Parameters, raw: with "softplus" ncps applies softplus to gleak, cm, w and sensory_w.
input_w (I,), output_w (O,)
    Unless the mapping is null.
input_b (I,), output_b (O,)
    Only if the mapping is "affine".
x (B, T, I), h0 (B, N)
dt
    () for all sequences and steps, or (B, T) in the irregular case.  ncps mixes up batch and neurons when
    timespans are given for B > 1, so there each sequence was run alone.
y (B, T, O), hT (B, N)
    Outputs and final state.
c (B, T, O), d (B, N), loss ()
    loss = sum(y * c) + sum(hT * d).
d_<name>
    Gradient of the loss with respect to each parameter above (of its shape), to x, to h0 and to dt.
    d_dt: (T,) where dt is one number, the gradient with respect to each step's dt, summed over the batch (its
    sum is the derivative with respect to the number); (B, T) in the irregular case.

Every case is checked before it is written: outputs against a NumPy LTC on synapse lists, each gradient
against central differences of that along a random direction.
"""

import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

import ncps.torch
import ncps.wirings
import numpy as np
import torch

INPUT_DIM, UNFOLDS, EPSILON = 3, 6, 1e-8
NEURON = ("gleak", "vleak", "cm")
SYNAPSE = ("w", "mu", "sigma", "erev")
POSITIVE = ("gleak", "cm", "w", "sensory_w")


def draw_parameters(rng, positivity, mapping, N, outputs, signs, sensory_signs):
    """Raw parameters, wider than the ranges of their initial values; `signs` (S,): those of erev."""
    low, high = {"softplus": (-1.0, 1.5), "clip": (0.2, 1.5)}[positivity]
    p = {
        "gleak": rng.uniform(low, high, N),
        "vleak": rng.uniform(-0.5, 0.5, N),
        "cm": rng.uniform(low, high, N),
    }
    for prefix, sign in (("", signs), ("sensory_", sensory_signs)):
        S = sign.size
        p[prefix + "w"] = rng.uniform(low, high, S)
        p[prefix + "mu"] = rng.uniform(-0.2, 1.0, S)
        p[prefix + "sigma"] = rng.uniform(1.0, 9.0, S) * rng.choice([-1, 1, 1, 1], S)
        p[prefix + "erev"] = rng.uniform(0.4, 1.6, S) * sign
    if mapping is not None:
        p |= {"input_w": rng.uniform(0.5, 1.5, INPUT_DIM), "output_w": rng.uniform(-1.5, 1.5, outputs)}
    if mapping == "affine":
        p |= {"input_b": rng.uniform(-0.5, 0.5, INPUT_DIM), "output_b": rng.uniform(-0.5, 0.5, outputs)}
    return p


def run_ncps(g, wiring, positivity, mapping):
    """Fill the golden dict `g`, which holds synapses, parameters, x, dt, h0, c and d, with what ncps says."""
    model = ncps.torch.LTC(
        INPUT_DIM,
        wiring,
        input_mapping=mapping,
        output_mapping=mapping,
        ode_unfolds=UNFOLDS,
        epsilon=EPSILON,
        implicit_param_constraints=positivity == "softplus",
    ).double()
    parameters = dict(model.rnn_cell.named_parameters())

    def where(name):
        if name.removeprefix("sensory_") not in SYNAPSE:
            return ...
        return (g["sensory_pre"], g["sensory_post"]) if name.startswith("sensory_") else (g["pre"], g["post"])

    trained = [name for name in parameters if not name.endswith("sparsity_mask")]
    for name in trained:
        value = parameters[name].detach().numpy().copy()
        value[where(name)] = g[name]
        parameters[name].data.copy_(torch.from_numpy(value))
        assert parameters[name] is model.rnn_cell._params[name] and parameters[name].dtype == torch.float64

    x, h0 = (torch.tensor(g[name], requires_grad=True) for name in ("x", "h0"))
    B, T, _ = x.shape
    if g["dt"].ndim:
        dt = torch.tensor(g["dt"], requires_grad=True)
        runs = [model(x[b : b + 1], h0[b : b + 1], dt[b : b + 1]) for b in range(B)]
    else:
        # Shape (1, T) makes each step's timespan a number, which is all that ncps gets right for B > 1.
        dt = torch.full((1, T), float(g["dt"]), dtype=torch.float64, requires_grad=True)
        runs = [model(x, h0, dt)]
    y, hT = torch.cat([run[0] for run in runs]), torch.cat([run[1] for run in runs])
    loss = (y * torch.tensor(g["c"])).sum() + (hT * torch.tensor(g["d"])).sum()
    loss.backward()
    g |= {"y": y.detach().numpy(), "hT": hT.detach().numpy(), "loss": np.array(loss.item())}
    for name in trained:
        g["d_" + name] = parameters[name].grad.numpy()[where(name)].copy()
    g["d_x"], g["d_h0"], g["d_dt"] = x.grad.numpy(), h0.grad.numpy(), dt.grad.numpy()
    if not g["dt"].ndim:
        g["d_dt"] = g["d_dt"][0]
    assert all(g[name].dtype == np.float64 for name in g if name.startswith("d_") or name in ("y", "hT"))


def numpy_ltc(g, positivity):
    """y and hT of a semi-implicit LTC on the synapse lists of `g`; independent of torch and of ltc_np."""
    positive = (lambda a: np.logaddexp(0, a)) if positivity == "softplus" else (lambda a: a)
    p = {name: positive(g[name]) if name in POSITIVE else g[name] for name in g}
    x, v = g["x"] * p.get("input_w", 1.0) + p.get("input_b", 0.0), g["h0"]
    (B, T, _), (N,) = x.shape, p["cm"].shape
    dt = np.broadcast_to(g["dt"], (B, T))
    outputs = g["c"].shape[2]

    def conductances(prefix, z):
        """Sums over the synapses of each neuron, (B, N): of conductances, and of conductances times erev."""
        pre, post = g[prefix + "pre"], g[prefix + "post"]
        a = p[prefix + "w"] / (1 + np.exp(-p[prefix + "sigma"] * (z[:, pre] - p[prefix + "mu"])))
        sums = np.zeros((2, B, N))
        for s, i in enumerate(post):
            sums[0, :, i] += a[:, s]
            sums[1, :, i] += a[:, s] * p[prefix + "erev"][s]
        return sums

    y = np.empty((B, T, outputs))
    for t in range(T):
        c = p["cm"] * UNFOLDS / dt[:, t, None]
        sensory = conductances("sensory_", x[:, t])
        for _ in range(UNFOLDS):
            total, driven = sensory + conductances("", v)
            v = (c * v + p["gleak"] * p["vleak"] + driven) / (c + p["gleak"] + total + EPSILON)
        y[:, t] = v[:, :outputs] * p.get("output_w", 1.0) + p.get("output_b", 0.0)
    return y, v


def check(g, positivity, rng):
    """Raise unless the golden values of one case agree with `numpy_ltc`."""
    y, hT = numpy_ltc(g, positivity)
    np.testing.assert_allclose(g["y"], y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(g["hT"], hT, rtol=0, atol=1e-12)

    def loss(name, value):
        y, hT = numpy_ltc(g | {name: value}, positivity)
        return (y * g["c"]).sum() + (hT * g["d"]).sum()

    assert abs(loss("x", g["x"]) - g["loss"]) <= 1e-12 * max(1, abs(g["loss"]))
    for key in [key for key in g if key.startswith("d_")]:
        name, step = key[2:], 1e-5
        direction = rng.normal(size=g[key].shape)
        value = np.broadcast_to(g[name], direction.shape)
        found = (loss(name, value + step * direction) - loss(name, value - step * direction)) / (2 * step)
        scale = max(np.linalg.norm(g[key]) * np.linalg.norm(direction), 1e-3)
        assert abs(found - (g[key] * direction).sum()) < 1e-7 * scale, (
            key,
            found,
            (g[key] * direction).sum(),
        )


def make_case(seed, wiring_class, arguments, positivity, mapping, dt, B=3, T=5):
    """One golden dict; `dt` None draws one for each sequence and step."""
    rng = np.random.default_rng(seed)
    make_wiring = partial(getattr(ncps.wirings, wiring_class), **arguments)
    wiring = make_wiring()
    wiring.build(INPUT_DIM)
    N, outputs = wiring.units, wiring.output_dim
    # Transposed, so that nonzero() walks post first: the order (post, pre) of ltc_np.
    post, pre = np.nonzero(wiring.adjacency_matrix.T)
    sensory_post, sensory_pre = np.nonzero(wiring.sensory_adjacency_matrix.T)
    signs = wiring.adjacency_matrix[pre, post], wiring.sensory_adjacency_matrix[sensory_pre, sensory_post]
    settings = {"positivity": positivity, "mapping": mapping, "ode_unfolds": UNFOLDS, "epsilon": EPSILON}
    g = {"pre": pre, "post": post, "sensory_pre": sensory_pre, "sensory_post": sensory_post}
    g |= draw_parameters(rng, positivity, mapping, N, outputs, *signs)
    g |= {"x": rng.normal(0.3, 1.0, (B, T, INPUT_DIM)), "h0": rng.uniform(-1, 1, (B, N))}
    g |= {"c": rng.normal(size=(B, T, outputs)), "d": rng.normal(size=(B, N))}
    g["dt"] = rng.uniform(0.05, 2.0, (B, T)) if dt is None else np.array(dt)
    # A fresh wiring: ncps' LTC builds the one it gets, and a second build would add synapses.
    run_ncps(g, make_wiring(), positivity, mapping)
    check(g, positivity, rng)
    recipe = {"class": wiring_class, "arguments": arguments, "input_dim": INPUT_DIM}
    return {"case": np.array(json.dumps(recipe | settings)), **g}


def write(name, cases):
    path = Path(__file__).with_name(f"ncps_ltc_{name}.npz")
    np.savez_compressed(path, **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g})
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    assert version("ncps") == "1.0.1", version("ncps")
    torch.set_num_threads(1)
    fully_connected = "FullyConnected", {"units": 5, "output_dim": 2}
    auto_ncp = "AutoNCP", {"units": 16, "output_size": 4}
    random = "Random", {"units": 7, "output_dim": 3, "sparsity_level": 0.4}
    seed = 0
    for name, wiring in (("fully_connected", fully_connected), ("auto_ncp", auto_ncp), ("random", random)):
        cases = {}
        for positivity in ("softplus", "clip"):
            for mapping in ("affine", "linear", None):
                for dt in (1.0, 0.3):
                    seed += 1
                    cases[f"{positivity}-{mapping}-dt{dt}"] = make_case(seed, *wiring, positivity, mapping, dt)
        write(name, cases)
    both = ("softplus", "clip")
    # dt = 0.3: at 1.0 the first steps hardly reach the end of 200.
    write("long", {p: make_case(101 + k, *fully_connected, p, "affine", 0.3, T=200) for k, p in enumerate(both)})
    square = "FullyConnected", {"units": 4, "output_dim": 2}
    write("irregular", {p: make_case(201 + k, *square, p, "affine", None, B=4, T=6) for k, p in enumerate(both)})
