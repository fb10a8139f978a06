"""Products inside of kernels, through the layers that are made of them: every size, both types, any batch."""

import numpy as np
import pytest

from ltc_np import CTGRU, GRU, LSTM, CfC, Model
from ltc_np.base.workspace import Workspace
from ltc_np.kernels.cpu import gates, products


def late(units, input_dim):
    """A CT-GRU with more scales than a tile has sequences, whose outputs come after the decay."""
    return CTGRU(units, input_dim=input_dim, scales=70, tau_ratio=1.05, decay="after")


cells = pytest.mark.parametrize("cell", [LSTM, GRU, CTGRU, late])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_packed_matrices_are_their_columns_by_vectors(dtype):
    rng = np.random.default_rng(0)
    W = 64 // np.dtype(dtype).itemsize
    for widths in ((1,), (W,), (W + 1,), (3, 2 * W), (2 * W + 5, 1, W)):
        matrices = [rng.normal(size=(5, n)).astype(dtype) for n in widths]
        found = products.packed(*matrices)
        wide = [np.pad(m, ((0, 0), (0, -m.shape[1] % W))) for m in matrices]
        assert np.array_equal(found.transpose(1, 0, 2).reshape(5, -1), np.concatenate(wide, axis=1))
        assert found.dtype == dtype
        assert np.array_equal(products.packed(*(np.asfortranarray(m) for m in matrices)), found)


@cells
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("N", "I", "B", "T"), [(1, 1, 1, 1), (3, 17, 9, 2), (7, 2, 5, 40), (33, 1, 17, 3), (65, 5, 3, 5)]
)
def test_every_size_is_as_defined(cell, N, I, B, T, dtype):
    """Against the definition, of float64; with sequences that end, and some that have no step."""
    rng, found = np.random.default_rng(N), []
    layer = cell(N, input_dim=I)
    x, h0, lengths = rng.normal(size=(B, T, I)), rng.normal(size=(B, layer.state_size)), rng.integers(0, T + 1, B)
    lengths[-1] = T
    dt = {"dt": rng.choice([0.0, 0.3, 2.0], (B, T))} if layer.takes_dt else {}
    d_y, d_h = rng.normal(size=(B, T, N)), rng.normal(size=h0.shape)
    for backend, precision in (("cpu", dtype), ("numpy", "float64")):
        model = Model(layer, seed=0, dtype=precision, backend=backend)
        model.theta = np.random.default_rng(1).normal(0, 1 / (1 + N**0.5), model.theta.size).astype("float32")
        (y, state), (_, tape) = (
            model(x, h0=h0, lengths=lengths, return_state=True, **dt), model.forward(x, h0=h0, lengths=lengths, **dt)
        )  # fmt: skip
        g = model.backward(tape, d_y, d_h)
        found.append({"y": y, "state": state, "theta": g.theta, "x": g.x, "h0": g.h0})
        if dt:
            found[-1]["dt"] = g.dt
    for name, value in found[1].items():
        scale = max(1.0, np.abs(value).max())
        assert np.abs(found[0][name] - value).max() <= (1e-4 if dtype == "float32" else 1e-12) * scale, name


@pytest.mark.parametrize("cell", [LSTM, GRU, CTGRU, CfC])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sequence_has_the_same_bits_in_every_batch(cell, dtype):
    """Sums have one order, whatever block of a product a sequence falls into."""
    rng = np.random.default_rng(0)
    model = Model(cell(21, input_dim=3), seed=0, dtype=dtype, backend="cpu")
    x = rng.normal(size=(37, 6, 3))
    y, tape = model.forward(x)
    d_x = model.backward(tape, y).x
    for first, last in ((0, 1), (1, 3), (3, 8), (8, 37)):
        part, tape = model.forward(x[first:last])
        assert np.array_equal(part, y[first:last])
        if cell is not CfC:  # whose d_x are products of BLAS
            assert np.array_equal(model.backward(tape, y[first:last]).x, d_x[first:last])


@cells
def test_what_lies_in_reused_arrays_does_not_matter(cell):
    """A call with numbers that are none is followed by one of the same shape, with sequences that end."""
    rng = np.random.default_rng(0)
    model = Model(cell(5, input_dim=2), seed=0, dtype="float64", backend="cpu")
    x, lengths, target = rng.normal(size=(4, 6, 2)), np.array([6, 0, 3, 1]), np.zeros((4, 6, 5))
    _, wanted = model.loss_and_grad(x, target, lengths=lengths)
    again = Model(cell(5, input_dim=2), seed=0, dtype="float64", backend="cpu")
    again.theta[:] = np.nan
    with pytest.raises(FloatingPointError):
        again.loss_and_grad(x, target)
    again.theta = model.theta
    _, found = again.loss_and_grad(x, target, lengths=lengths)
    assert np.array_equal(found, wanted)


@cells
def test_adjoints_of_inputs_are_0_behind_the_end_of_sequences(cell):
    """Whatever a call before has left there: layers around a cell add such arrays before anybody blanks them."""
    model, rng = Model(cell(5, input_dim=2), seed=0, dtype="float64", backend="cpu"), np.random.default_rng(0)
    own = Workspace()
    x, d_h = rng.normal(size=(3, 6, 2)), rng.normal(size=(3, model.state_size))
    layer, g = model.layers[0], {name: np.zeros(value.shape) for name, value in model.params.items()}
    for lengths in ([6, 6, 6], [2, 0, 4]):
        _, tape = model.forward(x, lengths=lengths)
        prepared, (x_now, dt, steps, _, h0) = tape.prepared.layers[0], tape.given.sequences
        y, _, saved = layer.forward(prepared, x_now, dt, steps, h0, "full", own)
        behind = np.arange(6) >= np.array(lengths)[:, None]
        d_x, *_ = layer.backward(prepared, saved, np.where(behind[:, :, None], 0, y), d_h, g, True, False, own)
        assert (d_x[~behind] != 0).all() and (d_x[behind] == 0).all()


def test_how_a_call_is_cut():
    """By its shape alone: wide tiles where sequences are short, and a gradient row for no less than 256 rows to sum."""
    assert gates.Cut.make(64, 100) == (16, 4, 4)
    assert gates.Cut.make(64, 3) == (64, 1, 1)
    assert gates.Cut.make(100, 8) == (32, 4, 3)
    assert gates.Cut.make(1000, 50) == (16, 63, 16)
    assert gates.Cut.make(1, 1) == (64, 1, 1)
    for T, numbers, slots in ((100, 128, 16), (100, 4096, 4), (3, 128, 4), (1, 10**6, 1)):
        assert gates.Cut.make(64, T).slots(numbers, np.dtype("float32")) == slots
