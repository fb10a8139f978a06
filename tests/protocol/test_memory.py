"""Memory: a training step allocates what the documentation says it stores, counted by `tracemalloc`.

NumPy reports every array to it, so the figures are exact and the same beside other work.  The resident memory of a
process is neither: what the allocator keeps, huge pages and other threads change it by megabytes.
"""

import tracemalloc

import numpy as np
import pytest

from ltc_np import BPTT, CTRNN, LRC, LTC, S4D, AutoNCP, FullyConnected, LiquidS4, Model, NeuralODE

pytestmark = [pytest.mark.compiled, pytest.mark.host]

# Numbers a sequence and time step beside what a layer of one input and output stores: outputs, before and after their
# mapping, what the loss makes of them, their adjoints and dt.  Eight to ten were measured.
BESIDE = 11
# Parameters, their gradients, what the threads add to, and objects of Python, in bytes.
NOISE = 300_000


def added(layer, dtype, memory, B, T, call="loss_and_grad", parallel_time=False):
    """Bytes that a training step of a new model adds at its peak; its kernels are loaded before."""

    def step():
        model = Model(layer(), seed=0, dtype=dtype, backend="cpu")
        model.parallel_time = parallel_time
        if call == "fit":
            model.fit(x, y, epochs=1, batch_size=B, tbptt=BPTT(memory=memory), verbose=False)
        else:
            model.loss_and_grad(x, y, memory=memory)

    x = np.random.default_rng(0).normal(size=(B, T, layer().input_size)).astype(dtype)
    y = np.zeros((B, T, layer().output_size), dtype)
    step()
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def stored(N, memory):
    """Numbers a sequence and step, by docs/guides/long_sequences.md: v and Q of six unfolds, or the state before it."""
    return 2 * 6 * N if memory == "full" else N


def check(numbers, beside, layer, dtype, memory, B, T):
    """A step of B sequences adds so many numbers a sequence and time step, and no more than so many beside them."""
    unit = (4 if dtype == "float32" else 8) * B * T
    assert numbers * unit < added(layer, dtype, memory, B, T) < (numbers + beside) * unit + NOISE


def sparse():
    return LTC(AutoNCP(17, 1), input_dim=1)


def dense(N=17):
    return LTC(FullyConnected(N, 1), input_dim=1)


both = pytest.mark.parametrize(("memory", "T"), [("full", 10_000), ("low", 60_000)])
each = pytest.mark.parametrize("layer", [sparse, dense])


@pytest.mark.single
@both
@each
def test_a_lone_sequence_is_stored_once(layer, memory, T):
    """The kernels work on whole vectors: 16 sequences or neurons, where one or 17 are meant."""
    check(stored(17, memory), BESIDE, layer, "float32", memory, 1, T)


@pytest.mark.single
@each
def test_chunks_take_three_times_the_memory_at_most(layer):
    """By docs/guides/long_sequences.md: the steps before and behind the borders are run once more."""
    whole, chunks = (added(layer, "float32", "full", 1, 10_000, parallel_time=way) for way in (False, "auto"))
    assert whole < chunks < 3 * whole


@pytest.mark.single
@pytest.mark.parametrize(("memory", "T", "numbers"), [("full", 30_000, 4 * 17), ("low", 60_000, 17)])
@pytest.mark.parametrize("wiring", [AutoNCP, FullyConnected])
def test_a_lone_sequence_of_an_lrc_is_stored_once(wiring, memory, T, numbers):
    """By docs/maths/lrc.md: v and the three numbers of its one stage, or the state before the step."""
    check(numbers, BESIDE, lambda: LRC(wiring(17, 1), input_dim=1), "float32", memory, 1, T)


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "full", "low"), [(CTRNN, 7, 1), (NeuralODE, 25, 1)])
@pytest.mark.parametrize(("memory", "T"), [("full", 10_000), ("low", 20_000)])
def test_a_lone_sequence_of_matrix_cells_is_stored_once(layer, full, low, memory, T):
    """By docs/maths/ctrnn.md: v of the step, and z of six unfolds of one and of four stages; units by fours."""
    numbers = 20 * (full if memory == "full" else low)
    # Outputs and their adjoints are as many as states.
    check(numbers, 5 * 18, lambda: layer(18, input_dim=1), "float32", memory, 1, T)


@pytest.mark.slow
@both
@pytest.mark.parametrize("B", [2, 5, 15])
@each
def test_few_sequences_are_stored_once(layer, memory, T, B):
    check(stored(17, memory), BESIDE, layer, "float32", memory, B, T // 3)


@pytest.mark.slow
@both
@pytest.mark.parametrize("N", [17, 9, 3])
def test_a_lone_sequence_of_float64_is_stored_once(N, memory, T):
    check(stored(N, memory), BESIDE, sparse if N == 17 else lambda: dense(N), "float64", memory, 1, T)


@pytest.mark.slow
@both
def test_more_sequences_than_a_vector_take_whole_vectors(memory, T):
    """17 sequences of a long call are 16 and 1, 40 are 32 and 8, which are stored as they are; of 50 the 18 are 32."""
    for B, lanes in ((17, 17), (40, 40), (50, 64)):
        check(stored(17, memory) * lanes / B, BESIDE, sparse, "float32", memory, B, T // 10)


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "megabytes"), [("full", 159.9), ("low", 19.1)])
@pytest.mark.parametrize("wiring", [AutoNCP, FullyConnected])
def test_the_long_sequence_of_the_documentation(wiring, memory, megabytes):
    """The figures of docs/performance.md are of the resident memory, and agree with these to a megabyte."""
    found = added(lambda: LTC(wiring(32, 1), input_dim=1), "float32", memory, 1, 100_000, "fit")
    # Beside them: what `fit` has to work with, and some 0.1 MB of its look at how far back the network reaches.
    assert abs(found - megabytes * 1e6) < 0.3e6


@pytest.mark.slow
@pytest.mark.parametrize("layer", [S4D, LiquidS4])
@pytest.mark.parametrize("T", [4096, 16_384])
def test_a_state_space_keeps_a_state_every_64_steps(layer, T):
    """64 channels of 64 states, 4 sequences; the promise for 16,384 steps is 400 MB."""
    B, H, N = 4, 64, 64
    numbers = T / 64 * B * H * N  # the kept states
    beside = 3 * B * T * H  # outputs, their adjoints, and what the loss works in
    found = added(lambda: layer(N, input_dim=H), "float32", "full", B, T)
    # The second: pieces of the sum of squares.
    assert 4 * (numbers + beside) < found < 4.05 * (numbers + beside) + 2 * NOISE
    assert T < 16_384 or found < 400e6
