"""The CTRNN and the NeuralODE.  `ltc_np.cells.ode` has the equation."""

from __future__ import annotations

from ...base.types import Arrays
from ...cells.ode import OdeCell
from ..builder import Builder
from ..program import Expr, Vector, expression
from .activations import READ_TWICE, activate
from .solvers import Rates, integrate


def lower(layer: OdeCell, p: Arrays, buffers: Arrays, b: Builder, x: Expr, dt: Expr, state: Vector) -> Expr:
    """The product with the inputs once, and without feedback P too; then all unfolds."""
    Q, h, solver = expression(layer.leak(p)), b.store(dt / layer.ode_unfolds, "h"), layer.method.name
    if solver == "semi_implicit":  # as Q is always the same, Euler's rule for another length
        h, solver = b.store(h / (1 + h * Q), "length"), "euler"
    from_inputs = b.linear(p["w_x"].T, x, p["b"], name="z")
    if "w_h" not in p:
        P = b.update(from_inputs, activate(layer.activation, from_inputs, b))
        integrate(b, solver, layer.ode_unfolds, h, state, lambda h: Rates(P, Q, h))
        return state
    product = b.variable(state.size, "product")

    def rates(h: Expr) -> Rates:
        z: Expr = from_inputs + b.linear(p["w_h"].T, state, target=product)
        if layer.activation in READ_TWICE:
            z = b.assign(product, z)
        return Rates(activate(layer.activation, z, b), Q, h)

    integrate(b, solver, layer.ode_unfolds, h, state, rates)
    return state
