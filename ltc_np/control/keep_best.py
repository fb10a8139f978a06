"""The best policy of a training by rewards: what it has learnt may be lost again."""

from __future__ import annotations

import copy
import math

from ..base import checks
from ..base.calls import with_signature_hints
from ..network.network import Network
from .environments import Environments
from .evaluate import Evaluation, check_environments, evaluate
from .ppo import PPO


class KeepBest:
    """A callback of `PPO.learn` that lets the policy play now and then, and keeps a copy of the best one so far.

    Parameters
    ----------
    environments : Environments
        Others than those of the `PPO`, in which all episodes would begin anew.
    episodes : int >= 1
        Of each trial, always with the same seed and with the most likely actions.  They teach nothing, but who counts
        steps of environments counts theirs, too.
    every : int >= 1
        A trial follows after so many steps of learning, of all environments together.
    seed : int >= 0
        Of the trials; take others to measure the policy that was kept, which is better here than elsewhere.

    Attributes
    ----------
    policy : Model or None
        The best so far, a copy; None before the first trial.
    value : float
        Its mean return.  Of equal ones the later is kept, which has learnt from more.
    steps : int
        After how many steps it was found.

    Examples
    --------
    >>> from ltc_np import CfC, Dense, Model, Standardize
    >>> from ltc_np.control import PPO, Environments, KeepBest
    >>> policy = Model(Standardize(clip=10), CfC(32), Dense(2), input_dim=2, seed=0)
    >>> carts = [Environments.make("CartPole-v1", 8, observed=[0, 2]) for _ in range(2)]  # doctest: +SKIP
    >>> best = KeepBest(carts[1])  # doctest: +SKIP
    >>> history = PPO(policy, carts[0]).learn(100_000, callback=best)  # doctest: +SKIP
    >>> best.policy.save("policy.npz")  # doctest: +SKIP
    """

    environments: Environments
    episodes: int
    every: int
    seed: int
    policy: Network | None
    value: float
    steps: int
    tried: int

    @with_signature_hints
    def __init__(self, environments: Environments, *, episodes: int = 20, every: int = 10_000, seed: int = 0) -> None:
        check_environments(environments)
        self.environments, self.episodes = environments, checks.integer("episodes", episodes)
        self.every, self.seed = checks.integer("every", every), checks.integer("seed", seed, 0)
        self.policy, self.value, self.steps, self.tried = None, -math.inf, 0, 0

    def __call__(self, ppo: PPO) -> None:
        """Try the policy if it is time to."""
        if ppo.done - self.tried >= self.every:
            self.judge(ppo)

    def judge(self, ppo: PPO) -> Evaluation:
        """Try the policy now, as at the end of learning."""
        if self.environments.vector is ppo.environments.vector:
            raise ValueError("`environments` must be others than those of the PPO, got the same")
        found = evaluate(ppo.policy, self.environments, self.episodes, distribution=ppo.distribution, seed=self.seed)
        self.tried = ppo.done
        if found.mean >= self.value:
            self.policy, self.value, self.steps = copy.deepcopy(ppo.policy), found.mean, ppo.done
        return found
