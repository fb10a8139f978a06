"""Write ncps_cfc.npz and ncps_wired_cfc.npz: outputs and gradients of ncps 1.0.1's torch CfC, in float64.

Run it with an environment that has ncps==1.0.1 and torch; the tests need only the files::

    python tests/golden/make_ncps_cfc.py

Each file holds several cases; the keys are ``<case>/<name>``.  B=3, T=5, I=2.

case
    JSON text: "mode", and "backbone_units", "backbone_layers", "backbone_activation", "units"; or "class" and
    "arguments" of the wiring.
x (B, T, I), h0 (B, K), dt (B, T), y (B, T, O), hT (B, K)
    ncps mixes up batch and neurons when timespans are given for B > 1, so each sequence was run alone.
c (B, T, O), d (B, K)
    loss = sum(y * c) + sum(hT * d).
backbone_w0, backbone_b0, ff1_w, ff1_b, ff2_w, ..., w_tau, a
    Parameters.  Those of ncps, with its matrices transposed: rows are what a layer reads, [input; state], columns what
    it gives.  backbone.0, .2, .4 (.5 with dropout), ... become backbone_*0, 1, 2, ...; A becomes a; w_tau loses an
    axis.
inter_ff1_w, ...
    The same of each layer of a wiring; of the masked matrices ff1 and ff2 the weights that the mask keeps, sorted by
    (column, row).  ncps gives all neurons of a wiring of one layer; y and c here are those of the motor neurons.
d_<name>
    Gradient of the loss with respect to x, h0, dt and each parameter.
"""

import json
from pathlib import Path

import ncps.torch
import ncps.wirings
import numpy as np
import torch

B, T, I = 3, 5, 2
DENSE = {
    f"{mode}_{activation}_{layers}": {
        "mode": mode, "units": 4, "backbone_units": 7, "backbone_layers": layers, "backbone_activation": activation
    }
    for mode, activation, layers in (
        ("default", "lecun_tanh", 1), ("default", "gelu", 2), ("default", "tanh", 0), ("no_gate", "silu", 2),
        ("no_gate", "tanh", 1), ("pure", "relu", 1), ("pure", "lecun_tanh", 2),
    )
}  # fmt: skip
NCP = {"inter_neurons": 5, "command_neurons": 4, "motor_neurons": 2, "sensory_fanout": 3, "inter_fanout": 2}
NCP |= {"recurrent_command_synapses": 3, "motor_fanin": 2, "seed": 7}
WIRED = {
    "ncp_default": {"mode": "default", "class": "NCP", "arguments": NCP},
    "auto_ncp_default": {"mode": "default", "class": "AutoNCP", "arguments": {"units": 10, "output_size": 3}},
    "auto_ncp_no_gate": {"mode": "no_gate", "class": "AutoNCP", "arguments": {"units": 9, "output_size": 2}},
    "auto_ncp_pure": {"mode": "pure", "class": "AutoNCP", "arguments": {"units": 8, "output_size": 2}},
    "fully_connected_default": {
        "mode": "default", "class": "FullyConnected", "arguments": {"units": 5, "output_dim": 2}
    },
    "random_pure": {
        "mode": "pure", "class": "Random", "arguments": {"units": 6, "output_dim": 4, "sparsity_level": 0.5}
    },
}  # fmt: skip


def cell_parameters(cell, prefix, mask):
    """Name -> (parameter, what makes of its array the one of the file)."""
    found, number = {}, 0
    for name, parameter in cell.named_parameters():
        *path, kind = name.split(".")
        if path and path[0] == "backbone":
            found[f"backbone_{kind[0]}{number}"] = parameter, np.transpose
            number += kind == "bias"
        elif path and kind == "weight" and path[0].startswith("ff") and mask is not None:
            found[f"{prefix}{path[0]}_w"] = parameter, lambda a: a.T[mask]
        elif path:
            found[f"{prefix}{path[0]}_{kind[0]}"] = parameter, np.transpose
        elif kind in ("A", "w_tau"):
            found[prefix + kind.lower()] = parameter, np.ravel
    return found


def parameters(model, wiring):
    if wiring is None:
        return cell_parameters(model.rnn_cell, "", None)
    names = ("inter", "command", "motor") if wiring.num_layers == 3 else ("recurrent",)
    found = {}
    for name, cell in zip(names, model.rnn_cell._layers, strict=True):
        columns, rows = np.nonzero(cell.sparsity_mask.detach().numpy())  # (out, in)
        found |= cell_parameters(cell, f"{name}_", (rows, columns))
    return found


def make_case(seed, recipe):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    wiring = None
    if "class" in recipe:
        wiring = getattr(ncps.wirings, recipe["class"])(**recipe["arguments"])
        model = ncps.torch.CfC(I, wiring, mode=recipe["mode"])
        K, O = wiring.units, wiring.output_dim
    else:
        K = O = recipe["units"]
        model = ncps.torch.CfC(
            I, K, mode=recipe["mode"], activation=recipe["backbone_activation"],
            backbone_units=recipe["backbone_units"], backbone_layers=recipe["backbone_layers"],
        )  # fmt: skip
    model = model.double()
    found = parameters(model, wiring)
    g = {"x": rng.normal(size=(B, T, I)), "h0": rng.uniform(-1, 1, (B, K)), "dt": rng.uniform(0.05, 2, (B, T))}
    g |= {"c": rng.normal(size=(B, T, O)), "d": rng.normal(size=(B, K))}
    for parameter, _ in found.values():
        parameter.data.copy_(torch.from_numpy(rng.normal(0, 0.6, tuple(parameter.shape))))
    x, h0, dt = (torch.tensor(g[name], requires_grad=True) for name in ("x", "h0", "dt"))
    runs = [model(x[b : b + 1], h0[b : b + 1], dt[b : b + 1]) for b in range(B)]
    y, hT = torch.cat([run[0] for run in runs])[:, :, :O], torch.cat([run[1] for run in runs])
    ((y * torch.tensor(g["c"])).sum() + (hT * torch.tensor(g["d"])).sum()).backward()
    g |= {"y": y.detach().numpy(), "hT": hT.detach().numpy()}
    g |= {f"d_{name}": a.grad.numpy() for name, a in (("x", x), ("h0", h0), ("dt", dt))}
    for name, (parameter, take) in found.items():
        g[name] = take(parameter.detach().numpy()).copy()
        g[f"d_{name}"] = take(parameter.grad.numpy()).copy()
    return {"case": np.array(json.dumps(recipe)), **g}


if __name__ == "__main__":
    folder = Path(__file__).parent
    for name, recipes in (("cfc", DENSE), ("wired_cfc", WIRED)):
        content = {}
        for seed, (case, recipe) in enumerate(recipes.items()):
            content |= {f"{case}/{key}": value for key, value in make_case(seed, recipe).items()}
        np.savez_compressed(folder / f"ncps_{name}.npz", **content)
        print(name, len(recipes), "cases")
