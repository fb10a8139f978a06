"""`step`: what it refuses; that it is the sequence is in the battery."""

import numpy as np
import pytest

from ltc_np import GRU, LRC, LTC, LTCRNN, AutoNCP, Dense, FullyConnected, MixedMemory, Model
from ltc_np.network import host


@pytest.fixture
def model(backend):
    return LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_states_and_inputs_must_be_finite(model, bad):
    for b, (x, state) in enumerate((np.ones((2, 3)), np.zeros((2, 8))) for _ in range(2)):
        (state if b else x)[1, 2] = bad
        with pytest.raises(ValueError, match=f"`{'state' if b else 'x_t'}` must be finite"):
            model.step(x, dt=0.1, state=state)
        with pytest.raises(ValueError, match=f"`{'state' if b else 'x_t'}` must be finite"):
            model.step(x[1], dt=0.1, state=state[1])


@pytest.mark.parametrize("bad", [np.inf, np.nan, -0.1, -np.inf])
def test_elapsed_times_must_be_finite_and_not_negative(model, bad):
    x = np.ones((2, 3))
    for dt in (bad, np.float32(bad), np.array(bad), [0.1, bad], np.array([bad, 0.1])):
        with pytest.raises(ValueError, match="`dt` must be finite, >= 0 and "):
            model.step(x, dt=dt)
    with pytest.raises(ValueError, match="`dt` must be finite, >= 0 and "):
        model.step(x[0], dt=bad)
    model.step(x, dt=0.0)


def test_shapes_are_named(model):
    x = np.ones((2, 3))
    for arguments, message in (
        ({"x_t": x[:, :2]}, r"`x_t` must be \(3,\) or \(B, 3\), got shape \(2, 2\)"),
        ({"x_t": x, "dt": np.ones(3)}, r"`dt` must be a number or \(2,\), got shape \(3,\)"),
        ({"x_t": x[0], "dt": np.ones(1)}, r"`dt` must be a number, got shape \(1,\)"),
        ({"x_t": x, "state": np.zeros(8)}, r"`state` must have shape .*, got \(8,\)"),
        ({"x_t": x[0], "state": np.zeros((1, 8))}, r"`state` must have shape .*, got \(1, 8\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.step(**arguments)


def test_a_step_without_elapsed_time_is_one_of_1(model):
    """Also after others, whose elapsed times lie in buffers that are used again."""
    x, want = np.ones(3), model.step(np.ones(3), dt=1.0)
    for _ in range(2):
        y, state = model.step(x)
        np.testing.assert_array_equal(y, want[0])
        np.testing.assert_array_equal(state, want[1])
        assert not np.array_equal(model.step(x, dt=0.1)[1], want[1])


@pytest.mark.parametrize("make", [LTC, LRC])
@pytest.mark.parametrize("mapping", [None, "linear", "affine"])
@pytest.mark.parametrize("B", [1, 3, 33, 600])
def test_a_bound_step_is_the_sequence(make, mapping, B, rng):
    """Whatever stands around the kernels, with many sequences, on which several threads work, and after a change."""
    layer = make(FullyConnected(24, 2), input_dim=3, input_mapping=mapping, output_mapping=mapping, ode_unfolds=6)
    model = Model(layer, seed=0, dtype="float64")
    for values in model.params.values():
        values *= rng.uniform(0.9, 1.1, values.shape)
    x, dt, state = rng.normal(size=(B, 4, 3)), rng.uniform(0, 2, (B, 4)), rng.normal(size=(B, 24))
    for _ in range(2):
        want = model(x, dt=dt, h0=state, return_state=True)
        now, found = state, []
        for t in range(4):
            y, now = model.step(x[:, t], dt=dt[:, t], state=now)
            found.append(y)
        np.testing.assert_array_equal(np.stack(found, 1), want[0])
        np.testing.assert_array_equal(now, want[1])
        model.theta *= 1.1


@pytest.mark.parametrize("B", [None, 3])
def test_steps_of_several_layers_are_the_sequence(B, backend, rng):
    layers = LTC(AutoNCP(8, 3)), Dense(5, "tanh"), GRU(4), MixedMemory(LTC(FullyConnected(6, 2), ode_unfolds=2))
    model = Model(*layers, input_dim=3, seed=0, dtype="float64", backend=backend)
    whole = (5,) if B is None else (B, 5)
    x, dt = rng.normal(size=(*whole, 3)), rng.uniform(0, 2, whole)
    state = rng.normal(size=(*whole[:-1], model.state_size))
    y, last = model(x, dt=dt, h0=state, return_state=True)
    for t in range(5):
        found, state = model.step(x[..., t, :], dt=dt[..., t], state=state)
        np.testing.assert_allclose(found, y[..., t, :], rtol=1e-12)  # products of other sizes
    np.testing.assert_allclose(state, last, rtol=1e-12)


@pytest.mark.parametrize("kind", [LTC, LRC])
def test_a_step_of_a_class_of_one_s_own_is_its_own_forward(kind, rng):
    class Doubled(kind):
        def forward(self, *given):
            y, h, saved = super().forward(*given)
            return 2 * y, h, saved

    x = rng.normal(size=3)
    for layers in ((), (Dense(2),)):
        model = Model(Doubled(AutoNCP(8, 2)), *layers, input_dim=3, seed=0, dtype="float64")
        y, state = model.step(x)
        want, last = model(x[None], return_state=True)
        np.testing.assert_allclose(y, want[0], rtol=1e-13)
        np.testing.assert_array_equal(state, last)


def test_a_step_of_a_layer_with_results_of_other_shapes_is_refused():
    class Wide(Dense):
        def forward(self, *given, **options):
            y, h, saved = super().forward(*given, **options)
            return np.concatenate([y, y], axis=2), h, saved

    for layers in ((Wide(2),), (Dense(4), Wide(2), Dense(1))):
        with pytest.raises(ValueError, match=r"forward of layer .* must return outputs \(1, 1, 2\) and states"):
            Model(*layers, input_dim=3, seed=0).step(np.ones(3))


def test_a_step_is_a_last_call_without_chunks():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    model(np.ones((50, 3)), parallel_time=5)
    assert model.last_parallel
    model.step(np.ones(3))
    assert model.last_parallel == ()


def test_a_step_after_a_wrong_one_is_right(model):
    want = model.step(np.ones(3))
    for wrong in ({"dt": np.nan}, {"dt": -1.0}, {"state": np.full(8, np.nan)}):
        with pytest.raises(ValueError, match="must be finite"):
            model.step(np.ones(3), **wrong)
        for found, one in zip(model.step(np.ones(3)), want, strict=True):
            np.testing.assert_array_equal(found, one)


def test_steps_that_are_too_long_are_refused(backend):
    """As those of a sequence are; and states that overflow all the same."""
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend, solver="euler")
    model.step(np.ones(3), dt=0.1)
    with pytest.raises(ValueError, match="euler"):
        model.step(np.ones(3), dt=1e4)
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend, solver="euler", check_stability="off")
    with pytest.raises(FloatingPointError, match="must be finite"), np.errstate(all="ignore"):
        model.step(np.ones(3), dt=1e15)


def test_layers_that_want_to_know_whether_one_trains_are_told():
    class Told(Dense):
        drops = True

        def forward(self, *given, rng):
            assert rng is None
            return super().forward(*given)

    model = Model(Told(2), input_dim=3, seed=0)
    np.testing.assert_array_equal(model.step(np.ones(3))[0], model(np.ones((1, 3)))[0])


def test_buffers_of_many_batch_sizes_take_no_more_memory_than_agreed(model, monkeypatch):
    """The oldest are given back; the newest is kept however large it is."""
    monkeypatch.setattr(host, "STREAM_ROWS", 10)
    for B, kept in ((4, [4]), (6, [4, 6]), (3, [6, 3]), (4, [3, 4]), (20, [20]), (1, [1])):
        model.step(np.ones((B, 3)))
        assert list(model.engine.remembered().streams) == kept
