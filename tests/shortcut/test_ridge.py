"""Ridge regression, against refits without each row or group."""

import numpy as np
import pytest

from ltc_np.shortcut.ridge import PENALTIES, ridge


def data(n, p, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, p)) * rng.uniform(0.1, 30, p) + rng.normal(size=p)
    y = rows @ rng.normal(size=(p, outputs)) / np.sqrt(p) + 4 * rng.normal(size=(n, outputs)) - 7
    return rows, y, rng.uniform(0.2, 3, n)


def refit(rows, y, weight, penalty):
    """By the normal equations with a column of ones, which has no penalty: weights (p + 1, O)."""
    a = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    lambdas = np.diag([*[penalty] * rows.shape[1], 0])
    return np.linalg.solve(a.T @ (weight[:, None] * a) + lambdas, a.T @ (weight[:, None] * y))


@pytest.mark.parametrize("shape", [(30, 4), (12, 20)], ids=["tall", "wide"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_left_out_is_a_refit_without_the_group(shape, weighted, grouped):
    rows, y, weight = data(*shape)
    n = len(rows)
    weight = weight if weighted else np.ones(n)
    groups = np.random.default_rng(1).integers(0, 4, n) if grouped else np.arange(n)
    if grouped:
        groups[: n // 2] = 0  # one that is larger than the number of columns
    found = ridge(rows, y, weight if weighted else None, groups if grouped else None)
    share = weight / weight.sum()
    scale = np.sqrt(share @ (rows - share @ rows) ** 2)
    scaled, mass = rows / scale, n * share  # the penalty is of columns with spread 1 and of weights with mean 1
    errors = np.empty((len(PENALTIES), 2))
    for k, penalty in enumerate(PENALTIES):
        predicted = np.empty_like(y)
        for group in np.unique(groups):
            out = groups == group
            slope = refit(scaled[~out], y[~out], mass[~out], penalty)
            predicted[out] = scaled[out] @ slope[:-1] + slope[-1]
        errors[k] = share @ (predicted - y) ** 2
        for o in np.flatnonzero(found.penalty == penalty):
            np.testing.assert_allclose(found.left_out[:, o], predicted[:, o], rtol=1e-7, atol=1e-7)
            slope = refit(scaled, y, mass, penalty)[:, o]
            np.testing.assert_allclose(found.weight[:, o] * scale, slope[:-1], rtol=1e-7, atol=1e-8)
            np.testing.assert_allclose(found.predict(rows)[:, o], scaled @ slope[:-1] + slope[-1], rtol=1e-7)
    np.testing.assert_array_equal(found.penalty, PENALTIES[errors.argmin(axis=0)])
    np.testing.assert_allclose(found.error, errors.min(axis=0), rtol=1e-7)


@pytest.mark.parametrize("rounding", [0.0, 1e-4])
def test_constant_column_says_nothing(rounding):
    """Nor does one that differs by less than a billionth of what it is."""
    rows, y, _ = data(20, 3)
    more = np.insert(rows, 1, 1e6 + rounding * np.random.default_rng(1).normal(size=20), axis=1)
    found, want = ridge(more, y), ridge(rows, y)
    assert (found.weight[1] == 0).all()
    np.testing.assert_allclose(np.delete(found.weight, 1, axis=0), want.weight, rtol=1e-9)
    np.testing.assert_allclose(found.predict(more), want.predict(rows), rtol=1e-9)


def test_a_row_may_outweigh_all_others():
    rows, y, weight = data(20, 3)
    weight[4] = 1e25
    found = ridge(rows, y, weight)
    assert all(np.isfinite(part).all() for part in found)
    np.testing.assert_allclose(found.predict(rows)[4], y[4], rtol=1e-9)


def test_outputs_have_penalties_of_their_own():
    """From a thousandth to a hundred thousand; of equal errors, as those of one that is always 0, the least."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 10))
    found = ridge(rows, np.stack([rows.sum(1), rng.normal(size=40), np.zeros(40)], axis=1))
    assert found.penalty[0] == PENALTIES[0] == found.penalty[2] and found.penalty[1] > 10
    assert found.weight[:, 2].tolist() == [0] * 10 and found.left_out[:, 2].tolist() == [0] * 40
    assert PENALTIES.tolist() == pytest.approx([0.001, 0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000])
