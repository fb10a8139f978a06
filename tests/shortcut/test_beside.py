"""A network and a line: the share of the network, and the model that has both."""

import dataclasses

import numpy as np
import pytest

from ltc_np import losses
from ltc_np.recipe import Recipe
from ltc_np.shortcut import beside, lines
from ltc_np.shortcut.beside import Data


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("place", "found"), [(0.3, 0.3), (-2.0, 0.0), (7.0, 1.0)])
def test_least(place, found):
    assert beside.least(lambda a: 4 * (a - place) ** 3, 1.0) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("every_step", [False, True])
def test_the_slope_is_0_where_the_loss_is_least(classes, every_step):
    B, T, O = 8, 5, classes or 2
    shape = (B, T) if every_step else (B,)
    y = np.random.default_rng(0).integers(0, classes, shape) if classes else normal(*shape, O)
    weight = np.random.default_rng(1).uniform(0.5, 2, B)
    data = Data(normal(B, T, 1), y, None, np.array([5, 4, 3, 5, 5, 2, 1, 5]), weight)
    one_hot = np.eye(O)[y] if classes else y
    said = normal(*shape, O, seed=2)
    judge = beside.Judge(data, said, one_hot + (2 if classes else 0.7) * normal(*shape, O, seed=3), classes)
    share = beside.least(judge.slope, 1.0)
    grid = [judge.loss(a) for a in np.linspace(0, 1, 201)]
    assert 0 < share < 1
    assert np.linspace(0, 1, 201)[np.argmin(grid)] == pytest.approx(share, abs=0.005)
    answers = (1 - share) * said + share * judge.found
    valid = np.arange(T) < data.lengths[:, None]
    mass = (valid * weight[:, None]).ravel() if every_step else weight
    if classes:
        total, weights, _ = losses.cross_entropy(answers.reshape(-1, O), y.ravel(), mass)
    else:
        errors = ((answers - y) ** 2).sum(-1).ravel()
        total, weights = mass @ errors, mass.sum()
    assert judge.loss(share) == pytest.approx(total / weights, rel=1e-12)


def cross_entropy(logits, y):
    total, weights, _ = losses.cross_entropy(logits, y)
    return total / weights


def doubted(logits, y):
    """The mean over all sequences, and one more that has every class alike."""
    n = len(y)
    of_all = np.mean([cross_entropy(logits, np.full(n, k)) for k in range(logits.shape[1])])
    return (n * cross_entropy(logits, y) + of_all) / (n + 1)


def certain(logits, y):
    """What they are multiplied by, where one answer more says nothing."""
    best, width = 1.0, 100.0
    for _ in range(3):
        grid = best * np.geomspace(1 / width, width, 61)
        best, width = grid[np.argmin([doubted(a * logits, y) for a in grid])], width ** (1 / 20)
    return best


@pytest.mark.parametrize("classes", [0, 3])
def test_the_steps_one_by_one(classes):
    """What learned from the first part is judged by the second, the line by leaving one out; the model has the line of
    both parts, and a network that goes on with both, for half of its epochs and from half of its rate."""
    x = normal(60, 5, 2)
    score = x.sum(1) @ normal(2, classes or 1, seed=1) + (3.0 if classes else 0.5) * normal(60, classes or 1, seed=2)
    y = score.argmax(1) if classes else score
    data, held = Data(x[:45], y[:45]), Data(x[45:], y[45:])
    recipe = Recipe(cell="cfc", units=4, epochs=20, learning_rate=0.2)
    model, alone = (
        recipe.model(
            2, classes or 1, steps=5, every_step=False, numbers=not classes, seed=0, dtype="float64", backend="numpy"
        )
        for _ in range(2)
    )
    settings = {"loss": "cross_entropy" if classes else "mse", "seed": 0, "verbose": False}
    found = beside.fit(recipe, model, 3, data, held, classes, **settings)  # trains `model`

    def line_of(some):
        """Its logits, or numbers, for all sequences, and those of each sequence that it was fitted without."""
        line = lines.fit(some.sequences(model), np.eye(3)[some.y] if classes else some.y, None, False, 3)
        scale = certain(line.left_out, some.y) if classes else 1.0
        return scale * line.predict(Data(x, y).sequences(model), False), scale * line.left_out

    def loss(answers):
        return cross_entropy(answers[45:], y[45:]) if classes else ((answers[45:] - y[45:]) ** 2).mean()

    def error(answers, some):
        return doubted(answers, some.y) if classes else ((answers - some.y) ** 2).mean()

    recipe.fit(alone, data.x, data.y, sequences=45, **settings)
    (of_first, left_out), (of_all, _), network = line_of(data), line_of(Data(x, y)), alone.predict(x)
    calm = min(1.0, certain(network[45:], held.y)) if classes else 1.0
    assert calm < 0.9 or not classes
    errors = error(left_out, data), error(calm * network[45:], held)
    share, report = errors[0] / sum(errors), found.report
    assert report["line"] == pytest.approx(loss(of_first), rel=1e-3)
    assert report["network"] == pytest.approx(loss(calm * network), rel=1e-3)
    assert report["both"] == pytest.approx(loss((1 - share) * of_first + share * calm * network), rel=1e-3)
    assert report["share"] == pytest.approx(share, rel=1e-3) and 0.1 < share < 0.9
    assert (report["held_out"], report["reads"]) == (15, 3)
    slower = dataclasses.replace(recipe, epochs=10, learning_rate=0.5 * recipe.learning_rate)
    slower.fit(alone, x, y, sequences=60, epochs=range(20, 30), **settings | {"standardize": False})
    assert (alone.theta == model.theta).all() and found.model.trained.epochs == 30
    network = alone.predict(x)
    want = (1 - share) * of_all + share * calm * network
    np.testing.assert_allclose(found.model.predict(x), want, rtol=3e-3, atol=3e-3)
    assert np.abs(of_all - of_first).max() > 0.05


@pytest.mark.parametrize(
    ("errors", "share"),
    [((0.09, 0.91), 0), ((0.22, 1.78), 0.11), ((0.89, 0.11), 0.89), ((9.1, 0.9), 1), ((0.0, 0.0), 0.5)],
)
def test_a_small_share_is_none(errors, share, monkeypatch):
    """The share is in inverse proportion to the errors of the line and of the network."""
    given = iter(errors)
    monkeypatch.setattr(beside.Judge, "loss", lambda judge, share: next(given, 0.0))
    x, recipe = normal(20, 5, 2), Recipe(cell="cfc", units=4, epochs=1)
    model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0)
    data, held = Data(x[:15], x[:15].sum(1)[:, :1]), Data(x[15:], x[15:].sum(1)[:, :1])
    found = beside.fit(recipe, model, 3, data, held, 0, loss="mse", seed=0, verbose=False)
    assert found.report["share"] == pytest.approx(share, rel=1e-12)
    assert (found.model is model) == (share == 1)


def test_a_network_is_never_made_surer_than_it_is():
    """Its logits are as small as those of one that has hardly learnt: larger ones would be better by chance."""
    x = normal(40, 5, 2, seed=3)
    recipe = Recipe(cell="cfc", units=4, epochs=1, learning_rate=1e-9, standardize=False)
    model = recipe.model(2, 2, steps=5, every_step=False, numbers=False, seed=0, dtype="float64", backend="numpy")
    y = model.predict(x).argmax(1)
    data, held = Data(x[:30], y[:30]), Data(x[30:], y[30:])
    found = beside.fit(recipe, model, 3, data, held, 2, refit=False, loss="cross_entropy", seed=0, verbose=False)
    logits = model.predict(x[30:])
    assert certain(logits, held.y) > 5
    assert found.report["network"] == pytest.approx(cross_entropy(logits, held.y), rel=1e-9)


def test_a_line_reads_inputs_in_the_scale_of_the_network():
    """Clipped at 5 deviations, not at 5; and what lies behind the ends is 0, whatever stands there."""
    x = 40 + normal(30, 6, 2)
    data = Data(x, x.sum((1, 2))[:, None])
    for standardize in (True, False):
        recipe = Recipe(cell="cfc", units=4, shortcut="auto", standardize=standardize)
        model = recipe.model(2, 1, steps=6, every_step=False, numbers=True, seed=0, dtype="float64", backend="numpy")
        assert beside.choose(recipe, model, data, 0) == 6
        padded = x.copy()
        padded[0, 2:] = np.nan
        read = data._replace(x=padded, lengths=np.array([2, *[6] * 29])).sequences(model).x
        assert not read[0, 2:].any() and np.isfinite(read).all() and read[0, :2].all()


@pytest.mark.parametrize(("left", "reads"), [(0.89, 3), (0.91, None)])
def test_a_line_must_explain_a_tenth(left, reads, monkeypatch):
    """Of the error of a constant; of less, "auto" has none, and who asks for a line has one."""
    found = lines.Fitted(3, None, None, None, None, left, 1.0)
    monkeypatch.setattr(lines, "choose", lambda *given: found)
    x = normal(20, 5, 2)
    for shortcut, wanted in (("auto", reads), ("ridge", 3)):
        recipe = Recipe(cell="cfc", units=4, shortcut=shortcut)
        model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
        assert beside.choose(recipe, model, Data(x, x.sum((1, 2))[:, None]), 0) == wanted


def test_the_seconds_are_those_of_both_trainings(monkeypatch):
    """Of the one by which the share is chosen, and of the one with what was held out for it."""
    x, recipe, fit = normal(20, 5, 2), Recipe(cell="cfc", units=4, epochs=1), Recipe.fit

    def timed(*args, **settings):
        history = fit(*args, **settings)
        history.seconds = 7.0
        return history

    monkeypatch.setattr(Recipe, "fit", timed)
    model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
    data, held = Data(x[:15], normal(15, 1, seed=1)), Data(x[15:], normal(5, 1, seed=2))
    found = beside.fit(recipe, model, 3, data, held, 0, loss="mse", seed=0, verbose=False)
    assert found.report["share"] > 0 and found.history.seconds == 14.0


def test_doubt_is_of_one_answer_more():
    """Answers that weigh something count, of targets at every step each step before the end."""
    data = Data(
        normal(3, 4, 1), np.zeros((3, 4), int), lengths=np.array([4, 2, 1]), sample_weight=np.array([1, 0, 2.0])
    )
    assert beside._doubt(data, every_step=True) == 1 / 6
    assert beside._doubt(data, every_step=False) == 1 / 3


@pytest.mark.parametrize("classes", [0, 3])
def test_what_was_held_out_may_say_nothing(classes):
    """Of the network nothing is known by sequences of a class without weight, or by targets of one output of two."""
    x, y = normal(30, 5, 2), np.arange(30) % 3
    numbers = np.stack([x[:, -1, 0], np.where(y == 0, np.nan, x[:, 0, 0])], axis=1)
    recipe = Recipe(cell="cfc", units=4, epochs=1)
    model = recipe.model(2, classes or 2, steps=5, every_step=False, numbers=not classes, seed=0)
    data, held = (Data(x[rows], (y if classes else numbers)[rows]) for rows in (y > 0, y == 0))
    settings = {"loss": "cross_entropy", "class_weight": np.array([0.0, 1.0, 1.0])} if classes else {"loss": "mse"}
    found = beside.fit(recipe, model, 3, data, held, classes, refit=False, seed=0, verbose=False, **settings)
    assert found.report["share"] == 0.5


@pytest.mark.parametrize("standardize", [False, True])
def test_what_rest_is_for_a_line(standardize):
    """Inputs of 0, in the scale that it reads, and no further away than inputs may be."""
    x = np.array([6.0, -40.0]) + np.array([4.0, 2.0]) * normal(50, 6, 2)
    data, recipe = Data(x, x.sum(1)[:, :1]), Recipe(cell="cfc", units=4, standardize=standardize)
    model = recipe.model(2, 1, steps=6, every_step=False, numbers=True, seed=0, dtype="float64")
    beside._adapt(model, data, 0)
    rows = x.reshape(-1, 2)
    want = [-rows[:, 0].mean() / rows[:, 0].std(), 5.0] if standardize else [0.0, 0.0]
    np.testing.assert_allclose(data.sequences(model).rest, want, rtol=1e-3)


@pytest.mark.parametrize("every_step", [False, True])
def test_joined(every_step):
    """Sequences of unequal numbers of steps, one behind the other; what lies behind the ends is 0."""
    first = Data(normal(2, 3, 1), normal(*((2, 3, 1) if every_step else (2, 1))), normal(2, 3), None, np.ones(2))
    second = Data(
        normal(1, 5, 1), normal(*((1, 5, 1) if every_step else (1, 1))), normal(1, 5), np.array([4]), 2 * np.ones(1)
    )
    both = first.joined(second, every_step)
    assert both.lengths.tolist() == [3, 3, 4] and both.sample_weight.tolist() == [1, 1, 2]
    np.testing.assert_array_equal(both.x[:2, :3], first.x)
    np.testing.assert_array_equal(both.x[2:], second.x)
    assert not both.x[:2, 3:].any() and not both.dt[:2, 3:].any()
    np.testing.assert_array_equal(both.y[:2, :3] if every_step else both.y[:2], first.y)
    np.testing.assert_array_equal(both.y[2:], second.y)
