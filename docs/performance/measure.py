"""Measure which loop order and tile width the LTC's kernels should take: writes orders.json beside this file.

    python docs/performance/measure.py

One thread; each figure is G synapse evaluations per second of forward and backward together (one evaluation counted
once), the best of five runs of some milliseconds.  `is_batch_major` and `tile_width` in ltc_np/kernels/cpu/tiles.py
follow from it.  Takes about three minutes, on an idle machine.
"""

import json
import pathlib
import time

import numpy as np

from ltc_np import LTCRNN, AutoNCP, FullyConnected, losses, set_num_threads
from ltc_np.base.workspace import Workspace
from ltc_np.bench.host import machine
from ltc_np.kernels.cpu import tiles
from ltc_np.network.engine import Batch, Objective
from ltc_np.network.sequences import Sequences

SIZES = (4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 12, 16, 32, 64, 128)
WIRINGS = {
    "dense": lambda N: FullyConnected(N, 2),
    "sparse": lambda N: AutoNCP(N, 2, sparsity_level=0.8) if N >= 8 else None,
}
EVALUATIONS = 2_000_000  # of one run, about


def rate(model, B):
    """G evaluations per second of a training step's kernels."""
    I, N = model.input_size, model.state_size
    per_step = B * (6 * model.wiring.synapse_count + model.wiring.sensory_synapse_count)
    T = int(np.clip(EVALUATIONS // per_step, 1, 400))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((B, T, I)).astype("float32")
    y = np.zeros((B, T, 2), "float32")
    sequences = Sequences(x, np.ones((B, T), "float32"), np.full(B, T), None, np.zeros((B, N), "float32"))
    batch, objective, workspace = Batch(sequences, y, None, None), Objective(losses.mse, None, None), Workspace()
    best = np.inf
    for _ in range(6):
        start = time.perf_counter()
        model.engine.loss_and_grad(batch, objective, "full", workspace)
        best = min(best, time.perf_counter() - start)
    return per_step * T / best / 1e9


def main():
    set_num_threads(1)
    rows = []
    for name, make in WIRINGS.items():
        for N in SIZES:
            wiring = make(N)
            if wiring is None:
                continue
            model = LTCRNN(wiring, 4, seed=0)
            for B in BATCHES:
                row = {"wiring": name, "N": N, "B": B}
                orders = [("lanes", width) for width in (16, 32, 64) if width == 16 or width < 2 * B]
                for order, width in orders + [("posts", 1)] * (name == "dense" and B <= 32):
                    tiles.is_batch_major = lambda *_, order=order: order == "posts"
                    tiles.tile_width = lambda *_, width=width: width
                    row[order + ("" if order == "posts" else str(width))] = round(rate(model, B), 3)
                print(row, flush=True)
                rows.append(row)
    path = pathlib.Path(__file__).with_name("orders.json")
    path.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
