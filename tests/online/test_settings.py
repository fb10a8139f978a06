"""What the file of a learner says: every rule and schedule of the library, and of your own a name."""

from functools import partial

import numpy as np
import pytest

from ltc_np import (
    LTC,
    SGD,
    Adam,
    AutoNCP,
    Clip,
    CosineDecay,
    Dense,
    ExponentialDecay,
    Model,
    PerEpoch,
    PiecewiseConstant,
    WarmUp,
    losses,
)
from ltc_np.export import c, command
from ltc_np.online import NLMS, RLS, Exact, Guard, Learner, Rule, rules
from ltc_np.online.settings import KNOWN
from ltc_np.optim import schedules


@pytest.fixture
def model():
    return Model(LTC(AutoNCP(6, 2)), Dense(2), input_dim=2, seed=0, backend="numpy")


def saved(model, path, rule, steps=3, **options):
    """A learner that has learnt something, and is in this file."""
    learner = Learner(model, rule, **options)
    go_on(steps, learner)
    learner.save(path)
    return learner


def go_on(steps, *learners):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        x, target = rng.normal(size=(2, 2))
        for each in learners:
            each.predict(x)
            each.learn(target)


def check_goes_on(learner, other):
    assert repr(other.rule) == repr(learner.rule)
    go_on(3, learner, other)
    np.testing.assert_array_equal(other.weights, learner.weights)
    assert (learner.weights != learner.deployed).any()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_file_names_every_rule_and_optimiser(name, model, tmp_path):
    learner = saved(model, tmp_path / "a.npz", KNOWN[name](0.5 if name in rules.RULES else 0.01))
    check_goes_on(learner, Learner.load(tmp_path / "a.npz", backend="numpy"))


SCHEDULES = {
    "PiecewiseConstant": PiecewiseConstant([2, 4], [0.03, 0.02, 0.01]),
    "ExponentialDecay": ExponentialDecay(0.1, 0.5, 2, staircase=True),
    "CosineDecay": CosineDecay(0.1, 20, 0.01),
    "WarmUp": WarmUp(CosineDecay(0.1, 20), 5),
}


def test_no_rule_and_no_schedule_is_missing_in_the_tables():
    assert {*rules.RULES.values()} == {kind for kind in classes(Rule) if kind.__module__.startswith("ltc_np.")}
    of_library = {kind for kind in classes(schedules.Schedule) if kind.__module__ == schedules.__name__}
    assert {*schedules.SCHEDULES.values()} == of_library
    assert {name for name, kind in schedules.SCHEDULES.items() if kind.per == "step"} == {*SCHEDULES}


def classes(base):
    return {one for kind in base.__subclasses__() for one in (kind, *classes(kind))}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_file_names_every_schedule(schedule, model, tmp_path):
    learner = saved(model, tmp_path / "a.npz", Adam(schedule))
    check_goes_on(learner, Learner.load(tmp_path / "a.npz", backend="numpy"))


@pytest.mark.parametrize(
    "loss",
    ["mae", partial(losses.huber, delta=0.3), partial(losses.quantile, quantiles=(0.1, 0.8))],
    ids=["mae", "huber", "quantile"],
)
def test_a_file_names_a_loss_with_its_option(loss, model, tmp_path):
    """The option is not that which the loss has by itself."""
    learner = Learner(model, SGD(0.1), loss=loss)
    learner.save(tmp_path / "a.npz")
    other, wanted = Learner.load(tmp_path / "a.npz", backend="numpy"), losses.get(loss)
    for each in (learner, other):
        each.predict([1.0, -2.0])
        each.learn([3.0] if "quantile" in str(loss) else [3.0, -1.0])
    np.testing.assert_array_equal(other.weights, learner.weights)
    assert (learner.weights != learner.deployed).any() and losses.name_of(other.loss) == losses.name_of(wanted)
    assert getattr(other.loss, "keywords", {}) == getattr(wanted, "keywords", {})


class Halves(Rule):
    """As LMS; what it keeps counts its steps, and the rate falls with them."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def begin(self, features, outputs, dtype):
        return {"count": np.zeros(1)}

    def update(self, W, kept, f, error, known, weight):
        rate = f.dtype.type(self.rate * weight / (1 + kept["count"][0]))
        return W + rate * np.multiply.outer(error, f), {"count": kept["count"] + 1}


class Signs(SGD):
    """An optimiser of one's own."""

    def change(self, model, grad, lr, delta):
        delta[:] = lr * np.sign(grad)


def falling(step):
    return 0.1 / (1 + step)


def squared(y, target):
    return float(np.mean((y - target) ** 2)), 2 * (y - target) / y.size


OWN = {
    "a rule": (Halves(), {}, "rule", "Halves"),
    "a rule derived from another": (type("RLS", (RLS,), {})(0.9), {}, "rule", "RLS"),
    "an optimiser": (Signs(0.01), {}, "rule", "Signs"),
    "a schedule": (Adam(falling), {}, "rule", "Adam"),
    "a schedule within another": (Adam(WarmUp(falling, 2)), {}, "rule", "Adam"),
    "a loss": (Adam(0.01), {"loss": squared}, "loss", "squared"),
}


@pytest.mark.parametrize("case", OWN)
def test_what_is_one_s_own_goes_on_when_it_is_given_to_load(case, model, tmp_path):
    """After a day of learning nothing is lost; and no code that a file names is run."""
    rule, options, argument, name = OWN[case]
    learner, path = saved(model, tmp_path / "a.npz", rule, **options), tmp_path / "a.npz"
    given = {"rule": rule, **options}[argument]
    check_goes_on(learner, Learner.load(path, "numpy", **{argument: given}))
    for wrong in (None, NLMS(0.3) if argument == "rule" else falling):
        with pytest.raises(
            ValueError, match=f"`{argument}` must be that of the learner, {name}, since something of it is .* got"
        ):
            Learner.load(path, "numpy", **{argument: wrong})


@pytest.mark.parametrize("given", [{"rule": NLMS(0.3)}, {"loss": squared}], ids=["a rule", "a loss"])
def test_what_the_file_says_is_not_given_to_load(given, model, tmp_path):
    saved(model, tmp_path / "a.npz", NLMS(0.5))
    with pytest.raises(ValueError, match=f"`{next(iter(given))}` must be None, since the file says all of it, got "):
        Learner.load(tmp_path / "a.npz", **given)


def test_what_would_come_back_as_another_class_is_refused_when_a_learner_is_made(model):
    for options, message in (
        (
            {"guard": type("Mine", (Guard,), {})()},
            r"`guard` must be .*, got Mine\(\), which is derived from it",
        ),
        ({"clip_norm": type("Mine", (Clip,), {})(1.0)}, "`clip_norm` must be a number or a Clip or None, got Mine"),
        (
            {"method": type("Mine", (Exact,), {})()},
            "`method` must be .*got Mine.*its own class cannot be saved",
        ),
    ):
        with pytest.raises(TypeError, match=message):
            Learner(model, Adam(), **options)


def test_a_schedule_of_epochs_is_no_schedule_of_a_stream(model, tmp_path):
    """Also where the optimiser has been told an epoch, which would stay the same for ever."""
    optimizer = Adam(PerEpoch(ExponentialDecay(0.1, 0.5, 1)))
    optimizer.epoch = 3
    with pytest.raises(ValueError, match="`rule` must have a schedule that counts steps, since a stream has no epochs"):
        Learner(model, optimizer)
    learner = saved(model, tmp_path / "a.npz", Adam(0.01))
    learner.rule.lr = optimizer.lr
    learner.save(tmp_path / "b.npz")  # it does not learn, and its file is not lost
    np.testing.assert_array_equal(Learner.load(tmp_path / "b.npz", rule=Adam(0.01)).weights, learner.weights)


def test_a_rule_that_becomes_a_row_is_known_everywhere_or_refused(model, tmp_path, monkeypatch, capsys):
    """Files name it, a wrong argument is told of it; exports, which have no text for it, say which rules they have."""
    monkeypatch.setitem(rules.RULES, "Halves", Halves)
    learner = saved(model, tmp_path / "a.npz", Halves(0.2))
    check_goes_on(learner, Learner.load(tmp_path / "a.npz", backend="numpy"))
    with pytest.raises(TypeError, match=r"'halves': write Halves\(\)$"):
        Learner(model, "halves")
    with pytest.raises(TypeError, match="`learn` must be an NLMS, RLS, Adam or SGD, .* got Halves"):
        c.write(model, tmp_path / "c", learn=Halves())
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "a.npz"), str(tmp_path / "c"), "--learn", "halves"])
    assert "invalid choice: 'halves'" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


class OfAUser(Rule):
    """A rule whose two methods are given."""

    def __init__(self, first, then):
        self.first, self.then = first, then

    def begin(self, features, outputs, dtype):
        return self.first(features)

    def update(self, W, kept, f, error, known, weight):
        return self.then(W, kept, np.outer(error, f))


def in_place(W, kept, step):
    W += 3 * step
    kept["n"] += 1
    return W, kept


KEPT = {
    "float64": (lambda F: {"P": np.eye(F)}, lambda W, kept, step: (W + 0.1 * step.astype(float), {"P": kept["P"] / 2})),
    "one number": (lambda F: {"n": np.zeros((), "f4")}, lambda W, kept, step: (W + 0.1 * step, {"n": kept["n"] + 1})),
    "a plain number": (lambda F: {"n": 0}, lambda W, kept, step: (W + 0.1 * step, {"n": kept["n"] + 1})),
    "a count that turns": (lambda F: {"n": 0}, lambda W, kept, step: (W + kept["n"] * step, {"n": kept["n"] + 0.25})),
    "lists": (lambda F: {"n": [0.0] * F}, lambda W, kept, step: ((W + 0.1 * step).tolist(), kept)),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_a_rule_of_ones_own_keeps_goes_on(kind, model, tmp_path):
    """Some could be saved and not loaded, or loaded and not learnt on."""
    rule = OfAUser(*KEPT[kind])
    learner = saved(model, tmp_path / "a.npz", rule, guard=Guard())
    check_goes_on(learner, Learner.load(tmp_path / "a.npz", backend="numpy", rule=rule))
    assert learner.weights.dtype == model.dtype


def test_a_rule_that_writes_into_its_arguments_changes_nothing_else(model):
    """The deployed weights were the same array, so that the guard compared a rule with itself."""
    updates = in_place, lambda W, kept, step: in_place(W.copy(), kept, step)
    one, two = (Learner(model, OfAUser(lambda F: {"n": np.zeros(1)}, each), guard=Guard()) for each in updates)
    deployed = one.deployed.copy()
    go_on(40, one, two)
    assert (one.deployed == deployed).all() and (one.log.rows == two.log.rows).all()


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (lambda W, kept, step: (W.T, kept), r"`update` of .* must return weights of shape \(O, F\) = "),
        (lambda W, kept, step: ([[1], [2, 3]], kept), "must return weights of shape"),
        (lambda W, kept, step: W, "`update` of .* must return two values"),
        (lambda W, kept, step: None, "must return two values, .* got None"),
        (lambda W, kept, step: (W, None), "`update` of .* must return a dict of arrays of numbers to keep, got None"),
        (lambda W, kept, step: (W, {"n": "a"}), "must return a dict of arrays"),
    ],
)
def test_what_a_rule_must_not_return_is_refused_before_anything_is_learnt(update, words, model):
    learner = Learner(model, OfAUser(lambda F: {"n": np.zeros(1)}, update))
    with pytest.raises((TypeError, ValueError), match=words):
        go_on(1, learner)
    assert (learner.weights == learner.deployed).all()
    with pytest.raises(TypeError, match="`begin` of .* must return a dict of arrays of numbers to keep"):
        Learner(model, OfAUser(lambda F: [1], update))
