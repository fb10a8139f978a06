"""Models with other layers, and the parameters of the one they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..base import checks
from ..cells import Layer
from ..model import Model


def check_function(name: str, function: Any) -> None:
    """Refuse what is neither None nor a function."""
    if not (function is None or callable(function)):
        raise TypeError(f"`{name}` must be a function of a model, or None, got {checks.brief(function)}")


def rebuilt(
    model: Model,
    layers: Sequence[Layer],
    select: Callable[[Any], Any] = lambda vector: vector,
    select_buffers: Callable[[Any], Any] = lambda vector: vector,
) -> Model:
    """A model with other layers, and in each place of its vectors what the two functions take of those of ``model``."""
    other = Model(*layers, seed=0, dtype=model.dtype, backend=model.backend, return_sequences=model.return_sequences)
    other.theta, other.buffer_vector[:] = select(model.theta), select_buffers(model.buffer_vector)
    other.trainable = None if model.trainable is None else select(model.trainable)
    other.trained, other.notes = model.trained, model.notes
    return other
