"""`python -m ltc_np`: it runs and its figures are consistent; how large they are is not asserted."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import time

import pytest

from ltc_np.bench import command, host
from ltc_np.bench.peers import compare, jax, known


def run(*args):
    return subprocess.run([sys.executable, "-m", "ltc_np", *args], capture_output=True, text=True, timeout=600)


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.sweep
def test_a_short_run():
    done = run(
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
    rates = tutorial["sigmoid_rates"]  # of one run each
    share = tutorial["evaluations"] / (tutorial["forward_ms"] * 1e-3) / rates[0]
    assert tutorial["forward_share"] == pytest.approx(share, rel=1e-9)
    share = 2 * tutorial["evaluations"] / (tutorial["train_ms"] * 1e-3) / rates[1]
    assert tutorial["train_share"] == pytest.approx(share, rel=1e-9)
    assert 0 < tutorial["memory_mib"] < 10
    assert 0 < result["start"]["import_s"] < result["start"]["warm_s"]
    text = host.table(result)
    assert text.count("\n") == 10
    assert "G sigmoids/s of all threads together in float32" in text


@pytest.mark.slow
def test_usage():
    assert run("--help").returncode == 0
    assert "bench" in run("--help").stdout
    assert run().returncode == 2
    assert run("bench", "--runs", "0").returncode == 2
    assert "--json" in run("bench", "--help").stdout


@pytest.mark.compiled
def test_ctrl_c_is_one_line(monkeypatch, capsys):
    def pressed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(host, "run", pressed)
    assert command.main(["--cases", "tutorial"]) == 130
    assert capsys.readouterr() == ("", "python -m ltc_np bench: stopped; nothing was written\n")


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_of_a_process_that_has_shown_its_first_row():
    """Also while threads step streams, which do not go on then."""
    line = [sys.executable, "-m", "ltc_np", "bench", "--cases", "tutorial", "streams", "--dtypes", "float32"]
    started = subprocess.Popen(
        [*line, "--runs", "1", "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    rows = [started.stderr.readline(), started.stderr.readline()]
    time.sleep(0.3)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert re.fullmatch(r"tutorial float32: [\d.]+ ms forward, [\d.]+ ms a training step\n", rows[0])
    assert rows[1] == "streams: 10 s\n"
    assert (started.returncode, out, err) == (130, "", "python -m ltc_np bench: stopped; nothing was written\n")


@pytest.mark.compiled
@pytest.mark.parametrize("quiet", [True, False])
def test_progress_row_by_row(quiet, monkeypatch, capsys):
    row = {"case": "cfc", "forward_ms": 1.25, "train_ms": 3.5}
    monkeypatch.setattr(host, "measure", lambda name, dtype, runs: row | {"case": name, "dtype": dtype})
    monkeypatch.setattr(host, "start_times", lambda: {})
    monkeypatch.setattr(host, "table", lambda result: "")
    monkeypatch.setattr(host.threads, "get_num_threads", lambda: 1)
    monkeypatch.setattr(host.streams, "measure", lambda dtype: [])
    command.main(["--cases", "cfc", "small", "streams", "--dtypes", "float32", *["--quiet"] * quiet])
    told = [f"{name} float32: 1.250 ms forward, 3.500 ms a training step" for name in ("cfc", "small")]
    told += ["streams: 10 s", "start of a new process, with an empty and with a filled cache"]
    assert capsys.readouterr().err.splitlines() == ([] if quiet else told)


@pytest.mark.compiled
def test_without_peers_the_option_says_what_to_install(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    absent = {package for packages in known.PACKAGES.values() for package in packages}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name))
    monkeypatch.setattr(host, "start_times", lambda: {"import_s": 0.1, "cold_s": 3.0, "warm_s": 0.5})
    command.main(["--peers", "--runs", "1", "--cases", "tutorial", "--dtypes", "float32"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5:] == [
        'ncps is left out: no torch and no ncps; pip install ".[peers]"',
        'jax is left out: no jax; pip install ".[peers]"',
        'lstm is left out: no torch; pip install ".[peers]"',
        'gru is left out: no torch; pip install ".[peers]"',
        'loop is left out: no torch; pip install ".[peers]"',
    ]


@pytest.mark.compiled
def test_a_short_run_with_peers():
    present = [name for name in known.PEERS_OF["tutorial"] if not known.left_out(name)]
    if not present:
        pytest.skip("needs one of the peers")
    done = run("bench", "--peers", "--runs", "1", "--cases", "tutorial", "sparse", "--dtypes", "float32", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["peers"]
    assert [(row["case"], row["peer"]) for row in result["rows"]] == [("tutorial", name) for name in present]
    assert len(result["left_out"]) == sum(1 for name in known.PACKAGES if known.left_out(name))
    for row in result["rows"]:
        assert row["ratio"] == pytest.approx(row["ms"] / row["ltc_np_ms"], rel=1e-9)
        assert row["formulation"] in (jax.FORMULATIONS if row["peer"] == "jax" else [None])
        assert row["threads"] in (1, 2)
    assert result["memory_mib"] == {}
    assert compare.table(result).count("\n") == len(result["left_out"]) + 1 + len(present)
