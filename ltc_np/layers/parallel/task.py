"""What a layer is to run."""

from typing import Any, NamedTuple

from ...base.types import Array, Ints, Keep
from ...base.workspace import Workspace
from ...cells.base import Layer


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
