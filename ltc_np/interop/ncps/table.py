"""What the keys of ncps' state dicts mean: one table for reading and for writing.

A `Form` says which network it is; its `table` gives for every key the shape there, by names of sizes, the parameter's
name here, and how the two arrays are arranged.

Names of sizes: N units, I inputs, O outputs, H backbone units, P outputs of the projection; N0, N1, ... the neurons of
the layers of a wired CfC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ...base.types import Array, CfCMode, MappingKind
from ...cells import cfc

Cell: TypeAlias = Literal["ltc", "cfc", "wired_cfc"]
Read: TypeAlias = Callable[[Array, Any, str], Array]

NEURON, SYNAPSE = ("gleak", "vleak", "cm"), ("w", "mu", "sigma", "erev")
MASK, SENSORY_MASK = "sparsity_mask", "sensory_sparsity_mask"

# --------------------------------------------------------------------------------------------- how arrays are arranged


class Arrangement(NamedTuple):
    """Functions of (array, cell, name of the parameter here): ncps' array to ours, and ours to ncps'."""

    read: Read
    write: Read


GATES = (1, 2, 0, 3)  # where the blocks input, forget, candidate, output of our LSTM stand in ncps'


def _blocks(array: Array, order: Iterable[int]) -> Array:
    """The four blocks of the first axis in another order."""
    parts = np.split(array, 4)
    return np.concatenate([parts[k] for k in order])


def _read_masked(array: Array, cell: Any, name: str) -> Array:
    return array.T[cell.weights(name)]


SAME = Arrangement(lambda a, cell, name: a, lambda a, cell, name: a)
TRANSPOSED = Arrangement(lambda a, cell, name: a.T, lambda a, cell, name: a.T)
ROW = Arrangement(lambda a, cell, name: a[0], lambda a, cell, name: a[None])
RECURRENT = Arrangement(
    lambda a, cell, name: a[cell.wiring.pre, cell.wiring.post], lambda a, cell, name: cell.wiring.dense(a)
)
SENSORY = Arrangement(
    lambda a, cell, name: a[cell.wiring.sensory_pre, cell.wiring.sensory_post],
    lambda a, cell, name: cell.wiring.sensory_dense(a),
)
MASKED = Arrangement(_read_masked, lambda a, cell, name: cell.dense(name, a).T)
GATE_BIAS = Arrangement(lambda a, cell, name: _blocks(a, GATES), lambda a, cell, name: _blocks(a, np.argsort(GATES)))
GATE_WEIGHT = Arrangement(
    lambda a, cell, name: _blocks(a, GATES).T, lambda a, cell, name: _blocks(a.T, np.argsort(GATES))
)

# -------------------------------------------------------------------------------------------------------- the table


class Dim(NamedTuple):
    """A size: ``factor`` times the sum of named ones."""

    names: tuple[str, ...]
    factor: int = 1

    def value(self, sizes: Mapping[str, int]) -> int | None:
        """Its number; None if not all names are known."""
        if any(name not in sizes for name in self.names):
            return None
        return self.factor * sum(sizes[name] for name in self.names)

    def __str__(self) -> str:
        total = " + ".join(self.names)
        if self.factor == 1:
            return total
        return f"{self.factor} {total}" if len(self.names) == 1 else f"{self.factor} ({total})"


ONE = Dim(("1",))


class Part(NamedTuple):
    """What stands under one key: its shape, the parameter here (None: a mask), and how the arrays are arranged."""

    dims: tuple[Dim, ...]
    name: str | None = None
    arrangement: Arrangement = SAME

    def fits(self, array: Array, sizes: Mapping[str, int]) -> bool:
        """Whether an array has this shape; one whose sizes nobody knows fits nothing."""
        return array.shape == tuple(dim.value(sizes) for dim in self.dims)

    def text(self, sizes: Mapping[str, int]) -> str:
        """The shape, with names for what is not known."""
        words = [str(dim if dim.value(sizes) is None else dim.value(sizes)) for dim in self.dims]
        return f"({', '.join(words)}{',' * (len(words) == 1)})"


class Form(NamedTuple):
    """Which network of ncps it is, as far as that decides about keys.

    Attributes
    ----------
    cell : "ltc", "cfc" or "wired_cfc"
    whole : bool
        ncps' LTC or CfC, with ``rnn_cell.`` before the cell's keys; False: the cell alone.
    input_mapping, output_mapping : None, "linear" or "affine"
        Of an LTC.
    masks : bool
        Whether an LTC's masks are there; the tutorial does not save them.
    mode : "default", "no_gate" or "pure"
        Of a CfC.
    backbone : tuple of int
        Positions of the dense layers in a CfC's backbone.
    layers : tuple of str
        Names of a wired CfC's layers.
    mixed, projected : bool
        Whether there are an LSTM and a projection.
    """

    cell: Cell
    whole: bool
    input_mapping: MappingKind = None
    output_mapping: MappingKind = None
    masks: bool = True
    mode: CfCMode = "default"
    backbone: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()
    mixed: bool = False
    projected: bool = False

    @property
    def kind(self) -> str:
        """What it is, in words."""
        words = {"ltc": "an LTC", "cfc": "a CfC", "wired_cfc": "a wired CfC"}[self.cell]
        return f"{words} of ncps" if self.masks else f"{words} as the tutorial's"

    @property
    def state(self) -> tuple[str, ...]:
        """Names of the sizes that make the state."""
        return tuple(f"N{k}" for k in range(len(self.layers))) or ("N",)

    def table(self) -> dict[str, Part]:
        """`Part` by key, without what stands before all keys; the cell's parameters have no prefix here either."""
        of_cell = {"ltc": self._ltc, "cfc": self._cfc, "wired_cfc": self._wired}[self.cell]()
        found = {("rnn_cell." if self.whole else "") + key: part for key, part in of_cell.items()}
        gates = Dim(self.state, 4)
        if self.mixed:
            found["lstm.input_map.weight"] = Part((gates, Dim(("I",))), "lstm_w_x", GATE_WEIGHT)
            found["lstm.input_map.bias"] = Part((gates,), "lstm_b", GATE_BIAS)
            found["lstm.recurrent_map.weight"] = Part((gates, Dim(self.state)), "lstm_w_h", GATE_WEIGHT)
        return found

    def projection(self) -> dict[str, Part]:
        """The same of the projection, which here is a layer of its own."""
        if not self.projected:
            return {}
        outputs = Dim(("P",))
        return {
            "fc.weight": Part((outputs, Dim(self.state[-1:])), "weight", TRANSPOSED),
            "fc.bias": Part((outputs,), "bias"),
        }

    def _ltc(self) -> dict[str, Part]:
        N, I, O = Dim(("N",)), Dim(("I",)), Dim(("O",))
        found = {name: Part((N,), name) for name in NEURON}
        found |= {name: Part((N, N), name, RECURRENT) for name in SYNAPSE}
        found |= {f"sensory_{name}": Part((I, N), f"sensory_{name}", SENSORY) for name in SYNAPSE}
        if self.masks:
            found |= {MASK: Part((N, N)), SENSORY_MASK: Part((I, N))}
        for side, kind, size in (("input", self.input_mapping, I), ("output", self.output_mapping, O)):
            letters = {None: "", "linear": "w", "affine": "wb"}[kind]
            found |= {f"{side}_{letter}": Part((size,), f"{side}_{letter}") for letter in letters}
        return found

    def _cfc(self) -> dict[str, Part]:
        N, H, read = Dim(("N",)), Dim(("H",)), Dim(("I", "N"))
        found: dict[str, Part] = {}
        for k, position in enumerate(self.backbone):
            found[f"backbone.{position}.weight"] = Part((H, H if k else read), f"backbone_w{k}", TRANSPOSED)
            found[f"backbone.{position}.bias"] = Part((H,), f"backbone_b{k}")
        return found | self._heads("", "", N, H if self.backbone else read)

    def _wired(self) -> dict[str, Part]:
        found: dict[str, Part] = {}
        for k, name in enumerate(self.layers):
            own, before = f"N{k}", f"N{k - 1}" if k else "I"
            read = Dim((before, own))
            found[f"layer_{k}.{MASK}"] = Part((Dim((own,)), read))
            found |= self._heads(f"layer_{k}.", f"{name}_", Dim((own,)), read, MASKED)
        return found

    def _heads(
        self, there: str, here: str, units: Dim, read: Dim, arrangement: Arrangement = TRANSPOSED
    ) -> dict[str, Part]:
        """``arrangement`` is that of the heads that a wiring masks."""
        found: dict[str, Part] = {}
        for head in cfc.heads(self.mode, "torch"):
            masked = head.startswith("ff")
            weight = Part((units, read), f"{here}{head}_w", arrangement if masked else TRANSPOSED)
            found |= {f"{there}{head}.weight": weight, f"{there}{head}.bias": Part((units,), f"{here}{head}_b")}
        if self.mode == "pure":
            found |= {f"{there}{key}": Part((ONE, units), f"{here}{key.lower()}", ROW) for key in ("w_tau", "A")}
        return found
