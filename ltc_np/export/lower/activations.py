"""Activations of `ltc_np.base.activations` as expressions."""

from __future__ import annotations

from ...base import activations, checks
from ...base.types import Activation
from ..builder import Builder
from ..program import Expr, apply

# A factor on their argument, by activation: those read it twice.
READ_TWICE = {"silu": "sigmoid", "gelu": "normal_cdf"}
KNOWN = (None, "tanh", "sigmoid", "relu", "lecun_tanh", *READ_TWICE)


def activate(name: Activation, z: Expr, b: Builder) -> Expr:
    """f(z); where z is read twice it is stored first."""
    if name is None:
        return z
    if name in ("tanh", "sigmoid"):
        return apply(name, z)
    if name == "relu":
        return apply("maximum", z, 0.0)
    if name == "lecun_tanh":
        return activations.LECUN_SCALE * apply("tanh", activations.LECUN_SLOPE * z)
    checks.must_know(__name__, "activation", name, KNOWN)
    z = b.store(z)
    return z * apply(READ_TWICE[name], z)
