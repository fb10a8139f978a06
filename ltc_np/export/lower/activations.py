"""Activations of `ltc_np.base.activations` as expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import activations
from ..program import apply

if TYPE_CHECKING:
    from ...base.types import Activation
    from ..program import Builder, Expr


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
    z = b.store(z)
    if name == "silu":
        return z * apply("sigmoid", z)
    if name == "gelu":
        return z * apply("normal_cdf", z)
    raise TypeError(f"the activation {name!r} cannot be exported")
