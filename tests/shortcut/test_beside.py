"""A network and a line: the share of the network, and the model that has both."""

import dataclasses

import numpy as np
import pytest

from ltc_np import losses
from ltc_np.recipe import Recipe
from ltc_np.shortcut import beside, lines
from ltc_np.shortcut.beside import Data
from ltc_np.train.history import History


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


def cross_entropy(logits, y, mass=None):
    total, weights, _ = losses.cross_entropy(logits, y, mass)
    return total / weights


def doubted(logits, y, mass=None):
    """The mean over all sequences, and one more that has every class alike."""
    n = len(y)
    of_all = np.mean([cross_entropy(logits, np.full(n, k), mass) for k in range(logits.shape[1])])
    return (n * cross_entropy(logits, y, mass) + of_all) / (n + 1)


def certain(logits, y, mass=None):
    """What they are multiplied by, where one answer more says nothing."""
    best, width = 1.0, 100.0
    for _ in range(3):
        grid = best * np.geomspace(1 / width, width, 61)
        best, width = grid[np.argmin([doubted(a * logits, y, mass) for a in grid])], width ** (1 / 20)
    return best


def share_of(line, network, errors, held, mass, classes):
    """The best of a grid for held sequences, and 20 more that are answered best by the usual one."""
    B, O = len(line), line.shape[-1]

    def loss_of(share):
        """The mean, with one answer more that has every class alike."""
        answers = ((1 - share) * line + share * network).reshape(-1, O)
        if not classes:
            each = ((answers - held.y.reshape(-1, O)) ** 2).sum(1)
        else:
            log_p = answers - np.log(np.exp(answers).sum(1, keepdims=True))
            each = -log_p[np.arange(len(answers)), held.y.ravel()]
            n = (mass.ravel() > 0).sum()
            each = (n * each - log_p.mean(1)) / (n + 1)
        return np.average(each, weights=mass.ravel())

    grid, usual, e = np.linspace(0, 1, 1001), errors[0] / sum(errors), 1e-5
    bend = (loss_of(1 + e) - loss_of(1 - e) - loss_of(e) + loss_of(-e)) / (4 * e)
    share = grid[np.argmin([loss_of(a) + 20 / B * bend * (a - usual) ** 2 for a in grid])]
    return round(share) if min(share, 1 - share) < 0.1 else share


@pytest.mark.parametrize("B", [1, 12, 600])
def test_a_share_is_drawn_to_the_usual_one(B):
    """As if 20 sequences more said that: of squares by a weighted mean; a sequence without a target says nothing."""
    y, even = normal(B + 1, 1), (np.arange(B + 1) % 2 == 0)[:, None]
    y[B] = np.nan
    judge = beside.Judge(Data(normal(B + 1, 3, 1), y), y + even, y + 0.95 * ~even, 0)
    best = even[:B].mean() / (even[:B].mean() + 0.95**2 * (~even[:B]).mean())
    for usual in (0.0, 0.3, 1.0):
        assert judge.share(usual) == pytest.approx((B * best + 20 * usual) / (B + 20), abs=1e-6)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("form", ["plain", "weighted", "every step"])
def test_the_steps_one_by_one(classes, form):
    """What learned from the first part is judged by the second, the line by leaving one out; the model has the line of
    both parts, and a network that goes on with both, for half of its epochs and from half of its rate.  Forms that are
    not plain have sequences of unequal lengths and times, whose weights are those of their classes, too."""
    every_step, B, T = form == "every step", 60, 5
    x, shape = normal(B, T, 2), (B, T) if every_step else (B,)
    noise = (3.0 if classes else 0.5) * normal(*shape, classes or 1, seed=2)
    score = (x.cumsum(1) if every_step else x.sum(1)) @ normal(2, classes or 1, seed=1) + noise
    whole, rng = Data(x, score.argmax(-1) if classes else score), np.random.default_rng(3)
    if form != "plain":
        whole = whole._replace(
            dt=rng.uniform(0.5, 2, (B, T)), lengths=rng.integers(2, T + 1, B), sample_weight=rng.uniform(0.5, 2, B)
        )
    data, held = whole.part(slice(45)), whole.part(slice(45, B))
    recipe = Recipe(cell="cfc", units=4, epochs=21, learning_rate=0.2)
    model, alone = (
        recipe.model(
            2, classes or 1, steps=T, every_step=every_step, numbers=not classes, seed=0, dtype="float64",
            backend="numpy",
        )
        for _ in range(2)
    )  # fmt: skip
    settings = {"loss": "cross_entropy" if classes else "mse", "seed": 0, "verbose": False}
    factors = np.array([2.0, 0.5, 1.0])[: classes or 1] if classes and form != "plain" else None
    more = {} if factors is None else {"class_weight": factors}
    found = beside.fit(recipe, model, 3, data, held, classes, whole=whole, **settings, **more)  # trains `model`
    recipe.fit(alone, **data._asdict(), sequences=45, **settings, **more)
    inside = np.arange(T) < (np.full(B, T) if whole.lengths is None else whole.lengths)[:, None]
    mass = np.ones(B) if whole.sample_weight is None else whole.sample_weight
    mass = inside * mass[:, None] if every_step else mass
    if factors is not None:
        mass = mass * factors[whole.y]
        whole = whole._replace(sample_weight=mass)

    def of(values, rows):
        """Those that count, one below the other."""
        return values[rows][inside[rows]] if every_step else values[rows]

    first, last, both = slice(45), slice(45, B), slice(B)
    numbers = np.eye(3)[whole.y] if classes else whole.y

    def line_of(rows):
        """Its logits, or numbers, for all sequences, and those of each sequence that it was fitted without."""
        read = whole.sequences(model)
        line = lines.fit(read.part(rows), numbers[rows], mass[rows], every_step, 3)
        left_out = line.left_out[inside[rows]] if every_step else line.left_out
        scale = certain(left_out, of(whole.y, rows), of(mass, rows)) if classes else 1.0
        return scale * line.predict(read, every_step), scale * left_out

    def loss(answers, rows):
        if classes:
            return cross_entropy(of(answers, rows), of(whole.y, rows), of(mass, rows))
        return np.average(((of(answers, rows) - of(whole.y, rows)) ** 2).sum(1), weights=of(mass, rows))

    def error(answers, rows):
        if classes:
            return doubted(answers, of(whole.y, rows), of(mass, rows))
        return np.average(((answers - of(whole.y, rows)) ** 2).sum(1), weights=of(mass, rows))

    (of_first, left_out), (of_all, _) = line_of(first), line_of(both)
    network = alone.predict(x, dt=whole.dt, lengths=whole.lengths)
    calm = min(1.0, certain(of(network, last), of(whole.y, last), of(mass, last))) if classes else 1.0
    assert calm < 0.9 or not classes
    errors = error(left_out, first), error(calm * of(network, last), last)
    share, report = (
        share_of(of_first[last], calm * network[last], errors, whole.part(last), mass[last], classes),
        found.report,
    )
    assert report["line"] == pytest.approx(loss(of_first, last), rel=1e-3)
    assert report["network"] == pytest.approx(loss(calm * network, last), rel=1e-3)
    assert report["both"] == pytest.approx(loss((1 - share) * of_first + share * calm * network, last), rel=1e-3)
    assert report["share"] == pytest.approx(share, rel=2e-3, abs=1e-3)
    assert (report["held_out"], report["reads"]) == (15, 3)
    slower = dataclasses.replace(recipe, epochs=11, learning_rate=0.5 * recipe.learning_rate)
    settings |= {"standardize": False, "epochs": range(21, 32), "sequences": B}
    if share:  # a network that is not used does not go on
        slower.fit(alone, **whole._asdict(), **settings)
    assert np.allclose(alone.theta, model.theta, rtol=1e-9, atol=1e-12)
    assert found.model.trained.epochs == (32 if share else 21) and (share > 0 or form == "weighted")
    network = alone.predict(x, dt=whole.dt, lengths=whole.lengths)
    want = (1 - share) * of_all + share * calm * network
    said = found.model.predict(x, dt=whole.dt, lengths=whole.lengths)
    np.testing.assert_allclose(of(said, both), of(want, both), rtol=3e-3, atol=3e-3)
    assert np.abs(of_all - of_first).max() > 0.05


@pytest.mark.parametrize(
    ("errors", "share"),
    [((0.09, 0.91), 0), ((0.22, 1.78), 0.11), ((0.89, 0.11), 0.89), ((9.1, 0.9), 1), ((0.0, 0.0), 0.5)],
)
def test_a_small_share_is_none(errors, share, monkeypatch):
    """The usual share is in inverse proportion to the errors of the line and of the network."""
    given = iter(errors)
    monkeypatch.setattr(beside.Judge, "share", lambda judge, usual: usual)
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
    found = beside.fit(recipe, model, 3, data, held, 2, loss="cross_entropy", seed=0, verbose=False)
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
        single = recipe.model(2, 1, steps=6, every_step=False, numbers=True, seed=0, dtype="float32", backend="numpy")
        beside._adapt(single, data, 0)  # it has numbers of 32 bits, and the line reads what is exact
        mean, scale = (single.buffers["0.mean"], single.buffers["0.scale"]) if standardize else (0, 1)
        np.testing.assert_allclose(data.sequences(single).x, (x - mean) / np.float64(scale), rtol=1e-10)
        padded = x.copy()
        padded[0, 2:] = np.nan
        read = data._replace(x=padded, lengths=np.array([2, *[6] * 29])).sequences(model).x
        assert not read[0, 2:].any() and np.isfinite(read).all() and read[0, :2].all()


@pytest.mark.parametrize(("left", "reads"), [(0.89, 3), (0.91, "nothing")])
def test_a_line_must_explain_a_tenth(left, reads, monkeypatch):
    """Of the error of a constant; of less, "auto" has the mean, and who asks for a line has one."""
    found = lines.Fitted(3, None, None, None, None, left, 1.0)
    monkeypatch.setattr(lines, "choose", lambda *given: found)
    x = normal(20, 5, 2)
    for shortcut, wanted in (("auto", reads), ("ridge", 3)):
        recipe = Recipe(cell="cfc", units=4, shortcut=shortcut)
        model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
        assert beside.choose(recipe, model, Data(x, x.sum((1, 2))[:, None]), 0) == wanted


def test_a_network_that_is_hardly_better_than_the_mean_has_a_part_of_its_share():
    """In proportion to how many standard errors it is better, up to two of them."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=(30, 1))
    for noise, least in ((0.3, 0.5), (4.0, 0.0)):
        found = y + noise * rng.normal(size=y.shape)
        judge = beside.Judge(Data(normal(30, 3, 1), y), 0 * y, found, 0)
        best = min(1.0, max(0.0, float((found * y).sum() / (found**2).sum())))
        gain = (y**2 - (y - best * found) ** 2)[:, 0]
        sure = gain.mean() / (gain.std(ddof=1) / np.sqrt(30)) / 2
        assert judge.share_beside_mean() == pytest.approx(best * min(1, max(0, sure)), abs=1e-6)
        assert judge.share_beside_mean() >= least
    one = beside.Judge(Data(normal(1, 3, 1), y[:1]), 0 * y[:1], y[:1], 0)
    assert one.share_beside_mean() == 0  # of a single sequence nobody knows


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("every_step", [False, True])
def test_a_mean_goes_into_the_readout(classes, every_step, monkeypatch):
    """The answer is a share of the network's, and of the mean of the targets, with the same layers."""
    monkeypatch.setattr(beside.Judge, "share_beside_mean", lambda judge: 0.3)
    x, recipe = normal(40, 5, 2), Recipe(cell="cfc", units=4, epochs=2, shortcut="auto")
    labels = np.resize([0, 0, 2, 0, 0, 2, 0, 2, 0, 1], (40, 5) if every_step else 40)
    y = labels if classes else normal(*labels.shape, 2, seed=1) + 5
    kind = {"steps": 5, "every_step": every_step, "numbers": not classes, "seed": 0, "backend": "numpy"}
    data, held = Data(x[:30], y[:30]), Data(x[30:], y[30:])
    settings = {"loss": "cross_entropy" if classes else "mse", "seed": 0, "verbose": False}
    model = recipe.model(2, 3 if classes else 2, **kind)
    found = beside.fit(recipe, model, "nothing", data, held, classes, **settings)
    alone = recipe.model(2, 3 if classes else 2, **kind)
    dataclasses.replace(recipe, shortcut=None).fit(alone, data.x, data.y, sequences=30, **settings)
    assert [type(layer) for layer in found.model.layers] == [type(layer) for layer in alone.layers]
    assert found.report["share"] == 0.3 and found.report["reads"] == "nothing"
    answers, own = (np.asarray(each.predict(x), np.float64) for each in (found.model, alone))
    rest = answers - 0.3 * own
    if not classes:
        np.testing.assert_allclose(
            rest, np.broadcast_to(0.7 * y[:30].mean((0, 1) if every_step else 0), rest.shape), rtol=1e-4
        )
    else:  # logits, scaled down: of each class a constant, which is larger where there are more
        calm = np.linalg.lstsq(
            np.c_[own.reshape(-1, 3)[:, 0], np.ones(own.size // 3)], answers.reshape(-1, 3)[:, 0], rcond=None
        )[0][0]
        constant = (answers - calm * own).reshape(-1, 3)
        np.testing.assert_allclose(constant, np.broadcast_to(constant[0], constant.shape), atol=1e-4)
        assert (np.diff(np.bincount(y[:30].ravel())[np.argsort(constant[0])]) >= 0).all()


def test_the_seconds_are_those_of_both_trainings(monkeypatch):
    """Of the one by which the share is chosen, and of the one with what was held out for it."""
    x, recipe, fit = normal(20, 5, 2), Recipe(cell="cfc", units=4, epochs=1), Recipe.fit

    def timed(*args, **settings):
        history = fit(*args, **settings)
        history.seconds = 7.0
        return history

    monkeypatch.setattr(Recipe, "fit", timed)
    monkeypatch.setattr(beside.Judge, "share", lambda judge, usual: 0.5)
    model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
    whole = Data(x, normal(20, 1, seed=1))
    data, held = whole.part(slice(15)), whole.part(slice(15, 20))
    found = beside.fit(recipe, model, 3, data, held, 0, whole=whole, loss="mse", seed=0, verbose=False)
    assert found.report["share"] > 0 and found.history.seconds == 14.0


@pytest.mark.parametrize(
    ("errors", "options", "stopped", "epochs", "fitted", "said"),
    [
        ((1, 1), {}, ("enough", "soon"), range(3, 5), [15, 20], "enough"),
        ((1, 1), {}, ("enough", "interrupted"), range(3, 5), [15, 20], "interrupted"),
        ((1, 1), {}, ("interrupted", ""), None, [15, 20], "interrupted"),
        ((1, 1), {"whole": None}, ("enough", ""), None, [15, 15], "enough"),
        ((1, 1), {"validation": 7}, ("enough", ""), None, [15, 20], "enough"),
        ((0, 1), {}, ("enough", ""), None, [15, 20], "enough"),
    ],
)
def test_who_learns_what_was_held_out(errors, options, stopped, epochs, fitted, said, monkeypatch):
    """The network for half of the epochs that it has had, if it has a share and nobody ended it; the line anyway."""
    trained, sizes, line_of, given = [], [], lines.fit, iter(map(float, errors))
    x, y = normal(20, 5, 2), np.arange(20) % 2

    def fit(recipe, model, **settings):
        trained.append((recipe.learning_rate, recipe.epochs, settings))
        history = History()
        history.stopped, history.epoch = stopped[len(trained) - 1], [0, 1, 2]
        return history

    monkeypatch.setattr(Recipe, "fit", fit)
    monkeypatch.setattr(beside.Judge, "loss", lambda judge, share: next(given, 0.0))
    monkeypatch.setattr(lines, "fit", lambda read, *others: sizes.append(len(read.x)) or line_of(read, *others))
    recipe = Recipe(cell="cfc", units=4, epochs=9, learning_rate=0.2, standardize=False)
    model = recipe.model(2, 2, steps=5, every_step=False, numbers=False, seed=0, backend="numpy")
    settings = {"class_weight": np.array([1.0, 3.0]), "seed": 4, "whole": Data(x, y)} | options
    found = beside.fit(recipe, model, 3, Data(x[:15], y[:15]), Data(x[15:], y[15:]), 2, **settings)
    assert sizes == fitted and found.history.stopped == said and found.report["held_out"] == 5
    rate, whole, first = trained[0]
    assert (rate, whole, first["sequences"], first["seed"], len(first["x"])) == (0.2, 9, 15, 4, 15)
    assert first["class_weight"].tolist() == [1, 3] and first["sample_weight"] is None and "epochs" not in first
    assert len(trained) == (1 if epochs is None else 2)
    for rate, whole, second in trained[1:]:
        assert (rate, whole, second["epochs"], second["sequences"], second["seed"]) == (0.1, 2, epochs, 20, 4)
        assert "class_weight" not in second and second["sample_weight"].tolist() == np.where(y, 3, 1).tolist()
        assert second["x"].shape == x.shape and second["standardize"] is False


def test_doubt_is_of_one_answer_more():
    """Answers that weigh something count, of targets at every step each step before the end."""
    data = Data(
        normal(3, 4, 1), np.zeros((3, 4), int), lengths=np.array([4, 2, 1]), sample_weight=np.array([1, 0, 2.0])
    )
    assert beside._doubt(data, every_step=True) == 1 / 6
    assert beside._doubt(data, every_step=False) == 1 / 3


@pytest.mark.parametrize(("every_step", "n"), [(True, 7), (False, 3)])
def test_answers_that_are_all_right_are_as_sure_as_they_are_many(every_step, n):
    """Of n answers, and one more of which half is for the other class: its logit is larger by ln((n + 1/2) / (1/2))."""
    y = np.array([[0, 1, 1, 0], [1] * 4, [0] * 4]) if every_step else np.array([0, 1, 1])
    data = Data(normal(3, 4, 1), y, lengths=np.array([4, 2, 1]))
    assert beside._scale(np.eye(2)[y], data, 2) == pytest.approx(np.log(2 * n + 1), rel=1e-9)
    assert beside._scale(1e-6 * np.eye(2)[y], data, 2) == beside.STEEPEST == 1000
    assert beside._scale(10 * np.eye(2)[y], data, 2) == pytest.approx(np.log(2 * n + 1) / 10, rel=1e-9)
    assert beside._scale(-np.eye(2)[y], data, 2) == pytest.approx(0, abs=1e-9)
    assert beside._scale(np.eye(2)[y], data, 0) == 1


@pytest.mark.parametrize("classes", [0, 3])
def test_what_was_held_out_may_say_nothing(classes):
    """Of the network nothing is known by sequences of a class without weight, or by targets of one output of two."""
    x, y = normal(30, 5, 2), np.arange(30) % 3
    numbers = np.stack([x[:, -1, 0], np.where(y == 0, np.nan, x[:, 0, 0])], axis=1)
    recipe = Recipe(cell="cfc", units=4, epochs=1)
    model = recipe.model(2, classes or 2, steps=5, every_step=False, numbers=not classes, seed=0)
    data, held = (Data(x[rows], (y if classes else numbers)[rows]) for rows in (y > 0, y == 0))
    settings = {"loss": "cross_entropy", "class_weight": np.array([0.0, 1.0, 1.0])} if classes else {"loss": "mse"}
    found = beside.fit(recipe, model, 3, data, held, classes, seed=0, verbose=False, **settings)
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


@pytest.mark.parametrize(
    ("classes", "every_step", "shape"),
    [(0, False, ()), (0, True, ()), (0, False, (2,)), (0, True, (2,)), (3, False, ()), (3, True, ())],
)
def test_data_of_lists(classes, every_step, shape):
    """Sequences as long as the longest; a class that is missing is any, and weighs nothing."""
    T, rng = (3, 1, 2), np.random.default_rng(0)
    x, dt = [normal(t, 2, seed=t) for t in T], [rng.uniform(1, 2, t) for t in T]
    shapes = [(t, *shape) for t in T] if every_step else [shape] * 3
    y = [rng.integers(0, 3, own) if classes else rng.normal(size=own) for own in shapes]
    y = [np.asarray(own, float) for own in y]
    y[1][...] = np.nan
    for times in dt, None:
        found = Data.of_lists(x, y, times, every_step=every_step, classes=classes)
        assert found.lengths.tolist() == [3, 1, 2] and (found.dt is None) == (times is None)
        assert found.y.shape == ((3, 3) if every_step else (3,)) + (() if classes else shape or (1,))
        for k, t in enumerate(T):
            assert np.array_equal(found.x[k, :t], x[k]) and not found.x[k, t:].any()
            assert times is None or np.array_equal(found.dt[k, :t], dt[k])
            said = found.y[k, :t] if every_step else found.y[k]
            known = found.sample_weight if classes else np.isfinite(found.y)
            assert (known[k, :t] if every_step else known[k]).all() == (k != 1)
            assert k == 1 or np.array_equal(np.ravel(said), np.ravel(y[k]))
            assert not every_step or not known[k, t:].any()
        assert (found.y.dtype.kind == "i") == bool(classes) and (found.sample_weight is None) == (not classes)
        mask = [[1, 1, 1], [0, 0, 0], [1, 1, 0]] if every_step else [1, 0, 1]
        assert not classes or found.sample_weight.tolist() == mask


def test_weights_and_what_is_known():
    """A weight of a step is its own or that of its sequence, and 0 behind the end."""
    x, y = normal(3, 4, 1), normal(3, 4, 2)
    y[0, 1:, 0] = y[1, :, 1] = np.nan
    data, lengths, by_step = Data(x, y), np.array([4, 4, 2]), np.array([[0, 1, 2, 3], [1] * 4, [0, 0, 5, 5]])
    assert data.weights(True).tolist() == [[1] * 4] * 3 and data.weights(False).tolist() == [1] * 3
    assert data.known(True).tolist() == [True, False, True]
    some = data._replace(lengths=lengths, sample_weight=np.array([2, 1, 0]))
    assert some.weights(True).tolist() == [[2] * 4, [1] * 4, [0] * 4] and some.weights(False).tolist() == [2, 1, 0]
    assert some.known(True).tolist() == [True, False, False]
    steps = data._replace(lengths=lengths, sample_weight=by_step)
    assert steps.weights(True).tolist() == [[0, 1, 2, 3], [1] * 4, [0] * 4]
    assert not steps.known(True).any()
    whole = Data(x, y[:, 0], sample_weight=np.array([0.0, 1, 1]))
    assert whole.known(False).tolist() == [False, False, True]
    numbers = Data(x, np.zeros((3, 4), int), sample_weight=by_step)
    assert numbers.known(True).all() and Data(x, np.zeros(3, int)).known(False).all()
    part = steps.part(np.array([2, 0]))
    assert part.dt is None and part.lengths.tolist() == [2, 4]
    for own, all_of in zip(part[:2] + part[4:], (x, y, by_step), strict=True):
        np.testing.assert_array_equal(own, all_of[[2, 0]])


def test_the_scale_is_that_of_the_steps():
    """Of numbers behind the ends nothing is taken, and those of an ensemble have it alike; of classes only inputs."""
    x, lengths = 5 + normal(12, 6, 2), np.array([6, 3] * 6)
    inside = np.arange(6) < lengths[:, None]
    junk = np.where(inside[:, :, None], x, 1e6)
    for classes, y in ((0, 7 + normal(12, 1)), (3, np.arange(12) % 3)):
        recipe = Recipe(cell="cfc", units=4, shortcut="ridge")
        model = recipe.model(2, classes or 1, steps=6, every_step=False, numbers=not classes, seed=0, dtype="float64")
        assert beside.choose(recipe, model, Data(junk, y, lengths=lengths), classes) in (3, "summaries")
        np.testing.assert_allclose(model.buffers["0.mean"], x[inside].mean(0), rtol=1e-6)
        np.testing.assert_allclose(model.buffers["0.scale"], x[inside].std(0), rtol=1e-6)
        last = f"{model.layer_stack.prefixes[-1]}mean"
        if not classes:
            np.testing.assert_allclose(model.buffers[last], y.mean(0), rtol=1e-6)


def test_what_a_line_is_chosen_by(monkeypatch):
    """Weights, whether every step has a target, and what is asked for."""
    given = []
    found = lines.Fitted(3, None, None, None, None, 0.1, 1.0)
    monkeypatch.setattr(lines, "choose", lambda *args: given.append(args) or found)
    x, weight = normal(6, 5, 2), np.arange(1.0, 7)
    for every_step, shortcut, y in ((False, "auto", np.arange(6) % 3), (True, "ridge", normal(6, 5, 3))):
        classes = 0 if every_step else 3
        recipe = Recipe(cell="cfc", units=4, shortcut=shortcut)
        model = recipe.model(2, 3, steps=5, every_step=every_step, numbers=not classes, seed=0, backend="numpy")
        assert beside.choose(recipe, model, Data(x, y, sample_weight=weight), classes) == 3
        read, targets, *others = given.pop()
        np.testing.assert_array_equal(targets, np.eye(3)[y] if classes else y)
        assert others[0] is weight and others[1:] == [every_step, shortcut] and read.lengths.tolist() == [5] * 6
    few = Data(x[:5], np.arange(5) % 3, sample_weight=np.array([1, 1, 1, 1, 0.0]))
    model = recipe.model(2, 3, steps=5, every_step=False, numbers=False, seed=0, backend="numpy")
    with pytest.raises(ValueError, match="at least 5 sequences with targets of which no output is missing .* got 4"):
        beside.choose(recipe, model, few, 3)
    assert beside.choose(dataclasses.replace(recipe, shortcut="auto"), model, few, 3) is None and not given
    assert beside.choose(recipe, model, few._replace(sample_weight=np.ones(5)), 3) == 3  # five are enough
