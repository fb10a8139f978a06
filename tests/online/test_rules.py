"""The rules of readouts: against direct solutions, naive loops and golden values."""

import numpy as np
import pytest

from ltc_np.online import LMS, NLMS, RLS


def run(rule, observations, outputs=1, weights=None, dtype=np.float64, W=None):
    """The weights after (features, target) one after another, what is kept then, and the errors before each."""
    F = len(observations[0][0])
    W = np.zeros((outputs, F), dtype) if W is None else W
    kept, errors = rule.begin(F, outputs, np.dtype(dtype)), []
    for k, (f, target) in enumerate(observations):
        f, target = np.asarray(f, dtype), np.atleast_1d(np.asarray(target, dtype))
        known = ~np.isnan(target)
        error = np.where(known, target - W @ f, 0).astype(dtype)
        errors.append(error)
        W, kept = rule.update(W, kept, f, error, None if known.all() else known, 1.0 if weights is None else weights[k])
    return W, kept, np.array(errors)


def test_rls_has_the_golden_values():
    """Of three observations, worked out with pencil and paper: forgetting 0.9, P = I at the beginning."""
    W, kept, errors = run(RLS(0.9, 1.0), [((1, 0), 1), ((1, 1), 2), ((0, 2), 0)])
    np.testing.assert_allclose(errors[:, 0], [1, 1.47368421, -1.29061996], rtol=0, atol=5e-9)
    np.testing.assert_allclose(W, [[1.01180877, 0.15799824]], rtol=0, atol=5e-9)
    P = kept["S"][0] @ kept["S"][0].T
    np.testing.assert_allclose(P, [[0.43571042, -0.06966413], [-0.06966413, 0.18878979]], rtol=0, atol=5e-9)


@pytest.mark.parametrize("forgetting", [1.0, 0.95])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_rls_has_the_least_weighted_sum(forgetting, missing):
    """Of errors and of the distance from where it began, by the normal equations; also where targets are missing."""
    rng = np.random.default_rng(0)
    n, F, O, delta = 60, 5, 3, 1e-3
    f, target, W0 = rng.normal(size=(n, F)), rng.normal(size=(n, O)), rng.normal(size=(O, F))
    weights = rng.uniform(0.2, 3, n)
    target[rng.random((n, O)) < missing] = np.nan
    found, _, _ = run(RLS(forgetting, delta), list(zip(f, target, strict=True)), O, weights, W=W0.copy())
    for k in range(O):
        # An output forgets with each of its own observations, and all of them with each that every output has.
        some = np.isnan(target).any(axis=1).argmax() if missing else n
        counts = np.array([not np.isnan(value) or row < some for row, value in enumerate(target[:, k])])
        rows, age = np.flatnonzero(counts), np.arange(counts.sum())[::-1]
        share = weights[rows] * forgetting**age
        A = (f[rows].T * share) @ f[rows] + delta * forgetting ** len(rows) * np.eye(F)
        b = (f[rows].T * share) @ target[rows, k] + delta * forgetting ** len(rows) * W0[k]
        np.testing.assert_allclose(found[k], np.linalg.solve(A, b), rtol=1e-9, atol=1e-12)


def test_without_anything_new_rls_does_not_wind_up():
    """A thousand times the same: without a limit the other directions would grow by 1 / 0.99 each time, 23,000 fold."""
    rule, F = RLS(0.99, 0.5), 4
    _, kept, _ = run(rule, [((1, 0, 0, 1), 2.0)] * 1000)
    trace = (kept["S"] ** 2).sum()
    assert trace <= F / 0.5 * (1 + 1e-12)
    before = run(rule, [((1, 0, 0, 1), 2.0)] * 1000)[0]
    after = run(rule, [*[((1, 0, 0, 1), 2.0)] * 1000, ((0, 0.01, 0, 0), 1.0)])[0]
    assert np.abs(after - before).max() < 0.1  # by 1 / 0.01 if the trace were not limited


@pytest.mark.parametrize("steps", [2000, pytest.param(1_000_000, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("forgetting", [0.99, 0.999])
def test_rls_in_float32_follows_float64(steps, forgetting):
    """Twenty features of scales from 1e-2 to 1e2: the plain form of P loses definiteness after some hundred steps."""
    rng = np.random.default_rng(1)
    scales, true, rule = np.logspace(-2, 2, 20), rng.normal(size=20), RLS(forgetting, 1.0)
    both = {np.float32: None, np.float64: None}
    state = {dtype: (np.zeros((1, 20), dtype), rule.begin(20, 1, np.dtype(dtype))) for dtype in both}
    for _ in range(steps):
        f = (rng.normal(size=20) * scales).astype(np.float32)
        target = np.float32(true @ (f / scales) + 0.1 * rng.normal())
        for dtype, (W, kept) in state.items():
            own = f.astype(dtype)
            state[dtype] = rule.update(W, kept, own, (dtype(target) - W @ own).astype(dtype), None, 1.0)
    (W, kept), (exact, _) = state[np.float32], state[np.float64]
    assert W.dtype == kept["S"].dtype == np.float32
    assert np.linalg.norm((W - exact) * scales) <= 1e-3 * np.linalg.norm(exact * scales)


def test_nlms_by_hand():
    W, _, errors = run(NLMS(0.5, 1.0), [((3, 0, 1), 2.0), ((0, 2, 1), 1.0)])
    first = np.array([3, 0, 1]) * 0.5 * 2 / 11
    second = 1 - first @ [0, 2, 1]
    np.testing.assert_allclose(errors[:, 0], [2, second], rtol=1e-15)
    np.testing.assert_allclose(W, [first + 0.5 * second / 6 * np.array([0, 2, 1])], rtol=1e-15)


def test_with_rate_1_nlms_is_right_about_what_it_has_seen():
    f = np.random.default_rng(0).normal(size=4)
    W, _, _ = run(NLMS(1.0, 1e-12), [(f, [3.0, -1.0])], 2)
    np.testing.assert_allclose(W @ f, [3, -1], rtol=1e-10)
    heavy, _, _ = run(NLMS(0.5, 1e-12), [(f, [3.0, -1.0])], 2, [100.0])
    np.testing.assert_allclose(heavy, W, rtol=1e-10)  # no weight makes it step beyond the target
    beyond, _, _ = run(NLMS(1.5, 1e-12), [(f, [3.0, -1.0])], 2, [100.0])
    np.testing.assert_allclose(beyond, 1.5 * W, rtol=1e-10)  # but for a rate that does so itself


def test_lms_is_gradient_descent():
    rng = np.random.default_rng(0)
    seen = [(rng.normal(size=3), rng.normal(size=2)) for _ in range(5)]
    W, naive = run(LMS(0.1), seen, 2, [1, 2, 1, 0.5, 1])[0], np.zeros((2, 3))
    for (f, target), weight in zip(seen, [1, 2, 1, 0.5, 1], strict=True):
        for o in range(2):
            naive[o] -= 0.1 * weight * (naive[o] @ f - target[o]) * f
    np.testing.assert_allclose(W, naive, rtol=1e-12)


@pytest.mark.parametrize("rule", [LMS(0.1), NLMS(0.5), RLS(0.9)], ids=repr)
def test_outputs_without_a_target_stay(rule):
    seen = [(np.ones(3), [1.0, 2.0]), (np.array([1.0, -1, 2]), [np.nan, 1.0])]
    first, both = run(rule, seen[:1], 2)[0], run(rule, seen, 2)[0]
    np.testing.assert_array_equal(both[0], first[0])
    assert not np.array_equal(both[1], first[1])


def test_what_they_take():
    assert repr(RLS(0.9)) == "RLS(forgetting=0.9)"
    assert RLS(0.9) == RLS(0.9) != RLS(0.8)
    assert LMS() == LMS(0.01) and NLMS() == NLMS(0.1, 1e-6) and RLS() == RLS(0.999, 0.01)
    for make, message in (
        (lambda: LMS(0), "`rate` must be"),
        (lambda: NLMS(2.0), "`rate` must be"),
        (lambda: NLMS(epsilon=0), "`epsilon` must be"),
        (lambda: RLS(0), "`forgetting` must be"),
        (lambda: RLS(1.1), "`forgetting` must be"),
        (lambda: RLS(regularization=0), "`regularization` must be"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
