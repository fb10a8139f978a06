"""Time an LRC beside an LTC of six unfolds on the same wiring, and print the table of docs/performance.md.

    python docs/performance/lrc.py

One thread; the models take turns, call by call, and the time is that of the thread's processor, so that other processes
disturb little.  A figure is the median over the turns of the ratio of two neighbouring calls.  `LTC, 1 unfold` shows
what is left to gain: it evaluates the same synapses as often.
"""

import time
from functools import partial

import numpy as np

from ltc_np import LRC, LTC, AutoNCP, FullyConnected, Model, set_num_threads
from ltc_np.bench.host import machine

TURNS = 60
WIRINGS = {
    "AutoNCP(32, 8)": AutoNCP(32, 8),
    "AutoNCP(64, 8)": AutoNCP(64, 8),
    "FullyConnected(32)": FullyConnected(32),
    "FullyConnected(64)": FullyConnected(64),
}
LAYERS = {
    "LTC": LTC,
    "LTC, 1 unfold": partial(LTC, ode_unfolds=1),
    "LRC": LRC,
    "LRC, by state": partial(LRC, elastance_by="state"),
}


def ratios(calls):
    """The time of the first call, and the ratios of all to it."""
    for call in calls:
        call()
    times = np.empty((TURNS, len(calls)))
    for turn in times:
        for k, call in enumerate(calls):
            start = time.thread_time()
            call()
            turn[k] = time.thread_time() - start
    return np.median(times[:, 0]), np.median(times / times[:, :1], axis=0)


def main():
    set_num_threads(1)
    found = machine()
    print(
        f"{found['cpu']}, {found['instruction_set'] or 'no AVX-512'}, 1 thread, Numba {found['numba']}; I = 4, float32"
    )
    print(f"{'wiring':18} {'B':>3} {'synapses':>8} {'':8} {'LTC us':>8} " + " ".join(f"{n:>13}" for n in [*LAYERS][1:]))
    rng = np.random.default_rng(0)
    for name, wiring in WIRINGS.items():
        for B, T in ((1, 1000), (32, 100)):
            models = [Model(layer(wiring), input_dim=4, seed=0) for layer in LAYERS.values()]
            x = rng.normal(size=(B, T, 4)).astype(np.float32)
            y = rng.normal(size=(B, T, models[0].output_size)).astype(np.float32)
            built = models[0].layers[0].wiring
            count = built.synapse_count + built.sensory_synapse_count
            for kind in ("forward", "gradient"):
                calls = [partial(m, x) if kind == "forward" else partial(m.loss_and_grad, x, y) for m in models]
                first, all_ratios = ratios(calls)
                row = " ".join(f"{ratio:13.2f}" for ratio in all_ratios[1:])
                print(f"{name:18} {B:3} {count:8} {kind:8} {first / T * 1e6:8.1f} {row}", flush=True)


if __name__ == "__main__":
    main()
