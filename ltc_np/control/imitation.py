"""Learning by examples: what an expert does, and would have done where the policy has got to (DAgger)."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, Numbers
from ..model import Model
from ..optim import Adam
from ..train.history import History
from ..train.loop.interrupt import BY_SIGNAL, Interrupt
from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, check_outputs
from .environments import DistributionName, Environments
from .evaluate import Stepper, chosen, evaluate

LOSSES: dict[type[Distribution], str] = {
    Categorical: "cross_entropy", Gaussian: "mse", MixtureOfGaussians: "mixture_density",
}  # fmt: skip
ENDS = "learning ends after these episodes"


class Lessons(NamedTuple):
    """Whole episodes, an item each, and what is right in every step of them.

    Attributes
    ----------
    observations : list of (T, D) arrays
    dt : list of (T,) arrays
        Elapsed time before each.
    actions : list of (T,) or (T, A) arrays
        As an environment takes them.
    """

    observations: list[Array]
    dt: list[Array]
    actions: list[Numbers]


@with_signature_hints
def clone(policy: Model, lessons: Lessons, distribution: Distribution, **options: Any) -> History:
    """Learn actions from examples: `fit` with the loss of a distribution, in the units of its draws.

    That is ``"cross_entropy"`` for `Categorical`, ``"mse"`` for `Gaussian`, ``"mixture_density"`` for
    `MixtureOfGaussians`, which learns several right answers where the mean of them is wrong.

    Parameters
    ----------
    policy : Model
        It learns in place.
    lessons : Lessons
    distribution : Distribution
        As `Environments.distribution` gives it.
    **options
        Arguments of `fit`.

    Returns
    -------
    History
        Of `fit`.
    """
    _check(distribution, options, ("loss", "dt", "lengths"))
    if not isinstance(lessons, Lessons):
        raise TypeError(f"`lessons` must be Lessons(observations, dt, actions), got {checks.brief(lessons)}")
    check_outputs(distribution, policy.output_size)
    return policy.fit(
        lessons.observations,
        [distribution.draws(actions) for actions in lessons.actions],
        dt=lessons.dt if policy.takes_dt else None,
        loss=LOSSES[type(distribution)],
        **options,
    )


def _check(distribution: Distribution, options: dict[str, Any], own: tuple[str, ...]) -> None:
    """Refuse a distribution without a loss, and options that are not the user's."""
    if type(distribution) not in LOSSES:
        names = ", ".join(kind.__name__ for kind in LOSSES)
        raise TypeError(f"`distribution` must be one of {names}, got {checks.brief(distribution)}")
    for name in own:
        if name in options:
            raise TypeError(
                f"`{name}` follows from the other arguments here, got {checks.brief(options[name])}: leave it out"
            )


@with_signature_hints
def dagger(
    policy: Model,
    expert: Callable[[Array, Array], Numbers],
    environments: Environments,
    *,
    rounds: int = 10,
    episodes: int = 16,
    trials: int = 32,
    mixing: float = 0.0,
    distribution: Distribution | DistributionName = "auto",
    lr: float = 0.01,
    seed: int = 0,
    progress: bool = False,
    **options: Any,
) -> History:
    """Learn from an expert where the policy itself leads to.

    In each round episodes are played, the expert says in every step what would have been right, and the policy learns
    from the episodes of all rounds so far.  The expert plays the first round.  Later ones are the policy's, which so
    comes to see what its own errors lead to.

    Parameters
    ----------
    policy : Model
        It learns in place, and is that of the best round in the end.
    expert : function
        Of all numbers of the observations (n, D), also those that are hidden from the policy, and of elapsed times
        (n,), to actions (n,) or (n, A).
    environments : Environments
        They begin anew.
    rounds, episodes, trials : int >= 1
        Of each round the episodes to learn from, and those that measure it, always with the same seed.
    mixing : float in [0, 1]
        The expert takes each step of round k with probability mixing**k; 0**0 is 1.
    distribution : Distribution or name
        As for `clone`.
    lr : float > 0
        Learning rate of Adam in the first round; in round k it is ``lr * sqrt(1 - k / rounds)``.
    seed : int >= 0
        Of everything random.
    progress : bool
        Write a line to standard error after each round.
    **options
        Arguments of `fit`, such as ``epochs=20, batch_size=16, clip_norm=1.0``.

    Returns
    -------
    History
        One value a round: ``loss`` after it, mean ``return`` of its trials, ``steps`` to learn from, ``seconds``.
        ``best_epoch`` is the best round.  Ctrl-C ends learning after the episodes or the batch that it meets, with the
        reason in ``stopped``, and the policy is the best one so far; so it is when a second Ctrl-C raises
        KeyboardInterrupt, or that of a first round that was not judged yet.

    Notes
    -----
    Ross, Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online
    learning", AISTATS 2011, arXiv:1011.0686.  Cost: round k learns from k times as many episodes as the first.

    Examples
    --------
    >>> def expert(seen, dt):  # a cart and a pole: place, speed, angle, turn
    ...     return (seen @ [0.1, 0.4, 2.0, 1.0] > 0).astype(int)
    >>> from ltc_np import CfC, Dense, Model
    >>> policy = Model(CfC(16), Dense(2), input_dim=2, seed=0)
    >>> environments = Environments.make("CartPole-v1", 8, observed=[0, 2])  # doctest: +SKIP
    >>> history = dagger(policy, expert, environments, rounds=5, epochs=20)  # doctest: +SKIP
    """
    rounds, episodes = checks.integer("rounds", rounds), checks.integer("episodes", episodes)
    mixing, lr = checks.number("mixing", mixing, high=1), checks.number("lr", lr, low_open=True)
    trials, seed = checks.integer("trials", trials), checks.integer("seed", seed, 0)
    distribution = chosen(policy, environments, distribution)
    _check(distribution, options, ("loss", "dt", "lengths", "optimizer"))
    checks.function("expert", expert, "observations and elapsed times")
    learnt, history, began = Lessons([], [], []), History(), time.monotonic()
    best = None
    try:
        for k in range(rounds):
            drawn = np.random.SeedSequence(seed, spawn_key=(k,)).generate_state(2) >> 1
            with Interrupt(ends=ENDS) as pressed:
                lessons = play(policy, expert, environments, episodes, mixing**k, distribution, int(drawn[0]))
            if pressed.stop_reason:
                history.stopped = pressed.stop_reason
                break
            for known, found in zip(learnt, lessons, strict=True):
                known += found
            options["seed"] = int(drawn[1])
            told = clone(
                policy, learnt, distribution, optimizer=Adam(lr * (1 - k / rounds) ** 0.5),
                **{"verbose": False, **options},
            )  # fmt: skip
            with Interrupt(ends=ENDS) as pressed:
                value = evaluate(policy, environments, trials, distribution=distribution, seed=seed).mean
            if best is None or value >= max(history["return"]):  # of equals the later: it has learnt from more
                history.best_epoch, best = k, (policy.theta.copy(), policy.buffer_vector.copy())
            now, steps = time.monotonic(), sum(map(len, learnt.dt))
            loss = told["loss"][-1] if told.epoch else math.nan  # Ctrl-C has ended the first epoch
            history.add(k, {"loss": loss, "return": value, "steps": steps, "seconds": now - began})
            history.seconds, began = history.seconds + now - began, now
            if progress:
                text = f"round {k + 1}/{rounds}  loss: {loss:.4g}  return: {value:.4g}  steps: {steps}"
                print(text, file=sys.stderr, flush=True)
            if pressed.stop_reason or told.stopped.startswith(BY_SIGNAL):
                history.stopped = pressed.stop_reason or told.stopped.split()[0]
                break
    finally:
        if best is not None:
            policy.theta[:], policy.buffer_vector[:] = best
    return history


def play(
    policy: Model,
    expert: Callable[[Array, Array], Numbers],
    environments: Environments,
    episodes: int,
    share: float,
    distribution: Distribution,
    seed: int,
) -> Lessons:
    """Episodes of which the expert takes a share of the steps, and what it would do in all of them.

    The state of the policy goes on in steps of the expert: it has seen what that did.
    """
    whole, n = Environments(environments.vector, dt=environments.dt), environments.count
    seen = np.arange(whole.size) if environments.observed is None else np.array(environments.observed)
    rng = np.random.default_rng(seed)
    stepper, state = Stepper(policy, n), policy.starting_state(n)
    left = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
    steps: list[list[tuple[Array, Array, Numbers]]] = [[] for _ in range(n)]
    found = Lessons([], [], [])
    now = whole.reset(seed)
    while left.any():
        state[now.began] = stepper.start[now.began]
        x = now.observations[:, seen]
        y, state = stepper(x, now.dt, state)
        own = distribution.actions(distribution.mode(y))
        wanted = np.array(expert(now.observations, now.dt))  # a copy: it may answer with the same array again
        if wanted.shape != own.shape:
            raise ValueError(f"`expert` must give actions of shape {own.shape}, got {wanted.shape}")
        try:
            distribution.draws(wanted)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`expert` must give actions that the environments take: {error}") from None
        taught = (rng.random(n) < share).reshape(n, *[1] * (own.ndim - 1))
        after = whole.step(np.where(taught, wanted, own))
        for k in np.flatnonzero(after.counts & (left > 0)):
            steps[k].append((x[k], now.dt[k], wanted[k]))
            if after.ended[k]:
                for known, values in zip(found, zip(*steps[k], strict=True), strict=True):
                    known.append(np.array(values))
                steps[k], left[k] = [], left[k] - 1
        now = after
    return found
