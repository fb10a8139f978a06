"""Diagonal state spaces: what `S4D` and `LiquidS4` share.

Each of the H channels has an input of its own and M = states/2 complex modes, of which a conjugate twin is left out::

    x' = A x + B u,    y = 2 Re(sum C x) + D u,    A = -decay + i frequency

Time runs at a pace that each channel learns: a step of the model's dt lasts delta = exp(log_step) dt.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.layout import Entry, raw
from ..base.types import (
    Array,
    Arrays,
    Backend,
    DiscretizationName,
    Init,
    Ints,
    Keep,
    LiquidName,
    Method,
    ModesName,
    Numbers,
)
from ..base.workspace import Workspace
from ..kernels.codes import BILINEAR, DISCRETE, DISCRETIZATIONS, EXACT, KB, LIQUIDS, PB, PLAIN, ZOH, Discretization
from .base import Layer, input_features
from .initial import Normal, with_init
from .modes import DECAY, MODES
from .whole import Convolution, Pieces


class _Prepared(NamedTuple):
    """What calls need of the parameters: the kernels' form of them, the kernels, what takes whole sequences or None."""

    space: Any
    kernels: Any
    whole: Any


class _Whole(NamedTuple):
    """What `backward` needs of a call that took whole sequences: what that saved, and the call's arguments."""

    saved: Any
    x: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    h0: np.ndarray


class StateSpaceCell(Layer):
    """Base of the cells.

    Parameters
    ----------
    states, input_dim, modes, discretization, step_min, step_max, lr_scale, init
        As for the cells.
    method : "scan", "parallel" or "fft"
    liquid : one of `LIQUIDS`
    degree : int
        The longest products of inputs.
    bound : float
        The largest magnitude of the factor on a mode, 0 for none.
    scale : float
        Initial factor on B, by which C is divided.
    """

    states: int
    modes: ModesName
    discretization: DiscretizationName
    step_min: float
    step_max: float
    lr_scale: float
    method: Method
    rule: Discretization

    takes_dt = dt0_identity = smooth = causal = bitwise_batch = True

    def __init__(
        self,
        states: int,
        *,
        input_dim: int | None,
        modes: ModesName,
        discretization: DiscretizationName,
        step_min: float,
        step_max: float,
        lr_scale: float,
        init: Init,
        method: Method,
        liquid: LiquidName = None,
        degree: int = 1,
        bound: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        self.states = checks.integer("states", states, 2)
        if self.states % 2:
            raise ValueError(f"`states` must be even, since modes come in conjugate pairs, got {states}")
        self.method, self.bitwise_batch = method, method == "scan"
        checks.one_of("modes", modes, tuple(MODES))
        checks.one_of("discretization", discretization, DISCRETIZATIONS)
        self.modes, self.discretization = modes, discretization
        self.step_min = checks.number("step_min", step_min, low_open=True)
        self.step_max = checks.number("step_max", step_max, low_open=True)
        if self.step_min > self.step_max:
            raise ValueError(f"`step_min` must be at most `step_max` = {step_max}, got {step_min}")
        self.lr_scale = checks.number("lr_scale", lr_scale)
        self.rule = Discretization(DISCRETIZATIONS.index(discretization), LIQUIDS.index(liquid), degree, bound)
        self.input_dim = H = input_features(input_dim)
        if H is None:
            return self._defer(init={} if init is None else init)
        M = self.states // 2
        frequency, b = MODES[modes](self.states)
        b = scale * b
        part = Normal(0.5**0.5 / scale)  # of complex numbers of variance 1

        def each(values: Array) -> Array:
            return np.repeat(values[:, None], H, axis=1)

        own = {"lr_scale": self.lr_scale}
        self.init, self.layout = with_init(
            (
                Entry("decay", (M, H), raw(DECAY, "softplus"), positivity="softplus", **own),
                Entry("frequency", (M, H), each(frequency), **own),
                Entry("b_re", (M, H), each(b.real), **own),
                Entry("b_im", (M, H), each(b.imag), **own),
                Entry("c_re", (M, H), part),
                Entry("c_im", (M, H), part),
                Entry("log_step", (H,), (float(np.log(self.step_min)), float(np.log(self.step_max))), **own),
                Entry("d", (H,), Normal(1.0)),
            ),
            init,
        )
        past = (degree - 1) * H
        self.input_size, self.output_size, self.state_size = H, H, 2 * M * H + past
        self.state_slices = {"re": slice(0, M * H), "im": slice(M * H, 2 * M * H)}
        if past:
            self.state_slices["past"] = slice(2 * M * H, self.state_size)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Any:
        # For the kernels of all backends, which know them by number.
        checks.must_know(__name__, "discretization", self.rule.kind, (ZOH, BILINEAR))
        checks.must_know(__name__, "liquid", self.rule.liquid, (PLAIN, EXACT, DISCRETE, KB, PB))
        ssm = kernels.load(backend, "ssm")
        whole: Any = None
        if self.method == "fft":
            whole = Convolution(kernels.load(backend, "ssm_fft"), p, self.rule)
        elif self.method == "parallel":
            whole = Pieces(ssm, p, self.rule)
        return _Prepared(ssm.StateSpace(p, self.rule), ssm, whole)

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        space, ssm, whole = prepared
        if whole is not None and whole.takes(dt, lengths):
            y, h_last, saved = whole.forward(x, dt, lengths, h0, keep)
            return y, h_last, _Whole(saved, x, dt, lengths, h0) if keep else None
        return ssm.forward(space, x, dt, lengths, h0, keep, workspace)

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
        space, ssm, whole = prepared
        if isinstance(saved, _Whole):
            if not want_dt:
                return *whole.backward(saved.saved, d_y, d_h, g), None
            # What the length of a single step does is lost there: once more, step by step.
            _, *arguments = saved
            _, _, saved = ssm.forward(space, *arguments, "full", workspace)
        return ssm.backward(space, saved, d_y, d_h, want_x, want_dt, g, workspace)

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """Complex, of each of the M modes of the H channels, (n, M, H): ``modes`` after the step; ``multiplier``, what
        the step has multiplied the mode by, and ``input_factor``, what it has multiplied the input by; ``seen``, the
        products of C and what is read out, twice the real sum of which is y without D u.
        """
        return prepared.kernels.observe(prepared.space, x, dt, state)
