"""Losses: against finite differences, naive loops and PyTorch's values, and every rule that is checked."""

import math
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.losses import ALL, FORMULAS, class_weights, naive, problem, word_and_number

from ltc_np import Dense, Model, losses
from ltc_np.losses import get, normalise

CASES = [(name, weighted, classes) for name in ALL for weighted in (False, True) for classes in (False, True)]
CASES = [case for case in CASES if not case[2] or class_weights(case[0], 5) is not None]
WITH_FORMULA = [name for name in ALL if losses.has_classes(ALL[name]) or word_and_number(name)[0] in FORMULAS]


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 5), (4, 4, 2)])
@pytest.mark.parametrize(("name", "weighted", "classes"), CASES)
def test_value_and_derivative(name, weighted, classes, shape):
    y, target = problem(name, shape)
    weight = np.random.default_rng(1).uniform(0, 2, shape[:-1]) if weighted else None
    class_weight = class_weights(name, shape[-1]) if classes else None
    loss = ALL[name]
    total, weight_sum, d_y = loss(y, target, weight, class_weight)
    assert type(total) is float and type(weight_sum) is float
    if name in WITH_FORMULA:  # 60 elements, each a few roundings of numbers near 1
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


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_is_shown_by_hand(name):
    """Its docstring has an example, which tests/docs/test_docs.py runs."""
    assert re.search(rf"^ *>>> .*\b{name}\(", losses.get(name).__doc__, re.MULTILINE)


def test_formulas_are_found_by_their_names():
    known = {"mse", "mae", "huber", "huber0.3", "quantile0.3", "cross_entropy", "binary_cross_entropy"}
    assert known <= set(WITH_FORMULA)


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
    # Elements are rounded to float32, 6e-8 each, and so is huber's delta.  Formulas are above, in float64.
    expected = ALL[name](y.astype(np.float32).astype(float), target, None, None)[:2]
    assert (total, weight_sum) == pytest.approx(expected, rel=2e-7)


def output_of(name, value):
    """The output of which the loss is ``value``, by halving: for the target 0, or class 0 of two."""
    low, high = 0.0, 2.0**30
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if loss_of(name, [middle], float)[0] < value else (low, middle)
    return high


def loss_of(name, outputs, dtype, weighted=False):
    """The loss of steps with one output, or two of which the first is 0; the target is 0."""
    y, target = np.array(outputs, dtype)[:, None], np.zeros((len(outputs), 1), dtype)
    if name == "cross_entropy":
        y, target = np.concatenate([np.zeros_like(y), y], axis=1), np.zeros(len(outputs), int)
    return ALL[name](y, target, np.ones(len(outputs)) if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_sums_are_float64(name, weighted):
    """One element of 2**24 and two of 1: a float32 sum would not see the small ones."""
    one, large = output_of(name, 1.0), output_of(name, 2.0**24)
    total = loss_of(name, [large, one, one], np.float32, weighted)[0]
    large_alone = loss_of(name, [large], np.float32)[0]
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


@pytest.mark.parametrize("name", ALL)
def test_losses_refuse_to_broadcast(name):
    y, target = problem(name, (3, 4, 5))
    with pytest.raises(ValueError, match=r"`target` must have shape .*, got \(1,"):
        ALL[name](y, target[:1])
    with pytest.raises(ValueError, match=r"`weight` must have shape \(3, 4\)( or \(3, 4, 5\))?, got \(4,\)"):
        ALL[name](y, target, np.ones(4))
    with pytest.raises(TypeError, match="`y` must be a float array, got dtype int"):
        ALL[name](y.astype(int), target)


def test_one_output_is_one_of_two_outputs():
    """With weights of the classes too: O == 1 takes targets of another shape, which must not change them."""
    rng = np.random.default_rng(0)
    y, target, weight = rng.normal(size=(3, 4, 1)), rng.integers(0, 2, (3, 4)), rng.uniform(0.5, 2, (3, 4))
    for class_weight in (None, np.array([0.3, 2.0])):
        one = losses.binary_cross_entropy(y, target, weight, class_weight)
        twice = losses.binary_cross_entropy(y.repeat(2, 2), target[..., None].repeat(2, 2), weight, class_weight)
        assert twice[0] == pytest.approx(2 * one[0], rel=1e-14)
        assert twice[1] == pytest.approx(2 * one[1], rel=1e-14)
        np.testing.assert_allclose(twice[2], one[2].repeat(2, 2), rtol=1e-14)
        scale = np.ones(2) if class_weight is None else class_weight
        p = 1 / (1 + np.exp(-y[..., 0]))
        elements = -np.where(target, scale[1] * np.log(p), scale[0] * np.log(1 - p))
        assert one[0] == pytest.approx((weight * elements).sum(), rel=1e-13)
        assert one[1] == pytest.approx((weight * scale[target]).sum(), rel=1e-13)


@pytest.mark.parametrize("class_weight", [None, [0.3, 2.0]])
def test_a_model_with_one_output_learns_from_whole_numbers_what_it_learns_from_probabilities(class_weight):
    """The loss of a training, and of an evaluation, weighs classes as the loss of elements does."""
    rng = np.random.default_rng(0)
    x, target, found = rng.normal(size=(5, 3, 2)), rng.integers(0, 2, (5, 3)), []
    for y in (target, target[..., None].astype(float)):
        model = Model(Dense(1, input_dim=2), seed=0, dtype="float64")
        options = {"loss": "binary_cross_entropy", "class_weight": class_weight}
        value, gradient = model.loss_and_grad(x, y, **options)
        model.fit(x, y, epochs=2, batch_size=2, seed=0, verbose=False, **options)
        found.append([value, *gradient, *model.theta, model.evaluate(x, y, **options)["loss"]])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-13)


@pytest.mark.parametrize("name", [name for name in ALL if name != "cross_entropy"])
def test_weights_of_single_outputs(name):
    """An output with a weight of its own is a step of one output with this weight."""
    y, target = problem(name, (3, 4, 5))
    weight = np.random.default_rng(3).choice([0.0, 0.5, 2.0], y.shape)
    for classes in (None, class_weights(name, 5)):
        total, weight_sum, d_y = ALL[name](y, target, weight, classes)
        alone = ALL[name](y.reshape(60, 1), target.reshape(60, 1), weight.ravel(), classes)
        assert (total, weight_sum) == pytest.approx(alone[:2], rel=1e-14)
        np.testing.assert_array_equal(d_y, alone[2].reshape(y.shape))
        assert losses.weight_sum(ALL[name], target, weight, classes) == weight_sum
    with pytest.raises(ValueError, match=r"`weight` must have shape \(3, 4\), got \(3, 4, 5\)"):
        losses.cross_entropy(y, np.zeros((3, 4), int), weight)


@pytest.mark.parametrize("name", ALL)
def test_values_are_checked_where_users_call(name):
    y, target = problem(name)
    for bad in (-1.0, np.nan, np.inf):
        weight = np.ones((3, 4))
        weight[1, 2] = bad
        with pytest.raises(ValueError, match=f"`weight` must be finite and >= 0, got {bad}"):
            ALL[name](y, target, weight)
    with pytest.raises(TypeError, match="`weight` must be real numbers, got dtype <U1"):
        ALL[name](y, target, [["a"] * 4] * 3)
    with pytest.raises(TypeError, match="`target` must be real numbers, got dtype object"):
        ALL[name](y, np.full(target.shape, None))
    with pytest.raises(ValueError, match=r"`y` must be \(B, T, O\) or \(B, O\), got shape \(5,\)"):
        ALL[name](np.zeros(5), target)
    as_lists = ALL[name](y.tolist(), target.tolist(), np.ones((3, 4)).tolist())
    np.testing.assert_equal(as_lists, ALL[name](y, target, np.ones((3, 4), bool)))
    np.testing.assert_equal(as_lists, losses.trusted(ALL[name])(y, target, np.ones((3, 4))))


def test_classes_and_probabilities_are_checked_where_users_call():
    y = np.zeros((2, 3))
    for bad in (-1, 3):
        with pytest.raises(ValueError, match=rf"`target` of cross_entropy must be classes in 0\.\.2, got {bad}"):
            losses.cross_entropy(y, np.array([0, bad]))
    for bad in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=rf"`target` of binary_cross_entropy must be in \[0, 1\], got {bad}"):
            losses.binary_cross_entropy(y, np.array([[0, 1, 0], [0, 0, bad]]))
    two = losses.cross_entropy(y[:, :2], np.array([0, 1]))
    np.testing.assert_equal(losses.cross_entropy(y[:, :2], np.array([False, True])), two)


def test_a_target_without_the_axis_of_one_output():
    for name in ALL:
        if name != "cross_entropy":
            y, target = problem(name, (3, 4, 1))
            np.testing.assert_equal(ALL[name](y, target[..., 0]), ALL[name](y, target))
