"""The guard: when it goes back, how far weights may be, and that it keeps its promise; the log."""

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Dense, Model
from ltc_np.online import LMS, NLMS, RLS, Guard, Learner
from ltc_np.online.guard import PATIENCE, Watched
from ltc_np.online.log import MOST_EVENTS, MOST_ROWS, Log


def readout(W):
    return Watched(W, {}, (np.zeros(2), {}))


def test_where_the_learnt_weights_are_worse_the_others_answer():
    guard, W, deployed = Guard(worse=1.5, horizon=4), np.ones(2), np.full(2, 7.0)
    watched, events = readout(W).judged(guard, (1.0, 0.5, 0.6))
    assert events == ("last good weights answer",) and watched.weights(deployed) is watched.good[0]
    watched, events = watched.judged(guard, (1.0, 2.0, 0.2))
    assert events == ("deployed weights answer",) and watched.weights(deployed) is deployed
    watched, events = watched.judged(guard, (0.0, 9.0, 9.0))
    assert events == ("learnt weights answer",) and watched.weights(deployed) is W


def test_good_are_weights_that_nothing_was_better_than_for_a_horizon():
    guard, watched = Guard(worse=1.5, horizon=3), readout(np.ones(2))
    for _ in range(3):
        assert watched.good[0].sum() == 0
        watched, events = watched.judged(guard, (0.1, 0.4, 0.5))
        assert events == ()
    assert watched.good[0] is watched.W  # after the third
    assert watched.errors[1] == watched.errors[0] < watched.errors[2]
    almost, _ = readout(np.ones(2)).judged(guard, (0.45, 0.4, 0.5))
    for _ in range(9):
        almost, events = almost.judged(guard, (0.45, 0.4, 0.5))
        assert events == () and almost.good[0].sum() == 0  # it answers, but another would be better


def test_what_does_not_recover_begins_anew():
    guard, watched, told = Guard(horizon=2), readout(np.ones(2)), []
    for _ in range(1 + PATIENCE * 2):
        watched, events = watched.judged(guard, (1.0, 0.5, 0.5))
        told += events
    assert told == ["last good weights answer", "begun anew"]
    np.testing.assert_array_equal(watched.W, 0)
    assert watched.errors[0] == watched.errors[1] and not watched.limited


def test_what_begins_anew_where_it_was_limited_says_so_once():
    """The log has said "limited", and the last good weights may be as far away: it does not say so again."""
    guard, far, deployed = Guard(horizon=2, distance=0.5), np.array([6.0, 8.0]), np.array([3.0, 4.0])
    limited, _, told = readout(far).moved(far, {}, deployed, 5.0, guard)
    again, _, more = limited.anew().moved(far, {}, deployed, 5.0, guard)
    assert (told, more) == (("limited",), ()) and again.limited
    _, _, near = limited.anew().moved(deployed, {}, deployed, 0.0, guard)
    assert near == ("not limited any more",)


@pytest.mark.parametrize(("worse", "horizon"), [(1.0, 1), (2.0, 1), (1.05, 3)])
def test_a_guard_is_a_plain_loop(worse, horizon):
    """Of whole errors, many of them equal, so that every comparison has ties; weights are new ones at every step."""
    guard, rng, deployed = Guard(worse, horizon), np.random.default_rng(0), np.full(2, -1.0)
    watched, told, words = readout(np.zeros(2)), [], ("learnt", "last good", "deployed")
    mean, now, since, good, learnt = [0.0, 0.0, 0.0], 0, 0, 0, 0  # weights by their number
    for k in range(1, 600):
        learnt, seen = k, rng.integers(0, 3, 3).astype(float)
        if k % 100 > 40:  # for so long that it begins anew
            seen[:] = 7, *[(1, 2), (2, 1), (1, 1)][k // 100 % 3]
        watched, events = watched._replace(W=np.full(2, float(k)), kept={"t": k}).judged(guard, tuple(seen))
        mean = [m + (s - m) / horizon for m, s in zip(mean, seen, strict=True)]
        best, since, before = min(mean), since + 1, now
        now = 0 if mean[0] <= worse * best else 1 if mean[1] <= mean[2] else 2
        wanted = ()
        if now != before:
            since, wanted = 0, (f"{words[now]} weights answer",)
        elif now == 0 and since >= horizon and mean[0] == best:
            good, mean[1], since = learnt, mean[0], 0
        elif now > 0 and since >= 10 * horizon:
            learnt, mean[0], since, wanted = good, mean[1], 0, ("begun anew",)
        assert (events, watched.answering, watched.since) == (wanted, words[now], since)
        assert (watched.W[0], watched.good[0][0], watched.good[1].get("t", 0)) == (learnt, good, good)
        assert watched.kept == ({} if learnt == 0 else {"t": learnt})
        assert watched.weights(deployed)[0] == (learnt, good, -1)[now]
        np.testing.assert_allclose(watched.errors, mean, rtol=1e-12)
        told += events
    assert set(told) == {"begun anew", *(f"{word} weights answer" for word in words)} and good > 0


def test_errors_fade():
    guard, watched, own = Guard(horizon=10), readout(np.zeros(2)), 0.0
    for k in range(50):
        watched, _ = watched.judged(guard, (k % 7, 8.0, 1.0))
        own = 0.9 * own + 0.1 * (k % 7)
    assert watched.errors[0] == pytest.approx(own, rel=1e-12)
    assert watched.errors[2] == pytest.approx(1 - 0.9**50, rel=1e-12)


def test_weights_too_far_away_are_moved_straight_back():
    """The log says once that it begins, and once that it ends."""
    deployed = np.array([[3.0, 4.0]])
    W, near = deployed + np.array([[0.0, 5.0]]), deployed + np.array([[0.0, 1.0]])
    watched = readout(deployed)
    for events in (("limited",), ()):
        watched, distance, told = watched.moved(W, {}, deployed, 5.0, Guard(distance=0.5))
        np.testing.assert_allclose(watched.W, np.array([[3.0, 6.5]]), rtol=1e-14)
        assert (distance, told) == (2.5, events)
    for events in (("not limited any more",), ()):
        watched, distance, told = watched.moved(near, {}, deployed, 1.0, Guard(distance=0.5))
        assert watched.W is near and (distance, told) == (1.0, events)
    for limit in (1.1, 1.0, None):  # of a norm of 5
        watched, distance, told = watched.moved(W, {}, deployed, 5.0, Guard(distance=limit))
        assert watched.W is W and (distance, told) == (5.0, ())


@pytest.mark.few(1)
@pytest.mark.parametrize("seed", range(5))
def test_with_it_a_learner_is_never_much_worse_than_what_was_deployed(seed):
    """A rule with far too large a rate, which alone makes the error several times that of the deployed network."""
    model = Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=1, seed=seed)
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(1500, 1)), 0.3 * rng.normal(size=(1500, 1))
    target, _ = model(x, return_state=True)
    errors = {}
    for guard in (None, Guard(worse=1.05, horizon=50)):
        learner = Learner(model, NLMS(1.8), guard=guard)
        for x_t, wanted in zip(x, target + noise, strict=True):
            learner.predict(x_t)
            learner.learn(wanted)
        errors[guard] = learner.log.rows[:, 1:3].mean(axis=0)
    alone, guarded = errors.values()
    assert alone[0] > 1.5 * alone[1]
    assert guarded[0] <= 1.05 * guarded[1]
    assert any(event == "last good weights answer" for _, event in learner.log.events)


def test_the_log_takes_the_same_memory_however_long_it_runs():
    log, errors = Log(), np.random.default_rng(0).random((10 * MOST_ROWS, 2))
    for own, deployed in errors:
        log.add(own, deployed, log.steps + 1.0)
        log.say("limited")
    rows = log.rows
    assert log.steps == len(errors) and MOST_ROWS // 2 <= len(rows) < MOST_ROWS
    assert len(log.events) == MOST_EVENTS and log.events[-1] == (len(errors), "limited")
    steps = np.diff(np.append(0, rows[:, 0]))
    assert (steps == log.stride).all()
    ends = rows[:, 0].astype(int)
    means = [errors[end - log.stride : end].mean(axis=0) for end in ends]
    np.testing.assert_allclose(rows[:, 1:3], means, rtol=1e-12)
    np.testing.assert_array_equal(rows[:, 3], rows[:, 0])  # the distance is that of the last of them


def test_a_log_is_drawn():
    log = Log()
    for k in range(20):
        log.add(0.5, 1.0 + k, 0.0)
    log.say("deployed weights answer")
    log.say("limited")
    ax = log.plot()
    deployed, answers, event = ax.get_lines()
    np.testing.assert_array_equal(deployed.get_ydata(), 1.0 + np.arange(20))
    np.testing.assert_array_equal(answers.get_xydata(), np.stack([np.arange(1, 21), np.full(20, 0.5)], axis=1))
    assert event.get_xdata()[0] == 20 and ax.get_yscale() == "log"
    log.add(0.0, 1.0, 0.0)  # which has no logarithm
    assert log.plot().get_yscale() == Log().plot().get_yscale() == "linear"


def test_a_log_comes_back_from_plain_data():
    log = Log()
    for k in range(2999):
        log.add(k, 2 * k, 0.5)
    assert log.steps % log.stride == log.stride - 1  # the last row has begun, and its two sums differ
    log.say("begun anew")
    other = Log()
    other.restore(log.state())
    for each in (log, other):
        each.add(1.0, 2.0, 3.0)
        each.add(1.0, 2.0, 3.0)
    np.testing.assert_array_equal(other.rows, log.rows)
    assert (other.steps, other.stride, other.events) == (log.steps, log.stride, log.events)


def test_a_batch_is_learnt_whole_or_not_at_all():
    model = Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=1, seed=0)
    learner = Learner(model, LMS(1e15), streams=2, shared=False)
    learner.predict(np.zeros((2, 1)))
    before = learner.weights
    with pytest.raises(FloatingPointError, match="nothing was learnt"):
        learner.learn([[1.0], [1e18]])
    np.testing.assert_array_equal(learner.weights, before)


def test_what_documents_say_of_its_figures():
    """The guide and the docstrings name them."""
    guard = Guard()
    assert (guard.worse, guard.horizon, guard.distance) == (1.05, 100, None)
    assert (PATIENCE, MOST_ROWS, MOST_EVENTS) == (10, 2048, 1000)


def test_what_it_takes():
    assert repr(Guard(1.1)) == "Guard(worse=1.1)"
    for options, message in (
        ({"worse": 0.9}, "`worse`"),
        ({"horizon": 0}, "`horizon`"),
        ({"distance": 0}, "`distance`"),
    ):
        with pytest.raises(ValueError, match=f"{message} must be"):
            Guard(**options)
    with pytest.raises(FloatingPointError, match="weights must stay finite in float32, but LMS.* nothing was learnt"):
        learner = Learner(Model(LTC(AutoNCP(8, 3)), Dense(1), input_dim=1, seed=0), LMS(1e30))
        learner.predict([1.0])
        learner.learn([1e18])
    assert isinstance(learner.rule, LMS) and not isinstance(learner.rule, RLS)
