"""The example of random intervals: what its wrapper tells, and a short run."""

import re

import pytest

gymnasium = pytest.importorskip("gymnasium", reason='gymnasium is not installed: pip install "ltc-np[control]"')


def test_elapsed_times_are_those_that_have_passed(example):
    """Each step of the cart is rewarded by 1, so an episode's return is the sum of its elapsed times."""
    module = example("random_intervals")
    cart = module.RandomIntervals(gymnasium.make("CartPole-v1"))
    (seen, info), found = cart.reset(seed=0), []
    assert info["dt"] == seen[4] == 1
    over = False
    while not over:
        before = seen[:4] * module.SCALE
        seen, reward, terminated, truncated, info = cart.step(0)
        found.append(info["dt"])
        assert seen[4] == info["dt"] == reward
        # The cart's place changes by its speeds, which a push to the left makes smaller all the time.
        after = seen[:4] * module.SCALE
        least, most = sorted((0.02 * reward * before[1], 0.02 * reward * after[1]))
        assert least - 1e-5 <= after[0] - before[0] <= most + 1e-5
        over = terminated or truncated
    assert set(found) <= set(range(1, module.MOST + 1))


def test_the_expert_keeps_the_pole_up(example):
    module = example("random_intervals")
    module.TRIED = 2
    assert module.expert_mean() > 450


@pytest.mark.slow
def test_it_runs(run_example, tmp_path):
    pytest.importorskip("pygame", reason='pygame is not installed: pip install "gymnasium[classic-control]"')
    done = run_example("random_intervals", "--quick", "--models", "gru", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (mean,) = re.findall(r"^\| GRU, not told \| 3,458 \| (\d+) ", done.stdout, re.M)
    assert int(mean) > 20 and (tmp_path / "random_intervals.gif").stat().st_size > 1000
