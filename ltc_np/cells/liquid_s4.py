"""Liquid-S4: a diagonal state space whose input also changes how the state evolves.

    x' = (A + B u) x + B u,    y = 2 Re(sum C x+) + D u

mode by mode.  Over a step delta = exp(log_step) dt, while u is held (phi(z) = (exp(z) - 1)/z)::

    exact:     z = delta (A + B u),   x+ = exp(z) x + delta phi(z) B u
    discrete:  x+ = (Abar + Bbar u) x + Bbar u,    with Abar, Bbar of `S4D`

and the paper's approximations, whose correlations are of neighbouring inputs, u(p) = u_t u_{t-1} ... u_{t-p+1}::

    kb:        x+ = Abar x + Bbar u + sum_p Bbar^p u(p)
    pb:        x+ = Abar x + Bbar u,   y = 2 Re(sum C (x+ + sum_p Bbar^p u(p))) + D u

Source: Hasani, Lechner, Wang, Chahine, Amini & Rus, "Liquid Structural State-Space Models", arXiv 2209.12951; the
recurrence is equation (5) there.  docs/maths/liquid_s4.md#the-gradients derives every line, and says where the
published code differs from the paper.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ..base import checks
from ..base.types import DiscretizationName, Init, LiquidKind, ModesName
from ..kernels.codes import DISCRETIZATIONS, LIQUIDS
from .modes import MODES
from .state_space import StateSpaceCell

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class LiquidS4Options(TypedDict, total=False):
        """The arguments of a `LiquidS4` that models of it hand on; a test compares the two."""

        liquid_degree: int
        liquid_bound: float | None
        liquid_scale: float
        modes: ModesName
        discretization: DiscretizationName
        step_min: float
        step_max: float
        method: Literal["scan", "parallel"]
        lr_scale: float
        init: Init


KERNELS = ("kb", "pb")
METHODS = ("scan", "parallel")
HIGHEST_DEGREE = 4


class LiquidS4(StateSpaceCell):
    """A layer of liquid state spaces, one for each feature that comes in.

    Parameters
    ----------
    states, input_dim, modes, step_min, step_max, lr_scale, init
        As for `S4D`.
    liquid : "exact", "discrete", "kb" or "pb"
        The exact solution over each step, right for every dt; the paper's recurrence, which takes the liquid term into
        the discrete equation; or one of its kernels, approximations of that recurrence by products of neighbouring
        inputs (docs/maths/liquid_s4.md says how far they are from it).
    discretization : "zoh" or "bilinear"
        As for `S4D`; ``"exact"`` has ``"zoh"``.
    liquid_degree : int in 2..4
        The longest products, of ``"kb"`` and ``"pb"``; the other forms do not look at it.
    liquid_bound : float >= 1, optional
        A large input can make a mode grow.  No step multiplies a mode by more than this: of ``"exact"`` the rate of
        growth is limited, of ``"discrete"`` the factor shortened.  1 keeps every mode from growing;
        `largest_multiplier` says what a model does on your data.
    method : "scan" or "parallel"
        As for `S4D`; ``"parallel"`` is for ``"exact"`` without a bound.
    liquid_scale : float > 0
        Initial factor on B, by which C is divided: the linear part begins as that of `S4D`, whatever it is, the liquid
        one is so much weaker.  1 is as published; then random inputs make the states forget almost at once
        (docs/maths/liquid_s4.md has figures).

    Notes
    -----
    Parameters and state are those of `S4D`; with kb and pb the state also has the last inputs, ``past``
    (degree - 1, H).  A step with dt = 0 changes nothing: kb and pb do not count its input as a neighbour.
    Cost: ``"exact"`` needs an exponential, a sine and a cosine for each mode and step, and three to six times the time
    of `S4D` with one dt; the others need some more multiplications than that.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, LiquidS4, Model
    >>> model = Model(Dense(8), LiquidS4(16), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    liquid: LiquidKind
    liquid_degree: int
    liquid_bound: float | None
    liquid_scale: float

    lowering = "state_space.lower"
    words = MappingProxyType(
        {"modes": tuple(MODES), "discretization": DISCRETIZATIONS, "liquid": LIQUIDS[1:], "method": METHODS}
    )

    def __init__(
        self,
        states: int = 64,
        *,
        input_dim: int | None = None,
        liquid: LiquidKind = "exact",
        liquid_degree: int = 2,
        liquid_bound: float | None = None,
        liquid_scale: float = 0.1,
        modes: ModesName = "legs",
        discretization: DiscretizationName = "zoh",
        step_min: float = 0.001,
        step_max: float = 0.1,
        method: Literal["scan", "parallel"] = "scan",
        lr_scale: float = 0.1,
        init: Init = None,
    ) -> None:
        checks.one_of("liquid", liquid, LIQUIDS[1:])
        self.liquid = liquid
        self.liquid_degree = checks.integer("liquid_degree", liquid_degree, 2, HIGHEST_DEGREE)
        self.liquid_scale = checks.number("liquid_scale", liquid_scale, low_open=True)
        self.liquid_bound = None
        if liquid_bound is not None:
            self.liquid_bound = checks.number("liquid_bound", liquid_bound, 1)
            if liquid in KERNELS:
                raise ValueError(
                    f'`liquid_bound` must be None with liquid="{liquid}", whose inputs multiply no mode, '
                    f"got {liquid_bound}"
                )
        if liquid == "exact" and discretization != "zoh":
            raise ValueError(
                f'`discretization` must be "zoh" with liquid="exact", which solves the equation exactly, '
                f"got {discretization!r}"
            )
        checks.one_of("method", method, METHODS)
        if method == "parallel" and (liquid != "exact" or self.liquid_bound is not None):
            raise ValueError(
                '`method` must be "scan" unless liquid="exact" and liquid_bound=None: only then is it known what a '
                'piece makes of its first state, got "parallel"'
            )
        self.smooth = self.liquid_bound is None
        degree = self.liquid_degree if liquid in KERNELS else 1
        super().__init__(
            states, input_dim=input_dim, modes=modes, discretization=discretization, step_min=step_min,
            step_max=step_max, lr_scale=lr_scale, init=init, method=method, liquid=liquid, degree=degree,
            bound=self.liquid_bound or 0.0, scale=self.liquid_scale,
        )  # fmt: skip
