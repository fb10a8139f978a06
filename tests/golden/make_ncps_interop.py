"""Write ncps_interop.npz: state dicts of ncps 1.0.1's torch networks as they are saved, and what the networks compute.

Run it with an environment that has ncps==1.0.1, torch and safetensors; the tests need only the files::

    python tests/golden/make_ncps_interop.py

The keys are ``<case>/<name>``; arrays are float64, but for two cases that are float32.  B=3, T=4, I=2.

case
    JSON text: "options", arguments that `from_ncps` must be given because the state dict does not say them; "wiring",
    null or "class" and "arguments" of the wiring; "mixed", whether the network has an LSTM.
s/<key>
    The state dict, all keys as they are saved.  Weights are drawn wider than ncps draws them.
x (B, T, I), dt (B, T), h0 (B, K), c0 (B, K)
    c0 only where "mixed".
y (B, T, O), hT, cT (B, K)
    ncps mixes up batch and neurons when timespans are given for B > 1, so each sequence was run alone.

The case "tutorial" is a network with the tutorial's keys, whose masks, real numbers in (0, 1), its state dict lacks:
they are ``mask`` and ``sensory_mask``.  Its outputs come from a loop over single neurons and synapses.

It also writes two networks as the packages' own writers do: ncps_interop.safetensors (the case "ltc_float32") and
ncps_interop.pt (the case "cfc_float32").
"""

import json
from importlib.metadata import version
from pathlib import Path

import ncps.torch
import ncps.wirings
import numpy as np
import safetensors.torch
import torch

FOLDER = Path(__file__).parent
B, T, I = 3, 4, 2
AUTO = {"class": "AutoNCP", "arguments": {"units": 7, "output_size": 2}}
FULL = {"class": "FullyConnected", "arguments": {"units": 5, "output_dim": 2}}
RANDOM = {"class": "Random", "arguments": {"units": 5, "output_dim": 3, "sparsity_level": 0.4}}
NCP = {"class": "NCP", "arguments": {
    "inter_neurons": 4, "command_neurons": 3, "motor_neurons": 2, "sensory_fanout": 2, "inter_fanout": 2,
    "recurrent_command_synapses": 2, "motor_fanin": 2, "seed": 5,
}}  # fmt: skip
# case: (class of ncps.torch, wiring or units, its other arguments, what a state dict does not say).
CASES = {
    "ltc_implicit": ("LTC", AUTO, {}, {}),
    "ltc_explicit": ("LTC", FULL, {"implicit_param_constraints": False, "ode_unfolds": 3, "epsilon": 1e-3},
                     {"positivity": "clip", "ode_unfolds": 3, "epsilon": 1e-3}),
    "ltc_linear": ("LTC", RANDOM, {"input_mapping": "linear", "output_mapping": "linear"}, {}),
    "ltc_unmapped": ("LTC", RANDOM, {"input_mapping": None, "output_mapping": None}, {"output_dim": 3}),
    "ltc_mixed": ("LTC", NCP, {"mixed_memory": True}, {}),
    "ltc_cell": ("LTCCell", AUTO, {"input_mapping": None}, {}),
    "cfc_default": ("CfC", 4, {"backbone_units": 6}, {}),
    "cfc_no_gate": ("CfC", 4, {"mode": "no_gate", "activation": "silu", "backbone_units": 6, "backbone_layers": 2},
                    {"mode": "no_gate", "activation": "silu"}),
    "cfc_pure": ("CfC", 4, {"mode": "pure", "activation": "gelu", "backbone_units": 6}, {"activation": "gelu"}),
    "cfc_dropout": ("CfC", 4, {"activation": "relu", "backbone_units": 3, "backbone_layers": 4, "backbone_dropout": 0.2,
                    "proj_size": 2}, {"activation": "relu", "backbone_dropout": 0.2}),
    "cfc_bare": ("CfC", 4, {"backbone_layers": 0, "backbone_units": 1, "mixed_memory": True, "proj_size": 3}, {}),
    "cfc_cell": ("CfCCell", 4, {"backbone_activation": "tanh", "backbone_units": 5}, {"activation": "tanh"}),
    "wired_default": ("CfC", AUTO, {"proj_size": 3}, {}),
    "wired_no_gate": ("CfC", NCP, {"mode": "no_gate"}, {"mode": "no_gate"}),
    "wired_pure": ("CfC", AUTO, {"mode": "pure", "mixed_memory": True}, {}),
    "wired_one_layer": ("CfC", FULL, {}, {}),
}  # fmt: skip


def make_wiring(recipe):
    return getattr(ncps.wirings, recipe["class"])(**recipe["arguments"])


def network(name, units, arguments):
    """A network with a freshly made wiring: ncps' networks build the one they get."""
    units = make_wiring(units) if isinstance(units, dict) else units
    first = (units, I) if name == "LTCCell" else (I, units)
    return getattr(ncps.torch, name)(*first, **arguments)


def draw(module, rng, scale):
    """Trained weights, other ones than ncps starts with."""
    for name, p in module.named_parameters():
        if not p.requires_grad:
            continue  # a mask
        kind = name.split(".")[-1]
        if kind in ("gleak", "cm", "w", "sensory_w"):
            values = rng.uniform(0.1, 1.4, tuple(p.shape))
        elif kind.endswith("sigma"):
            values = rng.uniform(2, 8, tuple(p.shape))
        elif kind.endswith("erev"):
            values = rng.uniform(-1.2, 1.2, tuple(p.shape))  # a trained one may have changed its sign
        else:
            values = rng.normal(0, scale, tuple(p.shape))
        p.data.copy_(torch.from_numpy(values))


def run(module, g, mixed):
    """Outputs and last states, sequence by sequence and step by step."""
    whole = hasattr(module, "return_sequences")
    outputs = []
    for b in range(B):
        x, dt = torch.tensor(g["x"][b : b + 1]), torch.tensor(g["dt"][b : b + 1])
        state = torch.tensor(g["h0"][b : b + 1])
        if whole:
            y, state = module(x, (state, torch.tensor(g["c0"][b : b + 1])) if mixed else state, dt)
        else:
            steps = []
            for t in range(T):
                y, state = module(x[:, t], state, dt[:, t])
                steps.append(y)
            y = torch.stack(steps, 1)
        outputs.append((y, *(state if mixed else (state,))))
    names = ("y", "hT", "cT")[: len(outputs[0])]
    return {k: torch.cat(parts).detach().numpy() for k, parts in zip(names, zip(*outputs, strict=True), strict=True)}


def make_case(seed, name, units, arguments, options, double=True):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    module = network(name, units, arguments).eval()
    module = module.double() if double else module
    draw(module, rng, 0.6)
    mixed = arguments.get("mixed_memory", False)
    K = units if isinstance(units, int) else make_wiring(units).units
    g = {"x": rng.normal(size=(B, T, I)), "dt": rng.uniform(0.05, 2, (B, T)), "h0": rng.uniform(-1, 1, (B, K))}
    if mixed:
        g["c0"] = rng.normal(size=(B, K))
    if not double:
        g = {key: value.astype(np.float32) for key, value in g.items()}
    said = {"options": options, "wiring": units if isinstance(units, dict) else None, "mixed": mixed}
    state_dict = module.state_dict()
    found = {"case": np.array(json.dumps(said)), **g, **run(module, g, mixed)}
    return found | {f"s/{key}": tensor.numpy() for key, tensor in state_dict.items()}, state_dict


def tutorial_case(seed, N=4, O=2, unfolds=6):
    """With the tutorial's keys; single neurons and synapses in loops."""
    rng = np.random.default_rng(seed)
    p = {"gleak": rng.uniform(-1, 1, N), "vleak": rng.uniform(-0.5, 0.5, N), "cm": rng.uniform(-1, 1, N)}
    for prefix, rows in (("", N), ("sensory_", I)):
        p |= {f"{prefix}w": rng.uniform(-1, 1, (rows, N)), f"{prefix}mu": rng.uniform(0, 1, (rows, N))}
        p |= {f"{prefix}sigma": rng.uniform(2, 8, (rows, N)), f"{prefix}erev": rng.uniform(-1, 1, (rows, N))}
    mask, sensory_mask = rng.uniform(0, 1, (N, N)), rng.uniform(0, 1, (I, N))
    g = {"x": rng.normal(size=(B, T, I)), "dt": rng.uniform(0.05, 2, (B, T)), "h0": rng.uniform(-1, 1, (B, N))}

    def softplus(z):
        return np.log1p(np.exp(z))

    y, v = np.empty((B, T, O)), g["h0"].copy()
    for b in range(B):
        for t in range(T):
            for _ in range(unfolds):
                before = v[b].copy()
                for i in range(N):
                    c = softplus(p["cm"][i]) * unfolds / g["dt"][b, t]
                    top = c * before[i] + softplus(p["gleak"][i]) * p["vleak"][i]
                    bottom = c + softplus(p["gleak"][i]) + 1e-8
                    for prefix, gains, values in (("", mask, before), ("sensory_", sensory_mask, g["x"][b, t])):
                        for j, value in enumerate(values):
                            s = 1 / (1 + np.exp(-p[f"{prefix}sigma"][j, i] * (value - p[f"{prefix}mu"][j, i])))
                            a = softplus(p[f"{prefix}w"][j, i]) * gains[j, i] * s
                            top, bottom = top + a * p[f"{prefix}erev"][j, i], bottom + a
                    v[b, i] = top / bottom
            y[b, t] = v[b, :O]
    said = {"options": {}, "wiring": None, "mixed": False}
    found = {"case": np.array(json.dumps(said)), **g, "y": y, "hT": v, "mask": mask, "sensory_mask": sensory_mask}
    return found | {f"s/cell.neuron.{name}": value for name, value in p.items()}


if __name__ == "__main__":
    assert version("ncps") == "1.0.1", version("ncps")
    torch.set_num_threads(1)
    cases = {name: make_case(seed, *case)[0] for seed, (name, case) in enumerate(CASES.items(), 1)}
    cases["ltc_float32"], state_dict = make_case(101, "LTC", AUTO, {}, {}, double=False)
    safetensors.torch.save_file(state_dict, FOLDER / "ncps_interop.safetensors", {"made by": "safetensors"})
    cases["cfc_float32"], state_dict = make_case(102, "CfC", 4, {"backbone_units": 6}, {}, double=False)
    torch.save(state_dict, FOLDER / "ncps_interop.pt")
    cases["tutorial"] = tutorial_case(103)
    np.savez_compressed(
        FOLDER / "ncps_interop.npz", **{f"{case}/{key}": g[key] for case, g in cases.items() for key in g}
    )
    for path in sorted(FOLDER.glob("ncps_interop.*")):
        print(f"{path.name}: {path.stat().st_size} bytes")
