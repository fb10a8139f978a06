"""What commands read of a learner's file."""

import re

import numpy as np
import pytest

from ltc_np import LTC, Adam, AutoNCP, Dense, Model, load
from ltc_np.online import NLMS, Learner
from ltc_np.online.stored import load_learnt


@pytest.fixture
def model():
    return Model(LTC(AutoNCP(6, 2)), Dense(1), input_dim=1, seed=0, backend="numpy")


@pytest.mark.parametrize("rule", [NLMS(0.5), Adam(0.1)], ids=["readout", "network"])
def test_of_a_learner_the_learnt_weights_are_taken_and_said(model, rule, tmp_path):
    learner, path = Learner(model, rule, streams=2), tmp_path / "learner.npz"
    for _ in range(3):
        learner.predict(np.ones((2, 1)))
        learner.learn(np.full((2, 1), 5.0))
    learner.save(path)
    said = rf"{re.escape(str(path))} is the file of a learner, {re.escape(repr(rule))} after 6 targets: its learnt weig"
    with pytest.warns(RuntimeWarning, match=said):
        found = load_learnt(path, "numpy")
    np.testing.assert_array_equal(found.theta, learner.network().theta)
    assert (found.theta != model.theta).any()
    np.testing.assert_array_equal(load(path).theta, model.theta)


def test_of_a_model_nothing_is_said(model, tmp_path):
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(load_learnt(tmp_path / "model.npz").theta, model.theta)


def test_one_model_is_wanted(model, tmp_path):
    Learner(model, NLMS(), streams=3, shared=False).save(tmp_path / "three.npz")
    with pytest.raises(ValueError, match=r"three.npz must have one model, got a learner with 3 streams .*network\(k\)"):
        load_learnt(tmp_path / "three.npz")
