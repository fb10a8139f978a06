"""The example of learning by rewards: it runs, and what it has learnt is a model, which plays in C as in Python."""

import re

import numpy as np
import pytest

import ltc_np
from ltc_np import LSTM, CfC, Conv1D, Dense, Standardize
from ltc_np.control import Environments

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
    options = "--quick", "--keep-best", "--c", "--output", "policy.npz"
    done = run_example("reinforce", "cart_pole", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"^\| ([\w, -]+) \| (-?[\d.]+|not run.*?) \|", done.stdout, re.M))
    assert len(found) == 7 and all(value == found["Python"] or "not run" in value for value in found.values())
    policy = ltc_np.load(tmp_path / "policy.npz")
    assert policy(np.zeros((5, 2))).shape == (5, 2) and policy.buffers["0.scale"][0] != 1


@pytest.fixture
def played(example):
    """A function that lets a small policy play: by C, by Python, how far actions are apart, and the `Cost`."""
    loop = example("reinforce_c")

    def play(name, layers, kind, machine, distribution="auto", dt=None):
        machine = {"here": loop.pendulum_c.HOST, "Cortex-M4F": loop.CORTEX_M4F}[machine]
        if lacking := loop.pendulum_c.missing(machine):
            pytest.skip(f"there is no {lacking} here")
        environments = Environments.make(name, 3, observed=[0, 2] if name == "CartPole-v1" else [0, 1], dt=dt)
        chosen = environments.distribution(distribution)
        policy = ltc_np.Model(Standardize(clip=10), *layers, Dense(chosen.outputs), input_dim=2, seed=0)
        policy.params[f"{len(layers) + 1}.weight"][:] *= 4  # actions beyond the bounds, too
        found, cost = loop.in_c(policy, environments, chosen, kind, machine, 0)
        beside = loop.play(environments, loop.in_python(policy, environments, chosen), 0)
        return found, beside, loop.apart(found, policy, environments, chosen), cost

    return play


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["here", "Cortex-M4F"])
@pytest.mark.parametrize("kind", ["float", "int32"])
@pytest.mark.parametrize("distribution", ["gaussian", "squashed"])
def test_numbers_in_c_are_those_of_python(distribution, kind, machine, played):
    """Twice: of what C's own actions have led to, and of whole episodes, in which errors can add up."""
    layers = Conv1D(6, 3, activation="tanh"), CfC(8)
    found, beside, apart, cost = played("Pendulum-v1", layers, kind, machine, distribution, 0.5)
    assert apart < 2e-5  # 1e-5 of the largest action, which is 2
    assert np.ptp(found.actions) > 1 and (found.lengths == 200).all()
    assert found.returns == pytest.approx(beside.returns, rel=1e-3)
    assert (cost.instructions > 1000) == (machine == "Cortex-M4F")


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["here", "Cortex-M4F"])
@pytest.mark.parametrize("kind", ["float", "int16"])
def test_choices_in_c_are_those_of_python(kind, machine, played):
    found, beside, apart, cost = played("CartPole-v1", (LSTM(6),), kind, machine)
    assert apart == 0 and set(found.actions.ravel()) == {0, 1}
    assert found.returns.tolist() == beside.returns.tolist() == beside.lengths.tolist()
    assert (cost.flash > 1000) == (machine == "Cortex-M4F")
