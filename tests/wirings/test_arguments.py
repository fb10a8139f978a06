"""What wirings refuse."""

import numpy as np
import pytest
from support.wirings import hand_made

from ltc_np.wirings import NCP, AutoNCP, FullyConnected, Random, RandomWiring, Wiring

ONE = [(0, 0, 1)]


ERRORS = [
    (lambda: FullyConnected(0), ValueError, "`units` must be an int >= 1, got 0"),
    (lambda: FullyConnected(True), TypeError, "`units` must be an int .*, got True"),
    (lambda: FullyConnected(5.0), TypeError, "`units` must be an int .*, got 5.0"),
    (lambda: FullyConnected(5, 6), ValueError, "`output_dim` must be an int in 1..5, got 6"),
    (lambda: FullyConnected(5, 0), ValueError, "`output_dim` must be an int in 1..5, got 0"),
    (lambda: FullyConnected(5, erev_init_seed=-1), ValueError, "`erev_init_seed` must be .* >= 0, got -1"),
    (
        lambda: FullyConnected(5, erev_init_seed="a"),
        TypeError,
        "`erev_init_seed` must be an int .*, got 'a'",
    ),
    (
        lambda: FullyConnected(5, self_connections=1),
        TypeError,
        "`self_connections` must be a bool, got 1",
    ),
    (lambda: FullyConnected(5).build(0), ValueError, "`input_dim` must be an int >= 1, got 0"),
    (lambda: FullyConnected(5).build(2.0), TypeError, "`input_dim` must be an int .*, got 2.0"),
    (lambda: FullyConnected(5).build(True), TypeError, "`input_dim` must be an int .*, got True"),
    (
        lambda: Random(5, sparsity_level=1.0),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got 1.0",
    ),
    (
        lambda: Random(5, sparsity_level=-0.1),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got -0.1",
    ),
    (
        lambda: Random(5, sparsity_level=np.nan),
        ValueError,
        r"`sparsity_level` must be .* in \[0, 1\), got nan",
    ),
    (lambda: Random(5, sparsity_level=False), TypeError, "`sparsity_level` must be a finite number .*, got False"),
    (lambda: Random(5, 9), ValueError, "`output_dim` must be an int in 1..5, got 9"),
    (lambda: NCP(0, 4, 3, 2, 2, 3, 2), ValueError, "`inter_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 0, 3, 2, 2, 3, 2), ValueError, "`command_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 4, 0, 2, 2, 3, 2), ValueError, "`motor_neurons` must be an int >= 1, got 0"),
    (lambda: NCP(5, 4, 3, 6, 2, 3, 2), ValueError, "`sensory_fanout` must be an int in 0..5, got 6"),
    (lambda: NCP(5, 4, 3, 2, 5, 3, 2), ValueError, "`inter_fanout` must be an int in 0..4, got 5"),
    (lambda: NCP(5, 4, 3, 2, 2, -1, 2), ValueError, "`recurrent_command_synapses` must be .* >= 0, got -1"),
    (lambda: NCP(5, 4, 3, 2, 2, 3, 5), ValueError, "`motor_fanin` must be an int in 0..4, got 5"),
    (lambda: NCP(5, 4, 3, 2, 2, 3, 2, 2**32), ValueError, "`seed` must be an int in 0..4294967295"),
    (lambda: AutoNCP(16, 14), ValueError, "`output_size` must be an int in 1..13, got 14"),
    (lambda: AutoNCP(3, 1), ValueError, "`units` must be an int >= 4, got 3"),
    (lambda: AutoNCP(16, 4, 0.0), ValueError, r"`sparsity_level` must be .* in \[0.1, 1\], got 0.0"),
    (lambda: AutoNCP(16, 4, 1.1), ValueError, r"`sparsity_level` must be .* in \[0.1, 1\], got 1.1"),
    (lambda: AutoNCP(16, 4, seed=-3), ValueError, "`seed` must be an int >= 0, got -3"),
    (lambda: RandomWiring(0, 2, 8), ValueError, "`input_dim` must be an int >= 1, got 0"),
    (lambda: RandomWiring(2, 9, 8), ValueError, "`output_dim` must be an int in 1..8, got 9"),
    (lambda: RandomWiring(2, 2, 8.0), TypeError, "`neuron_count` must be an int .*, got 8.0"),
    (lambda: Wiring.from_edges(3, [(3, 0, 1)], ONE), ValueError, r"`pre of edges\[0\]` .* 0..2, got 3"),
    (lambda: Wiring.from_edges(3, [(0, -1, 1)], ONE), ValueError, r"`post of edges\[0\]` .* 0..2, got -1"),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 0, 1), (2, 0, 1)], input_dim=2),
        ValueError,
        r"`pre of sensory_e.*0..1",
    ),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 3, 1)]),
        ValueError,
        r"`post of sensory_edges\[0\]` .* 0..2, got 3",
    ),
    (lambda: Wiring.from_edges(3, [(0.0, 0, 1)], ONE), TypeError, "must be an int .*, got 0.0"),
    (lambda: Wiring.from_edges(3, [(0, True, 1)], ONE), TypeError, "must be an int .*, got True"),
    (lambda: Wiring.from_edges(3, [(0, 0, True)], ONE), TypeError, "`polarity of .*` must be a finite number"),
    (lambda: Wiring.from_edges(3, [(0, 0, "+")], ONE), TypeError, "`polarity of .*` must be a finite number"),
    (
        lambda: Wiring.from_edges(3, [(0, 1, 0)], ONE),
        ValueError,
        r"`polarity` .* not 0, got 0.0 for \(0, 1\)",
    ),
    (
        lambda: Wiring.from_edges(3, [(0, 0, np.nan)], ONE),
        ValueError,
        r"`polarity of edges\[0\]` must be a finite number, got nan",
    ),
    (
        lambda: Wiring.from_edges(3, ONE, [(0, 0, -np.inf)]),
        ValueError,
        r"`polarity of sensory_edges\[0\]` must be a finite number, got -inf",
    ),
    (
        lambda: Wiring.from_edges(3, [(1, 2, 1), (0, 0, 1), (1, 2, -1)], ONE),
        ValueError,
        r"once, got \(1, 2\) twice",
    ),
    (lambda: Wiring.from_edges(3, ONE, ONE + ONE), ValueError, r"each sensory_synapse .* got \(0, 0\) twice"),
    (
        lambda: Wiring.from_edges(3, [(0, 1)], ONE),
        ValueError,
        r"`edges\[0\]` must be \(pre, post, polarity\)",
    ),
    (lambda: Wiring.from_edges(3, 5, ONE), TypeError, "`edges` must be an iterable .* got 5"),
    (
        lambda: Wiring.from_edges(3, ONE, []),
        ValueError,
        "`input_dim` must be given when `sensory_edges` is empty",
    ),
    (lambda: Wiring.from_edges(0, [], ONE), ValueError, "`units` must be an int >= 1, got 0"),
    (lambda: Wiring.from_edges(3, ONE, ONE, output_dim=4), ValueError, "`output_dim` must be .* 1..3, got 4"),
    (lambda: Wiring.from_matrix(np.ones((2, 3)), np.ones((1, 3))), ValueError, r"`adjacency` .*\(2, 3\)"),
    (lambda: Wiring.from_matrix(np.ones((0, 0)), np.ones((1, 0))), ValueError, r"`adjacency` .*\(0, 0\)"),
    (
        lambda: Wiring.from_matrix(np.eye(2), np.ones((1, 3))),
        ValueError,
        r"`sensory_adjacency` .*\(I, 2\).*\(1, 3\)",
    ),
    (lambda: Wiring.from_matrix(np.eye(2), np.ones(2)), ValueError, r"`sensory_adjacency` .* got \(2,\)"),
    (lambda: Wiring.from_matrix(np.eye(2), np.ones((0, 2))), ValueError, "rows of sensory_adjacency.* got 0"),
    (
        lambda: Wiring.from_matrix(np.eye(2, dtype=bool), np.ones((1, 2))),
        TypeError,
        "`adjacency` .* dtype bool",
    ),
    (
        lambda: Wiring.from_matrix(np.eye(2) + 0j, np.ones((1, 2))),
        TypeError,
        "`adjacency` .* dtype complex128",
    ),
    (lambda: Wiring.from_matrix(np.full((2, 2), np.nan), np.ones((1, 2))), ValueError, "finite .* got nan"),
    (lambda: hand_made().dense(np.ones(5)), ValueError, r"`values` must have shape \(6,\), got \(5,\)"),
    (
        lambda: hand_made().dense(np.ones((4, 4))),
        ValueError,
        r"`values` must have shape \(6,\), got \(4, 4\)",
    ),
    (
        lambda: hand_made().sensory_dense(["a"] * 3),
        TypeError,
        "`values` must hold real numbers, got dtype <U1",
    ),
    (
        lambda: Wiring(3, layers=[("a", [0, 1])]),
        ValueError,
        "`layers` must hold each of the neurons 0..2 once",
    ),
    (lambda: Wiring(3, layers=[("a", [0, 1, 2.0])]), TypeError, "`id in layers` must be an int .*, got 2.0"),
    (lambda: Wiring(3, arguments={"a": np.eye(2)}), TypeError, "`arguments` must hold plain JSON values"),
]


@pytest.mark.parametrize("call, error, message", ERRORS, ids=range(len(ERRORS)))
def test_errors_name_argument_rule_and_value(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert type(caught.value) is error and "\n" not in str(caught.value)
