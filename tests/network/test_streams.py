"""Many streams of one model, stepped by number."""

import copy
import pickle
import threading

import numpy as np
import pytest

from ltc_np import LSTM, LTCRNN, AutoNCP, Bidirectional, CfC, Dense, Model
from ltc_np.kernels import codes
from ltc_np.kernels.numpy import streams as plain
from ltc_np.network.streams import step_size

pytestmark = pytest.mark.xdist_group("streams")  # whose kernels others have not


@pytest.fixture
def model(backend):
    return LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend)


def measurements(rounds, capacity, inputs, dtype, seed=0):
    """Which streams have one, inputs, and elapsed times; 0 of some."""
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        ids = rng.permutation(capacity)[: rng.integers(1, capacity + 1)]
        dt = rng.exponential(size=ids.size) * (rng.random(ids.size) > 0.1)
        yield ids, rng.normal(size=(ids.size, inputs)).astype(dtype), dt.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_steps_with_a_state_for_each(backend, dtype):
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend, dtype=dtype)
    streams = model.streams(40)
    states = np.tile(model.initial_state(), (40, 1))
    for ids, x, dt in measurements(12, len(streams.open(40)), 3, dtype):
        y = streams.step(ids, x, dt=dt)
        for k, stream in enumerate(ids):
            want, states[stream] = model.step(x[k], dt=dt[k], state=states[stream])
            np.testing.assert_array_equal(y[k], want)
        np.testing.assert_array_equal(streams.states, states)


@pytest.mark.parametrize(
    "layers", [(CfC(6, input_dim=3), Dense(2)), (LSTM(4, input_dim=3),), (Dense(2, input_dim=3),)], ids=repr
)
def test_of_other_layers_too(layers, backend):
    model = Model(*layers, seed=0, backend=backend)
    streams, states = model.streams(9), np.zeros((9, model.state_size), model.dtype)
    streams.open(9)
    for ids, x, dt in measurements(5, 9, 3, model.dtype):
        times = {"dt": dt} if model.takes_dt else {}
        y = streams.step(ids, x, **times)
        want, states[ids] = model.step(x, state=states[ids], **times)
        np.testing.assert_allclose(y, want, rtol=0, atol=3e-7)  # of sums in another order, in float32
        np.testing.assert_allclose(streams.states, states, rtol=0, atol=3e-7)


def test_one_stream_and_one_time_for_all(model):
    streams = model.streams(2)
    a, b = streams.open(), streams.open()
    x = np.ones((2, 3), np.float32)
    first = streams.step(a, x[0], dt=0.3)
    assert first.shape == (2,)
    np.testing.assert_array_equal(first, model.step(x[0], dt=0.3)[0])
    np.testing.assert_array_equal(streams.step([b], x[:1]), model.step(x[:1])[0])
    state = streams.states.copy()
    np.testing.assert_array_equal(streams.step([a, b], x.tolist(), dt=0.5), model.step(x, dt=0.5, state=state)[0])


def test_opening_and_closing(model):
    streams = model.streams(3)
    assert (len(streams), repr(streams)) == (0, "Streams(0 of 3 open)")
    ids, start = streams.open(2), np.arange(8.0)
    assert sorted(ids) == [0, 1] and list(streams.ids) == [0, 1]
    np.testing.assert_array_equal(streams.states[ids], [model.initial_state()] * 2)
    third = streams.open(state=start)
    assert isinstance(third, int)
    np.testing.assert_array_equal(streams.states[third], start)
    with pytest.raises(ValueError, match="1 stream cannot be opened: 3 of 3 are open; close some, or .*`capacity`"):
        streams.open()
    streams.step(ids, np.ones((2, 3)))
    streams.close(ids[:1])
    assert len(streams) == 2
    assert streams.open() == ids[0]
    np.testing.assert_array_equal(streams.states[ids[0]], model.initial_state())  # nothing is left of the former
    streams.close(streams.ids)
    assert len(streams) == 0 and streams.ids.size == 0


def test_one_that_is_closed_twice_in_a_call_is_given_to_one_only():
    streams = Model(Dense(2), input_dim=3, seed=0, backend="numpy").streams(3)
    first, second = streams.open(2)
    streams.close([first, first])
    assert len(streams) == 1
    assert sorted([*streams.open(2), second]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 3], np.ones((2, 3))), ValueError, "`ids` must be numbers of open streams, but 3 at index 1 is not open"),
        (([0, 4], np.ones((2, 3))), ValueError, "open streams, 0 to 3, got 4 at index 1"),
        (([-1, 0], np.ones((2, 3))), ValueError, "open streams, 0 to 3, got -1 at index 0"),
        (
            ([0, 1, 0], np.ones((3, 3))),
            ValueError,
            "each stream once, but 0 at index 2 is in another step, or here twice",
        ),
        (([0.0], np.ones((1, 3))), TypeError, "`ids` must be an integer or a .* array of integers"),
        (([[0]], np.ones((1, 3))), TypeError, "`ids` must be an integer or a .* array of integers"),
        (([], np.ones((0, 3))), ValueError, "`ids` must be at least one number, got none"),
        (([[0], [0, 1]], np.ones((2, 3))), ValueError, "`ids` must be .*, got a ragged list"),
        (([0, 1], np.ones((1, 3))), ValueError, r"`x_t` must be \(2, 3\) for 2 streams, got shape \(1, 3\)"),
        ((0, np.ones((1, 3))), ValueError, r"`x_t` must be \(3,\) for one stream, got shape \(1, 3\)"),
        (([0, 1], [[1, 2, 3], [1, np.nan, 3]]), ValueError, r"`x_t` must be finite .* got nan at index \(1, 1\)"),
    ],
    ids=["not open", "too large", "negative", "twice", "float", "two axes", "none", "ragged", "rows", "one", "nan"],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(model, arguments, error, message):
    streams = model.streams(4)
    streams.open(3)
    streams.step([0, 1, 2], np.ones((3, 3)))
    before = streams.states[:3].copy()
    with pytest.raises(error, match=message):
        streams.step(*arguments)
    np.testing.assert_array_equal(streams.states[:3], before)
    assert streams.step([0, 1, 2], np.ones((3, 3))).shape == (3, 2)  # none is busy


@pytest.mark.parametrize("dt", [-1.0, np.nan, np.inf, [1.0, -1.0]])
def test_elapsed_times_must_be_finite_and_not_negative(model, dt):
    streams = model.streams(2)
    ids = streams.open(2)
    with pytest.raises(ValueError, match="`dt` must be finite, >= 0"):
        streams.step(ids, np.ones((2, 3)), dt=dt)
    with pytest.raises(ValueError, match=r"`dt` must be a number or \(2,\), got shape \(3,\)"):
        streams.step(ids, np.ones((2, 3)), dt=np.ones(3))
    streams.step(ids, np.ones((2, 3)), dt=0.0)
    with pytest.raises(ValueError, match="`dt` must be left out"):
        Model(LSTM(2, input_dim=1), seed=0).streams(1).step(0, [1.0], dt=1.0)


def test_states_that_were_written_and_are_not_finite_are_refused(model):
    streams = model.streams(3)
    ids = streams.open(2)
    streams.states[ids[1], 3] = np.nan
    with pytest.raises(ValueError, match="`states` must be finite"):
        streams.step(ids, np.ones((2, 3)))
    streams.states[[ids[0], 2]] = np.inf  # of a stream that is not in the step, and of none
    with pytest.raises(ValueError, match=r"`states` must be finite .*, got nan at index \(1, 3\)"):
        streams.step(ids[1:], np.ones((1, 3)))
    with pytest.raises(ValueError, match="`state` must be finite"):
        streams.open(state=np.full(8, np.inf))
    with pytest.raises(ValueError, match=r"`state` must have shape \(8,\) or \(1, 8\)"):
        streams.open(state=np.zeros(7))
    with pytest.raises(ValueError, match="`ids` must be numbers of open streams, got 7"):
        streams.close([0, 7])
    assert len(streams) == 2


def test_what_overflows_is_an_error_and_changes_nothing(backend):
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0, backend=backend, solver="euler", check_stability="off")
    streams = model.streams(2)
    streams.open(2)
    before = streams.states.copy()
    with pytest.raises(FloatingPointError, match="the state of LTC.* overflows"), np.errstate(all="ignore"):
        streams.step([0, 1], np.ones((2, 3)), dt=[0.1, 1e15])
    np.testing.assert_array_equal(streams.states, before)
    assert streams.step([0, 1], np.ones((2, 3)), dt=0.1).shape == (2, 2)


def test_a_step_that_fails_leaves_streams_open(model, monkeypatch):
    streams = model.streams(1)
    stream = streams.open()

    def fail(prepared, dt):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model.engine, "check", fail)
        with pytest.raises(KeyboardInterrupt):
            streams.step(stream, np.ones(3))
    np.testing.assert_array_equal(streams.step(stream, np.ones(3)), model.step(np.ones(3))[0])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda streams: pickle.loads(pickle.dumps(streams))])
def test_they_can_be_copied_and_pickled(model, again):
    streams = model.streams(3)
    ids = streams.open(2)
    streams.step(ids, np.ones((2, 3)))
    other = again(streams)
    for _ in range(2):
        np.testing.assert_array_equal(other.step(ids, np.ones((2, 3))), streams.step(ids, np.ones((2, 3))))
    other.close(ids[0])
    assert (len(streams), len(other)) == (2, 1)


def test_parameters_may_change_meanwhile(model):
    streams = model.streams(1)
    stream = streams.open()
    streams.step(stream, np.ones(3))
    before = streams.states[0].copy()
    model.theta *= 1.1
    np.testing.assert_array_equal(streams.step(stream, np.ones(3)), model.step(np.ones(3), state=before)[0])


def test_threads_may_step_different_streams(model):
    streams, alone = model.streams(20), model.streams(20)
    streams.open(20), alone.open(20)
    own, failed = [np.arange(k, 20, 4) for k in range(4)], []

    def run(of, ids):
        try:
            for k in range(30):
                of.step(ids, np.full((ids.size, 3), np.sin(k)), dt=0.1)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(streams, ids)) for ids in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ids in own:
        run(alone, ids)
    assert not failed
    np.testing.assert_array_equal(streams.states, alone.states)


def test_layers_that_look_ahead_are_refused():
    with pytest.raises(ValueError, match="outputs depend on no later input"):
        Model(Bidirectional(LSTM(2, input_dim=1)), seed=0).streams(3)
    with pytest.raises(ValueError, match="`capacity` must be"):
        Model(LSTM(2, input_dim=1), seed=0).streams(0)


def test_the_rows_that_are_computed():
    """Few different numbers, and not many more than asked for."""
    sizes = [step_size(B) for B in range(1, 5000)]
    assert all(size >= B for B, size in enumerate(sizes, 1))
    assert all(size <= B * 1.125 for B, size in enumerate(sizes, 1) if B >= 128)
    assert all(size < B + 16 for B, size in enumerate(sizes, 1) if B < 128)
    assert len(set(sizes[:1000])) < 40


@pytest.mark.compiled
@pytest.mark.parametrize("seed", range(30))
def test_compiled_rows_are_the_definition(seed):
    """Copies and marks; where something is wrong, the same is told, in the same row."""
    from ltc_np.kernels.cpu import streams as compiled

    rng = np.random.default_rng(seed)
    capacity, B, I, K, O = 12, rng.integers(1, 9), 3, rng.integers(0, 4), 2
    ids = rng.permutation(capacity)[:B]
    x, dt, states = rng.normal(size=(B, I)), rng.random(B if seed % 2 else 1), rng.normal(size=(capacity, K))
    marks = np.full(capacity, codes.OPEN)
    k = rng.integers(B)
    match seed % 8:
        case 1:
            marks[ids[k]] = rng.choice([codes.CLOSED, codes.BUSY])
        case 2:
            ids[k] = rng.choice([-1, capacity])
        case 3:
            x[k, 1] = rng.choice([np.nan, np.inf, 2e3])
        case 4:
            dt[k % dt.size] = rng.choice([-1, np.nan, 2e3])
        case 5 if B > 1:
            ids[B - 1] = ids[0]
        case 6 if K:
            states[ids[k], 0] = np.nan
    y, after, results = rng.normal(size=(B + 2, O)), rng.normal(size=(B + 2, K)), []
    if seed % 8 == 7:
        y[k, 0] = np.inf
    for rows in (plain, compiled):
        buffers = np.full((B + 2, I), 7.0), np.full((B + 2, 1), 7.0), np.full((B + 2, K), 7.0)
        own, kept, told, out = marks.copy(), states.copy(), np.full(2, 9), np.zeros((B, O))
        rows.take(ids, x, dt, own, kept, *buffers, 1e3, told)
        results.append([own.copy(), told.copy(), *(buffers if told[0] == codes.FINE else ())])
        if told[0] == codes.FINE:
            rows.put(ids, y, after, own, kept, out, 1e300, told)
            results[-1] += [own, kept, out, told]
    faults = {1: True, 2: True, 3: True, 4: True, 5: B > 1, 6: K > 0}
    assert (results[0][1][0] != codes.FINE) == faults.get(seed % 8, False) or seed % 8 == 7
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
