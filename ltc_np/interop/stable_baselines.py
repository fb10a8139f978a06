"""Networks of this library as policies of Stable-Baselines3: `RecurrentPPO` of sb3-contrib learns them.

made = {"network": lambda size: Model(CfC(32), input_dim=size, seed=0)}
learner = sb3_contrib.RecurrentPPO(LiquidPolicy, environment, policy_kwargs=made)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ..base.optional import need
from ..model import Model
from .functional import checked
from .torch import TorchModel

torch: Any = need("torch", "torch", "`ltc_np.interop.stable_baselines`")
policies: Any = need("sb3_contrib.common.recurrent.policies", "torch", "`ltc_np.interop.stable_baselines`")


class Recurrent(torch.nn.Module):
    """A model in the place of `torch.nn.LSTM`, for sequences (T, n, I) and states (1, n, K).

    Parameters
    ----------
    model : Model
    elapsed : int, optional
        Which input is the elapsed time, and is not seen otherwise.

    Attributes
    ----------
    module : TorchModel
    input_size, hidden_size, num_layers : int
        Of what `RecurrentPPO` makes arrays: inputs, with the elapsed time, and K; one layer.
    """

    module: TorchModel
    elapsed: int | None
    input_size: int
    hidden_size: int
    num_layers: int

    def __init__(self, model: Model, elapsed: int | None = None) -> None:
        super().__init__()
        self.module, self.elapsed = TorchModel(model), elapsed
        self.input_size = model.input_size + (elapsed is not None)
        self.hidden_size, self.num_layers = model.state_size, 1
        if model.starting_state(1).any():
            raise ValueError("`network` must begin with a state of 0, as RecurrentPPO does, got one that does not")

    def forward(self, x: Any, state: Any) -> Any:
        """Outputs (T, n, O), and the state after them, twice: an LSTM has two."""
        x, dt = x.transpose(0, 1), None
        if self.elapsed is not None:
            others = [k for k in range(self.input_size) if k != self.elapsed % self.input_size]
            x, dt = x[..., others], x[..., self.elapsed]
        y, after = self.module(x, dt=dt, h0=state[0][0], return_state=True)
        return y.transpose(0, 1), (after[None], after[None])


class LiquidPolicy(policies.RecurrentActorCriticPolicy):
    """An actor and a critic that are networks of this library.

    Parameters
    ----------
    observation_space, action_space, lr_schedule
        As `RecurrentPPO` gives them.
    network : function of an int to a Model
        Of the number of inputs, without that of the elapsed time, to a network with an output at each step; called
        twice.  Layers of PyTorch come behind it: those of ``net_arch``, which is none by default, and a linear one.
    elapsed : int, optional
        Which number of the observations is the elapsed time before each.
    **options
        Of sb3-contrib's `RecurrentActorCriticPolicy`, but for what is about an LSTM.

    Attributes
    ----------
    lstm_actor, lstm_critic : Recurrent
        ``policy.lstm_actor.module.to_model()`` is the actor's network as a `Model`.
    """

    lstm_actor: Recurrent
    lstm_critic: Recurrent
    lstm_hidden_state_shape: tuple[int, int, int]
    optimizer: Any

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        lr_schedule: Any,
        network: Callable[[int], Model],
        elapsed: int | None = None,
        net_arch: Any = None,
        **options: Any,
    ) -> None:
        extractor = options.get("features_extractor_class", policies.FlattenExtractor)
        features = extractor(observation_space, **(options.get("features_extractor_kwargs") or {})).features_dim
        size = features - (elapsed is not None)
        actor, critic = (Recurrent(checked(network(size)), elapsed) for _ in range(2))
        super().__init__(
            observation_space, action_space, lr_schedule, [] if net_arch is None else net_arch,
            lstm_hidden_size=actor.module.to_model().output_size, **options,
        )  # fmt: skip
        self.lstm_actor, self.lstm_critic = actor, critic
        self.lstm_hidden_state_shape = (1, 1, actor.hidden_size)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    @staticmethod
    def _process_sequence(features: Any, lstm_states: Any, episode_starts: Any, lstm: Recurrent) -> Any:
        """Outputs (n * T, O) and states; the network runs through all steps between two beginnings at once."""
        n = lstm_states[0].shape[1]
        x = features.reshape(n, -1, lstm.input_size).swapaxes(0, 1)
        starts = episode_starts.reshape(n, -1).swapaxes(0, 1)
        edges = [0, *[t for t in range(1, len(x)) if starts[t].any()], len(x)]
        outputs = []
        for begin, end in pairwise(edges):
            kept = (1.0 - starts[begin]).view(1, n, 1)
            y, lstm_states = lstm(x[begin:end], (kept * lstm_states[0], kept * lstm_states[1]))
            outputs.append(y)
        return torch.cat(outputs).transpose(0, 1).flatten(0, 1), lstm_states
