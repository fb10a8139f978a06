"""LayerNorm, BatchNorm, GELU, GLU, Pooling: against naive formulas; what training does to statistics of a batch."""

import math

import numpy as np
import pytest
from support.gradients import worst

from ltc_np import (
    GELU,
    GLU,
    GRU,
    LSTM,
    SGD,
    Adam,
    BatchNorm,
    Bidirectional,
    Checkpoint,
    Conv1D,
    Dense,
    Dropout,
    InputMapping,
    LayerNorm,
    MixedMemory,
    MixtureDensity,
    Model,
    Pooling,
    Residual,
    Standardize,
    load,
)
from ltc_np.base.workspace import Fresh


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def model_of(*layers, seed=1, **options):
    return Model(*layers, seed=seed, dtype="float64", **options)


# ------------------------------------------------------------------------------------------------ LayerNorm


def test_layer_norm_is_its_formula(backend):
    x = 3 + 2 * normal(3, 5, 7)
    layer = LayerNorm(epsilon=1e-3, input_dim=7, init={"scale": (0.5, 2.0), "shift": (-1.0, 1.0)})
    model = model_of(layer, backend=backend)
    want = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    want = want * model.params["scale"] + model.params["shift"]
    np.testing.assert_allclose(model(x), want, rtol=1e-13, atol=1e-13)  # a few roundings


def test_layer_norm_of_equal_features_is_the_shift():
    model = model_of(LayerNorm(input_dim=4, init={"shift": 0.5}))
    assert np.array_equal(model(np.full((2, 3, 4), 7.0)), np.full((2, 3, 4), 0.5))


def test_layer_norm_has_the_same_bits_in_every_batch():
    """Of 33 features: vectors and what is left of them."""
    x = normal(37, 5, 33).astype(np.float32)
    model = Model(LayerNorm(input_dim=33), seed=0)
    y = model(x)
    for b in (0, 20, 36):
        assert np.array_equal(model(x[b]), y[b])
        assert np.array_equal(model.step(x[b, 3])[0], y[b, 3])


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers",
    [
        (LayerNorm(input_dim=7),),
        (Residual(LayerNorm(input_dim=7), LSTM(5), GELU(), Dropout(0.1), Dense(14), GLU()), LayerNorm()),
        (Residual(LSTM(7, input_dim=7)), LayerNorm(), Pooling("max"), Pooling("mean")),
        (Residual(BatchNorm(input_dim=7), LSTM(6), Dense(7)), BatchNorm()),
    ],
    ids=["norm", "before", "behind", "batch"],
)
def test_gradients_of_blocks(layers, backend):
    """As they are used, with several features and the default epsilon."""
    x = normal(3, 4, 7, seed=5)  # not the one of the check: of x itself a norm has hardly a gradient
    assert worst(model_of(*layers, backend=backend), x, lengths=[4, 0, 2]) < 1e-6


# --------------------------------------------------------------------------------------------- GELU and GLU


def test_gelu_is_exact(backend):
    x = np.concatenate([np.linspace(-12, 12, 700), [0.0, -40.0, 40.0]]).reshape(1, -1, 37)
    want = np.array([0.5 * z * math.erfc(-z / math.sqrt(2)) for z in x.ravel()]).reshape(x.shape)
    np.testing.assert_allclose(model_of(GELU(input_dim=37), backend=backend)(x), want, rtol=1e-12, atol=1e-15)
    single = Model(GELU(input_dim=37), seed=0, backend=backend)(x)
    np.testing.assert_allclose(single, want, rtol=1e-5, atol=1e-6)


def test_gelu_is_that_of_dense(backend):
    x = normal(300, 4, 5)  # more than one block of rows
    identity = {"weight": np.eye(5)}
    one, two = model_of(GELU(input_dim=5), backend=backend), model_of(Dense(5, "gelu", input_dim=5, init=identity))
    np.testing.assert_allclose(one(x), two(x), rtol=1e-13, atol=1e-13)
    (_, tape), (_, tape_two) = one.forward(x), two.forward(x)
    np.testing.assert_allclose(one.backward(tape, x).x, two.backward(tape_two, x).x, rtol=1e-12, atol=1e-12)


def test_glu_is_its_formula():
    x = normal(3, 4, 6)
    a, b = x[..., :3], x[..., 3:]
    np.testing.assert_allclose(model_of(GLU(input_dim=6))(x), a / (1 + np.exp(-b)), rtol=1e-14)


# ---------------------------------------------------------------------------------------------- Standardize


@pytest.mark.parametrize("clip", [None, 0.75])
def test_standardize_is_its_formula(clip):
    """What is exactly as large as the limit is not cut off, and has a gradient."""
    mean, scale, x = np.array([1.0, -2.0]), np.array([0.5, 4.0]), np.array([[[1.375, -5.0], [3.0, 0.0], [0.5, 9.0]]])
    model = model_of(Standardize(mean=mean, scale=scale, clip=clip, input_dim=2))
    y, tape = model.forward(x)
    want, d_y = (x - mean) / scale, normal(*x.shape)
    most = np.inf if clip is None else clip
    assert np.array_equal(y, np.clip(want, -most, most)) and (np.abs(want) == 0.75).sum() == 2
    assert np.array_equal(model.backward(tape, d_y).x, np.where(np.abs(want) <= most, d_y / scale, 0))
    assert np.array_equal(model(x), y)
    if clip is None:
        back = model_of(Standardize(inverse=True, mean=mean, scale=scale, input_dim=2))
        again, tape = back.forward(y)
        assert np.array_equal(again, x) and np.array_equal(back.backward(tape, d_y).x, d_y * scale)


# -------------------------------------------------------------------------------------------------- Pooling


def test_pooling_is_of_the_steps_so_far():
    x, lengths = normal(3, 6, 2), [6, 0, 3]
    for kind, naive in (("mean", np.mean), ("max", np.max), ("last", lambda a, axis: a[-1])):
        model = model_of(Pooling(kind, input_dim=2))
        y = model(x, lengths=lengths)
        last = model(x, lengths=lengths, return_sequences=False)
        for b, n in enumerate(lengths):
            for t in range(n):
                np.testing.assert_allclose(y[b, t], naive(x[b, : t + 1], axis=0), rtol=1e-13, atol=1e-15)
            assert np.array_equal(last[b], y[b, n - 1] if n else np.zeros(2))


def test_the_first_maximum_has_the_gradient():
    """Also that of the state before, if no step is above it."""
    x = np.array([[[1.0], [3.0], [3.0], [2.0]]])
    model = model_of(Pooling("max", input_dim=1))
    for h0, d_x, d_h0 in ((0.0, [1, 9, 0, 0], 0), (1.0, [0, 9, 0, 0], 1), (3.0, [0, 0, 0, 0], 10), (5, [0] * 4, 10)):
        _, tape = model.forward(x, h0=[[h0]])
        g = model.backward(tape, np.array([1.0, 2, 3, 4])[None, :, None])
        assert g.x.ravel().tolist() == d_x
        assert g.h0.tolist() == [[d_h0]]


def test_padding_is_no_maximum():
    x = np.array([[[-2.0], [-1.0], [0.0], [0.0]]])
    _, state = Model(Pooling("max", input_dim=1), seed=0)(x, lengths=[2], return_state=True)
    assert state.ravel().tolist() == [-1.0]


def test_a_negative_maximum_is_no_zero():
    model = Model(Pooling("max", input_dim=1), seed=0)
    assert model(-np.ones((2, 3, 1)), lengths=[3, 1])[:, 0].tolist() == [[-1], [-1]]
    _, state = model.step(np.full((1, 1), -5.0))
    assert model.step(np.full((1, 1), -7.0), state=state)[0].tolist() == [[-5]]


def test_a_mean_over_many_steps_in_float32():
    """A sum in float32 would be off by 1e-4 where its terms fall below its last digits."""
    T = 20_000
    x = np.full((1, T, 2), 0.3, np.float32)
    x[:, :, 1] = 100 + normal(T)
    y = Model(Pooling("mean", input_dim=2), seed=0)(x)
    np.testing.assert_allclose(y[0, -1], x[0].mean(0, dtype=np.float64), rtol=1e-5)


def test_elapsed_time_weighs_nothing_in_the_mean():
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(Pooling("mean", input_dim=1), seed=0)(np.ones((1, 2, 1)), dt=1.0)


@pytest.mark.parametrize("kind", [LayerNorm, BatchNorm])
def test_long_float32_gradients_of_norms(kind):
    """Terms of one sign, which a sum in float32 would lose digits of; also statistics of so many steps."""
    T = 20_000
    x = np.array([0.3, 1.1, -0.7]) + np.array([1.0, 0.1, 1.0]) * normal(1, T, 3)
    found = []
    for dtype in ("float64", "float32"):
        model = Model(kind(input_dim=3), seed=0, dtype=dtype, backend="numpy")
        y, tape = model.forward(x.astype(np.float32), dropout_seed=0)
        g = model.backward(tape, np.where(y > 0, 0.3, -0.3))  # times y all are positive
        found.append((g.theta, model.backward(tape, np.full_like(y, 0.3)).theta[3:]))
    for exact, single in zip(*found, strict=True):
        np.testing.assert_allclose(single, exact, rtol=1e-6)


@pytest.mark.parametrize(
    "layer", [Dense(2), InputMapping(), MixtureDensity(1), Conv1D(2, 1)], ids=lambda x: type(x).__name__
)
def test_long_float32_gradients_of_what_is_added(layer):
    """Of so many equal terms a sum in float32 loses four digits."""
    found = []
    for dtype in ("float64", "float32"):
        model = Model(layer, input_dim=2, seed=0, dtype=dtype, backend="numpy")
        y, tape = model.forward(np.ones((1, 20_000, 2), np.float32))
        grad = model.views(model.backward(tape, np.full_like(y, 0.3)).theta)
        found.append(next(grad[name] for name in ("bias", "input_b") if name in grad))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


# ------------------------------------------------------------------------------------------------ BatchNorm

LENGTHS = np.array([5, 0, 2, 4])


def naive(x, lengths):
    """Mean, biased and unbiased variance of the valid steps; a single step varies by 0."""
    steps = np.concatenate([x[b, :n] for b, n in enumerate(lengths)])
    return steps.mean(0), steps.var(0), steps.var(0, ddof=min(len(steps) - 1, 1))


def test_training_takes_the_statistics_of_the_batch():
    x = 3 + 2 * normal(4, 5, 3)
    model = model_of(BatchNorm(epsilon=1e-3, input_dim=3, init={"scale": (0.5, 2.0), "shift": (-1.0, 1.0)}))
    mean, variance, _ = naive(x, LENGTHS)
    y = model.forward(x, lengths=LENGTHS, dropout_seed=1)[0]
    want = (x - mean) / np.sqrt(variance + 1e-3) * model.params["scale"] + model.params["shift"]
    valid = np.arange(5) < LENGTHS[:, None]
    np.testing.assert_allclose(y[valid], want[valid], rtol=1e-12, atol=1e-12)
    model.buffers["mean"], model.buffers["variance"] = [1, 2, 3], [4, 5, 6]
    want = (x - [1, 2, 3]) / np.sqrt(np.array([4, 5, 6]) + 1e-3) * model.params["scale"] + model.params["shift"]
    np.testing.assert_allclose(model(x, lengths=LENGTHS)[valid], want[valid], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "layers",
    [
        (BatchNorm(input_dim=3),),
        (Dense(4, "tanh", input_dim=3), BatchNorm(), LSTM(3)),
        (Residual(BatchNorm(input_dim=3), Dense(5), Dropout(0.3), GELU(), Dense(6), GLU()), BatchNorm()),
        (Bidirectional(Residual(LSTM(3, input_dim=3), BatchNorm())),),
    ],
    ids=["alone", "between", "residual", "both ways"],
)
def test_gradients_in_training(layers, backend):
    """Coordinate by coordinate of x; of the parameters along a direction."""
    model = model_of(*layers, backend=backend)
    x, step = normal(4, 5, 3), 1e-5
    y, tape = model.forward(x, lengths=LENGTHS, dropout_seed=5)
    c, way = normal(*y.shape, seed=1), normal(model.theta.size, seed=2)
    g, theta = model.backward(tape, c), model.theta.copy()

    def f(x):
        return float((c * model.forward(x, lengths=LENGTHS, dropout_seed=5)[0]).sum())

    numeric = np.zeros_like(x)
    for k in np.ndindex(*x.shape):
        if k[1] < LENGTHS[k[0]]:
            moved = [x.copy(), x.copy()]
            moved[0][k] += step
            moved[1][k] -= step
            numeric[k] = (f(moved[0]) - f(moved[1])) / (2 * step)
    assert np.abs(g.x - numeric).max() < 1e-6 * np.abs(numeric).max()
    slopes = []
    for sign in (1, -1):
        model.theta = theta + sign * step * way
        slopes.append(f(x))
    assert abs(g.theta @ way - (slopes[0] - slopes[1]) / (2 * step)) < 1e-6 * np.abs(g.theta * way).sum()


def test_padding_changes_nothing_in_training():
    """Neither what stands there, nor how much of it: outputs, gradients and the statistics that are kept."""
    x, y = 3 + normal(4, 8, 3), normal(4, 8, 3)
    found = []
    for T, filled in ((5, 0.0), (8, 1e6)):
        model = model_of(BatchNorm(input_dim=3), Dense(3))
        given = np.where((np.arange(T) < LENGTHS[:, None])[:, :, None], x[:, :T], filled)
        out = model.forward(given, lengths=LENGTHS, dropout_seed=1)[0][:, :5]
        loss, gradient = model.loss_and_grad(given, y[:, :T], lengths=LENGTHS, dropout_seed=1)
        model.fit(given, y[:, :T], lengths=LENGTHS, seed=0, verbose=False)
        found.append((out, loss, gradient, model.buffer_vector.copy()))
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)  # zeros more in a sum, in another order


def test_only_the_steps_of_an_optimiser_change_the_buffers():
    x, y = 3 + normal(4, 5, 3), normal(4, 5, 3)
    model = model_of(BatchNorm(input_dim=3))
    before = model.buffer_vector.copy()
    model(x), model.predict(x), model.evaluate(x, y), model.step(x[:, 0])
    model.loss_and_grad(x, y), model.loss_and_grad(x, y, dropout_seed=1), model.forward(x, dropout_seed=1)
    assert np.array_equal(model.buffer_vector, before)
    model.fit(x, y, seed=0, verbose=False)
    assert not np.array_equal(model.buffer_vector, before)


@pytest.mark.parametrize("tbptt", [None, 2])
def test_statistics_that_are_kept(tbptt):
    """All batches weigh the same until there are 1 / momentum of them; chunks are batches of their own."""
    x, lengths = 3 + 2 * normal(8, 5, 2), np.array([5, 3, 1, 4, 5, 2, 1, 1])
    model = model_of(BatchNorm(momentum=0.3, input_dim=2))
    options = {"batch_size": 2, "shuffle": False, "epochs": 2, "tbptt": tbptt}
    model.fit(x, 0 * x, lengths=lengths, optimizer=SGD(0.1), seed=0, verbose=False, **options)
    mean, variance, batches = np.zeros(2), np.ones(2), 0
    for _ in range(2):
        for first in range(0, 8, 2):
            for start in range(0, 5, tbptt or 5):
                part = slice(start, start + (tbptt or 5))
                own = np.clip(lengths[first : first + 2] - start, 0, tbptt or 5)
                if own.sum() == 0:
                    continue
                m, _, unbiased = naive(x[first : first + 2, part], own)
                batches += 1
                share = max(0.3, 1 / batches)
                mean += share * (m - mean)
                variance += share * (unbiased - variance)
    assert model.buffers["batches"][0] == batches
    np.testing.assert_allclose(model.buffers["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(model.buffers["variance"], variance, rtol=1e-12)


def test_a_batch_without_a_step_has_no_statistics():
    """Its loss has no weight, so `fit` makes no step of it; a model in a loop of one's own may come to one."""
    model = model_of(BatchNorm(input_dim=2))
    layer, before = model.layers[0], dict(model.buffers)
    prepared = layer.prepare(model.params, model.buffers, "numpy")
    for lengths, changed in (([3, 1], True), ([0, 0], False)):
        x = np.where((np.arange(4) < np.array(lengths)[:, None])[:, :, None], normal(2, 4, 2), 0)
        given = (prepared, x, None, np.array(lengths), np.zeros((2, 0)), "full", Fresh(), np.random.default_rng(0))
        y, h, saved = layer.forward(*given)
        assert bool(layer.new_buffers(before, saved)) == changed
        d_x, _, _ = layer.backward(prepared, saved, np.zeros_like(y), h, dict(model.params), True, False, Fresh())
        assert (d_x == 0).all()


def trained(epochs, path=None, *, initial_epoch=0, model=None, optimizer=None, **options):
    rng = np.random.default_rng(0)
    x = 2 + rng.normal(size=(20, 6, 2))
    y = np.cumsum(x, axis=1) / 3
    if model is None:
        inner = Residual(BatchNorm(), Dense(12), GLU())
        model = Model(
            Bidirectional(LSTM(3)), inner, BatchNorm(), Dropout(0.2), Dense(2), input_dim=2, seed=0, dtype="float64"
        )
    callbacks = () if path is None else Checkpoint(path)
    history = model.fit(
        x, y, validation=(x[:7], y[:7] + rng.normal(size=(7, 6, 2))), batch_size=6, epochs=range(initial_epoch, epochs),
        optimizer=optimizer or Adam(0.05), seed=3, callbacks=callbacks, verbose=False,
        lengths=np.arange(20) % 6 + 1, **options,
    )  # fmt: skip
    return model, history


def test_a_training_with_statistics_resumes_with_the_same_bits(tmp_path):
    whole, _ = trained(6, tmp_path / "{epoch}.npz")
    optimizer = Adam(0.05)
    part = load(tmp_path / "2.npz", optimizer=optimizer)
    again, _ = trained(6, tmp_path / "again {epoch}.npz", initial_epoch=2, model=part, optimizer=optimizer)
    assert np.array_equal(again.best.buffers, whole.best.buffers)
    last, last_again = load(tmp_path / "6.npz"), load(tmp_path / "again 6.npz")
    assert last.buffers["2.batches"] == 24
    for one, two in ((again, whole), (last_again, last)):
        assert np.array_equal(one.theta, two.theta)
        assert np.array_equal(one.buffer_vector, two.buffer_vector)


@pytest.mark.slow
def test_the_best_weights_come_with_their_statistics(tmp_path):
    """Those of the epoch, not of the last one: so that the model is as good as it was then."""
    model, history = trained(12)
    assert history.best_epoch < 11  # the targets of validation are noise
    then, _ = trained(history.best_epoch + 1, keep_best=False)
    assert np.array_equal(model.theta, then.theta)
    assert np.array_equal(model.buffer_vector, then.buffer_vector)
    last, _ = trained(12, keep_best=False)
    assert not np.array_equal(model.buffer_vector, last.buffer_vector)
    model.save(tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert np.array_equal(again.buffer_vector, model.buffer_vector)
    assert np.array_equal(again.best.buffers, model.best.buffers)
    assert Model(LSTM(2, input_dim=1), seed=0).best is None


def test_a_training_that_fails_leaves_statistics_of_before():
    """A loss that is not finite keeps those of before the last step, like the parameters."""
    x, y = normal(9, 4, 2), normal(9, 4, 2)
    kept = []

    def loss(out, target):
        kept.append(model.buffer_vector.copy())
        value = np.inf if len(kept) == 3 else float(((out - target) ** 2).mean())
        return value, 2 * (out - target) / out.size

    model = model_of(BatchNorm(input_dim=2), Dense(2))
    with pytest.raises(FloatingPointError, match="loss inf"):
        model.fit(x, y, batch_size=3, loss=loss, seed=0, verbose=False)
    assert np.array_equal(model.buffer_vector, kept[1])
    assert not np.array_equal(kept[2], kept[1])


def test_a_metric_that_does_not_fit_leaves_statistics_as_they_were():
    def fails(y, target):
        raise RuntimeError("no such metric")

    model = model_of(BatchNorm(input_dim=2))
    before = model.buffer_vector.copy()
    with pytest.raises(Exception, match="no such metric"):
        model.fit(normal(9, 4, 2), normal(9, 4, 2), metrics=[fails], batch_size=3, seed=0, verbose=False)
    assert np.array_equal(model.buffer_vector, before)


def test_statistics_of_layers_within():
    model, _ = trained(1)
    names = [name for name in model.buffers if name.endswith("batches")]
    assert names == ["1.0.batches", "2.batches"]
    assert all(model.buffers[name][0] == 4 for name in names)
    both = Model(Bidirectional(Residual(BatchNorm(), LSTM(2))), input_dim=2, seed=0)
    both.fit(2 + normal(9, 4, 2), normal(9, 4, 4), batch_size=3, seed=0, verbose=False)
    assert {name: both.buffers[name][0] for name in both.buffers if name.endswith("batches")} == {
        "forward_0.batches": 3,
        "backward_0.batches": 3,
    }


def test_each_direction_has_statistics_of_its_own():
    """Those of a layer alone that reads the sequences this way round; what a state goes through differs by that."""
    layer, x = Residual(GRU(2, input_dim=2), BatchNorm(input_dim=2)), 2 + normal(5, 4, 2)
    both = model_of(Bidirectional(layer), backend="numpy")
    alone = [model_of(layer, backend="numpy") for _ in range(2)]
    for model, prefix, seen in zip(alone, ("forward_", "backward_"), (x, x[:, ::-1]), strict=True):
        for name in model.params:
            model.params[name] = both.params[prefix + name]
        model.fit(seen, np.zeros((5, 4, 2)), epochs=1, optimizer=SGD(1e-300), verbose=False)
    both.fit(x, np.zeros((5, 4, 4)), epochs=1, optimizer=SGD(1e-300), verbose=False)
    for model, prefix in zip(alone, ("forward_", "backward_"), strict=True):
        for name in model.buffers:
            np.testing.assert_allclose(both.buffers[prefix + name], model.buffers[name], rtol=1e-12)
    assert not np.allclose(both.buffers["forward_1.mean"], both.buffers["backward_1.mean"], rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LayerNorm(epsilon=0), ValueError, r"`epsilon` must be a finite number > 0, got 0"),
        (lambda: BatchNorm(epsilon=0), ValueError, r"`epsilon` must be a finite number > 0, got 0"),
        (lambda: BatchNorm(momentum=0), ValueError, r"`momentum` must be a finite number in \(0, 1\], got 0"),
        (lambda: BatchNorm(momentum=1.5), ValueError, r"`momentum` must be a finite number in \(0, 1\], got 1\.5"),
        (lambda: LayerNorm(input_dim=3, init={"gain": 1}), ValueError, "gain"),
        (lambda: GLU(input_dim=3), ValueError, "`input_dim` must be even, .*, got 3"),
        (lambda: Model(Dense(5), GLU(), input_dim=2), ValueError, "`input_dim` must be even, .*, got 5: to"),
        (lambda: Pooling("sum"), ValueError, "`kind` must be one of 'mean', 'max', 'last', got 'sum'"),
        (
            lambda: MixedMemory(Residual(BatchNorm(input_dim=2), LSTM(2))),
            ValueError,
            "`cell` must ",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()
