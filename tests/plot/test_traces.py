"""Pictures of a trace: their lines, colours and marks are its arrays."""

import matplotlib
import matplotlib.colors
import numpy as np
import pytest
from support.picture_cases import spiking, traced

from ltc_np import CTGRU, LSTM, LTC, LTCRNN, AutoNCP, Bidirectional, Dense, Model, SpikingLIF
from ltc_np.plot import currents, spike_raster, states, time_constants
from ltc_np.plot.moments import moments

LENGTHS = 15, 9
each_sequence = pytest.mark.parametrize("sequence", [0, 1])


def edges(trace, sequence):
    """Times between the steps of a sequence, from its dt."""
    found = [0.0]
    for dt in trace.dt[sequence, : LENGTHS[sequence]]:
        found.append(found[-1] + dt)
    return np.array(found)


def map_of(ax):
    """(times between the columns, values (rows, columns), its colours)."""
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    assert (np.diff(corners[:, 0, 1]) == 1).all() and corners[0, 0, 1] == -0.5
    # matplotlib 3.7 gives them as one row.
    return corners[0, :, 0], np.ma.getdata(mesh.get_array()).reshape(np.subtract(corners.shape[:2], 1)), mesh


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


@each_sequence
def test_states_as_a_map(sequence):
    trace = traced()
    ax = states(trace, layer=0, sequence=sequence)
    times, values, mesh = map_of(ax)
    np.testing.assert_allclose(times, edges(trace, sequence), rtol=1e-12)
    np.testing.assert_array_equal(values, trace.layers[0].state[sequence, : LENGTHS[sequence]].T)
    assert mesh.norm.vmin == -mesh.norm.vmax == -np.abs(values).max()
    assert mesh.to_rgba(0.0)[:3] == pytest.approx((1, 1, 1), abs=0.02), "0 is white"
    assert labels(ax) == [str(i) for i in range(12)]


@each_sequence
def test_states_as_lines(sequence):
    trace = traced()
    lines = states(trace, neurons=[0, 5, 11], sequence=sequence).get_lines()
    for line, neuron in zip(lines, (0, 5, 11), strict=True):
        np.testing.assert_allclose(line.get_xdata(), edges(trace, sequence)[1:], rtol=1e-12)
        np.testing.assert_array_equal(line.get_ydata(), trace.layers[0].state[sequence, : LENGTHS[sequence], neuron])
        assert line.get_label() == f"neuron {neuron}"
    assert len({(line.get_color(), str(line.get_linestyle())) for line in lines}) == 3


def test_one_sequence_without_a_batch():
    model = LTCRNN(AutoNCP(8, 1), input_dim=3, seed=0, backend="numpy")
    x = np.random.default_rng(0).normal(size=(6, 3))
    trace = model.trace(x, dt=0.5)
    times, values, _ = map_of(states(trace))
    np.testing.assert_allclose(times, 0.5 * np.arange(7))
    np.testing.assert_array_equal(values, trace.layers[0].state.T)
    with pytest.raises(ValueError, match=r"`sequence` must be an int in 0..0, got 1"):
        states(trace, sequence=1)


@pytest.mark.parametrize("layer", [0, 1])
def test_one_of_two_layers(layer):
    x = np.random.default_rng(0).normal(size=(6, 3))
    liquid = Model(LTC(AutoNCP(8, 4)), LTC(AutoNCP(6, 1)), input_dim=3, seed=0, backend="numpy").trace(x, dt=0.5)
    own = liquid.layers[layer]
    np.testing.assert_array_equal(map_of(time_constants(liquid, layer=layer))[1], own.arrays["tau"].T)
    np.testing.assert_array_equal(map_of(currents(liquid, 0, layer=layer))[1][-1], own.arrays["leak"][:, 0])
    spikes = Model(SpikingLIF(8), SpikingLIF(5), input_dim=3, seed=0, backend="numpy").trace(9 * x, dt=0.5)
    assert labels(spike_raster(spikes, layer=layer)) == [str(k) for k in range(8 if layer == 0 else 5)]


def test_without_elapsed_time_steps_are_counted():
    trace = Model(LSTM(7), input_dim=3, seed=0, backend="numpy").trace(np.ones((5, 3)))
    ax = states(trace)
    assert map_of(ax)[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert ax.get_xlabel() == "step" and map_of(ax)[1].shape == (14, 5)


@each_sequence
def test_time_constants(sequence):
    trace = traced()
    ax = time_constants(trace, sequence=sequence)
    times, values, mesh = map_of(ax)
    tau = trace["tau"][sequence, : LENGTHS[sequence]]
    np.testing.assert_allclose(times, edges(trace, sequence), rtol=1e-12)
    np.testing.assert_array_equal(values, tau.T)
    assert isinstance(mesh.norm, matplotlib.colors.LogNorm)
    assert (mesh.norm.vmin, mesh.norm.vmax) == (tau.min(), tau.max())
    few = time_constants(trace, sequence=sequence, neurons=[7, 2])
    np.testing.assert_array_equal(map_of(few)[1], tau[:, [7, 2]].T)
    assert labels(few) == ["7", "2"]


@pytest.mark.slow
def test_time_constants_by_another_name_and_of_a_bar():
    model = Model(CTGRU(5), input_dim=3, seed=0, backend="numpy")
    trace = model.trace(np.random.default_rng(0).normal(size=(6, 3)))
    ax = time_constants(trace, name="retrieval_tau")
    np.testing.assert_array_equal(map_of(ax)[1], trace["retrieval_tau"].T)
    low, high = map_of(ax)[2].norm.vmin, map_of(ax)[2].norm.vmax
    ax.figure.canvas.draw()
    bar = map_of(ax)[2].colorbar.ax.yaxis
    ticks = [t for t in bar.get_majorticklocs() if low <= t <= high]
    assert len(ticks) >= 2, "a bar without numbers says nothing"
    trace = Model(Bidirectional(LTC(AutoNCP(8, 1))), input_dim=2, seed=0, backend="numpy").trace(np.ones((4, 2)))
    np.testing.assert_array_equal(map_of(time_constants(trace, name="backward_tau"))[1], trace["backward_tau"].T)


def test_time_constants_that_never_change_or_are_infinite():
    trace = traced()
    for value in (2.0, np.inf):
        trace.layers[0].arrays["tau"][0, :, :5] = value
    _, values, mesh = map_of(time_constants(trace))
    assert np.isfinite([mesh.norm.vmin, mesh.norm.vmax]).all() and np.isinf(values[:5]).all()
    assert np.ma.getmaskarray(mesh.get_array()).reshape(values.shape)[:5].all()
    trace.layers[0].arrays["tau"][:] = 2.0
    mesh = map_of(time_constants(trace))[2]
    assert mesh.norm.vmin < 2 < mesh.norm.vmax
    trace.layers[0].arrays["tau"][:] = np.inf
    with pytest.raises(ValueError, match="finite and more than 0, it has none"):
        time_constants(trace)


@each_sequence
def test_currents_are_those_of_the_neurons_synapses(sequence):
    trace = traced()
    wiring, steps = trace.layers[0].layer.wiring, slice(0, LENGTHS[sequence])
    for neuron in (0, 3, 11):
        ax = currents(trace, neuron, sequence=sequence)
        wanted, names = [], []
        for s in range(wiring.sensory_synapse_count):
            if wiring.sensory_post[s] == neuron:
                wanted.append(trace["sensory_currents"][sequence, steps, s])
                names.append(f"in {wiring.sensory_pre[s]}")
        for s in range(wiring.synapse_count):
            if wiring.post[s] == neuron:
                wanted.append(trace["currents"][sequence, steps, s])
                names.append(str(wiring.pre[s]))
        wanted.append(trace["leak"][sequence, steps, neuron])
        np.testing.assert_array_equal(map_of(ax)[1], wanted)
        assert labels(ax) == [*names, "leak"]


@each_sequence
def test_spikes_stand_at_the_end_of_their_steps(sequence):
    trace = spiking()
    spikes = trace["spikes"][sequence, : LENGTHS[sequence]]
    assert 5 < spikes.sum() < spikes.size / 2
    (marks,) = spike_raster(trace, sequence=sequence).collections
    found = {(round(segment[0, 0], 9), round(segment[:, 1].mean(), 9)) for segment in marks.get_segments()}
    step, neuron = np.nonzero(spikes)
    assert found == {(round(t, 9), float(i)) for t, i in zip(edges(trace, sequence)[1:][step], neuron, strict=True)}
    ax = spike_raster(trace, neurons=[4, 2], sequence=sequence)
    (some,) = ax.collections
    assert len(some.get_segments()) == spikes[:, [4, 2]].sum()
    assert labels(ax) == ["4", "2"]


def test_many_rows_are_not_all_named():
    trace = LTCRNN(AutoNCP(64, 2), input_dim=2, seed=0, backend="numpy").trace(np.ones((4, 2)))
    for picture in (states, time_constants):
        assert labels(picture(trace)) == [str(i) for i in range(0, 64, 6)]


def test_what_is_refused():
    trace = traced()
    lstm = Model(LSTM(5), Dense(2), input_dim=2, backend="numpy").trace(np.ones((4, 2)))
    two = Model(LTC(AutoNCP(8, 2)), LTC(AutoNCP(8, 2)), input_dim=2, backend="numpy").trace(np.ones((4, 2)))
    empty = Model(LTC(AutoNCP(8, 2)), input_dim=2, backend="numpy").trace(np.ones((2, 4, 2)), lengths=[4, 0])
    frozen = Model(LTC(AutoNCP(8, 2)), input_dim=2, backend="numpy").trace(np.ones((4, 2)), dt=0)
    for call, error, message in (
        (lambda: states(np.ones(3)), TypeError, r"`trace` must be what `model.trace\(x\)` gives, got an array"),
        (lambda: time_constants(lstm), ValueError, "time constants 'tau', no layer has, of a model of LSTM, Dense"),
        (lambda: currents(lstm, 0), ValueError, r"one layer with synaptic currents \(LTC\), no layer has"),
        (lambda: spike_raster(trace), ValueError, "one layer with spikes, no layer has"),
        (lambda: states(two), ValueError, r"one layer with a state, layers \[0, 1\] have: choose one by `layer`"),
        (lambda: states(trace, layer=1), ValueError, r"`layer` must be one with a state, of \[0\], got 1"),
        (lambda: states(trace, layer=2), ValueError, "`layer` must be an int in 0..1, got 2"),
        (lambda: states(trace, sequence=2), ValueError, "`sequence` must be an int in 0..1, got 2"),
        (lambda: states(trace, neurons=[12]), ValueError, r"`neurons\[0\]` must be an int in 0..11, got 12"),
        (lambda: states(trace, neurons=3), TypeError, "`neurons` must be a list of numbers, got 3"),
        (lambda: states(trace, neurons=[]), ValueError, "`neurons` must hold at least one number"),
        (lambda: currents(trace, 12), ValueError, "`neuron` must be an int in 0..11, got 12"),
        (lambda: time_constants(trace, name=3), TypeError, "`name` must be a str, got 3"),
        (lambda: time_constants(trace, name="potentials"), ValueError, r"one number a neuron, got 'potentials' with"),
        (lambda: states(empty, sequence=1), ValueError, "`sequence` must be one with steps, got 1 of length 0"),
        (lambda: states(frozen), ValueError, "one in which time passes, got 0 with dt = 0 at every step"),
    ):  # fmt: skip
        with pytest.raises(error, match=message) as found:
            call()
        assert "\n" not in str(found.value)


def test_moments_of_a_part_of_a_batch():
    trace = traced()
    when = moments(trace, 1)
    assert (when.steps, when.word) == (9, "time")
    np.testing.assert_array_equal(when.of(trace.x), trace.x[1, :9])
