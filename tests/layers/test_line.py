"""Line, and Residual with another way around: against loops over steps, and what they refuse."""

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, Dense, Line, Model, Pooling, Residual, Standardize, load


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def model_of(reads, rows, outputs=2, before=0.0, **options):
    layer = Line(outputs, reads, weight=normal(rows, outputs), bias=normal(outputs, seed=1), before=before, input_dim=3)
    return Model(layer, dtype="float64", **options)


@pytest.mark.parametrize("before", [0.0, -1.5, [0.5, 0.0, 7.0]])
@pytest.mark.parametrize("reads", [1, 2, 5, 9])
def test_last_inputs_by_hand(reads, before):
    model, x, lengths = model_of(reads, 3 * reads, before=before), normal(4, 6, 3, seed=2), [6, 1, 4, 0]
    before = np.zeros(3) + before
    y, state = model(x, lengths=lengths, return_state=True)
    for b, n in enumerate(lengths):
        for t in range(n):
            z = np.concatenate([x[b, t - k] if t >= k else before for k in range(reads)])
            want = z @ model.buffers["weight"] + model.buffers["bias"]
            np.testing.assert_allclose(y[b, t], want, rtol=0, atol=1e-13)
        past = np.concatenate([x[b, n - 1 - k] if n > k else before for k in range(reads - 1)] or [[]])
        np.testing.assert_array_equal(state[b], past)


def test_all_steps_side_by_side_are_the_last_inputs_of_the_last_step():
    model = model_of(6, 18, return_sequences=False)
    x = normal(4, 6, 3, seed=2)
    want = x[:, ::-1].reshape(4, 18) @ model.buffers["weight"] + model.buffers["bias"]
    np.testing.assert_allclose(model(x), want, rtol=0, atol=1e-13)


def test_summaries_by_hand():
    model, x, lengths = model_of("summaries", 33), normal(4, 6, 3, seed=2), [6, 1, 4, 0]
    y = model(x, lengths=lengths)
    for b, n in enumerate(lengths):
        for t in range(1, n + 1):
            own = x[b, :t]
            u = np.concatenate([own, np.diff(own, axis=0, prepend=own[:1])], axis=1)
            z = [own[0], u.mean(0), np.abs(u).mean(0), u.min(0), u.max(0), u[-1]]
            want = np.concatenate(z) @ model.buffers["weight"] + model.buffers["bias"]
            np.testing.assert_allclose(y[b, t - 1], want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("reads", [4, "summaries"])
def test_one_step_after_the_other(reads):
    before = [0.5, -2.0, 0.0] if reads == 4 else 0.0
    model, x = model_of(reads, 12 if reads == 4 else 33, before=before), normal(2, 6, 3, seed=2)
    state, found = None, []
    for t in range(6):
        y, state = model.step(x[:, t], state=state)
        found.append(y)
    np.testing.assert_allclose(np.stack(found, axis=1), model(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("reads", [4, "summaries"])
def test_a_sequence_without_a_step_keeps_its_state(reads):
    model = model_of(reads, 12 if reads == 4 else 33)
    _, state = model(normal(3, 5, 3, seed=2), lengths=[5, 2, 4], return_state=True)
    _, after = model(normal(3, 6, 3, seed=3), lengths=[0, 6, 0], h0=state, return_state=True)
    np.testing.assert_array_equal(after[[0, 2]], state[[0, 2]])
    assert (after[1] != state[1]).any()


def test_means_of_a_long_sequence_in_float32():
    """A sum in float32 of so many equal numbers would be off in its fourth digit."""
    mean = np.zeros((11, 1))
    mean[1] = 1
    model = Model(Line(1, "summaries", weight=mean, input_dim=1))
    y = model(np.full((1, 20_000, 1), 0.1, np.float32))
    np.testing.assert_allclose(y, 0.1, rtol=1e-6)


def test_around_is_added(tmp_path):
    inside, line = (LTC(AutoNCP(8, 3), input_dim=3, ode_unfolds=2), Dense(2)), Line(2, 3, weight=normal(9, 2))
    model = Model(Residual(*inside, around=line), seed=0, dtype="float64")
    plain, alone = Model(*inside, seed=0, dtype="float64"), Model(line, input_dim=3, dtype="float64")
    x = normal(4, 6, 3)
    np.testing.assert_array_equal(model.theta, plain.theta)  # nothing of the line is trained
    np.testing.assert_allclose(
        model(x, lengths=[6, 2, 0, 5]),
        plain(x, lengths=[6, 2, 0, 5]) + alone(x, lengths=[6, 2, 0, 5]),
        rtol=0,
        atol=1e-13,
    )
    assert {"layers_0.v", "around_past"} == set(model.layers[0].state_slices)
    assert set(model.buffers) == {"around_weight", "around_bias"}
    model.buffers["around_bias"] = [3.0, 4.0]
    model.save(tmp_path / "both.npz")
    np.testing.assert_array_equal(load(tmp_path / "both.npz")(x), model(x))
    traced = model.trace(x)
    np.testing.assert_allclose(traced.y, model(x), rtol=0, atol=1e-13)
    assert "layers_0.tau" in traced.layers[0].arrays


def test_both_ways_have_memory_of_their_own():
    """Arrays that one layer keeps for its next call are not those of the other way."""
    model = Model(Residual(Pooling("mean"), around=Pooling("max")), input_dim=3, dtype="float64")
    x = normal(4, 6, 3)
    want = x.cumsum(1) / np.arange(1, 7)[:, None] + np.maximum.accumulate(x, axis=1)
    np.testing.assert_allclose(model(x), want, rtol=0, atol=1e-13)
    assert model.loss_and_grad(x, np.zeros_like(x))[0] == pytest.approx((want**2).mean(), rel=1e-12)


def test_both_ways_take_the_scale_of_the_inputs():
    inside = Standardize(), Dense(3)
    model = Model(Residual(*inside, around=Residual(Standardize(), Dense(3))), input_dim=3, seed=0, dtype="float64")
    model.adapt(5 + normal(20, 4, 3))
    for name in ("layers_0.mean", "around_0.mean"):
        assert np.abs(model.buffers[name] - 5).max() < 0.5


def test_training_leaves_the_line_as_it_is():
    model = Model(Residual(Dense(1), around=Line(1, 2, weight=0.5)), input_dim=3, seed=0)
    before = {name: values.copy() for name, values in model.buffers.items()}
    model.fit(normal(20, 5, 3), normal(20, 5, 1), epochs=2)
    for name, values in before.items():
        np.testing.assert_array_equal(model.buffers[name], values)


def test_a_residual_without_another_way_has_the_configuration_of_before():
    assert set(Residual(Dense(2, input_dim=2)).config()) == {"layers"}


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: Line(2, 0), ValueError, r"`reads` must be an int >= 1 or \"summaries\", got 0"),
        (lambda: Line(2, "all"), ValueError, "`reads` must be"),
        (lambda: Line(2, 2, weight=np.ones((2, 2)), input_dim=3), ValueError, r"`weight` must be a number or \(6, 2\)"),
        (lambda: Line(2, bias=[1.0], input_dim=3), ValueError, r"`bias` must be a number or \(2,\), got shape \(1,\)"),
        (lambda: Line(2, weight=[[np.nan]]), ValueError, "`weight` must be finite"),
        (lambda: Residual(Dense(2, input_dim=3), around=Line(1)), ValueError, "as many features as `around` gives"),
        (lambda: Residual(Dense(2, input_dim=3), around=Line), TypeError, "`around` must be a layer"),
    ],
)  # fmt: skip
def test_refused(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
