"""What a layer is to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from ...base.types import Array, Ints, Keep
    from ...base.workspace import Workspace
    from ...cells.base import Layer

    Parts: TypeAlias = tuple[slice, ...]


class Task(NamedTuple):
    """A layer, what it has prepared, and sequences with their first states: the arguments of its `forward`."""

    layer: Layer
    prepared: Any
    x: Array
    dt: Array
    lengths: Ints
    h0: Array

    def forward(self, keep: Keep, workspace: Workspace) -> tuple[Array, Array, Any]:
        """Outputs, last states and what `backward` needs."""
        layer: Any = self.layer
        return layer.forward(self.prepared, self.x, self.dt, self.lengths, self.h0, keep, workspace, **layer.untrained)

    @property
    def parts(self) -> Parts:
        return parts_of(self.layer)


def parts_of(layer: Layer) -> Parts:
    """The states of the layers in a layer, which are named with a prefix each: what is large in one may be small beside
    another's.
    """
    found: dict[str, list[slice]] = {}
    for name, where in layer.state_slices.items():
        found.setdefault(name.rpartition(".")[0], []).append(where)
    parts = (slice(min(one.start for one in own), max(one.stop for one in own)) for own in found.values())
    return tuple(parts) or (slice(0, layer.state_size),)
