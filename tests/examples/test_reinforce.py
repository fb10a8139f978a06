"""The example of learning by rewards: it runs, and what it has learnt is a model."""

import re

import numpy as np
import pytest

import ltc_np

pytest.importorskip("gymnasium", reason='gymnasium is not installed: pip install "ltc-np[control]"')


@pytest.mark.slow
def test_it_runs(run_example, tmp_path):
    done = run_example("reinforce", "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+): -?[\d.]+ after (\d+) steps", done.stdout, re.M) == [
        ("cart_pole", "2816"),
        ("pendulum", "2048"),
    ]


@pytest.mark.slow
def test_the_policy_is_a_model(run_example, tmp_path):
    done = run_example("reinforce", "cart_pole", "--quick", "--output", "policy.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    policy = ltc_np.load(tmp_path / "policy.npz")
    assert policy(np.zeros((5, 2))).shape == (5, 2) and policy.buffers["0.scale"][0] != 1
