"""Targets as they come: missing ones, those of a single output, classes and their weights, in every call."""

import numpy as np
import pytest

from ltc_np import LTC, LTCRNN, SGD, AutoNCP, Callback, Dense, Model, losses
from ltc_np.losses import check_target, known_target
from ltc_np.network.outputs import known_outputs, output_weight

RNG = np.random.default_rng(0)
B, T, I, O = 4, 5, 2, 3
X = RNG.normal(size=(B, T, I))
LENGTHS = np.array([5, 2, 0, 4])
# Those whose targets have the shape of the outputs, or of the steps.
LOSSES = [name for name in losses.LOSSES if name not in ("quantile", "mixture_density")]


def network(outputs=O, return_sequences=True, backend="auto"):
    return Model(
        LTC(AutoNCP(8, 3), input_dim=2), Dense(outputs), seed=0, dtype="float64", return_sequences=return_sequences,
        backend=backend,
    )  # fmt: skip


def targets(loss, shape, rng):
    if loss == "cross_entropy":
        return rng.integers(0, O, shape[:-1]).astype(float)
    return rng.uniform(size=shape)


def naive_gradient(model, x, y, loss, weight, lengths):
    """Loss and gradient with weights of single outputs, by the definition: forward, elements one by one, backward."""
    outputs, tape = model.forward(x, lengths=lengths)
    total = weights = 0.0
    d_y = np.zeros_like(outputs)
    function = losses.get(loss)
    classes = loss == "cross_entropy"
    for where in np.ndindex(y.shape):
        outs = where if classes else (*where[:-1], slice(where[-1], where[-1] + 1))  # the outputs of an element
        if weight[where]:
            target = np.array([int(y[where])]) if classes else y[where].reshape(1, 1)
            value, _, slope = function(outputs[outs][None], target)
            total, weights = total + weight[where] * value, weights + weight[where]
            d_y[outs] = weight[where] * slope[0]
    return total / weights, model.backward(tape, d_y / weights).theta


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_missing_targets_weigh_nothing(loss, last, weighted, backend):
    """Each by itself, together with lengths and sample weights."""
    rng, model = np.random.default_rng(1), network(return_sequences=not last, backend=backend)
    shape = (B, O) if last else (B, T, O)
    y = targets(loss, shape, rng)
    gone = rng.random(y.shape) < 0.4
    gone.flat[0] = False
    y[gone] = np.nan
    sample_weight = rng.choice([0.5, 2.0], (B,) if last else (B, T)) if weighted else np.ones(shape[:-1])
    valid = LENGTHS > 0 if last else np.arange(T) < LENGTHS[:, None]
    more = (1,) * (y.ndim - valid.ndim)
    weight = np.where(gone, 0, (sample_weight * valid).reshape(valid.shape + more))
    options = {"lengths": LENGTHS, "loss": loss, "missing": "ignore"}
    if weighted:
        options["sample_weight"] = sample_weight
    value, grad = model.loss_and_grad(X, y, **options)
    wanted = naive_gradient(model, X, y, loss, weight, LENGTHS)
    assert value == pytest.approx(wanted[0], rel=1e-12)
    np.testing.assert_allclose(grad, wanted[1], rtol=1e-9, atol=1e-12)  # the same sums in another order
    assert model.evaluate(X, y, batch_size=2, **options)["loss"] == pytest.approx(value, rel=1e-12)
    by_hand = network(return_sequences=not last, backend=backend)
    SGD(0.1).step(by_hand, grad)
    model.fit(X, y, batch_size=B, shuffle=False, optimizer=SGD(0.1), verbose=False, **options)
    np.testing.assert_array_equal(model.theta, by_hand.theta)


def test_missing_targets_are_an_error_by_default():
    y = np.zeros((B, T, O))
    y[1, 2, 0] = np.nan
    model, words = network(), r'`y` must be finite in float64, got nan at \(1, 2, 0\): for .* missing="ignore"$'
    for call in (model.loss_and_grad, model.evaluate, model.fit):
        with pytest.raises(ValueError, match=words):
            call(X, y)
        with pytest.raises(ValueError, match="`missing` must be one of 'error', 'ignore', got 'drop'"):
            call(X, y, missing="drop")
    with pytest.raises(ValueError, match=f"`validation`: {words}"):
        model.fit(X, np.zeros((B, T, O)), validation=(X, y))
    with pytest.raises(ValueError, match="`y` must have at least one target that counts, got NaN for all of them"):
        model.fit(X, np.full((B, T, O), np.nan), missing="ignore")
    with pytest.raises(ValueError, match="got NaN for all of them"):  # what is there lies behind the ends
        model.fit(X, np.where(np.arange(T)[:, None] < 3, np.nan, y), lengths=[3, 2, 0, 1], missing="ignore")
    y[1, 2, 0] = np.inf
    with pytest.raises(ValueError, match="must be finite in float64, got inf"):
        model.fit(X, y, missing="ignore")


def test_missing_targets_in_chunks_metrics_and_validation(backend):
    """Chunks in which nothing is there make no step; metrics leave out what is missing."""
    rng, model, by_hand = np.random.default_rng(3), network(backend=backend), network(backend=backend)
    y = rng.normal(size=(B, T, O))
    y[:, 2:4] = np.nan
    y[0, 4, 1] = y[2, 0, 2] = np.nan
    optimizer, state, steps = SGD(0.1), None, []

    class Steps(Callback):
        def on_batch_end(self, step, logs):
            steps.append(step)

    for a in (0, 2, 4):
        part = slice(a, a + 2)
        if a != 2:
            _, grad = by_hand.loss_and_grad(X[:, part], y[:, part], h0=state, missing="ignore")
            following = by_hand(X[:, part], h0=state, return_state=True)[1]
            optimizer.step(by_hand, grad)
        else:
            following = by_hand(X[:, part], h0=state, return_state=True)[1]
        state = following
    model.fit(
        X, y, tbptt=2, batch_size=B, shuffle=False, optimizer=SGD(0.1), missing="ignore", verbose=False,
        callbacks=Steps(),
    )  # fmt: skip
    assert steps == [0, 2]
    np.testing.assert_allclose(model.theta, by_hand.theta, rtol=1e-13)
    there = ~np.isnan(y)
    outputs = model(X)
    found = model.evaluate(X, y, missing="ignore", metrics=["mse", "mae", "r2"], batch_size=3)
    assert found["mse"] == pytest.approx(np.mean((outputs - y)[there] ** 2), rel=1e-12)
    assert found["mae"] == pytest.approx(np.mean(np.abs(outputs - y)[there]), rel=1e-12)
    residual, spread = np.nansum((outputs - y) ** 2, (0, 1)), np.nansum((y - np.nanmean(y, (0, 1))) ** 2, (0, 1))
    assert found["r2"] == pytest.approx(np.mean(1 - residual / spread), rel=1e-12)
    history = model.fit(X, y, missing="ignore", validation=(X, y), verbose=False, optimizer=SGD(1e-30))
    assert history["val_loss"][0] == pytest.approx(found["loss"], rel=1e-12)


def test_a_loss_of_ones_own_gets_the_missing_targets():
    y = RNG.normal(size=(B, T, O))
    y[0] = y[1, 1, 1] = np.nan

    def own(outputs, target):
        there = ~np.isnan(target)
        error = np.where(there, outputs - target, 0.0)
        assert np.isnan(target).sum() == np.isnan(y).sum()
        return float((error**2).sum() / there.sum()), 2 * error / there.sum()

    model = network()
    wanted = model.loss_and_grad(X, y, missing="ignore")
    value, grad = model.loss_and_grad(X, y, missing="ignore", loss=own)
    assert value == pytest.approx(wanted[0], rel=1e-12)
    np.testing.assert_allclose(grad, wanted[1], rtol=1e-9, atol=1e-12)
    assert model.evaluate(X, y, missing="ignore", loss=own, metrics=["mse"])["mse"] == pytest.approx(value, rel=1e-12)
    with pytest.raises(ValueError, match="got nan at"):
        model.loss_and_grad(X, y, loss=own)


def test_missing_classes_are_whole_floats():
    model, labels = network(), np.random.default_rng(0).integers(0, O, (B, T)).astype(float)
    wanted = model.loss_and_grad(X, labels.astype(int), loss="cross_entropy")
    got = model.loss_and_grad(X, labels, loss="cross_entropy", missing="ignore")  # none is missing here
    assert got[0] == wanted[0] and np.array_equal(got[1], wanted[1])
    with pytest.raises(TypeError, match="`y` of cross_entropy must be integer classes, got dtype float64"):
        model.loss_and_grad(X, labels, loss="cross_entropy")
    with pytest.raises(ValueError, match=r"classes in 0\.\.2, got 3"):
        model.loss_and_grad(X, np.where(labels == 0, np.nan, labels + 1), loss="cross_entropy", missing="ignore")


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_cross_entropy"])
def test_targets_of_one_output_need_no_axis_for_it(loss):
    rng, options = np.random.default_rng(2), {"loss": loss}
    for last in (False, True):
        model = network(1, return_sequences=not last)
        y = rng.uniform(size=(B,) if last else (B, T))
        wanted, got = (model.loss_and_grad(X, target, **options) for target in (y[..., None], y))
        assert got[0] == wanted[0] and np.array_equal(got[1], wanted[1])
        wanted, got = (model.evaluate(X, target, metrics=["mse"], **options) for target in (y[..., None], y))
        assert got == wanted
        one = model.loss_and_grad(X[0], y[0] if not last else y[:1][0], **options)
        assert one[0] == pytest.approx(model.loss_and_grad(X[:1], y[:1], **options)[0], rel=1e-12)
        y[1:] = np.nan
        assert model.evaluate(X, y, missing="ignore", **options)["loss"] == pytest.approx(one[0], rel=1e-12)
    lists = [X[0], X[1, :2]], list(rng.uniform(size=(2, T)))
    lists[1][1] = lists[1][1][:2]
    model = network(1)
    wanted = model.evaluate(lists[0], [y[:, None] for y in lists[1]], **options)
    assert model.evaluate(*lists, **options) == wanted


def test_what_does_not_fit_one_output_is_refused():
    model = network(1)
    for shape in ((B,), (T, B), (B, T, 2), (B, 1, T)):
        with pytest.raises(ValueError, match="`y` .*must"):
            model.loss_and_grad(X, np.zeros(shape))
    with pytest.raises(
        ValueError, match=r"`y` of mse must have shape \(4, 1\) or \(4,\), got float64 of shape \(4, 5\)"
    ):
        network(1, return_sequences=False).loss_and_grad(X, np.zeros((B, T)))


def test_boolean_classes():
    model, labels = LTCRNN(AutoNCP(8, 2), 2, seed=0), X[..., 0] > 0
    wanted = model.loss_and_grad(X, labels.astype(int), loss="cross_entropy")
    got = model.loss_and_grad(X, labels, loss="Cross_Entropy")
    assert got[0] == wanted[0] and np.array_equal(got[1], wanted[1])
    options = {"loss": "cross_entropy", "metrics": ["Accuracy", "ROC_AUC"], "verbose": False, "seed": 0}
    assert set(model.fit(X, labels, **options)) == {"loss", "accuracy", "roc_auc"}


@pytest.mark.parametrize("class_weight", [{1: 3.0}, "balanced", np.array([0.5, 2.0, 1.0])])
def test_weights_of_classes_in_every_call(class_weight, backend):
    rng = np.random.default_rng(5)
    labels, other = rng.choice(O, (B, T), p=[0.6, 0.2, 0.2]), rng.choice(O, (B, T), p=[0.6, 0.2, 0.2])
    valid = np.arange(T) < LENGTHS[:, None]
    n = np.bincount(labels[valid], minlength=O)
    assert n.all()
    array = {"balanced": n.sum() / (O * n)}.get(str(class_weight), class_weight)
    array = np.array([1.0, 3.0, 1.0]) if isinstance(array, dict) else array
    options = {"lengths": LENGTHS, "loss": "cross_entropy"}
    found = []
    for given in (class_weight, array):
        model = network(backend=backend)
        value, grad = model.loss_and_grad(X, labels, class_weight=given, **options)
        measured = model.evaluate(X, labels, class_weight=given, batch_size=3, **options)["loss"]
        history = model.fit(
            X, labels, class_weight=given, batch_size=2, seed=0, epochs=2, verbose=False,
            validation={"x": X, "y": other, "lengths": LENGTHS}, keep_best=False, **options,
        )  # fmt: skip
        found.append([value, measured, *history["loss"], *history["val_loss"], *grad, *model.theta])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    p = losses.probabilities(network(backend=backend)(X))
    log_p = np.log(np.take_along_axis(p, labels[..., None], 2))[..., 0]
    assert found[0][0] == pytest.approx(np.average(-log_p[valid], weights=array[labels][valid]), rel=1e-12)


def test_which_outputs_count():
    """Weights have an axis of outputs only where a step needs it."""
    known = np.array([[[True, True], [False, False]]])
    assert known_outputs(None, known, (1, 2, 2)).tolist() == [[True, False]]
    known[0, 1, 0] = True
    assert known_outputs(None, known, (1, 2, 2)).tolist() == known.tolist()
    valid = np.array([[True, False]])
    assert known_outputs(valid, known, (1, 2, 2)).tolist() == [[[True, True], [False, False]]]
    assert known_outputs(valid, known[..., 0], (1, 2, 2)).tolist() == [[True, False]]
    assert known_outputs(None, known[..., :1], (1, 2, 1)).shape == (1, 2)
    weight = output_weight("mse", np.array([[0.5, 0.25]]), (1, 2), known, np.float32)
    assert weight.dtype == np.float32 and weight.tolist() == [[[0.5, 0.5], [0.25, 0.0]]]
    target, known = known_target(losses.get("mse"), "y", [[0.5, np.nan]])
    assert check_target("mse", (1, 2), target, np.float32, known).tolist() == [[0.5, 0.0]]
