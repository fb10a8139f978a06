"""Diagonal structured state spaces (S4D): linear, one input and many modes a channel.

    x+ = Abar x + Bbar u,    y = 2 Re(sum C x+) + D u

with A = -decay + i frequency, and over a step delta = exp(log_step) dt::

    zoh:       Abar = exp(delta A),                       Bbar = (Abar - 1) / A  B
    bilinear:  Abar = (1 + delta A/2) / (1 - delta A/2),  Bbar = delta / (1 - delta A/2)  B

Source: Gu, Goel, Gupta & Re, "On the Parameterization and Initialization of Diagonal State Space Models", arXiv
2206.11893.  docs/maths/s4d.md#the-gradients derives every line.  `ltc_np.cells.state_space` has the parameters and
the calls, `ltc_np.kernels.numpy.ssm` the scan and, directly below it, its adjoint.
"""

from __future__ import annotations

from types import MappingProxyType

from ..base import checks
from ..base.types import DiscretizationName, Init, Method, ModesName
from ..kernels.codes import DISCRETIZATIONS
from .modes import MODES
from .state_space import StateSpaceCell

METHODS = ("scan", "parallel", "fft")


class S4D(StateSpaceCell):
    """A layer of diagonal state spaces, one for each feature that comes in; linear in its inputs.

    Parameters
    ----------
    states : even int >= 2
        N, real numbers in the state of a channel: N/2 complex modes.
    input_dim : int >= 1
        H, the channels: features coming in, and as many going out.
    modes : "legs", "lin" or "inv"
        Where frequencies and input weights begin: those of HiPPO-LegS, the Fourier series pi n, or the law
        (N/pi) (N/(2n + 1) - 1).
    discretization : "zoh" or "bilinear"
        The exact solution while the input is held, or the trapezoidal rule, which is stable too.
    step_min, step_max : float > 0
        The channels' steps begin between them, spread evenly in the logarithm.  A channel remembers about
        2 / step elapsed times of 1.
    method : "scan", "parallel" or "fft"
        How sequences are computed in which all steps last equally long: step by step; in pieces side by side, which is
        faster for few channels and long sequences (only with ``"zoh"``); or by the fast Fourier transform, in float64,
        with memory for all steps of a channel, which is faster with ``backend="numpy"`` only.  What else there is
        (other sequences, `step`, the gradient of dt) goes step by step in any case.
    lr_scale : float >= 0
        Factor on the learning rate of decay, frequency, b and log_step; they have no weight decay.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array.  That of ``decay`` is a raw
        value, as in ``model.theta``: decay = log(1 + exp(raw)).

    Notes
    -----
    Parameters, with M = N/2: ``decay`` (positive by softplus, begins as 1/2), ``frequency``, ``b_re``, ``b_im``,
    ``c_re``, ``c_im`` (M, H), ``log_step`` and ``d`` (H,).  C is complex normal, d normal.  State: the modes, ``re``
    and ``im`` (M, H).  Elapsed time may differ from step to step: it multiplies the channel's step.  Mixing channels
    is another layer's work: ``Residual(LayerNorm(), S4D(), GELU(), Dense(H))``.
    Cost: 4*B*T*H*N multiplications, four times that with gradients; where dt changes from step to step each mode needs
    an exponential, a sine and a cosine more.  Memory for gradients: one state every 64 steps.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import S4D, Dense, Model
    >>> model = Model(Dense(8), S4D(16), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    lowering = "state_space.lower"
    words = MappingProxyType({"modes": tuple(MODES), "discretization": DISCRETIZATIONS, "method": METHODS})

    def __init__(
        self,
        states: int = 64,
        *,
        input_dim: int | None = None,
        modes: ModesName = "legs",
        discretization: DiscretizationName = "zoh",
        step_min: float = 0.001,
        step_max: float = 0.1,
        method: Method = "scan",
        lr_scale: float = 0.1,
        init: Init = None,
    ) -> None:
        checks.one_of("method", method, METHODS)
        if method == "parallel" and discretization != "zoh":
            raise ValueError(
                f'`discretization` must be "zoh" with method="parallel", whose pieces are put together by the exact '
                f"solution, got {discretization!r}"
            )
        super().__init__(
            states, input_dim=input_dim, modes=modes, discretization=discretization, step_min=step_min,
            step_max=step_max, lr_scale=lr_scale, init=init, method=method,
        )  # fmt: skip
