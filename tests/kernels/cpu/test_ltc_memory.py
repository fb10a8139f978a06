"""An LTC with an LSTM beside it, both in one call: against the step-by-step definition, whose cells are NumPy's."""

import numpy as np
import pytest

from ltc_np import LTC, AutoNCP, CfC, FullyConnected, MixedMemory, Model, set_num_threads
from ltc_np.kernels.cpu import ltc_memory

pytestmark = pytest.mark.xdist_group("mixedmemory")
# Tiles of several widths, a last one of one vector or less, and one sequence; neurons that fill no vector.
SIZES = [
    (AutoNCP(9, 3), "semi_implicit", 3, 4),
    (AutoNCP(24, 4), "exponential", 33, 5),
    (FullyConnected(20, 20), "rk4", 70, 3),
    (FullyConnected(32, 5), "semi_implicit", 65, 7),
    (AutoNCP(7, 2), "euler", 1, 6),
]


def drawn(wiring, solver, **options):
    layer = MixedMemory(LTC(wiring, solver=solver, ode_unfolds=4, check_stability="off"), forget_bias=0.5)
    model = Model(layer, input_dim=3, seed=0, **options)
    model.theta = model.theta + np.random.default_rng(1).normal(0, 0.2, model.theta.size).astype("float32")
    return model


def case(model, B, T):
    rng = np.random.default_rng(B)
    lengths = rng.integers(0, T + 1, B)
    lengths[-1] = T
    h0 = rng.normal(size=(B, model.state_size))
    call = {"dt": rng.choice([0.0, 0.1, 0.2], (B, T)), "lengths": lengths, "h0": h0}
    return rng.normal(size=(B, T, 3)), call, rng.normal(size=(B, T, model.output_size)), rng.normal(size=h0.shape)


@pytest.mark.parametrize("memory", ["full", "low"])
@pytest.mark.parametrize(("wiring", "solver", "B", "T"), SIZES)
def test_as_defined(wiring, solver, B, T, memory):
    """In float64, so what differs is the order of sums; bits of a call that keeps nothing are the same."""
    found = []
    for backend in ("cpu", "numpy"):
        model = drawn(wiring, solver, dtype="float64", backend=backend)
        x, call, d_y, d_h = case(model, B, T)
        y, tape = model.forward(x, memory=memory, **call)
        assert (type(tape.saved[0][-1]) is ltc_memory.Saved) == (backend == "cpu")
        again, state = model(x, return_state=True, **call)
        assert np.array_equal(again, y)
        g = model.backward(tape, d_y, d_h)
        found.append({"y": y, "state": state, "theta": g.theta, "x": g.x, "h0": g.h0, "dt": g.dt})
    for name, value in found[1].items():
        np.testing.assert_allclose(
            found[0][name], value, rtol=0, atol=1e-12 * max(1, np.abs(value).max()), err_msg=name
        )


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.single)])
def test_the_same_bits_in_every_batch_and_for_every_number_of_threads(dtype):
    model = drawn(AutoNCP(40, 4), "semi_implicit", dtype=dtype, backend="cpu")
    x, call, _, _ = case(model, 70, 30)
    gradients, whole = [], model(x, **call)
    try:
        for n in (1, 2, 5):
            set_num_threads(n)
            assert np.array_equal(model(x, **call), whole)
            gradients.append(model.loss_and_grad(x, np.zeros_like(whole), **call)[1])
    finally:
        set_num_threads(None)
    assert np.array_equal(gradients[0], gradients[1]) and np.array_equal(gradients[0], gradients[2])
    for first, last in ((0, 1), (1, 4), (4, 40), (40, 70)):
        part = model(x[first:last], **{name: value[first:last] for name, value in call.items()})
        assert np.array_equal(part, whole[first:last])


@pytest.mark.single
def test_sums_of_many_steps_are_those_of_float64():
    """More steps than gradient sums are kept over, in both cells; float32 against float64."""
    found = []
    for dtype in ("float32", "float64"):
        model = drawn(AutoNCP(8, 2), "semi_implicit", dtype=dtype, backend="cpu")
        rng = np.random.default_rng(0)
        x = rng.normal(size=(33, 90, 3)).astype("float32")
        found.append(model.loss_and_grad(x, np.ones((33, 90, 2)), dt=0.1)[1])
    assert np.abs(found[0] - found[1]).max() < 2e-6 * np.abs(found[1]).max()


def test_what_lies_in_reused_arrays_does_not_matter():
    """A call with numbers that are none is followed by one of the same shape, with sequences that end."""
    model = drawn(AutoNCP(9, 3), "semi_implicit", dtype="float64", backend="cpu")
    x, call, _, _ = case(model, 5, 6)
    _, wanted = model.loss_and_grad(x, np.zeros((5, 6, 3)), **call)
    again = drawn(AutoNCP(9, 3), "semi_implicit", dtype="float64", backend="cpu")
    theta = again.theta.copy()
    again.theta[again.layout.slices["lstm_b"][0]] = np.nan  # and so all that follows
    with pytest.raises(FloatingPointError):
        again.loss_and_grad(x, np.zeros((5, 6, 3)))
    again.theta = theta
    assert np.array_equal(again.loss_and_grad(x, np.zeros((5, 6, 3)), **call)[1], wanted)


@pytest.mark.parametrize(
    ("layer", "B"),
    [
        (MixedMemory(LTC(FullyConnected(32)), "keras"), 9),  # the other topology
        (MixedMemory(LTC(FullyConnected(32))), 2),  # batch-major
        (MixedMemory(CfC(5)), 9),
    ],
)
def test_other_cells_and_few_sequences_go_step_by_step(layer, B):
    model = Model(layer, input_dim=3, seed=0, dtype="float64", backend="cpu")
    _, tape = model.forward(np.zeros((B, 2, 3)))
    assert len(tape.saved[0].steps) == 2
