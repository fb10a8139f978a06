"""How long a layer remembers, on the data."""

import numpy as np
import pytest

from ltc_np import CTGRU, LTC, AutoNCP, Model
from ltc_np.base.workspace import Fresh
from ltc_np.layers.parallel.probe import _agree, fading, memory
from ltc_np.layers.parallel.task import Task


def task(layer, dtype="float64", dt=1.0, lengths=(6000,)):
    model = Model(layer, seed=0, dtype=dtype)
    (own,), prepared = model.layers, model.engine.prepare(Fresh()).layers[0]
    x = np.random.default_rng(0).normal(size=(len(lengths), 6000, 2)).astype(dtype)
    start = model.initial_state(len(lengths))
    return Task(own, prepared, x, np.full(x.shape[:2], dt, dtype), np.array(lengths), start)


def liquid(time_constants):
    return LTC(AutoNCP(8, 2), input_dim=2, init={"time_constants": time_constants})


def measured(time_constants, most=2000, tolerance=1e-9, **more):
    return memory(task(liquid(time_constants), **more), tolerance, most, Fresh())


def test_memory_grows_with_the_time_constants():
    found = [measured((tau, tau)) for tau in (1, 4, 16)]
    assert found == sorted(found)
    # exp(-t / tau) = 1e-9 after 21 tau, or 25 where a neuron is fifty times smaller than what it forgets; a quicker one
    # while inputs open synapses.  Looks are a quarter apart.
    assert 32 <= found[0] <= 64
    assert 64 <= found[2] <= 25 * 16 * 5 / 4


def test_every_place_must_agree():
    """Nothing is forgotten at the last of them, where no time passes."""
    given = task(liquid((1, 1)))
    needed = memory(given, 1e-9, 200, Fresh())
    given.dt[:, -200:] = 0
    assert needed is not None and memory(given, 1e-9, 200, Fresh()) is None
    assert fading(given, "full", 100, 400, 1e-6, Fresh()) is None


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


def adjoint_left(given, steps):
    """The largest part of an adjoint that is left after the first so many steps, by unit adjoints one by one."""
    K = given.h0.shape[1]
    x, dt = (np.repeat(array[:1, :steps], K, 0) for array in (given.x, given.dt))
    several = given._replace(x=x, dt=dt, lengths=np.full(K, steps), h0=np.zeros((K, K)))
    y, _, tape = several.forward("full", Fresh())
    nothing = given.layer.layout.arrays(np.zeros(given.layer.layout.size))
    d_h0 = given.layer.backward(given.prepared, tape, np.zeros_like(y), np.eye(K), nothing, False, False, Fresh())[1]
    return np.abs(d_h0).sum(1).max()


@pytest.mark.parametrize("keep", ["full", "low"])
def test_what_is_left_of_an_adjoint(keep):
    given = task(liquid((16, 16)))
    steps = fading(given, keep, 10, 3000, 1e-6, Fresh())
    assert adjoint_left(given, steps) < 1e-4  # of all adjoints together, and from another place
    assert adjoint_left(given, steps // 4) > 1e-6
    assert fading(given, keep, 600, 3000, 1e-6, Fresh()) == 600
    assert fading(given, keep, 10, steps - 1, 1e-6, Fresh()) is None
    assert fading(task(liquid((1000, 1000))), keep, 10, 3000, 1e-6, Fresh()) is None


@pytest.mark.single
def test_small_states_may_be_remembered_longer_than_large_ones():
    """A CT-GRU has traces of long time constants, which are small beside the others: by their own size they last."""
    given = task(CTGRU(4, input_dim=2), dtype="float32")
    assert memory(given, 1e-6, 3000, Fresh()) is None
    assert fading(given, "full", 32, 3000, 1e-6, Fresh()) is None


def test_small_states_of_a_place_are_judged_beside_their_own_neuron_s():
    """Not beside another neuron's: that one is a million times as large, and agrees to the tolerance."""
    one = np.array([[1e6, 1.0], [2e6, 1e-9]])
    other = np.array([[1e6, 1.0], [2e6 + 1, 2e-9]])
    assert _agree(one, other, 1e-6)
    other[0, 1] += 1e-3
    assert not _agree(one, other, 1e-6)
    assert not _agree(one, np.array([[1e6, 1.0], [np.nan, 1e-9]]), 1e-6)
    assert not _agree(one, one + np.array([[0, 0], [0, 1e-20]]), 0.0)
