"""Learners whose steps are made by kernels in one call each: against the same steps made the usual way."""

import copy
import sys

import numpy as np
import pytest
from support.backends import NO_KERNELS

from ltc_np import (
    LRC,
    LTC,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Clip,
    CosineDecay,
    Dense,
    FullyConnected,
    Model,
    RMSprop,
    Standardize,
    Wiring,
)
from ltc_np.online import LMS, NLMS, EProp, Guard, Learner, SnAp
from ltc_np.online.bound import Bound

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)

from ltc_np.kernels.cpu import ltc_learning, readouts

GAINS = Wiring.from_matrix(np.array([[0, 0.5, 2], [-1, 0, 0], [0, -0.3, 1]]), np.array([[1, 0.2, 0], [0, -2, 1]]))
LAYERS = {
    "alone": lambda: (LTC(AutoNCP(12, 1)),),
    "with a readout": lambda: (LTC(AutoNCP(7, 3)), Dense(2)),
    "with gains": lambda: (LTC(GAINS, output_mapping="linear", input_mapping=None), Dense(1)),
    "scaled": lambda: (
        Standardize(mean=0.2, scale=[0.5, 2]), LTC(AutoNCP(8, 2)), Dense(2), Standardize(inverse=True, mean=1, scale=3)
    ),
}  # fmt: skip
RULES = Adam(0.01), AdamW(CosineDecay(0.02, 30)), SGD(0.05, momentum=0.9, nesterov=True), RMSprop(0.01), SGD(0.01)


def learner_of(name, rule, dtype="float64", **options):
    return Learner(Model(*LAYERS[name](), input_dim=2, seed=0, dtype=dtype, backend="cpu"), rule, **options)


def usual(learner):
    """The same, without the kernels that do all in one call."""
    learner._part._bound = None
    return learner


def one_step(learner, rng, missing=0.0):
    y = learner.predict(rng.normal(size=2), dt=float(rng.uniform(0, 2)))
    target = np.where(rng.random(y.size) < missing, np.nan, np.sin(rng.normal(size=y.size)))
    return np.concatenate([y, learner.learn(target)])


def assert_same(one, other, bits=True):
    """Weights, states and answers to the bit, or up to rounding; what is only logged always up to rounding."""
    eps = np.finfo(one.weights.dtype).eps
    rtol = 0 if bits else 1000 * eps  # a rounded norm, through a root in every step of Adam
    np.testing.assert_allclose(one.weights, other.weights, rtol, rtol)
    np.testing.assert_allclose(one.state, other.state, rtol, rtol)
    kept, others = (learner._part._learnings[0].watched.kept for learner in (one, other))
    assert kept.keys() == others.keys() and kept["t"] == others["t"]
    for name in kept.keys() - {"t"}:
        np.testing.assert_allclose(kept[name], others[name], rtol, rtol * np.abs(others[name]).max())
    np.testing.assert_allclose(one.log.rows, other.log.rows, 1000 * eps, 10 * eps)
    assert one.log.events == other.log.events


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_learner_has_the_bits_of_the_usual_way(name, rule, dtype):
    quick, plain = learner_of(name, rule, dtype), usual(learner_of(name, rule, dtype))
    assert isinstance(quick._part._bound, Bound)
    assert isinstance(quick._part._bound._kernels, ltc_learning.Bound)
    one, other = (np.random.default_rng(1) for _ in range(2))
    for _ in range(30):
        np.testing.assert_array_equal(one_step(quick, one), one_step(plain, other))
    assert_same(quick, plain)
    assert np.abs(quick.weights - quick.deployed).max() > 1e-3


@pytest.mark.filterwarnings("ignore:.*a gradient of exactly 0")
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "huber", "pull": 0.1},
        {"loss": "mae", "clip_norm": 0.05},
        {"method": SnAp(2)},
        {"method": EProp()},
        {"clip_norm": Clip(1e6)},
    ],
    ids=repr,
)
def test_a_loss_a_pull_a_clip_and_a_method(options):
    quick, plain = (learner_of("with a readout", RMSprop(0.01), **options) for _ in range(2))
    assert quick._part._bound is not None
    usual(plain)
    one, other = (np.random.default_rng(2) for _ in range(2))
    for _ in range(30):
        one_step(quick, one), one_step(plain, other)
    assert_same(quick, plain, bits="clip_norm" not in options)


@pytest.mark.parametrize(
    "options",
    [
        {"guard": Guard()},
        {"streams": 2},
        {"delay": 1},
        {"clip_norm": Clip(1.0, per_array=True)},
        {"method": EProp("random", seed=0)},
        {"loss": "binary_cross_entropy"},
        {"loss": lambda y, target: (float(((y - target) ** 2).sum()), 2 * (y - target))},
    ],
    ids=[
        "a guard",
        "streams",
        "late targets",
        "a clip of each array",
        "random feedback",
        "classes",
        "a loss of one's own",
    ],
)
def test_what_goes_the_usual_way(options):
    assert learner_of("with a readout", Adam(0.01), **options)._part._bound is None


@pytest.mark.slow
def test_layers_and_optimisers_that_go_the_usual_way():
    class Own(SGD):
        def change(self, model, grad, lr, delta):
            delta[:] = lr * grad

    class Threefold:
        def change(self, model, grad, lr, delta):
            super().change(model, 3 * grad, lr, delta)

    class Mixed(Threefold, SGD):
        pass

    wiring = AutoNCP(7, 3)
    frozen = Model(LTC(wiring), input_dim=2, seed=0, backend="cpu")
    frozen.freeze("gleak")
    slower = Model(LTC(wiring), input_dim=2, seed=0, backend="cpu")
    slower.layout.lr_scale = np.full(slower.theta.size, 0.5)
    others = [
        Model(*layers, input_dim=2, seed=0, backend="cpu")
        for layers in ((LRC(wiring),), (LTC(wiring), Dense(1, "tanh")))
    ]
    plain = Model(LTC(wiring), input_dim=2, seed=0, backend="numpy")
    for model in (frozen, plain, *others):
        assert Learner(model, SGD(0.01))._part._bound is None
    for kind in Own, Mixed:
        assert Learner(Model(LTC(wiring), input_dim=2, seed=0, backend="cpu"), kind(0.01))._part._bound is None
    assert Learner(others[1], AdamW(0.01, decay="all"))._part._bound is None


def test_what_is_derived_from_a_dense_is_not_taken_for_one():
    class Doubled(Dense):
        def forward(self, *arguments):
            y, *rest = super().forward(*arguments)
            return 2 * y, *rest

    model = Model(LTC(AutoNCP(7, 3)), Doubled(2), input_dim=2, seed=0, dtype="float64", backend="cpu")
    learner = Learner(model, SGD(0.01))
    assert learner._part._bound is None
    expected = model.step(np.ones(2))[0]
    np.testing.assert_allclose(learner.peek([1.0, 1.0]), expected, 1e-12)
    np.testing.assert_allclose(learner.predict([1.0, 1.0]), expected, 1e-12)
    with pytest.raises(ValueError, match="must end with a Dense"):
        Learner(model, NLMS())


def test_steps_that_threads_may_share_are_not_bound():
    layer = LTC(FullyConnected(32, 32), ode_unfolds=2500)
    assert (
        Learner(
            Model(layer, input_dim=1, seed=0, dtype="float64", backend="cpu"), SGD(0.01), method=EProp()
        )._part._bound
        is None
    )


@pytest.mark.parametrize("rule", [SGD(0.1), LMS(0.1)], ids=["SGD", "LMS"])
def test_kernels_get_targets_as_they_are_compiled_for(rule):
    """Whatever array a target is; else a kernel would be compiled once more, and one of a library cannot be."""
    y = np.array([0.5, 0.5])
    fixed = y.copy()
    fixed.flags.writeable = False
    targets = y, np.repeat(y, 2)[::2], fixed, np.broadcast_to(0.5, 2), np.frombuffer(b"-" + y.tobytes(), float, 2, 1)
    found = []
    for target in targets:
        learner = learner_of("with a readout", rule)
        answer = learner.predict([0.1, 0.2])
        assert learner._targets.observed(target, None, answer[None], True).target.flags.carray
        learner.learn(target)
        found.append(learner.weights)
    for weights in found:
        np.testing.assert_array_equal(weights, found[0])
    learner.predict([0.1, 0.2])
    with pytest.raises(TypeError, match="masked"):
        learner.learn(np.ma.array(y, mask=[True, False]))


@pytest.mark.single
def test_an_elapsed_time_beyond_the_precision_is_refused_without_a_warning():
    learner = learner_of("with a readout", SGD(0.1), "float32")
    for dt in 1e300, np.array(1e300):
        with pytest.raises(ValueError, match="`dt` must be finite"):
            learner.predict([0.1, 0.2], dt=dt)


@pytest.mark.together("dt", "streams")
@pytest.mark.parametrize("dt", [None, 2, np.float64(0.3), [1.0], [[1.0]], [1.0, 2.0], True, -1.0, "1"], ids=repr)
@pytest.mark.parametrize("streams", [None, 1])
def test_elapsed_times_are_read_as_the_usual_way_reads_them(streams, dt):
    """The same answer, or the same words: one stream without an axis takes a number, one with an axis a row of it."""
    found = []
    for way in (lambda learner: learner, usual):
        learner = way(learner_of("with a readout", SGD(0.01), streams=streams))
        try:
            found.append(learner.predict(np.ones((2,) if streams is None else (1, 2)), dt=dt).tolist())
        except (TypeError, ValueError) as error:
            found.append(str(error))
        assert len(learner.state.ravel()) == 7 and np.any(learner.state) == isinstance(found[-1], list)
    assert found[0] == found[1]
    assert isinstance(found[0], list) == (dt is None or str(dt) in ("2", "0.3") or (dt == [1.0] and streams == 1))


def test_missing_targets_weights_and_a_new_rate_between():
    quick, plain = learner_of("with a readout", Adam(0.01)), usual(learner_of("with a readout", Adam(0.01)))
    one, other = (np.random.default_rng(3) for _ in range(2))
    for k in range(40):
        for learner, rng in ((quick, one), (plain, other)):
            one_step(learner, rng, missing=0.3)
            if k % 7 == 3:
                learner.predict([0.1, k], dt=0.5)
                learner.learn([1.0, 2.0], weight=3.0)
            if k == 20:
                learner.rule.lr = 0.003
            if k == 30:
                learner.reset()
    assert_same(quick, plain)


def test_from_a_file_it_goes_on(tmp_path):
    whole, part = learner_of("scaled", Adam(0.01)), learner_of("scaled", Adam(0.01))
    one, other = (np.random.default_rng(4) for _ in range(2))
    for k in range(20):
        one_step(whole, one)
        if k == 11:
            part.save(tmp_path / "learner.npz")
            part = Learner.load(tmp_path / "learner.npz")
        one_step(part, other)
    assert part._part._bound is not None
    assert_same(whole, part)


HUGE = {"float32": 1e38, "float64": 1e307}


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.single), "float64"])
@pytest.mark.parametrize("rule", [SGD(0.01), SGD(0.01, momentum=0.9)], ids=["theta", "a moment too"])
def test_what_overflows_changes_nothing_and_says_what_the_usual_way_says(rule, dtype):
    def told(learner, overflows=True):
        rng = np.random.default_rng(5)
        for _ in range(3):
            one_step(learner, rng)
        learner.predict([0.1, 0.2])
        overflow = None
        if overflows:
            learner.rule.lr = HUGE[dtype]
            with pytest.raises(FloatingPointError, match="nothing was learnt") as overflow:
                learner.learn([50.0, -50.0])
            learner.rule.lr = 0.01
        learner.learn([1, 0])
        one_step(learner, rng)
        theta, state = learner.weights.copy(), learner.state.copy()
        own = learner._part._learnings[0]
        own.model.theta[-1] = HUGE[dtype] ** 0.9
        own.prepare()
        with pytest.raises(FloatingPointError, match="the observation is left out") as out:
            learner.predict([0.1, 0.2])
        np.testing.assert_array_equal(learner.state, state)
        own.model.theta[:] = theta
        own.prepare()
        return overflow and str(overflow.value), str(out.value), one_step(learner, rng).tolist()

    quick, plain, untouched = (learner_of("with a readout", rule, dtype) for _ in range(3))
    found = told(quick)
    assert found == told(usual(plain))
    assert found[1:] == told(untouched, overflows=False)[1:]
    assert_same(quick, plain)
    assert_same(quick, untouched)


def test_an_overflow_of_the_deployed_weights_alone_is_refused():
    """Although the learnt ones answer, as without the kernels."""
    model = Model(LTC(AutoNCP(7, 3)), Dense(1), input_dim=2, seed=0, dtype="float64", backend="cpu")
    inner = Model(LTC(AutoNCP(7, 3)), input_dim=2, seed=0, dtype="float64", backend="cpu")
    f, _ = inner.step([1.0, 2.0])
    model.theta[: inner.theta.size] = inner.theta
    model.theta[inner.theta.size :] = 1.7e308 * np.sign([*f, 1])
    for learner in (Learner(model, SGD(0.01)), usual(Learner(model, SGD(0.01)))):
        own = learner._part._learnings[0]
        own.model.theta[inner.theta.size :] = 1
        own.prepare()
        with np.errstate(over="ignore"), pytest.raises(FloatingPointError, match="an output of Dense"):
            learner.predict([1.0, 2.0])
        np.testing.assert_array_equal(learner.state, model.initial_state())
        np.testing.assert_array_equal(learner._part._state[0], model.initial_state())


class Stopping:
    """Ctrl-C behind a kernel, which has done its work by then."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __call__(self, *arguments):
        self.kernel(*arguments)
        raise KeyboardInterrupt


@pytest.mark.parametrize("what", ["answer", "learn"])
def test_ctrl_c_leaves_what_was(what):
    stopped, plain = learner_of("with a readout", Adam(0.01)), learner_of("with a readout", Adam(0.01))
    one, other = (np.random.default_rng(7) for _ in range(2))
    for _ in range(4):
        one_step(stopped, one), one_step(plain, other)
    made = stopped._part._bound
    own = made._kernels
    if what == "learn":
        stopped.predict([0.1, 0.2]), plain.predict([0.1, 0.2])
    made._kernels = own._replace(**{what: Stopping(getattr(own, what))})
    with pytest.raises(KeyboardInterrupt):
        stopped.predict([0.1, 0.2]) if what == "answer" else stopped.learn([1.0, 2.0])
    assert_same(stopped, plain)
    made._kernels = own
    if what == "learn":
        stopped.learn([1.0, 2.0]), plain.learn([1.0, 2.0])
    for _ in range(4):
        np.testing.assert_array_equal(one_step(stopped, one), one_step(plain, other))
    assert_same(stopped, plain)


class StoppedAt:
    """Ctrl-C before the line of the package with this number, of those that are run meanwhile."""

    def __init__(self, number):
        self.left = number

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.enter)

    def __exit__(self, *error):
        sys.settrace(self.before)

    def enter(self, frame, event, arg):
        return self.line if "ltc_np" in frame.f_globals["__name__"] else None

    def line(self, frame, event, arg):
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.line


def all_of(held):
    """What `Learner._changing` has, as text in which equal bits are equal."""
    if isinstance(held, dict):
        held = list(held.items())
    if isinstance(held, list | tuple):
        return f"[{', '.join(map(all_of, held))}]"
    return held.tobytes().hex() if isinstance(held, np.ndarray) else repr(held)


@pytest.mark.together("way", "what")
@pytest.mark.parametrize("way", ["bound", "usual", "guarded", "a readout"])
@pytest.mark.parametrize("what", ["predict", "learn"])
def test_ctrl_c_anywhere_leaves_nothing_or_all(what, way):
    options = {"guard": Guard(horizon=2)} if way == "guarded" else {}
    learner = learner_of("with a readout", LMS(0.1) if way == "a readout" else Adam(0.01), **options)
    rng = np.random.default_rng(11)
    for _ in range(3):
        one_step(learner, rng)
    if what == "learn":
        learner.predict([0.1, 0.2])
    first, before, seen = copy.deepcopy(learner), all_of(learner._changing()), []
    for number in range(1, 10_000):
        if way == "usual":
            usual(learner)
        if way == "bound" and learner._part._bound._moments is not learner._part._learnings[0].optimizer.moments:
            learner._part._bound._bind()  # a copy's; for the lines of this there is another test
        try:
            with StoppedAt(number):
                learner.predict([0.3, 0.1]) if what == "predict" else learner.learn([1.0, 2.0])
            break
        except KeyboardInterrupt:
            seen.append(all_of(learner._changing()))
            if seen[-1] != before:  # behind the last thing that is done
                learner = copy.deepcopy(first)
    after = all_of(learner._changing())
    assert before != after
    assert set(seen) <= {before, after}
    assert len(seen) > 20
    assert seen[-10] == before


def test_ctrl_c_while_kernels_are_bound_lets_them_be_bound_again(monkeypatch):
    """To the optimiser's moments, which are others after a file."""
    stopped, plain = (learner_of("with a readout", SGD(0.05, momentum=0.9)) for _ in range(2))
    one, other = (np.random.default_rng(10) for _ in range(2))
    for _ in range(4):
        one_step(stopped, one), one_step(plain, other)
    stopped = copy.deepcopy(stopped)
    stopped.predict([0.1, 0.2]), plain.predict([0.1, 0.2])
    with monkeypatch.context() as patched:
        patched.setattr(ltc_learning, "bind", Stopping(ltc_learning.bind))
        with pytest.raises(KeyboardInterrupt):
            stopped.learn([1.0, 2.0])
    stopped.learn([1.0, 2.0]), plain.learn([1.0, 2.0])
    for _ in range(4):
        np.testing.assert_array_equal(one_step(stopped, one), one_step(plain, other))
    assert_same(stopped, plain)
    assert_same(copy.deepcopy(stopped), plain)


@pytest.mark.parametrize("rule", [LMS(0.05), NLMS(0.5)], ids=["LMS", "NLMS"])
def test_a_readout_s_kernel_is_its_rule(rule):
    """Also for the weight of a target, and where one is missing, which the rule itself is for."""
    quick, plain = (learner_of("scaled", rule) for _ in range(2))
    assert quick._part._lms is readouts.learn
    plain._part._lms = None
    one, other = (np.random.default_rng(8) for _ in range(2))
    for k in range(30):
        for learner, rng in ((quick, one), (plain, other)):
            one_step(learner, rng, missing=0.2)
            if k % 5 == 1:
                learner.predict([0.1, k], dt=0.5)
                learner.learn([1.0, 2.0], weight=1.5)
    np.testing.assert_allclose(quick.weights, plain.weights, 1e-12)
    np.testing.assert_allclose(quick.log.rows, plain.log.rows, 1e-10)
    assert quick.log.events == plain.log.events


def test_a_rule_of_one_s_own_is_its_own():
    class Half(NLMS):
        def update(self, W, kept, f, error, known, weight):
            return super().update(W, kept, f, 0.5 * error, known, weight)

    own, half = learner_of("scaled", Half(0.5)), learner_of("scaled", NLMS(0.25))
    for learner in (own, half):
        one_step(learner, np.random.default_rng(9))
    np.testing.assert_allclose(own.weights, half.weights, 1e-12)
