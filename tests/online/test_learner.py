"""A learner on a stream: against naive loops; files, streams, delay, and what it refuses."""

import copy
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    Line,
    Model,
    Residual,
    Standardize,
    io,
    load,
)
from ltc_np.online import LMS, NLMS, RLS, Guard, Learner
from ltc_np.online.guard import Watched

RULES = [LMS(0.05), NLMS(0.5), RLS(0.95)]
LEARNERS = [
    {"rule": NLMS(0.5)},
    {"rule": RLS(0.95), "guard": Guard(distance=0.5, horizon=5)},
    {"rule": RLS(0.95), "streams": 3, "delay": 2},
    {"rule": NLMS(0.5), "streams": 2, "shared": False, "guard": Guard(1.0, horizon=3)},
]


@pytest.fixture
def model(backend):
    return Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0, backend=backend)


def stream(steps, streams=None, seed=0, missing=0.0):
    """Inputs, elapsed times and targets, one step after another."""
    rng = np.random.default_rng(seed)
    shape = () if streams is None else (streams,)
    for t in range(steps):
        target = np.stack([np.sin(0.1 * t + rng.normal(size=shape)), np.cos(0.1 * t) + np.zeros(shape)], axis=-1)
        target[rng.random(target.shape) < missing] = np.nan
        yield rng.normal(size=(*shape, 2)), rng.uniform(0, 2, shape) if shape else rng.uniform(0, 2), target


def test_before_it_has_learnt_anything_it_is_the_model(model):
    learner, state = Learner(model, NLMS()), None
    for x, dt, _ in stream(20):
        want, state = model.step(x, dt=dt, state=state)
        np.testing.assert_allclose(learner.predict(x, dt=dt), want, rtol=0, atol=3e-7)  # sums in another order
        np.testing.assert_array_equal(learner.state[:8], state)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_it_is_the_rule_on_the_features(model, rule):
    """Those of the body as a whole sequence; and the model that comes out gives the last weights' answers."""
    learner = Learner(model, rule)
    body = Model(*model.layers[:1], input_dim=2, seed=0)
    body.theta = model.theta[: body.layout.size]
    steps = list(stream(60, missing=0.1))
    f = body(np.array([x for x, _, _ in steps]), dt=np.array([dt for _, dt, _ in steps]))
    W = np.concatenate([model.params["1.weight"].T, model.params["1.bias"][:, None]], axis=1)
    kept = rule.begin(W.shape[1], 2, W.dtype)
    for features, (x, dt, target) in zip(f, steps, strict=True):
        row, y = np.append(features, np.float32(1)), learner.predict(x, dt=dt)
        np.testing.assert_allclose(y, W @ row, rtol=1e-5, atol=1e-6)
        error = learner.learn(target)
        np.testing.assert_array_equal(np.isnan(error), np.isnan(target))
        known = ~np.isnan(target)
        if known.any():
            own = np.where(known, target.astype(np.float32) - W @ row, 0).astype(np.float32)
            W, kept = rule.update(W, kept, row, own, None if known.all() else known, 1.0)
    np.testing.assert_allclose(learner.weights, W, rtol=1e-3, atol=1e-5)
    after = learner.network()
    np.testing.assert_allclose(
        after(np.array([x for x, _, _ in steps]), dt=np.array([dt for _, dt, _ in steps]))[-1],
        learner.weights @ np.append(f[-1], np.float32(1)), rtol=1e-5, atol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("rule", [NLMS(1.5), RLS(0.9)], ids=repr)
def test_a_guarded_readout_is_a_plain_loop(rule):
    """Answers, weights, the log and what the guard says; with weights of targets, missing ones and late ones."""
    model = Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0, dtype="float64", backend="numpy")
    guard = Guard(1.0, horizon=2, distance=0.6)
    learner, body = Learner(model, rule, guard=guard, delay=1), Model(*model.layers[:1], input_dim=2, seed=0)
    body.theta = model.theta[: body.layout.size]
    steps = list(stream(60, missing=0.2))
    x, dt, targets = (np.array(column) for column in zip(*steps, strict=True))
    f = np.append(body(x, dt=dt), np.ones((60, 1)), axis=1)
    W0 = np.concatenate([model.params["1.weight"].T, model.params["1.bias"][:, None]], axis=1)
    watched, answers, rows, events = Watched(W0, kept := rule.begin(4, 2, W0.dtype), (W0, kept)), [], [], []
    for k in range(60):
        by = {"learnt": watched.W, "last good": watched.good[0], "deployed": W0}[watched.answering]
        answers.append(by @ f[k])
        np.testing.assert_allclose(learner.predict(x[k], dt=dt[k]), answers[k], rtol=1e-5, atol=1e-6)
        if k == 0:
            continue
        late, weight = targets[k - 1], [1.0, 0.5][k % 2]
        np.testing.assert_allclose(learner.learn(late, ago=1, weight=weight), late - answers[k - 1], rtol=0, atol=1e-5)
        known = ~np.isnan(late)
        if not known.any():
            continue
        apart = [
            np.where(known, late - y, 0)
            for y in (answers[k - 1], *(W @ f[k - 1] for W in (W0, watched.W, watched.good[0])))
        ]
        told, old, own, good = ((error**2).sum() / known.sum() for error in apart)
        W, kept = rule.update(watched.W, watched.kept, f[k - 1], apart[2], None if known.all() else known, weight)
        watched, distance, limit = watched.moved(W, kept, W0, np.linalg.norm(W - W0), guard)
        watched, more = watched.judged(guard, (own, good, old))
        rows.append((len(rows) + 1, told, old, distance))
        events += [(len(rows), event) for event in (*limit, *more)]
    np.testing.assert_allclose(learner.weights, watched.W, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(learner.log.rows, rows, rtol=1e-4, atol=1e-7)
    assert learner.log.events == events
    assert {event for _, event in events} >= {"limited", "not limited any more", "deployed weights answer"}


def test_it_learns_what_has_changed(model):
    """A sensor whose gain doubles in use: the deployed readout stays wrong, and the log says so."""
    learner, state = Learner(model, RLS(0.98, 0.01), guard=Guard()), None
    for x, dt, _ in stream(400, seed=3):
        y, state = model.step(x, dt=dt, state=state)
        learner.predict(x, dt=dt)
        learner.learn(2 * y + 1)
    rows = learner.log.rows
    assert rows.shape == (400, 4) and learner.log.steps == 400
    late = rows[-100:].mean(axis=0)
    assert late[1] < 1e-3 * late[2]
    assert rows[-1, 3] == pytest.approx(np.linalg.norm(learner.weights - learner.deployed), rel=1e-5)


def test_a_readout_before_scales_is_in_the_units_of_the_targets(backend):
    model = Model(LTC(AutoNCP(6, 2)), Dense(2), Standardize(inverse=True), input_dim=2, seed=0, backend=backend)
    x, y = np.random.default_rng(0).normal(size=(20, 5, 2)), 300 + 50 * np.random.default_rng(1).normal(size=(20, 5, 2))
    model.adapt(x, y)
    learner = Learner(model, RLS(1.0, 1e-3))
    np.testing.assert_allclose(learner.predict(x[0, 0]), model.step(x[0, 0])[0], rtol=1e-5)
    for x_t, target in zip(x[0], y[0], strict=True):
        learner.predict(x_t)
        learner.learn(target)
    learner.reset()
    want = np.array([learner.predict(x_t) for x_t in x[0]])
    np.testing.assert_allclose(learner.network()(x[0]), want, rtol=1e-5)


@pytest.mark.parametrize("options", LEARNERS, ids=repr)
def test_a_file_goes_on_with_the_same_bits(model, options, tmp_path):
    model.notes = {"mine": [1, 2.5]}
    learner, steps = Learner(model, **options), list(stream(30, options.get("streams"), missing=0.1))
    delay = options.get("delay", 0)
    for k, (x, dt, target) in enumerate(steps):
        if k == 15:
            learner.save(tmp_path / "learner.npz")
            other = Learner.load(tmp_path / "learner.npz", backend=model.backend)
            deployed = load(tmp_path / "learner.npz")
        every = (learner,) if k < 15 else (learner, other)
        answers = [each.predict(x, dt=dt) for each in every]
        if k >= delay:
            answers += [each.learn(steps[k - delay][2], ago=delay) for each in every]
        for each in answers[len(every) - 1 :: len(every)]:
            assert each.shape == target.shape
    np.testing.assert_array_equal(other.weights, learner.weights)
    np.testing.assert_array_equal(other.state, learner.state)
    np.testing.assert_array_equal(other.log.rows, learner.log.rows)
    assert other.log.events == learner.log.events and repr(other.rule) == repr(learner.rule)
    np.testing.assert_array_equal(deployed.theta, model.theta)
    assert other.network().notes == {"mine": [1, 2.5]}


def test_streams_with_readouts_of_their_own_are_single_ones(model):
    together = Learner(model, RLS(0.95), streams=3, shared=False)
    alone = [Learner(model, RLS(0.95)) for _ in range(3)]
    for x, dt, target in stream(20, 3, missing=0.2):
        y = together.predict(x, dt=dt)
        for b, single in enumerate(alone):
            np.testing.assert_array_equal(single.predict(x[b], dt=dt[b]), y[b])
        errors = together.learn(target, weight=[1.0, 2.0, 0.0])
        for b, (single, weight) in enumerate(zip(alone, (1.0, 2.0, 0.0), strict=True)):
            np.testing.assert_array_equal(single.learn(target[b], weight=weight), errors[b])
    np.testing.assert_array_equal(together.weights, np.stack([single.weights for single in alone]))
    for b, single in enumerate(alone):
        np.testing.assert_array_equal(together.network(b).theta, single.network().theta)


@pytest.mark.parametrize("rule", [NLMS(), SGD(0.01)], ids=["readout", "network"])
def test_one_stream_has_weights_without_an_axis_of_streams(rule):
    """Whatever is said of those that there are not; one that is asked for has one."""
    model = Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0, backend="numpy")
    for options, lead in (
        ({}, ()),
        ({"shared": False}, ()),
        ({"streams": 1}, ()),
        ({"streams": 1, "shared": False}, (1,)),
    ):
        learner = Learner(model, rule, **options)
        axes = (1,) if "streams" in options else ()
        assert learner.weights.shape == (*lead, *learner.deployed.shape)
        assert learner.state.shape[:-1] == axes and learner.predict(np.ones((*axes, 2))).shape == (*axes, 2)
        assert learner.learn(np.ones((*axes, 2))).shape == (*axes, 2)


def test_a_shared_readout_learns_from_each_stream_in_turn(model):
    rule, learner = RLS(0.95), Learner(model, RLS(0.95), streams=3)
    W, kept, state = learner.weights, rule.begin(4, 2, np.dtype(np.float32)), None
    body = Model(*model.layers[:1], input_dim=2, seed=0)
    body.theta = model.theta[: body.layout.size]
    for x, dt, target in stream(20, 3):
        learner.predict(x, dt=dt)
        f, state = body.step(x, dt=dt, state=state)
        for row, wanted in zip(f, target.astype(np.float32), strict=True):
            row = np.append(row, np.float32(1))
            W, kept = rule.update(W, kept, row, wanted - W @ row, None, 1.0)
        learner.learn(target)
    np.testing.assert_allclose(learner.weights, W, rtol=1e-3, atol=1e-5)


def test_a_target_that_comes_later_belongs_to_its_answer(model):
    """With an error as it was when the answer was given; the rule sees the weights of now."""
    learner, steps = Learner(model, NLMS(1.0, 1e-9), delay=3), list(stream(5))
    answers = [learner.predict(x, dt=dt) for x, dt, _ in steps]
    features = [answer.kept.f[0] for answer in learner._waiting.answers]
    first = learner.learn(steps[1][2], ago=3)
    np.testing.assert_allclose(first, steps[1][2] - answers[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(learner.weights @ features[0], steps[1][2], rtol=0, atol=1e-5)
    second = learner.learn(steps[4][2])
    np.testing.assert_allclose(second, steps[4][2] - answers[4], rtol=0, atol=1e-6)  # of then
    np.testing.assert_allclose(learner.weights @ features[3], steps[4][2], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="must be at most `delay`, which is 3, got 4: make the learner with delay=4"):
        learner.learn(steps[0][2], ago=4)


@pytest.mark.parametrize("options", LEARNERS, ids=repr)
def test_to_peek_changes_nothing(model, options):
    """It is the answer that comes next; state, waiting answers and weights stay, after an error too."""
    learner, other = (Learner(model, **options) for _ in range(2))
    assert repr(learner) == repr(other) and f"delay={options.get('delay', 0)}" in repr(learner)
    for x, dt, target in stream(20, options.get("streams")):
        seen = learner.peek(x, dt=dt)
        learner.peek(-x)
        with pytest.raises(ValueError, match="dt"):
            learner.peek(x, dt=np.nan)
        for each in (learner, other):
            np.testing.assert_array_equal(each.predict(x, dt=dt), seen)
        np.testing.assert_array_equal(learner.learn(target), other.learn(target))
    np.testing.assert_array_equal(learner.weights, other.weights)


def test_reset_keeps_what_is_learnt(model):
    learner = Learner(model, NLMS())
    for x, dt, target in stream(5):
        learner.predict(x, dt=dt)
        learner.learn(target)
    W = learner.weights
    learner.reset()
    np.testing.assert_array_equal(learner.weights, W)
    np.testing.assert_array_equal(learner.state, model.initial_state())
    with pytest.raises(ValueError, match="there is none since the beginning or `reset`: call `predict` first"):
        learner.learn([0.0, 0.0])


@pytest.mark.together("rule", "shared")
@pytest.mark.parametrize("rule", [RLS(0.95), SGD(0.01)], ids=["readout", "network"])
@pytest.mark.parametrize("shared", [True, False])
def test_one_of_several_streams_begins_anew(rule, shared):
    """State and sensitivities at the start, no target of an answer of before; the others do not notice."""
    model = Model(LTC(AutoNCP(8, 3)), Dense(2), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner = Learner(model, rule, streams=3, shared=shared, delay=1)
    (*steps, last) = stream(5, 3)
    learner.predict(steps[0][0], dt=steps[0][1])
    for (_, _, target), (x, dt, _) in pairwise(steps):
        learner.predict(x, dt=dt)
        learner.learn(target, ago=1)
    weights, before = learner.weights, learner.state.copy()
    learner.reset(stream=1)
    np.testing.assert_array_equal(learner.state[[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(learner.state[1], model.initial_state())
    np.testing.assert_array_equal(learner.weights, weights)
    error = learner.learn(steps[-1][2])
    assert np.isnan(error[1]).all() and np.isfinite(error[[0, 2]]).all()
    alone = Learner(learner.network(1 if not shared else 0), rule)  # as if there had been nothing before
    x, dt, target = last
    y = learner.predict(x, dt=dt)
    np.testing.assert_allclose(y[1], alone.predict(x[1], dt=dt[1]), rtol=0, atol=1e-12)
    if isinstance(rule, SGD):
        weights = learner.weights
        target[[0, 2]] = np.nan
        learner.learn(target)
        alone.learn(target[1])
        moved = (learner.weights - weights)[... if shared else 1]
        np.testing.assert_allclose(moved, alone.weights - alone.deployed, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(learner.state[1], alone.state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", [NLMS(), SGD(0.01)], ids=["readout", "network"])
def test_a_stream_begins_where_its_layers_do(rule):
    """Which may be elsewhere than at 0; also after a reset."""
    layers = Line(2, reads=3, weight=np.linspace(-1, 1, 12).reshape(6, 2), before=[5.0, -7.0]), Dense(2)
    model = Model(*layers, input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner, want = Learner(model, rule, streams=2), model.step(np.ones((2, 2)))[0]
    np.testing.assert_allclose(learner.predict(np.ones((2, 2))), want, rtol=1e-12)
    learner.learn(np.zeros((2, 2)))
    np.testing.assert_allclose(learner.log.rows[:, 1:3], (want**2).mean(axis=1)[:, None] + [0, 0], rtol=1e-12)
    want = learner.network().step(np.ones((2, 2)))[0]
    learner.predict(np.zeros((2, 2)))
    learner.reset(stream=1)
    np.testing.assert_array_equal(learner.state[1], model.initial_state())
    np.testing.assert_allclose(learner.peek(np.ones((2, 2)))[1], want[1], rtol=1e-12)
    learner.reset()
    np.testing.assert_allclose(learner.predict(np.ones((2, 2))), want, rtol=1e-12)


NETWORKS = [
    {"rule": Adam(0.01)},
    {"rule": SGD(0.02), "streams": 2, "delay": 2, "clip_norm": 0.5},
    {"rule": SGD(0.02), "guard": Guard(1.0, horizon=2), "delay": 1},
]


@pytest.mark.parametrize("options", [*LEARNERS, *NETWORKS], ids=repr)
def test_what_others_write_into_their_arrays_changes_nothing(options):
    """Into those that were given, and those that came back."""
    own = Model(LTC(AutoNCP(6, 3)), Dense(2), input_dim=2, seed=0, backend="numpy")
    plain, learner = Learner(own, **options), Learner(model := copy.deepcopy(own), **options)
    model.theta.fill(7)
    steps, delay, streams = list(stream(12, options.get("streams"))), options.get("delay", 0), options.get("streams")
    for k, (x, dt, _) in enumerate(steps):
        given = [x.astype(np.float32), np.array(dt, np.float32)]
        y, found = plain.predict(given[0].copy(), dt=given[1].copy()), learner.predict(given[0], dt=given[1])
        np.testing.assert_array_equal(found, y)
        for array in (*given, found, learner.peek(x, dt=dt), learner.weights, learner.network().theta):
            array.fill(9)
        if k < delay:
            continue
        target, weight = steps[k - delay][2].astype(np.float32), np.array(0.5 if streams is None else [0.5] * streams)
        error = plain.learn(target.copy(), ago=delay, weight=weight.copy())
        found = learner.learn(target, ago=delay, weight=weight)
        np.testing.assert_array_equal(found, error)
        for array in (found, target, weight, learner.log.rows):
            array.fill(9)
    np.testing.assert_array_equal(learner.weights, plain.weights)
    np.testing.assert_array_equal(learner.network().theta, plain.network().theta)
    np.testing.assert_array_equal(learner.state, plain.state)
    np.testing.assert_array_equal(learner.log.rows, plain.log.rows)


@pytest.mark.parametrize("rule", [RLS(0.95), Adam(0.01)], ids=["readout", "network"])
def test_a_shallow_copy_goes_its_own_way(rule):
    model = Model(LTC(AutoNCP(6, 3)), Dense(2), input_dim=2, seed=0, backend="numpy")
    learner, plain = (Learner(model, rule, streams=2, delay=1) for _ in range(2))
    (x, _, target), (other, _, _) = stream(2, 2)
    for each in (learner, plain):
        each.predict(x)
    again = copy.copy(learner)
    again.reset(stream=0)
    again.learn(target)
    again.predict(other)
    assert (again.weights != learner.weights).any()
    for each in (learner, plain):
        each.predict(other)
        np.testing.assert_array_equal(np.isnan(each.learn(target, ago=1)), False)
        each.learn(target)
    np.testing.assert_array_equal(learner.weights, plain.weights)
    np.testing.assert_array_equal(learner.state, plain.state)
    assert (learner.log.steps, again.log.steps) == (4, 1)


@pytest.mark.parametrize("seed", range(6))
def test_hostile_streams_lose_nothing(model, seed):
    """NaN, infinity, jumps and standing still: an error that changes nothing, or finite weights within the distance."""
    rng, learner = np.random.default_rng(seed), Learner(model, RULES[seed % 3], guard=Guard(distance=2.0))
    for x, dt, target in stream(60, seed=seed):
        match rng.integers(8):
            case 0:
                x = x * rng.choice([np.nan, np.inf, 1e6])
            case 1:
                target = target * rng.choice([np.inf, 1e6, 1e19, np.nan])
            case 2:
                dt = rng.choice([0.0, -1.0, np.nan, 1e6])
            case 3:
                x, target = np.zeros(2), np.zeros(2)
        before, state = learner.weights, learner.state.copy()
        try:
            learner.predict(x, dt=dt)
        except ValueError:
            np.testing.assert_array_equal(learner.state, state)
            continue
        try:
            learner.learn(target)
        except (ValueError, FloatingPointError):
            np.testing.assert_array_equal(learner.weights, before)
        apart = np.linalg.norm(learner.weights - learner.deployed)
        assert apart <= 2.0 * np.linalg.norm(learner.deployed) * (1 + 1e-5)


@pytest.mark.parametrize("streams", [None, 2])
def test_an_answer_that_overflows_is_left_out(streams):
    """Features and weights are finite, and their products are not."""
    model = Model(LSTM(2), Dense(3), Dense(3), Dense(1), input_dim=1, seed=0, backend="numpy")
    for k in (1, 2, 3):
        model.params[f"{k}.weight"] = 1e19
    learner = Learner(model, NLMS(), streams=streams)
    x = np.ones(1 if streams is None else (2, 1))
    assert np.isfinite(learner.predict(0 * x)).all()
    before = learner.state.copy()
    for answer in learner.predict, learner.peek:
        with pytest.raises(FloatingPointError, match="outputs must stay finite in float32.*is left out"):
            answer(x)
        np.testing.assert_array_equal(learner.state, before)
    assert np.isfinite(learner.predict(0 * x)).all()


def test_an_error_that_overflows_does_not_spoil_the_guard(model, tmp_path):
    """Two targets whose squares are finite and their sum is not: infinity would stay in the guard's mean, as NaN."""
    learner, other = (Learner(model, NLMS(), guard=Guard(horizon=5)) for _ in range(2))
    for each in (learner, other):
        each.predict([1, 2])
    with pytest.raises(FloatingPointError, match=r"must stay finite in float32, .*a weight of 1 .*nothing was learnt"):
        learner.learn([1.5e19, 1.5e19])
    assert learner.log.steps == 0
    np.testing.assert_array_equal(learner.weights, learner.deployed)
    for x, dt, _ in stream(100):
        np.testing.assert_array_equal(learner.predict(x, dt=dt), other.predict(x, dt=dt))
        np.testing.assert_array_equal(learner.learn([1.0, 2.0]), other.learn([1.0, 2.0]))
    learner.save(tmp_path / "learner.npz")  # only finite numbers can be written


@pytest.mark.parametrize("rule", [LMS(), RLS(), SGD(0.1)], ids=repr)
def test_a_weight_that_overflows_is_named(model, rule):
    """And NumPy does not warn besides: a warning is an error here."""
    learner = Learner(model, rule)
    learner.predict([1, 2])
    with pytest.raises(FloatingPointError, match=r"a weight of 1e\+100.* take targets or weights of a smaller scale"):
        learner.learn([1, 2], weight=1e100)
    np.testing.assert_array_equal(learner.weights, learner.deployed)


def test_a_stream_without_a_target_does_not_part_the_outputs_of_others(model):
    """RLS keeps one S of all outputs until a stream has some targets and lacks others: less memory and time."""
    learner = Learner(model, RLS(), streams=2)
    for target, parts in (([np.nan, np.nan], 1), ([1.0, np.nan], 2)):
        learner.predict(np.ones((2, 2)))
        learner.learn([target, [1.0, 2.0]])
        assert len(learner._part.readouts[0].kept["S"]) == parts


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (LTC(AutoNCP(8, 2)),),
            r"`model` must end with a Dense .* got LTC.* train a model with Dense\(2\) .* or, in place",
        ),
        ((Residual(LTC(AutoNCP(8, 2)), Dense(2)),), r"`ltc_np.shortcut.network` takes out a line"),
        ((LTC(AutoNCP(8, 2)), Dense(1, "tanh")), "`model` must end with a Dense without activation"),
        ((Dense(1),), "have a layer before it"),
        (
            (Bidirectional(LSTM(2)), Dense(1)),
            "`model` needs layers whose .* no later input .* train a model without it",
        ),
    ],
    ids=["no Dense", "a line", "an activation", "nothing before", "later inputs"],
)
def test_models_without_such_a_readout_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        Learner(Model(*layers, input_dim=2, seed=0), NLMS())


def test_arguments_that_do_not_fit_are_refused(model, tmp_path):
    learner = Learner(model, NLMS())
    for call, error, message in (
        (lambda: Learner(LTC, NLMS()), TypeError, "`model` must be a Model, got .*LTC'>$"),
        (lambda: Learner("a.npz", NLMS()), TypeError, "got 'a.npz': `ltc_np.load` reads one from a file$"),
        (lambda: Learner(learner, NLMS()), TypeError, r"got Learner\(.*: give what its `network\(\)` returns$"),
        (lambda: Learner(model, "rls"), TypeError, r"`rule` must be an Optimizer .* or a Rule .*'rls': write RLS\(\)$"),
        (lambda: Learner(model, NLMS), TypeError, r"`rule` must be .*: write NLMS\(\)$"),
        (lambda: Learner(model, "x"), TypeError, "`rule` must be .*, got 'x'$"),
        (lambda: Learner(model, NLMS(), guard=1), TypeError, r"`guard` must be a Guard such as Guard\(\) or None"),
        (lambda: Learner(model, NLMS(), streams=0), ValueError, "`streams` must be"),
        (lambda: Learner(model, NLMS(), delay=-1), ValueError, "`delay` must be"),
        (lambda: Learner(model, NLMS(), gard=None), TypeError, "guard"),
        (lambda: learner.predict([1.0, [2.0]]), ValueError, "`x_t` must be .*, got a ragged list"),
        (
            lambda: learner.predict(np.ones(3)),
            ValueError,
            r"must have shape \(2,\), got \(3,\): one number for each input",
        ),
        (lambda: learner.predict(np.ones((1, 2))), ValueError, r"got \(1, 2\): np.reshape\(x_t, \(2,\)\) has it"),
        (lambda: learner.predict([1.0, np.nan]), ValueError, r"got nan at index \(1,\): give the last value"),
        (
            lambda: learner.predict([1.0, None]),
            TypeError,
            "`x_t` must be real numbers .*a number that is missing is np.nan",
        ),
        (lambda: learner.predict([1.0, "2"]), TypeError, "`x_t` must be real numbers .*: this is text$"),
        (lambda: learner.predict([1, 2], dt=timedelta(1)), TypeError, "`dt` must be real numbers .* divide by a unit"),
        (lambda: learner.network(1), ValueError, "`stream` must be 0 here, since there is one stream, got 1"),
        (lambda: learner.reset(stream=-1), ValueError, "`stream` must be 0 here"),
        (
            lambda: Learner(model, NLMS(), streams=3).network(1),
            ValueError,
            "since all streams share their weights, got",
        ),
        (lambda: learner.network(1.0), TypeError, "`stream` must be an int"),
    ):
        with pytest.raises(error, match=message):
            call()
    learner.predict(np.ones(2))
    for target, more, message in (
        ([1.0], {}, r"must have shape \(2,\), got \(1,\): one number for each output, or a class with loss="),
        ([1.0, 2.0, 3.0], {}, r"must have shape \(2,\), got \(3,\): one number for each output$"),
        ([1.0, np.inf], {}, "`target` must be finite"),
        ([1.0, 2.0], {"weight": -1.0}, "`weight` must be >= 0"),
        ([1.0, 2.0], {"weight": np.nan}, "`weight` must be finite"),
        ([1.0, 2.0], {"weight": [1.0, 2.0]}, r"`weight` must be a number, got shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            learner.learn(target, **more)
    with pytest.raises(TypeError, match="`ago` must be an int >= 0, got 0.0"):
        learner.learn([1.0, 2.0], ago=0.0)
    (late := Learner(model, NLMS(), delay=3)).predict([1, 2])
    for ago in (1, 3):
        with pytest.raises(ValueError, match=f"must be less than the 1 answer given since the beginning, got {ago}"):
            late.learn([1.0, 2.0], ago=ago)
    several = Learner(model, NLMS(), streams=3)
    several.predict(np.ones((3, 2)))
    for weight in ([1.0, 2.0], [1.0], [[1.0, 2.0, 3.0]]):
        with pytest.raises(ValueError, match=r"`weight` must be a number or \(3,\), got shape"):
            several.learn(np.ones((3, 2)), weight=weight)
    assert learner.log.steps == 0
    np.testing.assert_array_equal(learner.learn([np.nan, np.nan]), [np.nan, np.nan])
    assert learner.log.steps == 0
    model.save(tmp_path / "plain.npz")
    with pytest.raises(ValueError, match=r"got one of a model: `Learner\(ltc_np.load\(path\), ...\)` begins"):
        Learner.load(tmp_path / "plain.npz")


def test_a_damaged_learner_is_one_error(model, tmp_path):
    learner = Learner(model, RLS())
    learner.save(tmp_path / "a.npz")
    deployed, found = io.load_with(tmp_path / "a.npz", (Model,), "auto")
    settings, part = found["settings"], found["part"]
    for change in (
        {"settings": settings | {"rule": ("NoRule", {})}},
        {"settings": settings | {"guard": {"x": 1}}},
        {"part": part | {"readouts": ()}},
        {"part": part | {"state": np.ones(1, np.float32)}},
        {"log": {}},
    ):
        io.save_with(tmp_path / "b.npz", deployed, found | change)
        with pytest.raises(ValueError):
            Learner.load(tmp_path / "b.npz")


@pytest.mark.single
def test_of_other_cells(backend):
    for layer in (CfC(5), LSTM(5)):
        model = Model(layer, Dense(1), input_dim=2, seed=0, backend=backend)
        learner = Learner(model, RLS(0.99))
        for x, _, target in stream(10):
            learner.predict(x)
            learner.learn(target[:1])
        assert learner.log.steps == 10
    with pytest.raises(ValueError, match="model"):
        Learner(LTCRNN(AutoNCP(8, 1), 2, seed=0), NLMS())
