"""Long sequences in chunks that run side by side: the same as the sequence as it stands, of every layer."""

import numpy as np
import pytest
from protocol.calls import close, given, results, same_bits, whole

from ltc_np import Model
from ltc_np.base.workspace import Fresh
from ltc_np.layers.parallel.probe import ProbeWindows, fading
from ltc_np.layers.parallel.task import Task

# Ten times what may be left at a border, where products of other sizes are rounded in another way.
ROUNDING = {"float32": 1e-5, "float64": 1e-12}


@pytest.mark.few(9)
@pytest.mark.parametrize(("chunks", "dtype"), [(5, "float32"), (5, "float64"), (40, "float64")])
def test_chunks_are_the_sequence(layer, backend, chunks, dtype):
    """Of any lengths, from any state, with adjoints of the last one; short chunks do not forget, and run again."""
    model = Model(layer, seed=0, dtype=dtype, backend=backend)
    some = given(layer, 4, 37, dtype=dtype)
    model.parallel_time = False
    wanted = results(model, some)
    assert model.last_parallel == ()
    model.parallel_time = chunks
    found = results(model, some)
    reports = 2 if layer.cuts_inside else int(layer.contracting)  # those of both directions
    assert [report.chunks for report in model.last_parallel] == [min(chunks, 37)] * reports
    if not reports:
        same_bits(found, wanted)
        return
    if layer.bitwise_batch:
        assert np.array_equal(found["y"], wanted["y"])
        assert np.array_equal(found["state"], wanted["state"])
    close(found, wanted, ROUNDING[dtype], ROUNDING[dtype])


@pytest.mark.host
def test_the_probe_runs_backwards_through_every_layer(layer, backend):
    """And what it finds is enough: another adjoint at the same places has faded too, but for its direction."""
    model, some = Model(layer, seed=0, dtype="float64", backend=backend), whole(layer, 2, 300, dtype="float64")
    (own,) = model.layers
    if not own.contracting:
        return
    dt = np.broadcast_to(np.asarray(1.0 if some.dt is None else some.dt, float), (2, 300)).copy()
    prepared, full = model.engine.prepare(Fresh()).layers[0], np.full(2, 300)
    task = Task(own, prepared, some.x, dt, full, model.initial_state(2))
    steps = fading(task, "full", 8, 150, 1e-6, Fresh())
    windows = ProbeWindows.of(task, steps or 8)
    y, state, tape = windows.run(task, task.h0[windows.rows], 0, steps or 8, "full", Fresh())
    d_h, nothing = np.ones_like(state), own.layout.arrays(np.zeros(own.layout.size))
    d_start = own.backward(prepared, tape, np.zeros_like(y), d_h, nothing, False, False, Fresh())[1]
    left = np.abs(d_start).max()
    assert left > 1e-6 if steps is None else left < 1e-4
