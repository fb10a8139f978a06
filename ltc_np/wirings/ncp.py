"""Neural circuit policies: sparse layers of sensory, inter, command and motor neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..base import checks
from .base import Wiring, seed_of

if TYPE_CHECKING:
    Table: TypeAlias = dict[tuple[int, int], int]


class NCP(Wiring):
    """Neural circuit policy: sparse layers, inputs -> inter -> command (recurrent) -> motor neurons.

    Neurons are numbered motor first, then command, then inter.  Half of the synapses are excitatory.

    Parameters
    ----------
    inter_neurons, command_neurons, motor_neurons : int
        Neurons per layer, each >= 1.
    sensory_fanout : int
        Synapses from each input to inter neurons, in 0..inter_neurons.
    inter_fanout : int
        Synapses from each inter neuron to command neurons, in 0..command_neurons.
    recurrent_command_synapses : int
        Draws of a synapse among the command neurons, >= 0; pairs drawn twice count once.
    motor_fanin : int
        Synapses from command neurons to each motor neuron, in 0..command_neurons.
    seed : int or None
        Seed, in 0..2**32 - 1; None draws a seed once and keeps it.

    Notes
    -----
    Neurons that the draws leave unconnected get the mean number of synapses of their kind, at least
    one.  All synapses depend on the number of inputs, since the inputs come first in the random stream.
    Equal to ncps 1.0.1 for equal arguments.  After Lechner et al., Neural circuit policies enabling auditable
    autonomy, Nature Machine Intelligence 2 (2020).
    """

    _ncp: dict[str, int]

    def __init__(
        self,
        inter_neurons: int,
        command_neurons: int,
        motor_neurons: int,
        sensory_fanout: int,
        inter_fanout: int,
        recurrent_command_synapses: int,
        motor_fanin: int,
        seed: int | None = 22222,
    ) -> None:
        inter = checks.integer("inter_neurons", inter_neurons, 1)
        command = checks.integer("command_neurons", command_neurons, 1)
        recurrent = checks.integer("recurrent_command_synapses", recurrent_command_synapses, 0)
        arguments = {
            "inter_neurons": inter,
            "command_neurons": command,
            "motor_neurons": checks.integer("motor_neurons", motor_neurons, 1),
            "sensory_fanout": checks.integer("sensory_fanout", sensory_fanout, 0, inter),
            "inter_fanout": checks.integer("inter_fanout", inter_fanout, 0, command),
            "recurrent_command_synapses": recurrent,
            "motor_fanin": checks.integer("motor_fanin", motor_fanin, 0, command),
            "seed": checks.integer("seed", seed_of("seed", seed), 0, 2**32 - 1),
        }
        self._plan(arguments, arguments)

    def _plan(self, plan: dict[str, int], arguments: dict[str, Any]) -> None:
        """Describe the layers; `plan`: the arguments of an NCP, `arguments`: those of the class itself."""
        M, C = plan["motor_neurons"], plan["command_neurons"]
        N = M + C + plan["inter_neurons"]
        layers = [("inter", range(M + C, N)), ("command", range(M, M + C)), ("motor", range(M))]
        Wiring.__init__(self, N, M, arguments=arguments, layers=layers)
        self._set(_ncp=plan)

    def _draw(self, input_dim: int | None) -> tuple[Any, Any]:
        if input_dim is None:
            return None, None
        plan = self._ncp
        rng = np.random.RandomState(plan["seed"])
        inter, command, motor = (list(ids) for _, ids in self.layers)
        recurrent: Table = {}
        sensory: Table = {}  # (pre, post): polarity; a pair drawn again takes the later polarity

        def fan(table: Table, neuron: int, partners: list[int], count: int, outgoing: bool) -> list[int]:
            chosen: list[int] = rng.choice(partners, size=count, replace=False).tolist()
            for partner in chosen:
                table[(neuron, partner) if outgoing else (partner, neuron)] = rng.choice([-1, 1])
            return chosen

        def connect(
            table: Table, neurons: list[int], partners: list[int], count: int, outgoing: bool, most: int
        ) -> None:
            reached: set[int] = set()
            for neuron in neurons:
                reached.update(fan(table, neuron, partners, count, outgoing))
            mean = min(max(len(neurons) * count // len(partners), 1), most)
            for partner in partners:
                if partner not in reached:
                    fan(table, partner, neurons, mean, not outgoing)

        connect(sensory, list(range(input_dim)), inter, plan["sensory_fanout"], True, input_dim)
        connect(recurrent, inter, command, plan["inter_fanout"], True, len(command))
        for _ in range(plan["recurrent_command_synapses"]):
            pair = int(rng.choice(command)), int(rng.choice(command))
            recurrent[pair] = rng.choice([-1, 1])
        connect(recurrent, motor, command, plan["motor_fanin"], False, len(motor))
        edges = [(*np.array(list(table)).T, list(table.values())) for table in (recurrent, sensory)]
        return edges[0], edges[1]


class AutoNCP(NCP):
    """`NCP` from the number of neurons, the number of outputs and a sparsity.

    Parameters
    ----------
    units : int
        Number of neurons N.
    output_size : int
        Number of motor neurons, in 1..N - 3, so that one command neuron and two inter neurons remain.
    sparsity_level : float
        In [0.1, 1].  0.1 is the densest that ncps takes, so that recipes can be exchanged with it (its
        documentation says 0.0 to 0.9); 1 is the sparsest: each neuron keeps one synapse to the next layer.
    seed : int or None
        Seed, in 0..2**32 - 1; None draws a seed once and keeps it.

    Notes
    -----
    40 % of the neurons that are not motor neurons are command neurons, the rest inter neurons; fan-outs
    and fan-ins are the share ``1 - sparsity_level`` of the next or previous layer, at least 1.

    Examples
    --------
    >>> AutoNCP(16, 4)
    AutoNCP(units=16, output_size=4, sparsity_level=0.5, seed=22222)
    >>> AutoNCP(16, 4).build(3).synapse_count
    28
    """

    def __init__(self, units: int, output_size: int, sparsity_level: float = 0.5, seed: int | None = 22222) -> None:
        units = checks.integer("units", units, 4)
        output_size = checks.integer("output_size", output_size, 1, units - 3)
        sparsity_level = checks.number("sparsity_level", sparsity_level, 0.1, 1)
        density = 1.0 - sparsity_level
        command = max(int(0.4 * (units - output_size)), 1)
        inter = units - output_size - command
        fan = max(int(command * density), 1)
        plan = NCP(
            inter,
            command,
            output_size,
            sensory_fanout=max(int(inter * density), 1),
            inter_fanout=fan,
            recurrent_command_synapses=max(int(command * density * 2), 1),
            motor_fanin=fan,
            seed=seed,
        ).arguments
        arguments = {"units": units, "output_size": output_size, "sparsity_level": sparsity_level}
        self._plan(plan, arguments | {"seed": plan["seed"]})
