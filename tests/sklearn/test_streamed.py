"""`partial_fit` with a rule for streams: what a loop over a learner does, and what users of scikit-learn expect."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
from sklearn.base import clone

from ltc_np import SGD
from ltc_np.online import NLMS, RLS, Learner
from ltc_np.recipe import Recipe
from ltc_np.sklearn import CfCRegressor, LTCClassifier, LTCRegressor

SMALL = {"units": 6, "epochs": 3, "random_state": 0}
GIVEN = [(), ("dt",), ("lengths",), ("dt", "lengths", "sample_weight")]


@pytest.fixture
def data(rng):
    X = rng.normal(size=(20, 9, 2))
    return X, X[:, :, 0].sum(axis=1)


def chosen(names, n, T, seed=1):
    rng = np.random.default_rng(seed)
    every = {
        "dt": rng.uniform(0, 2, (n, T)), "lengths": rng.integers(1, T + 1, n),
        "sample_weight": rng.uniform(0.5, 2, n),
    }  # fmt: skip
    return {name: every[name] for name in names}


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("given", GIVEN, ids="-".join)
def test_it_is_a_loop_over_a_learner(data, given, every_step):
    """Of the network that `fit` has made: each sequence from the start, each target once."""
    X, y = data
    y = X.cumsum(axis=1) if every_step else y
    arguments = chosen(given, *X.shape[:2])
    regressor = LTCRegressor(**SMALL, online=RLS(0.98)).fit(X, y, **arguments)
    assert regressor.report_ == {}  # no line stands beside it
    learner = Learner(regressor.model_, RLS(0.98))
    assert regressor.partial_fit(3 * X, 2 * y, **arguments) is regressor
    lengths, dt = arguments.get("lengths", np.full(20, 9)), arguments.get("dt", np.ones((20, 9)))
    for b, weight in enumerate(arguments.get("sample_weight", np.ones(20))):
        learner.reset()
        for t in range(lengths[b]):
            learner.predict(3 * X[b, t], dt=dt[b, t])
            if every_step:
                learner.learn(2 * y[b, t], weight=weight)
        if not every_step:
            learner.learn([2 * y[b]], weight=weight)
    np.testing.assert_array_equal(regressor.model_.theta, learner.network().theta)
    np.testing.assert_array_equal(regressor.learner_.log.rows, learner.log.rows)
    assert learner.log.steps == (lengths.sum() if every_step else 20)
    shape = (20, 9, 2) if every_step else (20,)
    of_model = regressor.model_.predict(X, dt=arguments.get("dt"), lengths=arguments.get("lengths"))
    rest = {name: arguments[name] for name in arguments if name != "sample_weight"}
    np.testing.assert_array_equal(regressor.predict(X, **rest), of_model.reshape(shape))


def test_weights_of_steps_and_missing_targets(data):
    """Each step has its own weight; NaN teaches nothing."""
    X, _ = data
    y, weight = X.cumsum(axis=1), np.random.default_rng(0).uniform(0, 2, (20, 9))
    y[::3, 2:5, 1] = np.nan
    regressor = LTCRegressor(**SMALL, missing="ignore", online=NLMS(0.5)).fit(X, y)
    learner = Learner(regressor.model_, NLMS(0.5))
    regressor.partial_fit(X, y, sample_weight=weight)
    for b in range(20):
        learner.reset()
        for t in range(9):
            learner.predict(X[b, t])
            learner.learn(y[b, t], weight=weight[b, t])
    np.testing.assert_array_equal(regressor.model_.theta, learner.network().theta)


def test_the_first_call_makes_the_network(data):
    """The one that `fit` would begin with, with the scales of these data; and the same learner goes on."""
    X, y = data
    regressor = LTCRegressor(**SMALL, online=RLS(1.0)).partial_fit(X[:10], y[:10])
    model_seed, _ = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    recipe = Recipe(units=6, epochs=3)
    model = recipe.model(2, 1, steps=9.0, every_step=False, numbers=True, seed=int(model_seed))
    model.adapt(X[:10], y[:10])
    size = model.theta.size - 7
    np.testing.assert_array_equal(regressor.model_.theta[:size], model.theta[:size])  # all but the readout
    np.testing.assert_array_equal(regressor.model_.buffer_vector, model.buffer_vector)
    assert regressor.n_iter_ == 0 and not regressor.history_ and regressor.report_ == {}
    learner = Learner(model, RLS(1.0))
    for x, own in zip(X, y, strict=True):
        learner.reset()
        for step in x:
            learner.predict(step)
        learner.learn([own])
    np.testing.assert_array_equal(regressor.partial_fit(X[10:], y[10:]).model_.theta, learner.network().theta)
    assert regressor.learner_.log.steps == 20
    again = pickle.loads(pickle.dumps(clone(regressor).partial_fit(X[:10], y[:10]))).partial_fit(X[10:], y[10:])
    np.testing.assert_array_equal(again.model_.theta, regressor.model_.theta)


@pytest.mark.parametrize("every_step", [False, True])
def test_labels_are_learnt_by_an_optimiser(data, every_step):
    """Of the whole network, by the loss of `fit`; each class has its weight."""
    X = data[0][:6, :3]
    labels = np.where((X[:, :, 0] if every_step else X[:, 0, 0]) > 0, "up", "down")
    classifier = LTCClassifier(
        **SMALL, backend="numpy", online=SGD(0.1), class_weight={"up": 2.0}, clip_norm=10.0
    ).partial_fit(X[:2], labels[:2], classes=["down", "up"])
    before, model_seed = classifier.model_, np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)[0]
    recipe = Recipe(units=6, epochs=3)
    model = recipe.model(2, 2, steps=3.0, every_step=every_step, numbers=False, seed=int(model_seed), backend="numpy")
    model.adapt(X[:2])
    learner, weight = Learner(model, SGD(0.1), loss="cross_entropy", clip_norm=10.0), np.linspace(0.5, 2, 6)
    for rows in (slice(2), slice(2, 6)):
        counts = np.ones(2) if rows.start is None else weight[rows]
        for x, own, factor in zip(X[rows], labels[rows], counts, strict=True):
            learner.reset()
            for t, step in enumerate(x):
                learner.predict(step)
                if every_step or t == 2:
                    up = (own[t] if every_step else own) == "up"
                    learner.learn(int(up), weight=factor * (2.0 if up else 1.0))
        if rows.start is None:
            np.testing.assert_array_equal(before.theta, learner.network().theta)
    classifier.partial_fit(X[2:], labels[2:], sample_weight=weight[2:])
    np.testing.assert_array_equal(classifier.model_.theta, learner.network().theta)
    assert (classifier.model_.theta != before.theta).mean() > 0.9
    assert classifier.predict_proba(X).shape == ((6, 3, 2) if every_step else (6, 2))


def test_it_learns_what_has_changed(data):
    """Better than the network of the training, which is right no more, and its dynamics stay."""
    X, y = data
    regressor = LTCRegressor(units=12, epochs=60, random_state=0, online=RLS(1.0)).fit(X, y)
    before, model = regressor.score(X, 3 * y + 5), regressor.model_
    after = regressor.partial_fit(X, 3 * y + 5).score(X, 3 * y + 5)
    assert before < 0.5 < 0.8 < after
    np.testing.assert_array_equal(regressor.model_.theta[:-13], model.theta[:-13])


def test_another_rule_or_training_begins_a_new_learner(data):
    X, y = data
    regressor = LTCRegressor(**SMALL, online=RLS(0.98)).partial_fit(X, y)
    first = regressor.learner_
    regressor.partial_fit(X, y)
    assert regressor.learner_.log.steps == 40 and first.log.steps == 20  # what went before is not changed
    regressor.set_params(online=RLS(0.98)).partial_fit(X, y)
    assert regressor.learner_.log.steps == 60
    regressor.set_params(online=NLMS(0.5)).partial_fit(X, y)
    assert regressor.learner_.log.steps == 20
    regressor.set_params(online=None).partial_fit(X, y)  # an epoch of the whole network
    assert not hasattr(regressor, "learner_") and regressor.n_iter_ == 1
    trained = regressor.model_.theta.copy()
    regressor.set_params(online=NLMS(0.5)).partial_fit(X, y)
    assert regressor.learner_.log.steps == 20
    np.testing.assert_array_equal(regressor.model_.theta[:-7], trained[:-7])
    assert not hasattr(regressor.fit(X, y), "learner_")


def test_what_cannot_be_learnt_is_refused_and_changes_nothing(data):
    X, y = data
    for online, error in (("rls", TypeError), (RLS, TypeError)):  # and not only after a long training
        with pytest.raises(error, match="`online` must be a Rule such as RLS"):
            LTCRegressor(**SMALL, online=online).fit(X, y)
    with pytest.raises(ValueError, match="`online` must be an optimiser such as Adam"):
        LTCClassifier(**SMALL, online=RLS()).fit(X, np.sign(y))
    for estimator, error, message in (
        (LTCRegressor(**SMALL, online="rls"), TypeError, "`online` must be a Rule such .*, got 'rls'"),
        (CfCRegressor(**SMALL, online=RLS(), bidirectional=True), ValueError, "depend on no later input"),
        (LTCRegressor(**SMALL, shortcut="ridge", online=RLS()), ValueError, '`shortcut` must be None or "auto"'),
        (LTCRegressor(**SMALL, online=RLS(), ensemble=2), ValueError, "`ensemble` must be 1 for `partial_fit`"),
        (LTCClassifier(**SMALL, online=RLS()), ValueError, "here, since RLS.* and LTCClassifier by 'cross"),
        (LTCRegressor(**SMALL, online=RLS(), tune=60), ValueError, "`tune` must be None for `partial_fit`"),
    ):
        with pytest.raises(error, match=message):
            estimator.partial_fit(X, np.sign(y), **({} if estimator.numbers else {"classes": [-1, 1]}))
        assert not hasattr(estimator, "model_")
    beside = LTCRegressor(**SMALL).fit(X, y)
    assert beside.report_
    with pytest.raises(ValueError, match="`ltc_np.shortcut.network` takes out a line beside the network"):
        beside.set_params(online=RLS()).partial_fit(X, y)
    regressor = LTCRegressor(**SMALL, online=RLS()).partial_fit(X, y)
    before, wrong = regressor.model_, np.where(np.arange(20) == 19, 1e30, y)
    with pytest.raises(ValueError, match="`target` must be finite in float32"):
        regressor.partial_fit(X, wrong)
    assert regressor.model_ is before and regressor.learner_.log.steps == 20
    regressor.set_params(units=7)
    with pytest.raises(ValueError, match="`units` must stay 6"):
        regressor.partial_fit(X, y)
