"""Hold: the last output of layers with a stride, at every step."""

import numpy as np
import pytest

from ltc_np import CTRNN, LTC, BatchNorm, Conv1D, FullyConnected, Hold, Line, Model, Patch, Pooling, Residual, load
from ltc_np.export import c

X = np.random.default_rng(0).normal(size=(4, 14, 2))
LENGTHS = np.array([14, 2, 9, 12])
DT = np.random.default_rng(1).uniform(0.2, 1, (4, 14))
INSIDE = Conv1D(3, 4, stride=2, activation="tanh"), LTC(FullyConnected(4, 3)), Conv1D(2, 2, stride=3)  # six steps


def made(*layers, **settings):
    """The layers within a hold, and alone with the same parameters."""
    held = Model(Hold(*layers), input_dim=2, seed=0, dtype="float64", **settings)
    alone = Model(*layers, input_dim=2, seed=1, dtype="float64", **settings)
    alone.theta[:] = held.theta
    return held, alone


def test_a_step_has_the_last_output_that_there_was(backend):
    """By a loop over the steps, from the beginning of a sequence and from its middle."""
    held, alone = made(*INSIDE, backend=backend)
    y, outputs = held(X, dt=DT, lengths=LENGTHS), alone(X, dt=DT, lengths=LENGTHS)
    _, state = held(X, dt=DT, return_state=True)
    later = held(X, dt=DT, h0=state)
    both = alone(np.concatenate([X, X], axis=1), dt=np.concatenate([DT, DT], axis=1))
    for b in range(4):
        for t in range(LENGTHS[b]):
            wanted = outputs[b, (t + 1) // 6 - 1] if t >= 5 else np.zeros(2)
            np.testing.assert_array_equal(y[b, t], wanted)
        assert not y[b, LENGTHS[b] :].any()
        for t in range(14):
            np.testing.assert_allclose(later[b, t], both[b, (14 + t + 1) // 6 - 1], rtol=1e-12)


def test_the_gradient_of_an_output_is_the_sum_over_the_steps_that_hold_it():
    held, alone = made(*INSIDE)
    d_y = np.random.default_rng(2).normal(size=(4, 14, 2)) * (np.arange(14) < LENGTHS[:, None])[:, :, None]
    g = held.backward(held.forward(X, dt=DT, lengths=LENGTHS)[1], d_y)
    sums = np.stack([d_y[:, 5:11].sum(1), d_y[:, 11:].sum(1)], axis=1)
    wanted = alone.backward(alone.forward(X, dt=DT, lengths=LENGTHS)[1], sums)
    for name in ("theta", "x", "dt"):
        np.testing.assert_allclose(getattr(g, name), getattr(wanted, name), rtol=1e-12, atol=1e-14)


def test_what_happens_inside_is_held_too():
    held, alone = made(*INSIDE)
    seen, wanted = held.trace(X, dt=DT, lengths=LENGTHS), alone.trace(X, dt=DT, lengths=LENGTHS)
    tau = wanted["1.tau"]  # at every second step
    for b in range(4):
        for t in range(14):
            alive = 1 <= t < LENGTHS[b]
            np.testing.assert_allclose(seen["1.tau"][b, t], tau[b, (t + 1) // 2 - 1] if alive else 0, rtol=1e-12)
    assert list(held.layers[0].state_slices)[-1] == "held"
    short = held.trace(X[:, :1], dt=DT[:, :1])
    assert not short.layers[0].arrays


def test_beside_a_line_and_before_what_reads_all_steps(tmp_path):
    """Where each step must have an output; and the last one is the answer, as it is without the hold."""
    held, alone = made(*INSIDE)
    line = Line(2, reads=1, weight=np.ones((2, 2)))
    model = Model(Residual(Hold(*INSIDE), around=line), Pooling("max"), input_dim=2, seed=0, dtype="float64")
    model.theta[:] = held.theta
    y = model(X, dt=DT)
    np.testing.assert_allclose(y, np.maximum.accumulate(held(X, dt=DT) + X.sum(2, keepdims=True), axis=1), rtol=1e-12)
    last = Model(Hold(*INSIDE), input_dim=2, seed=0, dtype="float64", return_sequences=False)
    np.testing.assert_array_equal(last(X, dt=DT), alone(X, dt=DT)[:, -1])
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.layers == model.layers
    np.testing.assert_array_equal(again(X, dt=DT), y)


def test_times_that_are_too_long_together_are_refused():
    model = Model(Hold(Patch(3), CTRNN(2, solver="euler", ode_unfolds=1)), input_dim=2, seed=0)
    model(X, dt=0.6)
    with pytest.raises(ValueError, match=r"for dt = 2\.7: .*\(dt is that of 3 steps"):
        model(X, dt=0.9)


def test_a_norm_that_nothing_has_come_to_keeps_its_statistics():
    model = Model(Hold(Patch(3), BatchNorm()), input_dim=2, seed=0)
    before = model.buffer_vector.copy()
    model.fit(X[:, :2], np.zeros((4, 2, 6)), epochs=1, verbose=False)
    np.testing.assert_array_equal(model.buffer_vector, before)
    model.fit(X[:, :3], np.zeros((4, 3, 6)), epochs=1, verbose=False)
    assert (model.buffer_vector != before).any()


def test_no_export(tmp_path):
    with pytest.raises(TypeError, match=r"layers that can be exported .*: fit with shortcut=None$"):
        c.write(Model(Hold(Patch(2)), input_dim=2, seed=0), tmp_path / "c")
