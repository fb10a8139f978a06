"""Learners in River: what they answer and learn is what a loop over a learner does; River's own checks."""

import copy

import numpy as np
import pytest

from ltc_np import LTC, SGD, AutoNCP, Dense, Model
from ltc_np.online import NLMS, RLS, Learner
from ltc_np.online.river import RiverClassifier, RiverRegressor

FEATURES = "b", "a"


@pytest.fixture
def model(backend):
    return Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=2, seed=0, backend=backend)


def stream(steps, seed=0):
    """Observations with their targets."""
    rng = np.random.default_rng(seed)
    for t in range(steps):
        a, b = rng.normal(size=2).tolist()
        yield {"a": a, "unread": "text", "b": b, "dt": float(rng.uniform(0, 2))}, float(np.sin(0.1 * t) + a)


def simulated(regressor, observations, delay):
    """The answers, where targets come so many observations later, as `progressive_val_score` of River has it."""
    answers, waiting = [], []
    for x, y in observations:
        if len(waiting) == delay > 0:
            regressor.learn_one(*waiting.pop(0))
        answers.append(regressor.predict_one(dict(x)))
        waiting.append((x, y))
        if not delay:
            regressor.learn_one(*waiting.pop(0))
    for pair in waiting:
        regressor.learn_one(*pair)
    return answers


def of_a_learner(learner, observations, delay):
    """The same by a learner that is told what is whose."""
    answers, steps = [], list(observations)
    for t, (x, _) in enumerate(steps):
        if t >= delay > 0:
            learner.learn([steps[t - delay][1]], ago=delay - 1)
        answers.append(float(learner.predict([x["b"], x["a"]], dt=x["dt"])[0]))
        if not delay:
            learner.learn([steps[t][1]])
    for ago in range(delay - 1, -1, -1):
        learner.learn([steps[len(steps) - 1 - ago][1]], ago=ago)
    return answers


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_it_does_what_its_learner_does(model, delay):
    learner = Learner(model, RLS(0.98), delay=delay)
    regressor = RiverRegressor(learner, FEATURES, dt="dt", line=False)
    steps = list(stream(40))
    assert simulated(regressor, steps, delay) == of_a_learner(copy.deepcopy(learner), steps, delay)
    own = copy.deepcopy(learner)
    of_a_learner(own, steps, delay)
    np.testing.assert_array_equal(regressor.learning.weights, own.weights)
    np.testing.assert_array_equal(regressor.learning.log.rows, own.log.rows)
    assert own.log.steps == 40 and learner.log.steps == 0  # the one that was given stays as it was


def test_an_observation_is_known_by_what_it_was(model):
    """A caller may write the next one into the same dict."""
    learner = Learner(model, RLS(0.98), delay=2)
    regressor, steps = RiverRegressor(learner, FEATURES, dt="dt", line=False), list(stream(3))
    x = {}
    for seen, _ in steps:
        x.clear()
        x.update(seen)
        regressor.predict_one(x)
        learner.predict([seen["b"], seen["a"]], dt=seen["dt"])
    regressor.learn_one(*steps[1])
    learner.learn([steps[1][1]], ago=1)
    np.testing.assert_array_equal(regressor.learning.weights, learner.weights)


def test_answers_without_a_delay_change_nothing(model):
    """However often they are asked for, and for whatever: only what is learnt from moves the network on."""
    regressor, asked = (RiverRegressor(Learner(model, NLMS()), FEATURES, dt="dt", line=False) for _ in range(2))
    other = {"a": 9.0, "b": 9.0, "dt": 1.0}
    for x, y in stream(10):
        assert asked.predict_one(other) == asked.predict_one(other) != regressor.predict_one(x)
        assert asked.predict_one(x) == regressor.predict_one(x)
        asked.learn_one(x, y)
        regressor.learn_one(x, y)
    for one, other in zip(
        *((own.weights, own.state, own.log.rows) for own in (asked.learning, regressor.learning)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_targets_find_their_answers_in_any_order(model):
    """And where features have been scaled anew meanwhile, it is the oldest answer that waits."""
    one, other = (RiverRegressor(Learner(model, NLMS(), delay=4), FEATURES, dt="dt", line=False) for _ in range(2))
    steps = list(stream(4))
    for regressor in (one, other):
        for x, _ in steps:
            regressor.predict_one(x)
    for k in (2, 0, 3, 1):
        one.learn_one(*steps[k])
    for k, given in ((2, steps[2][0]), (0, {"a": 5.0}), (3, steps[3][0]), (1, {"a": 6.0})):
        other.learn_one(given, steps[k][1])
    np.testing.assert_array_equal(one.learning.weights, other.learning.weights)
    own = Learner(model, NLMS(), delay=4)
    for x, _ in steps:
        own.predict([x["b"], x["a"]], dt=x["dt"])
    for k in (2, 0, 3, 1):
        own.learn([steps[k][1]], ago=3 - k)
    np.testing.assert_array_equal(one.learning.weights, own.weights)


def test_so_many_observations_wait_as_answers_do(model):
    """Of one that is older nothing is known any more: a target of unknown features is that of the oldest answer."""
    learner = Learner(model, NLMS(), delay=1)
    regressor, own = RiverRegressor(learner, FEATURES, line=False), copy.deepcopy(learner)
    for x, _ in (steps := list(stream(4))):
        regressor.predict_one(x)
        own.predict([x["b"], x["a"]])
    for x in ({"a": 9.0}, steps[3][0]):
        regressor.learn_one(x, 1.0)
    for ago in (1, 0):
        own.learn([1.0], ago=ago)
    np.testing.assert_array_equal(regressor.learning.weights, own.weights)


def test_after_a_reset_no_observation_waits(model):
    """Its target is that of an answer which is given now."""
    regressor, own = RiverRegressor(Learner(model, NLMS(), delay=2), FEATURES, line=False), Learner(model, NLMS())
    for x, _ in (steps := list(stream(3))):
        regressor.predict_one(x)
    regressor.reset()
    regressor.learn_one(*steps[1])
    own.predict([steps[1][0]["b"], steps[1][0]["a"]])
    own.learn([steps[1][1]])
    np.testing.assert_array_equal(regressor.learning.weights, own.weights)
    np.testing.assert_array_equal(regressor.learning.state, own.state)


@pytest.mark.parametrize("kind", [RiverRegressor, RiverClassifier])
def test_arguments_for_river_s_checks_fit(kind):
    """Also where River, whose checks take them, is not there."""
    (given,) = kind._unit_test_params()
    estimator = kind(**given)
    x, y = dict.fromkeys(given["features"], 1.0), {RiverRegressor: 0.5, RiverClassifier: True}[kind]
    before = estimator.predict_one(x)
    estimator.learn_one(x, y)
    assert type(before) is type(y) and estimator.learning.log.steps == 1


def test_learning_alone_moves_on(model):
    """As for whoever never asks: with a delay too."""
    regressors = [RiverRegressor(Learner(model, NLMS(), delay=delay), FEATURES, line=False) for delay in (0, 3)]
    own = Learner(model, NLMS())
    for x, y in stream(10):
        for regressor in regressors:
            regressor.learn_one(x, y, w=0.5)
        own.predict([x["b"], x["a"]])
        own.learn([y], weight=0.5)
    for regressor in regressors:
        np.testing.assert_array_equal(regressor.learning.weights, own.weights)


def test_what_is_missing(model):
    """A feature keeps its value, at first 0; a target teaches nothing, and the state goes on."""
    regressor, own = RiverRegressor(Learner(model, NLMS()), FEATURES, line=False), Learner(model, NLMS())
    for given, inputs, y in (
        ({"a": 1.0}, [0, 1], 1.0), ({"b": 2.0}, [2, 1], 0.5), ({"a": None, "b": 3}, [3, 1], None), ({}, [3, 1], 2.0),
    ):  # fmt: skip
        assert regressor.predict_one(given) == own.predict(inputs)[0]
        regressor.learn_one(given, y)
        own.learn([np.nan if y is None else y])
    np.testing.assert_array_equal(regressor.learning.weights, own.weights)
    assert own.log.steps == 3
    regressor.reset()
    own.reset()
    assert regressor.predict_one({}) == own.predict([0, 0])[0]


def test_arguments_that_do_not_fit_are_refused(model):
    learner = Learner(model, NLMS())
    two = Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0)
    for make, error, message in (
        (lambda: RiverRegressor(model, FEATURES), TypeError, "`learner` must be a Learner, got Model"),
        (lambda: RiverRegressor(learner, ["a"]), ValueError, "`features` must name the 2 inputs of the model.*, got 1"),
        (lambda: RiverRegressor(learner, "ab"), ValueError, "`features` must be a list of different names, got 'ab'"),
        (lambda: RiverRegressor(learner, ["a", "a"]), ValueError, "`features` must be a list of different names"),
        (lambda: RiverRegressor(learner, FEATURES, dt="a"), ValueError, "`dt` must be no feature, got 'a'"),
        (lambda: RiverRegressor(Learner(model, NLMS(), streams=2), FEATURES), ValueError, "one stream.*got 2 streams"),
        (lambda: RiverRegressor(learner, FEATURES, line=1), TypeError, "`line` must be a bool, got 1"),
        (lambda: RiverRegressor(Learner(two, NLMS()), FEATURES), ValueError, "one output, got 2"),
        (
            lambda: RiverRegressor(learner, FEATURES, dt="dt").predict_one({"a": 1}),
            ValueError,
            "`x` must have the elapsed time 'dt', got 'a'",
        ),
    ):
        with pytest.raises(error, match=message):
            make()
    regressor = RiverRegressor(learner, FEATURES, line=False)
    with pytest.raises(ValueError, match="nan"):
        regressor.learn_one({"a": np.nan}, 1.0)
    assert regressor.predict_one({}) == learner.peek([0, 0])[0]  # nothing was kept of it


@pytest.mark.few(1)
@pytest.mark.parametrize("delay", [0, 2])
def test_a_classifier_does_what_its_learner_does(model, delay):
    """Its probabilities are those of the logits, and a label is the number of its output."""
    three = Model(LTC(AutoNCP(8, 3)), Dense(3), input_dim=2, seed=0, backend=model.backend)
    learner = Learner(three, SGD(0.1), loss="cross_entropy", delay=delay)
    classifier = RiverClassifier(learner, FEATURES, dt="dt", classes=["up", "level", "down"])
    own, steps = copy.deepcopy(learner), list(stream(8))
    for t, (x, _) in enumerate(steps):
        logits = own.predict([x["b"], x["a"]], dt=x["dt"]).astype(float)
        p = classifier.predict_proba_one(x)
        assert list(p) == ["up", "level", "down"] and sum(p.values()) == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(list(p.values()), np.exp(logits) / np.exp(logits).sum(), rtol=1e-6)
        if not delay:
            assert classifier.predict_one(x) == max(p, key=p.get)
        if t >= delay:
            k, label = [(2, "down"), (0, "up"), (1, "level"), (np.nan, None)][t % 4]
            own.learn(k, ago=delay, weight=0.5)
            classifier.learn_one(steps[t - delay][0], label, w=0.5)
    np.testing.assert_array_equal(classifier.learning.weights, own.weights)
    assert own.log.steps == {0: 6, 2: 4}[delay]


@pytest.mark.few(1)
def test_a_learner_of_the_other_kind_is_refused(model):
    of_numbers, of_classes = Learner(model, NLMS()), Learner(model, SGD(0.1), loss="binary_cross_entropy")
    two = Learner(Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0), SGD(0.1), loss="cross_entropy")
    for make, message in (
        (lambda: RiverRegressor(two, FEATURES), "must learn numbers, got one with a loss of classes"),
        (lambda: RiverClassifier(of_numbers, FEATURES), 'must have loss="cross_entropy", got one that learns numbers'),
        (lambda: RiverClassifier(of_classes, FEATURES), 'must have loss="cross_entropy"'),
        (lambda: RiverClassifier(two, FEATURES, classes="abc"), "`classes` must be 2 different labels"),
        (lambda: RiverClassifier(two, FEATURES, classes=[1, 1]), "`classes` must be 2 different labels"),
        (lambda: RiverClassifier(two, FEATURES).learn_one({}, "up"), "`y` must be one of the classes .*, got 'up'"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    assert not RiverClassifier(two, FEATURES)._multiclass


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize(("kind", "count"), [(RiverRegressor, 25), (RiverClassifier, 42)])
def test_river_s_own_checks(kind, count, delay):
    checks = pytest.importorskip("river.checks", reason='River is not installed: pip install "ltc-np[river]"')
    (given,) = kind._unit_test_params()
    kept = given["learner"]
    settings = {"method": kept.method, "loss": kept.loss, "delay": delay}
    learner = Learner(kept.network(), kept.rule, **settings)
    estimator, done = kind(**given | {"learner": learner}), 0
    for check in checks.yield_checks(estimator):
        check(estimator.clone())
        done += 1
    assert done >= count


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_progressive_validation_of_river(model, delay):
    """The metric is of the answers at the time of the question; in a pipeline with a scaler that learns, too."""
    pytest.importorskip("river", reason='River is not installed: pip install "ltc-np[river]"')
    from river import compose, evaluate, metrics, preprocessing

    learner, steps = Learner(model, RLS(0.98), delay=delay), list(stream(40))
    regressor = RiverRegressor(learner, FEATURES, dt="dt", line=False)
    found = evaluate.progressive_val_score(iter(steps), regressor, metrics.MAE(), delay=delay or None)
    answers = of_a_learner(copy.deepcopy(learner), steps, delay)
    assert found.get() == pytest.approx(np.mean([abs(y - own) for (_, y), own in zip(steps, answers, strict=True)]))
    scaled = compose.Select(*FEATURES) | preprocessing.StandardScaler() | RiverRegressor(learner, FEATURES, line=False)
    evaluate.progressive_val_score(iter(steps), scaled, metrics.MAE(), delay=delay or None)
    assert scaled["RiverRegressor"].learning.log.steps == 40
