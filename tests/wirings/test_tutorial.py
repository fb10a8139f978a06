"""The tutorial's wiring."""

import numpy as np

from ltc_np.wirings import RandomWiring


def test_random_wiring_draws_in_the_order_of_the_tutorial():
    rng = np.random.default_rng(8)
    matrices = [rng.uniform(0, 1, (5, 5)), rng.uniform(0, 1, (2, 5))]
    matrices += [rng.uniform(-0.2, 0.2, (5, 5)), rng.uniform(-0.2, 0.2, (2, 5))]
    wiring = RandomWiring(2, 3, 5, seed=8)
    assert (wiring.input_dim, wiring.output_dim, wiring.neuron_count, wiring.units) == (2, 3, 5, 5)
    assert wiring.is_built and set(wiring.polarity) == set(wiring.sensory_polarity) == {1.0}
    np.testing.assert_array_equal(wiring.adjacency_matrix, matrices[0])
    np.testing.assert_array_equal(wiring.sensory_adjacency_matrix, matrices[1])
    np.testing.assert_array_equal(wiring.erev_initializer(), matrices[2])
    np.testing.assert_array_equal(wiring.sensory_erev_initializer(), matrices[3])
    np.testing.assert_array_equal(wiring.gain, matrices[0].T.ravel())
