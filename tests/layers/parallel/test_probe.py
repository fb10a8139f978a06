"""How long a layer remembers, on the data."""

import numpy as np
import pytest

from ltc_np import LTCRNN, AutoNCP
from ltc_np.base.workspace import Fresh
from ltc_np.layers.parallel.probe import agree, memory


def measured(time_constants, most=2000, dtype="float64", tolerance=1e-9, dt=1.0, lengths=(6000,)):
    model = LTCRNN(
        AutoNCP(8, 2), 2, seed=0, dtype=dtype, backend="numpy", init={"time_constants": time_constants}
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(len(lengths), 6000, 2)).astype(dtype)
    (layer,), prepared = model.layers, model.engine.prepare(Fresh())
    dt = np.full(x.shape[:2], dt, dtype)
    start = model.initial_state(len(lengths))
    return memory(layer, prepared.layers[0], x, dt, np.array(lengths), start, tolerance, most, Fresh())


def test_memory_grows_with_the_time_constants():
    found = [measured((tau, tau)) for tau in (1, 4, 16)]
    assert found == sorted(found)
    # exp(-t / tau) = 1e-9 after 21 tau; a quicker one while inputs open synapses.  Powers of two are tried.
    assert 32 <= found[0] <= 64
    assert 64 <= found[2] <= 21 * 16 * 2


def test_longer_steps_forget_in_fewer():
    assert measured((16, 16), dt=4.0) <= measured((16, 16)) / 2


def test_a_tolerance_is_reached_sooner():
    assert measured((16, 16), tolerance=1e-3) < measured((16, 16), tolerance=1e-12)


def test_what_remembers_longer_than_is_asked_for():
    assert measured((1000, 1000), most=512) is None
    assert measured((16, 16), most=32) is None


def test_short_sequences_are_not_asked():
    assert measured((1, 1), lengths=(10, 6000, 0)) == measured((1, 1), lengths=(6000,))
    assert measured((1, 1), lengths=(10, 20)) is None


@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
def test_states_agree(tolerance):
    a = np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0], [0.0, 0.0]])
    b = np.array([[1.0, 2.0], [1.0, np.nan], [1.0, 2.0 + 3e-6], [0.0, 0.0]])
    found = agree(a, b, tolerance)
    assert found[[0, 3]].all() and not found[2]
    assert agree(a[2], b[2], 2e-6)
    assert not agree(a[2], b[2], 1e-6)
