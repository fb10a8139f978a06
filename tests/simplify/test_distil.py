"""Distilling: what the student learns from, what is reported, and what is left alone."""

import numpy as np
import pytest

from ltc_np import (
    LSTM,
    LTCRNN,
    Adam,
    AdamW,
    AutoNCP,
    CfC,
    Conv1D,
    CosineDecay,
    Dense,
    MixtureDensity,
    Model,
    Standardize,
)
from ltc_np.simplify import distil

RNG = np.random.default_rng(0)
X, DT = RNG.normal(size=(20, 7, 3)), RNG.uniform(0.1, 2, (20, 7))
LENGTHS = RNG.integers(1, 8, 20)
OPTIONS = {"epochs": 3, "batch_size": 5, "optimizer": "adam", "clip_norm": None, "seed": 0, "verbose": False}
# Three epochs of a small step teach little, and most of what is looked at here is not how much.
pytestmark = pytest.mark.filterwarnings("ignore:the student's outputs are:RuntimeWarning")


@pytest.fixture
def teacher():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    model.params["output_w"] = 30.0  # outputs of a spread that can be learned
    return model


def student():
    return Model(CfC(8), Dense(2), input_dim=3, seed=1)


def rms(difference):
    return np.sqrt(np.mean(difference**2))


@pytest.mark.parametrize("held_out", [0.0, 0.1, 0.13, 0.3])
def test_is_the_fit_that_it_says(teacher, held_out):
    """The same training, written out; and the errors, from the outputs."""
    model, by_hand = student(), student()
    held = {0.0: 0, 0.1: 2, 0.13: 3, 0.3: 6}[held_out]
    lessons = teacher(X, dt=DT, lengths=LENGTHS)
    y = lessons + np.random.default_rng(2).normal(size=lessons.shape)
    y[3:, 2] = np.nan
    result = distil(teacher, model, X, dt=DT, lengths=LENGTHS, y=y, held_out=held_out, **OPTIONS)
    shown, other = slice(0, 20 - held), slice(20 - held if held else 0, 20)
    before = by_hand(X, dt=DT, lengths=LENGTHS)
    parts = {"x": X[other], "y": lessons[other], "dt": DT[other], "lengths": LENGTHS[other]}
    options = OPTIONS | ({"validation": parts} if held else {})
    by_hand.fit(X[shown], lessons[shown], dt=DT[shown], lengths=LENGTHS[shown], **options)
    assert (model.theta == by_hand.theta).all()
    if held:
        assert (model.best.epoch, model.best.value) == (by_hand.best.epoch, by_hand.best.value)
    assert result.model is model
    assert result.original is teacher

    valid = (np.arange(7) < LENGTHS[:, None])[other]
    after = model(X, dt=DT, lengths=LENGTHS)
    spread = np.sqrt(lessons[other][valid].astype(float).var(0).mean())
    names = {"teacher": lessons, "student before": before, "student after": after}
    assert [row.what for row in result.table] == list(names)
    for row, said in zip(result.table, names.values(), strict=True):
        assert row.error == pytest.approx(rms((said - lessons)[other][valid]) / spread, rel=1e-5)
        difference = (said - y)[other][valid]
        assert row.others["to targets"] == pytest.approx(rms(difference[np.isfinite(difference)]), rel=1e-5)
    assert result.error.relative == result.table[-1].error
    assert result.before.parameters == teacher.layout.size
    assert result.after.parameters == model.layout.size
    assert result.after.synapses == 0


@pytest.mark.slow
def test_a_student_of_the_same_kind_becomes_the_teacher():
    """From nearby it finds the way back: an error that is reported as small is small."""
    teacher = Model(LSTM(3), Dense(2), input_dim=3, seed=0)
    model = Model(LSTM(3), Dense(2), input_dim=3, seed=0)
    model.theta = teacher.theta + 0.02 * np.random.default_rng(1).normal(size=teacher.theta.size)
    options = OPTIONS | {"epochs": 150, "optimizer": Adam(0.003)}
    result = distil(teacher, model, X, **options)
    assert result.error.relative < 0.3 * result.table[0].error
    assert result.error.relative < 0.03


def test_what_outputs_mean_is_learnt_too():
    """Those of a teacher of classes are logits, though the student learns them by their squares."""
    x = np.random.default_rng(0).normal(size=(6, 4, 2))
    teacher = Model(Dense(3), input_dim=2, seed=0, backend="numpy")
    teacher.fit(x, np.ones((6, 4), int), loss="cross_entropy", epochs=1, verbose=False)
    student = Model(Dense(3), input_dim=2, seed=1, backend="numpy")
    distil(teacher, student, x, epochs=30, verbose=False)
    assert student.trained.loss == "cross_entropy" and student.predict_proba(x).shape == (6, 4, 3)


def test_models_of_last_outputs_learn_from_every_step(teacher):
    whole, last = student(), student()
    last.return_sequences = False
    only_last = LTCRNN(AutoNCP(8, 2), 3, seed=0, return_sequences=False)
    only_last.theta = teacher.theta
    distil(teacher, whole, X, **OPTIONS)
    result = distil(only_last, last, X, **OPTIONS)
    assert (last.theta == whole.theta).all()
    assert last.return_sequences is False
    assert result.model(X).shape == (20, 2)


def test_times_are_told_to_models_that_take_them(teacher):
    model = Model(LSTM(4), Dense(2), input_dim=3, seed=1, backend="numpy")
    result = distil(teacher, model, X, dt=DT, **OPTIONS)
    assert result.error.relative > 0
    with pytest.raises(ValueError, match="`dt` must be left out"):
        distil(model, Model(LSTM(4), Dense(2), input_dim=3, seed=2), X, dt=DT, **OPTIONS)


def test_the_student_s_scale_may_be_taken_from_the_lessons(teacher):
    model = Model(Standardize(), CfC(8), Dense(2), Standardize(inverse=True), input_dim=3, seed=1)
    distil(teacher, model, X, held_out=0.5, standardize=True, **OPTIONS)
    np.testing.assert_allclose(model.buffers["3.mean"], teacher(X[:10]).mean((0, 1)), rtol=1e-4)


def test_refusals_train_nothing(teacher):
    model = student()
    theta = model.theta.copy()
    density, other_density = (Model(MixtureDensity(1, 2), input_dim=3, seed=k) for k in range(2))
    six = Model(Dense(6), input_dim=3, seed=0)
    for arguments, options, error, text in (
        ((teacher, teacher, X), {}, ValueError, "`student` must be another model"),
        ((teacher, model.layers[0], X), {}, TypeError, "`student` must be a Model, got"),
        (("a.npz", model, X), {}, TypeError, "`teacher` must be a Model, got"),
        ((teacher, Model(Dense(3), input_dim=3, seed=0), X), {}, ValueError, "must have the teacher's output_size, 2"),
        ((teacher, Model(Dense(2), input_dim=4, seed=0), X), {}, ValueError, "must have the teacher's input_size, 3"),
        (
            (teacher, Model(Conv1D(2, 3, stride=2), input_dim=3, seed=0), X),
            {},
            ValueError,
            "must have the teacher's stride, 1, got 2",
        ),
        ((density, other_density, X), {}, ValueError, r"`teacher` must give numbers, .*, got MixtureDensity\(1"),
        ((six, density, X), {}, ValueError, r"`student` must give numbers, since outputs are compared by mse"),
        ((teacher, model, X), {"held_out": 1}, ValueError, "`held_out` must be"),
        ((teacher, model, X[:1]), {}, ValueError, "at least one of the 1 sequences .*: give more .* held_out=0"),
        (
            (teacher, model, X[0]),
            {},
            ValueError,
            r"`x` must be \(B, T, 3\), .* got shape \(7, 3\): ltc_np.data.windows",
        ),
        ((teacher, model, X), {"validation": 0.1}, TypeError, "no argument `validation`, use `held_out`"),
        ((teacher, model, X), {"validation_split": 0.1}, TypeError, "no argument `validation_split`, use `held_out`"),
        ((teacher, model, X), {"y": X}, ValueError, r"`y` must have the shape .* \(20, 7, 2\), got \(20, 7, 3\)"),
        ((teacher, model, X), {"epcohs": 3}, TypeError, "epochs"),
        ((teacher, model, X), {"dt": -1.0}, ValueError, "`dt` must"),
    ):
        with pytest.raises(error, match=text):
            distil(*arguments, **options)
    assert (model.theta == theta).all()
    assert model.return_sequences is True


def test_an_estimator_is_no_model():
    sklearn = pytest.importorskip("ltc_np.sklearn", reason="scikit-learn is not installed")
    with pytest.raises(TypeError, match=r"`teacher` must be a Model, got LTCRegressor\(\): .* give its `model_`$"):
        distil(sklearn.LTCRegressor(), student(), X)


def scaled():
    return Model(Standardize(), CfC(8), Dense(2), Standardize(inverse=True), input_dim=3, seed=1)


@pytest.fixture
def walks():
    """Enough of them to learn from: x (64, 12, 3) and dt."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(64, 12, 3)).cumsum(axis=1) / 3, rng.uniform(0.1, 2, (64, 12))


@pytest.mark.slow
@pytest.mark.parametrize("make", [student, scaled])
def test_nothing_given_is_the_training_of_a_recipe(teacher, walks, make):
    """Written out: 1,000 steps of AdamW at a falling rate, and the scales of x and of the lessons."""
    (x, dt), model, by_hand = walks, make(), make()
    result = distil(teacher, model, x, dt=dt, seed=0, verbose=False)
    lessons = teacher(x, dt=dt)
    by_hand.fit(
        x[:51], lessons[:51], dt=dt[:51], validation={"x": x[51:], "y": lessons[51:], "dt": dt[51:]}, epochs=250,
        batch_size=16, optimizer=AdamW(CosineDecay(0.01, 1000), weight_decay=0.01), clip_norm=1.0, seed=0,
        standardize=make is scaled, verbose=False,
    )  # fmt: skip
    assert (model.theta == by_hand.theta).all() and (model.buffer_vector == by_hand.buffer_vector).all()
    assert result.error.relative < 0.25


@pytest.mark.parametrize("whole", [int, np.int64])
def test_what_is_given_replaces_it(teacher, whole):
    trained, by_hand = scaled(), scaled()
    distil(teacher, trained, X, dt=DT, seed=0, epochs=whole(2), verbose=False)
    lessons, scales = teacher(X, dt=DT), trained.buffer_vector.copy()
    by_hand.fit(
        X[:16], lessons[:16], dt=DT[:16], validation={"x": X[16:], "y": lessons[16:], "dt": DT[16:]}, epochs=2,
        batch_size=16, optimizer=AdamW(CosineDecay(0.01, 2), weight_decay=0.01), clip_norm=1.0, seed=0,
        standardize=True, verbose=False,
    )  # fmt: skip
    assert (trained.theta == by_hand.theta).all()
    distil(teacher, trained, X[:10], dt=DT[:10], seed=0, epochs=1, verbose=False)  # it keeps the scales that it has
    assert (trained.buffer_vector == scales).all()


@pytest.mark.slow
def test_a_student_that_has_not_learned_is_told_of(teacher, walks, recwarn):
    x, dt = walks
    with pytest.warns(RuntimeWarning, match=r"the student's outputs are \d+% of their spread away"):
        assert distil(teacher, scaled(), x, dt=dt, **OPTIONS).error.relative > 0.5
    assert distil(teacher, scaled(), x, dt=dt, seed=0, epochs=60, verbose=False).error.relative < 0.5
    assert not recwarn.list
