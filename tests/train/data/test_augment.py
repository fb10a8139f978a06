"""A user's own changes of each batch: what they get, what they may return, and that they are drawn as all else is."""

import numpy as np
import pytest
from support import ranks as fake
from support.trainings import Cut, Cuts, left_behind

from ltc_np import BPTT, LSTM, Adam, Batching, Checkpoints, Dense, Dropout, Model
from ltc_np.recipe import Recipe
from ltc_np.train.data.augment import augmented, read_augment
from ltc_np.train.loop import run

rng = np.random.default_rng(0)
X = np.round(64 * rng.normal(size=(13, 5, 2))) / 64  # sums of these have the same bits in float32
Y = np.cumsum(X, axis=1) / 4
LABELS = rng.integers(0, 2, 13)


def network(**options):
    return Model(LSTM(3), Dropout(0.2), Dense(2), input_dim=2, seed=0, backend="numpy", **options)


def trained(augment, *callbacks, x=X, y=Y, model=None, **options):
    """The model, its optimiser and history."""
    model, optimizer = network() if model is None else model, Adam(0.01)
    given = {"epochs": 3, "seed": 4, "verbose": False, "batch_size": Batching(5, augment=augment)} | options
    return model, optimizer, model.fit(x, y, optimizer=optimizer, callbacks=callbacks, **given)


def noisy(x, y, rng):
    return x + rng.normal(0, 0.5, x.shape), y


def test_it_is_a_training_with_what_it_returns():
    """By changing all data before; the function may write to what it gets."""

    def doubled(x, y, rng):
        x *= 2
        y -= 1
        return x, y

    x, y = X.copy(), Y.copy()
    assert left_behind(*trained(doubled)) != left_behind(*trained(None))
    for shuffle in (True, False):
        changed = trained(doubled, x=x, y=y, shuffle=shuffle)
        assert left_behind(*changed) == left_behind(*trained(None, x=2 * X, y=Y - 1, shuffle=shuffle))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)

    def other_class(x, y, rng):
        return x, 1 - y

    given = {"loss": "cross_entropy", "metrics": ["accuracy"]}
    last = {"model": network(return_sequences=False), "y": LABELS}, {"model": network(return_sequences=False)}
    changed = trained(other_class, **last[0], **given)
    assert left_behind(*changed) == left_behind(*trained(None, y=1 - LABELS, **last[1], **given))


def test_what_it_gets():
    seen = []

    def look(x, y, rng):
        seen.append((x.copy(), y.copy(), rng.random(3)))
        return np.where((x == 0).all(2, keepdims=True), np.nan, x + 1), y + 1

    lengths = np.array([5, 4, 3, 2, 1, 5, 5, 5, 5, 5, 5, 5, 5])
    valid = np.arange(5) < lengths[:, None]
    x, y = np.where(valid[..., None], X, np.nan), np.where(valid[..., None], Y, np.nan)
    history = trained(look, x=x, y=y, lengths=lengths, shuffle=False, validation=(X, Y))
    assert [len(each[0]) for each in seen] == [5, 5, 3] * 3
    np.testing.assert_array_equal(seen[3][0], np.where(valid[:5, :, None], X[:5], 0).astype(np.float32))
    np.testing.assert_array_equal(seen[3][1], np.where(valid[:5, :, None], Y[:5], 0).astype(np.float32))
    assert len({each[2].tobytes() for each in seen}) == 9  # another one for every batch of every epoch
    model, _, history = history
    assert model.evaluate(X, Y)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)
    same = trained(None, x=X + 1, y=Y + 1, lengths=lengths, shuffle=False, validation=(X, Y))
    assert same[0].theta.tobytes() == model.theta.tobytes()  # what it writes behind the end counts nowhere


def test_what_it_keeps_is_not_the_batch(monkeypatch):
    """It may return arrays of its own, and write to them whenever it likes."""
    kept, batches = [np.ones((5, 5, 2), np.float32), np.ones((5, 5, 2), np.float32)], []

    def watched(*given):
        batches.append(augmented(*given))
        return batches[-1]

    monkeypatch.setattr(run, "augmented", watched)
    for lengths in None, [5, 3, 1, 5, 5]:
        options = {"lengths": lengths, "epochs": 1, "shuffle": False}
        trained(lambda x, y, rng: tuple(kept), x=X[:5], y=Y[:5], **options)
    for batch in batches:
        for own, of_user in zip((batch.sequences.x, batch.target), kept, strict=True):
            assert not np.shares_memory(own, of_user) and (of_user == 1).all()
    assert not batches[1].sequences.x[1, 3:].any()


def test_the_seed_decides():
    one = left_behind(*trained(noisy))
    assert left_behind(*trained(noisy)) == one != left_behind(*trained(noisy, seed=5))


def test_a_training_that_is_cut_off_goes_on_with_the_same_bits(tmp_path):
    whole = left_behind(*trained(noisy))
    for cut in (1, 4, None):
        try:
            found = trained(
                noisy, *([] if cut is None else [Cuts(cut)]), checkpoint=Checkpoints(tmp_path, every=1, resume=True)
            )
        except Cut:
            continue
    assert left_behind(*found) == whole
    with pytest.raises(ValueError, match=r"with Batching.augment '.*noisy#.*' \(now None\): give these"):
        trained(None, checkpoint=Checkpoints(tmp_path, resume=True), epochs=4)


def test_each_rank_changes_its_part():
    def run(comm, function):
        seen = []

        def look(x, y, rng):
            seen.append((len(x), rng.bit_generator.state["state"]["key"].tobytes()))
            return function(x, y, rng)

        return trained(look, comm=comm, model=network(dtype="float64"))[0].theta, seen

    doubled = fake.run(2, lambda comm: run(comm, lambda x, y, rng: (2 * x, y)))
    alone = trained(lambda x, y, rng: (2 * x, y), model=network(dtype="float64"))[0].theta
    np.testing.assert_allclose(doubled[0][0], alone, rtol=1e-9)
    (first, own), (second, other) = fake.run(2, lambda comm: run(comm, noisy))
    np.testing.assert_array_equal(first, second)
    assert [sum(sizes) for sizes in zip([n for n, _ in own], [n for n, _ in other], strict=True)] == [5, 5, 3] * 3
    assert not {key for _, key in own} & {key for _, key in other}


@pytest.mark.parametrize(
    ("augment", "error", "message"),
    [
        (3, TypeError, r"`augment` must be a function \(x, y, rng\) -> \(x, y\), got 3"),
        (lambda x, y: (x, y), TypeError, r"`augment` must be a function .*: too many positional arguments"),
        (lambda x, y, rng: x, TypeError, r"`augment` must return a tuple \(x, y\), got float32 of shape \(5, 5, 2\)"),
        (
            lambda x, y, rng: (x[1:], y),
            ValueError,
            r"`augment` must return x of the shape .* \(5, 5, 2\), got \(4, 5, 2\)",
        ),
        (lambda x, y, rng: (x / 0, y), ValueError, "`augment's x` must be finite"),
        (lambda x, y, rng: (x, y[:, 1:]), ValueError, "`augment's y` "),
        (lambda x, y, rng: (x, y + np.nan), ValueError, "`augment's y` must be finite"),
        (lambda x, y, rng: (x.astype(str), y), TypeError, "`augment's x` must be "),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_is_refused(augment, error, message):
    with pytest.raises(error, match=message):
        trained(augment)


def test_what_does_not_tell_its_arguments_is_taken():
    assert read_augment("augment", None) is None and read_augment("augment", max) is max
    with pytest.raises(TypeError, match="`augment` must be a function"):
        read_augment("augment", dict)


def test_other_classes_and_chunks_are_refused():
    with pytest.raises(ValueError, match=r"`augment's y` of cross_entropy must be classes in 0\.\.1, got 2"):
        given = {"model": network(return_sequences=False), "loss": "cross_entropy"}
        trained(lambda x, y, rng: (x, y + 2), y=np.zeros(13, int), **given)
    with pytest.raises(ValueError, match="`augment` must be None with `tbptt`, whose chunks .* got tbptt=2"):
        trained(noisy, tbptt=BPTT(2))


def test_recipes_and_estimators_take_it():
    pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "ltc-np[sklearn]"')
    from ltc_np.sklearn import CfCRegressor

    recipe, found = Recipe(cell="gru", units=3, epochs=2, batch_size=5), []
    for x, augment in ((X, lambda x, y, rng: (2 * x, y)), (2 * X, None)):
        model = recipe.model(2, 2, steps=5, every_step=True, numbers=True, seed=0, backend="numpy")
        model.adapt(X, Y)
        recipe.fit(model, x, Y, sequences=13, augment=augment, standardize=False, seed=0, verbose=False)
        found.append(model.theta)
    np.testing.assert_array_equal(*found)
    X3, given = (
        X[:, :, :1],
        {"units": 3, "epochs": 2, "batch_size": 5, "random_state": 0, "standardize": False, "shortcut": None},
    )
    answers = [
        CfCRegressor(augment=augment, **given).fit(x, Y[:, -1, 0]).predict(X3)
        for x, augment in ((X3, lambda x, y, rng: (2 * x, y)), (2 * X3, None))
    ]
    np.testing.assert_array_equal(*answers)
