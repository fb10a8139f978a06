"""A model as a pure function of its parameters, as frameworks with derivatives of their own want it."""

from __future__ import annotations

from typing import Any

from ..base import checks
from ..base.types import Array, ArrayLike, Memory
from ..model import Model
from ..network.engine import Answer, Tape
from ..network.network import DTYPES


def checked(model: object) -> Model:
    """``model``, if it is one."""
    if not isinstance(model, Model):
        raise TypeError(f"`model` must be a model of ltc_np, got {checks.brief(model)}")
    return model


def check_theta(model: Model, theta: Any) -> None:
    """Refuse what cannot be the model's parameters, by dtype and shape, which are all that a tracer has."""
    if theta.dtype.name not in DTYPES:
        raise TypeError(f"`theta` must be float32 or float64, got {theta.dtype.name}")
    if theta.shape != (model.layout.size,):
        raise ValueError(f"`theta` must have shape (P,) = ({model.layout.size},), got {theta.shape}")


def at(model: Model, theta: Array, buffer_vector: Array) -> Model:
    """A model like this one with copies of other parameters and buffers; its dtype is that of theta."""
    check_theta(model, theta)
    checks.finite("theta", theta)
    theta, buffer_vector = theta.copy(), buffer_vector.astype(theta.dtype)
    other = type(model).restored(model.layer_stack, theta, buffer_vector, model.backend, model.return_sequences)
    other.trainable, other.trained, other.notes = model.trainable, model.trained, model.notes
    return other if model.config is None else other.described_by(model.config)


def run(
    model: Model,
    x: ArrayLike,
    dt: ArrayLike | None,
    lengths: ArrayLike | None,
    h0: ArrayLike | None,
    keep: Memory | None,
    dropout_seed: int | None,
) -> Answer:
    """`Answer` of a call, whose tape is None unless ``keep`` says how much of it there shall be."""
    calls = model.engine.calls_for(x)
    given = calls.read(x, dt, lengths, h0, model.return_sequences, own=keep is not None)
    return calls.call(given, keep, None if dropout_seed is None else (dropout_seed,))


def new_buffers(model: Model, tape: Tape) -> Array:
    """The buffer vector after an optimiser step with this tape's batch, as `fit` would leave it."""
    vector = model.buffer_vector.copy()
    views = model.buffer_layout.views(vector)
    held = model.buffer_layout.arrays(model.buffer_vector)
    for name, values in model.layer_stack.new_buffers(held, tape.saved).items():
        views[name] = values
    return vector


def random_layers(model: Model) -> bool:
    """Whether training computes otherwise than calls, and so needs a seed."""
    return model.layer_stack.drops or model.layer_stack.batch_statistics
