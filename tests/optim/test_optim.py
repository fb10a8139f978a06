"""Optimisers: one table over all of them, against loops over Python floats and against PyTorch's values."""

import copy
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from support.flat import FlatModel as Model

import ltc_np
from ltc_np import LTC, AutoNCP, Dense, Entry, Layout, optim
from ltc_np import Model as Network
from ltc_np.optim import (
    SGD,
    Adam,
    AdamW,
    CosineDecay,
    ExponentialDecay,
    PerEpoch,
    PiecewiseConstant,
    RMSprop,
    WarmUp,
    get,
)


def quadratic(theta):
    """Minimum 0 at (3, -0.5), ill-conditioned by 5."""
    a, b = theta[0] - 3, theta[1] + theta.dtype.type(0.5)
    return np.array([2 * a, 10 * b], theta.dtype), a * a + 5 * b * b


def rosenbrock(theta):
    """Minimum 0 at (1, 1), at the end of a bent valley."""
    x, y = theta
    bent = y - x * x
    return np.array([-4 * x * bent * 5 - 2 * (1 - x), 10 * bent], theta.dtype), 5 * bent * bent + (1 - x) ** 2


# a new optimiser is one line here, and its formula in `naive`
OPTIMIZERS = {
    "sgd": lambda lr=0.02: SGD(lr),
    "momentum": lambda lr=0.01: SGD(lr, momentum=0.8),
    "nesterov": lambda lr=0.01: SGD(lr, momentum=0.8, nesterov=True),
    "rmsprop": lambda lr=0.01: RMSprop(lr, alpha=0.9),
    "rmsprop, momentum": lambda lr=0.003: RMSprop(lr, alpha=0.9, momentum=0.5),
    "adam": lambda lr=0.05: Adam(lr, beta1=0.8),
    "adamw": lambda lr=0.05: AdamW(lr, beta1=0.8, weight_decay=1e-4),
}
every = pytest.mark.parametrize("name", OPTIMIZERS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def naive(name, optimizer, t, theta, g, state, lr, decays):
    """One coordinate's new value, by the formulas as PyTorch documents them, in Python floats."""
    o = optimizer
    if name.startswith("adam"):
        if name == "adamw" and decays:
            theta -= lr * o.weight_decay * theta
        state["m"] = o.beta1 * state.get("m", 0.0) + (1 - o.beta1) * g
        state["v"] = o.beta2 * state.get("v", 0.0) + (1 - o.beta2) * g * g
        m, v = state["m"] / (1 - o.beta1**t), state["v"] / (1 - o.beta2**t)
        return theta - lr * m / (math.sqrt(v) + o.epsilon)
    if name.startswith("rmsprop"):
        state["v"] = o.alpha * state.get("v", 0.0) + (1 - o.alpha) * g * g
        step = g / (math.sqrt(state["v"]) + o.epsilon)
        state["b"] = o.momentum * state.get("b", 0.0) + step
        return theta - lr * state["b"]
    state["b"] = o.momentum * state.get("b", 0.0) + g
    return theta - lr * (g + o.momentum * state["b"] if o.nesterov else state["b"])


@dtypes
@pytest.mark.parametrize("problem", [quadratic, rosenbrock])
@every
def test_finds_the_minimum(name, problem, dtype):
    model, optimizer = Model(np.array([0.5, 1.5], dtype)), OPTIMIZERS[name]()
    # or RMSprop circles around the minimum at a distance of lr
    optimizer.lr = CosineDecay(optimizer.lr, 2500)
    start = problem(model.theta)[1]
    for _ in range(2500):
        optimizer.step(model, problem(model.theta)[0])
    # the decay of AdamW moves the minimum by 1e-4 of theta
    assert problem(model.theta)[1] < 1e-4 * start
    assert model.theta.dtype == dtype and model.projections == optimizer.t == 2500


@dtypes
@every
def test_update_rule(name, dtype):
    """All features at once against the loop: frozen coordinates, rates per coordinate, partial decay,
    schedule."""
    rng = np.random.default_rng(0)
    size = 17
    start = rng.normal(size=size).astype(dtype)
    trainable = rng.random(size) < 0.7
    decay = rng.random(size) < 0.5
    lr_scale = rng.uniform(0.1, 3, size)
    model = Model(start, trainable, decay, lr_scale)
    optimizer = OPTIMIZERS[name]()
    optimizer.lr = lambda step: 0.05 / (step + 1)
    theta, states = start.astype(float), [{} for _ in range(size)]
    for t in range(1, 31):
        grad = rng.normal(size=size).astype(dtype)
        for k in np.flatnonzero(trainable):
            lr = 0.05 / t * lr_scale[k]
            theta[k] = naive(name, optimizer, t, theta[k], float(grad[k]), states[k], lr, decay[k])
        optimizer.step(model, grad)
    # about ten roundings a step for 30 steps; theta is of the order of 1
    np.testing.assert_allclose(model.theta, theta, rtol=0, atol=300 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(model.theta[~trainable], start[~trainable])


@dtypes
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@every
def test_copies_go_on_with_the_same_bits(name, again, backend, dtype):
    rng = np.random.default_rng(0)
    models = [Model(np.ones(7, dtype), backend=backend) for _ in range(2)]
    optimizers = [OPTIMIZERS[name]()]
    for t in range(6):
        grad = rng.normal(size=7).astype(dtype)
        if t == 3:
            optimizers.append(again(optimizers[0]))
            models[1].theta[:] = models[0].theta
        for model, optimizer in zip(models, optimizers, strict=False):
            optimizer.lr = 0.05 / (t + 1)
            optimizer.step(model, grad)
    assert (models[0].theta == models[1].theta).all()


@pytest.mark.compiled
@dtypes
@every
def test_backends_have_the_same_bits(name, dtype):
    rng = np.random.default_rng(0)
    start, decay = rng.normal(size=1001).astype(dtype), rng.random(1001) < 0.5
    models = [Model(start, decay=decay, backend=backend) for backend in ("numpy", "cpu")]
    optimizers = [OPTIMIZERS[name]() for _ in models]
    for _ in range(5):
        both = rng.normal(size=(1001, 2)).astype(dtype)
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.step(model, both[:, 0])  # strided: kernels get a copy
    assert (models[0].theta == models[1].theta).all()
    for moment in optimizers[0].moment_names:
        assert (optimizers[0].moments[moment] == optimizers[1].moments[moment]).all()
    assert not (models[0].theta == start).any()


# 4 steps of torch 2.13, float64: theta_0 = (1, -0.5, 0.25), g_t = t (0.3, -2, 0) - (0, 0, 1e-3) + theta / 2
TORCH = {
    Adam(0.05, 0.8, 0.95, 1e-3): [0.7989380875204586, -0.3018908853953792, 0.06013602940716282],
    AdamW(0.05, 0.8, 0.95, 1e-3, 0.3): [0.7447011446289497, -0.27696519716768386, 0.050837440056973146],
    RMSprop(0.05, 0.9, 1e-3): [0.4959277697940291, 0.044304359718240705, 0.006480637461164441],
    RMSprop(0.05, 0.9, 1e-3, 0.7): [0.03263824051588406, 0.5418330471724913, -0.11149121502470431],
    SGD(0.05): [0.75739125, 0.5234669921875, 0.226114596875],
    SGD(0.05, 0.7): [0.58776375, 1.1482552734375, 0.205762709375],
    SGD(0.05, 0.7, nesterov=True): [0.4800267031874999, 1.6379882771679688, 0.1965727419471875],
}


@pytest.mark.parametrize("optimizer", TORCH, ids=repr)
def test_values_of_torch(optimizer):
    expected, optimizer = TORCH[optimizer], copy.deepcopy(optimizer)
    model = Model([1.0, -0.5, 0.25])
    for t in range(1, 5):
        optimizer.step(model, np.array([0.3, -2, 0]) * t - np.array([0, 0, 1e-3]) + 0.5 * model.theta)
    np.testing.assert_allclose(model.theta, expected, rtol=1e-13)  # four steps of a dozen roundings


def test_defaults_are_those_of_torch():
    assert repr(Adam()) == "Adam(lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"
    assert repr(AdamW()) == "AdamW(lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01, decay=None)"
    assert repr(RMSprop()) == "RMSprop(lr=0.01, alpha=0.99, epsilon=1e-08, momentum=0.0)"
    assert repr(SGD(1)) == "SGD(lr=1.0, momentum=0.0, nesterov=False)"


@every
def test_repr_makes_the_same_optimizer(name):
    optimizer = OPTIMIZERS[name]()
    assert repr(eval(repr(optimizer))) == repr(optimizer)


@dtypes
@every
def test_frozen_coordinates_keep_their_bits(name, dtype):
    """Whatever the gradient, also after steps in which they were trained and gathered momentum."""
    frozen = np.array([np.nan, -0.0, 1e-40, 3.7, np.inf, 2.0], dtype)
    theta = np.concatenate([frozen, [1.0, 2.0]]).astype(dtype)
    trainable = np.arange(8) >= 6
    model, optimizer = Model(theta, trainable), OPTIMIZERS[name]()
    before = model.theta.tobytes()
    grad = np.array([np.nan, np.inf, -np.inf, 1e30, 1, -1, 1, -1], dtype)
    with np.errstate(invalid="ignore"):  # AdamW multiplies the infinity by its decay before leaving it out
        for _ in range(3):
            optimizer.step(model, grad)
    assert model.theta[:6].tobytes() == before[: frozen.nbytes]
    assert (model.theta[6:] != theta[6:]).all()
    for key, values in optimizer.state().items():
        assert key == "t" or not values[:6].any()

    model, optimizer = Model(np.ones(3, dtype), np.ones(3, bool)), OPTIMIZERS[name]()
    for _ in range(3):
        optimizer.step(model, np.ones(3, dtype))
    model.trainable = np.array([True, False, True])
    before, momenta = model.theta.copy(), optimizer.state()
    for _ in range(3):
        optimizer.step(model, np.ones(3, dtype))
    assert (model.theta == before).tolist() == [False, True, False]
    for key, values in optimizer.state().items():
        assert key == "t" or abs(values[1]) <= abs(momenta[key][1])


@every
def test_all_trainable_is_the_same_as_none(name):
    models = [Model(np.linspace(-1, 1, 7), trainable) for trainable in (None, np.ones(7, bool))]
    for model in models:
        optimizer = OPTIMIZERS[name]()
        for t in range(5):
            optimizer.step(model, np.sin(np.arange(7.0) + t))
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


@every
def test_step_projects(name):
    model, optimizer = Model(np.full(3, 0.01), bound=0.0), OPTIMIZERS[name]()
    for _ in range(20):
        optimizer.step(model, np.ones(3))
    assert model.theta.tolist() == [0.0, 0.0, 0.0]


def test_weight_decay_only_where_the_layout_says():
    model = Model([1.0, 1.0], decay=np.array([True, False]), lr_scale=np.array([0.5, 1.0]))
    AdamW(0.1, weight_decay=0.2).step(model, np.zeros(2))
    assert model.theta.tolist() == [1 - 0.5 * 0.1 * 0.2, 1.0]


def two_layers(dtype="float64", positivity="softplus"):
    layers = LTC(AutoNCP(8, 2), input_dim=3, positivity=positivity), Dense(2, input_dim=2)
    return Network(*layers, seed=0, dtype=dtype, backend="numpy")


DECAYS = {  # what decays of a stack of an LTC and a readout
    None: {"1.weight"},
    "1.bias": {"1.bias"},
    ("0.w", "1"): {"0.w", "1.weight", "1.bias"},
    "0": {name for name in two_layers().params if name.startswith("0.")},
    "all": set(two_layers().params),
}


@dtypes
@pytest.mark.parametrize("decay", DECAYS)
def test_what_decays_loses_its_share_of_the_effective_value(decay, dtype):
    """Without a gradient p shrinks by the share s = lr * weight_decay: to first order, so that halving s halves it."""
    for share in (2e-3, 1e-3):
        model = two_layers(dtype)
        model.params["1.bias"] = 0.5
        before = model.effective
        frozen = "0.mu"
        model.freeze(frozen)
        AdamW(0.1, weight_decay=10 * share, decay=decay).step(model, np.zeros_like(model.theta))
        for name, p in before.items():
            lost = p - model.effective[name]
            if name in DECAYS[decay] and name != frozen:
                # second order in the share; roundings of p, and of theta, whose magnitude reaches 7
                close = {"rtol": share, "atol": 20 * np.finfo(dtype).eps * np.abs(p).max()}
                np.testing.assert_allclose(lost, share * p, **close)
            else:
                assert (lost == 0).all()


def test_clipped_parameters_decay_as_they_are():
    model = two_layers(positivity="clip")
    before = model.params["0.w"].copy()
    AdamW(0.1, weight_decay=0.5, decay="0.w").step(model, np.zeros_like(model.theta))
    np.testing.assert_allclose(model.params["0.w"], 0.95 * before, rtol=1e-15)


def test_names_of_what_decays_are_looked_up_before_anything_changes():
    model = two_layers()
    before = model.theta.copy()
    for names, error, words in (
        ("v", ValueError, r"`decay` must be parameters of the model, or layers that have some \('0', '1'\), got 'v'"),
        (["0.w", "w"], ValueError, "`decay` must be .*, got 'w'; did you mean '0.w'"),
    ):
        optimizer = AdamW(decay=names)
        with pytest.raises(error, match=words):
            optimizer.step(model, np.ones_like(model.theta))
        assert optimizer.t == 0 and np.array_equal(model.theta, before)
    optimizer.decay = "0.w"
    optimizer.step(model, np.zeros_like(model.theta))
    optimizer.decay = "1.weight"  # what was looked up for the other names counts no longer
    between = model.params["0.w"].copy()
    optimizer.step(model, np.zeros_like(model.theta))
    assert np.array_equal(model.params["0.w"], between)
    assert not np.array_equal(model.theta, before)


@every
def test_one_optimizer_for_two_layouts_of_one_size(name):
    """Rates and decay are those of the model that is stepped, not of the one before."""
    layouts = [
        Layout((Entry("a", (2,), 1.0, decay=first, lr_scale=2 + first), Entry("b", (2,), 1.0, decay=not first)))
        for first in (True, False)
    ]
    grad, models = np.array([1.0, -2, 3, -4]), [Model(np.ones(4)) for _ in range(3)]
    models[0].layout, models[1].layout, models[2].layout = layouts[0], layouts[1], layouts[1]
    optimizer, fresh = OPTIMIZERS[name](), OPTIMIZERS[name]()
    optimizer.step(models[0], grad)
    fresh.load_state(optimizer.state())
    optimizer.step(models[1], grad)
    fresh.step(models[2], grad)
    np.testing.assert_array_equal(models[1].theta, models[2].theta)


@pytest.mark.parametrize("through", ["state", "pickle", "deepcopy", "npz"])
@every
def test_resuming_gives_the_same_bits(name, through, tmp_path):
    grads = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    schedule = WarmUp(CosineDecay(0.05, 15), 3)

    def run(model, optimizer, steps):
        for k in steps:
            optimizer.step(model, grads[k])

    model, optimizer = (
        Model(np.ones(9, np.float32), lr_scale=np.linspace(0, 1, 9)),
        OPTIMIZERS[name](schedule),
    )
    run(model, optimizer, range(11))
    resumed = copy.deepcopy(model)
    if through == "pickle":
        again = pickle.loads(pickle.dumps(optimizer))
    elif through == "deepcopy":
        again = copy.deepcopy(optimizer)
    else:
        state = optimizer.state()
        if through == "npz":
            np.savez(tmp_path / "state.npz", **state)
            with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
                state = dict(file)
        again = OPTIMIZERS[name](schedule)
        again.load_state(state)
    run(model, optimizer, range(11, 20))
    run(resumed, again, range(11, 20))
    assert model.theta.tobytes() == resumed.theta.tobytes()
    assert optimizer.t == again.t == 20


@every
def test_state_is_a_copy(name):
    model, optimizer = Model(np.ones(3)), OPTIMIZERS[name]()
    assert optimizer.state() == {"t": 0}
    optimizer.step(model, np.ones(3))
    state = optimizer.state()
    kept = copy.deepcopy(state)
    other = OPTIMIZERS[name]()
    other.load_state(state)
    optimizer.step(model, np.ones(3))
    other.step(Model(np.ones(3)), np.ones(3))
    for key, values in state.items():
        np.testing.assert_array_equal(values, kept[key])
    optimizer.load_state({"t": 0})
    assert optimizer.state() == {"t": 0}


def test_load_state_refuses():
    optimizer = Adam()
    optimizer.step(Model(np.ones(3)), np.ones(3))
    good = optimizer.state()
    cases = [
        ([1], TypeError, "`state` must be a mapping, got list"),
        ({}, ValueError, r"`state\['t'\]` must be an int >= 0, got None"),
        ({**good, "t": -1}, ValueError, r"`state\['t'\]` must be an int >= 0, got -1"),
        ({**good, "t": 1.0}, ValueError, r"`state\['t'\]` must be an int >= 0, got 1.0"),
        ({"t": 1}, ValueError, "`state` of Adam must have t, m, v, got t"),
        ({"t": 1, "v": np.ones(3), "b": np.ones(3)}, ValueError, "must have t, m, v, got t, v, b"),
        ({**good, "extra": 1}, ValueError, "must have t, m, v, got t, m, v, extra"),
        (
            {**good, "v": np.ones(4)},
            ValueError,
            r"`state\['v'\]` must be float64 of shape \(3,\), got float64 of",
        ),
        ({**good, "v": np.ones(3, np.float32)}, ValueError, r"must be float64 of shape \(3,\), got float32"),
        ({**good, "m": np.ones((3, 1))}, ValueError, "`state.'m'.` must be a flat float32 or float64 array"),
        ({**good, "m": [1, 2, 3]}, ValueError, "must be a flat float32 or float64 array, got int"),
        ({**good, "m": np.array([1, np.nan, 1])}, ValueError, r"`state\['m'\]` must be finite, got nan"),
        (
            {**good, "v": np.array([1, -2.0, 1])},
            ValueError,
            r"`state\['v'\]` must be finite and >= 0, got -2.0",
        ),
    ]
    for state, error, message in cases:
        with pytest.raises(error, match=message):
            optimizer.load_state(state)
        assert optimizer.t == 1
        np.testing.assert_array_equal(optimizer.m, good["m"])


@every
def test_another_model_needs_a_fresh_optimizer(name):
    optimizer = OPTIMIZERS[name]()
    optimizer.step(Model(np.ones(3, np.float32)), np.ones(3, np.float32))
    for other in (np.ones(4, np.float32), np.ones(3)):
        with pytest.raises(ValueError, match=r"float32 of shape \(3,\) .*, got float.*: take a fresh"):
            optimizer.step(Model(other), np.ones_like(other))
    optimizer.reset()
    assert optimizer.state() == {"t": 0}
    assert all(getattr(optimizer, key) is None for key in optimizer.moment_names)
    optimizer.step(Model(np.ones(4)), np.ones(4))


def test_step_refuses_before_it_changes_anything():
    model, optimizer = Model(np.ones(3)), Adam(lambda step: math.nan)
    with pytest.raises(ValueError, match="`lr` must be a finite number >= 0, got nan"):
        optimizer.step(model, np.ones(3))
    optimizer.lr = 0.1
    with pytest.raises(TypeError, match="`grad` must be an array, got list"):
        optimizer.step(model, [1.0, 1.0, 1.0])
    for grad in (np.ones(1), np.ones((3, 1)), np.ones(3, np.float32), np.ones(3, int)):
        with pytest.raises(ValueError, match=r"`grad` must be float64 of shape \(3,\) like theta, got "):
            optimizer.step(model, grad)
    assert model.theta.tolist() == [1, 1, 1] and optimizer.t == 0 and optimizer.state() == {"t": 0}
    for theta in (np.ones((2, 2)), np.ones(3, int), np.ones(3, np.float16)):
        with pytest.raises(TypeError, match="must be a flat float32 or float64 array, got "):
            optimizer.step(Model(theta), theta.copy())


@dtypes
@every
def test_no_allocation_and_no_other_dtype(name, dtype):
    size = 50_000
    model = Model(np.ones(size, dtype), np.arange(size) % 3 > 0, lr_scale=np.full(size, 0.5))
    optimizer, grad = OPTIMIZERS[name](), np.ones(size, dtype)
    grad_before = grad.copy()
    optimizer.step(model, grad)
    tracemalloc.start()
    try:
        optimizer.step(model, grad)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size  # bytes: less than a quarter of one float32 array
    kept = [value for key, value in vars(optimizer).items() if not key.endswith("_of")]
    own = [value for value in (*kept, *optimizer.moments.values()) if isinstance(value, np.ndarray)]
    assert len(own) >= 4 and {array.dtype for array in own} == {np.dtype(dtype)}
    np.testing.assert_array_equal(grad, grad_before)


def test_hyperparameters_may_change_between_steps():
    model, optimizer = Model([1.0]), SGD(0.5)
    optimizer.step(model, np.ones(1))
    optimizer.lr, optimizer.momentum = 0.25, 0.5
    optimizer.step(model, np.ones(1))
    optimizer.step(model, np.ones(1))
    assert model.theta.tolist() == [1 - 0.5 - 0.25 - 0.25 * 1.5]
    for lr in (0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="`lr` must be a finite number > 0, got"):
            optimizer.lr = lr


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Adam(0), ValueError, "`lr` must be a finite number > 0, got 0"),
        (lambda: Adam("fast"), TypeError, "`lr` must be a finite number > 0, got 'fast'"),
        (lambda: Adam(True), TypeError, "`lr` must be a finite number > 0, got True"),
        (lambda: Adam(beta1=1.0), ValueError, r"`beta1` must be a finite number in \[0, 1\), got 1.0"),
        (lambda: Adam(beta2=-0.1), ValueError, r"`beta2` must be a finite number in \[0, 1\), got -0.1"),
        (lambda: Adam(epsilon=0), ValueError, "`epsilon` must be a finite number >= 1e-30, got 0"),
        (lambda: AdamW(weight_decay=-1), ValueError, "`weight_decay` must be a finite number >= 0, got -1"),
        (
            lambda: AdamW(weight_decay=math.inf),
            ValueError,
            "`weight_decay` must be a finite number >= 0, got inf",
        ),
        (
            lambda: RMSprop(alpha=math.nan),
            ValueError,
            r"`alpha` must be a finite number in \[0, 1\), got nan",
        ),
        (lambda: RMSprop(momentum=1), ValueError, r"`momentum` must be a finite number in \[0, 1\), got 1"),
        (lambda: SGD(0.1, nesterov=True), ValueError, "`momentum` must be > 0 with nesterov, got 0.0"),
        (lambda: SGD(0.1, 0.9, nesterov="yes"), TypeError, "`nesterov` must be a bool, got 'yes'"),
        (
            lambda: ExponentialDecay(0.1, 1.5, 10),
            ValueError,
            r"`rate` must be a finite number in \(0, 1\], got 1.5",
        ),
        (lambda: ExponentialDecay(0.1, 0.5, 0), ValueError, "`steps` must be an int >= 1, got 0"),
        (lambda: CosineDecay(0.1, 10.0), TypeError, "`steps` must be an int >= 1, got 10.0"),
        (lambda: CosineDecay(0.1, 10, -1), ValueError, "`final` must be a finite number >= 0, got -1"),
        (lambda: WarmUp(-0.1, 10), ValueError, "`schedule` must be a finite number > 0, got -0.1"),
        (lambda: WarmUp(0.1, True), TypeError, "`steps` must be an int >= 1, got True"),
        (
            lambda: AdamW(decay=3),
            TypeError,
            '`decay` must be None, "all", or a name or several names of parameters, got 3',
        ),
        (lambda: AdamW(decay=[]), TypeError, r"`decay` must be None, .*, got \[\]"),
        (lambda: AdamW(decay=["w", None]), TypeError, r"`decay` must be None, .*, got \['w', None\]"),
        (lambda: SGD(), TypeError, "`lr` must be a finite number > 0, got None"),
        (lambda: Adam(learning_rate=-1), ValueError, "`learning_rate` must be a finite number > 0, got -1"),
        (
            lambda: ExponentialDecay(0.1, 0.5, 10, staircase=1),
            TypeError,
            "`staircase` must be a bool, got 1",
        ),
        (lambda: PiecewiseConstant([], [1]), TypeError, r"`boundaries` must be a list of one number or more, got \[\]"),
        (lambda: PiecewiseConstant(3, [1, 2]), TypeError, "`boundaries` must be a list of one number or more, got 3"),
        (lambda: PiecewiseConstant([3, 3], [1, 2, 3]), ValueError, r"`boundaries` must increase, got \[3, 3\]"),
        (lambda: PiecewiseConstant([2.5], [1, 2]), TypeError, r"`boundaries\[0\]` must be an int >= 1, got 2.5"),
        (lambda: PiecewiseConstant([3], [1, -2]), ValueError, r"`values\[1\]` must be a finite number >= 0, got -2"),
        (lambda: PiecewiseConstant([3], [1]), ValueError, "`values` must be one more than the 1 boundaries, got 1"),
        (lambda: PerEpoch(0.1), TypeError, "`schedule` must be a schedule or a function, got 0.1"),
        (lambda: PerEpoch(PerEpoch(abs)), ValueError, "`schedule` must count steps, got one per epoch, PerEpoch"),
        (lambda: WarmUp(PerEpoch(abs), 3), ValueError, "put `PerEpoch` around the whole"),
        (
            lambda: get("adagrad"),
            ValueError,
            f"`optimizer` must be an Optimizer or one of {', '.join(optim.OPTIMIZERS)}, got 'adagrad'",
        ),
        (
            lambda: get(Adam),
            TypeError,
            r"`optimizer` must be an Optimizer or one of .*, got <class .*; call it: Adam",
        ),
        (lambda: get(0.1), TypeError, "`optimizer` must be an Optimizer or one of .*, got 0.1$"),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_get():
    for name, cls in optim.OPTIMIZERS.items():
        assert name == cls.__name__.lower() and f'``"{name}"``' in get.__doc__
        assert type(get(name)) is cls and get(name) is not get(name)
        assert type(get(name.upper())) is cls and type(get(cls.__name__)) is cls
        assert get(name).lr == (0.01 if cls.usual_lr is None else cls.usual_lr)
    optimizer = Adam()
    assert get(optimizer) is optimizer


def test_every_optimiser_has_examples_and_is_public():
    assert {type(make()) for make in OPTIMIZERS.values()} == set(optim.OPTIMIZERS.values())
    classes = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}  # schedules too
    assert classes - {"Optimizer"} <= set(ltc_np.__all__)


@pytest.mark.parametrize("kind", optim.OPTIMIZERS.values())
def test_the_learning_rate_has_two_names(kind):
    schedule = CosineDecay(0.1, 5)
    for rate in (0.25, schedule):
        assert repr(kind(learning_rate=rate)) == repr(kind(lr=rate)) == repr(kind(rate))
        assert kind(learning_rate=rate).lr == rate
    with pytest.raises(TypeError, match="`lr` and `learning_rate` are two names of one argument: .*, got 0.1 and 0.2"):
        kind(0.1, learning_rate=0.2)
    optimizer = kind(0.5)
    optimizer.learning_rate = 0.125
    assert optimizer.lr == optimizer.learning_rate == 0.125
    optimizer.learning_rate = schedule
    assert optimizer.lr is schedule and optimizer.learning_rate == 0.1
    with pytest.raises(ValueError, match="`learning_rate` must be a finite number > 0, got 0"):
        optimizer.learning_rate = 0


def test_all_public_names_exist():
    assert all(hasattr(optim, name) for name in optim.__all__)
