"""What a solver costs besides its evaluations: prints the table of "Error against cost" in docs/maths/ltc_solvers.md.

    python docs/solvers/cost.py

Exponential with 3 unfolds against semi-implicit with 6, which evaluate the synapses equally often: processor time of
one thread in float32, 64 sequences, the two in turn.  A figure is the median of the ratios of 25 such pairs, and in
brackets the middle half of them.  Takes less than a minute.
"""

import time

import numpy as np

from ltc_np import LTCRNN, AutoNCP, FullyConnected, set_num_threads

UNFOLDS = {"exponential": 3, "semi_implicit": 6}
NETWORKS = {
    "dense, N = 32, T = 100": (FullyConnected(32), 100),
    "dense, N = 64, T = 64": (FullyConnected(64), 64),
    "AutoNCP(64, 8, sparsity_level=0.9), T = 64": (AutoNCP(64, 8, sparsity_level=0.9), 64),
}
BATCH, INPUTS, PAIRS = 64, 4, 25


def seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def calls(wiring, T, solver):
    """The two calls that are timed: forward, and loss and gradient."""
    model = LTCRNN(wiring, INPUTS, solver=solver, ode_unfolds=UNFOLDS[solver], seed=0, backend="cpu")
    x = np.random.default_rng(0).standard_normal((BATCH, T, INPUTS)).astype(np.float32)
    target = np.zeros_like(model(x))
    return lambda: model(x), lambda: model.loss_and_grad(x, target)


def main():
    set_num_threads(1)
    print("| network | synapses | forward | loss and gradient |\n|---|---|---|---|")
    for name, (wiring, T) in NETWORKS.items():
        built = wiring.build(INPUTS)
        cells = [name, str(len(built.pre))]
        for pair in zip(*(calls(wiring, T, solver) for solver in UNFOLDS), strict=True):
            for call in pair:
                call()
            ratios = []
            for _ in range(PAIRS):
                exponential, semi_implicit = (seconds(call) for call in pair)
                ratios.append(exponential / semi_implicit)
            low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
            cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
