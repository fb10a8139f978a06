"""`ltc_np.analysis.saliency`: gradients over time against central differences of calls."""

import numpy as np
import pytest

from ltc_np import (
    GRU,
    LSTM,
    LTC,
    LTCRNN,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    MixedMemory,
    Model,
    analysis,
)

EPS = 1e-6  # central differences of smooth functions in float64: an error of about 1e-10


def model_of(**options):
    layers = LTC(AutoNCP(9, 3), ode_unfolds=3, init={"time_constants": (1, 10)}), GRU(4), Dense(2)
    return Model(*layers, input_dim=3, seed=0, **{"dtype": "float64"} | options)


@pytest.fixture
def data(rng):
    return rng.normal(size=(4, 6, 3)), rng.uniform(0.1, 1, (4, 6)), np.array([6, 3, 4, 6])


def numeric(y_of, x):
    """d y_of(x) / d x, coordinate by coordinate."""
    found = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][at] += EPS
        moved[1][at] -= EPS
        found[at] = (y_of(moved[0]) - y_of(moved[1])) / (2 * EPS)
    return found


@pytest.mark.parametrize(("step", "output"), [(-1, 0), (2, 1), (0, 0), (-3, 1)])
def test_saliency(step, output, data):
    """Of every sequence its own step; no sequence has to do with another."""
    (x, dt, lengths), model = data, model_of()
    found = analysis.saliency(model, x, dt, step=step, output=output, lengths=lengths)
    for b, n in enumerate(lengths):
        expected = numeric(lambda x, b=b, n=n: model(x, dt=dt[b, :n])[step, output], x[b, :n])
        np.testing.assert_allclose(found[b, :n], expected, rtol=0, atol=1e-8)
        assert np.abs(expected).max() > 1e-8
        assert not found[b, n:].any() and not found[b, step % n + 1 :].any()
        alone = analysis.saliency(model, x[b, :n], dt[b, :n], step=step, output=output)
        np.testing.assert_allclose(alone, found[b, :n], rtol=0, atol=1e-12)


def test_saliency_of_a_model_that_gives_the_last_output(data):
    x, dt, _ = data
    last = model_of(return_sequences=False)
    np.testing.assert_array_equal(
        analysis.saliency(last, x, dt, step=3, output=1), analysis.saliency(model_of(), x, dt, step=3, output=1)
    )


def test_saliency_both_ways_and_from_a_state(data, rng):
    x, dt, _ = data
    model = Model(Bidirectional(LTC(FullyConnected(4, 2), input_dim=3, ode_unfolds=2)), seed=0, dtype="float64")
    h0 = rng.normal(size=8)
    found = analysis.saliency(model, x[0], dt[0], step=2, output=3, h0=h0)
    np.testing.assert_allclose(found, numeric(lambda x: model(x, dt=dt[0], h0=h0)[2, 3], x[0]), atol=1e-8)
    assert found[3:].any()  # the backward direction has read what comes later


def test_saliency_refuses(data):
    x, dt, lengths = data
    model = model_of()
    for step in (6, -7):
        with pytest.raises(ValueError, match=rf"`step` must be an int in -6\.\.5, got {step}"):
            analysis.saliency(model, x, dt, step=step)
    with pytest.raises(ValueError, match=r"`step` must be an int in -3\.\.2, got 3"):
        analysis.saliency(model, x, dt, step=3, lengths=lengths)
    with pytest.raises(ValueError, match="`lengths` must be >= 1 for a saliency, got 0"):
        analysis.saliency(model, x, dt, lengths=[6, 0, 1, 2])
    with pytest.raises(ValueError, match=r"`output` must be an int in 0\.\.1, got 2"):
        analysis.saliency(model, x, dt, output=2)
    with pytest.raises(TypeError, match="has no argument `steps`"):
        analysis.saliency(model, x, dt, steps=3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_by_lag_of_inputs(dtype, data):
    """The largest singular value of differences of the last outputs, lag by lag; float32 models in float64."""
    (x, dt, lengths), model = data, model_of(dtype=dtype)
    twin = model_of()
    twin.theta = model.theta
    found = analysis.gradient_by_lag(model, x, dt, lengths=lengths)
    assert found.dtype == np.float64 and found.shape == (4, 6)
    for b, n in enumerate(lengths):
        own = x[b, :n].astype(dtype).astype(np.float64)
        elapsed = dt[b, :n].astype(dtype).astype(np.float64)
        matrices = np.stack(
            [numeric(lambda x, o=o, elapsed=elapsed: twin(x, dt=elapsed)[-1, o], own) for o in range(2)], axis=1
        )
        expected = [np.linalg.svd(matrices[n - 1 - k])[1][0] for k in range(n)]
        np.testing.assert_allclose(found[b, :n], expected, rtol=0, atol=1e-8 if dtype == "float64" else 1e-7)
        assert not found[b, n:].any()


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "layers",
    [
        (LTC(AutoNCP(6, 2), ode_unfolds=2), GRU(3)),
        (CfC(4, backbone_units=5),),
        (LSTM(3),),
        (MixedMemory(LTC(FullyConnected(3, 2))),),
    ],
    ids=["LTC, GRU", "CfC", "LSTM", "MixedMemory"],
)
def test_gradient_by_lag_of_states(layers, data, rng):
    """Differences of the last state when the state k steps before is moved."""
    x, dt, lengths = data
    model = Model(*layers, input_dim=3, seed=0, dtype="float64")
    h0 = 0.3 * rng.normal(size=(4, model.state_size))
    dt = dt if model.takes_dt else None
    found = analysis.gradient_by_lag(model, x, dt, of="state", lengths=lengths, h0=h0)
    for b, n in enumerate(lengths):
        own = None if dt is None else dt[b, :n]
        trace = model.trace(x[b, :n], own, h0=h0[b])
        states = np.concatenate([layer.state for layer in trace.layers], axis=1)
        assert found[b, 0] == pytest.approx(1)
        for k in range(1, n):
            rest = {"x": x[b, n - k : n], "dt": None if own is None else own[n - k :]}
            rows = [
                numeric(lambda h, o=o, rest=rest: model(h0=h, return_state=True, **rest)[1][o], states[n - 1 - k])
                for o in range(model.state_size)
            ]
            assert found[b, k] == pytest.approx(np.linalg.svd(np.array(rows))[1][0], rel=1e-6, abs=1e-9)
        assert not found[b, n:].any()


def test_gradient_by_lag_of_one_sequence(data):
    x, dt, _ = data
    model = model_of()
    for of in ("input", "state"):
        whole = analysis.gradient_by_lag(model, x, dt, of=of)
        np.testing.assert_allclose(analysis.gradient_by_lag(model, x[1], dt[1], of=of), whole[1], rtol=1e-10)


def test_a_sequence_without_steps_has_no_gradients(data):
    x, dt, _ = data
    for of in ("input", "state"):
        found = analysis.gradient_by_lag(model_of(), x, dt, of=of, lengths=[6, 0, 1, 2])
        assert not found[1].any() and (found > 0).sum() == 9


def test_gradients_smaller_than_float32_knows():
    """An LTC whose time constants are some tenths of a step: 200 steps are far below 1e-38."""
    model = LTCRNN(AutoNCP(9, 2), 3, seed=0, dtype="float32")
    found = analysis.gradient_by_lag(model, np.zeros((200, 3)), of="state")
    assert 0 < found[-1] < 1e-50


def test_gradient_by_lag_refuses(data):
    x, dt, _ = data
    with pytest.raises(ValueError, match="`of` must be one of 'input', 'state', got 'h'"):
        analysis.gradient_by_lag(model_of(), x, dt, of="h")
    for layer in (Bidirectional(LTC(FullyConnected(4, 2), input_dim=3)), Dense(2, input_dim=3)):
        with pytest.raises(ValueError, match='`of` must be "input" for a model without a state'):
            analysis.gradient_by_lag(Model(layer, seed=0), x, of="state")
