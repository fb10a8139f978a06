"""Memory: what a training step adds to a process is what the documentation says it stores."""

import functools

import pytest
from support.processes import python

pytestmark = [pytest.mark.numba, pytest.mark.host]

# Numbers a sequence and time step beside what a layer of one input and output stores: inputs and outputs, before and
# after their mappings, what the loss makes of them, their adjoints and dt.  Nine were measured.
BESIDE = 11
# Of the page tables, the interpreter and what libraries touch for the first time, in bytes.
NOISE = 400_000

STEP = """
    import gc, sys
    import numpy as np
    from ltc_np import CTRNN, LRC, LTC, S4D, AutoNCP, FullyConnected, LiquidS4, Model, NeuralODE

    def resident(field):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

    layer, dtype, memory, call = sys.argv[1:5]
    B, T = map(int, sys.argv[5:])
    model = Model(eval(layer), seed=0, dtype=dtype, backend="cpu")
    x = np.random.default_rng(0).normal(size=(B, T, model.input_size)).astype(dtype)
    y = np.zeros((B, T, model.output_size), dtype)

    def step(T):
        if call == "fit":
            model.fit(x[:, :T], y[:, :T], epochs=1, batch_size=B, memory=memory, verbose=False)
        else:
            model.loss_and_grad(x[:, :T], y[:, :T], memory=memory)

    step(1)  # loads libraries and compiles kernels
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")  # the peak starts again at what is resident now
    except OSError:
        sys.exit(print("cannot be asked"))
    before = resident("VmRSS")
    step(T)
    print(resident("VmHWM") - before)
"""


@functools.cache
def compiled(layer, dtype):
    """A process that compiles has memory left over from that, and would need less new: so another does it before."""
    python(STEP, arguments=(layer, dtype, "full", "loss_and_grad", "1", "1"))


def added(layer, dtype, memory, B, T, call="loss_and_grad"):
    """Bytes that a training step adds to the resident memory of a new process, at its peak."""
    compiled(layer, dtype)
    found = python(STEP, arguments=(layer, dtype, memory, call, str(B), str(T)))
    if "cannot be asked" in found.stdout:
        pytest.skip("needs Linux's /proc/self/clear_refs")
    return int(found.stdout)


def stored(N, memory):
    """Numbers a sequence and step, by docs/guides/long_sequences.md: v and Q of six unfolds, or the state before it."""
    return 2 * 6 * N if memory == "full" else N


def check(numbers, beside, layer, dtype, memory, B, T):
    """A step of B sequences adds so many numbers a sequence and time step, and no more than so many beside them."""
    unit = (4 if dtype == "float32" else 8) * B * T
    assert 0.97 * numbers * unit < added(layer, dtype, memory, B, T) < (1.03 * numbers + beside) * unit + NOISE


SPARSE, DENSE = "LTC(AutoNCP(17, 1), input_dim=1)", "LTC(FullyConnected(17, 1), input_dim=1)"
both = pytest.mark.parametrize(("memory", "T"), [("full", 10_000), ("low", 60_000)])


@both
@pytest.mark.parametrize("layer", [SPARSE, DENSE], ids=["sparse", "dense"])
def test_a_lone_sequence_is_stored_once(layer, memory, T):
    """The kernels work on whole vectors: 16 sequences or neurons, where one or 17 are meant."""
    check(stored(17, memory), BESIDE, layer, "float32", memory, 1, T)


@pytest.mark.parametrize(("memory", "T", "numbers"), [("full", 30_000, 4 * 17), ("low", 60_000, 17)])
@pytest.mark.parametrize("wiring", ["AutoNCP(17, 1)", "FullyConnected(17, 1)"])
def test_a_lone_sequence_of_an_lrc_is_stored_once(wiring, memory, T, numbers):
    """By docs/maths/lrc.md: v and the three numbers of its one stage, or the state before the step."""
    check(numbers, BESIDE, f"LRC({wiring}, input_dim=1)", "float32", memory, 1, T)


@pytest.mark.parametrize(
    ("layer", "full", "low"), [("CTRNN(18, input_dim=1)", 7, 1), ("NeuralODE(18, input_dim=1)", 25, 1)]
)
@pytest.mark.parametrize(("memory", "T"), [("full", 10_000), ("low", 20_000)])
def test_a_lone_sequence_of_matrix_cells_is_stored_once(layer, full, low, memory, T):
    """By docs/maths/ctrnn.md: v of the step, and z of six unfolds of one and of four stages; units by fours."""
    numbers = 20 * (full if memory == "full" else low)
    check(numbers, 5 * 18, layer, "float32", memory, 1, T)  # outputs and their adjoints are as many as states


@pytest.mark.slow
@both
@pytest.mark.parametrize("B", [2, 5, 15])
@pytest.mark.parametrize("layer", [SPARSE, DENSE], ids=["sparse", "dense"])
def test_few_sequences_are_stored_once(layer, memory, T, B):
    check(stored(17, memory), BESIDE, layer, "float32", memory, B, T // 3)


@pytest.mark.slow
@both
@pytest.mark.parametrize(
    ("layer", "N"),
    [(SPARSE, 17), ("LTC(FullyConnected(9, 1), input_dim=1)", 9), ("LTC(FullyConnected(3, 1), input_dim=1)", 3)],
)
def test_a_lone_sequence_of_float64_is_stored_once(layer, N, memory, T):
    check(stored(N, memory), BESIDE, layer, "float64", memory, 1, T)


@pytest.mark.slow
@both
def test_more_sequences_than_a_vector_take_whole_vectors(memory, T):
    """17 sequences are worked on, and stored, like 32; 40 like 32 and 8."""
    for B, lanes in ((17, 32), (40, 40)):
        check(stored(17, memory) * lanes / B, BESIDE, SPARSE, "float32", memory, B, T // 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wiring", "memory", "megabytes"),
    [
        ("AutoNCP(32, 1)", "full", 161), ("AutoNCP(32, 1)", "low", 20),
        ("FullyConnected(32, 1)", "full", 161), ("FullyConnected(32, 1)", "low", 19.4),
    ],
)  # fmt: skip
def test_the_long_sequence_of_the_documentation(wiring, memory, megabytes):
    """The figures of docs/performance.md; the median of three within 4 %: they are rounded, and allocators differ."""
    found = [added(f"LTC({wiring}, input_dim=1)", "float32", memory, 1, 100_000, "fit") for _ in range(3)]
    assert sorted(found)[1] == pytest.approx(megabytes * 1e6, rel=0.04)


@pytest.mark.parametrize("layer", ["S4D", "LiquidS4"])
@pytest.mark.parametrize("T", [4096, 16_384])
def test_a_state_space_keeps_a_state_every_64_steps(layer, T):
    """64 channels of 64 states, 4 sequences; the promise for 16,384 steps is 400 MB."""
    B, H, N = 4, 64, 64
    numbers = T / 64 * B * H * N  # the kept states
    beside = 4 * B * T * H  # outputs, their adjoints, and what the loss works in
    found = added(f"{layer}({N}, input_dim={H})", "float32", "full", B, T)
    # The peak has one array less where a thread, on a busy machine, comes to its work only when another has ended.
    one_less = numbers + 3 * B * T * H
    whole = 3.9 * (numbers + beside) < found < 4.1 * (numbers + beside) + NOISE
    assert whole or 3.9 * one_less < found < 4.1 * one_less
    assert T < 16_384 or found < 400e6
