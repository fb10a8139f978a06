"""`tune`: which candidates there are, how long each is trained, what is chosen, and that nothing is done twice."""

import importlib
import json
import pickle
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import KFold, TimeSeriesSplit
from support.processes import python

from ltc_np.sklearn import CfCClassifier, CfCRegressor, LTCClassifier, LTCRegressor, halving, own_code, space, tune
from ltc_np.sklearn.space import SPACE, usual

SMALL = {"units": 3, "epochs": 1, "random_state": 0, "backend": "numpy"}
FEW = {"learning_rate": [0.01, 0.05, 0.1], "readout": ["last", "mean"]}


@pytest.fixture
def data(rng):
    """Sequences (24, 5, 2), what they add up to, and labels."""
    X = rng.normal(size=(24, 5, 2))
    y = X.sum((1, 2))
    return X, y, np.where(y > 0, "up", "down")


class Fake:
    """A clock and trials that take a second for each epoch, whose error says how far the learning rate is from .05."""

    def __init__(self, monkeypatch):
        self.now, self.trials = 0.0, []
        monkeypatch.setattr(halving, "clock", lambda: self.now)
        monkeypatch.setattr(halving, "trial", self.trial)

    def trial(self, estimator, data, train, test):
        epochs = 100 if estimator.epochs == "auto" else estimator.epochs
        self.now += epochs
        self.trials.append((estimator, train, test))
        error = abs(estimator.learning_rate - 0.05) + 1e-3 / epochs
        return {"error": error, "score": 1 - error, "seconds": float(epochs)}


@pytest.fixture
def fake(monkeypatch):
    return Fake(monkeypatch)


def rates(count):
    return {"learning_rate": np.linspace(0.02, 0.08, count).tolist()}


def without_seconds(table):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in table]


# ------------------------------------------------------------------------------------------------------------ space


def test_the_usual_space_is_what_an_estimator_has_and_its_user_has_not_set():
    found = usual(LTCClassifier(units=20, learning_rate=0.01), every_step=False)
    assert {"ode_unfolds", "time_constants", "bidirectional", "readout", "learning_rate"} <= set(found)
    assert not {"units", "backbone_units"} & set(found)
    at_every_step = usual(CfCRegressor(), every_step=True)
    assert "backbone_units" in at_every_step and "units" in at_every_step
    assert not {"ode_unfolds", "time_constants", "bidirectional", "readout"} & set(at_every_step)


@pytest.mark.parametrize("kind", [LTCClassifier, CfCRegressor])
def test_every_value_of_the_space_makes_a_recipe_and_the_default_is_among_them(kind):
    for name, values in usual(kind(), every_step=False).items():
        assert len(set(values)) == len(values) > 1
        assert getattr(kind(), name) in values
        for value in values:
            kind(**{name: value}).recipe()
    assert set(usual(kind(), False)) <= set(SPACE)


def test_slowness():
    given = LTCRegressor()  # 32 units, 3 unfolds, batches of 16
    assert space.slowness(given, {}) == space.slowness(given, {"dropout": 0.2}) == 1
    assert space.slowness(given, {"units": 64, "ode_unfolds": 1}) == pytest.approx(2 / 3**0.5)
    assert space.slowness(CfCRegressor(), {"bidirectional": True, "mixed_memory": True, "batch_size": 4}) == 8


# ------------------------------------------------------------------------------------------------------- candidates


def search_of(estimator, n, seed=0, values=None, deadline=np.inf, **changes):
    """A search over n sequences in three folds that has not begun."""
    X = np.zeros((n, 2, 1))
    folds = list(KFold(3).split(X))
    given = halving.Data(X, np.zeros(n), None, None, None)
    values = {"units": [2, 5], **FEW} if values is None else values
    journal = halving.Journal(None, {})
    return halving.Search(estimator, given, folds, False, values, seed, journal, None, False, deadline, **changes)


def test_the_same_seed_draws_the_same_candidates_and_none_twice():
    first, again, other = (search_of(LTCRegressor(epochs=9), 30, seed) for seed in (0, 0, 1))
    for search in (first, again, other):
        search.draw(5)
        search.draw(8)
    assert first.tried == again.tried != other.tried
    assert first.tried[0] == {} and len(first.tried) == 14
    assert len({json.dumps(changes) for changes in first.tried}) == 14
    assert {len(changes) for changes in first.tried[1:]} == {1, 2, 3}
    assert all(value in {"units": [2, 5], **FEW}[name] for c in first.tried for name, value in c.items())


def test_a_space_comes_to_its_end():
    search = search_of(LTCRegressor(epochs=9), 30, values={"units": [2, 5], "dropout": [0.1]})
    new = search.draw(100)
    assert sorted(new) == [1, 2, 3, 4, 5]  # 2, 5, and both with .1, and that alone
    assert [search.tried[c].get("units", 32) for c in new] == [2, 2, 5, 5, 32]  # the quickest first
    assert search.draw(3) == []
    assert search_of(LTCRegressor(epochs=9), 30, values={}).draw(3) == []


# -------------------------------------------------------------------------------------------------------- halving


@pytest.mark.parametrize(
    ("settings", "n", "wanted"),
    [
        ({"epochs": 90, "batch_size": 1}, 60, [(10, 40), (30, 40), (90, 40)]),
        ({"epochs": 89, "batch_size": 1}, 60, [(30, 40), (89, 40)]),  # a ninth were less than 10 epochs
        ({"epochs": 90, "batch_size": 5}, 60, [(90, 40)]),  # 720 steps of the optimiser, and a third must be 300
        ({"epochs": 450, "batch_size": 16}, 30, [(150, 20), (450, 20)]),
        ({"epochs": 5, "batch_size": 1}, 900, [(5, 600)]),
        ({"epochs": 10, "batch_size": 1}, 13500, [(10, 1000), (10, 3000), (10, 9000)]),
        ({"epochs": 20, "batch_size": 1}, 13500, [(10, 2000), (10, 6000), (20, 9000)]),
        ({"epochs": 2700, "batch_size": 1}, 60, [(100, 40), (300, 40), (900, 40), (2700, 40)]),
    ],
)
def test_how_long_each_rung_trains(settings, n, wanted):
    search = search_of(LTCRegressor(**settings), n)
    found = [search.task(0, rung) for rung in range(search.last + 1)]
    assert [(task.epochs, task.sequences) for task in found] == wanted


def run(estimator, budget, n=60, **settings):
    """`tune` by the fake clock."""
    return tune(estimator, np.zeros((n, 2, 1)), np.arange(float(n)), budget=budget, **settings)


LONG = {"epochs": 90, "batch_size": 1, "random_state": 0, "backend": "numpy"}


def quick(estimator_class=CfCRegressor, **changes):
    """An estimator whose trainings by the fake clock take 90 seconds, and whose `fit` is short all the same."""

    class Quick(estimator_class):
        def fit(self, *given):
            self.fitted_with_ = given
            return self

    return Quick(**LONG | changes)


def test_the_best_third_goes_on(fake):
    found = run(quick(), 4000, space=rates(8))
    rungs = [[row for row in found.tuned_ if row["rung"] == rung] for rung in range(3)]
    assert [{row["epochs"] for row in rows} for rows in rungs] == [{10}, {30}, {90}]
    assert [len(rows) for rows in rungs] == [9, 3, 2]  # the given one on each, and 8, 8 // 3, 2 // 3 or 1
    assert all(rows[0]["candidate"] == 0 and rows[0]["params"] == {} for rows in rungs)
    far = {row["candidate"]: abs(row["params"].get("learning_rate", 0.01) - 0.05) for row in rungs[0]}
    order = sorted(list(far)[1:], key=far.get)
    assert {row["candidate"] for row in rungs[1]} == {0, *order[:2]}
    assert {row["candidate"] for row in rungs[2]} == {0, order[0]}
    assert [row["candidate"] for row in found.tuned_ if row["chosen"]] == [order[0]] * 3
    assert found.learning_rate == pytest.approx(0.05, abs=0.01)
    assert len(fake.trials) == 3 * 14
    assert rungs[2][0]["error"] == pytest.approx(0.04 + 1e-3 / 90) == rungs[2][0]["errors"][1]


def test_the_given_estimator_stays_where_nothing_is_better(fake):
    given = quick(learning_rate=0.05)
    found = run(given, 4000, space=rates(8))
    assert found.get_params() == given.get_params()
    assert [row["candidate"] for row in found.tuned_ if row["chosen"]] == [0]
    assert {row["rung"] for row in found.tuned_} == {0}  # what is worse then does not go on
    same = run(given, 4000, space={"schedule": ["constant"]})  # as good, and not better
    assert same.schedule == "cosine" and len(same.tuned_) == 2
    short = run(quick(epochs=9, learning_rate=0.05), 4000, space={"schedule": ["constant"]})  # no rung but the last
    assert short.schedule == "cosine" and len({row["error"] for row in short.tuned_}) == 1 < len(short.tuned_)


@pytest.mark.parametrize("rung", [1, 2])
@pytest.mark.parametrize("worse", [0, 0.05, 0.1])
def test_chance_decides_nothing(worse, rung, fake, monkeypatch):
    """The other one is better by .04 on each fold, but for one on which it is worse.

    The mean difference is (.12 - worse) / 3, and its standard error worse / 3.  Trainings of the other one take twice
    as long as is expected, so that there may be no time for the last rung.
    """

    def trial(estimator, data, train, test):
        found = fake.trial(estimator, data, train, test)
        if estimator.learning_rate == 0.05:
            fake.now += found["seconds"]
            found["seconds"] *= 2
            found["error"] += worse * (test[0] == 20)
        return found

    monkeypatch.setattr(halving, "trial", trial)
    found = run(quick(), {1: 1000, 2: 4000}[rung], space={"learning_rate": [0.05]})
    judged = {(row["candidate"], row["rung"]): row["error"] for row in found.tuned_}
    assert max(judged)[1] == rung and all(judged[1, k] < judged[0, k] for k in range(rung + 1))
    assert found.learning_rate == (0.05 if worse < 0.06 else 0.01)


def test_what_is_too_slow_makes_room_for_others(fake):
    """There is time for one candidate as quick as the given one, and 300 units take 100 times as long."""
    for seed in range(4):
        few = {"units": [300], "learning_rate": [0.02, 0.03, 0.05]}
        found = run(quick(units=3, random_state=seed), 915, space=few)
        assert found.learning_rate > 0.01 and found.units == 3


def test_one_fold_has_no_standard_error(fake):
    found = run(quick(), 4000, space={"learning_rate": [0.05]}, cv=[(np.arange(40), np.arange(40, 60))])
    assert found.learning_rate == 0.05


def test_anything_is_better_than_divergence(fake, monkeypatch):
    def trial(estimator, data, train, test):
        found = fake.trial(estimator, data, train, test)
        return found | {"error": np.inf} if estimator.learning_rate == 0.01 else found

    monkeypatch.setattr(halving, "trial", trial)
    assert run(quick(), 4000, space={"learning_rate": [0.03, 0.04]}).learning_rate == 0.04


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("budget", "others"),
    [(5, None), (194, None), (195, 0), (914, 0), (915, 1), (1000, 1), (1500, 1), (2500, 2), (5000, 6)],
)
def test_nothing_begins_that_does_not_end_in_time(budget, others, fake):
    """The last fit takes 135 s, and the given estimator 30, 90 and 270 s on the rungs: so one more needs 915 s."""
    if others is None:
        with pytest.warns(RuntimeWarning, match=f"`budget` must be larger than {budget} seconds to try another"):
            found = run(quick(), budget, space=rates(200))
        assert [row["chosen"] for row in found.tuned_] == [True]
    else:
        found = run(quick(), budget, space=rates(200))
    assert fake.now + 135 <= max(budget, 30 + 135)
    whole = {row["candidate"] for row in found.tuned_ if row["rung"] == 2}
    assert len(whole - {0}) == (others or 0) and whole != {0}
    assert not others or budget - fake.now - 135 < 390  # what another one needs


def test_divergence_is_never_chosen(fake, monkeypatch):
    def trial(estimator, data, train, test):
        found = fake.trial(estimator, data, train, test)
        return found | {"error": np.inf} if estimator.learning_rate > 0.04 else found

    monkeypatch.setattr(halving, "trial", trial)
    found = run(quick(), 4000, space=rates(8))
    assert 0.01 < found.learning_rate < 0.04
    assert {row["rung"] for row in found.tuned_ if row["error"] == np.inf} == {0}


def test_a_training_that_diverges_has_an_infinite_error(data):
    class Diverges(LTCRegressor):
        def fit(self, *_, **more):
            raise FloatingPointError("the loss is nan")

    X, y, _ = data
    given = halving.Data(X, y, None, None, None)
    found = halving.trial(Diverges(), given, np.arange(9), np.arange(9, 12))
    assert found["error"] == np.inf and found["score"] == -np.inf


def test_what_compiling_took_is_not_expected_again(fake, monkeypatch):
    """The first trial takes 1,000 s longer, after which there is time for others all the same."""

    def trial(*given):
        found = fake.trial(*given)
        return found | {"seconds": found["seconds"] + 1000} if len(fake.trials) == 1 else found

    monkeypatch.setattr(halving, "trial", trial)
    assert len(run(quick(), 4000, space=rates(8)).tuned_) > 9


# ----------------------------------------------------------------------------------------------------------- folds


def trained_on(fake):
    return {(tuple(train), tuple(test)) for _, train, test in fake.trials}


def test_groups_are_not_split(fake):
    groups = np.repeat(np.arange(15), 4)[np.random.default_rng(0).permutation(60)]
    run(quick(), 1500, groups=groups, space=rates(2))
    assert len(trained_on(fake)) == 3
    for train, test in trained_on(fake):
        assert not set(groups[list(train)]) & set(groups[list(test)])


def test_groups_of_labels_keep_their_shares(fake):
    labels, groups = np.repeat(["up", "down"], 30), np.repeat(np.arange(30), 2)
    tune(quick(CfCClassifier), np.zeros((60, 2, 1)), labels, budget=1500, groups=groups, space=rates(2))
    for train, test in trained_on(fake):
        assert not set(groups[list(train)]) & set(groups[list(test)])
        assert (labels[list(test)] == "up").sum() == 10


def test_time_keeps_its_order(fake):
    run(quick(), 1500, cv=TimeSeriesSplit(3), space=rates(2))
    assert len(trained_on(fake)) == 3
    assert all(max(train) < min(test) for train, test in trained_on(fake))


def test_whole_trainings_are_those_of_fit(fake):
    """With folds that grow the steps of "auto" are those of each fold; shorter ones share those of the usual fold."""
    run(quick(epochs="auto", batch_size=1), 1e5, n=4000, cv=TimeSeriesSplit(3), space=rates(2))
    found = {(len(train), estimator.epochs) for estimator, train, _ in fake.trials}
    assert {(1000, "auto"), (2000, "auto"), (3000, "auto")} <= found


def test_labels_are_stratified(fake):
    labels = np.repeat(["up", "down"], [45, 15])
    tune(quick(CfCClassifier), np.zeros((60, 2, 1)), labels, budget=1500, space=rates(2))
    assert all((labels[list(test)] == "down").sum() == 5 for _, test in trained_on(fake))


def test_a_part_of_many_sequences_is_the_same_for_all_candidates(fake):
    run(quick(epochs=10), 4000, n=13500, space=rates(3))
    short = {(tuple(train), tuple(test)) for _, train, test in fake.trials if len(train) == 1000}
    assert len(short) == 3 and len({len(train) for _, train, _ in fake.trials}) == 3
    for train, test in short:
        assert list(train) == sorted(set(train)) and not set(train) & set(test)


# ---------------------------------------------------------------------------------------------------------- results


@pytest.mark.slow
def test_it_is_an_ordinary_estimator(data):
    X, y, _ = data
    given = LTCRegressor(**SMALL)
    before = given.get_params()
    found = tune(given, X, y, budget=60, space={"units": [4, 5]})
    assert type(found) is LTCRegressor and given.get_params() == before and not hasattr(given, "model_")
    (chosen,) = (row for row in found.tuned_ if row["chosen"])
    assert len(found.tuned_) == 3 and chosen["error"] <= found.tuned_[0]["error"]
    by_hand = LTCRegressor(**SMALL | chosen["params"]).fit(X, y)
    again = pickle.loads(pickle.dumps(found))
    for other in (by_hand, again, clone(found).fit(X, y)):
        np.testing.assert_array_equal(other.predict(X), found.predict(X))
    assert again.tuned_ == found.tuned_ and not hasattr(clone(found), "tuned_")


@pytest.mark.slow
def test_errors_are_those_of_a_plain_loop(data):
    """With elapsed times, lengths and weights, which every part of the data gets."""
    X, y, labels = data
    rng = np.random.default_rng(0)
    more = {
        "dt": rng.uniform(0.5, 2, (24, 5)),
        "lengths": rng.integers(2, 6, 24),
        "sample_weight": rng.uniform(1, 2, 24),
    }
    for kind, wanted in ((CfCRegressor, y), (CfCClassifier, labels)):
        found = tune(kind(**SMALL), X, wanted, budget=60, space={"units": [4]}, cv=KFold(3), **more)
        for row in found.tuned_:
            errors = []
            for train, test in KFold(3).split(X):
                learnt, held = ({name: values[rows] for name, values in more.items()} for rows in (train, test))
                own = kind(**SMALL | row["params"]).fit(X[train], wanted[train], **learnt)
                by_score = own.brier_score if kind is CfCClassifier else lambda *a, own=own, **k: 1 - own.score(*a, **k)
                errors.append(by_score(X[test], wanted[test], **held))
            np.testing.assert_allclose(row["errors"], errors, rtol=1e-12)
            assert row["error"] == pytest.approx(np.mean(errors), rel=1e-12)


@pytest.mark.slow
def test_lists_and_targets_at_every_step(data):
    X, _, _ = data
    listed = [x[: 3 + k % 3] for k, x in enumerate(X)]
    numbers = [x.cumsum(axis=0)[:, 0] for x in listed]
    times = [np.full(len(x), 0.5) for x in listed]
    found = tune(CfCRegressor(**SMALL), listed, numbers, dt=times, budget=60, space={"units": [4]})
    assert len(found.tuned_) == 2 and [len(row) for row in found.predict(listed, dt=times)] == list(map(len, listed))
    words = [np.where(row > 0, "up", "down") for row in numbers]
    assert len(tune(CfCClassifier(**SMALL), listed, words, budget=60, space={"units": [4]}).tuned_) == 2


@pytest.mark.slow
def test_other_cells_and_a_line_beside_the_network(data):
    X, y, labels = data

    class LSTMClassifier(LTCClassifier):
        cell = "lstm"

    assert not {"ode_unfolds", "time_constants"} & set(usual(LSTMClassifier(), False))
    found = tune(LSTMClassifier(**SMALL), X, labels, budget=60, space={"units": [4]})
    assert "LSTM(" in repr(found.model_) and len(found.tuned_) == 2
    beside = tune(CfCRegressor(shortcut="ridge", **SMALL), X, y, budget=60, space={"units": [4]})
    assert beside.report_ and len(beside.tuned_) == 2


@pytest.mark.slow
def test_jobs_change_no_result(data):
    X, y, _ = data
    few = {"units": [4, 5], "readout": ["last"]}
    alone = tune(CfCRegressor(**SMALL), X, y, budget=60, space=few)
    with parallel_config(backend="threading"):
        together = tune(CfCRegressor(**SMALL), X, y, budget=60, space=few, n_jobs=4)
    assert without_seconds(together.tuned_) == without_seconds(alone.tuned_)
    np.testing.assert_array_equal(together.predict(X), alone.predict(X))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LTCClassifier, CfCRegressor])
def test_tune_of_an_estimator(kind, data, monkeypatch):
    """It has the network of `tune`, and keeps the hyperparameters that its user gave."""
    X, y, labels = data
    y = y if kind.numbers else labels
    monkeypatch.setattr(space, "SPACE", {"schedule": SPACE["schedule"]})
    estimator = kind(tune=60, **SMALL).fit(X, y)
    assert estimator.get_params() == kind(tune=60, **SMALL).get_params()
    found = tune(kind(**SMALL), X, y, budget=60)
    assert without_seconds(estimator.tuned_) == without_seconds(found.tuned_) and len(found.tuned_) == 2
    np.testing.assert_array_equal(estimator.predict(X), found.predict(X))
    assert found.get_params() == kind(**SMALL | found.tuned_[found_row(found)]["params"]).get_params()
    estimator.left_over_ = "of this fit"
    assert not hasattr(estimator.fit(X, y), "left_over_") and estimator.tune == 60
    assert not hasattr(estimator.set_params(tune=None).fit(X, y), "tuned_")
    with pytest.raises(ValueError, match="`tune` must be a finite number > 0, got 0"):
        estimator.set_params(tune=0).fit(X, y)
    estimator.set_params(tune=60)
    with pytest.raises(ValueError, match="`validation` must be left out with `tune`"):
        estimator.fit(X, y, validation=(X, y))
    with pytest.raises(ValueError, match="`warm_start` must be left out with `tune`"):
        clone(estimator).set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="`tune` must be None for `partial_fit`, got 60"):
        estimator.partial_fit(X, y, **({} if kind.numbers else {"classes": ["down", "up"]}))


def found_row(found):
    return next(k for k, row in enumerate(found.tuned_) if row["chosen"])


def test_brier_score_by_hand(data):
    X, _, labels = data
    classifier = LTCClassifier(**SMALL).fit(X, labels)
    p, weight = classifier.predict_proba(X), np.arange(1.0, 25)
    others = np.where(np.arange(24) < 3, "new", labels)  # of which no network knows anything
    errors = [
        sum((p[k, c] - (others[k] == label)) ** 2 for c, label in enumerate(["down", "up"])) + (others[k] == "new")
        for k in range(24)
    ]
    assert classifier.brier_score(X, others, sample_weight=weight) == pytest.approx(np.average(errors, weights=weight))
    every = CfCClassifier(**SMALL).fit(X, X[:, :, 0] > 0)
    lengths = np.arange(24) % 5 + 1
    p = every.predict_proba(X, lengths=lengths)[:, :, 1]
    errors = [2 * (p[k, t] - (X[k, t, 0] > 0)) ** 2 for k in range(24) for t in range(lengths[k])]
    assert every.brier_score(X, X[:, :, 0] > 0, lengths=lengths) == pytest.approx(np.mean(errors), rel=1e-5)


# -------------------------------------------------------------------------------------------- interrupted, resumed


def test_ctrl_c_fits_the_best_so_far(fake, monkeypatch):
    def trial(*given):
        if len(fake.trials) == 3 * 14 + 2:  # after a bracket
            raise KeyboardInterrupt
        return fake.trial(*given)

    monkeypatch.setattr(halving, "trial", trial)
    with pytest.warns(RuntimeWarning, match="`tune` was interrupted"):
        found = run(quick(), 1e6, space=rates(8) | {"units": [3, 4, 5]})
    assert len(found.fitted_with_) == 5 and abs(found.learning_rate - 0.05) < 0.03
    assert len(found.tuned_) == 14  # what was not judged on all folds is not among them


def test_a_training_that_ctrl_c_ended_is_no_result(data):
    X, y, _ = data

    class Interrupted(CfCRegressor):
        def fit(self, *_, **more):
            self.history_ = SimpleNamespace(stopped="interrupted in epoch 3")

    given = halving.Data(X, y, None, None, None)
    with pytest.raises(KeyboardInterrupt):
        halving.trial(Interrupted(), given, np.arange(9), np.arange(9, 12))


@pytest.mark.slow
def test_resumed_it_computes_nothing_again(data, tmp_path, monkeypatch):
    X, y, _ = data
    settings = {"budget": 60, "space": {"units": [2, 4, 5, 6, 7]}, "resume": tmp_path / "tuned.jsonl"}
    before = tune(CfCRegressor(**SMALL), X, y, **settings)
    lines = settings["resume"].read_text().splitlines()
    assert len(lines) == 1 + 6
    settings["resume"].write_text("\n".join(lines[:4]))  # as after an interruption
    done = []
    real = halving.trial
    monkeypatch.setattr(halving, "trial", lambda *given: done.append(given) or real(*given))
    after = tune(CfCRegressor(**SMALL), X, y, **settings)
    assert len(done) == 3 * 3
    assert without_seconds(after.tuned_) == without_seconds(before.tuned_)
    assert after.tuned_[:3] == before.tuned_[:3]  # with their seconds
    again = tune(CfCRegressor(n_jobs=2, **SMALL), X, y, **settings)
    assert len(done) == 3 * 3 and again.tuned_ == after.tuned_


def test_other_data_or_estimators_are_not_resumed(data, tmp_path):
    X, y, _ = data
    path = tmp_path / "tuned.jsonl"
    settings = {"budget": 60, "space": {"units": [4]}, "resume": path}
    tune(CfCRegressor(**SMALL), X, y, **settings)
    before = path.read_bytes()
    changed = X.copy()
    changed[7, 3, 1] += 1e-9
    for where, given, more in [
        ("data", (CfCRegressor(**SMALL), changed, y), {}),
        ("data", (CfCRegressor(**SMALL), X, y), {"sample_weight": np.ones(24)}),
        ("folds", (CfCRegressor(**SMALL), X, y), {"cv": 4}),
        ("estimator", (CfCRegressor(**SMALL | {"epochs": 2}), X, y), {}),
        ("estimator", (LTCRegressor(**SMALL), X, y), {}),
        ("data and folds", (CfCRegressor(**SMALL), X[:20], y[:20]), {}),
    ]:
        with pytest.raises(ValueError, match=f"`resume` must be of the same {where}, got "):
            tune(*given, **settings | more)
    assert path.read_bytes() == before
    path.write_text("[1, 2]\n")
    with pytest.raises(ValueError, match="`resume` must be a file that `tune` has written, got "):
        tune(CfCRegressor(**SMALL), X, y, **settings)
    with pytest.raises(ValueError, match="`random_state` must be an int with `resume`, got None"):
        tune(CfCRegressor(), X, y, **settings)


def test_better_is_by_more_than_the_standard_error():
    """Of the differences on the same folds, with n - 1: 1 and -.1 have the mean .45 and .55; 1 and .1 .55 and .45."""
    for other, better in ((-0.1, False), (0.1, True)):
        rows = {(0, 0): {"errors": [1.0, other]}, (1, 0): {"errors": [0.0, 0.0]}}
        search = SimpleNamespace(rows=rows, error=lambda candidate, rung: 0.0)
        assert halving.Search.is_better(search, 1, 0) == better


def test_a_function_is_known_by_its_code(data, tmp_path):
    """Not by its name, which all lambdas share, and not by an address, which is free again after its end."""
    X, y, _ = data
    settings = {"budget": 60, "space": {"units": [4]}, "resume": tmp_path / "tuned.jsonl"}

    def shifted(by):
        return lambda x, y, rng: (x + by, y)

    def of(augment, **more):
        return tune(CfCRegressor(**SMALL, augment=augment), X, y, **settings | more).tuned_

    before = of(shifted(0.1))
    assert of(shifted(0.1)) == before
    for other in (shifted(0.2), lambda x, y, rng: (x, y), partial(lambda by, x, y, rng: (x + by, y), 0.1)):
        with pytest.raises(ValueError, match="`resume` must be of the same estimator, got "):
            of(other)
    assert halving.as_text({"augment": shifted(0.1)}) == halving.as_text({"augment": shifted(0.1)})
    assert halving.as_text({"augment": shifted(0.1)}) != halving.as_text({"augment": shifted(0.2)})


OWN = """
import numpy as np
from functools import cached_property, lru_cache, partial, wraps
from typing import NamedTuple
from ltc_np.sklearn import CfCRegressor
BY, TABLE, SEEN, rng = 0.1, {"by": [0.1]}, [], np.random.default_rng()
def helper(x): return x + BY
def reads(x, y, rng): return helper(x), y
def table(x, y, rng): return x + TABLE["by"][0], y
def twice(f):
    @wraps(f)
    def g(*given): return f(*given)
    return g
wrapped = twice(reads)
def again(x, y, rng): return again(x, y, rng) if SEEN else (x + rng.normal(), y)
class Shift:
    by = 0.1
    def __init__(self, more): self.more = more
    def __call__(self, x, y, rng): return helper(x) + self.by, y
    @staticmethod
    def plain(x, y, rng): return x + 0.2, y
class Mine(CfCRegressor):
    def fit(self, X, y, *given, **more): return super().fit(X, helper(y), *given, **more)
    @property
    def half(self): return 0.5
class Further(Mine): pass
def default(x, y, rng, by=[0.1], g=helper, *, w={"a": 1.0}): return g(x) + by[0] * w["a"], y
@lru_cache
def kept(x): return x + 0.4
def cached(x, y, rng): return kept(x), y
class Slots:
    __slots__ = ("more",)
    def __init__(self, more): self.more = more
    def __call__(self, x, y, rng): return x + self.more, y
class Pairs(NamedTuple):
    a: float = 1.0
    def more(self): return self.a + 5
pairs, slots = Pairs(), Slots(7)
class Cached:
    @cached_property
    def half(self): return 0.7
def objects(x, y, rng): return x + pairs.more() + slots.more + Cached().half, y
def ping(x, y, rng): return pong(x, y, rng) if SEEN else (x + 11, y)
def pong(x, y, rng): return ping(x, y, rng) if SEEN else (x + 12, y)
"""
CASES = (
    "reads",
    "table",
    "wrapped",
    "again",
    "Shift(1)",
    "Shift(1).__call__",
    "Shift.plain",
    "Mine",
    "Further",
    "partial(table, 1)",
    "default",
    "cached",
    "objects",
    "ping",
)
EDITS = {
    "nothing": ("", "", ()),
    "a comment": ("def reads", "\n# moved\ndef reads", ()),
    "a constant": ("BY, TABLE, SEEN, rng = 0.1", "BY, TABLE, SEEN, rng = 0.3", (0, 2, 4, 5, 7, 8, 10)),
    "in a list in a dict": ("[0.1]}", "[0.2]}", (1, 9)),
    "a helper": ("return x + BY", "return x - BY", (0, 2, 4, 5, 7, 8, 10)),
    "a default": ("by=[0.1]", "by=[0.2]", (10,)),
    "a default by name": ('{"a": 1.0}', '{"a": 2.0}', (10,)),
    "what is cached": ("x + 0.4", "x + 0.5", (11,)),
    "a slot": ("Slots(7)", "Slots(8)", (12,)),
    "a method of a tuple": ("self.a + 5", "self.a + 6", (12,)),
    "a cached property": ("return 0.7", "return 0.8", (12,)),
    "what calls each other": ("x + 12", "x + 13", (13,)),
    "what all wrap": ("return f(*given)", "return f(*given[:3])", (2,)),
    "a constant of a class": ("by = 0.1", "by = 0.2", (4, 5)),
    "an attribute": ("self.more = more", "self.more = 2 * more", (4, 5)),
    "a static method": ("x + 0.2", "x + 0.3", (4, 5, 6)),
    "a method": ("super().fit(X, ", "super().fit(2 * X, ", (7, 8)),
    "a property": ("return 0.5", "return 0.6", (7, 8)),
}


def told(source):
    space = {"__name__": "ours"}
    exec(source, space)
    return [own_code.told(eval(each, space)) for each in CASES]


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_the_user_s_own_is_known_by_its_code_and_what_that_reads(edit):
    old, new, changed = EDITS[edit]
    before, after = told(OWN), told(OWN.replace(old, new, 1))
    assert tuple(k for k, (a, b) in enumerate(zip(before, after, strict=True)) if a != b) == changed


@pytest.mark.slow
def test_another_process_knows_the_same_code():
    script = f"{OWN}\nfrom ltc_np.sklearn import own_code\nprint([own_code.told(eval(each)) for each in {CASES}])"
    one, other = (python(script, PYTHONHASHSEED=seed).stdout for seed in ("1", "2"))
    assert one == other and "'" in one


def test_modules_that_code_reads(tmp_path, monkeypatch):
    """Those of a package, and those that are imported within a function."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ours_").mkdir()
    files = {"ours_/__init__.py": "", "ours_/sub.py": "def g(x): return x + 1\n", "theirs_.py": "BY = 2\n"}
    sources = {
        "sub": "import ours_.sub\ndef f(x, y, rng): return ours_.sub.g(x), y",
        "local": "def f(x, y, rng):\n    import theirs_\n    return x + theirs_.BY, y",
        "local from": "def f(x, y, rng):\n    from theirs_ import BY\n    return x + BY, y",
        "library": "import json\ndef f(x, y, rng):\n    import numpy\n    return json.loads(x), y",
    }

    def known():
        for name in ("ours_", "ours_.sub", "theirs_"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        found = {}
        for name, source in sources.items():
            exec(source, space := {"__name__": "ours"})
            found[name] = own_code.told(space["f"])
        return found

    for name, content in files.items():
        (tmp_path / name).write_text(content)
    before = known()
    assert known() == before
    for name, old, new, changed in (
        ("ours_/sub.py", "x + 1", "x + 11", {"sub"}),
        ("theirs_.py", "2", "33", {"local", "local from"}),
    ):
        (tmp_path / name).write_text(files[name].replace(old, new))
        after = known()
        assert {each for each in after if after[each] != before[each]} == changed
        before = after


def test_code_that_calls_much_is_known_in_no_time():
    """Each function is gone through once: 2**30 ways lead to the last of these."""
    lines = [f"def f{k}(x): return f{k + 1}(x) + f{k + 2}(x)" for k in range(30)]
    exec("\n".join([*lines, "def f30(x): return x", "def f31(x): return x"]), space := {"__name__": "ours"})
    exec("\n".join([*lines, "def f30(x): return x", "def f31(x): return 2 * x"]), other := {"__name__": "ours"})
    assert own_code.told(space["f0"]) != own_code.told(other["f0"])
    deep = None
    for _ in range(5000):
        deep = [deep]
    space["deep"] = deep
    exec("def g(x): return deep", space)
    with pytest.raises(ValueError, match="`resume` must be left out, since what ours.g reads is nested too deeply"):
        own_code.told(space["g"])


def test_functions_in_containers_are_known_by_their_code():
    one, same, other = [lambda x: x + 1], [lambda x: x + 1], [lambda x: x + 2]
    assert halving.known(one) == halving.known(same) != halving.known(other)
    assert halving.known([1, 2]) == "[1, 2]"


def test_an_edited_class_is_not_resumed(data, tmp_path):
    X, y, _ = data
    settings, spaces = {"budget": 60, "space": {"units": [4]}, "resume": tmp_path / "tuned.jsonl"}, []
    for source in (OWN, OWN, OWN.replace("return x + BY", "return x - BY")):
        spaces.append({"__name__": "ours"})
        exec(source, spaces[-1])
    before, again = (tune(space["Mine"](**SMALL), X, y, **settings).tuned_ for space in spaces[:2])
    assert again == before
    with pytest.raises(ValueError, match="`resume` must be of the same estimator, got "):
        tune(spaces[2]["Mine"](**SMALL), X, y, **settings)


def test_a_class_derived_without_all_hyperparameters(data):
    class Fewer(CfCRegressor):
        def __init__(self, extra=3, *, units=3, epochs=1, random_state=0):
            super().__init__(units=units, epochs=epochs, random_state=random_state, backend="numpy")
            self.extra = extra

    X, y, _ = data
    found = tune(Fewer(), X, y, budget=60, space={"units": [2]})
    assert [row["params"] for row in found.tuned_] == [{}, {"units": 2}] and found.extra == 3


def test_refused(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="`budget` must be a finite number > 0, got 0"):
        tune(CfCRegressor(), X, y, budget=0)
    with pytest.raises(TypeError, match="`estimator` must be one of `ltc_np.sklearn` for sequences, got KFold"):
        tune(KFold(), X, y, budget=1)
    with pytest.raises(TypeError, match="`estimator` must be one of `ltc_np.sklearn` for sequences, got <class"):
        tune(CfCRegressor, X, y, budget=1)
    with pytest.raises(ValueError, match="`space` must name hyperparameters of CfCRegressor, got 'neurons'"):
        tune(CfCRegressor(), X, y, budget=1, space={"neurons": [3]})
    with pytest.raises(ValueError, match="`units` must be an int >= 1, got 0"):
        tune(CfCRegressor(), X, y, budget=1, space={"units": [0]})
    for name, value in (("units", 4), ("readout", "max")):
        with pytest.raises(TypeError, match=f"`space` must have a list of values for '{name}', got {value!r}"):
            tune(CfCRegressor(), X, y, budget=1, space={name: value})
    with pytest.raises(ValueError, match="`y` must be of the 24 sequences of X, got 23"):
        tune(CfCRegressor(), X, y[:23], budget=1)
    with pytest.raises(ValueError, match=r"`sample_weight` must be \(n,\) = \(24,\)"):
        tune(CfCRegressor(), X, y, budget=1, sample_weight=np.ones(23))


@pytest.mark.slow
def test_progress(data, capsys):
    X, y, _ = data
    tune(CfCRegressor(**SMALL), X, y, budget=60, space={"units": [4]}, verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("tune: rung 1 of 1, candidate 0: error ") and "; the best is candidate 0; " in first
    assert second.startswith("tune: rung 1 of 1, candidate 1: error ")
