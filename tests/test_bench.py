"""`python -m ltc_np`: it runs and its figures are consistent; how large they are is not asserted."""

import json
import subprocess
import sys

import pytest

from ltc_np import bench


def command(*args):
    return subprocess.run([sys.executable, "-m", "ltc_np", *args], capture_output=True, text=True, timeout=300)


def test_a_short_run():
    done = command(
        "bench", "--runs", "1", "--cases", "tutorial", "sparse", "--dtypes", "float32", "--threads", "1", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["case"] for row in result["cases"]] == ["tutorial", "sparse"]
    tutorial = result["cases"][0]
    assert tutorial["evaluations"] == 32 * 3 * (6 * 64 + 16)
    assert tutorial["synapses"] == 64
    rate = result["sigmoid_rate"]["float32"]
    share = tutorial["evaluations"] / (tutorial["forward_ms"] * 1e-3) / rate
    assert tutorial["forward_share"] == pytest.approx(share, rel=1e-9)
    assert 0 < tutorial["memory_mib"] < 10
    assert 0 < result["start"]["import_s"] < result["start"]["warm_s"]
    text = bench.table(result)
    assert text.count("\n") == 8
    assert "G sigmoids/s a core in float32" in text


def test_usage():
    assert command("--help").returncode == 0
    assert "bench" in command("--help").stdout
    assert command().returncode == 2
    assert command("bench", "--runs", "0").returncode == 2
    assert "--json" in command("bench", "--help").stdout
