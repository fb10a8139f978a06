"""Gradients: by finite differences, and the same of every backend and every call."""

import numpy as np
import pytest
from protocol.calls import close, given, pair, results, whole

from ltc_np import Bidirectional, Dense, MixedMemory, Model, Residual, SpikingLIF, gradcheck

# float32 as is promised, of float64 NumPy; float64: sums of a few hundred terms in another order.
TOLERANCES = {"float32": (1e-5, 1e-4), "float64": (1e-12, 1e-9)}


@pytest.mark.host
def test_finite_differences(layer, backend):
    """Coordinate by coordinate; 1e-6 is the promise."""
    if layer.surrogate_gradient:  # a spike has no derivative; the relaxed layer has the same backward pass
        layer = SpikingLIF(**layer.config() | {"relaxed": True})
    model = Model(layer, seed=1, dtype="float64", backend=backend)
    x, dt, lengths, h0, *_ = given(layer)
    if backend == "numpy" and layer.layout.size > 150:  # which compiled kernels need for their vectors
        assert gradcheck.direction(model, x, dt=dt, lengths=lengths, h0=h0) < 1e-6
        return
    errors = gradcheck.check(model, x, dt=dt, lengths=lengths, h0=h0)
    assert set(errors) == {*model.params, "x", "h0", *(["dt"] if layer.takes_dt else [])}
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.together("layer", "backend")
def test_backends_agree(layer, backend, dtype):
    """Outputs, states and every gradient; whole tiles and parts of them, sequences of all lengths."""
    if (backend, dtype) == ("numpy", "float64"):
        return
    definition, model = pair(layer, dtype, backend)
    for B, T in ((3, 4), (4, 4), (1, 1), (37, 7)):
        if backend == "cuda" and B > 4:
            continue
        some = given(layer, B, T, dtype, seed=B)
        found = results(model, some)
        assert {a.dtype for a in found.values()} == {model.dtype}
        close(found, results(definition, some), *TOLERANCES[dtype])


@pytest.mark.parametrize("memory", ["full", "low"])
def test_the_gradient_of_a_loss_is_that_of_backward(layer, backend, memory):
    """A training asks for no gradient of the input, which must not cost the parameters theirs."""
    model = Model(layer, seed=1, dtype="float64", backend=backend)
    x, dt, lengths, _, target, _ = given(layer, 4, 6)
    loss, gradient = model.loss_and_grad(x, target, dt=dt, lengths=lengths, memory=memory)
    y, tape = model.forward(x, dt=dt, lengths=lengths)
    valid = np.arange(6) < lengths[:, None]
    count = valid.sum() * layer.output_size
    d_y = 2 * (y - target) * valid[:, :, None] / count
    want = model.backward(tape, d_y).theta
    np.testing.assert_allclose(loss, ((y - target)[valid] ** 2).sum() / count, rtol=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(want).max(initial=1e-300))


def test_gradients_of_layers_in_a_row(layer, backend):
    """What a layer hands to the one before it, which is asked for only there."""
    model = Model(Dense(2, input_dim=3), layer, seed=1, dtype="float64", backend=backend)
    x, dt, lengths, _, target, _ = given(layer, 3, 4)
    x = np.random.default_rng(0).normal(size=(3, 4, 3))
    _, gradient = model.loss_and_grad(x, target, dt=dt, lengths=lengths)
    y, tape = model.forward(x, dt=dt, lengths=lengths)
    valid = (np.arange(4) < lengths[:, None])[:, :, None]
    want = model.backward(tape, 2 * (y - target) * valid / (valid.sum() * layer.output_size)).theta
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(want).max())


@pytest.mark.few(14)
@pytest.mark.host
@pytest.mark.single
def test_float32_follows_float64_over_many_steps(layer, backend):
    """A constant input is the worst case for sums over steps: all terms have one sign."""
    if layer.surrogate_gradient:  # a spike that comes one step later is no rounding
        layer = SpikingLIF(**layer.config() | {"relaxed": True})
    T = 1000 if backend == "cpu" else 100
    exact, model = (Model(layer, seed=1, dtype=dtype, backend=backend) for dtype in ("float64", "float32"))
    exact.theta = model.theta
    x, target = np.full((1, T, 2), 0.3, np.float32), np.zeros((1, T, layer.output_size), np.float32)
    dt = 20 / T if layer.takes_dt else None
    (value, gradient), (value32, gradient32) = (m.loss_and_grad(x, target, dt=dt) for m in (exact, model))
    assert abs(value32 - value) <= 1e-4 * value
    close(model.views(gradient32), exact.views(gradient), None, TOLERANCES["float32"][1])


# ------------------------------------------------------------------------------------------- surrogate gradients

SPIKES = SpikingLIF(2, input_dim=2)


@pytest.mark.parametrize(
    "layers",
    [
        (SPIKES,),
        (Dense(2, input_dim=2), SPIKES),
        (Residual(Dense(2, input_dim=2), SPIKES),),
        (Bidirectional(MixedMemory(SPIKES)),),
    ],
    ids=["alone", "stack", "residual", "both ways"],
)
def test_surrogate_gradients_are_not_checked_by_differences(layers):
    x = whole(SPIKES).x
    for check in (gradcheck.check, gradcheck.direction):
        with pytest.raises(ValueError, match="cannot confirm a surrogate gradient, got .*SpikingLIF.*relaxed=True"):
            check(Model(*layers, seed=0, dtype="float64"), x)
