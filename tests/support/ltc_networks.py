"""Networks of LTCs on wirings of all kinds, with data that have zeros in dt and sequences of all lengths."""

import numpy as np

from ltc_np import LTCRNN, AutoNCP, FullyConnected, Random, RandomWiring, Wiring

B, T, I = 3, 4, 2

# Sizes all differ (N = 5, 8, 13); the last three are the traps B == N, B == T, I == N.
WIRINGS = {
    "dense": (FullyConnected(5, 2), I, B, T),
    "dense, no self-connections": (FullyConnected(5, 2, self_connections=False), I, B, T),
    "sparse": (AutoNCP(8, 2), I, B, T),
    "random, neurons without synapses": (Random(7, 3, sparsity_level=0.8, random_seed=3), I, B, T),
    "tutorial": (RandomWiring(I, 2, 8, seed=0), I, B, T),
    "batch-major": (FullyConnected(13, 2), I, B, T),
    "no recurrent synapse": (Wiring.from_edges(2, [], [(0, 0, 1), (1, 1, -1)], input_dim=2), I, B, T),
    "B == N": (FullyConnected(4, 2), I, 4, 3),
    "B == T": (FullyConnected(5, 2), I, 4, 4),
    "I == N": (FullyConnected(3, 2), 3, 2, 4),
    "one of everything": (FullyConnected(1, 1), 1, 1, 1),
}


def make(key, backend, dtype="float64", seed=1, **options):
    wiring, inputs, batch, steps = WIRINGS[key]
    model = LTCRNN(wiring, inputs, seed=seed, dtype=dtype, backend=backend, **options)
    rng = np.random.default_rng(7)
    model.theta = model.theta + np.abs(rng.normal(size=model.theta.size)) * 0.2  # stays positive for "clip"
    x = rng.normal(size=(batch, steps, inputs))
    dt = rng.uniform(0, 2, (batch, steps))
    if steps > 1:
        dt[0, 1] = 0
    lengths = rng.integers(1, steps + 1, batch)
    lengths[0] = steps
    if batch > 2:
        lengths[1] = 0
    return model, x, dt, lengths
