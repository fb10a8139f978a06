"""How a call is cut into tiles: each sequence once, by the kernel for its tile, and room for what is kept of it."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from support.backends import NO_KERNELS

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

import ltc_np
from ltc_np import LRC, LTC, LTCRNN, AutoNCP, FullyConnected, Model
from ltc_np.kernels.cpu import tiles


def sparse(N, dtype):
    recurrent = SimpleNamespace(n_post=N, dense=False)
    return SimpleNamespace(
        recurrent=recurrent,
        sensory=recurrent,
        neuron_major="neuron",
        batch_major="batch",
        batch_major_for_few_lanes=True,
        dtype=np.dtype(dtype),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("N", [3, 40])
def test_every_tile_belongs_to_the_kernel_for_its_size(N, dtype):
    W = 64 // np.dtype(dtype).itemsize
    for B, shared in itertools.product(range(1, 400), (False, True)):
        cut, found = tiles.Cut.make(sparse(N, dtype), B, 2, shared), []
        for width, begin, end, pairs in cut.groups:
            assert width == cut.width
            for tile in range(begin, end):
                count = min(width, B - tile * width)
                found.append(count)
                assert (pairs is None) == (count <= W), (B, tile)
        assert len(found) == cut.tiles
        assert sum(found) == B
        # All lanes of what is worked on by pairs; of a single vector those that sequences are in.
        kept = [count if count <= W else -(-count // (2 * W)) * 2 * W for count in found]
        assert cut.slot == N * sum(kept)


def test_long_calls_have_several_tiles():
    dense = sparse(32, "float32")
    dense.recurrent.dense = True
    for B, shared, tiles_of in ((16, False, 1), (16, True, 16), (24, True, 24), (32, True, 2), (32, False, 2)):
        assert tiles.Cut.make(dense, B, 2, shared).tiles == tiles_of
    assert [tiles.Cut.make(sparse(16, "float32"), 32, 2, shared).tiles for shared in (False, True)] == [1, 2]


def test_as_many_threads_as_there_are_tiles_go_back(monkeypatch):
    """There is a gradient row for each of 20 tiles, whatever the number of threads, and rows are added in order."""
    monkeypatch.setattr(tiles, "PARALLEL_EVALUATIONS", 0)
    made, make, gradients = [], tiles._Backward.make, []
    monkeypatch.setattr(tiles._Backward, "make", lambda *given: made.append(make(*given)) or made[-1])
    rng, model = np.random.default_rng(0), LTCRNN(AutoNCP(5, 2), 2, seed=0, ode_unfolds=1, backend="cpu")
    x, y = rng.standard_normal((20 * 64 - 3, 2, 2)), rng.standard_normal((20 * 64 - 3, 2, 2))
    try:
        for threads in (1, 19):
            ltc_np.set_num_threads(threads)
            gradients.append(model.loss_and_grad(x, y)[1])
    finally:
        ltc_np.set_num_threads(None)
    assert [back.threads for back in made] == [1, 19] and [len(back.gradients[0]) for back in made] == [20, 20]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("cell", [LTC, LRC])
@pytest.mark.parametrize(("dtype", "B"), [("float32", 33), ("float32", 300), ("float64", 25), ("float64", 290)])
def test_a_sequence_has_the_same_bits_in_every_tile(cell, dtype, B):
    """33 and 25 sequences end with one vector behind tiles of pairs, 300 and 290 with a pair that is half full."""
    rng = np.random.default_rng(0)
    model = Model(cell(AutoNCP(12, 3), input_dim=2), seed=0, dtype=dtype, backend="cpu")
    x, d_y = rng.normal(size=(B, 4, 2)).astype(dtype), rng.normal(size=(B, 4, 3)).astype(dtype)
    y, tape = model.forward(x)
    d_x = model.backward(tape, d_y).x
    alone = np.concatenate([model(x[k : k + 1]) for k in range(B)])
    assert np.array_equal(y, alone)
    for k in (0, B - 1):
        _, tape = model.forward(x[k : k + 1])
        assert np.array_equal(model.backward(tape, d_y[k : k + 1]).x[0], d_x[k])


@pytest.mark.parametrize("cell", [LTC, LRC])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vectors", [1, 2])
def test_every_lane_is_in_the_sums(cell, dtype, vectors):
    """What one sequence of a vector or a pair gives to the gradients is what it gives alone, to the bit."""
    B = vectors * 64 // np.dtype(dtype).itemsize
    rng = np.random.default_rng(1)
    model = Model(cell(AutoNCP(12, 3), input_dim=2), seed=0, dtype=dtype, backend="cpu")
    x, d_y = rng.normal(size=(B, 4, 2)).astype(dtype), rng.normal(size=(B, 4, 3)).astype(dtype)
    for k in range(B):
        _, tape = model.forward(x)
        together = model.backward(tape, np.where(np.arange(B)[:, None, None] == k, d_y, np.zeros_like(d_y))).theta
        _, tape = model.forward(x[k : k + 1])
        alone = model.backward(tape, d_y[k : k + 1]).theta
        np.testing.assert_array_equal(together, alone, err_msg=str(k))
        assert np.count_nonzero(alone) > 0.9 * alone.size


SHORT = {
    "pairs": (FullyConnected(5), 32, {}),
    "one vector, padded": (AutoNCP(9, 2), 11, {"solver": "rk4", "ode_unfolds": 3}),
    "two tiles, the last of one vector": (AutoNCP(9, 2), 40, {}),
}


@pytest.mark.parametrize("name", SHORT)
def test_kept_sigmoids_change_no_bit(name, monkeypatch):
    wiring, B, options = SHORT[name]
    model = LTCRNN(wiring, 2, seed=0, backend="cpu", **options)
    rng = np.random.default_rng(0)
    x, d_y = rng.standard_normal((B, 4, 2)), rng.standard_normal((B, 4, model.output_size))
    found, kept = [], []
    sigmoids = tiles.SynapticCircuit.sigmoids
    monkeypatch.setattr(tiles.SynapticCircuit, "sigmoids", lambda *a: kept.append(sigmoids(*a)) or kept[-1])
    for most in (0, 2**22):
        monkeypatch.setattr(tiles, "KEPT_SIGMOIDS", most)
        _, tape = model.forward(x, lengths=np.arange(B) % 4 + 1)
        found.append(model.backward(tape, d_y))
    assert kept[0] == 0 < kept[1]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sigmoids_of_long_calls_are_not_kept():
    circuit = LTCRNN(FullyConnected(8), 2, seed=0, backend="cpu").engine.remembered().prepared.layers[0].circuit
    cut = tiles.Cut.make(circuit, 32, 1, False)
    assert circuit.sigmoids(cut, 32, 512) == 32 * 512 * 64 == tiles.KEPT_SIGMOIDS // 4
    assert circuit.sigmoids(cut, 32, 513) == 0
