"""Files of estimators: what is read again answers and trains on as what was written; what cannot be is refused."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
import ltc_np
from ltc_np import Adam, AutoNCP
from ltc_np.online import Learner
from ltc_np.sklearn import CfCClassifier, CfCRegressor, LiquidEstimator, LTCClassifier, LTCRegressor
from ltc_np.sklearn.stored import FITTED

SMALL = {"units": 4, "epochs": 2, "backend": "numpy", "random_state": 0}
# Of a training that can go on; `learner_` and the moments begin anew.
LEFT_OUT = {"model_", "_optimizer", "learner_", "_streamed"}


@pytest.fixture
def data(rng):
    x = rng.normal(size=(30, 6, 2))
    return x, x[:, :, 0].sum(axis=1)


def kinds(x, y):
    """Estimators of all kinds of answers, and what they are asked."""
    words = np.array(["low", "high"])[(y > 0).astype(int)]
    yield LTCRegressor(**SMALL).fit(x, y), {}
    yield LTCRegressor(**SMALL, ensemble=2, early_stopping=True, time_constants=(1, 9)).fit(x, np.c_[y, -y]), {}
    yield CfCRegressor(**SMALL, every_step=True).fit(x, x[:, :, :1], dt=np.ones((30, 6))), {"dt": np.ones((30, 6))}
    yield LTCClassifier(**SMALL).fit(x, words), {}
    yield CfCClassifier(**SMALL, shortcut=None).fit(x, np.array(["a", "b", "c"], object)[np.arange(30) % 3]), {}
    yield LTCClassifier(**SMALL).fit(x, y > 0), {}
    yield LTCClassifier(**SMALL, class_weight={0: 1.0, 1: 2.5}).fit(x, (y > 0).astype(int)), {}
    yield LTCClassifier(**SMALL, class_weight={"low": 1.0, "high": 2.5}).fit(x, words), {}


def test_what_is_read_is_what_was_written(data, tmp_path):
    for k, (estimator, asked) in enumerate(kinds(*data)):
        estimator.save(path := tmp_path / f"{k}.npz")
        found = type(estimator).load(path)
        assert found.get_params() == estimator.get_params()
        for name in ("predict", "predict_proba"):
            if hasattr(estimator, name):
                one, other = (getattr(own, name)(data[0], **asked) for own in (estimator, found))
                np.testing.assert_array_equal(one, other)
                assert np.asarray(one).dtype == np.asarray(other).dtype
        assert set(vars(estimator)) - set(vars(found)) <= LEFT_OUT
        for name in FITTED:
            assert hasattr(found, name) == hasattr(estimator, name)
            if hasattr(estimator, name):
                one, other = getattr(estimator, name), getattr(found, name)
                assert type(one) is type(other)
                np.testing.assert_equal(other, one)
        assert vars(found.history_) == vars(estimator.history_)
        assert ltc_np.load(path).predict(data[0], **asked).shape == estimator.model_.predict(data[0], **asked).shape


def test_nothing_that_fit_finds_is_forgotten(data):
    """A new attribute belongs into the file, or into what is known to stay behind."""
    for estimator, _ in kinds(*data):
        assert set(vars(estimator)) - set(estimator.get_params()) <= {*FITTED, *LEFT_OUT}


def test_a_table_with_names(data, tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(data[0][:, 0], columns=["heat", "level"])
    with pytest.warns(RuntimeWarning, match="each row of the frame `X` is read as a sequence"):
        estimator = LTCRegressor(**SMALL).fit(table, data[1])
    estimator.save(tmp_path / "m.npz")
    found = LTCRegressor.load(tmp_path / "m.npz")
    assert found.feature_names_in_.tolist() == ["heat", "level"] and found.feature_names_in_.dtype == object
    np.testing.assert_array_equal(found.predict(table), estimator.predict(table))


def test_it_learns_on(data, tmp_path):
    """As one does that has lost the moments of its optimiser."""
    x, y = data
    estimator = LTCRegressor(**SMALL, shortcut=None).fit(x, y)
    estimator.save(tmp_path / "m.npz")
    found = LTCRegressor.load(tmp_path / "m.npz")
    estimator._optimizer = None
    for own in (estimator, found):
        own.partial_fit(x, y)
    np.testing.assert_array_equal(found.model_.theta, estimator.model_.theta)
    assert found.n_iter_ == estimator.n_iter_ == 3
    streamed = LTCRegressor(**SMALL, online=Adam(0.01)).partial_fit(x, y)
    with pytest.raises(TypeError, match=r"`online` must be plain data to be saved.*set_params\(online=None\)"):
        streamed.save(tmp_path / "s.npz")
    streamed.set_params(online=None).save(tmp_path / "s.npz")
    np.testing.assert_array_equal(LTCRegressor.load(tmp_path / "s.npz").predict(x), streamed.predict(x))


def test_the_backend_may_be_another_one(data, tmp_path):
    LTCRegressor(**SMALL | {"backend": "auto"}).fit(*data).save(tmp_path / "m.npz")
    found = LTCRegressor.load(tmp_path / "m.npz", backend="numpy")
    assert found.backend == "numpy" == found.model_.backend
    as_it_was = LTCRegressor.load(tmp_path / "m.npz")
    assert as_it_was.backend == "auto" and as_it_was.model_.backend == ltc_np.LTCRNN(AutoNCP(4, 1), input_dim=2).backend


def test_what_cannot_be_saved_or_read_is_refused(data, tmp_path):
    x, y = data
    fitted, path = LTCRegressor(**SMALL).fit(x, y), tmp_path / "m.npz"
    for name, value in (
        ("augment", lambda x, y, rng: (x, y)), ("callbacks", print), ("random_state", np.random.RandomState(0)),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"`{name}` must be plain data to be saved, since a file holds no code"):
            LTCRegressor(**SMALL).fit(x, y).set_params(**{name: value}).save(path)
        assert not path.exists()
    with pytest.raises(ValueError, match="not fitted"):
        LTCRegressor().save(path)
    fitted.model_.save(path)
    with pytest.raises(ValueError, match=r"file of LTCRegressor.save, got one of no estimator: ltc_np.load reads"):
        LTCRegressor.load(path)
    Learner(ltc_np.LTCRNN(AutoNCP(4, 1), input_dim=2), Adam(0.1)).save(path)
    with pytest.raises(ValueError, match="got one of no estimator"):
        LTCRegressor.load(path)
    fitted.save(path)
    with pytest.raises(ValueError, match=r"CfCClassifier.save, got one of LTCRegressor: LTCRegressor.load reads it"):
        CfCClassifier.load(path)
    with pytest.raises(ValueError, match="got one of LTCRegressor"):
        LiquidEstimator.load(path)
    with pytest.raises(OSError):
        LTCRegressor.load(tmp_path / "none.npz")


def test_a_file_of_another_version_is_told_of(data, tmp_path, monkeypatch):
    fitted = LTCRegressor(**SMALL).fit(*data)
    monkeypatch.setattr(LTCRegressor, "get_params", lambda self, deep=True: {"unknown": 1})
    fitted.save(tmp_path / "m.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"damaged estimator, or one of another version: .*`unknown`"):
        LTCRegressor.load(tmp_path / "m.npz")
    fitted.smuggled_ = 1
    monkeypatch.setattr("ltc_np.sklearn.stored.FITTED", ("predict",))
    fitted.predict = 5  # what a file must never replace
    fitted.save(tmp_path / "m.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="`fitted` must be one of"):
        LTCRegressor.load(tmp_path / "m.npz")
