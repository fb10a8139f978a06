"""Targets: what is cast, what is not read, what is refused."""

from functools import partial

import numpy as np
import pytest
from support.losses import user

from ltc_np import LTCRNN, AutoNCP, losses
from ltc_np.losses import check_target, get, known_target


def test_check_target_casts():
    target = check_target("mse", (2, 3), [[1, 2, 3], [4, 5, 6]], np.float32)
    assert target.dtype == np.float32 and target.tolist() == [[1, 2, 3], [4, 5, 6]]
    ready = np.ones((2, 3))
    assert np.shares_memory(check_target("mse", (2, 3), ready, np.float64), ready)  # nothing to do
    target = check_target("mae", (2, 3), np.ones((3, 2)).T, np.float64)
    assert target.flags.c_contiguous
    target = check_target(partial(losses.huber, delta=2.0), (2, 3), ready, np.float32)
    assert target.dtype == np.float32
    target = check_target("cross_entropy", (2, 3), np.array([0, 2], np.uint8), np.float32)
    assert target.dtype == np.intp and target.tolist() == [0, 2]
    target = check_target("cross_entropy", (2, 2), np.array([False, True]), np.float32)
    assert target.dtype == np.intp and target.tolist() == [0, 1]
    for name in ("mse", "mae", "huber"):
        target = check_target(name, (2, 3, 1), np.arange(6.0).reshape(2, 3), np.float32)
        assert target.shape == (2, 3, 1) and target.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    for values in ([True, False], [1, 0], [1.0, 0.0], [[1], [0]], [[1.0], [0.0]], [[True], [False]]):
        target = check_target("binary_cross_entropy", (2, 1), values, np.float32)
        assert target.dtype == np.float32 and target.tolist() == [[1.0], [0.0]]


def test_check_target_reads_nothing_outside_valid():
    valid = np.array([[True, True, False], [True, False, False]])
    target = np.where(valid[..., None], 0.5, np.nan) * np.ones(2)
    for name in ("mse", "mae", "huber", "binary_cross_entropy", user, get(user)):
        got = check_target(name, (2, 3, 2), target, np.float32, valid)
        np.testing.assert_array_equal(got, np.where(valid[..., None], 0.5, 0) * np.ones(2))
        target[0, 1, 1] = np.inf
        with pytest.raises(ValueError, match=r"`target`.* must be"):
            check_target(name, (2, 3, 2), target, np.float32, valid)
        target[0, 1, 1] = 0.5
    classes = np.where(valid, 3, -7)
    assert check_target("cross_entropy", (2, 3, 4), classes, float, valid).tolist() == [[3, 3, 0], [3, 0, 0]]
    bits = np.where(valid, 1, 9)
    got = check_target("binary_cross_entropy", (2, 3, 1), bits, float, valid)
    np.testing.assert_array_equal(got[..., 0], valid)
    assert np.isnan(target[1, 2, 0]) and classes[1, 1] == -7  # the caller's arrays are left alone
    assert not check_target("mse", (2, 3, 2), target, float, np.zeros((2, 3), bool)).any()
    single = np.array([[True, False], [False, True]])  # outputs for themselves
    got = check_target("mse", (2, 2), np.where(single, 0.5, np.nan), float, single)
    np.testing.assert_array_equal(got, np.where(single, 0.5, 0))
    for bad in (np.ones((2, 3)), np.ones(3, bool)):
        with pytest.raises(ValueError, match=r"`valid` must be bool of shape \(2, 3\), got"):
            check_target("mse", (2, 3, 2), target, float, bad)


@pytest.mark.parametrize(
    ("loss", "shape", "target", "error", "message"),
    [
        ("mse", (2, 3), np.ones((2, 1)), ValueError, r"`target` of mse must have shape \(2, 3\), got"),
        ("mse", (3, 3), np.ones(3), ValueError, r"must have shape \(3, 3\), got float64 of shape \(3,\)"),
        ("mse", (2, 1), np.ones(3), ValueError, r"must have shape \(2, 1\) or \(2,\), got float64 of shape \(3,\)"),
        ("mse", (2, 2), np.ones(2), ValueError, r"must have shape \(2, 2\), got float64 of shape \(2,\)"),
        ("mse", (2, 1), np.ones((2, 1, 1)), ValueError, r"must have shape \(2, 1\) or \(2,\), got"),
        (
            "mae",
            (2, 1),
            [[1.0], [np.nan]],
            ValueError,
            r'must be finite in float32, got nan at \(1, 0\): for targets that are missing give missing="ignore"$',
        ),
        ("mae", (2, 1), [[1.0], [np.inf]], ValueError, r"must be finite in float32, got inf at \(1, 0\)$"),
        (
            "huber",
            (2, 1),
            [[1.0], [1e300]],
            ValueError,
            r"must be finite in float32, got 1e\+300 at \(1, 0\)",
        ),
        ("mse", (1, 1), [["a"]], TypeError, "`target` must be real numbers, got dtype <U1"),
        ("mse", (1, 1), [[1j]], TypeError, "`target` must be real numbers, got dtype complex128"),
        ("mse", (1, 1), [[None]], TypeError, "`target` must be real numbers, got dtype object"),
        (user, (1, 1), [[None]], TypeError, "`target` must be real numbers, got dtype object"),
        (user, (2, 1), [1.0], ValueError, r"`target` must have first size 2, the batch, got shape \(1,\)"),
        (user, (2, 1), [1.0, np.nan], ValueError, r"`target` must be finite in float32, got nan at \(1,\)"),
        ("cross_entropy", (2, 3), [0, 3], ValueError, r"must be classes in 0\.\.2, got 3"),
        ("cross_entropy", (2, 3), [-1, 0], ValueError, r"must be classes in 0\.\.2, got -1"),
        (
            "cross_entropy",
            (1, 3),
            np.array([2**64 - 1], np.uint64),
            ValueError,
            r"0\.\.2, got 18446744073709551615",
        ),
        ("cross_entropy", (2, 3), [0.0, 1.0], TypeError, "must be integer classes, got dtype float64"),
        ("cross_entropy", (2, 3), [[0], [1]], ValueError, r"must have shape \(2,\), got \(2, 1\)"),
        ("cross_entropy", (2, 1), [0, 0], ValueError, "needs at least 2 outputs, got 1"),
        ("binary_cross_entropy", (2, 1), [[0.5], [1.5]], ValueError, r"must be in \[0, 1\], got 1.5"),
        (
            "binary_cross_entropy",
            (2, 1),
            [[0.5], [np.nan]],
            ValueError,
            r'must be finite in float32, got nan at \(1, 0\): for .* missing="ignore"$',
        ),
        ("cross_entropy", (2, 3), [0.0, np.nan], ValueError, r'integer classes, got nan: for .* missing="ignore"$'),
        ("binary_cross_entropy", (2, 1), [0, 2], ValueError, r"must be in \[0, 1\], got 2"),
        (
            "binary_cross_entropy",
            (2, 2),
            [0, 1],
            ValueError,
            r"must have shape \(2, 2\), got int.* of shape \(2,\)",
        ),
        ("hinge", (2, 2), [0, 1], ValueError, "`loss` must be one of mse"),
    ],
)
def test_check_target_refuses(loss, shape, target, error, message):
    with np.errstate(all="raise"), pytest.raises(error, match=message):
        check_target(loss, shape, target, np.float32)


@pytest.mark.parametrize("T", [2, 3, 4])
def test_labels_of_as_many_steps_as_outputs(T):
    """(B, T) = (B, O) are the labels of all steps, not targets of the last one."""
    model = LTCRNN(AutoNCP(8, 3), 2, seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, T, 2)), rng.integers(0, 3, (5, T))
    z = model(x)
    p = np.exp(z) / np.exp(z).sum(2, keepdims=True)
    want = -np.log(np.take_along_axis(p, labels[:, :, None], axis=2)).mean()
    assert model.loss_and_grad(x, labels, loss="cross_entropy")[0] == pytest.approx(want, rel=1e-12)
    model.fit(x, labels, loss="cross_entropy", epochs=1, verbose=False)
    with pytest.raises(ValueError, match="must (be of every step|have shape)"):
        model.loss_and_grad(x, rng.normal(size=(5, 3)))


def test_known_target():
    for target in ([1, 2], [True, False], np.array([1, 2], np.uint8)):
        got, known = known_target(get("mse"), "y", target)
        assert known is None and got.tolist() == list(target)
    given = np.array([[0.5, np.nan], [np.nan, 2.0]], np.float32)
    got, known = known_target(get("mse"), "y", given)
    assert got.dtype == np.float32 and got.tolist() == [[0.5, 0], [0, 2]]
    assert known.tolist() == [[True, False], [False, True]] and np.isnan(given).sum() == 2
    got, known = known_target(get("cross_entropy"), "y", [np.nan, 2.0])
    assert got.dtype == np.intp and got.tolist() == [0, 2] and known.tolist() == [False, True]
    got, known = known_target(get("cross_entropy"), "y", [1.0, 2.0])  # a part of the data in which none is missing
    assert got.dtype == np.intp and known is None
    for odd in ([0.5, np.nan], [np.inf, np.nan], [1e300, np.nan]):  # `check_target` refuses these
        assert known_target(get("cross_entropy"), "y", odd)[0].dtype == float
    with pytest.raises(TypeError, match="`y` must be real numbers, got dtype object"):
        known_target(get("mse"), "y", [None, 1.0])
