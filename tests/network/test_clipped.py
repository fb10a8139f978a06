"""Inputs of a call that the first layer cuts: who is told."""

import contextlib
import warnings

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Dense, Model, Standardize
from ltc_np.network.clipped import warn_of_clipped

RNG = np.random.default_rng(0)
X, Y = RNG.standard_t(1.5, size=(60, 8, 2)), np.zeros((60, 8, 1))  # of very unequal sizes


def trained(clip=5.0):
    model = Model(Standardize(clip=clip), LTC(AutoNCP(6, 1)), input_dim=2, seed=0, backend="numpy")
    model.adapt(X)
    model.fit(X, Y, epochs=1, verbose=False)
    return model


def told(words):
    return pytest.warns(RuntimeWarning, match=words) if words else contextlib.nullcontext()


def beyond(model, share, feature=1, sizes=(4, 10)):
    """A batch in which this share of a feature is cut."""
    x = np.zeros((*sizes, 2)) + np.asarray(model.buffers["0.mean"])
    limit = 5.0 * np.asarray(model.buffers["0.scale"])[feature]
    x.reshape(-1, 2)[: round(share * sizes[0] * sizes[1]), feature] += 1.01 * limit * RNG.choice([-1, 1])
    return x


@pytest.mark.parametrize("clip", [5.0, 2.0, 1.0])
def test_what_was_trained_on_is_never_told_of(clip):
    """However unequal it is, by Chebyshev's inequality."""
    model = trained(clip)
    cut = np.abs(X - model.buffers["0.mean"]) > clip * model.buffers["0.scale"]
    assert cut.any()
    warn_of_clipped(model, X)


@pytest.mark.parametrize(("share", "words"), [(0.025, ""), (0.05, "many values of input 1 are more than 5 standard")])
def test_how_many_are_many(share, words):
    model = trained()
    with told(words):
        warn_of_clipped(model, beyond(model, share))


def test_forms_of_data(tmp_path):
    model, words = trained(), "many values of input 0, 1 are"
    x = beyond(model, 0.5) + beyond(model, 0.5, 0) - np.asarray(model.buffers["0.mean"])
    np.save(tmp_path / "x.npy", x)
    for given in (x, list(x), [*x[:3], x[3, :7]], x[0], np.load(tmp_path / "x.npy", mmap_mode="r"), x.astype("f4")):
        with told(words):
            warn_of_clipped(model, given)
    padded = np.full((4, 12, 2), 1e9)
    padded[:, :10] = beyond(model, 0.0)
    warn_of_clipped(model, padded, np.full(4, 10))
    with told(words):
        warn_of_clipped(model, padded, np.full(4, 12))
    warn_of_clipped(model, np.full((1, 9, 2), 1e9))  # too few to say anything


def test_who_is_not_told():
    """Without a limit, before a training, and where it does not come first."""
    x = np.full((4, 10, 2), 1e6)
    for layers in ([Standardize()], [Standardize(clip=5.0)], [Dense(2), Standardize(clip=5.0)]):
        model = Model(*layers, Dense(1), input_dim=2, seed=0, backend="numpy")
        if len(layers) == 2 or layers[0].clip is None:
            model.fit(X, Y, epochs=1, verbose=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warn_of_clipped(model, x)


@pytest.mark.parametrize("given", [{}, {"ensemble": 2}, {"shortcut": None, "clip_inputs": 3.0}])
def test_estimators_tell_of_it(given):
    sklearn = pytest.importorskip("ltc_np.sklearn", reason="scikit-learn is not installed")
    x = RNG.normal(size=(40, 5, 2))
    regressor = sklearn.LTCRegressor(units=4, epochs=1, random_state=0, backend="numpy", **given).fit(x, x[:, -1, 0])
    regressor.predict(x)
    with told(f"input 1 are more than {given.get('clip_inputs', 5):g} standard deviations"):
        regressor.predict(x * [1, 60])
    with told("many values of input 1"):
        regressor.score(x * [1, 60], x[:, -1, 0])
