"""Bound gradients: a training with them against the same training one batch at a time, and who gets which."""

import copy
import signal

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
)
from ltc_np.network import bound
from ltc_np.train.loop import run

if NO_KERNELS:
    pytest.skip(NO_KERNELS, allow_module_level=True)


pytestmark = pytest.mark.xdist_group("bound")  # whose kernels others have not


@pytest.fixture(autouse=True)
def also_few_steps(monkeypatch):
    monkeypatch.setattr(run, "FEW_STEPS", 1)


METRIC = {"metrics": ["mae"]}  # with which gradients are not bound, and training is the same


def network(wiring=None, dtype="float64", inputs=2, **options):
    return LTCRNN(wiring or FullyConnected(8), inputs, seed=1, dtype=dtype, backend="cpu", **options)


def data(model, n=45, T=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, T, model.input_size))
    return x, rng.standard_normal((n, T, model.output_size))


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
IRREGULAR = {"dt": (np.arange(45 * 5) % 7 / 2).reshape(45, 5)}
CASES = {
    "plain": ({}, {}),
    "float32, clipped": ({"dtype": "float32"}, {"clip_norm": 0.05}),
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


def test_a_gradient_is_that_of_the_loss():
    """Of one batch, in float64: a step of gradient descent against finite differences."""
    model = network(AutoNCP(6, 2), ode_unfolds=2)
    x, y = data(model, n=17)
    before = model.theta.copy()
    assert fit(model, x, y, epochs=1, batch_size=17, optimizer=SGD(1e-3), keep_best=False).steps[:5] == "bound"
    gradient = (before - model.theta) / 1e-3
    for k in np.random.default_rng(0).choice(before.size, 12, replace=False):
        values = []
        for step in (1e-5, -1e-5):
            model.theta[:] = before
            model.theta[k] += step
            values.append(np.mean((model(x) - y) ** 2))
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


def test_a_batch_in_the_other_loop_order_goes_the_usual_way(monkeypatch):
    """Two sequences of eight neurons are faster in batch-major order, which nothing is bound for."""
    taken, takes = [], bound.HostGradients.takes
    monkeypatch.setattr(
        bound.HostGradients, "takes", lambda self, n: taken.append((n, takes(self, n))) or takes(self, n)
    )
    models = network(), network()
    histories = [fit(m, *data(m, 34), epochs=1, **more) for m, more in zip(models, ({}, METRIC), strict=True)]
    assert taken == [(16, True), (16, True), (2, False)]
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


ONE_A_CALL = {
    "gradient descent": (lambda m: {"optimizer": SGD(0.1)}, "the optimiser is not Adam"),
    "decay": (lambda m: {"optimizer": AdamW(0.1)}, "the optimiser is not Adam"),
    "frozen": (lambda m: m.freeze("w"), "parameters are frozen, or each array is clipped by itself"),
    "arrays": (lambda m: {"clip_norm": Clip(1.0, per_array=True)}, "parameters are frozen, or each array is clipped"),
}


@pytest.mark.parametrize("name", ONE_A_CALL)
def test_why_a_call_makes_one_step_is_told(name, calls):
    change, reason = ONE_A_CALL[name]
    model = network()
    steps = fit(model, *data(model, 48), **change(model) or {}).steps
    assert steps.startswith(f"bound, one a call: {reason}") and calls == [1] * 9


@pytest.mark.filterwarnings("ignore:ltc_np. `y`:RuntimeWarning")
def test_a_batch_in_the_middle_that_is_not_finite(calls):
    """The parameters are those of before the last step that was made, and the error names the batch."""
    models, optimizers, said = (network(), network()), (Adam(0.02), Adam(0.02)), []
    for model, optimizer, more in zip(models, optimizers, ({}, METRIC), strict=True):
        x, y = data(model, 100)
        y[16 * 3] = 1e300
        with pytest.raises(FloatingPointError) as caught:
            model.fit(x, y, batch_size=16, optimizer=optimizer, shuffle=False, seed=3, verbose=0, **more)
        said.append(str(caught.value))
    assert calls == [1, 5] and "at step 3 (epoch 0, batch 3)" in said[0]
    assert said[0] == said[1] and optimizers[0].t == optimizers[1].t == 3
    np.testing.assert_array_equal(models[0].theta, models[1].theta)
    np.testing.assert_array_equal(optimizers[0].v, optimizers[1].v)
    two = network()
    two.fit(x[:32], y[:32], batch_size=16, optimizer=Adam(0.02), shuffle=False, seed=3, verbose=0, keep_best=False)
    np.testing.assert_array_equal(models[0].theta, two.theta)


def test_ctrl_c_is_heard_between_two_calls(calls, monkeypatch, interruptible):
    from ltc_np.kernels.cpu import ltc_training

    run = ltc_training.Bound.run

    def interrupted(self, *given):
        if len(calls) == 1:  # before the call with the other five steps
            signal.raise_signal(signal.SIGINT)
        return run(self, *given)

    monkeypatch.setattr(ltc_training.Bound, "run", interrupted)
    model, whole = network(), network()
    history = fit(model, *data(model, 96), keep_best=False)
    assert history.stopped == "interrupted after 1 epoch" and calls == [1, 5]
    fit(whole, *data(whole, 96), keep_best=False, epochs=1)
    np.testing.assert_array_equal(model.theta, whole.theta)


def test_checkpoints_are_of_the_steps_that_they_would_be_of(calls, tmp_path):
    """Every four steps, of six in an epoch; and a training goes on from one inside an epoch with the same bits."""
    names, models = [], [network() for _ in range(3)]
    for model, more in zip(models, ({}, METRIC), strict=False):
        folder = tmp_path / str(len(names))
        fit(model, *data(model, 96), epochs=2, checkpoint=Checkpoints(folder, every=4, keep_last=9), **more)
        names.append(sorted(path.name for path in folder.iterdir()))
    assert names[0] == names[1] and [int(name[5:-4]) for name in names[0]] == [4, 8, 12]
    assert calls == [1, 3, 2, 2, 4]
    (tmp_path / "0" / names[0][2]).unlink()
    fit(models[2], *data(model, 96), epochs=2, checkpoint=Checkpoints(tmp_path / "0", every=4, resume=True))
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
    models, optimizers, said = (network(), network()), (kind(1e300), kind(1e300)), []
    for model, optimizer, more in zip(models, optimizers, ({}, METRIC), strict=True):
        with pytest.raises(FloatingPointError) as caught:
            model.fit(*data(model), batch_size=16, optimizer=optimizer, seed=3, verbose=0, **more)
        said.append(str(caught.value))
    assert said[0] == said[1] and "at step 1" in said[0]
    np.testing.assert_array_equal(models[0].theta, models[1].theta)
    np.testing.assert_array_equal(models[0].theta, network().theta)
    assert optimizers[0].t == optimizers[1].t == 1


def test_the_optimiser_is_left_as_it_would_be():
    """Adam's steps are made in the kernel: its counter and its moments are those of the optimiser."""
    optimizers = Adam(CosineDecay(0.05, 6), beta1=0.8), Adam(CosineDecay(0.05, 6), beta1=0.8)
    for optimizer, more in zip(optimizers, ({}, METRIC), strict=True):
        model = network()
        model.fit(*data(model), epochs=2, batch_size=16, optimizer=optimizer, clip_norm=0.1, seed=3, verbose=0, **more)
    one, other = (optimizer.state() for optimizer in optimizers)
    assert one["t"] == other["t"] == 6
    for name in ("m", "v"):  # the norm by which they are clipped is added up in another order
        np.testing.assert_allclose(one[name], other[name], rtol=1e-11, err_msg=name)


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
    models = network(), network()
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


class Watching(Callback):
    def on_batch_end(self, step, logs):
        pass


REASONS = {
    "metrics": ({}, METRIC, "metrics or a callback look at every batch"),
    "a callback": ({}, {"callbacks": Watching()}, "metrics or a callback look at every batch"),
    "chunks": ({}, {"tbptt": 2}, "batches are cut in time or changed"),
    "a function": ({}, {"batch_size": Batching(16, augment=lambda x, y, rng: (x, y))}, "cut in time or changed"),
    "a loss": ({}, {"loss": "mae"}, "not the mean squared error alone"),
    "a penalty": ({}, {"penalty": L1L2(l2=1e-3)}, "not the mean squared error alone"),
    "weights": ({}, {"sample_weight": np.linspace(0.5, 1, 45)}, "steps have weights"),
    "no steps": ({}, {"lengths": np.arange(45) % 6}, "some sequences have no step"),
    "last outputs": ({"return_sequences": False}, {}, "not a single LTC with outputs at every step"),
    "NumPy": ({"backend": "numpy"}, {}, 'the backend is "numpy"'),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", REASONS)
def test_who_goes_the_usual_way_is_told_why(name):
    of_model, of_fit, reason = REASONS[name]
    model = LTCRNN(FullyConnected(4), 2, seed=0, **{"backend": "cpu"} | of_model)
    x, y = data(model)
    steps = fit(model, x, y if model.return_sequences else y[:, -1], epochs=1, **of_fit).steps
    assert steps.startswith("one by one: ") and reason in steps


def test_other_networks_and_other_data_go_the_usual_way():
    x, y = np.zeros((4, 3, 2)), np.zeros((4, 3, 1))
    missing = y.copy()
    missing[0, 0] = np.nan
    assert "not a single LTC" in fit(Model(LTC(AutoNCP(8, 2)), Dense(1), input_dim=2, seed=0), x, y, epochs=1).steps
    one = LTCRNN(AutoNCP(8, 1), 2, seed=0)
    assert "targets are missing" in fit(one, x, missing, epochs=1, missing="ignore").steps
    assert "read one by one" in fit(one, iter([(x, y)]), epochs=1, batch_size=Batching(steps_per_epoch=1)).steps
