"""On a real GPU: what the emulator has shown of the kernels, and what only a card can show."""

import json

import numpy as np
import pytest

pytest.importorskip("numba")

from support.card import CASES, RUNS, TOLERANCES, compare, pair, train_both

from ltc_np import LTC, AutoNCP, FullyConnected
from ltc_np.bench import command
from ltc_np.kernels.cuda import device, ltc

REASON = device.why_not()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

LARGE = {
    "dense": (FullyConnected(64, 10), 8, 300, 40, "semi_implicit", 6),
    "a block of one sequence": (FullyConnected(512), 3, 5, 3, "semi_implicit", 2),
    "sparse": (AutoNCP(130, 4, sparsity_level=0.9, seed=0), 5, 1000, 9, "exponential", 3),
    "many short": (FullyConnected(8), 2, 20000, 3, "semi_implicit", 6),
}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", CASES)
def test_equals_numpy(case, dtype, many, monkeypatch, rng):
    wiring, I, B, T, lengths, solver, unfolds, _ = CASES[case]
    if many:
        monkeypatch.setattr(ltc, "ENOUGH_THREADS", 1)
    compare(
        rng, LTC(wiring, input_dim=I, solver=solver, ode_unfolds=unfolds, check_stability="off"), B, T, dtype, lengths
    )


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", LARGE)
def test_large_batches_equal_numpy_and_repeat_their_bits(case, dtype, rng):
    wiring, I, B, T, solver, unfolds = LARGE[case]
    layer = LTC(wiring, input_dim=I, solver=solver, ode_unfolds=unfolds)
    lengths = np.random.default_rng(1).integers(0, T + 1, B).tolist()
    found = [compare(np.random.default_rng(0), layer, B, T, dtype, lengths, m) for m in ("full", "full", "low")]
    for other in found[1:]:
        assert all(np.array_equal(found[0][name], other[name]) for name in other)


@pytest.mark.parametrize("name", RUNS)
def test_training_equals_numpy(name, rng):
    train_both(name, rng)


def test_long_sequences_in_chunks_keep_their_bits(rng):
    model, x = pair(LTC(AutoNCP(19, 2, seed=1), input_dim=2), dtype="float32")[1], rng.normal(size=(2, 5000, 2))
    (y, tape), d_y = model.forward(x), rng.normal(size=(2, 5000, 2))
    assert model.last_parallel[0].chunks >= 4
    theta = model.backward(tape, d_y).theta
    whole, tape = model.forward(x, parallel_time=False)
    assert np.array_equal(y, whole) and model.last_parallel == ()
    want = model.backward(tape, d_y).theta
    np.testing.assert_allclose(theta, want, atol=1e-5 * np.abs(want).max())


def test_what_cannot_fit_is_refused():
    model = pair(LTC(FullyConnected(512), input_dim=512, ode_unfolds=100_000), dtype="float64")[1]
    with pytest.raises(MemoryError, match="on the GPU, of which .* are free"):
        model.forward(np.broadcast_to(np.float64(0), (4096, 60, 512)))


def test_tensors_of_pytorch_go_in_and_come_out_without_a_copy(rng):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    definition, model = pair(LTC(AutoNCP(9, 3, seed=1), input_dim=3), dtype="float32")
    x = rng.normal(size=(4, 5, 3)).astype(np.float32)
    y = torch.as_tensor(model(torch.from_numpy(x).cuda()), device="cuda")
    np.testing.assert_allclose(y.cpu().numpy(), definition(x), rtol=1e-4, atol=1e-5)


def test_the_benchmark_runs(capsys):
    command.main(["--backend", "cuda", "--cases", "batch", "--dtypes", "float32", "--runs", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["cases"][0]["forward_share"] > 0
