"""The steps of a training: batches and chunks against plain loops, their metrics, and what ends them."""

import tracemalloc

import numpy as np
import pytest
from support.sines import sines, small
from support.trainings import Cut, Cuts

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Batching,
    Callback,
    CfC,
    Checkpoint,
    Checkpoints,
    CosineDecay,
    Dense,
    Dropout,
    MixedMemory,
    Model,
    clip_by_global_norm,
    load,
)  # fmt: skip
from ltc_np.network.host import HostEngine
from ltc_np.train.loop.run import Run


@pytest.mark.slow
def test_drop_last_is_training_without_the_smaller_batch(backend):
    x, y = sines(n=19)
    kwargs = {"epochs": 3, "optimizer": "sgd", "seed": 5, "verbose": False}
    by_fit, by_hand = small(backend), small(backend)
    seen = Steps()
    by_fit.fit(x, y, batch_size=Batching(8, drop_last=True), callbacks=seen, **kwargs)
    assert seen.steps == list(range(6))
    optimizer = SGD(0.01)
    for epoch in range(3):
        order = np.random.default_rng([5, epoch]).permutation(19)
        for rows in (order[:8], order[8:16]):
            optimizer.step(by_hand, by_hand.loss_and_grad(x[rows], y[rows])[1])
    assert np.array_equal(by_fit.theta, by_hand.theta)
    unordered, first = small(backend), small(backend)
    unordered.fit(x, y, batch_size=Batching(8, drop_last=True), shuffle=False, **kwargs)
    first.fit(x[:16], y[:16], batch_size=8, shuffle=False, **kwargs)
    assert np.array_equal(unordered.theta, first.theta)
    with pytest.raises(ValueError, match="`batch_size` must be at most the 19 sequences with `drop_last`, got 20"):
        small(backend).fit(x, y, batch_size=Batching(20, drop_last=True), verbose=False)


def test_epoch_is_the_naive_loop(backend):
    """fit against loss_and_grad and step by hand: same order of batches, same numbers to the bit."""
    x, y = sines(n=20)
    by_fit, by_hand = small(backend), small(backend)
    history = by_fit.fit(x, y, epochs=3, batch_size=8, optimizer=SGD(0.1), seed=5, verbose=False)
    optimizer, losses = SGD(0.1), []
    for epoch in range(3):
        order, total = np.random.default_rng([5, epoch]).permutation(20), 0.0
        for first in range(0, 20, 8):
            rows = order[first : first + 8]
            loss, grad = by_hand.loss_and_grad(x[rows], y[rows])
            optimizer.step(by_hand, grad)
            total += loss * len(rows)
        losses.append(total / 20)
    assert np.array_equal(by_fit.theta, by_hand.theta)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_batches_end_with_their_longest_sequence(return_sequences, backend, monkeypatch):
    """An LSTM would go through the padding of the others as well, with the same result; losses of one's own see it."""
    rng, T, lengths = np.random.default_rng(0), 9, np.array([3, 1, 6, 5, 0, 0, 2])
    shape = (7, T) if return_sequences else (7,)
    x, y, dt, weight = (rng.uniform(0.1, 2, s) for s in ((7, T, 2), (*shape, 3), (7, T), shape))
    forward, seen = HostEngine.forward, []

    def new():
        layers = MixedMemory(LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2)), LSTM(3, input_dim=3)
        return Model(*layers, seed=0, dtype="float64", backend=backend, return_sequences=return_sequences)

    def watched(self, prepared, sequences, *args):
        assert sequences.x.shape[:2] == sequences.dt.shape == sequences.valid.shape
        seen.append(sequences.x.shape[1])
        return forward(self, prepared, sequences, *args)

    by_fit, by_hand, optimizer = new(), new(), SGD(0.1)
    options = {"batch_size": 2, "shuffle": False, "optimizer": SGD(0.1), "verbose": False}
    with monkeypatch.context() as patch:
        patch.setattr(HostEngine, "forward", watched)
        by_fit.fit(x, y, dt=dt, lengths=lengths, sample_weight=weight, metrics=["mae"], **options)
        assert seen == [3, 6, 2, 3]  # none for [0, 0]; the first again, to look at the last step's loss
        seen.clear()
        measured = by_fit.evaluate(x, y, dt=dt, lengths=lengths, sample_weight=weight, batch_size=2)["loss"]
        assert seen == [3, 6, 2]
    for rows in ([0, 1], [2, 3], [6]):
        part = {"lengths": lengths[rows], "sample_weight": weight[rows]}
        _, gradient = by_hand.loss_and_grad(x[rows], y[rows], dt=dt[rows], **part)
        optimizer.step(by_hand, gradient)
    np.testing.assert_allclose(by_fit.theta, by_hand.theta, rtol=0, atol=1e-13)
    loss, _ = by_hand.loss_and_grad(x, y, dt=dt, lengths=lengths, sample_weight=weight)
    assert measured == pytest.approx(loss, rel=1e-12)
    shapes = []

    def own(outputs, target):
        shapes.append(outputs.shape)
        return float(np.mean((outputs - target) ** 2)), 2 * (outputs - target) / outputs.size

    by_fit.fit(x, y, dt=dt, lengths=lengths, loss=own, **options)
    assert {s[1] for s in shapes} == {T if return_sequences else 3}


def test_a_batch_without_weight_is_passed_over(backend):
    x, y = sines(n=6)
    weights = np.array([1.0, 1, 0, 0, 1, 1])
    model, without = small(backend), small(backend)
    kwargs = {"epochs": 2, "batch_size": 2, "shuffle": False, "verbose": False}
    model.fit(x, y, sample_weight=weights, **kwargs)
    without.fit(x[[0, 1, 4, 5]], y[[0, 1, 4, 5]], **kwargs)
    assert np.abs(model.theta - without.theta).max() < 1e-5


def test_a_loss_that_is_not_finite_stops_with_the_last_good_parameters(backend):
    x, y = sines()
    model = small(backend)
    good = []

    class Watch(Callback):
        def on_batch_end(self, step, logs):
            good.append(self.model.theta.copy())

    def explode(y, target):
        d_y = y - target
        return (np.nan if len(good) == 3 else float((d_y**2).sum())), d_y

    with pytest.raises(FloatingPointError, match=r"loss nan with gradient norm .* at step 3 \(epoch 0, batch 3\)"):
        model.fit(x, y, loss=explode, batch_size=8, callbacks=Watch(), verbose=False, optimizer=SGD(0.01))
    # The step before the NaN led to it; the parameters with the last finite loss are those before that step.
    assert np.array_equal(model.theta, good[1])


def test_a_last_step_that_diverges_is_seen(backend):
    x, y = sines()
    for options in ({}, {"validation": sines(seed=1)}):
        model = small(backend)
        before = model.theta.copy()
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="nan|inf"):
            model.fit(x, y, batch_size=40, optimizer=SGD(1e30), verbose=False, **options)
        assert np.array_equal(model.theta, before)


@pytest.mark.filterwarnings("ignore:ltc_np. .y. has mean")
def test_what_is_not_finite_before_any_step_is_not_blamed_on_the_learning_rate():
    x, y = sines(n=6, T=5)
    model = Model(Dense(1, input_dim=1), seed=0)
    words = "loss inf .*; no step has been made yet, so the forward pass or the loss overflows .*: take inputs"
    with pytest.raises(FloatingPointError, match=words) as error, np.errstate(over="ignore"):
        model.fit(x, np.full_like(y, 1e30), verbose=False)
    assert "learning rate" not in str(error.value)
    with pytest.raises(FloatingPointError, match="learning rate"), np.errstate(all="ignore"):
        model.fit(x, y, batch_size=2, optimizer=SGD(1e25), verbose=False)


def test_divergence_is_seen_behind_empty_sequences_and_in_the_loss_alone():
    x, y = sines(n=6, T=5)
    model = small()
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="after the last step"):
        model.fit(x, y, lengths=[0, 0, 5, 5, 0, 0], batch_size=2, shuffle=False, optimizer=SGD(1e38), verbose=False)
    assert np.isfinite(model(x)).all()
    dense = Model(Dense(1, input_dim=1), seed=0)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="loss inf"):
        dense.fit(x, y, optimizer=SGD(1e25), verbose=False)
    large = Model(Dense(1, input_dim=1), seed=0)  # a mean absolute error stays finite
    history = large.fit(x, y, optimizer=SGD(1e25), loss="mae", validation=(x, y), verbose=False)
    assert history.best_epoch == 0


def test_batches_without_class_weight_count_in_metrics():
    x, labels = np.zeros((6, 5, 2)), np.repeat([[0], [1]], 3, axis=0) * np.ones((1, 5), int)
    found = []
    for batch_size in (3, 6):
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0)
        options = {"loss": "cross_entropy", "class_weight": [1, 0], "metrics": ["accuracy"], "verbose": False}
        found.append(model.fit(x, labels, batch_size=batch_size, shuffle=False, optimizer=SGD(1e-30), **options))
    assert found[0]["accuracy"] == found[1]["accuracy"] == [0.5]


def test_metrics_are_those_of_one_epoch_and_of_no_padding():
    """The mean square is also the loss: of each epoch, and of what `evaluate` is shown."""
    x, y = sines(n=6, T=8)
    lengths = [8, 3, 5, 1, 8, 2]
    model = small("numpy")
    history = model.fit(
        x, y, lengths=lengths, epochs=3, batch_size=6, optimizer=SGD(0.1), metrics=["mse"], seed=0, verbose=False
    )  # fmt: skip
    assert history["mse"] == pytest.approx(history["loss"], rel=1e-5)
    assert history["mse"][2] < 0.99 * history["mse"][0]
    found = model.evaluate(x, y, lengths=lengths, metrics=["mse"], batch_size=4)
    assert found["mse"] == pytest.approx(found["loss"], rel=1e-5)


class Steps(Callback):
    """Remembers the steps of a training."""

    def __init__(self):
        self.steps = []

    def on_batch_end(self, step, logs):
        self.steps.append(step)


def ragged(T=11, n=5, dtype="float64", backend="auto"):
    """A stack of two layers, irregular data for it, and options of a training without surprises."""
    rng = np.random.default_rng(4)
    data = {"x": rng.normal(size=(n, T, 2)), "y": rng.normal(size=(n, T, 3)), "dt": rng.uniform(0.1, 2, (n, T))}
    lengths = np.array([T, 3, 0, T - 1, 5])[:n]
    model = Model(LTC(AutoNCP(8, 4), input_dim=2), Dense(3), seed=0, dtype=dtype, backend=backend)
    return model, data, lengths


def chunks_by_hand(model, data, lengths, order, batch_size, K, optimizer, clip_norm, weight=None):
    """One epoch as a plain loop over public calls; the mean loss."""
    total = weights = 0.0
    for first in range(0, len(order), batch_size):
        rows, h0 = order[first : first + batch_size], None
        for a in range(0, data["x"].shape[1], K):
            x, y, dt = (data[name][rows, a : a + K] for name in ("x", "y", "dt"))
            left = np.minimum(np.maximum(lengths[rows] - a, 0), x.shape[1])
            if not left.any():
                break
            w = None if weight is None else weight[rows, a : a + K]
            counts = np.where(np.arange(x.shape[1]) < left[:, None], 1.0 if w is None else w, 0.0)
            _, state = model(x, dt=dt, lengths=left, h0=h0, return_state=True)
            if counts.any():
                loss, grad = model.loss_and_grad(x, y, dt=dt, lengths=left, h0=h0, sample_weight=w)
                clip_by_global_norm(grad, clip_norm)
                optimizer.step(model, grad)
                total += loss * counts.sum()
                weights += counts.sum()
            h0 = state
    return total / weights


@pytest.mark.parametrize("K", [1, 4, 10])
def test_chunks_are_the_naive_loop(K, backend):
    """Same states, gradients and steps as the loop over `loss_and_grad` with h0, to the bit."""
    by_fit, data, lengths = ragged(backend=backend)
    by_hand, _, _ = ragged(backend=backend)
    history = by_fit.fit(
        **data, lengths=lengths, tbptt=K, epochs=2, batch_size=2, optimizer=Adam(0.01), clip_norm=0.1, seed=3,
        verbose=False,
    )  # fmt: skip
    optimizer, losses = Adam(0.01), []
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(5)
        losses.append(chunks_by_hand(by_hand, data, lengths, order, 2, K, optimizer, 0.1))
    assert np.array_equal(by_fit.theta, by_hand.theta)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)  # sums in another order
    whole, _, _ = ragged(backend=backend)
    whole.fit(**data, lengths=lengths, epochs=2, batch_size=2, optimizer=Adam(0.01), seed=3, verbose=False)
    assert not np.array_equal(whole.theta, by_hand.theta)


def test_chunks_without_weight_carry_the_state(backend):
    """Warming up, a pause, and nothing at the end: steps are made where something weighs, from the right states."""
    weight = np.zeros((5, 11))
    weight[:, 3:6] = 1.0
    weight[[0, 3], 8:10] = 2.0
    by_fit, data, _ = ragged(backend=backend)
    by_hand, _, _ = ragged(backend=backend)
    lengths, steps = np.array([11, 8, 9, 10, 11]), Steps()
    history = by_fit.fit(
        **data, lengths=lengths, sample_weight=weight, tbptt=2, batch_size=5, optimizer=SGD(0.1), shuffle=False,
        verbose=False, callbacks=steps,
    )  # fmt: skip
    loss = chunks_by_hand(by_hand, data, lengths, np.arange(5), 5, 2, SGD(0.1), 1e9, weight)
    assert steps.steps == [1, 2, 4]
    assert np.abs(by_fit.theta - by_hand.theta).max() < 1e-14  # weights are scaled by a power of two
    assert history["loss"][0] == pytest.approx(loss, rel=1e-12)
    without, _, _ = ragged(backend=backend)  # the state of the first chunk matters
    later = {name: values[:, 2:] for name, values in data.items()}
    chunks_by_hand(without, later, lengths - 2, np.arange(5), 5, 2, SGD(0.1), 1e9, weight[:, 2:])
    assert np.abs(by_fit.theta - without.theta).max() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("K", [11, 100])
def test_one_chunk_is_the_whole_sequence(K, backend):
    def own(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    _, data, lengths = ragged()
    weight = np.random.default_rng(0).uniform(0, 1, (5, 11))
    for more in (
        {},
        {"lengths": lengths},
        {"lengths": lengths, "sample_weight": weight, "metrics": ["mae"]},
        {"lengths": lengths, "loss": own, "metrics": ["r2"], "validation": {k: data[k] for k in ("x", "y", "dt")}},
    ):
        results = []
        for tbptt in (None, K):
            model, _, _ = ragged(dtype="float32", backend=backend)
            steps = Steps()
            history = model.fit(
                **data, **more, tbptt=tbptt, epochs=3, batch_size=2, seed=1, verbose=False, callbacks=steps
            )
            results.append((model.theta.tobytes(), dict(history), steps.steps))
        assert results[0] == results[1]


def test_loss_and_metrics_of_chunks_are_those_of_all_steps(backend):
    """With a learning rate of next to nothing an epoch measures what `evaluate` does."""

    def own(y, target):
        return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size

    model, data, lengths = ragged(backend=backend)
    weight = np.random.default_rng(0).choice([0.0, 0.5, 2.0], (5, 11))
    for more in (
        {"lengths": lengths, "metrics": ["mae", "r2"]},
        {"lengths": lengths, "sample_weight": weight, "metrics": ["mse"]},
        {"loss": own},
    ):
        history = model.fit(**data, **more, tbptt=3, batch_size=2, optimizer=SGD(1e-30), verbose=False)
        for name, value in model.evaluate(**data, **more).items():
            assert history[name] == pytest.approx([value], rel=1e-12)


def test_steps_of_chunks_end_with_the_sequences(monkeypatch):
    x, y = sines(n=6, T=10)
    model, steps, forward, calls = small(), Steps(), HostEngine.forward, []

    def counted(self, *args):
        calls.append(args[1].x.shape)
        return forward(self, *args)

    monkeypatch.setattr(HostEngine, "forward", counted)
    model.fit(
        x, y, lengths=[10, 3, 4, 2, 0, 7], tbptt=4, batch_size=2, epochs=2, shuffle=False, verbose=False,
        callbacks=steps,
    )  # fmt: skip
    first = [0, 1, 2, 3, 6, 7]  # three chunks a batch: all, one of the second, two of the third
    assert steps.steps == first + [step + 9 for step in first]
    assert calls == [(2, 4, 1), (2, 4, 1), (2, 2, 1), (2, 4, 1), (2, 4, 1), (2, 3, 1)] * 2 + [(2, 4, 1)]


def test_every_chunk_drops_its_own():
    seen = []

    def loss(y, target):
        seen.append(np.abs(y) > 1e-6)  # the bias moves by less
        return float(y.sum()), np.ones_like(y)

    model = Model(Dropout(0.5), Dense(1), input_dim=1, seed=0, backend="numpy")
    model.params["1.bias"] = 0
    x = np.ones((1, 60, 1))
    model.fit(x, x, tbptt=20, loss=loss, optimizer=SGD(1e-30), seed=0, verbose=False)
    masks = [mask.tobytes() for mask in seen if 0 < mask.sum() < mask.size]
    assert len(masks) == len(set(masks)) == 3


def test_chunks_without_class_weight_carry_the_state_and_count_in_metrics(backend):
    x, labels = np.random.default_rng(0).normal(size=(3, 6, 2)), np.ones((3, 6), int)
    labels[:, :3] = 0
    by_fit = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", backend=backend)
    by_hand = LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype="float64", backend=backend)
    options = {"loss": "cross_entropy", "class_weight": [0, 1]}
    history = by_fit.fit(x, labels, tbptt=3, optimizer=SGD(0.1), metrics=["accuracy"], verbose=False, **options)
    y, state = by_hand(x[:, :3], return_state=True)
    right = [y.argmax(2) == 0, by_hand(x[:, 3:], h0=state).argmax(2) == 1]
    loss, grad = by_hand.loss_and_grad(x[:, 3:], labels[:, 3:], h0=state, **options)
    SGD(0.1).step(by_hand, grad)
    assert np.abs(by_fit.theta - by_hand.theta).max() < 1e-14  # sequences in another order
    assert history["loss"][0] == pytest.approx(loss, rel=1e-12)
    assert history["accuracy"][0] == np.mean(right)


def test_a_chunk_in_the_middle_without_class_weight_starts_from_the_state_before_it(backend):
    """Its forward pass runs twice, for want of a loss; the state may lie where the first of them wrote its own."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(3, 6, 2)), np.ones((3, 6), int)
    labels[:, 2:4] = 0
    options = {"loss": "cross_entropy", "class_weight": [0, 1]}
    by_fit, by_hand = (Model(CfC(2, input_dim=2), seed=0, dtype="float64", backend=backend) for _ in range(2))
    by_fit.fit(x, labels, tbptt=2, optimizer=SGD(0.5), shuffle=False, metrics=["accuracy"], verbose=False, **options)
    optimizer, state = SGD(0.5), None
    for first in (0, 2, 4):
        part = x[:, first : first + 2]
        _, after = by_hand(part, h0=state, return_state=True)
        if first != 2:
            _, grad = by_hand.loss_and_grad(part, labels[:, first : first + 2], h0=state, **options)
            optimizer.step(by_hand, grad)
        state = after
    np.testing.assert_allclose(by_fit.theta, by_hand.theta, rtol=0, atol=1e-14)  # the same sums, in BLAS


@pytest.mark.slow
def test_resumed_training_in_chunks_has_the_same_bits(tmp_path, backend):
    _, data, lengths = ragged()
    options = {
        **data, "lengths": lengths, "tbptt": 3, "batch_size": 2, "seed": 3, "verbose": False, "clip_norm": 0.5,
        "validation": {k: data[k] for k in ("x", "y", "dt")},
    }  # fmt: skip
    whole, part, steps, later = ragged(backend=backend)[0], ragged(backend=backend)[0], Steps(), Steps()
    whole.fit(epochs=4, optimizer=Adam(CosineDecay(0.01, 40)), callbacks=steps, **options)
    optimizer = Adam(CosineDecay(0.01, 40))
    part.fit(epochs=2, optimizer=optimizer, callbacks=Checkpoint(tmp_path / "c.npz"), **options)
    again = Adam(CosineDecay(0.01, 40))
    resumed = load(tmp_path / "c.npz", backend=backend, optimizer=again)
    resumed.fit(epochs=range(2, 4), optimizer=again, callbacks=later, **options)
    assert np.array_equal(resumed.theta, whole.theta)
    assert later.steps == [step for step in steps.steps if step >= 2 * 3 * 4]


def test_the_memory_of_chunks_does_not_grow_with_the_sequences():
    def peak(T, tbptt):
        x = np.zeros((16, T, 1), np.float32)
        model = LTCRNN(AutoNCP(24, 1), 1, seed=0)
        model.fit(x, x, tbptt=tbptt, verbose=False)  # compiles what is missing
        tracemalloc.start()
        model.fit(x, x, tbptt=tbptt, verbose=False)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    tape = 16 * 6 * 24 * 4  # bytes a step: sequences, unfolds, neurons, a number
    data = 16 * 4
    assert peak(300, None) > 300 * tape
    # A checked copy of dt, and passing arrays of checks; in no way the 9 kB of a step's tape.
    assert peak(300, 20) - peak(100, 20) < 200 * 10 * data < 200 * tape / 10


def test_chunks_that_are_not_finite_are_named_and_the_last_step_is_looked_at(backend):
    x, y = sines(n=6, T=10)
    calls = []

    def explode(y, target):
        calls.append(y.shape)
        return (np.nan if len(calls) == 6 else 1.0), y - target

    with pytest.raises(FloatingPointError, match=r"at step 5 \(epoch 0, batch 1, chunk 2\)"):
        small(backend).fit(x, y, loss=explode, batch_size=3, tbptt=4, optimizer=SGD(1e-3), verbose=False)
    assert calls == [(3, 4, 1), (3, 4, 1), (3, 2, 1)] * 2
    good = []

    class Watch(Callback):
        def on_batch_end(self, step, logs):
            good.append(self.model.theta.copy())

    weight = np.ones((6, 10))
    weight[:, :4] = 0  # of what is looked at
    model = small(backend)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="after the last step"):
        model.fit(
            x, y, sample_weight=weight, tbptt=4, optimizer=SGD(lambda k: 1e30 if k else 1e-3), verbose=False,
            callbacks=Watch(),
        )  # fmt: skip
    assert len(good) == 2
    assert np.array_equal(model.theta, good[0])


def test_data_are_looked_at_once_an_epoch_also_by_a_training_that_goes_on_inside_one(tmp_path, monkeypatch):
    """With the parameters of the beginning of the epoch: later ones may refuse what a training without a cut takes."""
    x, y = sines(n=11)
    looked, inner = [], Run.check_elapsed

    def check_elapsed(self, data, epoch, batch):
        looked.append((epoch, batch))
        inner(self, data, epoch, batch)

    monkeypatch.setattr(Run, "check_elapsed", check_elapsed)

    def train(**options):
        job = Checkpoints(tmp_path / "job", every=1, resume=True)
        return small().fit(x, y, epochs=2, batch_size=4, seed=1, checkpoint=job, verbose=False, **options)

    with pytest.raises(Cut):
        train(callbacks=Cuts(2))
    assert looked == [(0, 0)]
    assert train().epoch == [0, 1]
    assert looked == [(0, 0), (1, 0)]
