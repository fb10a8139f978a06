"""What kernels work in: as many numbers as their tables of sizes say, whatever is in them before."""

import numpy as np
import pytest
from support.backends import NO_KERNELS

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np import CTRNN, LRC, LTC, AutoNCP, FullyConnected, Model, NeuralODE
from ltc_np.kernels.cpu import arguments, ltc_batch_major, ltc_neuron_major, ode, tiles

CELLS = {
    f"{type(layer).__name__} {layer.solver} {order}": layer
    for layer, order in (
        (LTC(AutoNCP(12, 3), input_dim=2, solver="rk4", ode_unfolds=2, check_stability="off"), "neuron-major"),
        (LTC(AutoNCP(12, 3), input_dim=2, solver="exponential", ode_unfolds=2), "neuron-major"),
        (LTC(FullyConnected(33, 3), input_dim=2, solver="rk4", ode_unfolds=2, check_stability="off"), "batch-major"),
        (LTC(FullyConnected(33, 3), input_dim=2, solver="exponential", ode_unfolds=2), "batch-major"),
        (LRC(AutoNCP(12, 3), input_dim=2, solver="rk4", ode_unfolds=2, elastance="symmetric"), "neuron-major"),
        (LRC(AutoNCP(12, 3), input_dim=2, elastance_by="state"), "neuron-major"),
        (LRC(FullyConnected(33, 3), input_dim=2, solver="exponential", ode_unfolds=2), "batch-major"),
        (LRC(FullyConnected(33, 3), input_dim=2, elastance=None), "batch-major"),
        (CTRNN(5, input_dim=2, solver="rk4", ode_unfolds=2), "tiles"),
        (NeuralODE(9, input_dim=3, solver="euler", ode_unfolds=2), "tiles"),
    )
}


@pytest.mark.parametrize("B", [5, 19])  # a part of a vector, and several vectors: what is kept has another form
@pytest.mark.parametrize("memory", ["full", "low"])
@pytest.mark.parametrize("name", CELLS)
def test_kernels_need_what_their_table_says_and_no_more(name, memory, B, monkeypatch):
    layer, rng = CELLS[name], np.random.default_rng(0)
    model = Model(layer, seed=0, backend="cpu", dtype="float64")
    x, dt = rng.normal(size=(B, 7, layer.input_size)), rng.uniform(0.1, 0.4, (B, 7))
    lengths, d_y = np.resize([7, 3, 0, 7, 1], B), rng.normal(size=(B, 7, layer.output_size))
    fences = []

    def fenced(workspace, workers, sizes, dtype):
        rows = np.full((workers, sum(sizes) + 64), np.nan, dtype)
        fences.append(rows[:, sum(sizes) :])
        return rows

    def run(memory):
        y, tape = model.forward(x, dt=dt, lengths=lengths, memory=memory)
        g = model.backward(tape, d_y)
        return y, g.theta, g.x, g.h0, g.dt

    expected = run("full")
    for module in (tiles, ode):
        monkeypatch.setattr(module, "scratch", fenced)
    found = run(memory)
    assert len(fences) >= 2
    assert all(np.isnan(fence).all() for fence in fences)
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a, b)


def test_every_thread_has_cache_lines_of_its_own():
    from ltc_np.base.workspace import Fresh

    one, two = arguments.scratch(Fresh(), 2, (3, 70), np.dtype(np.float32))
    assert one.size == two.size == 128
    assert (two.ctypes.data - one.ctypes.data) % 64 == one.ctypes.data % 64 == 0


def test_tables_know_what_is_run_again_and_what_is_summed_at_once():
    few, many = (
        ltc_neuron_major.backward_sizes(10, 2, 16, S, 4, 8, 0) for S in (100, ltc_neuron_major.FEW_SYNAPSES + 1)
    )
    assert (few.recurrent_sums, few.source_sums) == (4 * 8 * 100, 0)
    assert (many.recurrent_sums, many.source_sums) == (0, 4 * 8 * 10)
    assert ltc_batch_major.backward_sizes(10, 2, 16, 12).rates == 12 * 16
    assert ltc_batch_major.backward_sizes(10, 2, 16, 0).rates == 0
