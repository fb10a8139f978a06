"""Leaky integrate-and-fire neurons: input products by BLAS, and surrogate gradients.

Between spikes the membrane potential v follows a linear equation, which a step solves exactly for the current I, taken
to be constant during the step::

    tau v' = -v + I,    I = x w_x + b (+ spikes w_h)

    V = v + (I - v) (1 - exp(-a / tau))         a: the part of dt that is not spent in the refractory time
    s = 1 where V >= threshold and a > 0, else 0
    v+ = reset where s = 1 (or V - threshold), else V

A spike has no useful derivative.  The backward pass puts that of a smooth step S(V - threshold) in its place.

Source: Lapicque, 1907; surrogate gradients: Neftci, Mostafa & Zenke, IEEE Signal Processing Magazine 36, 2019.
docs/maths/spiking_lif.md#the-gradients derives every line.
"""

import functools
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.layout import Entry, raw
from ..base.types import Array, Arrays, Backend, Float, Init, Ints, Keep, Numbers, SurrogateName
from ..base.workspace import Fresh, Workspace, arrays
from ..kernels.codes import FAST_SIGMOID, SURROGATES, SpikingNeuron, Surrogate
from ..kernels.gates import over_parts, transposes
from .base import Layer, cell_sizes
from .initial import with_init

SLOPES = {"fast_sigmoid": 25.0, "arctan": 2.0}

# A part of the batch has at least so many sequences, and so many steps of neurons (0.2 ms of work); with recurrence so
# many multiplications in the product of one step, as in `ltc_np.kernels.gates`.
PART_ROWS, PART_STEPS, PART_PRODUCTS = 16, 2**18, 2**18
# Steps whose share of the gradient of tau is summed in the layer's own precision.
FLUSH_STEPS = 256
# Initial weights: white input of unit variance gives a neuron whose time constant is ten steps fluctuations of the
# potential of 0.7 thresholds, and so some spikes (variance of the weight: 10 thresholds**2 / inputs).
WEIGHT_RANGE = 30**0.5


class Prepared(NamedTuple):
    """What a call needs of the parameters.

    Attributes
    ----------
    p : dict
        Effective values by name.
    transposed : dict
        Transposes of the matrices among them.
    neuron, surrogate : tuples
        A `SpikingNeuron` and a `Surrogate`, as kernels take them.
    kernels : module
    forward_steps : function
        Of the kernels; with relaxed spikes if the layer has them.
    """

    p: Arrays
    transposed: Arrays
    neuron: tuple[Any, ...]
    surrogate: tuple[Any, ...]
    kernels: ModuleType
    forward_steps: Callable[..., None]


class Saved(NamedTuple):
    """What the adjoint needs; arrays (B, T, N) are (T, B, N) in recurrent layers, and others in the same way.

    Attributes
    ----------
    inputs : (B, T, I) array
    dt : (B, T) array
    current : (B, T, N) array
        Without b.
    v, rest, spikes : (B, T + 1, N) arrays
        Of the state, before each step; spikes are empty where nobody reads them.
    y : (B, T, N) array
        The spikes.
    """

    inputs: np.ndarray
    dt: np.ndarray
    current: np.ndarray
    v: np.ndarray
    rest: np.ndarray
    spikes: np.ndarray
    y: np.ndarray


class SpikingLIF(Layer):
    """A layer of leaky integrate-and-fire neurons, trained by surrogate gradients.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    recurrent : bool
        Add ``w_h``: the spikes of a step are, times w_h, part of the current of the next one.
    threshold : float > 0
        Potential at which a neuron spikes; it rests at 0.
    reset : float < threshold, or "subtract"
        What a spike sets the potential to, or ``"subtract"``: it lowers the potential by ``threshold``.
    refractory : float >= 0
        Time after a spike, in the unit of ``dt``, in which the potential stays where it is and no spike is possible.
        It begins at the end of the step with the spike.
    surrogate : "fast_sigmoid" or "arctan"
        What stands for the derivative of a spike with respect to u = v - threshold: 1 / (1 + slope |u|)**2 (Zenke &
        Ganguli, 2018) or slope / 2 / (1 + (pi slope u / 2)**2) (Fang et al., 2021).
    slope : float > 0, optional
        25 for ``"fast_sigmoid"``, 2 for ``"arctan"`` unless given, as in snnTorch.
    tau : float > 0
        Initial value of all membrane time constants, in the unit of ``dt``.
    relaxed : bool
        For tests: a spike is replaced by the number whose derivative the surrogate is, so that finite differences
        have something to differentiate; `ltc_np.gradcheck` refuses the layer without.  Runs in NumPy.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number, an array; of a matrix also
        ``("orthogonal", gain)`` or ``("glorot", gain)``, the usual draw times a number.  That of ``tau`` is a raw
        value, tau = log(1 + exp(raw)).

    Notes
    -----
    Parameters: ``w_x`` (I, N), ``w_h`` (N, N) if recurrent, both subject to weight decay, ``b`` (N,), and ``tau`` (N,),
    kept positive by softplus.  A membrane resistance would only scale w_x, w_h and b, so there is none: I is R_m I.
    Initially w_x and w_h are uniform in +-threshold sqrt(30 / rows), b is 0.  Output: spikes, 0.0 or 1.0.  State:
    ``v`` (N,), with a refractory time ``rest`` (N,), what is left of it, and if recurrent ``spikes`` (N,), the last
    ones.  A spike needs elapsed time: a step with dt = 0 changes nothing and gives 0.  Cost: B*T*N*I multiplications
    (+ N*N) and one exponential a step and neuron, three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import Dense, Model, SpikingLIF
    >>> model = Model(SpikingLIF(32, refractory=2.0), Dense(2), input_dim=3, seed=0)
    >>> model(np.ones((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    units: int
    recurrent: bool
    threshold: float
    reset: float | Literal["subtract"]
    refractory: float
    surrogate: SurrogateName
    slope: float
    tau: float
    relaxed: bool

    takes_dt = dt0_identity = causal = True
    lowering = "spiking_lif.lower"
    also_called = ("LIF",)

    def __init__(
        self,
        units: int,
        *,
        input_dim: int | None = None,
        recurrent: bool = False,
        threshold: float = 1.0,
        reset: float | Literal["subtract"] = 0.0,
        refractory: float = 0.0,
        surrogate: SurrogateName = "fast_sigmoid",
        slope: float | None = None,
        tau: float = 10.0,
        relaxed: bool = False,
        init: Init = None,
    ) -> None:
        N, I = cell_sizes(units, input_dim)
        self.recurrent = checks.boolean("recurrent", recurrent)
        self.threshold = checks.number("threshold", threshold, low_open=True)
        if isinstance(reset, str) and reset == "subtract":
            self.reset = reset
        else:
            if isinstance(reset, str):
                raise ValueError(f'`reset` must be a number or "subtract", got {reset!r}')
            self.reset = checks.number("reset", reset, low=-np.inf)
            if self.reset >= self.threshold:
                raise ValueError(f"`reset` must be < `threshold` = {self.threshold:g}, got {reset!r}")
        self.refractory = checks.number("refractory", refractory)
        self.surrogate = checks.one_of("surrogate", surrogate, SURROGATES)
        self.slope = SLOPES[surrogate] if slope is None else checks.number("slope", slope, low_open=True)
        self.tau = checks.number("tau", tau, low_open=True)
        self.relaxed = checks.boolean("relaxed", relaxed)
        self.surrogate_gradient = not self.relaxed
        parts = ["v"] + ["rest"] * (self.refractory > 0) + ["spikes"] * self.recurrent
        self.units, self.input_dim = N, I
        if I is None:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size, self.state_size = I, N, len(parts) * N
        self.state_slices = {name: slice(k * N, (k + 1) * N) for k, name in enumerate(parts)}
        entries = []
        for name, rows in [("w_x", I)] + [("w_h", N)] * self.recurrent:
            limit = self.threshold * WEIGHT_RANGE / rows**0.5
            entries.append(Entry(name, (rows, N), (-limit, limit), decay=True))
        entries += [Entry("b", (N,)), Entry("tau", (N,), raw(self.tau, "softplus"), positivity="softplus")]
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        checks.must_know(__name__, "surrogate", self.surrogate, ("fast_sigmoid", "arctan"))
        found, number = kernels.load(backend, "spiking_lif"), p["w_x"].dtype.type
        keep, offset = (1, -self.threshold) if self.reset == "subtract" else (0, self.reset)
        kind = SURROGATES.index(self.surrogate)
        peak, sharpness = (1, self.slope) if kind == FAST_SIGMOID else (self.slope / 2, self.slope * np.pi / 2)
        neuron = SpikingNeuron(
            b=p["b"],
            rate=1 / p["tau"],
            threshold=number(self.threshold),
            keep=number(keep),
            offset=number(offset),
            refractory=number(self.refractory),
        )
        surrogate = tuple(Surrogate(kind, number(peak), number(sharpness)))
        steps = functools.partial(found.relaxed_steps, surrogate) if self.relaxed else found.forward_steps
        transposed = transposes(p, "w_x", *["w_h"] * self.recurrent)
        return Prepared(p, transposed, tuple(neuron), surrogate, found, steps)

    def forward(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Saved | None]:
        p, neuron, forward_steps = prepared.p, prepared.neuron, prepared.forward_steps
        (B, T, I), N = x.shape, self.output_size
        # Arrays are (B, T, N), or (T, B, N) if steps are made one by one: what is worked on together lies together.
        turn = (lambda a: a.transpose(1, 0, 2)) if self.recurrent else (lambda a: a)
        inputs = np.ascontiguousarray(turn(x))
        scratch = workspace.kept("forward", (B, T), lambda: self._scratch(B, T, x.dtype))
        current, y, v, rest, spikes = scratch.current, scratch.y, scratch.v, scratch.rest, scratch.spikes
        states = {"v": turn(v), "rest": turn(rest), "spikes": turn(spikes)}
        states["rest"][:, 0] = 0
        for name, where in self.state_slices.items():
            states[name][:, 0] = h0[:, where]
        flat_inputs, flat = inputs.reshape(B * T, I), current.reshape(B * T, N)

        def project(first, last):
            np.dot(flat_inputs[first:last], p["w_x"], out=flat[first:last])

        def sweep(first, last):
            rows = slice(first, last)
            if not self.recurrent:
                forward_steps(False, 0, T, first, last, dt, current, neuron, v, rest, spikes, y)
                return
            for t in range(T):
                current[t, rows] += np.dot(spikes[t, rows], p["w_h"], out=scratch.product[rows])
                forward_steps(True, t, t + 1, first, last, dt, current, neuron, v, rest, spikes, y)

        parts = self._parts(B, T)
        with blas.one_thread():
            over_parts(project, B * T, parts)
            over_parts(sweep, B, parts)
        h_last = np.concatenate([states[name][:, T] for name in self.state_slices], axis=1)
        saved = Saved(inputs, dt, current, v, rest, spikes, y) if keep else None
        return np.ascontiguousarray(turn(y)), h_last, saved

    def _scratch(self, B: int, T: int, dtype: Float) -> SimpleNamespace:
        """What `forward` works in."""
        N = self.output_size
        steps, states = ((T, B), (T + 1, B)) if self.recurrent else ((B, T), (B, T + 1))
        shapes = {"current": (*steps, N), "y": (*steps, N), "v": (*states, N), "rest": (*states, N)}
        if self.recurrent:
            return arrays(dtype, **shapes, spikes=(*states, N), product=(B, N))
        scratch = arrays(dtype, **shapes)
        scratch.spikes = np.empty((0, 0, 0), dtype)
        return scratch

    def backward(
        self,
        prepared: Prepared,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        transposed, backward_steps = prepared.transposed, prepared.kernels.backward_steps
        neuron, surrogate = prepared.neuron, prepared.surrogate
        inputs, dt, current, v, rest, spikes, y = saved
        (B, T), I, N, dtype = dt.shape, self.input_size, self.output_size, y.dtype
        turn = (lambda a: np.ascontiguousarray(a.transpose(1, 0, 2))) if self.recurrent else (lambda a: a)
        d_y, d_current = turn(d_y), workspace.array("d_current", B * T * N, dtype).reshape(y.shape)
        d_v, d_rest, d_rate, product = np.zeros((4, B, N), dtype)
        rates = np.zeros((B, N))
        d_spikes = np.empty((B if self.recurrent else 0, N), dtype)
        d_states = {"v": d_v, "rest": d_rest, "spikes": d_spikes}
        for name, where in self.state_slices.items():
            d_states[name][:] = d_h[:, where]
        d_dt = np.empty((B, T) if want_dt else (0, 0), dtype)

        def sweep(first, last):
            rows = slice(first, last)

            def d_steps(begin, end):
                backward_steps(
                    self.recurrent, begin, end, first, last, dt, current, neuron, surrogate, v, rest, y,
                    d_y, d_v, d_rest, d_spikes, d_current, d_rate, d_dt,
                )  # fmt: skip

            for end in range(T, 0, -FLUSH_STEPS):
                begin = max(end - FLUSH_STEPS, 0)
                if self.recurrent:
                    for t in range(end - 1, begin - 1, -1):
                        d_steps(t, t + 1)
                        d_spikes[rows] += np.dot(d_current[t, rows], transposed["w_h"], out=product[rows])
                else:
                    d_steps(begin, end)
                rates[rows] += d_rate[rows]
                d_rate[rows] = 0

        flat_inputs, flat = inputs.reshape(B * T, I), d_current.reshape(B * T, N)

        def add_up(first, last):  # some columns
            columns = flat[:, first:last]
            g["w_x"][:, first:last] += np.dot(flat_inputs.T, columns)
            if self.recurrent:
                g["w_h"][:, first:last] += np.dot(spikes[:T].reshape(B * T, N).T, columns)

        parts = self._parts(B, T)
        with blas.one_thread():
            over_parts(sweep, B, parts)
            over_parts(add_up, N, min(parts, N))
        g["b"] += flat.sum(0, np.float64)
        g["tau"] -= rates.sum(0) * np.square(SpikingNeuron(*neuron).rate, dtype=np.float64)
        d_x = turn(blas.product(flat, transposed["w_x"]).reshape(inputs.shape)) if want_x else None
        d_h0 = np.concatenate([d_states[name] for name in self.state_slices], axis=1)
        return d_x, d_h0, d_dt if want_dt else None

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """``current`` (n, N), I; ``potential`` (n, N), V, what it makes of v before a spike resets it; ``active``
        (n, N), the part of dt that is not spent in the refractory time; ``spikes`` (n, N).
        """
        one = x[:, None], dt[:, None], np.ones(len(x), np.int64), state
        y, _, saved = self.forward(prepared, *one, "full", Fresh())
        current, v, rest = (a[0] if self.recurrent else a[:, 0] for a in (saved.current, saved.v, saved.rest))
        return prepared.kernels.observe(prepared.neuron, dt, current, v, rest) | {"spikes": y[:, 0]}

    def _parts(self, B: int, T: int) -> int:
        """Parts that the work of B sequences is cut into, whatever the number of threads."""
        N = self.output_size
        parts = B * N * N // PART_PRODUCTS if self.recurrent else B * T * N // PART_STEPS
        return max(1, min(B // PART_ROWS, parts))

    def defaults(self) -> dict[str, Any]:
        return super().defaults() | {"slope": SLOPES[self.surrogate]}
