"""The CfC.  `ltc_np.cells.cfc` has the equations, `ltc_np.cells.cfc_variants` what sets its forms apart."""

from __future__ import annotations

import numpy as np

from ...base import checks
from ...base.types import Arrays, CfCMode, CfCVariant
from ...cells import CfC
from ...cells.cfc import heads
from ...cells.cfc_variants import CONVENTIONS
from ..builder import Builder
from ..program import Expr, Number, Vector, apply
from .activations import activate


def blend(b: Builder, mode: CfCMode, variant: CfCVariant, p: Arrays, source: Expr, dt: Expr, state: Vector) -> Vector:
    """The new state from what the heads read; ``p``: their weights and biases, and in pure mode w_tau and a."""
    checks.must_know(__name__, "mode", mode, ("default", "no_gate", "pure"))
    checks.must_know(__name__, "variant", variant, ("torch", "keras", "tf", "paper"))
    weights = {name: p[f"{name}_w"].T for name in heads(mode, variant)}
    biases = {name: p[f"{name}_b"] for name in weights}
    if mode == "pure":
        q, tau, a = b.linear(weights["ff1"], source, biases["ff1"], name="heads"), np.abs(p["w_tau"]), p["a"]
        if variant == "paper":
            b.assign(q, apply("sigmoid", q))
            return b.assign(state, a + (state - a) * apply("exp", dt * (-tau - q)) * (1 - q))
        return b.assign(state, a - a * q * apply("exp", dt * (-tau - apply("absolute", q))))
    squash, sign = CONVENTIONS[variant].squash, CONVENTIONS[variant].sign
    for each in (weights, biases):
        each["time_a"] = sign * each["time_a"]
        if isinstance(dt, Number):
            each["time"] = each.pop("time_a") * dt.value + each.pop("time_b", 0)
    q = b.linear(np.concatenate(list(weights.values())), source, np.concatenate(list(biases.values())), name="heads")
    f1, f2, *time = (q[k * state.size : (k + 1) * state.size] for k in range(len(weights)))
    argument: Expr = time[0]
    if not isinstance(dt, Number):
        argument = argument * dt + time[1] if len(time) == 2 else argument * dt
    s = apply("sigmoid", argument)
    if mode == "no_gate":
        return b.assign(state, activate(squash, f1, b) + s * activate(squash, f2, b))
    if squash is not None:
        b.assign(f1, activate(squash, f1, b))
    return b.assign(state, f1 + s * (activate(squash, f2, b) - f1))


def lower(layer: CfC, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The backbone, from the inputs and the state side by side; then all heads at once."""
    source = b.join(x, state)
    for k in range(layer.backbone_layers):
        source = b.linear(p[f"backbone_w{k}"].T, source, p[f"backbone_b{k}"], name="backbone")
        b.assign(source, activate(layer.backbone_activation, source, b))
    return blend(b, layer.mode, layer.variant, p, source, dt, state)
