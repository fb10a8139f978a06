"""A network and a line as one model, and back."""

from __future__ import annotations

import copy

from ..base.calls import with_signature_hints
from ..base.layout import part
from ..base.types import Array
from ..cells import Layer
from ..layers import Hold, Line, RandomConvolutions, Residual, Stack, Standardize
from ..model import Model, check_model
from .lines import Fitted


def mixed(model: Model, line: Fitted, scale: float, share: float) -> Model:
    """One model: ``scale`` times the line and ``share`` times the trained network.

    The last layer of the network is `Dense`, or it is the one before `Standardize`, by the scale of the residuals.
    A line that reads nothing goes into its bias.  Layers with a stride have a `Hold` around them: the line answers at
    every step.
    """
    if line.reads == "nothing":
        return _drawn_to(line.ridge.bias, model, scale, share)
    layers, numbers = list(model.layers), isinstance(model.layers[-1], Standardize)
    first, last = int(isinstance(layers[0], Standardize)), len(layers) - numbers
    stack = Stack(layers[first:last])
    held = [Hold(*stack.layers)] if stack.stride > 1 else stack.layers
    beside = Residual(*held, around=line.layer)
    beside = beside.with_input(layers[first].input_size)
    other = Model(
        *layers[:first], beside, *layers[last:], input_dim=model.input_size, seed=0, dtype=model.dtype,
        backend=model.backend, return_sequences=model.return_sequences,
    )  # fmt: skip
    other.theta, other.trained, other.notes = model.theta, model.trained, model.notes
    outer = other.layer_stack.prefixes
    inner = [f"{outer[first]}layers_{prefix}" for prefix in stack.prefixes]
    for old, new in zip(model.layer_stack.prefixes, [*outer[:first], *inner, *outer[first + 1 :]], strict=True):
        for name, values in part(dict(model.buffers), old).items():
            other.buffers[new + name] = values
    mean, spread = (0.0, 1.0) if not numbers else (other.buffers[outer[-1] + name] for name in ("mean", "scale"))
    around = f"{outer[first]}around_"
    if line.thresholds is not None:
        other.buffers[around + "thresholds"] = line.thresholds
    for name, values in (
        ("weight", scale * line.ridge.weight / spread),
        ("bias", (scale * line.ridge.bias - (1 - share) * mean) / spread),
    ):
        other.buffers[around + name] = values
        other.params[inner[-1] + name] = share * other.params[inner[-1] + name]
    return other


def _drawn_to(constant: Array, model: Model, scale: float, share: float) -> Model:
    """``scale`` times the constant (O,) and ``share`` times the network, as a model with the same layers."""
    other, numbers = copy.copy(model), isinstance(model.layers[-1], Standardize)
    prefixes = other.layer_stack.prefixes
    mean, spread = (0.0, 1.0) if not numbers else (other.buffers[prefixes[-1] + name] for name in ("mean", "scale"))
    readout = prefixes[-1 - numbers]
    other.params[readout + "weight"] = share * other.params[readout + "weight"]
    shift = (scale * constant - (1 - share) * mean) / spread
    other.params[readout + "bias"] = share * other.params[readout + "bias"] + shift
    return other


@with_signature_hints
def network(model: Model) -> Model:
    """The network alone of a model with a line beside it, such as ``model_`` of an estimator: to draw or to prune it.

    Parameters
    ----------
    model : Model
        One without a line is given back as it is.

    Returns
    -------
    Model
        With copies of its parameters and buffers.  Its readout is the one beside the line: multiplied by the network's
        share.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.shortcut import network
    >>> from ltc_np.sklearn import LTCRegressor
    >>> X = np.random.default_rng(0).normal(size=(60, 10, 2))
    >>> regressor = LTCRegressor(units=8, epochs=2, shortcut="ridge", random_state=0).fit(X, X.sum(axis=(1, 2)))
    >>> [type(layer).__name__ for layer in regressor.model_.layers]
    ['Standardize', 'Residual', 'Standardize']
    >>> [type(layer).__name__ for layer in network(regressor.model_).layers]
    ['Standardize', 'LTC', 'Dense', 'Standardize']
    """
    check_model("model", model)
    layers: list[Layer] = []
    prefixes: list[str] = []
    for layer, prefix in zip(model.layers, model.layer_stack.prefixes, strict=True):
        if isinstance(layer, Residual) and isinstance(layer.around, (Line, RandomConvolutions)):
            (held,), stack = layer.layers[:1], layer.ways[0].stack
            stack = held.stack if isinstance(held, Hold) else stack
            layers += stack.layers
            prefixes += [f"{prefix}layers_{own}" for own in stack.prefixes]
        else:
            layers, prefixes = [*layers, layer], [*prefixes, prefix]
    if len(layers) == len(model.layers):
        return model
    found = Model(
        *layers, input_dim=model.input_size, seed=0, dtype=model.dtype, backend=model.backend,
        return_sequences=model.return_sequences,
    )  # fmt: skip
    found.theta, found.trained, found.notes = model.theta, model.trained, model.notes
    for new, old in zip(found.layer_stack.prefixes, prefixes, strict=True):
        for name, values in part(dict(model.buffers), old).items():
            found.buffers[new + name] = values
    return found
