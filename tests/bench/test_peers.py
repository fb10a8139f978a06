"""What stands beside ltc_np: chosen by its trials, checked before it is timed, in processes of its own."""

import importlib.util

import numpy as np
import pytest

from ltc_np.bench.peers import compare, jax, known, steps
from ltc_np.bench.peers.worker import Worker


def test_the_fastest_trial_of_each_peer_is_chosen():
    trials = [
        {"peer": peer, "threads": threads, "formulation": formulation, "ms": ms}
        for peer, threads, formulation, ms in (
            ("jax", 1, "a", 5.0),
            ("jax", 1, "b", 4.0),
            ("jax", 2, "a", 3.0),
            ("jax", 2, "b", 3.5),
            ("ncps", 1, None, 40.0),
            ("ncps", 2, None, 41.0),
        )
    ]
    assert compare.fastest(trials) == {"jax": trials[2], "ncps": trials[4]}


def test_a_peer_is_weak_beyond_its_known_time():
    assert set(known.REFERENCE_MS) == set(known.PACKAGES)
    for peer, times in known.REFERENCE_MS.items():
        assert set(times) == {case for case, names in known.PEERS_OF.items() if peer in names}
    assert not known.is_weak("jax", "small", 131.0)  # 1.3 * 101 = 131.3
    assert known.is_weak("jax", "small", 132.0)
    assert not known.is_weak("ncps", "tutorial", 5.3)  # 1.3 * 4.1 = 5.33
    assert known.is_weak("ncps", "tutorial", 5.4)


@pytest.mark.parametrize("name", ["loss", "cm", "sensory_mu", "nothing"])
def test_a_peer_with_other_numbers_is_an_error(name, monkeypatch):
    def step(model, x, y, formulation):
        loss, gradient = model.loss_and_grad(x, y)
        if name == "loss":
            loss *= 1.0002  # twice the tolerance
        elif name != "nothing":
            array = model.views(gradient)[name]
            array[np.abs(array).argmax()] *= np.nan if name == "cm" else 1.0002
        return "the step", lambda: (loss, gradient)

    monkeypatch.setitem(steps.STEPS, "jax", step)
    if name == "nothing":
        assert steps.build("jax", "tutorial", "one way") == "the step"
        return
    with pytest.raises(ValueError, match=f"jax \\(one way\\) must have .* got an error of .* in '{name}'"):
        steps.build("jax", "tutorial", "one way")


@pytest.mark.slow
def test_a_worker_answers_and_reports():
    with Worker("ltc_np", 1) as worker:
        assert all(0 < seconds < 1 for seconds in worker.ask("tutorial", runs=2))
        memory = worker.ask("tutorial", runs=None)
        assert memory is None or 0 <= memory < 2**24
        with pytest.raises(RuntimeError, match="peer ltc_np failed on case 'huge': KeyError: 'huge'"):
            worker.ask("huge")
        assert len(worker.ask("tutorial")) == 1
    assert worker.process.returncode is not None


@pytest.mark.slow
def test_memory_of_a_step_is_that_of_its_arrays():
    with Worker("ltc_np", 1) as worker:
        memory = worker.ask("medium", runs=None)
    if memory is None:
        pytest.skip("needs Linux's /proc/self/clear_refs")
    # The tape, 2*T*U*N numbers a sequence, and not much more than everything else that the step holds.
    tape = 4 * 2 * 64 * 6 * 64 * 64
    assert tape < memory < 2 * tape


CHECKED = {
    "ncps": ("tutorial", "cfc"),
    "jax": ("tutorial",),
    "lstm": ("tutorial", "lstm32"),
    "gru": ("gru",),
    "loop": ("ctgru", "ctrnn", "neural_ode", "lif"),
}


@pytest.mark.parametrize("peer", CHECKED)
def test_peers_compute_the_same_numbers(peer):
    """In processes of their own, which compare before they time."""
    for package in known.PACKAGES[peer]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    with Worker(peer, 1) as worker:
        for case in CHECKED[peer]:
            for formulation in jax.FORMULATIONS if peer == "jax" else [None]:
                assert worker.ask(case, formulation)[0] > 0
