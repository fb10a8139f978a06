"""Forward and adjoint in chunks; tests/protocol/test_parallel_time.py has every layer."""

import itertools

import numpy as np
import pytest

from ltc_np import (
    LSTM,
    LTC,
    LTCRNN,
    AutoNCP,
    Bidirectional,
    CfC,
    Dense,
    FullyConnected,
    Model,
    ParallelTime,
    Residual,
    Wiring,
)  # fmt: skip
from ltc_np.layers import parallel
from ltc_np.layers.parallel import CARD, PROCESSOR
from ltc_np.layers.parallel.chunks import most_useful

# Of gradients: sums over other groups of steps.
ROUNDING = {"float32": 3e-6, "float64": 1e-13}


def network(time_constants=(1, 5), dtype="float64"):
    return LTCRNN(AutoNCP(8, 2), 2, seed=0, dtype=dtype, init={"time_constants": time_constants})


def sequence(T, B=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, 2)), rng.uniform(0.5, 1.5, (B, T)), rng.normal(size=(B, T, 2))


def both(model, x, dt, d_y, parallel_time, **more):
    """Outputs, last states and gradients as the sequence stands, and in chunks."""
    found = []
    for way in (False, parallel_time):
        y, tape = model.forward(x, dt=dt, parallel_time=way, **more)
        state = model(x, dt=dt, parallel_time=way, return_state=True)[1]
        found.append((y, state, model.backward(tape, d_y)))
    return found


def compare(one, other, most, bits=True):
    for a, b in zip(one[:2], other[:2], strict=True):
        assert np.array_equal(a, b) or (not bits and np.abs(a - b).max() <= most * np.abs(a).max())
    # Adjoints that have all but vanished may vanish: errors are small beside the largest of all.
    largest = max(np.abs(a).max() for a in one[2])
    for a, b in zip(one[2], other[2], strict=True):
        assert np.abs(a - b).max() <= most * (largest if a is one[2].h0 else np.abs(a).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("B", [1, 3])
def test_a_long_sequence_is_cut_where_that_is_worth_it(dtype, B):
    """Without a word from the user, to the bit; few chunks run twice, as the probe has seen how long it remembers."""
    model, (x, dt, d_y) = network(dtype=dtype), sequence(3000, B)
    compare(*both(model, x, dt, d_y, "auto"), ROUNDING[dtype])
    (report,) = model.last_parallel
    assert report.chunks >= 4 and report.chunks * report.steps >= 3000 and report.early <= 3000 / 8
    assert report.repeated <= B * report.chunks / 8  # the last bits may take long to agree: where, is chance


def test_a_long_memory_leaves_the_sequence_as_it_stands():
    model, (x, dt, d_y) = network((2000, 2000)), sequence(3000)
    compare(*both(model, x, dt, d_y, "auto"), 0)
    assert model.last_parallel == ()


def test_chunks_that_began_from_a_wrong_state_run_again():
    """Where chunks are asked for, although much is remembered."""
    model, (x, dt, d_y) = network((300, 300)), sequence(600)
    compare(*both(model, x, dt, d_y, 6), ROUNDING["float64"])
    assert model.last_parallel[0].repeated >= 5
    _, tape = model.forward(x, dt=dt, parallel_time=6)
    model.backward(tape, d_y)
    assert 1 <= model.last_parallel[0].repeated_backward <= 6


def test_what_the_probe_did_not_see_is_found_at_the_border():
    """Almost no time passes in a part of the data, between the places of the probe."""
    model, (x, dt, d_y) = network(), sequence(8000)
    dt[:, 4600:5100] = 1e-7
    compare(*both(model, x, dt, d_y, "auto"), ROUNDING["float64"])
    (report,) = model.last_parallel
    assert report.repeated >= 1


def test_a_tolerance_is_kept_and_costs_less():
    model, (x, dt, d_y) = network((20, 20)), sequence(4000)
    strict, loose = ParallelTime(8), ParallelTime(8, tolerance=1e-4)
    one, other = both(model, x, dt, d_y, loose)
    assert 0 < np.abs(one[0] - other[0]).max() <= 1e-3 * np.abs(one[0]).max()
    early = model.last_parallel[0].early
    model(x, dt=dt, parallel_time=strict)
    assert early < model.last_parallel[0].early


@pytest.mark.parametrize("chunks", [2, 3, 8, 1000])
def test_sequences_of_any_length(chunks):
    """0 and 1 among them; states of their ends; adjoints of the last states go where the sequences end."""
    model, (x, dt, d_y) = network((3, 30)), sequence(90, 6)
    lengths, d_state = [0, 1, 45, 46, 89, 90], np.random.default_rng(3).normal(size=(6, 8))
    found = []
    for way in (False, chunks):
        y, tape = model.forward(x, dt=dt, lengths=lengths, parallel_time=way)
        _, state = model(x, dt=dt, lengths=lengths, parallel_time=way, return_state=True)
        found.append((y, state, model.backward(tape, d_y, d_state)))
    compare(*found, ROUNDING["float64"])
    assert np.array_equal(found[1][2].h0[0], d_state[0])


def test_adjoints_of_last_states_are_known_behind_a_border():
    """Of sequences that end 7 and 30 steps behind one, within the window: nothing has to run again."""
    model, (x, dt, d_y) = network((3, 3)), sequence(1200, 3)
    lengths, d_state = [1200, 607, 630], np.random.default_rng(3).normal(size=(3, 8))
    _, tape = model.forward(x, dt=dt, lengths=lengths, parallel_time=4)
    model.backward(tape, d_y, d_state)
    assert model.last_parallel[0].early > 30
    assert model.last_parallel[0].repeated_backward == 0


def test_outputs_of_the_last_step_and_one_elapsed_time():
    model, (x, _, _) = network(), sequence(700, 2)
    model.return_sequences = False
    one, other = both(model, x, 0.7, np.array([[1.0, -2.0], [0.5, 0.0]]), 7)
    compare(one, other, ROUNDING["float64"])
    assert np.ndim(other[2].dt) == 0


@pytest.mark.parametrize("memory", ["full", "low"])
def test_gradients_are_those_of_finite_differences(memory):
    """Not only those of the sequence as it stands: along a direction of parameters, inputs and times together."""
    model = Model(LTC(FullyConnected(4, 2)), Dense(1), input_dim=2, seed=0, dtype="float64")
    (x, dt, _), rng = sequence(400), np.random.default_rng(5)
    d_y = rng.normal(size=(1, 400, 1))
    _, tape = model.forward(x, dt=dt, memory=memory, parallel_time=4)
    g = model.backward(tape, d_y)
    along = rng.normal(size=model.theta.shape), rng.normal(size=x.shape), rng.normal(size=dt.shape)
    slope = sum(np.sum(a * b) for a, b in zip((g.theta, g.x, g.dt), along, strict=True))
    theta, values = model.theta.copy(), []
    for h in (1e-6, -1e-6):
        model.theta = theta + h * along[0]
        values.append(np.sum(d_y * model(x + h * along[1], dt=dt + h * along[2], parallel_time=False)))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)  # h^2 and rounding / h: some 1e-9


def test_a_tape_may_be_used_twice():
    model, (x, dt, d_y) = network(), sequence(300)
    _, tape = model.forward(x, dt=dt, parallel_time=5)
    first, again = model.backward(tape, d_y), model.backward(tape, d_y)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("width", [PROCESSOR, CARD])
@pytest.mark.parametrize(("B", "T", "early"), [(1, 6000, 40), (2, 6000, 40), (4, 100_000, 6250), (1, 100_000, 4000)])
def test_as_many_chunks_as_take_the_shortest_time(B, T, early, width):
    def time(chunks):
        return (T / chunks + early) * (width.step + B * chunks)

    chunks = most_useful(B, T, early, width)
    assert B * chunks <= width.at_once
    assert time(chunks) <= min(time(c) for c in range(1, width.at_once // B + 1)) * 1.001
    assert time(chunks) < time(1) / 2


def test_a_window_may_be_longer_than_a_chunk():
    model, (x, dt, d_y) = network((12, 12), "float32"), sequence(5000)
    compare(*both(model, x, dt, d_y, "auto"), ROUNDING["float32"])
    (report,) = model.last_parallel
    assert report.early > report.steps and report.repeated <= report.chunks / 8


@pytest.mark.parametrize("B", [1, 3])
def test_adjoints_that_do_not_come_to_agree_are_those_of_the_sequence(B):
    """Ten chunks of a layer that forgets nothing within a chunk: after a run it is computed as it stands."""
    model, (x, dt, d_y) = network((3000, 3000)), sequence(400, B)
    one, other = both(model, x, dt, d_y, 10, h0=np.random.default_rng(4).normal(size=(B, 8)))
    compare(one, other, 0)
    (report,) = model.last_parallel
    assert report.repeated >= 9 and not report.as_it_stands  # of the call
    _, tape = model.forward(x, dt=dt, parallel_time=10)
    model.backward(tape, d_y)
    assert model.last_parallel[0].as_it_stands and model.last_parallel[0].repeated_backward == 1  # seen to be hopeless


class Noisy(LTC):
    """No two calls round the last state alike, and by more than fades."""

    bitwise_batch, calls = False, itertools.count()

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        y, h, saved = super().forward(prepared, x, dt, lengths, h0, keep, workspace)
        return y, h * (1 + 1e-3 * (next(self.calls) % 7)), saved


def test_states_that_do_not_come_to_agree_are_those_of_the_sequence():
    model = Model(Noisy(AutoNCP(8, 2), input_dim=2), seed=0, dtype="float64")
    x, dt, d_y = sequence(400)
    (y, _, g), (y_again, _, g_again) = both(model, x, dt, d_y, 10)
    assert np.array_equal(y, y_again)
    assert all(np.array_equal(a, b) for a, b in zip(g, g_again, strict=True))
    model.forward(x, dt=dt, parallel_time=10)
    assert model.last_parallel[0].as_it_stands


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
@pytest.mark.parametrize("layer", [LTC(AutoNCP(8, 2)), LSTM(4)])
def test_states_that_are_not_finite_end_the_search(layer, tolerance):
    model = Model(layer, input_dim=2, seed=0, dtype="float64")
    x, dt, _ = sequence(60)
    dt = {"dt": dt} if model.takes_dt else {}
    model.theta[:] = np.nan
    for way in (False, ParallelTime(4, tolerance)):
        with pytest.raises(FloatingPointError, match="outputs and states must be finite"):
            model(x, **dt, parallel_time=way)


def test_small_adjoints_of_one_layer_are_not_hidden_by_those_of_another():
    """In a Residual, which is cut as a whole: the first layer remembers, and little of it reaches the outputs."""
    first = LTC(FullyConnected(3, 2), ode_unfolds=1, init={"time_constants": (50, 50)})
    second = LTC(FullyConnected(3, 2), ode_unfolds=1, init={"time_constants": (1, 2)})
    model = Model(Residual(first, Dense(2, "tanh"), second), input_dim=2, seed=0, dtype="float32")
    model.params["1.weight"][...] *= 0.01
    x, dt, d_y = sequence(600)
    found = [model.views(one[2].theta)["0.w"] for one in both(model, x, dt, d_y, 12)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-5 * np.abs(found[0]).max())  # 2e-4 if they are


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_neuron_with_a_small_adjoint_is_not_hidden_by_its_neighbours(dtype):
    """Two neurons that do not see each other, the second of which counts little, and remembers while an input shuts it.

    Its gradients were wrong by more than half: borders were judged by the largest adjoint of the layer.
    """
    wiring = Wiring.from_matrix(np.diag([1, 0]), np.eye(2), output_dim=2)
    model = Model(LTC(wiring), input_dim=2, seed=0, dtype=dtype)
    model.params["gleak"][1], model.params["sensory_mu"][1], model.params["sensory_w"][1] = -8, 0, 1
    x, dt, d_y = sequence(400)
    x[:, 60:230, 1] = -3
    d_y[:, :, 1] *= 1e-4 * np.finfo(dtype).eps
    (_, _, plain), (_, _, chunks) = both(model, x, dt, d_y, 6)
    for name, want in model.views(plain.theta).items():
        np.testing.assert_allclose(model.views(chunks.theta)[name], want, rtol=1e3 * np.finfo(dtype).eps, err_msg=name)


@pytest.mark.parametrize(("constants", "count"), [((10, 20), 10), ((3, 6), 6)], ids=["ten chunks", "six chunks"])
def test_one_output_that_counts_reaches_every_step_before_it(constants, count):
    """Each gradient of an input is as right as that of the last one, however small."""
    model, (x, dt, d_y) = network(constants), sequence(300)
    d_y[:, :-1] = 0
    (_, _, plain), (_, _, chunks) = both(model, x, dt, d_y, count)
    assert not model.last_parallel[0].as_it_stands  # after few runs all borders are right
    assert 0 < np.abs(plain.x[0, 20]).max() < 1e-8 * np.abs(plain.x).max()
    for want, found in ((plain.x, chunks.x), (plain.dt, chunks.dt), (plain.h0, chunks.h0)):
        np.testing.assert_allclose(found, want, rtol=1e-9)


@pytest.mark.single
@pytest.mark.parametrize("layer", [CfC(16), LTC(FullyConnected(16, 2)), LSTM(8)], ids=["CfC", "LTC", "LSTM"])
def test_rounding_alone_makes_nothing_run_again(layer, backend):
    """Where many products are summed, last bits never come to agree, and those of a number near 0 are not its last."""
    model = Model(layer, input_dim=2, seed=0, dtype="float32", backend=backend)
    x, dt, _ = sequence(900)
    y, tape = model.forward(x, **({"dt": dt} if model.takes_dt else {}), parallel_time=ParallelTime(6, 1e-6))
    model.backward(tape, np.random.default_rng(1).normal(size=y.shape))
    (report,) = model.last_parallel
    assert report.early < 150
    assert (report.repeated, report.repeated_backward, report.as_it_stands) == (0, 0, False)


@pytest.mark.parametrize("whole", [0, 1])
def test_one_direction_may_be_cut_and_the_other_not(whole, monkeypatch):
    model = Model(Bidirectional(LTC(AutoNCP(8, 2))), input_dim=2, seed=0, dtype="float64")
    x, dt, _ = sequence(200)
    d_y, plan, calls = np.random.default_rng(1).normal(size=(1, 200, 4)), parallel.chunks.plan, itertools.count()
    monkeypatch.setattr(parallel.chunks, "plan", lambda *given: None if next(calls) % 2 == whole else plan(*given))
    compare(*both(model, x, dt, d_y, 5), ROUNDING["float64"])
    model(x, dt=dt, parallel_time=5)
    assert len(model.last_parallel) == 1


def test_layers_that_want_to_know_whether_one_trains_are_told():
    class Told(LTC):
        drops = True

        def forward(self, *given, rng):
            assert rng is None
            return super().forward(*given)

    model = Model(Told(AutoNCP(8, 2)), input_dim=2, seed=0, dtype="float64")
    x, dt, _ = sequence(60)
    y = model(x, dt=dt, parallel_time=4)
    assert len(model.last_parallel) == 1
    assert np.array_equal(y, model(x, dt=dt, parallel_time=False))
