"""The CfC on a wiring.  `ltc_np.cells.wired_cfc` has its cells; weights that do not exist are zeros here."""

from __future__ import annotations

from ...base.layout import part
from ...base.types import Arrays
from ...cells import WiredCfC
from ...cells.cfc import heads
from ..builder import Builder
from ..program import Expr, Vector
from .cfc import blend


def lower(layer: WiredCfC, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """Cell by cell, each of which reads the new states of those before it, and its own old one."""
    states: list[Vector] = []
    at = 0
    for cell in layer.cells:
        own, at = state[at : at + cell.units], at + cell.units
        own_p = part(p, f"{cell.name}_")
        for name in (f"{head}_w" for head in heads(layer.mode, layer.variant)):
            own_p[name] = layer.dense(f"{cell.name}_{name}", own_p[name])
        sources = [x] * cell.reads_input + [states[k] for k in cell.sources]
        states.append(blend(b, layer.mode, layer.variant, own_p, b.join(*sources, own), dt, own))
    return b.gather(states[-1], layer.motor)
