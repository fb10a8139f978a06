"""Losses: against finite differences, naive loops and PyTorch's values, and every rule that is checked."""

import math
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_np import LTCRNN, AutoNCP, losses
from ltc_np.losses import check_target, get, normalise

REGRESSION = {
    "mse": get("mse"),
    "mae": get("mae"),
    "huber": get("huber"),
    "huber0.3": partial(get("huber"), delta=0.3),
}
ALL = {
    **REGRESSION,
    "cross_entropy": get("cross_entropy"),
    "binary_cross_entropy": get("binary_cross_entropy"),
}


def naive_element(name, y, target, a, b):
    """(l, element weight) of one output, or of one step for cross_entropy, in plain Python floats."""
    if name == "cross_entropy":
        return b[target] * (math.log(sum(math.exp(v) for v in y)) - y[target]), b[target]
    e = y - target
    if name == "mse":
        return e * e, 1.0
    if name == "mae":
        return abs(e), 1.0
    if name.startswith("huber"):
        delta = float(name[5:] or 1)
        return (e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)), 1.0
    p = 1 / (1 + math.exp(-y))
    positive, negative = b[1] * target, b[0] * (1 - target)
    return -positive * math.log(p) - negative * math.log(1 - p), positive + negative


def naive(name, y, target, weight, class_weight):
    """total and weight_sum by a loop over everything."""
    total = weight_sum = 0.0
    size = y.shape[-1]
    classes = class_weight if class_weight is not None else np.ones(max(size, 2))
    for where in np.ndindex(y.shape[:-1]):
        w = 1.0 if weight is None else float(weight[where])
        columns = y[where], target[where]
        for one, t in [columns] if name == "cross_entropy" else zip(*columns, strict=True):
            value, share = naive_element(name, one, t, size, classes)
            total += w * value
            weight_sum += w * share
    return total, weight_sum


def problem(name, shape=(3, 4, 5), seed=0):
    """y and target without ties or kinks within the step of a finite difference."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 2, shape)
    if name == "cross_entropy":
        return y, rng.integers(0, shape[-1], shape[:-1])
    if name == "binary_cross_entropy":
        return y, rng.uniform(0, 1, shape)
    error = rng.choice([-1, 1], shape) * rng.uniform(0.01, 2, shape)
    for kink in (0.3, 1.0):
        error[np.abs(np.abs(error) - kink) < 0.01] *= 1.1
    return y, y - error


def class_weights(name, size):
    table = {"cross_entropy": np.linspace(0.5, 2, size), "binary_cross_entropy": np.array([0.4, 1.7])}
    return table.get(name)


CASES = [(name, weighted, classes) for name in ALL for weighted in (False, True) for classes in (False, True)]
CASES = [case for case in CASES if not case[2] or class_weights(case[0], 5) is not None]


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 5), (4, 4, 2)])
@pytest.mark.parametrize(("name", "weighted", "classes"), CASES)
def test_value_and_derivative(name, weighted, classes, shape):
    y, target = problem(name, shape)
    weight = np.random.default_rng(1).uniform(0, 2, shape[:-1]) if weighted else None
    class_weight = class_weights(name, shape[-1]) if classes else None
    loss = ALL[name]
    total, weight_sum, d_y = loss(y, target, weight, class_weight)
    assert type(total) is float and type(weight_sum) is float
    # 60 elements, each a few roundings of numbers near 1
    assert (total, weight_sum) == pytest.approx(naive(name, y, target, weight, class_weight), rel=1e-13)

    step = 1e-6  # the difference is off by step**2 (third derivative) and 1e-16 * total / step (rounding)
    numeric = np.empty_like(y)
    for where in np.ndindex(shape):
        ends = []
        for sign in (1, -1):
            moved = y.copy()
            moved[where] += sign * step
            ends.append(loss(moved, target, weight, class_weight)[0])
        numeric[where] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(d_y, numeric, rtol=1e-7, atol=1e-7)
    assert d_y.shape == y.shape and d_y.dtype == y.dtype


Y = np.array([[[0.2, -1.3], [2.5, 0.7], [-0.4, 0.0]], [[1.1, -0.6], [0.3, 3.0], [-2.0, 0.9]]])
T = np.array([[[0.0, -1.0], [1.0, 0.2], [-0.4, 1.5]], [[1.0, 0.6], [-0.3, 0.5], [0.0, 1.0]]])
C = np.array([[0, 1, 1], [0, 0, 1]])
# computed with torch 2.13, float64: the mean losses and the first three derivatives
GOLDEN = {
    "mse": (get("mse"), T, None, 1.4125, [0.03333333333333333, -0.05, 0.25]),
    "mae": (get("mae"), T, None, 0.875, [0.08333333333333333, -0.08333333333333333, 0.08333333333333333]),
    "huber": (
        partial(get("huber"), delta=0.5),
        T,
        None,
        0.3416666666666666,
        [0.016666666666666666, -0.025, 0.041666666666666664],
    ),
    "cross_entropy": (
        get("cross_entropy"),
        C,
        None,
        0.9422997513815998,
        [-0.030404253967726058, 0.03040425396772605, 0.14302482251658538],
    ),
    "cross_entropy, class_weight": (
        get("cross_entropy"),
        C,
        np.array([0.3, 2.0]),
        0.8665774114538641,
        [-0.00793154451331984, 0.00793154451331984, 0.24873882176797457],
    ),
    "binary_cross_entropy": (
        get("binary_cross_entropy"),
        np.abs(T) % 1,
        None,
        0.9844361080642612,
        [0.04581949977603983, 0.01784708474645345, 0.07701181833156305],
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_means_of_torch(case):
    loss, target, class_weight, mean, slopes = GOLDEN[case]
    total, weight_sum, d_y = loss(Y, target, class_weight=class_weight)
    assert normalise(total, weight_sum) == pytest.approx(mean, rel=1e-14)
    np.testing.assert_allclose(d_y.ravel()[:3] / weight_sum, slopes, rtol=1e-12)


def test_mae_has_derivative_zero_at_its_kink():
    assert losses.mae(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0]]))[2].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("name", ALL)
def test_shards_and_zero_weights(name):
    """Two shards add up to the whole; weight 0 equals leaving an element out."""
    y, target = problem(name, (6, 4, 5))
    weight = np.random.default_rng(2).integers(0, 2, (6, 4))
    whole = ALL[name](y, target, weight)
    parts = [ALL[name](y[cut], target[cut], weight[cut]) for cut in (slice(2), slice(2, 6))]
    # the same numbers in another order
    assert whole[:2] == pytest.approx(tuple(np.sum([p[:2] for p in parts], axis=0)), rel=1e-14)
    np.testing.assert_array_equal(whole[2], np.concatenate([p[2] for p in parts]))
    kept = ALL[name](y[weight == 1], target[weight == 1])
    assert whole[:2] == pytest.approx(kept[:2], rel=1e-14)
    assert not whole[2][weight == 0].any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_float32_stays_float32(name, weighted):
    y, target = problem(name, (20, 5, 2))
    target = target if target.dtype.kind == "i" else target.astype(np.float32)
    weight = np.ones(y.shape[:-1], np.float32) if weighted else None
    total, weight_sum, d_y = ALL[name](y.astype(np.float32), target, weight, None)
    assert d_y.dtype == np.float32
    # elements are rounded to float32, 6e-8 each, and so is huber's delta
    expected = naive(name, y.astype(np.float32).astype(float), target, None, None)
    assert (total, weight_sum) == pytest.approx(expected, rel=2e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_sums_are_float64(name, weighted):
    """One element of 2**24 and two of 1: a float32 sum would not see the small ones."""
    one, large = {
        "mse": (1.0, 2.0**12),
        "huber": (1.5, 2.0**24),
        "huber0.3": (1 / 0.3 + 0.15, 2.0**24 / 0.3),
        "cross_entropy": (math.log(math.e - 1), 2.0**24),
        "binary_cross_entropy": (math.log(math.e - 1), 2.0**24),
    }.get(name, (1.0, 2.0**24))
    y = np.array([[large], [one], [one]], np.float32)
    target = np.zeros((3, 1), np.float32)
    if name == "cross_entropy":
        y, target = np.concatenate([np.zeros_like(y), y], axis=1), np.zeros(3, int)
    total = ALL[name](y, target, np.ones(3) if weighted else None)[0]
    large_alone = ALL[name](y[:1], target[:1])[0]
    assert large_alone == pytest.approx(2.0**24, rel=1e-6)
    assert total - large_alone == pytest.approx(2.0, rel=1e-6)


def test_a_float64_target_or_delta_does_not_promote():
    y = np.ones((2, 3), np.float32)
    for name, loss in ALL.items():
        target = np.zeros(2, int) if name == "cross_entropy" else np.zeros((2, 3))
        assert loss(y, target, np.ones(2))[2].dtype == np.float32
    assert losses.huber(y, np.zeros((2, 3)), delta=np.float64(0.5))[2].dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_do_not_overflow(dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = np.array([[3e4, -3e4], [-3e4, 3e4]], dtype)
        total, _, d_y = losses.cross_entropy(y, np.array([0, 0]))
        assert total == 6e4 and d_y.tolist() == [[0, 0], [-1, 1]]
        total, _, d_y = losses.binary_cross_entropy(y, np.array([[1, 1], [1, 1]], dtype))
        assert total == 6e4 and d_y.tolist() == [[0, -1], [-1, 0]]


def test_binary_derivative_keeps_its_digits():
    """1 - p = exp(-y) / (1 + exp(-y)) for y = 40, where p itself is 1 in float64."""
    d_y = losses.binary_cross_entropy(np.array([[40.0]]), np.array([[1.0]]))[2]
    assert d_y[0, 0] == pytest.approx(-math.exp(-40), rel=1e-15, abs=0)


def test_binary_targets_of_one_output():
    y = np.array([[[0.3], [-1.0]]])
    expected = losses.binary_cross_entropy(y, np.array([[[1.0], [0.0]]]))
    for target in (np.array([[1, 0]]), np.array([[True, False]])):
        got = losses.binary_cross_entropy(y, target)
        assert got[:2] == expected[:2]
        np.testing.assert_array_equal(got[2], expected[2])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(ALL)), st.floats(-5, 5))
def test_properties(seed, name, shift):
    """Never negative; convex, so above every tangent; cross-entropy does not see a common shift of the
    logits."""
    y, target = problem(name, (2, 3, 4), seed)
    other = y + np.random.default_rng(seed + 1).normal(size=y.shape)
    total, _, d_y = ALL[name](y, target)
    assert total >= 0
    # rounding of sums of a few tens
    assert ALL[name](other, target)[0] >= total + np.sum(d_y * (other - y)) - 1e-11
    if name == "cross_entropy":
        assert ALL[name](y + shift, target)[0] == pytest.approx(total, rel=1e-12)


def test_normalise():
    assert normalise(3.0, 2.0) == 1.5
    assert math.isnan(normalise(math.nan, 2.0))  # a diverged loss is for the caller to report
    for weight_sum in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="weights must not be 0 for every valid element, got the sum"):
            normalise(0.0, weight_sum)


@pytest.mark.parametrize("name", ALL)
def test_losses_refuse_to_broadcast(name):
    y, target = problem(name, (3, 4, 5))
    with pytest.raises(ValueError, match=r"`target` must have shape .*, got \(1,"):
        ALL[name](y, target[:1])
    with pytest.raises(ValueError, match=r"`weight` must have shape \(3, 4\), got \(4,\)"):
        ALL[name](y, target, np.ones(4))
    with pytest.raises(TypeError, match="`y` must be a float array, got dtype int"):
        ALL[name](y.astype(int), target)


def test_class_weight_is_checked():
    y, target = problem("cross_entropy")
    for bad in ([1.0] * 4, {0: 1.0}, ["a"] * 5, 2.0):
        with pytest.raises(ValueError, match="`class_weight` must be 5 real numbers, got"):
            losses.cross_entropy(y, target, class_weight=bad)
    for bad in ([1, 1, 1, 1, -1], [1, 1, 1, 1, np.nan], [1, 1, 1, 1, np.inf]):
        with pytest.raises(ValueError, match="`class_weight` must be finite and >= 0, got"):
            losses.cross_entropy(y, target, class_weight=bad)
    with pytest.raises(ValueError, match="`class_weight` must be None for a loss without classes"):
        losses.mse(y, y, class_weight=np.ones(5))
    for delta in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="`delta` must be a finite number > 0, got"):
            losses.huber(y, y, delta=delta)
    with pytest.raises(TypeError, match="cross_entropy must be integer classes, got dtype float64"):
        losses.cross_entropy(y, target.astype(float))


def test_get():
    for name in ("mse", "mae", "huber", "cross_entropy", "binary_cross_entropy"):
        assert get(name) is getattr(losses, name) and get(get(name)) is get(name)
    own = get(user)
    assert get(own) is own and pickle.loads(pickle.dumps(own)).function is user
    small = partial(losses.huber, delta=0.1)
    assert get(small) is small
    assert all(losses.takes_weight(loss) for loss in ("mse", losses.mae, small))
    assert not losses.takes_weight(user) and not losses.takes_weight(own)
    with pytest.raises(ValueError, match="one of mse, mae, huber, cross_entropy, binary_cross_entropy or"):
        get("MSE ")
    with pytest.raises(TypeError, match="or a callable, got 3"):
        get(3)


def user(y, target):
    return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size


def test_own_loss():
    y, target = problem("mse")
    total, weight_sum, d_y = get(user)(y.astype(np.float32), target)
    assert total == pytest.approx(user(y, target)[0], rel=1e-6)  # float32 input
    assert weight_sum == 1.0 and d_y.dtype == np.float32
    for given_ in ({"weight": np.ones((3, 4))}, {"class_weight": np.ones(5)}):
        with pytest.raises(ValueError, match=f"`{next(iter(given_))}` must be None with a loss of your own"):
            get(user)(y, target, **given_)


def test_own_loss_gets_back_what_it_gave():
    """The caller scales d_y in place; an array that the function keeps must not change with it."""
    kept = np.ones((2, 3))
    d_y = get(lambda y, target: (np.float32(1), kept))(np.zeros((2, 3)), np.zeros((2, 3)))[2]
    d_y *= 5
    assert kept.sum() == 6


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (3.0, TypeError, "a tuple .value, d_y., got float 3.0"),
        ((1.0, 2.0, 3.0), TypeError, "a tuple .value, d_y., got a tuple of 3"),
        ((np.ones(2), np.ones((2, 3))), TypeError, r"one real number as value, got float64 of shape \(2,\)"),
        (("one", np.ones((2, 3))), TypeError, "one real number as value, got str 'one'"),
        ((None, np.ones((2, 3))), TypeError, "one real number as value, got NoneType None"),
        ((1j, np.ones((2, 3))), TypeError, "one real number as value, got complex 1j"),
        ((1.0, np.ones(3)), ValueError, r"a real d_y of shape \(2, 3\), got float64 of shape \(3,\)"),
        ((1.0, 1j * np.ones((2, 3))), ValueError, r"a real d_y of shape \(2, 3\), got complex128"),
    ],
)
def test_own_loss_must_return_value_and_derivative(result, error, message):
    def mine(y, target):
        return result

    with pytest.raises(error, match="mine must return .*" + message):
        get(mine)(np.zeros((2, 3)), np.zeros((2, 3)))


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
    for values in ([True, False], [1, 0], [[1], [0]], [[1.0], [0.0]], [[True], [False]]):
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
    for bad in (np.ones((2, 3)), np.ones(3, bool)):
        with pytest.raises(ValueError, match=r"`valid` must be bool of shape \(2, 3\), got"):
            check_target("mse", (2, 3, 2), target, float, bad)


@pytest.mark.parametrize(
    ("loss", "shape", "target", "error", "message"),
    [
        ("mse", (2, 3), np.ones((2, 1)), ValueError, r"`target` of mse must have shape \(2, 3\), got"),
        ("mse", (3, 3), np.ones(3), ValueError, r"must have shape \(3, 3\), got float64 of shape \(3,\)"),
        ("mse", (2, 1), np.ones(2), ValueError, r"must have shape \(2, 1\), got float64 of shape \(2,\)"),
        ("mae", (2, 1), [[1.0], [np.nan]], ValueError, r"must be finite in float32, got nan at \(1, 0\)"),
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
        ("binary_cross_entropy", (2, 1), [[0.5], [np.nan]], ValueError, r"must be in \[0, 1\], got nan"),
        ("binary_cross_entropy", (2, 1), [0, 2], ValueError, r"must be in \[0, 1\], got 2"),
        (
            "binary_cross_entropy",
            (2, 1),
            [0.0, 1.0],
            ValueError,
            r"\(or be integers of shape \(2,\)\), got float64",
        ),
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


def test_own_loss_gets_any_numeric_target():
    assert check_target(user, (2, 3, 1), np.arange(14).reshape(2, 7), np.float32).dtype == np.intp
    assert check_target(user, (2, 3, 1), np.ones((2, 7)), np.float32).dtype == np.float32
    assert check_target(user, (2, 3, 1), np.ones((2, 7), bool), np.float32).dtype == bool
    valid = np.zeros((2, 3), bool)
    assert check_target(user, (2, 3, 1), np.ones((2, 7)), np.float32, valid).all()  # not one target per step


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
