"""The LTC on the GPU, host code and kernels, run by the emulator: against the numpy backend, which defines it."""

import json
import time
from functools import partial

import numpy as np
import pytest

pytest.importorskip("numba")

from support.card import CASES, RUNS, TOLERANCES, compare, data, pair, stacked, train_both
from support.cuda_uses import OnDevice
from support.emulator import ORDERS

from ltc_np import L1L2, LTC, Adam, AutoNCP, Dense, FullyConnected, Model
from ltc_np.base.workspace import Workspace
from ltc_np.kernels.codes import TABLEAUS
from ltc_np.kernels.cuda import device, ltc
from ltc_np.network.engine import Batch, Objective
from ltc_np.network.sequences import Sequences
from ltc_np.optim import SGD, RMSprop

pytestmark = pytest.mark.card


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", CASES)
def test_equals_numpy(case, dtype, emulator, monkeypatch, rng):
    wiring, I, B, T, lengths, solver, unfolds, many = CASES[case]
    if many:
        monkeypatch.setattr(ltc, "ENOUGH_THREADS", 1)
    layer = LTC(wiring, input_dim=I, solver=solver, ode_unfolds=unfolds, check_stability="off")
    compare(rng, layer, B, T, dtype, lengths)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_sizes(dtype, emulator, monkeypatch, rng):
    """Units on either side of a warp and of what a block of 128 threads holds, odd batches, uneven lengths."""
    for k, N in enumerate((3, 8, 15, 16, 17, 31, 32, 33, 42, 43, 47, 63, 64)):
        monkeypatch.setattr(ltc, "ENOUGH_THREADS", (1, 2**20)[k % 2])
        wiring = FullyConnected(N, N // 2) if k % 3 else AutoNCP(N + 3, 2, seed=k)
        layer = LTC(wiring, input_dim=1 + k % 4, solver=("semi_implicit", "exponential")[k % 2], ode_unfolds=1 + k % 3)
        B, T = 1 + 2 * (k % 5), 1 + k % 3
        compare(rng, layer, B, T, dtype, [T, *rng.integers(0, T + 1, B - 1)])


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["semi_implicit", *TABLEAUS])
def test_bits_depend_neither_on_what_is_kept_nor_on_tiles_nor_on_thread_order(solver, emulator, monkeypatch):
    """Segments of two steps, ten of them; sequences and whole tiles end within and between them."""
    layer = LTC(AutoNCP(12, 3, seed=1), input_dim=4, solver=solver, ode_unfolds=2, check_stability="off")
    monkeypatch.setattr(ltc, "SEGMENT_NUMBERS", 2 * 2 * layer.method.stages * 5 * 12)
    lengths = [20, 0, 4, 1, 13]
    found = []
    for order in ORDERS:
        emulator(order=order)
        monkeypatch.setattr(ltc, "BLOCK", 128 if order == "forward" else 24)  # threads: ten sequences, or two
        found += [compare(np.random.default_rng(0), layer, 5, 20, "float32", lengths, m) for m in ("full", "low")]
    for other in found[1:]:
        assert all(np.array_equal(found[0][name], other[name]) for name in other)


def test_a_sequence_has_the_same_bits_in_every_batch(emulator, monkeypatch, rng):
    model = pair(LTC(FullyConnected(5, 3), input_dim=2, ode_unfolds=2), dtype="float32")[1]
    x, dt = (a.astype(np.float32) for a in data(rng, 7, 4, 2))
    alone = [model(x[b], dt=dt[b]) for b in range(7)]
    monkeypatch.setattr(ltc, "ENOUGH_THREADS", 1)
    together = model(x, dt=dt)
    assert np.array_equal(together, alone)
    assert np.array_equal(model(x, dt=0 * dt)[:, -1], model(x[:, :1], dt=0.0)[:, 0]), "dt = 0 leaves the state"
    state = None
    for t in range(4):
        y, state = model.step(x[:, t], dt=dt[:, t], state=state)
    assert np.array_equal(y, together[:, -1])


def test_copies_and_files_keep_the_backend(emulator, monkeypatch, tmp_path):
    import copy
    import pickle

    from ltc_np import load

    model = pair(LTC(FullyConnected(3), input_dim=2))[1]
    model.save(tmp_path / "model.npz")
    stored = pickle.dumps(model)
    for again in (copy.deepcopy(model), copy.copy(model), pickle.loads(stored), load(tmp_path / "model.npz", "cuda")):
        assert again.backend == "cuda"
    monkeypatch.setattr(device, "why_not", lambda: "no GPU")
    assert pickle.loads(stored).backend == "cpu"
    with pytest.raises(ImportError, match="cannot be used: no GPU"):
        load(tmp_path / "model.npz", "cuda")


def test_layers_are_limited_by_a_block(emulator):
    model = Model(LTC(AutoNCP(600, 2, sparsity_level=0.9, seed=0), input_dim=1), backend="cuda")
    with pytest.raises(ValueError, match='at most 512 units in a layer, got 600; use backend="cpu"'):
        model(np.zeros((1, 1, 1)))


# ---------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", RUNS)
def test_training_on_the_device_equals_numpy(name, emulator, rng):
    train_both(name, rng)


@pytest.mark.parametrize("optimizer", [SGD(0.1), RMSprop(0.1)])
def test_without_momentum_there_is_no_moment(optimizer, emulator, rng):
    """But there is a step, that of NumPy."""
    models = pair(LTC(FullyConnected(3), input_dim=2, ode_unfolds=1))
    x, before = rng.normal(size=(2, 2, 2)), models[0].theta.copy()
    for model in models:
        optimizer.reset()
        model.fit(x, np.ones((2, 2, 3)), optimizer=optimizer, epochs=2, seed=0, verbose=False)
        assert optimizer.t == 2
        assert not optimizer.b.any()
    assert np.abs(models[0].theta - before).max() > 1e-3
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9, atol=1e-12)


def test_logits_of_any_size_keep_their_loss(emulator, rng):
    """The largest logit, which is not the first, is subtracted before the exponentials."""
    models = pair(LTC(FullyConnected(3, 2), input_dim=2, ode_unfolds=1), Dense(3, input_dim=2))
    x, target, found = rng.normal(size=(4, 2, 2)), rng.integers(0, 3, (4, 2)), []
    for model in models:
        model.params["1.bias"] = [-1e4, 0.0, 1e4]
        found.append(model.fit(x, target, loss="cross_entropy", optimizer=SGD(1e-3), seed=0, verbose=False)["loss"])
        assert np.isfinite(model.theta).all()
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9, atol=1e-12)


def test_a_gradient_whose_square_overflows_is_clipped(emulator, rng):
    models = pair(LTC(FullyConnected(3), input_dim=2, ode_unfolds=1))
    x, y = rng.normal(size=(2, 2, 2)), np.ones((2, 2, 3))
    before = models[0].theta.copy()
    for model in models:
        model.fit(x, y, penalty=L1L2(l2=1e160), clip_norm=1.0, optimizer=SGD(1.0), verbose=False)
    assert np.abs(models[0].theta - before).max() > 0.1
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9)


def test_a_training_step_moves_only_the_batch(emulator, monkeypatch, rng):
    model = stacked()()[1]
    machine = emulator()
    objective = Objective(losses_of("mse"), None, None)
    trainer = model.engine.trainer(objective, Adam(), None, "full", Workspace())
    trainer.load()
    x, y = rng.normal(size=(7, 5, 3)), rng.normal(size=(7, 5, 2))
    sequences = Sequences(x, np.ones((7, 5)), np.full(7, 5), None, np.zeros((7, 9)))
    given = Batch(sequences, y, None, None), None, False, False
    trainer.gradient(*given)
    trainer.update()
    moved = []
    for name in ("upload", "overwrite", "download", "empty"):
        original = getattr(machine, name)
        monkeypatch.setattr(
            machine, name, lambda *a, n=name, f=original: (moved.append((n, np.asarray(a[-1]).size)), f(*a))[1]
        )
    trainer.gradient(*given)
    trainer.update()
    assert moved == [
        *(("overwrite", a.size) for a in (x, sequences.dt, sequences.lengths, sequences.h0, y)),
        ("download", 3),
    ]


def losses_of(name):
    from ltc_np import losses as host

    return host.get(name)


def test_callbacks_see_and_may_change_the_parameters(emulator, rng):
    from ltc_np.train.callbacks import Callback

    seen = []

    class Watch(Callback):
        def on_batch_end(self, step, logs):
            seen.append(self.model.theta[0])
            self.model.theta[-1] = 7.0

    def at_the_end(epoch, logs):
        models[len(seen) > 3].theta[1] = 5.0

    models = stacked()()
    x, y = rng.normal(size=(6, 3, 3)), rng.normal(size=(6, 3, 2))
    for model in models:
        model.fit(x, y, epochs=1, batch_size=2, seed=1, verbose=False, callbacks=[Watch(), at_the_end])
    np.testing.assert_allclose(seen[3:], seen[:3], rtol=1e-9)
    assert models[1].theta[-1] == 7
    assert models[1].theta[1] == 5
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:ltc_np. .y. ")
@pytest.mark.parametrize("batch_size", [3, 6])
def test_a_loss_that_is_not_finite_stops_with_the_last_good_parameters(batch_size, emulator, rng):
    """Found in the same epoch, or at the beginning of the next one."""
    models = stacked()()
    x, y = rng.normal(size=(6, 3, 3)), 1e200 * rng.normal(size=(6, 3, 2))
    for model in models:
        with pytest.raises(FloatingPointError, match="gradient norm"):
            model.fit(x, y, epochs=2, batch_size=batch_size, optimizer=SGD(1e300), seed=1, verbose=False)
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9)


@pytest.mark.parametrize("where", ["last step", "validation", "mid-epoch"])
def test_divergence_keeps_what_other_backends_keep(where, emulator, rng):
    """The parameters of before the last step, not those of before the training; t and moments of the last step."""
    models, optimizers = stacked()(), []
    x, y = rng.normal(size=(6, 3, 3)), rng.normal(size=(6, 3, 2))
    options = {"last step": {"epochs": 4, "batch_size": 6}, "mid-epoch": {"epochs": 2, "batch_size": 1}}
    options["validation"] = options["last step"] | {"validation": (x, y)}
    for model in models:
        before = model.theta.copy()
        optimizers.append(SGD(lambda t: 1e-2 if t < 3 else 1e300, momentum=0.5))
        with pytest.raises(FloatingPointError, match="the parameters of before the last step"):
            model.fit(x, y, optimizer=optimizers[-1], seed=1, verbose=False, **options[where])
        assert np.abs(model.theta - before).max() > 1e-3  # three steps are kept
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9)
    assert optimizers[0].t == optimizers[1].t == 4
    np.testing.assert_allclose(optimizers[1].b, optimizers[0].b, rtol=1e-7)


def test_layers_are_known_by_their_class_not_its_name(emulator, rng):
    """One that is derived from ours, or called alike, may compute something else."""

    class Twice(LTC):
        def forward(self, *arguments, **options):
            y, h, saved = super().forward(*arguments, **options)
            return 2 * y, h, saved

        def backward(self, prepared, saved, d_y, *others):
            return super().backward(prepared, saved, 2 * d_y, *others)

    Twice.__name__ = "LTC"
    x, y = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 3, 2))
    models = [
        Model(Twice(AutoNCP(6, 2), input_dim=3), seed=0, dtype="float64", backend=backend)
        for backend in ("numpy", "cuda")
    ]
    losses = [models[0].fit(x, y, epochs=2, seed=1, verbose=False)["loss"]]
    with pytest.warns(RuntimeWarning, match="does not know layer LTC"):
        losses.append(models[1].fit(x, y, epochs=2, seed=1, verbose=False)["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9)


def test_what_the_device_does_not_know_goes_through_the_host(emulator, rng):
    models = stacked()()
    x, y = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 3, 2))

    def own(y, target):
        return ((y - target) ** 2).mean(), 2 * (y - target) / y.size

    models[0].fit(x, y, epochs=1, loss=own, seed=1, verbose=False)
    with pytest.warns(RuntimeWarning, match="does not know loss own; every batch goes through the host"):
        models[1].fit(x, y, epochs=1, loss=own, seed=1, verbose=False)
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9)


# ------------------------------------------------------------------------------------------------- device arrays


def test_calls_with_arrays_on_the_device_wait_for_it(emulator, rng):
    """Before, since another library may still be writing x, and after, since it may read y at once."""
    model, machine, order = pair(LTC(FullyConnected(3), input_dim=2, ode_unfolds=1))[1], emulator(), []
    launch = machine.launch
    machine.wait = lambda: order.append("wait")
    machine.launch = lambda *arguments: (order.append("launch"), launch(*arguments))
    y, tape = model.forward(OnDevice(rng.normal(size=(2, 2, 2))))
    model.backward(tape, y)
    phases = [what for what, before in zip(order, [None, *order], strict=False) if what != before]
    # What is launched first makes the constants of the parameters.
    assert phases in (["launch", "wait"] * 2 + ["launch", "wait"], ["wait", "launch"] * 2 + ["wait"])
    assert order.count("wait") == 4


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("sequences", [True, False])
def test_arrays_on_the_device_go_in_and_come_out(single, sequences, emulator, rng):
    layers = (
        LTC(AutoNCP(9, 3, seed=1), input_dim=3, ode_unfolds=2),
        Dense(4, "gelu", input_dim=3),
        LTC(FullyConnected(6, 2), input_dim=4),
    )
    definition, model = pair(*layers, return_sequences=sequences)
    lengths = None if single else [5, 3, 0, 5]
    x, dt = data(rng, 4, 5, 3, lengths)
    d_y, h0, d_state = rng.normal(size=(4, 5, 2) if sequences else (4, 2)), *rng.normal(size=(2, 4, 15))
    if single:
        x, dt, d_y, h0, d_state = x[0], dt[0], d_y[0], h0[0], d_state[0]
    before = x.copy()
    y, state = definition(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    g = definition.backward(definition.forward(x, dt=dt, lengths=lengths, h0=h0)[1], d_y, d_state)
    x_d, d_y_d, d_state_d = map(OnDevice, (x, d_y, d_state))
    for times in (OnDevice(dt), dt):
        got = model(x_d, dt=times, lengths=lengths, h0=h0, return_state=True)
        out, tape = model.forward(x_d, dt=times, lengths=lengths, h0=h0, memory="low")
        g_d = model.backward(tape, d_y_d, d_state_d)
        for a, b in ((got[0], y), (got[1], state), (out, y), *((getattr(g_d, n), getattr(g, n)) for n in g._fields)):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(x, before)


def test_arrays_on_the_device_are_checked(emulator, rng):
    model = pair(LTC(FullyConnected(5, 2), input_dim=3), dtype="float32")[1]
    x = rng.normal(size=(4, 5, 3)).astype(np.float32)
    for given, message in (
        (x.astype(np.float64), r"`x` must be a contiguous float32 array of shape \(4, 5, 3\) on the GPU, got float64"),
        (x[:, :, :2], r"`x` must be \(B, T, 3\) or \(T, 3\), got shape \(4, 5, 2\)"),
        (np.asfortranarray(x), "got one that is not contiguous"),
        (np.full_like(x, np.inf), r"`x` must be finite in float32 \(at most 1.8e\+19\), got 60 values that are not"),
        (np.full_like(x, 1e30), "`x` must be finite in float32 .*, got 60 values"),
    ):
        with pytest.raises(ValueError, match=message):
            model(OnDevice(given))
    with pytest.raises(ValueError, match="`dt` must be finite .* and >= 0, got 20 values"):
        model(OnDevice(x), dt=OnDevice(np.full((4, 5), -1, np.float32)))
    with pytest.raises(ValueError, match="this model's own `forward` of arrays on the GPU"):
        model.backward(model.forward(x)[1], OnDevice(x[:, :, :2].copy()))
    y, tape = model.forward(OnDevice(x))
    bad = np.full((4, 5), np.nan, np.float32)
    with pytest.raises(ValueError, match="`h0` must be finite"):
        model(OnDevice(x), h0=OnDevice(bad))
    with pytest.raises(ValueError, match="`d_state` must be finite"):
        model.backward(tape, y, OnDevice(bad))
    with pytest.raises(ValueError, match="`d_y` must be finite"):
        model.backward(tape, OnDevice(np.full((4, 5, 2), np.inf, np.float32)))
    with pytest.raises(TypeError, match="`d_state` must lie on the GPU, as the others do, got an array of the host"):
        model.backward(tape, y, np.zeros((4, 5), np.float32))
    with pytest.raises(TypeError, match="`d_y` must lie on the GPU, as the arrays of the tape's `forward` did"):
        model.backward(tape, np.zeros((4, 5, 2), np.float32))
    for call in (
        model.predict,
        lambda x: model.loss_and_grad(x, x),
        lambda x: model.fit(x, x),
        model.step,
    ):
        with pytest.raises(TypeError, match="`x.*` must be an array of the host here, got one on a GPU: copy it"):
            call(OnDevice(x))
    with pytest.raises(TypeError, match="`h0` must be an array of the host here"):
        model(x, h0=OnDevice(np.zeros((4, 5), np.float32)))
    other = Model(LTC(FullyConnected(5, 2), input_dim=3), backend="numpy")
    with pytest.raises(TypeError, match='need a model with backend="cuda", got one with backend="numpy"'):
        other(OnDevice(x))


def test_the_benchmark_of_the_device(emulator, monkeypatch, capsys):
    """Its code, on a case of no size; times are those of the emulator."""
    from ltc_np.bench import cases, command, rates
    from ltc_np.bench.peers import card

    def seconds(function):
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    monkeypatch.setattr(device, "seconds", seconds)
    monkeypatch.setattr(device, "describe", lambda: {"card": "none"})
    monkeypatch.setattr(rates, "CARD_THREADS", 64)
    monkeypatch.setattr(rates, "CARD_REPEATS", 10)
    small = cases.CARD_CASES["small"]
    monkeypatch.setitem(cases.CARD_CASES, "small", cases.Case(partial(small.layer, outputs=3), 3, 2, 2, 3))
    arguments = ["--backend", "cuda", "--cases", "small", "--dtypes", "float64", "--runs", "1", "--peers"]
    command.main([*arguments, "--json"])
    row = json.loads(capsys.readouterr().out)["cases"][0]
    assert row["evaluations"] == 3 * 2 * (6 * 9 + 6)
    assert row["train_share"] * row["train_ms"] == pytest.approx(2 * row["forward_share"] * row["forward_ms"])
    command.main(arguments)
    out = capsys.readouterr().out
    assert "card none" in out
    assert "small    float64     3   2     2     3" in out
    with pytest.raises(SystemExit):
        command.main(["--backend", "cuda", "--cases", "tutorial"])

    def fail(*args, **options):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(card, "ncps_why_not", lambda: None)
    monkeypatch.setattr(card, "ncps_step", fail)
    monkeypatch.setattr(card, "jax_why_not", fail)
    command.main(arguments)
    out = capsys.readouterr().out
    assert "small    float64     3   2     2     3" in out, "what was measured is shown whatever a peer does"
    for name in ("ncps", "ncps, torch.compile", "jax"):
        assert f"{name} is left out: RuntimeError: out of memory\n" in out
