"""Which layer of a model is meant, where only some have what is asked for."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..model import Model


def layer_of(model: Model, layer: int | None, name: str) -> tuple[int, int]:
    """The place of a layer whose trace has the array ``name``, and how many neurons that has; None: the only one."""
    blank = model.trace(np.zeros((1, model.input_size), model.dtype), 0.0 if model.takes_dt else None)
    found = {k: own.arrays[name].shape[-1] for k, own in enumerate(blank.layers) if name in own.arrays}
    if layer is None:
        if len(found) != 1:
            raise ValueError(
                f"`layer` must be given unless exactly one layer shows `{name}` in a trace, there are {len(found)} in "
                f"{model!r}"
            )
        (layer,) = found
    layer = checks.integer("layer", layer, 0, len(model.layers) - 1)
    if layer not in found:
        raise ValueError(f"`layer` must be one that shows `{name}` in a trace, got {model.layers[layer]!r}")
    return layer, found[layer]
