"""The picture of a wiring: every synapse is there, from where to where, of which sign and strength."""

from itertools import pairwise

import numpy as np
import pytest
from support.picture_cases import columns, ring

from ltc_np import LRC, LTC, LTCRNN, AutoNCP, Bidirectional, Dense, Model, Random, RandomWiring, WiredCfC, Wiring, plot
from ltc_np.plot import strokes
from ltc_np.plot.positions import curves, positions
from ltc_np.plot.styling import BLUE, VERMILION


def read(ax):
    """(start, end, width, colour) of every synapse drawn."""
    (lines,) = [c for c in ax.collections if c.get_label() == "synapses"]
    paths = [path.vertices for path in lines.get_paths()]
    starts, controls, ends = (np.array([path[k] for path in paths]) for k in range(3))
    along = ends - controls
    ends += 0.1 * along / np.hypot(*along.T)[:, None]  # marks stand between a line and the neuron
    return starts, ends, np.array(lines.get_linewidths()), lines.get_edgecolors(), lines.get_linestyles()


def nearest(points, centres):
    return np.argmin(np.hypot(*(points[:, None] - centres[None]).transpose(2, 0, 1)), axis=1)


def drawn(ax, wiring):
    """{(pre, post): (width, sign, dashed)}; inputs count from 1000."""
    where = positions(wiring)
    starts, ends, widths, colors, dashes = read(ax)
    import matplotlib.colors

    signs = {matplotlib.colors.to_hex(BLUE): 1, matplotlib.colors.to_hex(VERMILION): -1}
    centres = np.concatenate([where.neurons, where.inputs])
    pre, post = nearest(starts, centres), nearest(ends, centres)
    pre = np.where(pre < wiring.units, pre, pre - wiring.units + 1000)
    found = [signs[matplotlib.colors.to_hex(c)] for c in colors]
    dashed = [pattern[1] is not None for pattern in dashes]
    return {(int(a), int(b)): own for a, b, *own in zip(pre, post, widths, found, dashed, strict=True)}


def expected(wiring, values, sensory_values):
    pairs = list(zip(wiring.pre, wiring.post, values, strict=True))
    pairs += list(zip(wiring.sensory_pre + 1000, wiring.sensory_post, sensory_values, strict=True))
    largest = max(abs(v) for *_, v in pairs)
    return {(int(a), int(b)): (abs(v) / largest, np.sign(v)) for a, b, v in pairs}


def check(ax, wiring, values, sensory_values):
    found, wanted = drawn(ax, wiring), expected(wiring, values, sensory_values)
    assert set(found) == set(wanted)
    shares = np.array([wanted[pair][0] for pair in found])
    widths = np.array([width for width, *_ in found.values()])
    # Linear in the strength: the width of nothing, and as much more as the share of the strongest.
    scale = min(1.0, (strokes.FEW / len(found)) ** 0.25)
    np.testing.assert_allclose(widths, scale * (0.3 + 1.5 * shares), rtol=1e-12)
    for pair, (_, sign, dashed) in found.items():
        assert sign == wanted[pair][1] and dashed == (sign < 0), pair


@pytest.mark.slow
def test_of_a_model_by_trained_strengths():
    model = columns()
    model.params["erev"][:7] *= -1  # training may turn a synapse
    p, wiring = model.effective, model.wiring
    signed = p["w"] * np.sign(p["erev"])
    assert (signed[:7] * wiring.polarity[:7] < 0).all()
    check(plot.wiring(model), wiring, signed, p["sensory_w"] * np.sign(p["sensory_erev"]))


def test_of_a_model_with_fixed_gains():
    model = LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, 8, 2, seed=0, dtype="float64", backend="numpy")
    p, wiring = model.effective, model.wiring
    sensory = p["sensory_w"] * wiring.sensory_gain * np.sign(p["sensory_erev"])
    check(plot.wiring(model), wiring, p["w"] * wiring.gain * np.sign(p["erev"]), sensory)


def test_of_a_wiring_by_its_gains():
    wiring = ring()
    check(plot.wiring(wiring), wiring, wiring.polarity * wiring.gain, wiring.sensory_polarity * wiring.sensory_gain)
    plain = AutoNCP(19, 2).build(4)
    ax = plot.wiring(plain)
    check(ax, plain, plain.polarity, plain.sensory_polarity)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["39 excitatory", "28 inhibitory"]


def test_of_the_layer_that_is_asked_for():
    model = Model(
        LTC(AutoNCP(8, 2)), LRC(AutoNCP(9, 3)), Dense(1), input_dim=3, seed=0, dtype="float64", backend="numpy"
    )
    p, wiring = model.effective, model.layers[1].wiring
    check(plot.wiring(model, layer=1), wiring, p["1.h"], p["1.sensory_h"])
    p, wiring = model.effective, model.layers[0].wiring
    check(
        plot.wiring(model, layer=0),
        wiring,
        p["0.w"] * np.sign(p["0.erev"]),
        p["0.sensory_w"] * np.sign(p["0.sensory_erev"]),
    )


def test_of_given_values():
    wiring = AutoNCP(12, 2).build(3)
    rng = np.random.default_rng(0)
    values, sensory = rng.normal(size=wiring.synapse_count), rng.normal(size=wiring.sensory_synapse_count)
    check(plot.wiring(wiring, values=values, sensory_values=sensory), wiring, values, sensory)


def test_of_many_synapses_the_strongest_stand_out():
    wiring = Random(60, 3, 0.7).build(5)
    count = wiring.synapse_count + wiring.sensory_synapse_count
    values = np.arange(1.0, count + 1)
    sensory, recurrent = values[: wiring.sensory_synapse_count], values[wiring.sensory_synapse_count :]
    ax = plot.wiring(wiring, values=recurrent, sensory_values=sensory)
    check(ax, wiring, recurrent, sensory)
    _, _, widths, colors, _ = read(ax)
    order = np.argsort(widths)
    assert set(colors[order[-150:], 3]) == {0.9}
    assert colors[order[:-150], 3].max() < 0.1
    assert (np.diff(widths) >= 0).all(), "the stronger lie on top"


def test_lines_end_at_rims_with_marks():
    ax = plot.wiring(columns())
    wiring, where = columns().wiring, positions(columns().wiring)
    starts, *_ = read(ax)
    centres = np.concatenate([where.neurons, where.inputs])
    np.testing.assert_allclose(np.hypot(*(starts - centres[nearest(starts, centres)]).T), where.radius, rtol=1e-9)
    marks = {c.get_label(): c for c in ax.collections}
    signs = np.sign(np.concatenate([wiring.erev, wiring.sensory_erev]))
    assert len(marks["arrows"].get_paths()) == np.count_nonzero(signs > 0)
    assert len(marks["bars"].get_paths()) == np.count_nonzero(signs < 0)
    tips = np.array([path.vertices[2] for path in marks["arrows"].get_paths()])
    np.testing.assert_allclose(np.hypot(*(tips - centres[nearest(tips, centres)]).T), where.radius, rtol=1e-9)


@pytest.mark.parametrize(
    "wiring", [AutoNCP(19, 1).build(8), AutoNCP(128, 4).build(6), Random(128, 3, 0.9).build(4), ring()]
)
def test_neurons_have_places_of_their_own(wiring):
    where = positions(wiring)
    centres = np.concatenate([where.neurons, where.inputs])
    distance = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + 9 * np.eye(len(centres))
    assert distance.min() > 2.2 * where.radius
    low, high = where.limits
    assert (centres > low).all() and (centres < high).all()
    assert sum(len(group.members) for group in where.groups) == len(centres)


def test_layers_stand_in_columns_from_left_to_right():
    wiring = AutoNCP(128, 4).build(6)
    where = positions(wiring)
    x = [where.inputs[:, 0]] + [where.neurons[list(ids), 0] for _, ids in wiring.layers]
    for left, right in pairwise(x):
        assert left.max() < right.min()


def test_a_curve_bends_to_its_right():
    ends = np.array([[0.0, 0], [0, 2]]), np.array([[0.0, 2], [0, 0]])
    bent = curves(*ends, 0.1, np.zeros((2, 1)), np.array([0.5, 0.5]), np.zeros((2, 2)))
    np.testing.assert_allclose(bent.control, [[1, 1], [-1, 1]])


def test_names_of_inputs_and_outputs():
    ax = plot.wiring(ring(), input_names=["up", "down"], output_names=["left", "right"])
    where = positions(ring())
    found = {text.get_text(): text.get_position() for text in ax.texts}
    assert found["up"][1] == where.inputs[0, 1] and found["down"][1] == where.inputs[1, 1]
    assert found["left"][1] == where.neurons[0, 1] and found["right"][1] == where.neurons[1, 1]
    assert [str(i) in found for i in range(7)] == [True] * 6 + [False]
    assert "2 inputs" in found and "4 inter, 2 motor" in found


def test_what_is_refused():
    model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0, backend="numpy")
    both = Model(LTC(AutoNCP(8, 2)), LTC(AutoNCP(8, 2)), input_dim=2, backend="numpy")
    first = Model(LTC(AutoNCP(8, 2)), Dense(2), input_dim=2, backend="numpy")
    values = {"values": np.ones(model.wiring.synapse_count), "sensory_values": np.ones(3)}
    for call, error, message in (
        (lambda: plot.wiring(3), TypeError, "`network` must be a Wiring or a Model with one, got 3"),
        (lambda: plot.wiring(AutoNCP(8, 1)), ValueError, r"`network` must be built, got AutoNCP.*build\(input_dim\)"),
        (lambda: plot.wiring(Model(Dense(2), input_dim=3)), ValueError, "one wired layer.*it has none"),
        (lambda: plot.wiring(both), ValueError, r"it has \[0, 1\]: choose one by `layer`"),
        (lambda: plot.wiring(first, layer=1), ValueError, r"`layer` must be one with a wiring, of \[0\], got 1"),
        (lambda: plot.wiring(both, layer=2), ValueError, "`layer` must be an int in 0..1, got 2"),
        (lambda: plot.wiring(model.wiring, layer=0), ValueError, "`layer` must be None for a wiring, got 0"),
        (lambda: plot.wiring(model, values=values["values"]), ValueError, "must be given together"),
        (
            lambda: plot.wiring(model, **values),
            ValueError,
            r"`sensory_values` must have one number a synapse, shape \(",
        ),
        (lambda: plot.wiring(model, input_names=["a"]), ValueError, r"`input_names` must be 2 texts"),
        (lambda: plot.wiring(model, output_names="a"), ValueError, r"`output_names` must be 1 texts"),
        (
            lambda: plot.wiring(AutoNCP(8, 1).build(40), input_names=["a"] * 40),
            ValueError,
            "`input_names` must be left out here: 40 names beside each other have no room",
        ),
        (
            lambda: plot.wiring(model, output_names=["a" * 40]),
            ValueError,
            "must together be at most 32 letters wide, got 40",
        ),
        (lambda: plot.wiring(model, ax=3), TypeError, "`ax` must be one Axes of matplotlib or None, got 3"),
        (
            lambda: plot.wiring(Model(WiredCfC(AutoNCP(8, 1)), input_dim=2, backend="numpy")),
            ValueError,
            r"one strength for each synapse.*draw its wiring, plot.wiring\(model.wiring\)",
        ),
        (lambda: plot.wiring(Model(Bidirectional(LTC(AutoNCP(8, 1))), input_dim=2)), ValueError, "one strength"),
    ):
        with pytest.raises(error, match=message) as found:
            call()
        assert "\n" not in str(found.value)


def test_a_wiring_without_synapses_of_one_kind():
    wiring = Wiring.from_edges(2, [], [(0, 0, 1), (0, 1, -1)])
    check(plot.wiring(wiring), wiring, [], wiring.sensory_polarity)
