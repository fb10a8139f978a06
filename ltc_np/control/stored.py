"""Files of `PPO`: the policy's model file, and beside it the critic, the optimiser and how far learning is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import io
from ..base import checks
from ..base.types import Backend, PathLike
from ..layers import Stack
from ..model import KINDS, Model
from ..network.network import Network
from .environments import Environments
from .forms import damaged, distribution_of, of_distribution, of_history, take_history

if TYPE_CHECKING:
    from .ppo import PPO

P = TypeVar("P", bound="PPO")
KIND = "ppo"


def save(ppo: PPO, path: PathLike) -> None:
    """See `PPO.save`."""
    critic = ppo.critic
    beside = {
        "kind": KIND,
        "settings": ppo.settings(),
        "distribution": of_distribution(ppo.distribution),
        "critic": {
            "layers": tuple(critic.layers), "theta": critic.theta, "buffers": critic.buffer_vector,
            "trainable": np.zeros(0, bool) if critic.trainable is None else critic.trainable,
        },
        "own": ppo.own, "optimizer": ppo.optimizer.state(), "observed": ppo.observed.state(),
        "rewards": ppo.rewards.moments.state(), "done": ppo.done, "calls": ppo.calls,
        "count": ppo.environments.count,
        "history": of_history(ppo.history),
    }  # fmt: skip
    io.save_with(path, ppo.policy, beside)


def load(cls: type[P], path: PathLike, environments: Environments, backend: Backend) -> P:
    """See `PPO.load`."""
    policy, found = io.load_with(path, KINDS, backend)
    if found.get("kind") != KIND:
        raise ValueError(
            f"{path} must be a file of `PPO.save`, got another: `PPO(ltc_np.load(path), environments)` begins with its "
            "model"
        )
    with damaged(path):
        return _made(cls, policy, found, environments, backend)


def _made(cls: type[P], policy: Network, found: dict[str, Any], environments: Environments, backend: Backend) -> P:
    if environments.count != found["count"]:
        raise ValueError(f"`environments` must be {found['count']} as before, got {environments.count}")
    ppo = cls(
        policy, environments, critic=_critic(found["critic"], policy, backend),
        distribution=distribution_of(found["distribution"]), **found["settings"],
    )  # fmt: skip
    own = np.array(found["own"], np.float64)
    if own.shape != ppo.own.shape:
        raise ValueError(f"`own` must have shape {ppo.own.shape}, got {own.shape}")
    ppo.own[:] = own
    ppo.optimizer.load_state(found["optimizer"])
    ppo.observed.restore(found["observed"])
    ppo.rewards.moments.restore(found["rewards"])
    ppo.done, ppo.calls = checks.integer("done", found["done"], 0), checks.integer("calls", found["calls"], 0)
    take_history(ppo.history, found["history"])
    return ppo


def _critic(form: dict[str, Any], policy: Network, backend: Backend) -> Network:
    """The critic of a file."""
    stack, theta, buffers = Stack(tuple(form["layers"]), policy.input_size), form["theta"], form["buffers"]
    if theta.shape != (stack.layout.size,) or buffers.shape != (stack.buffers.size,):
        raise ValueError(f"`critic` must have {stack.layout.size} parameters, got {theta.shape}")
    if not np.isfinite(theta).all() or not np.isfinite(buffers).all():
        raise ValueError("`critic` must have finite parameters")
    critic = Model.restored(stack, theta.copy(), buffers.copy(), backend, True)
    if form["trainable"].size:
        critic.trainable = form["trainable"]
    return critic
