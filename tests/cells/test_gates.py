"""Cells of gates: what they share, each of them: finite differences, backends, threads, parts, padding, workspaces."""

import numpy as np
import pytest
from support.gradients import worst

from ltc_np import CTGRU, GRU, LSTM, Adam, Dense, Model, gradcheck, load, set_num_threads
from ltc_np.cells import initial
from ltc_np.kernels import gates


def late(units, input_dim):
    """A CT-GRU in the other order, of few scales."""
    return CTGRU(units, input_dim=input_dim, scales=3, decay="after")


cells = pytest.mark.parametrize("cell", [LSTM, GRU, CTGRU, late])


def times(model, rng, B, T):
    """dt of a call: some of it 0."""
    return rng.choice([0.0, 0.2, 1.0, 5.0], (B, T)) if model.takes_dt else None


def test_orthogonal_draws_are_uniform():
    """QR without the sign of R would give a first entry that is never positive."""
    rng = np.random.default_rng(0)
    first = [initial.orthogonal(rng, (3, 3))[0, 0] for _ in range(200)]
    assert 70 < np.sum(np.array(first) > 0) < 130  # 100 +- 4 standard deviations


@cells
@pytest.mark.parametrize(("B", "T", "I", "N"), [(3, 4, 2, 5), (5, 4, 2, 5), (4, 4, 3, 5), (3, 4, 5, 5), (2, 1, 3, 4)])
def test_gradients(cell, B, T, I, N, backend):
    rng = np.random.default_rng(B + T)
    model = Model(cell(N, input_dim=I), seed=1, dtype="float64", backend=backend)
    model.theta = rng.normal(size=model.theta.size)
    lengths = rng.integers(0, T + 1, B)
    lengths[1] = T
    assert worst(model, rng.normal(size=(B, T, I)), dt=times(model, rng, B, T), lengths=lengths) < 1e-6


@cells
def test_gradient_along_a_direction_at_a_realistic_size(cell):
    rng = np.random.default_rng(0)
    model = Model(cell(40, input_dim=3), Dense(2), seed=1, dtype="float64")
    x, lengths = rng.normal(size=(64, 30, 3)), rng.integers(0, 31, 64)
    assert gradcheck.direction(model, x, dt=times(model, rng, 64, 30), lengths=lengths) < 1e-6


@pytest.mark.slow
@cells
def test_the_same_bits_for_every_number_of_threads(cell, backend):
    """The batch is cut by its size alone, and is cut here."""
    rng = np.random.default_rng(0)
    B, N = 70, 56
    assert gates.count_parts(B, 3 * N * N) == 2
    model, results = Model(cell(N, input_dim=3), seed=0, backend=backend), []
    x, y, lengths = rng.normal(size=(B, 6, 3)), rng.normal(size=(B, 6, N)), rng.integers(0, 7, B)
    dt = times(model, rng, B, 6)
    try:
        for n in (1, 2, 5):
            set_num_threads(n)
            results.append((model(x, dt=dt, lengths=lengths), model.loss_and_grad(x, y, dt=dt, lengths=lengths)[1]))
    finally:
        set_num_threads(None)
    for outputs, gradient in results[1:]:
        assert np.array_equal(outputs, results[0][0])
        assert np.array_equal(gradient, results[0][1])


@cells
def test_parts_of_the_batch_are_the_whole(cell):
    rng = np.random.default_rng(0)
    model = Model(cell(64, input_dim=3), seed=0, dtype="float64")
    x, lengths, dt = rng.normal(size=(100, 5, 3)), rng.integers(1, 6, 100), times(model, rng, 100, 5)
    y = model(x, dt=dt, lengths=lengths)
    for b in range(0, 100, 9):
        alone = model(x[b : b + 1], dt=None if dt is None else dt[b : b + 1], lengths=lengths[b : b + 1])
        np.testing.assert_allclose(y[b : b + 1], alone, rtol=0, atol=1e-13)


def test_count_parts():
    """Parts of at least 32 sequences, and only where a step's products are worth a thread."""
    assert [gates.count_parts(B, 10**6) for B in (1, 32, 63, 64, 100, 256)] == [1, 1, 1, 2, 3, 8]
    assert gates.count_parts(1000, 100) == 1
    assert gates.count_parts(1000, 800) == 3


@pytest.mark.slow
@cells
def test_it_learns_what_needs_memory(cell, tmp_path):
    """The first of ten inputs, asked for at the end."""
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (128, 10, 1))
    model = Model(cell(12, input_dim=1), Dense(1), seed=0, return_sequences=False)
    model.fit(x, x[:, 0], epochs=60, optimizer=Adam(0.02), seed=0, verbose=False)
    assert model.evaluate(x, x[:, 0], metrics=["r2"])["r2"] > 0.95
    model.save(tmp_path / "cell.npz")
    assert np.array_equal(load(tmp_path / "cell.npz")(x), model(x))
