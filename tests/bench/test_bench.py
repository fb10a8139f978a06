"""`python -m ltc_np`: it runs and its figures are consistent; how large they are is not asserted."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from ltc_np import bench, peers


def command(*args):
    return subprocess.run([sys.executable, "-m", "ltc_np", *args], capture_output=True, text=True, timeout=600)


def test_a_short_run():
    done = command(
        *("bench", "--runs", "1", "--cases", "tutorial", "sparse", "cfc", "lstm32"),
        *("--dtypes", "float32", "--threads", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["case"] for row in result["cases"]] == ["tutorial", "sparse", "cfc", "lstm32"]
    assert result["cases"][2]["synapses"] is result["cases"][3]["train_share"] is None
    tutorial = result["cases"][0]
    assert tutorial["evaluations"] == 32 * 3 * (6 * 64 + 16)
    assert tutorial["synapses"] == 64
    rate = result["sigmoid_rate"]["float32"]
    share = tutorial["evaluations"] / (tutorial["forward_ms"] * 1e-3) / rate
    assert tutorial["forward_share"] == pytest.approx(share, rel=1e-9)
    assert 0 < tutorial["memory_mib"] < 10
    assert 0 < result["start"]["import_s"] < result["start"]["warm_s"]
    text = bench.table(result)
    assert text.count("\n") == 10
    assert "G sigmoids/s a core in float32" in text


def test_usage():
    assert command("--help").returncode == 0
    assert "bench" in command("--help").stdout
    assert command().returncode == 2
    assert command("bench", "--runs", "0").returncode == 2
    assert "--json" in command("bench", "--help").stdout


def test_without_peers_the_option_says_what_to_install(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    absent = {package for packages in peers.PACKAGES.values() for package in packages}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name))
    monkeypatch.setattr(bench, "start_times", lambda: {"import_s": 0.1, "cold_s": 3.0, "warm_s": 0.5})
    bench.main(["--peers", "--runs", "1", "--cases", "tutorial", "--dtypes", "float32"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5:] == [
        'ncps is left out: no torch and no ncps; pip install ".[peers]"',
        'jax is left out: no jax; pip install ".[peers]"',
        'lstm is left out: no torch; pip install ".[peers]"',
        'gru is left out: no torch; pip install ".[peers]"',
        'loop is left out: no torch; pip install ".[peers]"',
    ]


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
    assert peers.fastest(trials) == {"jax": trials[2], "ncps": trials[4]}


def test_a_peer_is_weak_beyond_its_known_time():
    assert set(peers.REFERENCE_MS) == set(peers.PACKAGES)
    for peer, known in peers.REFERENCE_MS.items():
        assert set(known) == {case for case, names in peers.PEERS_OF.items() if peer in names}
    assert not peers.is_weak("jax", "small", 131.0)  # 1.3 * 101 = 131.3
    assert peers.is_weak("jax", "small", 132.0)
    assert not peers.is_weak("ncps", "tutorial", 5.3)  # 1.3 * 4.1 = 5.33
    assert peers.is_weak("ncps", "tutorial", 5.4)


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

    monkeypatch.setitem(peers.STEPS, "jax", step)
    if name == "nothing":
        assert peers.build("jax", "tutorial", "one way") == "the step"
        return
    with pytest.raises(ValueError, match=f"jax \\(one way\\) must have .* got an error of .* in '{name}'"):
        peers.build("jax", "tutorial", "one way")


def test_a_worker_answers_and_reports():
    with peers.Worker("ltc_np", 1) as worker:
        assert all(0 < seconds < 1 for seconds in worker.ask("tutorial", runs=2))
        memory = worker.ask("tutorial", runs=None)
        assert memory is None or 0 <= memory < 2**24
        with pytest.raises(RuntimeError, match="peer ltc_np failed on case 'huge': KeyError: 'huge'"):
            worker.ask("huge")
        assert len(worker.ask("tutorial")) == 1
    assert worker.process.returncode is not None


def test_memory_of_a_step_is_that_of_its_arrays():
    with peers.Worker("ltc_np", 1) as worker:
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
    for package in peers.PACKAGES[peer]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    with peers.Worker(peer, 1) as worker:
        for case in CHECKED[peer]:
            for formulation in peers.FORMULATIONS if peer == "jax" else [None]:
                assert worker.ask(case, formulation)[0] > 0


def test_a_short_run_with_peers():
    present = [name for name in peers.PEERS_OF["tutorial"] if not peers.left_out(name)]
    if not present:
        pytest.skip("needs one of the peers")
    done = command("bench", "--peers", "--runs", "1", "--cases", "tutorial", "sparse", "--dtypes", "float32", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["peers"]
    assert [(row["case"], row["peer"]) for row in result["rows"]] == [("tutorial", name) for name in present]
    assert len(result["left_out"]) == sum(1 for name in peers.PACKAGES if peers.left_out(name))
    for row in result["rows"]:
        assert row["ratio"] == pytest.approx(row["ms"] / row["ltc_np_ms"], rel=1e-9)
        assert row["formulation"] in (peers.FORMULATIONS if row["peer"] == "jax" else [None])
        assert row["threads"] in (1, 2)
    assert result["memory_mib"] == {}
    assert peers.table(result).count("\n") == len(result["left_out"]) + 1 + len(present)
