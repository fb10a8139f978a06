"""The estimators of aeon: its own checks, and the estimators of scikit-learn that they hold."""

import pickle

import numpy as np
import pytest

pytest.importorskip("aeon.base", reason='aeon is not installed: pip install "ltc-np[aeon]"')

from aeon.testing.estimator_checking import check_estimator

import ltc_np.aeon
import ltc_np.sklearn

NAMES = ltc_np.aeon.__all__
SMALL = {"units": 5, "epochs": 3, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2, 17))  # (case, channel, time)
LABELS = np.where(X[:, 1, :5].sum(axis=-1) > 0, "up", "down")


def targets(name):
    return LABELS if "Classifier" in name else X[:, 0].sum(axis=-1)


@pytest.mark.filterwarnings("ignore")  # of the library's own, on its own data
@pytest.mark.parametrize("name", NAMES)
def test_the_library_s_own_checks(name):
    found = check_estimator(getattr(ltc_np.aeon, name))
    failed = {check.partition("(")[0] for check, result in found.items() if result.startswith("FAILED")}
    assert len(found) > 20 and failed == set(ltc_np.aeon.EXPECTED_FAILURES.get(name, ())), found
    assert not [check for check, result in found.items() if result.startswith("SKIPPED")]


@pytest.mark.parametrize("form", ["array", "list", "univariate"])
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_what_the_estimator_of_scikit_learn_answers(name, form):
    """Of (time, channel) sequences: the axes are turned, whatever the form."""
    one, other = (getattr(module, name)(**SMALL) for module in (ltc_np.aeon, ltc_np.sklearn))
    given, turned = X, X.transpose(0, 2, 1)
    if form == "list":
        given = [row[:, : 8 + k % 9] for k, row in enumerate(X)]
        turned = [row.T for row in given]
    if form == "univariate":
        given, turned = X[:, 0], X[:, 0, :, None]
    one.fit(given, targets(name))
    other.fit(turned, targets(name))
    np.testing.assert_array_equal(one.predict(given), other.predict(turned))
    if "Classifier" in name:
        np.testing.assert_array_equal(one.predict_proba(given), other.predict_proba(turned))
        assert one.classes_.tolist() == ["down", "up"]
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.predict(given), one.predict(given))


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_are_those_of_the_estimator_that_is_held(name):
    one, other = (getattr(module, name)() for module in (ltc_np.aeon, ltc_np.sklearn))
    own = {k: v for k, v in other.get_params().items() if k not in ltc_np.aeon.NOT_CHOSEN}
    assert one.get_params() == own and len(own) > 15
    assert one.wrapped().get_params() == other.get_params()
    with pytest.raises(TypeError, match=f"{name} has no hyperparameter 'unit'; it has units, "):
        type(one)(unit=3)
