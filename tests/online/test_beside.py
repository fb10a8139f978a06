"""Simple answers beside a network's: what each is, which of them is given, and never much worse than the best."""

import copy

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Dense, Model
from ltc_np.base.moments import Moments
from ltc_np.online import NLMS, Learner
from ltc_np.online.beside import FARTHEST, Beside, standardised
from ltc_np.online.river import RiverRegressor


def told(beside, rows):
    """What was asked of each row (inputs, the network's answer, target), whose target is known before the next one."""
    found = []
    for inputs, y, target in rows:
        found.append(beside.ask(np.array(inputs, float), y))
        beside.learn(found[-1], target, 1.0)
    return found


def rows_of(rng, steps, scale=1.0):
    x = rng.normal(3.0, 2.0, (steps, 2)) * scale
    return [
        (one, float(y), float(target)) for one, y, target in zip(x, rng.normal(size=steps), x @ [2.0, -1], strict=True)
    ]


def test_standardised(rng):
    x, moments = rng.normal(7.0, 3.0, (50, 2)) * [1, 0], Moments(2)
    assert (standardised(x[0], moments) == np.clip(x[0], -FARTHEST, FARTHEST)).all()  # nothing is known yet
    for one in x:
        moments.add(one[None])
    np.testing.assert_allclose(
        standardised(np.array([8.0, 0.5]), moments), [(8 - x[:, 0].mean()) / x[:, 0].std(), 0.5], rtol=1e-12
    )  # nothing is divided by 0
    assert (standardised(np.array([1e9, -1e9]), moments) == [FARTHEST, -FARTHEST]).all()


def test_the_lines_are_least_squares_of_what_was_known(rng):
    """By the normal equations, of features that were standardised when they were asked for."""
    beside, rows = Beside(2), rows_of(rng, 30)
    asked, targets = [], Moments(1)
    for inputs, y, target in rows:
        asked.append(beside.ask(inputs, y))
        beside.learn(asked[-1], target, 0.5)
        targets.add(np.array([[target]]))
    seen, wanted = Moments(1), []
    for _, _, target in rows:
        wanted.append(standardised(np.array([target]), seen)[0])
        seen.add(np.array([[target]]))
    fade = np.clip(1 - 1 / np.arange(1, len(rows) + 1), 0.9, 0.999)
    shares = 0.5 * np.append(np.cumprod(fade[:0:-1])[::-1], 1)
    for name, reads in (("line", [0, 1, 2, 4]), ("both", [0, 1, 2, 3, 4])):
        F = np.array([one.features for one in asked])[:, reads]
        A = (F.T * shares) @ F + np.prod(fade) * np.eye(len(reads))
        W = np.linalg.solve(A, (F.T * shares) @ wanted)
        at = beside.ask(np.array([1.0, 2.0]), 0.3)
        found = targets.mean + np.sqrt(targets.variance) * (at.features[reads] @ W)
        assert at.answers[name] == pytest.approx(found[0], rel=1e-9)


def test_what_the_other_answers_are(rng):
    asked = told(Beside(1), [([0.0], 0.5, 2.0), ([1.0], 0.7, 3.0), ([1.0], 0.9, 4.0)])
    assert [one.answers["network"] for one in asked] == [0.5, 0.7, 0.9]
    assert [one.answers["last"] for one in asked] == [0.5, 2.0, 3.0]  # the network's, before any target


def test_who_answers():
    """The one that answered before, until its error is more than 1.05 times the least one."""
    beside = Beside(1)
    assert beside.answering == "last"
    told(beside, [([0.0], 0.0, 1.0)] + [([0.0], 1.0, 1.0)] * 3)
    assert beside.answering == "last"  # the network has been as good
    asked = beside.ask(np.array([0.0]), 3.0)
    beside.errors = {"network": 1.0, "last": 1.04, "line": 2.0, "both": 9.0}
    same = asked._replace(answers=dict.fromkeys(asked.answers, 3.0))
    beside.learn(same, 3.0, 1.0)
    assert beside.answering == "last"
    beside.errors["last"] = 1.06 * beside.errors["network"]
    beside.learn(same, 3.0, 1.0)
    assert beside.answering == "network"
    assert beside.ask(np.array([0.0]), 8.0).answer == 8.0


def test_errors_fade():
    beside = Beside(1)
    asked = beside.ask(np.array([0.0]), 2.0)
    beside.learn(asked, 5.0, 1.0)
    assert beside.errors["network"] == pytest.approx(9 / 100)
    beside.learn(asked, 3.0, 2.0)
    assert beside.errors["network"] == pytest.approx(0.09 + 2 / 100 * (1 - 0.09))
    beside.learn(asked, 3.0, 1e9)  # no weight counts more than all before
    assert beside.errors["network"] == pytest.approx(1.0)


def test_inputs_of_any_scale(rng):
    """As in metres or millimetres.  The first observations were standardised by moments of fewer, so that the line is
    not exact yet."""
    for scale in (1e-9, 1.0, 1e9):
        rows = rows_of(np.random.default_rng(0), 300, scale)
        asked = told(Beside(2), rows)
        spread = np.std([target for _, _, target in rows])
        late = [abs(one.answers["line"] - target) for one, (_, _, target) in zip(asked[200:], rows[200:], strict=True)]
        assert np.mean(late) < 0.1 * spread
    assert asked[-1].answer in (asked[-1].answers["line"], asked[-1].answers["both"])


def river(**settings):
    model = Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=1, seed=0, backend="numpy")
    return RiverRegressor(Learner(model, NLMS(0.5), **settings), ["x"])


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("kind", ["walk", "line", "filter"])
def test_never_much_worse_than_the_last_target_or_a_line(kind, delay):
    """Of streams that neither was made for; the line is as told, and so is when a target comes."""
    rng, errors, alone = np.random.default_rng(3), [], []
    regressor, waiting, level, h = river(delay=delay), [], 0.0, 0.0
    for _ in range(600):
        u = float(rng.normal())
        level, h = level + float(rng.normal()), 0.9 * h + 0.1 * u
        x = {"x": u}
        y = {"walk": level, "line": 3 * u + 40 + 0.1 * float(rng.normal()), "filter": float(np.tanh(3 * h))}[kind]
        if len(waiting) == delay > 0:
            regressor.learn_one(*waiting.pop(0))
        asked = regressor._answer(x)[1] if not delay else None
        found = asked.answer if asked else regressor.predict_one(x)
        asked = asked or regressor._waiting[-1][1]
        errors.append(found - y)
        alone.append([asked.answers["last"] - y, asked.answers["line"] - y])
        waiting.append((x, y))
        if not delay:
            regressor.learn_one(*waiting.pop(0))
    rms = np.sqrt(np.mean(np.square(alone), axis=0))
    assert np.sqrt(np.mean(np.square(errors))) < 1.05 * rms.min()


def test_a_new_sequence_knows_no_last_target(rng):
    beside = Beside(2)
    told(beside, rows_of(rng, 20))
    beside.reset()
    asked = beside.ask(np.zeros(2), 0.25)
    assert asked.answers["last"] == 0.25
    assert asked.answers["line"] != 0.25  # what is learnt stays
    regressor = river()
    regressor.learn_one({"x": 1.0}, 5.0)
    assert regressor.predict_one({"x": 1.0}) == 5.0
    regressor.reset()
    assert regressor.predict_one({"x": 1.0}) == regressor.learning.peek([1.0])[0]


def test_what_teaches_nothing():
    """No target, or one of no weight."""
    regressor = river()
    regressor.learn_one({"x": 1.0}, 5.0)
    before = copy.deepcopy(vars(regressor.beside))
    regressor.learn_one({"x": 2.0}, None)
    regressor.learn_one({"x": 3.0}, 9.0, w=0.0)
    for name, value in before.items():
        if not name.startswith(("_inputs", "_targets")):
            np.testing.assert_equal(getattr(regressor.beside, name), value)
    assert regressor.beside._inputs.count == regressor.beside._targets.count == 1


def test_elapsed_time_is_read_too():
    model = Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=1, seed=0, backend="numpy")
    regressor = RiverRegressor(Learner(model, NLMS(0.5)), ["x"], dt="hours")
    rng = np.random.default_rng(0)
    for _ in range(300):
        hours = float(rng.uniform(1, 3))
        regressor.learn_one({"x": 0.0, "hours": hours}, 2 * hours)
    assert regressor.predict_one({"x": 0.0, "hours": 2.5}) == pytest.approx(5, rel=0.02)


def test_a_late_target_teaches_by_what_was_known_of_its_observation(rng):
    """In whatever order targets come."""
    regressor, own, asked = river(delay=3), Beside(1), []
    steps = [({"x": float(one)}, float(target)) for one, target in rng.normal(size=(4, 2))]
    for x, _ in steps:
        regressor.predict_one(x)
        asked.append(regressor._waiting[-1][1])
    for k in (2, 0, 3, 1):
        regressor.learn_one(*steps[k])
        own.learn(asked[k], steps[k][1], 1.0)
    at = np.array([0.4])
    assert regressor.beside.ask(at, 0.3).answers == own.ask(at, 0.3).answers
