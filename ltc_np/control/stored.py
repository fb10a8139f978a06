"""What the file of a training holds beside the policy: critic, distribution and history, as plain data and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import io
from ..base.types import Backend, PathLike
from ..layers import Stack
from ..model import KINDS, Model
from ..network.network import Network
from ..train.history import History
from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, SquashedGaussian

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.__name__: kind for kind in (Categorical, Gaussian, SquashedGaussian, MixtureOfGaussians)
}


def read(path: PathLike, kind: str, owner: str, backend: Backend) -> tuple[Network, dict[str, Any]]:
    """The policy of a file, and what a class called ``owner`` has written beside it; a ValueError for another file."""
    policy, found = io.load_with(path, KINDS, backend)
    if found.get("kind") != kind:
        raise ValueError(
            f"{path} must be a file of `{owner}.save`, got another: `{owner}(ltc_np.load(path), environments)` begins "
            "with its model"
        )
    return policy, found


def distribution_form(distribution: Distribution) -> dict[str, Any]:
    """Class and arguments; a TypeError for one of a class that no file knows."""
    name = type(distribution).__name__
    if DISTRIBUTIONS.get(name) is not type(distribution):
        raise TypeError(f"`distribution` must be one of {', '.join(DISTRIBUTIONS)} to be saved, got {name}")
    return {"name": name, "arguments": distribution.config()}


def distribution_of(form: Mapping[str, Any]) -> Distribution:
    """Inverse of `distribution_form`."""
    return DISTRIBUTIONS[form["name"]](**form["arguments"])


def critic_form(critic: Network) -> dict[str, Any]:
    """Layers and parameters."""
    trainable = np.zeros(0, bool) if critic.trainable is None else critic.trainable
    return {
        "layers": tuple(critic.layers), "theta": critic.theta, "buffers": critic.buffer_vector, "trainable": trainable,
    }  # fmt: skip


def critic_of(form: Mapping[str, Any], input_size: int, backend: Backend) -> Network:
    """Inverse of `critic_form`; a ValueError where sizes or numbers make no sense."""
    stack, theta, buffers = Stack(tuple(form["layers"]), input_size), form["theta"], form["buffers"]
    if theta.shape != (stack.layout.size,) or buffers.shape != (stack.buffers.size,):
        raise ValueError(f"`critic` must have {stack.layout.size} parameters, got {theta.shape}")
    if not np.isfinite(theta).all() or not np.isfinite(buffers).all():
        raise ValueError("`critic` must have finite parameters")
    critic = Model.restored(stack, theta.copy(), buffers.copy(), backend, True)
    if form["trainable"].size:
        critic.trainable = form["trainable"]
    return critic


def history_form(history: History) -> dict[str, Any]:
    """What was measured: arrays, since a mean return may be NaN."""
    values = {name: np.array(column, np.float64) for name, column in history.items()}
    return {"epoch": np.array(history.epoch, np.int64), "seconds": history.seconds, "values": values}


def history_of(form: Mapping[str, Any]) -> History:
    """Inverse of `history_form`."""
    history = History()
    history.epoch, history.seconds = form["epoch"].tolist(), float(form["seconds"])
    history.update({name: column.tolist() for name, column in form["values"].items()})
    return history
