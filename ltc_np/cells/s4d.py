"""Diagonal structured state spaces (S4D): linear, one input and many modes a channel.

    x+ = Abar x + Bbar u,    y = 2 Re(sum C x+) + D u

with A = -decay + i frequency, and over a step delta = exp(log_step) dt::

    zoh:       Abar = exp(delta A),                       Bbar = (Abar - 1) / A  B
    bilinear:  Abar = (1 + delta A/2) / (1 - delta A/2),  Bbar = delta / (1 - delta A/2)  B

Source: Gu, Goel, Gupta & Re, "On the Parameterization and Initialization of Diagonal State Space Models", arXiv
2206.11893.  docs/maths/s4d.md derives every line; `ltc_np.cells.state_space` has the parameters.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..kernels.codes import DISCRETIZATIONS
from .modes import MODES
from .state_space import StateSpaceCell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base.types import Array, Arrays, Backend, Convolution, DiscretizationName, Init, Ints, Keep, ModesName
    from ..base.workspace import Workspace


CONVOLUTIONS = ("scan", "fft")


class _Prepared(NamedTuple):
    """What calls need of the parameters: that of the base; for the FFT, its kernels and their form of them."""

    scan: Any
    fft: Any
    whole: Any


class _Whole(NamedTuple):
    """What `backward` needs of a call that went by the FFT: what its kernels saved, and dt (B, T)."""

    call: tuple[Any, ...]
    dt: np.ndarray


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
    convolution : "scan" or "fft"
        How a whole sequence with one dt for all steps is computed: step by step, or by the fast Fourier transform, in
        float64, with memory for all steps of a channel.  What else there is (steps of different lengths, `step`, the
        gradient of dt) goes step by step in any case.
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

    convolution: Convolution

    words: Mapping[str, tuple[str | None, ...]] = MappingProxyType(
        {"modes": tuple(MODES), "discretization": DISCRETIZATIONS, "convolution": CONVOLUTIONS}
    )

    def __init__(
        self,
        states: int = 64,
        *,
        input_dim: int | None = None,
        modes: ModesName = "legs",
        discretization: DiscretizationName = "zoh",
        step_min: float = 0.001,
        step_max: float = 0.1,
        convolution: Convolution = "scan",
        lr_scale: float = 0.1,
        init: Init = None,
    ) -> None:
        checks.one_of("convolution", convolution, CONVOLUTIONS)
        self.convolution = convolution
        self.bitwise_batch = convolution == "scan"  # an FFT of several sequences may round differently
        super().__init__(states, input_dim, modes, discretization, step_min, step_max, lr_scale, init)

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        ssm = super().prepare(p, buffers, backend)
        if self.convolution == "scan":
            return _Prepared(ssm, None, None)
        fft = kernels.load(backend, "ssm_fft")
        return _Prepared(ssm, fft, fft.StateSpace(p, self.rule))

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        if prepared.fft is not None and (one := prepared.fft.regular(dt, lengths)) is not None:
            y, h_last, saved = prepared.fft.forward(prepared.whole, x, one, lengths, h0)
            return y, h_last, _Whole(saved, dt) if keep else None
        return super().forward(prepared.scan, x, dt, lengths, h0, keep, workspace)

    def backward(
        self,
        prepared: Any,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        if isinstance(saved, _Whole):
            if not want_dt:
                return *prepared.fft.backward(prepared.whole, saved.call, d_y, d_h, g), None
            # What a single step's length does is not in the spectra: once more, step by step.
            x, _, lengths, h0 = saved.call
            _, _, saved = super().forward(prepared.scan, x, saved.dt, lengths, h0, "full", workspace)
        return super().backward(prepared.scan, saved, d_y, d_h, g, want_x, want_dt, workspace)
