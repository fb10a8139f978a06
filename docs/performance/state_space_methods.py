"""What the ways through a sequence of a state space cost: step by step, in pieces side by side, as a convolution.

    python docs/performance/state_space_methods.py      # prints the tables of docs/maths/s4d.md; two minutes

Times are the least processor time of one thread, which others on the machine disturb less than a clock.
"""

import numpy as np

from ltc_np import S4D, LiquidS4, Model, set_num_threads
from ltc_np.bench.rates import processor_seconds

STATES, LONG = 32, 65_536
# Steps, channels, sequences; how often each is run, and how often the loop in Python.
SIZES = ((1024, 64, 32, 5, 1), (16_384, 16, 1, 20, 2), (LONG, 1, 1, 20, 1))


def both(layer, x, runs, backend="cpu"):
    """Of a call, and of a loss with its gradient."""
    model = Model(layer, seed=0, backend=backend)
    forward = 1e3 * processor_seconds(lambda: model(x), runs)
    return forward, 1e3 * processor_seconds(lambda: model.loss_and_grad(x, x), runs)


def pieces():
    print("\n| ms, in pieces / step by step | 1 channel | 4 channels | 16 channels |\n|---|---|---|---|")
    for name, kind in (("linear", S4D), ("exact liquid form", LiquidS4)):
        found = []
        for channels in (1, 4, 16):
            x = np.random.default_rng(0).normal(size=(1, LONG, channels)).astype(np.float32)
            times = [both(kind(STATES, input_dim=channels, method=method), x, 3)[1] for method in ("parallel", "scan")]
            found.append(" / ".join(f"{value:.0f}" for value in times))
        print(f"| {name} | {' | '.join(found)} |", flush=True)


def convolution():
    print(f"\n| N = {STATES}, forward / with gradients, ms | scan, compiled | scan, NumPy | FFT |\n|---|---|---|---|")
    for T, channels, B, runs, slow in SIZES:
        x = np.random.default_rng(0).normal(size=(B, T, channels)).astype(np.float32)
        found = [
            both(S4D(STATES, input_dim=channels, method=method), x, times, backend)
            for method, times, backend in (("scan", runs, "cpu"), ("scan", slow, "numpy"), ("fft", runs, "cpu"))
        ]
        cells = " | ".join(f"{a:.3g} / {b:.3g}" for a, b in found)
        print(f"| T = {T:,}, channels: {channels}, sequences: {B} | {cells} |", flush=True)


if __name__ == "__main__":
    set_num_threads(1)
    pieces()
    convolution()
