"""Bound gradients: a training with them against the same training one batch at a time, and who gets which."""

import copy
import signal
from functools import partial

import numpy as np
import pytest
from support.backends import NO_KERNELS

import ltc_np
from ltc_np import (
    L1L2,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Batching,
    Callback,
    Checkpoints,
    Clip,
    CosineDecay,
    Dense,
    EarlyStopping,
    FullyConnected,
    Model,
    ReduceLROnPlateau,
    RMSprop,
)
from ltc_np.losses import get, huber, normalise, quantile
from ltc_np.network import bound
from ltc_np.train.loop import run

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)


pytestmark = pytest.mark.xdist_group("bound")  # whose kernels others have not


@pytest.fixture(autouse=True)
def also_few_steps(monkeypatch):
    monkeypatch.setattr(run, "FEW_STEPS", 1)


METRIC = {"metrics": ["mae"]}  # with which gradients are not bound, and training is the same


class Watching(Callback):
    def on_batch_end(self, step, logs):
        pass


OBSERVED = {"callbacks": Watching()}  # the same, for every loss


def network(wiring=None, dtype="float32", inputs=2, **options):
    return LTCRNN(wiring or FullyConnected(8), inputs, seed=1, dtype=dtype, backend="cpu", **options)


def data(model, n=45, T=5, seed=0, loss="mse"):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, T, model.input_size))
    steps = (n, T) if model.return_sequences else (n,)
    if loss == "cross_entropy":
        return x, rng.integers(0, model.output_size, steps)
    y = rng.standard_normal((*steps, model.output_size))
    return x, (y > 0) if loss == "binary_cross_entropy" else y


def fit(model, *arrays, **options):
    """The history of a few epochs, with batches of 16 and a smaller one.  Optimisers and callbacks are copied."""
    options = {"epochs": 3, "batch_size": 16, "optimizer": Adam(0.02), "seed": 3, "verbose": 0} | copy.deepcopy(options)
    return model.fit(*arrays, **options)


def assert_same(one, other, histories):
    """Two trainings of two models: float32 to the bit, float64 but for the order in which a norm is added up."""
    bound, usual = histories
    assert (bound.steps[:5], usual.steps[:10]) == ("bound", "one by one")
    if one.dtype == np.float32:
        np.testing.assert_array_equal(one.theta, other.theta)
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-11, atol=1e-13)
    assert bound.keys() <= usual.keys() and bound.best_epoch == usual.best_epoch
    for name, values in bound.items():
        np.testing.assert_allclose(values, usual[name], rtol=1e-10 if one.dtype == np.float64 else 1e-13)


LENGTHS = {"lengths": np.arange(45) % 5 + 1}
LENGTHS_OF_33 = {"lengths": np.arange(33) % 5 + 1}
IRREGULAR = {"dt": (np.arange(45 * 5) % 7 / 2).reshape(45, 5)}
CASES = {
    "plain": ({}, {}),
    "float64, clipped": ({"dtype": "float64"}, {"clip_norm": 0.05}),
    "clipped": ({}, {"clip_norm": 0.05}),
    "each array clipped": ({}, {"clip_norm": Clip(0.02, per_array=True)}),
    "no mappings": ({"input_mapping": None, "output_mapping": None}, {}),
    "linear mappings": ({"input_mapping": "linear", "output_mapping": "linear"}, {}),
    "sparse, one input": ({"wiring": AutoNCP(12, 3), "inputs": 1}, {}),
    "a vector of outputs, and three": ({"wiring": FullyConnected(19), "ode_unfolds": 2}, {"clip_norm": 0.5}),
    "two tiles": ({"wiring": AutoNCP(12, 3)}, {"batch_size": 40}),
    "lengths and dt": ({}, LENGTHS | IRREGULAR),
    "exponential, by bounds": ({"solver": "exponential", "ode_unfolds": 2, "positivity": "clip"}, {}),
    "low memory": ({}, {"tbptt": ltc_np.BPTT(memory="low")}),
    "in order, the rest left out": ({}, {"shuffle": False, "batch_size": Batching(16, drop_last=True)}),
    "a schedule, gradient descent": ({}, {"optimizer": SGD(CosineDecay(0.2, 9), momentum=0.9)}),
    "decay": ({}, {"optimizer": AdamW(0.02, weight_decay=0.1, decay="all")}),
    "validation ends it": ({}, {"validation": 0.3, "epochs": 9, "callbacks": [EarlyStopping(2), ReduceLROnPlateau(1)]}),
}


@pytest.mark.few(6)
@pytest.mark.parametrize("name", CASES)
def test_a_training_has_the_same_numbers(name):
    of_model, of_fit = CASES[name]
    models = network(**of_model), network(**of_model)
    histories = [fit(model, *data(model), **of_fit, **more) for model, more in zip(models, ({}, METRIC), strict=True)]
    assert_same(*models, histories)


LOSSES = {
    name: {"loss": loss}
    for name, loss in {
        "mse": "mse",
        "mae": "mae",
        "huber": partial(huber, delta=0.3),
        "quantile": partial(quantile, quantiles=(0.2, 0.9)),
        "cross_entropy": "cross_entropy",
        "binary_cross_entropy": "binary_cross_entropy",
    }.items()
}
OPTIMIZERS = {
    "Adam": Adam(0.02),
    "AdamW": AdamW(CosineDecay(0.05, 9), weight_decay=0.3, decay=("output_b", "output_w")),
    "gradient descent": SGD(CosineDecay(0.2, 9)),
    "momentum": SGD(0.1, momentum=0.8),
    "Nesterov": SGD(0.1, momentum=0.8, nesterov=True),
    "RMSprop": RMSprop(0.01, momentum=0.5),
}


def last_outputs(wiring):
    return network(wiring, return_sequences=False)


def read_out(wiring, return_sequences=True, dtype="float32", outputs=2):
    """An LTC before a Dense that reads it, without a wiring of more outputs than a vector has lanes."""
    layers = LTC(wiring or FullyConnected(19), ode_unfolds=3), Dense(outputs)
    return Model(*layers, input_dim=2, seed=1, dtype=dtype, backend="cpu", return_sequences=return_sequences)


FORMS = {
    "every step": network,
    "last": last_outputs,
    "read out": read_out,
    "last, read out": partial(read_out, return_sequences=False),
}


@pytest.mark.few(5)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_loss_optimizer_and_form_has_the_same_numbers(loss, optimizer, form):
    given = LOSSES[loss] | {"optimizer": OPTIMIZERS[optimizer], "clip_norm": 0.7} | IRREGULAR | LENGTHS
    if "read out" in form and optimizer == "AdamW":
        given["optimizer"] = AdamW(0.02, weight_decay=0.3)  # of the Dense
    models = [FORMS[form](AutoNCP(12, 4)) for _ in range(2)]
    histories = [fit(m, *data(m, loss=loss), **given, **more) for m, more in zip(models, ({}, OBSERVED), strict=True)]
    assert histories[0].steps == "bound"
    assert_same(*models, histories)
    assert not np.array_equal(models[0].theta, FORMS[form](AutoNCP(12, 4)).theta)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_a_read_out_of_several_blocks(dtype, outputs, padded, return_sequences):
    """BLAS gets 256 rows at a time; step by step a batch ends with its longest sequence, here of 11, 21 and 7 steps."""
    models = [read_out(None, return_sequences, dtype, outputs) for _ in range(2)]
    given = {"shuffle": False, "batch_size": 30, "epochs": 2}
    if padded:
        given |= {"lengths": np.concatenate([k - np.arange(30) % 7 for k in (11, 21, 7)])}
    histories = [fit(m, *data(m, 90, 40), **given, **more) for m, more in zip(models, ({}, OBSERVED), strict=True)]
    assert histories[0].steps == "bound"
    assert_same(*models, histories)


GRADIENTS = {
    "mse": ("every step", "mse"),
    "huber": ("last", partial(huber, delta=0.3)),
    "binary": ("every step", "binary_cross_entropy"),
    "classes": ("last, read out", "cross_entropy"),
    "read out": ("read out", "cross_entropy"),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient_is_that_of_the_loss(name):
    """Of one batch, in float64: a step of gradient descent against finite differences of the loss as NumPy has it."""
    form, loss = GRADIENTS[name]
    options = {"return_sequences": "last" not in form, "dtype": "float64"}
    model = (
        read_out(AutoNCP(6, 3), **options) if "read out" in form else network(AutoNCP(6, 3), ode_unfolds=2, **options)
    )
    x, y = data(model, n=17, loss=loss)
    before, function = model.theta.copy(), get(loss)
    history = fit(model, x, y, epochs=1, batch_size=17, loss=loss, optimizer=SGD(1e-3), keep_best=False)
    assert history.steps == "bound"
    gradient = (before - model.theta) / 1e-3
    chosen = [*np.random.default_rng(0).choice(before.size, 12, replace=False), before.size - 1]
    for k in chosen:
        values = []
        for step in (1e-5, -1e-5):
            model.theta[:] = before
            model.theta[k] += step
            values.append(normalise(*function(model(x), y)[:2]))
        np.testing.assert_allclose(gradient[k], (values[0] - values[1]) / 2e-5, rtol=1e-6, atol=1e-9)


def test_frozen_parameters_stay_and_do_not_count_in_the_norm():
    models = network(), network()
    for model in models:
        model.freeze("w", "output_b")
    before = models[0].theta.copy()
    histories = [fit(m, *data(m), clip_norm=0.01, **more) for m, more in zip(models, ({}, METRIC), strict=True)]
    assert_same(*models, histories)
    frozen = ~models[0].trainable
    np.testing.assert_array_equal(models[0].theta[frozen], before[frozen])


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("form", ["every step", "last, read out"])
def test_batches_in_the_other_loop_order(form, threads, calls, monkeypatch):
    """Two sequences of eight neurons are faster in batch-major order, and threads share them sequence by sequence."""
    monkeypatch.setattr("ltc_np.kernels.cpu.tiles.PARALLEL_EVALUATIONS", 0 if threads > 1 else 10**9)
    models = [FORMS[form](FullyConnected(8)) for _ in range(2)]
    try:
        ltc_np.set_num_threads(threads)
        histories = [
            fit(m, *data(m, 33), batch_size=2, clip_norm=0.3, **LENGTHS_OF_33, **more)
            for m, more in zip(models, ({}, OBSERVED), strict=True)
        ]
    finally:
        ltc_np.set_num_threads(None)
    reason = "several threads share a batch" if threads > 1 else "another loop order is faster for few sequences"
    assert histories[0].steps == f"bound, one a call: {reason}" and calls == [1] * 17 * 3
    assert_same(*models, histories)


def test_threads_are_those_of_now(monkeypatch):
    """Arrays are bound for a number of threads, and bound anew when another one is set."""
    made, bind = [], bound.HostGradients._bind
    monkeypatch.setattr(bound.HostGradients, "_bind", lambda self, n: made.append(self.threads) or bind(self, n))

    def more_threads(epoch, logs):
        ltc_np.set_num_threads(2)

    ltc_np.set_num_threads(1)
    try:
        model = network()
        fit(model, *data(model, 32), callbacks=more_threads)
    finally:
        ltc_np.set_num_threads(None)
    assert made == [1, 2]


def test_several_threads_give_the_same_bits(monkeypatch):
    monkeypatch.setattr("ltc_np.kernels.cpu.tiles.PARALLEL_EVALUATIONS", 0)
    models = network(), network()
    try:
        for model, threads in zip(models, (1, 3), strict=True):
            ltc_np.set_num_threads(threads)
            steps = fit(model, *data(model, 80), epochs=2, batch_size=72).steps
            assert steps == ("bound" if threads == 1 else "bound, one a call: several threads share a batch")
    finally:
        ltc_np.set_num_threads(None)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_an_optimiser_without_a_step_is_free_for_another_model():
    """Elapsed times are refused before the optimiser takes the size of a model."""
    model, optimizer = network(solver="euler", ode_unfolds=1), Adam(0.02)
    with pytest.raises(ValueError, match="`dt` must keep"):
        model.fit(*data(model), dt=50.0, batch_size=16, optimizer=optimizer, verbose=0)
    other = network(FullyConnected(3))
    assert other.fit(*data(other), batch_size=16, optimizer=optimizer, verbose=0, epochs=1).steps == "bound"


@pytest.fixture
def calls(monkeypatch):
    """How many steps each call of the kernel has made; after the first, a call makes all that may be made at once."""
    from ltc_np.kernels.cpu import ltc_training

    made, run = [], ltc_training.Bound.run

    def counted(self, rows, *others):
        made.append(len(rows))
        return run(self, rows, *others)

    monkeypatch.setattr(bound, "AT_ONCE", 1e9)
    monkeypatch.setattr(ltc_training.Bound, "run", counted)
    return made


def test_an_epoch_is_one_call(calls):
    models = network(), network()
    histories = [fit(m, *data(m, 100), clip_norm=0.1, **more) for m, more in zip(models, ({}, METRIC), strict=True)]
    assert histories[0].steps == "bound" and calls == [1, 5, 1, 6, 1, 6, 1]  # 6 batches of 16, and one of 4
    assert_same(*models, histories)


def test_a_call_returns_soon(calls, monkeypatch):
    monkeypatch.setattr(bound, "AT_ONCE", 0)
    model = network()
    fit(model, *data(model), epochs=1)
    assert calls == [1, 1, 1]


class Renamed(Adam):
    """Whose step is a function of its own."""

    def change(self, model, grad, lr, delta):
        super().change(model, grad, lr, delta)


ONE_A_CALL = {
    "own": (lambda m: {"optimizer": Renamed(0.1)}, "the optimiser is your own"),
    "decay": (lambda m: {"optimizer": AdamW(0.1, decay="w")}, "parameters decay that are kept positive"),
    "frozen": (lambda m: m.freeze("w"), "parameters are frozen, or each array is clipped by itself"),
    "arrays": (lambda m: {"clip_norm": Clip(1.0, per_array=True)}, "parameters are frozen, or each array is clipped"),
}


@pytest.mark.parametrize("name", ONE_A_CALL)
def test_why_a_call_makes_one_step_is_told(name, calls):
    change, reason = ONE_A_CALL[name]
    model = network()
    steps = fit(model, *data(model, 48), **change(model) or {}).steps
    assert steps.startswith(f"bound, one a call: {reason}") and calls == [1] * 9


OVERFLOWING = {
    "mse, Adam": (network, "mse", Adam(0.02)),
    "huber of the last, momentum": (last_outputs, partial(huber, delta=100.0), SGD(0.02, momentum=0.9)),
    "mse read out, AdamW": (read_out, "mse", AdamW(0.02)),
}


@pytest.mark.filterwarnings("ignore:ltc_np. `y`:RuntimeWarning")
@pytest.mark.parametrize("name", OVERFLOWING)
def test_a_batch_in_the_middle_that_is_not_finite(name, calls):
    """The parameters are those of before the last step that was made, and the error names the batch."""
    form, loss, optimizer = OVERFLOWING[name]
    (one, other), optimizers, said = (form(None), form(None)), [copy.deepcopy(optimizer) for _ in range(3)], []
    given = {"batch_size": 16, "loss": loss, "shuffle": False, "seed": 3, "verbose": 0}
    for model, optimizer, more in zip((one, other), optimizers, ({}, OBSERVED), strict=False):
        x, y = data(model, 100)
        y[16 * 3] = 3e38
        with pytest.raises(FloatingPointError) as caught:
            model.fit(x, y, optimizer=optimizer, **given, **more)
        said.append(str(caught.value))
    assert calls == [1, 5] and "at step 3 (epoch 0, batch 3)" in said[0]
    assert said[0] == said[1] and optimizers[0].t == optimizers[1].t == 3
    np.testing.assert_array_equal(one.theta, other.theta)
    for moment, expected in zip(optimizers[0].moments.values(), optimizers[1].moments.values(), strict=True):
        np.testing.assert_array_equal(moment, expected)
    two = form(None)
    two.fit(x[:32], y[:32], optimizer=optimizers[2], keep_best=False, **given)
    np.testing.assert_array_equal(one.theta, two.theta)


KINDS = {
    "mse, Adam": (network, {"loss": "mse"}),
    "classes read out, Nesterov": (
        read_out,
        {"loss": "cross_entropy", "optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_ctrl_c_is_heard_between_two_calls(name, calls, monkeypatch, interruptible):
    from ltc_np.kernels.cpu import ltc_training

    run = ltc_training.Bound.run

    def interrupted(self, *given):
        if len(calls) == 1:  # before the call with the other five steps
            signal.raise_signal(signal.SIGINT)
        return run(self, *given)

    monkeypatch.setattr(ltc_training.Bound, "run", interrupted)
    form, given = KINDS[name]
    model, whole = form(None), form(None)
    arrays = data(model, 96, loss=given["loss"])
    history = fit(model, *arrays, keep_best=False, **given)
    assert history.stopped == "interrupted after 1 epoch" and calls == [1, 5]
    fit(whole, *arrays, keep_best=False, epochs=1, **given)
    np.testing.assert_array_equal(model.theta, whole.theta)


@pytest.mark.parametrize("name", KINDS)
def test_checkpoints_are_of_the_steps_that_they_would_be_of(name, calls, tmp_path):
    """Every four steps, of six in an epoch; and a training goes on from one inside an epoch with the same bits."""
    form, given = KINDS[name]
    names, models = [], [form(None) for _ in range(3)]
    arrays = data(models[0], 96, loss=given["loss"])
    for model, more in zip(models, ({}, OBSERVED), strict=False):
        folder = tmp_path / str(len(names))
        fit(model, *arrays, epochs=2, checkpoint=Checkpoints(folder, every=4, keep_last=9), **given, **more)
        names.append(sorted(path.name for path in folder.iterdir()))
    assert names[0] == names[1] and [int(name[5:-4]) for name in names[0]] == [4, 8, 12]
    assert calls == [1, 3, 2, 2, 4]
    (tmp_path / "0" / names[0][2]).unlink()
    fit(models[2], *arrays, epochs=2, checkpoint=Checkpoints(tmp_path / "0", every=4, resume=True), **given)
    assert calls[5:] == [1, 3]
    np.testing.assert_array_equal(models[0].theta, models[2].theta)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_a_schedule_that_fails_fails_at_its_step(calls):
    def schedule(step):
        if step == 3:
            raise LookupError("no rate")
        return 0.02

    models, optimizers = (network(), network()), (Adam(schedule), Adam(schedule))
    for model, optimizer, more in zip(models, optimizers, ({}, METRIC), strict=True):
        with pytest.raises(LookupError, match="^no rate$"):
            model.fit(*data(model, 96), batch_size=16, optimizer=optimizer, seed=3, verbose=0, keep_best=False, **more)
    assert calls == [1, 2] and optimizers[0].t == optimizers[1].t == 3
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_what_has_diverged_says_the_same_and_leaves_the_same(kind):
    models, optimizers, said = (network(), network()), (kind(1e30), kind(1e30)), []
    for model, optimizer, more in zip(models, optimizers, ({}, METRIC), strict=True):
        with pytest.raises(FloatingPointError) as caught:
            model.fit(*data(model), batch_size=16, optimizer=optimizer, seed=3, verbose=0, **more)
        said.append(str(caught.value))
    assert said[0] == said[1] and "at step 1" in said[0]
    np.testing.assert_array_equal(models[0].theta, models[1].theta)
    np.testing.assert_array_equal(models[0].theta, network().theta)
    assert optimizers[0].t == optimizers[1].t == 1


@pytest.mark.few(2)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimiser_is_left_as_it_would_be(name):
    """Steps are made in the kernel: the counter and the moments are those of the optimiser."""
    optimizers = [copy.deepcopy(OPTIMIZERS[name]) for _ in range(2)]
    for optimizer, more in zip(optimizers, ({}, METRIC), strict=True):
        model = network()
        model.fit(*data(model), epochs=2, batch_size=16, optimizer=optimizer, clip_norm=0.1, seed=3, verbose=0, **more)
    one, other = (optimizer.state() for optimizer in optimizers)
    assert one["t"] == other["t"] == 6 and one.keys() == other.keys()
    for moment in one.keys() - {"t"}:
        np.testing.assert_array_equal(one[moment], other[moment])


class Slower(Adam):
    """Whose numbers are its own."""

    def numbers(self, lr):
        return super().numbers(lr / 2)


@pytest.mark.parametrize("optimizer", [Slower(0.1), *OPTIMIZERS.values()], ids=lambda o: type(o).__name__)
def test_numbers_of_steps_to_come_are_those_of_each(optimizer):
    optimizer, rates, expected = copy.deepcopy(optimizer), np.array([0.1, 0.2, 0.05]), []
    optimizer.t = 4
    found = optimizer.numbers_ahead(rates)
    assert optimizer.t == 4
    for t, lr in enumerate(rates.tolist(), 5):
        optimizer.t = t
        expected.append(optimizer.numbers(lr))
    np.testing.assert_array_equal(found, expected)


def test_what_is_frozen_between_epochs_stays():
    model, seen = network(), []

    def freeze(epoch, logs):
        model.freeze("erev")
        seen.append(model.params["erev"].copy())

    fit(model, *data(model), callbacks=freeze, keep_best=False)
    np.testing.assert_array_equal(seen[0], seen[-1])


@pytest.mark.filterwarnings("ignore:ltc_np. `y`:RuntimeWarning")
def test_a_norm_whose_squares_overflow_is_clipped():
    """In float64 a gradient of 1e200 has a norm; its squares have none."""
    models = network(dtype="float64"), network(dtype="float64")
    for model, more in zip(models, ({}, METRIC), strict=True):
        x, y = data(model)
        fit(model, x, 1e150 * y, optimizer=SGD(1.0), clip_norm=1e-3, epochs=1, **more)
    np.testing.assert_allclose(models[0].theta, models[1].theta, rtol=1e-12)


def test_a_checkpoint_inside_an_epoch_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    whole, halted, resumed = network(), network(), network()
    arrays = data(whole)
    fit(whole, *arrays)
    call, made = bound.HostGradients.__call__, []

    def halts(self, rows):
        made.append(rows)
        if len(made) == 6:
            raise InterruptedError
        return call(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(bound.HostGradients, "__call__", halts)
        with pytest.raises(InterruptedError):
            fit(halted, *arrays, checkpoint=Checkpoints(tmp_path, every=1))
    history = fit(resumed, *arrays, checkpoint=Checkpoints(tmp_path, every=1, resume=True))
    assert history.steps == "bound" and len(history["loss"]) == 3
    np.testing.assert_array_equal(resumed.theta, whole.theta)


def test_few_steps_are_not_worth_it(monkeypatch):
    monkeypatch.setattr(run, "FEW_STEPS", 9)
    model = network()
    arrays = data(model)
    assert fit(model, *arrays).steps == "bound"
    assert fit(model, *arrays, epochs=2).steps == "one by one: there are few of them"
    assert fit(model, *arrays, epochs=range(2, 4)).steps == "one by one: there are few of them"


REASONS = {
    "metrics": ({}, METRIC, "metrics or a callback look at every batch"),
    "a callback": ({}, {"callbacks": Watching()}, "metrics or a callback look at every batch"),
    "chunks": ({}, {"tbptt": 2}, "batches are cut in time or changed"),
    "a function": ({}, {"batch_size": Batching(16, augment=lambda x, y, rng: (x, y))}, "cut in time or changed"),
    "a loss": ({}, {"loss": lambda y, target: (float(np.mean(y)), np.ones_like(y) / y.size)}, "the loss is your own"),
    "a penalty": ({}, {"penalty": L1L2(l2=1e-3)}, "there are penalties, or weights of classes"),
    "classes": ({}, {"loss": "binary_cross_entropy", "class_weight": [1, 2]}, "penalties, or weights of classes"),
    "weights": ({}, {"sample_weight": np.linspace(0.5, 1, 45)}, "steps have weights"),
    "no steps": ({}, {"lengths": np.arange(45) % 6}, "some sequences have no step"),
    "NumPy": ({"backend": "numpy"}, {}, 'the backend is "numpy"'),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", REASONS)
def test_who_goes_the_usual_way_is_told_why(name):
    of_model, of_fit, reason = REASONS[name]
    model = LTCRNN(FullyConnected(4), 2, seed=0, **{"backend": "cpu"} | of_model)
    x, y = data(model)
    steps = fit(model, x, (y > 0) if "loss" in of_fit else y, epochs=1, **of_fit).steps
    assert steps.startswith("one by one: ") and reason in steps


def test_other_networks_and_other_data_go_the_usual_way():
    x, y = np.zeros((4, 3, 2)), np.zeros((4, 3, 1))
    missing = y.copy()
    missing[0, 0] = np.nan
    two = Model(LTC(AutoNCP(8, 2)), LTC(AutoNCP(8, 1)), input_dim=2, seed=0, backend="cpu")
    assert "not a single LTC" in fit(two, x, y, epochs=1).steps
    active = Model(LTC(AutoNCP(8, 2)), Dense(1, "tanh"), input_dim=2, seed=0, backend="cpu")
    assert "the Dense has an activation" in fit(active, x, y, epochs=1).steps
    one = LTCRNN(AutoNCP(8, 1), 2, seed=0)
    assert "targets are missing" in fit(one, x, missing, epochs=1, missing="ignore").steps
    assert "read one by one" in fit(one, iter([(x, y)]), epochs=1, batch_size=Batching(steps_per_epoch=1)).steps
