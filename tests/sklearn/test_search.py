"""Estimators inside of scikit-learn's tools: searches, pipelines, cross-validation, processes, threads."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
import sklearn
from joblib import parallel_config
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ltc_np.sklearn import LTCClassifier, LTCRegressor

SMALL = {"units": 4, "epochs": 2, "shortcut": None, "random_state": 0}
GRID = {"learning_rate": [0.01, 0.05]}


@pytest.fixture
def data(rng):
    """Sequences (30, 7, 2) with elapsed times and lengths, what they add up to, and labels."""
    X = rng.normal(size=(30, 7, 2))
    dt, lengths = rng.uniform(0.5, 1.5, (30, 7)), rng.integers(3, 8, 30)
    y = (X.sum(axis=2) * dt * (np.arange(7) < lengths[:, None])).sum(axis=1)
    return X, dt, lengths, y, np.where(y > 0, "up", "down")


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def routed(kind=LTCRegressor, **changes):
    """An estimator whose searches hand on elapsed times and lengths."""
    estimator = kind(**SMALL | changes)
    for request in (estimator.set_fit_request, estimator.set_predict_request, estimator.set_score_request):
        request(dt=True, lengths=True)
    return estimator


def by_hand(estimator, data, folds, y):
    """The scores of cross-validation, in a plain loop."""
    X, dt, lengths, *_ = data
    scores = []
    for train, test in folds.split(X):
        estimator.fit(X[train], y[train], dt=dt[train], lengths=lengths[train])
        scores.append(estimator.score(X[test], y[test], dt=dt[test], lengths=lengths[test]))
    return scores


def test_cross_val_score_routes_times_and_lengths(data, routing):
    X, dt, lengths, y, _ = data
    found = cross_val_score(routed(), X, y, cv=KFold(3), params={"dt": dt, "lengths": lengths})
    np.testing.assert_array_equal(found, by_hand(LTCRegressor(**SMALL), data, KFold(3), y))


@pytest.mark.slow
def test_grid_search_routes_times_and_lengths(data, routing):
    X, dt, lengths, y, labels = data
    for kind, wanted in ((LTCRegressor, y), (LTCClassifier, labels)):
        search = GridSearchCV(routed(kind), GRID, cv=KFold(3)).fit(X, wanted, dt=dt, lengths=lengths)
        for k, rate in enumerate(GRID["learning_rate"]):
            own = by_hand(kind(**SMALL | {"learning_rate": rate}), data, KFold(3), wanted)
            assert search.cv_results_["mean_test_score"][k] == pytest.approx(np.mean(own), rel=1e-12)
        best = search.best_estimator_
        assert best.score(X, wanted, dt=dt, lengths=lengths) == search.score(X, wanted, dt=dt, lengths=lengths)


def test_a_pipeline_routes_times_and_lengths(data, routing):
    X, dt, lengths, y, _ = data
    pipeline = Pipeline([("negated", FunctionTransformer(np.negative)), ("network", routed())])
    pipeline.fit(X, y, dt=dt, lengths=lengths)
    own = LTCRegressor(**SMALL).fit(-X, y, dt=dt, lengths=lengths)
    expected = own.predict(-X, dt=dt, lengths=lengths)
    assert (pipeline.predict(X, dt=dt, lengths=lengths) == expected).all()
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
        return  # there the scores of a search over a pipeline get no metadata
    search = GridSearchCV(pipeline, {"network__units": [3, 4]}, cv=KFold(2)).fit(X, y, dt=dt, lengths=lengths)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_without_routing_a_search_refuses_or_warns(data):
    """So that a network that was trained with elapsed times is not judged without them, and nobody knows."""
    X, dt, _, y, _ = data
    with pytest.warns(RuntimeWarning, match="is `dt` routed to this method too"):
        GridSearchCV(LTCRegressor(**SMALL), GRID, cv=2).fit(X, y, dt=dt)


@pytest.mark.parametrize("of_objects", [False, True])
def test_lists_go_through_a_search(of_objects, data, routing):
    X, dt, lengths, y, _ = data
    listed, times = ([a[:n] for a, n in zip(values, lengths, strict=True)] for values in (X, dt))
    if of_objects:
        arrays = [np.empty(30, object), np.empty(30, object)]
        for array, values in zip(arrays, (listed, times), strict=True):
            array[:] = values
        listed, times = arrays
    search = GridSearchCV(routed(), GRID, cv=KFold(3)).fit(listed, y, dt=times)
    padded = GridSearchCV(routed(), GRID, cv=KFold(3)).fit(X, y, dt=dt, lengths=lengths)
    found, expected = (s.cv_results_["mean_test_score"] for s in (search, padded))
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # the padding of a part is shorter: other sums in BLAS


def test_lists_of_targets_go_through_a_search(data):
    X, _, lengths, *_ = data
    listed = [x[:n] for x, n in zip(X, lengths, strict=True)]
    targets = [x.cumsum(axis=0)[:, 0] for x in listed]
    search = GridSearchCV(LTCRegressor(**SMALL), GRID, cv=KFold(3)).fit(listed, targets)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert [len(row) for row in search.predict(listed)] == lengths.tolist()


def test_halving_search(data):
    X, _, _, y, labels = data
    by_epochs = HalvingGridSearchCV(
        LTCRegressor(**SMALL), GRID, resource="epochs", min_resources=1, max_resources=4, factor=2, cv=2
    ).fit(X, y)
    assert by_epochs.n_resources_ == [1, 2]
    by_samples = HalvingGridSearchCV(LTCClassifier(**SMALL), GRID, min_resources=15, factor=2, cv=2, random_state=0)
    assert by_samples.fit(X, labels).n_resources_ == [15, 30]


def test_other_tools(data):
    X, _, _, y, labels = data
    table = make_pipeline(StandardScaler(), LTCClassifier(**SMALL)).fit(X[:, :, 0], labels)
    assert set(table.predict(X[:, :, 0])) <= {"up", "down"}
    p = cross_val_predict(LTCClassifier(**SMALL), X, labels, cv=3, method="predict_proba")
    assert p.shape == (30, 2)
    scoring = ["roc_auc", "f1_macro", "neg_log_loss"]
    found = cross_validate(LTCClassifier(**SMALL), X, labels, cv=3, scoring=scoring)
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in scoring)
    search = RandomizedSearchCV(LTCRegressor(**SMALL), {"units": range(2, 9)}, n_iter=2, cv=2, random_state=0)
    assert search.fit(X, y).best_params_["units"] in range(2, 9)


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_jobs_give_the_same_scores(backend, data):
    X, _, _, y, _ = data
    alone = GridSearchCV(LTCRegressor(**SMALL), GRID, cv=2).fit(X, y)
    with parallel_config(backend=backend, n_jobs=2):
        together = GridSearchCV(LTCRegressor(**SMALL), GRID, cv=2).fit(X, y)
        trained = cross_validate(LTCRegressor(**SMALL), X, y, cv=2, return_estimator=True)["estimator"]
    here = cross_validate(LTCRegressor(**SMALL), X, y, cv=2, return_estimator=True)["estimator"]
    assert all((one.predict(X) == other.predict(X)).all() for one, other in zip(trained, here, strict=True))
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(alone.cv_results_[name], together.cv_results_[name])
    assert (alone.predict(X) == together.predict(X)).all()
