"""Proximal policy optimisation of recurrent policies: the class `PPO`; docs/control.md derives it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import io
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.moments import Moments
from ..base.types import Array, Backend, Logs, PathLike
from ..base.workspace import Workspace
from ..layers.dense import Dense
from ..layers.mixture_density import MixtureDensity
from ..layers.standardize import Standardize
from ..model import Model
from ..network.network import Network
from ..optim import Adam
from ..optim.clip import clip_by_global_norm
from ..train.history import History
from ..train.loop.interrupt import Interrupt
from . import stored
from .advantages import RewardScale, divided, explained_variance, gae
from .distributions import Distribution, Gaussian
from .environments import DistributionName, Environments
from .evaluate import check_environments, check_steps, chosen
from .pieces import Pieces, cut, gather
from .rollout import Collector, Rollout
from .update import Joint, Loss, Terms, loss_and_gradient

if TYPE_CHECKING:
    from typing_extensions import Self

KIND = "ppo"  # of files
EPSILON = 1e-5  # of Adam, as usual for this method
ENOUGH = 1.5  # times `target_kl` ends an update
RECENT = 100  # episodes, whose mean return the history has
LARGEST_REWARD = 10.0  # in its own scale; further ones count as this
SMALLEST_SCALE = 1e-4  # of an observation that never changes
SMALLEST_CLIP = 1e-12  # where `decay_steps` are over


class PPO:
    """Learning of a policy by its rewards: recurrent proximal policy optimisation.

    A policy and a critic, which tells what can still be had, play ``steps`` steps in each environment.  Then both
    learn from them, ``epochs`` times, by gradients through whole episodes as far as the steps go, from the states that
    they had; and so on.  What has been learnt is in ``policy``, an ordinary model, after each of these iterations.

    Parameters
    ----------
    policy : Model
        Observations in, parameters of a distribution of actions out; it learns in place.  If its first layer is
        `Standardize` (take ``clip=10``) that was never fitted, with mean 0 and scale 1, that takes the mean and
        deviation of the observations, between iterations.  One with other numbers keeps them, so a policy that has
        learnt by examples goes on as it was.
    environments : Environments
        Environments with ``dt`` need a policy that knows elapsed time to make use of it.
    critic : Model, optional
        Observations in, one output, with a state of its own.  Default: the layers of the policy, with ``Dense(1)`` for
        its readout.
    distribution : Distribution or name
        What the policy's outputs mean; see `Environments.distribution`.
    steps : int >= 1
        Of each environment in an iteration.
    batch_size : int >= 1
        About how many steps the gradient of an optimiser's step is of.  They are whole pieces of episodes, so it is no
        less than the longest of these.
    epochs : int >= 1
        How often an iteration learns from its steps.
    gamma, lam : floats in [0, 1]
        Discount of a step; and of errors of the critic's values, in advantages (see `gae`).
    lr : float > 0
        Learning rate of Adam, one for all.
    clip : float > 0
        How far the ratio of new to old probability may be from 1 before a step has no gradient.
    clip_value : float > 0, optional
        How far the critic's values may move in an iteration.
    entropy, value_weight : floats >= 0
        Weight of the policy's entropy in the loss; of the critic's mean squared error, halved.
    clip_norm : float > 0, optional
        Largest norm of a gradient.
    target_kl : float > 0, optional
        An iteration learns no further once the policy is farther than 1.5 times this from what it was.
    normalise_advantages : bool
        To mean 0 and deviation 1 in each batch.
    normalise_rewards : bool
        Divide rewards by the deviation of their discounted sums, as far as known.
    decay_steps : int >= 1, optional
        Steps of all environments together, over which ``lr`` and ``clip`` fall linearly to 0.  They stay without it.
    longest : int >= 1, optional
        Cut pieces of episodes after so many steps, from the state that was there: shorter sequences for more and
        smaller batches.  No gradient flows further back.
    correlation : float in [0, 1)
        Of the random part of an action with that of the step before, for the distributions "gaussian" and "squashed":
        actions that vary slowly explore farther where there is inertia.  Each step's density remains the same, and
        likelihoods are taken step by step, as Hollenstein, Martius and Piater do (arXiv:2312.11091).
    seed : int >= 0
        Of everything random.

    Attributes
    ----------
    policy, critic : Model
    distribution : Distribution
    own : (own,) array
        The distribution's own parameters.
    environments : Environments
    history : History
        One value an iteration: ``steps`` done, mean ``return`` and ``length`` of the last 100 episodes (NaN before the
        first has ended), parts of the loss, ``divergence``, ``clipped``, ``explained`` variance, ``seconds``.
    done : int
        Steps of all environments together so far.
    calls : int
        How often `learn` has been called.

    Raises
    ------
    TypeError, ValueError
        What does not fit.

    Notes
    -----
    Environments begin anew with each call of `learn`, with seeds that follow from ``seed`` and the number of the call.
    So learn, `save`, `load` and learn give the same bits as learn and learn.

    Cost of an iteration: n * steps steps of both networks and of the environments, and ``epochs`` times forward and
    backward through as many; memory of one batch, and of all states.

    References
    ----------
    Schulman, Wolski, Dhariwal, Radford and Klimov, "Proximal policy optimization algorithms", arXiv:1707.06347, 2017.

    Examples
    --------
    A cart and a pole, velocities hidden; examples/reinforce.py learns it:

    >>> from ltc_np import CfC, Dense, Model, Standardize
    >>> policy = Model(Standardize(clip=10), CfC(32), Dense(2), input_dim=2, seed=0)
    >>> environments = Environments.make("CartPole-v1", 8, observed=[0, 2])  # doctest: +SKIP
    >>> ppo = PPO(policy, environments, steps=32, batch_size=256, seed=0)  # doctest: +SKIP
    >>> history = ppo.learn(50_000)  # doctest: +SKIP
    """

    policy: Network
    critic: Network
    distribution: Distribution
    own: Array
    environments: Environments
    history: History
    done: int
    calls: int
    steps: int
    batch_size: int
    epochs: int
    gamma: float
    lam: float
    lr: float
    clip: float
    clip_value: float | None
    entropy: float
    value_weight: float
    clip_norm: float | None
    target_kl: float | None
    normalise_advantages: bool
    normalise_rewards: bool
    decay_steps: int | None
    longest: int | None
    correlation: float
    seed: int
    joint: Joint
    optimizer: Adam
    observed: Moments
    adapts: tuple[bool, bool]
    rewards: RewardScale

    @with_signature_hints
    def __init__(
        self,
        policy: Network,
        environments: Environments,
        *,
        critic: Network | None = None,
        distribution: Distribution | DistributionName = "auto",
        steps: int = 128,
        batch_size: int = 256,
        epochs: int = 10,
        gamma: float = 0.99,
        lam: float = 0.95,
        lr: float = 3e-4,
        clip: float = 0.2,
        clip_value: float | None = None,
        entropy: float = 0.0,
        value_weight: float = 1.0,
        clip_norm: float | None = 0.5,
        target_kl: float | None = None,
        normalise_advantages: bool = True,
        normalise_rewards: bool = True,
        decay_steps: int | None = None,
        longest: int | None = None,
        correlation: float = 0.0,
        seed: int = 0,
    ) -> None:
        distribution = chosen(policy, environments, distribution)
        self.policy, self.environments, self.distribution = policy, environments, distribution
        self.critic = _critic_like(policy) if critic is None else _check_critic(critic, policy)
        self.steps, self.batch_size = checks.integer("steps", steps), checks.integer("batch_size", batch_size)
        self.epochs = checks.integer("epochs", epochs)
        self.gamma, self.lam = checks.number("gamma", gamma, high=1), checks.number("lam", lam, high=1)
        self.lr, self.clip = checks.number("lr", lr, low_open=True), checks.number("clip", clip, low_open=True)
        self.clip_value = _above_0("clip_value", clip_value)
        self.entropy, self.value_weight = checks.number("entropy", entropy), checks.number("value_weight", value_weight)
        self.clip_norm, self.target_kl = _above_0("clip_norm", clip_norm), _above_0("target_kl", target_kl)
        self.normalise_advantages = checks.boolean("normalise_advantages", normalise_advantages)
        self.normalise_rewards = checks.boolean("normalise_rewards", normalise_rewards)
        self.decay_steps = None if decay_steps is None else checks.integer("decay_steps", decay_steps)
        self.longest = None if longest is None else checks.integer("longest", longest)
        self.correlation = checks.number("correlation", correlation, high=1, high_open=True)
        if self.correlation and not isinstance(distribution, Gaussian):
            raise ValueError(f"`correlation` must be 0 but for a Gaussian or SquashedGaussian, got {distribution!r}")
        self.seed = checks.integer("seed", seed, 0)
        self.own = distribution.initial()
        self.joint = Joint(policy, self.critic, self.own)
        self.optimizer = Adam(self.lr, epsilon=EPSILON)
        self.observed = Moments(environments.size)
        self.adapts = standardizes(policy), standardizes(self.critic)
        self.rewards = RewardScale(environments.count, self.gamma)
        self.history, self.done, self.calls = History(), 0, 0
        self._spaces = Workspace(), Workspace()

    def settings(self) -> dict[str, Any]:
        """The arguments besides networks and environments, as they were given."""
        names = (
            "steps batch_size epochs gamma lam lr clip clip_value entropy value_weight clip_norm target_kl "
            "normalise_advantages normalise_rewards decay_steps longest correlation seed"
        )
        return {name: getattr(self, name) for name in names.split()}

    # ------------------------------------------------------------------------------------------------- learning

    @with_signature_hints
    def learn(self, steps: int, *, callback: Callable[[PPO], object] | None = None, progress: bool = False) -> History:
        """Play and learn for at least so many steps of all environments together, in whole iterations.

        Parameters
        ----------
        steps : int >= 1
        callback : function of the `PPO`, optional
            Called after each iteration; learning ends where it returns False.  It may play in ``environments``, as
            `evaluate` does; all of them begin new episodes then.
        progress : bool
            Write a line to standard error about twice a second at most.

        Returns
        -------
        History
            ``history``, which goes on with every call.  Ctrl-C ends learning after the iteration, and keeps what has
            been learnt.

        Raises
        ------
        FloatingPointError
            The loss or the gradient is not finite: parameters are those before that step of the optimiser.
        """
        end = self.done + checks.integer("steps", steps)
        if callback is not None:
            checks.function("callback", callback, "the PPO")
        environment_seed, rng = self._begin()
        collector = Collector(
            self.policy, self.critic, self.environments, self.distribution, rng, int(environment_seed),
            self.correlation,
        )  # fmt: skip
        shown, began = time.monotonic(), time.monotonic()
        self.history.stopped = ""
        with Interrupt(ends="learning ends after this iteration") as interrupt:
            while self.done < end and not self.history.stopped:
                logs = self._iterate(collector, rng)
                now = time.monotonic()
                self.history.add(len(self.history.epoch), {**logs, "seconds": now - began})
                self.history.seconds += now - began
                began = now
                if progress and (now - shown > 0.5 or self.done >= end):
                    shown = now
                    print(self._line(end), file=sys.stderr, flush=True)
                if callback is not None and callback(self) is False:
                    self.history.stopped = "by the callback"
                self.history.stopped = interrupt.stop_reason or self.history.stopped
        return self.history

    def _begin(self) -> tuple[np.uint32, np.random.Generator]:
        """Seeds of this call of `learn`."""
        here = np.random.SeedSequence(self.seed, spawn_key=(self.calls,))
        self.calls += 1
        self.rewards.sums[:] = 0
        return here.generate_state(1)[0] >> 1, np.random.default_rng(here)

    def _iterate(self, collector: Collector, rng: np.random.Generator) -> Logs:
        """One rollout, and what is learnt of it."""
        left = 1.0 if self.decay_steps is None else max(0.0, 1 - self.done / self.decay_steps)
        if collector.begin_if_others_played():
            self.rewards.sums[:] = 0
        rollout = collector.collect(self.steps, self.own)
        self.done += rollout.rewards.size
        scaled = self._scaled(rollout)
        advantages = gae(
            scaled, rollout.values, rollout.next_values, rollout.terminated, rollout.ended, self.gamma, self.lam
        )
        loss = self._update(rollout, advantages, rng, left)
        self._observe(rollout)
        episodes = collector.episodes
        recent = slice(-RECENT, None)
        counts = rollout.counts
        return {
            "steps": self.done,
            "return": float(np.mean(episodes.returns[recent])) if episodes.returns else float("nan"),
            "length": float(np.mean(episodes.lengths[recent])) if episodes.lengths else float("nan"),
            "loss": loss.total,
            "policy_loss": loss.policy,
            "value_loss": loss.value,
            "entropy": loss.entropy,
            "divergence": loss.divergence,
            "clipped": loss.clipped,
            "explained": explained_variance((advantages + rollout.values)[counts], rollout.values[counts]),
        }

    def _scaled(self, rollout: Rollout) -> Array:
        """The rewards as they are learnt from."""
        if not self.normalise_rewards:
            return rollout.rewards
        self.rewards.add(rollout.rewards, rollout.ended, rollout.counts)
        return np.clip(rollout.rewards / self.rewards.scale(), -LARGEST_REWARD, LARGEST_REWARD)

    def _update(self, rollout: Rollout, advantages: Array, rng: np.random.Generator, left: float) -> Loss:
        """Learn from a rollout; ``left`` is the share of rate and clip.  The mean of all batches."""
        pieces = cut(rollout.began, rollout.counts, self.longest)
        terms = Terms(
            max(self.clip * left, SMALLEST_CLIP),
            self.clip_value,
            self.entropy,
            self.value_weight,
            self.normalise_advantages,
        )
        found: list[Loss] = []
        for _ in range(self.epochs):
            shuffled = pieces.part(rng.permutation(len(pieces.row)))
            for which in divided(shuffled.sizes, self.batch_size):
                loss = self._batch(rollout, advantages, shuffled.part(which), terms)
                found.append(loss)
                if self.target_kl is not None and loss.divergence > ENOUGH * self.target_kl:
                    return _mean(found)
                if left > 0:
                    self._step(loss, left)
        return _mean(found)

    def _batch(self, rollout: Rollout, advantages: Array, pieces: Pieces, terms: Terms) -> Loss:
        """The loss of some pieces."""
        batch = gather(rollout, advantages, pieces, self.policy, self.critic)
        with np.errstate(over="ignore", invalid="ignore"):  # `_step` sees what is not finite
            return loss_and_gradient(self.policy, self.critic, self.distribution, self.own, batch, terms, self._spaces)

    def _step(self, loss: Loss, left: float) -> None:
        """One step of the optimiser."""
        gradient = loss.gradient.astype(self.joint.theta.dtype)
        if not np.isfinite(loss.total) or not np.isfinite(gradient).all():
            raise FloatingPointError(
                f"loss and gradient must be finite, got {loss.total} after {self.done} steps: take a smaller `lr`, "
                "or normalise rewards and observations"
            )
        if self.clip_norm is not None:
            clip_by_global_norm(gradient, self.clip_norm)
        self.optimizer.lr = self.lr * left
        self.joint.take()
        self.optimizer.step(self.joint, gradient)

    def _observe(self, rollout: Rollout) -> None:
        """Let both networks bring observations to mean 0 and deviation 1, as far as these are known."""
        self.observed.add(rollout.observations[rollout.counts])
        for network, adapts in zip((self.policy, self.critic), self.adapts, strict=True):
            if adapts:
                buffers = network.buffers
                buffers["0.mean"][:] = self.observed.mean
                buffers["0.scale"][:] = np.maximum(np.sqrt(self.observed.variance), SMALLEST_SCALE)

    def _line(self, end: int) -> str:
        """How far learning is."""
        last = {name: values[-1] for name, values in self.history.items()}
        return (
            f"step {self.done}/{end}  return: {last['return']:.4g}  entropy: {last['entropy']:.3g}  "
            f"divergence: {last['divergence']:.2g}  {self.done / max(self.history.seconds, 1e-9):.0f} steps/s"
        )

    # ---------------------------------------------------------------------------------------------------- files

    @with_signature_hints
    def save(self, path: PathLike) -> None:
        """Write all of it but the environments to a file, whole or not at all.

        It is the file of the policy, with the rest beside it, so `ltc_np.load` reads the policy.
        """
        beside = {
            "kind": KIND, "settings": self.settings(), "count": self.environments.count,
            "distribution": stored.distribution_form(self.distribution), "critic": stored.critic_form(self.critic),
            "own": self.own, "optimizer": self.optimizer.state(), "observed": self.observed.state(),
            "adapts": list(self.adapts), "rewards": self.rewards.moments.state(), "done": self.done,
            "calls": self.calls, "history": stored.history_form(self.history),
        }  # fmt: skip
        io.save_with(path, self.policy, beside)

    @classmethod
    def load(cls, path: PathLike, environments: Environments, backend: Backend = "auto") -> Self:
        """Go on from a file that `save` wrote, with environments like those before; bits go on with the same backend.

        Raises
        ------
        OSError, ValueError
            As `ltc_np.load`; for the file of a model alone; for environments that do not fit.
        """
        check_environments(environments)
        policy, found = stored.read(path, KIND, cls.__name__, backend)
        try:
            if environments.count != found["count"]:
                raise ValueError(f"`environments` must be {found['count']} as before, got {environments.count}")
            critic = stored.critic_of(found["critic"], policy.input_size, backend)
            distribution = stored.distribution_of(found["distribution"])
            ppo = cls(policy, environments, critic=critic, distribution=distribution, **found["settings"])
            ppo.restore(found)
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} has a damaged training: {checks.one_line(error)}") from None
        return ppo

    def restore(self, found: Mapping[str, Any]) -> None:
        """What learning has changed, besides networks."""
        own = np.array(found["own"], np.float64)
        if own.shape != self.own.shape:
            raise ValueError(f"`own` must have shape {self.own.shape}, got {own.shape}")
        self.own[:] = own
        self.optimizer.load_state(found["optimizer"])
        self.observed.restore(found["observed"])
        policy, critic = found["adapts"]
        self.adapts = bool(policy), bool(critic)
        self.rewards.moments.restore(found["rewards"])
        self.done, self.calls = checks.integer("done", found["done"], 0), checks.integer("calls", found["calls"], 0)
        self.history = stored.history_of(found["history"])

    def __repr__(self) -> str:
        return f"PPO({self.policy!r}, {self.environments!r}, {self.done} steps done)"


def standardizes(network: Network) -> bool:
    """Whether the first layer can bring observations to mean 0 and deviation 1, and was not fitted before."""
    first = network.layers[0]
    if len(network.layers) < 2 or not isinstance(first, Standardize) or first.inverse:
        return False
    return not network.buffers["0.mean"].any() and bool((network.buffers["0.scale"] == 1).all())


def _above_0(name: str, value: float | None) -> float | None:
    return None if value is None else checks.number(name, value, low_open=True)


def _critic_like(policy: Network) -> Network:
    """A critic with the layers of a policy, but for its readout."""
    layers = policy.layers
    if len(layers) > 1 and isinstance(layers[-1], (Dense, MixtureDensity)):
        layers = layers[:-1]
    return Model(*layers, Dense(1), input_dim=policy.input_size, seed=1, dtype=policy.dtype, backend=policy.backend)


def _check_critic(critic: Network, policy: Network) -> Network:
    if not isinstance(critic, Network):
        raise TypeError(f"`critic` must be a model of ltc_np, got {checks.brief(critic)}")
    if critic is policy:
        raise ValueError("`critic` must be a model of its own, got the policy")
    if critic.input_size != policy.input_size or critic.output_size != 1:
        raise ValueError(
            f"`critic` must have {policy.input_size} inputs and 1 output, got {critic.input_size} and "
            f"{critic.output_size}: let it end with Dense(1)"
        )
    check_steps("critic", critic)
    return critic


def _mean(losses: list[Loss]) -> Loss:
    """Of all but the gradient."""
    names = [name for name in Loss._fields if name != "gradient"]
    means: dict[str, Any] = {name: float(np.mean([getattr(loss, name) for loss in losses])) for name in names}
    return losses[-1]._replace(**means)
