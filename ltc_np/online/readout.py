"""A model in two: what stays as it was deployed, and the readout behind it, which learns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array
from ..cells import Layer
from ..layers import Dense, Residual, Standardize
from ..model import Model
from .split import cut


class Apart(NamedTuple):
    """A model in two.

    Attributes
    ----------
    body : Model
        All layers before the readout.
    scale, mean : (O,) float64 arrays
        Of the outputs: those of ``Standardize(inverse=True)`` behind the readout, or 1 and 0.
    W : (O, F + 1) array
        The readout in the outputs' units, the bias last.
    """

    body: Model
    scale: Array
    mean: Array
    W: Array


def _remedy(last: Layer, model: Model) -> str:
    if isinstance(last, Residual):
        return "`ltc_np.shortcut.network` takes out a line beside the network, which estimators with shortcut=None lack"
    return f"train a model with Dense({model.output_size}) at its end"


def take_apart(model: Model, instead: str = "") -> Apart:
    """A model and its readout, the last Dense; ValueError where it has none, or nothing before it.

    ``instead`` is another remedy, for its end.
    """
    layers, n = model.layers, len(model.layers) - 1
    last = layers[n]
    scaled = n > 0 and isinstance(last, Standardize) and last.inverse
    n -= scaled
    last = layers[n]
    if n < 1 or type(last) is not Dense or last.activation is not None:
        raise ValueError(
            "`model` must end with a Dense without activation (before Standardize(inverse=True), if it has one) and "
            f"have a layer before it, got {', '.join(map(repr, layers[: n + 1]))}: {_remedy(last, model)}{instead}"
        )
    prefix, O = model.layer_stack.prefixes, last.output_size
    scale, mean = np.ones(O), np.zeros(O)
    if scaled:
        scale, mean = (np.asarray(model.buffers[prefix[n + 1] + name], np.float64) for name in ("scale", "mean"))
    weight, bias = model.params[prefix[n] + "weight"], model.params[prefix[n] + "bias"]
    W = np.concatenate([weight.T, bias[:, None]], axis=1).astype(np.float64) * scale[:, None]
    W[:, -1] += mean
    return Apart(cut(model, 0, n), scale, mean, np.ascontiguousarray(W, model.dtype))
