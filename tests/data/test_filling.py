"""Missing values, against a loop over single numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_np import LTCRNN, AutoNCP
from ltc_np.data import forward_fill


def by_loop(x, dt, first):
    """One feature of one sequence, as GRU-D's section on missing data has it."""
    values, mask, since = [], [], []
    for t, value in enumerate(x):
        observed = not math.isnan(value)
        if t == 0:
            since.append(0.0)
        elif mask[-1]:
            since.append(dt[t])
        else:
            since.append(dt[t] + since[-1])
        mask.append(float(observed))
        values.append(value if observed else (values[-1] if values else first))
    return values, mask, since


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.sampled_from(["number", "steps", "all"]))
def test_against_a_loop(B, T, I, kind):
    rng = np.random.default_rng(B + 10 * T + 100 * I)
    x = rng.normal(size=(B, T, I))
    x[rng.random(x.shape) < 0.5] = np.nan
    dt = {"number": 0.5, "steps": rng.uniform(0, 2, T), "all": rng.uniform(0, 2, (B, T))}[kind]
    every, first = np.broadcast_to(dt, (B, T)), rng.normal(size=I)
    filled = forward_fill(x, dt, first)
    assert all(a.shape == x.shape and a.dtype == np.float64 for a in filled)
    for b in range(B):
        for i in range(I):
            expected = by_loop(x[b, :, i], every[b], first[i])
            for got, want in zip(filled, expected, strict=True):
                np.testing.assert_allclose(got[b, :, i], want, rtol=1e-14)  # sums of at most six
        if kind != "all":
            for got, alone in zip(filled, forward_fill(x[b], dt, first), strict=True):
                np.testing.assert_array_equal(got[b], alone)


def test_lists_and_dtypes():
    xs = [np.array([[np.nan, 1.0]]), np.array([[2.0, np.nan], [np.nan, 3.0]])]
    filled = forward_fill(xs, [[5.0], [1.0, 2.0]], first=[7.0, 8.0])
    assert [a.tolist() for a in filled.values] == [[[7.0, 1.0]], [[2.0, 8.0], [2.0, 3.0]]]
    assert [a.tolist() for a in filled.mask] == [[[0, 1]], [[1, 0], [0, 1]]]
    assert [a.tolist() for a in filled.since] == [[[0, 0]], [[0, 0], [2, 2]]]
    assert forward_fill(xs).since[1].tolist() == [[0, 0], [1, 1]]
    assert all(a.dtype == np.float32 for a in forward_fill(np.ones((2, 1), np.float32), [1.0, 2.0]))
    whole = forward_fill([[1, 2], [3, 4]])
    assert whole.values.tolist() == [[1, 2], [3, 4]] and whole.mask.all() and whole.values.dtype == np.float64
    x = xs[1].copy()
    forward_fill(x)
    np.testing.assert_array_equal(x, xs[1])


def test_a_model_learns_from_what_is_filled_in():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5, 2))
    x[rng.random(x.shape) < 0.3] = np.nan
    model, dt = LTCRNN(AutoNCP(8, 1), input_dim=6, seed=0), rng.uniform(0.1, 1, (6, 5))
    history = model.fit(np.concatenate(forward_fill(x, dt), axis=-1), np.zeros((6, 5, 1)), dt=dt, verbose=False)
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones(3),), ValueError, r"`x` must be \(T, I\), \(B, T, I\) or a list of .*, got shape \(3,\)"),
        (("a",), TypeError, "`x` must be real numbers"),
        (
            ([[1.0, np.inf]],),
            ValueError,
            r"`x` must be finite, or NaN where a value is missing, got inf at index \(0, 1\)",
        ),
        ((np.ones((2, 3, 1)), np.ones(2)), ValueError, r"`dt` must be .* of shape \(3,\) or \(2, 3\), got \(2,\)"),
        ((np.ones((2, 1)), [1.0, -1.0]), ValueError, "`dt` must be finite and >= 0, got -1.0"),
        ((np.ones((2, 1)), np.nan), ValueError, "`dt` must be finite and >= 0, got nan"),
        ((np.ones((2, 1)), 1.0, [1.0, 2.0]), ValueError, r"`first` must be a finite number or \(1,\) of them"),
        ((np.ones((2, 1)), 1.0, np.nan), ValueError, "`first` must be a finite number"),
        (([np.ones((2, 1)), np.ones((3, 1))], [[1.0, 2.0]]), ValueError, "`dt` must be a list of 2 sequences"),
        (
            ([np.ones((2, 1)), np.ones((3, 1))], np.ones(2)),
            ValueError,
            r"`dt` must be .* or a list .*, got shape \(2,\)",
        ),
        (([np.ones((2, 1)), np.ones((3, 2))],), ValueError, r"`x\[1\]` must be \(T, 1\) like the first"),
    ],
)
def test_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        forward_fill(*arguments)


def test_what_is_missing_is_refused_with_the_remedy(backend):
    model, remedy = (
        LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0, backend=backend),
        "`ltc_np.data.forward_fill` fills them in",
    )
    x = np.zeros((3, 4, 2))
    x[1, 2, 0] = np.nan
    y = np.zeros((3, 4, 1))
    for call in (
        lambda: model(x),
        lambda: model.forward(x),
        lambda: model.predict(x),
        lambda: model.predict(list(x)),
        lambda: model.fit(x, y, verbose=False),
        lambda: model.fit(list(x), list(y), verbose=False),
        lambda: model.evaluate(x, y),
        lambda: model.loss_and_grad(x, y),
    ):
        with pytest.raises(ValueError, match=rf"`x.*` must be finite .*, got nan at index \(.*2, 0\).*{remedy}"):
            call()
    x[1, 2, 0] = np.inf
    with pytest.raises(ValueError, match="got inf at index .*") as error:
        model(x)
    assert "forward_fill" not in str(error.value)
    x[1, 2, 0] = np.nan
    model(x, lengths=[4, 2, 4])  # of padding nothing is read
