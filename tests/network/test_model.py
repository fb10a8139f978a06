"""Models: parameters, calls, gradients, losses, and an error for every bad input."""

import copy
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from support.gradients import worst
from support.texts import summary

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    CfC,
    CfCRNN,
    Dense,
    Dropout,
    Entry,
    FullyConnected,
    Layer,
    Layout,
    LiquidS4RNN,
    Model,
    RandomWiring,
    Residual,
    gradcheck,
    load,
)
from ltc_np.base.workspace import Workspace
from ltc_np.network.host import HostEngine
from ltc_np.network.sequences import KEPT, check

X = np.random.default_rng(0).normal(size=(3, 4, 2))
Y = np.random.default_rng(1).normal(size=(3, 4, 2))


@pytest.fixture
def model(backend):
    return LTCRNN(AutoNCP(8, 2), 2, seed=0, backend=backend)


@pytest.fixture
def stack(backend):
    layers = LTC(AutoNCP(8, 3), input_dim=2), Dense(4, "tanh", input_dim=3), LTC(FullyConnected(5, 2), input_dim=4)
    return Model(*layers, seed=0, dtype="float64", backend=backend)


# ------------------------------------------------------------------------------------------------- parameters


def test_params_are_views_with_plain_names(model):
    before = model(X)
    model.params["w"][:] += 1
    assert not np.array_equal(model(X), before)
    model.params["w"] = 0.5
    assert (model.theta[model.layout.slices["w"][0]] == 0.5).all()
    assert set(model.params) == {
        "gleak", "vleak", "cm", "w", "mu", "sigma", "erev", "sensory_w", "sensory_mu", "sensory_sigma",
        "sensory_erev", "input_w", "input_b", "output_w", "output_b",
    }  # fmt: skip
    assert model.params["w"].shape == model.wiring.pre.shape == model.wiring.post.shape
    assert model.params["sensory_mu"].shape == model.wiring.sensory_pre.shape
    wrong = ([1.0], "shape"), (np.nan, "finite"), (1e300, "finite"), ("a", "real"), (np.ones((2, 2)), "shape")
    for bad, words in wrong:
        with pytest.raises((ValueError, TypeError), match=f"`w` must .*{words}"):
            model.params["w"] = bad
    with pytest.raises(KeyError, match="no parameter 'W'; there are"):
        model.params["W"]


def test_names_in_stacks_and_views_of_a_gradient(stack):
    assert {"0.w", "1.weight", "2.cm"} < set(stack.params)
    loss, grad = stack.loss_and_grad(X, Y)
    assert grad.shape == stack.theta.shape
    assert np.shares_memory(stack.views(grad)["1.weight"], grad)
    assert loss == pytest.approx(np.mean((stack(X) - Y) ** 2), rel=1e-14)
    with pytest.raises(ValueError, match="`vector` must have shape"):
        stack.views(grad[1:])
    with pytest.raises(AttributeError, match="exactly one wired layer, there are 2"):
        stack.wiring  # noqa: B018


def test_theta_is_assigned_by_copy(model):
    held = model.theta
    model.theta = np.zeros(model.layout.size)
    assert (held == 0).all()
    for bad, error in ((np.zeros(3), ValueError), (np.full(model.layout.size, np.nan), ValueError), ("a", TypeError)):
        with pytest.raises(error, match="`theta`"):
            model.theta = bad


def test_seed_and_dtype_give_the_same_values(backend):
    a, b, c = (LTCRNN(AutoNCP(8, 2), 2, seed=s, backend=backend) for s in (3, 3, 4))
    assert np.array_equal(a.theta, b.theta)
    assert not np.array_equal(a.theta, c.theta)
    double = LTCRNN(AutoNCP(8, 2), 2, seed=3, dtype="float64", backend=backend)
    assert np.array_equal(double.theta.astype(np.float32), a.theta)


def test_initial_ranges_are_the_literature_s():
    p = LTCRNN(FullyConnected(40, 2), 3, seed=0).params
    ranges = {"gleak": (0.001, 1), "vleak": (-0.2, 0.2), "cm": (0.4, 0.6), "w": (0.001, 1), "mu": (0.3, 0.8),
              "sigma": (3, 8), "sensory_w": (0.001, 1), "sensory_mu": (0.3, 0.8), "sensory_sigma": (3, 8)}  # fmt: skip
    for name, (low, high) in ranges.items():
        assert low <= p[name].min() < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < p[name].max() <= high, name
    assert set(np.unique(p["erev"])) == {-1, 1}
    assert (p["input_w"] == 1).all()
    assert (p["output_b"] == 0).all()
    tutorial = LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, 8, 2, seed=0)
    assert tutorial.layout.size == 344
    assert -0.2 <= tutorial.params["erev"].min() < tutorial.params["erev"].max() <= 0.2
    assert set(tutorial.buffers) == {"gain", "sensory_gain"}


@pytest.mark.few(1)
def test_freeze(stack):
    names = ("0.w", "1.weight")
    stack.freeze(*names)
    _, grad = stack.loss_and_grad(X, Y, l2=0.1)
    views = stack.views(grad)
    assert all((views[name] == 0).all() for name in names)
    assert (views["0.mu"] != 0).any()
    before = stack.theta.copy()
    Adam(0.1).step(stack, np.ones_like(stack.theta))
    changed = stack.views(stack.theta != before)
    assert not any(changed[name].any() for name in names)
    assert changed["0.mu"].all()
    assert "trainable" in summary(stack)
    assert set(gradcheck.check(stack, X[:1, :2])) == (set(stack.params) - set(names)) | {"x", "h0", "dt"}
    stack.unfreeze("0.w")
    assert (stack.views(stack.loss_and_grad(X, Y)[1])["0.w"] != 0).any()
    stack.unfreeze()
    assert stack.trainable is None
    stack.freeze()
    assert (stack.loss_and_grad(X, Y)[1] == 0).all()
    for bad, error, words in (
        (
            "w",
            ValueError,
            r"parameters of the model, or layers .* \('0', '1', '2'\), got 'w'; did you mean '0.w' or '2.w'\?$",
        ),
        ("0.sgima", ValueError, "parameters of the model, .*; did you mean '0.sigma' or '2.sigma'"),
        ("3", ValueError, "parameters of the model, or layers .*, got '3'$"),
        ("0.", ValueError, "parameters of the model"),
        (0, TypeError, 'text: "0" for all parameters of layer 0, got 0'),
        (["0.w"], TypeError, "names of parameters"),
        ("0.W", ValueError, "parameters of the model, .*; did you mean '0.w'\\?$"),
        ("nothing", ValueError, "parameters .*, got 'nothing'; there are 0.vleak, 0.gleak, "),
        (True, TypeError, "names of parameters"),
    ):
        with pytest.raises(error, match=f"`names` must be {words}"):
            stack.freeze(bad)


def test_whole_layers_are_frozen_by_their_number(stack):
    stack.freeze("0", "1.bias")
    assert {n for n in stack.params if n.startswith("0.")} | {"1.bias"} == {
        name for name, values in stack.views(stack.trainable).items() if not values.any()
    }
    stack.unfreeze("0")
    assert {n for n, values in stack.views(stack.trainable).items() if not values.any()} == {"1.bias"}
    nested = Model(Dense(2, input_dim=2), Residual(Dense(2, input_dim=2), Dense(2)), seed=0)
    nested.freeze("1.0")  # names of a block go on in the same way
    assert {n for n, values in nested.views(nested.trainable).items() if not values.any()} == {
        "1.0.weight", "1.0.bias",
    }  # fmt: skip
    ten = Model(*[Dense(1, input_dim=1)] * 11, seed=0)
    ten.freeze("1")
    assert int(ten.trainable.sum()) == 20, "1 is not 10"
    alone = Model(Dense(2, input_dim=2), seed=0)
    with pytest.raises(ValueError, match="`names` must be parameters, got '0'; names have no number in a model of one"):
        alone.freeze("0")


# ------------------------------------------------------------------------------------------------------ calls


def test_shapes_of_calls(stack):
    y, state = stack(X, return_state=True)
    assert y.shape == (3, 4, 2)
    assert state.shape == (3, 13)
    y1, state1 = stack(X[0], return_state=True)
    assert y1.shape == (4, 2)
    assert state1.shape == (13,)
    assert stack(X, return_sequences=False).shape == (3, 2)
    assert stack(X[0], return_sequences=False).shape == (2,)
    assert stack.initial_state().shape == (13,)
    assert stack.initial_state(3).shape == (3, 13)
    np.testing.assert_allclose(y1, y[0], rtol=1e-13)
    np.testing.assert_allclose(stack(X, return_sequences=False), y[:, -1], rtol=1e-13)


@pytest.mark.few(1)
def test_gradients_of_a_stack_with_lengths_and_last_outputs(stack):
    dt = np.random.default_rng(2).uniform(0.1, 2, (3, 4))
    assert worst(stack, X, dt=dt, lengths=[4, 0, 2]) < 1e-6
    stack.return_sequences = False
    assert gradcheck.direction(stack, X, dt=dt, lengths=[4, 0, 2]) < 1e-6
    assert worst(stack, X[0], dt=dt[0]) < 1e-6
    assert gradcheck.direction(stack, X, dt=0.5) < 1e-6


def test_backward_agrees_with_loss_and_grad_and_the_tape_may_be_used_twice(model):
    y, tape = model.forward(X, dt=0.5, lengths=[4, 1, 3])
    valid = np.arange(4) < np.array([[4], [1], [3]])
    d_y = np.where(valid[:, :, None], 2 * (y - Y.astype(np.float32)) / (valid.sum() * 2), 7.0)  # 7: ignored
    _, grad = model.loss_and_grad(X, Y, dt=0.5, lengths=[4, 1, 3])
    model.theta = model.theta * 2  # the tape keeps its own
    g, again = model.backward(tape, d_y), model.backward(tape, d_y)
    assert np.abs(g.theta - grad).max() < 1e-6 * np.abs(grad).max()
    assert np.array_equal(g.theta, again.theta)
    assert g.x.shape == X.shape
    assert g.h0.shape == (3, 8)
    assert np.ndim(g.dt) == 0
    assert (g.x[1, 1:] == 0).all()


def test_public_calls_return_fresh_arrays(model):
    first = model(X)
    copy_of_first = first.copy()
    model(X + 1)
    assert np.array_equal(first, copy_of_first)
    deep = Model(LTC(AutoNCP(8, 2), input_dim=2), Dense(2, "tanh"), seed=0)
    y, tape = deep.forward(X)
    want = deep.backward(tape, np.ones_like(y)).theta
    y[:] = 7  # the caller's own array
    assert np.array_equal(deep.backward(tape, np.ones_like(y)).theta, want)
    h0 = model.initial_state(3)
    _, state = model(X, h0=h0, return_state=True)
    assert not np.shares_memory(h0, state)
    x = np.array(X, np.float32)
    held = x.copy()
    model.loss_and_grad(x, Y, lengths=[4, 2, 1])
    assert np.array_equal(x, held)


def test_a_list_is_predicted_in_groups(monkeypatch):
    """Each sequence begins with its own state, and no group is larger than memory allows."""
    model, rng = LTCRNN(AutoNCP(8, 3), 2, seed=0, dtype="float64", backend="numpy"), np.random.default_rng(0)
    xs, h0 = [rng.normal(size=(n, 2)) for n in (5, 2, 7, 1, 3)], rng.normal(size=(5, 8))
    wanted, sizes, forward = [model(x, h0=h) for x, h in zip(xs, h0, strict=True)], [], HostEngine.forward

    def counted(self, *args, **more):
        sizes.append(args[1].x.shape[:2])
        return forward(self, *args, **more)

    monkeypatch.setattr(HostEngine, "forward", counted)
    monkeypatch.setattr(HostEngine, "sequences_at_once", lambda engine, steps: 2)
    for found, want in zip(model.predict(xs, h0=h0), wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-12)
    assert sizes == [(2, 5), (2, 7), (1, 3)]  # each padded to its own longest


@pytest.mark.few(1)
def test_predict_in_batches(model):
    for batch_size in (1, 2, None):
        assert np.array_equal(model.predict(X, dt=0.5, batch_size=batch_size), model(X, dt=0.5))
    assert np.array_equal(model.predict(X[0]), model(X[0]))
    parts = model.predict([X[0], X[1, :2], X[2, :3]])
    assert [p.shape for p in parts] == [(4, 2), (2, 2), (3, 2)]
    assert np.array_equal(parts[1], model(X[1, :2]))
    with pytest.raises(ValueError, match=r"`dt\[0\]` must have the 4 steps"):
        model.predict([X[0], X[1, :2]], dt=[np.ones(2), np.ones(4)])
    many = [X[0, :1]] * 50 + [np.tile(X[0], (50, 1)), X[0, :0], X[1]]
    assert [len(y) for y in model.predict([X[0, :0], X[1]], batch_size=1)] == [0, 4]
    got = model.predict(many, batch_size=7)
    assert [len(y) for y in got] == [len(x) for x in many]
    assert np.array_equal(got[50], model(many[50]))
    assert np.array_equal(got[52], model(X[1]))
    for bad, options, words in (
        ([X[0], np.ma.array(X[1])], {}, "must be a plain array"),
        ([X[0], X[1] + np.where(np.arange(2) == 1, np.nan, 0)], {"batch_size": 1}, r"`x\[1\]` must be finite"),
        ([X[0], np.zeros((0, 9))], {}, r"`x\[1\]` must be \(T, 2\)"),
        ([X[0, :0]], {"batch_size": "a"}, "`batch_size`"),
        ([X[0], X[1]], {"dt": np.ones((2, 4))}, "`dt` must be a number or a list"),
        ([X[0], X[1]], {"dt": [0.1, 0.1]}, r"`dt\[0\]` must have the 4 steps of x\[0\], got 0.1"),
        ([[[1, 2], [3]], [[1, 2]]], {}, "ragged"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            model.predict(bad, **options)
    dts = [np.full(4, 0.5), np.full(2, 2.0), np.full(3, 0.1)]
    assert np.array_equal(model.predict([X[0], X[1, :2], X[2, :3]], dt=dts)[1], model(X[1, :2], dt=2.0))


def test_step_sees_changed_parameters(model):
    y, _ = model.step(X[0, 0])
    model.params["w"] = 2.0
    changed, _ = model.step(X[0, 0])
    assert not np.array_equal(y, changed)
    assert np.array_equal(changed, model(X[0, :1])[0])
    batch, state = model.step(X[:, 0], dt=np.array([0.1, 1.0, 2.0]))
    assert batch.shape == (3, 2)
    assert np.array_equal(batch, model(X[:, :1], dt=np.array([[0.1], [1.0], [2.0]]))[:, 0])
    assert state.shape == (3, 8)


@pytest.mark.slow
def test_several_threads_share_a_model(model):
    want, wrong = model(X), []
    grad = model.loss_and_grad(X, Y)[1]

    def work():
        for _ in range(20):
            if not np.array_equal(model(X), want) or not np.array_equal(model.loss_and_grad(X, Y)[1], grad):
                wrong.append(1)
            if not np.array_equal(model.step(X[:, 0])[0], want[:, 0]):
                wrong.append(2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_pickle_and_copy(stack):
    stack.freeze("0.w")
    for again in (pickle.loads(pickle.dumps(stack)), copy.deepcopy(stack), copy.copy(stack)):
        assert np.array_equal(again(X), stack(X))
        assert np.array_equal(again.trainable, stack.trainable)
        again.params["0.w"] = 0.0
        assert not np.array_equal(again(X), stack(X))


def test_repr_and_summary(stack):
    assert repr(stack).startswith("Model(LTC(AutoNCP(")
    text = summary(stack)
    assert "Dense(4, activation='tanh', input_dim=3)" in text
    assert f"{stack.layout.size:,} parameters" in text


def test_a_summary_is_seen(stack, capsys):
    """As a line of a script too, where nothing shows what a call returns."""
    for described in (stack, stack.layers[0].wiring, AutoNCP(8, 2)):
        assert described.summary() is None
        assert capsys.readouterr().out == summary(described)
        assert not capsys.readouterr().out, "a text for a file is not shown"


# ----------------------------------------------------------------------------------------------------- losses


def test_own_loss_and_weights(model):
    loss, grad = model.loss_and_grad(X, Y)
    mine, mine_grad = model.loss_and_grad(
        X, Y, loss=lambda y, target: (float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size)
    )
    assert mine == pytest.approx(loss, rel=1e-6)
    assert np.abs(mine_grad - grad).max() <= 1e-6 * np.abs(grad).max()
    # A weight of 2 is the sequence given twice; a weight of 0 is the sequence left out.
    twice = model.loss_and_grad(X[[0, 0, 2]], Y[[0, 0, 2]])
    weighed = model.loss_and_grad(X, Y, sample_weight=[2, 0, 1])
    assert weighed[0] == pytest.approx(twice[0], rel=1e-6)
    assert np.abs(weighed[1] - twice[1]).max() <= 1e-6 * np.abs(twice[1]).max()
    step_weights = np.zeros((3, 4))
    step_weights[1, 2] = 3
    assert model.loss_and_grad(X, Y, sample_weight=step_weights)[0] == pytest.approx(
        np.mean((model(X) - Y)[1, 2] ** 2), rel=1e-6
    )


def test_extreme_weights_are_relative(model):
    want = model.loss_and_grad(X, Y, sample_weight=[1, 2, 3])
    for scale in (1e-310, 1e-42, 1e30):
        value, grad = model.loss_and_grad(X, Y, sample_weight=scale * np.array([1.0, 2, 3]))
        assert value == pytest.approx(want[0], rel=1e-6)
        assert np.abs(grad - want[1]).max() <= 1e-6 * np.abs(want[1]).max()


def test_own_loss_may_work_in_place(backend):
    model = Model(LTC(AutoNCP(8, 2), input_dim=2), Dense(2, "tanh"), seed=0, backend=backend)
    target = np.full((3, 4, 2), 0.3, np.float32)

    def in_place(y, t):
        y -= t
        t *= 0
        return float((y * y).mean()), 2 * y / y.size

    want = model.loss_and_grad(X, target)[1]
    assert np.abs(model.loss_and_grad(X, target, loss=in_place)[1] - want).max() <= 1e-6 * np.abs(want).max()
    assert (target == np.float32(0.3)).all()


def test_a_tape_does_not_hold_the_callers_arrays(model):
    x, h0 = X.astype(np.float32), np.ones((3, 8), np.float32)
    y, tape = model.forward(x, h0=h0)
    want = model.backward(tape, np.ones_like(y))
    x[:], h0[:] = 0, 0
    again = model.backward(tape, np.ones_like(y))
    assert np.array_equal(want.theta, again.theta)
    assert np.array_equal(want.x, again.x)


def test_a_tape_outlives_calls_of_other_shapes(model):
    """Elapsed times of 1 are kept from call to call, where they are few, and never written to."""
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(3, 5, model.input_size)), rng.normal(size=(3, 4, model.input_size))
    y, tape = model.forward(x)
    want = model.backward(tape, y)
    y, tape = model.forward(x)
    for called in (other, x, other[:2]):
        model(called)
    for found, wanted in zip(model.backward(tape, y), want, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_few_elapsed_times_of_one_are_kept(model):
    def made(steps):
        return check(model, np.zeros((2, steps, model.input_size)), None, None, None, workspace)[0].dt

    workspace = Workspace()
    assert made(5) is made(5) and (made(5) == 1).all()
    assert made(KEPT // 2) is made(KEPT // 2) and made(KEPT // 2 + 1) is not made(KEPT // 2 + 1)
    assert made(5).shape == (2, 5)


def test_own_loss_may_call_the_model(model):
    want = model.loss_and_grad(X, Y)

    def again(y, target):
        assert model.loss_and_grad(X + 1, Y)[0] != want[0]
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    value, grad = model.loss_and_grad(X, Y, loss=again)
    assert value == pytest.approx(want[0], rel=1e-6)
    assert np.abs(grad - want[1]).max() <= 1e-6 * np.abs(want[1]).max()


def test_own_loss_with_lengths(model):
    value, grad = model.loss_and_grad(X, Y, lengths=[4, 1, 2], loss=lambda y, t: (float(y.sum()), np.ones_like(y)))
    y, tape = model.forward(X, lengths=[4, 1, 2])
    assert value == pytest.approx(float(y.sum()), rel=1e-6)
    assert np.array_equal(grad, model.backward(tape, np.ones_like(y)).theta)


def test_penalties_against_finite_differences(backend):
    for positivity in ("softplus", "clip"):
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", positivity=positivity, backend=backend)
        options = {"l1": {"w": 0.3, "erev": 0.1}, "l2": 0.2}
        value, grad = model.loss_and_grad(X, Y, **options)
        plain = model.loss_and_grad(X, Y)[0]
        effective = model.layout.effective(model.theta)
        views = model.views(effective)
        want = 0.3 * np.abs(views["w"]).sum() + 0.1 * np.abs(views["erev"]).sum() + 0.2 * (effective**2).sum()
        assert value - plain == pytest.approx(want, rel=1e-12)
        way = np.random.default_rng(0).normal(size=grad.size)
        theta, step = model.theta.copy(), 1e-6
        model.theta = theta + step * way
        up = model.loss_and_grad(X, Y, **options)[0]
        model.theta = theta - step * way
        down = model.loss_and_grad(X, Y, **options)[0]
        assert (up - down) / (2 * step) == pytest.approx(float(way @ grad), rel=1e-7)


def test_classification_of_sequences(backend):
    model = LTCRNN(AutoNCP(8, 3), 2, seed=0, dtype="float64", return_sequences=False, backend=backend)
    labels = np.array([2, 0, 1])
    value, grad = model.loss_and_grad(X, labels, lengths=[4, 2, 3], loss="cross_entropy", class_weight=[1, 2, 3])
    y = model(X, lengths=[4, 2, 3])
    logs = y[np.arange(3), labels] - np.log(np.exp(y).sum(1))
    weights = np.array([3.0, 1.0, 2.0])
    assert value == pytest.approx(-(weights * logs).sum() / weights.sum(), rel=1e-12)
    way, theta, step = np.random.default_rng(0).normal(size=grad.size), model.theta.copy(), 1e-6
    values = []
    for sign in (1, -1):
        model.theta = theta + sign * step * way
        values.append(
            model.loss_and_grad(X, labels, lengths=[4, 2, 3], loss="cross_entropy", class_weight=[1, 2, 3])[0]
        )
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(float(way @ grad), rel=1e-7)


# ----------------------------------------------------------------------------------------------------- errors

NAN = np.where(np.arange(24).reshape(3, 4, 2) == 13, np.nan, 1.0)
BAD_CALLS = {
    "x of one dimension": ((X[0, 0],), {}, "`x` must be"),
    "x of four dimensions": ((X[None],), {}, "`x` must be"),
    "x with other features": ((np.ones((3, 4, 5)),), {}, r"`x` must be \(B, T, 2\) or \(T, 2\), got shape \(3, 4, 5\)"),
    "x of objects": ((X.astype(object),), {}, "`x` must be .* got dtype object"),
    "x complex": ((X + 1j,), {}, "`x` must be .* got dtype complex"),
    "x of text": ((np.full((3, 4, 2), "1"),), {}, "`x` must be"),
    "x masked": ((np.ma.masked_invalid(NAN),), {}, "`x` must be a plain array, got a masked array"),
    "x ragged": (([[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]],), {}, "`x` must be .* ragged"),
    "x None": ((None,), {}, "`x` must be"),
    "x with NaN": ((NAN,), {}, r"`x` must be finite in float32 .*, got nan at index \(1, 2, 1\)"),
    "x infinite": ((X + np.inf,), {}, "`x` must be finite"),
    "x whose square overflows": ((X * 1e30,), {}, "`x` must be finite in float32 .at most 1.8e.19"),
    "x infinite in float32": ((X * 1e300,), {}, "`x` must be finite in float32"),
    "no sequence": ((np.ones((0, 4, 2)),), {}, "`x` must hold at least one"),
    "no step": ((np.ones((3, 0, 2)),), {}, "`x` must hold at least one"),
    "dt negative": ((X,), {"dt": -1.0}, r"`dt` must be finite, >= 0 .* got -1\.0"),
    "dt NaN": ((X,), {"dt": np.nan}, "`dt` must be finite"),
    "dt infinite": ((X,), {"dt": np.inf}, "`dt` must be finite"),
    "dt too large to multiply": ((X,), {"dt": 1e25}, "`dt` must be finite, >= 0 and <="),
    "dt of shape (B,)": ((X,), {"dt": np.ones(3)}, r"a number, \(T,\) or \(B, T\) = \(3, 4\), got shape \(3,\)"),
    "dt of shape (B, 1)": ((X,), {"dt": np.ones((3, 1))}, r"got shape \(3, 1\)"),
    "dt of shape (1, T)": ((X,), {"dt": np.ones((1, 4))}, r"got shape \(1, 4\)"),
    "dt of shape (B, T, 1)": ((X,), {"dt": np.ones((3, 4, 1))}, r"got shape \(3, 4, 1\)"),
    "dt of shape (1,)": ((X,), {"dt": np.ones(1)}, r"got shape \(1,\)"),
    "dt text": ((X,), {"dt": "1"}, "`dt` must be"),
    "dt bool": ((X,), {"dt": True}, "`dt` must be"),
    "dt (B, T) for one sequence": ((X[0],), {"dt": np.ones((3, 4))}, r"`dt` must be a number or \(4,\)"),
    "lengths too short": ((X,), {"lengths": [4, 2]}, "`lengths` must be integers of shape"),
    "lengths real": ((X,), {"lengths": [4.0, 2.0, 1.0]}, "`lengths` must be integers"),
    "lengths masked": ((X,), {"lengths": np.ma.array([1, 2, 3])}, "`lengths` must be a plain array"),
    "lengths ragged": ((X,), {"lengths": [[1], [1, 2]]}, "`lengths` must be .* ragged"),
    "dt ragged": ((X,), {"dt": [[1.0], [1.0, 2.0]]}, "`dt` must be .* ragged"),
    "lengths too large": ((X,), {"lengths": [5, 2, 1]}, r"`lengths` must lie in 0\.\.T = 0\.\.4, got 1\.\.5"),
    "lengths negative": ((X,), {"lengths": [-1, 2, 1]}, "`lengths` must lie in"),
    "lengths all 0": ((X,), {"lengths": [0, 0, 0]}, "`lengths` must not be all 0"),
    "lengths of one sequence": ((X[0],), {"lengths": [4]}, "`lengths` needs a batch"),
    "h0 of a wrong batch": ((X,), {"h0": np.zeros((1, 8))}, r"`h0` must have shape \(B, K\) = \(3, 8\), got \(1, 8\)"),
    "h0 without batch": ((X,), {"h0": np.zeros(8)}, "`h0` must have shape"),
    "h0 of other units": ((X,), {"h0": np.zeros((3, 7))}, "`h0` must have shape"),
    "h0 with NaN": ((X,), {"h0": np.full((3, 8), np.nan)}, "`h0` must be finite"),
    "h0 of objects": ((X,), {"h0": np.zeros((3, 8), object)}, "`h0` must be"),
}  # fmt: skip


def test_flags_of_a_call_are_bools(model):
    for flags in ({"return_state": "no"}, {"return_state": 0}, {"return_sequences": "no"}):
        (name,) = flags
        with pytest.raises(TypeError, match=f"`{name}` must be a bool, got "):
            model(X, **flags)


@pytest.mark.parametrize("key", BAD_CALLS)
def test_bad_calls(key, model):
    args, options, words = BAD_CALLS[key]
    calls = [model, model.forward, model.predict, lambda x, **o: model.loss_and_grad(x, Y, **o)]
    if key == "x ragged":
        calls.remove(model.predict)  # which takes lists of unequal sequences
    for call in calls:
        with pytest.raises((ValueError, TypeError), match=words) as caught:
            call(*args, **options)
        assert "\n" not in str(caught.value)


def test_bad_targets_weights_and_names(model):
    for options, words in (
        ({"y": Y[:2]}, "must have shape"),
        ({"y": Y[..., :1]}, "must have shape"),
        ({"y": Y[:, :1]}, "must have shape"),
        ({"y": Y + np.nan}, "must be finite"),
        ({"y": np.ma.array(Y, mask=Y > 0)}, "`y` must be a plain array"),
        ({"y": [[[1.0]], [[1.0], [2.0]]]}, "`y` must be .* ragged"),
        ({"y": Y, "class_weight": [[1], [1, 2]], "loss": "mse"}, "class_weight"),
        ({"y": Y.astype(object)}, "must be real numbers"),
        ({"y": [[0] * 4] * 3, "loss": "cross_entropy", "sample_weight": [0, 0, 0]}, "must not be 0 for every"),
        ({"y": [[2] * 4] * 3, "loss": "cross_entropy"}, r"0\.\.1, got 2"),
        ({"y": Y, "loss": "cross_entropy"}, "one-hot"),
        ({"y": Y, "loss": "rmse"}, "`loss` must be one of mse"),
        ({"y": Y, "loss": 3}, "`loss` must be one of"),
        ({"y": Y, "loss": lambda y, t: 1.0}, "must return a tuple"),
        ({"y": Y, "loss": lambda y, t: (1.0, y[:1])}, "d_y of shape"),
        ({"y": Y, "sample_weight": [1, 1]}, "`sample_weight` must have shape"),
        ({"y": Y, "sample_weight": [1, -1, 1]}, "`sample_weight` must be >= 0"),
        ({"y": Y, "sample_weight": [1, np.nan, 1]}, "`sample_weight` must be finite"),
        ({"y": Y, "class_weight": [1, 2]}, "`class_weight` must be None"),
        ({"y": [[0] * 4] * 3, "loss": "cross_entropy", "class_weight": [1e39, 1]}, "`class_weight` must be 0 or in"),
        ({"y": Y, "l1": {"W": 1}}, "`l1` must name parameters"),
        ({"y": Y, "l2": -1}, "`l2` must be a finite number >= 0"),
    ):
        with pytest.raises((ValueError, TypeError), match=words) as caught:
            model.loss_and_grad(X, **options)
        assert "\n" not in str(caught.value)


def test_a_tape_belongs_to_its_model(model, backend):
    y, tape = model.forward(X)
    for other in (
        LTCRNN(AutoNCP(9, 2), 2, seed=0),
        copy.copy(model),
        LTCRNN(AutoNCP(8, 2), 2, seed=1, backend=backend),
    ):
        with pytest.raises(ValueError, match="`tape` must come from this model's own `forward`"):
            other.backward(tape, y)


def test_what_a_model_is_cannot_be_set(model):
    for name, value in (("layers", ()), ("dtype", "float64"), ("backend", "numpy"), ("layout", None)):
        with pytest.raises(AttributeError, match=f"`{name}` of a model cannot be set"):
            setattr(model, name, value)


def test_layers_that_return_wrong_shapes():
    class Wrong(Leaky):
        def forward(self, *args):
            y, h, saved = super().forward(*args)
            return y[:, :, :1], h, saved

    with pytest.raises(ValueError, match=r"must return outputs \(3, 4, 2\) and states \(3, 2\), got \(3, 4, 1\)"):
        Model(Wrong(2), seed=0)(X)
    with pytest.raises(ValueError, match="must have an input_size and an output_size >= 1"):
        Model(Layer())


def test_step_into_arrays_of_ones_own(backend):
    for layers, inputs in (
        ((LTC(AutoNCP(8, 2), input_dim=3),), 3),
        ((LTC(AutoNCP(8, 4), input_dim=3), Dense(2, "tanh", input_dim=4)), 3),
    ):
        model = Model(*layers, seed=0, backend=backend)
        rng = np.random.default_rng(0)
        for shape in ((), (5,)):
            state, own = None, model.initial_state(*shape)
            y_own = np.empty((*shape, 2), "float32")
            for _ in range(4):
                x_t, dt = rng.normal(size=(*shape, inputs)), rng.uniform()
                y, state = model.step(x_t, dt=dt, state=state)
                result = model.step(x_t, dt=dt, state=own, out=(y_own, own))
                assert result[0] is y_own and result[1] is own
                np.testing.assert_array_equal(y_own, y)
                np.testing.assert_array_equal(own, state)
        with pytest.raises(TypeError, match=r"`out` must be a tuple \(y_t, state\) of arrays, got ndarray"):
            model.step(x_t[0], out=y_own)
        with pytest.raises(ValueError, match=r"`out` must hold state as float32 of shape \(8,\), got float64 of shape"):
            model.step(x_t[0], out=(y_own[0], np.zeros(8)))
        with pytest.raises(ValueError, match=r"`out` must hold y_t as float32 of shape \(2,\), got list"):
            model.step(x_t[0], out=([0, 0], own[0]))


def test_results_of_step_are_the_callers():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    y, state = model.step(np.zeros(3))
    kept = y.copy(), state.copy()
    model.step(np.ones(3), state=state)
    np.testing.assert_array_equal(y, kept[0])
    np.testing.assert_array_equal(state, kept[1])
    again = model.step(np.zeros(3))  # from the initial state, whatever came between
    np.testing.assert_array_equal(again[1], kept[1])


def test_step_allocates_nothing_with_out():
    model = LTCRNN(AutoNCP(19, 3), 32, seed=0)
    x, y, state = np.ones(32, "float32"), np.empty(3, "float32"), model.initial_state()
    model.step(x, dt=0.1, state=state, out=(y, state))
    tracemalloc.start()
    for steps in (300, 200):  # Python keeps up to some number of objects that are free again: the first steps' stay
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(steps):
            model.step(x, dt=0.1, state=state, out=(y, state))
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Python's own small objects come and go (and a copy of theta's bytes); nothing stays.
    assert now - before < 2000
    assert peak - before < 4 * model.theta.nbytes + 4000


def test_bad_backward_and_step(model):
    y, tape = model.forward(X)
    for bad, words in (
        (y[:1], "`d_y` must have y's shape"),
        (y[..., 0], "`d_y`"),
        (y + np.nan, "`d_y` must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            model.backward(tape, bad)
    with pytest.raises(TypeError, match="`tape` must come from `forward`"):
        model.backward(y, y)
    with pytest.raises(ValueError, match="`d_state` must have shape"):
        model.backward(tape, y, np.zeros(8))
    for args, words in (
        ({"x_t": X}, "`x_t` must be"),
        ({"x_t": np.ones(3)}, "`x_t` must be"),
        ({"x_t": X[0, 0], "dt": np.ones(1)}, "`dt` must be a number"),
        ({"x_t": X[:, 0], "dt": np.ones(2)}, r"`dt` must be a number or \(3,\)"),
        ({"x_t": X[:, 0], "dt": np.ones((3, 1))}, "`dt` must be"),
        ({"x_t": X[0, 0], "state": np.zeros((1, 8))}, "`state` must have shape"),
        ({"x_t": X[0, 0], "dt": -1.0}, "`dt` must be finite"),
        ({"x_t": X[0, 0] + np.nan}, "must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            model.step(**args)
    with pytest.raises(ValueError, match="`batch_size`"):
        model.initial_state(0)
    with pytest.raises(ValueError, match="`batch_size`"):
        model.predict(X, batch_size=0)


def test_bad_constructions():
    wiring = AutoNCP(8, 2)
    for make, words in (
        (lambda: Model(), "`layers` must hold at least one"),
        (lambda: Model(wiring), "must be a layer"),
        (
            lambda: Model(LTC(wiring, input_dim=2), Dense(1, input_dim=3)),
            r"`layers\[1\]` takes 3 features, but layers\[0\] gives 2",
        ),
        (lambda: Model(CfC(8), Dense(1)), r"`input_dim` must be given, since CfC\(8\) does not tell"),
        (lambda: Model(CfC(8), input_dim=0), "`input_dim` must be an int >= 1, got 0"),
        (
            lambda: Model(LTC(wiring.build(3)), input_dim=2),
            r"`layers\[0\]` takes 3 features, but `input_dim` is 2",
        ),
        (lambda: LTCRNN(wiring, 2, dtype="float16"), "`dtype` must be"),
        (lambda: LTCRNN(wiring, 2, dtype="number"), "`dtype` must be"),
        (lambda: LTCRNN(wiring, 2, dtype=None), "`dtype` must be"),
        (lambda: LTCRNN(wiring, 2, init={"w": 1e39}), "`init of w` must be finite in float32"),
        (lambda: LTCRNN(wiring, 2, init=[1]), "`init` must be a dict"),
        (lambda: LTCRNN(wiring, 2, init={"w": ("a", "b")}), "must be one of .orthogonal., .glorot., got .a."),
        (lambda: LTCRNN(wiring, 2, positivity=np.ones(2)), "`positivity` must be"),
        (lambda: LTCRNN(wiring, 2, input_mapping=np.ones(2)), "`input_mapping` must be"),
        (lambda: LTCRNN(wiring.build(3), 2), "`input_dim` must agree with the 3"),
        (lambda: LTCRNN(wiring, 2, seed=-1), "`seed` must be"),
        (lambda: LTCRNN(wiring, 2, seed=1.5), "`seed` must be"),
        (lambda: LTCRNN(wiring, 2, backend="gpu"), "`backend` must be one of"),
        (lambda: LTCRNN(wiring, 2, return_sequences=None), "`return_sequences` must be a bool"),
        (lambda: LTCRNN(wiring, 2, 9), "`hidden_dim` must agree with the wiring's 8, got 9"),
        (lambda: LTCRNN(wiring, 2, 8, 3), "`output_dim` must agree with the wiring's 2, got 3"),
        (lambda: LTCRNN(RandomWiring(2, 2, 8), 3), "`input_dim`"),
        (lambda: LTCRNN(8, 2), "`wiring` must be a Wiring"),
        (lambda: Dense(1, input_dim=0), "`input_dim` must be"),
        (lambda: Dense(1, "swish", input_dim=1), "`activation` must be one of"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            make()


# -------------------------------------------------------------------------------------------------- own cells


class Leaky(Layer):
    """A user's cell without a fast kernel: h+ = h + (x @ w - h) * (1 - exp(-dt))."""

    takes_dt = dt0_identity = smooth = causal = True

    def __init__(self, n, wrong=False):
        from ltc_np.base.layout import Entry, Layout

        self.n = self.input_size = self.output_size = self.state_size = n
        self.layout, self.wrong = Layout((Entry("w", (n, n), (-1.0, 1.0)),)), wrong

    def prepare(self, p, buffers, backend):
        return p["w"]

    def forward(self, w, x, dt, lengths, h0, keep, workspace):
        h, y, rate = h0, np.empty_like(x), -np.expm1(-dt)[:, :, None]
        for t in range(x.shape[1]):
            h = h + (x[:, t] @ w - h) * rate[:, t]
            y[:, t] = h
        return y, h, (x, dt, rate, h0, y.copy())

    def backward(self, w, saved, d_y, d_h, g, want_x, want_dt, workspace):
        x, dt, rate, h0, y = saved
        d_x, d_dt = np.empty_like(x), np.empty_like(dt)
        for t in range(x.shape[1] - 1, -1, -1):
            d_h = d_h + d_y[:, t]
            before = y[:, t - 1] if t else h0
            pull = x[:, t] @ w - before
            d_dt[:, t] = (d_h * pull).sum(1) * np.exp(-dt[:, t])
            d_u = d_h * rate[:, t]
            g["w"] += x[:, t].T @ d_u
            d_x[:, t] = d_u @ w.T
            d_h = d_h - (0.999 if self.wrong else 1) * d_u
        return d_x, d_h, d_dt


def test_a_users_cell_and_a_wrong_derivative_that_is_caught(backend):
    dt = np.random.default_rng(1).uniform(0.1, 1, (3, 4))
    assert max(gradcheck.check(Leaky(2), X, dt=dt, lengths=[4, 2, 1]).values()) < 1e-6
    assert gradcheck.direction(Leaky(2), X, dt=dt) < 1e-6
    assert max(gradcheck.check(Leaky(2, wrong=True), X, dt=dt).values()) > 1e-5
    assert gradcheck.direction(Leaky(2, wrong=True), X, dt=dt) > 1e-6
    stacked = Model(LTC(AutoNCP(8, 2), input_dim=2), Leaky(2), Dense(1), seed=0, dtype="float64", backend=backend)
    assert max(gradcheck.check(stacked, X, dt=dt).values()) < 1e-6


def test_the_error_of_differences_falls_with_the_square_of_the_step():
    model = LTCRNN(FullyConnected(5, 2), 2, seed=0, dtype="float64", backend="numpy")
    errors = [gradcheck.direction(model, X, dt=0.5, step=step) for step in (4e-3, 2e-3, 1e-3)]
    assert 3.5 < errors[0] / errors[1] < 4.5
    assert 3.5 < errors[1] / errors[2] < 4.5


def test_gradcheck_refuses():
    for bad, words in (
        (LTCRNN(AutoNCP(8, 2), 2), 'must have dtype="float64"'),
        ("model", "`model` must be a Model or a Layer"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            gradcheck.check(bad, X)
    with pytest.raises(ValueError, match="`step`"):
        gradcheck.check(Leaky(2), X, step=0)


def test_settings_of_layers_cannot_be_set_on_a_model():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    for name in ("ode_unfolds", "solver", "wiring", "takes_dt"):
        with pytest.raises(AttributeError, match=f"`{name}` belongs to a layer"):
            setattr(model, name, 3)
    model.remark = "one's own"
    assert model.remark == "one's own"


def test_effective_values():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, dtype="float64")
    np.testing.assert_allclose(model.effective["cm"], np.log1p(np.exp(model.params["cm"])), rtol=1e-14)
    assert (model.effective["mu"] == model.params["mu"]).all()
    before = model.theta.copy()
    model.effective["mu"][:] = 7
    assert (model.theta == before).all()


def test_unknown_options_and_calls_of_layers():
    for make, words in (
        (
            lambda: LTCRNN(AutoNCP(8, 2), 3, units=3),
            "`units` is no option of the model or its LTC: the wiring has them",
        ),
        (
            lambda: CfCRNN(AutoNCP(8, 2), input_dim=3, backbone_units=3),
            "`backbone_units` is no option .* WiredCfC: there are mode",
        ),
        (lambda: CfCRNN(8, input_dim=3, strict=True), "`strict` is no option of the model or its CfC"),
        (lambda: LTC(AutoNCP(8, 2), input_dim=3)(np.zeros((1, 2, 3))), r"make a model of it to call: Model\(LTC\("),
    ):
        with pytest.raises(TypeError, match=words):
            make()


def test_targets_of_the_other_kind():
    x = np.zeros((4, 5, 3))
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, proj_size=6)
    assert model(x).shape == (4, 5, 6)
    with pytest.raises(ValueError, match="make the model with return_sequences=False"):
        model.loss_and_grad(x, np.zeros((4, 6)))
    for one, loss in ((model, "cross_entropy"), (LTCRNN(AutoNCP(8, 1), 3, seed=0), "mse")):
        with pytest.raises(ValueError, match="for one answer a sequence make the model with return_sequences=False"):
            one.loss_and_grad(x, np.zeros(4, int), loss=loss)
    last = LTCRNN(AutoNCP(8, 2), 3, seed=0, return_sequences=False)
    with pytest.raises(ValueError, match="the model has return_sequences=False"):
        last.fit(x, np.zeros((4, 5, 2)), verbose=False)
    with pytest.raises(ValueError, match=r"`dt` must be left out.*got an array of shape \(4, 5\)"):
        Model(LSTM(2, input_dim=3), seed=0)(x, dt=np.ones((4, 5)))


def test_attributes_of_a_users_own():
    """Such names as users like belong to them."""
    model = LTCRNN(AutoNCP(6, 2), 2, seed=0)
    for name in ("version", "batch", "start", "stack", "fixed", "notes"):
        setattr(model, name, "mine")
    x = np.zeros((3, 2, 2))
    model.fit(x, np.zeros((3, 2, 2)), verbose=False)
    model.step(x[:, 0])
    assert model.version == "mine"
    for name in ("engine", "layer_stack", "buffer_vector"):
        with pytest.raises(AttributeError, match=f"`{name}` of a model cannot be set"):
            setattr(model, name, None)


def test_attributes_that_would_have_no_effect_are_refused():
    model = LTCRNN(AutoNCP(6, 2), 2, seed=0)
    for name, words in (
        ("lr", "it is an argument of the optimiser that `fit` is given"),
        ("learning_rate", "it is an argument of the optimiser"),
        ("loss", "it is an argument of `fit`"),
        ("batch_size", "it is an argument of `fit`"),
        ("trainabel", "did you mean `trainable`"),
        ("Theta", "did you mean `theta`"),
        ("return_sequence", "did you mean `return_sequences`"),
        ("input_size", "`input_size` of a model cannot be set: make a new one"),
        ("params", "`params` of a model cannot be set: change what is in it, or all parameters by `theta`"),
        ("effective", "`effective` of a model cannot be set: change what is in it"),
    ):
        with pytest.raises(AttributeError, match=words):
            setattr(model, name, 0.1)

    for name in ("lr", "loss", "batch_size", "compile"):  # nor are they there to be read
        with pytest.raises(AttributeError, match=f"`{name}` is nothing that a model has: "):
            getattr(model, name)
    model.x, model.y, model.parallel_time = "mine", "too", 3

    class Mine(LTCRNN):
        """Of a user, who may call things as he likes."""

        def __init__(self, *args, loss="mae"):
            super().__init__(*args)
            self.loss, self.training, self.lr = loss, True, 0.1

    assert Mine(AutoNCP(6, 2), 2).loss == "mae"


def test_whether_sequences_are_returned_is_a_bool():
    model = LTCRNN(AutoNCP(6, 2), 2, seed=0)
    for wrong in ("no", 0, None):
        with pytest.raises(TypeError, match=f"`return_sequences` must be a bool, got {wrong!r}"):
            model.return_sequences = wrong
    model.return_sequences = False
    assert model(np.zeros((3, 4, 2))).shape == (3, 2)


def test_what_is_trainable_is_checked_and_copied():
    class Fixed(Layer):
        input_size = output_size = 2
        layout = Layout((Entry("a", (2,), 0.5), Entry("b", (3,), 0.5, trainable=False)))

    model = LTCRNN(AutoNCP(6, 2), 2, seed=0)
    P = model.layout.size
    for wrong, error, words in (
        (np.ones(P, int), TypeError, rf"None or bools of shape \(P,\) = \({P},\), got int64 of shape"),
        ([0, 1], TypeError, "got int64 of shape"),
        (True, ValueError, r"got shape \(\)"),
        (np.ones(P - 1, bool), ValueError, rf"bools of shape \(P,\) = \({P},\), got shape \({P - 1},\)"),
        (np.ones((P, 1), bool), ValueError, "got shape"),
        ("w", TypeError, "got <U1 of shape"),
    ):
        with pytest.raises(error, match=f"`trainable` must be .*{words}"):
            model.trainable = wrong
    assert model.trainable is None
    mask = np.arange(P) % 2 == 0
    model.trainable = mask
    mask[:] = True
    assert np.array_equal(model.trainable, np.arange(P) % 2 == 0)
    model.trainable = [True] * P
    assert model.trainable is None
    fixed = Model(Fixed(), seed=0)
    for everything in (None, np.ones(5, bool)):
        fixed.trainable = everything
        assert fixed.trainable.tolist() == [True, True, False, False, False]


def test_names_of_parameters_are_given_one_after_another():
    model = LTCRNN(AutoNCP(6, 2), 2, seed=0)
    with pytest.raises(TypeError, match="`names` must be names of parameters, one after another, got \\['gleak'\\]"):
        model.freeze(["gleak"])


def test_buffers_belong_to_a_model_and_are_seen_when_they_change():
    """`step` keeps what it has prepared, and copies have buffers of their own."""
    model = LTCRNN(RandomWiring(2, 2, 6, seed=0), 2, seed=0)
    other, x = copy.copy(model), np.ones((1, 2), np.float32)
    before = model.step(x[0])[0]
    model.buffers["gain"][:] *= 2
    model.buffers["sensory_gain"][:] *= 2
    after = model.step(x[0])[0]
    assert np.array_equal(after, model(x)[0])
    assert not np.array_equal(after, before)
    assert np.array_equal(other.step(x[0])[0], before)


def test_every_seed_of_dropout_is_another_one():
    model, x = Model(Dropout(0.5, input_dim=4), seed=0), np.ones((8, 4, 4))
    seeds = (1, (1,), (1, 0), (1, 0, 0), (0, 1), 0)
    drawn = [model.forward(x, dropout_seed=seed)[0].tobytes() for seed in seeds]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == len(seeds) - 1


def test_a_layer_of_ones_own_shows_its_sizes():
    class Own(Dense):
        def __init__(self, n):
            super().__init__(3, input_dim=n)

    assert repr(Own(2)) == "Own(2 -> 3)"


class Tensor:
    """As one of PyTorch that NumPy cannot read."""

    __module__ = "torch"
    shape = (2, 3, 1)

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nUse tensor.detach().numpy() instead.")


def test_habits_of_others_get_a_sentence_of_their_own():
    model, x = LTCRNN(AutoNCP(8, 1), 1, seed=0), np.zeros((20, 30))
    one_feature = r"`x` must be .*, got shape \(20, 30\).* sequences of one feature are x\[\.\.\., None\]"
    for call in (model, model.predict, model.forward):
        with pytest.raises(ValueError, match=one_feature):
            call(x)
    for call in (model.evaluate, model.loss_and_grad, lambda x, y: model.fit(x, y, verbose=False)):
        with pytest.raises(ValueError, match=one_feature):
            call(x, x)
    with pytest.raises(
        TypeError, match=r"`x` must be .*, got a torch.Tensor that NumPy cannot read: .* tensor.detach"
    ) as e:
        model(Tensor())
    assert "\n" not in str(e.value)


# ------------------------------------------------------------------------------------------------- liquid state spaces


def parameters_of(I, H, N, blocks, O):
    """By the docstring of `LiquidS4RNN`."""
    return (I + 1) * H + blocks * (3 * N * H + 2 * H**2 + 6 * H) + 2 * H + (H + 1) * O


def test_liquid_s4_rnn(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 30, 3))
    sizes = {"channels": 6, "states": 8, "blocks": 2, "seed": 0, "dtype": "float64"}
    model = LiquidS4RNN(3, 5, **sizes)
    assert model(x).shape == (4, 30, 5)
    assert model.layout.size == parameters_of(3, 6, 8, 2, 5)
    one = LiquidS4RNN(3, 5, **sizes, pooling="mean", dropout=0.1, liquid="kb")
    assert one(x).shape == (4, 5)
    lengths = np.array([30, 4, 17, 1])
    y = one(x, lengths=lengths)
    for b, n in enumerate(lengths):
        np.testing.assert_allclose(y[b], one(x[b, :n]), rtol=1e-12, atol=1e-14)
    one.save(tmp_path / "model.npz")
    read = load(tmp_path / "model.npz")
    assert isinstance(read, LiquidS4RNN)
    assert np.array_equal(read(x), one(x))


def test_liquid_s4_rnn_has_the_layers_that_it_is_told():
    def kinds(model):
        return [
            [type(inner).__name__ for inner in layer.layers] if hasattr(layer, "layers") else type(layer).__name__
            for layer in model.layers
        ]

    around = ["GELU", "Dropout", "Dense", "GLU"]
    sizes = {"channels": 4, "states": 4, "blocks": 1, "seed": 0}
    assert kinds(LiquidS4RNN(3, 2, **sizes)) == [
        "Dense", ["LayerNorm", "LiquidS4", *around], "LayerNorm", "Dense",
    ]  # fmt: skip
    assert kinds(LiquidS4RNN(3, 2, **sizes, norm="batch", prenorm=False, pooling="max", liquid=None)) == [
        "Dense", ["S4D", *around], "BatchNorm", "Pooling", "Dense",
    ]  # fmt: skip
    assert kinds(LiquidS4RNN(3, 2, **sizes, norm=None)) == ["Dense", ["LiquidS4", *around], "Dense"]
    with pytest.raises(ValueError, match="`norm` must be one of 'layer', 'batch', None, got 'group'"):
        LiquidS4RNN(3, 2, norm="group")
    with pytest.raises(TypeError, match="`LiquidS4RNN` has no argument `mode`: did you mean `modes`"):
        LiquidS4RNN(3, 2, mode="lin")
    with pytest.raises(TypeError, match="`LiquidS4RNN` has no argument `d_model`: did you mean `channels`"):
        LiquidS4RNN(3, 2, d_model=32)
    with pytest.raises(
        TypeError, match="`LiquidS4RNN` has no argument `banana`: there are input_dim, .* liquid_bound,"
    ):
        LiquidS4RNN(3, 2, banana=1)
    with pytest.raises(TypeError, match="`liquid_scale` is of the liquid term, and with liquid=None there is none"):
        LiquidS4RNN(3, 2, liquid=None, liquid_scale=0.3)


@pytest.mark.slow
@pytest.mark.compiled
def test_a_deep_liquid_state_space_learns():
    """In which channel a pulse came, long ago."""
    r = np.random.default_rng(0)
    x, y = 0.1 * r.normal(size=(64, 120, 2)), r.integers(0, 2, 64)
    x[np.arange(64), r.choice(30, 64), y] += 3
    model = LiquidS4RNN(2, 2, channels=16, states=16, blocks=2, pooling="last", seed=0, backend="cpu")
    model.fit(x, y, loss="cross_entropy", epochs=15, batch_size=8, optimizer=Adam(5e-3), seed=0, verbose=False)
    assert model.evaluate(x, y, metrics=["accuracy"])["accuracy"] > 0.9


@pytest.mark.parametrize("sequences", [True, False])
def test_each_shape_of_weights_is_named_once(sequences):
    model = Model(Dense(1), input_dim=1, seed=0, backend="numpy", return_sequences=sequences)
    shapes = r"\(3,\) or \(3, 4\)" if sequences else r"\(3,\)"
    with pytest.raises(ValueError, match=rf"`sample_weight` must have shape {shapes}, got \(2,\)"):
        model.evaluate(np.ones((3, 4, 1)), np.ones((3, 4, 1) if sequences else (3, 1)), sample_weight=[1, 1])
