"""Training on chunks of a sequence: prints the table of docs/maths/bptt.md.

    python docs/scripts/truncation.py      # about a minute of one core

The target is a mean of the past, y = 0.95 y + 0.05 x, of 200 standard normal inputs, in units of its own spread.  An
LTC of 16 neurons with time constants from 1 to 100 learns it from 128 sequences, and is tested on 256 others.  A chunk
makes an optimiser step of its own, so chunks of K steps make 200 / K times as many of them in an epoch: the rows have
either the same number of epochs or the same number of optimiser steps.
"""

import numpy as np

from ltc_np import LTCRNN, Adam, CosineDecay, FullyConnected

T, SEEDS, CHUNKS = 200, 5, (1, 5, 10, 20, 50, 100, 200)
EPOCHS, STEPS, BATCHES = 10, 1600, 8  # eight batches of 16 sequences


def data(sequences, seed):
    x = np.random.default_rng(seed).standard_normal((sequences, T, 1))
    y, mean = np.zeros_like(x), 0.0
    for t in range(T):
        y[:, t] = mean = 0.95 * mean + 0.05 * x[:, t]
    return x, y / np.sqrt(0.05**2 / (1 - 0.95**2))


def error(K, epochs, seed):
    """Mean squared error on the test sequences; 1 is that of a constant."""
    model = LTCRNN(FullyConnected(16, 1, erev_init_seed=seed), 1, init={"time_constants": (1, 100)}, seed=seed)
    x, y = data(16 * BATCHES, 2 * seed)
    optimizer = Adam(CosineDecay(0.01, epochs * BATCHES * T // K))
    model.fit(x, y, epochs=epochs, batch_size=16, tbptt=K, optimizer=optimizer, clip_norm=1.0, seed=seed, verbose=False)
    return model.evaluate(*data(256, 2 * seed + 1))["loss"]


def row(K):
    def errors(epochs):
        found = [error(K, epochs, seed) for seed in range(SEEDS)]
        return f"{np.median(found):.4f} | {min(found):.4f} to {max(found):.4f}"

    epochs = STEPS * K // (BATCHES * T)
    return f"| {K} | {errors(EPOCHS)} | {epochs} | {errors(epochs)} |"


def main():
    print(f"| K | {EPOCHS} epochs | five seeds | epochs for {STEPS} steps | {STEPS} steps | five seeds |")
    print("|---" * 6 + "|")
    for K in CHUNKS:
        print(row(K), flush=True)


if __name__ == "__main__":
    main()
