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
def test_the_share_is_where_the_loss_is_least(classes, every_step):
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


@pytest.mark.parametrize("classes", [0, 3])
def test_the_steps_one_by_one(classes, monkeypatch):
    """What learned from the first part is judged by the second; the model has the line of both parts, and a network
    that goes on with both, for half of its epochs and from half of its rate."""
    doubts = []
    monkeypatch.setattr(beside.Judge, "nearest_half", lambda judge, best: doubts.append(judge.doubt) or 0.3)
    x = normal(60, 5, 2)
    score = x.sum(1) @ normal(2, classes or 1, seed=1) + 0.5 * normal(60, classes or 1, seed=2)
    y = score.argmax(1) if classes else score
    data, held = Data(x[:45], y[:45]), Data(x[45:], y[45:])
    recipe = Recipe(cell="cfc", units=4, epochs=6)
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
        grid = np.geomspace(0.1, 100, 3000)
        scale = grid[np.argmin([doubted(a * line.left_out, some.y) for a in grid])] if classes else 1.0
        return scale * line.predict(Data(x, y).sequences(model), False)

    def loss(answers):
        return cross_entropy(answers[45:], y[45:]) if classes else ((answers[45:] - y[45:]) ** 2).mean()

    recipe.fit(alone, data.x, data.y, sequences=45, **settings)
    of_first, of_all, network = line_of(data), line_of(Data(x, y)), alone.predict(x)
    report = found.report
    assert report["line"] == pytest.approx(loss(of_first), rel=1e-3)
    assert report["network"] == pytest.approx(loss(network), rel=1e-9)
    assert report["both"] == pytest.approx(loss(0.7 * of_first + 0.3 * network), rel=1e-3)
    assert (report["share"], report["held_out"], report["reads"]) == (0.3, 15, 3)
    assert doubts == [1 / 16]  # one answer more than those that are held out
    slower = dataclasses.replace(recipe, epochs=3, learning_rate=0.5 * recipe.learning_rate)
    slower.fit(alone, x, y, sequences=60, epochs=range(6, 9), **settings | {"standardize": False})
    assert (alone.theta == model.theta).all() and found.model.trained.epochs == 9
    network = alone.predict(x)
    np.testing.assert_allclose(found.model.predict(x), 0.7 * of_all + 0.3 * network, rtol=3e-3, atol=3e-3)
    assert np.abs(of_all - of_first).max() > 0.05


@pytest.mark.parametrize(("chosen", "share"), [(0.04, 0), (0.06, 0.06), (0.94, 0.94), (0.96, 1)])
def test_a_small_share_is_none(chosen, share, monkeypatch):
    monkeypatch.setattr(beside.Judge, "nearest_half", lambda judge, best: chosen)
    x, recipe = normal(20, 5, 2), Recipe(cell="cfc", units=4, epochs=1)
    model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0)
    data, held = Data(x[:15], x[:15].sum(1)[:, :1]), Data(x[15:], x[15:].sum(1)[:, :1])
    found = beside.fit(recipe, model, 3, data, held, 0, loss="mse", seed=0, verbose=False)
    assert found.report["share"] == share
    assert (found.model is model) == (share == 1)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("classes", [0, 3])
def test_the_share_is_near_a_half_as_long_as_nothing_speaks_against_it(classes, every_step):
    """The mean over sequences of what a share loses to the best one is at most its standard error."""
    B, T, O = 12, 4, classes or 2
    shape = (B, T) if every_step else (B,)
    y = np.random.default_rng(1).integers(0, classes, shape) if classes else normal(*shape, O, seed=1)
    data = Data(normal(B, T, 1), y, None, np.array([4, 2, 3] * 4), 0.5 + np.random.default_rng(2).random(B))
    exact = np.eye(classes)[y] if classes else y
    for quality, noise in ((1.0, 0.2), (1.0, 1.0), (0.2, 1.0), (1.0, 3.0)):
        said, found = exact + noise * normal(*shape, O, seed=3), quality * exact + normal(*shape, O, seed=4)
        judge = beside.Judge(data, said, found, classes)
        best = beside.least(judge.slope, 1.0)

        def losses_of(share, judge=judge, said=said, found=found):
            answers = said + share * (found - said)
            weight = judge.data.weights(every_step)
            if classes:
                shifted = answers - answers.max(-1, keepdims=True)
                own = np.log(np.exp(shifted).sum(-1)) - (shifted * exact).sum(-1)
            else:
                own = ((answers - exact) ** 2).sum(-1)
            return B * (weight * own).reshape(B, -1).sum(1) / weight.sum()

        def allowed(share, best=best, losses_of=losses_of):
            gaps = losses_of(share) - losses_of(best)
            return gaps.mean() <= gaps.std(ddof=1) / np.sqrt(B)

        np.testing.assert_allclose(judge.by_sequence(0.3), losses_of(0.3), rtol=1e-10)
        assert judge.by_sequence(0.3).mean() == pytest.approx(judge.loss(0.3), rel=1e-12)
        share = judge.nearest_half(best)
        way = np.linspace(0.5, best, 51)
        assert share == next((own for own in way if allowed(own)), best)
        assert abs(share - 0.5) <= abs(best - 0.5) + 1e-12


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


def test_one_sequence_with_a_target_chooses_the_best_share():
    """Others without any are no gaps of 0, with which the best share would be as good as a half."""
    y = np.concatenate([normal(1, 1), np.full((5, 1), np.nan)])
    judge = beside.Judge(Data(normal(6, 3, 1), y), y + 0.1, y + 7, 0)
    assert beside.least(judge.slope, 1.0) == judge.nearest_half(0.0) == 0
