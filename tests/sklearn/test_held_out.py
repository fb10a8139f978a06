"""Which sequences are held out: of classes some of each, of windows of a series the last ones."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from ltc_np.sklearn import LTCRegressor, held_out
from ltc_np.sklearn.inputs import Inputs
from ltc_np.sklearn.targets import Targets


def inputs(x, lengths=None):
    return Inputs(np.asarray(x, float), None, lengths, "sequences")


def windows(series, length, hop):
    """(n, length, F): each a few steps after the one before."""
    return np.stack([series[k : k + length] for k in range(0, len(series) - length + 1, hop)])


def test_of_few_sequences_in_many_classes_some_of_each_are_held_out():
    """A tenth would be too few to have all classes; the only one of a class is learnt."""
    labels = np.append(np.arange(25) % 5, 5)
    wanted = Targets(labels, False, 6, classes=np.arange(6))
    for state in range(5):
        rng = np.random.RandomState(state)
        held, rest = held_out.choose(inputs(np.zeros((26, 4, 1))), wanted, 0.1, rng, any_number=False)
        assert np.bincount(labels[held], minlength=6).tolist() == [1, 1, 1, 1, 1, 0]
        assert sorted([*held, *rest]) == [*range(26)]


@pytest.mark.parametrize(("length", "hop", "near"), [(60, 3, 19), (60, 7, 8), (8, 4, 1), (8, 5, 0), (8, 8, 0)])
def test_how_far_windows_overlap(rng, length, hop, near):
    """Those that share fewer than four steps are taken for others, as are those of a constant."""
    series = rng.normal(size=(400, 2))
    x = windows(series, length, hop)
    assert held_out.overlap(inputs(x)) == near
    assert held_out.overlap(inputs(x[rng.permutation(len(x))])) == 0
    assert held_out.overlap(inputs(np.zeros_like(x))) == 0
    steps = windows(np.repeat(rng.integers(0, 2, 40), 10)[:, None], length, hop)  # events: long runs of one value
    assert held_out.overlap(inputs(steps)) in (0, near)


def test_windows_of_several_series_and_of_unequal_lengths(rng):
    several = np.concatenate([windows(rng.normal(size=(50, 1)), 10, 2) for _ in range(6)])
    assert held_out.overlap(inputs(several)) == 4
    growing = np.zeros((20, 10, 1))
    series, lengths = rng.normal(size=(60, 1)), 10 - np.arange(20) % 3
    for k, n in enumerate(lengths):
        growing[k, :n] = series[2 * k : 2 * k + n]
    assert held_out.overlap(inputs(growing, lengths)) == 4
    assert held_out.overlap(inputs(np.zeros((1, 3, 1)))) == 0
    assert held_out.overlap(inputs(growing, np.zeros(20, int))) == 0


@pytest.mark.parametrize(("n", "share", "held", "learned"), [(200, 0.1, 20, 161), (40, 0.1, 10, 20), (24, 0.5, 12, 12)])
def test_the_last_windows_are_held_out_and_their_neighbours_left_out(rng, n, share, held, learned):
    """But half of all is learned from: of 40 windows 11 of those that share steps with the last ones are needed."""
    x = windows(rng.normal(size=(60 + 3 * (n - 1), 1)), 60, 3)
    wanted = Targets(rng.normal(size=(n, 1)), False, 1)
    found, rest = held_out.choose(inputs(x), wanted, share, rng, any_number=True)
    assert found.tolist() == [*range(n - held, n)] and rest.tolist() == [*range(learned)]


def test_a_fit_holds_the_last_windows_out_and_learns_all_in_the_end(rng):
    x = windows(np.cumsum(rng.normal(size=(200, 1)), axis=0), 12, 2)
    settings = {"units": 4, "epochs": 2, "random_state": 0, "backend": "numpy", "shortcut": "ridge"}
    regressor = LTCRegressor(**settings).fit(x, x[:, -1, 0])
    assert regressor.report_["held_out"] == 10  # of 95; five before them share steps with the first
    apart = LTCRegressor(**settings).fit(x[:80], x[:80, -1, 0], validation=(x[85:], x[85:, -1, 0]))
    assert regressor.report_["network"] == pytest.approx(apart.report_["network"], rel=0.2)
