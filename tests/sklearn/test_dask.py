"""A search that is spread over the processes of a cluster."""

import numpy as np
import pytest

pytest.importorskip("distributed", reason='distributed is not installed: pip install "ltc-np[dask]"')
pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
import distributed
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from ltc_np.sklearn import LTCRegressor, tune


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # Dask's own, of its dashboard
def test_a_search_on_two_processes(rng):
    X = rng.normal(size=(24, 6, 2))
    y = X.sum((1, 2))
    grid = {"learning_rate": [0.01, 0.05], "units": [3, 4]}
    alone = GridSearchCV(LTCRegressor(epochs=2, random_state=0), grid, cv=2).fit(X, y)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        assert len(client.scheduler_info()["workers"]) == 2
        with parallel_config(backend="dask"):
            spread = GridSearchCV(LTCRegressor(epochs=2, random_state=0), grid, cv=2).fit(X, y)
            tuned = tune(LTCRegressor(epochs=2, random_state=0), X, y, budget=600, space=grid, cv=2)
    np.testing.assert_array_equal(spread.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert spread.best_params_ == alone.best_params_
    here = tune(LTCRegressor(epochs=2, random_state=0), X, y, budget=600, space=grid, cv=2)
    assert [row["errors"] for row in tuned.tuned_] == [row["errors"] for row in here.tuned_]
