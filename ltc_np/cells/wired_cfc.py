"""Closed-form networks on a wiring: one cell without backbone for each layer of neurons.

Within one time step the layers work in the order of flow: a layer reads the outputs that the layer before it has just
computed, and its own state of the step before.  So a wired network is a stack of small CfC cells over one sequence,
and runs as one.  Equations of a cell: `ltc_np.cells.cfc`.  docs/maths/cfc.md#the-gradients derives its adjoint,
and docs/maths/cfc.md#wirings shows which weights a wiring leaves.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import kernels
from ..base import checks
from ..base.types import (
    Array,
    ArrayLike,
    Arrays,
    BackboneActivation,
    Backend,
    Bools,
    CfCMode,
    CfCVariant,
    Init,
    Ints,
    Keep,
    Numbers,
)
from ..base.workspace import Workspace
from ..wirings import Wiring
from . import cfc, cfc_sweep
from .base import Layer, built
from .cfc_variants import CONVENTIONS
from .initial import with_init

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class AnyCfCOptions(TypedDict, total=False):
        """The arguments of a `CfC` and of a `WiredCfC` that models of one hand on; a test compares them."""

        mode: CfCMode
        variant: CfCVariant
        backbone_units: int
        backbone_layers: int
        backbone_activation: BackboneActivation
        backbone_dropout: float
        strict: bool
        init: Init


class _Cell(NamedTuple):
    """One group of neurons: where its inputs come from, and which of its weights there are.

    Attributes
    ----------
    name : str
    neurons : int64 array
    reads_input : bool
    sources : list of int
        Earlier cells whose outputs follow the input, or stand in its place.
    shape : (int, int)
        Of the matrix from [inputs; own neurons] to own neurons.
    index : dict
        Head -> (rows, columns) of its weights in that matrix; None: all.
    """

    name: str
    neurons: Ints
    reads_input: bool
    sources: list[int]
    shape: tuple[int, int]
    index: dict[str, Any]

    @property
    def units(self) -> int:
        return self.shape[1]


class WiredCfC(Layer):
    """A layer of closed-form continuous-time neurons on a wiring.

    Parameters
    ----------
    wiring : Wiring
        Recipe or built; the layer keeps ``wiring.build(input_dim)``.
    input_dim : int, optional
        Features per step; may be left out if the wiring is built.
    mode, variant
        As for `CfC`.
    strict : bool
        False: as in ncps, where the wiring decides which inputs f1 and f2 of a layer read, a layer reads nothing but
        the layer before it (the first one: the input), and the time gates and a layer's own state are connected in
        full.  True: every head of a neuron reads exactly what the wiring's synapses lead to it.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    Parameters of the layers of neurons in order of flow, such as inter, command, motor: ``inter_ff1_w``,
    ``inter_ff1_b`` and so on, heads as for `CfC`.  A weight that the wiring leaves out does not exist: a masked matrix
    is a list with one number for each weight, sorted by (post, pre), and `dense` shows it as a matrix.  Initial values
    are those of the whole matrix.  State: the neurons in order of flow, named parts by layer.  Outputs: the motor
    neurons, also where ncps gives all neurons (wirings of one layer).

    With ``strict`` a layer may read all layers before it and the input; layers that a synapse leads back to are taken
    together as one that reads its state of the step before.  Cost: B*T times 4 * rows * columns multiplications for the
    matrix of each layer.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import AutoNCP, Model, WiredCfC
    >>> model = Model(WiredCfC(AutoNCP(16, 2), strict=True), input_dim=3, seed=0)  # or CfCRNN(AutoNCP(16, 2), ...)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    wiring: Wiring
    mode: CfCMode
    variant: CfCVariant
    strict: bool
    cells: list[_Cell]
    motor: Ints

    takes_dt = causal = reads_wiring = contracting = True
    lowering = "wired_cfc.lower"

    def __init__(
        self,
        wiring: Wiring,
        *,
        input_dim: int | None = None,
        mode: CfCMode = "default",
        variant: CfCVariant = "torch",
        strict: bool = False,
        init: Init = None,
    ) -> None:
        self.mode = checks.one_of("mode", mode, cfc.MODES)
        self.variant = checks.one_of("variant", variant, CONVENTIONS)
        self.strict = checks.boolean("strict", strict)
        self.wiring = built(wiring, input_dim)
        self.input_dim = self.wiring.input_dim
        self.smooth = mode != "pure"
        if not self.wiring.is_built:
            return self._defer(init={} if init is None else init)
        self.input_size, self.output_size = self.wiring.input_dim, self.wiring.output_dim
        self.state_size = self.wiring.units
        self.state_slices, at = {}, 0
        for name, ids in self.wiring.layers:
            if name in self.state_slices:
                raise ValueError(f"`wiring` must have layers with different names, got {name!r} twice")
            self.state_slices[name] = slice(at, at + len(ids))
            at += len(ids)
        self.cells = self._strict_cells() if self.strict else self._cells()
        places = {neuron: k for k, neuron in enumerate(self.cells[-1].neurons)}
        if any(neuron not in places for neuron in range(self.output_size)):
            raise ValueError(f"`wiring` must have its motor neurons in its last layer, got {self.wiring!r}")
        self.motor = np.array([places[neuron] for neuron in range(self.output_size)])
        entries, zero_biases = [], CONVENTIONS[variant].zero_biases
        for cell in self.cells:
            for head in cfc.heads(mode, variant):
                index = cell.index[head]
                shape = None if index is None else index[0].shape
                entries += cfc.dense_entries(f"{cell.name}_{head}_{{}}", *cell.shape, zero_biases, shape)
            entries += cfc.decay_entries(mode, cell.shape[1], f"{cell.name}_")
        self.init, self.layout = with_init(entries, init)
        self._freeze()

    def _matrices(self) -> tuple[Bools, Bools]:
        """Whether there is a synapse: (I, N) and (N, N) [pre, post]."""
        wiring = self.wiring
        return wiring.sensory_adjacency_matrix != 0, wiring.adjacency_matrix != 0

    def _cells(self) -> list[_Cell]:
        """Cells as in ncps."""
        (sensory, recurrent), cells = self._matrices(), []
        for k, (name, members) in enumerate(self.wiring.layers):
            ids = np.array(members)
            inputs = recurrent[cells[-1].neurons][:, ids] if k else sensory[:, ids]
            mask = np.concatenate([inputs, np.ones((ids.size, ids.size), bool)])
            index = dict.fromkeys(("ff1", "ff2"), _index(mask)) | dict.fromkeys(("time_a", "time_b"))
            cells.append(_Cell(name, ids, k == 0, [k - 1] if k else [], mask.shape, index))
        return cells

    def _strict_cells(self) -> list[_Cell]:
        """Cells of the whole wiring."""
        sensory, recurrent = self._matrices()
        names, groups = [name for name, _ in self.wiring.layers], [list(ids) for _, ids in self.wiring.layers]
        k = 0
        while k < len(groups):  # join what a synapse leads back to
            first = next((j for j in range(k) if recurrent[np.ix_(groups[k], groups[j])].any()), None)
            if first is None:
                k += 1
            else:
                groups[first : k + 1] = [[i for group in groups[first : k + 1] for i in group]]
                names[first : k + 1] = ["_".join(names[first : k + 1])]
                k = first + 1
        cells = []
        for k, (name, ids) in enumerate(zip(names, groups, strict=True)):
            ids = np.array(ids)
            sources = [j for j in range(k) if recurrent[np.ix_(groups[j], ids)].any()]
            reads = bool(sensory[:, ids].any()) or not sources
            parts = ([sensory] if reads else []) + [recurrent[groups[j]] for j in sources] + [recurrent[ids]]
            mask = np.concatenate(parts)[:, ids]
            index = dict.fromkeys(("ff1", "ff2", "time_a", "time_b"), _index(mask))
            cells.append(_Cell(name, ids, reads, sources, mask.shape, index))
        return cells

    def dense(self, name: str, values: ArrayLike) -> Numbers:
        """Matrix [pre, post] of one of the layer's weights, 0 where there is none.

        Parameters
        ----------
        name : str
            Of the parameter, such as "inter_ff1_w".
        values : array
            In the parameter's shape.

        Returns
        -------
        (rows, columns) array
            Rows: the inputs of that layer of neurons, then its own neurons; columns: these.
        """
        cell, head = self._find(name)
        return _matrix(cell, head, np.asarray(values))

    def weights(self, name: str) -> tuple[Ints, Ints]:
        """(rows, columns), in the matrix that `dense` shows, of the numbers of a weight that the wiring masks."""
        cell, head = self._find(name)
        index = cell.index[head]
        if index is None:
            raise ValueError(f"`name` must be a weight that is a list, got {name!r}, which is a whole matrix")
        return index

    def _find(self, name: str) -> tuple[_Cell, str]:
        for cell in self.cells:
            for head in cfc.heads(self.mode, self.variant):
                if name == f"{cell.name}_{head}_w":
                    return cell, head
        raise ValueError(f"`name` must be a weight such as {self.cells[0].name}_ff1_w, got {name!r}")

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        prepared = []
        for cell in self.cells:
            heads = [
                (_matrix(cell, head, p[f"{cell.name}_{head}_w"]), p[f"{cell.name}_{head}_b"])
                for head in cfc.heads(self.mode, self.variant)
            ]
            w_tau, a = p.get(f"{cell.name}_w_tau"), p.get(f"{cell.name}_a")
            prepared.append(
                cfc_sweep.Prepared(self.mode, self.variant, "tanh", [], heads, w_tau, a, kernels.load(backend, "cfc"))
            )
        return prepared

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        outputs, saved = [], []
        h_last = workspace.array("h_last", h0.size, x.dtype).reshape(h0.shape)
        at = 0
        for k, cell in enumerate(self.cells):
            part, own = slice(at, at + cell.units), workspace.child(f"cell {k}")
            at = part.stop
            inputs = _join([x] * cell.reads_input + [outputs[j] for j in cell.sources], own)
            y, h_last[:, part], own_saved = cfc_sweep.forward(
                prepared[k], inputs, dt, lengths, np.ascontiguousarray(h0[:, part]), {}, keep, own
            )
            outputs.append(y)
            saved.append(own_saved)
        return np.ascontiguousarray(outputs[-1][:, :, self.motor]), h_last, saved if keep else None

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
        (B, T, _), dtype = d_y.shape, d_y.dtype
        d_outputs = [np.zeros((B, T, cell.units), dtype) for cell in self.cells]
        d_outputs[-1][:, :, self.motor] = d_y
        d_x, d_dt = np.zeros((B, T, self.input_size), dtype) if want_x else None, None
        d_h0, at = np.empty_like(d_h), self.state_size
        for k in range(len(self.cells) - 1, -1, -1):
            cell = self.cells[k]
            part = slice(at - cell.units, at)
            at = part.start
            d_inputs, d_h0[:, part], d_own_dt, gradients = cfc_sweep.backward(
                prepared[k], saved[k], d_outputs[k], np.ascontiguousarray(d_h[:, part]), want_x or bool(cell.sources),
                want_dt, workspace.child(f"cell {k}"),
            )  # fmt: skip
            cfc.add_head_gradients(self, prepared[k], gradients, g, f"{cell.name}_", cell.index)
            d_dt = d_own_dt if d_dt is None or d_own_dt is None else d_dt + d_own_dt
            if d_inputs is None:
                continue
            first = 0
            for target in [d_x] * cell.reads_input + [d_outputs[j] for j in cell.sources]:
                width = self.input_size if target is None else target.shape[2]
                if target is not None:
                    target += d_inputs[:, :, first : first + width]
                first += width
        return d_x, d_h0, d_dt

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """As a `CfC` has it, for all neurons in the order of the state."""
        outputs, seen, at = [], [], 0
        for cell, own in zip(self.cells, prepared, strict=True):
            inputs = np.concatenate([x] * cell.reads_input + [outputs[j] for j in cell.sources], axis=1)
            before = np.ascontiguousarray(state[:, at : at + cell.units])
            after, arrays = cfc_sweep.observe(own, inputs, dt, before)
            outputs.append(after)
            seen.append(arrays)
            at += cell.units
        return {name: np.concatenate([arrays[name] for arrays in seen], axis=1) for name in seen[0]}

    def defaults(self) -> dict[str, Any]:
        return super().defaults() | {"input_dim": self.wiring.input_dim}


def _index(mask: Bools) -> tuple[Ints, Ints]:
    """(rows, columns) of what is true, sorted by (column, row)."""
    columns, rows = np.nonzero(mask.T)
    return rows, columns


def _matrix(cell: _Cell, head: str, values: Array) -> Array:
    """The whole matrix of a head, 0 where there is no weight."""
    if cell.index[head] is None:
        return values
    matrix = np.zeros(cell.shape, values.dtype)
    matrix[cell.index[head]] = values
    return matrix


def _join(parts: list[Array], workspace: Workspace) -> Array:
    """Arrays (B, T, .) side by side."""
    if len(parts) == 1:
        return parts[0]
    shape = (*parts[0].shape[:2], sum(part.shape[2] for part in parts))
    joined = workspace.array("inputs", int(np.prod(shape)), parts[0].dtype).reshape(shape)
    return np.concatenate(parts, axis=2, out=joined)
