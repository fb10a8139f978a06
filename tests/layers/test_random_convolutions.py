"""RandomConvolutions: against loops over sequences, steps, kernels and taps, and what it draws and refuses."""

from itertools import combinations

import numpy as np
import pytest

from ltc_np import Dense, Model, RandomConvolutions, Residual, load
from ltc_np.layers import random_convolutions

FEATURES = 336  # four thresholds a kernel: with 40 steps of dilations 1, 1, 2 and 4


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def layer_of(channels=3, **options):
    options = {"features": FEATURES, "length": 40, "weight": normal(FEATURES, 2), "bias": [0.3, -0.7]} | options
    return RandomConvolutions(2, input_dim=channels, **{"thresholds": normal(FEATURES, seed=1)} | options)


def channels_of(layer, group):
    """(I, 84): which features each kernel reads, from what it says of an input that is the oldest one."""
    mix, kernels = group.mix.reshape(8, layer.input_size, 84), list(combinations(range(9), 3))
    oldest = np.array([2.0 if 8 in places else -1.0 for places in kernels])
    return mix[-1] / oldest


def naive(layer, x):
    """Convolutions {(dilation, kernel): values of the steps of x (T, I)}, with nothing shared."""
    found = {}
    for group in layer.groups:
        chosen = channels_of(layer, group)
        for kernel, places in enumerate(combinations(range(9), 3)):
            values = []
            for t in range(len(x)):
                total = 0.0
                for tap in range(9):
                    s = t - tap * group.dilation
                    if s >= 0:
                        total += (2 if tap in places else -1) * float(chosen[:, kernel] @ x[s])
                values.append(total)
            found[group.dilation, kernel] = np.array(values)
    return found


def features_of(layer):
    """(dilation, kernel) of each feature, and whether it reads what that rises in a step."""
    found = {}
    for group in layer.groups:
        for rises, parts in enumerate((group.features, group.rises)):
            for part in parts:
                found |= {part.start + kernel: ((group.dilation, kernel), rises) for kernel in range(84)}
    assert sorted(found) == list(range(len(layer.weight)))
    return [found[f] for f in sorted(found)]


def read_by(feature, of_kernels):
    """The values of a feature: those of a convolution, or what each is more than the one before, which was 0."""
    own, rises = feature
    return np.diff(of_kernels[own], prepend=0.0) if rises else of_kernels[own]


@pytest.mark.parametrize("differences", [False, True])
@pytest.mark.parametrize("at_once", [4096, 7, 1])
def test_by_hand(at_once, differences, monkeypatch):
    monkeypatch.setattr(random_convolutions, "STEPS", at_once)
    layer = layer_of(differences=differences)
    x, lengths = normal(4, 12, 3, seed=2), np.array([12, 1, 7, 0])
    model = Model(layer, dtype="float64")
    y, state = model(x, lengths=lengths, return_state=True)
    shares = layer.shares(x, lengths, layer.thresholds)
    for b, n in enumerate(lengths):
        of_kernels = naive(layer, x[b, :n])
        above = np.array(
            [read_by(own, of_kernels) > c for own, c in zip(features_of(layer), layer.thresholds, strict=True)]
        )
        for t in range(1, n + 1):
            z = above[:, :t].mean(1)
            np.testing.assert_allclose(y[b, t - 1], z @ layer.weight + layer.bias, rtol=0, atol=1e-12)
        if n:
            np.testing.assert_allclose(shares[b], above.mean(1), rtol=0, atol=1e-15)
            np.testing.assert_allclose(state[b, 1:3], (above.sum(1) @ layer.weight), rtol=0, atol=1e-11)
        past = [x[b, n - 1 - k] if n > k else np.zeros(3) for k in range(layer.reach)]
        assert state[b, 0] == n
        np.testing.assert_array_equal(state[b, 3:], np.concatenate(past))


@pytest.mark.parametrize("differences", [False, True])
def test_one_step_after_the_other(differences):
    model, x = Model(layer_of(differences=differences), dtype="float64"), normal(2, 50, 3, seed=2)
    state, found = None, []
    for t in range(50):
        y, state = model.step(x[:, t], state=state)
        found.append(y)
    np.testing.assert_allclose(np.stack(found, axis=1), model(x), rtol=0, atol=1e-12)


def test_kernels_and_dilations():
    """84 kernels whose weights add up to 0; distances in equal ratios, of which equal ones are one group."""
    kernels = random_convolutions.KERNELS
    assert len({tuple(kernel) for kernel in kernels}) == 84
    assert (kernels.sum(1) == 0).all() and ((kernels == 2).sum(1) == 3).all()
    for length, features, dilations in (
        (40, FEATURES, [1, 2, 4]),
        (65, 400, [1, 2, 4, 8]),
        (9, 168, [1]),
        (1, 84, [1]),
        (1001, 1008, [1, 2, 3, 5, 8, 13, 21, 33, 51, 80, 125]),
    ):
        layer = RandomConvolutions(1, features, length=length, input_dim=1)
        assert [group.dilation for group in layer.groups] == dilations
        assert layer.reach == 8 * dilations[-1] <= max(8, length - 1)
        parts = [part for group in layer.groups for part in group.features]
        assert [part.start for part in parts] == list(range(0, features // 84 * 84, 84))


def test_channels_are_drawn():
    """From 1 to 9 of them for each kernel, other ones for another seed."""
    chosen = [
        np.concatenate([channels_of(layer, group) for group in layer.groups], axis=1)
        for layer in (layer_of(20), layer_of(20), layer_of(20, seed=5))
    ]
    assert set(np.unique(chosen[0])) == {0, 1}
    sizes = chosen[0].sum(0)
    assert sizes.min() == 1 and 5 <= sizes.max() <= 9 and (chosen[0].sum(1) > 0).all()
    assert (np.log2(sizes) < 1).mean() == pytest.approx(1 / np.log2(10), abs=0.1)
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert (chosen[0] != chosen[2]).any()
    assert (channels_of(layer_of(1), layer_of(1).groups[0]) == 1).all()
    # Files have no more than the seed, so what is drawn must never change.
    first = channels_of(layer_of(5), layer_of(5).groups[0])[:, :4].T
    assert first.tolist() == [[0, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 1]]


@pytest.mark.few(1)
@pytest.mark.parametrize("differences", [False, True])
def test_thresholds_are_shares_of_one_sequence(differences):
    """Threshold i is near the value that has a share of others below it: the fraction of i times the golden ratio."""
    x, lengths = normal(5, 30, 3, seed=3), np.array([30, 25, 30, 17, 1])
    layer = layer_of(differences=differences)
    found, again = (
        layer.find_thresholds(x, lengths),
        layer_of(seed=1, differences=differences).find_thresholds(x, lengths),
    )
    of_each, used = [naive(layer, x[b, :n]) for b, n in enumerate(lengths)], set()
    for i, own in enumerate(features_of(layer)):
        wanted = []
        for b, of_kernels in enumerate(of_each):
            values = np.sort(read_by(own, of_kernels))
            if len(values) == 1:  # that of the last sequence is equal to itself, and the threshold above it
                wanted.append(values[0] + 1e-5 * np.abs(x[b, 0]).max())
                continue
            at = int((i + 1) * (1 + 5**0.5) / 2 % 1 * len(values))
            other = at + 1 if at + 1 < len(values) else max(0, at - 1)
            wanted.append(values[at] + 0.3819660112501051 * (values[other] - values[at]))
        apart = np.abs(np.array(wanted) - found[i])
        assert apart.min() < 1e-12
        used.add(apart.argmin())
    assert used == {0, 1, 2, 3, 4} and (found != again).mean() > 0.9


def test_thresholds_are_no_values():
    """Of inputs that are 0 or 0.1: sums in another order must not decide what exceeds a threshold."""
    layer = layer_of(1)
    x = 0.1 * np.random.default_rng(0).integers(0, 2, (4, 40, 1))
    found = layer.find_thresholds(x, np.full(4, 40))
    values = np.unique(np.round(10 * np.concatenate([v for row in x for v in naive(layer, row).values()])))
    apart = np.abs(10 * found[:, None] - values).min(1)
    assert apart.min() > 0.1
    single = layer_of(1, thresholds=0.0)
    assert single.find_thresholds(np.zeros((1, 5, 1)), np.array([5])).tolist() == [0.0] * FEATURES


@pytest.mark.parametrize("channels", [1, 8])
def test_rounding_decides_nothing_of_a_single_step(channels):
    """Its only value is the threshold of the kernels that took theirs from it: it is never above, however one adds."""
    x, lengths = normal(6, 3, channels, seed=1), np.array([1, 1, 1, 3, 1, 1])
    layer = layer_of(channels)
    thresholds = layer.find_thresholds(x, lengths)
    exact = layer.shares(x, lengths, thresholds)
    np.testing.assert_allclose(layer.shares(x.astype(np.float32), lengths, thresholds), exact, atol=1e-6)


def test_shares_of_a_long_sequence_in_float32():
    """Whole numbers, whose convolutions are exact; a sum of so many of their terms in float32 would be off."""
    x = np.random.default_rng(0).integers(0, 3, (1, 20_000, 1))
    layer = layer_of(1, weight=0.1, thresholds=0.5, features=84, length=9)
    y, exact = (Model(layer, dtype=dtype)(x)[0, -1] for dtype in ("float32", "float64"))
    np.testing.assert_allclose(y, exact, rtol=1e-6)


def test_equal_inputs_say_exactly_nothing():
    """Once all taps read them; a sum of 9 roundings would be above 0 or below."""
    layer = layer_of(1, weight=1.0, thresholds=0.0, features=84, length=9)
    y = Model(layer, dtype="float64")(np.full((1, 20, 1), 0.1))[0, :, 0] - 0.3
    total = y * np.arange(1, 21)
    np.testing.assert_allclose(total[8:], total[8], rtol=1e-12)
    assert total[8] > total[0] > 0


def test_inputs_matter_for_the_next_call():
    """The derivative by inputs of the outputs is 0, of the state it is not; differences are in the battery."""
    model = Model(layer_of(), dtype="float64")
    x, d_state = normal(1, 40, 3), np.zeros((1, model.layers[0].state_size))
    y, tape = model.forward(x)
    assert not model.backward(tape, np.ones_like(y)).x.any()
    d_state[0, 3 : 3 + 6] = np.arange(1, 7)
    np.testing.assert_array_equal(model.backward(tape, 0 * y, d_state).x[0, -2:], [[4, 5, 6], [1, 2, 3]])


def test_beside_a_network(tmp_path):
    layer, inside = layer_of(), Dense(2, input_dim=3)
    model = Model(Residual(inside, around=layer), seed=0, dtype="float64")
    x = normal(3, 20, 3)
    want = Model(inside, seed=0, dtype="float64")(x) + Model(layer, dtype="float64")(x)
    np.testing.assert_allclose(model(x), want, rtol=0, atol=1e-13)
    model.buffers["around_thresholds"] = normal(FEATURES, seed=8)
    model.save(tmp_path / "both.npz")
    np.testing.assert_array_equal(load(tmp_path / "both.npz")(x), model(x))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"features": 83}, "`features` must be an int >= 84, got 83"),
        ({"features": 167, "differences": True}, "`features` must be an int >= 168, got 167"),
        ({"length": 0}, "`length` must be an int >= 1, got 0"),
        ({"seed": -1}, r"`seed` must be an int in 0\.\.4294967295, got -1"),
        ({"thresholds": np.zeros(84)}, r"`thresholds` must be a number or \(336,\), got shape \(84,\)"),
        ({"weight": np.zeros((336, 3))}, r"`weight` must be a number or \(336, 2\)"),
        ({"bias": np.nan}, "`bias` must be"),
    ],
)  # fmt: skip
def test_refused(options, text):
    with pytest.raises(ValueError, match=text):
        layer_of(**options)
