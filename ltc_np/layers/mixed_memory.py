"""Mixed memory: an LSTM beside a cell whose own state forgets.

A liquid cell's memory fades with its time constants, and so do the gradients through it.  Here an LSTM with memory c
runs beside it and shares its state s.  Every step computes the LSTM's y from the input x and from s::

    z = x w_x + s w_h + b                       (blocks of columns: input, forget, candidate, output)
    c+ = sigmoid(z_f + forget_bias) c + sigmoid(z_i) tanh(z_g)
    y = sigmoid(z_o) tanh(c+)

and then the cell makes its own step, in one of the two published ways::

    "torch":  s+ = cell(input x, state y)       y takes the place of the state
    "keras":  s+ = cell(input y, state s)       y takes the place of the input

Source: Lechner & Hasani, "Learning Long-Term Dependencies in Irregularly-Sampled Time Series", arXiv 2006.04418, in the
two forms of ncps.  docs/maths/mixed_memory.md#the-gradients derives the gradients.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.layout import Entry, Layout
from ..base.types import Array, Arrays, Backend, Float, Ints, Keep, Numbers, Topology
from ..base.workspace import Workspace, arrays
from ..cells import Layer
from ..cells.base import combine, input_features
from ..cells.initial import glorot, orthogonal
from ..cells.lstm import GATES
from ..cells.synaptic import SynapticCell
from ..kernels.gates import Whole, blocks, transposes
from ..wirings import Wiring
from .pace import refuse_strides

TOPOLOGIES = ("torch", "keras")
FEW_STEPS = 4  # for fewer `Layer.stepper` is not worth it
NONE = np.empty(0, np.int64)


class Prepared(NamedTuple):
    """What a call needs of the parameters.

    Attributes
    ----------
    cell : object
        What the cell does.
    p, transposed : dict
        The LSTM's parameters by their names in an `LSTM`, with ``forget_bias`` in b, and transposes of the matrices.
    kernels : module
        With the pointwise part of the LSTM's step and its adjoint.
    whole : Whole or None
        Kernels that take sequences through the LSTM and this cell at once, where there are any, and the LSTM as they
        read it.
    """

    cell: Any
    p: Arrays
    transposed: Arrays
    kernels: ModuleType
    whole: Whole | None


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    inputs (T, B, I), gates (T, B, 4*M), states (T + 1, B, K), c (T + 1, B, M) : arrays
    lengths : (B,) array
    steps : list
        What the cell saved at each step.
    """

    inputs: np.ndarray
    gates: np.ndarray
    states: np.ndarray
    c: np.ndarray
    lengths: np.ndarray
    steps: list[Any]


class MixedMemory(Layer):
    """A cell with an LSTM beside it.

    Parameters
    ----------
    cell : Layer
        A causal layer with a state, such as an `LTC`.
    topology : "torch" or "keras"
        As in ncps' packages of these names.  ``"torch"``: the LSTM has as many units as the cell's state has numbers.
        ``"keras"``: as many as the cell has inputs (in ncps always the size of the state).
    forget_bias : float
        Added to the forget gates' argument.
    input_dim : int, optional
        Features per step; left out, those of the cell, or of the layer before.  In ``"keras"`` only the LSTM reads
        them, so their number may differ from that of the cell's inputs.  A cell made without ``input_dim`` then gets
        as many as its state has numbers.

    Notes
    -----
    Parameters: the cell's, and for M units of the LSTM ``lstm_w_x`` (I, 4M), ``lstm_w_h`` (K, 4M), ``lstm_b`` (4M,), in
    blocks of columns as `LSTM` has them (ncps' order is candidate, input, forget, output).  Initially w_x is uniform
    (Glorot), w_h orthogonal, b uniform in +-0.1 (``"torch"``) or 0.  State: the cell's, then ``c`` (M,).  A step
    with dt = 0 is not the identity: the LSTM does not know time.  Cost: the cell's, step by step, and
    4*B*T*M*(I + K) multiplications, three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, MixedMemory, Model
    >>> model = Model(MixedMemory(LTC(AutoNCP(16, 2))), input_dim=3, seed=0)  # or LTCRNN(..., mixed_memory=True)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    cell: Layer
    topology: Topology
    forget_bias: float
    memory_size: int

    lowering = "nested.mixed_memory"

    def __init__(
        self, cell: Layer, topology: Topology = "torch", forget_bias: float = 1.0, *, input_dim: int | None = None
    ) -> None:
        if not isinstance(cell, Layer):
            raise TypeError(f"`cell` must be a layer such as LTC(...), got {type(cell).__name__}")
        checks.one_of("topology", topology, TOPOLOGIES)
        self.topology, self._torch = topology, topology == "torch"
        self.forget_bias = checks.number("forget_bias", forget_bias, low=-np.inf)
        I = input_features(input_dim)
        if cell.open and I is None:
            return self._defer(cell=cell, input_dim=None)
        if cell.open:  # in "keras" the LSTM stands before it, in ncps with as many units as the state has numbers
            cell = cell.with_input(I if self._torch else cell.with_input(1).state_size)
        self.cell = cell
        refuse_strides(self, [cell])
        if cell.state_size < 1 or not cell.causal or "c" in cell.state_slices:
            raise ValueError(f"`cell` must be a causal layer with a state and without an LSTM's, got {cell!r}")
        if cell.batch_statistics:  # which would be those of a single step
            raise ValueError(f"`cell` must not have a layer with statistics of the batch, got {cell!r}")
        I = cell.input_size if I is None else I
        if self._torch and cell.input_size != I:
            raise ValueError(
                f'`input_dim` must be the cell\'s {cell.input_size} in topology "torch", got {input_dim!r}'
            )
        K = cell.state_size
        M = self.memory_size = K if self._torch else cell.input_size
        self.input_dim = self.input_size = I
        self.output_size, self.state_size = cell.output_size, K + M
        self.state_slices = {**cell.state_slices, "c": slice(K, K + M)}
        self.layout = Layout(
            (
                *cell.layout.entries,
                Entry("lstm_w_x", (I, 4 * M), glorot(I, 4 * M), decay=True),
                Entry("lstm_w_h", (K, 4 * M), orthogonal, decay=True),
                Entry("lstm_b", (4 * M,), (-0.1, 0.1) if self._torch else 0.0),
            )
        )
        self.buffers = cell.buffers
        vars(self).update(combine([cell], dt0_identity=False, hull=False, bitwise_batch=False))  # as of an `LSTM`
        self._freeze()

    @property
    def wiring(self) -> Wiring:
        return self.cell.wiring  # type: ignore[attr-defined]

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Prepared:
        M, inner = self.memory_size, {name: p[name] for name in self.cell.layout.slices}
        b = p["lstm_b"].copy()
        b[M : 2 * M] += b.dtype.type(self.forget_bias)
        own = {"w_x": p["lstm_w_x"], "w_h": p["lstm_w_h"], "b": b}
        lstm, cell = kernels.load(backend, "lstm"), self.cell.prepare(inner, buffers, backend)
        kind, both, whole = type(self.cell), getattr(getattr(cell, "kernels", None), "with_memory", None), None
        own_calls = kind.forward is SynapticCell.forward and kind.backward is SynapticCell.backward
        if self._torch and own_calls and both is not None:
            whole = Whole(lstm.Matrices(**own), both)
        return Prepared(cell, own, transposes(own, "w_x", "w_h"), lstm, whole)

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        return (("", self.cell),) if self._torch else ()

    def check(self, prepared: Prepared, dt: Array) -> None:
        self.cell.check(prepared.cell, dt)

    @blas.one_thread()
    def forward(
        self,
        prepared: Prepared,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        **options: Any,
    ) -> tuple[Array, Array, Saved | None]:
        found = self._forward_whole(prepared, x, dt, lengths, h0, keep, workspace)
        if found is not None:
            return found
        p, forward_step = prepared.p, prepared.kernels.forward_step
        (B, T, I), M, K, O = x.shape, self.memory_size, self.cell.state_size, self.output_size
        scratch = workspace.kept(
            "forward",
            (B, T),
            lambda: arrays(
                x.dtype,
                inputs=(T, B, I),
                gates=(T, B, 4 * M),
                recurrent=(B, 4 * M),
                y=(T + 1, B, M),
                c=(T + 1, B, M),
                states=(T + 1, B, K),
                outputs=(B, T, O),
            ),
        )
        inputs, gates, recurrent = scratch.inputs, scratch.gates, scratch.recurrent
        y, c, states, outputs = scratch.y, scratch.c, scratch.states, scratch.outputs
        inputs[:] = x.transpose(1, 0, 2)
        np.dot(inputs.reshape(T * B, I), p["w_x"], out=gates.reshape(T * B, 4 * M))
        states[0], c[0] = h0[:, :K], h0[:, K:]
        dt, saved, shortest = np.ascontiguousarray(dt.T), [], lengths.min(initial=T)
        as_usual = keep or T < FEW_STEPS or options.get("rng") is not None
        bound = None if as_usual else self._bound(prepared, B, workspace)
        for t in range(T):
            np.dot(states[t], p["w_h"], out=recurrent)
            forward_step(t, 0, B, gates, recurrent, p["b"], c, y)
            ended = np.flatnonzero(lengths <= t) if t >= shortest else NONE
            if ended.size:
                c[t + 1, ended] = c[t, ended]
                y[t + 1, ended] = states[t, ended] if self._torch else 0
            read, start = (inputs[t], y[t + 1]) if self._torch else (y[t + 1], states[t])
            if bound is None:
                output, state, step_saved = self.cell.forward(
                    prepared.cell, read[:, None], dt[t][:, None], (lengths > t).astype(np.int64), start, keep,
                    workspace.child(t if keep else 0), **options,
                )  # fmt: skip
                saved.append(step_saved)
            else:  # which knows no lengths
                output, state = bound(read, dt[t], start)
                state[ended] = states[t, ended]
            outputs[:, t], states[t + 1] = output[:, 0], state
        h_last = np.concatenate([states[T], c[T]], axis=1)
        return outputs, h_last, Saved(inputs, gates, states, c, lengths, saved) if keep else None

    @blas.one_thread()
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
        if not isinstance(saved, Saved):
            return self._backward_whole(prepared, saved, d_y, d_h, g, want_x, want_dt, workspace)
        transposed, backward_step = prepared.transposed, prepared.kernels.backward_step
        inputs, gates, states, c, lengths, steps = saved
        (T, B, I), M, K = inputs.shape, self.memory_size, self.cell.state_size
        scratch = workspace.kept(
            "backward",
            (B, T),
            lambda: arrays(c.dtype, x=inputs.shape, z=gates.shape, hidden=(T, B, M)),
        )
        d_x, d_z, d_hidden = scratch.x, scratch.z, scratch.hidden
        d_state, d_c = d_h[:, :K].copy(), d_h[:, K:].copy()
        d_output, d_dt = np.ascontiguousarray(d_y.transpose(1, 0, 2)), np.zeros((B, T), c.dtype)
        nothing, recurrent = np.zeros((B, M), c.dtype), np.empty((B, K), c.dtype)
        d_cell = {name: g[name] for name in self.cell.layout.slices}
        d_x[:] = 0
        shortest = lengths.min(initial=T)
        for t in range(T - 1, -1, -1):
            d_read, d_start, d_step = self.cell.backward(
                prepared.cell, steps[t], d_output[t][:, None], d_state, d_cell, want_x or not self._torch, want_dt,
                workspace.child("backward"),
            )  # fmt: skip
            if want_dt and d_step is not None:
                d_dt[:, t] = d_step[:, 0]
            if self._torch and want_x:
                d_x[t] = d_read[:, 0]
            d_hidden[t] = d_start if self._torch else d_read[:, 0]
            ended = np.flatnonzero(lengths <= t) if t >= shortest else NONE
            d_c_after = d_c[ended]
            backward_step(t, 0, B, gates, c, d_hidden, nothing, d_c, d_z)
            if ended.size:
                d_z[t, ended] = 0
                d_c[ended] = d_c_after
            np.dot(d_z[t], transposed["w_h"], out=recurrent)
            if not self._torch:
                np.add(d_start, recurrent, out=d_state)
                continue
            if ended.size:  # there y was the state itself
                recurrent[ended] = d_start[ended]
            d_state[:] = recurrent
        flat = d_z.reshape(T * B, 4 * M)
        g["lstm_w_x"] += np.dot(inputs.reshape(T * B, I).T, flat)
        g["lstm_w_h"] += np.dot(states[:T].reshape(T * B, K).T, flat)
        g["lstm_b"] += flat.sum(0, np.float64)
        if want_x:
            d_x += np.dot(flat, transposed["w_x"]).reshape(T, B, I)
            d_x = np.ascontiguousarray(d_x.transpose(1, 0, 2))
        return d_x if want_x else None, np.concatenate([d_state, d_c], axis=1), d_dt if self.takes_dt else None

    def _forward_whole(
        self, prepared: Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any] | None:
        """`forward` in one call of kernels, None where there are none."""
        whole, cell, inner = prepared.whole, cast("Any", self.cell), prepared.cell
        if whole is None:
            return None
        cut = whole.kernels.cut_of(whole.matrices, inner.circuit, x.shape, cell.rule)
        if cut is None:
            return None
        inputs = inner.mapping.map_features(cell.input_mapping, "input", x, inner.p, workspace)
        given = whole.matrices, inner.circuit, cut, x, inputs, dt, lengths, h0, cell.rule, keep, workspace
        states, h_last, saved = whole.kernels.forward(*given)
        motor = np.ascontiguousarray(states[:, :, : cell.output_size])
        y = inner.mapping.map_features(cell.output_mapping, "output", motor, inner.p, workspace)
        return y, h_last, (x, motor, saved) if keep else None

    def _backward_whole(
        self,
        prepared: Prepared,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        """Adjoint of `_forward_whole`."""
        (x, motor, kept), whole, cell, inner = saved, prepared.whole, cast("Any", self.cell), prepared.cell
        d_map, p = inner.mapping.d_map_features, inner.p
        d_motor = d_map(cell.output_mapping, "output", motor, d_y, p, g, workspace)
        g_lstm = {name: g[f"lstm_{name}"] for name in ("w_x", "w_h", "b")}
        given = whole.matrices, inner.circuit, kept, d_motor, d_h, cell.rule, want_x, want_dt, g_lstm, g, workspace
        d_x, d_inputs, d_h0, d_dt = whole.kernels.backward(*given)
        d_read = d_map(cell.input_mapping, "input", x, d_inputs, p, g, workspace)
        return d_x + d_read if want_x else None, d_h0, d_dt

    def _bound(
        self, prepared: Prepared, B: int, workspace: Workspace
    ) -> Callable[[Array, Array, Array], tuple[Array, Array]]:
        """A step of the cell where nothing is kept: a function of x (B, I), dt (B,) and the state (B, K)."""
        own, cell = workspace.child("step"), self.cell
        now = own.kept(
            "step",
            B,
            lambda: arrays(prepared.p["b"].dtype, x=(B, 1, cell.input_size), dt=(B, 1), state=(B, cell.state_size)),
        )
        step = cell.stepper(prepared.cell, now.x, now.dt, now.state, own.child("cell"))

        def run(x: Array, dt: Array, state: Array) -> tuple[Array, Array]:
            now.x[:, 0], now.dt[:, 0], now.state[...] = x, dt, state
            return step()

        return run

    def observe(self, prepared: Prepared, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """What the cell shows of its own step, and of the LSTM ``lstm_input_gate``, ``lstm_forget_gate``,
        ``lstm_candidate``, ``lstm_output_gate`` and ``lstm_output`` (n, M).
        """
        n, K, M = len(x), self.cell.state_size, self.memory_size
        before = np.ascontiguousarray(state[:, :K])
        p = prepared.p
        gates = np.dot(x, p["w_x"])[None]
        y, c = np.empty((2, 2, n, M), x.dtype)
        c[0] = state[:, K:]
        prepared.kernels.forward_step(0, 0, n, gates, np.dot(before, p["w_h"]), p["b"], c, y)
        read, start = (x, y[1]) if self._torch else (y[1], before)
        memory = blocks(gates[0], *GATES) | {"output": y[1]}
        return self.cell.observe(prepared.cell, read, dt, start) | {f"lstm_{k}": a for k, a in memory.items()}

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.concatenate([self.cell.initial_state(B, dtype), np.zeros((B, self.memory_size), dtype)], axis=1)

    def defaults(self) -> dict[str, Any]:
        return super().defaults() | {"input_dim": self.cell.input_size or None}


def with_memory(mixed_memory: bool | Topology, make: Callable[[int | None], Layer], input_dim: int | None) -> Layer:
    """The cell ``make(input_dim)``; unless ``mixed_memory`` is False, with an LSTM beside it.

    ``mixed_memory`` is False, True, which is "torch", or a topology; in "keras" the LSTM has as many units as the
    cell's state has numbers.
    """
    if isinstance(mixed_memory, (bool, np.bool_)):
        return MixedMemory(make(input_dim)) if mixed_memory else make(input_dim)
    if not isinstance(mixed_memory, str) or mixed_memory not in TOPOLOGIES:
        wrong = ValueError if isinstance(mixed_memory, str) else TypeError
        raise wrong(f'`mixed_memory` must be a bool, "torch" or "keras", got {checks.brief(mixed_memory)}')
    if mixed_memory == "torch":
        return MixedMemory(make(input_dim))
    return MixedMemory(make(None), "keras", input_dim=input_dim)
