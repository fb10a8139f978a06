"""Learning of the whole network: against gradients through time and plain loops; files, streams, guard, limits."""

import copy
import gc
import tracemalloc
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from support.solvers import cases

from ltc_np import (
    CTRNN,
    LRC,
    LSTM,
    LTC,
    S4D,
    SGD,
    Adam,
    AutoNCP,
    CosineDecay,
    Dense,
    FullyConnected,
    LiquidS4,
    LrcSSM,
    MixtureDensity,
    Model,
    NeuralODE,
    PerEpoch,
    Pooling,
    RMSprop,
    Standardize,
    losses,
)
from ltc_np.kernels.codes import SOLVERS
from ltc_np.layers import LAYERS
from ltc_np.online import NLMS, EProp, Exact, Guard, Learner, SnAp, generic
from ltc_np.online.learning import Learning

LEARNERS = [
    {"rule": Adam(0.01)},
    {"rule": Adam(CosineDecay(0.03, 100)), "guard": Guard(1.0, horizon=3, distance=0.05), "pull": 0.01},
    {"rule": RMSprop(0.01), "streams": 3, "delay": 2, "clip_norm": 0.5, "loss": "huber"},
    {"rule": SGD(0.1, momentum=0.9), "streams": 2, "shared": False, "guard": Guard(1.0, horizon=3)},
    {"rule": Adam(0.01), "method": EProp("random", seed=3), "loss": "mae"},
]


@pytest.fixture
def model(backend):
    layers = Standardize(mean=0.1, scale=2.0), LTC(AutoNCP(6, 3)), Dense(2), Standardize(inverse=True, scale=3.0)
    return Model(*layers, input_dim=2, seed=0, dtype="float64", backend=backend)


def stream(steps, streams=None, seed=0, missing=0.0):
    """Inputs, elapsed times and targets, one step after another."""
    rng = np.random.default_rng(seed)
    shape = () if streams is None else (streams,)
    for t in range(steps):
        target = np.stack([np.sin(0.1 * t + rng.normal(size=shape)), np.cos(0.1 * t) + np.zeros(shape)], axis=-1)
        target[rng.random(target.shape) < missing] = np.nan
        yield rng.normal(size=(*shape, 2)), rng.uniform(0, 2, shape) if shape else rng.uniform(0, 2), target


class Still(SGD):
    """An optimiser that keeps the gradients it is given, and changes nothing."""

    def step(self, model, grad):
        vars(self).setdefault("seen", []).append(grad.copy())


def seen(learner):
    return learner._part._learnings[0].optimizer.seen


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_gradients_of_a_stream_sum_to_that_of_the_sequence(loss, delay):
    """Of all layers, those around the recurrent one too; late targets have the gradients of their answers."""
    layers = Standardize(mean=0.1), LTC(AutoNCP(6, 3)), Dense(4, "tanh"), Dense(2), Standardize(inverse=True, scale=3.0)
    model = Model(*layers, input_dim=2, seed=1, dtype="float64")
    model.freeze("1.sigma", "3.bias")
    learner, steps = Learner(model, Still(1.0), loss=loss, delay=delay), list(stream(20))
    for k, (x, dt, _) in enumerate(steps):
        learner.predict(x, dt=dt)
        if k >= delay:
            learner.learn(steps[k - delay][2], ago=delay)
    for ago in range(delay - 1, -1, -1):
        learner.learn(steps[-1 - ago][2], ago=ago)
    x, dt, target = (np.array(column) for column in zip(*steps, strict=True))
    value, wanted = model.loss_and_grad(x, target, dt=dt, loss=loss)
    found = np.mean(seen(learner), axis=0)
    for name, array in model.views(wanted).items():
        most = 1e-10 * np.abs(array).max()
        np.testing.assert_allclose(model.views(found)[name], array, rtol=0, atol=most, err_msg=name)
    assert not wanted[~model.trainable].any() and wanted.any()
    assert learner.log.rows[:, 1].mean() == pytest.approx(value, rel=1e-12)


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (1, 2))]  # the others in the long job
OTHERS = [LRC(AutoNCP(6, 3)), LrcSSM(3), S4D(2), LiquidS4(2), LSTM(2)]


SOLVED = {
    "LTC": lambda solver: LTC(FullyConnected(4, 3), solver=solver, ode_unfolds=3, check_stability="off"),
    "LRC": lambda solver: LRC(FullyConnected(4, 3), solver=solver, ode_unfolds=3, elastance="symmetric"),
    "LrcSSM": lambda solver: LrcSSM(3, solver=solver, ode_unfolds=2),
    "CTRNN": lambda solver: CTRNN(3, solver=solver, ode_unfolds=2, check_stability="off"),
    "NeuralODE": lambda solver: NeuralODE(3, solver=solver, ode_unfolds=2),
}
RULES = [f"{cell} {solver}" for cell, make in SOLVED.items() for solver in LAYERS[cell].words["solver"]]


@pytest.mark.parametrize("name", cases(RULES))
def test_gradients_of_every_solver_sum_to_that_of_the_sequence(name):
    """Whoever follows it; the numbers of a tableau are read by other code than those of the other rules."""
    compare(SOLVED[name.split()[0]](name.split()[1]), "numpy", steps=6)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("name", cases(RULES))
def test_gradients_of_every_solver_sum_to_that_of_the_sequence_in_compiled_kernels(name):
    compare(SOLVED[name.split()[0]](name.split()[1]), "cpu")


@pytest.mark.parametrize("solver", cases())
def test_a_method_that_leaves_out_is_what_it_is_or_refused(solver):
    """`SnAp` that reaches all neurons is exact; with a tableau nobody follows the stages of an unfold for it."""
    model = Model(LTC(FullyConnected(3), solver=solver, ode_unfolds=2), input_dim=2, seed=0, dtype="float64")
    if not SOLVERS[solver].reach:
        many, exact = (Learner(model, Still(1.0), method=method) for method in (SnAp(99), Exact()))
        for x, dt, target in stream(4):
            for learner in (many, exact):
                learner.predict(x, dt=0.1 * dt)
                learner.learn(np.append(target, 0.0))
        np.testing.assert_allclose(seen(many), seen(exact), rtol=1e-9, atol=1e-14)
        return
    for method in (SnAp(99), EProp()):
        with pytest.raises(ValueError, match="`method` must be Exact.* a solver without a tableau"):
            Learner(model, Still(1.0), method=method)


@pytest.mark.few(1)
@pytest.mark.parametrize("layer", OTHERS, ids=lambda layer: type(layer).__name__)
def test_gradients_of_other_layers_sum_to_that_of_the_sequence(layer, backend):
    compare(layer, backend)


def compare(layer, backend, steps=20):
    """The gradients of a stream, and that of all of it as one sequence."""
    model = Model(Standardize(mean=0.1), layer, Dense(2), input_dim=2, seed=1, dtype="float64", backend=backend)
    learner = Learner(model, Still(1.0))
    x, dt, target = (np.array(column) for column in zip(*stream(steps), strict=True))
    dt[::4] = 0
    dt = dt if model.takes_dt else [None] * steps
    for now in zip(x, dt, target, strict=True):
        learner.predict(now[0], dt=now[1])
        learner.learn(now[2])
    _, wanted = model.loss_and_grad(x, target, dt=dt if model.takes_dt else None)
    found = np.mean(seen(learner), axis=0)
    for name, array in model.views(wanted).items():
        most = 1e-10 * np.abs(array).max()
        np.testing.assert_allclose(model.views(found)[name], array, rtol=0, atol=most, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("layer", [LTC(AutoNCP(6, 3)), *OTHERS[:-1]], ids=lambda layer: type(layer).__name__)
def test_two_thousand_steps(layer, seed):
    """By what follows these layers quickly; `test_generic` has all others."""
    model = Model(layer, Dense(2), input_dim=2, seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    x, dt, target = rng.normal(size=(2000, 2)), rng.uniform(0, 2, 2000), rng.normal(size=(2000, 2))
    dt[rng.random(2000) < 0.2] = 0
    learner = Learner(model, Still(1.0))
    for now in zip(x, dt.tolist(), target, strict=True):
        learner.predict(now[0], dt=now[1])
        learner.learn(now[2])
    _, wanted = model.loss_and_grad(x, target, dt=dt)
    found = np.mean(seen(learner), axis=0)
    for name, array in model.views(wanted).items():
        most = 1e-10 * np.abs(array).max()
        np.testing.assert_allclose(model.views(found)[name], array, rtol=0, atol=most, err_msg=name)


@pytest.mark.few(1)
@pytest.mark.parametrize("layer", OTHERS, ids=lambda layer: type(layer).__name__)
def test_files_of_other_layers(layer, backend, tmp_path):
    model = Model(layer, Dense(2), input_dim=2, seed=1, backend=backend)
    every = [Learner(model, Adam(0.01), guard=Guard(horizon=3))]
    for k, (x, dt, target) in enumerate(stream(12)):
        for each in every:
            each.predict(x, dt=dt if model.takes_dt else None)
        if k == 6:
            every[0].save(tmp_path / "learner.npz")
            every += Learner.load(tmp_path / "learner.npz", backend=backend), copy.deepcopy(every[0])
        for each in every:
            each.learn(target)
    for other in every[1:]:
        check_same(every[0], other)
    assert (every[0].weights != every[0].deployed).any()


def test_classes_and_weights_and_missing_targets():
    model = Model(LSTM(3), Dense(3), input_dim=2, seed=0, dtype="float64")
    learner, rng, given = Learner(model, Still(1.0), loss="cross_entropy"), np.random.default_rng(0), []
    x = rng.normal(size=(12, 2))
    classes, weights = rng.integers(0, 3, 12).astype(float), rng.uniform(0, 2, 12)
    classes[[3, 7]] = np.nan
    for x_t, c, w in zip(x, classes, weights, strict=True):
        y = learner.predict(x_t)
        error = learner.learn(c, weight=w)
        given.append(error)
        if np.isfinite(c):
            softmax = np.exp(y) / np.exp(y).sum()
            np.testing.assert_allclose(error, np.eye(3)[int(c)] - softmax, rtol=1e-12, atol=1e-15)
    assert np.isnan(given[3]).all() and learner.log.steps == 10
    known = np.isfinite(classes)
    _, wanted = model.loss_and_grad(
        x[None], classes[None], loss="cross_entropy", sample_weight=weights[None], missing="ignore"
    )
    np.testing.assert_allclose(np.sum(seen(learner), axis=0) / weights[known].sum(), wanted, rtol=1e-9, atol=1e-12)


def test_a_missing_target_of_several(model):
    """It is the mean over the others."""
    double = Model(*model.layers, input_dim=2, seed=0, dtype="float64")
    learner = Learner(double, Still(1.0))
    y = learner.predict([1.0, 2.0])
    learner.learn([np.nan, 3.0])
    _, wanted = double.loss_and_grad(np.array([[1.0, 2.0]]), [[y[0], 3.0]])
    np.testing.assert_allclose(seen(learner)[0], 2 * wanted, rtol=1e-10, atol=1e-14)
    assert learner.log.rows[0, 1] == pytest.approx((3 - y[1]) ** 2)


@pytest.mark.parametrize("streams", [None, 2])
def test_a_loss_that_takes_a_target_for_several_outputs(streams):
    """Of quantiles each has the same target, which is given once; what comes back is of every output."""
    levels = (0.1, 0.5, 0.8)
    model = Model(LSTM(2), Dense(3), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner = Learner(model, Still(1.0), loss=partial(losses.quantile, quantiles=levels), streams=streams)
    for x, _, target in stream(3, streams):
        y = learner.predict(x)
        target = target[..., :1]
        error = learner.learn(target)
        np.testing.assert_allclose(error, target - y, rtol=1e-12)
        value = np.where(error > 0, levels, np.subtract(levels, 1)) * error
        np.testing.assert_allclose(learner.log.rows[-(streams or 1) :, 1], value.mean(axis=-1), rtol=1e-12)
        bias = np.where(error > 0, np.negative(levels), np.subtract(1, levels)) / 3
        np.testing.assert_allclose(seen(learner)[-1][-3:], bias.reshape(-1, 3).mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("weight", [None, 0.5])
def test_a_class_that_is_missing_among_others(weight):
    """Of several outputs, and of several streams: the others are learnt from alone."""
    model = Model(LSTM(2), Dense(2), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner, x = Learner(model, Still(1.0), loss="binary_cross_entropy"), np.array([1.0, -2.0])
    p = 1 / (1 + np.exp(-learner.predict(x)))
    np.testing.assert_allclose(learner.learn([np.nan, 1.0], weight=weight), [np.nan, 1 - p[1]], rtol=1e-12)
    np.testing.assert_allclose(seen(learner)[0][-2:], [0, (weight or 1) * (p[1] - 1)], rtol=1e-12)
    assert learner.log.rows[0, 1] == pytest.approx(-np.log(p[1]), rel=1e-12)
    learner.learn([0.0, np.nan], weight=weight)  # that of the other one
    np.testing.assert_allclose(seen(learner)[1][-2:], [(weight or 1) * p[0], 0], rtol=1e-12)
    learner = Learner(model, Still(1.0), loss="cross_entropy", streams=3)
    learner.predict(np.stack([x, -x, 3 * x]))
    error = learner.learn([1, np.nan, 0], weight=weight)
    assert np.isnan(error[1]).all() and learner.log.steps == 2
    np.testing.assert_allclose(seen(learner)[0][-2:], -(weight or 1) * error[[0, 2]].mean(axis=0), rtol=1e-12)


def test_pull_clip_and_the_optimiser(model):
    """One step after another: clip(gradient + pull * (theta - deployed)), then the optimiser's own step."""
    learner, alone = Learner(model, Adam(0.02), clip_norm=0.3, pull=0.5), Learner(model, Still(1.0))
    other, optimizer = learner.network(), Adam(0.02)
    for k, (x, dt, target) in enumerate(stream(6)):
        for each in (learner, alone):
            each.predict(x, dt=dt)
            each.learn(target)
        gradient = seen(alone)[-1]
        gradient = gradient + 0.5 * (other.theta - model.theta)
        gradient *= min(1, 0.3 / np.linalg.norm(gradient))
        optimizer.step(other, gradient)
        # The sensitivities are those of the weights as they were, so a second network has others after the first step.
        if k == 0:
            np.testing.assert_allclose(learner.weights, other.theta, rtol=1e-5, atol=1e-7)


def test_what_is_clipped_is_the_gradient_with_its_pull():
    """Of weights that are not the deployed ones any more: its norm is never more than asked for."""
    model = Model(LSTM(2), Dense(2), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner, alone = Learner(model, Still(1.0), clip_norm=0.3, pull=5.0), Learner(model, Still(1.0))
    for each in (learner, alone):
        own = each._part._learnings[0]
        own.model.theta += 0.1
        own.prepare()
        each.predict([1.0, -2.0])
        each.learn([3.0, 0.5])
    wanted = seen(alone)[0] + 5.0 * 0.1
    np.testing.assert_allclose(seen(learner)[0], wanted * (0.3 / np.linalg.norm(wanted)), rtol=1e-9)


def test_the_weights_are_pulled_to_the_deployed_ones(model):
    """By steps of rate 0.1 that are 0.1 * pull times the distance, where the answers are right."""
    learner = Learner(model, SGD(0.1), pull=2.0)
    for x, dt, target in stream(5):
        learner.predict(x, dt=dt)
        learner.learn(target)
    before = learner.weights - model.theta
    y = learner.predict([0.5, 0.5])
    learner.learn(y)
    after = learner.weights - model.theta
    assert np.abs(before).max() > 1e-3
    np.testing.assert_allclose(after, 0.8 * before, rtol=0, atol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("options", LEARNERS, ids=repr)
def test_a_file_goes_on_with_the_same_bits(model, options, tmp_path):
    model.notes = {"mine": [1, 2.5]}
    model.freeze("1.mu")
    learner, steps = Learner(model, **options), list(stream(24, options.get("streams"), missing=0.1))
    delay, path = options.get("delay", 0), tmp_path / "learner.npz"
    every = [learner]
    for k, (x, dt, target) in enumerate(steps):
        answers = [each.predict(x, dt=dt) for each in every]
        if k == 12:  # between an answer and its target
            learner.save(path)
            every += Learner.load(path, backend=model.backend), copy.deepcopy(learner)
            np.testing.assert_array_equal(every[1].state, learner.state)
        if k >= delay:
            answers += [each.learn(steps[k - delay][2], ago=delay) for each in every]
        for answer in answers:
            assert answer.shape == target.shape
    for other in every[1:]:
        check_same(learner, other)
    assert (learner.weights != learner.deployed).any()
    assert every[1].network().notes == {"mine": [1, 2.5]}


def check_same(learner, other):
    np.testing.assert_array_equal(other.weights, learner.weights)
    np.testing.assert_array_equal(other.state, learner.state)
    np.testing.assert_array_equal(other.log.rows, learner.log.rows)
    assert other.log.events == learner.log.events and repr(other.rule) == repr(learner.rule)
    assert other.method == learner.method and other.clip_norm == learner.clip_norm


def test_streams_with_weights_of_their_own_are_single_ones(model):
    together = Learner(model, Adam(0.02), streams=3, shared=False, guard=Guard(horizon=4))
    alone = [Learner(model, Adam(0.02), guard=Guard(horizon=4)) for _ in range(3)]
    for x, dt, target in stream(15, 3, missing=0.2):
        y = together.predict(x, dt=dt)
        errors = together.learn(target, weight=[1.0, 2.0, 0.0])
        for b, (single, weight) in enumerate(zip(alone, (1.0, 2.0, 0.0), strict=True)):
            np.testing.assert_array_equal(single.predict(x[b], dt=dt[b]), y[b])
            np.testing.assert_array_equal(single.learn(target[b], weight=weight), errors[b])
    np.testing.assert_array_equal(together.weights, np.stack([single.weights for single in alone]))
    np.testing.assert_array_equal(together.state, np.stack([single.state for single in alone]))
    assert together.weights.shape == (3, model.layout.size)


@pytest.mark.parametrize("B", [2, 3])
def test_streams_that_share_weights_learn_from_the_mean(model, B):
    learner, alone = Learner(model, Still(1.0), streams=B), [Learner(model, Still(1.0)) for _ in range(B)]
    for x, dt, target in stream(4, B):
        learner.predict(x, dt=dt)
        learner.learn(target, weight=[1.0, 2.0, 0.5][:B])
        for b, single in enumerate(alone):
            single.predict(x[b], dt=dt[b])
            single.learn(target[b], weight=[1.0, 2.0, 0.5][b])
    mean = np.mean([seen(single) for single in alone], axis=0)
    np.testing.assert_allclose(seen(learner), mean, rtol=1e-4, atol=1e-6)


def test_streams_without_a_target_are_not_in_the_mean(model):
    """Nor are those whose target has weight 0: of four streams two learn as if there were no others."""
    learner, two = Learner(model, Still(1.0), streams=4), Learner(model, Still(1.0), streams=2)
    for x, dt, target in stream(3, 4):
        target[1] = np.nan
        learner.predict(x, dt=dt)
        learner.learn(target, weight=[1, 1, 2, 0])
        two.predict(x[::2], dt=dt[::2])
        two.learn(target[::2], weight=[1, 2])
    np.testing.assert_allclose(seen(learner), seen(two), rtol=1e-12, atol=1e-15)


def test_one_stream_begins_anew(model):
    learner, other = (Learner(model, SGD(0.01), streams=2, shared=False, delay=1) for _ in range(2))
    steps = list(stream(8, 2))
    for each in (learner, other):
        each.predict(*steps[0][:1])
    for k, (x, dt, target) in enumerate(steps[1:], start=1):
        if k == 4:
            learner.reset(stream=1)
            np.testing.assert_array_equal(learner.state[1], model.initial_state())
        for each in (learner, other):
            each.predict(x, dt=dt)
            error = each.learn(target, ago=1)
            assert np.isnan(error).any() == (k == 4 and each is learner)
            if k == 4 and each is learner:
                assert np.isnan(error[1]).all() and not np.isnan(error[0]).any()
        if k > 4:
            assert (learner.state[1] != other.state[1]).any()
    np.testing.assert_array_equal(learner.weights[0], other.weights[0])
    np.testing.assert_array_equal(learner.state[0], other.state[0])
    learner.reset()
    with pytest.raises(ValueError, match="call `predict` first"):
        learner.learn(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="`stream` must be an int in 0..1"):
        learner.reset(stream=2)


def test_of_three_streams_the_middle_one_begins_anew_alone(model):
    learner, other = (Learner(model, SGD(0.01), streams=3, shared=False) for _ in range(2))
    for x, dt, target in stream(3, 3):
        for each in (learner, other):
            each.predict(x, dt=dt)
            each.learn(target)
    learner.reset(stream=1)
    x, dt, target = next(stream(1, 3, seed=1))
    for each in (learner, other):
        each.predict(x, dt=dt)
        each.learn(target)
    same = [
        [np.array_equal(one[b], two[b]) for b in range(3)]
        for one, two in ((learner.state, other.state), (learner.weights, other.weights))
    ]
    assert same == [[True, False, True]] * 2


def test_peek_changes_nothing(model):
    learner, other = (Learner(model, Adam(0.02), streams=2, guard=Guard(horizon=2)) for _ in range(2))
    for x, dt, target in stream(10, 2):
        seen_before = learner.peek(x, dt=dt)
        y = learner.predict(x, dt=dt)
        np.testing.assert_allclose(seen_before, y, rtol=1e-5, atol=1e-6)
        learner.learn(target)
        np.testing.assert_array_equal(other.predict(x, dt=dt), y)
        other.learn(target)


@pytest.mark.slow
def test_it_learns(backend):
    """To tell the next number of a wave."""
    model = Model(LTC(AutoNCP(12, 4)), Dense(1), input_dim=1, seed=1, dtype="float64", backend=backend)
    learner = Learner(model, Adam(0.03))
    for k in range(150):
        learner.predict([np.sin(0.1 * k)])
        learner.learn([np.sin(0.1 * (k + 1))])
    late = learner.log.rows[-50:].mean(axis=0)
    assert late[1] < 0.1 * late[2]


@pytest.mark.slow
def test_three_networks_are_compared_each_with_its_own_state(model):
    """The deployed one goes its own way, the last good one that of its weights."""
    learner, state = Learner(model, SGD(0.02, momentum=0.9), guard=Guard(1.0, horizon=2)), None
    answered = set()
    for x, dt, target in stream(80, seed=2):
        deployed, state = model.step(x, dt=dt, state=state)
        part = learner._part
        word = part._learnings[0].watched.answering
        good = part._learnings[0].good.step(x, dt=dt, state=part._learnings[0].good_state[0])[0]
        own = learner.network().step(x, dt=dt, state=learner.state)[0]
        y = learner.predict(x, dt=dt)
        want = {"learnt": own, "last good": good, "deployed": deployed}[word]
        np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)
        answered.add(word)
        learner.learn(target)
    assert answered == {"learnt", "last good", "deployed"}


@pytest.mark.parametrize("streams", [None, 2])
def test_a_guarded_network_is_compared_along_three_ways(streams):
    """Of the learnt, the last good and the deployed weights, each with a state of its own; targets come late."""
    model = Model(LSTM(2), Dense(1), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner = Learner(model, SGD(0.4, momentum=0.9), guard=Guard(1.0, horizon=2), streams=streams, delay=1)
    own, state, kept, logged = learner._part._learnings[0], model.initial_state(), [], []
    state = np.array([state] * (streams or 1))
    for x, _, target in stream(40, streams, seed=2):
        x = x.reshape(-1, 2)
        deployed, state = model.step(x, state=state)
        good = own.good.step(x, state=own.good_state)
        learnt = learner.network().step(x, state=np.array(own.states()))
        word = own.watched.answering
        want = {"learnt": learnt[0], "last good": good[0], "deployed": deployed}[word]
        y = learner.predict(x if streams else x[0])
        np.testing.assert_allclose(y.reshape(want.shape), want, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(own.good_state, good[1], rtol=1e-9, atol=1e-12)
        kept.append((word, target[..., :1].reshape(-1, 1), want, learnt[0], good[0], deployed))
        if len(kept) == 1:
            continue
        _, wanted, *answers = kept[-2]
        errors, before, events = [((y - wanted) ** 2).mean(axis=1) for y in answers], own.watched, learner.log.events
        learner.learn(wanted if streams else wanted[0], ago=1)
        logged += zip(errors[0], errors[3], strict=True)
        told = [word for _, word in learner.log.events[len(events) :]]
        if told != ["begun anew"]:  # what happens to errors and weights then is the guard's, which has its own test
            mean = before.errors
            said = []
            for seen in zip(*errors[1:], strict=True):
                watched, more = before._replace(W=own.watched.W, kept=own.watched.kept).judged(own.guard, seen)
                mean, before, said = watched.errors, watched, [*said, *more]
            np.testing.assert_allclose(own.watched.errors, mean, rtol=1e-9)
            assert told == said
    np.testing.assert_allclose(learner.log.rows[:, 1:3], logged, rtol=1e-9)
    assert {word for word, *_ in kept} == {"learnt", "last good", "deployed"}


def test_what_becomes_good_goes_on_from_where_it_is(model):
    """The state of the last good network is that of the learnt one when its weights are taken."""
    learner, taken = Learner(model, SGD(0.01), guard=Guard(1.5, horizon=2)), 0
    own = learner._part._learnings[0]
    for x, dt, target in stream(40, seed=2):
        learner.predict(x, dt=dt)
        before = own.watched.good[0]
        learner.learn(target)
        if own.watched.good[0] is not before:
            taken += 1
            np.testing.assert_array_equal(own.good.theta, learner.weights)
            np.testing.assert_array_equal(own.good_state[0], learner.state)
    assert taken > 0


def test_what_does_not_recover_begins_anew_where_the_last_good_network_is(model):
    """The rate is far too large, so that the learnt weights soon let everything overflow."""
    learner, begun = Learner(model, SGD(0.3), guard=Guard(1.0, horizon=5)), 0
    for x, dt, target in stream(60, seed=2):
        learner.predict(x, dt=dt)
        learner.learn(target)
        if learner.log.events[-1:] == [(learner.log.steps, "begun anew")]:
            own, begun = learner._part._learnings[0], begun + 1
            np.testing.assert_array_equal(learner.weights, own.watched.good[0])
            np.testing.assert_array_equal(learner.network().theta, own.good.theta)
            np.testing.assert_array_equal(learner.state, own.good_state[0])
            assert not any(a.any() for name, a in own.traces[0].arrays.items() if name != "state")
            assert own.optimizer.t == own.watched.good[1]["t"]
    assert begun > 0


def test_a_distance_is_kept(model):
    learner = Learner(model, SGD(0.5), guard=Guard(distance=0.01))
    for x, dt, target in stream(60):
        learner.predict(x, dt=dt)
        learner.learn(target)
        assert np.linalg.norm(learner.weights - model.theta) <= 0.01 * np.linalg.norm(model.theta) * (1 + 1e-5)
        np.testing.assert_array_equal(learner._part._learnings[0].model.theta, learner.weights)  # which answer next
    words = [event for _, event in learner.log.events if "limited" in event]
    assert words[:1] == ["limited"] and all(a != b for a, b in pairwise(words))


def test_a_batch_is_learnt_whole_or_not_at_all(model):
    learner = Learner(model, SGD(1e160), streams=2, shared=False)
    learner.predict(np.zeros((2, 2)))
    before = learner.weights
    with pytest.raises(FloatingPointError, match="nothing was learnt"):
        learner.learn([[1.0, 1.0], [1e150, 1.0]])
    np.testing.assert_array_equal(learner.weights, before)
    for k in range(2):
        np.testing.assert_array_equal(learner.network(k).theta, model.theta)
    assert learner.log.steps == 0


@pytest.mark.parametrize("guard", [None, Guard(horizon=5)], ids=["alone", "guarded"])
def test_weights_that_let_a_state_overflow(guard):
    """With a guard the last good ones answer; without one it is an error that loses nothing."""
    model = Model(LSTM(2), Dense(1), input_dim=1, seed=0, dtype="float32", backend="numpy")
    learner = Learner(model, SGD(0.01), guard=guard)
    learner.predict([1.0])
    learner._part._learnings[0].model.theta[-3:] = 1e38
    learner._part._learnings[0].prepare()
    before = learner.state
    if guard is None:
        with pytest.raises(FloatingPointError, match="the observation is left out; take a guard"):
            learner.predict([1.0])
        np.testing.assert_array_equal(learner.state, before)
    else:
        peeked = learner.peek([1.0])
        np.testing.assert_allclose(learner.predict([1.0]), peeked, rtol=1e-6)
        assert learner.log.events == [(0, "begun anew")]
        np.testing.assert_array_equal(learner.weights, model.theta)


@pytest.mark.parametrize("guard", [None, Guard(horizon=5)], ids=["alone", "guarded"])
def test_weights_for_which_steps_are_too_long(guard):
    """Of an explicit solver: as where a state overflows."""
    model = Model(LTC(FullyConnected(3, 1), solver="euler"), input_dim=1, seed=0, dtype="float64")
    learner = Learner(model, SGD(0.01), guard=guard)
    learner.predict([1.0])
    own, before = learner._part._learnings[0], learner.state
    own.model.params["cm"] = -12.0
    own.prepare()
    if guard is None:
        with pytest.raises(ValueError, match="euler"):
            learner.predict([1.0])
        np.testing.assert_array_equal(learner.state, before)
    else:
        peeked = learner.peek([1.0])
        np.testing.assert_allclose(learner.predict([1.0]), peeked, rtol=1e-6)
        assert learner.log.events == [(0, "begun anew")]


@pytest.mark.parametrize("fault", ["steps too long", "overflow"])
@pytest.mark.parametrize("shared", [True, False])
def test_an_answer_that_fails_loses_no_sensitivities(shared, fault):
    """Neither those of the stream that fails nor those of the others, which have gone on before."""
    model = Model(LTC(FullyConnected(3, 1), solver="euler"), Dense(1), input_dim=1, seed=0, backend="numpy")
    learner, other = (Learner(model, SGD(0.01), streams=2, shared=shared) for _ in range(2))
    for each in (learner, other):
        for t in range(3):
            each.predict([[0.1 * t], [1.0]], dt=0.1)
            each.learn([[1.0], [0.5]])
    own = learner._part._learnings[-1]
    kept = own.model.theta.copy()
    if fault == "overflow":
        own.model.params["1.weight"][:] = np.finfo(np.float32).max
    else:
        own.model.params["0.cm"][:] = -12.0
    own.prepare()
    with pytest.raises((ValueError, FloatingPointError), match="euler|left out"):
        learner.predict([[2.0], [3.0]], dt=0.1)
    own.model.theta[:] = kept
    own.prepare()
    for each in (learner, other):
        each.predict([[0.3], [1.0]], dt=0.1)
        each.learn([[1.0], [0.5]])
    np.testing.assert_array_equal(learner.weights, other.weights)
    np.testing.assert_array_equal(learner.state, other.state)


def test_an_answer_that_fails_gives_no_weights_up():
    """The first stream goes back to its last good weights; those of the second fail too, so nothing has happened."""
    model = Model(LSTM(2), Dense(1), input_dim=1, seed=0, backend="numpy")
    learner = Learner(model, SGD(0.01), streams=2, shared=False, guard=Guard(horizon=5))
    for _ in range(3):
        learner.predict([[1.0], [0.5]])
        learner.learn([[1.0], [2.0]])
    first, second = learner._part._learnings
    first.model.theta[-3:] = 1e38
    good = first.model.theta.copy()
    good[-3:] = 1e25  # finite, and not its square
    second.model.theta[-3:] = 1e38
    second.watched = second.watched._replace(good=(good, second.watched.kept))
    second.good.theta[:] = good
    first.prepare(), second.prepare()
    before, weights = first.watched, first.watched.W.copy()
    with pytest.raises(FloatingPointError, match="left out"):
        learner.predict([[1.0], [0.5]])
    assert first.watched is before and not learner.log.events
    np.testing.assert_array_equal(first.model.theta, weights)


@pytest.mark.parametrize("shared", [True, False])
def test_the_rate_can_change(model, shared, tmp_path):
    """At once, for all weights and in files; other settings cannot, rather than without an effect."""
    learner, other = (Learner(model, Adam(lr), streams=2, shared=shared) for lr in (0.1, 0.01))
    learner.rule.lr = 0.01
    for k, (x, dt, target) in enumerate(stream(4, 2)):
        if k == 2:
            learner.rule.lr = other.rule.lr = CosineDecay(0.3, 10)
            learner.save(tmp_path / "learner.npz")
            learner = Learner.load(tmp_path / "learner.npz", model.backend)
        for each in (learner, other):
            each.predict(x, dt=dt)
            each.learn(target)
        np.testing.assert_array_equal(learner.weights, other.weights)
    for name, value in {"rule": SGD(0.1), "pull": 0.1, "guard": Guard(), "clip_norm": 1.0}.items():
        with pytest.raises(AttributeError, match=f"`{name}` must stay what a learner was made with.*rule.lr"):
            setattr(learner, name, value)


@pytest.mark.parametrize("last", [Dense(2), Dense(2, "tanh")], ids=["linear", "any"])
def test_derivatives_for_late_targets_take_each_stream_once(last):
    """So their work grows with the streams, and not with the square of their number."""
    learner = Learner(Model(LrcSSM(3), last, input_dim=2, seed=0, dtype="float64"), SGD(0.01), streams=5, delay=1)
    head, taken = learner._part._learnings[0].head, []
    backward = head.backward
    head.backward = lambda f, d_y: taken.append(len(f)) or backward(f, d_y)
    learner.predict(np.ones((5, 2)))
    assert sum(taken) == 5 * 2


def test_derivatives_for_late_targets_have_room(monkeypatch):
    """(1 + delay) times the outputs times the parameters, of each stream; the learner says so before it starts."""
    model, options = Model(LrcSSM(3), Dense(2), input_dim=2, seed=0, dtype="float64"), {"streams": 5, "delay": 9}
    carried = 5 * sum(array.size for array in Learner(model, SGD(0.01))._part._learnings[0].traces[0].arrays.values())
    late = 5 * 10 * 2 * model.theta.size
    learner = Learner(model, SGD(0.01), **options)
    for _ in range(12):
        learner.predict(np.ones((5, 2)))
    assert sum(answer.kept.rows.size for answer in learner._waiting.answers) == late
    monkeypatch.setattr(generic, "memory", lambda: 8 * (carried + late))
    Learner(model, SGD(0.01), **options)
    monkeypatch.setattr(generic, "memory", lambda: 8 * (carried + late) - 1)
    with pytest.raises(MemoryError, match=f"wait for their targets keep {late:,} numbers more.*smaller `delay`"):
        Learner(model, SGD(0.01), **options)
    Learner(model, SGD(0.01), streams=5)


@pytest.mark.single
@pytest.mark.parametrize("guard", [None, Guard()], ids=["alone", "guarded"])
def test_gradients_whose_squares_overflow_are_learnt_from(guard, backend):
    """They are finite, and so are the weights that come of them."""
    model = Model(LrcSSM(3), Dense(1), input_dim=2, seed=0, dtype="float32", backend=backend)
    learner = Learner(model, SGD(1e-22), guard=guard)
    y = learner.predict([1.0, 2.0])
    _, gradient = model.loss_and_grad(np.array([[[1.0, 2.0]]]), np.array([[[1e15]]]), dt=1.0)
    weight = 1e21 / np.abs(gradient).max()
    learner.learn([1e15], weight=weight)
    wanted = model.theta - 1e-22 * weight * gradient
    np.testing.assert_allclose(learner.weights, wanted, rtol=1e-5)
    assert np.abs(learner.weights - model.theta).max() > 0.05 and np.isfinite(y) and not learner.log.events


def test_a_loss_of_your_own(model):
    def mine(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    learner, other = Learner(model, Adam(0.01), loss=mine), Learner(model, Adam(0.01))
    for x, dt, target in stream(5):
        for each in (learner, other):
            each.predict(x, dt=dt)
            each.learn(target)
    np.testing.assert_allclose(learner.weights, other.weights, rtol=1e-5)


def test_sensitivities_that_overflow_begin_anew(model):
    learner = Learner(model, SGD(0.01))
    learner.predict([1.0, 2.0])
    arrays = learner._part._learnings[0].traces[0].arrays
    state, name = learner.state, next(name for name in arrays if name != "state")
    arrays[name].fill(np.inf)
    learner.predict([1.0, 2.0])
    learner.learn([1.0, 2.0])
    assert learner.log.events == [(0, "sensitivities begun anew")]
    assert (learner.weights != model.theta).any() and (learner.state != state).any()


@pytest.mark.slow
@pytest.mark.parametrize("rule", [NLMS(), Adam(1e-3)], ids=["readout", "network"])
def test_memory_does_not_grow_with_the_steps(rule):
    """After the log has its largest size, thousands of steps leave nothing behind."""
    learner = Learner(
        Model(LTC(AutoNCP(5, 2)), Dense(1), input_dim=1, seed=0), rule, guard=Guard(distance=0.01), delay=3
    )

    def run(steps):
        for k in range(steps):
            learner.predict([np.sin(0.1 * k)])
            if len(learner._waiting.answers) > 3:
                learner.learn([1.0], ago=3)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        run(3000)
        before, after = run(100), run(4000)
    finally:
        tracemalloc.stop()
    assert after - before < 20_000  # a number kept of each step would be 4,000 times 32 bytes


@pytest.mark.parametrize("guard", [None, Guard(1.0, horizon=3)])
@pytest.mark.parametrize(
    "layers",
    [
        [LTC(AutoNCP(6, 3)), Dense(4, activation="tanh"), Dense(2)],
        [LTC(AutoNCP(6, 2))],
        [CTRNN(3), Dense(2)],
        [LrcSSM(3), Dense(2)],
        [S4D(4), Dense(2)],
    ],
    ids=["two behind", "none", "ctrnn", "lrc_ssm", "s4d"],
)
def test_targets_of_an_answer_one_after_the_other_are_learnt_by_its_weights(layers, guard, tmp_path):
    """As with a delay, whose gradients are made with the answer; also after a file was written between them."""
    model = Model(*layers, input_dim=2, seed=0, dtype="float64")
    late, now = (Learner(model, Adam(0.05), method=Exact(), guard=guard, streams=2, delay=delay) for delay in (1, 0))
    for k, (x, dt, target) in enumerate(stream(8, 2)):
        np.testing.assert_allclose(now.predict(x, dt=dt), late.predict(x, dt=dt), rtol=1e-9, atol=1e-12)
        for known in ([[0, 0], [0, 1]], [[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]):
            if k % 2:  # a stream of weight 0 has had none
                known, some = np.array(known, bool), np.where(np.array(known).any(axis=1, keepdims=True), target, 0.0)
                each = {"weight": known.any(axis=1).astype(float)}
                if known[:, 0].any():
                    continue
            else:
                some, each = np.where(np.array(known, bool), target, np.nan), {}
            np.testing.assert_allclose(now.learn(some, **each), late.learn(some, **each), rtol=1e-9, atol=1e-12)
            if k == 5:
                now.save(tmp_path / "now.npz")
                now = Learner.load(tmp_path / "now.npz")
        np.testing.assert_allclose(now.weights, late.weights, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kept", [0, 2])
@pytest.mark.parametrize("rule", [NLMS(), Adam(1e-3)], ids=["readout", "network"])
def test_an_output_has_one_target_for_each_answer(rule, kept, tmp_path):
    """The others may come later, also those of weight 0; a file knows it, and an error changes nothing."""
    model = Model(LTC(AutoNCP(6, 2)), Dense(2), input_dim=1, seed=0)
    learner, nan = Learner(model, rule, streams=2, delay=kept), np.nan
    for _ in range(kept + 1):
        learner.predict(np.ones((2, 1)))
    learner.learn([[1, nan], [2, 3]], ago=kept, weight=[1, 0])
    learner.learn([[nan, 2], [nan, nan]], ago=kept)
    learner.save(tmp_path / "learner.npz")
    for each in learner, Learner.load(tmp_path / "learner.npz"), copy.deepcopy(learner):
        weights = each.weights
        for target, where in (([[nan, 1], [4, 5]], "output 1 of stream 0"), ([[0, nan], [nan, nan]], "output 0")):
            with pytest.raises(ValueError, match=f"`target` must be the first of its answer, but {where}"):
                each.learn(target, ago=kept)
        np.testing.assert_array_equal(each.weights, weights)
        assert each.log.steps == 2
        each.learn([[nan, nan], [4, 5]], ago=kept)
        each.predict(np.ones((2, 1)))
        each.learn(np.ones((2, 2)))
        assert each.log.steps == 5


@pytest.mark.parametrize("rule", [NLMS(), Adam(1e-3)], ids=["readout", "network"])
def test_a_file_knows_which_of_the_waiting_answers_has_had_its_target(rule, tmp_path):
    model = Model(LTC(AutoNCP(6, 2)), Dense(1), input_dim=1, seed=0, backend="numpy")
    learner = Learner(model, rule, delay=2)
    for _ in range(3):
        learner.predict([1.0])
    learner.learn([1.0], ago=1)
    learner.save(tmp_path / "learner.npz")
    for each in learner, Learner.load(tmp_path / "learner.npz", "numpy"), copy.deepcopy(learner):
        with pytest.raises(ValueError, match="`target` must be the first of its answer"):
            each.learn([1.0], ago=1)
        for ago in (0, 2):
            each.learn([1.0], ago=ago)
        assert each.log.steps == 3


def test_a_weight_that_overflows_costs_nothing_under_a_guard(model):
    """It is the caller's: the learnt weights stay, and learning goes on as if it had not come."""
    learner, other = (Learner(model, Adam(0.01), guard=Guard(horizon=5)) for _ in range(2))
    for k, (x, dt, target) in enumerate(stream(12)):
        for each in (learner, other):
            each.predict(x, dt=dt)
            if k == 8 and each is learner:
                before = each.weights
                with pytest.raises(FloatingPointError, match="overflow for such a `weight`: nothing was learnt"):
                    each.learn(1e5 * target, weight=1e152)
                np.testing.assert_array_equal(each.weights, before)
            each.learn(target)
    assert learner.log.events == other.log.events
    np.testing.assert_array_equal(learner.weights, other.weights)


@pytest.mark.few(1)
def test_of_other_models(backend):
    for layers in (
        (LSTM(3), Dense(1)),
        (Dense(3), LrcSSM(3), LSTM(2)),
        (LTC(AutoNCP(6, 2)), Pooling("mean"), Dense(1)),
        (Dense(4, "tanh"), Dense(1)),  # without a state
    ):
        model = Model(*layers, input_dim=2, seed=0, dtype="float64", backend=backend)
        learner = Learner(model, Adam(0.01))
        for x, _, target in stream(5):
            learner.predict(x)
            learner.learn(target[: model.output_size])
        assert learner.log.steps == 5 and (learner.weights != model.theta).any()


def test_what_it_takes(model):
    for options, error, message in (
        ({"rule": Adam(), "method": "exact"}, TypeError, "`method` must be a Method such as Exact"),
        ({"rule": Adam(), "loss": "msee"}, ValueError, "`loss` must be one of"),
        ({"rule": Adam(), "pull": -1.0}, ValueError, "`pull` must be"),
        ({"rule": Adam(), "clip_norm": 0.0}, ValueError, "`clip_norm` must be"),
        (
            {"rule": Adam(PerEpoch(lambda epoch: 0.1))},
            ValueError,
            "`rule` must have a schedule that counts steps",
        ),
    ):
        with pytest.raises(error, match=message):
            Learner(model, **options)
    numbers = copy.deepcopy(model)
    numbers.buffers["3.mean"] = 1.0  # in the unit of targets
    with pytest.raises(ValueError, match="needs a model of logits"):
        Learner(numbers, Adam(), loss="binary_cross_entropy")
    with pytest.warns(RuntimeWarning, match="the loss binary_cross_entropy takes logits, .* and tanh of Dense"):
        Learner(Model(LSTM(2), Dense(1, "tanh"), input_dim=2, seed=0), Adam(), loss="binary_cross_entropy")
    optimizer = Adam(0.1)
    learner = Learner(model, optimizer)
    assert (learner.pull, learner.delay, learner.streams, learner.shared, learner.clip_norm) == (0, 0, None, True, None)
    assert learner.guard is None and EProp() == EProp("symmetric", 0) and SnAp() == SnAp(1)
    learner.predict([1.0, 2.0])
    learner.learn([1.0, 2.0])
    assert optimizer.t == 0 and learner.method == Exact()
    assert isinstance(Learner(model, "adam").rule, Adam)
    readout = Model(LTC(AutoNCP(6, 3)), Dense(2), input_dim=2, seed=0)
    wrong = {"method": Exact()}, {"clip_norm": 1.0}, {"pull": 0.1}, {"loss": "mae"}
    for options in wrong:
        (name,) = options
        with pytest.raises(ValueError, match=f"`{name}` is for an optimiser such as Adam"):
            Learner(readout, NLMS(), **options)
    with pytest.raises(
        ValueError, match="`loss` must be >= 0 for every answer, got mixture_density: take 'quantile' for"
    ):
        Learner(readout, "adam", loss="mixture_density")
    density = Model(LTC(AutoNCP(6, 3)), MixtureDensity(1, 2), input_dim=2, seed=0)
    for rule in ("adam", NLMS()):
        with pytest.raises(ValueError, match="`model` must give numbers that are compared with answers, got MixtureD"):
            Learner(density, rule)


def test_what_has_no_parameters_cannot_learn():
    with pytest.raises(ValueError, match="`model` must have parameters that learn"):
        Learner(Model(Standardize(), Pooling("mean"), input_dim=2), Adam())


def test_methods_for_other_cells_are_refused():
    with pytest.raises(ValueError, match=r"`method` must be Exact\(\) or Immediate\(\) for LSTM.*, got SnAp\(n=2\)"):
        Learner(Model(LSTM(3), Dense(1), input_dim=2, seed=0), Adam(), method=SnAp(2))


def test_ctrl_c_loses_nothing(model, monkeypatch):
    """Where it comes in the middle of an observation, the streams that had learnt from it are put back."""
    learner, other = (Learner(model, SGD(0.1), streams=2, shared=False) for _ in range(2))
    step, calls = SGD.step, []

    def interrupted(self, network, grad):
        calls.append(grad)
        step(self, network, grad)
        if len(calls) == 2:
            raise KeyboardInterrupt

    for each in (learner, other):
        each.predict(np.ones((2, 2)))
    with monkeypatch.context() as context:
        context.setattr(SGD, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            learner.learn(np.ones((2, 2)))
    for each in (learner, other):
        each.learn(np.ones((2, 2)))
    np.testing.assert_array_equal(learner.weights, other.weights)
    np.testing.assert_array_equal(learner.network(0).theta, other.network(0).theta)


def test_a_class_is_one_number():
    learner = Learner(Model(LTC(AutoNCP(8, 4)), Dense(3), input_dim=1, seed=0), "adam", loss="cross_entropy")
    learner.predict([1.0])
    for target, error, message in (
        ([1], ValueError, r"must be the number of one class, got shape \(1,\): take target\[0\]$"),
        ([0, 1, 0], ValueError, r"got shape \(3,\): take target.argmax\(\) of a one-hot row$"),
        ("b", TypeError, "`target` must be numbers of classes, got 'b': these are places in `classes_`"),
    ):
        with pytest.raises(error, match=message):
            learner.learn(target)
    assert learner.learn(1).argmax() == 1


@pytest.mark.parametrize("streams", [None, 2])
def test_a_file_has_all_three_networks(streams, tmp_path):
    """The last good one has weights, an optimiser and a state of its own, with which it answers and is gone back to."""
    model = Model(LSTM(2), Dense(1), input_dim=2, seed=0, dtype="float64", backend="numpy")
    learner = Learner(model, SGD(0.3, momentum=0.9), guard=Guard(1.0, horizon=2), streams=streams, delay=1)
    every, own, words, last = [learner], learner._part._learnings[0], set(), None
    for k, (x, _, target) in enumerate(stream(80, streams, seed=2)):
        three = own.model.theta, own.good.theta, model.theta
        apart = (own.good_state != own.states()).any() and not any(np.array_equal(*two) for two in pairwise(three))
        if apart and len(every) == 1:
            learner.save(tmp_path / "learner.npz")
            every += Learner.load(tmp_path / "learner.npz", "numpy"), copy.deepcopy(learner)
        answers = [each.predict(x) for each in every]
        if len(every) > 1:
            words.add(own.watched.answering)
        for each in every:
            if k:
                each.learn(last)
        last = target[..., :1]
        for other, answer in zip(every[1:], answers[1:], strict=True):
            np.testing.assert_array_equal(answer, answers[0])
            held = other._part._learnings[0]
            np.testing.assert_array_equal(held.good.theta, own.good.theta)
            np.testing.assert_array_equal(held.good_state, own.good_state)
    assert words == {"learnt", "last good", "deployed"}
    for other in every[1:]:
        check_same(learner, other)


@pytest.mark.parametrize("guard", [None, Guard(1.0, horizon=1)], ids=["alone", "guarded"])
def test_to_undo_takes_all_back(guard):
    """Whatever came in between: answers, steps that are followed, and weights that are given up."""
    model = Model(LSTM(2), Dense(1), input_dim=2, seed=0, dtype="float64", backend="numpy")
    made = Learning(model, SGD(0.1, momentum=0.9), Exact(), 2, guard)
    rng = np.random.default_rng(0)

    def go_on():
        f, y = made.answer(rng.normal(size=(2, 2)), [1.0, 0.5])
        made.good_state += 0.1
        assert made.step(made.gradient(f, np.ones((2, 1))))
        return f, y, made.follow(model.theta, [(0.1, 0.2, 0.3)])

    def all_of():
        good = () if guard is None else (made.good.theta, made.good_state)
        kept = [made.optimizer.t, *made.optimizer.moments.values(), *made.watched.kept.values(), made.watched.W]
        arrays = made.model.theta, *good, *kept, *(traces.whole for traces in made.traces), made.watched.good[0]
        return [np.array(array) for array in arrays]

    go_on()
    before, begun, state = all_of(), made.begin(), rng.bit_generator.state
    first = go_on()
    if guard is not None:
        assert (made.good.theta != before[1]).any()  # the learnt ones have become good ones
        go_on(), made.begin_anew(model.theta)
    made.undo(begun)
    for array, wanted in zip(all_of(), before, strict=True):
        np.testing.assert_array_equal(array, wanted)
    rng.bit_generator.state = state
    again = go_on()
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], first[1])
    assert again[2] == first[2]


def test_a_layer_behind_that_gives_no_adjoint_of_its_inputs_is_named():
    class Deaf(Dense):
        def backward(self, *arguments):
            return None, *super().backward(*arguments)[1:]

    learner = Learner(Model(LSTM(2), Deaf(1), input_dim=2, seed=0, backend="numpy"), SGD(0.1))
    learner.predict([1.0, 2.0])
    with pytest.raises(ValueError, match="backward of layer Deaf.* must return d_x where it is wanted, got None"):
        learner.learn([1.0])
    np.testing.assert_array_equal(learner.weights, learner.deployed)
