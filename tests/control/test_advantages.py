"""Advantages and the scale of rewards, beside sums that are written out."""

import numpy as np
import pytest

from ltc_np.control.advantages import RewardScale, divided, explained_variance, gae


def test_the_golden_case():
    """r = 1, 1, 1, V = .5, .6, .7, last .8, the end after the second, gamma = .99, lambda = .95."""
    ends = np.array([[False, True, False]])
    found = gae(np.ones((1, 3)), np.array([[0.5, 0.6, 0.7]]), np.array([[0.6, 0.7, 0.8]]), ends, ends)
    assert found.tolist() == [pytest.approx([1.4702, 0.4, 1.092], abs=1e-12)]


def test_the_sum_over_what_follows():
    """A[t] = sum over k of (gamma lambda)**k delta[t + k], to the end of the episode or of the steps."""
    rng = np.random.default_rng(0)
    n, T, gamma, lam = 4, 9, 0.9, 0.7
    rewards, values, following = rng.normal(size=(3, n, T))
    terminated = rng.random((n, T)) < 0.2
    ended = terminated | (rng.random((n, T)) < 0.2)
    following[terminated] = np.inf  # is not read
    found = gae(rewards, values, following, terminated, ended, gamma, lam)
    for e in range(n):
        for t in range(T):
            total = 0.0
            for k in range(T - t):
                bootstrap = 0.0 if terminated[e, t + k] else gamma * following[e, t + k]
                total += (gamma * lam) ** k * (rewards[e, t + k] + bootstrap - values[e, t + k])
                if ended[e, t + k]:
                    break
            assert found[e, t] == pytest.approx(total, abs=1e-12)


def test_with_lambda_1_it_is_the_return_less_the_value():
    rewards, values = np.array([[1.0, 2.0, 3.0]]), np.array([[0.3, 0.2, 0.1]])
    ends = np.array([[False, False, True]])
    found = gae(rewards, values, np.array([[0.2, 0.1, 9.0]]), ends, ends, 0.5, 1.0)
    assert found.tolist() == [pytest.approx([1 + 1 + 0.75 - 0.3, 2 + 1.5 - 0.2, 3 - 0.1])]


def test_the_scale_of_rewards():
    """G goes on from one rollout to the next, begins anew with an episode, and leaves out steps that do not count."""
    rng = np.random.default_rng(1)
    scale, sums, seen = RewardScale(2, 0.9), np.zeros(2), []
    for _ in range(3):
        rewards = rng.normal(size=(2, 5))
        ended = rng.random((2, 5)) < 0.3
        counts = rng.random((2, 5)) < 0.8
        scale.add(rewards, ended, counts)
        for t in range(5):
            for e in range(2):
                if counts[e, t]:
                    sums[e] = 0.9 * sums[e] + rewards[e, t]
                    seen.append(sums[e])
                if ended[e, t]:
                    sums[e] = 0
    assert scale.scale() == pytest.approx(np.sqrt(np.var(seen) + 1e-8), rel=1e-12)


def test_explained_variance():
    returns = np.array([1.0, 2.0, 4.0])
    assert explained_variance(returns, returns) == 1
    assert explained_variance(returns, np.full(3, 7.0)) == 0
    assert np.isnan(explained_variance(np.ones(3), returns))


@pytest.mark.parametrize(
    ("sizes", "target", "wanted"),
    [
        ([3, 3, 3, 3], 6, [[0, 1], [2, 3]]),
        ([5, 5, 5], 100, [[0, 1, 2]]),
        ([100, 1, 1], 10, [[0], [1, 2]]),
        ([4], 1, [[0]]),
        ([3] * 7, 8, [[0, 1], [2, 3, 4], [5, 6]]),  # 21 / 8 is nearer to three than to two
        ([3] * 6, 8, [[0, 1, 2], [3, 4, 5]]),
        ([4, 6, 2], 6, [[0], [1, 2]]),  # the middle of the second, at 7, is in the second half
    ],
)
def test_pieces_are_divided_by_their_steps(sizes, target, wanted):
    assert [group.tolist() for group in divided(np.array(sizes), target)] == wanted


def test_arrays_of_other_shapes_are_refused():
    ends = np.zeros((2, 3), bool)
    for wrong in ((np.ones((2, 3)), np.ones((2, 1)), np.ones((2, 3))), (np.ones(3), np.ones(3), np.ones(3))):
        with pytest.raises(ValueError, match=r"the same shape \(n, T\)"):
            gae(*wrong, ends, ends)
    with pytest.raises(TypeError, match="`values` must be real numbers"):
        gae(np.ones((2, 3)), [["a"] * 3] * 2, np.ones((2, 3)), ends, ends)
    assert gae([[1.0]], [[0.5]], [[2.0]], [[False]], [[False]], 0.5).tolist() == [[1.5]]  # lists too
