"""A training that collapses goes back: when, to what, resumed, on several ranks, and never where nothing collapses."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from support import ranks as fake
from support.trainings import Cut, Cuts

from ltc_np import (
    LSTM,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Checkpoints,
    CollapseGuard,
    CosineDecay,
    Dense,
    Model,
    PerEpoch,
    PiecewiseConstant,
    load,
)  # fmt: skip
from ltc_np.optim.schedules import Schedule
from ltc_np.recipe import Recipe
from ltc_np.train.callbacks.collapse_guard import Scaled

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 6, 2))
Y = np.cumsum(X, axis=1) / 3
EPOCHS = 24
JUMP = PerEpoch(PiecewiseConstant([8], [0.03, 3.0]))  # with the second rate everything overshoots


def network():
    return Model(LSTM(3), BatchNorm(), Dense(2), input_dim=2, seed=0, backend="numpy")


class Jumps(Callback):
    """Sets a rate that is a number."""

    def on_epoch_done(self, epoch, logs):
        if epoch == 7:
            self.optimizer.lr = 3.0


class Recorded(Callback):
    """What there was at the beginning of every epoch."""

    def on_train_begin(self):
        self.seen = [self.now()]
        self.rates = []

    def on_epoch_done(self, epoch, logs):
        self.seen.append(self.now())
        self.rates.append(self.optimizer.lr)

    def now(self):
        return self.model.theta.copy(), self.model.buffer_vector.copy(), self.optimizer.state()


def trained(*callbacks, optimizer=None, model=None, **options):
    """The model, its optimiser and history, quietly."""
    model, optimizer = model or network(), optimizer or Adam(JUMP)
    given = {"epochs": EPOCHS, "batch_size": 8, "seed": 3, "verbose": False} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(X, Y, optimizer=optimizer, callbacks=callbacks, **given)
    return model, optimizer, history


def left(model, optimizer, history):
    return model.theta.tobytes(), model.buffer_vector.tobytes(), repr(optimizer.state()), dict(history)


def begun(patience, optimizer):
    """A guard at the beginning of a training."""
    guard = CollapseGuard(patience)
    guard.model = SimpleNamespace(theta=np.zeros(3), buffer_vector=np.zeros(1))
    guard.optimizer, guard.first_rank = optimizer, False
    guard.on_train_begin()
    return guard


def after(losses, patience=2):
    """After which epochs a guard goes back where a training has these losses."""
    guard, found = begun(patience, SGD(0.5)), []
    for epoch, loss in enumerate(losses):
        before = guard.restored
        guard.on_epoch_end(epoch, {"loss": loss})
        found += [epoch] * (guard.restored - before)
    assert guard.optimizer.lr == 0.5 * 0.5 ** len(found)
    return found


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [
        ([1.61, 1.18, 1.57, 1.57, 1.2], [3]),  # back to chance, not twice the best
        ([1.61, 1.18, 1.57, 1.2, 1.57, 1.2], []),  # only for an epoch
        ([1.61, 1.18, 1.51, 1.51, 1.51], []),  # less than four fifths of it is lost
        ([1.61, 1.5, 1.61, 1.61, 1.62], []),  # there was not much to lose
        ([1.0, 1.9, 1.9, 1.9], []),
        ([1.0, 2.1, 2.1, 2.1, 2.1], [2, 4]),  # twice the loss of the beginning, again and again
        ([1.0, 0.001, 0.02, 0.7, 0.7], []),
        ([1.0, 0.001, 0.81, 0.9, 0.7], [3]),
        ([-1.0, -3.0, -1.3, -1.3, -2.5], [3]),  # a loss of one's own may be negative
        ([-1.0, -1.1, -0.5, -0.1, 0.1, 0.1], [5]),
    ],
)
def test_when_a_training_has_collapsed(losses, epochs):
    assert after(losses) == epochs


def test_resumed_behind_a_collapse_it_goes_on_from_the_first_schedule():
    """At the second collapse the rates of the user's schedule are halved twice, not those that were halved once."""
    optimizer = SGD(CosineDecay(0.1, 100))
    guard = begun(1, optimizer)
    for epoch, loss in enumerate((1.0, 2.1)):
        guard.on_epoch_end(epoch, {"loss": loss})
    assert guard.restored == 1 and optimizer.learning_rate == 0.1 / 2
    resumed = begun(1, optimizer)
    resumed.load_state(guard.state())
    resumed.on_epoch_end(2, {"loss": 2.1})
    assert resumed.restored == 2 and optimizer.learning_rate == 0.1 / 4


def test_back_at_the_first_step_the_epochs_still_count():
    """The optimiser forgets its moments there; a schedule of epochs goes on where it is."""
    optimizer = Adam(JUMP)
    guard = begun(1, optimizer)
    optimizer.bind(guard.model.theta)
    optimizer.epoch, optimizer.t = 9, 27
    for epoch, loss in enumerate((1.0, 2.1)):
        guard.on_epoch_end(epoch, {"loss": loss})
    assert guard.restored == 1 and optimizer.t == 0 and not optimizer.moments
    assert optimizer.epoch == 9 and optimizer.learning_rate == 3.0 / 2


def test_it_goes_back_to_what_the_best_epoch_began_with():
    """By recording; the steps count on, so that schedules do, and all rates are halved."""
    recorded, guard = Recorded(), CollapseGuard(1)
    with pytest.warns(
        RuntimeWarning, match=r"the training has collapsed: its loss was .* in epoch [78], and is"
    ) as told:
        model = network()
        history = model.fit(
            X, Y, epochs=EPOCHS, batch_size=8, seed=3, verbose=False, optimizer=Adam(JUMP),
            callbacks=[guard, recorded],
        )  # fmt: skip
    assert len(told) == 1 and guard.restored > 1
    loss, rates = history["loss"], [rate(20) / 3 for rate in recorded.rates]
    (at, *_) = [epoch for epoch, rate in enumerate(rates) if rate == 0.5]
    best = int(np.argmin(loss[:at]))
    assert rates[:at] == [1] * at and at == best + 1
    theta, buffers, state = recorded.seen[best]
    found = recorded.seen[at + 1]
    np.testing.assert_array_equal(found[0], theta)
    np.testing.assert_array_equal(found[1], buffers)
    for name in ("m", "v"):
        np.testing.assert_array_equal(found[2][name], state[name])
    assert found[2]["t"] == 3 * (at + 1)
    assert rates[-1] == 0.5**guard.restored
    alone = trained()[2]["loss"]
    assert loss[-1] < 0.7 * alone[-1]


def test_a_rate_that_is_a_number_is_halved_too():
    optimizer, guard = Adam(0.03), CollapseGuard(2, factor=0.25)
    _, _, history = trained(guard, Jumps(), optimizer=optimizer)
    assert optimizer.lr == 3 * 0.25**guard.restored < 3
    alone = trained(Jumps(), optimizer=Adam(0.03))[2]["loss"]
    assert history["loss"][-1] < 0.7 * alone[-1]


@pytest.mark.few(1)
@pytest.mark.parametrize(("rate", "more"), [(JUMP, ()), (0.03, (Jumps(),))])
def test_a_training_that_is_cut_off_goes_on_with_the_same_bits(rate, more, tmp_path):
    """In the middle of an epoch before the collapse, while it is waited for, and behind it."""
    whole = left(*trained(CollapseGuard(), *more, optimizer=Adam(rate)))
    assert whole[3]["loss"][-1] < 1
    for cut in (26, 31, 40, None):
        try:
            found = trained(
                CollapseGuard(), *more, *([] if cut is None else [Cuts(cut)]), optimizer=Adam(rate),
                checkpoint=Checkpoints(tmp_path, every=1, resume=True),
            )  # fmt: skip
        except Cut:
            continue
    assert left(*found) == whole


def test_the_file_of_a_model_holds_no_copies(tmp_path):
    """But what it needs to go on: here with the same optimiser and with another one."""
    model, optimizer, _ = trained(CollapseGuard(), epochs=12)
    ((name, state),) = model.trained.callbacks
    assert name == "CollapseGuard" and state["restored"] == 1
    assert not any(isinstance(value, (dict, np.ndarray)) for value in state.values())
    model.save(tmp_path / "m.npz")
    for rates in (optimizer, Adam(JUMP)):
        other, guard = load(tmp_path / "m.npz", backend="numpy"), CollapseGuard()
        trained(guard, model=other, optimizer=rates, epochs=range(12, 13))
        assert guard.restored == 1 and guard.best == state["best"]
        assert rates.learning_rate == 1.5


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_ranks_go_back_together(count):
    """Each of them, to the same parameters; rank 0 says so."""

    def run(comm):
        guard = CollapseGuard()
        model, optimizer, history = trained(guard, comm=comm, optimizer=Adam(JUMP), model=plain())
        return model.theta.tobytes(), history["loss"], guard.restored, guard.first_rank, optimizer.lr

    def plain():
        return Model(LSTM(3), Dense(2), input_dim=2, seed=0, backend="numpy", dtype="float64")

    found = fake.run(count, run)
    assert {each[0] for each in found} == {found[0][0]}
    assert [each[3] for each in found] == [True] + [False] * (count - 1)
    guard = CollapseGuard()
    _, _, alone = trained(guard, model=plain())
    assert {each[2] for each in found} == {guard.restored} and guard.restored > 0
    np.testing.assert_allclose(found[0][1][:12], alone["loss"][:12], rtol=1e-9)  # later rounding has grown


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [lambda: Adam(0.03), lambda: Adam(CosineDecay(0.03, 72))])
def test_a_training_that_does_not_collapse_has_the_same_bits(optimizer):
    guard = CollapseGuard()
    assert left(*trained(guard, optimizer=optimizer())) == left(*trained(optimizer=optimizer()))
    assert guard.restored == 0


def test_every_recipe_has_one():
    """But in `partial_fit`, where every epoch may have other data."""

    class Told:
        return_sequences = False
        theta = buffer_vector = trained = np.zeros(0)

        def fit(self, x, y, **settings):
            self.callbacks = settings.get("callbacks", [])

    told, own = Told(), Recorded()
    Recipe(epochs=3).fit(told, "x", "y", sequences=9, callbacks=own)
    assert [type(callback) for callback in told.callbacks] == [CollapseGuard, Recorded]
    Recipe(epochs=3).fit(told, "x", "y", sequences=9)
    assert [type(callback) for callback in told.callbacks] == [CollapseGuard]
    Recipe(epochs=3).fit(told, "x", "y", sequences=9, epochs=range(4, 5))
    assert told.callbacks == []


def test_a_scaled_schedule_counts_what_the_other_one_counts():
    for schedule, per in ((CosineDecay(0.1, 9), "step"), (JUMP, "epoch"), (lambda step: 0.3, "step")):
        scaled = Scaled(schedule, 0.5)
        assert isinstance(scaled, Schedule) and scaled.per == per and scaled(3) == 0.5 * schedule(3)
