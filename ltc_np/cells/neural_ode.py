"""Neural ordinary differential equations: the state follows a vector field that a layer of neurons computes.

    v' = f(x w_x + v w_h + b)

Source: Chen, Rubanova, Bettencourt & Duvenaud, "Neural ordinary differential equations", NeurIPS 2018; as a recurrent
cell in the form that the LTC's paper compares with (Hasani et al., AAAI 2021, and its code).
docs/maths/neural_ode.md#the-gradients derives every line; `ltc_np.cells.ode` has the sweeps.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from ..base.activations import ACTIVATIONS
from ..base.types import Activation, Array, Arrays, ExplicitSolver, Init
from ..kernels.codes import TABLEAUS
from .ode import OdeCell

SOLVERS = (*TABLEAUS, "euler")


class NeuralODE(OdeCell):
    """A recurrent layer whose state follows a neural differential equation between observations.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    solver : str
        How v' = f is solved over an unfold of length h = dt/ode_unfolds; part of the model, like ``ode_unfolds``.
        ``"rk4"`` evaluates f four times, with errors of fourth order.  All explicit ones of `LTC` are taken, such as
        ``"euler"``.
    ode_unfolds : int in 1..1,000,000
        Unfolds U of one elapsed time dt, during which x is held; `solver_error` says how many are enough on your data.
    activation : None, "relu", "tanh", "sigmoid", "silu", "gelu" or "lecun_tanh"
        f.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.

    Notes
    -----
    Parameters: ``w_x`` (I, N), ``w_h`` (N, N), both subject to weight decay, and ``b`` (N,).  Initially w_x is uniform
    (Glorot), w_h orthogonal and b 0.  State: ``v`` (N,), which is the output; nothing bounds it: with tanh it moves by
    at most dt a step.  The published step, six of 0.1 by Runge and Kutta's rule, is dt = 0.6.  The gradient is that of
    the computed steps, exactly, not that of the solution.
    Cost: B*T*N*(I + U*N*stages) multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, Model, NeuralODE
    >>> model = Model(NeuralODE(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    lowering = "ode.lower"
    also_called = ("NODE",)
    words = MappingProxyType({"solver": SOLVERS, "activation": tuple(ACTIVATIONS)})

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        solver: ExplicitSolver = "rk4",
        ode_unfolds: int = 6,
        activation: Activation = "tanh",
        init: Init = None,
    ) -> None:
        if solver == "semi_implicit":  # type: ignore[comparison-overlap]
            raise ValueError(
                f"`solver` must be one of {', '.join(map(repr, SOLVERS))}, got 'semi_implicit', which is implicit in "
                "the leak: a NeuralODE has none, a CTRNN has"
            )
        super().__init__(units, input_dim, solver, SOLVERS, ode_unfolds, activation, True, (), init)

    def leak(self, p: Arrays) -> Array:
        return np.zeros_like(p["b"])

    def add_leak_gradient(self, p: Arrays, d_Q: Array, g: Arrays) -> None:
        """There is no leak."""
