"""Continuous-time recurrent networks: units that leak, and are driven by a function of the input and of each other.

    v' = -v / tau + f(x w_x + v w_h + b)

Source: Funahashi & Nakamura, "Approximation of dynamical systems by continuous time recurrent neural networks",
Neural Networks 6, 1993; in the form that the LTC's paper compares with (Hasani et al., AAAI 2021, and its code).
docs/maths/ctrnn.md#the-gradients derives every line; `ltc_np.cells.ode` has the sweeps.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from ..base import checks
from ..base.activations import ACTIVATIONS
from ..base.layout import Entry, raw
from ..base.types import Activation, Array, Arrays, CTRNNSolver, Init, Numbers, Reaction
from ..kernels.codes import TABLEAUS
from .base import cell_sizes
from .ode import OdeCell
from .stability import check_step

SOLVERS = ("semi_implicit", "euler", *TABLEAUS)


class CTRNN(OdeCell):
    """A layer of a continuous-time recurrent network.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    solver : str
        How v' = -v/tau + f is solved over an unfold of length h = dt/ode_unfolds; part of the model, like
        ``ode_unfolds``.  ``"semi_implicit"`` takes f at the old v and v in the leak implicitly, and is stable for every
        dt; ``"euler"`` is the published rule; ``"rk4"`` evaluates f four times, with errors of fourth order.
        All of those of `LTC` but ``"exponential"`` are taken.
    ode_unfolds : int in 1..1,000,000
        Unfolds U of one elapsed time dt, during which x is held; `solver_error` says how many are enough on your data.
    activation : None, "relu", "tanh", "sigmoid", "silu", "gelu" or "lecun_tanh"
        f.
    global_feedback : bool
        False: f(x w_x + b), as published; units are then on their own and there is no ``w_h``.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver (any but semi_implicit) amplifies errors: where the largest h/tau of all
        units is not below its limit, which is 2 for euler.
    tau : float > 0
        Initial value of all time constants, in the unit of ``dt``.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.  That of ``tau`` is a raw
        value, as in ``model.theta``: tau = log(1 + exp(raw)).

    Notes
    -----
    Parameters: ``w_x`` (I, N), ``w_h`` (N, N), both subject to weight decay, ``b`` (N,), and the time constants ``tau``
    (N,), positive by softplus, in the unit of dt.  Initially w_x is uniform (Glorot), w_h orthogonal and b 0;
    ``model.freeze("tau")`` keeps it.  State: ``v`` (N,), which is the output.  The published step, six of
    v + 0.1 (-v + tanh([x, v] W + b)), is ``solver="euler"`` with dt = 0.6 and tau = 1.
    Cost: B*T*N*(I + U*N*stages) multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CTRNN, Dense, Model
    >>> model = Model(CTRNN(32), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    global_feedback: bool
    check_stability: Reaction
    tau: float

    contracting = True
    lowering = "ode.lower"
    words = MappingProxyType({"solver": SOLVERS, "activation": tuple(ACTIVATIONS)})

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        solver: CTRNNSolver = "semi_implicit",
        ode_unfolds: int = 6,
        activation: Activation = "tanh",
        global_feedback: bool = True,
        check_stability: Reaction = "error",
        tau: float = 1.0,
        init: Init = None,
    ) -> None:
        self.global_feedback = checks.boolean("global_feedback", global_feedback)
        checks.one_of("check_stability", check_stability, ("error", "warn", "off"))
        self.check_stability = check_stability
        units, input_dim = cell_sizes(units, input_dim)
        self.tau = checks.number("tau", tau, low_open=True)
        entry = Entry("tau", (units,), raw(self.tau, "softplus"), positivity="softplus")
        super().__init__(
            units, input_dim, solver, SOLVERS, ode_unfolds, activation, self.global_feedback, (entry,), init,
        )  # fmt: skip

    def leak(self, p: Arrays) -> Array:
        return 1 / p["tau"]

    def add_leak_gradient(self, p: Arrays, d_Q: Array, g: Arrays) -> None:
        g["tau"] -= d_Q / np.square(p["tau"], dtype=np.float64)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """As `OdeCell`, and ``tau`` (n, N), which does not change."""
        return super().observe(prepared, x, dt, state) | {"tau": np.tile(prepared.p["tau"], (len(x), 1))}

    def check(self, prepared: Any, dt: Array) -> None:
        if self.method.limit is not None and self.check_stability != "off":
            fastest = 1 / float(prepared.p["tau"].min())
            remedy = 'solver="semi_implicit"'
            check_step(self.method, "h/tau", "", fastest, dt, self.ode_unfolds, remedy, self.check_stability)
