"""What one long sequence costs an LTC as it stands: memory and processor time of a training step, and of `Model.step`.

    python docs/performance/one_sequence.py

Memory is the peak of NumPy's arrays above those that were there before; times are of the processor, one thread, the
least of three runs, so that other work on the machine matters little.
"""

import tracemalloc

import numpy as np

from ltc_np import LTCRNN, AutoNCP, FullyConnected, set_num_threads
from ltc_np.bench.rates import processor_seconds

T, N, INPUTS = 100_000, 32, 4


def peak(function):
    """MB of arrays that a call needs at once."""
    tracemalloc.start()
    function()
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return megabytes


def main():
    set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, T, INPUTS)).astype("float32")
    y = np.zeros((1, T, 1), "float32")
    for wiring in (FullyConnected(N, 1), AutoNCP(N, 1)):
        for memory in ("full", "low"):
            model = LTCRNN(wiring, INPUTS, seed=0)
            model.parallel_time = False
            model.loss_and_grad(x[:, :1], y[:, :1], memory=memory)  # compiles

            def train(model=model, memory=memory):
                model.loss_and_grad(x, y, memory=memory)

            megabytes = peak(train)  # first: arrays are kept for the next call
            print(
                f"{type(wiring).__name__}, memory={memory!r}: {processor_seconds(train, 3):.2f} s, {megabytes:.0f} MB"
            )
    model = LTCRNN(AutoNCP(19, 1), 32, seed=0)
    state, x_t = np.zeros(19, "float32"), np.zeros(32, "float32")

    def steps():
        for _ in range(1000):
            model.step(x_t, state=state)

    synapses = model.wiring.synapse_count + model.wiring.sensory_synapse_count
    print(f"step, {synapses} synapses: {processor_seconds(steps, 3) * 1e3:.0f} µs")


if __name__ == "__main__":
    main()
