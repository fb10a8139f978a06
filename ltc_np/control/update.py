"""One update of proximal policy optimisation: the loss of some pieces, and its gradient; docs/control.md derives it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Bools
from ..base.workspace import Workspace
from ..network.network import Network
from .distributions import Distribution
from .pieces import Minibatch

SMALLEST = 1e-8  # added to a deviation


class Terms(NamedTuple):
    """How the parts of the loss count; see `PPO`."""

    clip: float
    clip_value: float | None
    entropy: float
    value: float
    normalise: bool


class Loss(NamedTuple):
    """The loss of some pieces and its parts, what is watched, and the gradient: policy, critic, distribution.

    Attributes
    ----------
    total, policy, value, entropy : float
        total = policy + ``Terms.value`` * value - ``Terms.entropy`` * entropy
    divergence : float
        Estimate of the divergence of the policy from that of the rollout: the mean of r - 1 - ln r, which is >= 0.
    clipped : float
        Share of the steps whose ratio r lies outside 1 +- clip.
    gradient : (P,) array
    """

    total: float
    policy: float
    value: float
    entropy: float
    divergence: float
    clipped: float
    gradient: Array


class Side(NamedTuple):
    """A loss and its derivative by each of N numbers."""

    loss: float
    d: Array


def surrogate(log_p: Array, old: Array, advantages: Array, clip: float) -> tuple[Side, Array]:
    """-mean min(r A, clip(r, 1 - clip, 1 + clip) A) with r = exp(log_p - old); its derivative by log_p; and r.

    Where the clipped one is smaller it does not depend on r, so the derivative is 0 there, and else -r A / N.
    """
    ratio = np.exp(log_p - old)
    free, held = ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages
    d = np.where(free <= held, -free, 0.0) / len(ratio)
    return Side(-float(np.minimum(free, held).mean()), d), ratio


def squared_error(values: Array, old: Array, returns: Array, clip: float | None) -> Side:
    """mean (V - R)**2 / 2, and its derivative by V; with ``clip`` V stays within that of its ``old`` value."""
    if clip is not None:
        apart = values - old
        error = old + np.clip(apart, -clip, clip) - returns
        inside = np.abs(apart) <= clip
    else:
        error, inside = values - returns, np.ones(len(values), bool)
    return Side(float((error**2).mean()) / 2, np.where(inside, error, 0.0) / len(values))


def standardised(advantages: Array) -> Array:
    """Advantages with mean 0 and deviation 1 (with N - 1); a single one stays as it is, and equal ones are 0."""
    if len(advantages) < 2:
        return advantages
    return (advantages - advantages.mean()) / (advantages.std(ddof=1) + SMALLEST)


def loss_and_gradient(
    policy: Network,
    critic: Network,
    distribution: Distribution,
    own: Array,
    batch: Minibatch,
    terms: Terms,
    workspaces: tuple[Workspace, Workspace] | None = None,
) -> Loss:
    """The `Loss` of a `Minibatch`: forward through both networks, by hand back to their outputs, and backward."""
    spaces = workspaces or (Workspace(), Workspace())
    forwards = []
    for network, given, space in zip((policy, critic), (batch.policy, batch.critic), spaces, strict=True):
        prepared = network.engine.prepare(space)
        network.engine.check(prepared, given)
        y, state, saved = network.engine.forward(prepared, given, "full", space)
        network.engine.check_outputs(y, state, given.dt)
        forwards.append((prepared, y, state, saved))
    outputs, values = (y[batch.counts].astype(np.float64) for _, y, _, _ in forwards)
    log_p = distribution.log_probability(outputs, own, batch.draws)
    entropy = distribution.entropy(outputs, own)
    advantages = standardised(batch.advantages) if terms.normalise else batch.advantages
    actor, ratio = surrogate(log_p, batch.log_probabilities, advantages, terms.clip)
    value = squared_error(values[:, 0], batch.values, batch.returns, terms.clip_value)
    by_action = distribution.d_log_probability(outputs, own, batch.draws, actor.d)
    by_entropy = distribution.d_entropy(outputs, own, np.full(len(entropy), -terms.entropy / len(entropy)))
    d_outputs = by_action.y + by_entropy.y, terms.value * value.d[:, None]
    mean_entropy = float(entropy.mean())
    parts = [
        _backward(network, forward, given.valid, batch.counts, d, space)
        for network, forward, given, d, space in zip(
            (policy, critic), forwards, (batch.policy, batch.critic), d_outputs, spaces, strict=True
        )
    ]
    return Loss(
        actor.loss + terms.value * value.loss - terms.entropy * mean_entropy,
        actor.loss,
        value.loss,
        mean_entropy,
        float((ratio - 1 - (log_p - batch.log_probabilities)).mean()),
        float((np.abs(ratio - 1) > terms.clip).mean()),
        np.concatenate([*parts, by_action.own + by_entropy.own]),
    )


def _backward(
    network: Network,
    forward: tuple[object, Array, Array, object],
    valid: Bools | None,
    counts: Bools,
    d: Array,
    space: Workspace,
) -> Array:
    """The gradient (P,) by the parameters of one network, of d (N, O) by its outputs where they count."""
    prepared, y, state, saved = forward
    d_y = np.zeros(y.shape, network.dtype)
    d_y[counts] = d
    return network.engine.backward(
        prepared, saved, valid, d_y, np.zeros(state.shape, state.dtype), False, False, space
    ).theta


class Joint:
    """Parameters of policy, critic and distribution as one vector, which one optimiser changes.

    Its gradient has one norm, and there is one number of steps.  It is what `Optimizer.step` asks of a model.
    """

    networks: tuple[Network, Network]
    own: Array
    theta: Array
    layout: _Layout

    def __init__(self, policy: Network, critic: Network, own: Array) -> None:
        self.networks, self.own = (policy, critic), own
        self.theta = np.concatenate([policy.theta, critic.theta, own]).astype(
            np.result_type(policy.theta, critic.theta)
        )
        self.layout = _Layout(self)

    @property
    def trainable(self) -> Bools | None:
        """What may change, None where all may."""
        if all(network.trainable is None for network in self.networks):
            return None
        return np.concatenate(
            [
                *(np.ones(n.theta.size, bool) if n.trainable is None else n.trainable for n in self.networks),
                np.ones(self.own.size, bool),
            ]
        )

    def parts(self, vector: Array) -> list[Array]:
        """Those of policy, critic and distribution."""
        sizes = [network.theta.size for network in self.networks]
        return np.split(vector, np.cumsum(sizes))

    def take(self) -> None:
        """Read the parameters of the parts."""
        for part, held in zip(self.parts(self.theta), (*(n.theta for n in self.networks), self.own), strict=True):
            part[:] = held

    def project(self) -> None:
        """Give the parts their parameters, each within its bounds."""
        *both, own = self.parts(self.theta)
        for network, theta in zip(self.networks, both, strict=True):
            network.theta[:] = theta
            network.project()
            theta[:] = network.theta
        self.own[:] = own


class _Layout:
    """What an optimiser asks of a layout."""

    decay: Bools
    lr_scale: Array | None

    def __init__(self, joint: Joint) -> None:
        layouts = [network.layout for network in joint.networks]
        count = joint.own.size
        self.decay = np.concatenate([*(layout.decay for layout in layouts), np.zeros(count, bool)])
        scales = [np.ones(a.size) if a.lr_scale is None else a.lr_scale for a in layouts]
        alike = all(layout.lr_scale is None for layout in layouts)
        self.lr_scale = None if alike else np.concatenate([*scales, np.ones(count)])
